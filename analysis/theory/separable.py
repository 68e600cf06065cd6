"""Linear-separable data: how far w_0's direction is from w*, and the robust errors of the mixed
learner, certified.

Whole, because both are functions of the same noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import optimize, stats

from constructions import Ball, Result, fitted_exponent
from constructions.internal import (
    Batch,
    BatchPoints,
    Labels,
    PerPoint,
    Rows,
    Said,
    SeedErrors,
    Vector,
    as_coordinates,
    check_finite,
)
from training import MixedLearner, SeparableData, max_margin
from training.internal import check_labels, differentiating

from ..behaviour.counterexamples import certainly_wrong
from ..quantities.measured import Measured, ShareBounds
from ..quantities.statistics import mean, share

EPS, TINY = 2.0**-52, np.finfo(np.float64).tiny
ROUNDING = 1e-9
"""Errors of a direction below it are 0 up to rounding."""


# -- directions ------------------------------------------------------------------------------------


def direction_error(weights: BatchPoints, direction: Vector) -> Batch:
    """Measure how far the directions of vectors are from the true one.

    | w / |w| - w* |_2.

    Args:
        weights: vectors w, (..., d).
        direction: w*, (d,), of length 1.

    Returns:
        One number for each vector, (...).

    Raises:
        ValueError: for w = 0 and NaN.

    Example:
        >>> direction_error(torch.tensor([[0.0, 2.0], [3.0, 0.0]]), torch.tensor([1.0, 0.0]))
        tensor([1.4142, 0.0000])
    """
    lengths = weights.norm(dim=-1, keepdim=True)
    if not (lengths > 0).all():
        raise ValueError("weights must not be 0 or NaN: they have no direction")
    return (weights / lengths - direction).norm(dim=-1)


def max_margin_error(data: SeparableData) -> float:
    """Compute how far the max-margin direction is from the true one, from the noise alone.

    | u - w* | of the max-margin direction u of the large-margin points. With r the distance of 0
    from the convex hull of the y_i xi_i, u has the angle arctan(r / alpha) to w*: so u = w* exactly
    if the hull contains 0. Proof: the unit vector cos(t) w* + sin(t) v has the margin alpha cos(t)
    + sin(t) min_i y_i xi_i.v.

    Args:
        data: the training points.

    Returns:
        The error, up to rounding of 1e-12.

    Source: this library; it makes Theorem B.1 of CGRM (anonymous 2023) an equation.

    Example:
        >>> data = SeparableData.sample(N=20, d=30, seed=0, alpha=4.0)
        >>> u = max_margin(data.points, data.labels).direction
        >>> abs(max_margin_error(data) - direction_error(u, data.direction).item()) < 1e-9
        True
    """
    noise, labels = data.noise[data.large], data.labels[data.large]
    try:
        found = max_margin(noise, labels)
    except ValueError:  # no v has y_i xi_i.v > 0 for all i
        return 0.0
    return 2 * math.sin(math.atan((found.lower + found.upper) / 2 / data.alpha) / 2)


def max_margin_error_bound(data: SeparableData) -> float:
    """Bound how far the max-margin direction is from the true one, by the mean of the noise.

    2 |z| / alpha >= | u - w* |, z the mean of the y_i xi_i over large-margin points, whose length
    is near sqrt(d / N). From alpha <= gamma <= u.(alpha w* + z) <= alpha cos(t) + |z| sin(t), so
    tan(t / 2) <= |z| / alpha: the step that the paper's proof leaves to "concentration".

    Args:
        data: the training points.

    Returns:
        An upper bound, up to rounding.

    Source: CGRM (anonymous 2023), proof of Theorem B.1.

    Example:
        >>> data = SeparableData.sample(N=20, d=30, seed=0, alpha=4.0)
        >>> max_margin_error(data) <= max_margin_error_bound(data)
        True
    """
    mean_noise = (data.labels[:, None] * data.noise)[data.large].mean(0)
    return 2 * float(mean_noise.norm()) / data.alpha


def predicted_max_margin_error(N: int, d: int, alpha: float) -> float:
    """Predict how far the max-margin direction is from the true one, in high dimensions.

    | u - w* | as N, d -> infinity at fixed N / (d - 1): r is the k with E (k + g)_+^2 = (d - 1) /
    N, g normal. It is 0 from N = 2 (d - 1) on. For N << d it is sqrt(d / N) / alpha.

    Args:
        N: points.
        d: dimension.
        alpha: their margin.

    Returns:
        The limit, an estimate of the error at this N and d.

    Raises:
        ValueError: for N < 1 and d < 2.

    Source: Gardner 1988 (k); Cover 1965 (2 (d - 1)).

    Example:
        >>> (
        ...     predicted_max_margin_error(1000, 501, 4.0),
        ...     round(predicted_max_margin_error(10, 1_000_001, 1e5) / (10**2.5 / 1e5), 3),
        ... )
        (0.0, 1.0)
    """
    if N < 1 or d < 2:
        raise ValueError(f"N must be >= 1 and d >= 2, got {N} and {d}")
    if 2 * (d - 1) <= N:
        return 0.0

    def excess(k: float) -> float:
        return float((k * k + 1) * stats.norm.cdf(k) + k * stats.norm.pdf(k)) - (d - 1) / N

    k = optimize.brentq(excess, 0.0, math.sqrt((d - 1) / N) + 1)
    return 2 * math.sin(math.atan(k / alpha) / 2)


def recovery_probability(N: int, d: int) -> float:
    """Compute the probability that the max-margin direction is exactly the true one.

    P(u = w*), that 0 lies in the convex hull of N normal vectors of R^(d-1): 2^(1-N) sum over k >=
    d - 1 of binom(N - 1, k).

    Args:
        N: points.
        d: dimension.

    Returns:
        The probability, exact up to rounding.

    Source: Wendel 1962.

    Example:
        >>> recovery_probability(3, 3), recovery_probability(18, 10)
        (0.25, 0.5)
    """
    return float(stats.binom.sf(d - 2, N - 1, 0.5))


@dataclass(frozen=True, eq=False, repr=False)
class DirectionRate(Result):
    """How fast the direction's error falls with the number of points; see `direction_rate`.

    Attributes:
        errors: | w_0 / |w_0| - w* |, shape (seeds, sizes).
        rate: the exponent of N, a mean over fits to one seed each.
    """

    errors: SeedErrors
    rate: Measured

    def _says(self) -> tuple[str, dict[str, Said]]:
        seeds, sizes = self.errors.shape
        what = f"error ~ N^rate, fitted to {sizes} numbers of points, {seeds} seeds"
        return what, {"rate": self.rate.said}


def direction_rate(
    sizes: Sequence[int],
    d: int,
    alpha: float,
    seeds: int = 10,
    learn: Callable[[SeparableData], Vector] = lambda data: (
        max_margin(data.points, data.labels).direction
    ),
) -> DirectionRate:
    """Fit the power of N with which the direction's error falls.

    The exponent p of | w_0 / |w_0| - w* | ~ N^p over the numbers of points, fitted to each seed's
    data by itself.

    Args:
        sizes: numbers N of points.
        d: dimension.
        alpha: margin of the points.
        seeds: how many data sets of each size.
        learn: gives w_0 from data without small-margin points; by default the limit of training.

    Returns:
        A `DirectionRate`, whose interval is of the mean over seeds.

    Raises:
        ValueError: if an error is 0 up to rounding, as about from N = 2 d on: no power of N falls
            to 0.

    Example:
        >>> direction_rate([10, 20, 40], d=200, alpha=8.0, seeds=3).errors.shape
        (3, 3)
    """
    errors = np.empty((seeds, len(sizes)))
    for seed in range(seeds):
        for k, N in enumerate(sizes):
            data = SeparableData.sample(N, d, seed, alpha)
            errors[seed, k] = float(direction_error(learn(data), data.direction))
    if (errors <= ROUNDING).any():
        raise ValueError(
            f"sizes must leave errors above 0, got {errors.min():g} (w_0 is w* about from N = 2 d "
            f"= {2 * d} on)"
        )
    return DirectionRate(errors, mean([fitted_exponent(sizes, row.tolist()) for row in errors]))


def linear_error(weights: Vector, direction: Vector, margin: float, radius: float = 0.0) -> float:
    """Compute the robust error of a linear classifier on the distribution, in l_2.

    P(y w.x <= radius |w|) for new x = margin y w* + xi: Phi((radius - c) / s), c = margin cos(t), s
    = sin(t), t the angle of w and w*.

    Args:
        weights: w, (d,).
        direction: w*, (d,), of length 1.
        margin: alpha or beta.
        radius: of the l_2 balls, in the units of the data.

    Returns:
        The error, exact up to rounding.

    Example:
        >>> round(
        ...     linear_error(
        ...         torch.tensor([1.0, 1.0]), torch.tensor([1.0, 0.0]), margin=1.0, radius=2**-0.5
        ...     ),
        ...     9,
        ... )
        0.5
    """
    unit = weights.double() / weights.double().norm()
    cosine = float(unit @ direction.double())
    sine = float((unit - cosine * direction.double()).norm())
    gap = radius - margin * cosine
    return float(stats.norm.cdf(gap / sine)) if sine else float(gap >= 0)


# -- robust errors ---------------------------------------------------------------------------------


def certified_ball_margins(
    learner: MixedLearner, points: Rows, labels: Labels, radius: float
) -> PerPoint:
    """Prove lower bounds of the mixed learner's margin over whole l_2 balls.

    Lower bounds of y f over the balls of all of R^d around points, certified, rounding included.
    Neurons of the label's sign count with their affine part if they are positive on the whole ball,
    else with 0; the others with the largest value they reach. So the bound is the minimum itself
    (up to rounding) where no neuron changes its sign in the ball and none of the wrong sign is on.

    Args:
        learner: f.
        points: (N, d).
        labels: (N,), -1 or +1.
        radius: of the balls, in the units of points.

    Returns:
        Certified lower bounds, float64, (N,). One > 0 proves the ball; one <= 0 proves nothing.

    Raises:
        ValueError: for labels, shapes and a radius out of range.

    Cost: N m d.

    Example:
        >>> f = MixedLearner(
        ...     torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 2.0]]), torch.tensor([1.0]), 1.0
        ... )
        >>> bound = certified_ball_margins(
        ...     f, torch.tensor([[0.25, 4.0]]), torch.tensor([1]), radius=0.5
        ... )
        >>> round(bound.item(), 9) == round(0.25 + 7 - 0.5 * 5**0.5, 9)
        True
    """
    x, y, radius = _read(learner, points, labels, radius)
    w, a, b = learner.neurons.double(), learner.outer.double(), float(learner.threshold)
    terms = 8 * (x.shape[1] + len(w) + 16)
    sizes, lengths = (v.norm(dim=1) * (1 + terms * EPS) for v in (x, w))
    # no number on the way to a pre-activation is larger
    top = sizes[:, None] * lengths + abs(b) + radius * lengths
    values = x @ w.T - b
    reach = radius * lengths + terms * EPS * top
    signs = y[:, None] * a
    helps, harms = (signs > 0) & (values > reach), (signs < 0) & (values > -reach)
    rows = y[:, None] * learner.linear.double() + (helps * signs) @ w
    value = (
        y * (x @ learner.linear.double())
        + (helps * signs * values).sum(1)
        + (harms * signs * (values + reach)).sum(1)
        - radius * rows.norm(dim=1)
    )
    length = float(learner.linear.double().norm())
    magnitude = (sizes + radius) * length + ((helps | harms) * signs.abs() * (top + reach)).sum(1)
    lost = terms * TINY * (1 + radius + float(a.abs().sum()) * (1 + radius))
    return torch.nan_to_num(value - terms * EPS * magnitude - lost, nan=-torch.inf)


@differentiating
def robust_error_bounds(
    learner: MixedLearner, points: torch.Tensor, labels: torch.Tensor, radius: float
) -> ShareBounds:
    """Bound the mixed learner's robust error on points in l_2, from below and above.

    The share of points whose l_2 ball in R^d holds an error (y f <= 0). Below: points at which
    FGSM's step, or none, finds an error whose sign no rounding can change. Above: points that
    `certified_ball_margins` does not prove.

    Args:
        learner: f.
        points: (N, d).
        labels: (N,), -1 or +1.
        radius: of the balls, in the units of points.

    Returns:
        `ShareBounds`, both certified; their intervals speak of the distribution.

    Raises:
        ValueError: as `certified_ball_margins`.
        RuntimeError: if a point is proved and refuted: one of the two is then wrong.

    Example:
        >>> data = SeparableData.sample(N=8, d=200, seed=0, alpha=8.0, small=2)
        >>> none = MixedLearner(data.direction, torch.zeros(0, 200), torch.zeros(0), 0.0)
        >>> lower, upper = robust_error_bounds(none, data.points, data.labels, radius=2.0)
        >>> lower.value, upper.value
        (0.25, 0.25)
    """
    upper = ~(certified_ball_margins(learner, points, labels, radius) > 0)
    x, y, radius = _read(learner, points, labels, radius)
    at = x.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad((y * learner(at)[:, 0]).sum(), at)
    ball, network = Ball(2, radius), learner.network()
    lower = certainly_wrong(network, x, labels) | certainly_wrong(
        network, ball.project(x - radius * ball.ascent(slope), x), labels
    )
    if (lower & ~upper).any():
        raise RuntimeError(
            f"point {int((lower & ~upper).nonzero()[0])} was proved and refuted: one of the two is "
            f"wrong"
        )
    return ShareBounds(
        share(lower.numpy(), "certified lower bound"), share(upper.numpy(), "certified upper bound")
    )


def _read(
    learner: MixedLearner, points: torch.Tensor, labels: torch.Tensor, radius: float
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Points and labels as float64, checked, and the radius."""
    x = as_coordinates(points).double()
    if x.ndim != 2 or len(x) == 0 or x.shape[1:] != learner.linear.shape:
        raise ValueError(
            f"points must have shape (N, {len(learner.linear)}) with N >= 1, got {tuple(x.shape)}"
        )
    check_finite(x, "points")
    return x, check_labels(labels, len(x), 1).double(), Ball(2, radius).radius
