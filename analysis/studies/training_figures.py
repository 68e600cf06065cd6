"""Figures of training: errors over epochs and widths, as runs measured them; class regions over
epochs; feature learning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from training import PatchRun

from ..behaviour.planes import REACH
from ..pages.drawing import BLUE, RED, muted, new_figure
from ..pages.figure import Drawing
from ..quantities.measured import Measured
from ..theory.feature_learning import phases
from .answers import PARTS
from .curves import band, headed, numbers, over_epochs, spoken
from .recorded import Rates
from .study import RunStudy, Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def learning_curves(run: RunStudy) -> Drawing:
    """Errors over epochs, as the run measured them."""
    records = run.recorded.epochs
    epochs, first = [record.epoch for record in records], records[0].rates
    found = {
        (part, kind): errors_of([record.rates[part] for record in records], kind)
        for part in PARTS
        for kind in (("clean", "robust") if run.robust else ("clean",))
    }
    curves = {key: values for key, values in found.items() if values}
    attack = run.config.eval_attack
    where = f"{first['train'].points:,} training and {first['test'].points:,} test points"

    def draw() -> Figure:
        figure, (axes,) = new_figure(7.2, 3.5)
        for (part, kind), values in curves.items():
            style: dict[str, Any] = {
                "color": BLUE if part == "train" else RED,
                "linestyle": "-" if kind == "robust" else "--",
            }
            marker = "o" if part == "train" else "s"
            band(axes, epochs, values, f"{kind}, {PARTS[part]}", marker=marker, scale=100, **style)
        axes.set_ylabel("error (%)")
        over_epochs(axes)
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


def islands(run: RunStudy) -> Drawing:
    """Components and holes of class regions on planes, over epochs."""
    epochs, found = list(run.planes), list(run.planes.values())
    components, holes = ([one.total(k) for one in found] for k in (0, 1))
    looked = found[0].regions
    planes = f"{len(found[0].labels)} random planes through three training points"

    def draw() -> Figure:
        figure, (axes,) = new_figure(7.2, 3.5)
        axes.axhline(looked, color=muted(), linewidth=0.9, linestyle=":", label="one a label")
        axes.plot(epochs, components, color=BLUE, marker="o", label="components")
        axes.plot(epochs, holes, color=RED, linestyle="--", marker="s", label="holes")
        axes.set_ylabel("number on all planes")
        over_epochs(axes)
        return figure

    caption = (
        f"Where the network predicts the labels of the three points, on {planes} ({looked} pairs "
        f"of a plane and a label): connected components of these sets and their holes (Betti "
        f"numbers over Z/2 of closed sets, ties included; "
        f"{'exact' if all(one.certified for one in found) else 'estimates'}), after each epoch, in "
        f"the square from {REACH[0]:g} to {REACH[1]:g}, if the points are at (0, 0), (1, 0), "
        "(0, 1). "
        "The first layer of the network on a plane is rounded to float64."
    )
    alt = (
        f"Components and holes over the epochs: from {components[0]} and {holes[0]} to "
        f"{components[-1]} and {holes[-1]}, of {looked} regions."
    )
    rows = [
        [epoch, plane, label, *betti, one.kind]
        for epoch, one in run.planes.items()
        for plane, (labels, all_betti) in enumerate(zip(one.labels, one.betti, strict=True))
        for label, betti in zip(labels, all_betti, strict=True)
    ]
    return Drawing(
        "islands",
        run.name,
        f"Components of class regions: {run.name}",
        caption,
        alt,
        draw,
        ["epoch", "plane", "label", "components", "holes", "kind"],
        rows,
        False,
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
            "data": run.recorded.data.sha256,
        }
        groups.setdefault(repr(sorted(same.items())), []).append(run)
    for runs in groups.values():
        runs = sorted(runs, key=lambda run: run.config.width)
        if len({run.config.width for run in runs}) > 1:
            yield capacity_of(runs)


def capacity_of(runs: Sequence[RunStudy]) -> Drawing:
    """The figure of one sweep over width."""
    # Whole, because it is one figure: panels, numbers and caption.
    attacked = {"train": "train_sample", "test": "test"}
    found = {
        (kind, part): errors_of(
            [run.recorded.final.rates[part if kind == "clean" else attacked[part]] for run in runs],
            kind,
        )
        for kind in (("clean", "robust") if runs[0].robust else ("clean",))
        for part in PARTS
    }
    shown = {key: values for key, values in found.items() if values}
    curves = {f"{kind}, {PARTS[part]}": values for (kind, part), values in shown.items()}
    sizes = [run.parameters for run in runs]

    def draw() -> Figure:
        figure, (axes,) = new_figure(7.2, 3.6)
        for (kind, part), (name, values) in zip(shown, curves.items(), strict=True):
            style: dict[str, Any] = {
                "color": BLUE if part == "train" else RED,
                "linestyle": "-" if kind == "robust" else "--",
            }
            marker = "o" if part == "train" else "s"
            band(axes, sizes, values, name, marker=marker, scale=100, **style)
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


def errors_of(rates: Sequence[Rates], kind: str) -> list[Measured]:
    """Clean or robust errors, with their intervals; none where one was not measured."""
    found = [rate.clean_error if kind == "clean" else rate.robust_error for rate in rates]
    errors = [error for error in found if error is not None]
    return errors if len(errors) == len(found) else []


def feature_learning(run: PatchRun) -> Drawing:
    """The signal and the noise that the papers' two-layer network learns on patch-structured data,
    over its steps.
    """
    # Whole, because it is one figure: panels, numbers and caption.
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
    errors = run.errors.to_dict()
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
