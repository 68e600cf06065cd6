"""The command `cgro sweep`: many runs, and what they have in common by width and radius."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import training
from training import read_toml

from .training import add_configuration, read_configuration

if TYPE_CHECKING:
    from training import Trial

    from ..quantities.measured import Measured

Row = dict[str, Any]

LISTS = {"widths": float, "radii": float, "seeds": int}
"""What a sweep runs over, as options and as entries of its file."""

RATES = {
    "train accuracy": ("train", "accuracy"),
    "train robust accuracy": ("train_sample", "robust_accuracy"),
    "test accuracy": ("test", "accuracy"),
    "test robust accuracy": ("test", "robust_accuracy"),
    "best test accuracy": ("best_test", "accuracy"),
    "best test robust accuracy": ("best_test", "robust_accuracy"),
}
"""Columns, and where the measurement at the end of a run has them: "best" is of the epoch that
validation points choose, the others are of the last epoch.
"""


def add_sweep_command(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    command = commands.add_parser("sweep", help="runs over widths, radii and seeds, in parallel")
    add_configuration(
        command,
        "mnist-lenet5, cifar10-resnet9; with widths and seeds capacity-mnist, capacity-cifar10",
    )
    for name, entry in {"widths": "width", "radii": "radius", "seeds": "seed"}.items():
        command.add_argument(
            f"--{name}",
            type=LISTS[name],
            nargs="+",
            default=[],
            metavar=entry[0].upper(),
            help=f"values of --{entry}",
        )
    command.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at the same time")
    command.add_argument(
        "--address",
        metavar="ADDRESS",
        help="of a Ray cluster whose nodes share --out (default: this machine)",
    )
    command.add_argument(
        "--out", type=Path, default=Path("runs/sweep"), metavar="DIR", help="folder of the runs"
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=run_sweep)


def run_sweep(options: argparse.Namespace) -> None:
    """`cgro sweep`."""
    from constructions.internal import write_file

    from .console import progress_bar

    planned = plan(options)
    options.out.mkdir(parents=True, exist_ok=True)
    with progress_bar() as bar:
        task = bar.add_task("runs", total=len(planned))

        def ended(trial: Trial) -> None:
            bar.console.print(
                f"{trial.folder}: {trial.error or trial.run.status}", highlight=False, markup=False
            )
            bar.advance(task)

        try:
            done = training.sweep(
                planned, jobs=options.jobs, address=options.address, on_trial=ended
            )
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(
                f"{options.out} holds every epoch that ended: the same command goes on"
            ) from interrupt
    rows = [summary(trial) for trial in done]
    groups = means(rows)
    told = [
        {name: v.to_json() if hasattr(v, "to_json") else v for name, v in group.items()}
        for group in groups
    ]
    write_file(options.out / "sweep.json", json.dumps({"runs": rows, "means": told}, indent=1))
    if options.json:
        print(json.dumps({"runs": rows, "means": told}))
    else:
        show(rows, groups, said_of({trial.config.final_attack for trial in done}))
    failed = sum(bool(trial.error) for trial in done)
    if failed:
        raise ValueError(
            f"{failed} of {len(done)} runs "
            f"failed{'; the others are kept' if failed < len(done) else ''}"
        )


def plan(options: argparse.Namespace) -> list[Trial]:
    """The trials that file and options, which go before it, ask for. Raises ValueError."""
    written = read_toml(options.config) if options.config else {}
    lists = {name: written.pop(name, []) for name in LISTS}
    for name, values in lists.items():
        if not isinstance(values, list):
            raise ValueError(f"{name} in {options.config} must be a list, got {values!r}")
    chosen = {name: getattr(options, name) or values for name, values in lists.items()}
    config = read_configuration(options, written)  # refuses before PyTorch is loaded
    return training.trials(config, options.out, **chosen)


def summary(trial: Trial) -> Row:
    """One row of a sweep's table."""
    config = trial.config
    row: Row = {"width": config.width, "radius": config.radius, "seed": config.seed}
    final = None if trial.error else trial.run.final
    row["status"] = trial.error or trial.run.status
    row["epoch"], row["best epoch"] = ((final or {}).get(name) for name in ("epoch", "best_epoch"))
    for name, (part, kind) in RATES.items():
        row[name] = final[part][kind] if final and part in final else None
    return row


def means(rows: Sequence[Row]) -> list[Row]:
    """For each width and radius with several runs: how many there are, how many of them failed or
    stopped early (those that stopped are in the means), and means over the runs, with intervals.
    """
    from ..quantities.statistics import mean_of_few

    found = []
    groups = itertools.groupby(rows, key=lambda row: (row["width"], row["radius"]))
    for (width, radius), group in groups:
        members = list(group)
        if len(members) < 2:
            continue
        measured = [row for row in members if row["train accuracy"] is not None]
        group_row: Row = {"width": width, "radius": radius, "runs": len(members)}
        group_row["failed"] = len(members) - len(measured)
        group_row["stopped early"] = sum(row["status"].startswith("stopped") for row in measured)
        for name in RATES:
            values = [row[name] for row in measured if row[name] is not None]
            group_row[name] = within_shares(mean_of_few(values)) if values else None
        found.append(group_row)
    return found


def within_shares(value: Measured) -> Measured:
    """A mean of shares; its interval ends where shares do."""
    if value.interval is None:
        return value
    low, high = value.interval
    return dataclasses.replace(value, interval=(max(low, 0.0), min(high, 1.0)))


def said_of(attacks: set[str]) -> str:
    """What the accuracies of a table are, in words."""
    attacked = " or ".join(sorted(attacks))
    return (
        f"accuracies: exact on the points measured; robust ones: at most, under {attacked} "
        "(empirical); train robust: of a sample"
    )


def show(rows: Sequence[Row], groups: Sequence[Row], caption: str) -> None:
    """Print a table of the runs, and one of their means."""
    from rich.table import Table
    from rich.text import Text

    from .console import output, percent

    empty = {name for name in rows[0] if all(row[name] is None for row in rows)}
    told = {"means over seeds [95% interval of Student's t]": groups} if groups else {}
    for title, lines in {"": rows, **told}.items():
        table = Table(title=title or None, title_justify="left", caption=caption)
        names = [name for name in lines[0] if name not in empty]
        for name in names:
            table.add_column(name, justify="right")
        for line in lines:
            cells = (
                percents(line[name])
                if dataclasses.is_dataclass(line[name])
                else percent(line[name])
                if name in RATES
                else str(line[name])
                for name in names
            )
            table.add_row(*map(Text, cells))
        output().print(table)


def percents(value: Measured) -> str:
    """A mean and its interval, in percent."""
    if value.interval is None:
        return f"{100 * value.value:.1f}%"
    low, high = (100 * end for end in value.interval)
    return f"{100 * value.value:.1f}% [{low:.1f}, {high:.1f}]"
