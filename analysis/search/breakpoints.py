"""Networks on an interval: all points where a unit changes sign, so that the network is affine
between them.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from operator import mul
from typing import Any

import numpy as np

from ..checkers import check_certificate as checker
from .bounding import Array
from .question import Question, Undecided


def breakpoints(layers: list[tuple[Array, Array]], lower: float, upper: float) -> Array:
    """Ends and sign changes of hidden units on [lower, upper], ascending, as float64 finds them.
    Cost: points times weights.
    """
    points = np.array([lower, upper])
    for depth in range(1, len(layers) + 1):
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
    network: checker.Network, points: list[Fraction], label: int
) -> tuple[list[Fraction], list[Fraction]]:
    """The points with all sign changes between them added, in rationals, and the margins there."""
    while True:
        margins, units = network.evaluate([[x] for x in points], label)
        added: dict[int, Fraction] = {}
        for unit in units:
            if min(map(mul, unit, unit[1:]), default=0) >= 0:
                continue
            for k, (a, b) in enumerate(pairwise(unit)):
                if a * b < 0 and k not in added:  # the first one on an interval is affine there
                    p, q = (
                        Fraction(abs(v), x.denominator)
                        for v, x in ((a, points[k]), (b, points[k + 1]))
                    )
                    added[k] = (q * points[k] + p * points[k + 1]) / (p + q)
        if not added:
            return points, margins
        points = sorted({*points, *added.values()})


def sweep(question: Question) -> dict[str, Any]:
    """A query about a network with one input: the margin is least at a sign change of a unit, or at
    an end.
    """
    exact = question.network.exact
    held, top = question.set.to_json(), 1 << question.set.scale
    start, end = (Fraction(held[side][0], top) for side in ("lower", "upper"))
    points = breakpoints(question.network.arrays[:-1], float(start), float(end))
    values, _ = question.margins(points[:, None])
    if witness := question.replay(points[values.argmin()][None]):
        return question.refuted(witness)
    chosen = [start, *(x for x in map(Fraction, points.tolist()) if start < x < end), end]
    query = question.query({"verdict": "proved", "points": [str(x) for x in chosen]})
    try:
        bound = checker.least_margin(exact, query)
        if bound > 0:
            return query | {"bound": str(bound)}
    except ValueError:
        pass  # float64 has missed a sign change
    chosen, margins = settled(exact, chosen, question.label)
    lowest = min(range(len(margins)), key=margins.__getitem__)
    if margins[lowest] <= 0:
        if not question.set.lower[0] <= chosen[lowest] <= question.set.upper[0]:
            raise Undecided("the margin vanishes within rounding of an end of the interval")
        return question.refuted((chosen[lowest],))
    return question.query(
        {"verdict": "proved", "bound": str(margins[lowest]), "points": [str(x) for x in chosen]}
    )
