"""Points of sets with rational ends: boxes, and balls whose centre may be outside of their box."""

import random
from fractions import Fraction

import pytest

from analysis import certify
from analysis.search.sets import ExactSet
from constructions import Ball, ReLUNetwork, affine


@pytest.mark.parametrize("seed", range(40))
def test_what_is_near_is_in_the_set(seed):
    draw = random.Random(seed)
    for _ in range(20):
        size = draw.randint(1, 4)
        ends = [sorted(Fraction(draw.randint(0, 90), 90) for _ in range(2)) for _ in range(size)]
        lower, upper = ([end[k] for end in ends] for k in (0, 1))
        centre = [Fraction(draw.random()) for _ in range(size)]
        box = ExactSet(lower, upper)
        corner = box.nearest(centre)
        apart = sum((v - c) ** 2 for v, c in zip(corner, centre, strict=True))
        radius = Fraction(2) ** draw.randint(-40, 1) + Fraction(float(apart) ** 0.5 * 1.001)
        set_ = ExactSet(lower, upper, (centre, radius))
        for _ in range(4):
            point = [draw.uniform(-1, 2) for _ in range(size)]
            found = set_.nearest(point)
            assert set_.holds(found)
            assert box.holds(box.nearest(point))
            if set_.holds([Fraction(v) for v in point]):
                assert found == [Fraction(v) for v in point]


def test_what_is_outside_is_not_held():
    set_ = ExactSet([Fraction(1, 3)], [Fraction(1)], ([Fraction(1, 4)], Fraction(1, 2)))
    assert [set_.holds([Fraction(v, 12)]) for v in (3, 4, 9, 10)] == [False, True, True, False]


@pytest.mark.parametrize("slack", [0.3, 0.5, 1.0, 2.0])
def test_no_witness_is_outside_of_a_domain_whose_ends_are_rounded(slack):
    """f is positive on x_0 >= 1/3, and negative 2^-54 / 3 further: certificates name sets that are
    rounded outward.
    """
    third, steep = Fraction(1, 3), 2.0**95
    outside = float(Fraction(2**54 // 3, 2**54))
    gap = float(Fraction(steep) * (third - Fraction(outside)) - Fraction(slack))
    network = ReLUNetwork.from_layers(
        [
            ([[1.0, 0.0], [0.0, 1.0]], [-outside, 0.0]),
            ([[steep, -0.25]], [-gap]),
        ]
    )
    found = certify(network, [outside, 0.5], Ball(2, 0.25), 1, domain=(third, Fraction(1)))
    assert found.verdict != "refuted"


def test_balls_around_what_is_outside_of_the_domain_are_refuted():
    falling = affine([[0.0, -1.0]], [0.6])
    found = certify(falling, [0.25, 0.5], Ball(2, 0.5), 1, domain=(0.3125, 1))
    assert found.verdict == "refuted"
    assert found.witness[0] >= 0.3125
    assert found.margin <= 0
