"""Where rounding does nothing, and how much it does elsewhere: statements about all points of a grid or a box at once.

>>> from constructions.approximation import squaring
>>> bit_budget(squaring(28), 24).float64      # every sum is exact on the grid of step 2^-24, in any order
True
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from .affine_map import Affine
from .floats import FAR, lowest_bit
from .matrix import Block, Constant, Dense, Kron, Matrix, Sparse
from .network import ReLUNetwork, check_network

TABLE_LIMIT = 2**24
"""Most nonzeros of a layer that is looked at entry by entry."""

GROUP = 64
"""Most units that are bounded together because they are functions of one number."""

TERM_LIMIT = 2**26
"""Beyond so many terms, at all ends and kinks, units are bounded one by one."""

REACH = 900
"""Entries of a `Table` that digits are made of lie between 2^-REACH and 2^REACH."""

RANGE = 400
"""Bounds are only computed of layers with entries between 2^-RANGE and 2^RANGE, and of values up to 2^RANGE: what under-
flows on the way is less than 2^-600, and nothing overflows."""


@dataclass(frozen=True, eq=False)
class Table:
    """A layer by coordinates: entry k, `values[k]`, stands in row `rows[k]` (ascending) and column `columns[k]`.

    low: the lowest bits of the values, offset_low: those of the biases. slack: by how many powers of two the partial
    products of structured evaluation may exceed or fall below the entries.

    >>> table_of(ReLUNetwork.from_layers([([[0.0, 3.0]], [0.5])]).layers[0]).columns.tolist()
    [1]
    """

    shape: tuple[int, int]
    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    bias: np.ndarray
    slack: float
    nest: int

    @cached_property
    def low(self) -> np.ndarray:
        """Exponents of the lowest bits of the values."""
        return lowest_bit(self.values)

    @cached_property
    def offset_low(self) -> np.ndarray:
        """Exponents of the lowest bits of the biases."""
        return lowest_bit(self.bias)

    @cached_property
    def longest(self) -> int:
        """Most nonzeros in a row."""
        return int(np.bincount(self.rows, minlength=1).max(initial=0))

    @cached_property
    def exponent(self) -> int:
        """max |log2 |entry|| over the entries that are not 0, rounded up."""
        exponents = np.frexp(np.concatenate([self.values, self.bias[self.bias != 0]]))[1]
        return int(np.abs(exponents).max(initial=0)) + 1

    @cached_property
    def directions(self) -> tuple[np.ndarray, np.ndarray]:
        """(group, scale), each (m,): row i is scale_i, a signed power of two, times the common row of its group."""
        starts = np.searchsorted(self.rows, np.arange(self.shape[0] + 1))
        group, scale = np.zeros(self.shape[0], dtype=np.int64), np.ones(self.shape[0])
        known: dict[tuple[bytes, bytes], tuple[int, int]] = {}
        count = 0
        for i, (start, stop) in enumerate(zip(starts.tolist(), starts[1:].tolist(), strict=False)):
            if stop > start:
                first = self.values[start]
                scale[i] = math.copysign(math.ldexp(1.0, math.frexp(first)[1] - 1), first)
            key = self.columns[start:stop].tobytes(), (self.values[start:stop] / scale[i]).tobytes()
            index, members = known.get(key, (0, GROUP))
            if members == GROUP:
                index, members, count = count, 0, count + 1
            known[key] = index, members + 1
            group[i] = index
        return group, scale


_TABLES: WeakKeyDictionary[Affine, Table | None] = WeakKeyDictionary()


def table_of(layer: Affine) -> Table | None:
    """The layer's nonzeros, kept as long as the layer; None if they are too many or unknown, or if an entry of a Kronecker
    product is not a float64.
    """
    if layer not in _TABLES:
        _TABLES[layer] = _read(layer)
    return _TABLES[layer]


def _read(layer: Affine) -> Table | None:
    count = layer.parameters
    if not isinstance(count, (int, np.integer)) or count > TABLE_LIMIT:
        return None
    try:
        exact = _products_are_exact(layer.weight) and _products_are_exact(layer.bias)
        rows, columns, values = (part.numpy() for part in layer.weight.coordinates())
        bias = np.zeros(layer.weight.shape[0])
        places, _, offsets = (part.numpy() for part in layer.bias.coordinates())
    except TypeError:  # unknown entries
        return None
    if not exact:
        return None
    bias[places] = offsets
    order = np.lexsort((columns, rows))
    slack, nest = max(_slack(layer.weight), _slack(layer.bias)), max(_nest(layer.weight), _nest(layer.bias))
    return Table(layer.weight.shape, rows[order], columns[order], values[order], bias, slack, nest)


def underflow(layer: Affine, most: float) -> float:
    """What underflow may take from the values of a layer, in units of the least normal number; Kronecker products are applied
    in two steps, so numbers may vanish that a large factor would have brought back. most: the sum of the inputs' sizes + 2.
    """
    slack, nest = max(_slack(layer.weight), _slack(layer.bias)), max(_nest(layer.weight), _nest(layer.bias))
    return 4 * (1 + nest) * 2.0 ** math.ceil(slack) * most


def _parts(matrix: Matrix) -> Sequence[Matrix]:
    match matrix:
        case Kron():
            return matrix.left, matrix.right
        case Block():
            return [entry for row in matrix.grid for entry in row]
    return ()


def _products_are_exact(matrix: Matrix) -> bool:
    if not all(_products_are_exact(part) for part in _parts(matrix)):
        return False
    if not isinstance(matrix, Kron):
        return True
    a, b = (np.unique(np.abs(part.coordinates()[2].numpy())) for part in (matrix.left, matrix.right))
    with np.errstate(over="ignore", under="ignore"):
        products = np.multiply.outer(a, b)
    return bool(np.isfinite(products).all() and (lowest_bit(products) == np.add.outer(lowest_bit(a), lowest_bit(b))).all())


def _slack(matrix: Matrix) -> float:
    """max |log2 |entry|| of a factor, added up over factors; 0 where nothing is computed in two steps."""
    if isinstance(matrix, Constant):  # sums first
        return _logarithm(matrix)
    slacks = [_slack(part) for part in _parts(matrix)]
    if not isinstance(matrix, Kron):
        return max(slacks, default=0.0)
    return sum(slacks) + sum(_logarithm(part) for part in (matrix.left, matrix.right))


def _logarithm(matrix: Matrix) -> float:
    match matrix:
        case Dense() | Sparse() | Constant():
            values = np.abs(np.array([matrix.value]) if isinstance(matrix, Constant) else matrix.coordinates()[2].numpy())
            return float(np.abs(np.log2(values[values > 0])).max(initial=0.0)) + 1
    return max((_logarithm(part) for part in _parts(matrix)), default=0.0)


def _nest(matrix: Matrix) -> int:
    """How many factors an entry has at most, less one."""
    nests = [_nest(part) for part in _parts(matrix)]
    return 1 + sum(nests) if isinstance(matrix, Kron) else max(nests, default=0)


# -- what units can be on a grid ---------------------------------------------------------------------------------------


@dataclass
class Layer:
    """What one layer can do on a grid and a box. All arrays have one entry a unit.

    size: an upper bound of the absolute values of all partial sums, low: an exponent with every term a multiple of 2^low,
    upper: an upper bound of what goes into the next layer.
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
        """Whether numbers of so many bits, between 2^least and 2^most, hold every partial sum and product."""
        slack = math.ceil(self.table.slack)
        sizes = np.abs(np.concatenate([self.table.values, self.table.bias]))
        used = self.size > 0
        return bool(
            (self.bits <= bits).all()
            and (self.low[used] >= least + slack).all()
            and (self.size <= 2.0 ** (most - slack)).all()
            and (sizes < 2.0 ** (most - slack)).all()
        )


