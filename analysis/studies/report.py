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
from ..quantities.measured import Measured
from .answers import OUTSIDE, kept_optional
from .figures import drawings
from .settings import PAPERS
from .study import RunStudy, Study
from .verdict import EXPLAINED, certified_cells, summaries, told


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


def percents(value: Measured) -> str:
    """The interval of a share in percent."""
    return (
        ""
        if value.interval is None
        else "{:.1f}% to {:.1f}%".format(*(100 * v for v in value.interval))
    )
