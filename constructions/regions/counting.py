"""Linear regions of ReLU networks over a box: how many there are, and what they are.

An activation cell is a part of the box with nonempty interior on which every hidden unit is
positive inside (on), or at most zero (off). A linear piece is a largest connected union of cells,
neighbours sharing a facet, with one affine map: activation cells are not linear pieces, and
constructed networks have many more of the former.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import networkx
import numpy as np
from torch import nn

from ..basics.result import Result, Said, plain, said
from ..exchange.reading import read_network
from ..networks.network import ReLUNetwork
from .arrangement import Arrangement, Progress
from .chords import count_last_layer
from .exact_points import as_fractions
from .lattice import Lattice
from .pieces import CellMaps, merge
from .search import search_cells
from .skeleton import Degenerate, Skeleton

Method = Literal["skeleton", "lattice", "search"]
METHODS: tuple[Method, ...] = ("skeleton", "lattice", "search")

FACE_DIMENSIONS = 8
"""Most input dimensions for which faces are kept: a box alone has 3^d of them. Beyond, linear
programs find the cells.
"""

MEMORY_LIMIT = 8 * 2**30
"""Bytes that the vertices and faces may take before a count stops and says that it is incomplete.
"""


@dataclass(frozen=True, repr=False)
class RegionCount(Result):
    """Numbers of linear regions.

    cells: activation cells. pieces: linear pieces, and affine_maps: different affine maps (None
    where not asked for, or incomplete). complete: all units are in; else cells is a lower bound.
    certified: every sign that was used is proved, by rounding bounds or exact integers, and the
    faces fit together (Euler characteristic 1, each facet between two cells or on the box). method:
    how it was counted, and why so. faces: numbers of faces of dimension 0..d (None for linear
    programs).
    """

    cells: int
    pieces: int | None
    affine_maps: int | None
    complete: bool
    certified: bool
    method: str
    faces: tuple[int, ...] | None = None

    def _says(self) -> tuple[str, dict[str, Said]]:
        sure = "" if self.certified else "not certified "
        kind = (sure.strip() or "exact") if self.complete else f"{sure or 'certified '}lower bound"
        counts = {"activation cells": self.cells}
        if self.pieces is not None and self.affine_maps is not None:
            counts |= {"linear pieces": self.pieces, "affine maps": self.affine_maps}
        return self.method, {name: said(count, kind) for name, count in counts.items()}

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


def count_regions(
    network: ReLUNetwork | nn.Module | str | os.PathLike[str],
    box: tuple[Any, Any],
    *,
    pieces: bool = False,
    exact: bool = False,
    max_cells: int | None = None,
    max_seconds: float | None = None,
    method: Method | None = None,
    progress: Progress | None = None,
) -> RegionCount:
    """Count the linear regions of a network over the box [lower, upper].

    network: a `ReLUNetwork`, a module that `ReLUNetwork.from_module` reads, or a file that `load`
    reads; weights are taken exactly. box: (lower, upper), numbers or arrays of the input's shape.
    pieces: also count linear pieces and affine maps. exact: keep all vertices in integers (slow;
    the count is certified without it, too). max_cells, max_seconds, Ctrl-C and `MEMORY_LIMIT` end
    the count early, with what has been found. method: None chooses. Up to d = 8, vertices and edges
    alone ("skeleton") if the network is in general position, else the face lattice ("lattice");
    beyond, a depth-first search with linear programs ("search"). progress(done, total) is called
    between units (search: every 256 cells, with their number and 0).

    Cost: the skeleton takes 4 to 10 microseconds a cell in d = 2..4, the lattice 8 to 25, times
    about (units / 100); from d = 5 on some 3 times more with each d. Merging into pieces takes up
    to 0.2 ms a cell where integers must decide. Memory, for up to 256 units a layer: 1 to 2 kB a
    cell (skeleton), 1 to 5 kB (lattice) in d <= 4. Raises ValueError for a wrong box, method, or
    weights; TypeError for a network that cannot be read.

    >>> from constructions import squaring
    >>> count_regions(squaring(3), (0, 1), pieces=True).pieces
    8
    """
    job = _Job(
        network, box, exact, max_cells, max_seconds, method, progress, pieces, pieces or exact
    )
    return job.run().summary(pieces)


def linear_regions(
    network: ReLUNetwork | nn.Module | str | os.PathLike[str],
    box: tuple[Any, Any],
    *,
    pieces: bool = False,
    exact: bool = False,
    max_cells: int | None = None,
    max_seconds: float | None = None,
    method: Method | None = None,
    progress: Progress | None = None,
) -> LinearRegions:
    """The linear regions of a network over a box, with their geometry; arguments as for
    `count_regions`.

    With exact=True vertices, affine maps, points and volumes are Fractions.

    >>> from constructions import absolute
    >>> found = linear_regions(absolute(), (-1, 2), exact=True)
    >>> [(region.weight.item(), region.bias.item(), region.volume) for region in found.regions]
    [(Fraction(1, 1), Fraction(0, 1), Fraction(2, 1)),
     (Fraction(-1, 1), Fraction(0, 1), Fraction(1, 1))]
    """
    job = _Job(network, box, exact, max_cells, max_seconds, method, progress, pieces, True)
    return job.run().regions(pieces)


@dataclass(frozen=True, repr=False)
class Region(Result):
    """One activation cell: on or off for each hidden unit, layer after layer; x -> weight x + bias
    (outputs, d) on it.

    point (d,): inside, the mean of its vertices. volume: its d-dimensional measure. vertices (n,
    d): None for a cell found by linear programs, as is its volume.
    """

    pattern: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    point: np.ndarray
    volume: Any
    vertices: np.ndarray | None

    def _says(self) -> tuple[str, dict[str, Said]]:
        outputs, d = self.weight.shape
        at = ", ".join(said(x, "").text for x in self.point[:4]) + ", ..." * (d > 4)
        units = f"{int(self.pattern.sum())} of {len(self.pattern)} units on"
        kind = "exact" if isinstance(self.volume, Fraction) else "rounded"
        return f"R^{d} -> R^{outputs}, {units}, around ({at})", {
            "volume": said(self.volume, kind),
            "vertices": said(None if self.vertices is None else len(self.vertices), "exact"),
        }


@dataclass(frozen=True, eq=False, repr=False)
class LinearRegions(RegionCount):
    """Linear regions with their geometry; arrays are made when they are asked for.

    patterns (cells, units), points (cells, d), volumes (cells,), maps (cells, outputs, d+1): A and
    b; piece (cells,): the linear piece of each cell. After an early end, cells are those of the
    units so far (`units_done`), and have no maps.
    """

    network: ReLUNetwork = field(kw_only=True)
    arrangement: Arrangement = field(kw_only=True)
    lattice: Lattice | None = field(kw_only=True)
    patterns: np.ndarray = field(kw_only=True, repr=False)
    witnesses: np.ndarray | None = field(kw_only=True, repr=False)
    units_done: int = field(kw_only=True)
    exact: bool = field(kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        """Counts and patterns for JSON; geometry is what the other attributes give."""
        names = {entry.name for entry in fields(RegionCount)} | {"patterns", "units_done"}
        return {name: plain(getattr(self, name)) for name in sorted(names)}

    @property
    def regions(self) -> Sequence[Region]:
        """The cells one by one."""
        return _Regions(self)

    @cached_property
    def vertices(self) -> np.ndarray:
        """All vertices (V, d)."""
        lattice = self._with_faces("vertices")
        if self.exact:
            ids = range(lattice.points.n)
            return as_fractions(
                lattice.exact_points.find(ids, lattice.parents.view, lattice.signs.view)
            )
        return lattice.points.view.copy()

    @cached_property
    def corners(self) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (cell, vertex) of all cells' vertices, ordered by cell."""
        return self._with_faces("vertices").corners_of_cells()

    def cell_vertices(self, cell: int) -> np.ndarray:
        """The numbers of one cell's vertices."""
        owner, vertex = self.corners
        return vertex[np.searchsorted(owner, cell) : np.searchsorted(owner, cell, side="right")]

    def polygons(self) -> list[np.ndarray]:
        """The cells of a network with two inputs, each as the numbers of its vertices in cyclic
        order.
        """
        lattice = self._with_faces("polygons")
        if lattice.d != 2:
            raise ValueError(
                f"polygons are for networks with 2 inputs, got {lattice.d}; see on_plane"
            )
        return lattice.cycles(np.arange(self.cells))

    @cached_property
    def points(self) -> np.ndarray:
        """A point inside each cell (cells, d): the mean of its vertices (linear programs: the
        witness).
        """
        if self.witnesses is not None:
            return self.witnesses
        owner, vertex = self.corners
        number = np.bincount(owner, minlength=self.cells)
        if not self.exact:
            sums = [
                np.bincount(owner, weights=x, minlength=self.cells) for x in self.vertices[vertex].T
            ]
            return np.stack(sums, axis=1) / number[:, None]
        return np.add.reduceat(self.vertices[vertex], np.cumsum(number) - number, axis=0) / number[
            :, None
        ].astype(object)

    @cached_property
    def volumes(self) -> np.ndarray:
        """The cells' volumes (cells,), by pulling triangulations. Cost: about d! 2^d / d simplices
        a cell.
        """
        lattice = self._with_faces("volumes")
        owner, simplex = lattice.simplices()
        points = self.vertices[simplex]  # (simplices, d + 1, d)
        edges = points[:, 1:] - points[:, :1]
        if self.exact:
            sizes = np.array(
                [abs(_determinant(matrix)) for matrix in edges], dtype=object
            ) / Fraction(math.factorial(lattice.d))
            out = np.array([Fraction(0)] * self.cells, dtype=object)
            np.add.at(out, owner, sizes)
            return out
        sizes = np.abs(np.linalg.det(edges)) / math.factorial(lattice.d)
        return np.bincount(owner, weights=sizes, minlength=self.cells)

    @cached_property
    def maps(self) -> np.ndarray:
        """The affine maps (cells, outputs, d+1)."""
        if not self.complete and self.lattice is not None:
            raise ValueError(
                f"affine maps need all units; only {self.units_done} of {self.arrangement.units} "
                f"were reached"
            )
        if self.exact:
            return np.stack([self._cell_maps.fractions(i) for i in range(self.cells)])
        return self._cell_maps.floats()

    @cached_property
    def piece(self) -> np.ndarray:
        """The linear piece (cells,) that each cell belongs to."""
        return self._merged[0]

    def graph(self) -> networkx.Graph:
        """Cells as nodes 0..cells-1, an edge for each two cells that share a facet."""
        graph = networkx.empty_graph(self.cells)
        graph.add_edges_from(self._with_faces("neighbours").neighbours().T.tolist())
        return graph

    @cached_property
    def _merged(self) -> tuple[np.ndarray, int]:
        return self._merge(lambda: None)

    def _merge(self, check: Callable[[], None]) -> tuple[np.ndarray, int]:
        """Each cell's piece and the number of maps; `check` is called during long work, and may
        raise.
        """
        if not self.complete:
            raise ValueError(
                f"pieces need all units; only {self.units_done} of {self.arrangement.units} were "
                f"reached"
            )
        self.__dict__["_merged"] = merge(
            self._cell_maps, self._with_faces("pieces").neighbours(), check
        )
        return self._merged

    @cached_property
    def _cell_maps(self) -> CellMaps:
        full = Arrangement.of(
            self.network, self.arrangement.lower, self.arrangement.upper, output=True
        )
        return CellMaps(full, self.patterns)

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


