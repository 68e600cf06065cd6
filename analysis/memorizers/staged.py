"""Proof that a network of stages has the label on every ball, from the weights it really has.

A stage is read backwards from its output o = r(v - B): v is a function of one number s, found where
all of v's units depend on a single one, and s and B are sums of functions of one direction each. On
a ball each direction is in an interval. Where B's function of one direction is 1 or more there, o
is 0, as v <= 1; elsewhere the functions in s must be constant, so that s has finitely many values:
one for each cell that the ball touches, at which v is evaluated.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from constructions import Ball, ReLUNetwork
from constructions.internal import affine_of, exact_rows

from ..proofs.matching import require
from .curves import IDENTITY, Curve, constant, total
from .line import Row, reach_of

CELLS = 2**16
"""Most cells of a stage that one ball may touch."""

Range = tuple[Fraction, Fraction]
ZERO, ONE = Fraction(0), Fraction(1)


@dataclass(frozen=True)
class Sum:
    """A sum of functions of one direction each, and a number."""

    parts: dict[int, Curve]
    rest: Fraction


@dataclass(frozen=True, eq=False)
class Stage:
    """o = r(v - B): the sum s before its unit, B, and the layers from s to v."""

    place: Sum
    shut: Sum
    value: ReLUNetwork


def prove_staged(network: ReLUNetwork, x: np.ndarray, y: np.ndarray, ball: Ball) -> Fraction:
    """The least margin on all balls; raises `Unproved` where it is not positive, and for a network
    of another shape.
    """
    require(len(network.layers) >= 7, "the network has too few layers for folds, tables and gates")
    layers = [exact_rows(layer) for layer in network.layers]
    reader = _Reader(layers)
    stages = [reader.stage(k) for k in range(len(layers[-3]))]
    reaches = [reach_of([w for _, w in row], ball) for row, _ in layers[0]]
    images = ReLUNetwork(network.layers[:1]).exact(x)
    intervals = [
        [(max(ZERO, z - far), max(ZERO, z + far)) for z, far in zip(image, reaches, strict=True)]
        for image in images.tolist()
    ]
    found = [stage_ranges(stage, intervals) for stage in stages]
    bounds = []
    for i, label in enumerate(y.tolist()):
        bounds.append(_margin(layers[-2:], [ranges[i] for ranges in found], label))
        require(bounds[-1] > 0, f"ball {i} has no positive margin")
    return min(bounds)


class _Reader:
    """What units are, by the rows of all layers."""

    def __init__(self, layers: Sequence[Sequence[Row]]) -> None:
        self.layers = layers
        self.known: dict[tuple[int, int], Sum] = {}

    def stage(self, unit: int) -> Stage:
        """The stage that ends in a unit of the layer before the last hidden one."""
        level = len(self.layers) - 3
        row, bias = self.layers[level][unit]
        while len(row) == 1 and row[0][1] == 1 and not bias:  # carried on
            level, unit = level - 1, row[0][0]
            require(level > 0, "a stage has no gate")
            row, bias = self.layers[level][unit]
        feeds = [tuple(sorted(self.layers[level - 1][j][0])) for j, _ in row]
        shared = {feed for feed in feeds if feeds.count(feed) > 1}
        require(len(shared) == 1, "a stage's value is no function of one sum")
        (feed,) = shared
        require(all(w >= 0 for _, w in feed), "a stage's value reads a sum that may be negative")
        own = [(j, w) for (j, w), other in zip(row, feeds, strict=True) if other == feed]
        gates = [(j, w) for (j, w), other in zip(row, feeds, strict=True) if other != feed]
        curves = [
            (w, total([(ONE, IDENTITY)], self.layers[level - 1][j][1]).positive) for j, w in own
        ]
        most = total(curves, bias).most
        require(most is not None and most <= 1, "a stage's value may be above 1")
        shut = self.summed([(j, -w) for j, w in gates], ZERO, level)
        require(_floor(shut) >= 0, "a stage's gates may add up to less than 0")
        start, place, value = self.tail(level, own, bias)
        row, bias = self.layers[start][place]
        return Stage(self.summed(row, bias, start), shut, value)

    def tail(
        self, level: int, own: list[tuple[int, Fraction]], bias: Fraction
    ) -> tuple[int, int, ReLUNetwork]:
        """The first layer after the first hidden one where a single unit is all that the value
        depends on, this unit, and the network from there.
        """
        needed = [sorted(j for j, _ in own)]  # of layers level - 1, level - 2, ...
        for above in range(level - 1, 1, -1):
            needed.append(sorted({j for k in needed[-1] for j, _ in self.layers[above][k][0]}))
        single = [k for k, units in enumerate(needed) if len(units) == 1]
        require(bool(single), "a stage's value depends on no single unit")
        last = single[-1]
        layers = []
        for k in range(last, 0, -1):
            index = {unit: m for m, unit in enumerate(needed[k])}
            rows = [self.layers[level - k][unit] for unit in needed[k - 1]]
            forms = [({index[j]: w for j, w in row}, offset) for row, offset in rows]
            layers.append(affine_of(forms, len(index)))
        index = {unit: m for m, unit in enumerate(needed[0])}
        layers.append(affine_of([({index[j]: w for j, w in own}, bias)], len(index)))
        return level - 1 - last, needed[last][0], ReLUNetwork(tuple(layers))

    def summed(self, row: Sequence[tuple[int, Fraction]], bias: Fraction, level: int) -> Sum:
        """What goes into a unit, by directions; level: its layer."""
        terms: dict[int, list[tuple[Fraction, Curve]]] = {}
        for unit, weight in row:
            read = self.unit(level - 1, unit)
            bias += weight * read.rest
            for direction, curve in read.parts.items():
                terms.setdefault(direction, []).append((weight, curve))
        return Sum({direction: total(found) for direction, found in terms.items()}, bias)

    def unit(self, level: int, unit: int) -> Sum:
        """A unit of a layer: a function of one direction, or a sum that is never negative."""
        if (level, unit) not in self.known:
            if level == 0:
                self.known[level, unit] = Sum({unit: IDENTITY}, ZERO)
            else:
                before = self.summed(*self.layers[level][unit], level)
                if len(before.parts) <= 1:
                    parts = {
                        direction: total([(ONE, curve)], before.rest).positive
                        for direction, curve in before.parts.items()
                    }
                    rest = ZERO if parts else max(ZERO, before.rest)
                    before = Sum(parts, rest)
                require(_floor(before) >= 0, "a sum of several directions may be negative")
                self.known[level, unit] = before
        return self.known[level, unit]


def _floor(found: Sum) -> Fraction:
    """At least this much; -1 where there is no bound."""
    least = [curve.least for curve in found.parts.values()]
    known = [v for v in least if v is not None]
    return sum(known, found.rest) if len(known) == len(least) else -ONE


def stage_ranges(stage: Stage, intervals: Sequence[Sequence[Range]]) -> list[Range]:
    """At least and at most a stage's output on each ball, whose directions are in intervals."""
    used = sorted({*stage.place.parts, *stage.shut.parts})
    segments = {j: _Segments.of(stage, j) for j in used}
    # each gate alone shuts the stage, as the others are never negative
    require(stage.shut.rest >= 0, "a stage's gates begin below 0")
    touched = []
    for ball in intervals:
        open_, near, cells = True, stage.shut.rest, {stage.place.rest}
        for j in used:
            values, most, free = segments[j].on(*ball[j])
            open_, near = open_ and free, near + most
            cells = {a + b for a, b in itertools.product(cells, values)}
            require(len(cells) <= CELLS, "a ball touches too many cells")
        touched.append((open_, near, cells))
    places = sorted({max(ZERO, s) for *_, cells in touched for s in cells})
    found = stage.value.exact([[s] for s in places])[:, 0].tolist() if places else []
    known = dict(zip(places, found, strict=True))
    ranges = []
    for open_, near, cells in touched:
        here = [known[max(ZERO, s)] for s in cells]
        low = min(here, default=ZERO) - near if open_ else ZERO
        ranges.append((max(ZERO, low), max(ZERO, *here, ZERO)))
    return ranges


