"""Branch and bound: the search for a counterexample, or for a certificate that a margin is positive
on a set.

It works in float64 and is not relied upon: a certificate says what was found, and
`check_certificate` whether that is so.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from constructions import ReLUNetwork

from ..checkers import check_certificate as checker
from .bounding import Array, Inputs, Layer, least, lower_bounds, value
from .breakpoints import breakpoints, settled
from .pairs import find_pairs
from .relaxation import Relaxation

BITS = 40
"""Multipliers are rounded to this many bits."""

GRID = 64
"""Bounds of units are integers over 2^GRID, or finer where the set needs it."""

Point = tuple[Fraction, ...]
Splits = dict[tuple[int, int], bool]  # {(layer, position in it): on}


@dataclass(frozen=True)
class ExactSet:
    """A box, and optionally an l_2 ball that cuts it: centre and radius, dyadic then.

    Certificates hold integers over 2^scale: where sides of a box are not dyadic, the least such box
    around it. Witnesses lie in the box itself.
    """

    lower: list[Fraction]
    upper: list[Fraction]
    ball: tuple[list[Fraction], Fraction] | None = None

    @functools.cached_property
    def scale(self) -> int:
        """The least g >= GRID for which all dyadic numbers are integers over 2^g, and all others
        have GRID bits or more.
        """
        numbers = [*self.lower, *self.upper, *((*self.ball[0], self.ball[1]) if self.ball else ())]
        return max(GRID, *(_bits(v) for v in numbers))

    def to_json(self) -> dict[str, Any]:
        """As certificates hold it."""
        top = 1 << self.scale
        out: dict[str, Any] = {"scale": self.scale}
        out |= {
            "lower": [math.floor(v * top) for v in self.lower],
            "upper": [math.ceil(v * top) for v in self.upper],
        }
        if self.ball:
            out["ball"] = {
                "centre": [int(v * top) for v in self.ball[0]],
                "radius": int(self.ball[1] * top),
            }
        return out

    def to_floats(self) -> Inputs:
        """The nearest set in float64."""
        lower, upper = (np.array([float(v) for v in side]) for side in (self.lower, self.upper))
        if self.ball is None:
            return Inputs(lower, upper)
        return Inputs(lower, upper, np.array([float(v) for v in self.ball[0]]), float(self.ball[1]))

    def nearest(self, point: Sequence[float | Fraction]) -> list[Fraction]:
        """A rational point of the set that is near."""
        inside = [
            min(max(Fraction(v), a), b)
            for v, a, b in zip(point, self.lower, self.upper, strict=True)
        ]
        if self.ball is None:
            return inside
        centre, radius = self.ball
        away = sum((v - c) ** 2 for v, c in zip(inside, centre, strict=True))
        if away <= radius**2:
            return inside
        factor = Fraction(float(radius) / math.sqrt(away) * (1 - 2.0**-40))
        return [c + factor * (v - c) for v, c in zip(inside, centre, strict=True)]


def _bits(value: Fraction) -> int:
    """Binary digits after the point: all of a dyadic number, GRID of another one, counted from its
    first that is not 0.
    """
    length = value.denominator.bit_length()
    dyadic = value.denominator == 1 << length - 1
    return length - 1 if dyadic else GRID + max(0, length - value.numerator.bit_length())


@dataclass(frozen=True)
class Prepared:
    """A network as certificates hold it, its digest, as the checker reads it, its dense layers as
    arrays, and its pairs.
    """

    data: dict[str, Any]
    digest: str
    exact: checker.Network
    arrays: list[tuple[Array, Array]]
    pairs: list[tuple[int, int]]


@functools.lru_cache(maxsize=8)
def prepare(network: ReLUNetwork) -> Prepared:
    """Read a network once for many queries. Raises ValueError for a layer too large to be dense or
    without float64 entries.
    """
    arrays = [
        (a.weight.to_dense().numpy(), a.bias.to_dense()[:, 0].numpy()) for a in network.layers
    ]
    layers = []
    for weight, bias in arrays:
        columns = [np.flatnonzero(row) for row in weight]
        rows = [[c.tolist(), row[c].tolist()] for c, row in zip(columns, weight, strict=True)]
        layers.append({"rows": rows, "bias": bias.tolist()})
    data = {"inputs": int(network.inputs), "layers": layers}
    return Prepared(data, checker.digest(data), checker.Network(data), arrays, find_pairs(arrays))


class Undecided(Exception):  # noqa: N818 - an outcome
    """The search ends without a proof and without a counterexample; the message says why."""


class Search:
    """One network, set and label. `run` returns a query with its proof, or raises `Undecided`."""

    def __init__(
        self, network: Prepared, exact_set: ExactSet, label: int, max_seconds: float
    ) -> None:
        self.network, self.set, self.label = network, exact_set, label
        self.inputs, self.end = exact_set.to_floats(), time.monotonic() + max_seconds
        weight, bias = network.arrays[-1]
        if len(bias) == 1:
            self.forms, self.constants = label * weight, label * bias
        else:
            self.forms, self.constants = (
                np.delete(v[label] - v, label, axis=0) for v in (weight, bias)
            )
        self.reduced = self.forms  # on the units that matter
        self.layers: list[Layer] = []
        # which bounds of a layer are by multipliers, below, above
        self.linear: list[tuple[Array, Array, list[Array]]] = []
        self.leaves: list[tuple[Array, list[Array], Splits]] = []

    def run(self) -> dict[str, Any]:
        """The query, as certificates hold it; `check_certificate` has not seen it yet."""
        if witness := self.attack():
            return self.refuted(witness)
        if len(self.inputs.lower) == 1:
            return self.sweep()
        self.bound_layers()
        relaxation = functools.cache(lambda: Relaxation(self.layers, self.inputs))
        trees = []
        for form, constant in zip(self.reduced, self.constants.tolist(), strict=True):
            found = self.prove(form, constant, relaxation)
            if isinstance(found, tuple):
                return self.refuted(found)
            trees.append(found)
        pairs = [list(pair) for pair in self.network.pairs]
        return self.query(
            {"verdict": "proved", "pairs": pairs, "facts": self.facts(), "trees": trees}
        )

    def query(self, proof: dict[str, Any]) -> dict[str, Any]:
        """The label, the set, and a proof."""
        return {"label": self.label, **self.set.to_json(), **proof}

    # -- refutation --------------------------------------------------------------------------------

    def refuted(self, witness: Point) -> dict[str, Any]:
        """A query that a point refutes."""
        return self.query({"verdict": "refuted", "witness": [str(v) for v in witness]})

    def margins(self, points: Array) -> tuple[Array, Array]:
        """Margins (n,) at points (n, d) in float64, and their gradients (n, d)."""
        hidden, active = points, []
        for weight, bias in self.network.arrays[:-1]:
            z = hidden @ weight.T + bias
            active.append(z > 0)
            hidden = np.maximum(z, 0)
        values = hidden @ self.forms.T + self.constants
        worst = values.argmin(axis=1)
        gradient = self.forms[worst]
        for (weight, _), on in zip(
            reversed(self.network.arrays[:-1]), reversed(active), strict=True
        ):
            gradient = (gradient * on) @ weight
        return values[np.arange(len(points)), worst], gradient

    def attack(self, steps: int = 16, restarts: int = 4) -> Point | None:
        """A point of the set with margin <= 0, if projected gradient descent finds one."""
        inputs, generator = self.inputs, np.random.default_rng(0)
        span = inputs.upper - inputs.lower
        points = inputs.lower + span * generator.random((restarts, len(span)))
        points[0] = (inputs.lower + inputs.upper) / 2 if inputs.centre is None else inputs.centre
        for step in range(steps):
            points = inputs.project(points)
            values, gradient = self.margins(points)
            best = int(values.argmin())
            if values[best] <= 0 and (witness := self.replay(points[best])):
                return witness
            direction = np.sign(gradient) * span
            if inputs.centre is not None:
                direction = (
                    2
                    * inputs.radius
                    * gradient
                    / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-300)
                )
            points = points - direction * max(0.02, 0.3 * (1 - step / steps))
        points = inputs.lowest(gradient)  # the end, if the network is affine there
        return self.replay(points[self.margins(points)[0].argmin()])

    def replay(self, point: Array) -> Point | None:
        """The point, moved into the set, if its exact margin is <= 0; evaluated unless it is
        clearly positive in float64.
        """
        if not self.margins(point[None])[0][0] <= 1e-6 * np.abs(self.forms).max(initial=1.0):
            return None
        inside = self.set.nearest(point.tolist())
        return tuple(inside) if self.margin(inside) <= 0 else None

    def margin(self, point: Sequence[Fraction]) -> Fraction:
        """The exact margin at a point."""
        margins: list[Fraction] = self.network.exact.evaluate([list(point)], self.label)[0]
        return margins[0]

    # -- one input ---------------------------------------------------------------------------------

    def sweep(self) -> dict[str, Any]:
        """The margin is least at a sign change of a unit, or at an end."""
        held, top = self.set.to_json(), 1 << self.set.scale
        start, end = (Fraction(held[side][0], top) for side in ("lower", "upper"))
        points = breakpoints(self.network.arrays[:-1], float(start), float(end))
        values, _ = self.margins(points[:, None])
        if witness := self.replay(points[values.argmin()][None]):
            return self.refuted(witness)
        chosen = [start, *(x for x in map(Fraction, points.tolist()) if start < x < end), end]
        query = self.query({"verdict": "proved", "points": [str(x) for x in chosen]})
        try:
            bound = checker.least_margin(self.network.exact, query)
            if bound > 0:
                return query | {"bound": str(bound)}
        except ValueError:
            pass  # float64 has missed a sign change
        chosen, margins = settled(self.network.exact, chosen, self.label)
        lowest = min(range(len(margins)), key=margins.__getitem__)
        if margins[lowest] <= 0:
            if not self.set.lower[0] <= chosen[lowest] <= self.set.upper[0]:
                raise Undecided("the margin vanishes within rounding of an end of the interval")
            return self.refuted((chosen[lowest],))
        return self.query(
            {"verdict": "proved", "bound": str(margins[lowest]), "points": [str(x) for x in chosen]}
        )

    # -- bounds ------------------------------------------------------------------------------------

    def bound_layers(self) -> None:
        """The units that matter, bounded by intervals and by linear functions, with the multipliers
        that prove the latter.
        """
        if self.network.pairs:
            self.survey()
            for i in range(len(self.layers)):
                self.layers[i] = self.tighten(self.layers[:i], self.layers[i])
            return
        low, high = self.inputs.lower, self.inputs.upper
        for i, (weight, bias) in enumerate(self.network.arrays[:-1]):
            plus, minus = np.maximum(weight, 0), np.minimum(weight, 0)
            low, high = plus @ low + minus @ high + bias, plus @ high + minus @ low + bias
            units = self.network.exact.starts[i] + np.arange(len(bias))
            layer = self.tighten(self.layers, Layer.of(weight, bias, low, high, units))
            self.layers.append(layer)
            low, high = np.maximum(layer.low, 0), np.maximum(layer.high, 0)

    def survey(self) -> None:
        """Layers of the units that are not surely off and reach the outputs, with the checker's
        bounds by intervals.
        """
        exact, arrays = self.network.exact, self.network.arrays
        part = checker.Part(exact, self.query({"pairs": self.network.pairs, "facts": []}))
        top = 1 << self.set.scale
        low, high = (np.array([v / top for v in side]) for side in (part.low, part.high))
        kept: list[Array] = []
        reached = (self.forms != 0).any(axis=0)
        for i in range(len(arrays) - 2, -1, -1):
            start, stop = exact.starts[i : i + 2]
            kept.insert(0, np.flatnonzero(reached & (high[start:stop] > 0)))
            reached = (arrays[i][0][kept[0]] != 0).any(axis=0)
        columns = np.arange(len(self.inputs.lower))
        for i, ((weight, bias), local) in enumerate(zip(arrays[:-1], kept, strict=True)):
            units = exact.starts[i] + local
            place = {int(k): at for at, k in enumerate(units)}
            pairs = [pair for pair in part.octagons if pair[0] in place and pair[1] in place]
            octagons = [[v / top for v in part.octagons[pair]] for pair in pairs]
            positions = [(place[p], place[q]) for p, q in pairs]
            rows = weight[local][:, columns], bias[local]
            self.layers.append(Layer.of(*rows, low[units], high[units], units, positions, octagons))
            columns = local
        self.reduced = self.forms[:, columns]

    def tighten(self, below: list[Layer], layer: Layer) -> Layer:
        """The layer with bounds by linear functions where they are better than by intervals."""
        n, low, high = len(layer.bias), layer.low, layer.high
        if n == 0 or (not below and self.inputs.centre is None) or time.monotonic() > self.end:
            self.linear.append((np.zeros(n, dtype=bool), np.zeros(n, dtype=bool), []))
            return layer
        forms, constants = (
            np.concatenate([layer.weight, -layer.weight]),
            np.concatenate([layer.bias, -layer.bias]),
        )
        bounds, factors = lower_bounds(forms, constants, below, self.inputs)
        slack = 1e-9 * (high - low)
        above, under = bounds[:n] > low + slack, -bounds[n:] < high - slack
        self.linear.append((above, under, factors))
        low, high = np.where(above, bounds[:n], low), np.where(under, -bounds[n:], high)
        return Layer.of(
            layer.weight, layer.bias, low, high, layer.units, layer.pairs, layer.octagons
        )

    # -- proof -------------------------------------------------------------------------------------

    def prove(self, form: Array, constant: float, relaxation: Any) -> dict[str, Any] | Point:
        """A tree that proves form @ h + constant > 0, or a counterexample."""
        tree: dict[str, Any] = {}
        bounds, factors = lower_bounds(form[None], np.array([constant]), self.layers, self.inputs)
        if (
            self.close(tree, form, constant, [d[0] for d in factors], self.layers, {})
            or not self.layers
        ):
            if not tree:
                raise Undecided(f"the margin is within rounding of 0: at least {bounds[0]:.3g}")
            return tree
        program = relaxation()
        program.minimise(form)
        stack: list[tuple[dict[str, Any], Splits]] = [(tree, {})]
        while stack:
            late = f"time limit, with {len(self.leaves)} parts proved and {len(stack)} open"
            if time.monotonic() > self.end:
                raise Undecided(late)
            node, splits = stack.pop()
            layers = self.restricted(splits)
            program.split(splits)
            branch, tangents = self.branch(None, None, layers), 4
            while True:  # a part without open units needs as many tangents as it takes
                status, point, duals = program.solve(self.end - time.monotonic(), tangents)
                if status not in ("optimal", "infeasible"):
                    raise Undecided(
                        late
                        if time.monotonic() > self.end
                        else f"the solver of linear programs {status}"
                    )
                closed = duals is not None and self.close(
                    node, form, constant, duals, layers, splits, status == "infeasible"
                )
                witness = (
                    None
                    if closed or point is None
                    else self.replay(point[: len(self.inputs.lower)])
                )
                if closed or witness or branch or self.inputs.centre is None or tangents > 4:
                    break
                tangents = 200
            if closed:
                continue
            if not witness and not branch and point is not None:
                witness = self.corner(point)
            if witness:
                return witness
            if branch is None:
                raise Undecided(
                    "a part without open units stays undecided: the margin is 0, or almost, "
                    "somewhere on it"
                )
            i, j = branch = self.branch(point, duals, layers) or branch
            node |= {"unit": int(self.layers[i].units[j]), "on": {}, "off": {}}
            stack += [
                (node["off"], {**splits, branch: False}),
                (node["on"], {**splits, branch: True}),
            ]
        return tree

    def restricted(self, splits: Splits) -> list[Layer]:
        """The layers with bounds clipped by splits."""
        layers = list(self.layers)
        for i in {i for i, _ in splits}:
            layers[i] = layers[i].restricted({j: on for (k, j), on in splits.items() if k == i})
        return layers

    def close(
        self,
        node: dict[str, Any],
        form: Array,
        constant: float,
        factors: list[Array],
        layers: list[Layer],
        splits: Splits,
        empty: bool = False,
    ) -> bool:
        """Make the node a leaf if multipliers prove its bound, or that its part is empty."""
        if empty:
            form, constant = np.zeros_like(form), 0.0
        for sign in (1.0, -1.0) if empty else (1.0,):  # solvers disagree about the sign of rays
            tried = [sign * d for d in factors]
            size = max([float(np.abs(d).max(initial=0.0)) for d in (form, *tried)], default=0.0)
            if value(form, constant, layers, tried, self.inputs) > 1e-12 * size:
                node |= {"leaf": multipliers(self.layers, tried), "goal": not empty}
                self.leaves.append((form, tried, splits))
                return True
        return False

    def branch(
        self, point: Array | None, duals: list[Array] | None, layers: list[Layer]
    ) -> tuple[int, int] | None:
        """The open unit whose relaxation matters most: its gap at the program's solution times the
        weight of its upper line.
        """
        best, chosen, at = -1.0, None, len(self.inputs.lower)
        before = None if point is None else point[:at]
        for i, a in enumerate(layers):
            n, width = len(a.bias), np.minimum(-a.low, a.high)
            score = width
            if point is not None and duals is not None:
                h = point[at : at + n]
                gap = np.maximum(h - np.maximum(a.weight @ before + a.bias, 0), 0)
                score = gap * (1e-3 + np.maximum(-duals[i], 0)) + 1e-12 * width
                before, at = h, at + n
            score = np.where((a.low < 0) & (a.high > 0), score, -1.0)
            if n and score.max() > best:
                best, chosen = float(score.max()), (i, int(score.argmax()))
        return chosen

    def corner(self, point: Array) -> Point | None:
        """The exact vertex near a program's solution, on the units and sides of the box that almost
        vanish, if it refutes.
        """
        d = len(self.inputs.lower)
        x = point[:d]
        forms = [
            [*(Fraction(int(j == k)) for k in range(d)), -end]
            for j in range(d)
            for end in self.ends_near(j, x[j])
        ]
        h, rows = x, np.concatenate([np.eye(d), np.zeros((d, 1))], axis=1).astype(object)
        rows = np.array([[Fraction(int(v)) for v in row] for row in rows], dtype=object)
        for weight, bias in self.network.arrays[:-1]:
            z = weight @ h + bias
            size = np.abs(weight) @ np.abs(h) + np.abs(bias)
            on, near = (
                np.flatnonzero(z > 1e-7 * size),
                np.flatnonzero((np.abs(z) <= 1e-7 * size) & (size > 0)),
            )
            exact = {int(k): self.combine(weight[k], bias[k], rows) for k in (*on, *near)}
            forms += [exact[int(k)] for k in near]
            rows = np.array(
                [
                    exact[k] if k in exact and z[k] > 1e-7 * size[k] else [Fraction(0)] * (d + 1)
                    for k in range(len(z))
                ]
            )
            h = np.maximum(z, 0)
        solution = solve(forms, d)
        if (
            solution is None
            or max(abs(float(a) - b) for a, b in zip(solution, x, strict=True)) > 1e-3
        ):
            return None
        return (
            tuple(self.set.nearest(solution))
            if self.margin(self.set.nearest(solution)) <= 0
            else None
        )

    def ends_near(self, j: int, x: float) -> list[Fraction]:
        """The ends of an input's interval that a float64 is at."""
        return [
            end
            for end in {self.set.lower[j], self.set.upper[j]}
            if abs(float(end) - x) <= 1e-9 * max(1.0, abs(x))
        ]

    @staticmethod
    def combine(weight: Array, bias: float, rows: Array) -> list[Fraction]:
        """A unit's affine form (d + 1 rationals, constant last) from those of the layer below."""
        terms = [[Fraction(float(weight[j])) * v for v in rows[j]] for j in np.flatnonzero(weight)]
        total = (
            [sum(column, Fraction(0)) for column in zip(*terms, strict=True)]
            if terms
            else [Fraction(0)] * rows.shape[1]
        )
        return [*total[:-1], total[-1] + Fraction(float(bias))]

    # -- facts -------------------------------------------------------------------------------------

    def facts(self) -> list[list[Any]]:
        """The bounds by multipliers on which the leaves rest, in the order of the layers."""
        need = [
            (np.zeros(len(a.bias), dtype=bool), np.zeros(len(a.bias), dtype=bool))
            for a in self.layers
        ]
        for form, factors, splits in self.leaves:
            layers = self.restricted(splits)
            for i in range(len(layers) - 1, -1, -1):
                self.note(need[i], form, factors[i], layers[i])
                form = factors[i] @ layers[i].weight
        out: list[list[Any]] = []
        for i in range(len(self.layers) - 1, -1, -1):
            layer, (above, under, factors) = self.layers[i], self.linear[i]
            n, rows = len(layer.bias), []
            for sign, needed, better, offset in (
                (1, need[i][0], above, 0),
                (-1, need[i][1], under, n),
            ):
                for j in np.flatnonzero(needed).tolist():
                    form = sign * layer.weight[j]
                    proof = (
                        [d[offset + j] for d in factors]
                        if better[j]
                        else [np.zeros(len(a.bias)) for a in self.layers[:i]]
                    )
                    if better[j]:
                        rows.append(
                            [int(layer.units[j]), sign, multipliers(self.layers[:i], proof)]
                        )
                    for k in range(i - 1, -1, -1):
                        self.note(need[k], form, proof[k], self.layers[k])
                        form = proof[k] @ self.layers[k].weight
            out = rows + out
        return out

    @staticmethod
    def note(need: tuple[Array, Array], form: Array, factors: Array, a: Layer) -> None:
        """Add which lower and upper bounds of a layer enter the least value of form relu(z) -
        factors z.
        """
        if not form.any() and not factors.any():
            return
        now, wide = least(form, factors, a.low, a.high), 1.0 + np.abs(a.low) + np.abs(a.high)
        paired = np.isin(np.arange(len(form)), a.pairs) & ((form != 0) | (factors != 0))
        need[0][:] |= (least(form, factors, -wide, a.high) < now) | paired
        need[1][:] |= (least(form, factors, a.low, wide) < now) | paired


