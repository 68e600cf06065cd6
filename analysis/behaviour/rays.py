"""Rays from points: how margins fall along them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from constructions import Ball
from constructions.internal import check_ball
from training import output_margin, project
from training.internal import as_tensor, check_labels, measuring

from ..quantities.measured import Measured
from ..quantities.reading import read_cube, read_radii
from ..quantities.statistics import mean
from .agreement import outputs_of

NUMBERS = 2**22
"""Coordinates of the points on rays that are held at once."""


@measuring(evaluating=True)
def radial_profile(
    model: Any,
    points: Any,
    labels: Any,
    ball: Ball,
    radii: Sequence[float],
    *,
    directions: int | torch.Tensor = 4,
    seed: int = 0,
) -> list[Measured]:
    """Average the margins at growing distances from points, along rays.

    Mean over points of the margin at x_i + r u: y f (one output) or f_y - max_(k != y) f_k. Points
    are projected into the ball of radius r and into [0,1]^D, exactly, so those of an l_2 ray that
    leaves the cube are nearer than r. Of f_S, compare with the profile of its `memorization_part`,
    which is that of its soft indicators at the same points.

    Args:
        model: as for `agreement`.
        points: (N, ...) in [0,1].
        labels: (N,), -1, +1 or 0..K-1.
        ball: gives the norm, its radius is not used.
        radii: finite, >= 0 and increasing, in units of the points.
        directions: so many random unit vectors u a point (l_inf: random signs; l_2: uniform on the
            sphere), the same at all radii, over whose margins a point's mean is taken first; or
            offsets (N, ...) as an attack found them, adversarial - points, each scaled to length 1.
        seed: of the directions.

    Returns:
        A `Measured` for each radius, an estimate, with a bootstrap interval over points.

    Raises:
        ValueError: for points outside [0,1], radii that are not finite, >= 0 and increasing, an
            offset that is 0, labels or shapes that do not fit.
        TypeError: for what is no `Ball` or no model.

    Cost: N M R evaluations, for M directions and R radii, in memory for `NUMBERS` coordinates.

    Example:
        >>> from constructions import affine, f_S
        >>> clean, ball = affine([[4.0, 0.0]], [-1.5]), Ball("inf", 0.125)
        >>> f = f_S(clean, [[0.25, 0.5], [0.75, 0.5]], [1, -1], ball)
        >>> [
        ...     round(m.value, 3)
        ...     for m in radial_profile(
        ...         f, [[0.75, 0.5]], torch.tensor([-1]), ball, [0.0, 0.125, 0.5]
        ...     )
        ... ][:2]
        [1.0, 1.0]
    """
    rays = Rays(points, ball, radii, directions, seed)
    outputs = outputs_of(model, rays.points[:1]).shape[1]
    y = check_labels(labels, len(rays.points), outputs).cpu()
    parts = []
    for rows, samples in rays:
        found = output_margin(
            outputs_of(model, samples), y[rows].repeat_interleave(rays.count * len(rays.radii))
        )
        parts.append(found.reshape(-1, rays.count, len(rays.radii)).mean(1))
    return [mean(values) for values in torch.cat(parts).T]


class Rays:
    """The points x_i + r u in ball and cube, chunk by chunk: (rows, samples), a row's samples by
    direction, then radius.
    """

    def __init__(
        self,
        points: Any,
        ball: Ball,
        radii: Sequence[float],
        directions: int | torch.Tensor,
        seed: int,
    ) -> None:
        check_ball(ball)
        self.points, self.ball, self.seed = read_cube(points).cpu(), ball, seed
        self.radii = read_radii(radii)
        self.given: torch.Tensor | None = None
        self.count = 1
        if isinstance(directions, int):
            if directions < 1:
                raise ValueError(f"directions must be at least 1, got {directions}")
            self.count = directions
        else:
            self.given = _units(
                as_tensor(directions, "directions").cpu().to(self.points.dtype), self.points, ball
            )

    def __iter__(self) -> Iterator[tuple[range, torch.Tensor]]:
        x, generator = self.points, torch.Generator().manual_seed(self.seed)
        step = max(1, NUMBERS // (self.count * len(self.radii) * x[0].numel()))
        for start in range(0, len(x), step):
            rows = range(start, min(start + step, len(x)))
            centre = x[rows.start : rows.stop].repeat_interleave(self.count, 0)
            if self.given is None:
                unit = self.ball.ascent(
                    torch.randn(centre.shape, generator=generator, dtype=x.dtype)
                )
            else:
                unit = self.given[rows.start : rows.stop]
            reached = [
                project(centre + r * unit, centre, replace(self.ball, radius=r)) for r in self.radii
            ]
            yield rows, torch.stack(reached, 1).flatten(0, 1)


def _units(offsets: torch.Tensor, points: torch.Tensor, ball: Ball) -> torch.Tensor:
    if offsets.shape != points.shape:
        raise ValueError(
            f"directions must be a number or of shape {tuple(points.shape)}, got "
            f"{tuple(offsets.shape)}"
        )
    lengths = ball.norm(offsets)
    wrong = ~((lengths > 0) & torch.isfinite(lengths))
    if wrong.any():
        i = int(wrong.nonzero()[0])
        raise ValueError(
            f"directions must be finite and not 0, got an offset of length {float(lengths[i])} at "
            f"index {i}"
        )
    return offsets / lengths.reshape(-1, *[1] * (offsets.ndim - 1))
