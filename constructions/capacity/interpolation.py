"""Plain interpolation of points, with no ball around them: a number of parameters that does not
multiply n by D.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np

from ..basics.reading import as_coordinates
from ..gadgets.points import read_points
from ..networks.calculus import affine
from ..networks.exact import exact_values
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record


@implements(
    "Gao et al. 2019, equation (7), citing Yun et al. 2019; Zhang et al. 2017, Theorem 1 (one line "
    "for all points)",
    "n points are interpolated by O(n) parameters: a line on which they are distinct, then steps "
    "between them",
    depth=2,
    units="2*changes + 1",
    parameters="coordinates + 6*changes + 2",
)
def interpolation(points: Any, values: Any) -> ReLUNetwork:
    """Build a network that takes given values at given points, and nothing said of other places.

    f(points[i]) = values[i]. One unit carries <v, x> + c, on which the points are distinct (checked
    in exact arithmetic; v has small integers on `coordinates` that tell the points apart, at most n
    - 1). Then f is constant but for ramps of one width 2^-k, two units each, inside the gaps
    between neighbours of different value (`changes` of them). It is exact in rational arithmetic;
    in float64 too for points of few bits (see `bit_budget`).

    Args:
        points: (n, D), real numbers.
        values: (n,), such as labels -1 and +1.

    Returns:
        A `ReLUNetwork` D -> 1.

    Raises:
        ValueError: for shapes that do not fit, NaN, equal points with different values, values that
            are all equal, and values or gaps whose differences float64 does not hold.

    Cost: at most min(D, n - 1) + 6n parameters; random labels take about D + 3n. (As one hidden
    layer, each unit would read all of x: n D parameters.) Time D n log n.

    Example:
        >>> f = interpolation([[0.0, 0.5], [1.0, 0.5], [0.25, 0.5]], [1, 1, -1])
        >>> f([[0.0, 0.5], [1.0, 0.5], [0.25, 0.5]]).flatten().tolist(), f.size.parameters
        ([1.0, 1.0, -1.0], 15)
    """
    x, y = _read(points, values)
    chosen = telling_coordinates(x)
    direction, places = _line(x, chosen)
    order = sorted(range(len(x)), key=places.__getitem__)
    pairs = [(i, j) for i, j in itertools.pairwise(order) if y[i] != y[j]]
    width = _power_below(min(places[j] - places[i] for i, j in pairs) / 4)
    start = (1 - math.floor(places[order[0]] / width)) * width
    knots, steps = [], []
    for i, j in pairs:
        # one width away from both points, or more
        knot = (math.floor((places[i] + start) / width) + 2) * width
        knots += [knot, knot + width]
        step = Fraction(y[j]) - Fraction(y[i])
        steps += [step / width, -step / width]
    hidden = np.ones((len(knots), 1)), [_float(-knot) for knot in knots]
    last = [[_float(step) for step in steps]], [y[order[0]]]
    network = ReLUNetwork.from_layers([(direction[None], [_float(start)]), hidden, last])
    return record(network, N=len(x), coordinates=len(chosen), changes=len(pairs))


def _read(points: Any, values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Distinct points and their values."""
    x = read_points(points, "points", None).entries.numpy() + 0.0
    y = as_coordinates(values, "values").double().cpu().numpy().reshape(-1)
    if len(x) != len(y):
        raise ValueError(
            f"values must have one entry for each of the {len(x)} points, got {len(y)}"
        )
    if not np.isfinite(y).all():
        raise ValueError(f"values must be finite, got {y[~np.isfinite(y)][0]}")
    distinct, first, group = np.unique(x, axis=0, return_index=True, return_inverse=True)
    wrong = y != y[first][group.reshape(-1)]
    if wrong.any():
        j = int(wrong.argmax())
        raise ValueError(
            f"values of equal points must agree: points {first[group.reshape(-1)[j]]} and {j} "
            f"differ"
        )
    if (y == y[0]).all():
        raise ValueError(
            "values must hold at least two different numbers; a constant interpolates others"
        )
    return distinct, y[first]


def telling_coordinates(x: np.ndarray) -> list[int]:
    """At most n - 1 coordinates on which the n points are distinct: each chosen one splits a group
    of equal points.

    That there are so few is Bondy's theorem (1972).
    """
    kinds = [len(np.unique(column)) for column in x.T]
    chosen: list[int] = []
    groups = np.zeros(len(x), dtype=np.int64)
    for j in np.argsort(kinds, kind="stable")[::-1]:
        finer = np.unique(np.column_stack([groups, x[:, j]]), axis=0, return_inverse=True)[
            1
        ].reshape(-1)
        if finer.max() > groups.max():
            chosen.append(int(j))
            groups = finer
        if groups.max() == len(x) - 1:
            break
    return chosen


def _line(x: np.ndarray, chosen: list[int]) -> tuple[np.ndarray, list[Fraction]]:
    """A direction of small nonzero integers on the chosen coordinates, and the points' distinct
    places along it, exactly.
    """
    generator = np.random.default_rng(0)
    for bits in itertools.count():
        weights = generator.integers(1, 2**bits, len(chosen), endpoint=True) * generator.choice(
            [-1, 1], len(chosen)
        )
        weights = weights if bits else np.ones(len(chosen))
        places = exact_values(affine([weights.tolist()]), x[:, chosen])[:, 0].tolist()
        if len(set(places)) == len(x):
            break
    direction = np.zeros(x.shape[1])
    direction[chosen] = weights
    return direction, places


def _power_below(value: Fraction) -> Fraction:
    """The greatest power of two <= value > 0."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    power = Fraction(2) ** exponent
    return power if power <= value else power / 2


def _float(value: Fraction) -> float:
    """The number in float64; raises ValueError where that would round."""
    if Fraction(float(value)) != value:
        raise ValueError(f"points or values lie too close for float64: {value} would be rounded")
    return float(value)
