"""What counting finds: numbers of linear regions, and the regions with their geometry.

Whole, because it is one noun, `LinearRegions`: each property is a few lines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from functools import cached_property
from typing import Any

import networkx
import numpy as np

from ..basics.renamed import Former
from ..basics.result import Result, Said, plain, said
from ..basics.shapes import (
    AffineMaps,
    CellPoints,
    Edges,
    Incidences,
    Numbers,
    Offset,
    Pattern,
    Patterns,
    PerCell,
    Point,
    Vertices,
    Weight,
)
from ..networks.network import ReLUNetwork
from .arrangement import Arrangement
from .exact_points import as_fractions
from .lattice import Lattice
from .limits import Stop
from .pieces import CellMaps, merge


def in_short(method: str) -> tuple[str, dict[str, Said]]:
    """How cells were counted, for a result's first line; what ended or spoiled it, for its second.

    >>> in_short("face lattice; ended by an interrupt after 3 of 8 units")[1]
    {'note': Said(text='ended by an interrupt after 3 of 8 units', kind='')}
    """
    how, _, note = method.partition("; ")
    return how, {"note": Said(note, "")} if note else {}


@dataclass(frozen=True, repr=False)
class RegionCount(Result):
    """How many linear regions a network has over a box.

    Attributes:
        cells: activation cells.
        pieces: linear pieces (None where not asked for, or incomplete).
        affine_maps: different affine maps (likewise).
        complete: all units are in; else cells is a lower bound.
        certified: every sign that was used is proved, by rounding bounds or exact integers, and the
            faces fit together (Euler characteristic 1, each facet between two cells or on the box).
        method: how it was counted, and why so, in words.
        faces: numbers of faces of dimension 0..d (None for linear programs).
        stopped: what ended the work early, the cells or (if complete) their merging into pieces;
            None where nothing did.
    """

    cells: int
    pieces: int | None
    affine_maps: int | None
    complete: bool
    certified: bool
    method: str
    faces: tuple[int, ...] | None = None
    stopped: Stop | None = None

    def _says(self) -> tuple[str, dict[str, Said]]:
        sure = "" if self.certified else "not certified "
        kind = (sure.strip() or "exact") if self.complete else f"{sure or 'certified '}lower bound"
        counts = {"activation cells": self.cells}
        if self.pieces is not None and self.affine_maps is not None:
            counts |= {"linear pieces": self.pieces, "affine maps": self.affine_maps}
        how, note = in_short(self.method)
        return how, {name: said(count, kind) for name, count in counts.items()} | note

    def __str__(self) -> str:
        kind = (
            ("exact" if self.complete else "certified lower bound")
            if self.certified
            else "not certified"
        )
        text = f"{'' if self.complete else 'at least '}{self.cells:,} activation cells"
        if self.pieces is not None:
            text += f", {self.pieces:,} linear pieces, {self.affine_maps:,} affine maps"
        return f"{text} ({kind}; {self.method})"


@dataclass(frozen=True, repr=False)
class Region(Result):
    """One activation cell: a part of the box on which the network is one affine map.

    Attributes:
        pattern: on or off for each hidden unit, layer after layer.
        weight: x -> weight x + bias on the cell; (outputs, d).
        bias: (outputs,).
        point: (d,), inside, the mean of its vertices.
        volume: its d-dimensional measure; None for a cell found by linear programs.
        vertices: (n, d); None for a cell found by linear programs.
    """

    pattern: Pattern
    weight: Weight
    bias: Offset
    point: Point
    volume: Any
    vertices: Vertices | None

    def _says(self) -> tuple[str, dict[str, Said]]:
        outputs, d = self.weight.shape
        at = ", ".join(said(x, "").text for x in self.point[:4]) + ", ..." * (d > 4)
        units = f"{int(self.pattern.sum())} of {len(self.pattern)} units on"
        kind = "exact" if isinstance(self.volume, Fraction) else "rounded"
        return f"an activation cell of R^{d} -> R^{outputs}, {units}, around ({at})", {
            "volume": said(self.volume, kind),
            "vertices": said(None if self.vertices is None else len(self.vertices), "exact"),
        }


@dataclass(frozen=True, eq=False, repr=False)
class LinearRegions(RegionCount):
    """Linear regions with their geometry; arrays are made when they are asked for.

    patterns (cells, units), points (cells, d), volumes (cells,), maps (cells, outputs, d+1): A and
    b; piece (cells,): the linear piece of each cell. After an early end, cells are those of the
    units so far (`units_done`), and have no maps.

    Attributes:
        network: whose regions they are.
        arrangement: the units' hyperplanes as they were counted.
        lattice: vertices and faces; None for linear programs.
        patterns: on or off for each hidden unit, (cells, units).
        witnesses: a point inside each cell, (cells, d), for linear programs; else None.
        units_done: how many units are in.
        is_exact: whether geometry is given in Fractions.
        cell_maps: the affine map of each cell.
        merged: the linear piece of each cell and how many there are, where they are known already.
    """

    network: ReLUNetwork = field(kw_only=True)
    arrangement: Arrangement = field(kw_only=True)
    lattice: Lattice | None = field(kw_only=True)
    patterns: Patterns = field(kw_only=True, repr=False)
    witnesses: CellPoints | None = field(kw_only=True, repr=False)
    units_done: int = field(kw_only=True)
    is_exact: bool = field(kw_only=True)
    cell_maps: CellMaps = field(kw_only=True, repr=False)
    merged: tuple[PerCell, int] | None = field(default=None, kw_only=True, repr=False)
    exact = Former("is_exact")

    def to_dict(self) -> dict[str, Any]:
        """Counts and patterns for JSON; geometry is what the other attributes give."""
        names = {entry.name for entry in fields(RegionCount)} | {"patterns", "units_done"}
        return {name: plain(getattr(self, name)) for name in sorted(names)}

    @property
    def regions(self) -> Sequence[Region]:
        """The cells one by one."""
        return _Regions(self)

    @cached_property
    def vertices(self) -> Vertices:
        """All vertices (V, d)."""
        lattice = self._with_faces("vertices")
        if self.is_exact:
            ids = range(lattice.points.n)
            return as_fractions(
                lattice.exact_points.find(ids, lattice.parents.view, lattice.signs.view)
            )
        return lattice.points.view.copy()

    def exact_vertices(self) -> Vertices:
        """All vertices (V, d), exactly: floats if these hold them all, else Fractions.

        Example:
            >>> from constructions import ReLUNetwork, linear_regions
            >>> net = ReLUNetwork.from_layers([([[3.0]], [-1.0]), ([[1.0]], [0.0])])
            >>> found = linear_regions(net, (0, 1))
            >>> [str(v) for v in found.exact_vertices()[:, 0]], found.edges.shape
            (['0', '1', '1/3'], (2, 2))
        """
        lattice = self._with_faces("vertices")
        points, known = lattice.points.view.copy(), lattice.known.view
        if known.all():
            return points
        rest = np.flatnonzero(~known)
        rows = lattice.exact_points.find(rest.tolist(), lattice.parents.view, lattice.signs.view)
        exact = np.empty(points.shape, dtype=object)
        exact[known] = np.array(
            [Fraction(v) for v in points[known].reshape(-1).tolist()], dtype=object
        ).reshape(-1, lattice.d)
        exact[rest] = as_fractions(rows)
        return exact

    @property
    def edges(self) -> Edges:
        """The numbers of the vertices at the two ends of each edge, (2, E)."""
        return self._with_faces("edges").edges.view

    @cached_property
    def corners(self) -> tuple[Incidences, Incidences]:
        """Pairs (cell, vertex) of all cells' vertices, ordered by cell."""
        return self._with_faces("vertices").corners_of_cells()

    def cell_vertices(self, cell: int) -> Numbers:
        """Give the numbers of one cell's vertices.

        Args:
            cell: its number.

        Returns:
            Rows of `vertices`.
        """
        owner, vertex = self.corners
        return vertex[np.searchsorted(owner, cell) : np.searchsorted(owner, cell, side="right")]

    def polygons(self) -> list[Numbers]:
        """Give the cells of a network with two inputs as polygons.

        Returns:
            For each cell the numbers of its vertices in cyclic order.

        Raises:
            ValueError: for another number of inputs.
        """
        lattice = self._with_faces("polygons")
        if lattice.d != 2:
            raise ValueError(
                f"polygons are for networks with 2 inputs, got {lattice.d}; see on_plane"
            )
        return lattice.cycles(np.arange(self.cells))

    @cached_property
    def points(self) -> CellPoints:
        """A point inside each cell (cells, d): the mean of its vertices.

        For linear programs, the witness.
        """
        if self.witnesses is not None:
            return self.witnesses
        owner, vertex = self.corners
        number = np.bincount(owner, minlength=self.cells)
        if not self.is_exact:
            sums = [
                np.bincount(owner, weights=x, minlength=self.cells) for x in self.vertices[vertex].T
            ]
            return np.stack(sums, axis=1) / number[:, None]
        return np.add.reduceat(self.vertices[vertex], np.cumsum(number) - number, axis=0) / number[
            :, None
        ].astype(object)

    @cached_property
    def volumes(self) -> PerCell:
        """The cells' volumes (cells,), by pulling triangulations.

        Cost: about d! 2^d / d simplices a cell.
        """
        lattice = self._with_faces("volumes")
        owner, simplex = lattice.simplices()
        points = self.vertices[simplex]  # (simplices, d + 1, d)
        edges = points[:, 1:] - points[:, :1]
        if self.is_exact:
            sizes = np.array(
                [abs(_determinant(matrix)) for matrix in edges], dtype=object
            ) / Fraction(math.factorial(lattice.d))
            out = np.array([Fraction(0)] * self.cells, dtype=object)
            np.add.at(out, owner, sizes)
            return out
        sizes = np.abs(np.linalg.det(edges)) / math.factorial(lattice.d)
        return np.bincount(owner, weights=sizes, minlength=self.cells)

    @cached_property
    def maps(self) -> AffineMaps:
        """The affine maps (cells, outputs, d+1)."""
        if not self.complete and self.lattice is not None:
            raise ValueError(
                f"affine maps need all units; only {self.units_done} of {self.arrangement.units} "
                f"were reached"
            )
        if self.is_exact:
            return np.stack([self.cell_maps.fractions(i) for i in range(self.cells)])
        return self.cell_maps.floats()

    @cached_property
    def piece(self) -> PerCell:
        """The linear piece (cells,) that each cell belongs to."""
        if self.merged is not None:
            return self.merged[0]
        if not self.complete:
            raise ValueError(
                f"pieces need all units; only {self.units_done} of {self.arrangement.units} were "
                f"reached"
            )
        neighbours = self._with_faces("pieces").neighbours()
        return merge(self.cell_maps, neighbours, lambda: None)[0]

    def graph(self) -> networkx.Graph:
        """Cells as nodes 0..cells-1, an edge for each two cells that share a facet."""
        graph = networkx.empty_graph(self.cells)
        graph.add_edges_from(self._with_faces("neighbours").neighbours().T.tolist())
        return graph

    def _with_faces(self, what: str) -> Lattice:
        if self.lattice is None:
            raise ValueError(f"{what} need faces, which are kept for method 'lattice' only")
        return self.lattice


class _Regions(Sequence[Region]):
    """The cells of a result, made one by one."""

    def __init__(self, result: LinearRegions) -> None:
        self.result = result

    def __len__(self) -> int:
        return self.result.cells

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i, r = range(len(self))[index], self.result
        maps = r.maps[i]
        shape = r.lattice is not None
        return Region(
            pattern=r.patterns[i],
            weight=maps[:, :-1],
            bias=maps[:, -1],
            point=r.points[i],
            volume=r.volumes[i] if shape else None,
            vertices=r.vertices[r.cell_vertices(i)] if shape else None,
        )


def _determinant(matrix: np.ndarray) -> Fraction:
    """Of Fractions, by elimination."""
    rows, result = [list(row) for row in matrix], Fraction(1)
    for i in range(len(rows)):
        pivot = next((r for r in range(i, len(rows)) if rows[r][i] != 0), None)
        if pivot is None:
            return Fraction(0)
        if pivot != i:
            rows[i], rows[pivot] = rows[pivot], rows[i]
            result = -result
        result *= rows[i][i]
        for r in range(i + 1, len(rows)):
            factor = rows[r][i] / rows[i][i]
            rows[r] = [x - factor * y for x, y in zip(rows[r], rows[i], strict=True)]
    return result
