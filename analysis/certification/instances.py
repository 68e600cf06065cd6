"""Lists of networks and properties in the formats of the verification competition: deciding them
one by one, resumably.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
import signal
import time
import zlib
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import NamedTuple

import torch

from constructions.internal import Report, silent, stepping, write_file

from .deciding import decide

HEADER = ["onnx", "vnnlib", "timeout", "result", "seconds", "files"]

OUTSIDE = b"\n\x08location"
"""Stands in an ONNX file whose tensors are kept in other files."""


class Row(NamedTuple):
    """One row of results, as files hold it, and whether it is kept from an earlier run.

    `timeout` is the seconds that it was given, `files` what `Instance.files` was.
    """

    onnx: str
    vnnlib: str
    timeout: str
    result: str
    seconds: str
    files: str
    kept: bool = False

    def is_final(self, seconds: float, files: str) -> bool:
        """Whether it is about these files, and no better result is to be expected in so many
        seconds.
        """
        word = self.result.partition(":")[0]
        told = word in ("sat", "unsat") or (word == "unknown" and seconds <= float(self.timeout))
        return told and self.files == files != ""


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

    def files(self) -> str:
        """The first digits of the SHA-256 of both files, "missing" if there is none; "" for a
        network that is kept in several files.
        """
        digest = hashlib.sha256()
        try:
            for name in self.key:
                path = self.folder / name
                with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
                    content = file.read()
                digest.update(hashlib.sha256(content).digest())
                if OUTSIDE in content:
                    return ""
        except (OSError, EOFError, zlib.error):
            return "missing"
        return digest.hexdigest()[:16]


def read_instances(path: Path) -> list[Instance]:
    """Rows onnx,vnnlib,timeout of a list; files are relative to its folder. Raises ValueError that
    names file and line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    found = []
    with path.open(newline="", encoding="utf-8") as file:
        for line, row in enumerate(csv.reader(file), start=1):
            row = [text.strip() for text in row]
            if not any(row) or row[:2] == HEADER[:2]:
                continue
            if len(row) != 3:
                raise ValueError(
                    f"{path}, line {line}: must be onnx,vnnlib,timeout, got {','.join(row)!r}"
                )
            onnx, vnnlib, timeout = row
            try:
                seconds = float(timeout)
            except ValueError:
                seconds = 0.0
            if not 0 < seconds < float("inf"):
                header = " (a header must be onnx,vnnlib,timeout)" if line == 1 else ""
                raise ValueError(
                    f"{path}, line {line}: timeout must be a number > 0, got {timeout!r}{header}"
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
    report: Report = silent,
) -> list[Row]:
    """Rows in the order of the list; those that `results` holds are not decided again, but for
    errors, for what was unknown and has more time now, and for files that have changed.

    result: sat, unsat, unknown, or "error: ..." for files that cannot be read. `results` is written
    after each instance, atomically. max_seconds: at most so long each, whatever the list says.
    Interrupted, it keeps what was found.
    """

    def seconds(one: Instance) -> float:
        return min(one.timeout, max_seconds or one.timeout)

    done = _read_results(results) if results else {}
    wanted = {
        one.key: one
        for one in instances
        if one.key not in done or not done[one.key].is_final(seconds(one), one.files())
    }

    files = {key: one.files() for key, one in wanted.items()}
    step = stepping(report, "deciding", len(wanted))

    def keep(one: Instance, result: str, took: float) -> None:
        done[one.key] = Row(*one.key, f"{seconds(one):g}", result, f"{took:.3f}", files[one.key])
        if results:
            write_file(results, _text(list(done.values())))
        step()

    if jobs == 1:
        for one in wanted.values():
            keep(one, *decide_instance(one, seconds(one)))
    elif wanted:
        before = set(active_children())
        pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_quiet)
        try:
            running = {
                pool.submit(decide_instance, one, seconds(one)): one for one in wanted.values()
            }
            for future in as_completed(running):
                keep(running[future], *future.result())
        except BaseException:
            for child in set(active_children()) - before:
                child.terminate()
            pool.shutdown(cancel_futures=True)
            raise
        pool.shutdown()
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


def _read_results(path: Path) -> dict[tuple[str, str], Row]:
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    try:
        if rows[0] not in (HEADER, HEADER[:-1]) or {*map(len, rows)} != {len(rows[0])}:
            raise ValueError
        kept = [
            Row(a, b, f"{float(timeout):g}", result, seconds, more[0] if more else "", True)
            for a, b, timeout, result, seconds, *more in rows[1:]
        ]
    except (IndexError, ValueError) as error:
        raise ValueError(
            f"{path} exists and is no list of results that could be continued: choose another file"
        ) from error
    return {(row.onnx, row.vnnlib): row for row in kept}


def _text(rows: list[Row]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER, *(row[: len(HEADER)] for row in rows)])
    return text.getvalue()
