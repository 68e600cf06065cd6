"""What units can be, on a grid and a box: bounds of all partial sums, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..basics.floats import FAR, lowest_bit
from .affine import Affine
from .table import TABLE_LIMIT, Table, table_of

TERM_LIMIT = 2**26
"""Beyond so many terms, at all ends and kinks, units are bounded one by one."""

RANGE = 400
"""Bounds are only computed of layers with entries between 2^-RANGE and 2^RANGE, and of values up to
2^RANGE: what under- flows on the way is less than 2^-600, and nothing overflows."""


@dataclass
class Layer:
    """What one layer can do on a grid and a box. All arrays have one entry a unit.

    size: an upper bound of the absolute values of all partial sums, low: an exponent with every
    term a multiple of 2^low, upper: an upper bound of what goes into the next layer.
    """

    table: Table
    size: np.ndarray
    low: np.ndarray
    upper: np.ndarray

    @cached_property
    def bits(self) -> np.ndarray:
        """The least b with size <= 2^(b + low): so many bits hold every partial sum."""
        mantissa, exponent = np.frexp(self.size)
        return np.where(self.size == 0, 0, exponent - (mantissa == 0.5) - self.low)

    def fits(self, bits: int, least: int, most: int) -> bool:
        """Whether numbers of so many bits, between 2^least and 2^most, hold every partial sum and
        product.
        """
        slack = math.ceil(self.table.slack)
        sizes = np.abs(np.concatenate([self.table.values, self.table.bias]))
        used = self.size > 0
        return bool(
            (self.bits <= bits).all()
            and (self.low[used] >= least + slack).all()
            and (self.size <= 2.0 ** (most - slack)).all()
            and (sizes < 2.0 ** (most - slack)).all()
        )


def walk(
    layers: Sequence[Affine], low: int, lower: np.ndarray, upper: np.ndarray
) -> Iterator[Layer]:
    """Layer by layer, what units can be if the inputs are multiples of 2^low in [lower, upper],
    shape (inputs,) each.

    Units whose weights are proportional (factor: a power of two, or its negative) are functions of
    one number, so the range of what they add to a next unit is known at the ends and kinks; such
    ranges are added. Ranges end on the grid. Raises ValueError where `table_of` has no table or
    numbers leave 2^-RANGE..2^RANGE.
    """
    # Whole, because every line is a bound that the next ones need, layer by layer.
    points = np.stack([lower, upper], axis=1)  # (units, points of its group): what a unit is there
    group = np.arange(len(lower))
    reach, grid = (
        np.maximum(np.abs(lower), np.abs(upper)),
        np.where((lower == 0) & (upper == 0), FAR, low),
    )
    spread, below, above = reach, lower, upper
    for layer in layers:
        table = table_of(layer)
        if table is None:
            raise ValueError(
                f"entries must be known, at most {TABLE_LIMIT:,} a layer, and Kronecker products "
                f"of them float64"
            )
        if table.exponent > RANGE:
            raise ValueError(
                f"entries of layers must be 0 or between 2^-{RANGE} and 2^{RANGE} in absolute value"
            )
        rows, columns = table.rows, table.columns
        if len(rows) * points.shape[1] > TERM_LIMIT:
            points, group = np.stack([below, above], axis=1), np.arange(len(below))
        # sums over the units of one group, in which what cancels does cancel
        order = np.lexsort((group[columns], rows))
        rows, columns, values = rows[order], columns[order], table.values[order]
        fresh = np.ones(len(rows), dtype=bool)
        fresh[1:] = (np.diff(rows) != 0) | (np.diff(group[columns]) != 0)
        starts = np.flatnonzero(fresh)
        terms = values[:, None] * points[columns]
        sums = np.add.reduceat(terms, starts, axis=0) if len(starts) else np.zeros((0, 1))
        count, owner = table.shape[0], rows[starts]
        error = (table.longest + 8) * 2.0**-52
        slip = (
            error * np.bincount(rows, np.abs(values) * spread[columns], count)
            + (table.longest + 1) * 2.0**-600
        )
        least = np.bincount(owner, sums.min(axis=1), count) - slip
        most = np.bincount(owner, sums.max(axis=1), count) + slip
        size = np.zeros(count)
        # partial sums lie between those of all negative and of all positive terms
        for sign in (1, -1):
            totals = (
                np.add.reduceat(np.maximum(sign * terms, 0), starts, axis=0)
                if len(starts)
                else sums
            )
            total = np.bincount(owner, totals.max(axis=1), count) + np.maximum(sign * table.bias, 0)
            size = np.maximum(size, total)
        q = np.full(count, FAR)
        np.minimum.at(q, rows, np.minimum(table.low[order] + grid[columns], FAR))
        least, most = align(least, q, np.ceil), align(most, q, np.floor)
        lowest = np.minimum(q, table.offset_low)
        size = align((size + slip) * (1 + error), lowest, np.floor)
        if not (size < 2.0**RANGE).all():
            raise ValueError(f"values must stay below 2^{RANGE}, but sums may reach {size.max():g}")
        below = align(np.nextafter(least + table.bias, -np.inf), lowest, np.ceil)
        above = align(np.nextafter(most + table.bias, np.inf), lowest, np.floor)
        below, above = np.maximum(below, 0), np.maximum(above, 0)
        grid = np.where(below == above, lowest_bit(below), lowest)
        reach = above
        yield Layer(table, size, lowest, reach)
        # the units: what they are at the ends and kinks of their group
        group, scale = table.directions
        kinks = -table.bias / scale
        first = np.unique(group, return_index=True)[1]
        ends = np.stack([least[first] / scale[first], most[first] / scale[first]])
        ends.sort(axis=0)
        rank = _rank(group)
        where = np.repeat(ends[0][:, None], 2 + int(rank.max(initial=-1)) + 1, axis=1)
        where[:, 1] = ends[1]
        where[group, 2 + rank] = kinks
        np.clip(where, ends[0][:, None], ends[1][:, None], out=where)
        points = np.maximum(scale[:, None] * where[group] + table.bias[:, None], 0)
        spread = np.maximum(np.abs(least), np.abs(most)) + np.abs(table.bias)


def align(x: np.ndarray, q: np.ndarray, snap: Any) -> np.ndarray:
    """The next multiples of 2^q, by `snap`; as they are where 2^q is out of reach or too fine to
    matter, 0 for `FAR`.
    """
    q = np.broadcast_to(q, x.shape)
    exponent = np.frexp(x)[1]
    fine = (np.abs(q) <= 2 * RANGE) & (exponent - q <= 53) & np.isfinite(x)
    near = np.where(fine, q, 0)
    snapped = np.ldexp(snap(np.ldexp(np.where(fine, x, 0), -near)), near)
    return np.where(q >= FAR // 2, 0.0, np.where(fine, snapped, x))


def _rank(group: np.ndarray) -> np.ndarray:
    """Of each element, how many earlier ones are in its group."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.searchsorted(ordered, ordered)
    rank = np.empty_like(group)
    rank[order] = np.arange(len(group)) - starts
    return rank
