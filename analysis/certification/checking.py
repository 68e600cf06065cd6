"""The standalone checkers, asked from Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from constructions import Property, Result, read_property
from constructions.internal import Said, said

from ..quantities.reading import read_network
from .check_files import check_content, read_content
from .decision import Certification, certificate_of


@dataclass(frozen=True, repr=False)
class Checked(Result):
    """What the standalone checkers say of a certificate, query by query.

    Attributes:
        accepted: whether it holds a query, all queries are accepted, and the certificate is about
            the network and the property that were given.
        statements: what each query proves or refutes, in words; "" if it is rejected.
        reasons: why each is rejected; "" if it is accepted.
        about: why the certificate is not about the network and the property; "" if it is, or none
            were given.
    """

    accepted: bool
    statements: tuple[str, ...]
    reasons: tuple[str, ...]
    about: str = ""

    def __bool__(self) -> bool:
        return self.accepted

    def _says(self) -> tuple[str, dict[str, Said]]:
        rejected = [f"query {i}: {why}" for i, why in enumerate(self.reasons) if why]
        wrong = [*([self.about] if self.about else []), *rejected]
        found = [*self.statements] if self.accepted else wrong
        total, count = len(self.reasons), sum(not why for why in self.reasons)
        share = {"queries accepted": said(count / total, "exact", count, total)} if total else {}
        what = "; ".join(found or ["it holds no query"])
        return f"{'accepted' if self.accepted else 'rejected'}: {what}", share


def check_certificate(
    certificate: Any,
    network: Any = None,
    *,
    property: Property | str | PathLike[str] | None = None,
    points: str | PathLike[str] | None = None,
    verified: bool = False,
) -> Checked:
    """Check a certificate with the standalone checkers, independently of how it was found.

    As `cgro check-certificate`. Without a network it is checked for the layers that it holds; with
    one, also that it is about this network.

    Args:
        certificate: a file, its JSON content, or what `certify`, `decide` or
            `certify_memorization` gave (of `certify` also several, in a list).
        network: what `read_network` reads, or None.
        property: a `Property`, or a file of one, for certificates of properties; with the network.
        points: .npz file of x and y, for certificates of many points, which hold a digest of them.
        verified: ask the program that is extracted from Coq instead (`make checker` builds it).

    Returns:
        A `Checked`, which is true if everything was accepted.

    Raises:
        ValueError: for what is no certificate or none of this network, and where points, or one of
            network and property, are missing.
        OSError: for a file that cannot be read, and a program that is not built.

    Cost: that of the proof's exact arithmetic; nothing is searched.

    Example:
        >>> from analysis import certify
        >>> from constructions import Ball, affine
        >>> network = affine([[1.0, -1.0]])
        >>> found = check_certificate(
        ...     certify(network, [0.75, 0.25], Ball("inf", 0.125), 1), network
        ... )
        >>> found.accepted, found.statements[0][:30]
        (True, 'proved: margin >= 0.25 > 0 for')
    """
    content, name = _content(certificate)
    known = None if network is None else read_network(network)
    if isinstance(property, (str, PathLike)):
        property = read_property(property)
    asked = property
    where = None if points is None else Path(points)
    found = check_content(content, name, known, where, asked, verified)
    queries = found if asked is None else found[1:]
    about = found[0].reason if asked is not None and found else ""
    reasons = tuple(finding.reason for finding in queries)
    accepted = bool(reasons) and not any(reasons) and not about
    return Checked(accepted, tuple(finding.statement for finding in queries), reasons, about)


def _content(certificate: Any) -> tuple[dict[str, Any], Path]:
    """The JSON content, and what it is called in errors."""
    if isinstance(certificate, (str, PathLike)):
        return read_content(Path(certificate)), Path(certificate)
    if isinstance(certificate, Certification):
        certificate = [certificate]
    if isinstance(certificate, (list, tuple)):
        return certificate_of(list(certificate)), Path("certificate")
    content = getattr(certificate, "certificate", certificate)
    if not isinstance(content, Mapping):
        raise ValueError(
            f"certificate must be a file, its content, or a result that has one, got {certificate}"
        )
    return dict(content), Path("certificate")
