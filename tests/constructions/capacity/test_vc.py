"""Packings, counting and VC bounds: brute force, closed forms, and laws between exact counts and
the bounds of the papers.
"""

import itertools
import math
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

import constructions.capacity.tables
from analysis import certify_memorization
from constructions import (
    Ball,
    affine,
    capacity_growth,
    capacity_table,
    envelope_vc,
    exact_signs,
    f_S,
    fitted_exponent,
    interpolation_table,
    least_vc,
    log_growth_bound,
    log_volume_bound,
    minimal_parameters,
    packing,
    packing_number,
    sauer_shelah,
    separated_set,
    separation,
    vc_fraction,
    vc_upper,
)

RADII = [0.1, 8 / 255, 0.25, 0.2, 0.3, 0.49, 0.125, Fraction(1, 6), Fraction(1, 10)]

# -- packings --------------------------------------------------------------------------------------


def largest_on_a_line(delta):
    """How many points of [0,1] are pairwise more than 2 delta apart: k need (k - 1) 2 delta < 1."""
    return max(k for k in range(1, 200) if (k - 1) * 2 * Fraction(delta) < 1)


@pytest.mark.parametrize("delta", RADII)
@pytest.mark.parametrize("dimension", [2, 3, 4])
def test_packings_are_strict_in_exact_arithmetic(dimension, delta):
    points = packing(dimension, delta)
    if len(points) > 200:
        points = points[np.random.default_rng(0).choice(len(points), 200, replace=False)]
    else:
        assert (
            len(points)
            == packing_number(dimension, delta)
            == largest_on_a_line(delta) ** (dimension - 1)
        )
    assert points.min() > 0
    assert points.max() < 1
    rows = [[Fraction(v) for v in row] for row in points.tolist()]
    for a, b in itertools.combinations(rows, 2):
        assert max(abs(u - v) for u, v in zip(a, b, strict=True)) > 2 * Fraction(delta)


def test_points_exactly_two_radii_apart_do_not_count():
    for k in range(2, 12):
        # floor(1 / (2 delta)) + 1 = k + 1 are exactly 2 delta apart
        assert packing_number(2, Fraction(1, 2 * k)) == k
        assert packing_number(2, Fraction(1, 2 * k) - Fraction(1, 10**9)) == k + 1
    # the float is above 1/10
    assert packing_number(2, 0.1) == packing_number(2, Fraction(1, 10)) == 5
    with pytest.raises(ValueError, match="further from 1/6"):
        packing(2, 1 / 6)  # the float is below: four points fit, but not in float64


def test_volumes_of_balls():
    volumes = {1: 2.0, 2: math.pi, 3: 4 * math.pi / 3}
    for d in range(4, 40):
        volumes[d] = volumes[d - 2] * 2 * math.pi / d
    for d, volume in volumes.items():
        assert log_volume_bound(d + 1, 0.2) == pytest.approx(
            d * math.log(2.5) - math.log(volume), rel=1e-12
        )
    assert log_volume_bound(4, 0.49) < 0
    assert packing_number(4, 0.49, norm=2) == packing_number(4, 0.49) == 8


def test_l2_packings_by_volume():
    for dimension in (30, 100, 1000):
        number, logarithm = packing_number(dimension, 0.2, norm=2), log_volume_bound(dimension, 0.2)
        assert number > packing_number(dimension, 0.2)
        assert logarithm - 1e-8 < math.log(number) < logarithm


@pytest.mark.parametrize("norm", ["inf", 2])
@pytest.mark.parametrize("delta", [0.1, 0.25, 0.4])
def test_separated_sets(norm, delta):
    points, labels = separated_set(3, delta, 5)
    assert set(labels.tolist()) == {-1, 1}
    assert separation(points, labels, norm=norm).lower > 2 * delta
    assert np.array_equal(points[:, :-1], packing(3, delta))
    assert np.array_equal(exact_signs(affine([[0.0, 0.0, 1.0]], [-0.5]), points)[:, 0], labels)
    assert 0 < max(abs(points[:, -1] - 0.5)) <= delta / 2


def test_signs_may_be_numbers_a_function_or_a_seed():
    def phi(x):
        return 1 if x.sum() > 1 else -1

    points, labels = separated_set(3, 0.2, phi, 0.25)
    assert labels.tolist() == [phi(x) for x in points[:, :2]]
    assert np.array_equal(separated_set(3, 0.2, labels, 0.25)[0], points)
    assert np.array_equal(separated_set(3, 0.2, 7)[1], separated_set(3, 0.2, np.int64(7))[1])
    assert set(points[:, 2]) == {0.25, 0.75}


