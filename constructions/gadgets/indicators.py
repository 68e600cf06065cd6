"""Indicators of balls, and the thresholds between which they fall."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch

from ..basics.ball import Ball
from ..linear.affine import Affine
from ..linear.matrix import Constant, Dense, Identity, Matrix, Unknown, kron, zeros
from ..networks.network import ReLUNetwork
from ..networks.owners import several
from ..networks.provenance import LEMMAS, Provenance
from ..networks.statements import implements
from .points import read_points


@implements(
    "CGRM (anonymous 2023), proof of Theorem A.2; CGRO (anonymous 2023), proof of Theorem D.1",
    "two units make a soft indicator: 1 up to the inner threshold, 0 from the outer one, linear "
    "between",
    depth=1,
    units=2,
    parameters=6,
    pieces=3,
)
def soft_indicator(inner: float, outer: float) -> ReLUNetwork:
    """Build the network that is 1 up to one threshold, 0 from another one on, and linear between.

        t -> [relu(outer - t) - relu(inner - t)] / (outer - inner).

    In real arithmetic exact if outer - inner is a power of two, as in `f_S`; otherwise 1 is off by
    up to 2^-52. (The papers print the outer threshold as R - delta eps; meant is R - delta - eps.)

    Args:
        inner: up to where it is 1.
        outer: from where it is 0.

    Returns:
        A `ReLUNetwork` R -> R: one hidden layer, 2 units, 6 parameters.

    Raises:
        ValueError: unless inner < outer are finite.

    Source: CGRM (anonymous 2023), proof of Theorem A.2; CGRO (anonymous 2023), proof of Theorem
    D.1.

    Example:
        >>> soft_indicator(0.25, 0.75)([[0.0], [0.25], [0.5], [0.75], [9.0]]).flatten().tolist()
        [1.0, 1.0, 0.5, 0.0, 0.0]
    """
    _check_thresholds(inner, outer)
    slope = 1 / (outer - inner)
    return ReLUNetwork.from_layers([([[-1], [-1]], [outer, inner]), ([[slope, -slope]], [0])])


@implements(
    "this library",
    "1 - min(1, sum_j relu(|x_j - c_j| - inner) / (outer - inner)) indicates an l_inf ball without "
    "a maximum",
    depth=2,
)
def lean_indicator(centre: Any, inner: float, outer: float) -> ReLUNetwork:
    """Build the network that is 1 on an l_inf ball, 0 outside a larger one, and in [0, 1] between.

        1 - min(1, sum_j relu(|x_j - c_j| - inner) / (outer - inner)),

    which needs no maximum: 1 where ||x - c||_inf <= inner, 0 where it is >= outer. Exact on both
    sets if outer - inner is a power of two and c_j +- inner is representable.

    Args:
        centre: one centre, shape (D,), or N of them, (N, D), anywhere in R^D.
        inner: radius of the ball on which it is 1.
        outer: distance from which on it is 0.

    Returns:
        A `ReLUNetwork` D -> 1 or D -> N with two hidden layers.

    Raises:
        ValueError: unless 0 <= inner < outer are finite, and for centres that are not.

    Cost: 6D + 2 parameters a centre.

    Source: this library.

    Example:
        >>> lean_indicator([0.5, 0.5], 0.125, 0.25)(
        ...     [[0.4, 0.6], [0.5, 0.25], [0.5, 0.3125]]
        ... ).flatten().tolist()
        [1.0, 0.0, 0.5]
    """
    _check_thresholds(inner, outer)
    if inner < 0:
        raise ValueError(f"inner must be >= 0, got {inner}")
    return lean_indicators(read_points(centre, "centre", None), inner, outer)


def lean_indicators(centres: Matrix, inner: float, outer: float) -> ReLUNetwork:
    """`lean_indicator` for the rows of `centres` (N x D, maybe unknown entries, symbolic sizes)."""
    count, dimension = centres.shape
    if isinstance(centres, Dense):
        c = centres.entries.reshape(-1)
        # filled in place: these are 2 N D numbers
        shifts = torch.empty(len(c), 2, dtype=torch.float64)
        torch.sub(c, inner, out=shifts[:, 1])
        torch.add(c, inner, out=shifts[:, 0]).neg_()
        bias: Matrix = Dense(shifts.reshape(-1, 1), copy=False)
    else:
        bias = Unknown(2 * count * dimension, 1)
    sides = kron(
        Constant(count, 1), kron(Identity(dimension), Dense(torch.tensor([[1.0], [-1.0]])))
    )
    excess = kron(Identity(count), Constant(1, 2 * dimension, -1 / (outer - inner)))
    out = Affine(Identity(count), zeros(count, 1))
    one = Provenance(
        LEMMAS["lean_indicator"], {"inner": inner, "outer": outer, "D": dimension, "K": 1}
    )
    layers = (Affine(sides, bias), Affine(excess, Constant(count, 1)), out)
    rows = tuple(((several(count, "lean_indicator"), layer.weight.shape[0]),) for layer in layers)
    return ReLUNetwork(layers, provenance=Provenance(None, {}, ((count, one),), rows))


@dataclass(frozen=True)
class Thresholds:
    """Where an indicator of the distance (l_inf) or squared distance (l_2) is 1 (up to inner) and 0
    (from outer).
    """

    inner: float
    outer: float


def thresholds(
    ball: Ball, separated: float, error: Fraction, doubt: Fraction = Fraction(1, 2**48)
) -> Thresholds:
    """Dyadic thresholds, a power of two apart, for balls around points of classes at least
    `separated` apart.

    error: how far the distance network may exceed the distance (l_inf) or its square (l_2); doubt:
    rounding in either direction. The indicator is 1 on the whole ball and 0 from half the
    separation on (so that shells of different classes are disjoint), or from separation - radius if
    half is too near. Exact rational arithmetic. Raises ValueError if the error leaves no room.

    >>> thresholds(Ball("inf", 0.125), 1.0, Fraction(0))
    Thresholds(inner=0.1250152587890625, outer=0.3750152587890625)
    """
    power = 1 if ball.p == math.inf else 2
    if ball.radius > 2.0**20:
        raise ValueError(
            f"radius must be at most 2^20 for indicators of balls, got {ball.radius:g}"
        )
    radius = Fraction(ball.radius)
    separated = (
        min(separated, 2.0**10 * max(1.0, ball.radius)) if math.isfinite(separated) else separated
    )
    reach = 2 * max(radius, Fraction(1, 2**10)) if math.isinf(separated) else None
    inside = radius**power + error + doubt
    candidates = (
        [reach] if reach is not None else [Fraction(separated) / 2, Fraction(separated) - radius]
    )
    for far in candidates:
        outside = far**power - doubt
        if outside <= inside:
            continue
        grid = max(16, 4 - _floor_log2(outside - inside))
        inner = Fraction(math.ceil(inside * 2**grid + Fraction(1, 2)), 2**grid)
        width = Fraction(2) ** _floor_log2(outside - inner)
        if Fraction(float(inner)) == inner and Fraction(float(inner + width)) == inner + width:
            return Thresholds(float(inner), float(inner + width))
    raise ValueError(
        f"no room for thresholds: the indicator must be 1 up to {float(inside):.6g} (radius "
        f"{ball.radius:g}, distance "
        f"error {float(error):.3g}) and 0 from {float(candidates[-1] ** power):.6g}; larger m "
        f"makes the error smaller"
    )


def _floor_log2(value: Fraction) -> int:
    """The greatest e with 2^e <= value, for value > 0."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    return exponent if Fraction(2) ** exponent <= value else exponent - 1


def _check_thresholds(inner: float, outer: float) -> None:
    if not (math.isfinite(inner) and math.isfinite(outer) and inner < outer):
        raise ValueError(
            f"thresholds must be finite with inner < outer, got inner={inner}, outer={outer}"
        )
