"""The ledger: the numbered statements of the papers, each with a measurement and a verdict.

A claim yields checks, numbers beside what the statement says of them. Its verdict stands only if
all of them hold now: a verdict is written by people, and reproduced or not by running. Whole,
because a claim, its checks and what running them gives speak of each other.
"""

from __future__ import annotations

import functools
import importlib
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from numbers import Rational
from os import PathLike
from typing import Any, Literal, get_args

from constructions import Progress, Result
from constructions.internal import Said, renamed, said, silent

from ..quantities.measured import Kind, Measured
from .formal import FORMAL, Formal
from .papers import PAPERS, SECOND_HAND

Source = Literal["text", "second-hand", "here"]

Verdict = Literal[
    "holds", "holds with correction", "fails as printed", "empirical only", "not testable"
]

KINDS = (
    "assumption",
    "corollary",
    "definition",
    "figure",
    "hypothesis",
    "lemma",
    "parameterization",
    "proposition",
    "remark",
    "table",
    "theorem",
)


@dataclass(frozen=True, repr=False)
class Check(Result):
    """One number beside what a statement says of it.

    Attributes:
        what: the number is, in words.
        measured: the number, with its kind.
        relation: what the statement says, such as "<= 12".
        holds: whether it does.
        exact: the number as it is, such as "3/7", where `measured` rounds it to a float; "" for
            estimates and what a search found.
    """

    what: str
    measured: Measured
    relation: str
    holds: bool
    exact: str = ""

    def _says(self) -> tuple[str, dict[str, Said]]:
        holds = "holds" if self.holds else "does not hold"
        return f"{self.what}: {holds}", {
            "measured": self.measured.said,
            "claimed": Said(self.relation, ""),
        }


@dataclass(frozen=True, repr=False)
class Claim(Result):
    """One numbered statement of a paper, with a verdict.

    Attributes:
        name: paper, kind and number, such as "cgrm-theorem-3.3".
        text: what it claims, in our words.
        verdict: what the checks of `measure` back, if all of them hold: it holds; holds after a
            correction; fails as printed (the checks are counterexamples); was seen in runs, for it
            or as noted, as what it says cannot be computed ("empirical only"); or cannot be tested.
        note: the correction, the counterexample, or why it cannot be tested.
        restates: the name of the claim that is the same elsewhere.
        measure: yields its checks; None if it cannot be tested.
        on: what its checks are run on: N, D, delta and data, in one line.
    """

    name: str
    text: str
    verdict: Verdict
    note: str = ""
    restates: str = ""
    measure: Callable[[], Iterable[Check]] | None = None
    on: str = ""

    def _says(self) -> tuple[str, dict[str, Said]]:
        return f"{self.name}, {self.verdict}: {self.text}", {}

    @property
    def paper(self) -> str:
        """The key of its paper in `PAPERS`."""
        return self.name.split("-")[0]

    @property
    def source(self) -> Source:
        """How the statement is known: from the paper's "text", "second-hand", or proved "here".

        Second-hand is what notes and reviews say of it.

        Example:
            >>> Claim("li-table-1", "", "empirical only").source
            'second-hand'
        """
        if self.paper == "own":
            return "here"
        return "second-hand" if self.name.startswith(SECOND_HAND) else "text"

    @property
    def file(self) -> str:
        """The file that measures it, as "analysis/statements/lazy.py"; "" if nothing does."""
        return f"{self.measure.__module__.replace('.', '/')}.py" if self.measure else ""

    @property
    def formal(self) -> Formal | None:
        """What is proved of it in Coq, if anything.

        Example:
            >>> Claim("cgrm-lemma-a.5", "", "holds").formal.theorems[0]
            ('squaring_error', 'proofs/Squaring.v')
        """
        return FORMAL.get(self.restates or self.name)

    @property
    def statement(self) -> str:
        """Kind and number as printed.

        Example:
            >>> Claim("cgrm-theorem-3.3", "", "holds").statement
            'Theorem 3.3'
        """
        _, kind, number = self.name.split("-")
        return f"{kind.capitalize()} {number.upper()}"


