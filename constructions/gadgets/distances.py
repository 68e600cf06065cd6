"""Networks that compute distances to points: l_inf exactly, the square of l_2 nearly."""

from __future__ import annotations

import math
from typing import Any

import torch
from sympy import Symbol

from ..basics.norms import read_norm
from ..basics.shapes import PerPoint, Rows
from ..linear.affine import Affine
from ..linear.matrix import (
    Block,
    Constant,
    Dense,
    Identity,
    Matrix,
    Unknown,
    column,
    diagonal,
    kron,
    sparse,
)
from ..networks.calculus import affine, compose, copies, delay, parallel
from ..networks.network import ReLUNetwork
from ..networks.owners import CARRIED, owned
from ..networks.statements import implements
from .approximation import UNIT, absolute, maximum, squaring
from .points import read_points

_N, _m = Symbol("N"), Symbol("m")


# whose rows they are, as `explain` prints it
_DIFFERENCES, _SUM, _DISTANCES = "differences from centres", "sum of squares", "distances"


@implements(
    "CGRM (anonymous 2023), Lemma A.4 (l_inf); CGRO (anonymous 2023), Appendix D (l_2)",
    "l_p distances to N points are O(D) (l_inf, exact) and O(D m) (l_2 squared, error D 4^-(m+1)) "
    "parameters each",
)
def distance(centre: Any, norm: Any, m: int | None = None, *, shared: bool = False) -> ReLUNetwork:
    """Build the network that measures the distance from a point of [0,1]^D to given centres.

    Norm inf: ||x - c||_inf, exact where sums of two coordinates are (else its weights are off by at
    most 2^-52), from max(|u|, |v|) = relu(u + v) + relu(u - v) - u on neighbours and a tree of
    maxima. It needs x >= 0.

    Norm 2: the *squared* distance phi, with 0 <= phi - ||x - c||^2 <= D 4^-(m+1), as sum_j f_m(|x_j
    - c_j|) with f_m = `squaring(m)`; or, with `shared`, as sum_j f_m(x_j) - 2 <c, x> + ||c||^2 from
    one set of squares for all centres (there ||c||^2 is rounded up, which adds at most D (D + 1)
    2^-51 to the error).

    Args:
        centre: one centre, shape (D,), or N of them, (N, D), in [0,1].
        norm: inf or 2.
        m: depth of the squaring networks, for norm 2 only.
        shared: whether all centres share their squares, for norm 2 only.

    Returns:
        A `ReLUNetwork` D -> 1 or D -> N.

    Raises:
        ValueError: for a norm other than 2 and inf, centres outside [0,1] or not finite, a missing
            m (l_2), and m or shared given for l_inf.

    Cost: a centre takes, for norm inf, at most 31/4 D + O(1) parameters in max(1, ceil(log2 D))
    layers; for norm 2 7m + 4 parameters a coordinate, or, shared, D + O(1) in all.

    Source: CGRM (anonymous 2023), Lemma A.4 (l_inf); CGRO (anonymous 2023), Appendix D (l_2).

    Example:
        >>> distance([0.25, 0.5, 0.0], "inf")([[0.5, 0.5, 0.125]]).item()
        0.25
        >>> distance([0.25, 0.5], 2, m=8)([[0.5, 0.75]]).item()
        0.125
    """
    p = read_norm(norm)
    points = read_points(centre, "centre")
    if p == math.inf:
        if m is not None or shared:
            raise ValueError(
                f"m and shared apply to norm 2 only, got m={m}, shared={shared} with norm inf"
            )
        return linf_distances(points)
    if m is None:
        raise ValueError("m (the depth of the squaring networks) must be given for norm 2")
    return shared_squared_distances(points, m) if shared else squared_distances(points, m)


