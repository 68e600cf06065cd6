"""The inequalities that make a memorizer right on all balls, in rational numbers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import torch

from constructions import CONTRACTS, ReLUNetwork, magnitude_bound, separation

from .hints import Subject
from .matching import Matched, match, require
from .separations import KnownSeparation

UNIT_ROUNDOFF = Fraction(1, 2**53)
"""A float64 sum differs from the sum by at most this part of the result."""


def prove(subject: Subject, known: KnownSeparation) -> tuple[Fraction, ReLUNetwork]:
    """The certified margin, and f_clean as it stands in the network; raises `Unproved` where the
    proof fails. known: the separation of the subject's points.

    Real arithmetic, actual weights. Let t_i be what the network computes for the distance (l_inf)
    or its square d_i, and d_i - lo <= t_i <= d_i + hi (`_deviations`). On ball i, d_i <=
    radius^power, and d_k >= (R - radius)^power for the others. inner >= d_i + hi gives Ind_i >= 1 -
    eps, outer <= d_k - lo gives Ind_k = 0 exactly. gate, lean: the capped sum of class y_i is then
    in [1 - eps, 1], those of other classes are 0, and each gate is at most max(0, |f_clean| - B (1
    - eps)).
    """
    x, y, ball, hints = subject.x, subject.y, subject.ball, subject.hints
    width, bound = Fraction(hints.outer) - Fraction(hints.inner), Fraction(hints.bound)
    require(
        _is_power_of_two(width) and 2**-100 <= width <= 2**100,
        "outer - inner is not a power of two: slopes are rounded",
    )
    require(
        _is_power_of_two(bound),
        "the bound of |f_clean| is not a power of two: products with it are rounded",
    )
    matched = match(subject)
    low, high, eps = _deviations(subject, matched, width)
    power, radius = (1, Fraction(ball.radius)) if ball.p == math.inf else (2, Fraction(ball.radius))
    farthest = Fraction(1) if power == 1 else Fraction(x.shape[1])  # within [0,1]^D
    near = min(radius**power, farthest) + high
    require(
        Fraction(hints.inner) >= near,
        f"the inner threshold {hints.inner} is below {float(near):.17g}",
    )
    apart = known.found
    # its indicators add up: those of the own class must vanish as well
    if hints.variant == "paper":
        apart = separation(x.numpy(), np.arange(len(x)), norm=ball.p)
    if math.isfinite(apart.lower):
        gap = Fraction(apart.lower) - radius
        far = gap**power - low if gap > 0 else Fraction(0)
        pair = f"points {apart.pair[0]} and {apart.pair[1]}" if apart.pair else ""
        require(
            Fraction(hints.outer) <= far,
            f"the outer threshold {hints.outer} exceeds {float(far):.17g} ({pair})",
        )
    size = Fraction(magnitude_bound(matched.clean, (0.0, 1.0)))
    if hints.variant == "paper":
        require(
            size + 1 <= bound and 1 + eps <= bound,
            f"|f_clean| + 1 may reach {float(size + 1):.6g} > {hints.bound}",
        )
        product = CONTRACTS["yarotsky_multiplication"]({"m": hints.m, "bound": hints.bound})
        if subject.network.outputs > 1:
            least = 1 + product.lower - product.upper - 2 * eps * bound
        else:  # y (y + error): the error's lower end for y = 1, its upper for y = -1
            least = (
                1
                - eps * bound
                + min(
                    [product.lower] * bool((y > 0).any()) + [-product.upper] * bool((y < 0).any())
                )
            )
    else:
        leak = max(Fraction(0), size - bound * (1 - eps))
        least = 1 - eps - leak * (1 if subject.network.outputs == 1 else 2)
    require(least > 0, f"the margin that rounding and multiplication leave is {float(least):.6g}")
    return least, matched.clean


def _is_power_of_two(value: Fraction) -> bool:
    return value > 0 and all(n & (n - 1) == 0 for n in (value.numerator, value.denominator))


def _deviations(
    subject: Subject, matched: Matched, width: Fraction
) -> tuple[Fraction, Fraction, Fraction]:
    """(lo, hi, eps): how far distances fall short, exceed, and by how much an indicator on its ball
    differs from 1.
    """
    x, ball, hints, zero = subject.x, subject.ball, subject.hints, Fraction(0)
    biases, rounded = matched.biases, matched.rounded
    if ball.p == 2:
        error = CONTRACTS["squaring"]({"m": hints.m}).upper * x.shape[1]
        if hints.variant != "lean":
            return zero, error, zero
        least, most = _norm_errors(x, biases[hints.m + 1])
        return -least, error + most, zero
    e0 = _rounding(biases[0], rounded[0])
    # a unit is off by e0 at most; one of them alone closes the indicator
    if hints.variant == "lean":
        return e0, e0, zero
    # pairs: three units, each off by e0; first level of the tree: two, by e1; no sums after that
    if x.shape[1] > 2:
        e1 = _rounding(biases[1], rounded[1])
        return 3 * e0 + 2 * e1, 6 * e0 + 2 * e1, zero
    first = x[:, 0].tolist() if x.shape[1] == 2 else [0.0] * len(x)
    cuts = Fraction(hints.outer), Fraction(hints.inner)
    actual = biases[1].reshape(-1, 2).tolist()
    owned = [
        (b, t, c)
        for pair, c in zip(actual, first, strict=True)
        for b, t in zip(pair, cuts, strict=True)
    ]
    errors = [Fraction(b) - (t - Fraction(c)) for b, t, c in owned]
    e1, eps = (
        max(map(abs, errors)),
        max(abs(a - b) for a, b in zip(errors[::2], errors[1::2], strict=True)) / width,
    )
    return 3 * e0 + e1, 3 * e0 + e1, eps


def _rounding(actual: np.ndarray, rounded: np.ndarray) -> Fraction:
    """How far biases may be from exact sums of two numbers, whose float64 values are `rounded`."""
    parts = [slice(k, k + 2**20) for k in range(0, len(actual), 2**20)]
    drift = max(float(np.abs(actual[part] - rounded[part]).max()) for part in parts)
    largest = max(float(np.abs(rounded[part]).max()) for part in parts)
    return Fraction(drift) * (1 + 2 * UNIT_ROUNDOFF) + UNIT_ROUNDOFF * Fraction(largest)


def _norm_errors(x: torch.Tensor, biases: np.ndarray) -> tuple[Fraction, Fraction]:
    """The least and the greatest bias - ||x_i||^2; sums of D squares in [0, 1] are off by (D + 2)
    roundings at most.
    """
    lows, highs = [], []
    for total, bias in zip((x**2).sum(1).tolist(), biases.tolist(), strict=True):
        gap, error = (
            Fraction(bias) - Fraction(total),
            (x.shape[1] + 2) * UNIT_ROUNDOFF * Fraction(total) + Fraction(1, 2**1000),
        )
        lows.append(gap - error)
        highs.append(gap + error)
    return min(lows), max(highs)
