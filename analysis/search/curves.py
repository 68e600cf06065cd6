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
    weights: list[Array]
    starts: list[int]
    reads: list[Array]
    unit: float
    found: dict[tuple[int, int], tuple[Array, Array]] = field(default_factory=dict)

    @classmethod
    def of(cls, question: Question) -> Curves | None:
        """Those of a question about a ball; None where no unit would be taken exactly."""
        if not question.has_curves:
            return None
        network, query = question.network, question.set.to_json()
        box = query["lower"], query["upper"]
        exact = checker.Curves(network.exact, query["scale"], box, query["ball"])
        weights = [weight for weight, _ in network.arrays]
        unit = 2.0 ** -query["scale"]
        return cls(exact, question.inputs, weights, network.starts, network.reads, unit)

    def single(self, i: int, layer: Layer) -> Array:
        """Which units of layer i read one input."""
        return self.reads[i][layer.units - self.starts[i]] >= 0

    def sums(self, i: int, layer: Layer) -> Array:
        """Which units of layer i read several inputs, some by units that read one."""
        rows = self.weights[i][layer.units - self.starts[i]]
        return ~self.single(i, layer) & (rows[:, self.reads[i - 1] >= 0] != 0).any(axis=1)

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
        self, below: list[Layer], layer: Layer, rows: Array
    ) -> tuple[Array, list[Array], Array]:
        """Bounds of some of the rows z, -z of a layer, with multipliers of the layers below, which
        are 0 at units that read one input, and with weights of the ball.
        """
        n, depth = len(layer.bias), len(below)
        signs = np.where(rows < n, 1.0, -1.0)
        units = layer.units[rows % n] - self.starts[depth]
        forms, constants = signs[:, None] * self.weights[depth][units], signs * layer.bias[rows % n]
        factors: list[Array] = []
        terms = [defaultdict[int, Terms](list) for _ in rows]
        for i in range(depth - 1, -1, -1):
            local, reads = below[i].units - self.starts[i], self.reads[i]
            taken, places = np.nonzero(np.where(reads >= 0, forms, 0.0))
            for t, k in zip(taken.tolist(), places.tolist(), strict=True):
                terms[t][int(reads[k])].append((float(forms[t, k]), i, k))
            forms = np.where(reads[local] >= 0, 0.0, forms[:, local])
            chosen = crown(forms, below[i])
            constants = constants + below[i].least(forms, chosen) + chosen @ below[i].bias
            forms = chosen @ self.weights[i][local]
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
        known = [
            [(r, *curves.curve(i, k)) for r, i, k in terms.get(j, ())] for j in range(len(form))
        ]
        most = max([2, *(2 + sum(len(x) for _, x, _ in row) for row in known)])
        x = np.repeat(curves.inputs.upper[:, None], most, axis=1)
        x[:, 0] = curves.inputs.lower
        for row, places in zip(known, x, strict=True):
            if row:
                ends = np.concatenate([ends for _, ends, _ in row])
                places[1 : 1 + len(ends)] = ends
        x.sort(axis=1)
        values = form[:, None] * x
        for row, places, total in zip(known, x, values, strict=True):
            for r, ends, h in row:
                total += r * np.interp(places, ends, h)
        return cls(curves.inputs, x, values)

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
