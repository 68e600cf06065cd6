"""Graphs of affine maps and ReLUs as chains of layers: the same function exactly, or within the
bound that is said.
"""

from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from constructions import (
    Affine,
    Dense,
    Identity,
    Kron,
    ReLUNetwork,
    Sparse,
    interval_bounds,
    source_difference,
)
from constructions.graphs.graph import Graph
from constructions.graphs.origin import Errors, Origin, passed
from constructions.linear.matrix import column, nearest, product, sparse, zeros

SEEDS = st.integers(0, 2**32 - 1)


def matrix(r, rows, columns):
    entries = r.integers(-7, 8, (rows, columns)) * 2.0 ** r.choice(
        [-60, -1, 0, 60], (rows, columns), p=[0.1, 0.4, 0.4, 0.1]
    )
    entries[r.random((rows, columns)) < 0.3] = 0
    dense = Dense(torch.from_numpy(entries))
    return dense if r.random() < 0.5 else sparse(dense)


def random_graph(seed):
    """A graph whose nodes use any earlier ones, and its last node."""
    r = np.random.default_rng(seed)
    graph = Graph(int(r.integers(1, 4)))
    nodes = [0]
    for _ in range(r.integers(1, 9)):
        if r.random() < 0.4:
            nodes.append(graph.relu(nodes[r.integers(len(nodes))]))
            continue
        size = int(r.integers(1, 4))
        chosen = [nodes[i] for i in r.integers(0, len(nodes), r.integers(0, 4))]
        terms = []
        for node in chosen:
            width = graph.nodes[node].size
            terms.append(
                (
                    node,
                    Identity(size)
                    if width == size and r.random() < 0.4
                    else matrix(r, size, width),
                )
            )
        nodes.append(graph.linear(terms, column(matrix(r, size, 1).to_dense())))
    return graph, nodes[-1]


def exact(graph, point):
    values = []
    for node in graph.nodes:
        if node.source is not None:
            values.append([max(Fraction(0), v) for v in values[node.source]])
        elif node.bias is None:
            values.append(point)
        else:
            total = [Fraction(v) for v in node.bias.to_dense()[:, 0].tolist()]
            for source, weight in node.terms:
                for i, row in enumerate(weight.to_dense().tolist()):
                    total[i] += sum(
                        (Fraction(w) * v for w, v in zip(row, values[source], strict=True)),
                        Fraction(0),
                    )
            values.append(total)
    return values


@given(SEEDS)
def test_the_layers_compute_the_graph_exactly(seed):
    graph, output = random_graph(seed)
    compiled = graph.compile(output)
    assert all(error is None for error in compiled.errors)
    network = ReLUNetwork(tuple(compiled.layers))
    r = np.random.default_rng(seed)
    for _ in range(3):
        point = [Fraction(int(v), 4) for v in r.integers(-12, 13, graph.nodes[0].size)]
        assert network.exact(point).tolist() == exact(graph, point)[output]


@given(SEEDS)
def test_enclosures_hold_the_values(seed):
    graph, _ = random_graph(seed)
    points = torch.from_numpy(
        np.random.default_rng(seed).integers(-12, 13, (3, graph.nodes[0].size)) / 4
    )
    for i, point in enumerate(points.tolist()):
        values = exact(graph, [Fraction(v) for v in point])
        for (value, error), true in zip(
            graph.enclosures(points, torch.float64), values, strict=True
        ):
            pairs = zip(value[i].tolist(), error[i].tolist(), true, strict=True)
            assert all(abs(Fraction(v) - t) <= Fraction(e) for v, e, t in pairs)


def test_relu_of_what_is_not_negative_costs_nothing():
    graph = Graph(1)
    once = graph.relu(0)
    assert len(graph.compile(graph.relu(graph.relu(once))).layers) == 2
    doubled = graph.linear([(once, Dense(torch.tensor([[2.0]])))], column([1.0]))
    assert len(graph.compile(graph.relu(doubled)).layers) == 2


def test_a_value_that_is_named_twice_counts_twice():
    graph = Graph(1)
    node = graph.linear(
        [(0, Dense(torch.tensor([[2.0]]))), (0, Dense(torch.tensor([[0.5]])))], zeros(1, 1)
    )
    assert ReLUNetwork(tuple(graph.compile(node).layers)).exact([1])[0] == Fraction(5, 2)


