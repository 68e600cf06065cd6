"""Decisions of properties: against enumeration, files, ties, and the public benchmarks."""

import csv
import json
import os
import signal
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from oracles import cells_of, evaluate, random_network

from analysis import certified_margins, certify, certify_box, decide
from analysis.certification.check_property import check_property
from analysis.certification.deciding import Decision
from analysis.certification.instances import Instance
from analysis.checkers import check_certificate as checker
from analysis.commands.cli import main
from analysis.commands.console import interrupted_once
from constructions import (
    Ball,
    Conjunct,
    Constraint,
    Property,
    ReLUNetwork,
    affine,
    margin_network,
    read_network,
    read_property,
    squaring,
    write_onnx,
    write_vnnlib,
)


def accepted(certificate):
    """Whether the checker accepts all of a certificate after it went through text, and its boxes
    have no gap.
    """
    content = json.loads(json.dumps(certificate))
    return all(
        checker.digest(part["network"]) == part["digest"]
        and all(
            checker.check(checker.Network(part["network"]), query) == ""
            for query in part["queries"]
        )
        for part in content["parts"]
    )


def volume(certificate, conjunct):
    """The volume of the boxes that are proved for a conjunct."""
    total = Fraction(0)
    for part in certificate["parts"]:
        if conjunct in part["conjuncts"]:
            for query in part["queries"]:
                sides = zip(query["lower"], query["upper"], strict=True)
                total += np.prod([Fraction(b - a, 2 ** query["scale"]) for a, b in sides])
    return total


def greatest(network, part):
    """The exact maximum over a box of the least constraint: at the corners of cells of a network
    that computes it.
    """
    return max(
        min(c.value(v, evaluate(network, v)) for c in part.constraints)
        for cell in cells_of(network, part.lower, part.upper)
        for v in cell.vertices
    )


@pytest.mark.parametrize("seed", range(40))
def test_single_constraints_are_decided_as_enumeration_does(seed):
    rng = np.random.default_rng(seed)
    inputs, outputs = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    network = random_network(rng, (inputs, *rng.integers(1, 6, size=2), outputs))
    parts = []
    for _ in range(rng.integers(1, 4)):
        low = rng.integers(-8, 8, size=inputs)
        lower, upper = (
            tuple(Fraction(int(v), 10) for v in low),
            tuple(Fraction(int(v) + 7, 10) for v in low),
        )
        along = (
            tuple((j, Fraction(int(rng.integers(-2, 3)))) for j in range(inputs))
            if seed % 2
            else ()
        )
        steep = tuple((k, Fraction(int(rng.integers(-2, 3)), 3)) for k in range(outputs))
        parts.append(
            Conjunct(
                lower, upper, (Constraint(along, steep, Fraction(int(rng.integers(-20, 5)), 10)),)
            )
        )
    asked = Property.of(inputs, outputs, parts)
    found = decide(network, asked)
    worst = max(greatest(network, part) for part in parts)
    assert found.result == ("sat" if worst >= 0 else "unsat"), found.reason
    if found.result == "sat":
        assert asked.violated(found.witness, evaluate(network, found.witness))
    else:
        assert accepted(found.certificate)
        for i, part in enumerate(parts):
            assert volume(found.certificate, i) >= np.prod(
                [b - a for a, b in zip(part.lower, part.upper, strict=True)]
            )


