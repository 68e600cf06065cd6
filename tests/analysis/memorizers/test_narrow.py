"""Proofs about narrow memorizers: what holds is proved, whatever was changed is not."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from labelled import labels_of, refuses_what_is_false

from analysis import certify_memorizer
from analysis.memorizers.line import margins
from analysis.memorizers.narrow import prove_narrow
from analysis.proofs.matching import Unproved
from constructions import (
    Affine,
    Ball,
    ReLUNetwork,
    memorizer,
    narrow_memorizer,
    nearest_neighbour,
    separation,
)
from constructions.linear.matrix import Dense, Kron


def problem(n, d, outputs, p, seed=0):
    rng = np.random.default_rng([seed, n, d, outputs])
    points, labels = rng.random((n, d)), labels_of(rng, n, outputs)
    apart = separation(points, labels, norm=p).lower
    return points, labels, Ball(p, 0.9 * apart / (2 if p == math.inf else 1 + math.sqrt(d)))


@pytest.mark.parametrize("p", [2, math.inf])
@pytest.mark.parametrize("outputs", [1, 2, 5])
@pytest.mark.parametrize(("n", "d"), [(10, 1), (30, 2), (40, 9), (25, 50)])
def test_narrow_memorizers_are_proved(n, d, outputs, p):
    points, labels, ball = problem(n, d, outputs, p)
    network = narrow_memorizer(points, labels, ball)
    for radius in (0.0, ball.radius / 3, ball.radius):
        proof = certify_memorizer(network, points, labels, Ball(p, radius))
        assert (proof.verdict, proof.bound) == ("proved", 1)
    refuses_what_is_false(network, points, labels, outputs, ball)


@pytest.mark.parametrize(("outputs", "p"), [(1, math.inf), (3, 2)])
def test_every_number_off(outputs, p):
    """What is still proved is right at places all over the balls, exactly."""
    points, labels, ball = problem(7, 2, outputs, p, seed=1)
    network = narrow_memorizer(points, labels, ball)
    ways = np.array(list(itertools.product((-1, -0.5, 0, 0.5, 1), repeat=2)))
    if p == 2:
        ways = ways / max(1, math.sqrt(2)) * (1 - 2.0**-40)
    tested = np.clip((points[:, None] + ball.radius * (1 - 2.0**-40) * ways).reshape(-1, 2), 0, 1)
    owners, rejected, kept = np.repeat(labels, len(ways)), 0, 0
    for level, part in itertools.product(range(len(network.layers)), ("weight", "bias")):
        layer = network.layers[level]
        entries = getattr(layer, part).to_dense()
        for index, by in itertools.product(torch.nonzero(entries).tolist(), (1.0, -1.0, 2.0**-6)):
            changed = entries.clone()
            changed[tuple(index)] += by
            other = replace(
                network,
                layers=(
                    *network.layers[:level],
                    replace(layer, **{part: Dense(changed)}),
                    *network.layers[level + 1 :],
                ),
            )
            try:
                prove_narrow(other, points, labels, ball)
            except Unproved:
                rejected += 1
                continue
            kept += 1
            assert min(margins(other.exact(tested), owners)) > 0
    assert rejected > 5 * kept


@pytest.mark.parametrize("outputs", [2, 3])
def test_the_last_layer_is_read_exactly(outputs):
    """A number that is off by less than float64 tells, zeros too: left open, or a true bound."""
    points, labels, ball = problem(7, 2, outputs, math.inf, seed=1)
    network = narrow_memorizer(points, labels, ball)
    *others, last = network.layers
    kept = 0
    for part in ("weight", "bias"):
        entries = getattr(last, part).to_dense()
        for index in itertools.product(*map(range, entries.shape)):
            value = float(entries[index])
            for wrong in (math.nextafter(value, 2), value + 2.0**-60, value - 5e-324, value + 1):
                changed = entries.clone()
                changed[index] = wrong
                other = replace(network, layers=(*others, replace(last, **{part: Dense(changed)})))
                try:
                    bound = prove_narrow(other, points, labels, ball)
                except Unproved:
                    continue
                kept += 1
                assert min(margins(other.exact(points), labels)) >= bound
    assert kept


def test_other_networks_are_not_read():
    points, labels, ball = problem(12, 2, 1, 2)
    small = Ball(2, 1e-6)
    for other in (memorizer(points, labels), nearest_neighbour(points, labels, small)):
        with pytest.raises(Unproved):
            prove_narrow(other, points, labels, small)
    network = narrow_memorizer(points, labels, ball)
    with pytest.raises(Unproved, match="domain must lie"):
        prove_narrow(network.restrict((-1.0, 1.0)), points, labels, ball)
    with pytest.raises(Unproved, match="too large"):
        prove_narrow(network, points, labels, Ball(2, 1e9))


def test_products_that_float64_does_not_hold_are_left_open():
    points, labels, ball = problem(7, 2, 1, math.inf, seed=1)
    network = narrow_memorizer(points, labels, ball)
    first = network.layers[0]
    wrong = Kron(Dense(torch.tensor([[1 + 2.0**-40]])), Dense(first.weight.to_dense() * (1 + 2e-9)))
    other = replace(network, layers=(replace(first, weight=wrong), *network.layers[1:]))
    assert certify_memorizer(other, points, labels, ball).verdict == "unresolved"


def indicator(sides):
    """1 - 2 r(1 - 4 (sum of sides)) of sides r(sign x_j + bias) of one number x."""
    signs, biases = zip(*sides, strict=True)
    return ReLUNetwork(
        (
            Affine(Dense(torch.tensor(signs)[:, None]), Dense(torch.tensor(biases)[:, None])),
            Affine(Dense(torch.full((1, len(sides)), -4.0)), Dense(torch.ones(1, 1))),
            Affine(Dense(torch.tensor([[2.0]])), Dense(torch.tensor([[-1.0]]))),
        )
    ).restrict((0.0, 1.0))


def test_how_far_balls_are_proved():
    """Of one box [1/4, 1/2] that ends at distance 1/4: exactly to where it is 1 and 0."""
    network = indicator([(1.0, -0.5), (-1.0, 0.25)])
    for p in (2, math.inf):
        assert prove_narrow(network, np.array([[0.375]]), np.array([1]), Ball(p, 0.125)) == 1
        assert prove_narrow(network, np.array([[0.875]]), np.array([-1]), Ball(p, 0.125)) == 1
        for centre, label in ((0.375, 1), (0.875, -1)):
            with pytest.raises(Unproved, match="no positive margin"):
                prove_narrow(network, np.array([[centre]]), np.array([label]), Ball(p, 0.13))
    with pytest.raises(Unproved, match="two sides of a sign"):
        prove_narrow(
            indicator([(1.0, -0.5), (1.0, -0.25)]),
            np.array([[0.375]]),
            np.array([1]),
            Ball(2, 0.0),
        )
