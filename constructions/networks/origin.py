"""Where a network that was read comes from, and by how much it can differ from its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from ..basics.result import Result, Said, said
from ..linear.affine import Affine
from ..linear.matrix import Matrix


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
    """What a network was read from.

    kind: "module", "ONNX file" or another kind of file. digest: SHA-256 of the file, or of the
    module's state (names, shapes and numbers). parameters: trained numbers of the source, each
    counted once. merged: how many affine maps of the source were multiplied into others, exactly;
    carried: how many units only carry values to a later layer. rounded: the places of the source
    whose numbers float64 does not hold. errors: one entry a layer, None where the layer is exactly
    the source's; `is_exact` says that all are. layers: the layers that this is about.
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
