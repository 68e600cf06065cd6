"""Numbers that say what they are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from constructions import Result
from constructions.internal import Said, Unpacked, plain, said

Kind = Literal[
    "exact",
    "certified lower bound",
    "certified upper bound",
    "empirical lower bound",
    "empirical upper bound",
    "estimate",
]


@dataclass(frozen=True, repr=False)
class Measured(Result):
    """A number that says what kind of number it is.

    Attributes:
        value: the number.
        kind: "exact": counted on the stated finite set, nothing sampled. "certified lower bound",
            "certified upper bound": holds for the network in real arithmetic, rounding accounted
            for. "empirical lower bound", "empirical upper bound": found by a search that may have
            missed more (lower) or less (upper). "estimate": from random samples.
        count: of a share, the points that have the property.
        total: the points behind it.
        interval: of 95% confidence, for what the points were drawn from (see `statistics`); None
            where none was asked for.
    """

    value: float
    kind: Kind
    count: int | None = None
    total: int | None = None
    interval: tuple[float, float] | None = None

    @property
    def said(self) -> Said:
        """The number as it is printed, with its kind in words."""
        return said(self.value, self.kind, self.count, self.total, self.interval)

    def _says(self) -> tuple[str, dict[str, Said]]:
        return "a number", {"value": self.said}

    def __repr__(self) -> str:
        return str(self.said)

    def to_dict(self) -> dict[str, Any]:
        """As `to_json`; a value that JSON does not have is "nan", "inf" or "-inf"."""
        return {**self.to_json(), "value": plain(self.value)}

    def to_json(self) -> dict[str, Any]:
        """Write it as plain JSON values; an end of the interval that is not finite is None.

        Returns:
            A dictionary of the attributes.

        Example:
            >>> Measured.from_json(
            ...     Measured(0.5, "estimate", interval=(-math.inf, 1.0)).to_json()
            ... ).interval
            (-inf, 1.0)
        """
        ends = (
            None
            if self.interval is None
            else [v if math.isfinite(v) else None for v in self.interval]
        )
        return {**asdict(self), "interval": ends}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Measured:
        """Read what `to_json` gave.

        Args:
            values: the dictionary.

        Returns:
            The same `Measured`.
        """
        ends = values["interval"]
        if ends is not None:
            ends = (
                -math.inf if ends[0] is None else ends[0],
                math.inf if ends[1] is None else ends[1],
            )
        return cls(**{**values, "interval": ends})

    @classmethod
    def share(cls, count: int, total: int, kind: Kind = "exact") -> Measured:
        """Make the share count / total.

        Args:
            count: points that have the property.
            total: all points.
            kind: of the number.

        Returns:
            A `Measured` without interval.

        Raises:
            ValueError: unless 0 <= count <= total and total >= 1.

        Example:
            >>> Measured.share(3, 12)
            25% (exact, 3 of 12)
        """
        if total < 1 or not 0 <= count <= total:
            raise ValueError(
                f"a share needs 0 <= count <= total and total >= 1, got {count} of {total}"
            )
        return cls(count / total, kind, count, total)


@dataclass(frozen=True, eq=False, repr=False)
class Shares(Result, Mapping[str, Measured]):
    """Shares by name, such as those of groups of points; it is also the mapping of them.

    Attributes:
        what: they are shares of, in words.
        shares: by name.

    Example:
        >>> found = Shares("label agreement", {"inside": Measured.share(3, 4)})
        >>> found["inside"].value
        0.75
        >>> found
        Shares: label agreement
          inside 75% (exact, 3 of 4)
    """

    what: str
    shares: dict[str, Measured]

    def _says(self) -> tuple[str, dict[str, Said]]:
        return self.what, {name: share.said for name, share in self.shares.items()}

    def __getitem__(self, name: str) -> Measured:
        return self.shares[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.shares)

    def __len__(self) -> int:
        return len(self.shares)


@dataclass(frozen=True, eq=False, repr=False)
class ShareBounds(Unpacked):
    """A share from below and from above.

    Attributes:
        lower: a lower bound.
        upper: an upper bound; None where nothing was proved.

    Example:
        >>> ShareBounds(Measured.share(1, 4, "certified lower bound"), None)
        ShareBounds: a share of points
          share >= 25% (certified bound, 1 of 4)
    """

    lower: Measured
    upper: Measured | None

    def _says(self) -> tuple[str, dict[str, Said]]:
        upper = {} if self.upper is None else {"and": self.upper.said}
        return "a share of points", {"share": self.lower.said} | upper
