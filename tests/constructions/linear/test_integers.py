"""Integers beyond float64 as matrices and layers: exact products, sums and evaluation; all that
needs floats refuses them.
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch

import constructions
from constructions import (
    Affine,
    Block,
    Constant,
    Dense,
    Integers,
    Kron,
    ReLUNetwork,
    Sparse,
    affine,
    compose,
    copies,
    delay,
    explain,
    load,
    parallel,
    squaring,
    tooth,
    write_onnx,
)
from constructions.internal import same
from constructions.linear.digits import _base
from constructions.linear.matrix import (
    exact_product,
    exact_total,
    has_integers,
    in_floats,
    integers,
    zeros,
)

RNG = np.random.default_rng(0)


def random_integers(m, n, bits=90, exponent=-7, seed=0):
    rng = np.random.default_rng([seed, m, n, bits])
    places = rng.permutation(m * n)[: max(1, m * n * 2 // 3)]
    values = [int(v) * 2**bits + int(w) for v, w in rng.integers(-9, 9, (len(places), 2)) * 2 + 1]
    return Integers((m, n), places // n, places % n, values, exponent)


def fractions(matrix):
    """All entries, by applying the matrix to unit vectors."""
    n = matrix.shape[1]
    unit = np.array([[Fraction(int(i == j)) for j in range(n)] for i in range(n)], dtype=object)
    return matrix.apply(unit).T


FORMS = [
    random_integers(3, 4),
    Dense(torch.tensor([[0.75, -6.0, 2.0**60, 1.0]] * 3)),
    Sparse((3, 4), torch.tensor([0, 2]), torch.tensor([1, 3]), torch.tensor([0.5, 2.0**-60])),
    Constant(3, 4, 0.25),
    zeros(3, 4),
    Kron(random_integers(3, 2, seed=1), Dense(torch.tensor([[1.0, -0.5]]))),
    Block(((random_integers(1, 4, exponent=3),), (Dense(torch.ones(2, 4)),))),
    Block(((random_integers(3, 3), Constant(3, 1, 0.5)),)),
]


@pytest.mark.parametrize(
    ("a", "b"), [p for p in itertools.product(FORMS, FORMS) if any(map(has_integers, p))]
)
def test_sums_and_products_are_exact(a, b):
    assert np.array_equal(fractions(exact_total(a, b)), fractions(a) + fractions(b))
    c = Block(((b,), (zeros(1, 4),)))
    wanted = fractions(a) @ fractions(c)
    assert np.array_equal(fractions(exact_product(a, c)), wanted)
    assert same(a, b) == np.array_equal(fractions(a), fractions(b))
    assert same(a + b, b + a)
    assert not same(a + b, a + b + random_integers(3, 4, seed=9))


@pytest.mark.parametrize("matrix", FORMS)
def test_every_form_is_read_as_integers(matrix):
    held = integers(matrix)
    assert np.array_equal(fractions(held), fractions(matrix))
    assert held.nonzeros == sum(v != 0 for v in fractions(matrix).reshape(-1))
    assert np.array_equal(fractions(held.absolute()), np.abs(fractions(matrix)))
    assert np.array_equal(fractions(-held), -fractions(matrix))


def test_what_float64_holds_becomes_sparse():
    held = Integers((1, 3), [0, 0, 0], [0, 1, 2], [2**100, -3 * 2**60, (2**53 - 1) * 2**9], -4)
    assert isinstance(in_floats(held), Sparse)
    assert np.array_equal(fractions(in_floats(held)), fractions(held))
    for value, exponent in ((2**53 + 1, 0), (1, 5000), (1, -5000), (2**5000, 0)):
        assert isinstance(in_floats(Integers((1, 1), [0], [0], [value], exponent)), Integers)


def network(widths=(2, 5, 4, 3, 1), bits=70):
    layers = []
    for k, (n, m) in enumerate(itertools.pairwise(widths)):
        weight = random_integers(m, n, bits if k % 2 else 2, -bits if k % 2 else 0, seed=k)
        layers.append(Affine(weight, random_integers(m, 1, bits * 2, -2 * bits, seed=k + 10)))
    return ReLUNetwork(tuple(layers))


def slowly(net, points):
    values = np.array([[Fraction(v) for v in row] for row in points], dtype=object)
    for layer in net.layers[:-1]:
        values = layer.apply(values)
        values = values * (values > 0)
    return net.layers[-1].apply(values)


@pytest.mark.parametrize("bits", [3, 60, 70, 500, 2000])
def test_networks_are_evaluated_exactly(bits):
    net = network(bits=bits)
    points = RNG.integers(-100, 100, (50, 2)) / 8
    assert net.exact(points).tolist() == slowly(net, points).tolist()
    rational = [[Fraction(1, 3), Fraction(-5, 7)], [Fraction(22), Fraction(1, 2**70)]]
    assert net.exact(rational).tolist() == slowly(net, rational).tolist()
    signs = constructions.exact_signs(net, points)
    assert signs.tolist() == np.sign(slowly(net, points)).astype(int).tolist()


@pytest.mark.parametrize(("width", "bits"), [(1, 60), (20, 500), (300, 3000)])
def test_the_largest_digits_do_not_round(width, bits):
    """Weights and inputs whose digits all have the largest absolute value, and one sign."""
    base = _base(width, bits)
    weight = sum(1 << (base * k + base - 1) for k in range(bits // base))
    ones = Integers((1, width), [0] * width, range(width), [weight] * width)
    net = ReLUNetwork((Affine(ones, Integers((1, 1), [0], [0], [weight])),))
    x = Fraction(sum(1 << (base * k + base - 1) for k in range(6)), 7)
    for value in (x, -x, Fraction(float(x))):
        assert net.exact([[value] * width])[0, 0] == weight * (width * value + 1)


def test_calculus_is_exact():
    net, points = network(), RNG.integers(-8, 8, (20, 2)) / 4
    wanted = slowly(net, points)
    outer = ReLUNetwork.from_layers([([[3.0], [-1.0]], [0.1, 0.0]), ([[1.0, 0.3]], [0.7])])
    assert compose(outer, net).exact(points).tolist() == outer.exact(wanted).tolist()
    both = parallel(net, affine([[1.0, 2.0]]))
    assert both.exact(points)[:, :1].tolist() == wanted.tolist()
    assert delay(net, 2).exact(points).tolist() == wanted.tolist()
    twice = copies(2, net).exact(np.concatenate([points, points], axis=1))
    assert twice.tolist() == np.concatenate([wanted, wanted], axis=1).tolist()


def test_files_keep_them(tmp_path):
    net = network(bits=200)
    net.save(tmp_path / "f.safetensors")
    read = load(tmp_path / "f.safetensors")
    assert all(same(a.weight, b.weight) for a, b in zip(net.layers, read.layers, strict=True))
    assert net.exact([[1.5, -2]]).tolist() == read.exact([[1.5, -2]]).tolist()
    assert str(read) == str(net)


def test_counting_needs_no_floats():
    net = network()
    sizes = [(layer.weight.nonzeros, layer.bias.nonzeros) for layer in net.layers]
    assert net.size.parameters == sum(map(sum, sizes))
    assert (net.size.width, net.size.depth) == (5, 3)


@pytest.mark.parametrize(
    "use",
    [
        lambda net, path: net(torch.zeros(1, 2)),
        lambda net, path: net.to_module("dense"),
        lambda net, path: net.to_module("sparse"),
        lambda net, path: net.to_module()(torch.zeros(1, 2)),
        lambda net, path: net.layers[0].bias.to_dense(),
        lambda net, path: net.graph(),
        lambda net, path: net.piecewise(),
        lambda net, path: write_onnx(net, path / "f.onnx"),
        lambda net, path: constructions.count_regions(net, (0, 1)),
        lambda net, path: constructions.interval_bounds(net, (0, 1)),
        lambda net, path: constructions.bit_budget(net, 4),
    ],
)
def test_what_needs_floats_refuses_with_the_reason(use, tmp_path):
    with pytest.raises(ValueError, match="float64"):
        use(network(), tmp_path)


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        (((1, 1), [0], [0], [0.5]), TypeError, "must be integers"),
        (((1, 1), [0], [1], [1]), ValueError, r"columns of an Integers matrix must lie in 0\.\.0"),
        (((1, 2), [0, 0], [1, 1], [1, 2]), ValueError, "must not name a position twice"),
        (((1, 2), [0], [1], [1, 2]), ValueError, "as many rows and columns as values"),
    ],
)
def test_bad_entries_are_refused(given, error, match):
    with pytest.raises(error, match=match):
        Integers(*given)


def test_parts_of_integers_add_up():
    both = parallel(tooth(2), squaring(2)).restrict(None)
    joined = compose(both, affine(Integers((1, 1), [0], [0], [2**70 + 1])))
    said = explain(joined)
    assert f"{joined.size.parameters:,}" in said


@pytest.mark.parametrize("exponent", [0.5, "3"])
def test_exponents_are_integers(exponent):
    with pytest.raises(TypeError):
        Integers((1, 1), [0], [0], [1], exponent=exponent)


def test_positions_of_large_matrices_do_not_overflow():
    assert Integers((2**40, 2**40), [0, 2**24], [0, 0], [1, 1]).nonzeros == 2
