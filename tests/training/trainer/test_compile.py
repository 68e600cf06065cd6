"""Training with `compile` gives what training without it does."""

from dataclasses import replace

import lightning_fabric  # noqa: F401  (it wraps torch.compile, once)
import pytest
import torch

from training import Dataset, TrainingConfig, train

CONFIG = TrainingConfig(
    model="lenet5",
    width=0.1,
    radius=0.1,
    attack="pgd2",
    epochs=1,
    batch_size=4,
    eval_attack="clean",
    final_attack="clean",
    device="cpu",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "graphs"), [("lenet5", False), ("lenet5", True), ("resnet9", False)]
)
def test_compiled_steps_are_the_same(model, graphs, tmp_path, monkeypatch):
    """Traced, with gradients, by the backend that runs the same operations; what builds code for
    them (Inductor) rounds otherwise, and takes minutes.
    """
    used = []

    def traced(module, **options):  # by the worker, and again with its options by Fabric
        used.append(options.pop("mode", "as before"))
        return compiler(module, **options | {"backend": "aot_eager"})

    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", traced)
    images = torch.randint(0, 256, (8, 1, 12, 12), dtype=torch.uint8)
    data = Dataset.from_tensors(images, torch.arange(8) % 2, images, torch.arange(8) % 2)
    config = replace(CONFIG, model=model)
    plain = train(config, tmp_path / "plain", data=data).weights()
    assert not used
    config = replace(config, compile=True, cuda_graphs=graphs)
    found = train(config, tmp_path / "compiled", data=data).weights()
    assert used == ["reduce-overhead" if graphs else None, "as before"]
    assert found.keys() == plain.keys()
    assert all(torch.equal(value, plain[name]) for name, value in found.items())


def test_without_a_compiler_it_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ValueError, match=r"compile must be False on this machine: .* C\+\+"):
        train(replace(CONFIG, compile=True), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_cuda_graphs_are_those_of_compiled_steps():
    with pytest.raises(ValueError, match="cuda_graphs must be False without compile"):
        replace(CONFIG, cuda_graphs=True)
