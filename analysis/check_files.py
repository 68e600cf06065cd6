"""Checking certificate files of either kind with the standalone checkers."""

from __future__ import annotations

import json
from pathlib import Path

from constructions import ReLUNetwork

from . import check_certificate, check_memorization
from .branching import prepare
from .memorization_proof import network_digest


def check_file(path: Path, network: ReLUNetwork | None = None) -> list[str]:
    """Why each query of a certificate is rejected, or "" where it is accepted; a proof of memorization counts as one query.

    network: if given, the certificate must be about it (by its digest). Raises ValueError for a file that is no certificate.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        decisions = content["format"] == check_certificate.FORMAT
        digest, given = content["digest"], content.get("network")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no certificate: {type(error).__name__}: {error}") from error
    if network is not None and digest != (prepare(network).digest if decisions else network_digest(network)):
        raise ValueError(f"{path} is not about this network: its digest differs")
    if not decisions:
        if content.get("checker") == "library only":
            return [
                "this form or size has no proof for the standalone checker: certify_memorization proves it from the network"
            ]
        try:
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
