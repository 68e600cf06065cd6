"""Tasks in processes, on ranks and on a cluster: the same results, nothing lost with a process."""

import json
import os
import signal
import time
from functools import partial

import pytest
import torch

from constructions import Engine, ProcessLostError
from constructions.internal import run_shards, run_tasks


def square(k):
    return k * k


def fail(k):
    if k == 2:
        raise ValueError("task 2 is wrong")
    return k


def die(folder, times, k):
    """Task 3 kills its process the first few times."""
    if k == 3:
        marks = len(list(folder.iterdir()))
        if marks < times:
            (folder / str(marks)).touch()
            time.sleep(0.5)  # others end meanwhile
            os.kill(os.getpid(), signal.SIGKILL)
    return k * k


@pytest.mark.parametrize("jobs", [1, 2])
def test_tasks_end_in_any_order_with_their_number(jobs):
    assert sorted(run_tasks(square, [3, 1, 2], jobs=jobs)) == [(0, 9), (1, 1), (2, 4)]
    with pytest.raises(ValueError, match="task 2 is wrong"):
        list(run_tasks(fail, range(4), jobs=jobs))


@pytest.mark.parametrize("jobs", [0, -1, 1.5, None])
def test_jobs_are_checked(jobs):
    with pytest.raises(ValueError, match="jobs must be an integer >= 1"):
        run_tasks(square, [1], jobs=jobs)


def test_a_killed_process_loses_nothing(tmp_path):
    """The shard is tried again; those that had ended are not."""
    marks, journal, seen = tmp_path / "marks", tmp_path / "journal", []
    marks.mkdir()
    engine = Engine(jobs=2, journal=journal, report=lambda told: seen.append(told.done))
    assert run_shards(partial(die, marks, 1), 8, "squares", engine) == [k * k for k in range(8)]
    assert len(list(marks.iterdir())) == 1
    assert seen == sorted(set(seen))
    kept = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
    assert sorted(kept) == [[k, k * k] for k in range(8)]


@pytest.mark.slow
def test_a_shard_that_kills_every_process_is_an_error(tmp_path):
    marks, journal = tmp_path / "marks", tmp_path / "journal"
    marks.mkdir()
    ((number, lost),) = run_tasks(os._exit, [1], jobs=2)
    assert (number, type(lost), str(lost)) == (0, ProcessLostError, "its process was killed")
    engine = Engine(jobs=2, journal=journal)
    with pytest.raises(ProcessLostError, match="of 8 shards lost their process 3 times"):
        run_shards(partial(die, marks, 99), 8, "squares", engine)
    assert len(list(marks.iterdir())) >= 3
    assert len(journal.read_text().splitlines()) > 1
    for mark in marks.iterdir():
        mark.unlink()
    assert run_shards(partial(die, marks, 0), 8, "squares", engine) == [k * k for k in range(8)]


def test_an_interrupt_keeps_the_journal(tmp_path):
    def stop(told):
        if told.done == 3:
            raise KeyboardInterrupt

    journal, seen = tmp_path / "journal", []
    with pytest.raises(KeyboardInterrupt):
        run_shards(square, 6, "squares", Engine(journal=journal, report=stop))
    engine = Engine(journal=journal, report=lambda told: seen.append(told.done))
    assert run_shards(square, 6, "squares", engine) == [0, 1, 4, 9, 16, 25]
    assert seen == [3, 4, 5, 6]
    with pytest.raises(ValueError, match="holds results of another computation"):
        run_shards(square, 6, "cubes", engine)
    with pytest.raises(ValueError, match="holds results of another computation"):
        run_shards(square, 7, "squares", engine)


def rank(number, folder):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/group", rank=number, world_size=2
    )
    found = run_shards(square, 5, "squares", Engine(address="torch", journal=folder / "journal"))
    again = run_shards(square, 5, "squares", Engine(address="torch", journal=folder / "journal"))
    assert again == found
    with pytest.raises(ValueError, match="task 2 is wrong"):  # on every rank
        run_shards(fail, 4, "failures", Engine(address="torch"))
    (folder / f"{number}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_ranks_share_the_shards_and_all_get_all_results(tmp_path):
    with pytest.raises(ValueError, match="address 'torch' needs"):
        list(run_tasks(square, [1], address="torch"))
    with pytest.raises(ValueError, match="address 'torch' needs"):
        run_shards(square, 1, "squares", Engine(address="torch"))
    torch.multiprocessing.spawn(rank, (tmp_path,), nprocs=2)
    assert [json.loads((tmp_path / f"{k}.json").read_text()) for k in range(2)] == [
        [0, 1, 4, 9, 16]
    ] * 2
    assert len((tmp_path / "journal").read_text().splitlines()) == 6


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_tasks_on_a_ray_cluster(tmp_path):
    ray = pytest.importorskip("ray")
    marks = tmp_path / "marks"
    marks.mkdir()
    try:
        assert run_shards(square, 5, "squares", Engine(address="local")) == [0, 1, 4, 9, 16]
        assert run_shards(partial(die, marks, 1), 5, "squares", Engine(address="local")) == [
            0,
            1,
            4,
            9,
            16,
        ]
        with pytest.raises(ValueError, match="task 2 is wrong"):
            list(run_tasks(fail, range(4), address="local"))
    finally:
        ray.shutdown()


def test_a_journal_cut_in_its_first_line_starts_afresh(tmp_path):
    for content in ("", '{"quest'):
        (tmp_path / "journal").write_text(content)
        assert run_shards(square, 3, "squares", Engine(journal=tmp_path / "journal")) == [0, 1, 4]
        assert len((tmp_path / "journal").read_text().splitlines()) == 4
    (tmp_path / "text").write_text("one line of somebody's, without an end")
    with pytest.raises(ValueError, match="is no journal"):
        run_shards(square, 3, "squares", Engine(journal=tmp_path / "text"))
    assert (tmp_path / "text").read_text() == "one line of somebody's, without an end"
    (tmp_path / "other").write_bytes(b"\xff\xfe\n")
    with pytest.raises(ValueError, match="is no journal"):
        run_shards(square, 3, "squares", Engine(journal=tmp_path / "other"))


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"jobs": 0}, "jobs must be an integer >= 1, got 0"),
        ({"jobs": True}, "jobs must be an integer >= 1, got True"),
        (
            {"journal": "/nowhere/file"},
            "journal must be a file in a folder that exists, got /nowhere/file",
        ),
        ({"journal": "/"}, "journal must be a file in a folder that exists, got /"),
        ({"device": "gpu"}, "device must be cpu, cuda or"),
        ({"report": None}, "report must be callable"),
    ],
)
def test_engines_are_checked_when_they_are_made(given, complaint):
    with pytest.raises((ValueError, TypeError), match=complaint):
        Engine(**given)
