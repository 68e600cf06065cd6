"""Batch normalisation, which lets rows of a batch depend on each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

BATCH_NORM = nn.modules.batchnorm._BatchNorm


@contextmanager
def batch_norm(model: nn.Module, mode: str) -> Iterator[None]:
    """Choose, within a block, which statistics layers of batch normalisation use.

    They never update running statistics within; afterwards all layers are as before, also after an
    exception. Other layers are left alone.

    Args:
        model: a module.
        mode: "eval" for running statistics, "batch" for those of the batch.

    Yields:
        Nothing.

    Raises:
        ValueError: for another mode.

    Example:
        >>> import torch
        >>> layer = nn.BatchNorm1d(1)
        >>> with batch_norm(layer, "batch"):
        ...     layer(torch.tensor([[1.0], [3.0]])).flatten().round().tolist()
        [-1.0, 1.0]
        >>> layer.running_mean
        tensor([0.])
    """
    if mode not in ("eval", "batch"):
        raise ValueError(f"mode must be 'eval' or 'batch', got {mode!r}")
    layers = [m for m in model.modules() if isinstance(m, BATCH_NORM)]
    before = [(m.training, m.track_running_stats) for m in layers]
    try:
        for layer in layers:
            layer.training = mode == "batch"
            # without: neither read nor written
            layer.track_running_stats = layer.track_running_stats and not layer.training
        yield
    finally:
        for layer, (training, tracks) in zip(layers, before, strict=True):
            layer.training, layer.track_running_stats = training, tracks


def mixes_rows(model: Any) -> bool:
    """Whether batch normalisation uses the statistics of the batch."""
    return isinstance(model, nn.Module) and any(
        m.training for m in model.modules() if isinstance(m, BATCH_NORM)
    )
