"""Affine maps as one map: exactly, or not at all."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from constructions import Affine, Block, Constant, Dense, Identity, Kron, Sparse
from constructions.linear.matrix import column, kron, sparse, zeros
from constructions.linear.merging import merged, rounded

SEEDS = st.integers(0, 2**32 - 1)


def exact(map):
    weight, bias = map.weight.to_dense().tolist(), map.bias.to_dense()[:, 0].tolist()
    return [[Fraction(v) for v in row] for row in weight], [Fraction(v) for v in bias]


def composed(outer, inner):
    (w, b), (v, c) = exact(outer), exact(inner)
    weight = [
        [
            sum((p * q for p, q in zip(row, col, strict=True)), Fraction(0))
            for col in zip(*v, strict=True)
        ]
        for row in w
    ]
    bias = [sum((p * q for p, q in zip(row, c, strict=True)), b[i]) for i, row in enumerate(w)]
    return weight, bias


def random_matrix(r, rows, columns, wide):
    """Numbers with few bits, or with as many as float64 has, in one of the forms."""
    entries = r.integers(-7, 8, (rows, columns)) * 2.0 ** r.integers(-2, 3, (rows, columns))
    if wide:
        entries = r.normal(size=(rows, columns)) * 2.0 ** r.choice([-60, 0, 60], (rows, columns))
    entries[r.random((rows, columns)) < 0.3] = 0
    dense = Dense(torch.from_numpy(entries))
    if rows == columns and r.random() < 0.3:
        return Identity(rows)
    forms = [
        dense,
        sparse(dense),
        Constant(rows, columns, float(entries[0, 0])),
        Block(((dense,),)),
    ]
    if rows % 2 == columns % 2 == 0:
        part = Dense(dense.entries[: rows // 2, : columns // 2])
        forms += [
            Kron(Identity(2), part),
            Kron(part, Constant(2, 2, 0.75)),
            Block(((part, zeros(*part.shape)), (zeros(*part.shape), part))),
        ]
    return forms[r.integers(len(forms))]


@given(SEEDS, st.booleans(), st.booleans())
def test_what_is_merged_is_exact(seed, wide, wider):
    r = np.random.default_rng(seed)
    n, k, m = (int(v) for v in r.integers(1, 7, 3))
    inner = Affine(random_matrix(r, k, n, wide), column(random_matrix(r, k, 1, wide).to_dense()))
    outer = Affine(random_matrix(r, m, k, wider), column(random_matrix(r, m, 1, wider).to_dense()))
    found = merged(outer, inner)
    if not (wide or wider):
        assert found is not None
    if found is not None:
        assert exact(found) == composed(outer, inner)


@pytest.mark.parametrize(
    ("outer", "inner", "possible"),
    [
        ([[1.0, 1.0]], [[2.0**60], [1.0]], False),
        ([[1.0, 1.0]], [[2.0**52], [1.0]], True),
        ([[0.1]], [[0.1]], False),
        ([[0.1]], [[-0.5]], True),
        ([[float(np.float32(0.1))]], [[float(np.float32(0.3))]], True),
        ([[2.0**-600]], [[2.0**-600]], False),
        ([[2.0**600]], [[2.0**600]], False),
    ],
)
def test_products_that_float64_holds(outer, inner, possible):
    found = merged(
        *(
            Affine(Dense(torch.tensor(w, dtype=torch.float64)), zeros(len(w), 1))
            for w in (outer, inner)
        )
    )
    assert (found is not None) == possible


def test_biases_count():
    one, small = Affine(Identity(1), column([1.0])), Affine(Identity(1), column([2.0**-60]))
    assert merged(one, small) is None
    assert merged(one, one).bias.to_dense().item() == 2
    assert rounded(one, small).bias.to_dense().item() == 1


@pytest.mark.parametrize("size", [1e-310, 2.0**-1060, 1e300])
def test_selections_merge_whatever_the_sizes(size):
    """One unit is relu(v), another relu(-v): their difference with any weight is no sum."""
    chosen = Sparse((1, 2), torch.tensor([0, 0]), torch.tensor([0, 1]), torch.tensor([1.0, -1.0]))
    found = merged(
        Affine(Dense(torch.tensor([[size]], dtype=torch.float64)), zeros(1, 1)),
        Affine(chosen, zeros(1, 1)),
    )
    assert found.weight.to_dense().tolist() == [[size, -size]]


def test_structure_is_kept():
    copies = Affine(kron(Identity(10**5), Dense(torch.tensor([[0.5, 3.0]]))), zeros(10**5, 1))
    found = merged(Affine(Constant(1, 10**5), zeros(1, 1)), copies)
    assert found.weight.stored <= 4


def test_kronecker_products_are_not_merged_where_a_factor_underflows():
    """Entries are 2^-598, but the product of the left factors, 2^-1199, is no float64."""
    tiny = 2.0**-600
    outer = Affine(Kron(Dense([[tiny, tiny]]), Dense([[2.0**600, 2.0**600]])), zeros(1, 1))
    inner = Affine(Kron(Dense([[tiny], [tiny]]), Dense([[2.0**300], [2.0**300]])), zeros(4, 1))
    assert merged(outer, inner) is None
    shifted = Affine(Identity(4), inner.weight)
    assert merged(Affine(outer.weight, column([2.0**-598])), shifted) is None


def test_selections_of_kronecker_products_that_float64_does_not_hold_are_not_merged():
    third = Dense([[1 / 3, 1.0]])
    inner = Affine(Kron(third, third), zeros(1, 1))
    chosen = Sparse((1, 1), torch.tensor([0]), torch.tensor([0]), torch.tensor([-1.0]))
    assert merged(Affine(chosen, zeros(1, 1)), inner) is None


def test_zeros_add_nothing_to_a_bias_of_53_bits():
    """The largest odd number of 53 bits leaves no room for a sum, but none is there."""
    bias, empty = column([2.0**53 - 1]), Block(((zeros(1, 1),), (zeros(1, 1),)))
    outer, chosen = Affine(Dense([[2.0, 3.0]]), bias), Identity(2)
    assert merged(outer, Affine(chosen, empty)).bias.to_dense().item() == 2.0**53 - 1
    assert merged(outer, Affine(chosen, column([1.0, 0.0]))) is None
