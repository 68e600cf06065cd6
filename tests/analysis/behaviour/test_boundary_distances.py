"""Distances of points to the decision boundary: closed forms, complete search, proofs from both
sides.
"""

import functools
import importlib
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from analysis import BoundaryDistances, boundary_distances, certify, robust_error, small_margin
from analysis import boundary_distance as exact_margin
from constructions import Ball, ReLUNetwork, affine, f_S
from training import build_model, is_error, load_data, mlp

NORMS = ["inf", 2]


def uniform(count, *shape, seed=0):
    return torch.rand(
        count, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


@functools.cache
def trained(outputs, seed=0, inputs=3, widths=(12, 12)):
    """A small network that bends: trained on a sine for one output, on stripes for more; points
    with its labels, but one.
    """
    x = uniform(200, inputs, seed=seed).float()
    classes = (
        ((5 * x[:, 0] + 3 * x[:, 1]).long() % outputs)
        if outputs > 1
        else (torch.sin(8 * x[:, 0]) > x[:, 1]).long()
    )
    model = mlp([inputs, *widths, outputs], seed)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(120):
        optimizer.zero_grad()
        out = model(x)
        loss = (
            nn.functional.softplus(-(2 * classes - 1) * out[:, 0])
            if outputs == 1
            else nn.functional.cross_entropy(out, classes)
        )
        loss.mean().backward()
        optimizer.step()
    x = x[:20]
    with torch.no_grad():
        labels = model(x).argmax(1) if outputs > 1 else model(x)[:, 0].sign().long()
    labels[0] = (labels[0] + 1) % outputs if outputs > 1 else -labels[0]
    return model, x, labels


def linear_distance(w, b, x, p, pieces=200):
    """min ||z - x||_p over z in [0,1]^D with w z + b <= 0, w x + b > 0: the least t with min of w
    on ball and cube <= -b.

    For l_inf the minimum over ball and cube is at x - t sign(w), clamped; for l_2 the nearest point
    is clamp(x - s w) by the conditions of Karush, Kuhn and Tucker. Both are bisected in s."""
    step, low, high = (np.sign(w) if p == "inf" else w), 0.0, 1.0
    while w @ np.clip(x - high * step, 0, 1) + b > 0:
        high *= 2
        if high > 1e6:
            return math.inf
    for _ in range(pieces):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if w @ np.clip(x - middle * step, 0, 1) + b > 0 else (low, middle)
        )
    return float(
        np.linalg.norm(np.clip(x - high * step, 0, 1) - x, ord=np.inf if p == "inf" else 2)
    )


# -- closed forms ----------------------------------------------------------------------------------


@pytest.mark.parametrize("p", NORMS)
def test_linear_networks_have_the_distance_of_the_formula(p):
    w, x = torch.tensor([[0.5, -1.0, 2.0, 0.25]], dtype=torch.float64), 0.4 + 0.2 * uniform(30, 4)
    values = (x @ w.T)[:, 0] - 0.75
    found = boundary_distances(
        affine(w, [-0.75]), x, values.sign().long(), Ball(p, 0.5), restarts=1
    )
    distance = values.abs() / torch.linalg.vector_norm(w, ord=1 if p == "inf" else 2)
    assert distance.max() < 0.4  # the cube does not cut
    assert (found.upper >= distance).all()
    assert torch.allclose(found.upper, distance, rtol=1e-4, atol=0)
    assert (found.lower < distance).all()
    # linear bounds are sharp here: the next radius failed
    assert (found.lower >= distance / 2 ** (1 / 8) * (1 - 1e-6)).all()
    assert found.upper_kind == "certified upper bound"


@pytest.mark.parametrize("p", NORMS)
def test_the_cube_cuts_and_hides_errors(p):
    """Points near the faces; for some, the nearest error outside of the cube is nearer, or there is
    none inside.
    """
    w, b, x = torch.tensor([[2.0, 1.0, -1.0]], dtype=torch.float64), 0.35, uniform(40, 3, seed=1)
    values = (x @ w.T)[:, 0] + b
    x, values = x[values > 0], values[values > 0]
    oracle = torch.tensor(
        [linear_distance(w[0].numpy(), b, row.numpy(), p) for row in x], dtype=torch.float64
    )
    free = values / torch.linalg.vector_norm(w, ord=1 if p == "inf" else 2)
    assert ((oracle > 1.1 * free) & (oracle < 0.9)).sum() > 5
    found = boundary_distances(
        affine(w, [b]), x, torch.ones(len(x), dtype=torch.int64), Ball(p, 2.0), restarts=1
    )
    assert (found.upper >= oracle * (1 - 1e-12)).all()
    assert (found.upper <= oracle * 1.01).all()
    none = boundary_distances(
        affine(w, [1.5]), x, torch.ones(len(x), dtype=torch.int64), Ball(p, 2.0), steps=10
    )
    assert (none.upper == math.inf).all()
    assert torch.equal(none.nearest, x)
    assert (none.lower == 2.0).all()


