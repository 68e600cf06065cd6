"""Sorting networks, proved on the rays of all orderings."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import counts, layers_of

from constructions import kth_largest, maximum, median, sorting
from constructions.functions.sorting import _rounds


def proved_equal(network, function):
    """Within an ordering, all units keep their sign and the network is linear, so it is enough to
    have the n rays of that cone, which are vectors of zeros and ones.
    """
    n = network.inputs
    for order in itertools.permutations(range(n)):
        rays = np.zeros((n, n), dtype=int)
        for k in range(n):
            rays[k, list(order[: k + 1])] = 1
        values = rays.T
        *hidden, (out, last) = layers_of(network)
        for weight, bias in hidden:
            sums = weight @ values
            assert not bias.any()
            assert ((sums >= 0).all(axis=1) | (sums <= 0).all(axis=1)).all()
            values = np.maximum(sums, 0)
        assert not last.any()
        expected = np.array([function(ray) for ray in rays.tolist()]).reshape(n, -1)
        assert (expected == (out @ values).T).all()


@pytest.mark.parametrize("n", range(2, 7))
def test_all_orderings_are_sorted(n):
    proved_equal(sorting(n), sorted)


@pytest.mark.parametrize(("n", "k"), [(n, k) for n in range(2, 6) for k in range(1, n + 1)])
def test_order_statistics_of_all_orderings(n, k):
    proved_equal(kth_largest(n, k), lambda ray: sorted(ray)[-k])


def test_the_median_of_seven_for_all_zeros_and_ones():
    """The 0-1 principle: comparators that sort all vectors of zeros and ones sort."""
    x = np.array(list(itertools.product((0, 1), repeat=7)))
    assert (median(7).exact(x)[:, 0] == np.median(x, axis=1)).all()
    assert median(5).provenance == kth_largest(5, 3).provenance


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 7, 8, 9, 12, 16])
def test_sizes(n):
    network, t = sorting(n), (n - 1).bit_length()
    comparators = sum(map(len, _rounds(n)))
    depth, width, units, _, biases, _ = counts(network)
    assert (depth, units, biases) == (t * (t + 1) // 2, n * t * (t + 1) // 2 + comparators, 0)
    assert width <= n + n // 2
    if n == 2**t:
        assert comparators == (t * t - t + 4) * 2**t // 4 - 1
    one = kth_largest(n, 1)
    assert one.size.units <= units
    assert one.size.depth == one.provenance.arguments["rounds"] <= depth
    kept = one.provenance.arguments["comparators"]
    assert kept == n - 1 if n == 2**t else n - 1 <= kept <= comparators


NINE = sorting(9), median(9), kth_largest(9, 1), maximum(9)


@given(st.lists(st.fractions(min_value=0, max_denominator=40), min_size=9, max_size=9))
def test_fractions_are_sorted(values):
    everything, middle, largest, tree = (network.exact(values).tolist() for network in NINE)
    assert everything == sorted(values)
    assert middle == [sorted(values)[4]]
    assert largest == tree


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: sorting(1), "n must be an integer >= 2"),
        (lambda: kth_largest(3, 4), "k must be at most n = 3"),
        (lambda: kth_largest(3, 0), "k must be an integer >= 1"),
        (lambda: median(4), "n must be odd"),
    ],
)
def test_wrong_numbers_are_refused(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
