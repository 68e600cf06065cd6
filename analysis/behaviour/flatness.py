"""Flatness of the loss around points: the largest input gradient and loss change in balls of
growing radius.

Whole, because a profile is the record of one search, which goes through all radii.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from dataclasses import replace as with_changes
from typing import Any

import torch
from torch.nn import functional

from constructions import Ball, Result
from constructions.internal import (
    CurveFlags,
    Curves,
    Labels,
    Outputs,
    PerPoint,
    Points,
    Report,
    Said,
    renamed,
    said,
    several,
    silent,
    stepped,
    stepping,
)
from training import is_error, project
from training.internal import (
    check_differentiable,
    check_labels,
    measuring,
    placement,
    read_outputs,
)

from ..quantities import statistics
from ..quantities.measured import Kind, Measured
from ..quantities.reading import Model, read_batch, read_cube, read_model, read_radii

CURVES = ("gradient", "change", "wrong")


@dataclass(frozen=True, eq=False, repr=False)
class FlatnessProfile(Result):
    """What was found at each point (rows) within each radius (columns); rows never decrease.

    Attributes:
        radii: the R radii, in units of the points.
        gradient: max over the ball of ||grad_x L||_q, q the dual exponent, (N, R).
        change: max of L(x + xi, y) - L(x, y), (N, R).
        wrong: whether a point with margin <= 0 was found, bool, (N, R).
        kind: what these numbers are of the true maxima.
    """

    radii: list[float]
    gradient: Curves
    change: Curves
    wrong: CurveFlags
    kind: Kind = "empirical lower bound"

    def _says(self) -> tuple[str, dict[str, Said]]:
        count, radius = len(self.wrong), self.radii[-1]
        wrong = int(self.wrong[:, -1].sum())
        what = f"{several(count, 'point')}, {len(self.radii)} radii to {radius:g}; means there"
        return what, {
            "gradient": said(float(self.gradient[:, -1].mean()), self.kind),
            "change of the loss": said(float(self.change[:, -1].mean()), self.kind),
            "wrong": said(wrong / count, self.kind, wrong, count),
        }

    def mean(self, curve: str) -> list[Measured]:
        """Average a curve over the points, at each radius.

        Args:
            curve: "gradient", "change" or "wrong".

        Returns:
            A `Measured` for each radius, of the profile's kind, with a 95% interval: bootstrap, or
            of a share for "wrong".

        Raises:
            ValueError: for another curve.
        """
        average = statistics.share if curve == "wrong" else statistics.mean
        return [average(column, self.kind) for column in self._values(curve).T]

    def contrast(self, radius: float, outer: float, curve: str = "gradient") -> Measured:
        """Compare how sharp the loss is at two radii: mean at `outer` over mean at `radius`.

        Args:
            radius: one of the profile's radii.
            outer: another one.
            curve: "gradient", "change" or "wrong".

        Returns:
            The ratio as `Measured`: of two bounds it is an estimate.

        Raises:
            ValueError: for other radii or curves, and if the mean at `radius` is 0.

        Example:
            >>> slopes = torch.tensor([[1.0, 3.0], [2.0, 3.0]])
            >>> found = FlatnessProfile([0.125, 0.25], slopes, slopes, slopes > 2.0)
            >>> found.contrast(0.125, 0.25).value
            2.0
        """
        for name, asked in (("radius", radius), ("outer", outer)):
            if asked not in self.radii:
                raise ValueError(
                    f"{name} must be one of the profile's radii {self.radii}, got {asked}"
                )
        values = self._values(curve)
        return statistics.ratio(
            values[:, self.radii.index(outer)], values[:, self.radii.index(radius)]
        )

    def _values(self, curve: str) -> torch.Tensor:
        if curve not in CURVES:
            raise ValueError(f"curve must be one of {', '.join(CURVES)}, got {curve!r}")
        values: torch.Tensor = getattr(self, curve).cpu()
        return values

    def summary(self) -> dict[str, Any]:
        """Write radii and means as plain JSON values.

        Returns:
            A dictionary with radii, kind and, by curve, the means as dictionaries.
        """
        return {
            "radii": self.radii,
            "kind": self.kind,
            **{c: [asdict(m) for m in self.mean(c)] for c in CURVES},
        }


@renamed(report=stepped)
@measuring(evaluating=True)
def flatness_profile(
    model: Any,
    points: Points,
    labels: Labels,
    ball: Ball,
    radii: Sequence[float],
    *,
    steps: int = 20,
    seed: int = 0,
    batch_size: int = 512,
    report: Report = silent,
) -> FlatnessProfile:
    """Search balls of growing radius for the largest loss gradients and loss changes.

    Largest ||grad_x L(f(x + xi), y)||_q and L(f(x + xi), y) - L(f(x), y) found for ||xi||_p <= r, x
    + xi in [0,1]^D, all r; L is the logistic loss (one output) or cross-entropy, q the exponent
    dual to p. A module computes in the dtype and on the device of its weights, in eval mode, and is
    afterwards as it was; other models in float64 if the points are float64, else in float32. Losses
    and norms are at least float32.

    One sweep over the radii. Each has three searches, with decreasing steps: ascents of the loss
    from the strongest point of the radius before, stretched to this one, and from a random point;
    and one of the gradient norm from the steepest point before. Where a gradient is 0, as on the
    plateaus of f_S, they go on from random points. All points seen count for everything, and maxima
    carry over, so curves are monotone as the true maxima are. L = log(1 + e^z), z = -y f or
    logsumexp_(k != y) f_k - f_y; the loss is ascended along grad z, which does not vanish where L
    does. The gradient of ||g||_q is H a, H the Hessian of L and a the steepest direction for g; the
    difference g(x) - g(x - h a) is taken, h = r/8. Within a linear region H only sees how the
    weights of the classes change; a difference across regions also sees how the slopes do, and
    finds larger norms than second derivatives.

    Args:
        model: anything that `read_model` reads.
        points: (N, ...), in [0,1] or uint8 (k means k/255).
        labels: (N,), -1, +1 or 0..K-1.
        ball: gives p; its radius is not used.
        radii: >= 0, increasing, in units of the points.
        steps: n for one radius, at least n/4 for each of several.
        seed: of the random starts, which depend on batch_size, too.
        batch_size: points searched at once.
        report: called with a `Progress` once a radius, for each batch.

    Returns:
        A `FlatnessProfile`: lower bounds of the maxima, up to the rounding of the dtype (on a kink,
        up to what autograd takes for the derivative there).

    Raises:
        ValueError: for points, labels, radii, steps and batch_size that do not fit.
        TypeError: for what is no model.
        FloatingPointError: if the loss or a gradient is NaN or infinite.

    Cost: about 7/2 n max(1, R/4) gradients a point, so 12 radii cost less than three times a single
    one; memory for a gradient of batch_size points.

    Source: CGRO (anonymous 2023), Section 6; CGRM (anonymous 2023), Section 5.

    Example:
        >>> from constructions import affine
        >>> x, y = torch.tensor([[0.5, 0.5]]), torch.tensor([1])
        >>> found = flatness_profile(affine([[2.0, -2.0]]), x, y, Ball("inf", 0.1), [0.0, 0.25])
        >>> found.gradient, found.wrong
        (tensor([[2.0000, 2.9242]]), tensor([[True, True]]))
    """
    sizes = read_radii(radii)
    if steps < 1 or batch_size < 1:
        raise ValueError(f"steps and batch_size must be >= 1, got {steps} and {batch_size}")
    evaluate, x, y = _read(model, points, labels)
    generator = torch.Generator(x.device).manual_seed(seed)
    each = max(1, steps // min(len(sizes), 4))
    batches = -(-len(x) // batch_size)
    step = stepping(report, "measuring flatness", batches * len(sizes))
    parts = []
    for rows, targets in zip(x.split(batch_size), y.split(batch_size), strict=True):
        search = _Search(evaluate, rows, targets, generator, with_changes(ball, radius=0.0))
        columns = []
        for radius in sizes:
            search.widen(with_changes(ball, radius=radius), each)
            columns.append((search.gradient, search.loss - search.clean, search.wrong))
            step()
        parts.append([torch.stack(curve, 1) for curve in zip(*columns, strict=True)])
    gradient, change, wrong = (torch.cat(curve) for curve in zip(*parts, strict=True))
    return FlatnessProfile(sizes, gradient, change, wrong)


class _Search:
    """The maxima so far for one batch, where they are, and how they are looked for."""

    def __init__(
        self,
        model: Model,
        x: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
        ball: Ball,
    ) -> None:
        self.model, self.x, self.labels, self.generator = model, x, labels, generator
        self.ball = ball
        self.loss = self.gradient = torch.full((len(x),), -math.inf, dtype=x.dtype, device=x.device)
        self.wrong = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        self.strongest = self.steepest = x
        self.finite = torch.ones((), dtype=torch.bool, device=x.device)
        self.look(x)
        self.clean = self.loss

    def widen(self, ball: Ball, steps: int) -> None:
        """Search a larger ball."""
        before, self.ball = self.ball, ball
        if ball.radius:
            self.climb(before, steps)
        if not self.finite:  # once a radius, as it waits for the device
            raise FloatingPointError(
                f"the loss or its gradient became NaN or infinite within radius {ball.radius:g}"
            )

    def climb(self, before: Ball, steps: int) -> None:
        """All ascents of a radius, from what was found with the ball before."""
        ball = self.ball
        stretch = ball.radius / before.radius if before.radius else 1.0
        self.climb_gradient(self.x + stretch * (self.steepest - self.x), max(1, 3 * steps // 4))
        warm = self.x + stretch * (self.strongest - self.x)
        self.climb_loss(ball.sample(self.x, self.generator), steps, 2.0)
        self.climb_loss(warm, steps, 0.5)

    def climb_loss(self, start: torch.Tensor, steps: int, first: float) -> None:
        """Steps of `first` radii and less along the gradient."""
        point = project(start, self.x, self.ball)
        _, slope = self.look(point)
        for k in range(steps, 1, -1):
            point = self.moved(point, slope, first * k / steps)
            _, slope = self.look(point)

    def climb_gradient(self, start: torch.Tensor, steps: int) -> None:
        """Steps of a radius and less along the difference of gradients here and a little back along
        the steepest direction.
        """
        point = project(start, self.x, self.ball)
        for k in range(steps, 0, -1):
            here, slope = self.look(point)
            there, slope_there = self.look(self.moved(point, slope, -1 / 8))
            # as L'(z), which may underflow
            weights = torch.softmax(functional.logsigmoid(torch.stack([here, there])), 0)
            ahead = _column(weights[0], point) * slope - _column(weights[1], point) * slope_there
            point = self.moved(point, ahead, k / steps) if k > 1 else point

    def moved(self, point: torch.Tensor, slope: torch.Tensor, radii: float) -> torch.Tensor:
        """So many radii along the steepest direction, back in ball and cube; where the slope is 0,
        a random point.
        """
        ahead = point + radii * self.ball.radius * self.ball.ascent(slope)
        flat = ~slope.flatten(1).any(1)
        if flat.is_cuda or flat.any():  # on a GPU, drawing costs less than to wait for an answer
            ahead = torch.where(
                _column(flat, point), self.ball.sample(self.x, self.generator), ahead
            )
        return project(ahead.to(self.x.dtype), self.x, self.ball)

    def look(self, point: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """z and its gradient; what they say of the maxima is kept."""
        with torch.enable_grad():
            point = point.detach().requires_grad_(True)
            outputs = self.model(point)
            outputs = outputs.double() if outputs.dtype == torch.float64 else outputs.float()
            z = log_odds(outputs, self.labels)
            (slope,) = torch.autograd.grad(z.sum(), point)
        point, z = point.detach(), z.detach()
        slope = slope.to(z.dtype)  # whose norm float16 may not hold
        loss, gradient = functional.softplus(z), torch.sigmoid(z) * self.ball.dual_norm(slope)
        self.finite = self.finite & (loss.isfinite() & gradient.isfinite()).all()
        self.strongest = torch.where(_column(loss > self.loss, point), point, self.strongest)
        self.steepest = torch.where(_column(gradient > self.gradient, point), point, self.steepest)
        self.loss, self.gradient = (
            torch.maximum(loss, self.loss),
            torch.maximum(gradient, self.gradient),
        )
        self.wrong = self.wrong | inspect.unwrap(is_error)(outputs.detach(), self.labels)
        return z, slope


def log_odds(outputs: Outputs, labels: Labels) -> PerPoint:
    """z = log((1 - p_y) / p_y), p_y the probability of the label: the loss is log(1 + e^z), and
    convex in the outputs as z is.

    -y f for outputs (batch, 1), logsumexp_(k != y) f_k - f_y for (batch, K); one value a row.
    """
    if outputs.shape[-1] == 1:
        return -labels * outputs[:, 0]
    gaps = outputs - outputs.gather(1, labels[:, None])
    return gaps.scatter(1, labels[:, None], -torch.inf).logsumexp(1)


def _read(
    model: Any, points: torch.Tensor, labels: torch.Tensor
) -> tuple[Model, torch.Tensor, torch.Tensor]:
    """The model, and points and labels as it takes them, checked against its outputs."""
    evaluate, given = read_model(model), read_batch(points)
    check_differentiable(model)
    dtype = torch.float64 if given.dtype == torch.float64 else torch.float32
    dtype, device = placement(model) or (dtype, given.device)
    x = read_cube(given, dtype=dtype).to(device)
    with torch.no_grad():
        outputs = read_outputs(evaluate(x[:1]), 1)
    return evaluate, x, check_labels(labels, len(x), outputs.shape[1]).to(device)


def _column(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """One value a row, shaped to go with `like`."""
    return values.reshape(-1, *[1] * (like.ndim - 1))
