"""Continuous piecewise-linear functions of one number t >= 0, in exact arithmetic."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Curve:
    """A function by its places 0 = x_0 < x_1 < ..., the values there, and the slope behind."""

    places: tuple[Fraction, ...]
    values: tuple[Fraction, ...]
    slope: Fraction

    def __call__(self, t: Fraction) -> Fraction:
        k = bisect_right(self.places, t) - 1
        x, y = self.places[k], self.values[k]
        if k + 1 == len(self.places):
            return y + self.slope * (t - x)
        rise = (self.values[k + 1] - y) / (self.places[k + 1] - x)
        return y + rise * (t - x)

    def at(self, places: Sequence[Fraction]) -> Curve:
        """The same function with more places, which hold its own, ascending."""
        return Curve(tuple(places), tuple(map(self, places)), self.slope)

    def crossings(self, level: Fraction) -> list[Fraction]:
        """Where it passes a level between its places."""
        found = []
        ends = zip(self.places, self.places[1:], self.values, self.values[1:], strict=False)
        for a, b, u, v in ends:
            if (u - level) * (v - level) < 0:
                found.append(a + (level - u) / (v - u) * (b - a))
        if self.slope and (level - self.values[-1]) / self.slope > 0:
            found.append(self.places[-1] + (level - self.values[-1]) / self.slope)
        return found

    @property
    def positive(self) -> Curve:
        """The larger of it and 0."""
        fine = self.at(sorted({*self.places, *self.crossings(Fraction(0))}))
        zero = Fraction(0)
        ends = fine.values[-1] > 0 or (fine.values[-1] == 0 and fine.slope > 0)
        values = tuple(max(v, zero) for v in fine.values)
        return Curve(fine.places, values, fine.slope if ends else zero).plain

    @property
    def plain(self) -> Curve:
        """The same function by the places alone where its slope changes."""
        kept, slopes = [0], []
        for k in range(len(self.places) - 1):
            step = self.places[k + 1] - self.places[k]
            slopes.append((self.values[k + 1] - self.values[k]) / step)
        slopes.append(self.slope)
        kept += [k for k in range(1, len(self.places)) if slopes[k] != slopes[k - 1]]
        chosen = tuple(self.places[k] for k in kept), tuple(self.values[k] for k in kept)
        return Curve(*chosen, self.slope)

    @property
    def least(self) -> Fraction | None:
        """Its least value; None where it falls for ever."""
        return min(self.values) if self.slope >= 0 else None

    @property
    def most(self) -> Fraction | None:
        """Its largest value; None where it grows for ever."""
        return max(self.values) if self.slope <= 0 else None


IDENTITY = Curve((Fraction(0),), (Fraction(0),), Fraction(1))
"""t itself."""


def constant(value: Fraction) -> Curve:
    """A constant."""
    return Curve((Fraction(0),), (value,), Fraction(0))


def total(terms: Iterable[tuple[Fraction, Curve]], bias: Fraction = Fraction(0)) -> Curve:
    """A sum of multiples of functions, and a number."""
    given = list(terms)
    places = sorted({Fraction(0), *(x for _, curve in given for x in curve.places)})
    fine = [(weight, curve.at(places)) for weight, curve in given]
    values = [bias + sum(w * c.values[k] for w, c in fine) for k in range(len(places))]
    slope = sum((w * c.slope for w, c in fine), Fraction(0))
    return Curve(tuple(places), tuple(values), slope).plain
