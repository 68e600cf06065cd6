"""Linear regions against slow exact oracles, on degenerate networks first."""

import inspect
import itertools
import os
import re
import signal
import threading
from fractions import Fraction
from functools import cache

import networkx
import numpy as np
import pytest
import torch
from oracles import cells_of, neighbours_of, pattern_at, pieces_of, volume_of
from torch import nn

from constructions import (
    Ball,
    ReLUNetwork,
    absolute,
    compose,
    count_regions,
    distance,
    f_S,
    gate,
    lean_indicator,
    level_set,
    linear_regions,
    maximum,
    multiplication,
    on_plane,
    on_segment,
    soft_indicator,
    squaring,
    tooth,
    yarotsky_multiplication,
)
from constructions.regions import chords, limits, skeleton
from constructions.regions import counting as module
from constructions.regions.arrangement import Arrangement
from constructions.regions.limits import Stop

VALUES = [-1, 0, 1, 0.5]


def degenerate_network(generator, d):
    """Up to three layers of width 0 to 4 (d = 3: 3) with weights and biases in VALUES."""
    depth, widest = int(generator.integers(0, 4 if d < 3 else 3)), 4 if d < 3 else 3
    sizes = [
        d,
        *(int(n) for n in generator.integers(0, widest + 1, size=depth)),
        int(generator.integers(1, 3)),
    ]
    layers = [
        (generator.choice(VALUES, (n, m)), generator.choice(VALUES, n))
        for m, n in itertools.pairwise(sizes)
    ]
    return ReLUNetwork.from_layers(layers)


def rescaled(network, generator):
    """Weights that floats cannot multiply exactly: units times positive numbers of 50 bits (the
    first layer's cells stay).
    """
    layers = []
    for layer in network.layers:
        weight, bias = layer.weight.to_dense().numpy(), layer.bias.to_dense()[:, 0].numpy()
        factors = generator.integers(2**49, 2**50, size=len(bias)) / 2.0**50
        # exact: weights are powers of two
        layers.append((weight * factors[:, None], bias * factors))
    return ReLUNetwork.from_layers(layers)


def box_of(generator, d):
    """[-1, 1]^d, [0, 1]^d, or unequal sides."""
    kind = generator.integers(3)
    if kind < 2:
        return np.full(d, -1.0 if kind else 0.0), np.ones(d)
    return generator.choice([-1.0, -0.5, 0.0], d), generator.choice([0.5, 1.0, 2.0], d)


ARITHMETIC = ("floats", "integers")


def check(network, box, *, methods=(None, "lattice"), exact=False, geometry=True):
    """Everything about a network's regions equals the oracle's."""
    cells = cells_of(network, *box)
    pairs = neighbours_of(cells)
    pieces, maps = pieces_of(cells, pairs)
    for method in methods:
        found = count_regions(network, box, method=method)
        assert (found.cells, found.complete, found.certified) == (len(cells), True, True), found
    result = linear_regions(network, box, pieces=True, arithmetic=ARITHMETIC[exact])
    assert (result.cells, result.pieces, result.affine_maps) == (len(cells), pieces, maps), result
    assert result.complete
    assert result.certified
    if not geometry:
        return
    order = [
        next(i for i, c in enumerate(cells) if c.pattern == tuple(p.tolist()))
        for p in result.patterns
    ]
    assert sorted(order) == list(range(len(cells)))
    assert {tuple(sorted((order[i], order[j]))) for i, j in result.graph().edges} == pairs
    for region, i in zip(result.regions, order, strict=True):
        vertices = {tuple(v) for v in region.vertices.tolist()}
        if exact:
            assert vertices == set(cells[i].vertices)
            assert [
                (*a, b) for a, b in zip(region.weight.tolist(), region.bias, strict=True)
            ] == list(map(tuple, cells[i].map))
            assert all(
                sum(a * x for a, x in zip(h, region.point, strict=False)) + h[-1] > 0
                for h in cells[i].halfspaces
            )
        else:
            nearest = [
                min(
                    np.abs(np.subtract(v, np.array(w, dtype=float))).max()
                    for w in cells[i].vertices
                )
                for v in vertices
            ]
            assert len(vertices) == len(cells[i].vertices)
            assert max(nearest) < 1e-12
            assert np.c_[region.weight, region.bias] == pytest.approx(
                np.array(cells[i].map, dtype=float), abs=1e-12
            )
        if network.inputs < 3:
            assert region.volume == (
                volume_of(cells[i]) if exact else pytest.approx(float(volume_of(cells[i])))
            )
    total = np.prod([Fraction(h) - Fraction(low) for low, h in zip(*box, strict=True)])
    assert result.volumes.sum() == (total if exact else pytest.approx(float(total)))


# -- random degenerate networks --------------------------------------------------------------------


@pytest.mark.parametrize("block", range(12))
@pytest.mark.parametrize("d", [1, 2])
def test_degenerate_networks(d, block):
    generator = np.random.default_rng([d, block])
    for index in range(12):
        check(degenerate_network(generator, d), box_of(generator, d), exact=index % 3 == 0)


@pytest.mark.parametrize("block", range(8))
def test_degenerate_networks_in_three_dimensions(block):
    generator = np.random.default_rng([3, block])
    for index in range(5):
        check(degenerate_network(generator, 3), box_of(generator, 3), exact=index == 0)


