"""What Theorem 6.2 claims of algorithm A_delta: robust training error by proof, clean errors by
margin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from constructions import Ball, localize
from constructions.internal import Flags, Report, Said, Unpacked, renamed, silent, stepped, stepping
from training import is_error

from ..behaviour.errors import robust_error
from ..certification.decision import certify
from ..certification.margins import certified_margins
from ..certification.memorizing import near
from ..proofs.memorization import certify_memorization
from ..quantities.measured import Measured
from ..quantities.reading import read_labelled, read_mask, read_network
from ..quantities.statistics import share


@renamed(report=stepped)
def proved_balls(
    network: Any,
    points: Any,
    labels: Any,
    ball: Ball,
    memorized: Flags,
    *,
    max_seconds: float = 10.0,
    report: Report = silent,
) -> Flags:
    """Prove around which points a memorizing network is right on the whole ball.

    That is, its margin is positive on the ball within [0,1]^D. The balls of memorized points are
    proved at once, by `certify_memorization`. Around every other point the network is f_clean, or a
    small network with the shells near it (see `localize`), which `certified_margins` bounds, and
    `certify` decides where these bounds do not suffice. What is not proved is open or wrong;
    `robust_error(..., proved=...)` looks for errors there.

    Args:
        network: of `f_S` or `f_adv`, or of `training.a_delta`.
        points: (N, D) in [0,1].
        labels: (N,).
        ball: norm and radius.
        memorized: bool, (N,), the points that the network was built on, in their order.
        max_seconds: for each point that `certify` decides.
        report: called with a `Progress` after each such decision.

    Returns:
        For which points it is proved: bool, (N,). True is certified.

    Raises:
        ValueError: for shapes and labels that do not fit.

    Source: "Why Clean Generalization and Robust Memorization Both Happen in Adversarial Training"
    (anonymous 2023), Theorem 6.2.

    Example:
        >>> from constructions import affine, f_S
        >>> points, labels, ball = (
        ...     torch.tensor([[0.4375, 0.5], [1.0, 0.5]]),
        ...     torch.tensor([-1, 1]),
        ...     Ball("inf", 0.125),
        ... )
        >>> network = f_S(
        ...     affine([[4.0, 0.0]], [-2.0]), points[:1], labels[:1], ball, separation=0.5625
        ... )
        >>> proved_balls(network, points, labels, ball, torch.tensor([True, False]))
        tensor([True, True])
    """
    network = read_network(network)
    x, y = read_labelled(network, points, labels)
    memorized = read_mask(memorized, len(y), "memorized")
    proved = torch.zeros(len(x), dtype=torch.bool)
    if memorized.any():
        proved[memorized] = (
            certify_memorization(network, x[memorized], y[memorized], ball).verdict == "proved"
        )
    rest = (~memorized).nonzero()[:, 0]
    for rows, local in near(network, x[rest], ball) if len(rest) else ():
        chosen = rest[rows]
        proved[chosen] = certified_margins(local, x[chosen], y[chosen], ball) > 0
    open_ = rest[~proved[rest]].tolist()
    step = stepping(report, "certifying", len(open_))
    for i in open_:
        ((_, local),) = localize(network, x[i : i + 1], ball)
        found = certify(local, x[i], ball, int(y[i]), max_seconds=max_seconds)
        proved[i] = found.verdict == "proved"
        step()
    return proved


@dataclass(frozen=True, eq=False, repr=False)
class ErrorsByMargin(Unpacked):
    """Errors on points of small and of large margin; see `errors_by_margin`.

    Attributes:
        small: share of errors among the points of small margin.
        large: that among the others.
    """

    small: Measured
    large: Measured

    def _says(self) -> tuple[str, dict[str, Said]]:
        numbers = {"small margin": self.small.said, "large": self.large.said}
        return "clean errors on points by their margin", numbers


def errors_by_margin(
    network: Any, clean: Any, points: Any, labels: Any, ball: Ball, *, seed: int = 0
) -> ErrorsByMargin:
    """Compare a network's clean errors on points of small and of large margin under another one.

    A point's margin is small where `robust_error` finds an error of `clean` in its ball, large
    otherwise. Assumption 6.1 compares the two errors: L_small = O(L_large). It says nothing where
    L_large is 0 and is about populations of many sizes, so one pair of numbers can only make it
    implausible.

    Args:
        network: whose errors are counted.
        clean: under which margins are small or large.
        points: (N, D) in [0,1], fresh ones.
        labels: (N,).
        ball: norm and radius.
        seed: of the attack on clean.

    Returns:
        `ErrorsByMargin`: exact for this division, their intervals (95%) for the distribution.

    Raises:
        ValueError: if one part is empty, and for shapes and labels that do not fit.

    Source: "Why Clean Generalization and Robust Memorization Both Happen in Adversarial Training"
    (anonymous 2023), Assumption 6.1.

    Example:
        >>> from constructions import affine
        >>> f, points = affine([[1.0]], [-0.5]), torch.tensor([[0.0], [0.4375], [0.5625], [1.0]])
        >>> small, large = errors_by_margin(
        ...     affine([[1.0]], [-0.4]), f, points, torch.tensor([-1, -1, 1, 1]), Ball("inf", 0.25)
        ... )
        >>> small.value, large.value
        (0.5, 0.0)
    """
    network, clean = read_network(network), read_network(clean)
    x, y = read_labelled(network, points, labels)
    small = robust_error(clean, x, y, ball, seed=seed).refuted
    if small.all() or not small.any():
        raise ValueError(
            f"points must have margins of both kinds under clean, got {int(small.sum())} small of "
            f"{len(small)}"
        )
    wrong = is_error(network(x), y)
    return ErrorsByMargin(share(wrong[small]), share(wrong[~small]))
