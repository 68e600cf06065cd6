"""Deep networks made shallow: equal as functions, and sums of maxima equal to their maximum."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from oracles import cells_of, random_network

from constructions import (
    affine,
    compose,
    count_regions,
    from_pieces,
    linear_regions,
    parallel,
    squaring,
)
from constructions.functions.alternating import alternating_sum

# -- maxima as alternating sums --------------------------------------------------------------------


def random_maps(generator, n, count, size):
    best = {}
    for row in generator.integers(-size, size + 1, (count, n + 1)).tolist():
        best[tuple(row[:-1])] = max(row[-1], best.get(tuple(row[:-1]), row[-1]))
    return [[Fraction(v) for v in (*slope, b)] for slope, b in best.items()]


@pytest.mark.parametrize(
    ("n", "count", "size"), [(1, 9, 9), (2, 4, 1), (2, 9, 1), (2, 14, 6), (3, 12, 1), (3, 12, 9)]
)
@pytest.mark.parametrize("seed", range(4))
def test_the_alternating_sum_is_the_maximum(n, count, size, seed):
    """At all points where n + 1 functions meet, at generic ones, and along rays: small sizes make
    many functions meet.
    """
    generator = np.random.default_rng(seed)
    maps = random_maps(generator, n, count, size)
    signs, rank = alternating_sum(maps)
    assert max(map(len, signs)) == rank + 1 <= n + 1
    assert sum(signs.values()) == 1
    points = [*itertools.product((-100, -1, 0, 1, 100), repeat=n)]
    points += [
        [Fraction(v, 7) for v in row] for row in generator.integers(-40, 40, (40, n)).tolist()
    ]
    for x in points:
        v = [sum(a * t for a, t in zip(row, x, strict=False)) + row[-1] for row in maps]
        assert max(v) == sum(s * max(v[k] for k in face) for face, s in signs.items())


def test_slopes_on_a_line_take_pairs():
    maps = [[Fraction(v) for v in (k, 2 * k, -k * k)] for k in range(-3, 4)]
    signs, rank = alternating_sum(maps)
    assert rank == 1
    assert sorted(map(len, signs)) == [1] * 5 + [2] * 6


# -- networks --------------------------------------------------------------------------------------


def proved_equal(network, other, low, high):
    """Both are affine on each cell of both, so they are equal if they are at the cells' corners."""
    both = parallel(network.restrict(None), other.restrict(None))
    d = network.inputs
    corners = {v for cell in cells_of(both, [low] * d, [high] * d) for v in cell.vertices}
    values = both.exact([list(v) for v in sorted(corners)])
    return len(corners) >= 2**d and (values[:, 0] == values[:, 1]).all()


@pytest.mark.parametrize(
    "widths", [(1, 4, 1), (1, 3, 3, 1), (2, 3, 1), (2, 2, 2, 1), (2, 3, 2, 1), (3, 2, 1)]
)
@pytest.mark.parametrize("seed", range(3))
def test_random_networks_become_shallow_and_stay_the_same(widths, seed):
    network = random_network(np.random.default_rng(seed), widths, grid=2)
    shallow = from_pieces(linear_regions(network, (-1, 1)))
    assert shallow.size.depth <= widths[0].bit_length()
    assert proved_equal(shallow, network, -1, 1)


def test_a_saddle_takes_a_hinge_and_maxima():
    """|x| - |y| in depth 2: convex in x, concave in y."""
    network = parallel(*(affine([row]) for row in ([1, 0], [-1, 0], [0, 1], [0, -1])))
    deep = compose(affine([[1, 1, -1, -1]]), *[_relu(4)] * 3, network)
    shallow = from_pieces(linear_regions(deep, (-1, 1), arithmetic="integers"))
    assert deep.size.depth == 3
    assert shallow.size.depth <= 2
    assert shallow.provenance.arguments["hinges"] == 1
    assert proved_equal(shallow, deep, -1, 1)


def _relu(n):
    from constructions import ReLUNetwork

    return ReLUNetwork.from_layers([(np.eye(n), np.zeros(n)), (np.eye(n), np.zeros(n))])


@pytest.mark.parametrize("m", [1, 2, 3, 4, 5])
def test_round_trip(m):
    """Pieces of the network of the pieces are the pieces; one unit each."""
    regions = linear_regions(squaring(m), (0, 1), pieces=True)
    shallow = from_pieces(regions)
    found = linear_regions(shallow, (0, 1), pieces=True, arithmetic="integers")
    assert shallow.size.units == found.pieces == regions.pieces == 2**m
    again = from_pieces(found)
    assert again.size == shallow.size
    assert count_regions(again, (0, 1), pieces=True).pieces == 2**m


def test_what_cannot_be_built_is_refused():
    with pytest.raises(ValueError, match="one output, got 2"):
        from_pieces(linear_regions(affine([[1.0], [2.0]]), (0, 1)))
    with pytest.raises(ValueError, match=r"cell limit ended them at .* without"):
        from_pieces(linear_regions(squaring(3), (0, 1), max_cells=2))
    with pytest.raises(TypeError, match=r"from_pieces\(linear_regions\(network, box\)\), got ReLU"):
        from_pieces(squaring(3))
