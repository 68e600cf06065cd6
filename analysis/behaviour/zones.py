"""Zones of points (inside training balls, in their shells, outside), and where two models give the
same label in them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from constructions import Ball, RangeSearch, ReLUNetwork
from constructions.internal import Flags, Floats, check_ball, norm_name, renamed
from training import project
from training.internal import measuring

from ..quantities.measured import Shares
from ..quantities.reading import read_cube
from .agreement import AGREEMENT, agreement, agreement_by_group


@dataclass(frozen=True)
class Zones:
    """Where points lie: within `radius` of a centre (inside), at least `outer` from all (outside),
    or between (shell).
    """

    inside: Flags
    shell: Flags
    outside: Flags


def zones(points: Floats, centres: torch.Tensor, ball: Ball, outer: float) -> Zones:
    """Sort points (M, ...) by their l_p distance to the nearest centre, in float64; cost: see
    `constructions.RangeSearch`.
    """
    rows, _, distances = RangeSearch(centres.flatten(1).double(), ball.p, outer)(
        points.flatten(1).double()
    )
    distances = distances if ball.p == math.inf else distances.sqrt()
    nearest = torch.full((len(points),), math.inf, dtype=torch.float64)
    nearest.scatter_reduce_(0, rows, distances, "amin")
    inside, outside = nearest <= ball.radius, nearest >= outer
    return Zones(inside, ~inside & ~outside, outside)


def shell_points(centres: Floats, ball: Ball, outer: float, generator: torch.Generator) -> Floats:
    """One random point a centre, at l_p distance uniform in (radius, outer) before it is clipped to
    [0,1]^D.
    """
    column = (-1, *[1] * (centres.ndim - 1))
    fraction = torch.rand(len(centres), 1, generator=generator, dtype=centres.dtype).reshape(column)
    length = ball.radius + (outer - ball.radius) * fraction
    noise = torch.randn(centres.shape, generator=generator, dtype=centres.dtype)
    return (centres + length * (noise / ball.norm(noise).reshape(column))).clamp(0.0, 1.0)


def between_points(centres: Floats, generator: torch.Generator) -> Floats:
    """One random point a centre, on the segment from it to another random centre."""
    other = centres[torch.randperm(len(centres), generator=generator)]
    fraction = torch.rand(len(centres), 1, generator=generator, dtype=centres.dtype)
    return torch.lerp(centres, other, fraction.reshape(-1, *[1] * (centres.ndim - 1)))


@renamed("learned constructed train_points test_points attacked ball outer seed count")
@measuring(evaluating=True)
def agreement_table(
    learned: Any,
    constructed: Any,
    train_points: Any,
    test_points: Any,
    attacked: Any,
    ball: Ball,
    outer: float,
    *,
    seed: int = 0,
    count: int | None = None,
) -> Shares:
    """Compare a learned and a constructed model zone by zone: in balls, in their shells, outside.

    The random points (a third uniform in the balls, a third in the shells, a third on segments
    between training points) are sorted into zones by their true distance to the nearest training
    point.

    Args:
        learned: a model, as for `agreement`.
        constructed: likewise.
        train_points: centres of the balls, (N, ...) in [0,1].
        test_points: (M, ...).
        attacked: perturbed training points, (N, ...), the strongest that an attack on the learned
            model found.
        ball: norm and radius.
        outer: the radius from which the constructed indicators are 0 (see `outer_radius`), in units
            of the points.
        seed: of the random points.
        count: random points of each third; None takes one a training point.

    Returns:
        `Shares` by zone, with intervals: exact counts on data, estimates on random points. An empty
        zone is left out.

    Raises:
        ValueError: for training points outside [0,1], and as `agreement`.

    Cost: both models at all points, and one `constructions.RangeSearch` of the random points.

    Example:
        >>> from constructions import affine, f_S
        >>> points, ball = torch.tensor([[0.25, 0.5], [0.75, 0.5]]), Ball("inf", 0.125)
        >>> clean = affine([[4.0, 0.0]], [-2.0])
        >>> built = f_S(clean, points, [1, -1], ball)
        >>> table = agreement_table(
        ...     clean, built, points, points, points, ball, outer_radius(built, ball)
        ... )
        >>> table["clean test points"].value, table["inside the balls"].value
        (0.0, 0.0)
    """
    centres, generator = (
        read_cube(train_points, "train_points").cpu(),
        torch.Generator().manual_seed(seed),
    )
    train = (
        centres
        if count is None
        else centres[torch.randperm(len(centres), generator=generator)[:count]]
    )
    sampled = torch.cat(
        [
            project(ball.sample(train, generator), train, ball),
            shell_points(train, ball, outer, generator),
            between_points(train, generator),
        ]
    )
    where = zones(sampled, centres, ball, outer)
    groups = {
        "inside the balls": where.inside,
        "in the shells": where.shell,
        "outside": where.outside,
    }
    on_data = {
        "clean test points": agreement(learned, constructed, test_points),
        "training points, attacked": agreement(learned, constructed, attacked),
    }
    found = agreement_by_group(learned, constructed, sampled, groups, kind="estimate")
    return Shares(AGREEMENT, on_data | found.shares)


def outer_radius(network: ReLUNetwork, ball: Ball) -> float:
    """Look up the distance from which all indicators of an f_S or f_adv are 0.

    Its threshold is of squares for l_2; this is the distance.

    Args:
        network: built by `f_S` or `f_adv`.
        ball: of the norm that it was built for.

    Returns:
        The distance in this norm, in units of the points.

    Raises:
        ValueError: for another network, and for one of balls of another norm.
        TypeError: for what is no `Ball`.

    Example:
        >>> from constructions import affine, f_S
        >>> ball = Ball("inf", 0.125)
        >>> built = f_S(affine([[4.0, 0.0]], [-2.0]), [[0.25, 0.5], [0.75, 0.5]], [1, -1], ball)
        >>> 0.125 < outer_radius(built, ball) < 0.375
        True
    """
    check_ball(ball)
    provenance = getattr(network, "provenance", None)
    if provenance is None or "outer" not in provenance.arguments:
        raise ValueError(
            "network must be built by f_S or f_adv: its provenance carries the thresholds"
        )
    norm = norm_name(ball.p)
    if provenance.arguments["norm"] != norm:
        raise ValueError(
            f"ball must have the norm that network was built for, {provenance.arguments['norm']}, "
            f"got {norm}"
        )
    outer = float(provenance.arguments["outer"])
    return outer if ball.p == math.inf else math.sqrt(outer)