@pytest.mark.parametrize("block", range(8))
def test_degenerate_networks_whose_floats_are_inexact(block):
    generator = np.random.default_rng([4, block])
    for index in range(8):
        network = rescaled(degenerate_network(generator, 2), generator)
        check(network, box_of(generator, 2), exact=index == 0)


def awkward_network(generator, d):
    """Rows that repeat or add up only up to rounding, tiny differences, wide scales."""
    kind, sizes = (
        generator.integers(4),
        [d, *(int(n) for n in generator.integers(1, 4, size=generator.integers(1, 4))), 1],
    )
    layers = []
    for m, n in itertools.pairwise(sizes):
        weight, bias = (
            generator.choice([1 / 3, 0.1, 0.7, -0.3, 1, -1, 0], (n, m)),
            generator.choice([0.1, -0.3, 0, 1 / 3], n),
        )
        for i in range(1, n):
            if kind == 0 and i > 1:
                weight[i], bias[i] = weight[i - 1] + weight[i - 2], bias[i - 1] + bias[i - 2]
            elif kind == 1:
                weight[i] = weight[i - 1] * generator.choice([1, -1, 2, 3])
                weight[i, 0] += generator.choice([0, 1, -1]) * 2.0 ** -int(
                    generator.integers(40, 53)
                )
        if kind == 2:
            scale = 2.0 ** generator.integers(-30, 30, size=n)
            weight, bias = weight * scale[:, None], bias * scale
        layers.append((weight, bias))
    return layers


@pytest.mark.parametrize("block", range(6))
def test_awkward_networks_and_boxes(block):
    generator = np.random.default_rng([7, block])
    for _ in range(6):
        d = int(generator.integers(1, 4))
        layers = awkward_network(generator, d)
        kind = generator.integers(4)
        low, high = np.full(d, -1.0), np.ones(d)
        if kind == 0:  # far away
            low, high = np.full(d, 1e6), np.full(d, 1e6 + 1)
            layers[0] = (layers[0][0], layers[0][1] - layers[0][0] @ (low + 0.5))
        elif kind == 1:  # tiny
            low, high = np.full(d, -1e-9), np.full(d, 2e-9)
            layers[0] = (layers[0][0], layers[0][1] * generator.choice([0, 1e-9]))
        elif kind == 2:  # unequal
            high = 10.0 ** generator.integers(-6, 7, size=d)
            low = -high / 3
        check(ReLUNetwork.from_layers(layers), (low, high), geometry=False)


def test_a_float_that_is_zero_by_rounding_is_not_taken_for_exact():
    layers = [
        ([[0.1, -0.3, -1.0], [-0.3, 0.0, -0.3], [0.4, -0.3, -0.7]], [0.0, 0.0, 0.0]),
        ([[0.3333333333333333, -0.3, -1.0], [0.0, 1.0, 0.0]], [0.0, 0.1]),
        ([[-1.0, -1.0]], [0.2]),
    ]
    box = (np.full(3, -1e-9), np.full(3, 2e-9))
    check(
        ReLUNetwork.from_layers(layers),
        box,
        methods=(None, "lattice"),
        exact=True,
        geometry=False,
    )
    assert count_regions(ReLUNetwork.from_layers(layers), box).cells == 11


SMALL_TERMS = {  # hidden units of tiny but positive values, which floats round to zero
    "almost equal rows": (
        [
            ([[0.1, 1], [1, 1], [0.09999999999999998, 1]], [-0.3, 0, -0.3]),
            ([[0, 0, 0], [0, -0.3, 1]], [0, 0]),
        ],
        9,
    ),
    "a weight of 1e-17": (
        [([[1e-17, 1], [-1, 0], [0, 1]], [-1, 1, 0]), ([[1, -1, 0], [0, 0, 1]], [0, -0.5])],
        5,
    ),
    "near the smallest weights": (
        [([[2.0**-290, 0], [0, 2.0**-290]], [0, 0]), ([[2.0**-290, -(2.0**-290)]], [0])],
        5,
    ),
}


@pytest.mark.parametrize("name", SMALL_TERMS)
def test_small_terms_are_not_lost(name):
    hidden, cells = SMALL_TERMS[name]
    layers = [(np.array(w, float), np.array(b, float)) for w, b in hidden]
    network = ReLUNetwork.from_layers([*layers, (np.ones((1, len(layers[-1][1]))), np.zeros(1))])
    check(network, (np.full(2, -1.0), np.ones(2)), exact=True)
    assert count_regions(network, (-1, 1)).cells == cells


def test_pieces_that_differ_by_less_than_rounding():
    tiny = 2.0**-70
    layers = [
        ([[1.0]] * 3, [0.0] * 3),
        ([[tiny, 1, -1], [0, 0, 0]], [1, 1]),
        ([[1, 0], [0, 1]], [0, 0]),
    ]
    found = count_regions(ReLUNetwork.from_layers(layers), (-1, 1), pieces=True)
    assert (found.pieces, found.affine_maps) == (2, 2)


@pytest.mark.parametrize("scale", [2.0**-560, 2.0**700, 1e160])
def test_weights_beyond_the_safe_range_are_refused(scale):
    network = ReLUNetwork.from_layers(
        [([[scale, 0.0], [0.0, scale]], [0, 0]), ([[1.0, 1.0]], [0.0])]
    )
    with pytest.raises(ValueError, match="2\\^-300"):
        count_regions(network, (-1, 1))


