"""Exact evaluation in digits against the slow oracle, and statements about rounding against points
where it happens.
"""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import evaluate, layers_of, random_network, rational

from constructions import (
    Affine,
    Block,
    Constant,
    Dense,
    Identity,
    Kron,
    ReLUNetwork,
    Sparse,
    Unknown,
    absolute,
    compose,
    distance,
    gate,
    multiplication,
    soft_indicator,
    squaring,
    tooth,
)
from constructions.linear import digits as engine
from constructions.linear import grid, table
from constructions.linear.grid import walk
from constructions.linear.matrix import zeros
from constructions.linear.table import table_of
from constructions.networks.exact import exact_signs, exact_values
from constructions.networks.rounding import bit_budget, rounding_error

WIDTHS = [
    (1, 1),
    (3, 2),
    (1, 4, 1),
    (3, 5, 2),
    (2, 1, 1, 3),
    (4, 6, 6, 2),
    (2, 3, 3, 3, 3, 1),
    (40, 9, 2),
]


def wild_network(generator, widths, spread):
    """Generic float64 weights whose exponents differ by up to 2 * spread; zeros of both signs."""

    def draw(*shape):
        entries = generator.standard_normal(shape) * 2.0 ** generator.integers(
            -spread, spread + 1, shape
        )
        return np.where(
            generator.random(shape) < 0.3, generator.choice([0.0, -0.0], shape), entries
        )

    return ReLUNetwork.from_layers([(draw(b, a), draw(b)) for a, b in itertools.pairwise(widths)])


def check(network, points):
    """Values and signs at points of shape (n, inputs), all at once and one by one."""
    expected = [evaluate(network, row) for row in rational(points).tolist()]
    assert exact_values(network, points).tolist() == expected
    assert exact_signs(network, points).tolist() == [
        [(v > 0) - (v < 0) for v in row] for row in expected
    ]
    assert network.exact(points[0]).tolist() == expected[0]
    assert all(type(v) is Fraction for v in network.exact(points[-1]))


# -- values ----------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 10**6),
    widths=st.sampled_from(WIDTHS),
    spread=st.sampled_from([0, 3, 30, 100]),
)
def test_values_of_wild_networks(seed, widths, spread):
    """Floats of all sizes, dyadic numbers of many bits, and other rationals."""
    generator = np.random.default_rng(seed)
    network = wild_network(generator, widths, spread)
    x = generator.standard_normal((4, widths[0])) * 2.0 ** generator.integers(
        -spread, spread + 1, (4, widths[0])
    )
    check(network, np.where(generator.random(x.shape) < 0.2, -0.0, x))
    check(network, rational(x.round()) + Fraction(1, 2**90))
    check(
        network,
        np.array(
            [
                [
                    Fraction(int(k), int(d))
                    for k, d in zip(generator.integers(-9, 9, widths[0]), r, strict=True)
                ]
                for r in generator.integers(1, 9, (3, widths[0]))
            ],
            dtype=object,
        ),
    )


@given(seed=st.integers(0, 10**6), widths=st.sampled_from(WIDTHS))
def test_float64_and_digits_meet_at_any_layer(seed, widths):
    """Dyadic weights on coarse and fine grids: all, some or no layers are evaluated in float64."""
    generator = np.random.default_rng(seed)
    network = random_network(generator, widths)
    for bits in (2, 40, 49, 52, 60):
        check(network, generator.integers(-(2**bits), 2**bits, (3, widths[0])) / 2.0**bits)


