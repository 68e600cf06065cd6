"""Projected gradient ascent in l_p balls intersected with [0,1]^D, step by step.

Whole, because fgsm is one step of the same ascent, and training takes the ascent alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from constructions import Ball
from constructions.internal import (
    Flags,
    Floats,
    Given,
    Labels,
    Outputs,
    PerPoint,
    Points,
    Report,
    RowNumbers,
    as_float,
    as_tensor,
    check_interval,
    renamed,
    silent,
    stepped,
    stepping,
    warn_of_scale,
)

from ..datasets.reading import check_differentiable, measuring, read_outputs
from .objectives import Model, Objective, classification_loss
from .projection import limits, within

Check = tuple[int, int, torch.Tensor]
"""Restart, step, and a number that is finite if objectives and gradients were."""


@renamed(report=stepped)
@measuring(evaluating=False)
def pgd(
    model: Model,
    x: Given,
    labels: Labels,
    ball: Ball,
    objective: Objective = classification_loss,
    *,
    steps: int = 20,
    step_size: float | None = None,
    restarts: int = 1,
    start: Points | None = None,
    random_start: bool = True,
    keep: str = "best",
    early_stop: Callable[[Outputs, Labels], Flags] | None = None,
    generator: torch.Generator | None = None,
    report: Report = silent,
) -> Points:
    """Search the balls around points for inputs that make an objective large.

    Gives points of the balls around the rows of x, in [0,1]^D, where `objective(model(x), labels)`
    is as large as found. Projected gradient ascent x' <- project(x' + step_size v), v the steepest
    direction of the norm (the sign of the gradient for l_inf, the gradient over its l_2 norm for
    l_2), `restarts` times: first from `start`, if given; else, and then, from a uniformly random
    point of the ball, or with random_start=False from x.

    Gradients are those of the sum, with respect to the input only; what rows get does not depend on
    other rows unless the model mixes them. Under `torch.autocast`, put one context around the whole
    call, so that weights are cast once, and another around the training step; the objective gets
    float32. Batch normalisation: see `batch_norm`. A module computes in the modes that its layers
    are in, and is afterwards as it was, running statistics and all.

    Args:
        model: from points to outputs (batch, 1) or (batch, K), differentiable.
        x: shape (batch, ...), floating-point, in [0,1], or uint8 (k means k/255, in float32).
        labels: shape (batch,).
        ball: norm and radius.
        objective: objective(outputs, labels) is one value for each row, which is made large: a
            loss (by default the usual one), or a margin with its sign changed.
        steps: K.
        step_size: by default 2.5 radius / steps.
        restarts: how often to climb.
        start: points to climb from first, like x.
        random_start: whether others are random.
        keep: "best": each row's best iterate, x included; a maximum found this way is a lower bound
            of the true one. "last": the last iterate (for training).
        early_stop: early_stop(outputs, labels), such as `is_error`: rows where it is true leave the
            batch and keep that iterate. Errors are found as without it, faster; the maximal
            objective is understated, so never use it to measure a loss or flatness.
        generator: of the noise. None: what the global one would give next, which is left as it
            is, so calls one after the other start at the *same* places: in a loop of training, or
            to try again, pass one of your own, `torch.Generator().manual_seed(0)`, made before the
            loop.
        report: called with a `Progress` after each pass.

    Returns:
        A floating-point tensor of the shape of x, in the same memory format, exactly in ball and
        cube.

    Raises:
        ValueError: for arguments out of range.
        FloatingPointError: naming the step if an objective or gradient is NaN or infinite (all
            steps are checked together at the end, which costs no synchronisation with a GPU at
            each).

    Cost: keep="best": 1 + restarts (steps + 1) forward and restarts steps backward passes;
    keep="last": exactly `steps` of both.

    Source: Madry et al. 2018, Section 2.1.

    Example:
        >>> w = torch.tensor([[1.0, -2.0]])
        >>> def logit(x):
        ...     return x @ w.T
        >>> attacked = pgd(
        ...     logit,
        ...     torch.tensor([[0.5, 0.5]]),
        ...     torch.tensor([1]),
        ...     Ball("inf", 0.25),
        ... )
        >>> attacked
        tensor([[0.2500, 0.7500]])
    """
    check_differentiable(model)
    x, labels = as_float(x, None, "x").detach(), as_tensor(labels, "labels")
    start = None if start is None else as_float(start, x.dtype, "start").detach()
    step = 2.5 * ball.radius / max(steps, 1) if step_size is None else step_size
    _check(x, labels, steps, step, restarts, start, random_start, keep, ball)
    if not len(x):
        return x.clone()
    found, checks = ascend(
        *(model, x, labels, ball, objective),
        steps=steps,
        step=step,
        restarts=restarts,
        start=start,
        random_start=random_start,
        best=keep == "best",
        early_stop=early_stop,
        generator=generator,
        report=report,
    )
    _check_finite(checks)
    return found


def ascend(
    model: Model,
    x: Floats,
    labels: Labels,
    ball: Ball,
    objective: Objective,
    *,
    steps: int,
    step: float,
    restarts: int = 1,
    start: Points | None = None,
    random_start: bool = True,
    best: bool = False,
    early_stop: Callable[[Outputs, Labels], Flags] | None = None,
    generator: torch.Generator | None = None,
    report: Report = silent,
) -> tuple[Floats, list[Check]]:
    """What `pgd` finds, of arguments that are right, and what `_check_finite` looks at.

    Without early_stop, which has to know how many rows are left, it never waits for a device.
    """
    result = x.clone()  # what rows that left the batch keep
    batch = _Batch(torch.arange(len(x), device=x.device), labels, x, *limits(x, ball), x)
    step_on = stepping(report, "attacking", best + restarts * (steps + best))
    checks: list[Check] = []
    for run in range(0 if best else 1, restarts + 1):  # run 0 only looks at x
        if not len(batch.rows):
            break
        length = steps if run else 0
        given = start[batch.rows] if start is not None and run == 1 else None
        if given is None and (run == 0 or not random_start):
            point = batch.centre.clone()
        else:
            at = ball.sample(batch.centre, generator) if given is None else given
            point = batch.project(at.to(x.dtype), ball)
            point = torch.empty_like(batch.centre).copy_(point)  # in the memory format of x
        for iteration in range(length + best):
            ascend = iteration < length
            outputs, value, gradient = _evaluate(model, objective, point, batch.labels, ascend)
            point = point.detach()
            with torch.no_grad():
                check = (0 * value).sum()  # which is finite if all are, as their own sum may not be
                checks.append((run, iteration, check + (0 * gradient).sum() if ascend else check))
                if best:
                    batch.compare(point, value)
                if early_stop is not None and (stopped := early_stop(outputs, batch.labels)).any():
                    result[batch.rows[stopped]] = point[stopped]
                    left = (~stopped).nonzero()[:, 0]
                    batch, point, gradient = batch[left], _rows(point, left), _rows(gradient, left)
                if ascend and len(batch.rows):
                    moved = torch.add(point, ball.ascent(gradient), alpha=step)
                    point = batch.project(moved, ball)
            step_on()
            if not len(batch.rows):
                break
        if not best:
            batch.found = point
    result[batch.rows] = batch.found
    return result, checks


def fgsm(
    model: Model,
    x: Given,
    labels: Labels,
    ball: Ball,
    objective: Objective = classification_loss,
    *,
    step_size: float | None = None,
    start: Points | None = None,
    random_start: bool = True,
    keep: str = "last",
    generator: torch.Generator | None = None,
) -> Points:
    """Attack with one step of `pgd`, from a uniformly random point of the ball.

    With random_start=False and step_size=radius, the attack of Goodfellow et al. 2015.

    Args:
        model: as for `pgd`.
        x: as for `pgd`.
        labels: as for `pgd`.
        ball: as for `pgd`.
        objective: as for `pgd`.
        step_size: by default 1.25 radius.
        start: as for `pgd`.
        random_start: as for `pgd`.
        keep: as for `pgd`.
        generator: as for `pgd`.

    Returns:
        As `pgd`.

    Raises:
        ValueError: as `pgd`.
        FloatingPointError: as `pgd`.

    Source: Wong, Rice and Kolter 2020, Section 4.1, Algorithm 3.

    Example:
        >>> w = torch.tensor([[1.0, -2.0]])
        >>> x, y = torch.tensor([[0.5, 0.5]]), torch.tensor([1])
        >>> fgsm(
        ...     lambda x: x @ w.T, x, y, Ball("inf", 0.25), lambda f, y: -y * f[:, 0], step_size=0.5
        ... )
        tensor([[0.2500, 0.7500]])
    """
    step = 1.25 * ball.radius if step_size is None else step_size
    return pgd(
        model,
        x,
        labels,
        ball,
        objective,
        steps=1,
        step_size=step,
        start=start,
        random_start=random_start,
        keep=keep,
        generator=generator,
    )


# -- how it is done --------------------------------------------------------------------------------


@dataclass
class _Batch:
    """The rows that are still attacked: their numbers, labels, centres, the limits of their points,
    the best points found, and the objective there (None before there is any).
    """

    rows: RowNumbers
    labels: Labels
    centre: Floats
    low: Floats
    high: Floats
    found: Floats
    highest: PerPoint | None = None

    def __getitem__(self, index: torch.Tensor) -> _Batch:
        return _Batch(
            self.rows[index],
            self.labels[index],
            _rows(self.centre, index),
            _rows(self.low, index),
            _rows(self.high, index),
            _rows(self.found, index),
            None if self.highest is None else self.highest[index],
        )

    def project(self, x: Floats, ball: Ball) -> Floats:
        """The points of ball and cube near x."""
        return within(x, self.centre, ball, self.low, self.high)

    def compare(self, point: Floats, value: PerPoint) -> None:
        """Keep points with a larger objective than the best so far."""
        if self.highest is None:
            self.found, self.highest = point, value
            return
        better = value > self.highest
        self.highest = torch.where(better, value, self.highest)
        self.found = torch.where(better.reshape(-1, *[1] * (point.ndim - 1)), point, self.found)


def _evaluate(
    model: Model, objective: Objective, point: torch.Tensor, labels: torch.Tensor, ascend: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Outputs and objective at points, without gradients, and the objective's gradient (if not
    `ascend`, the points themselves).
    """
    with torch.set_grad_enabled(ascend):
        outputs = read_outputs(model(point.requires_grad_(ascend)))
        if outputs.dtype in (torch.bfloat16, torch.float16):
            outputs = outputs.float()
        value = objective(outputs, labels)
        if value.shape != labels.shape[:1]:
            shape, given = tuple(labels.shape[:1]), tuple(value.shape)
            raise ValueError(
                f"objective must return one value for each row, shape {shape}, got shape {given}"
            )
        (gradient,) = torch.autograd.grad(value.sum(), point) if ascend else (point,)
    return outputs.detach(), value.detach(), gradient


