"""Linear-separable data: the max-margin oracle, FGSM training towards it, and memorization with
robust training error 0.
"""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import stats

from analysis import (
    agreement,
    certified_ball_margins,
    direction_error,
    direction_rate,
    linear_error,
    max_margin_error,
    max_margin_error_bound,
    predicted_max_margin_error,
    recovery_probability,
    robust_error_bounds,
)
from training import MixedLearner, SeparableData, max_margin, memorize, target_learner, train_linear

ALPHA, BETA, RADIUS = 8.0, 0.5, 2.0


@pytest.fixture(scope="module")
def data():
    return SeparableData.sample(N=120, d=150, seed=3, alpha=ALPHA, beta=BETA, small=20)


@pytest.fixture(scope="module")
def learner(data):
    """The end of modified training."""
    run = train_linear(data.points[data.large], data.labels[data.large], RADIUS, steps=300)
    return memorize(run.weights[-1], data, RADIUS)


# -- data ------------------------------------------------------------------------------------------


def test_data_are_what_they_say():
    data = SeparableData.sample(N=4000, d=5, seed=0, alpha=3.0, beta=0.5, small=1000)
    assert data.large.tolist() == [True] * 3000 + [False] * 1000
    assert data.noise @ data.direction == pytest.approx(0, abs=1e-14)
    scale = torch.where(data.large, 3.0, 0.5)
    assert torch.allclose(
        data.points - data.noise, (scale * data.labels)[:, None] * data.direction, atol=1e-15
    )
    covariance = data.noise.T @ data.noise / 4000
    expected = torch.eye(5, dtype=torch.float64) - torch.outer(data.direction, data.direction)
    assert torch.allclose(covariance, expected, atol=0.1)
    assert abs(float(data.labels.double().mean())) < 0.07
    again = SeparableData.sample(N=10, d=5, seed=1, alpha=3.0, direction=data.direction)
    assert torch.equal(again.direction, data.direction)
    assert again.beta == 3.0 / 16


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"N": 0}, "N must be"),
        ({"d": 1}, "d must be >= 2"),
        ({"seed": -1}, "seed must be"),
        ({"small": 5}, "small must be an integer in 0..4"),
        ({"small": True}, "small must be"),
        ({"beta": 2.0}, "0 < beta < alpha"),
        ({"alpha": math.nan}, "0 < beta < alpha"),
        ({"direction": torch.full((3,), math.nan)}, "direction must have shape"),
    ],
)
def test_bad_data_are_refused(changed, complaint):
    with pytest.raises(ValueError, match=complaint):
        SeparableData.sample(**{"N": 4, "d": 3, "seed": 0, "alpha": 2.0} | changed)


# -- the oracle ------------------------------------------------------------------------------------


def by_enumeration(rows):
    """The shortest w with rows @ w >= 1, over all sets of constraints that may be tight."""
    best = None
    for k in range(1, rows.shape[1] + 1):
        for tight in itertools.combinations(range(len(rows)), k):
            w = np.linalg.pinv(rows[list(tight)]) @ np.ones(k)
            if (rows @ w >= 1 - 1e-9).all() and (best is None or w @ w < best @ best):
                best = w
    return best


@pytest.mark.parametrize("seed", range(8))
def test_max_margin_is_that_of_enumeration(seed):
    data = SeparableData.sample(N=7, d=2 + seed % 3, seed=seed, alpha=1.0)
    u, lower, upper = max_margin(data.points, data.labels)
    w = by_enumeration((data.labels[:, None] * data.points).numpy())
    margin = 1 / np.linalg.norm(w)
    assert lower <= margin * (1 + 1e-13)
    assert upper >= margin * (1 - 1e-13)
    assert upper - lower < 1e-12
    assert u.numpy() == pytest.approx(w * margin, abs=1e-6)
    assert float(u.norm()) == pytest.approx(1, abs=1e-14)


def test_the_certificate_is_right_for_every_size():
    for N, d in ((1, 40), (40, 200), (200, 40), (120, 120)):
        data = SeparableData.sample(N, d, seed=N, alpha=5.0)
        u, lower, upper = max_margin(data.points, data.labels)
        assert (
            lower <= float(((data.points @ u) * data.labels).min()) <= upper < lower * (1 + 1e-11)
        )


