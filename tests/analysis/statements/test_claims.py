"""The ledger: every numbered statement is in it, verdicts follow from checks, and a planted failure
is seen.
"""

import dataclasses
import functools
import itertools
import json
import math
import re
from fractions import Fraction
from pathlib import Path

import pytest
from accessibility import check_accessible

from analysis import ledger, verify
from analysis.commands.cli import main
from analysis.statements import constructions as claims_constructions
from analysis.statements.claims import (
    LEDGER,
    Claim,
    Outcome,
    at_least,
    at_most,
    between,
    claim,
    equal,
    not_testable,
    share_of,
)
from analysis.statements.formal import FORMAL
from analysis.statements.report import (
    BEGIN,
    END,
    as_markdown,
    counts,
    save_json,
    told,
    write_ledger,
)
from constructions import affine, compose, squaring


def names(paper, kind, numbers):
    return {f"{paper}-{kind}-{number}".lower() for number in numbers.split()}


PRINTED = {
    *names("cgrm", "proposition", "3.1 3.2 6.4 A.9"),
    *names("cgrm", "theorem", "3.3 3.5 4.1 4.2 6.2 6.3 A.1 A.2 A.6 B.1 B.3 C.1 C.2"),
    *names("cgrm", "corollary", "3.4"),
    *names("cgrm", "assumption", "6.1"),
    *names("cgrm", "lemma", "A.3 A.4 A.5 A.7 A.8 B.2"),
    *names("cgrm", "figure", "1 2 3"),
    *names("cgrm", "table", "1"),
    *names("cgro", "parameterization", "3.1"),
    *names("cgro", "assumption", "5.1"),
    *names("cgro", "theorem", "4.1 5.2 5.3 C.2 C.4 C.6 C.12 D.1 D.4 E.1 F.1"),
    *names(
        "cgro", "lemma", "4.2 4.3 4.4 A.1 A.2 A.3 A.4 A.7 A.8 C.3 C.5 C.7 C.8 C.9 C.10 C.11 D.2 D.3"
    ),
    *names("cgro", "definition", "A.5 A.6"),
    *names("cgro", "hypothesis", "C.1"),
    *names("cgro", "proposition", "D.5 E.2"),
    *names("cgro", "figure", "1 2 3"),
    *names("gao", "assumption", "3.1 5.1 5.2 5.3"),
    *names("gao", "definition", "3.1 3.2 3.3 3.4 5.1 6.1 6.2"),
    *names("gao", "theorem", "4.1 5.1 5.2 6.1 C.1"),
    *names("gao", "corollary", "5.1 C.1"),
    *names("li", "definition", "3.1 3.2 3.3 3.4"),
    *names("li", "remark", "3.5"),
    *names("li", "assumption", "4.1 4.2 4.3"),
    *names("li", "theorem", "4.4 4.7 5.9"),
    *names("li", "lemma", "4.5"),
    *names("li", "figure", "1 2 3 4"),
    *names("li", "table", "1 2"),
    *names("kim", "theorem", "3.1 4.2"),
    *names("kim", "proposition", "3.2 3.3 C.7"),
    *names("kim", "lemma", "A.2"),
    *names("own", "theorem", "1"),
    *names("own", "proposition", "2"),
}
"""Every numbered definition, assumption, lemma, theorem, corollary, proposition and figure of the
papers' texts; of Kim, Moon and Yun those that what is built here can run; and what is proved here.
"""

QUICK = (
    "cgrm-proposition-3.1",
    "cgrm-lemma-a.5",
    "cgro-lemma-a.1",
    "cgro-lemma-a.3",
    "gao-definition-3.2",
    "cgrm-theorem-4.2",
    "kim-proposition-3.2",
    "kim-proposition-3.3",
    "kim-theorem-3.1",
    "kim-lemma-a.2",
    "kim-proposition-c.7",
    "kim-theorem-4.2",
    "own-theorem-1",
    "own-proposition-2",
    "li-definition-3.1",
    "li-definition-3.2",
    "li-definition-3.3",
    "li-assumption-4.3",
)


@pytest.fixture
def one_more():
    """Enters claims and takes them out again."""
    before = {entry.name for entry in ledger()}
    yield claim
    for name in set(LEDGER) - before:
        del LEDGER[name]


