"""The figure of sizes over the radius: what it shows is built and proved, and grows with it."""

import csv
import json

import numpy as np
import pytest

from analysis import certify_memorizer, memorization_costs
from analysis.commands.cli import main
from analysis.pages.robustness_figure import robustness_cost
from constructions import Ball, nearest_neighbour, robust_memorizer

SOME = (0.0001, 0.003, 0.03, 0.2, 0.6, 0.99)


@pytest.fixture(scope="module")
def data():
    points = np.random.default_rng(3).integers(0, 2**12 + 1, (60, 8)) / 2**12
    return points, np.where(np.arange(60) % 2, 1, -1)


@pytest.mark.parametrize("norm", [2, "inf"])
def test_sizes_are_those_of_proved_networks_and_never_above_f_s(data, norm):
    """On six radii; larger balls never cost less by more than a fifth."""
    rows = memorization_costs(*data, norm, SOME)
    least = []
    for row in rows:
        ball = Ball(norm, row.radius)
        network = robust_memorizer(*data, ball)
        assert row.sizes[row.smallest] == network.size.parameters == min(row.sizes.values())
        assert row.dense == network.size.dense_parameters
        assert certify_memorizer(network, *data, ball).verdict == "proved"
        assert row.sizes[row.smallest] <= row.sizes["f_S"]
        least.append(row.sizes[row.smallest])
    assert all(after >= 0.8 * max(least[:k]) for k, after in enumerate(least) if k)
    assert least[-1] > least[0]
    if norm == 2:
        assert all(row.needed <= row.sizes[row.smallest] for row in rows)
        assert all(row.needed_dense <= row.dense for row in rows)
        assert rows[0].sizes["nearest_neighbour"] == nearest_neighbour(*data, ball).size.parameters


def test_what_is_not_proved_is_not_listed(data, monkeypatch):
    points, labels = data
    wrong = nearest_neighbour(points, -labels, Ball(2, 2.0**-8))
    monkeypatch.setitem(memorization_costs.__globals__["CANDIDATES"], "memorizer", lambda *_: wrong)
    (row,) = memorization_costs(points, labels, 2, [0.5])
    assert "memorizer" not in row.sizes
    assert "nearest_neighbour" in row.sizes


@pytest.mark.parametrize("norm", [2, "inf"])
def test_what_is_too_large_to_prove_is_counted_or_left_out(data, monkeypatch, norm):
    """Closed forms are the counts of the networks that are built where they are not too large."""
    monkeypatch.setitem(memorization_costs.__globals__, "PAIRS", 1)
    monkeypatch.setitem(memorization_costs.__globals__, "EVALUATED", 1)
    (row,) = memorization_costs(*data, norm, [0.0001])
    assert set(row.sizes) == {"f_S"} | ({"nearest_neighbour"} if norm == 2 else set())
    assert {"narrow_memorizer", "grid_memorizer"} <= set(row.closed_forms)
    for name, size in row.closed_forms.items():
        network = memorization_costs.__globals__["CANDIDATES"][name](*data, Ball(norm, row.radius))
        assert network.size.parameters == size
    assert "coordinates, got N^2 D = " in row.left_out["staged_grid_memorizer"]
    assert row.smallest in row.sizes
    assert "proved, but for closed forms, on all" in repr(row)
    assert "(all closed form)" in repr(row)


def test_a_construction_that_fails_is_tried_on_no_larger_balls(data):
    """And one that does not grow is built for the largest alone."""
    few = [part[:14] for part in data]
    small, large = memorization_costs(*few, 2, [0.6, 0.9])
    (alone,) = memorization_costs(*few, 2, [0.9])
    assert large.left_out["grid_memorizer"].startswith("it is not right at rho = 0.6: ball must be")
    for name in ("nearest_neighbour", "f_S"):
        assert small.sizes[name] == large.sizes[name] == alone.sizes[name]


def test_what_is_kept_is_not_computed_again(data, tmp_path, monkeypatch):
    few = [part[:10] for part in data]
    first = memorization_costs(*few, 2, [0.5], kept=tmp_path)
    assert len(list(tmp_path.iterdir())) == len(memorization_costs.__globals__["CANDIDATES"])
    monkeypatch.setitem(memorization_costs.__globals__, "certify_memorizer", None)
    assert memorization_costs(*few, 2, [0.5], kept=tmp_path) == first
    with pytest.raises(TypeError):
        memorization_costs(*few, 2, [0.25], kept=tmp_path)


@pytest.mark.parametrize("share", [0, 1, -0.5, float("nan")])
def test_shares_without_room_are_refused(data, share):
    with pytest.raises(ValueError, match="shares must lie between 0 and 1"):
        memorization_costs(*data, 2, [share])


def test_the_figure_has_its_numbers(data):
    drawing = robustness_cost(*data, "some points", [0.01, 0.5])
    assert [row[:2] for row in drawing.rows] == [
        ["2", 0.01],
        ["2", 0.5],
        ["inf", 0.01],
        ["inf", 0.5],
    ]
    assert all(len(row) == len(drawing.columns) for row in drawing.rows)
    assert len(drawing.draw().axes) == 2
    assert "each ball proved" in drawing.caption.replace("\n", " ")


@pytest.mark.parametrize(
    "data_option", [[], pytest.param(["--data", "digits"], marks=pytest.mark.slow)]
)
def test_the_command_writes_figure_table_and_json(tmp_path, capsys, data_option):
    where = ["--out", str(tmp_path), "--points", "12"]
    assert main(["figure", "robustness-cost", *data_option, *where]) == 0
    shown = capsys.readouterr().out
    assert "N = 12, D = " in shown.replace("\n", " ")
    (table,) = (tmp_path / "figures").glob("*.csv")
    rows = list(csv.DictReader(table.read_text().splitlines()))
    kept = json.loads(table.with_suffix(".json").read_text())
    assert [str(row["f_S"]) for row in kept] == [row["f_S"] for row in rows]
    assert len(rows) == 24


def test_options_that_it_does_not_take_are_named(tmp_path, capsys):
    assert main(["figure", "robustness-cost", "--epochs", "3", "--out", str(tmp_path)]) == 2
    assert "leave out --epochs" in capsys.readouterr().err