def test_points_that_no_line_separates_are_refused():
    x = torch.tensor([[1.0, 0.0], [2.0, 0.0]])
    for labels in ([1, -1], [0, 1]):
        with pytest.raises(ValueError, match=r"separable|labels"):
            max_margin(x, torch.tensor(labels))
    with pytest.raises(ValueError, match="NaN"):
        max_margin(x * math.nan, torch.tensor([1, 1]))
    with pytest.raises(ValueError, match="separable"):
        max_margin(0 * x, torch.tensor([1, 1]))


# -- Theorem 4.1 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("normalized", [True, False])
def test_steps_are_fgsm_training_by_autograd(normalized):
    data = SeparableData.sample(N=9, d=6, seed=0, alpha=2.0)
    x, y, radius, rate = data.points, data.labels, 0.7, 0.05
    run = train_linear(x, y, radius, steps=5, rate=rate, normalized=normalized)
    w = torch.zeros(6, dtype=torch.float64)
    for step in range(6):
        assert run.weights[step].numpy() == pytest.approx(w.numpy(), abs=1e-13)
        at = x.clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(torch.exp(-y * (at @ w)).sum(), at)
        lengths = slope.norm(dim=1, keepdim=True)
        # FGSM in l_2
        attacked = x + radius * torch.where(lengths > 0, slope / lengths.clamp_min(1e-300), 0.0)
        w.requires_grad_(True)
        loss = torch.exp(-y * (attacked @ w)).mean()
        assert run.log_loss[step] == pytest.approx(float(loss.detach().log()), abs=1e-12)
        (gradient,) = torch.autograd.grad(loss, w)
        w = (w - rate * gradient / (loss.detach() if normalized else 1)).detach()


@pytest.mark.parametrize(("N", "d"), [(20, 60), (60, 20)])
def test_training_ends_within_a_thousandth_of_the_oracle_and_not_beyond_its_margin(N, d):
    data = SeparableData.sample(N, d, seed=0, alpha=4.0)
    u, lower, upper = max_margin(data.points, data.labels)
    run = train_linear(data.points, data.labels, lower / 4, steps=30_000)
    gap = direction_error(run.weights[1:], u)
    assert gap[-1] < 1e-3 < gap[0]
    assert run.log_loss[-1] < -100
    plain = train_linear(data.points, data.labels, lower / 4, steps=5_000, normalized=False)
    assert 0.05 < direction_error(plain.weights[-1], u) < direction_error(plain.weights[50], u)
    beyond = train_linear(data.points, data.labels, 1.5 * upper, steps=5_000)
    assert float(beyond.weights.norm(dim=1).max()) < 0.1 * float(run.weights[-1].norm())
    assert beyond.log_loss[-1] >= 0


def test_the_limit_is_w_star_exactly_where_noise_surrounds_0_and_else_at_a_known_angle():
    seen = set()
    for seed in range(12):
        data = SeparableData.sample(N=14, d=8, seed=seed, alpha=3.0)
        error = float(
            direction_error(max_margin(data.points, data.labels).direction, data.direction)
        )
        assert max_margin_error(data) == pytest.approx(error, abs=1e-7)
        assert error <= max_margin_error_bound(data) + 1e-9
        seen.add(max_margin_error(data) == 0)
    assert seen == {True, False}


def test_recovery_has_wendels_probability():
    # in R^1: not all signs equal
    assert [recovery_probability(N, 2) for N in (1, 2, 5)] == [0, 1 / 2, 15 / 16]
    hits = sum(max_margin_error(SeparableData.sample(9, 5, seed, 2.0)) == 0 for seed in range(300))
    low, high = stats.binom.interval(0.9999, 300, recovery_probability(9, 5))
    assert low <= hits <= high


def test_errors_are_those_of_the_prediction_and_their_rate():
    sizes = [20, 40, 80]
    found = direction_rate(sizes, d=200, alpha=8.0, seeds=4)
    predicted = [predicted_max_margin_error(N, 200, 8.0) for N in sizes]
    assert found.errors.mean(0) == pytest.approx(predicted, rel=0.05)
    assert -0.8 < found.rate.value < -0.5
    assert found.rate.kind == "estimate"
    assert found.rate.interval[0] <= found.rate.value <= found.rate.interval[1] < 0
    averaged = direction_rate(
        sizes, d=200, alpha=80.0, seeds=4, learn=lambda d: (d.labels[:, None] * d.points).mean(0)
    )
    assert averaged.rate.value == pytest.approx(-0.5, abs=0.06)
    with pytest.raises(ValueError, match="above 0"):
        direction_rate([20, 200], d=20, alpha=8.0, seeds=2)


