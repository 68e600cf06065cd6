"""The memorizer of bit tables: sizes by `==`, labels of points and on whole small balls, in exact
arithmetic; folds and numbers against integers.
"""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from labelled import labels_of, right
from oracles import counts

from constructions import (
    Ball,
    Integers,
    explain,
    interpolation,
    load,
    memorizer,
    separation,
    write_onnx,
)
from constructions.memorizers.grouping import Line, encoded, folded, grouped
from constructions.memorizers.line import least_gap

SETTINGS = [
    (n, d, k, kind)
    for n, d in ((8, 2), (30, 1), (70, 5), (150, 20), (200, 64))
    for k, kind in itertools.product((1, 2, 8), ("integers", "floats", "images"))
    if d > 1 or kind == "floats" or n < 40
]
"""Points, coordinates, outputs, kind of points."""


def problem(n, d, outputs, kind="integers", seed=0):
    rng = np.random.default_rng([seed, n, d, outputs])
    points = {
        "integers": lambda: rng.integers(0, 256, (4 * n, d)),
        "floats": lambda: rng.random((n, d)),
        "images": lambda: rng.integers(0, 256, (4 * n, d)) / 255,
    }[kind]()
    _, first = np.unique(points, axis=0, return_index=True)
    points = points[np.sort(first)][:n]
    return points, labels_of(rng, len(points), outputs)


@pytest.mark.parametrize(("n", "d", "outputs", "kind"), SETTINGS)
def test_sizes_are_the_closed_form_and_labels_are_exact(n, d, outputs, kind):
    points, labels = problem(n, d, outputs, kind)
    network = memorizer(points, labels)
    depth, _, _, weights, biases, _ = counts_of(network)
    facts = network.provenance.arguments
    claims = network.provenance.lemma.evaluate(facts)
    assert (depth, weights + biases) == (claims["depth"], claims["parameters"])
    assert right(network.exact(points), labels)
    assert facts["slot"] - (17 + 7 * facts["c"] if facts["c"] else 11) in (0, 1)


def counts_of(network):
    """Sizes counted from the layers, also those that float64 does not hold."""
    if any(isinstance(m, Integers) for layer in network.layers for m in vars(layer).values()):
        weights = sum(layer.weight.nonzeros for layer in network.layers)
        biases = sum(layer.bias.nonzeros for layer in network.layers)
        return len(network.layers) - 1, 0, 0, weights, biases, 0
    return counts(network)


@pytest.mark.parametrize(
    ("n", "d", "outputs", "p"),
    [(12, 2, 1, 2), (12, 2, 1, math.inf), (40, 6, 3, 2), (40, 6, 1, math.inf), (80, 20, 2, 2)],
)
def test_labels_hold_on_whole_small_balls(n, d, outputs, p):
    points, labels = problem(n, d, outputs, "floats")
    ball = Ball(p, separation(points, labels, norm=p).lower / (60 * n**2 * math.sqrt(d)))
    network = memorizer(points, labels, ball=ball)
    claims = network.provenance.lemma.evaluate(network.provenance.arguments)
    assert network.size.parameters == claims["parameters"]
    # the two points of the ball that the first layer moves most, and all between
    (row,) = network.layers[0].weight.to_dense().numpy()
    way = np.sign(row) if p == math.inf else row / np.linalg.norm(row) * (1 - 2.0**-40)
    tested, indices = [], []
    for i, side in itertools.product(range(n), np.linspace(-1, 1, 9)):
        share = Fraction(ball.radius) * Fraction(side)
        x = [Fraction(c) + share * Fraction(v) for c, v in zip(points[i], way, strict=True)]
        tested.append(x)
        indices.append(i)
    assert right(network.exact(tested), labels[indices])
    with pytest.raises(ValueError, match="ball must be smaller"):
        memorizer(points, labels, ball=Ball(p, separation(points, labels, norm=p).lower / 3))


@pytest.mark.parametrize(("n", "most"), [(100, 250), (320, 450), (1000, 900)])
def test_it_is_smaller_than_steps_on_a_line(n, most):
    points, labels = problem(n, 16, 1)
    network = memorizer(points, labels)
    assert network.size.parameters <= min(most, interpolation(points, labels).size.parameters)
    assert memorizer(points, labels).provenance == network.provenance


@pytest.mark.slow
def test_ten_thousand_points():
    points, labels = problem(10_000, 64, 1)
    network = memorizer(points, labels)
    assert network.size.parameters == 3106 <= 6690 + 64 + 1
    assert right(network.exact(points), labels)


