"""f_S and f_adv: exactly y_i on every ball, exactly f_clean outside the outer balls, and their
formula everywhere.
"""

import itertools
import json
import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
from oracles import (
    brute_separation,
    distance_inf,
    distance_squared,
    evaluate,
    lean_ramp,
    memorizer,
    ramp,
    random_network,
    square_interpolant,
)
from torch import nn

from constructions import VARIANTS, Ball, ReLUNetwork, affine, closed_form, f_adv, f_S, predictions
from constructions.gadgets.distances import shared_rounding

NORMS = ("inf", 2)
SEEDS = range(3)
EVERY = [pytest.param(v, p, k, id=f"{v}-{p}-{k}") for v in VARIANTS for p in NORMS for k in (1, 3)]


def power(p, x, c):
    """The distance (l_inf) or its square (l_2), exactly."""
    return distance_inf(x, c) if p == "inf" else distance_squared(x, c)


def dyadic_problem(p, outputs, seed, apart=True):
    """A dyadic f_clean and a few points k/16 in [0,1]^2 with labels, at distance > 2 radius between
    classes.

    apart: also points of one class keep that distance, so that no outer balls overlap and the
    paper's form applies."""
    generator = np.random.default_rng(seed)
    classes = (-1, 1) if outputs == 1 else range(outputs)
    clean = random_network(generator, (2, 3, outputs), sparsity=0)
    while True:
        count = 4 if apart else 6
        centres = generator.integers(0, 17, (count, 2)) / 16
        labels = generator.choice(list(classes), count)
        if len(set(labels.tolist())) < 2:
            continue
        every = [
            (power(p, a, b), x == y)
            for (a, x), (b, y) in itertools.combinations(zip(centres, labels, strict=True), 2)
        ]
        across = min(t for t, same in every if not same)
        within = min((t for t, same in every if same), default=Fraction(100))
        if across >= Fraction(1, 8) and (within >= across if apart else 0 < within <= across / 4):
            break
    separation = float(across) if p == "inf" else math.sqrt(across)
    radius = math.floor(0.375 * separation * 256) / 256
    return clean, centres, labels, Ball(p, radius)


def ball_points(ball, centre, generator):
    """The centre, extreme points of its ball (inside [0,1]^2) and some random rational points of
    it.
    """
    r = Fraction(ball.radius)
    axes = [(1, 0), (-1, 0), (0, 1), (0, -1)]
    if ball.p == math.inf:
        extreme = [*axes, (1, 1), (1, -1), (-1, 1), (-1, -1)]
    else:
        extreme = [
            *axes,
            *((Fraction(a * 3, 5), Fraction(b * 4, 5)) for a in (1, -1) for b in (1, -1)),
        ]
    inside = [
        (Fraction(int(a), 10), Fraction(int(b), 10)) for a, b in generator.integers(-7, 8, (4, 2))
    ]
    for direction in [(0, 0), *extreme, *inside]:
        yield [
            min(Fraction(1), max(Fraction(0), Fraction(c) + r * d))
            for c, d in zip(centre, direction, strict=True)
        ]


def targets(label, outputs):
    return [label] if outputs == 1 else [int(k == label) for k in range(outputs)]


def indicators(facts, x, centres, p, variant):
    """The value of every indicator at x by the formulas of the docstrings, from the recorded
    thresholds and depth.
    """
    inner, outer, m = facts["inner"], facts["outer"], facts.get("m")
    for c in centres:
        if p == "inf" and variant == "lean":
            yield lean_ramp(x, c, inner, outer)
        elif p == "inf":
            yield ramp(distance_inf(x, c), inner, outer)
        elif variant == "lean":
            # as the network's float64 bias has it
            norm = Fraction(float((c**2).sum() + shared_rounding(len(c))))
            inner_product = sum(Fraction(a) * b for a, b in zip(c, x, strict=True))
            yield ramp(
                sum(square_interpolant(m, v) for v in x) - 2 * inner_product + norm, inner, outer
            )
        else:
            yield ramp(
                sum(square_interpolant(m, abs(v - Fraction(a))) for v, a in zip(x, c, strict=True)),
                inner,
                outer,
            )


def unit_points(generator, count=25):
    return [[Fraction(int(k), 48) for k in row] for row in generator.integers(0, 49, (count, 2))]


