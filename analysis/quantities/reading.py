"""Reading what users pass to the analysis: networks or modules, arrays or tensors; with clear
errors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from constructions import ReLUNetwork
from constructions import read_network as read
from constructions.internal import flattening
from training.internal import as_tensor, check_labels, unchanged


def read_network(network: Any) -> ReLUNetwork:
    """What `constructions.read_network` reads: a network, a module, an exported program, a path, or
    arrays; else TypeError.
    """
    with unchanged(network) if isinstance(network, nn.Module) else contextlib.nullcontext():
        return read(network)


Model = Callable[[torch.Tensor], torch.Tensor]
"""Maps points (batch, ...) to outputs (batch, K), differentiably, each row by itself."""


def read_model(model: Any) -> Model:
    """What evaluates points of any shape (batch, ...): a module or function itself, or a
    `ReLUNetwork` of their flat rows.

    A module computes in the modes that it is in: `measuring` puts it in eval mode and back.
    Raises TypeError for anything that cannot be called.

    >>> from constructions import affine
    >>> read_model(affine([[1.0, 2.0, 3.0, 4.0]]))(torch.ones(1, 1, 2, 2))
    tensor([[10.]])
    """
    if isinstance(model, ReLUNetwork):
        return lambda points: model(points.flatten(1))
    if not callable(model):
        raise TypeError(
            f"model must be a ReLUNetwork, a module or a function of points, got "
            f"{type(model).__name__}"
        )
    return model


def read_labelled(
    network: ReLUNetwork, points: Any, labels: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (N, D) as float64 and labels (N,) as int64, checked against the network's inputs and
    outputs.
    """
    try:
        x = as_tensor(points, "points").double()
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"points must hold {network.inputs} real numbers a row: {error}"
        ) from error
    if x.ndim != 2 or x.shape[1] != network.inputs or len(x) == 0:
        raise ValueError(
            f"points must have shape (N, {network.inputs}) with N >= 1, got {tuple(x.shape)}"
            f"{flattening(x.shape, network.inputs, 'points')}"
        )
    return x, check_labels(labels, len(x), network.outputs)


def check_cube(points: torch.Tensor) -> None:
    """Raise ValueError, naming the first, for points (N, D) outside of [0,1]^D or NaN."""
    outside = ~((points >= 0) & (points <= 1))
    if outside.any():
        row, column = outside.nonzero()[0].tolist()
        raise ValueError(
            f"points must lie in [0, 1], got {points[row, column].item()} in row {row}"
        )
