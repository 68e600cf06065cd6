"""The papers' inequality of representation complexity, clean < CGRO << robust, in numbers over the
dimension.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import TYPE_CHECKING

from constructions import CapacityRow, capacity_growth, capacity_table

from .drawing import BLUE, ORANGE, PINK, RED, muted, new_figure
from .figure import Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DELTA, POINTS, MU = 0.1, 1000, 0.01
DIMENSIONS = (*range(2, 41), *range(50, 100, 10), *range(100, 1001, 25))
NEAR = 40
"""Largest dimension of the left panel, which shows where the bounds cross."""


def lower_bound(dimensions: Sequence[int] = DIMENSIONS) -> Drawing:
    """Parameters over D on S_phi in l_inf: a clean classifier, f_S, an explicit robust network, and
    M_D, which any needs.

    dimensions: increasing, from 2. Raises ValueError for less than three of 50 and more, where the
    rates are fitted, and as `capacity_table`.

    >>> lower_bound([2, 20, 60, 80, 100]).rows[1][:4]
    [20, 19073486328125, 2, 1000]
    """
    # Whole, because it is one figure: panels, numbers and caption.
    rows = capacity_table(dimensions, DELTA, points=POINTS, mu=MU)
    far = [row for row in rows if row.dimension >= 50]
    if len(far) < 3:
        raise ValueError(f"dimensions must have three or more from 50 on, got {list(dimensions)}")
    growth = capacity_growth(far)
    crossings = {
        name: next(r.dimension for r in rows if r.lower > getattr(r, name))
        for name in ("clean", "cgro")
    }
    counted = max((row.dimension for row in rows if row.built), default=0)

    def draw() -> Figure:
        figure, panels = new_figure(9.6, 4.2, 2)
        for axes, shown in zip(
            panels, ([row for row in rows if row.dimension <= NEAR], rows), strict=True
        ):
            curves(axes, shown)
        panels[0].axvline(crossings["cgro"], color=muted(), linewidth=0.9, linestyle="--")
        panels[0].set_title(f"M_D > CGRO from D = {crossings['cgro']} on (dashed)", fontsize=10)
        panels[1].set_title(f"up to D = {rows[-1].dimension:,}", fontsize=10)
        panels[0].set_ylabel("parameters (nonzero weights and biases)")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9)
        return figure

    told = (
        f"over D = {far[0].dimension} to {far[-1].dimension}, M_D grows as "
        f"exp({growth.lower:.4f} D) (limit "
        f"log {math.ceil(1 / (2 * DELTA))} / 4 = {math.log(math.ceil(1 / (2 * DELTA))) / 4:.4f}), "
        f"the robust network as "
        f"exp({growth.robust:.3f} D), f_S as D^{growth.cgro:.3f}, f_clean as "
        f"D^{abs(growth.clean):.3f}"
    )
    caption = (
        f"Parameters that classify S_phi, points on both sides of x_D = 1/2 (l_inf, delta = "
        f"{DELTA:g}): f_clean = x_D - 1/2; "
        f"f_S, robust on {POINTS:,} of the points (all, if there are fewer); f_S on all of them, "
        f"robust on every ball (exact "
        f"counts: of built networks up to D = {counted}, by the building code on sizes beyond, "
        f"which is the closed form); M_D, "
        f"a certified lower bound for every ReLU network that is robust on all but {MU:g} of the "
        f"points, for the worst labels. "
        f"For small D it is trivial: it exceeds f_clean from D = {crossings['clean']} on, f_S from "
        f"D = {crossings['cgro']} on "
        f"(dashed). Fitted: {told}."
    )
    alt = (
        "Parameters over the dimension, vertical axes logarithmic: f_clean is constant, f_S grows "
        "linearly, the explicit "
        f"robust network exponentially; the certified lower bound crosses f_S at D = "
        f"{crossings['cgro']}. "
        f"{told[0].upper()}{told[1:]}."
    )
    names = [field.name for field in fields(CapacityRow)]
    return Drawing(
        "lower-bound",
        f"inf-{DELTA:g}",
        "Clean < CGRO << robust",
        caption,
        alt,
        draw,
        names,
        [list(astuple(row)) for row in rows],
        False,
    )


def curves(axes: Axes, rows: Sequence[CapacityRow]) -> None:
    """All four sizes over D; powers of ten beyond float64 are drawn by their logarithms."""
    x = [row.dimension for row in rows]
    built = [row for row in rows if row.built]

    def drawn(name: str, of: Sequence[CapacityRow]) -> list[float]:
        return [math.log10(max(1, getattr(row, name))) for row in of]

    axes.plot(
        x,
        drawn("robust", rows),
        color=RED,
        linewidth=1.4,
        label="robust: f_S on all points (closed form)",
    )
    axes.plot(
        [r.dimension for r in built],
        drawn("robust", built),
        color=RED,
        linestyle="",
        marker="s",
        markersize=4,
        label="the same, counted on built networks",
    )
    axes.plot(
        x,
        drawn("lower", rows),
        color=PINK,
        linewidth=1.8,
        linestyle="--",
        label="M_D: robust on $S_\\phi$, worst labels (certified lower bound)",
    )
    axes.plot(
        x,
        drawn("cgro", rows),
        color=BLUE,
        linewidth=1.4,
        label=f"CGRO: f_S on {POINTS:,} points (exact count)",
    )
    axes.plot(
        x,
        drawn("clean", rows),
        color=ORANGE,
        linewidth=1.4,
        linestyle="-.",
        label="f_clean = x_D - 1/2 (exact count)",
    )
    axes.set_xlabel("dimension D")
    axes.yaxis.set_major_formatter(lambda power, _: f"$10^{{{power:g}}}$")