def walk(layers: Sequence[Affine], low: int, lower: np.ndarray, upper: np.ndarray) -> Iterator[Layer]:
    """Layer by layer, what units can be if the inputs are multiples of 2^low in [lower, upper], shape (inputs,) each.

    Units whose weights are proportional (factor: a power of two, or its negative) are functions of one number, so the
    range of what they add to a next unit is known at the ends and kinks; such ranges are added. Ranges end on the grid.
    Raises ValueError where `table_of` has no table or numbers leave 2^-RANGE..2^RANGE.
    """
    points = np.stack([lower, upper], axis=1)  # (units, points of its group): what a unit is there
    group = np.arange(len(lower))
    reach, grid = np.maximum(np.abs(lower), np.abs(upper)), np.where((lower == 0) & (upper == 0), FAR, low)
    spread, below, above = reach, lower, upper
    for layer in layers:
        table = table_of(layer)
        if table is None:
            raise ValueError(f"entries must be known, at most {TABLE_LIMIT:,} a layer, and Kronecker products of them float64")
        if table.exponent > RANGE:
            raise ValueError(f"entries of layers must be 0 or between 2^-{RANGE} and 2^{RANGE} in absolute value")
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
        slip = error * np.bincount(rows, np.abs(values) * spread[columns], count) + (table.longest + 1) * 2.0**-600
        least = np.bincount(owner, sums.min(axis=1), count) - slip
        most = np.bincount(owner, sums.max(axis=1), count) + slip
        size = np.zeros(count)
        for sign in (1, -1):  # partial sums lie between those of all negative and of all positive terms
            totals = np.add.reduceat(np.maximum(sign * terms, 0), starts, axis=0) if len(starts) else sums
            total = np.bincount(owner, totals.max(axis=1), count) + np.maximum(sign * table.bias, 0)
            size = np.maximum(size, total)
        q = np.full(count, FAR)
        np.minimum.at(q, rows, np.minimum(table.low[order] + grid[columns], FAR))
        least, most = _align(least, q, np.ceil), _align(most, q, np.floor)
        lowest = np.minimum(q, table.offset_low)
        size = _align((size + slip) * (1 + error), lowest, np.floor)
        if not (size < 2.0**RANGE).all():
            raise ValueError(f"values must stay below 2^{RANGE}, but sums may reach {size.max():g}")
        below = _align(np.nextafter(least + table.bias, -np.inf), lowest, np.ceil)
        above = _align(np.nextafter(most + table.bias, np.inf), lowest, np.floor)
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


