"""Figures of comparisons, counts and single networks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from constructions import ReLUNetwork

from ..behaviour.flatness import FlatnessProfile
from ..quantities.measured import Measured
from .drawing import MODEL_COLOURS, ink, muted, new_figure, paper
from .page import between, percent

if TYPE_CHECKING:  # half a second of imports, left to the functions that draw
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES: Any = {  # nested widths, so that curves that coincide are all seen
    "f_clean": {"linewidth": 5.0, "solid_capstyle": "butt"},
    "f_adv": {"linewidth": 3.0},
    "f_S": {"linewidth": 1.4, "marker": "o", "markersize": 3},
    "learned": {"linewidth": 1.4, "marker": "s", "markersize": 3},
}


def error_figure(
    errors: Mapping[str, Mapping[str, Measured]], roles: Sequence[str] | None = None
) -> Figure:
    """Bars of the errors of several models, by what they are called; their colours are those of
    their roles. A robust error shows what is proved: from its lower to its upper bound.
    """
    groups = ["clean train", "clean test", "robust train", "robust test"]
    figure, (axes,) = new_figure(7.2, 3.4)
    width = 0.8 / len(errors)
    for k, (model, values) in enumerate(errors.items()):
        colour = MODEL_COLOURS[roles[k] if roles else model]
        places = np.arange(len(groups)) + (k - (len(errors) - 1) / 2) * width
        heights = [100 * values[group].value for group in groups]
        axes.bar(places, heights, width * 0.92, color=colour, label=model)
        for place, height, group in zip(places, heights, groups, strict=True):
            upper = values.get(f"{group} upper")
            if upper is not None and 100 * upper.value > height:
                axes.plot(
                    [place, place],
                    [height, 100 * upper.value],
                    color=colour,
                    linewidth=1.2,
                    alpha=0.7,
                )
                axes.plot(
                    [place],
                    [100 * upper.value],
                    marker="_",
                    color=colour,
                    markersize=8,
                )
            lower, open_ = values[group], upper is None or upper.value > values[group].value
            label = (percent(lower) if open_ else between(lower, lower))[:-1]
            label = label if height >= 0.05 else "0"
            # over the line up to the upper bound
            clear = {"facecolor": paper(), "edgecolor": "none", "pad": 0.6}
            axes.text(place, height + 1, label, ha="center", va="bottom", fontsize=7.5, bbox=clear)
    axes.set_xticks(range(len(groups)), groups)
    axes.set_ylabel("error (%)")
    axes.set_ylim(0, 108)
    axes.grid(axis="x", visible=False)
    # above bars of any height
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, fontsize=9, frameon=False)
    return figure


def flatness_figure(
    profiles: Mapping[str, Mapping[str, FlatnessProfile]],
    radius: float,
    outer: float,
    learned: str = "learned",
) -> Figure:
    """Largest input gradient against radius, around training (left) and test points (right)."""
    figure, panels = new_figure(7.2, 3.3, 2)
    for axes, which in zip(panels, ("train", "test"), strict=True):
        for model, profile in profiles.items():
            values = np.maximum(profile[which].gradient.mean(0).cpu().numpy(), 1e-4)
            axes.plot(
                profile[which].radii,
                values,
                color=MODEL_COLOURS[model],
                label=learned if model == "learned" else model,
                **LINES[model],
            )
        axes.axvspan(0, radius, color="#0072B2", alpha=0.08, linewidth=0)
        axes.axvline(radius, color=muted(), linewidth=0.9, linestyle="--")
        axes.axvline(outer, color=muted(), linewidth=0.9, linestyle=":")
        axes.set_yscale("log")
        axes.set_xlabel("radius of the ball")
        axes.set_title(f"around {'training' if which == 'train' else 'test'} points", fontsize=10)
    low = min(axes.get_ylim()[0] for axes in panels)
    high = max(axes.get_ylim()[1] for axes in panels)
    for axes in panels:
        axes.set_ylim(low, high)
    panels[0].set_ylabel("mean of max dual norm of the loss gradient")
    panels[1].legend(fontsize=9, frameon=False)
    return figure


BASELINES = {"f_clean": "D", "one label everywhere": "|"}
"""Markers of what says little about agreement."""


def agreement_figure(
    table: Mapping[str, Measured],
    baselines: Mapping[str, Mapping[str, Measured]] | None = None,
    learned: str = "learned",
) -> Figure:
    """Label agreement of the learned and the constructed network, one bar a zone, and marks where
    baselines agree with the constructed one.
    """
    figure, (axes,) = new_figure(7.2, 0.9 + 0.42 * len(table))
    names = list(table)[::-1]
    values = [100 * table[name].value for name in names]
    axes.barh(names, values, color=MODEL_COLOURS["learned"], height=0.62, label=learned)
    for baseline, found in (baselines or {}).items():
        axes.plot(
            [100 * found[name].value for name in names],
            names,
            BASELINES[baseline],
            color=ink(),
            markerfacecolor=paper(),
            markersize=6 if baseline == "f_clean" else 15,
            label=baseline,
        )
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        right = max([value, *(100 * found[name].value for found in (baselines or {}).values())])
        axes.annotate(
            f"{value:.1f}%  (n={table[name].total})",
            (right, i),
            va="center",
            fontsize=8.5,
            xytext=(7, 0),
            textcoords="offset points",
        )
    axes.set_xlim(0, 125)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel("same predicted label as f_S (%)")
    axes.grid(axis="y", visible=False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=9)
    return figure


@dataclass(frozen=True)
class CountCurve:
    """Parameters of one network over sizes: what the legend calls it, and which network it is."""

    label: str
    network: str
    sizes: Sequence[float]
    parameters: Sequence[float]


@dataclass(frozen=True)
class CountPanel:
    """Curves over one size, which `over` names."""

    curves: list[CountCurve]
    over: str


def count_figure(panels: Sequence[CountPanel], title: str) -> Figure:
    """Parameters against N, D or both on log-log axes; labels of curves state their fitted
    exponents.
    """
    figure, every = new_figure(5.4 * len(panels) + 0.6, 4.2, len(panels))
    palette = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555"]
    markers = "osD^vPX"
    for axes, panel in zip(every, panels, strict=True):
        for k, curve in enumerate(panel.curves):
            style = {
                "color": palette[k % 7],
                "marker": markers[k % 7],
                "linestyle": "--" if curve.network == "f_adv" else "-",
            }
            axes.loglog(curve.sizes, curve.parameters, label=curve.label, markersize=4, **style)
        axes.set_xlabel(panel.over)
        axes.legend(fontsize=8.5, frameon=False)
    every[0].set_ylabel("parameters beyond f_clean's (measured)")
    figure.suptitle(title, fontsize=9)
    return figure


def network_figure(network: ReLUNetwork) -> Figure:
    """The unit graph (up to 80 units) and the function (one or two inputs, one output shown) side
    by side.

    Networks that are too large for either show the units of each layer.
    """
    draw_graph = network.size.units + network.inputs + network.outputs <= 80
    draw_function = network.inputs <= 2
    panels = int(draw_graph) + int(draw_function)
    figure, axes = new_figure(5.2 * max(1, panels), 4.2, max(1, panels))
    if draw_graph:
        _draw_graph(network, axes[0])
    if draw_function:
        _draw_function(network, axes[-1])
    if not panels:
        hidden = [float(width) for width in network.hidden]
        axes[0].bar(range(1, len(hidden) + 1), hidden, color="#0072B2")
        axes[0].set_yscale("log")
        axes[0].set_xlabel("hidden layer")
        axes[0].set_ylabel("units")
    return figure


def _draw_graph(network: ReLUNetwork, axes: Axes) -> None:
    from .planes import NEGATIVE, POSITIVE

    graph = network.graph()
    counts: dict[int, int] = {}
    for layer, _ in graph.nodes:
        counts[layer] = counts.get(layer, 0) + 1
    place = {(layer, i): (layer, (counts[layer] - 1) / 2 - i) for layer, i in graph.nodes}
    largest = max((abs(w) for _, _, w in graph.edges(data="weight")), default=1.0)
    for a, b, weight in graph.edges(data="weight"):
        (x0, y0), (x1, y1) = place[a], place[b]
        strength = 0.5 + 1.8 * abs(weight) / largest
        axes.plot(
            [x0, x1],
            [y0, y1],
            color=POSITIVE if weight > 0 else NEGATIVE,
            linewidth=strength,
            alpha=0.6,
            zorder=1,
        )
    xs, ys = zip(*place.values(), strict=True)
    axes.scatter(xs, ys, s=42, color="white", edgecolors="#333333", zorder=2)
    last = len(network.layers)
    axes.set_xticks(range(last + 1), ["input", *[str(i) for i in range(1, last)], "output"])
    axes.set_yticks([])
    axes.grid(visible=False)
    for colour, label in ((POSITIVE, "weight > 0"), (NEGATIVE, "weight < 0 (thicker: larger)")):
        axes.plot([], [], color=colour, label=label)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2, fontsize=8)
    axes.set_title("units", fontsize=10)


def _draw_function(network: ReLUNetwork, axes: Axes) -> None:
    from .planes import plot_plane, slice_names

    names = slice_names(network)
    low, high = network.domain or ((-0.25, 1.25) if names else (-1.0, 1.0))
    low, high = max(low, -2.0), min(high, 2.0) if math.isfinite(high) else 1.0
    if network.inputs == 1:
        x = torch.linspace(low, high, 2049, dtype=torch.float64)
        for k in range(network.outputs):
            label = f"output {k}" if network.outputs > 1 else "value"
            axes.plot(x.numpy(), network(x[:, None])[:, k].numpy(), linewidth=1.4, label=label)
        for name, place in zip(names, (0.0, 1.0), strict=False):
            axes.axvline(place, color="black", linewidth=0.8, linestyle=":")
            top = axes.get_xaxis_transform()
            axes.annotate(name, (place, 0.01), xycoords=top, ha="left", fontsize=8)
        axes.set_xlabel("t" if names else "x")
        axes.legend(fontsize=8)
        axes.set_title("value", fontsize=10)
        return
    plot_plane(network, (low, high), output=0, steps=241, axes=axes)
    if network.outputs > 1:
        axes.set_title("value of the first output", fontsize=10)
