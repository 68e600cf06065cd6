"""Every public result speaks: two lines, a table, a dictionary; one of each against a golden file.

After a change that is meant, `CGRO_GOLDEN=write pytest tests/test_results.py` writes the file anew.
"""

import dataclasses
import html
import inspect
import json
import math
import os
import re
import typing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import analysis
import constructions
import training
from analysis.behaviour.errors import RobustError
from analysis.comparison.result import (
    ModelErrors,
    ModelResult,
    SmallMargin,
    SplitErrors,
    TaskResult,
    ZoneCounts,
)
from analysis.studies.answers import Facts, Profile, Radial
from analysis.studies.recorded import Data, Rates, Recorded, RunRecord
from analysis.studies.study import Constructed, RunStudy
from constructions import Ball, Engine, ReLUNetwork, Result
from constructions.basics.result import BRIEF, WIDTH, plain
from constructions.internal import Unpacked, said

GOLDEN = Path(__file__).parent / "golden" / "results.txt"

THINGS = {
    *("Affine", "Attack", "Ball", "Block", "Conjunct", "Constant", "Constraint", "Dataset"),
    *("Dense", "Engine", "Identity", "Integers", "Kron", "MixedLearner", "PatchData", "Property"),
    *("ReLUNetwork", "SeparableData", "Sparse", "Unknown", "WideNetwork"),
}
"""Public dataclasses that are no results but what one works with: they print in one short line."""

SETTINGS = {
    *("CompareSettings", "OutcomeProgress", "PatchConfig", "Progress", "StudySettings"),
    *("TrainingConfig", "TrainingProgress"),
}
"""Public dataclasses that are told to functions, or to a report of progress."""


SIDES = ("lower", "upper")