def test_every_numbered_statement_is_in_the_ledger():
    entries = {entry.name for entry in ledger()}
    assert entries == PRINTED
    assert len(entries) >= 45
    for entry in ledger():
        assert entry.text
        assert (entry.measure is None) == (entry.verdict == "not testable")
        assert (entry.measure is None) == (not entry.on), entry.name
        assert "\n" not in entry.on
        assert len(entry.on) < 200, entry.name
        if entry.verdict in ("holds with correction", "fails as printed", "not testable"):
            assert entry.note, entry.name
        if entry.restates:
            assert LEDGER[entry.restates].measure is entry.measure


def test_what_is_known_second_hand_says_so(capsys):
    """The figures' captions are at hand, the statements of the same paper are not."""
    found = {entry.name: entry.source for entry in ledger()}
    assert {found[f"li-figure-{k}"] for k in range(1, 5)} == {"text"}
    second = {name for name, source in found.items() if source == "second-hand"}
    assert second == {name for name in PRINTED if name.startswith("li-") and "figure" not in name}
    assert {found[name] for name in PRINTED if name.startswith("own-")} == {"here"}
    assert all(LEDGER[name].verdict != "not testable" for name in second)
    assert main(["verify", "--only", "li-definition-3.1", "cgrm-lemma-a.5"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("  source: second-hand\n") == 1
    assert printed.count("  source: text\n") == 1
    assert as_markdown(verify(["li-definition-3.1"])).count("| Known second-hand. ") == 1


def test_numbers_that_are_exact_are_printed_so():
    """The relation, too; what no short text stands for is called so, and estimates are rounded."""
    third, prime = Fraction(1, 3), 10**15 + 37
    assert told(equal("p", prime, prime)) == (
        "p: 1,000,000,000,000,037 = 1,000,000,000,000,037 (exact)"
    )
    assert told(at_most("q", third, Fraction(1, 2))) == "q: 1/3 <= 0.5 (exact)"
    assert told(at_least("q", 2.0**-7, 0, "certified lower bound")) == (
        "q: 0.0078125 >= 0 (certified lower bound)"
    )
    assert told(at_most("r", 0.123456, 1 / 3, "estimate")) == "r: 0.123 <= about 0.333 (estimate)"
    huge = Fraction(3**60, 2**90)
    assert told(at_most("h", huge, math.inf)) == "h: about 34.2 <= inf (exact)"
    assert told(share_of("s", 4491, 4492)) == "s: 4491/4492 = 1 (4,491 of 4,492) (exact)"
    assert told(share_of("s", 1, 3, "estimate")) == "s: 0.333 = 1 (1 of 3) (estimate)"


def test_statements_are_in_the_papers_order():
    found = [entry.name for entry in ledger(["cgro"])]
    assert (
        found.index("cgro-lemma-4.4")
        < found.index("cgro-theorem-5.2")
        < found.index("cgro-lemma-a.1")
    )
    assert (
        found.index("cgro-lemma-c.9")
        < found.index("cgro-lemma-c.10")
        < found.index("cgro-figure-1")
    )


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("cgrm-lemma-a.4", 1),
        ("CGRM-Lemma-A.4", 1),
        ("cgrm-lemma", 6),
        ("cgro-lemma-c.1", 0),
        ("gao", 18),
        ("cgr", 0),
        ("", 0),
    ],
)
def test_only(wanted, found):
    if found:
        assert len(ledger([wanted])) == found
    else:
        with pytest.raises(ValueError, match="only must name statements"):
            ledger([wanted])


def test_quick_verdicts_are_reproduced():
    seen = []
    outcomes = verify(QUICK, report=seen.append)
    assert {outcome.claim.name for outcome in outcomes} == set(QUICK)
    assert [told.stage for told in seen] == [told.outcome.claim.name for told in seen]
    assert [(told.done, told.total) for told in seen] == [
        (k, len(QUICK)) for k in range(1, len(QUICK) + 1)
    ]
    for outcome in outcomes:
        assert outcome.reproduced, [check for check in outcome.checks if not check.holds]


@pytest.mark.slow
def test_all_verdicts_are_reproduced():
    for outcome in verify():
        assert outcome.reproduced is not False, (
            outcome.claim.name,
            outcome.error,
            [c for c in outcome.checks if not c.holds],
        )


# -- what a verdict rests on -----------------------------------------------------------------------


