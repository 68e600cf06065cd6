"""The pages of statements: one a paper, a card a statement, from the ledger and its last record."""

import inspect
import re
import textwrap
from collections.abc import Iterator

from analysis.statements.claims import Claim, ledger
from analysis.statements.papers import PAPERS
from analysis.statements.report import BEGIN, END

from .copied import DOCS

CELLS = re.compile(r"(?<!\\)\|")


def made() -> dict[str, str]:
    """A page a paper."""
    record = recorded((DOCS / "statements.md").read_text(encoding="utf-8"))
    return {f"statements/{paper}.md": "\n".join(page(paper, record[paper])) for paper in PAPERS}


def recorded(text: str) -> dict[str, dict[str, str]]:
    """What was measured, in the words of docs/statements.md: by paper and statement."""
    titles = {title: paper for paper, title in PAPERS.items()}
    found: dict[str, dict[str, str]] = {paper: {} for paper in PAPERS}
    paper = ""
    for line in text.split(BEGIN)[1].split(END)[0].splitlines():
        if line.startswith("### "):
            paper = titles[line[4:]]
        elif line.startswith("| ") and not line.startswith("| statement"):
            cells = [cell.strip() for cell in CELLS.split(line)[1:-1]]
            found[paper][cells[0]] = cells[3]
    return found


def shortened(text: str) -> str:
    """docs/statements.md on the site: counts and the papers' pages in place of the tables."""
    if BEGIN not in text:
        return text
    before, rest = text.split(BEGIN)
    tables, after = rest.split(END)
    lines = [tables.strip().splitlines()[0], ""]
    lines += [*counted(), ""]
    lines += ["", "```{toctree}", ":hidden:", ""]
    lines += [f"{title} <auto/statements/{paper}>" for paper, title in PAPERS.items()]
    return before + "\n".join([*lines, "```"]) + after


def counted() -> Iterator[str]:
    """A table of the papers: their pages, how many statements each has, and how many are proved in
    Coq, whole or with a part left open.
    """
    yield "| paper | statements | formally proved (Coq) | of these, a part left open |"
    yield "|---|---|---|---|"
    sums = [0, 0, 0]
    for paper, title in PAPERS.items():
        claims = ledger([paper])
        formal = [entry.formal for entry in claims if entry.formal]
        row = [len(claims), len(formal), sum(bool(proof.gap) for proof in formal)]
        sums = [a + b for a, b in zip(sums, row, strict=True)]
        yield f"| [{title}](auto/statements/{paper}.md) | {row[0]} | {row[1]} | {row[2]} |"
    yield f"| all | {sums[0]} | {sums[1]} | {sums[2]} |"
    yield ""
    yield "What each theorem proves, and what it leaves open, is on the statement's card. How the"
    yield "proofs are checked, and one read aloud: [formal proofs](how/proofs.md)."


def page(paper: str, record: dict[str, str]) -> Iterator[str]:
    """All cards of a paper, those that restate one of it together."""
    yield from (f"# {PAPERS[paper]}", "")
    yield "Each statement with what it claims, in our words, a verdict that stands only if all its"
    yield "checks hold, what these measured (numbers are of one machine), and the code that ran."
    claims = ledger([paper])
    for entry in claims:
        if not entry.restates.startswith(f"{paper}-"):
            again = [other for other in claims if other.restates == entry.name]
            title = " = ".join(claim.statement for claim in (entry, *again))
            yield from card(entry, again, title, record[title])


def card(entry: Claim, again: list[Claim], title: str, measured: str) -> Iterator[str]:
    """Claim, verdict, checks and code of a statement."""
    yield ""
    yield from (f"({claim.name})=" for claim in (entry, *again))
    yield from (
        f"## {title}",
        "",
        f"::::{{container}} statement {entry.verdict.replace(' ', '-')}",
        "",
    )
    yield from (plain(entry.text[:1].upper() + entry.text[1:]) + ".", "")
    yield from ("Verdict", f": **{entry.verdict}**", "")
    if entry.source == "second-hand":
        yield from ("Source", ": second-hand: notes and reviews, not the paper's text", "")
    if entry.note:
        yield from ("Why" if not entry.measure else "Note", f": {plain(entry.note)}", "")
    if entry.formal and not entry.restates:
        links = [f"[`{name}`](../../../{file})" for name, file in entry.formal.theorems]
        said = f"{plain(entry.formal.says)} ({', '.join(links)}){plain(entry.formal.left)}"
        yield from ("Proved in Coq", f": {said}", "")
    if entry.restates:
        yield from ("Measured", f": as [{entry.restates}](#{entry.restates})", "")
    elif measured:
        first, *more = measured.split("; ")
        yield from ("Measured", f": - {first}", *(f"  - {check}" for check in more), "")
    if entry.measure:
        yield from ("Run it", f": `cgro verify --only {entry.restates or entry.name}`", "")
        if not entry.restates:
            yield from (f"<details><summary>Code: {entry.file}</summary>", "", "```python")
            yield from (textwrap.dedent(inspect.getsource(entry.measure)).rstrip(), "```", "")
            yield from ("</details>", "")
    yield "::::"


def plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\|_*<\[\]])", r"\\\1", text)
