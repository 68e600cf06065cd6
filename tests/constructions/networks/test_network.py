"""Evaluation, sizes, exact arithmetic and conversions of networks against the slow oracles."""

import itertools
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import TOLERANCE, counts, evaluate, knots, layers_of, random_network
from torch import nn

from constructions import (
    Affine,
    Constant,
    Dense,
    Identity,
    Kron,
    Matrix,
    ReLUNetwork,
    Unknown,
    copies,
    distance,
    maximum,
    parallel,
    soft_indicator,
    squaring,
)
from constructions.linear.matrix import zeros
from constructions.networks.network import breakpoints_1d

FORMS = ("structured", "sparse", "dense")
WIDTHS = [(1, 1), (3, 2), (1, 4, 1), (3, 5, 2), (2, 1, 1, 3), (4, 6, 6, 2), (2, 3, 3, 3, 1)]


def real_network(widths, seed=0):
    """A network with generic float64 weights."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return ReLUNetwork.from_layers(
        [(draw(b, a) / a**0.5, draw(b)) for a, b in itertools.pairwise(widths)]
    )


def structured_network():
    """R^6 -> R^6 through Kronecker products, blocks, constants and identities."""
    inner = random_network(np.random.default_rng(1), (2, 3, 2))
    tiled = copies(3, inner)
    mixed = Affine(
        Kron(Identity(3), Dense(torch.tensor([[1.0, 1.0], [1.0, -1.0]]))), Constant(6, 1, -0.25)
    )
    return ReLUNetwork(
        (*tiled.layers[:-1], Affine(tiled.layers[-1].weight, tiled.layers[-1].bias), mixed)
    )


# -- evaluation ------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), widths=st.sampled_from(WIDTHS))
def test_values_of_dyadic_networks_are_exact(seed, widths):
    """Dyadic weights and inputs: float64, exact() and the oracle agree to the last bit."""
    generator = np.random.default_rng(seed)
    network = random_network(generator, widths)
    x = generator.integers(-8, 9, (3, widths[0])) / 4
    expected = [evaluate(network, row) for row in x.tolist()]
    assert network(x).tolist() == expected
    assert network.exact(x).tolist() == expected
    thirds = [Fraction(int(k), 3) for k in generator.integers(-9, 9, widths[0])]
    assert network.exact(thirds).tolist() == evaluate(network, thirds)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("build", [lambda: real_network((5, 40, 30, 3)), structured_network])
def test_modules_and_exact_agree(build, dtype):
    """All three module forms and the network itself against exact arithmetic, to the tolerance of
    the dtype.
    """
    network = build()
    x = torch.rand(7, network.inputs, dtype=dtype)
    exact = torch.tensor(
        [[float(v) for v in row] for row in network.exact(x.numpy())], dtype=torch.float64
    )
    scale = exact.abs().max().item()
    for evaluator in (network, *(network.to_module(form, dtype) for form in FORMS)):
        values = evaluator(x)
        assert values.dtype == dtype
        assert (values.double() - exact).abs().max() <= TOLERANCE[dtype] * scale


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("build", [lambda: real_network((5, 40, 30, 3)), structured_network])
def test_gradients_equal_those_of_the_dense_module(build, dtype):
    network = build()

    def gradient(evaluator):
        x = torch.rand(
            7,
            network.inputs,
            generator=torch.Generator().manual_seed(3),
            dtype=dtype,
            requires_grad=True,
        )
        return torch.autograd.grad((evaluator(x) ** 2).sum(), x)[0]

    expected = gradient(network.to_module("dense", dtype))
    for evaluator in (
        network,
        network.to_module("structured", dtype),
        network.to_module("sparse", dtype),
    ):
        assert torch.allclose(
            gradient(evaluator),
            expected,
            rtol=0,
            atol=TOLERANCE[dtype] * float(expected.abs().max()),
        )


def test_dense_module_is_trainable_and_the_others_have_no_parameters():
    network = real_network((3, 4, 2))
    assert (
        sum(p.numel() for p in network.to_module("dense").parameters())
        == network.size.dense_parameters
    )
    for form in ("structured", "sparse"):
        assert not list(network.to_module(form).parameters())
    with pytest.raises(
        ValueError, match="form must be 'structured', 'sparse' or 'dense', got 'csr'"
    ):
        network.to_module("csr")


def test_inputs_of_many_shapes_and_kinds():
    network = random_network(np.random.default_rng(0), (3, 4, 2))
    x = torch.arange(24).reshape(2, 4, 3)
    values = network(x)  # integers become float64
    assert values.shape == (2, 4, 2)
    assert values.dtype == torch.float64
    assert torch.equal(network(x.double()), values)
    assert torch.equal(network(x.tolist()), values)
    assert torch.equal(network(x.numpy()), values)
    assert torch.equal(network(x[0, 0]), values[0, 0])
    assert network(torch.empty(0, 3)).shape == (0, 2)
    assert network.exact(x.numpy()).tolist() == values.tolist()
    assert network.exact(np.empty((0, 3))).shape == (0, 2)


# -- memory ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Spy(Matrix):
    """Another matrix that notes how many points it is applied to at a time."""

    inner: Matrix
    batches: list = field(default_factory=list)
    shape = property(lambda self: self.inner.shape)
    nonzeros = property(lambda self: self.inner.nonzeros)
    stored = property(lambda self: self.inner.stored)

    def apply(self, x):
        self.batches.append(x.shape[0])
        return self.inner.apply(x)

    def coordinates(self):
        return self.inner.coordinates()

    def absolute(self):
        return self.inner.absolute()


@pytest.mark.parametrize("tracked", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_batches_are_split_to_bound_memory(monkeypatch, tracked, dtype):
    plain = random_network(np.random.default_rng(0), (3, 10, 20, 2))
    spies = [Spy(layer.weight) for layer in plain.layers]
    network = ReLUNetwork(
        tuple(Affine(spy, layer.bias) for spy, layer in zip(spies, plain.layers, strict=True))
    )
    x = torch.randint(-8, 9, (100, 3)).to(dtype).div(4).requires_grad_(tracked)
    expected = plain(x)
    (slope,) = torch.autograd.grad(expected.square().sum(), x) if tracked else (None,)
    # the widest neighbours have 10 + 20 units: seven points at a time
    limit = 30 * x.element_size() * 7
    monkeypatch.setattr("constructions.networks.network.MEMORY_LIMIT", limit)
    values = network(x)
    assert torch.equal(values, expected)
    assert values.requires_grad == tracked
    if tracked:
        (gradient,) = torch.autograd.grad(values.square().sum(), x)
        assert torch.equal(gradient, slope)
    for spy in spies:
        assert max(spy.batches) == 7
        assert sum(spy.batches) == 100 * (1 + tracked)  # recomputed once for the gradient


def test_points_wider_than_the_limit_go_one_by_one(monkeypatch):
    monkeypatch.setattr("constructions.networks.network.MEMORY_LIMIT", 1)
    network = random_network(np.random.default_rng(0), (2, 3, 1))
    x = torch.ones(3, 2)
    assert network(x).shape == (3, 1)


# -- from_module -----------------------------------------------------------------------------------


def dyadic(module):
    """The module with small dyadic weights, so that merging its layers is exact."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randint(-4, 5, parameter.shape) / 4)
    return module


