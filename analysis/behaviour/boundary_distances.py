"""Distances of many points to the decision boundary: from above by an attack, from below by linear
bounds of all units.

Whole, because both are bounds of one result.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import torch
from torch import nn

from constructions import Ball, ReLUNetwork, Result, localize
from constructions.internal import (
    Floats,
    PerPoint,
    Report,
    Said,
    check_ball,
    renamed,
    said,
    several,
    silent,
    stepped,
    stepping,
)
from training import output_margin
from training.internal import check_labels, copied, measuring, placement, read_outputs

from ..certification.boundary import boundary_distance
from ..certification.margins import certified_margins, is_small
from ..quantities.measured import Kind, ShareBounds
from ..quantities.reading import Model, read_cube, read_model, read_positive
from ..quantities.statistics import share
from .counterexamples import certainly_wrong

BATCH = 256
"""Points attacked at once."""

LEVELS, OCTAVE = 64, 8
"""Radii that are tried for proofs, and how many of them lie between one radius and its double."""

LEAST, GAP = 1e-6, 1e-3
"""The smallest ball of the attack, of the largest; the gap of exact distances, of the distance."""

Wrong = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, repr=False)
class BoundaryDistances(Result):
    """Bounds of each point's distance to the nearest error within [0,1]^D.

    Attributes:
        upper: float64, (N,); 0 where the point itself is an error, inf where none was found.
        upper_kind: certified if errors were re-checked by enclosures, empirical if by float64.
        nearest: the errors that the attack found, float64, shape of the points; the point itself
            where there are none.
        lower: certified, float64, (N,), 0 where nothing is proved; None for models that cannot be
            bounded.
    """

    upper: PerPoint
    upper_kind: Kind
    nearest: Floats
    lower: PerPoint | None

    def _says(self) -> tuple[str, dict[str, Said]]:
        upper = {"and": said(float(self.upper.median()), self.upper_kind)}
        if self.lower is None:
            return several(len(self.upper), "point"), {"median distance": upper["and"]}
        lower = said(float(self.lower.median()), "certified lower bound")
        return several(len(self.upper), "point"), {"median distance": lower} | upper


@renamed("model points labels norm", ball=lambda norm, radius: Ball(norm, radius), report=stepped)
@measuring(evaluating=True)
def boundary_distances(
    model: Any,
    points: Any,
    labels: Any,
    ball: Ball,
    *,
    steps: int = 100,
    restarts: int = 3,
    seed: int = 0,
    certified: bool = True,
    proved: Any = None,
    exact_seconds: float | None = None,
    report: Report = silent,
) -> BoundaryDistances:
    """Bound the distances of many points to the decision boundary, from below and above.

    They are min { ||z - x||_p : z in [0,1]^D, margin(z) <= 0 }; margins are y f, or f_y - max_(k !=
    y) f_k. For points that are classified rightly this is the distance to the decision boundary, if
    margins do not touch 0 without a change of sign (Proposition 3.1 of the source).

    From above: gradient steps on the margin, in float32, in balls that grow until they hold an
    error and then shrink below the nearest one, `restarts` times: first from x, then from random
    points nearer than the nearest error so far; then bisection between x and the error in float64.
    From below: the largest of 64 radii, radius * 2^(-k/8), for whose ball `certified_margins` is
    positive (of f_S: where it is local).

    Args:
        model: a `ReLUNetwork` or a module.
        points: (N, ...) in [0,1] (uint8: k/255), as the model takes them.
        labels: (N,), -1, +1 or 0..K-1.
        ball: norm, and how far both searches go, in units of the points.
        steps: of the attack, for each restart.
        restarts: of the attack.
        seed: of its random points.
        certified: whether to prove anything; then models are bounded if they are a `ReLUNetwork`,
            or a module that `ReLUNetwork.from_module` reads and whose layers have at most 2^20
            entries. Not so for LeNet-5 on MNIST, whose lower is None, and whose upper is empirical.
        proved: radii whose balls are proved already, one or (N,), float64 (such as delta for f_S
            and its training points, by `certify_memorization`).
        exact_seconds: then `boundary_distance` encloses every distance, for small networks, with
            this limit for each of its some ten queries a point.
        report: called with a `Progress` after each step of `BATCH` points.

    Returns:
        `BoundaryDistances`: certified ones, but for upper where nothing is proved.

    Raises:
        ValueError: for shapes, labels and arguments out of range.
        TypeError: for other models, and for what is no `Ball`.
        FloatingPointError: if a margin or gradient is NaN or infinite.
        RuntimeError: if lower > upper: a proof or an evaluation is wrong.

    Cost: for each restart steps + 1 forward and backward passes and some 25 evaluations in float64;
    6 or 7 times `certified_margins` of all points.

    Source: the definitions of Section 3 of "Why Clean Generalization and Robust Memorization Both
    Happen in Adversarial Training" (anonymous 2023); the attack is in the manner of Rony et al.
    2019 (DDN), Algorithm 1.

    Example:
        >>> from constructions import affine
        >>> found = boundary_distances(
        ...     affine([[3.0, -1.0]], [-0.5]), [[0.5, 0.5], [0.25, 0.5]], [1, 1], Ball("inf", 0.5)
        ... )
        >>> found.upper.numpy().round(6), found.lower.numpy().round(3)  # the first is 1/8
        (array([0.125, 0.   ]), array([0.115, 0.   ]))
    """
    # Whole, because each bound starts from the one before.
    check_ball(ball, positive=True)
    unit, radius = Ball(ball.p, 1.0), ball.radius
    if steps < 1 or restarts < 1:
        raise ValueError(f"steps and restarts must be >= 1, got {steps} and {restarts}")
    x = read_cube(points, dtype=torch.float64).cpu()
    fast, slow, device = _evaluators(model)
    with torch.no_grad():
        y = check_labels(labels, len(x), read_outputs(slow(x[:1].to(device)), 1).shape[1]).cpu()
    lower = _read_proved(proved, len(x))
    network = _bounded(model, tuple(x.shape[1:])) if certified else None
    seconds = None if exact_seconds is None else read_positive("exact_seconds", exact_seconds)
    if seconds is not None and network is None:
        raise ValueError("exact_seconds must be None for models that are not bounded")
    wrong = (
        partial(_float64_errors, slow, device)
        if network is None
        else partial(_certain_errors, network)
    )

    generator = torch.Generator(device).manual_seed(seed)
    errors = wrong(x, y)
    upper, nearest = torch.where(errors, 0.0, math.inf).double(), x.clone()
    passes = -(-int((~errors).sum()) // BATCH) * restarts * (steps + 1)
    step_on = stepping(report, "measuring distances", passes)
    for rows in (~errors).nonzero()[:, 0].split(BATCH) if not errors.all() else ():
        for restart in range(restarts):
            reach = upper[rows].clamp(LEAST * radius, radius).float() if restart else None
            near, classes = x[rows].float().to(device), y[rows].to(device)
            within = None if reach is None else reach.to(device)
            towards = _attack(fast, near, classes, unit, radius, steps, within, generator, step_on)
            towards = towards.double().cpu()
            point, distance = _walk_back(wrong, x[rows], y[rows], towards, unit, radius)
            better = distance < upper[rows]
            upper[rows[better]], nearest[rows[better]] = distance[better], point[better]
    if network is not None:
        flat = x.flatten(1)
        radii = _certified_radii(network, flat, y, unit, radius, upper)
        lower = radii if lower is None else torch.maximum(lower, radii)
        if seconds is not None:
            for i in (~errors).nonzero()[:, 0].tolist():
                gap = GAP * min(float(upper[i]), radius)
                ends = boundary_distance(
                    network, flat[i], unit.p, label=int(y[i]), gap=gap, max_seconds=seconds
                )
                lower[i] = max(float(lower[i]), _rounded(ends.lower, -math.inf))
                upper[i] = min(float(upper[i]), _rounded(ends.upper, math.inf))
    if lower is not None and (lower > upper).any():
        i = int((lower > upper).nonzero()[0])
        raise RuntimeError(
            f"point {i} has distance >= {lower[i]} by proof and <= {upper[i]}: one of the two is "
            f"wrong"
        )
    kind: Kind = "empirical upper bound" if network is None else "certified upper bound"
    return BoundaryDistances(upper, kind, nearest, lower)


@renamed("distances delta", radius=lambda delta: delta)
def small_margin(distances: BoundaryDistances, radius: float) -> ShareBounds:
    """Bound the share of points that lie nearer than a radius to the decision boundary.

    mu = |S_small| / N, S_small = { i : distance of x_i < radius }. Points that are errors
    themselves are in S_small, as f_adv has to memorize them. For a sharp upper bound, let radius be
    one of those that were tried, such as the ball's.

    Args:
        distances: what `boundary_distances` gave.
        radius: > 0, in units of the points.

    Returns:
        `ShareBounds`: lower counts upper < radius, upper those without lower >= radius (None if
        nothing was proved). Kinds follow those of the distances; intervals speak of the
        distribution of the points.

    Raises:
        ValueError: unless radius > 0.

    Example:
        >>> from constructions import affine
        >>> found = boundary_distances(
        ...     affine([[1.0]], [-0.5]), [[0.5], [0.625], [1.0]], [1, 1, 1], Ball("inf", 0.25)
        ... )
        >>> [mu.value for mu in small_margin(found, 0.25)] == [2 / 3, 2 / 3]
        True
    """
    radius = read_positive("radius", radius)
    kind: Kind = (
        "certified lower bound"
        if distances.upper_kind == "certified upper bound"
        else "empirical lower bound"
    )
    least = share(distances.upper < radius, kind)
    most = None
    if distances.lower is not None:
        most = share(~(distances.lower >= radius), "certified upper bound")
    return ShareBounds(least, most)


def _evaluators(model: Any) -> tuple[Model, Model, torch.device]:
    """The model in float32 and in float64, and where it computes."""
    if isinstance(model, ReLUNetwork):
        return read_model(model), read_model(model), torch.device("cpu")
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a ReLUNetwork or a module, got {type(model).__name__}")
    _, device = placement(model) or (None, torch.device("cpu"))
    return read_model(copied(model).float()), read_model(copied(model).double()), device


def _bounded(model: Any, shape: tuple[int, ...]) -> ReLUNetwork | None:
    """The network to prove of, or None for modules that cannot be read or are too large."""
    if isinstance(model, ReLUNetwork):
        return model
    try:
        network = ReLUNetwork.from_module(copied(model), shape)
    except (TypeError, ValueError):
        return None
    return network if is_small(network) else None


def _read_proved(proved: Any, count: int) -> torch.Tensor | None:
    if proved is None:
        return None
    radii = (
        torch.as_tensor(proved)
        if isinstance(proved, torch.Tensor)
        else torch.as_tensor(proved, dtype=torch.float64)
    )
    # 0.1 in float32 is more than 0.1
    if radii.is_floating_point() and radii.dtype != torch.float64:
        raise ValueError(
            f"proved must be float64, as narrower types round radii up, got {radii.dtype}"
        )
    if radii.shape not in ((), (count,)) or not ((radii >= 0) & torch.isfinite(radii)).all():
        raise ValueError(
            f"proved must be a finite radius >= 0 or {count} of them, got shape "
            f"{tuple(radii.shape)}"
        )
    return radii.double().expand(count).clone()


def _rounded(value: Fraction | float, towards: float) -> float:
    """The neighbouring float64 of an end, on the safe side."""
    return math.nextafter(float(value), towards) if value else 0.0


def _certain_errors(
    network: ReLUNetwork, points: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    return certainly_wrong(network, points.flatten(1), labels)


@torch.no_grad()
def _float64_errors(
    model: Model, device: torch.device, points: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    batches = zip(points.split(BATCH), labels.split(BATCH), strict=True)
    margins = torch.cat([output_margin(model(x.to(device)).cpu(), y) for x, y in batches])
    if not torch.isfinite(margins).all():
        raise FloatingPointError("a margin is NaN or infinite")
    return margins <= 0


# -- from above ------------------------------------------------------------------------------------


def _attack(
    model: Model,
    x: torch.Tensor,
    labels: torch.Tensor,
    unit: Ball,
    radius: float,
    steps: int,
    reach: torch.Tensor | None,
    generator: torch.Generator,
    step_on: Callable[[], None],
) -> torch.Tensor:
    """The nearest point other than x with margin <= 0 that gradient steps find, in float32; x where
    they find none.

    Each row has a ball of its own. It shrinks by a share where the last step met an error, to below
    the nearest one, and else grows; shares and steps become smaller. Where the gradient is 0 a row
    goes on in its last direction. Rows start at x, or at random in balls of radius reach, shape
    (N,), if given.
    """
    column = (-1, *[1] * (x.ndim - 1))
    if reach is None:
        point, ball = x, x.new_full((len(x),), radius / 16)
    else:
        point, ball = (
            (x + reach.reshape(column) * unit.sample(torch.zeros_like(x), generator)).clamp(0, 1),
            reach,
        )
    best, nearest = x.new_full((len(x),), math.inf), x.clone()
    direction = unit.ascent(
        torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    )
    finite = []
    for step in range(steps + 1):
        left = (1 + math.cos(math.pi * step / steps)) / 2
        factor = 0.02 + 0.28 * left
        point = point.detach().requires_grad_(True)
        with torch.enable_grad():
            value = inspect.unwrap(output_margin)(model(point), labels)
            (gradient,) = torch.autograd.grad(value.sum(), point)
        finite.append(torch.isfinite(value).all() & torch.isfinite(gradient).all())
        point, errs = point.detach(), value.detach() <= 0
        distance = unit.norm(point - x)
        nearer = errs & (distance > 0) & (distance < best)
        best, nearest = (
            torch.where(nearer, distance, best),
            torch.where(nearer.reshape(column), point, nearest),
        )
        ball = torch.where(
            errs, torch.minimum(ball, best) * (1 - factor), torch.minimum(ball * (1 + factor), best)
        )
        ball = ball.clamp(LEAST * radius, radius)
        size = ball.reshape(column)
        direction = torch.where(
            (gradient != 0).flatten(1).any(1).reshape(column), -unit.ascent(gradient), direction
        )
        moved = (point - x) / size + (0.05 + 0.95 * left) * direction
        point = (x + size * unit.project(moved, torch.zeros_like(x))).clamp(0, 1)
        step_on()
    bad = (~torch.stack(finite)).nonzero()  # at the end, as it waits for the device
    if len(bad):
        raise FloatingPointError(
            f"the attack's margin or gradient became NaN or infinite at step {int(bad[0]) + 1}"
        )
    return nearest


def _walk_back(
    wrong: Wrong,
    x: torch.Tensor,
    labels: torch.Tensor,
    towards: torch.Tensor,
    unit: Ball,
    radius: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """On the way from x to, or a little beyond, a point that float32 calls an error: an error, and
    its distance rounded up.

    x where there is none, with distance inf.
    """
    column = (-1, *[1] * (x.ndim - 1))
    offset = towards - x
    length = unit.norm(offset)

    def at(scale: torch.Tensor) -> torch.Tensor:
        return (x + scale.reshape(column) * offset).clamp(0, 1)

    high, left = torch.full_like(length, math.inf), length > 0
    for excess in (0.0, *(2.0**k for k in range(-12, 24, 4))):
        rows = (left & ((1 + excess) * length <= (1 + 2.0**-4) * radius)).nonzero()[:, 0]
        if len(rows):
            tried = torch.full_like(length, 1 + excess)
            found = rows[wrong(at(tried)[rows], labels[rows])]
            high[found], left[found] = 1 + excess, False
    rows = torch.isfinite(high).nonzero()[:, 0]
    low = torch.zeros_like(high)
    for _ in range(20 if len(rows) else 0):
        middle = (low + high) / 2
        errs = wrong(at(middle.nan_to_num(posinf=0.0))[rows], labels[rows])
        high[rows[errs]], low[rows[~errs]] = middle[rows[errs]], middle[rows[~errs]]
    found = torch.isfinite(high)
    point = torch.where(found.reshape(column), at(high.nan_to_num(posinf=0.0)), x)
    distance = unit.norm(point - x) * (1 + (x[0].numel() + 8) * torch.finfo(x.dtype).eps) + 1e-150
    return point, torch.where(found, distance, math.inf)


# -- from below ------------------------------------------------------------------------------------


def _certified_radii(
    network: ReLUNetwork,
    x: torch.Tensor,
    labels: torch.Tensor,
    unit: Ball,
    radius: float,
    upper: torch.Tensor,
) -> torch.Tensor:
    """The largest radius of the grid whose ball is proved, found by bisection, or 0; only radii
    below `upper` are tried.
    """
    radii = torch.tensor(
        [0.0] + [radius * 2.0 ** ((k - LEVELS + 1) / OCTAVE) for k in range(LEVELS)],
        dtype=torch.float64,
    )
    low = torch.zeros(len(x), dtype=torch.int64)
    high = torch.searchsorted(radii, upper).clamp_min(1)
    while (open_ := high - low > 1).any():
        middle = (low + high) // 2
        for level in middle[open_].unique().tolist():
            rows = (open_ & (middle == level)).nonzero()[:, 0]
            proved = _proved(network, x[rows], labels[rows], Ball(unit.p, float(radii[level])))
            low[rows[proved]], high[rows[~proved]] = level, level
    return radii[low]


def _proved(
    network: ReLUNetwork, x: torch.Tensor, labels: torch.Tensor, ball: Ball
) -> torch.Tensor:
    """For which points the ball is proved; a ball of f_S is that of the small network that f_S is
    there.
    """
    found = torch.zeros(len(x), dtype=torch.bool)
    for rows, local in localize(network, x, ball):
        if is_small(local):
            found[rows] = certified_margins(local, x[rows], labels[rows], ball) > 0
    return found
