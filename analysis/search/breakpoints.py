"""Networks on an interval: all points where a unit changes sign, so that the network is affine
between them.
"""

from __future__ import annotations

import math
import time
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from ..checkers import check_certificate as checker
from .bounding import Array
from .question import Question, Undecided

Values = list[int]
"""Of hidden units at a point, times a positive number."""


COST = 5e-8
"""Seconds, at least, that a weight takes at a point, exactly."""


def breakpoints(
    layers: list[tuple[Array, Array]], lower: float, upper: float, end: float = math.inf
) -> Array:
    """Ends and sign changes of hidden units on [lower, upper], ascending, as float64 finds them.
    Cost: points times weights. Raises `Undecided` after `end`.
    """
    points = np.array([lower, upper])
    for depth in range(1, len(layers) + 1):
        check_time(end, len(points))
        z = points[:, None]
        for i, (weight, bias) in enumerate(layers[:depth]):
            z = (z if i == 0 else np.maximum(z, 0)) @ weight.T + bias
        before, after = z[:-1], z[1:]
        interval, unit = np.nonzero(before * after < 0)
        a, b = np.abs(before[interval, unit]), np.abs(after[interval, unit])
        left, right = points[interval], points[interval + 1]
        points = np.unique(np.concatenate([points, (b * left + a * right) / (a + b)]))
    return points


def settled(
    network: checker.Network, points: list[Fraction], label: int, end: float = math.inf
) -> tuple[list[Fraction], list[Fraction]]:
    """The points with all sign changes between them added, in rationals, and the margins there.
    Raises `Undecided` after `end`.
    """
    found: dict[Fraction, tuple[Fraction, Values]] = {}
    intervals = list(pairwise(points))
    while intervals:
        added = []
        for low, high in intervals:
            check_time(end, len(found))
            for x in (low, high):
                if x not in found:
                    (margin,), units = network.evaluate([[x]], label)
                    found[x] = margin, [v for (v,) in units]
            middle = first_zero(low, found[low][1], high, found[high][1])
            if middle is not None:
                added += [(low, middle), (middle, high)]
        intervals = added
    settled = sorted(found)
    return settled, [found[x][0] for x in settled]


def first_zero(low: Fraction, before: Values, high: Fraction, after: Values) -> Fraction | None:
    """Where the first unit changes its sign between two points that changes it at all: it is affine
    there. before, after: values of hidden units at the points, times positive numbers.
    """
    for a, b in zip(before, after, strict=True):
        if a * b < 0:
            p, q = Fraction(abs(a), low.denominator), Fraction(abs(b), high.denominator)
            return (q * low + p * high) / (p + q)
    return None


def check_time(end: float, points: int) -> None:
    """Raise `Undecided` after `end`."""
    if time.monotonic() > end:
        raise Undecided(f"time limit, with {points} points where units change sign")


def sweep(question: Question, end: float = math.inf) -> dict[str, Any]:
    """A query about a network with one input: the margin is least at a sign change of a unit, or at
    an end. Raises `Undecided` after `end`.
    """
    exact = question.network.exact
    held, top = question.set.to_json(), 1 << question.set.scale
    low, high = (Fraction(held[side][0], top) for side in ("lower", "upper"))
    points = breakpoints(question.network.arrays[:-1], float(low), float(high), end)
    values, _ = question.margins(points[:, None])
    if witness := question.replay(points[values.argmin()][None]):
        return question.refuted(witness)
    chosen = [low, *(x for x in map(Fraction, points.tolist()) if low < x < high), high]
    query = question.query({"verdict": "proved", "points": [str(x) for x in chosen]})
    weights = sum(weight.size for weight, _ in question.network.arrays)
    check_time(end - COST * weights * len(chosen), 0)
    try:
        bound = checker.least_margin(exact, query)
        if bound > 0:
            return query | {"bound": str(bound)}
    except ValueError:
        pass  # float64 has missed a sign change
    chosen, margins = settled(exact, chosen, question.label, end)
    lowest = min(range(len(margins)), key=margins.__getitem__)
    if margins[lowest] <= 0:
        if not question.set.lower[0] <= chosen[lowest] <= question.set.upper[0]:
            raise Undecided("the margin vanishes within rounding of an end of the interval")
        return question.refuted((chosen[lowest],))
    return question.query(
        {"verdict": "proved", "bound": str(margins[lowest]), "points": [str(x) for x in chosen]}
    )
