"""One door for networks from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..networks.network import ReLUNetwork
from .load import load


def read_network(source: Any, input_shape: Sequence[int] | None = None) -> ReLUNetwork:
    """Read a network from a module, an exported program, a file or arrays.

    Args:
        source: a `torch.nn.Module` or `torch.export.ExportedProgram` (see
            `ReLUNetwork.from_module`), a path that `load` reads, pairs (weight, bias) of arrays,
            shapes (m, n) and (m,), or a `ReLUNetwork`, which comes back as it is.
        input_shape: of one input of a module, without the batch.

    Returns:
        A `ReLUNetwork`; what was read, and by how much it may differ, is in `ReLUNetwork.origin`.

    Raises:
        TypeError: for anything else.
        FileNotFoundError: if there is no such file.
        ValueError: what the readers raise.

    Example:
        >>> read_network([([[1.0], [-1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])])([[-2.0]]).item()
        2.0
    """
    if isinstance(source, ReLUNetwork):
        return source
    if isinstance(source, (str, os.PathLike)):
        return load(Path(source))
    if isinstance(source, torch.export.ExportedProgram):
        return ReLUNetwork.from_module(source.module(), input_shape or _example_shape(source))
    if isinstance(source, nn.Module):
        return ReLUNetwork.from_module(source, input_shape)
    if (
        isinstance(source, (list, tuple))
        and source
        and all(isinstance(p, (list, tuple)) and len(p) == 2 for p in source)
    ):
        return ReLUNetwork.from_layers(source)
    weights = isinstance(source, Mapping)
    raise TypeError(
        "network must be a ReLUNetwork, a module, an exported program, a path, or pairs (weight, "
        f"bias) of arrays, got {type(source).__name__}"
        f"{': load these weights into their module first' if weights else ''}"
    )


def _example_shape(program: torch.export.ExportedProgram) -> tuple[int, ...] | None:
    """The shape of one input of the example that a program was exported with."""
    try:
        (example,), _ = program.example_inputs
        return tuple(example.shape[1:])
    except (TypeError, ValueError, AttributeError):
        return None
