"""The hidden units of a network over a box, in floating point with rounding bounds and in exact integers.

What every way of finding linear regions needs: pre-activations, affine forms, enclosures of vertices, and the exact sign
of a unit at a vertex when rounding leaves it open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from .network import ReLUNetwork

Progress = Callable[[int, int], None]
"""Called as progress(units done, units in all)."""

UNIT_ROUNDOFF = 2.0**-53


class Arrangement:
    """The bent hyperplanes {z_k = 0} of the hidden units k of a network in the box [lower, upper] of R^d.

    weights, biases: float64, one pair a hidden layer (weights[l] of shape (n_l, n_(l-1))). Units are numbered through
    all layers; `starts[l]` is the first of layer l. Constraints are numbered 0..d-1 (x_i = lower_i), d..2d-1
    (x_i = upper_i), then 2d + k (unit k). With M = |W_l| M_(l-1) + |b_l| and L = |W_l| L_(l-1), a float64 evaluation of
    unit k anywhere in the box, or of its affine form, errs by at most gamma M_k, and unit k has Lipschitz constant L_k
    in the maximum norm (Higham 2002, chapter 3).
    """

    def __init__(self, layers: Sequence[tuple[np.ndarray, np.ndarray]], lower: np.ndarray, upper: np.ndarray) -> None:
        self.weights = [np.ascontiguousarray(w, dtype=np.float64) for w, _ in layers]
        self.biases = [np.asarray(b, dtype=np.float64) for _, b in layers]
        self.lower, self.upper = lower, upper
        self.d = len(lower)
        self.widths = [len(b) for b in self.biases]
        self.starts = np.concatenate([[0], np.cumsum(self.widths)]).astype(np.int64)
        self.units = int(self.starts[-1])
        self.layer_of = np.repeat(np.arange(len(self.widths)), self.widths)
        magnitude, slope = np.maximum(np.abs(lower), np.abs(upper)), np.ones(self.d)
        operations = sum(w.shape[1] + 2 for w in self.weights) + 8
        self.gamma = 2 * operations * UNIT_ROUNDOFF / (1 - 2 * operations * UNIT_ROUNDOFF)  # twice: M and L are rounded too
        self.magnitudes: list[np.ndarray] = []
        self.slopes: list[np.ndarray] = []
        for w, b in zip(self.weights, self.biases, strict=True):
            magnitude, slope = np.abs(w) @ magnitude + np.abs(b), np.abs(w) @ slope
            self.magnitudes.append(magnitude)
            self.slopes.append(slope)
        self.integers = [_integers(w, b) for w, b in zip(self.weights, self.biases, strict=True)]

    @classmethod
    def of(cls, network: ReLUNetwork, lower: np.ndarray, upper: np.ndarray) -> Arrangement:
        """The arrangement of a network's hidden layers."""
        layers = [(a.weight.to_dense().numpy(), a.bias.to_dense()[:, 0].numpy()) for a in network.layers[:-1]]
        return cls(layers, lower, upper)

    def corners(self) -> tuple[np.ndarray, np.ndarray]:
        """The box's 2^d corners as columns (d, 2^d), and which side of each axis they lie on (0 or 1)."""
        sides = (np.arange(2**self.d) >> np.arange(self.d)[:, None]) & 1
        return np.where(sides, self.upper[:, None], self.lower[:, None]), sides

    # -- floating point ------------------------------------------------------------------------------------------------

    def affine(self, layer: int, hidden: np.ndarray) -> np.ndarray:
        """Pre-activations (n_l, V) of a layer from the hidden values (n_(l-1), V) below it."""
        return self.weights[layer] @ hidden + self.biases[layer][:, None]

    def prefix(self, layer: int, points: np.ndarray, signs: np.ndarray) -> list[np.ndarray]:
        """Pre-activations of layers 0..layer at points (d, V), with the activations that `signs` (units, V) gives."""
        hidden, out = points, []
        for j in range(layer + 1):
            z = self.affine(j, hidden)
            out.append(z)
            if j < layer:
                hidden = z * (signs[self.starts[j] : self.starts[j + 1]] > 0)
        return out

    def bound(self, layer: int, radius: np.ndarray) -> np.ndarray:
        """How far a layer's float pre-activations at points may be from those at points within `radius` (V,): (n_l, V)."""
        return (self.gamma * self.magnitudes[layer])[:, None] + self.slopes[layer][:, None] * radius

    def forms(self, constraints: np.ndarray, signs: np.ndarray) -> np.ndarray:
        """Affine forms (m, d+1) of constraints (m,) under the activation patterns signs (units, m)."""
        d = self.d
        out = np.zeros((len(constraints), d + 1))
        box = np.flatnonzero(constraints < 2 * d)
        axis = constraints[box] % d
        out[box, axis] = 1.0
        out[box, d] = -np.where(constraints[box] < d, self.lower[axis], self.upper[axis])
        units = constraints - 2 * d
        layer_of = np.where(units >= 0, self.layer_of[units] if self.units else -1, -1)
        for layer in range(len(self.widths)):
            chosen = np.flatnonzero(layer_of == layer)
            if len(chosen) == 0:
                continue
            local = units[chosen] - self.starts[layer]
            rows, constant = self.weights[layer][local], self.biases[layer][local]
            for j in range(layer - 1, -1, -1):
                active = signs[self.starts[j] : self.starts[j + 1], chosen].T > 0
                rows = rows * active
                constant = constant + rows @ self.biases[j]
                rows = rows @ self.weights[j]
            out[chosen, :d] = rows
            out[chosen, d] = constant
        return out

    def locate(self, points: np.ndarray, constraints: np.ndarray, signs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Better points (d, V), and radii (V,) such that the true vertex is within that distance (maximum norm).

        The vertex is the common zero of d constraints (d, V) under the pattern `signs`. With R an approximate inverse of
        the forms' matrix G: |v - x| <= |R| |Gx + c| / (1 - |I - RG|), all with rounding; infinite where that fails.
        """
        d, count = self.d, points.shape[1]
        if count == 0:
            return points, np.zeros(0)
        forms = np.stack([self.forms(constraints[i], signs) for i in range(d)], axis=1)
        matrix, constant = forms[:, :, :d], forms[:, :, d]
        inverse = _inverses(matrix)
        slope, magnitude = self._row_bounds(constraints)
        x = points.T
        x = x - _times(inverse, _times(matrix, x) + constant)
        bad = ~np.isfinite(x).all(axis=1)
        x = np.where(bad[:, None], points.T, x)
        residual = np.abs(_times(matrix, x) + constant) + self.gamma * magnitude
        size = np.abs(inverse)
        defect = np.abs(np.eye(d) - inverse @ matrix).sum(axis=2)
        defect += _times(size, self.gamma * slope) + self.gamma * (size @ np.abs(matrix)).sum(axis=2)
        contraction = defect.max(axis=1)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            radius = _times(size, residual).max(axis=1) / (1 - contraction) * (1 + 1e-9)
        radius[bad | ~(contraction < 0.5) | ~np.isfinite(radius)] = np.inf
        return x.T, radius

    def _row_bounds(self, constraints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """L and M of constraints (d, V), as (V, d)."""
        d = self.d
        reach = np.maximum(np.abs(self.lower), np.abs(self.upper))
        slope = np.concatenate([np.ones(2 * d), *self.slopes])
        magnitude = np.concatenate([2 * reach, 2 * reach, *self.magnitudes])
        return slope[constraints.T], magnitude[constraints.T]

    # -- exact rows ----------------------------------------------------------------------------------------------------

    def exact_rows(self, layer: int, hidden: np.ndarray) -> np.ndarray:
        """Where (n_l, V) float64 computes a layer's pre-activations without any rounding, whatever the order of summation.

        All terms of unit k are multiples of 2^q with q the sum of the lowest bits' exponents of its weights and of the
        exact hidden values; if the sum of absolute terms is at most 2^(53+q), every partial sum is representable.
        """
        weight, bias = self.weights[layer], self.biases[layer]
        grain = np.minimum.reduce(lowest_bit(weight), axis=1, initial=FAR)
        reach = np.abs(weight).sum(axis=1)
        values = np.minimum.reduce(lowest_bit(hidden), axis=0, initial=FAR)
        largest = np.abs(hidden).max(axis=0, initial=0.0)
        q = np.minimum(np.minimum(grain[:, None] + values, FAR), lowest_bit(bias)[:, None])
        return 1.001 * (reach[:, None] * largest + np.abs(bias)[:, None]) <= np.ldexp(1.0, np.clip(53 + q, -1000, 1000))


def exact_crossing(u: np.ndarray, w: np.ndarray, zu: np.ndarray, zw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points (zu w - zw u) / (zu - zw), (d, V), and where (V,) float64 computes them without rounding.

    u, w: exact points (d, V); zu, zw: exact values (V,) of opposite signs.
    """
    top, bottom = zu * w - zw * u, zu - zw
    point = top / bottom
    z = np.minimum(lowest_bit(zu), lowest_bit(zw))
    x = np.minimum(lowest_bit(u), lowest_bit(w))
    size = 1.001 * (np.abs(zu) * np.abs(w) + np.abs(zw) * np.abs(u))
    exact = size <= np.ldexp(1.0, np.clip(53 + z + x, -1000, 1000))
    exact &= 1.001 * np.abs(bottom) <= np.ldexp(1.0, np.clip(53 + z, -1000, 1000))
    product = lowest_bit(point) + lowest_bit(bottom)
    exact &= (1.001 * np.abs(top) <= np.ldexp(1.0, np.clip(53 + product, -1000, 1000))) & (point * bottom == top)
    return point, exact.all(axis=0)


FAR = 10_000
"""Stands for the lowest bit of zero."""


def lowest_bit(x: np.ndarray) -> np.ndarray:
    """The exponent q of the lowest set bit: x is an odd multiple of 2^q (`FAR` for zeros).

    >>> lowest_bit(np.array([0.75, 6.0, -1.0, 0.0])).tolist()
    [-2, 1, 0, 10000]
    """
    mantissa, exponent = np.frexp(x)
    integer = np.abs(np.ldexp(mantissa, 53)).astype(np.int64)
    low = integer & -integer
    shift = np.frexp(low.astype(np.float64))[1] - 1
    return np.where(integer == 0, FAR, exponent - 53 + shift)


def _inverses(matrix: np.ndarray) -> np.ndarray:
    """Inverses of (V, d, d); infinite entries where there is none."""
    d = matrix.shape[1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if d == 1:
            return 1.0 / matrix
        if d == 2:
            a, b, c, e = matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 1, 0], matrix[:, 1, 1]
            adjugate = np.stack([e, -b, -c, a], axis=1).reshape(-1, 2, 2)
            return adjugate / (a * e - b * c)[:, None, None]
        if d == 3:
            r0, r1, r2 = matrix[:, 0], matrix[:, 1], matrix[:, 2]
            columns = np.stack([_cross(r1, r2), _cross(r2, r0), _cross(r0, r1)], axis=2)
            return columns / (r0 * columns[:, :, 0]).sum(axis=1)[:, None, None]
        try:
            return np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            regular = np.linalg.matrix_rank(matrix) == d
            out = np.full_like(matrix, np.inf)
            out[regular] = np.linalg.inv(matrix[regular])
            return out


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products of rows (V, 3); numpy's own is several times slower."""
    return np.stack([a[:, i] * b[:, j] - a[:, j] * b[:, i] for i, j in ((1, 2), (2, 0), (0, 1))], axis=1)


def _times(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Products (V, d, d) x (V, d); infinite where the inverse is."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.einsum("vij,vj->vi", matrix, vector)


# -- integers ----------------------------------------------------------------------------------------------------------


def _integers(weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A layer in integers times one power of two, row by row: values, columns (the last one is the bias), row starts."""
    table = np.concatenate([weight, bias[:, None]], axis=1)
    scale = -min(int(lowest_bit(table).min(initial=0)), 0)
    keep = table != 0
    keep[:, -1] = True  # so that no row is empty
    rows, columns = np.nonzero(keep)
    values = np.array([int(Fraction(v) * 2**scale) for v in table[keep].tolist()] + [2**scale], dtype=object)
    starts = np.searchsorted(rows, np.arange(len(table)))
    return values, columns, starts


class ExactPoints:
    """Exact vertices of an arrangement, each in integers (x w, w) with w > 0, found on demand from its parents.

    A vertex other than a corner is the zero of one unit on the edge between two earlier vertices, so its coordinates
    follow from theirs and from the unit's exact values there. signs: (units, V) exact signs so far (a view that grows).
    """

    def __init__(self, arrangement: Arrangement, corners: np.ndarray) -> None:
        self.arrangement = arrangement
        self.points: dict[int, np.ndarray] = {}
        self.hidden: dict[int, tuple[int, np.ndarray]] = {}
        for i, corner in enumerate(corners.T):
            self.points[i] = _homogeneous([Fraction(v) for v in corner.tolist()])

    def find(self, ids: Sequence[int], parents: np.ndarray, signs: np.ndarray) -> np.ndarray:
        """Points as columns (d+1, m) of integers. parents: (3, V), rows first end, second end, unit."""
        needed, stack = set(), [i for i in ids if i not in self.points]
        while stack:
            i = stack.pop()
            if i in needed or i in self.points:
                continue
            needed.add(i)
            stack.extend(int(p) for p in parents[:2, i])
        todo = sorted(needed)  # parents have smaller numbers
        while todo:
            ready = [i for i in todo if int(parents[0, i]) in self.points and int(parents[1, i]) in self.points]
            for unit in sorted({int(parents[2, i]) for i in ready}):
                group = [i for i in ready if parents[2, i] == unit]
                self._cross(group, parents[0, group].tolist(), parents[1, group].tolist(), unit, parents, signs)
            todo = [i for i in todo if i not in self.points]
        return np.stack([self.points[i] for i in ids], axis=1)

    def _cross(
        self, group: list[int], first: list[int], second: list[int], unit: int, parents: np.ndarray, signs: np.ndarray
    ) -> None:
        ends = sorted({*first, *second})
        values = dict(zip(ends, self.values(ends, unit, parents, signs), strict=True))
        for i, u, w in zip(group, first, second, strict=True):
            p = values[u] * self.points[w] - values[w] * self.points[u]
            self.points[i] = _reduced(p if p[-1] > 0 else -p)

    def values(self, ids: list[int], unit: int, parents: np.ndarray, signs: np.ndarray) -> list[int]:
        """Integers of the sign of a unit at vertices; comparable up to each vertex's own weight w."""
        layer = int(self.arrangement.layer_of[unit])
        hidden = np.stack([self._hidden(i, layer, parents, signs) for i in ids], axis=1)
        values, columns, starts = self.arrangement.integers[layer]
        local = unit - int(self.arrangement.starts[layer])
        end = starts[local + 1] if local + 1 < len(starts) else len(columns)
        chosen = slice(starts[local], end)
        result: list[int] = (values[:-1][chosen][:, None] * hidden[columns[chosen]]).sum(axis=0).tolist()
        return result

    def _hidden(self, i: int, layer: int, parents: np.ndarray, signs: np.ndarray) -> np.ndarray:
        """Hidden values below a layer at vertex i, as integers, and last the common scale."""
        level, hidden = self.hidden.get(i, (-1, None))
        if hidden is None or level > layer:
            level, hidden = 0, self.find([i], parents, signs)[:, 0]
        while level < layer:
            values, columns, starts = self.arrangement.integers[level]
            first = self.arrangement.starts[level]
            active = signs[first : self.arrangement.starts[level + 1], i] > 0
            z = np.add.reduceat(values[:-1] * hidden[columns], starts) if len(starts) else np.empty(0, dtype=object)
            hidden = np.append(np.where(active, z, 0), hidden[-1] * values[-1])
            level += 1
        self.hidden[i] = (level, hidden)
        return hidden

    def signs(self, ids: Sequence[int], units: Sequence[int], parents: np.ndarray, signs: np.ndarray) -> np.ndarray:
        """Exact signs of units at vertices, pair by pair."""
        order = np.argsort(units, kind="stable")
        out = np.zeros(len(units), dtype=np.int8)
        ids_, units_ = np.asarray(ids), np.asarray(units)
        for group in np.split(order, np.flatnonzero(np.diff(units_[order])) + 1) if len(order) else []:
            values = self.values(ids_[group].tolist(), int(units_[group[0]]), parents, signs)
            out[group] = [(v > 0) - (v < 0) for v in values]
        return out


def _homogeneous(point: list[Fraction]) -> np.ndarray:
    weight = 1
    for v in point:
        weight = weight * v.denominator // np.gcd(weight, v.denominator)
    return np.array([*(int(v * weight) for v in point), weight], dtype=object)


def _reduced(point: np.ndarray) -> np.ndarray:
    return point // np.gcd.reduce(point)


def as_fractions(points: np.ndarray) -> np.ndarray:
    """Homogeneous integer columns (d+1, m) as rows (m, d) of Fractions."""
    rows: list[list[Any]] = [[Fraction(int(v), int(column[-1])) for v in column[:-1]] for column in points.T]
    return np.array(rows, dtype=object).reshape(points.shape[1], points.shape[0] - 1)
