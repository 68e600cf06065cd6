"""The checker of certificates against mutated and malformed ones, and the search that writes them
against a lying solver.
"""

import ast
import copy
import hashlib
import itertools
import json
import random
import subprocess
import sys
import time
from fractions import Fraction
from functools import cache
from pathlib import Path
from unittest import mock

import highspy
import numpy as np
import pytest
from oracles import cells_of
from slow_proofs import SlowProof, contains, ends_of, forward, margin

from analysis.certification.decision import certify, certify_box
from analysis.checkers import check_certificate as checker
from analysis.search.relaxation import Relaxation, Solution, Status
from constructions import Ball, ReLUNetwork

SCRIPT = Path(checker.__file__).resolve()
STANDARD = {
    "bisect",
    "runpy",
    "copy",
    "decimal",
    "fractions",
    "functools",
    "gzip",
    "hashlib",
    "itertools",
    "json",
    "math",
    "operator",
    "pathlib",
    "re",
    "sys",
}


# -- an independent reading of certificates, in Fractions ------------------------------------------


def proof_fails(data, query):
    """Whether a proof, taken exactly, does not give the bound that is claimed. Any gap counts."""
    try:
        if "points" not in query:
            return SlowProof(data, query).bound() < Fraction(query["bound"])
        points = [Fraction(v) for v in query["points"]]
        (low,), (high,) = ends_of(query)
        signs = [forward(data, [x])[0] for x in points]
        affine = all(
            a * b >= 0
            for one, two in itertools.pairwise(signs)
            for a, b in zip(one, two, strict=True)
        )
        spans = (
            points[0] == low
            and points[-1] == high
            and all(a <= b for a, b in itertools.pairwise(points))
        )
        least = min(margin(data, query["label"], [x]) for x in points)
        return not (affine and spans and least >= Fraction(query["bound"]))
    except (KeyError, IndexError, ValueError, TypeError):
        return True


# -- certificates to start from --------------------------------------------------------------------


def draw(rng, widths, paired):
    """A dense network; paired: with |a| and max(a, b), so that its certificates have pairs."""
    layers = []
    for a, b in itertools.pairwise(widths):
        weight, bias = rng.integers(-8, 9, (b, a)) / 4, rng.integers(-8, 9, b) / 8
        if paired and b > 1 and b != widths[-1]:
            weight[1], bias[1] = -weight[0], -bias[0]
        if paired and layers:
            weight[:, 1] = weight[:, 0]
        layers.append((weight, bias))
    return layers


def vertices(network, query):
    """Points at which the margin is least on a box: those of all cells. For many inputs, corners
    and random ones.
    """
    lower, upper = ends_of(query)
    if len(lower) < 3:
        return sorted({v for cell in cells_of(network, lower, upper) for v in cell.vertices})
    rng = random.Random(0)
    inside = [
        [a + (b - a) * Fraction(rng.randint(0, 64), 64) for a, b in zip(lower, upper, strict=True)]
        for _ in range(60)
    ]
    return [*itertools.product(*zip(lower, upper, strict=True)), *map(tuple, inside)]


@cache
def proved():
    """(network's data, query, points of the set, where the margin is least first), many of them
    with branching.
    """
    shapes = [
        (1, 4, 3, 1),
        (1, 3, 3),
        (2, 6, 4, 1),
        (2, 5, 4, 2),
        (2, 4, 4, 3, 1),
        (2, 4, 3, 3),
        (2, 7, 1),
        (3, 5, 4, 1),
        (2, 1),
    ]
    out = []
    for seed, (widths, paired, _) in enumerate(itertools.product(shapes, (False, True), range(2))):
        rng, inputs, outputs = np.random.default_rng(seed), widths[0], widths[-1]
        layers, plain = (
            draw(rng, widths, paired),
            {"scale": 0, "lower": [-1] * inputs, "upper": [1] * inputs},
        )
        label = 1 if outputs == 1 else int(rng.integers(outputs))
        margins = {
            x: margin(plain_data(layers), label, x)
            for x in vertices(ReLUNetwork.from_layers(layers), plain)
        }
        lowest, highest = min(margins.values()), max(margins.values())
        if lowest == highest:
            continue
        layers[-1][1][label if outputs > 1 else 0] += float((highest - lowest) / 64 - lowest)
        few = 60 if seed % 4 == 3 else -1  # with so few open units, linear programs come first
        with mock.patch("analysis.branching.search.FEW", few):
            result = certify_box(
                ReLUNetwork.from_layers(layers), ([-1.0] * inputs, [1.0] * inputs), label
            )
        assert result.verdict == "proved" or inputs > 2, (seed, result.reason)
        if result.verdict == "proved":
            out.append(
                (
                    result.certificate["network"],
                    result.certificate["queries"][0],
                    sorted(margins, key=margins.get)[:24],
                )
            )
    assert sum(len(q.get("pairs", [])) for _, q, _ in out) > 20
    assert sum(len(q.get("facts", [])) for _, q, _ in out) > 20
    assert sum("targets" in q for _, q, _ in out) > 3
    assert sum("unit" in tree for _, q, _ in out for tree in q.get("trees", [])) > 10
    return out