@pytest.mark.parametrize("block", range(4))
def test_linear_programs_find_the_same_cells(block):
    generator = np.random.default_rng([5, block])
    for _ in range(6):
        network = degenerate_network(generator, 2)
        found = linear_regions(network, (-1, 1), method="search")
        assert found.complete
        assert found.certified
        assert {tuple(p) for p in found.patterns.tolist()} == {
            c.pattern for c in cells_of(network, [-1, -1], [1, 1])
        }


def test_degenerate_in_four_dimensions():
    generator = np.random.default_rng(6)
    for _ in range(3):
        layers = [
            (generator.choice(VALUES, (3, 4)), generator.choice(VALUES, 3)),
            (np.ones((1, 3)), np.zeros(1)),
        ]
        check(ReLUNetwork.from_layers(layers), (np.full(4, -1.0), np.ones(4)), geometry=False)


# -- cases by hand ---------------------------------------------------------------------------------

CASES = {  # hidden layers as (weights, biases); the number of cells in [-1, 1]^2
    "no hidden layer": ([], 1),
    "width 0": ([([], [])], 1),
    "dead unit": ([([[1, 0]], [-2])], 1),
    "always on": ([([[1, 0]], [2])], 1),
    "zero row": ([([[0, 0], [0, 0], [0, 0]], [0, 1, -1])], 1),
    "one line": ([([[1, 0]], [0])], 2),
    "a line twice": ([([[1, 0], [1, 0], [2, 0]], [0, 0, 0])], 2),
    "opposite lines": ([([[1, 0], [-1, 0]], [0, 0])], 2),
    "through corners": ([([[1, 1], [1, -1]], [0, 0])], 4),
    "touching a corner": ([([[1, 1]], [-2])], 1),
    "touching a side": ([([[1, 0], [-1, 0], [0, 1]], [1, 1, -1])], 1),
    "three through a point": ([([[1, 0], [0, 1], [1, 1]], [0, 0, 0])], 6),
    "identically zero on a half": ([([[1, 0]], [0]), ([[1], [-1]], [0, 0])], 2),
    "relu of relu": ([([[1, 0]], [0]), ([[1]], [0]), ([[1]], [0])], 2),
    "|x| in two ways": ([([[1, 0], [-1, 0]], [0, 0]), ([[1, 1], [1, -1]], [0, 0])], 2),
}


@pytest.mark.parametrize("name", CASES)
def test_cases_by_hand(name):
    hidden, expected = CASES[name]
    sizes = [2, *(len(bias) for _, bias in hidden)]
    layers = [
        (np.reshape(w, (n, m)).astype(float), np.array(b, dtype=float))
        for (w, b), m, n in zip(hidden, sizes, sizes[1:], strict=False)
    ]
    network = ReLUNetwork.from_layers([*layers, (np.ones((1, sizes[-1])), np.zeros(1))])
    check(
        network,
        (np.full(2, -1.0), np.ones(2)),
        methods=(None, "lattice", "search"),
        exact=True,
    )
    assert count_regions(network, (-1, 1)).cells == expected


# -- constructions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("m", range(1, 17))
def test_squaring_has_two_to_the_m_pieces(m):
    found = count_regions(squaring(m), (0, 1), pieces=True)
    assert (found.pieces, found.affine_maps, found.cells) == (2**m, 2**m, 2**m)
    assert found.complete
    assert found.certified


@pytest.mark.parametrize("m", range(1, 8))
def test_multiplication_cells(m):
    n = 2**m
    for network, cells in (
        (multiplication(m, 1), 2 * n * (n + 1)),
        (yarotsky_multiplication(m, 1), 2 * n * n),
    ):
        found = count_regions(network, (-1, 1))
        assert (found.cells, found.complete, found.certified) == (cells, True, True)


TOY = [[0.25, 0.5], [0.75, 0.5]]
CLEAN = ReLUNetwork.from_layers(
    [([[1.0, -0.5], [0.25, 1.0]], [0.0, -0.5]), ([[1.0, -1.0]], [0.125])]
)
BUILT = {
    "absolute": (absolute(), (-1, 1), 2),
    "tooth": (tooth(3), (0, 1), 8),
    "maximum": (maximum(2), (0, 1), 2),
    "gate": (gate(1.0), None, None),
    "multiplication": (multiplication(2, 1), (-1, 1), None),
    "yarotsky_multiplication": (yarotsky_multiplication(2, 1), (-1, 1), None),
    "distance, inf": (distance([0.5, 0.25], "inf"), (0, 1), 4),
    "distance, 2": (distance([0.5, 0.5], 2, 2), (0, 1), None),
    "soft_indicator": (soft_indicator(0.125, 0.25), (0, 1), 3),
    "indicator of a ball": (
        compose(soft_indicator(0.125, 0.25), distance([0.5, 0.5], "inf")),
        (0, 1),
        6,
    ),
    "lean_indicator": (lean_indicator([0.5, 0.5], 0.125, 0.25), (0, 1), None),
    "f_S, paper": (f_S(CLEAN, TOY, [1, -1], Ball("inf", 0.0625)), (0, 1), None),
    "f_S, gate": (f_S(CLEAN, TOY, [1, -1], Ball("inf", 0.0625), variant="gate"), (0, 1), None),
    "f_S, lean": (f_S(CLEAN, TOY, [1, -1], Ball("inf", 0.0625), variant="lean"), (0, 1), None),
}