@pytest.mark.parametrize("width", [1, 20, 200, 3000])
def test_the_largest_digits_do_not_round(width):
    """Weights and inputs whose digits all have the largest absolute value, and one sign."""
    base = engine._base(width)
    digits = 53 // base
    weight = float(sum(1 << (base * k + base - 1) for k in range(digits)))
    x = Fraction(sum(1 << (base * k + base - 1) for k in range(6)), 7)
    network = ReLUNetwork.from_layers(
        [([[weight] * width, [-weight] * width], [weight, 1.0]), ([[weight, 1.0]], [0.0])]
    )
    inner = width * Fraction(weight) * x + Fraction(weight)
    assert exact_values(network, [[x] * width, [-x] * width]).tolist() == [
        [inner * Fraction(weight)],
        [inner - Fraction(weight) + 1],
    ]
    assert exact_values(network, [[weight] * width]).tolist() == [
        [(width * Fraction(weight) ** 2 + Fraction(weight)) * Fraction(weight)]
    ]


@pytest.mark.parametrize("x", [1.7e308, 5e-324, 2.0**-1000, -(2.0**901), 2.0**899])
def test_numbers_at_the_ends_of_float64(x):
    network = ReLUNetwork.from_layers(
        [([[1.0, 2.0**-300], [-0.1, 1.0]], [0.0, 1.0]), ([[0.3, -1.0]], [2.0**-60])]
    )
    check(network, np.array([[x, 1.0], [0.0, x], [-x, x]]))
    check(
        ReLUNetwork.from_layers([([[1.7e308], [5e-324]], [1e308, 0.0]), ([[1.0, 3.0]], [0.0])]),
        np.array([[x], [1.0]]),
    )


def structured(generator):
    """Kronecker products, blocks, sparse layers."""
    draw = lambda *shape: Dense(torch.from_numpy(generator.standard_normal(shape)))  # noqa: E731
    small = Dense(torch.tensor([[1.0, -2.0], [0.5, 1.0]]))
    rows, columns = torch.tensor([0, 2, 3, 3]), torch.tensor([1, 5, 0, 3])
    sparse = Sparse((4, 6), rows, columns, torch.tensor([0.1, -2.0, 3.0, 1e-30]))
    return [
        Affine(Kron(Identity(3), small), Constant(6, 1, -0.25)),
        Affine(
            Block(((Identity(3), Constant(3, 3, -1.0)), (draw(3, 3), zeros(3, 3)))), zeros(6, 1)
        ),
        Affine(sparse, Dense(torch.tensor([[0.0], [0.5], [-1.0], [2.0]]))),
        Affine(Kron(Constant(2, 1), Identity(4)), Constant(8, 1, 0.125)),
    ]


@pytest.mark.parametrize("depth", range(1, 5))
def test_values_of_structured_layers(depth):
    generator = np.random.default_rng(depth)
    check(ReLUNetwork(tuple(structured(generator)[:depth])), generator.standard_normal((5, 6)))


def test_products_that_are_no_floats_stay_exact():
    """Entries of a Kronecker product are products of reals: they are not rounded where float64
    cannot hold them.
    """
    third = Dense(torch.tensor([[1 / 3]], dtype=torch.float64))
    network = ReLUNetwork(
        (Affine(Kron(third, third), Constant(1, 1, 0.0)), Affine(Identity(1), Constant(1, 1, 0.0)))
    )
    assert table_of(network.layers[0]) is None
    assert exact_values(network, [[3.0], [Fraction(1, 7)]]).tolist() == [
        [3 * Fraction(1 / 3) ** 2],
        [Fraction(1 / 3) ** 2 / 7],
    ]
    assert exact_signs(network, [[-1.0], [0.0]]).tolist() == [[0], [0]]


