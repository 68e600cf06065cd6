"""Betti numbers against an independent simplicial computation, on degenerate networks first; and
against gudhi where it is installed.
"""

import itertools
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from oracles import cells_of, evaluate, layers_of, simplices_of

from constructions import (
    Ball,
    ReLUNetwork,
    affine,
    compose,
    distance,
    f_S,
    maximum,
    parallel,
    topology,
)

VALUES = [-1, 0, 1, 0.5]
KNOTS = np.array([-1, -0.5, 0, 0.5])
GRID = [*KNOTS, 1]
STARTS = [
    pytest.param(d, 20 * k, marks=[pytest.mark.slow] * (k > 0))
    for d, groups in ((1, 6), (2, 7), (3, 2))
    for k in range(groups)
]
KEEP = {"level": lambda v: v == 0, "below": lambda v: v <= 0, "above": lambda v: v >= 0}


def small_network(generator, d):
    """Small weights, many of them equal or zero: units coincide, are constant, meet on corners."""
    widths = [int(n) for n in generator.integers(1, 4 if d < 3 else 3, generator.integers(0, 3))]
    sizes = [d, *widths, 1]
    return ReLUNetwork.from_layers(
        [
            (generator.choice(VALUES, (n, m)), generator.choice(VALUES, n))
            for m, n in itertools.pairwise(sizes)
        ]
    )


def folded_network(generator, d):
    """Sums of zigzags of one coordinate each, folded once more: islands, holes, plateaus, and
    saddles in grid points. Of three coordinates two have fewer knots, for the oracle's sake.
    """
    heights = 2 * generator.integers(-1, 3, (d, 5))
    if d == 3:
        heights[1:, 1::2] = (heights[1:, :-1:2] + heights[1:, 2::2]) // 2
    bends = np.diff(np.diff(heights, axis=1), axis=1, prepend=0)
    coordinate, knot = np.nonzero(bends)
    row = bends[coordinate, knot].reshape(1, -1)
    return ReLUNetwork.from_layers(
        [
            (np.eye(d)[coordinate].reshape(-1, d), -KNOTS[knot]),
            (generator.choice([-1, 1, 2], (2, 1)) * row, generator.choice([-1, 0, 1], 2)),
            (generator.choice([-1, 1, 2], (1, 2)), [0.0]),
        ]
    )


def complex_of(network, d, level):
    """Simplices of a triangulation of [-1, 1]^d whose vertices have f - level, of one sign on each:
    cells are cut by one more unit, and pulled in one order of the vertices.
    """
    *hidden, (row, bias) = layers_of(network)
    cut = ReLUNetwork.from_layers([*hidden, (row, bias - level), ([[1.0]], [0.0])])
    cells = cells_of(cut, [-1] * d, [1] * d)
    top = {simplex for cell in cells for simplex in simplices_of(cell, d)}
    signs = {
        v: evaluate(network, v)[0] - Fraction(level)
        for v in {v for simplex in top for v in simplex}
    }
    faces = {
        face
        for simplex in top
        for size in range(1, d + 2)
        for face in itertools.combinations(simplex, size)
    }
    return faces, signs


def ranks_over_two(faces, d):
    """Ranks of the boundary maps, by elimination of rows as integers."""
    by_size = [sorted(face for face in faces if len(face) == k + 1) for k in range(d + 1)]
    ranks = [0]
    for k in range(1, d + 1):
        number = {face: i for i, face in enumerate(by_size[k - 1])}
        basis = {}
        for face in by_size[k]:
            row = 0
            for side in itertools.combinations(face, k):
                row ^= 1 << number[side]
            while row and row.bit_length() in basis:
                row ^= basis[row.bit_length()]
            if row:
                basis[row.bit_length()] = row
        ranks.append(len(basis))
    return [len(part) for part in by_size], [*ranks, 0]


def betti(faces, d):
    sizes, ranks = ranks_over_two(faces, d)
    return tuple(n - ranks[k] - ranks[k + 1] for k, n in enumerate(sizes))


def betti_of_gudhi(faces, d):
    import gudhi

    if not faces:
        return (0,) * (d + 1)
    tree = gudhi.SimplexTree()
    number = {v: i for i, v in enumerate(sorted({v for face in faces for v in face}))}
    for face in faces:
        tree.insert([number[v] for v in face])
    tree.compute_persistence(homology_coeff_field=2, min_persistence=-1, persistence_dim_max=True)
    return tuple([*tree.betti_numbers(), *[0] * (d + 1)][: d + 1])


@cache
def triangulated(d, seed):
    """A random network, a level that it has in a point of the grid, and simplices."""
    generator = np.random.default_rng(1000 * d + seed)
    network = (folded_network if seed % 3 else small_network)(generator, d)
    levels = network(generator.choice(GRID, (9, d))).flatten().sort().values
    level = float(levels[int(generator.integers(9))])
    return network, level, *complex_of(network, d, level)


