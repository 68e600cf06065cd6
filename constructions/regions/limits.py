"""What ends a count early: numbers of cells, seconds and bytes, and Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .lattice import Lattice
from .skeleton import Skeleton

MEMORY_LIMIT = 8 * 2**30
"""Bytes that the vertices and faces may take before a count stops and says that it is incomplete.
"""


class Stop(StrEnum):
    """Why work on linear regions ended early.

    Example:
        >>> from constructions import count_regions, squaring
        >>> count_regions(squaring(5), (0, 1), max_cells=4).stopped
        <Stop.CELLS: 'cell limit'>
    """

    CELLS = "cell limit"
    TIME = "time limit"
    MEMORY = "memory limit"
    INTERRUPT = "interrupt"


class Stopped(Exception):  # noqa: N818 - no error: what was found is kept
    """A limit was reached: `stop` says which, the text in words."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop
        article = "an" if stop is Stop.INTERRUPT else "the"
        size = f" of {MEMORY_LIMIT / 2**30:g} GiB" if stop is Stop.MEMORY else ""
        super().__init__(f"{article} {stop.value}{size}")


@dataclass
class Limits:
    """Limits of one count, from when it started (None: no limit). Raises ValueError for what is no
    number >= 0.
    """

    max_cells: int | None
    max_seconds: float | None
    started: float = field(default_factory=time.monotonic)
    interrupted: bool = False

    def __post_init__(self) -> None:
        for name in ("max_cells", "max_seconds"):
            limit = getattr(self, name)
            if limit is not None and not (isinstance(limit, (int, float)) and limit >= 0):
                raise ValueError(f"{name} must be a number of at least 0, got {limit!r}")

    def check(self, engine: Skeleton | Lattice) -> None:
        """Raise `Stopped` after Ctrl-C, and beyond a limit."""
        if self.interrupted:
            raise Stopped(Stop.INTERRUPT)
        self.check_time()
        most = self.max_cells  # a skeleton's cells are work to count, and fewer than its points
        if most is not None and engine.points.n > most and engine.cells > most:
            raise Stopped(Stop.CELLS)
        if engine.nbytes > MEMORY_LIMIT:
            raise Stopped(Stop.MEMORY)

    def check_time(self) -> None:
        """Raise `Stopped` after the time limit."""
        if self.max_seconds is not None and time.monotonic() - self.started >= self.max_seconds:
            raise Stopped(Stop.TIME)

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Ctrl-C waits for the next `check`; a second one raises KeyboardInterrupt at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)

        def note(number: int, frame: Any) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
