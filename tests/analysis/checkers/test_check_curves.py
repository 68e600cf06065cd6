"""Units that read one input, taken exactly: curves against exact values, bounds against points of
balls, and files that must be rejected.
"""

import copy
import itertools
import json
import random
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import torch

from analysis import certify
from analysis.checkers import check_certificate as checker
from analysis.checkers.check_curves import Curves
from analysis.checkers.check_trees import Part
from analysis.search.prepared import prepare
from constructions import Ball, ReLUNetwork, f_S, separation

G = 64


def plain(network):
    """The same weights as dense layers, without provenance."""
    return ReLUNetwork.from_layers(
        [(a.weight.to_dense(), a.bias.to_dense()[:, 0]) for a in network.layers]
    )


def chains(generator, inputs):
    """Three units of each input in each of two layers, then two sums of all; weights in eighths,
    so that kinks lie at all kinds of rationals.
    """

    def numbers(*shape):
        return generator.choice([-1, 1], shape) * generator.integers(1, 13, shape) / 8.0

    first = np.kron(np.eye(inputs), np.ones((3, 1))) * numbers(3 * inputs, 1)
    second = np.kron(np.eye(inputs), np.ones((3, 3))) * numbers(3 * inputs, 3 * inputs)
    widths = 3 * inputs, 3 * inputs, 2, 1
    weights = first, second, numbers(2, 3 * inputs), numbers(1, 2)
    biases = [numbers(n) for n in widths]
    return ReLUNetwork.from_layers(list(zip(weights, biases, strict=True)))


def hidden(network, point):
    """z of hidden units at a rational point, a list for each layer."""
    out, values = [], [Fraction(v) for v in point]
    for layer in network.layers[:-1]:
        weight, bias = layer.weight.to_dense().tolist(), layer.bias.to_dense()[:, 0].tolist()
        z = [
            sum((Fraction(w) * v for w, v in zip(row, values, strict=True)), Fraction(b))
            for row, b in zip(weight, bias, strict=True)
        ]
        out.append(z)
        values = [max(v, Fraction(0)) for v in z]
    return out


def ball_query(generator, inputs):
    """A ball in a box that cuts it."""
    centre = [int(v) << G - 4 for v in generator.integers(0, 17, inputs)]
    radius = int(generator.integers(1, 17)) << G - 4
    lower = [max(c - radius, 0) for c in centre]
    upper = [min(c + radius, 1 << G) for c in centre]
    ball = {"centre": centre, "radius": radius}
    return {"scale": G, "lower": lower, "upper": upper, "ball": ball, "pairs": [], "facts": []}


def points_of(query, rng, count):
    """Rational points of a query's set, some on the sphere's rim as nearly as in floats."""
    centre, radius = query["ball"]["centre"], query["ball"]["radius"]
    out = []
    while len(out) < count:
        away = [rng.gauss(0, 1) for _ in centre]
        length = sum(v * v for v in away) ** 0.5
        share = rng.choice([0.999999, 0.9, rng.random()])
        x = [c + int(share * radius * v / length) for c, v in zip(centre, away, strict=True)]
        x = [min(max(v, a), b) for v, a, b in zip(x, query["lower"], query["upper"], strict=True)]
        assert sum((v - c) ** 2 for v, c in zip(x, centre, strict=True)) <= radius**2
        out.append(x)
    return out


@pytest.mark.parametrize("seed", range(12))
def test_curves_are_the_units_and_bounds_hold_on_the_ball(seed):
    generator, rng = np.random.default_rng(seed), random.Random(seed)
    network = chains(generator, inputs := 1 + seed % 3)
    exact, query = prepare(network).exact, ball_query(generator, inputs)
    curves = Curves(exact, G, (query["lower"], query["upper"]), query["ball"])
    assert curves.reads[3] == ([0, 0] if inputs == 1 else [None, None])
    part, bounds, least = Part(exact, query), {}, {}
    for sign, weight in itertools.product((1, -1), (0, 1 << 8, 1 << 10, 1 << 12)):
        bounds[sign, weight] = part.bound(2, {exact.starts[2]: sign}, [10, [], [], weight])
    for x in points_of(query, rng, 40):
        z = hidden(network, [Fraction(v, 1 << G) for v in x])
        for layer, k in itertools.product((0, 1), range(3 * inputs)):
            curve = curves.curve(layer, k)
            at = x[curves.reads[layer + 1][k]]
            (a, u), (b, v) = next(p for p in itertools.pairwise(curve) if p[0][0] <= at <= p[1][0])
            value = u + (Fraction(v - u) * (at - a) / (b - a) if b > a else 0)
            assert value == max(z[layer][k], 0) * (1 << G + curves.scales[layer + 1])
        for (sign, weight), bound in bounds.items():
            assert bound <= sign * z[2][0] * (1 << G)
            least[sign, weight] = min(least.get((sign, weight), bound), bound)
    assert least == bounds


