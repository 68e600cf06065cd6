"""Distance to the decision boundary, enclosed by certificates and counterexamples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from constructions import Ball, ReLUNetwork
from constructions.internal import Said, Unpacked, read_norm, renamed, said

from ..quantities.reading import (
    exact_floats,
    read_domain,
    read_network,
    read_numbers,
    read_positive,
)
from ..search.prepared import prepare
from ..search.question import Question
from ..search.sets import ExactSet
from .decision import MAX_SECONDS, ball_set, decide_margin, margin_loss


@dataclass(frozen=True, eq=False, repr=False)
class BoundaryDistance(Unpacked):
    """Certified bounds of the distance to the nearest error, lower <= distance <= upper.

    It unpacks to the two bounds.

    Attributes:
        lower: exact.
        upper: exact; infinite where nothing was found.
        label: what counts as right: that given, or the network's at the centre; None: the network
            has none there (a tie).
    """

    lower: Fraction
    upper: Fraction | float
    label: int | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.lower, self.upper))

    def _says(self) -> tuple[str, dict[str, Said]]:
        of = "of a tie" if self.label is None else f"of label {self.label}"
        if self.lower == self.upper:
            return f"to the nearest error {of}", {"distance": said(self.lower, "exact")}
        return f"to the nearest error {of}", {
            "distance": said(self.lower, "certified lower bound"),
            "and": said(self.upper, "certified upper bound"),
        }


@renamed("network x p", centre=lambda x: x, norm=lambda p: p)
def boundary_distance(
    network: Any,
    centre: Any,
    norm: Any,
    *,
    label: int | None = None,
    gap: float = 1e-6,
    domain: tuple[float, float] | None = (0.0, 1.0),
    max_seconds: float = MAX_SECONDS,
) -> BoundaryDistance:
    """Enclose the distance from a point to the nearest error, in exact rationals.

    The l_p distance from centre to the nearest point of domain^D with margin <= 0. The lower bound
    is a radius for which `certify` proves the ball; the upper one is the distance of a point that
    is evaluated exactly. A point itself misclassified, or tied, has distance 0. Where the points
    with margin <= 0 are the closure of those with margin < 0 (no touching zeros), this is the
    distance to the decision boundary.

    Args:
        network: as for `certify`.
        centre: shape (D,), in domain.
        norm: inf or 2.
        label: that of centre (default: the network's, in exact arithmetic).
        gap: stops when upper - lower <= gap.
        domain: (lower, upper) of every input; with None, upper is infinite if no such point is
            nearer than 2^20.
        max_seconds: of a query; where one is unresolved within it, bounds are wider.

    Returns:
        A `BoundaryDistance`, with the label; it unpacks to (lower, upper).

    Raises:
        ValueError: for shapes, labels, NaN, gap <= 0, centre outside domain, and numbers that
            float64 does not hold.

    Cost: some ten calls of `certify`, the last ones on balls that almost touch the boundary.

    Source: Section 3 of "Why Clean Generalization and Robust Memorization Both Happen in
    Adversarial Training" (anonymous 2023).

    Example:
        >>> from constructions import affine
        >>> found = boundary_distance(affine([[3.0, -1.0]], [-0.5]), [0.5, 0.5], "inf")
        >>> found.label, found.lower <= Fraction(1, 8) <= found.upper
        (1, True)
        >>> lower, upper = found
        >>> float(upper - lower) <= 1e-6
        True
    """
    # Whole, because it is one bisection, and its state.
    network, norm = read_network(network), read_norm(norm)
    gap = read_positive("gap", gap)
    point = np.array(exact_floats(read_numbers(network, centre, "centre"), "centre"))
    if domain is not None:
        low, high = exact_floats(read_domain(domain), "domain")
        domain = low, high
    if (
        domain is not None
        and len(point)
        and not (domain[0] <= point.min() and point.max() <= domain[1])
    ):
        raise ValueError(
            f"centre must lie in domain {domain}, got values in [{point.min():.6g}, "
            f"{point.max():.6g}]"
        )
    if label is None:
        label = _predicted(network, point)
    lower, upper = Fraction(0), math.inf  # type: Fraction, Fraction | float
    if label is None and network.origin is not None and not network.origin.is_exact:
        # a tie of the layers need not be one of what was read
        return BoundaryDistance(lower, upper, label)
    if (
        label is None
        or decide_margin(network, ball_set(network, point, Ball(norm, 0.0), domain), label).verdict
        == "refuted"
    ):
        return BoundaryDistance(lower, Fraction(0), label)
    farthest = 2.0**20 if domain is None else _reach(point, norm, domain)
    low, high = domain or (-math.inf, math.inf)
    everywhere = ExactSet(
        [Fraction(max(v - farthest, low)) for v in point],
        [Fraction(min(v + farthest, high)) for v in point],
    )
    question = Question(prepare(network), everywhere, label)
    loss = margin_loss(network, everywhere.lower, everywhere.upper, label)
    radius, steps = (farthest if domain is not None else 1.0), -1
    stuck, patience = math.inf, 6
    while True:
        ball = ball_set(network, point, Ball(norm, radius), domain)
        result = decide_margin(network, ball, label, max_seconds)
        if result.verdict == "unresolved":  # nearer balls have larger margins
            stuck, patience = min(stuck, radius), patience - 1
            if patience == 0 or stuck - lower <= gap:
                return BoundaryDistance(lower, upper, label)
        elif result.witness is None:
            lower, steps = Fraction(radius), max(steps - 2, 0)
        else:
            distance = _nearer(network, point, result.witness, label, norm, loss)
            for nearby in _descend(question, point, result.witness, float(distance), norm):
                # right for what was read, too: the margin there may be above -loss
                if prepare(network).exact.evaluate([nearby], label)[0][0] <= -loss:
                    distance = min(distance, _nearer(network, point, nearby, label, norm, loss))
            upper, steps = min(upper, distance), steps + 1
        if upper - lower <= gap or (math.isinf(upper) and radius >= farthest):
            return BoundaryDistance(lower, upper, label)
        if math.isinf(upper):
            radius = min(2 * radius, farthest)
        else:
            # counterexamples cost less than proofs
            radius = max(float(upper) - gap / 2 * 8.0**steps, float(lower + upper) / 2)
        if radius >= stuck:
            radius = (float(lower) + stuck) / 2


def _predicted(network: ReLUNetwork, point: np.ndarray) -> int | None:
    """The label in exact arithmetic, or None for a tie."""
    values = network.exact(point).tolist()
    if len(values) == 1:
        return None if values[0] == 0 else 1 if values[0] > 0 else -1
    best = max(values)
    return None if values.count(best) > 1 else values.index(best)


def _descend(
    question: Question, point: np.ndarray, start: Any, distance: float, norm: float
) -> Iterator[tuple[Fraction, ...]]:
    """Nearer points with margin <= 0: nearest zeros of linear functions that touch the margin at
    one point after the other.

    As DeepFool (Moosavi-Dezfooli et al. 2016), but always from the given point.
    """
    x = np.array([float(v) for v in start])
    for _ in range(30):
        value, gradient = question.margins(x[None])
        slope = gradient[0]
        step = (
            np.sign(slope)
            if math.isinf(norm)
            else slope / max(float(np.linalg.norm(slope)), 1e-300)
        )
        low, high = 0.0, distance
        for _ in range(60):
            middle = (low + high) / 2
            there = question.inputs.project((point - middle * step)[None])[0]
            low, high = (low, middle) if value[0] + slope @ (there - x) <= 0 else (middle, high)
        x = question.inputs.project((point - high * (1 + 1e-12) * step)[None])[0]
        if high < distance and (witness := question.replay(x)):
            distance = high
            yield witness
        elif high >= distance:
            return


def _reach(point: np.ndarray, norm: float, domain: tuple[float, float]) -> float:
    """A radius whose ball covers the domain."""
    far = np.maximum(np.abs(point - domain[0]), np.abs(point - domain[1]))
    return float(np.linalg.norm(far, ord=norm)) * (1 + 1e-12)


def _nearer(
    network: ReLUNetwork,
    point: np.ndarray,
    witness: tuple[Fraction, ...],
    label: int,
    norm: float,
    loss: Fraction,
) -> Fraction:
    """The distance, rounded up, of a point with margin <= -loss towards the witness, or of the
    witness, which is known to be wrong: bisected, evaluated exactly.
    """
    exact, start = prepare(network).exact, [Fraction(v) for v in point.tolist()]
    low, high = Fraction(0), Fraction(1)
    for _ in range(48):
        middle = (low + high) / 2
        between = [a + middle * (b - a) for a, b in zip(start, witness, strict=True)]
        if exact.evaluate([between], label)[0][0] <= -loss:
            high = middle
        else:
            low = middle
    offset = [high * (b - a) for a, b in zip(start, witness, strict=True)]
    if math.isinf(norm):
        return max(abs(v) for v in offset)
    square, top = sum(v * v for v in offset), 1 << 200
    return Fraction(math.isqrt(math.ceil(square * top)) + 1, 1 << 100)
