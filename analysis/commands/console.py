"""What commands print to: a console for tables, and a bar of what is going on."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    import constructions


def output(width: int = 150) -> Console:
    """The console on stdout; wide enough for tables where it is not a terminal."""
    return Console() if sys.stdout.isatty() else Console(width=width)


def progress_bar(counted: bool = True) -> Progress:
    """A progress bar on stderr; without a terminal it stays silent until the end.

    counted: whether what is done is a number worth reading.
    """
    return Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        *([MofNCompleteColumn()] if counted else []),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


@contextlib.contextmanager
def interrupted_once() -> Iterator[None]:
    """Ctrl-C interrupts once; what comes after it is left aside while the block cleans up."""

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # others take no signals
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def showing(bar: Progress, task: TaskID) -> Callable[[constructions.Progress], None]:
    """What shows on a bar how far something is."""
    return lambda told: bar.update(
        task, description=told.stage, completed=told.done, total=told.total
    )


def percent(share: float | None) -> str:
    """A share in percent, if there is one."""
    return "" if share is None else f"{100 * share:.2f}%"
