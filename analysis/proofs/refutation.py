"""The search for a point of a training ball at which a network is wrong, replayed exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import torch

from constructions import Ball, Separation
from training import output_margin

from .hints import Subject


@dataclass(frozen=True)
class Refutation:
    """A point of the ball around points[index], and the margin <= 0 there, all exact."""

    index: int
    point: tuple[Fraction, ...]
    margin: Fraction


def refute(subject: Subject, found: Separation) -> Refutation | None:
    """A point of a ball with margin <= 0 in exact arithmetic, from candidates that float64
    evaluates; None if none is found.

    Candidates: centres; towards the other labels' nearest points and across; corners; descents of
    the margin; the middle of the nearest pair (which is in both balls if they meet).
    """
    network, x, y, ball = subject.network, subject.x, subject.y, subject.ball
    generator = torch.Generator().manual_seed(0)
    values = output_margin(network(x), y)
    chosen = torch.argsort(values)[: 64 if network.size.parameters < 10**6 else 8]
    candidates: list[tuple[torch.Tensor, torch.Tensor]] = [(chosen, x[chosen])]
    if found.pair:
        pair = torch.tensor(found.pair)
        chosen = torch.cat([pair, chosen])
        candidates.append((pair, ((x[pair[0]] + x[pair[1]]) / 2).expand(2, -1)))
    centres = x[chosen]
    for step in range(8):
        if step == 0 and found.pair:
            direction = (
                x[
                    [
                        int((y != y[i]).nonzero()[(x[y != y[i]] - x[i]).abs().amax(1).argmin()])
                        for i in chosen
                    ]
                ]
                - centres
            )
        elif step % 2:
            direction = torch.randn(centres.shape, generator=generator, dtype=torch.float64)
        else:
            point = candidates[-1][1].clone().requires_grad_(True)
            (slope,) = torch.autograd.grad(
                output_margin(network(point), y[candidates[-1][0]]).sum(), point
            )
            direction = -slope + candidates[-1][1] - x[candidates[-1][0]]
        owners = chosen if len(direction) == len(chosen) else candidates[-1][0]
        moved = x[owners] + ball.radius * ball.ascent(direction)
        candidates.append((owners, moved.clamp(0, 1)))
    owners, moved = (torch.cat(part) for part in zip(*candidates, strict=True))
    values = output_margin(network(moved), y[owners])
    for k in torch.argsort(values)[:6].tolist():
        if values[k] > 0.5:
            break
        i = int(owners[k])
        witness = _inside(moved[k].tolist(), x[i].tolist(), ball)
        value = _margin(network.exact(witness).tolist(), int(y[i]))
        if value <= 0:
            return Refutation(i, tuple(witness), value)
    return None


def _inside(point: list[float], centre: list[float], ball: Ball) -> list[Fraction]:
    """The point, moved exactly into the ball around the centre (and [0, 1])."""
    x, c, radius = (
        [Fraction(v) for v in point],
        [Fraction(v) for v in centre],
        Fraction(ball.radius),
    )
    if ball.p == math.inf:
        return [
            min(max(v, a - radius, Fraction(0)), a + radius, Fraction(1))
            for v, a in zip(x, c, strict=True)
        ]
    squared = sum((v - a) ** 2 for v, a in zip(x, c, strict=True))
    if squared <= radius**2:
        return x
    scale = Fraction(ball.radius / math.sqrt(float(squared)) * (1 - 2.0**-40))
    return [
        a + Fraction(float((v - a) * scale)) * (1 - Fraction(1, 2**40))
        for v, a in zip(x, c, strict=True)
    ]


def _margin(values: list[Fraction], label: int) -> Fraction:
    if len(values) == 1:
        return label * values[0]
    return values[label] - max(v for k, v in enumerate(values) if k != label)
