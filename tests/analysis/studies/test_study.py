"""Reports and figures from saved runs: what they measure, what they say, and what they do with runs
that are not whole.
"""

import csv
import html
import json
import re
import shutil
from dataclasses import replace

import pytest
import torch
from accessibility import check_accessible
from torch import nn

from analysis.checkers import check_certificate as checker
from analysis.commands.cli import main
from analysis.quantities.measured import Measured
from analysis.quantities.statistics import correlation, difference, mean, median, ratio, share
from analysis.quantities.store import FORMAT, Store
from analysis.studies.curves import numbers
from analysis.studies.figures import FIGURES, drawings
from analysis.studies.measure import study
from analysis.studies.profiles import epochs_of
from analysis.studies.recorded import Rates
from analysis.studies.report import row_of, write_study
from analysis.studies.settings import StudySettings
from analysis.studies.study import RADII
from analysis.studies.training_figures import feature_learning
from analysis.studies.verdict import summaries
from training import PatchConfig, Run, TrainingConfig, mlp, train, train_patches

SMALL = {
    "hidden": (24,),
    "epochs": 3,
    "batch_size": 64,
    "learning_rate": 3e-3,
    "eval_points": 100,
    "train_points": 300,
    "test_points": 120,
    "eval_attack": "pgd3",
    "final_attack": "pgd3",
}
FEW = StudySettings(points=16, steps=3, epochs=2, memorized=32, planes=2)
FEWER = replace(FEW, points=8, epochs=1, memorized=16, planes=0, certify_seconds=0.0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """An adversarial run, a clean one, and two of other widths."""
    folder = tmp_path_factory.mktemp("runs")
    for name, changes in {
        "robust": {"radius": 0.08, "attack": "pgd3"},
        "clean": {"radius": 0.0},
        "wide": {"radius": 0.08, "attack": "pgd3", "width": 2.0},
    }.items():
        train(TrainingConfig(**{**SMALL, **changes}), folder / name)
    return folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def found(runs, kept):
    return study([runs / name for name in ("robust", "clean", "wide")], FEW, kept=kept)


@pytest.fixture(scope="module")
def some(found):
    """The same without the second adversarial run."""
    return replace(found, runs=found.runs[:2], constructed=found.constructed[:1])


@pytest.fixture(scope="module")
def page(some, tmp_path_factory):
    return write_study(some, tmp_path_factory.mktemp("page"))


@pytest.fixture
def undrawn(monkeypatch):
    """Pages without figures, where other things are looked at."""
    monkeypatch.setattr(
        "analysis.studies.report.embedded", lambda *_: {"light": "data:,", "dark": "data:,"}
    )


# -- statistics ------------------------------------------------------------------------------------


def test_shares_cover_what_they_should():
    """Of 300 samples of 40 points, at least 95% have the true share in their interval (Clopper and
    Pearson: conservative).
    """
    generator = torch.Generator().manual_seed(0)
    inside = 0
    for _ in range(300):
        low, high = share(torch.rand(40, generator=generator) < 0.3).interval
        inside += low <= 0.3 <= high
    assert inside >= 285
    assert share([True] * 10).interval[1] == 1.0
    assert 0.69 < share([True] * 10).interval[0] < 0.70  # 0.025^(1/10)


def test_means_cover_what_they_should():
    generator = torch.Generator().manual_seed(0)
    inside = sum(
        low <= 1 <= high
        for _ in range(200)
        for low, high in [mean(torch.randn(60, generator=generator) + 1).interval]
    )
    assert 176 <= inside <= 199
    assert median([1.0, 2.0, 9.0]).value == 2.0
    found = difference([2.0, 4.0], [1.0, 1.5])
    assert found.value == 1.75
    assert 0.5 <= found.interval[0] <= found.interval[1] <= 3
    assert ratio([2.0, 6.0], [1.0, 3.0]).interval == (2.0, 2.0)
    assert correlation([1.0, 2.0, 3.0, 4.0], [-1.0, -2.0, -3.0, -4.0]).value == pytest.approx(-1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean([]), "finite numbers"),
        (lambda: share([float("nan")]), "finite numbers"),
        (lambda: ratio([1.0], [0.0]), "not 0"),
        (lambda: correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]), "vary"),
    ],
)
def test_statistics_refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# -- what is measured ------------------------------------------------------------------------------