# -- how it is done --------------------------------------------------------------------------------


class _Stopped(Exception):  # noqa: N818
    """A limit was reached; the argument says which."""


@dataclass
class _Outcome:
    """What a job found."""

    job: _Job
    method: str
    complete: bool
    certified: bool
    cells: int
    faces: tuple[int, ...] | None = None
    lattice: Lattice | None = None
    patterns: np.ndarray | None = None
    witnesses: np.ndarray | None = None
    units_done: int = 0

    def summary(self, pieces: bool) -> RegionCount:
        """Without geometry."""
        found = self.regions(True) if pieces else None
        numbers = (found.pieces, found.affine_maps) if found else (None, None)
        method = found.method if found else self.method
        return RegionCount(self.cells, *numbers, self.complete, self.certified, method, self.faces)

    def regions(self, pieces: bool) -> LinearRegions:
        """With geometry."""
        patterns = self.patterns
        if self.lattice is not None:
            patterns = self.lattice.patterns()[:, : self.units_done]
        if patterns is None:
            raise ValueError("cells need method 'lattice' or 'search'")
        result = LinearRegions(
            self.cells,
            None,
            None,
            self.complete,
            self.certified,
            self.method,
            self.faces,
            network=self.job.network,
            arrangement=self.job.arrangement,
            lattice=self.lattice,
            patterns=patterns,
            witnesses=self.witnesses,
            units_done=self.units_done,
            exact=self.job.exact,
        )
        if pieces and self.complete:
            try:
                piece, maps = result._merge(self.job.check_time)
            except (KeyboardInterrupt, _Stopped) as error:
                why = error if isinstance(error, _Stopped) else "an interrupt"
                object.__setattr__(
                    result, "method", f"{result.method}; merging into pieces ended early by {why}"
                )
            else:
                # what has been made is kept, not made again
                object.__setattr__(result, "pieces", int(piece.max()) + 1)
                object.__setattr__(result, "affine_maps", maps)
        return result


