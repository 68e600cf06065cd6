"""Products and polynomials: errors of one variable and of two factors exactly, the induction's
premises exactly, and bounds in exact arithmetic.
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import counts, knots

from constructions import monomial, multiplication, multiplication_tree, polynomial


def sup_error_of_power(network, k):
    """An upper bound of sup |f - x^k| on [-1, 1] within 2^-60, piece by piece.

    On a piece that does not contain 0 inside, x^k is convex or concave, so the difference is
    extremal at an end, or where the slopes agree: found by bisection, bounded by the tangent.
    """
    xs = sorted({*(x for x, _ in knots(network, -1, 1)), Fraction(0)})
    f = dict(zip(xs, network.exact([[x] for x in xs])[:, 0], strict=True))
    worst = max(abs(f[x] - x**k) for x in xs)
    for a, b in itertools.pairwise(xs):
        slope = (f[b] - f[a]) / (b - a)
        low, high = (a, b) if (slope - k * a ** (k - 1)) > 0 else (b, a)
        if slope - k * high ** (k - 1) >= 0:
            continue  # monotone: the ends are in
        for _ in range(40):
            middle = (low + high) / 2
            if slope == k * middle ** (k - 1):
                low = high = middle
            low, high = (middle, high) if slope > k * middle ** (k - 1) else (low, middle)
        steep = slope - k * low ** (k - 1)
        value = f[a] + slope * (low - a) - low**k
        worst = max(worst, abs(value) + abs(steep * (high - low)))
    return worst


@pytest.mark.parametrize(("k", "m"), [(2, 1), (2, 4), (3, 2), (3, 3), (4, 2), (5, 1), (6, 1)])
def test_powers_of_one_number_keep_the_bound_everywhere(k, m):
    error = Fraction(monomial([k], m).provenance.arguments["error"])
    assert error == Fraction(k - 1, 4 ** (m + 1))
    assert sup_error_of_power(monomial([k], m), k) <= error
    if k == 2:
        assert sup_error_of_power(monomial([k], m), k) == error


@pytest.mark.parametrize("m", [1, 2, 3])
def test_premises_of_the_induction(m):
    """A node errs by at most 4^-(m+1) (test_statements.py has that, exactly) and stays in [-1, 1]:
    it is affine between the lines x + y, x - y in 2^(1-m) Z, which cross at these points.
    """
    steps = [Fraction(k, 2**m) for k in range(-(2**m), 2**m + 1)]
    values = multiplication(m, 1.0).exact(list(itertools.product(steps, steps)))[:, 0]
    assert max(abs(values)) == 1


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 1), (3, 2), (4, 1), (5, 2)])
def test_products_on_a_grid(n, m):
    grid = [Fraction(k, 4) for k in range(-4, 5)] if n < 5 else [-1, Fraction(-3, 8), 0, 1]
    points = list(itertools.product(grid, repeat=n))
    values = multiplication_tree(n, m).exact(points)[:, 0]
    for x, value in zip(points, values, strict=True):
        expected = Fraction(1)
        for factor in x:
            expected *= factor
        assert abs(value - expected) <= Fraction(n - 1, 4 ** (m + 1))
        assert value == 0 or 0 not in x


@pytest.mark.parametrize(("n", "m"), [(n, m) for n in range(2, 10) for m in (1, 2, 5)])
def test_sizes(n, m):
    depth, _, units, weights, biases, _ = counts(multiplication_tree(n, m))
    levels, carried, left = 0, 0, n
    while left > 1:
        levels, carried, left = levels + 1, carried + left % 2, (left + 1) // 2
    assert depth == levels * (m + 3)
    assert units == (n - 1) * (6 * m + 8) + carried * 2 * (m + 3)
    if n == 2**levels:
        assert weights + biases == (n - 1) * (14 * m + 16) + 2 * n - 4


@given(st.data())
def test_polynomials_keep_their_bound(data):
    d = data.draw(st.integers(1, 3))
    key = st.tuples(*[st.integers(0, 2)] * d)
    terms = data.draw(st.dictionaries(key, st.integers(-8, 8), min_size=1, max_size=4))
    if not any(c and sum(a) for a, c in terms.items()):
        terms[(1,) * d] = 3
    network = polynomial({a: Fraction(c, 4) for a, c in terms.items()}, 2)
    error = Fraction(network.provenance.arguments["error"])
    assert error == sum(Fraction(abs(c), 4) * max(sum(a) - 1, 0) for a, c in terms.items()) / 64
    points = data.draw(
        st.lists(st.tuples(*[st.fractions(-1, 1, max_denominator=99)] * d), min_size=1, max_size=5)
    )
    for x, value in zip(points, network.exact(points)[:, 0], strict=True):
        expected = Fraction(0)
        for a, c in terms.items():
            expected += Fraction(c, 4) * np.prod([t**e for t, e in zip(x, a, strict=True)])
        assert abs(value - expected) <= error


def test_degree_one_is_affine():
    network = polynomial({(1, 0): 2, (0, 1): -1, (0, 0): 3}, 4)
    assert network.size.depth == 0
    assert network.exact([Fraction(1, 3), Fraction(1, 7)]).tolist() == [
        3 + Fraction(2, 3) - Fraction(1, 7)
    ]


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: multiplication_tree(1, 2), "n must be an integer >= 2"),
        (lambda: multiplication_tree(2, 0), "m must be"),
        (lambda: polynomial({(1,): 1, (1, 2): 1}, 2), "exponents of one length"),
        (lambda: polynomial({(0, 0): 1}, 2), "one that is not constant"),
        (lambda: polynomial({(-1,): 1}, 2), "exponents of terms must be an integer >= 0"),
        (lambda: polynomial({(1,): Fraction(1, 3)}, 2), "must be float64, got 1/3"),
    ],
)
def test_what_is_no_polynomial_is_refused(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
