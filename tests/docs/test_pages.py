"""Pages that are made from the code have all of it; links of pages lead somewhere."""

import importlib
import inspect
import re
import textwrap

import pages
import pytest
from pages import api, commands, copied, ledger

from analysis.commands.cli import build_parser
from analysis.statements.claims import ledger as claims
from analysis.statements.papers import PAPERS

ROOT = copied.ROOT
SOURCES = [
    *(ROOT / name for name in ("README.md", *copied.COPIED)),
    *(path for path in (ROOT / "docs").rglob("*.md") if pages.AUTO not in path.parents),
]
WIDEST, LONGEST = 600, 13
"""Words of README, and statements of its example."""


def test_readme_is_short():
    text = (ROOT / "README.md").read_text()
    assert len(text.split()) <= WIDEST
    assert text.count("![") == 1
    assert text.count(">>> ") <= LONGEST
    table = text.split("## What the numbers mean")[1].split("\n\n")[1]
    assert len(table.splitlines()) == 2 + 5


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings_of_the_repository(path):
    """So they work where the code is hosted; the site's links are checked when it is built."""
    for target, anchor in copied.LINK.findall(path.read_text()):
        file = path.parent / target
        assert file.exists(), target
        assert pages.AUTO not in file.resolve().parents, f"{target} is made, and not committed"
        if anchor:
            assert anchor[1:] in anchors(file.read_text()), f"{target}{anchor}"


def anchors(text):
    """The names of a file's headings, as code hosts and MyST make them."""
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_a_link_to_code_leads_to_its_page_on_the_site():
    page = copied.DOCS / "guide" / "build.md"
    text = "[a](../../CHANGELOG.md#010) [b](../gallery) [c](https://d.e/f.md) [g](#h)"
    assert copied.relinked(text, page, page) == (
        "[a](../auto/changelog.md#010) [b](../auto/gallery/index.rst) [c](https://d.e/f.md) [g](#h)"
    )
    for file, target in copied.ELSEWHERE.items():
        assert (ROOT / file).exists(), file
        assert target.removeprefix("auto/") in pages.made() or "index" in target


def test_every_public_name_is_on_one_page_of_the_api():
    made = api.made()
    for package in api.PACKAGES:
        shown = [
            name
            for text in made.values()
            for name in re.findall(rf"^\.\. \S+:: {package}\.(\w+)$", text, re.MULTILINE)
        ]
        assert sorted(shown) == sorted(api.PUBLIC[package])
        assert set(shown) == set(importlib.import_module(package).__all__)
        assert all(f"~{package}.{name}`" in made["api.rst"] for name in shown)


def test_the_page_of_commands_has_every_command_and_option():
    text = commands.made()["commands.md"]
    found = list(commands.commands(build_parser()))
    assert len(found) > 10
    for name, command, _ in found:
        section = text.split(f"## cgro {name}\n")[1].split("\n## ")[0]
        for action in command._actions:
            written = action.option_strings or [str(action.metavar or action.dest)]
            assert all(word in section for word in written), (name, written)
    assert "%(" not in text


def test_every_statement_has_a_card_with_claim_verdict_and_code():
    made = ledger.made()
    for entry in claims():
        text = made[f"statements/{entry.paper}.md"]
        assert text.count(f"({entry.name})=") == 1
        home = entry if not entry.restates.startswith(f"{entry.paper}-") else None
        if home:
            card = text.split(f"({entry.name})=")[1].split("\n::::\n")[0]
            assert f"**{entry.verdict}**" in card
            assert ledger.plain(entry.text)[1:] in card
            if entry.measure and not entry.restates:
                assert textwrap.dedent(inspect.getsource(entry.measure)).strip() in card
                assert "Measured" in card
    assert len(made) == len(PAPERS)


def test_a_record_that_lacks_a_statement_is_found():
    text = (ROOT / "docs" / "statements.md").read_text()
    record = ledger.recorded(text)["gao"]
    record.popitem()
    with pytest.raises(KeyError):
        list(ledger.page("gao", record))


def test_the_page_of_statements_keeps_all_but_the_tables():
    text = (ROOT / "docs" / "statements.md").read_text()
    short = ledger.shortened(text)
    assert "99 statements" in short or "statements:" in short
    assert "| statement | claim |" not in short
    assert short.endswith(text.split(ledger.END)[1])
    formal = [entry.formal for entry in claims() if entry.formal]
    left = sum(bool(proof.gap) for proof in formal)
    assert f"| all | {len(claims())} | {len(formal)} | {left} |" in short
    assert ledger.shortened("no ledger") == "no ledger"


def test_what_is_quoted_of_proofs_stands_there():
    page = (ROOT / "docs" / "how" / "proofs.md").read_text()
    pieces = re.split(r"```coq\n(.*?)```", page, flags=re.DOTALL)  # words and quotes in turn
    names = [re.findall(r"`proofs/(\w+\.v)`", words)[-1] for words in pieces[:-1:2]]
    quotes = list(zip(names, pieces[1::2], strict=True))
    assert names == ["Memorize.v", "Networks.v", "Indicators.v"]
    for name, quoted in quotes:
        proofs = (ROOT / "proofs" / name).read_text()
        parts = re.split(r"\n(?=Definition |Fixpoint |Record )", quoted.rstrip())
        assert all(f"\n{part}\n" in proofs for part in parts), name


def test_line_counts_of_checkers_are_those_of_the_files():
    page = (ROOT / "docs" / "how" / "certification.md").read_text()
    found = dict(re.findall(r"(check_\w+\.py) \((\d+) lines\)", page))
    assert len(found) == 5
    for name, lines in found.items():
        text = (ROOT / "analysis" / "checkers" / name).read_text()
        assert len(text.splitlines()) == int(lines), name
        assert f"{lines} " in (ROOT / "docs" / "guide" / "certify.md").read_text(), name
