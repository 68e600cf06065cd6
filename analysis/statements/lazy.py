"""The ledger on lazy training: wide networks near their start, and the functions of the neural
tangent kernel.

Whole, because it is a list: each statement is a function of its own.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import torch

from training import (
    LazyRun,
    cap_attack,
    compatible,
    deep_network,
    huber,
    project_weights,
    sphere_data,
    train_lazily,
    two_layer_network,
)

from ..theory.linearization import cap_error, regret, robust_loss, taylor_error
from ..theory.neural_tangent_kernel import (
    KernelInterpolant,
    finite_kernel,
    neural_tangent_kernel,
    robust_interpolant,
    sampled_kernel,
)
from .claims import Check, at_least, at_most, between, claim, equal, not_testable, share_of

N, D, DELTA = 16, 8, 0.1
POINTS = f"N = {N} points on the sphere of R^{D} (D = {D}), caps of radius delta = {DELTA}"
SETTING = f"{POINTS}, attacks of 3 steps, Huber loss"


@functools.cache
def data() -> tuple[torch.Tensor, torch.Tensor]:
    """Points and labels of `SETTING`."""
    x, y = sphere_data(N, D, DELTA)
    return x, y


attack = functools.partial(cap_attack, delta=DELTA, steps=3)


@functools.cache
def interpolant() -> KernelInterpolant:
    """The robust interpolant that Section 5's statements speak of."""
    return robust_interpolant(*data(), DELTA, samples=4, rounds=8)


@functools.cache
def smooth_run() -> LazyRun:
    """Training without projection, with a smooth activation."""
    return train_lazily(two_layer_network(D, 1024, "erf"), *data(), attack, steps=300, rate=2.0)


@claim(
    "gao-assumption-3.1",
    "the loss is Lipschitz, smooth and convex in f, and l(y, y) = 0",
    "holds with correction",
    "instantiated by Huber's; for a small loss to mean robustness it must be bounded below, too: l "
    "= f - y satisfies all of "
    "this",
    on="513 values of f from -4 to 4, y = 1; no data",
)
def loss_assumption() -> Iterator[Check]:
    """On a dyadic grid, exactly."""
    values = torch.arange(-256, 257, dtype=torch.float64) / 64
    loss = huber(values, torch.ones_like(values))
    slopes = loss.diff() * 64
    yield at_most("largest slope", float(slopes.abs().max()), 1)
    yield at_least("least change of slope (convex)", float(slopes.diff().min()), 0)
    yield at_most(
        "largest change of slope over the step (smooth)", float(slopes.diff().max()) * 64, 1
    )
    yield equal("loss at f = y", float(huber(torch.ones(1), torch.ones(1))), 0)
    yield at_least("least loss", float(loss.min()), 0)
    yield at_most(
        "l = f - y (Lipschitz, smooth, convex, 0 at f = y) at f = -10, y = 1", -10 - 1, -11
    )


@claim(
    "gao-definition-3.1",
    "a perturbation set function is compatible with data if the closures of sets of different "
    "labels do not meet",
    "holds",
    "instantiated by caps of the sphere; the example in the paper, full balls, leaves the sphere "
    "that Sections 4 and 5 work on",
    on=f"{POINTS}; two points of the circle",
)
def perturbation_sets() -> Iterator[Check]:
    """The data, and two points too near."""
    yield equal(f"{N} points compatible (1: yes)", int(compatible(*data(), DELTA)), 1)
    near = torch.tensor([[1.0, 0.0], [math.cos(0.1), math.sin(0.1)]], dtype=torch.float64)
    yield equal(
        "two labels at the angle 0.1 compatible (0: no)",
        int(compatible(near, torch.tensor([1.0, -1.0]).double(), DELTA)),
        0,
    )


@claim(
    "gao-definition-3.2",
    "a perturbation function maps x into its perturbation set, given the weights",
    "holds",
    "instantiated by projected gradient ascent on caps",
    on=f"{SETTING}; m = 64",
)
def perturbation_function() -> Iterator[Check]:
    """Distances in rationals."""
    x, y = data()
    network = two_layer_network(D, 64)
    found = attack(network.at(project_weights(network.initial, network.initial, 1.0)), x, y)
    inside = sum(
        sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(p, q, strict=True))
        <= Fraction(DELTA) ** 2
        for p, q in zip(found.tolist(), x.tolist(), strict=True)
    )
    yield share_of("points attacked that stay within delta, exactly", inside, N)
    yield at_most(
        "largest distance of an attacked point from the sphere",
        float((found.norm(dim=1) - 1).abs().max()),
        1e-12,
    )


