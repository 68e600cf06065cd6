"""Bounds of hidden units by linear functions, in float64, with the multipliers that prove them.

Nothing here is relied upon: multipliers go into certificates, and `check_certificate` computes with
integers what they prove.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..checkers.check_trees import Part

Array = np.ndarray

BROKEN = (ValueError, ArithmeticError, IndexError, RuntimeError, MemoryError)
"""What is raised where floats overflow or are NaN, a proof is none, the solver fails, and where one
is too large: then nothing is proved. Other exceptions are mistakes of the program.
"""

SLACK = 1e-9
"""What is better by less of its size is not better."""

GRID = 2**60
"""Corners of pairs are computed in integers over 2 GRID."""


@dataclass(frozen=True)
class Inputs:
    """A box [lower, upper], or its intersection with the l_2 ball of a radius around a centre."""

    lower: Array
    upper: Array
    centre: Array | None = None
    radius: float = 0.0

    def least(self, forms: Array) -> Array:
        """Least values (t,) of linear functions (t, d) of the inputs."""
        return (forms * self.lowest(forms)).sum(axis=1)

    def lowest(self, forms: Array) -> Array:
        """Where linear functions (t, d) are least, shape (t, d).

        Inputs that reach the box before the ball stop there; the others share what is left of the
        radius.
        """
        low = np.where(forms > 0, self.lower, self.upper)
        if self.centre is None:
            return low
        gaps, left = (self.centre - low) ** 2, np.full((len(forms), 1), self.radius**2)
        free = np.ones(forms.shape, dtype=bool)
        while True:
            size = np.where(free, forms**2, 0.0).sum(axis=1, keepdims=True)
            met = free & (gaps * size < left * forms**2)
            if not met.any():
                break
            left = np.maximum(left - np.where(met, gaps, 0.0).sum(axis=1, keepdims=True), 0.0)
            free &= ~met
        return np.where(free, self.centre - forms * np.sqrt(left / np.maximum(size, 1e-300)), low)

    def project(self, points: Array) -> Array:
        """Points (n, d) moved into the set, up to rounding."""
        points = np.clip(points, self.lower, self.upper)
        if self.centre is None:
            return points
        offset = points - self.centre
        length = np.linalg.norm(offset, axis=1, keepdims=True)
        return np.clip(
            self.centre + offset * np.minimum(1.0, self.radius / np.maximum(length, 1e-300)),
            self.lower,
            self.upper,
        )


@dataclass(frozen=True)
class Layer:
    """Hidden units that matter on a set: z = weight @ (values below) + bias, low <= z <= high, and
    their numbers.

    pairs (m, 2) of positions in the layer, with octagons (m, 4): bounds of z_p + z_q (low, high)
    and of z_p - z_q; ends (m, k, 4) are (z_p, z_q, h_p, h_q) at the corners of the pieces of h_p,
    h_q on the polygon that all bounds leave. Where `apart` (n,), z depends on units that were left
    out: its bounds are all that is known, and its multipliers are 0.
    """

    weight: Array
    bias: Array
    low: Array
    high: Array
    units: Array
    pairs: Array
    octagons: Array
    ends: Array
    apart: Array

    @classmethod
    def of(
        cls,
        weight: Array,
        bias: Array,
        low: Array,
        high: Array,
        units: Array,
        pairs: Any = (),
        octagons: Any = (),
        apart: Array | None = None,
    ) -> Layer:
        """A layer with the corners of its pairs."""
        apart = np.zeros(len(bias), dtype=bool) if apart is None else apart
        pairs, octagons = (
            np.array(pairs, dtype=np.int64).reshape(-1, 2),
            np.array(octagons, dtype=np.float64).reshape(-1, 4),
        )
        ends = [
            polygon(low[p], high[p], low[q], high[q], *octagon)
            for (p, q), octagon in zip(pairs, octagons, strict=True)
        ]
        longest = max(map(len, ends), default=1)
        stack = np.array([[*e, *[e[0]] * (longest - len(e))] for e in ends]).reshape(-1, longest, 4)
        return cls(weight, bias, low, high, units, pairs, octagons, stack, apart)

    def restricted(self, splits: dict[int, bool]) -> Layer:
        """The part where z_j >= 0 (True) or <= 0 (False) for some units."""
        low, high = self.low.copy(), self.high.copy()
        for j, on in splits.items():
            low[j], high[j] = (max(low[j], 0.0), high[j]) if on else (low[j], min(high[j], 0.0))
        if len(self.pairs) == 0:
            return replace(self, low=low, high=high)
        return self.rebuilt(low, high, self.octagons)

    def rebuilt(self, low: Array, high: Array, octagons: Array) -> Layer:
        """The layer with other bounds."""
        weight, bias, units = self.weight, self.bias, self.units
        return Layer.of(weight, bias, low, high, units, self.pairs, octagons, self.apart)

    def forms(self) -> tuple[Array, Array, Array]:
        """All that is bounded below, as forms (t, columns) and constants (t,), and the bounds: z,
        -z, and of pairs z_p + z_q, z_p - z_q, and minus these.
        """
        p, q = self.pairs.T
        sums = [(v[p] + v[q], v[p] - v[q]) for v in (self.weight, self.bias)]
        weight, bias = (
            np.concatenate([v, -v, *two, *(-t for t in two)])
            for v, two in zip((self.weight, self.bias), sums, strict=True)
        )
        low, high = self.octagons[:, [0, 2]].T, self.octagons[:, [1, 3]].T
        return weight, bias, np.concatenate([self.low, -self.high, low.ravel(), -high.ravel()])

    def rows(self, rows: Array) -> Array:
        """Some of these forms."""
        if len(self.pairs):
            return self.forms()[0][rows]
        n = len(self.bias)
        return np.where(rows < n, 1.0, -1.0)[:, None] * self.weight[rows % n]

    def heads(self, rows: Array) -> list[list[int]]:
        """Units and signs of some of these as facts name them: [k, sign], or of pairs [p, sign of
        z_p, sign of z_q].
        """
        p = self.units[self.pairs[:, 0]].tolist()
        ones = [[k, sign] for sign in (1, -1) for k in self.units.tolist()]
        signs = (1, 1), (1, -1), (-1, -1), (-1, 1)
        every = ones + [[k, x, y] for x, y in signs for k in p]
        return [every[row] for row in rows.tolist()]

    def widths(self) -> Array:
        """Upper less lower bounds, in the order of `forms`."""
        one, two = self.high - self.low, self.octagons[:, [1, 3]] - self.octagons[:, [0, 2]]
        return np.concatenate([one, one, two.T.ravel(), two.T.ravel()])

    def bounded(self, bounds: Array) -> Layer:
        """The layer with other bounds, in the order of `forms`."""
        n, m = len(self.bias), len(self.pairs)
        low, high = bounds[:n], -bounds[n : 2 * n]
        sums, differences, above, apart = bounds[2 * n :].reshape(4, m)
        return self.rebuilt(low, high, np.stack([sums, -above, differences, -apart], axis=1))

    def least(self, form: Array, factors: Array) -> Array:
        """min of form relu(z) - factors z within the bounds, (..., n) -> (...,): units one by one,
        pairs together.
        """
        total = least(form, factors, self.low, self.high)
        if len(self.pairs) == 0:
            return total.sum(axis=-1)
        p, q = self.pairs.T
        total[..., self.pairs] = 0.0
        terms = [-factors[..., p], -factors[..., q], form[..., p], form[..., q]]
        together = sum(t[..., None] * self.ends[..., k] for k, t in enumerate(terms))
        return total.sum(axis=-1) + together.min(axis=-1).sum(axis=-1)


def polygon(*bounds: float) -> list[tuple[float, ...]]:
    """Corners of a pair's polygon, as the checker finds them, from floats; those of its box if the
    polygon is empty.
    """
    a, b, c, d, *octagon = (round(float(v) * GRID) for v in bounds)
    part = object.__new__(Part)
    part.low, part.high, part.octagons, part.corners = [a, c], [b, d], {(0, 1): octagon}, {}
    part.meet(0, 1)
    found = part.corners[0][2] or {
        (2 * x, 2 * y, 2 * max(x, 0), 2 * max(y, 0)) for x in (a, 0, b) for y in (c, 0, d)
    }
    return [tuple(v / (2 * GRID) for v in corner) for corner in sorted(found)]


def least(form: Array, factors: Array, low: Array, high: Array) -> Array:
    """min of form relu(z) - factors z over low <= z <= high, elementwise."""
    at_low = form * np.maximum(low, 0) - factors * low
    at_high = form * np.maximum(high, 0) - factors * high
    inside = np.where((low < 0) & (high > 0), 0.0, np.inf)
    return np.minimum(np.minimum(at_low, at_high), inside)


def crown(form: Array, layer: Layer) -> Array:
    """Slopes of lines below form relu(z) for forms (t, n) of a layer. Source: Zhang et al. 2018
    (CROWN).
    """
    low, high = layer.low, layer.high
    unstable = (low < 0) & (high > 0)
    chord = np.where(unstable, high / np.where(unstable, high - low, 1.0), (low >= 0) & (high > 0))
    below = np.where(unstable, high > -low, chord)
    return form * np.where(form > 0, below, chord)


def halves(form: Array, layer: Layer) -> Array:
    """The same, but half of relu(z) for units of pairs: |a| = 2 relu(a) - a, as a maximum has."""
    out, pairs = crown(form, layer), layer.pairs.ravel()
    out[:, pairs] = form[:, pairs] / 2
    return out


def intervals(form: Array, layer: Layer) -> Array:
    """None: values of a layer by their bounds alone."""
    return np.zeros_like(form)


Rule = Callable[[Array, Layer], Array]
"""Which multipliers forms (t, n) of a layer get."""


def lower_bounds(
    forms: Array,
    constants: Array,
    layers: list[Layer],
    inputs: Inputs,
    slopes: Rule = crown,
) -> tuple[Array, list[Array]]:
    """Lower bounds (t,) of forms (t, n) @ (values of the last layer) + constants (t,), and
    multipliers (t, n_i) a layer, by a rule for them.
    """
    found = []
    for layer in reversed(layers):
        factors = np.where(layer.apart, 0.0, slopes(forms, layer))
        constants = constants + layer.least(forms, factors) + factors @ layer.bias
        forms = factors @ layer.weight
        found.append(factors)
    return constants + inputs.least(forms), found[::-1]


def best_bounds(
    forms: Array, constants: Array, layers: list[Layer], inputs: Inputs, rules: tuple[Rule, ...]
) -> tuple[Array, list[Array]]:
    """The same by the best of several rules, for each form."""
    bounds, factors = lower_bounds(forms, constants, layers, inputs, rules[0])
    for rule in rules[1:]:
        found, others = lower_bounds(forms, constants, layers, inputs, rule)
        rows = found > bounds + SLACK * np.abs(bounds)
        bounds = np.where(rows, found, bounds)
        for old, new in zip(factors, others, strict=True):
            old[rows] = new[rows]
    return bounds, factors


def value(
    form: Array, constant: float, layers: list[Layer], factors: list[Array], inputs: Inputs
) -> float:
    """What multipliers (n_i,) a layer prove of form @ (values of the last layer) + constant."""
    for layer, d in zip(reversed(layers), reversed(factors), strict=True):
        constant += float(layer.least(form, d) + d @ layer.bias)
        form = d @ layer.weight
    return constant + float(inputs.least(form[None])[0])