@pytest.mark.parametrize("seed", range(30))
def test_conjunctions_are_decided_soundly(seed):
    """No grid point is unsafe where "unsat" is said; what is said at all is checked."""
    rng = np.random.default_rng([seed, 1])
    inputs, outputs, rows = (
        int(rng.integers(1, 4)),
        int(rng.integers(1, 4)),
        int(rng.integers(2, 5)),
    )
    network = random_network(rng, (inputs, 6, 5, outputs))
    values = network(torch.rand(100, inputs, dtype=torch.float64)).numpy()
    steep = rng.standard_normal((rows, outputs)).astype(np.float32)
    offset = -np.quantile(values @ steep.T, 0.3 + 0.6 * rng.random(), axis=0)
    asked = Property(([0.0] * inputs, [1.0] * inputs), [(steep, offset)])
    found = decide(network, asked, max_seconds=20)
    points = torch.cartesian_prod(
        *[torch.linspace(0, 1, 17, dtype=torch.float64)] * inputs
    ).reshape(-1, inputs)
    slack = (network(points).numpy() @ steep.T + offset).min(axis=1).max()
    assert found.result in ("sat", "unsat"), found.reason
    if found.result == "sat":
        assert asked.violated(found.witness, evaluate(network, found.witness))
    else:
        assert slack < 1e-9
        assert accepted(found.certificate)
        assert volume(found.certificate, 0) == 1
        assert not any(
            finding.reason for finding in check_property(found.certificate, network, asked)
        )
        for part in found.certificate["parts"]:
            part["queries"].pop()
        assert (
            check_property(found.certificate, network, asked)[0].reason
            == "the boxes do not cover conjunct 0"
        )
        found.certificate["parts"][0]["conjuncts"] = [1]
        assert (
            check_property(found.certificate, network, asked)[0].reason
            == "a part names no conjuncts, or others' constraints"
        )


def test_ties_and_strict_constraints():
    # -|x - 1/2|
    bent = ReLUNetwork.from_layers([([[1.0], [-1.0]], [-0.5, 0.5]), ([[-1.0, -1.0]], [0.0])])
    for strict, offset, result in (
        (False, 0, "sat"),
        (True, 0, "unknown"),
        (True, Fraction(1, 8), "sat"),
        (True, -1, "unsat"),
    ):
        row = Constraint((), ((0, Fraction(1)),), Fraction(offset), strict)
        found = decide(
            bent,
            Property.of(1, 1, [Conjunct((Fraction(0),), (Fraction(1),), (row,))]),
            max_seconds=5,
        )
        assert found.result == result
        if result == "sat":
            assert row.holds(found.witness, evaluate(bent, found.witness))
    identity = affine([[1.0]])
    third = Conjunct(
        (Fraction(1, 3),),
        (Fraction(2, 3),),
        (Constraint((), ((0, Fraction(-1)),), Fraction(1, 3)),),
    )
    found = decide(identity, Property.of(1, 1, [third]))  # y <= 1/3 on [1/3, 2/3]
    assert found.witness == (Fraction(1, 3),) or found.result == "unknown"
    nothing = decide(identity, Property.of(1, 1, []))
    assert (nothing.result, nothing.certificate) == ("unsat", None)
    assert "no input fulfils" in str(nothing)
    every = decide(identity, Property.of(1, 1, [Conjunct((Fraction(1, 3),), (Fraction(1),), ())]))
    assert (every.result, every.witness) == ("sat", (Fraction(1, 3),))


def test_what_was_rounded_on_reading_is_allowed_for():
    norm = torch.nn.BatchNorm1d(1)
    norm.running_var.fill_(3.0)
    module = torch.nn.Sequential(torch.nn.Linear(1, 1), norm).double().eval()
    with torch.no_grad():
        module[0].weight.fill_(1.0)
        module[0].bias.zero_()
    network = ReLUNetwork.from_module(module)
    (value,) = network.exact([1.0]).tolist()
    for gap, result in (
        (Fraction(1, 10**18), "unknown"),
        (Fraction(1, 10**9), "unsat"),
        (Fraction(-1, 10**9), "sat"),
    ):
        asked = Property(([0.0], [1.0]), [([[1]], [-value - gap])])
        assert decide(module, asked, max_seconds=2).result == result


