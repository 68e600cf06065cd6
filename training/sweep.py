"""Many runs over widths, radii and seeds, in parallel on this machine or on a Ray cluster."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import joblib
import torch

from .config import TrainingConfig
from .loop import train
from .runs import Run


@dataclass(frozen=True)
class Trial:
    """One run of a sweep: its configuration and folder, and why it failed ("" if it did not)."""

    config: TrainingConfig
    folder: Path
    error: str = ""

    @property
    def run(self) -> Run:
        """The run in the folder; see `Run.load`."""
        return Run.load(self.folder)


def trials(
    config: TrainingConfig,
    folder: str | PathLike[str],
    widths: Iterable[float] = (),
    radii: Iterable[float] = (),
    seeds: Iterable[int] = (),
) -> list[Trial]:
    """The trials of a sweep, all combinations; an empty list stands for the configuration's own value.

    >>> [trial.folder.name for trial in trials(TrainingConfig(), "runs", radii=[0, 0.1], seeds=[0, 1])]
    ['width1-radius0-seed0', 'width1-radius0-seed1', 'width1-radius0.1-seed0', 'width1-radius0.1-seed1']
    """
    grid = itertools.product(list(widths) or [config.width], list(radii) or [config.radius], list(seeds) or [config.seed])
    found = []
    for width, radius, seed in grid:
        name = f"width{width:g}-radius{radius:g}-seed{seed}"
        found.append(Trial(replace(config, width=width, radius=radius, seed=seed), Path(folder) / name))
    names = [trial.folder.name for trial in found]
    if len(set(names)) < len(names):
        raise ValueError(f"widths, radii and seeds must not be repeated, got {', '.join(names)}")
    return found


def sweep(
    planned: list[Trial], *, jobs: int = 1, address: str | None = None, report: Callable[[Trial], None] = lambda _: None
) -> list[Trial]:
    """Run trials; `report` is called as each one ends. Those begun before go on, finished ones are kept.

    Without an address, in `jobs` processes on this machine, which share its first GPU. address: that of a Ray cluster whose
    nodes share the folders ("auto": the one this machine belongs to, "local": a new one); there a trial takes one processor
    and, with device "cuda", one GPU. A trial that fails has its error; the others go on. Raises ValueError for jobs < 1,
    ImportError if Ray is asked for and missing.

    >>> import tempfile
    >>> config = TrainingConfig(hidden=(8,), epochs=1, final_attack="clean")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [(trial.error, trial.run.status) for trial in sweep(trials(config, folder, seeds=[0, 1]))]
    [('', 'finished'), ('', 'finished')]
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    done: dict[Path, Trial] = {}
    for trial in _here(planned, jobs) if address is None else _on_cluster(planned, address):
        done[trial.folder] = trial
        report(trial)
    return [done[trial.folder] for trial in planned]


def _here(planned: list[Trial], jobs: int) -> Iterator[Trial]:
    threads = max(1, (os.cpu_count() or 1) // jobs)
    left = {trial.folder: trial for trial in planned}
    with joblib.parallel_config("loky", inner_max_num_threads=threads):
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
        try:
            for trial in parallel(joblib.delayed(_run)(trial, threads if jobs > 1 else None) for trial in planned):
                del left[trial.folder]
                yield trial
        except BrokenProcessPool:  # what has ended is kept
            yield from (replace(trial, error="a process of the sweep was killed") for trial in left.values())


def _on_cluster(planned: list[Trial], address: str) -> Iterator[Trial]:
    try:
        import ray
    except ImportError as error:
        raise ImportError("an address needs the package ray: pip install 'cgro[cluster]'") from error
    ray.init(address=address, ignore_reinit_error=True, log_to_driver=False)
    work = ray.remote(_run)
    pending = {work.options(num_gpus=int(trial.config.device == "cuda")).remote(trial, None): trial for trial in planned}
    while pending:
        (ready, *_), _ = ray.wait(list(pending))
        trial = pending.pop(ready)
        try:
            yield ray.get(ready)
        except ray.exceptions.RayError as error:  # its process is gone
            yield replace(trial, error=f"{type(error).__name__}: {error}")


def _run(trial: Trial, threads: int | None) -> Trial:
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        train(trial.config, trial.folder, resume=True)
    except Exception as error:  # the other trials go on
        return replace(trial, error=f"{type(error).__name__}: {error}")
    return trial
