"""Where a network that was read comes from, and by how much it can differ from its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from ..basics.result import Result, Said, said
from ..linear.affine import Affine
from ..linear.matrix import (
    Dense,
    Matrix,
    column,
    is_zero,
    kron,
    nearest,
    product,
    sparse,
    total,
    zeros,
)


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
        parameters: trained numbers of the source, each counted once.
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
            "parameters": said(self.parameters, "exact"),
            "affine maps merged": said(self.merged, "exact"),
            "units that carry": said(self.carried, "exact"),
        }

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
    Rounded up.
    """
    moved = torch.zeros_like(reach[0])
    one = torch.ones(1, dtype=torch.float64)
    for layer, error, size in zip(layers, errors, reach, strict=True):
        passed = layer.weight.absolute().apply(moved)
        if error is not None:
            passed = passed + error.weight.apply(moved + size) + error.bias.apply(one)
        moved = passed * (1 + (layer.weight.shape[1] + 8) * 2.0**-50)
        moved = torch.where(moved > 0, moved + 2.0**-1000 * (1 + size.sum(-1, keepdim=True)), moved)
    return moved


def no_errors(layer: Affine) -> Errors:
    """Those of a layer that is exact."""
    return Errors(zeros(*layer.weight.shape), zeros(*layer.bias.shape))


def passed(outer: Affine, own: Errors | None, inner: Affine, below: Errors, exact: bool) -> Errors:
    """Errors of outer o inner: |W| dF + dW (|F| + dF), likewise of the bias, and what the products
    round by unless they are exact.
    """
    sizes = [
        outer.weight.absolute(),
        inner.weight.absolute(),
        inner.bias.absolute(),
        outer.bias.absolute(),
    ]
    d_weight, d_bias = below.weight, below.bias
    weight = _up(_times(sizes[0], d_weight))
    bias = _up(_times(sizes[0], d_bias))
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
    return nearest(product(a, b))


def _scaled(matrix: Matrix, factor: float) -> Matrix:
    return nearest(kron(matrix, Dense(torch.tensor([[factor]], dtype=torch.float64))))


def _up(matrix: Matrix) -> Matrix:
    """A little more: products and sums of nonnegative numbers lose at most this share."""
    return (
        matrix
        if is_zero(matrix)
        else _scaled(matrix, 1 + (int(matrix.shape[1]) + 2**20) * 2.0**-51)
    )
