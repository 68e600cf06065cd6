"""The main job and the command line, end to end on small settings."""

import csv
import itertools
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from accessibility import check_accessible

import analysis.comparison.task
from analysis import CompareSettings, certified_margins, compare, write_report
from analysis.checkers import check_certificate as checker
from analysis.commands.cli import main
from analysis.comparison.report import draw_task
from analysis.comparison.settings import DEFAULT_RADIUS
from analysis.comparison.stages import stages
from analysis.comparison.task import TaskComparison
from analysis.comparison.verdict import summary
from analysis.quantities.measured import Measured
from constructions import ReLUNetwork, load, minimal_parameters, separation, squaring
from training import TASKS, Dataset, load_data

QUICK = CompareSettings(
    clean_epochs=12,
    adversarial_epochs=20,
    clean_widths=(16,),
    learned_widths=(48,),
    attack_steps=10,
    constructed_attack_steps=2,
    certify_seconds=0.0,  # what is found in a time is not reproducible
    flat_points=2,
    sampled_points=300,
)
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)


SIZES = []  # of the sets of points whose separations were measured


@pytest.fixture(scope="module")
def quick():
    torch.set_num_threads(1)
    told = []
    settings = replace(QUICK, tasks=("parity",))
    with pytest.MonkeyPatch.context() as patched:
        for module in ("proofs.separations", "proofs.inequalities", "comparison.task"):
            patched.setattr(f"analysis.{module}.separation", counting)
        patched.setattr("constructions.classifiers.memorization.find_separation", counting)
        return compare(settings, report=told.append), told, settings


def counting(points, *given, **named):
    SIZES.append(len(points))
    return separation(points, *given, **named)


@pytest.fixture(scope="module")
def page(quick, tmp_path_factory):
    return write_report(quick[0], tmp_path_factory.mktemp("page") / "out")


def test_figures_drawn_before_are_taken(quick, page, tmp_path):
    """A page with figures that were drawn while other tasks went on is the same page."""
    result, drawn = quick[0], {}
    for task in result.tasks:
        drawn[task.task] = draw_task(task, result.settings.ball, tmp_path)
    assert write_report(result, tmp_path, drawn=drawn).read_bytes() == page.read_bytes()
    drawn[task.task]["errors"]["light"] = "data:,another"
    assert "data:,another" in write_report(result, tmp_path, drawn=drawn).read_text()


def test_progress_counts_what_it_announces(quick):
    _, told, settings = quick
    calls = [p.stage for before, p in itertools.pairwise(told) if p.done > before.done]
    assert {stage: calls.count(stage) for stage in dict.fromkeys(calls)} == stages(settings)
    assert [p.done for p in told] == sorted(p.done for p in told)
    assert told[-1].done == told[-1].total == len(calls)


@pytest.mark.slow
def test_tasks_side_by_side_are_the_same(tmp_path):
    """Two processes give what one gives, so a comparison is reproducible; their progress is
    counted, their failures are raised.
    """
    few = {"clean_epochs": 2, "adversarial_epochs": 1, "attack_steps": 2, "attacked_points": 40}
    settings = replace(QUICK, **few, flat_points=2, sampled_points=20)
    told, first, second = [], [], []
    one = compare(settings, finished=first.append)
    two = compare(settings, jobs=2, report=told.append, finished=second.append)
    assert [id(task) for task in first] == [id(task) for task in one.tasks]
    assert {id(task) for task in second} == {id(task) for task in two.tasks}
    for a, b in zip(one.tasks, two.tasks, strict=True):
        assert replace(a, seconds=0.0).to_json() == replace(b, seconds=0.0).to_json()
        assert all(same(a.networks[name], b.networks[name]) for name in a.networks)
    assert told[-1].done == told[-1].total == 2 * sum(stages(settings).values())
    assert {"parity: attacking", "classes: attacking"} <= {progress.stage for progress in told}
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        compare(settings, jobs=2, runs=tmp_path / "file")
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        compare(settings, jobs=0)


