"""Depth separation: the bound against exact distances of all sorts of networks."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from oracles import interpolate, knots, random_network

from constructions import (
    affine,
    l1_distance,
    maximum,
    piecewise_linear,
    sawtooth_bound,
    squaring,
    tooth,
)


def plain_l1(network, other, low, high):
    """From the graphs of both: on a common refinement, with the zeros of the difference."""
    first, second = knots(network, low, high), knots(other, low, high)
    xs = sorted({x for x, _ in first} | {x for x, _ in second})
    difference = [
        interpolate(*zip(*first, strict=True), x) - interpolate(*zip(*second, strict=True), x)
        for x in xs
    ]
    total = Fraction(0)
    for (a, u), (b, v) in itertools.pairwise(zip(xs, difference, strict=True)):
        middle = a + (b - a) * u / (u - v) if u * v < 0 else b
        total += (middle - a) * abs(u + (0 if middle < b else v)) / 2 + (b - middle) * abs(v) / 2
    return total


@pytest.mark.parametrize("seed", range(6))
def test_distances_are_exact(seed):
    generator = np.random.default_rng(seed)
    f, g = (random_network(generator, widths) for widths in ((1, 4, 3, 1), (1, 5, 1)))
    assert l1_distance(f, g, (-1, 2)) == plain_l1(f, g, -1, 2) == l1_distance(g, f, (-1, 2))
    assert l1_distance(f, f, (-1, 2)) == 0


def test_distances_that_are_known():
    assert l1_distance(tooth(6), affine([[0.0]], [0.5])) == Fraction(1, 4)
    assert l1_distance(squaring(8), squaring(9)) == Fraction(1, 2 * 4**9)
    assert l1_distance(affine([[1.0]]), affine([[-1.0]], [1.0])) == Fraction(1, 2)


@pytest.mark.parametrize("s", [4, 5])
def test_no_network_is_nearer_than_the_bound(s):
    """Random ones, and those that follow the tooth as far as their pieces go."""
    generator = np.random.default_rng(s)
    for width in (1, 2, 5, 12):
        grid = [Fraction(k, 2**s) for k in range(width + 1)]
        follows = piecewise_linear(grid, [k % 2 for k in range(width + 1)]).restrict(None)
        assert follows.size.units == width
        assert l1_distance(tooth(s), follows) >= sawtooth_bound(s, [width])
    for widths in ((2,), (3, 2), (2, 2, 2)):
        for _ in range(2):
            g = random_network(generator, (1, *widths, 1))
            assert l1_distance(tooth(s), g) >= sawtooth_bound(s, widths)


def test_bounds_and_what_reaches_them():
    assert sawtooth_bound(5, [1]) == Fraction(1, 8) - Fraction(3, 128)
    assert sawtooth_bound(3, [7]) == 0 == sawtooth_bound(3, [1, 1, 1])
    assert l1_distance(tooth(3), tooth(3)) == 0
    with pytest.raises(ValueError, match="s must be"):
        sawtooth_bound(0, [1])
    with pytest.raises(ValueError, match="widths must be"):
        sawtooth_bound(3, [0])


@pytest.mark.parametrize(
    ("f", "g", "interval", "complaint"),
    [
        (tooth(1), tooth(1), (1, 0), "interval must have its lower end first"),
        (maximum(2), maximum(2), (0, 1), "network must have one input, got 2"),
        (tooth(1), maximum(2), (0, 1), "must share their input"),
    ],
)
def test_what_has_no_distance_is_refused(f, g, interval, complaint):
    with pytest.raises(ValueError, match=complaint):
        l1_distance(f, g, interval)
