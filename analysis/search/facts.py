"""Multipliers and bounds as certificates hold them, and which bounds a proof rests on."""

from __future__ import annotations

from typing import Any

import numpy as np

from .bounding import Array, Layer, least
from .layers import Bounded
from .leaves import Leaf, multiplier_rows

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
            note(need[i], form[None], leaf.factors[i][None], layers[i])
            form = leaf.factors[i] @ layers[i].weight
    out: list[list[Any]] = []
    for i in range(len(bounded.layers) - 1, -1, -1):
        layer, linear, below = bounded.layers[i], bounded.linear[i], bounded.layers[:i]
        n = len(layer.bias)
        chosen = [np.flatnonzero(needed) for needed in need[i]]  # lower bounds, upper ones
        better = np.concatenate([linear.above[chosen[0]], linear.under[chosen[1]]])
        units = np.concatenate(chosen)
        signs = np.repeat([1, -1], [len(side) for side in chosen])
        places = (units + n * (signs < 0))[better]
        proofs = [np.zeros((len(units), len(a.bias))) for a in below]
        for proof, known in zip(proofs, linear.factors, strict=False):  # none by intervals
            proof[better] = known[places]
        forms = signs[:, None] * layer.weight[units]
        rows = multiplier_rows(below, [proof[better] for proof in proofs], len(places))
        numbers, sides = layer.units[units[better]].tolist(), signs[better].tolist()
        out = [list(fact) for fact in zip(numbers, sides, rows, strict=True)] + out
        for k in range(i - 1, -1, -1):
            note(need[k], forms, proofs[k], below[k])
            forms = proofs[k] @ below[k].weight
    return out


def note(need: tuple[Array, Array], forms: Array, factors: Array, a: Layer) -> None:
    """Add which lower and upper bounds of a layer enter the least values of forms relu(z) -
    factors z, (t, n).
    """
    now, wide = least(forms, factors, a.low, a.high), 1.0 + np.abs(a.low) + np.abs(a.high)
    paired = np.zeros(forms.shape, dtype=bool)
    paired[:, a.pairs] = True
    paired &= (forms != 0) | (factors != 0)
    need[0][:] |= ((least(forms, factors, -wide, a.high) < now) | paired).any(axis=0)
    need[1][:] |= ((least(forms, factors, a.low, wide) < now) | paired).any(axis=0)
