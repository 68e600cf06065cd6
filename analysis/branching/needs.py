"""For each bound of a unit: what share of its slack a leaf loses, at most, if it is worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..search.bounding import Array, Layer, least

TINY = 1e-100
"""Marks a bound that is needed though no slack depends on it."""


@dataclass(frozen=True, eq=False)
class Side:
    """What leaves need of the lower bounds of a layer, or of the upper ones times -1.

    share (n,): of a leaf's slack, lost at most for each 1 by which a bound is below `level` (n,);
    a bound above it is as good.
    """

    share: Array
    level: Array

    @classmethod
    def none(cls, size: int) -> Side:
        """Nothing is needed."""
        return cls(np.zeros(size), np.full(size, -np.inf))

    def most(self, other: Side) -> Side:
        """What the more demanding of two leaves needs."""
        return Side(np.maximum(self.share, other.share), np.maximum(self.level, other.level))

    def forget(self, units: Array | int) -> None:
        """Something else gives these bounds."""
        self.share[units], self.level[units] = 0.0, -np.inf

    def add(self, lost: Array, width: Array, bounds: Array) -> None:
        """Add that t forms lose so much, (t, n), where bounds (n,) are worse by a width (n,):
        shares grow by the quotient, levels to the bound, but not above 0.
        """
        lost = lost.sum(axis=0)
        self.share[:] += lost / width
        self.level[:] = np.where(
            lost > 0, np.maximum(self.level, np.minimum(bounds, 0)), self.level
        )

    def cost(self, units: Array, before: Array, now: Array) -> Array:
        """The shares that are lost if units have the bounds before, not those now."""
        return self.share[units] * np.maximum(np.minimum(now, self.level[units]) - before, 0.0)


@dataclass(frozen=True, eq=False)
class Need:
    """What leaves need of the bounds of each layer: low[i], high[i] of layer i."""

    low: list[Side]
    high: list[Side]

    @classmethod
    def none(cls, sizes: Sequence[int]) -> Need:
        """Nothing is needed."""
        return cls([Side.none(n) for n in sizes], [Side.none(n) for n in sizes])

    def most(self, other: Need) -> Need:
        """What the more demanding of two leaves needs."""
        return Need(
            [a.most(b) for a, b in zip(self.low, other.low, strict=True)],
            [a.most(b) for a, b in zip(self.high, other.high, strict=True)],
        )

    def add(
        self,
        k: int,
        forms: Array,
        factors: Array,
        bounds: tuple[Array, Array],
        whole: Layer,
        by_rule: bool = False,
    ) -> None:
        """Add what least values of forms relu(z) - factors z (t, n) need of the bounds of a layer;
        whole: the layer on the whole set, where bounds are at worst. By rule, factors are other
        ones where a unit's sign is not known.
        """
        low, high = bounds
        now, spare = least(forms, factors, low, high), 0.05 * (whole.high - whole.low) + 1e-9
        worst, best = np.minimum(low, whole.low) - spare, np.maximum(high, whole.high) + spare
        under = now - least(forms, factors, worst, high)
        above = now - least(forms, factors, low, best)
        if by_rule:
            under += np.where(low >= 0, np.abs(forms) * high, 0.0)
            above += np.where(high <= 0, np.abs(forms) * -low, 0.0)
        self.low[k].add(under, low - worst, low)
        self.high[k].add(above, best - high, -high)
        matters = forms.any(axis=0)  # a unit whose sign is known needs the bound that says so
        self.low[k].share[matters & (whole.low >= 0)] += TINY
        self.high[k].share[matters & (whole.high <= 0)] += TINY
