"""The mixed learner f(x) = w_0.x + sum_i a_i relu(w_i.x - b) on linear-separable data, trained as
its theory says.

Whole, because the halves of the learner are trained on two parts of one sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls

from constructions import ReLUNetwork, Result
from constructions.internal import (
    BatchOutputs,
    BatchPoints,
    Curve,
    Labels,
    Neurons,
    PerNeuron,
    Rows,
    Said,
    Steps,
    Unpacked,
    Vector,
    VectorCurve,
    check_labels,
    read_rows,
    said,
)

from ..datasets.distributions import SeparableData, check_sizes
from .patches import recorded_steps

EPS, OVERFLOW = 2.0**-52, 2.0**400


@dataclass(frozen=True, eq=False, repr=False)
class MaxMargin(Unpacked):
    """The unit vector that separates points with the largest margin, with certified bounds of it.

    lower <= min_i y_i x_i.w <= gamma <= upper, rounding accounted for; gamma is the largest margin
    of all unit vectors. So w is within sqrt(2 - 2 lower / upper) of the vector that attains it.

    Attributes:
        direction: w, float64, (d,), of length 1.
        lower: certified lower bound of the margin of w.
        upper: certified upper bound of gamma.
    """

    direction: Vector
    lower: float
    upper: float

    def _says(self) -> tuple[str, dict[str, Said]]:
        return f"a direction in R^{len(self.direction)} that separates the points", {
            "its margin": said(self.lower, "certified lower bound"),
            "the largest margin": said(self.upper, "certified upper bound"),
        }


def max_margin(points: Any, labels: Any) -> MaxMargin:
    """Find the hyperplane through 0 that separates labelled points with the largest margin.

    u = argmax min_i y_i x_i.w over |w| = 1: y_i x_i averaged with the weights that make the average
    shortest. The dual, least distance from 0 to the convex hull of the y_i x_i, is solved by active
    sets, exactly up to rounding; primal and dual value certify it. The direction that maximizes the
    margin over balls of one l_2 radius is the same.

    Args:
        points: shape (N, d).
        labels: (N,), -1 or +1.

    Returns:
        A `MaxMargin`.

    Raises:
        ValueError: if no hyperplane through 0 separates the points up to rounding; for shapes and
            labels that do not fit, NaN and infinity.

    Cost: about N least-squares problems, of d numbers each.

    Source: Lawson and Hanson 1974, Chapter 23 (NNLS, LDP).

    Example:
        >>> u, lower, upper = max_margin(
        ...     torch.tensor([[3.0, 0.0], [0.0, -4.0]]), torch.tensor([1, -1])
        ... )
        >>> u.numpy().round(6).tolist(), round(lower, 6), round(upper, 6)
        ([0.8, 0.6], 2.4, 2.4)
    """
    rows = _signed(points, labels)
    size = float(np.linalg.norm(rows, axis=1).max())
    rows = rows / (size or 1.0)
    # The residual r of |A c - e|^2, A = (rows^T; 1), is orthogonal to active columns: r is a
    # multiple of (direction, -margin).
    found, _ = nnls(
        np.vstack([rows.T, np.ones(len(rows))]),
        np.append(np.zeros(rows.shape[1]), 1.0),
        maxiter=20 * len(rows),
    )
    shortest = (found / (found.sum() or 1.0)) @ rows
    upper = float(np.linalg.norm(shortest))
    direction = shortest / (upper or 1.0)
    lower = float((rows @ direction).min())
    rounding = 4 * (sum(rows.shape) + 8) * EPS
    if lower <= rounding:
        raise ValueError(
            f"points must be separable by a hyperplane through 0, got margin {lower * size:g}"
        )
    return MaxMargin(
        torch.from_numpy(direction), (lower - rounding) * size, (upper + rounding) * size
    )


@dataclass(frozen=True, eq=False, repr=False)
class LinearRun(Result):
    """What `train_linear` recorded along its steps.

    Attributes:
        steps: the R recorded steps, shape (R,).
        weights: w_0 before each of these steps, float64, (R, d).
        log_loss: log of the robust loss there, (R,).
    """

    steps: Steps
    weights: VectorCurve
    log_loss: Curve

    def _says(self) -> tuple[str, dict[str, Said]]:
        steps, d = self.weights.shape
        return f"{steps:,} recorded steps of a linear network on R^{d}", {
            "last step": said(int(self.steps[-1]), "exact"),
            "log of the robust loss there": said(float(self.log_loss[-1]), "rounded"),
        }


def train_linear(
    points: Rows,
    labels: Labels,
    radius: float = 0.0,
    *,
    steps: int = 1000,
    rate: float | None = None,
    normalized: bool = True,
) -> LinearRun:
    """Train a linear function adversarially, by full-batch gradient descent from 0.

    f(x) = w_0.x, and the loss is

        L = 1/N sum_i max_(|delta_i|_2 <= radius) exp(-y_i w_0.(x_i + delta_i)).

    FGSM's point x_i - radius y_i w_0 / |w_0| is the worst one, so L = 1/N sum exp(-y_i w_0.x_i +
    radius |w_0|), and the step along its gradient is FGSM training (at w_0 = 0 the points
    themselves). About 400 steps are recorded.

    Normalized steps or not, both follow the same curve of steepest descent; the length grows
    linearly in steps if normalized, else like their logarithm, so that the direction has an error
    of about 1 / log(steps). The direction tends to that of `max_margin` only if radius < gamma;
    beyond, w_0 stays bounded.

    Args:
        points: shape (N, d).
        labels: (N,), -1 or +1.
        radius: of the l_2 balls, in the units of points.
        steps: how many.
        rate: of a step; by default 1 / max |x_i|^2, for which the loss falls.
        normalized: whether steps are rate / L times the gradient, else rate times.

    Returns:
        A `LinearRun`.

    Raises:
        ValueError: for arguments out of range.
        FloatingPointError: naming the step, if w_0 overflows.

    Cost: 2 N d a step.

    Source: CGRM (anonymous 2023), Theorem 4.1; Li et al. 2020 (robust loss); Nacson et al. 2019
    (normalized steps).

    Example:
        >>> run = train_linear(
        ...     torch.tensor([[3.0, 0.0], [0.0, -4.0]]),
        ...     torch.tensor([1, -1]),
        ...     radius=1.0,
        ...     steps=4000,
        ... )
        >>> (run.weights[-1] / run.weights[-1].norm()).numpy().round(2)
        array([0.8, 0.6])
    """
    rows = _signed(points, labels)
    check_sizes(steps=steps)
    if not 0 <= radius < math.inf:
        raise ValueError(f"radius must be >= 0 and finite, got {radius}")
    largest = float(np.square(rows).sum(1).max())
    if rate is None and not 0 < largest < math.inf:
        raise ValueError(
            f"points must not all be 0, nor overflow when squared, got a largest square of "
            f"{largest:g}"
        )
    rate = 1 / largest if rate is None else rate
    if not 0 < rate < math.inf:
        raise ValueError(f"rate must be positive and finite, got {rate}")
    recorded = recorded_steps(steps)
    wanted = set(recorded.tolist())
    w, weights, losses = np.zeros(rows.shape[1]), [], []
    for step in range(steps + 1):
        if not np.abs(w).max() <= OVERFLOW:
            raise FloatingPointError(
                f"w_0 became NaN or infinite at step {step} (is rate {rate} too large?)"
            )
        length = math.sqrt(w @ w)
        exponents = rows @ -w
        top = float(exponents.max())
        share = np.exp(exponents - top)
        total = float(share.sum())
        log_loss = top + math.log(total / len(rows)) + radius * length
        if step in wanted:
            weights.append(w)
            losses.append(log_loss)
        descent = share @ rows / total - (radius / length * w if length else 0.0)
        w = w + (rate if normalized else rate * math.exp(min(log_loss, 700.0))) * descent
    return LinearRun(recorded, torch.from_numpy(np.stack(weights)), np.array(losses))


@dataclass(frozen=True, eq=False, repr=False)
class MixedLearner:
    """A linear function plus neurons that each memorize a point.

    f(x) = linear.x + sum_i outer_i relu(neurons_i.x - threshold), a function of points (..., d)
    with outputs (..., 1).

    Attributes:
        linear: w_0, shape (d,).
        neurons: w_i, (m, d).
        outer: a_i, (m,).
        threshold: b.

    Source: CGRM (anonymous 2023), Section 4.

    Example:
        >>> f = MixedLearner(
        ...     torch.tensor([1.0, 0.0]), torch.tensor([[0.0, 2.0]]), torch.tensor([-1.0]), 1.0
        ... )
        >>> f(torch.tensor([[3.0, 4.0]])), f.network()(torch.tensor([[3.0, 4.0]]))
        (tensor([[-4.]]), tensor([[-4.]]))
    """

    linear: Vector
    neurons: Neurons
    outer: PerNeuron
    threshold: float

    def __repr__(self) -> str:
        m, d = self.neurons.shape
        return f"MixedLearner(R^{d} -> R, {m} neurons, threshold {self.threshold:g})"

    def __call__(self, x: BatchPoints) -> BatchOutputs:
        hidden = (x @ self.neurons.to(x).T - self.threshold).clamp_min(0)
        return (x @ self.linear.to(x) + hidden @ self.outer.to(x))[..., None]

    def network(self) -> ReLUNetwork:
        """Write the same function as a network, with the same numbers as weights.

        w_0.x is relu(w_0.x) - relu(-w_0.x).

        Returns:
            A `ReLUNetwork` d -> 1 with m + 2 units.
        """
        bias = torch.full((len(self.outer) + 2,), -float(self.threshold), dtype=torch.float64)
        bias[:2] = 0
        into = torch.cat([self.linear[None], -self.linear[None], self.neurons]).double()
        out = torch.cat([torch.tensor([1.0, -1.0]).double(), self.outer.double()])
        return ReLUNetwork.from_layers(
            [(into, bias), (out[None], torch.zeros(1, dtype=torch.float64))]
        )


def memorize(linear: Vector, data: SeparableData, radius: float) -> MixedLearner:
    """Add neurons to a linear function that memorize the small-margin points, robustly.

    w_i = Proj(x_i) off w_0, a_i = a y_i. b lies halfway between what a neuron reaches on the l_2
    balls of all other training points, w_i.x_j + radius |w_i|, and what it has at least on its own,
    |w_i|^2 - radius |w_i|. So f on a ball is w_0.x, or w_0.x + a y_i (w_i.x - b) on that of a
    small-margin point, where

        a = max_i (|w_0| alpha - y_i w_0.x_i) / (|w_i|^2 - b - radius |w_i|),

    a multiple of |w_0|, makes y_i f >= |w_0| (alpha - radius), which is what w* has on balls of
    large-margin points.

    Args:
        linear: w_0, shape (d,), such as `train_linear` finds on the large-margin points.
        data: the training points.
        radius: of the l_2 balls, in the units of the data.

    Returns:
        A `MixedLearner` with a neuron for each small-margin point, in float64.

    Raises:
        ValueError: for w_0 = 0 or of another shape, radius >= alpha, and if there is no such b: at
            the latest near (sqrt(d) - sqrt(2 log(N m))) / 2, for m such points.

    Cost: N m d.

    Source: CGRM (anonymous 2023), Theorems 4.2 and B.3; a and b are ours, the paper has a_i = y_i
    and any b.

    Example:
        >>> data = SeparableData.sample(N=8, d=200, seed=0, alpha=8.0, small=2)
        >>> f = memorize(data.direction, data, radius=2.0)
        >>> (f(data.points)[:, 0] * data.labels).numpy().round(6)[-3:], f.network().size.parameters
        (array([ 8.      , 12.270079, 15.679227]), 806)
    """
    w = linear.double()
    length = float(w.norm())
    if w.shape != data.direction.shape or not 0 < length < math.inf:
        raise ValueError(
            f"linear must have shape {tuple(data.direction.shape)} and length above 0, got "
            f"{tuple(w.shape)}, {length}"
        )
    if not 0 <= radius < data.alpha:
        raise ValueError(f"radius must be >= 0 and below alpha = {data.alpha}, got {radius}")
    small = (~data.large).nonzero()[:, 0]
    if not len(small):
        return MixedLearner(w, w.new_zeros(0, len(w)), w.new_zeros(0), 0.0)
    x, y = data.points[small], data.labels[small].double()
    unit = w / length
    neurons = x - (x @ unit)[:, None] * unit
    reach = neurons @ data.points.T
    lengths = neurons.norm(dim=1)
    own = reach[torch.arange(len(small)), small]
    reach[torch.arange(len(small)), small] = -torch.inf
    highest = float((reach.amax(1) + radius * lengths).max()) if len(data.points) > 1 else 0.0
    lowest = float((own - radius * lengths).min())
    if not highest < lowest:
        raise ValueError(
            f"radius must leave room for a threshold: neurons reach {highest:g} on balls of other "
            f"points and have at least "
            f"{lowest:g} on their own, for radius {radius:g} and d = {len(w)}"
        )
    threshold = (highest + lowest) / 2
    scale = (
        ((length * data.alpha - y * (x @ w)) / (own - threshold - radius * lengths))
        .max()
        .clamp_min(0)
    )
    return MixedLearner(w, neurons, scale * y, threshold)


def target_learner(data: SeparableData, threshold: float) -> MixedLearner:
    """Build the function that the paper names as the limit of training.

    w*.x + sum over small-margin i of y_i relu(xi_i.x - b).

    Args:
        data: the training points.
        threshold: b.

    Returns:
        A `MixedLearner`.

    Source: CGRM (anonymous 2023), Section 4.

    Example:
        >>> data = SeparableData.sample(N=8, d=200, seed=0, alpha=8.0, small=2)
        >>> target_learner(data, threshold=100.0).neurons.shape
        torch.Size([2, 200])
    """
    small = ~data.large
    return MixedLearner(
        data.direction, data.noise[small], data.labels[small].double(), float(threshold)
    )


def _signed(points: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
    """y_i x_i, shape (N, d), float64. Raises ValueError for shapes and labels that do not fit, NaN
    and infinity.
    """
    x = read_rows(points)
    return (check_labels(labels, len(x), 1).cpu()[:, None] * x).numpy()
