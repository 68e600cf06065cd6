"""Leaves: parts of a set on which multipliers prove a bound, or that nothing is there."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from .bounding import Array, Inputs, Layer, value
from .layers import Splits

BITS = 40
"""Multipliers are rounded to this many bits."""


@dataclass(frozen=True, eq=False)
class Leaf:
    """The part where some units are on or off, and multipliers, a layer each, that prove a form
    positive there; for the form 0, that it is empty.
    """

    form: Array
    factors: list[Array]
    splits: Splits
    is_empty: bool

    def to_json(self, layers: list[Layer]) -> dict[str, Any]:
        """As certificates hold it; layers: those of the whole set."""
        return {"leaf": multipliers(layers, self.factors), "goal": not self.is_empty}


def leaf_of(
    form: Array,
    constant: float,
    factors: list[Array],
    layers: list[Layer],
    splits: Splits,
    inputs: Inputs,
    empty: bool = False,
) -> Leaf | None:
    """The leaf, if multipliers prove that form + constant is positive, or that the part is empty.

    layers: with the bounds of the part.
    """
    if empty:
        form, constant = np.zeros_like(form), 0.0
    for sign in (1.0, -1.0) if empty else (1.0,):  # solvers disagree about the sign of rays
        tried = [sign * d for d in factors]
        if is_clear(value(form, constant, layers, tried, inputs), form, tried):
            return Leaf(form, tried, splits, empty)
    return None


def is_clear(bound: float, form: Array, factors: list[Array]) -> bool:
    """Whether a bound by multipliers is positive beyond rounding."""
    size = max([float(np.abs(d).max(initial=0.0)) for d in (form, *factors)])
    return bound > 1e-12 * size


def multipliers(layers: list[Layer], factors: list[Array], bits: int = BITS) -> list[Any]:
    """Nonzero multipliers as certificates hold them: [s, [units], [integers over 2^s]]."""
    return multiplier_rows(layers, [d[None] for d in factors], 1, bits)[0]


def multiplier_rows(
    layers: list[Layer],
    factors: list[Array],
    count: int,
    bits: int = BITS,
    weights: Array | None = None,
) -> list[list[Any]]:
    """`multipliers` of each row of factors (count, n_i), a layer each; weights (count,) of a ball:
    a fourth entry, for rows where they are not NaN.
    """
    units = np.concatenate([np.zeros(0, dtype=np.int64), *(a.units for a in layers)])
    weights = np.full(count, np.nan) if weights is None else weights
    numbers = np.concatenate([weights[:, None], *factors], axis=1)
    sizes = np.fmax.reduce(np.abs(numbers), axis=1, initial=0.0)
    scales = np.where(sizes > 0, np.maximum(0, bits - np.frexp(sizes)[1]), 0)
    whole = np.rint(np.ldexp(numbers, scales[:, None]))
    rows, columns = np.nonzero(whole[:, 1:])
    named, found = units[columns].tolist(), [int(v) for v in whole[:, 1:][rows, columns].tolist()]
    ends = itertools.pairwise([0, *np.bincount(rows, minlength=count).cumsum().tolist()])
    out: list[list[Any]] = [
        [scale, named[a:b], found[a:b]] for scale, (a, b) in zip(scales.tolist(), ends, strict=True)
    ]
    for row in np.flatnonzero(~np.isnan(weights)).tolist():
        out[row].append(int(whole[row, 0]))
    return out