@pytest.mark.parametrize(
    ("module", "depth"),
    [
        (nn.Linear(3, 2), 0),
        (nn.Linear(3, 2, bias=False), 0),
        (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), 1),
        (
            nn.Sequential(
                nn.Flatten(), nn.Linear(3, 4), nn.Identity(), nn.ReLU(), nn.Linear(4, 2, bias=False)
            ),
            1,
        ),
        (nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), 0),
        (
            nn.Sequential(
                nn.Linear(3, 4),
                nn.Linear(4, 5, bias=False),
                nn.Linear(5, 2),
                nn.ReLU(),
                nn.Linear(2, 2),
            ),
            1,
        ),
        (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.ReLU()), 2),
        (
            nn.Sequential(
                nn.Sequential(nn.Linear(3, 4), nn.ReLU()), nn.Sequential(nn.Linear(4, 2))
            ),
            1,
        ),
    ],
)
def test_from_module_computes_what_the_module_does(module, depth):
    dyadic(module)
    network = ReLUNetwork.from_module(module)
    x = torch.randint(-8, 9, (20, 3)) / 4
    assert network.size.depth == depth
    assert torch.equal(network(x), module(x).detach())
    assert ReLUNetwork.from_module(network) is network


@pytest.mark.parametrize("form", ["dense", "structured"])
def test_networks_survive_the_way_through_a_module(form):
    network = real_network((3, 4, 2))
    module = network.to_module(form)
    if form == "dense":
        again = ReLUNetwork.from_module(module)
        assert all(
            np.array_equal(a, b)
            for p, q in zip(layers_of(network), layers_of(again), strict=True)
            for a, b in zip(p, q, strict=True)
        )
    else:
        assert module.network is network


