"""Random questions about small networks, and points of their sets; a trained network."""

import dataclasses
import itertools
from fractions import Fraction
from functools import cache

import numpy as np
import torch

from analysis.branching.search import Search
from analysis.search.layers import bound_layers
from analysis.search.prepared import prepare
from analysis.search.question import Question
from analysis.search.sets import ExactSet
from constructions import ReLUNetwork


def random_layers(rng, outputs):
    """2 to 4 hidden layers of 3 to 12 units, 2 to 5 inputs; every second network in float32."""
    widths = [rng.integers(2, 6), *rng.integers(3, 13, rng.integers(2, 5)), outputs]
    kind = rng.choice([np.float32, np.float64])
    return [
        (
            (rng.normal(size=(b, a)) * 1.5 / np.sqrt(a)).astype(kind).astype(float),
            (rng.normal(size=b) / 2).astype(kind).astype(float),
        )
        for a, b in itertools.pairwise(widths)
    ]


def dyadic(values):
    return [Fraction(round(float(v) * 256), 256) for v in values]


def question_of(rng, share):
    """A question whose margin is 0 where that share of some points of its set is below."""
    outputs = int(rng.choice([1, 3]))
    layers = random_layers(rng, outputs)
    label = int(rng.choice([-1, 1])) if outputs == 1 else int(rng.integers(outputs))
    centre = rng.normal(size=layers[0][0].shape[1])
    reach = rng.choice([0.1, 0.4, 1.0]) * (0.5 + rng.random(len(centre)))
    lower, upper = dyadic(centre - reach), dyadic(centre + reach)
    ball = (dyadic(centre), Fraction(round(256 * reach.max()), 256)) if rng.random() < 0.4 else None
    set_ = ExactSet(lower, upper, ball)
    asked = Question(prepare(ReLUNetwork.from_layers(layers)), set_, label)
    shift = -np.quantile(asked.margins(points_of(rng, asked))[0], share)
    layers[-1][1][label if outputs > 1 else 0] += shift * (label if outputs == 1 else 1)
    return Question(prepare(ReLUNetwork.from_layers(layers)), set_, label)


def points_of(rng, asked, count=2000):
    """Points of a question's set: inside, corners, and some on the way down, (n, d)."""
    inputs = asked.inputs
    points = inputs.lower + (inputs.upper - inputs.lower) * rng.random((count, len(inputs.lower)))
    corners = rng.integers(0, 2, (count // 4, len(inputs.lower)))
    points = np.concatenate([points, inputs.lower + (inputs.upper - inputs.lower) * corners])
    points = inputs.project(points)
    lowest = points[asked.margins(points)[0].argsort()[:100]]
    for _ in range(20):
        step = 0.05 * np.sign(asked.margins(lowest)[1]) * (inputs.upper - inputs.lower)
        lowest = inputs.project(lowest - step)
        points = np.concatenate([points, lowest])
    return points


def units_of(asked, points):
    """z of each hidden layer, [(n, units), ...], and the goals (n, t), in float64."""
    below, out = points, []
    for weight, bias in asked.network.arrays[:-1]:
        out.append(below @ weight.T + bias)
        below = np.maximum(out[-1], 0)
    return out, below @ asked.forms.T + asked.constants


@cache
def trained():
    """A network of 12-24-24-1 that is trained in a second, and the centres of its training set."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(160, 12, generator=generator)
    y = torch.sign(torch.sin(9 * x[:, 0]) + x[:, 1] - x[:, 2])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Linear(12, 24),
            torch.nn.ReLU(),
            torch.nn.Linear(24, 24),
            torch.nn.ReLU(),
            torch.nn.Linear(24, 1),
        )
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        torch.nn.functional.softplus(-y * net(x)[:, 0]).mean().backward()
        optimizer.step()
    arrays = [t.detach().double().numpy() for t in net.parameters()]
    layers = list(zip(arrays[::2], arrays[1::2], strict=True))
    return ReLUNetwork.from_layers(layers), x.double().numpy(), y.int().tolist()


def shifted(asked, by):
    """The question with a margin that is larger by a number."""
    *hidden, (weight, bias) = asked.network.arrays
    up, at = (by, asked.label) if len(bias) > 1 else (by * asked.label, 0)
    layers = [*hidden, (weight, bias + up * (np.arange(len(bias)) == at))]
    return dataclasses.replace(asked, network=prepare(ReLUNetwork.from_layers(layers)))


def nodes(query):
    """All nodes of the trees."""
    stack = list(query["trees"])
    while stack:
        node = stack.pop()
        stack += [node[side] for side in ("on", "off") if side in node]
        yield node


@cache
def proved_with_facts():
    """A question about the trained network, with a proof of several leaves and facts of nodes."""
    network, points, labels = trained()
    for point, label in zip(points[:20], labels, strict=False):
        box = ExactSet(dyadic(point - 0.15), dyadic(point + 0.15))
        asked = Question(prepare(network), box, label)
        least = asked.margins(points_of(np.random.default_rng(0), asked))[0].min()
        asked = shifted(asked, 0.3 - least)
        query = Search(asked, 100.0).by_bounds(bound_layers(asked, np.inf))
        if query and query["verdict"] == "proved" and sum("leaf" in n for n in nodes(query)) > 4:
            return asked, query
    raise AssertionError("no box of the trained network needs several leaves")
