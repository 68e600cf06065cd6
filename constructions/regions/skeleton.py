"""Vertices and edges of a generic arrangement, and its number of cells: fast, in any small
dimension, without the cells.

Generic: each vertex lies on exactly d constraints. Wherever rounding leaves a sign open, or
anything is not as it must be in general position, `Degenerate` is raised and the face lattice takes
over.
"""

from __future__ import annotations

import numpy as np

from .arrangement import Arrangement
from .faces import Table, cube

TRIES = 4
"""Directions tried until all edges are certainly not level."""


class Degenerate(ArithmeticError):  # noqa: N818
    """The arrangement is not generic, or not certainly so in floating point."""


class Skeleton:
    """The vertices and edges that the first units of an arrangement cut from its box.

    After `begin(layer)`, `cut(unit)` for all its units and `end(layer)`, for all layers in order,
    all signs are certain. constraints (V, d): those that a vertex lies on; spans (d-1, E): those of
    an edge. hashes: one 64-bit number an edge, the sum of 0, r_k or 2 r_k over all constraints k by
    their signs -, 0, + on it; a cut 2-face is found as the two cut edges with equal hashes up to
    the dropped constraint, and must be found exactly twice.
    """

    def __init__(self, arrangement: Arrangement) -> None:
        self.arrangement = arrangement
        d = self.d = arrangement.d
        corners, sides = arrangement.corners()
        count, units = len(corners), arrangement.units
        generator = np.random.default_rng(0)
        self.keys = generator.integers(0, 2**63, size=2 * d + units, dtype=np.uint64) * np.uint64(
            2
        ) + np.uint64(1)
        self.points, self.radius = Table(corners, by_rows=True), Table(np.zeros(count))
        self.constraints = Table((np.arange(d) + d * sides).astype(np.int32), by_rows=True)
        self.signs = Table(np.zeros((count, units), dtype=np.int8), by_rows=True)
        faces, spans = cube(d, 1)
        self.edges = Table(np.array(faces[1], dtype=np.intp).T.copy())
        self.spans = Table(
            np.array(spans[1], dtype=np.int32).reshape(len(spans[1]), d - 1).T.copy()
        )
        total = 2 * self.keys[: 2 * d].sum(dtype=np.uint64, keepdims=True)
        self.hashes = Table(total - self.keys[self.spans.view].sum(axis=0, dtype=np.uint64))
        self.values = Table(np.zeros((count, 0)), by_rows=True)
        self.positive = Table(np.zeros((0, count), dtype=bool))  # the layer's signs, unit by unit
        self.fresh = count  # vertices from here on have not been checked

    @property
    def cells(self) -> int:
        """The number of cells; as costly as a few cuts."""
        return self.counts()[-1]

    @property
    def nbytes(self) -> int:
        """Memory that the tables take."""
        vertices = [
            self.points,
            self.radius,
            self.constraints,
            self.signs,
            self.values,
            self.positive,
        ]
        return sum(t.view.nbytes for t in [*vertices, self.edges, self.spans, self.hashes])

    def begin(self, layer: int) -> None:
        """Evaluate a layer at all vertices; every sign must be clear."""
        a = self.arrangement
        first, last = int(a.starts[layer]), int(a.starts[layer + 1])
        old = self.values.view  # worked on in place where it can be
        z = old if old.shape[1] == last - first else np.empty((self.points.n, last - first))
        for part in a.chunks(len(z)):
            hidden = self.points.view[part]
            if layer:
                hidden = np.maximum(old[part], 0.0)
            z[part] = a.affine(layer, hidden)
            radius = self.radius.view[part]
            near = self.points.view[part], self.signs.view[part], radius
            if len(a.settle(layer, z[part], a.unclear(layer, z[part], radius), *near)[0]):
                raise Degenerate("a unit may vanish at a vertex of others")
            self.signs.view[part, first:last] = np.sign(z[part])
        if z is not old:
            self.values = Table(z, by_rows=True)
        self.positive = Table(np.ascontiguousarray((z > 0).T))

    def cut(self, unit: int) -> None:
        """Cut all edges on which the unit changes sign, and join the new vertices inside each cut
        2-face.
        """
        a, d = self.arrangement, self.d
        key = self.keys[2 * d + unit : 2 * d + unit + 1]
        first, last = int(a.starts[a.layer_of[unit]]), int(a.starts[a.layer_of[unit] + 1])
        row = unit - first
        positive = self.positive.view[row]
        ends = self.edges.view
        side = positive.take(ends[0])
        cut = np.flatnonzero(side != positive.take(ends[1]))
        hashes = self.hashes.view
        old = hashes[cut]
        hashes += side * (2 * key)
        if len(cut) == 0:
            return
        u, w = ends[:, cut]
        side, count = side[cut], len(cut)
        # earlier units are done with
        points, later = self.points.data.take(u, axis=0), self.values.data[u, row:]
        ends_later = self.values.data[w, row:]
        t = (later[:, 0] / (later[:, 0] - ends_later[:, 0]))[:, None]
        points += t * (self.points.data.take(w, axis=0) - points)
        later += t * (ends_later - later)
        later = later[:, 1:]
        signs = np.zeros((count, a.units), dtype=np.int8)
        np.sign(self.signs.data[u, :unit] + self.signs.data[w, :unit], out=signs[:, :unit])
        signs[:, unit + 1 : last] = np.sign(later)
        spans = self.spans.data[:, cut]
        new = self.points.n + np.arange(count)
        self.points.append(points)
        self.radius.extend(count)[:] = 0.0
        self.values.extend(count)[:, row + 1 :] = later
        self.signs.append(signs)
        self.positive.extend(count)[row + 1 :] = (later > 0).T
        self.constraints.append(
            np.concatenate([spans.T, np.full((count, 1), 2 * d + unit, dtype=np.int32)], axis=1)
        )
        self.edges.data[1, cut] = new
        self.edges.append(np.stack([new, w]))
        self.hashes.append(old + ~side * (2 * key))
        self.spans.append(spans)
        if d > 1:
            self._join(new, old, spans, unit)

    def _join(self, new: np.ndarray, hashes: np.ndarray, spans: np.ndarray, unit: int) -> None:
        """New edges between the new vertices that share a 2-face."""
        m, count = spans.shape
        keys = self.keys[spans]
        # a unit has faces on both sides, the box on one
        both = np.flatnonzero((spans >= 2 * self.d).ravel())
        faces = np.concatenate([(hashes + keys).ravel(), (hashes - keys).ravel()[both]])
        place = np.concatenate([np.arange(m * count), both])
        order = np.argsort(faces)
        faces, place = faces[order], place[order]
        if (
            len(faces) % 2
            or (faces[0::2] != faces[1::2]).any()
            or (faces[1:-1:2] == faces[2::2]).any()
        ):
            raise Degenerate("a cut 2-face must have two cut edges")
        one, two = place[0::2], place[1::2]
        dropped, edge = np.divmod(one, count)
        rest = np.array(
            [[j for j in range(m) if j != i] for i in range(m)], dtype=np.int64
        ).reshape(m, m - 1)
        kept = spans[rest[dropped].T, edge]
        self.edges.append(np.stack([new[edge], new[two % count]]))
        self.hashes.append(faces[0::2] + self.keys[2 * self.d + unit])
        self.spans.append(
            np.concatenate([kept, np.full((1, len(one)), 2 * self.d + unit, dtype=np.int32)])
        )

    def end(self, layer: int) -> None:
        """Enclose the layer's new vertices and make sure of every sign that was used there."""
        a, start = self.arrangement, self.fresh
        first, last = int(a.starts[layer]), int(a.starts[layer + 1])
        self.fresh = self.points.n
        for part in a.chunks(self.fresh - start):
            new = slice(start + part.start, start + part.stop)
            signs, constraints = self.signs.view[new], self.constraints.view[new]
            points, radius = a.locate(self.points.view[new], constraints, signs)
            if not np.isfinite(radius).all():
                raise Degenerate("constraints of a vertex may be dependent")
            z = a.prefix(layer, points)[layer]
            # signs of earlier layers, and of earlier units, are those of the cut edges
            expected = signs[:, first:last]
            ids, units = a.unclear(layer, z, radius)
            other = expected[ids, units] != 0  # units on which the vertex does not lie
            pairs = ids[other], units[other]
            ids, units = a.settle(layer, z, pairs, points, signs, radius)
            wrong, at = np.nonzero((z > 0) != (expected > 0))
            own = np.count_nonzero(
                (constraints >= 2 * self.d + first) & (constraints < 2 * self.d + last)
            )
            zeros = expected.size - np.count_nonzero(expected)
            if len(ids) or expected[wrong, at].any() or zeros != own:
                raise Degenerate("a unit may vanish at a vertex of others")
            self.points.view[new], self.radius.view[new], self.values.view[new] = points, radius, z

    def counts(self) -> list[int]:
        """The number of faces of each dimension 0..d: each face of dimension k counts at its lowest
        vertex.

        At a vertex with n_i edges that go up and leave constraint i, these are the products of k
        different n_i.
        """
        d, count = self.d, self.points.n
        n = np.bincount(self._departures(), minlength=d * count).reshape(count, d)
        faces = np.zeros((d + 1, count), dtype=np.int64)
        faces[0] = 1
        for i in range(d):
            faces[1:] += n[:, i] * faces[:-1]
        return [int(v) for v in faces.sum(axis=1)]

    def _departures(self) -> np.ndarray:
        """For each edge d v + i, where v is its lower end and i the place of the constraint of v
        that it leaves.

        Lower in some direction in which no edge is level, not even within its ends' enclosures.
        """
        d, ends, constraints = self.d, self.edges.view, self.constraints.view
        out = np.empty(self.edges.n, dtype=np.intp)
        total = constraints @ np.ones(d, dtype=np.int32)
        noise = self.radius.view + 4e-15 * max(
            np.abs(self.arrangement.lower).max(), np.abs(self.arrangement.upper).max()
        )
        generator = np.random.default_rng(1)
        for _ in range(TRIES):
            direction = generator.normal(size=d)
            height, slack = self.points.view @ direction, np.abs(direction).sum() * noise
            high, low = height + slack, height - slack
            for part in (slice(i, i + 2**14) for i in range(0, len(out), 2**14)):
                first, second = ends[:, part]
                up, down = low.take(second) > high.take(first), low.take(first) > high.take(second)
                if not (up | down).all():
                    break
                bottom = np.where(up, first, second)
                left = total.take(bottom) - self.spans.view[:, part].sum(axis=0)
                slot = sum(
                    (i * (constraints[bottom, i] == left) for i in range(1, d)),
                    np.zeros(len(bottom), dtype=np.intp),
                )
                out[part] = d * bottom + slot
            else:
                return out
        raise Degenerate("an edge may be too short to be oriented")

    def check_incidences(self) -> None:
        """Each vertex has two edges off every unit that it lies on, and one off every side of the
        box.
        """
        degree = np.bincount(self.edges.view.ravel(), minlength=self.points.n)
        if (degree != np.where(self.constraints.view < 2 * self.d, 1, 2).sum(axis=1)).any():
            raise Degenerate("a vertex has a wrong number of edges")