def test_large_sparse_layers_are_not_made_dense():
    """64 inputs of 53 bits, two layers of 5,000 units with 10 weights each, a structured one of a
    million units.
    """
    generator = np.random.default_rng(0)

    def draw(m, n):
        columns = ((generator.integers(n, size=(m, 1)) + np.arange(10) * (n // 10)) % n).reshape(-1)
        values = torch.from_numpy(generator.standard_normal(10 * m)).float()
        return Affine(
            Sparse(
                (m, n), torch.arange(m).repeat_interleave(10), torch.from_numpy(columns), values
            ),
            zeros(m, 1),
        )

    network = ReLUNetwork((draw(5000, 64), draw(5000, 5000), draw(2, 5000)))
    x = generator.standard_normal((2, 64))
    (first, second), hidden = (
        exact_values(network, x).tolist(),
        [Fraction(v) for v in x[0].tolist()],
    )
    for i, layer in enumerate(network.layers):
        sums = [Fraction(0)] * layer.weight.shape[0]
        coordinates = (part.tolist() for part in layer.weight.coordinates())
        for row, column, value in zip(*coordinates, strict=True):
            sums[row] += Fraction(value) * hidden[column]
        hidden = [max(v, Fraction(0)) for v in sums] if i < 2 else sums
    assert first == hidden
    assert second == network.exact(x[1]).tolist()
    wide = Affine(Kron(Constant(10**5, 1), Identity(2)), zeros(2 * 10**5, 1))
    back = Affine(Kron(Constant(1, 10**5, 0.5), Identity(2)), Constant(2, 1, 0.125))
    assert exact_values(ReLUNetwork((wide, back)), [1.5, -3.0]).tolist() == [
        75000 + Fraction(1, 8),
        Fraction(1, 8),
    ]


def test_empty_batches_and_layers():
    none = torch.zeros(0, dtype=torch.int64)
    empty = Affine(Sparse((0, 2), none, none, torch.zeros(0)), zeros(0, 1))
    network = ReLUNetwork((empty, Affine(zeros(3, 0), Dense(torch.tensor([[1.0], [0.0], [-0.5]])))))
    for x in ([[0.1, 0.2]], [[Fraction(1, 3), 5]]):
        assert exact_values(network, x).tolist() == [[1, 0, Fraction(-1, 2)]]
        assert exact_signs(network, x).tolist() == [[1, 0, -1]]
    assert exact_values(network, np.empty((2, 0, 2))).shape == (2, 0, 3)
    assert exact_signs(network, np.empty((0, 2))).shape == (0, 3)
    assert exact_values(
        ReLUNetwork((Affine(zeros(2, 3), zeros(2, 1)),)), [[1, 2, 3.5]]
    ).tolist() == [[0, 0]]


def test_many_kinds_of_points():
    network = random_network(np.random.default_rng(3), (2, 4, 2))
    expected = [evaluate(network, row) for row in ([1, -2], [0, 3])]
    for x in (
        [[1, -2], [0, 3]],
        np.array([[1, -2], [0, 3]], dtype=np.int8),
        np.array([[1, -2], [0, 3]], dtype=np.float32),
        np.array([[np.int64(1), np.float32(-2)], [Fraction(0), "3"]], dtype=object),
        torch.tensor([[1, -2], [0, 3]]),
        torch.tensor([[1.0, -2.0], [0.0, 3.0]], dtype=torch.bfloat16, requires_grad=True),
    ):
        assert exact_values(network, x).tolist() == expected
    assert exact_values(network, np.zeros((2, 3, 2))).shape == (2, 3, 2)
    close = Fraction(2**53 + 1, 2**40)
    assert exact_values(network, [[close, 0.5]]).tolist() == [evaluate(network, [close, 0.5])]
    big = 2**60 + 1
    assert exact_values(network, [[big, 0.5]]).tolist() == [evaluate(network, [big, 0.5])]
    assert exact_values(network, np.array([[big, 1]])).tolist() == [evaluate(network, [big, 1])]
    assert absolute().exact(-0.5).tolist() == [0.5]


def test_batches_are_split(monkeypatch):
    network = wild_network(np.random.default_rng(0), (3, 4, 2), 3)
    x = np.random.default_rng(1).standard_normal((10, 3))
    whole = exact_values(network, x).tolist()
    monkeypatch.setattr(engine, "CHUNK", 1)
    monkeypatch.setattr(engine, "BATCH", 3)
    assert exact_values(network, x).tolist() == whole
    assert exact_signs(network, x).tolist() == np.sign(whole).tolist()


@pytest.mark.parametrize("evaluator", [exact_values, exact_signs])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_points_must_be_finite(evaluator, bad):
    for x in ([bad], np.array([bad]), [[Fraction(1, 3)], [bad]]):
        with pytest.raises(ValueError, match="x must be finite"):
            evaluator(absolute(), x)


@pytest.mark.parametrize("evaluator", [exact_values, exact_signs])
def test_other_points_are_refused(evaluator):
    for x in ([-0.1], [Fraction(-1, 10**30)], [[1], [2]], [2.0**950]):
        with pytest.raises(ValueError, match=r"x must lie in the network's domain \[0.0, 1.0\]"):
            evaluator(squaring(2), x)
    with pytest.raises(ValueError, match=r"x must have shape \(..., 1\), got \(2,\)"):
        evaluator(squaring(2), [0.0, 1.0])
    with pytest.raises(TypeError, match="no entries"):
        evaluator(ReLUNetwork((Affine(Unknown(1, 1), zeros(1, 1)),)), [1.0])


# -- the bit budget --------------------------------------------------------------------------------


def grid_squaring(m, numerators):
    """f_m at multiples of 2^-24, from its definition in integers: a^2 + (a + b)(x - a) for a, b = k
    / 2^m, (k + 1) / 2^m.
    """
    if m >= 24:
        return np.ldexp((numerators * numerators).astype(np.float64), -48)
    k = numerators >> (24 - m)
    rest = numerators - (k << (24 - m))
    return np.ldexp(((k * k << (24 - m)) + (2 * k + 1) * rest).astype(np.float64), -24 - m)


def permuted(network, generator):
    """The same function as dense float64 layers, the units of each hidden layer in random order."""
    layers, columns = [], np.arange(network.inputs)
    for i, (weight, bias) in enumerate(layers_of(network)):
        rows = (
            generator.permutation(len(bias))
            if i < len(network.layers) - 1
            else np.arange(len(bias))
        )
        layers.append((weight[rows][:, columns], bias[rows]))
        columns = rows
    return ReLUNetwork.from_layers(layers, network.domain).to_module("dense")


def accept(m, count, orders):
    """How many of `count` points of the 2^-24 grid, ends included, under `orders` orders of
    summation, are not exact.
    """
    generator = np.random.default_rng(m)
    numerators = np.concatenate(
        [[0, 1, 2**24 - 1, 2**24], generator.integers(0, 2**24 + 1, count - 4)]
    )
    x, expected = numerators / 2**24, grid_squaring(m, numerators)
    assert bit_budget(squaring(m), 24).float64
    for i in (0, 1, 2, 3, 4, 5):
        assert Fraction(expected[i]) == evaluate(squaring(m), [x[i]])[0]
    found = exact_values(squaring(m), x[:500, None])[:, 0]
    assert (found == expected[:500]).all()
    points, wrong = torch.from_numpy(x)[:, None], 0
    for _ in range(orders):
        with torch.no_grad():
            wrong += int((permuted(squaring(m), generator)(points)[:, 0].numpy() != expected).sum())
    return wrong


@pytest.mark.parametrize(
    ("m", "count"), [(1, 1000), (5, 1000), (14, 1000), (24, 1000), (26, 1000), (28, 10**5)]
)
def test_float64_is_exact_on_the_grid_in_any_order(m, count):
    assert accept(m, count, 3) == 0


@pytest.mark.slow
def test_float64_is_exact_on_the_grid_for_all_depths():
    """Squaring up to m = 28 at 10^5 points each, under eight orders of summation each."""
    for m in range(1, 29):
        wrong = accept(m, 10**5, 8)
        print(
            f"m = {m:2d}: {bit_budget(squaring(m), 24).bits} bits, {8 * 10**5 - wrong} of "
            f"{8 * 10**5} values exact"
        )
        assert wrong == 0


@pytest.mark.parametrize(
    ("m", "grid", "dtype"),
    [
        (28, 27, torch.float64),
        (28, 30, torch.float64),
        (40, 40, torch.float64),
        (28, 24, torch.float32),
        (13, 13, torch.float32),
    ],
)
def test_no_certificate_where_rounding_happens(m, grid, dtype):
    budget = bit_budget(squaring(m), grid)
    assert not (budget.float64 if dtype == torch.float64 else budget.float32)
    numerators = np.random.default_rng(0).integers(2**grid - 2 ** min(grid - 1, 12), 2**grid, 2000)
    x = np.ldexp(numerators.astype(np.float64), -grid)
    computed = squaring(m)(torch.from_numpy(x).to(dtype)[:, None])[:, 0].double().numpy()
    assert (torch.from_numpy(x).to(dtype).double().numpy() == x).all()
    assert any(
        Fraction(v) != e
        for v, e in zip(computed.tolist(), exact_values(squaring(m), x[:, None])[:, 0], strict=True)
    )


@pytest.mark.parametrize(
    ("network", "grid", "low", "high", "dtype"),
    [
        (squaring(11), 11, 0.0, 1.0, torch.float32),
        (squaring(28), 26, 0.0, 1.0, torch.float64),
        (tooth(23), 23, 0.0, 1.0, torch.float32),
        (multiplication(24, 1.0), 24, -1.0, 1.0, torch.float64),
        (multiplication(8, 4.0), 7, -4.0, 4.0, torch.float32),
        (
            distance(np.random.default_rng(0).integers(0, 257, (5, 9)) / 256, "inf"),
            8,
            0.0,
            1.0,
            torch.float32,
        ),
        (
            distance(np.random.default_rng(0).integers(0, 257, (5, 9)) / 256, "2", 8),
            8,
            0.0,
            1.0,
            torch.float64,
        ),
        (soft_indicator(0.25, 0.75), 20, 0.0, 4.0, torch.float32),
        (gate(4.0), 18, [-4.0, 0.0], [4.0, 1.0], torch.float32),
        (
            compose(soft_indicator(0.25, 0.5), distance([0.5, 0.25], "inf")),
            16,
            0.0,
            1.0,
            torch.float32,
        ),
    ],
)
def test_constructions_are_exact_where_certified(network, grid, low, high, dtype):
    """All forms of evaluation give the exact value."""
    budget = bit_budget(network, grid, box=(low, high))
    assert budget.float32 if dtype == torch.float32 else budget.float64
    generator = np.random.default_rng(1)
    low, high = (
        np.broadcast_to(np.ldexp(v, grid), network.inputs).astype(int) for v in (low, high)
    )
    x = np.ldexp(generator.integers(low, high + 1, (50, network.inputs)).astype(np.float64), -grid)
    expected = [evaluate(network, row) for row in x.tolist()]
    for form in ("structured", "sparse", "dense"):
        assert network.to_module(form, dtype)(torch.from_numpy(x).to(dtype)).tolist() == expected


@pytest.mark.parametrize(
    ("limit", "group"), [(grid.TERM_LIMIT, table.GROUP), (grid.TERM_LIMIT, 2), (1, 2)]
)
@given(data=st.data())
def test_bounds_hold_at_every_point_of_a_grid(limit, group, data):
    """What `walk` says of each sum: terms are multiples, those of one sign add up to no more, units
    are no larger.
    """
    generator = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    widths = data.draw(st.sampled_from([(1, 3, 1), (1, 5, 4, 2), (2, 4, 2), (2, 3, 3, 3, 1)]))
    network = random_network(generator, widths)
    if widths[0] == 1:  # many units are functions of one number
        network = compose(network, tooth(2), absolute()).restrict(None)
    low, high = sorted(Fraction(int(v), 8) for v in generator.integers(-12, 13, 2))
    points = np.array(
        list(
            itertools.product(
                np.arange(float(low), float(high) + 0.125, 0.125), repeat=network.inputs
            )
        )
    )
    ends = (np.full(network.inputs, float(end)) for end in (low, high))
    values = rational(points)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grid, "TERM_LIMIT", limit)
        patch.setattr(table, "GROUP", group)
        walked = list(walk(network.layers, -3, *ends))
    for layer, found in zip(layers_of(network), walked, strict=True):
        weight, bias = (rational(part) for part in layer)
        terms = np.concatenate(
            [
                values[:, None, :] * weight,
                np.broadcast_to(bias[:, None], (len(values), len(bias), 1)),
            ],
            axis=2,
        )
        for sign in (1, -1):
            assert (np.maximum(sign * terms, Fraction(0)).sum(axis=2) <= rational(found.size)).all()
        for i, q in enumerate(found.low.tolist()):
            assert (
                all((v / Fraction(2) ** q).denominator == 1 for v in terms[:, i].reshape(-1))
                if q < 5000
                else (terms[:, i] == 0).all()
            )
        values = np.maximum(terms.sum(axis=2), Fraction(0))
        assert (values <= rational(found.upper)).all()


def test_units_that_are_functions_of_one_number_are_bounded_together():
    """A tooth of a multiple of 2^q in [0, 1] is a multiple of 2^(q + 1) in [0, 1], and zero after
    24 of them.
    """
    uppers = [layer.upper for layer in walk(tooth(26).layers, -24, np.zeros(1), np.ones(1))]
    assert all((upper <= 1).all() for upper in uppers)
    assert [upper.tolist() for upper in uppers[24:]] == [[1.0, 0.5], [0.0, 0.0], [0.0]][
        : len(uppers) - 24
    ]


def test_a_row_with_no_room_is_named():
    network = ReLUNetwork.from_layers(
        [([[1.0], [2.0**30]], [0.0, 2.0**-30]), ([[1.0, 1.0]], [0.0])]
    )
    budget = bit_budget(network, 4)
    assert (budget.float64, budget.float32, budget.layer, budget.unit, budget.bits) == (
        False,
        False,
        0,
        1,
        61,
    )
    assert not bit_budget(ReLUNetwork.from_layers([([[2.0**-130]], [0.0])]), 0).float32
    assert bit_budget(ReLUNetwork.from_layers([([[2.0**-130]], [0.0])]), 0).float64
    assert not bit_budget(ReLUNetwork.from_layers([([[2.0**130]], [0.0])]), 0).float32
    far = Kron(Dense(torch.tensor([[2.0**100, 1.0]])), Dense(torch.tensor([[2.0**-100, 1.0]])))
    assert not bit_budget(ReLUNetwork((Affine(far, zeros(1, 1)),)), 0).float32


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((squaring(2), 1.5), TypeError, "grid_bits must be an integer, got 1.5"),
        ((squaring(2), 500), ValueError, "grid_bits must lie in -400..400, got 500"),
        ((squaring(2), 4, (1.0, 0.0)), ValueError, "box must have lower <= upper"),
        ((squaring(2), 4, (0.0, math.nan)), ValueError, "box must be finite"),
        (
            (squaring(2), 4, (-1.0, 1.0)),
            ValueError,
            r"box must lie in the network's domain \[0.0, 1.0\]",
        ),
        ((squaring(2), 1, (0.1, 0.2)), ValueError, "box must hold a multiple of 2\\^-1"),
        (
            (squaring(2), 1, ([0.0, 0.1], 1.0)),
            ValueError,
            "box must have one number or 1 a corner, as the network has inputs, got 2",
        ),
        ((squaring(300), 4), ValueError, "entries of layers must be 0 or between"),
        (
            (ReLUNetwork((Affine(Unknown(1, 1), zeros(1, 1)),)), 4),
            ValueError,
            "entries must be known",
        ),
        (
            (ReLUNetwork.from_layers([([[2.0**300]], [0]), ([[2.0**300]], [0])]), 4),
            ValueError,
            "values must stay below 2",
        ),
    ],
)
def test_wrong_arguments_of_the_budget(arguments, error, message):
    with pytest.raises(error, match=message):
        bit_budget(*arguments[:2], **dict(zip(["box"], arguments[2:], strict=False)))


