"""Maxima of many affine functions as alternating sums of maxima of at most n + 1 of them.

Let l_k(x) = a_k x + b_k, k = 1..K, and let T be a triangulation of the hull of the a_k in R^n whose
lifting by b_k is the upper hull of the points (a_k, b_k). Then

    max_k l_k = sum over faces F of T that are not in the hull's boundary of
                (-1)^(n - dim F) max_(k in F) l_k.

For x fixed, P -> max_(a in P) (a x + H(a)), with H the concave lifting, is a valuation on the
unions of simplices of T that are convex: of two such sets whose union is convex, the union has the
larger of the two maxima and the intersection the smaller, as H is concave on each segment from one
maximizer to the other. By inclusion and exclusion (Euler's relation) it is the alternating sum over
interior faces, and H is linear on each of them. So n + 1 numbers suffice for each maximum, which is
the theorem of Wang and Sun (2005), with as many terms as T has interior faces.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ..linear.elimination import null_vector, reduced

Row = list[Fraction]
Face = tuple[int, ...]


def alternating_sum(maps: Sequence[Sequence[Fraction]]) -> tuple[dict[Face, int], int]:
    """Signs by sets of at most rank + 1 functions: max_k l_k = sum sign max_(k in set) l_k.

    maps: (K, n+1), rows (a_k, b_k), all different a_k. Also the rank: the dimension of the a_k's
    hull.

    >>> rows = [[Fraction(v) for v in row] for row in ((-1, 0), (0, 1), (1, 0))]
    >>> alternating_sum(rows)
    ({(0, 1): 1, (1, 2): 1, (1,): -1}, 1)
    """
    table = np.array(maps, dtype=object)
    slopes, heights = table[:, :-1], table[:, -1]
    columns = reduced((slopes[1:] - slopes[0]).tolist(), slopes.shape[1])[1]
    rank, simplices = len(columns), _triangulation(slopes[:, columns], heights.tolist())
    times = Counter(
        facet for simplex in simplices for facet in itertools.combinations(simplex, rank)
    )
    boundary = {
        face for facet, count in times.items() if count == 1 and facet for face in _faces(facet)
    }
    inner = {face for simplex in simplices for face in _faces(simplex)} - boundary
    order = sorted(inner, key=lambda face: (-len(face), face))
    return {face: (-1) ** (rank + 1 - len(face)) for face in order}, rank


def _faces(face: Face) -> list[Face]:
    return [part for r in range(1, len(face) + 1) for part in itertools.combinations(face, r)]


def _triangulation(slopes: np.ndarray, heights: Row) -> list[Face]:
    """The simplices of the upper hull of the points (slope, height), as sorted sets of numbers.

    Each is a vertex x of max_k l_k where l_k, k in the simplex, are largest; from vertex to vertex
    one walks along edges. Heights are moved by an infinitely small generic amount, kept as a second
    column, which parts vertices where more than rank + 1 functions meet.
    """
    rank, draw = slopes.shape[1], random.Random(0)
    b = np.array([(height, Fraction(draw.getrandbits(62))) for height in heights], dtype=object)
    active, x = [max(range(len(b)), key=b.tolist().__getitem__)], np.zeros((rank, 2), dtype=object)
    while len(active) <= rank:  # the first vertex
        u = _along(slopes, active)
        sign = 1 if max((slopes - slopes[active[0]]) @ u) > 0 else -1
        step = _advance(slopes, b, active, x, sign * u)
        assert step is not None
        active, x = [*active, step[0]], step[1]
    found = {tuple(sorted(active)): x}
    todo = list(found) if rank else []
    while todo:
        simplex = todo.pop()
        for k in simplex:
            rest = [i for i in simplex if i != k]
            u = _along(slopes, rest)
            away = (slopes[k] - slopes[rest[0]]) @ u > 0
            step = _advance(slopes, b, rest, found[simplex], -u if away else u)
            if step is not None:
                beside = tuple(sorted([*rest, step[0]]))
                if beside not in found:
                    found[beside] = step[1]
                    todo.append(beside)
    return list(found)


def _along(slopes: np.ndarray, active: list[int]) -> np.ndarray:
    """A direction in which the active functions stay equal."""
    rows = slopes[active[1:]] - slopes[active[0]]
    return np.array(null_vector(rows.tolist(), slopes.shape[1]), dtype=object)


def _advance(
    slopes: np.ndarray, b: np.ndarray, active: list[int], x: np.ndarray, u: np.ndarray
) -> tuple[int, np.ndarray] | None:
    """From x, where the active functions are equal and largest, along u: the first function that
    reaches them, and where. None: there is none.
    """
    rises = slopes @ u
    rises -= rises[active[0]]
    ahead = np.flatnonzero(rises > 0)
    gaps = slopes[active[0]] @ x + b[active[0]] - slopes[ahead] @ x - b[ahead]
    times = (gaps / rises[ahead, None]).tolist()
    steps = sorted(zip(times, ahead.tolist(), strict=True))
    if not steps:
        return None
    time, k = steps[0]
    if len(steps) > 1 and steps[1][0] == time:
        raise ArithmeticError("the generic heights were not generic")
    return k, x + np.outer(u, time)
