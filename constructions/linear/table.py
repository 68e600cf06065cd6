"""Layers by coordinates: the nonzeros of any form of matrix, and what is said of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from ..basics.floats import lowest_bit
from .affine import Affine
from .matrix import Block, Constant, Dense, Kron, Matrix, Sparse, is_float64

TABLE_LIMIT = 2**24
"""Most nonzeros of a layer that is looked at entry by entry."""

GROUP = 64
"""Most units that are bounded together because they are functions of one number."""

REACH = 900
"""Entries of a `Table` that digits are made of lie between 2^-REACH and 2^REACH."""


@dataclass(frozen=True, eq=False)
class Table:
    """A layer by coordinates: entry k, `values[k]`, stands in row `rows[k]` (ascending) and column
    `columns[k]`.

    low: the lowest bits of the values, offset_low: those of the biases. slack: by how many powers
    of two the partial products of structured evaluation may exceed or fall below the entries.

    >>> from constructions import ReLUNetwork
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
        """(group, scale), each (m,): row i is scale_i, a signed power of two, times the common row
        of its group.
        """
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
    """The layer's nonzeros, kept as long as the layer; None if they are too many or unknown, or if
    an entry of a Kronecker product is not a float64.
    """
    if layer not in _TABLES:
        _TABLES[layer] = _read(layer)
    return _TABLES[layer]


def _read(layer: Affine) -> Table | None:
    count = layer.parameters
    if not isinstance(count, (int, np.integer)) or count > TABLE_LIMIT:
        return None
    try:
        if not (is_float64(layer.weight) and is_float64(layer.bias)):
            return None
        rows, columns, values = (part.numpy() for part in layer.weight.coordinates())
        bias = np.zeros(layer.weight.shape[0])
        places, _, offsets = (part.numpy() for part in layer.bias.coordinates())
    except TypeError:  # unknown entries
        return None
    bias[places] = offsets
    order = np.lexsort((columns, rows))
    slack, nest = (
        max(_slack(layer.weight), _slack(layer.bias)),
        max(_nest(layer.weight), _nest(layer.bias)),
    )
    return Table(layer.weight.shape, rows[order], columns[order], values[order], bias, slack, nest)


def underflow(layer: Affine, most: float) -> float:
    """What underflow may take from the values of a layer, in units of the least normal number;
    Kronecker products are applied in two steps, so numbers may vanish that a large factor would
    have brought back. most: the sum of the inputs' sizes + 2.
    """
    slack, nest = (
        max(_slack(layer.weight), _slack(layer.bias)),
        max(_nest(layer.weight), _nest(layer.bias)),
    )
    return 4 * (1 + nest) * 2.0 ** math.ceil(slack) * most


def _parts(matrix: Matrix) -> Sequence[Matrix]:
    match matrix:
        case Kron():
            return matrix.left, matrix.right
        case Block():
            return [entry for row in matrix.grid for entry in row]
    return ()


def _slack(matrix: Matrix) -> float:
    """max |log2 |entry|| of a factor, added up over factors; 0 where nothing is computed in two
    steps.
    """
    if isinstance(matrix, Constant):  # sums first
        return _logarithm(matrix)
    slacks = [_slack(part) for part in _parts(matrix)]
    if not isinstance(matrix, Kron):
        return max(slacks, default=0.0)
    return sum(slacks) + sum(_logarithm(part) for part in (matrix.left, matrix.right))


def _logarithm(matrix: Matrix) -> float:
    match matrix:
        case Dense() | Sparse() | Constant():
            values = np.abs(
                np.array([matrix.value])
                if isinstance(matrix, Constant)
                else matrix.coordinates()[2].numpy()
            )
            return float(np.abs(np.log2(values[values > 0])).max(initial=0.0)) + 1
    return max((_logarithm(part) for part in _parts(matrix)), default=0.0)


def _nest(matrix: Matrix) -> int:
    """How many factors an entry has at most, less one."""
    nests = [_nest(part) for part in _parts(matrix)]
    return 1 + sum(nests) if isinstance(matrix, Kron) else max(nests, default=0)
