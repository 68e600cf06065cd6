"""What is measured of networks, and how it is kept as JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from constructions import Result
from constructions.internal import Said, said

from ..behaviour.boundary_distances import BoundaryDistances, small_margin
from ..behaviour.flatness import FlatnessProfile
from ..behaviour.memorization_share import MemorizationShare
from ..quantities import statistics
from ..quantities.measured import Measured, ShareBounds

Json = dict[str, Any]

PARTS = {"train": "training", "test": "test"}
"""The parts of the data, in words."""

CURVES = ("gradient", "change", "wrong")
"""The curves of a profile."""

OUTSIDE = 2.0
"""Training radii at which a profile counts as outside."""


def read_optional(found: Json | None) -> Measured | None:
    """A number that may not be there."""
    return None if found is None else Measured.from_json(found)


def kept_optional(found: Measured | None) -> Json | None:
    """The same, as it is kept."""
    return None if found is None else found.to_json()


@dataclass(frozen=True, repr=False)
class Profile(Result):
    """Means over points at each radius: see `FlatnessProfile`. clean_error: at the points
    themselves.

    contrast: mean gradient at twice the training radius over that at the training radius (None:
    that is 0).
    """

    radii: list[float]
    gradient: list[Measured]
    change: list[Measured]
    wrong: list[Measured]
    clean_error: Measured
    contrast: Measured | None

    def _says(self) -> tuple[str, dict[str, Said]]:
        numbers = {"clean error": self.clean_error, "gradient": self.gradient[-1]}
        numbers["wrong"] = self.wrong[-1]
        contrast = Said("none", "") if self.contrast is None else self.contrast.said
        what = f"means in balls of {len(self.radii)} radii, the largest {self.radii[-1]:g}"
        return what, {
            **{name: said(number.value, number.kind) for name, number in numbers.items()},
            "contrast": contrast,
        }

    @classmethod
    def of(cls, found: FlatnessProfile, inside: int) -> Profile:
        """The means beyond radius 0; inside: the number of the training radius."""
        outside = found.radii.index(found.radii[inside] * OUTSIDE)
        gradient, change, wrong = (found.mean(name) for name in CURVES)
        flat = gradient[inside].value == 0
        return cls(
            found.radii[1:],
            gradient[1:],
            change[1:],
            wrong[1:],
            clean_error=statistics.share(found.wrong[:, 0]),
            contrast=None if flat else found.contrast(found.radii[inside], found.radii[outside]),
        )

    def to_json(self) -> Json:
        """Plain JSON values."""
        curves = {"gradient": self.gradient, "change": self.change, "wrong": self.wrong}
        return {
            "radii": self.radii,
            **{name: [m.to_json() for m in curve] for name, curve in curves.items()},
            "clean_error": self.clean_error.to_json(),
            "contrast": kept_optional(self.contrast),
        }

    @classmethod
    def from_json(cls, found: Json) -> Profile:
        """What `to_json` gave."""
        gradient, change, wrong = ([Measured.from_json(m) for m in found[name]] for name in CURVES)
        return cls(
            found["radii"],
            gradient,
            change,
            wrong,
            clean_error=Measured.from_json(found["clean_error"]),
            contrast=read_optional(found["contrast"]),
        )


@dataclass(frozen=True)
class Profiles:
    """Profiles around training and test points, and by how much robust test error exceeds robust
    training error, both as their searches found.
    """

    parts: dict[str, Profile]
    gap: Measured

    def to_json(self) -> Json:
        """Plain JSON values."""
        parts = {part: profile.to_json() for part, profile in self.parts.items()}
        return {**parts, "gap": self.gap.to_json()}

    @classmethod
    def from_json(cls, found: Json) -> Profiles:
        """What `to_json` gave."""
        parts = {part: Profile.from_json(found[part]) for part in PARTS}
        return cls(parts, Measured.from_json(found["gap"]))


@dataclass(frozen=True)
class PartDistances:
    """Distances of points to the nearest error: from above (None: no error was found), and from
    below where that is feasible.

    kind: of the upper ones. small: mu, the share of points nearer than the training radius, at
    least and, where it is bounded, at most. wrong: the share with an error within the radius.
    """

    upper: list[float | None]
    kind: str
    lower: list[float] | None
    small: ShareBounds
    wrong: Measured

    @classmethod
    def of(cls, found: BoundaryDistances, radius: float) -> PartDistances:
        """As lists, with the shares at a radius."""
        small = small_margin(found, radius)
        return cls(
            [value if math.isfinite(value) else None for value in found.upper.tolist()],
            found.upper_kind,
            None if found.lower is None else found.lower.tolist(),
            small,
            statistics.share(found.upper <= radius, small.lower.kind),
        )

    def to_json(self) -> Json:
        """Plain JSON values."""
        small = [kept_optional(end) for end in self.small]
        return {**asdict(self), "small": small, "wrong": self.wrong.to_json()}

    @classmethod
    def from_json(cls, found: Json) -> PartDistances:
        """What `to_json` gave."""
        least, most = found["small"]
        return cls(
            found["upper"],
            found["kind"],
            found["lower"],
            ShareBounds(Measured.from_json(least), read_optional(most)),
            Measured.from_json(found["wrong"]),
        )


@dataclass(frozen=True)
class Distances:
    """Distances of training and test points, and the gap of the shares with an error within the
    radius.
    """

    parts: dict[str, PartDistances]
    gap: Measured

    def to_json(self) -> Json:
        """Plain JSON values."""
        parts = {part: found.to_json() for part, found in self.parts.items()}
        return {**parts, "gap": self.gap.to_json()}

    @classmethod
    def from_json(cls, found: Json) -> Distances:
        """What `to_json` gave."""
        parts = {part: PartDistances.from_json(found[part]) for part in PARTS}
        return cls(parts, Measured.from_json(found["gap"]))


@dataclass(frozen=True)
class Facts:
    """f_S: how many points it memorizes, the verdict on all their balls, their separation, from
    where on it is f_clean, and the parameters of both.
    """

    memorized: int
    proof: str
    separation: float
    outer: float
    parameters: dict[str, int]


@dataclass(frozen=True)
class Radial:
    """Mean margins along random rays: by part and model, at each radius."""

    radii: list[float]
    curves: dict[str, dict[str, list[Measured]]]

    def to_json(self) -> Json:
        """Plain JSON values."""
        curves = {
            part: {model: [m.to_json() for m in values] for model, values in models.items()}
            for part, models in self.curves.items()
        }
        return {"radii": self.radii, "kind": "random directions", **curves}

    @classmethod
    def from_json(cls, found: Json) -> Radial:
        """What `to_json` gave."""
        return cls(
            found["radii"],
            {
                part: {
                    name: [Measured.from_json(m) for m in ms] for name, ms in found[part].items()
                }
                for part in PARTS
            },
        )


@dataclass(frozen=True)
class Share:
    """The fit of a learned network by f_clean and f_S: see `MemorizationShare`; None: not
    identified. identified: so many of the points; median: of their shares.
    """

    share: Measured | None
    a: Measured | None
    b: Measured | None
    explained: Measured
    by_memorization: Measured
    identified: int
    points: int
    median: Measured | None

    @classmethod
    def of(cls, found: MemorizationShare, points: int) -> Share:
        """From the fit on so many points."""
        return cls(
            found.share,
            found.a,
            found.b,
            found.explained,
            found.by_memorization,
            found.count,
            points,
            statistics.median(found.shares) if found.count else None,
        )

    def to_json(self) -> Json:
        """Plain JSON values."""
        return {
            name: value.to_json() if isinstance(value, Measured) else value
            for name, value in vars(self).items()
        }

    @classmethod
    def from_json(cls, found: Json) -> Share:
        """What `to_json` gave."""
        return cls(
            read_optional(found["share"]),
            read_optional(found["a"]),
            read_optional(found["b"]),
            Measured.from_json(found["explained"]),
            Measured.from_json(found["by_memorization"]),
            found["identified"],
            found["points"],
            read_optional(found["median"]),
        )
