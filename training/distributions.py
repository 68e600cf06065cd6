"""Data whose distribution is known: the patch-structured data on which adversarial training is analysed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


def generator_for(seed: int, purpose: int) -> torch.Generator:
    """The generator of a seed's random numbers for one purpose: those of different purposes are independent."""
    first = torch.randint(2**62, (purpose + 1,), generator=torch.Generator().manual_seed(seed))[-1]
    return torch.Generator().manual_seed(int(first))


def check_sizes(**sizes: int) -> None:
    """Raise ValueError for the first that is no integer >= 1."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"{name} must be an integer >= 1, got {size!r}")


def check_seed(seed: int) -> None:
    """Raise ValueError unless it is an integer in 0..2^63 - 1."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise ValueError(f"seed must be an integer in 0..2^63 - 1, got {seed!r}")


@dataclass(frozen=True, eq=False)
class PatchData:
    """Points X = (X[1], ..., X[P]) of patches in R^d with labels y = -1, +1, in float64; use `sample`.

    points: shape (N, P, d). labels: (N,), int64. signal_patch: (N,), the one j with X[j] = alpha y w*. direction: w*, (d,), of
    length 1. alpha: the length of the signal; sigma: the standard deviation of the noise in all directions but w*.
    Source: CGRO (anonymous 2023), Section 3.1.
    """

    points: torch.Tensor
    labels: torch.Tensor
    signal_patch: torch.Tensor
    direction: torch.Tensor
    alpha: float
    sigma: float

    @classmethod
    def sample(
        cls,
        N: int,
        d: int,
        P: int,
        seed: int,
        alpha: float | None = None,
        sigma: float | None = None,
        direction: torch.Tensor | None = None,
    ) -> PatchData:
        """N independent points: y uniform, its patch uniform, all other patches from N(0, sigma^2 (I - w* w*^T)).

        alpha and sigma are by default d^0.249 and d^-0.509. direction is w*, by default uniform on the sphere and given by the
        seed; pass that of training data to draw test data. Cost: N P d numbers. Raises ValueError for N, d, P < 1, d < 2, and
        alpha or sigma that is not positive and finite.

        >>> data = PatchData.sample(N=4, d=100, P=3, seed=0)
        >>> at = torch.arange(4), data.signal_patch
        >>> torch.equal(data.points[at] @ data.direction > 0, data.labels > 0)
        True
        """
        check_sizes(N=N, d=d, P=P)
        check_seed(seed)
        if d < 2:
            raise ValueError(f"d must be >= 2, or there is no room for noise, got {d}")
        alpha, sigma = default_scales(d, alpha, sigma)
        draw = generator_for(seed, 0)
        drawn = torch.randn(d, generator=draw, dtype=torch.float64)
        w = drawn / drawn.norm() if direction is None else direction.double()
        if w.shape != (d,) or abs(float(w.norm()) - 1) > 1e-9:
            raise ValueError(f"direction must have shape ({d},) and length 1, got {tuple(w.shape)} and {float(w.norm())}")
        labels = torch.randint(2, (N,), generator=draw) * 2 - 1
        patch = torch.randint(P, (N,), generator=draw)
        points = torch.randn(N, P, d, generator=draw, dtype=torch.float64).mul_(sigma)
        points -= (points @ w)[:, :, None] * w
        points[torch.arange(N), patch] = alpha * labels[:, None] * w
        return cls(points, labels, patch, w, alpha, sigma)

    def noise(self) -> torch.Tensor:
        """All patches but the signals, in order, shape (N, P - 1, d)."""
        rest = torch.ones(self.points.shape[:2], dtype=torch.bool)
        rest[torch.arange(len(rest)), self.signal_patch] = False
        return self.points[rest].reshape(len(rest), -1, self.points.shape[2])


def default_scales(d: int, alpha: float | None, sigma: float | None) -> tuple[float, float]:
    """alpha and sigma, where None d^0.249 and d^-0.509. Raises ValueError unless both are positive and finite."""
    alpha, sigma = d**0.249 if alpha is None else alpha, d**-0.509 if sigma is None else sigma
    for name, value in (("alpha", alpha), ("sigma", sigma)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite, got {value}")
    return float(alpha), float(sigma)