def plain_data(layers):
    def rows(weight):
        return [[list(range(len(row))), row.tolist()] for row in weight]

    return {
        "inputs": layers[0][0].shape[1],
        "layers": [{"rows": rows(w), "bias": b.tolist()} for w, b in layers],
    }


@cache
def refuted():
    out = []
    for seed in range(8):
        rng = np.random.default_rng(100 + seed)
        layers = draw(rng, (1 + seed % 3, 4, 3, 1 + seed % 2), False)
        network, inputs = ReLUNetwork.from_layers(layers), 1 + seed % 3
        label = 0 if seed % 2 else 1
        layers[-1][1][0] -= 4
        network = ReLUNetwork.from_layers(layers)
        result = certify(
            network, [0.5] * inputs, Ball(2 if seed % 4 < 2 else "inf", 0.25), label, domain=None
        )
        if result.verdict == "refuted":
            out.append((result.certificate["network"], result.certificate["queries"][0], []))
    assert len(out) >= 4
    return out


def judge(data, query):
    """The checker's verdict, with the network read afresh; a network that it does not read is
    rejected, too.
    """
    try:
        network = checker.Network(data)
    except Exception as error:
        return str(error) or "unreadable"
    return checker.check(network, query)


@pytest.mark.parametrize("kind", [proved, refuted])
def test_certificates_from_the_search_are_accepted_and_right(kind):
    for data, query, points in kind():
        assert judge(data, query) == ""
        if query["verdict"] == "proved":
            assert not proof_fails(data, query)
            assert all(
                margin(data, query["label"], x) >= Fraction(query["bound"]) > 0 for x in points
            )
        else:
            point = [Fraction(v) for v in query["witness"]]
            assert contains(query, point)
            assert margin(data, query["label"], point) <= 0


def test_bounds_are_those_of_exact_arithmetic_up_to_rounding():
    for data, query, _ in proved():
        if "trees" in query:
            gap = SlowProof(data, query).bound() - checker.least_margin(
                checker.Network(data), query
            )
            assert 0 <= gap < Fraction(1, 2**40)


# -- mutations -------------------------------------------------------------------------------------


def nodes(query, key):
    stack, out = list(query["trees"]), []
    while stack:
        node = stack.pop()
        stack += [node[side] for side in ("on", "off") if side in node]
        out += [node] if key in node else []
    return out


def leaves(query):
    return nodes(query, "leaf")


def inner(query):
    return nodes(query, "unit")


def raise_bound(rng, data, query, points):
    least = margin(data, query["label"], points[0])
    query["bound"] = str(least + Fraction(1, 2 ** rng.randint(1, 60)) * max(1, abs(least)))


def enlarge_box(rng, data, query, points):
    unit, j = 2 ** query["scale"], rng.randrange(data["inputs"])
    by = rng.randint(1, 64) * unit // 8
    query["upper"][j] += by
    query["lower"][j] -= by * rng.randint(0, 1)
    points += vertices_of_box(query)


def vertices_of_box(query):
    lower, upper = ends_of(query)
    middle = [(a + b) / 2 for a, b in zip(lower, upper, strict=True)]
    return list(itertools.product(*zip(lower, middle, upper, strict=True)))


def change_weight(rng, data, query, points):
    row = rng.choice([row for layer in data["layers"] for row in layer["rows"] if row[1]])
    k = rng.randrange(len(row[1]))
    row[1][k] = rng.choice([-row[1][k], row[1][k] + rng.gauss(0, 2), 0.0])


def change_bias(rng, data, query, points):
    bias = rng.choice(data["layers"])["bias"]
    bias[rng.randrange(len(bias))] += rng.gauss(0, 2)


def flip_label(rng, data, query, points):
    outputs = len(data["layers"][-1]["bias"])
    query["label"] = (
        -query["label"]
        if outputs == 1
        else (query["label"] + rng.randint(1, outputs - 1)) % outputs
    )


def change_multiplier(rng, data, query, points):
    lists = [
        v
        for v in [leaf["leaf"] for leaf in leaves(query)] + [fact[2] for fact in query["facts"]]
        if v[2]
    ]
    chosen = rng.choice(lists)
    k = rng.randrange(len(chosen[2]))
    chosen[2][k] = rng.choice(
        [-chosen[2][k], 2 * chosen[2][k], 0, int(chosen[2][k] * (1 + rng.gauss(0, 0.5)))]
    )


def change_multipliers_scale(rng, data, query, points):
    leaf = rng.choice([leaf["leaf"] for leaf in leaves(query) if leaf["leaf"][2]])
    leaf[0] += rng.choice([-2, -1, 1, 2])


def drop_multipliers(rng, data, query, points):
    rng.choice([leaf for leaf in leaves(query) if leaf["leaf"][2]])["leaf"] = [0, [], []]


def drop_leaf(rng, data, query, points):
    node = rng.choice(inner(query))
    del node[rng.choice(["on", "off"])]


def prune(rng, data, query, points):
    """A part of the set is left out of a tree."""
    node = rng.choice(inner(query))
    chosen = node[rng.choice(["on", "off"])]
    node.clear()
    node.update(chosen)


def drop_tree(rng, data, query, points):
    query["trees"].pop(rng.randrange(len(query["trees"])))


def drop_fact(rng, data, query, points):
    query["facts"].pop(rng.randrange(len(query["facts"])))


