"""Complete decision of margins: against exact enumeration, known answers, and ties."""

import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from oracles import evaluate
from plain_networks import cgro, ladder

import analysis.certification.boundary
from analysis import (
    boundary_distance,
    certificate_of,
    certified_margins,
    certify,
    certify_box,
    sup_error,
)
from analysis.checkers import check_certificate as checker
from analysis.checkers import check_trees
from constructions import (
    Ball,
    Origin,
    Property,
    ReLUNetwork,
    affine,
    f_S,
    interval_bounds,
    linear_regions,
    multiplication,
    squaring,
)
from constructions.graphs.origin import Errors
from constructions.linear.matrix import column, zeros

UNIT = (0.0, 1.0)


def random_network(rng, sizes, degenerate=False):
    """Random weights of random scales; degenerate: also zero, repeated and opposite rows, and
    dyadic entries.
    """
    layers = []
    for before, after in itertools.pairwise(sizes):
        weight = rng.standard_normal((after, before)) * 2.0 ** rng.integers(-3, 4)
        bias = rng.standard_normal(after) / 2
        if degenerate:
            weight, bias = np.round(weight * 4) / 4, np.round(bias * 4) / 4
            for i in range(1, after):
                kind = rng.integers(5)
                if kind < 2:
                    weight[i], bias[i] = ((1, -1)[kind] * v[i - 1] for v in (weight, bias))
                elif kind == 2:
                    weight[i] = 0.0
        layers.append((weight, bias))
    return ReLUNetwork.from_layers(layers)


def exact_margin(network, point, label):
    return margin_of(evaluate(network, point), label)


def margin_of(values, label):
    if len(values) == 1:
        return label * values[0]
    return values[label] - max(v for k, v in enumerate(values) if k != label)


def least_margin(network, box, label):
    """The exact minimum over a box of one or two inputs, at the vertices of all cells."""
    vertices = linear_regions(network, box, arithmetic="integers").vertices
    return min(exact_margin(network, vertex, label) for vertex in vertices)


def accepted(result):
    """The certificate's reading after it went through text."""
    content = json.loads(json.dumps(result.certificate))
    return [
        checker.check(checker.Network(content["network"]), query) for query in content["queries"]
    ] == [""]


# -- against enumeration ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_verdicts_on_random_networks_are_those_of_enumeration(seed):
    rng = np.random.default_rng(seed)
    inputs, classes = int(rng.integers(1, 3)), int(rng.choice([1, 3])) if seed % 2 else 1
    sizes = [inputs, *rng.integers(1, 7, size=rng.integers(0, 4)), classes]
    network = random_network(rng, sizes, degenerate=seed % 3 == 0)
    low = np.round(rng.random(inputs) * 8) / 16
    box = (low, low + np.round(1 + rng.random(inputs) * 7) / 16)
    label = int(rng.integers(classes)) if classes > 1 else int(rng.choice([-1, 1]))
    least = (
        least_margin(network, box, label)
        if classes == 1
        else min(
            exact_margin(network, vertex, label)
            for k in range(classes)
            if k != label
            for vertex in linear_regions(
                rival(network, label, k), box, arithmetic="integers"
            ).vertices
        )
    )
    result = certify_box(network, box, label)
    assert result.verdict == ("proved" if least > 0 else "refuted")
    assert accepted(result)
    if least > 0:
        assert 0 < result.bound <= least
    else:
        assert all(a <= x <= b for a, x, b in zip(box[0], result.witness, box[1], strict=True))
        assert result.margin == exact_margin(network, result.witness, label) <= 0


def rival(network, label, k):
    """The network x -> f_label - f_k, whose cells are those of the network."""
    *hidden, (weight, bias) = [
        (a.weight.to_dense(), a.bias.to_dense()[:, 0]) for a in network.layers
    ]
    return ReLUNetwork.from_layers(
        [*hidden, ((weight[label] - weight[k])[None], (bias[label] - bias[k])[None])]
    )


@pytest.mark.parametrize("seed", range(12))
def test_float_bounds_are_below_exact_values(seed):
    check_bounds(range(seed * 25, seed * 25 + 25))


@pytest.mark.slow
def test_float_bounds_are_below_exact_values_on_ten_thousand_networks():
    check_bounds(range(10_000))


