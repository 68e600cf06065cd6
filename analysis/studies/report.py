"""The study of runs as a folder: one self-contained HTML page, figures in two themes, numbers as
CSV and JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from constructions.internal import write_file

from ..pages.drawing import write_csv
from ..pages.figure import Drawing
from ..pages.page import embedded, percent, render, versions
from ..quantities.measured import Measured, ShareBounds
from .answers import OUTSIDE, PARTS, kept_optional
from .curves import at_radius, interval
from .figures import drawings
from .papers import PAPERS
from .study import Constructed, RunStudy, Study

EXPLAINED = 0.01
"""Least part of a learned output that memorization must explain for a verdict on its share."""


def write_figures(drawn: Iterable[Drawing], folder: Path) -> dict[str, dict[str, str]]:
    """Write figures and their numbers; gives data URIs by file and theme."""
    return {drawing.file: write_drawing(drawing, folder) for drawing in drawn}


def write_drawing(drawing: Drawing, folder: Path) -> dict[str, str]:
    """Write one figure and its numbers; gives data URIs by theme."""
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(folder / f"{drawing.file}.csv", drawing.columns, drawing.rows)
    return embedded(drawing.draw, folder, drawing.file)


def write_study(study: Study, folder: Path) -> Path:
    """Write the page of a study, with its numbers and figures.

    report.html, study.json and figures/ go into the folder; each file is complete or absent.

    Args:
        study: what `study` gave.
        folder: created if missing.

    Returns:
        The path of the page.
    """
    drawn = drawings(study)
    files = write_figures(drawn, folder / "figures")
    write_file(folder / "study.json", json.dumps(study_json(study), indent=1, allow_nan=False))
    page = folder / "report.html"
    write_file(page, page_of(study, drawn, files))
    return page


def page_of(study: Study, drawn: list[Drawing], files: dict[str, dict[str, str]]) -> str:
    """The page as text."""
    return render(
        "study.html",
        study=study,
        names=", ".join(run.name for run in study.runs),
        summaries=summaries(study),
        rows=[row_of(run) for run in study.runs],
        certified=[(run.name, *certified_cells(run)) for run in study.runs if run.robust_errors],
        sources=list(
            dict.fromkeys(f"{run.data}: {run.recorded.data.source}" for run in study.runs)
        ),
        explained=EXPLAINED,
        outside=OUTSIDE,
        drawings=drawn,
        files=files,
        papers=PAPERS,
        percents=percents,
        told=told,
        versions=versions(),
    )


def study_json(study: Study) -> dict[str, Any]:
    """Every number as plain JSON values."""
    runs = [
        {
            "name": run.name,
            "config": run.config.to_json(),
            "parameters": run.parameters,
            "profiles": {
                epoch: plain({part: p.to_json() for part, p in parts.items()})
                for epoch, parts in run.profiles.items()
            },
            "gaps": {epoch: gap.to_json() for epoch, gap in run.gaps.items()},
            "planes": {epoch: found.to_json() for epoch, found in run.planes.items()},
            "distances": run.distances.to_json() if run.distances else {},
            "robust_errors": {
                part: {"lower": found.lower.to_json(), "upper": kept_optional(found.upper)}
                for part, found in run.robust_errors.items()
            },
            "final": run.run.final,
        }
        for run in study.runs
    ]
    built = [plain(one.to_json()) for one in study.constructed]
    problems = [{"folder": folder, "problem": text} for folder, text in study.problems]
    return {
        "settings": asdict(study.settings),
        "runs": runs,
        "constructed": built,
        "problems": problems,
        "versions": versions(),
    }


def plain(value: Any) -> Any:
    """The same without numbers that JSON does not have."""
    if isinstance(value, dict):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and value - value != 0 else value


def row_of(run: RunStudy) -> list[str]:
    """One row of the table of runs."""
    config, data, rates = run.config, run.recorded.data, run.recorded.final.rates
    robust = [
        f"≥ {percent(error)}"
        if run.robust and (error := rates[part].robust_error) is not None
        else ""
        for part in ("train_sample", "test")
    ]
    clean = [percent(rates[part].clean_error) for part in ("train", "test")]
    return [
        run.name,
        f"{run.data}, {config.task}, {data.train:,} / {data.test:,}",
        config.model,
        f"{run.parameters:,}",
        config.attack if run.robust else "none",
        f"{config.radius:g}",
        str(run.run.epoch),
        *clean,
        *robust,
        rates["test"].attack if run.robust else "",
        run.run.status,
    ]


def certified_cells(run: RunStudy) -> list[str]:
    """Between which bounds the robust error of training and test points lies, in percent."""
    return [bounds_told(run.robust_errors[part]) for part in PARTS]


def bounds_told(found: ShareBounds) -> str:
    """A share from below and from above, in percent."""
    assert found.upper is not None  # as balls were decided
    low, high = percent(found.lower), percent(found.upper)
    return low if low == high else f"{low} to {high}"


def summaries(study: Study) -> dict[str, str]:
    """The answer for each robust run, in three or four sentences with numbers."""
    return {run.name: summary_of(study, run) for run in study.runs if run.profiles}


def summary_of(study: Study, run: RunStudy) -> str:
    """What the numbers say; conclusions depend on them, by the rules that the page states."""
    built = next((one for one in study.constructed if one.learned == run.name), None)
    return " ".join([overfitting(run), flatness_told(run, built), likeness(study, run, built)])


def overfitting(run: RunStudy) -> str:
    """Clean and robust errors, and whether they are further apart on test points."""
    assert run.distances is not None  # as it has profiles
    train, test = (run.distances.parts[part].wrong for part in PARTS)
    gap, clean = run.distances.gap, run.profiles[run.run.epoch]["test"].clean_error
    low, high = gap.interval or (0.0, 0.0)
    verdict = (
        "a robust generalization gap"
        if low > 0
        else "no gap"
        if high < 0
        else "no gap that is clear on so few points"
    )
    stopped = (
        "" if run.run.status == "finished" else f" ({run.run.status}; epoch {run.run.epoch} counts)"
    )
    return (
        f"{run.config.model}, trained with {run.config.attack} in the {run.config.ball}{stopped}, "
        f"errs on {percent(clean)} of "
        f"{clean.total} test points, and under attack on at least {percent(test)} of them and "
        f"{percent(train)} of "
        f"{train.total} training points, {100 * gap.value:.1f} {points_interval(gap)} points "
        f"apart: {verdict}.{proved(run)}"
    )


def proved(run: RunStudy) -> str:
    """The certified robust errors in a sentence."""
    if not run.robust_errors:
        return ""
    train, test = certified_cells(run)
    return f" Proved of these points: {test} of test and {train} of training balls hold an error."


def flatness_told(run: RunStudy, built: Constructed | None) -> str:
    """How much sharper the loss is outside the training radius than inside, for the learned
    network, f_clean and f_S.
    """
    last = run.profiles[run.run.epoch]["train"]
    here = interval(at_radius(run, run.run.epoch, "train"))
    text = (
        "Around training points the largest gradient within the training radius has the mean "
        f"{here}"
    )
    text += (
        ""
        if last.contrast is None
        else f", and {interval(last.contrast)} times that within {OUTSIDE:g} times the radius"
    )
    if built is None:
        return text + "."
    profiles = {name: built.profiles[name]["train"] for name in ("f_clean", "f_S")}
    inside = profiles["f_S"].radii.index(run.config.radius)
    outside = profiles["f_S"].radii.index(OUTSIDE * run.config.radius)
    zero = profiles["f_S"].gradient[inside].value
    exact = ", by proof exactly" if built.facts.proof == "proved" and zero == 0 else ""
    clean = profiles["f_clean"].contrast
    ratio = "not defined" if clean is None else f"{interval(clean)} times"
    return (
        f"{text}; for f_clean the ratio is {ratio}, and f_S, built on {built.facts.memorized:,} "
        f"training points, goes from "
        f"{zero:.3g}{exact} to {profiles['f_S'].gradient[outside].value:.3g}."
    )


def likeness(study: Study, run: RunStudy, built: Constructed | None) -> str:
    """Whether the learned network behaves like f_S."""
    if built is None:
        return f"There is no f_S beside it: {study.without.get(run.name, 'none was built')}."
    zones, shares = built.agreement["by zone"], built.shares["train"]
    places = [zone for zone in ("inside the balls", "in the shells", "outside") if zone in zones]
    parts = ", ".join(f"{percent(zones[zone])} {zone}" for zone in places)
    text = (
        f"It gives f_S's label at {percent(zones['clean test points'])} of the test points and "
        f"{parts} (estimates)"
    )
    if shares.share is None or shares.a is None:
        return f"{text}; how much it memorizes is not identified."
    found, a, gain = shares.share, shares.a, shares.by_memorization
    low, high = found.interval or (found.value, found.value)
    if a.value <= 0 or (gain.interval or (0.0, 0.0))[0] < EXPLAINED:
        verdict = "memorization explains too little of it to say more"
    else:
        verdict = (
            "nearer to f_S"
            if low > 0.5
            else "nearer to f_clean"
            if high < 0.5
            else "between f_clean and f_S"
        )
    return (
        f"{text}; fitted by f_clean and f_S along rays from training points, f_S has the weight "
        f"{interval(found)} (R² "
        f"{told(shares.explained)}, of which by memorization alone {interval(gain)}): {verdict}."
    )


def percents(value: Measured) -> str:
    """The interval of a share in percent."""
    return (
        ""
        if value.interval is None
        else "{:.1f}% to {:.1f}%".format(*(100 * v for v in value.interval))
    )


def points_interval(value: Measured) -> str:
    """The interval of a difference of shares, in points."""
    return (
        ""
        if value.interval is None
        else "[{:.1f}, {:.1f}]".format(*(100 * v for v in value.interval))
    )


def told(found: Measured | None) -> str:
    """A number with its interval."""
    return "not identified" if found is None else interval(found)
