"""Networks and queries as files that verifiers read: ONNX graphs, and VNN-LIB 1.0 and 2.0;
`read_property` reads the latter.

>>> from constructions import squaring
>>> same = write_onnx(squaring(3), "square.onnx")
>>> write_vnnlib("square.vnnlib", ([0.25], [0.5]), 1)  # is there an x in [1/4, 1/2] with f(x) <= 0?
>>> print(Path("square.vnnlib").read_text().splitlines()[-1])
(assert (<= Y_0 0.0))
"""

from __future__ import annotations

import os
from fractions import Fraction
from operator import index
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import nn

from ..basics.files import write_file
from ..basics.renamed import renamed
from ..linear.matrix import ENTRY_LIMIT
from ..networks.network import ReLUNetwork, check_network
from .properties import DIGITS, exact_box

OPSET, IR_VERSION = 13, 8
"""Old enough for all verifiers that we know, new enough for float64."""

Version = Literal["1.0", "2.0"]


# -- ONNX ------------------------------------------------------------------------------------------


@renamed("network path dtype")
def write_onnx(
    network: ReLUNetwork | nn.Module,
    path: str | os.PathLike[str],
    *,
    dtype: Literal["float32", "float64"] = "float32",
    round: bool = False,
) -> ReLUNetwork:
    """Write a network to an .onnx file, for other programs to read.

    W h + b is written as Gemm and max(0, h) as Relu, layer by layer. The graph is the plainest
    there is: operator set 13, IR version 8; Gemm without attributes, its matrix stored as (inputs,
    outputs); input "input" of shape [1, D], output "output" of shape [1, K], both of the given
    dtype. Matrices are written dense; the domain is not. The file is written atomically.

    Args:
        network: a `ReLUNetwork`, or a module that `ReLUNetwork.from_module` reads.
        path: where to write, with the suffix .onnx.
        dtype: "float64" always holds the weights exactly; "float32" does if they have 24 bits.
        round: whether weights of more bits are written as the nearest float32.

    Returns:
        What the file holds, the network that a verifier of the file speaks of: the one given; or,
        where `round` changed weights, that of the rounded ones, without provenance.

    Raises:
        ValueError: for another suffix or dtype, a weight that float32 cannot hold (naming layer,
            entry and value; with `round`, only where it would become infinite or 0), more than
            `ENTRY_LIMIT` entries in all, and without the package onnx.
        TypeError: for another kind of network, and for symbolic sizes.

    Example:
        >>> write_onnx(ReLUNetwork.from_layers([([[0.1]], [0.0])]), "tenth.onnx", round=True)(
        ...     [[1.0]]
        ... ).item()
        0.10000000149011612
    """
    # Whole, because it writes one file from beginning to end.
    path = _named(path, ".onnx")
    if not isinstance(network, nn.Module):
        check_network(network)
    network = ReLUNetwork.from_module(network)
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")
    total = network.size.dense_parameters
    if not isinstance(total, int):
        raise TypeError(f"network has symbolic size {total}, so only its counts are known")
    if total > ENTRY_LIMIT:
        raise ValueError(
            f"the network as dense matrices would need {total:,} entries; the limit is "
            f"{ENTRY_LIMIT:,}"
        )
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise ValueError(f"writing {path} needs the package onnx: pip install onnx") from error

    nodes, tensors, rounded, held, value = [], [], False, [], "input"
    for i, layer in enumerate(network.layers):
        exact = layer.weight.to_dense().numpy(), layer.bias.to_dense()[:, 0].numpy()
        weight, bias = (
            _cast(a, dtype, round, f"layer {i}, {name}")
            for a, name in zip(exact, ("weight", "bias"), strict=True)
        )
        rounded = rounded or not (
            np.array_equal(weight, exact[0]) and np.array_equal(bias, exact[1])
        )
        held.append((weight, bias))
        tensors += [
            numpy_helper.from_array(weight.T.copy(), f"weight_{i}"),
            numpy_helper.from_array(bias, f"bias_{i}"),
        ]
        last = i == len(network.layers) - 1
        nodes.append(
            helper.make_node(
                "Gemm",
                [value, f"weight_{i}", f"bias_{i}"],
                ["output" if last else f"z_{i}"],
                f"gemm_{i}",
            )
        )
        if not last:
            nodes.append(helper.make_node("Relu", [f"z_{i}"], [f"h_{i}"], f"relu_{i}"))
        value = f"h_{i}"
    kind = TensorProto.FLOAT if dtype == "float32" else TensorProto.DOUBLE
    ends = ("input", network.inputs), ("output", network.outputs)
    given, result = (helper.make_tensor_value_info(name, kind, [1, size]) for name, size in ends)
    graph = helper.make_graph(nodes, "network", [given], [result], tensors)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(
        graph, producer_name="cgro", opset_imports=[opset], ir_version=IR_VERSION
    )
    write_file(path, model.SerializeToString())
    return ReLUNetwork.from_layers(held, network.domain) if rounded else network


def _cast(exact: np.ndarray, dtype: str, round: bool, what: str) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):  # infinities and zeros are found below
        values = exact.astype(dtype)
    wrong = ~np.isfinite(values) | ((values == 0) & (exact != 0)) if round else values != exact
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        entry, place = float(exact[where]), where if len(where) > 1 else where[0]
        if round:
            lost = "0" if values[where] == 0 else "infinite"
            raise ValueError(
                f"{what}, entry {place}: {entry!r} would become {lost} in {dtype}: write float64"
            )
        hint = "write float64, or allow round=True (cgro export: --float64, --round)"
        raise ValueError(f"{what}, entry {place}: {entry!r} is no {dtype} number: {hint}")
    return values


