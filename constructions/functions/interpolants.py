"""Interpolation of Lipschitz functions: on a grid, and from scattered points."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from sympy import Symbol, ceiling, log

from ..exchange.properties import rationals
from ..gadgets.approximation import UNIT, maximum
from ..gadgets.distances import distance
from ..gadgets.points import read_points
from ..linear.matrix import Constant, Identity, Sparse, kron
from ..networks.calculus import affine, compose, copies, delay
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record


@implements(
    "Freudenthal 1942 and Kuhn 1960 (triangulation); He, Li, Xu and Zheng 2020 (hats as networks)",
    "the piecewise-linear interpolant on the Kuhn-Freudenthal triangulation of a grid is a sum of "
    "hats relu(1 + min(0, u) - max(0, u))",
    depth="ceiling(log(D, 2)) + 2",
    units="2*D*steps + vertices*(2*tree + 1)",
)
def kuhn_interpolant(values: Any) -> ReLUNetwork:
    """Build the network that interpolates values on a grid of [0,1]^d linearly on simplices.

    The simplices of the Kuhn-Freudenthal triangulation: one for each cube of the grid {0, 1/N, ...,
    1}^d and each order of the coordinates of N x - floor(N x). With v the grid's points, times N,

        f(x) = sum_v values[v] relu(1 - max_j relu(N x_j - v_j) - max_j relu(v_j - N x_j)).

    Values of a function with Lipschitz constant L are interpolated to within L d / (2 N) (constant
    for l_1), L sqrt(d) / (2 N) (l_2) or L / N (l_inf): f(x) is the mean of values at random
    vertices V with mean x, and coordinate j of N (x - V) has mean absolute value at most 1/2.

    Args:
        values: at (v_1 / N, ..., v_d / N), shape (N + 1, ..., N + 1), N >= 1.

    Returns:
        A `ReLUNetwork` R^d -> R with the domain [0,1]; provenance has the `steps` N, the number of
        `vertices` with a value that is not 0, and the units `tree` of a maximum of d numbers.

    Raises:
        TypeError: for what are no numbers.
        ValueError: for another shape, zeros only, and values that float64 does not hold.

    Cost: depth ceil(log2 d) + 2; 2 d N units, and 2 `tree` + 1 for each vertex, shared hats' first
    layer.

    Source: He, Li, Xu and Zheng 2020 (ReLU deep neural networks and linear finite elements).

    Example:
        >>> network = kuhn_interpolant([[0, 1], [2, 5]])
        >>> network([[1, 1], [0.5, 0.25], [0.25, 0.5]]).flatten().tolist()
        [5.0, 1.75, 1.5]
    """
    shape = np.shape(values)
    if not shape or len({*shape}) > 1 or shape[0] < 2:
        raise ValueError(f"values must have shape (N + 1, ..., N + 1) with N >= 1, got {shape}")
    flat, d, n = rationals(values, "values"), len(shape), shape[0] - 1
    chosen = [(v, y) for v, y in zip(np.ndindex(shape), flat, strict=True) if y]
    if not chosen:
        raise ValueError("values must have one that is not 0")
    count, tree = len(chosen), maximum(d)
    # relu(N x_j - k), k < N, then relu(k - N x_j), k > 0: of each coordinate, by k
    first = affine(
        [[s * n * (i == j) for i in range(d)] for s in (1, -1) for j in range(d) for _ in range(n)],
        [s * -(k + (s < 0)) for s in (1, -1) for _ in range(d) for k in range(n)],
        UNIT,
    )
    places = [
        (2 * d * k + side * d + j, side * d * n + j * n + v[j] - side)
        for k, (v, _) in enumerate(chosen)
        for side in (0, 1)
        for j in range(d)
        if (v[j] > 0 if side else v[j] < n)
    ]
    rows, columns = torch.tensor(places).T
    select = Sparse((2 * d * count, 2 * d * n), rows, columns, torch.ones(len(places)))
    maxima = compose(copies(2 * count, tree), affine(select), delay(first, 1, nonnegative=True))
    sides = kron(Identity(count), Constant(1, 2, -1.0))
    hats = delay(compose(affine(sides, [1] * count), maxima), 1, nonnegative=True)
    network = compose(affine([[y for _, y in chosen]]), hats)
    return record(network.restrict(UNIT), steps=n, vertices=count, tree=tree.size.units)


@implements(
    "McShane 1934",
    "max_i (y_i - L |x - c_i|_inf) is L-Lipschitz and takes the values y_i at c_i",
    depth=Symbol("distance_depth") + Symbol("apart") + ceiling(log(Symbol("N"), 2)),
)
def mcshane(points: Any, values: Any) -> ReLUNetwork:
    """Build the network that interpolates values at points and has the least Lipschitz constant.

    f(x) = max_i (y_i - L |x - c_i|_inf) with L = max |y_i - y_j| / |c_i - c_j|_inf, rounded up to a
    float64: f is L-Lipschitz in the norm inf, and up to that rounding no interpolant has a smaller
    constant. For labels -1 and +1, y_i f >= 1 - L r on the ball of radius r around c_i: right on
    all balls of a radius below 1 / L, which is half the separation up to that rounding.

    Args:
        points: c_i in [0,1], (N, D), distinct; the sums and differences of two coordinates must be
            float64.
        values: y_i, (N,).

    Returns:
        A `ReLUNetwork` R^D -> R with the domain [0,1]; provenance has the constant, `lipschitz`.

    Raises:
        TypeError: for what are no numbers.
        ValueError: for shapes that do not fit, points outside of [0,1] or equal, and numbers that
            float64 does not hold: the Lipschitz constant, sums and differences of coordinates, and
            of a value and an integer below all.

    Cost: N l_inf distances (`distance`) and a `maximum` of N numbers; N^2 pairs are looked at.

    Source: McShane 1934 (Extension of range of functions).

    Example:
        >>> network = mcshane([[0.25, 0.5], [0.75, 0.5]], [1, -1])
        >>> network([[0.25, 0.5], [0.75, 0.5], [0.5, 0.0]]).flatten().tolist()
        [1.0, -1.0, -1.0]
        >>> network.provenance.arguments["lipschitz"]
        4.0
    """
    c = [[Fraction(v) for v in row] for row in read_points(points, "points").entries.tolist()]
    y = rationals(values, "values")
    if len(c) != len(y) or len(c) < 2:
        raise ValueError(f"points and values must be equally many, >= 2, got {len(c)}, {len(y)}")
    lipschitz = Fraction(0)
    for (a, u), (b, v) in itertools.combinations(zip(c, y, strict=True), 2):
        apart = max(abs(s - t) for s, t in zip(a, b, strict=True))
        if not apart:
            raise ValueError(f"points must be distinct, got {[float(v) for v in a]} twice")
        lipschitz = max(lipschitz, abs(u - v) / apart)
    if lipschitz > np.finfo(float).max:
        raise ValueError("values must differ by at most 1.8e308 times the distance of their points")
    slope = float(lipschitz)
    slope = slope if Fraction(slope) >= lipschitz else np.nextafter(slope, np.inf).item()
    floor = int((min(y) - Fraction(slope)) // 1)  # f - floor >= 0, as distances are at most 1
    distances = distance(points, "inf")
    cones = affine(kron(Identity(len(c)), Constant(1, 1, -slope)), [v - floor for v in y])
    values_at = compose(cones, distances)
    network = compose(affine([[1]], [floor]), maximum(len(c)), values_at).restrict(UNIT)
    if [Fraction(v) for v in network.exact(c)[:, 0]] != y:
        raise ValueError("points must have coordinates whose sums and differences float64 holds")
    facts = {"N": len(c), "distance_depth": distances.size.depth, "lipschitz": slope}
    # a layer more where L c_i is no float64, so that the two affine maps stay apart
    return record(network, apart=values_at.size.depth - distances.size.depth, **facts)
