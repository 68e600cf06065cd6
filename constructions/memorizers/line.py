"""The square-root memorizer: labels of N points by about sqrt(N log N) parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from ..basics.ball import Ball, check_ball
from ..basics.floats import FAR, lowest_bit
from ..basics.norms import norm_name
from ..capacity.interpolation import telling_coordinates
from ..classifiers.memorizer import fingerprint
from ..linear.affine import Affine
from ..linear.matrix import in_floats, over_powers
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record
from .bit_table import bit_table
from .grouping import Line, Plan, plan, slot_cost
from .reading import Data, read_data

DRAWS = 24
"""Directions that are tried at one size."""

FINER = 24
"""Bits by which places are refined for windows, so that half widths are found well."""

NARROWER = 12
"""How often the unit of windows is halved until groups are found."""


@implements(
    "this library; bit extraction as in Bartlett et al. 2019 and Vardi, Yehudai and Shamir 2022",
    "N points of given labels are memorized by O(sqrt(N log N)) parameters with long bit strings",
    depth="folds + (n - 1)*(rho + c) + tail",
    parameters="coordinates + 6*groups + 6*folds + 6*rho*(n - 1) + slot*n + rest",
)
def memorizer(
    points: Any, labels: Any, *, ball: Ball | None = None, bits: int | None = None
) -> ReLUNetwork:
    """Build a network that has the labels of N points in the bits of few weights.

    One unit carries a place s = <v, x> + c, v of small integers on `coordinates` that tell the
    points apart. Points are sorted by place into `groups` of at most n that are stored (those of
    the most frequent label are not); ramps select the number U of the group of s, whose bits hold
    rho bits of a key for each stored point, and c of a label. Keys are hashes: s folded `folds`
    times. Folds of U bring up one key after another, and two units tell whether the place has it.

    f(points[i]) = labels[i] exactly for labels -1 and +1, and the one-hot row for labels 0 and 1;
    for K >= 3 classes, f_y >= f_k + 1/4 for k != y. With a ball, that holds on the whole ball
    around each point: very small ones only, as N intervals on a line must not meet. All of this is
    checked when it is built, key by key, in integers.

    Weights have up to n (rho + c) + 1 bits, so beyond 53 the network has `Integers` layers and is
    evaluated exactly only. No way around: P parameters of b bits have at most 2^(P b) values, so to
    memorize all labellings in one architecture takes P b >= N.

    Args:
        points: (N, D), real numbers; equal ones count once. Integers, and dyadic numbers with few
            bits, cost a bit less.
        labels: (N,), -1 and +1, or 0..K-1, each at least once.
        ball: around each point; None: the points alone.
        bits: the most bits of a number of the table; 53 makes a network of float64 numbers.

    Returns:
        A `ReLUNetwork` D -> 1 or D -> K.

    Raises:
        ValueError: for shapes that do not fit, one label only, equal points of different labels, a
            ball that is too large, and bits too few for one key.

    Cost: see the claims: about 9 sqrt(N log2 N) parameters + coordinates for two classes; slot =
    11, rest = 2 (4 for labels 0 and 1), tail = 5 for two, slot = 17 + 7 c, rest = 2 K - 5, tail = 6
    + c for K classes; a slot costs one more for points that are no integers. Building takes some
    passes over the sorted points.

    Source: this library. That O(sqrt(N log N)) parameters suffice: Vardi, Yehudai and Shamir 2022;
    reading bits: Bartlett, Harvey, Liaw and Mehrabian 2019; folds: Telgarsky 2015.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> x, y = generator.integers(0, 256, (1000, 64)), generator.choice([-1, 1], 1000)
        >>> f = memorizer(x, y)
        >>> bool((f.exact(x)[:, 0] == y).all()), f.size.parameters < 1000
        (True, True)
    """
    if ball is not None:
        check_ball(ball)
    if bits is not None and (not isinstance(bits, int) or bits < 8):
        raise ValueError(f"bits must be an integer >= 8, or None, got {bits!r}")
    data = read_data(points, labels, None)
    drawn = _drawn(data, ball, bits)
    if drawn is None:
        limit = "ball must be smaller" if ball and ball.radius else "bits must be larger"
        raise ValueError(f"{limit}: the points are not told apart on a line, got {ball or bits}")
    line, found = drawn.line, drawn.plan
    table = bit_table(line, found, data.outputs, drawn.kinds)
    network = ReLUNetwork((drawn.layer, *table.layers))
    c, two = line.label_bits, data.outputs <= 2
    return record(
        network,
        N=len(data.points),
        coordinates=drawn.layer.weight.nonzeros,
        groups=len(found.groups),
        n=found.slots,
        rho=found.key_bits,
        c=c,
        folds=found.folds,
        slot=slot_cost(c, line.windowed),
        rest=2 * data.outputs if two else 2 * data.outputs - 5,
        tail=5 if two else 6 + c,
        norm=norm_name(ball.p) if ball else "none",
        data=fingerprint(data.points, data.classes),
    )


# -- a line on which the points are told apart -----------------------------------------------------


@dataclass(frozen=True, eq=False)
class Drawn:
    """A line with a plan; layer: x to the place in units, >= 0 on all intervals; kinds: the class
    of each label, that of label 0 is not stored.
    """

    line: Line
    plan: Plan
    layer: Affine
    kinds: tuple[int, ...]


def _drawn(data: Data, ball: Ball | None, bits: int | None) -> Drawn | None:
    """The cheapest of some directions, on integers and by windows."""
    counts = np.bincount(data.classes, minlength=data.count)
    order = np.argsort(-counts, kind="stable")
    kinds = tuple(order.tolist())
    rank = np.argsort(order)
    chosen = telling_coordinates(data.points)
    whole, scale = _whole(data.points[:, chosen])
    found: list[Drawn] = []
    with_balls = ball is not None and ball.radius > 0
    for windowed in (True,) if with_balls else (False, True):
        for places, weights in _directions(data, whole, windowed, with_balls):
            lines = _lines(places, rank[data.classes], weights, ball, scale, windowed)
            for line, factor, shift in lines:
                made = plan(line, bits)
                if made is not None:
                    direction = np.zeros(data.points.shape[1], dtype=object)
                    direction[chosen] = weights
                    layer = _place(direction, factor * 2**scale, shift, line.unit)
                    found.append(Drawn(line, made, layer, kinds))
                    break
            else:
                continue
            break
    return min(found, key=lambda drawn: drawn.plan.cost(drawn.line), default=None)


def _whole(points: np.ndarray) -> tuple[np.ndarray, int]:
    """Points as integers over 2^scale, of int64 where sums of them are small, else Python's."""
    scale = max(0, -int(lowest_bit(points).min(initial=FAR)))
    most = float(np.abs(points).max(initial=0.0)) * 2.0**scale if scale < 900 else math.inf
    if most * points.shape[1] < 2**31:
        return np.rint(points * 2.0**scale).astype(np.int64), scale
    flat = [v.as_integer_ratio() for v in points.reshape(-1).tolist()]
    values = np.array([a * (2**scale // b) for a, b in flat], dtype=object)
    return values.reshape(points.shape), scale


def _directions(
    data: Data, whole: np.ndarray, windowed: bool, with_balls: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Places and integer weights: the smallest ones first that tell labels apart, or the ones with
    the widest gaps.
    """
    generator = np.random.default_rng(0)

    def draw(most: int) -> tuple[np.ndarray, np.ndarray]:
        weights = generator.integers(1, most, whole.shape[1], endpoint=True)
        weights = weights * generator.choice([-1, 1], whole.shape[1])
        return whole @ np.array(weights.tolist(), dtype=whole.dtype), weights

    # about N^2 / 4 pairs may meet
    spread = float(np.sqrt((whole.astype(float).std(0) ** 2).sum()))
    most = max(1, int(len(whole) ** 2 / (500 * max(spread, 1.0)))) if not windowed else 1
    while not windowed and most < 2**28:
        for _ in range(DRAWS if most > 1 else 1):
            places, weights = draw(most)
            if least_gap(places, data.classes) > 0:
                yield places, weights
                break
        most = max(most + 1, most * 5 // 4)
    if not windowed:
        return
    best = []
    for k in range(DRAWS):
        places, weights = draw(2**12)
        gap = float(least_gap(places, data.classes))
        spread = float(max(places) - min(places))
        size = float(np.linalg.norm(weights.astype(float))) if with_balls else spread
        if gap > 0:
            best.append((-gap / size, k, places, weights))
    for _, _, places, weights in sorted(best, key=lambda found: found[:2])[:3]:
        yield places, weights


def least_gap(places: np.ndarray, classes: np.ndarray) -> int:
    """The least distance between places of different classes: one of neighbours."""
    order = np.argsort(places, kind="stable")
    other = classes[order][1:] != classes[order][:-1]
    return int(min(np.diff(places[order])[other], default=0))


def _lines(
    places: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    ball: Ball | None,
    scale: int,
    windowed: bool,
) -> Iterator[tuple[Line, int, int]]:
    """Lines, with (factor, shift) of factor place + shift: an exact one, or windows of smaller and
    smaller units.
    """
    order = np.argsort(places, kind="stable")
    kept = np.ones(len(order), dtype=bool)
    kept[1:] = places[order][1:] != places[order][:-1]
    ascending, kinds = places[order][kept], labels[order][kept]
    if not windowed:
        # twice the place, and one: no fold meets it
        shift = 3 - 2 * int(ascending[0])
        yield Line(2 * ascending + shift, kinds, 0, 2, windowed=False), 2, shift
        return
    fine = np.array([place << FINER for place in ascending.tolist()], dtype=object)
    half = _half_width(weights, ball, scale + FINER)
    gap = least_gap(fine, kinds) - 2 * half
    if gap < 4:
        return
    unit = 1 << ((gap // 2).bit_length() - 1)
    for _ in range(NARROWER):
        if unit < 2 or unit < 2 * half:
            return
        shift = (half - int(fine[0])) // unit * unit + 2 * unit
        shift += unit * (shift == 0)
        yield Line(fine + shift, kinds, half, unit, windowed=True), 1 << FINER, shift
        unit //= 2


def _half_width(weights: np.ndarray, ball: Ball | None, scale: int) -> int:
    """At least how far the place of a point of a ball may be from that of its centre."""
    if ball is None or not ball.radius:
        return 0
    radius = Fraction(ball.radius) * 2**scale
    if ball.p == math.inf:
        return math.ceil(radius * int(np.abs(weights).sum()))
    squared = radius**2 * int((weights.astype(object) ** 2).sum())
    return math.isqrt(math.ceil(squared)) + 1


def _place(direction: np.ndarray, factor: int, shift: int, unit: int) -> Affine:
    """x to (factor <direction, x> + shift) / unit."""
    used = np.flatnonzero(direction)
    rows, columns = torch.zeros(len(used), dtype=torch.int64), torch.from_numpy(used)
    values = [Fraction(int(direction[j]) * factor, unit) for j in used]
    weight = over_powers((1, len(direction)), rows, columns, values)
    bias = over_powers((1, 1), [0], [0], [Fraction(shift, unit)])
    return Affine(in_floats(weight), in_floats(bias))
