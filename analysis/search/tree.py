"""Branch and bound over the signs of units, with warm-started linear programs."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from .attack import corner
from .bounding import Array, Layer, best_bounds
from .layers import Bounded, Splits
from .leaves import Leaf, leaf_of
from .question import Question, Undecided
from .relaxation import Relaxation, Solution, Status
from .sets import Point

FEW = 4
"""Tangents of an l_2 ball that are added for one program, unless the part has no open units."""

TANGENTS = 200
"""A part without open units needs as many tangents as it takes, at most so many."""

MANY = 16
"""With more inputs, distances are long maxima."""

GAP = 1e-7
"""Scores of units up to this are rounding."""

Cut = tuple[int, int]
"""A unit, (layer, position in it), at whose zero a part is cut."""


@dataclass(frozen=True)
class Witness:
    """A point of the set with margin <= 0."""

    point: Point


class Prover:
    """Proves forms positive on a set, part by part; `leaves` are the parts that are proved, of all
    forms.
    """

    def __init__(
        self, question: Question, bounded: Bounded, leaves: list[Leaf], end: float
    ) -> None:
        self.question, self.bounded, self.leaves, self.end = question, bounded, leaves, end

    @functools.cached_property
    def relaxation(self) -> Relaxation:
        """The linear program, the same for all forms."""
        return Relaxation(self.bounded.layers, self.question.inputs)

    def prove(self, form: Array, constant: float) -> dict[str, Any] | Point:
        """A tree that proves form @ h + constant > 0, or a counterexample; raises `Undecided`."""
        tree: dict[str, Any] = {}
        layers, inputs = self.bounded.layers, self.question.inputs
        rules = self.question.network.rules
        bounds, factors = best_bounds(form[None], np.array([constant]), layers, inputs, rules)
        if leaf := leaf_of(form, constant, [d[0] for d in factors], layers, {}, inputs):
            self.keep(leaf, tree)
            return tree
        if not layers:
            raise Undecided(f"the margin is within rounding of 0: at least {bounds[0]:.3g}")
        self.relaxation.minimise(form)
        stack: list[tuple[dict[str, Any], Splits]] = [(tree, {})]
        while stack:
            late = f"time limit, with {len(self.leaves)} parts proved and {len(stack)} open"
            if time.monotonic() > self.end:
                raise Undecided(late)
            node, splits = stack.pop()
            match self.part(form, constant, splits, late):
                case Leaf() as leaf:
                    self.keep(leaf, node)
                case Witness(point):
                    return point
                case cut:
                    i, j = cut
                    node |= {"unit": int(layers[i].units[j]), "on": {}, "off": {}}
                    stack += [
                        (node["off"], {**splits, cut: False}),
                        (node["on"], {**splits, cut: True}),
                    ]
        return tree

    def keep(self, leaf: Leaf, node: dict[str, Any]) -> None:
        """Make a node of a tree a leaf."""
        node |= leaf.to_json(self.bounded.layers)
        self.leaves.append(leaf)

    def part(self, form: Array, constant: float, splits: Splits, late: str) -> Leaf | Witness | Cut:
        """What a part needs: a leaf, if it is proved; a counterexample in it; or where to cut it.

        late: what to say where time runs out. Raises `Undecided`.
        """
        layers, inputs = self.bounded.restricted(splits), self.question.inputs
        self.relaxation.split(splits)
        cut, tangents = widest(layers), FEW
        while True:
            found = self.solved(tangents, late)
            empty = found.status is Status.INFEASIBLE
            if found.duals is not None and (
                leaf := leaf_of(form, constant, found.duals, layers, splits, inputs, empty)
            ):
                return leaf
            if found.point is not None and (
                witness := self.question.replay(found.point[: len(inputs.lower)])
            ):
                return Witness(witness)
            if cut or inputs.centre is None or tangents > FEW:
                break
            tangents = TANGENTS
        if cut is None:
            if found.point is not None and (witness := corner(self.question, found.point)):
                return Witness(witness)
            raise Undecided(
                "a part without open units stays undecided: the margin is 0, or almost, "
                "somewhere on it"
            )
        if found.point is None or found.duals is None:
            return cut
        return loosest(layers, found.point, found.duals, len(inputs.lower)) or cut

    def solved(self, tangents: int, late: str) -> Solution:
        """What the linear program gives."""
        found = self.relaxation.solve(self.end - time.monotonic(), tangents)
        if found.status is Status.FAILED:
            failed = f"the solver of linear programs failed: {found.reason}"
            raise Undecided(late if time.monotonic() > self.end else failed)
        return found


def widest(layers: list[Layer]) -> Cut | None:
    """The open unit with the largest of its smaller ends; None if all are settled."""
    return _best(layers, [np.minimum(-a.low, a.high) for a in layers])


def loosest(layers: list[Layer], point: Array, duals: list[Array], inputs: int) -> Cut | None:
    """The open unit whose relaxation matters most: its gap at the program's solution times the
    weight of its upper line. With pairs and many inputs, units of the last layer with a gap come
    first: long maxima and gates are decided from the outputs down.
    """
    scores, before, at, last = [], point[:inputs], inputs, 0
    for i, (a, d) in enumerate(zip(layers, duals, strict=True)):
        h = point[at : at + len(a.bias)]
        gap = np.maximum(h - np.maximum(a.weight @ before + a.bias, 0), 0)
        width = np.minimum(-a.low, a.high)
        scores.append(gap * (1e-3 + np.maximum(-d, 0)) + 1e-12 * width)
        before, at = h, at + len(a.bias)
        if len(a.bias) and np.where(width > 0, scores[i], 0.0).max() > GAP:
            last = i
    if inputs > MANY and any(len(a.pairs) for a in layers):
        scores[:last] = [np.full(len(a.bias), -1.0) for a in layers[:last]]
    return _best(layers, scores)


def _best(layers: list[Layer], scores: list[Array]) -> Cut | None:
    best, chosen = -1.0, None
    for i, (a, score) in enumerate(zip(layers, scores, strict=True)):
        score = np.where((a.low < 0) & (a.high > 0), score, -1.0)
        if len(score) and score.max() > best:
            best, chosen = float(score.max()), (i, int(score.argmax()))
    return chosen
