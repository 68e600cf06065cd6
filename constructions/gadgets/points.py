"""Points as matrices, checked."""

from __future__ import annotations

from typing import Any

from ..basics.reading import check_interval, read_rows
from ..linear.matrix import Dense
from .approximation import UNIT


def read_points(points: Any, name: str, interval: tuple[float, float] | None = UNIT) -> Dense:
    """Points of shape (D,) or (N, D) as a Dense N x D matrix; raises ValueError outside the
    interval or if not finite.
    """
    rows = read_rows(points, name)
    if interval:
        check_interval(rows, name, interval)
    return Dense(rows)