def turn_fact(rng, data, query, points):
    rng.choice(query["facts"])[1] *= -1


def swap_branches(rng, data, query, points):
    node = rng.choice(inner(query))
    node["on"], node["off"] = node["off"], node["on"]


def change_unit(rng, data, query, points):
    units = sum(len(layer["bias"]) for layer in data["layers"][:-1])
    rng.choice(inner(query))["unit"] = rng.choice([-1, units, rng.randrange(units)])


def drop_pair(rng, data, query, points):
    query["pairs"].pop(rng.randrange(len(query["pairs"])))


def node_facts(query):
    return [fact for node in nodes(query, "facts") for fact in node["facts"]]


def change_slope(rng, data, query, points):
    slopes = rng.choice([target[2] for target in query["targets"] if target[2]])
    slopes[rng.randrange(len(slopes))] = rng.choice([-1, 0, 4, 8, 12, 16, 17])


def turn_target(rng, data, query, points):
    rng.choice(query["targets"])[1] *= -1


def change_power(rng, data, query, points):
    powers = rng.choice(node_facts(query))[1]
    powers[rng.randrange(len(powers))] += rng.choice([-9, -2, -1, 1, 2, 9])


def change_number(rng, data, query, points):
    numbers = rng.choice(node_facts(query))[0]
    numbers[rng.randrange(len(numbers))] = rng.randrange(-1, len(query["targets"]) + 1)


def change_factor(rng, data, query, points):
    factors = rng.choice(node_facts(query))[2][2]
    factors[rng.randrange(len(factors))] *= rng.choice([-1, 0, 2])


def drop_facts(rng, data, query, points):
    facts = rng.choice(nodes(query, "facts"))["facts"]
    facts.pop(rng.randrange(len(facts)))


def turn_goal(rng, data, query, points):
    leaf = rng.choice(leaves(query))
    leaf["goal"] = not leaf["goal"]


def change_point(rng, data, query, points):
    k = rng.randrange(len(query["points"]))
    query["points"][k] = str(
        Fraction(query["points"][k]) + Fraction(rng.choice([-1, 1]), 2 ** rng.randint(1, 12))
    )


def drop_point(rng, data, query, points):
    query["points"].pop(rng.randrange(len(query["points"])))


def swap_points(rng, data, query, points):
    k = rng.randrange(len(query["points"]) - 1)
    query["points"][k : k + 2] = query["points"][k : k + 2][::-1]


def change_scale(rng, data, query, points):
    query["scale"] += rng.choice([-2, -1, 1, 2, 3])
    points += vertices_of_box(query)


def change_witness(rng, data, query, points):
    k = rng.randrange(len(query["witness"]))
    query["witness"][k] = str(Fraction(query["witness"][k]) + Fraction(rng.randint(-64, 64), 32))


def shrink_set(rng, data, query, points):
    """The witness falls out of the box or the ball."""
    if "ball" in query and rng.random() < 0.5:
        query["ball"]["radius"] //= rng.randint(2, 64)
    else:
        query["upper"] = [
            a + (b - a) // rng.randint(2, 64)
            for a, b in zip(query["lower"], query["upper"], strict=True)
        ]


BOUND = [raise_bound, enlarge_box, change_weight, change_bias, flip_label, change_scale]
TREES = [
    change_multiplier,
    change_multipliers_scale,
    drop_multipliers,
    drop_leaf,
    prune,
    drop_tree,
    drop_fact,
    turn_fact,
]
TREES += [swap_branches, change_unit, drop_pair, turn_goal]
FACTS = [change_slope, turn_target, change_power, change_number, change_factor, drop_facts]
POINTS = [change_point, drop_point, swap_points]
WITNESS = [change_witness, shrink_set, change_weight, change_bias, flip_label, change_scale]


def mutants(kind, mutations, rounds):
    """(name, data, query, points of the unchanged set) of certificates after one mutation each, no
    two equal.
    """
    rng, seen = random.Random(7), set()
    for mutation, (data, query, points), _ in itertools.product(mutations, kind(), range(rounds)):
        changed = copy.deepcopy((data, query, list(points)))
        try:
            mutation(rng, *changed)
        except (IndexError, KeyError, ValueError):  # there is nothing of this kind to change
            continue
        text = json.dumps(changed[:2])
        if changed[:2] != (data, query) and text not in seen:
            seen.add(text)
            yield mutation.__name__, *changed


def test_wrong_statements_are_rejected():
    found = dict.fromkeys((m.__name__ for m in BOUND), 0)
    for name, data, query, points in mutants(proved, BOUND, 8):
        bound = Fraction(query["bound"])
        if any(contains(query, x) and margin(data, query["label"], x) < bound for x in points):
            found[name] += 1
            assert judge(data, query), (name, data, query)
    assert sum(found.values()) >= 400
    assert min(found.values()) >= 10, found


@pytest.mark.parametrize(
    ("rounds", "fact_rounds", "least"),
    [(1, 4, 60), pytest.param(6, 30, 400, marks=pytest.mark.slow)],
)
def test_broken_proofs_are_rejected(rounds, fact_rounds, least):
    """Each mutant is a proof that does not give its bound by exact arithmetic, be the statement
    true or not.
    """
    found = dict.fromkeys((m.__name__ for m in TREES + FACTS + POINTS), 0)
    kinds = mutants(proved, TREES + POINTS, rounds), mutants(proved, FACTS, fact_rounds)
    for name, data, query, _ in itertools.chain(*kinds):  # few have facts
        if proof_fails(data, query):
            found[name] += 1
            assert judge(data, query), (name, data, query)
    assert sum(found.values()) >= least, found
    assert min(found.values()) >= (3 if least > 100 else 1), found


