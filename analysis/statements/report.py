"""The ledger as a table in the terminal, as JSON, as a page, and as the table in
docs/statements.md.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any, get_args

from rich.table import Table
from rich.text import Text

from constructions.internal import write_file

from ..pages.page import render, versions
from .claims import Check, Claim, Outcome, Verdict, rounded
from .papers import PAPERS

BEGIN, END = "<!-- generated: cgro verify -->", "<!-- end of cgro verify -->"
SHOWN = 3
"""Checks of a statement that the Markdown table shows."""


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Every number, with the versions that computed it; infinities as text."""
    return {
        "versions": versions(),
        "papers": PAPERS,
        "statements": [_row(outcome) for outcome in outcomes],
    }


def _row(outcome: Outcome) -> dict[str, Any]:
    entry = outcome.claim
    return {
        "name": entry.name,
        "statement": entry.statement,
        "source": entry.source,
        "claim": entry.text,
        "verdict": entry.verdict,
        "reproduced": outcome.reproduced,
        "note": entry.note,
        "on": entry.on,
        "restates": entry.restates,
        "formal": asdict(entry.formal) if entry.formal else None,
        "checks": [
            {**asdict(check), "measured": check.measured.to_json()} for check in outcome.checks
        ],
        "error": outcome.error,
        "seconds": outcome.seconds,
    }


def counts(outcomes: Sequence[Outcome]) -> str:
    """How many statements have which verdict, and how many verdicts were not reproduced."""
    found = Counter(
        outcome.claim.verdict for outcome in outcomes if outcome.reproduced is not False
    )
    parts = [f"{found[verdict]} {verdict}" for verdict in get_args(Verdict) if found[verdict]]
    lost = sum(outcome.reproduced is False for outcome in outcomes)
    parts += [f"{lost} NOT REPRODUCED"] * (lost > 0)
    return f"{len(outcomes)} statement{'s' * (len(outcomes) != 1)}: " + ", ".join(parts)


def told(check: Check) -> str:
    """One check as text.

    >>> from fractions import Fraction
    >>> from .claims import at_most
    >>> told(at_most("error", Fraction(1, 3), 0.5))
    'error: 1/3 <= 0.5 (exact)'
    """
    number = check.exact or rounded(check.measured.value)
    return f"{check.what}: {number} {check.relation} ({check.measured.kind})"


def verdict_of(outcome: Outcome) -> str:
    """The verdict, or that it was not reproduced, and why."""
    if outcome.reproduced is not False:
        return outcome.claim.verdict
    failed = [told(check) for check in outcome.checks if not check.holds]
    return "NOT REPRODUCED: " + "; ".join(
        [*failed, *([outcome.error] if outcome.error else [])] or ["no check ran"]
    )


def as_table(outcomes: Sequence[Outcome]) -> Table:
    """For the terminal: one line a statement."""
    table = Table()
    for name in ("statement", "claim", "source", "verdict", "checks", "seconds"):
        table.add_column(name, justify="right" if name in ("checks", "seconds") else "left")
    for outcome in outcomes:
        cells = (
            outcome.claim.name,
            outcome.claim.text,
            outcome.claim.source,
            verdict_of(outcome),
            str(len(outcome.checks)),
            f"{outcome.seconds:.1f}",
        )
        table.add_row(*map(Text, cells), style="red" if outcome.reproduced is False else "")
    return table


def write_ledger(outcomes: Sequence[Outcome], path: str | PathLike[str]) -> None:
    """Write the outcomes of the ledger as a page, or as Markdown.

    Markdown goes into the marked place of a file that has one, else into a file of its own.

    Args:
        outcomes: what `verify` gave.
        path: ends in .html or .md.

    Raises:
        ValueError: for another ending, and for a file of Markdown without the place.
    """
    path = Path(path)
    if path.suffix == ".html":
        write_file(
            path,
            render(
                "ledger.html",
                outcomes=outcomes,
                counts=counts(outcomes),
                papers=PAPERS,
                sources=_sources(path),
                versions=versions(),
                told=told,
                verdict_of=verdict_of,
            ),
        )
    elif path.suffix == ".md":
        before, after = "# Ledger\n\n", "\n"
        if path.exists():
            text = path.read_text(encoding="utf-8")
            if BEGIN not in text or END not in text:
                raise ValueError(f"{path} has no place for the ledger: lines {BEGIN} and {END}")
            before, after = text.split(BEGIN)[0], text.split(END)[1]
        write_file(path, f"{before}{BEGIN}\n{as_markdown(outcomes)}\n{END}{after}")
    else:
        raise ValueError(f"a report must end in .html or .md, got {path}")


def _sources(page: Path) -> str:
    """Where this repository is, seen from a page; "" for an installed copy, which has no proofs."""
    root = Path(__file__).resolve().parents[2]
    inside = (root / "proofs").is_dir()
    return Path(os.path.relpath(root, page.resolve().parent)).as_posix() if inside else ""


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """Tables, one for each paper; restatements share the row of what they restate, if it is in the
    same paper.

    >>> from .claims import Claim
    >>> vague = Claim("cgrm-lemma-9.9", "all is well", "not testable", "too vague")
    >>> as_markdown([Outcome(vague, (), "", 0.0)]).splitlines()[-1]
    '| Lemma 9.9 | all is well | not testable | | too vague |'
    """
    lines = [counts(outcomes) + "."]
    for paper, title in PAPERS.items():
        rows = [outcome for outcome in outcomes if outcome.claim.paper == paper]
        if not rows:
            continue
        lines += [
            "",
            f"### {title}",
            "",
            "| statement | claim | verdict | measured | notes |",
            "|---|---|---|---|---|",
        ]
        for outcome in rows:
            if not outcome.claim.restates.startswith(f"{paper}-"):
                again = [
                    other.claim.statement
                    for other in rows
                    if other.claim.restates == outcome.claim.name
                ]
                lines.append(_markdown_row(outcome, again))
    return "\n".join(lines)


def _markdown_row(outcome: Outcome, again: Sequence[str]) -> str:
    entry = outcome.claim
    checks = [told(check) for check in outcome.checks[:SHOWN]]
    if len(outcome.checks) > SHOWN:
        checks.append(f"and {len(outcome.checks) - SHOWN} more")
    statement = " = ".join([entry.statement, *again])
    same = f"as {entry.restates}" if entry.restates else "; ".join(checks)
    plain = [_plain(cell) for cell in (statement, entry.text, verdict_of(outcome), same)]
    if entry.on and not entry.restates:
        plain[-1] = f"*on: {_plain(entry.on)}*; {plain[-1]}"
    known = "" if entry.source != "second-hand" else "Known second-hand"
    notes = ". ".join(part for part in (known, _plain(entry.note), _proved(entry)) if part)
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in (*plain, notes))


def _proved(entry: Claim) -> str:
    """What is proved in Coq, with links from docs/ to the files; "" for restatements."""
    if entry.formal is None or entry.restates:
        return ""
    links = ", ".join(f"[`{name}`](../{file})" for name, file in entry.formal.theorems)
    return f"Proved in Coq: {_plain(entry.formal.says)} ({links}){_plain(entry.formal.left)}"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    for mark in "\\|_*<":
        text = text.replace(mark, f"\\{mark}")
    return text


def save_json(outcomes: Sequence[Outcome]) -> str:
    """`as_json` as text; infinities and NaN as strings."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [plain(entry) for entry in value]
        return str(value) if isinstance(value, float) and not abs(value) < float("inf") else value

    return json.dumps(plain(as_json(outcomes)), allow_nan=False)
