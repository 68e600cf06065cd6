"""Pictures of linear regions: cells coloured by the network's value, pieces outlined, level sets
and decision boundary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.tri import Triangulation

from constructions import Ball, LevelSet, LinearRegions

from .drawing import new_figure
from .planes import CLASSES, SIGNED, SIGNS, class_colours, mark, slice_names

RASTER = 3000
"""Cells from which on their outlines are drawn as pixels, also in vector files; colours always are.
"""

PIECE_LIMIT = 50_000
"""Most cells of which the linear pieces are outlined."""


def regions_figure(
    found: LinearRegions,
    boundary: LevelSet | None = None,
    levels: Sequence[LevelSet] = (),
    title: str = "",
) -> Figure:
    """The regions of a network with one or two inputs.

    One input: the function, with its breakpoints. Two: cells (thin lines), linear pieces (lines),
    level sets (dashed) and the decision boundary (black); colour is the output's value, or the
    class of the largest output. Raises ValueError else.
    """
    figure, (axes,) = new_figure(5.2, 4.9)
    plot_regions(found, boundary, levels, axes=axes)
    axes.set_title(title or str(found).split(" (")[0], fontsize=9)
    return figure


def plot_regions(
    found: LinearRegions,
    boundary: LevelSet | None = None,
    levels: Sequence[LevelSet] = (),
    *,
    points: Any = None,
    labels: Any = None,
    ball: Ball | None = None,
    reach: float | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Draw the linear regions of a network: cells in thin grey lines, pieces in black ones.

    One input: the function. Two: the output by colour, as `plot_plane` draws it, or the class of
    the largest output.

    Args:
        found: what `linear_regions` found, of one or two inputs.
        boundary: what `level_set` found, drawn as a thick line.
        levels: others, drawn dashed.
        points: (N, 2), to be marked; these three as for `plot_plane`.
        labels: of the points.
        ball: around each of them.
        reach: colours are full from an absolute value of so much on; None: the largest.
        axes: where to draw; None: on a figure of its own, `.figure` of what is returned.

    Returns:
        The axes.

    Raises:
        ValueError: for results that are not complete, or of more inputs.

    Example:
        >>> from constructions import linear_regions, multiplication
        >>> plot_regions(linear_regions(multiplication(2, 1), (-1, 1))).get_xlabel()
        'x₁'
    """
    # Whole, because it is one picture, layer upon layer.
    d = found.arrangement.d
    if not found.complete:
        raise ValueError(f"only complete results can be drawn, got: {found.method}")
    axes = new_figure(5.2, 4.9)[1][0] if axes is None and d < 3 else axes
    if d == 1 and axes is not None:
        _draw_function(axes, found)
        return axes
    if d != 2 or axes is None:
        raise ValueError(
            f"regions are drawn for networks with 1 or 2 inputs, got {d}; see "
            f"constructions.on_plane"
        )
    lattice, vertices = found.lattice, found.vertices.astype(float)
    if lattice is None:
        raise ValueError("regions are drawn from method 'lattice'")
    colours = None
    if found.maps.shape[1] == 1:
        values = _values(found, vertices)[:, 0]
        reach = reach or float(np.abs(values).max()) or 1.0
        triangles = lattice.simplices()[1]
        mesh = Triangulation(vertices[:, 0], vertices[:, 1], triangles)
        colours = axes.tripcolor(
            mesh, values, cmap=SIGNED, vmin=-reach, vmax=reach, shading="gouraud"
        )
        colours.set_rasterized(True)
    else:
        inside = (
            np.einsum("ckd,cd->ck", found.maps[:, :, :-1].astype(float), found.points.astype(float))
            + found.maps[:, :, -1]
        )
        colours_of = class_colours(axes, inside.argmax(axis=1))
        axes.add_collection(
            PolyCollection(
                [vertices[c] for c in found.polygons()], facecolor=colours_of, rasterized=True
            )
        )
    cells = LineCollection(
        list(vertices[lattice.edges.view.T]), colors="#00000030", linewidths=0.25
    )
    cells.set_rasterized(found.cells > RASTER)
    axes.add_collection(cells)
    if found.cells <= PIECE_LIMIT:
        axes.add_collection(
            LineCollection(_piece_borders(found, vertices), colors="#00000090", linewidths=0.5)
        )
    for level in levels:
        _draw_lines(axes, level, color="#333333", linewidth=0.9, linestyle=(0, (4, 2)))
    if boundary is not None:
        _draw_lines(axes, boundary, color="black", linewidth=1.8, label="decision boundary")
    if colours is not None:
        axes.figure.colorbar(colours, ax=axes, shrink=0.8, label=SIGNS)
    mark(axes, found.network, points, labels, ball)
    lower, upper = found.arrangement.lower, found.arrangement.upper
    axes.set(
        xlim=(lower[0], upper[0]),
        ylim=(lower[1], upper[1]),
        aspect="equal",
    )
    axes.grid(visible=False)
    return axes


def _draw_lines(axes: Axes, level: LevelSet, **style: Any) -> None:
    if level.faces:
        segments = list(level.segments.astype(float))
        axes.add_collection(LineCollection(segments, capstyle="round", **style))


def _piece_borders(found: LinearRegions, vertices: np.ndarray) -> list[np.ndarray]:
    """The edges between cells of different pieces."""
    lattice = found.lattice
    if lattice is None:
        return []
    owner, edge = lattice.children(2)
    order = np.argsort(edge, kind="stable")
    twice = np.flatnonzero(edge[order][1:] == edge[order][:-1])
    differ = found.piece[owner[order[twice]]] != found.piece[owner[order[twice + 1]]]
    chosen = edge[order[twice[differ]]]
    return list(vertices[lattice.edges.view.T[chosen]])


def _values(found: LinearRegions, vertices: np.ndarray) -> np.ndarray:
    """The network's values (V, outputs) at all vertices."""
    owner, vertex = found.corners
    maps = found.maps.astype(float)
    out = np.empty((len(vertices), maps.shape[1]))
    out[vertex] = (
        np.einsum("nkd,nd->nk", maps[owner, :, :-1], vertices[vertex]) + maps[owner, :, -1]
    )
    return out


def _draw_function(axes: Axes, found: LinearRegions) -> None:
    vertices = found.vertices.astype(float)
    order = np.argsort(vertices[:, 0])
    for k, y in enumerate(_values(found, vertices).T):
        marker = "." if found.cells <= 200 else None
        axes.plot(vertices[order, 0], y[order], color=CLASSES[k % len(CLASSES)], marker=marker)
    names = slice_names(found.network)
    low, high = float(vertices.min()), float(vertices.max())
    for name, place in zip(names, (0.0, 1.0), strict=False):
        if low <= place <= high:
            axes.axvline(place, color="black", linewidth=0.8, linestyle=":")
            top = axes.get_xaxis_transform()
            axes.annotate(name, (place, 1.01), xycoords=top, ha="center", fontsize=8)
    axes.set(xlabel="t" if names else "x", ylabel="network value")