def test_wrong_witnesses_are_rejected():
    count = 0
    for name, data, query, _ in mutants(refuted, WITNESS, 12):
        point = [Fraction(v) for v in query["witness"]]
        if not contains(query, point) or margin(data, query["label"], point) > 0:
            count += 1
            assert judge(data, query), (name, data, query)
    assert count >= 100


def test_valid_mutants_are_sound():
    """Where the checker accepts any bound for changed multipliers, no point of the set has a
    smaller margin.
    """
    kinds = [
        change_multiplier,
        change_multipliers_scale,
        drop_multipliers,
        drop_fact,
        drop_pair,
        change_unit,
        swap_branches,
    ]
    count = 0
    for name, data, query, points in mutants(proved, kinds, 5):
        network = checker.Network(data)
        try:
            bound = checker.least_margin(network, query)
        except (ValueError, IndexError):
            continue
        count += 1
        assert all(margin(data, query["label"], x) >= bound for x in points), (name, data, query)
    assert count >= 100


def test_balls_are_not_enlarged():
    network = ReLUNetwork.from_layers(
        [([[1.0, 1.0], [1.0, -1.0]], [0.0, 0.0]), ([[-1.0, -1.0]], [2.0])]
    )
    # margin 2 - 2 max(x, 0) where |y| <= x
    result = certify(network, [0.0, 0.0], Ball(2, 0.5), 1, domain=None)
    data, query = result.certificate["network"], result.certificate["queries"][0]
    assert judge(data, query) == ""
    for radius in (1, Fraction(5, 4), 8, 1000):
        changed = copy.deepcopy(query)
        size = int(radius * 2 ** query["scale"])
        changed |= {
            "lower": [-size] * 2,
            "upper": [size] * 2,
            "ball": {"centre": [0, 0], "radius": size},
        }
        assert contains(changed, [Fraction(1), Fraction(0)])
        assert margin(data, 1, [Fraction(1), Fraction(0)]) == 0
        assert judge(data, changed)
        moved = copy.deepcopy(query)
        moved["ball"]["centre"][0] += size
        moved["upper"][0] += size
        if contains(moved, [Fraction(1), Fraction(0)]):
            assert judge(data, moved)


# -- files -----------------------------------------------------------------------------------------


