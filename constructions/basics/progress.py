"""How far something long is, as it is told to who asked."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Progress:
    """How far something long is.

    Attributes:
        stage: what is being done.
        done: how much of it is done.
        total: of how much; None where that is not known.

    Example:
        >>> print(Progress("attacking", 3, 12), Progress("searching", 256), sep="; ")
        attacking, 3 of 12; searching, 256
    """

    stage: str
    done: int
    total: int | None = None

    def __str__(self) -> str:
        return f"{self.stage}, {self.done}" + ("" if self.total is None else f" of {self.total}")


Report = Callable[[Progress], None]
"""What is called with it."""


def silent(progress: Progress) -> None:
    """Report to nobody."""


def stepping(report: Report, stage: str, total: int | None = None) -> Callable[[], None]:
    """What reports one step more at each call.

    >>> step = stepping(print, "attacking", 2)
    >>> step(), step()
    attacking, 1 of 2
    attacking, 2 of 2
    (None, None)
    """
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        report(Progress(stage, done, total))

    return step


# -- callbacks of former releases ------------------------------------------------------------------


def stepped(progress: Callable[[], None]) -> Report:
    """A report to what was called without arguments."""
    return lambda told: progress()


def counted(progress: Callable[[int, int], None]) -> Report:
    """A report to what was called with (done, total)."""
    return lambda told: progress(told.done, told.total or 0)


def read_report(report: Any) -> Report:
    """What takes a `Progress`; what takes (done, total), as before, warns. Raises TypeError."""
    if not callable(report):
        raise TypeError(f"report must be callable with a Progress, got {report!r}")
    try:
        signature = inspect.signature(report)
        signature.bind(None)
    except ValueError:  # built in
        return report
    except TypeError:
        signature.bind(None, None)
        text = "report is called with one Progress(stage, done, total) now, not with (done, total)"
        warnings.warn(text, DeprecationWarning, stacklevel=4)
        return counted(report)
    return report