@cache
def proof():
    """A plain f_S in l_2, and a query about it that rests on the ball's weights."""
    generator = np.random.default_rng(3)
    points = torch.from_numpy(generator.random((6, 8)))
    labels = torch.arange(6) % 2 * 2 - 1
    torch.manual_seed(0)
    clean = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    ball = Ball(2, 0.24 * separation(points, labels, norm=2).lower)
    network = plain(f_S(clean, points, labels, ball))
    wrong = next(i for i in range(6) if network(points[i]).item() * clean(points[i].float()) < 0)
    found = certify(network, points[wrong], ball, int(labels[wrong]), max_seconds=20)
    assert (found.verdict, found.leaves, found.bound) == ("proved", 1, 1)
    return prepare(network).exact, found.query


def weighted(query):
    return [fact[2] for fact in query["facts"] if len(fact[2]) == 4]


def test_a_plain_classifier_in_l2_is_proved_at_once():
    network, query = proof()
    assert checker.check(network, query) == ""
    assert any(multipliers[3] > 0 for multipliers in weighted(query))


@pytest.mark.parametrize("limit", [0, 2**30])
def test_squared_distances_are_bounded_in_all_variants(monkeypatch, limit):
    """With or without linear programs about their squares."""
    monkeypatch.setattr("analysis.search.prepared.LARGE", limit)
    points = torch.from_numpy(np.random.default_rng(1).random((4, 5)))
    labels = torch.tensor([1, -1, 1, -1])
    ball = Ball(2, 0.24 * separation(points, labels, norm=2).lower)
    network = plain(f_S(torch.nn.Linear(5, 1), points, labels, ball, variant="gate"))
    for point, label in zip(points, labels.tolist(), strict=True):
        found = certify(network, point, Ball(2, 1.2 * ball.radius), label, max_seconds=20)
        assert found.verdict == "proved"
        assert checker.check(prepare(network).exact, found.query) == ""
    far = certify(network, points[0], Ball(2, 4 * ball.radius), 1, max_seconds=20)
    assert far.verdict == "refuted"


def lighter(query):
    for multipliers in weighted(query):
        multipliers[3] = 0


def heavier(query):
    for multipliers in weighted(query):
        multipliers[3] *= 16


def larger_ball(query):
    query["ball"]["radius"] = query["ball"]["radius"] * 3 // 2
    for side, sign in (("lower", -1), ("upper", 1)):
        query[side] = [
            min(max(c + sign * query["ball"]["radius"], 0), 1 << query["scale"])
            for c in query["ball"]["centre"]
        ]


def without_weights(query):
    for multipliers in weighted(query):
        multipliers.pop()


def without_facts(query):
    query["facts"] = []


def replaced(value):
    def change(query):
        for multipliers in weighted(query):
            multipliers[3] = value(multipliers[3])

    return change


WRONG = {
    "lighter": lighter,
    "heavier": heavier,
    "a larger ball": larger_ball,
    "no weights": without_weights,
    "no facts": without_facts,
    "no ball": lambda query: query.pop("ball"),
    "weights below 0": replaced(lambda weight: -weight),
    "floats": replaced(float),
    "truths": replaced(bool),
    "texts": replaced(str),
    "a list": replaced(lambda weight: [weight]),
    "one more entry": lambda query: [v.append(0) for v in weighted(query)],
}


