"""Nearest points after a projection: sizes by `==`, labels on balls, the bound of the norm."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from labelled import labels_of
from oracles import counts

from analysis import certify_memorizer
from constructions import (
    Affine,
    Ball,
    Dense,
    ReLUNetwork,
    load,
    projected_memorizer,
    separation,
    write_onnx,
)
from constructions.memorizers.projected import float_above, root_above, square_norm_bound


def problem(n, d, outputs, p, share, seed=0):
    rng = np.random.default_rng([seed, n, d, outputs])
    points = rng.random((n, d))
    labels = labels_of(rng, n, outputs)
    half = separation(points, labels, norm=p).lower / 2
    return points, labels, Ball(p, share * half)


def right(values, labels):
    if values.shape[1] == 1:
        return values[:, 0].tolist() == labels.tolist()
    return values.tolist() == np.eye(values.shape[1], dtype=int)[labels].tolist()


@pytest.mark.parametrize("p", [2, math.inf])
@pytest.mark.parametrize("outputs", [1, 2, 4])
@pytest.mark.parametrize(("n", "d"), [(20, 16), (30, 30), (40, 64)])
def test_sizes_are_the_closed_form_and_balls_have_their_label(n, d, outputs, p):
    points, labels, ball = problem(n, d, outputs, p, 0.1 if p == 2 else 0.02)
    network = projected_memorizer(points, labels, ball)
    depth, _, _, weights, biases, _ = counts(network)
    facts = network.provenance.arguments
    claims = network.provenance.lemma.evaluate(facts)
    assert (depth, weights + biases) == (claims["depth"], claims["parameters"])
    assert facts["m"] <= d // 2
    for radius in (0.0, ball.radius):
        assert certify_memorizer(network, points, labels, Ball(p, radius)).verdict == "proved"
    half = separation(points, labels, norm=p).lower / 2
    assert certify_memorizer(network, points, labels, Ball(p, 1.01 * half)).verdict != "proved"
    # towards the nearest point of another label, and along rows of the projection
    rows = network.layers[0].weight.to_dense().numpy()
    tested, owners = [], []
    for i, point in enumerate(points):
        others = points[labels != labels[i]]
        goal = others[((others - point) ** 2).sum(1).argmin()] - point
        for way, side in itertools.product([goal, *rows[:4]], (-1, 1)):
            square = sum(Fraction(v) ** 2 for v in way.tolist())
            length = root_above(square) if p == 2 else Fraction(float(np.abs(way).max()))
            x = [
                Fraction(c) + side * Fraction(ball.radius) / length * Fraction(v)
                for c, v in zip(point.tolist(), way.tolist(), strict=True)
            ]
            tested.append([min(max(v, Fraction(0)), Fraction(1)) for v in x])
            owners.append(i)
    assert right(network.exact(tested), labels[owners])


def test_what_is_wrong_is_not_proved(tmp_path):
    points, labels, ball = problem(30, 24, 1, 2, 0.1)
    network = projected_memorizer(points, labels, ball)
    for i in (0, 11, 29):
        other = labels.copy()
        other[i] = -other[i]
        wrong = certify_memorizer(network, points, other, ball)
        assert (wrong.verdict, wrong.witness[0]) == ("refuted", i)
    moved = points.copy()
    moved[3] = points[np.flatnonzero(labels != labels[3])[0]] + ball.radius / 32
    assert certify_memorizer(network, moved, labels, ball).verdict == "refuted"
    for domain in (None, (-1.0, 2.0)):
        wider = certify_memorizer(network.restrict(domain), points, labels, ball)
        assert wider.verdict == "unresolved"
    network.save(tmp_path / "f.safetensors")
    assert certify_memorizer(load(tmp_path / "f.safetensors"), points, labels, ball).verdict == (
        "proved"
    )
    write_onnx(network, tmp_path / "f.onnx", dtype="float64")
    again = load(tmp_path / "f.onnx")
    assert again.exact(points).tolist() == network.exact(points).tolist()


def test_changed_weights_of_the_projection():
    """Each is refused, or what is proved still holds at places of the balls."""
    points, labels, ball = problem(16, 16, 1, 2, 0.15, seed=3)
    network = projected_memorizer(points, labels, ball)
    first, rejected = network.layers[0], 0
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(10, 16))
    steps *= ball.radius * 0.999 / np.linalg.norm(steps, axis=1, keepdims=True)
    tested = np.clip((points[:, None] + steps).reshape(-1, 16), 0, 1)
    for i, by in itertools.product(range(first.weight.shape[0]), (1.0, -1.0, 2.0**-4, -(2.0**-6))):
        weight, bias = first.weight.to_dense().clone(), first.bias.to_dense().clone()
        for part, where in ((weight, (i, 5)), (bias, (i, 0))):
            part[where] += by
            changed = replace(first, weight=Dense(weight), bias=Dense(bias))
            other = ReLUNetwork(
                (Affine(changed.weight, changed.bias), *network.layers[1:]),
                network.domain,
                network.provenance,
            )
            if certify_memorizer(other, points, labels, ball).verdict != "proved":
                rejected += 1
            else:
                values = other.exact(tested)[:, 0].reshape(16, -1)
                assert (values == labels[:, None]).all()
            part[where] -= by
    assert rejected > 10


@pytest.mark.parametrize("seed", range(12))
def test_the_norm_is_bounded(seed):
    rng = np.random.default_rng(seed)
    m, d = int(rng.integers(1, 20)), int(rng.integers(1, 40))
    matrix = rng.integers(-3, 4, (m, d))
    bound = square_norm_bound(matrix.astype(object))
    norm = np.linalg.norm(matrix, 2) ** 2
    assert norm * (1 - 1e-12) <= float(bound) <= norm * m ** (1 / 64) * (1 + 1e-9) + 1e-9


def test_roots_and_floats_are_above():
    rng = np.random.default_rng(0)
    for _ in range(200):
        value = Fraction(int(rng.integers(1, 10**9)), int(rng.integers(1, 10**9))) ** int(
            rng.integers(1, 9)
        )
        root = root_above(value)
        assert value < root**2 < value * (1 + Fraction(1, 2**50))
        assert value <= Fraction(float_above(value)) < value * (1 + Fraction(1, 2**51))


def test_a_thousand_balls_by_fewer_parameters_than_distances():
    points, labels, ball = problem(1000, 64, 1, 2, 0.2)
    network = projected_memorizer(points, labels, ball)
    assert network.size.parameters < 0.4 * (1000 * 64 + 4000)
    assert certify_memorizer(network, points, labels, ball).verdict == "proved"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"labels": [1, 1]}, "labels must hold at least two different ones"),
        ({"points": [[0.5], [1.0]]}, "points must have 2 coordinates or more"),
        ({"points": [[0.5, 0.0], [1.5, 0.0]]}, r"points must lie in \[0, 1\]"),
        ({"ball": Ball(2, 0.5)}, "ball must be smaller: no projection to 1 dimensions"),
        ({"rows": 2}, "rows must be an integer from 1 to D - 1 = 1, got 2"),
    ],
)
def test_bad_input_is_refused(change, match):
    given = {"points": [[0.0, 0.25], [0.5, 0.5]], "labels": [1, -1], "ball": Ball(2, 0.01)}
    with pytest.raises(ValueError, match=match):
        projected_memorizer(**given | change)
