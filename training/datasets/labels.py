"""Labels -1, +1 (one output) and 0..K-1 (K outputs), read by one reader."""

from __future__ import annotations

from typing import Any

import torch

from .reading import as_tensor


def check_labels(labels: Any, count: int, outputs: int | None = None) -> torch.Tensor:
    """Labels as int64, shape (count,): -1, +1 (one output) or 0..K-1 (K outputs; None: any
    integers), of any integer dtype.

    Raises ValueError, and TypeError for what are no numbers.

    >>> check_labels(torch.tensor([0, 1], dtype=torch.int8), 2, 2)
    tensor([0, 1])
    >>> check_labels([0, 1], 2, 1)
    Traceback (most recent call last):
    ...
    ValueError: labels must be -1 or +1 for a network with 1 outputs, got 0 at index 0:
      use -1/+1, such as 2 * labels - 1
    """
    given = as_tensor(labels, "labels")
    if tuple(given.shape) != (count,):
        raise ValueError(
            f"labels must have shape ({count},), one for each point, got {tuple(given.shape)}"
        )
    if given.dtype == torch.bool or given.is_floating_point() or given.is_complex():
        advice = (
            "use 2 * labels.long() - 1 or labels.long()"
            if given.dtype == torch.bool
            else "use labels.long()"
        )
        raise ValueError(f"labels must be integers, got {given.dtype}: {advice}")
    found = given.long()
    if outputs is None:
        return found
    wrong = found.abs() != 1 if outputs == 1 else (found < 0) | (found >= outputs)
    if wrong.any():
        i = int(wrong.nonzero()[0])
        allowed, advice = (
            ("-1 or +1", ": use -1/+1, such as 2 * labels - 1")
            if outputs == 1
            else (f"0..{outputs - 1}", "")
        )
        raise ValueError(
            f"labels must be {allowed} for a network with {outputs} outputs, got {given[i].item()} "
            f"at index {i}{advice}"
        )
    return found
