"""Figures in a light and a dark theme. Colours are Okabe and Ito's, told apart by colour-blind
readers too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from constructions.internal import replacing, write_file

if TYPE_CHECKING:  # half a second of imports, left to the functions that draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, RED, GREEN, ORANGE, PINK, SKY, OLIVE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#CC79A7",
    "#56B4E9",
    "#8A7A00",
)
MARKERS = "osD^vP"

MODEL_COLOURS = {
    "learned": RED,
    "f_clean": ORANGE,
    "f_S": BLUE,
    "f_adv": GREEN,
    "indicators": GREEN,
}
"""Of the networks that figures compare; no figure has both greens."""

STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "cgro",
}

THEMES = {
    "light": ("#ffffff", "#1c1c1e", "#e4e4e4", "#555555"),
    "dark": ("#17181b", "#ececf0", "#3a3d44", "#b0b4bc"),
}
"""Of each theme: paper, ink, grid, and what is less important."""

_theme: ContextVar[str] = ContextVar("theme", default="light")


def style() -> Any:
    """Matplotlib's settings in the current theme."""
    paper, ink, grid, _ = THEMES[_theme.get()]
    inked = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    papered = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
    return {
        **STYLE,
        **dict.fromkeys(inked, ink),
        **dict.fromkeys(papered, paper),
        "grid.color": grid,
    }


def paper() -> str:
    """The colour behind everything."""
    return THEMES[_theme.get()][0]


def ink() -> str:
    """The colour of text."""
    return THEMES[_theme.get()][1]


def muted() -> str:
    """The colour of lines that only guide the eye."""
    return THEMES[_theme.get()][3]


def shades(count: int) -> list[Any]:
    """So many colours in order, all of which can be told from the paper."""
    from matplotlib import colormaps

    first = 0.0 if _theme.get() == "light" else 0.3
    return list(colormaps["viridis"]([first + 0.7 * k / max(1, count - 1) for k in range(count)]))


def new_figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of the given inches with one row of axes, independent of any display."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(style()):
        figure = Figure(figsize=(width, height))
        axes = figure.subplots(1, columns, squeeze=False)
    return figure, list(axes[0])


def save_figure(figure: Figure, path: Path) -> list[Path]:
    """Write a figure atomically; a path without suffix gives both .svg and .png."""
    paths = [path] if path.suffix else [path.with_suffix(".svg"), path.with_suffix(".png")]
    save_as(figure, paths)
    return paths


def check_drawn(path: Path) -> None:
    """Raise ValueError for a file that a figure cannot be written as."""
    if path.suffix.lower() not in {".svg", ".png", ".pdf"}:
        raise ValueError(f"figures are written as .svg, .png or .pdf, got {path}")


def save_as(figure: Figure, paths: Sequence[Path]) -> None:
    """Write a figure atomically under each name; the suffix says how. It is laid out once."""
    import matplotlib

    layout = figure.get_layout_engine()
    try:
        with matplotlib.rc_context(style()):
            for target in paths:
                check_drawn(target)
                with replacing(target) as temporary:
                    metadata = {"Date": None} if target.suffix == ".svg" else None
                    figure.savefig(temporary, dpi=160, metadata=metadata)
                figure.set_layout_engine("none")
    finally:
        if layout is not None:
            figure.set_layout_engine(layout)


def save_themes(draw: Callable[[], Figure], folder: Path, name: str) -> dict[str, Path]:
    """Draw in both themes and write NAME.svg, NAME.png, NAME-dark.svg and NAME-dark.png; gives the
    .svg of each theme.
    """
    import matplotlib

    found = {}
    for theme in THEMES:
        token = _theme.set(theme)
        try:
            with matplotlib.rc_context(style()):
                figure = draw()
                stem = name if theme == "light" else f"{name}-{theme}"
                found[theme] = folder / f"{stem}.svg"
                save_as(figure, [found[theme], folder / f"{stem}.png"])
        finally:
            _theme.reset(token)
    return found


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table atomically; numbers as they are, None as nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_file(path, text.getvalue())