def certificate(data, *queries):
    plain = json.dumps(data, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(plain).hexdigest()
    return {
        "format": "cgro certificate 1",
        "network": data,
        "digest": digest,
        "queries": list(queries),
    }


def shuffled(value, rng):
    if isinstance(value, dict):
        keys = list(value)
        rng.shuffle(keys)
        return {k: shuffled(value[k], rng) for k in keys}
    return [shuffled(v, rng) for v in value] if isinstance(value, list) else value


def run(path):
    done = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT, path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("number", [0, 3, 6])
def test_certificates_survive_other_writers_and_other_folders(tmp_path, number):
    data, query, _ = proved()[number]
    changed = shuffled(certificate(data, query), random.Random(1))
    assert judge(changed["network"], json.loads(json.dumps(changed))["queries"][0]) == ""
    (tmp_path / "a.json").write_text(json.dumps(changed, indent=3))
    code, output = run(tmp_path / "a.json")
    assert (code, output.startswith("query 0: accepted as proved: margin >= ")) == (0, True)


def test_files_are_rejected_as_a_whole_if_one_query_is(tmp_path):
    data, query, points = proved()[2]
    least = min(margin(data, query["label"], x) for x in points)
    wrong = query | {"bound": str(least + 1)}
    (tmp_path / "a.json").write_text(json.dumps(certificate(data, query, wrong)))
    code, output = run(tmp_path / "a.json")
    assert code == 1
    assert [line.split()[2].strip(":") for line in output.splitlines()] == ["accepted", "rejected"]


@pytest.mark.parametrize(
    "change", ["digest", "network", "format", "no queries", "no digest", "text", "infinity", "list"]
)
def test_files_with_another_digest_or_none_are_rejected(tmp_path, change):
    data, query, _ = copy.deepcopy(proved()[2])
    whole = certificate(data, query)
    if change == "network":
        whole["network"]["layers"][-1]["bias"][0] += 1.0
    whole |= {
        "digest": {"digest": "0" * 64},
        "format": {"format": "cgro certificate 2"},
        "no queries": {"queries": []},
    }.get(change, {})
    if change == "no digest":
        del whole["digest"]
    if change == "infinity":
        whole["network"]["layers"][-1]["bias"][0] = float("inf")
        whole = certificate(whole["network"], query)
    text = {"text": "no JSON", "list": "[]"}.get(change, json.dumps(whole))
    (tmp_path / "a.json").write_text(text)
    assert run(tmp_path / "a.json")[0] == 1


# -- malformed certificates ------------------------------------------------------------------------

LINE = {"inputs": 1, "layers": [{"rows": [[[0], [1.0]]], "bias": [0.0]}]}
BENT = {
    "inputs": 1,
    "layers": [
        {"rows": [[[0], [1.0]], [[0], [-1.0]]], "bias": [0.0, 0.0]},
        {"rows": [[[0, 1], [1.0, 1.0]]], "bias": [1.0]},
    ],
}
TWO = {"inputs": 1, "layers": [{"rows": [[[0], [1.0]], [[0], [-1.0]]], "bias": [0.0, 0.0]}]}
NOTHING = {"leaf": [0, [], []], "goal": True}
BASE = {"label": 1, "verdict": "proved", "scale": 0, "lower": [-2], "upper": [2], "bound": "1"}
BY_TREE = {**BASE, "pairs": [], "facts": [], "trees": [NOTHING]}
BY_POINTS = {**BASE, "points": ["-2", "0", "2"]}
REFUTED = {
    "label": 1,
    "verdict": "refuted",
    "scale": 0,
    "lower": [-2],
    "upper": [2],
    "witness": ["0"],
}


def leaf(*multipliers):
    return {"trees": [{"leaf": list(multipliers), "goal": True}]}


MALFORMED = {
    "the label is a bool": {"label": True},
    "the label is a float": {"label": 1.0},
    "the label is a string": {"label": "1"},
    "no label": {"label": None},
    "no such label": {"label": 0},
    "the bound is infinite": {"bound": "inf"},
    "the bound is no number": {"bound": "nan"},
    "the bound is an infinite float": {"bound": float("inf")},
    "the bound is NaN": {"bound": float("nan")},
    "the bound is 0": {"bound": "0"},
    "the bound is negative": {"bound": "-1"},
    "the bound is empty": {"bound": ""},
    "the bound divides by 0": {"bound": "1/0"},
    "the bound is a list": {"bound": ["1"]},
    "the scale is negative": {"scale": -1},
    "the scale is a float": {"scale": 0.0},
    "the scale is a bool": {"scale": False},
    "the scale is nothing": {"scale": None},
    "the box has floats": {"lower": [-2.0]},
    "the box has strings": {"lower": ["-2"]},
    "the box is empty": {"lower": [3]},
    "the box has too many sides": {"lower": [-2, 0], "upper": [2, 0]},
    "the box has no sides": {"lower": [], "upper": []},
    "the box is a number": {"lower": -2},
    "the ball has a negative radius": {"ball": {"centre": [0], "radius": -1}},
    "the ball has another dimension": {"ball": {"centre": [0, 0], "radius": 1}},
    "the ball has no centre": {"ball": {"radius": 1}},
    "the ball has a radius in floats": {"ball": {"centre": [0], "radius": 1.0}},
    "the ball is a list": {"ball": [0, 1]},
    "another verdict": {"verdict": "true"},
    "no verdict": {"verdict": None},
    "too few trees": {"trees": []},
    "too many trees": {"trees": [NOTHING, NOTHING]},
    "a tree is a list": {"trees": [[]]},
    "a tree is a string": {"trees": ["unit"]},
    "a tree is a number": {"trees": [1]},
    "the trees are nothing": {"trees": None},
    "no facts": {"facts": None},
    "no pairs": {"pairs": None},
    "a leaf is empty": {"trees": [{}]},
    "a leaf has no goal": {"trees": [{"leaf": [0, [], []]}]},
    "a leaf has no goal but 0": {"trees": [{"leaf": [0, [], []], "goal": False}]},
    "a node has one child": {"trees": [{"unit": 0, "on": NOTHING}]},
    "a node is about an output": {"trees": [{"unit": 2, "on": NOTHING, "off": NOTHING}]},
    "a node is about unit -1": {"trees": [{"unit": -1, "on": NOTHING, "off": NOTHING}]},
    "a node is about a float": {"trees": [{"unit": 0.5, "on": NOTHING, "off": NOTHING}]},
    "a node is about a string": {"trees": [{"unit": "0", "on": NOTHING, "off": NOTHING}]},
    "multipliers are floats": leaf(0, [0], [0.5]),
    "multipliers are bools": leaf(0, [0], [True]),
    "multipliers are strings": leaf(0, [0], ["1"]),
    "multipliers are too few": leaf(0, [0, 1], [0]),
    "multipliers are no list": {"trees": [{"leaf": 0, "goal": True}]},
    "the scale of multipliers is a float": leaf(0.0, [], []),
    "the scale of multipliers is a bool": leaf(False, [], []),
    "the scale of multipliers is negative": leaf(-5, [0], [1]),
    "multipliers of a unit between two": leaf(0, [0.5], [1]),
    "a pair of one unit": {"pairs": [[0, 0]]},
    "a pair named twice": {"pairs": [[0, 1], [1, 0]]},
    "a pair of three": {"pairs": [[0, 1, 2]]},
    "a pair of floats": {"pairs": [[0.0, 1.0]]},
    "a pair of strings": {"pairs": [["0", "1"]]},
    "a fact about an output": {"facts": [[2, 1, [0, [], []]]]},
    "a fact about unit -1": {"facts": [[-1, 1, [0, [], []]]]},
    "a fact without sign": {"facts": [[0, 0, [0, [], []]]]},
    "a fact with another sign": {"facts": [[0, 2, [0, [], []]]]},
    "a fact with a sign in floats": {"facts": [[0, 1.0, [0, [], []]]]},
    "a fact is too short": {"facts": [[0, 1]]},
    "a fact about a float": {"facts": [[0.5, 1, [0, [], []]]]},
    "a fact about two units that are no pair": {"facts": [[0, 1, [0, [], []], 1]]},
    "a fact about the second of a pair": {
        "pairs": [[0, 1]],
        "facts": [[1, 1, [0, [], []], 1]],
    },
    "a fact about a pair without sign": {"pairs": [[0, 1]], "facts": [[0, 1, [0, [], []], 0]]},
    "a fact about a pair and more": {"pairs": [[0, 1]], "facts": [[0, 1, [0, [], []], 1, 1]]},
    "a fact about a pair with a truth": {
        "pairs": [[0, 1]],
        "facts": [[0, 1, [0, [], []], True]],
    },
    "the weight of no ball": {"facts": [[0, 1, [0, [], [], 1]]]},
    "a weight below 0": {"facts": [[0, 1, [0, [], [], -1]]]},
    "a weight in floats": {"facts": [[0, 1, [0, [], [], 0.0]]]},
    "two weights": {"facts": [[0, 1, [0, [], [], 0, 0]]]},
}

MALFORMED_POINTS = {
    "no points": [],
    "one point of two": ["-2"],
    "points of another interval": ["-2", "0", "1"],
    "points that are not sorted": ["-2", "2", "0", "2"],
    "points down": ["2", "0", "-2"],
    "a sign change is left out": ["-2", "2"],
    "a point divides by 0": ["-2", "0/0", "2"],
    "a point is NaN": ["-2", "nan", "2"],
    "a point is a list": ["-2", [0], "2"],
    "points are a number": 0,
    "points are nothing": None,
}

MALFORMED_WITNESS = {
    "a witness outside": {"witness": ["3"]},
    "a witness with a positive margin": {"witness": ["1"]},
    "a witness of two": {"witness": ["0", "0"]},
    "a witness of none": {"witness": []},
    "a witness is NaN": {"witness": ["nan"]},
    "a witness is infinite": {"witness": [float("-inf")]},
    "a witness is nothing": {"witness": None},
    "a witness outside the ball": {"ball": {"centre": [2], "radius": 1}},
    "a witness for no label": {"label": 0},
    "a witness in an empty box": {"lower": [1], "upper": [-1]},
}


def test_what_is_malformed_below_is_valid_unchanged():
    assert judge(BENT, BY_TREE) == judge(BENT, BY_POINTS) == judge(LINE, REFUTED) == ""


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_malformed_proofs_are_rejected(change):
    assert judge(BENT, {**BY_TREE, **change})


@pytest.mark.parametrize("points", MALFORMED_POINTS.values(), ids=MALFORMED_POINTS)
def test_malformed_points_are_rejected(points):
    assert judge(BENT, {**BY_POINTS, "points": points})


@pytest.mark.parametrize("change", MALFORMED_WITNESS.values(), ids=MALFORMED_WITNESS)
def test_malformed_refutations_are_rejected(change):
    assert judge(LINE, {**REFUTED, **change})


@pytest.mark.parametrize("query", [None, [], {}, "proved", 1, [BY_TREE]])
def test_malformed_queries_are_rejected(query):
    assert judge(BENT, query)


@pytest.mark.parametrize(
    "missing", ["label", "verdict", "scale", "lower", "upper", "bound", "trees", "pairs", "facts"]
)
def test_missing_entries_are_rejected(missing):
    assert judge(BENT, {k: v for k, v in BY_TREE.items() if k != missing})


@pytest.mark.parametrize("label", [-1, 2, True, False, 0.0, None, "0"])
def test_labels_do_not_count_from_the_end(label):
    query = {**BY_TREE, "lower": [1], "label": label}
    assert judge(TWO, {**query, "label": 0, "bound": "2"}) == ""
    assert judge(TWO, query)


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [{"rows": [], "bias": []}],
        [{"rows": [[[0], [1.0]]], "bias": []}],
        [{"rows": [], "bias": [1.0]}],
        [{"rows": [[[1], [1.0]]], "bias": [1.0]}],
        [{"rows": [[[-1], [1.0]]], "bias": [1.0]}],
        [{"rows": [[[0.0], [1.0]]], "bias": [1.0]}],
        [{"rows": [[[True], [1.0]]], "bias": [1.0]}],
        [{"rows": [[[0, 0], [1.0, 1.0]]], "bias": [1.0]}],
        [{"rows": [[[0], [1.0, 1.0]]], "bias": [1.0]}],
        [{"rows": [[[0], [float("nan")]]], "bias": [1.0]}],
        [{"rows": [[[0], [float("inf")]]], "bias": [1.0]}],
        [{"rows": [[[0], [True]]], "bias": [1.0]}],
        [{"rows": [[[0], ["1"]]], "bias": [1.0]}],
        [{"rows": [[[0], [1.0]]], "bias": [None]}],
        [{"rows": [[[0], [1.0]]], "bias": [1.0]}, {"rows": [[[1], [1.0]]], "bias": [1.0]}],
        [{"rows": [[[0], [1.0]]]}],
        [None],
        None,
    ],
)
def test_malformed_networks_are_rejected(layers):
    assert judge({"inputs": 1, "layers": layers}, {**BY_TREE, "lower": [1]})


