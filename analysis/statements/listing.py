"""The statements as their files enter them, without what measures them: a list of them takes no
PyTorch, whose import takes seconds.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from .claims import ENTRIES, Claim, Measure, choose, restated


def listed(only: Sequence[str] = ()) -> list[Claim]:
    """What `ledger` lists, not to be measured: names, texts, verdicts, notes and files.

    Raises as `ledger` does.

    >>> [entry.name for entry in listed(["cgrm-theorem-3.3"])]
    ['cgrm-theorem-3.3']
    """
    return choose([entry for name in ENTRIES for entry in _entered(name)], only)


class _Unneeded:
    """Stands for anything that a file imports in order to measure."""

    def __getattr__(self, name: str) -> _Unneeded:
        return self

    def __call__(self, *given: object, **named: object) -> _Unneeded:
        return self

    def __format__(self, how: str) -> str:
        return ""


def _entered(name: str) -> list[Claim]:
    """The statements of a file: its own lines run, but what they import is Python's alone."""
    path = Path(__file__).with_name(f"{name}.py")
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    unneeded = [*filter(_from_packages, tree.body)]
    tree.body = [node for node in tree.body if node not in unneeded]
    names = {alias.asname or alias.name.split(".")[0] for node in unneeded for alias in node.names}
    found: list[Claim] = []

    def claim(*given: Any, on: str, also: Iterable[str] = ()) -> Callable[[Measure], Measure]:
        def enter(measure: Measure) -> Measure:
            found.extend(restated(*given, also=also, measure=measure))
            return measure

        return enter

    def not_testable(name: str, text: str, why: str, *, also: Iterable[str] = ()) -> None:
        found.extend(restated(name, text, "not testable", why, also=also))

    held: dict[str, Any] = dict.fromkeys(names, _Unneeded())
    held |= {"__name__": f"{__package__}.{name}", "claim": claim, "not_testable": not_testable}
    exec(compile(tree, str(path), "exec"), held)
    return found


def _from_packages(node: ast.stmt) -> bool:
    """Whether a line imports what does not come with Python."""
    if isinstance(node, ast.ImportFrom):
        return node.level > 0 or (node.module or "").split(".")[0] not in sys.stdlib_module_names
    return isinstance(node, ast.Import) and any(
        alias.name.split(".")[0] not in sys.stdlib_module_names for alias in node.names
    )
