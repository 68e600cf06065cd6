"""The program that is extracted from Coq judges as the Python checkers do; what it does not cover
is refused in so many words.
"""

import functools
import json
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from forging import margin, mutate, outputs, renew
from verified_forging import certificates, differences, drawn

from analysis import certificate_of, certify, certify_memorization
from analysis.checkers import check_certificate as checker
from analysis.checkers import check_memorization
from analysis.checkers import check_verified as verified
from analysis.commands.cli import main
from constructions import Ball, affine, f_S

SCRIPT = Path(verified.__file__)
built = pytest.mark.skipif(
    not verified.PROGRAM.is_file(), reason="the verified checker is not built (make checker)"
)


@pytest.fixture
def certificate(tmp_path):
    network = drawn(np.random.default_rng(1), [2, 4, 4, 1])
    result = certify(network, [0.5, 0.5], Ball("inf", 0.01), -1, max_seconds=5)
    other = certify(network, [0.5, 0.5], Ball("inf", 0.01), 1, max_seconds=5)
    path = tmp_path / "c.json"
    path.write_text(json.dumps(certificate_of([result, other])))
    assert {result.verdict, other.verdict} == {"proved", "refuted"}
    return path


@built
def test_all_kinds_are_accepted_and_say_the_same_as_in_python():
    kinds = set()
    for text in certificates():
        content = json.loads(text)
        if missing := [why for why, _ in verified.judge(content) if "not covered" in why]:
            assert any(len(fact) > 3 for query in content["queries"] for fact in query["facts"])
            assert len(missing) == 1
            assert not any(why for why, _ in checker.judge(content))
            continue
        assert verified.judge(content) == checker.judge(content)
        assert not any(reason for reason, _ in verified.judge(content))
        for part in content.get("parts", [content]):
            for query in part["queries"]:
                names = ("points", "boxes", "groups", "ball", "witness")
                kinds |= {name for name in names if name in query}
                kinds |= {name for name in ("pairs", "facts", "trees") if query.get(name)}
    assert kinds == {"points", "boxes", "groups", "ball", "witness", "pairs", "facts", "trees"}


@built
@pytest.mark.parametrize("seed", range(3))
def test_forgeries_are_judged_alike(seed):
    counts, found = differences(60, seed)
    assert found == []
    assert min(counts["both accept"], counts["both reject"]) >= 10
    assert sum(counts.values()) == 60


@built
def test_bounds_are_the_same_to_the_last_digit():
    tried = 0
    for text in certificates():
        content = json.loads(text)
        for part in content.get("parts", [content]):
            network = checker.Network(part["network"])
            for query in part["queries"]:
                if any(len(fact) > 3 for fact in query.get("facts", ())):
                    (said,) = verified.reasons(network, [query], "")
                    assert "facts of two units are not covered" in said
                elif query["verdict"] == "proved":
                    least = checker.least_margin(network, query)
                    for more, reason in ((0, False), (Fraction(1, 2**200), True)):
                        query["bound"] = str(least + more)
                        of = " of a margin network" * ("parts" in content)
                        (said,) = verified.reasons(network, [query], of)
                        assert bool(said) == reason
                        tried += 1
    assert tried >= 20


@built
def test_a_difference_from_the_source_is_taken_off(certificate):
    content = json.loads(certificate.read_text())
    for query in content["queries"]:
        query["difference"] = "1/1000000000"
    assert [reason for reason, _ in verified.judge(content)] == ["", ""]
    for query in content["queries"]:
        query["difference"] = "1000"
    assert all(reason for reason, _ in verified.judge(content))


@built
def test_facts_of_nodes_are_refused_by_name(certificate):
    content = json.loads(certificate.read_text())
    (query,) = [query for query in content["queries"] if query["verdict"] == "proved"]
    query["targets"] = []
    reasons = [reason for reason, _ in verified.judge(content)]
    assert any("facts of nodes are not covered by the verified checker" in r for r in reasons)


