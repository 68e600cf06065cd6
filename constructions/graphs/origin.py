"""Where a network that was read comes from, and by how much it can differ from its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from ..basics.result import Result, Said, said
from ..linear.affine import Affine
from ..linear.matrix import (
    Block,
    Constant,
    Dense,
    Kron,
    Matrix,
    Sparse,
    column,
    is_zero,
    kron,
    nearest,
    product,
    sparse,
    total,
    zeros,
)

LEAST = 2.0**-500
"""Bounds are 0 or raised to at least so much before they are multiplied, so no product underflows:
a bound stays one, and is never 0 where the error is not.
"""


@dataclass(frozen=True, eq=False)
class Errors:
    """By how much the entries of one layer can differ from those of the source: |weight - w| <=
    weight, |bias - b| <= bias.

    Both are matrices of the layer's shapes, with entries >= 0, rounded up.
    """

    weight: Matrix
    bias: Matrix


@dataclass(frozen=True, eq=False, repr=False)
class Origin(Result):
    """What a network was read from, and by how much it can differ from that.

    Attributes:
        kind: "module", "ONNX file" or another kind of file.
        digest: SHA-256 of the file, or of the module's state (names, shapes and numbers).
        parameters: numbers of the source, each counted once: a module's trained parameters, a
            file's weights and constants.
        merged: how many affine maps of the source were multiplied into others, exactly.
        carried: how many units only carry values to a later layer.
        rounded: the places of the source whose numbers float64 does not hold.
        errors: one entry a layer, None where the layer is exactly the source's; `is_exact` says
            that all are.
        layers: the layers that this is about.
    """

    kind: str
    digest: str
    parameters: int
    merged: int = 0
    carried: int = 0
    rounded: tuple[str, ...] = ()
    errors: tuple[Errors | None, ...] = field(default=(), repr=False)
    layers: tuple[Affine, ...] = field(default=(), repr=False)

    def _says(self) -> tuple[str, dict[str, Said]]:
        rounded = ", ".join(self.rounded)
        how = "exactly" if self.is_exact else f"up to rounding of {rounded}"
        return f"read from {self.kind} {self.digest[:8]}, {how}", {
            self.counted: said(self.parameters, "exact"),
            "affine maps merged": said(self.merged, "exact"),
            "units that only pass values on": said(self.carried, "exact"),
        }

    @property
    def counted(self) -> str:
        """What `parameters` counts: files do not say which of their numbers were trained."""
        modules = self.kind in ("module", "composition (module)")
        return "trained parameters" if modules else "weights and constants"

    @property
    def is_exact(self) -> bool:
        """Whether the network is the source's function in exact arithmetic."""
        return all(error is None for error in self.errors)


def difference(
    layers: Sequence[Affine], errors: tuple[Errors | None, ...], reach: list[torch.Tensor]
) -> torch.Tensor:
    """Upper bounds of |network - source| for each output, from bounds of what goes into each layer.

    reach: for each layer, bounds (..., n) of the absolute values of its inputs (of the network's
    own). The error that a layer passes on is (|W| + dW) e + dW |h| + db; ReLU does not increase it.
    Rounded up; infinite where it overflows. Factors are raised to `LEAST`, so nothing underflows.
    """
    moved = torch.zeros_like(reach[0])
    one = torch.ones(1, dtype=torch.float64)
    for layer, error, size in zip(layers, errors, reach, strict=True):
        passed = _raised(layer.weight.absolute()).apply(_at_least(moved, LEAST))
        if error is not None:
            both = _at_least(moved + size, LEAST)
            passed = passed + _raised(error.weight).apply(both) + error.bias.apply(one)
        moved = passed * (1 + (layer.weight.shape[1] + 8) * 2.0**-50)
        moved = torch.nan_to_num(moved, nan=torch.inf, posinf=torch.inf)  # 0 times infinity
    return moved


def no_errors(layer: Affine) -> Errors:
    """Those of a layer that is exact."""
    return Errors(zeros(*layer.weight.shape), zeros(*layer.bias.shape))


def passed(outer: Affine, own: Errors | None, inner: Affine, below: Errors, exact: bool) -> Errors:
    """Errors of outer o inner: |W| dF + dW (|F| + dF), likewise of the bias, and what the products
    round by unless they are exact.

    A rounded entry is a sum of n products of Kronecker products' entries: it is off by gamma_(n+8)
    |W| |F| at most, and by 2^-1074 for each product that underflows, which is less than gamma
    LEAST^2, as |W| and |F| are raised to `LEAST`.
    """
    parts = (outer.weight, inner.weight, inner.bias, outer.bias)
    sizes = [nearest(_raised(matrix.absolute())) for matrix in parts]
    d_weight, d_bias = below.weight, below.bias
    weight = _times(sizes[0], d_weight)
    bias = _times(sizes[0], d_bias)
    if own is not None:
        weight = _up(total(weight, _times(own.weight, _up(total(sizes[1], d_weight)))))
        moved = _times(own.weight, _up(total(sizes[2], d_bias)))
        bias = _up(total(total(bias, moved), own.bias))
    if not exact:
        gamma = (int(outer.weight.shape[1]) + 8) * 2.0**-52
        weight = _up(total(weight, _scaled(_times(sizes[0], sizes[1]), gamma)))
        bias = _up(total(bias, _scaled(total(_times(sizes[0], sizes[2]), sizes[3]), gamma)))
    return Errors(
        sparse(weight) if not isinstance(weight, Dense) else weight, column(bias.to_dense())
    )


def _times(a: Matrix, b: Matrix) -> Matrix:
    """An upper bound of the product of two matrices with entries >= 0."""
    found = product(nearest(_raised(a)), nearest(_raised(b)))
    return _up(nearest(found), int(a.shape[1]))


def _scaled(matrix: Matrix, factor: float) -> Matrix:
    return nearest(kron(_raised(matrix), Dense(torch.tensor([[factor]], dtype=torch.float64))))


def _up(matrix: Matrix, terms: int = 0) -> Matrix:
    """A little more: products and sums of so many nonnegative numbers lose at most this share."""
    return (
        matrix
        if is_zero(matrix)
        else _scaled(matrix, 1 + (max(terms, int(matrix.shape[1])) + 2**20) * 2.0**-51)
    )


def _raised(matrix: Matrix, least: float = LEAST) -> Matrix:
    """The matrix with entries >= 0, those that are not 0 raised to at least `least`; of Kronecker
    products, to their factors' shares of it.
    """
    match matrix:
        case Block():
            return Block(tuple(tuple(_raised(part, least) for part in row) for row in matrix.grid))
        case Kron():
            return Kron(_raised(matrix.left, least**0.5), _raised(matrix.right, least**0.5))
        case Constant() if 0 < matrix.value < least:
            return Constant(matrix.rows, matrix.columns, least)
        case Dense() if _is_below(matrix.entries, least):
            return Dense(_at_least(matrix.entries, least), copy=False)
        case Sparse() if _is_below(matrix.values, least):
            return Sparse(matrix.size, matrix.rows, matrix.columns, matrix.values.clamp_min(least))
    return matrix


def _is_below(values: torch.Tensor, least: float) -> bool:
    return bool(((values > 0) & (values < least)).any())


def _at_least(values: torch.Tensor, least: float) -> torch.Tensor:
    """Numbers >= 0, those that are not 0 raised to at least `least`."""
    return torch.where(values > 0, values.clamp_min(least), values)