def check_bounds(seeds):
    """Float bounds <= certified bound in rationals <= exact values at random points and corners of
    the ball.
    """
    for seed in seeds:
        rng = np.random.default_rng([seed, 7])
        inputs, classes = int(rng.integers(1, 5)), int(rng.choice([1, 1, 3]))
        network = random_network(
            rng, [inputs, *rng.integers(1, 9, size=rng.integers(0, 4)), classes], seed % 2 == 0
        )
        centre, radius = rng.random(inputs), float(rng.choice([0.0, 0.01, 0.1, 0.4]))
        label = int(rng.integers(classes)) if classes > 1 else int(rng.choice([-1, 1]))
        bound = certified_margins(
            network, torch.tensor(centre[None]), torch.tensor([label]), Ball("inf", radius)
        ).item()
        lower, upper = np.maximum(centre - radius, 0), np.minimum(centre + radius, 1)
        low, high = (
            side[0].tolist() for side in interval_bounds(network, (lower[None], upper[None]))
        )
        query = {
            "scale": 80,
            "lower": [int(Fraction(v) * 2**80) for v in lower],
            "upper": [int(Fraction(v) * 2**80) for v in upper],
        }
        read = checker.Network(certificate_network(network))
        part = check_trees.Part(read, query | {"pairs": [], "facts": []})
        exact = [
            Fraction(part.bound(len(read.layers) - 1, {read.units + k: 1}), 2**80)
            for k in range(classes)
        ]
        points = lower + (upper - lower) * rng.integers(0, 17, size=(6, inputs)) / 16
        for point in np.clip([*points, lower, upper], lower, upper):
            values = evaluate(network, point)
            assert all(
                a <= b <= v <= c for a, b, v, c in zip(low, exact, values, high, strict=True)
            )
            assert bound <= margin_of(values, label)


def certificate_network(network):
    dense = [
        (a.weight.to_dense().tolist(), a.bias.to_dense()[:, 0].tolist()) for a in network.layers
    ]
    layers = [
        {"rows": [[list(range(len(row))), row] for row in weight], "bias": bias}
        for weight, bias in dense
    ]
    return {"inputs": network.inputs, "layers": layers}


# -- networks with known answers -------------------------------------------------------------------


def check_ladder(m):
    """f_m - f_(m+1) against thresholds at 10%, at 2^-20 and at equality, from both sides."""
    top = 4.0 ** -(m + 1)
    steps = [
        (0.9, "refuted"),
        (1.1, "proved"),
        (1 - 2.0**-20, "refuted"),
        (1 + 2.0**-20, "proved"),
        (1.0, "refuted"),
    ]
    queries = [(1, factor * top, verdict) for factor, verdict in steps]
    queries += [
        (-1, 0.1 * top, "refuted"),
        (-1, -0.1 * top, "proved"),
        (-1, 2.0**-20 * top, "refuted"),
    ]
    queries += [(-1, -(2.0**-20) * top, "proved"), (-1, 0.0, "refuted")]
    for sign, threshold, verdict in queries:
        network = ReLUNetwork.from_layers(ladder(m, sign, threshold))
        result = certify(network, [0.5], Ball("inf", 0.5), -1)
        assert (m, sign, threshold, result.verdict) == (m, sign, threshold, verdict)
        if verdict == "proved":
            distance = threshold - top if sign > 0 else -threshold
            assert result.bound == Fraction(distance)
        else:
            assert exact_margin(network, result.witness, -1) == result.margin <= 0


@pytest.mark.parametrize("m", range(1, 10))
def test_ladder_with_its_ties(m):
    check_ladder(m)


@pytest.mark.slow
@pytest.mark.parametrize("m", [*range(10, 14), 16])
def test_deep_ladder_with_its_ties(m):
    check_ladder(m)


@pytest.mark.parametrize(("dimension", "count"), [(2, 4), (5, 10)])
def test_balls_of_plain_cgro_networks_are_proved(dimension, count):
    layers, centres, labels, radius = cgro(dimension, count)
    network = ReLUNetwork.from_layers(layers)
    for centre, label in zip(centres, labels.tolist(), strict=True):
        result = certify(network, centre, Ball("inf", radius), label)
        assert (result.verdict, result.reason) == ("proved", "")
        assert result.bound > Fraction(1, 2)
        assert accepted(result)
        flipped = certify(network, centre, Ball("inf", radius), -label)
        assert flipped.verdict == "refuted"


