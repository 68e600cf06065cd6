"""Answers by bounds of many parts: accepted, right, and the same as by linear programs; and nothing
wrong where floats, attacks or memory fail.
"""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import torch
from random_questions import nodes, points_of, proved_with_facts, question_of, shifted
from slow_proofs import contains

from analysis import certify_box
from analysis.branching import branching
from analysis.branching.search import Search
from analysis.checkers import check_certificate as checker
from analysis.search.layers import bound_layers
from analysis.search.question import Undecided
from constructions import ReLUNetwork


def is_right(asked, query, rng):
    """Accepted, and contradicted by no point."""
    assert checker.check(asked.network.exact, query) == ""
    points = points_of(rng, asked)
    worst = points[asked.margins(points)[0].argmin()].tolist()
    margin = asked.margin(asked.set.nearest(worst))
    if query["verdict"] == "proved":
        assert margin >= Fraction(query["bound"]) > 0
    else:
        point = [Fraction(v) for v in query["witness"]]
        assert contains(query, point)
        assert asked.margin(point) <= 0


def other_verdict(asked, bounded):
    """That of linear programs, as the checker sees it; None where they leave it open."""
    try:
        query = Search(asked, 10.0).by_programs(bounded, np.inf)
    except Undecided:
        return None
    if query["verdict"] == "proved":
        query["bound"] = str(checker.least_margin(asked.network.exact, query))
    assert checker.check(asked.network.exact, query) == ""
    return query["verdict"]


def test_what_bounds_decide_is_accepted_and_what_linear_programs_decide():
    verdicts, facts, cuts = [], 0, 0
    for seed in range(24):
        rng = np.random.default_rng([seed, 12])
        asked = question_of(rng, 0.0)
        asked = shifted(asked, float(rng.choice([-0.01, 0.01, 0.05, 0.2])))
        bounded = bound_layers(asked, np.inf)
        query = Search(asked, 60.0).by_bounds(bounded)
        if query is None:
            continue
        is_right(asked, query, rng)
        assert other_verdict(asked, bounded) in (query["verdict"], None)
        verdicts.append(query["verdict"])
        if query["verdict"] == "proved":
            facts += any("facts" in node for node in nodes(query))
            cuts += any("unit" in node for node in nodes(query))
    assert len(verdicts) >= 18
    assert set(verdicts) == {"proved", "refuted"}
    assert min(facts, cuts) >= 3


def test_a_trained_network_is_proved_by_facts():
    asked, query = proved_with_facts()
    is_right(asked, query, np.random.default_rng(1))
    assert sum("facts" in node for node in nodes(query)) > 3
    assert len(query["targets"]) > 3
    without = {k: v for k, v in query.items() if k != "targets"}
    assert checker.check(asked.network.exact, without)
    assert not is_proved_at_once(asked)


def is_proved_at_once(asked):
    """Whether one leaf without facts is enough."""
    query = Search(asked, 10.0).by_programs(bound_layers(asked, np.inf), np.inf)
    return query["verdict"] == "proved" and "leaf" in query["trees"][0]


# -- faults ----------------------------------------------------------------------------------------


def cases():
    """(question, whether it is true): both need branching."""
    asked = proved_with_facts()[0]
    least = asked.margins(points_of(np.random.default_rng(2), asked))[0].min()
    return [(asked, True), (shifted(asked, -least - 1e-3), False)]


def check_verdicts(seconds=2.0):
    """What is decided is right and accepted; the verdicts."""
    out = []
    for asked, is_true in cases():
        network = ReLUNetwork.from_layers(asked.network.arrays)
        box = [[float(v) for v in side] for side in (asked.set.lower, asked.set.upper)]
        result = certify_box(network, box, asked.label, max_seconds=seconds)
        assert result.verdict in ("unresolved", "proved" if is_true else "refuted")
        if result.verdict != "unresolved":
            (query,) = result.certificate["queries"]
            assert checker.check(asked.network.exact, query) == ""
        out.append(result.verdict)
    return out


@pytest.mark.usefixtures("bounds_first")
def test_cases_are_decided_without_faults():
    assert check_verdicts(10.0) == ["proved", "refuted"]


