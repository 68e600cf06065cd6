"""Certificates of memorization: what the standalone checkers read."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from constructions import Affine, RangeSearch, ReLUNetwork
from constructions.internal import check_interval, check_labels, replacing, structure_digest

from ..quantities.reading import read_batch
from .hints import Subject
from .matching import rows_of
from .refutation import Refutation

EMBEDDED = 500_000
"""Most nonzero weights that a certificate carries; beyond, it has digests of the network and of the
points.
"""

FORMAT, BALLS = "cgro memorization certificate 1", "cgro balls certificate 1"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was found of a subject.

    Attributes:
        verdict: of the proof.
        bound: the certified margin, of a proof.
        clean: f_clean, of a proof.
        found: of a refutation.
        reason: why it is no proof.
    """

    verdict: Literal["proved", "refuted", "unresolved"]
    bound: Fraction | None = None
    clean: ReLUNetwork | None = None
    found: Refutation | None = None
    reason: str = ""


def certificate_of(subject: Subject, outcome: Outcome) -> dict[str, Any]:
    """Write the certificate for the smallest checker that can judge it.

    `check_memorization.py` judges from all weights, `check_balls.py` from f_clean, thresholds and
    digests; for the rest there are digests only.

    Args:
        subject: network, points, labels and balls.
        outcome: what was found of them.

    Returns:
        The certificate as plain JSON values.
    """
    network, x, y, ball, hints = (
        subject.network,
        subject.x,
        subject.y,
        subject.ball,
        subject.hints,
    )
    clean = outcome.clean
    small = network.size.weights <= EMBEDDED
    if (
        not small
        and clean is not None
        and clean.size.dense_parameters <= EMBEDDED
        and hints.variant != "paper"
    ):
        return _balls_certificate(subject, outcome, clean)
    checkable = small and (
        outcome.verdict == "refuted" or (outcome.verdict == "proved" and hints.variant != "paper")
    )
    certificate: dict[str, Any] = {
        "format": FORMAT,
        "kind": "memorization",
        "checker": "check_memorization.py" if checkable else "library only",
        "verdict": outcome.verdict,
        "margin": None if outcome.bound is None else str(outcome.bound),
        "norm": "inf" if ball.p == math.inf else "2",
        "radius": ball.radius.hex(),
        "variant": hints.variant,
        "m": hints.m,
        "inner": hints.inner.hex(),
        "outer": hints.outer.hex(),
        "bound": hints.bound.hex(),
        "labels": y.tolist(),
        "reason": outcome.reason,
    }
    if outcome.found:
        certificate["witness"] = {
            "index": outcome.found.index,
            "point": [str(v) for v in outcome.found.point],
        }
    certificate["digest"] = network_digest(network)
    if small:
        certificate["points"] = [[v.hex() for v in row] for row in x.tolist()]
        certificate["network"] = _as_text(network)
    else:
        certificate["points_digest"] = hashlib.sha256(
            np.ascontiguousarray(x.numpy()).data
        ).hexdigest()
    return certificate


def _balls_certificate(subject: Subject, outcome: Outcome, clean: ReLUNetwork) -> dict[str, Any]:
    """What `check_balls.py` reads: see its head. Hints are those of a search for points too near
    each other.
    """
    x, y, ball, hints = subject.x, subject.y, subject.ball, subject.hints
    outer = hints.outer if ball.p == math.inf else math.sqrt(hints.outer)
    search = RangeSearch(x, ball.p, (outer + ball.radius) * (1 + 1e-8) + 1e-8)
    layers = [
        [layer.weight.to_dense().tolist(), layer.bias.to_dense()[:, 0].tolist()]
        for layer in clean.layers
    ]
    claim: dict[str, Any] = {
        "norm": "inf" if ball.p == math.inf else "2",
        "radius": ball.radius,
        "variant": hints.variant,
    }
    claim |= {"m": hints.m, "inner": hints.inner, "outer": hints.outer, "bound": hints.bound}
    text = x.numpy().tobytes() + y.numpy().tobytes() + json.dumps(list(claim.values())).encode()
    return {
        "format": BALLS,
        "checker": "check_balls.py",
        "verdict": outcome.verdict,
        "margin": str(outcome.bound),
        "points": len(x),
        **claim,
        "clean": layers,
        "digest": hashlib.sha256(text).hexdigest(),
        "network_digest": network_digest(subject.network),
        "cuts": search.cuts,
        "projection": search.projection,
    }


def save_points(path: str | PathLike[str], points: Any, labels: Any) -> None:
    """Write points and labels to a file that the checkers read.

    x, (N, D), and y, (N,), of an .npz file, compressed: what `check_balls.py` and `cgro certify
    --memorized` read. Numbers are kept as they are (uint8, read as k/255, or floats). An existing
    file is replaced once the new one is complete.

    Args:
        path: of the file, ends in .npz.
        points: (N, D) in [0,1], or uint8.
        labels: (N,), integers.

    Raises:
        ValueError: for another suffix, shapes that do not fit, numbers outside [0,1], NaN and
            labels that are no integers.

    Example:
        >>> save_points("points.npz", [[0.25, 0.5]], [1])
        >>> [array.tolist() for array in np.load("points.npz").values()]
        [[[0.25, 0.5]], [1]]
    """
    if Path(path).suffix != ".npz":
        raise ValueError(f"path must end in .npz, got {path}")
    x = read_batch(points).cpu()
    if x.dtype != torch.uint8:
        check_interval(x, "points")
    y = check_labels(labels, len(x)).cpu()
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, x=x.flatten(1).numpy(), y=y.numpy())


def network_digest(network: ReLUNetwork) -> str:
    """SHA-256 of a network as a certificate holds it; where it is too large to be held, of its
    structured form.

    >>> from constructions import absolute
    >>> network_digest(absolute()) == network_digest(absolute())
    True
    """
    if network.size.weights <= EMBEDDED:
        return hashlib.sha256(
            json.dumps(_as_text(network), sort_keys=True, separators=(",", ":")).encode()
        ).hexdigest()
    return structure_digest(network)


def _as_text(network: ReLUNetwork) -> dict[str, Any]:
    return {"inputs": network.inputs, "layers": [_rows_as_text(layer) for layer in network.layers]}


def _rows_as_text(layer: Affine) -> dict[str, Any]:
    rows = rows_of(layer.weight)
    rows.sort_indices()
    texts = [v.hex() for v in rows.data.tolist()]
    indices, edges = rows.indices.tolist(), rows.indptr.tolist()
    bias = [v.hex() for v in layer.bias.to_dense()[:, 0].tolist()]
    return {"rows": [[indices[a:b], texts[a:b]] for a, b in pairwise(edges)], "bias": bias}
