"""The comparison as a folder: one self-contained HTML page, figures, numbers and networks."""

from __future__ import annotations

import json
import math
from functools import partial
from os import PathLike
from pathlib import Path

from constructions.internal import write_file

from ..pages.page import embedded, render
from ..pages.plots import agreement_figure, error_figure, flatness_figure
from .comparison import Comparison
from .verdict import APART, CLEAN, MEMORIZED, at_start, bounds, headed

SAVED = 2**24
"""Most numbers of a network that a comparison writes; f_S is built again from f_clean and the data.
"""

TASK_NAMES = {"parity": "Odd (+1) against even (-1)", "classes": "Ten classes"}


def write_report(comparison: Comparison, folder: str | PathLike[str]) -> Path:
    """Write the page of a comparison, with its numbers, figures and networks.

    report.html, compare.json, figures/ and networks/ go into the folder. Each file is complete or
    absent: it is written beside its place and then moved there.

    Args:
        comparison: what `compare` gave.
        folder: created if missing.

    Returns:
        The path of the page.
    """
    folder = Path(folder)
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    pages: dict[str, dict[str, dict[str, str]]] = {}
    for task in comparison.tasks:
        drawn = {
            "errors": partial(
                error_figure,
                {task.called(name): model.errors.named() for name, model in task.models.items()},
                list(task.models),
            ),
            "flatness": partial(
                flatness_figure,
                task.flatness,
                comparison.settings.ball.radius,
                task.outer,
                task.called("learned"),
            ),
            "agreement": partial(
                agreement_figure, task.agreement, task.baselines, task.called("learned")
            ),
        }
        pages[task.task] = {
            name: embedded(draw, figures, f"{task.task}-{name}") for name, draw in drawn.items()
        }
    write_networks(comparison, folder / "networks")
    write_file(folder / "compare.json", json.dumps(comparison.to_json(), indent=1, allow_nan=False))
    page = folder / "report.html"
    write_file(page, page_of(comparison, pages))
    return page


def page_of(comparison: Comparison, figures: dict[str, dict[str, dict[str, str]]]) -> str:
    """The page as text; figures are data URIs by task, name and theme."""
    return render(
        "compare.html",
        tasks=comparison.tasks,
        settings=comparison.settings,
        versions=comparison.versions,
        ball=comparison.settings.ball,
        squared=not math.isinf(comparison.settings.norm),
        names=TASK_NAMES,
        summaries={task.task: headed(task) for task in comparison.tasks},
        figures=figures,
        bounds=bounds,
        at_start=at_start,
        clean=CLEAN,
        memorized=MEMORIZED,
        apart=APART,
    )


def write_networks(comparison: Comparison, folder: Path) -> None:
    """Save every network of up to `SAVED` numbers as networks/TASK-MODEL.safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    for task in comparison.tasks:
        for name, network in task.networks.items():
            if network.size.stored <= SAVED:
                network.save(folder / f"{task.task}-{name}.safetensors")