class _Job:
    """One count: the checked arguments, the limits, and the choice of method."""

    def __init__(
        self,
        network: Any,
        box: Any,
        exact: bool,
        max_cells: int | None,
        max_seconds: float | None,
        method: Method | None,
        progress: Progress | None,
        pieces: bool,
        faces: bool,
    ) -> None:
        self.network = network_on(network, box)
        lower, upper, _ = read_box(box)
        self.lower, self.upper = fit_box(lower, upper, self.network.inputs)
        if method is not None and method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, or None, got {method!r}")
        for name, limit in (("max_cells", max_cells), ("max_seconds", max_seconds)):
            if limit is not None and not (isinstance(limit, (int, float)) and limit >= 0):
                raise ValueError(f"{name} must be a number of at least 0, got {limit!r}")
        d = len(self.lower)
        if d > FACE_DIMENSIONS and method not in (None, "search"):
            raise ValueError(f"method {method!r} is for d <= {FACE_DIMENSIONS} inputs, got {d}")
        searched = method == "search" or d > FACE_DIMENSIONS
        if method == "skeleton" and faces:
            raise ValueError(
                "method 'skeleton' has vertices and edges only; pieces, exact results and regions "
                "need 'lattice'"
            )
        for name, asked in (("pieces", pieces), ("exact", exact)):
            if searched and asked:
                raise ValueError(
                    f"{name} needs faces: d <= {FACE_DIMENSIONS} inputs and not method 'search', "
                    f"got d = {d}"
                )
        self.arrangement = Arrangement.of(self.network, self.lower, self.upper)
        if faces:
            # the maps' arithmetic must be possible, too
            Arrangement.of(self.network, self.lower, self.upper, output=True)
        self.exact, self.faces = exact, faces
        self.max_cells, self.max_seconds, self.method, self.progress = (
            max_cells,
            max_seconds,
            method,
            progress,
        )
        self.started = time.monotonic()
        self.interrupted = False

    def run(self) -> _Outcome:
        """Count with the method asked for, or the best one."""
        d = self.arrangement.d
        if self.method == "search" or d > FACE_DIMENSIONS:
            return self._search()
        reason = (
            "asked for"
            if self.method == "lattice"
            else "for exact vertices"
            if self.exact
            else "for the cells themselves"
        )
        if self.method == "skeleton" or (self.method is None and not self.faces):
            try:
                return self._skeleton()
            except Degenerate as error:
                reason = f"not generic: {error}"
        return self._lattice(reason)

    def _skeleton(self) -> _Outcome:
        engine, a = Skeleton(self.arrangement), self.arrangement
        last = len(a.widths) - 1 if a.d == 2 and a.widths else None
        done, why = self._drive(engine, engine.end, last)
        method = "vertices and edges in general position, every sign certain in float64"
        faces = None
        if last is not None and not why:
            # degenerate: its units come one by one, too
            with contextlib.suppress(Degenerate), self._interruptible():
                faces = count_last_layer(engine, last)
                done, method = a.units, f"{method}, the last layer by chords"
            if faces is None:
                done, why = self._drive(engine, engine.end, None, start=last)
        if why:  # what is there must be certain, too
            engine.end(int(a.layer_of[done - 1]) if done else 0)
        engine.check_incidences()
        faces = faces or engine.counts()
        if sum((-1) ** k * n for k, n in enumerate(faces)) != 1:
            raise Degenerate("the Euler characteristic is not 1")
        return _Outcome(self, method + why, not why, True, faces[-1], tuple(faces), units_done=done)

    def _lattice(self, reason: str) -> _Outcome:
        engine = Lattice(self.arrangement, self.exact)
        done, why = self._drive(engine, lambda layer: None, None)
        faces = tuple(engine.counts)
        certified = (
            engine.sound
            and sum((-1) ** k * n for k, n in enumerate(faces)) == 1
            and engine.facets_fit()
        )
        method = f"face lattice ({reason}), {engine.arbitrated:,} signs decided in integers" + why
        return _Outcome(
            self, method, not why, certified, engine.cells, faces, lattice=engine, units_done=done
        )

    def _drive(
        self,
        engine: Skeleton | Lattice,
        end: Callable[[int], None],
        only_begin: int | None,
        start: int = 0,
    ) -> tuple[int, str]:
        """Put in all units, or as many as the limits allow: their number, and what ended it early.

        From layer `start` on (which has begun, if it is not the first); the layer `only_begin` is
        just evaluated.
        """
        a, done = self.arrangement, int(self.arrangement.starts[start])
        with self._interruptible():
            try:
                for layer in range(start, len(a.widths)):
                    self._check(engine, done)
                    if layer != start or start == 0:
                        engine.begin(layer)
                    if layer == only_begin:
                        break
                    for unit in range(int(a.starts[layer]), int(a.starts[layer + 1])):
                        self._check(engine, done, report=True)
                        engine.cut(unit)
                        done += 1
                    end(layer)
            except _Stopped as stop:
                return done, f"; ended early by {stop} after {done} of {a.units} units"
        return done, ""

    def _check(self, engine: Skeleton | Lattice, done: int, report: bool = False) -> None:
        """Between two units, where everything fits together: report, and stop where that is due."""
        try:
            if report and self.progress:
                self.progress(done, self.arrangement.units)
        except KeyboardInterrupt:
            self.interrupted = True
        if self.interrupted:
            raise _Stopped("an interrupt")
        self.check_time()
        if (
            self.max_cells is not None
            and engine.points.n > self.max_cells
            and engine.cells > self.max_cells
        ):
            raise _Stopped("the cell limit")
        if engine.nbytes > MEMORY_LIMIT:
            raise _Stopped(f"the memory limit of {MEMORY_LIMIT / 2**30:g} GiB")

    def check_time(self) -> None:
        """Raise `_Stopped` after the time limit."""
        if self.max_seconds is not None and time.monotonic() - self.started >= self.max_seconds:
            raise _Stopped("the time limit")

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C waits until the current unit is in; a second raises KeyboardInterrupt at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)

        def note(number: int, frame: Any) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _search(self) -> _Outcome:
        a, report = self.arrangement, self.progress
        found = search_cells(
            a.weights,
            a.biases,
            self.lower,
            self.upper,
            max_cells=self.max_cells,
            max_seconds=self.max_seconds,
            progress=(lambda cells: report(cells, 0)) if report else None,
        )
        method = f"depth-first search, {found.lps:,} linear programs" + (
            f"; {found.reason}" if found.reason else ""
        )
        return _Outcome(
            self,
            method,
            found.complete,
            found.certified,
            len(found.patterns),
            patterns=found.patterns,
            witnesses=found.points,
            units_done=a.units,
        )


