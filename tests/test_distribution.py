"""What is released: the sdist and the wheel made from it, away from this repository; versions that
agree; a package that hides one of cgro's is named.
"""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import off_tree
import pytest

import cgro

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SHADOWS = ("constructions", "training", "analysis")


def test_one_version_everywhere():
    heading = re.search(r"^## (\S+) \((\d{4}-\d\d-\d\d|unreleased)\)$", changelog(), re.M)
    cited = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {PROJECT['version']}\n" in cited
    assert heading[1] == PROJECT["version"] == version("cgro")
    if heading[2] != "unreleased":
        assert f"\ndate-released: {heading[2]}\n" in cited


def changelog():
    return (ROOT / "CHANGELOG.md").read_text()


def test_all_extras_are_documented_and_locked():
    page = (ROOT / "docs" / "faq.md").read_text()
    locked = (ROOT / "constraints.txt").read_text().lower().replace("_", "-")
    for extra, packages in PROJECT["optional-dependencies"].items():
        assert f"| `{extra}` |" in page
        for package in packages:
            name = re.match(r"[\w-]+", package)[0].lower().replace("_", "-")
            assert re.search(rf"^{re.escape(name)}==", locked, re.M), package
    for package in PROJECT["dependencies"]:
        name = re.match(r"[\w-]+", package)[0].lower().replace("_", "-")
        assert re.search(rf"^{re.escape(name)}==", locked, re.M), package


# -- another package of one of the names -----------------------------------------------------------


@pytest.mark.parametrize("name", SHADOWS)
def test_the_command_names_a_package_that_hides_one_of_ours(name, tmp_path):
    done = hidden(name, tmp_path, "from cgro import main; raise SystemExit(main())")
    assert done.returncode == 2
    where = tmp_path / name / "__init__.py"
    assert done.stderr.startswith(f"cgro: the package {name} of cgro is hidden by another of this")
    assert f"{where}: rename that one" in done.stderr


@pytest.mark.parametrize(
    ("name", "imported"),
    [("constructions", "training"), ("constructions", "analysis"), ("training", "analysis")],
)
def test_so_do_imports(name, imported, tmp_path):
    done = hidden(name, tmp_path, f"import {imported}")
    assert f"ImportError: the package {name} of cgro is hidden by" in done.stderr


def test_a_package_without_a_file_is_named_by_its_folder(tmp_path, monkeypatch):
    (tmp_path / "a_folder").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=f"hidden by another of this name, {tmp_path}/a_folder:"):
        cgro.check_names("a_folder")


def hidden(name, folder, program):
    """What a program does where a package of this name comes first."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text('"""Somebody else\'s."""\n')
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    command = [sys.executable, "-c", program, "--help"]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)


# -- the wheel -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return off_tree.build(tmp_path_factory.mktemp("dist"))


@pytest.mark.slow
def test_what_is_in_the_wheel(built):
    sdist, wheel = built
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        about = archive.read(f"cgro-{PROJECT['version']}.dist-info/METADATA").decode()
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in SHADOWS
        for path in (ROOT / package).rglob("*")
        if path.suffix in (".py", ".pyi", ".typed", ".html") or path.parent.name == "configs"
    }
    assert {name for name in names if "dist-info" not in name} == {*wanted, "cgro.py"}
    assert {"analysis/py.typed", "analysis/templates/page.html"} <= names
    assert {*re.findall(r"^Provides-Extra: (\S+)$", about, re.M)} == {
        *PROJECT["optional-dependencies"]
    }
    with tarfile.open(sdist) as archive:
        tops = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert {"tests", "docs", "constraints.txt", "Makefile", "LICENSE", "CHANGELOG.md"} <= tops
    assert not tops & {".venv", ".git", ".ci", "results", "runs", "site", "build", "dist"}


@pytest.mark.slow
def test_the_wheel_alone(tmp_path):
    """README's lines, the command, and tests, with no repository around them."""
    few = [
        "tests/constructions/gadgets/test_contracts.py",
        "tests/analysis/commands/test_startup.py",
        "README.md",
    ]
    assert (
        off_tree.run(tmp_path / "off tree", sys.executable, True, ["-p", "no:cacheprovider", *few])
        == 0
    )
