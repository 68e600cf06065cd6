"""Networks and queries as files that other verifiers read: ONNX graphs, and VNN-LIB 1.0 and 2.0.

>>> from constructions import squaring
>>> same = write_onnx(squaring(3), "square.onnx")
>>> write_vnnlib("square.vnnlib", [0.25], [0.5], 1)             # is there an x in [1/4, 1/2] with f(x) <= 0?
>>> read_vnnlib("square.vnnlib").label
1
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from operator import index
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
from torch import nn

from .files import write_file
from .matrix import ENTRY_LIMIT
from .network import ReLUNetwork, check_network

OPSET, IR_VERSION = 13, 8
"""Old enough for all verifiers that we know, new enough for float64."""

DIGITS = 4000
"""Most decimal digits before and after the point of a literal (float64 needs at most 309 and 1074)."""

Version = Literal["1.0", "2.0"]


# -- ONNX --------------------------------------------------------------------------------------------------------------


def write_onnx(
    network: ReLUNetwork | nn.Module,
    path: str | os.PathLike[str],
    dtype: Literal["float32", "float64"] = "float32",
    *,
    round: bool = False,
) -> ReLUNetwork:
    """Write h -> W h + b as Gemm and max(0, h) as Relu, layer by layer, to an .onnx file; returns what the file holds.

    network: a `ReLUNetwork`, or a module that `ReLUNetwork.from_module` reads. The graph is the plainest there is: operator
    set 13, IR version 8; Gemm without attributes, its matrix stored as (inputs, outputs); input "input" of shape [1, D],
    output "output" of shape [1, K], both of the given dtype. Matrices are written dense; the domain is not.

    dtype: float64 always holds the weights exactly. float32 does if they have 24 bits; where one has more, `round=True`
    writes the nearest float32, and the network returned, of rounded weights and without provenance, is the one that a
    verifier of the file speaks of. Otherwise the network returned is the one given. The file is written atomically.

    Raises ValueError for another suffix or dtype, a weight that float32 cannot hold (naming layer, entry and value; with
    `round`, only where it would become infinite or 0), and more than `ENTRY_LIMIT` entries in all; TypeError for another
    kind of network and for symbolic sizes.

    >>> write_onnx(ReLUNetwork.from_layers([([[0.1]], [0.0])]), "tenth.onnx", round=True)([[1.0]]).item()
    0.10000000149011612
    """
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
        raise ValueError(f"the network as dense matrices would need {total:,} entries; the limit is {ENTRY_LIMIT:,}")
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise ValueError(f"writing {path} needs the package onnx: pip install onnx") from error

    nodes, tensors, rounded, held, value = [], [], False, [], "input"
    for i, layer in enumerate(network.layers):
        exact = layer.weight.to_dense().numpy(), layer.bias.to_dense()[:, 0].numpy()
        weight, bias = (_cast(a, dtype, round, f"layer {i}, {name}") for a, name in zip(exact, ("weight", "bias"), strict=True))
        rounded = rounded or not (np.array_equal(weight, exact[0]) and np.array_equal(bias, exact[1]))
        held.append((weight, bias))
        tensors += [numpy_helper.from_array(weight.T.copy(), f"weight_{i}"), numpy_helper.from_array(bias, f"bias_{i}")]
        last = i == len(network.layers) - 1
        nodes.append(
            helper.make_node("Gemm", [value, f"weight_{i}", f"bias_{i}"], ["output" if last else f"z_{i}"], f"gemm_{i}")
        )
        if not last:
            nodes.append(helper.make_node("Relu", [f"z_{i}"], [f"h_{i}"], f"relu_{i}"))
        value = f"h_{i}"
    kind = TensorProto.FLOAT if dtype == "float32" else TensorProto.DOUBLE
    ends = ("input", network.inputs), ("output", network.outputs)
    given, result = (helper.make_tensor_value_info(name, kind, [1, size]) for name, size in ends)
    graph = helper.make_graph(nodes, "network", [given], [result], tensors)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, producer_name="cgro", opset_imports=[opset], ir_version=IR_VERSION)
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
            raise ValueError(f"{what}, entry {place}: {entry!r} would become {lost} in {dtype}: write float64")
        hint = "write float64, or allow round=True (cgro export: --float64, --round)"
        raise ValueError(f"{what}, entry {place}: {entry!r} is no {dtype} number: {hint}")
    return values


# -- VNN-LIB: writing --------------------------------------------------------------------------------------------------


def write_vnnlib(
    path: str | os.PathLike[str],
    lower: Any,
    upper: Any,
    target: int,
    *,
    version: Version = "1.0",
    network: ReLUNetwork | None = None,
) -> None:
    """Write the query "is there an x in the box [lower, upper] that f does not classify as `target`?" to a .vnnlib file.

    Satisfiable exactly if there is one: y f(x) <= 0 for one output and label y = target in {-1, +1}; f_k(x) >= f_y(x) for
    some k != y for K outputs and label y = target in 0..K-1. A tie counts as misclassified.

    lower, upper: (D,) floats, integers or Fractions; written as finite decimals, exactly. version: "1.0" has variables X_i
    and Y_k; "2.0" has X[0,i] and Y[0,k] of the element type Real, which asks about the network in exact arithmetic.
    network: if given, says D and K and bounds the box by its domain; without it K is 1. The file is written atomically.

    Raises ValueError for another suffix or version, sides that do not fit, are not finite or leave no point between them,
    a label out of range, and a Fraction without a finite decimal expansion (a denominator other than 2^a 5^b); TypeError
    for another kind of network or label.

    >>> write_vnnlib("query.vnnlib", [0.1], [Fraction(1, 2)], -1)
    >>> print(Path("query.vnnlib").read_text().splitlines()[4])
    (assert (>= X_0 0.1000000000000000055511151231257827021181583404541015625))
    """
    path = _named(path, ".vnnlib")
    if version not in ("1.0", "2.0"):
        raise ValueError(f"version must be '1.0' or '2.0', got {version!r}")
    if network is not None:
        check_network(network)
    box = [_rationals(lower, "lower"), _rationals(upper, "upper")]
    inputs = len(box[0]) if network is None else network.inputs
    outputs = 1 if network is None else network.outputs
    for name, side in zip(("lower", "upper"), box, strict=True):
        if len(side) != inputs or not side:
            raise ValueError(f"{name} must hold {inputs} numbers and at least one, got {len(side)}")
    for i, (low, high) in enumerate(zip(*box, strict=True)):
        if low > high:
            raise ValueError(f"lower must not exceed upper, got {low} > {high} at index {i}")
    domain = network.domain if network is not None else None
    for i, (low, high) in enumerate(zip(*box, strict=True)):
        if domain and not (domain[0] <= low and high <= domain[1]):
            raise ValueError(f"the box must lie in the network's domain {list(domain)}, got [{low}, {high}] at index {i}")
    try:
        label = index(target)
    except TypeError as error:
        raise TypeError(f"target must be an integer, got {target!r}") from error
    if isinstance(target, bool) or label not in ([-1, 1] if outputs == 1 else range(outputs)):
        hint = "; pass network for labels of K outputs" if network is None else ""
        raise ValueError(f"target must be {'-1 or 1' if outputs == 1 else f'one of 0..{outputs - 1}'}, got {target!r}{hint}")
    texts = [[_literal(v, f"{name}[{i}]") for i, v in enumerate(s)] for name, s in zip(("lower", "upper"), box, strict=True)]
    x, y = ("X_{}", "Y_{}") if version == "1.0" else ("X[0,{}]", "Y[0,{}]")
    lines = [f"; satisfiable if some x in the box is not classified as {label}"]
    if version == "1.0":
        lines += [f"(declare-const {x.format(i)} Real)" for i in range(inputs)]
        lines += [f"(declare-const {y.format(k)} Real)" for k in range(outputs)]
    else:
        declared = f"    (declare-input X Real [1,{inputs}])", f"    (declare-output Y Real [1,{outputs}])"
        lines += ["(vnnlib-version <2.0>)", "(declare-network f", *declared, ")"]
    lines.append("")
    for i, (low, high) in enumerate(zip(*texts, strict=True)):
        lines += [f"(assert (>= {x.format(i)} {low}))", f"(assert (<= {x.format(i)} {high}))"]
    if outputs == 1:
        lines.append(f"(assert ({'<=' if label == 1 else '>='} {y.format(0)} 0.0))")
    else:
        rivals = (f"    (and (>= {y.format(k)} {y.format(label)}))" for k in range(outputs) if k != label)
        lines += ["(assert (or", *rivals, "))"]
    write_file(path, ("\n".join(lines) + "\n").encode("ascii"))


def _rationals(values: Any, name: str) -> list[Fraction]:
    result = []
    for i, value in enumerate(
        np.asarray(values, dtype=object).reshape(-1) if not hasattr(values, "tolist") else values.tolist()
    ):
        number = value.item() if isinstance(value, np.generic) else value
        if isinstance(number, bool) or not isinstance(number, (int, float, Fraction)):
            raise TypeError(f"{name} must be a row of floats, integers or Fractions, got {value!r} at index {i}")
        if isinstance(number, float) and not np.isfinite(number):
            raise ValueError(f"{name} must be finite, got {number} at index {i}")
        result.append(Fraction(number))
    return result


def _literal(value: Fraction, what: str) -> str:
    """The exact decimal expansion; always with a point, since VNN-LIB 2.0 takes 1 for an integer."""
    twos = (value.denominator & -value.denominator).bit_length() - 1
    rest, fives = value.denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        raise ValueError(f"{what} must have a finite decimal expansion (a denominator 2^a 5^b), got {value}")
    places, whole = max(twos, fives), abs(value.numerator) // value.denominator
    if places > DIGITS or whole >= 10**DIGITS:
        raise ValueError(f"{what} must have at most {DIGITS:,} decimal digits before and after the point")
    fraction = (abs(value) - whole) * 10**places
    digits = str(int(fraction)).rjust(places, "0") if places else "0"
    return f"{'-' if value < 0 else ''}{whole}.{digits}"


# -- VNN-LIB: reading --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class VnnlibQuery:
    """The query "is there an x in the box [lower, upper] that f does not classify as `label`?", as `write_vnnlib` states it.

    lower, upper: exact. label: -1 or +1 for one output, else 0..outputs-1. version: of the file, "1.0" or "2.0".

    >>> VnnlibQuery((Fraction(0),), (Fraction(1),), 1).violated([Fraction(-1, 3)])
    True
    """

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    label: int
    outputs: int = 1
    version: Version = "1.0"

    def violated(self, values: Any) -> bool:
        """Whether outputs (K,) satisfy the query: y f <= 0, or f_k >= f_y for some k != y."""
        if self.outputs == 1:
            return bool(self.label * values[0] <= 0)
        return any(bool(value >= values[self.label]) for k, value in enumerate(values) if k != self.label)


def read_vnnlib(path: str | os.PathLike[str]) -> VnnlibQuery:
    """Read a VNN-LIB 1.0 or 2.0 file of the kind that `write_vnnlib` writes; nothing in it is executed.

    Every input has one lower and one upper bound, in any order; one assertion is about the outputs. Numbers are plain
    decimals and are taken exactly. Raises FileNotFoundError, or ValueError that names file, line and token.

    >>> write_vnnlib("query.vnnlib", [0.1, 0.0], [0.1, 1.0], -1, version="2.0")
    >>> query = read_vnnlib("query.vnnlib")
    >>> query.lower[0] == Fraction(0.1), query.upper[1], query.label
    (True, Fraction(1, 1), -1)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    return _Reader(path).query()


