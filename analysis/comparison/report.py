"""The comparison as a folder: one self-contained HTML page, figures, numbers and networks."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from constructions import Ball
from constructions.internal import write_file

from ..pages.page import embedded, render
from ..pages.plots import agreement_figure, error_figure, flatness_figure
from .comparison import Comparison
from .result import TaskResult
from .verdict import APART, CLEAN, MEMORIZED, at_start, bounds, headed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Figures = dict[str, dict[str, str]]
"""Data URIs of a task's figures, by name and theme."""

SAVED = 2**24
"""Most numbers of a network that a comparison writes; f_S is built again from f_clean and the data.
"""

TASK_NAMES = {"parity": "Odd (+1) against even (-1)", "classes": "Ten classes"}


def write_report(
    comparison: Comparison,
    folder: str | PathLike[str],
    *,
    drawn: Mapping[str, Figures] | None = None,
) -> Path:
    """Write the page of a comparison, with its numbers, figures and networks.

    report.html, compare.json, figures/ and networks/ go into the folder. Each file is complete or
    absent: it is written beside its place and then moved there.

    Args:
        comparison: what `compare` gave.
        folder: created if missing.
        drawn: figures of tasks by name that `draw_task` wrote into this folder; others are drawn.

    Returns:
        The path of the page.
    """
    folder, ready = Path(folder), drawn or {}
    ball = comparison.settings.ball
    figures = {
        task.task: ready.get(task.task) or draw_task(task, ball, folder)
        for task in comparison.tasks
    }
    write_networks(comparison, folder / "networks")
    write_file(folder / "compare.json", json.dumps(comparison.to_json(), indent=1, allow_nan=False))
    page = folder / "report.html"
    write_file(page, page_of(comparison, figures))
    return page


def draw_task(task: TaskResult, ball: Ball, folder: Path) -> Figures:
    """Write the figures of one task into figures/ of the folder; as data URIs by name and theme."""
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    learned = task.called("learned")
    errors = {task.called(name): model.errors.named() for name, model in task.models.items()}
    draw: dict[str, Callable[[], Figure]] = {
        "errors": partial(error_figure, errors, list(task.models)),
        "flatness": partial(flatness_figure, task.flatness, ball.radius, task.outer, learned),
        "agreement": partial(agreement_figure, task.agreement, task.baselines, learned),
    }
    return {name: embedded(each, figures, f"{task.task}-{name}") for name, each in draw.items()}


def page_of(comparison: Comparison, figures: Mapping[str, Figures]) -> str:
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
