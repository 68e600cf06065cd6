"""The comparison as a folder: one self-contained HTML page, figures, numbers and networks."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path

from constructions.internal import write_file

from ..pages.page import embedded, percent, render
from ..pages.plots import agreement_figure, error_figure, flatness_figure
from .result import Comparison, SplitErrors, TaskResult

SAVED = 2**24
"""Most numbers of a network that a comparison writes; f_S is built again from f_clean and the data.
"""

CHANCE = 0.4
"""Clean test errors of the learned network from which nothing is concluded."""

TASK_NAMES = {"parity": "Odd (+1) against even (-1)", "classes": "Ten classes"}


def write_report(comparison: Comparison, folder: Path) -> Path:
    """Write the page of a comparison, with its numbers, figures and networks.

    report.html, compare.json, figures/ and networks/ go into the folder. Each file is complete or
    absent: it is written beside its place and then moved there.

    Args:
        comparison: what `compare` gave.
        folder: created if missing.

    Returns:
        The path of the page.
    """
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    pages: dict[str, dict[str, dict[str, str]]] = {}
    for task in comparison.tasks:
        drawn = {
            "errors": partial(
                error_figure, {name: model.errors.named() for name, model in task.models.items()}
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
    gap = built.test.robust.value - built.test.clean.value
    learned_gap = learned.test.robust.value - learned.train.robust.value
    upper = learned.train.robust if learned.train.robust.kind == "exact" else None
    upper = learned.train.robust_upper or upper
    certified_gap = learned.test.robust.value - upper.value if upper else 0.0
    if learned.test.clean.value >= CHANCE:
        return (
            f"The learned network errs on {percent(learned.test.clean)} of the clean test points, "
            "so nothing is concluded. Does it take pixels in [0,1], and are its labels those of "
            "the task (parity: positive for odd)?"
        )
    overfits = gap >= 0.05
    conclusion = (
        "clean generalization and robust overfitting, by construction"
        if overfits
        else "at this radius f_clean hardly errs more under attack than without"
    )
    pattern = "robust overfitting does not show"
    if overfits and learned_gap >= 0.05 and learned.test.clean.value <= 0.05:
        pattern = "the same pattern, as far as the attack sees"
        if certified_gap >= 0.05:
            points = math.floor(1000 * certified_gap) / 10
            pattern = f"the same pattern, certified, by at least {points:.1f} points"
    return (
        f"f_S has robust training error 0 (certified), clean test error "
        f"{percent(built.test.clean)} (f_clean: "
        f"{percent(clean.test.clean)}) and robust test error at least "
        f"{percent(built.test.robust)}: {conclusion}. "
        f"The learned network has an error in {bounds(learned.train)} of the "
        f"training balls and {bounds(learned.test)} of the test balls (certified), with "
        f"clean test error {percent(learned.test.clean)}: {pattern}. Learned and constructed "
        f"give the same label on "
        f"{percent(task.agreement['clean test points'])} of the clean test points and, estimated, "
        f"on "
        f"{percent(task.agreement['outside'])} of random points outside all balls and shells."
    )


def bounds(errors: SplitErrors) -> str:
    """A robust error as its proved range: "at least to at most", one number where both are equal or
    it is exact.
    """
    lower, upper = errors.robust, errors.robust_upper
    if lower.kind == "exact":
        return percent(lower)
    if upper is None:
        return f"≥ {percent(lower)}"
    if percent(lower) == percent(upper):
        return percent(lower)
    return f"{percent(lower)} to {percent(upper)}"


def write_networks(comparison: Comparison, folder: Path) -> None:
    """Save every network of up to `SAVED` numbers as networks/TASK-MODEL.safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    for task in comparison.tasks:
        for name, network in task.networks.items():
            if network.size.stored <= SAVED:
                network.save(folder / f"{task.task}-{name}.safetensors")
