"""The ledger on experiments: the papers' figures, and what training does, on the embedded digits.

The figures are of MNIST and CIFAR-10; `cgro report` and `cgro figure` draw them there. Here their
shape is checked where no download is needed and training takes seconds.
"""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from constructions import Ball
from training import Dataset, PatchConfig, Run, TrainingConfig, a_delta, train, train_patches

from ..behaviour.errors import clean_error
from ..behaviour.flatness import FlatnessProfile, flatness_profile
from ..theory.constrained import errors_by_margin, proved_balls
from ..theory.feature_learning import phases
from .claims import Check, at_least, at_most, claim, equal, not_testable

DELTA, EPOCHS = 0.1, 30
RADII = (0.025, 0.05, 0.1, 0.2)
SETTING = (
    f"digits (D = 64), N = 400, l_inf, delta = {DELTA}; PGD-5, {EPOCHS} epochs, two hidden layers "
    "of 128"
)


@functools.cache
def trained(radius: float = DELTA, width: int = 128) -> tuple[Run, dict[int, nn.Module], Dataset]:
    """A run of some seconds, its networks of three epochs, its data. radius 0: without attacks."""
    config = TrainingConfig(
        data="digits",
        task="classes",
        train_points=400,
        hidden=(width, width),
        epochs=EPOCHS,
        radius=radius,
        attack="pgd5",
        eval_attack="pgd10",
        final_attack="pgd10",
        device="cpu",
    )
    with tempfile.TemporaryDirectory() as folder:
        run = train(config, Path(folder) / "run")
        return run, {epoch: run.model(epoch) for epoch in (5, 10, EPOCHS)}, run.dataset()


@functools.cache
def profile(epoch: int, part: str, radius: float = DELTA) -> FlatnessProfile:
    """Gradients and loss changes over `RADII` of the network trained with a radius, around 200
    points.
    """
    _, models, data = trained(radius)
    points, labels = (getattr(data, f"{part}_{kind}")[:200] for kind in ("points", "labels"))
    return flatness_profile(models[epoch], points, labels, Ball(math.inf, DELTA), RADII, steps=12)


def gradient(epoch: int, part: str, size: float = DELTA, radius: float = DELTA) -> float:
    """The mean of the largest gradient norms found in balls of a size."""
    return profile(epoch, part, radius).mean("gradient")[RADII.index(size)].value


def memorizes() -> Iterator[Check]:
    """Rises beyond the training radius, beside those of a network trained without attacks."""
    rise, change = {}, {}
    for radius, name in ((DELTA, "adversarial"), (0.0, "clean")):
        found = profile(EPOCHS, "train", radius)
        gradients, changes = (
            [m.value for m in found.mean(curve)] for curve in ("gradient", "change")
        )
        rise[name], change[name] = (
            values[RADII.index(2 * DELTA)] / values[RADII.index(DELTA)]
            for values in (gradients, changes)
        )
    within = gradient(EPOCHS, "train") / gradient(EPOCHS, "train", radius=0.0)
    yield at_most(
        "gradient norm within delta, adversarial over clean training", within, 0.25, "estimate"
    )
    ratio = rise["adversarial"] / rise["clean"]
    yield at_least(
        "its rise from delta to 2 delta, adversarial over clean training", ratio, 2, "estimate"
    )
    yield at_least(
        "rise of the loss change, likewise",
        change["adversarial"] / change["clean"],
        1.5,
        "estimate",
    )


def flattens() -> Iterator[Check]:
    """Gradient norms within the training radius over epochs."""
    for size in (0.025, 0.05, DELTA):
        fall = gradient(EPOCHS, "train", size) / gradient(10, "train", size)
        yield at_most(
            f"training points, radius {size}: gradient norm, epoch {EPOCHS} over epoch 10",
            fall,
            0.8,
            "estimate",
        )
    late = (
        gradient(EPOCHS, "test")
        / gradient(EPOCHS, "train")
        / (gradient(10, "test") / gradient(10, "train"))
    )
    yield at_least(
        f"test over training points, radius {DELTA}: epoch {EPOCHS} over epoch 10",
        late,
        1.1,
        "estimate",
    )


PEAK = "after a peak at about epoch 10: from epoch 5 on it first rises"

claim(
    "cgrm-figure-1",
    "robust memorization: the loss is flat within the training radius, and sharp outside",
    "empirical only",
    "on MNIST and CIFAR-10: docs/guide/report.md",
    on=SETTING,
)(memorizes)
claim(
    "cgrm-figure-2",
    "learning process: within the training radius the gradient norm at training data falls over "
    "epochs",
    "empirical only",
    f"{PEAK}; on MNIST and CIFAR-10: docs/guide/report.md",
    on=SETTING,
)(flattens)


@claim(
    "cgro-figure-2",
    "robust memorization (a to d), and the learning process (e to h): the gradient norm at "
    "training data falls over epochs",
    "empirical only",
    f"{PEAK}; on MNIST and CIFAR-10: docs/guide/report.md",
    on=SETTING,
    also=["li-figure-3"],
)
def both() -> Iterator[Check]:
    """As the two figures of the earlier version."""
    yield from memorizes()
    yield from flattens()


