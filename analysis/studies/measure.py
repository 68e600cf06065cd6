"""Measuring saved runs: curves over epochs, flatness over radius, margins, and f_S built on the
same data beside them.

Nothing is trained. Every measurement is kept in a file of its own and read again when the same is
asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path

from torch import nn

from constructions import Progress
from constructions.internal import Report, silent
from training import Dataset, Run

from ..quantities.store import Store
from .beside import measure_constructed
from .profiles import as_network, digest_of, measure_run
from .recorded import RunRecord
from .settings import StudySettings
from .study import RunStudy, Study

WRONG = (ValueError, OSError, RuntimeError, ArithmeticError)
"""What a run that is not as it should be can raise; it must not keep others from being measured.
Other exceptions are mistakes of the program.
"""


def study(
    folders: Iterable[str | PathLike[str]],
    settings: StudySettings | None = None,
    *,
    kept: str | PathLike[str],
    measure: bool = True,
    models: Sequence[Callable[[], nn.Module]] = (),
    report: Report = silent,
) -> Study:
    """Measure finished runs, and build f_S beside those that were trained adversarially.

    Of clean runs (radius 0) on the same data, that with the fewest test errors whose network is
    read as affine layers and ReLU serves as f_clean for the others; without one there is no f_S.
    Balls around the points of an adversarial run whose network is read so are decided for
    `settings.certify_seconds` a part; an interrupt (Ctrl-C) ends that with what is proved. A
    run that is damaged, unfinished or without its data is a problem, and the others are measured.

    Args:
        folders: of the runs.
        settings: how much is measured; None for the defaults.
        kept: folder in which every measurement is kept, so that a study goes on where it was
            interrupted.
        measure: false for what the runs measured themselves alone.
        models: functions that make the modules of runs with a model of one's own; each such run
            takes the first that its weights fit.
        report: called with a `Progress`, in folders, as each begins.

    Returns:
        A `Study`.

    Raises:
        ValueError: if no run is left.
        TypeError: for one folder.

    Cost: for each profile some 9 gradients a step and point (193 for 20 steps); f_S of N training
    points as in `f_S`.
    """
    settings = settings or StudySettings()
    if isinstance(folders, (str, PathLike)):
        raise TypeError(f"folders must be several folders, as in [{str(folders)!r}], got one")
    found = Study(settings)
    store = Store(Path(kept))
    parts: dict[str, Dataset] = {}
    chosen = list(dict.fromkeys(Path(f) for f in folders))

    def tell(stage: str) -> None:
        report(Progress(stage, len(found.runs) + len(found.problems), len(chosen)))

    for folder in chosen:
        try:
            run, recorded = usable(folder, models)
            taken = {other.name for other in found.runs}
            name = folder.name if folder.name not in taken else str(folder)
            size = sum(p.numel() for p in run.model().parameters())
            entry = RunStudy(run, recorded, name, size)
            data = parts.get(digest_of(entry)) or run.dataset()
            parts[digest_of(entry)] = data
            if measure:
                entry = measure_run(entry, data, settings, store, tell)
            found.runs.append(entry)
        except WRONG as error:
            found.problems.append((str(folder), str(error)))
    if not found.runs:
        raise ValueError(
            "; ".join(f"{folder}: {text}" for folder, text in found.problems)
            or "folders must name a run"
        )
    for entry in found.runs if measure else []:
        if not entry.robust:
            continue
        clean = clean_partner(entry, found.runs)
        if clean is None:
            found.without[entry.name] = (
                "no clean run (radius 0) on the same data, of affine layers and ReLU"
            )
            continue
        try:
            data = parts[digest_of(entry)]
            found.constructed.append(measure_constructed(entry, clean, data, settings, store, tell))
        except WRONG as error:
            found.without[entry.name] = f"f_S cannot be built from {clean.name}: {error}"
    return found


def usable(folder: Path, models: Sequence[Callable[[], nn.Module]] = ()) -> tuple[Run, RunRecord]:
    """The run in a folder, and what it recorded. Raises ValueError if it is unfinished or its
    networks are not kept.
    """
    if not folder.is_dir():
        raise FileNotFoundError("no such folder")
    run = Run.load(folder)
    if run.final is None:
        raise ValueError(f"{run.status}; go on with: cgro train --resume {folder}")
    if run.config.model == "custom":
        run.make = maker(run, models)
    run.weights()
    return run, RunRecord.of(run)


def maker(run: Run, models: Sequence[Callable[[], nn.Module]]) -> Callable[[], nn.Module]:
    """The first function whose module a run's weights fit."""
    for make in models:
        with suppress(ValueError):
            run.model(into=make())
            return make
    raise ValueError(
        "it has a model of your own, which "
        + ("fits none of the models given" if models else "its folder does not say")
        + ": name the factory (--model module:function; in Python models=[function])"
    )


def clean_partner(entry: RunStudy, runs: Sequence[RunStudy]) -> RunStudy | None:
    """The clean run on the same data with the fewest test errors whose network is read as a
    `ReLUNetwork`.
    """
    same = [other for other in runs if not other.robust and digest_of(other) == digest_of(entry)]
    same.sort(key=lambda other: -other.recorded.final.rates["test"].accuracy)
    return next((other for other in same if as_network(other) is not None), None)
