"""Algorithm A_delta: adversarial training within a class of networks that already memorize the
small-margin training points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path

import torch
from torch import nn

from constructions import Ball, ReLUNetwork, Result, affine, f_S, separation
from constructions.internal import (
    Flags,
    Labels,
    Outputs,
    Points,
    Said,
    as_float,
    check_labels,
    said,
)

from ..attacks.named import Attack
from ..attacks.objectives import is_error
from ..datasets.dataset import Dataset, load_data
from ..datasets.reading import differentiating, placement, read_outputs, unchanged
from ..trainer.config import TrainingConfig
from ..trainer.evaluation import BATCH, stream
from ..trainer.loop import Report, train
from ..trainer.run import Run


class MemorizingModel(nn.Module):
    """A model that has memorized the balls of given points, and whose other part is trained.

    x -> phi_1(x) + phi_2(x) f(x): an element of the hypothesis class F_S, whose f is trained; phi_1
    and phi_2 are frozen. With S_c(x) in [0, 1] the capped sum of the soft indicators of the
    memorized points of class c, phi_1 = sum_c S_c e_c (for labels -1, +1: S_+ - S_-) and phi_2 =
    max(0, 1 - sum_c S_c). So the output is the label (one-hot for K classes) on every memorized
    ball, f where all outer balls are left, and between them a mixture. Gradients with respect to
    weights pass through f only, those with respect to x through everything. `network()` is its
    `ReLUNetwork`, with an exact gate in place of the product.

    Args:
        f: a module, points (batch, *shape) -> (batch, 1) or (batch, K).
        points: S_small, (n, *shape) in [0,1].
        labels: of S_small, (n,).
        ball: norm and radius of the memorized balls.
        separation: least distance between points of different labels of *all* training points, as a
            lower bound: then no shell reaches the ball of a point of another label.

    Raises:
        ValueError: for no points, labels that do not fit, and separation <= 2 radius.

    Source: "Why Clean Generalization and Robust Memorization Both Happen in Adversarial Training"
    (anonymous 2023, CGRM), Theorem C.1, proof; its product is that of Lemma A.3, here in the limit
    of no error.

    Example:
        >>> model = MemorizingModel(
        ...     nn.Linear(2, 1),
        ...     torch.tensor([[0.25, 0.5]]),
        ...     torch.tensor([1]),
        ...     Ball("inf", 0.125),
        ...     0.5,
        ... )
        >>> x = torch.tensor([[0.25, 0.625], [1.0, 0.5]])
        >>> (
        ...     model(x)[0].item(),
        ...     torch.equal(model(x)[1], model.f(x)[1]),
        ...     len(list(model.parameters())),
        ... )
        (1.0, True, 2)
    """

    targets: Outputs

    def __init__(
        self,
        f: nn.Module,
        points: torch.Tensor,
        labels: torch.Tensor,
        ball: Ball,
        separation: float,
    ) -> None:
        super().__init__()
        points = as_float(points, torch.float64).detach()
        self.f, self.shape = f, tuple(points.shape[1:])
        dtype, _ = placement(f) or (torch.float32, None)
        with unchanged(f, evaluating=True), torch.no_grad():
            outputs = read_outputs(f(points[:1].to(dtype)), 1, "f").shape[1]
        labels = check_labels(labels, len(points), outputs)
        self.points, self.labels, self.ball, self.separation = (
            points.flatten(1),
            labels,
            ball,
            separation,
        )
        targets = (
            torch.tensor([[-1.0], [1.0]], dtype=dtype)
            if outputs == 1
            else torch.eye(outputs, dtype=dtype)
        )
        self.register_buffer("targets", targets, persistent=False)
        nothing = affine(torch.zeros(len(targets), self.points.shape[1], dtype=torch.float64))
        classes = (labels + 1) // 2 if outputs == 1 else labels
        self.memory = f_S(nothing, self.points, classes, ball, separation=separation)
        """x -> (S_c(x))_c: f_S of the zero function."""

    def forward(self, points: Points) -> Outputs:
        """Evaluate the model.

        Args:
            points: (batch, *shape).

        Returns:
            Outputs, shape (batch, 1) or (batch, K).
        """
        seen = self.memory(points.flatten(1), screened=True)
        return seen @ self.targets + (1 - seen.sum(1, keepdim=True)).clamp_min(0) * self.f(points)

    def network(self) -> ReLUNetwork:
        """Build the network f_S(f, S_small) of this model.

        Returns:
            A `ReLUNetwork` on flat points: equal on the memorized balls and outside the outer ones;
            between, it has the sign of f or of the label, or is 0.
        """
        f = ReLUNetwork.from_module(self.f, self.shape)
        return f_S(f, self.points, self.labels, self.ball, separation=self.separation)


@dataclass(frozen=True, eq=False, repr=False)
class ConstrainedTraining(Result):
    """What `a_delta` found.

    Attributes:
        clean: the run that trained f_clean.
        f_clean: a network on flat points (N, D).
        small: S_small, bool, (N,), in the order of `data.train_points`.
        run: the run within F_S; `run.epochs` is its history.
        model: its end.
        data: what both were trained on.
    """

    clean: Run
    f_clean: ReLUNetwork
    small: Flags
    run: Run
    model: MemorizingModel
    data: Dataset

    def _says(self) -> tuple[str, dict[str, Said]]:
        small, total = int(self.small.sum()), len(self.small)
        return f"A_delta on {self.data.name}, radius {self.run.config.radius:g}", {
            "balls with an error of f_clean": said(
                small / total, "empirical lower bound", small, total
            ),
            "parameters of f_clean": said(self.f_clean.size.parameters, "exact"),
        }

    @cached_property
    def network(self) -> ReLUNetwork:
        """The trained element of F_S, on flat points (N, D)."""
        return self.model.network()


@differentiating
def a_delta(
    config: TrainingConfig,
    folder: str | PathLike[str],
    *,
    data: Dataset | None = None,
    resume: bool = False,
    report: Report = lambda _: None,
) -> ConstrainedTraining:
    """Run algorithm A_delta: train cleanly, memorize what is attacked, then train adversarially.

    Clean training, S_small by attacking f_clean, then adversarial training within F_S = { phi_1 +
    phi_2 f } (see `MemorizingModel`). S_small holds the training points where the final attack
    succeeds or f_clean errs. f starts at f_clean, which is robust on all other points as far as
    that attack sees; so adversarial training begins where the robust training error seems 0.

    On S_small's balls all elements of F_S are equal, so these points neither move f nor count as
    errors. That the robust training error is 0 is proved by `analysis.proved_balls`, or not.

    Args:
        config: as for `train`; its radius is delta, its model that of f_clean and of f, its
            final_attack the one that finds S_small. It seeds everything.
        folder: gets two runs, `clean` and `constrained`.
        data: instead of config.data.
        resume: as for `train`.
        report: as for `train`.

    Returns:
        A `ConstrainedTraining`.

    Raises:
        ValueError: before any training for radius 0 and for training points of different labels
            that are not more than 2 radius apart; after clean training if S_small is empty, as
            f_clean then is what was sought; otherwise as `train`.

    Cost: that of both runs; attacks within F_S also evaluate |S_small| D indicators.

    Source: "Why Clean Generalization and Robust Memorization Both Happen in Adversarial Training"
    (anonymous 2023, CGRM), Theorems 6.2 and C.1.

    Example:
        >>> import tempfile
        >>> config = TrainingConfig(
        ...     task="parity",
        ...     train_points=300,
        ...     hidden=(16,),
        ...     epochs=2,
        ...     radius=0.05,
        ...     final_attack="pgd5",
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = a_delta(config, folder)
        >>> points, labels = (
        ...     found.data.flat().train_points[found.small],
        ...     found.data.train_labels[found.small],
        ... )
        >>> 0 < len(points) < 300, torch.equal(found.network(points)[:, 0], labels.double())
        (True, True)
    """
    if not config.radius > 0:
        raise ValueError(f"radius must be positive, got {config.radius:g}")
    if data is None:
        data = load_data(
            config.data, config.task, config.seed, root=config.root, download=config.download
        )
    data = data.subset(config.train_points, config.test_points, config.seed)
    config, ball = replace(config, train_points=None, test_points=None), config.ball
    apart = separation(data.train_points.numpy(), data.train_labels.numpy(), norm=ball.p)
    if not apart.lower > 2 * ball.radius:
        raise ValueError(
            f"radius must be below half the separation {apart.distance:.6g}, got {ball.radius:g}"
        )
    clean = train(
        replace(config, radius=0.0), Path(folder) / "clean", data=data, resume=resume, report=report
    )
    f = clean.model()
    f_clean = ReLUNetwork.from_module(f, data.shape)  # before f is trained on
    x, y = as_float(data.train_points, torch.float64), data.train_labels
    small = attacked(f, x.to(next(f.parameters()).dtype), y, ball, config.final_attack, config.seed)
    if not small.any():
        raise ValueError(
            f"radius must be larger: {config.final_attack} finds no error of f_clean in any {ball}"
        )
    model = MemorizingModel(f, x[small], y[small], ball, apart.lower)
    run = train(
        config, Path(folder) / "constrained", data=data, model=model, resume=resume, report=report
    )
    return ConstrainedTraining(clean, f_clean, small, run, model, data)


def attacked(
    model: nn.Module,
    points: Points,
    labels: Labels,
    ball: Ball,
    attack: str,
    seed: int = 0,
) -> Flags:
    """Whether the named attack finds an error in the ball, or the point is one: bool, (N,)."""
    worst, found = Attack.parse(attack), list[torch.Tensor]()
    for number, (x, y) in enumerate(zip(points.split(BATCH), labels.split(BATCH), strict=True)):
        adversarial = worst(model, x, y, ball, generator=stream(seed, "small margins", number))
        with torch.no_grad():
            found.append(is_error(model(adversarial), y) | is_error(model(x), y))
    return torch.cat(found)
