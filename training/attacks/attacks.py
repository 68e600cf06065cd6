"""Attacks: projected gradient ascent in l_p balls intersected with [0,1]^D, by name or step by
step, and GTA.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from constructions import Ball

from ..datasets.labels import check_labels
from ..datasets.reading import as_tensor, check_differentiable, measuring, read_outputs
from .objectives import is_error, margin

Model = Callable[[torch.Tensor], torch.Tensor]
Objective = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
TINY = torch.finfo(torch.float64).tiny
BATCH_NORM = nn.modules.batchnorm._BatchNorm


def project(x: torch.Tensor, centre: torch.Tensor, ball: Ball) -> torch.Tensor:
    """A point of the ball around `centre` and of [0,1]^D near x: the nearest for l_inf, else
    nearest in one and then the other.

    Lies in both sets exactly, whatever the dtype: rounding only moves it towards the centre.
    Tensors have shape (batch, ...) and one dtype; centre in [0,1]^D.

    >>> project(torch.tensor([[0.75, 2.0]]), torch.tensor([[0.5, 0.875]]), Ball("inf", 0.125))
    tensor([[0.6250, 1.0000]])
    """
    return _project(x, centre, ball, *_limits(centre, ball))


def _limits(centre: torch.Tensor, ball: Ball) -> tuple[torch.Tensor, torch.Tensor]:
    """Bounds of each coordinate in the ball and the cube: max(c - r, 0) and min(c + r, 1), rounded
    towards c.
    """
    # Float64 r and c are added and rounded to c's dtype: off by less than one unit in the last
    # place. The exact distance of the result from c is gap + lost (the two-term sum of Knuth 1969),
    # so the comparison with r is exact; if the result is outside, its neighbour on the side of c is
    # inside.
    c, bounds = centre.double(), []
    for r in (-ball.radius, ball.radius):
        reached = (c + r).to(centre.dtype)
        far = reached.double()
        gap = far - c
        minus_c = gap - far
        lost = (far - (gap - minus_c)) - (c + minus_c)
        outside = (gap.abs() > ball.radius) | ((gap == r) & (lost * r > 0))
        bounds.append(
            torch.where(outside, torch.nextafter(reached, centre), reached).clamp_(0.0, 1.0)
        )
    return bounds[0], bounds[1]


def _project(
    x: torch.Tensor, centre: torch.Tensor, ball: Ball, low: torch.Tensor, high: torch.Tensor
) -> torch.Tensor:
    """`project` with the limits at hand."""
    if ball.p == 2:
        # Offsets are scaled by a factor that float64 cannot round beyond r, and each coordinate is
        # rounded towards c, so |x'_j - c_j| is at most that of a point of the ball. Clamping to
        # [low, high], which contains c, only makes it less.
        c = centre.double()
        offset = x.double() - c
        column = (-1, *[1] * (x.ndim - 1))
        radius = ball.radius * (1 - (x[:1].numel() + 16) * 2.0**-52)
        offset *= (radius / ball.norm(offset).clamp_min(TINY)).clamp_max(1.0).reshape(column)
        moved = (c + offset).to(x.dtype)
        x = torch.where(
            (moved.double() - c).abs() > offset.abs(), torch.nextafter(moved, centre), moved
        )
    return torch.clamp(x, low, high)


@measuring(evaluating=False)
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
    random_start: bool = True,
    keep: str = "best",
    early_stop: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
    generator: torch.Generator | None = None,
    progress: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """Points of the balls around the rows of x, in [0,1]^D, where `objective(model(x), labels)` is
    as large as found.

    Projected gradient ascent x' <- project(x' + step_size v), v the steepest direction of the norm
    (the sign of the gradient for l_inf, the gradient over its l_2 norm for l_2), `restarts` times:
    first from `start`, if given; else, and then, from a uniformly random point of the ball, or with
    random_start=False from x.

    x: shape (batch, ...), floating-point, in [0,1]; returned is such a tensor, in the same memory
    format, exactly in ball and cube. objective: one value for each row; what rows get does not
    depend on other rows unless the model mixes them. step_size defaults to 2.5 radius / steps.
    keep="best": each row's best iterate, x included, after 1 + restarts (steps + 1) forward and
    restarts steps backward passes; a maximum found this way is a lower bound of the true one.
    keep="last": the last iterate after exactly `steps` forward and backward passes (for training).

    early_stop(outputs, labels), such as `is_error`: rows where it is true leave the batch and keep
    that iterate. Errors are found as without it, faster; the maximal objective is understated, so
    never use it to measure a loss or flatness.

    Gradients are those of the sum, with respect to the input only. Under `torch.autocast`, put one
    context around the whole call, so that weights are cast once, and another around the training
    step; the objective gets float32. Batch normalisation: see `batch_norm`. progress is called
    after each pass.

    A module computes in the modes that its layers are in, and is afterwards as it was, running
    statistics and all. generator: None draws what the global one would give next, and leaves it
    alone, so every call draws the same; in a loop pass your own.

    Raises ValueError for arguments out of range, FloatingPointError naming the step if an objective
    or gradient is NaN or infinite (all steps are checked together at the end, which costs no
    synchronisation with a GPU at each). Source: Madry et al. 2018, Section 2.1.

    >>> w = torch.tensor([[1.0, -2.0]])
    >>> def logit(x):
    ...     return x @ w.T
    >>> attacked = pgd(
    ...     logit,
    ...     torch.tensor([[0.5, 0.5]]),
    ...     torch.tensor([1]),
    ...     Ball("inf", 0.25),
    ...     lambda f, y: -y * f[:, 0],
    ... )
    >>> attacked
    tensor([[0.2500, 0.7500]])
    """
    check_differentiable(model)
    x, labels = as_tensor(x, "x"), as_tensor(labels, "labels")
    step = 2.5 * ball.radius / max(steps, 1) if step_size is None else step_size
    _check(x, labels, steps, step, restarts, start, random_start, keep)
    result = x.clone()  # what rows that left the batch keep
    if not len(x):
        return result
    best = keep == "best"
    rows = torch.arange(len(x), device=x.device)
    centre, (low, high) = x, _limits(x, ball)
    found, highest = x, torch.empty(0, device=x.device)
    checks: list[tuple[int, int, torch.Tensor]] = []
    for run in range(0 if best else 1, restarts + 1):  # run 0 only looks at x
        length = steps if run else 0
        if run == 0 or (not random_start and start is None):
            point = centre.clone()
        else:
            at = (
                start.detach()[rows]
                if start is not None and run == 1
                else ball.sample(centre, generator)
            )
            point = _project(at.to(x.dtype), centre, ball, low, high)
            point = torch.empty_like(centre).copy_(point)  # in the memory format of x
        for iteration in range(length + best):
            ascend = iteration < length
            with torch.set_grad_enabled(ascend):
                outputs = read_outputs(model(point.requires_grad_(ascend)))
                outputs = (
                    outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs
                )
                value = objective(outputs, labels)
                if value.shape != labels.shape[:1]:
                    shape, given = tuple(labels.shape[:1]), tuple(value.shape)
                    raise ValueError(
                        f"objective must return one value for each row, shape {shape}, got shape "
                        f"{given}"
                    )
                if ascend:
                    (gradient,) = torch.autograd.grad(value.sum(), point)
            point, value = point.detach(), value.detach()
            with torch.no_grad():
                check = (0 * value).sum()  # which is finite if all are, as their own sum may not be
                checks.append((run, iteration, check + (0 * gradient).sum() if ascend else check))
                if best:
                    better = (
                        value > highest
                        if len(highest)
                        else torch.ones_like(value, dtype=torch.bool)
                    )
                    highest = torch.where(better, value, highest) if len(highest) else value
                    found = torch.where(better.reshape(-1, *[1] * (x.ndim - 1)), point, found)
                if early_stop is not None:
                    stopped = early_stop(outputs.detach(), labels)
                    if stopped.any():
                        result[rows[stopped]] = point[stopped]
                        left = (~stopped).nonzero()[:, 0]
                        rows, labels, highest = (
                            rows[left],
                            labels[left],
                            highest[left] if best else highest,
                        )
                        centre, low, high, found, point = (
                            _rows(t, left) for t in (centre, low, high, found, point)
                        )
                        gradient = _rows(gradient, left) if ascend else point
                if ascend and len(rows):
                    point = _project(
                        torch.add(point, ball.ascent(gradient), alpha=step), centre, ball, low, high
                    )
            progress()
            if not len(rows):
                break
        found = found if best else point
        if not len(rows):
            break
    result[rows] = found
    _check_finite(checks)
    return result


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
) -> None:
    """Raise ValueError for arguments of `pgd` that are out of range."""
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
    if not x.is_floating_point():
        raise ValueError(f"x must be floating-point, got {x.dtype}")
    if len(labels) != len(x):
        raise ValueError(f"x and labels must have the same length, got {len(x)} and {len(labels)}")
    if start is not None and start.shape != x.shape:
        raise ValueError(
            f"start must have the shape of x, {tuple(x.shape)}, got {tuple(start.shape)}"
        )
    if x.numel() and not bool(((low := x.amin()) >= 0) & ((high := x.amax()) <= 1)):
        raise ValueError(
            f"x must lie in [0,1], got values in [{float(low):.6g}, {float(high):.6g}]"
        )


def _check_finite(checks: list[tuple[int, int, torch.Tensor]]) -> None:
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


def fgsm(
    model: Model,
    x: torch.Tensor,
    labels: torch.Tensor,
    ball: Ball,
    objective: Objective,
    *,
    step_size: float | None = None,
    start: torch.Tensor | None = None,
    random_start: bool = True,
    keep: str = "last",
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """One step of `pgd` (see there), of 1.25 radius by default, from a uniformly random point of
    the ball.

    With random_start=False and step_size=radius, the attack of Goodfellow et al. 2015.
    Source: Wong, Rice and Kolter 2020, Section 4.1, Algorithm 3.

    >>> w = torch.tensor([[1.0, -2.0]])
    >>> x, y = torch.tensor([[0.5, 0.5]]), torch.tensor([1])
    >>> fgsm(lambda x: x @ w.T, x, y, Ball("inf", 0.25), lambda f, y: -y * f[:, 0], step_size=0.5)
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


