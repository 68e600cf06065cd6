"""The classifier of the nearest point as a network: robust at every radius below half the
separation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist
from sympy import Mod, Symbol, ceiling, log

from ..basics.ball import Ball, check_ball
from ..basics.norms import norm_name
from ..classifiers.memorizer import fingerprint
from ..gadgets.approximation import UNIT, maximum
from ..linear.affine import Affine
from ..linear.matrix import Constant, Dense, Identity, Sparse, column, zeros
from ..nearness.separation import pairs_within, separation
from ..networks.calculus import affine, compose, delay, parallel
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record
from .reading import Data, read_data

TINY = 2.0**-500
"""More than what is lost where squares of moves underflow."""

BLOCK = 2**10
"""Points whose differences from all others are computed at once."""

_K = Symbol("K")
_ONE_HOT = (9 * _K - 12 + Mod(_K, 2)) / 2 + _K * ceiling(log(_K, 2)) + 5 * _K
"""Parameters of the one-hot rows behind the maxima of K classes."""


@implements(
    "this library; the rule is Cover and Hart's (1967)",
    "|x - c|^2 - |x|^2 is affine in x, so the nearest of N points is told by N rows and maxima: "
    "right on l_2 balls of every radius below half the separation, up to a grid of 2^-18 (2^-17 "
    "from D = 2,049 on)",
    depth="levels + top",
    parameters="first + 3*N - 4*classes + odd + delays + head",
)
def nearest_neighbour(points: Any, labels: Any, ball: Ball) -> ReLUNetwork:
    """Build the classifier that gives each place the label of the point nearest to it.

    With a_i(x) = |c_i|^2 - 2 <c_i, x>, which is |x - c_i|^2 - |x|^2, and V_k = max over class k of
    -a_i, two classes have f = clip((V_1 - V_0) / s, -1, 1), K classes the one-hot row of the
    largest V_k, f_k = relu(1 - (max V - V_k) / s). On the closed ball of radius r around c_i, a_j -
    a_i >= d^2 - 2 r d' for a point c_j of another class, d its l_2 distance and d' its distance in
    the dual norm (d' = d in l_2, the l_1 distance for l_inf balls). s is a power of two that all of
    these numbers reach (checked in exact arithmetic), so f is *exactly* the label on every ball,
    within [0,1]^D. In l_2 such s > 0 exists for every r below half the separation.

    Weights must be float64, so the centres are rounded to multiples of 2^-q, q = 23 for D <= 2 and
    18 for D = 784, and the radius grows by the largest change: nothing is lost for dyadic points.
    Each coordinate is measured from its most frequent value, which saves about D weights and more
    for images.

    Args:
        points: (N, D) in [0,1]; equal ones count once.
        labels: (N,), -1 and +1, or 0..K-1, each at least once.
        ball: norm and radius. For l_inf balls it is right where the pairs say so; `f_S` goes
            further there.

    Returns:
        A `ReLUNetwork` D -> 1 or D -> K on [0,1]^D.

    Raises:
        ValueError: for shapes that do not fit, points outside [0,1], one label only, equal points
            of different labels, and a ball that is too large, naming the pair.

    Cost: at most N (D + 1) + 3 N + about 2 log2 N parameters for two classes, depth ceil(log2 N) +
    1. Building takes N^2 D operations and memory N D.

    Source: this library. The rule: Cover and Hart 1967; as a robust classifier, by distances
    between classes, Yang et al. 2020.

    Example:
        >>> f = nearest_neighbour([[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball(2, 0.2421875))
        >>> f([[0.25, 0.5], [0.492, 0.5], [0.51, 0.5]]).flatten().tolist(), f.size.parameters
        ([1.0, 1.0, -1.0], 12)
    """
    check_ball(ball)
    data = read_data(points, labels)
    centres, bits, moved = on_grid(data.points, ball.p)
    gap, pair = least_gap(centres, bits, data.classes, ball.p, Fraction(ball.radius) + moved)
    if not gap > 0:
        limit = "half the separation" if ball.p == 2 else "what l_2 distances decide"
        rounded = f", with the {float(moved):.2g} by which points are rounded," if moved else ""
        raise ValueError(
            f"ball radius must be below {limit}: radius {ball.radius:g}{rounded} is too large "
            f"between points {pair[0]} and {pair[1]} of the distinct ones"
        )
    margin = power_below(gap)
    network, facts = _network(centres, bits, data, margin)
    kept = fingerprint(data.points, data.classes)
    facts |= {"margin": float(margin), "norm": norm_name(ball.p), "data": kept}
    return record(network.restrict(UNIT), **facts)


# -- what is true of the points --------------------------------------------------------------------


def on_grid(points: np.ndarray, p: float) -> tuple[np.ndarray, int, Fraction]:
    """Points of [0,1]^D in multiples of 2^-bits, as float64 integers, and a bound of how far one
    moves in l_p; sums of D products of two such numbers are below 2^49.
    """
    bits = (47 - math.ceil(math.log2(points.shape[1]))) // 2
    integers = np.rint(points * 2.0**bits)
    moved = np.abs(points - integers * 2.0**-bits)  # exact
    if not moved.any():
        return integers, bits, Fraction(0)
    most = moved.max(1) if p == math.inf else np.sqrt((moved**2).sum(1)) * (1 + 2.0**-30) + TINY
    return integers, bits, Fraction(float(most.max()))


def least_gap(
    integers: np.ndarray, bits: int, classes: np.ndarray, p: float, radius: Fraction
) -> tuple[Fraction, tuple[int, int]]:
    """A lower bound of the least d^2 - 2 radius d' over pairs of different classes, and the pair
    that has it; in l_2 the greatest power of two that is one.

    In l_2 the least distance decides, as d^2 - 2 r d grows with d >= r. All distances are exact:
    sums of integers below 2^53.
    """
    reach = 2 * radius * 2**bits  # of integer points
    if p == 2:
        rounded = separation(integers, classes, norm=2).distance * (1 + 2.0**-30)
        near = pairs_within(integers, classes, Ball(2, rounded), same_label=False).pairs
        squares = ((integers[near[:, 0]] - integers[near[:, 1]]) ** 2).sum(1)
        i, j = near[squares.argmin()].tolist()
        return _below(Fraction(float(squares.min())), reach) / 4**bits, (i, j)
    found: list[tuple[Fraction, tuple[int, int]]] = []
    norms = (integers**2).sum(1)
    for start in range(0, len(integers), BLOCK):
        part = integers[start : start + BLOCK]
        squares = norms[start : start + BLOCK, None] + norms - 2 * (part @ integers.T)
        other = classes[start : start + BLOCK, None] != classes
        if not other.any():
            continue
        values = np.where(other, squares - float(reach) * _sums(part, integers), np.inf)
        i, j = divmod(int(values.argmin()), len(integers))
        # three roundings, of numbers that the sizes bound
        slack = 8 * 2.0**-53 * (float(squares.max()) + float(reach) * 2**bits * part.shape[1])
        found.append((Fraction(float(values[i, j])) - Fraction(slack), (start + i, j)))
    least, pair = min(found)
    return least / 4**bits, pair


def _sums(part: np.ndarray, points: np.ndarray) -> np.ndarray:
    """l_1 distances, exact for integers."""
    return np.asarray(cdist(part, points, "cityblock"))


def _below(square: Fraction, reach: Fraction) -> Fraction:
    """For t = sqrt(square), the greatest power of two s <= t^2 - reach t; or 0 where that is <= 0.

    t^2 - s >= reach t is decided by squares.
    """
    if square <= reach**2:
        return Fraction(0)
    value = power_below(square)
    while not (square >= value and (square - value) ** 2 >= reach**2 * square):
        value /= 2
    return value


def power_below(value: Fraction) -> Fraction:
    """The greatest power of two <= value > 0."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    power = Fraction(2) ** exponent
    return power if power <= value else power / 2


# -- the network -----------------------------------------------------------------------------------


def _network(
    centres: np.ndarray, bits: int, data: Data, margin: Fraction
) -> tuple[ReLUNetwork, dict[str, Any]]:
    """Rows, maxima of each class side by side, and the clip or the one-hot rows."""
    counts = np.bincount(data.classes, minlength=data.count).tolist()
    levels = max(1, *(math.ceil(math.log2(n)) for n in counts))
    groups = [np.flatnonzero(data.classes == k) for k in range(data.count)]
    first, values = _rows(centres, bits, groups)
    layers = [first]
    for _ in range(levels - 1):
        weight, values = _pairing(layers[-1].weight.shape[0], values)
        layers.append(Affine(weight, zeros(weight.shape[0], 1)))
    reading = _sparse(values, layers[-1].weight.shape[0])
    tree = ReLUNetwork((*layers, Affine(reading, zeros(data.count, 1))))
    facts = {
        "N": len(centres),
        "classes": data.count,
        "first": first.parameters,
        "levels": levels,
        "odd": sum(n % 2 for n in counts),
        "delays": sum(levels - math.ceil(math.log2(n)) for n in counts),
    }
    if data.outputs == 1:
        scale = float(1 / margin)
        clip = ReLUNetwork.from_layers(
            [([[-scale, scale]] * 2, [1.0, -1.0]), ([[1.0, -1.0]], [-1.0])]
        )
        late = sum(len(value[0]) for value in values)
        return compose(clip, tree), facts | {"top": 1, "head": late + 5}
    k = data.count
    settled = delay(tree, 1, nonnegative=True)
    facts |= {"top": math.ceil(math.log2(k)) + 2, "head": int(_ONE_HOT.subs(_K, k))}
    return compose(_one_hot(k, float(1 / margin)), settled), facts


def _rows(
    centres: np.ndarray, bits: int, groups: Sequence[np.ndarray]
) -> tuple[Affine, list[list[list[int]]]]:
    """The first layer: units relu(b_i - b_j) and relu(b_j) of pairs, b = offset - a - <shift, x> >=
    0 on the cube; and the values of each class as sums of units.
    """
    halves = [np.r_[group[: len(group) % 2], group[len(group) % 2 + 1 :: 2]] for group in groups]
    plain = np.concatenate(halves)
    usual = _most_frequent(centres[plain])
    weights = 2 * (centres - usual) * 2.0**-bits
    squares = (centres**2).sum(1) * 4.0**-bits
    least = np.minimum(weights[plain], 0).sum(1) - squares[plain]
    offsets = 1 - least.min() - squares
    rows, biases, values = [], [], []
    for group in groups:
        single = list(group[: len(group) % 2])
        pairs = list(zip(group[len(single) :: 2], group[len(single) + 1 :: 2], strict=True))
        value = []
        for i, j in pairs:
            rows += [weights[i] - weights[j], weights[j]]
            biases += [squares[j] - squares[i], offsets[j]]
            value.append([len(rows) - 2, len(rows) - 1])
        for i in single:
            rows.append(weights[i])
            biases.append(offsets[i])
            value.append([len(rows) - 1])
        values.append(value)
    return Affine(Dense(torch.from_numpy(np.array(rows)), copy=False), column(biases)), values


def _most_frequent(points: np.ndarray) -> np.ndarray:
    """Of each coordinate, its most frequent value (the least of several)."""
    modes = []
    for values in points.T:
        kinds, counts = np.unique(values, return_counts=True)
        modes.append(kinds[counts.argmax()])
    return np.array(modes)


def _pairing(
    size: int, classes: Sequence[Sequence[list[int]]]
) -> tuple[Sparse, list[list[list[int]]]]:
    """A layer that takes maxima of neighbours in each class; the first of an odd number is carried
    and comes last.
    """
    rows: list[dict[int, float]] = []
    values = []
    for found in classes:
        rest, value = list(found[len(found) % 2 :]), []
        for a, b in zip(rest[::2], rest[1::2], strict=True):
            rows += [dict.fromkeys(a, 1.0) | dict.fromkeys(b, -1.0), dict.fromkeys(b, 1.0)]
            value.append([len(rows) - 2, len(rows) - 1])
        for a in found[: len(found) % 2]:
            rows.append(dict.fromkeys(a, 1.0))
            value.append([len(rows) - 1])
        values.append(value)
    index = [(i, j, w) for i, row in enumerate(rows) for j, w in row.items()]
    i, j, w = zip(*index, strict=True)
    return Sparse((len(rows), size), torch.tensor(i), torch.tensor(j), torch.tensor(w)), values


def _sparse(values: Sequence[Sequence[list[int]]], size: int) -> Sparse:
    """The matrix that adds up the units of each class's value."""
    index = [(k, unit) for k, value in enumerate(values) for unit in value[0]]
    rows, columns = zip(*index, strict=True)
    ones = torch.ones(len(index), dtype=torch.float64)
    return Sparse((len(values), size), torch.tensor(rows), torch.tensor(columns), ones)


def _one_hot(count: int, scale: float) -> ReLUNetwork:
    """Numbers V >= 0 to relu(1 - scale (max V - V_k))."""
    carried = delay(affine(Identity(count)), maximum(count).size.depth, nonnegative=True)
    beside = parallel(maximum(count), carried)
    behind = [[-scale] + [scale * (i == k) for i in range(count)] for k in range(count)]
    last = ReLUNetwork(
        (
            Affine(Dense(torch.tensor(behind, dtype=torch.float64)), Constant(count, 1)),
            Affine(Identity(count), zeros(count, 1)),
        )
    )
    return compose(last, beside)
