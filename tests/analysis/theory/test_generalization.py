"""Generalization bounds against simulations of what they bound; first-order ratios against closed
forms and exact maxima.
"""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

from analysis import (
    Measured,
    clean_bound,
    exact_flatness,
    first_order_ratios,
    flatness_profile,
    printed_robust_bound,
    robust_bound,
    vc_gap,
)
from constructions import (
    Ball,
    ReLUNetwork,
    affine,
    compose,
    f_S,
    fitted_exponent,
    predictions,
    sauer_shelah,
    tooth,
    vc_upper,
)
from training import is_error, mlp

FLAT = Measured(2.0, "estimate")
BETA = stats.beta(4, 4)
GRID = np.linspace(-1, 2, 30_001)
ROUGHNESS = float(np.abs(np.diff(np.gradient(BETA.pdf(GRID), GRID))).sum())
"""Of Beta(4, 4): the integral of |p''|, which is the variation of p'."""


def explicit(**changes):
    settings = {
        "samples": 10_000,
        "dimension": 1,
        "ball": Ball("inf", 0.1),
        "loss_bound": 1.0,
        "roughness": ROUGHNESS,
    }
    return robust_bound(FLAT, **{**settings, **changes})


# -- clean errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vc", "samples"), [(1, 1), (1, 50), (20, 50), (49, 50), (50, 50), (51, 50), (10**9, 50)]
)
def test_the_gap_covers_the_growth_function(vc, samples):
    tail = math.sqrt(-math.log(0.1) / (2 * samples))
    growth = math.log(sauer_shelah(samples, min(vc, samples)))
    found = vc_gap(vc, samples, 0.1) - tail
    assert math.sqrt(2 * growth / samples) - 1e-12 <= found <= math.sqrt(2 * math.log(2)) + 1e-12
    if vc <= 20:
        assert found <= 1.5 * math.sqrt(2 * growth / samples) or samples == 1


def test_half_lines_stay_below_the_gap():
    """VC dimension 1: the largest test minus training error of sign(x - t) over t, for labels 1
    with probability 0.7.
    """
    generator, samples, beyond = np.random.default_rng(0), 200, 0
    for _ in range(200):
        labels = generator.random(samples) < 0.7  # in the order of x, uniform in [0, 1]
        x = np.sort(generator.random(samples))
        below = np.concatenate([[0], np.cumsum(labels)])  # errors left of t
        above = np.concatenate([np.cumsum(~labels[::-1])[::-1], [0]])
        training = (below + above) / samples
        places = np.concatenate([x, [1.0]])  # just left of the next point, and 1
        beyond += (0.7 * places + 0.3 * (1 - places) - training).max() > vc_gap(1, samples)
    assert beyond <= 10


def test_samples_needed_grow_with_the_dimension():
    """Theorem 6.2: polynomially; for a linear f_clean about linearly."""
    dimensions = [10, 100, 1000]
    needed = []
    for d in dimensions:
        n = 1
        while vc_gap(vc_upper([], d), n) > 0.2:
            n = math.ceil(n * 1.01)
        needed.append(n)
    assert 0.9 < fitted_exponent(dimensions, needed) < 1.05


def clusters(count, seed):
    """Points of [0,1]^2 near 16 centres 1/4 apart, labels by centre: opposite labels are at least
    0.15 apart in l_inf.
    """
    generator = torch.Generator().manual_seed(seed)
    centre = torch.randint(0, 4, (count, 2), generator=generator)
    points = (centre + 0.5) / 4 + 0.1 * (
        torch.rand(count, 2, generator=generator, dtype=torch.float64) - 0.5
    )
    return points, 2 * (centre.sum(1) % 2) - 1


def test_f_s_errs_nowhere_else_than_f_clean():
    """So the bound for f_clean is one for f_S, without Assumption 6.1."""
    clean = affine([[3.0, -2.0]], [-0.4])
    built = f_S(clean, *clusters(60, 1), Ball("inf", 0.03), separation=0.15)
    fresh, labels = clusters(4000, 2)
    wrong_clean, wrong_built = (is_error(network(fresh), labels) for network in (clean, built))
    assert not (wrong_built & ~wrong_clean).any()
    assert 0 < wrong_built.sum() < wrong_clean.sum()
    near, near_labels = clusters(60, 1)
    assert not is_error(built(near), near_labels).any()


