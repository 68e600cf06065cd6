"""What a study of saved runs found: runs with their profiles, f_S beside them, and what could not
be used.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from constructions import Result
from constructions.internal import Said, said
from training import Run, TrainingConfig

from ..behaviour.planes import PlaneRegions
from ..quantities.measured import Measured, ShareBounds
from .answers import Distances, Facts, Json, Profile, Radial, Share
from .recorded import RunRecord
from .settings import StudySettings

RADII = (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0)
"""Radii of the profiles, in training radii."""


@dataclass(frozen=True, repr=False)
class RunStudy(Result):
    """One run with its profiles by epoch and part ("train", "test"), the gap between robust test
    and training error, class regions on planes by epoch, and by part the robust error of the points
    measured, from both sides.
    """

    run: Run
    recorded: RunRecord
    name: str
    parameters: int
    profiles: dict[int, dict[str, Profile]] = field(default_factory=dict)
    gaps: dict[int, Measured] = field(default_factory=dict)
    planes: dict[int, PlaneRegions] = field(default_factory=dict)
    distances: Distances | None = None
    robust_errors: dict[str, ShareBounds] = field(default_factory=dict)

    def _says(self) -> tuple[str, dict[str, Said]]:
        radius = f"radius {self.config.radius:g}"
        what = f"{self.name}: {self.config.model} on {self.data}, {radius}, {self.run.status}"
        gaps = {f"robust gap at epoch {epoch}": gap.said for epoch, gap in self.gaps.items()}
        ends = {
            f"robust error, {part} points {side}": end.said
            for part, found in self.robust_errors.items()
            for side, end in (("at least", found.lower), ("at most", found.upper))
            if end is not None
        }
        last = dict(list(gaps.items())[-1:])
        return what, {"parameters": said(self.parameters, "exact"), **last, **ends}

    @property
    def config(self) -> TrainingConfig:
        """What the run was told to do."""
        return self.run.config

    @property
    def data(self) -> str:
        """The data's name, without the folder that a file of images lies in."""
        return self.recorded.data.name

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
    facts: Facts
    profiles: dict[str, dict[str, Profile]]
    distances: dict[str, Distances]
    agreement: dict[str, dict[str, Measured]]
    radial: Radial
    shares: dict[str, Share]

    def _says(self) -> tuple[str, dict[str, Said]]:
        found = (number for group in self.agreement.values() for number in group.items())
        what = f"f_S built from {self.clean}, beside {self.learned}; agreement"
        return what, {name: number.said for name, number in found}

    def to_json(self) -> Json:
        """Plain JSON values."""
        profiles = {
            name: {part: profile.to_json() for part, profile in parts.items()}
            for name, parts in self.profiles.items()
        }
        agreement = {
            name: {row: m.to_json() for row, m in table.items()}
            for name, table in self.agreement.items()
        }
        return {
            "learned": self.learned,
            "clean": self.clean,
            "facts": asdict(self.facts),
            "profiles": profiles,
            "distances": {name: found.to_json() for name, found in self.distances.items()},
            "agreement": agreement,
            "radial": self.radial.to_json(),
            "shares": {part: share.to_json() for part, share in self.shares.items()},
        }


@dataclass(frozen=True, repr=False)
class Study(Result):
    """What was found of runs.

    Attributes:
        settings: how much was measured.
        runs: a `RunStudy` for each run.
        constructed: f_S beside runs.
        problems: folders that could not be used, and why.
        without: runs that f_S is not beside, and why.
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
        """Look up the run of a name.

        Args:
            name: of the run.

        Returns:
            Its `RunStudy`.

        Raises:
            KeyError: if there is none.
        """
        for run in self.runs:
            if run.name == name:
                return run
        raise KeyError(name)
