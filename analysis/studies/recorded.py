"""What a run wrote down about itself, read once from its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training import Run

from ..quantities import statistics
from ..quantities.measured import Kind, Measured


@dataclass(frozen=True)
class Rates:
    """How often a network was right on some points; robust_accuracy: under an attack, if there was
    one.
    """

    points: int
    accuracy: float
    robust_accuracy: float | None
    attack: str

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Rates:
        """From a run's metrics. Raises KeyError for what is not there."""
        accuracies = values["accuracy"], values["robust_accuracy"]
        return cls(int(values["points"]), *accuracies, values["attack"])

    @property
    def clean_error(self) -> Measured:
        """The share of points that it was wrong on, counted, with its interval.

        >>> Rates(200, 0.99, None, "clean").clean_error.count
        2
        """
        return self._error(self.accuracy, "exact")

    @property
    def robust_error(self) -> Measured | None:
        """A lower bound of the share of points with an error near, with its interval."""
        if self.robust_accuracy is None:
            return None
        return self._error(self.robust_accuracy, "empirical lower bound")

    def _error(self, rate: float, kind: Kind) -> Measured:
        wrong = self.points - round(rate * self.points)
        return statistics.share(np.arange(self.points) < wrong, kind)


@dataclass(frozen=True)
class Recorded:
    """Metrics after one epoch: of "train" and "test" points, and at the end also of "train_sample",
    the training points that were attacked.
    """

    epoch: int
    rates: dict[str, Rates]

    @classmethod
    def from_json(cls, line: Mapping[str, Any], *parts: str) -> Recorded:
        """From a line of a run's metrics. Raises KeyError for what is not there."""
        return cls(line["epoch"], {part: Rates.from_json(line[part]) for part in parts})


@dataclass(frozen=True)
class Data:
    """A run's data: their name without folders, where they are from, a digest of the points, the
    shape of one, and how many there are.
    """

    name: str
    source: str
    sha256: str
    shape: tuple[int, ...]
    train: int
    test: int


@dataclass(frozen=True)
class RunRecord:
    """A finished run's data and metrics, and the digests of its networks' weights by epoch."""

    data: Data
    epochs: list[Recorded]
    final: Recorded
    weights: list[str]

    @classmethod
    def of(cls, run: Run) -> RunRecord:
        """Read a finished run. Raises ValueError for entries that are missing or no records."""
        if run.final is None:
            raise ValueError(f"the run must be finished, got one that is {run.status}")
        try:
            about = run.about["data"]
            facts = about["source"], about["sha256"], tuple(about["shape"])
            return cls(
                Data(Path(about["name"]).name, *facts, about["train"], about["test"]),
                [Recorded.from_json(line, "train", "test") for line in run.epochs],
                Recorded.from_json(run.final, "train", "train_sample", "test"),
                [line["weights"] for line in run.epochs],
            )
        except KeyError as error:
            raise ValueError(f"damaged: no entry {error}") from error
        except TypeError as error:
            raise ValueError(f"damaged: {error}") from error