def test_profiles_are_monotone_and_of_the_epochs_asked_for(found):
    run = found.run("robust")
    assert list(run.profiles) == [1, 3]
    for parts in run.profiles.values():
        for profile in parts.values():
            assert len(profile.radii) == len(RADII)
            for curve in (profile.gradient, profile.change, profile.wrong):
                values = [m.value for m in curve]
                assert values == sorted(values)
                assert all(m.interval[0] <= m.value <= m.interval[1] for m in curve)
            assert profile.wrong[0].value >= profile.clean_error.value
    assert found.run("clean").profiles == {}


def test_f_s_is_flat_and_right_on_the_points_that_it_memorizes(found):
    (built, _) = found.constructed
    assert built.facts.proof == "proved"
    profile = built.profiles["f_S"]["train"]
    inside = profile.radii.index(0.08)
    assert profile.gradient[inside].value == 0 == profile.wrong[inside].value
    assert profile.gradient[-1].value > 1
    assert profile.contrast is None  # nothing to divide by
    indicators = built.radial.curves["train"]["indicators"]
    assert indicators[0].value == 1
    assert indicators[-1].value == 0
    zones = built.agreement["by zone"]
    assert zones["clean test points"].kind == "exact"
    assert zones["inside the balls"].kind == "estimate"


def test_gaps_are_differences_of_what_the_searches_found(found):
    run = found.run("robust")
    for epoch, gap in run.gaps.items():
        inside = run.profiles[epoch]["train"].radii.index(0.08)
        train_error, test_error = (
            run.profiles[epoch][part].wrong[inside].value for part in ("train", "test")
        )
        assert gap.value == pytest.approx(test_error - train_error)
        assert gap.interval[0] <= gap.value <= gap.interval[1]


def test_measurements_are_kept_and_read_again(found, runs, kept, monkeypatch):
    files = {path: path.read_bytes() for path in kept.iterdir()}
    proofs = [path for path in files if path.name.endswith("-proofs.json")]
    answers = [json.loads(files[path])["question"]["format"] for path in files.keys() - proofs]
    # each of two runs: two epochs, planes, distances, robust errors, f_S, comparison; the clean one
    assert answers == [FORMAT] * (2 * 8 + 1)
    assert len(proofs) == 2 * 2

    def never(*args, **kwargs):
        raise AssertionError("measured again")

    monkeypatch.setattr("analysis.studies.profiles.flatness_profile", never)
    monkeypatch.setattr("analysis.studies.profiles.robust_error", never)
    monkeypatch.setattr("analysis.studies.profiles.plane_regions", never)
    for module in ("profiles", "beside"):
        monkeypatch.setattr(f"analysis.studies.{module}.boundary_distances", never)
    again = study([runs / name for name in ("robust", "clean", "wide")], FEW, kept=kept)
    assert again.run("robust").profiles == found.run("robust").profiles
    assert again.run("robust").robust_errors == found.run("robust").robust_errors
    assert again.run("robust").planes == found.run("robust").planes
    assert again.constructed == found.constructed
    assert {path: path.read_bytes() for path in kept.iterdir()} == files


