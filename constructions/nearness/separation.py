"""The least distance between labelled points, and all pairs nearer than a radius: exact, at any
number of points.

Whole, because all answers come from one pass over pairs, shard by shard.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist

from ..basics.ball import Ball, check_ball
from ..basics.engine import HERE, Engine, check_engine, run_shards
from ..basics.floats import from_shared
from ..basics.norms import read_norm
from ..basics.reading import as_tensor, check_finite, check_labels
from ..basics.renamed import Former, renamed
from ..basics.result import Result, Said, Unpacked, said
from .range_search import RangeSearch

DIRECT = 2**27
"""Most coordinates, over all pairs, that are compared one by one; beyond, bounds come first."""

SHARD = 2**11
"""Points that are compared with all others at once."""

LARGEST, LEAST = 1e150, 1e-280
"""Most that a coordinate may be, and least square that is trusted: others overflow or underflow."""

PROBES = 4, 256
"""Points whose nearest others bound the separation, before all points are looked at."""


@dataclass(frozen=True, repr=False)
class Separation(Result):
    """The least distance between points of different labels, and where it is attained.

    Attributes:
        distance: in the units of the points (of uint8, k/255); inf if there is one label only.
        pair: indices (first set, second set), or None.
        is_exact: whether it was computed without rounding, up to the final square root (l_2) and
            division by 255 (uint8).
        lower: a certified lower bound of the true value.
    """

    distance: float
    pair: tuple[int, int] | None
    is_exact: bool
    lower: float
    exact = Former("is_exact")

    def _says(self) -> tuple[str, dict[str, Said]]:
        where = "" if self.pair is None else f", between points {self.pair[0]} and {self.pair[1]}"
        exact = self.is_exact and self.lower == self.distance  # else the root is rounded
        return f"the least distance{where}", {
            "distance": said(self.distance, "exact" if exact else "rounded"),
            **({} if exact else {"lower": said(self.lower, "certified lower bound")}),
        }


@dataclass(frozen=True, eq=False, repr=False)
class NearPairs(Unpacked):
    """Pairs of points nearer than a radius, in the order of their indices; see `pairs_within`.

    Attributes:
        pairs: indices (first set, second set), int64, (P, 2).
        distances: of each pair, in the units of the points, float64, (P,).
    """

    pairs: np.ndarray
    distances: np.ndarray

    def _says(self) -> tuple[str, dict[str, Said]]:
        numbers = {"pairs": said(len(self.pairs), "up to rounding at the radius")}
        if len(self.pairs):
            numbers["least distance"] = said(float(self.distances.min()), "rounded")
        return "pairs of points nearer than a radius", numbers


def separation(
    points: Any,
    labels: Any,
    other_points: Any = None,
    other_labels: Any = None,
    *,
    norm: Any = math.inf,
    engine: Engine = HERE,
) -> Separation:
    """Find the least distance between points of different labels, in one set or between two.

    Of images, uint8 gives the exact distance; their quotients by 255 in floating point give that of
    what they are rounded to, up to rounding.

    Args:
        points: shape (N, ...), floats, or uint8 read as k/255.
        labels: (N,).
        other_points: a second set, (M, ...); None compares points with themselves.
        other_labels: labels of the second set, (M,).
        norm: inf or 2.
        engine: where it runs.

    Returns:
        A `Separation`.

    Raises:
        ValueError: for shapes that do not fit, NaN and infinity, coordinates above 1e150 in size,
            and another norm.
        TypeError: if engine is not an `Engine`.

    Cost: N^2 / 2 products of 34 to 64 numbers (see `RangeSearch`), and D for each pair that these
    leave; memory N D.

    Example:
        >>> separation([[0.0], [0.25], [1.0]], [1, 1, -1])
        Separation: the least distance, between points 1 and 2
          distance 0.75 (exact)
    """
    return _nearest(_read_pairs(points, labels, other_points, other_labels, norm, False), engine)


def nearest_within_class(
    points: Any, labels: Any, *, norm: Any = math.inf, engine: Engine = HERE
) -> Separation:
    """Find the least distance between two points of the same label.

    Args:
        points: shape (N, ...), floats, or uint8 read as k/255.
        labels: (N,).
        norm: inf or 2.
        engine: where it runs.

    Returns:
        A `Separation` of points with the same label.

    Raises:
        ValueError: as `separation`.
        TypeError: as `separation`.

    Cost: as for `separation`.

    Example:
        >>> nearest_within_class([[0.0], [0.25], [1.0]], [1, 1, -1]).pair
        (0, 1)
    """
    return _nearest(_read_pairs(points, labels, None, None, norm, True), engine)


@renamed(
    "radius points labels other_points other_labels",
    when=lambda given: isinstance(given["points"], Real),
    ball=lambda radius, norm=math.inf: Ball(norm, radius),
)
def pairs_within(
    points: Any,
    labels: Any,
    ball: Ball,
    other_points: Any = None,
    other_labels: Any = None,
    *,
    same_label: bool = True,
    engine: Engine = HERE,
) -> NearPairs:
    """Find all pairs of points with the same label (or different ones) nearer than a radius.

    Args:
        points: shape (N, ...), floats, or uint8 read as k/255.
        labels: (N,).
        ball: norm and radius, in the units of the points.
        other_points: a second set, (M, ...); None takes pairs i < j of points.
        other_labels: labels of the second set, (M,).
        same_label: whether pairs have the same label or different ones.
        engine: where it runs.

    Returns:
        `NearPairs`: indices, int64, (P, 2), and distances, float64, (P,). A pair at the radius up
        to rounding may be among them.

    Raises:
        ValueError: as `separation`, and for a radius of 0.
        TypeError: for what is no `Ball`.

    Cost: as for `separation`.

    Example:
        >>> pairs_within([[0.0], [0.25], [1.0]], [1, 1, -1], Ball("inf", 0.5))
        NearPairs: pairs of points nearer than a radius
          pairs 1 (up to rounding at the radius); least distance 0.25 (rounded)
    """
    check_ball(ball, positive=True)
    pairs = _read_pairs(points, labels, other_points, other_labels, ball.p, same_label)
    found = _run(_Pairs.shard, pairs.within(ball.radius * pairs.unit, engine.device), engine)
    table = np.array([row for shard in found for row in shard], dtype=np.float64).reshape(-1, 3)
    distances = table[:, 0] if pairs.p == math.inf else np.sqrt(table[:, 0])
    return NearPairs(table[:, 1:].astype(np.int64), distances / pairs.unit)


@dataclass(frozen=True)
class _Pairs:
    """Pairs of rows of a and b with the same label, or with different ones; of one set, i < j.
    Distances of l_2 are squared.
    """

    a: np.ndarray
    b: np.ndarray
    labels: np.ndarray
    others: np.ndarray
    p: float
    same_label: bool
    one_set: bool
    step: int
    search: RangeSearch | None = None

    @property
    def unit(self) -> float:
        """What one is in the numbers that are kept."""
        return 255.0 if self.a.dtype == np.uint8 else 1.0

    def rows(self) -> np.ndarray:
        """The rows of a that are in some pair."""
        known, counts = np.unique(self.others, return_counts=True)
        place = np.searchsorted(known, self.labels).clip(max=len(known) - 1)
        same = np.where(known[place] == self.labels, counts[place], 0)
        return np.flatnonzero(same > self.one_set if self.same_label else same < len(self.others))

    def within(self, radius: float, device: str) -> _Pairs:
        """The pairs at most a radius apart."""
        return replace(
            self,
            search=RangeSearch(
                from_shared(self.b).to(device), self.p, math.nextafter(radius, math.inf)
            ),
        )

    def directly(self, rows: np.ndarray) -> tuple[float, int, int]:
        """The nearest pair with i among the rows, the first of several."""
        best = (math.inf, -1, -1)
        metric = "chebyshev" if self.p == math.inf else "sqeuclidean"
        for part, start in itertools.product(
            np.split(rows, range(SHARD, len(rows), SHARD)), range(0, len(self.b), SHARD)
        ):
            others = np.arange(start, min(start + SHARD, len(self.b)))
            distances = cdist(
                self.a[part].astype(np.float64), self.b[others].astype(np.float64), metric
            )
            unwanted = (self.labels[part, None] == self.others[others]) != self.same_label
            unwanted |= (part[:, None] == others) & self.one_set
            distances[unwanted] = math.inf
            i, j = divmod(int(distances.argmin()), len(others))
            best = min(best, (float(distances[i, j]), int(part[i]), int(others[j])))
        return best

    def near(self, rows: np.ndarray, first: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The pairs with i among the rows and j from `first` on, in order, and their distances."""
        assert self.search is not None

        def wanted(i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
            left, right = rows[i.cpu().numpy()], j.cpu().numpy()
            chosen = (self.labels[left] == self.others[right]) == self.same_label
            return torch.from_numpy(chosen & (left < right) if self.one_set else chosen).to(
                i.device
            )

        queries = torch.from_numpy(self.a[rows]).to(self.search.points.device)
        i, j, values = (found.cpu().numpy() for found in self.search(queries, first, wanted))
        return rows[i], j, values

    def shard(self, k: int) -> list[tuple[float, int, int]]:
        """(distance, i, j) of all pairs with i in shard k."""
        rows = np.arange(k * self.step, min((k + 1) * self.step, len(self.a)))
        i, j, values = self.near(rows, int(rows[0]) if self.one_set else 0)
        return list(zip(values.tolist(), i.tolist(), j.tolist(), strict=True))

    def nearest(self, k: int) -> tuple[float, int, int] | None:
        """The nearest pair with i in shard k, the first of several."""
        return min(self.shard(k), default=None)


def _read_pairs(
    points: Any, labels: Any, other_points: Any, other_labels: Any, norm: Any, same_label: bool
) -> _Pairs:
    if isinstance(other_points, (str, Real)):
        raise TypeError(f"other_points must be points, got {other_points!r}: a norm is norm=...")
    a, first = _labelled(points, labels, "points", "labels")
    b, second = (
        (a, first)
        if other_points is None
        else _labelled(other_points, other_labels, "other_points", "other_labels")
    )
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"other_points must have {a.shape[1]} coordinates like points, got {b.shape[1]}"
        )
    if a.dtype != b.dtype:
        a, b = (
            values / 255.0 if values.dtype == np.uint8 else values.astype(np.float64)
            for values in (a, b)
        )
    return _Pairs(a, b, first, second, read_norm(norm), same_label, other_points is None, SHARD)