# -- f_S: what it guarantees -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("variant", "p", "outputs"), EVERY)
def test_labels_on_balls_clean_outside_and_the_formula_everywhere(variant, p, outputs, seed):
    clean, centres, labels, ball = dyadic_problem(p, outputs, seed)
    network = f_S(clean, centres, labels, ball, variant=variant)
    facts = network.provenance.arguments
    generator = np.random.default_rng(seed)

    # (i) the label on the whole ball
    for centre, label in zip(centres, labels.tolist(), strict=True):
        points = list(ball_points(ball, centre, generator))
        for x, values in zip(points, network.exact(points), strict=True):
            assert power(p, x, centre) <= Fraction(ball.radius) ** (1 if p == "inf" else 2)
            if variant == "paper":
                assert all(
                    abs(v - y) <= Fraction(1, 4)
                    for v, y in zip(values, targets(label, outputs), strict=True)
                )
            else:
                assert values.tolist() == targets(label, outputs)

    # (ii) f_clean outside the outer balls
    least, _ = brute_separation(centres, labels, p=Ball(p, 1).p)
    half = float(least) / 2 if p == "inf" else float(least) / 4
    assert facts["outer"] <= half
    outside = [
        x
        for x in unit_points(generator, 60)
        if all(power(p, x, c) >= Fraction(facts["outer"]) for c in centres)
    ]
    assert outside
    assert network.exact(outside).tolist() == [evaluate(clean, x) for x in outside]

    # the formula
    points = [*unit_points(generator), *outside[:2], *(list(map(Fraction, c)) for c in centres)]
    expected = [
        memorizer(
            x,
            evaluate(clean, x),
            list(indicators(facts, x, centres, p, variant)),
            labels,
            variant,
            facts["bound"],
            facts.get("m"),
            outputs,
        )
        for x in points
    ]
    assert network.exact(points).tolist() == expected


@pytest.mark.parametrize(("variant", "p", "outputs"), EVERY)
def test_clean_bit_for_bit_outside_the_outer_balls_in_float64(variant, p, outputs):
    clean, centres, labels, ball = dyadic_problem(p, outputs, 1)
    network = f_S(clean, centres, labels, ball, variant=variant)
    x = torch.randint(0, 33, (5000, 2)).double() / 32
    t = (
        ((x[:, None] - torch.from_numpy(centres)) ** 2).sum(2)
        if p == 2
        else (x[:, None] - torch.from_numpy(centres)).abs().amax(2)
    )
    x = x[(t >= network.provenance.arguments["outer"]).all(1)]
    assert len(x) > 100
    for form in ("structured", "sparse", "dense"):
        assert torch.equal(network.to_module(form)(x), clean(x))


@pytest.mark.parametrize(("variant", "p", "outputs"), EVERY)
def test_labels_on_balls_in_float64(variant, p, outputs):
    """10^3 sampled points a ball; float64 differs from exact arithmetic by a few roundings."""
    clean, centres, labels, ball = dyadic_problem(p, outputs, 2)
    network = f_S(clean, centres, labels, ball, variant=variant)
    points = torch.from_numpy(centres).repeat_interleave(1000, 0)
    x = ball.sample(points, torch.Generator().manual_seed(0)).clamp(0, 1)
    expected = (
        torch.tensor([targets(y, outputs) for y in labels.tolist()])
        .double()
        .repeat_interleave(1000, 0)
    )
    assert (network(x) - expected).abs().max() <= (0.25 if variant == "paper" else 1e-11)
    assert torch.equal(predictions(network(x)), torch.from_numpy(labels).repeat_interleave(1000))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("outputs", [1, 3])
def test_overlapping_points_of_one_class(p, outputs, seed):
    """gate and lean stay exact where balls of one class overlap; the literal form refuses and names
    the pair.
    """
    clean, centres, labels, ball = dyadic_problem(p, outputs, seed, apart=False)
    generator = np.random.default_rng(seed)
    for variant in ("gate", "lean"):
        network = f_S(clean, centres, labels, ball, variant=variant)
        for centre, label in zip(centres, labels.tolist(), strict=True):
            points = list(ball_points(ball, centre, generator))
            assert network.exact(points).tolist() == [targets(label, outputs)] * len(points)
    with pytest.raises(
        ValueError, match=r"points \d+ and \d+ are .* apart.*use variant 'gate' or 'lean'"
    ) as info:
        f_S(clean, centres, labels, ball, variant="paper")
    i, j = (
        int(word) for word in str(info.value).split("points ")[1].split(" are")[0].split(" and ")
    )
    same = [
        power(p, centres[a], centres[b])
        for a in range(6)
        for b in range(a)
        if labels[a] == labels[b]
    ]
    assert labels[i] == labels[j]
    assert power(p, centres[i], centres[j]) == min(same)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("variant", ["gate", "lean"])
