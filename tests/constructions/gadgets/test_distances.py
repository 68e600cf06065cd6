"""Balls, separation, distance networks and indicators against exact rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import counts, distance_inf, distance_squared, lean_ramp, pieces, ramp

from constructions import Ball, distance, lean_indicator, soft_indicator
from constructions.basics.ball import read_norm
from constructions.gadgets.indicators import thresholds
from constructions.gadgets.points import read_points

NORMS = ("inf", 2)
DTYPES = (torch.float64, torch.float32)


def excess(ball, x, centre):
    """How far the first row of x lies outside the ball, exactly (l_2: in squared distance); <= 0
    inside.
    """
    x, centre = x[0].flatten().tolist(), centre[0].flatten().tolist()
    if ball.p == math.inf:
        return distance_inf(x, centre) - Fraction(ball.radius)
    return distance_squared(x, centre) - Fraction(ball.radius) ** 2


# -- balls -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@given(
    radius=st.one_of(st.sampled_from([0.0, 8 / 255, 0.1, 0.3, 0.5, 1.0]), st.floats(0, 1)),
    shape=st.sampled_from([(1,), (2,), (3, 4), (1, 5, 5)]),
    seed=st.integers(0, 10**6),
    far=st.sampled_from([1e-3, 1.0, 1e6]),
)
def test_projection_never_leaves_the_ball(norm, dtype, radius, shape, seed, far):
    """Checked in exact arithmetic; and points well inside stay put up to rounding."""
    generator = torch.Generator().manual_seed(seed)
    ball = Ball(norm, radius)
    centre = torch.rand(1, *shape, generator=generator, dtype=dtype)
    x = centre + far * torch.randn(1, *shape, generator=generator, dtype=dtype)
    projected = ball.project(x, centre)
    assert (projected.shape, projected.dtype) == (x.shape, dtype)
    assert excess(ball, projected, centre) <= 0
    if excess(Ball(norm, radius * 0.99), x, centre) <= 0 and radius > 1e-3:
        assert torch.allclose(projected, x, rtol=0, atol=4 * torch.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("norm", "radius", "offset"),
    [("inf", 10.0, 100.0), ("inf", 1000.0, 1e5), (2, 0.1, 1.0), (2, 0.3, 3.0)],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_projection_never_leaves_large_or_wide_balls(norm, radius, offset, dtype):
    """Radii above the centre's size, and 784 coordinates that all round the same way."""
    ball = Ball(norm, radius)
    generator = torch.Generator().manual_seed(0)
    for centre in (
        torch.full((1, 784), 0.9, dtype=dtype),
        torch.rand(1, 784, generator=generator, dtype=dtype),
    ):
        for sign in (1, -1):
            over = excess(ball, ball.project(centre + sign * offset, centre), centre)
            assert over <= 0


@pytest.mark.parametrize("norm", NORMS)
def test_projection_is_the_nearest_point(norm):
    """Towards a far point, it moves by the radius; it never moves coordinates the wrong way."""
    ball, centre = Ball(norm, 0.25), torch.rand(50, 7, dtype=torch.float64)
    x = centre + torch.randn(50, 7, dtype=torch.float64)
    moved = ball.project(x, centre) - centre
    if norm == "inf":
        assert torch.allclose(moved, (x - centre).clamp(-0.25, 0.25), atol=1e-15)
    else:
        offset = x - centre
        assert torch.allclose(
            moved, offset * (0.25 / offset.norm(dim=1, keepdim=True)).clamp_max(1), atol=1e-14
        )


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_samples_fill_the_ball(norm, dtype):
    generator = torch.Generator().manual_seed(1)
    ball, centre = Ball(norm, 0.2), torch.rand(4000, 1, 3, generator=generator, dtype=dtype)
    x = ball.sample(centre, generator)
    assert (x.shape, x.dtype) == (centre.shape, dtype)
    assert all(excess(ball, x[i : i + 1], centre[i : i + 1]) <= 0 for i in range(200))
    # uniform on [0,1] for a uniform point in three dimensions
    share = (ball.norm(x - centre) / ball.radius).double() ** 3
    assert torch.allclose(
        torch.quantile(share, torch.tensor([0.25, 0.5, 0.75]).double()),
        torch.tensor([0.25, 0.5, 0.75]).double(),
        atol=0.04,
    )
    assert (x - centre).mean().abs() < 0.01
    assert torch.equal(Ball(norm, 0.0).sample(centre), centre)
    assert ball.sample(centre[:0]).shape == (0, 1, 3)


