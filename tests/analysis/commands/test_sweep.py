"""`cgro sweep`: its runs, their means, and what an interruption costs."""

import json
import math

import pytest

from analysis.commands.cli import build_parser, main
from analysis.commands.sweep import means, plan, summary
from training import Run, TrainingConfig, sweep, trials
from training.trainer import sweep as sweeping

QUICK = ["--hidden", "16", "--radius", "0.05", "--attack", "pgd2", "--final-attack", "pgd3"]
QUICK += ["--eval-points", "50"]

TINY = TrainingConfig(
    train_points=60,
    test_points=30,
    validation_points=30,
    hidden=(8,),
    epochs=3,
    batch_size=20,
    radius=0.05,
    attack="pgd2",
    eval_attack="pgd2",
    final_attack="pgd3",
)


class Stop(BaseException):
    """Where the power goes."""


def test_a_sweep_keeps_what_succeeds_and_reports_what_fails(tmp_path, capsys):
    command = [
        "sweep",
        *QUICK,
        "--epochs",
        "1",
        "--radii",
        "0",
        "0.05",
        "--seeds",
        "0",
        "1",
        "--out",
        str(tmp_path),
    ]
    (tmp_path / "width1-radius0-seed1").mkdir()
    (tmp_path / "width1-radius0-seed1" / "config.json").write_text("{")
    assert main([*command, "--json"]) == 2
    printed, error = capsys.readouterr()
    rows = json.loads(printed)["runs"]
    assert [row["status"] == "finished" for row in rows] == [True, False, True, True]
    assert "is damaged" in rows[1]["status"]
    assert "1 of 4 runs failed; the others are kept" in error
    assert json.loads((tmp_path / "sweep.json").read_text())["runs"] == rows
    before = (tmp_path / "width1-radius0.05-seed1" / "metrics.jsonl").stat().st_mtime_ns
    assert main(command) == 2  # what is finished is not done again
    assert (tmp_path / "width1-radius0.05-seed1" / "metrics.jsonl").stat().st_mtime_ns == before


def test_a_sweep_in_parallel_gives_the_same(tmp_path):
    config = TrainingConfig(hidden=(8,), epochs=1, final_attack="clean", eval_points=20)
    found = []
    for jobs in (1, 2):
        done = sweep(trials(config, tmp_path / str(jobs), seeds=[0, 1]), jobs=jobs)
        assert [trial.error for trial in done] == ["", ""]
        found.append([trial.run.final["test"] for trial in done])
    assert found[0] == found[1]
    with pytest.raises(ValueError, match="jobs must be an integer >= 1, got 0"):
        sweep([], jobs=0)
    with pytest.raises(ValueError, match="must not be repeated"):
        trials(config, tmp_path, seeds=[0, 0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_sweep_on_a_ray_cluster(tmp_path):
    ray = pytest.importorskip("ray")
    config = TrainingConfig(hidden=(8,), epochs=1, final_attack="clean", eval_points=20)
    try:
        done = sweep(trials(config, tmp_path, seeds=[0, 1]), address="local")
    finally:
        ray.shutdown()
    assert [(trial.error, trial.run.status) for trial in done] == [
        ("", "finished"),
        ("", "finished"),
    ]


def test_five_interruptions_of_a_sweep_lose_nothing(tmp_path, monkeypatch):
    whole, planned = (trials(TINY, tmp_path / name, seeds=[0, 1, 2]) for name in ("a", "b"))
    expected = [summary(trial) for trial in sweep(whole)]
    train, begun, stops = sweeping.train, [], []

    def interrupted(config, folder, resume):
        def report(told):
            if stops and (config.seed, told.stage.split(",")[0]) == stops[0]:
                stops.pop(0)
                raise Stop

        begun.append(config.seed)
        return train(config, folder, resume=resume, report=report)

    monkeypatch.setattr(sweeping, "train", interrupted)
    where = [(0, "epoch 2 of 3"), (0, "measuring all of test"), (1, "epoch 1 of 3")]
    where += [(1, "measuring validation"), (2, "epoch 3 of 3")]
    kept = []
    for stop in where:
        stops.append(stop)
        with pytest.raises(Stop):
            sweep(planned)
        folder = planned[stop[0]].folder
        kept.append(len(Run.load(folder).epochs) if (folder / "config.json").exists() else 0)
    assert kept == [1, 3, 0, 0, 2]
    assert [summary(trial) for trial in sweep(planned)] == expected
    for one, other in zip(whole, planned, strict=True):
        assert [line["weights"] for line in one.run.epochs] == [
            line["weights"] for line in other.run.epochs
        ]


def test_an_interrupted_sweep_says_how_it_goes_on(tmp_path, monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweeping, "train", stopped)
    assert main(["sweep", *QUICK, "--epochs", "1", "--out", str(tmp_path)]) == 130
    said = capsys.readouterr().err
    assert f"{tmp_path} holds every epoch that ended: the same command goes on" in said


def test_means_are_over_seeds_and_count_what_failed_or_stopped():
    """By hand: rates 0.2, 0.4, 0.6 have mean 0.4, and t(0.975, 2) 0.2 / sqrt(3) is 0.4968."""
    row = {"width": 2.0, "radius": 0.1, "epoch": 3, "best epoch": None}
    rates = ["train accuracy", "train robust accuracy", "test accuracy", "test robust accuracy"]
    none = dict.fromkeys(["best test accuracy", "best test robust accuracy"])
    rows = [
        {**row, "seed": k, "status": status, **none, **dict.fromkeys(rates, rate)}
        for k, (status, rate) in enumerate(
            [
                ("finished", 0.2),
                ("stopped: catastrophic overfitting", 0.4),
                ("finished", 0.6),
                ("OSError: disk", None),
            ]
        )
    ]
    (found,) = means([*rows, {**rows[0], "width": 3.0}])  # one run has no mean
    assert (found["runs"], found["failed"], found["stopped early"]) == (4, 1, 1)
    assert found["best test accuracy"] is None
    for name in rates:
        assert math.isclose(found[name].value, 0.4)
        assert found[name].interval[0] == 0.0  # of 0.4 - 0.4968
        assert math.isclose(found[name].interval[1], 0.4 + 0.4968, abs_tol=1e-4)


def test_published_sweeps_have_widths_and_seeds(tmp_path):
    def planned(*words):
        return plan(build_parser().parse_args(["sweep", *words, "--out", str(tmp_path)]))

    mnist, cifar = (planned("--config", f"capacity-{name}") for name in ("mnist", "cifar10"))
    assert [trial.config.width for trial in mnist[::3]] == [1, 2, 4, 8, 12, 16]
    assert [(t.config.width, t.config.seed) for t in cifar[:4]] == [(1, 0), (1, 1), (1, 2), (5, 0)]
    assert {(t.config.model, t.config.radius) for t in mnist} == {("lenet5", 0.3)}
    assert {(t.config.model, t.config.radius) for t in cifar} == {("wideresnet34", 8 / 255)}
    few = planned("--config", "capacity-mnist", "--widths", "3", "--seeds", "5", "--epochs", "2")
    assert [(t.config.width, t.config.seed, t.config.epochs) for t in few] == [(3, 5, 2)]
    (tmp_path / "bad.toml").write_text("widths = 3\n")
    with pytest.raises(ValueError, match=r"widths in .*bad.toml must be a list, got 3"):
        planned("--config", str(tmp_path / "bad.toml"))
