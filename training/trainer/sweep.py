"""Many runs over widths, radii and seeds, in parallel on this machine or on a Ray cluster."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from constructions import ProcessLostError, Result
from constructions.internal import Said, renamed, run_tasks

from .config import TrainingConfig
from .loop import train
from .run import Run


@dataclass(frozen=True, repr=False)
class Trial(Result):
    """One run of a sweep, and how it went.

    Attributes:
        config: its settings.
        folder: its run's.
        error: why it failed; "" if it did not.
    """

    config: TrainingConfig
    folder: Path
    error: str = ""

    @property
    def run(self) -> Run:
        """The run in the folder; see `Run.load`."""
        return Run.load(self.folder)

    def _says(self) -> tuple[str, dict[str, Said]]:
        told = (
            f"width {self.config.width:g}, radius {self.config.radius:g}, seed {self.config.seed}"
        )
        return f"{self.folder}: {told}, {self.error or 'no error'}", {}


def trials(
    config: TrainingConfig,
    folder: str | PathLike[str],
    widths: Iterable[float] = (),
    radii: Iterable[float] = (),
    seeds: Iterable[int] = (),
) -> list[Trial]:
    """Plan a sweep: all combinations of widths, radii and seeds.

    Args:
        config: the settings that all have in common.
        folder: of the sweep; each trial has a folder in it.
        widths: values of config.width; none stands for the configuration's own.
        radii: of config.radius, likewise.
        seeds: of config.seed, likewise.

    Returns:
        A `Trial` for each combination.

    Raises:
        ValueError: for repeated values.

    Example:
        >>> [
        ...     trial.folder.name
        ...     for trial in trials(TrainingConfig(), "runs", radii=[0, 0.1], seeds=[0, 1])
        ... ]
        ['width1-radius0-seed0', 'width1-radius0-seed1',
         'width1-radius0.1-seed0', 'width1-radius0.1-seed1']
    """
    grid = itertools.product(
        list(widths) or [config.width], list(radii) or [config.radius], list(seeds) or [config.seed]
    )
    found = []
    for width, radius, seed in grid:
        name = f"width{width:g}-radius{radius:g}-seed{seed}"
        found.append(
            Trial(replace(config, width=width, radius=radius, seed=seed), Path(folder) / name)
        )
    names = [trial.folder.name for trial in found]
    if len(set(names)) < len(names):
        raise ValueError(f"widths, radii and seeds must not be repeated, got {', '.join(names)}")
    return found


@renamed(on_trial=lambda report: report)
def sweep(
    planned: list[Trial],
    *,
    jobs: int = 1,
    address: str | None = None,
    on_trial: Callable[[Trial], None] = lambda _: None,
) -> list[Trial]:
    """Run the trials of a sweep, side by side where there is room.

    Those begun before go on, finished ones are kept. A trial that fails, or whose process is
    killed, has its error; the others go on.

    Args:
        planned: what `trials` gives.
        jobs: without an address, processes on this machine, which share its first GPU.
        address: that of a Ray cluster whose nodes share the folders, as for
            `run_tasks`; there a trial takes one processor and, with device "cuda", one GPU.
        on_trial: called with each trial as it ends.

    Returns:
        The trials, with errors.

    Raises:
        ValueError: for jobs < 1.
        ImportError: if Ray is asked for and missing.

    Example:
        >>> import tempfile
        >>> config = TrainingConfig(hidden=(8,), epochs=1, final_attack="clean")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [
        ...         (trial.error, trial.run.status)
        ...         for trial in sweep(trials(config, folder, seeds=[0, 1]))
        ...     ]
        [('', 'finished'), ('', 'finished')]
    """
    gpus = int(any(t.config.device == "cuda" for t in planned))
    done: dict[int, Trial] = {}
    for k, trial in run_tasks(_run, planned, jobs=jobs, address=address, gpus=gpus):
        done[k] = (
            replace(planned[k], error=str(trial)) if isinstance(trial, ProcessLostError) else trial
        )
        on_trial(done[k])
    return [done[k] for k in range(len(planned))]


def _run(trial: Trial) -> Trial:
    try:
        train(trial.config, trial.folder, resume=True)
    except Exception as error:  # the other trials go on
        return replace(trial, error=f"{type(error).__name__}: {error}")
    return trial
