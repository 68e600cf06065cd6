"""Gadgets on one and two numbers: values by `==` on dyadic points, sup errors exactly, counts
against the stated bounds.
"""

import itertools
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import counts, evaluate, knots, pieces, square_interpolant

from constructions import (
    absolute,
    gate,
    maximum,
    multiplication,
    squaring,
    tooth,
    yarotsky_multiplication,
)
from constructions.basics.floats import power_of_two

PRODUCTS = (multiplication, yarotsky_multiplication)


def grid(m, scale=1):
    """All k scale / 2^m in [0, scale], as a float64 column."""
    return torch.arange(2**m + 1, dtype=torch.float64)[:, None] * scale / 2**m


# -- squaring --------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", range(1, 8))
def test_squaring_interpolates_with_2m_pieces(m):
    """As exact piecewise-linear functions, f_m and the interpolant of x^2 at k/2^m are the same."""
    graph = knots(squaring(m), 0, 1)
    assert {Fraction(k, 2**m) for k in range(2**m + 1)} <= {x for x, _ in graph}
    assert all(value == square_interpolant(m, x) for x, value in graph)
    assert pieces(squaring(m), 0, 1) == 2**m


@pytest.mark.parametrize("m", range(1, 11))
def test_sup_error_of_squaring_is_exact(m):
    """Rational arithmetic at all breakpoints k/2^m (error 0) and midpoints (error 4^-(m+1),
    one-sided).
    """
    points = [Fraction(k, 2 ** (m + 1)) for k in range(2 ** (m + 1) + 1)]
    errors = squaring(m).exact([[x] for x in points])[:, 0] - np.array([x * x for x in points])
    assert set(errors[::2]) == {0}
    assert set(errors[1::2]) == {Fraction(1, 4 ** (m + 1))}


@pytest.mark.parametrize("m", range(1, 21))
def test_sup_error_of_squaring_in_float64(m):
    """At breakpoints and midpoints float64 is exact; elsewhere m + 2 sums below 1 add at most 2^-54
    each.
    """
    network, x = squaring(m), grid(m + 1)
    errors = (network(x) - x * x).flatten()
    assert torch.equal(errors[::2], torch.zeros(2**m + 1, dtype=torch.float64))
    assert torch.equal(errors[1::2], torch.full((2**m,), 4.0 ** -(m + 1), dtype=torch.float64))
    x = torch.rand(10**4, 1, dtype=torch.float64)
    error = network(x) - x * x
    assert error.min() >= -(m + 2) * 2.0**-54
    assert error.max() <= 4.0 ** -(m + 1) + (m + 2) * 2.0**-54


@pytest.mark.parametrize("m", range(1, 21))
def test_size_of_squaring(m):
    network = squaring(m)
    depth, width, _, weights, biases, _ = counts(network)
    assert depth == m
    assert width <= 3
    assert weights + biases <= 8 * m


@pytest.mark.parametrize("form", ["structured", "sparse", "dense"])
@pytest.mark.parametrize("m", range(1, 11))
def test_squaring_is_the_square_at_dyadic_points_in_every_form(m, form):
    x = grid(m)
    assert torch.equal(squaring(m).to_module(form)(x), x * x)
    single = x.float()  # the square has at most 20 bits, float32 has 24
    assert torch.equal(squaring(m).to_module(form, torch.float32)(single), single * single)


def test_error_of_squaring_falls_like_4_to_the_minus_m():
    depths = range(2, 12)
    errors = [float((squaring(m)(grid(13)) - grid(13) ** 2).max()) for m in depths]
    slope = np.polyfit(depths, np.log(errors), 1)[0]
    assert slope == pytest.approx(-np.log(4), abs=1e-12)


# -- tooth, absolute value, maximum ----------------------------------------------------------------


@pytest.mark.parametrize("s", range(1, 8))
def test_tooth_has_2s_pieces(s):
    network = tooth(s)
    assert pieces(network, 0, 1) == 2**s
    values = [evaluate(network, [Fraction(k, 2**s)])[0] for k in range(2**s + 1)]
    assert values == [k % 2 for k in range(2**s + 1)]


@pytest.mark.parametrize("s", [10, 20])
def test_deep_teeth_alternate(s):
    values = tooth(s)(grid(s)).flatten()
    assert torch.equal(values, torch.arange(2**s + 1, dtype=torch.float64) % 2)