@dataclass(frozen=True, repr=False)
class Outcome(Result):
    """What running a claim's measurement gave.

    Attributes:
        claim: what was measured.
        checks: what the measurement yielded.
        error: what it raised, or "".
        seconds: how long it took.
    """

    claim: Claim
    checks: tuple[Check, ...]
    error: str
    seconds: float

    def _says(self) -> tuple[str, dict[str, Said]]:
        said_so = {True: "reproduced", False: "not reproduced", None: "nothing to run"}
        error = f" ({self.error})" if self.error else ""
        what = f"{self.claim.name}, {self.claim.verdict}: {said_so[self.reproduced]}{error}"
        held, total = sum(check.holds for check in self.checks), len(self.checks)
        share = {"checks that hold": said(held / total, "exact", held, total)} if total else {}
        return what, share | {"seconds": said(self.seconds, "measured")}

    @property
    def reproduced(self) -> bool | None:
        """Whether the checks back the verdict; None where nothing can be run."""
        if self.claim.measure is None:
            return None
        return not self.error and bool(self.checks) and all(check.holds for check in self.checks)


LEDGER: dict[str, Claim] = {}
"""All claims by name, once `ledger` has read them; `verify` runs them."""

ENTRIES = (
    "constructions",
    "capacity",
    "patches",
    "separable",
    "generalization",
    "lazy",
    "experiments",
    "memorizers",
    "later",
)
"""The modules beside this one that enter them: imported when they are asked for, as some take a
second.
"""

Measure = Callable[[], Iterable[Check]]


def claim(
    name: str,
    text: str,
    verdict: Verdict,
    note: str = "",
    *,
    on: str,
    also: Sequence[str] = (),
) -> Callable[[Measure], Measure]:
    """Enter a statement, and those that restate it, with the function that measures it, and what
    it is measured on.

    >>> @claim("gao-lemma-99", "one is one", "holds", on="the number 1")
    ... def one():
    ...     yield equal("one", 1, 1)
    >>> verify(["gao-lemma-99"])[0].reproduced
    True
    >>> _ = LEDGER.pop("gao-lemma-99")
    """

    def enter(measure: Measure) -> Measure:
        _restated(name, text, verdict, note, also=also, measure=measure, on=on)
        return measure

    return enter


def not_testable(name: str, text: str, why: str, *, also: Sequence[str] = ()) -> None:
    """Enter a statement that cannot be tested, with the reason."""
    _restated(name, text, "not testable", why, also=also)


def _restated(
    name: str,
    text: str,
    verdict: Verdict,
    note: str = "",
    *,
    also: Sequence[str],
    measure: Measure | None = None,
    on: str = "",
) -> None:
    """Enter a claim, and those that say the same elsewhere."""
    for other in (name, *also):
        _enter(Claim(other, text, verdict, note, name if other != name else "", measure, on))


def _enter(entry: Claim) -> None:
    paper, kind, number = (*entry.name.split("-"), "", "")[:3]
    if (
        paper not in PAPERS
        or kind not in KINDS
        or not number
        or entry.verdict not in get_args(Verdict)
    ):
        raise ValueError(
            f"a claim needs a name such as cgrm-theorem-3.3 and a known verdict, got {entry.name}, "
            f"{entry.verdict}"
        )
    if entry.name in LEDGER:
        raise ValueError(f"{entry.name} is in the ledger already")
    LEDGER[entry.name] = entry


# -- checks ----------------------------------------------------------------------------------------


def equal(what: str, value: Any, reference: Any, kind: Kind = "exact") -> Check:
    """value == reference.

    >>> equal("parameters", 5, 5).relation
    '= 5'
    """
    return _check(what, value, kind, f"= {shown(reference)}", value == reference)


def at_most(what: str, value: Any, bound: Any, kind: Kind = "exact") -> Check:
    """value <= bound; NaN is not."""
    return _check(what, value, kind, f"<= {shown(bound)}", value <= bound)


def at_least(what: str, value: Any, bound: Any, kind: Kind = "exact") -> Check:
    """value >= bound; NaN is not."""
    return _check(what, value, kind, f">= {shown(bound)}", value >= bound)


def between(what: str, value: Any, low: Any, high: Any, kind: Kind = "exact") -> Check:
    """low <= value <= high; NaN is not."""
    return _check(what, value, kind, f"in [{shown(low)}, {shown(high)}]", low <= value <= high)


