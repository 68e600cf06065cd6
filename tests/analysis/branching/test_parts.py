"""Bounds of many parts in float32, beside what units and goals are at points."""

import numpy as np
import pytest
import torch
from random_questions import points_of, question_of, units_of

from analysis.branching import parts as parts_module
from analysis.branching.contraction import SLOPES, WEIGHTS, Targets, contract, scales, tuned
from analysis.branching.parts import Goal, Parts, optimise
from analysis.search.layers import bound_layers

ROUNDING = 1e-4
"""What float32 may be off by, in units of the widest bound."""

FINE = 1e-9
"""What float64 may be off by, likewise, where a goal is taken thousands of times: bounds of units
are checked in float64.
"""


def case(seed, share):
    """(random generator, goal, the root, bounded layers, z of each layer and goals at points)."""
    rng = np.random.default_rng([seed, 11])
    asked = question_of(rng, share)
    bounded = bound_layers(asked, np.inf)
    goal = Goal.of(bounded.layers, bounded.forms[0], float(asked.constants[0]), asked.inputs)
    units, goals = units_of(asked, points_of(rng, asked))
    return rng, goal, Parts.root(bounded.layers), units, goals[:, 0]


def split(rng, parts, units):
    """A random open unit cut, if there is one: the parts joined, and which points are in each."""
    is_open = [((a < 0) & (b > 0))[0] for a, b in zip(parts.low, parts.high, strict=True)]
    if not any(v.any() for v in is_open):
        return parts, [np.ones(len(units[0]), bool)]
    k = int(rng.choice([i for i, v in enumerate(is_open) if v.any()]))
    j = int(rng.choice(is_open[k].nonzero()[:, 0].numpy()))
    sides = [parts.split(torch.tensor([k]), torch.tensor([j]), on) for on in (True, False)]
    return Parts.joined(sides), [units[k][:, j] >= 0, units[k][:, j] <= 0]


def some_targets(rng, parts, layer):
    """All units of a layer, with random slopes."""
    width = (parts.high[layer] - parts.low[layer])[0]
    units, count = torch.arange(len(width)), 2 * len(width)
    slopes = [
        torch.tensor(rng.integers(0, SLOPES + 1, (count, a.shape[1])) / SLOPES, dtype=torch.float32)
        for a in parts.low[:layer]
    ]
    return Targets(layer, units, 1e-3 * width, torch.ones(count), slopes)


@pytest.mark.parametrize("seed", range(25))
def test_bounds_of_goals_are_below_what_goals_are(seed):
    rng, goal, root, units, goals = case(seed, 0.0)
    whole = optimise(goal, root, 20, np.inf)
    room = ROUNDING * (1 + float(whole.bounds.abs()))
    assert float(whole.bounds) <= goals.min() + room
    plain = optimise(goal, root, 0, np.inf)
    assert float(whole.bounds) >= float(plain.bounds) - room
    parts, inside = split(rng, whole.parts, units)
    found = optimise(goal, parts, 20, np.inf).bounds
    for bound, here in zip(found.tolist(), inside, strict=True):
        assert not here.any() or bound <= goals[here].min() + room


def test_optimised_bounds_are_better():
    gains = []
    for seed in range(8):
        _, goal, root, *_ = case(seed, 0.0)
        first, last = (float(optimise(goal, root, n, np.inf).bounds) for n in (0, 40))
        gains.append((last - first) / abs(first))
    assert np.median(gains) > 0.01


def check_units(step, row, inside, units, goals, rounding=ROUNDING):
    """Bounds hold at points of a part where the goal is <= 0; how much of its widths they cut."""
    k = step.targets.layer
    z = units[k][inside & (goals <= 0)]
    low, high = step.low[row].double().numpy(), step.high[row].double().numpy()
    before = step.before.low[k][row], step.before.high[k][row]
    room = rounding * (1 + max(float(t.abs().max()) for t in before))
    if len(z):
        assert (z >= low - room).all()
        assert (z <= high + room).all()
        assert (low <= high + 2 * room).all()
    return 1 - (high - low).sum() / (1e-9 + float((before[1] - before[0]).sum()))


@pytest.mark.parametrize("seed", range(25))
def test_bounds_of_units_hold_where_the_goal_is_at_most_0(seed, monkeypatch):
    monkeypatch.setattr(parts_module, "FLOAT", torch.float64)
    rng, goal, root, units, goals = case(seed, 0.1)
    assert goal.weight.dtype == root.low[0].dtype == torch.float64
    parts, everywhere = optimise(goal, root, 10, np.inf).parts, np.ones(len(goals), bool)
    lack, cut = torch.tensor([rng.choice([0.01, 0.3, 5.0])]), 0.0
    for k in reversed(range(len(units))):
        chosen = some_targets(rng, parts, k)
        chosen = tuned(goal, parts, chosen, lack) if k and seed % 2 else chosen
        assert all(bool(((t >= 0) & (t <= 1)).all()) for t in chosen.slopes)
        step = contract(goal, parts, chosen, scales(parts, chosen, lack), WEIGHTS)
        cut += check_units(step, 0, everywhere, units, goals, FINE)
        parts = step.after
    both, inside = split(rng, parts, units)
    chosen = some_targets(rng, both, 0)
    step = contract(goal, both, chosen, scales(both, chosen, lack.expand(len(both))), WEIGHTS)
    for row, here in enumerate(inside):
        check_units(step, row, here, units, goals, FINE)
    assert cut >= -FINE


def test_contraction_makes_units_narrower():
    cuts = []
    for seed in range(8):
        rng, goal, root, units, goals = case(seed, 0.02)
        k, found = len(units) - 1, optimise(goal, root, 20, np.inf)
        chosen = tuned(goal, found.parts, some_targets(rng, root, k), -found.bounds)
        base = scales(found.parts, chosen, -found.bounds)
        step = contract(goal, found.parts, chosen, base, (1.0,))
        cuts.append(check_units(step, 0, np.ones(len(goals), bool), units, goals))
    assert np.mean(cuts) > 0.05
