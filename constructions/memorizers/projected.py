"""The classifier of the nearest point after a verified projection to fewer dimensions."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from ..basics.ball import Ball, check_ball
from ..basics.norms import norm_name
from ..classifiers.memorizer import fingerprint
from ..gadgets.approximation import UNIT
from ..linear.affine import Affine
from ..linear.matrix import Dense, Identity, column, zeros
from ..networks.calculus import compose
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record
from .nearest import nearest_neighbour
from .reading import read_data

POWER = 6
"""Squarings in the bound of a matrix's norm: it is too large by m^(1 / 2^(POWER + 1)) at most."""

DRAWS = 2
"""Projections that are tried for each number of rows."""

MOST = 128
"""Rows up to which numbers of them are tried; the bound of the norm takes m^3 operations."""


@implements(
    "this library; the projection as in Kim, Moon and Yun 2025, Theorem 4.2 (iii)",
    "the nearest of N points is told after a projection to m dimensions, on balls that are smaller "
    "than half the projected separation",
    depth="inner_depth + 1",
    parameters="first + inner",
)
def projected_memorizer(
    points: Any, labels: Any, ball: Ball, *, rows: int | None = None
) -> ReLUNetwork:
    """Build the classifier of the nearest point in a projection that keeps labels apart.

    The first layer is z = 2^-k W x + c, W of m rows of +-1 of a Hadamard matrix, signs and order of
    its columns drawn at random, and z in [0,1]^m for x in [0,1]^D. Then comes `nearest_neighbour`
    of the projected points, for the radius |W| 2^-k r of the projected balls. So f is *exactly* the
    label on every ball, within [0,1]^D. Nothing is left to chance: |W| is bounded in integers, and
    a projection that brings labels too near is drawn anew.

    About m = D rho^2 rows, and log N at least, are enough for balls of rho times half the
    separation, where (N + D) m parameters take the place of N D.

    Args:
        points: (N, D) in [0,1], D >= 2; equal ones count once.
        labels: (N,), -1 and +1, or 0..K-1, each at least once.
        ball: norm and radius. l_inf balls are taken as the l_2 balls that hold their images.
        rows: m; None: the fewest of some numbers up to D / 2 and 128 that are enough.

    Returns:
        A `ReLUNetwork` D -> 1 or D -> K on [0,1]^D.

    Raises:
        ValueError: for shapes that do not fit, points outside [0,1], one label only, equal points
            of different labels, and where no projection that was drawn to fewer than D dimensions
            is enough.

    Cost: m (D + 1) parameters and `nearest_neighbour` of N points of m coordinates. Building takes
    N^2 m + N m D operations for each projection.

    Source: this library. Kim, Moon and Yun 2025 project at random and show that some projection is
    enough.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> x, y = generator.random((200, 64)), generator.choice([-1, 1], 200)
        >>> f = projected_memorizer(x, y, Ball(2, 0.05))
        >>> f.provenance.arguments["m"] < 32, f.size.parameters < 200 * 64
        (True, True)
        >>> bool((f.exact(x)[:, 0] == y).all())
        True
    """
    check_ball(ball)
    data = read_data(points, labels)
    count, dimension = data.points.shape
    if dimension < 2:
        raise ValueError("points must have 2 coordinates or more to be projected, got 1")
    given = 2 * data.classes - 1 if data.outputs == 1 else data.classes
    tried = _counts(dimension) if rows is None else [_read_rows(rows, dimension)]
    for m in tried:
        for seed in range(DRAWS):
            first, reach = _projection(dimension, m, seed, ball)
            images, moved = in_floats_near(ReLUNetwork((first,)).exact(data.points))
            try:
                nearest = nearest_neighbour(images, given, Ball(2, float_above(reach + moved)))
            except ValueError:
                continue
            carried = ReLUNetwork((first, Affine(Identity(m), zeros(m, 1))))
            network = compose(nearest, carried).restrict(UNIT)
            return record(
                network,
                N=count,
                m=m,
                seed=seed,
                first=first.parameters,
                inner=nearest.size.parameters,
                inner_depth=nearest.size.depth,
                norm=norm_name(ball.p),
                data=fingerprint(data.points, data.classes),
            )
    raise ValueError(
        f"ball must be smaller: no projection to {', '.join(map(str, tried))} dimensions that was "
        f"drawn keeps balls of different labels apart, got {ball}"
    )


def square_norm_bound(matrix: np.ndarray) -> Fraction:
    """A bound of the squared spectral norm of an integer matrix (m, D), object dtype: the largest
    row sum of W W^T, or the trace of a power of it, whichever says less.
    """
    gram = matrix @ matrix.T
    rows = max(int(v) for v in np.abs(gram).sum(1))
    power = gram
    for _ in range(POWER - 1):
        power = power @ power
    trace = int((power * power).sum())  # of W W^T to the power 2^POWER, symmetric
    root = trace << (2**POWER * 40)
    for _ in range(POWER):
        root = math.isqrt(root) + 1
    return min(Fraction(rows), Fraction(root, 1 << 40))


def in_floats_near(values: np.ndarray) -> tuple[np.ndarray, Fraction]:
    """Exact numbers (N, m) as float64, and a bound of how far a row moves in l_2."""
    near = values.astype(np.float64)
    moved = max(
        sum((a - Fraction(b)) ** 2 for a, b in zip(exact, rounded, strict=True))
        for exact, rounded in zip(values.tolist(), near.tolist(), strict=True)
    )
    return near, Fraction(0) if not moved else root_above(moved)


def root_above(square: Fraction) -> Fraction:
    """A number a little above the square root of one > 0."""
    scale = 1 << max(64, 64 + square.denominator.bit_length() - square.numerator.bit_length())
    return Fraction(math.isqrt(math.ceil(square * scale**2)) + 1, scale)


def float_above(value: Fraction) -> float:
    """The float64 at or just above a number >= 0."""
    found = float(value)
    return found if Fraction(found) >= value else math.nextafter(found, math.inf)


def _counts(dimension: int) -> list[int]:
    """Numbers of rows that are tried."""
    most = max(1, min(MOST, dimension // 2))
    return sorted({most, *(m for k in range(2, 8) for m in (2**k, 3 << (k - 1)) if m < most)})


def _read_rows(rows: Any, dimension: int) -> int:
    if isinstance(rows, bool) or not isinstance(rows, int) or not 1 <= rows < dimension:
        raise ValueError(f"rows must be an integer from 1 to D - 1 = {dimension - 1}, got {rows!r}")
    return rows


def _projection(dimension: int, m: int, seed: int, ball: Ball) -> tuple[Affine, Fraction]:
    """The first layer, and a bound of the l_2 radius of the images of balls."""
    generator = np.random.default_rng([seed, m, dimension])
    bits = (dimension - 1).bit_length()
    rows = generator.choice(2**bits, m, replace=False)
    columns = generator.permutation(2**bits)[:dimension]
    met = rows[:, None] & columns
    odd = sum((met >> k) & 1 for k in range(bits)) % 2
    signs = (1 - 2 * odd) * generator.choice([-1, 1], dimension)
    square = square_norm_bound(signs.astype(object))
    if ball.p == math.inf:
        square = min(square * dimension, Fraction(m * dimension**2))
    scale = 2.0**-bits
    first = Affine(Dense(torch.from_numpy(signs * scale)), column((signs < 0).sum(1) * scale))
    return first, root_above(square) * Fraction(ball.radius) * Fraction(scale)
