"""What commands say while they work, where there is no terminal."""

import analysis.commands.console as console
from analysis.commands.console import progress_bar, showing
from constructions import Progress


def test_without_a_terminal_a_line_says_what_is_going_on(capsys, monkeypatch):
    monkeypatch.setattr(console, "LINE_EVERY", 0.0)
    with progress_bar() as bar:
        tell = showing(bar, bar.add_task("starting", total=None))
        tell(Progress("building [a]", 3, 1200))
        bar.advance(bar.task_ids[0])
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.strip().splitlines()
    assert lines == ["0 s: building [a] 3 of 1,200", "0 s: building [a] 4 of 1,200"]
    with progress_bar(counted=False) as bar:
        showing(bar, bar.add_task("starting"))(Progress("epoch 1", 1, 2))
    assert capsys.readouterr().err.strip() == "0 s: epoch 1"


def test_short_work_says_nothing(capsys):
    with progress_bar() as bar:
        showing(bar, bar.add_task("starting"))(Progress("building", 1, 2))
    assert capsys.readouterr().err.strip() == ""
