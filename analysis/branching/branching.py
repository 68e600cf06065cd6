"""Branch and bound over the signs of units, many parts at once.

Parts whose goal has a lower bound > 0 are closed, as are those without counterexamples (see
`contraction`); others are cut at the unit whose split promises most. Floats choose; what they
found becomes a certificate in `unfolding`, and `check_certificate` judges that.
"""

from __future__ import annotations

import heapq
import itertools
import math
import time
from dataclasses import dataclass, field

import torch

from ..search.bounding import Array
from ..search.layers import Bounded, Splits
from ..search.leaves import Leaf
from ..search.question import Question, Undecided
from ..search.sets import Point
from ..search.tree import Cut, Prover, Witness
from .choices import choose, open_units, worth
from .contraction import WEIGHTS, Contraction, Halves, Targets, contract, scales, tuned
from .parts import FLOAT, Goal, Optimised, Parts, Tensor, optimise

BATCH = 8
"""Parts that are cut at once."""

MOST = 20_000
"""Most open parts. Closed ones, too, keep what they were found by: some 100 kB each."""

ROUNDS = 10
"""Most rounds of contraction on the whole set."""

FIRST, AGAIN = (1 / 4, 1.0, 4.0), (1 / 2, 1.0, 2.0)
"""The multiples that are tried, in the first round after a split and in others, of the weights that
were best before.
"""

RAISE = 8
"""Steps of Adam that raise the bound after a round."""

MOST_ROUNDS, WORTH = 8, 0.1
"""Rounds go on, up to so many, while they raise a part's bound by this share of what it lacks."""

SPARE = 1e-3
"""Bounds exceed 0 by this share of what the whole set lacked, and contradict each other by this
share of a unit's width there: integers lose a little.
"""


@dataclass(eq=False)
class Node:
    """A part in the tree: the contractions (with its row in each) that lead from its parent's
    bounds to its own, then a cut or what closes it.

    splits: units that are split on the way to it. Closed by bounds of the goal (a row of parts with
    their slopes), by a leaf of linear programs, or by a unit (layer, position) whose lower bound
    exceeds its upper one by a gap.
    """

    splits: Splits
    bound: float
    rounds: list[tuple[Contraction, int]] = field(default_factory=list)
    parts: tuple[Optimised, int] | None = None
    leaf: Leaf | None = None
    empty: tuple[Cut, float] | None = None
    cut: Cut | None = None
    children: list[Node] = field(default_factory=list)

    def close(self, unit: Cut, gap: float) -> None:
        """No counterexample is there."""
        self.empty, self.bound, self.parts = (unit, gap), math.inf, None

    def branch(self, cut: Cut) -> list[Node]:
        """The parts where a unit is on, and off."""
        self.cut, self.parts = cut, None
        self.children = [Node({**self.splits, cut: on}, self.bound) for on in (True, False)]
        return self.children


