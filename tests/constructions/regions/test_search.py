"""Activation cells by depth-first search against Zaslavsky's formula, exact polygon clipping,
products and exact replay.
"""

import itertools
from fractions import Fraction
from math import comb, prod

import numpy as np
import pytest

from constructions.regions import search
from constructions.regions.search import Search, search_cells

VALUES = (-1.0, 0.0, 0.5, 1.0)


def value(row, c, x):
    return sum((Fraction(v) * t for v, t in zip(row, x, strict=True)), Fraction(c))


def exact_pattern(weights, biases, point):
    """The units' exact signs at a float64 point."""
    x, signs = [Fraction(v) for v in point], []
    for w, b in zip(weights, biases, strict=True):
        z = [value(row, c, x) for row, c in zip(w.tolist(), b.tolist(), strict=True)]
        signs += [(v > 0) - (v < 0) for v in z]
        x = [max(v, Fraction(0)) for v in z]
    return signs


def clip(polygon, z, side):
    """The part of a convex polygon on which the affine function with vertex values z has sign
    `side`.
    """
    out = []
    for (p, u), (q, v) in itertools.pairwise([*zip(polygon, z, strict=True), (polygon[0], z[0])]):
        if u * side >= 0:
            out.append(p)
        if u * v < 0:
            out.append(tuple((a * v - b * u) / (v - u) for a, b in zip(p, q, strict=True)))
    return out


def brute_force(weights, biases, lower, upper):
    """Patterns in d = 1 or 2 by clipping polygons in rationals (d = 1: a strip that no unit depends
    on the width of).
    """
    low, high = (
        [*map(Fraction, v), *[Fraction(i)] * (2 - len(v))] for i, v in enumerate((lower, upper))
    )
    cells = [((), [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])])]
    units = [(layer, k) for layer, b in enumerate(biases) for k in range(len(b))]
    for layer, k in units:
        weight = [w.tolist() for w in weights[: layer + 1]]
        found = []
        for pattern, polygon in cells:
            z = []
            for x in polygon:
                x = x[: len(lower)]
                for w, b in zip(weight[:-1], biases[:layer], strict=True):
                    x = [
                        max(Fraction(0), value(row, c, x))
                        for row, c in zip(w, b.tolist(), strict=True)
                    ]
                z.append(value(weight[-1][k], float(biases[layer][k]), x))
            sides = [side for side in (1, -1) if any(v * side > 0 for v in z)]
            found += [((*pattern, side > 0), clip(polygon, z, side)) for side in sides or [-1]]
        cells = found
    return sorted(pattern for pattern, _ in cells)


def check(weights, biases, lower, upper):
    """Search, and replay each cell exactly: its point is inside the box and has its pattern;
    patterns differ.
    """
    found = search_cells(weights, biases, lower, upper)
    assert (found.complete, found.certified, found.reason) == (True, True, "")
    assert len({p.tobytes() for p in found.patterns}) == len(found.patterns) == len(found.points)
    for pattern, point in zip(found.patterns, found.points, strict=True):
        assert (point > lower).all()
        assert (point < upper).all()
        assert [s > 0 for s in exact_pattern(weights, biases, point.tolist())] == pattern.tolist()
    return found


def network(generator, d, widths, values=VALUES):
    """Hidden layers with weights and biases drawn from a few values."""
    sizes = [d, *widths]
    weights = [generator.choice(values, (n, m)) for m, n in itertools.pairwise(sizes)]
    return weights, [generator.choice(values, n) for n in widths]


def box(d, low=-1.0, high=1.0):
    return np.full(d, low), np.full(d, high)


