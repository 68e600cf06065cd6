"""Closed forms against networks built from random centres and against a count of every entry;
measured growth.
"""

import itertools
import math

import numpy as np
import pytest
import sympy
import torch
from oracles import counts

from constructions import (
    VARIANTS,
    Ball,
    ReLUNetwork,
    closed_form,
    count_table,
    f_adv,
    f_S,
    fitted_exponent,
)
from constructions.classifiers.counting import (
    D,
    clean_closed_form,
    symbolic_f_S,
)
from constructions.classifiers.variants import least_dimension

NORMS = ("inf", 2)
EVERY = list(itertools.product(NORMS, VARIANTS))
SETTINGS = [(n, d, m) for n, m in ((1, 1), (2, 3), (5, 1), (7, 3)) for d in (4, 5, 6, 7, 11, 16)]


def generic_clean(dimension, hidden, outputs):
    """Positive weights, so that no weight or bias of a merged layer vanishes by accident; small
    values.
    """
    widths = [dimension, *hidden, outputs]
    draw = np.random.default_rng(0).random
    return ReLUNetwork.from_layers(
        [
            ((draw((b, a)) + 0.5) / (2 * a), (draw(b) + 0.5) / 16)
            for a, b in itertools.pairwise(widths)
        ]
    )


def built(norm, variant, n, d, m, hidden=(), outputs=1):
    """f_S on random centres; the separation is assumed, since only the count matters."""
    generator = np.random.default_rng(n * d)
    centres = generator.random((n, d)) * 0.9 + 0.05
    labels = generator.choice([-1, 1], n) if outputs == 1 else generator.integers(0, outputs, n)
    clean = generic_clean(d, hidden, outputs)
    ball, separation = (
        (Ball("inf", 0.1), 0.5) if norm == "inf" else (Ball(2, 0.5), 4.0 * math.sqrt(d))
    )
    return f_S(
        clean,
        centres,
        labels,
        ball,
        variant=variant,
        m=max(m, 3) if variant == "paper" else m,
        separation=separation,
    )


def formula(expression, n, d, m):
    return int(expression.subs({"N": n, "D": d, "m": m}))


@pytest.mark.parametrize("variant", ["leen", "LEAN", None])
def test_the_closed_form_of_what_is_no_variant_is_refused(variant):
    with pytest.raises(ValueError, match="variant must be one of paper, gate, lean, got"):
        closed_form("inf", variant)


@pytest.mark.parametrize(("norm", "variant"), EVERY)
def test_closed_forms_equal_measured_counts(norm, variant):
    """24 settings a variant and norm, by `==`; every entry of the smaller ones is looked at."""
    expression = closed_form(norm, variant)
    for n, d, m in SETTINGS:
        network = built(norm, variant, n, d, m)
        expected = formula(expression, n, d, network.provenance.arguments["m"])
        assert network.size.parameters == expected
        if n * d <= 25 and m == 1:
            _, _, _, weights, biases, _ = counts(network)
            assert weights + biases == expected


@pytest.mark.parametrize(("norm", "variant"), EVERY)
@pytest.mark.parametrize(
    ("hidden", "outputs"),
    [
        ((4, 3), 1),
        ((5,), 10),
        *(pytest.param(*sizes, marks=pytest.mark.slow) for sizes in (((3,), 1), ((), 3))),
    ],
)
def test_closed_forms_with_hidden_layers_and_classes(norm, variant, hidden, outputs):
    expression = closed_form(norm, variant, hidden, outputs)
    least = least_dimension(hidden)
    for n, d, m in (
        (1, least, 3),
        (3, least + 1, 3),
        (6, 2 * least + 2, 4),
        (20, 3 * least + 3, 3),
    ):
        network = built(norm, variant, n, d, m, hidden, outputs)
        _, _, _, weights, biases, _ = counts(network)
        assert network.size.parameters == weights + biases == formula(expression, n, d, m)


@pytest.mark.parametrize(("norm", "variant"), EVERY)
def test_closed_forms_name_their_sizes(norm, variant):
    expression = closed_form(norm, variant)
    expected = {"N", "D", "m"} if norm == 2 or variant == "paper" else {"N", "D"}
    assert {symbol.name for symbol in expression.free_symbols} == expected
    assert sympy.Poly(expression, sympy.Symbol("N")).degree() == 1


def test_the_closed_form_of_a_dense_network():
    for hidden, outputs in (((), 1), ((7,), 1), ((7, 5), 3)):
        network = generic_clean(6, hidden, outputs)
        assert (
            clean_closed_form(hidden, outputs).subs(D, 6)
            == network.size.parameters
            == network.size.dense_parameters
        )


