"""The main job: train and construct classifiers on the same data, measure both, and say where they
agree.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from training import load_data

from ..pages.page import versions
from .result import Comparison, TaskResult
from .settings import CompareSettings, check_settings
from .stages import Announce, checks, measurements
from .task import TaskComparison


def compare(
    settings: CompareSettings, announce: Announce = lambda _: lambda: None, runs: Path | None = None
) -> Comparison:
    """Run all tasks; `announce(stage)` returns a function that is called at every advance of that
    stage.

    runs: folder of the training runs; those that it holds of the same configuration go on, or are
    taken as they are. Raises ValueError before any training if the settings do not fit the data.
    Time: on digits two minutes, on MNIST some twenty, most of it bounds and attacks of the learned
    networks; memory on MNIST some 6 GB.
    """
    check_settings(settings)
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
