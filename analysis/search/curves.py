"""Units that read one input, taken exactly: bounds of sums of functions of one input each, on a box
or on a ball that cuts it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checkers import check_curves as checker
from .bounding import Array, Inputs, Layer, crown
from .question import Question

STEPS = 40
"""Halvings of the interval in which a ball's weight lies."""

Terms = list[tuple[float, int, int]]
"""Factors, layers and units (numbers in the layer; an input is of layer -1)."""


@dataclass(frozen=True, eq=False)
class Curves:
    """What the checker knows of units that read one input, in floats.

    starts: the first unit of each layer; reads: for each layer, the input that a unit reads, or -1.
    """

    exact: Any
    inputs: Inputs
    starts: list[int]
    reads: list[Array]
    unit: float
    found: dict[tuple[int, int], tuple[Array, Array]] = field(default_factory=dict)

    @classmethod
    def of(cls, question: Question) -> Curves | None:
        """Those of a question about a ball; None where no unit would be taken exactly."""
        if question.inputs.centre is None or not question.network.has_curves:
            return None
        known, query = question.network.exact, question.set.to_json()
        scale = query["scale"]
        exact = checker.Curves(known, scale, (query["lower"], query["upper"]), query["ball"])
        reads = [
            np.array([-1 if j is None else j for j in layer], dtype=np.int64)
            for layer in exact.reads[1:]
        ]
        return cls(exact, question.inputs, question.network.starts, reads, 2.0**-scale)

    def single(self, i: int, layer: Layer) -> Array:
        """Which units of layer i read one input."""
        return self.reads[i][layer.units - self.starts[i]] >= 0

    def rows(self, forms: Array, below: list[Layer], layer: Layer) -> Array:
        """Which bounds of a layer take units of the layer below exactly: of its own units that read
        several inputs, of which some are such units. forms: as `Layer.forms` gives them.
        """
        if not below:
            return np.zeros(len(forms), dtype=bool)
        several = ~self.single(len(below), layer)
        single = self.single(len(below) - 1, below[-1])
        some = np.concatenate([several, several, np.zeros(4 * len(layer.pairs), dtype=bool)])
        return some & (forms[:, single] != 0).any(axis=1)

    def curve(self, layer: int, unit: int) -> tuple[Array, Array]:
        """Inputs and values at the ends of the pieces of a unit."""
        if (layer, unit) not in self.found:
            points = self.exact.curve(layer, unit)
            over = math.ldexp(self.unit, -self.exact.scales[layer + 1])
            x, h = zip(*points, strict=True)
            self.found[layer, unit] = (
                np.array([float(v) for v in x]) * self.unit,
                np.array([float(v) for v in h]) * over,
            )
        return self.found[layer, unit]

    def lower_bounds(
        self, forms: Array, constants: Array, layers: list[Layer]
    ) -> tuple[Array, list[Array], Array]:
        """As `bounding.lower_bounds`, with the weights (t,) of the ball beside the multipliers,
        which are 0 at units that read one input.
        """
        factors: list[Array] = []
        terms = [defaultdict[int, Terms](list) for _ in forms]
        for i in range(len(layers) - 1, -1, -1):
            layer, local = layers[i], layers[i].units - self.starts[i]
            single = self.single(i, layer)
            for row, form in zip(terms, forms, strict=True):
                for k in np.flatnonzero(single & (form != 0)).tolist():
                    unit = int(local[k])
                    row[int(self.reads[i][unit])].append((float(form[k]), i, unit))
            forms = np.where(single, 0.0, forms)
            chosen = crown(forms, layer)
            constants = constants + layer.least(forms, chosen) + chosen @ layer.bias
            forms = chosen @ layer.weight
            factors.insert(0, chosen)
        sums = [Sum.of(self, row, form) for row, form in zip(terms, forms, strict=True)]
        weights = np.array([each.best() for each in sums])
        least = [each.least(w)[0] for each, w in zip(sums, weights.tolist(), strict=True)]
        return constants + np.array(least), factors, weights


@dataclass(frozen=True, eq=False)
class Sum:
    """A sum of functions of one input each on the set: values (d, n) at ascending inputs (d, n),
    linear between.
    """

    inputs: Inputs
    x: Array
    values: Array

    @classmethod
    def of(cls, curves: Curves, terms: dict[int, Terms], form: Array) -> Sum:
        """Curves times factors, for each input, and a form (d,) of the inputs."""
        ends = list(zip(curves.inputs.lower.tolist(), curves.inputs.upper.tolist(), strict=True))
        every, sums = [], []
        for j, side in enumerate(ends):
            known = [(r, *curves.curve(i, k)) for r, i, k in terms.get(j, ())]
            x = np.unique(np.concatenate([side, *(x for _, x, _ in known)]))
            every.append(x)
            sums.append(form[j] * x + sum(r * np.interp(x, places, h) for r, places, h in known))
        most = max(2, *map(len, every))
        padded = [
            np.stack([np.pad(v, (0, most - len(v)), mode="edge") for v in rows])
            for rows in (every, sums)
        ]
        return cls(curves.inputs, *padded)

    def least(self, weight: float) -> tuple[float, float]:
        """The least value, less what a weight of the ball's inequality takes off, and its
        derivative by the weight.
        """
        assert self.inputs.centre is not None
        c = self.inputs.centre[:, None]
        a, b, u, v = self.x[:, :-1], self.x[:, 1:], self.values[:, :-1], self.values[:, 1:]
        slope = (v - u) / np.where(b > a, b - a, 1.0)
        at = np.clip(c - slope / max(2 * weight, 1e-300), a, b)
        off = (at - c) ** 2
        found = u + slope * (at - a) + weight * off
        best = found.argmin(axis=1)[:, None]
        far = np.take_along_axis(off, best, 1).sum() - self.inputs.radius**2
        total = np.take_along_axis(found, best, 1).sum() - weight * self.inputs.radius**2
        return float(total), float(far)

    def best(self) -> float:
        """The weight that gives the greatest lower bound."""
        low, high = 0.0, 1.0
        if self.least(low)[1] <= 0:
            return low
        while self.least(high)[1] > 0 and high < 2.0**60:
            low, high = high, 4 * high
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.least(middle)[1] > 0 else (low, middle)
        return max((low, high), key=lambda weight: self.least(weight)[0])
