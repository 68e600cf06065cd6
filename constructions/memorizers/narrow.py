"""The narrow memorizer: one point after another, in 3D + 2 units a layer."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from ..basics.ball import Ball, check_ball
from ..basics.norms import norm_name
from ..classifiers.memorizer import fingerprint
from ..gadgets.approximation import UNIT
from ..linear.affine import Affine
from ..linear.matrix import Dense, Sparse, column
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record
from .nearest import on_grid, power_below
from .reading import Data, read_data


@implements(
    "this library; sequential as in Yu, Gao and Zhang 2024 and Egosi, Yehudai and Shamir 2025",
    "any N points are memorized on balls in width 3D + 2: layers carry the input, ask for one "
    "point's box after another, and count from the first hit on",
    "stored: points of all labels but the most frequent; sides: of their boxes, inside [0,1]^D",
    depth="stored + 2",
    units="D*(stored - 1) + sides + 2*stored",
    parameters="D*(stored - 1) + 3*sides + 3*stored + rest",
)
def narrow_memorizer(points: Any, labels: Any, ball: Ball) -> ReLUNetwork:
    """Build a network of width 3D + 2 that has each point's label on its whole ball, for any N.

    Each layer carries x and has two units for each coordinate of one point c, r(x_j - c_j - h) and
    r(c_j - h - x_j), r = relu; the next has the indicator of its box, I = r(1 - (their sum) / t).
    The most frequent label is 0 and its points are not stored; those of 1..C come label by label,
    and one number holds what was found: z = 1 at first, z <- r(z - k I) for points of label k, and
    one more where a label follows another.

    Proof. Boxes hold the balls, so I = 1 on the point's ball; and t is so small that I = 0 on balls
    of other labels, which is checked for every pair. On a ball of label k, z is then k when the
    points of label k begin, 0 from the first hit on (k I = k, and r(0 - k I) = 0 further on), and C
    - k at the end, as C - k labels follow; it is C for label 0, without a hit. So f is *exactly*
    the label for labels -1 and +1, the one-hot row for two classes, and f_y >= f_k + 1 for more, on
    every ball within [0,1]^D.

    What is checked of a stored c and a point c' of another label, v = |c - c'|: in l_inf, sum_j
    r(v_j - 2 h) >= t, as x_j is at most h from c'_j: possible for every radius below half the
    separation, up to the grid's step, to which the radius is rounded up. In l_2, |r(v - h)|_2 >= h
    + t, as the sum of r(v_j - |w_j| - h) is at least the l_2 length of these, which is at least
    |r(v - h)|_2 - |w|_2: for radii up to about 1 / (1 + sqrt D) of the distance, and more where few
    coordinates differ. Centres are rounded as in `nearest_neighbour`, and h is the radius and by
    how much.

    Args:
        points: (N, D) in [0,1]; equal ones count once.
        labels: (N,), -1 and +1, or 0..K-1, each at least once.
        ball: norm and radius.

    Returns:
        A `ReLUNetwork` D -> 1 or D -> K on [0,1]^D.

    Raises:
        ValueError: for shapes that do not fit, points outside [0,1], one label only, equal points
            of different labels, and a ball that is too large, naming the pair.

    Cost: at most 7 D + 3 parameters a stored point, as a box has at most 2 D sides, and rest - D
    more; some 4 D + 3 a stored image with most pixels 0, which have one side. rest = 2 for labels
    -1 and +1, 3 for 0 and 1, 3 K - 4 for K >= 3 classes. Building takes N^2 D operations.

    Source: this library. Robust memorization in width 3D + 1 and depth 2N + 1: Yu, Gao and Zhang
    2024; width O(log N) after a projection: Egosi, Yehudai and Shamir 2025.

    Example:
        >>> f = narrow_memorizer([[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball("inf", 0.2421875))
        >>> f([[0.25, 0.26], [0.492, 0.5], [0.51, 0.5]]).flatten().tolist(), f.size.parameters
        ([1.0, 1.0, -1.0], 17)
    """
    check_ball(ball)
    data = read_data(points, labels)
    centres, bits, moved, half = _on_grid(data, ball)
    kinds, ranks, stored = _order(data)
    room, pair = least_room(centres, ranks, stored, half, ball.p)
    if not room > 0:
        limit = "half the separation" if ball.p == math.inf else "what boxes around l_2 balls tell"
        raise ValueError(
            f"ball radius must be below {limit}: radius {ball.radius!r}, with the "
            f"{float(moved):.2g} by which points are rounded, and rounded up to a multiple of "
            f"2^-{bits}, is too large between points {pair[0]} and {pair[1]} of the distinct ones"
        )
    boxes = [_sides(centres[i], half, bits) for i in stored]
    network = _network(boxes, ranks[stored], float(2**bits / room), data, kinds)
    return record(
        network.restrict(UNIT),
        N=len(centres),
        stored=len(stored),
        sides=sum(len(thresholds) for *_, thresholds in boxes),
        rest=_rest(data),
        half=half / 2**bits,
        norm=norm_name(ball.p),
        data=fingerprint(data.points, data.classes),
    )


def narrow_parameters(data: Data, ball: Ball, apart: float) -> int:
    """The number of parameters of `narrow_memorizer`, without looking at all pairs.

    apart: at most the least distance of points with different labels, in the ball's norm. In l_inf
    the network is right where the least such distance v on the grid has v > 2 h;
    in l_2 where v > (1 + sqrt D) h, as |r(v - h)|_2 >= |v|_2 - sqrt(D) h. Raises ValueError
    elsewhere.
    """
    centres, bits, moved, half = _on_grid(data, ball)
    _, _, stored = _order(data)
    dimension, least = centres.shape[1], (Fraction(apart) - 2 * moved) * 2**bits - 2
    room = least - (2 if ball.p == math.inf else 1) * half
    if room < 0 or (ball.p == 2 and room**2 < dimension * half**2):
        raise ValueError(f"ball must be smaller for what its theorem says of all pairs, got {ball}")
    own = centres[stored]
    sides = int((own + half < 2**bits).sum() + (own - half > 0).sum())
    return dimension * (len(stored) - 1) + 3 * sides + 3 * len(stored) + _rest(data)


def _on_grid(data: Data, ball: Ball) -> tuple[np.ndarray, int, Fraction, int]:
    """Points on the grid, its bits, how far they moved, and h on the grid."""
    centres, bits, moved = on_grid(data.points, ball.p)
    half = min(max(1, math.ceil((Fraction(ball.radius) + moved) * 2**bits)), 2 ** (bits + 1))
    return centres, bits, moved, half


def _order(data: Data) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classes from the most frequent on, each point's place there, and the stored points."""
    kinds = np.argsort(-np.bincount(data.classes, minlength=data.count), kind="stable")
    ranks = np.argsort(kinds)[data.classes]
    order = np.argsort(ranks, kind="stable")
    return kinds, ranks, order[ranks[order] > 0]


def _rest(data: Data) -> int:
    """Parameters of the last layer, and what is left of the others, D a stored point less one."""
    return {1: 2, 2: 3}.get(data.outputs, 3 * data.outputs - 4)


def least_room(
    centres: np.ndarray, ranks: np.ndarray, stored: np.ndarray, half: int, p: float
) -> tuple[Fraction, tuple[int, int]]:
    """The greatest power of two t >= 1, in units of the grid, that all pairs of a stored point and
    one of another label allow, or 0; and the pair that allows least. All are integers < 2^53.
    """
    least, pair = math.inf, (0, 0)
    for i in stored.tolist():
        others = np.flatnonzero(ranks != ranks[i])
        apart = np.abs(centres[others] - centres[i])
        beyond = np.maximum(apart - (2 * half if p == math.inf else half), 0)
        rooms = beyond.sum(1) if p == math.inf else (beyond**2).sum(1)
        k = int(rooms.argmin())
        if rooms[k] < least:
            least, pair = float(rooms[k]), (i, int(others[k]))
    room = int(least) if p == math.inf else math.isqrt(int(least)) - half
    return power_below(Fraction(room)) if room > 0 else Fraction(0), pair


def _sides(centre: np.ndarray, half: int, bits: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(coordinate, sign, bias) of units r(sign x + bias) that are not 0 on all of [0,1]^D."""
    upper, lower = centre + half, centre - half
    above, below = np.flatnonzero(upper < 2**bits), np.flatnonzero(lower > 0)
    signs = np.r_[np.ones(len(above)), -np.ones(len(below))]
    biases = np.r_[-upper[above], lower[below]] * 2.0**-bits
    return np.r_[above, below], signs, biases


def _network(
    boxes: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    labels: np.ndarray,
    scale: float,
    data: Data,
    kinds: np.ndarray,
) -> ReLUNetwork:
    """Layers for one point after another: the carried x, sides, the indicator of the point before,
    and what was found up to the one before that.
    """
    dimension, count = data.points.shape[1], len(boxes)
    layers, inputs, before = [], dimension, 0  # before: sides of the last layer begin there
    for t in range(count + 2):
        rows: list[tuple[np.ndarray, np.ndarray]] = []  # of one unit each: inputs, weights
        columns, weights, biases = [], [], []
        if t < count:
            carried = np.arange(dimension if t < count - 1 else 0)
            places, signs, bias = boxes[t]
            columns += [carried, places]
            weights += [np.ones(len(carried)), signs]
            biases += [np.zeros(len(carried)), bias]
        single = sum(map(len, columns))
        if 1 <= t <= count:
            sides = before + np.arange(len(boxes[t - 1][0]))
            rows.append((sides, np.full(len(sides), -scale)))
            biases.append(np.ones(1))
        if t >= 2:
            k, last = labels[t - 2], labels[t - 3] if t > 2 else 0
            met = inputs - 1 if t == 2 else inputs - 2
            rows.append((np.array([met]), np.array([-float(k)])))
            if t > 2:
                rows[-1] = np.array([met, inputs - 1]), np.array([-float(k), 1.0])
            biases.append(np.array([float(k != last)]))
        lengths = [1] * single + [len(found) for found, _ in rows]
        at = np.repeat(np.arange(len(lengths)), lengths)
        found = np.concatenate([*columns, *(c for c, _ in rows)])
        values = np.concatenate([*weights, *(w for _, w in rows)])
        matrix = Sparse((len(lengths), inputs), *map(torch.from_numpy, (at, found, values)))
        layers.append(Affine(matrix, column(np.concatenate(biases))))
        before = dimension if t < count - 1 else 0
        inputs = len(lengths)
    return ReLUNetwork((*layers, _readout(data.outputs, kinds)))


def _readout(outputs: int, kinds: np.ndarray) -> Affine:
    """From z = C - k to the outputs for label k, of the class kinds[k]: 2 k' k - k'^2 for each k',
    which is largest for k' = k, by 1 or more.
    """
    ranks = np.argsort(kinds).astype(float)
    if outputs == 1:
        sign = 1.0 if kinds[1] else -1.0
        weights, biases = np.array([-2 * sign]), np.array([sign])
    elif outputs == 2:
        weights, biases = 1 - 2 * ranks, ranks
    else:
        weights, biases = -2 * ranks, 2 * ranks * (outputs - 1) - ranks**2
    return Affine(Dense(torch.from_numpy(weights[:, None])), column(biases))