@pytest.mark.slow
def test_a_plain_cgro_network_of_5238_units_is_proved():
    layers, centres, labels, radius = cgro(64, 20)
    network = ReLUNetwork.from_layers(layers)
    assert network.size.units == 5238
    result = certify(network, centres[0], Ball("inf", radius), int(labels[0]))
    assert (result.verdict, accepted(result)) == ("proved", True)
    assert result.bound > 0.99


@pytest.mark.parametrize("variant", ["gate", "lean"])
def test_built_memorizers_are_decided_from_their_weights_alone(variant):
    rng = np.random.default_rng(3)
    points, labels = np.round(rng.random((6, 3)) * 64) / 64, np.array([1, -1, 1, 1, -1, -1])
    clean = random_network(rng, [3, 5, 1])
    built = f_S(clean, points, labels, Ball("inf", 2.0**-6), variant=variant)
    plain = ReLUNetwork.from_layers(
        [(a.weight.to_dense(), a.bias.to_dense()[:, 0]) for a in built.layers]
    )
    for point, label in zip(points, labels.tolist(), strict=True):
        assert certify(plain, point, Ball("inf", 2.0**-6), label).verdict == "proved"


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))]
)
def test_relaxed_pairs_and_splits_prove_what_enumeration_proves(seed):
    layers, centres, _, radius = cgro(2, 4, seed)
    network = ReLUNetwork.from_layers(layers)
    rng = np.random.default_rng(seed)
    for _ in range(2):
        centre = np.round((centres[rng.integers(4)] + rng.standard_normal(2) * radius) * 256) / 256
        lower, upper = np.clip(centre - 1 / 16, 0, 1), np.clip(centre + 1 / 16, 0, 1)
        label = 1 if evaluate(network, centre)[0] > 0 else -1
        least = min(label * v for v in exact_values(network, (lower, upper)))
        result = certify_box(network, (lower, upper), label)
        assert result.verdict == ("proved" if least > 0 else "refuted")
        if least > 0:
            assert result.bound <= least


def exact_values(network, box):
    return [
        evaluate(network, vertex)[0]
        for vertex in linear_regions(network, box, arithmetic="integers").vertices
    ]


# -- l_2 balls -------------------------------------------------------------------------------------


def test_l2_balls_of_a_linear_network_are_decided_on_both_sides():
    network = affine([[3.0, 4.0]], [-2.5])  # distance of (1/2, 1/2) to the zero set: 1/5
    assert certify(network, [0.5, 0.5], Ball(2, 0.2 - 1e-9), 1).verdict == "proved"
    result = certify(network, [0.5, 0.5], Ball(2, 0.2 + 1e-9), 1)
    assert result.verdict == "refuted"
    assert sum((x - Fraction(1, 2)) ** 2 for x in result.witness) <= Fraction(0.2 + 1e-9) ** 2


def test_l2_balls_cut_by_the_domain():
    network = affine([[1.0, 1.0]], [-0.125])
    # x_1 >= 0 matters: without it, 1/2 - 0.354 - 1/8
    assert certify(network, [0.0, 0.5], Ball(2, 0.25), 1).verdict == "proved"
    assert (
        certify(affine([[1.0, 1.0]], [-0.2]), [0.0, 0.5], Ball(2, 0.25), 1, domain=None).verdict
        == "refuted"
    )


@pytest.mark.parametrize("seed", range(10))
def test_l2_verdicts_agree_with_a_grid(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, [2, 6, 6, 1])
    centre, radius = rng.random(2) / 2 + 0.25, float(rng.choice([0.02, 0.1, 0.2]))
    label = 1 if network(centre).item() > 0 else -1
    result = certify(network, centre, Ball(2, radius), label)
    assert result.verdict != "unresolved"
    turns = np.linspace(0, 2 * math.pi, 200)
    rings = [
        centre + r * radius * np.stack([np.cos(turns), np.sin(turns)], 1)
        for r in np.linspace(0, 1, 40) * (1 - 1e-12)
    ]
    least = (label * network(np.concatenate(rings))).min().item()
    if result.verdict == "proved":
        assert float(result.bound) <= least + 1e-9
    else:
        # the grid comes near the counterexample
        assert least <= 0.05 * network(centre).abs().item() + 1e-6