def test_points_that_are_errors_are_at_distance_zero_and_ties_next_to_it():
    net, x = affine([[1.0]], [-0.5]), [[0.25], [0.5], [0.75]]
    found = boundary_distances(net, x, [1, 1, 1], Ball("inf", 0.5), restarts=1)
    assert found.upper[0] == 0
    assert 0 <= found.upper[1] < 1e-4  # f = 0: an enclosure with rounding cannot tell
    assert 0.25 <= found.upper[2] < 0.2501
    assert found.lower[:2].tolist() == [0, 0]


def test_errors_that_float32_invents_are_sought_a_little_beyond_but_within_the_cube():
    walk_back = importlib.import_module("analysis.behaviour.boundary_distances")._walk_back
    x, towards, y = (
        torch.tensor([[0.5]]).double(),
        torch.tensor([[1.0]]).double(),
        torch.tensor([1]),
    )
    for error, distance in ((0.75, 0.25), (0.999, 0.499), (1.001, math.inf)):
        point, found = walk_back(
            lambda p, _, error=error: p[:, 0] >= error, x, y, towards, Ball("inf", 1.0), 1.0
        )
        assert found.item() == pytest.approx(distance, rel=1e-5)
        assert 0 <= point.item() <= 1
    _, found = walk_back(
        lambda p, _: p[:, 0] >= 0.7501, x, y, towards - 0.25, Ball("inf", 1.0), 1.0
    )
    assert found.item() == pytest.approx(0.2501, rel=1e-5)


def test_nothing_is_found_beyond_the_radius():
    found = boundary_distances(
        affine([[1.0]], [-0.25]), [[0.5], [0.3125]], [1, 1], Ball("inf", 0.125)
    )
    assert found.upper[0] == math.inf
    assert found.upper[1] == pytest.approx(0.0625, rel=1e-4)
    assert found.lower.tolist()[0] == 0.125


# -- complete search -------------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "outputs"), [("inf", 1), (2, 1), ("inf", 3), (2, 3)])
def test_the_exact_distance_lies_between(p, outputs):
    model, x, y = trained(outputs)
    x, y = x[:8], y[:8]
    found = boundary_distances(model, x, y, Ball(p, 1.0), steps=60, restarts=4)
    exact = [
        exact_margin(model, row.double(), p, label=int(k), gap=1e-3)
        for row, k in zip(x, y, strict=True)
    ]
    least, most = (torch.tensor([float(end) for end in ends]) for ends in zip(*exact, strict=True))
    assert (found.lower <= most).all()
    assert (found.upper >= least).all()
    right = most > 0
    assert found.upper[~right].tolist() == [0]
    assert (found.upper <= 1.02 * most)[right].double().mean() >= 0.7
    assert (found.lower >= 0.5 * least)[right].double().mean() >= 0.7
    network = ReLUNetwork.from_module(model)
    assert is_error(network(found.nearest), y).all()  # every point has an error in the cube
    assert (Ball(p, 1.0).norm(found.nearest - x.double()) <= found.upper).all()
    assert ((found.nearest >= 0) & (found.nearest <= 1)).all()


@pytest.mark.parametrize("p", NORMS)
def test_asking_for_exact_distances_encloses_them(p):
    model, x, y = trained(1)
    rough = boundary_distances(model, x[:4], y[:4], Ball(p, 0.5), steps=3, restarts=1)
    found = boundary_distances(
        model, x[:4], y[:4], Ball(p, 0.5), steps=3, restarts=1, exact_seconds=20
    )
    assert (found.upper - found.lower <= 1.01e-3 * rough.upper).all()
    assert (found.upper[1:] > 0).all()
    assert (rough.lower <= found.lower).all()
    assert (found.upper <= rough.upper).all()
    assert (found.upper < 0.9 * rough.upper).any()  # three steps are few
    for i in range(2):
        exact = exact_margin(model, x[i].double(), p, label=int(y[i]), gap=1e-6)
        assert Fraction(float(found.lower[i])) <= exact.upper
        assert exact.lower <= Fraction(float(found.upper[i]))


