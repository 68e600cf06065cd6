"""Figures of flatness: over the radius, over epochs, and beside the robust generalization gap.

Whole, because it is a list: each figure is a function of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..pages.drawing import BLUE, MARKERS, MODEL_COLOURS, RED, new_figure, shades
from ..pages.figure import Drawing
from .answers import OUTSIDE, PARTS, Profile
from .curves import (
    SHAPES,
    at_radius,
    band,
    correlated,
    headed,
    interval,
    numbers,
    over_epochs,
    shade,
    share_y,
    spread,
)
from .study import RunStudy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def robust_memorization(
    run: RunStudy, profiles: Mapping[str, Mapping[str, Profile]], proved: bool
) -> Drawing:
    """Gradient norm and loss change over the radius, around training and test points."""
    # Whole, because it is one figure: panels, numbers and caption.
    radius = run.config.radius

    def draw() -> Figure:
        figure, panels = new_figure(9.6, 3.7, 2)
        for axes, curve in zip(panels, ("gradient", "change"), strict=True):
            for model, parts in profiles.items():
                for part in PARTS:
                    values = getattr(parts[part], curve)
                    style: dict[str, Any] = {
                        "linestyle": "-" if part == "train" else "--",
                        "color": MODEL_COLOURS[model],
                    }
                    label = f"{model}, {PARTS[part]}"
                    band(
                        axes,
                        parts[part].radii,
                        values,
                        label,
                        marker=SHAPES[model],
                        floor=1e-4,
                        **style,
                    )
            shade(axes, radius)
            axes.set_yscale("log")
            axes.set_xlabel("radius of the ball")
            axes.set_ylabel(
                {
                    "gradient": "mean of max ||grad L||, dual norm",
                    "change": "mean of max loss change",
                }[curve]
            )
        panels[1].legend(fontsize=8)
        return figure

    first = next(iter(profiles.values()))["train"].radii
    columns = headed(
        [
            f"{curve}, {m}, {PARTS[p]}"
            for curve in ("gradient", "change")
            for m in profiles
            for p in PARTS
        ]
    )
    rows = [
        [
            r,
            *numbers(
                [
                    getattr(profiles[m][p], curve)[k]
                    for curve in ("gradient", "change")
                    for m in profiles
                    for p in PARTS
                ]
            ),
        ]
        for k, r in enumerate(first)
    ]
    contrast = run.profiles[run.run.epoch]["train"].contrast
    found = (
        "is 0"
        if contrast is None
        else f"grows {interval(contrast)} times from the training radius to {OUTSIDE:g} times it"
    )
    caption = (
        "Mean over points of the largest dual norm of the loss gradient (left) and of the largest "
        "rise of the loss (right) "
        "found in balls of growing radius: empirical lower bounds of the maxima, with 95% "
        "bootstrap intervals over points. "
        f"Shaded: the training radius. Around training points the learned network's gradient "
        f"{found} (estimate). Values below "
        "1e-4 are drawn there."
    )
    if proved:
        caption += (
            " f_S is constant on every training ball, by proof: its gradient there is exactly 0."
        )
    alt = (
        f"Gradient norm and loss change against the radius, on logarithmic scales, for "
        f"{', '.join(profiles)}; around training "
        f"points the learned network's gradient {found}."
    )
    return Drawing(
        "robust-memorization",
        run.name,
        f"Robust memorization: {run.name} ({run.data})",
        caption,
        alt,
        draw,
        ["radius", *columns],
        rows,
    )


def learning_process(run: RunStudy) -> Drawing:
    """Gradient norm over the radius, one curve an epoch."""
    # Whole, because it is one figure: panels, numbers and caption.

    def draw() -> Figure:
        figure, panels = new_figure(9.6, 3.7, 2)
        colours = shades(len(run.profiles))
        for axes, part in zip(panels, PARTS, strict=True):
            for colour, marker, (epoch, parts) in zip(
                colours, MARKERS * len(run.profiles), run.profiles.items(), strict=False
            ):
                band(
                    axes,
                    parts[part].radii,
                    parts[part].gradient,
                    f"epoch {epoch}",
                    marker=marker,
                    floor=1e-4,
                    color=colour,
                )
            shade(axes, run.config.radius)
            axes.set_yscale("log")
            axes.set_xlabel("radius of the ball")
            axes.set_title(f"around {PARTS[part]} points", fontsize=10)
        share_y(panels)
        panels[0].set_ylabel("mean of max ||grad L||, dual norm")
        panels[1].legend(fontsize=8)
        return figure

    columns = headed(
        [f"gradient, {PARTS[part]}, epoch {epoch}" for part in PARTS for epoch in run.profiles]
    )
    radii = run.profiles[run.run.epoch]["train"].radii
    rows = [
        [
            r,
            *numbers(
                [parts[part].gradient[k] for part in PARTS for parts in run.profiles.values()]
            ),
        ]
        for k, r in enumerate(radii)
    ]
    first, last = min(run.profiles), max(run.profiles)
    said = "; ".join(
        f"around {PARTS[part]} points {changed(run, part, first, last)}" for part in PARTS
    )
    caption = (
        "Mean over points of the largest dual norm of the loss gradient found in balls of growing "
        "radius, after several "
        f"epochs: empirical lower bounds, 95% bootstrap intervals. Within the training radius "
        f"(shaded), from epoch {first} to "
        f"{last}: {said}."
    )
    epochs = ", ".join(map(str, run.profiles))
    alt = (
        f"Gradient norm against the radius after epochs {epochs}, around training and test "
        f"points: {said}."
    )
    return Drawing(
        "learning-process",
        run.name,
        f"Learning process: {run.name} ({run.data})",
        caption,
        alt,
        draw,
        ["radius", *columns],
        rows,
    )


def changed(run: RunStudy, part: str, first: int, last: int) -> str:
    """How the curve within the training radius changes between two epochs."""
    grid = run.profiles[first][part].radii
    radii = [k for k, r in enumerate(grid) if r <= run.config.radius]
    a, b = ([run.profiles[epoch][part].gradient[k].value for k in radii] for epoch in (first, last))
    falls = sum(after < before for before, after in zip(a, b, strict=True))
    half = len(radii) // 2
    return (
        f"it falls at {falls} of {len(radii)} radii (at {grid[half]:.3g} from {a[half]:.3g} to "
        f"{b[half]:.3g}, at the training "
        f"radius itself from {a[-1]:.3g} to {b[-1]:.3g})"
    )


def flatness(run: RunStudy) -> Drawing:
    """Local and global flatness over epochs, with accuracies beside."""
    # Whole, because it is one figure: panels, numbers and caption.
    epochs = list(run.profiles)
    curves = {part: [at_radius(run, epoch, part) for epoch in epochs] for part in PARTS}
    inside = run.profiles[epochs[0]]["train"].radii.index(run.config.radius)
    errors = {
        (part, kind): [
            run.profiles[e][part].clean_error
            if kind == "clean"
            else run.profiles[e][part].wrong[inside]
            for e in epochs
        ]
        for part in PARTS
        for kind in ("clean", "robust")
    }

    def draw() -> Figure:
        figure, panels = new_figure(9.6, 3.7, 2)
        for part, colour, marker in (("train", BLUE, "o"), ("test", RED, "s")):
            name = "local (training points)" if part == "train" else "global (test points)"
            band(panels[0], epochs, curves[part], name, marker=marker, color=colour)
            for kind, line in (("robust", "-"), ("clean", "--")):
                values = errors[part, kind]
                band(
                    panels[1],
                    epochs,
                    values,
                    f"{kind}, {PARTS[part]}",
                    marker=marker,
                    scale=100,
                    color=colour,
                    linestyle=line,
                )
        panels[0].set_ylabel("mean of max ||grad L|| (low: flat)")
        panels[1].set_ylabel("error (%)")
        for axes in panels:
            over_epochs(axes, 8)
        return figure

    columns = headed(
        [
            "local flatness",
            "global flatness",
            *(f"{kind} error, {PARTS[part]}" for part, kind in errors),
        ]
    )
    rows = [
        [e, *numbers([*(c[k] for c in curves.values()), *(c[k] for c in errors.values())])]
        for k, e in enumerate(epochs)
    ]
    points = run.profiles[epochs[0]]["train"].gradient[0].total
    caption = (
        f"Left: mean over {points} points of the largest gradient norm found within the training "
        f"radius (empirical lower "
        "bounds): low is flat. Right: errors on the same points; clean: exact, robust: at least, "
        "by the same searches. 95% "
        "intervals over points."
    )
    told = (
        f"{name} from {c[0].value:.3g} to {c[-1].value:.3g}"
        for name, c in zip(("local", "global"), curves.values(), strict=True)
    )
    alt = f"Flatness over the epochs: {', '.join(told)}; errors beside."
    return Drawing(
        "flatness",
        run.name,
        f"Local and global flatness: {run.name} ({run.data})",
        caption,
        alt,
        draw,
        ["epoch", *columns],
        rows,
    )


def gap(run: RunStudy) -> Drawing:
    """Robust generalization gap against global flatness, a point an epoch."""
    epochs = list(run.profiles)
    flat = [at_radius(run, epoch, "test") for epoch in epochs]
    gaps = [run.gaps[epoch] for epoch in epochs]
    found = correlated(flat, gaps)

    def draw() -> Figure:
        figure, (axes,) = new_figure(7.2, 3.9)
        for k, epoch in enumerate(epochs):
            x, y = flat[k], gaps[k]
            axes.errorbar(
                [x.value],
                [100 * y.value],
                xerr=spread(x),
                yerr=100 * spread(y),
                fmt="o",
                color=BLUE,
                markersize=4,
                elinewidth=0.8,
            )
            axes.annotate(
                str(epoch),
                (x.value, 100 * y.value),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=8,
            )
        axes.set_xlabel("global flatness: mean of max ||grad L||, test points")
        axes.set_ylabel("robust generalization gap (points)")
        return figure

    stated = "not defined for so few epochs" if found is None else interval(found)
    caption = (
        "Robust test error minus robust training error, both as found by the same searches (an "
        "estimate: the difference of "
        f"two lower bounds), against global flatness (large: steep); numbers at the points are "
        f"epochs. Correlation: {stated} "
        "(95% bootstrap over epochs, which are not independent). Bars: 95% over points."
    )
    alt = (
        f"Gap against global flatness for epochs {', '.join(map(str, epochs))}; "
        f"correlation {stated}."
    )
    rows = [[e, *numbers([flat[k], gaps[k]])] for k, e in enumerate(epochs)]
    return Drawing(
        "gap",
        run.name,
        f"Gap against global flatness: {run.name} ({run.data})",
        caption,
        alt,
        draw,
        ["epoch", *headed(["global flatness", "robust generalization gap"])],
        rows,
    )
