"""Data whose distribution is known, on which adversarial training is analysed: patch-structured and
linear-separable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from constructions.internal import (
    Flags,
    Floats,
    Labels,
    Points,
    RowNumbers,
    Rows,
    Vector,
    check_finite,
    check_labels,
)


def generator_for(seed: int, purpose: int) -> torch.Generator:
    """The generator of a seed's random numbers for one purpose: those of different purposes are
    independent.
    """
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


def unit_direction(d: int, draw: torch.Generator, given: torch.Tensor | None) -> torch.Tensor:
    """w*, shape (d,): `given`, or uniform on the sphere. Raises ValueError unless it has that shape
    and length 1.
    """
    # drawn in any case: other numbers do not depend on `given`
    drawn = torch.randn(d, generator=draw, dtype=torch.float64)
    w = drawn / drawn.norm() if given is None else given.double()
    if w.shape != (d,) or not abs(float(w.norm()) - 1) <= 1e-9:
        raise ValueError(
            f"direction must have shape ({d},) and length 1, got {tuple(w.shape)} and "
            f"{float(w.norm())}"
        )
    return w


@dataclass(frozen=True, eq=False, repr=False)
class PatchData:
    """Labelled points of patches: one patch carries the signal, the others noise.

    Points X = (X[1], ..., X[P]) of patches in R^d with labels y = -1, +1, in float64; use `sample`.

    Attributes:
        points: shape (N, P, d).
        labels: (N,), int64.
        signal_patch: (N,), the one j with X[j] = alpha y w*.
        direction: w*, (d,), of length 1.
        alpha: the length of the signal.
        sigma: the standard deviation of the noise in all directions but w*.

    Source: CGRO (anonymous 2023), Section 3.1.
    """

    points: Points
    labels: Labels
    signal_patch: RowNumbers
    direction: Vector
    alpha: float
    sigma: float

    def __repr__(self) -> str:
        count, P, d = self.points.shape
        scales = f"alpha {self.alpha:g}, sigma {self.sigma:g}"
        return f"PatchData({count} points of {P} patches in R^{d}, {scales})"

    @classmethod
    def sample(
        cls,
        N: int,
        d: int,
        P: int,
        seed: int,
        alpha: float | None = None,
        sigma: float | None = None,
        direction: Vector | None = None,
    ) -> PatchData:
        """Draw N independent points.

        y is uniform, its patch uniform, all other patches from N(0, sigma^2 (I - w* w*^T)).

        Args:
            N: points.
            d: dimension of a patch.
            P: patches.
            seed: of everything that is drawn.
            alpha: by default d^0.249.
            sigma: by default d^-0.509.
            direction: w*, by default uniform on the sphere and given by the seed; pass that of
                training data to draw test data.

        Returns:
            A `PatchData`.

        Raises:
            ValueError: for N, d, P < 1, d < 2, and alpha or sigma that is not positive and finite.

        Cost: N P d numbers.

        Example:
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
        w = unit_direction(d, draw, direction)
        labels = torch.randint(2, (N,), generator=draw) * 2 - 1
        patch = torch.randint(P, (N,), generator=draw)
        points = torch.randn(N, P, d, generator=draw, dtype=torch.float64).mul_(sigma)
        points -= (points @ w)[:, :, None] * w
        points[torch.arange(N), patch] = alpha * labels[:, None].double() * w
        return cls(points, labels, patch, w, alpha, sigma)

    def noise(self) -> Floats:
        """All patches but the signals, in order, shape (N, P - 1, d)."""
        rest = torch.ones(self.points.shape[:2], dtype=torch.bool)
        rest[torch.arange(len(rest)), self.signal_patch] = False
        return self.points[rest].reshape(len(rest), -1, self.points.shape[2])


