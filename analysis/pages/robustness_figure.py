"""The figure of what robustness costs at every radius: sizes that are built and proved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from constructions.internal import Report, silent

from ..memorizers.costs import PAIRS, SHARES, MemorizationCost, memorization_costs
from .drawing import BLUE, GREEN, OLIVE, ORANGE, PINK, RED, SKY, ink, muted, new_figure
from .figure import Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "memorizer": GREEN,
    "grid_memorizer": SKY,
    "staged_grid_memorizer": OLIVE,
    "projected_memorizer": PINK,
    "nearest_neighbour": ORANGE,
    "narrow_memorizer": RED,
    "f_S": BLUE,
}
MARKS = dict(zip(COLOURS, "sDX^oPv", strict=True))


def robustness_cost(
    points: Any,
    labels: Any,
    about: str,
    shares: Sequence[float] = SHARES,
    *,
    kept: Path | None = None,
    report: Report = silent,
) -> Drawing:
    """Parameters over the radius, in both norms: each construction, the smallest, the lower bound.

    about: what the points are, for the caption. kept: where what is found is kept. Raises as
    `memorization_costs`.
    """
    # Whole, because it is one figure: panels, numbers and caption.
    costs = {
        norm: memorization_costs(points, labels, norm, shares, kept=kept, report=report)
        for norm in (2, "inf")
    }
    count, dimension = len(points), len(points[0])

    def draw() -> Figure:
        figure, panels = new_figure(9.6, 4.4, 2)
        for axes, (norm, rows) in zip(panels, costs.items(), strict=True):
            curves(axes, rows)
            axes.set_title(f"l_{norm} balls", fontsize=10)
        panels[0].set_ylabel("parameters (nonzero weights and biases)")
        named = {
            name: handle
            for axes in panels
            for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(named.values(), named, loc="outside lower center", ncols=4, fontsize=9)
        return figure

    every = [row for found in costs.values() for row in found]
    more = ", or too large to be built here" if len(points) ** 2 * dimension > PAIRS else ""
    if any(row.closed_forms for row in every):
        more += "; open marks are counted by a closed form, right by a theorem, not certified"
    told = "; ".join(course(rows) for rows in costs.values() if any(row.sizes for row in rows))
    caption = (
        f"Nonzero parameters of networks with the right label on all balls around {about} (N = "
        f"{count:,}, D = {dimension}), over the radius as a share rho of half the least distance "
        f"of points with different labels. Exact counts of networks that were built, each ball "
        f"proved; a construction is missing where it is not right on all balls{more}. The "
        f"smallest that is proved: {told}. Dashed: what networks for any N points in D "
        f"dimensions need at least (certified lower bound about the worst points, not about these)."
    )
    numbers = [
        [
            *(row.norm, row.rho, row.radius),
            *(row.sizes.get(name, "") for name in COLOURS),
            row.smallest or "",
            *("" if row.dense is None else row.dense, row.needed, row.needed_dense),
            "; ".join(f"{name}: {size}" for name, size in row.closed_forms.items()),
            "; ".join(f"{name}: {why}" for name, why in row.left_out.items()),
        ]
        for row in every
    ]
    return Drawing(
        "robustness-cost",
        about,
        "What robustness costs at every radius",
        caption,
        f"Parameters over the radius, both axes logarithmic: the smallest network grows {told}.",
        draw,
        [
            *("norm", "rho", "radius", *COLOURS, "smallest", "dense", "needed", "needed_dense"),
            *("closed form, not certified", "left out"),
        ],
        numbers,
        False,
    )


def course(rows: Sequence[MemorizationCost]) -> str:
    """The smallest networks at the ends, in words."""
    ends = [
        f"{row.sizes[row.smallest]:,} ({row.smallest}) at rho = {row.rho:g}"
        for row in rows
        if row.smallest
    ]
    return f"in l_{rows[0].norm} from {ends[0]} to {ends[-1]}"


def curves(axes: Axes, rows: Sequence[MemorizationCost]) -> None:
    """Each construction where its balls are proved, the smallest, and the lower bound."""
    best = [row for row in rows if row.smallest]
    axes.plot(
        [row.rho for row in best],
        [row.sizes[row.smallest] for row in best if row.smallest],
        color=ink(),
        linewidth=4,
        alpha=0.25,
        label="the smallest that is proved",
    )
    for name, colour in COLOURS.items():
        look: dict[str, Any] = {
            "color": colour,
            "marker": MARKS[name],
            "markersize": 5,
            "linewidth": 1.4,
        }
        proved = {row.rho: row.sizes[name] for row in rows if name in row.sizes}
        formed = {row.rho: row.closed_forms[name] for row in rows if name in row.closed_forms}
        if proved:
            axes.plot([*proved], [*proved.values()], label=name, **look)
        if formed:
            label = f"{name} (closed form)"
            axes.plot([*formed], [*formed.values()], label=label, fillstyle="none", **look)
    axes.plot(
        [row.rho for row in rows],
        [row.needed for row in rows],
        color=muted(),
        linestyle="--",
        label="needed for the worst points (lower bound)",
    )
    axes.set(xscale="log", yscale="log", xlabel="rho: radius over half the separation")
