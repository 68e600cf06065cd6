"""The face lattice of a box that the units of a ReLU network cut up: right on degenerate networks, in any small dimension.

Signs -, 0, + of units are decided at vertices only; a face is cut exactly if it has vertices of both signs; everything else
is combinatorics. Points are floats with enclosures; where rounding leaves a sign open, exact integers decide.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .arrangement import UNIT_ROUNDOFF, Arrangement, ExactPoints, exact_crossing

class Columns:
    """A table (rows, n) to which columns are appended; memory doubles as needed."""

    def __init__(self, rows: int, dtype: Any, columns: np.ndarray | None = None) -> None:
        self.data = np.zeros((rows, 64), dtype=dtype)
        self.n = 0
        if columns is not None:
            self.append(columns)

    def append(self, columns: np.ndarray) -> None:
        """Append columns of shape (rows, m)."""
        m = columns.shape[-1]
        if self.n + m > self.data.shape[1]:
            grown = np.zeros((self.data.shape[0], max(2 * self.data.shape[1], self.n + m)), dtype=self.data.dtype)
            grown[:, : self.n] = self.data[:, : self.n]
            self.data = grown
        self.data[:, self.n : self.n + m] = columns
        self.n += m

    @property
    def view(self) -> np.ndarray:
        """The table as it stands, writable."""
        return self.data[:, : self.n]


class Faces:
    """The faces of one dimension k >= 2, each a list of (k-1)-faces; a changed list is written anew at the end."""

    def __init__(self, lists: list[list[int]]) -> None:
        lengths = np.array([len(children) for children in lists], dtype=np.int64)
        self.length = Columns(1, np.int64, lengths[None])
        self.start = Columns(1, np.int64, (np.cumsum(lengths) - lengths)[None])
        self.flat = Columns(1, np.int32, np.array([c for children in lists for c in children], dtype=np.int32)[None])

    @property
    def n(self) -> int:
        """Number of faces."""
        return self.length.n

    def children(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The children of faces one after another, and how many each has."""
        lengths = self.length.data[0, ids]
        starts = np.cumsum(lengths) - lengths
        index = np.repeat(self.start.data[0, ids] - starts, lengths) + np.arange(int(lengths.sum()))
        return self.flat.data[0, index], lengths

    def write(self, ids: np.ndarray | None, children: np.ndarray, lengths: np.ndarray) -> None:
        """Give the faces `ids` (None: new faces) lists of the given lengths."""
        starts = self.flat.n + np.cumsum(lengths) - lengths
        self.flat.append(children[None])
        if ids is None:
            self.length.append(lengths[None])
            self.start.append(starts[None])
        else:
            self.length.data[0, ids], self.start.data[0, ids] = lengths, starts

    def compact(self) -> None:
        """Drop lists that are no longer used, and order the rest by face."""
        flat, lengths = self.children(np.arange(self.n))
        self.flat = Columns(1, np.int32, flat[None])
        self.start = Columns(1, np.int64, (np.cumsum(lengths) - lengths)[None])


