"""The ledger on feature learning: patch-structured data, the two-layer network, its phases, and the
lemmas behind them.

Whole, because it is a list: each statement is a function of its own.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import torch
from scipy import stats

from training import PatchConfig, PatchData, PatchRun, gta, patch_network, train_patches

from ..quantities.measured import Measured
from ..theory.feature_learning import lemmas, phases
from .claims import Check, at_least, at_most, between, claim, equal, share_of

SEEDS = (0, 1, 2)
SETTING = (
    "patch data, d = 1000, N = 50, P = 6, m = 10, lambda = 1/2, eta = 0.1, 40,000 steps, "
    "gamma = 1 - 1/(sqrt(d) log(d)^2), three seeds"
)


@functools.cache
def runs() -> tuple[PatchRun, ...]:
    """The runs that most statements here speak of: `SETTING`. A quarter of a minute a seed."""
    return tuple(train_patches(PatchConfig(seed=seed)) for seed in SEEDS)


def lemma(name: str, text: str, *found: str, also: Sequence[str] = (), note: str = "") -> None:
    """Enter a statement that `lemmas` measures; O, Omega and Theta, with or without ~, may hide a
    factor of log(d)^2.
    """

    def measure() -> Iterator[Check]:
        for seed, run in zip(SEEDS, runs(), strict=True):
            for entry in lemmas(run):
                if entry.statement in found:
                    constant = math.nan if entry.constant is None else entry.constant
                    limit = math.log(run.config.d) ** 2
                    relation = f">= {1 / limit:.3g}" if entry.below else f"<= {limit:.3g}"
                    yield Check(
                        f"seed {seed}: c in {entry.claim}",
                        Measured(constant, "estimate"),
                        relation,
                        entry.holds,
                    )

    where = "along runs, at recorded steps; constants up to log(d)^2 count as hidden"
    words = f"{note}; {where}" if note else where
    claim(name, text, "empirical only", words, on=SETTING, also=also)(measure)


# -- recursions and Gaussians ----------------------------------------------------------------------


RATES = (Fraction(1, 50), Fraction(1, 4), Fraction(3))


def _growing(start: Fraction, rate: Fraction, end: Fraction, lost: Fraction | None = None) -> int:
    """Steps until the slowest sequence that the recursion allows reaches the end: rounded down, so
    never too early.

    lost None: z' = z + rate z^2; else z_t = z_0 + rate sum z_s^2 - lost.
    """
    grain = 2**80
    total, steps, z = start, 0, start
    while z < end or (lost is not None and not steps):
        total = Fraction(math.floor((total + rate * z * z) * grain), grain)
        z = total if lost is None else total - lost
        steps += 1
    return steps


@claim(
    "cgro-lemma-a.1",
    "if z grows by m z^2 to M z^2 a step, it is above v after 3/(m z_0) + 8 M/m ceil(log2(v / "
    "z_0)) steps",
    "holds",
    "a doubling from 2^k z_0 takes at most ceil(1 / (m 2^k z_0)) steps, in all at most 2 / (m z_0) "
    "+ ceil(log2(v / z_0)); "
    "here the slowest sequence, z' = z + m z^2, on a grid, in rationals rounded down; M = m is the "
    "hardest case",
    on="27 cases: m = 1/50, 1/4, 3, z_0 = 1/20, 1, 5, v = z_0, 2 z_0, 100 z_0; no data",
)
def quadratic_growth() -> Iterator[Check]:
    """The slowest sequences."""
    cases = list(
        itertools.product(
            (Fraction(1, 50), Fraction(1, 4), Fraction(3)),
            (Fraction(1, 20), Fraction(1), Fraction(5)),
            (1, 2, 100),
        )
    )
    right, worst = 0, Fraction(0)
    for m, z, factor in cases:
        allowed = 3 / (m * z) + 8 * math.ceil(math.log2(factor))
        steps = _growing(z, m, factor * z)
        right, worst = right + (steps <= allowed), max(worst, Fraction(steps) / allowed)
    yield share_of("cases in time", right, len(cases))
    yield at_most("largest share of the time allowed that is needed", worst, 1)


@claim(
    "cgro-lemma-a.2",
    "if z_t = z_0 + A sum z_s^2 up to C <= z_0 / 2, it is above v after 8 ceil(log2(v / z_0)) + 21 "
    "/ (z_0 A) steps",
    "holds",
    "by induction z_t is at least the sequence with equality, which from z_0 / 2 on grows as in "
    "Lemma A.1; here that sequence "
    "on a grid of A, z_0, C, v, in rationals rounded down",
    on=(
        "54 cases: A = 1/50, 1/4, 3, z_0 = 1/20, 1, C = 0, z_0/4, z_0/2, v = z_0, 2 z_0, 100 "
        "z_0; no data"
    ),
)
def quadratic_sums() -> Iterator[Check]:
    """The slowest sequences."""
    losses = (Fraction(0), Fraction(1, 4), Fraction(1, 2))
    cases = list(itertools.product(RATES, (Fraction(1, 20), Fraction(1)), losses, (1, 2, 100)))
    right, worst = 0, Fraction(0)
    for rate, z, lost, factor in cases:
        allowed = 8 * math.ceil(math.log2(factor)) + 21 / (z * rate)
        steps = _growing(z, rate, factor * z, lost * z)
        right, worst = right + (steps <= allowed), max(worst, Fraction(steps) / allowed)
    yield share_of("cases in time", right, len(cases))
    yield at_most("largest share of the time allowed that is needed", worst, 1)


@claim(
    "cgro-lemma-a.3",
    "if z >= 0 falls by at least A z^2 a step, then z_t <= 1 / (A (t - T))",
    "holds",
    "1 / z' >= 1 / z + A by induction; here the largest sequence, z' = z - A z^2, in rationals "
    "rounded up",
    on="nine sequences of 499 steps: A = 1/50, 1/2, 1, z_T = 1/10, 1/2, 1; no data",
)
def quadratic_decay() -> Iterator[Check]:
    """The largest sequences."""
    grain, right, total = 2**80, 0, 0
    for rate, start in itertools.product(
        (Fraction(1, 50), Fraction(1, 2), Fraction(1)),
        (Fraction(1, 10), Fraction(1, 2), Fraction(1)),
    ):
        z = start
        for t in range(1, 500):
            z = Fraction(math.ceil((z - rate * z * z) * grain), grain)
            total, right = total + 1, right + (z <= 1 / (rate * t))
    yield share_of("steps of nine sequences below the bound", right, total)


@claim(
    "cgro-lemma-a.4",
    "if |sum_r <v_r, x>^3| >= 1 for a unit x, then |sum_j sum_r <v_r, xi_j>^3| >= Omega~(sigma^3) "
    "with probability 1 - "
    "O(d)/2^(1/d)",
    "holds with correction",
    "the probability as printed is below 0 for d >= 2, as 2^(1/d) < 2, so it says nothing, and 1 - "
    "O(d)/2^d is false: for one "
    "patch and one v = x it is 2 Phi(-t^(1/3)) at t sigma^3. True: 1 - O(t^(1/3)) (Carbery and "
    "Wright 2001), so 1 - o(1) for "
    "Omega~",
    on=(
        "d = 200: 4,000 draws of five Gaussian patches for each of three sums of ten cubes; "
        "closed form: d = 10^2, 10^4, 10^8"
    ),
)
def anti_concentration() -> Iterator[Check]:
    """Shares of random sums."""
    yield at_most("1 - d / 2^(1/d) at d = 2, the largest", 1 - 2 / 2**0.5, 0)
    d, draws = 200, 4000
    generator = torch.Generator().manual_seed(0)
    for seed in range(3):
        v = torch.randn(10, d, generator=generator, dtype=torch.float64)
        at = v[0] / v[0].norm()
        v /= (v @ at).pow(3).sum().abs() ** (1 / 3)
        xi = torch.randn(draws, 5, d, generator=generator, dtype=torch.float64)
        sums = (xi @ v.T).pow(3).sum((1, 2)).abs()
        share = float((sums >= 1 / math.log(d) ** 2).double().mean())
        yield between(
            f"five patches, ten random v ({seed}): share of sums of at least sigma^3 / log(d)^2",
            share,
            0.9,
            1,
            "estimate",
        )
    hardest = [2 * stats.norm.sf(math.log(d) ** (-4 / 3)) for d in (1e2, 1e4, 1e8)]
    printed = 2 * stats.norm.sf(math.log(200) ** (-2 / 3))
    yield at_most("one patch, v = x, d = 200: share of at least sigma^3 / log(d)^2", printed, 0.75)
    yield at_least(
        "one patch, v = x: share of at least sigma^3 / log(d)^4 at d = 10^4 over that at 10^2",
        hardest[1] / hardest[0],
        1.05,
    )
    yield at_least("the same at d = 10^8 (tends to 1)", hardest[2], 0.98)


# -- the setting -----------------------------------------------------------------------------------


@claim(
    "cgro-parameterization-3.1",
    "w_r from N(0, sigma_0^2 I), target g(X) = <w*, X[signal]>, and the adversarial example leaves "
    "(1 - gamma) alpha y w*",
    "holds",
    "the setting, as instantiated: data, attack and network",
    on="patch data, N = 40, d = 200, P = 6, m = 8; the start of a network of m = 50, d = 1000",
)
def setting() -> Iterator[Check]:
    """Data and attack as they are."""
    config = PatchConfig(d=200, N=40, P=6, m=8, steps=1)
    data = PatchData.sample(config.N, config.d, config.P, 0)
    scales = config.scales
    rows = torch.arange(config.N)
    signal = data.points[rows, data.signal_patch]
    wanted = scales.alpha * data.labels[:, None].double() * data.direction
    yield at_most("largest |X[signal] - alpha y w*|", float((signal - wanted).abs().max()), 1e-12)
    yield at_most(
        "largest |<w*, noise patch>|", float((data.noise() @ data.direction).abs().max()), 1e-12
    )
    spread = float(data.noise().square().sum(-1).mean().sqrt()) / (
        scales.sigma * math.sqrt(config.d - 1)
    )
    yield between("length of noise patches over sigma sqrt(d - 1)", spread, 0.98, 1.02, "estimate")
    attacked = gta(
        data.points, lambda at: at[rows, data.signal_patch] @ data.direction, scales.gamma
    )
    left = data.points.clone()
    left[rows, data.signal_patch] = (1 - scales.gamma) * wanted
    yield at_most(
        "largest |GTA's example - noise patches and (1 - gamma) alpha y w*|",
        float((attacked - left).abs().max()),
        1e-12,
    )
    run = train_patches(PatchConfig(d=1000, N=2, P=2, m=50, steps=1, test_points=1))
    u = run.curves["u"][0] / run.config.scales.sigma_0
    yield between(
        "mean square of 50 <w_r(0), w*> over sigma_0^2", float((u * u).mean()), 0.4, 1.8, "estimate"
    )
    weights = torch.randn(
        config.m, config.d, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    cubes = sum(float(w @ patch) ** 3 for w in weights for patch in attacked[0])
    value = float(patch_network(weights, config)(attacked[:1]))
    yield at_most("|f_W - sum of cubes| at a point, relative", abs(value / cubes - 1), 1e-9)


@claim(
    "cgro-theorem-4.1",
    "adversarial training partially learns the signal, U = Theta(alpha^-3), and memorizes the "
    "noise, V_i = Theta(1): clean "
    "test and robust training error o(1), robust test error at least 1/2 - o(1)",
    "empirical only",
    "the regime depends on gamma: at d = 100 and gamma = 1 - 1/sqrt(d) "
    "the network is simply robust",
    on=f"{SETTING}; and one run at d = 100",
    also=["cgro-theorem-c.12"],
)
def robust_memorization() -> Iterator[Check]:
    """The ends of the runs, their phases, and the regime where the statement does not apply."""
    for seed, run in zip(SEEDS, runs(), strict=True):
        scaled, errors = run.config.scales.alpha**3 * run.curves["U"], run.errors
        half = int(np.searchsorted(run.curves["step"], run.config.steps / 2))
        yield between(f"seed {seed}: alpha^3 U", scaled[-1], 5, 50, "estimate")
        yield at_most(
            f"seed {seed}: its change over the last half",
            abs(scaled[-1] / scaled[half] - 1),
            0.02,
            "estimate",
        )
        yield at_least(f"seed {seed}: least V_i", run.curves["V"][-1].min(), 1, "estimate")
        yield at_most(f"seed {seed}: largest V_i", run.curves["V"][-1].max(), 50, "estimate")
        yield equal(f"seed {seed}: robust training error (GTA)", errors.robust_train, 0)
        yield at_most(f"seed {seed}: clean test error", errors.clean_test, 1e-3, "estimate")
        yield between(
            f"seed {seed}: robust test error (GTA)", errors.robust_test, 0.45, 0.55, "estimate"
        )
        yield equal(f"seed {seed}: phases in order (1: yes)", int(phases(run).in_order), 1)
    config = PatchConfig(d=100, gamma=1 - 1 / math.sqrt(100), steps=10_000, test_points=2000)
    yield at_most(
        "d = 100, gamma = 1 - 1/sqrt(d): robust test error",
        train_patches(config).errors.robust_test,
        0.05,
        "estimate",
    )


lemma(
    "cgro-hypothesis-c.1",
    "throughout, max_r u_r <= O~(1 / alpha) and |v| <= O~(1)",
    "Lemma C.11, signal",
    "Lemma C.11, noise",
    also=["cgro-lemma-c.11"],
)
lemma(
    "cgro-lemma-4.3",
    "from T_0 on, max_r u_r <= O~(1 / alpha) + O~(eta alpha^3 (1-gamma)^3 / N) sum_s sum_i psi(y_i "
    "f(X_i'))",
    "Lemma 4.3",
    also=["cgro-theorem-c.4"],
)
lemma(
    "cgro-lemma-4.4",
    "v(t) >= v(0) + Theta(eta sigma^2 d / N) sum_s psi(V_i) v^2 - O~(P sigma^2 sqrt(d) / alpha)",
    "Lemma 4.4",
    also=["cgro-theorem-c.6"],
)
lemma(
    "cgro-lemma-c.5",
    "|v(t) - v(t_0) - own part| <= O~(lambda eta alpha^3 (1-gamma)^3 / N) sum psi(y_i f(X_i')) + "
    "O~(P sigma^2 sqrt(d) / alpha)",
    "Lemma C.5",
    note="for t_0 = 0 (printed: all t_0)",
)
lemma(
    "cgro-lemma-c.8",
    "from T_1 on, the gradient of the loss is at least Omega~(1) times the loss",
    "Lemma C.8",
)
lemma("cgro-lemma-c.9", "from T_1 on, the loss is at most O(1) / (eta (t - T_1 + 1))", "Lemma C.9")
lemma(
    "cgro-lemma-c.10",
    "lambda / N sum_s sum_i psi(y_i f(X_i')) <= O~(1 / (eta sigma_0))",
    "Lemma C.10",
)


@claim(
    "cgro-lemma-4.2",
    "for all t, u_r grows by at least Theta(eta alpha^3) u_r^2 psi(alpha^3 U) a step",
    "empirical only",
    "seen until T_1; after it the constant falls to 4e-4, as the noise has made the loss small, so "
    "'for all t' is not seen",
    on=SETTING,
    also=["cgro-theorem-c.2"],
)
def signal_growth() -> Iterator[Check]:
    """The constant before T_1, and over all steps."""
    for seed, run in zip(SEEDS, runs(), strict=True):
        found = {entry.statement: entry.constant for entry in lemmas(run)}
        limit = 1 / math.log(run.config.d) ** 2
        yield at_least(
            f"seed {seed}: least constant before T_1",
            found["Lemma 4.2 before T_1"] or 0,
            limit,
            "estimate",
        )
        yield at_most(
            f"seed {seed}: least constant over all steps",
            found["Lemma 4.2"] or 0,
            limit / 10,
            "estimate",
        )


@claim(
    "cgro-lemma-c.3",
    "after T_0 = Theta~(1 / (eta alpha^3 sigma_0)) steps, max_r u_r >= Omega~(1 / alpha) for good",
    "empirical only",
    "at recorded steps",
    on=SETTING,
)
def signal_learned() -> Iterator[Check]:
    """T_0 beside its order, and the signal from then on."""
    for seed, run in zip(SEEDS, runs(), strict=True):
        found, limit = phases(run), math.log(run.config.d) ** 2
        t_0 = math.nan if found.signal_learned is None else found.signal_learned
        yield between(
            f"seed {seed}: T_0 over 1 / (eta alpha^3 sigma_0)",
            t_0 / found.predicted[0],
            1 / limit,
            limit,
            "estimate",
        )
        later = run.curves["u"].max(1)[run.curves["step"] >= t_0]
        yield at_least(
            f"seed {seed}: least alpha max_r u_r from T_0 on",
            run.config.scales.alpha * np.min(later),
            1 / limit,
            "estimate",
        )


@claim(
    "cgro-lemma-c.7",
    "after T_1 = Theta(N / (eta sigma_0 sigma^3 d^(3/2))) steps, V_i >= Omega~(1) for all i",
    "empirical only",
    "printed O~(1); at recorded steps",
    on=SETTING,
)
def noise_memorized() -> Iterator[Check]:
    """T_1 beside its order."""
    for seed, run in zip(SEEDS, runs(), strict=True):
        found, limit = phases(run), math.log(run.config.d) ** 2
        t_1 = math.nan if found.noise_memorized is None else found.noise_memorized
        yield between(
            f"seed {seed}: T_1 over N / (eta sigma_0 sigma^3 d^(3/2))",
            t_1 / found.predicted[1],
            1 / limit,
            limit,
            "estimate",
        )
