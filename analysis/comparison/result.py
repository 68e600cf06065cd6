"""What a comparison found: each model's errors, where points lie, and all that is measured on a
task.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from constructions import ReLUNetwork, Result, Size
from constructions.internal import Said, said

from ..behaviour.flatness import FlatnessProfile
from ..proofs.memorization import MemorizationProof
from ..quantities.measured import Measured


class _Named:
    """Fields with a name in JSON, by which earlier versions had them as a mapping."""

    def to_json(self) -> dict[str, Any]:
        """The fields by the names that they have in JSON."""
        raise NotImplementedError

    def _named(self) -> dict[str, Any]:
        return self.to_json()

    def __getitem__(self, name: str) -> Any:
        kind = type(self).__name__
        warnings.warn(
            f"{kind}[{name!r}] is an attribute now: see {kind}", DeprecationWarning, stacklevel=2
        )
        return self._named()[name]


@dataclass(frozen=True)
class SplitErrors:
    """Errors of one model on the training or on the test points.

    clean: counted. robust: of the balls around them; exact where every ball is proved, else a lower
    bound, with robust_upper beside where something tried to prove balls.
    """

    clean: Measured
    robust: Measured
    robust_upper: Measured | None = None


@dataclass(frozen=True)
class ModelErrors(_Named):
    """Errors of one model.

    >>> none = SplitErrors(Measured.share(0, 4), Measured.share(0, 4))
    >>> ModelErrors(none, none).test.robust.count
    0
    """

    train: SplitErrors
    test: SplitErrors

    def named(self) -> dict[str, Measured]:
        """The numbers there are, by their names: "clean train", "robust test upper", ..."""
        return {
            f"{kind} {split}{end}": value
            for split, errors in (("train", self.train), ("test", self.test))
            for kind, end, value in (
                ("clean", "", errors.clean),
                ("robust", "", errors.robust),
                ("robust", " upper", errors.robust_upper),
            )
            if value is not None
        }

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values by these names."""
        return {name: asdict(value) for name, value in self.named().items()}

    def _named(self) -> dict[str, Any]:
        return self.named()


@dataclass(frozen=True, repr=False)
class ModelResult(Result):
    """One model's row: what it is, its size, its errors."""

    description: str
    size: Size
    errors: ModelErrors

    def _says(self) -> tuple[str, dict[str, Said]]:
        return self.description, {name: found.said for name, found in self.errors.named().items()}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        errors = self.errors.to_json()
        return {"description": self.description, "size": asdict(self.size), "errors": errors}


@dataclass(frozen=True)
class SmallMargin(_Named):
    """Training points by what is known of f_clean on their balls: proved robust, refuted by an
    attack; memorized by f_adv are those that are not proved.
    """

    proved: int
    refuted: int
    memorized: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "proved robust": self.proved,
            "refuted": self.refuted,
            "memorized (not proved)": self.memorized,
        }


@dataclass(frozen=True)
class ZoneCounts(_Named):
    """How many test points lie in a training ball, in a shell, and outside of both."""

    inside: int
    shell: int
    outside: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, repr=False)
class TaskResult(Result):
    """Everything measured for one task. `networks` holds the models themselves and is not part of
    the JSON.

    separation_train, separation_all: least distances between labels, of training points and of
    all. outer: from there on f_S's indicators are 0. guarantee: the proof that f_S is right on all
    training balls. changed_test_labels: test points that one of f_clean and f_S gets right. models,
    flatness: by the names of `MODELS`, flatness also by "train" and "test". agreement: of learned
    and f_S, by zone. baselines: likewise, of f_clean and of one label everywhere. learned: what the
    learned network is called.
    """

    task: str
    outputs: int
    dimension: int
    train_count: int
    test_count: int
    attacked_count: int
    source: str
    separation_train: float
    separation_all: float
    outer: float
    guarantee: MemorizationProof
    small_margin: SmallMargin
    test_zones: ZoneCounts
    changed_test_labels: int
    models: dict[str, ModelResult]
    agreement: Mapping[str, Measured]
    flatness: dict[str, dict[str, FlatnessProfile]]
    seconds: float
    networks: dict[str, ReLUNetwork] = field(default_factory=dict, repr=False)
    learned: str = "the learned network"
    baselines: Mapping[str, Mapping[str, Measured]] = field(default_factory=dict)

    def called(self, name: str) -> str:
        """What one of the models is called in tables: "learned", if it is not given."""
        given = name == "learned" and self.learned != TaskResult.learned
        return self.learned if given else name

    def _says(self) -> tuple[str, dict[str, Said]]:
        what = f"{self.task}, {self.train_count:,} training and {self.test_count:,} test points"
        return f"{what}; errors", {
            f"{model} {name}": said(found.value, found.kind)
            for name in ("clean test", "robust test")
            for model, result in self.models.items()
            if (found := result.errors.named().get(name)) is not None
        }

    def to_json(self) -> dict[str, Any]:
        """Every number as plain JSON values."""
        return {
            "task": self.task,
            "outputs": self.outputs,
            "dimension": self.dimension,
            "train_count": self.train_count,
            "test_count": self.test_count,
            "attacked_count": self.attacked_count,
            "source": self.source,
            "separation_train": self.separation_train,
            "separation_all": self.separation_all,
            "outer": self.outer,
            "guarantee": self.guarantee.to_json(),
            "small_margin": self.small_margin.to_json(),
            "test_zones": self.test_zones.to_json(),
            "changed_test_labels": self.changed_test_labels,
            "models": {name: model.to_json() for name, model in self.models.items()},
            "learned": self.learned,
            "agreement": {zone: asdict(value) for zone, value in self.agreement.items()},
            "baselines": {
                name: {zone: asdict(value) for zone, value in table.items()}
                for name, table in self.baselines.items()
            },
            "flatness": {
                model: {split: profile.summary() for split, profile in profiles.items()}
                for model, profiles in self.flatness.items()
            },
            "seconds": self.seconds,
            "networks": {},
        }