def test_errors_stay_with_their_units_when_values_are_carried():
    """An error where no weight is: the unit that it speaks of must be carried, too."""
    graph = Graph(2)
    unit = graph.relu(0)
    slip = Sparse(
        (1, 2),
        torch.tensor([0, 0]),
        torch.tensor([0, 1]),
        torch.tensor([0.5, 0.25], dtype=torch.float64),
    )
    only = Sparse(
        (1, 2), torch.tensor([0]), torch.tensor([0]), torch.tensor([1.0], dtype=torch.float64)
    )
    rough = graph.linear([(unit, only)], zeros(1, 1), errors=((slip,), zeros(1, 1)))
    bent = graph.relu(graph.linear([(rough, Dense(torch.tensor([[1.0]])))], column([-1.0])))
    output = graph.linear([(rough, Identity(1)), (bent, Identity(1))], zeros(1, 1))
    compiled = graph.compile(output)
    layers = tuple(compiled.layers)
    network = ReLUNetwork(
        layers, origin=Origin("test", "", 0, errors=tuple(compiled.errors), layers=layers)
    )
    assert source_difference(network, (0.0, 1.0)) >= 2 * 0.75  # x_0 / 2 + x_1 / 4, in both summands


# -- what is rounded -------------------------------------------------------------------------------


def norm_exactly(values, layer):
    """Batch normalization with 60 digits."""
    getcontext().prec = 60
    found = []
    for i, v in enumerate(values):
        scale, shift, mean, variance = (
            Fraction(t[i].item())
            for t in (layer.weight, layer.bias, layer.running_mean, layer.running_var)
        )
        radicand = variance + Fraction(layer.eps)
        root = Fraction((Decimal(radicand.numerator) / Decimal(radicand.denominator)).sqrt())
        found.append((v - mean) / root * scale + shift)
    return found


def evaluated(module, point):
    values = point
    for layer in module:
        if isinstance(layer, nn.Linear):
            rows = zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
            values = [
                sum((Fraction(w) * v for w, v in zip(row, values, strict=True)), Fraction(b))
                for row, b in rows
            ]
        elif isinstance(layer, nn.BatchNorm1d):
            values = norm_exactly(values, layer)
        elif isinstance(layer, Divided):
            values = [v / Fraction(layer.by) for v in values]
        else:
            values = [max(Fraction(0), v) for v in values]
    return values


class Divided(nn.Module):
    def __init__(self, by):
        super().__init__()
        self.by = by

    def forward(self, x):
        return x / self.by


def random_module(seed):
    r = np.random.default_rng(seed)
    torch.manual_seed(seed)
    width, layers = int(r.integers(1, 5)), []
    for _ in range(r.integers(1, 7)):
        kind = r.integers(4)
        if kind == 0:
            after = int(r.integers(1, 5))
            layers.append(nn.Linear(width, after))
            width = after
        elif kind == 1:
            layers.append(nn.BatchNorm1d(width, eps=float(10.0 ** r.integers(-6, 0))))
            layers[-1].running_mean.normal_(0, 10.0 ** r.integers(-2, 3))
            layers[-1].running_var.uniform_(0.0, 10.0 ** r.integers(-3, 3))
            nn.init.normal_(layers[-1].weight)
            nn.init.normal_(layers[-1].bias)
            layers[-1].weight.data[0] *= int(r.integers(0, 2))
        elif kind == 2:
            layers.append(Divided(float(r.choice([3.0, 0.3081, 0.1, 4.0, -7.0]))))
        else:
            layers.append(nn.ReLU())
    inputs = next(
        (
            m.in_features if isinstance(m, nn.Linear) else m.num_features
            for m in layers
            if not isinstance(m, (nn.ReLU, Divided))
        ),
        width,
    )
    return nn.Sequential(*layers).double().eval(), inputs


