"""Statements that are false do not compile; what is left out or assumed is found."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROOFS = Path(__file__).parents[2] / "proofs"
FILES = sorted([*PROOFS.glob("*.v"), *PROOFS.glob("checker/*.v")])
built = pytest.mark.skipif(
    not (PROOFS / "Counts.vo").is_file() or shutil.which("coqc") is None,
    reason="the theorems are not compiled (make proofs)",
)


def compiled(folder, name, text):
    """What coqc says of a file with this text in place of its own, before all that is compiled."""
    (folder / f"{name}.v").write_text(text)
    return subprocess.run(
        ["coqc", "-Q", PROOFS, "CGRO", "-Q", ".", "Changed", f"{name}.v"],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_the_readme_names_every_file():
    text = (PROOFS / "README.md").read_text()
    assert [file.name for file in FILES if file.name not in text] == []


FALSE = {  # (file, what stands there, what is false)
    "a weight": (
        "Squaring",
        "[([2; -4], 0); ([2; -4], - (1 / 2))",
        "[([2; -3], 0); ([2; -4], - (1 / 2))",
    ),
    "a threshold": ("Squaring", "[([1], 0); ([1], - (1 / 2))]", "[([1], 0); ([1], - (1 / 3))]"),
    "an error": ("Squaring", "<= / 4 ^ (m + 1).", "<= / 4 ^ (m + 2)."),
    "a count": (
        "Counts",
        "params (squaring m) = (7 * m - 2)%nat",
        "params (squaring m) = (7 * m - 3)%nat",
    ),
}


@built
@pytest.mark.slow
@pytest.mark.parametrize("what", FALSE)
def test_what_is_false_does_not_compile(what, tmp_path):
    name, right, wrong = FALSE[what]
    text = (PROOFS / f"{name}.v").read_text()
    assert right in text
    done = compiled(tmp_path, name, text.replace(right, wrong, 1))
    assert done.returncode != 0
    assert re.search("Error:", done.stderr)


@built
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({name for name, _, _ in FALSE.values()}))
def test_what_stands_there_compiles(name, tmp_path):
    done = compiled(tmp_path, name, (PROOFS / f"{name}.v").read_text())
    assert done.returncode == 0, done.stderr


def test_nothing_is_left_out_or_assumed():
    assert len(FILES) >= 16
    for path in FILES:
        text = path.read_text()
        assert not re.search("Admitted|admit|Axiom|Parameter|Conjecture", text), path.name
        opened = len(re.findall(r"^Section ", text, re.M))
        outside = re.split(r"^Section .*?^End \w+\.", text, flags=re.M | re.S)
        assert opened == 0 or len(outside) > 1
        for part in outside:
            assert not re.search(r"^(Variables?|Hypothes[ie]s|Context)\b", part, re.M), path.name
