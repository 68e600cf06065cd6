"""Proof that a network of ramps on directions has the label on every ball, from the weights it
really has.

On a ball each unit of the first layer is in an interval. A unit of the second layer reads one of
them, so the one unit of the third layer reads a sum of functions of one number each: its interval
is found exactly, and what stands behind it is a function of one number, as in `line`.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions import Ball, ReLUNetwork
from constructions.internal import exact_rows

from ..proofs.matching import require
from .line import least_margin, margins, reach_of

Piece = tuple[Fraction, Fraction]


def prove_grid(network: ReLUNetwork, x: np.ndarray, y: np.ndarray, ball: Ball) -> Fraction:
    """The least margin on all balls; raises `Unproved` where it is not positive, and for a network
    of another shape.
    """
    require(len(network.layers) >= 4, "the network has too few layers for ramps and a table")
    first, ramps, read = map(exact_rows, network.layers[:3])
    require(len(read) == 1, "the third layer has more than one unit")
    require(all(len(row) <= 1 for row, _ in ramps), "a unit of the second layer reads several")
    weights = dict(read[0][0])
    rest = read[0][1]
    units: list[list[tuple[Fraction, Fraction, Fraction]]] = [[] for _ in first]
    for i, (row, bias) in enumerate(ramps):
        for j, weight in row:
            units[j].append((weights.get(i, Fraction(0)), weight, bias))
        if not row:
            rest += weights.get(i, Fraction(0)) * max(bias, Fraction(0))
    functions = [Pieces.of(found) for found in units]
    reaches = [reach_of([w for _, w in row], ball) for row, _ in first]
    images = ReLUNetwork(network.layers[:1]).exact(x)
    ranges = []
    for image in images.tolist():
        ends = [
            function.range(max(Fraction(0), z - reach), max(Fraction(0), z + reach))
            for function, z, reach in zip(functions, image, reaches, strict=True)
        ]
        low, high = (rest + sum(end[k] for end in ends) for k in (0, 1))
        ranges.append((max(Fraction(0), low), max(Fraction(0), high)))
    return _least(network, ranges, y)


def _least(
    network: ReLUNetwork, ranges: Sequence[tuple[Fraction, Fraction]], y: np.ndarray
) -> Fraction:
    """The least margin behind the unit of the third layer; single places are evaluated at once."""
    behind = ReLUNetwork(network.layers[3:])
    starts = [[low] for low, _ in ranges]
    bounds = margins(behind.exact(starts), y)
    tail = [exact_rows(layer) for layer in behind.layers]
    known: dict[tuple[Fraction, Fraction, int], Fraction] = {}
    for i, ((low, high), label) in enumerate(zip(ranges, y.tolist(), strict=True)):
        require(bounds[i] > 0, f"ball {i} has no positive margin")
        if low < high:
            key = low, high, label
            if key not in known:
                known[key] = least_margin(tail, low, high, label)
            bounds[i] = known[key]
            require(bounds[i] > 0, f"ball {i} has no positive margin")
    return min(bounds)


@dataclass(frozen=True)
class Pieces:
    """A continuous function on t >= 0: slope and value at 0 of its piece before the first kink,
    between two kinks, and behind the last.
    """

    kinks: tuple[Fraction, ...]
    pieces: tuple[Piece, ...]

    @classmethod
    def of(cls, units: Sequence[tuple[Fraction, Fraction, Fraction]]) -> Pieces:
        """The sum of factor relu(weight t + bias), from (factor, weight, bias)s, weight != 0."""
        kinks = sorted({-bias / weight for _, weight, bias in units})
        insides = [
            kinks[0] - 1 if kinks else Fraction(0),
            *((a + b) / 2 for a, b in itertools.pairwise(kinks)),
            *([kinks[-1] + 1] if kinks else []),
        ]
        pieces = []
        for t in insides:
            on = [(f * w, f * b) for f, w, b in units if w * t + b > 0]
            pieces.append((sum(s for s, _ in on), sum(v for _, v in on)))
        return cls(tuple(kinks), tuple((Fraction(s), Fraction(v)) for s, v in pieces))

    def range(self, low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
        """The least and the largest value on [low, high]."""
        start, stop = bisect_right(self.kinks, low), bisect_left(self.kinks, high)
        if start >= stop and not self.pieces[start][0]:
            return (self.pieces[start][1],) * 2
        places = [low, *self.kinks[start:stop], high]
        values = [self(t) for t in places]
        return min(values), max(values)

    def __call__(self, t: Fraction) -> Fraction:
        slope, value = self.pieces[bisect_left(self.kinks, t)]
        return slope * t + value
