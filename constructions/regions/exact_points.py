"""Exact vertices and signs of an arrangement in integers: what decides where rounding leaves a sign
open.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..basics.floats import lowest_bit
from .arrangement import Arrangement

BATCH = 2**17
"""Integers that are multiplied at once."""


class IntegerLayer:
    """A layer in integers, its weights and biases times one power of two `scale`."""

    def __init__(self, weight: np.ndarray, bias: np.ndarray) -> None:
        table = np.concatenate([weight, bias[:, None]], axis=1)
        shift = -min(int(lowest_bit(table).min(initial=0)), 0)
        keep = table != 0
        keep[:, -1] = True  # the bias is the last entry, so that no row is empty
        rows, self.columns = np.nonzero(keep)
        self.starts = np.searchsorted(rows, np.arange(len(table) + 1))
        mantissas, exponents = np.frexp(table[keep])
        whole, places = (
            np.ldexp(mantissas, 53).astype(np.int64).tolist(),
            (exponents - 53 + shift).tolist(),
        )
        self.values = np.empty(len(whole), dtype=object)
        self.values[:] = [v << e if e >= 0 else v >> -e for v, e in zip(whole, places, strict=True)]
        self.scale = 1 << shift

    def apply(self, inputs: np.ndarray, row: int | None = None) -> np.ndarray:
        """Pre-activations (m, n_l), or of one unit (m,), times `scale` and the inputs' own scale
        (their last column).
        """
        if row is not None:
            part = slice(self.starts[row], self.starts[row + 1])
            return (self.values[part] * inputs[:, self.columns[part]]).sum(axis=1)
        if len(self.starts) == 1:
            return np.empty((len(inputs), 0), dtype=object)
        return np.add.reduceat(self.values * inputs[:, self.columns], self.starts[:-1], axis=1)


class ExactPoints:
    """Exact vertices of an arrangement, each in integers (x w, w) with w > 0, found on demand from
    its parents.

    A vertex other than a corner is the zero of one unit on the edge between two earlier vertices,
    so its coordinates follow from theirs and from the unit's exact values there. In all methods,
    signs (V, units) are the exact signs that are known so far, and parents (V, 3) hold each
    vertex's first end, second end, and unit.
    """

    def __init__(self, arrangement: Arrangement, corners: np.ndarray) -> None:
        self.arrangement = arrangement
        self.layers = [
            IntegerLayer(w, b) for w, b in zip(arrangement.weights, arrangement.biases, strict=True)
        ]
        self.points: dict[int, np.ndarray] = {}
        self.hidden: dict[int, tuple[int, np.ndarray]] = {}
        for i, corner in enumerate(corners):
            fractions = [Fraction(v) for v in corner.tolist()]
            weight = math.lcm(*(v.denominator for v in fractions))
            self.points[i] = np.array([*(int(v * weight) for v in fractions), weight], dtype=object)

    def find(self, ids: Iterable[int], parents: np.ndarray, signs: np.ndarray) -> np.ndarray:
        """Points as rows (m, d+1) of integers."""
        ids = list(ids)
        needed, stack = set(), [i for i in ids if i not in self.points]
        while stack:
            i = stack.pop()
            if i in needed or i in self.points:
                continue
            needed.add(i)
            if self.arrangement.d > 1:
                stack.extend(parents[i, :2].tolist())
        todo = sorted(needed)
        if self.arrangement.d == 1:
            for i in todo:
                first, second, unit = parents[i].tolist()
                self.points[i] = self._zero(unit, signs[first] + signs[second])
            todo = []
        while todo:
            ready = [
                i
                for i in todo
                if int(parents[i, 0]) in self.points and int(parents[i, 1]) in self.points
            ]
            for unit in sorted({int(parents[i, 2]) for i in ready}):
                group = [i for i in ready if parents[i, 2] == unit]
                first, second = parents[group, :2].T.tolist()
                ends = sorted({*first, *second})
                values = dict(zip(ends, self.values(ends, unit, parents, signs), strict=True))
                for i, u, w in zip(group, first, second, strict=True):
                    p = values[u] * self.points[w] - values[w] * self.points[u]
                    self.points[i] = (p if p[-1] > 0 else -p) // math.gcd(*p)
            todo = [i for i in todo if i not in self.points]
        return np.stack([self.points[i] for i in ids])

    def _zero(self, unit: int, signs: np.ndarray) -> np.ndarray:
        """The zero of a unit of one input on an edge, whose signs (units,) these are, as a row of
        integers: they are shorter, and sooner found, than by way of parents.
        """
        a, layer = self.arrangement, int(self.arrangement.layer_of[unit])
        rows = np.array([[1, 0], [0, 1]], dtype=object)  # coefficient and constant of each value
        for j in range(layer):
            z = self.layers[j].apply(rows) * (signs[a.starts[j] : a.starts[j + 1]] > 0)
            rows = np.concatenate([z, rows[:, -1:] * self.layers[j].scale], axis=1)
        slope, constant = self.layers[layer].apply(rows, unit - int(a.starts[layer])).tolist()
        point = np.array([-constant, slope] if slope > 0 else [constant, -slope], dtype=object)
        return point // math.gcd(slope, constant)

    def values(
        self, ids: Sequence[int], unit: int, parents: np.ndarray, signs: np.ndarray
    ) -> list[int]:
        """A unit's values at vertices, times one factor and each vertex's own w."""
        a = self.arrangement
        layer = int(a.layer_of[unit])
        hidden = self._hidden(ids, layer, parents, signs)
        result: list[int] = self.layers[layer].apply(hidden, unit - int(a.starts[layer])).tolist()
        return result

    def _hidden(
        self, ids: Sequence[int], layer: int, parents: np.ndarray, signs: np.ndarray
    ) -> np.ndarray:
        """Hidden values below a layer at vertices, as integers (m, n + 1) with the common scale
        last.
        """
        fresh = [i for i in ids if i not in self.hidden or self.hidden[i][0] > layer]
        if fresh:
            for i, point in zip(fresh, self.find(fresh, parents, signs), strict=True):
                self.hidden[i] = (0, point)
        for level in range(layer):
            below = [i for i in dict.fromkeys(ids) if self.hidden[i][0] == level]
            step = max(1, BATCH // max(1, len(self.layers[level].columns)))
            for start in range(0, len(below), step):
                part = below[start : start + step]
                inputs = np.stack([self.hidden[i][1] for i in part])
                active = (
                    signs[part, self.arrangement.starts[level] : self.arrangement.starts[level + 1]]
                    > 0
                )
                z = np.where(active, self.layers[level].apply(inputs), 0)
                rows = np.concatenate([z, inputs[:, -1:] * self.layers[level].scale], axis=1)
                self.hidden.update((i, (level + 1, row)) for i, row in zip(part, rows, strict=True))
        return np.stack([self.hidden[i][1] for i in ids])

    def signs(
        self, ids: np.ndarray, units: np.ndarray, parents: np.ndarray, signs: np.ndarray
    ) -> np.ndarray:
        """Exact signs of units at vertices, pair by pair."""
        out = np.zeros(len(units), dtype=np.int8)
        for unit in np.unique(units).tolist():
            group = np.flatnonzero(units == unit)
            values = self.values(ids[group].tolist(), unit, parents, signs)
            out[group] = [(v > 0) - (v < 0) for v in values]
        return out


def as_fractions(points: np.ndarray) -> np.ndarray:
    """Homogeneous integer rows (m, d+1) as rows (m, d) of Fractions."""
    rows: list[list[Any]] = [[Fraction(int(v), int(row[-1])) for v in row[:-1]] for row in points]
    return np.array(rows, dtype=object).reshape(len(points), points.shape[1] - 1)