def test_robust_errors_are_proved(found, page, runs, kept):
    """Small networks are decided completely, by a certificate that the checker accepts; more time
    goes on from it, and without time nothing is proved.
    """
    run = found.run("robust")
    assert list(run.robust_errors) == ["train", "test"]
    for part, errors in run.robust_errors.items():
        assert errors.lower.count == errors.upper.count
        assert errors.upper.total == 16
        assert errors.lower.count >= run.distances.parts[part].wrong.count
    for file in kept.glob("*-proofs.json"):
        judged = list(checker.judge(json.loads(file.read_text())))
        assert len(judged) == 16
        assert not any(why for why, _ in judged)
    assert "Certified robust errors" in page.read_text()
    (without,) = study([runs / "robust"], replace(FEW, certify_seconds=0.0), kept=kept).runs
    assert without.robust_errors == {}


def test_a_damaged_answer_is_computed_again(tmp_path):
    store = Store(tmp_path)
    assert store.answer({"what": 1}, lambda: {"x": 1.5}) == {"x": 1.5}
    assert store.answer({"what": 1}, lambda: {"x": 2.5}) == {"x": 1.5}
    assert store.answer({"what": 2}, lambda: {"x": 3.5}) == {"x": 3.5}
    (path,) = (p for p in tmp_path.iterdir() if '"what": 1' in p.read_text())
    path.write_text(path.read_text()[:20])
    assert store.answer({"what": 1}, lambda: {"x": 4.5}) == {"x": 4.5}


def test_epochs_are_spread_with_first_and_last(runs):
    run = Run.load(runs / "robust")
    assert epochs_of(run, 1) == [3]
    assert epochs_of(run, 2) == [1, 3]
    assert epochs_of(run, 8) == [1, 2, 3]


# -- figures and page ------------------------------------------------------------------------------


def test_every_figure_has_its_numbers_and_says_their_kinds(some, found, page):
    assert {drawing.name for drawing in drawings(found)} == set(FIGURES) - {
        "feature-learning",
        "lower-bound",
        "robustness-cost",
    }
    drawn = drawings(some)
    for drawing in drawn:
        files = {path.name for path in (page.parent / "figures").glob(f"{drawing.file}*")}
        assert {
            f"{drawing.file}{end}" for end in (".svg", ".png", "-dark.svg", "-dark.png", ".csv")
        } <= files
        with (page.parent / "figures" / f"{drawing.file}.csv").open() as file:
            columns, *rows = csv.reader(file)
        assert columns == list(drawing.columns)
        assert all(len(row) == len(columns) for row in rows)
        assert rows
        assert re.search(r"(?i)exact|certified|empirical|estimate", drawing.caption)
        light, dark = (
            (page.parent / "figures" / f"{drawing.file}{end}.svg").read_text()
            for end in ("", "-dark")
        )
        assert "#ffffff" in light
        assert "#17181b" in dark
        assert "#ffffff" not in dark


def test_islands_are_counted_on_planes_through_points_of_different_labels(found):
    (drawing,) = (d for d in drawings(found, ["islands"]) if d.about == "robust")
    run = found.run("robust")
    assert sorted(run.planes) == [1, 3]
    assert "of 6 regions" in drawing.alt
    for regions in run.planes.values():
        assert regions.kind == "exact"
        assert [len(set(labels)) for labels in regions.labels] == [3, 3]
        assert regions.labels == run.planes[1].labels
    total = sum(row[3] for row in drawing.rows if row[0] == 3)
    assert total == run.planes[3].total(0) >= 1
    assert {row[5] for row in drawing.rows} == {"exact"}


def test_numbers_of_a_figure_are_those_measured(found):
    (drawing,) = (d for d in drawings(found, ["flatness"]) if d.about == "robust")
    run = found.run("robust")
    assert [row[0] for row in drawing.rows] == [1, 3]
    place = run.profiles[3]["test"].radii.index(0.08)
    assert drawing.rows[1][5] == run.profiles[3]["test"].gradient[place].value
    (capacity,) = drawings(found, ["capacity"])
    assert [row[:2] for row in capacity.rows] == [[1.0, 24 * 65 + 250], [2.0, 48 * 65 + 490]]
    assert numbers([Measured(0.5, "estimate")]) == [0.5, None, None, "estimate"]
    assert Rates(200, 0.99, None, "clean").clean_error.count == 2


