"""What commands print to: a console for tables, and a bar of what is going on."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

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


LINE_EVERY = 15.0
"""Seconds between lines where there is no terminal."""


def output(width: int = 150) -> Console:
    """The console on stdout; wide enough for tables where it is not a terminal."""
    return Console() if sys.stdout.isatty() else Console(width=width)


class Bar(Progress):
    """A progress bar; where it is not seen, a line from time to time says what is going on."""

    told = 0.0  # when a line was last printed, in seconds since the bar began

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Show what a task is at."""
        super().update(task_id, **changes)
        self._tell(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Show that a task went on."""
        super().advance(task_id, advance)
        self._tell(task_id)

    def _tell(self, task_id: TaskID) -> None:
        task = self._tasks[task_id]
        passed = task.elapsed or 0.0
        if self.console.is_terminal or passed - self.told < LINE_EVERY:
            return
        self.told = passed
        counted = any(isinstance(column, MofNCompleteColumn) for column in self.columns)
        done = f" {task.completed:,.0f} of {task.total:,.0f}" if counted and task.total else ""
        self.console.print(
            f"{passed:.0f} s: {task.description}{done}", highlight=False, markup=False
        )


def progress_bar(counted: bool = True) -> Bar:
    """A progress bar on stderr; without a terminal a line every `LINE_EVERY` seconds.

    counted: whether what is done is a number worth reading.
    """
    return Bar(
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
