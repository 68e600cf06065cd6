"""benchmarks/gpu.py: all of its stages run, at toy size, on a CPU; failures are recorded."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location(
    "gpu", Path(__file__).parents[1] / "benchmarks" / "gpu.py"
)
gpu = importlib.util.module_from_spec(SPEC)
sys.modules["gpu"] = gpu  # where dataclasses look for it
SPEC.loader.exec_module(gpu)


@pytest.mark.slow
def test_a_dry_run_runs_all_stages(tmp_path, capsys):
    command = ["--dry-run", "--out", str(tmp_path)]
    assert gpu.main(command) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "no figure of a GPU" in first["machine"]["figures"]
    assert list(first["stages"]) == [stage.__name__ for stage in gpu.STAGES]
    assert all(found["rows"] and not found["error"] for found in first["stages"].values())
    assert len(first["stages"]["training"]["rows"]) == 6
    assert gpu.main(command) == 0  # what is kept is not measured again
    second = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert second["machine"] == first["machine"]
    for name, found in second["stages"].items():
        assert found == first["stages"][name] | {"kept": True}


def test_a_stage_that_fails_is_recorded_and_the_rest_go_on(tmp_path, capsys, monkeypatch):
    calls = []

    def fails(bench):
        calls.append("fails")
        raise OSError("the disk is full")

    def works(bench):
        calls.append("works")
        return [{"what": "one", "seconds": 1.0}]

    monkeypatch.setattr(gpu, "STAGES", (fails, works))
    command = ["--dry-run", "--out", str(tmp_path)]
    for _ in range(2):
        assert gpu.main(command) == 1
        found = json.loads(capsys.readouterr().out.splitlines()[-1])["stages"]
        assert found["fails"]["error"] == "OSError: the disk is full"
        assert not found["works"]["error"]
    assert calls == ["fails", "works", "fails"]


def test_without_a_gpu_it_says_what_to_do(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(gpu.torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit):
        gpu.main(["--out", str(tmp_path)])
    assert "--dry-run runs every stage on the CPU" in capsys.readouterr().err
