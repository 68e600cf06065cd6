"""The shattered set in exact arithmetic, realised by certified networks; plain interpolation beside
it.
"""

import itertools
import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import evaluate

from analysis import certify_memorization
from constructions import Ball, affine, exact_values, f_S, interpolation, shattered_set

RADIUS = 0.0625


def rational(points):
    return [[Fraction(v) for v in row] for row in np.asarray(points).tolist()]


def squared(a, b):
    return sum((u - v) ** 2 for u, v in zip(a, b, strict=True))


def check_witness(found, signs):
    """Theorem 6.1's geometry, in rationals: every point lies in a ball of its label, and all
    centres are apart.
    """
    centres, labels = found.centres(signs)
    radius, places, d = Fraction(found.delta), rational(centres), found.size
    points = rational(found.points)
    for j, (point, sign) in enumerate(zip(points, signs, strict=True)):
        pair = range(2 * (j // d), 2 * (j // d) + 2)
        (own,) = [i for i in pair if labels[i] == sign]
        assert squared(point, places[own]) <= radius**2
    for a, b in itertools.combinations(places, 2):
        assert squared(a, b) > (2 * radius) ** 2
    assert len(set(map(tuple, points))) == len(signs)


def realise(found, signs):
    """A network that is proved to be robust around the centres, and what it says at the shattered
    points.
    """
    centres, labels = found.centres(signs)
    ball = Ball(2, found.delta)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the shell")  # balls of other labels nearly touch
        network = f_S(affine(np.zeros((1, centres.shape[1]))), centres, labels, ball)
    assert certify_memorization(network, centres, labels, ball).verdict == "proved"
    return exact_values(network, found.points)[:, 0].tolist()


def test_all_labellings_of_eight_points():
    """Each is forced by its centres; every 25th is built and proved here, all of them in the ledger
    (gao-theorem-6.1).
    """
    found = shattered_set(4, 4, RADIUS)
    assert found.points.shape == (8, 4)
    for k, signs in enumerate(itertools.product((-1, 1), repeat=8)):
        check_witness(found, signs)
        if k % 25 == 0:
            assert realise(found, signs) == list(signs)


def random_labellings(found, count):
    generator = np.random.default_rng(0)
    return generator.choice([-1, 1], (count, found.groups.size)).tolist()


@pytest.mark.parametrize(
    ("n", "d", "delta"),
    [(2, 2, 0.1), (10, 2, 0.03), (6, 3, 1 / 16), (8, 5, 0.1), (16, 9, 0.0123), (4, 33, 0.07)],
)
def test_random_labellings(n, d, delta):
    found = shattered_set(n, d, delta)
    assert len(found.points) == n * d // 2
    assert found.points.min() >= 0
    assert found.points.max() <= 1
    for signs in random_labellings(found, 3):
        check_witness(found, signs)
        assert realise(found, signs) == signs


@pytest.mark.parametrize(("n", "d", "size"), [(2, 3, 2), (6, 9, 4), (10, 30, 7), (4, 5, 5)])
def test_groups_of_fewer_points(n, d, size):
    found = shattered_set(n, d, RADIUS, size=size)
    assert found.points.shape == (n * size // 2, d)
    for seed in range(3):
        signs = np.random.default_rng(seed).choice([-1, 1], n * size // 2).tolist()
        check_witness(found, signs)
        assert realise(found, signs) == signs
    with pytest.raises(ValueError, match=f"size must be at most d = {d}"):
        shattered_set(n, d, RADIUS, size=d + 1)


def test_a_thousand_points():
    found = shattered_set(64, 32, RADIUS)
    (signs,) = random_labellings(found, 1)
    check_witness(found, signs)
    assert realise(found, signs) == signs


@pytest.mark.slow
def test_ten_labellings_of_a_thousand_points():
    found = shattered_set(64, 32, RADIUS)
    for signs in random_labellings(found, 10):
        check_witness(found, signs)
        assert realise(found, signs) == signs


@pytest.mark.parametrize("delta", [0.1, 1 / 16, 8 / 255, Fraction(1, 12)])
def test_the_offset_lies_in_its_interval(delta):
    for d in (*range(2, 40), 784, 3072):
        t, radius = Fraction(shattered_set(2, d, delta).arm), Fraction(delta)
        assert (d - 1) * t**2 <= radius**2 < d * t**2
        coarser = [2**q for q in range(1, t.denominator.bit_length() - 1)]
        assert not any(
            (d - 1) * (k / scale) ** 2 <= radius**2 < d * (k / scale) ** 2
            for scale in map(Fraction, coarser)
            for k in (math.floor(t * scale), math.ceil(t * scale))
        )


def test_one_point_is_robustly_interpolated_by_two_constants():
    """So Theorem 6.1 fails for n = 1: the class {1, -1} has VC dimension 1, not d."""
    with pytest.raises(ValueError, match="n must be an integer >= 2"):
        shattered_set(1, 4, RADIUS)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((3, 4, RADIUS), "^n must be even"),
        ((0, 4, RADIUS), "^n must be an integer"),
        ((4, 1, RADIUS), "^d must be an integer >= 2"),
        ((4, 4, 0.5), "^delta must lie in"),
        ((100, 2, 0.1), "^delta must be smaller for 50 groups"),
        ((2, 4, 1e-17), "^delta must be larger"),
    ],
)
def test_bad_sizes(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        shattered_set(*arguments)


def test_tiny_balls_leave_room_for_more_groups_than_are_asked_for():
    found = shattered_set(6, 2, 1e-9)
    check_witness(found, [1, -1] * 3)
    assert found.groups.max() < 1e-7


def test_bad_signs():
    for signs in ([1], [1, 0, 1, 1], np.ones((2, 2))):
        with pytest.raises(ValueError, match=r"^signs must be 4 numbers"):
            shattered_set(4, 2, RADIUS).centres(signs)


# -- plain interpolation ---------------------------------------------------------------------------


@given(st.integers(2, 40), st.integers(1, 12), st.integers(1, 8), st.integers(0, 2**32))
def test_interpolation_of_dyadic_data(n, dimension, bits, seed):
    generator = np.random.default_rng(seed)
    points = np.unique(generator.integers(0, 2**bits + 1, (n, dimension)) / 2**bits, axis=0)
    points = generator.permutation(points)
    labels = generator.choice([-1, 1], len(points))
    if len(set(labels.tolist())) < 2:
        return
    network = interpolation(points, labels)
    assert network(torch.from_numpy(points))[:, 0].tolist() == labels.tolist()
    assert [evaluate(network, row)[0] for row in rational(points)] == labels.tolist()
    assert network.size.depth == 2
    assert network.size.parameters <= min(dimension, len(points) - 1) + 6 * (len(points) - 1) + 2


def test_interpolation_of_any_floats_is_exact_in_rationals():
    generator = np.random.default_rng(1)
    points, values = generator.normal(size=(200, 5)), generator.integers(-8, 9, 200) / 4
    network = interpolation(points, values)
    assert exact_values(network, points)[:, 0].tolist() == values.tolist()
    assert network.provenance.arguments["coordinates"] == 1  # no two normal numbers are equal


def test_random_labels_take_three_parameters_a_point():
    generator = np.random.default_rng(2)
    points, labels = generator.integers(0, 2, (1000, 784)) * 1.0, generator.choice([-1, 1], 1000)
    network = interpolation(points, labels)
    coordinates, changes = (
        network.provenance.arguments[name] for name in ("coordinates", "changes")
    )
    assert coordinates < 30
    assert 450 < changes < 550
    assert network.size.parameters == coordinates + 6 * changes + 2 < 784 + 3 * 1000
    assert exact_values(network, points)[:, 0].tolist() == labels.tolist()


def test_coordinates_are_at_most_one_fewer_than_points():
    """Bondy's theorem, where it is tight: unit vectors and the origin."""
    points = np.vstack([np.zeros(7), np.eye(7)])
    labels = np.array([1, -1, 1, 1, -1, 1, -1, -1])
    network = interpolation(np.hstack([points, points, np.ones((8, 3))]), labels)
    assert network.provenance.arguments["coordinates"] == 7
    assert (
        network(torch.from_numpy(np.hstack([points, points, np.ones((8, 3))])))[:, 0].tolist()
        == labels.tolist()
    )


def test_equal_points_with_equal_values():
    network = interpolation([[0.5], [0.25], [0.5], [-0.0], [0.0]], [1, -1, 1, 1, 1])
    assert network([[0.5], [0.25], [0.0]]).flatten().tolist() == [1, -1, 1]
    assert network.provenance.arguments["N"] == 3


def test_the_function_only_depends_on_the_line():
    network = interpolation([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [1, -1, -1, 1])
    direction = network.layers[0].weight.to_dense()[0]
    x = torch.randn(50, 2, dtype=torch.float64)
    along = torch.stack([-direction[1], direction[0]])
    assert torch.allclose(network(x), network(x + along), atol=1e-9)
    assert (
        float(network(torch.full((1, 2), -100.0)).abs())
        == float(network(torch.full((1, 2), 100.0)).abs())
        == 1
    )


@pytest.mark.parametrize(
    ("points", "values", "complaint"),
    [
        ([[0.0], [1.0]], [1], "^values must have one entry for each of the 2"),
        ([[0.0], [1.0]], [1, float("nan")], "^values must be finite"),
        ([[0.0], [float("inf")]], [1, -1], "^points must be finite"),
        ([[0.0], [1.0], [0.0]], [1, 1, -1], "^values of equal points must agree: points 0 and 2"),
        ([[0.0], [1.0]], [1, 1], "^values must hold at least two"),
        ([[0.0], [1.0]], [1, 1e-30], "too close for float64"),
        ([[0.0], [1.0], [1 + 2.0**-52]], [1, 1, 2], "too close for float64"),
    ],
)
def test_bad_data(points, values, complaint):
    with pytest.raises(ValueError, match=complaint):
        interpolation(points, values)