def multipliers(layers: list[Layer], factors: list[Array]) -> list[Any]:
    """Nonzero multipliers as certificates hold them: [s, [units], [integers over 2^s]]."""
    units = np.concatenate([np.zeros(0, dtype=np.int64), *(a.units for a in layers)])
    numbers = np.concatenate([np.zeros(0), *factors])
    scale = max(0, BITS - math.frexp(float(np.abs(numbers).max(initial=0.0)))[1])
    whole = np.rint(np.ldexp(numbers, scale))
    keep = np.flatnonzero(whole)
    return [scale if len(keep) else 0, units[keep].tolist(), [int(v) for v in whole[keep].tolist()]]


def solve(forms: list[list[Fraction]], unknowns: int) -> list[Fraction] | None:
    """The common zero of affine forms (unknowns + 1 rationals, constant last), the first ones
    preferred; None without one.
    """
    rows: list[list[Fraction]] = []
    for form in forms:
        for row in rows:
            pivot = next(j for j in range(unknowns) if row[j])
            form = (
                [a - form[pivot] * b for a, b in zip(form, row, strict=True)]
                if form[pivot]
                else form
            )
        pivot = next((j for j in range(unknowns) if form[j]), -1)
        if pivot < 0:
            continue
        form = [a / form[pivot] for a in form]
        rows = [[a - row[pivot] * b for a, b in zip(row, form, strict=True)] for row in rows] + [
            form
        ]
        if len(rows) == unknowns:
            by_pivot = {next(j for j in range(unknowns) if row[j]): -row[-1] for row in rows}
            return [by_pivot[j] for j in range(unknowns)]
    return None
