"""The network of the nearest point: sizes by `==`, labels on whole balls in exact arithmetic,
against distances.
"""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from oracles import counts

from constructions import Ball, explain, load, nearest_neighbour, write_onnx
from constructions.memorizers.nearest import least_gap, on_grid

SETTINGS = [
    (n, d, k, p)
    for (n, d), k, p in itertools.product(
        ((2, 1), (3, 2), (5, 3), (8, 2), (13, 5), (32, 4), (45, 9)), (1, 2, 3, 7), (2, math.inf)
    )
    if n >= max(2, k)
]
"""Points, coordinates, outputs, norm."""


def problem(n, d, outputs, seed=0, bits=None):
    """Points with labels, every class there; and the half of the least l_2 distance of classes."""
    rng = np.random.default_rng([seed, n, d, outputs])
    points = rng.random((n, d))
    if bits:
        points = np.unique(rng.integers(0, 2**bits, (4 * n, d)), axis=0)[:n] / 2**bits
        points = rng.permutation(points)
    classes = max(2, outputs)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, len(points) - classes)])
    labels = 2 * labels - 1 if outputs == 1 else labels
    apart = labels[:, None] != labels
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    return points, labels, float(distances[apart].min()) / 2


def radius_for(points, labels, half, p):
    """Within what pairs allow: 0.9 of the separation in l_2, of d^2 / 2 d' in l_inf."""
    if p == 2:
        return 0.9 * half
    apart = labels[:, None] != labels
    squares = ((points[:, None] - points) ** 2).sum(2)
    sums = np.abs(points[:, None] - points).sum(2)
    return 0.9 * float((squares[apart] / sums[apart]).min()) / 2


def wanted(labels, outputs):
    if outputs == 1:
        return [[label] for label in labels]
    return [[int(k == label) for k in range(outputs)] for label in labels]


def near_points(points, labels, ball, generator, count=6):
    """(i, x): centres, places at the border of balls in all kinds of directions, the way to every
    other label's nearest point; in [0,1]^D, exactly in the ball.
    """
    for i, centre in enumerate(points):
        yield i, [Fraction(v) for v in centre]
        others = points[labels != labels[i]]
        directions = [others[((others - centre) ** 2).sum(1).argmin()] - centre]
        directions += list(generator.normal(size=(count, points.shape[1])))
        directions += [np.sign(directions[0]), np.eye(points.shape[1])[i % points.shape[1]]]
        for way in directions:
            size = np.abs(way).max() if ball.p == math.inf else np.linalg.norm(way)
            if ball.p == math.inf and not size:
                continue
            moved = np.sign(way) if ball.p == math.inf else way / size
            share = Fraction(ball.radius) * (1 - Fraction(1, 2**45))
            x = [Fraction(c) + share * Fraction(v) for c, v in zip(centre, moved, strict=True)]
            yield i, [min(max(v, Fraction(0)), Fraction(1)) for v in x]


@pytest.mark.parametrize(("n", "d", "outputs", "p"), SETTINGS)
def test_sizes_are_the_closed_form_and_labels_hold_on_balls(n, d, outputs, p):
    points, labels, half = problem(n, d, outputs)
    ball = Ball(p, radius_for(points, labels, half, p))
    network = nearest_neighbour(points, labels, ball)
    depth, _, _, weights, biases, _ = counts(network)
    claims = network.provenance.lemma.evaluate(network.provenance.arguments)
    assert (depth, weights + biases) == (claims["depth"], claims["parameters"])
    levels = math.ceil(math.log2(max(np.bincount(labels - labels.min()))))
    if outputs == 1:
        assert weights + biases <= n * d + 4 * n + 2 * max(1, levels)
    indices, tested = zip(*near_points(points, labels, ball, np.random.default_rng(1)), strict=True)
    values = network.exact(list(tested)).tolist()
    assert values == [wanted(labels, outputs)[i] for i in indices]


def test_the_rule_is_that_of_the_nearest_point():
    points, labels, half = problem(30, 3, 1)
    network = nearest_neighbour(points, labels, Ball(2, 0.5 * half))
    x = np.random.default_rng(0).random((500, 3))
    nearest = labels[((x[:, None] - points) ** 2).sum(2).argmin(1)]
    assert np.array_equal(np.sign(network(x).numpy()[:, 0]), nearest)