@pytest.mark.parametrize(
    "module",
    [
        nn.ReLU(),
        nn.Sequential(),
        nn.Sequential(nn.Flatten()),
        nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)),
        nn.Conv2d(1, 1, 1),
        "not a module",
        None,
    ],
)
def test_from_module_refuses_other_layers(module):
    with pytest.raises(TypeError, match="module"):
        ReLUNetwork.from_module(module)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_network_does_not_follow_the_training_of_its_module(dtype):
    module = nn.Linear(2, 1).to(dtype)
    network = ReLUNetwork.from_module(module)
    x = torch.tensor([[1.0, 2.0]], dtype=dtype)
    before = network(x).tolist()
    with torch.no_grad():
        module.weight.add_(1.0)
        module.bias.add_(1.0)
    assert network(x).tolist() == before


# -- sizes, graph, strings -------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), widths=st.sampled_from(WIDTHS))
def test_sizes_equal_a_count_of_all_entries(seed, widths):
    check_sizes(random_network(np.random.default_rng(seed), widths))


@pytest.mark.parametrize(
    "build",
    [
        structured_network,
        lambda: squaring(4),
        lambda: maximum(7),
        lambda: distance([0.5] * 5, "inf"),
    ],
)
def test_sizes_of_structured_networks(build):
    check_sizes(build())


def check_sizes(network):
    size = network.size
    assert (
        size.depth,
        size.width,
        size.units,
        size.weights,
        size.biases,
        size.dense_parameters,
    ) == counts(network)
    assert (
        size.parameters
        == size.weights + size.biases
        == sum(layer.parameters for layer in network.layers)
    )
    assert len(network.hidden) == size.depth
    assert str(network).endswith(f"{size.parameters} parameters ({size.dense_parameters} dense)")


def test_stored_numbers_are_those_of_the_structured_form():
    assert copies(1000, squaring(3)).size.stored == copies(10, squaring(3)).size.stored
    assert copies(1000, squaring(3)).size.parameters == 1000 * squaring(3).size.parameters


def test_symbolic_sizes():
    n = sympy.Symbol("N", integer=True, positive=True)
    size = ReLUNetwork(
        (Affine(Unknown(n, 3), Unknown(n, 1)), Affine(Constant(1, n), zeros(1, 1)))
    ).size
    assert (size.depth, size.width, size.units) == (1, n, n)
    assert sympy.expand(size.parameters - 5 * n) == 0
    assert sympy.expand(size.dense_parameters - (5 * n + 1)) == 0


@pytest.mark.parametrize(
    "build", [structured_network, lambda: random_network(np.random.default_rng(2), (3, 4, 4, 2))]
)
def test_graph_holds_the_layers(build):
    network = build()
    graph = network.graph()
    widths = [network.inputs, *network.hidden, network.outputs]
    assert sorted(graph.nodes) == [
        (depth, i) for depth, width in enumerate(widths) for i in range(width)
    ]
    assert graph.number_of_edges() == network.size.weights
    for depth, (weight, bias) in enumerate(layers_of(network), start=1):
        assert [graph.nodes[depth, i]["bias"] for i in range(len(bias))] == bias.tolist()
        edges = {
            (i, j): graph[depth - 1, j][depth, i]["weight"]
            for i, j in zip(*np.nonzero(weight), strict=True)
        }
        assert edges == {(i, j): value for (i, j), value in np.ndenumerate(weight) if value}
    assert all(graph.nodes[node]["layer"] == node[0] for node in graph)
    assert all("bias" not in graph.nodes[0, i] for i in range(network.inputs))


