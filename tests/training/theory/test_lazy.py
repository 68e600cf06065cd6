"""Wide networks near their initialisation: caps, exact projection, training against plain loops,
the theory measured.
"""

import math
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import erf

from analysis import cap_error, gradient_change, regret, robust_loss, taylor_error
from training import (
    WideNetwork,
    cap_attack,
    compatible,
    deep_network,
    huber,
    project_cap,
    project_weights,
    sphere_data,
    train_lazily,
    two_layer_network,
)

X, Y = sphere_data(6, 4, 0.1)


def clean(f, x, y):
    return x


def circle(*degrees):
    angles = torch.tensor(degrees, dtype=torch.float64) * math.pi / 180
    return torch.stack([angles.cos(), angles.sin()], 1)


def exact_square(a, b):
    """||a - b||^2, exactly."""
    pairs = zip(a.flatten().tolist(), b.flatten().tolist(), strict=True)
    return sum((Fraction(v) - Fraction(w)) ** 2 for v, w in pairs)


# -- caps ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delta", [0.0, 1e-12, 0.1, 1.0])
def test_projections_lie_in_the_cap_exactly(delta):
    x = torch.nn.functional.normalize(torch.randn(50, 5, dtype=torch.float64))
    found = project_cap(x + 2 * delta * torch.randn_like(x), x, delta)
    assert all(exact_square(p, c) <= Fraction(delta) ** 2 for p, c in zip(found, x, strict=True))
    assert (found.norm(dim=1) - 1).abs().max() < 4e-16
    assert (found - x).norm(dim=1).max() >= delta * 0.99 - 1e-14


def test_the_projection_is_the_nearest_point_of_the_cap():
    x, far = circle(10.0), circle(70.0)
    rim = 10 + 2 * math.degrees(math.asin(0.25))
    torch.testing.assert_close(project_cap(3 * far, x, 0.5), circle(rim), rtol=0, atol=1e-14)
    inside = circle(25.0)
    torch.testing.assert_close(project_cap(inside, x, 0.5), inside, rtol=0, atol=2e-16)


def test_compatible_compares_angles_not_chords():
    # Caps of chord delta have angle 2 arcsin(delta / 2): for 0.5, 28.955 degrees, so they meet up
    # to 57.91 degrees.
    y = torch.tensor([1.0, -1.0], dtype=torch.float64)
    assert not compatible(circle(0, 57.9), y, 0.5)
    assert compatible(circle(0, 57.92), y, 0.5)
    assert compatible(circle(0, 1), y.abs(), 0.5)
    assert not compatible(circle(0, 0), y, 0.0)


def test_an_attack_finds_the_largest_loss_on_arcs():
    """On the circle, the largest loss on each arc, from a grid of 4,001 points."""
    x, y = (
        circle(0, 50, 120, 190, 260),
        torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0], dtype=torch.float64),
    )
    delta = 0.3
    half = 2 * math.asin(delta / 2)
    f = two_layer_network(2, 40, seed=3).at((torch.randn(2, 20, 2, dtype=torch.float64),))
    found = huber(
        f(
            cap_attack(
                f, x, y, delta, steps=20, restarts=4, generator=torch.Generator().manual_seed(0)
            )
        ),
        y,
    )
    for i, degrees in enumerate((0, 50, 120, 190, 260)):
        grid = circle(*(degrees + np.degrees(np.linspace(-half, half, 4001))))
        best = huber(f(grid), y[i].expand(len(grid))).max()
        assert best * (1 - 1e-3) <= found[i] <= best + 1e-9
    assert robust_loss(f, x, y, delta, steps=20, restarts=4).value == pytest.approx(
        float(found.mean()), rel=1e-12
    )
    assert cap_error(f, x, y, delta, steps=20, restarts=4).value == pytest.approx(
        float(((2 * found).sqrt().where(found < 0.5, found + 0.5)).max())
    )