def linf_distances(centres: Matrix) -> ReLUNetwork:
    """x -> (||x - c_i||_inf)_i for the rows c_i of `centres` (N x D; entries may be unknown, N
    symbolic, D an integer).
    """
    count, dimension = centres.shape
    pairs, odd = divmod(dimension, 2)
    into = (
        [kron(Identity(pairs), Dense(torch.tensor([[1.0, 1.0], [1.0, -1.0], [1.0, 0.0]])))]
        if pairs
        else []
    )
    out = [kron(Identity(pairs), Dense(torch.tensor([[1.0, 1.0, -1.0]])))] if pairs else []
    if odd:
        into.append(Dense(torch.tensor([[1.0], [-1.0]])))
        out.append(Dense(torch.tensor([[1.0, 1.0]])))
    spread, gather = (
        blocks[0] if len(blocks) == 1 else sparse(diagonal(blocks)) for blocks in (into, out)
    )
    if isinstance(centres, Dense):
        c = centres.entries
        a, b = c[:, 0 : 2 * pairs : 2], c[:, 1 : 2 * pairs : 2]
        last = c[:, 2 * pairs :]
        # filled in place: these are N D numbers
        shifts = torch.zeros(count, spread.shape[0], dtype=torch.float64)
        shifts[:, 0 : 3 * pairs : 3] = -(a + b)
        shifts[:, 1 : 3 * pairs : 3] = b - a
        shifts[:, 3 * pairs :] = torch.cat([-last, last], dim=1)
        first_bias: Matrix = Dense(shifts.reshape(-1, 1), copy=False)
        second_bias: Matrix = Dense(
            torch.cat([a, torch.zeros_like(last)], dim=1).reshape(-1, 1), copy=False
        )
    else:
        # generic numbers where a centre has them, so that the counts of later layers come out right
        one, generic = Unknown(count, 1), torch.arange(1, pairs + 1)
        first_bias = kron(one, column([b for k in range(pairs) for b in (1, 1, 0)] + [1, 1] * odd))
        second_bias = kron(one, column([*generic.tolist(), *[0] * odd]))
    first = Affine(kron(Constant(count, 1), spread), first_bias)
    neighbours = ReLUNetwork(
        (first, Affine(kron(Identity(count), gather), second_bias)), (0.0, math.inf)
    )
    neighbours = owned(neighbours, _DIFFERENCES)
    return compose(copies(count, maximum(pairs + odd)), neighbours, exact=False)


def squared_distances(centres: Matrix, m: int) -> ReLUNetwork:
    """x -> (sum_j f_m(|x_j - c_ij|))_i for the rows of `centres` (N x D, entries may be unknown,
    sizes symbolic).
    """
    count, dimension = centres.shape
    shift = (
        Unknown(count * dimension, 1)
        if not isinstance(centres, Dense)
        else Dense(-centres.entries.reshape(-1, 1), copy=False)
    )
    differences = affine(kron(Constant(count, 1), Identity(dimension)), shift, UNIT)
    squares = copies(count * dimension, compose(squaring(m), absolute()))
    added = owned(affine(kron(Identity(count), Constant(1, dimension))), _DISTANCES)
    return compose(added, squares, owned(differences, _DIFFERENCES))


def shared_squared_distances(centres: Matrix, m: int) -> ReLUNetwork:
    """x -> (sum_j f_m(x_j) - 2 <c_i, x> + ||c_i||^2)_i; ||c_i||^2 is rounded up, so that the values
    are >= 0.
    """
    count, dimension = centres.shape
    squares = compose(owned(affine(Constant(1, dimension)), _SUM), copies(dimension, squaring(m)))
    point = owned(affine(Identity(dimension), domain=UNIT), CARRIED)
    carried = delay(point, m, nonnegative=True)
    both = delay(parallel(squares, carried), 1, nonnegative=True)
    if isinstance(centres, Dense):
        linear: Matrix = Dense(-2 * centres.entries, copy=False)
        norms: Matrix = Dense(squared_norms(centres.entries)[:, None] + shared_rounding(dimension))
    else:
        linear, norms = Unknown(count, dimension), Unknown(count, 1)
    return compose(owned(affine(Block(((Constant(count, 1), linear),)), norms), _DISTANCES), both)


def squared_norms(points: Rows) -> PerPoint:
    """||c||^2 of rows, coordinate by coordinate: a row's value depends neither on the other rows
    nor on the machine.
    """
    total = points.new_zeros(len(points))
    for values in points.T:
        total += values * values
    return total


def shared_rounding(dimension: int) -> float:
    """How much `shared_squared_distances` adds to ||c||^2 so that its rounding (centres in [0,1]^D)
    is on the safe side.
    """
    return dimension * (dimension + 1) * 2.0**-52