def test_the_page_is_accessible_and_self_contained(page, some):
    text = page.read_text()
    check_accessible(text)
    assert not re.search(r"https?://(?!www\.w3\.org)", re.sub(r"data:[^\"]*", "", text))
    assert summaries(some)["robust"] in html.unescape(text)
    assert summaries(some)["robust"].count(". ") == 3  # four sentences
    numbers_of = json.loads((page.parent / "study.json").read_text())
    assert [run["name"] for run in numbers_of["runs"]] == ["robust", "clean"]


# -- runs that are not whole -----------------------------------------------------------------------


def test_damaged_and_unfinished_runs_are_named_and_the_rest_is_written(
    runs, undrawn, tmp_path, capsys
):
    for name in ("damaged", "unfinished", "pickled"):
        shutil.copytree(runs / "robust", tmp_path / name)
    weights = tmp_path / "damaged" / "weights" / "0003.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    lines = (tmp_path / "unfinished" / "metrics.jsonl").read_text().splitlines()
    (tmp_path / "unfinished" / "metrics.jsonl").write_text("\n".join(lines[:2]) + "\n")
    (tmp_path / "pickled" / "config.json").write_text("{")
    folders = [str(tmp_path / name) for name in ("damaged", "unfinished", "pickled", "missing")]
    out = tmp_path / "out"
    options = ["--points", "8", "--steps", "1", "--epochs", "1", "--out", str(out)]
    assert main(["report", *folders, str(runs / "robust"), *options]) == 2
    said = capsys.readouterr()
    for text in (
        "0003.safetensors is not the file that the run wrote",
        f"unfinished: 2 of 3 epochs; go on with: cgro train --resume {tmp_path / 'unfinished'}",
        "config.json is damaged",
        "no such folder",
        "4 could not be used; the rest is written",
    ):
        assert text in said.err
    assert "There is no f_S beside it: no clean run (radius 0) on the same data" in said.out
    page = (out / "report.html").read_text()
    assert all(folder in page for folder in folders)
    check_accessible(page)
    assert main(["report", str(tmp_path / "missing"), *options]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_figures_from_a_folder_of_runs(runs, tmp_path, capsys):
    options = ["--points", "8", "--steps", "1", "--epochs", "2", "--out", str(tmp_path)]
    assert main(["figure", "capacity", "--folder", str(runs), "--data", "digits", *options]) == 0
    assert (tmp_path / "figures" / "capacity-digits-mlp-radius0.08.csv").is_file()
    assert "capacity-digits-mlp-radius0.08.svg" in capsys.readouterr().out
    assert not (tmp_path / "measured").exists()  # the runs measured it themselves
    assert main(["figure", "gap", "--folder", str(runs), "--data", "mnist", *options]) == 2
    assert "holds no run on mnist" in capsys.readouterr().err
    assert main(["figure", "capacity", str(runs / "clean"), *options]) == 2
    assert "it needs runs that differ in width alone" in capsys.readouterr().err


def test_differences_of_shares_cover_what_they_should():
    """Newcombe's interval, also where all are 0 or 1; of 300 pairs of samples at least 93% have the
    true difference.
    """
    generator = torch.Generator().manual_seed(0)
    inside = 0
    for _ in range(300):
        a, b = (torch.rand(64, generator=generator) < p for p in (0.05, 0.01))
        low, high = difference(a.double(), b.double()).interval
        inside += low <= 0.04 <= high
    assert inside >= 279
    assert difference([1.0] * 16, [0.0] * 16).interval[0] < 0.9
    # Newcombe 1998, Table II, case (d): 5/56 - 0/29
    found = difference([1.0] * 5 + [0.0] * 51, [0.0] * 29)
    assert found.interval == pytest.approx((-0.0381, 0.1926), abs=1e-4)


def test_correlations_of_few_pairs_have_no_interval():
    assert correlation([1.0, 2.0, 4.0], [1.0, 2.0, 3.0]).interval is None
    low, high = correlation([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.1]).interval
    assert 0.9 < low <= high <= 1


def test_names_with_dots_and_twins_have_files_of_their_own(runs, tmp_path):
    for name in ("width1-radius0.08-seed0", "width1-radius0-08-seed0"):
        shutil.copytree(runs / "robust", tmp_path / name)
    folders = [tmp_path / "width1-radius0.08-seed0", tmp_path / "width1-radius0-08-seed0"]
    found = study(folders, FEW, kept=tmp_path / "kept", measure=False)
    drawn = drawings(found)
    assert len(drawn) == 2 == len({drawing.file for drawing in drawn})
    write_study(found, tmp_path / "page")
    names = {path.name for path in (tmp_path / "page" / "figures").iterdir()}
    for drawing in drawn:
        assert {
            f"{drawing.file}{end}" for end in (".svg", ".png", "-dark.svg", "-dark.png", ".csv")
        } <= names


def test_why_there_is_no_f_s_is_told(runs, tmp_path):
    train(
        TrainingConfig(**{**SMALL, "epochs": 1, "radius": 0.4, "attack": "pgd1"}), tmp_path / "far"
    )
    found = study([tmp_path / "far", runs / "clean"], FEWER, kept=tmp_path / "kept")
    assert "f_S cannot be built from clean: " in summaries(found)["far"]
    assert "half the separation" in summaries(found)["far"]
    assert not found.problems


def test_stopped_and_unregularised_runs_are_told(runs, tmp_path):
    shutil.copytree(runs / "robust", tmp_path / "collapsed")
    path = tmp_path / "collapsed" / "metrics.jsonl"
    *lines, final = path.read_text().splitlines()
    final = json.loads(final)
    final["final"] |= {"stopped": "robust accuracy fell", "epoch": 2}
    path.write_text("\n".join([*lines, json.dumps(final)]) + "\n")
    train(
        TrainingConfig(
            **{**SMALL, "epochs": 1, "radius": 0.08, "attack": "pgd1", "robust_weight": 0.0}
        ),
        tmp_path / "lambda0",
    )
    found = study([tmp_path / "collapsed", tmp_path / "lambda0"], FEWER, kept=tmp_path / "kept")
    assert "(stopped: robust accuracy fell; epoch 2 counts)" in summaries(found)["collapsed"]
    assert not found.run("lambda0").robust
    assert "≥" not in "".join(row_of(found.run("lambda0")))


def test_one_folder_is_not_many(runs):
    with pytest.raises(TypeError, match="folders must be several folders"):
        study(str(runs / "robust"), FEW, kept=runs / "kept")


def test_feature_learning_is_drawn_from_a_run_of_its_own():
    run = train_patches(PatchConfig(d=50, N=5, P=3, m=4, steps=50, test_points=50))
    drawing = feature_learning(run)
    assert [row[0] for row in drawing.rows] == run.curves["step"].tolist()
    assert drawing.rows[-1][1] == run.config.scales.alpha**3 * float(run.curves["U"][-1])
    assert drawing.rows[-1][3] <= drawing.rows[-1][2] <= drawing.rows[-1][4]
    assert "T_1 = None" in drawing.caption
    assert len(drawing.draw().axes) == 1


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"points": 0}, ValueError, "points must be greater than or equal to 1, got 0"),
        ({"steps": 0}, ValueError, "steps must be greater than or equal to 1, got 0"),
        ({"epochs": 0}, ValueError, "epochs must be greater than or equal to 1, got 0"),
        ({"seed": -1}, ValueError, "seed must be greater than or equal to 0, got -1"),
        ({"points": 2.5}, TypeError, r"points must be a valid integer, got 2\.5"),
        ({"points": True}, TypeError, "points must be a valid integer, got True"),
        (
            {"points": 10, "memorized": 5},
            ValueError,
            "memorized must be at least points = 10, got 5",
        ),
    ],
)
def test_settings_are_checked(settings, error, message):
    with pytest.raises(error, match=message):
        StudySettings(**settings)


