"""Every matrix form and every pair of forms against dense algebra; entries are small and dyadic, so
`==` holds.
"""

import copy
import pickle
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import dense, rational

from constructions import Block, Constant, Dense, Identity, Kron, Sparse, Unknown
from constructions.linear.matrix import (
    block,
    column,
    diagonal,
    is_zero,
    kron,
    product,
    sparse,
    total,
    zeros,
)

FORMS = ("Identity", "Constant", "Dense", "Sparse", "Kron", "Block")
SIZES = st.sampled_from([1, 2, 3, 4, 6, 8])
ENTRIES = np.array([0.0, 0.0, 1.0, -1.0, 0.5, -2.0, 1.5, 0.0])
CONSTANT = st.sampled_from([0.0, 1.0, -1.0, 0.5, 3.0])


@cache  # a strategy is validated once: most of the time otherwise
@st.composite
def matrices(draw, form, rows, columns):
    """A matrix of the given form and shape (an Identity only where rows == columns)."""
    match form:
        case "Identity":
            return Identity(rows)
        case "Constant":
            return Constant(rows, columns, draw(CONSTANT))
        case "Dense":
            return Dense(torch.from_numpy(draw(_entries(rows, columns))))
        case "Sparse":
            entries = draw(_entries(rows, columns))
            i, j = np.nonzero(entries)
            order = np.argsort(draw(_bytes(len(i))), kind="stable")
            parts = (torch.from_numpy(v[order]) for v in (i, j, entries[i, j]))
            return Sparse((rows, columns), *parts)
        case "Kron":
            p, q = draw(_divisor(rows)), draw(_divisor(columns))
            return Kron(draw(simple(rows // p, columns // q)), draw(simple(p, q)))
        case "Block":
            heights, widths = draw(_parts(rows)), draw(_parts(columns))
            return Block(tuple(tuple(draw(simple(h, w)) for w in widths) for h in heights))
    raise AssertionError(form)


@cache
@st.composite
def simple(draw, rows, columns):
    """A matrix of one of the forms without parts, of the given shape; now and then a Kronecker
    product.
    """
    forms = ["Constant", "Dense", "Sparse", "Kron", *(["Identity"] * 3 if rows == columns else [])]
    return draw(matrices(draw(st.sampled_from(forms)), rows, columns))


@cache
def _bytes(count):
    """One draw, where a list would be as many as it is long."""
    return st.binary(min_size=count, max_size=count).map(lambda b: np.frombuffer(b, np.uint8))


@cache
def _entries(rows, columns):
    return _bytes(rows * columns).map(lambda b: ENTRIES[b % 8].reshape(rows, columns))


@cache
def _divisor(n):
    return st.sampled_from([k for k in range(1, n + 1) if n % k == 0])


@cache
@st.composite
def _parts(draw, n):
    cuts = sorted(draw(st.sets(st.integers(1, n - 1), max_size=2))) if n > 1 else []
    return [b - a for a, b in zip([0, *cuts], [*cuts, n], strict=True)]


@cache
@st.composite
def shaped(draw, form, rows=None, columns=None):
    """A matrix of the form; missing sizes are drawn (equal for an Identity)."""
    rows = draw(SIZES) if rows is None else rows
    columns = rows if form == "Identity" else draw(SIZES) if columns is None else columns
    return draw(matrices(form, rows, columns))


def same(matrix, expected):
    return matrix.shape == expected.shape and np.array_equal(matrix.to_dense().numpy(), expected)


# -- one form: its laws ----------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_entries_counts_and_signs(form, data):
    a = data.draw(shaped(form))
    expected = dense(a)
    assert same(a, expected)
    assert a.nonzeros == np.count_nonzero(expected)
    assert same(a.absolute(), np.abs(expected))
    assert type(a.absolute()) is type(a)
    assert same(-a, -expected)
    assert (-a).nonzeros == a.nonzeros
    assert is_zero(a) <= (not expected.any())
    assert same(sparse(a), expected)
    assert sparse(a).stored == a.nonzeros


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_coordinates_list_every_nonzero_once(form, data):
    a = data.draw(shaped(form))
    rows, columns, values = a.coordinates()
    assert (rows.dtype, columns.dtype, values.dtype) == (torch.int64, torch.int64, torch.float64)
    expected = {(i, j): v for (i, j), v in np.ndenumerate(dense(a)) if v}
    assert len(values) == len(expected)
    assert (
        dict(zip(zip(rows.tolist(), columns.tolist(), strict=True), values.tolist(), strict=True))
        == expected
    )


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data(), batch=st.sampled_from([(), (3,), (2, 3), (0,)]))
def test_apply_is_multiplication_by_the_dense_matrix(form, data, batch):
    a = data.draw(shaped(form))
    x = torch.randint(-4, 5, (*batch, a.shape[1])).double() / 2
    for dtype in (torch.float64, torch.float32):
        y = a.apply(x.to(dtype))
        assert y.dtype == dtype
        assert torch.equal(y.double(), x @ torch.from_numpy(dense(a)).T)


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data(), batch=st.sampled_from([(), (2,), (2, 2)]))
def test_apply_to_fractions_is_exact(form, data, batch):
    a = data.draw(shaped(form))
    thirds = np.array(
        [Fraction(k, 3) for k in range(1, 1 + int(np.prod((*batch, a.shape[1]))))], dtype=object
    )
    x = thirds.reshape(*batch, a.shape[1])
    y = a.apply(x)
    assert np.array_equal(y, x @ rational(dense(a)).T)
    assert all(isinstance(v, Fraction) for v in y.reshape(-1))


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_apply_is_differentiable(form, data):
    a = data.draw(shaped(form))
    x = torch.ones(2, a.shape[1], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(a.apply(x).sum(), x)
    assert torch.equal(gradient, torch.from_numpy(dense(a)).sum(0).expand(2, -1))


# -- two forms: product, sum, Kronecker product, grids ---------------------------------------------


@pytest.mark.parametrize("left", FORMS)
@pytest.mark.parametrize("right", FORMS)
@given(data=st.data())
def test_product_of_every_pair(left, right, data):
    a = data.draw(shaped(left))
    b = data.draw(shaped(right, rows=a.shape[1]))
    result = a @ b
    assert same(result, dense(a) @ dense(b))
    assert np.array_equal(dense(result), dense(a) @ dense(b))
    assert result.nonzeros == np.count_nonzero(dense(a) @ dense(b))


@pytest.mark.parametrize("left", FORMS)
@pytest.mark.parametrize("right", FORMS)
@given(data=st.data())
def test_sum_of_every_pair(left, right, data):
    rows = data.draw(SIZES)
    columns = rows if "Identity" in (left, right) else data.draw(SIZES)
    a, b = data.draw(matrices(left, rows, columns)), data.draw(matrices(right, rows, columns))
    result = a + b
    assert same(result, dense(a) + dense(b))
    assert result.nonzeros == np.count_nonzero(dense(a) + dense(b))


@pytest.mark.parametrize("left", FORMS)
@pytest.mark.parametrize("right", FORMS)
@given(data=st.data())
def test_kronecker_normal_form_and_diagonal(left, right, data):
    a, b = data.draw(shaped(left)), data.draw(shaped(right))
    result = kron(a, b)
    assert same(result, np.kron(dense(a), dense(b)))
    assert result.stored <= a.stored + b.stored
    corner = np.zeros((a.shape[0], b.shape[1])), np.zeros((b.shape[0], a.shape[1]))
    assert same(diagonal([a, b]), np.block([[dense(a), corner[0]], [corner[1], dense(b)]]))


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_unknown_counts_bound_every_instance(form, data):
    """Products and sums with unknown entries have the right shape and never count too little."""
    a = data.draw(shaped(form))
    b = data.draw(
        st.sampled_from(["Dense", "Sparse"]).flatmap(lambda f: shaped(f, rows=a.shape[1]))
    )
    unknown_a, unknown_b = Unknown(*a.shape, count=a.nonzeros), Unknown(*b.shape, count=b.nonzeros)
    truth = np.count_nonzero(dense(a) @ dense(b))
    for result in (a @ unknown_b, unknown_a @ b, unknown_a @ unknown_b):
        assert result.shape == (a.shape[0], b.shape[1])
        assert result.nonzeros >= truth
    for result in (a + Unknown(*a.shape), Unknown(*a.shape) + a):
        assert result.shape == a.shape
        assert result.nonzeros == a.shape[0] * a.shape[1]
    assert kron(a, unknown_b).nonzeros == a.nonzeros * b.nonzeros


# -- structure is kept -----------------------------------------------------------------------------

ROW, COLUMN = Dense(torch.tensor([[1.0, 2.0, 3.0]])), Dense(torch.tensor([[1.0], [2.0], [3.0]]))
SQUARE = Dense(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
MANY = 10**6


@pytest.mark.parametrize(
    ("build", "form", "most_stored"),
    [
        (lambda: Kron(Identity(MANY), SQUARE) @ Kron(Identity(MANY), SQUARE), Kron, 4),
        (lambda: Kron(Identity(MANY), ROW) @ Kron(Identity(MANY), COLUMN), Kron, 1),
        # I (x) A after tiling
        (lambda: Kron(Identity(MANY), SQUARE) @ Kron(Constant(MANY, 1), Identity(2)), Kron, 5),
        # a sum of copies
        (lambda: Kron(Constant(1, MANY), Identity(2)) @ Kron(Identity(MANY), SQUARE), Kron, 5),
        (
            lambda: Kron(Identity(2 * MANY), ROW) @ Kron(Identity(MANY), Kron(Identity(2), COLUMN)),
            Kron,
            1,
        ),
        (lambda: Kron(Identity(MANY), Identity(4)) @ Kron(Identity(2 * MANY), SQUARE), Kron, 4),
        (
            lambda: (
                Kron(Constant(1, 2 * MANY), SQUARE)
                @ Kron(Identity(MANY), Kron(Identity(2), SQUARE))
            ),
            Kron,
            6,
        ),
        (lambda: Constant(3, MANY) @ Constant(MANY, 5), Constant, 1),
        (lambda: Constant(MANY, 1) @ ROW, Kron, 4),  # an outer product
        (lambda: Identity(3 * MANY) @ Kron(Identity(MANY), COLUMN), Kron, 3),
        (lambda: Kron(Identity(MANY), SQUARE) + Kron(Identity(MANY), SQUARE), Kron, 4),
        (lambda: Constant(MANY, 7) + Constant(MANY, 7, 0.5), Constant, 1),
        (lambda: zeros(MANY, MANY) + Kron(Identity(MANY), Identity(1)), Kron, 0),
        (lambda: zeros(3, MANY) @ Kron(Identity(MANY), ROW), Constant, 1),
        (
            lambda: diagonal([Identity(MANY), SQUARE]) @ diagonal([Constant(MANY, 1), SQUARE]),
            Block,
            5,
        ),
        (lambda: Constant(1, MANY + 2) @ diagonal([Identity(MANY), SQUARE]), Block, 3),
        (lambda: Block(((Identity(MANY),), (Identity(MANY),))) @ Constant(MANY, 1), Block, 2),
        (lambda: kron(Identity(MANY), Kron(Identity(3), SQUARE)), Kron, 4),
        (lambda: kron(Identity(MANY), Identity(3)), Identity, 0),
        (lambda: kron(SQUARE, zeros(MANY, 1)), Constant, 1),
        (
            lambda: sparse(Kron(Identity(MANY // 10), ROW)) @ Kron(Identity(MANY // 10), COLUMN),
            Sparse,
            MANY // 10,
        ),
        (lambda: block([[zeros(2, MANY)], [zeros(3, MANY)]]), Constant, 1),
    ],
)
def test_structure_is_kept(build, form, most_stored):
    result = build()
    assert isinstance(result, form)
    assert result.stored <= most_stored


def test_normal_forms_have_the_entries_they_should():
    """The cases of `test_structure_is_kept`, small enough to compare with dense algebra."""
    n = 3
    cases = [
        (Kron(Identity(n), SQUARE), Kron(Constant(n, 1), Identity(2))),
        (Kron(Constant(1, n), Identity(2)), Kron(Identity(n), SQUARE)),
        (Kron(Identity(2 * n), ROW), Kron(Identity(n), Kron(Identity(2), COLUMN))),
        (Kron(Constant(1, 2 * n, 0.5), SQUARE), Kron(Identity(n), Kron(Identity(2), SQUARE))),
        (Kron(Identity(n), Kron(Identity(2), SQUARE)), Kron(Constant(2 * n, 1, 0.5), SQUARE)),
        (Constant(1, n + 2), diagonal([Identity(n), SQUARE])),
        (Kron(SQUARE, COLUMN), Dense(torch.tensor([[1.0, 2.0, 5.0], [3.0, 4.0, 6.0]]))),
        (Dense(torch.tensor([[1.0, 2.0], [5.0, 3.0], [4.0, 6.0]])), Kron(SQUARE, ROW)),
    ]
    for a, b in cases:
        assert same(a @ b, dense(a) @ dense(b))


def test_constants_whose_product_is_no_float64_stay_apart():
    """Kept as factors, whatever stands to their right: this recursed without end."""
    made = kron(Constant(2, 1, 0.1), kron(Constant(1, 1, 0.3), Dense([[5.0]])))
    exact = made.apply(np.array([Fraction(1)], dtype=object)).tolist()
    assert exact == [Fraction(0.1) * Fraction(0.3) * 5] * 2


def test_products_and_sums_without_structure_round_kronecker_products():
    tenths = Kron(Dense([[0.1]]), Dense([[0.3, 0.1]]))
    assert (tenths + Dense([[1.0, 1.0]])).to_dense().tolist() == [[1 + 0.1 * 0.3, 1 + 0.1 * 0.1]]


def test_column_says_when_it_is_zero():
    assert is_zero(column([0.0, 0.0]))
    assert same(column([0.0, 2.0]), np.array([[0.0], [2.0]]))


# -- symbolic sizes --------------------------------------------------------------------------------

N = sympy.Symbol("N", integer=True, positive=True)


@pytest.mark.parametrize(
    "build",
    [
        lambda n: Kron(Identity(n), SQUARE) @ Kron(Constant(n, 1), Identity(2)),
        lambda n: Kron(Constant(1, n), Identity(2)) @ Kron(Identity(n), SQUARE),
        lambda n: Kron(Identity(2 * n), ROW) @ Kron(Identity(n), Kron(Identity(2), COLUMN)),
        lambda n: Unknown(n, 3) @ SQUARE_3,
        lambda n: Kron(Identity(n), SQUARE) + Kron(Identity(n), SQUARE),
        lambda n: (
            diagonal([Identity(n), Unknown(n, 4)]) @ diagonal([Constant(n, 1), Unknown(4, n)])
        ),
        lambda n: Constant(n, 1) @ ROW,
        lambda n: Constant(n, 2) + Constant(n, 2),
        lambda n: -Kron(Identity(n), SQUARE),
        lambda n: Constant(2, n) @ Constant(n, 3),
    ],
)
def test_symbolic_sizes_count_like_numbers(build):
    symbolic, numeric = build(N), build(5)
    assert tuple(sympy.sympify(s).subs(N, 5) for s in symbolic.shape) == numeric.shape
    assert sympy.sympify(symbolic.nonzeros).subs(N, 5) == numeric.nonzeros
    assert sympy.sympify(symbolic.stored).subs(N, 5) == numeric.stored


SQUARE_3 = Dense(torch.ones(3, 3))


def test_symbolic_and_unknown_matrices_refuse_to_be_evaluated():
    with pytest.raises(TypeError, match="symbolic size"):
        Identity(N).to_dense()
    with pytest.raises(TypeError, match="no entries"):
        Unknown(2, 3).apply(torch.ones(3))
    with pytest.raises(TypeError, match="no entries"):
        Unknown(2, 3).coordinates()
    assert Unknown(2, 3).nonzeros == 6
    assert Unknown(2, 3, 4).nonzeros == Unknown(2, 3, 4).absolute().nonzeros == 4


# -- errors ----------------------------------------------------------------------------------------


def test_too_large_products_and_sums_name_both_shapes():
    tall, wide = Dense(torch.ones(20_000, 2)), Dense(torch.ones(2, 20_000))
    with pytest.raises(
        ValueError,
        match=r"Dense\[20000 x 2\].*Dense\[2 x 20000\].*400,000,000 entries.*134,217,728",
    ):
        tall @ wide
    outer = Kron(Constant(20_000, 1), Dense(torch.ones(1, 20_000)))
    with pytest.raises(ValueError, match=r"Constant\[20000 x 20000\].*Kron\[20000 x 20000\]"):
        Constant(20_000, 20_000) + outer
    with pytest.raises(ValueError, match=r"Kron\[20000 x 20000\] as a dense matrix"):
        outer.to_dense()
    with pytest.raises(ValueError, match="entries"):
        outer.coordinates()
    with pytest.raises(ValueError, match=r"Constant\[20000 x 20000\]"):
        Constant(20_000, 20_000).coordinates()


def test_wrong_shapes_are_named():
    with pytest.raises(
        ValueError, match=r"Constant\[2 x 3\] by Identity\[4 x 4\]: 3 columns against 4 rows"
    ):
        product(Constant(2, 3), Identity(4))
    with pytest.raises(ValueError, match=r"Constant\[2 x 3\] and Constant\[3 x 2\]: shapes differ"):
        total(Constant(2, 3), Constant(3, 2))
    with pytest.raises(ValueError, match="does not fit"):
        Block(((Identity(2), Identity(3)),))
    with pytest.raises(ValueError, match="does not fit"):
        Block(((Identity(2),), (Identity(3),)))
    for grid in ((), ((),), ((Identity(1),), ())):
        with pytest.raises(ValueError, match="nonempty rectangle"):
            Block(grid)
    with pytest.raises(ValueError, match="two axes"):
        Dense(torch.ones(3))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_entries_must_be_finite(bad):
    with pytest.raises(ValueError, match=r"Dense matrix must be finite, got .* at index \(1, 0\)"):
        Dense(torch.tensor([[1.0, 2.0], [bad, 4.0]]))
    with pytest.raises(ValueError, match=r"Sparse matrix must be finite, got .* at index \(0,\)"):
        Sparse((2, 2), torch.tensor([0]), torch.tensor([0]), torch.tensor([bad]))
    with pytest.raises(ValueError, match="must be finite"):
        Constant(2, 2, bad)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 2.0**-130])  # entries times points: subnormal in float32
def test_many_rows_of_sparse_products_are_those_of_few(monkeypatch, dtype, scale):
    """Of dyadic numbers, so the order of sums makes no difference."""
    generator = torch.Generator().manual_seed(0)
    entries = torch.randint(-8, 9, (7, 11), generator=generator).double() / 4
    entries[torch.rand(7, 11, generator=generator) < 0.6] = 0
    entries[3] = 0  # a row without entries
    matrix = sparse(Dense(entries))
    x = torch.randint(-64, 65, (2, 5, 11), generator=generator).to(dtype) * scale
    found = {}
    for most in (2**20, -1):
        monkeypatch.setattr("constructions.linear.matrix.BY_INDEX", most)
        points = x.clone().requires_grad_()
        values = copy.deepcopy(matrix).apply(points)
        (values * torch.arange(7)).sum().backward()
        found[most] = values.detach(), points.grad, matrix.apply(x[0, 0]), matrix.apply(x[:0])
        copy.deepcopy(matrix), pickle.loads(pickle.dumps(matrix))  # also what is kept
    assert found[-1][0].shape == (2, 5, 7)
    for few, many in zip(found[2**20], found[-1], strict=True):
        assert torch.equal(few, many)
    assert torch.equal(found[-1][0].double(), x.double() @ entries.T)


def test_sparse_positions_must_be_inside_and_distinct():
    one = torch.ones(2)
    with pytest.raises(ValueError, match=r"rows of a Sparse matrix must lie in 0\.\.1"):
        Sparse((2, 2), torch.tensor([0, 2]), torch.tensor([0, 1]), one)
    with pytest.raises(ValueError, match=r"columns of a Sparse matrix must lie in 0\.\.1"):
        Sparse((2, 2), torch.tensor([0, 1]), torch.tensor([-1, 1]), one)
    with pytest.raises(ValueError, match="twice"):
        Sparse((2, 2), torch.tensor([0, 0]), torch.tensor([1, 1]), one)
    assert (
        Sparse((2, 2), torch.tensor([0, 1]), torch.tensor([0, 1]), torch.tensor([0.0, 1.0])).stored
        == 1
    )


def test_a_matrix_does_not_follow_the_array_it_was_made_from():
    source = np.ones((2, 2))
    matrix = Dense(source)
    source[0, 0] = 7.0
    assert same(matrix, np.ones((2, 2)))
