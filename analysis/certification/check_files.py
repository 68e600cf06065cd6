"""Checking certificate files of all kinds with the standalone checkers; without a network this
takes no PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..checkers import check_balls, check_certificate, check_memorization, check_verified
from ..checkers.check_certificate import PROPERTY
from ..checkers.check_memorization import BALLS, FORMAT
from .certificate_files import Finding, checked, read_certificate

if TYPE_CHECKING:
    from constructions import Property, ReLUNetwork


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
        raise ValueError(
            f"{path} holds the sets that it is about: which of them are the balls around --points "
            "is asked with --network, --norm and --radius"
        )
    if kind == PROPERTY:
        if (network is None) != (asked is None):
            missing = "the property (--vnnlib)" if asked is None else "the network (--network)"
            raise ValueError(f"{path} is about a network and a property: give {missing}, too")
        if network is None or asked is None:
            return _findings(path, _judged, content, judge)
        from .check_property import check_property

        return _findings(path, check_property, content, network, asked, judge)
    if kind not in (check_certificate.FORMAT, FORMAT, BALLS):
        raise ValueError(f"{path} is no certificate: its format is unknown")
    if asked is not None:
        raise ValueError(f"{path} is not about a property: --vnnlib would not be looked at")
    if network is not None:
        from .check_network import check_margins, is_about

        if not is_about(content, network):
            raise ValueError(f"{path} is not about this network: its digest differs")
        if kind == check_certificate.FORMAT:
            return _findings(path, check_margins, content, network, judge)
    elif kind == check_certificate.FORMAT:
        return _findings(path, _judged, content, judge)
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
        return [Finding("", _check_balls(content, network, points))]
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


def _judged(content: dict[str, Any], judge: Callable[..., Any]) -> list[Finding]:
    """What the checker says about each query, of the layers in the certificate."""
    found = [Finding(*pair) for pair in checked(judge, content)]
    if content.get("source") is not None:
        check_certificate.origin(content["source"])
    return found


def _check_balls(content: dict[str, Any], network: ReLUNetwork | None, points: Path) -> str:
    """What a certificate of many points proves; with a network, also that this is the f_S which the
    certificate defines.
    """
    from .queries import read_labelled_points

    x, y = read_labelled_points(points)
    if network is None:
        statement = checked(check_balls.check, content, x, y)
        return f"{statement}; network not checked (give it by --network)"
    from .check_network import check_balls_of

    return check_balls_of(content, network, x, y)
