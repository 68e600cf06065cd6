"""Multipliers and bounds as certificates hold them, and which bounds a proof rests on."""

from __future__ import annotations

from typing import Any

import numpy as np

from .bounding import Array, Layer, least
from .layers import Bounded, Linear
from .leaves import BITS, Leaf, multiplier_rows

Used = list[tuple[Array, Array, Array, Array]]
"""Which lower and which upper bounds of each layer are used; for which of them those by intervals
do not serve as well.
"""


def nothing(bounded: Bounded) -> Used:
    """No bound."""
    four = [np.zeros((4, len(a.bias)), dtype=bool) for a in bounded.layers]
    return [(a[0], a[1], a[2], a[3]) for a in four]


def facts(bounded: Bounded, leaves: list[Leaf], need: Used | None = None) -> list[list[Any]]:
    """The bounds by multipliers on which the leaves rest, and that are needed besides, in the order
    of the layers.
    """
    need = nothing(bounded) if need is None else need
    for leaf in leaves:
        layers, form = bounded.restricted(leaf.splits), leaf.form
        for i in range(len(layers) - 1, -1, -1):
            note(need[i], form[None], leaf.factors[i][None], layers[i], bounded, i)
            form = leaf.factors[i] @ layers[i].weight
    out: list[list[Any]] = []
    for i in range(len(bounded.layers) - 1, -1, -1):
        layer, linear, below = bounded.layers[i], bounded.linear[i], bounded.layers[:i]
        if not below and not linear.better.any():
            continue
        rows, sharp = wanted(layer, linear, need[i])
        better, forms = linear.better[rows] & sharp, layer.rows(rows)
        proofs = [np.zeros((len(rows), len(a.bias))) for a in below]
        for proof, known in zip(proofs, linear.factors, strict=False):  # none by intervals
            proof[better] = known[rows[better]]
        weights = np.where(better, linear.weights[rows], np.nan)
        named = [proof[better] for proof in proofs]
        found = multiplier_rows(below, named, int(better.sum()), BITS, weights[better])
        heads = layer.heads(rows[better])
        out = [[k, x, row, *y] for (k, x, *y), row in zip(heads, found, strict=True)] + out
        for k in range(i - 1, -1, -1):
            if bounded.curves:
                exact = bounded.curves.single(k, below[k]) & ~np.isnan(weights)[:, None]
                forms = np.where(exact, 0.0, forms)
            note(need[k], forms, proofs[k], below[k], bounded, k)
            forms = proofs[k] @ below[k].weight
    return out


def wanted(
    layer: Layer, linear: Linear, need: tuple[Array, Array, Array, Array]
) -> tuple[Array, Array]:
    """Which bounds of a layer are needed, in the order of `Layer.forms`: of pairs those that are by
    multipliers; and for which of these intervals do not do.
    """
    used, sharp = np.concatenate(need[:2]), np.concatenate(need[2:])
    if len(layer.pairs):
        both = (need[0] | need[1])[layer.pairs].any(axis=1)
        two = np.tile(both, 4) & linear.better[len(used) :]
        used, sharp = np.concatenate([used, two]), np.concatenate([sharp, two])
    rows = np.flatnonzero(used)
    return rows, sharp[rows]


def note(
    need: tuple[Array, Array, Array, Array],
    forms: Array,
    factors: Array,
    a: Layer,
    bounded: Bounded,
    i: int,
) -> None:
    """Add which lower and upper bounds of layer i enter the least values of forms relu(z) - factors
    z, (t, n); a: the layer on a part, where splits give some of them.
    """
    whole, linear, n = bounded.layers[i], bounded.linear[i], len(a.bias)
    better, known = linear.better[: 2 * n].reshape(2, n), linear.known[: 2 * n].reshape(2, n)
    wide = 1.0 + np.abs(a.low) + np.abs(a.high)
    worst = np.array([-wide, -wide])  # of z and of -z
    plain = np.where(better, known, worst)
    if a is not whole:
        split = np.array([a.low > whole.low, a.high < whole.high])
        worst, plain = (np.where(split, np.maximum(v, 0.0), v) for v in (worst, plain))
    low = np.array([a.low, worst[0], a.low, plain[0], a.low])[:, None]
    high = np.array([a.high, a.high, -worst[1], a.high, -plain[1]])[:, None]
    now, *less = least(forms, factors, low, high)
    for needed, lost in zip(need, less, strict=True):
        needed |= (lost < now).any(axis=0)
        if len(a.pairs):
            needed[a.pairs] |= ((forms != 0) | (factors != 0)).any(axis=0)[a.pairs]
