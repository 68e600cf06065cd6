"""The topology of level and sub-level sets of a network inside a box, from the face lattice."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import nn

from ..basics.progress import Report, silent
from ..basics.result import Result, Said, said
from ..networks.network import ReLUNetwork
from .counting import FACE_DIMENSIONS, linear_regions, network_on
from .lattice import Lattice
from .level_set import cut_at
from .result import in_short

Side = Literal["level", "below", "above"]
SIDES: dict[Side, str] = {"level": "=", "below": "<=", "above": ">="}


@dataclass(frozen=True, repr=False)
class Topology(Result):
    """Components and holes of a closed set inside a closed box.

    Attributes:
        where: the set, as text.
        betti: numbers over Z/2, of dimension 0, ..., d: connected components, then independent
            loops, then enclosed voids, and so on; (0, ..., 0) for the empty set.
        faces: of the polyhedral complex that the set is, by dimension 0, ..., d.
        certified: every sign that was used is proved, and the faces fit together.
        method: how the faces were found.
    """

    where: str
    betti: tuple[int, ...]
    faces: tuple[int, ...]
    certified: bool
    method: str

    @property
    def euler(self) -> int:
        """The Euler characteristic: faces of even less those of odd dimension."""
        return sum((-1) ** k * n for k, n in enumerate(self.faces))

    def _says(self) -> tuple[str, dict[str, Said]]:
        kind = "exact" if self.certified else "not certified"
        how, note = in_short(self.method)
        names = ("components", "loops", "voids")
        numbers = {
            names[k] if k < 3 else f"Betti number {k}": said(b, kind)
            for k, b in enumerate(self.betti[:-1] if len(self.betti) > 1 else self.betti)
        }
        return f"the set {self.where} in the box, homology over Z/2; {how}", {
            **numbers,
            "Euler characteristic": said(self.euler, kind),
            **note,
        }


def topology(
    network: ReLUNetwork | nn.Module | str | os.PathLike[str],
    box: tuple[Any, Any],
    *,
    side: Side = "level",
    level: float = 0.0,
    output: int | tuple[int, int] = 0,
    max_cells: int | None = None,
    max_seconds: float | None = None,
    report: Report = silent,
) -> Topology:
    """Count components and holes of a level set, or of what lies below or above, exactly.

    The set {f = level}, {f <= level} or {f >= level} inside the closed box is a union of closed
    faces of the cells that the units and f - level, as one more unit, cut from the box. So its
    homology over Z/2 is that of a finite complex, whatever is degenerate: units that coincide,
    cells on which f = level, boundaries that touch at a point.

    Args:
        network: as for `linear_regions`, with at most 8 inputs.
        box: as for `linear_regions`.
        side: "level", "below" or "above".
        level: the level.
        output: one output's number, or two (i, j) for f_i - f_j, the boundary between two classes.
        max_cells: as for `linear_regions`; beyond it there is no result.
        max_seconds: likewise.
        report: as for `linear_regions`.

    Returns:
        A `Topology`, exact where it is `certified`.

    Raises:
        TypeError: for a network that cannot be read.
        ValueError: for more inputs, another side, an output that there is not, and a level that is
            not finite.
        RuntimeError: where the faces are not complete, as a limit ended their count.

    Cost: that of the face lattice, and the elimination of its boundary matrices, mostly linear in
    the faces.

    Source: Masden 2022 (Algorithmic determination of the combinatorial structure of the linear
    regions of ReLU neural networks) for networks in general position; the elimination is standard
    (Edelsbrunner and Harer 2010, Computational topology).

    Example:
        >>> from constructions import distance
        >>> ring = topology(distance([0.5, 0.5], "inf"), (0, 1), level=0.25)
        >>> ring.betti, ring.euler
        ((1, 1, 0), 0)
        >>> topology(distance([0.5, 0.5], "inf"), (0, 1), level=0.25, side="below").betti
        (1, 0, 0)
    """
    if side not in SIDES:
        raise ValueError(f"side must be one of {', '.join(SIDES)}, got {side!r}")
    net = network_on(network, box)
    if net.inputs > FACE_DIMENSIONS:
        raise ValueError(
            f"topology is for networks with at most {FACE_DIMENSIONS} inputs, got {net.inputs}; "
            f"see on_plane"
        )
    extended = cut_at(net, output, level)
    limits: dict[str, Any] = {"max_cells": max_cells, "max_seconds": max_seconds}
    found = linear_regions(extended, box, report=report, **limits)
    if found.lattice is None or not found.complete:
        raise RuntimeError(f"faces are not complete: {found.method}")
    kept = _faces_of(found.lattice, side)
    ranks, components = _ranks(found.lattice, kept)
    sizes = [int(part.sum()) for part in kept]
    betti = tuple(n - ranks[k] - ranks[k + 1] for k, n in enumerate(sizes))
    # a bounded set in R^d encloses nothing of dimension d; components are counted twice
    fit = betti[-1] == 0 and betti[0] == components
    what = f"f_{output}" if isinstance(output, int) else f"f_{output[0]} - f_{output[1]}"
    where = f"{{{what} {SIDES[side]} {level:g}}}"
    return Topology(where, betti, tuple(sizes), found.certified and fit, found.method)


def _faces_of(lattice: Lattice, side: Side) -> list[np.ndarray]:
    """Which faces of each dimension lie in the set: the last layer has one unit, f - level."""
    kept = []
    for k in range(lattice.d + 1):
        above, below = (part.view[0] & np.uint64(1) != 0 for part in lattice.sides[k])
        kept.append(~{"level": above | below, "below": above, "above": below}[side])
    return kept


def _ranks(lattice: Lattice, kept: list[np.ndarray]) -> tuple[list[int], int]:
    """Ranks over Z/2 of the boundary maps from dimension 0, ..., d + 1, and the components.

    From the top: a face that is the last one of a reduced boundary bounds nothing new itself, so
    its own boundary needs no elimination.
    """
    ranks, cleared = [0] * (lattice.d + 2), set()
    for k in range(lattice.d, 0, -1):
        owner, child = lattice.children(k)
        inside = kept[k][owner]
        owner, child = owner[inside], child[inside]
        starts = np.flatnonzero(np.diff(owner, prepend=-1))
        pivots: dict[int, set[int]] = {}
        for face, part in zip(owner[starts].tolist(), np.split(child, starts[1:]), strict=False):
            boundary = set() if face in cleared else set(part.tolist())
            while boundary and (last := max(boundary)) in pivots:
                boundary ^= pivots[last]
            if boundary:
                pivots[max(boundary)] = boundary
        ranks[k], cleared = len(pivots), set(pivots)
    numbers = np.cumsum(kept[0]) - 1
    ends = lattice.edges.view[:, kept[1]]
    graph = coo_array(
        (np.ones(ends.shape[1]), (numbers[ends[0]], numbers[ends[1]])), shape=(kept[0].sum(),) * 2
    )
    count = connected_components(graph, directed=False)[0] if kept[0].any() else 0
    return ranks, int(count)
