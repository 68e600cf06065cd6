"""Affine maps, the layers of networks."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch

from .matrix import Array, Count, Matrix


@dataclass(frozen=True, eq=False)
class Affine:
    """An affine map x -> weight x + bias, one layer of a network.

    The bias is a one-column `Matrix`, so a repeated bias is stored once.

    Attributes:
        weight: the matrix, (m, n).
        bias: a matrix of shape (m, 1).

    Raises:
        ValueError: for a bias whose shape does not fit the weight.

    Example:
        >>> from constructions import Constant, Identity
        >>> Affine(Identity(2), Constant(2, 1, 0.0)).apply(torch.tensor([1.0, 2.0]))
        tensor([1., 2.])
    """

    weight: Matrix
    bias: Matrix

    def __post_init__(self) -> None:
        if self.bias.shape != (self.weight.shape[0], 1):
            raise ValueError(
                f"bias must have shape {(self.weight.shape[0], 1)} to fit {self.weight}, got "
                f"{self.bias.shape}"
            )

    def apply(self, x: Array) -> Array:
        """Map x of shape (..., n) to (..., m).

        Args:
            x: a tensor, or a numpy array of Fractions.

        Returns:
            Values in the dtype and on the device of x; exact if x holds Fractions.
        """
        one = (
            x.new_ones(1) if isinstance(x, torch.Tensor) else np.array([Fraction(1)], dtype=object)
        )
        return self.weight.apply(x) + self.bias.apply(one)

    @property
    def parameters(self) -> Count:
        """Nonzero weights and biases."""
        return self.weight.nonzeros + self.bias.nonzeros
