"""The neural tangent kernel: closed forms against orthant probabilities, integrals, samples, finite
networks; interpolation.
"""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from analysis import (
    cap_error,
    finite_kernel,
    neural_tangent_kernel,
    robust_interpolant,
    sampled_kernel,
    taylor_error,
)
from training import compatible, project_cap, sphere_data, two_layer_network

X, Y = sphere_data(8, 5, 0.1, seed=2)


def test_relu_is_an_orthant_probability():
    """K(x, z) = x . z P(w . x > 0, w . z > 0), the probability by scipy's integral of the bivariate
    normal density.
    """
    generator = np.random.default_rng(0)
    for _ in range(10):
        x, z = generator.normal(size=(2, 4)) * generator.uniform(0.1, 10, size=(2, 1))
        cosine = x @ z / np.linalg.norm(x) / np.linalg.norm(z)
        orthant = stats.multivariate_normal([0, 0], [[1, cosine], [cosine, 1]]).cdf([0, 0])
        assert float(neural_tangent_kernel(x[None], z[None])) == pytest.approx(
            x @ z * orthant, abs=1e-9 * abs(x @ z)
        )


def test_erf_is_a_gaussian_integral():
    """E s'(u) s'(v) over two independent normals, as a sum on a grid, which converges
    exponentially.
    """
    first, second = np.meshgrid(*[np.arange(-9, 9, 0.05)] * 2)
    weight = 0.05**2 * np.exp(-(first**2 + second**2) / 2) / (2 * math.pi)
    for x, z in (([1.0, 0.0], [0.6, 0.8]), ([0.5, 0.2], [-0.3, 0.9]), ([1.0, 0.0], [1.0, 0.0])):
        u, v = (p[0] * first + p[1] * second for p in (x, z))
        expected = np.dot(x, z) * (weight * 4 / math.pi * np.exp(-(u**2) - v**2)).sum()
        assert float(neural_tangent_kernel([x], [z], "erf")) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_samples_and_a_wide_network_agree_with_the_closed_form(activation):
    exact = neural_tangent_kernel(X, X, activation)
    mean, error = sampled_kernel(X, X, 200_000, activation=activation)
    assert ((mean - exact).abs() <= 3 * error).all()
    finite = finite_kernel(two_layer_network(5, 65_536, activation), X)
    assert (finite - exact).norm() <= 0.02 * exact.norm()
    assert (finite - exact).abs().max() <= 0.02 * exact.diagonal().max()


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_standard_errors_are_neither_too_small_nor_too_large(activation):
    x = torch.tensor([[1.0, 0.5, -0.3]])
    z = torch.tensor([[0.2, -1.0, 0.4]])
    exact = neural_tangent_kernel(x, z, activation)
    scores = [
        float((mean - exact) / error)
        for mean, error in (
            sampled_kernel(x, z, 400, activation=activation, seed=k) for k in range(400)
        )
    ]
    assert 0.85 < np.std(scores) < 1.15
    assert abs(np.mean(scores)) < 4 / math.sqrt(400)


def test_the_finite_kernel_is_a_sum_over_weight_vectors():
    net = two_layer_network(5, 12, seed=1)
    w = net.initial[0][0].numpy()
    x = X.numpy()
    slopes = (x @ w.T > 0).astype(float)  # of six vectors, each twice
    np.testing.assert_allclose(
        finite_kernel(net, X).numpy(), 2 / 12 * (x @ x.T) * (slopes @ slopes.T), atol=1e-14
    )


def test_relu_at_special_angles():
    x = [[1.0, 0.0]]
    assert neural_tangent_kernel(x, [[2.0, 0.0], [0.0, 1.0], [-3.0, 0.0], [0.0, 0.0]]).tolist() == [
        [1.0, 0.0, 0.0, 0.0]
    ]
    z = torch.randn(20, 6, dtype=torch.float64)
    torch.testing.assert_close(
        neural_tangent_kernel(z, z).diagonal(), z.square().sum(1) / 2, rtol=4e-16, atol=0
    )
    for angle in (1e-5, 1e-9, 1e-14):  # 1 - cosine is lost, the angle is not
        near = [[math.cos(angle), math.sin(angle)]]
        expected = math.cos(angle) * (math.pi - angle) / (2 * math.pi)
        assert float(neural_tangent_kernel(x, near)) == pytest.approx(expected, rel=3e-16)
    torch.testing.assert_close(
        neural_tangent_kernel(3 * z, 7 * z),
        21 * neural_tangent_kernel(z, z),
        rtol=1e-13,
        atol=1e-13,
    )


@pytest.mark.parametrize("activation", ["relu", "erf"])
def test_the_kernel_is_symmetric_positive_and_differentiable(activation):
    z = torch.randn(30, 4, dtype=torch.float64)
    gram = neural_tangent_kernel(z, z, activation)
    torch.testing.assert_close(gram, gram.T, rtol=0, atol=1e-15)
    assert torch.linalg.eigvalsh(gram)[0] > -1e-13
    x = z[:2].clone().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda p: neural_tangent_kernel(p, z[5:], activation), x)
    # also where points coincide
    (slope,) = torch.autograd.grad(neural_tangent_kernel(x, z, activation).sum(), x)
    assert torch.isfinite(slope).all()


# -- interpolation ---------------------------------------------------------------------------------


