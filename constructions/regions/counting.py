"""Linear regions of ReLU networks over a box: how many there are, and what they are.

An activation cell is a part of the box with nonempty interior on which every hidden unit is
positive inside (on), or at most zero (off). A linear piece is a largest connected union of cells,
neighbours sharing a facet, with one affine map: activation cells are not linear pieces, and
constructed networks have many more of the former. Whole, because the ways to count share job,
limits and result.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from torch import nn

from ..basics.progress import Progress, Report, counted, silent
from ..basics.reading import box_of, read_box
from ..basics.renamed import renamed
from ..exchange.reading import read_network
from ..networks.network import ReLUNetwork
from .arrangement import Arrangement
from .chords import count_last_layer
from .lattice import Lattice
from .limits import Limits, Stop, Stopped
from .pieces import CellMaps, merge
from .result import LinearRegions, RegionCount
from .search import search_cells
from .skeleton import Degenerate, Skeleton

Method = Literal["skeleton", "lattice", "search"]
METHODS: tuple[Method, ...] = ("skeleton", "lattice", "search")

Arithmetic = Literal["floats", "integers"]

FACE_DIMENSIONS = 8
"""Most input dimensions for which faces are kept: a box alone has 3^d of them. Beyond, linear
programs find the cells.
"""


def arithmetic_of(exact: bool) -> Arithmetic:
    """What `exact` of former releases asked for."""
    return "integers" if exact else "floats"


@renamed(arithmetic=arithmetic_of, report=counted)
def count_regions(
    network: ReLUNetwork | nn.Module | str | os.PathLike[str],
    box: tuple[Any, Any],
    *,
    pieces: bool = False,
    arithmetic: Arithmetic = "floats",
    max_cells: int | None = None,
    max_seconds: float | None = None,
    method: Method | None = None,
    report: Report = silent,
) -> RegionCount:
    """Count the linear regions of a network over the box [lower, upper].

    Args:
        network: a `ReLUNetwork`, a module that `ReLUNetwork.from_module` reads, or a file that
            `load` reads; the layers' weights are taken exactly: of a network that was rounded on
            reading (see `ReLUNetwork.origin`) its own regions are counted.
        box: (lower, upper), numbers or arrays of the input's shape.
        pieces: also count linear pieces and affine maps.
        arithmetic: "integers" keeps all vertices in them (slow; a count in "floats" is certified,
            too).
        max_cells: ends the count early, as do Ctrl-C and `MEMORY_LIMIT`, with what has been found.
        max_seconds: likewise.
        method: None chooses. Up to d = 8, vertices and edges alone ("skeleton") if the network is
            in general position, else the face lattice ("lattice"); beyond, a depth-first search
            with linear programs ("search").
        report: called with a `Progress` between units ("search": every 256 cells, with their
            number).

    Returns:
        A `RegionCount`, which says whether it is complete and certified.

    Raises:
        ValueError: for a wrong box, method, or weights.
        TypeError: for a network that cannot be read.

    Cost: the skeleton takes 4 to 10 microseconds a cell in d = 2..4, the lattice 8 to 25, times
    about (units / 100); from d = 5 on some 3 times more with each d. Merging into pieces takes up
    to 0.2 ms a cell where integers must decide. Memory, for up to 256 units a layer: 1 to 2 kB a
    cell (skeleton), 1 to 5 kB (lattice) in d <= 4.

    Example:
        >>> from constructions import squaring
        >>> count_regions(squaring(3), (0, 1), pieces=True).pieces
        8
    """
    limits = Limits(max_cells, max_seconds)
    faces = pieces or arithmetic == "integers"
    job = _job(network, box, method, pieces=pieces, arithmetic=arithmetic, faces=faces)
    found = _count(job, limits, report)
    return _with_pieces(job, found, limits)[0] if pieces else found.count


@renamed(arithmetic=arithmetic_of, report=counted)
def linear_regions(
    network: ReLUNetwork | nn.Module | str | os.PathLike[str],
    box: tuple[Any, Any],
    *,
    pieces: bool = False,
    arithmetic: Arithmetic = "floats",
    max_cells: int | None = None,
    max_seconds: float | None = None,
    method: Method | None = None,
    report: Report = silent,
) -> LinearRegions:
    """Give the linear regions of a network over a box, with their geometry.

    Args:
        network: as for `count_regions`.
        box: as for `count_regions`.
        pieces: as for `count_regions`.
        arithmetic: "integers" gives vertices, affine maps, points and volumes as Fractions.
        max_cells: as for `count_regions`.
        max_seconds: as for `count_regions`.
        method: as for `count_regions`.
        report: as for `count_regions`.

    Returns:
        `LinearRegions`.

    Raises:
        ValueError: as `count_regions`.
        TypeError: as `count_regions`.

    Example:
        >>> from constructions import absolute
        >>> found = linear_regions(absolute(), (-1, 2), arithmetic="integers")
        >>> [(region.weight.item(), region.bias.item(), region.volume) for region in found.regions]
        [(Fraction(1, 1), Fraction(0, 1), Fraction(2, 1)),
         (Fraction(-1, 1), Fraction(0, 1), Fraction(1, 1))]
    """
    limits = Limits(max_cells, max_seconds)
    job = _job(network, box, method, pieces=pieces, arithmetic=arithmetic, faces=True)
    found = _count(job, limits, report)
    count, merged = _with_pieces(job, found, limits) if pieces else (found.count, None)
    return LinearRegions(
        **vars(count),
        network=job.network,
        arrangement=job.arrangement,
        lattice=found.lattice,
        patterns=found.patterns,
        witnesses=found.witnesses,
        units_done=found.units_done,
        is_exact=job.exact,
        cell_maps=CellMaps(job.full, found.patterns),
        merged=merged,
    )


# -- how it is done --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Job:
    """What to count, checked: faces, where all of them are asked for, not their number alone."""

    network: ReLUNetwork
    lower: np.ndarray
    upper: np.ndarray
    method: Method | None
    faces: bool
    exact: bool

    @cached_property
    def arrangement(self) -> Arrangement:
        """The hidden units."""
        return Arrangement.of(self.network, self.lower, self.upper)

    @cached_property
    def full(self) -> Arrangement:
        """The hidden units and the outputs."""
        return Arrangement.of(self.network, self.lower, self.upper, output=True)


@dataclass(frozen=True)
class _Found:
    """What a job found; patterns: made when they are asked for."""

    count: RegionCount
    units_done: int
    lattice: Lattice | None = None
    searched: np.ndarray | None = None
    witnesses: np.ndarray | None = None

    @cached_property
    def patterns(self) -> np.ndarray:
        """The cells (cells, units) of the units so far."""
        if self.lattice is not None:
            return self.lattice.patterns()[:, : self.units_done]
        assert self.searched is not None  # a skeleton is only counted
        return self.searched


def _job(
    network: Any,
    box: Any,
    method: Method | None,
    *,
    pieces: bool,
    arithmetic: Arithmetic,
    faces: bool,
) -> _Job:
    """The arguments, read and checked. Raises ValueError and TypeError."""
    network = network_on(network, box)
    lower, upper = box_of(box, network.inputs)
    if method is not None and method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, or None, got {method!r}")
    if arithmetic not in ("floats", "integers"):
        raise ValueError(f"arithmetic must be 'floats' or 'integers', got {arithmetic!r}")
    exact = arithmetic == "integers"
    d = len(lower)
    if d > FACE_DIMENSIONS and method not in (None, "search"):
        raise ValueError(f"method {method!r} is for d <= {FACE_DIMENSIONS} inputs, got {d}")
    method = "search" if d > FACE_DIMENSIONS else method
    if method == "skeleton" and faces:
        raise ValueError(
            "method 'skeleton' has vertices and edges only; pieces, exact results and regions "
            "need 'lattice'"
        )
    for name, asked in (("pieces", pieces), ("arithmetic 'integers'", exact)):
        if method == "search" and asked:
            raise ValueError(
                f"{name} needs faces: d <= {FACE_DIMENSIONS} inputs and not method 'search', "
                f"got d = {d}"
            )
    job = _Job(network, lower, upper, method, faces, exact)
    _ = (
        (job.arrangement, job.full) if faces else job.arrangement
    )  # their arithmetic must be possible
    return job


def _count(job: _Job, limits: Limits, report: Report) -> _Found:
    """Count with the method asked for, or the best one."""
    if job.method == "search":
        return _search(job, limits, report)
    reason = (
        "for method lattice"
        if job.method == "lattice"
        else "for exact vertices"
        if job.exact
        else "for the cells themselves"
    )
    if job.method == "skeleton" or (job.method is None and not job.faces):
        try:
            return _skeleton(job, limits, report)
        except Degenerate as error:
            reason = f"not generic: {error}"
    return _lattice(job, limits, report, reason)


def _with_pieces(
    job: _Job, found: _Found, limits: Limits
) -> tuple[RegionCount, tuple[np.ndarray, int] | None]:
    """The count with its pieces, and each cell's piece and the number of maps; without where a
    limit came first.
    """
    count = found.count
    if not count.complete:
        return count, None
    assert found.lattice is not None  # pieces need faces
    try:
        merged = merge(
            CellMaps(job.full, found.patterns), found.lattice.neighbours(), limits.check_time
        )
    except (KeyboardInterrupt, Stopped) as error:
        stop = error if isinstance(error, Stopped) else Stopped(Stop.INTERRUPT)
        method = f"{count.method}; merging into pieces ended early by {stop}"
        return replace(count, method=method, stopped=stop.stop), None
    return replace(count, pieces=int(merged[0].max()) + 1, affine_maps=merged[1]), merged


@dataclass
class _Drive:
    """Units put in one by one, as many as the limits allow.

    done: how many are in. stopped: what ended it early, and `why` in words.
    """

    engine: Skeleton | Lattice
    limits: Limits
    report: Report
    done: int = 0
    stopped: Stop | None = None
    why: str = ""

    def run(self, start: int, end: Callable[[int], None], only_begin: int | None = None) -> None:
        """From layer `start` on (which has begun, if it is not the first); `end` after each layer;
        the layer `only_begin` is just evaluated.
        """
        a = self.engine.arrangement
        with self.limits.interruptible():
            try:
                for layer in range(start, len(a.widths)):
                    self.limits.check(self.engine)
                    if layer != start or start == 0:
                        self.engine.begin(layer)
                    if layer == only_begin:
                        break
                    for unit in range(int(a.starts[layer]), int(a.starts[layer + 1])):
                        self._report()
                        self.limits.check(self.engine)
                        self.engine.cut(unit)
                        self.done += 1
                    end(layer)
            except Stopped as stopped:
                self.stopped = stopped.stop
                self.why = f"; ended by {stopped} after {self.done} of {a.units} units"

    def _report(self) -> None:
        """Between two units, where everything fits together."""
        try:
            self.report(Progress("cutting units", self.done, self.engine.arrangement.units))
        except KeyboardInterrupt:
            self.limits.interrupted = True


def _skeleton(job: _Job, limits: Limits, report: Report) -> _Found:
    """Vertices and edges alone. Raises `Degenerate` unless they are in general position."""
    engine, a = Skeleton(job.arrangement), job.arrangement
    drive = _Drive(engine, limits, report)
    last = len(a.widths) - 1 if a.d == 2 and a.widths else None
    drive.run(0, engine.end, last)
    method, faces = "vertices and edges in general position, every sign certain in float64", None
    if last is not None and not drive.stopped:
        # a degenerate last layer's units come one by one, too
        with contextlib.suppress(Degenerate), limits.interruptible():
            faces = count_last_layer(engine, last)
            drive.done, method = a.units, f"{method}, the last layer by chords"
        if faces is None:
            drive.run(last, engine.end)
    if drive.stopped:  # what is there must be certain, too
        engine.end(int(a.layer_of[drive.done - 1]) if drive.done else 0)
    engine.check_incidences()
    faces = faces or engine.counts()
    if _euler(faces) != 1:
        raise Degenerate("the Euler characteristic is not 1")
    return _Found(_faces_counted(faces, drive, True, method), drive.done)


def _lattice(job: _Job, limits: Limits, report: Report, reason: str) -> _Found:
    """All faces."""
    engine = Lattice(job.arrangement, job.exact)
    drive = _Drive(engine, limits, report)
    drive.run(0, lambda layer: None)
    certified = engine.sound and _euler(engine.counts) == 1 and engine.facets_fit()
    method = f"face lattice ({reason}), {engine.arbitrated:,} signs decided in integers"
    return _Found(
        _faces_counted(engine.counts, drive, certified, method), drive.done, lattice=engine
    )


def _euler(faces: list[int]) -> int:
    """The Euler characteristic."""
    return sum((-1) ** k * n for k, n in enumerate(faces))


def _faces_counted(faces: list[int], drive: _Drive, certified: bool, method: str) -> RegionCount:
    """The numbers of faces as a result."""
    return RegionCount(
        faces[-1],
        None,
        None,
        complete=drive.stopped is None,
        certified=certified,
        method=method + drive.why,
        faces=tuple(faces),
        stopped=drive.stopped,
    )


def _search(job: _Job, limits: Limits, report: Report) -> _Found:
    """Linear programs."""
    a = job.arrangement
    found = search_cells(
        a.weights,
        a.biases,
        job.lower,
        job.upper,
        max_cells=limits.max_cells,
        max_seconds=limits.max_seconds,
        progress=lambda cells: report(Progress("searching cells", cells)),
    )
    method = f"depth-first search, {found.lps:,} linear programs"
    count = RegionCount(
        len(found.patterns),
        None,
        None,
        complete=found.complete,
        certified=found.certified,
        method=f"{method}; {found.reason}" if found.reason else method,
        stopped=found.stopped,
    )
    return _Found(count, a.units, searched=found.patterns, witnesses=found.points)


def network_on(network: Any, box: Any) -> ReLUNetwork:
    """What `read_network` reads; a module's image shape is that of the box's corners."""
    lower, _ = read_box(box)
    network = read_network(network, lower.shape if lower.ndim > 1 else None)
    if not isinstance(network.inputs, int):
        raise ValueError(f"network must have numbers as weights, got {network}")
    return network
