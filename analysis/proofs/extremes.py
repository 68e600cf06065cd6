"""The range over a box of networks minus a quadratic, from all cells: vertices, edges, insides.

Floats only sort out what cannot be the largest, with a bound of their own rounding; the rest is
compared in integers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from constructions import LinearRegions, ReLUNetwork, Stop, linear_regions, parallel
from constructions.internal import Corner

from .quadratic import Quadratic
from .range import Point, SupError

INPUTS = 8
"""Most inputs of a network, or of one of its separable parts, whose cells are listed with their
vertices.
"""

INTEGER_BITS = 62
"""Integers of at most so many bits are computed with in int64; larger ones in Python."""

SCALE_BITS = 4096
"""Numbers whose common denominator has at most so many bits are integers over it; others stay
Fractions.
"""

UNIT_ROUNDOFF = 2.0**-53


def extremes(
    networks: Sequence[tuple[int | Fraction, ReLUNetwork]],
    quadratic: Quadratic,
    lower: Corner,
    upper: Corner,
) -> SupError:
    """The range over the box of a sum of networks, each times a number, minus a quadratic."""
    d = len(lower)
    if quadratic.terms and d > 2:
        raise ValueError(
            f"reference of degree 2 is for networks with 1 or 2 inputs, or whose parts have so "
            f"many; got a part with {d}"
        )
    if d > INPUTS:
        raise ValueError(
            f"network must have at most {INPUTS} inputs, or be a sum of such parts, got a part "
            f"with {d} inputs"
        )
    found = _cells(parallel(*(network for _, network in networks)).restrict(None), lower, upper)
    points = found.exact_vertices()
    values = None
    for factor, network in networks:
        term = network.exact(points)[:, 0]
        term = term if factor == 1 else factor * term
        values = term if values is None else values + term
    errors = VertexErrors(points, values, quadratic)
    if quadratic.terms:
        ends = found.edges
        polygons = found.polygons() if d == 2 and quadratic.definite else []
    else:
        ends, polygons = np.zeros((2, 0), dtype=np.int64), []
    low, minimizer = errors.largest(-1, ends, polygons if quadratic.definite < 0 else [])
    high, maximizer = errors.largest(1, ends, polygons if quadratic.definite > 0 else [])
    return SupError(-low, minimizer, high, maximizer)


def _cells(network: ReLUNetwork, lower: np.ndarray, upper: np.ndarray) -> LinearRegions:
    """All cells, proved to be all."""
    found = linear_regions(network, (lower, upper))
    if found.complete and not found.certified:
        found = linear_regions(network, (lower, upper), arithmetic="integers")
    if found.stopped is Stop.INTERRUPT:  # Ctrl-C ends `linear_regions` with what it has
        raise KeyboardInterrupt
    if not found.complete or not found.certified:
        raise RuntimeError(f"the cells are not proved to be all: {found}")
    return found


class VertexErrors:
    """e = f - q at the vertices of a subdivision on whose cells f is affine, times `scale`, in the
    cheapest exact numbers.

    x: coordinates (V, d) times x_scale; e: (V,). All are int64, Python integers, or Fractions (with
    scale 1).
    """

    def __init__(self, points: np.ndarray, values: Any, quadratic: Quadratic) -> None:
        self.quadratic, self.d = quadratic, points.shape[1]
        flat, x_scale = _over_one_denominator(points.reshape(-1))
        self.x, self.x_scale = flat.reshape(points.shape), x_scale
        y, y_scale = _over_one_denominator(values)
        coefficients = [*quadratic.terms.values(), *quadratic.linear, quadratic.constant]
        factor = math.lcm(*(v.denominator for v in coefficients))
        common = math.lcm(x_scale * x_scale, y_scale)
        self.scale = factor * common
        per_y = self.scale // y_scale
        self.terms = {
            key: int(v * factor) * (common // x_scale**2) for key, v in quadratic.terms.items()
        }
        linear = [int(v * factor) * (common // x_scale) for v in quadratic.linear]
        constant = int(quadratic.constant * factor) * common
        x_size, y_size = (max(1, math.ceil(abs(v).max())) for v in (self.x, y))
        second = sum(map(abs, self.terms.values())) * x_size**2
        bound = per_y * y_size + second + sum(map(abs, linear)) * x_size + abs(constant)
        whole = all(isinstance(v, (int, np.int64)) for v in (self.x.flat[0], y[0]))
        if whole and max(4 * bound, 8 * second).bit_length() <= INTEGER_BITS:
            self.x, y = self.x.astype(np.int64), y.astype(np.int64)
        else:
            self.x = self.x.astype(object)
        self.e = per_y * y - self._second(self.x) - constant
        for i, slope in enumerate(linear):
            if slope:
                self.e = self.e - slope * self.x[:, i]

    def _second(self, x: np.ndarray) -> Any:
        """The terms of degree 2 at rows of numbers, times `scale`."""
        return sum(
            (a * x[:, i] * x[:, j] for (i, j), a in self.terms.items()),
            np.zeros(len(x), dtype=self.x.dtype),
        )

    def point(self, x: Iterable[Any]) -> Point:
        """A point from its coordinates times x_scale."""
        return tuple(Fraction(v) / self.x_scale for v in x)

    def largest(
        self, sign: int, ends: np.ndarray, polygons: Sequence[np.ndarray]
    ) -> tuple[Fraction, Point]:
        """The maximum of sign * e and a point where it is: at vertices, inside edges (2, E), inside
        polygons.
        """
        e = sign * self.e
        at = int(e.argmax())
        best, point = e[at : at + 1].tolist()[0], self.x[at].tolist()
        best, point = Fraction(best), self.point(point)
        inside = self._on_edges(sign, e, ends, best)
        if inside is not None:
            best, point = inside
        best /= self.scale
        x, values = self.x.tolist(), e.tolist()
        for polygon in polygons:
            if (
                self._bound(sign, [x[v] for v in polygon], [values[v] for v in polygon])
                <= best * self.scale
            ):
                continue
            inside = self._in_polygon(sign, polygon, best)
            if inside is not None:
                best, point = inside
        return best, point

    def _on_edges(
        self, sign: int, e: np.ndarray, ends: np.ndarray, best: Fraction
    ) -> tuple[Fraction, Point] | None:
        """The largest value, if more than `best`, at a stationary point inside an edge.

        On the edge from a to b, with c the terms of degree 2 at b - a, e(a + t (b - a)) = (1 - t)
        e(a) + t e(b) + c t (1 - t) is stationary at t = 1/2 + (e(b) - e(a)) / 2c, with the value
        e(a) + (c + e(b) - e(a))^2 / 4c.
        """
        if ends.shape[1] == 0:
            return None
        u, w = ends
        bend, rise = sign * self._second(self.x[w] - self.x[u]), e[w] - e[u]
        chosen = np.flatnonzero((bend > 0) & (abs(rise) < bend))
        if len(chosen) == 0:
            return None
        u, w, bend, rise = u[chosen], w[chosen], bend[chosen], rise[chosen]
        start = e[u]
        top, slack = _screen(start, rise, bend)
        chosen = np.flatnonzero(top + slack >= (top - slack).max())
        start, rise, bend = (v[chosen].tolist() for v in (start, rise, bend))
        first: dict[Any, int] = {}
        for k, key in enumerate(zip(start, rise, bend, strict=True)):
            first.setdefault(key, k)
        found = None
        for (a, r, c), k in first.items():
            value = Fraction(a) + Fraction(c + r) ** 2 / (4 * c)
            if value > best:
                best, found = value, k
        if found is None:
            return None
        t = Fraction(1, 2) + Fraction(rise[found]) / (2 * bend[found])
        a, b = (self.x[v[chosen[found]]].tolist() for v in (u, w))
        return best, self.point(p + t * (q - p) for p, q in zip(a, b, strict=True))

    def _bound(self, sign: int, corners: list[Any], values: list[Any]) -> Any:
        """An upper bound of sign * e in a polygon.

        With q the terms of degree 2, e is at most max_i e(v_i) + sum_(i < j) t_i t_j q(v_i - v_j)
        at sum_i t_i v_i, and the sum of all t_i t_j is at most 1/2.
        """
        terms = [(sign * self.terms.get(key, 0)) for key in ((0, 0), (0, 1), (1, 1))]
        bend = 0
        for (p, q), (r, s) in itertools.combinations(corners, 2):
            h, k = p - r, q - s
            bend = max(bend, terms[0] * h * h + terms[1] * h * k + terms[2] * k * k)
        return max(values) + Fraction(bend, 2)

    def _in_polygon(
        self, sign: int, polygon: np.ndarray, best: Fraction
    ) -> tuple[Fraction, Point] | None:
        """The value at the maximum of sign * e, where it is concave, if that lies in the polygon
        and is more than `best`.

        e(v + h) = e(v) + g.h - q(h) for one gradient g, which two more vertices give; stationary at
        g = grad q(h).
        """
        corners = [self.point(self.x[v].tolist()) for v in polygon]
        values = [Fraction(v) / self.scale * sign for v in self.e[polygon].tolist()]
        a, b, c = (
            sign * self.quadratic.terms.get(key, Fraction(0)) for key in ((0, 0), (0, 1), (1, 1))
        )
        x, y = corners[0]
        sides = []
        for (p, q), value in zip(corners[1:], values[1:], strict=True):
            h, k = p - x, q - y
            sides.append((h, k, value - values[0] + a * h * h + b * h * k + c * k * k))
        h, k, r = sides[0]
        s, t, w = next(other for other in sides[1:] if h * other[1] != k * other[0])
        area = h * t - k * s
        g0, g1 = (r * t - w * k) / area, (h * w - s * r) / area
        minor = 4 * a * c - b * b
        u, v = (2 * c * g0 - b * g1) / minor, (2 * a * g1 - b * g0) / minor
        value = values[0] + (g0 * u + g1 * v) / 2
        if value <= best:
            return None
        p, q = x + u, y + v
        turns = [
            (c1[0] - c0[0]) * (q - c0[1]) - (c1[1] - c0[1]) * (p - c0[0])
            for c0, c1 in itertools.pairwise([*corners, corners[0]])
        ]
        if min(turns) < 0 < max(turns):
            return None
        return value, (p, q)


def _over_one_denominator(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers (n,) as integers over their common denominator, or as Fractions over 1 where that
    would be too long.
    """
    if values.dtype == np.float64:
        places = 53 - int(np.frexp(values)[1].max())
        with np.errstate(under="ignore"):
            scaled = np.ldexp(values, places)  # at most 2^53
        if 0 <= places <= 1000 and (scaled == np.rint(scaled)).all():
            whole = scaled.astype(np.int64)
            spare = min(
                places,
                int(np.bitwise_or.reduce(whole) & -np.bitwise_or.reduce(whole)).bit_length() - 1,
            )
            return whole >> max(spare, 0), 1 << (places - max(spare, 0))
    ratios = [v.as_integer_ratio() for v in values.tolist()]
    scale = 1
    out = np.empty(len(ratios), dtype=object)
    for denominator in {d for _, d in ratios}:
        scale = math.lcm(scale, denominator)
        if scale.bit_length() > SCALE_BITS:
            out[:] = [Fraction(*ratio) for ratio in ratios]
            return out, 1
    out[:] = [n * (scale // d) for n, d in ratios]
    return out, scale


def _screen(start: np.ndarray, rise: np.ndarray, bend: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """start + (bend + rise)^2 / (4 bend) in float64, times one power of two, and how far off that
    may be.

    For |rise| < bend. An input errs by half a unit in the last place, so the sum s = bend + rise by
    n = 4 u (bend + |rise|), and s^2 / (4 bend) by (2 |s| n + n^2) / (4 bend) <= n + n^2 / (4 bend),
    and by rounding.
    """
    a, r, c = _floats(start, rise, bend)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        top = a + (c + r) * (0.25 * (c + r) / c)
        noise = 8 * UNIT_ROUNDOFF * (c + np.abs(r)) + 2.0**-1060
        slack = 2 * (noise + noise * (noise / c)) + 8 * UNIT_ROUNDOFF * np.abs(a)
    bad = ~(np.isfinite(top) & np.isfinite(slack))
    return np.where(bad, 0.0, top), np.where(bad, np.inf, slack)


def _floats(*arrays: np.ndarray) -> list[np.ndarray]:
    """Integers or Fractions times one power of two as the nearest floats, of absolute values up to
    1 (int64: as they are).
    """
    if all(v.dtype == np.int64 for v in arrays):
        return [v.astype(np.float64) for v in arrays]
    ratios = [[v.as_integer_ratio() for v in array.tolist()] for array in arrays]
    shift = max(n.bit_length() - d.bit_length() + 1 for part in ratios for n, d in part)
    up, down = 1 << max(-shift, 0), 1 << max(shift, 0)
    return [np.array([n * up / (d * down) for n, d in part]) for part in ratios]
