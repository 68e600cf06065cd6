"""Losses and margins of network outputs, for labels -1, +1 (one output) and 0..K-1 (K outputs)."""

from __future__ import annotations

import torch
from torch.nn import functional


def classification_loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Logistic loss log(1 + exp(-y f)) for outputs (batch, 1), cross-entropy for (batch, K); one value a row.

    >>> classification_loss(torch.tensor([[0.0]]), torch.tensor([1]))
    tensor([0.6931])
    """
    if outputs.shape[-1] == 1:
        return functional.softplus(-labels * outputs[:, 0])
    return functional.cross_entropy(outputs, labels, reduction="none")


def margin(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """y f for outputs (batch, 1), f_y - max_(k != y) f_k for (batch, K); positive exactly where the label is predicted.

    >>> margin(torch.tensor([[0.5, 2.0, 1.0]]), torch.tensor([1]))
    tensor([1.])
    """
    if outputs.shape[-1] == 1:
        return labels * outputs[:, 0]
    own = outputs.gather(1, labels[:, None])[:, 0]
    others = outputs.scatter(1, labels[:, None], -torch.inf)
    return own - others.amax(1)


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


def is_error(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Whether the margin is <= 0: a tie is an error, as in the papers' 1{y f(x) <= 0}."""
    return margin(outputs, labels) <= 0
