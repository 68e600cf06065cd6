"""The main job: train and construct classifiers on the same data, measure both, and say where they
agree.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from queue import Empty, Queue
from tempfile import TemporaryDirectory
from typing import Any

import torch

from constructions import Progress, ReLUNetwork, Result
from constructions.internal import Report, Said, renamed, silent
from training import Dataset, load_data

from ..pages.page import versions
from .declared import misfit, unasked
from .own import called, read_own
from .processes import STARTING
from .result import TaskResult
from .settings import CompareSettings
from .stages import Announce, checks, measurements, stages
from .task import TaskComparison, Tick
from .verdict import summary

ARGUMENTS = {"learned": "model", "f_clean": "clean"}
"""The arguments by which networks are given."""


@dataclass(frozen=True, repr=False)
class Comparison(Result):
    """All tasks, with the settings and versions they were run with.

    Attributes:
        settings: what was compared.
        tasks: a result for each.
        versions: of the packages, by name.
    """

    settings: CompareSettings
    tasks: list[TaskResult]
    versions: dict[str, str]

    def _says(self) -> tuple[str, dict[str, Said]]:
        tasks = ", ".join(task.task for task in self.tasks)
        numbers = {
            f"{task.task}: {name}": number
            for task in self.tasks
            for name, number in task._says()[1].items()
        }
        return f"{tasks} on {self.settings.data}, {self.settings.ball}; errors", numbers

    def summary(self) -> str:
        """Say for each task whether the learned network behaves like f_S, as the report does.

        Returns:
            A paragraph a task: the verdict with its certified numbers, what f_S does by
            construction, and how often the two give the same label.
        """
        return "\n\n".join(f"{task.task}: {summary(task)}" for task in self.tasks)

    def to_json(self) -> dict[str, Any]:
        """Every number of the comparison as plain JSON values."""
        settings = asdict(self.settings)
        settings["norm"] = "inf" if math.isinf(self.settings.norm) else "2"
        settings["radius"] = self.settings.ball.radius
        tasks = [task.to_json() for task in self.tasks]
        return {"settings": settings, "versions": self.versions, "tasks": tasks}


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


def _unheard(result: TaskResult) -> None:
    """What listens to results by default."""


@renamed("settings announce runs", report=_announced)
def compare(
    settings: CompareSettings | None = None,
    *,
    model: Any = None,
    clean: Any = None,
    report: Report = silent,
    runs: Path | None = None,
    jobs: int = 1,
    finished: Callable[[TaskResult], None] = _unheard,
) -> Comparison:
    """Run all tasks: train, build, attack, prove, and compare the networks.

    Args:
        settings: what to compare; None for the defaults.
        model: your own network in place of the learned one, which is not trained then: a module, a
            `ReLUNetwork`, or what `settings.model` names. Tasks of another number of outputs are
            left out.
        clean: likewise, in place of f_clean.
        report: called with a `Progress` at every advance.
        runs: folder of the training runs; those that it holds of the same configuration go on, or
            are taken as they are. None keeps none.
        jobs: tasks at the same time, each in a process and thread of its own if more than one (a
            script then needs `if __name__ == "__main__":`); the results are the same.
        finished: called with each task's result as soon as it is there, while others go on.

    Returns:
        A `Comparison`.

    Raises:
        ValueError: before any training, if settings or networks do not fit the data.

    Cost: on digits some 45 CPU seconds a task, on MNIST some twenty minutes, most of it training,
    bounds and attacks of the learned networks; memory on MNIST some 6 GB a task.
    """
    settings = settings or CompareSettings()
    if isinstance(jobs, bool) or not isinstance(jobs, int):
        raise TypeError(f"jobs must be an integer, got {jobs!r}")
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    data = [load_data(settings.data, name, settings.seed) for name in settings.tasks]
    named = {
        "learned": settings.model if model is None else model,
        "f_clean": settings.clean if clean is None else clean,
    }
    sources = {name: source for name, source in named.items() if source is not None}
    settings, data, given = with_own(settings, data, sources)
    learned = called(sources["learned"]) if "learned" in sources else TaskResult.learned
    announce = _announcing(report, sum(stages(settings).values()) * len(settings.tasks))
    with TemporaryDirectory() as folder:
        where = runs or Path(folder)
        tasks = [TaskComparison(each.flat(), settings, where, given, learned) for each in data]
        for task in tasks:
            checks().run(task, announce)
        if jobs > 1 and len(tasks) > 1:
            found = side_by_side(tasks, announce, jobs, finished)
            return Comparison(settings, found, versions())
        results = []
        while tasks:  # what a task holds beside its result goes before the next one
            results.append(compare_task(tasks.pop(0), announce))
            finished(results[-1])
    return Comparison(settings, results, versions())


def with_own(
    settings: CompareSettings, data: Sequence[Dataset], sources: Mapping[str, Any]
) -> tuple[CompareSettings, list[Dataset], dict[str, ReLUNetwork]]:
    """Networks that are given, and the tasks that they fit. Raises ValueError if there is none."""
    given, words = dict[str, ReLUNetwork](), dict[str, Any]()
    for name, source in sources.items():
        argument = ARGUMENTS[name]
        given[name], words[argument] = read_own(source, data[0].shape, argument)
        inputs, pixels = given[name].inputs, math.prod(data[0].shape)
        if inputs != pixels:
            raise ValueError(misfit(argument, pixels, inputs))
    outputs = {network.outputs for network in given.values()}
    fit = [images for images in data if outputs <= {images.outputs}]
    if not fit:
        asked = {images.task: images.outputs for images in data}
        given_outputs = {ARGUMENTS[name]: network.outputs for name, network in given.items()}
        raise ValueError(unasked(asked, given_outputs))
    tasks = tuple(images.task for images in fit)
    return replace(settings, tasks=tasks, **words), fit, given


def side_by_side(
    tasks: Sequence[TaskComparison],
    announce: Announce,
    jobs: int,
    finished: Callable[[TaskResult], None],
) -> list[TaskResult]:
    """The results of tasks, each in a process of its own; what they announce comes as it happens.

    An interrupt (Ctrl-C) reaches the processes, which know what it ends: proving alone, or all.
    """
    context, ticks = get_context(STARTING), dict[str, Tick]()
    with (
        left_to_others(),
        context.Manager() as manager,
        ProcessPoolExecutor(min(jobs, len(tasks)), context) as pool,
    ):
        told: Queue[tuple[str, str, str | None]] = manager.Queue()
        ends = [pool.submit(_apart, task, told) for task in tasks]
        heard: list[Future[TaskResult]] = []
        while len(heard) < len(ends) or not told.empty():
            if any(end.done() and end.exception() for end in ends):
                break
            for end in ends:
                if end.done() and end not in heard:
                    heard.append(end)
                    finished(end.result())
            with suppress(Empty):
                task, stage, note = told.get(timeout=0.1)
                if note is None:
                    ticks[task] = announce(f"{task}: {stage}")
                else:
                    ticks[task](f"{task}: {note}" if note else "")
        return [end.result() for end in ends]


@contextmanager
def left_to_others() -> Iterator[None]:
    """Interrupts do nothing here; the processes begun meanwhile get them as always (a handler, not
    being ignored, ends with a process).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _apart(task: TaskComparison, told: Queue[tuple[str, str, str | None]]) -> TaskResult:
    """One task in a process of its own, which says what it does."""
    torch.set_num_threads(1)
    name = task.data.task

    def announce(stage: str) -> Tick:
        told.put((name, stage, None))
        return lambda note="": told.put((name, stage, note))

    return compare_task(task, announce)


def compare_task(task: TaskComparison, announce: Announce) -> TaskResult:
    """Train f_clean and an adversarially trained network, build f_adv and f_S, and measure all
    four; the data are checked.
    """
    for stage in measurements(task.settings):
        stage.run(task, announce)
    return task.result()
