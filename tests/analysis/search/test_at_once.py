"""Queries that one bound decides, and how their proofs are written down."""

import math
from fractions import Fraction

import numpy as np
import pytest

from analysis import certify_box
from analysis.checkers import check_certificate as checker
from analysis.search.at_once import decide_at_once
from analysis.search.layers import bound_layers
from analysis.search.leaves import multiplier_rows, multipliers
from analysis.search.prepared import prepare
from analysis.search.question import Question
from analysis.search.sets import ExactSet
from constructions import ReLUNetwork, squaring

BOX = ExactSet([Fraction(-1, 8)] * 3, [Fraction(1, 8)] * 3)


def question(shift, outputs=1, seed=0):
    """About a random network 3-8-8-outputs whose first margin is about `shift`."""
    rng = np.random.default_rng(seed)
    sizes = [(8, 3), (8, 8), (outputs, 8)]
    layers = [(rng.normal(size=s) / np.sqrt(s[1]), rng.normal(size=s[0]) / 4) for s in sizes]
    layers[-1][1][0] += shift
    return Question(prepare(ReLUNetwork.from_layers(layers)), BOX, 1 if outputs == 1 else 0)


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("seed", range(5))
def test_large_margins_are_proved_at_once(outputs, seed):
    asked = question(6.0, outputs, seed)
    query = decide_at_once(asked, math.inf)
    assert query["verdict"] == "proved"
    assert len(query["trees"]) == max(1, outputs - 1)
    assert Fraction(query["bound"]) > 0
    assert checker.check(asked.network.exact, query) == ""


@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("seed", range(5))
def test_wrong_points_are_found_where_the_bound_is_least(outputs, seed):
    asked = question(-6.0, outputs, seed)
    query = decide_at_once(asked, math.inf)
    assert query["verdict"] == "refuted"
    assert checker.check(asked.network.exact, query) == ""


def test_the_search_goes_on_where_one_bound_decides_nothing(monkeypatch):
    asked = question(6.0)
    with monkeypatch.context() as patch:  # a proof that the checker does not accept
        patch.setattr(checker, "least_margin", lambda network, query: Fraction(0))
        assert decide_at_once(asked, math.inf) is None
    one = Question(prepare(squaring(2)), ExactSet([Fraction(1, 4)], [Fraction(1)]), 1)
    assert decide_at_once(one, math.inf) is None  # breakpoints give the exact bound
    assert certify_box(squaring(2), (0.25, 1.0), 1).bound == Fraction(1, 16)


def test_multipliers_are_written_down_row_by_row():
    layers = bound_layers(question(0.0), math.inf).layers
    rng = np.random.default_rng(0)
    factors = [rng.normal(size=(4, len(a.bias))) * 10.0**k for k, a in enumerate(layers)]
    factors[0][1:3], factors[1][2] = 0.0, 0.0
    rows = multiplier_rows(layers, factors, 4)
    assert rows == [multipliers(layers, [d[t] for d in factors]) for t in range(4)]
    assert rows[2] == [0, [], []]
    for (scale, units, numbers), t in zip(rows, range(4), strict=True):
        dense = np.concatenate([d[t] for d in factors])
        assert np.allclose(np.ldexp(np.array(numbers, dtype=float), -scale), dense[units])


def test_the_checkers_form_of_a_network_waits_until_it_is_asked_for():
    known = prepare(ReLUNetwork.from_layers([(np.eye(2), np.ones(2)), (np.ones((1, 2)), [0.0])]))
    assert known.starts == [0, 2, 3]
    assert not {"exact", "data", "digest"} & {*vars(known)}
    assert known.exact.starts == known.starts
