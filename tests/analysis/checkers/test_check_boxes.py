"""Proofs by input splitting: bounds against exact values, and files that must be rejected."""

import copy
import itertools
import json
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from analysis import decide
from analysis.checkers import check_certificate as checker
from analysis.checkers.check_boxes import ONE, zonotope
from analysis.search.prepared import prepare
from analysis.splitting.zonotopes import zonotopes
from constructions import Property, ReLUNetwork

SCRIPT = Path(checker.__file__)
BITS = 8


def random_network(seed, widths, scale=8):
    generator = np.random.default_rng(seed)
    layers = [
        (generator.integers(-scale, scale + 1, (b, a)) / 4.0, generator.integers(-4, 5, b) / 4.0)
        for a, b in itertools.pairwise(widths)
    ]
    return ReLUNetwork.from_layers(layers)


@pytest.mark.parametrize("seed", range(40))
def test_zonotopes_hold_all_values_and_floats_agree(seed):
    generator = random.Random(seed)
    widths = [generator.randint(1, 3), *generator.choices([1, 3, 6], k=generator.randint(0, 3)), 3]
    network = random_network(seed, widths)
    exact = prepare(network).exact
    lower = [generator.randint(-(2**BITS), 2**BITS) for _ in range(widths[0])]
    upper = [v + generator.choice([0, 1, 40, 2**BITS]) for v in lower]
    g = 40
    lower, upper = ([v << g - BITS for v in side] for side in (lower, upper))
    forms, lost = zonotope(exact, g, lower, upper)
    reach = [(f[0], lost + sum(map(abs, f[1:]))) for f in forms]
    for _ in range(20):
        share = [Fraction(generator.randint(0, 16), 16) for _ in lower]
        point = [
            Fraction(a, 2**g) + t * Fraction(b - a, 2**g)
            for a, b, t in zip(lower, upper, share, strict=True)
        ]
        values = network.exact(point)
        for value, (centre, radius) in zip(values, reach, strict=True):
            assert abs(value * 2 ** (g + 1) - centre) <= radius
    low, high = (np.array([[v / 2**g for v in side]]) for side in (lower, upper))
    floats = zonotopes(prepare(network).arrays, low, high)
    found = floats.centre[0], np.abs(floats.noises[0]).sum(axis=0)
    for k, (centre, radius) in enumerate(reach):
        assert found[0][k] == pytest.approx(centre / 2 ** (g + 1), abs=1e-6)
        assert found[1][k] == pytest.approx(radius / 2 ** (g + 1), abs=1e-6)
    assert ONE == 2**16


def test_a_certificate_of_boxes_is_accepted_and_its_mutations_are_not(tmp_path):
    generator = np.random.default_rng(0)
    network = ReLUNetwork.from_layers(
        [
            (generator.normal(size=(b, a)), generator.normal(size=b))
            for a, b in itertools.pairwise([2, 16, 16, 2])
        ]
    )
    grid = [[x, y] for x in np.linspace(-1, 1, 65) for y in np.linspace(-1, 1, 65)]
    top = float(network(grid).min(dim=1).values.max()) + 0.25
    rows, offsets = [[1.0, 0.0], [0.0, 1.0]], [-top, -top]
    decision = decide(network, Property(box=([-1.0, -1.0], [1.0, 1.0]), unsafe=[(rows, offsets)]))
    assert decision.result == "unsat"
    path = tmp_path / "c.json"
    path.write_text(json.dumps(decision.certificate))
    done = subprocess.run([sys.executable, SCRIPT, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "boxes" in decision.certificate["parts"][0]["queries"][0]
    assert "against one output of each of [[1, 2]]" in done.stdout
    rejected = 0
    for mutate in (
        lambda q: q.update(bound=str(Fraction(q["bound"]) * 2)),
        lambda q: q.update(groups=[]),
        lambda q: q.update(groups=[[1, 2], [2]]),
        lambda q: q.update(groups=[[1]]),
        lambda q: q.update(groups=[[0, 1]]),
        lambda q: q.update(groups=[[1, 1]]),
        lambda q: q.update(groups=[[1, 7]]),
        lambda q: q.update(label=1),
        lambda q: q.update(lower=[v - (1 << q["scale"]) * 100 for v in q["lower"]]),
        lambda q: q.update(facts=[]),
        lambda q: leaf(q).update(mix=[[0, 0]]),
        lambda q: leaf(q).update(mix=[[-1, 2]]),
        lambda q: leaf(q).update(mix=[[1]]),
        lambda q: leaf(q).update(mix=[[1.5, 1]]),
        lambda q: leaf(q).update(more=1),
        lambda q: leaf(q).pop("mix"),
        lambda q: q.pop("groups"),
    ):
        content = copy.deepcopy(decision.certificate)
        mutate(content["parts"][0]["queries"][0])
        ((reason, _),) = checker.judge(content)
        assert reason
        rejected += 1
    assert rejected == 17


def leaf(query):
    node = query["boxes"]
    while "input" in node:
        node = node["below"]
    return node


def test_groups_are_of_properties_only():
    query = {"groups": [[1]], "label": 0, "verdict": "proved", "scale": 0, "lower": [0, 0]}
    query |= {"upper": [1, 1], "bound": "1", "boxes": {"mix": [[1]]}}
    exact = prepare(random_network(0, [2, 2, 2])).exact
    assert "entries are not" in checker.check(exact, query)
    assert "entries are not" not in checker.check(exact, query, " groups")


@pytest.mark.parametrize(
    ("split", "reason"),
    [
        ({"input": 0, "at": 5, "below": {}, "above": {}}, "a split is outside"),
        ({"input": 2, "at": 1, "below": {}, "above": {}}, "a split is outside"),
        ({"input": 0, "at": 1, "below": {}}, "a split must have"),
        ({"input": True, "at": 1, "below": {}, "above": {}}, "a split is outside"),
        ({"input": 0, "at": 0.5, "below": {}, "above": {}}, "a split is outside"),
        ({"leaf": 1}, "a leaf has entries"),
    ],
)
def test_wrong_trees(split, reason):
    network = ReLUNetwork.from_layers([(np.ones((1, 2)), np.ones(1))])
    query = {"label": 1, "verdict": "proved", "scale": 20, "lower": [0, 0], "upper": [2, 2]}
    exact = prepare(network).exact
    assert not checker.check(exact, {**query, "bound": "1/2", "boxes": {}})
    assert reason in checker.check(exact, {**query, "bound": "1/2", "boxes": split})


def test_zonotopes_of_too_many_numbers_are_refused():
    """All of 2,000 units change sign, and every number has 1,100 bits."""
    wide, g = 2000, 1100
    layers = [
        {"rows": [[[0], [1.0]]] * wide, "bias": [-0.5] * wide},
        {"rows": [[[0], [1.0]]], "bias": [1.0]},
    ]
    exact = checker.Network({"inputs": 1, "layers": layers})
    query = {"label": 1, "verdict": "proved", "scale": g, "lower": [0], "upper": [2**g]}
    assert "too large" in checker.check(exact, {**query, "bound": "1/2", "boxes": {}})