@pytest.mark.slow
def test_an_interrupt_ends_all_processes_and_keeps_the_runs(tmp_path):
    """Ctrl-C goes to the group, as from a terminal: status 130, one line, no trace."""
    process = subprocess.Popen(
        [sys.executable, "-m", "analysis", "compare", "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    begun = [tmp_path / "runs" / f"{task}-learned" / "metrics.jsonl" for task in TASKS]
    end = time.monotonic() + 200
    while not all(path.exists() for path in begun) and time.monotonic() < end:
        assert process.poll() is None
        time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    shown, _ = process.communicate(timeout=100)
    assert process.returncode == 130, shown
    assert "cgro compare: interrupted" in shown
    assert "Traceback" not in shown
    assert all(path.exists() for path in begun)


def same(first, second):
    """Whether two networks have equal layers."""
    points = torch.rand(8, first.inputs, generator=torch.Generator().manual_seed(0))
    return torch.equal(first(points.double()), second(points.double()))


def test_constructed_networks_generalize_cleanly_and_overfit_robustly(quick):
    (task,) = quick[0].tasks
    errors = {name: model.errors for name, model in task.models.items()}
    assert list(errors) == ["f_clean", "f_adv", "f_S", "learned"]
    for name in ("f_S", "f_adv"):
        assert errors[name].train.robust.value == 0
        assert errors[name].train.robust.kind == "exact"
        assert errors[name].train.clean.value == 0
        assert errors[name].test.robust.kind == "certified lower bound"
        assert errors[name].test.robust.value >= 0.2
    shells = task.test_zones.inside + task.test_zones.shell
    assert (
        abs(errors["f_S"].test.clean.count - errors["f_clean"].test.clean.count)
        <= task.changed_test_labels
        <= shells
    )
    assert task.separation_all == 0.4375
    assert task.guarantee.separation_exact
    assert task.models["f_clean"].size.parameters < task.models["f_adv"].size.parameters
    assert task.models["f_adv"].size.parameters < task.models["f_S"].size.parameters
    counted = task.small_margin
    assert counted.proved + counted.refuted <= 1437
    assert counted.proved + counted.memorized == 1437
    for found in errors.values():
        for split in (found.train, found.test):
            assert split.clean.value <= split.robust.value
            assert split.robust_upper is None or split.robust.value <= split.robust_upper.value


def test_separations_are_measured_once(quick):
    """Of training points, and from test points to all: f_S and its proof are handed what was
    measured. And of those that f_adv memorizes, for its own proof."""
    (task,) = quick[0].tasks
    assert [1437, 360, task.small_margin.memorized] == SIZES
    data = load_data("digits", "parity", 0).flat()
    points = torch.cat([data.train_points, data.test_points])
    labels = torch.cat([data.train_labels, data.test_labels])
    assert task.separation_all == separation(points, labels).distance


def test_a_short_attack_spares_bounds_and_changes_no_proof(quick):
    (task,) = quick[0].tasks
    data = load_data("digits", "parity", 0).flat()
    clean, ball = task.networks["f_clean"], quick[2].ball
    proved = certified_margins(clean, data.train_points, data.train_labels, ball) > 0
    assert 0 < task.small_margin.proved == int(proved.sum()) < len(proved)


def test_a_comparison_says_what_its_tasks_show(quick):
    assert quick[0].summary() == f"parity: {summary(quick[0].tasks[0])}"


def test_errors_by_their_former_names(quick):
    """As in earlier versions, with a warning that names the attribute's class."""
    (task,) = quick[0].tasks
    errors = task.models["learned"].errors
    with pytest.warns(DeprecationWarning, match=r"ModelErrors\['robust test'\] is an attribute"):
        assert errors["robust test"] is errors.test.robust
    with pytest.warns(DeprecationWarning, match="ZoneCounts"):
        assert task.test_zones["shell"] == task.test_zones.shell
    with pytest.warns(DeprecationWarning, match="ModelErrors"), pytest.raises(KeyError):
        errors["robust"]


def test_report_is_complete_and_self_contained(quick, page):
    text, out = page.read_text(), page.parent
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', text)
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert not re.search(r"https?://", re.sub(r'src="data:[^"]*"', "", text))
    assert text.count("<img") == text.count("alt=") == 3
    check_accessible(text)
    numbers = json.loads((out / "compare.json").read_text())
    assert numbers["settings"]["radius"] == 0.1
    assert numbers["tasks"][0]["models"]["f_S"]["errors"]["robust train"] == {
        "value": 0.0,
        "kind": "exact",
        "count": 0,
        "total": 1437,
        "interval": None,
    }
    for name, network in quick[0].tasks[0].networks.items():
        again = load(out / "networks" / f"parity-{name}.safetensors")
        assert again.size == network.size
        x = torch.rand(3, 64, dtype=torch.float64)
        assert torch.equal(again(x), network(x))
    figures = sorted(p.name for p in (out / "figures").iterdir())
    names = ("agreement", "errors", "flatness")
    assert figures == [
        f"parity-{name}{theme}.{end}"
        for name in names
        for theme in ("-dark", "")
        for end in ("png", "svg")
    ]
    assert not list(out.rglob(".*"))  # nothing temporary is left


def least_margin(network, low, high, label):
    """The exact least margin on a box of the plane, of one hidden layer: at a crossing of two
    lines, on which a unit is 0 or an edge lies."""
    rows = [[Fraction(v) for v in row] for row in network.layers[0].weight.to_dense().tolist()]
    bias = [Fraction(v) for v in network.layers[0].bias.to_dense()[:, 0].tolist()]
    lines = [(*row, b) for row, b in zip(rows, bias, strict=True)]
    lines += [(1, 0, -end[0]) for end in (low, high)] + [(0, 1, -end[1]) for end in (low, high)]
    margins = []
    for (a, b, c), (d, e, f) in itertools.combinations(lines, 2):
        if a * e - b * d == 0:
            continue
        x = Fraction(b * f - c * e, a * e - b * d), Fraction(c * d - a * f, a * e - b * d)
        if all(u <= v <= w for u, v, w in zip(low, x, high, strict=True)):
            margins.append(label * network.exact(x)[0])
    return min(margins)


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 20.0])
def test_the_printed_interval_holds_the_exact_robust_error(tmp_path, seconds):
    """Of a random network: whatever the time; with enough of it, both ends are exact."""
    g = torch.Generator().manual_seed(7)
    points = torch.randint(2, 15, (60, 2), generator=g).double() / 16
    weight, bias, last = (
        torch.randn(size, generator=g).double() for size in ((10, 2), 10, (1, 10))
    )
    hidden = (weight, bias / 2)
    zero = -ReLUNetwork.from_layers([hidden, (last, torch.zeros(1))])(points).median()
    network = ReLUNetwork.from_layers([hidden, (last, zero.reshape(1))])
    labels = torch.where(network(points)[:, 0] > 0, 1, -1)
    data = Dataset.from_tensors(points, labels, points, labels)
    told = []
    task = TaskComparison(data, replace(QUICK, certify_seconds=seconds), tmp_path)
    task.networks["learned"] = network
    (tmp_path / f"{data.task}-learned").mkdir()
    radius = Fraction(task.ball.radius)
    boxes = [
        tuple([min(max(v + s * radius, Fraction(0)), Fraction(1)) for v in x] for s in (-1, 1))
        for x in ([Fraction(v) for v in row] for row in points.tolist())
    ]
    exact = sum(
        least_margin(network, *box, y) <= 0 for box, y in zip(boxes, labels.tolist(), strict=True)
    )
    assert 5 < exact < 55
    task.certify("learned", "test", lambda note="": told.append(note))
    bounded = 60 - int(task.proved["learned", "test"].sum())
    task.attack("learned", "test", lambda note="": told.append(note))
    errors = task.errors["learned", "test"]
    assert errors.robust.count <= exact <= errors.robust_upper.count <= bounded
    assert (errors.robust.kind, errors.robust_upper.kind) == (
        "certified lower bound",
        "certified upper bound",
    )
    proofs = list(tmp_path.rglob("proofs-*.json"))
    if seconds > 1:
        assert exact < bounded  # linear bounds alone are not enough
        assert errors.robust.count == exact == errors.robust_upper.count
        share = f"{100 * exact / 60:.1f}%"
        assert [note for note in told if note][-1] == f"proving: {share} to {share}"
        (file,) = proofs
        assert all(not why for why, _ in checker.judge(json.loads(file.read_text())))
    else:
        assert not proofs or seconds
        assert any(told) == (seconds > 0)


