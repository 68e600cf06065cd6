"""Points with labels, as what memorizes them reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..basics.reading import check_interval, check_labels, read_rows


@dataclass(frozen=True, eq=False)
class Data:
    """Distinct points (N, D) in float64 with their classes 0..K-1; outputs: 1 where labels are -1
    and +1 (classes 0 and 1), else K.
    """

    points: np.ndarray
    classes: np.ndarray
    outputs: int

    @property
    def count(self) -> int:
        """How many classes there are."""
        return max(2, self.outputs)


def read_data(points: Any, labels: Any, interval: tuple[float, float] | None = (0.0, 1.0)) -> Data:
    """Distinct points and their classes. Raises ValueError for what `read_rows` and `check_labels`
    refuse, one label only, classes that no point has, and equal points of different labels.
    """
    rows = read_rows(points, "points")
    if interval:
        check_interval(rows, "points", interval)
    given = check_labels(labels, len(rows)).cpu()
    kinds = sorted(set(given.tolist()))
    if len(kinds) < 2:
        raise ValueError(f"labels must hold at least two different ones, got only {kinds}")
    signs = kinds == [-1, 1]
    outputs = 1 if signs else kinds[-1] + 1
    values = check_labels(given, len(rows), outputs).numpy()
    if not signs and len(kinds) < outputs:
        missing = next(k for k in range(outputs) if k not in kinds)
        raise ValueError(f"labels must hold every class 0..{outputs - 1}, got no {missing}")
    array = rows.numpy() + 0.0  # no -0
    _, first, group = np.unique(array, axis=0, return_index=True, return_inverse=True)
    group = group.reshape(-1)
    wrong = values != values[first][group]
    if wrong.any():
        j = int(wrong.argmax())
        raise ValueError(f"labels of equal points must agree: points {first[group[j]]} and {j}")
    kept = np.sort(first)
    classes = (values[kept] + 1) // 2 if signs else values[kept]
    return Data(array[kept], classes.astype(np.int64), outputs)