# -- ties, bad input, limits -----------------------------------------------------------------------


def test_ties_are_refuted_at_exact_points():
    rows = [[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0]]
    # |3x - 1| + y - 1/2
    third = ReLUNetwork.from_layers([(rows, [-1.0, 1.0, 0.0]), ([[1.0, 1.0, 1.0]], [-0.5])])
    result = certify(third, [0.5, 0.75], Ball("inf", 0.25), 1)
    assert (result.verdict, result.margin, result.witness) == (
        "refuted",
        0,
        (Fraction(1, 3), Fraction(1, 2)),
    )
    assert certify(squaring(4), [0.5], Ball("inf", 0.5), 1).witness == (0,)
    two = affine([[1.0, 0.0], [0.0, 1.0]])
    assert certify(two, [0.75, 0.25], Ball("inf", 0.25), 0).margin == 0


@pytest.mark.parametrize(
    "arguments", [([0.5], Ball("inf", 0.1), 1), ([0.5, math.nan], Ball("inf", 0.1), 1)]
)
def test_wrong_centres_are_refused(arguments):
    with pytest.raises(ValueError, match="centre must"):
        certify(affine([[1.0, 1.0]]), *arguments)


def test_centres_and_domains_are_read_as_points_are():
    """The image (1, 0) is (1/255, 0); x_0 - x_1 is least at its ball's corner (1/255 - r, r)."""
    network, image = affine([[1.0, -1.0]]), torch.tensor([1, 0], dtype=torch.uint8)
    ball = Ball("inf", 0.001)
    for centre in (image, image.numpy(), [1 / 255, 0.0]):
        least = Fraction(1 / 255) - 2 * Fraction(0.001)
        assert least - Fraction(1, 10**9) <= certify(network, centre, ball, 1).bound <= least
        assert Property.robust(centre, ball, 0, 2).conjuncts[0].upper[0] < Fraction(1, 100)
        low, high = boundary_distance(network, centre, "inf")
        assert low <= Fraction(1 / 255) / 2 <= high
    third = Fraction(1, 3)
    for domain in ((0, third), [0, third]):
        assert certify(affine([[-1.0]], [0.5]), [0.25], Ball("inf", 1.0), 1, domain=domain).bound
    edge = affine([[-3.0]], [1.0])  # 0 at 1/3, which float64 does not hold
    assert certify(edge, [0.25], Ball("inf", 1.0), 1, domain=(0, third)).verdict != "proved"
    assert certify(edge, [0.25], Ball("inf", 1.0), 1, domain=(0, float(third))).verdict == "proved"
    with pytest.raises(ValueError, match="domain must hold numbers that float64 holds exactly"):
        boundary_distance(edge, [0.25], "inf", domain=(0, third))
    with pytest.raises(ValueError, match="centre must hold numbers that float64 holds exactly"):
        boundary_distance(edge, [third], "inf")
    for wrong, error in (((0.0, math.nan), ValueError), (0.5, ValueError), ("01", TypeError)):
        with pytest.raises(error, match="domain must be"):
            certify(edge, [0.25], ball, 1, domain=wrong)


def test_wrong_labels_sets_and_limits_are_refused():
    network = affine([[1.0, 1.0]])
    with pytest.raises(ValueError, match="labels must be -1"):
        certify(network, [0.5, 0.5], Ball("inf", 0.1), 0)
    with pytest.raises(ValueError, match="has no point in domain"):
        certify(network, [2.0, 0.5], Ball("inf", 0.1), 1)
    with pytest.raises(ValueError, match="has no point in domain"):
        certify(network, [1.25, 1.25], Ball(2, 0.3), 1)
    with pytest.raises(ValueError, match="box must have lower <= upper"):
        certify_box(network, ([0.5, 0.5], [0.4, 0.6]), 1)
    with pytest.raises(ValueError, match="max_seconds"):
        certify_box(network, ([0.5, 0.5], [0.6, 0.6]), 1, max_seconds=0)
    with pytest.raises(ValueError, match="domain must be"):
        certify(network, [0.5, 0.5], Ball("inf", 0.1), 1, domain=(1.0, 0.0))