@pytest.mark.parametrize(("norm", "variant"), EVERY)
def test_counts_grow_linearly(norm, variant):
    """Fitted exponents of N and D within 0.01 of 1; the closed form once more against the building
    code, run on sizes.
    """
    expression = closed_form(norm, variant, (64,))
    assert symbolic_f_S(norm, variant, 60_000, 784, 8, (64,)).size.parameters == formula(
        expression, 60_000, 784, 8
    )
    sizes = [10**k for k in range(4, 9)]
    assert fitted_exponent(sizes, [formula(expression, n, 784, 8) for n in sizes]) == pytest.approx(
        1, abs=0.01
    )
    assert fitted_exponent(
        sizes, [formula(expression, 60_000, d, 8) for d in sizes]
    ) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("norm", "variant"), EVERY)
def test_f_adv_grows_linearly_in_the_memorized_share(norm, variant):
    """f_adv on mu N points counts like f_S on them, measured; and the exponent in mu N is within
    0.01 of 1.
    """
    shares, dimension = [2000, 4000, 8000, 16_000], 32
    centres = (
        torch.rand(
            16_000, dimension, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
        )
        * 0.9
        + 0.05
    )
    clean = generic_clean(dimension, (), 1)
    ball, separation = (
        (Ball("inf", 0.1), 0.5) if norm == "inf" else (Ball(2, 0.5), 4.0 * math.sqrt(dimension))
    )
    labels, measured = torch.ones(16_000, dtype=torch.int64), []
    for small in shares:
        margins = torch.where(torch.arange(16_000) < small, 0.01, 1.0)
        network = f_adv(
            clean,
            centres,
            labels,
            ball,
            margins=margins,
            variant=variant,
            m=4,
            separation=separation,
        )
        assert network.provenance.arguments["N"] == small
        assert network.size.parameters == formula(closed_form(norm, variant), small, dimension, 4)
        measured.append(network.size.parameters)
    assert fitted_exponent(shares, measured) == pytest.approx(1, abs=0.01)


# -- the table -------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
def test_count_table(monkeypatch, norm):
    """Measured and closed forms agree in every row, also beyond the size that is built."""
    monkeypatch.setattr("constructions.classifiers.counting.ENTRIES_BUILT", 300)
    ticks = []
    rows = count_table(
        [10, 20, 40],
        [8, 12],
        norm=norm,
        m=8,
        hidden=(64,),
        mu=0.25,
        report=ticks.append,
    )
    assert len(rows) == 6 * (1 + 2 * len(VARIANTS))
    assert [p.done for p in ticks] == list(range(1, 6 * 2 * len(VARIANTS) + 1))
    assert {p.total for p in ticks} == {len(ticks)}
    assert all(row.measured == row.closed_form for row in rows)
    assert all(row.dense_parameters >= row.measured for row in rows)
    assert {row.built for row in rows if row.network == "f_S"} == {True, False}
    assert all(
        row.built == (row.points * row.dimension <= 300) for row in rows if row.network != "f_clean"
    )
    adv = {(r.variant, r.points, r.dimension): r.measured for r in rows if r.network == "f_adv"}
    full = {(r.variant, r.points, r.dimension): r.measured for r in rows if r.network == "f_S"}
    for variant, d in itertools.product(VARIANTS, (8, 12)):
        assert adv[variant, 40, d] == full[variant, 10, d]  # mu N = 10
    assert {row.norm for row in rows} == {str(norm)}


def test_count_table_checks_its_grid():
    for points, dimensions, options, message in (
        ([0], [8], {}, "points must be >= 1, and dimensions >= 4"),
        ([1], [3], {}, "points must be >= 1, and dimensions >= 4"),
        ([1], [7], {"hidden": (3, 3)}, "dimensions >= 8, .* got N=1, D=7"),
        ([1], [8], {"hidden": (3, 0)}, "hidden must hold widths >= 1, got 0"),
        ([1], [8], {"mu": 0.0}, r"mu must lie in \(0, 1\], got 0"),
        ([1], [8], {"mu": 1.5}, r"mu must lie in \(0, 1\], got 1.5"),
        ([1], [8], {"norm": 1}, "norm must be 2 or 'inf'"),
    ):
        with pytest.raises(ValueError, match=message):
            count_table(points, dimensions, **options)


def test_fitted_exponent():
    assert fitted_exponent([1, 2, 4], [3, 12, 48]) == pytest.approx(2, abs=1e-12)
    for sizes, values in (([1], [1]), ([1, 2], [0, 1]), ([-1, 2], [1, 1])):
        with pytest.raises(ValueError, match="at least two positive numbers"):
            fitted_exponent(sizes, values)