class Lattice:
    """The cells that the first units of an arrangement cut from its box, with all their faces.

    After `begin(layer)` and `cut(unit)` for all units in order, cells are the network's activation cells.
    Columns are vertices: points (d, V), signs (units, V) in {-1, 0, 1}, radius (V,): distance to the true vertex at most;
    spans[k]: d - k constraints of each k-face that hold on it. sides[k]: for each k-face one bit a unit of the layer, set
    if the unit is positive (sides[k][0]) or negative (sides[k][1]) at a vertex of the face. With exact=True every vertex is
    also kept in integers.
    """

    def __init__(self, arrangement: Arrangement, exact: bool = False) -> None:
        self.arrangement, self.exact = arrangement, exact
        d = self.d = arrangement.d
        corners, _ = arrangement.corners()
        count = corners.shape[1]
        self.points = Columns(d, np.float64, corners)
        self.radius = Columns(1, np.float64, np.zeros((1, count)))
        self.known = Columns(1, bool, np.ones((1, count), dtype=bool))  # the float point is the vertex itself
        self.parents = Columns(3, np.int64, np.full((3, count), -1))
        self.signs = Columns(arrangement.units, np.int8, np.zeros((arrangement.units, count), dtype=np.int8))
        self.exact_points = ExactPoints(arrangement, corners)
        faces, spans = _cube(d)
        self.edges = Columns(2, np.int32, np.array(faces[1], dtype=np.int32).T)
        self.faces = {k: Faces(faces[k]) for k in range(2, d + 1)}
        self.spans = {k: Columns(d - k, np.int32, np.array(spans[k], dtype=np.int32).reshape(len(spans[k]), d - k).T) for k in range(1, d + 1)}
        self.sides: dict[int, tuple[Columns, Columns]] = {}
        self.rank: dict[int, np.ndarray] = {k: np.full(64, -1, dtype=np.int32) for k in range(1, d + 1)}
        self.values = Columns(0, np.float64)
        self.exact_values = Columns(0, bool)
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

    # -- layers --------------------------------------------------------------------------------------------------------

    def begin(self, layer: int) -> None:
        """Evaluate a layer at all vertices, decide its signs there, and gather them for all faces."""
        a = self.arrangement
        if layer == 0:
            hidden, exact = self.points.view, self.known.view[0]
        else:
            hidden = self.values.view * (self.signs.view[a.starts[layer - 1] : a.starts[layer]] > 0)
            exact = self.exact_values.view.all(axis=0)
        z = a.affine(layer, hidden)
        rows = np.zeros(z.shape, dtype=bool)
        rows[:, exact] = a.exact_rows(layer, hidden[:, exact])
        signs = np.sign(z).astype(np.int8)
        open_units, open_ids = np.nonzero(~rows & (np.abs(z) <= a.bound(layer, self.radius.view[0])))
        first, last = int(a.starts[layer]), int(a.starts[layer + 1])
        signs[open_units, open_ids] = self._arbitrate(open_ids, open_units + first)
        self.signs.view[first:last] = signs
        self.values, self.exact_values = Columns(len(z), np.float64, z), Columns(len(z), bool, rows)
        for faces in self.faces.values():
            faces.compact()
        above, below = self._gather(pack(signs > 0)), self._gather(pack(signs < 0))
        self.sides = {k: (Columns(len(above[k]), np.uint64, above[k]), Columns(len(below[k]), np.uint64, below[k])) for k in above}

    def _arbitrate(self, ids: np.ndarray, units: np.ndarray) -> np.ndarray:
        """Exact signs of units at vertices, pair by pair."""
        self.arbitrated += len(ids)
        return self.exact_points.signs(ids, units, self.parents.view, self.signs.view)

    def _gather(self, words: np.ndarray) -> dict[int, np.ndarray]:
        """Bits (w, V) of vertices, or-ed over the vertices of all faces of each dimension; lists must be compact."""
        out = {0: words, 1: words[:, self.edges.view[0]] | words[:, self.edges.view[1]]}
        for k in range(2, self.d + 1):
            faces = self.faces[k]
            out[k] = np.bitwise_or.reduceat(out[k - 1][:, faces.flat.view[0]], faces.start.view[0], axis=1)
        return out

    def patterns(self) -> np.ndarray:
        """Which units are on in each cell: (cells, units)."""
        for faces in self.faces.values():
            faces.compact()
        return unpack(self._gather(pack(self.signs.view > 0))[self.d], self.arrangement.units).T

    # -- cutting -------------------------------------------------------------------------------------------------------

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
        s = self.signs.data[unit, : counts[0]]
        degenerate = bool((s == 0).any())
        self._cut_edges(unit, chosen[1], s)
        for k in range(2, d + 1):
            f, faces = chosen[k], self.faces[k]
            g, lengths = faces.children(f)
            everyone = np.arange(len(f))
            owner = np.repeat(everyone, lengths)
            rank = self.rank[k - 1][g]
            split = rank >= 0
            minus = (self.sides[k - 1][1].data[word, g] & probe) != 0  # split ones keep their positive part
            inside = first_section[k] + everyone  # the new (k-1)-face in each
            # the new faces' own boundary: sections of split facets, and facets of the others on which the unit vanishes
            rim, on_rim = first_section[k - 1] + rank, split
            if degenerate:
                touching = self._touching(k - 1, g, ~(split | minus), word, probe, s)
                rim, on_rim = np.where(split, rim, touching), split | (touching >= 0)
            rim_lengths = np.bincount(owner[on_rim], minlength=len(f))
            self._new_faces(k - 1, rim[on_rim], rim_lengths)
            self.spans[k - 1].append(_with(self.spans[k].data[:, f], 2 * d + unit))
            self._rewrite(k, f, owner, g, ~minus, inside)
            self._rewrite(k, None, owner, np.where(split, counts[k - 1] + rank, g), minus | split, inside)
            self.spans[k].append(self.spans[k].data[:, f])
        for k in chosen:
            self.rank[k][chosen[k]] = -1

    def _cut_edges(self, unit: int, cut: np.ndarray, s: np.ndarray) -> None:
        """Put a new vertex on each cut edge; the edge keeps its positive part, the negative part is appended."""
        u, w = self.edges.data[:, cut]
        new = self.points.n + np.arange(len(cut))
        self._add(u, w, unit, self.spans[1].data[:, cut])
        up, down = np.where(s[u] > 0, u, w), np.where(s[u] > 0, w, u)
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
            own.append(np.bitwise_or.reduceat(lower.data[:, children], np.cumsum(lengths) - lengths, axis=1))

    def _rewrite(
        self, k: int, ids: np.ndarray | None, owner: np.ndarray, g: np.ndarray, keep: np.ndarray, inside: np.ndarray
    ) -> None:
        """Give k-faces (None: new ones) the kept facets g of each owner and one more facet inside."""
        kept = owner[keep]
        lengths = np.bincount(kept, minlength=len(inside)) + 1
        children = np.empty(len(kept) + len(inside), dtype=np.int32)
        children[np.arange(len(kept)) + kept] = g[keep]
        children[np.cumsum(lengths) - 1] = inside
        self.faces[k].write(ids, children, lengths)
        for lower, own in zip(self.sides[k - 1], self.sides[k], strict=True):
            bits = np.bitwise_or.reduceat(lower.data[:, children], np.cumsum(lengths) - lengths, axis=1)
            if ids is None:
                own.append(bits)
            else:
                own.data[:, ids] = bits

    def _touching(self, k: int, g: np.ndarray, plus: np.ndarray, word: int, probe: np.uint64, s: np.ndarray) -> np.ndarray:
        """Of k-faces g on the positive side, the facet on which the unit vanishes; -1 where there is none."""
        out = np.full(len(g), -1, dtype=np.int64)
        where = np.flatnonzero(plus)
        if k == 1:
            a, b = self.edges.data[:, g[where]]
            out[where] = np.where(s[a] == 0, a, np.where(s[b] == 0, b, -1))
            return out
        h, lengths = self.faces[k].children(g[where])
        above, below = self.sides[k - 1]
        zero = ((above.data[word, h] | below.data[word, h]) & probe) == 0
        out[np.repeat(where, lengths)[zero]] = h[zero]
        return out

    def _add(self, u: np.ndarray, w: np.ndarray, unit: int, spans: np.ndarray) -> None:
        """Append the zeros of a unit on edges (u, w) with constraints spans (d-1, m); decide the layer's signs there."""
        a = self.arrangement
        layer = int(a.layer_of[unit])
        first, last = int(a.starts[layer]), int(a.starts[layer + 1])
        m = len(u)
        constraints = _with(spans, 2 * self.d + unit)
        su, sw = self.signs.data[:last, u], self.signs.data[:last, w]
        signs = np.sign(su + sw)  # the sign on the edge, of all units that do not change sign there
        ids = np.arange(self.points.n, self.points.n + m)
        self.parents.append(np.stack([u, w, np.full(m, unit)]))
        zu, zw = self.values.data[unit - first, u], self.values.data[unit - first, w]
        points = self.points.data[:, u] + (zu / (zu - zw)) * (self.points.data[:, w] - self.points.data[:, u])
        radius, known = np.zeros(m), np.zeros(m, dtype=bool)
        if self.exact:
            self._replace(np.arange(m), ids, points, radius, known)
        else:
            exact = self.known.data[0, u] & self.known.data[0, w]
            exact &= self.exact_values.data[unit - first, u] & self.exact_values.data[unit - first, w]
            if exact.any():
                e = np.flatnonzero(exact)
                crossing, fine = exact_crossing(self.points.data[:, u[e]], self.points.data[:, w[e]], zu[e], zw[e])
                points[:, e[fine]] = crossing[:, fine]
                known[e[fine]] = True
            rest = np.flatnonzero(~known)
            points[:, rest], radius[rest] = a.locate(points[:, rest], constraints[:, rest], signs[:, rest])
            lost = np.flatnonzero(~np.isfinite(radius))
            self._replace(lost, ids[lost], points, radius, known)
        stack = a.prefix(layer, points, signs)
        z = stack[layer]
        rows = np.zeros(z.shape, dtype=bool)
        if known.any():
            hidden, fine = points[:, known], np.ones(int(known.sum()), dtype=bool)
            for j in range(layer + 1):
                sure = a.exact_rows(j, hidden) & fine
                fine = sure.all(axis=0)
                hidden = stack[j][:, known] * (signs[a.starts[j] : a.starts[j + 1], known] > 0)
            rows[:, known] = sure
        clear = rows | (np.abs(z) > a.bound(layer, radius))
        found = np.sign(z).astype(np.int8)
        change = su[first:] * sw[first:] == -1
        change[: unit - first + 1] = False
        if (clear & ~change & (found != signs[first:])).any():
            self.sound = False
        column = np.zeros((a.units, m), dtype=np.int8)
        column[:last] = signs
        column[first:last][change] = found[change]
        self.points.append(points)
        self.radius.append(radius[None])
        self.known.append(known[None])
        self.signs.append(column)
        self.values.append(z)
        self.exact_values.append(rows)
        open_units, open_ids = np.nonzero(change & ~clear)
        if len(open_units):
            self.signs.data[first + open_units, ids[open_ids]] = self._arbitrate(ids[open_ids], open_units + first)
        signs = self.signs.data[first:last, ids]
        for words, side in zip(self.sides[0], (signs > 0, signs < 0), strict=True):
            words.append(pack(side))

    def _replace(self, where: np.ndarray, ids: np.ndarray, points: np.ndarray, radius: np.ndarray, known: np.ndarray) -> None:
        """Put exact vertices, rounded once, in the place of floating-point ones."""
        if len(where) == 0:
            return
        found = self.exact_points.find(ids.tolist(), self.parents.view, self.signs.view)
        rounded = (found[:-1] / found[-1]).astype(np.float64)  # Python divides integers with one rounding
        points[:, where] = rounded
        known[where] = [
            all(p * den == num * w for (num, den), p in zip((v.as_integer_ratio() for v in column), exact[:-1], strict=True))
            for column, exact, w in zip(rounded.T.tolist(), found.T, found[-1], strict=True)
        ]
        radius[where] = np.where(known[where], 0.0, 2 * UNIT_ROUNDOFF * np.abs(rounded).max(axis=0) + 1e-300)