def test_checks_say_whether_they_hold():
    assert equal("x", Fraction(1, 3), Fraction(1, 3)).holds
    assert not equal("x", 0.1, Fraction(1, 10)).holds  # exact, not as floats
    assert not at_most("x", Fraction(1, 3) + Fraction(1, 10**30), Fraction(1, 3)).holds
    assert at_least("x", 10**30 + 1, 10**30 + 1).holds
    assert not at_least("x", 10**30, 10**30 + 1).holds
    assert share_of("x", 3, 3).holds
    assert not share_of("x", 2, 3).holds
    with pytest.raises(ValueError, match="total >= 1"):
        share_of("x", 0, 0)
    for check in (
        equal("x", math.nan, 1),
        at_most("x", math.nan, 1),
        at_least("x", math.nan, 1),
        between("x", math.nan, 0, 1),
    ):
        assert not check.holds


def broken():
    yield equal("one", 1, 1)
    raise ArithmeticError("planted")


def test_what_checks_run_on_is_in_json_table_and_page(one_more, tmp_path, capsys):
    one_more("gao-lemma-97", "counted", "holds", on="N = 2, D_x = 3", also=["gao-theorem-97"])(
        lambda: [equal("one", 1, 1)]
    )
    assert main(["verify", "--only", "gao-lemma-97", "gao-theorem-97", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["statements"]
    assert [row["on"] for row in rows] == ["N = 2, D_x = 3"] * 2
    for name in ("a.md", "a.html"):
        path = tmp_path / name
        assert main(["verify", "--only", "gao-lemma-97", "--report", str(path)]) == 0
        assert "  on: N = 2, D_x = 3" in capsys.readouterr().out
        assert "on: N = 2, D" in path.read_text()
    assert "| *on: N = 2, D\\_x = 3*; one: 1 = 1 (exact) |" in (tmp_path / "a.md").read_text()


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        (lambda: [equal("one", 1, 1), equal("two", 1, 2)], "two: 1 = 2"),
        (lambda: [], "no check ran"),
        (broken, "ArithmeticError: planted"),
        (lambda: [at_most("x", math.nan, 1)], "x: nan <= 1"),
    ],
)
def test_a_verdict_without_its_checks_is_not_reproduced(one_more, capsys, measure, text):
    one_more("gao-lemma-99", "planted", "holds", on="one case")(measure)
    (outcome,) = verify(["gao-lemma-99"])
    assert not outcome.reproduced
    assert main(["verify", "--only", "gao-lemma-99"]) != 0
    printed = capsys.readouterr()
    assert text in " ".join(printed.err.split())
    assert "1 of 1 verdicts were not reproduced: gao-lemma-99" in printed.err
    assert "NOT REPRODUCED" in as_markdown([outcome])


def test_what_is_wrong_with_the_library_is_no_verdict(monkeypatch):
    def measure(error):
        yield at_most("one", 1, 1)
        raise error

    for error in (ValueError("no room"), FloatingPointError("nan"), RuntimeError("contradiction")):
        entry = Claim("cgrm-lemma-9", "x", "holds", measure=functools.partial(measure, error))
        monkeypatch.setitem(LEDGER, entry.name, entry)
        (outcome,) = verify([entry.name])
        assert outcome.error == f"{type(error).__name__}: {error}"
        assert outcome.reproduced is False
    for error in (TypeError("no argument x"), NameError("y"), AttributeError("z")):
        entry = Claim("cgrm-lemma-9", "x", "holds", measure=functools.partial(measure, error))
        monkeypatch.setitem(LEDGER, entry.name, entry)
        with pytest.raises(type(error), match=str(error)):
            verify([entry.name])


def test_a_broken_construction_is_seen(monkeypatch):
    monkeypatch.setattr(
        claims_constructions,
        "squaring",
        lambda m: compose(affine([[1.0]], [2.0**-30]), squaring(m)),
    )
    (outcome,) = verify(["cgrm-lemma-a.5"])
    assert {check.what.split(": ")[1] for check in outcome.checks if not check.holds} == {
        "sup |f - x^2|",
        "parameters",
    }


