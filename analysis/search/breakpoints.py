"""Networks on an interval: all points where a unit changes sign, so that the network is affine
between them.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from operator import mul

import numpy as np

from ..checkers.check_certificate import Network
from .bounding import Array


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
    network: Network, points: list[Fraction], label: int
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