def _align(x: np.ndarray, q: np.ndarray, snap: Any) -> np.ndarray:
    """The next multiples of 2^q, by `snap`; as they are where 2^q is out of reach or too fine to matter, 0 for `FAR`."""
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


# -- statements --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BitBudget:
    """What sums of a network need on a grid: see `bit_budget`.

    float64, float32: whether every product and partial sum is proven to be representable. bits: the most significant bits
    that a sum is proven to need at most, attained by `unit` of `layer` (from 0).

    >>> from constructions.approximation import absolute
    >>> bit_budget(absolute(), 24, -1.0, 1.0)
    BitBudget(float64=True, float32=True, bits=24, layer=0, unit=0)
    """

    float64: bool
    float32: bool
    bits: int
    layer: int
    unit: int


def bit_budget(network: ReLUNetwork, grid_bits: int, low: Any = 0.0, high: Any = 1.0) -> BitBudget:
    """Whether floating point gives the real value at *all* inputs that are multiples of 2^-grid_bits in [low, high].

    If every term of a sum is a multiple of 2^q, and neither the positive nor the negative terms add up to more than
    2^(q + p) in absolute value, then every partial sum, in every order, is a number with p bits: nothing rounds, fused or
    not. q follows from the lowest bits of weights, biases and inputs, the sums from ranges that end on the grid, in which
    units that are functions of one number are bounded together (a tooth stays in [0, 1]; once its grid is coarser than
    that, it is 0). `float64` (p = 53) and `float32` (p = 24) say whether that holds for all sums of all layers, for any
    order of summation, in dense, sparse and structured evaluation, on any hardware with IEEE 754 arithmetic (no subnormal
    number occurs; TF32 is not float32). False says that there is no proof, not that there is an error.

    grid_bits: an integer, negative for grids coarser than 1. low, high: numbers or shape (inputs,). Cost: a sort of the
    nonzeros. Raises TypeError for another kind of network, grid_bits or bound; ValueError for bounds that are not finite or
    in the wrong order, without a grid point between, or outside of the network's domain; for layers with more than
    `TABLE_LIMIT` nonzeros, with entries beyond 2^-400..2^400 or with Kronecker products that are no float64; and for values
    above 2^400.
    Source: Sterbenz's exactness of sums on a common grid; Muller et al., Handbook of Floating-Point Arithmetic, ch. 2.

    >>> from constructions.approximation import squaring
    >>> bit_budget(squaring(28), 24)
    BitBudget(float64=True, float32=False, bits=49, layer=25, unit=2)
    >>> bit_budget(squaring(28), 8).float32, bit_budget(squaring(28), 30).float64
    (True, False)
    """
    check_network(network)
    if not isinstance(grid_bits, (int, np.integer)) or isinstance(grid_bits, bool):
        raise TypeError(f"grid_bits must be an integer, got {grid_bits!r}")
    if abs(grid_bits) > RANGE:
        raise ValueError(f"grid_bits must lie in -{RANGE}..{RANGE}, got {grid_bits}")
    lower, upper = _box(network, low, high)
    q = np.full(len(lower), -int(grid_bits))
    lower, upper = _align(lower, q, np.ceil), _align(upper, q, np.floor)
    if not (lower <= upper).all():
        raise ValueError(f"between low and high there must be a multiple of 2^-{grid_bits}, got {low} and {high}")
    double = single = True
    bits, layer, unit = 0, 0, 0
    for depth, found in enumerate(walk(network.layers, -int(grid_bits), lower, upper)):
        double &= found.fits(53, -1022, 1023)
        single &= found.fits(24, -126, 127)
        if found.bits.max(initial=0) > bits:
            bits, layer, unit = int(found.bits.max()), depth, int(found.bits.argmax())
    return BitBudget(double, single, bits, layer, unit)


