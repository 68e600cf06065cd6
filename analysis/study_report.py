"""The study of runs as a folder: one self-contained HTML page, figures in two themes, numbers as CSV and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from constructions import write_file

from .drawing import write_csv
from .measured import Measured
from .page import embedded, percent, render, versions
from .study import OUTSIDE, Constructed, RunStudy, Study
from .study_figures import FIGURES, PAPERS, Drawing, at_radius, drawings, error_of, interval

FLAT = 3.0
"""How many times as sharp outside as inside counts as flat inside."""


def write_figures(study: Study, folder: Path, names: tuple[str, ...] = FIGURES) -> dict[str, dict[str, str]]:
    """Write all figures of these names and their numbers; gives data URIs by file and theme."""
    folder.mkdir(parents=True, exist_ok=True)
    return {drawing.file: write_drawing(drawing, folder) for drawing in drawings(study, names)}


def write_drawing(drawing: Drawing, folder: Path) -> dict[str, str]:
    """Write one figure and its numbers; gives data URIs by theme."""
    write_csv(folder / f"{drawing.file}.csv", drawing.columns, drawing.rows)
    return embedded(drawing.draw, folder, drawing.file)


def write_study(study: Study, folder: Path) -> Path:
    """Write report.html, study.json and figures/ into the folder; returns the page. Each file is complete or absent."""
    files = write_figures(study, folder / "figures")
    write_file(folder / "study.json", json.dumps(study_json(study), indent=1, allow_nan=False))
    page = folder / "report.html"
    write_file(page, page_of(study, drawings(study), files))
    return page


def page_of(study: Study, drawn: list[Drawing], files: dict[str, dict[str, str]]) -> str:
    """The page as text."""
    return render(
        "study.html",
        study=study,
        names=", ".join(run.name for run in study.runs),
        summaries=summaries(study),
        rows=[row_of(run) for run in study.runs],
        sources=list(
            dict.fromkeys(f"{run.run.about['data']['name']}: {run.run.about['data']['source']}" for run in study.runs)
        ),
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
            "profiles": {epoch: {part: plain(asdict(p)) for part, p in parts.items()} for epoch, parts in run.profiles.items()},
            "gaps": {epoch: gap.to_json() for epoch, gap in run.gaps.items()},
            "distances": run.distances,
            "final": run.run.final,
        }
        for run in study.runs
    ]
    built = [plain(asdict(one)) for one in study.constructed]
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
    config, final = run.config, run.run.final or {}
    facts = run.run.about["data"]
    robust = [
        "" if final[part]["robust_accuracy"] is None else f"≥ {percent(error_of(final[part], 'robust_accuracy'))}"
        for part in ("train_sample", "test")
    ]
    clean = [percent(error_of(final[part], "accuracy")) for part in ("train", "test")]
    return [
        run.name,
        f"{run.data}, {config.task}, {facts['train']:,} / {facts['test']:,}",
        config.model,
        f"{run.parameters:,}",
        config.attack if run.robust else "none",
        f"{config.radius:g}",
        str(run.run.epoch),
        *clean,
        *robust,
        final["test"]["attack"],
    ]


def summaries(study: Study) -> dict[str, str]:
    """The answer for each robust run, in three sentences with numbers."""
    return {run.name: summary_of(study, run) for run in study.runs if run.robust}


def summary_of(study: Study, run: RunStudy) -> str:
    """What the numbers say; what it concludes depends on them."""
    built = next((one for one in study.constructed if one.learned == run.name), None)
    return " ".join([overfitting(run), local_flatness(run, built), likeness(run, built)])


def overfitting(run: RunStudy) -> str:
    """Clean generalization and robust overfitting, or not."""
    profiles = run.profiles[run.run.epoch]
    inside = profiles["train"].radii.index(run.config.radius)
    train, test = (profiles[part].wrong[inside] for part in ("train", "test"))
    gap, clean = run.gaps[run.run.epoch], profiles["test"].clean_error
    low = (gap.interval or (0.0, 0.0))[0]
    verdict = "robust overfitting, and clean generalization" if low > 0.02 and clean.value < 0.1 else (
        "robust overfitting" if low > 0.02 else "no robust overfitting that these points show")  # fmt: skip
    return (
        f"{run.config.model}, trained with {run.config.attack} in the {run.config.ball}, errs on {percent(clean)} of "
        f"{clean.total} test points and under attack on at "
        f"least {percent(test)} of them and {percent(train)} of as many training points, {100 * gap.value:.1f} "
        f"{points_interval(gap)} points apart: {verdict}."
    )


def local_flatness(run: RunStudy, built: Constructed | None) -> str:
    """Flat within the training radius and sharp outside, or not; f_S beside."""
    last = run.profiles[run.run.epoch]["train"]
    here, there = at_radius(run, run.run.epoch, "train"), last.contrast
    if there is None:
        text = "Around training points no gradient was found within the training radius"
    else:
        flat = "flat inside and sharp outside" if (there.interval or (0, 0))[0] >= FLAT else "only somewhat sharper outside"
        text = (
            f"Around training points its loss has a mean largest gradient of {interval(here)} within the training radius "
            f"and {interval(there)} times that within "
            f"{OUTSIDE:g} times the radius: {flat}"
        )
    if built is None:
        return text + "."
    profile = built.profiles["f_S"]["train"]
    inner = profile.gradient[profile.radii.index(run.config.radius)]
    outer = profile.gradient[profile.radii.index(OUTSIDE * run.config.radius)]
    exact = " (by proof exactly 0)" if built.facts["proof"] == "proved" else ""
    count = built.facts["memorized"]
    return f"{text}; for f_S, built on {count:,} training points, it is {inner.value:.3g}{exact} and then {outer.value:.3g}."


def likeness(run: RunStudy, built: Constructed | None) -> str:
    """Whether the learned network behaves like f_S."""
    if built is None:
        return "No clean run on the same data was given, so there is no f_S to compare with."
    zones, share = built.agreement["by zone"], built.shares["train"]["share"]
    parts = ", ".join(
        f"{percent(zones[zone])} {zone}" for zone in ("inside the balls", "in the shells", "outside") if zone in zones
    )
    if share is None:
        same = percent(zones["clean test points"])
        return f"It gives f_S's label at {same} of the test points and {parts}; its memorization share is not identified."
    found = Measured.from_json(share)
    low, high = found.interval or (found.value, found.value)
    verdict = "like f_S" if low > 0.5 else "like f_clean, not like f_S" if high < 0.5 else "between f_clean and f_S"
    return (
        f"It gives f_S's label at {percent(zones['clean test points'])} of the test points and {parts} (estimates); of its "
        "output along rays from "
        f"training points, memorization has the share {interval(found)}: it behaves {verdict}."
    )


def percents(value: Measured) -> str:
    """The interval of a share in percent."""
    return "" if value.interval is None else "{:.1f}% to {:.1f}%".format(*(100 * v for v in value.interval))


def points_interval(value: Measured) -> str:
    """The interval of a difference of shares, in points."""
    return "" if value.interval is None else "[{:.1f}, {:.1f}]".format(*(100 * v for v in value.interval))


def told(found: dict[str, Any] | None) -> str:
    """A kept number with its interval."""
    return "not identified" if found is None else interval(Measured.from_json(found))