@pytest.mark.parametrize("name", BUILT)
def test_constructions_have_the_oracles_regions(name):
    network, box, pieces = BUILT[name]
    low, high = box or (-1, 1)
    sides = (np.full(network.inputs, float(low)), np.full(network.inputs, float(high)))
    check(network, sides, exact=network.size.units < 30, geometry=network.size.units < 30)
    if pieces is not None:
        assert count_regions(network, sides, pieces=True).pieces == pieces


def test_cells_are_not_pieces():
    """A ball's indicator has six pieces (inside, outside, four slopes), and more cells."""
    found = count_regions(
        compose(soft_indicator(0.125, 0.25), distance([0.5, 0.5], "inf")), (0, 1), pieces=True
    )
    assert (found.pieces, found.affine_maps) == (6, 6)
    assert found.cells == 12


# -- generic networks ------------------------------------------------------------------------------


def generic(seed, *sizes):
    """A network with torch's default initialisation."""
    torch.manual_seed(seed)
    layers = [layer for n, m in itertools.pairwise(sizes) for layer in (nn.Linear(n, m), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 1))


@pytest.mark.parametrize(
    "sizes", [(1, 20, 20), (2, 12, 12), (2, 8, 8, 8), (3, 8, 8), (4, 6, 6), (5, 6, 6), (6, 5, 5)]
)
def test_all_methods_agree_on_generic_networks(sizes):
    network = generic(0, *sizes)
    counts = {
        method: count_regions(network, (-1, 1), method=method)
        for method in ("skeleton", "lattice", "search")
    }
    assert len({found.cells for found in counts.values()}) == 1, counts
    assert all(found.complete and found.certified for found in counts.values())
    assert counts["skeleton"].faces == counts["lattice"].faces
    assert count_regions(network, (-1, 1)) == counts["skeleton"]
    assert "general position" in counts["skeleton"].method


@pytest.mark.parametrize("sizes", [(2, 40), (2, 24, 24), (2, 70, 10), (2, 10, 70), (2, 9, 9, 30)])
def test_the_last_layer_by_chords(sizes):
    network = generic(2, *sizes)
    found, full = count_regions(network, (-1, 1)), count_regions(network, (-1, 1), method="lattice")
    assert "chords" in found.method
    assert (found.faces, found.certified) == (full.faces, True)


def scaled(seed, *sizes):
    """Random float64 weights that keep the size of values from layer to layer."""
    generator = np.random.default_rng(seed)
    layers = [
        (generator.normal(size=(n, m)) * np.sqrt(2 / m), generator.normal(size=n) * 0.3)
        for m, n in itertools.pairwise(sizes)
    ]
    return ReLUNetwork.from_layers(layers)


def test_deep_networks_of_one_input_need_no_integers():
    network = scaled(0, 1, *[100] * 6, 1)
    found = count_regions(network, (-3, 3))
    assert (found.complete, found.certified) == (True, True)
    assert "every sign certain in float64" in found.method
    faces = linear_regions(network, (-3, 3))
    assert faces.cells == found.cells > 400
    assert " 0 signs decided in integers" in faces.method
    ends = np.unique(np.concatenate([region.vertices[:, 0] for region in faces.regions]))
    assert len(ends) == found.cells + 1
    middles = torch.from_numpy((ends[:-1] + ends[1:]) / 2)[:, None]
    patterns, hidden = [], middles
    for layer in network.layers[:-1]:
        z = hidden @ layer.weight.to_dense().T + layer.bias.to_dense()[:, 0]
        patterns.append(z > 0)
        hidden = z.clamp_min(0)
    assert len(torch.cat(patterns, dim=1).unique(dim=0)) == found.cells


def test_exact_vertices_of_one_input_come_from_forms():
    network = scaled(1, 1, 8, 8, 8, 1)
    check(network, (np.full(1, -2.0), np.full(1, 2.0)), exact=True)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_errors_that_are_followed_hold(d):
    """Float values at a point near a vertex, against exact ones at the vertex."""
    network, generator = scaled(d, d, 12, 12, 12, 1), np.random.default_rng(d)
    arrangement = Arrangement.of(network, np.full(d, -2.0), np.full(d, 2.0))
    radius = 2.0 ** -generator.integers(10, 60, size=20)
    points = generator.uniform(-1, 1, (20, d))
    worst = 0.0
    for point, far in zip(points, radius, strict=True):
        away = [Fraction(far) * int(s) * Fraction(7, 8) for s in generator.choice([-1, 1], d)]
        hidden = [Fraction(v) + w for v, w in zip(point.tolist(), away, strict=True)]
        signs = np.zeros((1, arrangement.units), dtype=np.int8)
        for layer, (weight, bias) in enumerate(
            zip(arrangement.weights, arrangement.biases, strict=True)
        ):
            exact = [
                sum((Fraction(w) * v for w, v in zip(row, hidden, strict=True)), Fraction(b))
                for row, b in zip(weight.tolist(), bias.tolist(), strict=True)
            ]
            z, error = arrangement.followed(layer, point[None], signs, np.array([far]))
            gaps = [abs(Fraction(v) - w) for v, w in zip(z[0].tolist(), exact, strict=True)]
            ratios = [g / Fraction(e) for g, e in zip(gaps, error[0].tolist(), strict=True)]
            assert max(ratios) <= 1
            worst = max(worst, float(max(ratios)))
            start = arrangement.starts[layer]
            signs[0, start : start + len(exact)] = [(v > 0) - (v < 0) for v in exact]
            hidden = [max(v, Fraction(0)) for v in exact]
    assert worst > 0.5  # no more than needed


