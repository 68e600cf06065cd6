"""Piecewise-linear functions as graphs of affine maps and ReLUs, and their layers: a chain that
computes them exactly. Whole, because a graph is there to be compiled into that chain.

>>> graph = Graph(1)
>>> bent = graph.relu(0)
>>> both = graph.linear(
...     [(0, Identity(1)), (bent, Dense([[-2.0]]))], zeros(1, 1)
... )  # x - 2 max(0, x) = -|x|
>>> [layer.weight.shape for layer in graph.compile(both).layers]
[(2, 1), (1, 2)]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ..linear.affine import Affine
from ..linear.matrix import (
    Block,
    Dense,
    Identity,
    Kron,
    Matrix,
    Sparse,
    is_zero,
    nearest,
    product,
    sparse,
    total,
    zeros,
)
from ..linear.merging import merged
from .origin import Errors, no_errors, passed

DOUBLE = 2.0**-53
"""Unit roundoff of float64."""


@dataclass(frozen=True, eq=False)
class Node:
    """One value: the input, relu(source), or sum_k weight_k value_k + bias.

    errors: by how much weights and bias may differ from what they stand for (None: exact). noise:
    sizes of numbers that the source adds up on the way to the bias, which say how much it may
    round. place: where in the source.
    """

    size: int
    source: int | None = None
    terms: tuple[tuple[int, Matrix], ...] = ()
    bias: Matrix | None = None
    errors: tuple[tuple[Matrix, ...], Matrix] | None = None
    noise: torch.Tensor | None = None
    place: str = ""


@dataclass(frozen=True, eq=False)
class Form:
    """A value as an affine function of the units of one level, and what its entries may be wrong by
    (None: nothing).
    """

    map: Affine
    error: Errors | None = None


@dataclass
class Compiled:
    """The layers of a graph, by how much each may be wrong, and what became of the graph's affine
    maps.
    """

    layers: list[Affine] = field(default_factory=list)
    errors: list[Errors | None] = field(default_factory=list)
    merged: int = 0
    carried: int = 0
    rounded: list[str] = field(default_factory=list)


class Graph:
    """A function R^inputs -> R^m, value by value. Node 0 is the input; each method appends one node
    and returns its number.
    """

    def __init__(self, inputs: int) -> None:
        self.nodes: list[Node] = [Node(inputs)]
        self.place = ""

    def relu(self, source: int) -> int:
        """max(0, value)."""
        self.nodes.append(Node(self.nodes[source].size, source, place=self.place))
        return len(self.nodes) - 1

    def linear(
        self,
        terms: Sequence[tuple[int, Matrix]],
        bias: Matrix,
        errors: tuple[tuple[Matrix, ...], Matrix] | None = None,
        noise: torch.Tensor | None = None,
    ) -> int:
        """sum_k weight_k value_k + bias; a value that is named twice is taken twice, never added up
        beforehand.
        """
        seen: set[int] = set()
        apart = []
        for source, weight in terms:
            if source in seen:
                size = self.nodes[source].size
                self.nodes.append(
                    Node(
                        size,
                        terms=((source, Identity(size)),),
                        bias=zeros(size, 1),
                        place=self.place,
                    )
                )
                source = len(self.nodes) - 1
            seen.add(source)
            apart.append((source, weight))
        if (
            len(apart) == 1
            and isinstance(apart[0][1], Identity)
            and is_zero(bias)
            and errors is None
        ):
            return apart[0][0]
        self.nodes.append(Node(bias.shape[0], None, tuple(apart), bias, errors, noise, self.place))
        return len(self.nodes) - 1

    # -- values ------------------------------------------------------------------------------------

    def enclosures(
        self, points: torch.Tensor, dtype: torch.dtype
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Of all nodes, values at points (n, inputs) in float64, and by how much an evaluation in
        dtype may be off.

        Each sum of n terms is off by gamma_(n+8) times the sum of the terms' sizes, in any order
        (Higham 2002, Section 3.1); twice that is allowed, for fast convolutions.
        """
        found: list[tuple[torch.Tensor, torch.Tensor]] = []
        one = torch.ones(1, dtype=torch.float64)
        kind = torch.finfo(dtype)
        unit, least = max(kind.eps / 2, DOUBLE), max(kind.smallest_normal * kind.eps, 2.0**-120)
        for node in self.nodes:
            if node.source is not None:
                value, error = found[node.source]
                found.append((value.clamp_min(0), error))
            elif node.bias is None:
                found.append((points, unit * points.abs() + least))
            else:
                offset = node.bias.apply(one)
                value = offset.expand(len(points), -1)
                size = offset.abs() + (0 if node.noise is None else node.noise)
                error, terms = torch.zeros_like(value), 8
                for source, weight in node.terms:
                    below, off = found[source]
                    steep = weight.absolute()
                    value = value + weight.apply(below)
                    size = size + steep.apply(below.abs())
                    error = error + steep.apply(off)
                    terms += _longest(weight)
                found.append((value, error + 2 * terms * (unit * (size + error) + least)))
        return found

    # -- layers ------------------------------------------------------------------------------------

    def compile(self, output: int) -> Compiled:
        """Layers of the function that node `output` is.

        Affine maps are multiplied where float64 holds the product exactly, or where one of them is
        rounded already; else the values between are carried to the next layer by two units each, as
        relu(v) - relu(-v). Values that a later layer needs, too, are carried likewise, or by the
        units they are made of.
        """
        needed, users = self._ancestors(output)
        result = Compiled()
        forms = {0: Form(Affine(Identity(self.nodes[0].size), zeros(self.nodes[0].size, 1)))}
        nonnegative: set[int] = set()
        done = {0}
        for _ in range(2 * len(self.nodes) + 2):  # each level settles a node at least
            settle: set[int] = set()
            pending: list[int] = []
            for i in needed:
                node = self.nodes[i]
                if i in done:
                    continue
                if node.source is not None and node.source in forms:
                    if node.source in nonnegative or (
                        result.layers and _is_nonnegative(forms[node.source])
                    ):
                        forms[i] = forms[node.source]
                        nonnegative.add(i)
                        done.add(i)
                    else:
                        pending.append(i)
                elif node.source is None and all(k in forms for k, _ in node.terms):
                    form = self._combine(node, forms, result)
                    if form is None:
                        settle |= {k for k, _ in node.terms}
                    else:
                        forms[i] = form
                        done.add(i)
            if output in forms:
                result.layers.append(forms[output].map)
                result.errors.append(forms[output].error)
                return result
            done |= set(pending)
            live = [k for k in forms if any(user not in done for user in users[k])]
            forms = self._layer(pending, live, settle, forms, nonnegative, result)
            nonnegative |= set(pending)
        raise ValueError(
            "float64 holds neither products nor sums of affine maps that follow each other: their "
            "weights and biases differ too much in size"
        )

    def _ancestors(self, output: int) -> tuple[list[int], dict[int, list[int]]]:
        needed, stack = set[int](), [output]
        users: dict[int, list[int]] = {}
        while stack:
            i = stack.pop()
            if i in needed:
                continue
            needed.add(i)
            node = self.nodes[i]
            sources = [node.source] if node.source is not None else [k for k, _ in node.terms]
            for k in sources:
                users.setdefault(k, []).append(i)
                stack.append(k)
            users.setdefault(i, [])
        users.setdefault(0, [])
        return sorted(needed), users

    def _combine(self, node: Node, forms: dict[int, Form], result: Compiled) -> Form | None:
        """A linear node's form, from those of its terms; None where float64 does not hold it."""
        assert node.bias is not None
        if not node.terms:
            width = next(iter(forms.values())).map.weight.shape[1]
            return Form(Affine(zeros(node.size, width), node.bias))
        inner = [forms[k] for k, _ in node.terms]
        weight, below = (
            _row([weight for _, weight in node.terms]),
            Affine(*_stacked([f.map for f in inner])),
        )
        if len(inner) > 1:  # sums of products would lose their zeros
            weight, below = sparse(weight), Affine(sparse(below.weight), below.bias)
        outer = Affine(weight, node.bias)
        exact = merged(outer, below)
        trivial = isinstance(outer.weight, Identity) or isinstance(below.weight, Identity)
        known = node.errors is None and all(f.error is None for f in inner)
        if exact is not None and known:
            result.merged += not trivial
            return Form(_compact(exact) if len(inner) > 1 else exact)
        if known:
            return None
        if node.errors is not None and node.place:
            result.rounded.append(node.place)
        map = exact or _float64(outer, below)
        errors = [f.error or no_errors(f.map) for f in inner]
        error = Errors(_stack([e.weight for e in errors]), _stack([e.bias for e in errors]))
        map = _compact(map) if len(inner) > 1 else map
        own = None if node.errors is None else Errors(_row(list(node.errors[0])), node.errors[1])
        return Form(map, passed(outer, own, below, error, exact is not None))

    def _layer(
        self,
        pending: list[int],
        live: list[int],
        settle: set[int],
        forms: dict[int, Form],
        nonnegative: set[int],
        result: Compiled,
    ) -> dict[int, Form]:
        """Append a layer; the forms of what later layers need, on its units."""
        # Whole, because a block of units is placed after those before it.
        rows: list[Form] = []  # blocks of units
        starts: list[int] = [0]
        width = forms[next(iter(forms))].map.weight.shape[1]
        built: dict[int, list[tuple[int, float]]] = {}  # value -> its blocks with their signs
        positive: dict[int, int] = {}  # value -> the block that is relu of it

        def append(form: Form) -> int:
            rows.append(form)
            starts.append(starts[-1] + form.map.weight.shape[0])
            return len(rows) - 1

        for i in pending:
            source = self.nodes[i].source
            assert source is not None
            if source not in positive:
                positive[source] = append(forms[source])
            built[i] = [(positive[source], 1.0)]
        shared: list[int] = []  # values that keep their units
        columns = np.zeros(0, dtype=np.int64)
        for k in live:
            if k in nonnegative:
                if k not in positive:
                    positive[k] = append(forms[k])
                    result.carried += self.nodes[k].size
                built[k] = [(positive[k], 1.0)]
                continue
            used = _columns(forms[k]) if result.layers else columns
            fresh = len(np.setdiff1d(used, columns))
            if result.layers and k not in settle and fresh <= 2 * self.nodes[k].size:
                shared.append(k)
                columns = np.union1d(columns, used)
                continue
            if k not in positive:
                positive[k] = append(forms[k])
                result.carried += self.nodes[k].size
            built[k] = [(positive[k], 1.0), (append(_negative(forms[k])), -1.0)]
            result.carried += self.nodes[k].size
        if len(columns):
            ones = torch.ones(len(columns), dtype=torch.float64)
            chosen = Sparse(
                (len(columns), width), torch.arange(len(columns)), torch.from_numpy(columns), ones
            )
            append(Form(Affine(chosen, zeros(len(columns), 1))))
            result.carried += len(columns)
        units = starts[-1]
        result.layers.append(Affine(*_stacked([f.map for f in rows])))
        result.errors.append(_stacked_errors(rows))
        new = {
            k: Form(
                Affine(
                    _selection(
                        self.nodes[k].size, units, [(starts[b], sign) for b, sign in blocks]
                    ),
                    zeros(self.nodes[k].size, 1),
                )
            )
            for k, blocks in built.items()
        }
        for k in shared:
            new[k] = _moved(forms[k], columns, starts[len(rows) - 1], units)
        return new


