"""The ledger on linear-separable data: the direction of w_0, and the mixed learner that memorizes
small-margin points.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from constructions import fitted_exponent
from training import SeparableData, max_margin, memorize, target_learner, train_linear

from ..behaviour.agreement import agreement
from ..theory.separable import (
    direction_error,
    direction_rate,
    max_margin_error,
    max_margin_error_bound,
    predicted_max_margin_error,
    robust_error_bounds,
)
from .claims import Check, at_least, at_most, between, claim, equal

SIZES, DIMENSION, ALPHA = (6, 12, 25, 50), 400, 40.0


@claim(
    "cgrm-theorem-4.1",
    "trained with FGSM on large-margin points alone, the direction of w_0 tends to w* up to o(1), "
    "with high probability",
    "holds with correction",
    "the error is 2 sin(t/2), tan t = r / alpha, r the distance of 0 from the hull of the y_i "
    "xi_i: about sqrt(d/N) / alpha "
    "for N << d, and exactly 0 with Wendel's probability from about N = 2d on; it is not small "
    "unless sqrt(d/N) << alpha",
    on=(
        "separable data: N = 6, 12, 25, 50, d = 400, alpha = 40, ten seeds; N = 14, d = 8, "
        "alpha = 3, 12 seeds; N = 10, d = 1000, alpha = 4"
    ),
    also=["cgrm-theorem-b.1"],
)
def direction_of_w0() -> Iterator[Check]:
    """The fitted rate, the equation for the limit, and where o(1) fails."""
    found = direction_rate(SIZES, DIMENSION, ALPHA).rate
    predicted = fitted_exponent(
        SIZES, [predicted_max_margin_error(n, DIMENSION, ALPHA) for n in SIZES]
    )
    assert found.interval is not None
    yield between(
        "exponent of N, N = 6 to 50, d = 400, alpha = 40, ten seeds",
        found.value,
        -0.6,
        -0.45,
        "estimate",
    )
    yield between(
        "its predicted value, beside the 95% interval", predicted, *found.interval, "estimate"
    )
    gaps, bounded = [], []
    for seed in range(12):
        data = SeparableData.sample(14, 8, seed, 3.0)
        error = float(
            direction_error(max_margin(data.points, data.labels).direction, data.direction)
        )
        gaps.append(abs(error - max_margin_error(data)))
        bounded.append(max_margin_error_bound(data) - error)
    yield at_most("12 data sets, N = 14, d = 8: largest |error - 2 sin(t/2)|", max(gaps), 1e-7)
    yield at_least(
        "the same: least bound 2 |mean of y xi| / alpha minus error", min(bounded), -1e-9
    )
    yield at_least(
        "N = 10, d = 1000, alpha = 4: error",
        max_margin_error(SeparableData.sample(10, 1000, 0, 4.0)),
        1,
    )


@claim(
    "cgrm-lemma-b.2",
    "the direction of w_0 under adversarial training tends to the max-margin direction u",
    "holds with correction",
    "for radii below the margin gamma; beyond it w_0 stays bounded. Plain descent approaches like "
    "1 / log k; with steps "
    "divided by the loss, which follow the same curve, 120,000 steps come within 1e-3",
    on="separable data: N = 60, d = 100, alpha = 4; radii gamma / 4 and 1.5 gamma",
)
def implicit_bias() -> Iterator[Check]:
    """Training beside a solver whose optimality is certified."""
    data = SeparableData.sample(60, 100, 0, 4.0)
    found = max_margin(data.points, data.labels)
    yield at_least(
        "solver: margin over its upper bound",
        found.lower / found.upper,
        1 - 1e-9,
        "certified lower bound",
    )
    run = train_linear(data.points, data.labels, found.lower / 4, steps=120_000)
    yield at_most(
        "|w_0 / |w_0| - u|, radius gamma / 4",
        direction_error(run.weights[-1], found.direction).item(),
        1e-3,
    )
    beyond = train_linear(data.points, data.labels, 1.5 * found.upper, steps=5000)
    yield at_most("largest |w_0|, radius 1.5 gamma", float(beyond.weights.norm(dim=1).max()), 1)


@claim(
    "cgrm-theorem-4.2",
    "modified adversarial training on all points ends with robust training error 0",
    "holds with correction",
    "in l_2, with a_i = a y_i, a proportional to |w_0|, and b between what neurons have on their "
    "own balls and on others "
    "(about 2 delta < sqrt(d) - sqrt(2 log(N m)) leaves room); with a_i = y_i, where w_0 is not "
    "normalized, all small-margin "
    "balls end up wrong",
    on=(
        "separable data: N = 450 (50 of small margin), d = 200, alpha = 8, beta = 1/2, l_2, "
        "delta = 2; 2,000 test points"
    ),
    also=["cgrm-theorem-b.3"],
)
def modified_training() -> Iterator[Check]:
    """Robust errors certified from both sides, and the function beside the paper's limit."""
    data, radius = SeparableData.sample(450, 200, 0, 8.0, 0.5, 50), 2.0
    large = data.large
    linear = train_linear(data.points[large], data.labels[large], radius, steps=2000).weights[-1]
    learner = memorize(linear, data, radius)
    _, upper = robust_error_bounds(learner, data.points, data.labels, radius)
    yield equal(
        "robust training error, l_2 radius 2, alpha = 8, beta = 1/2, d = 200",
        upper.value,
        0,
        "certified upper bound",
    )
    printed = replace(learner, linear=10 * linear, outer=data.labels[~large].double())
    lower, _ = robust_error_bounds(printed, data.points, data.labels, radius)
    what = "the same with a_i = y_i and w_0 ten times longer (50 of 450 points are of small margin)"
    yield at_least(what, lower.value, 0.11, "certified lower bound")
    fresh = SeparableData.sample(2000, 200, 1, 8.0, 0.5, 1000, direction=data.direction)
    small = ~fresh.large
    error = robust_error_bounds(learner, fresh.points[small], fresh.labels[small], radius)[0].value
    yield at_least("robust test error on small-margin points", error, 0.99, "certified lower bound")
    share = agreement(
        learner.network(), target_learner(data, learner.threshold).network(), fresh.points
    ).value
    yield at_least(
        "agreement with the limit that the paper names, on 2,000 test points",
        share,
        0.99,
        "estimate",
    )