@pytest.mark.parametrize("weight", [2**53 + 1, -(2**53) - 1, 10**400])
def test_integers_that_are_no_float64_are_rejected(weight):
    """2^53 + 1 denotes the float64 2^53, with which the margin below is 0 and not 1."""
    data = {"inputs": 1, "layers": [{"rows": [[[0], [weight]]], "bias": [-(2.0**53)]}]}
    query = {**BASE, "label": 1 if weight > 0 else -1, "lower": [1], "upper": [1], "points": ["1"]}
    assert judge(data, query)


def test_sets_without_points_are_rejected():
    query = {**BY_TREE, "lower": [1], "ball": {"centre": [9], "radius": 1}, "bound": "1"}
    assert judge(LINE, query)


@pytest.mark.parametrize("tiny", [5e-324, 1e-300, 1e300])
def test_bounds_are_exact_for_extreme_weights(tiny):
    data = {
        "inputs": 1,
        "layers": [
            {"rows": [[[0], [tiny]]], "bias": [tiny]},
            {"rows": [[[0], [-tiny]]], "bias": [1.0]},
        ],
    }
    points, least = ["-2", "-1", "2"], 1 - 3 * Fraction(tiny) ** 2
    proof = {**BASE, "points": points, "bound": str(least)}
    if least > 0:
        assert judge(data, proof) == ""
    assert judge(data, {**proof, "bound": str(least + Fraction(1, 10**1000))})