@pytest.mark.parametrize("norm", NORMS)
def test_norms_are_dual(norm):
    """<g, d> <= ||g||_q ||d||_p, with equality at the ascent direction, whose norm is 1."""
    ball = Ball(norm, 0.5)
    g, d = torch.randn(30, 2, 3, dtype=torch.float64), torch.randn(30, 2, 3, dtype=torch.float64)
    assert 1 / ball.p + 1 / ball.dual == 1
    best = ball.ascent(g)
    assert torch.allclose(ball.norm(best), torch.ones(30, dtype=torch.float64))
    assert torch.allclose((g * best).flatten(1).sum(1), ball.dual_norm(g))
    assert ((g * d).flatten(1).sum(1) <= ball.dual_norm(g) * ball.norm(d) + 1e-12).all()
    zero = torch.zeros(1, 3)
    assert torch.equal(ball.ascent(zero), zero)
    assert ball.norm(torch.tensor([[3.0, -4.0]])).item() == (4.0 if norm == "inf" else 5.0)
    assert ball.dual_norm(torch.tensor([[3.0, -4.0]])).item() == (7.0 if norm == "inf" else 5.0)


@pytest.mark.parametrize("p", ["inf", math.inf, np.inf, "2", 2, 2.0, np.float64(2), np.int64(2)])
def test_norms_are_read(p):
    assert read_norm(p) == Ball(p, 1).p == float(p)


@pytest.mark.parametrize("p", [1, 3, "1", "max", None, True, -math.inf, math.nan])
def test_other_norms_are_refused(p):
    with pytest.raises(ValueError, match=r"^norm p must be 2 or 'inf', got"):
        Ball(p, 0.1)


@pytest.mark.parametrize("radius", [-0.1, math.inf, math.nan, pytest.param(10**400, id="10^400")])
def test_radii_are_checked(radius):
    with pytest.raises(ValueError, match="radius must be finite and >= 0"):
        Ball("inf", radius)


@pytest.mark.parametrize(
    "radius", [None, "0.1", True, np.True_, [0.1], 1j, torch.tensor([0.1, 0.2])]
)
def test_radii_are_numbers(radius):
    with pytest.raises(TypeError, match="radius must be a number, got"):
        Ball("inf", radius)


def test_balls_print_their_norm_and_radius():
    assert [str(Ball(p, 0.25)) for p in NORMS] == [
        "l_inf ball of radius 0.25",
        "l_2 ball of radius 0.25",
    ]


# -- distances -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [1, 2, 3, 17, 64, 784])
@pytest.mark.parametrize("dtype", DTYPES)
def test_linf_distance_is_exact_on_dyadic_points(dimension, dtype):
    generator = torch.Generator().manual_seed(dimension)
    centre = torch.randint(1, 2**8, (3, dimension), generator=generator).to(dtype) / 2**8
    x = torch.randint(0, 2**8 + 1, (200, dimension), generator=generator).to(dtype) / 2**8
    expected = (x[:, None] - centre).abs().amax(2)
    assert torch.equal(distance(centre, "inf")(x), expected)
    network = distance(centre[0], "inf")
    assert torch.equal(network(x), expected[:, :1])
    assert network.size.parameters <= 8 * dimension
    assert network.size.depth == math.ceil(math.log2(dimension)) + (dimension == 1)