def test_beyond_the_radius_the_separator_is_robust():
    """So the papers' arbitrary epsilon_0 in (0, 1) would refute their bound: two parameters
    suffice.
    """
    separator = affine([[0.0, 0.0, 1.0]], [-0.5])
    for offset, robust in ((0.25, True), (0.0625, False)):
        points, labels = separated_set(3, 0.125, 0, offset)
        worst = points - 0.125 * labels[:, None] * [0, 0, 1]
        assert np.array_equal(exact_signs(separator, worst)[:, 0], labels) == robust


@pytest.mark.parametrize(
    ("function", "arguments", "complaint"),
    [
        (packing, (1, 0.1), "^dimension must be an integer >= 2"),
        (packing, (2.0, 0.1), "^dimension must"),
        (packing, (20, 0.1), "^dimension must leave"),
        (packing_number, (3, 0), "^delta must lie in"),
        (packing_number, (3, 0.5), "^delta must lie in"),
        (packing_number, (3, math.nan), "^delta must lie in"),
        (partial(packing_number, norm=1), (3, 0.1), "^norm must be"),
        (log_volume_bound, (3, -0.1), "^delta must"),
        (separated_set, (2, 0.25, [1]), "^signs must be 2"),
        (separated_set, (2, 0.25, [1, 0]), "^signs must be 2"),
        (separated_set, (2, 0.25, 0, 0.75), "^offset must"),
        (separated_set, (2, 0.25, 0, 0.0), "^offset must"),
        (sauer_shelah, (-1, 2), "^m must"),
        (log_growth_bound, (3, 4), "^k must"),
        (log_growth_bound, (3, 0), "^k must"),
        (vc_upper, ([0], 2), "^widths must"),
        (vc_upper, ([2], 0), "^d must"),
        (envelope_vc, (0, 2), "^parameters must"),
        (vc_fraction, (1,), "^mu must"),
        (vc_fraction, (math.nan,), "^mu must"),
        (least_vc, (5, -0.1), "^mu must"),
        (least_vc, (0, 0.1), "^n must"),
        (minimal_parameters, (3, 0.6), "^delta must"),
        (capacity_table, ([1], 0.1), "^dimension must"),
    ],
)
def test_bad_arguments(function, arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        function(*arguments)


def test_other_bad_arguments():
    with pytest.raises(TypeError, match=r"^delta must be a number"):
        packing_number(3, "0.1")
    for constant in (0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"^constant must"):
            minimal_parameters(3, 0.1, constant=constant)
    with pytest.raises(ValueError, match=r"^points must"):
        capacity_table([2], 0.1, points=0)


# -- VC dimension ----------------------------------------------------------------------------------


def log2_growth(widths, d, m):
    """log2 of prod_i 2 (2 e m i k_i / W_i)^(W_i): cells of parameters, layer by layer, before any
    simplification.
    """
    sizes = [d, *widths, 1]
    weights, total = 0, 0.0
    for i, (a, b) in enumerate(itertools.pairwise(sizes), start=1):
        weights += a * b + b
        total += 1 + weights * math.log2(2 * math.e * m * i * b / weights)
    return total


@pytest.mark.parametrize(
    ("widths", "d"), [([1], 1), ([8], 5), ([3, 4], 2), ([16] * 6, 3), ([100, 2], 50), ([1] * 9, 1)]
)
def test_beyond_the_bound_there_are_too_few_labellings(widths, d):
    bound = vc_upper(widths, d)
    for m in (bound + 1, 2 * bound, 100 * bound):
        assert log2_growth(widths, d, m) < m
    assert log2_growth(widths, d, bound // 4) > bound // 4  # and it is not far too large


def test_vc_upper_is_above_what_is_shattered():
    assert all(vc_upper([], d) == d + 1 for d in range(1, 9))
    for w in range(1, 20):
        # a piecewise-linear function with w kinks interpolates w + 1 points of the line
        assert vc_upper([w], 1) >= w + 1
    assert vc_upper([4, 5], 3) > vc_upper([4, 4], 3) > vc_upper([4], 3) > vc_upper([], 3)


def test_the_envelope_in_closed_form():
    for m, d in itertools.product(range(1, 12), range(1, 6)):
        assert envelope_vc(m, d) == vc_upper([m] * (m - 1), d)


def test_the_envelope_has_more_parameters_than_the_papers_say():
    def dense(m, d):
        sizes = [d, *[m] * (m - 1), 1]
        return sum(a * b + b for a, b in itertools.pairwise(sizes))

    assert all(dense(m, d) == m**3 - m**2 + d * m + 1 for m in range(2, 9) for d in range(1, 12))
    assert dense(10, 10) == 10**3 + 1
    assert dense(10, 9) < 10**3


# -- counting --------------------------------------------------------------------------------------


def test_sauer_shelah_by_enumeration():
    for m, k in itertools.product(range(9), range(11)):
        assert sauer_shelah(m, k) == sum(
            sum(labels) <= k for labels in itertools.product((0, 1), repeat=m)
        )


def test_the_growth_bound_holds_up_to_k_equal_to_m():
    for m in range(1, 30):
        for k in range(1, m + 1):
            assert log_growth_bound(m, k) >= math.log(sauer_shelah(m, k))


@pytest.mark.parametrize("mu", [0, 0.001, 0.01, 0.1, 0.25, 0.32])
def test_vc_fraction_solves_its_equation(mu):
    def h(t):
        return (math.e / t) ** t if t else 1.0

    c = vc_fraction(mu)
    assert 0 < c < 1 / 3
    assert h(mu) * h(c) <= 2 < h(mu) * h(c * (1 + 1e-8))


def test_where_counting_says_nothing():
    assert vc_fraction(0.328) == vc_fraction(0.9) == 0
    assert minimal_parameters(1000, 0.1, 0.4) == 0
    assert vc_fraction(0.327) > 0


def test_least_vc_by_the_definition():
    for n, mu in itertools.product(range(1, 14), (0, 0.1, 0.25, 0.3, 0.5)):
        near = sum(math.comb(n, i) for i in range(math.floor(n * Fraction(mu)) + 1))
        assert least_vc(n, mu) == min(
            k for k in range(n + 1) if near * sum(math.comb(n, i) for i in range(k + 1)) >= 2**n
        )


def test_the_papers_bounds_are_below_exact_counting():
    for mu in (0, 0.01, 0.05, 0.1, 0.2, 0.3):
        for n in (1, 2, 3, 10, 100, 1000):
            assert least_vc(n, mu) >= vc_fraction(mu) * n
    assert least_vc(500, 0) == 500
    assert 500 * vc_fraction(0) < 164


def test_the_sum_from_one_is_a_misprint():
    """As printed, 2^n / sum_{i=1}^{mu n} C(n, i) <= |R| for R within mu n of all labellings; 000
    and 111 refute it.
    """
    n, errors, chosen = 3, 1, [(0, 0, 0), (1, 1, 1)]
    distances = [
        [sum(a != b for a, b in zip(u, v, strict=True)) for v in chosen]
        for u in itertools.product((0, 1), repeat=n)
    ]
    assert all(min(row) <= errors for row in distances)
    assert 2**n > len(chosen) * sum(math.comb(n, i) for i in range(1, errors + 1))
    assert 2**n <= len(chosen) * sauer_shelah(n, errors)


@pytest.mark.parametrize("norm", ["inf", 2])
@pytest.mark.parametrize("dimension", [2, 5, 20, 200, 1000])
def test_minimal_parameters_are_minimal(dimension, norm):
    m = minimal_parameters(dimension, 0.1, 0.05, norm=norm)
    needed = Fraction(vc_fraction(0.05)) * packing_number(dimension, 0.1, norm=norm)
    assert envelope_vc(m, dimension) >= needed
    assert m == 1 or envelope_vc(m - 1, dimension) < needed


@pytest.mark.parametrize("delta", [0.1, 8 / 255, 0.3])
def test_the_exponent_of_the_lower_bound(delta):
    dimensions = range(100, 1001, 100)
    logarithms = [math.log(minimal_parameters(d, delta)) for d in dimensions]
    slope = np.polyfit(dimensions, logarithms, 1)[0]
    rate = math.log(math.ceil(1 / (2 * delta))) / 4
    assert 0.99 * rate < slope < rate < 1  # so it is exp(Omega(D)), and not Omega(exp(D))


def test_a_constant_in_place_of_the_explicit_bound():
    m = minimal_parameters(300, 0.1, constant=1.0)
    needed = Fraction(vc_fraction(0.01)) * packing_number(300, 0.1)
    assert (
        m**4 * Fraction(3 * math.log2(m)) >= needed > (m - 1) ** 4 * Fraction(3 * math.log2(m - 1))
    )
    assert (
        minimal_parameters(300, 0.1, constant=16.0)
        < m
        < 2.1 * minimal_parameters(300, 0.1, constant=16.0)
    )


# -- tables ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["inf", 2])
def test_the_table_counts_what_is_built(norm, monkeypatch):
    built = capacity_table([2, 3, 4, 5], 0.1, norm=norm, points=20)
    monkeypatch.setattr(constructions.capacity.tables, "LARGEST", 0)
    counted = capacity_table([2, 3, 4, 5], 0.1, norm=norm, points=20)
    assert all(row.built for row in built)
    assert not any(row.built for row in counted)
    for one, other in zip(built, counted, strict=True):
        assert (one.packing, one.cgro, one.robust, one.lower) == (
            other.packing,
            other.cgro,
            other.robust,
            other.lower,
        )
        assert one.clean == 2
        assert one.lower <= one.robust


@pytest.mark.parametrize("norm", ["inf", 2])
def test_the_robust_network_is_robust(norm):
    points, labels = separated_set(3, 0.1, 1)
    network = f_S(affine([[0.0, 0.0, 1.0]], [-0.5]), points, labels, Ball(norm, 0.1))
    assert certify_memorization(network, points, labels, Ball(norm, 0.1)).verdict == "proved"
    assert network.size.parameters == capacity_table([3], 0.1, norm=norm)[0].robust


def test_clean_below_cgro_below_robust():
    rows = capacity_table([10, 40, 100, 1000], 0.1)
    assert [row.cgro for row in rows] == [6 * row.dimension * 1000 + 2 * 1000 + 30 for row in rows]
    assert all(row.clean < row.cgro < row.robust for row in rows)
    assert all(
        row.robust == (6 * row.dimension + 2) * 5 ** (row.dimension - 1) + 30 for row in rows
    )
    assert [row.cgro < row.lower for row in rows] == [False, True, True, True]


def test_robust_networks_of_a_million_points_are_counted_when_built():
    """l_inf: (6 D + 2) n + 30 parameters, for every D of at most 10^6 points."""
    rows = capacity_table([*range(2, 10), 10], 0.1)
    assert [row.built for row in rows] == [True] * 8 + [False]
    assert [row.robust for row in rows] == [(6 * d + 2) * 5 ** (d - 1) + 30 for d in range(2, 11)]


def test_growth_over_the_dimension():
    rows = capacity_table(range(100, 1001, 100), 0.1)
    growth = capacity_growth(rows)
    assert growth.clean == pytest.approx(0, abs=1e-12)
    assert growth.cgro == pytest.approx(1, abs=0.002)
    assert math.log(5) < growth.robust < math.log(5) * 1.002  # and D, for (6 D + 2) 5^(D-1)
    assert 0.99 * math.log(5) / 4 < growth.lower < math.log(5) / 4
    with pytest.raises(ValueError, match="two or more"):
        capacity_growth(rows[:1])
    with pytest.raises(ValueError, match="two or more"):
        capacity_growth(capacity_table([2, 40], 0.1))  # one has fewer points
    with pytest.raises(ValueError, match="lower >= 1"):
        capacity_growth(capacity_table([20, 40], 0.1, mu=0.4))


def test_robust_interpolation_needs_n_d():
    rows = interpolation_table([(64, 8), (512, 64), (256, 256), (1000, 1000)])
    assert [row.needed for row in rows] == [256, 16384, 32768, 500_000]
    assert all(row.plain <= row.d + 6 * row.n for row in rows)
    assert all(row.robust > row.n * row.d / 2 for row in rows)
    # proved: two hidden layers of 1 and 2n - 2 units are not robust on all data
    assert rows[-1].plain_vc < rows[-1].needed
    orders = [
        fitted_exponent([256, 1000], [getattr(row, name) for row in rows[-2:]])
        for name in ("plain", "robust")
    ]
    assert orders[0] < 1.05  # n
    assert orders[1] > 1.7  # n d, above the d squares that all indicators share
