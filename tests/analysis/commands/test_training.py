"""`cgro train` and `cgro evaluate`, as they are typed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from analysis import certify
from analysis.checkers import check_certificate
from analysis.commands.cli import main
from constructions import ReLUNetwork
from training import Run, TrainingConfig, load_data, train

QUICK = [
    "--hidden",
    "16",
    "--epochs",
    "2",
    "--radius",
    "0.05",
    "--attack",
    "pgd2",
    "--final-attack",
    "pgd3",
    "--eval-points",
    "50",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands") / "run"
    assert main(["train", *QUICK, "--out", str(folder)]) == 0
    return folder


def test_train_writes_a_run_and_says_what_it_measured(folder, capsys):
    run = Run.load(folder)
    assert run.status == "finished"
    assert run.config == TrainingConfig(
        hidden=(16,), epochs=2, radius=0.05, attack="pgd2", final_attack="pgd3", eval_points=50
    )
    assert main(["train", "--resume", str(folder)]) == 0
    text = capsys.readouterr().out
    assert f"all 360 test points: {100 * run.final['test']['accuracy']:.2f}% right, at most" in text
    assert "scikit-learn load_digits" in text
    for name in ("train accuracy", "train robust accuracy", "test accuracy"):
        assert name in text  # what the columns are called


def test_options_win_over_the_file(tmp_path, capsys):
    (tmp_path / "config.toml").write_text('hidden = [8]\nepochs = 3\nfinal_attack = "clean"\n')
    command = [
        "train",
        "--config",
        str(tmp_path / "config.toml"),
        "--epochs",
        "1",
        "--out",
        str(tmp_path / "run"),
        "--json",
    ]
    assert main(command) == 0
    printed = json.loads(capsys.readouterr().out)
    assert len(printed["epochs"]) == 1
    assert Run.load(tmp_path / "run").config == TrainingConfig(
        hidden=(8,), epochs=1, final_attack="clean"
    )


def test_evaluate_measures_and_keeps_what_it_measured(folder, capsys):
    assert main(["evaluate", str(folder), "--attack", "pgd3", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    final = Run.load(folder).final["test"]
    assert {key: printed[key] for key in final} == final
    assert (
        main(
            [
                "evaluate",
                str(folder),
                "--attack",
                "clean",
                "--part",
                "train",
                "--points",
                "30",
                "--epoch",
                "1",
            ]
        )
        == 0
    )
    assert "30 train points, epoch 1:" in capsys.readouterr().out
    kept = [json.loads(line) for line in (folder / "evaluations.jsonl").read_text().splitlines()]
    assert kept[0] == printed
    assert (kept[1]["points"], kept[1]["epoch"]) == (30, 1)


def test_evaluate_certifies_and_goes_on(folder, capsys):
    command = ["evaluate", str(folder), "--attack", "clean", "--points", "12", "--certify"]
    assert main([*command, "0"]) == 2
    assert "--certify must be" in capsys.readouterr().err
    assert main([*command, "20", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)["robust_error"]
    (proofs,) = folder.glob("proofs-test-*.json")
    judged = [reason for reason, _ in check_certificate.judge(json.loads(proofs.read_text()))]
    assert judged == [""] * 12
    run, data = Run.load(folder), Run.load(folder).dataset()
    network = ReLUNetwork.from_module(run.model(), data.shape)
    wrong = [
        certify(network, point.flatten(), run.config.ball, int(label)).verdict == "refuted"
        for point, label in zip(data.test_points[:12], data.test_labels[:12], strict=True)
    ]
    assert printed["lower"]["count"] == printed["upper"]["count"] == sum(wrong)
    assert main([*command, "20"]) == 0
    assert "robust error" in capsys.readouterr().out


def test_images_in_folders_are_trained_on(tmp_path, capsys):
    generator = torch.Generator().manual_seed(0)
    for part, count in (("train", 12), ("test", 4)):
        for label, name in enumerate(("dark", "light")):
            (tmp_path / "images" / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = (
                    torch.randint(0, 100, (12, 12), generator=generator, dtype=torch.uint8)
                    + 100 * label
                )
                Image.fromarray(pixels.numpy()).save(tmp_path / "images" / part / name / f"{i}.png")
    command = [
        "train",
        "--data",
        str(tmp_path / "images"),
        "--out",
        str(tmp_path / "run"),
        "--task",
        "dark=-1,light=+1",
    ]
    command += [
        "--model",
        "lenet5",
        "--radius",
        "0.02",
        "--attack",
        "fgsm",
        "--epochs",
        "6",
        "--batch-size",
        "8",
        "--final-attack",
        "pgd5",
    ]
    assert main(command) == 0
    assert "all 8 test points: 100.00% right" in capsys.readouterr().out
    assert main(["evaluate", str(tmp_path / "run"), "--attack", "fgsm"]) == 0
    Image.new("L", (12, 12)).save(tmp_path / "images" / "train" / "dark" / "0.png")
    assert main(["evaluate", str(tmp_path / "run")]) == 2
    assert "are not those that" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--radius", "-1"], "radius must be finite and >= 0"),
        (["--attack", "pdg7"], "attack must be clean, fgsm, pgdK"),
        (["--config", "nothing.toml"], "no configuration of that name"),
        (["--data", "mnist", "--root", "/nowhere"], "/nowhere"),
        (
            ["--batch-size", "2000"],
            "batch_size must be at most the number of points 1437, got 2000",
        ),
        (["--resume", "nothing"], "holds no run"),
        (["--norm", "1"], "norm must be 2 or 'inf', got '1'"),
        (["--model", "resnet9", "--width", "0"], "width must be greater than 0, got '0'"),
    ],
)
def test_wrong_arguments_are_named(arguments, complaint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *arguments]) == 2
    assert complaint in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_run_is_not_overwritten_or_mixed(folder, capsys):
    assert main(["train", "--out", str(folder)]) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert main(["train", "--resume", str(folder), "--epochs", "9"]) == 2
    assert "leave out --epochs" in capsys.readouterr().err
    assert main(["evaluate", str(folder), "--points", "9999"]) == 2
    assert "--points must be in 1..360, got 9999" in capsys.readouterr().err


@pytest.mark.slow
def test_epochs_of_resnet9_on_real_colour_images(data_folder, tmp_path, capsys):
    """2,000 CIFAR-10 images, from files to measurements (JPEG-recompressed, so accuracies are the
    copy's own).
    """
    archive = Path(data_folder) / "cifar10-jpeg.tar.gz"
    if not archive.is_file():
        pytest.skip(f"no {archive.name}")
    data = load_data(archive, "classes").subset(2000, 100, seed=0)
    config = replace(
        TrainingConfig.from_toml("cifar10-resnet9"),
        width=0.25,
        epochs=3,
        precision="float32",
        eval_points=50,
        eval_attack="fgsm",
    )
    run = train(replace(config, final_attack="pgd5"), tmp_path / "run", data=data)
    assert run.final["test"]["accuracy"] > 0.15
    assert run.final["test"]["points"] == 100
    assert "JPEG" in run.about["data"]["source"]
