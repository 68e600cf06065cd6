"""`cgro certify`, `cgro check-certificate` and `cgro export`, and the files they read and write."""

import itertools
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from plain_networks import cgro
from torch import nn

from analysis import certify
from analysis.certification.queries import certify_all, read_queries
from analysis.checkers import check_certificate, check_memorization
from analysis.commands.cli import main
from analysis.search.pairs import find_pairs
from analysis.search.prepared import prepare
from constructions import Ball, ReLUNetwork, affine, f_S, load, read_property
from constructions.internal import said
from training import TrainingConfig, train


@pytest.fixture
def files(tmp_path):
    """A small network and three queries: proved, refuted, tied."""
    network = ReLUNetwork.from_layers(
        [([[1.0, 1.0], [1.0, -1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [-0.5])]
    )
    network.save(tmp_path / "net.safetensors")
    lo, hi = (
        np.array([[0.5, 0.0], [0.0, 0.0], [0.25, 0.0]]),
        np.array([[0.75, 0.25], [0.25, 0.25], [0.5, 0.25]]),
    )
    np.savez(tmp_path / "queries.npz", lo=lo, hi=hi, y=np.array([1, 1, 1]))
    return tmp_path, network


def run(*arguments):
    return main([str(a) for a in arguments])


def test_certify_prints_verdicts_and_writes_a_certificate_that_is_accepted(files, capsys):
    folder, _ = files
    arguments = (
        "certify",
        folder / "net.safetensors",
        "--queries",
        folder / "queries.npz",
        "--out",
        folder / "c.json",
    )
    assert run(*arguments) == 0
    text = capsys.readouterr().out
    assert "1 proved, 2 refuted, 0 unresolved, of 3 queries" in text
    assert "certified bound" in text
    assert "(exact)" in text
    assert run("check-certificate", folder / "c.json", "--network", folder / "net.safetensors") == 0
    assert capsys.readouterr().out.count("accepted") == 3
    assert run(*arguments, "--json") == 0
    results = json.loads(capsys.readouterr().out)
    assert [r["verdict"] for r in results] == ["proved", "refuted", "refuted"]
    assert results[0]["bound"] == "1/2"
    assert results[2]["margin"] == "0"
    np.savez(folder / "queries.npz", lo=[[0.625, 0.0]], hi=[[0.75, 0.125]], y=np.array([1]))
    capsys.readouterr()
    assert run(*arguments) == 0  # another query: what was proved stays
    assert "c.json was there: what it held stays in it" in " ".join(capsys.readouterr().out.split())
    assert run("check-certificate", folder / "c.json", "--network", folder / "net.safetensors") == 0
    assert capsys.readouterr().out.count("accepted") == 4


def test_points_are_found_among_the_queries_of_a_certificate(files, capsys):
    folder, _ = files
    net, out = folder / "net.safetensors", folder / "d.json"
    x, y = np.array([[0.625, 0.0], [0.75, 0.25], [0.5, 0.125]]), np.array([1, 1, -1])
    np.savez(folder / "all.npz", x=x, y=y)
    np.savez(folder / "two.npz", x=x[[2, 0]], y=y[[2, 0]])
    ball = ["--norm", 2, "--radius", 0.0625]
    for name in ("all", "two"):
        assert run("certify", net, "--points", folder / f"{name}.npz", *ball, "--out", out) == 0
    names = re.findall(r"\b[0-9a-f]{12}\b", capsys.readouterr().out)
    assert len(names) == 5
    assert names[3:] == [names[2], names[0]]
    asked = ["check-certificate", out, "--network", net, "--points"]
    assert run(*asked, folder / "two.npz", *ball) == 0
    checked = capsys.readouterr().out
    assert "points: 2 rows of " in checked
    assert "two.npz, in turn queries 2, 0" in checked
    np.savez(folder / "other.npz", x=x, y=[1, -1, -1])
    for points, given in (("other", ball), ("all", ball[2:]), ("all", [*ball[:3], 0.03125])):
        assert run(*asked, folder / f"{points}.npz", *given) == 2
        row = 1 if points == "other" else 0
        assert f"holds no query of row {row} of " in capsys.readouterr().err


def test_the_checker_runs_alone(files):
    folder, _ = files
    run(
        "certify",
        folder / "net.safetensors",
        "--queries",
        folder / "queries.npz",
        "--out",
        folder / "c.json",
    )
    beside = Path(check_certificate.__file__)
    for file in (beside, beside.with_name("check_trees.py")):
        (folder / file.name).write_text(file.read_text())
    script = folder / beside.name
    done = subprocess.run(
        [sys.executable, "-I", script, "c.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.count("accepted")) == (0, 3)
    content = json.loads((folder / "c.json").read_text())
    content["queries"][0]["bound"] = "1"
    (folder / "c.json").write_text(json.dumps(content))
    done = subprocess.run(
        [sys.executable, "-I", script, "c.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.count("rejected")) == (1, 1)


def test_what_a_certificate_holds_is_not_sought_again(files, monkeypatch):
    folder, network = files
    queries = read_queries(folder / "queries.npz", network)
    first = certify_all(network, queries[:2], 10, folder / "c.json")
    asked = []
    monkeypatch.setattr(
        "analysis.certification.queries.decide_margin", lambda *a: asked.append(a) or first[1]
    )
    certify_all(network, queries, 10, folder / "c.json")
    assert len(asked) == 1


def test_an_interrupt_keeps_what_was_found(files, monkeypatch, capsys):
    folder, _ = files
    real = check_certificate.least_margin
    calls = []

    def interrupt(*arguments):
        calls.append(1)
        if len(calls) == 1:
            return real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr("analysis.checkers.check_certificate.least_margin", interrupt)
    np.savez(
        folder / "more.npz",
        lo=[[0.5, 0.0]] * 2 + [[0.625, 0.0]],
        hi=[[0.75, 0.25]] * 2 + [[0.75, 0.25]],
        y=[1, 1, 1],
    )
    code = run(
        "certify",
        folder / "net.safetensors",
        "--queries",
        folder / "more.npz",
        "--out",
        folder / "c.json",
    )
    assert code == 130
    printed = capsys.readouterr()
    assert "1 proved, 0 refuted, 0 unresolved, 2 not tried, of 3 queries" in printed.out
    assert "run again to go on" in printed.err
    assert len(json.loads((folder / "c.json").read_text())["queries"]) == 1


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"lo": np.zeros((1, 2)), "y": np.ones(1, int)}, "no array hi or upper"),
        (
            {"lo": np.zeros((1, 3)), "hi": np.ones((1, 3)), "y": np.ones(1, int)},
            r"lo \(lower\) must have shape \(1, 2\)",
        ),
        (
            {"lo": np.ones((1, 2)), "hi": np.zeros((1, 2)), "y": np.ones(1, int)},
            "lower must be <= upper",
        ),
        (
            {"lo": np.full((1, 2), np.nan), "hi": np.ones((1, 2)), "y": np.ones(1, int)},
            "must be finite",
        ),
        (
            {"lo": np.zeros((1, 2)), "hi": np.ones((1, 2)), "y": np.zeros(1, int)},
            r"wrong\.npz: labels must be -1 or \+1 .* got 0",
        ),
        (
            {"lo": np.zeros((1, 2)), "hi": np.ones((1, 2)), "y": np.ones(1)},
            "label must hold integers",
        ),
        (
            {"lo": np.array([["a", "b"]]), "hi": np.ones((1, 2)), "y": np.ones(1, int)},
            "lower must hold numbers",
        ),
        (
            {"lo": np.zeros((1, 2)), "hi": np.ones((1, 2)), "y": np.ones((1, 3), int)},
            r"label must have shape \(N,\), got \(1, 3\)",
        ),
        (
            {
                "lo": np.array([[2**60 + 1, 0]]),
                "hi": np.full((1, 2), 2**60 + 1),
                "y": np.ones(1, int),
            },
            r"integers up to 2\^53",
        ),
        (
            {"x": np.zeros((1, 2)), "radius": np.ones(1), "y": np.ones(1, int)},
            r"no array lo or lower, got x, radius, y \(queries are boxes; analysis.certify decides "
            r"l_2 balls, too\)",
        ),
    ],
)
def test_wrong_queries_are_refused(files, arrays, complaint):
    folder, network = files
    np.savez(folder / "wrong.npz", **arrays)
    with pytest.raises(ValueError, match=complaint):
        read_queries(folder / "wrong.npz", network)


def test_further_arrays_are_left_alone(files):
    folder, network = files
    box = {"lo": np.zeros((1, 2)), "hi": np.ones((1, 2)), "y": np.ones(1, int)}
    np.savez(folder / "more.npz", **box, eps=np.ones(1), verdict=np.array(["proved"]))
    assert len(read_queries(folder / "more.npz", network)) == 1


def test_labels_of_classes_are_checked(tmp_path):
    np.savez(tmp_path / "wrong.npz", lo=np.zeros((2, 2)), hi=np.ones((2, 2)), y=np.array([2, -1]))
    with pytest.raises(
        ValueError,
        match=r"wrong\.npz: labels must be 0\.\.2 for a network with 3 outputs, got -1 at index 1",
    ):
        read_queries(tmp_path / "wrong.npz", affine(np.ones((3, 2))))


def test_balls_and_missing_folders_are_refused_before_any_work(files, monkeypatch, capsys):
    folder, _ = files
    monkeypatch.setattr(
        "analysis.certification.queries.certify_all", lambda *_: pytest.fail("the search started")
    )
    arguments = ("certify", folder / "net.safetensors", "--queries", folder / "queries.npz")
    assert run(*arguments, "--norm", "2", "--radius", "0.1") == 2
    assert (
        "got --norm 2 and --radius 0.1 with --queries: its sets are boxes"
        in capsys.readouterr().err
    )
    assert run(*arguments, "--out", folder / "missing" / "c.json") == 2
    assert f"got no folder {folder / 'missing'}" in capsys.readouterr().err


def test_wrong_files_are_refused(files, capsys):
    folder, _ = files
    (folder / "broken.npz").write_bytes(b"PK\x03\x04 nothing")
    for name in ("broken.npz", "missing.npz"):
        assert run("certify", folder / "net.safetensors", "--queries", folder / name) == 2
    for text in (
        "{",
        "[]",
        "{}",
        '{"format": "other", "digest": ""}',
        '{"format": "cgro certificate 1", "digest": "", "network": {}}',
    ):
        (folder / "wrong.json").write_text(text)
        assert run("check-certificate", folder / "wrong.json") == 2
    run(
        "certify",
        folder / "net.safetensors",
        "--queries",
        folder / "queries.npz",
        "--out",
        folder / "c.json",
    )
    affine([[1.0, 1.0]]).save(folder / "other.safetensors")
    capsys.readouterr()
    assert (
        run("check-certificate", folder / "c.json", "--network", folder / "other.safetensors") == 2
    )
    assert "not about this network" in capsys.readouterr().err
    content = json.loads((folder / "c.json").read_text())
    content["queries"][1]["witness"] = ["1", "1"]
    (folder / "c.json").write_text(json.dumps(content))
    assert run("check-certificate", folder / "c.json") == 2
    assert "query 1: rejected" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("norm", "variant"), [("inf", "lean"), ("inf", "gate"), ("2", "lean"), ("2", "paper")]
)
def test_memorization_is_certified_from_the_command_line(tmp_path, capsys, norm, variant):
    points, labels = np.array([[0.25, 0.5], [0.75, 0.5]]), np.array([1, -1])
    f_S(affine([[1.0, 0.0]], [-0.5]), points, labels, Ball(norm, 0.0625), variant=variant).save(
        tmp_path / "f.safetensors"
    )
    np.savez(tmp_path / "data.npz", x=points, y=labels)
    arguments = (
        "certify",
        tmp_path / "f.safetensors",
        "--memorized",
        tmp_path / "data.npz",
        "--norm",
        norm,
    )
    assert run(*arguments, "--radius", 0.0625, "--out", tmp_path / "m.json", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["verdict"], facts["points"]) == ("proved", 2)
    content = json.loads((tmp_path / "m.json").read_text())
    if content["checker"] == "check_memorization.py":
        check_memorization.check(content)
        assert (
            run("check-certificate", tmp_path / "m.json", "--network", tmp_path / "f.safetensors")
            == 0
        )
        capsys.readouterr()
        compared = ["check-certificate", tmp_path / "m.json", "--network"]
        compared += [tmp_path / "f.safetensors", "--norm", norm, "--points"]
        for changed, radius, told in (
            (points[::-1], 0.0625, "holds no point of row 0 of"),
            (points, 0.0626, "is about balls of norm"),
            (points, 0.0625, "2 rows of"),
            (points[:0], 0.0625, "points must have shape (N >= 1, D), got (0, 2)"),
            (points, 0.03125, "in turn points 0, 1"),
        ):
            np.savez(tmp_path / "asked.npz", x=changed, y=labels[: len(changed)])
            status = run(*compared, tmp_path / "asked.npz", "--radius", radius)
            said = capsys.readouterr()
            assert (status, told in said.out + said.err) == (2 * ("turn" not in said.out), True)
    else:
        assert run("check-certificate", tmp_path / "m.json") == 2
    capsys.readouterr()
    np.savez(tmp_path / "data.npz", x=points, y=-labels)
    assert run(*arguments, "--radius", 0.0625, "--json") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "refuted"
    assert run(*arguments) == 2


def test_export_writes_what_other_verifiers_read(files, capsys):
    folder, network = files
    onnx, vnnlib = folder / "net.onnx", folder / "query.vnnlib"
    common = (
        "export",
        folder / "net.safetensors",
        "--onnx",
        onnx,
        "--vnnlib",
        vnnlib,
        "--queries",
        folder / "queries.npz",
    )
    assert run(*common, "--index", 1) == 0
    (part,) = read_property(vnnlib).conjuncts
    assert ([float(v) for v in part.lower], [float(v) for v in part.upper]) == (
        [0.0, 0.0],
        [0.25, 0.25],
    )
    assert part.constraints[0].outputs == ((0, -1),)
    point = torch.tensor([[0.3, 0.4]])
    assert load(onnx)(point).equal(network(point))
    assert run(*common, "--index", 9) == 2
    assert run("export", folder / "net.safetensors") == 2
    affine([[0.1]]).save(folder / "tenth.safetensors")
    assert run("export", folder / "tenth.safetensors", "--onnx", onnx) == 2
    assert run("export", folder / "tenth.safetensors", "--onnx", onnx, "--round") == 0
    assert "rounded to float32" in capsys.readouterr().err
    assert run("export", folder / "tenth.safetensors", "--onnx", onnx, "--float64") == 0


def test_pairs_are_found_in_constructed_networks_and_not_in_random_ones():
    layers, _, _, _ = cgro(5, 10)
    pairs = find_pairs(layers)
    starts = np.cumsum([0, *(len(bias) for _, bias in layers)])
    layer = np.searchsorted(starts, np.array(pairs), side="right") - 1
    assert (layer[:, 0] == layer[:, 1]).all()
    assert len({k for pair in pairs for k in pair}) == 2 * len(pairs)
    # |.|, two levels of maxima, carries, indicators, gates
    assert np.bincount(layer[:, 0]).tolist() == [50, 20, 11, 11, 11, 11]
    rng = np.random.default_rng(0)
    sizes = [3, 8, 8, 1]
    assert (
        find_pairs(
            [
                (rng.standard_normal((b, a)), rng.standard_normal(b))
                for a, b in itertools.pairwise(sizes)
            ]
        )
        == []
    )


def test_balls_around_points(tmp_path, capsys):
    """One point on the command line, or many in a file, as `certify` decides them."""
    network, certificate = tmp_path / "net.safetensors", tmp_path / "c.json"
    affine([[1.0, 0.0]], [-0.5]).save(network)
    assert (
        run("certify", network, "--point", 0.75, 0.5, "--radius", 0.125, "--out", certificate) == 0
    )
    shown = capsys.readouterr().out
    assert "label 1 in the whole l_inf ball of radius 0.125 around the point" in shown
    assert ">= 1/8 (certified bound)" in shown
    assert run("check-certificate", certificate, "--network", network) == 0
    assert "accepted as proved: margin >= 0.125" in capsys.readouterr().out
    np.savez(tmp_path / "p.npz", x=[[0.75, 0.5], [0.625, 0.5], [0.25, 0.5]], y=[1, 1, -1])
    common = ["certify", network, "--points", tmp_path / "p.npz", "--norm", 2, "--json"]
    assert run(*common, "--radius", 0.1875) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["verdict"] for row in found] == ["proved", "refuted", "proved"]
    for wrong, why in (
        (["--point", 0.75, 0.5], "--radius must be given with"),
        (["--point", 0.75, "--radius", 0.1], r"x must have shape \(..., 2\)"),
        (["--point", 0.75, 0.5, "--radius", 0.1, "--label", 3], "label"),
        (["--points", tmp_path / "p.npz", "--radius", 0.1, "--label", 1], "--label belongs to"),
    ):
        assert run("certify", network, *wrong) == 2
        assert re.search(why, capsys.readouterr().err)