def public_classes():
    """Classes with fields in the packages' roots, and in what the roots' functions return."""
    found = set()
    for package in (constructions, training, analysis):
        for value in (getattr(package, name) for name in package.__all__):
            if inspect.isclass(value):
                found.add(value)
            elif inspect.isfunction(value):
                hints = typing.get_type_hints(inspect.unwrap(value))
                found |= set(parts_of(hints.get("return")))
    return {kind for kind in found if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields")}


def parts_of(hint):
    """The classes in an annotation such as list[tuple[int, X | None]]."""
    if inspect.isclass(hint) and not typing.get_args(hint):
        yield hint
    for part in typing.get_args(hint):
        yield from parts_of(part)


# -- one of each -----------------------------------------------------------------------------------

SHARE = analysis.Measured.share
ESTIMATE = analysis.Measured(0.5, "estimate", None, 8, (0.25, 0.75))
GAP = analysis.Measured(0.25, "estimate", interval=(-math.inf, 0.5))
POINTS, LABELS, BALL = [[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball("inf", 0.125)
CLEAN = constructions.affine([[4.0, 0.0]], [-2.0])
SQUARING = constructions.squaring(3)


def of_constructions():
    regions = constructions.linear_regions(SQUARING, (0, 1), pieces=True, arithmetic="integers")
    return [
        constructions.bit_budget(SQUARING, 8),
        *constructions.capacity_table([2], 0.25),
        constructions.CapacityGrowth(0.0, 1.0, 1.5, 0.25),
        *constructions.contracts(constructions.copies(5, SQUARING)),
        constructions.interval_bounds(CLEAN, ([[0.0, 0.0]] * 3, [0.5, 1.0])),
        constructions.separated_set(2, 0.25, [1, -1]),
        constructions.pairs_within([[0.0], [0.125], [1.0]], [1, 1, -1], Ball("inf", 0.25)),
        constructions.contract(SQUARING),
        constructions.count_table([2], [4], variants=[])[0],
        *constructions.interpolation_table([(4, 4)]),
        SQUARING.provenance.lemma,
        constructions.level_set(SQUARING, (0, 1), level=0.25),
        constructions.topology(SQUARING, (0, 1), level=0.25),
        regions,
        regions.regions[0],
        constructions.count_regions(SQUARING, (0, 1)),
        constructions.Origin("module", "0123456789abcdef", 26, rounded=("weight",)),
        constructions.f_S(CLEAN, POINTS, LABELS, BALL).provenance,
        SQUARING.provenance,
        constructions.separation(POINTS, LABELS),
        constructions.memorization_bound(2000, 64, 0.99),
        constructions.shattered_set(4, 2, 0.0625),
        SQUARING.size,
    ]


def toy_run():
    measured = {"points": 4, "accuracy": 0.75, "robust_accuracy": 0.5}
    final = {"epoch": 1, "train": measured, "test": measured}
    config = training.TrainingConfig(radius=0.125)
    return training.Run(Path("runs/toy"), config, {"data": {"name": "toys"}}, [], final)


def toy_data():
    points, labels = torch.tensor([[0.25], [0.75]]), torch.tensor([-1, 1])
    return training.Dataset.from_tensors(points, labels, points, labels)


def of_training():
    run, data = toy_run(), toy_data()
    model = training.MemorizingModel(
        torch.nn.Linear(1, 1), data.train_points, data.train_labels, BALL, 0.5
    )
    network = training.two_layer_network(2, 4)
    told = training.PatchConfig(d=4, N=2, P=3, m=2)
    names = ("clean_train", "robust_train", "clean_test", "robust_test")
    curves = {name: np.array([1.0, 0.5]) for name in names}
    patches = training.PatchData.sample(2, 4, 3, 0)
    lazy = {"loss": np.array([0.5, 0.25]), "distance": np.array([[0.0], [2.0]])}
    return [
        training.ConstrainedTraining(run, CLEAN, torch.tensor([True, False]), run, model, data),
        training.Evaluation(4, "pgd3", 0.75, 0.5, 0.5),
        training.LazyRun(
            network,
            torch.tensor([1]),
            0.5,
            **lazy,
            gradient=np.zeros(2),
            attacked=torch.zeros(2, 1, 2),
            weights=network.initial,
            best=network.initial,
        ),
        training.LinearRun(np.array([0, 8]), torch.zeros(2, 3), np.array([0.0, -0.5])),
        training.MaxMargin(torch.tensor([1.0, 0.0]), 0.5, 0.625),
        training.PatchRun(told, curves, torch.zeros(2, 4), patches),
        training.PatchErrors(0.0, 0.25, 0.0, 0.5),
        training.sphere_data(4, 3, 0.1),
        run,
        training.Trial(training.TrainingConfig(), Path("runs/toy"), "ValueError: a\nb"),
    ]


def toy_comparison():
    found = SplitErrors(SHARE(1, 4), SHARE(2, 4, "certified lower bound"))
    model = ModelResult("a toy", CLEAN.size, ModelErrors(found, found))
    f = constructions.f_S(CLEAN, POINTS, LABELS, BALL)
    proof = analysis.certify_memorization(f, POINTS, LABELS, BALL)
    counts = SmallMargin(2, 1, 1), ZoneCounts(1, 2, 1)
    task = TaskResult(
        *("parity", 1, 2, 8, 4, 4, "nowhere", 0.5, 0.5, 0.25, proof, *counts, 0),
        models={"f_clean": model},
        agreement={},
        flatness={},
        seconds=0.5,
    )
    return analysis.Comparison(analysis.CompareSettings(), [task], {})


def of_analysis():
    net, tensor = constructions.affine([[1.0, -1.0]]), torch.tensor
    f = constructions.f_S(CLEAN, POINTS, LABELS, BALL)
    claim = analysis.Claim("cgrm-lemma-0.0", "one is one", "holds")
    check = analysis.Check("1 <2> & 3", SHARE(3, 12), "= 0.25", True)
    (cost,) = analysis.memorization_costs(POINTS, LABELS, 2, [0.5])
    profile = Profile([0.125, 0.25], *[[ESTIMATE] * 2] * 3, SHARE(1, 4), None)
    end = Recorded(1, {"test": Rates(4, 0.75, 0.5, "pgd3")})
    record = RunRecord(Data("digits", "nowhere", "0" * 64, (2,), 8, 4), [end], end, ["0" * 64])
    run = RunStudy(toy_run(), record, "toy", 1234, {1: {"test": profile}}, {1: GAP})
    facts, zones = Facts(2, "proved", 0.5, 0.25, {"f_S": 19}), {"by zone": {"inside": SHARE(4, 4)}}
    built = Constructed("toy", "clean", facts, {}, {}, zones, Radial([], {}), {})
    unsafe = constructions.Property.robust([0.75, 0.25], BALL, 1, 1)
    margins = tensor([[0.25, 0.5], [0.0, 1.0]])
    bound = analysis.Measured(0.75, "certified upper bound")
    flat = analysis.FlatnessProfile([0.0, 0.125], margins, margins, margins > 0.75, "exact")
    comparison = toy_comparison()
    return [
        analysis.BoundaryDistances(
            tensor([0.125, 0.25]),
            "empirical upper bound",
            tensor([[0.5]] * 2),
            tensor([0.0625] * 2),
        ),
        analysis.certify(net, [0.75, 0.25], BALL, 1),
        analysis.Certification("refuted", None, (Fraction(1, 2), Fraction(1, 3)), Fraction(-1, 3)),
        analysis.Certification("unresolved", reason="max_seconds = 1 is over"),
        check,
        claim,
        comparison,
        *comparison.tasks,
        comparison.tasks[0].models["f_clean"],
        cost,
        analysis.decide(net, unsafe),
        analysis.DirectionRate(np.ones((2, 3)), ESTIMATE),
        analysis.ErrorsByMargin(SHARE(1, 4), SHARE(0, 4)),
        analysis.FlatnessBounds(*[flat] * 2),
        analysis.FlatnessBounds(*(replace(flat, kind=f"certified {s} bound") for s in SIDES)),
        replace(flat, kind="empirical lower bound"),
        analysis.GeneralizationBound(
            bound, {"training error": 0.25, "gap": 0.5}, {"failure": 0.25}, 1.0
        ),
        analysis.Inequality("Lemma 0.0", "u <= c", 0.5, True, False),
        analysis.Inspection(SQUARING),
        analysis.BoundaryDistance(Fraction(1, 8), math.inf, 1),
        analysis.check_certificate(
            analysis.certify(
                constructions.affine([[1.0]]), [0.5], constructions.Ball("inf", 0.25), 1
            )
        ),
        analysis.KernelInterpolant(torch.eye(2), *[torch.ones(2)] * 2, "relu", 0.5, 2.0, 0.0),
        SHARE(3, 12),
        analysis.certify_memorization(f, POINTS, LABELS, BALL),
        analysis.certify_memorizer(
            constructions.nearest_neighbour(POINTS, LABELS, BALL), POINTS, LABELS, BALL
        ),
        analysis.MemorizationShare(
            None, *[ESTIMATE] * 3, GAP, torch.ones(1), tensor([True, False])
        ),
        analysis.Outcome(claim, (check,), "", 0.5),
        analysis.Phases(3, None, None, (4.0, 8.0), None, False),
        analysis.Regret(*(analysis.Measured(v, "exact", total=8) for v in (0.25, 0.5, 0.125))),
        RobustError(
            SHARE(1, 4, "certified lower bound"), bound, torch.zeros(4, 1), torch.ones(4) > 0
        ),
        analysis.SampledKernel(torch.ones(2, 3), torch.ones(2, 3) / 8),
        analysis.ShareBounds(SHARE(1, 4, "certified lower bound"), None),
        analysis.ShareBounds(SHARE(1, 4, "certified lower bound"), bound),
        analysis.Shares("label agreement", {"inside": SHARE(3, 4), "outside": ESTIMATE}),
        analysis.Study(analysis.StudySettings(points=8), [run], [built], [("runs/a", "no run")]),
        profile,
        run,
        built,
        analysis.sup_error(SQUARING, "x**2", (0, 1)),
    ]


RESULTS = of_constructions() + of_training() + of_analysis()
each = pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)


def told(result):
    """What a result shows, as one paragraph of the golden file."""
    cells = re.sub(r"</t[dr]>|</p>", " | ", result._repr_html_())
    seen = html.unescape(re.sub(r"<[^>]*>", "", cells)).partition("\n")[0]
    lines = [repr(result), f"  html: {seen.strip(' |')}", f"  keys: {', '.join(result.to_dict())}"]
    return re.sub(r"seconds [|]? ?[\d.e-]+", "seconds ...", "\n".join(lines))


def test_what_results_show_is_in_the_golden_file():
    text = "\n\n".join(told(result) for result in RESULTS) + "\n"
    if os.environ.get("CGRO_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_every_public_class_with_fields_is_a_result_or_listed():
    shown = {type(result) for result in RESULTS}
    missing = {kind for kind in public_classes() if kind not in shown}
    assert {kind.__name__ for kind in missing} == THINGS | SETTINGS


@each
def test_a_result_is_a_frozen_dataclass_with_the_repr_of_its_base(result):
    kind = type(result)
    assert isinstance(result, Result)
    assert dataclasses.is_dataclass(kind) or isinstance(result, analysis.SupError)
    if kind not in (training.Run, analysis.SupError):  # a run goes on
        assert kind.__dataclass_params__.frozen
    if kind is not analysis.Measured:
        assert kind.__repr__ is Result.__repr__
        assert repr(result).startswith(f"{kind.__name__}: ")


@each
def test_a_result_prints_in_two_lines_of_bounded_length(result):
    lines = repr(result).splitlines()
    assert 1 <= len(lines) <= 2
    assert max(map(len, lines)) <= WIDTH


@each
def test_a_result_is_a_dictionary_for_json(result):
    values = result.to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert " object at 0x" not in json.dumps(values)


def test_html_is_escaped():
    check = analysis.Check("<b>&</b>", SHARE(1, 2), "<= 1", True)
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in check._repr_html_()
    assert "&lt;= 1" in check._repr_html_()
    assert "<b>" not in check._repr_html_()


# -- numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [1 / 3, -1 / 3, 1e-300, 123456.75, Fraction(2, 3**30), 10**20 + 1]
)
def test_printed_bounds_are_bounds(value):
    low = Fraction(said(value, "certified lower bound").text.removeprefix(">= "))
    high = Fraction(said(value, "empirical upper bound").text.removeprefix("<= "))
    assert low <= Fraction(value) <= high
    assert high - low <= abs(Fraction(value)) * Fraction(1, 10**5)


def test_shares_in_percent_are_bounds_too():
    assert str(SHARE(1, 3, "certified lower bound")) == ">= 33.33% (certified bound, 1 of 3)"
    assert str(SHARE(1, 3, "certified upper bound")) == "<= 33.34% (certified bound, 1 of 3)"
    assert str(SHARE(1, 3)) == "33.33% (exact, 1 of 3)"


def test_what_is_not_finite_is_said():
    assert str(said(math.nan, "estimate")) == "nan (estimate)"
    assert plain([math.nan, np.float32(-np.inf), torch.tensor([math.inf])]) == [
        "nan",
        "-inf",
        ["inf"],
    ]


# -- things ----------------------------------------------------------------------------------------


def things():
    constant, identity = constructions.Constant(2, 2), constructions.Identity(3)
    big = constructions.f_S(CLEAN, POINTS, LABELS, BALL)
    read = ReLUNetwork.from_module(torch.nn.Linear(64, 10))
    exact = constructions.Property.robust(np.zeros(784), BALL, 0, 10)
    learner = training.MixedLearner(torch.ones(3), torch.ones(2, 3), torch.ones(2), 0.5)
    data = training.SeparableData.sample(4, 8, 0, 4.0), training.PatchData.sample(4, 8, 3, 0)
    matrices = [constant, identity, constructions.Kron(constant, identity), big.layers[0].weight]
    matrices += [constructions.Unknown(2, 3), constructions.Dense(torch.ones(30, 30))]
    matrices += [constructions.Sparse((9, 9), *torch.tensor([[1], [2]]), torch.ones(1))]
    return [
        *matrices,
        *(big, read, SQUARING, big.layers[0], BALL, learner, *data, toy_data(), exact),
        *(training.Attack.parse("pgd50x10"), training.two_layer_network(3, 8)),
        Engine(jobs=2, device="cpu", journal="a" * 200),
    ]


@pytest.mark.parametrize("thing", things(), ids=lambda thing: type(thing).__name__)
def test_things_print_in_a_short_line(thing):
    assert len(repr(thing)) <= BRIEF
    assert "\n" not in repr(thing)
    assert " object at 0x" not in repr(thing)


def test_unpacked_results_are_tuples_of_their_fields():
    bounds = analysis.BoundaryDistance(Fraction(1, 8), Fraction(1, 4))
    lower, upper = bounds
    assert (lower, upper) == bounds == (bounds[0], bounds[-1])
    assert bounds != (lower, lower)
    assert isinstance(bounds, Unpacked)
    assert len({bounds, analysis.BoundaryDistance(*bounds)}) == 1


def test_results_that_were_dictionaries_still_are_with_a_warning():
    growth = constructions.CapacityGrowth(0.0, 1.0, 1.5, 0.25)
    with pytest.warns(DeprecationWarning, match=r"\['lower'\] of CapacityGrowth is its attribute"):
        assert growth["lower"] == growth.lower
    with pytest.warns(DeprecationWarning, match="CapacityGrowth"):
        assert dict(**growth) == growth.to_dict() == growth
    assert list(growth) == ["clean", "cgro", "robust", "lower"]
    assert growth == replace(growth) != replace(growth, lower=0.5)
    with pytest.raises(KeyError, match="upper"):  # what never was there is no old name
        growth["upper"]


def test_shares_are_the_mapping_of_them():
    shares = analysis.Shares("agreement", {"inside": SHARE(3, 4)})
    assert dict(shares) == {"inside": SHARE(3, 4)} == shares
    assert (shares["inside"], len(shares)) == (SHARE(3, 4), 1)