class Branching:
    """Proves a form positive on a set, many parts at once; `leaves` counts those proved."""

    def __init__(
        self,
        question: Question,
        bounded: Bounded,
        prover: Prover,
        form: Array,
        constant: float,
        end: float,
    ) -> None:
        self.question, self.prover, self.end = question, prover, end
        self.form, self.constant = form, constant
        self.goal = Goal.of(bounded.layers, form, constant, question.inputs)
        self.whole = Parts.root(bounded.layers)
        self.leaves, self.enough, self.targets = 0, 0.0, list[Targets]()

    def prove(self) -> Node | Point:
        """The root of a closed tree for form @ h + constant > 0, or a counterexample; raises
        `Undecided`.
        """
        root, count = self.root(), itertools.count()
        heap = [] if self.is_closed(root) else [(root.bound, next(count), root)]
        while heap:
            if time.monotonic() > self.end or len(heap) > MOST:
                why = "time limit" if len(heap) <= MOST else "too many parts"
                raise Undecided(f"{why}, with {self.leaves} parts proved and {len(heap)} open")
            taken = [heapq.heappop(heap)[2] for _ in range(min(BATCH, len(heap)))]
            for node in self.cut(taken):
                if isinstance(node, Witness):
                    return node.point
                if not self.is_closed(node):
                    heapq.heappush(heap, (node.bound, next(count), node))
        return root

    def is_closed(self, node: Node) -> bool:
        """Whether a new node's bound is enough; counts it then. Raises `Undecided` for NaN."""
        if math.isnan(node.bound):
            raise Undecided("float32 does not hold the network's numbers")
        closed = node.bound > self.enough
        self.leaves += closed
        return closed

    def root(self) -> Node:
        """The whole set, bounded as well as rounds of contraction can."""
        found = optimise(self.goal, self.whole, 40, 0.0)
        node = Node({}, float(found.bounds))
        self.enough = SPARE * abs(node.bound)
        for _ in range(ROUNDS):
            if node.bound > self.enough or time.monotonic() > self.end:
                break
            parts, self.targets = found.parts, []
            for k in range(len(parts.low) - 1, -1, -1):
                units, lack = worth(parts, k, found.forms), -found.bounds
                if len(units) == 0:
                    continue
                chosen = self.plain(k, units)
                chosen = tuned(self.goal, parts, chosen, lack) if k else chosen
                base = scales(parts, chosen, lack)
                step = contract(self.goal, parts, chosen, base, (1.0,) if k else WEIGHTS)
                self.targets.append(chosen)
                node.rounds.append((step, 0))
                if bool(step.is_empty):
                    node.close(*step.widest(0))
                    return node
                parts = step.after
            before, found = node.bound, optimise(self.goal, parts, 20, self.enough)
            node.bound = float(found.bounds)
            if not node.bound > before + 0.02 * abs(before):
                break
        node.parts = found, 0
        return node

    def plain(self, layer: int, units: Tensor) -> Targets:
        """Units of a layer as targets, with the same weights."""
        width = (self.whole.high[layer] - self.whole.low[layer])[0, units]
        return Targets(layer, units, SPARE * width, torch.ones(2 * len(units), dtype=FLOAT), [])

    def cut(self, nodes: list[Node]) -> list[Node | Witness]:
        """The children of nodes, bounded."""
        out: list[Node | Witness] = []
        parts, forms = gathered(nodes)
        layer, unit = choose(self.goal, parts, forms)
        for node, k in zip(nodes, layer.tolist(), strict=True):
            if k < 0:  # no open unit
                out += self.settled(node)
        rows = (layer >= 0).nonzero()[:, 0]
        if len(rows):
            chosen = [nodes[i] for i in rows.tolist()]
            out += self.split(chosen, parts.at(rows), layer[rows], unit[rows], self.targets)
        return out

    def split(
        self, nodes: list[Node], parts: Parts, layer: Tensor, unit: Tensor, targets: list[Targets]
    ) -> list[Node | Witness]:
        """The two parts of each node, bounded."""
        both = Parts.joined([parts.split(layer, unit, on) for on in (True, False)])
        cuts = zip(layer.tolist(), unit.tolist(), strict=True)
        pairs = [node.branch(cut) for node, cut in zip(nodes, cuts, strict=True)]
        children = [pair[side] for side in (0, 1) for pair in pairs]
        lack = torch.tensor([-node.bound for node in children])
        lack = lack.clamp_min(10 * self.enough)  # less would weigh the goal more than integers hold
        targets = [t if t.layer else self.plain(0, open_units(both)) for t in targets]
        bases = [scales(both, chosen, lack) for chosen in targets]
        pushes: list[Tensor | None] = [None] * len(targets)
        left, halves, out = list(children), Halves.of(self.goal, both), list[Node | Witness]()

        def keep(parts: Parts, rows: Tensor) -> None:
            """Go on with some rows of parts, and of what is known of them."""
            nonlocal both, halves, left, bases, pushes
            both, halves, left = parts.at(rows), halves.at(rows), [left[i] for i in rows.tolist()]
            bases = [t[rows] for t in bases]
            pushes = [t if t is None else t[rows] for t in pushes]

        for turn in range(MOST_ROUNDS):
            for n, chosen in enumerate(targets):
                multiples = AGAIN if turn else FIRST
                step = contract(self.goal, both, chosen, bases[n], multiples, halves, pushes[n])
                bases[n], pushes[n] = step.weights, step.multipliers
                for row, child in enumerate(left):
                    child.rounds.append((step, row))
                    if step.is_empty[row]:
                        child.close(*step.widest(row))
                rows = (~step.is_empty).nonzero()[:, 0]
                keep(step.after, rows)
                if not left:
                    return [*children, *out]
            found = optimise(self.goal, both, RAISE, self.enough)
            before = torch.tensor([child.bound for child in left])
            for row, child in enumerate(left):
                child.bound, child.parts = float(found.bounds[row]), (found, row)
            if witness := self.witness(found):
                out.append(witness)
                break
            on = (found.bounds <= self.enough) & (found.bounds - before > WORTH * before.abs())
            rows = on.nonzero()[:, 0]
            if not targets or len(rows) == 0:
                break
            keep(found.parts, rows)
        return [*children, *out]

    def witness(self, found: Optimised) -> Witness | None:
        """A counterexample where linear bounds are least, if one is there."""
        points = self.question.inputs.lowest(found.inputs.double().numpy())
        point = self.question.replay(self.question.least(points))
        return None if point is None else Witness(point)

    def settled(self, node: Node) -> list[Node | Witness]:
        """A node without open units, as linear programs see it: closed, refuted, or cut again."""
        late = f"time limit, with {self.leaves} parts proved"
        match self.prover.part(self.form, self.constant, node.splits, late):
            case Leaf() as leaf:
                node.leaf, node.bound, node.parts = leaf, math.inf, None
                return [node]
            case Witness() as witness:
                return [witness]
            case k, j:
                assert node.parts is not None
                found, row = node.parts
                parts = found.parts.at(torch.tensor([row]))
                return self.split([node], parts, torch.tensor([k]), torch.tensor([j]), [])


def gathered(nodes: list[Node]) -> tuple[Parts, list[Tensor]]:
    """The parts of nodes, and the forms of the goal at each layer."""
    rows = [node.parts for node in nodes if node.parts is not None]
    parts = Parts.joined([found.parts.at(torch.tensor([row])) for found, row in rows])
    forms = [
        torch.cat([found.forms[k][row : row + 1] for found, row in rows])
        for k in range(len(parts.low))
    ]
    return parts, forms
