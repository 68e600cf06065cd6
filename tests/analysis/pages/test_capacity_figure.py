"""The figure of sizes over the dimension: its numbers are those of `capacity_table`, and it says
where the bound is trivial.
"""

import csv
import re

import pytest

from analysis.commands.cli import main
from analysis.pages.capacity_figure import lower_bound
from constructions import capacity_table

SOME = [2, 5, 6, 9, 30, 34, 35, 40, 50, 75, 100]


@pytest.fixture(scope="module")
def drawing():
    return lower_bound(SOME)


def test_numbers_are_those_of_the_table(drawing):
    columns = list(drawing.columns)
    rows = capacity_table(SOME, 0.1)
    assert [row[columns.index("lower")] for row in drawing.rows] == [row.lower for row in rows]
    assert [row[columns.index("robust")] for row in drawing.rows] == [row.robust for row in rows]
    assert all(len(row) == len(columns) for row in drawing.rows)


def test_it_says_where_the_bound_is_trivial(drawing):
    rows = {row.dimension: row for row in capacity_table([5, 6, 34, 35], 0.1)}
    assert rows[5].lower <= rows[5].clean < rows[6].lower
    assert rows[34].lower <= rows[34].cgro < rows[35].cgro < rows[35].lower
    assert re.search(r"exceeds f_clean from D = 6 on, f_S from D = 35 on", drawing.caption)
    assert "built networks up to D = 9" in drawing.caption
    assert "certified lower bound" in drawing.caption


def test_curves_are_logarithms_of_exact_integers(drawing):
    near, far = drawing.draw().axes
    curves = {line.get_label(): line.get_ydata() for line in far.lines}
    (robust,) = (y for label, y in curves.items() if label.startswith("robust"))
    assert robust[-1] == pytest.approx(len(str(capacity_table([100], 0.1)[0].robust)), abs=1)
    assert max(near.lines[0].get_xdata()) == 40
    assert max(far.lines[0].get_xdata()) == 100


def test_the_command_takes_no_run(tmp_path, capsys, monkeypatch, drawing):
    monkeypatch.setattr("analysis.pages.capacity_figure.lower_bound", lambda: drawing)
    assert main(["figure", "lower-bound", "--out", str(tmp_path)]) == 0
    assert drawing.caption in capsys.readouterr().out
    files = {path.name for path in (tmp_path / "figures").iterdir()}
    assert files == {
        f"{drawing.file}{end}" for end in (".svg", ".png", "-dark.svg", "-dark.png", ".csv")
    }
    with (tmp_path / "figures" / f"{drawing.file}.csv").open() as file:
        assert len(list(csv.reader(file))) == len(SOME) + 1
    assert main(["figure", "lower-bound", "some", "--out", str(tmp_path)]) == 2
    assert "takes no run" in capsys.readouterr().err


def test_rates_need_large_dimensions():
    with pytest.raises(ValueError, match=r"^dimensions must have three or more from 50 on"):
        lower_bound([2, 3, 60])