def test_an_attack_leaves_points_that_are_fitted_exactly():
    x, y = torch.eye(2, dtype=torch.float64), torch.tensor([1.0, -1.0], dtype=torch.float64)
    found = cap_attack(lambda x: x[:, 0] - x[:, 1], x, y, 0.5, steps=10)
    assert (huber(x[:, 0] - x[:, 1], y) == 0).all()
    assert huber(found[:, 0] - found[:, 1], y).min() > 0.1


def test_an_attack_without_restarts_is_a_function_and_never_lowers_the_loss():
    net = deep_network(4, 20)
    f = net.at(net.initial)
    once, again = (cap_attack(f, X, Y, 0.1) for _ in range(2))
    assert torch.equal(once, again)
    assert (huber(f(once), Y) >= huber(f(X), Y)).all()
    assert torch.equal(cap_attack(f, X, Y, 0.0), X)


def test_the_loss_is_as_assumed():
    """Assumption 3.1 on a dyadic grid: 0 at f = y, convex, 1-Lipschitz, derivative 1-Lipschitz."""
    values = torch.arange(-4, 4, 0.125, dtype=torch.float64)
    for label in (-1.0, 1.0):
        loss = huber(values, torch.full_like(values, label))
        assert loss[values == label].item() == 0
        assert (loss >= 0).all()
        slopes = loss.diff() / 0.125
        assert (slopes.abs() <= 1).all()
        assert (slopes.diff() >= 0).all()
        assert (slopes.diff() <= 0.125).all()


# -- networks --------------------------------------------------------------------------------------


def test_the_deep_network_is_that_of_the_equation():
    net = deep_network(3, 5, H=3, seed=1)
    draw = net.initial
    x = torch.randn(4, 3, dtype=torch.float64)
    # With W^(h) = 0 but for the identity, f = a . relu(A x): the fixed layers read off from outputs
    # are those of f(W_0, .).
    eye = torch.eye(5, dtype=torch.float64)

    def plain(weights, features):
        for w in weights:
            features = [
                max(0.0, sum(float(w[i, j]) * features[j] for j in range(5))) for i in range(5)
            ]
        return features

    def unit_output(first, features):  # a . relu(W features) through W^(1) = first
        return net.evaluate((first, eye, eye), features)

    # a_i (A x)_j for (A x)_j > 0 by W^(1) = e_i e_j^T, and -a_i (A x)_j for W^(1) = -e_i e_j^T.
    for row, point in enumerate(x):
        products = torch.zeros(5, 5, dtype=torch.float64)
        for i in range(5):
            for j in range(5):
                single = torch.zeros(5, 5, dtype=torch.float64)
                single[i, j] = 1.0
                products[i, j] = (
                    unit_output(single, point[None])[0] - unit_output(-single, point[None])[0]
                )
        left, size, right = torch.linalg.svd(products)  # a (A x)^T has rank one
        assert size[1] < 1e-13
        last, features = left[:, 0] * size[0], right[0]
        expected = sum(
            a * v for a, v in zip(last.tolist(), plain(draw, features.tolist()), strict=True)
        )
        flipped = sum(
            -a * v for a, v in zip(last.tolist(), plain(draw, (-features).tolist()), strict=True)
        )
        found = float(net.at(draw)(x)[row])
        assert min(abs(found - expected), abs(found - flipped)) < 1e-12