@pytest.mark.parametrize(
    "wrong", [torch.nn.Sequential(torch.nn.Linear(1, 1)), [[1.0]], None, "net.onnx"]
)
def test_other_kinds_of_arguments_are_named(wrong):
    message = (
        r"network must be a ReLUNetwork \(ReLUNetwork.from_module reads modules\), "
        rf"got {type(wrong).__name__}"
    )
    for call in (
        lambda: bit_budget(wrong, 4),
        lambda: rounding_error(wrong, (0.0, 1.0)),
        lambda: exact_values(wrong, [0.5]),
        lambda: exact_signs(wrong, [0.5]),
    ):
        with pytest.raises(TypeError, match=message):
            call()
    for box in (("a", 1.0), (0.0, [1.0, [2.0]]), (0.0, 1j), 1.0, None):
        with pytest.raises(ValueError, match=r"box must be a pair \(lower, upper\)"):
            rounding_error(squaring(2), box)
    with pytest.raises(
        TypeError, match="x must hold Fractions, integers or floats, got NoneType, float"
    ):
        exact_values(squaring(2), [[None], [0.5]])


# -- rounding errors -------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 10**6),
    widths=st.sampled_from(WIDTHS),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_rounding_errors_stay_below_their_bound(seed, widths, dtype):
    generator = np.random.default_rng(seed)
    network = wild_network(generator, widths, 3)
    low = generator.standard_normal(widths[0])
    high = low + generator.random(widths[0])
    bound = rounding_error(network, (low, high), dtype=dtype).numpy()
    x = low + (high - low) * generator.random((5, widths[0]))
    x = np.clip(x, low, high)
    expected = exact_values(network, x)
    for form in ("structured", "sparse", "dense"):
        computed = (
            network.to_module(form, dtype)(torch.from_numpy(x).to(dtype)).detach().double().numpy()
        )
        assert (abs(rational(computed) - expected) <= rational(bound)).all()


