"""Is a margin positive on a whole ball or box? Decided completely, with a certificate.

Whole, because verdict, certificate and what rounding on reading takes from both are about one
margin.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from operator import index
from os import PathLike
from typing import Any, Literal

import numpy as np
import torch

from constructions import Ball, ReLUNetwork, Result, source_difference
from constructions.internal import (
    Said,
    check_ball,
    exact_box,
    renamed,
    said,
    warn_of_scale,
    write_file,
)
from training.internal import check_labels

from ..branching.search import Search
from ..checkers import check_certificate as checker
from ..quantities.reading import read_domain, read_network, read_numbers, read_positive
from ..search.at_once import decide_at_once
from ..search.bounding import BROKEN
from ..search.prepared import prepare
from ..search.question import Question, Undecided
from ..search.sets import ExactSet
from ..splitting.splitting import decide_by_splitting

MAX_SECONDS = 60.0
"""How long one query may take by default."""


@dataclass(frozen=True, repr=False)
class Certification(Result):
    """What is known about a margin on a set, and the certificate of it.

    Of a network that was rounded when it was read (see `ReLUNetwork.origin`), bound and margin are
    bounds for its source, while the certificate is about the rounded one.

    Attributes:
        verdict: "proved" (margin >= bound > 0 on all of the set), "refuted" (margin <= 0 at
            `witness`, a point of the set), or "unresolved" (`reason` says why).
        bound: a certified lower bound of the margin, if proved.
        witness: the exact point, if refuted.
        margin: the exact margin there, if refuted.
        leaves: into how many pieces the set was cut, each proved by itself.
        reason: why it is unresolved.
        query: set, label and proof as a certificate holds them.
        network: whose margin it is.
    """

    verdict: Literal["proved", "refuted", "unresolved"]
    bound: Fraction | None = None
    witness: tuple[Fraction, ...] | None = field(default=None, repr=False)
    margin: Fraction | None = None
    leaves: int = 0
    reason: str = ""
    query: dict[str, Any] | None = field(default=None, repr=False)
    network: ReLUNetwork | None = field(default=None, repr=False)

    def _says(self) -> tuple[str, dict[str, Said]]:
        what = {"proved": "the margin is positive on the whole set", "refuted": "a point is wrong"}
        if self.verdict == "unresolved":
            return f"unresolved: {self.reason}", {}
        numbers = {"margin": said(self.bound, "certified lower bound")}
        if self.verdict == "refuted":
            origin = None if self.network is None else self.network.origin
            kind = "exact" if origin is None or origin.is_exact else "certified upper bound"
            witness = self.witness or ()
            at = ", ".join(said(x, "").text for x in witness[:4]) + ", ..." * (len(witness) > 4)
            numbers = {"margin": said(self.margin, kind), "at": Said(f"({at})", "to six digits")}
        else:
            numbers |= {"pieces proved one by one": said(self.leaves, "exact")}
        return f"{self.verdict}: {what[self.verdict]}", numbers

    @functools.cached_property
    def certificate(self) -> dict[str, Any]:
        """Give the certificate of this one query; docs/certificates.md has the format.

        Returns:
            A dict for JSON.

        Raises:
            ValueError: if unresolved.
        """
        return certificate_of([self])

    def save(self, path: str | PathLike[str]) -> None:
        """Write the certificate as JSON (atomically).

        Args:
            path: where.

        Raises:
            ValueError: if unresolved.
        """
        write_file(path, json.dumps(self.certificate, allow_nan=False))


def certificate_of(results: list[Certification]) -> dict[str, Any]:
    """Make one certificate of several resolved queries about one network.

    Args:
        results: what `certify` and `certify_box` gave.

    Returns:
        A dict for JSON.

    Raises:
        ValueError: if there is none to write.
    """
    found = [r for r in results if r.query is not None]
    networks = {
        (prepare(r.network).digest, r.network.origin and r.network.origin.digest): r.network
        for r in found
        if r.network is not None
    }
    if len(networks) != 1 or len(found) != len(results):
        reasons = [r.reason for r in results if r.query is None]
        raise ValueError(
            f"a certificate needs resolved queries about one network, got "
            f"{reasons or f'{len(networks)} networks'}"
        )
    network = networks.popitem()[1]
    known = prepare(network)
    head = {"format": checker.FORMAT, "network": known.data, "digest": known.digest}
    source = {} if network.origin is None else {"source": source_of(network)}
    return {**head, **source, "queries": [r.query for r in found]}


def source_of(network: ReLUNetwork) -> dict[str, Any] | None:
    """What certificates say of the file or module that a network was read from; None if there is
    none.
    """
    if network.origin is None:
        return None
    names = ("kind", "digest", "parameters", "merged", "carried")
    facts = {name: getattr(network.origin, name) for name in names}
    return facts | {"rounded": list(network.origin.rounded)}


def certify(
    network: Any,
    centre: Any,
    ball: Ball,
    label: int,
    *,
    domain: tuple[float, float] | None = (0.0, 1.0),
    max_seconds: float = MAX_SECONDS,
) -> Certification:
    """Decide whether the margin is positive on the whole ball B_p(centre, radius) within domain^D.

    The margin is y f(x) (one output, label y = -1, +1) or f_y(x) - max_(k != y) f_k(x); a tie
    (margin 0) counts as an error. Radius, domain and weights are taken exactly, so the set is {x
    real: ||x - centre||_p <= radius, domain[0] <= x_j <= domain[1]}.

    Search: projected gradient descent; bounds of all units by intervals and linear functions; then
    branch and bound over the signs of units, with warm-started linear programs; l_2 balls by
    tangents. Pairs of units that make |a|, maxima, indicators and gates are relaxed together, so
    constructed networks are decided, too. With one input, all breakpoints. The search is in
    float64; the verdict is what `check_certificate` says about the certificate found: it has
    integers only and imports nothing of the search (that calls it, to read networks and to see what
    proofs give). So rounding and errors of the solver lead to "unresolved", never to a wrong
    verdict. Complete but for margins within rounding of 0 (about 1e-12 of the weights' size); for
    l_2, the closer to 0 the more parts.

    Args:
        network: a ReLUNetwork or a module that `ReLUNetwork.from_module` reads; layers must be
            small enough to be dense.
        centre: (D,), taken exactly; uint8 is k/255 in float64.
        ball: norm and radius.
        label: y.
        domain: (lower, upper) of every input; None: the whole ball.
        max_seconds: looked at between layers and parts; does not count what is computed once for a
            network.

    Returns:
        A `Certification`.

    Raises:
        ValueError: for shapes, labels, NaN, a set without points.
        TypeError: for a network of other layers.

    Cost: milliseconds to seconds for some dozens of units that change sign on the set, exponential
    in their number in the worst case.

    Source: Zhang et al. 2018 (bounds), Ehlers 2017 (linear programs), Bunel et al. 2018 (branch and
    bound), Dvijotham et al. 2018 (duals that certify).

    Example:
        >>> from constructions import affine
        >>> net = affine([[1.0, -1.0]])
        >>> result = certify(net, [0.75, 0.25], Ball("inf", 0.125), 1)
        >>> result.verdict, result.bound
        ('proved', Fraction(1, 4))
        >>> certify(net, [0.75, 0.25], Ball("inf", 0.25), 1).witness
        (Fraction(1, 2), Fraction(1, 2))
    """
    network = read_network(network)
    exact_set = ball_set(network, centre, ball, domain)
    if domain is not None and read_domain(domain) == (Fraction(0), Fraction(1)):
        warn_of_scale(ball, network.inputs)
    return decide_margin(network, exact_set, label, max_seconds)


def ball_set(
    network: ReLUNetwork, centre: Any, ball: Ball, domain: tuple[float, float] | None
) -> ExactSet:
    """The ball within the domain, exactly; raises ValueError as `certify`."""
    check_ball(ball)
    point = read_numbers(network, centre, "centre")
    if not math.isinf(ball.p) and any(v.denominator & (v.denominator - 1) for v in point):
        raise ValueError(
            "centre must hold binary fractions for l_2 balls: a certificate holds integers over a "
            "power of two"
        )
    radius = Fraction(ball.radius)
    lower, upper = [v - radius for v in point], [v + radius for v in point]
    if domain is not None:
        low, high = read_domain(domain)
        lower, upper = [max(v, low) for v in lower], [min(v, high) for v in upper]
    exact_set = ExactSet(lower, upper, None if math.isinf(ball.p) else (point, radius))
    if any(a > b for a, b in zip(lower, upper, strict=True)) or (
        exact_set.ball and _outside(exact_set)
    ):
        scale = " (pixels of 0 to 255 or 0 to 16 are divided first)" if domain == (0.0, 1.0) else ""
        raise ValueError(f"the {ball} around centre has no point in domain {domain}{scale}")
    return exact_set


@renamed("network lower upper label", box=lambda lower, upper: (lower, upper))
def certify_box(
    network: Any, box: Any, label: int, *, max_seconds: float = MAX_SECONDS
) -> Certification:
    """Decide whether the margin is positive on the whole box; see `certify`.

    Args:
        network: as for `certify`.
        box: (lower, upper), each D numbers, or one for all inputs; exact.
        label: as for `certify`.
        max_seconds: as for `certify`.

    Returns:
        A `Certification`.

    Raises:
        ValueError: as `certify`, and where lower > upper.
        TypeError: as `certify`.

    Example:
        >>> from constructions import squaring
        >>> certify_box(squaring(4), (0.25, 1.0), 1).bound
        Fraction(1, 16)
    """
    network = read_network(network)
    lower, upper = exact_box(box, network.inputs)
    return decide_margin(network, ExactSet(lower, upper), label, max_seconds)


def decide_margin(
    network: ReLUNetwork, exact_set: ExactSet, label: int, max_seconds: float = MAX_SECONDS
) -> Certification:
    """Search for a proof or a counterexample, and let the checker judge it."""
    try:
        label = index(label)
    except TypeError as error:
        raise TypeError(f"label must be an integer, got {label!r}") from error
    if not (label in (-1, 1) if network.outputs == 1 else 0 <= label < network.outputs):
        check_labels(torch.tensor([label]), 1, network.outputs)
    max_seconds = read_positive("max_seconds", max_seconds)
    known = prepare(network)
    known.complete()
    question = Question(known, exact_set, label)
    search = Search(question, max_seconds)
    try:
        with np.errstate(all="ignore"):  # what overflows is not finite, and proves nothing
            query = decide_at_once(question, search.end)
            by_splitting = None if query else decide_by_splitting(question, search.end)
            query, boxes = (query, 1) if query else by_splitting or (search.run(), search.leaves)
        rejected = ""  # what `check` would find, of which nothing is computed twice
        if query["verdict"] == "refuted":
            checker.stated(known.exact, query)
            witness = question.named(query["witness"])
            if (found := question.margin(witness)) > 0:
                rejected = f"the margin is {float(found):.6g} at {witness}"
            elif not exact_set.holds(witness):  # the query's set is rounded outward
                rejected = "the witness is outside"
        else:  # the set and the bound are right by construction
            if "bound" not in query:
                query["bound"] = str(checker.least_margin(known.exact, query))
            bound = checker.rational(query["bound"])
            if bound <= 0:
                rejected = f"it gives {float(bound):.6g}"
        loss = query_loss(network, query)
    except Undecided as reason:
        return Certification("unresolved", leaves=search.leaves, reason=str(reason))
    except BROKEN as error:  # floats, solver or proof; mistakes of the program are no verdicts
        return Certification("unresolved", leaves=search.leaves, reason=f"no proof: {error}")
    if rejected:
        return Certification(
            "unresolved",
            leaves=search.leaves,
            reason=f"the checker rejects the proof: {rejected}",
        )
    within = (
        f"the margin is within {float(loss):.3g} of 0, by which the network may differ from what "
        "it was read from"
    )
    if loss:
        query["difference"] = str(loss)
    if query["verdict"] == "refuted":
        if found + loss > 0:
            return Certification("unresolved", leaves=search.leaves, reason=within)
        return Certification("refuted", None, witness, found + loss, query=query, network=network)
    leaves = max(1, len(query["points"]) - 1) if "points" in query else boxes
    if bound <= loss:
        return Certification("unresolved", leaves=leaves, reason=within)
    return Certification("proved", bound - loss, leaves=leaves, query=query, network=network)


def query_loss(network: ReLUNetwork, query: dict[str, Any]) -> Fraction:
    """`margin_loss` on the box of a query of a certificate."""
    if network.origin is None or network.origin.is_exact:
        return Fraction(0)
    unit = Fraction(1, 2 ** query["scale"])
    lower, upper = ([v * unit for v in query[side]] for side in ("lower", "upper"))
    return margin_loss(network, lower, upper, query["label"])


def margin_loss(
    network: ReLUNetwork, lower: Sequence[Fraction], upper: Sequence[Fraction], label: int
) -> Fraction:
    """By how much margins on a box may differ from those of what the network was read from; 0 if
    nothing was rounded.
    """
    if network.origin is None or network.origin.is_exact:
        return Fraction(0)
    lost = output_loss(network, lower, upper)
    if len(lost) == 1:
        return lost[0]
    return lost[label] + max(v for k, v in enumerate(lost) if k != label)


def output_loss(
    network: ReLUNetwork, lower: Sequence[Fraction], upper: Sequence[Fraction]
) -> list[Fraction]:
    """By how much each output may differ on a box from that of what the network was read from; 0 if
    nothing was rounded.
    """
    ends = (
        (math.nextafter(float(v), side) for v in values)
        for values, side in ((lower, -math.inf), (upper, math.inf))
    )
    low, high = (torch.tensor(list(end), dtype=torch.float64) for end in ends)
    return [Fraction(v) for v in source_difference(network, (low, high)).tolist()]


def _outside(exact_set: ExactSet) -> bool:
    """Whether the box does not meet the ball."""
    centre, radius = exact_set.ball or ([], Fraction(0))
    gaps = [
        max(a - c, c - b, Fraction(0))
        for a, b, c in zip(exact_set.lower, exact_set.upper, centre, strict=True)
    ]
    return sum(v * v for v in gaps) > radius**2
