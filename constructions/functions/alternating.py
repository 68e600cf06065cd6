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

Row = list[Fraction]
Face = tuple[int, ...]
Pair = tuple[Fraction, Fraction]
"""A number and its infinitely small part."""


def alternating_sum(maps: Sequence[Sequence[Fraction]]) -> tuple[dict[Face, int], int]:
    """Signs by sets of at most rank + 1 functions: max_k l_k = sum sign max_(k in set) l_k.

    maps: (K, n+1), rows (a_k, b_k), all different a_k. Also the rank: the dimension of the a_k's
    hull.

    >>> rows = [[Fraction(v) for v in row] for row in ((-1, 0), (0, 1), (1, 0))]
    >>> alternating_sum(rows)
    ({(0, 1): 1, (1, 2): 1, (1,): -1}, 1)
    """
    slopes = [list(row[:-1]) for row in maps]
    columns = _columns([[x - y for x, y in zip(a, slopes[0], strict=True)] for a in slopes[1:]])
    rank = len(columns)
    simplices = _triangulation([[a[j] for j in columns] for a in slopes], [m[-1] for m in maps])
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


def _triangulation(slopes: list[Row], heights: Row) -> list[Face]:
    """The simplices of the upper hull of the points (slope, height), as sorted sets of numbers.

    Each is a vertex x of max_k l_k where l_k, k in the simplex, are largest; from vertex to vertex
    one walks along edges. Heights are moved by an infinitely small generic amount, kept as a second
    component, which parts vertices where more than rank + 1 functions meet.
    """
    rank, draw = len(slopes[0]), random.Random(0)
    b = [(height, Fraction(draw.getrandbits(62))) for height in heights]
    first = max(range(len(b)), key=b.__getitem__)
    origin = [(Fraction(0), Fraction(0))] * rank
    active, x = [first], origin
    while len(active) <= rank:  # the first vertex
        u = _orthogonal([_minus(slopes[k], slopes[first]) for k in active[1:]], rank)
        gains = [_dot(_minus(a, slopes[first]), u) for a in slopes]
        sign = 1 if max(gains) > 0 else -1
        step = _advance(slopes, b, active, x, [sign * v for v in u])
        assert step is not None
        active, x = [*active, step[0]], step[1]
    found, todo = {tuple(sorted(active)): x}, [tuple(sorted(active))]
    while todo:
        simplex = todo.pop()
        for k in simplex if rank else ():
            rest = [i for i in simplex if i != k]
            u = _orthogonal([_minus(slopes[i], slopes[rest[0]]) for i in rest[1:]], rank)
            away = _dot(_minus(slopes[k], slopes[rest[0]]), u)
            step = _advance(slopes, b, rest, found[simplex], [-v if away > 0 else v for v in u])
            if step is not None:
                beside = tuple(sorted([*rest, step[0]]))
                if beside not in found:
                    found[beside] = step[1]
                    todo.append(beside)
    return list(found)


def _advance(
    slopes: list[Row], b: list[Pair], active: list[int], x: list[Pair], u: Row
) -> tuple[int, list[Pair]] | None:
    """From x, where the active functions are equal and largest, along u: the first function that
    reaches them, and where. None: there is none.
    """
    one = active[0]
    level, speed = _value(slopes[one], b[one], x), _dot(slopes[one], u)
    steps = []
    for k, a in enumerate(slopes):
        rise = _dot(a, u) - speed
        if rise > 0:
            steps.append((tuple(p / rise for p in _minus(level, _value(a, b[k], x))), k))
    if not steps:
        return None
    steps.sort()
    time, k = steps[0]
    if len(steps) > 1 and steps[1][0] == time:
        raise ArithmeticError("the generic heights were not generic")
    return k, [(c[0] + time[0] * v, c[1] + time[1] * v) for c, v in zip(x, u, strict=True)]


def _value(a: Row, b: Pair, x: list[Pair]) -> Pair:
    """a x + b, in both components."""
    return b[0] + _dot(a, [y[0] for y in x]), b[1] + _dot(a, [y[1] for y in x])


def _minus(a: Sequence[Fraction], b: Sequence[Fraction]) -> Row:
    return [x - y for x, y in zip(a, b, strict=True)]


def _dot(a: Row, b: Row) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def _reduced(rows: list[Row], width: int) -> tuple[list[Row], list[int]]:
    """Reduced echelon form, and its pivot columns."""
    rows = [list(row) for row in rows]
    pivots: list[int] = []
    for j in range(width):
        i = len(pivots)
        pivot = next((r for r in range(i, len(rows)) if rows[r][j]), None)
        if pivot is None:
            continue
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [v / rows[i][j] for v in rows[i]]
        for r in range(len(rows)):
            if r != i and rows[r][j]:
                factor = rows[r][j]
                rows[r] = [v - factor * w for v, w in zip(rows[r], rows[i], strict=True)]
        pivots.append(j)
    return rows[: len(pivots)], pivots


def _columns(rows: list[Row]) -> list[int]:
    """Columns on which the rows have full rank."""
    return _reduced(rows, len(rows[0]))[1] if rows else []


def _orthogonal(rows: list[Row], width: int) -> Row:
    """A vector u != 0 with row u = 0 for all rows, fewer than `width` of full rank; its component
    at the first free column is 1.
    """
    reduced, pivots = _reduced(rows, width)
    free = next(j for j in range(width) if j not in pivots)
    u = [Fraction(int(j == free)) for j in range(width)]
    for row, j in zip(reduced, pivots, strict=True):
        u[j] = -row[free]
    return u
