"""Proofs about small memorizers: what holds is proved, whatever was changed is not."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from changed import with_entry
from labelled import labels_of

from analysis import certify_memorizer
from analysis.memorizers.line import margins
from analysis.memorizers.nearest import prove_nearest, read_maxima
from analysis.memorizers.pairs import Maxima, Pairs
from analysis.proofs.matching import Unproved
from constructions import (
    Affine,
    Ball,
    Dense,
    Provenance,
    ReLUNetwork,
    affine,
    f_S,
    memorizer,
    nearest_neighbour,
    separation,
)
from constructions.linear.matrix import integers


def problem(n, d, outputs, seed=0):
    rng = np.random.default_rng([seed, n, d, outputs])
    points = rng.random((n, d))
    labels = labels_of(rng, n, outputs)
    return points, labels


def changed(network, level, part, where, by):
    """The network with one number of one layer changed."""
    layers = list(network.layers)
    weight, bias = (m.to_dense().clone() for m in (layers[level].weight, layers[level].bias))
    (weight if part == "weight" else bias)[where] += by
    layers[level] = Affine(Dense(weight), Dense(bias))
    return ReLUNetwork(tuple(layers), network.domain, network.provenance)


@pytest.mark.parametrize("p", [2, math.inf])
@pytest.mark.parametrize("outputs", [1, 2, 5])
@pytest.mark.parametrize(("n", "d"), [(5, 2), (16, 3), (33, 10)])
def test_nearest_neighbours_are_proved(n, d, outputs, p):
    points, labels = problem(n, d, outputs)
    half = separation(points, labels, norm=2).lower / 2
    ball = Ball(p, 0.95 * half if p == 2 else 0.5 * half / math.sqrt(d))
    network = nearest_neighbour(points, labels, ball)
    for radius in (0.0, ball.radius / 3, ball.radius):
        proof = certify_memorizer(network, points, labels, Ball(p, radius))
        assert (proof.verdict, proof.bound) == ("proved", 1)
    larger = Ball(2, 1.2 * half)
    assert certify_memorizer(network, points, labels, larger).verdict != "proved"


def test_what_is_wrong_is_refuted_or_open():
    points, labels = problem(20, 4, 1)
    ball = Ball(2, 0.99 * separation(points, labels, norm=2).lower / 2)
    network = nearest_neighbour(points, labels, ball)
    for i in (0, 7, 19):
        other = labels.copy()
        other[i] = -other[i]
        proof = certify_memorizer(network, points, other, ball)
        assert proof.verdict == "refuted"
        index, x = proof.witness
        assert other[index] * network.exact([x])[0, 0] == proof.bound <= 0
        assert sum((a - Fraction(b)) ** 2 for a, b in zip(x, points[index], strict=True)) <= (
            Fraction(ball.radius) ** 2
        )
    # the nearest two of different labels: one of them moves on towards the other
    i, j = separation(points, labels, norm=2).pair
    moved = points.copy()
    moved[i] += (points[j] - points[i]) * 0.05
    assert certify_memorizer(network, moved, labels, ball).verdict == "refuted"


@pytest.mark.parametrize("outputs", [1, 3])
def test_one_changed_number_is_never_proved_wrongly(outputs):
    points, labels = problem(9, 2, outputs, seed=1)
    ball = Ball(2, 0.97 * separation(points, labels, norm=2).lower / 2)
    network = nearest_neighbour(points, labels, ball)
    rejected = 0
    for level, layer in enumerate(network.layers):
        rows, columns = layer.weight.shape
        places = [("weight", (i, j)) for i, j in itertools.product(range(rows), range(columns))]
        for part, where in [*places, *(("bias", (i, 0)) for i in range(rows))]:
            for by in (1.0, -1.0) if level else (0.125, -0.125):
                other = changed(network, level, part, where, by)
                try:
                    prove_nearest(other, points, labels, ball)
                except Unproved:
                    rejected += 1
                    continue
                # still right, then: on places all over the balls, exactly
                generator = np.random.default_rng(0)
                for i, centre in enumerate(points):
                    x = generator.normal(size=(60, 2))
                    x = centre + x / np.linalg.norm(x, axis=1, keepdims=True) * ball.radius * 0.9999
                    x = x[((x >= 0) & (x <= 1)).all(1)]
                    values = other.exact(x)
                    assert (outputs > 1) or (values * labels[i] == 1).all()
                    assert (outputs == 1) or (values.argmax(1) == labels[i]).all()
    assert rejected > 100


@pytest.mark.parametrize("outputs", [1, 4])
def test_the_nearest_two_decide_as_all_pairs_do(outputs):
    """On radii on both sides of what holds; changed functions are left to the pairs."""
    points, labels = problem(30, 5, outputs, seed=2)
    points = np.rint(points * 2**10) / 2**10
    half = separation(points, labels, norm=2).lower / 2
    network = nearest_neighbour(points, labels, Ball(2, 0.9 * half))
    found = read_maxima(network)
    kinds = np.array([next(k for k, f in enumerate(found.classes) if j in f) for j in range(30)])
    classes = (labels + 1) // 2 if outputs == 1 else labels
    quick = []
    for share in (0.0, 0.5, 0.9, 0.98, 1.0, 1.1):
        pairs = Pairs.of(found, points, 2, Fraction(share * half))
        quick.append(pairs.are_apart(classes, kinds))
        values = pairs.values(np.arange(30))
        mine = kinds[None] == classes[:, None]
        try:
            pairs.check(np.arange(30), np.where(mine, values, -np.inf).argmax(1), ~mine, values)
        except Unproved:
            assert not quick[-1]
        else:
            assert quick[-1]
    assert quick[:3] == [True] * 3
    assert quick[-2:] == [False] * 2
    for part in ("rows", "offsets"):
        other = replace(pairs, radius=Fraction(0), **{part: getattr(pairs, part).copy()})
        getattr(other, part)[(3, 0) if part == "rows" else 3] += 2
        assert not other.are_apart(classes, kinds)
    still = replace(pairs, radius=Fraction(0))
    assert still.are_apart(classes, kinds)
    assert not still.are_apart(classes, np.roll(kinds, 1))
    far = still.centres + 2.0**32 * np.arange(30)[:, None]  # the same places in 32 bits
    assert not replace(still, centres=far).are_apart(classes, kinds)


def test_reading_refuses_other_networks():
    points, labels = problem(8, 2, 1)
    network = nearest_neighbour(points, labels, Ball(2, 0.01))
    for other in (
        affine([[1.0, 2.0]]),
        ReLUNetwork((*network.layers[:-1], network.layers[-1], *affine([[1.0]]).layers)),
        ReLUNetwork.from_layers([([[1.0, 0.0]], [-2.0]), ([[1.0]], [0.0]), ([[1.0]], [0.0])]),
    ):
        with pytest.raises(Unproved):
            read_maxima(other)
    plain = replace(network, provenance=None)
    with pytest.raises(ValueError, match="network must be built by robust_memorizer, grid"):
        certify_memorizer(plain, points, labels, Ball(2, 0.01))
    built = f_S(affine([[4.0, 0.0]], [-2.0]), points, labels, Ball(2, 0.001))
    assert certify_memorizer(built, points, labels, Ball(2, 0.001)).verdict == "proved"
    assert certify_memorizer(built, points, -labels, Ball(2, 0.001)).verdict == "refuted"
    for domain in (None, (-1.0, 2.0)):
        wider = certify_memorizer(built.restrict(domain), points, labels, Ball(2, 0.001))
        assert wider.verdict == "unresolved"


@pytest.mark.parametrize("p", [2, math.inf])
@pytest.mark.parametrize("outputs", [1, 2, 4])
def test_memorizers_are_proved_on_points_and_small_balls(outputs, p):
    points, labels = problem(30, 3, outputs)
    ball = Ball(p, separation(points, labels, norm=p).lower / (60 * 900 * 2))
    for network, radius in (
        (memorizer(points, labels), 0.0),
        (memorizer(points, labels, ball=ball), ball.radius),
    ):
        proof = certify_memorizer(network, points, labels, Ball(p, radius))
        assert proof.verdict == "proved"
        assert proof.bound == 1 if outputs < 3 else proof.bound >= Fraction(1, 4)
    larger = Ball(p, separation(points, labels, norm=p).lower / 2.2)
    assert certify_memorizer(network, points, labels, larger).verdict != "proved"
    other = labels.copy()
    other[5] = -other[5] if outputs == 1 else (other[5] + 1) % outputs
    wrong = certify_memorizer(network, points, other, ball)
    assert (wrong.verdict, wrong.witness[0]) == ("refuted", 5)
    moved = points.copy()
    moved[3] = points[np.flatnonzero(labels != labels[3])[0]] + ball.radius / 8
    assert certify_memorizer(network, moved, labels, ball).verdict == "refuted"


@pytest.mark.parametrize("outputs", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_every_number_of_a_memorizer_off_by_one(outputs):
    """On balls, what is still proved is right at places all over the intervals."""
    points, labels = problem(14, 2, outputs, seed=2)
    ball = Ball("inf", separation(points, labels).lower / (60 * 14**2 * 2))
    network = memorizer(points, labels, ball=ball)
    (row,) = network.layers[0].weight.to_dense().numpy()
    rejected = kept = 0
    for level, part in itertools.product(range(len(network.layers)), ("weight", "bias")):
        layer = network.layers[level]
        for index, by in itertools.product(range(getattr(layer, part).nonzeros), (1, -1)):
            changed_layer = replace(layer, **{part: with_entry(getattr(layer, part), index, by)})
            layers = (*network.layers[:level], changed_layer, *network.layers[level + 1 :])
            other = ReLUNetwork(layers, provenance=network.provenance)
            if certify_memorizer(other, points, labels, ball).verdict != "proved":
                rejected += 1
                continue
            kept += 1
            for side in (-1, -0.5, 0, 0.3, 1):
                x = [
                    [Fraction(c) + Fraction(side * ball.radius) * int(v) for c, v in pairs]
                    for pairs in (zip(point, np.sign(row), strict=True) for point in points)
                ]
                assert min(margins(other.exact(x), labels)) > 0
    assert rejected > 100
    assert kept < rejected


@pytest.mark.slow
def test_thousand_balls_in_784_dimensions():
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.integers(0, 256, (1000, 784))) / 255
    labels = rng.choice([-1, 1], 1000)
    ball = Ball(2, 0.99 * separation(points, labels, norm=2).lower / 2)
    network = nearest_neighbour(points, labels, ball)
    assert network.size.parameters < 1000 * 784 + 4 * 1000
    assert certify_memorizer(network, points, labels, ball).verdict == "proved"


@pytest.mark.parametrize("domain", [None, (-1.0, 2.0)])
def test_balls_beyond_the_cube_are_not_proved(domain):
    """Rows are >= 0 on [0,1]^D only, and a unit that was carried is none elsewhere."""
    points, labels = [[0.02, 0.5], [0.9, 0.5]], [1, -1]
    network = nearest_neighbour(points, labels, Ball(2, 0.3))
    assert certify_memorizer(network, points, labels, Ball(2, 0.3)).verdict == "proved"
    wider = network.restrict(domain)
    assert certify_memorizer(wider, points, labels, Ball(2, 0.3)).verdict == "unresolved"


@pytest.mark.parametrize("p", [2, math.inf])
def test_scales_that_are_no_powers_of_two_are_compared_exactly(p):
    """Two functions of one number whose gap, 4^23 times, is `left` above what is needed; the ball
    takes just more, which a rounded 1 / scale would hide.
    """
    rng, hidden = np.random.default_rng(0), 0
    for scale in map(float, rng.uniform(0.065, 0.12, 200)):
        needed = 4**23 / Fraction(scale)
        gap = math.ceil(needed)
        left = gap - needed
        radius = float(left * Fraction(1001, 1000)) / 2**23
        rows, offsets = np.array([[0.0], [2.0**-23]]), np.array([0.0, -gap / 4**23])
        found = Maxima(rows, offsets, (frozenset([0]), frozenset([1])), Fraction(scale))
        for size, holds in ((radius, False), (radius * 0.998, True)):
            pairs = Pairs.of(found, np.zeros((1, 1)), p, Fraction(size))
            values, others = pairs.values(np.array([0])), np.array([[False, True]])
            assert values[0, 0] - values[0, 1] == gap
            try:
                pairs.check(np.array([0]), np.array([0]), others, values)
                assert holds
            except Unproved:
                assert not holds
        rounded = gap - float(1 / Fraction(scale)) * 4.0**23
        hidden += rounded * (1 - 2.0**-48) >= radius * 2**23 * (1 + 2.0**-48)
    assert hidden > 10  # floats alone would have proved these


@pytest.mark.parametrize("tiny", [5e-324, 1e-200, 1e-160])
def test_moves_whose_squares_underflow_are_not_lost(tiny):
    """Built for the point 0; the ball around (tiny, 1/2) reaches beyond what was built for."""
    ball, points, labels = Ball(2, 0.125), [[tiny, 0.5], [0.5, 0.5]], [1, -1]
    other = nearest_neighbour([[0.0, 0.5], [0.5, 0.5]], labels, ball)
    assert certify_memorizer(other, points, labels, ball).verdict == "unresolved"
    network = nearest_neighbour(points, labels, ball)
    assert certify_memorizer(network, points, labels, ball).verdict == "proved"
    edge = [Fraction(tiny) + Fraction(1, 8), Fraction(1, 2)]
    assert network.exact([edge])[0, 0] == 1


def test_odd_networks_get_a_verdict_and_no_crash():
    """No hidden layer; long integers; a radius near the largest float."""
    points, labels = [[0.75, 0.5], [0.25, 0.5]], [1, -1]
    lemma = memorizer([[0.75, 0.5], [0.25, 0.5]], [1, -1]).provenance.lemma
    named = Provenance(lemma, {}, ())
    flat = replace(affine([[1.0, 0.0]], [-0.5]), provenance=named)
    assert certify_memorizer(flat, points, labels, Ball(2, 0.1)).verdict == "unresolved"
    near = nearest_neighbour(points, labels, Ball(2, 0.1))
    first, *rest = near.layers
    forged = replace(
        near,
        layers=(replace(first, weight=integers(first.weight)), *rest),
    )
    assert certify_memorizer(forged, points, labels, Ball(2, 0.1)).verdict != "proved"


def test_points_outside_the_domain_are_named():
    points, labels, ball = np.array([[0.25, 0.5], [0.75, 0.5]]), [1, -1], Ball(2, 0.125)
    network = nearest_neighbour(points, labels, ball).restrict((0.375, 1.0))
    with pytest.raises(
        ValueError, match=r"domain \[0.375, 1\].*point 0 has values in \[0.25, 0.5\]"
    ):
        certify_memorizer(network, points, labels, ball)
