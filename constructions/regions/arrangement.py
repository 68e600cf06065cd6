"""The hidden units of a network over a box, in floating point with rounding bounds and in exact
integers.

What every way of finding linear regions needs: pre-activations, affine forms, enclosures of
vertices, and the exact sign of a unit at a vertex when rounding leaves it open. Whole, because it
is one noun: all methods read the same rows and bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..basics.floats import FAR, UNIT_ROUNDOFF, lowest_bit
from ..basics.shapes import Corner, Vertices
from ..networks.network import ReLUNetwork

LARGEST = 2.0**300
"""Beyond this, or below its inverse, products may leave the range of float64."""

UNDERFLOW = 2.0**-900
"""What products below the normal range may lose, with room to spare."""

CHUNK_BYTES = 2**22
"""Size of a layer's pre-activations that are worked on at once; larger temporaries cost more in
page faults.
"""


class Arrangement:
    """The bent hyperplanes {z_k = 0} of the hidden units k of a network in the box [lower, upper]
    of R^d.

    weights, biases: float64, one pair a hidden layer (weights[l] of shape (n_l, n_(l-1))). Units
    are numbered through all layers; `starts[l]` is the first of layer l. Constraints are numbered
    0..d-1 (x_i = lower_i), d..2d-1 (x_i = upper_i), then 2d + k (unit k). With M = |W_l| M_(l-1) +
    |b_l| (and a little for underflow) and L = |W_l| L_(l-1), a float64 evaluation of unit k
    anywhere in the box, or of its affine form, errs by at most gamma M_k, and unit k has Lipschitz
    constant L_k in the maximum norm (Higham 2002, chapter 3).
    """

    def __init__(
        self, layers: Sequence[tuple[np.ndarray, np.ndarray]], lower: np.ndarray, upper: np.ndarray
    ) -> None:
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
        # twice: M and L are rounded too
        self.gamma = 2 * operations * UNIT_ROUNDOFF / (1 - 2 * operations * UNIT_ROUNDOFF)
        self.magnitudes: list[np.ndarray] = []
        self.slopes: list[np.ndarray] = []
        for w, b in zip(self.weights, self.biases, strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                magnitude, slope = np.abs(w) @ magnitude + np.abs(b) + UNDERFLOW, np.abs(w) @ slope
            entries = np.abs(np.append(w, b))
            if (
                not (magnitude <= LARGEST).all()
                or not (slope <= LARGEST).all()
                or (entries[entries > 0] < 1 / LARGEST).any()
            ):
                raise ValueError(
                    "network must have weights and biases that are 0 or at least 2^-300 in size, "
                    "and values on the box < 2^300"
                )
            self.magnitudes.append(magnitude)
            self.slopes.append(slope)

    @classmethod
    def of(
        cls, network: ReLUNetwork, lower: Corner, upper: Corner, output: bool = False
    ) -> Arrangement:
        """The arrangement of a network's hidden layers, or of all affine layers.

        Raises ValueError for weights or values beyond `LARGEST` and its inverse: float64 could not
        bound its own errors.
        """
        layers = network.layers if output else network.layers[:-1]
        return cls(
            [(a.weight.to_dense().numpy(), a.bias.to_dense()[:, 0].numpy()) for a in layers],
            lower,
            upper,
        )

    def corners(self) -> tuple[np.ndarray, np.ndarray]:
        """The box's 2^d corners (2^d, d), and which side of each axis they lie on (0 or 1)."""
        sides = (np.arange(2**self.d)[:, None] >> np.arange(self.d)) & 1
        return np.where(sides, self.upper, self.lower), sides

    # -- floating point ----------------------------------------------------------------------------

    def affine(self, layer: int, hidden: np.ndarray) -> np.ndarray:
        """Pre-activations (V, n_l) of a layer from the hidden values (V, n_(l-1)) below it."""
        return hidden @ self.weights[layer].T + self.biases[layer]

    def prefix(
        self, layer: int, points: np.ndarray, signs: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """Pre-activations of layers 0..layer at points (V, d), with the activations that `signs`
        (V, units) gives, or ReLU.
        """
        hidden, out = points, []
        for j in range(layer + 1):
            z = self.affine(j, hidden)
            out.append(z)
            if j < layer:
                hidden = (
                    np.maximum(z, 0.0)
                    if signs is None
                    else z * (signs[:, self.starts[j] : self.starts[j + 1]] > 0)
                )
        return out

    def unclear(
        self, layer: int, z: np.ndarray, radius: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The (vertex, unit) pairs whose sign the floats z (V, n_l) leave open at a vertex within
        `radius` (V,) of its point.

        Unit by unit: |z_k| <= gamma M_k + L_k radius, after one cheaper comparison with the layer's
        largest bound.
        """
        noise, slope = self.gamma * self.magnitudes[layer], self.slopes[layer]
        limit = noise.max(initial=0.0) + slope.max(initial=0.0) * radius
        ids, units = np.nonzero(~(np.abs(z) > limit[:, None]))
        open_ = ~(np.abs(z[ids, units]) > noise[units] + slope[units] * radius[ids])
        return ids[open_], units[open_]

    def settle(
        self,
        layer: int,
        z: np.ndarray,
        pairs: tuple[np.ndarray, np.ndarray],
        points: Vertices,
        signs: np.ndarray,
        radius: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Of the pairs that `unclear` gives, those that stay open when errors are followed from
        layer to layer at each vertex; z (V, n_l) is put right where a sign becomes clear.
        """
        ids, units = pairs
        rows, place = np.unique(ids, return_inverse=True)
        if len(rows) == 0:
            return pairs
        found, error = self.followed(layer, points[rows], signs[rows], radius[rows])
        clear = np.abs(found[place, units]) > error[place, units]
        z[ids[clear], units[clear]] = found[place[clear], units[clear]]
        return ids[~clear], units[~clear]

    def followed(
        self, layer: int, points: Vertices, signs: np.ndarray, radius: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pre-activations (V, n_l) of a layer at points under the exact patterns `signs` of true
        vertices within `radius` (V,), and how far they are from those at the vertices at most.

        Values and slopes have running errors E = |W_l| E_(l-1) + gamma_n (|W_l| |h| + |b_l|), of
        active units only, with twice gamma_n for their own rounding (Higham 2002, section 3.3). The
        bound is that of the value, plus the radius times the sum of the slopes' sizes.
        """
        count = len(points)
        slopes = np.repeat(np.eye(self.d)[:, None], count, axis=1)
        hidden = np.concatenate([points[None], slopes])  # values, then slopes by each input
        error = np.zeros(hidden.shape)
        for j in range(layer + 1):
            size, u = np.abs(self.weights[j]).T, (hidden.shape[2] + 4) * UNIT_ROUNDOFF
            gamma = 2 * u / (1 - 2 * u)
            rounding = gamma * (np.abs(hidden) @ size) + UNDERFLOW
            rounding[0] += gamma * np.abs(self.biases[j])
            z, error = hidden @ self.weights[j].T, (1 + gamma) * (error @ size) + rounding
            z[0] += self.biases[j]
            active = signs[:, self.starts[j] : self.starts[j + 1]] > 0
            if j < layer:
                hidden, error = z * active, error * active
        reach = (np.abs(z[1:]) + error[1:]).sum(axis=0) * radius[:, None]
        return z[0], (1 + 1e-9) * (error[0] + reach)

    def chunks(self, count: int) -> list[slice]:
        """Parts of 0..count in which a layer's pre-activations fit into a processor's cache."""
        size = max(256, CHUNK_BYTES // (8 * max([1, *self.widths])))
        return [slice(i, min(i + size, count)) for i in range(0, count, size)]

    def forms(self, constraints: np.ndarray, signs: np.ndarray) -> np.ndarray:
        """Affine forms (m, d+1) of constraints (m,) under activation patterns signs (m, units)."""
        d = self.d
        out = np.zeros((len(constraints), d + 1))
        box = np.flatnonzero(constraints < 2 * d)
        axis = constraints[box] % d
        out[box, axis] = 1.0
        out[box, d] = -np.where(constraints[box] < d, self.lower[axis], self.upper[axis])
        units = constraints - 2 * d
        layer_of = np.full(len(units), -1)
        layer_of[units >= 0] = self.layer_of[units[units >= 0]]
        for layer in range(len(self.widths)):
            chosen = np.flatnonzero(layer_of == layer)
            if len(chosen) == 0:
                continue
            local = units[chosen] - self.starts[layer]
            rows, constant = self.weights[layer].take(local, axis=0), self.biases[layer][local]
            for j in range(layer - 1, -1, -1):
                active = signs[chosen, self.starts[j] : self.starts[j + 1]] > 0
                rows = rows * active
                constant = constant + rows @ self.biases[j]
                rows = rows @ self.weights[j]
            out[chosen, :d] = rows
            out[chosen, d] = constant
        return out

    def locate(
        self, points: Vertices, constraints: np.ndarray, signs: np.ndarray
    ) -> tuple[Vertices, np.ndarray]:
        """Better points (V, d), and radii (V,) such that the true vertex is within that distance
        (maximum norm).

        The vertex is the common zero of d constraints (V, d) under the pattern `signs`. With R an
        approximate inverse of the forms' matrix G: |v - x| <= |R| |Gx + c| / (1 - |I - RG|), all
        with rounding; infinite where that fails.
        """
        d, count = self.d, len(points)
        if count == 0:
            return points, np.zeros(0)
        # (d, d+1, V): long axis last, for speed
        forms = np.stack([self.forms(constraints[:, i], signs).T for i in range(d)])
        matrix, constant = forms[:, :d], forms[:, d]
        inverse = _inverses(matrix)
        slope, magnitude = self._row_bounds(constraints)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            x = points.T - _times(inverse, _times(matrix, points.T) + constant)
            bad = ~np.isfinite(x).all(axis=0)
            x[:, bad] = points.T[:, bad]
            residual = np.abs(_times(matrix, x) + constant) + self.gamma * magnitude
            if d == 1:
                self._follow(residual, x, constraints, signs)
            size = np.abs(inverse)
            defect = np.repeat(-np.eye(d)[:, :, None], count, axis=2)
            for k in range(d):
                defect += inverse[:, k, None] * matrix[k]
            defects = np.abs(defect).sum(axis=1) + _times(
                size, self.gamma * (slope + np.abs(matrix).sum(axis=1))
            )
            contraction = defects.max(axis=0)
            radius = _times(size, residual).max(axis=0) / (1 - 2 * contraction) * (1 + 1e-9)
        radius[bad | ~(contraction < 0.25) | ~np.isfinite(radius)] = np.inf
        return x.T, radius

    def _follow(
        self, residual: np.ndarray, x: np.ndarray, constraints: np.ndarray, signs: np.ndarray
    ) -> None:
        """Better residuals (1, V) of units that vanish at vertices x (1, V): errors followed."""
        units = constraints[:, 0] - 2
        layers = np.where(units >= 0, self.layer_of[units], -1)
        for layer in set(layers[units >= 0].tolist()):
            at = np.flatnonzero(layers == layer)
            z, error = self.followed(layer, x.T[at], signs[at], np.zeros(len(at)))
            own = range(len(at)), units[at] - self.starts[layer]
            residual[0, at] = np.fmin(residual[0, at], np.abs(z[own]) + error[own])

    def _row_bounds(self, constraints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """L and M of constraints (V, d), as (d, V)."""
        d = self.d
        reach = np.maximum(np.abs(self.lower), np.abs(self.upper))
        slope = np.concatenate([np.ones(2 * d), *self.slopes])
        magnitude = np.concatenate([2 * reach, 2 * reach, *self.magnitudes])
        return slope[constraints.T], magnitude[constraints.T]

    # -- floating point without rounding -----------------------------------------------------------

    @cached_property
    def _terms(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Of each layer's nonzero entries, biases last in each row: columns, row starts, sizes,
        exponents of lowest bits.
        """
        out = []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            table = np.concatenate([weight, bias[:, None]], axis=1)
            keep = table != 0
            keep[:, -1] = True  # so that no row is empty
            rows, columns = np.nonzero(keep)
            starts = np.searchsorted(rows, np.arange(len(table)))
            out.append((columns, starts, np.abs(table[keep]), lowest_bit(table[keep])))
        return out

    def exact_rows(self, layer: int, hidden: np.ndarray, exact: np.ndarray) -> np.ndarray:
        """Where (V, n_l) float64 computes pre-activations without any rounding, whatever the order
        of summation.

        hidden (V, n_(l-1)), and where it is exact. All terms of a unit are multiples of 2^q, q the
        least sum of the lowest bits' exponents of a weight and its input; if their sizes add up to
        at most 2^(53+q), every partial sum is exact.
        """
        columns, starts, sizes, bits = self._terms[layer]
        out = np.zeros((len(hidden), len(starts)), dtype=bool)
        # most points have no unit all of whose inputs are exact
        inexact = (~exact).astype(np.float32) @ (self.weights[layer] != 0).T.astype(np.float32)
        some = np.flatnonzero((inexact == 0).any(axis=1))
        if len(some) < len(out):
            out[some] = self.exact_rows(layer, hidden[some], exact[some]) if len(some) else False
            return out
        count = len(hidden)
        if out.size == 0:
            return out
        low = np.concatenate(
            [np.where(exact, lowest_bit(hidden), -FAR), np.zeros((count, 1), dtype=np.int64)],
            axis=1,
        )
        values = np.concatenate([np.abs(hidden), np.ones((count, 1))], axis=1)
        step = max(1, 2**17 // len(columns))
        for i in range(0, count, step):
            part = slice(i, i + step)
            q = np.minimum.reduceat(low[part][:, columns] + bits, starts, axis=1)
            out[part] = _fits(np.add.reduceat(values[part][:, columns] * sizes, starts, axis=1), q)
        return out & (inexact == 0)

    def exact_forms(self, units: np.ndarray, signs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Affine forms (m, d+1) of units (m,) under patterns signs (m, units), and which of them
        float64 computes exactly.
        """
        forms = self.forms(units + 2 * self.d, signs)
        exact = np.ones(len(units), dtype=bool)
        for layer in set(self.layer_of[units].tolist()):
            chosen = np.flatnonzero(self.layer_of[units] == layer)
            local = units[chosen] - self.starts[layer]
            rows, constant = self.weights[layer][local], self.biases[layer][local]
            low, size = lowest_bit(constant), np.abs(constant)
            for j in range(layer - 1, -1, -1):
                weight, bias = self.weights[j], self.biases[j]
                rows = rows * (signs[chosen, self.starts[j] : self.starts[j + 1]] > 0)
                grain = np.minimum(lowest_bit(weight).min(axis=1, initial=FAR), lowest_bit(bias))
                reach = np.maximum(np.abs(weight).max(axis=1, initial=0.0), np.abs(bias))
                q = (lowest_bit(rows) + grain).min(axis=1, initial=FAR)
                total = np.abs(rows) @ reach
                low, size = np.minimum(low, q), size + total
                exact[chosen] &= _fits(total, q) & _fits(size, low)
                rows = rows @ weight
        return forms, exact

    def surely_zero(
        self, units: np.ndarray, constraints: np.ndarray, signs: np.ndarray
    ) -> np.ndarray:
        """Units (m,) that certainly vanish at vertices on `constraints` (m, d): their form there is
        zero, or a multiple of a constraint's, without rounding.
        """
        forms, exact = self.exact_forms(units, signs)
        out = exact & (forms == 0).all(axis=1)
        for i in range(self.d):
            rest = np.flatnonzero(exact & ~out)
            owner = constraints[rest, i] - 2 * self.d
            other, fine = self.forms(constraints[rest, i], signs[rest]), owner < 0
            inner = np.flatnonzero(~fine)
            fine[inner] = self.exact_forms(owner[inner], signs[rest[inner]])[1]
            pivot = np.abs(other).argmax(axis=1)[:, None]
            own, top, bottom = (
                forms[rest],
                np.take_along_axis(forms[rest], pivot, 1),
                np.take_along_axis(other, pivot, 1),
            )
            left, right = own * bottom, other * top
            fits = _fits(np.abs(left), lowest_bit(own) + lowest_bit(bottom)) & _fits(
                np.abs(right), lowest_bit(other) + lowest_bit(top)
            )
            fine &= bottom[:, 0] != 0  # a form that is zero under this pattern says nothing
            out[rest] = fine & (fits & (left == right)).all(axis=1)
        return out


def _fits(size: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Whether multiples of 2^q, of absolute values that add up to `size`, have exact sums in
    float64 (no underflow, either).
    """
    return (q >= -1000) & (1.001 * size <= np.ldexp(1.0, np.clip(53 + q, -947, 1000)))


def exact_crossing(
    u: np.ndarray, w: np.ndarray, zu: np.ndarray, zw: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The points (zu w - zw u) / (zu - zw), (V, d), and where (V,) float64 computes them without
    rounding.

    u, w: exact points (V, d); zu, zw: exact values (V,) of opposite signs.
    """
    zu, zw = zu[:, None], zw[:, None]
    top, bottom = zu * w - zw * u, zu - zw
    point = top / bottom
    z = np.minimum(lowest_bit(zu), lowest_bit(zw))
    x = np.minimum(lowest_bit(u), lowest_bit(w))
    exact = _fits(np.abs(zu) * np.abs(w) + np.abs(zw) * np.abs(u), z + x) & _fits(
        np.abs(zu) + np.abs(zw), z
    )
    exact &= _fits(np.abs(top), lowest_bit(point) + lowest_bit(bottom)) & (point * bottom == top)
    return point, exact.all(axis=1)


def _inverses(matrix: np.ndarray) -> np.ndarray:
    """Inverses of (d, d, V); not finite where there is none. Up to d = 4 by cofactors, which is
    several times faster.
    """
    d = len(matrix)
    if d > 4:
        stack = matrix.transpose(2, 0, 1)
        try:
            return np.linalg.inv(stack).transpose(1, 2, 0)
        except np.linalg.LinAlgError:
            regular = np.linalg.matrix_rank(stack) == d
            out = np.full_like(stack, np.inf)
            out[regular] = np.linalg.inv(stack[regular])
            return out.transpose(1, 2, 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        minors: dict[tuple[tuple[int, ...], tuple[int, ...]], Any] = {}
        cofactors = np.empty_like(matrix)
        for i in range(d):
            for j in range(d):
                rows, columns = (
                    tuple(r for r in range(d) if r != i),
                    tuple(c for c in range(d) if c != j),
                )
                np.multiply(
                    (-1) ** (i + j), _minor(matrix, rows, columns, minors), out=cofactors[j, i]
                )
        return cofactors / _times(matrix[:1], cofactors[:, 0])


def _minor(
    matrix: np.ndarray, rows: tuple[int, ...], columns: tuple[int, ...], known: dict[Any, Any]
) -> Any:
    """The determinant of a part of (d, d, V), along the first row."""
    if len(rows) < 2:
        return matrix[rows[0], columns[0]] if rows else 1.0
    if (rows, columns) not in known:
        total = 0.0
        for k, column in enumerate(columns):
            term = matrix[rows[0], column] * _minor(
                matrix, rows[1:], columns[:k] + columns[k + 1 :], known
            )
            total = total - term if k % 2 else total + term
        known[rows, columns] = total
    return known[rows, columns]


def _times(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Products of (d, d, V) and (d, V)."""
    return sum(matrix[:, j] * vector[j] for j in range(len(vector)))
