"""Second opinions: agreement with known answers, and verifiers that lie, hang or fail."""

import os
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
from oracles import TOLERANCE, cells_of, evaluate, random_network

from analysis.certification import cross_check
from analysis.certification.cross_check import (
    CrossCheck,
    decide_with_z3,
    onnx_deviation,
    run_verifier,
)
from analysis.certification.queries import Query
from analysis.search.sets import ExactSet
from constructions import affine, compose, parallel, squaring, write_onnx

UNIT = ((Fraction(0),), (Fraction(1),))


def asked(lower, upper, label):
    return Query(ExactSet(list(lower), list(upper)), label)


def ladder(m, threshold):
    """D_m - t, whose greatest value on [0, 1] is 4^-(m+1) - t."""
    return compose(affine([[1.0, -1.0]], [-threshold]), parallel(squaring(m), squaring(m + 1)))


@pytest.mark.parametrize(
    ("dtype", "kind"), [("float64", torch.float64), ("float32", torch.float32)]
)
def test_onnx_runtime_agrees(tmp_path, dtype, kind):
    network = random_network(np.random.default_rng(0), (3, 8, 8, 2))
    write_onnx(network, tmp_path / "a.onnx", dtype=dtype)
    points = torch.rand(20, 3, dtype=torch.float64)
    assert onnx_deviation(network, tmp_path / "a.onnx", points) <= TOLERANCE[kind]
    other = compose(affine([[1.0, 0.0], [0.0, 1.0]], [0.0, 8.0]), network)
    assert onnx_deviation(other, tmp_path / "a.onnx", points) > 0.1


def test_onnx_runtime_failures_are_errors(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"nothing")
    with pytest.raises(
        ValueError, match=r"ONNX Runtime gave no values for .*a\.onnx: exit status 1"
    ):
        onnx_deviation(squaring(2), tmp_path / "a.onnx", [[0.5]])
    write_onnx(squaring(2), tmp_path / "a.onnx")
    with pytest.raises(ValueError, match=r"time was over after 0\.01 s"):
        onnx_deviation(squaring(2), tmp_path / "a.onnx", [[0.5]], max_seconds=0.01)


# -- Z3 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(0.9, "refuted"), (1.0, "refuted"), (1 + 2.0**-20, "proved"), (1.1, "proved")],
)
def test_z3_decides_the_ladder(factor, verdict):
    pytest.importorskip("z3")
    network, query = ladder(2, factor / 64), asked(*UNIT, -1)
    found = decide_with_z3(network, query)
    assert found.verdict == verdict
    if verdict == "refuted":
        assert evaluate(network, found.witness)[0] >= 0


def test_z3_agrees_with_all_vertices():
    pytest.importorskip("z3")
    generator, seen = np.random.default_rng(3), set()
    for outputs, label in ((1, 1), (1, -1), (3, 2), (3, 0)):
        network = random_network(generator, (2, 4, 3, outputs))
        query = asked((Fraction(-1), Fraction(1, 4)), (Fraction(1, 2), Fraction(1)), label)
        vertices = {
            v for cell in cells_of(network, query.set.lower, query.set.upper) for v in cell.vertices
        }
        values = [evaluate(network, v) for v in vertices]  # f_k - f_y is affine on a cell
        rivals = [k for k in range(outputs) if k != label]
        expected = any(
            label * v[0] <= 0 if outputs == 1 else any(v[k] >= v[label] for k in rivals)
            for v in values
        )
        found = decide_with_z3(network, query)
        assert found.verdict == ("refuted" if expected else "proved")
        seen.add(found.verdict)
    assert seen == {"refuted", "proved"}


def test_z3_is_killed_when_time_is_over():
    pytest.importorskip("z3")
    start = time.monotonic()
    found = decide_with_z3(squaring(2), asked(*UNIT, 1), max_seconds=0.01)
    assert found == CrossCheck("unresolved", None, "time was over after 0.01 s")
    assert time.monotonic() - start < 5


def test_queries_that_do_not_fit():
    with pytest.raises(ValueError, match="at most 32 ReLUs; this network has 33"):
        decide_with_z3(random_network(np.random.default_rng(0), (1, 33, 1)), asked(*UNIT, 1))
    with pytest.raises(ValueError, match=r"query must stay in the network's domain \[0.0, 1.0\]"):
        decide_with_z3(squaring(2), asked((Fraction(-1),), (Fraction(1),), 1))
    for check in (decide_with_z3, run_verifier):
        with pytest.raises(
            ValueError, match="query must be about 2 inputs and 3 outputs, got 1 input and label 1"
        ):
            check(
                affine(np.ones((3, 2))),
                asked(*UNIT, 1),
                *(["true"] if check is run_verifier else []),
            )


