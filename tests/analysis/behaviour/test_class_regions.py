"""Components and holes of class regions: known sets, ties, and a count of pixels."""

import numpy as np
import pytest
from scipy import ndimage

from analysis import class_topology
from constructions import Ball, ReLUNetwork, affine, f_S, nearest_neighbour


@pytest.mark.parametrize("count", [1, 2, 3])
def test_balls_of_a_class_are_its_components_and_the_holes_of_another(count):
    """Class 0 below, 1 above; below there are balls of class 2, and one of class 1."""
    clean = affine([[0.0, 0.0], [0.0, 4.0], [0.0, 0.0]], [2.0, 0.0, 0.0])
    points = [[0.25, 0.375], *([x, 0.25] for x in (0.25, 0.5, 0.75)[:count])]
    network = f_S(clean, points, [1] + [2] * count, Ball("inf", 0.03125))
    assert class_topology(network, (0, 1), 0).betti == (1, count + 1, 0)
    assert class_topology(network, (0, 1), 1).betti == (2, 0, 0)
    assert class_topology(network, (0, 1), 2).betti == (count, 0, 0)


def test_ties_in_shells_are_components_with_a_hole():
    """Where f_clean is -4 for class 2, f_S is 0 for classes 0 and 1 in a part of each shell."""
    clean = affine([[0.0, 0.0], [0.0, 4.0], [0.0, 0.0]], [2.0, 0.0, -4.0])
    points = [[0.25, 0.375], [0.25, 0.25], [0.5, 0.25]]
    network = f_S(clean, points, [1, 2, 2], Ball("inf", 0.03125))
    assert class_topology(network, (0, 1), 1).betti == (2 + 2, 2, 0)
    line = [[0.5 + t / 4096, 0.25] for t in range(128, 512)]
    values = network.exact(line)
    assert any(a == b == 0 > c for a, b, c in values)


def test_ties_belong_to_both():
    both = affine([[1.0, 0.0], [1.0, 0.0]], [0.0, 0.0])
    assert class_topology(both, (0, 1), 0).betti == (1, 0, 0)
    assert class_topology(both, (0, 1), 1).betti == (1, 0, 0)
    zero = affine([[0.0, 0.0]])
    assert class_topology(zero, (0, 1), 1).betti == class_topology(zero, (0, 1), -1).betti
    assert class_topology(affine([[1.0]], [-0.5]), (0, 1), -1).where == "{f_0 <= 0}"
    assert class_topology(both, (0, 1), 1).where == "{f_1 >= all others}"


@pytest.mark.parametrize("seed", range(6))
def test_pixels_of_nearest_neighbours_have_as_many_components(seed):
    """Cells of random points are many pixels wide, and meet in general position."""
    generator = np.random.default_rng(seed)
    points = generator.permutation([[i, j] for i in range(5) for j in range(5)])
    points = (205 * points + 102 + generator.integers(-32, 33, (25, 2))) / 1024
    labels = np.array([*range(3), *generator.integers(0, 3, 22)])
    network = nearest_neighbour(points, labels, Ball(2, 1 / 64))
    grid = (np.arange(512) + 0.5) / 512
    pixels = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    given = network(pixels).argmax(dim=1).reshape(512, 512).numpy()
    for label in range(3):
        found = class_topology(network, (0, 1), label)
        assert found.certified
        assert found.betti[0] == ndimage.label(given == label)[1]
        outside = np.pad(given != label, 1, constant_values=True)
        assert found.betti[1] == ndimage.label(outside, np.ones((3, 3)))[1] - 1


@pytest.mark.parametrize(
    ("outputs", "label", "complaint"),
    [
        (1, 0, "label must be 1 or -1 for a network of one output, got 0"),
        (3, 3, r"label must be a class of 0\.\.2, got 3"),
        (3, -1, r"label must be a class of 0\.\.2, got -1"),
        (3, "cat", "label must be an integer, got 'cat'"),
    ],
)
def test_labels_that_are_not_given_are_refused(outputs, label, complaint):
    with pytest.raises(ValueError, match=complaint):
        class_topology(affine(np.ones((outputs, 2))), (0, 1), label)


def test_the_set_does_not_depend_on_what_is_added_to_all_outputs():
    hidden = ([[1.0, -1.0], [1.0, 1.0], [0.0, 1.0]], [0.0, -1.0, -0.5])
    rows = np.array([[1.0, 2.0, -4.0], [-1.0, 1.0, 1.0]])
    clean = ReLUNetwork.from_layers([hidden, (rows, [0.0, 0.25])])
    spread = ReLUNetwork.from_layers([hidden, (rows + np.array([4.0, -8.0, 2.0]), [1.0, 1.25])])
    for label in (0, 1):
        found = class_topology(clean, (0, 1), label)
        assert found.betti == class_topology(spread, (0, 1), label).betti
        assert found.faces == class_topology(spread, (0, 1), label).faces
