"""Points with labels, as what draws or builds them gives them back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch

from .result import Said, Unpacked, said

Array = TypeVar("Array", np.ndarray, torch.Tensor)


@dataclass(frozen=True, eq=False, repr=False)
class LabelledPoints(Unpacked, Generic[Array]):
    """Points and their labels.

    Attributes:
        points: (n, D).
        labels: (n,).

    Example:
        >>> points, labels = LabelledPoints(np.zeros((3, 2)), np.array([1, -1, 1]))
        >>> LabelledPoints(points, labels)
        LabelledPoints: points of R^2, labelled -1, 1
          points 3 (exact)
    """

    points: Array
    labels: Array

    def _says(self) -> tuple[str, dict[str, Said]]:
        count, dimension = self.points.shape
        labels = ", ".join(f"{label:g}" for label in sorted(set(self.labels.tolist())))
        return f"points of R^{dimension}, labelled {labels}", {"points": said(count, "exact")}