def faulty(kind):
    """(what is replaced, by what)."""
    rng = np.random.default_rng(0)
    optimise, contract = branching.optimise, branching.contract

    def bounds(change):
        def optimised(*given):
            found = optimise(*given)
            return dataclasses.replace(found, bounds=change(found.bounds))

        return "branching.optimise", optimised

    def slopes(change):
        def optimised(goal, parts, *rest):
            found = optimise(goal, parts, *rest)
            alpha = [change(t) for t in found.parts.alpha]
            return dataclasses.replace(found, parts=dataclasses.replace(found.parts, alpha=alpha))

        return "branching.optimise", optimised

    def units(change):
        def contracted(*given):
            step = contract(*given)
            low, high = change(step.low, step.high)
            return dataclasses.replace(step, low=low, high=high)

        return "branching.contract", contracted

    def weights(change):
        def contracted(*given):
            step = contract(*given)
            return dataclasses.replace(step, weights=change(step.weights))

        return "branching.contract", contracted

    def failing(place, error):
        def fails(*given, **named):
            raise error

        return place, fails

    some = [Fraction(int(rng.integers(9)), 8) for _ in range(12)]
    return {
        "NaN bounds": lambda: bounds(lambda t: t * torch.nan),
        "infinite bounds": lambda: bounds(lambda t: t + torch.inf),
        "bounds that lie": lambda: bounds(lambda t: t.abs() + 1),
        "bounds that are too small": lambda: bounds(lambda t: t - 100),
        "NaN slopes": lambda: slopes(lambda t: t * torch.nan),
        "slopes beyond 1": lambda: slopes(lambda t: 5 * t + 2),
        "slopes below 0": lambda: slopes(lambda t: -t - 1),
        "NaN bounds of units": lambda: units(lambda a, b: (a * torch.nan, b * torch.nan)),
        "narrow bounds of units": lambda: units(lambda a, b: (a / 9, b / 9)),
        "bounds of units that cross": lambda: units(lambda a, b: (b + 1, a - 1)),
        "bounds of units that are all on": lambda: units(lambda a, b: (b.abs(), b.abs() + 1)),
        "weights below 0": lambda: weights(lambda t: -t),
        "huge weights": lambda: weights(lambda t: t * 1e30),
        "no weights": lambda: weights(lambda t: t * 0),
        "an attack that lies": lambda: ("search.attack", lambda *given: tuple(some)),
        "no memory for bounds": lambda: failing("branching.optimise", MemoryError("big")),
        "no memory for units": lambda: failing("branching.contract", MemoryError("big")),
        "contraction fails": lambda: failing("branching.contract", RuntimeError("device")),
        "slopes fail": lambda: failing("branching.tuned", RuntimeError("device")),
        "choice fails": lambda: failing("branching.choose", RuntimeError("device")),
        "unfolding fails": lambda: failing("search.Unfolding", ValueError("NaN")),
    }[kind]()


FAULTS = [
    "NaN bounds",
    "infinite bounds",
    "bounds that lie",
    "bounds that are too small",
    "NaN slopes",
    "slopes beyond 1",
    "slopes below 0",
    "NaN bounds of units",
    "narrow bounds of units",
    "bounds of units that cross",
    "bounds of units that are all on",
    "weights below 0",
    "huge weights",
    "no weights",
    "an attack that lies",
    "no memory for bounds",
    "no memory for units",
    "contraction fails",
    "slopes fail",
    "choice fails",
    "unfolding fails",
]


@pytest.fixture
def bounds_first(monkeypatch):
    """Linear programs do not come first, however few units are open."""
    monkeypatch.setattr("analysis.branching.search.FEW", -1)


@pytest.mark.usefixtures("bounds_first")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[pytest.mark.slow] * (i % 3 > 0)) for i, k in enumerate(FAULTS)]
)
def test_faults_lead_to_no_wrong_verdict(monkeypatch, kind):
    cases()
    (place, fault), calls = faulty(kind), []
    counted = lambda *given, **named: calls.append(0) or fault(*given, **named)  # noqa: E731
    monkeypatch.setattr(f"analysis.branching.{place}", counted)
    late = kind in ("choice fails", "unfolding fails")
    for seconds in (5.0, 20.0) if late else (0.5, 5.0):  # a busy machine gets nowhere in the first
        if not calls:
            check_verdicts(seconds)
    assert calls


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.usefixtures("bounds_first")
@pytest.mark.parametrize("size", [1e30, 1e38, 1e200])
@pytest.mark.parametrize("sign", [1, -1])
def test_weights_that_float32_does_not_hold_lead_to_no_wrong_verdict(size, sign):
    """|x| * size^2 -+ 1/2 size^2 on [1, 2]^2, or [-1, 1]^2, by two hidden layers."""
    weight = np.array([[size, 0.0], [-size, 0.0]])
    layers = [(weight, np.zeros(2)), (size * np.eye(2), np.zeros(2))]
    if size * size == np.inf:
        layers = [(weight, np.zeros(2)), (np.eye(2), np.zeros(2))]
    last = np.array([-0.5 * layers[1][0][0, 0] * size])
    network = ReLUNetwork.from_layers([*layers, (np.ones((1, 2)), last)])
    low = 1.0 if sign > 0 else -1.0
    result = certify_box(network, ([low, low], [2.0, 2.0]), 1, max_seconds=3.0)
    assert result.verdict in ("unresolved", "proved" if sign > 0 else "refuted")
