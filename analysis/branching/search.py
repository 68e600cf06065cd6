"""The search for a counterexample, or for a certificate that a margin is positive on a set.

It works in floats and is not relied upon: a certificate says what was found, and
`check_certificate` whether that is so.
"""

from __future__ import annotations

import math
import time
from fractions import Fraction
from typing import Any

from ..checkers import check_certificate as checker
from ..search.attack import attack
from ..search.bounding import BROKEN
from ..search.breakpoints import sweep
from ..search.facts import facts
from ..search.layers import Bounded, bound_layers
from ..search.leaves import Leaf
from ..search.question import Question, Undecided
from ..search.tree import Prover
from .branching import Branching, Node
from .parts import Goal
from .unfolding import Unfolding

SHARE = 0.25
"""The share of the time that branching by bounds may take (to write down and check what it finds
takes some three times as long), and linear programs where they come first.
"""

FEW = 60
"""With so few open units linear programs are tried first."""

SPARES = (0.3, 0.03)
"""Shares of its slack that a leaf may lose by bounds that are left out: the next is tried where the
checker rejects what is left.
"""

LESS = 13
"""The bound that is claimed is by so many powers of 2 less than the least slack of a leaf."""


class Search:
    """The search for an answer to one question; `leaves` are the parts proved so far."""

    def __init__(self, question: Question, max_seconds: float) -> None:
        self.question, self.end = question, time.monotonic() + max_seconds
        self.leaves = 0

    def run(self) -> dict[str, Any]:
        """A query, as certificates hold it, with its proof. Where it has a bound, the checker gave
        it; else it has not seen the proof yet. Raises `Undecided`, and what is in `BROKEN` where
        floats fail.
        """
        question = self.question
        if witness := attack(question):
            return question.refuted(witness)
        if len(question.inputs.lower) == 1:
            return sweep(question, self.end)
        bounded = bound_layers(question, self.end)
        if sum(int(((a.low < 0) & (a.high > 0)).sum()) for a in bounded.layers) <= FEW:
            try:
                return self.by_programs(bounded, self.share())
            except Undecided:
                pass
        return self.by_bounds(bounded) or self.by_programs(bounded, self.end)

    def share(self) -> float:
        """When a share of the time that is left is over."""
        now = time.monotonic()
        return now + SHARE * (self.end - now)

    def by_programs(self, bounded: Bounded, end: float) -> dict[str, Any]:
        """An answer by linear programs, part by part."""
        leaves: list[Leaf] = []
        prover, trees = Prover(self.question, bounded, leaves, end), []
        for form, constant in zip(bounded.forms, self.question.constants.tolist(), strict=True):
            try:
                found = prover.prove(form, constant)
            finally:
                self.leaves = len(leaves)
            if isinstance(found, tuple):
                return self.question.refuted(found)
            trees.append(found)
        return self.question.proved(facts(bounded, leaves), trees)

    def by_bounds(self, bounded: Bounded) -> dict[str, Any] | None:
        """By bounds of many parts at once: a counterexample, evaluated exactly, a proof that the
        checker has accepted, or None.
        """
        question, end = self.question, self.share()
        if question.network.pairs or not bounded.layers:
            return None
        found: list[tuple[Goal, Node]] = []
        try:
            for form, constant in zip(bounded.forms, question.constants.tolist(), strict=True):
                prover = Prover(question, bounded, [], end)
                branching = Branching(question, bounded, prover, form, constant, end)
                root = branching.prove()
                self.leaves += branching.leaves
                if isinstance(root, tuple):
                    return question.refuted(root)
                found.append((branching.goal, root))
        except (Undecided, *BROKEN):
            return None
        for spare in SPARES:
            if time.monotonic() > self.end:
                break
            unfolding = Unfolding(bounded, question.inputs, spare)
            trees = [unfolding.tree(goal, root) for goal, root in found]
            bound = Fraction(2) ** (math.frexp(unfolding.slack)[1] - LESS)
            rests = facts(bounded, unfolding.programs, unfolding.used)
            query = question.proved(rests, trees) | {"bound": str(bound)}
            if unfolding.targets:
                query["targets"] = unfolding.targets
            try:
                proved = checker.least_margin(question.network.exact, query)
            except BROKEN:
                continue
            if proved >= bound:
                return query | {"bound": str(proved)}
        return None
