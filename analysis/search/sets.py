"""Sets in rational numbers: boxes, and boxes that an l_2 ball cuts."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from .bounding import Inputs

GRID = 64
"""Bounds of units are integers over 2^GRID, or finer where the set needs it."""

Point = tuple[Fraction, ...]


@dataclass(frozen=True)
class ExactSet:
    """A box, and optionally an l_2 ball that cuts it: centre and radius, dyadic then.

    Certificates hold integers over 2^scale: where sides of a box are not dyadic, the least such box
    around it. Witnesses lie in the box itself.
    """

    lower: list[Fraction]
    upper: list[Fraction]
    ball: tuple[list[Fraction], Fraction] | None = None

    @functools.cached_property
    def scale(self) -> int:
        """The least g >= GRID for which all dyadic numbers are integers over 2^g, and all others
        have GRID bits or more.
        """
        numbers = [*self.lower, *self.upper, *((*self.ball[0], self.ball[1]) if self.ball else ())]
        bottoms = {v.denominator for v in numbers}
        if not any(bottom & bottom - 1 for bottom in bottoms):
            return max(GRID, max(bottoms).bit_length() - 1)
        return max(GRID, *(_bits(v) for v in numbers))

    @functools.cached_property
    def _ends(self) -> tuple[list[int], list[int]]:
        g, ends = self.scale, [(v.numerator, v.denominator) for v in (*self.lower, *self.upper)]
        d = len(self.lower)
        return [(p << g) // q for p, q in ends[:d]], [-((-p << g) // q) for p, q in ends[d:]]

    def to_json(self) -> dict[str, Any]:
        """As certificates hold it."""
        lower, upper = self._ends
        out: dict[str, Any] = {"scale": self.scale, "lower": [*lower], "upper": [*upper]}
        if self.ball:
            centre, radius = self.ball  # dyadic
            out["ball"] = {
                "centre": [self._below(v) for v in centre],
                "radius": self._below(radius),
            }
        return out

    def _below(self, value: Fraction) -> int:
        """The greatest integer over 2^scale that is not above."""
        return (value.numerator << self.scale) // value.denominator

    def to_floats(self) -> Inputs:
        """The nearest set in float64."""
        lower, upper = (
            np.array([v.numerator / v.denominator for v in side])
            for side in (self.lower, self.upper)
        )
        if self.ball is None:
            return Inputs(lower, upper)
        return Inputs(lower, upper, np.array([float(v) for v in self.ball[0]]), float(self.ball[1]))

    def holds(self, point: Sequence[Fraction]) -> bool:
        """Whether a point is in the set."""
        if not all(a <= v <= b for v, a, b in zip(point, self.lower, self.upper, strict=True)):
            return False
        if self.ball is None:
            return True
        centre, radius = self.ball
        return sum((v - c) ** 2 for v, c in zip(point, centre, strict=True)) <= radius**2

    def nearest(self, point: Sequence[float | Fraction]) -> list[Fraction]:
        """A rational point of the set that is near; of a set that is empty, one of its box."""
        exact = [v if isinstance(v, Fraction) else Fraction(*v.as_integer_ratio()) for v in point]
        inside = self._clipped(exact)
        if self.ball is None or self.holds(inside):
            return inside
        centre, radius = self.ball
        start = self._clipped(centre)  # the box's nearest point to the centre
        ways = [v - s for v, s in zip(inside, start, strict=True)]
        square = sum(w * w for w in ways)
        if not square:
            return start
        off = [s - c for s, c in zip(start, centre, strict=True)]
        half = sum(w * o for w, o in zip(ways, off, strict=True)) / square
        left = (radius**2 - sum(o * o for o in off)) / square
        far = max(half**2 + left, Fraction(0))
        share = (math.sqrt(far) - half) * (1 - 2.0**-40)
        while share > 2.0**-60:
            found = [s + Fraction(share) * w for s, w in zip(start, ways, strict=True)]
            if self.holds(found):
                return found
            share /= 2
        return start

    def _clipped(self, point: Sequence[Fraction]) -> list[Fraction]:
        ends = zip(point, self.lower, self.upper, strict=True)
        return [a if v <= a else min(v, b) for v, a, b in ends]


def _bits(value: Fraction) -> int:
    """Binary digits after the point: all of a dyadic number, GRID of another one, counted from its
    first that is not 0.
    """
    length = value.denominator.bit_length()
    dyadic = value.denominator == 1 << length - 1
    return length - 1 if dyadic else GRID + max(0, length - value.numerator.bit_length())
