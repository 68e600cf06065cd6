"""The figure of feature learning: signal and noise over the steps on patch-structured data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training import PatchRun

from ..pages.drawing import BLUE, RED, muted, new_figure
from ..pages.figure import Drawing
from ..theory.feature_learning import phases

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
