"""Clean and robust errors of networks on finite sets of points, with what is proved about them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from constructions import Ball, ReLUNetwork, Result
from constructions.internal import (
    Flags,
    Floats,
    Labels,
    Points,
    Report,
    Said,
    check_ball,
    renamed,
    silent,
    stepped,
    warn_of_scale,
)
from training import is_error, output_margin

from ..certification.balls import Balls
from ..certification.memorizing import proved_at_once
from ..certification.queries import read_kept
from ..quantities.measured import Measured
from ..quantities.reading import check_scaled, read_labelled, read_mask, read_network, read_positive
from .counterexamples import Search, attacked


@dataclass(frozen=True, repr=False)
class RobustError(Result):
    """Bounds of the share of points whose ball holds a wrongly classified point of [0,1]^D.

    Attributes:
        lower: re-checked counterexamples.
        upper: points not proved robust; None where nothing tried to prove it.
        adversarial: the strongest point found in each ball, float64, (N, D); of balls that were
            proved before, of the point itself and the starts.
        refuted: which of them are re-checked errors, bool, (N,).
        proved: which balls are proved to hold no error, bool, (N,); None where nothing tried.
    """

    lower: Measured
    upper: Measured | None
    adversarial: Floats
    refuted: Flags
    proved: Flags | None = None

    def _says(self) -> tuple[str, dict[str, Said]]:
        numbers = {"robust error": self.lower.said}
        if self.upper is not None and self.lower.count == self.upper.count is not None:
            count, total = self.upper.count, self.upper.total or 0
            numbers = {"robust error": Measured.share(count, total).said}
        elif self.upper is not None:
            numbers["and"] = self.upper.said
        return "share of balls that hold an error", numbers


def clean_error(network: ReLUNetwork, points: Any, labels: Any) -> Measured:
    """Count the points that a network gives a wrong label.

    The share with margin <= 0, in float64.

    Args:
        network: what `read_network` reads.
        points: (N, D).
        labels: (N,), -1, +1 or 0..K-1.

    Returns:
        The share as `Measured`, exact on these points.

    Raises:
        ValueError: for labels or shapes that do not fit, and images of 0 to 255 in floats.

    Example:
        >>> from constructions import affine
        >>> clean_error(affine([[1.0]], [-0.5]), [[0.25], [0.75]], [1, 1])
        50% (exact, 1 of 2)
    """
    network = read_network(network)
    points, labels = read_labelled(network, points, labels)
    check_scaled(points)
    wrong = is_error(network(points), labels)
    return Measured.share(int(wrong.sum()), len(labels))


@renamed(report=stepped)
def robust_error(
    network: ReLUNetwork,
    points: torch.Tensor,
    labels: torch.Tensor,
    ball: Ball,
    *,
    proved: torch.Tensor | None = None,
    max_seconds: float | None = None,
    certificate: str | os.PathLike[str] | None = None,
    starts: tuple[torch.Tensor, ...] = (),
    steps: int = 20,
    restarts: int = 1,
    seed: int = 0,
    report: Report = silent,
) -> RobustError:
    """Bound the share of points whose ball holds a wrongly classified point.

    Every ball within [0,1]^D is attacked by projected gradient descent on the margin, in float32.
    What is found is re-checked in float64: a counterexample counts only if it lies in the ball and
    the rigorous enclosure of its margin is <= 0.

    Args:
        network: what `read_network` reads.
        points: (N, D) in [0,1].
        labels: (N,), -1, +1 or 0..K-1.
        ball: norm and radius.
        proved: which points are certified robust, bool, (N,); the upper bound counts the others,
            and the attack spares them. None: none, or of f_S and f_adv those that thresholds,
            separations, and linear bounds near the other points prove.
        max_seconds: how long to decide, as `certify` does, the balls that are left: each for a
            short time first, then for longer. Looked at between steps; interrupted (Ctrl-C), what
            is known so far counts. None: no proofs are sought.
        certificate: a file for all proofs and counterexamples, written once a minute, too. If it
            exists, it is read and checked first, which does not count as time to decide: so a later
            call goes on, with an equal share of its time, at least, for each ball that is left.
            Networks of more than 2^18 weights are bounded by `certified_margins` first: what that
            proves has no entry, nor has what the attack refutes.
        starts: further candidate points, (N, D) each (adversarial examples of another network),
            tried as they are.
        steps: of the attack, for each restart.
        restarts: of the attack.
        seed: of its random points.
        report: called with a `Progress` once an attack step (of `ATTACKED` numbers of points at a
            time), and once a ball that was decided, with the interval so far.

    Returns:
        `RobustError`, both bounds certified.

    Raises:
        ValueError: for labels or shapes that do not fit, points outside [0,1]^D, and a file that is
            no certificate of this network, or cannot be one.
        TypeError: for what is no network, no ball, or no number.
        RuntimeError: if a point proved robust is refuted: one of the two is then wrong.

    Example:
        >>> from constructions import affine
        >>> robust_error(affine([[1.0]], [-0.5]), [[0.6], [1.0]], [1, 1], Ball("inf", 0.25))
        RobustError: share of balls that hold an error
          robust error >= 50% (certified bound, 1 of 2)
        >>> robust_error(
        ...     affine([[1.0]], [-0.5]), [[0.6], [1.0]], [1, 1], Ball("inf", 0.25), max_seconds=9
        ... )
        RobustError: share of balls that hold an error
          robust error 50% (exact, 1 of 2)
    """
    network = read_network(network)
    exact_points, labels = read_labelled(network, points, labels, cube=True)
    check_ball(ball)
    warn_of_scale(ball, network.inputs)
    if max_seconds is not None:
        max_seconds = read_positive("max_seconds", max_seconds)
    elif certificate is not None:
        raise ValueError("certificate needs max_seconds: without it no proofs are sought")
    file = None if certificate is None else Path(certificate)
    kept = {} if file is None else read_kept(file, network, report)
    tried = proved is not None or max_seconds is not None or network.screen is not None
    if proved is not None:
        proved = read_mask(proved, len(labels), "proved").clone()
    else:
        proved = proved_at_once(network, exact_points, labels, ball)
    search = Search(steps, restarts, torch.Generator().manual_seed(seed), report)
    adversarial, refuted = attacked(network, exact_points, labels, ball, starts, ~proved, search)
    if max_seconds is not None:
        balls = Balls(
            network,
            exact_points,
            labels.tolist(),
            ball,
            easiest_first(network, adversarial, labels, ~(refuted | proved)),
            {i: adversarial[i] for i in refuted.nonzero()[:, 0].tolist()},
            kept,
        )
        balls.decide(max_seconds, file, report)
        proved[balls.numbers("proved")] = True
        for i in set(balls.numbers("refuted")) - set(balls.attacked):
            refuted[i] = True
            adversarial[i] = torch.tensor([float(v) for v in balls.found[i].witness or ()])
    if (refuted & proved).any():
        i = int((refuted & proved).nonzero()[0])
        raise RuntimeError(
            f"point {i} was proved robust and refuted: a proof or an evaluation is wrong"
        )
    lower = Measured.share(int(refuted.sum()), len(labels), "certified lower bound")
    if not tried:
        return RobustError(lower, None, adversarial, refuted)
    upper = Measured.share(int((~proved).sum()), len(labels), "certified upper bound")
    return RobustError(lower, upper, adversarial, refuted, proved)


def easiest_first(
    network: ReLUNetwork, adversarial: Points, labels: Labels, chosen: Flags
) -> list[int]:
    """The points that are chosen, those with the largest margins under attack first."""
    rows = output_margin(network(adversarial), labels).argsort(descending=True)
    return [int(i) for i in rows[chosen[rows]]]
