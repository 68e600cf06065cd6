"""The papers' figures, drawn from runs, with f_S in them; each with its numbers, and what the
papers say of theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from training import PatchRun

from ..pages.drawing import BLUE, MARKERS, MODEL_COLOURS, RED, SKY, muted, new_figure, shades
from ..pages.figure import Drawing
from ..quantities import statistics
from ..quantities.measured import Measured
from ..theory.feature_learning import phases
from .papers import FIGURES
from .study import OUTSIDE, Constructed, RunStudy, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHAPES = {"learned": "s", "f_clean": "^", "f_S": "o", "indicators": "D"}
PARTS = {"train": "training", "test": "test"}


def drawings(study: Study, names: Sequence[str] = FIGURES) -> list[Drawing]:
    """All figures of these names that the runs allow. Raises ValueError for an unknown name."""
    for name in names:
        if name not in FIGURES:
            raise ValueError(f"figure must be one of {', '.join(FIGURES)}, got {name!r}")
    found = [drawing for run in study.runs for drawing in of_run(study, run)] + list(
        capacity(study)
    )
    chosen = [drawing for name in names for drawing in found if drawing.name == name]
    taken: Counter[str] = Counter()
    for k, drawing in enumerate(chosen):
        taken[drawing.file] += 1
        if taken[drawing.file] > 1:
            chosen[k] = replace(drawing, about=f"{drawing.about}-{taken[drawing.file]}")
    return chosen


def of_run(study: Study, run: RunStudy) -> Iterator[Drawing]:
    """The figures of one run."""
    yield learning_curves(run)
    if not run.profiles:
        return
    built = next((built for built in study.constructed if built.learned == run.name), None)
    last = run.profiles[run.run.epoch]
    profiles = {"learned": last, **(built.profiles if built else {})}
    yield robust_memorization(run, profiles, built is not None and built.facts["proof"] == "proved")
    if len(run.profiles) > 1:
        yield learning_process(run)
        yield flatness(run)
        yield gap(run)
    yield margins(run, {"learned": run.distances, **(built.distances if built else {})})
    if built:
        yield radial(run, built)


# -- each figure -----------------------------------------------------------------------------------


def learning_curves(run: RunStudy) -> Drawing:
    """Errors over epochs, as the run measured them."""
    epochs = [line["epoch"] for line in run.run.epochs]
    kinds = {"clean": "accuracy", "robust": "robust_accuracy"}
    curves = {
        (part, kind): [error_of(line[part], key) for line in run.run.epochs]
        for part in PARTS
        for kind, key in kinds.items()
        if kind == "clean" or (run.robust and run.run.epochs[0][part][key] is not None)
    }
    attack = run.config.eval_attack
    first = run.run.epochs[0]
    where = f"{first['train']['points']:,} training and {first['test']['points']:,} test points"

    def draw() -> Figure:
        figure, (axes,) = new_figure(7.2, 3.5)
        for (part, kind), values in curves.items():
            style: dict[str, Any] = {
                "color": BLUE if part == "train" else RED,
                "linestyle": "-" if kind == "robust" else "--",
            }
            marker = "o" if part == "train" else "s"
            band(axes, epochs, values, f"{kind}, {PARTS[part]}", marker=marker, scale=100, **style)
        axes.set_xlabel("epoch")
        axes.locator_params(axis="x", integer=True)
        axes.set_ylabel("error (%)")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=9)
        return figure

    rows = [[e, *numbers([c[k] for c in curves.values()])] for k, e in enumerate(epochs)]
    by = (
        f"; robust: at least, by {attack} in the {run.config.ball} (empirical lower bounds)"
        if run.robust
        else " (exact)"
    )
    caption = f"Errors after each epoch on {where}{by}. Bands: 95% intervals."
    ends = spoken({f"{kind} {PARTS[part]}": values[-1] for (part, kind), values in curves.items()})
    alt = f"Training and test errors over the epochs; the last: {ends}."
    return Drawing(
        "learning-curves",
        run.name,
        f"Learning curves of {run.name} ({run.data})",
        caption,
        alt,
        draw,
        ["epoch", *headed([f"{kind} error, {PARTS[part]}" for part, kind in curves])],
        rows,
        run.robust,
    )


def robust_memorization(run: RunStudy, profiles: Mapping[str, Any], proved: bool) -> Drawing:
    """Gradient norm and loss change over the radius, around training and test points."""
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
            axes.set_xlabel("epoch")
            axes.locator_params(axis="x", integer=True)
            axes.set_ylim(bottom=0)
            axes.legend(fontsize=8)
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


def margins(run: RunStudy, distances: Mapping[str, Any]) -> Drawing:
    """Histograms of the distance to the nearest error."""
    radius = run.config.radius
    models = {model: found for model, found in distances.items() if found}

    def draw() -> Figure:
        figure, panels = new_figure(9.6, 3.5, 2)
        bins = np.linspace(0, 3 * radius, 25).tolist()
        for axes, part in zip(panels, PARTS, strict=True):
            for model, found in models.items():
                upper = [
                    3 * radius if value is None else min(value, 3 * radius)
                    for value in found[part]["upper"]
                ]
                axes.hist(
                    upper,
                    bins=bins,
                    histtype="step",
                    color=MODEL_COLOURS[model],
                    linewidth=1.8,
                    label=model,
                )
                if found[part]["lower"] is not None:
                    lower = np.minimum(found[part]["lower"], 3 * radius)
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
            least, most = found[part]["small"]
            least = Measured.from_json(least)
            bound = "" if most is None else f", at most {100 * most['value']:.1f}% (certified)"
            said.append(
                f"{model}, {PARTS[part]}: at least {100 * least.value:.1f}% ({least.kind}){bound}"
            )
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
        f"{model}, {PARTS[part]}, {end}": found[part][end]
        for model, found in models.items()
        for part in PARTS
        for end in ("upper", "lower")
        if found[part][end] is not None
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
    radii = built.radial["radii"]
    curves = {
        part: {
            model: [Measured.from_json(m) for m in values]
            for model, values in built.radial[part].items()
        }
        for part in PARTS
    }

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

    shares = {part: built.shares[part]["share"] for part in PARTS}
    said = "; ".join(
        f"{PARTS[p]} points: {'not identified' if s is None else interval(Measured.from_json(s))}"
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


def feature_learning(run: PatchRun) -> Drawing:
    """The signal and the noise that the papers' two-layer network learns on patch-structured data,
    over its steps.
    """
    config, found = run.config, phases(run)
    step, signal = run.curves["step"], config.scales.alpha**3 * run.curves["U"]
    noise = run.curves["V"]

    def draw() -> Figure:
        figure, (axes,) = new_figure(7.2, 3.6)
        seen = step >= 1
        x, learned, noises = (
            step[seen],
            np.maximum(signal[seen], 1e-6),
            np.maximum(noise[seen], 1e-6),
        )
        axes.plot(x, learned, color=BLUE, label="signal: alpha^3 U")
        axes.plot(x, np.median(noises, 1), color=RED, linestyle="--", label="noise: median V_i")
        axes.fill_between(x, noises.min(1), noises.max(1), color=RED, alpha=0.18, linewidth=0)
        for end in (found.signal_learned, found.noise_begins, found.noise_memorized):
            if end is not None:
                axes.axvline(end, color=muted(), linewidth=0.9, linestyle=":")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("step of gradient descent")
        axes.set_ylabel("part of the output")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=9)
        return figure

    ends = (
        f"T_0 = {found.signal_learned}, end of phase II = {found.noise_begins}, "
        f"T_1 = {found.noise_memorized}"
    )
    errors = run.errors
    told = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in errors.items())
    caption = (
        f"The two-layer cubic network on patch-structured data (d = {config.d}, N = {config.N}, P "
        f"= {config.P}, m = "
        f"{config.m}, lambda = {config.robust_weight:g}, seed {config.seed}): what it has learned "
        f"of the signal, and of each "
        f"training point's noise (shaded: all points), in floating point. Dotted: {ends}; "
        f"predicted orders with constants 1: "
        f"T_0 = {found.predicted[0]:.3g}, T_1 = {found.predicted[1]:.3g}. At the end: {told} (test "
        f"errors: estimates from "
        "random points). Values below 1e-6 are drawn there."
    )
    rows = [
        [int(k), float(a), *map(float, (np.median(v), v.min(), v.max()))]
        for k, a, v in zip(step, signal, noise, strict=True)
    ]
    alt = (
        "Signal and noise over the steps, both axes logarithmic: the signal is learned first, "
        f"then the noise. {ends}."
    )
    columns = ["step", "alpha^3 U", "median V_i", "least V_i", "largest V_i"]
    return Drawing(
        "feature-learning",
        f"d{config.d}-seed{config.seed}",
        "Feature learning",
        caption,
        alt,
        draw,
        columns,
        rows,
    )


def capacity(study: Study) -> Iterator[Drawing]:
    """Errors at the end over the width, for runs that differ in nothing else."""
    groups: dict[str, list[RunStudy]] = {}
    for run in study.runs:
        same = {
            **run.config.to_json(),
            "width": None,
            "root": None,
            "device": None,
            "data": run.run.about["data"]["sha256"],
        }
        groups.setdefault(repr(sorted(same.items())), []).append(run)
    for runs in groups.values():
        runs = sorted(runs, key=lambda run: run.config.width)
        if len({run.config.width for run in runs}) > 1:
            yield capacity_of(runs)


def capacity_of(runs: Sequence[RunStudy]) -> Drawing:
    """The figure of one sweep over width."""
    kinds = {
        "clean, training": ("train", "accuracy"),
        "clean, test": ("test", "accuracy"),
        "robust, training": ("train_sample", "robust_accuracy"),
        "robust, test": ("test", "robust_accuracy"),
    }
    kinds = {
        name: key
        for name, key in kinds.items()
        if (runs[0].robust or "clean" in name)
        and runs[0].run.final
        and runs[0].run.final[key[0]][key[1]] is not None
    }
    curves = {
        name: [error_of((run.run.final or {})[part], key) for run in runs]
        for name, (part, key) in kinds.items()
    }
    sizes = [run.parameters for run in runs]

    def draw() -> Figure:
        figure, (axes,) = new_figure(7.2, 3.6)
        for name, values in curves.items():
            test, robust = "test" in name, "robust" in name
            style: dict[str, Any] = {
                "color": RED if test else BLUE,
                "linestyle": "-" if robust else "--",
            }
            band(axes, sizes, values, name, marker="s" if test else "o", scale=100, **style)
        axes.set_xscale("log")
        axes.set_xlabel("parameters")
        axes.set_ylabel("error (%)")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=9)
        return figure

    config = runs[0].config
    data = runs[0].data.split(".")[0]
    caption = (
        f"{config.model} of widths {', '.join(f'{run.config.width:g}' for run in runs)}, otherwise "
        f"trained alike "
        f"({config.epochs} epochs, {config.ball}): errors at the end; robust: at least, by "
        f"{config.final_attack} (empirical "
        "lower bounds). 95% intervals over points."
    )
    alt = (
        "Errors over the number of parameters: "
        + "; ".join(
            f"{name} from {100 * c[0].value:.1f}% to {100 * c[-1].value:.1f}%"
            for name, c in curves.items()
        )
        + "."
    )
    rows = [
        [run.config.width, run.parameters, *numbers([c[k] for c in curves.values()])]
        for k, run in enumerate(runs)
    ]
    about = f"{data}-{config.model}-radius{config.radius:g}"
    return Drawing(
        "capacity",
        about,
        f"Capacity: {config.model} on {data}",
        caption,
        alt,
        draw,
        ["width", "parameters", *headed([f"{name} error" for name in curves])],
        rows,
    )


# -- drawing and telling ---------------------------------------------------------------------------


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


def error_of(found: Mapping[str, Any], key: str) -> Measured:
    """One minus a rate that a run measured, with its interval; robust ones are lower bounds."""
    total = int(found["points"])
    wrong = total - round(found[key] * total)
    return statistics.share(
        np.arange(total) < wrong, "exact" if key == "accuracy" else "empirical lower bound"
    )


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
    return ", ".join(f"{name} {100 * m.value:.1f}%" for name, m in values.items())


def headed(names: Sequence[str]) -> list[str]:
    """Columns of a CSV: a number, the ends of its interval, its kind."""
    return [f"{name}{end}" for name in names for end in ("", ", low", ", high", ", kind")]


def numbers(values: Sequence[Measured]) -> list[Any]:
    """What goes into these columns."""
    ends = ([m.value, *(m.interval or (None, None)), m.kind] for m in values)
    return [v for row in ends for v in row]