def test_entries_are_drawn_as_the_paper_says():
    m = 400
    net = deep_network(6, m, H=2, seed=2)
    for w in net.initial:
        assert float(w.square().mean()) == pytest.approx(2 / m, rel=5 * math.sqrt(2) / m)
        assert abs(float(w.mean())) < 5 * math.sqrt(2 / m) / m
    assert not torch.equal(*net.initial)
    x = torch.nn.functional.normalize(torch.randn(1, 6, dtype=torch.float64))
    outputs = torch.stack(
        [n.at(n.initial)(x) for n in (deep_network(6, 100, seed=k) for k in range(200))]
    )
    # E f(W_0, x)^2 = |A x|^2 E = 2, H = 1, 2, ...
    assert float(outputs.square().mean()) == pytest.approx(2.0, rel=0.35)
    two = two_layer_network(6, 4000, seed=2).initial[0]
    assert torch.equal(two[0], two[1])
    assert float(two[0].square().mean()) == pytest.approx(1.0, rel=0.06)


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_two_layers_are_zero_at_the_start_and_as_the_equation_says(activation):
    for m in (2, 6, 34, 130, 1000):
        net = two_layer_network(7, m, activation, seed=m)
        x = torch.nn.functional.normalize(torch.randn(13, 7, dtype=torch.float64))
        assert (net.at(net.initial)(x) == 0).all()
    net, s = (
        two_layer_network(2, 6, activation),
        {"relu": lambda z: max(z, 0.0), "erf": lambda z: float(erf(z))}[activation],
    )
    zero = torch.zeros(3, 2, dtype=torch.float64)
    signs = []
    for r in range(3):  # f = a_r s(1) / sqrt(6) where only w_r = e_1
        w = torch.zeros(2, 3, 2, dtype=torch.float64)
        w[0, r, 0] = 1.0
        signs.append(
            float(net.evaluate((w,), torch.eye(2, dtype=torch.float64)[:1])[0])
            * math.sqrt(6)
            / s(1.0)
        )
    assert [abs(abs(a) - 1) < 1e-15 for a in signs] == [True] * 3
    w, w_bar = torch.randn(2, 3, 2, dtype=torch.float64)
    assert zero.shape == w.shape
    x = torch.randn(1, 2, dtype=torch.float64)
    plain = sum(
        a * (s(float(u @ x[0])) - s(float(v @ x[0])))
        for a, u, v in zip(signs, w, w_bar, strict=True)
    ) / math.sqrt(6)
    assert float(net.evaluate((torch.stack([w, w_bar]),), x)[0]) == pytest.approx(plain, abs=1e-14)


# -- projection ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "radius"), [(1.0, 0.3), (1.0, 1e-9), (1e6, 1e-3), (0.0, 0.5), (1.0, 0.0)]
)
def test_projected_weights_lie_in_the_ball_in_exact_arithmetic(scale, radius):
    generator = torch.Generator().manual_seed(1)
    for size in (1, 2, 17, 400):
        for spread in (1e-12, 1.0, 1e8):
            w_0 = scale * torch.randn(size, generator=generator, dtype=torch.float64)
            w = w_0 + spread * torch.randn(size, generator=generator, dtype=torch.float64)
            (found,) = project_weights((w,), (w_0,), radius)
            assert exact_square(found, w_0) <= Fraction(radius) ** 2
            (again,) = project_weights((found,), (w_0,), radius)
            assert exact_square(again, w_0) <= Fraction(radius) ** 2


def test_the_projection_is_the_nearest_point_and_leaves_what_is_inside():
    w_0, w = torch.randn(2, 30, 40, dtype=torch.float64).unbind()
    (found,) = project_weights((w,), (w_0,), 2.0)
    torch.testing.assert_close(found, w_0 + 2.0 * (w - w_0) / (w - w_0).norm(), rtol=0, atol=1e-11)
    inside = w_0 + 0.001 * w
    assert torch.equal(project_weights((inside,), (w_0,), 2.0)[0], inside)
    assert torch.equal(project_weights((found,), (w_0,), 2.0)[0], found)


def test_layers_are_projected_each_by_itself():
    zero = torch.zeros(2, dtype=torch.float64)
    near, far = torch.tensor([0.5, 0.0]).double(), torch.tensor([0.0, 8.0]).double()
    found = project_weights((near, far), (zero, zero), 1.0)
    assert torch.equal(found[0], near)
    assert found[1].tolist() == pytest.approx([0.0, 1.0], abs=1e-14)


# -- training --------------------------------------------------------------------------------------


