"""Proofs about small memorizers: the label on every ball, from the weights that a network has."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from constructions import Ball, ReLUNetwork, Result
from constructions.internal import Said, check_ball, said, several

from ..proofs.matching import Unproved
from ..proofs.memorization import certify_memorization
from ..quantities.reading import read_labelled, read_network
from .grid import prove_grid
from .line import margins, prove_line
from .narrow import prove_narrow
from .nearest import prove_nearest
from .projected import prove_projected
from .staged import prove_staged

Method = Callable[[ReLUNetwork, np.ndarray, np.ndarray, Ball], Fraction]


METHODS: dict[str, Method] = {
    "grid_memorizer": prove_grid,
    "memorizer": prove_line,
    "narrow_memorizer": prove_narrow,
    "nearest_neighbour": prove_nearest,
    "projected_memorizer": prove_projected,
    "staged_grid_memorizer": prove_staged,
}
"""What proves networks of a construction; its name says what to look for, nothing else is taken
from provenance. f_S has a proof of its own.
"""

CANDIDATES = 64
"""Points that are looked at, exactly, for one that refutes."""


@dataclass(frozen=True, eq=False, repr=False)
class MemorizerProof(Result):
    """The verdict on whether a small memorizer has the label on every ball.

    The statement: y f(x) > 0, or f_y(x) > f_k(x) for all k != y, on B_p(points[i], radius) within
    the network's domain for every i, in real arithmetic.

    Attributes:
        verdict: "proved": with a margin of at least `bound`. "refuted": `witness` = (i, x) with x
            exactly in ball i and margin `bound` <= 0 there. "unresolved": neither.
        bound: the certified margin, or that of the witness, exact.
        points: how many balls.
        radius: of the balls.
        reason: what is missing, of other verdicts than "proved".
        witness: (i, x).
    """

    verdict: Literal["proved", "refuted", "unresolved"]
    bound: Fraction | None
    points: int
    radius: float
    reason: str = ""
    witness: tuple[int, tuple[Fraction, ...]] | None = None

    def _says(self) -> tuple[str, dict[str, Said]]:
        balls = several(self.points, "ball")
        if self.verdict == "unresolved":
            return f"unresolved for {balls}: {self.reason}", {}
        proved = self.verdict == "proved"
        where = "on all" if proved else f"in ball {(self.witness or (0,))[0]} of"
        kind = "certified lower bound" if proved else "exact"
        return f"{self.verdict}: margin {where} {balls}", {
            "margin": said(self.bound, kind),
            "radius": said(self.radius, "exact"),
        }


def certify_memorizer(network: Any, points: Any, labels: Any, ball: Ball) -> MemorizerProof:
    """Prove, refute or leave open that a small memorizer has the label on every ball.

    Which construction it is says only how a proof is looked for; what is proved is about the
    weights that the network has, in exact arithmetic.

    - `nearest_neighbour`: its layers are read as affine functions and maxima of them, and each ball
      needs one function of its class that exceeds those of others on the whole ball.
    - `projected_memorizer`: as `nearest_neighbour`, for the l_2 balls that hold the images.
    - `memorizer`: points are evaluated; on balls it is a function of one number, which is cut where
      units change sign.
    - `grid_memorizer`: on a ball each direction is in an interval, so the sum of all ramps is in
      one, found exactly; then as `memorizer`.
    - `staged_grid_memorizer`: each stage is evaluated in all cells that a ball touches where no
      gate is shut.
    - `narrow_memorizer`: its units are read as carried coordinates, sides and indicators, which are
      1, 0 or between on each ball; the rest by intervals.
    - `f_S`: by `certify_memorization`.
    - `robust_memorizer`: whichever of these it is.

    Args:
        network: built by one of these constructions.
        points: (N, D) in the network's domain.
        labels: (N,), -1 and +1, or 0..K-1.
        ball: of any radius; a smaller one than it was built for, or radius 0, too. Larger ones may
            be left open though they hold: margins of 1 are what is proved.

    Returns:
        A `MemorizerProof`; its bound is certified or, of a witness, exact.

    Raises:
        TypeError: for a network of another kind, and for what is no `Ball`.
        ValueError: for a network of another construction, and points and labels that do not fit.

    Cost: nearest_neighbour: N^2 D operations, memory N D. memorizer: N times its parameters, in
    exact arithmetic.

    Example:
        >>> from constructions import nearest_neighbour
        >>> points, ball = [[0.25, 0.5], [0.75, 0.5]], Ball(2, 0.24)
        >>> network = nearest_neighbour(points, [1, -1], ball)
        >>> certify_memorizer(network, points, [1, -1], ball).verdict
        'proved'
        >>> wrong = certify_memorizer(network, points, [1, 1], ball)
        >>> wrong.verdict, wrong.bound, wrong.witness[0]
        ('refuted', Fraction(-1, 1), 1)
    """
    network = read_network(network)
    x, y = read_labelled(network, points, labels, cube=network.domain is not None)
    check_ball(ball)
    _check_domain(network, x.numpy())
    origin = network.provenance
    if origin and origin.lemma and origin.lemma.name == "robust_memorizer" and origin.parts:
        origin = origin.parts[0][1]
        network = replace(network, provenance=origin)
    name = origin.lemma.name if origin and origin.lemma else "no construction"
    if name not in (*METHODS, "f_S"):
        raise ValueError(
            f"network must be built by robust_memorizer, {', '.join(METHODS)} or f_S, got one of "
            f"{name}; certify proves any network"
        )
    if name == "f_S":
        return _of_f_s(network, x, y, ball)
    centres, kept = x.numpy(), y.numpy()
    count, radius = len(centres), ball.radius
    try:
        return MemorizerProof("proved", METHODS[name](network, centres, kept, ball), count, radius)
    except Unproved as obstacle:
        reason = str(obstacle)
    found = _refute(network, centres, kept, ball)
    if found is None:
        return MemorizerProof("unresolved", None, count, radius, reason)
    index, point, margin = found
    return MemorizerProof("refuted", margin, count, radius, reason, (index, point))


def _check_domain(network: ReLUNetwork, x: np.ndarray) -> None:
    low, high = network.domain or (-math.inf, math.inf)
    outside = ((x < low) | (x > high)).any(1)
    if outside.any():
        i = int(outside.argmax())
        raise ValueError(
            f"points must lie in the network's domain [{low:g}, {high:g}], beyond which nothing is "
            f"claimed; point {i} has values in [{x[i].min():g}, {x[i].max():g}]: leave it out, or "
            f"scale points as those that the network was built for"
        )


def _of_f_s(network: ReLUNetwork, x: Any, y: Any, ball: Ball) -> MemorizerProof:
    """By `certify_memorization`, which speaks of [0,1]^D: no wider domain is proved, and no witness
    outside a narrower one is taken.
    """
    proof = certify_memorization(network, x, y, ball)
    low, high = network.domain or (-math.inf, math.inf)
    holds = {
        "proved": low >= 0 and high <= 1,
        "refuted": low <= 0 and high >= 1,
        "unresolved": True,
    }
    if not holds[proof.verdict]:
        reason = f"f_S is {proof.verdict} on [0,1]^D, which is not the network's domain"
        return MemorizerProof("unresolved", None, len(x), ball.radius, reason)
    return MemorizerProof(
        proof.verdict, proof.bound, len(x), ball.radius, proof.reason, proof.witness
    )


def _refute(
    network: ReLUNetwork, x: np.ndarray, y: np.ndarray, ball: Ball
) -> tuple[int, tuple[Fraction, ...], Fraction] | None:
    """A point of a ball with margin <= 0: centres, and towards the nearest point of another label,
    all replayed exactly.
    """
    chosen = np.unique(np.linspace(0, len(x) - 1, CANDIDATES * 8).astype(int))
    values = margins(network.exact(x[chosen]), y[chosen])
    for i, value in zip(chosen.tolist(), values, strict=True):
        if value <= 0:
            return i, tuple(map(Fraction, x[i].tolist())), value
    for i in chosen[np.argsort(list(map(float, values)), kind="stable")][:CANDIDATES].tolist():
        others = x[y != y[i]]
        if not len(others):
            continue
        point = _towards(x[i], others[((others - x[i]) ** 2).sum(1).argmin()], ball)
        (value,) = margins(network.exact([point]), y[i : i + 1])
        if value <= 0:
            return i, tuple(point), value
    return None


def _towards(centre: np.ndarray, goal: np.ndarray, ball: Ball) -> list[Fraction]:
    """The last point of the ball on the way to the goal (the goal where it is inside), in exact
    numbers; it stays in every box that holds both.
    """
    c, g = ([Fraction(v) for v in point.tolist()] for point in (centre, goal))
    way = [b - a for a, b in zip(c, g, strict=True)]
    if ball.p == math.inf:
        length = max(map(abs, way))
    else:
        squared = sum(v * v for v in way)
        scale = 2**80
        root = math.isqrt(int(squared * scale**2)) + 1  # at least the length
        length = Fraction(root, scale)
    share = min(Fraction(1), Fraction(ball.radius) / length) if length else Fraction(0)
    return [a + share * v for a, v in zip(c, way, strict=True)]
