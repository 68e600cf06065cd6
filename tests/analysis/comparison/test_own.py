"""Networks of the user's own in the comparison: how they come in, and what is refused."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from analysis import CompareSettings, compare, write_report
from analysis.commands.comparing import print_comparison
from analysis.comparison.own import UNNAMED, read_own
from analysis.pages.drawing import save_figure
from constructions import read_network, write_onnx
from training import TrainingConfig, build_model, train

SHAPE = (1, 8, 8)
FEW = CompareSettings(
    clean_epochs=2,
    clean_widths=(8,),
    attack_steps=1,
    constructed_attack_steps=1,
    certify_seconds=2.0,
    attacked_points=40,
    sampled_points=20,
    flat_points=1,
)


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 1))


@pytest.fixture(scope="module")
def points():
    return torch.rand(5, 64, generator=torch.Generator().manual_seed(0))


def test_all_ways_in_give_the_same(module, points, tmp_path, monkeypatch):
    torch.save(module.state_dict(), tmp_path / "a.pt")
    torch.save({"epoch": 3, "state_dict": module.state_dict()}, tmp_path / "b.pth")
    save_file(module.state_dict(), tmp_path / "c.safetensors")
    write_onnx(read_network(module), tmp_path / "d.onnx")
    read_network(module).save(tmp_path / "e.safetensors")
    (tmp_path / "mine.py").write_text(
        "import torch\ndef made():\n    import pathlib\n    m = torch.nn.Sequential(torch.nn.Linear"
        "(64, 12), torch.nn.ReLU(), torch.nn.Linear(12, 6), torch.nn.ReLU(), torch.nn.Linear(6, 1))"
        "\n    m.load_state_dict(torch.load('a.pt', weights_only=True))\n    return m\n"
    )
    monkeypatch.chdir(tmp_path)
    expected = module(points)
    for source in ("a.pt", "b.pth", "c.safetensors", "d.onnx", "e.safetensors", "mine:made"):
        network, said = read_own(source, SHAPE)
        taken = f", weights taken as of Linear and ReLU in turn, {UNNAMED}"
        assert said == source + taken * (source in ("a.pt", "b.pth", "c.safetensors"))
        assert torch.allclose(network(points), expected, atol=1e-6), source
    assert torch.allclose(read_own(module, SHAPE)[0](points), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["mlp", "lenet5", "strided"])
def test_weights_of_the_models_of_this_library(kind, tmp_path):
    model = build_model(kind, (1, 28, 28), 10, width=0.5, seed=3).eval()
    torch.save(model.state_dict(), tmp_path / "w.pt")
    images = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    network, said = read_own(tmp_path / "w.pt", (1, 28, 28))
    assert said.endswith(f"{'Linear and ReLU in turn' if kind == 'mlp' else kind}, {UNNAMED}")
    assert torch.allclose(network(images.flatten(1)), model(images), atol=1e-5)


def test_a_run(tmp_path):
    few = {"final_attack": "clean", "eval_attack": "clean", "train_points": 200, "test_points": 40}
    run = train(TrainingConfig(epochs=1, hidden=(8,), **few), tmp_path / "run")
    network, said = read_own(tmp_path / "run", SHAPE)
    images = run.dataset().test_points[:4]
    assert said == str(tmp_path / "run")
    expected = run.model()(images.float()).double()
    assert torch.allclose(network(images.double().flatten(1)), expected, atol=1e-5)


class Executed:
    """What would write a file if it were unpickled."""

    def __reduce__(self):
        return open, ("executed.txt", "w")


def test_what_is_refused(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(module, "whole.pt")
    torch.save({"state_dict": Executed()}, "bad.pt")
    held = module.state_dict()
    torch.save({k: v for k, v in held.items() if not k.startswith("2.")}, "missing.pt")
    torch.save({k: v for k, v in held.items() if k != "2.bias"}, "bias.pt")
    torch.save({**held, "2.weight": torch.zeros(6, 11)}, "chain.pt")
    torch.save({"conv.weight": torch.zeros(2, 1, 3, 3)}, "conv.pt")
    torch.save([1, 2], "list.pt")
    torch.save({"model": held, "epoch": 3}, "nested.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:300])
    (tmp_path / "cut.safetensors").write_bytes(b"1234")
    for file, why in {
        "whole.pt": "holds more than tensors",
        "bad.pt": "holds more than tensors",
        "cut.pt": "holds more than tensors, or is damaged",
        "cut.safetensors": "not a readable safetensors",
        "list.pt": "must hold a state_dict of tensors, or give",
        "nested.pt": "must hold a state_dict of tensors; save its entry 'model' alone, or give",
        "missing.pt": "got 0, 4 .a layer may be missing",
        "bias.pt": "lacks or has too much: 2.bias",
        "chain.pt": "layer 2 takes 11 numbers, but layer 0 gives 12",
        "conv.pt": "of no known model",
        "nowhere:made": "cannot be imported",
        "torch:nothing_of_this_name": "cannot be imported",
    }.items():
        with pytest.raises(ValueError, match=why):
            read_own(file, SHAPE)
    with pytest.raises(FileNotFoundError, match=r"model: no file or folder nothing\.pt"):
        read_own("nothing.pt", SHAPE)
    assert not (tmp_path / "executed.txt").exists()


def errors_alone(draw, folder, name):
    """The figure of errors, light; others, and dark ones, are drawn in other tests."""
    if name.endswith("errors"):
        save_figure(draw(), folder / f"{name}.svg")
    return {"light": "data:,", "dark": "data:,"}


def test_a_comparison_of_an_own_network(module, tmp_path, capsys, monkeypatch):
    """It is not trained, only the task of its outputs is compared, and what is measured is its."""
    torch.save(module.state_dict(), tmp_path / "own.pt")
    before = {k: v.clone() for k, v in module.state_dict().items()}
    found = compare(FEW, model=module, runs=tmp_path / "runs")
    assert [task.task for task in found.tasks] == ["parity"]
    (task,) = found.tasks
    assert task.models["learned"].description == "given: Sequential"
    assert task.learned == task.called("learned") == "the given Sequential"
    assert task.called("f_clean") == "f_clean"
    assert task.models["learned"].size == read_network(module).size
    assert (tmp_path / "runs" / "parity-f_clean").exists()
    assert not (tmp_path / "runs" / "parity-learned").exists()
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    clean = nn.Linear(64, 1)
    both = compare(
        replace(FEW, model=str(tmp_path / "own.pt"), certify_seconds=0.0, tasks=("parity",)),
        clean=clean,
    )
    (again,) = both.tasks
    assert again.models["f_clean"].description == "given: Linear"
    own = f"own.pt, weights taken as of Linear and ReLU in turn, {UNNAMED}"
    assert again.models["learned"].description == f"given: {own}"
    assert again.models["learned"].errors.test.clean == task.models["learned"].errors.test.clean
    assert both.settings.model == own
    print_comparison(both, tmp_path / "report.html")
    assert f"learned: given, {own}" in capsys.readouterr().out
    assert both.to_json()["settings"]["model"] == own
    monkeypatch.setattr("analysis.comparison.report.embedded", errors_alone)
    page = write_report(both, tmp_path / "page").read_text()
    assert "<h1>Does own.pt behave like f_S?</h1>" in page
    assert ">own.pt</th><td>" in page
    assert "learned network" not in page
    assert "own.pt" in (tmp_path / "page" / "figures" / "parity-errors.svg").read_text()
    with pytest.raises(ValueError, match=r"model must have outputs 10 \(classes\), got 1"):
        compare(replace(FEW, tasks=("classes",)), model=module)
    with pytest.raises(ValueError, match=r"model must have outputs .*, got 7"):
        compare(FEW, model=nn.Linear(64, 7))
    with pytest.raises(ValueError, match="neither images nor flat rows go through"):
        compare(FEW, model=nn.Linear(63, 1))
