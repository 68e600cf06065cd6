"""Runs of the ledger that are stopped go on where they stopped."""

import json
import math

import pytest

from analysis import verify
from analysis.commands.cli import main
from analysis.statements import claims, journal
from analysis.statements.claims import LEDGER, Check, claim, equal
from analysis.statements.journal import Journal

NAMES = [f"gao-lemma-9{k}" for k in range(7)]


class Stop(BaseException):
    """Where the power goes."""


@pytest.fixture
def measured():
    """Seven statements; the names of those that were measured, in order."""
    claims.ledger()
    calls = []

    def enter(k):
        @claim(NAMES[k], "k thirds", "holds", on="thirds")
        def measure():
            calls.append(NAMES[k])
            yield equal("thirds", k / 3, k / 3)
            yield claims.at_least("the end", math.inf, 10**9 + k)

    for k in range(7):
        enter(k)
    yield calls
    for name in NAMES:
        del LEDGER[name]


def numbers(outcomes):
    return [(outcome.claim.name, outcome.checks, outcome.error) for outcome in outcomes]


def test_five_interruptions_lose_nothing(measured, tmp_path):
    path = tmp_path / "journal.json"
    expected = numbers(verify(NAMES))
    measured.clear()

    def stop(told):
        if told.outcome.claim.name == NAMES[stops]:
            raise Stop

    for stops in range(5):
        with pytest.raises(Stop):
            verify(NAMES, journal=path, report=stop)
        assert len(json.loads(path.read_text())["found"]) == stops + 1
    assert numbers(verify(NAMES, journal=path)) == expected  # bit for bit
    assert measured == NAMES  # each once
    assert not path.exists()


def test_other_statements_code_or_versions_start_anew(measured, tmp_path, monkeypatch):
    path = tmp_path / "journal.json"

    def keep():
        Journal(path, NAMES[:2], Check).add(NAMES[0], ((equal("one", 1, 1),), "", 0.5))
        assert Journal(path, NAMES[:2], Check).found

    keep()
    assert not Journal(path, NAMES[:3], Check).found
    monkeypatch.setattr(journal, "versions", lambda: {"python": "another"})
    assert not Journal(path, NAMES[:2], Check).found
    monkeypatch.undo()
    for package in ("constructions", "training", "analysis"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "code.py").write_text("one = 1\n")
    monkeypatch.setattr(journal, "ROOT", tmp_path)
    keep()
    (tmp_path / "training" / "code.py").write_text("one = 2\n")
    assert not Journal(path, NAMES[:2], Check).found


def test_errors_are_measured_again(tmp_path):
    path = tmp_path / "journal.json"
    Journal(path, NAMES, Check).add(NAMES[0], ((), "OSError: full", 0.5))
    assert not path.exists()


def test_what_is_no_journal_is_refused_and_left(tmp_path):
    path = tmp_path / "mine.json"
    for text in ("", "{}", "[1]", '{"kind": "another"}'):
        path.write_text(text)
        with pytest.raises(ValueError, match="is no journal of cgro verify: choose another file"):
            verify(["cgrm-lemma-a.5"], journal=path)
        assert path.read_text() == text
    with pytest.raises(ValueError, match="journal must be a file in a folder that exists"):
        verify(["cgrm-lemma-a.5"], journal=tmp_path)


def test_the_command_goes_on(measured, tmp_path, capsys, monkeypatch):
    path = tmp_path / "journal.json"
    whole, done = claims._measure, []

    def stopped(name):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(name)
        return whole(name)

    command = ["verify", "--only", *NAMES, "--json", "--journal", str(path)]
    monkeypatch.setattr(claims, "_measure", stopped)
    assert main(command) == 130
    assert "the same command goes on from it" in capsys.readouterr().err
    monkeypatch.setattr(claims, "_measure", whole)
    assert main(command) == 0
    assert len(json.loads(capsys.readouterr().out)["statements"]) == 7
    assert measured == NAMES
