"""The comparison as a folder: one self-contained HTML page, figures, numbers and networks."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path

from constructions import write_file

from ..pages.page import embedded, percent, render
from ..pages.plots import agreement_figure, error_figure, flatness_figure
from ..quantities.measured import Measured
from .comparison import Comparison, TaskResult, write_networks

TASK_NAMES = {"parity": "Odd (+1) against even (-1)", "classes": "Ten classes"}


def write_report(comparison: Comparison, folder: Path) -> Path:
    """Write report.html, compare.json, figures/ and networks/ into the folder (created if missing);
    returns the page.

    Each file is complete or absent: it is written beside its place and then moved there.
    """
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    pages: dict[str, dict[str, dict[str, str]]] = {}
    for task in comparison.tasks:
        drawn = {
            "errors": partial(
                error_figure, {name: model.errors for name, model in task.models.items()}
            ),
            "flatness": partial(
                flatness_figure, task.flatness, comparison.settings.ball.radius, task.outer
            ),
            "agreement": partial(agreement_figure, task.agreement),
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
        summaries={task.task: summary(task) for task in comparison.tasks},
        figures=figures,
        bounds=bounds,
    )


def summary(task: TaskResult) -> str:
    """The answer in three sentences, with numbers; what it concludes depends on them."""
    built, learned, clean = (task.models[name].errors for name in ("f_S", "learned", "f_clean"))
    gap = built["robust test"].value - built["clean test"].value
    learned_gap = learned["robust test"].value - learned["robust train"].value
    overfits = gap >= 0.05
    conclusion = (
        "clean generalization and robust overfitting, by construction"
        if overfits
        else "at this radius f_clean hardly errs more under attack than without"
    )
    pattern = (
        "the same pattern, as far as the attack sees"
        if overfits and learned_gap >= 0.05 and learned["clean test"].value <= 0.05
        else "robust overfitting does not show"
    )
    return (
        f"f_S has robust training error 0 (certified), clean test error "
        f"{percent(built['clean test'])} (f_clean: "
        f"{percent(clean['clean test'])}) and robust test error at least "
        f"{percent(built['robust test'])}: {conclusion}. "
        f"On the adversarially trained network the attack succeeds in "
        f"{percent(learned['robust train'])} of the training balls "
        f"and {percent(learned['robust test'])} of the test balls (lower bounds, "
        f"{100 * learned_gap:.1f} points apart), with "
        f"clean test error {percent(learned['clean test'])}: {pattern}. Learned and constructed "
        f"give the same label on "
        f"{percent(task.agreement['clean test points'])} of the clean test points and, estimated, "
        f"on "
        f"{percent(task.agreement['outside'])} of random points outside all balls and shells."
    )


def bounds(errors: dict[str, Measured], name: str) -> str:
    """A robust error as its proved range: "at least to at most", one number where both are equal or
    it is exact.
    """
    lower, upper = errors[name], errors.get(f"{name} upper")
    if lower.kind == "exact":
        return percent(lower)
    if upper is None:
        return f"≥ {percent(lower)}"
    if percent(lower) == percent(upper):
        return percent(lower)
    return f"{percent(lower)} to {percent(upper)}"
