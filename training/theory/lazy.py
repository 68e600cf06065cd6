"""Adversarial training of wide networks near their initialisation: weights move little, and f is
almost linear in them.

Points and their perturbations lie on the unit sphere: B(x) is the cap of all x' with ||x'|| = 1 and
||x' - x|| <= delta. Whole, because it is one paper's setting: caps, networks and their training are
stated in terms of each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from constructions import LabelledPoints, Result
from constructions.internal import (
    Alike,
    Curve,
    Labels,
    LayerCurves,
    PerPoint,
    PointCurves,
    Rows,
    Said,
    renamed,
    said,
)

from ..datasets.distributions import check_seed, check_sizes, generator_for
from ..datasets.reading import differentiating, measuring

Weights = tuple[torch.Tensor, ...]
Function = Callable[[torch.Tensor], torch.Tensor]
"""Maps points (n, d) to values (n,), differentiably."""
Perturbation = Callable[[Function, torch.Tensor, torch.Tensor], torch.Tensor]
"""The perturbation function A: (f, points (n, d), labels (n,)) to points of their caps, (n, d)."""

TWO_LAYER_ACTIVATIONS: dict[str, Function] = {"relu": torch.relu, "erf": torch.erf}
"""Activations of the two-layer network: erf is smooth with a bounded derivative, as its theory
assumes; ReLU is not smooth.
"""


# -- caps ------------------------------------------------------------------------------------------


def check_sphere(x: Rows, y: PerPoint, delta: float) -> None:
    """Raise ValueError unless the arguments are labelled points of the unit sphere and a radius.

    Args:
        x: unit vectors (n, d), d >= 2, float64.
        y: labels -1, +1, (n,), float64.
        delta: radius of the caps, in [0, 1].

    Raises:
        ValueError: for anything else; lengths may be off by 1e-9.
    """
    if x.ndim != 2 or not len(x) or x.shape[1] < 2 or x.dtype != torch.float64:
        raise ValueError(
            f"x must be float64 of shape (n, d) with n >= 1 and d >= 2, got {x.dtype} "
            f"{tuple(x.shape)}"
        )
    lengths = x.norm(dim=1)
    if not bool(((lengths - 1).abs() <= 1e-9).all()):
        raise ValueError(
            f"x must lie on the unit sphere, got lengths from {float(lengths.min())} to "
            f"{float(lengths.max())}"
        )
    if y.shape != x.shape[:1] or y.dtype != torch.float64 or not bool((y.abs() == 1).all()):
        raise ValueError(
            f"y must be float64 labels -1, +1 of shape ({len(x)},), got {y.dtype} {tuple(y.shape)}"
        )
    if not 0 <= delta <= 1:
        raise ValueError(f"delta must be between 0 and 1, got {delta}")


def compatible(x: Rows, y: PerPoint, delta: float) -> bool:
    """Tell whether the caps around points with different labels are disjoint.

    They are if the angle between the points is above 4 arcsin(delta / 2).

    Args:
        x: unit vectors (n, d), float64.
        y: labels -1, +1, (n,), float64.
        delta: radius of the caps, in [0, 1].

    Returns:
        Whether all are.

    Raises:
        ValueError: as `check_sphere`.

    Cost: n^2 d.

    Source: Gao et al. 2019, Definition 3.1.

    Example:
        >>> x, y = torch.eye(2, dtype=torch.float64), torch.tensor([1.0, -1.0], dtype=torch.float64)
        >>> compatible(x, y, 0.5), compatible(x, y, 0.8)
        (True, False)
    """
    check_sphere(x, y, delta)
    chords = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")[y[:, None] != y]
    return bool((2 * torch.arcsin((chords / 2).clamp_max(1)) > 4 * math.asin(delta / 2)).all())


def sphere_data(n: int, d: int, delta: float, seed: int = 0) -> LabelledPoints[torch.Tensor]:
    """Draw random labelled points on the sphere whose caps are compatible.

    Points are uniform; labels are drawn first, and a point whose cap meets one of another label is
    drawn again.

    Args:
        n: how many points.
        d: dimension of the space, >= 2.
        delta: radius of the caps, in [0, 1].
        seed: of the draws.

    Returns:
        `LabelledPoints`: points (n, d) and labels -1, +1, (n,), both float64.

    Raises:
        ValueError: for sizes, seed or delta out of range, and if 100 n draws find no room.

    Example:
        >>> x, y = sphere_data(8, 3, 0.1)
        >>> x.shape, y.shape, compatible(x, y, 0.1)
        (torch.Size([8, 3]), torch.Size([8]), True)
    """
    check_sizes(n=n, d=d)
    check_seed(seed)
    if d < 2:
        raise ValueError(f"d must be >= 2, got {d}")
    draw = generator_for(seed, 0)
    x, y = (
        torch.empty(0, d, dtype=torch.float64),
        (torch.randint(2, (n,), generator=draw) * 2 - 1).double(),
    )
    for _ in range(100 * n):
        point = functional.normalize(torch.randn(1, d, generator=draw, dtype=torch.float64))
        more = torch.cat([x, point])
        if compatible(more, y[: len(more)], delta):
            x = more
        if len(x) == n:
            return LabelledPoints(x, y)
    raise ValueError(f"delta must leave room for {n} caps on the sphere in R^{d}, got {delta}")


def project_cap(points: Rows, centre: Rows, delta: float) -> Rows:
    """Move points to the nearest points, on the sphere, of caps.

    Args:
        points: (n, d), float64.
        centre: unit vectors, the centres of the caps, (n, d), float64.
        delta: radius of the caps.

    Returns:
        Points (n, d), float64: on the sphere up to rounding, within delta of the centre exactly;
        with delta = 0 the centre itself.

    Example:
        >>> project_cap(
        ...     torch.tensor([[0.0, 2.0]]).double(), torch.tensor([[1.0, 0.0]]).double(), 0.5
        ... )
        tensor([[0.8750, 0.4841]], dtype=torch.float64)
    """
    rounding = 8 * math.sqrt(centre.shape[1]) * 2.0**-52
    allowed = max(0.0, delta - rounding)
    angle = 2 * math.asin(allowed / 2)
    found = functional.normalize(points)
    tangent = functional.normalize(found - (found * centre).sum(1, keepdim=True) * centre)
    edge = math.cos(angle) * centre + math.sin(angle) * tangent
    return torch.where(
        (found - centre).norm(dim=1, keepdim=True) > allowed, edge if angle else centre, found
    )


def huber(values: Alike, labels: Alike) -> Alike:
    """Compute the Huber loss of values: a square near the label, linear far from it.

    l(f, y) = (f - y)^2 / 2 where |f - y| <= 1, else |f - y| - 1/2. Convex, Lipschitz and smooth in
    f, each with constant 1, 0 at f = y and nowhere negative.

    Args:
        values: f, any shape.
        labels: y, of the same shape.

    Returns:
        One loss for each value.

    Source: Huber 1964; a loss as Gao et al. 2019, Assumption 3.1, ask for.

    Example:
        >>> huber(torch.tensor([1.0, 0.0, -1.0]), torch.tensor([1.0, 1.0, 1.0]))
        tensor([0.0000, 0.5000, 1.5000])
    """
    return functional.huber_loss(values, labels, reduction="none")


@renamed("f x y delta steps restarts generator")
@measuring(evaluating=False)
def cap_attack(
    f: Callable[[Rows], PerPoint],
    x: Rows,
    y: PerPoint,
    delta: float,
    *,
    steps: int = 5,
    restarts: int = 0,
    generator: torch.Generator | None = None,
) -> Rows:
    """Look for points of the caps at which the loss is largest.

    `steps` steps of 2.5 delta / steps on the sphere, each along the gradient's tangential part
    (where f = y and it is 0, along that of -y f), then `project_cap`. Starts at x, so that A is a
    function of weights and point; `restarts` more at random points. Each point keeps its best
    iterate, so the loss is at least that at x, and a lower bound of the largest. steps = 1 is FGSM
    for l_2.

    Args:
        f: maps points (n, d) to values (n,), differentiably.
        x: unit vectors (n, d), float64.
        y: labels -1, +1, (n,), float64.
        delta: radius of the caps, in [0, 1].
        steps: of each ascent, >= 1.
        restarts: further ascents, >= 0.
        generator: of the random starts.

    Returns:
        Points of the caps, (n, d), where huber(f(x'), y) is as large as found.

    Raises:
        ValueError: for x not on the sphere, other labels, and numbers out of range.
        FloatingPointError: where f is NaN or infinite.

    Cost: (1 + restarts) steps forward and backward passes.

    Source: Madry et al. 2018, Section 2.1, on the sphere.

    Example:
        >>> x, y = torch.tensor([[1.0, 0.0]]).double(), torch.tensor([-1.0]).double()
        >>> cap_attack(lambda x: x[:, 0] + x[:, 1], x, y, 0.5)
        tensor([[0.8750, 0.4841]], dtype=torch.float64)
    """
    check_sphere(x, y, delta)
    if steps < 1 or restarts < 0:
        raise ValueError(f"steps must be >= 1 and restarts >= 0, got {steps} and {restarts}")
    best = x.clone()
    highest, finite = huber(f(x).detach(), y), []
    for run in range(restarts + 1 if delta else 0):
        point = x
        if run:  # a random direction, any length up to the rim
            options: Any = {"generator": generator, "dtype": x.dtype, "device": x.device}
            far = torch.randn(x.shape, **options)
            length = torch.rand(len(x), 1, **options)
            point = project_cap(torch.lerp(x, project_cap(x + far, x, delta), length), x, delta)
        for step in range(steps + 1):
            point = point.detach().requires_grad_(step < steps)
            with torch.set_grad_enabled(step < steps):
                values = f(point)
            found = values.detach()
            loss = huber(found, y)
            finite.append(torch.isfinite(loss).all())
            better = loss > highest
            highest = torch.where(better, loss, highest)
            best = torch.where(better[:, None], point.detach(), best)
            if step < steps:
                side = torch.where(found == y, -y, (found - y).sign())
                (slope,) = torch.autograd.grad(values @ side, point)
                point = point.detach()
                slope = slope - (slope * point).sum(1, keepdim=True) * point
                point = project_cap(
                    point + 2.5 * delta / steps * functional.normalize(slope, eps=1e-300), x, delta
                )
    if finite and not (all_finite := torch.stack(finite)).all():  # now, as it waits for the device
        step = int((~all_finite).nonzero()[0]) % (steps + 1)
        raise FloatingPointError(f"f became NaN or infinite at step {step} of the attack")
    return best


# -- networks --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class WideNetwork:
    """A wide network with trained weights W; all else is drawn once and fixed.

    f(W, x), made by `deep_network` and `two_layer_network`. B(R) is the set of W with ||W^(h) -
    W_0^(h)||_F <= R unit for each h.

    Attributes:
        evaluate: (W, points (n, d)) to values (n,).
        initial: W_0, a tensor for each layer.
        m: the width.
        unit: 1 / sqrt(m) for the deep network, 1 for that with two layers, whose outputs are scaled
            instead.
    """

    evaluate: Callable[[Weights, Rows], PerPoint]
    initial: Weights
    m: int
    unit: float

    def __repr__(self) -> str:
        count = sum(w.numel() for w in self.initial)
        return f"WideNetwork(width {self.m}, layers {len(self.initial)}, {count:,} trained weights)"

    def at(self, weights: Weights) -> Function:
        """Fix the weights.

        Args:
            weights: W.

        Returns:
            f(W, .) as a function of points.
        """
        return lambda x: self.evaluate(weights, x)

    def distances(self, weights: Weights) -> list[float]:
        """Measure how far weights are from the initial ones, layer by layer.

        Args:
            weights: W.

        Returns:
            ||W^(h) - W_0^(h)||_F / unit for each h: their maximum is the least R with W in B(R).

        Example:
            >>> net = two_layer_network(2, 4)
            >>> net.distances((net.initial[0] + 2.0,))[0] ** 2 - 32 < 1e-12
            True
        """
        pairs = zip(weights, self.initial, strict=True)
        return [float(torch.linalg.vector_norm(w - w_0)) / self.unit for w, w_0 in pairs]


def deep_network(d: int, m: int, H: int = 2, seed: int = 0) -> WideNetwork:
    """Draw a deep ReLU network with H trained layers of width m.

    f(W, x) = a^T s(W^(H) ... s(W^(1) A x)), s = ReLU: entries of A and W^(h) from N(0, 2/m), of a
    from N(0, 1). A (m, d) and a (m,) are fixed.

    Args:
        d: inputs.
        m: width.
        H: trained layers.
        seed: of the draws.

    Returns:
        A `WideNetwork`, float64.

    Raises:
        ValueError: for d, m, H < 1 or another seed.

    Cost: H m^2 a point.

    Source: Gao et al. 2019, eq. (1); initialisation: Section 3.2.

    Example:
        >>> net = deep_network(3, 8, H=2)
        >>> [tuple(w.shape) for w in net.initial], net.at(net.initial)(torch.eye(3).double()).shape
        ([(8, 8), (8, 8)], torch.Size([3]))
    """
    check_sizes(d=d, m=m, H=H)
    check_seed(seed)
    draw, scale = generator_for(seed, 1), math.sqrt(2 / m)
    first = scale * torch.randn(m, d, generator=draw, dtype=torch.float64)
    initial = tuple(
        scale * torch.randn(m, m, generator=draw, dtype=torch.float64) for _ in range(H)
    )
    last = torch.randn(m, generator=draw, dtype=torch.float64)

    def evaluate(weights: Weights, x: torch.Tensor) -> torch.Tensor:
        features = x @ first.T
        for w in weights:
            features = torch.relu(features @ w.T)
        return features @ last

    return WideNetwork(evaluate, initial, m, 1 / math.sqrt(m))


def two_layer_network(d: int, m: int, activation: str = "relu", seed: int = 0) -> WideNetwork:
    """Draw a network with two layers that is 0 at the start, of which the first is trained.

    f(W, x) = (1 / sqrt m) sum_(r <= m/2) a_r (s(w_r . x) - s(w'_r . x)): w_r from N(0, I), w'_r =
    w_r at the start. a_r is -1 or +1, fixed. W = (w, w') is one tensor (2, m/2, d), float64; f(W_0,
    x) = 0 exactly.

    Args:
        d: inputs.
        m: width, even.
        activation: s, "relu" or "erf".
        seed: of the draws.

    Returns:
        A `WideNetwork`, float64.

    Raises:
        ValueError: for an odd m, sizes, seed or activation out of range.

    Cost: m d a point.

    Source: Gao et al. 2019, eq. (4).

    Example:
        >>> net = two_layer_network(3, 8)
        >>> net.at(net.initial)(torch.eye(3).double())
        tensor([0., 0., 0.], dtype=torch.float64)
    """
    check_sizes(d=d, m=m)
    check_seed(seed)
    if m % 2:
        raise ValueError(f"m must be even, got {m}")
    if activation not in TWO_LAYER_ACTIVATIONS:
        raise ValueError(
            f"activation must be one of {', '.join(TWO_LAYER_ACTIVATIONS)}, got {activation!r}"
        )
    draw, activate = generator_for(seed, 1), TWO_LAYER_ACTIVATIONS[activation]
    half = torch.randn(m // 2, d, generator=draw, dtype=torch.float64)
    signs = (torch.randint(2, (m // 2,), generator=draw) * 2 - 1).double() / math.sqrt(m)

    def evaluate(weights: Weights, x: torch.Tensor) -> torch.Tensor:
        # Clones are aligned alike, so equal halves give equal bits and cancel.
        w, w_bar = (part.clone() for part in weights[0])
        return (activate(x @ w.T) - activate(x @ w_bar.T)) @ signs

    return WideNetwork(evaluate, (torch.stack([half, half]),), m, 1.0)


def project_weights(weights: Weights, initial: Weights, radius: float) -> Weights:
    """Move weights to the nearest ones within a radius of the initial weights.

    The W nearest to `weights` with ||W^(h) - W_0^(h)||_F <= radius for each h, in exact arithmetic,
    rounding included. What is inside by more than the rounding of its norm stays as it is; else the
    offset is scaled, by a relative (N + 16) 2^-52 more than needed for N entries, and each entry
    rounded towards W_0.

    Args:
        weights: tensors of any shapes, float64.
        initial: W_0, of the same shapes.
        radius: finite and >= 0, not in units of the network.

    Returns:
        Tensors of the same shapes.

    Raises:
        ValueError: for a radius that is negative or not finite.

    Source: Gao et al. 2019, eq. (2).

    Example:
        >>> (w,) = project_weights(
        ...     (torch.tensor([3.0, 4.0]).double(),), (torch.zeros(2).double(),), 2.5
        ... )
        >>> w, bool(w.norm() <= 2.5)
        (tensor([1.5000, 2.0000], dtype=torch.float64), True)
    """
    if not 0 <= radius < math.inf:
        raise ValueError(f"radius must be finite and >= 0, got {radius}")
    return tuple(_nearest(w, w_0, radius) for w, w_0 in zip(weights, initial, strict=True))


def _nearest(w: torch.Tensor, w_0: torch.Tensor, radius: float) -> torch.Tensor:
    offset = w - w_0
    norm, slack = float(torch.linalg.vector_norm(offset)), (w.numel() + 16) * 2.0**-52
    if norm <= radius * (1 - slack / 2):
        return w
    offset *= radius * (1 - slack) / norm
    moved = w_0 + offset
    return torch.where((moved - w_0).abs() > offset.abs(), torch.nextafter(moved, w_0), moved)


# -- training --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class LazyRun(Result):
    """What `train_lazily` found, for steps t = 0..T.

    Attributes:
        network: what was trained.
        labels: of the points, (n,).
        rate: alpha, as the paper scales it.
        loss: the surrogate loss L_A(W_t), (T + 1,).
        distance: of W_t from W_0 in units of R, layer by layer, (T + 1, H).
        gradient: ||grad L_A(W_t)||_F over all layers, (T + 1,).
        attacked: A(W_t, x_i), (T + 1, n, d).
        weights: W_T.
        best: the W_t, t >= 1, of the least loss.
    """

    network: WideNetwork
    labels: Labels
    rate: float
    loss: Curve
    distance: LayerCurves
    gradient: Curve
    attacked: PointCurves
    weights: Weights
    best: Weights

    def _says(self) -> tuple[str, dict[str, Said]]:
        kind = "rounded"
        return f"{self.network!r}, step {len(self.loss) - 1:,}", {
            "loss at the start": said(float(self.loss[0]), kind),
            "least loss": said(self.least, kind),
            "radius R reached": said(float(self.distance.max()), kind),
        }

    @property
    def least(self) -> float:
        """min over t = 1..T of L_A(W_t), the left side of Theorems 4.1 and 5.1."""
        return float(self.loss[1:].min())


def _perturbed(points: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """What a perturbation function gave, checked."""
    if not isinstance(points, torch.Tensor) or points.shape != x.shape or points.dtype != x.dtype:
        got = (
            f"{points.dtype} {tuple(points.shape)}"
            if isinstance(points, torch.Tensor)
            else type(points).__name__
        )
        raise ValueError(f"perturb must give float64 points of shape {tuple(x.shape)}, got {got}")
    if not bool(((points.norm(dim=1) - 1).abs() <= 1e-9).all()):
        raise ValueError(
            f"perturb must give points on the unit sphere, got lengths up to "
            f"{float(points.norm(dim=1).max())}"
        )
    return points.detach()


@differentiating
def train_lazily(
    network: WideNetwork,
    x: Rows,
    y: PerPoint,
    perturb: Perturbation,
    *,
    steps: int,
    rate: float,
    radius: float | None = None,
) -> LazyRun:
    """Train a wide network adversarially by gradient descent, near its initial weights.

        W_(t+1) = P_B(R)(W_t - alpha grad L_A(W_t)),    L_A(W) = mean_i huber(f(W, A(W, x_i)), y_i),

    from W_0, `steps` times. The gradient takes the points A(W_t, x_i) as given. Deterministic if A
    is.

    Args:
        network: f and W_0.
        x: unit vectors (n, d), float64.
        y: labels -1, +1, (n,), float64.
        perturb: A, such as `partial(cap_attack, delta=0.1)`; `lambda f, x, y: x` trains on clean
            points.
        steps: T, >= 1.
        rate: alpha / unit^2, so alpha is rate / m for the deep network and rate for that with two
            layers.
        radius: R, in units of the network; None does not project.

    Returns:
        A `LazyRun`.

    Raises:
        ValueError: for numbers out of range or points not on the sphere, and if perturb gives
            points of another shape or dtype, or off the sphere.
        FloatingPointError: naming the step, where a loss or gradient is NaN or infinite.

    Cost: a forward and backward pass a step, and those of A; memory T n d and a few W.

    Source: Gao et al. 2019, Definition 3.3, Section 4, Theorems 4.1 (radius) and 5.1 (none).

    Example:
        >>> x, y = sphere_data(4, 3, 0.1)
        >>> run = train_lazily(
        ...     two_layer_network(3, 64), x, y, lambda f, x, y: x, steps=20, rate=1.0
        ... )
        >>> float(run.loss[0]), run.least < 0.2, run.weights[0].shape
        (0.5, True, torch.Size([2, 32, 3]))
    """
    check_sphere(x, y, 0.0)
    check_sizes(steps=steps)
    if not 0 < rate < math.inf:
        raise ValueError(f"rate must be positive and finite, got {rate}")
    if radius is not None and not 0 < radius < math.inf:
        raise ValueError(f"radius must be positive and finite, or None, got {radius}")
    alpha = rate * network.unit**2
    weights, best, least = network.initial, network.initial, math.inf
    losses, distances, norms, attacked = [], [], [], []
    for step in range(steps + 1):
        points = _perturbed(perturb(network.at(weights), x, y), x)
        moving = tuple(w.detach().requires_grad_(True) for w in weights)
        total = huber(network.evaluate(moving, points), y).mean()
        gradients = torch.autograd.grad(total, moving)
        loss, norm = (
            float(total.detach()),
            math.sqrt(sum(float(g.square().sum()) for g in gradients)),
        )
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise FloatingPointError(
                f"loss or gradient became NaN or infinite at step {step} (is rate {rate} too "
                f"large?)"
            )
        losses.append(loss)
        distances.append(network.distances(weights))
        norms.append(norm)
        attacked.append(points)
        if step and loss < least:
            best, least = weights, loss
        if step < steps:
            weights = tuple(w - alpha * g for w, g in zip(weights, gradients, strict=True))
            if radius is not None:
                weights = project_weights(weights, network.initial, radius * network.unit)
    curves = np.array(losses), np.array(distances), np.array(norms)
    return LazyRun(network, y, alpha, *curves, torch.stack(attacked), weights, best)