def test_graph_refuses_large_networks():
    wide = ReLUNetwork((Affine(Constant(2000, 1000), zeros(2000, 1)),))
    with pytest.raises(ValueError, match="at most 1,000,000 edges; this network has 2,000,000"):
        wide.graph()


# -- piecewise -------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 10**6),
    widths=st.sampled_from([(1, 1), (1, 3, 1), (1, 4, 3, 2), (1, 2, 2, 2, 1)]),
    bounded=st.booleans(),
)
def test_piecewise_in_one_input_is_the_network(seed, widths, bounded):
    generator = np.random.default_rng(seed)
    network = random_network(generator, widths, domain=(-1.0, 2.5) if bounded else None)
    expressions = network.piecewise()
    assert len(expressions) == network.outputs
    x = sympy.Symbol("x", real=True)
    numerators = generator.integers(-7, 18, 6) if bounded else generator.integers(-1000, 1000, 6)
    points = [Fraction(int(k), 7) for k in numerators] + [Fraction(-1), Fraction(5, 2)]
    for point in points:
        expected = evaluate(network, [point])
        assert network.exact([point]).tolist() == expected
        value = sympy.Rational(*point.as_integer_ratio())
        assert [e.subs(x, value) for e in expressions] == [
            sympy.Rational(*v.as_integer_ratio()) for v in expected
        ]


@given(
    seed=st.integers(0, 10**6), widths=st.sampled_from([(1, 3, 1), (1, 4, 3, 1), (1, 2, 2, 2, 1)])
)
def test_piecewise_has_no_needless_pieces(seed, widths):
    network = random_network(np.random.default_rng(seed), widths, domain=(-1.0, 2.0))
    (expression,) = network.piecewise()
    graph = knots(network, -1, 2)
    slopes = [(fb - fa) / (b - a) for (a, fa), (b, fb) in itertools.pairwise(graph)]
    expected = 1 + sum(s != t for s, t in itertools.pairwise(slopes))
    assert len(getattr(expression, "args", [])) == expected


@given(
    seed=st.integers(0, 10**6), widths=st.sampled_from([(1, 3, 1), (1, 4, 3, 1), (1, 2, 2, 2, 1)])
)
def test_breakpoints_include_every_kink(seed, widths):
    network = random_network(np.random.default_rng(seed), widths)
    found = breakpoints_1d(network, Fraction(-1), Fraction(2))
    assert found == sorted(set(found))
    assert {x for x, _ in knots(network, -1, 2)} <= set(found)
    assert found[0] == -1
    assert found[-1] == 2


@given(seed=st.integers(0, 10**6), widths=st.sampled_from([(2, 2), (2, 3, 1), (3, 2, 2, 2)]))
def test_piecewise_in_several_inputs_is_the_network(seed, widths):
    generator = np.random.default_rng(seed)
    network = random_network(generator, widths)
    expressions = network.piecewise()
    point = [Fraction(int(k), 3) for k in generator.integers(-9, 10, network.inputs)]
    names = sympy.symbols(f"x1:{network.inputs + 1}", real=True)
    values = {
        name: sympy.Rational(*v.as_integer_ratio()) for name, v in zip(names, point, strict=True)
    }
    expected = [sympy.Rational(*v.as_integer_ratio()) for v in evaluate(network, point)]
    assert [sympy.sympify(e).subs(values) for e in expressions] == expected


@pytest.mark.parametrize("network", [maximum(1), distance([0.25], "inf")])
def test_piecewise_on_a_half_line(network):
    """A domain may be unbounded on one side: the one-input l_inf distance lives on [0, oo)."""
    (expression,) = network.piecewise()
    x = sympy.Symbol("x", real=True)
    for point in (Fraction(0), Fraction(1, 3), Fraction(100)):
        (expected,) = evaluate(network, [point])
        assert expression.subs(x, sympy.Rational(*point.as_integer_ratio())) == sympy.Rational(
            *expected.as_integer_ratio()
        )