@claim(
    "gao-definition-3.3",
    "surrogate loss: the mean loss at the points that the perturbation function gives",
    "holds",
    "instantiated; it is the training loss if the function is the identity",
    on=f"{SETTING}; m = 64",
)
def surrogate_loss() -> Iterator[Check]:
    """What training records, beside the definition."""
    x, y = data()
    network = two_layer_network(D, 64)
    for name, perturb in (("attack", attack), ("identity", lambda f, x, y: x)):
        run = train_lazily(network, x, y, perturb, steps=3, rate=1.0)
        loss = float(
            huber(network.evaluate(run.weights, perturb(network.at(run.weights), x, y)), y).mean()
        )
        yield at_most(f"{name}: |recorded - defined|", abs(loss - run.loss[-1]), 1e-12)


@claim(
    "gao-definition-3.4",
    "robust loss: the surrogate loss of the strongest attack",
    "holds",
    "instantiated; the argmax is sought, so values are lower bounds; in the plane they are beside "
    "a dense grid",
    on="4 points of the circle (D = 2), delta = 0.2, m = 32",
)
def robust_loss_definition() -> Iterator[Check]:
    """In the plane, beside a dense grid of each arc."""
    x, y = sphere_data(4, 2, 0.2)
    f = two_layer_network(2, 32, seed=1)
    moved = tuple(
        w + 0.3 * torch.randn(w.shape, generator=torch.Generator().manual_seed(0), dtype=w.dtype)
        for w in f.initial
    )
    found = robust_loss(f.at(moved), x, y, 0.2).value
    turns = torch.linspace(-1, 1, 4001, dtype=torch.float64) * 2 * math.asin(0.1)
    arcs = torch.stack(
        [
            x[:, :1] * turns.cos() - x[:, 1:] * turns.sin(),
            x[:, :1] * turns.sin() + x[:, 1:] * turns.cos(),
        ],
        -1,
    )
    with torch.no_grad():
        values = f.evaluate(moved, arcs.reshape(-1, 2)).reshape(4, -1)
    grid = float(huber(values, y[:, None].expand_as(values)).amax(1).mean())
    yield at_least("attack over dense grid", found / grid, 0.99, "empirical lower bound")
    yield at_most("attack over dense grid", found / grid, 1.001, "empirical lower bound")


@claim(
    "gao-theorem-4.1",
    "projected gradient descent in B(R): min_t L_A(W_t) is within epsilon of the least robust loss "
    "in B(R), for wide networks",
    "empirical only",
    "The width that it asks for, of order R^9 H^16 / epsilon^7, "
    "is out of reach, so only "
    "the conclusion is measured: min_t L_A itself bounds the gap from above, as the loss is not "
    "negative",
    on=f"{SETTING}; m = 256, H = 2, R = 1/2, 1, 2, 4, 200 steps",
)
def projected_descent() -> Iterator[Check]:
    """Losses over R, the constraint, and the regret."""
    network, least = deep_network(D, 256), []
    for radius in (0.5, 1.0, 2.0, 4.0):
        run = train_lazily(network, *data(), attack, steps=200, rate=0.2, radius=radius)
        least.append(run.least)
    yield at_most("R = 4: gap, at most min_t L_A", least[-1], 0.05)
    yield at_most("R = 4: largest distance over R", float(run.distance.max()) / 4, 1)
    falls = sum(a > b for a, b in itertools.pairwise(least))
    yield equal("times min_t L_A falls as R doubles from 1/2 to 4", falls, 3)
    against = regret(run, run.best)
    yield at_most(
        "R = 4: average regret over that of a convex loss",
        against.average.value / against.bound.value,
        1,
    )
    projected = project_weights(
        tuple(w + 1 for w in network.initial), network.initial, 0.5 * network.unit
    )
    yield at_most(
        "B(1/2): distance of a projected point over R", max(network.distances(projected)) / 0.5, 1
    )