def _with(spans: np.ndarray, constraint: int) -> np.ndarray:
    """Constraints (j, m) and one more, as (j + 1, m)."""
    return np.concatenate([spans, np.full((1, spans.shape[1]), constraint, dtype=np.int32)])


def pack(bits: np.ndarray) -> np.ndarray:
    """Booleans (n, m) as words (ceil(n / 64), m), unit k in bit k mod 64 of word k // 64."""
    n, m = bits.shape
    words = -(-n // 64)
    padded = np.zeros((8 * words, m), dtype=np.uint8)
    padded[: -(-n // 8)] = np.packbits(bits, axis=0, bitorder="little")
    return np.ascontiguousarray(padded.reshape(words, 8, m).transpose(0, 2, 1)).view("<u8")[:, :, 0]


def unpack(words: np.ndarray, n: int) -> np.ndarray:
    """The inverse of `pack`: booleans (n, m)."""
    rows = np.ascontiguousarray(words).astype("<u8").view(np.uint8).reshape(len(words), -1, 8).transpose(0, 2, 1)
    return np.unpackbits(rows.reshape(8 * len(words), -1), axis=0, count=n, bitorder="little").astype(bool)


def _cube(d: int) -> tuple[list[list[Any]], list[list[list[int]]]]:
    """Faces of the cube by dimension, as lists of faces one dimension lower (edges: of corners), and their constraints."""
    codes = list(itertools.product((0, 1, 2), repeat=d))  # per axis: lower, upper, free
    names: list[dict[tuple[int, ...], int]] = [{} for _ in range(d + 1)]
    for code in codes:
        k = code.count(2)
        names[k][code] = sum(bit << i for i, bit in enumerate(code)) if k == 0 else len(names[k])
    faces: list[list[Any]] = [[]]
    spans: list[list[list[int]]] = [[]]
    for k in range(1, d + 1):
        faces.append(
            [[names[k - 1][(*code[:i], side, *code[i + 1 :])] for i in range(d) if code[i] == 2 for side in (0, 1)] for code in names[k]]
        )
        spans.append([[i + d * code[i] for i in range(d) if code[i] != 2] for code in names[k]])
    return faces, spans