def test_generic_networks_against_the_oracle():
    for seed in range(4):
        network = ReLUNetwork.from_module(generic(seed, 2, 5, 4))
        check(
            network,
            (np.full(2, -2.0), np.full(2, 2.0)),
            methods=(None, "lattice"),
            exact=True,
        )


def test_a_vertex_almost_on_a_line_is_decided_in_integers():
    """Three lines that miss one point by 2^-50, and three that meet there: floats cannot tell."""
    tilt = 1 / 3
    for shift, expected in ((0.0, 6), (2.0**-50, 7), (-(2.0**-50), 7)):
        weight = np.array([[1.0, tilt], [tilt, -1.0], [1.0 + tilt, tilt - 1.0]])
        weight[2] = weight[0] + weight[1]
        network = ReLUNetwork.from_layers(
            [(weight, np.array([0.0, 0.0, shift])), (np.ones((1, 3)), np.zeros(1))]
        )
        check(network, (np.full(2, -1.0), np.ones(2)), exact=True)
        found = count_regions(network, (-1, 1))
        if shift == 0:
            assert len(cells_of(network, [-1, -1], [1, 1])) == found.cells
        else:
            assert found.cells == expected


def test_modules_images_and_files(tmp_path):
    torch.manual_seed(0)
    image = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(2, 1))
    box = (np.zeros((1, 2, 2)), np.ones((1, 2, 2)))
    network = ReLUNetwork.from_module(image, (1, 2, 2))
    assert count_regions(image, box).cells == count_regions(network, (0, 1)).cells
    network.save(tmp_path / "net.safetensors")
    assert (
        count_regions(tmp_path / "net.safetensors", (0, 1)).cells
        == count_regions(str(tmp_path / "net.safetensors"), (0, 1)).cells
    )


# -- restrictions and level sets -------------------------------------------------------------------


def test_segments_and_planes_through_images():
    network = ReLUNetwork.from_module(generic(1, 20, 8, 8))
    generator = np.random.default_rng(0)
    a, b, c = generator.normal(size=(3, 20))
    line, plane = on_segment(network, a, b), on_plane(network, a, b, c)
    t = torch.linspace(0, 1, 50, dtype=torch.float64)[:, None]
    assert torch.allclose(line(t), network(torch.as_tensor(a + t.numpy() * (b - a))), atol=1e-12)
    assert torch.allclose(plane(torch.cat([t, 0 * t], 1)), line(t), atol=1e-12)
    cells = count_regions(line, (0, 1)).cells
    signs = {
        tuple((network.layers[0].apply(torch.as_tensor(a + s * (b - a))) > 0).tolist())
        for s in np.linspace(0, 1, 5000)
    }
    assert cells >= len(signs)
    assert cells == len(cells_of(line, [0], [1]))
    assert count_regions(plane, (0, 1)).cells == len(cells_of(plane, [0, 0], [1, 1]))


@pytest.mark.parametrize(
    "points", [([0, 0], [0, 0]), ([0, 0], [1]), ([0, 0], [np.nan, 1]), ([0, 0], [1, 1], [2, 2])]
)
def test_bad_points(points):
    with pytest.raises(ValueError, match="must"):
        (on_segment if len(points) == 2 else on_plane)(maximum(2), *points)


def test_the_decision_boundary_of_a_distance_is_a_square():
    found = level_set(distance([0.5, 0.5], "inf"), (0, 1), level=0.25, arithmetic="integers")
    assert found.certified
    length = sum(max(abs(found.vertices[a] - found.vertices[b])) for a, b in found.faces)
    assert length == 2
    assert {
        max(abs(v - Fraction(1, 2)) for v in found.vertices[i])
        for face in found.faces
        for i in face
    } == {Fraction(1, 4)}


def test_level_sets_in_one_and_three_dimensions():
    found = level_set(absolute(), (-1, 1), level=0.5)
    assert sorted(found.vertices[np.concatenate(found.faces), 0].tolist()) == [-0.5, 0.5]
    cube = level_set(distance([0.5, 0.5, 0.5], "inf"), (0, 1), level=0.25)
    area = 0.0
    for face in cube.faces:
        x = cube.vertices[face]
        area += (
            sum(np.linalg.norm(np.cross(p - x[0], q - x[0])) for p, q in itertools.pairwise(x[1:]))
            / 2
        )
    assert area == pytest.approx(6 * 0.25)


def test_a_flat_part_is_told():
    ramp = ReLUNetwork.from_layers([([[1.0, 0.0]], [0.0]), ([[1.0]], [0.0])])  # max(0, x)
    found = level_set(ramp, (-1, 1))
    assert found.flat == 1
    ends = {tuple(found.vertices[i]) for face in found.faces for i in face}
    assert ends == {(0.0, -1.0), (0.0, 1.0)}