@pytest.mark.parametrize("share", [0.5, 0.99, 1 - 2.0**-30, 1 - 2.0**-50])
def test_every_radius_below_half_the_separation_of_dyadic_points(share):
    points, labels, half = problem(20, 4, 1, bits=4)
    radius = math.nextafter(half * share, 0)
    network = nearest_neighbour(points, labels, Ball(2, radius))
    indices, tested = zip(
        *near_points(points, labels, Ball(2, radius), np.random.default_rng(1)), strict=True
    )
    assert network.exact(list(tested))[:, 0].tolist() == labels[list(indices)].tolist()
    with pytest.raises(ValueError, match="ball radius must be below half the separation"):
        nearest_neighbour(points, labels, Ball(2, math.nextafter(half, 1)))


def test_many_points_in_balls_in_exact_arithmetic():
    points, labels, half = problem(40, 6, 1, seed=3)
    network = nearest_neighbour(points, labels, Ball(2, 0.95 * half))
    found = near_points(points, labels, Ball(2, 0.95 * half), np.random.default_rng(2), 60)
    indices, tested = zip(*found, strict=True)
    assert len(tested) > 2000
    assert network.exact(list(tested))[:, 0].tolist() == labels[list(indices)].tolist()


def test_the_gap_is_below_every_pair():
    for p, bits in itertools.product((2, math.inf), (None, 3)):
        points, labels, half = problem(25, 3, 1, bits=bits)
        radius = Fraction(radius_for(points, labels, half, p))
        integers, q, moved = on_grid(points, p)
        assert moved == 0 if bits else 0 < moved < Fraction(1, 2 ** (q - 1))
        gap, pair = least_gap(integers, q, labels, p, radius)
        exact = []
        for i, j in itertools.combinations(range(len(points)), 2):
            if labels[i] != labels[j]:
                way = [Fraction(int(a - b), 2**q) for a, b in zip(*integers[[i, j]], strict=True)]
                square = sum(v * v for v in way)
                if p == 2:
                    assert square >= gap
                    assert (square - gap) ** 2 >= 4 * radius**2 * square
                    exact.append(square)
                else:
                    exact.append(square - 2 * radius * sum(map(abs, way)))
                    assert exact[-1] >= gap
        assert labels[pair[0]] != labels[pair[1]]
        if p == math.inf:
            assert float(min(exact) - gap) < 1e-12


def test_images_with_equal_pixels_cost_less():
    rng = np.random.default_rng(0)
    points = rng.random((30, 50)) * (rng.random((30, 50)) < 0.2)
    labels = rng.choice([-1, 1], 30)
    network = nearest_neighbour(points, labels, Ball(2, 0.01))
    assert network.size.parameters < 30 * 50 * 0.4 + 4 * 30


def test_equal_points_count_once():
    points, labels, _ = problem(9, 2, 1)
    again = np.concatenate([points, points[:4]]), np.concatenate([labels, labels[:4]])
    a, b = (nearest_neighbour(x, y, Ball(2, 0.001)) for x, y in ((points, labels), again))
    assert a.size == b.size


@pytest.mark.parametrize("outputs", [1, 3])
def test_files_and_graphs_keep_it(tmp_path, outputs):
    points, labels, half = problem(12, 3, outputs)
    network = nearest_neighbour(points, labels, Ball(2, 0.5 * half))
    network.save(tmp_path / "f.safetensors")
    read = load(tmp_path / "f.safetensors")
    assert explain(read) == explain(network)
    write_onnx(network, tmp_path / "f.onnx", dtype="float64")
    again = load(tmp_path / "f.onnx")
    assert again.size.parameters <= network.size.parameters
    assert network.exact(points).tolist() == read.exact(points).tolist()
    assert network.exact(points).tolist() == again.exact(points).tolist()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"labels": [1, 1]}, "labels must hold at least two different ones"),
        ({"labels": [0, 2]}, "labels must hold every class 0..2, got no 1"),
        ({"labels": [-1, 0]}, "labels must be 0..0|labels must be"),
        ({"points": [[0.5, 0.5], [0.5, 0.5]]}, "labels of equal points must agree: points 0 and 1"),
        ({"points": [[0.5, 0.5], [1.5, 0.5]]}, r"points must lie in \[0, 1\]"),
        ({"ball": Ball(2, 0.25)}, "radius 0.25 is too large between points 0 and 1"),
        ({"ball": Ball("inf", 0.3)}, "must be below what l_2 distances decide"),
    ],
)
def test_bad_input_is_refused(change, match):
    given = {"points": [[0.25, 0.5], [0.75, 0.5]], "labels": [1, -1], "ball": Ball(2, 0.1)}
    with pytest.raises(ValueError, match=match):
        nearest_neighbour(**given | change)
    with pytest.raises(TypeError, match="ball must be a Ball"):
        nearest_neighbour(given["points"], given["labels"], 0.1)
