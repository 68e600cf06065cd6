"""Composition, parallel evaluation, copies, delays and sums against the same operations on
functions.
"""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import evaluate, layers_of, random_network
from torch import nn

from constructions import (
    Constant,
    Identity,
    Kron,
    ReLUNetwork,
    add,
    affine,
    compose,
    copies,
    delay,
    distance,
    load,
    maximum,
    parallel,
    parts,
    source_difference,
    squaring,
)

SEEDS = st.integers(0, 10**6)
HIDDEN = st.lists(st.integers(1, 4), max_size=2)


@st.composite
def networks(draw, inputs=None, outputs=None):
    """A small random network with weights k/4."""
    ends = [draw(st.integers(1, 3)) if n is None else n for n in (inputs, outputs)]
    return random_network(np.random.default_rng(draw(SEEDS)), (ends[0], *draw(HIDDEN), ends[1]))


def points(network, seed=0):
    generator = np.random.default_rng(seed)
    return [
        [Fraction(int(k), 3) for k in generator.integers(-9, 10, network.inputs)] for _ in range(3)
    ]


def depth(network):
    return network.size.depth


@given(data=st.data())
def test_compose_is_composition_and_depths_add(data):
    inner = data.draw(networks())
    middle = data.draw(networks(inputs=inner.outputs))
    outer = data.draw(networks(inputs=middle.outputs))
    network = compose(outer, middle, inner)
    assert depth(network) == depth(outer) + depth(middle) + depth(inner)
    for x in points(network):
        assert network.exact(x).tolist() == evaluate(outer, evaluate(middle, evaluate(inner, x)))
    x = torch.tensor(points(network)[0], dtype=torch.float64).round()
    assert torch.equal(network(x), outer(middle(inner(x))))


@given(data=st.data())
def test_compose_is_associative(data):
    inner = data.draw(networks())
    middle = data.draw(networks(inputs=inner.outputs))
    outer = data.draw(networks(inputs=middle.outputs))
    left, right = compose(compose(outer, middle), inner), compose(outer, compose(middle, inner))
    for (weight, bias), (other_weight, other_bias) in zip(
        layers_of(left), layers_of(right), strict=True
    ):
        assert np.array_equal(weight, other_weight)
        assert np.array_equal(bias, other_bias)


@given(data=st.data(), count=st.integers(1, 3))
def test_parallel_is_the_pair_and_depth_is_the_largest(data, count):
    first = data.draw(networks())
    rest = [data.draw(networks(inputs=first.inputs)) for _ in range(count - 1)]
    network = parallel(first, *rest)
    assert depth(network) == max(depth(f) for f in (first, *rest))
    for x in points(network):
        assert network.exact(x).tolist() == [v for f in (first, *rest) for v in evaluate(f, x)]


@given(data=st.data(), count=st.integers(1, 4))
def test_copies_act_on_separate_inputs(data, count):
    one = data.draw(networks())
    network = copies(count, one)
    assert depth(network) == depth(one)
    assert network.size.parameters == count * one.size.parameters
    assert network.size.stored <= one.size.stored + 2 * len(one.layers)
    for x in points(network):
        chunks = [x[k * one.inputs : (k + 1) * one.inputs] for k in range(count)]
        assert network.exact(x).tolist() == [v for chunk in chunks for v in evaluate(one, chunk)]


@given(data=st.data(), layers=st.integers(0, 3))
def test_delay_changes_the_depth_only(data, layers):
    network = data.draw(networks())
    late = delay(network, layers)
    assert depth(late) == depth(network) + layers
    assert late.hidden == network.hidden + (2 * network.outputs,) * layers
    for x in points(network):
        assert late.exact(x).tolist() == evaluate(network, x)


@given(data=st.data(), layers=st.integers(0, 3))
def test_nonnegative_delay_carries_the_positive_part(data, layers):
    network = data.draw(networks())
    late = delay(network, layers, nonnegative=True)
    assert depth(late) == depth(network) + layers
    assert late.hidden == network.hidden + (network.outputs,) * layers
    for x in points(network):
        values = evaluate(network, x)
        assert late.exact(x).tolist() == (
            [max(Fraction(0), v) for v in values] if layers else values
        )


@given(data=st.data(), count=st.integers(1, 3))
def test_add_is_the_sum(data, count):
    first = data.draw(networks())
    rest = [
        data.draw(networks(inputs=first.inputs, outputs=first.outputs)) for _ in range(count - 1)
    ]
    network = add(first, *rest)
    assert depth(network) == max(depth(f) for f in (first, *rest))
    for x in points(network):
        values = [evaluate(f, x) for f in (first, *rest)]
        assert network.exact(x).tolist() == [sum(column) for column in zip(*values, strict=True)]


@given(data=st.data())
def test_operations_on_structured_networks(data):
    """The same laws where layers are Kronecker products and blocks."""
    n = data.draw(st.integers(1, 3))
    square = copies(n, squaring(2))
    both = parallel(square, affine(Constant(2, n, 0.5)))
    network = compose(affine(Constant(1, n + 2)), both)
    for x in ([Fraction(k + 1, n + 2) for k in range(n)], [Fraction(0)] * n):
        expected = sum(v for t in x for v in evaluate(squaring(2), [t])) + sum(x)
        assert network.exact(x).tolist() == [expected]


