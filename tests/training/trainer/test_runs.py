"""Training runs: reproducible, resumable after any interruption, in files that cannot harm."""

import json
import math
import os
import pickle
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch
from torch import nn

from constructions import Ball
from training import (
    LOSSES,
    MODELS,
    Dataset,
    Run,
    TrainingConfig,
    evaluate,
    load_data,
    mlp,
    train,
)
from training.trainer.config import PRECISIONS
from training.trainer.run import chosen, data_facts, moments, same_data
from training.trainer.worker import Worker

SMALL = TrainingConfig(
    hidden=(24,),
    epochs=4,
    radius=0.05,
    attack="pgd2",
    eval_attack="pgd2",
    final_attack="pgd3x2",
    eval_points=60,
    batch_size=64,
)


@pytest.fixture(scope="module")
def digits():
    return load_data("digits", "classes").subset(300, 100, seed=0)


@pytest.fixture(scope="module")
def whole(digits, tmp_path_factory):
    """An uninterrupted run."""
    return train(SMALL, tmp_path_factory.mktemp("runs") / "whole", data=digits)


def numbers(run):
    """All that a run measured, but for times."""
    lines = [*run.epochs, run.final]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


class StopError(Exception):
    """Thrown by a progress report."""


def stop_at(stage):
    def report(progress):
        if progress.stage.startswith(stage):
            raise StopError

    return report


# -- results ---------------------------------------------------------------------------------------


def test_runs_are_reproducible_bit_for_bit_and_seeds_matter(whole, digits, tmp_path):
    again, other = (
        train(replace(SMALL, seed=seed), tmp_path / str(seed), data=digits) for seed in (0, 1)
    )
    assert numbers(again) == numbers(whole)
    assert numbers(other) != numbers(whole)
    assert whole.status == "finished"
    first, second = whole.weights(), again.weights()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_measurement_at_the_end_has_kinds(whole, tmp_path):
    for part in ("test", "train", "train_sample"):
        found = whole.evaluation(part)
        assert {**vars(found)} == {name: whole.final[part][name] for name in vars(found)}
    assert whole.evaluation() == whole.evaluation("test")
    assert "right under attack <= " in repr(whole.evaluation())
    with pytest.raises(ValueError, match=r"train_sample, test\), got 'all'"):
        whole.evaluation("all")
    begun = Run.create(tmp_path / "run", SMALL, {})
    with pytest.raises(ValueError, match="none yet: the run is unfinished"):
        begun.evaluation()


def test_a_run_read_again_is_the_same(whole, digits):
    again = Run.load(whole.folder)
    assert again == whole
    assert again.config == SMALL
    x = digits.test_points.float()
    assert torch.equal(again.model()(x), whole.model()(x))
    result = evaluate(
        again.model(), digits.test_points, digits.test_labels, SMALL.ball, SMALL.final_attack
    )
    assert {key: whole.final["test"][key] for key in ("accuracy", "robust_accuracy", "points")} == {
        "accuracy": result.accuracy,
        "robust_accuracy": result.robust_accuracy,
        "points": 100,
    }


def test_runs_on_a_part_of_the_data(digits, tmp_path):
    part = train(replace(SMALL, epochs=1, train_points=300, test_points=100), tmp_path / "part")
    assert numbers(part) == numbers(
        train(replace(SMALL, epochs=1), tmp_path / "given", data=digits)
    )
    assert torch.equal(Run.load(tmp_path / "part").dataset().test_points, digits.test_points)
    with pytest.raises(ValueError, match=r"train_points must be in 1\.\.1437"):
        train(replace(SMALL, train_points=1438), tmp_path / "more")
    with pytest.raises(ValueError, match="test_points must be greater than or equal to 1, got 0"):
        replace(SMALL, test_points=0)


