"""Multipliers and bounds as certificates hold them, and which bounds a proof rests on."""

from __future__ import annotations

from typing import Any

import numpy as np

from .bounding import Array, Layer, least
from .layers import Bounded, Linear
from .leaves import BITS, Leaf, multiplier_rows

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
        rows = np.flatnonzero(wanted(layer, linear, need[i]))
        better, forms = linear.better[rows], layer.forms()[0][rows]
        proofs = [np.zeros((len(rows), len(a.bias))) for a in below]
        for proof, known in zip(proofs, linear.factors, strict=False):  # none by intervals
            proof[better] = known[rows[better]]
        weights, named = linear.weights[rows], [proof[better] for proof in proofs]
        found = multiplier_rows(below, named, int(better.sum()), BITS, weights[better])
        heads = layer.heads(rows[better])
        out = [[k, x, row, *y] for (k, x, *y), row in zip(heads, found, strict=True)] + out
        for k in range(i - 1, -1, -1):
            if bounded.curves:
                exact = bounded.curves.single(k, below[k]) & ~np.isnan(weights)[:, None]
                forms = np.where(exact, 0.0, forms)
            note(need[k], forms, proofs[k], below[k])
            forms = proofs[k] @ below[k].weight
    return out


def wanted(layer: Layer, linear: Linear, need: tuple[Array, Array]) -> Array:
    """Which bounds of a layer are needed, in the order of `Layer.forms`: of pairs those that are by
    multipliers.
    """
    both = (need[0] | need[1])[layer.pairs].any(axis=1)
    two = linear.better[2 * len(layer.bias) :]
    return np.concatenate([*need, np.tile(both, 4) & two])


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
