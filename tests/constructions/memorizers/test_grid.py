"""The memorizer of cells: planes that no ball meets, sizes by `==`, labels on whole balls, all in
exact arithmetic.
"""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from labelled import labels_of, right
from oracles import counts

from constructions import Ball, explain, grid_memorizer, load, separation, write_onnx
from constructions.memorizers.planes import _needed, _tell, _together, directions, reach
from constructions.memorizers.planes import telling_planes as tell

SETTINGS = [
    (n, d, outputs, p)
    for (n, d), outputs, p in itertools.product(
        ((4, 1), (12, 2), (30, 3), (60, 8), (50, 20), (40, 64)), (1, 2, 6), (2, math.inf)
    )
    if outputs < n
]


def problem(n, d, outputs, p, share=None, seed=0):
    """Points, labels and balls: as large as `share` of half the separation, or what surely fits."""
    rng = np.random.default_rng([seed, n, d, outputs])
    points = rng.random((n, d)) * 3 - 1
    labels = labels_of(rng, n, outputs)
    half = separation(points, labels, norm=p).lower / 2
    share = 0.9 / (n * math.sqrt(d)) if share is None else share
    return points, labels, Ball(p, share * half)


def extremes(points, rows, ball):
    """The two points of each ball that a direction moves most, exactly inside."""
    found, owners = [], []
    for i, row, side in itertools.product(range(len(points)), rows, (-1, 1)):
        length = Fraction(1)
        if ball.p == 2:
            square = sum(int(w) ** 2 for w in row)
            length = Fraction(math.isqrt(square << 200) + 1, 1 << 100)
        way = [np.sign(w) if ball.p == math.inf else Fraction(int(w)) / length for w in row]
        radius = side * Fraction(ball.radius)
        found.append([Fraction(c) + radius * v for c, v in zip(points[i], way, strict=True)])
        owners.append(i)
    return found, owners


@pytest.mark.parametrize(("n", "d", "outputs", "p"), SETTINGS)
def test_sizes_are_the_closed_form_and_balls_have_their_label(n, d, outputs, p):
    points, labels, ball = problem(n, d, outputs, p)
    network = grid_memorizer(points, labels, ball)
    depth, _, _, weights, biases, _ = counts(network)
    facts = network.provenance.arguments
    claims = network.provenance.lemma.evaluate(facts)
    assert (depth, weights + biases) == (claims["depth"], claims["parameters"])
    assert facts["rho"] > 4 * facts["paper"]
    assert right(network.exact(points), labels)
    used = network.layers[0].weight.to_dense().numpy()
    tested, owners = extremes(points[:20], used, ball)
    assert right(network.exact(tested), labels[owners])


@pytest.mark.parametrize("p", [2, math.inf])
@pytest.mark.parametrize("seed", range(6))
def test_planes_miss_all_balls_and_tell_labels_apart(seed, p):
    n, d = ((40, 2), (25, 5), (60, 3))[seed % 3]
    points, labels, ball = problem(n, d, 4, p, 0.2, seed)
    rows = directions(d)
    planes, sides = tell(points, labels, rows, ball)
    for plane, side in zip(planes, sides.T, strict=True):
        row = rows[plane.row]
        length = (
            Fraction(int(np.abs(row).sum()))
            if p == math.inf
            else Fraction(math.isqrt(int((row**2).sum()) << 200) + 1, 1 << 100)
        )
        assert (plane.start / plane.width).denominator == 1
        assert plane.width.numerator == 1
        for point, beyond in zip(points.tolist(), side, strict=True):
            place = sum(Fraction(c) * int(w) for c, w in zip(point, row, strict=True))
            far = Fraction(ball.radius) * length
            ends = plane.start, plane.start + plane.width
            assert place - far >= ends[1] if beyond else place + far <= ends[0]
    for i, j in itertools.combinations(range(n), 2):
        assert labels[i] == labels[j] or (sides[i] != sides[j]).any()


