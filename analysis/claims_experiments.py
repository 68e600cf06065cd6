"""The ledger on experiments: the papers' figures, and what training does, on the embedded digits.

The figures are of MNIST and CIFAR-10; `cgro report` and `cgro figure` draw them there. Here their shape is checked where no
download is needed and training takes seconds.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from training import Dataset, PatchConfig, Run, TrainingConfig, a_delta, train, train_patches

from .claims import Check, at_least, at_most, claim, equal, not_testable
from .constrained_errors import errors_by_margin, proved_balls
from .errors import clean_error
from .feature_learning import phases
from .flatness import FlatnessProfile, flatness_profile

DELTA, EPOCHS = 0.1, 30
RADII = (0.025, 0.05, 0.1, 0.2)
SETTING = f"on digits (400 training points, two hidden layers of 128, PGD-5 at l_inf {DELTA}, {EPOCHS} epochs)"


@functools.cache
def trained() -> tuple[Run, dict[int, nn.Module], Dataset]:
    """An adversarial run of some seconds, its networks of three epochs, its data."""
    config = TrainingConfig(data="digits", task="classes", train_points=400, hidden=(128, 128), epochs=EPOCHS, radius=DELTA,
                            attack="pgd5", eval_attack="pgd10", final_attack="pgd10", device="cpu")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = train(config, Path(folder) / "run")
        return run, {epoch: run.model(epoch) for epoch in (5, 10, EPOCHS)}, run.dataset()


@functools.cache
def profile(epoch: int, part: str) -> FlatnessProfile:
    """Gradients and loss changes over radius, of 200 points."""
    run, models, data = trained()
    points, labels = (getattr(data, f"{part}_{kind}")[:200] for kind in ("points", "labels"))
    return flatness_profile(models[epoch], points, labels, run.config.ball, RADII, steps=12)


def gradient(epoch: int, part: str, radius: float = DELTA) -> float:
    """The mean of the largest gradient norms found."""
    return profile(epoch, part).mean("gradient")[RADII.index(radius)].value


@claim(
    "cgrm-figure-1",
    "robust memorization: the loss is flat within the training radius, and sharp outside",
    "empirical only",
    f"{SETTING}; on MNIST and CIFAR-10: README",
    also=["cgro-figure-2", "li-figure-3"],
)
def flat_inside() -> Iterator[Check]:
    """Gradients and loss changes at half, once and twice the training radius."""
    rise = gradient(EPOCHS, "train", 2 * DELTA) / gradient(EPOCHS, "train")
    yield at_least("gradient norm at twice the training radius over that within it", rise, 1.5, "estimate")
    change = [value.value for value in profile(EPOCHS, "train").mean("change")]
    yield at_least("loss change at twice the training radius over that within it", change[3] / change[2], 3, "estimate")


@claim(
    "cgrm-figure-2",
    "learning process: within the training radius the gradient norm at training data falls over epochs",
    "empirical only",
    f"{SETTING}, from epoch 10 on, when the network has left chance; on MNIST and CIFAR-10: README",
)
def flatter_with_epochs() -> Iterator[Check]:
    """Gradient norms within the radius, at training and test points."""
    for radius in (0.025, 0.05):
        fall = gradient(EPOCHS, "train", radius) / gradient(10, "train", radius)
        yield at_most(f"gradient norm at radius {radius}, epoch {EPOCHS} over epoch 10, training points", fall, 1, "estimate")


@claim(
    "cgrm-figure-3",
    "global flatness grows faster than local flatness, and the robust generalization gap with it",
    "empirical only",
    f"{SETTING}; on CIFAR-10: README",
    also=["cgro-figure-3", "li-figure-4"],
)
def global_and_local() -> Iterator[Check]:
    """Gradient norms at test over training points, and gaps."""
    ratios = [gradient(epoch, "test") / gradient(epoch, "train") for epoch in (5, EPOCHS)]
    yield at_least("global over local gradient norm, last epoch over epoch 5", ratios[1] / ratios[0], 1.05, "estimate")
    run, _, _ = trained()
    gaps = [line["train"]["robust_accuracy"] - line["test"]["robust_accuracy"] for line in run.epochs]
    yield at_least("robust generalization gap, last epoch minus epoch 5", gaps[-1] - gaps[4], 0.02, "estimate")


@claim(
    "cgro-figure-1",
    "robust overfitting: robust training error goes on falling, robust test error does not, clean test error is low",
    "empirical only",
    f"{SETTING}: the gap of robust errors is many times that of clean errors. (The figure is of Rice et al. 2020, CIFAR-10)",
    also=["li-figure-1"],
)
def learning_curves() -> Iterator[Check]:
    """Errors at the end."""
    run, _, _ = trained()
    last = run.epochs[-1]
    clean = last["train"]["accuracy"] - last["test"]["accuracy"]
    robust = last["train"]["robust_accuracy"] - last["test"]["robust_accuracy"]
    yield at_least("gap of robust errors (PGD-10)", robust, 0.08, "estimate")
    yield at_least("gap of robust over gap of clean errors", robust / max(clean, 1e-3), 2, "estimate")


@claim(
    "li-figure-2",
    "capacity: wider networks have lower robust training error, at much the same clean test error; and the feature-learning "
    "process",
    "empirical only",
    "on digits, hidden layers of 8 and 128; patch data for the process; on MNIST: `cgro figure capacity`",
)
def capacity() -> Iterator[Check]:
    """Two widths, and the order of the phases."""
    found = {}
    for width in (8, 128):
        with tempfile.TemporaryDirectory() as folder:
            final = train(replace(trained()[0].config, hidden=(width, width)), Path(folder) / "run").final
        assert final is not None
        found[width] = final["train_sample"]["robust_accuracy"]
    yield at_least("robust training accuracy, width 128 minus width 8", found[128] - found[8], 0.1, "estimate")
    yield equal("patch data: phases in order (1: yes)", int(phases(train_patches(PatchConfig())).in_order), 1)


not_testable(
    "cgrm-table-1",
    "CIFAR-10: adversarial training has 100% robust train, 45.8% robust test and 87.3% clean test accuracy",
    "numbers cited from Raghunathan et al. 2019, of networks that are not published with them; Figure 1 of CGRO is the same "
    "in shape",
)


@claim(
    "cgrm-assumption-6.1",
    "the clean error on small-margin data is O(that on large-margin data)",
    "empirical only",
    "an assumption, which digits do not support: the network of A_delta (Theorem 6.2), whose robust training error is proved "
    "to be 0, errs on small-margin test points alone; 95% intervals put the ratio above 10. Small and large by f_clean's "
    "margin, attacked",
)
def small_and_large() -> Iterator[Check]:
    """A_delta, its training error proved, its test errors by margin."""
    config = TrainingConfig(data="digits", task="parity", train_points=400, hidden=(32, 32), epochs=15, radius=0.05,
                            attack="pgd5", eval_attack="clean", final_attack="pgd20x2", device="cpu")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        found = a_delta(config, Path(folder) / "run")
    data = found.data.flat(torch.float64)
    proved = proved_balls(found.network, data.train_points, data.train_labels, config.ball, found.small)
    yield equal("A_delta: training balls not proved", int((~proved).sum()), 0, "certified upper bound")
    errors = [clean_error(network, data.test_points, data.test_labels).value for network in (found.network, found.f_clean)]
    yield at_most("its clean test error minus that of f_clean", errors[0] - errors[1], 0.01)
    small, large = errors_by_margin(found.network, found.f_clean, data.test_points, data.test_labels, config.ball)
    assert small.interval
    assert large.interval
    yield at_least(
        "error on small-margin over largest plausible error on large-margin points",
        small.interval[0] / large.interval[1],
        10,
        "estimate",
    )