def test_53_bits_make_floats():
    points, labels = problem(300, 8, 1)
    network = memorizer(points, labels, bits=53)
    assert network(points).flatten().tolist() == labels.tolist()
    assert memorizer(points, labels, bits=8).size.parameters > network.size.parameters
    long = memorizer(*problem(3000, 8, 1))
    with pytest.raises(ValueError, match="which float64 does not hold: evaluate exactly"):
        long(points)


@pytest.mark.parametrize("bits", [None, 53])
def test_files_keep_it_and_graphs_refuse_what_is_long(tmp_path, bits):
    points, labels = problem(900, 8, 3)
    network = memorizer(points, labels, bits=bits)
    network.save(tmp_path / "f.safetensors")
    read = load(tmp_path / "f.safetensors")
    assert explain(read) == explain(network)
    assert read.exact(points).tolist() == network.exact(points).tolist()
    if bits is None:
        with pytest.raises(ValueError, match="float64 does not hold"):
            write_onnx(network, tmp_path / "f.onnx", dtype="float64")
        return
    write_onnx(network, tmp_path / "f.onnx", dtype="float64")
    again = load(tmp_path / "f.onnx")
    assert again.exact(points).tolist() == network.exact(points).tolist()


# -- the parts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_folds_give_back_what_is_encoded(seed):
    rng = np.random.default_rng(seed)
    slots, key_bits, label_bits = (int(v) for v in rng.integers([1, 1, 0], [6, 9, 4]))
    stored = int(rng.integers(1, slots + 1))
    keys = [
        (int(rng.integers(2**key_bits)), int(rng.integers(2**label_bits))) for _ in range(stored)
    ]
    value = Fraction(encoded(keys, slots, key_bits, label_bits), 2)
    size = slots * (key_bits + label_bits)
    for key, label in [*keys, *[keys[-1]] * (slots - stored)]:
        for bits, wanted in ((label_bits, label), (key_bits, key)):
            if bits:
                assert value // 2 ** (size - bits) == wanted
            for _ in range(bits):
                size -= 1
                value = min(value, 2 ** (size + 1) - value)
    assert value == Fraction(1, 2)


def test_folding_is_the_distance_from_a_lattice():
    places = np.arange(1, 2**7, 2)
    for folds in range(1, 6):
        found = folded(places, 2, 6, folds)
        step = 2 * 2 ** (6 - folds + 1)
        assert found.tolist() == [min(p % step, step - p % step) for p in places.tolist()]


@pytest.mark.parametrize("seed", range(10))
def test_groups_tell_labels_apart(seed):
    rng = np.random.default_rng(seed)
    places = np.unique(rng.integers(0, 5000, 200)) * 2 + 1
    line = Line(places, rng.integers(0, 2, len(places)), 0, 2, windowed=False)
    for slots, key_bits in ((2, 4), (5, 6), (9, 8)):
        found = grouped(line, slots, key_bits)
        assert found is not None
        keys = (folded(places, 2, key_bits + found.folds, found.folds) - 1) // 2
        cuts = np.searchsorted(places, [s + 1 for s in found.starts])
        parts = np.split(np.arange(len(places)), cuts)
        assert len(parts) == len(found.groups)
        for part, stored in zip(parts, found.groups, strict=True):
            assert len(stored) <= slots
            known = dict(stored)
            assert [known.get(keys[i], 0) for i in part] == line.labels[part].tolist()


def test_the_least_gap_is_that_of_neighbours():
    rng = np.random.default_rng(0)
    for _ in range(50):
        places, kinds = rng.integers(0, 100, 12), rng.integers(0, 3, 12)
        pairs = itertools.combinations(range(12), 2)
        gaps = [abs(int(places[i] - places[j])) for i, j in pairs if kinds[i] != kinds[j]]
        if len(set(kinds.tolist())) > 1:
            assert least_gap(places, kinds) == min(gaps)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"labels": [1, 1, 1]}, "labels must hold at least two different ones"),
        ({"points": [[0.5], [0.5], [1.0]]}, "labels of equal points must agree"),
        ({"bits": 4}, "bits must be an integer >= 8, or None, got 4"),
        ({"points": [[0.5], [np.nan], [1.0]]}, "points must be finite"),
    ],
)
def test_bad_input_is_refused(change, match):
    given = {"points": [[0.0], [0.5], [1.0]], "labels": [1, -1, 1]}
    with pytest.raises(ValueError, match=match):
        memorizer(**given | change)
    with pytest.raises(TypeError, match="ball must be a Ball"):
        memorizer(**given, ball=0.1)