def share_of(what: str, right: int, total: int, kind: Kind = "exact") -> Check:
    """All of `total` cases are right."""
    return Check(
        what,
        Measured.share(right, total, kind),
        f"= 1 ({right:,} of {total:,})",
        right == total > 0,
        shown(Fraction(right, total)) if kind == "exact" else "",
    )


def _check(what: str, value: Any, kind: Kind, relation: str, holds: Any) -> Check:
    exact = shown(value) if kind == "exact" or kind.startswith("certified") else ""
    return Check(what, Measured(float(value), kind), relation, bool(holds), exact)


DIGITS, LONGEST = 10, 24
"""Characters of a decimal, and of any number, that is printed as it is."""


def shown(value: Any) -> str:
    """A number as it is, where that takes a few characters, else rounded and called so.

    >>> shown(10**9 + 7), shown(Fraction(1, 32)), shown(Fraction(1, 3)), shown(0.1)
    ('1,000,000,007', '0.03125', '1/3', '0.1')
    >>> shown(2 / 3), shown(Fraction(1, 3**99)), shown(math.inf)
    ('about 0.667', 'about 5.82e-48', 'inf')
    """
    if isinstance(value, Rational):
        number = Fraction(int(value.numerator), int(value.denominator))
        decimal = repr(float(number))
        if number.denominator == 1:
            text = f"{int(number):,}"
        elif len(decimal) <= DIGITS and Fraction(decimal) == number:
            text = decimal
        else:
            text = f"{number.numerator}/{number.denominator}"
    elif math.isfinite(float(value)) and float(value).is_integer():
        text = f"{int(value):,}"
    else:
        text = repr(float(value))
        if len(text) > DIGITS:  # a float that no short decimal stands for
            return f"about {rounded(value)}"
    return text if len(text) <= LONGEST else f"about {rounded(value)}"


def rounded(value: Any) -> str:
    """A number in a few characters.

    >>> rounded(12345.0), rounded(0.000123456), rounded(10**9)
    ('12,345', '0.000123', '1e+09')
    """
    number = float(value)
    return f"{int(number):,}" if number.is_integer() and abs(number) < 10**9 else f"{number:.3g}"


# -- running ---------------------------------------------------------------------------------------


@functools.cache
def _read_entries() -> None:
    for name in ENTRIES:
        importlib.import_module(f".{name}", __package__)


def ledger(only: Sequence[str] = ()) -> list[Claim]:
    """List the claims, the papers' numbered statements with their verdicts.

    Args:
        only: beginnings of names (papers: see `PAPERS`); none for all claims.

    Returns:
        Claims in the papers' order.

    Raises:
        ValueError: for a text that no name begins with.
        TypeError: for what is no text.

    Example:
        >>> [entry.name for entry in ledger(["cgrm-theorem-3.3"])]
        ['cgrm-theorem-3.3']
    """
    only = [only] if isinstance(only, str) else list(only)
    for wanted in only:
        if not isinstance(wanted, str):
            raise TypeError(f"only must be names of statements, got {wanted!r}")
        if wanted.lower().split("-")[0] in PAPERS:  # else it begins none: PyTorch need not load
            _read_entries()
        if not any(_begins(name, wanted) for name in LEDGER):
            raise ValueError(
                f"only must name statements such as cgrm-theorem-3.3, or begin one (cgrm, "
                f"gao-definition), got {wanted!r}"
            )
    _read_entries()
    chosen = [
        entry
        for name, entry in LEDGER.items()
        if not only or any(_begins(name, wanted) for wanted in only)
    ]
    return sorted(chosen, key=lambda entry: _place(entry.name))


@dataclass(frozen=True)
class OutcomeProgress(Progress):
    """How far a run of the ledger is, and what ended last.

    Attributes:
        stage: the claim's name.
        done: claims that have their outcome.
        total: claims in all.
        outcome: that of the claim.
    """

    outcome: Outcome = field(kw_only=True)


def _with_outcome(
    progress: Callable[[Outcome, int, int], None],
) -> Callable[[OutcomeProgress], None]:
    return lambda told: progress(told.outcome, told.done, told.total or 0)


