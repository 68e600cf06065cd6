"""The house rules, read from the source without importing it: directions of imports, docstrings,
examples, the wheel.
"""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import floors
import networkx
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
PACKAGES = ("constructions", "training", "analysis")
ALLOWED = {
    "constructions": set(),
    "training": {"constructions"},
    "analysis": {"constructions", "training"},
}


class Trees(dict):
    """Of each package, its files' syntax trees by path: parsed when they are asked for."""

    def __missing__(self, package):
        paths = (p for p in (ROOT / package).rglob("*.py*") if p.suffix in (".py", ".pyi"))
        self[package] = {path: ast.parse(path.read_text()) for path in sorted(paths)}
        return self[package]


TREES = Trees()
FLOORS = {
    "constructions": (
        "basics",
        "linear nearness",
        "graphs",
        "networks",
        "gadgets",
        "classifiers",
        "exchange capacity",
        "memorizers",
        "regions",
        "functions",
    ),
    "training": ("datasets", "attacks", "trainer", "theory"),
    "analysis": (
        "quantities checkers",
        "proofs search",
        "branching memorizers splitting",
        "certification",
        "behaviour",
        "pages theory",
        "comparison studies statements",
        "commands",
    ),
}
"""Folders from the ground up: a file imports from its own folder and from floors below. Folders on
one floor stand side by side and do not import each other; the package's root stands on top of
all."""

RESULTS = {
    "CapacityGrowth",
    "CountRow",
    "Lemma",
    "LevelSet",
    "LinearRegions",
    "NearPairs",
    "Origin",
    "OutputBounds",
    "PartContract",
    "Provenance",
    "Region",
    "RegionCount",
    "Separation",
    "Size",
    "Topology",
}
"""Plain dataclasses that functions return; their examples are those of the functions."""


def public_names(package, internal=False):
    """The strings of `__all__` in the package's __init__.pyi, which __init__.py loads from, or in
    its internal one.
    """
    stub = "internal.pyi" if internal else "__init__.pyi"
    file = stub if ROOT / package / stub in TREES[package] else "internal.py"
    for node in TREES[package][ROOT / package / file].body:
        if isinstance(node, ast.Assign) and [getattr(t, "id", None) for t in node.targets] == [
            "__all__"
        ]:
            return set(ast.literal_eval(node.value))
    return set()