def test_missing_packages_are_named(monkeypatch):
    run = cross_check._run

    def without(words, *rest):  # -S: no site-packages
        return run([words[0], "-S", *words[1:]], *rest)

    monkeypatch.setattr(cross_check, "_run", without)
    with pytest.raises(ValueError, match="needs the package z3-solver: pip install z3-solver"):
        decide_with_z3(squaring(2), asked(*UNIT, 1))
    with pytest.raises(ValueError, match="needs the package onnxruntime: pip install onnxruntime"):
        onnx_deviation(squaring(2), "a.onnx", [[0.5]])


# -- verifiers of the user -------------------------------------------------------------------------

CLAIM = "the verifier says so; nothing was checked"
POSITIVE = asked((Fraction(1, 4),), (Fraction(1),), 1)


@pytest.mark.parametrize(
    ("output", "query", "verdict", "reason"),
    [
        ("unsat", POSITIVE, "claimed", "nothing was checked"),
        ("Result: unsat in 0.1 seconds", POSITIVE, "claimed", "nothing was checked"),
        ("sat\\n((X_0 0.0)\\n(Y_0 0.0))", asked(*UNIT, 1), "refuted", ""),
        ("sat\\n((X_0 -1e-09)\\n(Y_0 0.0))", asked(*UNIT, 1), "refuted", ""),
        ("sat\\nInput assignment:\\n\\tx0 = 0.000000", asked(*UNIT, 1), "refuted", ""),
        ("sat\\n((X_0 0.5)\\n(Y_0 -1.0))", POSITIVE, "suspect", "fails exact replay"),
        ("sat", POSITIVE, "suspect", "shows no counterexample"),
        ("sat\\n((X_1 0.5))", POSITIVE, "suspect", "shows no counterexample"),
        ("sat\\n((X_0 nan))", POSITIVE, "suspect", "shows no counterexample"),
        ("sat\\nunsat", POSITIVE, "unresolved", "the verifier says sat and unsat"),
        ("timeout", POSITIVE, "unresolved", "the verifier says timeout"),
        ("unknown", POSITIVE, "unresolved", "the verifier says unknown"),
        ("unsatisfactory", POSITIVE, "unresolved", "neither sat nor unsat"),
        ("", POSITIVE, "unresolved", "neither sat nor unsat"),
    ],
)
@pytest.mark.parametrize("place", ["output", "file"])
def test_what_a_verifier_says(output, query, verdict, reason, place):
    words = (
        "printf '{}'" if place == "output" else "sh -c 'printf \"{}\" > {{result}}; echo ignored'"
    )
    found = run_verifier(squaring(3), query, words.format(output))
    assert found.verdict == verdict
    assert reason in found.reason
    if verdict == "refuted":
        assert found.witness == (0,)


def test_verifiers_see_the_files_and_the_time(monkeypatch):
    command = (
        """sh -c 'grep -q "(assert (>= X_0 0.25))" {vnnlib} && test -s {onnx} """
        "&& test {timeout} = 20 && echo unsat'"
    )
    monkeypatch.setenv("CGRO_VERIFIER", command)
    assert run_verifier(squaring(3), POSITIVE, max_seconds=20) == CrossCheck("claimed", None, CLAIM)
    monkeypatch.delenv("CGRO_VERIFIER")
    with pytest.raises(ValueError, match="or the environment variable CGRO_VERIFIER be set"):
        run_verifier(squaring(3), POSITIVE)


def test_verifiers_that_fail_or_hang(tmp_path):
    found = run_verifier(squaring(3), POSITIVE, "sh -c 'echo unsat; echo no licence >&2; exit 3'")
    assert found == CrossCheck("unresolved", None, "exit status 3: no licence")
    with pytest.raises((FileNotFoundError, PermissionError)):  # of folders in PATH
        run_verifier(squaring(3), POSITIVE, "no-such-verifier {onnx}")
    with pytest.raises(ValueError, match="is no float32 number"):
        run_verifier(affine([[0.1]]), POSITIVE, "echo unsat")
    assert (
        run_verifier(affine([[0.1]]), POSITIVE, "echo unsat", dtype="float64").verdict == "claimed"
    )
    for last in ("sleep 60", "echo unsat"):  # the process itself hangs, or only its child
        start = time.monotonic()
        found = run_verifier(
            squaring(3),
            POSITIVE,
            f"sh -c '(sleep 1; touch {tmp_path}/alive) & {last}'",
            max_seconds=0.2,
        )
        assert found.reason == "time was over after 0.2 s"
        assert time.monotonic() - start < 1
    time.sleep(1.1)
    assert not os.listdir(tmp_path)  # children were killed, too