@renamed(report=_with_outcome)
def verify(
    only: Sequence[str] = (),
    *,
    jobs: int = 1,
    journal: str | PathLike[str] | None = None,
    report: Callable[[OutcomeProgress], None] = silent,
) -> list[Outcome]:
    """Run the measurements of the ledger, or of a part of it, and say which verdicts they back.

    Statements that restate another are measured once. `write_ledger` makes a page of outcomes.

    Args:
        only: as for `ledger`.
        jobs: processes.
        journal: a file that keeps what is measured, until all is: a stopped run goes on from it,
            with the same numbers, if statements, code and versions are the same (else anew).
        report: called with an `OutcomeProgress` as claims end.

    Returns:
        An `Outcome` for each claim, in the ledger's order; `reproduced` says whether all checks
        hold (None: not testable). What a measurement raises is its outcome's `error`.

    Raises:
        ValueError: as `ledger`, and for a file that is no journal.
        TypeError: as `ledger`, and if report cannot be called.

    Cost: minutes for all of it.

    Example:
        >>> verify(["cgrm-lemma-a.4"])[0].reproduced
        True
    """
    if not callable(report):
        raise TypeError(f"report must be callable with an OutcomeProgress, got {report!r}")
    claims = ledger(only)
    sources = list(dict.fromkeys(entry.restates or entry.name for entry in claims if entry.measure))
    waiting = {
        name: [entry for entry in claims if name in (entry.name, entry.restates)]
        for name in sources
    }
    outcomes = {
        entry.name: Outcome(entry, (), "", 0.0) for entry in claims if entry.measure is None
    }
    done = len(outcomes)
    for name, (checks, error, seconds) in _results(sources, jobs, journal):
        for entry in waiting[name]:
            outcomes[entry.name] = Outcome(entry, checks, error, seconds)
            done += 1
            report(OutcomeProgress(entry.name, done, len(claims), outcome=outcomes[entry.name]))
    return [outcomes[entry.name] for entry in claims]


def _results(
    names: Sequence[str], jobs: int, path: str | PathLike[str] | None
) -> Iterator[tuple[str, tuple[tuple[Check, ...], str, float]]]:
    """What each statement's measurement gives, those of the journal first."""
    from constructions.internal import run_tasks

    from .journal import Journal

    journal = None if path is None else Journal(path, names, Check)
    if journal is not None:
        yield from list(journal.found.items())
    left = [name for name in names if journal is None or name not in journal.found]
    for k, result in run_tasks(_measure, left, jobs=jobs):
        found = result if isinstance(result, tuple) else ((), str(result), 0.0)
        if journal is not None:
            journal.add(left[k], found)
        yield left[k], found
    if journal is not None:
        journal.finish()


FAILURES = (ValueError, ArithmeticError, RuntimeError, OSError, MemoryError)
"""What a measurement may raise where something is not as its claim says, or cannot be had here;
other errors are ones of this library, and no verdicts."""


def _measure(name: str) -> tuple[tuple[Check, ...], str, float]:
    """Checks, what was raised, and seconds."""
    import torch

    _read_entries()
    start, threads = time.perf_counter(), torch.get_num_threads()
    torch.set_num_threads(1)  # small matrices
    measure = LEDGER[name].measure
    assert measure is not None
    checks: list[Check] = []
    error = ""
    try:
        checks.extend(measure())
    except FAILURES as raised:  # one failed measurement must not hide the others
        error = f"{type(raised).__name__}: {raised}"
    finally:
        torch.set_num_threads(threads)
    return tuple(checks), error, time.perf_counter() - start


def _begins(name: str, wanted: str) -> bool:
    """Whether a name is the wanted one, or goes on after it with a new part."""
    return bool(wanted) and re.fullmatch(re.escape(wanted.lower()) + r"([-.].*)?", name) is not None


def _place(name: str) -> tuple[Any, ...]:
    """Papers in order; sections before appendices; figures and tables last."""
    paper, kind, number = name.split("-")
    parts = [
        (not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in number.split(".")
    ]
    return list(PAPERS).index(paper), kind in ("figure", "table"), parts, kind
