"""Labels -1, +1 (one output) and 0..K-1 (K outputs), checked."""

from __future__ import annotations

import torch


def check_labels(labels: torch.Tensor, count: int, outputs: int) -> None:
    """Raise ValueError unless labels has shape (count,) and entries -1, +1 (one output) or 0..K-1 (K outputs).

    >>> check_labels(torch.tensor([0, 1]), 2, 1)
    Traceback (most recent call last):
    ...
    ValueError: labels must be -1 or +1 for a network with 1 outputs, got 0 at index 0
    """
    if tuple(labels.shape) != (count,):
        raise ValueError(f"labels must have shape ({count},), one for each point, got {tuple(labels.shape)}")
    if labels.dtype == torch.bool or labels.is_floating_point() or labels.is_complex():
        raise ValueError(f"labels must be integers, got {labels.dtype}")
    wrong = labels.abs() != 1 if outputs == 1 else (labels < 0) | (labels >= outputs)
    if wrong.any():
        i = int(wrong.nonzero()[0])
        allowed = "-1 or +1" if outputs == 1 else f"0..{outputs - 1}"
        raise ValueError(f"labels must be {allowed} for a network with {outputs} outputs, got {labels[i].item()} at index {i}")