@dataclass(frozen=True)
class _Segments:
    """Between two places in turn: the value in s (None: it changes), the most in B, and whether B
    is at least 1.
    """

    places: list[Fraction]
    values: list[Fraction | None]
    gates: list[Fraction]
    shut: list[bool]

    @classmethod
    def of(cls, stage: Stage, direction: int) -> _Segments:
        """Of a stage's functions of a direction."""
        place = stage.place.parts.get(direction, constant(ZERO))
        gate = stage.shut.parts.get(direction, constant(ZERO))
        require(gate.least is not None and gate.least >= 0, "a gate may be negative")
        places = sorted({*place.places, *gate.places, *gate.crossings(ONE)})
        fine, shut = place.at(places), gate.at(places)
        ends = [*zip(fine.values, fine.values[1:], strict=False), (fine.values[-1], None)]
        values = [a if (a == b if b is not None else not place.slope) else None for a, b in ends]
        # behind the last place a gate grows only from 1 on, as crossings of 1 are places
        most = [max(a, b) for a, b in itertools.pairwise(shut.values)]
        least = [min(a, b) for a, b in itertools.pairwise(shut.values)]
        tail = shut.values[-1]
        return cls(
            places,
            values,
            [*most, tail],
            [*(v >= 1 for v in least), tail >= 1],
        )

    def on(self, low: Fraction, high: Fraction) -> tuple[set[Fraction], Fraction, bool]:
        """On an interval: values in s where B is below 1, the most in B there, and whether it is
        below 1 everywhere.
        """
        first = max(0, bisect_right(self.places, low) - 1)
        last = max(first, bisect_left(self.places, high) - 1)
        here = range(first, last + 1)
        values: set[Fraction] = set()
        most = ZERO
        for k in here:
            if not self.shut[k]:
                value = self.values[k]
                require(value is not None, "a bit is neither 0 nor 1 where no gate is shut")
                if value is not None:
                    values.add(value)
                most = max(most, self.gates[k])
        return values, most, not any(self.shut[k] for k in here)


def _margin(read: Sequence[Sequence[Row]], ranges: Sequence[Range], label: int) -> Fraction:
    """At least y f, or f_y less any other output, where stages are in ranges."""
    sums, outputs = read
    units = []
    for row, bias in sums:
        low, high = _interval(row, bias, ranges)
        units.append((max(ZERO, low), max(ZERO, high)))
    if len(outputs) == 1:
        row, bias = outputs[0]
        return _interval([(j, label * w) for j, w in row], label * bias, units)[0]
    margins = []
    for k, (row, bias) in enumerate(outputs):
        if k != label:
            weights = dict(outputs[label][0])
            for j, w in row:
                weights[j] = weights.get(j, ZERO) - w
            margins.append(_interval(list(weights.items()), outputs[label][1] - bias, units)[0])
    return min(margins)


def _interval(
    row: Sequence[tuple[int, Fraction]], bias: Fraction, ranges: Sequence[Range]
) -> Range:
    """The interval of a row."""
    low = sum((w * ranges[j][w < 0] for j, w in row), bias)
    return low, sum((w * ranges[j][w > 0] for j, w in row), bias)
