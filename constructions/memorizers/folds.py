"""Which points share a stage of a staged memorizer, and the folds that tell them from all others.

A fold of a direction at q takes its coordinate T to T on the left of q and to 2 q - T on the right.
Balls stay intervals of the same length, so folds can be chosen one after another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .grouping import slot_cost

PAIRS = 2**11
"""Pairs that are told apart by no fold yet, and are counted to choose the next one."""

PLACES = 48
"""Places on a direction at which a fold is tried."""

TRIED = 96
"""Directions that are tried for a fold, and the ones in use."""

FINE = 30
"""Bits of a direction's range to which folds are placed; floats have 22 more for their errors."""

FOLD = 12
"""Parameters of a fold: a carried coordinate (1), two units (4), a gate (5), and its bit (2)."""

CELLS = 2**15
"""Most cells that balls of other labels may touch in one stage."""

PATIENCE = 10
"""Folds after which a stage that does not become cheaper a point is closed."""


@dataclass(frozen=True)
class Fold:
    """A fold of direction `row` between q and q + width, in the coordinate that earlier folds of
    the same direction leave; lift is added behind it, so that the coordinate stays >= 0.
    """

    row: int
    place: float
    width: float
    lift: float


@dataclass(frozen=True, eq=False)
class Stage:
    """Folds, the points that they tell from all other labels, and cells: rows of sides 0 and 1,
    and whether these points are in it (True), or balls of other labels touch it (False).
    """

    folds: tuple[Fold, ...]
    points: np.ndarray
    cells: np.ndarray
    inside: np.ndarray


class _Search:
    """Folded coordinates of own points (K) and of others (O), and which pairs are together."""

    def __init__(
        self, own: np.ndarray, other: np.ndarray, reaches: np.ndarray, prices: np.ndarray
    ) -> None:
        self.own, self.other, self.reaches, self.prices = own.copy(), other.copy(), reaches, prices
        self.top = np.maximum(own.max(0), other.max(0)) + reaches
        self.width = np.exp2(np.floor(np.log2(self.top)) - FINE)
        self.kept = np.arange(len(own))
        self.together = np.ones((len(own), len(other)), dtype=bool)
        self.depth = np.zeros(len(reaches), dtype=int)
        self.folds: list[Fold] = []
        self.crossed = np.zeros(len(other))

    def best(self, generator: np.random.Generator, price: float) -> tuple[int, float] | None:
        """The fold that parts most for what it costs: points that its band meets are lost."""
        flat = np.flatnonzero(self.together)
        if len(flat) > PAIRS:
            flat = flat[generator.integers(0, len(flat), PAIRS)]
        first, second = np.divmod(generator.permutation(flat), len(self.other))
        every = np.arange(len(self.reaches))
        drawn = generator.permutation(every)[:TRIED]
        for tried in (np.union1d(drawn, np.flatnonzero(self.depth)), every):
            scores = (self._scored(int(r), first, second, price) for r in tried)
            score, r, q = max(scores, key=lambda found: found[0])
            if score > 0:
                return r, q
        return None

    def _scored(
        self, r: int, i: np.ndarray, o: np.ndarray, price: float
    ) -> tuple[float, int, float]:
        """The best fold of a direction: its score, the direction, the place."""
        far, step = self.reaches[r] + 2 * self.width[r], self.width[r]
        first, second = self.own[i, r], self.other[o, r]
        low, high = np.minimum(first, second) + far, np.maximum(first, second) - far
        fits = high > low + step
        if not fits.any():
            return 0.0, r, 0.0
        low, high = np.sort(low[fits]), np.sort(high[fits])
        middle = ((np.minimum(first, second) + np.maximum(first, second)) / 2)[fits][:PLACES]
        places = np.rint(middle / step) * step
        parted = np.searchsorted(low, places) - np.searchsorted(high, places)
        own = np.sort(self.own[:, r])
        near = far + step
        lost = np.searchsorted(own, places + near) - np.searchsorted(own, places - near)
        gain = -np.log1p(-parted / (len(i) + 1))
        loss = -np.log1p(-lost / (len(own) + 0.5))
        cost = FOLD + (4 if self.depth[r] else self.prices[r])
        scores = gain / (loss + price * cost)
        scores[lost == len(own)] = 0
        k = int(scores.argmax())
        return float(scores[k]), r, float(places[k])

    def fold(self, r: int, q: float) -> None:
        """Fold a direction at q."""
        step, h = float(self.width[r]), self.reaches[r]
        left, right, first, last = _sides(self.own[:, r], self.other[:, r], h, q, step)
        kept = left | right
        self.together &= ~_apart(left, right, first, last)
        self.together, self.own = self.together[kept], self.own[kept]
        self.kept = self.kept[kept]
        self.crossed += ~(first | last)
        self.folds.append(Fold(r, q, step, max(step, self.top[r] - 2 * q)))
        for places in (self.own, self.other):
            places[:, r] = folded(places[:, r], self.folds[-1])
        self.top[r] = q + self.folds[-1].lift
        self.depth[r] += 1

    @property
    def told(self) -> np.ndarray:
        """Own points that are together with no other, as indices."""
        return self.kept[~self.together.any(1)]


