"""Packings of a hyperplane, and the data sets on both sides of it that are linearly separable but
hard to classify robustly.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from ..basics.labelled import LabelledPoints
from ..basics.norms import read_norm
from ..basics.renamed import renamed
from ..basics.shapes import PointArray

ENTRIES = 2**27
"""Most coordinates of a packing that is listed."""


@renamed("dimension delta norm")
def packing_number(dimension: int, delta: float | Fraction, *, norm: Any = math.inf) -> int:
    """Count points of the cube's middle slice that are pairwise more than 2 delta apart.

    The slice is {x in [0,1]^D : x_D = 1/2}. l_inf: ceil(1 / (2 delta))^(D-1), the most there are
    (cells of side at most 2 delta hold one point each). The usual floor(1 / (2 delta)) + 1 a side
    counts points exactly 2 delta apart if 1 / (2 delta) is an integer. l_2: a lower bound, the
    greater of that grid and of the volume bound (see `log_volume_bound`; rounded down by a relative
    1e-9).

    Args:
        dimension: D >= 2.
        delta: in (0, 1/2), taken exactly: 0.1 is a little more than 1/10.
        norm: inf or 2.

    Returns:
        An exact integer; for l_2 a lower bound.

    Raises:
        ValueError: for D < 2, delta outside (0, 1/2) and another norm.
        TypeError: for numbers of other kinds.

    Example:
        >>> packing_number(3, 0.25), packing_number(3, 0.2), packing_number(20, 0.2, norm=2)
        (4, 9, 1162261467)
    """
    dimension, radius = read_dimension(dimension), read_delta(delta)
    grid = math.ceil(1 / (2 * radius)) ** (dimension - 1)
    if read_norm(norm) == math.inf:
        return grid
    return max(grid, _floor_exp(log_volume_bound(dimension, delta)))


def log_volume_bound(dimension: int, delta: float | Fraction) -> float:
    """Bound the packing number from below by volumes, as a logarithm.

    log of (1 / (2 delta))^(D-1) / V_(D-1), V_d the volume of the l_2 unit ball in R^d: the 2
    delta-balls around a packing that cannot be extended cover the unit cube.

    Args:
        dimension: D >= 2.
        delta: in (0, 1/2).

    Returns:
        The logarithm of a lower bound, in float64, up to rounding; negative (vacuous) for large
        delta and few dimensions.

    Raises:
        ValueError: as `packing_number`.
        TypeError: likewise.

    Example:
        >>> round(log_volume_bound(3, 0.25), 6) == round(math.log(4 / math.pi), 6)
        True
    """
    d, radius = read_dimension(dimension) - 1, read_delta(delta)
    return -d * math.log(2 * radius) - (d / 2 * math.log(math.pi) - math.lgamma(d / 2 + 1))


def packing(dimension: int, delta: float | Fraction) -> PointArray:
    """Give a grid of points of [0,1]^(D-1) that are pairwise more than 2 delta apart.

    It has ceil(1 / (2 delta))^(D-1) points, so far apart in l_inf and in l_2. For l_inf no packing
    is larger.

    Args:
        dimension: D >= 2.
        delta: in (0, 1/2), exact.

    Returns:
        float64 of shape (n, D - 1), dyadic, all coordinates inside (0, 1), rows in lexicographic
        order.

    Raises:
        ValueError: for D < 2, delta outside (0, 1/2), one so near to 1 / (2 k) that float64 has no
            room, and more than 2^27 coordinates.

    Cost: time and memory n D.

    Example:
        >>> packing(3, 0.25).tolist()
        [[0.125, 0.125], [0.125, 0.875], [0.875, 0.125], [0.875, 0.875]]
    """
    sides, first, step = grid_line(delta)
    d = read_dimension(dimension) - 1
    if sides**d * d > ENTRIES:
        raise ValueError(
            f"dimension must leave at most {ENTRIES:,} coordinates, got {sides}^{d} points of {d}"
        )
    line = np.array([float(first + i * step) for i in range(sides)])
    return np.stack(np.meshgrid(*[line] * d, indexing="ij"), axis=-1).reshape(-1, d)


def separated_set(
    dimension: int, delta: float | Fraction, signs: Any = 0, offset: float | None = None
) -> LabelledPoints[np.ndarray]:
    """Make the labelled points S_phi that are hard to classify robustly.

    S_phi = {(x, 1/2 + offset phi(x)) : x in the packing}. The points are more than 2 delta apart,
    in l_inf and in l_2, and x_D = 1/2 separates the labels. The papers' lower bound needs offset <=
    the radius of robustness: beyond it, x_D - 1/2 itself is robust, with 2 parameters; the papers'
    (0, 1) allows this, and points outside the cube.

    Args:
        dimension: D >= 2.
        delta: in (0, 1/2), exact.
        signs: phi, as n numbers +-1 in the order of `packing`, as a function of a packing point (D
            - 1,), or as a seed.
        offset: the papers' epsilon_0, in (0, 1/2]; None takes the greatest power of two <= delta /
            2.

    Returns:
        `LabelledPoints`: points (n, D), float64, and labels phi (n,), int64.

    Raises:
        ValueError: for bad signs or offset, and as `packing`.

    Source: CGRM (anonymous 2023), Theorem A.6; CGRO (anonymous 2023), Theorem D.4.

    Example:
        >>> points, labels = separated_set(2, 0.25, [1, -1])
        >>> points.tolist(), labels.tolist()
        ([[0.125, 0.625], [0.875, 0.375]], [1, -1])
    """
    points = packing(dimension, delta)
    if offset is None:
        offset = math.ldexp(1.0, math.frexp(float(delta))[1] - 2)
    if not 0 < offset <= 0.5:
        raise ValueError(f"offset must lie in (0, 1/2], got {offset}")
    labels = _signs(signs, points)
    return LabelledPoints(np.column_stack([points, 0.5 + offset * labels]), labels)


def grid_line(delta: float | Fraction) -> tuple[int, Fraction, Fraction]:
    """The packing's coordinates: how many, the first and the step between them, multiples of a 2^-q
    with q small.
    """
    radius = read_delta(delta)
    sides = math.ceil(1 / (2 * radius))
    for bits in range(1, 52):
        unit = Fraction(1, 2**bits)
        step = (math.floor(2 * radius / unit) + 1) * unit
        rest = 1 - (sides - 1) * step
        if rest > 0:
            return sides, rest / 2, step
    raise ValueError(
        f"delta must be further from 1/{2 * sides - 2} for a packing in float64, got "
        f"{float(delta)!r}"
    )


def read_delta(delta: Any) -> Fraction:
    """A radius in (0, 1/2) as an exact number; raises TypeError and ValueError otherwise."""
    if isinstance(delta, (bool, str)) or not isinstance(delta, (int, float, Fraction, np.number)):
        raise TypeError(f"delta must be a number, got {delta!r}")
    if not 0 < delta < 0.5:
        raise ValueError(f"delta must lie in (0, 1/2), got {delta}")
    return delta if isinstance(delta, Fraction) else Fraction(float(delta))


def read_dimension(dimension: Any) -> int:
    """An integer >= 2; raises ValueError otherwise."""
    return read_count("dimension", dimension, 2)


def read_count(name: str, value: Any, least: int) -> int:
    """An integer from `least` on; raises ValueError, naming the argument, otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value!r}")
    return int(value)


def _signs(signs: Any, points: np.ndarray) -> np.ndarray:
    if isinstance(signs, (int, np.integer)) and not isinstance(signs, bool):
        return np.random.default_rng(signs).choice(np.array([-1, 1]), len(points))
    values = np.array([signs(x) for x in points]) if callable(signs) else np.asarray(signs)
    if values.shape != (len(points),) or not np.isin(values, (-1, 1)).all():
        raise ValueError(
            f"signs must be {len(points)} numbers -1 or +1, one for each point of the packing"
        )
    return values.astype(np.int64)


def _floor_exp(exponent: float) -> int:
    """An integer at most e^exponent, short of it by a relative 1e-9."""
    bits = (exponent - 1e-9) / math.log(2)
    whole = math.floor(bits)
    return int(Fraction(2.0 ** (bits - whole)) * Fraction(2) ** whole)