def imports(tree):
    """(line, module, names, level) of all imports, also those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, [], 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or "", [alias.name for alias in node.names], node.level


def wrong_imports(package, tree, depth=1):
    """What the rules forbid: rightward, absolute within a package, past a package root, or of a
    name that is not public.
    """
    for line, module, names, level in imports(tree):
        top = module.split(".")[0]
        root = f"{top}.internal" if module == f"{top}.internal" else top
        if level > depth:
            yield f"line {line}: relative import beyond the package"
        if level or top not in PACKAGES:
            continue
        if top == package:
            yield f"line {line}: absolute import of {module} inside {package}"
        elif top not in ALLOWED[package]:
            yield f"line {line}: {package} must not import {top}"
        elif module != root:
            yield f"line {line}: {module} is not the root of {top}, nor its internal one"
        else:
            known = public_names(top, module == root != top)
            yield from (
                f"line {line}: {root}.{name} is not public" for name in names if name not in known
            )


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_leftwards_and_through_package_roots(package):
    assert [
        f"{p.name}, {wrong}"
        for p, tree in TREES[package].items()
        for wrong in wrong_imports(package, tree, len(p.relative_to(ROOT).parts) - 1)
    ] == []


@pytest.mark.parametrize(
    ("package", "source", "complaint"),
    [
        ("constructions", "import training", "must not import training"),
        (
            "constructions",
            "def f():\n    from analysis.comparison.report import g",
            "must not import analysis",
        ),
        ("constructions", "from constructions.linear.matrix import Dense", "absolute import"),
        ("constructions", "from ..training import x", "beyond the package"),
        ("training", "from analysis import report", "must not import analysis"),
        ("training", "from constructions.linear.matrix import Dense", "not the root"),
        ("training", "from constructions import product", "constructions.product is not public"),
        ("training", "from constructions.internal import f_S", "internal.f_S is not public"),
        ("analysis", "import constructions.networks.network", "not the root"),
    ],
)
def test_wrong_imports_are_found(package, source, complaint):
    (found,) = wrong_imports(package, ast.parse(source))
    assert complaint in found


def test_right_imports_are_not():
    for package, source in (
        ("training", "from constructions import Ball"),
        ("training", "from constructions.internal import as_tensor"),
        ("analysis", "import training"),
        ("analysis", "from .a import b"),
    ):
        assert not list(wrong_imports(package, ast.parse(source)))


# -- floors ----------------------------------------------------------------------------------------


def module_of(path):
    """A file's name from its package's root on: ("networks", "network"), and () for the root
    itself.
    """
    parts = path.relative_to(ROOT).with_suffix("").parts[1:]
    return parts[:-1] if parts[-1] == "__init__" else parts


def folder_of(module):
    return module[0] if len(module) > 1 else "the root"


def arrows(package):
    """(from, to) of every import inside a package, also of those inside functions and for types
    only.
    """
    known = {module_of(path) for path in TREES[package]}
    for path, tree in TREES[package].items():
        own = module_of(path)
        folder = own if path.stem == "__init__" else own[:-1]
        for _, module, names, level in imports(tree):
            if level:
                base = (*folder[: len(folder) - level + 1], *filter(None, module.split(".")))
                yield from (
                    (own, (*base, name) if (*base, name) in known else base) for name in names
                )


def upward(package, edges):
    """The arrows from one folder to another that does not lie below it."""
    height = {name: i for i, floor in enumerate(FLOORS[package]) for name in floor.split()} | {
        "the root": len(FLOORS[package])
    }
    pairs = ((a, b) for a, b in edges if folder_of(a) != folder_of(b))
    return sorted(
        {
            f"{'.'.join(a)} -> {'.'.join(b)}"
            for a, b in pairs
            if height[folder_of(b)] >= height[folder_of(a)]
        }
    )


def circles(edges):
    """Sets of nodes that reach each other."""
    graph = networkx.DiGraph((a, b) for a, b in edges if a != b)
    return [sorted(part) for part in networkx.strongly_connected_components(graph) if len(part) > 1]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_down_the_floors_and_in_no_circle(package):
    edges = list(arrows(package))
    assert upward(package, edges) == []
    assert circles(edges) == []
    assert circles((folder_of(a), folder_of(b)) for a, b in edges) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_has_a_floor_a_purpose_and_room(package):
    inits = {path: tree for path, tree in TREES[package].items() if path.name == "__init__.py"}
    folders = {
        path.parent.name: tree for path, tree in inits.items() if path.parent != ROOT / package
    }
    assert set(folders) == set(" ".join(FLOORS[package]).split())
    for name, tree in folders.items():
        assert len(ast.get_docstring(tree).splitlines()) == 3  # what it is for, and one word more
        assert 1 < len(list((ROOT / package / name).glob("*.py"))) <= 15
    lone = {path.name for path in (ROOT / package).glob("*.py")}
    assert lone <= {"__init__.py", "__main__.py", "internal.py"}


def test_the_drawing_of_the_floors_is_of_today():
    with Image.open(ROOT / "docs" / "floors.png") as image:  # else: python docs/floors.py
        assert image.info["Description"] == floors.described()
    assert floors.floors() == FLOORS


def test_the_map_of_questions_names_what_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| Where")]
    named = [name for row in rows for name in re.findall(r"`([\w./]+/[\w./]*)`", row)]
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []
    (row,) = (line for line in text.splitlines() if line.startswith("| What may `constructions/"))
    below = set(re.findall(r"`(\w+)/`", row))
    floor = [set(names.split()) for names in FLOORS["constructions"]].index({"networks"})
    assert below == set(" ".join(FLOORS["constructions"][:floor]).split())


def test_upward_imports_and_circles_are_found():
    matrix, network = ("linear", "matrix"), ("networks", "network")
    up, back, beside = (matrix, network), (network, matrix), (matrix, ("nearness", "separation"))
    down = (("regions", "search"), ("basics", "floats"))
    assert upward("constructions", [up, down, beside]) == [
        "linear.matrix -> nearness.separation",
        "linear.matrix -> networks.network",
    ]
    assert circles([up, down, back]) == [[matrix, network]]
    assert circles([up, down]) == []


# -- docstrings ------------------------------------------------------------------------------------

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def classes(package):
    return {
        node.name: node
        for tree in TREES[package].values()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


def lineage(node, known):
    """A class and its bases that are defined in the same package."""
    yield node
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in known:
            yield from lineage(known[base.id], known)


def documented(method, node, known):
    """A method has a docstring, or one of its class's bases documents it, or a class docstring
    speaks of `method`.
    """
    for ancestor in lineage(node, known):
        if f"`{method}`" in (ast.get_docstring(ancestor) or ""):
            return True
        for child in ancestor.body:
            if isinstance(child, DEFINITIONS) and child.name == method and ast.get_docstring(child):
                return True
    return False


STANDALONE = {
    "check_balls.py",
    "check_certificate.py",
    "check_boxes.py",
    "check_curves.py",
    "check_facts.py",
    "check_memorization.py",
    "check_trees.py",
    "check_verified.py",
}
"""Programs kept short enough to be read whole: a comment on the line of a definition is its
docstring.
"""


def undocumented(package):
    known = classes(package)
    for path, tree in TREES[package].items():
        if not ast.get_docstring(tree):
            yield f"module {package}/{path.name}"
        if path.name in STANDALONE:
            lines = path.read_text().splitlines()
            named = (
                n
                for n in ast.walk(tree)
                if isinstance(n, DEFINITIONS) and not n.name.startswith("_")
            )
            yield from (
                f"{package}/{path.name}: {n.name}"
                for n in named
                if "  # " not in lines[n.lineno - 1]
            )
            continue
        for node in tree.body:
            if not isinstance(node, DEFINITIONS) or node.name.startswith("_"):
                continue
            if not ast.get_docstring(node):
                yield f"{package}/{path.name}: {node.name}"
            for child in node.body if isinstance(node, ast.ClassDef) else ():
                if (
                    isinstance(child, DEFINITIONS)
                    and not child.name.startswith("_")
                    and not documented(child.name, node, known)
                ):
                    yield f"{package}/{path.name}: {node.name}.{child.name}"


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_have_docstrings(package):
    assert list(undocumented(package)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_all_names_what_is_there(package):
    """A root loads nothing but names when they are used: those that its stub imports, and lists."""
    root, stub = (TREES[package][ROOT / package / f"__init__.{end}"] for end in ("py", "pyi"))
    assert {module for _, module, _, level in imports(root) if not level} == {
        "lazy_loader",
        "warnings",
        *(["cgro"] if ALLOWED[package] else []),  # looks whether those below are cgro's
    }
    found = [name for _, _, names, level in imports(stub) for name in names if level == 1]
    assert sorted(found) == sorted(public_names(package))
    assert set(found) == set(importlib.import_module(package).__all__)


@pytest.mark.parametrize(
    ("package", "old", "new"),
    [
        ("constructions", "write_file", "constructions.internal.write_file"),
        ("constructions", "Settings", "constructions.internal.Settings"),
        ("training", "measuring", "training.internal.measuring"),
        ("training", "margin", "training.output_margin"),
        ("training", "Progress", "training.TrainingProgress"),
        ("analysis", "margin", "analysis.boundary_distance"),
    ],
)
def test_old_names_work_for_one_release_and_name_the_new_one(package, old, new):
    root = importlib.import_module(package)
    with pytest.warns(DeprecationWarning, match=f"{package}.{old} is {new} now"):
        found = getattr(root, old)
    module, name = new.rsplit(".", 1)
    assert found is getattr(importlib.import_module(module), name)
    assert old not in dir(root)


def test_public_constructions_have_examples():
    """A function or class of constructions.__all__ shows how it is used (its class docstring or a
    method's will do).
    """
    found = {}
    for tree in TREES["constructions"].values():
        for node in tree.body:
            if isinstance(node, DEFINITIONS):
                members = [node, *(child for child in node.body if isinstance(child, DEFINITIONS))]
                found[node.name] = any(
                    ">>>" in (ast.get_docstring(member) or "") for member in members
                )
    named = public_names("constructions") & set(found) - RESULTS
    assert sorted(name for name in named if not found[name]) == []


SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Cost", "Source", "Example")
"""Sections of a public name's docstring, in order; each only where there is something to say."""


BARE = ("int", "float", "Fraction", "PerPoint", "BatchOutputs")
"""What functions return that says no kind: numbers, one or one a point, to compute with."""


def sections(docstring):
    """From a section's name to its lines, in the order of the docstring."""
    found, lines = {}, []
    for line in docstring.splitlines():
        name, colon, rest = line.partition(":")
        if colon and name in SECTIONS:
            lines = found[name] = [rest]
        else:
            lines.append(line)
    return found


def entries(lines):
    """The names that a section's entries begin with."""
    return {
        line.strip().split(":")[0]
        for line in lines
        if line.startswith("    ") and line[4] != " " and ":" in line
    }


def parameters(node):
    """What a call takes, as Args names it."""
    a = node.args
    first = [arg.arg for arg in (*a.posonlyargs, *a.args)]
    starred = [mark + arg.arg for mark, arg in (("*", a.vararg), ("**", a.kwarg)) if arg]
    return {*first, *(arg.arg for arg in a.kwonlyargs), *starred} - {"self", "cls"}


def fields(node):
    """The attributes of a dataclass or named tuple; none of other classes."""
    names = {ast.unparse(part).split("(")[0] for part in (*node.decorator_list, *node.bases)}
    return {
        child.target.id
        for child in node.body
        if isinstance(child, ast.AnnAssign)
        and names & {"dataclass", "NamedTuple"}
        and not child.target.id.startswith("_")
    }


def faults(node):
    """What the docstrings of a function, or of a class and its methods, lack of the form."""
    docstring, section, wanted = ast.get_docstring(node), "Args", set()
    if docstring is None:
        return  # a method whose base class speaks
    if isinstance(node, ast.ClassDef):
        methods = [child for child in node.body if isinstance(child, ast.FunctionDef)]
        wanted = {name for m in methods if m.name == "__init__" for name in parameters(m)}
        if fields(node):
            section, wanted = "Attributes", fields(node)
        for method in methods:
            if not method.name.startswith("_") or method.name == "__call__":
                yield from (f"{node.name}.{fault}" for fault in faults(method))
    else:
        wanted = parameters(node)
    first, *rest = docstring.splitlines()
    found = sections(docstring)
    width = node.body[0].col_offset + len('"""' + first)
    if width > 100 or not first.endswith(".") or (rest and rest[0]):
        yield f"{node.name}: one line of at most 100 characters, with a period, and an empty one"
    if list(found) != [name for name in SECTIONS if name in found]:
        yield f"{node.name}: sections in the order {', '.join(SECTIONS)}"
    if missing := wanted - entries(found.get(section, [])):
        yield f"{node.name}: {section} must name {', '.join(sorted(missing))}"
    if any(lines[0] for name, lines in found.items() if name not in ("Cost", "Source")):
        yield f"{node.name}: Args and the like stand alone on their line"
    bare = not isinstance(node, ast.ClassDef) and ast.unparse(node.returns or node) in BARE
    if bare and first.startswith("Bound ") and "er bound" not in "".join(found.get("Returns", [])):
        yield f"{node.name}: Returns must say upper or lower bound, as a bare number does not"
    if ">>>" in docstring.replace("\n".join(found.get("Example", [])), ""):
        yield f"{node.name}: examples stand under Example"


def unformed(package):
    """The faults of all public names."""
    for path, tree in TREES[package].items():
        for node in tree.body:
            if isinstance(node, DEFINITIONS) and node.name in public_names(package):
                yield from (f"{path.relative_to(ROOT)}: {fault}" for fault in faults(node))


@pytest.mark.parametrize("package", PACKAGES)
def test_public_docstrings_have_one_form(package):
    assert list(unformed(package)) == []


@pytest.mark.parametrize(
    ("docstring", "fault"),
    [
        ("Add x and\ny.\n\nArgs:\n    x: one.\n    y: two.", "one line"),
        ("Add x and y\n\nArgs:\n    x: one.\n    y: two.", "a period"),
        ("Add.\n\nReturns:\n    z.\n\nArgs:\n    x: one.\n    y: two.", "in the order"),
        ("Add.\n\nArgs:\n    x: one.\n    y: two.\n\nReturns: z.", "stand alone"),
        ("Add.\n\nArgs:\n    x: one.", "must name y"),
        ("Add.\n\nx: one. y: two.", "must name x, y"),
        ("Add.\n\nArgs:\n    x: one.\n    y: two.\n\n>>> 1", "under Example"),
    ],
)
def test_wrong_forms_are_found(docstring, fault):
    source = f"def f(x, y):\n    '''{docstring.replace(chr(10), chr(10) + '    ')}\n    '''"
    (found,) = faults(ast.parse(source).body[0])
    assert fault in found


def test_bounds_that_are_bare_numbers_say_their_direction():
    form = "def f() -> PerPoint:\n    '''Bound x.\n\n    Returns:\n        {}\n    '''"
    (found,) = faults(ast.parse(form.format("A number.")).body[0])
    assert "upper or lower bound" in found
    assert not list(faults(ast.parse(form.format("A certified upper bound.")).body[0]))


def test_right_forms_are_not():
    source = "def f(*x):\n    '''Add.\n\n    Args:\n        *x: more.\n\n    Cost: none.\n    '''"
    assert not list(faults(ast.parse(source).body[0]))
    source = (
        "@dataclass\nclass A:\n    '''A.\n\n    Attributes:\n        x: 1.\n    '''\n    x: int"
    )
    assert not list(faults(ast.parse(source).body[0]))


# -- sizes -----------------------------------------------------------------------------------------

LONG_FILE, LONG_FUNCTION = 300, 70
"""Lines (of functions: without docstring) from which on the first ones say why it is whole."""


def lines_of(node):
    """The lines of a function without its docstring."""
    words = node.body[0] if ast.get_docstring(node) is not None else None
    spoken = words.end_lineno - words.lineno + 1 if words else 0
    return node.end_lineno - node.lineno + 1 - spoken


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_long_says_why_it_is_whole(package):
    silent = []
    for path, tree in TREES[package].items():
        text = path.read_text()
        long = len(text.splitlines()) > LONG_FILE
        if long and "Whole, because" not in " ".join(ast.get_docstring(tree).split()):
            silent.append(str(path.relative_to(ROOT)))
        functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
        for node in functions:
            why = "# Whole, because" in ast.get_source_segment(text, node)
            if lines_of(node) > LONG_FUNCTION and not why:
                silent.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert silent == []


# -- packaging -------------------------------------------------------------------------------------


def test_the_wheel_holds_the_three_packages_and_their_command():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel == {"only-include": [*PACKAGES, "cgro.py"], "exclude": ["ruff.toml"]}
    assert not (ROOT / "tests" / "__init__.py").exists()