@pytest.mark.parametrize("dimension", [1, 2, 3, 4, 5, 6, 7, 16, 17, 64, 101])
def test_linf_distance_counts_are_the_closed_form(dimension):
    centre = torch.rand(dimension, dtype=torch.float64)
    _, _, _, weights, biases, _ = counts(distance(centre, "inf"))
    constant = {0: -4, 1: Fraction(-11, 4), 2: Fraction(-9, 2), 3: Fraction(-9, 4)}[dimension % 4]
    expected = Fraction(31, 4) * dimension + constant if dimension > 1 else 6
    assert weights + biases == expected
    assert distance(torch.stack([centre] * 3), "inf").size.parameters == 3 * (weights + biases)


@given(seed=st.integers(0, 10**6), dimension=st.integers(1, 7))
def test_linf_distance_in_exact_arithmetic(seed, dimension):
    generator = np.random.default_rng(seed)
    centres = generator.integers(0, 9, (2, dimension)) / 8
    x = [Fraction(int(k), 7) for k in generator.integers(0, 8, dimension)]
    assert distance(centres, "inf").exact(x).tolist() == [distance_inf(x, c) for c in centres]


def test_linf_distance_rounds_its_weights():
    """Generic float64 centres: the rounding of c_j +- c_k changes the function by at most 2^-52."""
    generator = np.random.default_rng(0)
    centres = generator.random((4, 9))
    for row in generator.integers(0, 98, (50, 9)):
        x = [Fraction(int(k), 97) for k in row]
        for value, c in zip(distance(centres, "inf").exact(x), centres, strict=True):
            assert abs(value - distance_inf(x, c)) <= Fraction(1, 2**52)


@pytest.mark.parametrize("shared", [False, True])
def test_squared_distance_is_one_sided_on_many_points(shared):
    """10^5 points with 10-bit coordinates: all of float64's arithmetic is exact but for the shared
    form's safety margin.
    """
    dimension, m = 17, 6
    generator = torch.Generator().manual_seed(0)
    c = torch.randint(0, 2**10 + 1, (2, dimension), generator=generator).double() / 2**10
    x = torch.randint(0, 2**10 + 1, (50_000, dimension), generator=generator).double() / 2**10
    error = distance(c, 2, m, shared=shared)(x) - ((x[:, None] - c) ** 2).sum(2)
    assert error.numel() == 10**5
    rounding = 4 * dimension * (dimension + 1) * 2.0**-52 if shared else 0.0
    assert error.min() >= 0
    assert error.max() <= dimension * 4.0 ** -(m + 1) + rounding


@pytest.mark.parametrize("shared", [False, True])
@given(seed=st.integers(0, 10**6), dimension=st.integers(1, 4), m=st.integers(1, 6))
def test_squared_distance_is_one_sided_exactly(shared, seed, dimension, m):
    """At rational points, for generic float64 centres."""
    generator = np.random.default_rng(seed)
    centres = generator.random((2, dimension))
    x = [Fraction(int(k), 97) for k in generator.integers(0, 98, dimension)]
    for phi, c in zip(distance(centres, "2", m, shared=shared).exact(x), centres, strict=True):
        rounding = Fraction(2 * dimension * (dimension + 1), 2**52) if shared else 0
        assert 0 <= phi - distance_squared(x, c) <= dimension * Fraction(1, 4 ** (m + 1)) + rounding


@pytest.mark.parametrize("shared", [False, True])
def test_squared_distance_in_many_dimensions(shared):
    """D = 784, generic points: float64 sums of 784 terms below 1 are right to 784^2 2^-53."""
    x, c = torch.rand(50, 784, dtype=torch.float64), torch.rand(3, 784, dtype=torch.float64)
    network = distance(c, 2, 8, shared=shared)
    error = network(x) - ((x[:, None] - c) ** 2).sum(2)
    assert error.min() >= -1e-9
    assert error.max() <= 784 * 4.0**-9 + 1e-9
    assert network.size.parameters <= (
        784 * 3 + 3 + 784 * (7 * 8 + 12) if shared else 3 * 784 * (7 * 8 + 5)
    )


