"""The narrow memorizer: width 3D + 2 for any N, sizes by `==`, labels on whole balls exactly."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from labelled import labels_of
from oracles import counts

from constructions import Ball, explain, load, narrow_memorizer, separation, write_onnx
from constructions.memorizers.narrow import narrow_parameters
from constructions.memorizers.reading import read_data

SETTINGS = [
    (n, d, k, p)
    for (n, d), k, p in itertools.product(
        ((2, 1), (3, 2), (6, 3), (9, 1), (14, 6), (25, 4)), (1, 2, 3, 6), (2, math.inf)
    )
    if n >= max(2, k)
]
"""Points, coordinates, outputs, norm."""


def problem(n, d, outputs, p, seed=0):
    """Points, some at 0 and 1, with labels; and a ball near the largest that is known to be told:
    0.9 of half the separation in l_inf, of 1 / (1 + sqrt D) of it in l_2.
    """
    rng = np.random.default_rng([seed, n, d, outputs])
    points = np.clip(rng.random((n, d)) * 1.5 - 0.25, 0, 1) if d > 2 else rng.random((n, d))
    labels = labels_of(rng, n, outputs)
    apart = separation(points, labels, norm=p).lower
    return points, labels, Ball(p, 0.9 * apart / (2 if p == math.inf else 1 + math.sqrt(d)))


def value_of(labels, outputs):
    """What the network's outputs must be on balls, of three classes and more up to a constant."""
    if outputs == 1:
        return [[v] for v in labels]
    return [[int(k == v) for k in range(outputs)] for v in labels]


def border(points, labels, ball, generator, count):
    """(i, x) exactly in ball i and [0,1]^D: corners of the ball's box for l_inf, the way to the
    nearest point of another label, random and axial directions for l_2.
    """
    for i, centre in enumerate(points):
        other = points[labels != labels[i]]
        ways = [other[((other - centre) ** 2).sum(1).argmin()] - centre, centre * 0]
        ways += [*generator.normal(size=(count, len(centre))), np.eye(len(centre))[0]]
        for way in ways:
            step = np.sign(way)
            if ball.p == 2:
                step = way / max(np.linalg.norm(way), 1e-9) * (1 - 2.0**-45)
            far = [
                Fraction(float(c)) + Fraction(ball.radius) * Fraction(float(v))
                for c, v in zip(centre, step, strict=True)
            ]
            yield i, [min(max(v, Fraction(0)), Fraction(1)) for v in far]


@pytest.mark.parametrize(("n", "d", "outputs", "p"), SETTINGS)
def test_sizes_are_the_closed_form_and_labels_hold_on_balls(n, d, outputs, p):
    points, labels, ball = problem(n, d, outputs, p)
    network = narrow_memorizer(points, labels, ball)
    depth, _, _, weights, biases, _ = counts(network)
    claims = network.provenance.lemma.evaluate(network.provenance.arguments)
    assert (depth, weights + biases) == (claims["depth"], claims["parameters"])
    apart = separation(points, labels, norm=p).lower
    assert narrow_parameters(read_data(points, labels), ball, apart) == weights + biases
    assert network.size.units == claims["units"]
    assert network.size.width <= 3 * d + 2
    stored = n - np.bincount(labels - labels.min()).max()
    assert weights + biases <= (7 * d + 3) * stored + 3 * max(outputs, 2)
    found = border(points, labels, ball, np.random.default_rng(1), 6)
    indices, tested = zip(*found, strict=True)
    values = network.exact(list(tested))
    if outputs < 3:
        assert values.tolist() == [value_of(labels, outputs)[i] for i in indices]
        return
    for row, i in zip(values.tolist(), indices, strict=True):
        assert all(row[labels[i]] >= v + 1 for k, v in enumerate(row) if k != labels[i])


def test_it_is_0_and_1_away_from_the_points_too():
    points, labels, ball = problem(12, 3, 2, math.inf)
    values = narrow_memorizer(points, labels, ball)(np.random.default_rng(0).random((300, 3)))
    assert float(values.min()) >= 0
    assert float(values.max()) <= 1


@pytest.mark.parametrize("p", [2, math.inf])
def test_balls_that_are_too_large_are_refused(p):
    points, labels = np.array([[0.25, 0.5], [0.5, 0.5]]), [1, -1]
    narrow_memorizer(points, labels, Ball(p, 0.1249))
    with pytest.raises(ValueError, match=r"ball radius must be below .* points (0 and 1|1 and 0)"):
        narrow_memorizer(points, labels, Ball(p, 0.125))
    with pytest.raises(ValueError, match=r"points must lie in \[0, 1\]"):
        narrow_memorizer(points + 1, labels, Ball(p, 0.1))
    with pytest.raises(ValueError, match="ball radius must be below"):
        narrow_memorizer(points, labels, Ball(p, 1e300))


def test_it_is_explained_saved_and_exported(tmp_path):
    points, labels, ball = problem(10, 3, 3, math.inf)
    network = narrow_memorizer(points, labels, ball)
    assert "narrow_memorizer(" in explain(network)
    network.save(tmp_path / "f.safetensors")
    read = load(tmp_path / "f.safetensors")
    assert (read(points) == network(points)).all()
    write_onnx(network, tmp_path / "f.onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(tmp_path / "f.onnx")
    name = session.get_inputs()[0].name
    rows = [session.run(None, {name: row[None].astype(np.float32)})[0] for row in points]
    assert (np.concatenate(rows).argmax(1) == labels).all()


@pytest.mark.parametrize("p", [2, math.inf])
def test_the_closed_form_stands_for_no_network_that_is_not_right(p):
    """It is refused where the network is, and in l_2 for more, as it looks at the nearest alone."""
    points, labels, ball = problem(14, 6, 1, p)
    apart = separation(points, labels, norm=p).lower
    with pytest.raises(ValueError, match="ball must be smaller for what its theorem says"):
        narrow_parameters(read_data(points, labels), Ball(p, ball.radius / 0.9 * 1.001), apart)
