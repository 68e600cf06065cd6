"""The wheel alone: built from the sdist, installed into an empty environment, tested elsewhere.

    python tests/support/off_tree.py [--python EXECUTABLE] [--borrow] [PYTEST ARGUMENT ...]

Without arguments all tests run that need no repository around them. --borrow takes dependencies
from this interpreter's environment (PyTorch alone is some GB) instead of installing them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("tests", "conftest.py", "pyproject.toml", "README.md")
NEED_THE_REPOSITORY = (
    "tests/docs",
    "tests/test_architecture.py",
    "tests/test_distribution.py",
    "tests/test_peers.py",
)
"""They read sources, pages, Makefile or benchmarks."""


def build(folder: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it, without network."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, stdout=subprocess.DEVNULL)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def environment(folder: Path, wheel: Path, python: str, borrow: bool) -> Path:
    """An environment that has the wheel; returns its interpreter."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
    inside = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if borrow:
        pip += ["--python", str(inside), "install", "-q", "--no-deps", "--no-index", str(wheel)]
        subprocess.run(pip, check=True)
        packages = sysconfig.get_path("purelib", vars={"base": str(folder)})
        lines = [line for line in sys.path if line.endswith("site-packages")]  # no repository
        Path(packages, "borrowed.pth").write_text("\n".join(lines))
        return inside
    uv = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", str(inside)]
    lock = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([*uv, *lock, str(wheel)], check=True)
    return inside


def example() -> str:
    """README's lines of code, as a program."""
    lines = (ROOT / "README.md").read_text().splitlines()
    return "\n".join(line[4:] for line in lines if line[:4] in (">>> ", "... "))


def run(folder: Path, python: str, borrow: bool, arguments: list[str]) -> int:
    """Build, install and test in an empty folder; returns the exit status of the tests."""
    folder = folder.resolve()
    _, wheel = build(folder / "dist")
    inside = environment(folder / "environment", wheel, python, borrow)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}

    def call(*words: str, check: bool = True) -> int:
        return subprocess.run(words, cwd=elsewhere, env=clean, check=check).returncode

    where = "import analysis, sys; sys.exit(not analysis.__file__.startswith(sys.prefix))"
    call(str(inside), "-c", where)
    call(str(inside), "-c", example())
    call(str(inside.parent / "cgro"), "count", "--points", "2", "--dimension", "4")
    if not borrow:
        dev = [sys.executable, "-m", "uv", "pip", "install", "-q", "--python", str(inside)]
        lock = ["--constraint", str(ROOT / "constraints.txt")]
        subprocess.run([*dev, *lock, f"cgro[dev] @ {wheel.as_uri()}"], check=True)
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, elsewhere / name)
    (elsewhere / "docs").mkdir()  # for pytest's settings
    ignored = [f"--ignore={name}" for name in NEED_THE_REPOSITORY]
    tests = arguments or ["-n", "2", "-m", "not slow", "tests", "README.md"]
    return call(str(inside), "-m", "pytest", *ignored, *tests, check=False)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--borrow", action="store_true")
    options, arguments = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="off tree ") as folder:
        return run(Path(folder), options.python, options.borrow, arguments)


if __name__ == "__main__":
    sys.exit(main())
