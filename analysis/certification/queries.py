"""Many queries about one network: reading them, deciding them, and keeping what was found."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from constructions import Ball, ReLUNetwork
from constructions.internal import (
    LabelArray,
    PointArray,
    Report,
    check_finite,
    from_shared,
    norm_name,
    silent,
    stepping,
    write_file,
)
from training.internal import check_labels

from ..checkers import check_certificate as checker
from ..quantities.arrays import select
from ..search.prepared import prepare
from ..search.question import Question
from ..search.sets import ExactSet
from .certificate_files import read_certificate
from .decision import Certification, ball_set, certificate_of, decide_margin, query_loss


@dataclass(frozen=True)
class Query:
    """The question whether a label's margin is positive on a set."""

    set: ExactSet
    label: int

    @property
    def key(self) -> str:
        """What tells it from other queries about the same network."""
        return _key({"label": self.label, **self.set.to_json()})


def read_queries(path: Path, network: ReLUNetwork) -> list[Query]:
    """Queries of an .npz file: lo, hi (or lower, upper), shape (N, D), and y (or label, labels),
    shape (N,).

    Numbers are taken exactly. Raises FileNotFoundError, or ValueError that names the array and the
    rule.
    """
    lower, upper, labels = select(path, "lower", "upper", "label")
    if len(labels) == 0:
        raise ValueError(f"{path} holds no query")
    shape = (len(labels), network.inputs)
    for name, array in (("lo (lower)", lower), ("hi (upper)", upper)):
        if array.shape != shape:
            raise ValueError(f"{path}: {name} must have shape {shape}, got {array.shape}")
        check_finite(from_shared(array), f"{path}: {name}")
    if (lower > upper).any():
        raise ValueError(
            f"{path}: lower must be <= upper, which fails in query "
            f"{np.flatnonzero((lower > upper).any(1))[0]}"
        )
    check_labels(labels, len(labels), network.outputs, f"{path}: labels")
    rows = zip(lower.tolist(), upper.tolist(), labels.tolist(), strict=True)
    return [Query(ExactSet([*map(Fraction, a)], [*map(Fraction, b)]), int(y)) for a, b, y in rows]


def read_labelled_points(path: Path) -> tuple[PointArray, LabelArray]:
    """Points x (or points), shape (N, D), and y (or label, labels), shape (N,), of an .npz file, as
    float64 and int64.

    uint8 is read as k/255.
    """
    points, labels = select(path, "point", "label")
    if points.ndim != 2 or len(points) != len(labels) or not len(points):
        rows = len(labels) or "N >= 1"
        raise ValueError(f"{path}: points must have shape ({rows}, D), got {points.shape}")
    return points, labels


def balls_around(network: ReLUNetwork, points: Any, labels: Any, ball: Ball) -> list[Query]:
    """The queries whether labels hold on balls around points, within [0,1]^D."""
    balls = [ball_set(network, point, ball, (0.0, 1.0)) for point in points]
    return [Query(each, int(label)) for each, label in zip(balls, labels, strict=True)]


def certify_all(
    network: ReLUNetwork,
    queries: list[Query],
    max_seconds: float,
    out: Path | None = None,
    report: Report = silent,
) -> list[Certification]:
    """Decide all queries; those that the certificate `out` proves or refutes already are read from
    there, and checked again.

    `out` is written at the end, and when interrupted: then the results so far are returned.
    """
    kept = read_kept(out, network) if out else {}
    results: list[Certification] = []
    step = stepping(report, "certifying", len(queries))
    try:
        for query in queries:
            results.append(
                kept.get(query.key) or decide_margin(network, query.set, query.label, max_seconds)
            )
            step()
    except KeyboardInterrupt:
        pass
    if out:
        keep(out, kept, results)
    return results


def keep(out: Path, kept: dict[str, Certification], results: Sequence[Certification]) -> None:
    """Write the certificate of all that was kept and of what is new."""
    held = kept | {_key(r.query): r for r in results if r.query is not None}
    if held:
        write_file(out, json.dumps(certificate_of(list(held.values())), allow_nan=False))


