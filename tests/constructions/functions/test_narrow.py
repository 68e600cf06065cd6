"""Networks of width d + 1, equal to a tree of maxima as functions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import cells_of, counts

from constructions import affine, compose, maximum, narrow_maximum, parallel


@pytest.mark.parametrize(
    ("d", "count", "seed"), [(1, 5, 0), (1, 7, 1), (2, 3, 2), (2, 5, 3), (3, 4, 4)]
)
def test_equal_to_a_tree_on_all_cells_of_both(d, count, seed):
    """Both are affine on each of these cells, so they are equal if they are at the corners."""
    rows = np.random.default_rng(seed).integers(-4, 5, (count, d + 1)) / 2
    low = np.minimum(rows[:, :-1] * 3, 0).sum(axis=1) + rows[:, -1]
    raised = affine(rows[:, :-1].tolist(), (rows[:, -1] - low.min()).tolist())
    tree = compose(affine([[1.0]], [low.min()]), maximum(count), raised)
    both = parallel(narrow_maximum(rows).restrict(None), tree.restrict(None))
    corners = {v for cell in cells_of(both, [0] * d, [3] * d) for v in cell.vertices}
    values = both.exact([list(v) for v in sorted(corners)])
    assert len(corners) > 2**d
    assert (values[:, 0] == values[:, 1]).all()


@given(st.integers(1, 4), st.integers(2, 6), st.data())
def test_maxima_and_sizes(d, count, data):
    """Generic rows: no two have a coordinate in common, and none has a 0."""
    entry = st.integers(1, 500)
    rows = [
        data.draw(st.lists(entry, min_size=count, max_size=count, unique=True))
        for _ in range(d + 1)
    ]
    rows = [[Fraction(v, 4) for v in row] for row in zip(*rows, strict=True)]
    network = narrow_maximum(rows)
    x = data.draw(st.lists(st.fractions(0, 9, max_denominator=9), min_size=d, max_size=d))
    values = [sum(a * t for a, t in zip(row, x, strict=False)) + row[-1] for row in rows]
    assert network.exact(x).tolist() == [max(values)]
    depth, width, units, weights, biases, _ = counts(network)
    assert (depth, width, units) == (count - 1, d + 1, (count - 1) * (d + 1))
    assert weights + biases == 2 * count * (d + 1) - d - 1


@pytest.mark.parametrize("maps", [[[1, 2]], [1, 2], [[1], [2]]])
def test_shapes_are_checked(maps):
    with pytest.raises(ValueError, match="maps must have shape"):
        narrow_maximum(maps)
