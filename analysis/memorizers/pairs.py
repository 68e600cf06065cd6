"""Which of affine functions is the largest on a ball: pairs of them, in exact arithmetic.

Functions and centres are integers of a common power of two, so that float64 holds sums of their
products. Where they are those of the nearest centre, the two nearest centres decide for all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions import separation

from ..proofs.matching import require

UNDECIDED = 10**5
"""Most pairs that floats leave open and rational numbers decide."""

EXACT = 2.0**53

TINY = 2.0**-500
"""More than what is lost where squares underflow."""

Functions = frozenset[int]


@dataclass(frozen=True, eq=False)
class Maxima:
    """Affine functions with rows (M, D) and offsets (M,), for each class the set whose maximum it
    takes, and the scale of their differences.
    """

    rows: np.ndarray
    offsets: np.ndarray
    classes: tuple[Functions, ...]
    scale: Fraction


@dataclass(frozen=True, eq=False)
class Pairs:
    """Functions and centres as integers of a common power of two: products and sums of D of them
    are below 2^53. reach: twice a bound of the radius and of how far centres were moved.
    """

    rows: np.ndarray
    offsets: np.ndarray
    centres: np.ndarray
    bits: int
    p: float
    radius: Fraction
    needed: Fraction

    @classmethod
    def of(cls, found: Maxima, x: np.ndarray, p: float, radius: Fraction) -> Pairs:
        """Scaled to integers; raises `Unproved` where float64 does not hold their products."""
        dimension = x.shape[1]
        bits = (47 - math.ceil(math.log2(dimension))) // 2
        rows, offsets = found.rows * 2.0**bits, found.offsets * 4.0**bits
        whole = (rows == np.rint(rows)).all() and (offsets == np.rint(offsets)).all()
        require(bool(whole), f"weights are no multiples of 2^-{bits}")
        centres = np.rint(x * 2.0**bits)
        most = np.abs(rows).max(initial=1.0)
        large = 4 * dimension * most * max(most, 2.0**bits) + 2 * np.abs(offsets).max(initial=0.0)
        require(bool(large < EXACT), "weights are too large for the exact comparison of pairs")
        moved = np.abs(x - centres * 2.0**-bits)
        size = (
            moved.max(1)
            if p == math.inf
            else np.sqrt((moved**2).sum(1)) * (1 + 2.0**-30) + TINY * moved.any(1)
        )
        most_moved = Fraction(float(size.max(initial=0.0)))
        return cls(rows, offsets, centres, bits, p, radius + most_moved, 1 / found.scale)

    def values(self, owners: np.ndarray) -> np.ndarray:
        """All functions at centres, exact integers of 4^-bits."""
        return self.centres[owners] @ self.rows.T + self.offsets

    def are_apart(self, classes: np.ndarray, kinds: np.ndarray) -> bool:
        """Whether all balls are proved at once, in l_2: the functions, of classes `kinds`, are K -
        |x - c|^2 and what is the same for all, of places c among which each centre is, in its own
        class, and places of other classes are far enough. False: pairs have to decide.

        On the ball of radius r around a centre its function exceeds that of c by d^2 - 2 r d at
        least, d their distance, which grows with d >= r: the least d decides.
        """
        if self.p != 2 or np.abs(self.centres).max() > 2.0 ** (self.bits + 1):
            return False
        own = int(np.where(kinds == classes[0], self.values(np.array([0]))[0], -np.inf).argmax())
        places = (self.rows - self.rows[own]) / 2 + self.centres[0]
        if not (
            (places == np.rint(places)).all() and np.abs(places).max() <= 2.0 ** (self.bits + 1)
        ):
            return False
        levels = self.offsets + (places**2).sum(1)
        known = {(k, c.tobytes()) for k, c in zip(kinds.tolist(), _whole(places), strict=True)}
        held = zip(classes.tolist(), _whole(self.centres), strict=True)
        if (levels != levels[0]).any() or not all((k, c.tobytes()) in known for k, c in held):
            return False
        found = separation(self.centres, classes, places, kinds, norm=2)
        if found.pair is None:
            return True
        least, reach = Fraction(found.lower), self.radius * 2**self.bits
        return least**2 - 2 * reach * least >= self.needed * 4**self.bits

    def check(
        self, owners: np.ndarray, own: np.ndarray, others: np.ndarray, values: np.ndarray
    ) -> None:
        """Raise `Unproved` unless function own[i] exceeds all others by what is needed, on all of
        ball i.
        """
        gaps = values[np.arange(len(owners)), own][:, None] - values
        if self.p == math.inf:
            lengths = np.stack([np.abs(self.rows - self.rows[k]).sum(1) for k in own])
        else:
            norms = (self.rows**2).sum(1)
            lengths = norms[own][:, None] + norms - 2 * (self.rows[own] @ self.rows.T)
        sizes = lengths if self.p == math.inf else np.sqrt(lengths)
        # 4^bits (g(c) - needed) and 4^bits radius |gradient|, with room for what floats round
        reach, needed = float(self.radius) * 2.0**self.bits, float(self.needed) * 4.0**self.bits
        left = (gaps - needed) * (1 - 2.0**-48) - 2.0**-50 * needed  # needed is rounded, too
        clear = (left > 0) & (left >= reach * sizes * (1 + 2.0**-48))
        places = np.argwhere(others & ~clear)
        require(len(places) <= UNDECIDED, "too many pairs are too close")
        for i, j in places.tolist():
            gap = Fraction(gaps[i, j]) - self.needed * 4**self.bits
            least = self.radius * 2**self.bits
            length = Fraction(lengths[i, j])
            holds = (
                gap >= least * length
                if self.p == math.inf
                else gap >= 0 and gap**2 >= least**2 * length
            )
            require(
                holds,
                f"ball {owners[i]}: no function of its class exceeds the others by enough",
            )


def _whole(values: np.ndarray) -> np.ndarray:
    """Integers below 2^31 as such."""
    return values.astype(np.int32)
