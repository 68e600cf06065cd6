"""The neural tangent kernel of networks with two layers: closed forms, finite networks, robust
interpolation in its RKHS.

Whole, because closed form, samples and interpolant are of one kernel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import torch
from torch.nn import functional

from constructions import Result
from constructions.internal import (
    Kernel,
    PerPoint,
    Rows,
    Said,
    Unpacked,
    as_coordinates,
    check_finite,
    renamed,
    said,
)
from training import TWO_LAYER_ACTIVATIONS, WideNetwork, cap_attack, compatible, project_cap
from training.internal import check_sphere, differentiating

CHUNK = 2**14
"""Weight vectors drawn at once by `sampled_kernel`."""


def neural_tangent_kernel(x: Any, z: Any, activation: str = "relu") -> Kernel:
    """Compute the kernel that the training of infinitely wide two-layer networks follows.

    K(x, z) = E <x s'(w . x), z s'(w . z)>, w from N(0, I), in closed form. ReLU: x . z (pi - angle)
    / (2 pi), the angle as 2 atan2(|u - v|, |u + v|) of the unit vectors, accurate also near 0. erf:
    x . z (4 / pi) / sqrt((1 + 2 |x|^2) (1 + 2 |z|^2) - 4 (x . z)^2). Differentiable in x and z;
    where the ReLU kernel has a cusp, at x = z, the gradient is that of its smooth factor.

    Args:
        x: (n, d).
        z: (k, d).
        activation: s, "relu" or "erf".

    Returns:
        K for all pairs of rows, float64, (n, k).

    Raises:
        ValueError: for other shapes or activations, NaN and infinity.

    Cost: n k d.

    Source: Gao et al. 2019, Definition 5.1; closed forms: Cho and Saul 2009, degree 0, and Williams
    1997.

    Example:
        >>> neural_tangent_kernel([[1.0, 0.0]], [[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
        tensor([[0.5000, 0.0000, 0.3750]], dtype=torch.float64)
    """
    _check_activation(activation)
    x, z = _rows(x, "x"), _rows(z, "z")
    if x.shape[1] != z.shape[1]:
        raise ValueError(f"x and z must have rows of one length, got {x.shape[1]} and {z.shape[1]}")
    dot = x @ z.T
    if activation == "erf":
        squares = (1 + 2 * x.square().sum(1))[:, None] * (1 + 2 * z.square().sum(1))
        return dot * (4 / math.pi) / (squares - 4 * dot.square()).sqrt()
    u, v = functional.normalize(x, eps=1e-300), functional.normalize(z, eps=1e-300)
    apart, together = (
        torch.cdist(u, w, compute_mode="donot_use_mm_for_euclid_dist") for w in (v, -v)
    )
    return dot * (math.pi - 2 * torch.atan2(apart, together)) / (2 * math.pi)


@dataclass(frozen=True, eq=False, repr=False)
class SampledKernel(Unpacked):
    """An estimate of the kernel from random weights; see `sampled_kernel`.

    Attributes:
        mean: the estimates, float64, (n, k).
        error: the standard error of each.
    """

    mean: torch.Tensor
    error: torch.Tensor

    def _says(self) -> tuple[str, dict[str, Said]]:
        rows, columns = self.mean.shape
        largest = said(float(self.error.max()), "estimate")
        return f"{rows:,} x {columns:,} values of the kernel", {"largest standard error": largest}


@renamed("x z samples activation seed")
def sampled_kernel(
    x: Any, z: Any, samples: int, *, activation: str = "relu", seed: int = 0
) -> SampledKernel:
    """Estimate the kernel from its definition, as a mean over random weight vectors.

    Args:
        x: (n, d).
        z: (k, d).
        samples: how many w are drawn, >= 2.
        activation: s, "relu" or "erf".
        seed: of the draws.

    Returns:
        `SampledKernel`: estimates and the standard error of each, both float64, (n, k).

    Raises:
        ValueError: as `neural_tangent_kernel`, and for fewer than 2 samples.

    Cost: samples (d + k) n.

    Example:
        >>> mean, error = sampled_kernel([[1.0, 0.0]], [[0.0, 1.0], [1.0, 1.0]], 10_000)
        >>> (
        ...     abs(mean - neural_tangent_kernel([[1.0, 0.0]], [[0.0, 1.0], [1.0, 1.0]]))
        ...     <= 3 * error
        ... ).tolist()
        [[True, True]]
    """
    _check_activation(activation)
    x, z = _rows(x, "x"), _rows(z, "z")
    if samples < 2:
        raise ValueError(f"samples must be >= 2, got {samples}")
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.zeros(2, len(x), len(z), dtype=torch.float64).unbind()
    for start in range(0, samples, CHUNK):
        w = torch.randn(
            min(CHUNK, samples - start), x.shape[1], generator=generator, dtype=torch.float64
        )
        at_x, at_z = (_slope(w @ points.T, activation) for points in (x, z))
        first += at_x.T @ at_z
        second += at_x.square().T @ at_z.square()
    mean = first / samples
    variance = (second / samples - mean.square()).clamp_min(0) * samples / (samples - 1)
    dot = x @ z.T
    return SampledKernel(dot * mean, dot.abs() * (variance / samples).sqrt())


@differentiating
def finite_kernel(network: WideNetwork, x: Any) -> Kernel:
    """Compute the tangent kernel of a network of finite width, at its initial weights.

    <grad_W f(W_0, x_i), grad_W f(W_0, x_j)>, by automatic differentiation. For `two_layer_network`
    a mean over its m/2 weight vectors, which tends to K as m grows; for `deep_network` m times what
    tends to a limit.

    Args:
        network: f and W_0.
        x: points, (n, d).

    Returns:
        The kernel's values, float64, (n, n).

    Raises:
        ValueError: for points of another shape, NaN and infinity.

    Cost: n backward passes; memory n numbers for each weight.

    Source: Jacot, Gabriel and Hongler 2018; Gao et al. 2019, Section 5.

    Example:
        >>> from training import two_layer_network
        >>> x = torch.eye(3).double()
        >>> bool(
        ...     (finite_kernel(two_layer_network(3, 65_536), x) - neural_tangent_kernel(x, x))
        ...     .abs()
        ...     .max()
        ...     < 0.01
        ... )
        True
    """
    points = _rows(x, "x")
    moving = tuple(w.detach().requires_grad_(True) for w in network.initial)
    rows = [
        torch.autograd.grad(network.evaluate(moving, point[None])[0], moving) for point in points
    ]
    jacobian = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
    return jacobian @ jacobian.T


@dataclass(frozen=True, eq=False, repr=False)
class KernelInterpolant(Result):
    """The function of least norm that takes given labels at given points; see `robust_interpolant`.

    f = sum_j c_j K(., x_j), of least RKHS norm with f(x_j) = y_j at all `points`.

    Attributes:
        points: x_j, (M, d).
        labels: y_j, (M,).
        coefficients: c_j, (M,).
        activation: of the kernel.
        norm: ||f|| = sqrt(y . c), the R that a wide network needs for f.
        condition: of the kernel matrix, in the 2-norm.
        residual: max_j |f(x_j) - y_j|, which rounding leaves.
    """

    points: Rows
    labels: PerPoint
    coefficients: PerPoint
    activation: str
    norm: float
    condition: float
    residual: float

    def _says(self) -> tuple[str, dict[str, Said]]:
        count, d = self.points.shape
        return f"least-norm function through {count} points of R^{d}, {self.activation}", {
            name: said(getattr(self, name), "rounded") for name in ("norm", "residual", "condition")
        }

    def __call__(self, x: Rows) -> PerPoint:
        """Evaluate f, differentiably.

        Args:
            x: points, (n, d).

        Returns:
            Values, (n,).
        """
        return neural_tangent_kernel(x, self.points, self.activation) @ self.coefficients

    @differentiating
    def weights(self, network: WideNetwork) -> tuple[torch.Tensor, ...]:
        """Find weights with which a wide network is this function, but for 1 / sqrt(m).

        W = W_0 + sum_j c_j grad_W f(W_0, x_j), near the start. The linearisation is sum_j c_j
        K_m(., x_j) with the finite kernel K_m, and ||W - W_0||_F^2 = c . K_m c, which tends to
        ||f||^2: random features with one sample for each weight vector.

        Args:
            network: the wide network, with W_0.

        Returns:
            W, a tensor for each layer.

        Cost: a backward pass of all `points`.

        Source: the existence in Gao et al. 2019, Theorem 5.2, made explicit.
        """
        moving = tuple(w.detach().requires_grad_(True) for w in network.initial)
        slopes = torch.autograd.grad(
            network.evaluate(moving, self.points) @ self.coefficients, moving
        )
        return tuple(w + slope for w, slope in zip(network.initial, slopes, strict=True))


def robust_interpolant(
    x: Rows,
    y: PerPoint,
    delta: float,
    *,
    samples: int = 0,
    rounds: int = 0,
    activation: str = "relu",
    seed: int = 0,
) -> KernelInterpolant:
    """Find the least-norm function that is right at points and at samples of their caps.

    f in the RKHS with f = y_i at x_i and at points of its cap; what it is between them, `cap_error`
    measures. The points are random ones of each cap's rim (uniform directions); then, `rounds`
    times, the worst point of each cap that `cap_attack` finds is added (the exchange method of
    semi-infinite programming), so M = n (1 + samples + rounds) points. More points never lower the
    norm, and it is at most that of any f that is y_i on whole caps, so it bounds from below the R
    of exact robust interpolation.

    Args:
        x: unit vectors (n, d), float64.
        y: labels -1, +1, (n,), float64.
        delta: radius of the caps, in [0, 1].
        samples: random points of each cap.
        rounds: how often the worst points are added.
        activation: of the kernel, "relu" or "erf".
        seed: of points and attacks.

    Returns:
        A `KernelInterpolant`.

    Raises:
        ValueError: for arguments out of range, caps of different labels that meet, and where the
            kernel matrix is singular up to rounding: the kernel is not universal on the whole
            sphere (ReLU: linear and even functions only; erf: odd ones only), and erf's is smooth,
            so that near points soon exhaust float64.

    Cost: (1 + rounds) M^3, memory M^2.

    Source: Gao et al. 2019, Assumption 5.2.

    Example:
        >>> f = robust_interpolant(
        ...     torch.eye(3).double(), torch.tensor([1.0, -1.0, 1.0]).double(), 0.1, samples=4
        ... )
        >>> (
        ...     len(f.points),
        ...     f.residual < 1e-12,
        ...     f.norm > robust_interpolant(f.points[:3], f.labels[:3], 0.1).norm,
        ... )
        (15, True, True)
    """
    _check_activation(activation)
    check_sphere(x, y, delta)
    if not compatible(x, y, delta):
        raise ValueError(
            f"delta must leave the caps of different labels disjoint (see compatible), got {delta}"
        )
    if not all(isinstance(count, int) and count >= 0 for count in (samples, rounds)):
        raise ValueError(f"samples and rounds must be integers >= 0, got {samples} and {rounds}")
    generator = torch.Generator().manual_seed(seed)
    centres = x.repeat(samples, 1)
    around = centres + 10 * torch.randn(centres.shape, generator=generator, dtype=x.dtype)
    points, labels = torch.cat([x, project_cap(around, centres, delta)]), y.repeat(1 + samples)
    f = _interpolant(points, labels, activation)
    for _ in range(rounds):
        worst = cap_attack(f, x, y, delta, steps=20, restarts=4, generator=generator)
        new = (
            torch.cdist(worst, f.points, compute_mode="donot_use_mm_for_euclid_dist").amin(1) > 1e-6
        )
        f = _interpolant(
            torch.cat([f.points, worst[new]]), torch.cat([f.labels, y[new]]), activation
        )
    return f


def _interpolant(points: torch.Tensor, labels: torch.Tensor, activation: str) -> KernelInterpolant:
    gram, target = neural_tangent_kernel(points, points, activation).numpy(), labels.numpy()
    values, vectors = scipy.linalg.eigh(gram)
    if values[0] <= len(values) * np.finfo(float).eps * values[-1]:
        raise ValueError(
            f"points must have a regular kernel matrix: of {len(values)} eigenvalues, the least is "
            f"{values[0]:.3g} and the "
            f"largest {values[-1]:.3g}"
        )
    coefficients = vectors @ (vectors.T @ target / values)
    residual = float(np.abs(gram @ coefficients - target).max())
    norm, condition = math.sqrt(float(target @ coefficients)), float(values[-1] / values[0])
    return KernelInterpolant(
        points, labels, torch.from_numpy(coefficients), activation, norm, condition, residual
    )


@differentiating
def _slope(z: torch.Tensor, activation: str) -> torch.Tensor:
    """s'(z)."""
    z = z.requires_grad_(True)
    return torch.autograd.grad(TWO_LAYER_ACTIVATIONS[activation](z).sum(), z)[0]


def _rows(points: Any, name: str) -> torch.Tensor:
    x = (points if isinstance(points, torch.Tensor) else as_coordinates(points, name)).double()
    if x.ndim != 2 or not x.numel():
        raise ValueError(f"{name} must have shape (n, d) with n, d >= 1, got {tuple(x.shape)}")
    check_finite(x.detach(), name)
    return x


def _check_activation(activation: str) -> None:
    if activation not in TWO_LAYER_ACTIVATIONS:
        raise ValueError(
            f"activation must be one of {', '.join(TWO_LAYER_ACTIVATIONS)}, got {activation!r}"
        )