def test_sharing_squares_pays_over_many_centres():
    """D + O(1) parameters a centre in place of D (7m + 4)."""
    centres, dimension, m = torch.rand(40, 30, dtype=torch.float64), 30, 5
    for shared, each in ((True, dimension + 2), (False, dimension * (7 * m + 5))):
        more, fewer = (distance(centres[:n], 2, m, shared=shared).size.parameters for n in (40, 20))
        assert more - fewer <= 20 * each


def test_distance_checks_its_arguments():
    for bad, message in (
        ([0.5, 1.5], r"centre must lie in \[0, 1\], got values in \[0.5, 1.5\]"),
        ([[0.5], [-0.5]], r"centre must lie in \[0, 1\]"),
        ([[0.5], [math.nan]], "NaN or infinity in row 1"),
        (0.5, r"shape \(D,\) or \(N, D\)"),
        ([], r"shape \(D,\) or \(N, D\)"),
    ):
        with pytest.raises(ValueError, match=message):
            distance(bad, "inf")
    with pytest.raises(ValueError, match=r"m .* must be given for norm 2"):
        distance([0.5], 2)
    with pytest.raises(ValueError, match="m must be an integer"):
        distance([0.5], 2, m=0)
    with pytest.raises(ValueError, match="apply to norm 2 only"):
        distance([0.5], "inf", m=3)
    with pytest.raises(ValueError, match="apply to norm 2 only"):
        distance([0.5], "inf", shared=True)
    with pytest.raises(ValueError, match="must have shape"):
        read_points(np.zeros((2, 2, 2)), "centres")


# -- indicators ------------------------------------------------------------------------------------

DYADIC_THRESHOLDS = [(0.25, 0.75), (0.0, 1.0), (-1.0, 1.0), (0.5, 0.53125)]


@pytest.mark.parametrize(("inner", "outer"), DYADIC_THRESHOLDS)
@given(t=st.fractions(-3, 3))
def test_soft_indicator_is_a_ramp(inner, outer, t):
    assert soft_indicator(inner, outer).exact([t])[0] == ramp(t, inner, outer)


@pytest.mark.parametrize(("inner", "outer"), DYADIC_THRESHOLDS)
def test_soft_indicator_has_three_pieces(inner, outer):
    assert pieces(soft_indicator(inner, outer), -2, 2) == 3
    t = torch.tensor([[-3.0], [inner], [outer], [3.0]], dtype=torch.float64)
    assert soft_indicator(inner, outer)(t).flatten().tolist() == [1.0, 1.0, 0.0, 0.0]


@given(inner=st.floats(-2, 2), width=st.floats(1e-3, 2), t=st.fractions(-5, 5))
def test_soft_indicator_rounds_its_slope(inner, width, t):
    """Otherwise off by the rounding of 1 / (outer - inner): at most 2^-52; exactly 0 from the outer
    threshold.
    """
    outer = inner + width
    value = soft_indicator(inner, outer).exact([t])[0]
    assert abs(value - ramp(t, inner, outer)) <= Fraction(1, 2**52)
    assert value == 0 or t < Fraction(outer)


