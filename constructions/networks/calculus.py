"""Networks from networks: composition, parallel evaluation, copies and delays.

Facing affine maps merge, so composing costs no extra layer, and all matrices keep their structured
form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sympy
import torch

from ..graphs.origin import Errors, no_errors
from ..linear.affine import Affine
from ..linear.matrix import (
    Block,
    Constant,
    Count,
    Dense,
    Identity,
    Matrix,
    column,
    diagonal,
    kron,
    zeros,
)
from ..linear.merging import merged, rounded
from .inheritance import inherited, layer_errors, met, repeated
from .network import ReLUNetwork
from .owners import CARRIED, owners, stacked, times
from .provenance import Owners, Provenance, parts_of


def affine(weight: Any, bias: Any = None, domain: tuple[float, float] | None = None) -> ReLUNetwork:
    """Build the network x -> weight x + bias, without hidden layer.

    Args:
        weight: a `Matrix` or numbers of shape (m, n).
        bias: a one-column `Matrix`, m numbers, or None for zero.
        domain: the closed interval in which every input coordinate must lie (None: all of R).

    Returns:
        A `ReLUNetwork` R^n -> R^m.

    Raises:
        ValueError: for shapes that do not fit and entries that are no finite float64.

    Example:
        >>> affine([[1.0, 2.0]], [3.0])([[1.0, 1.0]]).tolist()
        [[6.0]]
    """
    matrix = weight if isinstance(weight, Matrix) else Dense(weight)
    if bias is None:
        bias = zeros(matrix.shape[0], 1)
    elif not isinstance(bias, Matrix):
        bias = column(bias)
    return ReLUNetwork((Affine(matrix, bias),), domain)


def compose(*networks: ReLUNetwork, exact: bool = True) -> ReLUNetwork:
    """Put networks one after the other, f_1 o f_2 o ... o f_n: the last argument acts first.

    Depths add where float64 holds the product of the facing affine maps, as for weights that are
    powers of two. Elsewhere the values between are carried by one more layer, two units each, so
    that the result is the composition exactly. Where a network was rounded when it was read, the
    result has an `origin` with bounds of what that does to each layer, so that it is taken off what
    is proved; so have results of `parallel`, `copies`, `delay` and `add`.

    Args:
        *networks: f_1, ..., f_n.
        exact: False multiplies in float64 even where that rounds: for constructions whose
            statements bound what is rounded.

    Returns:
        A `ReLUNetwork` on the domain of f_n.

    Raises:
        ValueError: for no networks, and where the output dimension of one does not fit the input
            dimension of the next.

    Example:
        >>> compose(affine([[2.0]]), affine([[1.0]], [3.0]))([[1.0]]).item()
        8.0
        >>> lost = compose(
        ...     affine([[1.0, 1.0, 1.0]], [0.5]), affine([[-(2.0**60)], [-1.0], [2.0**60]])
        ... )
        >>> lost.exact([1.0]), lost.size.depth
        (array([Fraction(-1, 2)], dtype=object), 1)
    """
    if not networks:
        raise ValueError("compose needs at least one network")
    result, errors, rows = networks[-1], layer_errors(networks[-1]), owners(networks[-1])
    for outer in reversed(networks[:-1]):  # from the inside: the other association loses structure
        if outer.inputs != result.outputs:
            raise ValueError(
                f"cannot compose: the outer network takes {outer.inputs} numbers, the inner gives "
                f"{result.outputs}"
            )
        facing, last = outer.layers[0], result.layers[-1]
        between = merged(facing, last) if exact else rounded(facing, last)
        middle = (between,) if between is not None else _carried(facing, last)
        own, *later = layer_errors(outer)
        errors = (*errors[:-1], *met(facing, own, last, errors[-1], len(middle), exact), *later)
        twice = (tuple((name, 2 * height) for name, height in rows[-1]),) * (len(middle) - 1)
        rows = (*rows[:-1], *twice, *owners(outer))
        result = ReLUNetwork((*result.layers[:-1], *middle, *outer.layers[1:]), result.domain)
    return _composed("compose", result, errors, rows, *networks)


def parallel(*networks: ReLUNetwork) -> ReLUNetwork:
    """Put networks side by side on a shared input, x -> (f_1(x), ..., f_n(x)).

    Shallower ones are delayed (signed) to equal depth.

    Args:
        *networks: f_1, ..., f_n, of one input dimension.

    Returns:
        A `ReLUNetwork` on the intersection of their domains.

    Raises:
        ValueError: for no networks and for different input dimensions.

    Example:
        >>> both = parallel(
        ...     affine([[2.0]]), ReLUNetwork.from_layers([([[1.0]], [0.0]), ([[1.0]], [0.0])])
        ... )
        >>> both([[-3.0]]).tolist()
        [[-6.0, 0.0]]
    """
    if not networks:
        raise ValueError("parallel needs at least one network")
    if any(network.inputs != networks[0].inputs for network in networks):
        raise ValueError(
            f"parallel networks must share their input, got input dimensions "
            f"{[n.inputs for n in networks]}"
        )
    if len(networks) == 1:
        return networks[0]
    depth = max(len(network.layers) for network in networks)
    aligned = [delay(network, depth - len(network.layers)) for network in networks]
    layers, errors = [], []
    rows = tuple(map(stacked, zip(*map(owners, aligned), strict=True)))
    for level in range(depth):
        maps = [network.layers[level] for network in aligned]
        layers.append(Affine(*_beside(maps, level)))
        off = [layer_errors(network)[level] for network in aligned]
        whole = [e or no_errors(layer) for e, layer in zip(off, maps, strict=True)]
        errors.append(Errors(*_beside(whole, level)) if any(off) else None)
    domains = [network.domain for network in networks if network.domain]
    domain = (max(d[0] for d in domains), min(d[1] for d in domains)) if domains else None
    return _composed("parallel", ReLUNetwork(tuple(layers), domain), errors, rows, *networks)


def copies(count: Count, network: ReLUNetwork) -> ReLUNetwork:
    """Apply one network to several inputs, (x_1, ..., x_count) -> (f(x_1), ..., f(x_count)).

    Every layer becomes I (x) the layer, which stores no more numbers.

    Args:
        count: how many, an integer or a SymPy expression.
        network: f.

    Returns:
        A `ReLUNetwork` with count times the inputs and outputs.

    Raises:
        ValueError: unless count is an integer >= 1 or symbolic.

    Example:
        >>> copies(3, affine([[1.0, 1.0]]))([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]).tolist()
        [[3.0, 7.0, 11.0]]
    """
    if not isinstance(count, sympy.Basic) and (not isinstance(count, int) or count < 1):
        raise ValueError(f"count must be an integer >= 1, got {count!r}")
    layers = tuple(
        Affine(kron(Identity(count), a.weight), kron(Constant(count, 1), a.bias))
        for a in network.layers
    )
    errors = [repeated(error, count) for error in layer_errors(network)]
    rows = tuple(times(count, each) for each in owners(network))
    made_of = Provenance(None, {}, parts_of(network, count=count), rows)
    origin = inherited(f"copies {count}", layers, errors, [network])
    return ReLUNetwork(layers, network.domain, made_of, origin=origin)


def delay(network: ReLUNetwork, layers: int, *, nonnegative: bool = False) -> ReLUNetwork:
    """Add hidden layers that only carry the output: the same function, deeper.

    A signed output takes two units a layer and output (its positive and negative part), one known
    to be >= 0 only one.

    Args:
        network: what is delayed.
        layers: how many hidden layers are added.
        nonnegative: whether all outputs are known to be >= 0; wrongly given, it changes the
            function.

    Returns:
        A `ReLUNetwork`.

    Raises:
        ValueError: for layers < 0.

    Example:
        >>> later = delay(affine([[1.0]]), 3)
        >>> later.size.depth, later([[-2.0]]).item()
        (3, -2.0)
    """
    if layers < 0:
        raise ValueError(f"layers must be >= 0, got {layers}")
    if layers == 0:
        return network
    outputs, each = network.outputs, 1 if nonnegative else 2
    split = (
        Identity(outputs)
        if nonnegative
        else kron(Identity(outputs), Dense(torch.tensor([[1.0], [-1.0]])))
    )
    join = (
        Identity(outputs)
        if nonnegative
        else kron(Identity(outputs), Dense(torch.tensor([[1.0, -1.0]])))
    )
    units = split.shape[0]
    carry = (Affine(Identity(units), zeros(units, 1)),) * (layers - 1)
    hold = ReLUNetwork((Affine(split, zeros(units, 1)), *carry, Affine(join, zeros(outputs, 1))))
    # the first of them merges with the network's last layer, and belongs to the same parts
    first = tuple((name, each * rows) for name, rows in owners(network)[-1])
    later = (((CARRIED, units),),) * (layers - 1)
    held = Provenance(None, {}, (), (first, *later, ((CARRIED, outputs),)))
    return compose(replace(hold, provenance=held), network)


def add(*networks: ReLUNetwork) -> ReLUNetwork:
    """Add up networks, x -> f_1(x) + ... + f_n(x).

    Args:
        *networks: f_1, ..., f_n, of equal input and output dimensions.

    Returns:
        A `ReLUNetwork` on the intersection of their domains.

    Raises:
        ValueError: for no networks and for different dimensions.

    Example:
        >>> add(affine([[1.0]]), affine([[2.0]], [1.0]))([[1.0]]).item()
        4.0
    """
    if not networks:
        raise ValueError("add needs at least one network")
    if any(network.outputs != networks[0].outputs for network in networks):
        raise ValueError(
            f"networks to add must have equal output dimensions, got "
            f"{[n.outputs for n in networks]}"
        )
    row = Block((tuple(Identity(network.outputs) for network in networks),))
    return compose(affine(row), parallel(*networks))


def _carried(outer: Affine, inner: Affine) -> tuple[Affine, Affine]:
    """Two layers, of positive and negative parts, for the map outer o inner."""
    size = inner.weight.shape[0]
    split = Affine(kron(Identity(size), Dense(torch.tensor([[1.0], [-1.0]]))), zeros(2 * size, 1))
    join = kron(Identity(size), Dense(torch.tensor([[1.0, -1.0]])))
    return rounded(split, inner), Affine(outer.weight @ join, outer.bias)


def _beside(maps: Sequence[Affine | Errors], level: int) -> tuple[Matrix, Matrix]:
    """Weight and bias of maps of one input (level 0), or of one input each."""
    weights = [map.weight for map in maps]
    bias = Block(tuple((map.bias,) for map in maps))
    return diagonal(weights) if level else Block(tuple((w,) for w in weights)), bias


def _composed(
    how: str,
    result: ReLUNetwork,
    errors: Sequence[Errors | None],
    rows: tuple[Owners, ...],
    *networks: ReLUNetwork,
) -> ReLUNetwork:
    found = parts_of(*networks)
    named = any(network.provenance and network.provenance.rows for network in networks)
    made_of = Provenance(None, {}, found, rows) if found or named else None
    origin = inherited(how, result.layers, errors, networks)
    return ReLUNetwork(result.layers, result.domain, made_of, origin=origin)
