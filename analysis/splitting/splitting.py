"""Few inputs: a box is split into boxes until zonotopes prove each of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from ..checkers.check_boxes import least_margin
from ..search.bounding import Array
from ..search.question import Question, Undecided
from ..search.sets import GRID, Point
from .zonotopes import ONE, Zonotopes, zonotopes

BATCH, NUMBERS = 32, 2**22
"""Boxes that are bounded at once: so many, or fewer, where their noises are more numbers."""

SMALL, OPEN = 2**18, 16
"""Input splitting comes first for networks of up to so many weights with more units that change
sign on the set; with fewer, splitting at the zeros of units does.
"""

FEW_INPUTS = 5
"""Up to so many inputs, it may come first for a single margin."""

SWEPT = 2**12
"""One input has breakpoints, which are soon evaluated exactly with up to so many weights."""

SPLITTING_SHARE = 0.75
"""The share of the time that input splitting gets."""

HELP = 0.001
"""A split helps if its halves lack less by this share; if none does, the widest input is split."""

THIN = 2.0**-10
"""So is that of a box which is so many times as narrow as it is wide, in units of the whole."""

STARTS, DESCENTS, STEP, SHRINK = 256, 24, 0.25, 0.85
"""Starts and steps of the attack, its first step in units of the box, and what it is multiplied
with."""

Groups = list[slice]
"""Goals of which one must be positive at each point, group by group."""

Replay = Callable[[Array], Point | None]
"""The point of the set near a point in float64, if it is a counterexample, exactly."""


def count_boxes(tree: dict[str, Any]) -> int:
    """How many boxes a tree of splits has."""
    stack, count = [tree], 0
    while stack:
        node = stack.pop()
        count += "input" not in node
        stack += [node[side] for side in ("below", "above") if "input" in node]
    return count


class InputSplitting:
    """The search for a tree of splits, or for a point, about the goals of a question, in groups;
    groups None: each goal must be positive.
    """

    def __init__(
        self, question: Question, groups: Groups | None, replay: Replay, end: float
    ) -> None:
        self.question, self.replay, self.end = question, replay, end
        self.mixed = groups is not None
        self.groups = groups or [slice(k, k + 1) for k in range(len(question.constants))]
        self.layers = [*question.network.arrays[:-1], (question.forms, question.constants)]
        sizes = [len(bias) for _, bias in self.layers]
        self.batch = max(1, min(BATCH, NUMBERS // (sum(sizes) * max(sizes))))
        self.held, self.leaves, self.bound = question.set.to_json(), 0, Fraction(0)

    def come_first(self) -> bool:
        """Whether splitting is likely to be the fastest proof: there is neither a ball nor pairs of
        units, which make other bounds tight, the network is small, and many units are open.
        """
        network, inputs = self.question.network, self.question.inputs
        small = sum(weight.size for weight, _ in self.layers) <= SMALL
        if inputs.centre is not None or network.pairs or not small:
            return False
        found = zonotopes(self.layers, inputs.lower[None], inputs.upper[None])
        return bool(found.open[0] > OPEN)

    def attack(self) -> Point | None:
        """A counterexample, if descent finds one: at each point the network is taken to be affine
        nearby, where all goals of a group are made small at once.
        """
        lower, upper = self.question.inputs.lower, self.question.inputs.upper
        radius, step = (upper - lower) / 2, STEP
        points = lower + (upper - lower) * np.random.default_rng(0).random((STARTS, len(lower)))
        for _ in range(DESCENTS):
            near = self.affine(points, step * radius)
            worst, least = self.worst(near.centre)
            if least.min() <= 0 and (witness := self.replay(points[least.argmin()])):
                return witness
            moves = np.stack([near.best(group)[2] for group in self.groups], axis=1)
            points = points + step * radius * moves[range(STARTS), worst]
            points, step = np.clip(points, lower, upper), step * SHRINK
        return None

    def affine(self, points: Array, radius: Array) -> Zonotopes:
        """The affine functions that the goals are near points (n, d), on boxes around them."""
        slopes = np.broadcast_to(np.diag(radius), (len(points), len(radius), len(radius)))
        for weight, bias in self.layers[:-1]:
            z = points @ weight.T + bias
            points, slopes = np.maximum(z, 0), (slopes @ weight.T) * (z > 0)[:, None, :]
        weight, bias = self.layers[-1]
        return Zonotopes(points @ weight.T + bias, slopes @ weight.T, np.zeros(len(points)))

    def worst(self, values: Array) -> tuple[Array, Array]:
        """The group whose greatest goal is least, and how great that is, for each row."""
        greatest = np.stack([values[:, group].max(axis=1) for group in self.groups], axis=1)
        return greatest.argmin(axis=1), greatest.min(axis=1)

    def run(self) -> dict[str, Any] | Point:
        """A proof by input splitting, as certificates hold it, which the checker has seen box by
        box, or a counterexample; raises `Undecided`.
        """
        found = self.search()
        if isinstance(found, tuple):
            return found
        return {"verdict": "proved", "bound": str(self.bound), **self.aims, "boxes": found}

    @property
    def aims(self) -> dict[str, Any]:
        """What is proved, unless all goals are: groups, by outputs."""
        if not self.mixed:
            return {}
        outputs = [k for k in range(len(self.question.constants) + 1) if k != self.question.label]
        return {"groups": [outputs[group] for group in self.groups]}

    def accepts(self, leaf: dict[str, Any], lower: Array, upper: Array) -> bool:
        """Whether the checker finds a positive bound on a box."""
        low, high = (
            [
                whole if value == end else self.whole(value)
                for value, end, whole in zip(side, ends, self.held[name], strict=True)
            ]
            for name, side, ends in (
                ("lower", lower, self.question.inputs.lower),
                ("upper", upper, self.question.inputs.upper),
            )
        )
        head = {"label": self.question.label, "scale": self.held["scale"], **self.aims}
        query = {**head, "lower": low, "upper": high, "boxes": leaf}
        bound: Fraction = least_margin(self.question.network.exact, query)
        if bound > 0:
            self.bound = min(self.bound, bound) if self.leaves else bound
            self.leaves += 1
        return bound > 0

    def search(self) -> dict[str, Any] | Point:
        """A tree of splits, or a counterexample; raises `Undecided`."""
        tree: dict[str, Any] = {}
        inputs = self.question.inputs
        stack = [(tree, inputs.lower, inputs.upper)]
        while stack:
            if time.monotonic() > self.end:
                raise Undecided(
                    f"time limit, with {self.leaves} boxes proved and {len(stack)} open"
                )
            nodes, lowers, uppers = zip(*stack[-self.batch :], strict=True)
            del stack[-self.batch :]
            lower, upper = np.array(lowers), np.array(uppers)
            found = zonotopes(self.layers, lower, upper)
            bounds, mixes, lowest = zip(*map(found.best, self.groups), strict=True)
            closed = np.array((np.stack(bounds, axis=1) > 0).all(axis=1))
            for i in np.flatnonzero(closed):
                mix = {"mix": [[int(v * ONE) for v in rows[i]] for rows in mixes]}
                leaf = mix if self.mixed else {}
                closed[i] = time.monotonic() < self.end and self.accepts(leaf, lower[i], upper[i])
                nodes[i].update(leaf if closed[i] else {})
            left = np.flatnonzero(~closed)
            if len(left) == 0:
                continue
            lower, upper = lower[left], upper[left]
            worst = np.stack(bounds, axis=1)[left].argmin(axis=1)
            noise = np.stack(lowest, axis=1)[left, worst][:, : lower.shape[1]]
            if witness := self.try_points(((upper - lower) * noise + lower + upper) / 2):
                return witness
            least = self.worst(found.centre - np.abs(found.noises).sum(axis=1))[1][left]
            places, middles = self.places(lower, upper, least)
            for i, j, at, a, b in zip(left, places, middles, lower, upper, strict=True):
                if not a[j] < at < b[j]:
                    raise Undecided("a box that cannot be split stays undecided")
                below, above = b.copy(), a.copy()
                below[j] = above[j] = at
                nodes[i].update(input=int(j), at=self.whole(at), below={}, above={})
                stack += [(nodes[i]["below"], a, below), (nodes[i]["above"], above, b)]
        return tree

    def try_points(self, points: Array) -> Point | None:
        """The first point that is a counterexample."""
        values = self.worst(self.affine(points, np.zeros(points.shape[1])).centre)[1]
        for i in np.flatnonzero(values <= 0):
            if witness := self.replay(points[i]):
                return witness
        return None

    def whole(self, value: float) -> int:
        """A place of a split as certificates hold it."""
        return int(Fraction(float(value)) * 2**self.question.set.scale)

    def places(self, lower: Array, upper: Array, least: Array) -> tuple[Array, Array]:
        """For each box the input whose split helps most, and where to split it: all are tried.

        least (b,): the bound of a box without mixes, as the halves' ones.
        """
        count, inputs = lower.shape
        wide = np.flatnonzero((upper > lower).any(axis=0))
        halves = np.ldexp(np.rint(np.ldexp((lower + upper) / 2, GRID - 4)), 4 - GRID)
        low, high = (np.tile(side[:, None], (1, len(wide), 1)) for side in (lower, upper))
        above, below = low.copy(), high.copy()
        above[:, range(len(wide)), wide] = below[:, range(len(wide)), wide] = halves[:, wide]
        sides = np.concatenate([low, above]), np.concatenate([below, high])
        parts = zonotopes(self.layers, *(side.reshape(-1, inputs) for side in sides))
        halved = self.worst(parts.centre - np.abs(parts.noises).sum(axis=1))[1]
        gain = np.minimum(halved, 0).reshape(2, count, len(wide)).sum(axis=0)
        root = self.question.inputs
        width = (upper - lower)[:, wide] / (root.upper - root.lower)[wide]
        stuck = gain.max(axis=1, initial=-np.inf) <= 2 * (1 - HELP) * np.minimum(least, 0)
        narrow = np.where(width > 0, width, np.inf).min(axis=1, initial=np.inf)
        stuck |= narrow < THIN * width.max(axis=1, initial=0)
        gain = np.where(stuck[:, None], width, np.where(width > 0, gain, -np.inf))
        best = wide[gain.argmax(axis=1)] if len(wide) else np.zeros(count, dtype=np.int64)
        return best, halves[range(count), best]


def decide_by_splitting(question: Question, end: float) -> tuple[dict[str, Any], int] | None:
    """A query with its proof or counterexample, and how many boxes are proved; None if splitting
    does not come first, or does not decide in its share of the time until `end`.
    """
    splitting = InputSplitting(question, None, question.replay, share_of(end))
    inputs, weights = len(question.inputs.lower), sum(w.size for w, _ in splitting.layers)
    swept = inputs == 1 and weights <= SWEPT
    if inputs > FEW_INPUTS or swept or not splitting.come_first():
        return None
    try:
        found = splitting.attack() or splitting.run()
    except Undecided:
        return None
    if isinstance(found, tuple):
        return question.refuted(found), splitting.leaves
    return question.query(found), splitting.leaves


def share_of(end: float) -> float:
    """Until when input splitting may take, of the time that there is until `end`."""
    return end - (1 - SPLITTING_SHARE) * (end - time.monotonic())
