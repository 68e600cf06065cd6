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

    def answer(self, question: Json, compute: Callable[[], Json]) -> Json:
        """compute(), or what it gave before to this question. A damaged file is computed again."""
        question = json.loads(json.dumps({**question, "format": FORMAT}))
        name = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:20]
        path = self.folder / f"{name}.json"
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            if held["question"] == question:
                return dict(held["answer"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not there, or cut short
        found = compute()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps({"question": question, "answer": found}, allow_nan=False))
        return dict(json.loads(json.dumps(found)))
