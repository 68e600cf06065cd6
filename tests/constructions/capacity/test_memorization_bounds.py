"""Lower bounds of what memorizes: their witnesses, in exact arithmetic; what is built beside."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy

from constructions import (
    Affine,
    Ball,
    Dense,
    ReLUNetwork,
    grid_memorizer,
    memorization_bound,
    memorizer,
    nearest_neighbour,
    separation,
)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("t", "rho"), [(4, 0.6), (4, 0.9), (6, 0.6), (6, 0.9)])
def test_a_first_layer_that_is_too_narrow_confuses_two_balls(t, rho, seed):
    """Points 0 and e_1, ..., e_t: of any m < rho^2 t rows, two points of balls of different labels
    have the same images.
    """
    width = memorization_bound(t + 1, t, rho).width
    assert width == math.ceil(Fraction(rho) ** 2 * t)
    rows = np.random.default_rng([seed, t]).integers(-5, 6, (width - 1, t))
    basis = sympy.Matrix.hstack(*sympy.Matrix(rows).nullspace())
    onto = basis * (basis.T * basis).inv() * basis.T
    lengths = [
        (sympy.eye(t)[:, j] - onto[:, j]).dot(sympy.eye(t)[:, j] - onto[:, j]) for j in range(t)
    ]
    j = min(range(t), key=lambda k: lengths[k])
    assert lengths[j] < Fraction(rho) ** 2
    unit = sympy.eye(t)[:, j]
    near, other = (unit + onto[:, j]) / 2, (unit - onto[:, j]) / 2
    eps = Fraction(1, 2)  # half the separation
    assert (near - unit).dot(near - unit) < (Fraction(rho) * eps) ** 2
    assert other.dot(other) < (Fraction(rho) * eps) ** 2
    assert sympy.Matrix(rows) * near == sympy.Matrix(rows) * other
    # so every network with this first layer has the same value at both
    rng = np.random.default_rng(seed)
    layers = [
        Affine(Dense(rows.astype(float)), Dense(rng.normal(size=(width - 1, 1)))),
        Affine(Dense(rng.normal(size=(1, width - 1))), Dense([[0.0]])),
    ]
    values = ReLUNetwork(tuple(layers)).exact(
        [[Fraction(int(v.p), int(v.q)) for v in x] for x in (near, other)]
    )
    assert values[0, 0] == values[1, 0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("t", [2, 4, 7])
def test_in_l_inf_every_first_layer_narrower_than_the_points_confuses_two_balls(t, seed):
    """Of 0 and e_1, ..., e_t, for each rho > 1/2: two points of different balls, one image."""
    rho = Fraction(1, 2) + Fraction(1, 2**30)
    assert memorization_bound(t + 1, t, rho, "inf").width == t
    rows = np.random.default_rng([seed, t]).integers(-5, 6, (t - 1, t))
    z = [Fraction(int(v.p), int(v.q)) for v in sympy.Matrix(rows).nullspace()[0]]
    j = max(range(t), key=lambda k: abs(z[k]))
    v = [a / z[j] / 2 for a in z]
    unit = [int(i == j) for i in range(t)]
    near = [(e + a) / 2 for e, a in zip(unit, v, strict=True)]
    other = [(e - a) / 2 for e, a in zip(unit, v, strict=True)]
    assert max(abs(a - e) for a, e in zip(near, unit, strict=True)) < rho / 2
    assert max(map(abs, other)) < rho / 2
    assert sum(map(abs, v)) > 0
    assert [sum(int(w) * a for w, a in zip(row, v, strict=True)) for row in rows] == [0] * (t - 1)


def test_in_l_inf_it_is_not_below_that_of_l_2_in_width():
    for n, d, rho in itertools.product((2, 5, 40), (1, 6, 90), (0, 0.3, 0.5, 0.51, 0.9)):
        bound, other = memorization_bound(n, d, rho, "inf"), memorization_bound(n, d, rho)
        assert bound.width >= other.width
        assert (bound.shattered, bound.norm) == (n, "inf")
        assert bound.nonzero == memorization_bound(n, d, 0).nonzero
    assert memorization_bound(40, 90, 0.5, "inf").width == math.ceil(39 / 4)


@pytest.mark.parametrize("rho", [0.5, 0.71, 0.75, 0.9, 0.95, Fraction(12, 13)])
def test_points_are_shattered_by_balls_of_share_rho(rho):
    """Points e_1, ..., e_k; centres +- the signs of a labelling: half their distance is sqrt k, and
    a point is sqrt(k - 1) from its own.
    """
    d = 5
    k = memorization_bound(20, d, rho).shattered // 10
    if k == 2 and Fraction(rho) ** 2 < Fraction(1, 2):  # any 20 points
        return
    assert k == min(d, math.floor(1 / (1 - Fraction(rho) ** 2)))
    for signs in itertools.product((-1, 1), repeat=k):
        for j, sign in enumerate(signs):
            square = sum(((i == j) - sign * s) ** 2 for i, s in enumerate(signs))
            assert square == k - 1 <= Fraction(rho) ** 2 * k


@pytest.mark.parametrize(("n", "d", "rho"), [(50, 3, 0.0), (200, 20, 0.002), (100, 8, 0.95)])
def test_what_is_built_is_not_below(n, d, rho):
    rng = np.random.default_rng([n, d])
    points, labels = rng.random((n, d)), rng.choice([-1, 1], n)
    bound = memorization_bound(n, d, rho)
    ball = Ball(2, rho * separation(points, labels, norm=2).lower / 2)
    built = [nearest_neighbour(points, labels, ball)]
    if rho < 0.01:
        built += [memorizer(points, labels), grid_memorizer(points, labels, ball)]
    for network in built:
        assert network.size.parameters >= bound.nonzero
        assert network.size.dense_parameters >= bound.nonzero
    assert built[0].size.dense_parameters >= bound.dense


def test_bounds_grow_with_points_and_radius():
    for d in (1, 10, 300):
        rows = [memorization_bound(n, d, rho) for n in (2, 3, 100, 5000) for rho in (0, 0.6, 0.99)]
        for names in ("width", "shattered", "nonzero", "dense"):
            table = np.array([getattr(row, names) for row in rows]).reshape(4, 3)
            assert (np.diff(table, axis=0) >= 0).all()
            assert (np.diff(table, axis=1) >= 0).all()
    for n in (10**3, 10**6):
        bound = memorization_bound(n, 10, 0)
        assert bound.nonzero > math.sqrt(n / math.log2(n)) / 2
        assert bound.dense >= bound.nonzero


@pytest.mark.parametrize("m", [10, 1000, 10**5])
def test_nonzero_parameters_in_integers(m):
    """The count of signs, without logarithms: enough for P, too few for P - 1."""
    d = 7

    def enough(p):
        e = Fraction(2718281828459046, 10**15)  # above e
        ways = Fraction(p * (p + d + 1)) ** p
        for i in range(1, p + 1):
            ways *= 2 * (2 * e * m * i) ** p
        return ways >= 2**m

    bound = memorization_bound(m, d, 0).nonzero
    assert enough(bound)
    assert not enough(bound - 1)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((1, 3, 0.5), "points must be an integer >= 2"),
        ((5, 0, 0.5), "dimension must be an integer >= 1"),
        ((5, 3, 1.0), r"rho must lie in \[0, 1\), got 1.0: balls of share 1 meet"),
        ((5, 3, -0.1), r"rho must lie in \[0, 1\)"),
        ((5, 3, math.nan), r"rho must lie in \[0, 1\)"),
    ],
)
def test_bad_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        memorization_bound(*arguments)
