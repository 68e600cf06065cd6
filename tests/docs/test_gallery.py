"""The gallery: every example runs alone, says what kind its numbers are, draws legible figures in
the project's colours, and leaves nothing behind.
"""

import json
import re
import runpy
import tempfile
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from analysis.pages import drawing

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "docs" / "gallery"
SCRIPTS = sorted(GALLERY.glob("plot_*.py"))
SLOW = {
    *("plot_06_regions", "plot_07_boundary", "plot_08_train_and_compare"),
    *("plot_09_your_own_network", "plot_11_three_phases", "plot_14_robustness_cost"),
}
"""Those of more than four seconds."""

KINDS = r"exact|certified|empirical|estimate|recorded"
WIDEST, SMALLEST = 5.2, 9.0
"""Inches of a figure and points of its letters: at 390 pixels, 9 points are 9 pixels high."""

MODELS = {name: drawing.MODEL_COLOURS[name] for name in ("f_clean", "f_S", "learned")}
COLOURS = {colour.lower() for colour in vars(drawing).values() if re.match("#.{6}$", str(colour))}


def run(script, folder, monkeypatch):
    """Run a script in an empty folder, temporary files in another one."""
    place, temporary = folder / "place", folder / "temporary"
    place.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.use("Agg")
        runpy.run_path(str(script), run_name="__main__")
    left = [*place.iterdir(), *temporary.iterdir()]
    return [path for path in left if not path.name.startswith("torchinductor_")]  # torch's cache


def letters(figure):
    figure.canvas.draw()
    shown = (text for text in figure.findobj(Text) if text.get_visible() and text.get_text())
    return {text.get_text(): text.get_fontsize() for text in shown if text.get_fontsize() > 0}


def named_colours(figure):
    """Of each line and collection that is named as a network: (name, its colour)."""
    for axes in figure.axes:
        for line in axes.lines:
            if line.get_label() in MODELS:
                yield line.get_label(), to_hex(line.get_color())
        for collection in axes.collections:
            if collection.get_label() in MODELS:
                yield collection.get_label(), to_hex(collection.get_edgecolor()[0])


@pytest.mark.parametrize(
    "script",
    [pytest.param(p, id=p.stem, marks=[pytest.mark.slow] * (p.stem in SLOW)) for p in SCRIPTS],
)
def test_every_example_runs_and_leaves_nothing(script, tmp_path, monkeypatch, capsys):
    plt.close("all")
    try:
        assert run(script, tmp_path, monkeypatch) == []
        figures = [plt.figure(number) for number in plt.get_fignums()]
        assert figures
        for figure in figures:
            assert figure.get_size_inches()[0] <= WIDEST
            assert min(letters(figure).values()) >= SMALLEST
            assert any(axes.get_xlabel() for axes in figure.axes)
            assert all(axes.get_ylabel() or axes.get_yticklabels() for axes in figure.axes)
            assert [(n, c) for n, c in named_colours(figure) if c != MODELS[n].lower()] == []
    finally:
        plt.close("all")
    assert re.search(KINDS, capsys.readouterr().out)


def test_there_are_fourteen_and_half_of_them_are_fast():
    assert [path.stem[5:7] for path in SCRIPTS] == [f"{i:02}" for i in range(1, 15)]
    assert {path.stem for path in SCRIPTS} > SLOW
    assert len(SCRIPTS) - len(SLOW) >= 6


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_examples_are_short_titled_and_in_the_projects_colours(script):
    text = script.read_text("utf-8")
    _, title, line, *_ = text.splitlines()
    assert title
    assert line == "=" * len(title)
    code = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(code) <= 80
    assert {colour.lower() for colour in re.findall(r'"(#[0-9A-Fa-f]{6})"', text)} <= COLOURS
    for name, colour in re.findall(r'"(f_clean|f_S|learned)": [^"\n]*"(#[0-9A-F]{6})"', text):
        assert colour == MODELS[name]


def test_kept_numbers_are_those_of_the_tables():
    kept = json.loads((GALLERY / "mnist.json").read_text("utf-8"))
    pages = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *(ROOT / "docs").rglob("*.md")]
    made = ROOT / "docs" / "auto"  # copies
    text = "\n".join(page.read_text("utf-8") for page in pages if made not in page.parents)
    (options,) = re.findall(r"(--interval-weight .*?);", kept["certified"]["how"])
    table = text.split(f"`{options}`")[1].split("\n\n")[1]
    for row in kept["certified"]["rows"]:
        start = rf"^\| {row['network']}[^|]*\| {row['part']}[^|]*"
        (found,) = re.findall(rf"{start}\|([^|]*)\|([^|]*)\| \d+[^|]*\|$", table, re.MULTILINE)
        counts = [int((re.search(r"\((\d+)\)", cell) or [0, 0])[1]) for cell in found]
        assert counts == [row["least"], row["most"]]
    for row in kept["trained"]["rows"]:
        for name in ("clean", "robust_test", "robust_training"):
            assert f"{row[name]:.2f}%" in text
    for row in kept["contrast"]["rows"]:
        low_high = "[{}, {}]".format(*row["interval"]) if row["interval"] else ""
        assert f"{row['ratio']} times {low_high}".strip() in text
    for row in kept["size"]["rows"]:
        assert f"{row['parameters']:,}" in text
        assert f"{row['proof_seconds']} s, {row['check_seconds']} s" in text
