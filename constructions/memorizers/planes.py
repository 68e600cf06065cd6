"""Which hyperplanes part points of different labels, each between all balls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..basics.ball import Ball
from ..networks.calculus import affine

PAIRS = 2**15
"""Pairs of a cell with different labels that are counted to choose the next plane."""

DRAWN = 48
"""Random directions beside the coordinates."""

FEW = 12
"""Dimensions below which random directions have weights up to 9, else 1."""

PLANE = 6
"""Parameters of a plane: two units of a weight and a bias, read by two weights."""


@dataclass(frozen=True)
class Plane:
    """A ramp on direction `row`, from 0 at <w, x> = start to 1 at start + width, a power of two of
    which start is a multiple.
    """

    row: int
    start: Fraction
    width: Fraction


def directions(dimension: int) -> np.ndarray:
    """The coordinates, and random directions of small integers, (R, D)."""
    generator = np.random.default_rng(0)
    most = 9 if dimension < FEW else 1
    drawn = generator.integers(1, most, (DRAWN, dimension), endpoint=True)
    drawn = drawn * generator.choice([-1, 1], (DRAWN, dimension))
    return np.concatenate([np.eye(dimension, dtype=np.int64), drawn])


def reach(weights: np.ndarray, ball: Ball) -> Fraction:
    """A bound of how far <w, x> is from its value at the centre of a ball: radius |w|_q, rounded up
    in l_2.
    """
    radius = Fraction(ball.radius)
    if ball.p == math.inf:
        return radius * int(np.abs(weights).sum())
    square = radius**2 * int((weights.astype(object) ** 2).sum())
    if not square:
        return Fraction(0)
    scale = 1 << max(64, 64 + square.denominator.bit_length() - square.numerator.bit_length())
    return Fraction(math.isqrt(math.ceil(square * scale**2)) + 1, scale)


def telling_planes(
    points: np.ndarray, classes: np.ndarray, rows: np.ndarray, ball: Ball
) -> tuple[list[Plane], np.ndarray]:
    """Planes that all balls leave free such that points on the same sides of all have the same
    label, and on which side each point is, 0 or 1, (N, planes).

    Chosen one after another, the one that parts most of what is together still, for what it costs;
    in floats, with room for their errors. Then each is placed in exact arithmetic. Raises
    ValueError, naming two points, where there are too few planes.
    """
    places = points @ rows.T.astype(np.float64)
    order = np.argsort(places, axis=0, kind="stable")
    gaps = np.diff(np.take_along_axis(places, order, axis=0), axis=0)
    reaches = [reach(row, ball) for row in rows]
    sizes = np.abs(rows).sum(1) * float(np.abs(points).max(initial=0.0))
    rounding = points.shape[1] * 2.0**-50 * sizes + 2.0**-1000
    usable = gaps > 2 * np.array(list(map(float, reaches))) * (1 + 2.0**-40) + 4 * rounding
    rank = np.empty(order.T.shape, dtype=order.dtype)  # direction by direction
    np.put_along_axis(rank, order.T, np.arange(len(points))[None], axis=1)
    found = _chosen(rank, np.ascontiguousarray(usable.T), classes, (rows != 0).sum(1) + 1)
    sides = np.stack([rank[r] > p for r, p in found], axis=1)
    used = sorted({r for r, _ in found})
    images = affine(rows[used].tolist()).exact(points)
    planes = []
    for k, (r, _) in enumerate(found):
        image = images[:, used.index(r)]
        low = max(image[~sides[:, k]]) + reaches[r]
        high = min(image[sides[:, k]]) - reaches[r]
        if not high > low:
            raise ValueError(f"ball must be smaller: balls meet on direction {r}, got {ball}")
        room = (high - low) / 2
        exponent = room.numerator.bit_length() - room.denominator.bit_length() - 1
        width = Fraction(2) ** exponent  # in (room / 4, room)
        planes.append(Plane(r, (math.floor(low / width) + 1) * width, width))
    return planes, sides.astype(np.float64)


def _chosen(
    rank: np.ndarray, usable: np.ndarray, classes: np.ndarray, prices: np.ndarray
) -> list[tuple[int, int]]:
    """Planes as (direction, how many points are before it, less one)."""
    generator = np.random.default_rng(0)
    count = rank.shape[1]
    cells = np.zeros(count, dtype=np.int64)
    found: list[tuple[int, int]] = []
    price = prices + PLANE
    while True:
        pairs = _together(cells, classes, generator)
        if not len(pairs):
            return _needed(found, rank, classes)
        best = 0.0, 0, 0
        for r in np.flatnonzero(usable.any(1)).tolist():
            first, second = rank[r, pairs[:, 0]], rank[r, pairs[:, 1]]
            starts = np.bincount(np.minimum(first, second), minlength=count)
            stops = np.bincount(np.maximum(first, second), minlength=count)
            parted = np.where(usable[r], np.cumsum(starts - stops)[:-1], 0)
            p = int(parted.argmax())
            share = parted[p] / (len(pairs) + 1)
            best = max(best, (-math.log1p(-share) / price[r], -r, p))
        gain, r, p = best[0], -best[1], best[2]
        if gain == 0:
            i, j = pairs[0].tolist()
            raise ValueError(
                f"ball must be smaller: no plane that all balls leave free parts points {i} and "
                f"{j} of the distinct ones"
            )
        found.append((r, p))
        price[r] = PLANE
        cells = np.unique(2 * cells + (rank[r] > p), return_inverse=True)[1].reshape(-1)


def _together(cells: np.ndarray, classes: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Pairs of points of one cell with different labels: one at least of each cell that has some,
    and random ones.
    """
    order = np.lexsort((classes, cells))
    near = np.stack([order[:-1], order[1:]], axis=1)
    starts = np.searchsorted(cells[order], cells)
    sizes = np.bincount(cells)[cells]
    times = -(-PAIRS // len(cells))
    owners = np.tile(np.arange(len(cells)), times)
    drawn = generator.random(len(owners)) * np.tile(sizes, times)
    partners = order[np.tile(starts, times) + drawn.astype(np.int64)]
    pairs = np.concatenate([near, np.stack([owners, partners], axis=1)])
    same = cells[pairs[:, 0]] == cells[pairs[:, 1]]
    return pairs[same & (classes[pairs[:, 0]] != classes[pairs[:, 1]])]


def _needed(
    found: Sequence[tuple[int, int]], rank: np.ndarray, classes: np.ndarray
) -> list[tuple[int, int]]:
    """Without planes whose absence puts no two labels together."""
    kept = list(found)
    for plane in found:
        rest = [other for other in kept if other != plane]
        if rest and _tell(rest, rank, classes):
            kept = rest
    return kept


def _tell(planes: Sequence[tuple[int, int]], rank: np.ndarray, classes: np.ndarray) -> bool:
    """Whether points on the same sides of all planes have the same label."""
    sides = np.stack([rank[r] > p for r, p in planes], axis=1)
    packed = np.packbits(sides, axis=1)
    _, cells = np.unique(packed, axis=0, return_inverse=True)
    order = np.lexsort((classes, cells.reshape(-1)))
    same = np.diff(cells.reshape(-1)[order]) == 0
    return not (same & (np.diff(classes[order]) != 0)).any()