@built
def test_script_and_command_print_verdicts_and_what_is_trusted(certificate, capsys):
    done = subprocess.run([sys.executable, SCRIPT, certificate], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    assert [line.split()[2] for line in lines[:2]] == ["accepted", "accepted"]
    assert lines[2] == verified.trusted()
    assert main(["check-certificate", str(certificate), "--verified"]) == 0
    assert verified.trusted() in capsys.readouterr().out
    certificate.write_text(certificate.read_text().replace('"proved"', '"refuted"'))
    done = subprocess.run([sys.executable, SCRIPT, certificate], capture_output=True, text=True)
    assert done.returncode == 1
    assert "rejected" in done.stdout
    assert main(["check-certificate", str(certificate), "--verified"]) == 2


@functools.cache
def memorization(norm, variant, classes=1):
    points = [[0.2, 0.3, 0.4], [0.8, 0.3, 0.6], [0.5, 0.9, 0.1]]
    labels = [1, -1, 1] if classes == 1 else [0, 1, 2]
    clean = affine([[1.0, 0.25, 0.5]] * classes, [-0.5] * classes)
    ball = Ball(norm, 0.0625)
    network = f_S(clean, points, labels, ball, variant=variant)
    return json.dumps(certify_memorization(network, points, labels, ball).certificate)


@built
@pytest.mark.parametrize("classes", [1, 3])
def test_memorization_is_accepted_and_its_forgeries_are_not_accepted_where_they_lie(classes):
    text, rng = memorization("inf", "lean", classes), random.Random(classes)
    assert verified.memorized(json.loads(text)) == check_memorization.check(json.loads(text))
    accepted = 0
    for _ in range(60):
        content = renew(mutate(rng, json.loads(text)))
        try:
            verified.memorized(json.loads(json.dumps(content)))
        except Exception:
            continue
        accepted += 1
        layers = [
            {
                "rows": [
                    [row[0], [Fraction(float.fromhex(w)) for w in row[1]]] for row in layer["rows"]
                ],
                "bias": [Fraction(float.fromhex(b)) for b in layer["bias"]],
            }
            for layer in content["network"]["layers"]
        ]
        radius, claim = Fraction(float.fromhex(content["radius"])), Fraction(content["margin"])
        for centre, label in zip(content["points"], content["labels"], strict=True):
            for _ in range(4):
                x = [
                    min(max(Fraction(float.fromhex(c)) + rng.choice([-1, 0, 1]) * radius, 0), 1)
                    for c in centre
                ]
                assert margin(outputs(layers, x), label) >= claim > 0
    assert accepted <= 55


@built
def test_too_much_is_not_memorized():
    content = json.loads(memorization("inf", "lean"))
    for changes in (
        {"margin": "1000000001/1000000000"},
        {"radius": (0.25).hex()},
        {"labels": [1, 1, 1]},
        {"points": [*content["points"][:2], content["points"][1]]},
    ):
        with pytest.raises(ValueError, match="intervals do not give the margin"):
            verified.memorized(content | changes)


@built
def test_commands_check_memorization_or_say_that_it_is_not_covered(tmp_path, capsys):
    path = tmp_path / "c.json"
    path.write_text(memorization("inf", "lean"))
    assert main(["check-certificate", str(path), "--verified"]) == 0
    done = subprocess.run([sys.executable, SCRIPT, path], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] in capsys.readouterr().out
    for norm, variant in (("inf", "gate"), (2, "lean")):
        path.write_text(memorization(norm, variant))
        assert main(["check-certificate", str(path), "--verified"]) == 2
        assert "not covered by the verified checker" in capsys.readouterr().out


def test_a_program_that_is_not_there_is_named(certificate, monkeypatch, capsys):
    monkeypatch.setenv("CGRO_CHECKER", "/nowhere/check")
    assert main(["check-certificate", str(certificate), "--verified"]) == 2
    told = capsys.readouterr().err
    assert "/nowhere/check" in told
    assert "make checker" in told


@pytest.mark.parametrize("says", ["", "accepted", "accepted\nmaybe", "exit 3"])
def test_a_program_that_says_too_little_accepts_nothing(certificate, says, monkeypatch, tmp_path):
    fake = tmp_path / "fake"
    fake.write_text(f"#!/bin/sh\ncat > /dev/null\n{says if 'exit' in says else f'echo {says!r}'}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("CGRO_CHECKER", str(fake))
    reasons = [reason for reason, _ in verified.judge(json.loads(certificate.read_text()))]
    assert len(reasons) == 2
    assert all("the program failed" in reason for reason in reasons)
