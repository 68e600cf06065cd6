"""All pairs of points nearer than a radius, without looking at all coordinates of all pairs, and
without missing one.

Each norm has a map into few dimensions under which a product with a fixed limit rules most pairs
out, so that the work is one matrix product of some 34 to 64 columns; the pairs that it leaves are
measured in all coordinates. Whole, because it is one search: cuts, projection and limits are chosen
for each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ..basics.floats import from_shared
from ..basics.norms import read_norm
from ..basics.shapes import PairDistances, PairRows, Points

COMPONENTS, LEFT = 32, 0.02
"""Principal components that l_2 distances are bounded by, at least, and the share of pairs up to
which they are enough.
"""

CUTS = 32
"""Most cuts that l_inf distances are bounded by."""

FEW = 8
"""Dimensions up to which l_inf distances are bounded by l_2 distances."""

LEVELS = 4
"""Heights at which each coordinate may be cut."""

SAMPLE = 2**10
"""Points that components and cuts are chosen from, and pairs that a cut is chosen by."""

BLOCK = {"cpu": 2**18, "cuda": 2**28}
"""Pairs bounded at once, for each kind of device (else as "cpu"): on a CPU so many that they stay
in its cache.
"""

GATHERED = 2**14
"""Pairs that are worth a look of their own."""

CHUNK = 2**22
"""Numbers of points that features are computed from at once, and of pairs that are measured at
once.
"""


class RangeSearch:
    """Finds all pairs (query, point) nearer than a radius, and misses none.

    Pairs with ||query - point||_p < radius. Complete: bounds account for rounding. Works on the
    points' device.

    l_2: an orthogonal projection onto principal components, with the length of the rest as one more
    coordinate, does not increase distances. l_inf: a cut (j, low, high) with high - low >= radius
    rules out all pairs of which one coordinate j is at most low and the other at least high; cuts
    are chosen greedily on pairs of points. (Up to `FEW` dimensions, l_2.)

    Args:
        points: (N, D) tensor, floating or uint8 (taken as the numbers that it holds).
        norm: math.inf or 2.
        radius: of the distance, for both norms.
        seed: of the sample of points that components and cuts are chosen from.

    Raises:
        ValueError: for points of another shape.

    Cost: for M queries M N products of 34 to 64 numbers, and D for each pair that is left; setting
    up takes N D. Memory: beside the points 34 to 64 float32 a point, and `BLOCK` pairs.

    Example:
        >>> search = RangeSearch(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 0.5]]), 2, 0.75)
        >>> [found.tolist() for found in search(torch.tensor([[0.0, 0.125], [5.0, 5.0]]))]
        [[0, 0], [0, 2], [0.015625, 0.140625]]
    """

    def __init__(self, points: torch.Tensor, norm: float, radius: float, seed: int = 0) -> None:
        if points.ndim != 2 or 0 in points.shape:
            raise ValueError(
                f"points must have shape (N, D) with N, D >= 1, got {tuple(points.shape)}"
            )
        self.points, self.p, self.radius = points.detach(), read_norm(norm), float(radius)
        generator = torch.Generator().manual_seed(seed)
        self._projects = self.p == 2 or self.points.shape[1] <= FEW
        if self._projects:
            self._choose_components(generator)
        else:
            self._choose_cuts(generator)
        self._right = self._features(self.points, right=True)

    def __call__(
        self,
        queries: Points,
        first: int = 0,
        wanted: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
    ) -> tuple[PairRows, PairRows, PairDistances]:
        """Find all pairs of a query and a point nearer than the radius.

        Args:
            queries: (M, D), as the points are.
            first: only points from this row on.
            wanted: from rows of queries and of points to booleans, which of these pairs are asked
                for; None asks for all.

        Returns:
            Rows of queries, rows of points (int64), and float64 distances (l_2: their squares), in
            order. A pair whose computed distance is the radius, up to rounding, may be among them.
        """
        queries = queries.detach()
        reach = self.radius if self.p == math.inf else self.radius * self.radius
        # squares may underflow
        limit = reach * (1 + (self.points.shape[1] + 8) * 2.0**-50) + 1e-300
        kept = [torch.empty(3, 0, dtype=torch.float64, device=self.points.device)]
        for rows, columns in _gathered(self.candidates(queries, first)):
            if wanted is not None:
                chosen = wanted(rows, columns)
                rows, columns = rows[chosen], columns[chosen]
            values = self.measure(queries, rows, columns)
            near = ~(values > limit)
            # rows are exact in float64
            kept.append(torch.stack([rows[near], columns[near], values[near]]))
        rows, columns, values = torch.cat(kept, 1)
        order = torch.argsort(rows * len(self.points) + columns)
        return rows[order].long(), columns[order].long(), values[order]

    def candidates(self, queries: Points, first: int = 0) -> Iterator[tuple[PairRows, PairRows]]:
        """Find all pairs that the bounds do not rule out, block by block.

        Args:
            queries: (M, D), as the points are.
            first: only points from this row on.

        Returns:
            An iterator of rows of queries and rows of points.
        """
        dtype = _product_dtype()
        left, right = self._features(queries.detach(), right=False).to(dtype), self._right.to(dtype)
        device = self.points.device.type
        block = BLOCK.get(device, BLOCK["cpu"])
        height = max(1, min(len(left), 2**8 if device == "cpu" else 2**12))
        room = left.new_empty(min(block, height * max(1, len(right) - first)))
        excluded, width = torch.empty_like(room, dtype=torch.bool), max(1, len(room) // height)
        for top in range(0, len(left), height):
            rows = left[top : top + height]
            limit = self._limit(rows)
            for start in range(first, len(right), width):
                columns = right[start : start + width]
                size = len(rows) * len(columns)
                with torch.autocast(device, enabled=False):
                    torch.mm(rows, columns.T, out=room[:size].view(len(rows), len(columns)))
                # NaN is not ruled out
                left_over = torch.ge(room[:size], limit, out=excluded[:size]).logical_not_()
                on_cpu = device == "cpu"  # where NumPy skips what is not there faster
                found = (
                    torch.from_numpy(np.flatnonzero(left_over.numpy()))
                    if on_cpu
                    else left_over.nonzero()[:, 0]
                )
                if len(found):
                    yield found // len(columns) + top, found % len(columns) + start

    def measure(self, queries: Points, rows: PairRows, columns: PairRows) -> PairDistances:
        """Measure the distances of the given pairs.

        Args:
            queries: (M, D), as the points are.
            rows: rows of queries, (P,).
            columns: rows of points, (P,).

        Returns:
            Distances (l_2: squared), float64, (P,): exact for uint8 points, else to some D
            roundings.
        """
        step = max(1, CHUNK // (8 * self.points.shape[1]))
        values = [torch.empty(0, dtype=torch.float64, device=self.points.device)]
        for i, j in zip(rows.split(step), columns.split(step), strict=True):
            a, b = queries.index_select(0, i), self.points.index_select(0, j)
            if a.dtype == b.dtype == torch.uint8 and self.p == math.inf:
                values.append(torch.maximum(a, b).sub_(torch.minimum(a, b)).amax(1).double())
                continue
            gap = a.double() - b
            values.append(
                gap.abs_().amax(1) if self.p == math.inf else torch.linalg.vecdot(gap, gap)
            )
        return torch.cat(values)

    @property
    def cuts(self) -> list[list[float]]:
        """[axis, low, high] of each cut, high - low >= radius; none where projections are used."""
        if self._projects:
            return []
        return [
            list(cut)
            for cut in zip(
                self._axes.tolist(), self._low.tolist(), self._high.tolist(), strict=True
            )
        ]

    @property
    def projection(self) -> list[list[float]]:
        """The rows of the projection, orthonormal up to rounding; none where cuts are used."""
        return self._basis.T.tolist() if self._projects else []

    def _features(self, points: torch.Tensor, *, right: bool) -> torch.Tensor:
        one = self._projected if self._projects else self._sides
        parts = points.split(max(1, CHUNK // points.shape[1]))
        return torch.cat([one(part, right=right).float() for part in parts])

    def _sample(self, generator: torch.Generator) -> torch.Tensor:
        rows = torch.randperm(len(self.points), generator=generator)[:SAMPLE]
        return self.points[rows.to(self.points.device)].double()

    @cached_property
    def _state(self) -> dict[str, Any]:
        """As arrays, which joblib shares between processes: once, as it knows them by their
        identity.
        """
        state = {
            name: v.cpu().numpy() if isinstance(v, torch.Tensor) else v
            for name, v in vars(self).items()
        }
        return {**state, "device": str(self.points.device)}

    def __getstate__(self) -> dict[str, Any]:
        return self._state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(
                self,
                name,
                from_shared(value).to(state["device"]) if isinstance(value, np.ndarray) else value,
            )

    # -- l_2: projections --------------------------------------------------------------------------

    def _choose_components(self, generator: torch.Generator) -> None:
        sample = self._sample(generator)
        self._mean = sample.mean(0)
        centred = sample - self._mean
        # of the sample's Gram matrix: linear in D
        values, vectors = torch.linalg.eigh(centred @ centred.T)
        z, count = vectors * values.clamp_min(0).sqrt(), min(COMPONENTS, *centred.shape)
        # more where these leave many pairs, as without structure in the data
        while count < min(centred.shape):
            rest = torch.linalg.vector_norm(z[:, :-count], dim=1, keepdim=True)
            bounds = torch.cdist(
                torch.cat([z[:, -count:], rest], 1)[: 2**7], torch.cat([z[:, -count:], rest], 1)
            )
            if float((bounds < self.radius).double().mean()) <= LEFT:
                break
            count = min(4 * count, *centred.shape)
        self._basis = torch.linalg.qr(centred.T @ vectors[:, -count:])[0]
        gram = self._basis.T @ self._basis
        gram.diagonal().sub_(1)
        # Q^T Q = I + E: |Q^T d|^2 + |d - Q Q^T d|^2 = |d|^2 + d^T Q E Q^T d, and |E| <= its largest
        # row sum (Gershgorin)
        self._stretch = 1 + 2 * (float(gram.abs().sum(1).max()) + 2.0**-40)

    def _projected(self, points: torch.Tensor, *, right: bool) -> torch.Tensor:
        """Rows whose products are |u - v|^2: (-2 u, |u|^2, 1) and (v, 1, |v|^2), u the projection
        and what it leaves.
        """
        centred = points.double() - self._mean
        inside = centred @ self._basis
        rest = torch.linalg.vector_norm(centred - inside @ self._basis.T, dim=1, keepdim=True)
        z = torch.cat([inside, rest], 1)
        squares, ones = z.square().sum(1, keepdim=True), z.new_ones(len(z), 1)
        return torch.cat([z, ones, squares], 1) if right else torch.cat([-2 * z, squares, ones], 1)

    def _limit(self, rows: torch.Tensor) -> float:
        """What a product reaches only if the distance is at least the radius, whatever the
        rounding.
        """
        if not self._projects:
            return 0.5
        longest = math.sqrt(float(rows[:, -2].max())) + math.sqrt(float(self._right[:, -1].max()))
        # of features and of sums in float32: see the tests
        rounding = (rows.shape[1] + 16) * 2.0**-23 * longest**2
        # |d|_2 <= sqrt(D) |d|_inf
        reach = self.radius * self.radius * (1 if self.p == 2 else self.points.shape[1])
        limit = (reach * self._stretch + rounding) * (1 + 2.0**-20) + 2.0**-100
        # nothing is ruled out where float32 may overflow
        return limit if max(limit, longest**2) < 1e37 else math.nan

    # -- l_inf: cuts -------------------------------------------------------------------------------

    def _choose_cuts(self, generator: torch.Generator) -> None:
        """Greedy: the next cut is the one that rules out most of the sampled pairs left."""
        sample = self._sample(generator)
        least, room = sample.amin(0), sample.amax(0) - sample.amin(0) - self.radius
        axes = (room >= 0).nonzero()[:, 0]
        levels = torch.linspace(0, 1, LEVELS, dtype=torch.float64, device=sample.device)[:, None]
        low = (least[axes] + levels * room[axes]).flatten()
        high = torch.nextafter(low + self.radius, low.new_tensor(math.inf))
        axes = axes.repeat(LEVELS)
        chosen: list[int] = []
        while True:
            self._axes, self._low, self._high = axes[chosen], low[chosen], high[chosen]
            left, right = (self._sides(sample, right=side) for side in (False, True))
            i, j = torch.randint(len(sample), (2, 2**6 * SAMPLE), generator=generator).to(
                sample.device
            )
            alive = ~(left[i] & right[j]).any(1)
            a, b = (sample[k[alive][:SAMPLE]][:, axes] for k in (i, j))
            excluded = ((torch.minimum(a, b) <= low) & (torch.maximum(a, b) >= high)).float()
            before, remaining = len(chosen), excluded.new_ones(len(a))
            while len(chosen) < CUTS and float(remaining.sum()) > 0.05 * len(a):
                gains = remaining @ excluded
                if not len(gains) or gains.max() == 0:
                    break
                chosen.append(int(gains.argmax()))
                remaining *= 1 - excluded[:, chosen[-1]]
            if len(chosen) == before:
                return

    def _sides(self, points: torch.Tensor, *, right: bool) -> torch.Tensor:
        """For each cut whether a coordinate lies below and above it; for queries the other way
        round.
        """
        values = points[:, self._axes]
        below, above = values <= self._low, values >= self._high
        return torch.cat([below, above] if right else [above, below], 1)


def _gathered(
    blocks: Iterator[tuple[torch.Tensor, torch.Tensor]],
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The same pairs in parts of some `GATHERED` or more."""
    kept: list[tuple[torch.Tensor, torch.Tensor]] = []
    count = 0
    for block in blocks:
        kept.append(block)
        count += len(block[0])
        if count >= GATHERED:
            yield _joined(kept)
            kept, count = [], 0
    if kept:
        yield _joined(kept)


def _joined(blocks: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = zip(*blocks, strict=True)
    return torch.cat(rows), torch.cat(columns)


def _product_dtype() -> torch.dtype:
    """float32 where its matrix products are done in float32, which bounds their rounding; else
    (TF32, bfloat16) float64.
    """
    try:
        return torch.float32 if torch.get_float32_matmul_precision() == "highest" else torch.float64
    except RuntimeError:  # set through PyTorch's newer switches
        return torch.float64