@measuring(evaluating=False)
def gta(x: torch.Tensor, g: Model, gamma: float) -> torch.Tensor:
    """X - gamma g(X) grad g(X) / ||grad g(X)||_2 for each row X: the geometry-inspired transferable
    attack against g.

    x: shape (batch, ...), floating-point, any range; g: a differentiable target classifier with one
    value for each row, shape (batch,) or (batch, 1), that does not mix rows. Moves against the sign
    of g(X) by the l_2 distance gamma |g(X)|: where g is linear with a unit gradient, as in the
    paper, gamma = 1 reaches g = 0 and 1 - gamma of g remains. Rows where the gradient is zero stay.
    Neither ball nor cube is enforced.

    Raises ValueError unless gamma > 0 is finite and g gives one value a row, FloatingPointError if
    g or its gradient is NaN or infinite. Source: CGRO (anonymous 2023), Section 3.3, attack (A).

    >>> gta(torch.tensor([[3.0, 4.0]]), lambda x: x @ torch.tensor([0.6, 0.8]), 0.5)
    tensor([[1.5000, 2.0000]])
    """
    if not 0 < gamma < math.inf:
        raise ValueError(f"gamma must be positive and finite, got {gamma}")
    x = as_tensor(x, "x")
    with torch.enable_grad():
        point = x.clone().requires_grad_(True)
        value = read_outputs(g(point), name="g")
        if value.shape not in ((len(x),), (len(x), 1)):
            raise ValueError(
                f"g must return one value for each row, shape ({len(x)},), got shape "
                f"{tuple(value.shape)}"
            )
        (gradient,) = torch.autograd.grad(value.sum(), point)
    if not (torch.isfinite(value).all() and torch.isfinite(gradient).all()):
        raise FloatingPointError("g or its gradient is NaN or infinite")
    return x - gamma * value.detach().reshape(-1, *[1] * (x.ndim - 1)) * Ball(2, 1.0).ascent(
        gradient
    )


