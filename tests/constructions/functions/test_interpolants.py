"""Interpolation on grids and from scattered points, proved on all simplices and cells."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import cells_of, counts, layers_of

from analysis import sup_error
from constructions import distance, kuhn_interpolant, maximum, mcshane


def walk(values, x):
    """Kuhn's interpolant: from a cube's lowest corner along the coordinates, largest rest first."""
    n = len(values) - 1
    low = [min(n - 1, math.floor(n * t)) for t in x]
    rest = [n * t - k for t, k in zip(x, low, strict=True)]
    order = sorted(range(len(x)), key=lambda j: -rest[j])
    weights = [1, *(rest[j] for j in order), 0]
    total, corner = Fraction(0), list(low)
    for k, (a, b) in enumerate(itertools.pairwise(weights)):
        if k:
            corner[order[k - 1]] += 1
        total += (a - b) * Fraction(values[tuple(corner)])
    return total


def simplices(n, d):
    """The vertices of all simplices, times n, (n^d d!, d + 1, d)."""
    for corner in itertools.product(range(n), repeat=d):
        for order in itertools.permutations(range(d)):
            vertices = [list(corner)]
            for j in order:
                vertices.append([v + (i == j) for i, v in enumerate(vertices[-1])])
            yield vertices


@pytest.mark.parametrize(("d", "n"), [(1, 1), (1, 4), (2, 1), (2, 4), (3, 1), (3, 2), (4, 1)])
def test_it_is_linear_on_each_simplex_and_right_at_its_vertices(d, n):
    """A unit that takes no two signs at the vertices of a simplex, all layers below being affine on
    it, has one sign there; so the network is affine on it, and equal to the interpolant.
    """
    values = np.random.default_rng(d).integers(1, 9, (n + 1,) * d)
    network = kuhn_interpolant(values)
    *hidden, (out, last) = layers_of(network)
    for vertices in simplices(n, d):
        units = np.array(vertices).T / n  # times n, they are integers again
        for depth, (weight, bias) in enumerate(hidden):
            sums = weight @ units + bias[:, None]
            if depth == 0:
                assert abs(sums - np.rint(sums)).max() < 1e-12
                sums = np.rint(sums)
            assert ((sums >= 0).all(axis=1) | (sums <= 0).all(axis=1)).all()
            units = np.maximum(sums, 0)
        found = (out @ units + last[:, None])[0]
        assert found.tolist() == [values[tuple(v)] for v in vertices]
    depth, _, units, *_ = counts(network)
    tree = maximum(d).size.units
    assert depth == (d - 1).bit_length() + 2
    assert units == 2 * d * n + (n + 1) ** d * (2 * tree + 1)


@given(st.integers(1, 3), st.data())
def test_the_oracle_walks_along_the_same_simplices(d, data):
    n = data.draw(st.integers(1, 3))
    flat = data.draw(st.lists(st.integers(-8, 8), min_size=(n + 1) ** d, max_size=(n + 1) ** d))
    values = np.array([flat[0] or 1, *flat[1:]]).reshape((n + 1,) * d)
    x = data.draw(st.lists(st.fractions(0, 1, max_denominator=60), min_size=d, max_size=d))
    assert kuhn_interpolant(values).exact(x).tolist() == [walk(values, x)]


@pytest.mark.parametrize("n", [2, 4])
def test_lipschitz_functions_are_near_by_exactly_as_much_as_said(n):
    """A distance has constant 1 in l_2, l_1 and l_inf: at most sqrt(2) / (2 N)."""
    for centre in ([0.5, 0.5], [0.375, 0.625], [0.0, 0.25]):
        exact = distance(centre, "inf")
        grid = [[Fraction(i, n), Fraction(j, n)] for i in range(n + 1) for j in range(n + 1)]
        values = exact.exact(grid)[:, 0].reshape(n + 1, n + 1)
        found = sup_error(kuhn_interpolant(values.tolist()), exact, (0, 1))
        assert 2 * (2 * n * Fraction(found.value)) ** 2 <= 4
        assert Fraction(found.value) ** 2 <= Fraction(2, 4 * n * n)


# -- McShane ---------------------------------------------------------------------------------------


def some_data(seed, count, d):
    generator = np.random.default_rng(seed)
    points = np.unique(generator.integers(0, 9, (count, d)), axis=0) / 8
    return points, generator.integers(-3, 4, len(points)) / 2


@pytest.mark.parametrize(("seed", "count", "d"), [(0, 3, 1), (1, 6, 1), (2, 3, 2), (3, 4, 2)])
def test_the_constant_is_attained_and_nowhere_exceeded(seed, count, d):
    """Largest l_1 norm of a gradient, over all cells; and the least that interpolation allows."""
    points, values = some_data(seed, count, d)
    network = mcshane(points, values)
    assert network.exact(points)[:, 0].tolist() == values.tolist()
    least = max(
        Fraction(abs(values[i] - values[j])) / Fraction(abs(points[i] - points[j]).max())
        for i, j in itertools.combinations(range(len(points)), 2)
    )
    constant = Fraction(network.provenance.arguments["lipschitz"])
    assert least <= constant <= least * (1 + Fraction(1, 2**52))
    steepest = max(sum(map(abs, cell.map[0][:-1])) for cell in cells_of(network, [0] * d, [1] * d))
    assert steepest == constant


@pytest.mark.parametrize("seed", range(4))
def test_values_are_those_of_the_formula(seed):
    points, values = some_data(seed, 6, 3)
    network = mcshane(points, values)
    constant = Fraction(network.provenance.arguments["lipschitz"])
    for x in (np.random.default_rng(9).integers(0, 33, (30, 3)) / 32).tolist():
        cones = (
            Fraction(y)
            - constant * max(abs(Fraction(a) - Fraction(b)) for a, b in zip(x, c, strict=True))
            for c, y in zip(points.tolist(), values.tolist(), strict=True)
        )
        assert network.exact(x).tolist() == [max(cones)]
    parts = distance(points, "inf").size.units + maximum(len(points)).size.units
    assert counts(network)[2] == parts


def test_labels_are_right_on_all_balls_below_half_the_separation():
    """1 - L r, at the corners and the middle of the balls: a lower bound of y f by the constant."""
    points, labels = [[0.25, 0.5], [0.75, 0.5], [0.75, 1.0]], [1, -1, 1]
    network = mcshane(points, labels)
    radius = Fraction(7, 32)  # the separation is 1/2
    for c, y in zip(points, labels, strict=True):
        for signs in itertools.product((-1, 0, 1), repeat=2):
            x = [min(1, Fraction(a) + s * radius) for a, s in zip(c, signs, strict=True)]
            assert y * network.exact(x)[0] >= 1 - 4 * radius > 0


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: kuhn_interpolant([[1, 2]]), "values must have shape"),
        (lambda: kuhn_interpolant(3.0), "values must have shape"),
        (lambda: kuhn_interpolant([0, 0]), "one that is not 0"),
        (lambda: kuhn_interpolant([0, Fraction(1, 3)]), "must be float64, got 1/3"),
        (lambda: mcshane([[0.5]], [1]), "equally many, >= 2"),
        (lambda: mcshane([[0.5], [0.5]], [1, 2]), "points must be distinct"),
        (lambda: mcshane([[0.5, 0.1], [0.3, 0.7]], [1, 2]), "float64 holds"),
        (lambda: mcshane([[0.0], [5e-324]], [0, 1]), "at most 1.8e308 times the distance"),
        (lambda: mcshane([[0.5], [1.5]], [1, 2]), "points must lie in"),
    ],
)
def test_what_cannot_be_interpolated_is_refused(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
