"""Decisions by input splitting against exact vertices, on ties and on boxes that are points."""

import itertools
import time
from fractions import Fraction

import numpy as np
import pytest

from analysis import certify_box, decide
from analysis.checkers import check_certificate as checker
from analysis.search.prepared import prepare
from analysis.search.question import Question, Undecided
from analysis.search.sets import ExactSet
from analysis.splitting.splitting import InputSplitting, count_boxes
from constructions import Property, ReLUNetwork, linear_regions


def random_network(seed, widths):
    generator = np.random.default_rng(seed)
    layers = [
        (generator.integers(-8, 9, (b, a)) / 4.0, generator.integers(-4, 5, b) / 4.0)
        for a, b in itertools.pairwise(widths)
    ]
    return ReLUNetwork.from_layers(layers)


def exact_least(network, lower, upper):
    """The least output on a box, exactly: at a vertex of a region."""
    found = linear_regions(network, (lower, upper), arithmetic="integers")
    assert found.complete
    return min(network.exact(list(vertex))[0] for vertex in found.vertices)


def splitting_of(network, exact_set, seconds=5.0):
    question = Question(prepare(network), exact_set, 1)
    return question, InputSplitting(question, None, question.replay, time.monotonic() + seconds)


@pytest.mark.parametrize("seed", range(30))
def test_splitting_agrees_with_vertices(seed):
    generator = np.random.default_rng(seed)
    inputs = int(generator.integers(1, 3))
    network = random_network(seed, [inputs, *generator.choice([2, 4, 8], 2).tolist(), 1])
    least = exact_least(network, [-1.0] * inputs, [1.0] * inputs)
    for gap in (Fraction(1, 64), Fraction(0), Fraction(-1, 64)):  # the least margin; 0 is an error
        *hidden, last = network.layers
        weight, bias = last.weight.to_dense().numpy(), last.bias.to_dense()[:, 0].numpy()
        moved = Fraction(float(bias[0])) - least + gap
        shift = float(moved)
        true = least - Fraction(float(bias[0])) + Fraction(shift)
        arrays = [(a.weight.to_dense().numpy(), a.bias.to_dense()[:, 0].numpy()) for a in hidden]
        shifted = ReLUNetwork.from_layers([*arrays, (weight, np.array([shift]))])
        box = ExactSet([Fraction(-1)] * inputs, [Fraction(1)] * inputs)
        question, splitting = splitting_of(shifted, box, 0.5 if gap == 0 else 20.0)
        try:
            found = splitting.attack() or splitting.run()
        except Undecided:
            assert gap == 0
            continue
        if isinstance(found, tuple):
            assert question.margin(found) <= 0
            assert true <= 0
        else:
            query = question.query(found)
            assert 0 < Fraction(query["bound"]) <= true
            assert not checker.check(question.network.exact, query)
            assert count_boxes(query["boxes"]) == splitting.leaves


@pytest.mark.parametrize("value", [Fraction(1, 3), Fraction(1, 2), Fraction(0)])
def test_points(value):
    network = random_network(1, [2, 6, 6, 1])
    exact = network.exact([value, value])[0]
    question, splitting = splitting_of(network, ExactSet([value] * 2, [value] * 2))
    try:
        found = splitting.attack() or splitting.run()
    except Undecided:
        pytest.fail("a point needs no split")
    assert isinstance(found, tuple) == (exact <= 0)
    if exact <= 0:
        assert question.margin(found) == exact


def test_many_open_units_are_split_and_ties_are_errors():
    generator = np.random.default_rng(0)
    first = generator.normal(size=(40, 2))
    second = np.abs(generator.normal(size=(1, 40)))
    layers = [(first, np.zeros(40)), (second, np.array([2.0**-6]))]
    found = certify_box(ReLUNetwork.from_layers(layers), ([-1.0, -1.0], [1.0, 1.0]), 1)
    assert found.verdict == "proved"
    assert 0 < found.bound <= Fraction(1, 64)
    tie = [(first, np.zeros(40)), (second, np.zeros(1))]  # 0 at the origin, a vertex of 41 regions
    found = certify_box(ReLUNetwork.from_layers(tie), ([-1.0, -1.0], [1.0, 1.0]), 1, max_seconds=10)
    assert found.verdict == "refuted"


@pytest.mark.parametrize("seed", range(12))
def test_properties_agree_with_vertices(seed):
    generator = np.random.default_rng(seed)
    network = random_network(100 + seed, [2, 8, 6, 2])
    found = linear_regions(network, ([-1.0, -1.0], [1.0, 1.0]), arithmetic="integers")
    level = Fraction(float(generator.normal()) * 2)
    # y0 >= level somewhere, at a vertex of a region
    top = max(network.exact(list(vertex))[0] for vertex in found.vertices)
    asked = Property(box=([-1.0, -1.0], [1.0, 1.0]), unsafe=[([[1.0, 0.0]], [-float(level)])])
    decision = decide(network, asked, max_seconds=20)
    assert decision.result == ("sat" if top >= level else "unsat")
    if decision.certificate:
        assert not any(reason for reason, _ in checker.judge(decision.certificate))
