"""The separation of labelled points, measured once and handed on with what tells the points."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import torch

from constructions import HERE, Engine, Separation, separation
from constructions.internal import read_norm


@dataclass(frozen=True)
class KnownSeparation:
    """What `separation` gave, bound to the points, labels and norm that it was measured on.

    distance: the least one between points of different labels, as measured. digest: SHA-256 of the
    points as float64, their labels and the norm.

    >>> points, labels = torch.tensor([[0.0], [0.25], [1.0]]), torch.tensor([1, 1, -1])
    >>> known = KnownSeparation.of(points, labels, "inf")
    >>> known.found.distance, known.is_of(points, labels, "inf"), known.is_of(points, -labels, 2)
    (0.75, True, False)
    """

    found: Separation
    digest: str

    @classmethod
    def of(
        cls, points: torch.Tensor, labels: torch.Tensor, norm: float | str, engine: Engine = HERE
    ) -> KnownSeparation:
        """Measure points (N, D) with labels (N,). Cost and errors: those of `separation`."""
        found = separation(points.numpy(), labels.numpy(), norm=norm, engine=engine)
        return cls(found, _digest(points, labels, norm))

    def is_of(self, points: torch.Tensor, labels: torch.Tensor, norm: float | str) -> bool:
        """Whether it was measured on these points, whatever their dtype, with these labels."""
        return self.digest == _digest(points, labels, norm)


def _digest(points: torch.Tensor, labels: torch.Tensor, norm: float | str) -> str:
    x = np.ascontiguousarray(points.double().numpy())
    y = np.ascontiguousarray(labels.numpy().astype(np.int64))
    squared = not math.isinf(read_norm(norm))
    found = hashlib.sha256(f"{x.shape} {'2' if squared else 'inf'}".encode())
    for array in (x, y):
        found.update(array.data)
    return found.hexdigest()
