"""Progress is told in one form; callbacks of former forms still hear it, with a warning."""

import pytest
import torch

import analysis
import training
from constructions import Ball, Engine, Progress, affine, count_regions, count_table, squaring
from constructions.basics.engine import run_shards
from constructions.basics.progress import stepping

POINTS, LABELS = torch.tensor([[0.5, 0.25], [0.25, 0.75]]), torch.tensor([1, -1])
BALL = Ball("inf", 0.25)
PATCHES = training.PatchConfig(d=20, N=2, P=3, m=2, steps=4, test_points=4)


def test_steps_are_counted():
    told = []
    step = stepping(told.append, "walking", 2)
    step(), step()
    assert told == [Progress("walking", 1, 2), Progress("walking", 2, 2)]


@pytest.mark.parametrize(
    "call",
    [
        lambda **how: count_table([4], [8], variants=["lean"], hidden=(2,), **how),
        lambda **how: training.pgd(
            affine([[1.0, -1.0]]),
            POINTS,
            LABELS,
            BALL,
            lambda f, y: -y * f[:, 0],
            steps=3,
            restarts=2,
            **how,
        ),
        lambda **how: training.Attack.parse("pgd2")(
            affine([[1.0, -1.0]]), POINTS, LABELS, BALL, early_stop=False, **how
        ),
        lambda **how: analysis.flatness_profile(
            affine([[1.0, -1.0]]), POINTS, LABELS, BALL, [0.0, 0.125], steps=2, batch_size=1, **how
        ),
        lambda **how: analysis.robust_error(
            affine([[1.0, -1.0]]), POINTS, LABELS, BALL, steps=2, **how
        ),
    ],
)
def test_what_was_called_without_arguments_still_is(call):
    told, ticks = [], []
    call(report=told.append)
    assert [p.done for p in told] == list(range(1, told[-1].total + 1))
    with pytest.warns(DeprecationWarning, match="with report for progress"):
        call(progress=lambda: ticks.append(1))
    assert len(ticks) == len(told) > 1


@pytest.mark.parametrize(
    "call",
    [
        lambda **how: count_regions(squaring(3), (0, 1), **how),
        lambda **how: training.train_patches(PATCHES, **how),
    ],
)
def test_what_was_called_with_numbers_still_is(call):
    told, ticks = [], []
    call(report=told.append)
    with pytest.warns(DeprecationWarning, match="with report for progress"):
        call(progress=lambda done, total: ticks.append((done, total)))
    assert ticks == [(p.done, p.total) for p in told]
    assert ticks


def test_engines_tell_former_callbacks_too():
    told, ticks = [], []
    assert run_shards(abs, 2, "sizes", Engine(report=told.append)) == [0, 1]
    with pytest.warns(DeprecationWarning, match="report is called with one Progress") as caught:
        engine = Engine(report=lambda done, total: ticks.append((done, total)))
    assert caught[0].filename == __file__
    run_shards(abs, 2, "sizes", engine)
    assert told == [Progress("sizes", *counts) for counts in ticks]
    with pytest.raises(TypeError, match="report must be callable with a Progress, got 3"):
        Engine(report=3)


def test_results_that_were_told_still_are(tmp_path):
    outcomes, trials = [], []
    with pytest.warns(DeprecationWarning, match="with report for progress"):
        found = analysis.verify(["cgrm-lemma-a.5"], progress=lambda *told: outcomes.append(told))
    assert outcomes == [(found[0], 1, 1)]
    config = training.TrainingConfig(hidden=(2,), epochs=1, final_attack="clean")
    planned = training.trials(config, tmp_path, seeds=[0])
    with pytest.warns(DeprecationWarning, match="with on_trial for report"):
        assert training.sweep(planned, report=trials.append) == trials


def test_stages_that_were_announced_still_are():
    from analysis.comparison.comparison import _announced, _announcing

    heard = []

    def announce(stage):
        heard.append(stage)
        return lambda: heard.append(stage + ".")

    stages = _announcing(_announced(announce), 3)
    for stage, ticks in (("a", 2), ("b", 1)):
        tick = stages(stage)
        for _ in range(ticks):
            tick()
    assert heard == ["a", "a.", "a.", "b", "b."]
