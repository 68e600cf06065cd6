"""Clean and adversarial training of small networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn

from constructions import Ball

from .attacks import pgd
from .objectives import check_labels, classification_loss


@dataclass(frozen=True)
class TrainingSettings:
    """How to train: Adam with a one-cycle learning rate (warm-up, cosine decay); adversarial if `ball` is given.

    attack_steps: PGD steps of each training attack, from a random start. seed: order of the data and attack noise.
    """

    epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 3e-3
    ball: Ball | None = None
    attack_steps: int = 7
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "attack_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate must be positive and finite, got {self.learning_rate}")


@dataclass
class History:
    """Mean training loss of each epoch, on the points that were trained on (attacked ones in adversarial training)."""

    losses: list[float] = field(default_factory=list)


def train(
    model: nn.Module,
    points: torch.Tensor,
    labels: torch.Tensor,
    settings: TrainingSettings | None = None,
    progress: Callable[[], None] = lambda: None,
) -> History:
    """Train a model in place on points (N, D) in [0,1] with labels -1, +1 or 0..K-1; `progress` is called once an epoch.

    Reproducible bit for bit on one CPU for a given seed and thread count. Raises ValueError for empty data, shapes that
    do not fit and labels outside the allowed set, FloatingPointError if the loss becomes NaN or infinite (naming the
    epoch). Source of adversarial training: Madry et al. 2018.
    """
    settings = settings or TrainingSettings()
    points, labels = torch.as_tensor(points), torch.as_tensor(labels)
    if len(points) == 0 or len(points) != len(labels):
        raise ValueError(f"points and labels must have the same positive length, got {len(points)} and {len(labels)}")
    points = points.to(next(model.parameters()).dtype)
    with torch.no_grad():
        check_labels(labels, len(points), model(points[:1]).shape[-1])
    generator = torch.Generator().manual_seed(settings.seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    batches = -(-len(points) // settings.batch_size)
    total = settings.epochs * batches
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=total + 1)
    history = History()
    for epoch in range(settings.epochs):
        order = torch.randperm(len(points), generator=generator)
        summed = 0.0
        for index in order.split(settings.batch_size):
            x, y = points[index], labels[index]
            if settings.ball is not None:
                x = pgd(model, x, y, settings.ball, classification_loss, steps=settings.attack_steps, generator=generator)
            loss = classification_loss(model(x), y).mean()
            if not torch.isfinite(loss):
                raise FloatingPointError(f"training loss became {loss.item()} in epoch {epoch + 1}")
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            summed += loss.item() * len(index)
        history.losses.append(summed / len(points))
        progress()
    return history