def test_signs_in_the_shells(variant, p, seed):
    """(iii) Between ball and outer ball the sign is f_clean's or that of y_i, or the value is 0."""
    clean, centres, labels, ball = dyadic_problem(p, 1, seed)
    network = f_S(clean, centres, labels, ball, variant=variant)
    outer, r, seen = Fraction(network.provenance.arguments["outer"]), Fraction(ball.radius), 0
    generator = np.random.default_rng(seed)
    for centre in centres:
        for row in generator.integers(-24, 25, (25, 2)):
            x = [
                min(Fraction(1), max(Fraction(0), Fraction(c) + r * int(k) / 16))
                for c, k in zip(centre, row, strict=True)
            ]
            near = {int(y) for c, y in zip(centres, labels, strict=True) if power(p, x, c) < outer}
            if near:
                seen += power(p, x, centre) > r ** (1 if p == "inf" else 2)
                (label,) = near
                (value,), (before,) = network.exact(x), evaluate(clean, x)
                assert value * label >= 0 or value * before > 0
    assert seen > 3


@pytest.mark.parametrize(("variant", "p", "outputs"), EVERY)
def test_generic_centres_and_weights(variant, p, outputs):
    """Centres and weights with 53 bits: the thresholds' allowance for rounding keeps the guarantees
    exact.
    """
    generator = np.random.default_rng(5)
    # the literal form needs points of one class far apart
    count = 4 if variant != "paper" else 2 if outputs == 1 else 3
    centres = generator.random((4, 2))[:count]
    labels = np.array([1, -1, 1, -1] if outputs == 1 else [0, 1, 2, 1])[:count]
    least, _ = brute_separation(centres, labels, p=Ball(p, 1).p)
    ball = Ball(p, 0.3 * float(least) ** (1 if p == "inf" else 0.5))
    clean = ReLUNetwork.from_layers(
        [
            (generator.normal(size=(3, 2)), generator.normal(size=3)),
            (generator.normal(size=(outputs, 3)), [0.1] * outputs),
        ]
    )
    network = f_S(clean, centres, labels, ball, variant=variant)
    for centre, label in zip(centres, labels.tolist(), strict=True):
        points = list(ball_points(ball, centre, generator))
        for values in network.exact(points):
            error = max(abs(v - y) for v, y in zip(values, targets(label, outputs), strict=True))
            assert error <= (Fraction(1, 4) if variant == "paper" else 0)
    outer = Fraction(network.provenance.arguments["outer"]) + Fraction(1, 2**48)
    outside = [
        x for x in unit_points(generator, 60) if all(power(p, x, c) >= outer for c in centres)
    ]
    assert network.exact(outside).tolist() == [evaluate(clean, x) for x in outside]


