"""The hidden units that matter on a set, bounded by intervals and by linear functions."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass

import numpy as np

from ..checkers import check_trees as checker
from .bounding import SLACK, Array, Layer, best_bounds
from .curves import Curves
from .question import Question

Splits = dict[tuple[int, int], bool]
"""{(layer, position in it): on}."""


@dataclass(frozen=True, eq=False)
class Linear:
    """Which bounds of a layer are by multipliers, in the order of `Layer.forms`.

    known: bounds by intervals; factors: for each layer below, the multipliers of all bounds;
    weights: of the ball, for bounds that take units which read one input exactly, else NaN.
    """

    better: Array
    known: Array
    factors: list[Array]
    weights: Array

    @classmethod
    def none(cls, count: int) -> Linear:
        """No bound of so many."""
        return cls(np.zeros(count, dtype=bool), np.zeros(count), [], np.full(count, np.nan))


@dataclass(frozen=True, eq=False)
class Bounded:
    """Layers with bounds of their units, and what proves those that are not by intervals; `forms`
    of the question on the units that matter.
    """

    layers: list[Layer]
    linear: list[Linear]
    forms: Array
    curves: Curves | None = None

    def restricted(self, splits: Splits) -> list[Layer]:
        """The layers with bounds clipped by splits."""
        layers = list(self.layers)
        for i in {i for i, _ in splits}:
            layers[i] = layers[i].restricted({j: on for (k, j), on in splits.items() if k == i})
        return layers


@functools.lru_cache(maxsize=1)
def bound_layers(question: Question, end: float) -> Bounded:
    """The units that matter, bounded by intervals and by linear functions, with the multipliers
    that prove the latter.

    end: the time (`time.monotonic`) from which on intervals must do. With pairs the checker's
    bounds by intervals serve, and units that are surely off are left out; else all units are in.
    What was found last is kept.
    """
    layers: list[Layer] = []
    linear: list[Linear] = []
    curves = Curves.of(question)

    def add(layer: Layer) -> Layer:
        found, proof = tighten(layers, layer, question, end, curves)
        layers.append(found)
        linear.append(proof)
        return found

    if question.network.pairs:
        surveyed, forms = survey(question)
        for layer in surveyed:
            add(layer)
        return Bounded(layers, linear, forms, curves)
    low, high = question.inputs.lower, question.inputs.upper
    for i, (weight, bias) in enumerate(question.network.arrays[:-1]):
        plus, minus = np.maximum(weight, 0), np.minimum(weight, 0)
        low, high = plus @ low + minus @ high + bias, plus @ high + minus @ low + bias
        units = question.network.starts[i] + np.arange(len(bias))
        layer = add(Layer.of(weight, bias, low, high, units))
        low, high = np.maximum(layer.low, 0), np.maximum(layer.high, 0)
    return Bounded(layers, linear, question.forms, curves)


def survey(question: Question) -> tuple[list[Layer], Array]:
    """Layers of the units that are not surely off and reach the outputs, with the checker's bounds
    by intervals; the question's forms on those of the last layer. Units that are left out of linear
    programs are not in them.
    """
    network = question.network
    exact, arrays = network.exact, network.arrays
    part = checker.Part(exact, question.query({"pairs": question.pairs, "facts": []}))
    top = 1 << question.set.scale
    low, high = (np.array([v / top for v in side]) for side in (part.low, part.high))
    kept: list[Array] = []
    reached = (question.forms != 0).any(axis=0)
    for i in range(len(arrays) - 2, -1, -1):
        start, stop = exact.starts[i : i + 2]
        kept.insert(0, np.flatnonzero(reached & ~question.left_out[i] & (high[start:stop] > 0)))
        reached = (arrays[i][0][kept[0]] != 0).any(axis=0)
    layers: list[Layer] = []
    columns = np.arange(len(question.inputs.lower))
    for i, ((weight, bias), local) in enumerate(zip(arrays[:-1], kept, strict=True)):
        units = exact.starts[i] + local
        out = question.left_out[i - 1] if i else np.zeros(len(columns), dtype=bool)
        apart = (weight[local][:, out] != 0).any(axis=1)
        place = {int(k): at for at, k in enumerate(units) if not apart[at]}
        pairs = [pair for pair in part.octagons if pair[0] in place and pair[1] in place]
        octagons = [[v / top for v in part.octagons[pair]] for pair in pairs]
        positions = [(place[p], place[q]) for p, q in pairs]
        rows = weight[local][:, columns], bias[local]
        ends = low[units], high[units]
        layers.append(Layer.of(*rows, *ends, units, positions, octagons, apart))
        columns = local
    return layers, question.forms[:, columns]


def tighten(
    below: list[Layer], layer: Layer, question: Question, end: float, curves: Curves | None
) -> tuple[Layer, Linear]:
    """The layer with bounds by multipliers where they are better than by intervals."""
    count = 2 * len(layer.bias) + 4 * len(layer.pairs)
    if count == 0 or (not below and question.inputs.centre is None) or time.monotonic() > end:
        return layer, Linear.none(count)
    forms, constants, known = layer.forms()
    bounds, factors = best_bounds(forms, constants, below, question.inputs, question.network.rules)
    weights = np.full(count, np.nan)
    n = len(layer.bias)
    bounds[: 2 * n][np.tile(layer.apart, 2)] = -np.inf
    if curves and below:
        rows = np.flatnonzero(np.tile(curves.sums(len(below), layer), 2))
        found, exact, by = curves.lower_bounds(below, layer, rows)
        more = found > bounds[rows] + SLACK * np.abs(found)
        rows = rows[more]
        bounds[rows], weights[rows] = found[more], by[more]
        for old, new in zip(factors, exact, strict=True):
            old[rows] = new[more]
    better = bounds > known + SLACK * layer.widths()
    return layer.bounded(np.where(better, bounds, known)), Linear(better, known, factors, weights)