@pytest.mark.parametrize("name", WRONG)
def test_proofs_with_other_weights_are_rejected(name):
    network, query = proof()
    changed = copy.deepcopy(query)
    WRONG[name](changed)
    assert checker.check(network, changed)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 6])
def test_multipliers_of_a_wrong_length_are_rejected_in_words(count):
    network, query = proof()
    words = "ValueError: multipliers must have three entries, or for the weight of a ball four"
    changed = copy.deepcopy(query)
    for fact in changed["facts"]:
        if len(fact[2]) == 4:
            fact[2] = [*fact[2], 0, 0][:count]
    assert checker.check(network, changed) == words
    leaf = copy.deepcopy(query)
    leaf["trees"][0]["leaf"] = [0, [], [], 0, 0, 0][:count]
    assert checker.check(network, leaf) == words


def test_genuine_proofs_need_little_of_what_sums_may_take():
    network, query = proof()
    part = Part(network, query)
    (curves,) = part.exact
    weights = sum(len(row) for rows, _, _ in network.layers for row in rows)
    most = (1 << 19) + (weights << 7)
    assert 0 < most - curves.left < most / 100


def tents(depth, width, layers, count, weight=1):
    """Few bytes that ask for many values: tents of tents of one input, sums of them with units of
    another input, and as many facts about one of these.
    """
    tent = [[[0, 1], [2, -4]]] * 2
    rows = [([[[0], [1]]] * 2, [0, -0.5]), *[(tent, [0, -0.5])] * depth]
    below = [2, *[width] * layers]
    rows += [([[[*range(n)], [weight] * n]] * width, [0] * width) for n in below[:-1]]
    data = [
        {"rows": [*own, [[len(rows[i - 1][0]) if i else 1], [1]]], "bias": [*bias, 0]}
        for i, (own, bias) in enumerate(rows)
    ]
    unit = sum(len(layer["bias"]) for layer in data)
    data.append({"rows": [[[*range(width + 1)], [1] * (width + 1)]], "bias": [1]})
    network = {"inputs": 2, "layers": [*data, {"rows": [[[0], [1]]], "bias": [1]}]}
    query = {
        **{"label": 1, "verdict": "proved", "scale": 4, "lower": [0, 0], "upper": [16, 16]},
        **{"bound": "1/2", "pairs": [], "facts": [[unit, 1, [0, [], [], 0]]] * count},
        "trees": [{"leaf": [0, [], []], "goal": True}],
    }
    head = {"format": checker.FORMAT, "network": network, "digest": checker.digest(network)}
    return head | {"queries": [query]}


@pytest.mark.parametrize(
    "sizes", [(10, 6, 6, 20), (10, 8, 4, 60), (10, 4, 4, 60), (9, 4, 2, 20, 1e-300)]
)
def test_sums_that_take_too_long_are_refused(sizes):
    """4 kB would take many seconds; few facts about shallower units are accepted."""
    content = tents(*sizes)
    assert len(json.dumps(content)) < 5000
    ((reason, _),) = checker.judge(content)
    assert reason.startswith("ValueError: functions of one input have too many pieces, or sums")
    ((reason, what),) = checker.judge(tents(6, *sizes[1:3], 2))
    assert reason == ""
    assert what.startswith("proved")


def test_random_changes_of_multipliers_never_prove_more_than_holds():
    """What a changed proof still gives is a lower bound: no more than the least margin seen."""
    network, query = proof()
    rng, seen = random.Random(0), 0
    points = [[Fraction(v, 1 << query["scale"]) for v in x] for x in points_of(query, rng, 30)]
    least = min(network.evaluate(points, query["label"])[0])
    for _ in range(12):
        changed = copy.deepcopy(query)
        multipliers = rng.choice(weighted(changed))
        where = rng.choice([multipliers[2] or multipliers, multipliers])
        at = rng.randrange(len(where)) if where is multipliers[2] else 3
        where[at] = rng.choice([0, 2 * where[at], where[at] + (1 << 40), where[at] // 2])
        try:
            found = checker.least_margin(network, changed)
        except (ValueError, IndexError):
            continue
        assert found <= least
        seen += 1
    assert seen > 2