def test_a_time_limit_gives_unresolved():
    rng = np.random.default_rng(0)
    while True:
        network, point = random_network(rng, [4, 16, 16, 1]), rng.random(4)
        label = 1 if network(point).item() > 0 else -1
        if certify(network, point, Ball("inf", 0.1), label).leaves > 1:  # proved in parts
            break
    result = certify(network, point, Ball("inf", 0.1), label, max_seconds=1e-9)
    assert (result.verdict, result.bound, result.query) == ("unresolved", None, None)
    assert "time limit" in result.reason
    with pytest.raises(ValueError, match="resolved"):
        result.save("never.json")


@pytest.mark.parametrize("seed", range(4))
def test_three_hidden_layers_are_decided(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, [6, 30, 30, 30, 1])
    point = rng.random(6)
    label = 1 if network(point).item() > 0 else -1
    result = certify(network, point, Ball("inf", 0.01), label)
    assert result.verdict in ("proved", "refuted")
    assert accepted(result)


def test_certificates_of_several_queries_are_joined(tmp_path):
    network = affine([[1.0, -1.0]])
    results = [certify(network, [0.75, 0.25], Ball("inf", r), 1) for r in (0.125, 0.25)]
    content = certificate_of(results)
    assert len(content["queries"]) == 2
    results[0].save(tmp_path / "one.json")
    assert checker.main(str(tmp_path / "one.json")) == 0


# -- distances -------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", ["inf", 2])
def test_distance_to_the_boundary_of_a_linear_network(p):
    weight = np.array([[3.0, -1.0, 0.5]])
    network = affine(weight, [-0.5])
    x = np.array([0.5, 0.5, 0.25])
    exact = abs(weight @ x - 0.5)[0] / np.linalg.norm(weight[0], ord=1 if p == "inf" else 2)
    lower, upper = boundary_distance(network, x, p, gap=1e-7)
    assert float(lower) - 1e-15 <= exact <= float(upper) + 1e-15
    assert upper - lower <= 1e-7


@pytest.mark.parametrize("seed", range(6))
def test_distance_to_the_boundary_of_random_networks(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, [2, 6, 6, 1 if seed % 2 else 3])
    x = np.round(rng.random(2) * 64) / 64
    lower, upper = boundary_distance(network, x, "inf", gap=1e-5)
    label = analysis.certification.boundary._predicted(network, x)
    assert lower == 0 or certify(network, x, Ball("inf", float(lower)), label).verdict == "proved"
    assert (
        math.isinf(upper)
        or certify(network, x, Ball("inf", float(upper) + 1e-12), label).verdict == "refuted"
    )
    assert math.isinf(upper) or upper - lower <= 1e-5


def test_points_on_the_wrong_side_have_distance_zero_and_constants_none():
    network = affine([[1.0, 0.0]], [-0.5])
    assert boundary_distance(network, [0.75, 0.5], "inf", label=-1) == (0, 0)
    assert boundary_distance(network, [0.5, 0.5], "inf") == (0, 0)
    lower, upper = boundary_distance(affine([[0.0, 0.0]], [1.0]), [0.5, 0.5], "inf")
    assert lower >= Fraction(1, 2)
    assert upper == math.inf
    with pytest.raises(ValueError, match="gap"):
        boundary_distance(network, [0.5, 0.5], "inf", gap=0)
    with pytest.raises(ValueError, match="centre must lie in domain"):
        boundary_distance(network, [1.5, 0.5], "inf")


