"""Multipliers and bounds as certificates hold them, and which bounds a proof rests on."""

from __future__ import annotations

from typing import Any

import numpy as np

from .bounding import Array, Layer, least
from .layers import Bounded
from .leaves import Leaf, multipliers

Used = list[tuple[Array, Array]]
"""Which lower and which upper bounds of each layer are used."""


def nothing(bounded: Bounded) -> Used:
    """No bound."""
    sizes = [len(a.bias) for a in bounded.layers]
    return [(np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)) for n in sizes]


def facts(bounded: Bounded, leaves: list[Leaf], need: Used | None = None) -> list[list[Any]]:
    """The bounds by multipliers on which the leaves rest, and that are needed besides, in the order
    of the layers.
    """
    need = nothing(bounded) if need is None else need
    for leaf in leaves:
        layers, form = bounded.restricted(leaf.splits), leaf.form
        for i in range(len(layers) - 1, -1, -1):
            note(need[i], form, leaf.factors[i], layers[i])
            form = leaf.factors[i] @ layers[i].weight
    out: list[list[Any]] = []
    for i in range(len(bounded.layers) - 1, -1, -1):
        layer, linear, below = bounded.layers[i], bounded.linear[i], bounded.layers[:i]
        n, rows = len(layer.bias), []
        for sign, needed, better, offset in (
            (1, need[i][0], linear.above, 0),
            (-1, need[i][1], linear.under, n),
        ):
            for j in np.flatnonzero(needed).tolist():
                form = sign * layer.weight[j]
                proof = (
                    [d[offset + j] for d in linear.factors]
                    if better[j]
                    else [np.zeros(len(a.bias)) for a in below]
                )
                if better[j]:
                    rows.append([int(layer.units[j]), sign, multipliers(below, proof)])
                for k in range(i - 1, -1, -1):
                    note(need[k], form, proof[k], below[k])
                    form = proof[k] @ below[k].weight
        out = rows + out
    return out


def note(need: tuple[Array, Array], form: Array, factors: Array, a: Layer) -> None:
    """Add which lower and upper bounds of a layer enter the least value of form relu(z) -
    factors z.
    """
    if not form.any() and not factors.any():
        return
    now, wide = least(form, factors, a.low, a.high), 1.0 + np.abs(a.low) + np.abs(a.high)
    paired = np.isin(np.arange(len(form)), a.pairs) & ((form != 0) | (factors != 0))
    need[0][:] |= (least(form, factors, -wide, a.high) < now) | paired
    need[1][:] |= (least(form, factors, a.low, wide) < now) | paired
