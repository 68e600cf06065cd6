"""The pages of the API: the public names of the packages, by the folders that define them."""

import ast
import importlib
import inspect
import itertools
import re
from collections.abc import Iterator
from typing import Any

from .copied import ROOT

PACKAGES = ("constructions", "training", "analysis")


def modules(package: str) -> dict[str, str]:
    """From a package's public names to the modules that define them, read from the root's stub.

    >>> modules("constructions")["squaring"]
    'gadgets.approximation'
    """
    stub = ast.parse((ROOT / package / "__init__.pyi").read_text(encoding="utf-8"))
    return {
        alias.asname or alias.name: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


PUBLIC = {package: modules(package) for package in PACKAGES}


def folders(package: str) -> dict[str, list[str]]:
    """From a package's folders to the public names that they define, in the order of letters."""
    found: dict[str, list[str]] = {}
    for name, module in sorted(PUBLIC[package].items(), key=lambda item: item[0].lower()):
        found.setdefault(module.split(".")[0], []).append(name)
    return dict(sorted(found.items()))


def purpose(package: str, folder: str = "") -> str:
    """What a folder or package says it is for, first line and rest."""
    tree = ast.parse((ROOT / package / folder / "__init__.py").read_text(encoding="utf-8"))
    return ast.get_docstring(tree) or ""


def made() -> dict[str, str]:
    """A page a folder, and one that lists them."""
    pages = {"api.rst": "\n".join(index())}
    for package in PACKAGES:
        for folder, names in folders(package).items():
            pages[f"api/{package}/{folder}.rst"] = "\n".join(page(package, folder, names))
    return pages


def index() -> Iterator[str]:
    """The page that lists the folders, with their names."""
    yield from titled("API", "=")
    yield "Every public name, by the folder that defines it. All are imported from their package:"
    yield "``from constructions import f_S``. What is not here is not public."
    for package in PACKAGES:
        yield from ("", *titled(package, "-"), literal(purpose(package)), "")
        yield from (".. toctree::", "   :hidden:", "")
        yield from (f"   api/{package}/{folder}" for folder in folders(package))
        yield ""
        for folder, names in folders(package).items():
            links = ", ".join(f":py:obj:`~{package}.{name}`" for name in names)
            yield f":doc:`api/{package}/{folder}`"
            yield f"   {literal(purpose(package, folder).splitlines()[0])}"
            yield from ("", f"   {links}", "")


def page(package: str, folder: str, names: list[str]) -> Iterator[str]:
    """A folder's page: what it is for, then its names."""
    yield from (*titled(f"{package}.{folder}", "="), literal(purpose(package, folder)), "")
    for name in names:
        value = getattr(importlib.import_module(package), name)
        if inspect.isclass(value):
            kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
            yield from (f".. {kind}:: {package}.{name}", "   :members:", "")
        elif callable(value):
            yield from (f".. autofunction:: {package}.{name}", "")
        else:
            text = told(package, PUBLIC[package][name], name)
            yield from (f".. py:data:: {package}.{name}", "", f"   {literal(text)}", "")


def told(package: str, module: str, name: str) -> str:
    """What the line below a module's variable says of it.

    >>> told("constructions", "networks.provenance", "LEMMAS")
    'All registered statements by the name of the construction that implements them.'
    """
    file = ROOT / package / f"{module.replace('.', '/')}.py"
    body = ast.parse(file.read_text(encoding="utf-8")).body
    for node, after in itertools.pairwise(body):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if getattr(target, "id", "") == name and isinstance(after, ast.Expr):
            return " ".join(ast.literal_eval(after.value).split())
    raise LookupError(f"{file} says nothing of {name}")


def titled(text: str, mark: str) -> list[str]:
    """A title of reStructuredText."""
    return [text, mark * len(text), ""]


def shape_names() -> dict[str, str]:
    """The names of shapes (`Points`, `Labels`), which signatures show as they are."""
    tree = ast.parse((ROOT / "constructions" / "basics" / "shapes.py").read_text(encoding="utf-8"))
    targets = [node.targets[0] for node in tree.body if isinstance(node, ast.Assign)]
    return {name: name for name in (getattr(target, "id", "") for target in targets) if name}


def as_plain_text(
    app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
    """Sphinx's event: docstrings are plain text but for `code`, which may be a public name."""
    parts = re.split(r"(^ *>>>.*(?:\n.*\S.*)*)", "\n".join(lines), flags=re.MULTILINE)
    shown = (part if k % 2 else literal(part) for k, part in enumerate(parts))
    lines[:] = "".join(shown).splitlines()


def literal(text: str) -> str:
    """Text that reStructuredText shows as it is, with `code` as code, or as a link.

    >>> literal("|x| of `f_S`").replace(chr(92), "/")
    '/|x/| of :py:obj:`f_S <constructions.f_S>`'
    """
    shown = ""
    for k, part in enumerate(re.split(r"(`[^`]+`)", text)):
        joint = "\\ " if shown[-1:].strip() and part[:1].strip() else ""  # code ends at a space
        shown += joint + (code(part[1:-1]) if k % 2 else re.sub(r"([\\*|_`])", r"\\\1", part))
    return shown


def code(text: str) -> str:
    """Code: a link if it is a public name."""
    for package in PACKAGES:
        if text in PUBLIC[package]:
            return f":py:obj:`{text} <{package}.{text}>`"
    return f"``{text}``"
