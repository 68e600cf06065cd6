"""Linear-separable data: how w_0's direction tends to w* and to the solver's, and robust training
error 0 by memorization.

All numbers of data are means over seeds with 95% intervals ("estimate") unless their kind is said.
Takes about 30 CPU seconds.
"""

import dataclasses
import time

import numpy as np
import torch

from analysis import (
    agreement,
    direction_error,
    direction_rate,
    linear_error,
    max_margin_error,
    predicted_max_margin_error,
    recovery_probability,
    robust_error_bounds,
)
from constructions import fitted_exponent
from training import SeparableData, max_margin, memorize, target_learner, train_linear

SEEDS = 10


def rates() -> None:
    d, alpha, sizes = 400, 40.0, [6, 12, 25, 50, 100, 200, 400]

    def first_step(data: SeparableData) -> torch.Tensor:
        return (data.labels[:, None] * data.points).mean(0)

    print(
        f"| w_0 / |w_0| - w* | for d = {d}, alpha = {alpha:g}, {SEEDS} seeds: the limit of "
        f"training (solver, up to 1e-6)"
    )
    limit = direction_rate(sizes, d, alpha, SEEDS)
    first = direction_rate([*sizes, 800, 1600, 3200], d, alpha, SEEDS, first_step)
    for k, N in enumerate(sizes):
        print(
            f"  N {N:5}: {limit.errors[:, k].mean():.4f}, predicted "
            f"{predicted_max_margin_error(N, d, alpha):.4f}",
            end="",
        )
        print(f"; after the first step {first.errors[:, k].mean():.4f}")
    beyond = [max_margin_error(SeparableData.sample(1000, d, seed, alpha)) for seed in range(SEEDS)]
    print(
        f"  N  1000: at most {max(beyond):.4f}, predicted "
        f"{predicted_max_margin_error(1000, d, alpha):.4f}"
    )
    for name, part in (("N <= 50 ", sizes[:4]), ("N <= 400", sizes)):
        found = direction_rate(part, d, alpha, SEEDS).rate
        expected = fitted_exponent(part, [predicted_max_margin_error(N, d, alpha) for N in part])
        print(
            f"  exponent of N, limit, {name}: {found.value:.3f} {show(found.interval)} "
            f"({found.kind}), predicted {expected:.3f}"
        )
    print(
        f"  exponent of N, first step, N <= 3200: {first.rate.value:.3f} "
        f"{show(first.rate.interval)} ({first.rate.kind})"
    )
    errors = [
        [
            max_margin_error(SeparableData.sample(20, d, seed, 40.0))
            for d in (100, 200, 400, 800, 1600)
        ]
        for seed in range(SEEDS)
    ]
    slopes = [np.polyfit(np.log([99, 199, 399, 799, 1599]), np.log(row), 1)[0] for row in errors]
    print(
        f"  exponent of d - 1, limit, N = 20, alpha = 40: {np.mean(slopes):.3f} (std of one seed: "
        f"{np.std(slopes, ddof=1):.3f})"
    )
    for N, d, alpha in ((10, 1000, 4.0), (10, 1000, 100.0)):
        found = [max_margin_error(SeparableData.sample(N, d, seed, alpha)) for seed in range(SEEDS)]
        print(f"  N = {N} << d = {d}, alpha = {alpha:g}: {np.mean(found):.3f}")
    print("share of 200 seeds with u = w* (0 up to rounding) | probability (Wendel), d = 21")
    for N in (20, 30, 40, 50, 80):
        hits = sum(
            max_margin_error(SeparableData.sample(N, 21, seed, 4.0)) == 0 for seed in range(200)
        )
        print(f"  N {N}: {hits / 200:.3f} | {recovery_probability(N, 21):.3f}")


def convergence() -> None:
    for N, d in ((60, 100), (300, 100)):
        data = SeparableData.sample(N, d, 0, alpha=4.0)
        u, lower, upper = max_margin(data.points, data.labels)
        print(
            f"N {N}, d {d}: margin in [{lower:.12f}, {upper:.12f}]; distance of w_0's direction to "
            f"the solver's, by steps"
        )
        for name, share, normalized in (
            ("normalized, radius 0.25 margin", 0.25, True),
            ("plain, radius 0", 0.0, False),
            ("plain, radius 0.5 margin", 0.5, False),
            ("plain, radius 0.95 margin", 0.95, False),
        ):
            steps = 120_000 if normalized else 40_000
            run = train_linear(
                data.points, data.labels, share * lower, steps=steps, normalized=normalized
            )
            gap = direction_error(run.weights[1:], u)
            at = [
                int(np.searchsorted(run.steps[1:], step)) for step in (1, 100, 1000, 10_000, steps)
            ]
            print(f"  {name:30} " + ", ".join(f"{run.steps[1 + k]}: {gap[k]:.5f}" for k in at))


def memorization() -> None:
    N, small, d, alpha, beta, radius, steps = 450, 50, 200, 8.0, 0.5, 2.0, 2000
    data = SeparableData.sample(N, d, 0, alpha, beta, small)
    run = train_linear(data.points[data.large], data.labels[data.large], radius, steps=steps)
    print(
        f"modified training: N {N}, {small} of small margin {beta}, d {d}, alpha {alpha:g}, radius "
        f"{radius} (l_2)"
    )

    def told(name, learner, points, labels):
        low, high = robust_error_bounds(learner, points, labels, radius)
        clean = robust_error_bounds(learner, points, labels, 0.0)
        print(
            f"  {name}: robust error {low.value:.4f} to {high.value:.4f} (certified), clean "
            f"{clean[0].value:.4f}"
        )

    for k in (1, len(run.steps) // 2, len(run.steps) - 1):
        learner = memorize(run.weights[k], data, radius)
        told(
            f"training, step {run.steps[k]:5}, |w_0| {run.weights[k].norm():8.3f}",
            learner,
            data.points,
            data.labels,
        )
    printed = dataclasses.replace(
        learner, linear=10 * learner.linear, outer=data.labels[~data.large].double()
    )
    told("training, a_i = y_i as printed, 10 w_0     ", printed, data.points, data.labels)
    unit = memorize(learner.linear / learner.linear.norm(), data, radius)
    printed = dataclasses.replace(unit, outer=data.labels[~data.large].double())
    told("training, a_i = y_i as printed, |w_0| = 1  ", printed, data.points, data.labels)
    for name, count in (("test, large margin", 0), ("test, small margin", 2000)):
        fresh = SeparableData.sample(2000, d, 1, alpha, beta, count, data.direction)
        told(name, learner, fresh.points, fresh.labels)
        margin = beta if count else alpha
        exact = [linear_error(learner.linear, data.direction, margin, r) for r in (radius, 0.0)]
        print(f"    w_0 alone (exact): robust {exact[0]:.4f}, clean {exact[1]:.4f}", end="")
        limit = target_learner(data, learner.threshold).network()
        same = agreement(learner.network(), limit, fresh.points, kind="estimate")
        print(
            f"; agreement with the named limit {same.value:.4f} {show(same.interval)} ({same.kind})"
        )
    size = learner.network().size
    print(
        f"  parameters: {size.parameters} = (2 + m) d + 2 m + 2 (m = {small}); a / |w_0| = "
        f"{float(unit.outer.abs().max()):.4f}"
    )


def show(interval: tuple[float, float]) -> str:
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]"


def main() -> None:
    torch.set_num_threads(1)
    for part in (rates, convergence, memorization):
        start = time.process_time()
        part()
        print(f"-- {time.process_time() - start:.1f} CPU s")


if __name__ == "__main__":
    main()
