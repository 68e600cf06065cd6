"""Balls around many points, decided within a time: those first that take little of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import monotonic as now
from typing import Any

import torch

from constructions import Ball, Progress, ReLUNetwork, localize
from constructions.internal import Report, silent

from ..search.at_once import SMALL
from .decision import Certification, ball_set, decide_margin
from .margins import certified_margins
from .queries import Query, keep, refuted_at

FIRST, MORE = 0.5, 4.0
"""The seconds that each ball gets in the first round, and how many times as long in the next."""

EVERY = 60.0
"""Seconds after which what is known is written again."""

TOGETHER = 4
"""Balls that linear bounds are found of at once, in networks of more than `SMALL` weights."""


@dataclass(eq=False)
class Balls:
    """Questions about the balls within [0,1]^D around some rows of many points, in the order in
    which they are tried, and what is found.

    `attacked` has an error for each row where one is known, `kept` what an earlier call found. A
    round gives each open ball the same time, the next more, so that what is left goes where it
    decides most. A ball that ends without an answer before its time is not tried again. Of large
    networks linear bounds prove first what they can (`bounded`), in float64 with its rounding
    accounted for, and errors of the attack are not written: certificates take seconds a ball there.
    """

    network: ReLUNetwork
    points: Any
    labels: Sequence[int]
    ball: Ball
    rows: Sequence[int]
    attacked: dict[int, Any]
    kept: dict[str, Certification]
    found: dict[int, Certification] = field(default_factory=dict)
    queries: dict[int, Query] = field(default_factory=dict)
    hopeless: set[int] = field(default_factory=set)
    bounded: set[int] = field(default_factory=set)

    def query(self, row: int) -> Query:
        """The question about one ball."""
        if row not in self.queries:
            ball = ball_set(self.network, self.points[row], self.ball, (0.0, 1.0))
            self.queries[row] = Query(ball, int(self.labels[row]))
        return self.queries[row]

    @cached_property
    def near(self) -> dict[int, ReLUNetwork]:
        """The network on each ball: for f_S, f_clean, which many share, or a small one."""
        found, asked = dict[int, ReLUNetwork](), torch.tensor(self.rows, dtype=torch.int64)
        for rows, shared in localize(self.network, self.points[asked], self.ball):
            for row in asked[rows].tolist():
                ((_, own),) = localize(self.network, self.points[row : row + 1], self.ball)
                found[row] = shared if shared.size == own.size else own
        return found

    @cached_property
    def large(self) -> bool:
        """Whether certificates would take too long."""
        weights = sum(math.prod(layer.weight.shape) for layer in self.network.layers)
        return weights > SMALL and self.network.screen is None

    def numbers(self, verdict: str) -> list[int]:
        """Which balls have a verdict."""
        found = [i for i, result in self.found.items() if result.verdict == verdict]
        return found + sorted(self.bounded if verdict == "proved" else ())

    @property
    def open(self) -> list[int]:
        """Which balls are not decided."""
        decided = {*self.numbers("proved"), *self.numbers("refuted")}
        return [i for i in self.rows if i not in decided]

    def tell(self, report: Report) -> None:
        """Report the interval in which the share of balls with an error lies."""
        left, total = len(self.open), len(self.points)
        low = len({*self.attacked, *self.numbers("refuted")})
        stage = f"proving: {100 * low / total:.1f}% to {100 * (low + left) / total:.1f}%"
        report(Progress(stage, total - left, total))

    def decide(
        self, max_seconds: float, certificate: Path | None = None, report: Report = silent
    ) -> None:
        """Decide what the time allows, after what was kept; all that is known is written to a
        certificate, errors of the attack, too: now and then, at the end, and when interrupted.
        """
        limit, end, written, over = FIRST, now() + max_seconds, now(), 0.0
        try:
            if self.kept:
                self.recall()
            if self.large:
                self.bound(end, report)
            if self.kept:
                limit = max(FIRST, max_seconds / max(1, len(self.open)))
            self.tell(report)
            while (rows := [i for i in self.open if i not in self.hopeless]) and end > now():
                for i in rows:
                    start = now()
                    if start + over >= end:
                        return
                    query, seconds = self.query(i), min(limit, end - start)
                    whole = certificate or self.network.screen is None
                    network = self.network if whole else self.near[i]
                    self.found[i] = decide_margin(network, query.set, query.label, seconds)
                    over = max(over, now() - start - seconds)  # reading and checking take theirs
                    if now() < start + seconds / 2:
                        self.hopeless.add(i)  # if it is open
                    self.tell(report)
                    if certificate and now() > written + EVERY:
                        self.write(certificate)
                        written = now()
                limit *= MORE
        except KeyboardInterrupt:
            pass
        finally:
            if certificate:
                self.write(certificate)

    def bound(self, end: float, report: Report) -> None:
        """Prove what linear bounds do, as long as there is time."""
        rows = torch.tensor(self.open, dtype=torch.int64)
        for k in range(0, len(rows), TOGETHER):
            if now() >= end:
                break
            some = rows[k : k + TOGETHER]
            labels = torch.tensor([int(self.labels[i]) for i in some])
            try:
                margins = certified_margins(self.network, self.points[some], labels, self.ball)
            except ValueError:  # layers too large to be dense, or weights of such sizes
                return
            self.bounded.update(some[margins > 0].tolist())
            self.tell(report)

    def recall(self) -> None:
        """Find what an earlier call kept."""
        for i in (*self.rows, *self.attacked):
            if known := self.kept.get(self.query(i).key):
                self.found[i] = known

    def write(self, certificate: Path) -> None:
        """Write all that is known."""
        for i, point in self.attacked.items() if not self.large else ():
            if i not in self.found and (seen := refuted_at(self.network, self.query(i), point)):
                self.found[i] = seen
        keep(certificate, self.kept, list(self.found.values()))
