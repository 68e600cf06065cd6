"""Layers whose numbers float64 does not hold, by coordinates, in integers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .affine import Affine
from .matrix import has_integers, integers
from .table import TABLE_LIMIT


@dataclass(frozen=True, eq=False)
class WideTable:
    """A layer by coordinates: `values[k]` 2^exponent stands in row `rows[k]` (ascending) and column
    `columns[k]`; biases are over the same power of two. exponent: at most 0.
    """

    shape: tuple[int, int]
    rows: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    bias: np.ndarray
    exponent: int

    @cached_property
    def longest(self) -> int:
        """Most nonzeros in a row."""
        return int(np.bincount(self.rows, minlength=1).max(initial=0))

    @cached_property
    def bits(self) -> int:
        """Most bits of a number."""
        whole = [*self.values.tolist(), *self.bias.tolist()]
        return max((abs(v).bit_length() for v in whole), default=0)


def wide_table(layer: Affine) -> WideTable | None:
    """The nonzeros of a layer that has an `Integers` matrix among its parts, else None.

    >>> from .matrix import Integers, column
    >>> table = wide_table(Affine(Integers((1, 1), [0], [0], [3], 99), column([0.25])))
    >>> table.values[0] == 3 * 2**101, table.bias[0], table.exponent
    (True, 1, -2)
    """
    if not (has_integers(layer.weight) or has_integers(layer.bias)):
        return None
    if not isinstance(layer.parameters, int) or layer.parameters > TABLE_LIMIT:
        return None
    weight, bias = integers(layer.weight), integers(layer.bias)
    exponent = min(weight.exponent, bias.exponent, 0)
    values = np.array([v << (weight.exponent - exponent) for v in weight.values], dtype=object)
    offsets = np.zeros(weight.size[0], dtype=object)
    for i, v in zip(bias.rows.tolist(), bias.values, strict=True):
        offsets[i] = v << (bias.exponent - exponent)
    rows, columns = weight.rows.numpy(), weight.columns.numpy()
    return WideTable(weight.size, rows, columns, values, offsets, exponent)
