"""The nearest points of balls within [0,1]^D, exactly: rounding never leaves ball or cube."""

from __future__ import annotations

import torch

from constructions import Ball
from constructions.internal import Floats

TINY = torch.finfo(torch.float64).tiny


def project(x: Floats, centre: Floats, ball: Ball) -> Floats:
    """Move points into the balls around `centre` and into [0,1]^D, not far.

    The result is the nearest point of both for l_inf, else nearest in one and then the other. It
    lies in both sets exactly, whatever the dtype: rounding only moves it towards the centre.

    Args:
        x: shape (batch, ...).
        centre: likewise, in the same dtype and in [0,1]^D.
        ball: norm and radius.

    Returns:
        A tensor like x.

    Example:
        >>> project(torch.tensor([[0.75, 2.0]]), torch.tensor([[0.5, 0.875]]), Ball("inf", 0.125))
        tensor([[0.6250, 1.0000]])
    """
    return within(x, centre, ball, *limits(centre, ball))


def limits(centre: Floats, ball: Ball) -> tuple[Floats, Floats]:
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


def within(x: Floats, centre: Floats, ball: Ball, low: Floats, high: Floats) -> Floats:
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