def test_a_small_class_has_a_bound_and_f_s_has_none():
    points, labels = clusters(20_000, 0)
    clean = affine([[1.0, 0.0]], [-0.5])
    found = clean_bound(clean, points, labels)
    assert found.terms["training error"] == float(
        (predictions(clean(points)) != labels).double().mean()
    )
    assert found.terms["complexity"] == vc_gap(3, 20_000)
    assert found.value.value == pytest.approx(sum(found.terms.values()))
    assert (found.value.kind, found.verdict) == ("certified upper bound", "informative")
    built = f_S(clean, points[:40], labels[:40], Ball("inf", 0.03), separation=0.15)
    assert clean_bound(built, points, labels).verdict == "vacuous"


# -- robust errors ---------------------------------------------------------------------------------


def smoothed(samples, h):
    """The kernel density of a sample, on the grid."""
    ordered = np.sort(samples)
    return (np.searchsorted(ordered, GRID + h) - np.searchsorted(ordered, GRID - h)) / (
        2 * h * len(samples)
    )


@pytest.mark.parametrize("h", [0.02, 0.05, 0.1])
def test_the_smoothing_term_bounds_the_bias(h):
    bias = (BETA.cdf(GRID + h) - BETA.cdf(GRID - h)) / (2 * h) - BETA.pdf(GRID)
    # the most that int (p - E p_S) L is, over all L in [0, 1]
    distance = np.trapezoid(np.abs(bias), GRID) / 2
    assert 0.9 * h**2 * ROUGHNESS / 12 < distance < h**2 * ROUGHNESS / 12


def test_no_loss_has_a_larger_gap():
    """The worst loss in [0, B], chosen after the sample: its gap is B times the total variation of
    p - p_S.
    """
    generator, samples, beyond, seen = np.random.default_rng(0), 2000, 0, []
    bound = explicit(samples=samples, loss_bound=3.0, failure=0.1)
    limit = bound.terms["smoothing"] + bound.terms["sampling"]
    for _ in range(100):
        x = BETA.rvs(samples, random_state=generator)
        distance = np.trapezoid(
            np.abs(BETA.pdf(GRID) - smoothed(x, bound.constants["bandwidth"])), GRID
        )
        seen.append(3.0 * distance / 2)
        beyond += seen[-1] > limit
    assert beyond <= 10
    assert max(seen) > 0.2 * limit  # of the right order: Markov's inequality costs 1 / sqrt(0.1)


@pytest.mark.parametrize("dimension", [1, 2, 5])
@pytest.mark.parametrize("roughness", [1e-9, 0.5, 1000.0])
def test_the_bandwidth_is_the_best(dimension, roughness):
    found = explicit(dimension=dimension, roughness=roughness, samples=10**7)
    h = np.linspace(1e-4, 0.1, 100_000)
    values = h**2 * roughness / 12 + ((1 + 2 * h) / (2 * h)) ** (dimension / 2) / np.sqrt(
        4 * 10**7 * 0.05
    )
    assert found.terms["smoothing"] + found.terms["sampling"] == pytest.approx(
        values.min(), rel=1e-6
    )
    assert found.constants["bandwidth"] == pytest.approx(h[values.argmin()], abs=2e-6)


@pytest.mark.parametrize("dimension", [1, 3, 10])
def test_rates(dimension):
    """Free bandwidths are of order N^(-1/(D+4)); the papers' N^(-1/(D+2)) is where delta and N^-1/2
    delta^-D/2 balance.
    """
    sizes = [10.0**k for k in range(40, 80, 5)]
    found = [explicit(samples=int(n), dimension=dimension, roughness=100.0) for n in sizes]
    bandwidths = [bound.constants["bandwidth"] for bound in found]
    assert fitted_exponent(sizes, bandwidths) == pytest.approx(-1 / (dimension + 4), rel=0.02)
    assert all(bound.terms["flatness"] == 0.2 for bound in found)  # delta G, for all N
    for n in sizes:
        delta = n ** (-1 / (dimension + 2))
        assert delta == pytest.approx(n**-0.5 * delta ** (-dimension / 2))


