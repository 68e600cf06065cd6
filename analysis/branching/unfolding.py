"""A closed tree as certificates hold it, with the bounds of units on which its leaves rest.

Most bounds that the search finds are not needed. Going from the leaves to the root, `Need` says by
what share of its slack a leaf would lose at most if a bound were worse; bounds that cost little are
dropped, and those on which the others rest are needed in turn. Slopes stand once in a certificate,
as its `targets`; facts of nodes name these.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ..search.bounding import Array, Inputs, value
from ..search.facts import nothing
from ..search.layers import Bounded
from ..search.leaves import Leaf, multipliers
from .branching import Node
from .contraction import SLOPES, Contraction, Targets
from .needs import Need
from .parts import Chain, Goal, Parts, Tensor, descend, lines_of

BITS = 30
"""Multipliers of facts are rounded to this many bits: one digit of Python's integers."""

SIGNS = 1e-50
"""Shares of slack that are less stand for signs alone."""


class Unfolding:
    """Trees for a certificate, and what they rest on: bounds of the whole set that are `used`,
    leaves by linear `programs`, and `targets` of bounds in nodes. The least `slack` of a leaf.
    """

    def __init__(self, bounded: Bounded, inputs: Inputs, spare: float) -> None:
        self.bounded, self.inputs, self.spare = bounded, inputs, spare
        self.sizes = [len(a.bias) for a in bounded.layers]
        self.programs: list[Leaf] = []
        self.used = nothing(bounded)
        self.targets: list[list[Any]] = []
        self.numbers: dict[tuple[int, int, bool], int] = {}
        self.slack = math.inf

    def tree(self, goal: Goal, root: Node) -> dict[str, Any]:
        """The closed tree of one goal."""
        self.goal = goal.double()
        tree, need = self.unfold(root, 0)
        for used, linear, *sides in zip(
            self.used, self.bounded.linear, need.low, need.high, strict=True
        ):
            for k, side in enumerate(sides):  # intervals do where a sign is all that is asked
                n = len(side.share)
                told = (linear.better & (linear.known >= 0))[k * n : (k + 1) * n]
                used[k][:] |= side.share > 0
                used[k + 2][:] |= (side.share > SIGNS) | (side.share > 0) & ~told
        return tree

    def unfold(self, node: Node, above: int) -> tuple[dict[str, Any], Need]:
        """A node of the tree, and what it needs of its parent; above: contractions on the way."""
        above += len(node.rounds)
        if node.children:
            assert node.cut is not None
            k, j = node.cut
            parts = [self.unfold(child, above) for child in node.children]
            (on, first), (off, second) = parts
            first.low[k].forget(j)  # the cut gives these
            second.high[k].forget(j)
            out = {"unit": int(self.bounded.layers[k].units[j]), "on": on, "off": off}
            need = first.most(second)
        else:
            out, need = self.leaf(node)
        share = self.spare / max(1, above + height(node))
        facts: list[Any] = []
        for step, row in reversed(node.rounds):
            facts = self.facts(step, row, need, share) + facts
        return out | ({"facts": facts} if facts else {}), need

    def leaf(self, node: Node) -> tuple[dict[str, Any], Need]:
        """A leaf, and what it needs."""
        need, layers = Need.none(self.sizes), self.bounded.layers
        if node.empty is not None:
            (k, j), gap = node.empty
            for side in (need.low[k], need.high[k]):
                side.share[j], side.level[j] = 1 / gap, np.inf
            self.slack = min(self.slack, gap)
            return {"leaf": [0, [], []], "goal": False}, need
        if node.leaf is not None:  # rests on the whole set's bounds alone
            leaf, constant = node.leaf, 0.0 if node.leaf.is_empty else float(self.goal.bias)
            clipped = self.bounded.restricted(leaf.splits)
            slack = value(leaf.form, constant, clipped, leaf.factors, self.inputs)
            self.slack = min(self.slack, slack)
            self.programs.append(leaf)
            return leaf.to_json(layers), need
        assert node.parts is not None
        found, row = node.parts
        parts = one(found.parts, row)
        chains, factors = self.chain(parts, -1)
        slack = float(chains[-1].constant + self.goal.least(chains[-1].forms))
        self.slack = min(self.slack, slack)
        self.note(need, chains, factors, 1 / slack, parts)
        return {
            "leaf": multipliers(layers, [d[0].numpy() for d in factors[::-1]]),
            "goal": True,
        }, need

    def chain(self, parts: Parts, stop: int) -> tuple[list[Chain], list[Tensor]]:
        """The goal's chains from the last layer down, and the multipliers of the layers above
        `stop`.
        """
        lines = lines_of(parts)
        chains = descend(self.goal, parts, lines, stop)
        factors = [
            chain.factors(lines[k], parts.alpha[k], parts.beta[k], parts.sign[k])
            for k, chain in zip(range(len(lines) - 1, stop, -1), chains, strict=False)
        ]
        return chains, factors

    def note(
        self, need: Need, chains: list[Chain], factors: list[Tensor], share: float, parts: Parts
    ) -> None:
        """Add what the goal's chains need, from the last layer down."""
        for k, chain, d in zip(range(len(self.sizes) - 1, -1, -1), chains, factors, strict=False):
            terms = (share * chain.forms[0]).numpy(), (share * d[0]).numpy()
            need.add(k, *terms, bounds_of(parts, k), self.bounded.layers[k])

    def facts(self, step: Contraction, row: int, need: Need, limit: float) -> list[Any]:
        """The facts of one contraction that are needed, as certificates hold them; `need` becomes
        what was needed before it.
        """
        k, units = step.targets.layer, step.targets.units.numpy()
        before = one(step.before, row)
        low, high = step.low[row].double().numpy()[units], step.high[row].double().numpy()[units]
        cost = np.concatenate(
            [
                need.low[k].cost(units, before.low[k][0].numpy()[units], low),
                need.high[k].cost(units, -before.high[k][0].numpy()[units], -high),
            ]
        )
        shares = np.concatenate([need.low[k].share[units], need.high[k].share[units]])
        order = np.argsort(cost)
        kept = np.sort(order[np.cumsum(cost[order]) > limit])
        kept = kept[cost[kept] > 0]
        if len(kept) == 0:
            return []
        share = torch.from_numpy(shares[kept])
        count = len(units)
        need.low[k].forget(units[kept[kept < count]])
        need.high[k].forget(units[kept[kept >= count] - count])
        weights = step.weights[row].double()[kept]
        chains, above = self.chain(before, k - 1)
        self.note(need, chains, above, float(share @ weights), before)
        forms = (
            weights[:, None] * chains[-1].forms + step.targets.signed(self.goal.weights[k])[kept]
        )
        lines = lines_of(before)
        for i in range(k - 1, -1, -1):
            d = lines[i].factors(forms, step.targets.slopes[i].double()[kept])
            terms = (share @ forms.clamp_min(0)).numpy(), (share @ -forms.clamp_max(0)).numpy()
            need.add_by_rule(i, *terms, bounds_of(before, i), self.bounded.layers[i])
            forms = d @ self.goal.weights[i]
        return [self.fact(step, row, kept, weights, above)]

    def fact(
        self, step: Contraction, row: int, kept: Array, weights: Tensor, above: list[Tensor]
    ) -> list[Any]:
        """The bounds that are kept: numbers of targets, powers of two, the goal's multipliers, and
        those of half-spaces.
        """
        powers = weights.log2().round().int().tolist()
        rows = [d[0].numpy() for d in above[::-1]]
        known = multipliers(self.bounded.layers[step.targets.layer :], rows, BITS)
        return [self.named(step.targets, kept), powers, known, *self.halves(step, row, kept)]

    def halves(self, step: Contraction, row: int, kept: Array) -> list[Any]:
        """Multiples of z of split units, for each bound that is kept; none if all are 0."""
        signed = step.pushes[row].numpy()[kept] * step.halves.sign[row].int().numpy()
        some = np.flatnonzero(signed.any(axis=0))
        if len(some) == 0:
            return []
        units = self.bounded.layers[0].units[step.halves.units[row].numpy()[some]]
        return [[step.fine, units.tolist(), signed[:, some].tolist()]]

    def named(self, targets: Targets, kept: Array) -> list[int]:
        """The numbers of targets in the certificate; those that are new are added."""
        count, out = len(targets.units), []
        units = self.bounded.layers[targets.layer].units[targets.units.numpy()[kept % count]]
        for t, unit in zip(kept.tolist(), units.tolist(), strict=True):
            key = id(targets) if targets.layer else 0, unit, t < count
            if key not in self.numbers:
                slopes = [v for d in targets.slopes for v in (d[t] * SLOPES).int().tolist()]
                self.numbers[key] = len(self.targets)
                self.targets.append([unit, 1 if t < count else -1, slopes])
            out.append(self.numbers[key])
        return out


def bounds_of(parts: Parts, layer: int) -> tuple[Array, Array]:
    """The bounds of a layer of the one part."""
    return parts.low[layer][0].numpy(), parts.high[layer][0].numpy()


def one(parts: Parts, row: int) -> Parts:
    """One of many parts, in float64."""
    return parts.map(lambda t: t[row : row + 1].double())


def height(node: Node) -> int:
    """The most contractions on a way from below a node to a leaf."""
    return max((len(n.rounds) + height(n) for n in node.children), default=0)
