"""Networks with one input: their breakpoints, exactly, within a time."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from analysis import certify_box
from analysis.checkers import check_certificate as checker
from analysis.search import breakpoints as sweeping
from analysis.search.prepared import prepare
from analysis.search.question import Question, Undecided
from analysis.search.sets import ExactSet
from constructions import ReLUNetwork


def deep(*sizes, shift=0.0, seed=0):
    rng = np.random.default_rng(seed)
    layers = [
        (rng.normal(size=(b, a)) * np.sqrt(2 / a), rng.normal(size=b) * 0.3)
        for a, b in itertools.pairwise(sizes)
    ]
    layers[-1][1][0] += shift
    return ReLUNetwork.from_layers(layers)


def test_all_sign_changes_are_settled_exactly():
    network = prepare(deep(1, 6, 6, 1))
    points, margins = sweeping.settled(network.exact, [Fraction(-3), Fraction(3)], 1)
    again, units = network.exact.evaluate([[x] for x in points], 1)
    assert margins == again
    assert all(a * b >= 0 for unit in units for a, b in itertools.pairwise(unit))
    floats = sweeping.breakpoints(network.arrays[:-1], -3.0, 3.0)
    assert len(points) == len(floats) > 8
    assert np.allclose([float(x) for x in points], floats, atol=1e-9)


@pytest.mark.parametrize("end", [0.0, -1.0])
def test_the_clock_ends_a_sweep(end):
    network = prepare(deep(1, 6, 6, 1))
    with pytest.raises(Undecided, match="time limit"):
        sweeping.breakpoints(network.arrays[:-1], -3.0, 3.0, end)
    with pytest.raises(Undecided, match="time limit"):
        sweeping.settled(network.exact, [Fraction(-3), Fraction(3)], 1, end)
    question = Question(network, ExactSet([Fraction(-3)], [Fraction(3)]), 1)
    with pytest.raises(Undecided, match="time limit"):
        sweeping.sweep(question, end)


def test_many_units_of_one_input_are_proved_box_by_box():
    network = deep(1, 50, 50, 50, 1, shift=8.0)
    found = certify_box(network, (-3, 3), 1, max_seconds=30)
    assert found.verdict == "proved"
    assert "points" not in found.query
    assert checker.check(prepare(network).exact, found.query) == ""