@given(
    st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=20),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_absolute_is_exact(numerators, dtype):
    x = torch.tensor(numerators, dtype=dtype)[:, None] / 2**10
    assert torch.equal(absolute()(x), x.abs())
    assert pieces(absolute(), -1, 1) == 2


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33, 100, 784])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_maximum_is_exact_on_dyadic_numbers(n, dtype):
    generator = torch.Generator().manual_seed(n)
    x = torch.randint(0, 2**12, (200, n), generator=generator).to(dtype) / 2**8
    x[:n] = torch.eye(n, dtype=dtype)[:200] * 7  # each place wins once
    x[-1] = 0
    assert torch.equal(maximum(n)(x), x.amax(1, keepdim=True))
    assert maximum(n).size.depth == (n - 1).bit_length()


@given(st.lists(st.fractions(min_value=0, max_value=9, max_denominator=50), min_size=1, max_size=9))
def test_maximum_of_fractions(values):
    assert maximum(len(values)).exact(values).tolist() == [max(values)]


# -- multiplication --------------------------------------------------------------------------------


def formula(build, m, scale, x, y):
    """The construction's formula, with the interpolant of the square in place of networks."""

    def f(t):
        return square_interpolant(m, abs(t) / (2 * scale))

    if build is multiplication:
        return scale**2 * (f(x + y) - f(x - y))
    return 2 * scale**2 * (f(x + y) - f(x) - f(y))


@pytest.mark.parametrize("build", PRODUCTS)
@pytest.mark.parametrize(("m", "bound"), [(1, 1.0), (2, 1.0), (3, 0.5), (4, 1.0), (3, 4.0)])
def test_multiplication_is_its_formula(build, m, bound):
    """Exact equality at every vertex, edge midpoint and centre of the squares on which the formula
    is affine.

    All kinks lie on lines x + y, x - y (Yarotsky: also x, y) in 2M/2^m Z, so M/2^(m+1) Z^2 contains
    all of those points."""
    scale, network = Fraction(bound), build(m, bound)
    steps = [scale * k / 2 ** (m + 1) for k in range(-(2 ** (m + 1)), 2 ** (m + 1) + 1)]
    points = list(itertools.product(steps, steps))
    expected = [formula(build, m, scale, x, y) for x, y in points]
    assert network.exact(points)[:, 0].tolist() == expected
    errors = [value - x * y for value, (x, y) in zip(expected, points, strict=True)]
    # With 0 <= f - t^2 <= 4^-(m+1), attained (see squaring), the extreme errors follow, and these
    # points attain them.
    if build is multiplication:
        assert max(errors) == -min(errors) == scale**2 * Fraction(1, 4 ** (m + 1))
    else:
        assert -(scale**2) * Fraction(1, 4**m) <= min(errors)
        assert max(errors) <= scale**2 * Fraction(1, 2 * 4**m)


@pytest.mark.parametrize("build", PRODUCTS)
@given(
    m=st.integers(1, 12),
    bound=st.sampled_from([0.25, 1.0, 3.0, 8.0]),
    x=st.fractions(-1, 1, max_denominator=1000),
    y=st.fractions(-1, 1, max_denominator=1000),
)
def test_multiplication_equals_its_formula_at_rational_points(build, m, bound, x, y):
    scale = Fraction(power_of_two(bound, "bound"))
    value = build(m, bound).exact([x * scale, y * scale])[0]
    assert value == formula(build, m, scale, x * scale, y * scale)
    assert abs(value - x * y * scale**2) <= scale**2 * Fraction(1, 4**m)


@pytest.mark.parametrize("build", PRODUCTS)
@pytest.mark.parametrize("m", [2, 5, 9])
def test_multiplication_in_float64_on_a_fine_dyadic_grid(build, m):
    """Steps of 2^-8 on [-1,1]^2 have few bits: float64 is exact there, and the error is within M^2
    4^-m.
    """
    steps = torch.arange(-(2**8), 2**8 + 1, dtype=torch.float64) / 2**8
    points = torch.cartesian_prod(steps, steps)
    error = build(m, 1.0)(points)[:, 0] - points.prod(1)
    assert error.abs().max() <= 4.0**-m
    if build is multiplication and m < 9:  # the two squares attain their bound on this grid
        assert error.max() == -error.min() == 4.0 ** -(m + 1)


