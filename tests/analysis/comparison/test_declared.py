"""What files declare: the same errors as of reading them in full, but before PyTorch is loaded."""

import contextlib
import functools
import itertools
import os
import pickle
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from analysis import CompareSettings
from analysis.commands.cli import main
from analysis.comparison.comparison import with_own
from analysis.comparison.declared import LAYERS, check_declared
from analysis.comparison.own import read_own
from constructions import read_network, write_onnx
from training import build_model, load_data

SETTINGS = CompareSettings()


def layers(*widths):
    torch.manual_seed(0)
    found = []
    for a, b in itertools.pairwise(widths):
        found += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*found[:-1]).eval()


class Executed:
    """What would write a file if it were unpickled."""

    def __reduce__(self):
        return open, ("executed.txt", "w")


def zipped(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", content)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder of files of networks."""
    folder = tmp_path_factory.mktemp("networks")
    with contextlib.chdir(folder):
        write_files()
    return folder


@pytest.fixture
def folder(files, monkeypatch):
    """The same, being the current folder."""
    monkeypatch.chdir(files)
    return files


def write_files():
    """Networks that fit, that do not, and what is none."""
    good = layers(64, 12, 6, 1)
    held = good.state_dict()
    for name, module in {
        "good": good,
        "shape": layers(32, 12, 1),
        "outputs": layers(64, 12, 7),
        "logits": layers(64, 2),
        "classes": layers(64, 10),
        "deep": layers(*[64] * 7, 1),
        "flat": nn.Sequential(nn.Flatten(), nn.Linear(64, 1)),
    }.items():
        torch.save(module.state_dict(), f"{name}.pt")
        torch.save({"epoch": 3, "state_dict": module.state_dict()}, f"{name}.pth")
        save_file(module.state_dict(), f"{name}.safetensors")
        if name != "flat":
            write_onnx(read_network(module), f"{name}.onnx")
            read_network(module).save(f"{name}-own.safetensors")
    torch.save(good, "whole.pt")
    torch.save({"state_dict": Executed()}, "bad.pt")
    zipped("worse.pt", pickle.dumps(Executed()))
    zipped("number.pt", pickle.dumps(3))
    torch.save({k: v for k, v in held.items() if not k.startswith("2.")}, "missing.pt")
    torch.save({k: v for k, v in held.items() if k != "2.bias"}, "bias.pt")
    torch.save({**held, "2.weight": torch.zeros(6, 11)}, "chain.pt")
    torch.save({"conv.weight": torch.zeros(2, 1, 3, 3)}, "conv.pt")
    torch.save({}, "empty.pt")
    torch.save([1, 2], "list.pt")
    torch.save(dict(good.named_parameters()), "parameters.pt")
    torch.save(held, "old.pt", _use_new_zipfile_serialization=False)
    for name in ("text.pt", "text.onnx", "text.safetensors", "program.pt2"):
        Path(name).write_text("hello")


def said(call):
    try:
        call()
    except (ValueError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


@functools.cache
def data():
    return [load_data("digits", task) for task in SETTINGS.tasks]


def in_full(name):
    return said(lambda: with_own(SETTINGS, data(), {"learned": name}))


LATER = {"text.pt", "text.onnx", "program.pt2", "list.pt", "number.pt", "old.pt"}
"""What only reading in full tells."""


def test_what_is_declared_is_what_reading_says(folder):
    early, silent = 0, set()
    for path in sorted(folder.iterdir()):
        found = said(lambda name=path.name: check_declared(replace(SETTINGS, model=name)))
        full = in_full(path.name)
        if not found:
            silent |= {path.name} if full else set()
            continue
        # of a wrong shape the operation speaks that fails, or the check before it
        differs = path.stem == "shape" or path.name in ("conv.pt", "empty.pt")
        assert found == full or (differs and full), (path.name, found, full)
        early += 1
    own = {"shape-own.safetensors", "outputs-own.safetensors", "logits-own.safetensors"}
    assert silent <= LATER | own
    assert early >= 20
    assert not (folder / "executed.txt").exists()


REFUSED = {
    "none.pt": "model: no file or folder none.pt",
    "shape.pt": "model must have 64 inputs, the numbers of an image, got 32",
    "shape.onnx": "model must have 64 inputs, the numbers of an image, got 32",
    "outputs.safetensors": r"model must have outputs 1 .parity. or 10 .classes., got 7",
    "logits.onnx": r"got 2 \(two logits: wrap them as logit\[1\] - logit\[0\]\)",
    "missing.pt": "got 0, 4 .a layer may be missing",
    "bias.pt": "lacks or has too much: 2.bias",
    "chain.pt": "layer 2 takes 11 numbers, but layer 0 gives 12",
    "whole.pt": "holds more than tensors",
    "worse.pt": "holds more than tensors",
    "conv.pt": "of no known model",
    "text.safetensors": "not a readable safetensors",
}


def test_the_command_says_it_without_pytorch(folder):
    program = (
        "import sys\nfrom analysis.commands.cli import main\n"
        "for name in sys.argv[1:]:\n"
        "    code = main(['compare', '--model', name, '--out', 'out'])\n"
        "    print(name, code, 'torch' in sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", program, *REFUSED]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    said = done.stderr
    for name, why in REFUSED.items():
        now, told, said = said.partition(f"{name} 2 False\n")
        assert told, done.stderr
        assert re.search(why, now)
    assert done.stdout == said == ""
    assert not (folder / "out").exists()


def test_two_networks_must_fit_one_task(folder, capsys):
    given = replace(SETTINGS, model="good.pt", clean="classes.onnx")
    assert "model and clean must have outputs" in said(lambda: check_declared(given))
    check_declared(replace(given, clean="good.onnx"))
    check_declared(replace(SETTINGS, model="classes.pt", tasks=("classes",)))
    parity = replace(SETTINGS, model="classes.pt", tasks=("parity",))
    assert said(lambda: check_declared(parity)).endswith("outputs 1 (parity), got 10")
    check_declared(replace(SETTINGS, model="nowhere:made", data="some/folder"))
    check_declared(replace(SETTINGS, model="outputs.pt", data="some/folder"))  # told later
    assert main(["compare", "--model", "good.pt", "--clean", "whole.pt"]) == 2
    assert "cgro compare: clean whole.pt holds more than tensors" in capsys.readouterr().err


def test_points_of_an_onnx_graph_are_no_inputs(tmp_path):
    """Whatever its first axis is: open, one, or the number of points."""
    for batch in ("n", 1, 5):
        network = read_network(layers(64, 1))
        write_onnx(network, tmp_path / "net.onnx")
        model = onnx.load(tmp_path / "net.onnx")
        for value in (model.graph.input[0], model.graph.output[0]):
            axis = value.type.tensor_type.shape.dim[0]
            axis.Clear()
            setattr(axis, "dim_param" if batch == "n" else "dim_value", batch)
        onnx.save(model, tmp_path / "net.onnx")
        check_declared(replace(SETTINGS, model=str(tmp_path / "net.onnx")))


@pytest.mark.parametrize("kind", LAYERS)
def test_models_of_this_library_are_known(kind, tmp_path):
    for width in (0.5, 1.0):
        model = build_model(kind, (1, 28, 28), 10, width=width)
        torch.save(model.state_dict(), tmp_path / "w.pt")
        save_file(model.state_dict(), tmp_path / "w.safetensors")
        for name in ("w.pt", "w.safetensors"):
            path = str(tmp_path / name)
            check_declared(replace(SETTINGS, model=path, data="mnist"))
            alone = replace(SETTINGS, model=path, data="mnist", tasks=("parity",))
            assert "must have outputs 1 (parity), got 10" in said(lambda s=alone: check_declared(s))
            assert read_own(path, (1, 28, 28))[0].outputs == 10


def test_a_deep_network_in_safetensors_is_read_in_its_order(folder):
    """Its names are sorted as words there: 0, 10, 12, 2, ..."""
    points = torch.rand(3, 64)
    expected = layers(*[64] * 7, 1)(points)
    network, _ = read_own("deep.safetensors", (1, 8, 8))
    assert np.allclose(network(points).numpy(), expected.detach().numpy(), atol=1e-6)
