"""The command `cgro verify`."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..statements.papers import PAPERS

if TYPE_CHECKING:
    from ..statements.claims import Outcome


def add_verify_command(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    command = commands.add_parser(
        "verify",
        help="run the papers' numbered statements: what they claim, what is measured, verdicts",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="papers:\n" + "\n".join(f"  {key}: {title}" for key, title in PAPERS.items()),
    )
    text = (
        "statements, or beginnings of their names: cgrm-theorem-3.3, gao-definition, cgro; prints "
        "their checks"
    )
    command.add_argument("--only", nargs="+", action="extend", default=[], metavar="ID", help=text)
    command.add_argument(
        "--list",
        action="store_true",
        help="only list the statements and their verdicts, run nothing",
    )
    command.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="statements measured at the same time"
    )
    command.add_argument(
        "--report", type=Path, metavar="FILE", help="also write a page (.html) or a table (.md)"
    )
    command.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="keep in FILE what is measured, written anew after each statement, until all is: "
        "stopped, the same command goes on from it, with the same numbers; other statements, "
        "changed code and other versions of Python or packages start anew",
    )
    command.add_argument("--json", action="store_true", help="print every check as JSON")
    command.set_defaults(run=run_verify)


def run_verify(options: argparse.Namespace) -> None:
    """`cgro verify`; raises ValueError, after all is printed and written, if a verdict was not
    reproduced.
    """
    if options.jobs < 1:
        raise ValueError(f"--jobs must be at least 1, got {options.jobs}")
    if options.list and (options.json or options.report or options.journal):
        raise ValueError("--list runs nothing: leave out --json, --report and --journal")
    if options.report and (
        options.report.suffix not in (".html", ".md") or not options.report.parent.is_dir()
    ):
        raise ValueError(
            f"--report must be a file .html or .md in a folder that exists, got {options.report}"
        )
    from ..statements import claims as statements

    claims = statements.ledger(options.only)
    if options.list:
        for paper, group in itertools.groupby(claims, key=lambda entry: entry.paper):
            print(f"{paper}: {PAPERS[paper]}")
            for entry in group:
                where = f", {entry.file}" if entry.file else ""
                told = ", formal" if entry.formal else ""
                told += ", second-hand" if entry.source == "second-hand" else ""
                print(f"  {entry.name}: {entry.text} [{entry.verdict}{told}{where}]")
        return
    from ..statements.report import as_table, counts, save_json, verdict_of, write_ledger
    from .console import output, progress_bar

    with progress_bar() as bar:
        task = bar.add_task("measuring", total=len(claims))

        def report(told: statements.OutcomeProgress) -> None:
            bar.update(task, completed=told.done)
            mark = " <---" if told.outcome.reproduced is False else ""
            bar.console.print(
                f"[{told.done}/{told.total}] {told.stage}: {verdict_of(told.outcome)}{mark}",
                highlight=False,
                markup=False,
            )

        try:
            outcomes = statements.verify(
                options.only, jobs=options.jobs, journal=options.journal, report=report
            )
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(
                "of what was measured, nothing is kept: --journal FILE keeps it, --only runs a part"
                if options.journal is None
                else f"what was measured is in {options.journal}: the same command goes on from it"
            ) from interrupt
    if options.report:
        write_ledger(outcomes, options.report)
    if options.json:
        print(save_json(outcomes))
    else:
        output(width=160).print(as_table(outcomes))
        for line in (
            details(outcomes)
            if options.only
            else ["all checks: --only ID, --report FILE or --json"]
        ):
            print(line)
        print(counts(outcomes) + (f"; {options.report}" if options.report else ""))
    lost = [outcome.claim.name for outcome in outcomes if outcome.reproduced is False]
    if lost:
        raise ValueError(
            f"{len(lost)} of {len(outcomes)} verdicts were not reproduced: {', '.join(lost)}"
        )


def details(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Every check and note; of statements that restate one another, once."""
    from ..statements.report import told, verdict_of

    names = {outcome.claim.name for outcome in outcomes}
    for outcome in outcomes:
        entry = outcome.claim
        if entry.restates in names:
            yield f"{entry.name}: as {entry.restates}"
            continue
        yield f"{entry.name}: {verdict_of(outcome)}{': ' if entry.note else ''}{entry.note}"
        yield f"  source: {entry.source}"
        if entry.on:
            yield f"  on: {entry.on}"
        if entry.formal:
            yield f"  {entry.formal.text}"
        yield from (f"  {'' if check.holds else 'NO: '}{told(check)}" for check in outcome.checks)
