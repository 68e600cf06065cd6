"""What a figure is before it is drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure to be drawn: its name and run, title, caption, text for those who do not see it, and
    its numbers.
    """

    name: str
    about: str
    title: str
    caption: str
    alt: str
    draw: Callable[[], Figure]
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    paper: bool = True

    @property
    def file(self) -> str:
        """The name of its files, without suffix."""
        return re.sub(r"[^\w.-]+", "-", f"{self.name}-{self.about}".strip("-"))
