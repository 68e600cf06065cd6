"""The main job: train and construct classifiers on the same data, measure both, and say where they
agree.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from constructions import Progress
from constructions.internal import Report, renamed, silent
from training import load_data

from ..pages.page import versions
from .result import Comparison, TaskResult
from .settings import CompareSettings, check_settings
from .stages import Announce, checks, measurements, stages
from .task import TaskComparison, Tick


def _announced(announce: Announce) -> Report:
    """A report to what announced stages, in former releases."""
    stage, done, tick = "", 0, lambda: None

    def report(told: Progress) -> None:
        nonlocal stage, done, tick
        if told.stage.startswith("proving"):  # a note, no stage
            return
        if told.stage != stage:
            stage, tick = told.stage, announce(told.stage)
        for _ in range(done, told.done):
            tick()
        done = told.done

    return report


def _announcing(report: Report, total: int) -> Announce:
    """What announces the stages of all tasks, and reports how far they are together."""
    done = 0

    def announce(stage: str) -> Tick:
        def tick(note: str = "") -> None:
            nonlocal done
            done += not note
            report(Progress(note or stage, done, total))

        report(Progress(stage, done, total))
        return tick

    return announce


@renamed("settings announce runs", report=_announced)
def compare(
    settings: CompareSettings, *, report: Report = silent, runs: Path | None = None
) -> Comparison:
    """Run all tasks: train, build, attack, prove, and compare the networks.

    Args:
        settings: what to compare.
        report: called with a `Progress` at every advance.
        runs: folder of the training runs; those that it holds of the same configuration go on, or
            are taken as they are. None keeps none.

    Returns:
        A `Comparison`.

    Raises:
        ValueError: before any training, if the settings do not fit the data.

    Cost: on digits some five minutes, on MNIST some twenty, most of it training, bounds and attacks
    of the learned networks; memory on MNIST some 6 GB.
    """
    check_settings(settings)
    announce = _announcing(report, sum(stages(settings).values()) * len(settings.tasks))
    with TemporaryDirectory() as folder:
        tasks = [
            TaskComparison(
                load_data(settings.data, name, settings.seed).flat(), settings, runs or Path(folder)
            )
            for name in settings.tasks
        ]
        for task in tasks:
            checks().run(task, announce)
        results = []
        while tasks:  # what a task holds beside its result goes before the next one
            results.append(compare_task(tasks.pop(0), announce))
    return Comparison(settings, results, versions())


def compare_task(task: TaskComparison, announce: Announce) -> TaskResult:
    """Train f_clean and an adversarially trained network, build f_adv and f_S, and measure all
    four; the data are checked.
    """
    for stage in measurements(task.settings):
        stage.run(task, announce)
    return task.result()
