"""What robust memorization costs over the radius: sizes of networks that are built and proved."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from constructions import Ball, Progress, Result, memorization_bound, separation
from constructions.internal import (
    CANDIDATES,
    Report,
    Said,
    norm_name,
    read_data,
    read_norm,
    said,
    silent,
)

from .proof import certify_memorizer

SHARES = (0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.99)
"""Radii, as shares of half the least distance of points with different labels."""


@dataclass(frozen=True, repr=False)
class MemorizationCost(Result):
    """Sizes of the networks that are right on all balls of one radius.

    Attributes:
        norm: "inf" or "2".
        rho: the radius over half the least distance of points with different labels, of which a
            certified lower bound is taken.
        radius: of the balls.
        sizes: nonzero parameters of each construction whose balls are proved, by its name.
        dense: parameters of the smallest of them, zeros counted.
        needed: what a family of networks for any points of this number and dimension needs at
            least, nonzero.
        needed_dense: the same with zeros counted.
    """

    norm: str
    rho: float
    radius: float
    sizes: dict[str, int]
    dense: int | None
    needed: int
    needed_dense: int

    @property
    def smallest(self) -> str | None:
        """The name of the smallest network."""
        return min(self.sizes, key=lambda name: self.sizes[name], default=None)

    def _says(self) -> tuple[str, dict[str, Said]]:
        of = f"l_{self.norm} balls of radius {self.radius:g} (rho = {self.rho:g})"
        sizes = {name: said(size, "exact") for name, size in self.sizes.items()}
        sizes["some points need"] = said(self.needed, "certified lower bound")
        return f"parameters of networks proved on all {of}", sizes


def memorization_costs(
    points: Any,
    labels: Any,
    norm: Any = 2,
    shares: Sequence[float] = SHARES,
    *,
    report: Report = silent,
) -> list[MemorizationCost]:
    """Build and prove every construction that memorizes points on balls, for a list of radii.

    A size is listed only where `certify_memorizer` proves all balls of the network that was built.
    Lower bounds are those of `memorization_bound`: about the worst points of this number and
    dimension, not about these.

    Args:
        points: (N, D) in [0,1].
        labels: (N,), -1 and +1, or 0..K-1.
        norm: inf or 2.
        shares: radii over half the least distance of points with different labels, in (0, 1).
        report: called with a `Progress`, in networks, as each begins.

    Returns:
        A `MemorizationCost` for each share.

    Raises:
        ValueError: for shares outside (0, 1), and as `robust_memorizer`.

    Cost: that of `robust_memorizer` and `certify_memorizer` for each share.

    Source: this library; lower bounds: Kim, Moon and Yun 2025, Propositions 3.2, 3.3 and C.7.

    Example:
        >>> corners, signs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [1, -1, -1, 1]
        >>> (cost,) = memorization_costs(corners, signs, 2, [0.5])
        >>> cost.sizes["nearest_neighbour"] <= cost.sizes["f_S"], round(cost.radius, 9)
        (True, 0.25)
    """
    p = read_norm(norm)
    for share in shares:
        if not 0 < share < 1:
            raise ValueError(f"shares must lie between 0 and 1, got {share}: balls of share 1 meet")
    data = read_data(points, labels)
    x, y = data.points, 2 * data.classes - 1 if data.outputs == 1 else data.classes
    half, found = separation(x, y, norm=p).lower / 2, []
    for k, share in enumerate(shares):
        ball = Ball(p, float(share * half))
        sizes: dict[str, int] = {}
        entries: dict[str, int] = {}
        for j, (name, build) in enumerate(CANDIDATES.items()):
            told = f"l_{norm_name(p)}, rho = {share:g}: {name}"
            report(Progress(told, k * len(CANDIDATES) + j, len(shares) * len(CANDIDATES)))
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of narrow shells: sizes alone are asked
                    network = build(x, y, ball)
            except ValueError:  # not right on all balls, as it says
                continue
            if certify_memorizer(network, x, y, ball).verdict == "proved":
                sizes[name] = network.size.parameters
                entries[name] = network.size.dense_parameters
        bound = memorization_bound(len(x), x.shape[1], share, p)
        cost = MemorizationCost(
            norm_name(p),
            share,
            ball.radius,
            sizes,
            None,
            bound.nonzero,
            bound.dense,
        )
        dense = entries[cost.smallest] if cost.smallest else None
        found.append(MemorizationCost(**{**vars(cost), "dense": dense}))
    return found