def test_what_has_no_bound_in_float64_is_unknown_and_says_why():
    norm = torch.nn.BatchNorm1d(1)
    norm.running_var.fill_(3.0)
    layers = torch.nn.Linear(1, 1), norm, torch.nn.ReLU(), torch.nn.Linear(1, 1)
    module = torch.nn.Sequential(*layers).double().eval()
    with torch.no_grad():
        module[3].weight.fill_(1e200)
    far = Property(([0.0], [1e200]), [([[1.0]], [-1.0])])
    found = decide(module, far)
    assert (found.result, found.certificate, found.witness) == ("unknown", None, None)
    assert "what was rounded on reading has no bound on a box: bounds overflow" in found.reason
    beyond = Property(([0], [10**400]), [([[1.0]], [-1.0])])
    for network in (module, affine([[1.0]])):
        found = decide(network, beyond)
        assert found.result == "unknown"
        assert "float64 does not hold the ends of a box" in found.reason
    assert decide(affine([[1e200]], [1e200]), far).result == "sat"


def test_files_are_decided_and_confirmed(tmp_path, capsys):
    net, file = tmp_path / "net.onnx", tmp_path / "p.vnnlib"
    write_onnx(affine([[1.0, 1.0]], [-0.5]), net)
    write_vnnlib(file, ([0.5, 0.25], [1.0, 1.0]), 1)
    found = decide(net, file)
    assert (found.result, found.witness, found.certificate["source"]["kind"]) == (
        "unsat",
        None,
        "ONNX file",
    )
    assert str(found).startswith("unsat (")
    assert str(found).endswith("\nno unsafe input: 1 box proved, and checked in integers")
    assert certify_box(net, ([0.5, 0.25], [1.0, 1.0]), 1).verdict == "proved"
    write_vnnlib(file, ([0.1, 0.1], [1.0, 1.0]), 1)
    found = decide(str(net), str(file))
    assert (found.result, found.confirmed) == ("sat", True)
    assert main(["certify", str(net), "--vnnlib", str(file), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["result"] == "sat"
    assert sum(Fraction(v) for v in shown["witness"]) <= Fraction(1, 2)
    write_vnnlib(file, ([0.5, 0.25], [1.0, 1.0]), 1, version="2.0")
    assert (
        main(["certify", str(net), "--vnnlib", str(file), "--out", str(tmp_path / "c.json")]) == 0
    )
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert accepted(json.loads((tmp_path / "c.json").read_text()))
    check = ["check-certificate", str(tmp_path / "c.json")]
    assert main(["check-certificate", str(tmp_path / "c.json"), "--network", str(net)]) == 2
    assert (
        "is about a network and a property: give the property (--vnnlib), too"
        in capsys.readouterr().err
    )
    (tmp_path / "model.pt").write_bytes(b"precious")
    asked = ["certify", str(net), "--vnnlib", str(file), "--out"]
    assert main([*asked, str(tmp_path / "model.pt")]) == 2
    assert "exists and is no certificate" in capsys.readouterr().err
    assert (tmp_path / "model.pt").read_bytes() == b"precious"
    assert main([*asked, str(tmp_path / "c.json")]) == 0
    capsys.readouterr()
    both = ["--network", str(net), "--vnnlib", str(file)]
    assert main(check) == 0
    assert "not compared: the network (--network FILE), and a pro" in capsys.readouterr().out
    assert main([*check, *both]) == 0
    text = capsys.readouterr().out
    assert "network and property: those of the certificate" in text
    assert "not compared" not in text
    assert main([*check, *both[:2]]) == 2
    for lower, label, reason in (
        (0.25, 1, "the boxes do not cover conjunct 0"),
        (0.5, -1, "is not the margin of this network"),
    ):
        write_vnnlib(file, ([lower, 0.25], [1.0, 1.0]), label)
        assert main([*check, *both]) == 2
        said = capsys.readouterr()
        assert reason in said.out
        assert "is not about this network and property" in said.err
    write_vnnlib(file, ([0.5, 0.25], [1.0, 1.0]), 1)
    write_onnx(affine([[1.0, 1.0]], [-0.75]), net)
    assert main([*check, *both]) == 2


def test_what_a_certificate_of_a_property_proves_is_not_sought_again(tmp_path, capsys, monkeypatch):
    net, file, out = tmp_path / "net.onnx", tmp_path / "p.vnnlib", tmp_path / "c.json"
    write_onnx(affine([[1.0, 1.0]], [-0.5]), net)
    write_vnnlib(file, ([0.5, 0.25], [1.0, 1.0]), 1)
    command = ["certify", str(net), "--vnnlib", str(file), "--out", str(out)]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] is False
    content = out.read_bytes()
    fails = lambda *_, **__: pytest.fail("sought again")  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr("analysis.certification.deciding.decide", fails)
        assert main(command) == 0
        said = capsys.readouterr()
        assert said.out.startswith("unsat (")
        assert "c.json shows this already: checked again, not sought again" in said.err
        assert main([*command, "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        assert (shown["result"], shown["kept"]) == ("unsat", True)
    assert out.read_bytes() == content

    def sought():
        assert main([*command, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["kept"] is False

    forged = json.loads(content)
    forged["parts"][0]["queries"][0]["bound"] = "9"
    out.write_text(json.dumps(forged))
    sought()
    assert out.read_bytes() == content
    write_vnnlib(file, ([0.25, 0.375], [1.0, 1.0]), 1)  # a part of the box is not proved
    sought()
    write_onnx(affine([[1.0, 1.0]], [-0.25]), net)
    sought()
    assert accepted(json.loads(out.read_text()))


def test_decisions_are_saved(tmp_path):
    path, asked = tmp_path / "c.json", Property(([0.5], [1.0]), [([[-1.0]], [0.0])])
    found = decide(affine([[1.0]]), asked)
    found.save(path)
    assert json.loads(path.read_text()) == json.loads(json.dumps(found.certificate))
    assert not any(f.reason for f in check_property(checker.read(path), affine([[1.0]]), asked))
    content = path.read_bytes()
    everywhere = decide(
        affine([[1.0]]), Property.of(1, 1, [Conjunct((Fraction(0),), (Fraction(1),), ())])
    )
    assert everywhere.result == "sat"
    for other, why in (
        (everywhere, "the standalone checker does not read this witness, which is its own proof"),
        (Decision("unknown"), "nothing is proved"),
    ):
        with pytest.raises(ValueError, match=f"there is no certificate to save: {why}"):
            other.save(path)
    assert path.read_bytes() == content


def test_unsafe_inputs_are_saved_and_checked_again(tmp_path, capsys, monkeypatch):
    """x_0 + x_1 <= 1/2 on [1/10, 1]^2 is unsafe; a box that is no dyadic one."""
    net, file, out = tmp_path / "net.onnx", tmp_path / "p.vnnlib", tmp_path / "c.json"
    write_onnx(affine([[1.0, 1.0]], [-0.5]), net)
    names = "(declare-const X_0 Real) (declare-const X_1 Real) (declare-const Y_0 Real) "
    box = "(assert (and (>= X_0 0.1) (<= X_0 1.0) (>= X_1 0.1) (<= X_1 1.0)))"
    file.write_text(f"{names}{box} (assert (<= Y_0 0.0))")
    both = ["--network", str(net), "--vnnlib", str(file)]
    command = ["certify", str(net), *both[2:], "--out", str(out), "--json"]
    assert main(command) == 0
    said = capsys.readouterr()
    first = json.loads(said.out)
    assert (first["result"], first["kept"]) == ("sat", False)
    assert "not written" not in said.err
    assert main(["check-certificate", str(out), *both]) == 0
    said = capsys.readouterr().out
    assert "network and property: those of the certificate" in said
    assert "accepted as refuted: margin " in said
    assert checker.main(str(out)) == 0
    assert "query 0: accepted as refuted" in capsys.readouterr().out
    fails = lambda *_, **__: pytest.fail("sought again")  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr("analysis.certification.deciding.decide", fails)
        assert main(command) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["result"], again["witness"], again["kept"]) == ("sat", first["witness"], True)

    content, network, asked = json.loads(out.read_text()), read_network(net), read_property(file)
    (part,) = content["parts"]
    (query,) = part["queries"]

    def judged(content):
        return check_property(json.loads(json.dumps(content)), network, asked)[0].reason

    def forged(**changes):
        return content | {"parts": [part | {"queries": [query | changes]}]}

    assert judged(content) == ""
    low = asked.conjuncts[0].lower[0]  # 1/10, which the certificate's box has rounded down
    outside = [str(Fraction(query["lower"][0], 2 ** query["scale"])), "1/4"]
    assert Fraction(outside[0]) < low
    assert accepted(forged(witness=outside))
    assert judged(forged(witness=outside)) == "the witness is not unsafe"
    assert judged(forged(witness=["1/2", "1/2"])) == "a query is rejected"
    assert judged(content | {"parts": [part, part]}) == "it holds more than one unsafe input"
    others = part | {"constraints": [0]}
    assert "names no conjuncts" in judged(content | {"parts": [others]})
    write_vnnlib(file, ([0.1, 0.1], [1.0, 1.0]), -1)
    assert main(["check-certificate", str(out), *both]) == 2
    assert "is not the margin of this network" in capsys.readouterr().out


def test_a_witness_of_a_margin_that_was_rounded_is_evaluated_again():
    """x >= 1/3 is unsafe; the margin network's constant is rounded up, so it is refuted just below
    1/3, where nothing is unsafe.
    """
    network, asked = affine([[1.0]]), Property(([0.0], [1.0]), [([[1.0]], [Fraction(-1, 3)])])
    found = decide(network, asked)
    content = json.loads(json.dumps(found.certificate))
    assert check_property(content, network, asked)[0].reason == ""
    content["parts"][0]["queries"][0]["witness"] = [str(Fraction(1, 3) - Fraction(1, 2**80))]
    assert accepted(content)
    assert check_property(content, network, asked)[0].reason == "the witness is not unsafe"


def test_lists_of_instances_are_resumed(tmp_path, capsys, monkeypatch):
    (tmp_path / "nets").mkdir()
    write_onnx(affine([[1.0]], [-0.5]), tmp_path / "nets" / "a.onnx")
    write_vnnlib(tmp_path / "safe.vnnlib", ([0.75], [1.0]), 1)
    write_vnnlib(tmp_path / "unsafe.vnnlib", ([0.25], [1.0]), 1)
    rows = [f"nets/a.onnx,{name}.vnnlib,10" for name in ("safe", "unsafe", "missing")]
    (tmp_path / "instances.csv").write_text("\n".join(rows) + "\n")
    arguments = [
        "certify",
        "--instances",
        str(tmp_path / "instances.csv"),
        "--results",
        str(tmp_path / "results.csv"),
    ]
    monkeypatch.setattr(
        "analysis.certification.instances.decide",
        lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt),
    )
    assert main(arguments) == 130
    monkeypatch.undo()
    assert main(arguments) == 0
    assert "1 sat, 1 unsat, 0 unknown, 1 error, of 3 instances" in capsys.readouterr().out
    found = list(csv.reader((tmp_path / "results.csv").read_text().splitlines()))
    assert found[0] == ["onnx", "vnnlib", "timeout", "result", "seconds", "files"]
    assert [row[3].split(":")[0] for row in found[1:]] == ["unsat", "sat", "error"]
    again = []
    monkeypatch.setattr(
        "analysis.certification.instances.decide",
        lambda _, asked, **__: again.append(asked.name) or decide(tmp_path / "nets/a.onnx", asked),
    )
    assert main([*arguments, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [row["result"].split(":")[0] for row in shown] == ["unsat", "sat", "error"]
    assert [row["kept"] for row in shown] == [True, True, False]
    assert again == ["missing.vnnlib"]
    monkeypatch.undo()
    (tmp_path / "instances.csv").write_text("a.onnx,b.vnnlib\n")
    assert main(arguments) == 2
    assert "line 1: must be onnx,vnnlib,timeout, got 'a.onnx,b.vnnlib'" in capsys.readouterr().err
    (tmp_path / "instances.csv").write_text(f"net,property,seconds\n{rows[0]}\n")
    assert main(arguments) == 2
    text = capsys.readouterr().err
    assert "line 1: timeout must be a number > 0, got 'seconds' (a header must be onnx,vnn" in text
    (tmp_path / "instances.csv").write_text(f"onnx, vnnlib, timeout\n\n{rows[0]}\n{rows[0]}s\n")
    assert main(arguments) == 2
    assert "line 4: timeout must be a number > 0, got '10s'\n" in capsys.readouterr().err


@pytest.mark.slow
def test_lists_of_instances_by_several_processes(tmp_path, capsys):
    write_onnx(affine([[1.0]], [-0.5]), tmp_path / "a.onnx")
    write_vnnlib(tmp_path / "safe.vnnlib", ([0.75], [1.0]), 1)
    write_vnnlib(tmp_path / "unsafe.vnnlib", ([0.25], [1.0]), 1)
    rows = "".join(f"a.onnx,{name}.vnnlib,60\n" for name in ("safe", "unsafe", "missing"))
    (tmp_path / "instances.csv").write_text(rows)
    assert main(["certify", "--instances", str(tmp_path / "instances.csv"), "--jobs", "2"]) == 0
    assert "1 sat, 1 unsat, 0 unknown, 1 error, of 3 instances" in capsys.readouterr().out


def test_what_was_unknown_is_tried_again_with_more_time(tmp_path, capsys, monkeypatch):
    lines = "onnx,vnnlib,timeout\n" + "".join(f"{name}.onnx,p.vnnlib,20\n" for name in "abc")
    (tmp_path / "instances.csv").write_text(lines)
    results = tmp_path / "results.csv"
    arguments = ["certify", "--instances", str(tmp_path / "instances.csv")]
    arguments += ["--results", str(results), "--max-seconds"]
    asked = []

    def stub(network, _, max_seconds):
        asked.append((network.stem, max_seconds))
        if network.stem == "c" and max_seconds < 8:
            raise ValueError("no such thing")
        return Decision("sat" if network.stem == "a" or max_seconds > 7 else "unknown")

    monkeypatch.setattr("analysis.certification.instances.decide", stub)

    def tried(seconds):
        asked.clear()
        assert main([*arguments, str(seconds)]) == 0
        return dict(asked), capsys.readouterr().out.splitlines()

    found, said = tried(5)
    assert found == {"a": 5, "b": 5, "c": 5}
    assert not any("kept" in line for line in said)
    found, said = tried(5)  # no more time: only the error is tried again
    assert found == {"c": 5}
    assert [f"kept from {results}" in line for line in said] == [True, True, False, True]
    assert said[-1].endswith(f"of 3 instances, 2 of them kept from {results}")
    assert tried(4)[0] == {"c": 4}
    assert tried(7)[0] == {"b": 7, "c": 7}
    assert tried(100)[0] == {"b": 20, "c": 20}
    rows = list(csv.reader(results.read_text().splitlines()))
    assert [row[2:4] for row in rows[1:]] == [["5", "sat"], ["20", "sat"], ["20", "sat"]]
    assert tried(100)[0] == {}
    results.write_text("onnx,vnnlib,timeout,result,seconds\na.onnx,p.vnnlib,x,unknown,1\n")
    assert main([*arguments, "5"]) == 2
    assert "is no list of results that could be continued" in capsys.readouterr().err


def test_rows_about_other_files_are_not_kept(tmp_path, capsys):
    write_onnx(affine([[1.0]], [-0.5]), tmp_path / "net.onnx")
    write_vnnlib(tmp_path / "p.vnnlib", (0.75, 1.0), 1)
    (tmp_path / "instances.csv").write_text("net.onnx,p.vnnlib,10\n")
    results = tmp_path / "results.csv"
    arguments = ["certify", "--instances", str(tmp_path / "instances.csv")]
    arguments += ["--results", str(results)]

    def decided():
        assert main(arguments) == 0
        return capsys.readouterr().out.splitlines()[0]

    assert ": unsat" in decided()
    assert "kept from" in decided()
    write_onnx(affine([[1.0]], [-0.875]), tmp_path / "net.onnx")
    said = decided()
    assert ": sat" in said
    assert "kept" not in said
    write_vnnlib(tmp_path / "p.vnnlib", (0.9375, 1.0), 1)
    said = decided()
    assert ": unsat" in said
    assert "kept" not in said
    rows = list(csv.reader(results.read_text().splitlines()))
    former = "\n".join(",".join(row[:5]) for row in rows) + "\n"
    results.write_text(former.replace("unsat", "sat"))  # of a former release: of which files?
    said = decided()
    assert ": unsat" in said
    assert "kept" not in said


def test_rows_of_networks_in_several_files_are_not_kept(tmp_path):
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
            "g",
            [onnx.helper.make_tensor_value_info("x", 1, [1, 1])],
            [onnx.helper.make_tensor_value_info("y", 1, [1, 1])],
            [onnx.numpy_helper.from_array(np.ones((1, 1), np.float32), "w")],
        )
    )
    onnx.save(model, tmp_path / "whole.onnx")
    place = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0}
    onnx.save(model, tmp_path / "parts.onnx", **place)
    write_vnnlib(tmp_path / "p.vnnlib", (0.75, 1.0), 1)
    assert len(Instance("whole.onnx", "p.vnnlib", 1.0, tmp_path).files()) == 16
    assert Instance("parts.onnx", "p.vnnlib", 1.0, tmp_path).files() == ""
    assert Instance("none.onnx", "p.vnnlib", 1.0, tmp_path).files() == "missing"


def test_constants_of_many_sizes_are_held():
    """Differences of the constraints do not fit into float64: they are carried, and taken later;
    all that is rounded, up, are the constants, of 64 bits.
    """
    network = ReLUNetwork.from_layers([([[0.0, 0.0]], [0.0]), ([[-(2.0**37)]], [-(2.0**-31)])])
    one, two = Fraction(1), Fraction(2)
    rows = [
        Constraint(((0, two), (1, one)), ((0, -two),), Fraction(-18631211513340227584), False),
        Constraint((), ((0, -one),), Fraction(-9223372036311197696), False),
    ]
    margin = margin_network(network, [rows])
    for x in ([0.0, 0.0], [0.5, 2.0**-30], [1.0, 3.0], [2.0**60, -1.0]):
        point = [Fraction(v) for v in x]
        values = network.exact(point).tolist()
        least = min(row.value(point, values) for row in rows)
        assert 0 <= margin.exact(point)[1] - least < 2**12


def test_a_second_interrupt_is_left_aside():
    before = signal.getsignal(signal.SIGINT)
    cleaned = []

    def interrupted():
        with interrupted_once():
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(10)
            finally:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.05)
                cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert cleaned
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--vnnlib", "p.vnnlib"], "NET must be given"),
        (["net.onnx", "--instances", "i.csv"], "NET must be given, or --instances"),
        (
            ["net.onnx", "--vnnlib", "p.vnnlib", "--jobs", "2"],
            "--jobs and --results belong to --instances",
        ),
        (
            ["net.onnx", "--vnnlib", "p.vnnlib", "--radius", "0.1"],
            "--norm and --radius belong to --memorized",
        ),
        (["net.onnx", "--vnnlib", "p.vnnlib", "--max-seconds", "0"], "--max-seconds must be > 0"),
        (["--instances", "i.csv", "--out", "c.json"], "--out belongs to one network"),
    ],
)
def test_options_that_do_not_belong_together(arguments, message, capsys):
    assert main(["certify", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_wrong_arguments_are_named():
    box = Property(([0.0], [2.0]), [([[1]], [0])])
    with pytest.raises(
        ValueError,
        match="property must be about 2 inputs and 1 output, as the network has, got 1 and 1",
    ):
        decide(affine([[1.0, 1.0]]), box)
    with pytest.raises(ValueError, match=r"boxes must lie in the network's domain \[0.0, 1.0\]"):
        decide(squaring(2), box)
    with pytest.raises(ValueError, match="max_seconds must be > 0"):
        decide(affine([[1.0]]), box, max_seconds=0)
    with pytest.raises(TypeError, match=r"network must be a ReLUNetwork, .* a path"):
        decide(None, box)
    for wrong in (None, 1, [([[1]], [0])]):
        with pytest.raises(TypeError, match=r"property must be a Property or the path of"):
            decide(affine([[1.0]]), wrong)


def test_messages_name_the_remedy(tmp_path):
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 2), torch.nn.Flatten())
    box = Property(([0.0] * 9, [1.0] * 9), [([[1, 0, 0, 0]], [0])])
    for call in (
        lambda: decide(module, box),
        lambda: certify_box(module, (0.0, 1.0), 0),
        lambda: certify(module, [0.5] * 9, Ball("inf", 0.1), 0),
    ):
        with pytest.raises(TypeError, match=r"pass read_network\(module, input_shape\), e.g."):
            call()
    network = read_network(module, (1, 3, 3))
    assert decide(network, box).result in ("sat", "unsat")
    image = torch.zeros(1, 3, 3)
    with pytest.raises(ValueError, match=r"flatten it, by centre.reshape\(-1, 9\)$"):
        certify(network, image, Ball("inf", 0.1), 0)
    with pytest.raises(ValueError, match=r"got shape \(2, 9\)$"):
        certify(network, torch.zeros(2, 9), Ball("inf", 0.1), 0)
    with pytest.raises(ValueError, match=r"flatten it, by points.reshape\(-1, 9\)$"):
        certified_margins(network, image, [0], Ball("inf", 0.1))