BESIDE = {  # what each file may import, run from beside it, and how many lines it may have
    "check_certificate.py": (STANDARD, ["name"], 250),
    "check_trees.py": (STANDARD, ['"check_facts.py"', '"check_curves.py"'], 150),
    "check_curves.py": (STANDARD, [], 80),
    "check_facts.py": ({"math", "numpy"}, [], 130),
    "check_boxes.py": (STANDARD, [], 80),
}


@pytest.mark.parametrize("name", BESIDE)
def test_the_checker_imports_nothing_but_the_standard_library(name):
    """And numpy, where there are facts of nodes."""
    text = SCRIPT.with_name(name).read_text()
    allowed, files, lines = BESIDE[name]
    names, run = set(), []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module)
        if isinstance(node, ast.Call):
            assert getattr(node.func, "id", "") not in {"__import__", "eval", "exec", "compile"}
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "runpy":
            run.append(node.attr)
    assert names <= allowed
    assert sys.stdlib_module_names >= STANDARD
    # the files that it runs are others here, which are held to the same rules
    beside = [f"runpy.run_path(str(pathlib.Path(__file__).with_name({file})))" for file in files]
    assert all(text.count(each) == 1 for each in beside)
    assert run == ["run_path"] * len(files)
    if name == SCRIPT.name:
        chosen = 'beside("check_boxes.py" if "boxes" in query else "check_trees.py")'
        assert text.count("beside(") == 1 + text.count(chosen) == 2
    assert len(text.splitlines()) <= lines


# -- solvers that fail or lie ----------------------------------------------------------------------


@cache
def hard():
    """(network, box, label, whether the margin is positive): both need the solver."""
    out = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        layers = [(w.copy(), b.copy()) for w, b in draw(rng, (2, 6, 4, 1), False)]
        plain = {"scale": 0, "lower": [-1, -1], "upper": [1, 1]}
        points = vertices(ReLUNetwork.from_layers(layers), plain)
        margins = [margin(plain_data(layers), 1, x) for x in points]
        spread = (max(margins) - min(margins)) / 64
        for positive in (True, False):
            shift = -min(margins) + (spread if positive else -spread / 64)
            network = ReLUNetwork.from_layers(
                [*layers[:-1], (layers[-1][0], layers[-1][1] + float(shift))]
            )
            out.append((network, ([-1.0, -1.0], [1.0, 1.0]), 1, positive))
    return [case for case in out if uses_solver(case)][:5]


def uses_solver(case):
    calls, solve = [], Relaxation.solve
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Relaxation,
            "solve",
            lambda self, *rest, **named: calls.append(0) or solve(self, *rest, **named),
        )
        certify_box(case[0], case[1], case[2])
    return bool(calls)


def decided_rightly(max_seconds=5.0):
    """The verdicts on all hard cases: each is checked to be right, or unresolved."""
    verdicts = []
    for network, box, label, positive in hard():
        result = certify_box(network, box, label, max_seconds=max_seconds)
        verdicts.append(result.verdict)
        assert result.verdict in ("unresolved", "proved" if positive else "refuted")
        if result.verdict != "unresolved":
            whole = result.certificate
            assert judge(whole["network"], whole["queries"][0]) == ""
        else:
            assert result.reason
    return verdicts


def test_hard_cases_are_decided_with_a_solver_that_works():
    assert len(hard()) >= 4
    assert {positive for *_, positive in hard()} == {True, False}
    assert "unresolved" not in decided_rightly()


