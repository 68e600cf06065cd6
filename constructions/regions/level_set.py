"""Level sets of a network, such as its decision boundary, as exact polyhedral faces."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import index
from typing import Any

import numpy as np
from torch import nn

from ..basics.progress import Report, counted, silent
from ..basics.renamed import renamed
from ..basics.result import Result, Said, said
from ..basics.shapes import LevelSegments, Numbers, Vertices
from ..networks.network import ReLUNetwork
from .counting import Arithmetic, arithmetic_of, linear_regions, network_on
from .result import in_short


@dataclass(frozen=True, repr=False)
class LevelSet(Result):
    """The set {f = level} in a box, as points (d = 1), segments (d = 2) or polygons (d = 3).

    Attributes:
        vertices: (V, d).
        faces: each as numbers of vertices; those of a polygon are in cyclic order.
        flat: cells on which f = level throughout; only their borders are listed.
        complete: as for `RegionCount`.
        certified: as for `RegionCount`.
        method: as for `RegionCount`.
    """

    vertices: Vertices
    faces: list[Numbers]
    flat: int
    complete: bool
    certified: bool
    method: str

    @property
    def segments(self) -> LevelSegments:
        """The faces of a network with two inputs as segments.

        Returns:
            Their ends, (faces, 2, 2), as matplotlib's `LineCollection` takes them.

        Raises:
            ValueError: for another number of inputs.

        Example:
            >>> from constructions import affine
            >>> sorted(level_set(affine([[1.0, 0.0]], [-0.5]), (0, 1)).segments[0].tolist())
            [[0.5, 0.0], [0.5, 1.0]]
        """
        d = self.vertices.shape[1]
        if d != 2:
            raise ValueError(f"segments are for networks with 2 inputs, got {d}")
        return self.vertices[np.array(self.faces, dtype=int).reshape(-1, 2)]

    def _says(self) -> tuple[str, dict[str, Said]]:
        kind = "exact" if self.certified and self.complete else "not certified"
        how, note = in_short(self.method)
        return f"points, segments or polygons; {how}", {
            "faces": said(len(self.faces), kind),
            "flat cells": said(self.flat, kind),
            **note,
        }


@renamed(arithmetic=arithmetic_of, report=counted)
def level_set(
    network: ReLUNetwork | nn.Module | str | os.PathLike[str],
    box: tuple[Any, Any],
    *,
    level: float = 0.0,
    output: int | tuple[int, int] = 0,
    arithmetic: Arithmetic = "floats",
    max_cells: int | None = None,
    max_seconds: float | None = None,
    report: Report = silent,
) -> LevelSet:
    """Find where a network's output equals a level: by default its decision boundary.

    For d <= 3 inputs. The output counts as one more unit, with exact weights, whose zeros are the
    faces.

    Args:
        network: as for `linear_regions`.
        box: as for `linear_regions`.
        level: the level.
        output: one output's number, or two (i, j) for f_i - f_j, the boundary between two classes.
        arithmetic: as for `linear_regions`.
        max_cells: as for `linear_regions`.
        max_seconds: as for `linear_regions`.
        report: as for `linear_regions`.

    Returns:
        A `LevelSet`.

    Raises:
        ValueError: for more than three inputs, an output that there is not, or a level that is not
            finite.

    Example:
        >>> from constructions import distance
        >>> found = level_set(distance([0.5, 0.5], "inf"), (0, 1), level=0.25)
        >>> (
        ...     len(found.faces),
        ...     sorted({float(x) for x in found.vertices[np.concatenate(found.faces)].ravel()}),
        ... )
        (4, [0.25, 0.75])
    """
    net = network_on(network, box)
    d = net.inputs
    if d > 3:
        raise ValueError(
            f"level sets are for networks with at most 3 inputs, got {d}; see on_plane"
        )
    extended = cut_at(net, output, level)
    found = linear_regions(
        extended,
        box,
        arithmetic=arithmetic,
        max_cells=max_cells,
        max_seconds=max_seconds,
        report=report,
    )
    lattice = found.lattice
    if lattice is None or not found.complete:
        return LevelSet(np.empty((0, d)), [], 0, False, False, found.method)
    vanishes = {
        k: (above.view[0] | below.view[0]) & np.uint64(1) == 0
        for k, (above, below) in lattice.sides.items()
    }
    owner, facet = lattice.children(d)
    steep = np.zeros(len(vanishes[d - 1]), dtype=bool)  # facets of some cell that is not flat
    steep[facet[~vanishes[d][owner]]] = True
    chosen_faces = np.flatnonzero(vanishes[d - 1] & steep)
    if d == 1:
        faces = list(chosen_faces[:, None])
    elif d == 2:
        faces = list(lattice.edges.view.T[chosen_faces])
    else:
        faces = lattice.cycles(chosen_faces)
    return LevelSet(
        found.vertices, faces, int(vanishes[d].sum()), True, found.certified, found.method
    )


def cut_at(network: ReLUNetwork, output: Any, level: float) -> ReLUNetwork:
    """The network with output - level as one more unit in a layer of its own; raises ValueError for
    an output that there is not and a level that is not finite.
    """
    try:
        pair = tuple(index(i) for i in (output if isinstance(output, Sequence) else (output,)))
    except TypeError as error:
        raise ValueError(f"output must be a number or two, got {output!r}") from error
    if (
        not 0 < len(pair) < 3
        or not all(0 <= i < network.outputs for i in pair)
        or len({*pair}) < len(pair)
    ):
        raise ValueError(
            f"output must be one or two different of 0..{network.outputs - 1}, got {output}"
        )
    if isinstance(level, Fraction) and Fraction(float(level)) != level:
        raise ValueError(f"level must be a number that float64 holds, got {level}")
    if not np.isfinite(float(level)):
        raise ValueError(f"level must be finite, got {level}")
    return _with_unit(network, pair, float(level))


def _with_unit(network: ReLUNetwork, pair: tuple[int, ...], level: float) -> ReLUNetwork:
    """The network whose output f_i - level, or f_i - f_j - level, is one more hidden unit, with
    exactly these weights.
    """
    layers = [
        (a.weight.to_dense().numpy(), a.bias.to_dense()[:, 0].numpy()) for a in network.layers
    ]
    (weight, bias), hidden = layers[-1], layers[:-1]
    first, second = (
        weight[pair[0]],
        weight[pair[1]] if len(pair) == 2 else np.zeros(weight.shape[1]),
    )
    offsets = [bias[pair[0]], -bias[pair[1]] if len(pair) == 2 else 0.0, -level]
    row, offset = first - second, math.fsum(offsets)
    rounded = any(
        Fraction(a) - Fraction(b) != Fraction(c) for a, b, c in zip(first, second, row, strict=True)
    )
    if rounded or sum(map(Fraction, offsets)) != Fraction(offset):
        if not hidden:
            raise ValueError(
                "the network has no hidden layer, and output - level, or the difference of its "
                "outputs, has a weight or bias that float64 does not hold"
            )
        # each hidden unit twice, and three units that are always 1: no difference is formed
        inner, shift = hidden[-1]
        ones = np.zeros((3, inner.shape[1]))
        hidden = [
            *hidden[:-1],
            (np.concatenate([inner, inner, ones]), np.concatenate([shift, shift, np.ones(3)])),
        ]
        row, offset = np.concatenate([first, -second, offsets]), 0.0
    return ReLUNetwork.from_layers(
        [*hidden, (row[None], np.array([offset])), (np.ones((1, 1)), np.zeros(1))]
    )