def test_networks_of_ones_own_come_in_as_for_compare(tmp_path, capsys, monkeypatch):
    """Weights (what they are taken for is said), runs of any shape, factories; the certificate of
    weights is compared by layers.
    """
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 1))
    torch.save(module.state_dict(), "mine.pt")
    torch.save(nn.Sequential(nn.Conv2d(1, 2, 3)).state_dict(), "conv.pt")
    Path("factories.py").write_text(
        "import torch\ndef flat():\n    m = torch.nn.Linear(2, 1)\n"
        "    torch.nn.init.ones_(m.weight)\n    return m\n"
        "def conv():\n    return torch.nn.Conv2d(1, 2, 3)\n"
    )
    ball = ["--point", 0.5, 0.25, "--radius", 0.0078125]
    assert run("certify", "mine.pt", *ball, "--out", "c.json") == 0
    shown = capsys.readouterr()
    assert "network mine.pt, weights taken as of Linear and ReLU in turn, no" in shown.out
    expected = certify(
        module, [0.5, 0.25], Ball("inf", 0.0078125), int(module(torch.tensor([[0.5, 0.25]])).sign())
    )
    assert expected.verdict == "proved"
    assert str(said(expected.bound, "certified lower bound")) in shown.out
    assert run("check-certificate", "c.json", "--network", "mine.pt") == 0
    checked = capsys.readouterr().out
    assert "accepted as proved" in checked
    assert "network: that of the certificate, layer by layer (mine.pt)" in checked
    assert run("inspect", "mine.pt") == run("certify", "factories:flat", *ball) == 0
    few = {"final_attack": "clean", "eval_attack": "clean", "train_points": 200, "test_points": 20}
    train(TrainingConfig(epochs=1, hidden=(4,), task="parity", **few), "runs/mine")
    capsys.readouterr()
    assert run("certify", "runs/mine", "--point", *[0.5] * 64, "--radius", 0.0) == 0
    assert "1 proved" in capsys.readouterr().out
    for source, why in (
        ("conv.pt", "convolutions, which do not say the shape of an image: give a run's folder"),
        ("factories:conv", "else give a run's folder or an .onnx file"),
        ("none.pt", "NET: no file or folder none.pt"),
    ):
        assert run("certify", source, *ball) == 2
        assert why in capsys.readouterr().err