@pytest.mark.parametrize("p", NORMS)
def test_balls_below_the_distance_are_proved_and_balls_above_refuted(p):
    """Proposition 3.1 on small networks: the least margin on the ball has the sign that distance
    against radius says.
    """
    model, x, y = trained(1, seed=1, inputs=2, widths=(10,))
    found = boundary_distances(model, x[:6], y[:6], Ball(p, 0.5), steps=40)
    verdicts = []
    for row, label, lower, upper in zip(
        x, y, found.lower.tolist(), found.upper.tolist(), strict=False
    ):
        if lower:
            verdicts.append(certify(model, row.double(), Ball(p, lower), int(label)).verdict)
            assert verdicts[-1] == "proved"
        if math.isfinite(upper):
            verdicts.append(certify(model, row.double(), Ball(p, upper), int(label)).verdict)
            assert verdicts[-1] == "refuted"
    assert {"proved", "refuted"} == set(verdicts)


# -- constructed networks --------------------------------------------------------------------------


@pytest.mark.parametrize("p", NORMS)
def test_f_s_is_proved_up_to_its_radius_and_not_far_beyond(p):
    """f_clean is -1 everywhere, so the first point's ball is all that f_S gets right around it."""
    x, y, delta = (
        torch.tensor([[0.25, 0.25], [0.75, 0.75]], dtype=torch.float64),
        torch.tensor([1, -1]),
        0.125,
    )
    network = f_S(affine([[0.0, 0.0]], [-1.0]), x, y, Ball(p, delta))
    found = boundary_distances(
        network, x, y, Ball(p, 4 * delta), steps=30, restarts=1, proved=delta
    )
    assert (found.lower >= delta).all()
    assert delta < found.upper[0] < 3 * delta  # the gradient at x is 0
    assert found.upper[1] > 2 * delta  # as far as the ball of the other point
    assert small_margin(found, delta)[1].value == 0


def test_radii_proved_elsewhere_enter_the_lower_ends():
    net, x, y = affine([[1.0]], [-0.0625]), [[0.5], [0.25]], [1, 1]
    found = boundary_distances(
        net, x, y, Ball("inf", 0.125), steps=20, proved=torch.tensor([0.25, 0.0]).double()
    )
    assert found.lower.tolist() == [0.25, 0.125]
    assert (
        boundary_distances(net, x, y, Ball("inf", 0.125), steps=20, certified=False).lower is None
    )
    only = boundary_distances(
        net, x, y, Ball("inf", 0.125), steps=20, certified=False, proved=[0.25, 0.125]
    )
    assert only.lower.tolist() == [0.25, 0.125]


def test_a_wrong_proof_is_found():
    with pytest.raises(
        RuntimeError, match=r"point 1 has distance >= 0\.375 by proof and <= 0\.125"
    ):
        boundary_distances(
            affine([[1.0]], [-0.125]), [[0.75], [0.25]], [1, 1], Ball("inf", 0.5), proved=0.375
        )


# -- images and modules ----------------------------------------------------------------------------


def test_modules_of_images_are_attacked_in_their_shape_and_bounded_if_small():
    images = load_data("digits", "classes").test_points[:6]
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 10)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    labels = model(images.float()).argmax(1)
    found = boundary_distances(model, images, labels, Ball("inf", 0.5), steps=60, restarts=1)
    assert found.nearest.shape == images.shape
    assert (found.lower > 0).all()
    assert found.upper_kind == "certified upper bound"
    flat = ReLUNetwork.from_module(model.eval(), images.shape[1:])
    same = boundary_distances(
        flat, images.flatten(1), labels, Ball("inf", 0.5), steps=60, restarts=1
    )
    assert torch.allclose(same.lower, found.lower)
    assert torch.allclose(same.upper, found.upper, rtol=0.05)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_modules_that_cannot_be_bounded_have_no_lower_ends():
    pooled = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Softplus(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 3)
    )
    images = uniform(8, 1, 8, 8)
    labels = pooled(images.float()).argmax(1)
    found = boundary_distances(pooled, images, labels, Ball(2, 3.0), steps=40)
    assert found.lower is None
    assert found.upper_kind == "empirical upper bound"
    some = torch.isfinite(found.upper)
    assert some.any()
    assert is_error(pooled.double()(found.nearest[some]), labels[some]).all()
    pooled.float()
    least, most = small_margin(found, 1.0)
    assert least.kind == "empirical lower bound"
    assert most is None
    with pytest.raises(ValueError, match="exact_seconds must be None"):
        boundary_distances(pooled, images, labels, Ball(2, 3.0), exact_seconds=1)


def test_large_modules_are_not_bounded():
    model = build_model("lenet5", (1, 28, 28), 10)
    images = uniform(2, 1, 28, 28).float()
    found = boundary_distances(
        model, images, model(images).argmax(1), Ball("inf", 0.3), steps=5, restarts=1
    )
    assert (found.lower, found.upper_kind) == (None, "empirical upper bound")


