"""The command `cgro verify`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from constructions import Engine

from .claims import Outcome, ledger, verify
from .claims_report import as_table, save_json, told, verdict_of, write_ledger


def add_verify_command(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    command = commands.add_parser(
        "verify", help="run the papers' numbered statements: what they claim, what is measured, verdicts"
    )
    command.add_argument("--only", nargs="+", action="extend", default=[], metavar="ID",
                         help="statements, or beginnings of their names: cgrm-theorem-3.3, gao-definition, cgro")  # fmt: skip
    command.add_argument("--list", action="store_true", help="only list the statements and their verdicts, run nothing")
    command.add_argument("--jobs", type=int, default=1, metavar="N", help="statements measured at the same time")
    command.add_argument("--report", type=Path, metavar="FILE", help="also write a page (.html) or a table (.md)")
    command.add_argument("--json", action="store_true", help="print every check as JSON")
    command.set_defaults(run=run_verify)


def run_verify(options: argparse.Namespace) -> None:
    """`cgro verify`; raises ValueError, after all is printed and written, if a verdict was not reproduced."""
    Engine(jobs=options.jobs)  # refuses what is no number of processes
    if options.report and (options.report.suffix not in (".html", ".md") or not options.report.parent.is_dir()):
        raise ValueError(f"--report must be a file .html or .md in a folder that exists, got {options.report}")
    claims = ledger(options.only)
    if options.list:
        for entry in claims:
            print(f"{entry.name}: {entry.text} [{entry.verdict}]")
        return
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("measuring", total=len(claims))

        def report(outcome: Outcome, done: int, total: int) -> None:
            bar.update(task, completed=done)
            if not options.json:
                mark = "" if outcome.reproduced else " <---"
                bar.console.print(f"{outcome.claim.name}: {verdict_of(outcome)}{mark}", highlight=False, markup=False)

        outcomes = verify(options.only, jobs=options.jobs, report=report)
    if options.report:
        write_ledger(outcomes, options.report)
    if options.json:
        print(save_json(outcomes))
    else:
        out = Console() if Console().is_terminal else Console(width=160)
        out.print(as_table(outcomes))
        if len(outcomes) <= 3:
            for outcome in outcomes:
                for check in outcome.checks:
                    out.print(f"{'' if check.holds else 'NO: '}{told(check)}", highlight=False, markup=False, soft_wrap=True)
                if outcome.claim.note:
                    out.print(f"{outcome.claim.name}: {outcome.claim.note}", highlight=False, markup=False, soft_wrap=True)
    lost = [outcome.claim.name for outcome in outcomes if not outcome.reproduced]
    if lost:
        raise ValueError(f"{len(lost)} of {len(outcomes)} verdicts were not reproduced: {', '.join(lost)}")
