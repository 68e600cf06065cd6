"""The staged memorizer: sizes by `==`, labels on whole balls, also where these cross folds."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from labelled import labels_of
from oracles import counts

from constructions import (
    Ball,
    ReLUNetwork,
    affine,
    explain,
    grid_memorizer,
    load,
    separation,
    staged_grid_memorizer,
)
from constructions.memorizers.bit_table import affine_of, exact_rows
from constructions.memorizers.folds import _expanded, folded, next_stage

SETTINGS = [
    pytest.param(n, d, outputs, p, rho, marks=[pytest.mark.slow] * (rho == slow))
    for (n, d, slow), outputs, p, rho in itertools.product(
        ((6, 1, 0.9), (12, 2, 0.02), (20, 3, 0.02), (24, 8, 0.9)),
        (1, 2, 4),
        (2, math.inf),
        (0.02, 0.9),
    )
]
"""Points, coordinates, outputs, norm; radii over what the theorem's second regime allows."""


def problem(n, d, outputs, p, rho, seed=0):
    """Points, labels, and balls of rho / (5 sqrt D) of half the separation, of rho / 2 in l_inf."""
    rng = np.random.default_rng([seed, n, d, outputs])
    points = rng.random((n, d)) * 3 - 1
    labels = labels_of(rng, n, outputs)
    half = separation(points, labels, norm=p).lower / 2
    return points, labels, Ball(p, rho * half / (5 * math.sqrt(d) if p == 2 else 2))


def wanted(labels, outputs):
    """The label, or its one-hot row."""
    return [[v] if outputs == 1 else [int(k == v) for k in range(outputs)] for v in labels]


def crossing(network, points, ball, most=400):
    """(i, x) exactly in ball i, at the folds of the first level that cross it: before, at both
    ends, within and behind.
    """
    first, kinks = network.layers[0], exact_rows(network.layers[1])
    images = affine(first.weight, first.bias).exact(points)
    rows = first.weight.to_dense().numpy()
    single = [(form[0][0], -bias) for form, bias in kinks if len(form) == 1 and bias < 0]
    found: list[tuple[int, list[Fraction]]] = []
    for (j, start), (_, stop) in zip(single[::2], single[1::2], strict=True):
        row = [Fraction(w) for w in rows[j].tolist()]
        length = math.sqrt(sum(w * w for w in row)) if ball.p == 2 else sum(map(abs, row))
        for i in np.flatnonzero(abs(images[:, j] - start) < ball.radius * length * (1 - 2**-20)):
            for share in (-2, -1, Fraction(-1, 2), 0, Fraction(1, 3), 1, Fraction(3, 2), 2, 3):
                by = start + share * (stop - start) - images[i, j]
                way = row if ball.p == 2 else np.sign(rows[j]).astype(int).tolist()
                step = by / sum(w * v for w, v in zip(row, way, strict=True))
                point = [Fraction(c) + step * v for c, v in zip(points[i], way, strict=True)]
                if len(found) < most:
                    found.append((i, point))
    return found


@pytest.mark.parametrize(("n", "d", "outputs", "p", "rho"), SETTINGS)
def test_sizes_are_the_closed_form_and_balls_have_their_label(n, d, outputs, p, rho):
    points, labels, ball = problem(n, d, outputs, p, rho)
    network = staged_grid_memorizer(points, labels, ball)
    depth, _, _, weights, biases, _ = counts(network)
    facts = network.provenance.arguments
    claims = network.provenance.lemma.evaluate(facts)
    assert (depth, weights + biases) == (claims["depth"], claims["parameters"])
    assert network.exact(points).tolist() == wanted(labels, outputs)
    near = crossing(network, points, ball, 60)
    if near:
        values = network.exact([x for _, x in near]).tolist()
        assert values == wanted([labels[i] for i, _ in near], outputs)


@pytest.mark.parametrize(("p", "rho", "seed"), [(2, 4, 1), (math.inf, 1.2, 0)])
def test_balls_that_cross_folds_need_the_gates(p, rho, seed):
    """Without them some value is wrong, with them none."""
    points, labels, ball = problem(40, 6, 1, p, rho, seed)
    network = staged_grid_memorizer(points, labels, ball)
    near = crossing(network, points, ball)
    assert len(near) > 80
    x, right = [x for _, x in near], [[labels[i]] for i, _ in near]
    assert network.exact(x).tolist() == right
    ungated = []
    for level, layer in enumerate(network.layers):
        rows = [(dict(row), bias) for row, bias in exact_rows(layer)]
        if level == len(network.layers) - 3:
            rows = [({j: w for j, w in form.items() if w != -1}, b) for form, b in rows]
        ungated.append(affine_of(rows, layer.weight.shape[1]))
    assert ReLUNetwork(tuple(ungated)).exact(x).tolist() != right