def test_an_f_s_that_is_too_large_for_one_ball_is_pointed_to_memorized(
    tmp_path, capsys, monkeypatch
):
    points = [[0.25, 0.5], [0.75, 0.5]]
    built = f_S(affine([[1.0, 0.0]], [-0.5]), points, [1, -1], Ball("inf", 0.0625))
    built.save(tmp_path / "f.safetensors")
    monkeypatch.setattr("constructions.linear.matrix.ENTRY_LIMIT", 1)
    ball = ["--point", 0.25, 0.5, "--radius", 0.0625, "--label", 1]
    assert run("certify", tmp_path / "f.safetensors", *ball) == 2
    assert "(cgro certify NET --memorized FILE.npz --radius R)" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"the limit is 1$"):  # what is no f_S is no hint
        prepare(replace(built, screen=None))


def test_units_that_are_pooled_are_no_pairs():
    """Windows that overlap have the same outgoing weights; nothing of their rows cancels."""
    weights = np.linspace(0.5, 3.0, 9)
    window = np.stack([np.append(weights, 0.0), np.append(0.0, weights)])
    mean = np.array([[0.5, 0.5]]), np.zeros(1)
    assert find_pairs([(window, np.zeros(2)), mean]) == []
    assert find_pairs([(np.array([[0.5, 1.0], [0.5, -1.0]]), np.zeros(2)), mean]) == [(0, 1)]
