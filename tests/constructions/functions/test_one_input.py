"""Piecewise-linear functions of one number, exactly."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import counts, interpolate, knots, pieces

from constructions import piecewise_linear

STEPS = st.lists(st.integers(0, 4), min_size=1, max_size=8)
VALUES = st.lists(st.integers(-64, 64), min_size=9, max_size=9)


@given(st.integers(-9, 9), STEPS, VALUES)
def test_the_graph_is_the_polygon_through_the_points(start, exponents, numerators):
    """Steps are powers of two, so that slopes are dyadic; equality as functions, not at samples."""
    t = list(
        itertools.accumulate(exponents, lambda u, e: u + Fraction(2**e, 4), initial=Fraction(start))
    )
    y = [Fraction(v, 8) for v in numerators[: len(t)]]
    network = piecewise_linear(t, y)
    graph = knots(network, t[0], t[-1])
    assert {x for x, _ in graph} <= {*t}
    assert all(value == interpolate(t, y, x) for x, value in graph)
    assert all(network.exact([[x]])[0, 0] == v for x, v in zip(t, y, strict=True))
    p = pieces(network, t[0], t[-1])
    first = (y[1] - y[0]) == 0
    assert network.provenance.arguments["pieces"] == p
    depth, width, units, weights, biases, _ = counts(network)
    assert (depth, width, units) == (1, p, p)
    assert weights == 2 * p - first
    assert biases <= p + 1


def test_it_is_constant_below_and_goes_on_above():
    network = piecewise_linear([1, 2, 3], [5, 4, 4.5]).restrict(None)
    assert network([[-7.0], [5.0]]).flatten().tolist() == [5.0, 5.5]


@pytest.mark.parametrize(
    ("knots", "values", "complaint"),
    [
        ([0, 3], [0, 1], "changes of slope must be float64, .* got 1/3"),
        ([0, 1, 1], [0, 1, 2], "knots must increase"),
        ([0], [1], "at least two"),
        ([0, 1], [1, 2, 3], "equally many"),
        ([0, float("inf")], [1, 2], "knots must be finite"),
        ([Fraction(1, 3), Fraction(4, 3)], [1, 2], "knots must be float64"),
    ],
)
def test_what_no_network_has_is_refused(knots, values, complaint):
    with pytest.raises(ValueError, match=complaint):
        piecewise_linear(knots, values)
