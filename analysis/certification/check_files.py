"""Checking certificate files of all kinds with the standalone checkers."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR
from fractions import Fraction
from pathlib import Path
from typing import Any

from constructions import Ball, Property, ReLUNetwork

from ..checkers import check_balls, check_certificate, check_memorization, check_verified
from ..proofs.certificates import BALLS, FORMAT, network_digest
from ..proofs.memorization import certify_memorization
from ..search.prepared import prepare
from .certificate_files import checked, read_certificate
from .check_property import Finding, check_property, not_compared, other_source, understated
from .deciding import FORMAT as PROPERTY
from .deciding import Decision
from .decision import query_loss
from .queries import read_labelled_points


def check_file(
    path: Path,
    network: ReLUNetwork | None = None,
    points: Path | None = None,
    asked: Property | None = None,
    *,
    proved: bool = False,
) -> list[Finding]:
    """What the checker says about each query of a certificate; a proof of memorization counts as
    one query.

    network: if given, the certificate must be about it: by its digest, which the checker compares
    with the network in the certificate; a certificate of many points holds no network, so what it
    says is proved again from the given one. points: .npz file of x and y, for certificates that
    hold a digest of them only. asked: the property, for certificates of one: with the network, the
    first finding says whether the certificate is about them. proved: ask the program that is
    extracted from Coq, in place of the checkers in Python. Raises ValueError for a file that is no
    certificate, or is about another network, where points are missing, and for certificates that
    the program does not cover; FileNotFoundError where it is not built.
    """
    return check_content(read_content(path), path, network, points, asked, proved)


def check_content(
    content: dict[str, Any],
    path: Path,
    network: ReLUNetwork | None,
    points: Path | None,
    asked: Property | None,
    proved: bool,
) -> list[Finding]:
    """As `check_file`, of its content; `path` is its name in errors."""
    judge: Callable[..., Any] = check_certificate.judge
    if proved:
        check_verified.program()
        judge = check_verified.judge
    kind, balls = content.get("format"), content.get("format") == BALLS
    if points is not None and not balls:
        raise ValueError(f"{path} holds the sets that it is about: --points would not be looked at")
    if kind == PROPERTY:
        if (network is None) != (asked is None):
            missing = "the property (--vnnlib)" if asked is None else "the network (--network)"
            raise ValueError(f"{path} is about a network and a property: give {missing}, too")
        return _findings(path, check_property, content, network, asked, judge)
    if kind not in (check_certificate.FORMAT, FORMAT, BALLS):
        raise ValueError(f"{path} is no certificate: its format is unknown")
    if asked is not None:
        raise ValueError(f"{path} is not about a property: --vnnlib would not be looked at")
    decisions = kind == check_certificate.FORMAT
    if network is not None and content.get("network_digest" if balls else "digest") != (
        prepare(network).digest if decisions else network_digest(network)
    ):
        raise ValueError(f"{path} is not about this network: its digest differs")
    if decisions:
        return _findings(path, _check_margins, content, network, judge)
    if proved:
        if balls:
            raise ValueError(f"{path} is of many points, which the verified checker does not cover")
        try:
            return [Finding("", checked(check_verified.memorized, content))]
        except ValueError as error:
            return [Finding(str(error))]
    if content.get("checker") == "library only":
        reason = (
            "this form or size has no proof for the standalone checker: certify_memorization "
            "proves it from the network"
        )
        return [Finding(reason)]
    if balls and points is None:
        raise ValueError(f"{path} needs the file of the points that it is about (points, --points)")
    try:
        if points is None:
            return [Finding("", checked(check_memorization.check, content))]
        return [Finding("", _check_balls(content, network, *read_labelled_points(points)))]
    except ValueError as error:
        return [Finding(str(error))]


def read_content(path: Path) -> dict[str, Any]:
    """The JSON content of a certificate; ValueError for what is none."""
    try:
        return read_certificate(path)
    except ValueError as error:
        raise ValueError(f"{path} is no certificate: {error}") from error


def _findings(path: Path, look: Callable[..., list[Finding]], *data: Any) -> list[Finding]:
    try:
        return look(*data)
    except ValueError as error:
        raise ValueError(f"{path} is no certificate: {error}") from error


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


def _check_margins(
    content: dict[str, Any], network: ReLUNetwork | None, judge: Callable[..., Any]
) -> list[Finding]:
    """What the checker says about each query; with a network of the same layers, also of what that
    was read from.
    """
    found = [Finding(*pair) for pair in checked(judge, content)]
    if network is None:
        if content.get("source") is not None:
            check_certificate.origin(content["source"])
        return found
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


def _check_balls(content: dict[str, Any], network: ReLUNetwork | None, x: Any, y: Any) -> str:
    """What a certificate of many points proves; with a network, also that this is the f_S which the
    certificate defines.
    """
    statement = checked(check_balls.check, content, x, y)
    if network is None:
        return f"{statement}; network not checked (give it by --network)"
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
