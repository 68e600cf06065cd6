"""Activation cells by depth-first search against Zaslavsky's formula, exact polygon clipping, products and exact replay."""

import itertools
from fractions import Fraction
from math import prod

import numpy as np
import pytest

from constructions.search import search_cells

VALUES = (-1.0, 0.0, 0.5, 1.0)


def exact_pattern(weights, biases, point):
    """The units' exact signs at a float64 point."""
    x, signs = [Fraction(v) for v in point], []
    for w, b in zip(weights, biases, strict=True):
        z = [
            sum((Fraction(v) * t for v, t in zip(row, x, strict=True)), Fraction(c))
            for row, c in zip(w.tolist(), b.tolist(), strict=True)
        ]
        signs += [(v > 0) - (v < 0) for v in z]
        x = [max(v, Fraction(0)) for v in z]
    return signs


def clip(polygon, z, side):
    """The part of a convex polygon on which the affine function with vertex values z has sign `side`."""
    out = []
    for (p, u), (q, v) in itertools.pairwise([*zip(polygon, z, strict=True), (polygon[0], z[0])]):
        if u * side >= 0:
            out.append(p)
        if u * v < 0:
            out.append(tuple((a * v - b * u) / (v - u) for a, b in zip(p, q, strict=True)))
    return out


def brute_force(weights, biases, lower, upper):
    """Patterns in d = 1 or 2 by clipping polygons in rationals (d = 1: a strip that no unit depends on the width of)."""
    low, high = ([*map(Fraction, v), *[Fraction(i)] * (2 - len(v))] for i, v in enumerate((lower, upper)))
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
                    x = [max(Fraction(0), value(row, c, x)) for row, c in zip(w, b.tolist(), strict=True)]
                z.append(value(weight[-1][k], float(biases[layer][k]), x))
            sides = [side for side in (1, -1) if any(v * side > 0 for v in z)]
            found += [((*pattern, side > 0), clip(polygon, z, side)) for side in sides or [-1]]
        cells = found
    return sorted(pattern for pattern, _ in cells)


def value(row, c, x):
    return sum((Fraction(v) * t for v, t in zip(row, x, strict=True)), Fraction(c))


def check(weights, biases, lower, upper):
    """Search, and replay each cell exactly: its point is inside the box and has its pattern; patterns differ."""
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