def test_the_best_epoch_is_chosen_on_points_held_out(tmp_path):
    config = replace(
        *(SMALL,), train_points=200, validation_points=100, test_points=100, keep=100, epochs=6
    )
    config = replace(config, learning_rate=0.3, schedule="constant", seed=1)  # the last is not best
    run = train(replace(config, stop_at_collapse=False), tmp_path / "run")
    rates = [line["validation"]["robust_accuracy"] for line in run.epochs]
    assert run.best == run.final["best_epoch"] == 1 + rates.index(max(rates)) < 5
    assert run.checkpoints() == [run.best, 5, 6]
    data = run.dataset()
    seen = torch.cat([data.train_points, data.test_points]).flatten(1)
    held = chosen(load_data("digits", "classes", config.seed), run.config)[1]
    assert len(data.train_points) == 200
    assert set(held.test_labels.bincount().tolist()) <= {9, 10, 11}  # shares, rounded
    images = held.test_points.flatten(1)
    assert not (images[:, None] == seen).all(2).any()  # digits has no image twice among these
    for part, points, epoch in (("best_test", data, run.best), ("test", data, 6)):
        found = evaluate(
            *(run.model(epoch), points.test_points, points.test_labels, SMALL.ball),
            SMALL.final_attack,
            seed=config.seed,
        )
        assert run.evaluation(part) == found
    with pytest.raises(ValueError, match="validation_points must leave training points: of 1437"):
        train(replace(config, train_points=1400), tmp_path / "more")


def test_training_learns_and_adversarial_training_makes_robust(tmp_path):
    data = load_data("digits", "parity")
    found = {}
    for name, radius in (("clean", 0.0), ("adversarial", 0.1)):
        config = TrainingConfig(
            task="parity",
            hidden=(64, 64),
            epochs=15,
            radius=radius,
            attack="pgd5",
            learning_rate=3e-3,
            eval_points=50,
        )
        run = train(replace(config, final_attack="clean"), tmp_path / name, data=data)
        assert run.epochs[-1]["training"]["loss"] < 0.7 * run.epochs[0]["training"]["loss"]
        found[name] = evaluate(
            run.model(), data.train_points[:300], data.train_labels[:300], Ball("inf", 0.1), "pgd20"
        )
    assert found["adversarial"].robust_accuracy > 0.8
    assert 1 - found["adversarial"].robust_accuracy < (1 - found["clean"].robust_accuracy) / 3


@pytest.mark.filterwarnings("ignore:this processor emulates bfloat16")
@pytest.mark.parametrize(
    "changes",
    [
        {"objective": "trades"},
        {"objective": "intervals", "interval_weight": 0.1},
        {"robust_weight": 0.5},
        {"robust_weight": 0.0},
        {"loss": "exponential", "learning_rate": 3e-3},
        {"attack": "fgsm", "norm": "2", "radius": 0.3},
        {
            "optimizer": "sgd",
            "learning_rate": 0.1,
            "schedule": "piecewise",
            "weight_decay": 5e-4,
            "clip": 1.0,
        },
        {"precision": "bfloat16"},
        {"precision": "float64"},
        {"radius": 0.0, "schedule": "constant"},
    ],
    ids=str,
)
def test_every_way_to_train_learns(changes, digits, tmp_path):
    run = train(replace(SMALL, epochs=12, **changes), tmp_path / "run", data=digits)
    assert run.epochs[-1]["training"]["loss"] < 0.8 * run.epochs[0]["training"]["loss"]
    assert run.final["train"]["accuracy"] > 0.6
    if run.config.ball.radius:
        assert run.final["test"]["robust_accuracy"] <= run.final["test"]["accuracy"]


def test_a_model_and_tensors_of_ones_own(tmp_path):
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(200, 3, generator=generator)
    labels = torch.where(points[:, 0] > points[:, 1], 1, -1)
    data = Dataset.from_tensors(points[:150], labels[:150], points[150:], labels[150:])
    model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
    config = TrainingConfig(
        epochs=30,
        batch_size=50,
        radius=0.01,
        attack="fgsm",
        final_attack="pgd5",
        learning_rate=0.05,
    )
    run = train(config, tmp_path / "run", data=data, model=model)
    assert run.final["test"]["accuracy"] > 0.85
    assert run.config.model == "custom"
    other = run.model(into=nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1)))
    assert torch.equal(other(points), model(points))
    with pytest.raises(ValueError, match="into"):
        run.model()
    with pytest.raises(ValueError, match="do not fit"):
        run.model(into=nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1)))