@pytest.mark.parametrize(("inner", "outer"), [(0.125, 0.25), (0.0, 0.5), (0.25, 0.3125)])
@given(seed=st.integers(0, 10**6), dimension=st.integers(1, 4))
def test_lean_indicator_is_its_formula(inner, outer, seed, dimension):
    generator = np.random.default_rng(seed)
    centres = generator.integers(-8, 25, (2, dimension)) / 16
    x = [Fraction(int(k), 48) for k in generator.integers(0, 49, dimension)]
    values = lean_indicator(centres, inner, outer).exact(x).tolist()
    assert values == [lean_ramp(x, c, inner, outer) for c in centres]
    for value, c in zip(values, centres, strict=True):
        t = distance_inf(x, c)
        assert value == 1 if t <= inner else value == 0 if t >= outer else 0 <= value < 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_lean_indicator_in_floating_point(dtype):
    """On random points in a box of 784 dimensions, on corners and just outside: exactly 1 and
    exactly 0.
    """
    inner, outer, centre = 0.125, 0.25, torch.randint(0, 2**8, (784,)).to(dtype) / 2**8
    network = lean_indicator(centre, inner, outer)
    inside = centre + inner * torch.cat(
        [torch.rand(200, 784, dtype=dtype) * 2 - 1, torch.randn(50, 784, dtype=dtype).sign()]
    )
    assert (network(inside) == 1).all()
    outside = inside.clone()
    outside[torch.arange(250), torch.randint(0, 784, (250,))] = 0
    outside[torch.arange(250), torch.arange(250)] = centre[:250] + outer
    assert (network(outside) == 0).all()
    assert network.size.parameters <= 6 * 784 + 2
    assert lean_indicator(torch.rand(7, 9), inner, outer).size.parameters == 7 * (6 * 9 + 2)


@pytest.mark.parametrize(
    ("inner", "outer"), [(0.5, 0.5), (0.5, 0.25), (math.nan, 1.0), (0.0, math.inf)]
)
def test_indicator_thresholds_are_checked(inner, outer):
    for build in (soft_indicator, lambda a, b: lean_indicator([0.5], a, b)):
        with pytest.raises(ValueError, match="thresholds must be finite with inner < outer"):
            build(inner, outer)


def test_lean_indicator_checks_its_arguments():
    with pytest.raises(ValueError, match="inner must be >= 0"):
        lean_indicator([0.5], -0.5, 1.0)
    with pytest.raises(ValueError, match="NaN or infinity"):
        lean_indicator([math.nan], 0.25, 0.5)


# -- thresholds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
@given(
    radius=st.floats(0, 4),
    room=st.floats(1e-12, 4),
    share=st.fractions(0, 1),
)
def test_thresholds_are_exact(norm, radius, room, share):
    """inner >= radius^p + error + doubt, outer <= (R - radius)^p - doubt, and a power of two
    between them.
    """
    ball, separated, doubt = Ball(norm, radius), 2 * radius + room, Fraction(1, 2**48)
    power = 1 if norm == "inf" else 2
    inside, half = Fraction(radius) ** power, Fraction(separated) / 2
    far = Fraction(separated) - Fraction(radius)
    error = share * max(Fraction(0), half**power - inside)
    try:
        cut = thresholds(ball, separated, error)
    except ValueError:
        assert far**power - inside - error <= 2 * doubt  # refused only where there is no room
        return
    inner, outer = Fraction(cut.inner), Fraction(cut.outer)
    assert inner >= inside + error + doubt
    assert outer <= far**power - doubt
    if half**power - inside - error > 2 * doubt:
        assert outer <= half**power - doubt
    width = outer - inner
    assert width > 0
    assert width.numerator & (width.numerator - 1) == 0
    assert width.denominator & (width.denominator - 1) == 0


def test_thresholds_without_another_class():
    cut = thresholds(Ball("inf", 0.25), math.inf, Fraction(0))
    assert 0.25 < cut.inner < cut.outer <= 0.5


@pytest.mark.parametrize("norm", NORMS)
def test_thresholds_without_room(norm):
    with pytest.raises(
        ValueError, match=r"no room for thresholds: the indicator must be 1 up to .* and 0 from"
    ):
        thresholds(Ball(norm, 0.25), 0.5, Fraction(0))
    with pytest.raises(ValueError, match="larger m makes the error smaller"):
        thresholds(Ball(norm, 0.25), 1.0, Fraction(1))
