"""Curves with their intervals, and numbers in words and in columns, for all figures of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..pages.drawing import SKY, muted
from ..pages.page import percent
from ..quantities import statistics
from ..quantities.measured import Measured
from .study import RunStudy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHAPES = {"learned": "s", "f_clean": "^", "f_S": "o", "indicators": "D"}


def band(
    axes: Axes,
    x: Sequence[float],
    values: Sequence[Measured],
    label: str,
    *,
    marker: str,
    scale: float = 1.0,
    floor: float | None = None,
    **style: Any,
) -> None:
    """A curve with its intervals."""

    def clear(numbers: Sequence[float]) -> np.ndarray:
        found = scale * np.array(numbers, dtype=float)
        return found if floor is None else np.maximum(found, floor)

    axes.plot(
        x,
        clear([m.value for m in values]),
        label=label,
        marker=marker,
        markersize=3.5,
        linewidth=1.4,
        **style,
    )
    low, high = (
        clear([m.interval[end] if m.interval else m.value for m in values]) for end in (0, 1)
    )
    axes.fill_between(x, low, high, color=style.get("color"), alpha=0.18, linewidth=0)


def shade(axes: Axes, radius: float) -> None:
    """Mark the training radius."""
    axes.axvspan(0, radius, color=SKY, alpha=0.12, linewidth=0)
    axes.axvline(radius, color=muted(), linewidth=0.9, linestyle="--")


def over_epochs(axes: Axes, size: int = 9) -> None:
    """Axes of numbers that are not negative, over whole epochs, with a legend."""
    axes.set_xlabel("epoch")
    axes.locator_params(axis="x", integer=True)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=size)


def share_y(panels: Sequence[Axes]) -> None:
    """Give all panels the same limits."""
    low, high = min(a.get_ylim()[0] for a in panels), max(a.get_ylim()[1] for a in panels)
    for axes in panels:
        axes.set_ylim(low, high)


def at_radius(run: RunStudy, epoch: int, part: str) -> Measured:
    """Flatness within the training radius."""
    profile = run.profiles[epoch][part]
    return profile.gradient[profile.radii.index(run.config.radius)]


def over(value: Measured, divisor: float) -> Measured:
    """A number and its interval divided by another."""
    low, high = value.interval or (value.value, value.value)
    return Measured(
        value.value / divisor, value.kind, None, value.total, (low / divisor, high / divisor)
    )


def correlated(first: Sequence[Measured], second: Sequence[Measured]) -> Measured | None:
    """The correlation of values, if there is one."""
    try:
        return statistics.correlation([m.value for m in first], [m.value for m in second])
    except ValueError:
        return None


def spread(value: Measured) -> np.ndarray:
    """Lengths of the error bars."""
    low, high = value.interval or (value.value, value.value)
    return np.array([[max(0.0, value.value - low)], [max(0.0, high - value.value)]])


def interval(value: Measured) -> str:
    """A number with its interval.

    >>> interval(Measured(0.5, "estimate", interval=(0.25, 0.75)))
    '0.5 [0.25, 0.75]'
    """
    if value.interval is None:
        return f"{value.value:.3g}"
    return f"{value.value:.3g} [{value.interval[0]:.3g}, {value.interval[1]:.3g}]"


def spoken(values: Mapping[str, Measured]) -> str:
    """Errors in words."""
    return ", ".join(f"{name} {percent(m)}" for name, m in values.items())


def headed(names: Sequence[str]) -> list[str]:
    """Columns of a CSV: a number, the ends of its interval, its kind."""
    return [f"{name}{end}" for name in names for end in ("", ", low", ", high", ", kind")]


def numbers(values: Sequence[Measured]) -> list[Any]:
    """What goes into these columns."""
    ends = ([m.value, *(m.interval or (None, None)), m.kind] for m in values)
    return [v for row in ends for v in row]
