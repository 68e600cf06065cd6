"""The stages of one task's comparison: what each does, and how far that advances the progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .settings import CompareSettings
from .task import BUILT, MODELS, SPLITS, TaskComparison, Tick

Announce = Callable[[str], Tick]
"""Announces a stage by its name, and returns what advances it."""


@dataclass(frozen=True)
class Part:
    """Some work on a task, and how often it advances the progress."""

    ticks: int
    work: Callable[[TaskComparison, Tick], None]


@dataclass(frozen=True)
class Stage:
    """What is announced under one name: parts of work, one after the other."""

    name: str
    parts: tuple[Part, ...]

    @property
    def ticks(self) -> int:
        """How often it advances the progress."""
        return sum(part.ticks for part in self.parts)

    def run(self, task: TaskComparison, announce: Announce) -> None:
        """Do it; the task keeps the seconds."""
        started, tick = time.perf_counter(), announce(self.name)
        for part in self.parts:
            part.work(task, tick)
        task.seconds += time.perf_counter() - started


def checks() -> Stage:
    """What comes before any training: whether the data suit the radius."""
    kind = TaskComparison
    return Stage("measuring separation", (Part(1, kind.separate), Part(1, kind.separate_all)))


def measurements(settings: CompareSettings) -> list[Stage]:
    """All other stages, in their order.

    >>> [(stage.name, stage.ticks) for stage in measurements(CompareSettings())][:2]
    [('training f_clean', 60), ('training adversarially', 200)]
    """

    def attacks(name: str) -> int:  # a tick a step, and two around them
        return settings.steps_of(name in BUILT) + 2

    kind = TaskComparison
    trained = ("f_clean", "learned")  # f_clean first: f_S and f_adv are tried on what it errs on
    return [
        Stage("training f_clean", (Part(settings.clean_epochs, kind.train_clean),)),
        Stage("training adversarially", (Part(settings.adversarial_epochs, kind.train_learned),)),
        Stage("certifying", each(trained, kind.certify, lambda name: 1)),
        Stage("building f_S and f_adv", (Part(1, kind.build_f_S), Part(1, kind.build_f_adv))),
        Stage(
            "attacking",
            # one tick a step, and two around them
            each(
                (*trained, *BUILT), kind.attack, lambda name: settings.steps_of(name in BUILT) + 2
            ),
        ),
        Stage("measuring agreement", (Part(1, kind.agree),)),
        Stage(
            "measuring flatness", each(MODELS, kind.flatten, lambda name: len(settings.flat_radii))
        ),
    ]


def each(
    models: tuple[str, ...],
    work: Callable[[TaskComparison, str, str, Tick], None],
    ticks: Callable[[str], int],
) -> tuple[Part, ...]:
    """A part for each model, on training and on test points."""

    def on(name: str, split: str) -> Part:
        return Part(ticks(name), lambda task, tick: work(task, name, split, tick))

    return tuple(on(name, split) for name in models for split in SPLITS)


def stages(settings: CompareSettings) -> dict[str, int]:
    """The stages of one task and the number of advances that each makes (for a progress bar)."""
    return {stage.name: stage.ticks for stage in (checks(), *measurements(settings))}