def plain_two_layers(net, x, y, points, steps, rate):
    """Gradient descent by formulas of the derivatives, on points given for each step, with ReLU."""
    (both,) = (w.numpy().copy() for w in net.initial)
    m, losses, y = net.m, [], y.numpy()
    signs = np.array(
        [
            float(net.evaluate((one,), torch.ones(1, x.shape[1]).double())[0])
            for one in unit_weights(net)
        ]
    )
    signs = np.sign(signs)
    for step in range(steps + 1):
        p = points[step].numpy()
        w, w_bar = both
        f = (np.maximum(p @ w.T, 0) - np.maximum(p @ w_bar.T, 0)) @ signs / math.sqrt(m)
        losses.append(np.where(abs(f - y) <= 1, (f - y) ** 2 / 2, abs(f - y) - 0.5).mean())
        pull = np.clip(f - y, -1, 1) / len(y)
        gradient = [
            sign
            * np.einsum("i,r,ir,id->rd", pull, signs, (p @ v.T > 0).astype(float), p)
            / math.sqrt(m)
            for sign, v in ((1, w), (-1, w_bar))
        ]
        if step < steps:
            both = both - rate * np.stack(gradient)
    return both, np.array(losses)


def unit_weights(net):
    for r in range(net.m // 2):
        one = torch.zeros_like(net.initial[0])
        one[0, r] = 1.0
        yield one


def test_training_is_that_of_plain_formulas():
    net, steps = two_layer_network(4, 30, seed=5), 12
    run = train_lazily(net, X, Y, partial(cap_attack, delta=0.1, steps=2), steps=steps, rate=0.7)
    weights, losses = plain_two_layers(net, X, Y, run.attacked, steps, 0.7)
    np.testing.assert_allclose(run.loss, losses, atol=1e-13)
    np.testing.assert_allclose(run.weights[0].numpy(), weights, atol=1e-13)
    assert run.loss[0] == huber(torch.zeros(6).double(), Y).mean() == 0.5
    assert run.least == run.loss[1:].min()
    last = huber(net.evaluate(run.best, cap_attack(net.at(run.best), X, Y, 0.1, steps=2)), Y).mean()
    assert float(last) == pytest.approx(run.least, rel=1e-12)
    np.testing.assert_allclose(
        run.distance[-1, 0], np.linalg.norm(weights - net.initial[0].numpy()), rtol=1e-12
    )


def test_the_deep_gradient_is_that_of_the_surrogate_loss_with_points_fixed():
    """Finite differences of the loss on the attacked points of the first step."""
    net = deep_network(4, 12, H=2, seed=1)
    run = train_lazily(net, X, Y, partial(cap_attack, delta=0.1), steps=1, rate=0.5)
    assert run.rate == pytest.approx(0.5 / 12)
    for layer in range(2):
        move = net.initial[layer] - run.weights[layer]
        for i, j in ((0, 0), (3, 7), (11, 2)):

            def loss(shift, layer=layer, i=i, j=j):
                weights = [w.clone() for w in net.initial]
                weights[layer][i, j] += shift
                return float(huber(net.evaluate(tuple(weights), run.attacked[0]), Y).mean())

            slope = (loss(1e-6) - loss(-1e-6)) / 2e-6
            assert float(move[i, j]) == pytest.approx(run.rate * slope, abs=1e-9)


def test_training_stays_in_the_ball_and_reaches_its_rim():
    net = deep_network(4, 20, H=2, seed=1)
    run = train_lazily(net, X, Y, partial(cap_attack, delta=0.1), steps=15, rate=0.3, radius=0.5)
    for w, w_0 in zip(run.weights, net.initial, strict=True):
        assert exact_square(w, w_0) <= Fraction(0.5 * net.unit) ** 2
    assert (run.distance <= 0.5 * (1 + 1e-14)).all()
    assert run.distance[-1].max() > 0.5 * (1 - 1e-9)
    free = train_lazily(net, X, Y, partial(cap_attack, delta=0.1), steps=15, rate=0.3)
    assert free.distance[-1].max() > 0.7
    assert free.least < run.least
    wide = train_lazily(net, X, Y, partial(cap_attack, delta=0.1), steps=15, rate=0.3, radius=50.0)
    assert np.array_equal(wide.loss, free.loss)


def test_wider_networks_reach_less_and_are_more_linear():
    """Means over five seeds: the surrogate loss falls below 0.05 and is monotone in width up to its
    standard error.
    """
    x, y = sphere_data(16, 8, 0.1)
    found = []
    for m in (16, 128, 1024):
        of_width = []
        for seed in range(5):
            net = two_layer_network(8, m, seed=seed)
            run = train_lazily(
                net, x, y, partial(cap_attack, delta=0.1, steps=1), steps=40, rate=3.0
            )
            changed = gradient_change(net, run.best, x).value
            of_width.append(
                (
                    run.least,
                    taylor_error(net, run.best, run.attacked[-1]).value,
                    changed,
                    run.distance[-1, 0],
                )
            )
        found.append(np.array(of_width))
    means = np.array([v.mean(0) for v in found])
    noise = np.array([v.std(0, ddof=1) / math.sqrt(5) for v in found])
    assert found[-1][:, 0].max() < 0.05
    for column in (0, 1, 2):  # loss, Taylor error, change of gradients
        assert (
            np.diff(means[:, column]) <= 2 * np.hypot(noise[1:, column], noise[:-1, column])
        ).all()
    assert means[-1, 1] < means[0, 1] / 4
    # without projection W stays within a distance that does not grow with m
    assert (means[:, 3] < 12).all()
    assert np.ptp(means[1:, 3]) < 1.5


# -- theory ----------------------------------------------------------------------------------------


def test_taylor_error_and_gradient_change_are_as_defined():
    net = deep_network(3, 7, H=2, seed=4)
    x = torch.nn.functional.normalize(torch.randn(5, 3, dtype=torch.float64))
    weights = tuple(w + 0.3 * torch.randn_like(w) for w in net.initial)
    errors, changes = [], []
    for point in x:
        rows = []
        for at in (net.initial, weights):
            moving = [w.clone().requires_grad_(True) for w in at]
            value = net.evaluate(tuple(moving), point[None])[0]
            value.backward()
            rows.append((float(value.detach()), torch.cat([w.grad.flatten() for w in moving])))
        offset = torch.cat(
            [(w - w_0).flatten() for w, w_0 in zip(weights, net.initial, strict=True)]
        )
        errors.append(abs(rows[1][0] - rows[0][0] - float(rows[0][1] @ offset)))
        changes.append(float((rows[1][1] - rows[0][1]).norm() / rows[0][1].norm()))
    assert taylor_error(net, weights, x).value == pytest.approx(max(errors), rel=1e-10)
    assert gradient_change(net, weights, x).value == pytest.approx(max(changes), rel=1e-10)


def test_regret_of_a_linear_model_is_within_its_bound_whatever_the_attack():
    """f(W, x) = W . x is convex to learn, so the bound holds for any perturbations, projection
    included.
    """
    linear = WideNetwork(
        lambda weights, x: x @ weights[0], (torch.zeros(4, dtype=torch.float64),), 1, 1.0
    )
    assert taylor_error(linear, (torch.randn(4, dtype=torch.float64),), X).value < 1e-15
    generator = torch.Generator().manual_seed(0)

    def wild(f, x, y):
        return project_cap(x + torch.randn(x.shape, generator=generator, dtype=x.dtype), x, 1.0)

    for rate in (0.1, 1.0, 10.0):
        run = train_lazily(linear, X, Y, wild, steps=50, rate=rate, radius=1.5)
        for _ in range(5):
            u = project_weights((3 * torch.randn(4, dtype=torch.float64),), linear.initial, 1.5)
            found = regret(run, u)
            assert found.average.value <= found.bound.value + 1e-12
            slow = [float(huber(p @ u[0], Y).mean()) for p in run.attacked[:-1]]
            assert found.comparator.value == pytest.approx(sum(slow) / 50, rel=1e-12)
            assert found.average.value == pytest.approx(
                run.loss[:-1].mean() - sum(slow) / 50, abs=1e-12
            )


def test_regret_sees_what_is_not_convex():
    """f(W, x) = sin(5 w) x_1 from w = pi/10, a stationary point: nothing is learned, and w = -pi/10
    is better.
    """
    start = torch.tensor([math.pi / 10], dtype=torch.float64)
    net = WideNetwork(lambda weights, x: torch.sin(5 * weights[0]) * x[:, 0], (start,), 1, 1.0)
    x, y = circle(0.0), torch.tensor([-1.0], dtype=torch.float64)
    found = regret(train_lazily(net, x, y, clean, steps=100, rate=0.01), (-start,))
    assert found.average.value == pytest.approx(1.5, abs=1e-9)
    assert found.bound.value < 0.3


def test_a_network_without_bias_cannot_learn_a_hexagon():
    """s(z) - s(-z) = z for ReLU, so f(x) - f(-x) is linear in x, whatever W is: sum_j y_j f(x_j) =
    0 here.
    """
    x, y = (
        circle(0, 60, 120, 180, 240, 300),
        torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0], dtype=torch.float64),
    )
    assert compatible(x, y, 0.1)
    net = two_layer_network(2, 512)
    run = train_lazily(net, x, y, clean, steps=100, rate=1.0)
    assert abs(float(y @ net.at(run.weights)(x))) < 1e-13
    assert run.least >= 0.5 - 1e-12


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: sphere_data(3, 1, 0.1), "d must be >= 2"),
        (lambda: sphere_data(0, 3, 0.1), "n must be an integer"),
        (lambda: sphere_data(10, 50, 1.0), "delta must leave room"),
        (lambda: compatible(2 * X, Y, 0.1), "unit sphere"),
        (lambda: compatible(X * math.nan, Y, 0.1), "unit sphere"),
        (lambda: compatible(X, Y * 2, 0.1), "labels -1, \\+1"),
        (lambda: compatible(X, Y[:2], 0.1), "labels -1, \\+1"),
        (lambda: compatible(X.float(), Y, 0.1), "float64"),
        (lambda: cap_attack(lambda x: x[:, 0], X, Y, 1.5), "delta must be between"),
        (lambda: cap_attack(lambda x: x[:, 0], X, Y, math.nan), "delta must be between"),
        (lambda: cap_attack(lambda x: x[:, 0], X, Y, 0.1, steps=0), "steps must be >= 1"),
        (lambda: deep_network(3, 0), "m must be an integer"),
        (lambda: deep_network(3, 4, H=0), "H must be an integer"),
        (lambda: two_layer_network(3, 5), "m must be even"),
        (lambda: two_layer_network(3, 4, "tanh"), "activation must be one of relu, erf"),
        (lambda: two_layer_network(3, 4, seed=-1), "seed must be"),
        (lambda: project_weights((X,), (X,), -1.0), "radius must be finite"),
        (lambda: project_weights((X,), (X,), math.nan), "radius must be finite"),
        (
            lambda: train_lazily(two_layer_network(4, 4), X, Y, clean, steps=0, rate=1.0),
            "steps must be",
        ),
        (
            lambda: train_lazily(two_layer_network(4, 4), X, Y, clean, steps=1, rate=math.inf),
            "rate must be",
        ),
        (
            lambda: train_lazily(
                two_layer_network(4, 4), X, Y, clean, steps=1, rate=1.0, radius=0.0
            ),
            "radius must be",
        ),
    ],
)
def test_bad_input(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()


def test_regret_refuses_weights_of_another_network():
    run = train_lazily(two_layer_network(4, 4), X, Y, clean, steps=1, rate=1.0)
    with pytest.raises(ValueError, match="comparator must have shapes"):
        regret(run, two_layer_network(4, 6).initial)


def test_nothing_passes_as_nan():
    net = two_layer_network(4, 4)
    with pytest.raises(ValueError, match="perturb must give points on the unit sphere"):
        train_lazily(net, X, Y, lambda f, x, y: x * math.nan, steps=2, rate=1.0)
    with pytest.raises(FloatingPointError, match="step 0 of the attack"):
        cap_attack(lambda x: x[:, 0] * math.nan, X, Y, 0.1)


@pytest.mark.parametrize(
    "wrong",
    [lambda f, x, y: x[:1], lambda f, x, y: 2 * x, lambda f, x, y: x.float(), lambda f, x, y: None],
)
def test_perturbations_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match="perturb must give"):
        train_lazily(two_layer_network(4, 4), X, Y, wrong, steps=2, rate=1.0)
