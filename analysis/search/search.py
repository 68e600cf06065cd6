"""The search for a counterexample, or for a certificate that a margin is positive on a set.

It works in float64 and is not relied upon: a certificate says what was found, and
`check_certificate` whether that is so.
"""

from __future__ import annotations

import time
from typing import Any

from .attack import attack
from .breakpoints import sweep
from .facts import facts
from .layers import bound_layers
from .leaves import Leaf
from .question import Question
from .tree import Prover


class Search:
    """The search for an answer to one question; `leaves` are the parts proved so far."""

    def __init__(self, question: Question, max_seconds: float) -> None:
        self.question, self.end = question, time.monotonic() + max_seconds
        self.leaves: list[Leaf] = []

    def run(self) -> dict[str, Any]:
        """A query, as certificates hold it, with its proof, which `check_certificate` has not seen
        yet. Raises `Undecided`, and what is in `BROKEN` where floats fail.
        """
        question = self.question
        if witness := attack(question):
            return question.refuted(witness)
        if len(question.inputs.lower) == 1:
            return sweep(question)
        bounded = bound_layers(question, self.end)
        prover = Prover(question, bounded, self.leaves, self.end)
        trees = []
        for form, constant in zip(bounded.forms, question.constants.tolist(), strict=True):
            found = prover.prove(form, constant)
            if isinstance(found, tuple):
                return question.refuted(found)
            trees.append(found)
        return question.proved(facts(bounded, self.leaves), trees)
