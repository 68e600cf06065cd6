"""Boxes by zonotopes in float64, many boxes at once, as `check_boxes` has them in integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..search.bounding import Array

ONE = 2.0**16
"""Slopes and mixes are multiples of 1 / ONE, as certificates and their checker have them."""

STEPS = 24
"""Steps of mirror ascent that choose a mix."""


@dataclass(frozen=True, eq=False)
class Zonotopes:
    """What affine goals are on boxes: centre (b, t) plus noises (b, k, t), each times a number
    between -1 and 1. The first d noises are those of the inputs; open (b,) units change sign.
    """

    centre: Array
    noises: Array
    open: Array

    def best(self, goals: slice) -> tuple[Array, Array, Array]:
        """Weights (b, t) of goals, >= 0 of sum 1, whose weighted sum has a high lower bound (b,),
        and noises (b, k) at which the goals are low all at once: a game, by mirror ascent.
        """
        centre, noises = self.centre[:, goals], self.noises[:, :, goals]
        low = centre - np.abs(noises).sum(axis=1)
        weights, found = np.eye(low.shape[1])[low.argmax(axis=1)], low.max(axis=1)
        if low.shape[1] == 1:
            return found, weights, -np.sign(noises[:, :, 0])
        size = np.abs(centre).max(axis=1) + np.abs(noises).sum(axis=1).max(axis=1) + 1e-300
        tried, lowest, total = np.full_like(weights, 1 / weights.shape[1]), np.zeros(1), 0.0
        for step in range(STEPS):
            tried = np.ceil(tried * ONE) / ONE
            mixed = np.einsum("bkt,bt->bk", noises, tried)
            value = ((centre * tried).sum(axis=1) - np.abs(mixed).sum(axis=1)) / tried.sum(axis=1)
            weights = np.where((value > found)[:, None], tried, weights)
            found, signs = np.maximum(found, value), np.sign(mixed)
            rate = 4 / np.sqrt(1 + step)
            if step >= STEPS // 3:
                lowest, total = lowest - rate * signs, total + rate
            slope = (centre - np.einsum("bk,bkt->bt", signs, noises)) / size[:, None]
            tried = tried * np.exp(rate * (slope - slope.max(axis=1, keepdims=True)))
            tried /= tried.sum(axis=1, keepdims=True)
        return found, weights, lowest / total


def zonotopes(layers: list[tuple[Array, Array]], lower: Array, upper: Array) -> Zonotopes:
    """Zonotopes around the last layer's values on boxes [lower, upper], (b, d). Cost: weights times
    (inputs + open units), for each box.

    Source: Gehr et al. 2018 (AI2), Singh et al. 2018 (DeepZ).
    """
    count, inputs = lower.shape
    centre, noises = (lower + upper) / 2, np.zeros((count, inputs, inputs))
    noises[:, range(inputs), range(inputs)] = (upper - lower) / 2
    settled = np.zeros(count, dtype=np.int64)
    for weight, bias in layers[:-1]:
        centre, noises = centre @ weight.T + bias, noises @ weight.T
        radius = np.abs(noises).sum(axis=1)
        low, high = centre - radius, centre + radius
        unsure = (low < 0) & (high > 0)
        settled += unsure.sum(axis=1)
        chord = np.floor(ONE * high / np.where(unsure, high - low, 1.0)) / ONE
        slope = np.where(unsure, chord, low >= 0)
        rise = np.where(unsure, np.maximum(-slope * low, (1 - slope) * high) / 2, 0.0)
        centre, noises = slope * centre + rise, slope[:, None, :] * noises
        units = np.flatnonzero(unsure.any(axis=0))
        added = np.zeros((count, len(units), len(bias)))
        added[:, range(len(units)), units] = rise[:, units]
        noises = np.concatenate([noises, added], axis=1)
    weight, bias = layers[-1]
    return Zonotopes(centre @ weight.T + bias, noises @ weight.T, settled)
