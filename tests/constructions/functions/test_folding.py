"""Montufar et al.'s networks: their regions are counted, and attain the bound."""

import pytest
from oracles import cells_of, counts, evaluate, knots, neighbours_of, pieces, pieces_of

from constructions import count_regions, folding, montufar_lower, serra_upper
from constructions.functions.folding import _zigzag

SMALL = [
    ([3], 1), ([1, 1], 1), ([5, 4], 1), ([3, 5, 2], 1), ([7, 6, 5], 1), ([2], 2), ([4], 2),
    ([6, 4], 2), ([4, 5], 2), ([7, 4, 3], 2), ([2, 2, 2], 2), ([3, 3], 3), ([6, 4], 3), ([8, 9], 4),
]  # fmt: skip


@pytest.mark.parametrize(("widths", "d"), SMALL)
def test_counted_regions_attain_the_lower_bound(widths, d):
    network = folding(widths, d)
    found = count_regions(network, (0, 1))
    assert found.complete
    assert found.certified
    assert found.cells == montufar_lower(widths, d) <= serra_upper(widths, d)
    assert network.provenance.arguments["cells"] == found.cells


@pytest.mark.parametrize(("widths", "d"), [([5, 4], 1), ([4, 4], 2), ([3, 3], 3)])
def test_the_oracle_counts_as_many_and_no_two_are_one_piece(widths, d):
    cells = cells_of(folding(widths, d), [0] * d, [1] * d)
    assert len(cells) == montufar_lower(widths, d)
    if widths[-1] >= d + 2:
        assert pieces_of(cells, neighbours_of(cells))[0] == len(cells)


@pytest.mark.parametrize(("widths", "d"), SMALL)
def test_sizes(widths, d):
    """d p units fold; each reads the p of its coordinate before it, the last layer all."""
    *inner, last = widths
    p = [n // d for n in inner]
    reads = [1, *p]
    weights = sum(d * a * b for a, b in zip(reads, p, strict=False)) + last * d * reads[-1] + last
    depth, _, units, counted, biases, _ = counts(folding(widths, d))
    assert (depth, units, counted) == (len(widths), d * sum(p) + last, weights)
    assert biases <= d * sum(n - 1 for n in p) + last


@pytest.mark.parametrize("count", range(1, 20))
def test_zigzags(count):
    network = _zigzag(count)
    graph = knots(network, 0, 1)
    assert pieces(network, 0, 1) == count
    assert [value for _, value in graph] == [k % 2 for k in range(count + 1)]
    assert evaluate(network, [1]) == [count % 2]


def test_narrow_layers_are_refused():
    with pytest.raises(ValueError, match="widths must be at least d = 2"):
        folding([2, 1], 2)
