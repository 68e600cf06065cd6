"""A network on the plane, drawn: its output by colour, the points that it was made for, and their
balls. Red is positive (class +1), blue negative (class -1), in all pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, Rectangle

from constructions import Ball, ReLUNetwork
from constructions.internal import box_of, check_ball, check_labels, read_rows

from ..behaviour.zones import outer_radius
from ..quantities.reading import read_network
from .drawing import new_figure

SIGNED = "RdBu_r"
"""Colours of an output with a sign."""

POSITIVE, NEGATIVE = "#B2182B", "#2166AC"
"""The same two for lines."""

SIGNS = "output (red > 0: class +1, blue < 0: class -1)"
"""What the colour bar calls it."""

CLASSES = [
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#999999",
    "#332288",
    "#882255",
]
"""Of classes 0, 1, ...; from the tenth on again."""

MARKERS = "soD^vPX*<>"
"""Of the same classes; squares are -1 and circles +1 where labels have a sign."""


def plot_plane(
    network: Any,
    box: Any = (0.0, 1.0),
    *,
    points: Any = None,
    labels: Any = None,
    ball: Ball | None = None,
    output: int | None = None,
    reach: float | None = None,
    steps: int = 401,
    axes: Axes | None = None,
) -> Axes:
    """Draw a network of two inputs: its output by colour, and the line where it is 0.

    Red is positive (class +1), blue negative (class -1); of K outputs the class of the largest is
    shown. A slice that `on_plane` made has the axes s and t, and its three points are marked. The
    values are those at steps x steps points; `plot_regions` draws the exact pieces.

    Args:
        network: what `read_network` reads, with two inputs.
        box: lower and upper corner, numbers or pairs.
        points: (N, 2), to be marked, or None.
        labels: (N,), -1 (square) and +1 (circle), or 0..K-1; None: all alike.
        ball: drawn around each point; None: none. If the network is an f_S for it, its shell's
            outer border is drawn, too (dotted).
        output: which output is drawn; None: the only one, or the class of the largest.
        reach: colours are full from an absolute value of so much on; None: the largest.
        steps: points of the grid a side.
        axes: where to draw; None: on a figure of its own, `.figure` of what is returned.

    Returns:
        The axes.

    Raises:
        ValueError: for another number of inputs, an output that there is not, points, labels or a
            box that do not fit.
        TypeError: for what is no network or no ball.

    Cost: steps^2 evaluations.

    Example:
        >>> from constructions import Ball, affine, f_S
        >>> points, labels, ball = [[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball("inf", 0.125)
        >>> f = f_S(affine([[4.0, 0.0]], [-2.0]), points, labels, ball)
        >>> axes = plot_plane(f, points=points, labels=labels, ball=ball, steps=21)
        >>> [text.get_text() for text in axes.get_legend().get_texts()]
        ['output = 0', 'label -1', 'label +1', 'ball, radius 0.125', 'outer border of the shell']
        >>> axes.figure.savefig("plane.png")
    """
    network = read_network(network)
    if network.inputs != 2:
        raise ValueError(
            f"network must have 2 inputs to be drawn on a plane, got {network.inputs}: restrict it "
            f"by constructions.on_plane"
        )
    if output is not None and not 0 <= output < network.outputs:
        raise ValueError(f"output must be in 0..{network.outputs - 1}, got {output}")
    lower, upper = (end.astype(float) for end in box_of(box, 2))
    axes = new_figure(6.4, 5.4)[1][0] if axes is None else axes
    lines = [
        torch.linspace(a, b, steps, dtype=torch.float64)
        for a, b in zip(lower.tolist(), upper.tolist(), strict=True)
    ]
    with torch.no_grad():
        found = network(torch.cartesian_prod(*lines)).reshape(steps, steps, -1)
    sides = (lower[0], upper[0], lower[1], upper[1])
    shown = 0 if output is None and network.outputs == 1 else output
    if shown is None:
        axes.imshow(class_colours(axes, found.argmax(-1).T.numpy()), origin="lower", extent=sides)
    else:
        values = found[:, :, shown].T.numpy()
        top = reach or float(np.abs(values).max()) or 1.0
        image = axes.imshow(values, origin="lower", extent=sides, cmap=SIGNED, vmin=-top, vmax=top)
        if float(values.min()) < 0 < float(values.max()):
            x, y = (line.numpy() for line in lines)
            axes.contour(x, y, values, levels=[0.0], colors="black", linewidths=1.1)
            axes.plot([], [], color="black", linewidth=1.1, label="output = 0")
        label = SIGNS if network.outputs == 1 else f"output {shown} (red > 0, blue < 0)"
        axes.figure.colorbar(image, ax=axes, shrink=0.85, label=label)
    mark(axes, network, points, labels, ball)
    axes.set(xlim=sides[:2], ylim=sides[2:], aspect="equal")
    axes.locator_params(nbins=5)
    axes.grid(visible=False)
    return axes


def mark(
    axes: Axes,
    network: ReLUNetwork,
    points: Any = None,
    labels: Any = None,
    ball: Ball | None = None,
) -> None:
    """Names of the axes, given points with their balls, the points of a slice, and a legend."""
    names = slice_names(network)
    axes.set(xlabel="s" if names else "x₁", ylabel="t" if names else "x₂")
    corners = (((0, 0), (4, 5), "left"), ((1, 0), (-4, 5), "right"), ((0, 1), (4, -11), "left"))
    for name, (place, offset, side) in zip(names, corners, strict=False):
        axes.plot(*place, "X", color="black", markeredgecolor="white", markersize=8, clip_on=False)
        look: Any = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.7}
        axes.annotate(
            name, place, offset, textcoords="offset points", ha=side, fontsize=9, bbox=look
        )
    if points is None:
        if labels is not None or ball is not None:
            raise ValueError("points must be given with labels or a ball, got None")
    else:
        _points(axes, network, points, labels, ball)
    handles, texts = axes.get_legend_handles_labels()
    if handles:
        below: Any = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "ncols": 2}
        axes.legend(handles, texts, fontsize=9, frameon=False, **below)


def slice_names(network: ReLUNetwork) -> Sequence[str]:
    """What `on_plane` or `on_segment` calls the points of a slice, at 0 and at the unit vectors."""
    facts = network.provenance.arguments if network.provenance else {}
    return str(facts["slice"]).split(", ") if "slice" in facts else ()


def _points(axes: Axes, network: ReLUNetwork, points: Any, labels: Any, ball: Ball | None) -> None:
    places = read_rows(points)
    if places.shape[1] != 2:
        raise ValueError(f"points must have shape (N, 2), got {tuple(places.shape)}")
    known = None if labels is None else check_labels(labels, len(places), network.outputs)
    for label in [None] if known is None else sorted(set(known.tolist())):
        chosen = places if known is None else places[known == label]
        marker = "o" if label is None else MARKERS[max(0, label) % len(MARKERS)]
        name = f"label {label:+}" if network.outputs == 1 and label else "points"
        name = f"label {label}" if network.outputs > 1 and label is not None else name
        style: Any = {"color": "black", "markeredgecolor": "white", "markersize": 5}
        axes.plot(*chosen.T.numpy(), linestyle="", marker=marker, label=name, **style)
    if ball is None:
        return
    check_ball(ball)
    rings = [(ball.radius, "-", f"ball, radius {ball.radius:g}")]
    if network.provenance and "outer" in network.provenance.arguments:
        rings.append((outer_radius(network, ball), ":", "outer border of the shell"))
    for radius, line, name in rings:
        for x, y in places.tolist():
            shape = (
                Rectangle((x - radius, y - radius), 2 * radius, 2 * radius)
                if ball.p == math.inf
                else Circle((x, y), radius)
            )
            shape.set(fill=False, linestyle=line, linewidth=0.8)
            axes.add_patch(shape)
        axes.plot([], [], color="black", linestyle=line, linewidth=0.8, label=name)


def class_colours(axes: Axes, winners: np.ndarray) -> np.ndarray:
    """The colour of each of the classes, (red, green, blue), faded; named in the legend."""
    faded = np.array([[0.45 * c + 0.55 for c in to_rgb(colour)] for colour in CLASSES])
    for k in np.unique(winners).tolist():
        colour = faded[k % len(CLASSES)]
        axes.plot([], [], linestyle="", marker="s", color=colour, label=f"class {k}")
    return faded[winners % len(CLASSES)]
