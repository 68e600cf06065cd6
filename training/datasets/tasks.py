"""Tasks that can be set on classes of images: which labels they give."""

from __future__ import annotations

import re
from collections.abc import Mapping

TASKS = ("parity", "classes")
"""parity: odd classes are +1, even ones -1. classes: labels 0..K-1."""

Task = str | Mapping[str | int, int]


def read_task(task: Task) -> dict[str | int, int] | None:
    """The labels that a task gives to classes; None for the names in `TASKS`, which give one to
    every class.

    A mapping of classes, by name or number (0 is the first), or a text such as "3=-1,5=+1",
    "cat=-1,dog=+1", "0-4=-1,5-9=+1"; a number in a text is that of a class unless a class has that
    name. Classes that are not named are left out. Labels must be -1 and +1, or 0..K-1 with K >= 2.
    Raises ValueError.

    >>> read_task("0-1=-1,7=+1")
    {'0': -1, '1': -1, '7': 1}
    """
    if isinstance(task, str):
        if task in TASKS:
            return None
        pairs: list[tuple[str | int, int]] = []
        for entry in task.split(","):
            match = re.fullmatch(r"\s*([^=]*[^=\s])\s*=\s*([+-]?\d{1,4})\s*", entry)
            if match is None:
                rule = (
                    f"must be {', '.join(TASKS)}, or labels of classes such as 3=-1,5=+1 or "
                    "0-4=-1,5-9=+1"
                )
                raise ValueError(f"task {rule}, got {task!r}")
            pairs += [(name, int(match[2])) for name in _names(match[1])]
    else:
        pairs = list(task.items())
    labels = dict(pairs)
    if len(labels) < len(pairs):
        raise ValueError(f"task must name each class once, got {task!r}")
    if any(type(label) is not int or not isinstance(key, (str, int)) for key, label in pairs):
        raise ValueError(f"task must map names or numbers of classes to integers, got {task!r}")
    values = set(labels.values())
    if len(values) < 2 or values not in ({-1, 1}, set(range(len(values)))):
        raise ValueError(
            f"labels of a task must be -1 and +1, or 0..K-1 with K >= 2, got {sorted(values)} in "
            f"{task!r}"
        )
    return labels


def _names(text: str) -> list[str]:
    """The numbers of a range, or the text itself."""
    match = re.fullmatch(r"(\d{1,4})-(\d{1,4})", text)
    return (
        [str(k) for k in range(int(match[1]), int(match[2]) + 1)]
        if match and int(match[1]) <= int(match[2])
        else [text]
    )