def test_it_goes_where_no_plane_misses_all_balls():
    points, labels, ball = problem(60, 10, 1, 2, 2.5)
    with pytest.raises(ValueError, match="no plane that all balls leave free"):
        grid_memorizer(points, labels, ball)
    network = staged_grid_memorizer(points, labels, ball)
    facts = network.provenance.arguments
    assert facts["rho"] > facts["paper"]
    assert 1 < facts["stages"] < 6
    assert network.size.parameters < 60 * 10


def test_two_points_and_no_radius():
    for ball in (Ball(2, 0.0), Ball("inf", 0.25)):
        network = staged_grid_memorizer([[0.0], [1.0]], [1, -1], ball)
        assert network.exact([[0.0], [1.0], [0.25], [0.75]])[:, 0].tolist()[:2] == [1, -1]
        assert network.provenance.arguments["stages"] == 1


def test_points_far_from_the_origin():
    """Places are taken exactly before they are floats: 2^40 away, steps of 2^-10 are seen."""
    rng = np.random.default_rng(0)
    points, labels = 2.0**40 + rng.integers(0, 2**10, (20, 2)) / 2**10, labels_of(rng, 20, 1)
    ball = Ball("inf", 0.2 * separation(points, labels).lower)
    network = staged_grid_memorizer(points, labels, ball)
    assert network.exact(points).tolist() == wanted(labels, 1)


def test_it_is_saved_and_explained(tmp_path):
    points, labels, ball = problem(30, 4, 3, "inf", 0.3)
    network = staged_grid_memorizer(points, labels, ball, projection=np.eye(4))
    assert (
        network.provenance
        == staged_grid_memorizer(points, labels, ball, projection=np.eye(4)).provenance
    )
    text = explain(network)
    assert "staged_grid_memorizer(" in text
    assert "Kim, Moon and Yun 2025, Theorem 4.2 (ii)" in text
    assert ((network.layers[0].weight.to_dense().numpy() != 0).sum(1) == 1).all()
    network.save(tmp_path / "f.safetensors")
    assert load(tmp_path / "f.safetensors").exact(points).tolist() == wanted(labels, 3)


@pytest.mark.parametrize("seed", range(4))
def test_a_stage_tells_its_points_from_all_others(seed):
    """By the cells: those of its points, and all that other balls touch, drawn all over them."""
    rng = np.random.default_rng(seed)
    own, other = rng.random((20, 6)) + 1, rng.random((30, 6)) + 1
    reaches = np.full(6, 0.01)
    stage = next_stage(own, other, reaches, np.full(6, 2.0), rng, 0.0015)
    cells = {tuple(row): inside for row, inside in zip(stage.cells, stage.inside, strict=True)}
    assert len(cells) == len(stage.cells)
    drawn = [(own[stage.points], True), (other, False)]
    for centres, inside in drawn:
        for _ in range(60):
            places = centres + rng.choice([-1, 1, 0.3], centres.shape) * reaches
            sides, shut = [], np.zeros(len(places), dtype=bool)
            for fold in stage.folds:
                t, end = places[:, fold.row], fold.place + fold.width
                sides.append(t > fold.place)
                shut |= (t >= fold.place) & (t <= end)
                places[:, fold.row] = folded(t, fold)
                assert (places[:, fold.row] >= 0).all()
            for row in np.stack(sides, 1)[~shut]:
                assert cells[tuple(row)] == inside
            assert not (inside and shut.any())


def test_rows_with_both_sides_are_all_rows():
    rows = _expanded(np.array([[2, 0, 2], [1, 1, 0]]))
    assert sorted(map(tuple, rows.tolist())) == [
        *((0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1)),
        (1, 1, 0),
    ]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"labels": [1, 1, 1]}, "labels must hold at least two different ones"),
        ({"points": [[0.5], [0.5], [1.0]]}, "labels of equal points must agree"),
        ({"ball": Ball(2, 0.25)}, "ball must be smaller: of 1 points of one label, folds tell 0"),
        ({"projection": [[0.5]]}, "projection must be integers"),
        ({"projection": [[1, 1]]}, r"projection must have shape \(R, 1\)"),
    ],
)
def test_bad_input_is_refused(change, match):
    given = {"points": [[0.0], [0.5], [1.0]], "labels": [1, -1, 1], "ball": Ball(2, 0.1)}
    with pytest.raises(ValueError, match=match):
        staged_grid_memorizer(**given | change)
    with pytest.raises(TypeError, match="ball must be a Ball"):
        staged_grid_memorizer(**given | {"ball": 0.1})
