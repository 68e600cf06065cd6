"""l_p balls: where the norm is branched on, for steps, sampling, projection and dual norms."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Rational
from typing import Any

import numpy as np
import torch

from .norms import beyond_scale, norm_name, read_norm
from .shapes import Floats, PerPoint


@dataclass(frozen=True)
class Ball:
    """A closed l_p ball of some radius around a centre that is named later; p is 2 or infinity.

    Tensors have shape (batch, ...): the norm runs over all axes but the first.

    Attributes:
        p: 2.0 or math.inf; "2" and "inf" are read.
        radius: finite and >= 0, a float64; a fraction or decimal must be one.

    Raises:
        ValueError: for another norm, and a radius that is not finite and >= 0, or would be rounded.
        TypeError: for a radius that is no number.

    Example:
        >>> ball = Ball("inf", 0.1)
        >>> ball.p, ball.dual
        (inf, 1.0)
        >>> ball.project(torch.tensor([[0.5, 0.9]]), torch.tensor([[0.45, 0.45]]))
        tensor([[0.5000, 0.5500]])
    """

    p: float
    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "p", read_norm(self.p, "norm p"))
        try:
            if isinstance(self.radius, (bool, np.bool_, str)):  # float() reads these
                raise TypeError
            radius = float(self.radius)
        except OverflowError:
            radius = math.inf
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(f"radius must be a number, got {self.radius!r}") from error
        if not (math.isfinite(radius) and radius >= 0):
            raise ValueError(f"radius must be finite and >= 0, got {self.radius}")
        if isinstance(self.radius, (Rational, Decimal)) and Fraction(self.radius) != radius:
            raise ValueError(
                f"radius must be a number that float64 holds, got {self.radius}, which would be "
                f"rounded: give the float that is meant, such as {radius!r}"
            )
        object.__setattr__(self, "radius", radius)

    @property
    def dual(self) -> float:
        """The dual exponent q with 1/p + 1/q = 1."""
        return 2.0 if self.p == 2 else 1.0

    def norm(self, x: Floats) -> PerPoint:
        """Measure the length ||x_i||_p of each row.

        Args:
            x: shape (batch, ...).

        Returns:
            Shape (batch,).
        """
        return torch.linalg.vector_norm(x.flatten(1), ord=self.p, dim=1)

    def dual_norm(self, gradient: Floats) -> PerPoint:
        """Measure each gradient by the steepest change per unit of radius: ||g_i||_q.

        Args:
            gradient: shape (batch, ...).

        Returns:
            Shape (batch,).
        """
        return torch.linalg.vector_norm(gradient.flatten(1), ord=self.dual, dim=1)

    def project(self, x: Floats, centre: Floats) -> Floats:
        """Give the nearest point of the ball, shrunk by rounding so that it never lies outside.

        Args:
            x: shape (batch, ...).
            centre: the balls' centres, of the same shape.

        Returns:
            A tensor of that shape.
        """
        if not centre.numel():
            return x.clone()
        eps = torch.finfo(x.dtype).eps
        # numbers of float64 on the centre's device, so that nobody waits for it
        rounding = eps * (1.0 + self.radius + centre.abs().max().double())
        if self.p == math.inf:
            radius = (self.radius - rounding).clamp_min(0.0)
            return torch.clamp(x, centre - radius, centre + radius)
        offset = x - centre
        length = self.norm(offset).clamp_min(torch.finfo(x.dtype).tiny)
        allowed = self.radius * (1 - 8 * eps) - rounding * math.sqrt(centre[0].numel())
        allowed = allowed.clamp_min(0.0)
        factor = (allowed / length).clamp_max(1.0)
        return centre + offset * factor.reshape(-1, *[1] * (x.ndim - 1))

    def ascent(self, gradient: Floats) -> Floats:
        """Give the unit direction (in l_p) along which a linear function grows fastest.

        Args:
            gradient: that of the function, shape (batch, ...).

        Returns:
            A tensor of that shape.
        """
        if self.p == math.inf:
            return gradient.sign()
        tiny = torch.finfo(gradient.dtype).tiny
        column = (-1, *[1] * (gradient.ndim - 1))
        # squares must not underflow
        scaled = gradient / gradient.abs().flatten(1).amax(1).clamp_min(tiny).reshape(column)
        return scaled / torch.linalg.vector_norm(scaled.flatten(1), dim=1).clamp_min(tiny).reshape(
            column
        )

    def sample(self, centre: Floats, generator: torch.Generator | None = None) -> Floats:
        """Draw a uniformly distributed point of the ball around each row.

        Args:
            centre: shape (batch, ...).
            generator: of the random numbers; None: the global one.

        Returns:
            A tensor of that shape.
        """

        def draw(sampler: Any, *shape: int) -> torch.Tensor:
            return sampler(*shape, generator=generator, dtype=centre.dtype, device=centre.device)

        if self.p == math.inf:
            offset = 2 * draw(torch.rand, *centre.shape) - 1
        else:
            dimension = centre[0].numel() if len(centre) else 1
            length = draw(torch.rand, len(centre)) ** (1 / dimension)
            offset = self.ascent(draw(torch.randn, *centre.shape)) * length.reshape(
                -1, *[1] * (centre.ndim - 1)
            )
        return self.project(centre + self.radius * offset, centre)

    def __str__(self) -> str:
        return f"l_{norm_name(self.p)} ball of radius {self.radius:g}"


def check_ball(ball: Any, *, positive: bool = False) -> None:
    """Raise TypeError for what is no `Ball`, and ValueError for radius 0 if it is to be positive.

    >>> check_ball(0.1)
    Traceback (most recent call last):
    ...
    TypeError: ball must be a Ball, got float
    """
    if not isinstance(ball, Ball):
        raise TypeError(f"ball must be a Ball, got {type(ball).__name__}")
    if positive and ball.radius == 0:
        raise ValueError(f"ball must have a radius > 0, got {ball}")


def warn_of_scale(ball: Ball, dimension: int | None = None) -> None:
    """Warn of a ball that holds all of [0,1]^D, whatever its centre: 8, say, instead of 8/255.

    Called where points are in [0,1]. dimension: D; None: unknown, only l_inf balls are looked at.

    >>> warn_of_scale(Ball("inf", 8 / 255), 784)  # says nothing
    """
    if text := beyond_scale(ball.p, ball.radius, dimension):
        warnings.warn(text, stacklevel=1)  # here: said once, whoever notices it first
