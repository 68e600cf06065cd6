"""Screened evaluation of f_S: at a point, only the centres whose indicators are not 0 there are
computed; nothing is lost.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch

from ..basics.ball import Ball, check_ball
from ..basics.reading import as_coordinates
from ..basics.shapes import Outputs, Points, RowNumbers
from ..gadgets.approximation import UNIT
from ..linear.affine import Affine
from ..nearness.range_search import RangeSearch
from ..networks.network import ReLUNetwork, check_network
from ..networks.storage import MemorizerParts
from .memorizer import Memorizer

SCREENED_FROM = 2**14
"""Coordinates of all centres (N D) from which f_S evaluates itself through its screen."""

GROUP_MEMORY = {"cpu": 2**23, "cuda": 2**30}
"""Bytes that the points of one group and the indicators near them may take, if each has one; for
other devices as "cpu".
"""

SLACK = 2.0**-40
"""How much farther centres are looked for than indicators reach: more than what float64 rounded in
thresholds and biases.
"""


@dataclass(frozen=True, eq=False, repr=False)
class MemorizerScreen:
    """Splits points into groups on which an f_S equals a small network, in exact arithmetic: f_S of
    the centres near them.

    An indicator is exactly 0 from the outer threshold on, so centres farther away do not
    contribute; `RangeSearch` finds all others, rounding accounted for. Setting up takes N D once
    for each device and radius; see `RangeSearch` for the rest. layers: those of the network that it
    belongs to; a network with other layers drops it.
    """

    memorizer: Memorizer
    layers: tuple[Affine, ...]
    _searches: dict[tuple[str, float], RangeSearch] = field(default_factory=dict, init=False)

    def __getstate__(self) -> dict[str, Any]:  # without the layers, which `ReLUNetwork` gives back
        return {**vars(self), "layers": ()}

    @property
    def worthwhile(self) -> bool:
        """Whether the network is so large that it is evaluated through its screen unless told
        otherwise.
        """
        return self.memorizer.centres.stored >= SCREENED_FROM

    @property
    def unrounded(self) -> bool:
        """Whether no weight is rounded; looked at in l_inf, variant lean alone: the sums of centres
        and the inner threshold, and the slope.

        The other weights are those of f_clean, 1 and -1, and the bound, a power of two; f_clean's
        biases are added to 0 only.
        """
        given = self.memorizer
        if given.p != math.inf or given.variant != "lean":
            return False
        inner, outer = given.cut.inner, given.cut.outer
        if Fraction(1 / (outer - inner)) * (Fraction(outer) - Fraction(inner)) != 1:
            return False
        sums = (_lost(given.centres.entries, sign * inner) for sign in (1, -1))
        return not any(bool(lost.any()) for lost in sums)

    def split(
        self, points: torch.Tensor, ball: Ball | None = None
    ) -> Iterator[tuple[torch.Tensor, ReLUNetwork]]:
        """(rows, network) that cover all points (M, D) once: f_S is this network on the balls
        around these rows.
        """
        rows, columns, _ = self._search(points.device, self._reach(ball))(points)
        touched = torch.unique_consecutive(rows)
        others = torch.ones(len(points), dtype=torch.bool, device=points.device)
        others[touched] = False
        if others.any() or not len(points):
            yield others.nonzero()[:, 0], self.memorizer.clean.restrict(UNIT)
        memory = GROUP_MEMORY.get(points.device.type, GROUP_MEMORY["cpu"])
        size = max(1, math.isqrt(memory // (32 * points.shape[1])))
        for group in touched.split(size) if len(touched) else ():
            first, last = (
                int(torch.searchsorted(rows, group[0])),
                int(torch.searchsorted(rows, group[-1], right=True)),
            )
            yield group, self.memorizer.network(torch.unique(columns[first:last]).cpu())

    def values(self, points: Points) -> Outputs:
        """f_S at points (M, D), as (M, K); differentiable."""
        parts = [(rows, local(points[rows])) for rows, local in self.split(points)]
        order = torch.argsort(torch.cat([rows for rows, _ in parts]))
        return torch.cat([values for _, values in parts])[order]

    def parts(self) -> MemorizerParts:
        """What a file keeps of it: the memorizer."""
        given = self.memorizer
        facts = {"p": str(given.p), "variant": given.variant, "m": given.m, "bound": given.bound}
        cut = {"inner": given.cut.inner, "outer": given.cut.outer}
        clean = given.clean
        parts = clean.layers, clean.domain, given.centres.entries, given.labels
        return MemorizerParts(*parts, {**facts, **cut}, clean.origin)

    def _reach(self, ball: Ball | None) -> float:
        """The distance in the memorizer's norm from which centres do not matter to points of a
        ball.
        """
        given = self.memorizer
        outer = given.cut.outer if given.p == math.inf else math.sqrt(given.cut.outer)
        radius = 0.0 if ball is None else ball.radius
        if ball is not None and ball.p == math.inf and given.p == 2:
            radius *= math.sqrt(given.centres.shape[1])
        return (outer + radius) * (1 + SLACK) + SLACK

    def _search(self, device: torch.device, reach: float) -> RangeSearch:
        key = (str(device), reach)
        if key not in self._searches:
            while len(self._searches) >= 4:  # each holds a few dozen numbers a centre
                del self._searches[next(iter(self._searches))]
            self._searches[key] = RangeSearch(
                self.memorizer.centres.entries.to(device), self.memorizer.p, reach
            )
        return self._searches[key]


def _lost(x: torch.Tensor, t: float) -> torch.Tensor:
    """What rounding takes from x + t, exactly (Knuth's TwoSum)."""
    total = x + t
    back = total - x
    return (x - (total - back)) + (t - back)


def localize(
    network: ReLUNetwork, points: Any, ball: Ball | None = None
) -> Iterator[tuple[RowNumbers, ReLUNetwork]]:
    """Replace a large f_S by small networks that equal it near given points.

    Of f_S and f_adv it is the same construction with the near centres only, or f_clean where there
    are none: equal in exact arithmetic on all of the balls within [0,1]^D, so what is proved of it
    there is proved of f_S. Any other network comes back as it is, with all points.

    Args:
        network: a `ReLUNetwork`.
        points: (M, D).
        ball: the balls around points on which they are equal; None: at the points.

    Yields:
        (rows, small network) for groups of points; every point is in one group.

    Raises:
        TypeError: for another kind of network.
        ValueError: for points of another shape, outside of the domain or not finite.

    Cost: see `RangeSearch`.

    Example:
        >>> from constructions import affine, f_S
        >>> f = f_S(
        ...     affine([[4.0, 0.0]], [-2.0]),
        ...     [[0.25, 0.5], [0.75, 0.5]],
        ...     [1, -1],
        ...     Ball("inf", 0.125),
        ... )
        >>> (
        ...     [
        ...         (rows.tolist(), local.size.units)
        ...         for rows, local in localize(f, [[0.25, 0.5], [0.5, 0.0]])
        ...     ],
        ...     f.size.units,
        ... )
        ([([1], 0), ([0], 21)], 26)
    """
    check_network(network)
    x = as_coordinates(points)
    if ball is not None:
        check_ball(ball)
    network.check_points(x)
    if x.ndim != 2:
        raise ValueError(f"points must have shape (M, {network.inputs}), got {tuple(x.shape)}")
    return (
        iter([(torch.arange(len(x)), network)])
        if network.screen is None
        else network.screen.split(x, ball)
    )
