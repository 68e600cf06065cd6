"""benchmarks/peers.py: what it asks, and how it judges answers that lie."""

import importlib.util
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis import certify_box
from constructions import ReLUNetwork

SPEC = importlib.util.spec_from_file_location(
    "peers", Path(__file__).parents[1] / "benchmarks" / "peers.py"
)
peers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(peers)

LAYERS = [([[1.0], [-1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [-0.25])]
"""|x| - 1/4."""

CLASSES = [LAYERS[0], ([[1.0, 1.0], [0.0, 0.0], [2.0, 0.0]], [-0.25, 0.0, -2.5])]
"""|x| - 1/4, 0 and 2 max(x, 0) - 5/2: class 0 wins exactly where 1/4 < |x| and x < 9/4."""


def question(lower, upper, label, layers=LAYERS):
    return {"layers": layers, "lower": [lower], "upper": [upper], "label": label}


def words(asked, **answers):
    network = ReLUNetwork.from_layers(asked["layers"])
    given = {name: (*answer, 1.0) for name, answer in answers.items()}
    return peers.judge(network, asked, given)


@pytest.mark.slow
def test_ours_and_big_m_are_right_in_processes_of_their_own(tmp_path, capsys):
    for name, layers, low, high, y in (
        ("one", LAYERS, [0.5, 0.125], [1.0, 1.0], [1, 1]),
        ("three", CLASSES, [0.5, 0.5, -4.0], [2.0, 2.5, 0.0], [0, 0, 0]),
    ):
        weights = {f"W{i}": weight for i, (weight, _) in enumerate(layers)}
        biases = {f"b{i}": bias for i, (_, bias) in enumerate(layers)}
        np.savez(tmp_path / f"{name}.npz", **weights, **biases)
        columns = {"lo": np.array(low)[:, None], "hi": np.array(high)[:, None], "y": np.array(y)}
        np.savez(tmp_path / f"{name}.x.queries.npz", **columns)
    assert peers.compare(tmp_path, dict.fromkeys(("cgro", "highs"), sys.executable), 60) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[:5] for line in lines] == [
        [f"{name}.x", verifier, right, "right", sat]
        for name, right, sat in (("one", "2", "(1)"), ("three", "3", "(2)"))
        for verifier in ("cgro", "highs")
    ]
    assert [line.split()[-1] for line in lines[::2]] == ["1", "1"]  # ours to ours


def test_a_counterexample_convicts_who_claims_there_is_none():
    asked = question(0.125, 1.0, 1)
    truth, said = words(asked, cgro=("unknown", ""), a=("sat", [0.25]), b=("unsat", None))
    assert (truth, said) == ("sat", {"cgro": "unknown", "a": "right", "b": "wrong"})


def test_points_are_replayed_in_the_box():
    asked = question(0.125, 1.0, 1)
    assert words(asked, a=("sat", [0.0]))[1] == {"a": "right"}  # moved to 1/8
    above = float(np.nextafter(0.25, 1))
    for point in ([above], [5.0], [float("nan")], [float("inf")], [], None):
        assert words(asked, a=("sat", point), b=("unsat", None)) == (
            None,
            {"a": "unreplayed", "b": "claimed"},
        )


def test_only_an_accepted_certificate_of_this_question_counts():
    asked = question(0.5, 1.0, 1)
    network = ReLUNetwork.from_layers(LAYERS)
    good = certify_box(network, ([0.5], [1.0]), 1).query
    other = certify_box(network, ([0.5], [0.75]), 1).query
    sat = certify_box(network, ([0.0], [1.0]), 1).query
    truth, said = words(asked, cgro=("unsat", good), a=("sat", [0.5]), b=("unsat", None))
    assert (truth, said) == ("unsat", {"cgro": "right", "a": "wrong", "b": "right"})
    for query in (other, sat, {**good, "bound": "1"}):
        assert words(asked, cgro=("unsat", query), b=("unsat", None)) == (
            None,
            {"cgro": "unreplayed", "b": "claimed"},
        )


def test_ties_of_classes_are_counterexamples():
    asked = question(0.5, 2.5, 0, CLASSES)
    assert words(asked, a=("sat", [2.25]))[1] == {"a": "right"}
    assert words(asked, a=("sat", [2.0]))[1] == {"a": "unreplayed"}


def test_the_system_ends_what_takes_too_long():
    generator = np.random.default_rng(0)
    sizes = (8, 64, 64, 1)
    layers = [
        (generator.normal(size=(b, a)).tolist(), [0.0] * b) for a, b in itertools.pairwise(sizes)
    ]
    asked = {"layers": layers, "lower": [-1.0] * 8, "upper": [1.0] * 8, "label": 1}
    verifier = peers.Verifier("highs", sys.executable, 0.02)
    assert verifier.ask(asked)[::2] == ("timeout", 0.02)
    assert verifier.process is None
    assert verifier.ask(peers.WARM)[0] == "sat"  # by a new process
    verifier.close()


def test_what_cannot_be_asked_is_an_error(tmp_path):
    with pytest.raises(SystemExit, match=r"FOLDER must hold \*\.queries\.npz, got"):
        peers.compare(tmp_path, {}, 1)
    verifier = peers.Verifier("nobody", sys.executable, 1)
    with pytest.raises(SystemExit, match=r"nobody must answer, got exit status 1"):
        verifier.ask(question(0.0, 1.0, 1))
