"""Balls around many points, decided within a time: those first that take little of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic as now
from typing import Any

from constructions import Ball, Progress, ReLUNetwork
from constructions.internal import Report, silent

from .decision import Certification, ball_set, decide_margin
from .queries import Query, keep, read_kept

FIRST, MORE = 0.5, 4.0
"""The seconds that each ball gets in the first round, and how many times as long in the next."""


@dataclass
class Balls:
    """Questions about balls, and what is found; of a total, so many are refuted already.

    A round gives each open ball the same time, the next more, so that what is left goes where it
    decides most. A ball that ends without an answer before its time is not tried again.
    """

    network: ReLUNetwork
    queries: dict[int, Query]
    refuted: int
    total: int
    found: dict[int, Certification] = field(default_factory=dict)
    hopeless: set[int] = field(default_factory=set)

    @classmethod
    def around(
        cls,
        network: ReLUNetwork,
        points: Any,
        labels: Sequence[int],
        ball: Ball,
        rows: Sequence[int],
        known: tuple[int, int],
    ) -> Balls:
        """Balls within [0,1]^D around some of the points; known: how many of all are refuted."""
        queries = {
            i: Query(ball_set(network, points[i], ball, (0.0, 1.0)), int(labels[i])) for i in rows
        }
        return cls(network, queries, *known)

    def numbers(self, verdict: str) -> list[int]:
        """Which balls have a verdict."""
        return [i for i, result in self.found.items() if result.verdict == verdict]

    @property
    def open(self) -> list[int]:
        """Which balls are not decided."""
        decided = {*self.numbers("proved"), *self.numbers("refuted")}
        return [i for i in self.queries if i not in decided]

    def tell(self, report: Report) -> None:
        """Report the interval in which the share of balls with an error lies."""
        left = len(self.open)
        low = self.refuted + len(self.numbers("refuted"))
        stage = f"proving: {100 * low / self.total:.1f}% to {100 * (low + left) / self.total:.1f}%"
        report(Progress(stage, self.total - left, self.total))

    def decide(
        self, max_seconds: float, certificate: Path | None = None, report: Report = silent
    ) -> None:
        """Decide what the time allows. What a certificate holds is read from there and checked
        again; all that is known is written there at the end, and when interrupted.
        """
        end, limit = now() + max_seconds, FIRST
        kept = read_kept(certificate, self.network) if certificate else {}
        self.found |= {i: kept[q.key] for i, q in self.queries.items() if q.key in kept}
        try:
            self.tell(report)
            while (rows := [i for i in self.open if i not in self.hopeless]) and end > now():
                for i in rows:
                    start = now()
                    if start >= end:
                        break
                    query, seconds = self.queries[i], min(limit, end - start)
                    self.found[i] = decide_margin(self.network, query.set, query.label, seconds)
                    if now() < start + seconds / 2:
                        self.hopeless.add(i)  # if it is open
                    self.tell(report)
                limit *= MORE
        except KeyboardInterrupt:
            pass
        finally:
            if certificate:
                keep(certificate, kept, list(self.found.values()))
