"""What the packages and the command load before they are asked to do anything."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.certification.decision import MAX_SECONDS
from analysis.commands.cli import build_parser, main
from analysis.commands.options import given
from analysis.studies.settings import StudySettings
from training import TrainingConfig

ROOT = Path(__file__).parents[3]
HEAVY = ("torch", "numpy", "scipy", "sympy", "pydantic", "rich", "matplotlib", "networkx", "onnx")
COMMANDS = build_parser()._subparsers._group_actions[0].choices


def loaded(code, *arguments):
    """The heavy packages that a fresh interpreter has loaded after running `code`."""
    report = f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    program = f"import sys\ntry:\n    {code}\nfinally:\n    {report}"
    command = [sys.executable, "-c", program, *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stderr.strip(), run.stdout


def test_the_roots_load_nothing_until_a_name_is_used():
    assert loaded("import constructions, training, analysis")[0] == "[]"
    assert loaded("from training import TrainingConfig; import analysis")[0] == "[]"
    assert "torch" in loaded("import constructions; constructions.Ball")[0]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_loads_no_heavy_package(command):
    code = "from analysis.commands.cli import main; sys.exit(main())"
    found, text = loaded(code, *filter(None, [command]), "--help")
    assert found == "[]"
    assert text.startswith(f"usage: cgro {command}".strip())


def test_help_says_the_defaults(capsys):
    with pytest.raises(SystemExit):
        main(["certify", "--help"])
    assert f"(default: {MAX_SECONDS:g}," in capsys.readouterr().out.replace("\n", " ")
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    assert "profiled (default: 8)" in " ".join(capsys.readouterr().out.split())


def test_options_are_the_entries_of_the_settings():
    words = ["--hidden", "3", "4", "--clip", "1", "--no-stop-at-collapse", "--norm", "2"]
    options = COMMANDS["train"].parse_args(words)
    read = given(options, TrainingConfig)
    assert read == {"hidden": (3, 4), "clip": 1.0, "stop_at_collapse": False, "norm": 2.0}
    assert [type(read[name]) for name in ("clip", "norm")] == [float, float]
    assert given(COMMANDS["train"].parse_args([]), TrainingConfig) == {}
    assert given(COMMANDS["report"].parse_args(["a", "--points", "7"]), StudySettings) == {
        "points": 7
    }


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["train", "--epochs", "x"], "epochs must be a valid integer, .*, got 'x'"),
        (["train", "--hidden", "8", "x"], r"hidden\[1\] must be a valid integer, .*, got 'x'"),
        (["train", "--clip", "x"], "clip must be a valid number, .*, got 'x'"),
        (
            ["train", "--loss", "hinge"],
            "loss must be 'cross-entropy' or 'exponential', got 'hinge'",
        ),
        (["sweep", "--seed", "-1"], "seed must be greater than or equal to 0, got '-1'"),
        (["compare", "--norm", "1"], "norm must be 2 or 'inf', got '1'"),
        (["compare", "--radius", "x"], "radius must be a valid number, .*, got 'x'"),
        (["report", "a", "--points", "0"], "points must be greater than or equal to 1, got '0'"),
    ],
)
def test_wrong_words_are_named(arguments, complaint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert re.search(f"cgro {arguments[0]}: {complaint}", capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_wrong_types_in_files_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for line, rule in (
        ('epochs = "x"', "epochs must be a valid integer, got 'x'"),
        ("hidden = [[1]]", r"hidden\[0\] must be a valid integer, got \(1,\)"),
        ("loss = 3", "loss must be 'cross-entropy' or 'exponential', got 3"),
    ):
        Path("c.toml").write_text(line)
        assert main(["train", "--config", "c.toml"]) == 2
        assert re.search(f"cgro train: c.toml: {rule}", capsys.readouterr().err)


def test_a_mistake_of_the_program_is_no_bad_input(monkeypatch):
    def broken(options):
        return len(None)

    monkeypatch.setattr("analysis.commands.counting.run_count", broken)
    with pytest.raises(TypeError, match="has no len"):
        main(["count"])
