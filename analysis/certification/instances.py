"""Lists of networks and properties in the formats of the verification competition: deciding them
one by one, resumably.
"""

from __future__ import annotations

import csv
import io
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path

import torch

from constructions.internal import write_file

from .deciding import decide

HEADER = ["onnx", "vnnlib", "timeout", "result", "seconds"]


@dataclass(frozen=True)
class Instance:
    """One row: files as the list names them, the seconds it may take, and the list's folder."""

    onnx: str
    vnnlib: str
    timeout: float
    folder: Path

    @property
    def key(self) -> tuple[str, str]:
        """What the row is found again by."""
        return self.onnx, self.vnnlib


def read_instances(path: Path) -> list[Instance]:
    """Rows onnx,vnnlib,timeout of a list; files are relative to its folder. Raises ValueError that
    names file and line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    found = []
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.reader(file), start=1):
            if not row or row[:2] == HEADER[:2]:
                continue
            try:
                onnx, vnnlib, timeout = (text.strip() for text in row)
                seconds = float(timeout)
            except ValueError as error:
                raise ValueError(
                    f"{path}, line {line}: must be onnx,vnnlib,timeout, got {','.join(row)!r}"
                ) from error
            if not 0 < seconds < float("inf"):
                raise ValueError(
                    f"{path}, line {line}: timeout must be a number > 0, got {timeout}"
                )
            found.append(Instance(onnx, vnnlib, seconds, path.parent))
    if not found:
        raise ValueError(f"{path} holds no instance")
    return found


def decide_instances(
    instances: list[Instance],
    results: Path | None = None,
    jobs: int = 1,
    max_seconds: float | None = None,
    progress: Callable[[], None] = lambda: None,
) -> list[list[str]]:
    """Rows onnx, vnnlib, timeout, result, seconds, in the order of the list; those that `results`
    holds are not decided again.

    result: sat, unsat, unknown, or "error: ..." for files that cannot be read. `results` is written
    after each instance, atomically. max_seconds: at most so long each, whatever the list says.
    Interrupted, it keeps what was found.
    """
    done = _read_results(results) if results else {}
    wanted = {one.key: one for one in instances if one.key not in done}

    def keep(one: Instance, result: str, seconds: float) -> None:
        done[one.key] = [*one.key, f"{one.timeout:g}", result, f"{seconds:.3f}"]
        if results:
            write_file(results, _text(list(done.values())))
        progress()

    def seconds(one: Instance) -> float:
        return min(one.timeout, max_seconds or one.timeout)

    if jobs == 1:
        for one in wanted.values():
            keep(one, *decide_instance(one, seconds(one)))
    elif wanted:
        before = set(active_children())
        with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_quiet) as pool:
            try:
                running = {
                    pool.submit(decide_instance, one, seconds(one)): one for one in wanted.values()
                }
                for future in as_completed(running):
                    keep(running[future], *future.result())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for child in set(active_children()) - before:
                    child.terminate()
                raise
    return [done[one.key] for one in instances]


def decide_instance(one: Instance, seconds: float) -> tuple[str, float]:
    """The result of one instance, and the seconds that it took, reading included."""
    start = time.monotonic()
    try:
        result: str = decide(
            one.folder / one.onnx, one.folder / one.vnnlib, max_seconds=seconds
        ).result
    except (OSError, ValueError, TypeError, MemoryError) as error:
        result = f"error: {' '.join(str(error).split())}"
    return result, time.monotonic() - start


def _quiet() -> None:
    """Workers leave Ctrl-C to their parent, and use one thread each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


def _read_results(path: Path) -> dict[tuple[str, str], list[str]]:
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    if not rows or rows[0] != HEADER or any(len(row) != len(HEADER) for row in rows):
        raise ValueError(
            f"{path} exists and is no list of results that could be continued: choose another file"
        )
    return {(row[0], row[1]): row for row in rows[1:]}


def _text(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER, *rows])
    return text.getvalue()
