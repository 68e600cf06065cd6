"""Figures of margins: distances to the nearest error, and margins along random rays."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from ..pages.drawing import MODEL_COLOURS, muted, new_figure
from ..pages.figure import Drawing
from ..pages.page import percent
from .answers import PARTS, Distances
from .curves import SHAPES, band, headed, interval, numbers, over, shade
from .study import Constructed, RunStudy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def margins(run: RunStudy, models: Mapping[str, Distances]) -> Drawing:
    """Histograms of the distance to the nearest error."""
    # Whole, because it is one figure: panels, numbers and caption.
    radius = run.config.radius

    def draw() -> Figure:
        figure, panels = new_figure(9.6, 3.5, 2)
        bins = np.linspace(0, 3 * radius, 25).tolist()
        for axes, part in zip(panels, PARTS, strict=True):
            for model, found in models.items():
                upper = [
                    3 * radius if value is None else min(value, 3 * radius)
                    for value in found.parts[part].upper
                ]
                axes.hist(
                    upper,
                    bins=bins,
                    histtype="step",
                    color=MODEL_COLOURS[model],
                    linewidth=1.8,
                    label=model,
                )
                known = found.parts[part].lower
                if known is not None:
                    lower = np.minimum(known, 3 * radius)
                    axes.hist(
                        lower,
                        bins=bins,
                        histtype="step",
                        color=MODEL_COLOURS[model],
                        linestyle=":",
                        linewidth=1.4,
                        label=f"{model}, certified",
                    )
            axes.axvline(radius, color=muted(), linewidth=0.9, linestyle="--")
            axes.set_xlabel("distance to the nearest error")
            axes.set_title(f"{PARTS[part]} points", fontsize=10)
        panels[0].set_ylabel("points")
        panels[1].legend(fontsize=8)
        return figure

    said = []
    for model, found in models.items():
        for part in PARTS:
            least, most = found.parts[part].small
            bound = "" if most is None else f", at most {percent(most)} (certified)"
            said.append(f"{model}, {PARTS[part]}: at least {percent(least)} ({least.kind}){bound}")
    caption = (
        "Distances from points to the nearest misclassified point of [0,1]^D: solid, from above, "
        "of the nearest one that an "
        "attack found (the last bin holds all beyond three training radii, and points where none "
        "was found); dotted, from "
        "below, certified by linear bounds, where these are feasible. Dashed: the training radius. "
        "Points nearer "
        "than that, mu: " + "; ".join(said) + "."
    )
    lists = {
        f"{model}, {PARTS[part]}, {end}": values
        for model, found in models.items()
        for part in PARTS
        for end, values in (
            ("upper", found.parts[part].upper),
            ("lower", found.parts[part].lower),
        )
        if values is not None
    }
    rows = [list(row) for row in zip_longest(*lists.values())]
    alt = (
        f"Histograms of distances to the nearest error around points, for {', '.join(models)}. "
        f"{'; '.join(said)}."
    )
    return Drawing(
        "margins",
        run.name,
        f"Distances to the boundary: {run.name} ({run.data})",
        caption,
        alt,
        draw,
        list(lists),
        rows,
    )


def radial(run: RunStudy, built: Constructed) -> Drawing:
    """Mean margin along random rays."""
    radii, curves = built.radial.radii, built.radial.curves

    def draw() -> Figure:
        figure, panels = new_figure(9.6, 3.5, 2)
        for axes, part in zip(panels, PARTS, strict=True):
            for model, values in curves[part].items():
                top = max(abs(m.value) for m in values) or 1.0
                scaled = [over(m, top) for m in values]
                label = model if top == 1.0 else f"{model} / {top:.3g}"
                band(axes, radii, scaled, label, marker=SHAPES[model], color=MODEL_COLOURS[model])
            shade(axes, run.config.radius)
            axes.set_xlabel("distance from the point")
            axes.set_title(f"around {PARTS[part]} points", fontsize=10)
            axes.legend(fontsize=8)
        panels[0].set_ylabel("mean margin / its largest")
        return figure

    shares = {part: built.shares[part].share for part in PARTS}
    said = "; ".join(
        f"{PARTS[p]} points: {'not identified' if s is None else interval(s)}"
        for p, s in shares.items()
    )
    caption = (
        "Mean margin at random points at a distance from training (left) and test points (right), "
        "each curve over its "
        "largest value; indicators: what f_S adds to f_clean. Estimates with 95% bootstrap "
        "intervals. Memorization share of "
        f"the learned network (1: like f_S, 0: like f_clean): {said}."
    )
    columns = headed([f"margin, {m}, {PARTS[p]}" for p in PARTS for m in curves[p]])
    rows = [
        [r, *numbers([v[k] for p in PARTS for v in curves[p].values()])]
        for k, r in enumerate(radii)
    ]
    alt = (
        f"Mean margins along random rays for {', '.join(curves['train'])}. "
        f"Memorization share: {said}."
    )
    return Drawing(
        "radial",
        run.name,
        f"Margins along rays: {run.name} ({run.data})",
        caption,
        alt,
        draw,
        ["radius", *columns],
        rows,
    )