@claim(
    "gao-assumption-5.1",
    "the activation has a Lipschitz derivative",
    "holds",
    "instantiated by erf, with the constant 4 / sqrt(2 pi e), |s''| = 4 |z| exp(-z^2) / sqrt(pi) "
    "being largest at z^2 = 1/2; "
    "ReLU, which the networks of Section 4 have, does not satisfy it",
    on="100,001 values from -6 to 6; no data",
)
def smooth_activation() -> Iterator[Check]:
    """The closed form beside difference quotients."""
    z = torch.linspace(-6, 6, 100_001, dtype=torch.float64)
    derivative = 2 / math.sqrt(math.pi) * torch.exp(-z * z)
    largest = float((derivative.diff() / z.diff()).abs().max())
    yield between(
        "erf: largest difference quotient of s' over 4 / sqrt(2 pi e)",
        largest / (4 / math.sqrt(2 * math.pi * math.e)),
        0.999,
        1,
    )
    relu = (z > 0).double()
    yield at_least(
        "the same for ReLU (grows as the grid is refined)",
        float((relu.diff() / z.diff()).abs().max()),
        1000,
    )


@claim(
    "gao-assumption-5.3",
    "the activation has a bounded derivative",
    "holds",
    "instantiated: ReLU (1), erf (2 / sqrt(pi))",
    on="100,001 values from -6 to 6; no data",
)
def lipschitz_activation() -> Iterator[Check]:
    """Largest difference quotients."""
    z = torch.linspace(-6, 6, 100_001, dtype=torch.float64)
    yield at_most("ReLU: largest slope", float((z.relu().diff() / z.diff()).abs().max()), 1 + 1e-9)
    yield at_most(
        "erf: largest slope",
        float((torch.erf(z).diff() / z.diff()).abs().max()),
        2 / math.sqrt(math.pi) + 1e-9,
    )


@claim(
    "gao-theorem-5.1",
    "two layers, smooth activation: the same without projection, for m of order R^4 / epsilon^2",
    "empirical only",
    "(Printed: W_* = min; argmin is meant)",
    on=f"{SETTING}; erf, m = 64, 256, 1024, 300 steps",
)
def descent_without_projection() -> Iterator[Check]:
    """The gap, and how lazy the network stays over m."""
    run = smooth_run()
    yield at_most("gap, at most min_t L_A", run.least, 0.05)
    errors = []
    for m in (64, 256, 1024):
        some = (
            run
            if m == 1024
            else train_lazily(two_layer_network(D, m, "erf"), *data(), attack, steps=300, rate=2.0)
        )
        errors.append(taylor_error(some.network, some.best, some.attacked[-1]).value)
    yield at_most(
        "largest ratio of Taylor errors as m grows fourfold, from 64 to 1024",
        max(errors[1] / errors[0], errors[2] / errors[1]),
        0.75,
    )
    start = two_layer_network(D, 1024, "erf")
    yield equal(
        "largest |f| at the start", float(start.evaluate(start.initial, data()[0]).abs().max()), 0
    )


@claim(
    "gao-definition-5.1",
    "K(x, y) = E <x s'(w x), y s'(w y)>, w standard normal",
    "holds",
    "for ReLU x.y (pi - angle) / (2 pi); finite networks of width m have its mean over m/2 vectors",
    on=f"{POINTS}; twice 2^17 samples, and m = 65,536",
)
def kernel() -> Iterator[Check]:
    """The closed form beside samples and the Jacobian of a wide network."""
    x, _ = data()
    closed = neural_tangent_kernel(x, x)
    for seed in (1, 2):
        mean, error = sampled_kernel(x, x, 2**17, seed=seed)
        score = float(((mean - closed) / error.clamp_min(1e-12)).abs()[error > 1e-12].max())
        yield at_most(
            f"seed {seed}, 2^17 samples: largest distance in standard errors, 136 entries",
            score,
            3,
            "estimate",
        )
    wide = finite_kernel(two_layer_network(D, 65_536), x)
    yield at_most(
        "width 65,536: relative error (Frobenius)",
        float((wide - closed).norm() / closed.norm()),
        0.02,
        "estimate",
    )


