"""Interval arithmetic: certified bounds of a network's values on a box."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from ..basics.floats import from_shared
from ..basics.reading import box_of, read_box
from ..basics.renamed import renamed
from ..basics.result import Said, Unpacked, said, several
from ..basics.shapes import BatchOutputs
from ..graphs.origin import difference
from ..linear.matrix import Matrix
from ..linear.table import underflow
from .network import ReLUNetwork, check_network

OVERFLOW = "bounds overflow float64: the network's weights are too large for interval arithmetic"


@dataclass(frozen=True, eq=False, repr=False)
class OutputBounds(Unpacked):
    """Certified bounds of a network's outputs, lower <= f_k(x) <= upper; see `interval_bounds`.

    Attributes:
        lower: float64, (..., outputs).
        upper: likewise.
    """

    lower: torch.Tensor
    upper: torch.Tensor

    def _says(self) -> tuple[str, dict[str, Said]]:
        boxes, outputs = self.lower.shape[:-1].numel(), self.lower.shape[-1]
        if not boxes:
            return "no boxes", {}
        what = f"of {several(outputs, 'output')} on {several(boxes, 'box', 'boxes')}"
        return f"{what}; over all of them", {
            "output": said(float(self.lower.min()), "certified lower bound"),
            "and": said(float(self.upper.max()), "certified upper bound"),
        }


@renamed("network lower upper", box=lambda lower, upper: (lower, upper))
def interval_bounds(network: ReLUNetwork, box: Any) -> OutputBounds:
    """Bound every output of a network on a box, from below and above.

    The bounds are certified: rounding is accounted for, and they hold for what the network was read
    from, too (see `ReLUNetwork.origin`). Sound, not tight: the gap grows with depth and width. Each
    layer's float64 error is bounded a priori by gamma_(n+2) and added to the radius.

    Args:
        network: a `ReLUNetwork`.
        box: (lower, upper), numbers or shape (..., inputs), which broadcast.

    Returns:
        `OutputBounds`: certified, float64, of shape (..., outputs).

    Raises:
        ValueError: for corners of another shape or not finite, for lower > upper, and where bounds
            overflow float64.

    Source: Higham 2002, Section 3.1 (gamma).

    Example:
        >>> from constructions import ReLUNetwork
        >>> net = ReLUNetwork.from_layers([([[1.0], [-1.0]], [0, 0]), ([[1.0, 1.0]], [0])])
        >>> low, high = interval_bounds(net, (-1.0, 2.0))
        >>> low.item() <= 0 and 2 <= high.item() <= 3 + 1e-12
        True
    """
    check_network(network)
    ends = [from_shared(end) for end in read_box(box, thin=True)]
    if ends[0].ndim and ends[0].shape[-1] not in (1, network.inputs):
        raise ValueError(
            f"box must hold numbers or corners of shape (..., {network.inputs}), got "
            f"{tuple(ends[0].shape)}"
        )
    low, high = (end.expand(*end.shape[:-1], network.inputs) for end in ends)
    boxes = zip(
        *(v.reshape(-1, network.inputs).split(network.chunk(8)) for v in (low, high)), strict=True
    )
    sizes = [layer.weight.absolute() for layer in network.layers]
    bounds = [list(_propagate(network, sizes, *box))[-1] for box in boxes]
    shape = (*low.shape[:-1], network.outputs)
    below, above = (torch.cat(ends).reshape(shape) for ends in zip(*bounds, strict=True))
    return OutputBounds(below, above)


@renamed("network lower upper", box=lambda lower, upper: (lower, upper))
def source_difference(network: ReLUNetwork, box: Any) -> BatchOutputs:
    """Bound how far a network may be from what it was read from, on a box.

    |network - source| for each output, by interval arithmetic. 0 where nothing was rounded on
    reading, as for all but batch normalization and some divisions; see `ReLUNetwork.origin`.

    Args:
        network: a `ReLUNetwork`.
        box: (lower, upper), numbers or shape (inputs,), which broadcast.

    Returns:
        Certified upper bounds, one an output, float64, (outputs,).

    Raises:
        ValueError: as `interval_bounds`.

    Example:
        >>> norm = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.BatchNorm1d(1)).eval()
        >>> bool(0 < source_difference(ReLUNetwork.from_module(norm), (0.0, 1.0)) < 1e-12)
        True
    """
    check_network(network)
    if network.origin is None or network.origin.is_exact:
        return torch.zeros(network.outputs, dtype=torch.float64)
    low, high = (from_shared(end)[None] for end in box_of(box, network.inputs, thin=True))
    reach = [torch.maximum(low.abs(), high.abs())]
    sizes = [layer.weight.absolute() for layer in network.layers]
    reach += [
        torch.maximum(-below, above).clamp_min(0)
        for below, above in _propagate(network, sizes, low, high)
    ]
    found = difference(network.layers, network.origin.errors, reach[:-1])[0]
    if not torch.isfinite(found).all():
        raise ValueError(OVERFLOW)
    return found


def _propagate(
    network: ReLUNetwork, sizes: list[Matrix], low: torch.Tensor, high: torch.Tensor
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Bounds of what each layer's affine map gives, before ReLU."""
    unit = torch.finfo(torch.float64).eps
    one = torch.ones(1, dtype=torch.float64)
    errors = network.origin.errors if network.origin else ()
    for depth, (layer, size) in enumerate(zip(network.layers, sizes, strict=True)):
        if depth:
            low, high = low.clamp_min(0), high.clamp_min(0)
        centre = (low + high) / 2
        radius = torch.maximum(high - centre, centre - low) * (1 + 4 * unit)
        offset = layer.bias.apply(one)
        middle = layer.weight.apply(centre) + offset
        magnitude = size.apply(centre.abs() + radius) + offset.abs()
        gamma = 2 * (layer.weight.shape[1] + 4) * unit
        reach = 2.0 + float((centre.abs() + radius).max()) if centre.numel() else 2.0
        lost = torch.finfo(torch.float64).tiny * underflow(
            layer, (layer.weight.shape[1] + 1) * reach
        )
        spread = size.apply(radius) + gamma * magnitude + lost
        if errors and (error := errors[depth]) is not None:
            spread = spread + (
                error.weight.apply(centre.abs() + radius) + error.bias.apply(one)
            ) * (1 + gamma)
        low, high = middle - spread, middle + spread
        if not (torch.isfinite(low).all() and torch.isfinite(high).all()):
            raise ValueError(OVERFLOW)
        yield low, high


@renamed("network lower upper", box=lambda lower, upper: (lower, upper))
def magnitude_bound(network: ReLUNetwork, box: Any) -> float:
    """Bound the absolute values of all outputs of a network on a box.

    Args:
        network: a `ReLUNetwork`.
        box: as for `interval_bounds`.

    Returns:
        B with |f_k(x)| <= B for every output k and every x in the box: a certified upper bound.

    Raises:
        ValueError: as `interval_bounds`.

    Example:
        >>> from constructions import affine
        >>> 3 <= magnitude_bound(affine([[1.0, -2.0]]), (0.0, [1.0, 1.5])) <= 3 + 1e-12
        True
    """
    low, high = interval_bounds(network, box)
    return float(torch.maximum(-low, high).max())