def check_rounding(seed):
    module, inputs = random_module(seed)
    network = ReLUNetwork.from_module(module, (inputs,))
    r = np.random.default_rng(seed)
    lower = r.normal(size=inputs) * 3
    upper = lower + r.random(inputs) * 10.0 ** r.integers(-3, 2)
    bound = source_difference(network, (lower, upper))
    low, high = (v.tolist() for v in interval_bounds(network, (lower, upper)))
    for part in ([0] * inputs, [8] * inputs, r.integers(0, 9, inputs).tolist()):
        point = [
            Fraction(a) + Fraction(int(t), 8) * (Fraction(b) - Fraction(a))
            for a, b, t in zip(lower, upper, part, strict=True)
        ]
        true, read = evaluated(module, point), network.exact(point).tolist()
        assert all(
            abs(s - v) <= Fraction(e) for s, v, e in zip(true, read, bound.tolist(), strict=True)
        )
        assert all(Fraction(a) <= s <= Fraction(b) for a, s, b in zip(low, true, high, strict=True))
    assert network.origin.is_exact == (not bool(bound.any())) or not bound.any()
    scale = max(1.0, float(interval_bounds(network, (lower, upper))[1].abs().max()))
    assert bound.max() <= 1e-6 * scale  # nor is it useless


@given(SEEDS)
def test_what_is_rounded_is_bounded(seed):
    check_rounding(seed)


@pytest.mark.slow
def test_what_is_rounded_is_bounded_many_times():
    for seed in range(250):
        check_rounding(seed)


@pytest.mark.parametrize("scales", [(-500, -530, 1000), (-600, -600, 1000)])
def test_errors_do_not_underflow(scales):
    """The error of the first factor, 2^-53 of it, vanished in the product with the second one."""
    first, second, third = (2.0**k for k in scales)
    graph = Graph(1)
    off = ((Dense([[first * 2.0**-53]]),), zeros(1, 1))
    node = graph.linear([(0, Dense([[first]]))], zeros(1, 1), errors=off)
    node = graph.linear([(node, Dense([[second]]))], zeros(1, 1))
    compiled = graph.compile(graph.linear([(node, Dense([[third]]))], zeros(1, 1)))
    (layer,), (error,) = compiled.layers, compiled.errors
    source = Fraction(first) * (1 + Fraction(1, 2**53)) * Fraction(second) * Fraction(third)
    away = abs(source - Fraction(layer.weight.to_dense().item()))
    assert away <= Fraction(error.weight.to_dense().item())


def test_differences_do_not_underflow():
    weights = [2.0**-600, 2.0**-600, 2.0**1000]
    layers = tuple(Affine(Dense([[w]]), zeros(1, 1)) for w in weights)
    errors = (Errors(Dense([[weights[0]]]), zeros(1, 1)), None, None)
    origin = Origin("module", "0" * 64, 1, errors=errors, layers=layers)
    bound = source_difference(ReLUNetwork(layers, origin=origin), (0.0, 1.0)).item()
    assert bound >= 2.0**-200  # a source with twice the first weight


def test_errors_of_kronecker_products_that_float64_does_not_hold():
    """Bounds of products, whose entries are rounded on the way."""
    tenths = Kron(Dense([[0.1, 0.7]]), Dense([[0.3], [1 / 3]]))
    outer, inner = Affine(tenths, zeros(2, 1)), Affine(Dense([[0.1], [3.0]]), column([0.3, 0.1]))
    small = Errors(Dense([[1e-9], [0.0]]), zeros(2, 1))
    error = passed(outer, None, inner, small, False)
    rows = [[Fraction(v) * Fraction(w) for v in (0.1, 0.7)] for w in (0.3, 1 / 3)]
    found = nearest(product(nearest(tenths), inner.weight)).to_dense()[:, 0].tolist()
    for row, value, bound in zip(rows, found, error.weight.to_dense()[:, 0].tolist(), strict=True):
        source = row[0] * (Fraction(0.1) + Fraction(1e-9)) + row[1] * 3
        assert abs(source - Fraction(value)) <= Fraction(bound) < 1e-9


def test_errors_have_the_layers_shapes():
    network = ReLUNetwork.from_module(
        nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.BatchNorm1d(3)).eval()
    )
    assert [error is None for error in network.origin.errors] == [True, False]
    (error,) = (error for error in network.origin.errors if error)
    assert isinstance(error, Errors)
    assert (error.weight.shape, error.bias.shape) == ((3, 3), (3, 1))
    assert network.origin.rounded == ("module.2 (BatchNorm1d)",)
