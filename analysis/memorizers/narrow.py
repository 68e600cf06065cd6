"""Proof that a narrow network has the label on every ball, from the weights it really has.

Its units are read as carried coordinates, sides (of one coordinate), indicators r(1 - w (sum of
sides)) and the rest. On a ball an indicator is 1 where no side is reached, 0 where the sides add up
to 1 / w, else it is anywhere in [0, 1]; the rest follows by intervals, in integers.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.sparse

from constructions import Ball, ReLUNetwork
from constructions.internal import has_integers, on_grid

from ..proofs.matching import Unproved, column_of, require, rows_of

EXACT = 2.0**53

Interval = tuple[np.ndarray, np.ndarray]
"""Least and largest values of one number on each ball."""

Unit = tuple[Any, ...]
"""("carried", j), ("side", j, sign, bias) or ("number", interval)."""


def prove_narrow(network: ReLUNetwork, x: np.ndarray, y: np.ndarray, ball: Ball) -> Fraction:
    """The least margin on all balls; raises `Unproved` where it is not positive, and for a network
    of another shape.
    """
    low, high = network.domain or (-math.inf, math.inf)
    require(low >= 0 and high <= 1, "the network's domain must lie in [0,1], where x is carried")
    require(bool(((x >= low) & (x <= high)).all()), "points must lie in the network's domain")
    long = any(has_integers(one.weight) or has_integers(one.bias) for one in network.layers)
    require(not long, "weights are no float64")
    reader = _Reader(x, ball)
    try:
        *hidden, last = [(rows_of(one.weight), column_of(one.bias)) for one in network.layers]
    except ValueError as error:
        raise Unproved(f"weights are no float64: {error}") from error
    for layer in hidden:
        reader.read(*layer)
    margins = reader.margins(*last, y)
    worst = int(margins.argmin())
    require(bool(margins[worst] > 0), f"ball {worst} has no positive margin")
    return Fraction(float(margins[worst]))


class _Reader:
    """What is known of the units of a layer."""

    def __init__(self, x: np.ndarray, ball: Ball) -> None:
        self.centres, self.bits, moved = on_grid(x, ball.p)
        reach = math.ceil((Fraction(ball.radius) + moved) * 2**self.bits)
        require(reach <= 2 ** (self.bits + 2), "the ball is too large")
        self.reach = float(reach)
        self.p = ball.p
        self.units: list[Unit] = [("carried", j) for j in range(x.shape[1])]

    def read(self, weight: scipy.sparse.csr_array, bias: np.ndarray) -> None:
        """Go on to the next layer."""
        self.units = [self.unit(*_row(weight, i), float(b)) for i, b in enumerate(bias)]

    def unit(self, inputs: np.ndarray, weights: np.ndarray, bias: float) -> Unit:
        """The unit relu(weights inputs + bias)."""
        kinds = {self.units[i][0] for i in inputs}
        if kinds == {"carried"}:
            require(len(inputs) == 1, "a unit reads several coordinates")
            require(abs(weights[0]) == 1, "a coordinate is read by another weight than 1 and -1")
            j = self.units[inputs[0]][1]
            return (
                ("side", j, float(weights[0]), bias) if bias or weights[0] < 0 else ("carried", j)
            )
        if kinds == {"side"}:
            return ("number", self.indicator([self.units[i] for i in inputs], weights, bias))
        low, high = self.sums(inputs, weights, bias)
        return ("number", (np.maximum(low, 0), np.maximum(high, 0)))

    def sums(self, inputs: np.ndarray, weights: np.ndarray, bias: float) -> Interval:
        """The interval of a sum of numbers, which are integers."""
        require(_are_small([bias]) and _are_small(weights), "a number is no small integer")
        low = high = np.full(len(self.centres), bias)
        for i, w in zip(inputs, weights, strict=True):
            require(self.units[i][0] == "number", "a unit reads numbers of several kinds")
            a, b = self.units[i][1]
            low, high = low + np.minimum(w * a, w * b), high + np.maximum(w * a, w * b)
            require(float(np.abs([low, high]).max()) < EXACT, "numbers are too large")
        return low, high

    def indicator(self, sides: list[Unit], weights: np.ndarray, bias: float) -> Interval:
        """1, 0, or [0, 1] on each ball, of relu(1 - w (sum of sides))."""
        require(bias == 1, "an indicator has another bias than 1")
        scale = -float(weights[0])
        require(bool((weights == -scale).all() and scale > 0), "sides are weighed differently")
        places = np.array([j for _, j, _, _ in sides])
        signs = np.array([sign for _, _, sign, _ in sides])
        biases = np.array([b for *_, b in sides]) * 2.0**self.bits
        whole = bool((biases == np.rint(biases)).all() and (np.abs(biases) < 2.0**28).all())
        require(whole, f"thresholds are no multiples of 2^-{self.bits}, or large")
        far = np.full((2, self.centres.shape[1]), -(2.0**29))  # of sides that are not there: 0
        rows = (signs < 0).astype(int)
        far[rows, places] = biases
        require(bool((far[rows, places] == biases).all()), "a coordinate has two sides of a sign")
        # of the two sides of a coordinate the one that is reached first
        values = np.maximum(self.centres + far[0], far[1] - self.centres)
        inside = (values <= -self.reach).all(1)
        # 1 / w on the grid, rounded up
        needed = math.ceil(Fraction(2) ** self.bits / Fraction(scale))
        require(needed < 2**28, "an indicator's weight is too small")
        return inside.astype(float), 1.0 - (self.beyond(values) >= needed)

    def beyond(self, values: np.ndarray) -> np.ndarray:
        """At least, rounded down, what sides of these values at centres add up to on each ball."""
        if self.p == math.inf:
            return np.asarray(np.maximum(values - self.reach, 0).sum(1))
        squares = (np.maximum(values, 0) ** 2).sum(1)
        require(float(squares.max()) < EXACT, "thresholds are too large")
        return np.array([math.isqrt(int(v)) for v in squares]) - self.reach

    def margins(
        self, weight: scipy.sparse.csr_array, bias: np.ndarray, y: np.ndarray
    ) -> np.ndarray:
        """At least y f, or f_y less any other output, on each ball."""
        rows = [_row(weight, k) for k in range(len(bias))]
        small = _are_small(weight.data) and _are_small(bias)  # so are differences, exactly
        require(small, "a number of the last layer is no small integer")
        if len(rows) == 1:
            low, high = self.sums(*rows[0], float(bias[0]))
            return np.where(y == 1, low, -high)
        margins = np.full(len(y), np.inf)
        for k, other in itertools.permutations(range(len(rows)), 2):
            total = dict(zip(*rows[k], strict=True))
            for i, w in zip(*rows[other], strict=True):
                total[i] = total.get(i, 0.0) - w
            inputs, weights = np.array([*total], dtype=int), np.array([*total.values()])
            low, _ = self.sums(inputs, weights, float(bias[k] - bias[other]))
            margins = np.where(y == k, np.minimum(margins, low), margins)
        return margins


def _are_small(values: Any) -> bool:
    """Whether numbers are integers below 2^20."""
    values = np.asarray(values, float)
    return bool(((values == np.rint(values)) & (np.abs(values) < 2**20)).all())


def _row(weight: scipy.sparse.csr_array, i: int) -> tuple[np.ndarray, np.ndarray]:
    start, stop = weight.indptr[i : i + 2]
    return weight.indices[start:stop], weight.data[start:stop]
