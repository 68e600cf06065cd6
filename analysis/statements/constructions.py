"""The ledger on what networks can represent: building blocks, and the classifiers f_adv and f_S.

Whole, because it is a list: each statement is a function of its own, in the order of the papers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from constructions import (
    VARIANTS,
    Ball,
    ReLUNetwork,
    affine,
    closed_form,
    count_regions,
    distance,
    f_adv,
    f_S,
    level_set,
    multiplication,
    packing,
    pattern_bound,
    separation,
    squaring,
    tooth,
    yarotsky_multiplication,
    zaslavsky,
)
from training import load_data, mlp

from ..certification.decision import certify
from ..proofs.memorization import certify_memorization
from ..proofs.sup_error import distance_error, sup_error
from .claims import Check, at_least, at_most, between, claim, equal, share_of

BALL = Ball(math.inf, 0.125)
POPULATION = (
    f"a population of 16 points (D = 3), l_inf, delta = {BALL.radius:g}, N = 8 of them the "
    "training set"
)
"""What `population` gives."""


@dataclass(frozen=True)
class Population:
    """A distribution with finite support, uniform on its points, so that its errors can be counted.

    points: on both sides of x_D = 1/2, more than 2 delta apart, half of them delta / 2 from it
    (small margin), half 2 delta. training: which of them are in the training set, half of each
    kind.
    """

    points: np.ndarray
    labels: np.ndarray
    margins: np.ndarray
    training: np.ndarray

    @property
    def small(self) -> np.ndarray:
        """Which points have margin < delta."""
        return self.margins < BALL.radius

    @property
    def clean(self) -> ReLUNetwork:
        """f_clean: 4 (x_D - 1/2)."""
        return affine([[0.0] * (self.points.shape[1] - 1) + [4.0]], [-2.0])

    def robust_error(self, network: ReLUNetwork, chosen: np.ndarray) -> Fraction:
        """The share of the chosen points whose ball holds an error, each decided by a proof or an
        exact counterexample.
        """
        verdicts = [
            certify(network, x, BALL, int(y)).verdict
            for x, y in zip(self.points[chosen], self.labels[chosen], strict=True)
        ]
        if "unresolved" in verdicts:
            raise RuntimeError(
                f"{verdicts.count('unresolved')} of {len(verdicts)} balls could not be decided"
            )
        return Fraction(verdicts.count("refuted"), len(verdicts))

    def clean_error(self, network: ReLUNetwork) -> Fraction:
        """The share of points with y f(x) <= 0, in exact arithmetic."""
        values = network.exact(self.points.tolist())[:, 0]
        return Fraction(
            sum(y * v <= 0 for y, v in zip(self.labels.tolist(), values, strict=True)), len(values)
        )

    def memorizing(self) -> ReLUNetwork:
        """f_adv of the training points."""
        x, y, margins = (
            values[self.training] for values in (self.points, self.labels, self.margins)
        )
        return f_adv(self.clean, x, y, BALL, margins=margins)


def population(dimension: int = 3) -> Population:
    """A population of 4^(D-1) points; see `Population`."""
    grid = packing(dimension, BALL.radius)
    labels = np.random.default_rng(0).choice([-1, 1], len(grid))
    small = np.arange(len(grid)) // 2 % 2 == 0
    margins = np.where(small, BALL.radius / 2, 2 * BALL.radius)
    return Population(
        np.column_stack([grid, 0.5 + margins * labels]),
        labels,
        margins,
        np.arange(len(grid)) % 2 == 0,
    )


# -- margins and distances -------------------------------------------------------------------------


def _to_segment(x: Sequence[Fraction], a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    """The l_inf distance from a point of the plane to a segment, exactly: convex and piecewise
    linear along it.
    """
    offsets, slopes = zip(*((p - c, q - p) for p, q, c in zip(a, b, x, strict=True)), strict=True)
    lines = [(o, s) for o, s in zip(offsets, slopes, strict=True)]
    lines += [
        (offsets[0] - offsets[1], slopes[0] - slopes[1]),
        (offsets[0] + offsets[1], slopes[0] + slopes[1]),
    ]
    places = [Fraction(0), Fraction(1), *(-o / s for o, s in lines if s and 0 <= -o / s <= 1)]
    return min(max(abs(o + s * t) for o, s in zip(offsets, slopes, strict=True)) for t in places)


@claim(
    "cgrm-proposition-3.1",
    "the margin on the ball, min y f(x + xi), is >= 0 exactly where x is at least delta from the "
    "decision boundary",
    "holds with correction",
    "nearer than delta always implies a negative margin; the converse needs that f classifies x "
    "rightly and that {y f <= 0} "
    "is the closure of {y f < 0}, as zeros on a plateau are no boundary by the papers' definition; "
    "and balls inside the cube",
    on=(
        "72 balls: 6 points of [1/4, 3/4]^2 (D = 2) for each of 4 random networks 2-8-1, "
        "l_inf, delta = 1/16, 1/8 and 1/4; two networks made by hand"
    ),
    also=["cgrm-theorem-a.1"],
)
def margins_and_distances() -> Iterator[Check]:
    """Boundaries as exact segments beside balls decided by proofs and counterexamples; the two
    exceptions.
    """
    agree = total = 0
    for seed in range(4):
        network = ReLUNetwork.from_module(mlp([2, 8, 1], seed).double())
        boundary = level_set(network, (-1, 2))
        faces = [
            [[Fraction(c) for c in boundary.vertices[k]] for k in face] for face in boundary.faces
        ]
        for x in np.random.default_rng(seed).integers(16, 48, (6, 2)) / 64:
            point = [Fraction(c) for c in x]
            reach = min((_to_segment(point, *face) for face in faces), default=Fraction(10))
            label = 1 if network.exact([x.tolist()])[0, 0] > 0 else -1
            for radius in (0.0625, 0.125, 0.25):
                total += 1
                verdict = certify(network, x, Ball(math.inf, radius), label).verdict
                agree += verdict == ("refuted" if reach <= radius else "proved")
    yield share_of(
        "balls decided as the exact distance to the boundary says (points classified rightly)",
        agree,
        total,
    )
    line = affine([[1.0]], [-0.5])
    wrong = -line.exact([[0.75]])[0, 0]
    yield equal(
        "f = x - 1/2 at 7/8, y = -1, 3/8 from the boundary: largest y f on the ball of radius 1/8",
        wrong,
        -0.25,
    )
    first = [[0.0, 1.0], [1.0, 0.0]], [-0.5, 0.0]
    flat = ReLUNetwork.from_layers(
        [first, ([[-0.25, 1.0], [-0.25, -1.0]], [-0.5, 0.5]), ([[1.0, -1.0]], [0.0])]
    )
    x = [37 / 64, 48 / 64]  # the boundary is x_1 = 1/2, x_2 <= 1/2; above it, zeros have a width
    yield equal(
        "a plateau of zeros: f(x), x 1/4 from the boundary", flat.exact([x])[0, 0], Fraction(1, 64)
    )
    yield equal(
        "its value at a point of the ball of radius 1/8 around x",
        flat.exact([[29 / 64, 40 / 64]])[0, 0],
        Fraction(-1, 64),
    )


# -- f_adv and f_S ---------------------------------------------------------------------------------


@claim(
    "cgrm-proposition-3.2",
    "f_adv has robust training error 0, clean test error 0 and robust test error Omega(robust "
    "error of f_clean) = Omega(mu)",
    "holds with correction",
    "Omega(mu) needs that a share of the small-margin "
    "data has errors of f_clean outside of the memorized balls (of a network: of the shells): "
    "where these cover all errors, the robust test error is 0, too",
    on=POPULATION,
)
def cgrm_classifier() -> Iterator[Check]:
    """Every ball of a finite population decided."""
    found = population()
    network, everywhere = found.memorizing(), np.ones(len(found.points), dtype=bool)
    yield equal("robust training error of f_adv", found.robust_error(network, found.training), 0)
    yield equal("clean test error of f_adv", found.clean_error(network), 0)
    yield equal(
        "robust test error of f_clean = mu",
        found.robust_error(found.clean, everywhere),
        Fraction(1, 2),
    )
    missed = Fraction(int((found.small & ~found.training).sum()), len(found.points))
    yield equal(
        "robust test error of f_adv: the small margin points not in the training set",
        found.robust_error(network, everywhere),
        missed,
    )
    covered = f_adv(found.clean, found.points, found.labels, BALL, margins=found.margins)
    yield equal(
        "the same if the training points are the population",
        found.robust_error(covered, everywhere),
        0,
    )


@claim(
    "cgrm-theorem-3.3",
    "a ReLU network with O~(mu N d + poly(d)) parameters is within epsilon of f_adv on [0,1]^d",
    "holds with correction",
    "not on all of [0,1]^d: f_adv jumps at the balls' rims and a network is continuous. Exact on "
    "the balls and outside of the "
    "shells between the thresholds",
    on=f"{POPULATION}, 4 of them memorized; closed form: mu N = 100 to 400, d = 64 to 256",
    also=["cgrm-theorem-a.2"],
)
def cgrm_size() -> Iterator[Check]:
    """Sizes over N, mu and d; exact values on balls and far away; the jump."""
    found = population()
    network, chosen = found.memorizing(), found.small & found.training
    centres, labels = found.points[chosen], found.labels[chosen]
    outer = float(network.provenance.arguments["outer"]) if network.provenance else math.nan
    rng = np.random.default_rng(0)
    on_balls = np.clip(centres[:, None] + rng.integers(-8, 9, (len(centres), 32, 3)) / 64, 0, 1)
    values = network.exact(on_balls.reshape(-1, 3).tolist())[:, 0]
    wanted = np.repeat(labels, 32).tolist()
    yield equal(
        "largest |f - f_adv| at 32 points of each memorized ball",
        max(abs(v - w) for v, w in zip(values, wanted, strict=True)),
        0,
    )
    far = rng.integers(0, 65, (500, 3)) / 64
    far = far[np.abs(far[:, None] - centres).max(2).min(1) >= outer]
    clean = found.clean.exact(far.tolist())[:, 0]
    gaps = [abs(v - w) for v, w in zip(network.exact(far.tolist())[:, 0], clean, strict=True)]
    yield equal(f"largest |f - f_adv| at {len(far)} points outside of the shells", max(gaps), 0)
    rim = centres[0] + [0.125 + 2.0**-40, 0.0, 0.0]
    jump = abs(network.exact([rim.tolist()])[0, 0] - found.clean.exact([rim.tolist()])[0, 0])
    yield at_least("|f - f_adv| just outside of a ball", jump, 0.5)
    sizes = {
        (n, d): _parameters(n, d, "inf", "lean") for n in (100, 200, 400) for d in (64, 128, 256)
    }
    slopes = [
        sizes[400, d] - sizes[200, d] - 2 * (sizes[200, d] - sizes[100, d]) for d in (64, 128, 256)
    ]
    yield equal("second difference of the parameters in mu N", max(map(abs, slopes)), 0)
    yield between(
        "parameters per memorized coordinate, N = 400, d = 256", sizes[400, 256] / (400 * 256), 5, 8
    )


def _parameters(n: int, d: int, norm: Any, variant: Any) -> int:
    """Parameters of f_S, in closed form: n points in d dimensions, linear f_clean, m = 8."""
    formula = closed_form(norm, variant)
    return int(
        formula.subs(
            {symbol: {"N": n, "D": d, "m": 8}[str(symbol)] for symbol in formula.free_symbols}
        )
    )


@claim(
    "cgrm-corollary-3.4",
    "such a network has robust training and clean test error o(1), and robust test error Omega(mu)",
    "holds with correction",
    "both errors are 0, not only o(1); Omega(mu) as in Proposition 3.2",
    on=POPULATION,
)
def cgrm_errors() -> Iterator[Check]:
    """The same for all three variants, every ball decided."""
    found, everywhere = population(), np.ones(16, dtype=bool)
    missed = Fraction(int((found.small & ~found.training).sum()), len(found.points))
    x, y, margins = (
        values[found.training] for values in (found.points, found.labels, found.margins)
    )
    small = margins < BALL.radius
    for variant in VARIANTS:
        network = f_adv(found.clean, x, y, BALL, margins=margins, variant=variant)
        proof = certify_memorization(network, x[small], y[small], BALL)
        yield at_least(
            f"{variant}: margin on all memorized balls",
            proof.bound or -1,
            0.75,
            "certified lower bound",
        )
        yield equal(f"{variant}: clean test error", found.clean_error(network), 0)
        if variant != "paper":  # whose products make single balls slow to decide
            yield equal(
                f"{variant}: robust training error", found.robust_error(network, found.training), 0
            )
            yield equal(
                f"{variant}: robust test error", found.robust_error(network, everywhere), missed
            )


def classes_apart() -> Iterator[Check]:
    """Distances between classes, exactly, on the population and on digits."""
    found = population()
    apart = separation(found.points, found.labels).distance
    yield at_least(
        "population: separation minus 2 delta (more than 0)", apart - 2 * BALL.radius, 1 / 32
    )
    points, labels = digits()
    yield at_least(
        "digits, odd against even: separation minus 2 delta",
        separation(points, labels).distance - 0.2,
        1 / 32,
    )


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """All embedded digits, odd against even."""
    data = load_data("digits", "parity").flat(torch.float64)
    return (
        torch.cat([data.train_points, data.test_points]),
        torch.cat([data.train_labels, data.test_labels]),
    )


@claim(
    "cgro-assumption-5.1",
    "classes are more than 2 delta apart, and a network with poly(D) parameters has clean error 0 "
    "but robust error Omega(1)",
    "holds",
    "an assumption on data: on a constructed population all of it; on the embedded digits (8 x 8 "
    "pixels, l_inf, delta = 0.1) "
    "the separation, exactly (a network without any clean error on a distribution of images cannot "
    "be shown)",
    on=f"{POPULATION}; all 1,797 embedded digits (D = 64), odd against even, l_inf, delta = 0.1",
)
def data_assumption() -> Iterator[Check]:
    """Separations and errors counted."""
    yield from classes_apart()
    found = population()
    yield equal("population: clean error of x_D - 1/2", found.clean_error(found.clean), 0)
    everywhere = np.ones(len(found.points), dtype=bool)
    yield at_least("population: its robust error", found.robust_error(found.clean, everywhere), 0.5)


@claim(
    "cgro-theorem-5.2",
    "a network with poly(D) + O~(N D) parameters has clean test and robust training error 0, and "
    "robust test error Omega(1)",
    "holds with correction",
    "Omega(1) needs that a share of the small-margin data has errors of f_clean outside of the "
    "shells around the training points (else the robust test error is 0). Also on "
    "all 60,000 images of MNIST, where it is built and proved (docs/how/screens.md). Of li's "
    "Theorem 4.4 two notes say the same, with errors o(1)",
    on=f"{POPULATION}; also l_2; closed form: N = 10,000 and 20,000, D = 1,000 and 2,000",
    also=["cgro-theorem-d.1", "li-theorem-4.4"],
)
def cgro_classifier() -> Iterator[Check]:
    """f_S in all variants: every ball decided, parameters by closed form."""
    found = population()
    x, y = found.points[found.training], found.labels[found.training]
    everywhere = np.ones(len(found.points), dtype=bool)
    missed = Fraction(int((found.small & ~found.training).sum()), len(found.points))
    for variant in VARIANTS:
        network = f_S(found.clean, x, y, BALL, variant=variant)
        proof = certify_memorization(network, x, y, BALL)
        yield at_least(
            f"{variant}: margin on all training balls",
            proof.bound or -1,
            0.75,
            "certified lower bound",
        )
        yield equal(f"{variant}: clean test error", found.clean_error(network), 0)
    network = f_S(found.clean, x, y, BALL)
    yield equal("lean: robust test error", found.robust_error(network, everywhere), missed)
    covered = f_S(found.clean, found.points, found.labels, BALL)
    yield equal(
        "the same if the training points are the population",
        found.robust_error(covered, everywhere),
        0,
    )
    for norm, ball in (("inf", BALL), (2, Ball(2, 0.125))):
        network = f_S(found.clean, x, y, ball)
        proof = certify_memorization(network, x, y, ball)
        yield at_least(
            f"l_{norm}: margin on all training balls",
            proof.bound or -1,
            0.75,
            "certified lower bound",
        )
        for variant in VARIANTS:
            at = {
                (n, d): _parameters(n, d, norm, variant)
                for n, d in ((10**4, 10**3), (2 * 10**4, 10**3), (10**4, 2 * 10**3))
            }
            more_points, more_inputs = (
                Fraction(at[k], at[10**4, 10**3]) for k in ((2 * 10**4, 10**3), (10**4, 2 * 10**3))
            )
            yield at_most(
                f"l_{norm}, {variant}: parameters of twice as many points", more_points, 2.01
            )
            yield at_most(
                f"l_{norm}, {variant}: parameters of twice as many inputs", more_inputs, 2.01
            )


# -- building blocks -------------------------------------------------------------------------------


@claim(
    "cgrm-lemma-a.3",
    "a network with O(log^2(B / epsilon)) parameters multiplies on [0,B]^2 up to epsilon, and is 0 "
    "where a factor is",
    "holds",
    "f_clean is signed, so the papers need it on [-B,B]^2, where it is computed here; 14 m + 16 or "
    "21 m + 20 parameters for "
    "error B^2 4^-(m+1) or B^2 4^-m suffice: O(log(B^2 / epsilon)), without the square",
    on="all of [-B, B]^2 (D = 2), m = 1, B = 1 and m = 3, B = 2; 258 points with a factor 0",
    also=["cgro-lemma-d.3"],
)
def products() -> Iterator[Check]:
    """Exact suprema over [-B, B]^2, exact zeros."""
    for build, name, parameters, power in (
        (multiplication, "two squares", lambda m: 14 * m + 16, 1),
        (yarotsky_multiplication, "three squares", lambda m: 21 * m + 20, 0),
    ):
        for m, bound in ((1, 1.0), (3, 2.0)):
            network = build(m, bound)
            error = sup_error(network, "x1*x2", (-bound, bound))
            limit = Fraction(bound) ** 2 * Fraction(1, 4) ** (m + power)
            yield at_most(f"{name}, m = {m}, B = {bound:g}: sup |f - x y|", error.value, limit)
            yield equal(f"{name}, m = {m}: parameters", network.size.parameters, parameters(m))
        steps = [Fraction(k, 64) for k in range(-64, 65)]
        zeros = build(3, 1.0).exact([(s, 0) for s in steps] + [(0, s) for s in steps])[:, 0]
        yield equal(
            f"{name}: largest value at {len(zeros)} points with a factor 0", max(map(abs, zeros)), 0
        )


@claim(
    "cgrm-lemma-a.4",
    "the l_inf distance to a point is a ReLU network with O(d) parameters",
    "holds",
    "two identities in its proof do not: |a| = (max(a,0) + max(-a,0)) / 2 has a factor too much, "
    "and max(a,b) = (|a+b| + "
    "|a-b|) / 2 is false for a + b < 0",
    on="one centre in each of D = 2, 4, 8, 16, 32, 64",
)
def linf_distances() -> Iterator[Check]:
    """Exact suprema and counts over d, and the identities as printed."""
    sizes = []
    for d in (2, 4, 8, 16, 32, 64):
        centre = [(2 * k + 1) / 256 for k in range(d)]
        network = distance(centre, "inf")
        sizes.append(network.size.parameters)
        yield equal(
            f"d = {d}: sup |f - ||x - c||_inf|", distance_error(network, centre, "inf").value, 0
        )
    yield at_most(
        "parameters per coordinate, d = 2 to 64",
        max(s / d for s, d in zip(sizes, (2, 4, 8, 16, 32, 64), strict=True)),
        10,
    )
    yield equal("|a| as printed at a = 1", (max(1, 0) + max(-1, 0)) / 2, 0.5)
    yield equal("max(-1, -2) as printed", (abs(-1 - 2) + abs(-1 + 2)) / 2, 2)


@claim(
    "cgrm-lemma-a.5",
    "x^2 on [0,1] is approximated up to epsilon by a network of depth and size O(log(1 / epsilon))",
    "holds",
    on="all of [0, 1] (D = 1), m = 1, 2, 4, 8",
    also=["cgro-lemma-d.2"],
)
def squares() -> Iterator[Check]:
    """Exact suprema."""
    for m in (1, 2, 4, 8):
        network = squaring(m)
        yield equal(
            f"m = {m}: sup |f - x^2|",
            sup_error(network, "x**2", (0, 1)).value,
            Fraction(1, 4) ** (m + 1),
        )
        yield equal(f"m = {m}: parameters", network.size.parameters, 7 * m - 2)
        yield equal(f"m = {m}: depth", len(network.hidden), m)
        yield at_most(f"m = {m}: units", network.size.units, 3 * m)


@claim(
    "cgrm-proposition-a.9",
    "a ReLU network with n hidden units has at most 2^n linear regions",
    "holds",
    "attained by n units in n dimensions",
    on="four networks of at most 16 units, D = 1 to 3; n units in D = n = 2, 3, 4",
    also=["cgro-proposition-d.5"],
)
def regions() -> Iterator[Check]:
    """Regions counted exactly, on generic, constructed and extremal networks."""
    for name, network, box in (
        ("random 2-8-8-1", mlp([2, 8, 8, 1], 0).double(), (-4.0, 4.0)),
        ("random 3-6-6-1", mlp([3, 6, 6, 1], 1).double(), (-4.0, 4.0)),
        ("squaring(4)", squaring(4), (0.0, 1.0)),
        ("tooth(5)", tooth(5), (0.0, 1.0)),
    ):
        network = (
            ReLUNetwork.from_module(network) if not isinstance(network, ReLUNetwork) else network
        )
        found = count_regions(network, box)
        yield at_most(f"{name}: activation cells", found.cells, 2**network.size.units)
    for n in (2, 3, 4):
        network = ReLUNetwork.from_layers([(np.eye(n), [-0.5] * n), (np.ones((1, n)), [0.0])])
        yield equal(
            f"{n} units in {n} dimensions: activation cells",
            count_regions(network, (0.0, 1.0)).cells,
            2**n,
        )
        yield equal(
            f"{n} units in {n} dimensions: pattern bound, Zaslavsky",
            pattern_bound([n]),
            zaslavsky(n, n),
        )
