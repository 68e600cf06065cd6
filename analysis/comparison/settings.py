"""What is compared, and how much of it is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

import constructions
from constructions.internal import Settings, beyond_scale, read_norm, setting
from training import TASKS

if TYPE_CHECKING:
    from constructions import Ball

DEFAULT_RADIUS = {math.inf: 0.1, 2.0: 0.3}
DEFAULT_TERM = {math.inf: 0.03, 2.0: 0.3}

SHAPES = {"digits": (1, 8, 8), "mnist": (1, 28, 28), "cifar10": (3, 32, 32)}
"""Images of data with a name; all have ten classes."""


@dataclass(frozen=True)
class CompareSettings(Settings):
    """What to compare; `large` has settings for thousands of points.

    Attributes:
        data: what `training.load_data` reads.
        tasks: names of `training.TASKS`.
        norm: inf or 2.
        radius: of the balls, in units of the points; None takes 0.1 (l_inf) or 0.3 (l_2).
        seed: of the data split, initialisation and noise.
        clean_epochs: of f_clean's training.
        adversarial_epochs: of the learned network's training.
        clean_widths: hidden widths of f_clean.
        learned_widths: hidden widths of the learned network.
        learning_rate: the largest one in the learned network's training.
        training_attack_steps: of the attacks in adversarial training.
        interval_weight: of the loss of interval bounds in adversarial training (`TrainingConfig`),
            in [0,1], which makes the learned network easy to prove; 0: plain adversarial training;
            None takes 0.03 (l_inf) or 0.3 (l_2).
        model: your own network in place of the learned one, which is not trained then: what
            `read_own` reads from a name.
        clean: likewise, in place of f_clean.
        attack_steps: of the attacks on trained networks.
        constructed_attack_steps: of those on networks that are built.
        certify_seconds: how long, for each of training and test data, the balls of the learned
            network are decided that attack and linear bounds leave; 0: these alone.
        flat_points: points behind each flatness curve.
        attacked_points: the first so many training points are attacked (None: all), and those of
            f_clean alone certified beyond these.
        sampled_points: random points of each kind behind the agreement by zones (None: one a
            training point).

    Raises:
        ValueError: that names the entry, the rule and the value.
        TypeError: likewise.
    """

    data: str = setting(
        "digits", "digits (embedded), mnist, cifar10, or a folder or .tar.gz of images"
    )
    tasks: tuple[str, ...] = TASKS
    norm: float = setting(math.inf, "norm of the perturbations, inf or 2", read_norm)
    radius: Annotated[float, Gt(0), Lt(math.inf)] | None = setting(
        None, "radius of the perturbations (default: 0.1 for inf, 0.3 for 2)"
    )
    seed: Annotated[int, Ge(0)] = setting(0, "seed of the data split, initialisation and noise")
    clean_epochs: int = 60
    adversarial_epochs: int = 200
    clean_widths: tuple[int, ...] = (64, 64)
    learned_widths: tuple[int, ...] = (512,)
    learning_rate: Annotated[float, Gt(0), Lt(math.inf)] = 0.01
    training_attack_steps: int = 3
    interval_weight: Annotated[float, Ge(0), Le(1)] | None = setting(
        None,
        "weight of the loss of interval bounds in the learned network's training, which makes it "
        "easy to prove; 0: plain adversarial training (default: 0.03 for inf, 0.3 for 2)",
    )
    model: str | None = setting(
        None,
        "your own network in place of the adversarially trained one: .onnx, .safetensors, .npz, "
        ".nnet, weights (.pt, .pth), a run's folder, or module:function",
    )
    clean: str | None = setting(None, "likewise, in place of f_clean")
    attack_steps: int = 40
    constructed_attack_steps: int = 10
    certify_seconds: Annotated[float, Ge(0), Lt(math.inf)] = setting(
        20.0,
        "seconds to decide the learned network's open balls, for each of training and test data "
        "of a task; 0: linear bounds alone",
    )
    flat_points: int = 64
    attacked_points: int | None = None
    sampled_points: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for task in self.tasks:
            if task not in TASKS:
                raise ValueError(f"tasks must be among {', '.join(TASKS)}, got {task!r}")
        dimension = math.prod(SHAPES[self.data]) if self.data in SHAPES else None
        if text := beyond_scale(self.norm, self.ball_radius, dimension):
            raise ValueError(f"radius must be below half the separation of the data: {text}")

    @classmethod
    def large(cls, **given: Any) -> CompareSettings:
        """Take settings for tens of thousands of points.

        Fewer epochs of plain adversarial training, and 2,000 training points attacked.

        Args:
            **given: entries that are to be others.

        Returns:
            The settings.

        Raises:
            ValueError: as `CompareSettings`.
            TypeError: likewise.

        Example:
            >>> CompareSettings.large(data="mnist", radius=0.1).adversarial_epochs
            5
        """
        few = {
            "clean_epochs": 10,
            "adversarial_epochs": 5,
            "learned_widths": (256, 256),
            "learning_rate": 3e-3,
            "training_attack_steps": 7,
            "interval_weight": 0.0,
            "attack_steps": 20,
            "attacked_points": 2000,
            "sampled_points": 5000,
        }
        return cls(**{**few, **given})

    @property
    def ball(self) -> Ball:
        """The ball of perturbations."""
        return constructions.Ball(self.norm, self.ball_radius)

    @property
    def ball_radius(self) -> float:
        """The radius of that ball."""
        return DEFAULT_RADIUS[self.norm] if self.radius is None else self.radius

    @property
    def term(self) -> float:
        """The weight of the loss of interval bounds."""
        return DEFAULT_TERM[self.norm] if self.interval_weight is None else self.interval_weight

    def steps_of(self, built: bool) -> int:
        """Choose the steps of the attacks: on networks that are built they are a check only.

        Args:
            built: whether the network is built, not trained.

        Returns:
            `constructed_attack_steps` or `attack_steps`.
        """
        return self.constructed_attack_steps if built else self.attack_steps

    @property
    def learned_by(self) -> str:
        """How the learned network is trained, or where it is from.

        Example:
            >>> CompareSettings().learned_by, CompareSettings(interval_weight=0.0).learned_by
            ('PGD-3 with interval term 0.03', 'PGD-3')
        """
        if self.model is not None:
            return f"given: {self.model}"
        term = f" with interval term {self.term:g}" if self.term else ""
        return f"PGD-{self.training_attack_steps}{term}"

    @property
    def flat_radii(self) -> list[float]:
        """The radii of the flatness curves: from 0 to three times the ball's."""
        return [round(self.ball.radius * k / 4, 12) for k in range(13)]
