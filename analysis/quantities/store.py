"""Answers to questions about networks, kept as files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from constructions.internal import write_file

Json = dict[str, Any]

FORMAT = 2
"""Part of every question whose answer is kept: raised when measurements change."""


class Store:
    """Answers to questions, one JSON file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, question: Json, ending: str) -> Path:
        """A file in the folder, which exists then, that is named by a question."""
        words = json.dumps({**question, "format": FORMAT}, sort_keys=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{hashlib.sha256(words.encode()).hexdigest()[:20]}{ending}"

    def answer(self, question: Json, compute: Callable[[], Json]) -> Json:
        """compute(), or what it gave before to this question. A damaged file is computed again."""
        path = self.path(question, ".json")
        question = json.loads(json.dumps({**question, "format": FORMAT}))
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            if held["question"] == question:
                return dict(held["answer"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not there, or cut short
        found = compute()
        write_file(path, json.dumps({"question": question, "answer": found}, allow_nan=False))
        return dict(json.loads(json.dumps(found)))
