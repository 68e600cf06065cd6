"""Flatness of the loss around points: the largest input gradient and loss change in balls of growing radius."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_changes

import torch

from constructions import Ball, ReLUNetwork
from training import classification_loss, project

from .measured import Kind


@dataclass(frozen=True)
class FlatnessProfile:
    """Means over points, one entry a radius; both are empirical lower bounds of the means of the true maxima.

    gradient: max over the ball of ||grad_x L||_q, q the dual exponent. change: max of L(x + xi, y) - L(x, y).
    """

    radii: list[float]
    gradient: list[float]
    change: list[float]
    kind: Kind = "empirical lower bound"


def flatness_profile(
    network: ReLUNetwork,
    points: torch.Tensor,
    labels: torch.Tensor,
    ball: Ball,
    radii: Sequence[float],
    *,
    steps: int = 5,
    seed: int = 0,
    progress: Callable[[], None] = lambda: None,
) -> FlatnessProfile:
    """Ascend the loss in balls of all radii in one sweep, in float32; `ball` gives the norm.

    Each radius starts from the previous one's strongest point and from a fresh random one (half of the steps each), and
    keeps what the smaller balls found, so the curves are monotone as the true maxima are. Gradients are looked at along
    the whole path. L is the logistic loss or cross-entropy. progress is called once a radius.
    Raises ValueError unless radii are >= 0 and increasing. Source: CGRO (anonymous 2023), Section 6.
    """
    if len(radii) == 0 or min(radii) < 0 or any(b <= a for a, b in itertools.pairwise(radii)):
        raise ValueError(f"radii must be >= 0 and increasing, got {list(radii)}")
    generator = torch.Generator().manual_seed(seed)
    x = points.float()
    gradient_max = torch.zeros(len(x))
    with torch.no_grad():
        clean = classification_loss(network(x), labels)
    strongest, loss_max = x.clone(), clean.clone()
    profile = FlatnessProfile([float(r) for r in radii], [], [])
    for radius in radii:
        current = with_changes(ball, radius=float(radius))
        for start in (strongest, current.sample(x, generator)):
            point = project(start, x, current)
            for _ in range(max(1, steps // 2) + 1):
                point = point.detach().requires_grad_(True)
                loss = classification_loss(network(point), labels)
                (gradient,) = torch.autograd.grad(loss.sum(), point)
                gradient_max = torch.maximum(gradient_max, current.dual_norm(gradient))
                better = loss.detach() > loss_max
                loss_max = torch.where(better, loss.detach(), loss_max)
                strongest = torch.where(better[:, None], point.detach(), strongest)
                point = project(point.detach() + current.radius * current.ascent(gradient), x, current)
        profile.gradient.append(float(gradient_max.mean()))
        profile.change.append(float((loss_max - clean).mean()))
        progress()
    return profile
