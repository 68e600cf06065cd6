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


def is_error(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Whether the margin is <= 0: a tie is an error, as in the papers' 1{y f(x) <= 0}."""
    return margin(outputs, labels) <= 0
