"""Proof that f_S, or f_adv on the points that it memorizes, gives the label on every training ball
(robust training error 0), from the weights it really has.

Provenance only says what to look for (`hints`). The layers are compared with those that the theorem
speaks of (`matching`), biases that float64 had to round are bounded, f_clean's rows are cut out and
bounded again, and the theorem's inequalities are checked in rational numbers (`inequalities`). What
cannot be proved is searched for a point that refutes it, replayed exactly (`refutation`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from os import PathLike
from typing import Any, Literal

from constructions import HERE, Ball, Engine, Result
from constructions.internal import Said, check_ball, renamed, said, several, write_file
from training.internal import differentiating

from ..quantities.reading import read_labelled, read_network
from .certificates import Outcome, certificate_of
from .hints import Subject, read_hints
from .inequalities import prove
from .matching import Unproved
from .refutation import refute
from .separations import KnownSeparation


@dataclass(frozen=True, eq=False, repr=False)
class MemorizationProof(Result):
    """The verdict on whether a network is right, with a margin, on every ball.

    The statement: margin > 0 on B_p(points[i], radius) intersected with [0,1]^D for every i, in
    real arithmetic.

    Attributes:
        verdict: "proved": the margin is at least `bound` > 0 on all balls. "refuted": `witness` =
            (i, x) with x exactly in ball i and margin `bound` <= 0 there. "unresolved": neither.
        bound: the certified margin, or that of the witness, exact.
        points: how many balls.
        separation: least distance between labels as measured.
        separation_exact: whether without rounding.
        inner: threshold of the distance, or its square, up to which indicators are 1.
        outer: threshold from which they are 0.
        reason: what is missing.
        witness: (i, x).

    Example:
        >>> from constructions import affine, f_S
        >>> points, labels, ball = [[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball("inf", 0.125)
        >>> proof = certify_memorization(
        ...     f_S(affine([[4.0, 0.0]], [-2.0]), points, labels, ball), points, labels, ball
        ... )
        >>> proof.verdict, proof.bound, proof.certificate["checker"]
        ('proved', Fraction(1, 1), 'check_memorization.py')
    """

    verdict: Literal["proved", "refuted", "unresolved"]
    bound: Fraction | None
    points: int
    separation: float
    separation_exact: bool
    inner: float
    outer: float
    reason: str = ""
    witness: tuple[int, tuple[Fraction, ...]] | None = None
    _about: tuple[Subject, Outcome] | None = field(default=None, repr=False)

    def _says(self) -> tuple[str, dict[str, Said]]:
        if self.verdict == "unresolved":
            return f"unresolved for {several(self.points, 'ball')}: {self.reason}", {}
        proved = self.verdict == "proved"
        where = "on all" if proved else f"in ball {(self.witness or (0,))[0]} of"
        kind = "certified lower bound" if proved else "exact"
        return f"{self.verdict}: margin {where} {several(self.points, 'ball')}", {
            "margin": said(self.bound, kind),
            "separation": said(self.separation, "exact" if self.separation_exact else "rounded"),
            "thresholds": Said(f"{self.inner:.6g}, {self.outer:.6g}", "to six digits"),
        }

    @cached_property
    def certificate(self) -> dict[str, Any]:
        """The proof as JSON, for a program that needs nothing of this library.

        See the head of its "checker", a program in `analysis/checkers`.

        Returns:
            The certificate as plain JSON values.

        Raises:
            ValueError: for a proof that `certify_memorization` did not make.
        """
        if self._about is None:
            raise ValueError("there is no certificate: only certify_memorization makes one")
        return certificate_of(*self._about)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the certificate to a file, as JSON.

        An existing file is replaced only once the new one is complete. Of a network of more than
        `EMBEDDED` weights it holds f_clean, thresholds and digests: `check_balls.py` proves from
        them and from a file of the points (`save_points`) that the f_S which they define is right
        on all balls; that the network is this f_S is what `certify_memorization` compared. Variant
        paper, and refutations of such networks, have digests only ("checker": "library only").

        Args:
            path: of the file.

        Raises:
            ValueError: if the verdict is "unresolved".
        """
        if self.verdict == "unresolved":
            raise ValueError(f"there is no certificate: the verdict is unresolved ({self.reason})")
        write_file(path, json.dumps(self.certificate, separators=(",", ":")))

    def to_json(self) -> dict[str, Any]:
        """Write the verdict and its facts as plain JSON values, without the certificate.

        Returns:
            A dictionary; rationals as text.
        """
        names = ("verdict", "points", "separation", "separation_exact", "inner", "outer", "reason")
        facts = {name: getattr(self, name) for name in names} | {
            "margin": None if self.bound is None else float(self.bound)
        }
        if self.witness:
            facts["witness"] = {
                "index": self.witness[0],
                "point": [str(v) for v in self.witness[1]],
            }
        return facts


@renamed("network points labels ball engine")
@differentiating
def certify_memorization(
    network: Any,
    points: Any,
    labels: Any,
    ball: Ball,
    *,
    engine: Engine = HERE,
    known: KnownSeparation | None = None,
) -> MemorizationProof:
    """Prove, refute or leave open that a memorizing network is right on every ball.

    That its margin, y f or f_y - max over k != y of f_k, is positive on B_p(points[i], radius)
    within [0,1]^D for every i. The certified bound is 1 for variants gate and lean (less by what
    float64 rounded in one or two dimensions, where indicators read coordinates directly); for
    paper, with M the bound of |y - f_clean|, 1 - 4^-m M^2, or 1 - 3/2 4^-m M^2 for K classes, from
    `CONTRACTS["yarotsky_multiplication"]`.

    Statement and bound hold in exact real arithmetic for the float64 weights of the network, not of
    an ideal one, nor of what an f_clean was read from that was rounded on reading (`certify` speaks
    of that). Rounded biases (sums of coordinates, squared norms) may differ from what they should
    be, by an ulp or more, as long as the thresholds' slack covers the sum of the effects; any other
    changed weight leaves the claim unproved.

    Args:
        network: built by `f_S` (any variant, norm, +-1 or K classes), or by `f_adv` with the points
            that it memorizes; its provenance is read as a hint (variant, thresholds, m, bound of
            |f_clean|) and nothing in it is believed.
        points: (N, D) in [0,1].
        labels: (N,), -1 and +1, or 0..K-1.
        ball: of the norm that it was built for; the radius may be smaller.
        engine: where separations are measured.
        known: the separation of these very points, where it is measured already.

    Returns:
        A `MemorizationProof`; its bound is certified or, of a witness, exact.

    Raises:
        TypeError: for a network of another kind, and for what is no `Ball`.
        ValueError: for a network not built by f_S or f_adv, another number of points, another norm,
            points outside [0,1], labels that do not fit, and a separation of other points.

    Cost: that of `constructions.separation`, where the engine says, and N D for the weights; memory
    N D.

    Example:
        >>> from constructions import affine, f_S
        >>> points, ball = [[0.25, 0.5], [0.75, 0.5]], Ball("inf", 0.125)
        >>> network = f_S(affine([[4.0, 0.0]], [-2.0]), points, [1, -1], ball)
        >>> certify_memorization(network, points, [1, -1], ball).verdict
        'proved'
        >>> wrong = certify_memorization(network, points, [1, 1], ball)
        >>> wrong.verdict, wrong.bound, wrong.witness[0]
        ('refuted', Fraction(-1, 1), 1)
    """
    network = read_network(network)
    x, y = read_labelled(network, points, labels, cube=True)
    check_ball(ball)
    subject = Subject(network, x, y, ball, read_hints(network, len(x), ball))
    if known is None:
        known = KnownSeparation.of(x, y, ball.p, engine)
    elif not known.is_of(x, y, ball.p):
        raise ValueError(f"known must be the separation of these points in l_{ball.p:g}")
    return _proof(subject, known, _outcome(subject, known))


def _outcome(subject: Subject, known: KnownSeparation) -> Outcome:
    try:
        bound, clean = prove(subject, known)
    except Unproved as obstacle:
        found = refute(subject, known.found)
        if found is None:
            reason = _misplaced(subject) or str(obstacle)
            return Outcome("unresolved", reason=reason)
        return Outcome("refuted", found.margin, None, found, str(obstacle))
    return Outcome("proved", bound, clean)


def _misplaced(subject: Subject) -> str:
    """Which point is not the one that the network says it memorizes at that place, or "". Only said
    where no proof was found: nothing is believed.
    """
    if subject.network.screen is None:
        return ""
    parts = subject.network.screen.parts()
    centres, labels = parts.centres, parts.labels
    if centres.shape != subject.x.shape:
        return ""
    differ = (centres != subject.x).any(1) | (labels != subject.y)
    if not differ.any():
        return ""
    i = int(differ.nonzero()[0])
    same = ((centres == subject.x[i]).all(1) & (labels == subject.y[i])).nonzero()
    where = (
        f"its point {int(same[0])}: give them in the network's order"
        if len(same)
        else ("none of its points with this label")
    )
    return f"point {i} is not point {i} of the network, but {where}"


def _proof(subject: Subject, known: KnownSeparation, outcome: Outcome) -> MemorizationProof:
    return MemorizationProof(
        outcome.verdict,
        outcome.bound,
        points=len(subject.x),
        separation=known.found.distance,
        separation_exact=known.found.is_exact,
        inner=subject.hints.inner,
        outer=subject.hints.outer,
        reason=outcome.reason,
        witness=(outcome.found.index, outcome.found.point) if outcome.found else None,
        _about=(subject, outcome),
    )
