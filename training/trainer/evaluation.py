"""Clean and adversarial accuracy of a network on points."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from constructions import Ball, Progress, Result
from constructions.internal import (
    Labels,
    Outputs,
    Points,
    Report,
    Said,
    as_float,
    as_tensor,
    check_ball,
    check_labels,
    said,
    several,
    silent,
)

from ..attacks.named import Attack
from ..attacks.objectives import LOSSES, is_error
from ..datasets.reading import measuring, placement, read_outputs

BATCH = 500
"""Points that are attacked together."""


@dataclass(frozen=True, repr=False)
class Evaluation(Result):
    """How well a model does at points, and at what an attack finds around them.

    Attributes:
        points: how many there were.
        attack: the attack's name.
        accuracy: the share of points classified rightly, in floating point.
        loss: the mean loss at the points themselves, in floating point.
        robust_accuracy: the share classified rightly at all points that the attack tried: an
            empirical upper bound of the true one (None for attack "clean", which tried nothing).
    """

    points: int
    attack: str
    accuracy: float
    loss: float
    robust_accuracy: float | None

    def _says(self) -> tuple[str, dict[str, Said]]:
        numbers = {"right": self._share(self.accuracy, "exact")}
        if self.robust_accuracy is not None:
            robust = self._share(self.robust_accuracy, "empirical upper bound")
            numbers["right under attack"] = robust
        numbers["mean loss"] = said(self.loss, "rounded")
        return f"{several(self.points, 'point')}, attack {self.attack}", numbers

    def _share(self, value: float, kind: str) -> Said:
        return said(value, kind, round(value * self.points), self.points)


def evaluate(
    model: nn.Module | Callable[[Points], Outputs],
    points: torch.Tensor,
    labels: torch.Tensor,
    ball: Ball,
    attack: str = "pgd50x10",
    *,
    loss: str = "cross-entropy",
    seed: int = 0,
    batch_size: int = BATCH,
    report: Report = silent,
) -> Evaluation:
    """Measure a model's accuracy, loss and robust accuracy on points.

    The model runs in eval mode and the dtype of its weights (none: float32), and is afterwards as
    it was. The result depends on the seed, not on how points are shared among processes.

    Args:
        model: a module, or what maps a batch of points to outputs (N, 1) or (N, K).
        points: shape (N, ...), in [0,1] (uint8: k/255).
        labels: shape (N,), -1 and +1 or 0..K-1.
        ball: in which the attack moves.
        attack: "clean", "fgsm", "pgd10", "pgd50x10", "autoattack" or the like; see `Attack`.
        loss: a name of `LOSSES`.
        seed: of the attack's noise.
        batch_size: points at once.
        report: called with a `Progress`, in points, after each batch.

    Returns:
        An `Evaluation`; its robust accuracy is empirical.

    Raises:
        ValueError: for no points, labels that do not fit, and another loss, attack or batch size.
        TypeError: for a model that gives no tensor, and for what is no `Ball`.
        FloatingPointError: for outputs that are not finite.

    Cost: steps * restarts forward and backward passes.

    Example:
        >>> from training import mlp
        >>> evaluate(
        ...     mlp([2, 1]),
        ...     torch.rand(8, 2),
        ...     torch.ones(8, dtype=torch.int64),
        ...     Ball("inf", 0.0),
        ...     "pgd3",
        ... ).points
        8
    """
    points, labels = as_tensor(points, "points"), as_tensor(labels, "labels")
    check_ball(ball)
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {loss!r}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if len(points) == 0 or len(points) != len(labels):
        raise ValueError(
            f"points and labels must have the same positive length, got {len(points)} and "
            f"{len(labels)}"
        )
    sums = evaluate_share(
        model,
        points,
        labels,
        ball,
        attack,
        loss=loss,
        seed=seed,
        batch_size=batch_size,
        report=report,
    )
    return summary(sums, len(points), attack)


@measuring(evaluating=True)
def evaluate_share(
    model: nn.Module | Callable[[Points], Outputs],
    points: Points,
    labels: Labels,
    ball: Ball,
    attack: str,
    *,
    loss: str = "cross-entropy",
    seed: int = 0,
    batch_size: int = BATCH,
    share: tuple[int, int] = (0, 1),
    autocast: Callable[[], AbstractContextManager[None]] = nullcontext,
    report: Report = silent,
) -> torch.Tensor:
    """What `evaluate` sums up, over every n-th batch from the k-th for share (k, n): rightly
    classified, loss, robustly so.
    """
    worst, loss_of = Attack.parse(attack), inspect.unwrap(LOSSES[loss])
    dtype, _ = placement(model) or (torch.float32, None)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    sums = torch.zeros(3, dtype=torch.float64)
    with torch.no_grad():
        outputs = read_outputs(model(as_float(points[:1], dtype)), 1)
    labels = check_labels(labels, len(points), outputs.shape[1])
    for number, start in enumerate(range(0, len(points), batch_size)):
        if number % share[1] != share[0]:
            continue
        x, y = (
            as_float(points[start : start + batch_size], dtype),
            labels[start : start + batch_size],
        )
        noise = stream(seed, "evaluation", number, x.device)
        with autocast():
            found = worst(model, x, y, ball, generator=noise) if worst.steps and ball.radius else x
            with torch.no_grad():
                outputs, attacked = (
                    read_outputs(model(inputs), len(x)).to(wide) for inputs in (x, found)
                )
        right, robust = (~inspect.unwrap(is_error)(f, y) for f in (outputs, attacked))
        sums += torch.stack(
            [right.sum(), loss_of(outputs, y).double().sum(), (right & robust).sum()]
        ).cpu()
        report(Progress("evaluating", min(start + batch_size, len(points)), len(points)))
    return sums


def summary(sums: torch.Tensor, points: int, attack: str) -> Evaluation:
    """The evaluation that sums over all points give. Raises FloatingPointError if they are not
    finite.
    """
    right, loss, robust = (v / points for v in sums.tolist())
    if not math.isfinite(loss):
        raise FloatingPointError(f"the mean loss over {points} points is {loss}")
    return Evaluation(points, attack, right, loss, None if attack == "clean" else robust)


def stream(
    seed: int, name: str, number: int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Random numbers for one purpose and one batch or epoch, independent of all others.

    >>> a, b, c = (
    ...     torch.rand(1, generator=stream(0, name, 1)) for name in ("order", "order", "noise")
    ... )
    >>> a == b, a == c
    (tensor([True]), tensor([False]))
    """
    digest = hashlib.sha256(f"{seed} {name} {number}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)
