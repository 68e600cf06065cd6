"""Facts of nodes: they hold at every point that they are about, and forgeries are rejected."""

import copy
import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest
from random_questions import nodes, points_of, proved_with_facts
from slow_proofs import SlowProof, forward, margin

from analysis.checkers import check_certificate as checker
from analysis.checkers.check_facts import Facts, product, whole
from analysis.checkers.check_trees import Part

SIZES = ["mild", "mixed", "tiny", "huge", "long"]
"""How weights are drawn."""

TOO_LARGE = ("half-spaces are too large", "numbers are too long for facts")
"""What is said of half-spaces that would not leave sums exact."""


def weights(rng, size, *shape):
    """Weights: mild ones, of sizes that differ, far below 1, far above, or with many bits."""
    values = rng.normal(size=shape)
    if size == "mild":
        return np.round(values * 2**30) / 2**30
    if size == "mixed":
        return np.round(values * 256) * 2.0 ** rng.integers(-14, -2, shape)
    if size == "tiny":
        return np.round(values * 256) * 2.0**-18
    if size == "huge":
        return np.round(values * 2.0 ** rng.choice([20, 30])) / 2.0**8
    return rng.choice([-1, 1], shape) * 2.0 ** rng.integers(-60, 5, shape)


def draw(rng, size):
    """(data of a network, a query without proof) with 1 to 3 hidden layers, 1 to 3 inputs."""
    widths = [rng.integers(1, 4), *rng.integers(2, 6, rng.integers(1, 4)), rng.choice([1, 1, 3])]
    layers, down = [], {"tiny": 2.0**-8, "huge": 2.0**16}.get(size, 1.0)
    for depth, (a, b) in enumerate(itertools.pairwise(widths)):
        rows = [[list(range(a)), row] for row in weights(rng, size, b, a).tolist()]
        layers.append({"rows": rows, "bias": (weights(rng, size, b) * down**depth).tolist()})
    g = int(rng.choice([0, 8, 64]))
    low = rng.integers(-3, 2, widths[0]) if g == 0 else rng.integers(-3 << 8, 3 << 8, widths[0])
    wide = rng.choice([0, 1, 3], widths[0]) if g == 0 else rng.integers(0, 2 << 8, widths[0])
    wide = wide >> rng.choice([0, 0, 7])  # a tight box
    top = max(0, g - 8)
    query = {
        "scale": g,
        "lower": [int(v) << top for v in low],
        "upper": [int(v) << top for v in low + wide],
        "label": int(rng.choice([-1, 1])) if widths[-1] == 1 else int(rng.integers(3)),
        "pairs": [],
        "facts": [],
    }
    if rng.random() < 0.25:
        query["ball"] = {
            "centre": [a + b >> 1 for a, b in zip(query["lower"], query["upper"], strict=True)],
            "radius": int(max(wide) + 1 << top) * 2 // 3,
        }
    return {"inputs": int(widths[0]), "layers": layers}, query


