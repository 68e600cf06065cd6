"""What certificates prove of a network that is given: that they are about it, and what follows for
what it was read from.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR
from fractions import Fraction
from pathlib import Path
from typing import Any

from constructions import Ball, Property, ReLUNetwork

from ..checkers import check_balls, check_certificate
from ..checkers.check_memorization import BALLS
from ..proofs.certificates import network_digest
from ..proofs.memorization import certify_memorization
from ..search.prepared import prepare
from .certificate_files import Finding, checked, read_certificate
from .check_property import check_property, not_compared, other_source, understated
from .deciding import FORMAT as PROPERTY
from .deciding import Decision
from .decision import query_loss


def is_about(content: dict[str, Any], network: ReLUNetwork) -> bool:
    """Whether a certificate of margins or of memorization has the digest of a network."""
    kind = content["format"]
    name = "network_digest" if kind == BALLS else "digest"
    decisions = kind == check_certificate.FORMAT
    own = prepare(network).digest if decisions else network_digest(network)
    return bool(content.get(name) == own)


def check_margins(
    content: dict[str, Any], network: ReLUNetwork, judge: Callable[..., Any]
) -> list[Finding]:
    """What the checker says about each query, of this network's layers and of what it was read
    from.
    """
    found = [Finding(*pair) for pair in checked(judge, content)]
    if reason := other_source(content, network):
        return [Finding(reason) for _ in found]
    more = not_compared(content, network)
    found = [Finding(f.reason, f.statement and f.statement + more) for f in found]
    pairs = zip(content["queries"], found, strict=True)
    return [f if f.reason else _of_source(content, network, query, f) for query, f in pairs]


def _of_source(
    content: dict[str, Any], network: ReLUNetwork, query: dict[str, Any], found: Finding
) -> Finding:
    """What an accepted query says of what the network was read from, whose difference is computed
    again.
    """
    loss = query_loss(network, query)
    if "source" in content and (wrong := understated(query.get("difference", "0"), loss)):
        return Finding(wrong)
    if not loss:
        return found
    show, proved = check_certificate.show, query["verdict"] == "proved"
    if proved:
        bound = Fraction(query["bound"]) - loss
        text = f"margin >= {show(bound, ROUND_FLOOR)} > 0"
    else:
        exact = prepare(network).exact
        point = [Fraction(v) for v in query["witness"]]
        bound = exact.evaluate([point], query["label"])[0][0] + loss
        text = f"margin <= {show(bound, ROUND_CEILING)} <= 0"
    if (bound > 0) != proved:
        return Finding("it does not hold of what the network was read from, but of its layers only")
    return Finding("", f"{found.statement}; what was read, computed again: {text}")


def check_balls_of(content: dict[str, Any], network: ReLUNetwork, x: Any, y: Any) -> str:
    """What a certificate of many points proves, and that this network is the f_S it defines."""
    statement = checked(check_balls.check, content, x, y)
    proof = certify_memorization(network, x, y, Ball(content["norm"], content["radius"]))
    if proof.verdict != "proved":
        raise ValueError(f"the network is not proved to be this f_S: {proof.reason}")
    wanted, hints = proof.certificate, ("cuts", "projection")
    for name, value in wanted.items():
        if name not in hints and content.get(name) != value:
            raise ValueError(
                f"{name} is not what certify_memorization finds for this network and these points"
            )
    return (
        f"{statement}; network {content['network_digest'][:16]} is this f_S, "
        "compared weight by weight"
    )


def read_decision(path: Path, network: ReLUNetwork, asked: Property) -> Decision | None:
    """What a certificate of a property proves of this network and property, checked again; None if
    there is no such file, or it proves something else.

    Raises ValueError for a file that is there and is no certificate of a property.
    """
    start = time.monotonic()
    try:
        content = read_certificate(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(
            f"{path} exists and is no certificate that could be replaced: {error}"
        ) from error
    if content.get("format") != PROPERTY:
        raise ValueError(f"{path} exists and is no certificate of a property: choose another file")
    try:
        found = check_property(content, network, asked)
    except ValueError:  # a broken certificate proves nothing
        return None
    if any(finding.reason for finding in found):
        return None
    queries = [query for part in content["parts"] for query in part["queries"]]
    for query in queries:
        if query["verdict"] == "refuted":  # then it is the only one
            witness = tuple(Fraction(v) for v in query["witness"])
            return Decision("sat", witness, content, time.monotonic() - start)
    return Decision("unsat", None, content, time.monotonic() - start)
