"""Gauss-Jordan elimination in exact arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

Rows = list[list[Fraction]]


def reduced(rows: Sequence[Sequence[Fraction]], width: int) -> tuple[Rows, list[int]]:
    """The reduced echelon form, by pivots in the first `width` columns, and the pivots' columns.

    Rows from number len(pivots) on are 0 there.

    >>> reduced([[Fraction(0), Fraction(2), Fraction(6)]], 2)
    ([[Fraction(0, 1), Fraction(1, 1), Fraction(3, 1)]], [1])
    """
    left, pivots = [list(row) for row in rows], list[int]()
    for j in range(width):
        done = len(pivots)
        i = next((i for i in range(done, len(left)) if left[i][j]), None)
        if i is None:
            continue
        left[done], left[i] = left[i], left[done]
        pivot = [v / left[done][j] for v in left[done]]
        for r, row in enumerate(left):
            if r != done and row[j]:
                left[r] = [v - row[j] * p for v, p in zip(row, pivot, strict=True)]
        left[done] = pivot
        pivots.append(j)
    return left, pivots


def null_vector(rows: Sequence[Sequence[Fraction]], width: int) -> list[Fraction]:
    """A vector u != 0 with row u = 0 for all rows, which have a rank below `width`: its component
    at the first column without a pivot is 1.

    >>> null_vector([[Fraction(1), Fraction(2)]], 2)
    [Fraction(-2, 1), Fraction(1, 1)]
    """
    left, pivots = reduced(rows, width)
    free = next(j for j in range(width) if j not in pivots)
    u = [Fraction(int(j == free)) for j in range(width)]
    for row, j in zip(left, pivots, strict=False):
        u[j] = -row[free]
    return u
