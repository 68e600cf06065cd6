"""Proofs about memorizers of cells: what holds is proved, whatever was changed is not."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from changed import with_entry
from labelled import labels_of, refuses_what_is_false

from analysis import certify_memorizer
from analysis.memorizers.grid import Pieces, prove_grid
from analysis.memorizers.line import margins
from analysis.proofs.matching import Unproved
from constructions import (
    Ball,
    ReLUNetwork,
    grid_memorizer,
    memorizer,
    nearest_neighbour,
    separation,
)


def problem(n, d, outputs, seed=0):
    rng = np.random.default_rng([seed, n, d, outputs])
    labels = labels_of(rng, n, outputs)
    return rng.random((n, d)), labels


def places(centre, rows, ball):
    """Points of a ball, exactly: as far as directions go, to both sides, and half of that."""
    for row, side in itertools.product(rows, (-1, -0.5, 0.5, 1)):
        length = Fraction(1)
        if ball.p == 2:
            length = Fraction(math.isqrt(sum(int(w) ** 2 for w in row) << 200) + 1, 1 << 100)
        step = np.sign(row) if ball.p == math.inf else row
        far = Fraction(side) * Fraction(ball.radius) / length
        yield [Fraction(c) + far * int(v) for c, v in zip(centre, step, strict=True)]


@pytest.mark.parametrize("p", [2, math.inf])
@pytest.mark.parametrize("outputs", [1, 2, 5])
@pytest.mark.parametrize(("n", "d"), [(10, 1), (30, 2), (30, 9), (20, 50)])
def test_grids_are_proved(n, d, outputs, p):
    points, labels = problem(n, d, outputs)
    ball = Ball(p, separation(points, labels, norm=p).lower / (2 * n * math.sqrt(d)))
    network = grid_memorizer(points, labels, ball)
    for radius in (0.0, ball.radius / 3, ball.radius):
        proof = certify_memorizer(network, points, labels, Ball(p, radius))
        assert proof.verdict == "proved"
        assert proof.bound == 1 if outputs < 3 else proof.bound >= Fraction(1, 4)
    refuses_what_is_false(network, points, labels, outputs, ball)


@pytest.mark.parametrize(
    ("n", "d", "rho"),
    [
        (1000, 2, 0.9),
        pytest.param(1000, 20, 0.008, marks=pytest.mark.slow),
        pytest.param(1000, 64, 0.0025, marks=pytest.mark.slow),
    ],
)
def test_a_thousand_balls(n, d, rho):
    points, labels = problem(n, d, 1)
    ball = Ball(2, rho * separation(points, labels, norm=2).lower / 2)
    network = grid_memorizer(points, labels, ball)
    assert certify_memorizer(network, points, labels, ball).verdict == "proved"
    plane = np.abs(network.layers[0].weight.to_dense().numpy()).max(0).argmax()
    moved = points.copy()
    moved[17, plane] = 1 - moved[17, plane]
    near = certify_memorizer(network, moved, labels, ball)
    assert near.verdict != "proved" or margins(network.exact(moved[17:18]), labels[17:18])[0] > 0


@pytest.mark.parametrize(
    ("outputs", "p"), [(1, math.inf), pytest.param(3, 2, marks=pytest.mark.slow)]
)
def test_every_number_off_by_one(outputs, p):
    """What is still proved is right at places all over the balls."""
    points, labels = problem(7, 2, outputs, seed=1)
    ball = Ball(p, 0.4 * separation(points, labels, norm=p).lower / 2)
    network = grid_memorizer(points, labels, ball)
    rows = np.unique(
        [*network.layers[0].weight.to_dense().numpy(), [1, 0], [0, 1], [1, 1], [1, -1]], axis=0
    )
    owners, tested = [], []
    for i, point in enumerate(points):
        found = list(places(point, rows, ball))
        tested += found
        owners += [i] * len(found)
    rejected = 0
    for level, part in itertools.product(range(len(network.layers)), ("weight", "bias")):
        layer = network.layers[level]
        for index, by in itertools.product(range(getattr(layer, part).nonzeros), (1, -1)):
            changed = replace(layer, **{part: with_entry(getattr(layer, part), index, by)})
            layers = (*network.layers[:level], changed, *network.layers[level + 1 :])
            other = ReLUNetwork(layers, provenance=network.provenance)
            if certify_memorizer(other, points, labels, ball).verdict != "proved":
                rejected += 1
                continue
            assert min(margins(other.exact(tested), labels[owners])) > 0
    assert rejected > 40


def test_the_largest_ball_that_is_proved_ends_at_a_ramp():
    """One plane between two points: proved exactly as far as its ramp."""
    points, labels = np.array([[0.0], [1.0]]), np.array([-1, 1])
    network = grid_memorizer(points, labels, Ball(2, 0.25))
    assert network.provenance.arguments["planes"] == 1
    shift = network.layers[0].bias.to_dense()[0, 0].item()
    scale = network.layers[1].weight.to_dense()[0, 0].item()
    start, stop = (-b / scale - shift for b in network.layers[1].bias.to_dense()[:, 0].tolist())
    assert 0.25 < start < stop < 0.75
    free = min(start, 1 - stop)
    assert certify_memorizer(network, points, labels, Ball("inf", free)).verdict == "proved"
    beyond = certify_memorizer(network, points, labels, Ball("inf", stop))
    assert beyond.verdict != "proved"


def test_other_networks_are_not_read():
    points, labels = problem(12, 2, 1)
    ball = Ball(2, 1e-6)
    for other in (memorizer(points, labels), nearest_neighbour(points, labels, ball)):
        with pytest.raises(Unproved):
            prove_grid(other, points, labels, Ball(2, 0.01))


@pytest.mark.parametrize("seed", range(30))
def test_ranges_of_sums_of_units(seed):
    rng = np.random.default_rng(seed)
    units = [
        tuple(Fraction(int(v), 4) for v in (rng.integers(-8, 9), w, rng.integers(-20, 21)))
        for w in rng.choice([-8, -3, -1, 1, 2, 5], int(rng.integers(0, 6)))
    ]

    def value(t):
        return sum((f * max(w * t + b, 0) for f, w, b in units), Fraction(0))

    pieces = Pieces.of(units)
    for _ in range(20):
        low, high = sorted(Fraction(int(v), 8) for v in rng.integers(0, 60, 2))
        inside = [-b / w for _, w, b in units if low < -b / w < high]
        values = [value(t) for t in (low, high, *inside)]
        assert pieces.range(low, high) == (min(values), max(values))
        assert pieces(low) == value(low)