@pytest.mark.slow
def test_convolutions_with_augmentation_and_batch_normalisation(tmp_path):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (96,), generator=generator)
    images = torch.randint(0, 100, (96, 3, 32, 32), generator=generator, dtype=torch.uint8)
    images[labels == 1] += 100
    data = Dataset.from_tensors(images[:64], labels[:64], images[64:], labels[64:])
    config = TrainingConfig(
        model="resnet9",
        width=1 / 16,
        epochs=3,
        batch_size=16,
        radius=2 / 255,
        attack="fgsm",
        augment=True,
        final_attack="pgd2",
    )
    runs = [train(config, tmp_path / name, data=data) for name in "ab"]
    assert numbers(runs[0]) == numbers(runs[1])
    assert runs[0].final["test"]["accuracy"] > 0.9


def test_tensorboard_gets_what_is_measured(whole, digits, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = train(replace(SMALL, epochs=2), tmp_path / "run", data=digits)
    events = EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    found = [event.value for event in events.Scalars("test/accuracy")]
    assert found == pytest.approx([line["test"]["accuracy"] for line in run.epochs])


# -- interruptions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_float64_is_kept_and_resumed(optimizer, digits, tmp_path):
    config = replace(SMALL, precision="float64", optimizer=optimizer)
    whole = train(config, tmp_path / "whole", data=digits)
    # and counters
    assert {tensor.dtype for tensor in whole.weights().values()} == {torch.float64, torch.int64}
    assert all(
        torch.equal(value, whole.weights()[name])
        for name, value in whole.model().state_dict().items()
    )
    with pytest.raises(StopError):
        train(config, tmp_path / "run", data=digits, report=stop_at("epoch 3"))
    assert numbers(train(config, tmp_path / "run", data=digits, resume=True)) == numbers(whole)


def test_dropout_is_resumed_and_tied_weights_are_kept(digits, tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.last = (
                nn.Linear(64, 64),
                nn.Linear(64, 64),
                nn.Linear(64, 10),
            )
            self.second.weight, self.dropout = self.first.weight, nn.Dropout(0.5)

        def forward(self, x):
            return self.last(self.dropout(self.second(self.first(x.flatten(1)).relu()).relu()))

    torch.manual_seed(0)
    model = Tied()
    start = {name: value.clone() for name, value in model.state_dict().items()}
    whole = train(SMALL, tmp_path / "whole", data=digits, model=model)
    model.load_state_dict(start)
    with pytest.raises(StopError):
        train(SMALL, tmp_path / "run", data=digits, model=model, report=stop_at("epoch 3"))
    model.load_state_dict(start)
    assert numbers(
        train(SMALL, tmp_path / "run", data=digits, model=model, resume=True)
    ) == numbers(whole)


def test_progress_is_told_in_order_with_the_mean_loss(digits, tmp_path):
    told = []
    run = train(SMALL, tmp_path / "run", data=digits, report=told.append)
    assert [p.done for p in told] == sorted(p.done for p in told)
    assert told[-1].done == told[-1].total == 4 * 5
    assert told[-1].loss == pytest.approx(run.epochs[-1]["training"]["loss"])


@pytest.mark.parametrize("stage", ["epoch 1", "epoch 3", "measuring test", "measuring all of test"])
def test_an_interrupted_run_goes_on_to_the_same_end(stage, whole, digits, tmp_path):
    with pytest.raises(StopError):
        train(SMALL, tmp_path / "run", data=digits, report=stop_at(stage))
    assert Run.load(tmp_path / "run").status.startswith("unfinished")
    run = train(SMALL, tmp_path / "run", data=digits, resume=True)
    assert numbers(run) == numbers(whole)
    assert train(SMALL, tmp_path / "run", data=digits, resume=True) == run  # nothing is left to do


SCRIPT = """
import sys
from dataclasses import replace
from training import TrainingConfig, load_data, train
from test_runs import SMALL
data = load_data("digits", "classes").subset(300, 100, seed=0)
train(replace(SMALL, epochs=12), sys.argv[1], data=data, resume=True)
"""


def start(folder, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], env=environment, **options)


@pytest.mark.slow
def test_killed_five_times_a_run_ends_as_if_nothing_had_happened(digits, tmp_path):
    whole = train(replace(SMALL, epochs=12), tmp_path / "whole", data=digits)
    rng, killed, folder = random.Random(1), 0, tmp_path / "killed"
    for _ in range(5):
        process, seen = start(folder), len(list(folder.glob("weights/*")))
        while process.poll() is None and len(list(folder.glob("weights/*"))) == seen:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        killed += process.wait() == -signal.SIGKILL
    assert killed >= 3
    assert start(folder).wait() == 0
    assert numbers(Run.load(folder)) == numbers(whole)


@pytest.fixture(scope="module")
def stopped(digits, tmp_path_factory):
    """The folder of a run that stopped after epoch 3, of which checkpoints 2 and 3 are there."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.raises(StopError):
        train(SMALL, folder, data=digits, report=stop_at("epoch 4"))
    return folder


@pytest.mark.parametrize("kind", ["weights", "state"])
@pytest.mark.parametrize("damage", ["truncated", "emptied", "changed", "removed", "pickle"])
def test_a_damaged_checkpoint_is_noticed_and_the_one_before_used(
    kind, damage, whole, stopped, digits, tmp_path
):
    folder = tmp_path / "run"
    shutil.copytree(stopped, folder)
    path = folder / kind / "0003.safetensors"
    content = path.read_bytes()
    if damage == "removed":
        path.unlink()
    elif damage == "pickle":
        torch.save({"0.weight": torch.zeros(1)}, path)
    else:
        half = len(content) // 2
        changed = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
        path.write_bytes({"truncated": content[:half], "emptied": b"", "changed": changed}[damage])
    with pytest.warns(UserWarning, match="epoch 3 is repeated"):
        run = train(SMALL, folder, data=digits, resume=True)
    assert numbers(run) == numbers(whole)


class Payload:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("rewrite", [False, True], ids=["file", "file and digest"])
def test_a_checkpoint_with_code_in_it_is_refused(rewrite, digits, tmp_path):
    run = train(replace(SMALL, epochs=1), tmp_path / "run", data=digits)
    payload = Payload()
    payload.path = str(tmp_path / "harm")
    path = run.folder / "weights" / "0001.safetensors"
    path.write_bytes(pickle.dumps(payload))
    if rewrite:
        import hashlib

        lines = (run.folder / "metrics.jsonl").read_text().splitlines()
        first = json.loads(lines[0]) | {"weights": hashlib.sha256(path.read_bytes()).hexdigest()}
        (run.folder / "metrics.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n")
    with pytest.raises(ValueError, match=r"0001\.safetensors is"):
        Run.load(run.folder).model()
    assert not (tmp_path / "harm").exists()
    pickle.loads(pickle.dumps(payload))
    assert (tmp_path / "harm").exists()  # the payload does work


def test_a_full_disk_is_a_clear_error_and_harms_nothing(whole, digits, tmp_path):
    folder, before = tmp_path / "run", resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def shrink(progress):
        if progress.stage.startswith("epoch 3"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))

    try:
        with pytest.raises(
            OSError, match="cannot write the checkpoint of epoch 3, earlier ones are intact"
        ):
            train(SMALL, folder, data=digits, report=shrink)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(folder.glob("**/.*"))
    assert numbers(train(SMALL, folder, data=digits, resume=True)) == numbers(whole)


# -- several processes -----------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(digits, tmp_path):
    config = replace(SMALL, epochs=10, precision="float64", device="cpu")  # 50 steps
    one, two = (train(replace(config, devices=n), tmp_path / str(n), data=digits) for n in (1, 2))
    first, second = one.weights(), two.weights()
    assert all(torch.allclose(first[name], second[name], rtol=0, atol=1e-6) for name in first)
    for a, b in zip(numbers(one)[:-1], numbers(two)[:-1], strict=True):
        assert a["training"] == pytest.approx(b["training"], abs=1e-6)


@pytest.mark.slow
def test_two_processes_agree_on_what_is_measured_and_pass_on_errors(digits, tmp_path):
    def network():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10)
        )

    config, told = replace(SMALL, device="cpu", devices=2), []
    run = train(config, tmp_path / "run", data=digits, model=network(), report=told.append)
    found = evaluate(
        run.model(into=network()),
        digits.test_points,
        digits.test_labels,
        config.ball,
        config.final_attack,
    )
    assert (run.final["test"]["accuracy"], run.final["test"]["robust_accuracy"]) == (
        found.accuracy,
        found.robust_accuracy,
    )
    assert run.final["test"]["loss"] == pytest.approx(found.loss, abs=1e-6)
    assert told[-1].done == told[-1].total
    with pytest.raises(FloatingPointError):
        train(replace(config, learning_rate=1e30), tmp_path / "nan", data=digits, model=network())
    with pytest.raises(StopError):
        train(config, tmp_path / "stop", data=digits, model=network(), report=stop_at("epoch 1"))


# -- errors ----------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(tmp_path):
    class Breaks(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.calls = nn.Linear(2, 1), 0

        def forward(self, x):
            self.calls += self.training
            return self.layer(x) * (math.nan if self.calls > 6 else 1.0)

    points = torch.rand(40, 2)
    labels = torch.where(points[:, 0] > 0.5, 1, -1)
    data = Dataset.from_tensors(points, labels, points, labels)
    with pytest.raises(
        FloatingPointError,
        match="the loss became nan in step 3 of epoch 2; the checkpoint of epoch 1 is kept",
    ):
        train(
            TrainingConfig(epochs=3, batch_size=10, final_attack="clean"),
            tmp_path / "run",
            data=data,
            model=Breaks(),
        )
    assert Run.load(tmp_path / "run").checkpoints() == [1]


def test_catastrophic_overfitting_stops_the_run(digits, tmp_path, monkeypatch):
    from training.trainer import worker

    true, calls = worker.evaluate_share, []

    def falling(model, points, *rest, **named):
        calls.append(0)
        sums = true(model, points, *rest, **named)
        sums[2] = 0 if len(calls) == 2 * collapse - 1 else sums[0]  # training points of that epoch
        return sums

    monkeypatch.setattr(worker, "evaluate_share", falling)
    for collapse in (3, 4):
        calls.clear()
        run = train(SMALL, tmp_path / str(collapse), data=digits)
        assert len(run.epochs) == collapse
        assert run.status.startswith(
            "stopped: catastrophic overfitting: robust training accuracy fell from"
        )
        assert run.final["epoch"] == run.epoch == collapse - 1
        before = run.weights(collapse - 1)
        assert all(
            torch.equal(value, before[name]) for name, value in run.model().state_dict().items()
        )
    calls.clear()
    assert (
        len(train(replace(SMALL, stop_at_collapse=False), tmp_path / "on", data=digits).epochs) == 4
    )


@pytest.mark.parametrize(
    ("before", "now", "points", "stops"),
    [
        (0.64, 0.36, 25, False),  # two standard errors of 25 points are 27 percent points
        (0.64, 0.36, 1000, True),
        (0.64, 0.45, 100_000, False),
        (1.0, 0.0, 25, True),
    ],
)
def test_a_fall_within_the_noise_of_few_points_is_no_collapse(before, now, points, stops):
    epochs = [{"train": {"robust_accuracy": share, "points": points}} for share in (before, now)]
    worker = SimpleNamespace(config=SMALL, run=SimpleNamespace(epochs=epochs))
    assert (Worker.collapsed(worker) is not None) is stops


def test_runs_are_read_with_any_number_of_threads(digits, whole):
    facts = {**whole.about["data"], "mean": [0.3], "std": [0.4]}  # rounded otherwise
    assert same_data(facts, data_facts(digits))
    assert not same_data({**facts, "sha256": ""}, data_facts(digits))
    with pytest.raises(ValueError, match="not those that"):
        whole.dataset()  # the run has a part of them


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"config": {}}, TypeError, "config must be a TrainingConfig, got dict"),
        ({"data": (1, 2)}, TypeError, "data must be a Dataset, got tuple"),
        ({"model": nn.Linear}, TypeError, "model must be a Module, got type"),
        (
            {"model": nn.Sequential(nn.Flatten(), mlp([64, 10])).requires_grad_(False)},
            ValueError,
            "require gradients",
        ),
    ],
)
def test_wrong_arguments_are_named(changes, error, message, digits, tmp_path):
    with pytest.raises(error, match=message):
        train(**{"config": SMALL, "folder": tmp_path / "run", "data": digits} | changes)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("entry", ["eval_attack", "final_attack"])
def test_a_missing_package_is_noticed_before_training(entry, digits, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyautoattack", None)
    with pytest.raises(ImportError, match=r"pip install 'cgro\[autoattack\]'"):
        train(replace(SMALL, **{entry: "autoattack"}), tmp_path / "run", data=digits)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"ball": 0.1}, TypeError, "ball must be a Ball, got float"),
        (
            {"loss": "hinge"},
            ValueError,
            "loss must be one of cross-entropy, exponential, got 'hinge'",
        ),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"labels": torch.full((5,), 10)}, ValueError, r"labels must be 0\.\.9"),
        ({"labels": torch.zeros(5)}, ValueError, "labels must be integers"),
    ],
)
def test_wrong_arguments_of_evaluate_are_named(changes, error, message):
    arguments = {
        "points": torch.rand(5, 3),
        "labels": torch.zeros(5, dtype=torch.int64),
        "ball": Ball("inf", 0.1),
    }
    with pytest.raises(error, match=message):
        evaluate(mlp([3, 10]), **arguments | changes)


@pytest.mark.parametrize(
    ("outputs", "labels", "advice"),
    [
        (1, [0, 1], r"for one output use -1/\+1, such as 2 \* labels - 1"),
        (2, [-1, 1], r"for two outputs use 0/1, such as \(labels \+ 1\) // 2"),
    ],
)
def test_binary_labels_for_another_number_of_outputs(outputs, labels, advice, tmp_path):
    points = torch.rand(2, 3)
    data = Dataset.from_tensors(points, labels, points, labels)
    config = replace(SMALL, batch_size=2)
    with pytest.raises(ValueError, match=advice):
        train(config, tmp_path / "run", data=data, model=mlp([3, 4, outputs]))
    with pytest.raises(ValueError, match="labels"):
        evaluate(mlp([3, 4, outputs]), points, torch.tensor(labels), Ball("inf", 0.1))


def test_errors_before_any_work(digits, tmp_path, whole):
    folder = tmp_path / "run"
    with pytest.raises(
        ValueError, match="batch_size must be at most the number of points 300, got 301"
    ):
        train(replace(SMALL, batch_size=301), folder, data=digits)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device 'cuda' needs a GPU, and PyTorch finds none"):
            train(replace(SMALL, device="cuda"), folder, data=digits)
    with pytest.raises(ValueError, match="model must give outputs"):
        train(SMALL, folder, data=digits.flat(torch.float32), model=mlp([64, 3]))
    with pytest.raises(ValueError, match="model must read points"):
        train(SMALL, folder, data=digits.flat(torch.float32), model=mlp([63, 10]))
    with pytest.raises(ValueError, match="model must be given"):
        train(replace(SMALL, model="custom"), folder, data=digits)
    assert not folder.exists()
    with pytest.raises(FileExistsError, match="holds a run already: resume it"):
        train(SMALL, whole.folder, data=digits)
    with pytest.raises(ValueError, match=r"other values: seed \(0, now 1\)"):
        train(replace(SMALL, seed=1), whole.folder, data=digits, resume=True)
    with pytest.raises(ValueError, match="other data"):
        train(SMALL, whole.folder, data=digits.subset(200, 100, seed=0), resume=True)
    with pytest.raises(FileNotFoundError, match="holds no run"):
        Run.load(tmp_path / "none")
    with pytest.raises(ValueError, match="epoch must be one of"):
        whole.model(99)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": "cgro run 1"}', '{"format": "cgro run 2", "config": {}}']
)
def test_damaged_configurations_are_errors(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config\.json"):
        Run.load(tmp_path)


@pytest.mark.parametrize("text", ["{", '{"epoch": 2}', "3"])
def test_damaged_metrics_are_errors(text, whole, tmp_path):
    (tmp_path / "config.json").write_text((whole.folder / "config.json").read_text())
    (tmp_path / "metrics.jsonl").write_text(text)
    with pytest.raises(ValueError, match=r"metrics\.jsonl is damaged"):
        Run.load(tmp_path)


# -- configurations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"epochs": 0}, "epochs must be greater than or equal to 1, got 0"),
        ({"radius": -0.1}, "radius must be"),
        ({"radius": math.nan}, "radius must be"),
        ({"batch_size": 0}, "batch_size must be greater than or equal to 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be greater than 0, got 0.0"),
        ({"learning_rate": math.nan}, "learning_rate must be less than inf, got nan"),
        ({"norm": 3}, "norm must be 2 or 'inf', got 3"),
        ({"model": "vgg"}, "model must be 'mlp', .* or 'custom', got 'vgg'"),
        ({"loss": "hinge"}, "loss must be 'cross-entropy' or 'exponential', got 'hinge'"),
        ({"attack": "pgd"}, "attack must be"),
        ({"attack": "pgd5x2"}, "attack must be fgsm or pgdK for training"),
        ({"attack": "clean"}, "attack must be fgsm or pgdK for training"),
        ({"robust_weight": 1.5}, "robust_weight must be less than or equal to 1, got 1.5"),
        ({"task": "colour"}, "task"),
        ({"seed": -1}, "seed must be greater than or equal to 0, got -1"),
        ({"trades_beta": math.nan}, "trades_beta must be less than inf, got nan"),
        ({"trades_beta": -1.0}, "trades_beta must be greater than or equal to 0, got -1.0"),
        ({"interval_weight": 2}, "interval_weight must be less than or equal to 1, got 2"),
        ({"hidden": [8, 0]}, r"hidden\[1\] must be greater than or equal to 1, got 0"),
        ({"learning_rte": 1}, r"unknown entry 'learning_rte' \(did you mean 'learning_rate'\?\)"),
    ],
)
def test_wrong_entries_are_errors(entries, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig.from_mapping(entries)


def test_numbers_of_numpy_are_numbers():
    assert TrainingConfig(radius=np.float64(0.1), epochs=np.int64(2)) == TrainingConfig(
        radius=0.1, epochs=2
    )


@pytest.mark.parametrize(
    "entries",
    [
        {"epochs": 1.5},
        {"epochs": True},
        {"hidden": [1.5]},
        {"hidden": 8},
        {"model": 3},
        {"radius": "0.1"},
        {"radius": True},
        {"augment": 1},
        {"clip": "no"},
    ],
)
def test_entries_of_another_type_are_errors(entries):
    (name,) = entries
    with pytest.raises(TypeError, match=name):
        TrainingConfig.from_mapping(entries)


def test_the_words_of_the_configuration_are_those_of_the_tables():
    hints = get_type_hints(TrainingConfig)
    assert set(get_args(hints["model"])) == {*MODELS, "custom"}
    assert set(get_args(hints["loss"])) == set(LOSSES)
    assert set(get_args(hints["precision"])) == set(PRECISIONS)


def test_toml_says_the_same(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(
        'data = "mnist"\nmodel = "lenet5"\nnorm = "2"\nradius = 1\nhidden = [3, 4]\nepochs = 20\n'
    )
    expected = TrainingConfig(
        data="mnist", model="lenet5", norm=2, radius=1.0, hidden=(3, 4), epochs=20
    )
    assert TrainingConfig.from_toml(path) == expected
    assert TrainingConfig.from_mapping(json.loads(json.dumps(expected.to_json()))) == expected
    path.write_text("epochs = ")
    assert TrainingConfig.from_toml("cifar10-resnet9").ball == Ball("inf", 8 / 255)
    with pytest.raises(FileNotFoundError, match="no configuration of that name"):
        TrainingConfig.from_toml("mnist-lenet")
    with pytest.raises(ValueError, match=r"config\.toml is no TOML file"):
        TrainingConfig.from_toml(path)


def test_schedules():
    def rates(name):
        return [
            TrainingConfig(schedule=name, learning_rate=1.0).learning_rate_at(s)
            for s in (0.0, 0.2, 0.4, 0.7, 1.0)
        ]

    assert rates("cyclical") == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert rates("piecewise") == pytest.approx([1, 1, 1, 0.1, 0.01])
    assert rates("constant") == [1, 1, 1, 1, 1]


def test_moments():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (50, 3, 4, 4), generator=generator, dtype=torch.uint8)
    mean, std = moments(images)
    expected = torch.std_mean(images.double() / 255, dim=(0, 2, 3), correction=0)
    assert torch.tensor([std, mean], dtype=torch.float64).allclose(torch.stack(expected))
    assert moments(images.double() / 255)[1] == pytest.approx(std)
    assert moments(torch.full((7, 1, 2, 2), 0.1))[1] == [1.0]  # rounding is no deviation
    assert len(moments(torch.rand(5, 4, 3))[0]) == 1
