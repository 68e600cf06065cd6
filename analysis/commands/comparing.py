"""The command `cgro compare`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training import TASKS

from ..comparison.declared import check_declared
from ..comparison.processes import prepare
from ..comparison.settings import CompareSettings
from .options import add_options, check_data, given

if TYPE_CHECKING:
    from ..comparison.comparison import Comparison
    from ..comparison.result import TaskResult


def add_compare_command(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    command = commands.add_parser(
        "compare", help="train and construct classifiers on the same data and compare them"
    )
    add_options(command, CompareSettings)
    command.add_argument(
        "--task",
        default="both",
        choices=["both", *TASKS],
        help="odd against even, ten classes, or both (default: those that a given network fits)",
    )
    command.add_argument(
        "--out",
        type=Path,
        default=Path("results/compare"),
        help="folder of the report (default: %(default)s)",
    )
    command.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="tasks at the same time (default: both on digits, else one)",
    )
    command.add_argument(
        "--json", action="store_true", help="print every number as JSON instead of the tables"
    )
    command.set_defaults(run=run_compare)


def run_compare(options: argparse.Namespace) -> None:
    """`cgro compare`."""
    words = given(options, CompareSettings)
    if options.task != "both":
        words["tasks"] = (options.task,)
    small = words.get("data", "digits") == "digits"
    settings = CompareSettings(**words) if small else CompareSettings.large(**words)
    jobs = options.jobs if options.jobs is not None else len(settings.tasks) if small else 1
    check_data(settings.data)
    check_declared(settings)
    if jobs > 1:
        prepare()
    import torch

    from ..comparison.comparison import compare
    from ..comparison.report import draw_task, write_report
    from .console import progress_bar, showing

    torch.set_num_threads(1)  # small matrices: a second thread gains little, and costs others much
    options.out.mkdir(parents=True, exist_ok=True)
    drawn = {}

    def draw(task: TaskResult) -> None:  # while the other task goes on
        drawn[task.task] = draw_task(task, settings.ball, options.out)

    with progress_bar() as progress:
        bar = progress.add_task("starting", total=None)
        result = compare(
            settings,
            report=showing(progress, bar),
            runs=options.out / "runs",
            jobs=jobs,
            finished=draw,
        )
        progress.update(bar, description="writing the report")
        page = write_report(result, options.out, drawn=drawn)
    if options.json:
        print(json.dumps(result.to_json(), allow_nan=False))
    else:
        print_comparison(result, page)
        left = [task for task in settings.tasks if task not in result.settings.tasks]
        if left:
            print(f"left out, as a given network does not have their outputs: {', '.join(left)}")


def print_comparison(result: Comparison, page: Path) -> None:
    """The comparison's tables and summaries in the terminal."""
    from rich.table import Table

    from ..comparison.report import TASK_NAMES
    from ..comparison.verdict import bounds, summary
    from ..pages.page import percent
    from .console import output

    console = output()
    for name, source in (("learned", result.settings.model), ("f_clean", result.settings.clean)):
        if source is not None:
            console.print(f"{name}: given, {source}", highlight=False, soft_wrap=True)
    for task in result.tasks:
        table = Table(
            title=f"{TASK_NAMES[task.task]}, {result.settings.ball}", title_justify="left"
        )
        table.add_column("model")
        for column in ("parameters", "clean train", "clean test", "robust train", "robust test"):
            table.add_column(column, justify="right")
        for name, model in task.models.items():
            errors = model.errors
            table.add_row(
                task.called(name),
                f"{model.size.parameters:,}",
                percent(errors.train.clean),
                percent(errors.test.clean),
                bounds(errors.train),
                bounds(errors.test),
            )
        table.caption = "errors; robust: what is proved, at least - at most"
        console.print(table)
        console.print(summary(task), highlight=False)
        console.print()
    console.print(f"Report: {page}", highlight=False, soft_wrap=True)
