"""What a study of saved runs found: runs with their profiles, f_S beside them, and what could not
be used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from constructions import Result, Said, said
from training import Run, TrainingConfig

from ..quantities.measured import Measured
from .settings import StudySettings

RADII = (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0)
"""Radii of the profiles, in training radii."""

OUTSIDE = 2.0
"""Training radii at which a profile counts as outside."""

Json = dict[str, Any]


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


@dataclass(frozen=True, repr=False)
class RunStudy(Result):
    """One run with its profiles by epoch and part ("train", "test"), and the gap between robust
    test and training error.
    """

    run: Run
    name: str
    parameters: int
    profiles: dict[int, dict[str, Profile]] = field(default_factory=dict)
    gaps: dict[int, Measured] = field(default_factory=dict)
    distances: dict[str, Json] = field(default_factory=dict)

    def _says(self) -> tuple[str, dict[str, Said]]:
        radius = f"radius {self.config.radius:g}"
        what = f"{self.name}: {self.config.model} on {self.data}, {radius}, {self.run.status}"
        gaps = {f"robust gap at epoch {epoch}": gap.said for epoch, gap in self.gaps.items()}
        return what, {"parameters": said(self.parameters, "exact"), **dict(list(gaps.items())[-1:])}

    @property
    def config(self) -> TrainingConfig:
        """What the run was told to do."""
        return self.run.config

    @property
    def data(self) -> str:
        """The data's name, without the folder that a file of images lies in."""
        return Path(self.run.about["data"]["name"]).name

    @property
    def robust(self) -> bool:
        """Whether it was trained adversarially."""
        return self.config.radius > 0 and (
            self.config.objective == "trades" or self.config.robust_weight > 0
        )


@dataclass(frozen=True, repr=False)
class Constructed(Result):
    """f_S, built from the clean run's network on the training points of a robust run, and that run
    beside both.
    """

    learned: str
    clean: str
    facts: Json
    profiles: dict[str, dict[str, Profile]]
    distances: dict[str, dict[str, Json]]
    agreement: dict[str, dict[str, Measured]]
    radial: Json
    shares: dict[str, Json]

    def _says(self) -> tuple[str, dict[str, Said]]:
        found = (number for group in self.agreement.values() for number in group.items())
        what = f"f_S built from {self.clean}, beside {self.learned}; agreement"
        return what, {name: number.said for name, number in found}


@dataclass(frozen=True, repr=False)
class Study(Result):
    """What was found. problems: folders that could not be used, and why. without: runs that f_S is
    not beside, and why.
    """

    settings: StudySettings
    runs: list[RunStudy] = field(default_factory=list)
    constructed: list[Constructed] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    without: dict[str, str] = field(default_factory=dict)

    def _says(self) -> tuple[str, dict[str, Said]]:
        counts = {"runs": len(self.runs), "with f_S beside": len(self.constructed)}
        counts["not usable"] = len(self.problems)
        last = {run.name: list(run.gaps.values())[-1] for run in self.runs if run.gaps}
        what = f"{self.settings.points} points of each run; robust gap at its last epoch"
        return what, {name: said(found, "exact") for name, found in counts.items()} | {
            name: gap.said for name, gap in last.items()
        }

    def run(self, name: str) -> RunStudy:
        """The run of a name. Raises KeyError if there is none."""
        for run in self.runs:
            if run.name == name:
                return run
        raise KeyError(name)
