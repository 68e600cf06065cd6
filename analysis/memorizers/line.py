"""Proof that a network whose first layer is one unit has the label on every ball, from the weights
it really has.

On a ball such a network is a function of one number s in an interval. The interval is cut, exactly,
wherever a unit changes its sign inside, so that all units are affine between neighbours; margins
are concave there, so the ends decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from constructions import Ball, ReLUNetwork
from constructions.internal import exact_rows

from ..proofs.matching import require

PARTS = 64
"""Most parts into which one ball's interval is cut."""

Row = tuple[list[tuple[int, Fraction]], Fraction]


def prove_line(network: ReLUNetwork, x: np.ndarray, y: np.ndarray, ball: Ball) -> Fraction:
    """The least margin on all balls; raises `Unproved` where it is not positive."""
    if ball.radius == 0:
        values = margins(network.exact(x, screened=False), y)
        worst = min(range(len(values)), key=values.__getitem__)
        require(values[worst] > 0, f"point {worst} has no positive margin")
        return values[worst]
    require(len(network.layers) > 1, "the network has no hidden layer")
    first, tail = network.layers[0], [exact_rows(layer) for layer in network.layers[1:]]
    require(first.weight.shape[0] == 1, "the first layer has more than one unit")
    ((entries, offset),) = exact_rows(first)
    reach = reach_of([w for _, w in entries], ball)
    bounds = []
    for i, (centre, label) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        place = sum((w * Fraction(centre[j]) for j, w in entries), offset)
        low, high = (max(Fraction(0), place + side * reach) for side in (-1, 1))
        bounds.append(least_margin(tail, low, high, label))
        require(bounds[-1] > 0, f"ball {i} has no positive margin")
    return min(bounds)


def reach_of(weights: Sequence[Fraction], ball: Ball) -> Fraction:
    """A bound of how far <w, x> is from its value at the centre, on the ball: radius |w|_q."""
    radius = Fraction(ball.radius)
    if ball.p == math.inf:
        return radius * sum(map(abs, weights))
    squared = radius**2 * sum(w * w for w in weights)
    scale = 1 << max(60, 60 - squared.numerator.bit_length() + squared.denominator.bit_length())
    return Fraction(math.isqrt(math.ceil(squared * scale**2)) + 1, scale)


def least_margin(
    tail: Sequence[Sequence[Row]], low: Fraction, high: Fraction, label: int
) -> Fraction:
    """The least margin of a network behind its unit s, on [low, high]; tail: its further layers."""
    ends = [low, high]
    values = [_activations(tail, end) for end in ends]
    found: list[Fraction] = []
    start = 0
    while start + 1 < len(ends):
        cut = _crossing(values[start], values[start + 1], ends[start], ends[start + 1])
        if cut is None:
            found += [margin_of(values[k][-1], label) for k in (start, start + 1)]
            start += 1
            continue
        require(len(ends) < PARTS, "the network changes too often on one ball")
        ends.insert(start + 1, cut)
        values.insert(start + 1, _activations(tail, cut))
    return min(found)


def _activations(tail: Sequence[Sequence[Row]], place: Fraction) -> list[list[Fraction]]:
    """What goes into the units of each layer, and the outputs."""
    found = []
    units = [place]
    for layer in tail:
        before = [sum((w * units[j] for j, w in row if units[j]), bias) for row, bias in layer]
        found.append(before)
        units = [max(v, Fraction(0)) for v in before]
    return found


def _crossing(
    left: Sequence[Sequence[Fraction]],
    right: Sequence[Sequence[Fraction]],
    low: Fraction,
    high: Fraction,
) -> Fraction | None:
    """The first place where a unit of the lowest layer that has one changes its sign between two
    places; what goes into that layer is affine there, so it is exact.
    """
    for a, b in zip(left[:-1], right[:-1], strict=True):
        crossings = [u / (u - v) for u, v in zip(a, b, strict=True) if (u > 0 > v) or (u < 0 < v)]
        if crossings:
            return low + min(crossings) * (high - low)
    return None


def margin_of(values: Sequence[Fraction], label: int) -> Fraction:
    """y f, or f_y - max over k != y of f_k, of the outputs at a point."""
    if len(values) == 1:
        return label * values[0]
    return values[label] - max(v for k, v in enumerate(values) if k != label)


def margins(values: np.ndarray, labels: np.ndarray) -> list[Fraction]:
    """`margin_of` of exact outputs (N, K)."""
    return [margin_of(row, y) for row, y in zip(values.tolist(), labels.tolist(), strict=True)]
