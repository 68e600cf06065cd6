"""Networks to be trained."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import nn


def mlp(widths: Sequence[int], seed: int = 0) -> nn.Sequential:
    """A fully connected ReLU network widths[0] -> ... -> widths[-1], float32, PyTorch's initialisation from `seed`.

    >>> [tuple(p.shape) for p in mlp([64, 32, 1]).parameters()]
    [(32, 64), (32,), (1, 32), (1,)]
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"widths must be at least two positive numbers, got {list(widths)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [layer for a, b in itertools.pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])
