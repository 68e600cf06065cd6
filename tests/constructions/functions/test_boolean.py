"""Functions of bits, at all vertices."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import counts, pieces

from constructions import affine, compose, lookup, parity


def vertices(d):
    return list(itertools.product((0, 1), repeat=d))


@given(st.integers(1, 4), st.data())
def test_tables_are_looked_up(d, data):
    values = data.draw(st.lists(st.integers(-3, 3), min_size=2**d, max_size=2**d))
    values[0] = values[0] or 1
    network = lookup([Fraction(v, 4) for v in values])
    assert network.exact(vertices(d))[:, 0].tolist() == [Fraction(v, 4) for v in values]
    depth, width, units, weights, biases, _ = counts(network)
    entries = [v for v, value in zip(vertices(d), values, strict=True) if value]
    assert (depth, width, units, weights) == (1, len(entries), len(entries), (d + 1) * len(entries))
    assert biases == sum(sum(v) != 1 for v in entries)


def test_tables_may_have_axes():
    table = np.arange(8).reshape(2, 2, 2)
    network = lookup(table)
    assert all(network.exact([v])[0, 0] == table[v] for v in vertices(3))


@pytest.mark.parametrize("radius", [Fraction(1, 8), Fraction(1, 4)])
def test_a_table_around_its_vertices(radius):
    """The unit of one vertex, at the corners of the balls, where its extremes are."""
    network = lookup([0, 0, 0, 0, 0, 1, 0, 0]).restrict(None)
    for v in vertices(3):
        shifts = itertools.product((-radius, radius), repeat=3)
        values = network.exact([[a + b for a, b in zip(v, s, strict=True)] for s in shifts])[:, 0]
        assert min(values) >= 1 - 3 * radius if v == (1, 0, 1) else max(values) <= 3 * radius


@pytest.mark.parametrize("d", range(2, 11))
def test_parity_at_all_vertices(d):
    network, k = parity(d), (d - 1).bit_length()
    assert network.exact(vertices(d))[:, 0].tolist() == [sum(v) % 2 for v in vertices(d)]
    depth, width, units, weights, biases, _ = counts(network)
    assert (depth, width, units, weights + biases) == (k, 2, 2 * k, 2 * d + 5 * k - 2)
    line = compose(network.restrict(None), affine([[1.0]] * d))
    assert pieces(line, 0, 1) == d


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: lookup([1, 2, 3]), "table must have 2\\^d entries"),
        (lambda: lookup([1]), "table must have 2\\^d entries"),
        (lambda: lookup([0, 0]), "entry that is not 0"),
        (lambda: lookup([0, Fraction(1, 3)]), "must be float64, got 1/3"),
        (lambda: parity(1), "d must be an integer >= 2"),
    ],
)
def test_what_cannot_be_is_refused(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
