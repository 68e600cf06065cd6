"""What a stopped run of the ledger had measured: the next one goes on from there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

from constructions.internal import write_file

from ..pages.page import versions
from ..quantities.measured import Measured

ROOT = Path(__file__).resolve().parents[2]
KIND = "cgro verify"

Result = tuple[tuple[Any, ...], str, float]
"""Checks, what was raised, and seconds."""


class Journal:
    """Results of statements in a file, written as a whole after each; floats as they are.

    What was kept counts only for the same statements, code and versions. A measurement that raised
    an error is not kept: it runs again. `check` makes a check of its fields. Raises ValueError for
    a file that is none, or a folder that is not there.
    """

    def __init__(
        self, path: str | PathLike[str], names: Sequence[str], check: Callable[..., Any]
    ) -> None:
        self.path, self.question = Path(path), question(names)
        self.found: dict[str, Result] = {}
        if self.path.is_dir() or not self.path.parent.is_dir():
            raise ValueError(f"journal must be a file in a folder that exists, got {self.path}")
        if self.path.exists():
            kept = self._read()
            if kept["question"] == self.question:
                self.found = {name: _result(entry, check) for name, entry in kept["found"].items()}

    def add(self, name: str, result: Result) -> None:
        """Keep a statement's result, unless it is an error."""
        if result[1]:
            return
        self.found[name] = result
        found = {key: _plain(value) for key, value in self.found.items()}
        content = {"kind": KIND, "question": self.question, "found": found}
        write_file(self.path, json.dumps(content))

    def finish(self) -> None:
        """Remove the file: the next run measures anew."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            if kept["kind"] == KIND:
                return {"question": kept["question"], "found": kept["found"]}
        except (ValueError, KeyError, TypeError):
            pass
        raise ValueError(f"{self.path} is no journal of cgro verify: choose another file")


def question(names: Sequence[str]) -> str:
    """SHA-256 of what results depend on: the statements, the packages' code, and versions."""
    digest = hashlib.sha256(json.dumps([list(names), versions()]).encode())
    for package in ("constructions", "training", "analysis"):
        for file in sorted((ROOT / package).rglob("*.py")):
            digest.update(f"{file.relative_to(ROOT)}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _plain(result: Result) -> list[Any]:
    checks, error, seconds = result
    return [
        [{**asdict(check), "measured": check.measured.to_json()} for check in checks],
        error,
        seconds,
    ]


def _result(entry: list[Any], check: Callable[..., Any]) -> Result:
    checks, error, seconds = entry
    read = (
        check(**{**values, "measured": Measured.from_json(values["measured"])}) for values in checks
    )
    return tuple(read), error, seconds