@contextmanager
def batch_norm(model: nn.Module, mode: str) -> Iterator[None]:
    """Within, layers of batch normalisation use running statistics ("eval") or those of the batch
    ("batch").

    Neither updates running statistics; afterwards all layers are as before, also after an
    exception. Other layers are left alone. Raises ValueError for another mode.

    >>> layer = nn.BatchNorm1d(1)
    >>> with batch_norm(layer, "batch"):
    ...     layer(torch.tensor([[1.0], [3.0]])).flatten().round().tolist()
    [-1.0, 1.0]
    >>> layer.running_mean
    tensor([0.])
    """
    if mode not in ("eval", "batch"):
        raise ValueError(f"mode must be 'eval' or 'batch', got {mode!r}")
    layers = [m for m in model.modules() if isinstance(m, BATCH_NORM)]
    before = [(m.training, m.track_running_stats) for m in layers]
    try:
        for layer in layers:
            layer.training = mode == "batch"
            # without: neither read nor written
            layer.track_running_stats = layer.track_running_stats and not layer.training
        yield
    finally:
        for layer, (training, tracks) in zip(layers, before, strict=True):
            layer.training, layer.track_running_stats = training, tracks


FORMS = "clean, fgsm, pgdK (K steps), pgdKxR (R restarts) or autoattack"