@pytest.mark.parametrize("seed", range(60))
def test_small_degenerate_networks_agree_with_rational_clipping(seed):
    generator = np.random.default_rng(seed)
    d = 1 + seed % 2
    weights, biases = network(generator, d, generator.integers(1, 5, 2))
    lower, upper = box(d, low=[-1.0, 0.0][seed // 2 % 2])
    found = check(weights, biases, lower, upper)
    assert sorted(map(tuple, found.patterns.tolist())) == brute_force(weights, biases, lower, upper)


def test_products_of_networks_have_products_of_cells():
    """d = 10 from five planar networks side by side: degenerate in high dimension, count known."""
    generator = np.random.default_rng(3)
    parts = [network(generator, 2, (2, 1)) for _ in range(5)]
    counts = [len(brute_force(w, b, *box(2))) for w, b in parts]
    weights = [np.zeros((10, 10)), np.zeros((5, 10))]
    for i, (w, _) in enumerate(parts):
        weights[0][2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = w[0]
        weights[1][i : i + 1, 2 * i : 2 * i + 2] = w[1]
    biases = [np.concatenate([b[layer] for _, b in parts]) for layer in (0, 1)]
    assert len(check(weights, biases, *box(10)).patterns) == prod(counts) > 50


# -- known counts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "bias", "cells"),
    [
        ([[1, 1]], [0], 2),
        ([[1, 1]], [0.25], 2),
        ([[1, 1], [1, 1], [2, 2]], [0, 0, 0], 2),  # one line three times
        ([[1, -1], [-1, 1]], [0.5, -0.5], 2),  # opposite
        ([[1, -1], [-1, 1]], [0, 0], 2),
        ([[0, 0], [0, 0], [0, 0]], [1, 0, -1], 1),  # zero rows
        # two through corners, all through one point
        ([[1, -1], [1, 1], [1, 0], [0, 1]], [0, 0, 0, 0], 8),
        ([[1, 1], [1, 0], [0, -1]], [2, 1, 1], 1),  # touch a corner or a side from inside
        ([[1, 1], [1, 0], [0, -1]], [-2, -1, -1], 1),  # touch from outside
        # two lines that meet on the side x = 1, and that side
        ([[1, 1], [1, -1], [1, 0]], [-1, -1, -1], 3),
        # the same line up to rounding of 0.1: checked against rationals below
        ([[1, 0], [0.1, 0]], [-0.5, -0.05], 2),
    ],
)
def test_one_layer(weight, bias, cells):
    weights, biases = [np.array(weight, dtype=float)], [np.array(bias, dtype=float)]
    found = check(weights, biases, *box(2))
    assert sorted(map(tuple, found.patterns.tolist())) == brute_force(weights, biases, *box(2))
    assert len(found.patterns) == cells


@pytest.mark.parametrize(("d", "n"), [(10, 4), (3, 6), (2, 7)])
def test_hyperplanes_in_general_position_meet_zaslavskys_formula(d, n):
    generator = np.random.default_rng(d)
    weights, biases = [generator.standard_normal((n, d))], [generator.uniform(-0.1, 0.1, n)]
    found = check(weights, biases, *box(d, -50.0, 50.0))
    assert len(found.patterns) == sum(comb(n, i) for i in range(d + 1))


def test_neither_layers_nor_units():
    found = search_cells([], [], *box(9))
    assert (found.patterns.shape, found.points.shape, found.complete, found.certified) == (
        (1, 0),
        (1, 9),
        True,
        True,
    )
    weights = [np.array([[1.0, 0.0]]), np.zeros((0, 1)), np.zeros((2, 0))]
    found = check(weights, [np.zeros(1), np.zeros(0), np.array([1.0, 0.0])], *box(2))
    assert sorted(found.patterns.tolist()) == [[False, True, False], [True, True, False]]


def test_units_that_vanish_on_a_cell_are_off_there():
    """relu(x) - relu(-x) - x is 0 everywhere; relu(x) and relu(relu(x) - 1) are 0 on a half and on
    all of [-1, 1].
    """
    weights = [
        np.array([[1.0], [-1.0], [1.0], [-1.0]]),
        np.array([[1.0, -1.0, -1.0, 1.0], [1.0, 0, 0, 0], [1.0, 0, 0, 0]]),
    ]
    biases = [np.zeros(4), np.array([0.0, 0.0, -1.0])]
    found = check(weights, biases, *box(1))
    off, on = sorted(found.patterns[:, 4:].tolist())
    assert (off, on) == ([False, False, False], [False, True, False])


def test_rounding_of_the_forms_is_no_cut():
    """(a + b) x and a x + b x differ by rounding: 0.1 x + 0.2 x - 0.3 x is tiny and positive,
    exactly.
    """
    weights = [np.array([[0.1], [0.2], [0.3]]), np.array([[1.0, 1.0, -1.0]])]
    found = check(weights, [np.zeros(3), np.zeros(1)], *box(1))
    expected = Fraction(0.1) + Fraction(0.2) - Fraction(0.3) > 0
    assert sorted(found.patterns.tolist()) == [[False] * 4, [True] * 3 + [expected]]


def test_a_cell_without_float64_points_is_left_open():
    """Between 1/3 and its float64 neighbour: two of three cells found, and not called certified."""
    weights, biases = [np.array([[3.0], [1.0]])], [np.array([-1.0, -1 / 3])]
    found = search_cells(weights, biases, *box(1))
    assert len(brute_force(weights, biases, *box(1))) == 3
    assert (len(found.patterns), found.complete, found.certified) == (2, True, False)
    assert "no proof whether unit 1" in found.reason


@pytest.mark.parametrize("scale", [2.0**-40, 2.0**40])
def test_scaling_the_box_changes_nothing(scale):
    generator = np.random.default_rng(5)
    weights, biases = network(generator, 4, (4, 3))
    plain = check(weights, biases, *box(4))
    scaled = check([weights[0] / scale, weights[1]], biases, *box(4, -scale, scale))
    assert len(plain.patterns) > 10
    assert {p.tobytes() for p in plain.patterns} == {p.tobytes() for p in scaled.patterns}


def test_random_network_in_twelve_dimensions():
    """Each pattern is replayed exactly at its point; all of the cells the points of a sample lie in
    are found.
    """
    generator = np.random.default_rng(0)
    weights = [generator.standard_normal((5, 12)) / 3, generator.standard_normal((5, 5)) / 2]
    biases = [generator.uniform(-0.5, 0.5, 5), generator.uniform(-0.5, 0.5, 5)]
    found = check(weights, biases, *box(12))
    x, signs = generator.uniform(-1, 1, (12, 2000)), []
    for w, b in zip(weights, biases, strict=True):
        z = w @ x + b[:, None]
        signs.append(z > 0)
        x = np.maximum(z, 0)
    assert {p.tobytes() for p in np.concatenate(signs).T} <= {p.tobytes() for p in found.patterns}


# -- limits and errors -----------------------------------------------------------------------------


def wide(d=9, n=10):
    generator = np.random.default_rng(1)
    return [generator.standard_normal((n, d))], [generator.uniform(-0.5, 0.5, n)], *box(d)


def partial(found: Search, reason):
    """Incomplete, with cells that are all replayed."""
    assert (found.complete, found.certified, found.reason) == (False, True, reason)
    for pattern, point in zip(found.patterns, found.points, strict=True):
        assert [s > 0 for s in exact_pattern(*wide()[:2], point.tolist())] == pattern.tolist()
    return len(found.patterns)


def test_limits_return_what_was_found():
    assert partial(search_cells(*wide(), max_cells=17), "cell limit") == 17
    assert partial(search_cells(*wide(), max_cells=0), "cell limit") == 0
    assert partial(search_cells(*wide(), max_seconds=0.0), "time limit") == 0
    assert partial(search_cells(*wide(), max_seconds=0.05), "time limit") < 1023
    exact = search_cells([np.eye(2)], [np.zeros(2)], *box(2), max_cells=4, max_seconds=60.0)
    assert (len(exact.patterns), exact.complete) == (4, True)  # a limit that is met, not passed


def test_an_interrupt_returns_what_was_found():
    seen = []

    def interrupt(cells):
        seen.append(cells)
        raise KeyboardInterrupt

    assert partial(search_cells(*wide(), progress=interrupt), "interrupted") == 256
    assert seen == [256]


def test_an_interrupt_inside_a_linear_program(monkeypatch):
    original, calls = search.Program.maximise, []

    def maximise(self, g):
        calls.append(g)
        if len(calls) == 40:
            raise KeyboardInterrupt
        return original(self, g)

    monkeypatch.setattr(search.Program, "maximise", maximise)
    assert partial(search_cells(*wide()), "interrupted") > 0


def test_a_failing_solver_is_not_called_certified(monkeypatch):
    monkeypatch.setattr(search.Program, "maximise", lambda self, g: None)
    found = search_cells(*wide(2, 3))
    assert (found.complete, found.certified) == (True, False)
    assert "no proof" in found.reason


@pytest.mark.parametrize(
    ("weights", "biases", "lower", "upper", "message"),
    [
        ([np.eye(2)], [np.zeros(3)], *box(2), "shapes"),
        ([np.eye(2), np.eye(3)], [np.zeros(2), np.zeros(3)], *box(2), r"weights\[1\]"),
        ([np.eye(2) * np.nan], [np.zeros(2)], *box(2), "finite"),
        ([np.eye(2)], [np.array([0, np.inf])], *box(2), "finite"),
        ([np.eye(2) * 1e300] * 2, [np.zeros(2)] * 2, *box(2), "overflow"),
        ([], [], np.zeros(2), np.array([1.0, 0.0]), "lower < upper"),
        ([], [], np.zeros(2), np.ones(3), "lower < upper"),
        ([], [], np.zeros(0), np.zeros(0), "d >= 1"),
        ([], [], np.zeros(1), np.array([np.inf]), "finite"),
        ([np.eye(2)], [], *box(2), "shorter"),
    ],
)
def test_bad_arguments(weights, biases, lower, upper, message):
    with pytest.raises(ValueError, match=message):
        search_cells(weights, biases, lower, upper)