def default_scales(d: int, alpha: float | None, sigma: float | None) -> tuple[float, float]:
    """alpha and sigma, where None d^0.249 and d^-0.509. Raises ValueError unless both are positive
    and finite.
    """
    alpha, sigma = d**0.249 if alpha is None else alpha, d**-0.509 if sigma is None else sigma
    for name, value in (("alpha", alpha), ("sigma", sigma)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite, got {value}")
    return float(alpha), float(sigma)


@dataclass(frozen=True, eq=False, repr=False)
class SeparableData:
    """Labelled points of a linear signal, large or small, and noise orthogonal to it.

    Points x = c y w* + xi of R^d with labels y = -1, +1, in float64; use `sample`.

    Attributes:
        points: shape (N, d).
        labels: (N,), int64.
        large: (N,), bool: c is alpha there and beta elsewhere.
        noise: xi, (N, d), orthogonal to direction.
        direction: w*, (d,), of length 1.
        alpha: the large signal.
        beta: the small one.

    Raises:
        ValueError: for parts that do not fit together, labels other than -1 and +1, and points that
            are not finite.

    Source: CGRM (anonymous 2023), Section 4.
    """

    points: Rows
    labels: Labels
    large: Flags
    noise: Rows
    direction: Vector
    alpha: float
    beta: float

    def __repr__(self) -> str:
        count, d = self.points.shape
        return f"SeparableData({count} points in R^{d}, alpha {self.alpha:g}, beta {self.beta:g})"

    def __post_init__(self) -> None:
        (count, d), rows = self.points.shape, (len(self.points),)
        if (self.labels.shape, self.large.shape, self.noise.shape, self.direction.shape) != (
            rows,
            rows,
            (count, d),
            (d,),
        ):
            raise ValueError(
                f"points, labels, large, noise and direction must fit together, got points "
                f"{tuple(self.points.shape)}"
            )
        check_labels(self.labels, count, 1)
        check_finite(self.points, "points")

    @classmethod
    def sample(
        cls,
        N: int,
        d: int,
        seed: int,
        alpha: float,
        beta: float | None = None,
        small: int = 0,
        direction: Vector | None = None,
    ) -> SeparableData:
        """Draw N independent points, the last `small` of which have margin beta.

        y is uniform, xi from N(0, I - w* w*^T).

        Args:
            N: points.
            d: dimension.
            seed: of everything that is drawn.
            alpha: the large signal.
            beta: the small one, by default alpha / 16.
            small: how many points have it.
            direction: w*, by default uniform on the sphere and given by the seed; pass that of
                training data to draw test data.

        Returns:
            A `SeparableData`.

        Raises:
            ValueError: for N < 1, d < 2, small not in 0..N, and unless 0 < beta < alpha are finite.

        Cost: N d numbers.

        Example:
            >>> data = SeparableData.sample(N=4, d=100, seed=0, alpha=8.0, small=1)
            >>> (
            ...     data.large.tolist(),
            ...     (data.points @ data.direction * data.labels).numpy().round(9).tolist(),
            ... )
            ([True, True, True, False], [8.0, 8.0, 8.0, 0.5])
        """
        check_sizes(N=N, d=d)
        check_seed(seed)
        if d < 2:
            raise ValueError(f"d must be >= 2, or there is no room for noise, got {d}")
        if isinstance(small, bool) or not isinstance(small, int) or not 0 <= small <= N:
            raise ValueError(f"small must be an integer in 0..{N}, got {small!r}")
        beta = alpha / 16 if beta is None else beta
        if not 0 < beta < alpha < math.inf:
            raise ValueError(
                f"beta and alpha must be finite with 0 < beta < alpha, got {beta} and {alpha}"
            )
        draw = generator_for(seed, 0)
        w = unit_direction(d, draw, direction)
        labels = torch.randint(2, (N,), generator=draw) * 2 - 1
        noise = torch.randn(N, d, generator=draw, dtype=torch.float64)
        noise -= (noise @ w)[:, None] * w
        large = torch.arange(N) < N - small
        scale = torch.where(large, alpha, beta).double()
        return cls(
            (scale * labels)[:, None] * w + noise,
            labels,
            large,
            noise,
            w,
            float(alpha),
            float(beta),
        )
