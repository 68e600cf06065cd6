"""Proofs about staged memorizers: what holds is proved, whatever was changed is not."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from changed import with_entry
from labelled import labels_of, refuses_what_is_false

from analysis import certify_memorizer
from analysis.memorizers.curves import IDENTITY, Curve, constant, total
from analysis.memorizers.line import margins
from analysis.memorizers.staged import prove_staged
from analysis.proofs.matching import Unproved
from constructions import (
    Ball,
    ReLUNetwork,
    grid_memorizer,
    memorizer,
    narrow_memorizer,
    separation,
    staged_grid_memorizer,
)
from constructions.linear.matrix import integers
from constructions.memorizers.bit_table import affine_of, exact_rows


def problem(n, d, outputs, p, rho, seed=0):
    """Points, labels, and balls of rho times half the separation."""
    rng = np.random.default_rng([seed, n, d, outputs])
    labels = labels_of(rng, n, outputs)
    points = rng.random((n, d))
    return points, labels, Ball(p, rho * separation(points, labels, norm=p).lower / 2)


@pytest.mark.parametrize(
    ("n", "d", "outputs", "p", "rho"),
    [
        (10, 1, 1, 2, 0.2),
        (12, 2, 4, math.inf, 0.4),
        (16, 9, 1, 2, 0.3),
        (12, 30, 2, math.inf, 0.2),
        (20, 6, 1, math.inf, 0.6),
    ],
)
def test_stages_are_proved(n, d, outputs, p, rho):
    points, labels, ball = problem(n, d, outputs, p, rho)
    network = staged_grid_memorizer(points, labels, ball)
    for radius in (0.0, ball.radius):
        proof = certify_memorizer(network, points, labels, Ball(p, radius))
        assert (proof.verdict, proof.bound) == ("proved", 1)
    refuses_what_is_false(network, points, labels, outputs, ball)


@pytest.mark.slow
@pytest.mark.parametrize(("d", "share", "most"), [(2, 1, 1600), (20, 1, 2000), (64, 1, 2200)])
def test_a_thousand_balls(d, share, most):
    """At the end of the theorem's second regime, 1 / (5 sqrt D), where k = 1."""
    points, labels, ball = problem(1000, d, 1, 2, share / (5 * math.sqrt(d)))
    network = staged_grid_memorizer(points, labels, ball)
    assert network.size.parameters < most
    assert certify_memorizer(network, points, labels, ball).verdict == "proved"
    moved = points.copy()
    moved[17] = 1 - moved[17]
    near = certify_memorizer(network, moved, labels, ball)
    assert near.verdict != "proved" or margins(network.exact(moved[17:18]), labels[17:18])[0] > 0