def _sides(
    own: np.ndarray, other: np.ndarray, h: float, q: float, step: float
) -> tuple[np.ndarray, ...]:
    """Own balls that are on the left and right of the gate, others that do not reach the left and
    the right side; with room of a quarter step for the errors of floats.
    """
    return (
        own + h + 1.25 * step <= q,
        own - h >= q + 2.25 * step,
        other - h >= q + 0.25 * step,
        other + h <= q + 0.75 * step,
    )


def next_stage(
    own: np.ndarray,
    other: np.ndarray,
    reaches: np.ndarray,
    prices: np.ndarray,
    generator: np.random.Generator,
    price: float,
) -> Stage | None:
    """Folds that tell as many own points from all others as pays; None where none is told.

    own, other: coordinates on all directions, (K, R) and (O, R), >= their reaches. prices: of the
    first use of a direction. price: of a parameter, in shares of the points.
    """
    search = _Search(own, other, reaches, prices)
    best, folds, told = math.inf, 0, np.zeros(0, dtype=int)
    while len(search.folds) < folds + PATIENCE or not len(told):
        if not search.together.any() or np.exp2(search.crossed).sum() > CELLS:
            break
        found = search.best(generator, price)
        if found is None:
            break
        search.fold(*found)
        now = search.told
        if len(now) and np.exp2(search.crossed).sum() <= CELLS:
            share = _cost(search, len(now), len(other)) / len(now)
            if share < best:
                best, folds, told = share, len(search.folds), now
    if not len(told):
        return None
    return _stage(search.folds[:folds], own, other, reaches, told)


def _cost(search: _Search, count: int, others: int) -> float:
    """About what a stage costs: folds and a table."""
    bits = 2 * math.log2(2 + math.sqrt(count / 10)) + 1
    table = 2 * math.sqrt(6 * count * (7 * bits + slot_cost(0, windowed=False))) + 40
    return FOLD * len(search.folds) + table


def _stage(
    folds: list[Fold], own: np.ndarray, other: np.ndarray, reaches: np.ndarray, told: np.ndarray
) -> Stage:
    """The folds that are needed, and the cells."""
    own = own[told]
    spare: int | None = -1
    while spare is not None:
        found = _placed(folds, own, other, reaches)
        total = np.zeros((len(own), len(other)), dtype=np.uint16)
        for sides in found:
            total += _apart(*sides)
        last = {fold.row: k for k, fold in enumerate(folds)}
        # the last fold of a direction may go, as no other one is behind it
        removable = (k for k in last.values() if (total - _apart(*found[k])).min(initial=1) > 0)
        spare = next(removable, None) if len(folds) > 1 else None
        if spare is not None:
            folds = [*folds[:spare], *folds[spare + 1 :]]
    inside = np.unique(np.stack([right for _, right, *_ in found], 1).astype(np.int8), axis=0)
    touched = [np.where(first, 1, np.where(last, 0, 2)) for *_, first, last in found]
    outside = np.unique(_expanded(np.stack(touched, 1)), axis=0)
    cells = np.concatenate([inside, outside])
    return Stage(tuple(folds), told, cells, np.arange(len(cells)) < len(inside))


def _apart(left: np.ndarray, right: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Which pairs of an own and another ball a fold tells apart."""
    return np.asarray((left[:, None] & first) | (right[:, None] & last))


def _placed(
    folds: Sequence[Fold], own: np.ndarray, other: np.ndarray, reaches: np.ndarray
) -> list[tuple[np.ndarray, ...]]:
    """What `_sides` says of each fold."""
    own, other, found = own.copy(), other.copy(), []
    for fold in folds:
        r = fold.row
        found.append(_sides(own[:, r], other[:, r], reaches[r], fold.place, fold.width))
        for places in (own, other):
            places[:, r] = folded(places[:, r], fold)
    return found


def folded(places: np.ndarray, fold: Fold) -> np.ndarray:
    """The coordinate behind a fold."""
    q, step = fold.place, fold.width
    return np.asarray(np.where(places <= q, places, 2 * q + step - places) + fold.lift)


def _expanded(touched: np.ndarray) -> np.ndarray:
    """All rows of 0 and 1, with both for each 2."""
    rows = np.unique(touched, axis=0).astype(np.int8)
    for k in range(rows.shape[1]):
        both = rows[:, k] == 2
        again = rows[both]
        again[:, k] = 1
        rows[both, k] = 0
        rows = np.concatenate([rows, again])
    return rows