def test_a_file_that_was_not_run_in_float32_says_nothing_of_it():
    """As .nnet files: ONNX Runtime reads no others than .onnx."""
    found = decide(affine([[1.0]]), Property(([0.0], [1.0]), [([[1]], [-0.5])]))
    assert (found.result, found.confirmed) == ("sat", None)
    assert "ONNX" not in str(found)
    assert str(replace(found, confirmed=True)).endswith("; ONNX Runtime: confirmed in float32")
    assert str(replace(found, confirmed=False)).endswith("; ONNX Runtime: not confirmed in float32")


# -- the public benchmarks -------------------------------------------------------------------------

FIELD = Path(os.environ.get("CGRO_DATA", "/missing")).parent / "bench" / "field"


def field():
    if not (FIELD / "expected.csv").is_file():
        pytest.skip("the benchmarks are not here: CGRO_DATA must name a folder beside bench/field")
    with (FIELD / "expected.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 35
    return [(FIELD / row["network"], FIELD / row["property"], row["nnenum"]) for row in rows]


def decided(network, file, expected, seconds):
    """Whether it is, in at most a minute; nothing may be decided wrongly."""
    start = time.process_time()
    found = decide(network, file, max_seconds=seconds)
    took = time.process_time() - start
    print(
        f"{network.name} {file.name}: {expected}, here {found.result} ({found.confirmed}), "
        f"{took:.1f} CPU s"
    )
    assert found.result in (expected, "unknown")
    assert found.confirmed in (None, True)
    return found.result != "unknown" and took <= 60


@pytest.mark.slow
def test_public_benchmarks_are_decided_and_none_wrongly():
    """Ten in half a second each, 24 in a minute each: the others have more time until so many are
    decided.
    """
    asked = left = field()
    for seconds, least in ((0.5, 10), (5.0, 10), (20.0, 10), (60.0, 24)):
        left = [row for row in left if not decided(*row, seconds)]
        print(f"{len(asked) - len(left)} decided in {seconds} s each")
        assert len(asked) - len(left) >= least
        if len(asked) - len(left) >= 24:
            break