@pytest.mark.parametrize("x", [0.25, 0.375, 0.5, 0.8125])
@pytest.mark.parametrize("radius", [0.0625, 0.125, 0.1875, 0.25])
def test_least_margin_is_nonnegative_exactly_where_the_boundary_is_not_nearer(x, radius):
    """Proposition 3.1 of the CGRM paper, ties included: a sawtooth through 1/2 has its boundary at
    the multiples of 1/8.
    """
    saw = ReLUNetwork.from_layers(
        [
            ([[4.0], [8.0], [8.0], [8.0]], [0.0, -2.0, -4.0, -6.0]),
            ([[1.0, -1.0, 1.0, -1.0]], [-0.5]),
        ]
    )
    saw = saw.restrict(UNIT)
    value = saw.exact([x])[0]
    if value == 0:
        return
    label = 1 if value > 0 else -1
    crossings = [Fraction(2 * k + 1, 8) for k in range(4)]
    distance = min(abs(Fraction(x) - c) for c in crossings)
    box = (max(0.0, x - radius), min(1.0, x + radius))
    found = sup_error(saw, 0, box)
    least = found.minimum if label > 0 else -found.maximum
    assert (least >= 0) == (distance >= radius)
    result = certify(saw, [x], Ball("inf", radius), label)
    assert result.verdict == ("proved" if least > 0 else "refuted")
    lower, upper = boundary_distance(saw, [x], "inf", gap=1e-9)
    assert lower <= distance <= upper


def test_multiplication_is_exactly_zero_on_the_axes():
    result = sup_error(multiplication(3, 1.0), "x1*x2", UNIT)
    assert 0 < result <= Fraction(1, 4**4)


@pytest.mark.parametrize("seed", range(6))
def test_balls_that_the_domain_cuts_are_decided_close_to_the_true_minimum(seed):
    """An affine network's least value on a ball within a box, from Lagrange multipliers on a fine
    grid: weak duality.
    """
    rng = np.random.default_rng(seed)
    w, centre = rng.normal(size=4).round(3), rng.random(4).round(3)
    ball = Ball(2, 0.6)
    weights = np.logspace(-3, 3, 4001)[:, None]
    x = np.clip(centre - w / (2 * weights), 0, 1)
    least = ((w * x).sum(1) + weights[:, 0] * (((x - centre) ** 2).sum(1) - ball.radius**2)).max()
    for sign in (1, -1):
        network = affine([w.tolist()], [-float(least) + sign * 1e-3])
        result = certify(network, centre, ball, 1)
        assert result.verdict == ("proved" if sign > 0 else "refuted")
        if sign > 0:
            assert 0.9e-3 < result.bound < 1.1e-3


def test_mistakes_of_the_program_are_no_verdicts(monkeypatch):
    """What floats and the solver raise leaves a query open; a TypeError is seen."""

    def raising(error):
        def broken(*question):
            raise error

        return broken

    net = affine([[1.0, -1.0]])
    query = net, [0.75, 0.25], Ball("inf", 0.125), 1
    monkeypatch.setattr("analysis.search.at_once.bound_layers", raising(TypeError("mistake")))
    with pytest.raises(TypeError, match="mistake"):
        certify(*query)
    monkeypatch.setattr("analysis.search.at_once.bound_layers", raising(ValueError("NaN")))
    for error in (
        ValueError("NaN"),
        OverflowError("inf"),
        RuntimeError("HiGHS"),
        MemoryError("big"),
    ):
        monkeypatch.setattr("analysis.branching.search.attack", raising(error))
        result = certify(*query)
        assert (result.verdict, result.reason) == ("unresolved", f"no proof: {error}")
    for error in (TypeError("mistake"), AttributeError("mistake"), KeyError("mistake")):
        monkeypatch.setattr("analysis.branching.search.attack", raising(error))
        with pytest.raises(type(error), match="mistake"):
            certify(*query)


@pytest.mark.parametrize("shift", [-1, 1])
def test_distances_to_the_boundary_hold_for_what_was_read(shift):
    """|x - 1/4| - 3/16, whose last bias may be 2^-10 off: the nearest error is 2^-10 away from that
    of the layers, on either side.
    """
    off = 2.0**-10
    network = ReLUNetwork.from_layers([([[1.0], [-1.0]], [-0.25, 0.25]), ([[1.0, 1.0]], [-0.1875])])
    errors = (None, Errors(zeros(1, 2), column([off])))
    origin = Origin("module", "0" * 64, 1, errors=errors, layers=network.layers)
    network = ReLUNetwork(network.layers, origin=origin)
    lower, upper = boundary_distance(network, [0.9], "inf", label=1, gap=1e-7, max_seconds=2.0)
    nearest = Fraction(0.9) - Fraction(7, 16) + shift * Fraction(off)
    assert lower <= nearest <= upper
    tied = boundary_distance(network, [0.4375], "inf")  # the layers say 0 there
    assert tied.lower == 0
    assert tied.upper >= off
