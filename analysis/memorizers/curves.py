"""Continuous piecewise-linear functions of one number t >= 0, in exact arithmetic."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property


@dataclass(frozen=True)
class Curve:
    """A function by its places 0 = x_0 < x_1 < ..., the values there, and the slope behind."""

    places: tuple[Fraction, ...]
    values: tuple[Fraction, ...]
    slope: Fraction

    def __call__(self, t: Fraction) -> Fraction:
        k = bisect_right(self.places, t) - 1
        return self.values[k] + self.slopes[k] * (t - self.places[k])

    def at(self, places: Sequence[Fraction]) -> Curve:
        """The same function with more places, which hold its own, ascending."""
        values, k, slopes = [], 0, self.slopes
        for t in places:
            if k + 1 < len(self.places) and t == self.places[k + 1]:
                k += 1
            rise = slopes[k]
            values.append(self.values[k] + rise * (t - self.places[k]) if rise else self.values[k])
        return Curve(tuple(places), tuple(values), self.slope)

    @cached_property
    def slopes(self) -> tuple[Fraction, ...]:
        """Behind each place."""
        found = []
        for k in range(len(self.places) - 1):
            rise = self.values[k + 1] - self.values[k]
            found.append(rise / (self.places[k + 1] - self.places[k]) if rise else rise)
        return (*found, self.slope)

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
        slopes = self.slopes
        kept = [0, *(k for k in range(1, len(self.places)) if slopes[k] != slopes[k - 1])]
        if len(kept) == len(self.places):
            return self
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
    if len(given) == 1 and given[0][0] == 1 and not bias:
        return given[0][1]
    places = sorted({Fraction(0), *(x for _, curve in given for x in curve.places)})
    values, slope = [bias] * len(places), Fraction(0)
    for weight, curve in given:
        slope += weight * curve.slope
        fine = curve.at(places).values
        values = [v + weight * u if u else v for v, u in zip(values, fine, strict=True)]
    return Curve(tuple(places), tuple(values), slope).plain