def test_l2_balls_hold_smaller_cubes():
    found = explicit(dimension=4, ball=Ball(2, 0.1), roughness=1e-9)
    assert found.constants["bandwidth"] == 0.05
    assert explicit(dimension=4, roughness=1e-9).constants["bandwidth"] == 0.1


def test_what_is_vacuous_says_so():
    assert explicit(dimension=784, samples=60_000).verdict == "vacuous"
    assert (
        explicit(dimension=3072, samples=50_000, ball=Ball("inf", 8 / 255)).value.value == math.inf
    )
    assert explicit().verdict == "informative"


def test_kinds_follow_from_that_of_flatness():
    def kind(flatness):
        return robust_bound(
            flatness,
            samples=10_000,
            dimension=1,
            ball=Ball("inf", 0.1),
            loss_bound=1.0,
            roughness=16.0,
        ).value.kind

    assert kind(Measured(2.0, "certified upper bound")) == "certified upper bound"
    assert kind(Measured(2.0, "certified upper bound", None, 50)) == "estimate"  # of a sample
    assert kind(Measured(2.0, "empirical lower bound", None, 50)) == "estimate"
    inside = explicit().value.value - 0.2
    some = Measured(2.0, "estimate", None, 50, (1.0, 4.0))
    found = robust_bound(
        some,
        samples=10_000,
        dimension=1,
        ball=Ball("inf", 0.1),
        loss_bound=1.0,
        roughness=ROUGHNESS,
    )
    assert found.value.interval == pytest.approx((inside + 0.1, inside + 0.4))


def test_the_printed_bound():
    found = printed_robust_bound(
        FLAT, samples=1000, dimension=1, factor=0.5, constant=3.0, failure=0.25, loss_bound=9.0
    )
    assert found.terms == pytest.approx({"sampling": 0.5 * 0.1 * 6.0, "flatness": 0.5 * 0.1 * 2.0})
    assert found.value.value == pytest.approx(0.4)
    assert (found.value.kind, found.verdict) == ("estimate", "informative")


def test_a_constant_classifier_refutes_theorem_e1():
    """Its global flatness is 0, so E.1 bounds its gap by 0; with balanced labels the gap is > 0 on
    half of all samples.
    """
    x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    constant = affine([[0.0, 0.0]], [1.0])
    profile = flatness_profile(
        constant, x, torch.ones(50, dtype=torch.int64), Ball("inf", 0.1), [0.1]
    )
    (flat,) = profile.mean("gradient")
    settings = {"samples": 51, "dimension": 2, "factor": 1e9, "failure": 0.05, "loss_bound": 1.0}
    assert printed_robust_bound(flat, constant=0.0, **settings).value.value == 0
    # fewer errors on the sample than on half of all points
    assert stats.binom(51, 0.5).cdf(25) == pytest.approx(0.5)
    assert printed_robust_bound(flat, constant=1.0, **settings).value.value > 0


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": 0},
        {"failure": 0.0},
        {"failure": 1.0},
        {"failure": math.nan},
        {"dimension": 0},
        {"loss_bound": 0.0},
        {"loss_bound": math.inf},
        {"loss_bound": math.nan},
        {"roughness": 0.0},
        {"samples": 1e3},
        {"dimension": 2.5},
        {"roughness": math.nan},
        {"ball": Ball(2, 0.0)},
    ],
)
def test_arguments_of_the_robust_bound(changes):
    with pytest.raises(ValueError, match=r"must be|must lie"):
        explicit(**changes)