def compared(d, seed, second):
    """Compare all three sets of one random network with `second`."""
    network, level, faces, signs = triangulated(d, seed)
    seen = []
    for side, keep in KEEP.items():
        found = topology(network, (-1, 1), side=side, level=level)
        chosen = {face for face in faces if all(keep(signs[v]) for v in face)}
        assert found.certified
        assert found.betti == second(chosen, d)
        assert found.euler == sum((-1) ** k * b for k, b in enumerate(found.betti))
        assert found.euler == sum((-1) ** (len(face) - 1) for face in chosen)
        seen.append(found.betti)
    return seen


@pytest.mark.parametrize(("d", "start"), STARTS)
def test_degenerate_networks(d, start):
    seen = {b for seed in range(start, start + 20) for b in compared(d, seed, betti)}
    assert max(b[0] for b in seen) >= 2
    assert d == 1 or any(b[1] for b in seen)


@pytest.mark.parametrize(("d", "start"), [(1, 0), (2, 0), (3, 0)])
def test_gudhi_finds_the_same(d, start):
    pytest.importorskip("gudhi")
    for seed in range(start, start + 20):
        compared(d, seed, betti_of_gudhi)


# -- sets that are known ---------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_spheres_and_balls(d):
    network = distance([0.5] * d, "inf")
    sphere = topology(network, (0, 1), level=0.25).betti
    assert sphere == tuple((k == 0) + (k == d - 1) for k in range(d + 1))
    assert topology(network, (0, 1), level=0.25, side="below").betti == (1, *[0] * d)
    outside = topology(network, (0, 1), level=0.25, side="above").betti
    assert outside == sphere
    assert topology(network, (0, 1), level=2.0).betti == (0,) * (d + 1)
    assert topology(network, (0, 1), level=2.0, side="below").betti == (1, *[0] * d)


@pytest.mark.parametrize("variant", ["lean", "gate", "paper"])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_balls_inside_a_class_are_components_of_their_own(variant, count):
    """f_clean is positive above a line; N balls above it are -1, and one below it is as it was."""
    grid = [[x, y] for x in (0.125, 0.375, 0.625, 0.875) for y in (0.5, 0.75)]
    points, labels = [[0.5, 0.0625], *grid[:count]], [-1] * (1 + count)
    clean = affine([[0.0, 4.0]], [-1.0])
    network = f_S(clean, points, labels, Ball("inf", 0.03125), variant=variant)
    assert topology(clean, (0, 1), side="below").betti == (1, 0, 0)
    assert topology(clean, (0, 1), side="above").betti == (1, 0, 0)
    assert topology(network, (0, 1), side="below").betti == (1 + count, 0, 0)
    assert topology(network, (0, 1), side="above").betti == (1, count, 0)
    assert topology(network, (0, 1)).betti == (1 + count, count, 0)


@pytest.mark.parametrize(("corner", "components"), [(0.5, 1), (0.5625, 2)])
def test_squares_that_touch_in_a_corner_are_one_component(corner, components):
    """min of the distances to two centres, less 1/8: around (1/4, 1/4) and (corner, corner)."""
    centres = [[0.25, 0.25], [corner, corner]]
    nearest = compose(
        affine([[-1.0]], [1.0]), maximum(2), affine([[-1.0, 0.0], [0.0, -1.0]], [1.0] * 2)
    )
    network = compose(nearest, distance(centres, "inf"))
    level = 0.125
    assert topology(network, (0, 1), side="below", level=level).betti == (components, 0, 0)
    assert topology(network, (0, 1), level=level).betti == (components, 2, 0)


def test_the_boundary_between_two_classes():
    both = parallel(affine([[1.0, 0.0]]), affine([[0.0, 1.0]]))
    assert topology(both, (0, 1), output=(0, 1)).betti == (1, 0, 0)
    assert topology(both, (0, 1), output=(0, 1)).where == "{f_0 - f_1 = 0}"


@pytest.mark.parametrize(
    ("arguments", "error", "complaint"),
    [
        ({"side": "left"}, ValueError, "side must be one of level, below, above"),
        ({"level": float("nan")}, ValueError, "level must be finite"),
        ({"output": 3}, ValueError, "output must be one or two different"),
        ({"max_cells": 1}, RuntimeError, "faces are not complete"),
    ],
)
def test_questions_without_an_answer_are_refused(arguments, error, complaint):
    with pytest.raises(error, match=complaint):
        topology(maximum(2), (0, 1), **arguments)


def test_many_inputs_are_refused():
    with pytest.raises(ValueError, match="at most 8 inputs, got 9"):
        topology(maximum(9), (0, 1))
