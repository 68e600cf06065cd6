"""Local Taylor polynomials: the partition of unity exactly, errors exactly in one variable."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from oracles import counts, knots

from analysis import sup_error
from constructions import taylor_patches


def psi(u):
    return max(Fraction(0), min(Fraction(1), 2 - abs(u)))


def joined(taylor, n, x):
    """The formula, term by term."""
    total = Fraction(0)
    for v, polynomial in taylor.items():
        phi = math.prod(psi(3 * (n * t - k)) for t, k in zip(x, v, strict=True))
        for a, c in polynomial.items():
            shifts = ((t - Fraction(k, n)) ** e for t, k, e in zip(x, v, a, strict=True))
            total += phi * Fraction(c) * math.prod(shifts)
    return total


@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_the_bumps_add_up_to_one(n):
    network = taylor_patches({(v,): {(0,): 1} for v in range(n + 1)}, n, 3)
    assert {value for _, value in knots(network, 0, 1)} == {1}
    assert network.provenance.arguments["error"] == "0"
    assert counts(network)[:3] == (1, 4 * (n + 1), 4 * (n + 1))


@pytest.mark.parametrize(("n", "m"), [(2, 2), (4, 3), (8, 4)])
def test_the_error_for_a_square_is_below_both_bounds_exactly(n, m):
    """g = x^2, two derivatives: the remainder is at most (2 / (3 N))^2."""
    taylor = {(v,): {(0,): Fraction(v, n) ** 2, (1,): Fraction(2 * v, n)} for v in range(n + 1)}
    network = taylor_patches(taylor, n, m)
    error = Fraction(network.provenance.arguments["error"])
    assert error == 2 * 2 * Fraction(1, 4 ** (m + 1))
    found = Fraction(sup_error(network, "x**2", (0, 1)).value)
    assert Fraction(1, 9 * n * n) < found <= Fraction(4, 9 * n * n) + error


@pytest.mark.parametrize(("d", "n", "m"), [(1, 4, 2), (2, 1, 2), (2, 2, 2), (3, 1, 1)])
def test_networks_are_near_the_formula_and_zero_where_it_has_no_bump(d, n, m):
    generator = np.random.default_rng(d + n)
    grid = list(itertools.product(range(n + 1), repeat=d))
    powers = [a for a in itertools.product(range(3), repeat=d) if sum(a) <= 2]
    chosen = [grid[k] for k in generator.choice(len(grid), min(3, len(grid)), replace=False)]
    taylor = {v: {a: int(generator.integers(1, 9)) / 8 for a in powers[:4]} for v in chosen}
    network = taylor_patches(taylor, n, m)
    error = Fraction(network.provenance.arguments["error"])
    points = [
        [Fraction(int(k), 12 * n) for k in row]
        for row in generator.integers(0, 12 * n + 1, (40, d))
    ]
    for x, value in zip(points, network.exact(points)[:, 0], strict=True):
        assert abs(value - joined(taylor, n, x)) <= error
        if all(
            math.prod(psi(3 * (n * t - k)) for t, k in zip(x, v, strict=True)) == 0 for v in chosen
        ):
            assert value == 0
    factors = d + max(sum(a) for p in taylor.values() for a in p)
    assert counts(network)[0] == 1 + (factors - 1).bit_length() * (m + 3)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (({(0,): {(0,): 1}}, 3, 2), "N must be a power of two"),
        (({(3,): {(0,): 1}}, 2, 2), "points between 0 and N = 2"),
        (({(0,): {(0, 1): 1}}, 2, 2), "of one length"),
        (({(0,): {(0,): 0}}, 2, 2), "not 0"),
        (({(0,): {(0,): Fraction(1, 3)}}, 2, 2), "must be float64, got 1/3"),
        (({(0,): {(-1,): 1}}, 2, 2), "exponents of taylor must be an integer >= 0"),
    ],
)
def test_what_is_no_family_of_polynomials_is_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        taylor_patches(*arguments)