def test_an_interpolant_interpolates_with_least_norm():
    f = robust_interpolant(X, Y, 0.1, samples=3)
    assert len(f.points) == 32
    assert f.residual < 1e-12
    assert torch.equal(f.points[:8], X)
    assert torch.equal(f.labels, Y.repeat(4))
    distances = (f.points - X.repeat(4, 1)).norm(dim=1)[8:]
    assert ((distances > 0.099) & (distances <= 0.1)).all()
    torch.testing.assert_close(f(f.points), f.labels, rtol=0, atol=1e-11)
    gram = neural_tangent_kernel(f.points, f.points)
    assert f.norm == pytest.approx(
        math.sqrt(float(f.coefficients @ gram @ f.coefficients)), rel=1e-10
    )
    assert f.condition == pytest.approx(np.linalg.cond(gram.numpy()), rel=1e-8)
    # Another interpolant, of more points with other values there, has a larger norm.
    extra = torch.cat(
        [f.points, torch.nn.functional.normalize(torch.randn(3, 5, dtype=torch.float64))]
    )
    values = torch.cat([f.labels, torch.tensor([0.3, 2.0, -1.0]).double()])
    other = torch.linalg.solve(neural_tangent_kernel(extra, extra), values)
    assert float(values @ other) > f.norm**2


def test_the_exchange_finds_a_robust_function():
    """Errors between the samples fall by rounds; the norm grows, as constraints are added."""
    found = [robust_interpolant(X, Y, 0.1, rounds=rounds) for rounds in (0, 2, 5)]
    errors = [cap_error(f, X, Y, 0.1, steps=20, restarts=2).value for f in found]
    assert errors[0] > 0.15
    assert errors[2] < 0.05 < errors[0]
    assert found[0].norm < found[1].norm < found[2].norm
    generator = torch.Generator().manual_seed(5)
    for _ in range(50):  # random points of caps, an attack that knows nothing
        at = project_cap(
            X + 0.2 * torch.randn(X.shape, generator=generator, dtype=torch.float64), X, 0.1
        )
        assert float((found[2](at) - Y).abs().max()) < 0.05


def test_wide_networks_made_of_an_interpolant():
    """||W - W_0||^2 = c . K_m c, the linear part is f of the finite kernel, and errors fall like 1
    / sqrt(m).
    """
    f = robust_interpolant(X, Y, 0.1, samples=2)
    net = two_layer_network(5, 40, seed=3)
    weights = f.weights(net)
    gram = finite_kernel(net, f.points)
    assert net.distances(weights)[0] == pytest.approx(
        math.sqrt(float(f.coefficients @ gram @ f.coefficients)), rel=1e-10
    )
    linear = gram @ f.coefficients
    gap = (net.at(weights)(f.points) - linear).abs().max()
    assert taylor_error(net, weights, f.points).value == pytest.approx(float(gap), rel=1e-9)
    errors = []
    for m in (256, 4096):
        nets = [two_layer_network(5, m, seed=seed) for seed in range(5)]
        errors.append(
            np.mean(
                [
                    cap_error(
                        net.at(f.weights(net)), X, f.labels[:8], 0.05, steps=5, restarts=0
                    ).value
                    for net in nets
                ]
            )
        )
        assert np.mean([net.distances(f.weights(net))[0] for net in nets]) == pytest.approx(
            f.norm, rel=0.1
        )
    assert errors[1] < errors[0] / 2


def test_the_kernel_is_not_universal_on_the_whole_sphere():
    """ReLU: functions of the RKHS are linear plus even, so no f has these signs; erf: odd, so equal
    labels at x and -x fail.
    """
    angles = torch.arange(6, dtype=torch.float64) * math.pi / 3
    x, y = (
        torch.stack([angles.cos(), angles.sin()], 1),
        torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0]).double(),
    )
    assert compatible(x, y, 0.1)
    assert abs(float(y @ neural_tangent_kernel(x, x) @ y)) < 1e-14
    elsewhere = torch.randn(50, 2, dtype=torch.float64)
    # sum_j y_j f(x_j) = 0 for all f
    assert (neural_tangent_kernel(elsewhere, x) @ y).abs().max() < 1e-13
    with pytest.raises(ValueError, match="regular kernel matrix"):
        robust_interpolant(x, y, 0.1)
    with pytest.raises(ValueError, match="regular kernel matrix"):
        robust_interpolant(x[[0, 3]], y[[0, 0]], 0.1, activation="erf")
    # a constant coordinate: half the sphere
    lifted = torch.cat([x, torch.ones(6, 1).double()], 1) / math.sqrt(2)
    assert robust_interpolant(lifted, y, 0.1, samples=4).residual < 1e-10


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: neural_tangent_kernel(X, X, "tanh"), "activation must be one of"),
        (lambda: neural_tangent_kernel(X, X[:, :3]), "rows of one length"),
        (lambda: neural_tangent_kernel(X[0], X), "x must have shape"),
        (lambda: neural_tangent_kernel(X, X * math.nan), "z must be finite"),
        (lambda: sampled_kernel(X, X, 1), "samples must be >= 2"),
        (lambda: sampled_kernel(X, X, 10, activation="tanh"), "activation must be one of"),
        (lambda: robust_interpolant(X, Y, 0.1, samples=-1), "samples and rounds"),
        (lambda: robust_interpolant(X, Y, 0.1, activation="tanh"), "activation must be one of"),
        (lambda: robust_interpolant(2 * X, Y, 0.1), "unit sphere"),
        (lambda: robust_interpolant(X, Y, -0.1), "delta must be between"),
        (lambda: robust_interpolant(X, Y, 1.0), "caps of different labels disjoint"),
        (lambda: finite_kernel(two_layer_network(5, 2), X[0]), "x must have shape"),
    ],
)
def test_bad_input(call, complaint):
    with pytest.raises(ValueError, match=complaint):
        call()