@pytest.mark.slow
def test_f_adv_is_not_called_proved_where_it_is_not(tmp_path, monkeypatch):
    """Its kind is what the proof of its weights says."""
    real = analysis.comparison.task.proved_balls

    def all_but_one(*given):
        return real(*given).index_fill(0, torch.tensor([0]), False)

    monkeypatch.setattr(analysis.comparison.task, "proved_balls", all_but_one)
    settings = replace(QUICK, tasks=("parity",), adversarial_epochs=1, attacked_points=96)
    (task,) = compare(settings).tasks
    errors = task.models["f_adv"].errors.train
    assert errors.robust.kind == "certified lower bound"
    assert (errors.robust.count, errors.robust_upper.count) == (0, 1)
    assert errors.robust_upper.total == 96


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_page_in_a_browser_has_all_figures_and_no_error(page, tmp_path):
    probe = (
        "<script>window.addEventListener('error',e=>document.title+=' ERROR '+e.message);"
        "addEventListener('load',()=>{const i=[...document.images];document.body.dataset.drawn="
        "i.filter(x=>x.complete&&x.naturalWidth>100).length+'/'+i.length;"
        "document.body.dataset.loaded=performance.getEntriesByType('resource').filter(r=>!r.name.startsWith('data:')).length})</script>"
    )
    probed = tmp_path / "report.html"
    probed.write_text(page.read_text().replace("</head>", probe + "</head>"))
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
        "--disable-background-networking --disable-component-update --disable-sync "
        "--enable-logging=stderr --v=0 --virtual-time-budget=5000 --dump-dom"
    )
    command = [CHROMIUM, *flags.split(), f"--user-data-dir={tmp_path / 'profile'}", probed.as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert 'data-drawn="3/3"' in result.stdout
    assert 'data-loaded="0"' in result.stdout
    assert "ERROR" not in re.search("<title>(.*?)</title>", result.stdout).group(1)
    assert "CONSOLE" not in result.stderr


def test_the_summary_says_only_what_the_numbers_show(quick):
    (task,) = quick[0].tasks
    assert "At this radius" not in summary(task)
    built = task.models["f_S"]
    test = replace(built.errors.test, robust=built.errors.test.clean)
    built = replace(built, errors=replace(built.errors, test=test))
    tame = summary(replace(task, models={**task.models, "f_S": built}))
    assert tame.startswith("At this radius f_S hardly errs more under attack than without")
    assert "like f_S," not in tame


def test_the_summary_says_certified_only_where_the_proofs_are_far_enough_apart(quick):
    """The lower end on test points against the upper one on training points."""
    (task,) = quick[0].tasks
    learned = task.models["learned"]

    def said(most, test_most=100000, clean=1, low=10, test_least=10199, **facts):
        low = Measured.share(low, 1000, "certified lower bound")
        upper = Measured.share(most, 1000, "certified upper bound")
        train = replace(learned.errors.train, robust=low, robust_upper=upper)
        lower = Measured.share(min(test_least, test_most), 100000, "certified lower bound")
        upper = Measured.share(test_most, 100000, "certified upper bound")
        test = replace(learned.errors.test, robust=lower, robust_upper=upper)
        test = replace(test, clean=Measured.share(clean, 100))
        model = replace(learned, errors=replace(learned.errors, train=train, test=test))
        return summary(replace(task, models={**task.models, "learned": model}, **facts))

    certified = said(20)
    assert certified.startswith("The learned network behaves like f_S, certified: it has an error")
    assert "at least 8.1 points apart" in certified
    assert "1.0% to 2.0% of the training balls and" in certified
    opened = said(60)  # too many balls may have errors for "memorizes", and for the distance
    assert opened.startswith("By proof it is open whether the learned network behaves like f_S; ")
    assert "by attack it behaves like it" in opened
    assert "9.2 points apart (5 are asked)" in opened
    assert "by attack it behaves like it" in said(900, test_most=100000, low=40)
    assert "by attack it does not behave like it" in said(900, test_least=6000, low=20)
    unlearned = said(900, low=51)  # a gap, but training balls that hold errors
    assert "does not behave like f_S, certified: it does not memorize robustly" in unlearned
    assert "5.1% to 90.0% of the training balls" in unlearned
    refused = said(20, 5900, learned="mine.pt")
    assert refused.startswith("mine.pt does not behave like f_S, certified: ")
    assert "at most 4.9 points apart" in refused
    assert "does not behave like f_S, whose clean errors are fewer" in said(20, clean=6)
    assert said(20, clean=40).startswith("Nothing is concluded: the learned network errs on 40.0%")
    assert "of the training balls, the first 1,000, and" in said(20, attacked_count=1000)


def test_agreement_has_baselines(quick):
    """f_clean is f_S outside; one label is right on its share of test points."""
    (task,) = quick[0].tasks
    clean, one = task.baselines["f_clean"], task.baselines["one label everywhere"]
    assert list(clean) == list(one) == list(task.agreement)
    assert clean["outside"].value == 1.0
    assert {zone: v.total for zone, v in one.items()} == {
        zone: v.total for zone, v in task.agreement.items()
    }
    built = task.networks["f_S"](load_data("digits", "parity", 0).flat().test_points.double())
    positive = int((built > 0).sum())
    assert one["clean test points"].count in (positive, len(built) - positive)
    shown = f"one label everywhere: {100 * one['clean test points'].value:.1f}%"
    assert shown in summary(task)


@pytest.mark.slow
def test_l2_and_ten_classes(tmp_path):
    settings = replace(QUICK, tasks=("classes",), norm=2.0, clean_epochs=15)
    result = compare(settings)
    (task,) = result.tasks
    assert task.models["f_S"].errors.train.robust.value == 0
    assert task.outputs == 10
    assert 0.3 < task.outer <= task.separation_train / 2
    assert "l_2 ball of radius 0.3" in write_report(result, tmp_path).read_text()


def test_a_radius_beyond_half_the_separation_is_refused_before_any_training(
    monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(
        analysis.comparison.task, "train", lambda *_: pytest.fail("training started")
    )
    assert main(["compare", "--radius", "0.22", "--out", str(tmp_path)]) == 2
    assert "half the separation 0.4375" in capsys.readouterr().err
    assert main(["compare", "--radius", "0", "--out", str(tmp_path / "none")]) == 2
    assert "radius must be greater than 0, got '0'" in capsys.readouterr().err
    assert main(["compare", "--seed", "-1", "--out", str(tmp_path / "none")]) == 2
    assert "seed must be greater than or equal to 0, got '-1'" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert main(["compare", "--radius", "-1", "--out", str(tmp_path)]) == 2
    assert "radius must be greater than 0, got '-1'" in capsys.readouterr().err


def test_compare_command_prints_json(quick, monkeypatch, capsys, tmp_path):
    asked = []

    def compare_quickly(settings, **given):
        asked.append((settings.tasks, settings.certify_seconds))
        return quick[0]

    monkeypatch.setattr("analysis.comparison.comparison.compare", compare_quickly)
    monkeypatch.setattr(  # drawn for other tests
        "analysis.comparison.report.embedded", lambda *_: {"light": "", "dark": ""}
    )
    command = ["compare", "--task", "parity", "--out", str(tmp_path / "a b")]
    assert main([*command, "--certify-seconds", "3", "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert [task["task"] for task in out["tasks"]] == ["parity"]
    assert (tmp_path / "a b" / "report.html").exists()
    assert main(command) == 0  # the same, as tables
    shown = capsys.readouterr().out
    assert "robust training error 0 (certified)" in shown.replace("\n", " ")
    assert "f_adv" in shown
    assert asked == [(("parity",), 3.0), (("parity",), CompareSettings().certify_seconds)]


def test_count_command(capsys, tmp_path):
    arguments = [
        "count",
        "--points",
        "10",
        "20",
        "--points",
        "40",
        "--dimension",
        "8",
        "16",
        "--variant",
        "lean",
        "gate",
    ]
    files = {name: tmp_path / f"counts.{name}" for name in ("csv", "latex", "svg")}
    extra = [
        "--csv",
        str(files["csv"]),
        "--latex",
        str(files["latex"]),
        "--plot",
        str(files["svg"]),
    ]
    assert main([*arguments, *extra]) == 0
    shown = capsys.readouterr().out
    assert "differs" not in shown
    assert "f_S, lean: 6*D*N" in shown
    assert main([*arguments, "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert len(numbers["rows"]) == 3 * 2 * 5
    assert all(row["measured"] == row["closed_form"] for row in numbers["rows"])
    assert {row["points"] for row in numbers["rows"]} == {10, 20, 40}
    with files["csv"].open() as file:
        assert len(list(csv.DictReader(file))) == 30
    # thirty rows, the label's line, the heading of the first page and of others
    assert sum(line.endswith(r"\\") for line in files["latex"].read_text().splitlines()) == 33
    latex = files["latex"].read_text()
    assert r"Parameters of $f_S$, lean: $6 D N + " in latex
    assert r"\includegraphics" not in latex  # LaTeX includes no .svg
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\begin{") == latex.count(r"\end{")
    (tmp_path / "pictures").mkdir()
    drawn = tmp_path / "pictures" / "counts.pdf"
    assert main([*arguments, "--latex", str(files["latex"]), "--plot", str(drawn)]) == 0
    capsys.readouterr()
    both = files["latex"].read_text()
    assert both.startswith(latex)
    assert r"\includegraphics[width=\linewidth]{pictures/counts.pdf}" in both
    assert r"\caption{Nonzero parameters, counted exactly; $\ell_\infty$ balls; $f_{" in latex
    assert latex.count("S[table-format=") == 6
    drawn = files["svg"].read_text()
    assert drawn.lstrip().startswith("<?xml")
    assert "training points N (D = 16)" in drawn
    assert "dimension D (N = 40)" in drawn
    assert main(["count", "--points", "0"]) == 2
    assert "points must be >= 1" in capsys.readouterr().err


def test_counts_beside_the_lower_bound(capsys, tmp_path):
    file = tmp_path / "counts.tex"
    asked = ["count", "--points", "10", "--dimension", "35", "8", "--variant", "lean"]
    assert main([*asked, "--lower-bound", "0.1", "--latex", str(file)]) == 0
    least = {d: minimal_parameters(d, 0.1) for d in (8, 35)}
    shown, written = capsys.readouterr().out, file.read_text()
    for d, m in least.items():
        of = "robust on all but 1{} of {} at radius 0.1, worst {}"
        end = f"at least {m:,} parameters (certified bound)"
        assert f"D = {d}: {of.format('%', 'S_phi', 'phi')}: {end}" in shown
        assert "D = {}: {}: {}".format(d, of.format(r"\%", r"$S_\phi$", r"$\phi$"), end) in written
    assert main([*asked, "--lower-bound", "0.1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["lower_bound"]
    assert found == {"delta": 0.1, "parameters": {str(d): m for d, m in least.items()}}
    assert main([*asked, "--lower-bound", "0.5"]) == 2
    assert "delta must" in capsys.readouterr().err


def test_inspect_command(capsys, tmp_path):
    path = tmp_path / "square.safetensors"
    squaring(3).save(path)
    assert main(["inspect", str(path), "--plot", str(tmp_path / "square.png")]) == 0
    shown = capsys.readouterr().out
    assert "Yarotsky 2017, Proposition 2" in shown
    assert "sup_error = 1/256" in shown
    assert (tmp_path / "square.png").stat().st_size > 5000
    assert main(["inspect", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["size"]["parameters"] == 19
    assert main(["inspect", str(tmp_path / "none.npz")]) == 2
    assert "NET: no file or folder" in capsys.readouterr().err


def test_module_and_entry_point_agree():
    environment = {**os.environ, "COLUMNS": "100"}
    run = subprocess.run(
        [sys.executable, "-m", "analysis", "--help"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    for command in ("compare", "count", "inspect"):
        assert command in run.stdout
    script = Path(sys.executable).with_name("cgro")
    assert (
        subprocess.run(
            [script, "--help"], capture_output=True, text=True, env=environment, check=True
        ).stdout
        == run.stdout
    )


def test_defaults_are_those_of_the_documentation():
    assert {math.inf: 0.1, 2.0: 0.3} == DEFAULT_RADIUS
    assert CompareSettings().tasks == TASKS


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_digits_show_clean_generalization_and_robust_overfitting(seed):
    (task,) = compare(CompareSettings(tasks=("parity",), seed=seed)).tasks
    built, clean, learned = (task.models[name].errors for name in ("f_S", "f_clean", "learned"))
    assert built.train.robust.value == 0
    assert (
        built.test.clean.value == clean.test.clean.value
        or task.test_zones.shell + task.test_zones.inside > 0
    )
    assert built.test.robust.value >= 0.20
    assert learned.test.clean.value <= 0.03
    train, test = ((e.robust.value, e.robust_upper.value) for e in (learned.train, learned.test))
    assert train[1] <= 0.03
    assert train[0] <= 0.02
    assert test[0] - train[1] >= 0.05
    assert max(high - low for low, high in (train, test)) <= 0.02  # 0.01 on a machine of one's own


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"radius": 8}, "if the radius is in grey levels of 0 to 255, divide it by 255"),
        ({"norm": 2, "radius": 9}, "the l_2 ball of radius 9 holds all of"),
        ({"tasks": ("odd",)}, "tasks must be among parity, classes, got 'odd'"),
        ({"seed": -1}, "seed must be greater than or equal to 0, got -1"),
    ],
)
def test_settings_say_what_is_wrong_when_they_are_made(given, message):
    with pytest.raises(ValueError, match=message):
        CompareSettings(**given)