def sample(rng, query, count):
    """Rational points of a query's set: corners, its middle, and random ones."""
    low, high = query["lower"], query["upper"]
    shares = [[Fraction(int(v), 16) for v in rng.integers(0, 17, len(low))] for _ in range(count)]
    shares += [[Fraction(int(v)) for v in rng.integers(0, 2, len(low))] for _ in range(count // 2)]
    points = [
        [a + s * (b - a) for a, b, s in zip(low, high, x, strict=True)]
        for x in [*shares, [Fraction(1, 2)] * len(low)]
    ]
    if ball := query.get("ball"):
        points = [
            x
            for x in points
            if sum((v - c) ** 2 for v, c in zip(x, ball["centre"], strict=True))
            <= ball["radius"] ** 2
        ]
    return [[v / 2 ** query["scale"] for v in x] for x in points]


class Case:
    """Random facts about a random network: a part with what they give, and points of it."""

    def __init__(self, seed, size):
        self.rng = rng = np.random.default_rng([seed, SIZES.index(size)])
        self.data, self.query = draw(rng, size)
        self.network = checker.Network(self.data)
        goals = self.network.goals(self.query["label"])
        self.goal = goals[int(rng.integers(len(goals)))]
        self.points = []
        for x in sample(rng, self.query, 24):
            units, outputs = forward(self.data, x)
            z = [*units, *outputs]
            self.points.append((z, sum(v * z[k] for k, v in self.goal.items())))
        values = sorted(value for _, value in self.points)
        size = max(map(abs, values))
        self.bound = values[len(values) // 3] + size / 2**20 if values else Fraction(1)
        self.lack = float(values[-1] - values[0]) + 1e-9 * float(size) if values else 1.0
        self.query |= {"bound": str(self.bound), "targets": self.targets()}
        self.part = Part(self.network, self.query)
        self.bounds = {}

    def targets(self):
        out, starts = [], self.network.starts
        for _ in range(12):
            unit = int(self.rng.integers(self.network.units))
            below = max(s for s in starts[:-2] if s <= unit)
            slopes = self.rng.choice([0, 16, int(self.rng.integers(17))], below)
            out.append([unit, int(self.rng.choice([-1, 1])), [int(v) for v in slopes]])
        return out

    def fact(self):
        """A random fact: some targets of one layer, powers, multipliers of layers above."""
        rng, starts = self.rng, self.network.starts
        layer = int(rng.integers(len(starts) - 2))
        inside = [n for n, t in enumerate(self.query["targets"]) if t[0] in self.units(layer)]
        if not inside:
            return None
        chosen = [int(n) for n in rng.permutation(inside)[: rng.integers(1, 4)]]
        factors = self.factors(layer)
        s = int(rng.choice([3, 20, 40])) - math.frexp(max(map(abs, factors.values())) + 1e-300)[1]
        s = min(max(s, 0), 900)
        if rng.random() < 0.2:
            factors = {k: rng.normal() * v for k, v in factors.items()}
        numbers = [int(v * 2.0**s) for v in factors.values()]
        powers = [self.power(n) + int(rng.choice([-30, -2, 0, 0, 2])) for n in chosen]
        return [chosen, powers, [s, [*factors], numbers], *self.halves(chosen)]

    def halves(self, chosen):
        """Random multiples of z of first-layer units whose sign is known, for some facts."""
        sides = [(self.part.low[k] >= 0) - (self.part.high[k] <= 0) for k in self.units(0)]
        split = [int(k) for k in self.rng.permutation(np.flatnonzero(sides))[:3]]
        if not split or self.rng.random() < 0.3:
            return []
        wide = [
            [max(1, self.part.high[k] - self.part.low[k]).bit_length() for k in units]
            for units in (split, [self.query["targets"][n][0] for n in chosen])
        ]
        fine = int(self.rng.choice([0, 6, 12])) + max(wide[0]) - min(wide[1])
        rows = self.rng.integers(0, 1 << int(self.rng.choice([1, 7])), (len(chosen), len(split)))
        return [
            [
                fine,
                split,
                [[int(v * sides[k]) for k, v in zip(split, row, strict=True)] for row in rows],
            ]
        ]

    def power(self, n):
        """About log2 of a unit's width over what the goal lacks."""
        unit = self.query["targets"][n][0]
        wide = (self.part.high[unit] - self.part.low[unit]) / 2 ** self.query["scale"]
        return round(math.log2(abs(wide) / self.lack)) if wide and self.lack else 0

    def factors(self, layer):
        """Multipliers of the layers above, as linear bounds give them."""
        starts, top, out = self.network.starts, 2 ** self.query["scale"], {}
        form = {k: float(v) for k, v in self.goal.items()}
        for i in range(len(self.data["layers"]) - 2, layer - 1, -1):
            rows, sums = self.data["layers"][i + 1]["rows"], {}
            for k, v in form.items():
                for j, w in zip(*rows[k - starts[i + 1]], strict=True):
                    sums[starts[i] + j] = sums.get(starts[i] + j, 0.0) + v * w
            form = {}
            for k, r in sums.items():
                low, high = self.part.low[k] / top, self.part.high[k] / top
                chord = high / (high - low) if low < 0 < high else float(low >= 0)
                is_open = low < 0 < high
                form[k] = r * (self.rng.integers(2) if is_open and r > 0 else chord)
            out |= form
        return dict(sorted(out.items()))

    def units(self, layer):
        return range(*self.network.starts[layer : layer + 2])

    def split(self):
        """Cut the part at a random unit."""
        unit, on = int(self.rng.integers(self.network.units)), bool(self.rng.integers(2))
        self.part = self.part.split(unit, on)
        self.points = [(z, v) for z, v in self.points if (z[unit] >= 0 if on else z[unit] <= 0)]

    def learn(self, fact):
        """Apply a fact with `Facts.learn`."""
        if self.part.facts is None:
            self.part.facts = Facts(self.part, self.query["targets"])
        self.part = self.part.copy()
        self.part.facts.learn(self.part, self.goal, self.bound, *fact)

    def check(self):
        """No point of the part with goal < bound is beyond the bounds; how many there are."""
        top, count = 2 ** self.query["scale"], 0
        for z, value in self.points:
            if value < self.bound:
                count += 1
                for k in range(self.network.units):
                    assert self.part.low[k] <= z[k] * top <= self.part.high[k], (k, z[k])
        return count


@pytest.mark.parametrize("size", SIZES)
def test_facts_hold_at_all_points_where_the_goal_is_less_than_the_bound(size):
    learned = points = better = halves = 0
    for seed in range(120):
        case = Case(seed, size)
        for _ in range(4):
            if case.rng.random() < 0.3:
                case.split()
            if (fact := case.fact()) is None:
                continue
            before = case.part.low[:], case.part.high[:]
            try:
                case.learn(fact)
            except ValueError as error:  # random half-spaces may be of another size than all else
                assert len(fact) > 3
                assert str(error) in TOO_LARGE  # noqa: PT017
                continue
            learned += 1
            halves += len(fact) > 3
            better += before != (case.part.low, case.part.high)
            points += case.check()
    assert learned > 300
    assert halves > 50
    least = {"mild": 60, "mixed": 60, "tiny": 30, "huge": 60, "long": 5}[size]
    assert points > 3000
    assert better > least, (learned, points, better)


def test_facts_are_those_of_exact_arithmetic_up_to_rounding():
    compared = 0
    for seed in range(120):
        case = Case(seed, "mild")
        if "ball" in case.query or (fact := case.fact()) is None:
            continue
        slow = SlowProof(case.data, case.query)
        top = Fraction(2) ** case.query["scale"]
        case.part.low = [int(slow.bounds[k][0] * top // 1) for k in range(case.network.units)]
        case.part.high = [-int(-slow.bounds[k][1] * top // 1) for k in range(case.network.units)]
        start = {
            k: [a / top, b / top]
            for k, (a, b) in enumerate(zip(case.part.low, case.part.high, strict=True))
        }
        exact = slow.learn(start, case.goal, *fact)
        try:
            case.learn(fact)
        except ValueError as error:
            assert str(error) in TOO_LARGE  # noqa: PT017
            continue
        widest = max(1, *(abs(v) for pair in start.values() for v in pair))
        room = widest * Fraction(2) ** max(0, *fact[1]) / 2**8
        compared += exact != start
        fine = case.query["scale"] == 64 and fact[2][0] >= 16  # else integers are coarse
        for k, (low, high) in exact.items():
            assert low - case.part.low[k] / top >= 0
            assert case.part.high[k] / top - high >= 0
            if fine:
                assert low - case.part.low[k] / top <= room
                assert case.part.high[k] / top - high <= room
    assert compared > 20


@pytest.mark.parametrize("seed", range(40))
def test_products_are_exact_or_refused(seed):
    rng = np.random.default_rng(seed)
    bits = rng.integers(20, 36), rng.integers(26, 41)
    shapes = (int(rng.integers(1, 5)), n := int(rng.integers(1, 40))), (n, int(rng.integers(1, 5)))
    forms, rows = (
        rng.integers(-(1 << b), 1 << b, s, np.int64) for b, s in zip(bits, shapes, strict=True)
    )
    forms[0, 0], rows[0, 0] = rng.choice([-1, 1]) << bits[0], rng.choice([-1, 1]) << bits[1]
    true = forms.astype(object) @ rows.astype(object)
    fits = bits[0] <= 32 and n << bits[1] <= 1 << 37
    try:
        top, rest = product(forms.astype(float), rows.astype(float))
        assert ((top.astype(np.int64).astype(object) << 16) + rest.astype(np.int64) == true).all()
        assert fits
    except ValueError as error:
        assert str(error) == "numbers are too long for facts"  # noqa: PT017
        assert not fits


def test_products_at_their_limits_are_exact():
    """All sums are as long as they may be."""
    for forms, rows in itertools.product((-(1 << 32), (1 << 32) - 1), (-(1 << 29), 1 << 29)):
        top, rest = product(np.full((3, 256), float(forms)), np.full((256, 2), float(rows)))
        whole = (top.astype(np.int64).astype(object) << 16) + rest.astype(np.int64)
        assert (whole == 256 * forms * rows).all()


def test_sums_of_millions_of_factors_are_exact():
    """What rounding of weights costs is such a sum, of more than 53 bits here."""
    factors = np.full((1, 1 << 22), 2.0**32 - 1)
    factors[0, ::3] -= 2
    true = sum(map(int, factors[0]))
    assert true > 1 << 53
    assert whole(*product(factors, np.ones(1 << 22))) == [true]


def test_weights_of_63_bits_prove_nothing_false():
    """-2^63 has no absolute value in int64; taken for a small number, it proved a false margin."""
    rows = [[[0, 1], [-2048.0, 2.0**-52]], [[0], [1.0]]]
    data = {
        "inputs": 2,
        "layers": [
            {"rows": rows, "bias": [2047.0, 0.0]},
            {"rows": [[[0], [1.0]]], "bias": [-1.0]},
        ],
    }
    query = {
        "label": 1,
        "verdict": "proved",
        "scale": 64,
        "lower": [0, 0],
        "upper": [1 << 64, 1 << 64],
        "bound": "1/8",
        "pairs": [],
        "facts": [],
        "targets": [[0, 1, []]],
        "trees": [{"facts": [[[0], [0], [40, [], []]]], "leaf": [0, [], []], "goal": True}],
    }
    assert margin(data, 1, [Fraction(1), Fraction(0)]) == -1
    assert "not positive" in checker.check(checker.Network(data), query)


def test_small_files_with_many_targets_are_refused():
    """Each target is a row of its layer: they would take gigabytes."""
    inputs = 20_000
    layers = [{"rows": [[[0], [1.0]]], "bias": [0.0]}] * 2
    query = {
        "label": 1,
        "verdict": "proved",
        "scale": 0,
        "lower": [1] * inputs,
        "upper": [1] * inputs,
        "bound": "1/2",
        "pairs": [],
        "facts": [],
        "targets": [[0, 1, []]] * 20_000,
        "trees": [{"leaf": [0, [0], [1]], "goal": True}],
    }
    network = checker.Network({"inputs": inputs, "layers": layers})
    assert checker.check(network, query) == "ValueError: there are too many targets"
    assert checker.check(network, query | {"targets": [[0, 1, []]]}) == ""


# -- forgeries -------------------------------------------------------------------------------------


def forged(change):
    """The checker's answer to a real certificate that is changed."""
    asked, query = proved_with_facts()
    changed = copy.deepcopy(query)
    change(changed)
    assert changed != query
    return checker.check(asked.network.exact, changed)


def first(query):
    """The first fact of the trees."""
    return next(node["facts"][0] for node in nodes(query) if node.get("facts"))


def layer_of(unit):
    return unit // 24


def used(query, layer):
    """A target of a layer that a fact names."""
    numbers = {n for node in nodes(query) for fact in node.get("facts", []) for n in fact[0]}
    return next(query["targets"][n] for n in numbers if layer_of(query["targets"][n][0]) == layer)


def slope(value):
    def change(query):
        used(query, 1)[2][3] = value

    return change


def power(value):
    def change(query):
        first(query)[1][0] = value

    return change


def number(value):
    def change(query):
        first(query)[0][0] = value(query) if callable(value) else value

    return change


def other_layer(query):
    layer = layer_of(query["targets"][first(query)[0][0]][0])
    return query["targets"].index(used(query, 1 - layer))


def longer(query):
    used(query, 1)[2].append(0)


def shorter(query):
    used(query, 1)[2].pop()


def two_layers(query):
    fact = first(query)
    fact[0].append(other_layer(query))
    fact[1].append(fact[1][0])


def target(k, value):
    def change(query):
        used(query, 1)[k] = value

    return change


def no_facts(query):
    for node in nodes(query):
        node.pop("facts", None)


def no_targets(query):
    del query["targets"]


def twice(query):
    fact = first(query)
    fact[0].append(fact[0][0])
    fact[1].append(fact[1][0])


def no_powers(query):
    first(query)[1].pop()


def bound(factor):
    def change(query):
        query["bound"] = str(Fraction(query["bound"]) * factor)

    return change


def multipliers(value):
    def change(query):
        first(query)[2] = value

    return change


def facts(value):
    def change(query):
        next(node for node in nodes(query) if node.get("facts"))["facts"] = value

    return change


def halves(change):
    """A change of the first fact with half-spaces."""

    def changed(query):
        facts = (fact for node in nodes(query) for fact in node.get("facts", []))
        change(*next(fact for fact in facts if len(fact) > 3)[3:])

    return changed


def open_unit():
    """A unit of the first layer that is open on the whole set, and split nowhere."""
    asked, query = proved_with_facts()
    part = Part(asked.network.exact, query)
    split = {node["unit"] for node in nodes(query) if "unit" in node}
    return next(k for k in range(24) if part.low[k] < 0 < part.high[k] and k not in split)


def entry(k, value):
    return halves(lambda half: half.__setitem__(k, value(half) if callable(value) else value))


FORGERIES = {
    "half-spaces of the other side": entry(2, lambda half: [[-v for v in row] for row in half[2]]),
    "a half-space of a unit that is open": entry(1, lambda half: [open_unit(), *half[1][1:]]),
    "a half-space of the second layer": entry(1, lambda half: [24, *half[1][1:]]),
    "a half-space of unit -1": entry(1, lambda half: [-1, *half[1][1:]]),
    "a half-space of a float unit": entry(1, lambda half: [half[1][0] + 0.5, *half[1][1:]]),
    "a half-space twice": halves(lambda half: [v.append(v[0]) for v in (half[1], *half[2])]),
    "a half-space of no target": halves(lambda half: half[2].append(half[2][0])),
    "a target without half-spaces": halves(lambda half: half[2].pop()),
    "a number of half-spaces too few": halves(lambda half: half[2][0].pop()),
    "half-spaces of floats": entry(2, lambda half: [[v + 0.5 for v in row] for row in half[2]]),
    "half-spaces of truth": entry(2, lambda half: [[v > 0 for v in row] for row in half[2]]),
    "half-spaces are huge": entry(2, lambda half: [[v << 40 for v in row] for row in half[2]]),
    "half-spaces are long": entry(2, lambda half: [[v * 10**400 for v in row] for row in half[2]]),
    "half-spaces are coarse": entry(0, -2000),
    "half-spaces with a huge scale": entry(0, (1 << 13) + 1),
    "half-spaces with a float scale": entry(0, 1.0),
    "half-spaces are too short": halves(lambda half: half.pop()),
    "half-spaces are too many": halves(lambda half: half.append(0)),
    "a slope above 1": slope(17),
    "a slope below 0": slope(-1),
    "a slope is true": slope(True),
    "a slope is a float": slope(8.0),
    "a slope is nothing": slope(None),
    "a slope too many": longer,
    "a slope too few": shorter,
    "no slopes": target(2, []),
    "a target without sign": target(1, 0),
    "a target with a float sign": target(1, -1.5),
    "a target of unit -1": target(0, -1),
    "a target of an output": target(0, 48),
    "a target of a float unit": target(0, 30.0),
    "a power is a float": power(0.0),
    "a power is true": power(True),
    "a power is huge": power(1 << 20),
    "a power is long": power(10**400),
    "a power is far below 0": power(-(1 << 13) - 1),
    "a power too few": no_powers,
    "a number of no target": number(lambda query: len(query["targets"])),
    "a negative number": number(-1),
    "a number is a float": number(0.0),
    "a number is false": number(False),
    "a target twice": twice,
    "units of two layers": two_layers,
    "a unit of the other layer": number(other_layer),
    "no targets": no_targets,
    "no facts": no_facts,
    "facts are nothing": facts([[]]),
    "facts of no unit": facts([[[], [], [0, [], []]]]),
    "facts are a number": facts(1),
    "facts are text": facts("facts"),
    "multipliers are too short": multipliers([0, []]),
    "multipliers of floats": multipliers([0, [40], [0.5]]),
    "multipliers with a float scale": multipliers([0.5, [40], [1]]),
    "multipliers with a negative scale": multipliers([-1, [40], [1]]),
    "multipliers with a huge scale": multipliers([1 << 14, [40], [1]]),
    "multipliers of a unit twice": multipliers([0, [40, 40], [1, 1]]),
    "a bound that is too large": bound(2**14),
    "a bound that is far too large": bound(2**40),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_facts_are_rejected(name):
    assert forged(FORGERIES[name])


def test_what_changes_nothing_is_accepted():
    def again(query):
        """A unit that is split is split once more."""
        for node in list(nodes(query)):
            if "unit" in node:
                empty = {"leaf": [0, [], []], "goal": True}
                node["on"] = {"unit": node["unit"], "on": node["on"], "off": copy.deepcopy(empty)}
                return

    answer = forged(again)
    assert answer == "" or "not positive" in answer  # z = 0 is in both
    assert forged(lambda query: query["targets"].append([0, 1, []])) == ""
    assert forged(lambda query: query["targets"].append([47, -1, [16] * 24])) == ""
    assert forged(bound(Fraction(1, 2))) == ""


def places(value, path=()):
    """Paths of all numbers."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for k, child in items:
            yield from places(child, (*path, k))
    else:
        yield path


def test_random_mutations_are_rejected_or_true():
    """Whatever is accepted is true at the points where the margin is least; nothing is raised."""
    asked, query = proved_with_facts()
    rng, network = random.Random(5), asked.network.exact
    points = points_of(np.random.default_rng(3), asked, 4000)
    least = asked.margin(asked.set.nearest(points[asked.margins(points)[0].argmin()].tolist()))
    kinds = {}
    for path in places({k: query[k] for k in ("targets", "trees", "bound", "facts")}):
        kind = (path[0], *[k for k in path if isinstance(k, str)][-1:], len(path) > 4)
        kinds.setdefault(kind, []).append(path)
    accepted = rejected = 0
    for _ in range(200):
        changed = copy.deepcopy(query)
        *way, last = rng.choice(rng.choice(list(kinds.values())))
        at = changed
        for k in way:
            at = at[k]
        old = at[last]
        size = old if isinstance(old, int) else 1
        at[last] = rng.choice(
            [
                size + 1,
                size - 1,
                -size,
                0,
                1,
                2 * size,
                16,
                size << 70,
                0.5,
                True,
                None,
                "1",
                [],
                {},
            ]
        )
        if isinstance(old, str):
            factor = Fraction(rng.choice([2, 10, 1000, 10**6, 10**9]), rng.choice([1, 3]))
            at[last] = str(Fraction(old) * factor)
        if checker.check(network, changed):
            rejected += 1
        else:
            accepted += 1
            assert Fraction(changed["bound"]) <= least, (way, last, old)
    assert rejected > 80
    assert accepted > 15