def test_missing_entries_are_named_and_mistakes_are_not_hidden(runs, tmp_path, monkeypatch):
    for name, change in (
        ("missing", lambda line: line["test"].pop("accuracy")),
        ("other", lambda line: line.update(train=None)),
    ):
        shutil.copytree(runs / "robust", tmp_path / name)
        path = tmp_path / name / "metrics.jsonl"
        first, *rest = path.read_text().splitlines()
        line = json.loads(first)
        change(line)
        path.write_text("\n".join([json.dumps(line), *rest]) + "\n")
    folders = [tmp_path / "missing", tmp_path / "other", runs / "clean"]
    found = study(folders, FEW, kept=tmp_path / "kept", measure=False)
    (_, missing), (_, other) = found.problems
    assert missing == "damaged: no entry 'accuracy'"
    assert other.startswith("damaged: 'NoneType'")
    assert [run.name for run in found.runs] == ["clean"]

    def mistaken(*given):
        raise TypeError("a mistake of the program")

    monkeypatch.setattr("analysis.studies.measure.measure_run", mistaken)
    with pytest.raises(TypeError, match="a mistake of the program"):
        study([runs / "clean"], FEW, kept=tmp_path / "kept")


def test_the_headline_has_the_numbers_of_the_table(found):
    """Of all test points, and of the training points that the run attacked."""
    run = found.run("robust")
    row, text = row_of(run), summaries(found)["robust"]
    clean_test, robust_train, robust_test, attack = row[8:12]
    assert f"errs on {clean_test} of 120 test points, and under attack ({attack}) on" in text
    final = run.recorded.final.rates["train_sample"]
    attacked = f"at least {robust_test[2:]} of them and {robust_train[2:]} of {final.points:,} "
    assert f"{attacked}training points" in text
    assert "goes from 0 (exactly, by proof) to " in text