def test_level_sets_form_no_rounded_differences():
    net = ReLUNetwork.from_layers([([[1.0]], [2.0]), ([[1.0], [2.0**-60]], [0.0, 3.0])])
    found = level_set(net, (-1, 1.5), output=(0, 1), arithmetic="integers")
    assert [found.vertices[i][0] for face in found.faces for i in face] == [
        3 / (1 - Fraction(1, 2**60)) - 2
    ]
    net = ReLUNetwork.from_layers([([[1.0]], [2.0]), ([[0.0], [0.0]], [2.0**60, 1.0])])
    assert level_set(net, (-1, 1), output=(0, 1), level=2.0**60).flat == 0
    net = ReLUNetwork.from_layers([([[1.0]], [0.0]), ([[1.0]], [2.0**-60])])
    found = level_set(net, (-1, 1), level=1.0, arithmetic="integers")
    assert [found.vertices[i][0] for face in found.faces for i in face] == [1 - Fraction(1, 2**60)]


def test_boundary_between_two_classes():
    two = ReLUNetwork.from_layers(
        [([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), ([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])]
    )
    found = level_set(two, (0.25, 1), output=(0, 1))
    assert all(found.vertices[i][0] == found.vertices[i][1] for face in found.faces for i in face)
    assert level_set(two, (0.25, 1), output=np.int64(1)).certified
    for bad in (
        {"output": 2},
        {"output": (0, 0)},
        {"output": ()},
        {"output": "x"},
        {"output": 0.5},
        {"level": float("nan")},
    ):
        with pytest.raises(ValueError, match="must be"):
            level_set(two, (0, 1), **bad)
    with pytest.raises(ValueError, match="at most 3 inputs"):
        level_set(maximum(4), (0, 1))


# -- limits, interruption, errors ------------------------------------------------------------------


@pytest.mark.parametrize("method", ["skeleton", "lattice", "search"])
@pytest.mark.parametrize("limit", [{"max_cells": 20}, {"max_seconds": 0}])
def test_limits_give_lower_bounds(method, limit):
    network = generic(0, 2, 16, 16)
    full = count_regions(network, (-1, 1), method="lattice")
    found = count_regions(network, (-1, 1), method=method, **limit)
    assert not found.complete
    assert found.certified
    assert found.cells <= full.cells
    assert found.stopped is (Stop.CELLS if "max_cells" in limit else Stop.TIME)
    assert found.stopped.value in found.method
    first, second = repr(found).splitlines()  # both in full
    assert f"{first.partition(': ')[2]}; {second.partition('; note ')[2]}" == found.method
    assert str(found).startswith("at least")
    if "max_cells" in limit and method != "search":
        assert found.cells > 20


@pytest.mark.parametrize("method", ["skeleton", "lattice"])
def test_interruption_keeps_what_was_found(method):
    calls = []

    def interrupt(told):
        calls.append(told.done)
        if told.done == 10:
            raise KeyboardInterrupt

    found = count_regions(generic(0, 2, 16, 16), (-1, 1), method=method, report=interrupt)
    assert not found.complete
    assert found.stopped is Stop.INTERRUPT
    assert "an interrupt after 10 of 32 units" in found.method
    assert 1 < found.cells < count_regions(generic(0, 2, 16, 16), (-1, 1)).cells
    assert calls == list(range(11))


def test_interrupted_regions_are_those_of_the_units_so_far():
    def interrupt(told):
        if told.done == 5:
            raise KeyboardInterrupt

    found = linear_regions(generic(0, 2, 8, 8), (-1, 1), report=interrupt)
    assert found.patterns.shape == (found.cells, 5)
    assert found.volumes.sum() == pytest.approx(4)
    with pytest.raises(ValueError, match="only 5 of 16"):
        _ = found.maps


def test_an_interrupt_while_merging_keeps_the_cells(monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "merge", interrupt)
    found = count_regions(squaring(3), (0, 1), pieces=True)
    assert (found.cells, found.pieces, found.complete) == (8, None, True)
    assert found.stopped is Stop.INTERRUPT
    assert "merging into pieces ended early by an interrupt" in found.method


def test_control_c_waits_for_the_unit():
    """A signal in the middle of the work gives the partial result, and the handler is put back."""
    before = signal.getsignal(signal.SIGINT)

    def send(told):
        if told.done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    found = count_regions(generic(0, 2, 16, 16), (-1, 1), method="lattice", report=send)
    assert not found.complete
    assert "an interrupt" in found.method
    assert signal.getsignal(signal.SIGINT) is before


def test_counts_in_another_thread():
    out = []
    thread = threading.Thread(target=lambda: out.append(count_regions(squaring(3), (0, 1)).cells))
    thread.start()
    thread.join()
    assert out == [8]


def test_memory_limit(monkeypatch):
    monkeypatch.setattr(limits, "MEMORY_LIMIT", 1)
    found = count_regions(squaring(3), (0, 1))
    assert not found.complete
    assert found.stopped is Stop.MEMORY
    assert "the memory limit of 9.31323e-10 GiB" in found.method


def test_every_way_to_count_fits_in_a_line():
    """The longest reason, seven digits of signs: none is cut."""
    source = "".join(map(inspect.getsource, (chords, module, skeleton)))
    reasons = re.findall(r'Degenerate\("(.*?)"\)', source)
    assert len(reasons) > 8
    for reason in reasons:
        method = f"face lattice (not generic: {reason}), 1,234,567 signs decided in integers"
        stop = "ended by the memory limit of 8 GiB after 1000 of 2000 units"
        found = module.RegionCount(8388608, None, None, False, False, f"{method}; {stop}")
        first, second = repr(found).splitlines()
        assert first == f"RegionCount: {method}"
        assert second.endswith(f"; note {stop}")


NAN = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
with torch.no_grad():
    NAN[0].weight[0, 0] = float("nan")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((NAN, (0, 1)), ValueError, "finite, got nan"),
        (
            (nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 1)), (0, 1)),
            TypeError,
            "Sigmoid",
        ),
        ((squaring(2), (1, 0)), ValueError, "lower < upper"),
        ((squaring(2), (0, 0)), ValueError, "lower < upper"),
        ((maximum(2), ([0, 0, 0], [1, 1, 1])), ValueError, "one number or 2"),
        ((maximum(2), ([0, 0], [1, 1, 1])), ValueError, "pair"),
        ((maximum(2), (0, float("nan"))), ValueError, "finite"),
        ((maximum(2), (0, float("inf"))), ValueError, "finite"),
        ((maximum(2), 3), ValueError, "pair"),
        (("nowhere.npz", (0, 1)), FileNotFoundError, "nowhere"),
        ((3, (0, 1)), TypeError, "network must be"),
    ],
)
def test_bad_input(arguments, error, message):
    for function in (count_regions, linear_regions):
        with pytest.raises(error, match=message):
            function(*arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "fast"}, "method must be"),
        ({"max_cells": -1}, "max_cells must be a number of at least 0"),
        ({"max_seconds": "x"}, "max_seconds must be a number"),
        ({"max_seconds": float("nan")}, "max_seconds must be a number of at least 0"),
        ({"method": "skeleton", "pieces": True}, "need 'lattice'"),
        ({"method": "search", "arithmetic": "integers"}, "arithmetic 'integers' needs faces"),
        ({"method": "search", "pieces": True}, "pieces needs faces"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        count_regions(maximum(2), (0, 1), **options)


def test_results_know_what_they_lack():
    found = linear_regions(maximum(2), (0, 1), method="search")
    for name in ("vertices", "volumes", "piece"):
        with pytest.raises(ValueError, match="need faces"):
            getattr(found, name)
    with pytest.raises(ValueError, match="2 inputs"):
        linear_regions(squaring(2), (0, 1)).polygons()
    assert networkx.is_connected(linear_regions(squaring(2), (0, 1)).graph())
    assert len(found.regions[:1]) == 1
    assert found.regions[0].volume is None


# -- more of the contract --------------------------------------------------------------------------


def tilted(network, generator):
    """The network in other input coordinates: its hyperplanes meet as before, but at points that no
    float holds.
    """
    d = network.inputs
    turn, shift = (
        generator.integers(-(2**20), 2**20, (d, d)) / 2.0**20,
        generator.integers(-(2**18), 2**18, d) / 2.0**20,
    )
    (weight, bias), *others = [
        (a.weight.to_dense().numpy(), a.bias.to_dense()[:, 0].numpy()) for a in network.layers
    ]
    # exact: sums of 23-bit numbers
    return ReLUNetwork.from_layers([(weight @ turn, weight @ shift + bias), *others])


def scaled_and_back(network, generator):
    """The same function up to a factor, and the same cells: units times p or q, their outgoing
    weights times q or p.
    """
    layers, before, total = [], np.ones(network.inputs), 1.0
    for index, layer in enumerate(network.layers):
        weight, bias = layer.weight.to_dense().numpy(), layer.bias.to_dense()[:, 0].numpy()
        last = index == len(network.layers) - 1
        factors = np.ones(len(bias)) if last else generator.choice([241.0, 251.0], len(bias))
        layers.append((weight * before * factors[:, None], bias * total * factors))
        before, total = 241.0 * 251.0 / factors, total * 241.0 * 251.0
    return ReLUNetwork.from_layers(layers)


@pytest.mark.parametrize("block", range(6))
@pytest.mark.parametrize("d", [1, 2, 3])
def test_degenerate_networks_in_generic_coordinates(d, block):
    generator = np.random.default_rng([8, d, block])
    for index in range(6 if d < 3 else 3):
        network = tilted(degenerate_network(generator, d), generator)
        check(
            network,
            box_of(generator, d),
            methods=(None, "skeleton", "lattice"),
            exact=index == 0,
            geometry=index < 2,
        )


@pytest.mark.parametrize("d", [1, 2, 3])
def test_scaling_units_changes_no_cell(d):
    generator = np.random.default_rng([9, d])
    for _ in range(8):
        network = tilted(degenerate_network(generator, d), generator)
        other = scaled_and_back(network, generator)
        one, two = (
            linear_regions(n, (-1, 1), pieces=True, arithmetic="integers") for n in (network, other)
        )
        assert (one.cells, one.pieces, one.affine_maps, one.faces) == (
            two.cells,
            two.pieces,
            two.affine_maps,
            two.faces,
        )
        assert dict(zip(map(tuple, one.patterns.tolist()), one.volumes, strict=True)) == dict(
            zip(map(tuple, two.patterns.tolist()), two.volumes, strict=True)
        )


@pytest.mark.parametrize("block", range(3))
def test_three_layers_of_width_four_in_three_dimensions(block):
    generator = np.random.default_rng([10, block])
    sizes = [3, 4, 3, int(generator.integers(5)), 2]
    layers = [
        (generator.choice(VALUES, (n, m)), generator.choice(VALUES, n))
        for m, n in itertools.pairwise(sizes)
    ]
    check(ReLUNetwork.from_layers(layers), box_of(generator, 3), exact=True)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_points_lie_inside_and_maps_are_the_networks(d, exact):
    generator = np.random.default_rng([11, d])
    for _ in range(5):
        network, box = degenerate_network(generator, d), box_of(generator, d)
        cells = {cell.pattern: cell for cell in cells_of(network, *box)}
        result = linear_regions(network, box, arithmetic=ARITHMETIC[exact])
        assert result.graph().number_of_nodes() == result.cells
        assert networkx.is_connected(result.graph())
        for region in result.regions:
            cell, point = cells[tuple(region.pattern.tolist())], [Fraction(x) for x in region.point]
            assert pattern_at(network, point) == cell.pattern
            assert all(
                sum(a * x for a, x in zip(h, point, strict=False)) + h[-1] > 0
                for h in cell.halfspaces
            )
            assert region.volume == (
                volume_of(cell) if exact else pytest.approx(float(volume_of(cell)))
            )
            if exact:
                assert (
                    region.weight @ region.point + region.bias == network.exact(region.point)
                ).all()


@pytest.mark.parametrize("d", [1, 3])
def test_linear_programs_in_one_and_three_dimensions(d):
    generator = np.random.default_rng([12, d])
    for _ in range(6):
        network = degenerate_network(generator, d)
        found = linear_regions(network, (-1, 1), method="search")
        assert (found.complete, found.certified) == (True, True)
        cells = cells_of(network, [-1] * d, [1] * d)
        assert {tuple(p) for p in found.patterns.tolist()} == {c.pattern for c in cells}


def test_the_oracle_by_hand():
    """Of x = 0, y = 0, x + y = 0 in [-1, 1]^2: two squares and four triangles, in a ring."""
    weight = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    network = ReLUNetwork.from_layers(
        [(weight, np.zeros(3)), (np.array([[1.0, 0.0, 0.0]]), np.zeros(1))]
    )
    cells = cells_of(network, [-1, -1], [1, 1])
    pairs = neighbours_of(cells)
    half = Fraction(1, 2)
    assert {cell.pattern: volume_of(cell) for cell in cells} == {
        (True, True, True): 1,
        (False, False, False): 1,
        (True, False, True): half,
        (True, False, False): half,
        (False, True, True): half,
        (False, True, False): half,
    }
    assert len(pairs) == 6
    assert pieces_of(cells, pairs) == (2, 2)
    cube = cells_of(
        ReLUNetwork.from_layers([(np.ones((1, 3)), -np.ones(1)), (np.ones((1, 1)), np.zeros(1))]),
        [0] * 3,
        [1] * 3,
    )
    assert {cell.pattern: volume_of(cell) for cell in cube} == {
        (False,): Fraction(1, 6),
        (True,): Fraction(5, 6),
    }


@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize("build", [multiplication, yarotsky_multiplication])
def test_multiplication_has_the_oracles_pieces(build, m):
    check(
        build(m, 1),
        (np.full(2, -1.0), np.ones(2)),
        methods=(None, "lattice", "search"),
        exact=True,
    )


@pytest.mark.parametrize("method", [None, "lattice", "search"])
@pytest.mark.parametrize("limit", [{"max_cells": 20}, {"max_cells": 0}, {"max_seconds": 0}])
def test_limited_regions(method, limit):
    network = generic(0, 2, 16, 16)
    found = linear_regions(network, (-1, 1), method=method, **limit)
    assert (found.complete, found.certified, found.pieces) == (False, True, None)
    assert found.cells == len(found.patterns) <= count_regions(network, (-1, 1)).cells


@pytest.mark.parametrize("method", [None, "skeleton", "lattice", "search"])
def test_the_third_call_of_progress_interrupts(method):
    calls = []

    def interrupt(told):
        calls.append(told)
        if len(calls) == 3:
            raise KeyboardInterrupt

    network = generic(0, 2, 60, 60)
    found = count_regions(network, (-1, 1), method=method, report=interrupt)
    assert (found.complete, found.certified, len(calls)) == (False, True, 3)
    assert 1 < found.cells < all_cells(60, 60)


@cache
def all_cells(*widths):
    return count_regions(generic(0, 2, *widths), (-1, 1)).cells


@pytest.mark.parametrize("network", [squaring(4), generic(1, 2, 8, 6), generic(2, 3, 6)])
def test_exact_vertices_and_the_edges_between_them(network):
    """The same vertices as in exact arithmetic; edges join two of them, where nothing bends."""
    box = (0, 1)
    found, exact = (linear_regions(network, box, arithmetic=a) for a in ARITHMETIC)
    vertices = found.exact_vertices()
    wanted = {tuple(v) for v in exact.vertices.tolist()}
    assert {tuple(map(Fraction, v)) for v in vertices.tolist()} == wanted
    assert (exact.exact_vertices() == exact.vertices).all()
    assert found.edges.shape == (2, found.faces[1])
    for a, b in found.edges.T.tolist():  # affine in between: the middle's value is the mean
        ends = [[Fraction(v) for v in vertices[i].tolist()] for i in (a, b)]
        middle = [(x + y) / 2 for x, y in zip(*ends, strict=True)]
        low, high, mean = (found.network.exact(x) for x in (*ends, middle))
        assert (low + high == 2 * mean).all()