@dataclass(frozen=True)
class Attack:
    """An attack by name: clean, fgsm, pgdK (K steps), pgdKxR (R restarts of K steps), autoattack.

    Use `parse`; `str` gives the name again. Called, it attacks.

    >>> Attack.parse("pgd50x10")
    Attack(kind='pgd', steps=50, restarts=10)
    >>> Attack.parse("pdg7")
    Traceback (most recent call last):
    ...
    ValueError: attack must be clean, fgsm, pgdK (K steps), pgdKxR (R restarts) or autoattack,
      got 'pdg7'
    >>> w = torch.tensor([[1.0, -2.0]])
    >>> def logit(x):
    ...     return x @ w.T
    >>> found = Attack.parse("pgd10")(
    ...     logit, torch.tensor([[0.75, 0.25]]), torch.tensor([1]), Ball("inf", 0.125)
    ... )
    >>> is_error(logit(found), torch.tensor([1]))
    tensor([True])
    """

    kind: str
    steps: int
    restarts: int = 1

    @classmethod
    def parse(cls, text: str) -> Attack:
        """The attack of this name. Raises ValueError that lists the forms."""
        fixed = {
            "clean": cls("clean", 0),
            "fgsm": cls("fgsm", 1),
            "autoattack": cls("autoattack", 100, 4),
        }
        if text in fixed:
            return fixed[text]
        match = re.fullmatch(r"pgd([1-9]\d{0,5})(?:x([1-9]\d{0,5}))?", text, re.ASCII)
        if match is None:
            raise ValueError(f"attack must be {FORMS}, got {text!r}")
        return cls("pgd", int(match[1]), int(match[2] or 1))

    def __str__(self) -> str:
        if self.kind != "pgd":
            return self.kind
        return f"pgd{self.steps}" + (f"x{self.restarts}" if self.restarts > 1 else "")

    def step_size(self, ball: Ball) -> float:
        """1.25 radius for fgsm (Wong, Rice and Kolter 2020), 2.5 radius / K for pgdK (Madry et al.
        2018).
        """
        return 1.25 * ball.radius if self.kind == "fgsm" else 2.5 * ball.radius / max(self.steps, 1)

    def __call__(
        self,
        model: Model,
        x: torch.Tensor,
        labels: torch.Tensor,
        ball: Ball,
        *,
        objective: Objective | None = None,
        keep: str = "best",
        early_stop: bool | None = None,
        generator: torch.Generator | None = None,
        progress: Callable[[], None] = lambda: None,
    ) -> torch.Tensor:
        """The points that the attack finds around the rows of x (see `pgd`); labels -1, +1 or
        0..K-1, a tie is an error.

        objective: by default minus the margin, whose gradient does not vanish on confident outputs.
        early_stop: by default if keep="best", unless batch normalisation in training mode makes
        rows depend on each other; then a row's result is an error if any iterate of any restart
        was, whatever the objective (with the default objective also without early_stop). For the
        maximal loss, pass the loss and early_stop=False. Modules and generators: as for `pgd`.

        autoattack is the standard version of Croce and Hein 2020 by the package pyautoattack; it
        needs images (batch, C, H, W) and takes only generator of the options. With 2 or 3 classes,
        where its targeted loss is undefined, and with one output f, seen as (-f/2, f/2), it runs
        APGD-CE, FAB and Square. Raises ImportError if the package is missing, and ValueError for
        labels that do not fit the outputs.
        """
        if self.kind == "clean":
            return as_tensor(x, "x").clone()
        if self.kind == "autoattack":
            return _autoattack(model, as_tensor(x, "x"), labels, ball, generator)
        minus_margin, read = (
            (lambda outputs, target: -inspect.unwrap(margin)(outputs, target)),
            False,
        )

        def reading(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            nonlocal read
            if not read:  # once, as it waits for the device
                check_labels(target, len(outputs), read_outputs(outputs, len(outputs)).shape[1])
                read = True
            return (objective or minus_margin)(outputs, target)

        stops = (keep == "best" and not _mixes_rows(model)) if early_stop is None else early_stop
        return pgd(
            model,
            x,
            check_labels(labels, len(x)),
            ball,
            reading,
            steps=self.steps,
            step_size=self.step_size(ball),
            restarts=self.restarts,
            keep=keep,
            early_stop=inspect.unwrap(is_error) if stops else None,
            generator=generator,
            progress=progress,
        )


def _mixes_rows(model: Model) -> bool:
    """Whether batch normalisation uses the statistics of the batch."""
    return isinstance(model, nn.Module) and any(
        m.training for m in model.modules() if isinstance(m, BATCH_NORM)
    )


def import_autoattack() -> Any:
    """The class of the package pyautoattack. Raises ImportError that says how to install it."""
    try:
        from pyautoattack import AutoAttack  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise ImportError(
            "autoattack needs the package pyautoattack: pip install 'cgro[autoattack]'"
        ) from error
    return AutoAttack


@measuring(evaluating=False)
def _autoattack(
    model: Model,
    x: torch.Tensor,
    labels: torch.Tensor,
    ball: Ball,
    generator: torch.Generator | None,
) -> torch.Tensor:
    """What AutoAttack finds, projected so that it lies in ball and cube exactly; x itself where
    that is no error.
    """
    attack_class = import_autoattack()
    if x.ndim != 4:
        raise ValueError(
            f"autoattack needs images of shape (batch, C, H, W), got x of shape {tuple(x.shape)}"
        )
    if not len(x) or not ball.radius:
        return x.clone()

    def logits(points: torch.Tensor) -> torch.Tensor:
        outputs = model(points).float()
        return torch.cat([-outputs / 2, outputs / 2], 1) if outputs.shape[1] == 1 else outputs

    check_differentiable(model)
    with torch.no_grad():
        outputs = read_outputs(model(x[:2]), len(x[:2])).shape[1]
    labels = check_labels(labels, len(x), outputs)
    names = (
        ["apgd-ce", "fab", "square"] if outputs < 4 else ["apgd-ce", "apgd-t", "fab-t", "square"]
    )
    seed = int(
        torch.randint(
            2**31, (1,), generator=generator, device=generator.device if generator else "cpu"
        )
    )
    with torch.enable_grad():  # it seeds the global state, which `measuring` puts back
        norm = "Linf" if ball.p == math.inf else "L2"
        attack = attack_class(
            logits,
            norm=norm,
            eps=ball.radius,
            seed=seed,
            device=x.device,
            version="custom",
            attacks=names,
        )
        attack.verbose = False
        attack.apgd.n_restarts = attack.apgd_targeted.n_restarts = attack.fab.n_restarts = 1
        attack.apgd_targeted.n_target_classes = attack.fab.n_target_classes = min(9, outputs - 1)
        classes = (labels + 1) // 2 if outputs == 1 else labels
        found, _ = attack.run_standard_evaluation(x.contiguous(), classes, batch_size=len(x))
    found = torch.empty_like(x).copy_(project(found.to(x.dtype), x, ball))
    with torch.no_grad():
        wrong = is_error(model(found), labels)
    return torch.where(wrong.reshape(-1, 1, 1, 1), found, x)
