"""Activation cells in high dimension: depth-first search with witness points, one warm linear
program, exact ties. Whole, because it is one tree: every step reads the rows of the same stack.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..basics.shapes import CellPoints, Corner, Patterns
from ..linear.elimination import reduced
from .limits import Stop
from .program import Program

POOL = 24  # known points kept per cell; each may show a later cut without a linear program
PROOFS = 64  # proofs of absence kept per unit and sign
# witnesses closer than this to a hyperplane, relative to its unit's range, are moved away first
THIN = 1e-7
ZERO = 1e-9  # dual values and reduced costs below this are taken for 0 when a proof is attempted


@dataclass(frozen=True)
class Search:
    """Activation cells found: patterns (cells, units) bool, points (cells, d) float64, one interior
    point a cell.

    complete: the whole box was searched; certified: each cell's existence and each absence is
    proved, rounding included; stopped, doubt: why one of the two fails (None, '' where neither
    does), and `reason` says it in words; lps: linear programs solved. Every listed cell exists,
    complete or not.
    """

    patterns: Patterns
    points: CellPoints
    stopped: Stop | None
    doubt: str
    lps: int

    @property
    def complete(self) -> bool:
        """Whether the whole box was searched."""
        return self.stopped is None

    @property
    def certified(self) -> bool:
        """Whether each cell's existence and each absence is proved."""
        return not self.doubt

    @property
    def reason(self) -> str:
        """Why it is not complete, or else not certified; '' if it is both."""
        if self.stopped is Stop.INTERRUPT:
            return "interrupted"
        return self.stopped.value if self.stopped else self.doubt