def test_a_broken_classifier_is_seen(monkeypatch):
    """f_adv with one label wrong: clean and robust errors, and what rests on them, must notice."""
    build = claims_constructions.f_adv

    def wrong(clean, centres, labels, ball, **rest):
        return build(
            clean,
            centres,
            [-labels[0], *labels[1:]],
            ball,
            **{**rest, "margins": [-1.0] * len(labels)},
        )

    monkeypatch.setattr(claims_constructions, "f_adv", wrong)
    for name in ("cgrm-proposition-3.2", "cgrm-theorem-3.3"):
        assert not next(found for found in verify([name]) if found.claim.name == name).reproduced


def test_restatements_share_a_measurement(one_more):
    calls = itertools.count()
    one_more("gao-lemma-98", "counted", "holds", on="one case", also=["gao-theorem-98"])(
        lambda: [equal("calls", next(calls), 0)]
    )
    first, second = verify(["gao-lemma-98", "gao-theorem-98"])
    assert first.checks == second.checks
    assert (first.reproduced, second.reproduced, second.claim.restates) == (
        True,
        True,
        "gao-lemma-98",
    )


@pytest.mark.parametrize(
    "name", ["lemma-1", "cgrm-lemma", "cgrm-claim-1", "nobody-lemma-1", "cgrm-lemma-a.4"]
)
def test_names_are_checked(one_more, name):
    with pytest.raises(ValueError, match=name):
        one_more(name, "x", "holds", on="x")(lambda: [])


def test_what_cannot_be_tested_says_why(one_more):
    not_testable("gao-lemma-97", "vague", "too vague")
    (outcome,) = verify("gao-lemma-97")
    assert outcome.reproduced is None
    assert as_markdown([outcome]).endswith("| Lemma 97 | vague | not testable | | too vague |")


# -- what is printed and written -------------------------------------------------------------------


def test_json_holds_every_check(capsys):
    assert main(["verify", "--only", "cgrm-lemma-a.5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (row,) = found["statements"]
    assert (row["name"], row["reproduced"], len(row["checks"])) == ("cgrm-lemma-a.5", True, 16)
    assert row["checks"][0]["measured"]["kind"] == "exact"
    assert {"python", "torch", "machine"} <= set(found["versions"])


def test_json_has_no_numbers_that_json_has_not():
    outcome = Outcome(
        Claim("cgrm-lemma-9", "x", "holds", measure=list), (at_most("x", math.inf, 1),), "", 0.0
    )
    assert (
        json.loads(save_json([outcome]))["statements"][0]["checks"][0]["measured"]["value"] == "inf"
    )


def test_the_page_is_accessible(tmp_path, capsys):
    page = tmp_path / "ledger.html"
    assert (
        main(
            [
                "verify",
                "--only",
                "cgrm-lemma-a.5",
                "cgrm-table",
                "cgro-lemma-d.2",
                "--report",
                str(page),
            ]
        )
        == 0
    )
    text = page.read_text()
    check_accessible(text)
    assert "sup |f - x^2|" in text
    assert "as cgrm-lemma-a.5" in text
    assert "cited from Raghunathan" in text


def test_markdown_goes_into_its_place(tmp_path):
    outcomes = verify(["cgrm-lemma-a.5"])
    page = tmp_path / "page.md"
    write_ledger(outcomes, page)
    whole = page.read_text()
    page.write_text("before\n" + whole[whole.index(BEGIN) :] + "after\n")
    write_ledger(outcomes, page)
    assert page.read_text() == f"before\n{BEGIN}\n{as_markdown(outcomes)}\n{END}\nafter\n"
    page.write_text("something else")
    with pytest.raises(ValueError, match="has no place"):
        write_ledger(outcomes, page)
    assert page.read_text() == "something else"


@pytest.mark.parametrize(
    "options",
    [
        ["--only", "nobody"],
        ["--jobs", "0"],
        ["--report", "x.txt"],
        ["--report", "nowhere/x.md"],
        ["--list", "--json"],
    ],
)
def test_bad_options_end_at_once(options, capsys):
    assert main(["verify", "--only", "cgrm-lemma-a.5", *options]) == 2
    assert "cgro verify:" in capsys.readouterr().err


def test_list_runs_nothing(capsys, monkeypatch):
    monkeypatch.setattr("analysis.statements.claims.verify", None)
    assert main(["verify", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.strip().split(": ")[0] for line in lines} == PRINTED | {
        "cgrm",
        "cgro",
        "gao",
        "li",
        "kim",
        "own",
    }
    (line,) = (line for line in lines if line.startswith("  cgro-theorem-5.2: "))
    assert line.endswith(" [holds with correction, formal, analysis/statements/constructions.py]")
    files = {entry.file for entry in ledger() if entry.measure}
    assert all((Path(__file__).parents[3] / file).is_file() for file in files)


def test_parts_are_told_with_their_checks_and_restatements_once(capsys):
    assert main(["verify", "--only", "cgrm-lemma-a.5", "cgro-lemma-d.2", "cgrm-lemma-a.3"]) == 0
    printed = capsys.readouterr()
    assert printed.out.count("m = 1: sup |f - x^2|: 0.0625 = 0.0625 (exact)") == 1
    assert "cgro-lemma-d.2: as cgrm-lemma-a.5" in printed.out
    assert "cgrm-lemma-a.3: holds: f_clean is signed" in printed.out
    assert printed.out.rstrip().splitlines()[-1] == "3 statements: 3 holds"
    assert "[3/3]" in printed.err


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"only": [3]}, "only must be names"),
        ({"only": "cgrm-lemma-a.5", "report": "x.html"}, "report must be callable"),
    ],
)
def test_wrong_arguments_end_at_once(options, error, monkeypatch):
    monkeypatch.setattr("constructions.internal.run_tasks", None)
    with pytest.raises(TypeError, match=error):
        verify(**options)