def refuted_at(network: ReLUNetwork, query: Query, point: Any) -> Certification | None:
    """A query that a point near the set refutes, exactly; None if it does not.

    >>> from constructions import affine
    >>> query = Query(ExactSet([Fraction(0)], [Fraction(1)]), 1)
    >>> refuted_at(affine([[1.0]], [-0.5]), query, [0.25]).margin
    Fraction(-1, 4)
    """
    known = prepare(network)
    witness = tuple(query.set.nearest([float(v) for v in point]))
    found = Question(known, query.set, query.label).refuted(witness)
    return None if checker.check(known.exact, found) else _result(network, known.exact, found)


def read_kept(
    path: Path, network: ReLUNetwork, report: Report = silent
) -> dict[str, Certification]:
    """What a certificate proves about this network, by set and label; nothing if there is none.

    Raises ValueError for what is no certificate of this network, and no file that can be written.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"a certificate must be a file in a folder that exists, got {path}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ValueError(f"a certificate must be in a folder that can be written to, got {path}")
    known = prepare(network)
    try:
        content = read_certificate(path)
        checker.entries(content, "format network digest queries", "source")
        checker.require(type(content["queries"]) is list, "queries are no list")
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(
            f"{path} exists and is no certificate that could be continued: {error}"
        ) from error
    if content["digest"] != known.digest:
        raise ValueError(f"{path} exists and is about another network: choose another file")
    step, kept = stepping(report, "checking what is proved", len(content["queries"])), {}
    for query in content["queries"]:
        if not checker.check(known.exact, query):
            kept[_key(query)] = _result(network, known.exact, query)
        step()
    return {key: result for key, result in kept.items() if result is not None}


def places_of(content: dict[str, Any], queries: Sequence[Query]) -> list[int | None]:
    """The number that each query has in a certificate; None where it is not there, set by set and
    label by label as it is written.
    """
    held = {_key(query): i for i, query in enumerate(content["queries"])}
    return [held.get(query.key) for query in queries]


def memorized_places(
    content: dict[str, Any], points: PointArray, labels: LabelArray, ball: Ball
) -> list[int | None]:
    """The number that each point has in a proof of memorization whose balls hold these; None where
    it is not there with this label.

    Raises ValueError for balls of another norm, or larger ones.
    """
    proved = float.fromhex(content["radius"])
    if content["norm"] != norm_name(ball.p) or not ball.radius <= proved:
        raise ValueError(
            f"the certificate is about balls of norm {content['norm']} and radius {proved!r}, not "
            f"of norm {norm_name(ball.p)} and radius {ball.radius!r}"
        )
    rows = zip(content["points"], content["labels"], strict=True)
    held = {(*map(float.fromhex, row), label): i for i, (row, label) in enumerate(rows)}
    asked = zip(points.tolist(), labels.tolist(), strict=True)
    return [held.get((*row, label)) for row, label in asked]


def _result(
    network: ReLUNetwork, exact: checker.Network, query: dict[str, Any]
) -> Certification | None:
    """What an accepted query says of what the network was read from, by how much it may differ
    there; None if nothing.
    """
    loss = query_loss(network, query)
    query = {name: value for name, value in query.items() if name != "difference"}
    query |= {"difference": str(loss)} if loss else {}
    if query["verdict"] == "proved":
        bound = Fraction(query["bound"]) - loss
        return Certification("proved", bound, query=query, network=network) if bound > 0 else None
    witness = tuple(Fraction(v) for v in query["witness"])
    margin = exact.evaluate([list(witness)], query["label"])[0][0] + loss
    if margin > 0:
        return None
    return Certification("refuted", None, witness, margin, query=query, network=network)


def _key(query: dict[str, Any]) -> str:
    return json.dumps([query.get(name) for name in ("label", "scale", "lower", "upper", "ball")])
