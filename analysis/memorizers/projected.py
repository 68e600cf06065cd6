"""Proof that a nearest-point network behind a linear layer has the label on every ball, from the
weights it really has.

The layer maps each ball into an l_2 ball around the image of its centre, whose radius a bound of
the spectral norm gives, and [0,1]^D into [0,1]^m. What stands behind it is proved there, as in
`nearest`.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from constructions import Ball, ReLUNetwork
from constructions.internal import (
    exact_rows,
    float_above,
    in_floats_near,
    root_above,
    square_norm_bound,
)

from ..proofs.matching import require
from .line import Row
from .nearest import prove_nearest


def prove_projected(network: ReLUNetwork, x: np.ndarray, y: np.ndarray, ball: Ball) -> Fraction:
    """The margin, 1, on all balls; raises `Unproved` where the proof fails."""
    require(len(network.layers) >= 3, "the network has too few layers for a projection")
    low, high = network.domain or (-math.inf, math.inf)
    require(low >= 0 and high <= 1, "the network's domain must lie in [0,1]")
    require(bool(((x >= low) & (x <= high)).all()), "points must lie in the network's domain")
    rows = exact_rows(network.layers[0])
    for row, bias in rows:
        least = bias + sum(min(w, Fraction(0)) for _, w in row)
        most = bias + sum(max(w, Fraction(0)) for _, w in row)
        require(least >= 0 and most <= 1, "the projection leaves [0,1]")
    images, moved = in_floats_near(ReLUNetwork(network.layers[:1]).exact(x))
    radius = Fraction(ball.radius) * _norm(rows, x.shape[1], ball.p) + moved
    require(radius <= 2**500, "the ball is too large")
    behind = ReLUNetwork(network.layers[1:], (0.0, 1.0))
    return prove_nearest(behind, images, y, Ball(2, float_above(radius)))


def _norm(rows: list[Row], dimension: int, p: float) -> Fraction:
    """A bound of the l_2 length of W v for |v|_p <= 1."""
    scale = max((w.denominator for row, _ in rows for _, w in row), default=1)
    matrix = np.zeros((len(rows), dimension), dtype=object)
    for i, (row, _) in enumerate(rows):
        for j, w in row:
            matrix[i, j] = int(w * scale)  # denominators are powers of two
    square = square_norm_bound(matrix)
    if p == math.inf:
        sums = [int(v) for v in np.abs(matrix).sum(1)]
        square = min(square * dimension, Fraction(sum(v * v for v in sums)))
    return root_above(square) / scale if square else Fraction(0)