def test_rounding_errors_of_structured_networks_and_constructions():
    generator = np.random.default_rng(0)
    networks = [
        ReLUNetwork(tuple(structured(generator))),
        distance([[0.1, 0.7, 0.3]], "inf"),
        squaring(6),
        tooth(3),
    ]
    for network in networks:
        bound = rounding_error(network, (0.0, 1.0)).numpy()
        x = generator.random((50, network.inputs))
        computed = network(torch.from_numpy(x).float()).double().numpy()
        errors = abs(rational(computed) - exact_values(network, x))
        assert (errors <= rational(bound)).all()
        assert (rational(bound) <= 10**4 * errors.max()).all()  # and not absurdly above it


def test_wrong_arguments_of_rounding_errors():
    with pytest.raises(
        ValueError, match=r"dtype must be torch.float32 or torch.float64, got torch.float16"
    ):
        rounding_error(squaring(2), (0.0, 1.0), dtype=torch.float16)
    with pytest.raises(ValueError, match=r"values must stay below the largest torch.float32"):
        rounding_error(ReLUNetwork.from_layers([([[2.0**100]], [0.0])]), (0.0, 2.0**40))
    assert (
        rounding_error(
            ReLUNetwork.from_layers([([[2.0**100]], [0.0])]), (0.0, 2.0**40), dtype=torch.float64
        )
        < 2.0**100
    )
    with pytest.raises(ValueError, match="box must be finite"):
        rounding_error(squaring(2), (0.0, math.inf))
