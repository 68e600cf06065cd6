"""The ledger on capacity: VC dimension, growth functions, shattered sets, and lower bounds for
robust classifiers.

Whole, because it is a list: each statement is a function of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import scipy.optimize

from constructions import (
    Ball,
    affine,
    capacity_growth,
    capacity_table,
    exact_signs,
    f_S,
    interpolation,
    interpolation_table,
    log_growth_bound,
    minimal_parameters,
    sauer_shelah,
    separated_set,
    separation,
    shattered_set,
    vc_upper,
)

from ..certification.decision import certify
from ..proofs.memorization import certify_memorization
from .claims import Check, at_least, at_most, between, claim, equal, share_of

FAR = tuple(range(100, 1001, 100))
RATE = math.log(5) / 4
"""Of exp(rate D), what the proof of the lower bound gives at delta = 0.1 up to logarithms."""

VC = "D = 10, hidden widths 8, 4 x 64, 64 x 64, 8 x 512; f_S of 8 points, D = 4, l_2, delta = 1/16"


def half_plane_labellings(points: np.ndarray) -> int:
    """Labellings of the points by sign(<w, x> + b), each decided by a linear program."""
    count, rows = 0, np.column_stack([points, np.ones(len(points))])
    for signs in itertools.product((-1, 1), repeat=len(points)):
        found = scipy.optimize.linprog(
            np.zeros(3),
            A_ub=-np.array(signs)[:, None] * rows,
            b_ub=-np.ones(len(points)),
            bounds=(None, None),
        )
        count += found.status == 0
    return count


def _in_general_position(count: int) -> np.ndarray:
    """Points on a circle."""
    angles = 2 * np.pi * np.arange(count) / count
    return np.column_stack([np.cos(angles), np.sin(angles)])


@claim(
    "cgro-definition-a.5",
    "growth function: the most labellings of m points by a class",
    "holds",
    "instantiated by half planes, where the growth function is 2 (1 + (m-1) + C(m-1, 2)) (Cover "
    "1965)",
    on="3 to 6 points of a circle (D = 2)",
)
def growth_function() -> Iterator[Check]:
    """Every labelling of m points decided by a linear program."""
    for m in (3, 4, 5, 6):
        yield equal(
            f"labellings of {m} points on a circle by half planes",
            half_plane_labellings(_in_general_position(m)),
            2 * (1 + (m - 1) + math.comb(m - 1, 2)),
        )


@claim(
    "cgro-definition-a.6",
    "VC dimension: the most points that a class labels in all ways",
    "holds",
    "instantiated by half planes, where it is 3: an affine function of 2 inputs, for which "
    "`vc_upper` is exact",
    on="3 points of a circle, all 15 sets of 4 of a grid of 6 points (D = 2)",
)
def vc_dimension() -> Iterator[Check]:
    """Three points are shattered, no four of a grid are."""
    yield equal("labellings of 3 points", half_plane_labellings(_in_general_position(3)), 8)
    grid = np.array(list(itertools.product((0.0, 1.0, 2.5), (0.0, 1.0))))
    fours = [np.array(four) for four in itertools.combinations(grid, 4)]
    yield at_most(
        f"most labellings of {len(fours)} sets of 4 points",
        max(map(half_plane_labellings, fours)),
        15,
    )
    yield equal("vc_upper of an affine function of 2 inputs", vc_upper([], 2), 3)


@claim(
    "cgrm-lemma-a.7",
    "the VC dimension of a ReLU network with L layers and W parameters is O(W log(W L))",
    "holds with correction",
    "O(W L log W), as CGRO has it: Bartlett et al. 2019 prove that (Theorem 6), and networks of VC "
    "dimension of order W L "
    "log(W / L) (Theorem 3), which is more than printed. Both are cited; the bound is evaluated "
    "here, not proved",
    on=VC,
)
@claim(
    "cgro-lemma-a.7",
    "the VC dimension of a ReLU network with L layers and W parameters is O(W L log W)",
    "holds",
    "a citation (Bartlett et al. 2019, Theorem 6): here its bound with all constants, evaluated "
    "exactly, beside a shattered "
    "set",
    on=VC,
)
def vc_bound() -> Iterator[Check]:
    """The bound over W L log2 W, and beside what is shattered."""
    for widths in ([8], [64] * 4, [64] * 64, [512] * 8):
        sizes = [10, *widths, 1]
        parameters = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
        bound = vc_upper(widths, 10)
        yield at_most(
            f"widths {len(widths)} x {widths[0]}: bound over W L log2 W",
            bound / (parameters * (len(widths) + 1) * math.log2(parameters)),
            4,
        )
    some = shattered_set(4, 4, 1 / 16)
    centres, labels = some.centres(np.ones(8, dtype=int))
    network = f_S(affine(np.zeros((1, 4))), centres, labels, Ball(2, 1 / 16))
    yield at_least(
        "`vc_upper` of networks in which 8 points are shattered", vc_upper(network.hidden, 4), 8
    )


@claim(
    "cgrm-lemma-a.8",
    "a class of VC dimension k labels m points in at most sum_(i<=k) C(m, i) ways, at most (e m / "
    "k)^k for m > k + 1",
    "holds",
    "on half planes, and on the sets of at most k of m points, which attain it; the second bound "
    "for all k <= m <= 60",
    on="4 to 6 points of a circle (D = 2); all sets of at most 3 of 8 points; all k <= m <= 60",
    also=["cgro-lemma-a.8"],
)
def sauer() -> Iterator[Check]:
    """Counted labellings, and both bounds in integers."""
    for m in (4, 5, 6):
        yield at_most(
            f"labellings of {m} points by half planes",
            half_plane_labellings(_in_general_position(m)),
            sauer_shelah(m, 3),
        )
    subsets = sum(1 for signs in itertools.product((0, 1), repeat=8) if sum(signs) <= 3)
    yield equal("sets of at most 3 of 8 points", subsets, sauer_shelah(8, 3))
    cases = [(m, k) for m in range(1, 61) for k in range(1, m + 1)]
    right = sum(
        math.log(sauer_shelah(m, k)) <= log_growth_bound(m, k) * (1 + 1e-12) for m, k in cases
    )
    yield share_of("(m, k) with sum C(m, i) <= (e m / k)^k", right, len(cases))


@claim(
    "cgrm-theorem-3.5",
    "for data as assumed, robust test error below a constant needs exp(Omega(d)) parameters",
    "holds with correction",
    "with explicit constants; epsilon_0 must be at most the radius of robustness (beyond it, x_d - "
    "1/2 is robust with 2 "
    "parameters); the enveloping network has M^3 - M^2 + d M + 1 parameters, at most the printed "
    "M^3 for M > d. The uniform "
    "distribution on S_phi is balanced, with mu_0 = 1",
    on="closed form: d = 100 to 1000, delta = 0.1, and d = 10; S_phi in d = 3, l_inf, delta = 0.1",
    also=["cgrm-theorem-a.6"],
)
def exponential_lower_bound() -> Iterator[Check]:
    """M_D with its rate, and each correction."""
    growth = capacity_growth(capacity_table(FAR, 0.1))
    yield between(
        "rate of M_D, d = 100 to 1000, delta = 0.1", growth.lower, 0.99 * RATE, RATE, "estimate"
    )
    yield at_least(
        "M_D at d = 100 (any robust network needs as many parameters)",
        minimal_parameters(100, 0.1),
        10**16,
        "certified lower bound",
    )
    points, labels = separated_set(3, 0.1, 0)
    yield at_least("S_phi: separation over 2 delta", separation(points, labels).distance / 0.2, 1)
    signs = exact_signs(affine([[0.0, 0.0, 1.0]], [-0.5]), points)[:, 0]
    yield equal("points of S_phi not separated by x_d = 1/2", int((signs != labels).sum()), 0)
    far, signs = separated_set(3, 0.1, 0, offset=0.25)
    separator, ball = affine([[0.0, 0.0, 1.0]], [-0.5]), Ball(math.inf, 0.2)
    robust = sum(
        certify(separator, x, ball, int(y)).verdict == "proved"
        for x, y in zip(far, signs, strict=True)
    )
    yield share_of(
        "epsilon_0 = 0.25: balls of radius 0.2 on which x_d - 1/2 is right", robust, len(far)
    )
    for m in (10, 11):
        envelope = sum((a + 1) * b for a, b in itertools.pairwise([10] + [m] * (m - 1) + [1]))
        yield equal(
            f"enveloping network of M = {m}, d = 10: parameters", envelope, m**3 - m**2 + 10 * m + 1
        )


@claim(
    "cgro-theorem-5.3",
    "there are M_D = Omega(exp(D)) and a distribution such that each classifier with M_D "
    "parameters has robust test error "
    "Omega(1)",
    "holds with correction",
    "exp(Omega(D)): the proof gives the rate log(ceil(1/(2 delta))) / 4 up to logarithms in l_inf, "
    "below 1 for delta >= 0.01",
    on="closed form: D = 6, 35, 100 to 1000, delta = 0.1; f_S of N = 1,000 points",
    also=["cgro-theorem-d.4", "li-theorem-4.7"],
)
def rate_of_lower_bound() -> Iterator[Check]:
    """The rate, over D and delta."""
    yield between(
        "rate of M_D, D = 100 to 1000, delta = 0.1",
        capacity_growth(capacity_table(FAR, 0.1)).lower,
        0.99 * RATE,
        RATE,
        "estimate",
    )
    yield at_most("log(ceil(1/(2 delta))) / 4 at delta = 0.01", math.log(50) / 4, 1)
    rows = {row.dimension: row for row in capacity_table([6, 35, 100], 0.1)}
    yield at_least(
        "D = 6: M_D over the size of f_clean",
        rows[6].lower / rows[6].clean,
        1.01,
        "certified lower bound",
    )
    yield at_least(
        "D = 35: M_D over the size of f_S of 1,000 points",
        rows[35].lower / rows[35].cgro,
        1.01,
        "certified lower bound",
    )
    yield at_least(
        "D = 100: M_D over the size of f_S of 1,000 points",
        rows[100].lower / rows[100].cgro,
        10**9,
        "certified lower bound",
    )
    yield at_least(
        "D = 100: size of the explicit robust network over M_D",
        rows[100].robust / rows[100].lower,
        1,
    )


# -- interpolation ---------------------------------------------------------------------------------


@claim(
    "gao-definition-6.1",
    "n-interpolation class: every labelling of n separated points is attained",
    "holds",
    "instantiated on three sets of 6 points, at random, on a line, and in two clusters (delta = "
    "1/512): networks with O(n) "
    "parameters (their equation (7)), all labellings but the two constant ones, in exact "
    "arithmetic",
    on=(
        "n = 6 points in d = 3, three sets of them, 62 labellings each; closed form: n = d = "
        "256 and 1000"
    ),
)
def interpolation_class() -> Iterator[Check]:
    """Every labelling realised."""
    scattered = np.random.default_rng(0).integers(0, 256, (6, 3)) / 256
    line = np.array([[k / 8, k / 8, k / 8] for k in range(6)])
    clusters = np.array([[c, c, c + k / 128] for c in (0.0, 0.5) for k in range(3)])
    for name, points in (
        ("scattered", scattered),
        ("on a line", line),
        ("in two clusters", clusters),
    ):
        right = 0
        for signs in itertools.product((-1, 1), repeat=6):
            if len(set(signs)) == 2:
                values = interpolation(points, signs).exact(points.tolist())[:, 0]
                right += all(v == y for v, y in zip(values, signs, strict=True))
        yield share_of(f"labellings of 6 points {name} interpolated", right, 62)
        yield at_least(
            f"points {name}: least distance", separation(points, range(6), norm=2).distance, 1 / 256
        )
    small, large = interpolation_table([(256, 256), (1000, 1000)])
    exponent = math.log(large.plain / small.plain) / math.log(1000 / 256)
    yield at_most("exponent of the parameters in n = d, 256 to 1000", exponent, 1.05, "estimate")


@claim(
    "gao-definition-6.2",
    "n-robust interpolation class: every labelling of n separated points is attained on their "
    "whole balls",
    "holds",
    "instantiated: f_S of 4 points on a grid (delta = 1/8), proved on every ball, for all "
    "labellings",
    on="n = 4 points of a grid, d = 2, l_2, delta = 1/8, all 16 labellings",
)
def robust_interpolation_class() -> Iterator[Check]:
    """Every labelling realised and proved."""
    points, ball = (
        np.array([[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]]),
        Ball(2, 0.125),
    )
    right = 0
    for signs in itertools.product((-1, 1), repeat=4):
        network = f_S(affine([[0.0, 0.0]]), points, signs, ball)
        right += certify_memorization(network, points, signs, ball).verdict == "proved"
    yield share_of("labellings of 4 balls proved", right, 16)


@claim(
    "gao-theorem-6.1",
    "an n-robust interpolation class has VC dimension Omega(n d)",
    "holds with correction",
    "n d / 2 for even n; for n = 1 it is false: two constants robustly interpolate one point and "
    "shatter one",
    on="n = d = 4, l_2, delta = 1/16, all 256 labellings of 8 points; closed form: n = d = 1000",
)
def robust_interpolation_needs_more() -> Iterator[Check]:
    """All 256 labellings of the shattered set of n = d = 4, realised by networks and proved; sizes
    at n = d = 1000.
    """
    some = shattered_set(4, 4, 1 / 16)
    ball, right = Ball(2, some.delta), 0
    for signs in itertools.product((-1, 1), repeat=8):
        centres, labels = some.centres(signs)
        network = f_S(affine(np.zeros((1, 4))), centres, labels, ball)
        proved = certify_memorization(network, centres, labels, ball).verdict == "proved"
        right += proved and bool((exact_signs(network, some.points)[:, 0] == signs).all())
    yield share_of("labellings of n d / 2 = 8 points, each forced by 4 proved balls", right, 256)
    (row,) = interpolation_table([(1000, 1000)])
    yield at_least(
        "n = d = 1000: n d / 2 over the VC bound of the plain interpolant's widths",
        row.needed / row.plain_vc,
        1.01,
        "certified lower bound",
    )
    yield at_least(
        "n = d = 1000: parameters of the robust interpolant over the plain one's",
        row.robust / row.plain,
        100,
    )