# -- Theorem 4.2 -----------------------------------------------------------------------------------


def test_modified_training_ends_at_robust_training_error_0_proved(data, learner):
    lower, upper = robust_error_bounds(learner, data.points, data.labels, RADIUS)
    assert (lower.value, upper.value) == (0, 0)
    assert (lower.kind, upper.kind) == ("certified lower bound", "certified upper bound")
    margins = certified_ball_margins(learner, data.points, data.labels, RADIUS)
    length, small = float(learner.linear.norm()), ~data.large
    # as the docstring of memorize says
    assert float(margins[small].min()) >= length * (ALPHA - RADIUS) * (1 - 1e-9)
    # On a large-margin point's ball f is w_0.x, so the bound is the minimum.
    expected = (data.labels * (data.points @ learner.linear))[data.large] - RADIUS * length
    assert margins[data.large].numpy() == pytest.approx(expected.numpy(), rel=1e-9)
    # On a small-margin point's it is w_0.x + a y (w_i.x - b), and w_i is orthogonal to w_0.
    assert (learner.neurons @ learner.linear).abs().max() < 1e-9 * length
    own = learner.neurons.square().sum(1) - learner.threshold
    slope = (length**2 + learner.outer.square() * learner.neurons.square().sum(1)).sqrt()
    expected = (
        (data.labels * (data.points @ learner.linear))[small]
        + learner.outer.abs() * own
        - RADIUS * slope
    )
    assert margins[small].numpy() == pytest.approx(expected.numpy(), rel=1e-9)
    assert torch.equal(learner.outer.sign().long(), data.labels[small])


def test_the_network_is_the_learner_exactly(data, learner):
    x = [Fraction(v) for v in data.points[-1].tolist()]

    def dot(w):
        return sum(Fraction(a) * b for a, b in zip(w.tolist(), x, strict=True))

    hidden = [max(Fraction(0), dot(w) - Fraction(learner.threshold)) for w in learner.neurons]
    value = dot(learner.linear) + sum(
        Fraction(a) * h for a, h in zip(learner.outer.tolist(), hidden, strict=True)
    )
    network = learner.network()
    assert network.exact(data.points[-1:].numpy())[0, 0] == value
    assert torch.allclose(network(data.points), learner(data.points), rtol=1e-12)
    assert network.size.parameters == (2 + 20) * 150 + 20 * 2 + 2


def test_robust_training_error_stays_where_the_theorem_does_not_reach(data, learner):
    small = 20 / 120
    alone = MixedLearner(learner.linear, learner.neurons[:0], learner.outer[:0], 0.0)
    # a_i = y_i as printed, while |w_0| grows in training: neurons of a fixed size lose against
    # radius |w_0|.
    printed = replace(learner, linear=100 * learner.linear, outer=learner.outer.sign())
    for failing in (alone, printed):
        lower, upper = robust_error_bounds(failing, data.points, data.labels, RADIUS)
        assert lower.value == upper.value == pytest.approx(small)
    assert (
        robust_error_bounds(
            memorize(4 * learner.linear, data, RADIUS), data.points, data.labels, RADIUS
        )[1].value
        == 0
    )
    wrong = replace(learner, outer=-learner.outer)
    assert robust_error_bounds(wrong, data.points, data.labels, RADIUS)[0].value == pytest.approx(
        small
    )
    with pytest.raises(ValueError, match="room for a threshold"):
        memorize(learner.linear, data, radius=6.5)
    with pytest.raises(ValueError, match="below alpha"):
        memorize(learner.linear, data, radius=ALPHA)
    with pytest.raises(ValueError, match="length above 0"):
        memorize(0 * learner.linear, data, RADIUS)
    low_dimension = SeparableData.sample(N=120, d=10, seed=0, alpha=ALPHA, small=20)
    with pytest.raises(ValueError, match="room for a threshold"):
        memorize(low_dimension.direction, low_dimension, 0.5)


def test_longer_w_0_has_longer_outer_weights(data, learner):
    longer = memorize(4 * learner.linear, data, RADIUS)
    assert longer.outer.numpy() == pytest.approx(4 * learner.outer.numpy(), rel=1e-12)
    assert longer.threshold == pytest.approx(learner.threshold, rel=1e-12)
    large_only = replace(data, large=torch.ones_like(data.large))
    assert len(memorize(learner.linear, large_only, RADIUS).neurons) == 0


