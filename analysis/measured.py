"""Numbers that say what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "exact", "certified lower bound", "certified upper bound", "empirical lower bound", "empirical upper bound", "estimate"
]


@dataclass(frozen=True)
class Measured:
    """A number with its kind.

    exact: counted on the stated finite set, nothing sampled. certified bound: holds for the network in real arithmetic,
    rounding accounted for. empirical bound: found by a search that may have missed more (lower) or less (upper).
    estimate: from random samples. count, total: the points behind a share. interval: of 95% confidence, for what the points
    were drawn from (see `statistics`); None where none was asked for.
    """

    value: float
    kind: Kind
    count: int | None = None
    total: int | None = None
    interval: tuple[float, float] | None = None

    @classmethod
    def share(cls, count: int, total: int, kind: Kind = "exact") -> Measured:
        """The share count / total.

        >>> Measured.share(3, 12)
        Measured(value=0.25, kind='exact', count=3, total=12, interval=None)
        """
        if total < 1 or not 0 <= count <= total:
            raise ValueError(f"a share needs 0 <= count <= total and total >= 1, got {count} of {total}")
        return cls(count / total, kind, count, total)