@pytest.mark.parametrize("variant", VARIANTS)
def test_wrappers_of_clean_and_tensors_of_arguments(variant):
    """nn.Sequential, float32 centres and integer tensors as labels."""
    module = nn.Sequential(
        nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1)
    )
    centres = torch.eye(4)
    network = f_S(module, centres, torch.tensor([1, -1, 1, -1]), Ball("inf", 0.25), variant=variant)
    assert predictions(network(centres.double())).tolist() == [1, -1, 1, -1]
    away = torch.full((1, 4), 0.5, dtype=torch.float64)
    assert torch.allclose(network(away), ReLUNetwork.from_module(module)(away), rtol=0, atol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("p", NORMS)
def test_one_label_or_radius_zero(variant, p):
    clean = affine([[4.0, 0.0]], [-2.0])
    alone = f_S(clean, [[0.25, 0.5], [0.75, 0.0]], [1, 1], Ball(p, 0.125), variant=variant)
    assert alone.provenance.arguments["separation"] == math.inf
    pointwise = f_S(clean, [[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball(p, 0.0), variant=variant)
    for network, sign in ((alone, 1), (pointwise, -1)):
        values = [
            float(v)
            for v in network.exact(
                [[Fraction(1, 4), Fraction(1, 2)], [Fraction(3, 4), Fraction(sign < 0, 2)]]
            )[:, 0]
        ]
        assert values == pytest.approx([1, sign], abs=0.25 if variant == "paper" else 0)


# -- what is recorded ------------------------------------------------------------------------------


def test_computed_and_assumed_separations_are_told_apart():
    clean, points, labels = affine([[4.0, 0.0]], [-2.0]), [[0.25, 0.5], [0.75, 0.5]], [1, -1]
    found = f_S(clean, points, labels, Ball("inf", 0.125)).provenance.arguments
    assert not found["separation_assumed"]
    assert 0.5 * (1 - 2.0**-47) <= found["separation"] <= 0.5
    assumed = f_S(clean, points, labels, Ball("inf", 0.125), separation=0.375).provenance.arguments
    assert assumed["separation_assumed"]
    assert assumed["separation"] == 0.375
    assert assumed["outer"] <= 0.1875
    assert (assumed["N"], assumed["D"], assumed["K"]) == (2, 2, 1)
    close = [[0.25, 0.5], [0.25, 0.5]]  # an assumption is not checked
    assert (
        f_S(clean, close, labels, Ball("inf", 0.125), separation=0.5).provenance.arguments[
            "separation"
        ]
        == 0.5
    )


def test_the_default_depth_is_the_least_that_leaves_half_the_room():
    clean, points, labels, ball = (
        affine([[4.0, 0.0]], [-2.0]),
        [[0.25, 0.5], [0.75, 0.5]],
        [1, -1],
        Ball(2, 0.125),
    )
    room = Fraction(1, 16) - Fraction(1, 64)
    m = f_S(clean, points, labels, ball, variant="gate").provenance.arguments["m"]
    assert 2 * Fraction(1, 4 ** (m + 1)) <= room / 2 < 2 * Fraction(1, 4**m)
    assert f_S(clean, points, labels, ball, variant="gate", m=9).provenance.arguments["m"] == 9


def test_predictions():
    assert predictions(torch.tensor([[0.5], [-2.0], [0.0]])).tolist() == [1, -1, 0]
    assert predictions(torch.tensor([[0.5, 1.0, -1.0], [3.0, 1.0, 2.0]])).tolist() == [1, 0]


# -- f_adv -----------------------------------------------------------------------------------------


def margin_problem():
    """f_clean = 4 x_1 - 2; two points within 1/8 of its boundary, three farther away, one of them
    misclassified.
    """
    clean = affine([[4.0, 0.0]], [-2.0])
    points = np.array([[0.4375, 0.0], [0.5625, 1.0], [1.0, 1.0], [0.0, 0.5], [1.0, 0.375]])
    labels = np.array([-1, 1, 1, -1, -1])
    margins = labels * (points[:, 0] - 0.5)
    return clean, points, labels, margins


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_f_adv_memorizes_small_margins_only(variant, p):
    clean, points, labels, margins = margin_problem()
    ball = Ball(p, 0.125)
    network = f_adv(clean, points, labels, ball, margins=margins, variant=variant)
    small = margins <= 0.125
    facts = network.provenance.arguments
    assert facts["N"] == small.sum() == 3
    assert network.size == f_S(clean, points[small], labels[small], ball, variant=variant).size
    generator = np.random.default_rng(0)
    for centre, label in zip(points, labels.tolist(), strict=True):
        values = network.exact(list(ball_points(ball, centre, generator)))[:, 0]
        assert min(v * label for v in values) >= (Fraction(3, 4) if variant == "paper" else 0)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_f_adv_is_right_on_the_balls_it_leaves_to_clean(variant, p):
    """Outer balls must not reach into the ball of a centre left out, here 0.45 away from the only
    one memorized.
    """
    clean = affine([[4.0, 0.0]], [-2.0])
    points, labels = np.array([[0.4, 0.5], [0.85, 0.5]]), np.array([-1, 1])
    network = f_adv(clean, points, labels, Ball(p, 0.2), margins=[0.1, 0.35], variant=variant)
    for centre, label in zip(points, labels.tolist(), strict=True):
        inside = list(ball_points(Ball(p, 0.2), centre, np.random.default_rng(0)))
        assert all(v * label > 0 for v in network.exact(inside)[:, 0])


def test_f_adv_memorizes_margins_up_to_the_radius():
    """A ball that touches the boundary holds a tie, hence an error."""
    clean = affine([[4.0, 0.0]], [-2.0])
    network = f_adv(
        clean, [[0.375, 0.5], [1.0, 0.5]], [-1, 1], Ball("inf", 0.125), margins=[0.125, 0.5]
    )
    assert network.provenance.arguments["N"] == 1
    assert network.exact([[0.5, 0.5]])[0, 0] == -1


def test_f_adv_with_classes():
    clean = affine([[4.0, 0.0], [0.0, 4.0]])  # class 0 where x_1 > x_2
    points, labels, margins = (
        [[0.5, 0.4375], [1.0, 0.0], [0.25, 0.75]],
        [0, 0, 1],
        [0.03125, 0.5, 0.25],
    )
    network = f_adv(clean, points, labels, Ball("inf", 0.125), margins=margins)
    assert network.provenance.arguments["N"] == 1
    assert network([[0.4, 0.55], [1.0, 0.0], [0.25, 0.75]]).tolist() == [
        [1.0, 0.0],
        [4.0, 0.0],
        [1.0, 3.0],
    ]


def test_f_adv_checks_its_margins():
    clean, points, labels, margins = margin_problem()
    ball = Ball("inf", 0.125)
    with pytest.raises(ValueError, match="margins must have one entry for each of the 5 centres"):
        f_adv(clean, points, labels, ball, margins=margins[:3])
    with pytest.raises(ValueError, match=r"margins must not be NaN, got NaN at index 2"):
        f_adv(clean, points, labels, ball, margins=[0.1, 0.1, math.nan, 0.1, 0.1])
    with pytest.raises(
        ValueError, match=r"negative where clean misclassifies: centre 4 has margin 0\.5"
    ):
        f_adv(clean, points, labels, ball, margins=np.abs(margins))
    with pytest.raises(ValueError, match=r"no centre has margin up to the radius 0\.125"):
        f_adv(clean, points[:4], labels[:4], ball, margins=[1.0] * 4)
    with pytest.raises(ValueError, match="labels must be"):
        f_adv(clean, points, labels + 1, ball, margins=margins)


# -- errors ----------------------------------------------------------------------------------------

CLEAN, POINTS, LABELS, BALL = (
    affine([[4.0, 0.0]], [-2.0]),
    [[0.25, 0.5], [0.75, 0.5]],
    [1, -1],
    Ball("inf", 0.125),
)
PAPER = {"variant": "paper"}
THREE = affine([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((CLEAN, POINTS, [1, 0], BALL), {}, r"labels must be -1 or \+1 .* got 0 at index 1"),
        ((CLEAN, POINTS, [1, 2], BALL), {}, r"labels must be -1 or \+1 .* got 2 at index 1"),
        (
            (CLEAN, POINTS, [1.0, math.nan], BALL),
            {},
            r"labels must be integers, got torch.float64: use labels.long\(\)",
        ),
        ((THREE, POINTS, [0, 3], BALL), {}, r"labels must be 0\.\.2 .* got 3 at index 1"),
        ((THREE, POINTS, [0, -1], BALL), {}, r"labels must be 0\.\.2 .* got -1 at index 1"),
        ((THREE, POINTS, [0.5, 1], BALL), {}, "labels must be integers, got torch.float64"),
        (
            (CLEAN, POINTS, [1], BALL),
            {},
            r"labels must have shape \(2,\), one for each point, got \(1,\)",
        ),
        (
            (CLEAN, [[0.25, 0.5, 0.0]], [1], BALL),
            {},
            "clean takes 2 inputs but centres have 3 coordinates",
        ),
        (
            (CLEAN, [[0.25, 1.5], [0.5, 0.5]], LABELS, BALL),
            {},
            r"centres must lie in \[0, 1\], got values in \[0.25, 1.5\]",
        ),
        (
            (CLEAN, [[0.25, 0.5], [0.5, math.nan]], LABELS, BALL),
            {},
            "centres must be finite, got NaN or infinity in row 1",
        ),
        ((CLEAN, np.zeros((0, 2)), [], BALL), {}, r"centres must have shape \(D,\) or \(N, D\)"),
        (
            (CLEAN, np.zeros((1, 2, 2)), [1], BALL),
            {},
            r"centres must have shape \(D,\) or \(N, D\)",
        ),
        (
            (CLEAN, POINTS, LABELS, Ball("inf", 0.25)),
            {},
            "radius 0.25, separation 0.5, between points 0 and 1",
        ),
        (
            (CLEAN, POINTS, LABELS, Ball(2, 0.3)),
            {},
            "radius 0.3, separation 0.5, between points 0 and 1",
        ),
        (
            (CLEAN, [[0.5, 0.5]] * 2, LABELS, Ball(2, 0.0)),
            {},
            "separation 0, between points 0 and 1",
        ),
        (
            (CLEAN, POINTS, LABELS, BALL),
            {"separation": 0.25},
            "below half the separation: radius 0.125, separation 0.25$",
        ),
        ((CLEAN, POINTS, LABELS, BALL), {"separation": math.nan}, "below half the separation"),
        (
            (CLEAN.restrict((0.25, 1.0)), POINTS, LABELS, BALL),
            {},
            r"clean must be defined on \[0,1\]\^D, its domain is",
        ),
        (
            (affine([[2.0**20, 0.0]]), POINTS, LABELS, BALL),
            PAPER,
            r"multiplies by \|clean\|, .* at most 2\^20",
        ),
        (
            (CLEAN, POINTS, LABELS, BALL),
            {"variant": "ours"},
            "variant must be one of paper, gate, lean, got 'ours'",
        ),
        (
            (CLEAN, POINTS, LABELS, BALL),
            {"variant": "paper", "m": 2},
            r"m must be at least 3 for \|clean\| < 4, got 2",
        ),
        ((CLEAN, POINTS, LABELS, Ball(2, 0.24)), {"m": 2}, "no room for thresholds.*larger m"),
        (
            (CLEAN, POINTS, LABELS, Ball(2, 0.1)),
            {"m": 0},
            "m must be an integer between 1 and 500, got 0",
        ),
        (
            (CLEAN, [[0.25, 0.5], [0.25, 0.625], [0.75, 0.5]], [1, 1, -1], BALL),
            {"variant": "paper"},
            "points 0 and 1 are 0.125 apart",
        ),
        (
            (CLEAN, [[0.25, 0.5], [0.25, 0.5], [0.75, 0.5]], [1, 1, -1], BALL),
            {"variant": "paper"},
            "points 0 and 1 are 0 apart",
        ),
    ],
)
def test_arguments_are_checked(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        f_S(*arguments, **options)


def test_types_are_checked():
    with pytest.raises(TypeError, match="ball must be a Ball, got float"):
        f_S(CLEAN, POINTS, LABELS, 0.125)
    with pytest.raises(TypeError, match="only with input_shape"):
        f_S(nn.Conv2d(1, 1, 1), POINTS, LABELS, BALL)
    with pytest.raises(ValueError, match="domain"):
        f_S(CLEAN, POINTS, LABELS, BALL)([[1.5, 0.0]])


@pytest.mark.parametrize("m", [2.5, "x", -3])
@pytest.mark.parametrize(
    ("variant", "p"), [("paper", "inf"), ("paper", 2), ("gate", 2), ("lean", 2)]
)
def test_depths_are_checked(m, variant, p):
    with pytest.raises((TypeError, ValueError), match="m must be"):
        f_S(CLEAN, POINTS, LABELS, Ball(p, 0.0625), variant=variant, m=m)


# -- a data set's size -----------------------------------------------------------------------------

BUILD_AT_FULL_SIZE = """
import json, resource, time
import torch
from constructions import Ball, ReLUNetwork, explain, f_S
torch.manual_seed(0)
clean = ReLUNetwork.from_layers([(torch.rand(1, 784) / 784 + 0.001, [0.25])])
centres = torch.rand(60_000, 784).clamp_min(2.0**-20)
labels = 1 - 2 * torch.randint(0, 2, (60_000,))
start = time.process_time()
network = f_S(clean, centres, labels, Ball(2, 0.5), variant="paper", m=8, separation=4.0)
text = explain(network)
seconds = time.process_time() - start
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
size = network.size
print(json.dumps({"parameters": size.parameters, "depth": size.depth, "stored": size.stored,
                  "seconds": seconds, "bytes": memory, "text": text}))
"""


@pytest.mark.slow
def test_sixty_thousand_images_are_built_counted_and_described():
    """N = 60,000, D = 784, m = 8, the paper's form: in under 30 s of processor time and 3 GB, in a
    process of its own.
    """
    run = subprocess.run(
        [sys.executable, "-c", BUILD_AT_FULL_SIZE],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    text = result.pop("text")
    print(result)
    sizes = {"N": 60_000, "D": 784, "m": 8}
    assert result["parameters"] == closed_form(2, "paper").subs(sizes)
    assert result["bytes"] < 3 * 10**9
    assert result["seconds"] < 30
    assert "60000 x yarotsky_multiplication" in text
    assert "47040000 x squaring(m=8" in text