def rounding_error(network: ReLUNetwork, low: Any, high: Any, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Upper bounds of |computed - real value| over the box [low, high], for evaluation in float32 (or float64).

    Covers rounding of inputs and weights to `dtype`, of every product and sum in any order, dense, sparse or structured,
    and underflow (gradual or flushed to zero): a layer with n terms a row adds at most gamma_(n + 4 + 3k) sum |w| |x|,
    k being the number of Kronecker products an entry is made of, and passes on sum |w| times the error before it. Returns
    a float64 tensor of shape (outputs,), rounded up. A priori and therefore pessimistic: where slopes are steep and errors
    of different sign would cancel the bound grows like the product of the sums |w| (for `tooth(s)` like 6^s, the values
    being in [0, 1]). For such networks, on a grid, `bit_budget` is the tool; at a point, `interval_bounds`.

    low, high: numbers or shape (inputs,). Raises TypeError and ValueError as `bit_budget` does, ValueError for another
    dtype, and where numbers may overflow. Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, Section 3.1.

    >>> from constructions import distance, tooth
    >>> bool(rounding_error(distance([0.25, 0.5], "inf"), 0.0, 1.0) < 1e-5)
    True
    >>> bool(rounding_error(tooth(28), 0.0, 1.0) > 1e6)
    True
    """
    check_network(network)
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"dtype must be torch.float32 or torch.float64, got {dtype}")
    info = torch.finfo(dtype)
    unit, tiny = info.eps / 2, info.tiny
    lower, upper = _box(network, low, high)
    reach = np.maximum(np.abs(lower), np.abs(upper))
    error = unit * reach * (1 + 2.0**-50) + tiny
    for layer in walk(network.layers, -FAR, lower, upper):
        table = layer.table
        terms = np.bincount(table.rows, minlength=table.shape[0]) + 4 + 3 * table.nest
        gamma = terms * unit / (1 - terms * unit)
        if not (terms * unit < 0.5).all():
            raise ValueError(f"rows must have fewer than {0.5 / unit:g} nonzeros for {dtype}")
        sizes, columns = np.abs(table.values), table.columns
        passed = np.bincount(table.rows, sizes * error[columns], table.shape[0])
        total = np.bincount(table.rows, sizes * reach[columns], table.shape[0]) + passed + np.abs(table.bias)
        most = np.bincount(table.rows, (reach + error + 2)[columns], table.shape[0]) + 2
        lost = 4 * (1 + table.nest) * tiny * 2.0 ** math.ceil(table.slack) * most  # what underflow may take
        error = (passed + gamma * total + lost) * (1 + (table.longest + 8) * 2.0**-50)
        largest = max(float(total.max(initial=0.0)), float(sizes.max(initial=0.0)), float(np.abs(table.bias).max(initial=0.0)))
        if not (largest + float(error.max(initial=0.0))) * 2.0 ** math.ceil(table.slack) < info.max / 2:
            raise ValueError(f"values must stay below the largest {dtype}; sums may reach {largest:g}")
        reach = layer.upper
    return torch.from_numpy(error)


def _box(network: ReLUNetwork, low: Any, high: Any) -> tuple[np.ndarray, np.ndarray]:
    ends = []
    for name, value in (("low", low), ("high", high)):
        try:
            array = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} must be a number or an array of numbers, got {value!r}") from error
        if array.shape not in ((), (1,), (network.inputs,)):
            raise ValueError(f"{name} must be a number or have shape ({network.inputs},), got shape {array.shape}")
        ends.append(np.array(np.broadcast_to(array, (network.inputs,))))
    if not (np.isfinite(ends).all() and (ends[0] <= ends[1]).all()):
        raise ValueError(f"low and high must be finite with low <= high, got {low} and {high}")
    if network.domain and not (
        network.domain[0] <= ends[0].min(initial=math.inf) and ends[1].max(initial=-math.inf) <= network.domain[1]
    ):
        raise ValueError(f"low and high must lie in the network's domain {list(network.domain)}, got {low} and {high}")
    if not (np.abs(ends) <= 2.0**RANGE).all():
        raise ValueError(f"low and high must lie within +-2^{RANGE}, got {low} and {high}")
    return ends[0], ends[1]
