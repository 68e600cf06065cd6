"""Projected gradient ascent in l_p balls intersected with [0,1]^D."""

from __future__ import annotations

from collections.abc import Callable

import torch

from constructions import Ball

Model = Callable[[torch.Tensor], torch.Tensor]
Objective = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def project(x: torch.Tensor, centre: torch.Tensor, ball: Ball) -> torch.Tensor:
    """The point of the ball around `centre` and of [0,1]^D that alternating projection gives (for l_inf the nearest)."""
    return ball.project(x, centre).clamp(0.0, 1.0)


def pgd(
    model: Model,
    x: torch.Tensor,
    labels: torch.Tensor,
    ball: Ball,
    objective: Objective,
    *,
    steps: int = 20,
    step_size: float | None = None,
    restarts: int = 1,
    start: torch.Tensor | None = None,
    generator: torch.Generator | None = None,
    progress: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """Points of the balls around the rows of x, in [0,1]^D, where `objective(model(x), labels)` is as large as found.

    Projected gradient ascent from a random point of the ball (or from `start`), `restarts` times; each row keeps its
    best iterate, the clean point included. step_size defaults to 2.5 radius / steps. Returns a tensor like x.
    A maximum found this way is a lower bound of the true one. Cost: (steps + 1) restarts forward and backward passes.
    Source: Madry et al. 2018, Section 2.1. Raises ValueError unless steps >= 1 and restarts >= 1.

    >>> w = torch.tensor([[1.0, -2.0]])
    >>> def logit(x): return x @ w.T
    >>> attacked = pgd(logit, torch.tensor([[0.5, 0.5]]), torch.tensor([1]), Ball("inf", 0.25), lambda f, y: -y * f[:, 0])
    >>> attacked
    tensor([[0.2500, 0.7500]])
    """
    if steps < 1 or restarts < 1:
        raise ValueError(f"steps and restarts must be >= 1, got {steps} and {restarts}")
    step = 2.5 * ball.radius / steps if step_size is None else step_size
    with torch.no_grad():
        best, best_value = x.clone(), objective(model(x), labels)
    for _ in range(restarts):
        point = project(ball.sample(x, generator) if start is None else start, x, ball)
        for iteration in range(steps + 1):
            point = point.detach().requires_grad_(True)
            value = objective(model(point), labels)
            better = value.detach() > best_value
            best_value = torch.where(better, value.detach(), best_value)
            best = torch.where(better.reshape(-1, *[1] * (x.ndim - 1)), point.detach(), best)
            if iteration < steps:
                (gradient,) = torch.autograd.grad(value.sum(), point)
                point = project(point.detach() + step * ball.ascent(gradient), x, ball)
            progress()
    return best
