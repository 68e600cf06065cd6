"""Maxima of five and six numbers with two hidden layers, one less than a tree takes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from sympy import Eq, Piecewise, Symbol

from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record

Pairs = tuple[tuple[int, int], ...]
Term = tuple[float, Pairs, Pairs]
"""c, A and B: c max(sum of p_ij over A, sum over B), with p_ij = max(x_i, x_j)."""

FIVE: tuple[Term, ...] = (
    (1.0, ((0, 1),), ((2, 3),)),
    (0.5, ((0, 1),), ((4, 4),)),
    (0.5, ((2, 3),), ((4, 4),)),
    (0.5, ((0, 4), (2, 4)), ((1, 4), (3, 4))),
    (-0.5, ((0, 1), (2, 4)), ((1, 4), (2, 3))),
    (-0.5, ((0, 1), (3, 4)), ((0, 4), (2, 3))),
)
"""The maximum of x_0, ..., x_4."""

SIX: tuple[Term, ...] = (
    (2.0, ((0, 1),), ((2, 4),)),
    (2.0, ((0, 1),), ((4, 5),)),
    (1.0, ((0, 1), (0, 3)), ((0, 4), (2, 5))),
    (-1.0, ((0, 1), (0, 3)), ((2, 4), (2, 5))),
    (1.0, ((0, 1), (2, 3)), ((0, 4), (0, 5))),
    (-1.0, ((0, 1), (2, 3)), ((0, 4), (1, 5))),
    (-1.0, ((0, 1), (2, 4)), ((1, 4), (3, 5))),
    (1.0, ((0, 4), (2, 4)), ((1, 4), (3, 5))),
    (-1.0, ((0, 4), (2, 4)), ((1, 5), (3, 5))),
)
"""12 times the maximum of x_0, ..., x_5: each term stands for its orbit under `_symmetries`."""

_n = Symbol("n")


@implements(
    "five: Bakaev, Brunck, Hertrich, Stade, Yehudayoff 2025; weights of both: this library",
    "the maximum of 5 numbers, and 12 times that of 6, are networks of depth 2 (a tree has 3)",
    depth=2,
    units=Piecewise((18, Eq(_n, 5)), (87, True)),
    parameters=Piecewise((62, Eq(_n, 5)), (593, True)),
    sup_error=0,
)
def shallow_maximum(n: int) -> ReLUNetwork:
    """Build a network of depth 2 for the maximum of five numbers, or 12 times that of six.

    With p_ij = max(x_i, x_j) from the first layer,

        max(x_0, ..., x_4) = max(p_01, p_23) + 1/2 [ max(p_01, x_4) + max(p_23, x_4) +
                             max(p_04 + p_24, p_14 + p_34) - max(p_01 + p_24, p_14 + p_23) -
                             max(p_01 + p_34, p_04 + p_23) ].

    Both sides are linear on the cones into which the orderings of the x_i and the planes where the
    two arguments of a maximum are equal cut the space; the tests compare them on all rays of all
    cones, exactly. For six numbers the same holds with 66 maxima; its weights over 12 are no
    floats, so the network gives 12 times the maximum.

    Args:
        n: 5 or 6.

    Returns:
        A `ReLUNetwork` R^n -> R, exact on numbers of either sign; provenance has the `factor`, 1 or
        12.

    Raises:
        ValueError: for another n.

    Cost: 18 units and 62 parameters for n = 5, 87 and 593 for n = 6.

    Source: that depth 2 suffices for five is of Bakaev, Brunck, Hertrich, Stade and Yehudayoff 2025
    (Better neural network expressivity: subdividing the simplex; arXiv 2505.14338). These formulas
    were found by linear programming over sums of symmetric terms.

    Example:
        >>> shallow_maximum(5)([[-3.0, -1.5, -2.0, -7.0, -1.75]]).item()
        -1.5
        >>> shallow_maximum(6)([[-3.0, 1.0, -2.0, 0.0, 0.5, 0.5]]).item() / 12
        1.0
    """
    if n not in (5, 6):
        raise ValueError(f"n must be 5 or 6, got {n!r}: others are not known in depth 2 here")
    terms, last = (FIVE if n == 5 else _orbits(SIX)), n - 1
    # all numbers relative to x_last: p_ij = (x_j - x_last) + relu(x_i - x_j)
    differences = sorted({u for _, a, b in terms for i, j in a + b for u in _units(i, j, last)})
    place = {pair: k for k, pair in enumerate(differences)}
    first = [[float((k == i) - (k == j)) for k in range(n)] for i, j in differences]
    first += [[0.0] * last + [1.0], [0.0] * last + [-1.0]]
    c = np.array([c for c, *_ in terms])
    sums = np.array([[_sum(side, place, last) for side in (a, b)] for _, a, b in terms])
    factor = float(c @ [len(a) for _, a, _ in terms])
    linear = c @ sums[:, 1]
    linear[-2:] = factor, -factor
    rows = np.concatenate([sums[:, 0] - sums[:, 1], [linear, -linear]])
    layers = [(first, [0] * len(first)), (rows, [0] * len(rows)), ([[*c, 1.0, -1.0]], [0])]
    return record(ReLUNetwork.from_layers(layers), factor=factor)


def _units(i: int, j: int, last: int) -> list[tuple[int, int]]:
    """The differences whose positive parts give max(x_i, x_j) - x_last, i <= j."""
    if i == j == last:
        return []
    return [(i, last)] if j == last else [(i, j), (j, last), (last, j)]


def _sum(pairs: Pairs, place: dict[tuple[int, int], int], last: int) -> np.ndarray:
    """The sum of p_ij - x_last over pairs, as weights of the first layer's units."""
    weights = np.zeros(len(place) + 2)
    for pair in pairs:
        for sign, unit in zip((1, 1, -1), _units(*pair, last), strict=False):
            weights[place[unit]] += sign
    return weights


def _symmetries() -> list[tuple[int, ...]]:
    """The 16 permutations of 0..5 that keep `SIX`: those of the square 0123, with or without 45."""
    square = [tuple((s * k + t) % 4 for k in range(4)) for s in (1, -1) for t in range(4)]
    return [(*p, *q) for p, q in product(square, ((4, 5), (5, 4)))]


def _orbits(terms: tuple[Term, ...]) -> list[Term]:
    """All terms, once each: max(p_01, p_24) is max(x_0, x_1, x_2, x_4), whatever the pairs."""
    found: dict[Any, Term] = {}
    for c, a, b in terms:
        for p in _symmetries():
            first, second = (
                tuple(sorted((min(p[i], p[j]), max(p[i], p[j])) for i, j in side))
                for side in (a, b)
            )
            pairs = len(a) > 1
            key = frozenset({first, second} if pairs else {*first[0], *second[0]})
            found.setdefault((c, key), (c, first, second))
    return list(found.values())