def _longest(matrix: Matrix) -> int:
    """Most nonzeros in a row, at most the number of columns."""
    if isinstance(matrix, Identity):
        return 1
    if isinstance(matrix, Sparse):
        return int(np.bincount(matrix.rows.numpy(), minlength=1).max(initial=0))
    if isinstance(matrix, Kron):
        return _longest(matrix.left) * _longest(matrix.right)
    return int(matrix.shape[1])


def _stack(parts: list[Matrix]) -> Matrix:
    return parts[0] if len(parts) == 1 else Block(tuple((part,) for part in parts))


def _stacked(maps: list[Affine]) -> tuple[Matrix, Matrix]:
    return _stack([m.weight for m in maps]), _stack([m.bias for m in maps])


def _compact(map: Affine) -> Affine:
    """Dense where coordinates would take more room."""
    weight = map.weight
    if isinstance(weight, Sparse) and 2 * weight.nonzeros > weight.shape[0] * weight.shape[1]:
        return Affine(Dense(weight.to_dense(), copy=False), map.bias)
    return map


def _row(parts: list[Matrix]) -> Matrix:
    return parts[0] if len(parts) == 1 else Block((tuple(parts),))


def _negative(form: Form) -> Form:
    return replace(
        form,
        map=Affine(-form.map.weight, form.map.bias if is_zero(form.map.bias) else -form.map.bias),
    )


