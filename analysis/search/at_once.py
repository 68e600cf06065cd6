"""Sets on which one bound proves each form, or that hold a counterexample where it is least."""

from __future__ import annotations

from typing import Any

from ..checkers import check_certificate as checker
from .bounding import BROKEN, Array, lower_bounds
from .facts import facts
from .layers import Bounded, bound_layers
from .leaves import Leaf, is_clear
from .question import Question

SMALL = 2**18
"""Bounds come before the search for counterexamples for networks of up to so many weights."""


def decide_at_once(question: Question, end: float) -> dict[str, Any] | None:
    """A query with the proof that one bound for each form gives, which the checker has accepted, or
    with a counterexample at a point where such a bound is least; None without either.

    end: as for `bound_layers`. Networks that are large, have pairs, or one input, are left to the
    search.
    """
    known, inputs = question.network, question.inputs
    size = sum(weight.size for weight, _ in known.arrays)
    if known.pairs or size > SMALL or len(inputs.lower) == 1:
        return None
    try:
        bounded = bound_layers(question, end)
        layers = bounded.layers
        bounds, factors = lower_bounds(bounded.forms, question.constants, layers, inputs)
        if bounds.min() > 0:
            query = one_bound_each(question, bounded, factors, bounds)
            bound = checker.least_margin(known.exact, query) if query else 0
            if query and bound > 0:
                return query | {"bound": str(bound)}
    except BROKEN:
        return None
    lowest = inputs.lowest(factors[0] @ layers[0].weight if layers else bounded.forms)
    witness = question.replay(question.least(lowest))
    return question.refuted(witness) if witness else None


def one_bound_each(
    question: Question, bounded: Bounded, factors: list[Array], bounds: Array
) -> dict[str, Any] | None:
    """A query that multipliers (t, n_i) a layer prove, which give the bounds (t,) of the forms,
    unless one is not clearly positive; the checker has not seen it.
    """
    layers, leaves = bounded.layers, []
    for form, *own, bound in zip(bounded.forms, *factors, bounds.tolist(), strict=True):
        if not is_clear(bound, form, own):
            return None
        leaves.append(Leaf(form, own, {}, False))
    return question.proved(facts(bounded, leaves), [leaf.to_json(layers) for leaf in leaves])
