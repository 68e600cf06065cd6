"""Margins of properties as networks: constraints of outputs and inputs behind a network's own
layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import torch

from ..graphs.graph import Graph
from ..graphs.operations import Operations, Value
from ..linear.matrix import Dense, Matrix, column
from ..linear.merging import merged_weights
from ..networks.network import ReLUNetwork
from .properties import Constraint

Rows = Sequence[Sequence[Constraint]]


def margin_network(network: ReLUNetwork, rows: Rows) -> ReLUNetwork:
    """Put linear constraints of inputs and outputs behind a network, as margins.

    The outputs are 0, m_1, ..., m_k, where m_j is the least value of list j, rounded up. The margin
    for label 0 is the least of the -m_j: where it is positive, in each list some constraint fails.
    Constraints are multiplied so that their coefficients are float64; their constants are rounded
    up.

    Args:
        network: D -> K.
        rows: k lists of `Constraint`s.

    Returns:
        A `ReLUNetwork` D -> 1 + k.

    Raises:
        ValueError: where float64 does not hold coefficients.

    Example:
        >>> from constructions import Property, affine
        >>> (part,) = Property(box=([0.0], [1.0]), unsafe=[([[1.0]], [-0.5])]).conjuncts
        >>> margin_network(affine([[1.0]]), [part.constraints])([[0.75]]).tolist()
        [[0.0, 0.25]]
    """
    flat = [row for each in rows for row in each]
    steep, along = (
        torch.zeros(1 + len(flat), network.outputs).double(),
        torch.zeros(1 + len(flat), network.inputs).double(),
    )
    offsets = [Fraction(0)]
    for i, row in enumerate(flat, start=1):
        factor = _factor([v for _, v in (*row.inputs, *row.outputs)])
        for held, entries in ((along, row.inputs), (steep, row.outputs)):
            for k, v in entries:
                held[i, k] = float(v * factor)
        offsets.append(row.offset * factor)
    graph = Graph(network.inputs)
    node = 0
    for layer in network.layers[:-1]:
        node = graph.relu(graph.linear([(node, layer.weight)], layer.bias))
    last = network.layers[-1]
    weight: Matrix | None = merged_weights(Dense(steep), last.weight)
    if weight is None:  # no float64 holds the product: the outputs are carried
        node, weight = graph.linear([(node, last.weight)], last.bias), Dense(steep)
    else:
        bias = [Fraction(v) for v in last.bias.to_dense()[:, 0].tolist()]
        for i, row in enumerate(steep.tolist()):
            offsets[i] += sum((Fraction(v) * bias[k] for k, v in enumerate(row) if v), Fraction(0))
    terms = [(node, weight), *([(0, Dense(along))] if along.any() else [])]
    result = Value(graph.linear(terms, column([_up(v) for v in offsets])), (1 + len(flat),))
    if len(flat) > len(rows):
        operations, at = Operations(graph), 1
        least = [operations.gather([result], torch.tensor([0]))]
        for each in rows:
            parts = [operations.gather([result], torch.tensor([at + i])) for i in range(len(each))]
            at += len(each)
            while len(parts) > 1:
                pairs = [parts[i : i + 2] for i in range(0, len(parts), 2)]
                parts = [operations.minimum(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
            least += parts
        result = operations.move(least, lambda *places: torch.cat(places))
    return ReLUNetwork(tuple(graph.compile(result.node).layers))


def _factor(values: Sequence[Fraction]) -> int:
    """The least positive integer that makes all numbers float64; ValueError if there is none."""
    factor = math.lcm(*(v.denominator // (v.denominator & -v.denominator) for v in values))
    if any(not _is_float(v * factor) for v in values):
        wrong = next(v for v in values if not _is_float(v * factor))
        raise ValueError(
            f"float64 does not hold the coefficient {float(wrong):.17g} of a constraint, nor a "
            f"multiple of all"
        )
    return factor


def _is_float(value: Fraction) -> bool:
    try:
        return Fraction(float(value)) == value
    except OverflowError:
        return False


def _up(value: Fraction) -> float:
    """The least float64 that is not below."""
    nearest = float(value)
    return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)
