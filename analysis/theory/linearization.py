"""How lazy a trained network is, and how near its surrogate loss comes to the robust loss: the
theory's terms, measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from constructions import Result
from constructions.internal import PerPoint, Rows, Said, renamed, said
from training import LazyRun, WideNetwork, cap_attack, huber
from training.internal import differentiating, measuring

from ..quantities.measured import Measured

Weights = tuple[torch.Tensor, ...]


@renamed("f x y delta steps restarts seed")
@measuring(evaluating=True)
def robust_loss(
    f: Callable[[Rows], PerPoint],
    x: Rows,
    y: PerPoint,
    delta: float,
    *,
    steps: int = 40,
    restarts: int = 4,
    seed: int = 0,
) -> Measured:
    """Attack a function on caps of the sphere: its mean worst loss, from below.

    L_* = mean_i max over x' in the cap of x_i of huber(f(x'), y_i); taken is the best that
    `cap_attack` finds.

    Args:
        f: points (n, d) to values (n,), such as `network.at(weights)` or an interpolant.
        x: unit vectors (n, d), float64.
        y: labels -1, +1, (n,), float64.
        delta: radius of the caps, in [0, 1].
        steps: of each ascent.
        restarts: ascents from random points.
        seed: of these.

    Returns:
        An empirical lower bound.

    Raises:
        ValueError: as `cap_attack`.
        FloatingPointError: as `cap_attack`.

    Cost: (1 + restarts) steps forward and backward passes.

    Source: Gao et al. 2019, Definition 3.4.

    Example:
        >>> x, y = torch.eye(2).double(), torch.tensor([1.0, -1.0]).double()
        >>> robust_loss(lambda x: x[:, 0] - x[:, 1], x, y, 0.0)
        >= 0 (empirical bound, 2 points)
    """
    found = _worst(f, x, y, delta, steps, restarts, seed)
    return Measured(float(huber(found, y).mean()), "empirical lower bound", total=len(x))


@renamed("f x y delta steps restarts seed")
@measuring(evaluating=True)
def cap_error(
    f: Callable[[Rows], PerPoint],
    x: Rows,
    y: PerPoint,
    delta: float,
    *,
    steps: int = 40,
    restarts: int = 4,
    seed: int = 0,
) -> Measured:
    """Attack a function on caps of the sphere: its largest distance from the labels, from below.

    max_i max over x' in the cap of x_i of |f(x') - y_i|.

    Args:
        f: points (n, d) to values (n,), such as `network.at(weights)` or an interpolant.
        x: unit vectors (n, d), float64.
        y: labels -1, +1, (n,), float64.
        delta: radius of the caps, in [0, 1].
        steps: of each ascent.
        restarts: ascents from random points.
        seed: of these.

    Returns:
        An empirical lower bound.

    Raises:
        ValueError: as `cap_attack`.
        FloatingPointError: as `cap_attack`.

    Cost: (1 + restarts) steps forward and backward passes.

    Source: the epsilon of Gao et al. 2019, Assumption 5.2.

    Example:
        >>> x, y = torch.eye(2).double(), torch.tensor([1.0, -1.0]).double()
        >>> round(
        ...     cap_error(lambda x: x[:, 0] - x[:, 1], x, y, 0.5).value, 4
        ... )  # (cos - sin) - 1 at the rim
        0.6091
    """
    found = _worst(f, x, y, delta, steps, restarts, seed)
    return Measured(float((found - y).abs().max()), "empirical lower bound", total=len(x))


def _worst(
    f: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    y: torch.Tensor,
    delta: float,
    steps: int,
    restarts: int,
    seed: int,
) -> torch.Tensor:
    generator = torch.Generator(x.device).manual_seed(seed)
    attacked = cap_attack(f, x, y, delta, steps=steps, restarts=restarts, generator=generator)
    with torch.no_grad():
        return f(attacked)


@differentiating
def taylor_error(network: WideNetwork, weights: Weights, x: Rows) -> Measured:
    """Measure how far a network is from its first-order expansion at the initial weights.

    max_i |f(W, x_i) - f(W_0, x_i) - <grad_W f(W_0, x_i), W - W_0>|.

    Args:
        network: f and W_0.
        weights: W.
        x: points, (n, d).

    Returns:
        The maximum over these points, exact but for rounding.

    Cost: two forward passes and two backward.

    Source: Gao et al. 2019, Section 4.1: f is almost linear near W_0.

    Example:
        >>> from training import two_layer_network
        >>> net = two_layer_network(2, 16)
        >>> taylor_error(net, net.initial, torch.eye(2).double()).value
        0.0
    """
    moving = tuple(w.detach().requires_grad_(True) for w in network.initial)
    start = network.evaluate(moving, x)
    # gradients are linear in it: differentiate again for slopes
    cotangent = torch.ones_like(start, requires_grad=True)
    gradients = torch.autograd.grad(start @ cotangent, moving, create_graph=True)
    along = [
        ((w - w_0) * g).sum() for w, w_0, g in zip(weights, network.initial, gradients, strict=True)
    ]
    (slope,) = torch.autograd.grad(torch.stack(along).sum(), cotangent)
    with torch.no_grad():
        error = (network.evaluate(weights, x) - start - slope).abs()
    return Measured(float(error.max()), "exact", total=len(x))


@differentiating
def gradient_change(network: WideNetwork, weights: Weights, x: Rows) -> Measured:
    """Measure how much a network's gradients with respect to its weights have changed.

    max_i ||grad_W f(W, x_i) - grad_W f(W_0, x_i)|| / ||grad_W f(W_0, x_i)||, with norms over all
    layers.

    Args:
        network: f and W_0.
        weights: W.
        x: points, (n, d).

    Returns:
        The maximum over these points, exact but for rounding.

    Cost: 2 n backward passes.

    Source: the stability of gradients near W_0, Gao et al. 2019, Section 4.1.

    Example:
        >>> from training import two_layer_network
        >>> net = two_layer_network(2, 16)
        >>> gradient_change(net, net.initial, torch.eye(2).double()).value
        0.0
    """

    def gradient(at: Weights, point: torch.Tensor) -> torch.Tensor:
        moving = tuple(w.detach().requires_grad_(True) for w in at)
        parts = torch.autograd.grad(network.evaluate(moving, point[None])[0], moving)
        return torch.cat([part.flatten() for part in parts])

    changes = []
    for point in x:
        start = gradient(network.initial, point)
        changes.append(float((gradient(weights, point) - start).norm() / start.norm()))
    return Measured(max(changes), "exact", total=len(x))


@dataclass(frozen=True, repr=False)
class Regret(Result):
    """How much a run lost against fixed weights U, over its steps t = 0..T-1; see `regret`.

    Attributes:
        average: (1/T) sum_t L_t(W_t) - L_t(U).
        bound: ||W_0 - U||^2 / (2 alpha T) + (alpha / 2T) sum_t ||grad L_t(W_t)||^2, which the
            average never exceeds if all L_t are convex.
        comparator: (1/T) sum_t L_t(U), at most L_*(U).
    """

    average: Measured
    bound: Measured
    comparator: Measured

    def _says(self) -> tuple[str, dict[str, Said]]:
        numbers = {"average regret": self.average, "its bound if f were linear": self.bound}
        numbers["loss of the comparator"] = self.comparator
        steps = self.average.total
        return f"against fixed weights, over {steps} steps", {
            name: said(number.value, number.kind) for name, number in numbers.items()
        }


def regret(run: LazyRun, comparator: Weights) -> Regret:
    """Measure the regret of projected gradient descent against fixed weights U in B(R).

    L_t is the loss on the points attacked at step t. min_t L_A(W_t) <= (1/T) sum_t L_t(W_t) <=
    average regret + L_*(U) whatever the attack is. The bound needs convexity in W, so that an
    average above it shows how far f is from linear; the theory says that the excess vanishes as m
    grows. U must lie in the run's B(R).

    Args:
        run: what was trained.
        comparator: U, of the shapes of the weights.

    Returns:
        A `Regret`; all values are exact but for rounding.

    Raises:
        ValueError: for weights of other shapes.

    Cost: T forward passes.

    Source: Gao et al. 2019, Section 4.1; the bound: Zinkevich 2003, Theorem 1.

    Example:
        >>> from training import sphere_data, train_lazily, two_layer_network
        >>> x, y = sphere_data(4, 3, 0.1)
        >>> run = train_lazily(
        ...     two_layer_network(3, 256), x, y, lambda f, x, y: x, steps=20, rate=0.5
        ... )
        >>> found = regret(run, run.best)
        >>> found.average.value <= found.bound.value
        True
    """
    network, steps = run.network, len(run.loss) - 1
    if [w.shape for w in comparator] != [w.shape for w in network.initial]:
        raise ValueError(f"comparator must have shapes {[tuple(w.shape) for w in network.initial]}")
    with torch.no_grad():
        losses = [
            float(huber(network.evaluate(comparator, at), run.labels).mean())
            for at in run.attacked[:-1]
        ]
    reached = math.fsum(losses) / steps
    squares = math.fsum(
        float((w - w_0).square().sum()) for w, w_0 in zip(comparator, network.initial, strict=True)
    )
    bound = squares / (2 * run.rate * steps) + run.rate / 2 * float((run.gradient[:-1] ** 2).mean())
    return Regret(
        *(
            Measured(value, "exact", total=steps)
            for value in (float(run.loss[:-1].mean()) - reached, bound, reached)
        )
    )
