"""Feature learning along a run on patch data: its phases, the lemmas of its theory as measured,
attacks on its result.

Whole, because the three are asked of the same recorded steps of one run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from constructions import Ball, Result
from constructions.internal import Said, renamed, said
from training import PatchData, PatchRun, gta, is_error, output_margin, patch_network, pgd

from ..quantities.measured import Shares
from ..quantities.statistics import share

FALL = 10.0
"""How many times slower the signal must grow after phase I."""


@dataclass(frozen=True, repr=False)
class Phases(Result):
    """When a run learned the signal and when it memorized the noise; see `phases`.

    Steps are recorded steps, None for never.

    Attributes:
        signal_learned: T_0.
        noise_begins: the end of phase II.
        noise_memorized: T_1.
        predicted: T_0 and T_1 with all constants 1.
        growth: the mean growth of max_r u_r per step in each phase; None unless all phases ended in
            their order.
        in_order: whether the phases are those of the theory.
    """

    signal_learned: int | None
    noise_begins: int | None
    noise_memorized: int | None
    predicted: tuple[float, float]
    growth: tuple[float, float, float] | None
    in_order: bool

    def _says(self) -> tuple[str, dict[str, Said]]:
        found = (self.signal_learned, self.noise_begins, self.noise_memorized)
        names = ("signal learned", "noise begins", "noise memorized")
        steps = {
            name: Said("never" if step is None else f"step {step:,}", "recorded")
            for name, step in zip(names, found, strict=True)
        }
        first, last = (f"{step:.3g}" for step in self.predicted)
        order = "as the theory says" if self.in_order else "not as the theory says"
        return f"three phases, {order}", steps | {"predicted": Said(f"{first}, {last}", "theory")}


def phases(run: PatchRun) -> Phases:
    """Find the three phases of feature learning from the recorded curves of a run.

    Phase I ends at T_0, the first recorded step with alpha max_r u_r >= 1; phase II, in which the
    signal hardly grows and no noise is learned yet, ends at the first with V_i >= 1 for some i;
    phase III ends at T_1, the first from which on V_i >= 1 for all i. They are in order if 0 < T_0
    < end of II < T_1, and max_r u_r grows per step at least ten times slower in phases II and III
    than in I. Predicted: T_0 = 1 / (eta alpha^3 sigma_0), T_1 = N / (eta sigma_0 sigma^3 d^(3/2)).

    Steps between recorded ones are not seen: of 40,000, the first 20 are all recorded, later ones
    lie within 9% and within 201 steps of each other.

    Args:
        run: of a cubic network under attack "signal".

    Returns:
        A `Phases`.

    Raises:
        ValueError: unless the network is cubic and its attack "signal".

    Source: CGRO (anonymous 2023), Section 4.3, Lemmas C.3 and C.7.

    Example:
        >>> from training import PatchConfig, train_patches
        >>> phases(
        ...     train_patches(PatchConfig(d=50, N=5, P=3, m=4, steps=20, test_points=10))
        ... ).noise_memorized is None
        True
    """
    _check(run)
    config, scales, curves = run.config, run.config.scales, run.curves
    u, V = curves["u"].max(1), curves["V"]
    signal, begins = _first(scales.alpha * u >= 1), _first(V.max(1) >= 1)
    memorized = _first(np.minimum.accumulate(V.min(1)[::-1])[::-1] >= 1)  # and from then on
    predicted = (
        1 / (config.rate * scales.alpha**3 * scales.sigma_0),
        config.N / (config.rate * scales.sigma_0 * scales.sigma**3 * config.d**1.5),
    )
    growth = None
    if (
        signal is not None
        and begins is not None
        and memorized is not None
        and 0 < signal < begins < memorized
    ):
        ends = [0, signal, begins, memorized]
        rates = np.diff(u[ends]) / np.diff(curves["step"][ends])
        growth = (float(rates[0]), float(rates[1]), float(rates[2]))
    in_order = growth is not None and growth[0] >= FALL * max(growth[1:])
    steps = [None if k is None else int(curves["step"][k]) for k in (signal, begins, memorized)]
    return Phases(steps[0], steps[1], steps[2], predicted, growth, in_order)


@dataclass(frozen=True, repr=False)
class Inequality(Result):
    """An inequality of the theory with the constant c that the recorded steps need.

    Attributes:
        statement: its name in the paper.
        claim: the inequality with a constant c.
        constant: the best c that is right at all recorded steps (None where the steps it speaks of
            were not reached): the least where c bounds from above, the greatest where from below.
        holds: whether it is within what the theory hides: at most log(d)^2, or at least 1 /
            log(d)^2.
        below: whether c bounds from below.
    """

    statement: str
    claim: str
    constant: float | None
    holds: bool
    below: bool

    def _says(self) -> tuple[str, dict[str, Said]]:
        holds = "holds" if self.holds else "does not hold"
        constant = said(self.constant, "exact at the recorded steps")
        return f"{self.statement}, {self.claim}: {holds}", {"c": constant}


def lemmas(run: PatchRun) -> list[Inequality]:
    """Find the constants with which the lemmas behind Theorem 4.1 hold along a run.

    O, Omega and Theta, with or without tilde, are read as hiding a constant between 1 / log(d)^2
    and log(d)^2. Where a statement has two constants, both are the same c; but Theta is 1 in Lemma
    4.4, and exact in Lemma C.5 (t_0 = 0, with 3 ||X_i[j]||^2 / (sigma^2 d)), so that the
    interference of other patches remains. T_0 and T_1 are those of `phases`. A constant that holds
    at recorded steps proves nothing about others.

    Args:
        run: of a cubic network under attack "signal".

    Returns:
        An `Inequality` for each lemma.

    Raises:
        ValueError: as `phases`.

    Source: CGRO (anonymous 2023), Section 4.3 and Appendix C.

    Example:
        >>> from training import PatchConfig, train_patches
        >>> run = train_patches(PatchConfig(d=50, N=5, P=3, m=4, steps=20, test_points=10))
        >>> [
        ...     found.statement for found in lemmas(run) if found.constant is None
        ... ]  # neither T_0 nor T_1 was reached
        ['Lemma 4.3', 'Lemma C.8', 'Lemma C.9']
    """
    # Whole, because it is a list of inequalities in the same terms.
    found = phases(run)
    config, (alpha, sigma, sigma_0, gamma), curves = run.config, run.config.scales, run.curves
    rate, steps, u, V, U = config.rate, curves["step"], curves["u"], curves["V"], curves["U"]
    T_0, T_1 = (
        steps >= (math.inf if t is None else t)
        for t in (found.signal_learned, found.noise_memorized)
    )
    slope, left = curves["robust_slope"], (alpha * (1 - gamma)) ** 3
    since = slope - (slope[T_0][0] if T_0.any() else 0.0)
    psi = 1 / (1 + np.exp(np.minimum(alpha**3 * U, 700.0)))
    quadratic = rate * alpha**3 * u**2 * psi[:, None]
    drift = config.P * sigma**2 / alpha * math.sqrt(config.d)
    waited = steps - (steps[T_1][0] if T_1.any() else 0) + 1
    limit = math.log(config.d) ** 2

    def at_least(statement: str, claim: str, ratios: NDArray[np.float64]) -> Inequality:
        constant = float(ratios.min()) if ratios.size else None
        return Inequality(
            statement, claim, constant, constant is not None and constant >= 1 / limit, below=True
        )

    def at_most(statement: str, claim: str, ratios: NDArray[np.float64]) -> Inequality:
        constant = float(ratios.max()) if ratios.size else None
        return Inequality(
            statement, claim, constant, constant is not None and constant <= limit, below=False
        )

    before = ~T_1[:, None] & (quadratic > 0)
    return [
        at_least(
            "Lemma 4.2",
            "u_r(t+1) - u_r(t) >= c eta alpha^3 u_r^2 psi(alpha^3 U), all t",
            (curves["growth"] / quadratic)[quadratic > 0],
        ),
        at_least(
            "Lemma 4.2 before T_1", "the same for t < T_1", (curves["growth"] / quadratic)[before]
        ),
        at_most(
            "Lemma 4.3",
            "max_r u_r <= c (1/alpha + eta alpha^3 (1-gamma)^3 / N sum_s sum_i psi(y_i f(X_i'))), "
            "t >= T_0",
            (u.max(1) / (1 / alpha + rate * left * since))[T_0],
        ),
        at_most(
            "Lemma 4.4",
            "v >= v(0) + eta sigma^2 d / N sum_s psi(V_i) v^2 - c P sigma^2 sqrt(d) / alpha, all t",
            curves["shortfall"] / drift,
        ),
        at_most(
            "Lemma C.5",
            "|v - v(0) - own part| <= c (lambda eta (alpha (1-gamma))^3 / N sum psi(y_i f(X_i')) + "
            "P sigma^2 sqrt(d) / alpha)",
            curves["interference"] / (config.robust_weight * rate * left * slope + drift),
        ),
        at_least(
            "Lemma C.8",
            "||grad L|| >= c L, t >= T_1",
            (curves["gradient_norm"] / curves["loss"])[T_1],
        ),
        at_most(
            "Lemma C.9",
            "L <= c / (eta (t - T_1 + 1)), t >= T_1",
            (curves["loss"] * rate * waited)[T_1],
        ),
        at_most(
            "Lemma C.10",
            "lambda / N sum_s sum_i psi(y_i f(X_i')) <= c / (eta sigma_0)",
            config.robust_weight * slope * rate * sigma_0,
        ),
        at_most("Lemma C.11, signal", "max_r u_r <= c / alpha", alpha * u.max(1)),
        at_most("Lemma C.11, noise", "|v| <= c", curves["noise"]),
        at_least("Theorem 4.1, signal, below", "U(T) >= c alpha^-3", alpha**3 * U[-1:]),
        at_most("Theorem 4.1, signal, above", "U(T) <= c alpha^-3", alpha**3 * U[-1:]),
        at_least("Theorem 4.1, noise, below", "V_i(T) >= c for all i", V[-1]),
        at_most("Theorem 4.1, noise, above", "V_i(T) <= c for all i", V[-1]),
    ]


@renamed("run points seed steps")
def attacked_errors(run: PatchRun, *, points: int = 1000, seed: int = 0, steps: int = 20) -> Shares:
    """Count errors of the trained network on fresh points: clean, and under four attacks.

    All attacks stay in the l_2 ball of radius gamma alpha, which is as far as GTA against w* moves:
    "gta w*"; "gta f_W", whose step is cut to that length; "fgsm", one step of that length along the
    gradient's direction; "pgd", `steps` steps from a random point. They may move all patches.
    Patches lie in R^d, and `training.pgd` in the unit cube, so it attacks points shifted and scaled
    into a cube that the ball never leaves.

    Args:
        run: whose network is attacked.
        points: how many are drawn.
        seed: of points and attacks.
        steps: of "pgd".

    Returns:
        `Shares`: "clean" is an estimate; those under attack are empirical lower bounds of the
        robust error on these points. Intervals speak of the distribution.

    Raises:
        ValueError: for points, steps < 1.

    Cost: steps forward and backward passes of points P d m; memory points P d.

    Source: CGRO (anonymous 2023), Section 3.3; fgsm and pgd for l_2: Madry et al. 2018.

    Example:
        >>> from training import PatchConfig, train_patches
        >>> run = train_patches(PatchConfig(d=50, N=5, P=3, m=4, steps=20, test_points=10))
        >>> found = attacked_errors(run, points=20)
        >>> found["pgd"].value >= found["clean"].value
        True
    """
    config, (alpha, sigma, _, gamma) = run.config, run.config.scales
    data = PatchData.sample(
        points, config.d, config.P, seed, alpha, sigma, direction=run.data.direction
    )
    x, y = data.points, data.labels
    f = patch_network(run.weights, config)
    ball = Ball(2, gamma * alpha)
    rows = torch.arange(points)

    def signal(at: torch.Tensor) -> torch.Tensor:
        return at[rows, data.signal_patch] @ data.direction

    half = float(x.abs().max()) + ball.radius  # no coordinate of a ball is beyond
    inside = Ball(2, ball.radius / (2 * half))

    def to_cube(at: torch.Tensor) -> torch.Tensor:
        return at / (2 * half) + 0.5

    def scaled(at: torch.Tensor) -> torch.Tensor:
        return f((at - 0.5) * (2 * half))

    def ascend(count: int, random_start: bool, step: float) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        found = pgd(
            scaled,
            to_cube(x),
            y,
            inside,
            lambda outputs, labels: -output_margin(outputs, labels),
            steps=count,
            step_size=step,
            random_start=random_start,
            generator=generator,
        )
        return (found - 0.5) * (2 * half)

    attacked = {
        "gta w*": gta(x, signal, gamma),
        "gta f_W": ball.project(gta(x, f, gamma), x),
        "fgsm": ascend(1, False, inside.radius),
        "pgd": ascend(steps, True, 2.5 * inside.radius / steps),
    }
    clean = {"clean": share(is_error(f(x), y), "estimate")}
    errors = clean | {
        name: share(is_error(f(at), y), "empirical lower bound") for name, at in attacked.items()
    }
    return Shares(f"errors of the network on {points:,} fresh points", errors)


def _first(reached: Any) -> int | None:
    return int(np.argmax(reached)) if reached.any() else None


def _check(run: PatchRun) -> None:
    if run.config.activation != "cubic" or run.config.attack != "signal":
        given = f"{run.config.activation} and {run.config.attack}"
        raise ValueError(
            f"run must be of a cubic network under attack 'signal', of which the theory speaks, "
            f"got {given}"
        )