def test_the_reach_is_that_of_the_dual_norm():
    rng = np.random.default_rng(0)
    for radius in (0.0, 1e-300, 0.25, 3.7, 1e200):
        weights = rng.integers(-9, 10, 7)
        exact = Fraction(radius) * int(np.abs(weights).sum())
        assert reach(weights, Ball("inf", radius)) == exact
        bound, square = (
            reach(weights, Ball(2, radius)),
            Fraction(radius) ** 2 * int((weights**2).sum()),
        )
        assert square <= bound**2 <= square * (1 + Fraction(1, 2**50))


def test_pairs_are_found_in_every_cell_that_has_some():
    rng = np.random.default_rng(0)
    for _ in range(50):
        cells, classes = rng.integers(0, 6, 15), rng.integers(0, 3, 15)
        pairs = _together(cells, classes, rng)
        wanted = {
            int(cells[i])
            for i, j in itertools.combinations(range(15), 2)
            if cells[i] == cells[j] and classes[i] != classes[j]
        }
        assert {int(cells[i]) for i, _ in pairs} == wanted
        assert (cells[pairs[:, 0]] == cells[pairs[:, 1]]).all()
        assert (classes[pairs[:, 0]] != classes[pairs[:, 1]]).all()


def test_planes_that_are_not_needed_are_left_out():
    rank, classes = np.array([[0, 3], [1, 2], [2, 1], [3, 0]]), np.array([0, 0, 1, 1])
    assert _needed([(0, 0), (0, 1), (1, 1)], rank, classes) == [(1, 1)]
    assert _tell([(0, 1)], rank, classes)
    assert not _tell([(0, 0)], rank, classes)


@pytest.mark.slow
def test_it_is_far_below_one_parameter_a_point_and_coordinate():
    points, labels, ball = problem(1000, 64, 1, 2, 0.001)
    network = grid_memorizer(points, labels, ball)
    facts = network.provenance.arguments
    assert network.size.parameters < 1000
    assert facts["rho"] > 30 * facts["paper"]
    assert facts["planes"] < 25
    # in the plane, nearly up to half the separation
    points, labels, ball = problem(1000, 2, 1, 2, 0.9)
    assert grid_memorizer(points, labels, ball).size.parameters < 1600


def test_given_directions_are_the_ones_that_are_used(tmp_path):
    points, labels, ball = problem(40, 6, 1, "inf")
    network = grid_memorizer(points, labels, ball, projection=np.eye(6))
    rows = network.layers[0].weight.to_dense().numpy()
    assert (rows.sum(1) == 1).all()
    assert rows.max() == 1
    assert (
        network.provenance == grid_memorizer(points, labels, ball, projection=np.eye(6)).provenance
    )
    assert "memorizer(points=" in explain(network).split("by part (exact counts):")[1]
    network.save(tmp_path / "f.safetensors")
    assert load(tmp_path / "f.safetensors").exact(points).tolist() == network.exact(points).tolist()


def test_numbers_that_float64_does_not_hold_are_not_exported(tmp_path):
    network = grid_memorizer(*problem(4000, 20, 1, 2, 1e-5))
    with pytest.raises(ValueError, match="float64 does not hold"):
        write_onnx(network, tmp_path / "f.onnx", dtype="float64")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"labels": [1, 1, 1]}, "labels must hold at least two different ones"),
        ({"points": [[0.5], [0.5], [1.0]]}, "labels of equal points must agree"),
        ({"ball": Ball(2, 0.25)}, "ball must be smaller: no plane that all balls leave free parts"),
        ({"projection": [[0.5]]}, "projection must be integers"),
        ({"projection": [[0]]}, "no row of zeros"),
        ({"projection": [[1, 1]]}, r"projection must have shape \(R, 1\)"),
    ],
)
def test_bad_input_is_refused(change, match):
    given = {"points": [[0.0], [0.5], [1.0]], "labels": [1, -1, 1], "ball": Ball(2, 0.1)}
    with pytest.raises(ValueError, match=match):
        grid_memorizer(**given | change)
    with pytest.raises(TypeError, match="ball must be a Ball"):
        grid_memorizer(**given | {"ball": 0.1})