def _labelled(
    points: Any, labels: Any, name: str, labels_name: str
) -> tuple[np.ndarray, np.ndarray]:
    x = as_tensor(points, name).cpu()
    if x.ndim == 0 or not x.numel() or x.is_complex():
        raise ValueError(
            f"{name} must be real numbers of shape (N, ...) with N >= 1, got shape "
            f"{tuple(x.shape)} of {x.dtype}"
        )
    if labels is None:
        raise ValueError(f"{labels_name} must be given with {name}")
    groups = check_labels(labels, len(x), name=labels_name).cpu().numpy()
    check_finite(x, name)
    if x.dtype not in (torch.uint8, torch.float32, torch.float64):
        x = x.double()
    array = x.reshape(len(x), -1).contiguous().numpy()
    if not max(abs(float(array.min())), abs(float(array.max()))) <= LARGEST:
        raise ValueError(
            f"{name} must be at most {LARGEST:g} in size, got values in [{array.min()}, "
            f"{array.max()}]"
        )
    return array, groups


def _nearest(pairs: _Pairs, engine: Engine) -> Separation:
    """The nearest pair. Of many, first some points' nearest ones, which bound it, then all that are
    within the bound.
    """
    check_engine(engine)
    rows = pairs.rows()
    if not len(rows):
        return Separation(math.inf, None, True, math.inf)
    if pairs.a.size * len(pairs.b) <= DIRECT:
        value, i, j = pairs.directly(rows)
    else:
        few, more = (rows[:: -(-len(rows) // count)] for count in PROBES)
        bound = _root(pairs, pairs.directly(few)[0])
        values = pairs.within(bound, engine.device).near(more)[2]
        bound = min(bound, _root(pairs, float(values.min(initial=math.inf))))
        found = _run(_Pairs.nearest, pairs.within(bound, engine.device), engine)
        value, i, j = min(tuple(nearest) for nearest in found if nearest is not None)
    best = _root(pairs, value)
    grid = 2.0**20 if pairs.p == math.inf or pairs.a.shape[1] <= 2**8 else 2.0**10
    exact = pairs.unit == 255 or all(_on_grid(array, grid) for array in (pairs.a, pairs.b))
    if pairs.p == 2 and 0 < value < LEAST:
        return Separation(best / pairs.unit, (i, j), False, 0.0)
    unrounded = exact and pairs.unit == 1 and pairs.p == math.inf
    lower = best if unrounded else best * (1 - (pairs.a.shape[1] + 8) * 2.0**-53)
    return Separation(
        best / pairs.unit,
        (i, j),
        exact,
        lower if pairs.unit == 1 else math.nextafter(lower / pairs.unit, 0.0),
    )


def _root(pairs: _Pairs, value: float) -> float:
    return value if pairs.p == math.inf else math.sqrt(value)


def _on_grid(array: np.ndarray, grid: float) -> bool:
    parts = (array[k : k + SHARD].astype(np.float64) for k in range(0, len(array), SHARD))
    return all(
        np.abs(part).max() <= 1 and np.array_equal(part * grid, np.rint(part * grid))
        for part in parts
    )


def _run(work: Callable[[_Pairs, int], Any], pairs: _Pairs, engine: Engine) -> list[Any]:
    """What `work` gives for all shards of the pairs."""
    assert pairs.search is not None
    digest = hashlib.blake2b(digest_size=16)
    if engine.journal is not None:
        for array in (pairs.a, pairs.b, pairs.labels, pairs.others):
            digest.update(np.ascontiguousarray(array).data)
    kinds = [
        [str(array.dtype), *array.shape] for array in (pairs.a, pairs.b, pairs.labels, pairs.others)
    ]
    question = [
        work.__name__,
        str(pairs.p),
        pairs.same_label,
        pairs.one_set,
        pairs.search.radius,
        kinds,
        digest.hexdigest(),
    ]
    return run_shards(partial(work, pairs), -(-len(pairs.a) // pairs.step), question, engine)