def answers(kind):
    """A replacement for `Relaxation.solve` that answers in a wrong way."""
    true, rng = Relaxation.solve, np.random.default_rng(0)

    def solve(self, *rest, **named):
        found = true(self, *rest, **named)
        status, point, duals = found.status, found.point, found.duals
        zeros = [np.zeros(len(a.bias)) for a in self.layers]
        some = duals or zeros
        size = int(self.offsets[-1])
        if kind == "always infeasible":
            return Solution(Status.INFEASIBLE, None, some)
        if kind == "infeasible without a ray":
            return Solution(Status.INFEASIBLE, None, None)
        if kind == "always optimal":
            return Solution(Status.OPTIMAL, np.zeros(size), zeros)
        if kind == "optimal without a point":
            return Solution(Status.OPTIMAL, None, some)
        if kind == "optimal without multipliers":
            return Solution(Status.OPTIMAL, np.zeros(size) if point is None else point, None)
        if kind == "NaN multipliers":
            return Solution(status, point, [d * np.nan for d in some])
        if kind == "NaN points":
            return Solution(status, np.full(size, np.nan), duals)
        if kind == "infinite multipliers":
            return Solution(status, point, [d + np.inf for d in some])
        if kind == "negative multipliers":
            return Solution(status, point, [-d for d in some])
        if kind == "swapped multipliers":
            return Solution(status, point, [d[::-1].copy() for d in some])
        if kind == "random multipliers":
            return Solution(Status.OPTIMAL, point, [rng.standard_normal(len(d)) for d in some])
        if kind == "huge multipliers":
            return Solution(status, point, [d * 1e300 for d in some])
        if kind == "points far outside":
            return Solution(status, np.full(size, 1e30), duals)
        if kind == "another status":
            return Solution(Status.FAILED, point, duals, "unbounded")
        raise RuntimeError("no memory in the solver")

    return solve


WRONG = [
    "always infeasible",
    "infeasible without a ray",
    "always optimal",
    "optimal without a point",
]
WRONG += [
    "optimal without multipliers",
    "NaN multipliers",
    "NaN points",
    "infinite multipliers",
    "negative multipliers",
]
WRONG += [
    "swapped multipliers",
    "random multipliers",
    "huge multipliers",
    "points far outside",
    "another status",
    "error",
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[pytest.mark.slow] * (i % 3 > 0)) for i, k in enumerate(WRONG)]
)
def test_wrong_answers_of_the_relaxation_lead_to_no_wrong_verdict(monkeypatch, kind):
    hard()
    monkeypatch.setattr(Relaxation, "solve", answers(kind))
    decided_rightly(1.0)


class Solver:
    """A HiGHS of which one method is replaced."""

    def __init__(self, true, name, method):
        self.true, self.name, self.method = true, name, method

    def __getattr__(self, name):
        return self.method if name == self.name else getattr(self.true, name)


def fail(*_):
    raise RuntimeError("HiGHS has failed")


class Numbers:
    """A solution of numbers that mean nothing, one for each row and column."""

    def __init__(self, value):
        self.col_value = self.row_dual = [value] * 4


STATUS = highspy.HighsModelStatus
METHODS = {
    "run fails": ("run", fail),
    "the status fails": ("getModelStatus", fail),
    "always optimal": ("getModelStatus", lambda: STATUS.kOptimal),
    "always infeasible": ("getModelStatus", lambda: STATUS.kInfeasible),
    "always unbounded": ("getModelStatus", lambda: STATUS.kUnbounded),
    "out of time": ("getModelStatus", lambda: STATUS.kTimeLimit),
    "a status of another type": ("getModelStatus", lambda: "optimal"),
    "nothing runs": ("run", lambda: None),
    "no solution": ("getSolution", lambda: None),
    "a short solution": ("getSolution", lambda: Numbers(0.0)),
    "a solution of NaN": ("getSolution", lambda: Numbers(float("nan"))),
    "no ray": ("getDualRay", lambda: (None, False, None)),
    "a ray of nothing": ("getDualRay", lambda: (None, True, None)),
    "rays fail": ("getDualRay", fail),
    "bounds of columns fail": ("changeColBounds", fail),
    "bounds of rows fail": ("changeRowBounds", fail),
    "costs fail": ("changeColsCost", fail),
    "costs are not set": ("changeColsCost", lambda *_: None),
    "bounds of columns are not set": ("changeColBounds", lambda *_: None),
    "bounds of rows are not set": ("changeRowBounds", lambda *_: None),
    "options fail": ("setOptionValue", fail),
    "models fail": ("passModel", fail),
    "models are not passed": ("passModel", lambda *_: None),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "method"), METHODS.values(), ids=METHODS)
def test_failing_methods_of_the_solver_lead_to_no_wrong_verdict(monkeypatch, name, method):
    hard()
    true = highspy.Highs
    monkeypatch.setattr(highspy, "Highs", lambda: Solver(true(), name, method))
    decided_rightly(0.5)


def test_a_solver_that_never_finishes_ends_with_the_time_limit(monkeypatch):
    hard()
    true = highspy.Highs

    def slow():
        time.sleep(0.05)

    monkeypatch.setattr(highspy, "Highs", lambda: Solver(true(), "run", slow))
    start = time.monotonic()
    assert set(decided_rightly(0.2)) == {"unresolved"}
    assert time.monotonic() - start < 1.0 * len(hard())


def test_a_highs_without_constructor_leads_to_no_wrong_verdict(monkeypatch):
    hard()
    monkeypatch.setattr(highspy, "Highs", fail)
    assert set(decided_rightly()) == {"unresolved"}