def test_piecewise_refuses_large_networks():
    with pytest.raises(ValueError, match="at most 5 hidden units; this network has 8"):
        squaring(3).piecewise(limit=5)
    with pytest.raises(ValueError, match="one input, got 2"):
        breakpoints_1d(maximum(2), Fraction(0), Fraction(1))


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x", [torch.ones(2), torch.ones(4, 2), torch.tensor(1.0), torch.ones(3, 0)]
)
def test_wrong_shapes_are_named(x):
    network = random_network(np.random.default_rng(0), (3, 2, 1))
    with pytest.raises(ValueError, match=r"x must have shape \(\.\.\., 3\), got"):
        network(x)
    with pytest.raises(ValueError, match=r"x must have shape \(\.\.\., 3\), got"):
        network.exact(x.numpy())


@pytest.mark.parametrize("shape", [(1, 2, 3), (5, 2, 3), (2, 3)])
def test_images_are_refused_with_the_remedy(shape):
    network, image = random_network(np.random.default_rng(0), (6, 2, 1)), torch.ones(shape)
    for call in (network, lambda x: network.exact(x.numpy())):
        with pytest.raises(ValueError, match=r": flatten it, by x\.reshape\(-1, 6\)$"):
            call(image)
    assert network(image.reshape(-1, 6)).shape[-1] == 1
    with pytest.raises(ValueError, match=r"got \(6, 2\)$"):
        network(torch.ones(6, 2))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_points_must_be_finite(bad):
    network = random_network(np.random.default_rng(0), (2, 2, 1))
    with pytest.raises(ValueError, match="finite"):
        network(torch.tensor([[0.0, 1.0], [bad, 0.0]]))
    with pytest.raises((ValueError, OverflowError)):
        network.exact([bad, 0.0])


@pytest.mark.parametrize("x", [-0.001, 1.001])
def test_points_must_lie_in_the_domain(x):
    network = squaring(2)
    with pytest.raises(
        ValueError, match=r"x must lie in the network's domain \[0.0, 1.0\], got values in"
    ):
        network([[0.5], [x]])
    assert network.restrict(None)([[x]]).shape == (1, 1)
    assert network([[0.0], [1.0]]).tolist() == [[0.0], [1.0]]


@pytest.mark.parametrize("x", [Fraction(-1, 1000), Fraction(1001, 1000)])
def test_exact_evaluation_keeps_to_the_domain_too(x):
    with pytest.raises(ValueError, match="domain"):
        squaring(2).exact([x])


def test_layers_must_fit():
    with pytest.raises(ValueError, match="at least one affine layer"):
        ReLUNetwork(())
    with pytest.raises(ValueError, match="layer 1 takes 3 numbers but layer 0 gives 2"):
        ReLUNetwork((Affine(Identity(2), zeros(2, 1)), Affine(Identity(3), zeros(3, 1))))
    with pytest.raises(
        ValueError, match=r"bias must have shape \(2, 1\) to fit Identity\[2 x 2\], got \(3, 1\)"
    ):
        Affine(Identity(2), zeros(3, 1))
    for domain in ((1.0, 0.0), (0.5, 0.5), (0.0, float("nan"))):
        with pytest.raises(ValueError, match="domain must be an interval"):
            ReLUNetwork((Affine(Identity(2), zeros(2, 1)),), domain)
    with pytest.raises(ValueError, match="finite"):
        ReLUNetwork.from_layers([([[float("nan")]], [0.0])])


def test_too_large_modules_are_refused():
    network = ReLUNetwork((Affine(Constant(20_000, 20_000), zeros(20_000, 1)),))
    for form in ("dense", "sparse"):
        with pytest.raises(ValueError, match="entries"):
            network.to_module(form)
    assert network.to_module("structured")(torch.ones(1, 20_000)).shape == (1, 20_000)


def test_names_in_a_notebook_and_in_print():
    network = parallel(squaring(2), soft_indicator(0.25, 0.5))
    assert str(network).startswith("composition: R^1 -> R^2, depth 2, width ")
    assert str(squaring(2)).startswith("squaring(m=2, D=1, K=1): R^1 -> R^1, ")
    assert str(real_network((2, 1))).startswith(
        "ReLU network: R^2 -> R^1, depth 0, width 0, 0 units, 3 parameters (3 dense)"
    )
