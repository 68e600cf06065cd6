"""Digit tables: every entry of every table, and what they say of the VC dimension."""

import itertools

import numpy as np
import pytest
from oracles import counts

from constructions import digit_table, vc_upper


def entries(table):
    n, m = table.shape
    network = digit_table(table)
    return network.exact(list(itertools.product(range(n), range(m))))[:, 0].reshape(n, m)


@pytest.mark.parametrize(("n", "m"), [(2, 1), (2, 2), (3, 2), (2, 3)])
def test_all_tables_of_a_size_are_stored_so_the_points_are_shattered(n, m):
    for bits in itertools.product((0, 1), repeat=n * m):
        table = np.array(bits).reshape(n, m)
        assert (entries(table) == table).all()
        depth, _, units, *_ = counts(digit_table(table))
        assert depth == m + 2
        assert units <= n - 1 + 7 * m + 1


@pytest.mark.parametrize(("n", "m"), [(7, 5), (12, 20), (20, 50)])
def test_large_tables(n, m):
    table = np.random.default_rng(n).integers(0, 2, (n, m))
    assert (entries(table) == table).all()
    assert (entries(1 - table) == 1 - table).all()


def test_float64_evaluates_small_ones():
    table = np.random.default_rng(0).integers(0, 2, (10, 25))
    points = np.array(list(itertools.product(range(10), range(25))), dtype=float)
    assert (digit_table(table)(points).numpy().reshape(10, 25) == table).all()


def test_more_points_are_shattered_than_there_are_parameters():
    """And fewer than the upper bound for networks of these widths says."""
    network = digit_table(np.random.default_rng(1).integers(0, 2, (200, 50)))
    assert network.size.parameters < 2500 < 200 * 50 <= vc_upper(network.hidden, 2)


@pytest.mark.parametrize(
    ("bits", "complaint"),
    [
        ([[0, 1]], "n >= 2"),
        ([[0] * 51, [1] * 51], "m <= 50"),
        ([0, 1], "bits must have shape"),
        ([[0, 2], [1, 1]], "bits must be 0 or 1"),
    ],
)
def test_what_is_no_table_is_refused(bits, complaint):
    with pytest.raises(ValueError, match=complaint):
        digit_table(bits)