def _rows(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Some rows of x, in its memory format."""
    return torch.empty_like(x[: len(index)]).copy_(x[index])


def _check(
    x: torch.Tensor,
    labels: torch.Tensor,
    steps: int,
    step: float,
    restarts: int,
    start: torch.Tensor | None,
    random_start: bool,
    keep: str,
    ball: Ball,
) -> None:
    """Raise ValueError for arguments of `pgd` out of range, and warn of a ball in grey levels."""
    if steps < 1 or restarts < 1:
        raise ValueError(f"steps and restarts must be >= 1, got {steps} and {restarts}")
    if not 0 <= step < math.inf:
        raise ValueError(f"step_size must be finite and >= 0, got {step}")
    if keep not in ("best", "last"):
        raise ValueError(f"keep must be 'best' or 'last', got {keep!r}")
    if keep == "last" and restarts > 1:
        raise ValueError(
            f"restarts must be 1 with keep='last', which compares nothing, got {restarts}"
        )
    if restarts > 1 and not random_start:
        raise ValueError(f"restarts must be 1 without a random start, got {restarts}")
    if len(labels) != len(x):
        raise ValueError(f"x and labels must have the same length, got {len(x)} and {len(labels)}")
    if start is not None and start.shape != x.shape:
        raise ValueError(
            f"start must have the shape of x, {tuple(x.shape)}, got {tuple(start.shape)}"
        )
    check_interval(x, "x")
    warn_of_scale(ball, math.prod(x.shape[1:]))


def _check_finite(checks: list[Check]) -> None:
    """Raise FloatingPointError naming the first step whose check, 0 times objectives and gradients,
    is not finite.
    """
    sums = torch.stack([check for _, _, check in checks])
    bad = (~torch.isfinite(sums)).nonzero()[:, 0].tolist()
    if bad:
        run, iteration, _ = checks[bad[0]]
        where = f"step {iteration + 1} of restart {run}" if run else "the clean points"
        raise FloatingPointError(
            f"the attack's objective or gradient became NaN or infinite at {where}"
        )