@claim(
    "gao-assumption-5.2",
    "for every epsilon, the kernel's space has an f within epsilon of y_i on all perturbations of "
    "x_i",
    "empirical only",
    "an assumption; an f of norm 9.9 comes to about 0.04. It is not general (Remark "
    "5.1): without a bias "
    "ReLU's space holds linear and even functions only, so six points of a hexagon with "
    "alternating labels are compatible, "
    "but no f separates them",
    on=f"{SETTING}; six points of the circle (D = 2), m = 256",
)
def robust_function() -> Iterator[Check]:
    """The interpolant's errors on caps, and the hexagon."""
    f = interpolant()
    yield at_most(
        "largest error on caps that attacks found",
        cap_error(f, *data(), DELTA).value,
        0.1,
        "empirical lower bound",
    )
    yield between("its norm", f.norm, 9, 11)
    yield at_most("rounding of the interpolation", f.residual, 1e-9)
    turns = torch.arange(6, dtype=torch.float64) * math.pi / 3
    hexagon, signs = (
        torch.stack([turns.cos(), turns.sin()], 1),
        torch.tensor([1.0, -1.0] * 3, dtype=torch.float64),
    )
    yield equal(
        "hexagon with alternating labels compatible (1: yes)",
        int(compatible(hexagon, signs, DELTA)),
        1,
    )
    sums = neural_tangent_kernel(
        hexagon,
        torch.randn(200, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64),
    )
    yield at_most(
        "largest |sum_j y_j K(x_j, z)| over 200 z (0 for all f of the space)",
        float((signs @ sums).abs().max()),
        1e-12,
    )
    run = train_lazily(
        two_layer_network(2, 256), hexagon, signs, lambda f, x, y: x, steps=200, rate=1.0
    )
    yield at_least("least loss of a network trained on the hexagon", run.least, 0.499)


@claim(
    "gao-theorem-5.2",
    "for wide two-layer networks there is W in B(R) with robust loss at most epsilon, R that of "
    "data, perturbations and "
    "epsilon alone",
    "empirical only",
    "W = W_0 + sum c_j grad f(W_0, x_j) from the kernel's interpolant: explicit, "
    "where the paper shows "
    "existence. ReLU is not smooth (Assumption 5.1), which the paper's footnote 9 allows",
    on=f"{SETTING}; ReLU, m = 256, 1024, 4096, 16,384",
)
def robust_network_exists() -> Iterator[Check]:
    """The explicit weights over m."""
    f, losses = interpolant(), []
    for m in (256, 1024, 4096, 16_384):
        network = two_layer_network(D, m)
        weights = f.weights(network)
        losses.append(robust_loss(network.at(weights), *data(), DELTA).value)
    yield at_most(
        "m = 16,384: largest robust loss that attacks found",
        losses[-1],
        0.01,
        "empirical lower bound",
    )
    yield at_most(
        "its distance from the start over ||f||", network.distances(weights)[0] / f.norm, 1.05
    )
    yield equal("times the loss falls as m grows fourfold, from 256", sum(np.diff(losses) < 0), 3)


@claim(
    "gao-corollary-5.1",
    "adversarial training of a wide two-layer network ends with min_t L_A(W_t) <= epsilon",
    "empirical only",
    "erf, for which Assumption 5.2 is not examined. T of Theorem 5.1 and of this "
    "corollary agree only at m = R^4 "
    "/ epsilon^2",
    on=f"{SETTING}; erf, m = 1024, 300 steps",
)
def training_finds_it() -> Iterator[Check]:
    """The surrogate loss of training, and the robust loss by a stronger attack."""
    run = smooth_run()
    yield at_most("erf, m = 1024, 300 steps: min_t L_A", run.least, 0.05)
    yield at_most(
        "largest robust loss that 5 times 40 steps found",
        robust_loss(run.network.at(run.best), *data(), DELTA).value,
        0.05,
        "empirical lower bound",
    )


for number in ("theorem-c.1", "corollary-c.1"):
    not_testable(
        f"gao-{number}",
        "(named in Section 1; on quadratic ReLU networks)",
        "its appendix is not in the text at hand",
    )