def test_other_arguments():
    settings = {
        "samples": 10,
        "dimension": 1,
        "factor": 1.0,
        "constant": 1.0,
        "failure": 0.1,
        "loss_bound": 1.0,
    }
    for changes in (
        {"factor": 0.0},
        {"constant": math.nan},
        {"constant": -1.0},
        {"loss_bound": 0.0},
        {"failure": 2.0},
    ):
        with pytest.raises(ValueError, match=r"must be|must lie"):
            printed_robust_bound(FLAT, **{**settings, **changes})
    with pytest.raises(ValueError, match=r"^flatness must be"):
        printed_robust_bound(Measured(math.nan, "estimate"), **settings)
    with pytest.raises(ValueError, match="one output"):
        clean_bound(mlp([2, 3, 3]), torch.rand(4, 2), torch.tensor([0, 1, 2, 0]))
    for vc, samples, failure in ((0, 10, 0.1), (1, 0, 0.1), (1, 10, 1.0), (10, 1.5, 0.1)):
        with pytest.raises(ValueError, match=r"^(vc|samples|failure) must"):
            vc_gap(vc, samples, failure)
    x, y = torch.full((3, 2), 0.5), torch.tensor([1, 1, -1])
    with pytest.raises(ValueError, match=r"^radii must be > 0"):
        first_order_ratios(affine([[1.0, 0.0]]), x, y, Ball("inf", 0.1), [0.0, 0.1])
    with pytest.raises(ValueError, match="gradient is 0"):
        first_order_ratios(affine([[0.0, 0.0]], [1.0]), x, y, Ball("inf", 0.1), [0.1])


# -- first order -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("p", "q"), [("inf", 1), (2, 2)])
def test_ratios_of_a_linear_network(p, q):
    w, radii = torch.tensor([[0.5, -1.0, 3.0]], dtype=torch.float64), [1e-5, 0.01, 0.2]
    x = 0.25 + 0.5 * torch.rand(
        40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    y = torch.where(x[:, 0] > 0.5, 1, -1)
    z, size = -y * (x @ w.T)[:, 0], float(torch.linalg.vector_norm(w, ord=q))
    found = first_order_ratios(affine(w), x, y, Ball(p, 0.1), radii)
    for radius, ratio in zip(radii, found, strict=True):
        change = (functional.softplus(z + radius * size) - functional.softplus(z)).mean()
        assert ratio.value == pytest.approx(
            float(change / (radius * size * torch.sigmoid(z).mean())), rel=1e-6
        )
        assert ratio.value >= 1 - 1e-9
        assert ratio.kind == "empirical lower bound"
    assert found[0].value == pytest.approx(1, abs=1e-4)


def test_ratios_go_to_one_and_stay_below_exact_maxima():
    network = ReLUNetwork.from_module(mlp([2, 8, 1], seed=3))
    network = compose(affine([[8.0]]), network)
    x = 0.3 + 0.4 * torch.rand(
        12, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    y = torch.where(x.sum(1) > 1, 1, -1)
    radii = [1e-6, 0.05, 0.25]
    found = first_order_ratios(network, x, y, Ball("inf", 0.1), radii)
    exact, _ = exact_flatness(network, x, y, Ball("inf", 0.1), radii)
    gradients = flatness_profile(network, x, y, Ball("inf", 0.1), [0.0]).gradient[:, 0].mean()
    assert found[0].value == pytest.approx(1, abs=1e-3)
    for k, ratio in enumerate(found):
        limit = float(exact.change[:, k].mean() / (radii[k] * gradients))
        # a search may end in a local maximum
        assert 0.9 * limit < ratio.value <= limit * (1 + 1e-6)
        assert ratio.value <= float(exact.gradient[:, k].mean() / gradients) * (1 + 1e-6)


@pytest.mark.parametrize("s", [4, 8, 12])
def test_no_constant_holds_for_all_networks(s):
    """The tooth has slope 2^s everywhere and values in [0, 1]: at a fixed radius the ratio falls as
    2^-s.
    """
    network = compose(affine([[1.0]], [-0.5]), tooth(s))
    x = torch.rand(30, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.where(x[:, 0] > 0.5, 1, -1)
    (tiny, wide) = first_order_ratios(network, x, y, Ball("inf", 0.1), [2.0 ** (-s - 8), 0.1])
    assert tiny.value == pytest.approx(1, abs=0.05)
    assert wide.value <= 1 / (0.1 * 2**s * torch.sigmoid(torch.tensor(-0.5)))
