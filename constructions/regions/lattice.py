"""The face lattice of a box that the units of a ReLU network cut up: right on degenerate networks,
in any small dimension.

Signs -, 0, + of units are decided at vertices only; a face is cut exactly if it has vertices of
both signs; everything else is combinatorics. Points are floats with enclosures; where rounding
leaves a sign open, exact integers decide. Whole, because it is one data structure and its one
operation, a cut.
"""

from __future__ import annotations

import numpy as np

from ..basics.floats import UNIT_ROUNDOFF
from ..basics.shapes import Incidences, Patterns
from .arrangement import Arrangement, exact_crossing
from .exact_points import ExactPoints
from .faces import Faces, Table, cube, pack, unpack


class Lattice:
    """The cells that the first units of an arrangement cut from its box, with all their faces.

    After `begin(layer)` and `cut(unit)` for all units in order, cells are the network's activation
    cells. Of the vertices: points (V, d), signs (V, units) in {-1, 0, 1}, radius (V,): distance to
    the true vertex at most. spans[k] (d-k, faces): constraints that hold on each k-face. sides[k]:
    for each k-face one bit a unit of the layer, set if the unit is positive (sides[k][0]) or
    negative (sides[k][1]) at a vertex of the face. With exact=True every vertex is also kept in
    integers.
    """

    def __init__(self, arrangement: Arrangement, exact: bool = False) -> None:
        self.arrangement, self.exact = arrangement, exact
        d = self.d = arrangement.d
        corners, sides = arrangement.corners()
        count = len(corners)
        self.points, self.radius = Table(corners, by_rows=True), Table(np.zeros(count))
        self.known = Table(np.ones(count, dtype=bool))  # the float point is the vertex itself
        self.parents = Table(np.full((count, 3), -1), by_rows=True)
        self.signs = Table(np.zeros((count, arrangement.units), dtype=np.int8), by_rows=True)
        self.constraints = Table((np.arange(d) + d * sides).astype(np.int32), by_rows=True)
        self.exact_points = ExactPoints(arrangement, corners)
        faces, spans = cube(d, d)
        self.edges = Table(np.array(faces[1], dtype=np.int32).T)
        self.faces = {k: Faces(faces[k]) for k in range(2, d + 1)}
        self.spans = {
            k: Table(np.array(spans[k], dtype=np.int32).reshape(len(spans[k]), d - k).T)
            for k in range(1, d + 1)
        }
        self.sides: dict[int, tuple[Table, Table]] = {}
        self.rank: dict[int, np.ndarray] = {
            k: np.full(64, -1, dtype=np.int32) for k in range(1, d + 1)
        }
        self.values = Table(np.zeros((count, 0)), by_rows=True)
        self.exact_values = Table(np.zeros((count, 0), dtype=bool), by_rows=True)
        self.arbitrated = 0
        self.sound = True  # no contradiction met

    @property
    def counts(self) -> list[int]:
        """The number of faces of each dimension 0..d."""
        return [self.points.n, self.edges.n, *(self.faces[k].n for k in range(2, self.d + 1))]

    @property
    def cells(self) -> int:
        """The number of cells."""
        return self.counts[-1]

    # -- layers ------------------------------------------------------------------------------------

    def begin(self, layer: int) -> None:
        """Evaluate a layer at all vertices, decide its signs there, gather them for all faces."""
        a = self.arrangement
        first, last = int(a.starts[layer]), int(a.starts[layer + 1])
        z = np.empty((self.points.n, last - first))
        rows = np.zeros(z.shape, dtype=bool)
        signs = np.empty(z.shape, dtype=np.int8)
        for part in a.chunks(len(z)):
            if layer == 0:
                hidden = self.points.view[part]
                exact = np.repeat(self.known.view[part, None], self.d, axis=1)
            else:
                active = self.signs.view[part, a.starts[layer - 1] : first] > 0
                hidden, exact = (
                    self.values.view[part] * active,
                    self.exact_values.view[part] | ~active,
                )
            z[part] = a.affine(layer, hidden)
            rows[part] = a.exact_rows(layer, hidden, exact)
            ids, units = a.unclear(layer, z[part], self.radius.view[part])
            inexact = ~rows[part][ids, units]
            near = self.points.view[part], self.signs.view[part], self.radius.view[part]
            ids, units = a.settle(layer, z[part], (ids[inexact], units[inexact]), *near)
            signs[part] = np.sign(z[part])
            signs[part][ids, units] = self._arbitrate(ids + part.start, units + first)
        self.signs.view[:, first:last] = signs
        self.values, self.exact_values = Table(z, by_rows=True), Table(rows, by_rows=True)
        for faces in self.faces.values():
            faces.compact()
        above, below = self._gather(pack(signs > 0)), self._gather(pack(signs < 0))
        self.sides = {k: (Table(above[k]), Table(below[k])) for k in above}

    def _arbitrate(self, ids: np.ndarray, units: np.ndarray) -> np.ndarray:
        """Exact signs of units at vertices, pair by pair: zero where the forms show it, else from
        integers.
        """
        a, out = self.arrangement, np.zeros(len(ids), dtype=np.int8)
        open_ = np.ones(len(ids), dtype=bool)
        for start in range(0, len(ids), 4096):
            part = slice(start, start + 4096)
            open_[part] = ~a.surely_zero(
                units[part], self.constraints.data[ids[part]], self.signs.data[ids[part]]
            )
        self.arbitrated += int(open_.sum())
        out[open_] = self.exact_points.signs(
            ids[open_], units[open_], self.parents.view, self.signs.view
        )
        return out

    def _gather(self, words: np.ndarray) -> dict[int, np.ndarray]:
        """Bits (w, V) of vertices, or-ed over the vertices of all faces of each dimension; lists
        must be compact.
        """
        out = {0: words, 1: words[:, self.edges.view[0]] | words[:, self.edges.view[1]]}
        for k in range(2, self.d + 1):
            faces = self.faces[k]
            out[k] = np.bitwise_or.reduceat(
                out[k - 1][:, faces.flat.view], faces.start.view, axis=1
            )
        return out

    def patterns(self) -> Patterns:
        """Which units are on in each cell: (cells, units)."""
        for faces in self.faces.values():
            faces.compact()
        return unpack(self._gather(pack(self.signs.view > 0))[self.d], self.arrangement.units)

    # -- what is there -----------------------------------------------------------------------------

    def children(self, k: int) -> tuple[Incidences, Incidences]:
        """All k-faces' (k-1)-faces: (face, child) pairs, ordered by face."""
        if k == 1:
            return np.repeat(np.arange(self.edges.n), 2), self.edges.view.T.ravel()
        flat, lengths = self.faces[k].children(np.arange(self.faces[k].n))
        return np.repeat(np.arange(len(lengths)), lengths), flat

    def facets_fit(self) -> bool:
        """Whether each facet lies between two cells, or on the box and belongs to one."""
        _, facets = self.children(self.d)
        number = np.bincount(facets, minlength=self.counts[self.d - 1])
        on_box = (
            np.arange(self.points.n) < 2
            if self.d == 1
            else self.spans[self.d - 1].view[0] < 2 * self.d
        )
        return bool((number == np.where(on_box, 1, 2)).all())

    def neighbours(self) -> np.ndarray:
        """The pairs of cells (2, m) that share a facet."""
        owner, facets = self.children(self.d)
        order = np.argsort(facets, kind="stable")
        twice = np.flatnonzero(facets[order][1:] == facets[order][:-1])
        return np.stack([owner[order[twice]], owner[order[twice + 1]]])

    def corners_of_cells(self) -> tuple[Incidences, Incidences]:
        """The pairs (cell, vertex), ordered by cell and then vertex."""
        owner, face = self.children(self.d)
        for k in range(self.d - 1, 0, -1):
            pairs = np.unique(owner * np.int64(self.counts[k]) + face)
            owner, face = np.divmod(pairs, self.counts[k])
            below, child = self.children(k)
            lengths = np.bincount(below, minlength=self.counts[k])
            starts = np.cumsum(lengths) - lengths
            index = np.repeat(
                starts[face] - (np.cumsum(lengths[face]) - lengths[face]), lengths[face]
            )
            owner, face = np.repeat(owner, lengths[face]), child[index + np.arange(len(index))]
        pairs = np.unique(owner * np.int64(self.points.n) + face)
        return np.divmod(pairs, self.points.n)

    def simplices(self) -> tuple[np.ndarray, np.ndarray]:
        """A triangulation of every cell: owners (s,) and vertices (s, d+1).

        Pulling: a face is the cone over those of its facets that do not contain its vertex of
        smallest number.
        """
        lowest = {0: np.arange(self.points.n)}
        lists = {}
        for k in range(1, self.d + 1):
            owner, child = self.children(k)
            lengths = np.bincount(owner, minlength=self.counts[k])
            lists[k] = (child, np.cumsum(lengths) - lengths, lengths)
            lowest[k] = np.minimum.reduceat(lowest[k - 1][child], lists[k][1])
        owner = face = np.arange(self.cells)
        chain: list[np.ndarray] = []
        for k in range(self.d, 0, -1):
            child, starts, lengths = lists[k]
            apex, many = lowest[k][face], lengths[face]
            index = np.repeat(starts[face] - (np.cumsum(many) - many), many)
            below = child[index + np.arange(len(index))]
            apexes = np.repeat(apex, many)
            keep = lowest[k - 1][below] != apexes
            owner, chain = (
                np.repeat(owner, many)[keep],
                [np.repeat(c, many)[keep] for c in chain] + [apexes[keep]],
            )
            face = below[keep]
        return owner, np.stack([*chain, face], axis=1)

    def cycles(self, ids: np.ndarray) -> list[np.ndarray]:
        """The vertices of 2-faces, each in cyclic order."""
        flat, lengths = self.faces[2].children(ids)
        pairs = self.edges.view[:, flat].T.tolist()
        out, start = [], 0
        for length in lengths.tolist():
            links: dict[int, list[int]] = {}
            for u, w in pairs[start : start + length]:
                links.setdefault(u, []).append(w)
                links.setdefault(w, []).append(u)
            start += length
            cycle = [min(links)]
            before, here = -1, cycle[0]
            while len(cycle) < length:
                one, two = links[here]
                before, here = here, two if one == before else one
                cycle.append(here)
            out.append(np.array(cycle))
        return out

    @property
    def nbytes(self) -> int:
        """Memory that the tables take."""
        tables = [
            self.points,
            self.radius,
            self.parents,
            self.signs,
            self.values,
            self.exact_values,
            self.edges,
        ]
        tables += [*self.spans.values(), *(t for pair in self.sides.values() for t in pair)]
        tables += [t for f in self.faces.values() for t in (f.length, f.start, f.flat)]
        return sum(t.view.nbytes for t in tables)

    # -- cutting -----------------------------------------------------------------------------------

    def cut(self, unit: int) -> None:
        """Split all cells on which the unit takes both signs."""
        d = self.d
        word, bit = divmod(unit - int(self.arrangement.starts[self.arrangement.layer_of[unit]]), 64)
        probe = np.uint64(1 << bit)

        def cut_faces(k: int) -> np.ndarray:
            above, below = self.sides[k]
            return np.flatnonzero(above.view[word] & below.view[word] & probe)

        chosen = {d: cut_faces(d)}
        if len(chosen[d]) == 0:
            return
        counts = self.counts
        for k in range(1, d + 1):
            chosen[k] = cut_faces(k)
            if len(self.rank[k]) < counts[k]:
                self.rank[k] = np.full(2 * counts[k], -1, dtype=np.int32)
            self.rank[k][chosen[k]] = np.arange(len(chosen[k]), dtype=np.int32)
        first_section = {k: counts[k - 1] + (len(chosen[k - 1]) if k > 1 else 0) for k in chosen}
        above, below = (table.view[word] for table in self.sides[0])
        degenerate = bool((((above | below) & probe) == 0).any())
        self._cut_edges(unit, chosen[1])
        for k in range(2, d + 1):
            f, faces = chosen[k], self.faces[k]
            g, lengths = faces.children(f)
            everyone = np.arange(len(f))
            owner = np.repeat(everyone, lengths)
            rank = self.rank[k - 1][g]
            split = rank >= 0
            # split ones keep their positive part
            minus = (self.sides[k - 1][1].data[word, g] & probe) != 0
            inside = first_section[k] + everyone  # the new (k-1)-face in each
            # the new faces' own boundary: sections of split facets, and facets of the others on
            # which the unit vanishes
            rim, on_rim = first_section[k - 1] + rank, split
            if degenerate:
                touching = self._touching(k - 1, g, ~(split | minus), word, probe)
                rim, on_rim = np.where(split, rim, touching), split | (touching >= 0)
            rim_lengths = np.bincount(owner[on_rim], minlength=len(f))
            self._new_faces(k - 1, rim[on_rim], rim_lengths)
            self.spans[k - 1].append(_with(self.spans[k].data[:, f], 2 * d + unit))
            self._rewrite(k, f, owner, g, ~minus, inside)
            self._rewrite(
                k, None, owner, np.where(split, counts[k - 1] + rank, g), minus | split, inside
            )
            self.spans[k].append(self.spans[k].data[:, f])
        for k in chosen:
            self.rank[k][chosen[k]] = -1

    def _cut_edges(self, unit: int, cut: np.ndarray) -> None:
        """Put a new vertex on each cut edge; the edge keeps its positive part, the negative part is
        appended.
        """
        u, w = self.edges.data[:, cut]
        new = self.points.n + np.arange(len(cut))
        positive = self.signs.data[u, unit] > 0
        up, down = np.where(positive, u, w), np.where(positive, w, u)
        self._add(u, w, unit, self.spans[1].data[:, cut])
        self.edges.data[:, cut] = up, new
        self.edges.append(np.stack([down, new]))
        for at_vertices, at_edges in zip(self.sides[0], self.sides[1], strict=True):
            at_edges.data[:, cut] = at_vertices.data[:, up] | at_vertices.data[:, new]
            at_edges.append(at_vertices.data[:, down] | at_vertices.data[:, new])
        self.spans[1].append(self.spans[1].data[:, cut])

    def _new_faces(self, k: int, children: np.ndarray, lengths: np.ndarray) -> None:
        """Append k-faces with the given children."""
        if k == 1:
            if (lengths != 2).any():
                raise ArithmeticError("a cut polygon must have two points on the cut")
            pairs = children.reshape(-1, 2).T
            self.edges.append(pairs)
            for lower, own in zip(self.sides[0], self.sides[1], strict=True):
                own.append(lower.data[:, pairs[0]] | lower.data[:, pairs[1]])
            return
        self.faces[k].write(None, children, lengths)
        for lower, own in zip(self.sides[k - 1], self.sides[k], strict=True):
            own.append(
                np.bitwise_or.reduceat(
                    lower.data[:, children], np.cumsum(lengths) - lengths, axis=1
                )
            )

    def _rewrite(
        self,
        k: int,
        ids: np.ndarray | None,
        owner: np.ndarray,
        g: np.ndarray,
        keep: np.ndarray,
        inside: np.ndarray,
    ) -> None:
        """Give k-faces (None: new ones) the kept facets g of each owner and one more inside."""
        kept = owner[keep]
        lengths = np.bincount(kept, minlength=len(inside)) + 1
        children = np.empty(len(kept) + len(inside), dtype=np.int32)
        children[np.arange(len(kept)) + kept] = g[keep]
        children[np.cumsum(lengths) - 1] = inside
        self.faces[k].write(ids, children, lengths)
        for lower, own in zip(self.sides[k - 1], self.sides[k], strict=True):
            bits = np.bitwise_or.reduceat(
                lower.data[:, children], np.cumsum(lengths) - lengths, axis=1
            )
            if ids is None:
                own.append(bits)
            else:
                own.data[:, ids] = bits

    def _touching(
        self, k: int, g: np.ndarray, plus: np.ndarray, word: int, probe: np.uint64
    ) -> np.ndarray:
        """Of k-faces g on the positive side, the facet on which the unit vanishes; -1 where there
        is none.
        """
        out = np.full(len(g), -1, dtype=np.int64)
        where = np.flatnonzero(plus)
        if k == 1:
            h, lengths = self.edges.data[:, g[where]].T.ravel(), np.full(len(where), 2)
        else:
            h, lengths = self.faces[k].children(g[where])
        above, below = self.sides[k - 1]
        zero = ((above.data[word, h] | below.data[word, h]) & probe) == 0
        out[np.repeat(where, lengths)[zero]] = h[zero]
        return out

    def _add(self, u: np.ndarray, w: np.ndarray, unit: int, spans: np.ndarray) -> None:
        """Append the zeros of a unit on edges (u, w) with constraints spans (d-1, m); decide the
        layer's signs there.
        """
        a = self.arrangement
        layer = int(a.layer_of[unit])
        first, last = int(a.starts[layer]), int(a.starts[layer + 1])
        m = len(u)
        ids = np.arange(self.points.n, self.points.n + m)
        su, sw = self.signs.data[u], self.signs.data[w]
        signs = np.sign(su + sw)  # the sign on the edge, of all units that do not change sign there
        self.parents.append(np.stack([u, w, np.full(m, unit)], axis=1))
        zu, zw = self.values.data[u, unit - first], self.values.data[w, unit - first]
        points, ends = self.points.data[u], self.points.data[w]
        exact = self.known.data[u] & self.known.data[w]
        exact &= self.exact_values.data[u, unit - first] & self.exact_values.data[w, unit - first]
        radius, known = np.zeros(m), np.zeros(m, dtype=bool)
        constraints = _with(spans, 2 * self.d + unit).T
        if self.exact:
            self._replace(np.arange(m), ids, points, radius, known)
        else:
            if exact.any():
                e = np.flatnonzero(exact)
                crossing, fine = exact_crossing(points[e], ends[e], zu[e], zw[e])
                points[e[fine]] = crossing[fine]
                known[e[fine]] = True
            rest = np.flatnonzero(~known)
            fall = zu[rest] - zw[rest]  # floats may lose a small value whose sign is known
            t = np.divide(zu[rest], fall, out=np.full(len(rest), 0.5), where=fall != 0)
            start = points[rest] + np.clip(t, 0.0, 1.0)[:, None] * (ends[rest] - points[rest])
            points[rest], radius[rest] = a.locate(start, constraints[rest], signs[rest])
            lost = np.flatnonzero(~np.isfinite(radius))
            self._replace(lost, ids[lost], points, radius, known)
        stack = a.prefix(layer, points, signs)
        z = stack[layer]
        rows = self._exact_rows(layer, points, known, stack, signs)
        open_ids, open_units = a.unclear(layer, z, radius)
        change = su[:, first:last] * sw[:, first:last] == -1
        change[:, : unit - first + 1] = False
        inexact = ~rows[open_ids, open_units]
        open_ids, open_units = open_ids[inexact], open_units[inexact]
        needed = change[open_ids, open_units]
        fixed, pairs = (
            (open_ids[~needed], open_units[~needed]),
            (open_ids[needed], open_units[needed]),
        )
        open_ids, open_units = a.settle(layer, z, pairs, points, signs, radius)
        found = np.sign(z).astype(np.int8)
        inherited = signs[:, first:last]
        found[fixed] = inherited[fixed]
        if (~change & (found != inherited)).any():
            self.sound = False
        inherited[change] = found[change]
        self.points.append(points)
        self.radius.append(radius)
        self.known.append(known)
        self.constraints.append(constraints)
        self.signs.append(signs)
        self.values.append(z)
        self.exact_values.append(rows)
        if len(open_ids):
            units, where = first + open_units, ids[open_ids]
            self.signs.data[where, units] = self._arbitrate(where, units)
        signs = self.signs.data[ids, first:last]
        for words, side in zip(self.sides[0], (signs > 0, signs < 0), strict=True):
            words.append(pack(side))

    def _exact_rows(
        self,
        layer: int,
        points: np.ndarray,
        known: np.ndarray,
        stack: list[np.ndarray],
        signs: np.ndarray,
    ) -> np.ndarray:
        """Where (m, n_l) the pre-activations of a layer at points, `known` exactly or not, are
        exact.
        """
        a = self.arrangement
        rows = np.zeros(stack[layer].shape, dtype=bool)
        some = np.flatnonzero(known)
        hidden, exact = points[some], np.ones((len(some), self.d), dtype=bool)
        for j in range(layer + 1):
            if not exact.any():
                break
            sure = a.exact_rows(j, hidden, exact)
            if j == layer:
                rows[some] = sure
            active = signs[some, a.starts[j] : a.starts[j + 1]] > 0
            hidden, exact = stack[j][some] * active, sure | ~active
        return rows

    def _replace(
        self,
        where: np.ndarray,
        ids: np.ndarray,
        points: np.ndarray,
        radius: np.ndarray,
        known: np.ndarray,
    ) -> None:
        """Put exact vertices, rounded once, in the place of floating-point ones."""
        if len(where) == 0:
            return
        found = self.exact_points.find(ids.tolist(), self.parents.view, self.signs.view)
        # Python divides integers with one rounding
        rounded = (found[:, :-1] / found[:, -1:]).astype(np.float64)
        points[where] = rounded
        known[where] = [
            all(
                p * den == num * w
                for (num, den), p in zip((v.as_integer_ratio() for v in row), exact, strict=True)
            )
            for row, (*exact, w) in zip(rounded.tolist(), found, strict=True)
        ]
        radius[where] = np.where(
            known[where], 0.0, 2 * UNIT_ROUNDOFF * np.abs(rounded).max(axis=1) + 1e-300
        )


def _with(spans: np.ndarray, constraint: int) -> np.ndarray:
    """Constraints (j, m) and one more, as (j + 1, m)."""
    return np.concatenate([spans, np.full((1, spans.shape[1]), constraint, dtype=np.int32)])
