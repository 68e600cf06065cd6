"""What is compared, and how much of it is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import constructions
from constructions.internal import Settings, read_norm, setting
from training import TASKS

if TYPE_CHECKING:
    from constructions import Ball

DEFAULT_RADIUS = {math.inf: 0.1, 2.0: 0.3}


@dataclass(frozen=True)
class CompareSettings(Settings):
    """What to compare. data: what `training.load_data` reads; `large` has settings for thousands of
    points.

    radius None takes 0.1 (l_inf) or 0.3 (l_2). attacked_points: the first so many training points
    are attacked (None: all), and those of f_clean alone certified beyond these. flat_points: points
    behind each flatness curve. sampled_points: random points of each kind behind the agreement by
    zones (None: one a training point).

    Raises ValueError or TypeError that names the entry, the rule and the value.
    """

    data: str = setting(
        "digits", "digits (embedded), mnist, cifar10, or a folder or .tar.gz of images"
    )
    tasks: tuple[str, ...] = TASKS
    norm: float = setting(math.inf, "norm of the perturbations, inf or 2", read_norm)
    radius: float | None = setting(
        None, "radius of the perturbations (default: 0.1 for inf, 0.3 for 2)"
    )
    seed: int = setting(0, "seed of the data split, initialisation and noise")
    clean_epochs: int = 60
    adversarial_epochs: int = 150
    clean_widths: tuple[int, ...] = (64, 64)
    learned_widths: tuple[int, ...] = (256, 256)
    training_attack_steps: int = 7
    attack_steps: int = 40
    constructed_attack_steps: int = 10
    flat_points: int = 64
    attacked_points: int | None = None
    sampled_points: int | None = None

    @classmethod
    def large(cls, **given: Any) -> CompareSettings:
        """Settings for tens of thousands of points: fewer epochs, and 2,000 training points
        attacked.

        >>> CompareSettings.large(data="mnist", radius=0.1).adversarial_epochs
        5
        """
        few = {
            "clean_epochs": 10,
            "adversarial_epochs": 5,
            "attack_steps": 20,
            "attacked_points": 2000,
            "sampled_points": 5000,
        }
        return cls(**{**few, **given})

    @property
    def ball(self) -> Ball:
        """The ball of perturbations."""
        radius = DEFAULT_RADIUS[self.norm] if self.radius is None else self.radius
        return constructions.Ball(self.norm, radius)

    def steps_of(self, built: bool) -> int:
        """Steps of the attacks: on networks that are built, not trained, they are a check only."""
        return self.constructed_attack_steps if built else self.attack_steps

    @property
    def flat_radii(self) -> list[float]:
        """The radii of the flatness curves: from 0 to three times the ball's."""
        return [round(self.ball.radius * k / 4, 12) for k in range(13)]


def check_settings(settings: CompareSettings) -> None:
    """Raise ValueError for settings that fit no data."""
    if settings.seed < 0:
        raise ValueError(f"seed must be >= 0, got {settings.seed}")
    if not settings.ball.radius > 0:
        raise ValueError(f"radius must be positive, got {settings.ball.radius:g}")