def off_by_one(network, step=1):
    """Networks with a number changed by one or by a third of it, every so many."""
    k = 0
    for level, part in itertools.product(range(len(network.layers)), ("weight", "bias")):
        layer = network.layers[level]
        held = getattr(layer, part)
        for index, by in itertools.product(range(held.nonzeros), (1, -1, None)):
            k += 1
            if k % step == 0:
                value = integers(held).values[index]
                changed = replace(
                    layer, **{part: with_entry(held, index, value // 3 + 1 if by is None else by)}
                )
                layers = (*network.layers[:level], changed, *network.layers[level + 1 :])
                yield ReLUNetwork(layers, provenance=network.provenance)


def inside(points, ball, count=40):
    """(i, x): points all over the balls, exactly inside."""
    rng = np.random.default_rng(0)
    for i, point in enumerate(points):
        for way in rng.normal(size=(count, points.shape[1])):
            step = np.sign(way) * rng.choice([0.5, 1.0 - 2.0**-30])
            if ball.p == 2:
                step = way / np.linalg.norm(way) * (1 - 2.0**-30)
            yield (
                i,
                [
                    Fraction(c) + Fraction(ball.radius) * Fraction(v)
                    for c, v in zip(point.tolist(), step.tolist(), strict=True)
                ],
            )


@pytest.mark.parametrize(
    ("outputs", "p", "step", "least"),
    [(1, math.inf, 31, 5), pytest.param(3, 2, 7, 30, marks=pytest.mark.slow)],
)
def test_numbers_off_by_one(outputs, p, step, least):
    """What is still proved is right all over the balls."""
    points, labels, ball = problem(14, 2, outputs, p, 0.6, seed=1)
    network = staged_grid_memorizer(points, labels, ball)
    owners, places = zip(*inside(points, ball), strict=True)
    rejected = 0
    for other in off_by_one(network, step):
        if certify_memorizer(other, points, labels, ball).verdict != "proved":
            rejected += 1
            continue
        assert min(margins(other.exact(list(places)), labels[list(owners)])) > 0
    assert rejected > least


def test_one_centre_moved_one_label_flipped():
    points, labels, ball = problem(20, 3, 1, 2, 0.4)
    network = staged_grid_memorizer(points, labels, ball)
    assert certify_memorizer(network, points, labels, ball).verdict == "proved"
    for i in range(0, 20, 7):
        wrong = labels.copy()
        wrong[i] = -wrong[i]
        refuted = certify_memorizer(network, points, wrong, ball)
        assert (refuted.verdict, refuted.witness[0]) == ("refuted", i)
        other = int(np.flatnonzero(labels != labels[i])[0])
        moved = points.copy()
        moved[i] = points[other]
        assert certify_memorizer(network, moved, labels, ball).verdict == "refuted"
        moved[i] = points[i] + 3 * ball.radius
        proof = certify_memorizer(network, moved, labels, ball)
        value = margins(network.exact(moved[i : i + 1]), labels[i : i + 1])[0]
        assert proof.verdict != "proved" or value > 0


def test_a_stage_without_its_gate_is_not_proved():
    """The weight -1 of the first stage's gates in o = r(v - gates), off by one: 0."""
    points, labels, ball = problem(40, 6, 1, math.inf, 0.6)
    network = staged_grid_memorizer(points, labels, ball)
    assert certify_memorizer(network, points, labels, ball).verdict == "proved"
    level = len(network.layers) - 3
    (form, bias), *rows = [(dict(row), bias) for row, bias in exact_rows(network.layers[level])]
    gates = [j for j, w in form.items() if w == -1]
    assert len(gates) == 1 < len(form)
    shut = {j: w for j, w in form.items() if j not in gates}
    layers = list(network.layers)
    layers[level] = affine_of([(shut, bias), *rows], layers[level].weight.shape[1])
    other = ReLUNetwork(tuple(layers), provenance=network.provenance)
    assert certify_memorizer(other, points, labels, ball).verdict != "proved"


def test_other_networks_are_not_read():
    points, labels, ball = problem(12, 2, 1, 2, 1e-4)
    for other in (
        memorizer(points, labels),
        grid_memorizer(points, labels, ball),
        narrow_memorizer(points, labels, ball),
    ):
        with pytest.raises(Unproved):
            prove_staged(other, points, labels, ball)


def drawn(rng):
    """A random function with places at multiples of 1/4."""
    places = [0, *sorted(rng.choice(np.arange(1, 30), int(rng.integers(0, 5)), replace=False))]
    values = rng.integers(-8, 9, len(places)).tolist()
    return Curve(
        tuple(Fraction(int(v), 4) for v in places),
        tuple(map(Fraction, values)),
        Fraction(int(rng.integers(-3, 4))),
    )


@pytest.mark.parametrize("seed", range(20))
def test_functions_of_one_number(seed):
    rng = np.random.default_rng(seed)
    f, g = drawn(rng), drawn(rng)
    both = total([(Fraction(2), f), (Fraction(-1, 3), g), (Fraction(1), IDENTITY)], Fraction(1, 2))
    cut, same = both.positive, total([(Fraction(1), f)]).at(sorted({*f.places, Fraction(1, 7)}))
    for t in [Fraction(k, 16) for k in range(200)]:
        value = 2 * f(t) - g(t) / 3 + t + Fraction(1, 2)
        assert both(t) == value
        assert cut(t) == max(value, 0)
        assert same(t) == f(t)
    values = [f(Fraction(k, 16)) for k in range(400)]
    assert f.least is None if f.slope < 0 else f.least == min(values)
    assert f.most is None if f.slope > 0 else f.most == max(values)
    for place in f.crossings(Fraction(1, 2)):
        assert f(place) == Fraction(1, 2)
    assert constant(Fraction(3)).plain == constant(Fraction(3))