def search_cells(
    weights: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    lower: Corner,
    upper: Corner,
    *,
    max_cells: int | None = None,
    max_seconds: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Search:
    """The full-dimensional cells of the box on which every hidden unit is > 0 inside ("on") or <= 0
    throughout ("off").

    weights, biases: hidden layers only, float64 (n_l, n_(l-1)) and (n_l,) with n_0 = d, taken
    exactly; lower, upper (d,). A unit that is 0 throughout a cell, or only on its boundary, does
    not cut it. Units are tried in order; a cell is cut if its witness and a known point or the
    maximiser of a linear program lie on different sides, and is not if linear programming duality
    says so: in float64 with a-priori rounding bounds (Neumaier and Shcherbina 2004), where these
    leave it open in rationals. At most one program of d variables a cell and unit; measured 1 to 5
    programs and 0.4 to 1.2 ms a cell for d up to 12. Time, cell limit and KeyboardInterrupt return
    what was found. progress(cells) is called every 256 cells. Raises ValueError for shapes that do
    not fit, values that are not finite or overflow, and lower >= upper.

    >>> found = search_cells(
    ...     [np.array([[1.0, -1.0], [-1.0, 1.0]])], [np.zeros(2)], -np.ones(2), np.ones(2)
    ... )
    >>> sorted(found.patterns.tolist()), found.complete, found.certified
    ([[False, True], [True, False]], True, True)
    """
    layers = [
        (np.asarray(w, dtype=np.float64), np.asarray(b, dtype=np.float64))
        for w, b in zip(weights, biases, strict=True)
    ]
    box = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    width = len(box[0]) if box[0].ndim == 1 else 0
    if (
        width == 0
        or box[1].shape != (width,)
        or not (np.isfinite(box).all() and (box[0] < box[1]).all())
    ):
        raise ValueError(
            "lower and upper must be finite with lower < upper in each of d >= 1 coordinates"
        )
    size = np.maximum(*np.abs(box))
    for i, (w, b) in enumerate(layers):
        if b.ndim != 1 or w.shape != (len(b), width):
            raise ValueError(
                f"weights[{i}] and biases[{i}] must have shapes (n, {width}) and (n,), got "
                f"{w.shape} and {b.shape}"
            )
        if not (np.isfinite(w).all() and np.isfinite(b).all()):
            raise ValueError(f"weights[{i}] and biases[{i}] must be finite")
        with np.errstate(over="ignore", invalid="ignore"):
            size = np.abs(w) @ size + np.abs(b)
        if not np.isfinite(size).all():
            raise ValueError(
                f"pre-activations of layer {i} may overflow float64: weights or box are too large"
            )
        width = len(b)
    tree = _Tree(layers, *box)
    stopped = tree.run(max_cells, max_seconds, progress)
    patterns = np.array(
        [[on >> k & 1 for k in range(tree.units)] for on, _ in tree.cells], dtype=bool
    )
    points = np.array([point for _, point in tree.cells])
    shape = len(tree.cells), tree.units
    return Search(
        patterns.reshape(shape),
        points.reshape(shape[0], tree.d),
        stopped,
        tree.doubt,
        tree.program.solved,
    )


_Task = tuple[int, bool, int, int, np.ndarray, np.ndarray]
"""A node to visit: the last unit decided and its side, on, the row it becomes, a point inside,
known points.
"""


class _Tree:
    """The search. A node is a cell of the first k units: `on` (bit k: unit k), a witness w, a pool
    of points near it.

    Rows G x + h >= 0, each with an error bound E for its value anywhere in the box, are the box (2d
    rows) and then the units that cut on the way here, scaled to a range of about 1. E = gamma M
    with M = |W| M + |b| over active units.
    """

    def __init__(
        self, layers: list[tuple[np.ndarray, np.ndarray]], lower: np.ndarray, upper: np.ndarray
    ) -> None:
        self.layers, self.lower, self.upper, self.d = layers, lower, upper, len(lower)
        self.starts = [0, *np.cumsum([len(b) for _, b in layers]).tolist()]
        self.units = self.starts[-1]
        self.layer_of = np.repeat(np.arange(len(layers)), [len(b) for _, b in layers]).tolist()
        self.program = Program(lower, upper)
        self.reach = np.maximum(np.abs(lower), np.abs(upper))
        terms = 4 * (sum(w.shape[1] + 2 for w, _ in layers) + self.units + self.d + 16) * 2.0**-53
        # of twice the roundings of all sums that occur: M and E are rounded too
        self.gamma = terms / (1 - terms)
        self.forms: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = [
            (np.zeros((0, 0)),) * 3
        ] * len(layers)
        # 0 off, 1 on, 2 open, 3 needs exact arithmetic
        self.state: list[list[int]] = [[] for _ in layers]
        self.proofs: list[tuple[list[tuple[int, int]], ...]] = [([], []) for _ in range(self.units)]
        radius = self.program.radius
        self.base = 2 * self.d
        size = self.base + self.units
        self.G, self.h, self.E = np.zeros((size, self.d)), np.zeros(size), np.zeros(size)
        self.G[: self.base] = np.concatenate([np.diag(1 / radius), np.diag(-1 / radius)])
        self.h[: self.base] = np.concatenate([-lower / radius, upper / radius])
        self.E[: self.base] = self.gamma * np.tile(2 * self.reach / radius, 2)
        self.row_unit: list[tuple[int, bool]] = [(-1, True)] * size
        self.cells: list[tuple[int, np.ndarray]] = []
        self.doubt = ""
        self.integers: dict[int, np.ndarray] = {}
        self.exact: dict[tuple[int, int], list[int]] = {}
        self.box = [
            (Fraction(a), Fraction(b)) for a, b in zip(lower.tolist(), upper.tolist(), strict=True)
        ]

    def run(
        self,
        max_cells: int | None,
        max_seconds: float | None,
        progress: Callable[[int], None] | None,
    ) -> Stop | None:
        """Search; what ended it early."""
        end = time.monotonic() + max_seconds if max_seconds is not None else np.inf
        start = (
            self.program.mid
            + self.program.radius * (np.arange(1, self.d + 1) * 0.618034 % 1 - 0.5) / 4
        )
        stack: list[_Task] = [(-1, False, 0, 0, start, np.zeros((0, self.d)))]
        try:
            while stack:
                k, side, on, m, w, pool = stack.pop()
                if k >= 0:
                    self._flip(m, side)
                    self.program.reverse(m - self.base, self.G[m], self.h[m])
                    w, m = self._deepen(w, pool, m + 1), m + 1
                m = max(m, self.base)
                for unit in range(k + 1, self.units):
                    if time.monotonic() > end:
                        return Stop.TIME
                    on, m, w, pool = self._decide(unit, on, m, w, pool, stack)
                if max_cells is not None and len(self.cells) >= max_cells:
                    return Stop.CELLS
                if self.doubt and not self._verified(on, w):
                    continue
                self.cells.append((on, w))
                if progress is not None and len(self.cells) % 256 == 0:
                    progress(len(self.cells))
        except KeyboardInterrupt:
            return Stop.INTERRUPT
        return None

    # -- one unit ----------------------------------------------------------------------------------

    def _decide(
        self, k: int, on: int, m: int, w: np.ndarray, pool: np.ndarray, stack: list[_Task]
    ) -> tuple[int, int, np.ndarray, np.ndarray]:
        """The node (on, m, w, pool) with unit k decided on the witness's side; the other side, if
        any, goes on the stack.
        """
        layer = self.layer_of[k]
        i = k - self.starts[layer]
        if i == 0:
            self._enter(layer, on)
        state = self.state[layer][i]
        a, c, size = (part[i] for part in self.forms[layer])
        if state == 3:
            state, a, c, size = self._refine(k, on)
        if state < 2:
            return on | state << k, m, w, pool
        span = np.abs(a) @ self.program.radius
        g, h, error = a / span, c / span, self.gamma * size / span
        value = g @ w + h
        if abs(value) <= max(THIN, error):
            w, value = self._nudge(g, h, value, on, m, w)
        side = bool(value > 0)
        if abs(value) <= error:
            sign = self._sign(k, on, w)
            if sign == 0:
                self.doubt = f"no interior point off the hyperplane of unit {k}"
                return on, m, w, pool
            side = sign > 0
        flip = -1.0 if side else 1.0
        self.G[m], self.h[m], self.E[m], self.row_unit[m] = flip * g, flip * h, error, (k, not side)
        far, absent, vertex = self._far(k, on, m, w, pool)
        if vertex is not None:
            pool = np.concatenate([pool, vertex[None]])[-POOL:]
        if not absent:
            values = pool @ self.G[m] + self.h[m]
            near, other = pool[values <= 0], pool[values > 0]
            if far is not None:
                crossing = (
                    w + (far - w) * (abs(value) / (abs(value) + self.G[m] @ far + self.h[m]))
                )[None]
                stack.append(
                    (k, not side, on | (not side) << k, m, far, np.concatenate([other, crossing]))
                )
                near = np.concatenate([near, crossing])
            self._flip(m, side)
            self.program.push(self.G[m], self.h[m])
            m, pool = m + 1, near
        return on | side << k, m, w, pool

    def _enter(self, layer: int, on: int) -> None:
        """Affine forms of a layer's units on the cell, the sizes of their terms, and which units
        the box alone decides.
        """
        weight, bias = self.layers[layer]
        a, c, size = np.eye(self.d), np.zeros(self.d), self.reach
        if layer:
            if self.starts[layer - 1] == self.starts[layer]:
                self._enter(layer - 1, on)
            active = self._active(layer - 1, on)
            weight = weight[:, active]
            a, c, size = (part[active] for part in self.forms[layer - 1])
        a, c, size = weight @ a, weight @ c + bias, np.abs(weight) @ size + np.abs(bias) + 2.0**-960
        error = self.gamma * size
        low = c + np.minimum(a * self.lower, a * self.upper).sum(axis=1)
        high = c + np.maximum(a * self.lower, a * self.upper).sum(axis=1)
        clear = (low < -error) & (high > error) & (high - low > 1e4 * error)
        self.forms[layer] = a, c, size
        self.state[layer] = np.where(
            low > error, 1, np.where(high < -error, 0, np.where(clear, 2, 3))
        ).tolist()
        self.proofs[self.starts[layer] : self.starts[layer + 1]] = [([], []) for _ in bias]

    def _far(
        self, k: int, on: int, m: int, w: np.ndarray, pool: np.ndarray
    ) -> tuple[np.ndarray | None, bool, np.ndarray | None]:
        """An interior point of the cell on the far side of unit k (row m), whether there is none
        for sure, a vertex.
        """
        g, h = self.G[m], self.h[m]
        if len(pool):
            values = pool @ g + h
            best = int(values.argmax())
            if values[best] > THIN and (far := self._between(w, pool[best], m, on)) is not None:
                return far, False, None
        known = self.proofs[k][self.row_unit[m][1]]
        if any(on & mask == pattern for mask, pattern in known):
            return None, True, None
        vertex = None
        solution = self.program.maximise(g)
        if solution is not None:
            vertex, y = solution
            if g @ vertex + h > self.E[m] and (far := self._between(w, vertex, m, on)) is not None:
                return far, False, vertex
            mask = self._prove(on, m, np.where(y > ZERO, y, 0.0))
            if mask is not None:
                known.append((mask, on & mask))
                del known[:-PROOFS]
                return None, True, vertex
        # if it does, hardly by more than float64 resolves
        self.doubt = f"no proof whether unit {k} takes both signs on a cell"
        return None, False, vertex

    # -- witnesses ---------------------------------------------------------------------------------

    def _between(self, w: np.ndarray, x: np.ndarray, m: int, on: int) -> np.ndarray | None:
        """A point from w towards x past row m's hyperplane, inside the cell and beyond that
        hyperplane, if one is found.
        """
        near, far = self.G[m] @ w + self.h[m], self.G[m] @ x + self.h[m]
        crossing = near / (near - far)
        for part in (0.5, 0.05):
            point = w + (crossing + part * (1 - crossing)) * (x - w)
            if self._inside(point, m + 1, on):
                return point
        return None

    def _inside(self, point: np.ndarray, m: int, on: int) -> bool:
        """Whether the first m rows are positive at a point, for sure: by rounding bounds, else
        exactly.
        """
        value, error = self.G[:m] @ point + self.h[:m], self.E[:m]
        if (value > error).all():
            return True
        if (value < -error).any() or (value <= error)[: self.base].any():
            return False
        close = [self.row_unit[i] for i in np.flatnonzero(value <= error)]
        return all(self._sign(k, on, point) == (1 if side else -1) for k, side in close)

    def _deepen(self, w: np.ndarray, pool: np.ndarray, m: int) -> np.ndarray:
        """The witness, moved half way to the mean of the pool if that is deeper inside."""
        if len(pool) == 0:
            return w
        point = (w + pool.sum(axis=0) / len(pool)) / 2
        slack = (
            self.G[:m] @ np.stack([w, point], axis=1) + (self.h[:m] - self.E[:m])[:, None]
        ).min(axis=0)
        return point if slack[1] > max(slack[0], 0.0) else w

    def _nudge(
        self, g: np.ndarray, h: float, value: float, on: int, m: int, w: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """The witness moved off the hyperplane g x + h = 0, half way to the nearest row along the
        normal, and its value.
        """
        normal = g * self.program.radius**2
        start, rate, slack = w, self.G[:m] @ normal, self.G[:m] @ w + self.h[:m]
        for sign in (1.0, -1.0) if value > 0 else (-1.0, 1.0):
            towards = sign * rate < 0
            point = start + sign / 2 * (slack[towards] / -(sign * rate[towards])).min() * normal
            moved = g @ point + h
            if abs(moved) > abs(value) and self._inside(point, m, on):
                w, value = point, moved
        return w, value

    def _flip(self, row: int, side: bool) -> None:
        self.G[row] *= -1
        self.h[row] *= -1
        self.row_unit[row] = self.row_unit[row][0], side

    # -- proofs ------------------------------------------------------------------------------------

    def _prove(self, on: int, m: int, y: np.ndarray) -> int | None:
        """The units whose rows prove row m <= 0 on the cell, as bits, by max_box (row m + sum_i y_i
        row_i) <= 0; or None.

        In float64, and if rounding leaves it open with rational y >= 0 that solve the equations of
        the zero reduced costs.
        """
        q = self.G[m] + y @ self.G[self.base : m]
        bound = (
            self.h[m] + y @ self.h[self.base : m] + np.maximum(q * self.lower, q * self.upper).sum()
        )
        support = np.flatnonzero(y)
        units = sum(1 << self.row_unit[self.base + i][0] for i in support)
        if bound + self.E[m] + y @ self.E[self.base : m] <= 0:
            return units
        if bound > 1e-6:
            return None
        used = [self.row_unit[i] for i in (m, *(self.base + support))]
        target, *rows = ([v if side else -v for v in self._form(k, on)] for k, side in used)
        tight = np.flatnonzero(np.abs(q) * self.program.radius <= ZERO)
        solution = _solve([[Fraction(row[j]) for row in (*rows, target)] for j in tight], len(rows))
        if solution is None or any(v < 0 for v in solution):
            return None
        total = [
            t + sum(v * row[j] for v, row in zip(solution, rows, strict=True))
            for j, t in enumerate(target)
        ]
        return units if self._range(total)[1] <= 0 else None

    # -- exact arithmetic --------------------------------------------------------------------------

    def _refine(self, k: int, on: int) -> tuple[int, np.ndarray, float, float]:
        """State of unit k from its exact form over the box, and that form rounded, scaled to a
        largest coefficient of 1.
        """
        form = self._form(k, on)
        low, high = self._range(form)
        if low >= 0 or high <= 0:
            return int(high > 0), self.lower, 0.0, 0.0
        top = max(abs(v) for v in form[:-1])
        a, c = np.array([v / top for v in form[:-1]]), form[-1] / top
        return 2, a, c, float(np.abs(a) @ self.reach + abs(c))

    def _sign(self, k: int, on: int, point: np.ndarray) -> int:
        """The exact sign of unit k at a float64 point."""
        *a, c = self._form(k, on)
        value = sum(
            (v * Fraction(x) for v, x in zip(a, point.tolist(), strict=True)), start=Fraction(c)
        )
        return (value > 0) - (value < 0)

    def _verified(self, on: int, point: np.ndarray) -> bool:
        """Whether each unit is on or off at a point, exactly, and 0 there only if 0 near it; for
        cells after a doubt.
        """
        signs = (
            (on >> k & 1, self._sign(k, on, point), self._form(k, on)) for k in range(self.units)
        )
        return all(sign > 0 if side else sign < 0 or not any(form) for side, sign, form in signs)

    def _range(self, form: Sequence[int | Fraction]) -> tuple[Fraction, Fraction]:
        """Exact minimum and maximum of an affine form over the box."""
        *a, c = form
        ends = [sorted((v * low, v * high)) for v, (low, high) in zip(a, self.box, strict=True)]
        return sum((e[0] for e in ends), start=Fraction(c)), sum(
            (e[1] for e in ends), start=Fraction(c)
        )

    def _form(self, k: int, on: int) -> list[int]:
        """The affine form (d+1 integers, constant last) of unit k on the cell, up to a power of
        two.
        """
        layer = self.layer_of[k]
        key = k, on & ((1 << self.starts[layer]) - 1)
        if key not in self.exact:
            row = self._integer(layer)[k - self.starts[layer]]
            for below in range(layer - 1, -1, -1):
                active = self._active(below, on)
                keep = np.append(active[row[active] != 0], len(row) - 1)
                row = row[keep] @ self._integer(below)[keep]
            if len(self.exact) >= 4096:
                self.exact.clear()
            self.exact[key] = row.tolist()
        return self.exact[key]

    def _integer(self, layer: int) -> np.ndarray:
        """[[W, b], [0, 1]] of a layer times a power of two that makes it integer."""
        if layer not in self.integers:
            weight, bias = self.layers[layer]
            last = np.append(np.zeros(weight.shape[1]), 1.0)
            entries = [
                v.as_integer_ratio()
                for v in np.concatenate([np.c_[weight, bias].ravel(), last]).tolist()
            ]
            scale = max(bottom for _, bottom in entries)
            values = np.array([top * (scale // bottom) for top, bottom in entries], dtype=object)
            self.integers[layer] = values.reshape(len(bias) + 1, -1)
        return self.integers[layer]

    def _active(self, layer: int, on: int) -> np.ndarray:
        bits = on >> self.starts[layer]
        return np.flatnonzero(
            [bits >> i & 1 for i in range(self.starts[layer + 1] - self.starts[layer])]
        )


def _solve(equations: list[list[Fraction]], unknowns: int) -> list[Fraction] | None:
    """A solution y of sum_i e_i y_i + e_last = 0 for all rows e, free unknowns 0; None if there is
    none.
    """
    rows, pivots = reduced(equations, unknowns)
    if any(row[-1] for row in rows[len(pivots) :]):
        return None
    solution = [Fraction(0)] * unknowns
    for row, column in zip(rows, pivots, strict=False):
        solution[column] = -row[-1]
    return solution
