"""Checking certificate files of all kinds with the standalone checkers."""

from __future__ import annotations

import json
from pathlib import Path

from constructions import Property, ReLUNetwork

from . import check_balls, check_certificate, check_memorization
from .branching import prepare
from .check_property import check_property
from .deciding import FORMAT as PROPERTY
from .memorization_proof import BALLS, network_digest
from .queries import read_labelled_points


def check_file(
    path: Path, network: ReLUNetwork | None = None, points: Path | None = None, asked: Property | None = None
) -> list[str]:
    """Why each query of a certificate is rejected, or "" where it is accepted; a proof of memorization counts as one query.

    network: if given, the certificate must be about it (by its digest). points: .npz file of x and y, for certificates that
    hold a digest of them only. asked: the property, for certificates of one: with the network, the first reason says whether
    the certificate is about them. Raises ValueError for a file that is no certificate, and where points are missing.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] == PROPERTY:
            if (network is None) != (asked is None):
                raise ValueError("of a property needs both --network and --vnnlib, or neither")
            return check_property(content, network, asked)
        if asked is not None:
            raise ValueError("of a property, so --vnnlib would not be looked at")
        decisions, balls = (content["format"] == known for known in (check_certificate.FORMAT, BALLS))
        digest, given = content["network_digest" if balls else "digest"], content.get("network")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError) as error:
        raise ValueError(f"{path} is no certificate: {type(error).__name__}: {error}") from error
    if network is not None and digest != (prepare(network).digest if decisions else network_digest(network)):
        raise ValueError(f"{path} is not about this network: its digest differs")
    if not decisions:
        if content.get("checker") == "library only":
            return [
                "this form or size has no proof for the standalone checker: certify_memorization proves it from the network"
            ]
        if points is not None and not balls:
            raise ValueError(f"{path} holds the points that it is about: --points would not be looked at")
        if balls and points is None:
            raise ValueError(f"{path} needs the file of the points that it is about (--points)")
        try:
            if points is not None and balls:
                check_balls.check(content, *read_labelled_points(points))
            else:
                check_memorization.check(content)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
            return [f"{type(error).__name__}: {error}"]
        return [""]
    if digest != check_certificate.digest(given):
        raise ValueError(f"{path}: its network does not have its digest")
    try:
        exact = check_certificate.Network(given)
        return [check_certificate.check(exact, query) for query in content["queries"]]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"{path} is no certificate: {type(error).__name__}: {error}") from error
