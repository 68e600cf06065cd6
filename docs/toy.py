"""The two-class toy set in the unit square that the pictures of these pages show, and networks on
it.
"""

import tempfile

import torch
from torch import nn

from constructions import Ball
from training import Dataset, TrainingConfig, mlp, train

BALL = Ball("inf", 0.035)


def toy_set(spacing: float = 0.105, count: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    """Points at least `spacing` apart (maximum norm), labelled by the side of a wave that they lie
    on.
    """
    candidates = 0.05 + 0.9 * torch.rand(
        count, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64
    )
    chosen: list[int] = []
    for i in range(len(candidates)):
        if all((candidates[i] - candidates[j]).abs().max() > spacing for j in chosen):
            chosen.append(i)
    points = candidates[chosen]
    return points, torch.where(points[:, 1] > 0.5 + 0.22 * torch.sin(6.3 * points[:, 0]), 1, -1)


def trained(
    points: torch.Tensor,
    labels: torch.Tensor,
    sizes: list[int],
    epochs: int,
    ball: Ball | None = None,
) -> nn.Module:
    """A network trained on clean points, or adversarially on their balls."""
    model = mlp(sizes)
    config = TrainingConfig(
        epochs=epochs, batch_size=16, learning_rate=0.02, radius=ball.radius if ball else 0.0
    )
    with tempfile.TemporaryDirectory() as folder:
        train(
            config, folder, data=Dataset.from_tensors(points, labels, points, labels), model=model
        )
    return model
