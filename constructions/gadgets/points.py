"""Points as matrices, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..basics.floats import from_shared
from ..linear.matrix import Dense
from .approximation import UNIT


def read_points(points: Any, name: str, interval: tuple[float, float] | None = UNIT) -> Dense:
    """Points of shape (D,) or (N, D) as a Dense N x D matrix; raises ValueError outside the
    interval or if not finite.
    """
    array = (
        points
        if isinstance(points, torch.Tensor)
        else from_shared(np.asarray(points, dtype=np.float64))
    )
    array = array.detach().to(torch.float64).cpu()
    array = array[None] if array.ndim == 1 else array
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"{name} must have shape (D,) or (N, D) with N, D >= 1, got {tuple(array.shape)}"
        )
    if not torch.isfinite(array).all():
        raise ValueError(
            f"{name} must be finite, got NaN or infinity in row "
            f"{int((~torch.isfinite(array)).any(1).nonzero()[0])}"
        )
    if interval and not (float(array.min()) >= interval[0] and float(array.max()) <= interval[1]):
        low, high = float(array.min()), float(array.max())
        hint = " (images: divide by 255)" if low >= 0 and 1 < high <= 255 else ""
        raise ValueError(
            f"{name} must lie in [{interval[0]:g}, {interval[1]:g}], got values in [{low:.6g}, "
            f"{high:.6g}]{hint}"
        )
    return Dense(array)