def test_the_docs_have_every_statement_with_its_verdict():
    """Numbers in docs/statements.md are of one machine; statements, claims, verdicts and notes are
    those of the code.
    """
    text = (Path(__file__).parents[3] / "docs" / "statements.md").read_text()
    held = text.split(BEGIN)[1].split(END)[0].strip().splitlines()
    wanted = as_markdown([Outcome(entry, (), "", 0.0) for entry in ledger()]).splitlines()

    def cells(line):
        parts = line.replace("\\|", "\0").split("|")
        return [part.strip() for part in parts]

    rows = [cells(line) for line in held if line.startswith("| ")]
    expected = [cells(line) for line in wanted if line.startswith("| ")]
    assert [(row[1], row[2], row[5]) for row in rows] == [
        (row[1], row[2], row[5]) for row in expected
    ]
    verdicts = {(entry.statement, entry.text): entry.verdict for entry in ledger()}
    assert "NOT REPRODUCED" not in text
    shown = [row[3] for row in rows if row[1] != "statement" and not set(row[1]) <= {"-"}]
    assert set(shown) <= set(verdicts.values())


def test_counts_name_what_is_lost():
    good = Outcome(Claim("cgrm-lemma-9", "x", "not testable", "y"), (), "", 0.0)
    lost = Outcome(Claim("cgrm-lemma-8", "x", "holds", measure=list), (), "", 0.0)
    assert counts([good, lost]) == "2 statements: 1 not testable, 1 NOT REPRODUCED"
    assert counts([good]) == "1 statement: 1 not testable"
    assert dataclasses.replace(lost, checks=(equal("x", 1, 1),)).reproduced


# -- theorems --------------------------------------------------------------------------------------


def test_every_theorem_that_is_named_is_in_its_file_and_all_say_what_is_left(tmp_path):
    """proofs/check.sh takes each `Theorem` of these files, and compares what it assumes."""
    root = Path(__file__).parents[3]
    assert set(FORMAL) <= {entry.name for entry in ledger()}
    assert len(FORMAL) >= 5
    for formal in FORMAL.values():
        assert formal.says
        for name, file in formal.theorems:
            text = (root / file).read_text()
            assert re.search(rf"^Theorem {re.escape(name)}\b(?!')", text, re.M), (name, file)
    assert 'grep -oE "^Theorem ' in (root / "proofs" / "check.sh").read_text()


def test_theorems_are_printed_and_linked(capsys, tmp_path):
    assert main(["verify", "--only", "cgrm-lemma-a.5", "--report", str(tmp_path / "p.html")]) == 0
    said = "proved in Coq: for all m >= 1 and x in [0,1]"
    assert f"  {said}" in capsys.readouterr().out
    page = (tmp_path / "p.html").read_text()
    (link,) = re.findall('href="([^"]*)"><code>squaring_error', page)
    assert (tmp_path / link).resolve() == Path(__file__).parents[3] / "proofs" / "Squaring.v"
    assert main(["verify", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    proved = {line.split(":")[0].strip() for line in lines if ", formal" in line}
    assert proved == {entry.name for entry in ledger() if entry.formal}
