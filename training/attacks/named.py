"""Attacks by name: clean, fgsm, pgdK, pgdKxR, autoattack."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import torch

from constructions import Ball
from constructions.internal import (
    Given,
    Labels,
    Points,
    Report,
    as_float,
    check_labels,
    renamed,
    silent,
    stepped,
)

from ..datasets.reading import read_outputs
from .autoattack import autoattack
from .batch_norm import mixes_rows
from .names import read_attack
from .objectives import Model, Objective, is_error, output_margin
from .pgd import pgd


@dataclass(frozen=True)
class Attack:
    """An attack by name: clean, fgsm, pgdK (K steps), pgdKxR (R restarts of K steps), autoattack.

    Use `parse`; `str` gives the name again. Called, it attacks.

    Attributes:
        kind: "clean", "fgsm", "pgd" or "autoattack".
        steps: K.
        restarts: R.

    Example:
        >>> Attack.parse("pgd50x10")
        Attack(kind='pgd', steps=50, restarts=10)
        >>> Attack.parse("pdg7")
        Traceback (most recent call last):
        ...
        ValueError: attack must be clean, fgsm, pgdK (K steps), pgdKxR (R restarts) or autoattack,
          got 'pdg7'
        >>> w = torch.tensor([[1.0, -2.0]])
        >>> def logit(x):
        ...     return x @ w.T
        >>> found = Attack.parse("pgd10")(
        ...     logit, torch.tensor([[0.75, 0.25]]), torch.tensor([1]), Ball("inf", 0.125)
        ... )
        >>> is_error(logit(found), torch.tensor([1]))
        tensor([True])
    """

    kind: str
    steps: int
    restarts: int = 1

    @classmethod
    def parse(cls, text: str) -> Attack:
        """Read an attack's name.

        Args:
            text: one of the forms above.

        Returns:
            The `Attack`.

        Raises:
            ValueError: that lists the forms, for another text.
        """
        return cls(*read_attack(text))

    def __str__(self) -> str:
        if self.kind != "pgd":
            return self.kind
        return f"pgd{self.steps}" + (f"x{self.restarts}" if self.restarts > 1 else "")

    def step_size(self, ball: Ball) -> float:
        """Give the step: 1.25 radius for fgsm, 2.5 radius / K for pgdK.

        Args:
            ball: whose radius it is.

        Returns:
            The length in the ball's norm.

        Source: Wong, Rice and Kolter 2020 (fgsm); Madry et al. 2018 (pgdK).
        """
        return 1.25 * ball.radius if self.kind == "fgsm" else 2.5 * ball.radius / max(self.steps, 1)

    @renamed(report=stepped)
    def __call__(
        self,
        model: Model,
        x: Given,
        labels: Labels,
        ball: Ball,
        *,
        objective: Objective | None = None,
        keep: str = "best",
        early_stop: bool | None = None,
        generator: torch.Generator | None = None,
        report: Report = silent,
    ) -> Points:
        """Attack: give the points that it finds around the rows of x.

        With early_stop, a row's result is an error if any iterate of any restart was, whatever the
        objective (with the default objective also without). For the maximal loss, pass the loss and
        early_stop=False. autoattack is the standard version of Croce and Hein 2020 by the package
        pyautoattack; it takes only generator of the options. With 2 or 3 classes, where its
        targeted loss is undefined, and with one output f, seen as (-f/2, f/2), it runs APGD-CE, FAB
        and Square.

        Args:
            model: as for `pgd`.
            x: as for `pgd`; autoattack needs images (batch, C, H, W).
            labels: shape (batch,), -1, +1 or 0..K-1; a tie is an error.
            ball: norm and radius.
            objective: by default minus the margin, whose gradient does not vanish on confident
                outputs.
            keep: as for `pgd`.
            early_stop: by default if keep="best", unless batch normalisation in training mode makes
                rows depend on each other.
            generator: as for `pgd`.
            report: as for `pgd`.

        Returns:
            As `pgd`.

        Raises:
            ImportError: if the package is missing.
            ValueError: for labels that do not fit the outputs, and as `pgd`.
            FloatingPointError: as `pgd`.
        """
        if self.kind == "clean":
            return as_float(x, None, "x").detach().clone()
        if self.kind == "autoattack":
            return autoattack(model, as_float(x, None, "x").detach(), labels, ball, generator)
        minus_margin, read = (
            (lambda outputs, target: -inspect.unwrap(output_margin)(outputs, target)),
            False,
        )

        def reading(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            nonlocal read
            if not read:  # once, as it waits for the device
                check_labels(target, len(outputs), read_outputs(outputs, len(outputs)).shape[1])
                read = True
            return (objective or minus_margin)(outputs, target)

        stops = (keep == "best" and not mixes_rows(model)) if early_stop is None else early_stop
        return pgd(
            model,
            x,
            check_labels(labels, len(x)),
            ball,
            reading,
            steps=self.steps,
            step_size=self.step_size(ball),
            restarts=self.restarts,
            keep=keep,
            early_stop=inspect.unwrap(is_error) if stops else None,
            generator=generator,
            report=report,
        )