def test_the_attack_finds_what_projected_gradient_descent_finds():
    model, x, y = trained(3, inputs=6)
    found = boundary_distances(model, x, y, Ball("inf", 0.5), steps=60)
    for radius in (0.05, 0.1, 0.2):
        attacked = robust_error(model, x, y, Ball("inf", radius), steps=40, restarts=3)
        assert (found.upper <= radius).sum() >= attacked.refuted.sum() - 1


def test_results_depend_on_the_seed_alone_and_progress_counts_passes(monkeypatch):
    monkeypatch.setattr(
        importlib.import_module("analysis.behaviour.boundary_distances"), "BATCH", 15
    )
    model, x, y = trained(1)  # 19 points to attack
    state, passes = torch.get_rng_state(), []
    first = boundary_distances(
        model, x, y, Ball("inf", 0.5), steps=7, restarts=2, seed=3, report=passes.append
    )
    assert [(p.done, p.total) for p in passes] == [(k, 32) for k in range(1, 33)]
    assert torch.equal(torch.get_rng_state(), state)
    again = boundary_distances(model, x, y, Ball("inf", 0.5), steps=7, restarts=2, seed=3)
    assert torch.equal(first.upper, again.upper)


# -- the share of points with small margins --------------------------------------------------------


def test_small_margin_counts_from_both_sides():
    """dist < delta is small: upper = delta does not show it, lower = delta excludes it."""
    upper = torch.tensor([0.0, 0.25, 0.5, 0.75, math.inf]).double()
    lower = torch.tensor([0.0, 0.125, 0.5, 0.25, 1.0]).double()
    distances = BoundaryDistances(upper, "certified upper bound", upper, lower)
    least, most = small_margin(distances, 0.5)
    assert (least.count, least.total, least.kind) == (2, 5, "certified lower bound")
    assert (most.count, most.total, most.kind) == (3, 5, "certified upper bound")
    assert least.interval[0] < 0.4 < least.interval[1]


@pytest.mark.parametrize("delta", [0.0, -1.0, math.nan])
def test_small_margin_rejects_radii_that_are_not_positive(delta):
    distances = boundary_distances(affine([[1.0]]), [[0.5]], [1], Ball("inf", 0.25), steps=1)
    with pytest.raises(ValueError, match="radius must be > 0"):
        small_margin(distances, delta)


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"points": [[0.5, 1.5]]}, ValueError, r"points must lie in \[0, 1\]"),
        ({"points": [[0.5, math.nan]]}, ValueError, "points must be finite"),
        ({"points": [0.5, 0.5]}, ValueError, "points must have shape"),
        ({"points": torch.empty(0, 2)}, ValueError, "points must have shape"),
        ({"points": [[0.5, 0.5, 0.5]]}, ValueError, "x must have shape"),
        ({"labels": [0]}, ValueError, "labels must be -1 or"),
        ({"labels": [1, 1]}, ValueError, "labels must have shape"),
        ({"ball": 0.5}, TypeError, "ball must be a Ball, got float"),
        ({"ball": Ball("inf", 0.0)}, ValueError, "ball must have a radius > 0"),
        ({"steps": 0}, ValueError, "steps and restarts must be >= 1"),
        ({"restarts": 0}, ValueError, "steps and restarts must be >= 1"),
        ({"proved": [0.1, 0.1]}, ValueError, "proved must be a finite radius"),
        ({"proved": -0.1}, ValueError, "proved must be a finite radius"),
        ({"proved": math.nan}, ValueError, "proved must be a finite radius"),
        ({"proved": torch.tensor([0.1])}, ValueError, "proved must be float64"),
        ({"exact_seconds": 0}, ValueError, "exact_seconds must be > 0"),
        ({"model": lambda x: x}, TypeError, "model must be a ReLUNetwork or a module"),
    ],
)
def test_bad_input_is_named(change, error, message):
    given = {
        "model": affine([[1.0, 1.0]]),
        "points": [[0.5, 0.5]],
        "labels": [1],
        "ball": Ball("inf", 0.5),
    } | change
    with pytest.raises(error, match=message):
        boundary_distances(**given)


def test_nan_never_passes():
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    with torch.no_grad():
        model[0].weight[0, 0] = math.nan
    with pytest.raises(FloatingPointError, match="NaN or infinite"):
        boundary_distances(model, [[0.5, 0.5]], [1], Ball("inf", 0.5))


def test_points_that_are_all_errors_have_distance_0():
    found = boundary_distances(affine([[1.0]], [-0.5]), [[0.25], [0.125]], [1, 1], Ball("inf", 0.1))
    assert found.upper.tolist() == [0.0, 0.0]
    assert found.lower.tolist() == [0.0, 0.0]