# -- affine ----------------------------------------------------------------------------------------


def test_affine_takes_numbers_and_matrices():
    expected = [[2.0, 12.0]]
    assert affine([[1.0, 0.0], [0.0, 2.0]], [1.0, 8.0])([[1.0, 2.0]]).tolist() == expected
    assert (
        affine(torch.diag(torch.tensor([1.0, 2.0])), torch.tensor([1.0, 8.0]))(
            [[1.0, 2.0]]
        ).tolist()
        == expected
    )
    assert affine(Identity(2), Constant(2, 1, 3.0))([[1.0, 2.0]]).tolist() == [[4.0, 5.0]]
    assert affine(Identity(2)).size.parameters == 2
    assert affine(Identity(2), domain=(0.0, 1.0)).domain == (0.0, 1.0)


# -- structure, domains and provenance -------------------------------------------------------------


def test_compositions_stay_small():
    n = 100_000
    tall = compose(affine(Constant(1, n)), copies(n, squaring(8)), affine(Constant(n, 1)))
    assert tall.size.stored <= squaring(8).size.stored + 3 * len(tall.layers)
    assert isinstance(tall.layers[1].weight, Kron)
    assert tall([[0.5]]).item() == n / 4


def test_domains_are_those_of_the_input():
    unit, half = squaring(2), maximum(1)
    assert compose(unit, unit).domain == (0.0, 1.0)
    assert compose(unit, affine([[0.5]])).domain is None
    assert parallel(unit, half).domain == (0.0, 1.0)
    assert parallel(affine([[1.0]], domain=(-1.0, 0.5)), unit).domain == (0.0, 0.5)
    assert add(unit, affine([[1.0]])).domain == (0.0, 1.0)
    assert copies(3, unit).domain == delay(unit, 2).domain == (0.0, 1.0)


def test_parts_are_counted():
    network = compose(affine(Constant(1, 5)), copies(5, squaring(3)))
    graph = parts(network)
    assert [(graph.edges[0, k]["count"], graph.nodes[k]["provenance"].title) for k in graph[0]] == [
        (5, "squaring(m=3, D=1, K=1)")
    ]
    twice = parallel(squaring(3), squaring(3), squaring(4))
    assert [(times, part.title) for times, part in twice.provenance.parts] == [
        (2, "squaring(m=3, D=1, K=1)"),
        (1, "squaring(m=4, D=1, K=1)"),
    ]
    assert copies(4, twice).provenance.parts[0][0] == 8
    assert delay(squaring(3), 2).provenance.parts[0][0] == 1
    assert compose(affine([[1.0]])).provenance is None


# -- errors ----------------------------------------------------------------------------------------


def test_networks_that_do_not_fit_are_refused():
    two, three = affine(Identity(2)), affine(Identity(3))
    with pytest.raises(ValueError, match="the outer network takes 3 numbers, the inner gives 2"):
        compose(three, two)
    with pytest.raises(ValueError, match=r"share their input, got input dimensions \[2, 3\]"):
        parallel(two, three)
    with pytest.raises(ValueError, match=r"equal output dimensions, got \[2, 1\]"):
        add(two, affine([[1.0, 1.0]]))
    with pytest.raises(ValueError, match="input dimensions"):
        add(affine([[1.0, 1.0]]), affine([[1.0]]))
    for empty in (compose, parallel, add):
        with pytest.raises(ValueError, match="at least one network"):
            empty()


def test_numbers_of_copies_and_layers_are_checked():
    with pytest.raises(ValueError, match="count must be an integer >= 1, got 0"):
        copies(0, squaring(1))
    with pytest.raises(ValueError, match="layers must be >= 0, got -1"):
        delay(squaring(1), -1)
    with pytest.raises(ValueError, match="finite"):
        affine([[float("nan")]])
    with pytest.raises(ValueError, match="two axes"):
        affine([1.0])
    with pytest.raises(ValueError, match="bias must have shape"):
        affine([[1.0]], [1.0, 2.0])
    with pytest.raises(ValueError, match="domain must be an interval"):
        parallel(affine([[1.0]], domain=(0.0, 1.0)), affine([[1.0]], domain=(2.0, 3.0)))


def test_a_delayed_distance_is_still_a_distance():
    network = delay(distance([[0.25, 0.5], [1.0, 0.0]], "inf"), 2, nonnegative=True)
    assert network([[0.5, 0.5]]).tolist() == [[0.25, 0.5]]


# -- what was rounded when the parts were read -----------------------------------------------------


def normalized(inputs, outputs, seed):
    """(module, network): rounded by less than is said."""
    torch.manual_seed(seed)
    norms = nn.BatchNorm1d(4), nn.BatchNorm1d(outputs)
    parts = nn.Linear(inputs, 4), norms[0], nn.ReLU(), nn.Linear(4, outputs), norms[1]
    module = nn.Sequential(*parts).double().eval()
    for norm in norms:
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.3, 2)
    return ReLUNetwork.from_module(module)


