"""What is wrong with a command line is said before PyTorch is loaded, which takes seconds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import analysis
from analysis import certificate_of, certify
from analysis.commands.cli import main
from constructions import Ball, affine, read_network, write_onnx

SCRIPT = """
import contextlib, io, json, sys
from analysis.commands.cli import main
found = []
for arguments in json.load(sys.stdin):
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        status = main(arguments)
    found.append([status, said.getvalue(), "torch" in sys.modules])
print(json.dumps(found))
"""

BALL = ["--radius", "0.1"]

WRONG = {
    "none.onnx --point 0 0": "NET: no file or folder none.onnx",
    "net.pt --points none.npz": "no file none.npz",
    "net.pt --memorized none.npz": "no file none.npz",
    "net.pt --queries none.npz": "no file none.npz",
    "net.pt --vnnlib none.vnnlib": "no file none.vnnlib",
    "--instances none.csv": "no file none.csv",
    "net.pt --points wide.npz": "x (points) must have shape (3, 2) (labels, and inputs of NET)",
    "net.onnx --points wide.npz": "x (points) must have shape (3, 2) (labels, and inputs of NET)",
    "net.safetensors --points flat.npz": "x (points) must have shape (3, D), got (6,)",
    "net.pt --points unlabelled.npz": "unlabelled.npz has no array y",
    "net.pt --points labels.npz": "y (labels) must be -1 or +1 for a network with 1 output, got 4",
    "net.pt --queries boxes.npz": "lo (lower) must have shape (3, 2) (labels, and inputs of NET)",
    "net.pt --point 0 0 --label 3": "--label must be -1 or +1 for a network with 1 output, got 3",
    "net.pt --point 0": "--point must have 2 numbers, as NET takes, got 1",
    "net.pt --point 0 0 --norm 2 -": "--radius must be given",
    "net.pt --point 0 0 --radius -1 -": "--radius must be finite and >= 0, got -1.0",
    "net.pt --point 0 0 --out none/c.json": "got no folder none",
    "net.pt --point 0 0 --radius 8 -": "8 / 255 = 0.0314",
    "net.pt --point 0 0 --norm 2 --radius 2 -": "the l_2 ball of radius 2 holds all of [0,1]^D",
    "net.pt --point 0 3": "--point must lie in [0,1], got 3 (divide",
    "net.pt --points far.npz": "far.npz: x (points) must lie in [0,1], got 128 in row 2 (divide",
    "net.pt --memorized near.npz": "near.npz: x (points) must lie in [0,1], got -0.05 in row 0",
    "pickled.pt --point 0 0": "NET pickled.pt holds more than tensors",
    "convolutions.pt --point 0 0": "convolutions, which do not say the shape of an image",
}

OTHER = {
    "check-certificate none.json": "No such file|no file none.json",
    "check-certificate labels.npz": "labels.npz is no certificate",
    "check-certificate other.json": "other.json is no certificate: its format is unknown",
    "check-certificate pickled.pt": "pickled.pt is no certificate: it is not text (UTF-8)",
    "check-certificate text.json": "text.json is no certificate: it is not JSON",
    "check-certificate other.json --network none.pt": "--network: no file or folder none.pt",
    "check-certificate of3.json --network net.pt": "with 3 inputs, but --network net.pt takes 2",
    "check-certificate of3.json --verified": "`make checker` builds the verified checker",
    "check-certificate of3.json --radius 0.1": "--radius belongs to --points and --network",
    "check-certificate of3.json --norm 2": "--norm belongs to --radius",
    "check-certificate none.of.json": "holds no query, so it proves nothing",
    "inspect pickled.pt": "NET pickled.pt holds more than tensors",
    "inspect net.pt --plot a.txt": "figures are written as .svg, .png or .pdf, got a.txt",
    "regions net.pt --plot a.txt": "figures are written as .svg, .png or .pdf, got a.txt",
    "count --points 0": "dimensions >= 4, from where the closed forms hold, got N=0, D=64",
    "count --hidden 0": "hidden must hold widths >= 1, got 0",
    "count --plot a.txt": "figures are written as .svg, .png or .pdf, got a.txt",
    "count --latex none/a.tex": "no folder none for a.tex",
    "export net.pt --onnx none/a.onnx": "no folder none for a.onnx",
    "evaluate none": "none holds no run",
    "train --resume none": "none holds no run",
    "train --data none": "data must be digits, mnist, cifar10, or the path",
    "train --radius 8": "8 / 255 = 0.0314",
    "sweep --data none": "data must be digits, mnist, cifar10, or the path",
    "compare --data none": "data must be digits, mnist, cifar10, or the path",
    "compare --radius 8": "below half the separation of the data: the l_inf ball of radius 8 holds",
    "compare --radius 9 --norm 2": "the l_2 ball of radius 9 holds all of [0,1]^D",
    "verify --only none": "only must name statements",
    "verify --jobs 0": "--jobs must be at least 1, got 0",
    "inspect none.onnx": "NET: no file or folder none.onnx",
    "regions none.onnx": "NET: no file or folder none.onnx",
    "export none.onnx --onnx a.onnx": "NET: no file or folder none.onnx",
}


def certifying(words):
    """The arguments of a command line; with the usual radius where it needs one."""
    words = words.split()
    balls = {"--point", "--points", "--memorized"} & {*words} and "-" not in words
    return ["certify", *(word for word in words if word != "-"), *(BALL if balls else [])]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("asked")
    module = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    torch.save(module.state_dict(), found / "net.pt")
    torch.save({"0.weight": torch.zeros(2, 1, 2, 2)}, found / "convolutions.pt")
    write_onnx(affine([[1.0, 2.0]]), found / "net.onnx")
    affine([[1.0, 2.0]]).save(found / "net.safetensors")
    x, y = np.full((3, 2), 0.5), np.array([1, -1, 1])
    np.savez(found / "wide.npz", x=np.full((3, 3), 0.5), y=y)
    np.savez(found / "flat.npz", x=x.ravel(), y=y)
    np.savez(found / "unlabelled.npz", x=x)
    np.savez(found / "labels.npz", x=x, y=[1, -1, 4])
    np.savez(found / "boxes.npz", lo=np.zeros((3, 3)), hi=np.ones((3, 3)), y=y)
    far = x.copy()
    far[2, 1] = 128
    np.savez(found / "far.npz", x=far, y=y)
    np.savez(found / "near.npz", x=x - 0.55, y=y)
    torch.save(module, found / "pickled.pt")
    three = {"format": "cgro certificate 1", "network": {"inputs": 3}}
    (found / "of3.json").write_text(json.dumps(three))
    whole = certificate_of([certify(affine([[1.0, 2.0]]), [0.5, 0.5], Ball("inf", 0.125), 1)])
    (found / "none.of.json").write_text(json.dumps(whole | {"queries": []}))
    (found / "text.json").write_text("no JSON")
    (found / "other.json").write_text('{"kind": "other"}')
    return found


def test_bad_input_is_named_without_torch(folder):
    asked = [certifying(words) for words in WRONG] + [words.split() for words in OTHER]
    root = Path(analysis.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(asked),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root), "CGRO_CHECKER": "none"},
        capture_output=True,
        text=True,
        check=True,
    )
    wanted = [*WRONG.values(), *OTHER.values()]
    for arguments, rule, (status, said, loaded) in zip(
        asked, wanted, json.loads(done.stdout), strict=True
    ):
        assert status == 2, arguments
        assert any(text in said for text in rule.split("|")), (arguments, said)
        assert not loaded, arguments


def test_what_weights_are_taken_for_is_in_the_answer(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    np.savez("points.npz", x=[[0.5, 0.5]], y=[1])
    np.savez("queries.npz", lo=[[0.5, 0.5]], hi=[[0.5, 0.5]], y=[1])
    Path("a.vnnlib").write_text(
        "(declare-const X_0 Real)\n(declare-const X_1 Real)\n(declare-const Y_0 Real)\n"
        "(assert (>= X_0 0))\n(assert (<= X_0 1))\n(assert (>= X_1 0))\n(assert (<= X_1 1))\n"
        "(assert (>= Y_0 1000))\n"
    )
    taken = "if yours are not ReLU, this is not your network"
    for arguments in (
        ["--point", "0.5", "0.5", *BALL],
        ["--points", "points.npz", *BALL],
        ["--queries", "queries.npz"],
        ["--vnnlib", "a.vnnlib"],
    ):
        assert main(["certify", "net.pt", *arguments]) == 0
        assert "network net.pt, weights taken as of Linear and ReLU in turn, no" in (
            shown := capsys.readouterr().out
        )
        assert taken in shown
        assert main(["certify", "net.pt", *arguments, "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        for each in facts if isinstance(facts, list) else [facts]:
            assert each["network"].endswith(taken)
    assert main(["certify", "net.safetensors", "--point", "0.5", "0.5", *BALL, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["network"] == "net.safetensors"


def test_modules_with_other_activations_are_refused():
    with pytest.raises(TypeError, match=r"Tanh.* not piecewise linear"):
        read_network(nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)))
