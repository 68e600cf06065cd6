"""What a study is asked: its settings, and the names of its figures, with what the papers say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Lt

from constructions.internal import Settings, setting

Count = Annotated[int, Ge(1)]


@dataclass(frozen=True)
class StudySettings(Settings):
    """How much is measured; the help of `cgro report` says what each entry is.

    The points are the same for all models; of the checkpoints, the first and the last are always
    profiled.

    Attributes:
        points: training and test points measured.
        steps: of the searches.
        epochs: checkpoints that are profiled.
        memorized: training points that f_S is built on; None for all.
        certify_seconds: how long, for each of training and test points of a run, the balls are
            decided that attack and linear bounds leave; 0: none is.
        planes: planes through three training points of a run on which components and holes of
            class regions are counted; 0: none.
        seed: of the points, planes and searches.

    Raises:
        ValueError: that names the entry, the rule and the value.
        TypeError: likewise.

    Example:
        >>> StudySettings(points=0)
        Traceback (most recent call last):
        ...
        ValueError: points must be greater than or equal to 1, got 0
    """

    points: Count = setting(256, "training and test points measured")
    steps: Count = setting(20, "steps of the searches")
    epochs: Count = setting(8, "checkpoints that are profiled")
    memorized: int | None = setting(None, "training points that f_S is built on (default: all)")
    certify_seconds: Annotated[float, Ge(0), Lt(math.inf)] = setting(
        15.0,
        "seconds to decide, for each of training and test points of a run, which balls hold an "
        "error; 0: attacks alone",
    )
    planes: Annotated[int, Ge(0)] = setting(
        2,
        "planes through three training points on which components and holes of class regions are "
        "counted; 0: none",
    )
    seed: Annotated[int, Ge(0)] = setting(0, "of the points, planes and searches")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.memorized is not None and self.memorized < self.points:
            raise ValueError(
                f"memorized must be at least points = {self.points}, got {self.memorized}"
            )


PAPERS = {
    "learning-curves": (
        "The papers (CGRO, Figure 1, after Rice et al. 2020) show CIFAR-10: robust test error "
        "stops falling and rises again while robust training error and clean test error go on "
        "falling."
    ),
    "capacity": (
        "The papers (CGRO, third version, Figure 2 a and b; caption alone) show the effect of "
        "network capacity on the performance, on MNIST and CIFAR-10."
    ),
    "feature-learning": (
        "The papers (CGRO, third version, Figure 2 c; caption alone) show the feature learning "
        "process of the two-layer convolutional network on structured data."
    ),
    "robust-memorization": (
        "The papers (CGRM, Figure 1; CGRO, Figure 2 a to d) find the loss flat within the training "
        "radius and very sharp outside."
    ),
    "learning-process": (
        "The papers (CGRM, Figure 2; CGRO, Figure 2 e to h) find that the curve around training "
        "points falls within the training radius over the epochs; around test points it does so on "
        "MNIST and rises on CIFAR-10."
    ),
    "flatness": (
        "The papers (CGRM and CGRO, Figure 3 left) find that global flatness, the mean around test "
        "points, grows much faster than local flatness, around training points, on CIFAR-10."
    ),
    "gap": (
        "The papers (CGRM and CGRO, Figure 3 right) find the robust generalization gap to grow "
        "with global flatness, on CIFAR-10."
    ),
}
"""What the papers say of the figures that these follow."""

MEASURED_IN_TRAINING = {"learning-curves", "capacity"}
"""Figures of what the runs measured themselves."""

FIGURES = (*PAPERS, "islands", "margins", "radial", "lower-bound", "robustness-cost")
"""All names of figures: those of the papers, components and holes of class regions, histograms of
distances to the boundary, margins along rays, sizes over D and over the radius.
"""
