"""Flatness: what is found in a sweep over radii, exact values from linear regions, and certified
bounds.
"""

import itertools
import json
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from analysis import change_bound, exact_flatness, flatness_profile
from analysis.behaviour.flatness import log_odds
from constructions import Ball, ReLUNetwork, affine, f_S
from training import build_model, classification_loss, mlp

NORMS = ["inf", 2]
RADII = [0.02, 0.05, 0.1, 0.2, 0.35]


def small(outputs, inputs=2, widths=(8, 6), seed=0):
    """A network whose slopes are large enough that the loss is far from linear."""
    network = ReLUNetwork.from_module(mlp([inputs, *widths, outputs], seed))
    last = network.layers[-1]
    shifted = [(layer.weight.to_dense(), layer.bias.to_dense()[:, 0]) for layer in network.layers]
    shifted[-1] = (8 * last.weight.to_dense(), last.bias.to_dense()[:, 0])
    return ReLUNetwork.from_layers(shifted)


def data(outputs, count=6, inputs=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(count, inputs, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, max(2, outputs), (count,), generator=generator)
    return points, labels if outputs > 1 else 2 * labels - 1


def loss_and_gradient(network, x, label):
    """Of all rows of x, by autograd."""
    x = x.clone().requires_grad_(True)
    loss = classification_loss(network(x), torch.full((len(x),), label))
    return loss.detach(), torch.autograd.grad(loss.sum(), x)[0]


def on_a_grid(network, point, label, radius, p, steps=201):
    """Largest gradient norm and loss change at the points of a dense grid in ball and cube."""
    axes = [
        torch.linspace(max(c - radius, 0.0), min(c + radius, 1.0), steps, dtype=torch.float64)
        for c in point.tolist()
    ]
    grid = torch.cartesian_prod(*axes).reshape(-1, len(axes))
    grid = grid[torch.linalg.vector_norm(grid - point, dim=1) <= radius] if p == 2 else grid
    loss, gradient = loss_and_gradient(network, grid, label)
    clean, _ = loss_and_gradient(network, point[None], label)
    return float(torch.linalg.vector_norm(gradient, ord=2 if p == 2 else 1, dim=1).max()), float(
        (loss - clean).max()
    )


@pytest.mark.parametrize(("p", "dual"), [("inf", 1), (2, 2)])
def test_a_linear_network_has_closed_forms(p, dual):
    w = torch.tensor([[0.5, -1.0]])
    points, labels = torch.full((3, 2), 0.5), torch.tensor([1, 1, -1])
    profile = flatness_profile(affine(w), points, labels, Ball(p, 0.1), [0.0, 0.1, 0.2])
    size = float(torch.linalg.vector_norm(w, ord=dual))
    clean = torch.tensor([0.25, 0.25, -0.25])  # -y f
    for k, radius in enumerate(profile.radii):
        worst = clean + radius * size
        assert torch.allclose(profile.gradient[:, k], size * torch.sigmoid(worst), rtol=1e-5)
        change = functional.softplus(worst) - functional.softplus(clean)
        assert torch.allclose(profile.change[:, k], change, rtol=1e-4, atol=1e-7)
        assert torch.equal(profile.wrong[:, k], worst >= 0)
    assert profile.kind == "empirical lower bound"


def test_log_odds_give_the_loss():
    outputs = torch.randn(50, 4, dtype=torch.float64) * 5
    labels = torch.arange(50) % 4
    assert torch.allclose(
        functional.softplus(log_odds(outputs, labels)), classification_loss(outputs, labels)
    )
    signs = 2 * (labels % 2) - 1
    assert torch.equal(
        functional.softplus(log_odds(outputs[:, :1], signs)),
        classification_loss(outputs[:, :1], signs),
    )


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("outputs", [1, 3])
def test_searches_reach_dense_grids(p, outputs):
    network = small(outputs)
    points, labels = data(outputs)
    profile = flatness_profile(network, points, labels, Ball(p, 0.1), RADII, steps=100)
    assert (profile.gradient.diff(dim=1) >= 0).all()
    assert (profile.change.diff(dim=1) >= 0).all()
    found, best = torch.zeros(2, len(RADII)), torch.zeros(2, len(RADII))
    for (i, point), (k, radius) in itertools.product(enumerate(points), enumerate(RADII)):
        gradient, change = on_a_grid(network, point, int(labels[i]), radius, p)
        found[:, k] += torch.tensor([profile.gradient[i, k], profile.change[i, k]])
        best[:, k] += torch.tensor([gradient, change])
    share = found / best
    assert (share[1] >= 0.97).all()
    assert (share[0, :3] >= 0.95).all()
    assert (share[0] >= 0.6).all()  # the steepest cells of a net with two inputs are small


@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_exact_values_lie_between_grids_and_bounds(outputs):
    network = small(outputs, widths=(6, 5))
    points, labels = data(outputs, count=3)
    lower, upper = exact_flatness(network, points, labels, Ball("inf", 0.1), RADII[1::2])
    profile = flatness_profile(network, points, labels, Ball("inf", 0.1), RADII[1::2])
    assert (profile.change <= upper.change + 1e-12).all()
    assert (profile.gradient <= upper.gradient * (1 + 1e-12)).all()
    assert not (profile.wrong & ~upper.wrong).any()
    assert (lower.gradient <= upper.gradient).all()
    for (i, point), (k, radius) in itertools.product(enumerate(points), enumerate(RADII[1::2])):
        gradient, change = on_a_grid(network, point, int(labels[i]), radius, "inf", 401)
        assert change <= upper.change[i, k] + 1e-12
        assert change == pytest.approx(float(upper.change[i, k]), rel=0.02, abs=1e-9)
        assert gradient <= upper.gradient[i, k] * (1 + 1e-12)
        assert gradient >= 0.9 * lower.gradient[i, k]
    if outputs <= 2:
        assert lower is upper
        assert upper.kind == "exact"
    else:
        assert torch.equal(lower.change, upper.change)
        assert (lower.kind, upper.kind) == ("certified lower bound", "certified upper bound")


def test_two_classes_are_one_output():
    network = small(1)
    (w, b), labels = (
        (m.to_dense() for m in (network.layers[-1].weight, network.layers[-1].bias)),
        torch.tensor([1, -1, 1]),
    )
    hidden = [
        (layer.weight.to_dense(), layer.bias.to_dense()[:, 0]) for layer in network.layers[:-1]
    ]
    pair = ReLUNetwork.from_layers(
        [*hidden, (torch.cat([-w / 2, w / 2]), torch.cat([-b / 2, b / 2])[:, 0])]
    )
    points, _ = data(1, 3)
    one, two = (
        exact_flatness(net, points, y, Ball("inf", 0.1), [0.1])[0]
        for net, y in ((network, labels), (pair, (labels + 1) // 2))
    )
    assert torch.allclose(one.gradient, two.gradient)
    assert torch.allclose(one.change, two.change)
    assert torch.equal(one.wrong, two.wrong)


def test_with_three_classes_the_gradient_may_be_largest_away_from_vertices():
    """p_1, which multiplies the slope 300, peaks inside the box, which is one cell."""
    network = affine([[0.0, 0.0], [200.0, 300.0], [400.0, 0.0]], [0.0, -100.0, -200.0])
    point = torch.tensor([[0.5, 0.0]], dtype=torch.float64)
    lower, upper = exact_flatness(network, point, torch.tensor([0]), Ball("inf", 0.1), [2.0**-6])
    gradient, _ = on_a_grid(network, point[0], 0, 2.0**-6, "inf")
    assert lower.gradient.item() + 10 < gradient < upper.gradient.item() < gradient + 10


def test_f_s_is_exactly_flat_on_its_balls_and_steep_beyond():
    points = torch.tensor(
        [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]], dtype=torch.float64
    )
    labels = torch.tensor([1, -1, -1, 1])
    ball = Ball("inf", 0.125)
    network = f_S(affine([[2.0, 1.0]], [-1.5]), points, labels, ball)
    radii = [0.0625, 0.125, 0.2]
    exact, _ = exact_flatness(network, points, labels, ball, radii)
    assert (exact.gradient[:, :2] == 0).all()
    assert (exact.change[:, :2] == 0).all()
    assert not exact.wrong[:, :2].any()
    assert (exact.gradient[:, 2] > 0.5).all()
    assert (exact.change[:, 2] > 0).all()
    profile = flatness_profile(network, points, labels, ball, radii)
    assert (profile.gradient <= exact.gradient + 1e-9).all()
    assert (profile.change <= exact.change + 1e-9).all()
    # found beyond the plateau; the steepest cells are thin
    assert (profile.gradient[:, 2] > 1).all()


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("outputs", [1, 4])
def test_certified_change_is_never_exceeded(p, outputs):
    network = small(outputs, inputs=5, widths=(16, 16))
    points, labels = data(outputs, count=20, inputs=5)
    radii = [0.01, 0.05, 0.2]
    profile = flatness_profile(network, points, labels, Ball(p, 0.1), radii)
    for k, radius in enumerate(radii):
        bound = change_bound(network, points, labels, Ball(p, radius))
        assert (profile.change[:, k] <= bound).all()
    # m against logsumexp: no slack for one output
    at_once = change_bound(network, points, labels, Ball(p, 0.0))
    assert (at_once >= 0).all()
    assert outputs > 1 or at_once.max() < 1e-9


def test_forms_of_a_model_agree():
    module = mlp([4, 8, 3], seed=1)
    network = ReLUNetwork.from_module(module)
    labels = torch.tensor([0, 1, 2, 0, 1])
    images = torch.randint(
        0, 256, (5, 1, 2, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    flat = images.flatten(1).double() / 255
    one = flatness_profile(
        nn.Sequential(nn.Flatten(), module).double(), images, labels, Ball("inf", 0.1), RADII
    )
    two = flatness_profile(network, flat, labels, Ball("inf", 0.1), RADII)
    three = flatness_profile(
        lambda x: network(x.flatten(1)), flat.reshape(5, 1, 2, 2), labels, Ball("inf", 0.1), RADII
    )
    for curve in ("gradient", "change"):
        assert torch.equal(getattr(two, curve), getattr(three, curve))
        assert torch.allclose(getattr(one, curve), getattr(two, curve), rtol=1e-9)
    assert one.gradient.dtype == two.gradient.dtype == torch.float64


def test_images_through_a_convolutional_module_in_batches():
    module = build_model("lenet5", (1, 28, 28), 10).train()
    images = torch.randint(
        0, 256, (5, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    rows, ticks = [], []

    def model(x):
        rows.append(len(x))
        return module(x)

    profile = flatness_profile(
        model,
        images,
        torch.arange(5),
        Ball("inf", 0.1),
        [0.0, 0.1],
        steps=4,
        batch_size=2,
        report=ticks.append,
    )
    assert profile.gradient.dtype == torch.float32
    assert max(rows) == 2
    assert [(p.done, p.total) for p in ticks] == [(k, 6) for k in range(1, 7)]
    assert (profile.change[:, 0] == 0).all()
    assert (profile.change[:, 1] > 0).all()
    assert all(parameter.grad is None for parameter in module.parameters())
    flatness_profile(module, images, torch.arange(5), Ball("inf", 0.1), [0.0], steps=1)
    assert module.training  # as it was


def test_confident_points_are_attacked_although_their_loss_is_zero_in_float32():
    profile = flatness_profile(
        affine([[400.0]]), torch.tensor([[0.5]]), torch.tensor([1]), Ball("inf", 0.1), [0.0, 0.6]
    )
    assert profile.gradient[0, 0] == 0
    assert profile.change[0, 1].item() == pytest.approx(math.log(2))  # at x = 0
    assert profile.gradient[0, 1].item() == pytest.approx(200)
    assert profile.wrong.tolist() == [[False, True]]


def test_points_stay_in_ball_and_cube():
    seen = []

    def model(x):
        seen.append(x.detach().clone())
        return x @ torch.tensor([[1.0], [-2.0]])

    points = torch.tensor([[0.05, 0.95]])
    flatness_profile(model, points, torch.tensor([1]), Ball("inf", 0.1), [0.1, 0.2])
    path = torch.cat(seen)
    assert path.min() >= 0
    assert path.max() <= 1
    assert (path.double() - points.double()).abs().max() <= 0.2


def test_cost_is_as_stated():
    count = []

    def model(x):
        count.append(torch.is_grad_enabled())
        return x @ torch.ones(2, 1)

    points, labels = torch.rand(3, 2), torch.tensor([1, 1, -1])
    costs = []
    for radii in ([0.1], np.linspace(0.01, 0.3, 12)):
        count.clear()
        flatness_profile(model, points, labels, Ball("inf", 0.1), radii, steps=20)
        costs.append(sum(count))
    assert costs[1] <= 2.8 * costs[0]
    assert costs[0] == 1 + 20 + 20 + 2 * 15


def test_means_and_contrast_have_intervals_and_summaries_are_small():
    points, labels = data(1, 40)
    profile = flatness_profile(small(1), points, labels, Ball("inf", 0.1), RADII)
    for curve in ("gradient", "change"):
        means = profile.mean(curve)
        assert [m.value for m in means] == pytest.approx(getattr(profile, curve).mean(0).tolist())
        assert all(
            m.interval[0] <= m.value <= m.interval[1] and m.kind == "empirical lower bound"
            for m in means
        )
    assert [m.count for m in profile.mean("wrong")] == profile.wrong.sum(0).tolist()
    contrast = profile.contrast(0.1, 0.35)
    assert contrast.value == pytest.approx(
        float(profile.gradient[:, 4].mean() / profile.gradient[:, 2].mean())
    )
    assert contrast.interval[0] <= contrast.value <= contrast.interval[1]
    text = json.dumps(profile.summary(), allow_nan=False)
    assert len(text) < 4000
    with pytest.raises(ValueError, match="outer must be one of"):
        profile.contrast(0.1, 0.3)
    with pytest.raises(ValueError, match="curve must be one of"):
        profile.mean("height")


def test_results_depend_on_the_seed_only():
    points, labels = data(3, 8)
    runs = [
        flatness_profile(small(3), points, labels, Ball(2, 0.1), RADII, seed=seed, steps=4)
        for seed in (1, 1, 2)
    ]
    assert torch.equal(runs[0].gradient, runs[1].gradient)
    assert not torch.equal(runs[0].gradient, runs[2].gradient)


def test_nan_is_an_error():
    with pytest.raises(FloatingPointError, match="NaN or infinite"):
        flatness_profile(
            lambda x: x * torch.nan, torch.rand(2, 3), torch.tensor([0, 1]), Ball(2, 0.1), [0.1]
        )
    far = torch.full((1, 1), 0.5)
    with pytest.raises(FloatingPointError, match=r"within radius 0\.25"):
        flatness_profile(
            lambda x: torch.sqrt(0.5 - x + 1e-9),
            far,
            torch.tensor([1]),
            Ball("inf", 0.1),
            [0.0, 0.25],
        )


def test_bad_arguments_are_refused():
    x, y, network = torch.rand(2, 1), torch.tensor([1, 1]), affine([[1.0]])
    for function in (flatness_profile, exact_flatness):
        for radii in ([], [0.2, 0.1], [0.1, 0.1], [-0.1, 0.1], [0.1, math.nan], [0.1, math.inf]):
            with pytest.raises(ValueError, match="radii must be"):
                function(network, x, y, Ball("inf", 0.1), radii)
        with pytest.raises(ValueError, match=r"labels must be -1 or \+1"):
            function(network, x, torch.tensor([1, 0]), Ball("inf", 0.1), [0.1])
        with pytest.raises(ValueError, match=r"points must lie in \[0, 1\]"):
            function(network, x + 1.5, y, Ball("inf", 0.1), [0.1])
    with pytest.raises(ValueError, match="steps and batch_size"):
        flatness_profile(network, x, y, Ball(2, 0.1), [0.1], steps=0)
    with pytest.raises(ValueError, match="points must have shape"):
        flatness_profile(network, x[:0], y[:0], Ball(2, 0.1), [0.1])
    with pytest.raises(ValueError, match="p = inf and positive radii"):
        exact_flatness(network, x, y, Ball(2, 0.1), [0.1])
    with pytest.raises(ValueError, match="p = inf and positive radii"):
        exact_flatness(network, x, y, Ball("inf", 0.1), [0.0, 0.1])
    with pytest.raises(ValueError, match="at most max_cells = 2"):
        exact_flatness(
            small(1), torch.full((1, 2), 0.5), y[:1], Ball("inf", 0.1), [0.4], max_cells=2
        )