def test_runs_with_a_model_of_ones_own_are_reported_like_others(
    runs, undrawn, tmp_path, capsys, monkeypatch
):
    """By the factory that its weights fit; the network is the one that a named model would be."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_modules.py").write_text(
        "from torch import nn\nfrom training import mlp\n"
        "def narrow():\n    return nn.Sequential(nn.Flatten(), mlp([64, 9, 10]))\n"
        "def mine():\n    return nn.Sequential(nn.Flatten(), mlp([64, 24, 10]))\n"
    )
    config = TrainingConfig(**{**SMALL, "radius": 0.08, "attack": "pgd3"})

    def mine():
        return nn.Sequential(nn.Flatten(), mlp([64, 24, 10]))

    train(config, "mine", model=mine())
    command = ["report", "mine", str(runs / "clean"), "--out", "out", "--points", "8"]
    command += ["--steps", "1", "--epochs", "1", "--memorized", "16", "--certify-seconds", "1"]
    assert main(command) == 2
    assert (
        "a model of your own, which its folder does not say: name the factory (--model module:"
        in (capsys.readouterr().err)
    )
    assert main([*command, "--model", "own_modules:narrow"]) == 2
    assert "which fits none of the models given" in capsys.readouterr().err
    assert main([*command, "--model", "own_modules:narrow", "own_modules:mine"]) == 0
    assert capsys.readouterr().out.startswith("mine: custom, trained with pgd3")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "mine beside f_S" in page
    check_accessible(page)
    settings = StudySettings(points=8, steps=1, epochs=1, memorized=16, certify_seconds=1)
    (run, _) = study(["mine", runs / "clean"], settings, kept="out/measured", models=[mine]).runs
    weights = run.run.weights()
    assert torch.equal(
        run.run.model().state_dict()[next(iter(weights))], next(iter(weights.values()))
    )
    assert list(run.robust_errors) == ["train", "test"]