def _selection(size: int, units: int, blocks: list[tuple[int, float]]) -> Matrix:
    """sum of sign times the units from a start on."""
    if blocks == [(0, 1.0)] and size == units:
        return Identity(size)
    index = torch.arange(size)
    rows = torch.cat([index for _ in blocks])
    places = torch.cat([index + start for start, _ in blocks])
    values = torch.cat([torch.full((size,), sign, dtype=torch.float64) for _, sign in blocks])
    return Sparse((size, units), rows, places, values)


def _moved(form: Form, columns: np.ndarray, start: int, units: int) -> Form:
    """A form on units that were carried: column columns[j] is unit start + j now."""

    def move(matrix: Matrix) -> Matrix:
        rows, old, values = matrix.coordinates()
        place = torch.from_numpy(np.searchsorted(columns, old.numpy()))
        return Sparse((matrix.shape[0], units), rows, place + start, values)

    error = form.error and Errors(move(form.error.weight), form.error.bias)
    return Form(Affine(move(form.map.weight), form.map.bias), error)


def _columns(form: Form) -> np.ndarray:
    """The units that a form is made of, and those that errors may add."""
    parts = [form.map.weight, *([form.error.weight] if form.error else [])]
    return np.unique(np.concatenate([part.coordinates()[1].numpy() for part in parts]))


def _is_nonnegative(form: Form) -> bool:
    """Whether a form of units >= 0 has no negative entry, and no entry that may be one."""
    if form.error is not None:
        return False
    weight, bias = form.map.weight, form.map.bias
    parts = [m for m in (weight, bias) if not is_zero(m) and not isinstance(m, Identity)]
    return all(bool((m.coordinates()[2] >= 0).all()) for m in parts)


def _stacked_errors(rows: list[Form]) -> Errors | None:
    if all(f.error is None for f in rows):
        return None
    errors = [f.error or no_errors(f.map) for f in rows]
    return Errors(_stack([e.weight for e in errors]), _stack([e.bias for e in errors]))


def _float64(outer: Affine, inner: Affine) -> Affine:
    """The map outer o inner, every entry a float64; `passed` bounds what that rounds."""
    steep = nearest(outer.weight)
    weight, bias = (nearest(product(steep, nearest(m))) for m in (inner.weight, inner.bias))
    return _compact(Affine(weight, total(bias, nearest(outer.bias))))
