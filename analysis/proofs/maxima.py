"""Trees of exact maxima: whether a network is max_j |x_j - c_j|, proved from its weights."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import connected_components

from constructions import ReLUNetwork
from constructions.internal import Corner

from .extremes import extremes
from .quadratic import Quadratic


def maximum_network(count: int, centre: Corner | None = None) -> ReLUNetwork:
    """max_i |x_i - c_i|, or without centre max_i x_i for x >= 0, one value after another: max(p, q)
    = relu(p - q) + q.
    """
    values: np.ndarray = np.eye(count)
    layers = []
    if centre is not None:
        layers.append((np.kron(values, [[1.0], [-1.0]]), np.kron(-centre, [1.0, -1.0])))
        values = np.kron(values, [[1.0, 1.0]])
    while len(values) > 1:
        layers.append(
            (np.concatenate([values[:1] - values[1:2], values[1:]]), np.zeros(len(values)))
        )
        values = np.eye(len(values) - 1, len(values), 1)
        values[0, 0] = 1.0
    return ReLUNetwork.from_layers([*layers, (values, np.zeros(1))])


def is_maximum(network: ReLUNetwork, centre: Corner, lower: Corner, upper: Corner) -> bool:
    """Whether f(x) = max_j |x_j - c_j| on the box is proved, level by level.

    The units of the first layer fall into sets C that share no input. If the second layer reads
    each set through one number g_C = r_C.h_C only, and g_C = factor max_(j in C) |x_j - c_j| +
    shift there, then f is a network of these maxima, one layer shorter, on the ranges that they
    have; and so on, until one number is left.
    """
    # Whole, because it is one proof, level by level.
    layers = [
        (a.weight.to_dense().numpy(), a.bias.to_dense()[:, 0].numpy()) for a in network.layers
    ]
    for k in range(len(layers) - 1, 0, -1):  # units that nothing reads
        read = (layers[k][0] != 0).any(axis=0)
        layers[k] = layers[k][0][:, read], layers[k][1]
        layers[k - 1] = layers[k - 1][0][read], layers[k - 1][1][read]
    points: np.ndarray | None = centre
    proved: dict[Any, tuple[Fraction, Fraction] | None] = {}
    while len(layers) > 1:
        (weight, bias), (following, constants) = layers[:2]
        units, inputs = weight.shape
        i, j = np.nonzero(weight)
        graph = scipy.sparse.coo_array(
            (np.ones(len(i)), (i + inputs, j)), shape=(units + inputs,) * 2
        )
        count, part = connected_components(graph, directed=False)
        columns, shifts, ranges = [], [Fraction(v) for v in constants.tolist()], []
        for label in range(count):
            own, mine = (
                np.flatnonzero(part[:inputs] == label),
                np.flatnonzero(part[inputs:] == label),
            )
            outer = _outer_product(following[:, mine])
            if not 1 <= len(own) <= 2 or outer is None:
                return False
            into, out = outer
            piece = ReLUNetwork.from_layers(
                [(weight[np.ix_(mine, own)], bias[mine]), (out[None], [0.0])]
            )
            known = None if points is None else points[own]
            key = tuple(
                v.tobytes()
                for a in piece.layers
                for v in (a.weight.to_dense().numpy(), a.bias.to_dense().numpy())
            )
            key = (
                *key,
                b"" if known is None else known.tobytes(),
                lower[own].tobytes(),
                upper[own].tobytes(),
            )
            if key not in proved:
                proved[key] = _multiple_of_maximum(piece, known, lower[own], upper[own])
            multiple = proved[key]
            if multiple is None:
                return False
            columns.append([v * multiple[0] for v in into])
            shifts = [s + v * multiple[1] for s, v in zip(shifts, into, strict=True)]
            reach = max(map(abs, [*lower[own].tolist(), *upper[own].tolist()]))
            ranges.append(
                reach if known is None else math.nextafter(reach + np.abs(known).max(), math.inf)
            )
        entries = [v for column in columns for v in column] + shifts
        if any(Fraction(float(v)) != v for v in entries):
            return False
        layers[:2] = [(np.array(columns, dtype=np.float64).T, np.array(shifts, dtype=np.float64))]
        lower, upper, points = np.zeros(count), np.full(count, max(ranges)), None
    weight, bias = layers[0]
    return points is None and weight.tolist() == [[1.0]] and bias.tolist() == [0.0]


def _outer_product(matrix: np.ndarray) -> tuple[list[Fraction], np.ndarray] | None:
    """(u, v) with matrix = u v^T exactly, for a matrix that is not zero, or None."""
    rows = np.flatnonzero((matrix != 0).any(axis=1))
    if len(rows) == 0:
        return None
    out = matrix[rows[0]]
    place = int(np.flatnonzero(out)[0])
    factors = [Fraction(0)] * len(matrix)
    exact = [Fraction(v) for v in out.tolist()]
    for row in rows.tolist():
        values = [Fraction(v) for v in matrix[row].tolist()]
        factors[row] = values[place] / exact[place]
        if values != [factors[row] * v for v in exact]:
            return None
    return factors, out


def _multiple_of_maximum(
    piece: ReLUNetwork, centre: np.ndarray | None, lower: np.ndarray, upper: np.ndarray
) -> tuple[Fraction, Fraction] | None:
    """(factor, shift) with piece = factor max + shift on the whole box, or None. max:
    `maximum_network` of as many values.
    """
    target = maximum_network(piece.inputs, centre)
    ends = [lower, upper, (lower + upper) / 2]
    values, wanted = ([net.exact(x).item() for x in ends] for net in (piece, target))
    other = next((k for k in (1, 2) if wanted[k] != wanted[0]), None)
    if other is None:
        return None
    factor = (values[other] - values[0]) / (wanted[other] - wanted[0])
    rest = extremes(
        [(1, piece), (-factor, target)], Quadratic.of_constant(piece.inputs), lower, upper
    )
    return (factor, rest.minimum) if rest.minimum == rest.maximum else None