def network_on(network: Any, box: Any) -> ReLUNetwork:
    """What `read_network` reads; a module's image shape is that of the box's corners."""
    network = read_network(network, read_box(box)[-1])
    if not isinstance(network.inputs, int):
        raise ValueError(f"network must have numbers as weights, got {network}")
    return network


def read_box(box: Any) -> tuple[np.ndarray, np.ndarray, tuple[int, ...] | None]:
    """Lower and upper corner as arrays of one shape, and that shape where it is an image's; bad
    ones raise ValueError.
    """
    try:
        lower, upper = (np.asarray(side, dtype=np.float64) for side in box)
        lower, upper = np.broadcast_arrays(lower, upper)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"box must be a pair (lower, upper) of numbers or arrays of one shape, got {box!r}"
        ) from error
    if not (np.isfinite(lower).all() and np.isfinite(upper).all()):
        raise ValueError("box must be finite, got NaN or infinity")
    if not (lower < upper).all():
        raise ValueError(f"box must have lower < upper in every coordinate, got {box!r}")
    return lower, upper, lower.shape if lower.ndim > 1 else None


def fit_box(lower: np.ndarray, upper: np.ndarray, inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """The corners as vectors of `inputs` numbers."""
    if lower.ndim == 0:
        return np.full(inputs, float(lower)), np.full(inputs, float(upper))
    if lower.size != inputs:
        raise ValueError(
            f"box must have one number or {inputs} a corner, as the network has inputs, got "
            f"{lower.size}"
        )
    return lower.ravel().copy(), upper.ravel().copy()
