"""Branch and bound by its parts: what is cut, what a leaf proves, and what ends a search."""

from fractions import Fraction

import numpy as np
import pytest
from highspy import HighsModelStatus

from analysis.branching.search import Search
from analysis.checkers import check_certificate as checker
from analysis.search import relaxation
from analysis.search.bounding import Layer
from analysis.search.facts import facts
from analysis.search.layers import bound_layers
from analysis.search.leaves import leaf_of
from analysis.search.prepared import prepare
from analysis.search.question import Question, Undecided
from analysis.search.relaxation import Relaxation, Solution, Status
from analysis.search.sets import ExactSet
from analysis.search.tree import Prover, loosest, widest
from constructions import ReLUNetwork

UNIT = ExactSet([Fraction(-1)] * 2, [Fraction(1)] * 2)


def bent(shift):
    """relu(x + y) + relu(-x - y) + relu(x - y) + relu(y - x) + shift, where signs matter."""
    first = np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    return ReLUNetwork.from_layers([(first, np.zeros(4)), (np.ones((1, 4)), np.array([shift]))])


def layer(low, high):
    n = len(low)
    units = np.arange(n)
    return Layer.of(np.eye(n), np.zeros(n), np.array(low), np.array(high), units)


def test_the_widest_open_unit_is_cut():
    layers = [layer([-1.0, 0.0, -4.0], [1.0, 9.0, 0.5]), layer([-2.0], [3.0])]
    assert widest(layers) == (1, 0)
    assert widest([layer([0.0, -3.0], [1.0, 0.0])]) is None
    assert widest([]) is None


def test_the_loosest_unit_is_that_of_the_largest_weighted_gap():
    layers = [layer([-1.0, -1.0], [1.0, 1.0])]
    point = np.array([0.0, 0.0, 0.25, 0.5])  # the inputs, then what the program has for units
    assert loosest(layers, point, [np.zeros(2)], 2) == (0, 1)
    assert loosest(layers, point, [np.array([-4.0, 0.0])], 2) == (0, 0)


class Astray:
    """A solver that once does not say how a program ended."""

    def __init__(self, solver):
        self.solver, self.restarts, self.left = solver, 0, 1

    def __getattr__(self, name):
        return getattr(self.solver, name)

    def getModelStatus(self):  # noqa: N802 - the solver's name
        self.left -= 1
        return self.solver.getModelStatus() if self.left < 0 else HighsModelStatus.kNotset

    def clearSolver(self):  # noqa: N802
        self.restarts += 1
        self.solver.clearSolver()


def test_a_program_that_went_astray_is_solved_from_the_start():
    question = Question(prepare(bent(0.5)), UNIT, 1)
    bounded = bound_layers(question, np.inf)
    program = Relaxation(bounded.layers, question.inputs)
    program.minimise(bounded.forms[0])
    expected = program.solve(10.0, 1)
    program.solver = Astray(program.solver)
    found = program.solve(10.0, 1)
    assert (found.status, program.solver.restarts) == (Status.OPTIMAL, 1)
    assert np.allclose(found.point, expected.point)
    program.solver.left = 2
    assert program.solve(10.0, 1).reason == "Not Set"


def test_a_leaf_is_what_multipliers_prove():
    question = Question(prepare(bent(0.5)), UNIT, 1)
    bounded = bound_layers(question, np.inf)
    (form,), (constant,) = bounded.forms, question.constants
    zero = [np.zeros(len(a.bias)) for a in bounded.layers]
    leaf = leaf_of(form, constant, zero, bounded.layers, {}, question.inputs)
    assert not leaf.is_empty
    assert leaf.to_json(bounded.layers) == {"leaf": [0, [], []], "goal": True}
    assert leaf_of(form, -1.0, zero, bounded.layers, {}, question.inputs) is None


def test_what_is_found_is_accepted_by_the_checker():
    rng = np.random.default_rng(3)
    first, last = (rng.normal(size=(8, 2)), rng.normal(size=8)), rng.normal(size=(1, 8))
    known = prepare(ReLUNetwork.from_layers([first, (last, np.array([12.0]))]))
    question = Question(known, UNIT, 1)
    search = Search(question, 60.0)
    query = search.run()
    assert query["verdict"] == "proved"
    bound = checker.least_margin(known.exact, query)
    assert bound > 0
    assert checker.check(known.exact, query | {"bound": str(bound)}) == ""
    assert search.leaves == str(query["trees"]).count("leaf")


