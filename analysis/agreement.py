"""Where two networks give the same label: on data, on attacked data, inside training balls, in their shells and outside."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from constructions import Ball, RangeSearch, ReLUNetwork, predictions
from training import project

from .measured import Measured


@dataclass(frozen=True)
class Zones:
    """Where points lie: within `radius` of a centre (inside), at least `outer` from all (outside), or between (shell)."""

    inside: torch.Tensor
    shell: torch.Tensor
    outside: torch.Tensor


def zones(points: torch.Tensor, centres: torch.Tensor, ball: Ball, outer: float) -> Zones:
    """Sort points (M, D) by their l_p distance to the nearest centre, in float64; cost: see `constructions.RangeSearch`."""
    rows, _, distances = RangeSearch(centres.double(), ball.p, outer)(points.double())
    distances = distances if ball.p == math.inf else distances.sqrt()
    nearest = torch.full((len(points),), math.inf, dtype=torch.float64)
    nearest.scatter_reduce_(0, rows, distances, "amin")
    inside, outside = nearest <= ball.radius, nearest >= outer
    return Zones(inside, ~inside & ~outside, outside)


def agreement(first: ReLUNetwork, second: ReLUNetwork, points: torch.Tensor) -> Measured:
    """The share of the given points at which both networks predict the same label."""
    same = predictions(first(points.double())) == predictions(second(points.double()))
    return Measured.share(int(same.sum()), len(points))


def shell_points(centres: torch.Tensor, ball: Ball, outer: float, generator: torch.Generator) -> torch.Tensor:
    """One random point a centre, at l_p distance uniform in (radius, outer) before it is clipped to [0,1]^D."""
    centres = centres.double()
    share = torch.rand(len(centres), 1, generator=generator, dtype=torch.float64)
    length = ball.radius + (outer - ball.radius) * share
    noise = torch.randn(centres.shape, generator=generator, dtype=torch.float64)
    offset = noise / torch.linalg.vector_norm(noise, ord=ball.p, dim=1, keepdim=True)
    return (centres + length * offset).clamp(0.0, 1.0)


def between_points(centres: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One random point a centre, on the segment from it to another random centre."""
    other = centres[torch.randperm(len(centres), generator=generator)].double()
    share = torch.rand(len(centres), 1, generator=generator, dtype=torch.float64)
    return centres.double() * (1 - share) + other * share


def agreement_table(
    learned: ReLUNetwork,
    constructed: ReLUNetwork,
    train_points: torch.Tensor,
    test_points: torch.Tensor,
    attacked: torch.Tensor,
    ball: Ball,
    outer: float,
    seed: int = 0,
    count: int | None = None,
) -> dict[str, Measured]:
    """Label agreement of a learned and a constructed network, zone by zone.

    attacked: perturbed training points (N, D), the strongest that an attack on the learned network found. outer: the
    radius from which the constructed indicators are 0. The random points (a third uniform in the balls, a third in the
    shells, a third on segments between training points) are sorted into zones by their true distance to the nearest
    training point; an empty zone is left out. Shares on data are exact counts; those on random points are estimates.
    """
    generator = torch.Generator().manual_seed(seed)
    train = train_points.double()
    if count is not None:
        train = train[torch.randperm(len(train), generator=generator)[:count]]
    sampled = torch.cat(
        [
            project(ball.sample(train, generator), train, ball),
            shell_points(train, ball, outer, generator),
            between_points(train, generator),
        ]
    )
    where = zones(sampled, train_points, ball, outer)
    table = {
        "clean test points": agreement(learned, constructed, test_points),
        "training points, attacked": agreement(learned, constructed, attacked),
    }
    for name, chosen in (("inside the balls", where.inside), ("in the shells", where.shell), ("outside", where.outside)):
        if chosen.any():
            share = agreement(learned, constructed, sampled[chosen])
            table[name] = Measured(share.value, "estimate", share.count, share.total)
    return table


def outer_radius(network: ReLUNetwork, ball: Ball) -> float:
    """The l_p distance from which all indicators of an f_S or f_adv are 0 (its threshold is squared for l_2)."""
    if network.provenance is None or "outer" not in network.provenance.arguments:
        raise ValueError("network must be built by f_S or f_adv: its provenance carries the thresholds")
    outer = float(network.provenance.arguments["outer"])
    return outer if ball.p == math.inf else math.sqrt(outer)