@dataclass(frozen=True)
class _Atom:
    text: str
    line: int


@dataclass(frozen=True)
class _List:
    line: int
    items: list[Any] = field(default_factory=list)  # of _Atom and _List

    @property
    def text(self) -> str:
        head = self.items[0] if self.items else None
        return f"({head.text} ...)" if isinstance(head, _Atom) else "(...)"


_Node = _Atom | _List
_Term = Fraction | tuple[str, int]

NUMBER = re.compile(rf"-?[0-9]{{1,{DIGITS}}}(\.[0-9]{{1,{DIGITS}}})?")
VARIABLE = {"1.0": re.compile(r"([XY])_(0|[1-9][0-9]{0,8})"), "2.0": re.compile(r"([XY])\[0,(0|[1-9][0-9]{0,8})\]")}
SHAPE = re.compile(r"(?:Real|float32|float64)\[1,([1-9][0-9]{0,8})\]")


class _Reader:
    """One file as it is read: the variables declared so far, the bounds, and what is asked of the outputs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.version: Version = "1.0"
        self.sizes = {"X": 0, "Y": 0}
        self.declared: set[tuple[str, int]] = set()
        self.bounds: dict[str, dict[int, Fraction]] = {"lower": {}, "upper": {}}
        self.rivals: list[tuple[_Term, _Term]] = []  # pairs (a, b): a >= b
        self.asserted = False
        self.end = 1

    def fail(self, rule: str, node: _Node) -> NoReturn:
        text = node.text if len(node.text) <= 60 else f"{node.text[:60]}..."
        raise ValueError(f"{self.path}, line {node.line}: {rule}, got {text!r}")

    # -- text ----------------------------------------------------------------------------------------------------------

    def tokens(self) -> Iterator[_Atom]:
        data = self.path.read_bytes()
        try:
            lines = data.decode("utf-8").split("\n")
        except UnicodeDecodeError as error:
            wrong = _Atom(f"\\x{data[error.start]:02x}", data[: error.start].count(b"\n") + 1)
            self.fail("must be UTF-8 text", wrong)
        for number, line in enumerate(lines, start=1):
            self.end = number
            for match in re.finditer(r"[()\[\],]|[^\s()\[\],]+", line.split(";")[0]):
                yield _Atom(match[0], number)

    def expressions(self) -> list[_Node]:
        """The file as nested lists; an index or shape becomes part of the name before it: X [0, 1] is X[0,1]."""
        stack, tokens = [_List(1)], self.tokens()
        for token in tokens:
            items = stack[-1].items
            match token.text:
                case "(":
                    stack.append(_List(token.line))
                case ")":
                    if len(stack) == 1:
                        self.fail("closes a parenthesis that is not open", token)
                    done = stack.pop()
                    stack[-1].items.append(done)
                case "[":
                    if not items or not isinstance(items[-1], _Atom):
                        self.fail("an index must follow a name", token)
                    parts: list[str] = ["["]
                    while parts[-1] != "]":
                        following = next(tokens, None)
                        if following is None or not re.fullmatch(r"[0-9]{1,9}|[,\]]", following.text):
                            self.fail("an index must be numbers, commas and ]", following or _Atom("end of file", self.end))
                        parts.append(following.text)
                    items[-1] = _Atom(items[-1].text + "".join(parts), items[-1].line)
                case "]" | ",":
                    self.fail("must stand within an index", token)
                case _:
                    items.append(token)
        if len(stack) > 1:
            self.fail("a parenthesis is never closed", _Atom(stack[-1].text, stack[-1].line))
        return stack[0].items

    # -- meaning -------------------------------------------------------------------------------------------------------

    def query(self) -> VnnlibQuery:
        for i, node in enumerate(self.expressions()):
            match self.parts(node):
                case ["vnnlib-version", _Atom("<2.0>")] if i == 0:
                    self.version = "2.0"
                case ["declare-const" | "declare-network", *_] if self.asserted:
                    self.fail("declarations must come before assertions", node)
                case ["declare-const", _Atom() as name, _Atom("Real")] if self.version == "1.0":
                    self.declare(name)
                case ["declare-network", _Atom(), _List() as given, _List() as result] if self.version == "2.0":
                    self.declare_tensor(given, "declare-input", "X")
                    self.declare_tensor(result, "declare-output", "Y")
                case ["assert", _List() as condition]:
                    self.asserted = True
                    self.state(condition)
                case [str() as head, *_]:
                    rule = "must be (assert (...)), or a declaration as this version has it, in full and at its place"
                    self.fail(rule, _Atom(f"({head} ...)", node.line))
                case _:
                    self.fail("must be a declaration or an assertion", node)
        return self.result()

    def parts(self, node: _Node) -> list[Any]:
        """The items of a list, its head as a string; [] if there is none."""
        if isinstance(node, _List) and node.items and isinstance(node.items[0], _Atom):
            return [node.items[0].text, *node.items[1:]]
        return []

    def declare(self, name: _Atom) -> None:
        match = VARIABLE["1.0"].fullmatch(name.text)
        if not match:
            self.fail("a variable must be named X_0, X_1, ... or Y_0, Y_1, ...", name)
        variable = (match[1], int(match[2]))
        if variable in self.declared:
            self.fail("a variable must be declared once only", name)
        self.declared.add(variable)
        self.sizes[variable[0]] += 1

    def declare_tensor(self, node: _List, keyword: str, name: str) -> None:
        match self.parts(node):
            case [head, _Atom(text), _Atom() as kind] if head == keyword and text == name:
                shape = SHAPE.fullmatch(kind.text)
                if not shape:
                    self.fail("a tensor must be Real, float32 or float64 of shape [1,n]", kind)
                if self.sizes[name]:
                    self.fail(f"{name} must be declared once only", node)
                self.sizes[name] = int(shape[1])
            case _:
                self.fail(f"must be ({keyword} {name} Real [1,n])", node)

    def state(self, condition: _List) -> None:
        """An assertion: one bound of an input, or all that is asked of the outputs."""
        if self.parts(condition)[:1] == ["or"]:
            pairs = [self.comparison(self.inner(node)) for node in condition.items[1:]]
        else:
            pairs = [self.comparison(condition)]
            match pairs[0]:
                case (("X", int(i)), Fraction() as value):
                    self.bound("lower", i, value, condition)
                    return
                case (Fraction() as value, ("X", int(i))):
                    self.bound("upper", i, value, condition)
                    return
        if any(isinstance(term, tuple) and term[0] == "X" for pair in pairs for term in pair):
            self.fail("an input must be compared with a number, and on its own", condition)
        if self.rivals:
            self.fail("one assertion must hold all conditions on the outputs; this is another one", condition)
        self.rivals = pairs
        self.check_rivals(condition)

    def inner(self, node: _Node) -> _Node:
        match self.parts(node):
            case ["and", only]:
                return only
            case ["and", *_]:
                self.fail("an alternative must be one comparison", node)
        return node

    def comparison(self, node: _Node) -> tuple[_Term, _Term]:
        head, *terms = self.parts(node) or [""]
        if head not in (">=", "<=") or len(terms) != 2:
            self.fail("must be a comparison (>= a b) or (<= a b)", node)
        a, b = (self.term(term) for term in terms)
        return (a, b) if head == ">=" else (b, a)

    def term(self, node: _Node) -> _Term:
        if isinstance(node, _Atom) and NUMBER.fullmatch(node.text):
            return Fraction(node.text)
        match = VARIABLE[self.version].fullmatch(node.text)
        if not match:
            self.fail("must be a variable or a plain decimal number", node)
        name, index = match[1], int(match[2])
        if (name, index) not in self.declared if self.version == "1.0" else index >= self.sizes[name]:
            self.fail("a variable must be declared before it is used", node)
        return name, index

    def bound(self, side: str, index: int, value: Fraction, node: _Node) -> None:
        if index in self.bounds[side]:
            self.fail(f"input {index} has two {side} bounds", node)
        self.bounds[side][index] = value
        low, high = self.bounds["lower"].get(index), self.bounds["upper"].get(index)
        if low is not None and high is not None and low > high:
            self.fail(f"input {index} has a lower bound above its upper bound", node)

    def check_rivals(self, node: _Node) -> None:
        """All conditions are f_k >= f_y for the same y and each k != y; or y f <= 0."""
        wrong = "the outputs' conditions must be Y_0 <= 0, Y_0 >= 0, or Y_k >= Y_y for one y and every k != y"
        size = self.sizes["Y"]
        if size == 1:
            if self.rivals not in ([(("Y", 0), Fraction(0))], [(Fraction(0), ("Y", 0))]):
                self.fail(wrong, node)
            return
        if any(isinstance(term, Fraction) for pair in self.rivals for term in pair):
            self.fail(wrong, node)
        stronger, labels = [a for a, _ in self.rivals], {b for _, b in self.rivals}
        if len(labels) != 1 or len(set(stronger)) != size - 1 or len(stronger) != size - 1 or labels & set(stronger):
            self.fail(wrong, node)

    def result(self) -> VnnlibQuery:
        end = _Atom("end of file", self.end)
        for name, size in self.sizes.items():
            if not size:
                self.fail(f"{name} must be declared", end)
            if self.version == "1.0" and any((name, i) not in self.declared for i in range(size)):
                self.fail(f"{name}_0, ..., {name}_{size - 1} must be declared without a gap", end)
        for side, found in self.bounds.items():
            if len(found) != self.sizes["X"]:
                missing = next(i for i in range(self.sizes["X"]) if i not in found)
                self.fail(f"input {missing} has no {side} bound", end)
        if not self.rivals:
            self.fail("there must be an assertion about the outputs", end)
        stronger, weaker = self.rivals[0]
        if self.sizes["Y"] == 1:
            label = 1 if isinstance(stronger, Fraction) else -1
        else:
            label = weaker[1] if isinstance(weaker, tuple) else 0
        lower, upper = (tuple(found[i] for i in range(len(found))) for found in self.bounds.values())
        return VnnlibQuery(lower, upper, label, self.sizes["Y"], self.version)


# -- files -------------------------------------------------------------------------------------------------------------


def _named(path: str | os.PathLike[str], suffix: str) -> Path:
    path = Path(path)
    if path.suffix != suffix:
        raise ValueError(f"path must end in {suffix}, got {path}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {path.parent} for {path.name}")
    return path