def moved(network, seed):
    """One of the networks that it may stand for: each entry off by its bound, up or down."""
    r = np.random.default_rng(seed)
    layers = []
    for layer, error in zip(network.layers, network.origin.errors, strict=True):
        parts = []
        for name in ("weight", "bias"):
            values = getattr(layer, name).to_dense().numpy()
            off = getattr(error, name).to_dense().numpy() if error else np.zeros(values.shape)
            signs = r.choice([-1, 1], values.shape)
            parts.append(
                [
                    [Fraction(v) + int(s) * Fraction(o) for v, s, o in zip(*row, strict=True)]
                    for row in zip(values.tolist(), signs.tolist(), off.tolist(), strict=True)
                ]
            )
        layers.append(parts)
    return layers


def exact_values(layers, x):
    for i, (weight, bias) in enumerate(layers):
        x = [max(v, Fraction(0)) for v in x] if i else x
        x = [
            sum((w * v for w, v in zip(row, x, strict=True)), b[0])
            for row, b in zip(weight, bias, strict=True)
        ]
    return x


@pytest.mark.parametrize("seed", range(4))
def test_results_keep_what_their_parts_were_rounded_by(seed, tmp_path):
    a, b = normalized(2, 3, seed), normalized(3, 3, seed + 10)
    first, second = moved(a, seed), moved(b, seed + 1)
    f, g = (lambda x: exact_values(first, x)), (lambda x: exact_values(second, x))
    grid = affine([[0.5, -1.0, 2.0]], [0.25])
    thirds = affine([[0.1, 0.7, 1 / 3]], [0.3])  # no product with it is a float64
    inner = affine([[3.0, 1.0], [0.1, 0.2]])
    row = lambda net, x: net.exact([x])[0].tolist()  # noqa: E731
    cases = {
        "two": (compose(b, a), lambda x: g(f(x))),
        "merged": (compose(grid, a), lambda x: row(grid, f(x))),
        "carried": (compose(thirds, a), lambda x: row(thirds, f(x))),
        "rounded": (compose(affine([[1.0, 1.0, 0.0]]), a, exact=False), lambda x: [sum(f(x)[:2])]),
        "first": (compose(a, inner), lambda x: f(row(inner, x))),
        "beside": (
            parallel(a, compose(grid, a), affine([[1.0, 2.0]])),
            lambda x: [*f(x), *row(grid, f(x)), x[0] + 2 * x[1]],
        ),
        "sum": (
            add(a, compose(b, a)),
            lambda x: [v + w for v, w in zip(f(x), g(f(x)), strict=True)],
        ),
        "copies": (copies(2, a), lambda x: f(x[:2]) + f(x[2:])),
        "later": (delay(a, 2), f),
    }
    for name, (network, source) in cases.items():
        assert network.origin is not None, name
        assert not network.origin.is_exact, name
        bound = source_difference(network, (-1.0, 1.0))
        assert bool((bound < 1e-11).all()), name
        for _ in range(3):
            x = [
                Fraction(int(v), 8)
                for v in np.random.default_rng(seed).integers(-8, 9, network.inputs)
            ]
            off = [abs(v - w) for v, w in zip(row(network, x), source(x), strict=True)]
            assert all(v <= Fraction(e) for v, e in zip(off, bound.tolist(), strict=True)), name
            assert any(off), name
        network.save(tmp_path / "a.safetensors")
        again = load(tmp_path / "a.safetensors")
        assert again.origin.digest == network.origin.digest
        assert source_difference(again, (-1.0, 1.0)).tolist() == bound.tolist()


def test_other_compositions_of_the_same_networks_have_other_digests():
    def third(variance):
        norm = nn.BatchNorm1d(1).double().eval()
        norm.running_var.fill_(variance)
        return ReLUNetwork.from_module(norm)

    f, g = third(3.0), third(5.0)

    def made():
        both = (how(*pair) for how in (compose, parallel, add) for pair in ((f, g), (g, f)))
        return [*both, copies(2, f), copies(3, f), compose(f), delay(f, 1), delay(f, 2)]

    digests = [network.origin.digest for network in made()]
    assert len(set(digests)) == len(digests)
    assert digests == [network.origin.digest for network in made()]


def test_results_of_exact_parts_have_no_origin():
    read = ReLUNetwork.from_module(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)))
    assert read.origin.is_exact
    assert compose(read, read).origin is parallel(read, read).origin is copies(2, read).origin
    assert compose(read, read).origin is None


def test_compositions_of_rounded_networks_are_not_proved_at_a_tie():
    """1 - x / 3 is 0 at 3, where the network that is read says 2^-54."""
    third = nn.BatchNorm1d(1, eps=0.0, affine=False).double().eval()
    third.running_var.fill_(9.0)
    network = compose(affine([[-1.0]], [1.0]), ReLUNetwork.from_module(third))
    assert network.exact([3])[0] > 0
    assert network.exact([3])[0] <= Fraction(source_difference(network, (0.0, 3.0)).item())
    assert "from composition (module) " in str(network)