def test_a_solver_that_fails_is_named(monkeypatch):
    question = Question(prepare(bent(-0.5)), UNIT, 1)
    prover = Prover(question, bound_layers(question, np.inf), [], np.inf)
    failed = Solution(Status.FAILED, reason="out of luck")
    monkeypatch.setattr(Relaxation, "solve", lambda *given: failed)
    with pytest.raises(Undecided, match="the solver of linear programs failed: out of luck"):
        prover.prove(prover.bounded.forms[0], -0.5)


def test_answers_of_the_solver_that_are_none_are_failures(monkeypatch):
    question = Question(prepare(bent(-0.5)), UNIT, 1)
    relaxation = Relaxation(bound_layers(question, np.inf).layers, question.inputs)
    relaxation.minimise(np.ones(4))
    infinite = Solution(Status.OPTIMAL, np.array([np.inf]), [])
    monkeypatch.setattr(Relaxation, "_solve", lambda *given: infinite)
    assert relaxation.solve(1.0, 1).status is Status.FAILED

    def mistaken(*given):
        raise TypeError("a mistake")

    monkeypatch.setattr(Relaxation, "_solve", mistaken)
    with pytest.raises(TypeError, match="a mistake"):
        relaxation.solve(1.0, 1)


@pytest.mark.parametrize("low", [-1.0, -0.25])
def test_pairs_that_make_a_maximum_are_bounded_tightly(low, monkeypatch):
    """max(|u|, |v|) <= 1 for -1 <= u, v <= 1, or where u is cut at one side, by one program."""
    first = np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 0.0]])
    bias, last = np.array([0.0, 0.0, 2.0]), np.array([[-1.0, -1.0, 1.0]])
    network = ReLUNetwork.from_layers([(first, bias), (last, np.array([1.0 + 2.0**-10 - 2.0]))])
    box = ExactSet([Fraction(low), Fraction(-1)], [Fraction(1), Fraction(1)])
    question = Question(prepare(network), box, 1)
    assert question.network.pairs == [(0, 1)]
    bounded, least = bound_layers(question, np.inf), []
    for rows in (relaxation.PAIRED, relaxation.PAIRED[:-1]):
        monkeypatch.setattr(relaxation, "PAIRED", rows)
        program = Relaxation(bounded.layers, question.inputs)
        program.minimise(bounded.forms[0])
        found = program.solve(10.0, 1)
        least.append(float(bounded.forms[0] @ found.point[2:] + question.constants[0]))
    assert 0 < least[0] < 2.0**-9
    assert least[1] < -0.1
    monkeypatch.undo()
    prover = Prover(question, bounded, [], np.inf)
    tree = prover.prove(bounded.forms[0], float(question.constants[0]))
    query = question.proved(facts(bounded, prover.leaves), [tree])
    assert checker.least_margin(question.network.exact, query) > 0


def test_with_pairs_and_many_inputs_units_near_the_outputs_are_cut_first():
    def of(inputs, pairs):
        """Two layers of two open units each, the first of the inputs, which are 0."""
        first, second = layer([-1.0] * 2, [1.0] * 2), layer([-1.0] * 2, [1.0] * 2)
        octagons = [[-9.0, 9.0, -9.0, 9.0] for _ in pairs]
        rest = first.bias, first.low, first.high, first.units, pairs, octagons
        return [Layer.of(np.zeros((2, inputs)), *rest), second]

    duals = [np.array([-1.0, -1.0]), np.array([-1.0, -1.0])]
    for inputs, pairs, cut in ((2, [(0, 1)], 0), (20, [], 0), (20, [(0, 1)], 1)):
        point = np.array([*[0.0] * inputs, 0.9, 0.8, 1.0, 0.8])  # gaps of 0.9, 0.8; 0.1, 0
        assert loosest(of(inputs, pairs), point, duals, inputs) == (cut, 0)
