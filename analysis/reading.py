"""Reading what users pass to the analysis: networks or modules, arrays or tensors; with clear errors."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from constructions import ReLUNetwork, load
from training import check_labels


def read_network(network: Any) -> ReLUNetwork:
    """A `ReLUNetwork`, or the one of a module that `ReLUNetwork.from_module` reads, or of a file; else TypeError."""
    if isinstance(network, (str, os.PathLike)):
        return load(network)
    if not isinstance(network, (ReLUNetwork, nn.Module)):
        kinds = "a ReLUNetwork, a module of Linear and ReLU layers, or a path"
        raise TypeError(f"network must be {kinds}, got {type(network).__name__}")
    return ReLUNetwork.from_module(network)


Model = Callable[[torch.Tensor], torch.Tensor]
"""Maps points (batch, ...) to outputs (batch, K), differentiably, each row by itself."""


def read_model(model: Any) -> Model:
    """What evaluates points of any shape (batch, ...): a module in eval mode, or a `ReLUNetwork` of their flat rows.

    Raises TypeError for anything that cannot be called.

    >>> from constructions import affine
    >>> read_model(affine([[1.0, 2.0, 3.0, 4.0]]))(torch.ones(1, 1, 2, 2))
    tensor([[10.]])
    """
    if isinstance(model, ReLUNetwork):
        return lambda points: model(points.flatten(1))
    if isinstance(model, nn.Module):
        return model.eval()
    if not callable(model):
        raise TypeError(f"model must be a ReLUNetwork, a module or a function of points, got {type(model).__name__}")
    return model


def read_labelled(network: ReLUNetwork, points: Any, labels: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (N, D) as float64 and labels (N,) as int64, checked against the network's inputs and outputs."""
    try:
        exact = points if isinstance(points, torch.Tensor) else np.asarray(points, dtype=np.float64)  # not as float32
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"points must hold {network.inputs} real numbers a row, got {type(points).__name__}: {error}"
        ) from error
    x, y = torch.as_tensor(exact).double(), torch.as_tensor(labels)
    if x.ndim != 2 or x.shape[1] != network.inputs or len(x) == 0:
        raise ValueError(f"points must have shape (N, {network.inputs}) with N >= 1, got {tuple(x.shape)}")
    check_labels(y, len(x), network.outputs)
    return x, y.long()


def check_cube(points: torch.Tensor) -> None:
    """Raise ValueError, naming the first, for points (N, D) outside of [0,1]^D or NaN."""
    outside = ~((points >= 0) & (points <= 1))
    if outside.any():
        row, column = outside.nonzero()[0].tolist()
        raise ValueError(f"points must lie in [0, 1], got {points[row, column].item()} in row {row}")