# -- VNN-LIB ---------------------------------------------------------------------------------------


@renamed(
    "path lower upper target", box=lambda lower, upper: (lower, upper), label=lambda target: target
)
def write_vnnlib(
    path: str | os.PathLike[str],
    box: Any,
    label: int,
    *,
    version: Version = "1.0",
    network: ReLUNetwork | None = None,
) -> None:
    """Write the query "is some x in this box misclassified?" to a .vnnlib file.

    Satisfiable exactly if some x in the box is not classified as y = `label`: y f(x) <= 0
    for one output and a label in {-1, +1}; f_k(x) >= f_y(x) for some k != y for K outputs and a
    label in 0..K-1. A tie counts as misclassified. The file is written atomically.

    Args:
        path: where to write, with the suffix .vnnlib.
        box: (lower, upper), each (D,) floats, integers or Fractions, or one for all inputs;
            written as finite decimals, exactly.
        label: y.
        version: "1.0" has variables X_i and Y_k; "2.0" has X[0,i] and Y[0,k] of the element type
            Real, which asks about the network in exact arithmetic.
        network: if given, says D and K and bounds the box by its domain; without it K is 1.

    Raises:
        ValueError: for another suffix or version, corners that do not fit, are not finite or leave
            no point between them, a label out of range, and a Fraction without a finite decimal
            expansion (a denominator other than 2^a 5^b).
        TypeError: for another kind of network or label.

    Example:
        >>> write_vnnlib("query.vnnlib", ([0.1], [Fraction(1, 2)]), -1)
        >>> print(Path("query.vnnlib").read_text().splitlines()[4])
        (assert (>= X_0 0.1000000000000000055511151231257827021181583404541015625))
    """
    path = _named(path, ".vnnlib")
    if version not in ("1.0", "2.0"):
        raise ValueError(f"version must be '1.0' or '2.0', got {version!r}")
    if network is not None:
        check_network(network)
    sides = exact_box(box, None if network is None else network.inputs)
    inputs = len(sides[0])
    outputs = 1 if network is None else network.outputs
    domain = network.domain if network is not None else None
    for i, (low, high) in enumerate(zip(*sides, strict=True)):
        if domain and not (domain[0] <= low and high <= domain[1]):
            raise ValueError(
                f"the box must lie in the network's domain {list(domain)}, got [{low}, {high}] at "
                f"index {i}"
            )
    try:
        wanted = index(label)
    except TypeError as error:
        raise TypeError(f"label must be an integer, got {label!r}") from error
    if isinstance(label, bool) or wanted not in ([-1, 1] if outputs == 1 else range(outputs)):
        hint = "; pass network for labels of K outputs" if network is None else ""
        raise ValueError(
            f"label must be {'-1 or 1' if outputs == 1 else f'one of 0..{outputs - 1}'}, got "
            f"{label!r}{hint}"
        )
    texts = [
        [_literal(v, f"box[{k}][{i}]") for i, v in enumerate(side)] for k, side in enumerate(sides)
    ]
    x, y = ("X_{}", "Y_{}") if version == "1.0" else ("X[0,{}]", "Y[0,{}]")
    lines = [f"; satisfiable if some x in the box is not classified as {wanted}"]
    if version == "1.0":
        lines += [f"(declare-const {x.format(i)} Real)" for i in range(inputs)]
        lines += [f"(declare-const {y.format(k)} Real)" for k in range(outputs)]
    else:
        declared = (
            f"    (declare-input X Real [1,{inputs}])",
            f"    (declare-output Y Real [1,{outputs}])",
        )
        lines += ["(vnnlib-version <2.0>)", "(declare-network f", *declared, ")"]
    lines.append("")
    for i, (low, high) in enumerate(zip(*texts, strict=True)):
        lines += [f"(assert (>= {x.format(i)} {low}))", f"(assert (<= {x.format(i)} {high}))"]
    if outputs == 1:
        lines.append(f"(assert ({'<=' if wanted == 1 else '>='} {y.format(0)} 0.0))")
    else:
        rivals = (
            f"    (and (>= {y.format(k)} {y.format(wanted)}))"
            for k in range(outputs)
            if k != wanted
        )
        lines += ["(assert (or", *rivals, "))"]
    write_file(path, ("\n".join(lines) + "\n").encode("ascii"))


def _literal(value: Fraction, what: str) -> str:
    """The exact decimal expansion; always with a point: VNN-LIB 2.0 takes 1 for an integer."""
    twos = (value.denominator & -value.denominator).bit_length() - 1
    rest, fives = value.denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        raise ValueError(
            f"{what} must have a finite decimal expansion (a denominator 2^a 5^b), got {value}"
        )
    places, whole = max(twos, fives), abs(value.numerator) // value.denominator
    if places > DIGITS or whole >= 10**DIGITS:
        raise ValueError(
            f"{what} must have at most {DIGITS:,} decimal digits before and after the point"
        )
    fraction = (abs(value) - whole) * 10**places
    digits = str(int(fraction)).rjust(places, "0") if places else "0"
    return f"{'-' if value < 0 else ''}{whole}.{digits}"


# -- files -----------------------------------------------------------------------------------------


def _named(path: str | os.PathLike[str], suffix: str) -> Path:
    path = Path(path)
    if path.suffix != suffix:
        raise ValueError(f"path must end in {suffix}, got {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {path.parent} for {path.name}")
    return path
