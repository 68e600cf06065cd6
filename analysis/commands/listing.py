"""The statements as their files enter them, without what measures them: a list of them takes no
PyTorch, whose import takes seconds.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ..statements.claims import ENTRIES, LEDGER, Claim, Measure, choose, restated


def listed(only: Sequence[str] = ()) -> list[Claim]:
    """What `ledger` lists, not to be measured: names, texts, verdicts, notes and files;
    of the ledger's own files, and what was entered besides.

    Raises as `ledger` does.

    >>> [entry.name for entry in listed(["cgrm-theorem-3.3"])]
    ['cgrm-theorem-3.3']
    """
    read = (entry for name in ENTRIES for entry in _entered(name))
    return choose([*LEDGER.values(), *read], only)


PACKAGE = Claim.__module__.rpartition(".")[0]


class _Unneeded:
    """Stands for anything that a file imports in order to measure, from a module."""

    def __init__(self, module: str) -> None:
        self.__module__ = module

    def __getattr__(self, name: str) -> _Unneeded:
        return self

    def __call__(self, *given: object, **named: object) -> _Unneeded:
        return self

    def __format__(self, how: str) -> str:
        return ""


def _entered(name: str) -> list[Claim]:
    """The statements of a file: its own lines run, but what they import is Python's alone."""
    path = Path(__file__).parents[1] / "statements" / f"{name}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    unneeded = [node for node in imports if _from_packages(node)]
    names = {
        alias.asname or alias.name.split(".")[0]: _Unneeded(f"{PACKAGE}.{_module(node)}")
        for node in unneeded
        for alias in node.names
    }
    tree.body = [node for node in tree.body if node not in unneeded]
    found: list[Claim] = []

    def claim(*given: Any, on: str, also: Iterable[str] = ()) -> Callable[[Measure], Measure]:
        def enter(measure: Measure) -> Measure:
            found.extend(restated(*given, also=also, measure=measure))
            return measure

        return enter

    def not_testable(name: str, text: str, why: str, *, also: Iterable[str] = ()) -> None:
        found.extend(restated(name, text, "not testable", why, also=also))

    held: dict[str, Any] = {**names}
    held |= {"__name__": f"{PACKAGE}.{name}", "claim": claim, "not_testable": not_testable}
    exec(compile(tree, str(path), "exec"), held)
    return found


def _module(node: ast.Import | ast.ImportFrom) -> str:
    """Where names come from, seen from the statements; "" if `import` names it."""
    return node.module or "" if isinstance(node, ast.ImportFrom) else ""


def _from_packages(node: ast.Import | ast.ImportFrom) -> bool:
    """Whether a line imports what does not come with Python."""
    of_packages = isinstance(node, ast.ImportFrom) and node.level > 0
    named = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
    roots = {(name or "").split(".")[0] for name in named}
    return of_packages or not roots <= {*sys.stdlib_module_names}
