"""What robust memorization costs over the radius: sizes of networks that are built and proved."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from constructions import Ball, Progress, Result, memorization_bound, separation
from constructions.internal import (
    CANDIDATES,
    Data,
    Report,
    Said,
    fingerprint,
    narrow_parameters,
    norm_name,
    read_data,
    read_norm,
    said,
    silent,
)

from ..quantities.store import Json, Store
from .proof import certify_memorizer

SHARES = (0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.99)
"""Radii, as shares of half the least distance of points with different labels."""

STEADY = ("nearest_neighbour", "narrow_memorizer", "f_S")
"""Constructions that do not grow with the radius."""

BY_POINTS = ("memorizer", "grid_memorizer")
"""Constructions whose proof evaluates the network at each point, exactly."""

EVALUATED = 2**26
"""Most products of points and parameters for such a proof."""

PAIRS = 2**33
"""Most coordinates of all pairs, N^2 D, for constructions that look at pairs for each radius."""


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
        closed_forms: nonzero parameters, by their closed form, of constructions that are right by
            their theorem, at sizes for which no proof was made.
        left_out: why a construction is in neither.
    """

    norm: str
    rho: float
    radius: float
    sizes: dict[str, int]
    dense: int | None
    needed: int
    needed_dense: int
    closed_forms: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def smallest(self) -> str | None:
        """The name of the smallest network."""
        return min(self.sizes, key=lambda name: self.sizes[name], default=None)

    def _says(self) -> tuple[str, dict[str, Said]]:
        of = f"l_{self.norm} balls of radius {self.radius:g} (rho = {self.rho:g})"
        sizes = {name: said(size, "exact") for name, size in self.sizes.items()}
        for name, size in self.closed_forms.items():
            sizes[name] = said(size, "closed form")
        sizes["some points need"] = said(self.needed, "certified lower bound")
        said_of = "proved, but for closed forms," if self.closed_forms else "proved"
        return f"parameters of networks {said_of} on all {of}", sizes