def test_memorization_does_not_generalize_robustly(data, learner):
    fresh = SeparableData.sample(400, 150, 9, ALPHA, BETA, small=400, direction=data.direction)
    lower, _ = robust_error_bounds(learner, fresh.points, fresh.labels, RADIUS)
    assert lower.value > 0.9
    exact = linear_error(learner.linear, data.direction, BETA, RADIUS)
    assert lower.interval[0] <= exact <= lower.interval[1]
    target = target_learner(data, learner.threshold)
    same = agreement(learner.network(), target.network(), fresh.points, kind="estimate")
    # where signs differ: the named limit makes no error there
    wrong = linear_error(learner.linear, data.direction, BETA)
    assert same.interval[0] <= 1 - wrong <= same.interval[1]
    assert (learner.neurons - target.neurons).norm(dim=1).max() < 3.5 * direction_error(
        learner.linear, data.direction
    )


def test_linear_error_is_the_share_of_errors():
    data = SeparableData.sample(20_000, 4, 0, alpha=2.0, beta=1.0, small=20_000)
    w = torch.tensor([1.0, 0.5, -0.3, 0.2]).double() + 2 * data.direction
    for radius in (0.0, 0.5, 1.5):
        found = ((data.points @ w) * data.labels <= radius * w.norm()).double().mean()
        assert float(found) == pytest.approx(
            linear_error(w, data.direction, 1.0, radius), abs=0.015
        )
    assert [linear_error(data.direction, data.direction, 1.0, r) for r in (0.0, 0.9, 1.1)] == [
        0,
        0,
        1,
    ]


@pytest.mark.parametrize("seed", range(8))
def test_certified_margins_lie_below_all_values_in_the_ball(seed):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    learner = MixedLearner(draw(2), 2 * draw(5, 2), draw(5), 0.5)
    x, y = 2 * draw(30, 2), torch.randint(2, (30,), generator=generator) * 2 - 1
    angles = torch.arange(60).double() * (2 * math.pi / 60)
    circle = torch.stack([angles.cos(), angles.sin()], 1)
    inside = torch.cat([radius * circle for radius in (0.0, 0.05, 0.1)])
    values = y[:, None] * learner(x[:, None] + inside)[..., 0]
    bounds = certified_ball_margins(learner, x, y, 0.1)
    assert (bounds <= values.amin(1)).all()
    signs = (x[:, None] + inside) @ learner.neurons.T > learner.threshold
    settled = (signs == signs[:, :1]).all((1, 2)) & ~(
        signs[:, 0] & (y[:, None] * learner.outer < 0)
    ).any(1)
    # which is what the sampling of the circle may miss
    assert ((values.amin(1) - bounds)[settled] < 0.005).all()
    lower, upper = robust_error_bounds(learner, x, y, 0.1)
    assert lower.count <= int((values <= 0).any(1).sum()) <= upper.count


def test_bad_questions_are_refused(data, learner):
    x, y = data.points, data.labels
    for call, complaint in (
        (
            lambda: certified_ball_margins(learner, x[:, :3], y, 1.0),
            "points must have shape",
        ),
        (lambda: certified_ball_margins(learner, x * math.nan, y, 1.0), "points must be finite"),
        (lambda: certified_ball_margins(learner, x, y[:3], 1.0), "labels must have shape"),
        (lambda: robust_error_bounds(learner, x, y, -1.0), "radius must be"),
        (lambda: train_linear(x, y, -1.0), "radius must be"),
        (lambda: train_linear(x, y, rate=0.0), "rate must be positive"),
        (lambda: train_linear(0 * x, y), "points must not all be 0"),
        (lambda: replace(data, labels=0 * y), "labels must be"),
        (lambda: replace(data, labels=y[:3]), "must fit together"),
        (lambda: train_linear(x, y, steps=0), "steps must be"),
        (lambda: train_linear(x[0], y), r"labels must have shape \(1,\)"),
        (lambda: train_linear(x[None], y), "points must have shape"),
        (lambda: direction_error(0 * x, x[0]), "must not be 0"),
        (lambda: predicted_max_margin_error(0, 5, 1.0), "N must be"),
    ):
        with pytest.raises(ValueError, match=complaint):
            call()
    with pytest.raises(FloatingPointError, match="step"):
        train_linear(x, y, rate=1e308)