@claim(
    "cgrm-figure-3",
    "global flatness grows faster than local flatness, and the robust generalization gap with it",
    "empirical only",
    "on CIFAR-10: docs/guide/report.md",
    on=SETTING,
    also=["cgro-figure-3", "li-figure-4"],
)
def global_and_local() -> Iterator[Check]:
    """Gradient norms at test over training points, and gaps."""
    ratios = [gradient(epoch, "test") / gradient(epoch, "train") for epoch in (5, EPOCHS)]
    yield at_least(
        "global over local gradient norm, last epoch over epoch 5",
        ratios[1] / ratios[0],
        1.5,
        "estimate",
    )
    gaps = [
        line["train"]["robust_accuracy"] - line["test"]["robust_accuracy"]
        for line in trained()[0].epochs
    ]
    yield at_least(
        "robust generalization gap, last epoch minus epoch 5", gaps[-1] - gaps[4], 0.05, "estimate"
    )


@claim(
    "cgro-figure-1",
    "robust overfitting: robust training error goes on falling while robust test error does not; "
    "clean test error is low",
    "empirical only",
    "from epoch 20 on. (The figure is of Rice et al. 2020, CIFAR-10, where robust test "
    "error even rises)",
    on=SETTING,
    also=["li-figure-1"],
)
def learning_curves() -> Iterator[Check]:
    """Robust errors (PGD-10) of the last ten epochs, and gaps."""
    epochs = trained()[0].epochs
    falls = {
        part: (1 - epochs[-1][part]["robust_accuracy"]) / (1 - epochs[19][part]["robust_accuracy"])
        for part in ("train", "test")
    }
    yield at_most("robust training error, epoch 30 over epoch 20", falls["train"], 0.9, "estimate")
    yield at_least("robust test error, epoch 30 over epoch 20", falls["test"], 0.95, "estimate")
    last = epochs[-1]
    robust, clean = (
        last["train"][kind] - last["test"][kind] for kind in ("robust_accuracy", "accuracy")
    )
    yield at_least(
        "gap of robust over gap of clean errors at the end",
        robust / max(clean, 1e-3),
        2,
        "estimate",
    )


@claim(
    "li-figure-2",
    "the effect of network capacity on performance (a, b), and the feature-learning process on "
    "structured data (c)",
    "empirical only",
    "robust training accuracy rises with width (8, 128); narrow networks err more on "
    "clean points, too. On MNIST: "
    "`cgro figure capacity`",
    on=f"{SETTING}, and of 8; patch data, N = 50, d = 1000, P = 6",
)
def capacity() -> Iterator[Check]:
    """Two widths, and the order of the phases."""
    wide, narrow = (
        trained(width=width)[0].epochs[-1]["train"]["robust_accuracy"] for width in (128, 8)
    )
    rise = wide - narrow
    yield at_least("robust training accuracy, width 128 minus width 8", rise, 0.1, "estimate")
    yield equal(
        "patch data: phases in order (1: yes)",
        int(phases(train_patches(PatchConfig())).in_order),
        1,
    )


not_testable(
    "cgrm-table-1",
    "CIFAR-10: adversarial training has 100% robust train, 45.8% robust test and 87.3% clean test "
    "accuracy",
    "numbers cited from Raghunathan et al. 2019, of networks that are not published with them; "
    "Figure 1 of CGRO is the same "
    "in shape",
)


@claim(
    "cgrm-assumption-6.1",
    "the clean error on small-margin data is O(that on large-margin data)",
    "empirical only",
    "an assumption, which digits do not support: the network of A_delta (Theorem 6.2), whose "
    "robust training error is proved "
    "to be 0, errs on small-margin test points alone; 95% intervals put the ratio above 10. Small "
    "and large by f_clean's "
    "margin, attacked",
    on="digits (D = 64), odd against even, N = 400, l_inf, delta = 0.05; two hidden layers of 32",
)
def small_and_large() -> Iterator[Check]:
    """A_delta, its training error proved, its test errors by margin."""
    config = TrainingConfig(
        data="digits",
        task="parity",
        train_points=400,
        hidden=(32, 32),
        epochs=15,
        radius=0.05,
        attack="pgd5",
        eval_attack="clean",
        final_attack="pgd20x2",
        device="cpu",
    )
    with tempfile.TemporaryDirectory() as folder:
        found = a_delta(config, Path(folder) / "run")
    data = found.data.flat(torch.float64)
    proved = proved_balls(
        found.network, data.train_points, data.train_labels, config.ball, found.small
    )
    yield equal(
        "A_delta: training balls not proved", int((~proved).sum()), 0, "certified upper bound"
    )
    errors = [
        clean_error(network, data.test_points, data.test_labels).value
        for network in (found.network, found.f_clean)
    ]
    yield at_most("its clean test error minus that of f_clean", errors[0] - errors[1], 0.01)
    small, large = errors_by_margin(
        found.network, found.f_clean, data.test_points, data.test_labels, config.ball
    )
    assert small.interval
    assert large.interval
    yield at_least(
        "error on small-margin over largest plausible error on large-margin points",
        small.interval[0] / large.interval[1],
        10,
        "estimate",
    )
