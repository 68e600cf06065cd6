"""Comparing a network's layers with a memorizer's of given points; f_clean is cut out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import torch

from constructions import (
    Affine,
    Block,
    Constant,
    Dense,
    Matrix,
    ReLUNetwork,
    Sparse,
    affine,
    delay,
    f_S_from_thresholds,
)
from constructions.internal import same

from .hints import Subject


class Unproved(Exception):  # noqa: N818 - an outcome
    """The proof does not go through, for the reason given."""


def require(condition: bool, reason: str) -> None:
    """Raise `Unproved` with the reason unless the condition holds."""
    if not condition:
        raise Unproved(reason)


def rounded_levels(subject: Subject) -> tuple[int, ...]:
    """The layers whose biases float64 rounds (sums of coordinates and thresholds, norms); all
    others must be exact.
    """
    lean = subject.hints.variant == "lean"
    if subject.ball.p == 2:
        return (subject.hints.m + 1,) if lean else ()
    return (0,) if lean else (0, 1)


@dataclass(frozen=True)
class Matched:
    """f_clean as it stands in a network, and by layer the biases that float64 rounds: as they are,
    and as it rounds them.
    """

    clean: ReLUNetwork
    biases: dict[int, np.ndarray]
    rounded: dict[int, np.ndarray]


def match(subject: Subject) -> Matched:
    """Compare a network with a memorizer of these points; raises `Unproved` where they differ.

    The reference has a placeholder instead of f_clean, 2 K units a layer. Up to the layer `depth`
    that joins the two parts, the network's layers are block-diagonal, f_clean's units first; then
    they are the reference's.
    """
    # Whole, because it is one walk along two networks, layer by layer.
    network, x, hints = subject.network, subject.x, subject.hints
    outputs, tail = network.outputs, 2 if hints.variant != "paper" else hints.m + 4
    depth = len(network.layers) - tail
    require(
        depth >= 1,
        f"the network has {len(network.layers)} layers, too few for variant {hints.variant}",
    )
    placeholder = delay(
        affine(Constant(outputs, network.inputs, 0.0)), depth - (hints.variant == "paper")
    )
    wanted = f_S_from_thresholds(
        placeholder,
        x,
        subject.y,
        subject.ball.p,
        hints.inner,
        hints.outer,
        variant=hints.variant,
        m=hints.m,
        bound=hints.bound,
    )
    require(
        len(wanted.layers) == len(network.layers),
        f"the network has {len(network.layers)} layers, too few",
    )
    levels = rounded_levels(subject)
    biases, rounded = {}, {}
    clean, edge = [], 0
    for level, (layer, other) in enumerate(zip(network.layers, wanted.layers, strict=True)):
        where = (
            f"layer {level + 1} is not that of a memorizer of these points and labels in this order"
        )
        (rows, columns), (m, n) = layer.weight.shape, other.weight.shape
        if level > depth:
            require(
                (rows, columns) == (m, n) and same(layer.weight, other.weight), f"{where}: weights"
            )
            require(same(layer.bias, other.bias), f"{where}: biases")
            continue
        if level == depth:
            require(rows == m, f"{where}: units")
            require(
                same(_cut(layer.weight, 0, edge), _cut(other.weight, 0, 2 * outputs)),
                f"{where}: weights",
            )
            given = (layer.weight, column_of(layer.bias), other.weight, column_of(other.bias))
            clean.append(_joined(*given, edge, outputs, hints.variant == "paper", where))
            continue
        split = rows - (m - 2 * outputs)
        require(split >= 1, f"{where}: units")
        left, reach = (0, 0) if level == 0 else (edge, 2 * outputs)  # the input is shared
        require(
            same(_cut(layer.weight, split, left), _cut(other.weight, 2 * outputs, reach)),
            f"{where}: weights",
        )
        if level:
            crossed = (
                _cut(layer.weight, 0, edge, split, columns),
                _cut(layer.weight, split, 0, rows, edge),
            )
            require(
                all(part.nonzeros == 0 for part in crossed),
                f"{where}: f_clean and indicators are mixed",
            )
        clean.append(
            Affine(
                _cut(layer.weight, 0, 0, split, edge if level else columns),
                _cut(layer.bias, 0, 0, split),
            )
        )
        bias, right = _cut(layer.bias, split, 0), _cut(other.bias, 2 * outputs, 0)
        if level in levels:
            biases[level], rounded[level] = column_of(bias), column_of(right)
        else:
            require(same(bias, right), f"{where}: biases")
        edge = split
    return Matched(ReLUNetwork(tuple(clean)), biases, rounded)


def _joined(
    weight: Matrix,
    bias: np.ndarray,
    other: Matrix,
    right: np.ndarray,
    edge: int,
    outputs: int,
    exact: bool,
    where: str,
) -> Affine:
    """f_clean's last affine map, read from the rows that carry f_clean, and compared with all rows
    that read it.

    The reference's columns are A (x) [1, -1] with one power of two a row of A; the network's must
    be A times that map.
    """
    columns, a = (
        rows_of(_cut(weight, 0, 0, weight.shape[0], edge)),
        rows_of(_cut(other, 0, 0, other.shape[0], 2 * outputs)),
    )
    a, last = a[:, 0::2], columns[0 : 2 * outputs : 2]
    tiny = last.nnz and np.abs(last.data).min() < 2.0**-600
    require(not tiny, f"{where}: f_clean's weights are too small to be scaled exactly")
    offset = bias[0 : 2 * outputs : 2]
    require((columns != a @ last).nnz == 0, f"{where}: f_clean is not read alike everywhere")
    require(not (exact and offset.any()), f"{where}: f_clean's biases")
    require(np.array_equal(bias, right + a @ offset), f"{where}: biases")
    return Affine(Dense(torch.from_numpy(last.toarray())), _vector(offset))


def column_of(column: Matrix) -> np.ndarray:
    """The entries of a one-column matrix; not to be changed."""
    return (column.entries if isinstance(column, Dense) else column.to_dense())[:, 0].numpy()


def _vector(values: np.ndarray) -> Matrix:
    return Dense(torch.from_numpy(np.ascontiguousarray(values))[:, None])


def rows_of(matrix: Matrix) -> scipy.sparse.csr_array:
    """A matrix by rows."""
    rows, columns, values = matrix.coordinates()
    return scipy.sparse.coo_array(
        (values.numpy(), (rows.numpy(), columns.numpy())), shape=matrix.shape
    ).tocsr()


def _cut(
    matrix: Matrix, top: int, left: int, bottom: int | None = None, right: int | None = None
) -> Matrix:
    """Rows top..bottom and columns left..right of a matrix; blocks are kept where the cuts run
    between them.
    """
    bottom, right = (
        matrix.shape[0] if bottom is None else bottom,
        matrix.shape[1] if right is None else right,
    )
    if (top, left, bottom, right) == (0, 0, *matrix.shape):
        return matrix
    if isinstance(matrix, Block):
        tops, lefts = (
            np.cumsum([0, *matrix.heights]).tolist(),
            np.cumsum([0, *matrix.widths]).tolist(),
        )
        if {top, bottom} <= set(tops) and {left, right} <= set(lefts):
            grid = [
                row[lefts.index(left) : lefts.index(right)]
                for row in matrix.grid[tops.index(top) : tops.index(bottom)]
            ]
            return grid[0][0] if len(grid) == len(grid[0]) == 1 else Block(tuple(grid))
    rows, columns, values = matrix.coordinates()
    kept = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    return Sparse(
        (bottom - top, right - left), rows[kept] - top, columns[kept] - left, values[kept]
    )