@pytest.mark.parametrize("build", PRODUCTS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_zero_factors_give_zero_in_every_form(build, dtype):
    """10^5 random cases a form: exactly 0 whenever a factor is 0."""
    network = build(10, 3.0)
    x = (torch.rand(100_000, 1, dtype=dtype) * 2 - 1) * 4
    for points in (torch.cat([x, torch.zeros_like(x)], 1), torch.cat([torch.zeros_like(x), x], 1)):
        for form in ("structured", "sparse", "dense"):
            assert torch.count_nonzero(network.to_module(form, dtype)(points)) == 0


@pytest.mark.parametrize("build", PRODUCTS)
@given(
    m=st.integers(1, 26),
    bound=st.floats(1e-6, 1e6),
    factor=st.floats(-1, 1),
    batch=st.sampled_from([1, 2, 7]),
    swapped=st.booleans(),
)
def test_zero_factors_give_zero_at_any_depth_and_bound(build, m, bound, factor, batch, swapped):
    point = [0.0, factor * bound] if swapped else [factor * bound, 0.0]
    values = build(m, bound).to_module("dense")(torch.tensor([point] * batch, dtype=torch.float64))
    assert torch.count_nonzero(values) == 0


def test_a_small_network_multiplies_to_4_8e_4():
    """On [-1,1]^2 an error of 4.8e-4 (exactly: 4^-6 by the test above) in at most 350 dense
    parameters.
    """
    network = multiplication(5, 1.0)
    assert counts(network)[-1] == network.size.dense_parameters
    assert Fraction(1, 4**6) <= Fraction("4.8e-4")
    assert network.size.dense_parameters <= 350


def test_multiplication_takes_the_next_power_of_two():
    assert [power_of_two(v, "v") for v in (0.3, 0.5, 1.0, 1.5, 5.0, 8.0)] == [
        0.5,
        0.5,
        1.0,
        2.0,
        8.0,
        8.0,
    ]
    network = multiplication(4, 3.0)
    assert network.provenance.arguments["scale"] == 4.0
    assert network.domain == (-4.0, 4.0)


# -- gate ------------------------------------------------------------------------------------------


@given(
    bound=st.sampled_from([0.5, 1.0, 3.0, 16.0]), share=st.fractions(-1, 1), s=st.fractions(0, 1)
)
def test_gate_soft_thresholds(bound, share, s):
    """v s for s in {0, 1}; between, v shrunk by B (1 - s)."""
    v, by = share * Fraction(bound), Fraction(bound) * (1 - s)
    network = gate(bound)
    assert network.exact([[v, 0], [v, 1]])[:, 0].tolist() == [0, v]
    assert network.exact([v, s])[0] == (v - by if v > by else v + by if v < -by else 0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gate_in_floating_point(dtype):
    """Closed, it is exactly 0 for every v; open, it is v where v + B is representable."""
    v = (torch.rand(10_000, 1, dtype=dtype) * 2 - 1) * 5
    dyadic = torch.randint(-5 * 2**12, 5 * 2**12 + 1, (10_000, 1)).to(dtype) / 2**12
    one, zero = torch.ones_like(v), torch.zeros_like(v)
    for form in ("structured", "sparse", "dense"):
        module = gate(5.0).to_module(form, dtype)
        assert torch.count_nonzero(module(torch.cat([v, zero], 1))) == 0
        assert torch.equal(module(torch.cat([dyadic, one], 1)), dyadic)


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [0, -1, 501, 1.0, 2.5, "3", True, None, float("nan")])
def test_depths_are_checked(bad):
    for build, name in (
        (squaring, "m"),
        (tooth, "s"),
        (lambda m: multiplication(m, 1.0), "m"),
        (lambda m: yarotsky_multiplication(m, 1.0), "m"),
    ):
        with pytest.raises(ValueError, match=f"{name} must be an integer between 1 and 500"):
            build(bad)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf"), 2.0**-201, 2.0**201])
def test_bounds_are_checked(bad):
    for build in (gate, *(partial(product, 3) for product in PRODUCTS)):
        with pytest.raises(ValueError, match=r"bound must lie between 2\^-200 and 2\^200, got"):
            build(bad)


def test_arguments_outside_the_domain_are_refused():
    for network, point in (
        (squaring(2), [1.5]),
        (tooth(2), [-0.5]),
        (maximum(2), [-1.0, 0.0]),
        (multiplication(2, 1.0), [0.0, 1.5]),
    ):
        with pytest.raises(ValueError, match="domain"):
            network([point])
    with pytest.raises(ValueError, match="n must be an integer >= 1, got 0"):
        maximum(0)
