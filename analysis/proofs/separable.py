"""Networks that are sums of parts which share no input: their ranges part by part."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import scipy.sparse
import torch
from scipy.sparse.csgraph import connected_components

from constructions import Affine, ReLUNetwork, Sparse, affine
from constructions.internal import Corner

from .extremes import INPUTS, extremes
from .quadratic import Quadratic
from .range import SupError


def separate(
    network: ReLUNetwork,
    quadratic: Quadratic,
    lower: Corner,
    upper: Corner,
    shorten: bool = True,
) -> SupError:
    """Extremes part by part: with x_0 the lower corner, e(x) = e(x_0) + sum_C (e_C(x_C) - e_C(x_0))
    over the parts C.

    shorten: where parts have too many inputs, try without the last hidden layer, if its units are
    linear on the box.
    """
    parts = _parts(network, quadratic)
    if shorten and any(
        len(inputs) > (2 if quadratic.part(inputs).terms else INPUTS) for inputs, _ in parts
    ):
        shorter = _without_last_relu(network, lower, upper)
        if shorter is not None:
            return separate(shorter, quadratic, lower, upper)
    if len(parts) == 1:
        return extremes([(1, network)], quadratic, lower, upper)
    corner = [Fraction(v) for v in lower.tolist()]
    low = high = network.exact(lower).item() - quadratic(corner)
    minimizer, maximizer = list(corner), list(corner)
    known: dict[Any, tuple[SupError, Fraction]] = {}
    for inputs, part in parts:
        own = quadratic.part(inputs)
        sides = lower[inputs], upper[inputs]
        weights = tuple(
            a.weight.to_dense().numpy().tobytes() + a.bias.to_dense().numpy().tobytes()
            for a in part.layers
        )
        key = (
            part.hidden,
            weights,
            sides[0].tobytes(),
            sides[1].tobytes(),
            tuple(sorted(own.terms.items())),
            own.linear,
        )
        if key not in known:
            base = part.exact(sides[0]).item() - own([corner[i] for i in inputs])
            known[key] = extremes([(1, part)], own, *sides), base
        found, base = known[key]
        low, high = low + found.minimum - base, high + found.maximum - base
        for k, i in enumerate(inputs):
            minimizer[i], maximizer[i] = found.minimizer[k], found.maximizer[k]
    return SupError(low, tuple(minimizer), high, tuple(maximizer))


def _parts(network: ReLUNetwork, quadratic: Quadratic) -> list[tuple[list[int], ReLUNetwork]]:
    """Sets of inputs that no hidden unit and no term mixes, each with the network of what they add
    to the output.

    Two neighbouring units are in one set if the weight between them is not zero; the output only
    adds up.
    """
    starts = np.cumsum([0, network.inputs, *network.hidden])
    tables = []
    for layer in network.layers:
        rows, columns, values = (v.numpy() for v in layer.weight.coordinates())
        keep = values != 0
        tables.append((rows[keep], columns[keep], values[keep]))
    mixed = np.array(list(quadratic.terms), dtype=np.int64).reshape(-1, 2)
    first = [mixed[:, 0], *(columns + starts[k] for k, (_, columns, _) in enumerate(tables[:-1]))]
    second = [mixed[:, 1], *(rows + starts[k + 1] for k, (rows, _, _) in enumerate(tables[:-1]))]
    i, j, nodes = np.concatenate(first), np.concatenate(second), int(starts[-1])
    _, part = connected_components(
        scipy.sparse.coo_array((np.ones(len(i)), (i, j)), shape=(nodes, nodes)), directed=False
    )
    labels, inverse = np.unique(part[: network.inputs], return_inverse=True)
    if len(labels) == 1:
        return [(list(range(network.inputs)), network)]
    place = np.empty(nodes, dtype=np.int64)  # of a unit among those of its layer and part
    for k in range(len(starts) - 1):
        own = part[starts[k] : starts[k + 1]]
        order = np.argsort(own, kind="stable")
        heads = np.flatnonzero(np.diff(own[order], prepend=-1))
        place[starts[k] + order] = np.arange(len(own)) - np.repeat(
            heads, np.diff(np.append(heads, len(own)))
        )
    biases = [layer.bias.to_dense()[:, 0].numpy() for layer in network.layers]
    split = [
        _by_part(part[columns + starts[k]], labels) for k, (_, columns, _) in enumerate(tables)
    ]
    members = [_by_part(part[starts[k] : starts[k + 1]], labels) for k in range(len(starts) - 1)]
    result = []
    for number in range(len(labels)):
        inputs = np.flatnonzero(inverse == number).tolist()
        layers = []
        for k, (rows, columns, values) in enumerate(tables):
            chosen, last = split[k][number], k == len(tables) - 1
            height = 1 if last else len(members[k + 1][number])
            table = np.zeros((height, len(members[k][number])))
            here = (
                np.zeros(len(chosen), dtype=np.int64)
                if last
                else place[rows[chosen] + starts[k + 1]]
            )
            table[here, place[columns[chosen] + starts[k]]] = values[chosen]
            layers.append((table, np.zeros(1) if last else biases[k][members[k + 1][number]]))
        # such an input does nothing from some layer on
        if any(table.size == 0 for table, _ in layers):
            layers = [(np.zeros((1, len(inputs))), np.zeros(1))]
        result.append((inputs, ReLUNetwork.from_layers(layers)))
    return result


def _without_last_relu(
    network: ReLUNetwork, lower: np.ndarray, upper: np.ndarray
) -> ReLUNetwork | None:
    """The same function on the box with one hidden layer less, or None if that is not proved or not
    exact in float64.

    Each unit of the last hidden layer must be >= 0 or <= 0 on the whole box, by its exact range.
    """
    if len(network.layers) == 1:
        return None
    *below, last = network.layers[:-1]
    rows, columns, values = (v.numpy() for v in last.weight.coordinates())
    bias, out = (
        last.bias.to_dense()[:, 0].tolist(),
        network.layers[-1].weight.to_dense()[0].tolist(),
    )
    shift = Fraction(network.layers[-1].bias.to_dense().item())
    merged: dict[int, Fraction] = {}
    for unit in np.flatnonzero(out).tolist():
        mine = rows == unit
        row = Sparse(
            (1, last.weight.shape[1]),
            *map(torch.from_numpy, (rows[mine] * 0, columns[mine], values[mine])),
        )
        part = ReLUNetwork((*below, Affine(row, affine([[1.0]], [bias[unit]]).layers[0].bias)))
        try:
            found = separate(
                part, Quadratic.of_constant(network.inputs), lower, upper, shorten=False
            )
        except ValueError:
            return None
        if found.minimum < 0 < found.maximum:
            return None
        if found.maximum > 0:
            weight = Fraction(out[unit])
            shift += weight * Fraction(bias[unit])
            for j, value in zip(columns[mine].tolist(), values[mine].tolist(), strict=True):
                merged[j] = merged.get(j, Fraction(0)) + weight * Fraction(value)
    if any(Fraction(float(v)) != v for v in (shift, *merged.values())):
        return None
    dense = np.zeros((1, last.weight.shape[1]))
    dense[0, list(merged)] = [float(v) for v in merged.values()]
    return ReLUNetwork((*below, *affine(dense, [float(shift)]).layers))


def _by_part(owner: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """The places of each label, in order."""
    order = np.argsort(owner, kind="stable")
    ends = (
        np.searchsorted(owner[order], labels, side="left"),
        np.searchsorted(owner[order], labels, side="right"),
    )
    return [order[a:b] for a, b in zip(*ends, strict=True)]
