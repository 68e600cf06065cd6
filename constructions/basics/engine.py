"""Independent tasks: in this process, in processes of this machine, on a Ray cluster, or on the
ranks of torch.distributed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import joblib
import torch

from .progress import Progress, Report, read_report, silent
from .result import brief

Task = TypeVar("Task")
Result = TypeVar("Result")

ATTEMPTS = 3
"""How often in a row lost processes may end no shard."""


def check_jobs(jobs: int) -> None:
    """Raise ValueError unless it is an integer >= 1."""
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise ValueError(f"jobs must be an integer >= 1, got {jobs!r}")


@dataclass(frozen=True, repr=False)
class Engine:
    """Where a long computation runs, shard by shard; its result does not depend on it.

    Attributes:
        jobs: how many processes of this machine, as for `run_tasks`; starting them takes some
            seconds.
        address: of a Ray cluster, or "torch", as for `run_tasks`.
        journal: a file that every shard's result is added to as it comes, and from which an
            interrupted computation goes on.
        device: of the tensors in each process: cpu, cuda or cuda:0, cuda:1, ....
        report: called with a `Progress` as shards end.

    Raises:
        ValueError: for values that none of these can have.
        TypeError: likewise, by their type.

    Example:
        >>> run_shards(abs, 3, "absolute values", Engine(jobs=1))
        [0, 1, 2]
    """

    jobs: int = 1
    address: str | None = None
    journal: str | PathLike[str] | None = None
    device: str = "cpu"
    report: Report = silent

    def __post_init__(self) -> None:
        check_jobs(self.jobs)
        object.__setattr__(self, "report", read_report(self.report))
        if self.journal is not None:
            path = Path(self.journal)
            if path.is_dir() or not path.parent.is_dir():
                raise ValueError(f"journal must be a file in a folder that exists, got {path}")
        try:
            kind = torch.device(self.device).type
        except (RuntimeError, TypeError) as error:
            raise ValueError(
                f"device must be cpu, cuda or cuda:0, cuda:1, ..., got {self.device!r}"
            ) from error
        if kind == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"device {self.device} is not there: PyTorch finds no GPU")

    def __repr__(self) -> str:
        shown = [f"jobs={self.jobs}", f"device={self.device!r}"]
        given = {"address": self.address, "journal": self.journal and str(self.journal)}
        shown += [f"{name}={value!r}" for name, value in given.items() if value is not None]
        return brief(f"Engine({', '.join(shown)})")


HERE = Engine()
"""This process."""


class ProcessLostError(RuntimeError):
    """The process of a task is gone: killed, or out of memory.

    Example:
        >>> list(run_tasks(os._exit, [1], jobs=2))
        [(0, ProcessLostError('its process was killed'))]
    """


def run_tasks(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    jobs: int = 1,
    address: str | None = None,
    gpus: int = 0,
) -> Iterator[tuple[int, Result | ProcessLostError]]:
    """Run tasks in processes or on a cluster, and yield results as they end.

    Without an address, they run in `jobs` processes of this machine (1: in this one), which share
    its processors.

    Args:
        work: what is called with a task; it must be picklable. An exception that it raises is
            raised here.
        tasks: likewise picklable.
        jobs: how many processes, without an address.
        address: that of a Ray cluster ("auto": the one this machine belongs to, "local": a new
            one), where a task takes one processor and `gpus` GPUs; or "torch": the ranks of the
            torch.distributed group that this process is in, which all make this call and all get
            all results.
        gpus: how many a task takes on a Ray cluster.

    Yields:
        (k, work(tasks[k])); a ProcessLostError instead of the result where its process is gone.

    Raises:
        ValueError: for jobs < 1, and for "torch" outside of a group.
        ImportError: if Ray is asked for and missing.

    Example:
        >>> sorted(run_tasks(abs, [-1, 2, -3]))
        [(0, 1), (1, 2), (2, 3)]
    """
    check_jobs(jobs)
    if address == "torch":
        return _on_ranks(work, tasks)
    if address is not None:
        return _on_cluster(work, tasks, address, gpus)
    if jobs == 1:
        return ((k, work(task)) for k, task in enumerate(tasks))
    return _in_processes(work, tasks, jobs)


def check_engine(engine: Engine) -> None:
    """Raise TypeError for anything else."""
    if not isinstance(engine, Engine):
        raise TypeError(f"engine must be an Engine, got {type(engine).__name__}")


def run_shards(
    work: Callable[[int], Result], count: int, question: Any, engine: Engine
) -> list[Result]:
    """Compute [work(0), ..., work(count - 1)]; a shard whose process is lost is tried again.

    Args:
        work: gives a shard's result, which JSON must hold. (Journals give tuples as lists.)
        count: how many shards.
        question: (JSON) says what is computed.
        engine: where it is computed.

    Returns:
        The results, in order.

    Raises:
        ValueError: if the engine's journal answers another question, and what `run_tasks` raises.
        ProcessLostError: where processes are lost `ATTEMPTS` times without progress.

    Example:
        >>> run_shards(abs, 3, "absolute values", Engine())
        [0, 1, 2]
    """
    head = json.dumps({"question": question, "shards": count}, sort_keys=True)
    path = None if engine.journal is None else Path(engine.journal)
    first = engine.address != "torch" or _rank() == 0  # of several ranks, one keeps the journal
    found: dict[int, Result] = {} if path is None or not first else _read_journal(path, head)
    if engine.address == "torch":
        held = [found]
        torch.distributed.broadcast_object_list(held)
        found = held[0]
    engine.report(Progress(question, len(found), count))
    failures = 0
    while failures < ATTEMPTS:
        before, missing = len(found), [k for k in range(count) if k not in found]
        for k, result in run_tasks(work, missing, jobs=engine.jobs, address=engine.address):
            if isinstance(result, ProcessLostError):
                continue
            found[missing[k]] = result
            if path is not None and first:
                _append(path, head, json.dumps([missing[k], result], allow_nan=False))
            engine.report(Progress(question, len(found), count))
        if len(found) == count:
            return [found[k] for k in range(count)]
        failures = failures + 1 if len(found) == before else 0
    raise ProcessLostError(
        f"{count - len(found)} of {count} shards lost their process {ATTEMPTS} times (out of "
        f"memory?)"
    )


def _read_journal(path: Path, head: str) -> dict[int, Any]:
    """The results kept in a journal; a last line that was not written whole is removed."""
    if not path.exists():
        return {}
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    lines = content[:whole].split(b"\n")
    first = lines[0] if whole else content
    if first != head.encode() and (whole or not head.encode().startswith(first)):
        known = first.startswith(b'{"question":')
        what = "holds results of another computation" if known else "is no journal"
        raise ValueError(f"journal {path} {what}: choose another file")
    if whole < len(content):  # cut short by a crash
        os.truncate(path, whole)
    return dict(json.loads(line) for line in lines[1:-1])


def _append(path: Path, head: str, line: str) -> None:
    with path.open("ab") as file:
        file.write(f"{line}\n".encode() if file.tell() else f"{head}\n{line}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def _in_processes(
    work: Callable[[Task], Result], tasks: Sequence[Task], jobs: int
) -> Iterator[tuple[int, Any]]:
    threads = max(1, (os.cpu_count() or 1) // jobs)
    left = set(range(len(tasks)))
    with joblib.parallel_config("loky", inner_max_num_threads=threads):
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
        try:
            calls = [joblib.delayed(_call)(work, k, task, threads) for k, task in enumerate(tasks)]
            if len(calls) == 1:  # loky watches a process that it starts from the next call on
                calls.append(joblib.delayed(_call)(abs, -1, 0, threads))
            for k, result in parallel(calls):
                if k >= 0:
                    left.remove(k)
                    yield k, result
        except BrokenProcessPool:  # what has ended is kept
            yield from ((k, ProcessLostError("its process was killed")) for k in sorted(left))


def _on_cluster(
    work: Callable[[Task], Result], tasks: Sequence[Task], address: str, gpus: int
) -> Iterator[tuple[int, Any]]:
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            "an address needs the package ray: pip install 'cgro[cluster]'"
        ) from error
    ray.init(address=address, ignore_reinit_error=True, log_to_driver=False)
    call: Any = ray.remote(_call).options(num_gpus=gpus)
    shared = ray.put(work)
    pending = {call.remote(shared, k, task, None): k for k, task in enumerate(tasks)}
    while pending:
        (ready, *_), _ = ray.wait(list(pending))
        k = pending.pop(ready)
        try:
            yield ray.get(ready)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except ray.exceptions.RayError as error:
            yield k, ProcessLostError(f"{type(error).__name__}: {error}")


def _on_ranks(work: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[tuple[int, Any]]:
    rank, size = _rank(), torch.distributed.get_world_size()
    mine: list[tuple[int, Any]] | Exception
    try:
        mine = [(k, work(tasks[k])) for k in range(rank, len(tasks), size)]
    except Exception as error:  # raised on all ranks, or the others would wait
        mine = error
    shares: list[Any] = [None] * size
    torch.distributed.all_gather_object(shares, mine)
    for share in shares:
        if isinstance(share, Exception):
            raise share
    yield from sorted((pair for share in shares for pair in share), key=lambda pair: pair[0])


def _rank() -> int:
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        raise ValueError(
            "address 'torch' needs torch.distributed.init_process_group, as torchrun's processes "
            "call it"
        )
    return torch.distributed.get_rank()


def _call(
    work: Callable[[Task], Result], k: int, task: Task, threads: int | None
) -> tuple[int, Result]:
    if threads is not None:
        torch.set_num_threads(threads)
    return k, work(task)
