"""What commands print to: a console for tables, and a bar of what is going on."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


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


def percent(share: float | None) -> str:
    """A share in percent, if there is one."""
    return "" if share is None else f"{100 * share:.2f}%"
