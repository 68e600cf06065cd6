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

    def add(self, lost: Array, bounds: Array) -> None:
        """Add the shares (n,) that are lost for each 1 by which bounds (n,) are worse; levels grow
        to the bound, but not above 0.
        """
        self.share[:] += lost
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
        self, k: int, form: Array, factor: Array, bounds: tuple[Array, Array], whole: Layer
    ) -> None:
        """Add what the least value of form relu(z) - factor z (n,) needs of the bounds of a layer;
        whole: the layer on the whole set, where bounds are at worst.
        """
        low, high = bounds
        worst, best = worse(bounds, whole)
        now = least(form, factor, low, high)
        under = now - least(form, factor, worst, high)
        above = now - least(form, factor, low, best)
        self.note(k, under / (low - worst), above / (best - high), bounds)
        self.signs(k, form != 0, whole)

    def add_by_rule(
        self, k: int, positive: Array, negative: Array, bounds: tuple[Array, Array], whole: Layer
    ) -> None:
        """The same of lines that follow from bounds, for the sums (n,) of the positive parts of
        forms and of the negative ones.
        """
        low, high = bounds
        worst, best = worse(bounds, whole)
        is_open = (low < 0) & (high > 0)
        chord = high / np.where(is_open, high - low, 1.0)
        both = positive + negative  # a unit whose sign is lost gets other lines
        on = (negative * np.maximum(-worst, 0) + both * high) / (low - worst)
        off = (negative * np.maximum(best, 0) - both * low) / (best - high)
        under = np.where(is_open, negative * chord, np.where(low >= 0, on, 0.0))
        above = np.where(is_open, negative * (1 - chord), np.where(high <= 0, off, 0.0))
        self.note(k, under, above, bounds)
        self.signs(k, both > 0, whole)

    def note(self, k: int, under: Array, above: Array, bounds: tuple[Array, Array]) -> None:
        """Add shares that are lost for each 1 by which bounds are worse."""
        self.low[k].add(under, bounds[0])
        self.high[k].add(above, -bounds[1])

    def signs(self, k: int, matters: Array, whole: Layer) -> None:
        """A unit whose sign is known needs the bound that says so."""
        self.low[k].share[matters & (whole.low >= 0)] += TINY
        self.high[k].share[matters & (whole.high <= 0)] += TINY


def worse(bounds: tuple[Array, Array], whole: Layer) -> tuple[Array, Array]:
    """The worst bounds that units may have."""
    spare = 0.05 * (whole.high - whole.low) + 1e-9
    return np.minimum(bounds[0], whole.low) - spare, np.maximum(bounds[1], whole.high) + spare