def memorization_costs(
    points: Any,
    labels: Any,
    norm: Any = 2,
    shares: Sequence[float] = SHARES,
    *,
    kept: str | PathLike[str] | None = None,
    report: Report = silent,
) -> list[MemorizationCost]:
    """Build and prove every construction that memorizes points on balls, for a list of radii.

    A size is listed only where `certify_memorizer` proves all balls of the network that was built.
    `nearest_neighbour`, `narrow_memorizer` and `f_S` do not grow with the radius: each is built for
    the largest of the radii that it takes, and this network is right on the smaller balls, too. The
    others are built for one radius after another, up to the first at which they are not right.

    Where all pairs of points have more than 2^33 coordinates, N^2 D, what looks at each of them is
    left out; there `narrow_memorizer` is counted by its closed form, where its theorem says that it
    is right. `memorizer` and `grid_memorizer` are built and counted, not proved, where the points
    times their parameters are above 2^26. Lower bounds are those of `memorization_bound`: about the
    worst points of this number and dimension, not about these.

    Args:
        points: (N, D) in [0,1].
        labels: (N,), -1 and +1, or 0..K-1.
        norm: inf or 2.
        shares: radii over half the least distance of points with different labels, in (0, 1).
        kept: a folder in which what is found of each construction is kept, so that a call goes on
            where it was interrupted; None: nothing is.
        report: called with a `Progress`, in networks, as each begins.

    Returns:
        A `MemorizationCost` for each share.

    Raises:
        ValueError: for shares outside (0, 1), and as `robust_memorizer`.

    Cost: at most that of `robust_memorizer` and `certify_memorizer` for each share.

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
    asked = _Points.of(points, labels, p)
    balls = {float(share): Ball(p, float(share * asked.apart / 2)) for share in shares}
    found: dict[str, Json] = {}
    for k, name in enumerate(CANDIDATES):

        def tell(share: float, done: int, name: str = name, start: int = k * len(balls)) -> None:
            told = f"l_{norm_name(p)}, rho = {share:g}: {name}"
            report(Progress(told, start + done, len(CANDIDATES) * len(balls)))

        swept = partial(asked.swept, name, balls, tell)
        question = {**asked.question, "construction": name, "shares": list(balls)}
        found[name] = swept() if kept is None else Store(Path(kept)).answer(question, swept)
    return [_cost(share, ball, found, asked.data.points.shape) for share, ball in balls.items()]


def _cost(
    share: float, ball: Ball, found: dict[str, Json], shape: tuple[int, ...]
) -> MemorizationCost:
    """What all constructions cost at one radius."""

    def here(kind: str) -> dict[str, Any]:
        said = {name: swept[kind].get(str(share)) for name, swept in found.items()}
        return {name: value for name, value in said.items() if value is not None}

    bound = memorization_bound(shape[0], shape[1], share, ball.p)
    proved = here("proved")
    return MemorizationCost(
        norm_name(ball.p),
        share,
        ball.radius,
        {name: size for name, (size, _) in proved.items()},
        min(proved.values(), default=(0, None))[1],
        bound.nonzero,
        bound.dense,
        here("closed form"),
        here("left out"),
    )


@dataclass(frozen=True, eq=False)
class _Points:
    """Distinct points with labels, as they were read and as constructions take them; apart: at most
    the least distance of different labels.
    """

    data: Data
    labels: np.ndarray
    p: float
    apart: float

    @classmethod
    def of(cls, points: Any, labels: Any, p: float) -> _Points:
        """Read and measured."""
        data = read_data(points, labels)
        given = 2 * data.classes - 1 if data.outputs == 1 else data.classes
        return cls(data, given, p, separation(data.points, given, norm=p).lower)

    @property
    def question(self) -> Json:
        """What names the answers that are kept."""
        data = fingerprint(self.data.points, self.labels)
        return {"sizes over the radius": norm_name(self.p), "data": data, "half": self.apart / 2}

    def swept(
        self, name: str, balls: dict[float, Ball], tell: Callable[[float, int], None]
    ) -> Json:
        """By share: [nonzero, dense parameters] where the balls are "proved", the size by "closed
        form" beyond what is proved, and why the construction is "left out".
        """
        swept: Json = {"proved": {}, "closed form": {}, "left out": {}}
        held: tuple[str, Any] | None = None
        for done, share in enumerate(sorted(balls, reverse=name in STEADY)):
            tell(share, done)
            kind, value = held or self.judged(name, balls[share])
            swept[kind][str(share)] = value
            if name in STEADY:
                held = (kind, value) if kind != "left out" else None
            elif kind == "left out" and not held:
                held = kind, self.many(name) or f"it is not right at rho = {share:g}: {value}"
        return swept

    def judged(self, name: str, ball: Ball) -> tuple[str, Any]:
        """Parameters, nonzero and all, of the network with a proof; or its size alone; or what is
        wrong.
        """
        x, y, many = self.data.points, self.labels, self.many(name)
        try:
            if many and name == "narrow_memorizer":
                return "closed form", narrow_parameters(self.data, ball, self.apart)
            if many:
                return "left out", many
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of narrow shells: sizes alone are asked
                network = CANDIDATES[name](x, y, ball)
        except ValueError as error:
            return "left out", str(error)
        size = network.size
        if name in BY_POINTS and len(x) * size.parameters > EVALUATED:
            return "closed form", size.parameters
        proof = certify_memorizer(network, x, y, ball)
        if proof.verdict != "proved":
            return "left out", f"{proof.verdict}: {proof.reason}"
        return "proved", [size.parameters, size.dense_parameters]

    def many(self, name: str) -> str:
        """Why a construction is not built at this number of points."""
        count, dimension = self.data.points.shape
        near = name in (*BY_POINTS, "f_S") or (name == "nearest_neighbour" and self.p == 2)
        if near or count**2 * dimension <= PAIRS:
            return ""
        return (
            f"it is not tried where all pairs have more than {PAIRS:.2g} coordinates, got N^2 D = "
            f"{count**2 * dimension:.2g}"
        )
