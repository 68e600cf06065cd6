"""Tasks on classes of images: which label each class gets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

TASKS = ("parity", "classes")
"""parity: odd classes are +1, even ones -1. classes: labels 0..K-1."""

Task = str | Mapping[str | int, int]


def read_task(task: Task) -> dict[str | int, int] | None:
    """Read the labels that a task gives to classes.

    A task is a mapping of classes, by name or number (0 is the first), or a text such as
    "3=-1,5=+1", "cat=-1,dog=+1", "0-4=-1,5-9=+1"; a number in a text is that of a class unless a
    class has that name. Classes that are not named are left out.

    Args:
        task: the mapping or text, or a name in `TASKS`, which gives one label to every class.

    Returns:
        A dict from classes to labels; None for the names in `TASKS`.

    Raises:
        ValueError: unless each class is named once and labels are -1 and +1, or 0..K-1 with K >= 2.

    Example:
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


def _number(key: str | int, classes: Sequence[str]) -> int:
    """The number of the class that a task means by `key`."""
    if key in classes:
        return classes.index(str(key))
    number = int(key) if isinstance(key, int) or key.isdecimal() else -1
    if 0 <= number < len(classes):
        return number
    shown = ", ".join(classes[:20]) + (", ..." if len(classes) > 20 else "")
    raise ValueError(f"task must name classes, which are {shown}, got {key!r}")


def class_labels(task: Task, classes: Sequence[str]) -> dict[int, int]:
    """The label of each class, by its number; classes that are left out have none. Raises
    ValueError for classes that there are not.

    >>> class_labels("dog=-1,0=+1", ["cat", "dog", "ant"])
    {1: -1, 0: 1}
    """
    wanted = read_task(task)
    if wanted is None:
        return {k: (1 if k % 2 else -1) if task == "parity" else k for k in range(len(classes))}
    labels = {_number(key, classes): label for key, label in wanted.items()}
    if len(labels) < len(wanted):
        raise ValueError(f"task must name each class once, got {task!r}")
    return labels


def label_names(labels: Mapping[int, int], classes: Sequence[str]) -> dict[int, str]:
    """What each label, -1 and +1 or 0..K-1 in this order, stands for.

    >>> label_names({1: -1, 0: 1, 2: 1}, ["cat", "dog", "ant"])
    {-1: 'dog', 1: 'cat or ant'}
    """
    return {
        label: " or ".join(classes[k] for k in sorted(labels) if labels[k] == label)
        for label in sorted(set(labels.values()))
    }


def task_text(task: Task) -> str:
    """The text that `read_task` reads as this task.

    >>> task_text({"cat": -1, 1: 1})
    'cat=-1,1=+1'
    """
    if isinstance(task, str):
        return task
    return ",".join(f"{key}={label:+d}" for key, label in task.items())
