"""Affine maps in sequence as one map, where float64 holds the result exactly; never otherwise.

A product of matrices is exact if every entry is a sum of terms that are multiples of one power of
two and add up, in absolute value, to less than 2^53 of it: then no product and no partial sum
rounds, in any order.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse
import torch

from ..basics.floats import FAR, lowest_bit
from .affine import Affine
from .matrix import (
    Block,
    Constant,
    Dense,
    Identity,
    Kron,
    Matrix,
    Sparse,
    exact_product,
    exact_total,
    has_integers,
    is_float64,
    is_zero,
    numbers,
    product,
    total,
    zeros,
)

TERM_LIMIT = 2**23
"""Most products of entries that are looked at one by one."""

PART = 2**20
"""Entries that are looked at together."""

LOW, HIGH = -1000, 1000
"""Exponents between which exactness is claimed: far from underflow and overflow."""


def merged(outer: Affine, inner: Affine) -> Affine | None:
    """The map outer o inner, or None where float64 is not proved to hold it exactly.

    Cost: products with absolute values; entry by entry up to `TERM_LIMIT` products.

    >>> from constructions.linear.matrix import column
    >>> one = Affine(Dense(torch.tensor([[0.5]])), column([3.0]))
    >>> merged(one, one).bias.to_dense().item()
    4.5
    >>> sums, large = (
    ...     Affine(Dense(torch.tensor(w)), column([0.0] * len(w)))
    ...     for w in ([[1.0, 1.0]], [[2.0**60], [1.0]])
    ... )
    >>> merged(sums, large) is None
    True
    """
    parts = outer.weight, outer.bias, inner.weight, inner.bias
    if any(map(has_integers, parts)):
        image = exact_total(exact_product(outer.weight, inner.bias), outer.bias)
        return Affine(exact_product(outer.weight, inner.weight), image)
    with np.errstate(over="ignore"):  # infinity fits nowhere
        if not (_exact_product(outer.weight, inner.weight) and _exact_image(outer, inner.bias)):
            return None
    return rounded(outer, inner)


def merged_weights(outer: Matrix, inner: Matrix) -> Matrix | None:
    """The product of two matrices, or None where float64 is not proved to hold it exactly."""
    found = merged(Affine(outer, zeros(outer.shape[0], 1)), Affine(inner, zeros(inner.shape[0], 1)))
    return None if found is None else found.weight


def rounded(outer: Affine, inner: Affine) -> Affine:
    """The map outer o inner as float64 computes it; a product with a dense factor is dense, as
    hardly any entry is zero.
    """
    weight = product(outer.weight, inner.weight)
    if isinstance(weight, Sparse) and any(
        isinstance(factor, Dense) for factor in (outer.weight, inner.weight)
    ):
        weight = Dense(weight.to_dense(), copy=False)
    if is_zero(inner.bias):
        return Affine(weight, outer.bias)
    return Affine(weight, total(product(outer.weight, inner.bias), outer.bias))


# -- proofs of exactness ---------------------------------------------------------------------------


def _exact_product(a: Matrix, b: Matrix) -> bool:
    if is_zero(a) or is_zero(b):
        return True
    if isinstance(a, Identity) or isinstance(b, Identity):
        return True
    if _chooses(a, 0) or _chooses(b, 1):
        return is_float64(a) and is_float64(b)
    facts = _facts(a), _facts(b)
    if any(fact is None for fact in facts):
        return True  # sizes without entries: nothing is computed but a count
    if not _moderate(a, b):
        return False
    (low_a, _, rows_a), (low_b, most_b, _) = facts  # type: ignore[misc]
    if _fits(rows_a * most_b, low_a + low_b):
        return True
    if max(a.nonzeros, b.nonzeros) > TERM_LIMIT or not (is_float64(a) and is_float64(b)):
        return False
    p, q = _scipy(a), _scipy(b)
    if low_a + low_b >= LOW:  # else a product may vanish
        sums = (abs(p) @ abs(q)).tocoo()
        rows, columns = _least(p, 0), _least(q, 1)
        if _all_fit(sums.data, rows[sums.row] + columns[sums.col]):
            return True
    return _exact_entries(p, q)


def _exact_image(outer: Affine, inner: Matrix) -> bool:
    """Whether weight @ inner + bias is exact."""
    if is_zero(inner):
        return True
    if is_zero(outer.bias) or (isinstance(outer.weight, Identity) and is_zero(outer.bias)):
        return _exact_product(outer.weight, inner)
    facts = [_facts(m) for m in (outer.weight, inner, outer.bias)]
    if any(fact is None for fact in facts):
        return True
    (low_w, _, rows_w), (low_i, most_i, _), (low_b, most_b, _) = facts  # type: ignore[misc]
    if most_i == 0:  # blocks of zeros
        return True
    if not _moderate(outer.weight, inner):
        return False
    if _fits(rows_w * most_i + most_b, min(low_w + low_i, low_b)):
        return True
    if outer.weight.nonzeros > TERM_LIMIT or not all(
        map(is_float64, (outer.weight, inner, outer.bias))
    ):
        return False
    weight = scipy.sparse.hstack([_scipy(outer.weight), _scipy(outer.bias)]).tocsr()
    values = scipy.sparse.vstack([_scipy(inner), scipy.sparse.csr_array(np.ones((1, 1)))]).tocsr()
    return _exact_entries(weight, values)


def _exact_entries(p: scipy.sparse.csr_array, q: scipy.sparse.csr_array) -> bool:
    """Entry by entry: terms on a common grid, with a sum that 53 bits of it hold."""
    counts = np.diff(q.indptr)[p.indices]
    if int(counts.sum()) > TERM_LIMIT:
        return False
    rows = np.repeat(np.repeat(np.arange(p.shape[0]), np.diff(p.indptr)), counts)
    starts = np.repeat(q.indptr[p.indices] - np.cumsum(counts) + counts, counts)
    places = starts + np.arange(len(starts))
    sizes = np.abs(np.repeat(p.data, counts)) * np.abs(q.data[places])
    bits = np.repeat(lowest_bit(p.data), counts) + lowest_bit(q.data)[places]
    keys = rows.astype(np.int64) * q.shape[1] + q.indices[places]
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order], prepend=-1))
    if not len(edges):
        return True
    return _all_fit(np.add.reduceat(sizes[order], edges), np.minimum.reduceat(bits[order], edges))


def _chooses(matrix: Matrix, axis: int) -> bool:
    """Whether entries are 1 or -1, at most one in each row (axis 0) or column (1): products with it
    add up nothing.
    """
    if not isinstance(matrix, Sparse) or not bool((matrix.values.abs() == 1).all()):
        return False
    index = matrix.columns if axis else matrix.rows
    return len(torch.unique(index)) == len(index)


def _moderate(a: Matrix, b: Matrix) -> bool:
    """Whether products with Kronecker products, which are taken factor by factor, stay away from
    underflow and overflow, which another factor may hide: all numbers are 0 or 2^-440 to 2^440.
    """
    leaves = [*_leaves(a), *_leaves(b)]
    if leaves == [a, b]:
        return True
    found = (numbers(leaf) for leaf in leaves)
    sizes = [size[size > 0] for size in found if size is not None]
    return all(not len(v) or (v.min() >= 2.0**-440 and v.max() <= 2.0**440) for v in sizes)


def _leaves(matrix: Matrix) -> list[Matrix]:
    """What Kronecker products and blocks are made of."""
    match matrix:
        case Block():
            return [leaf for row in matrix.grid for entry in row for leaf in _leaves(entry)]
        case Kron():
            return [*_leaves(matrix.left), *_leaves(matrix.right)]
    return [matrix]


def _fits(size: float, low: int) -> bool:
    return low >= LOW and size * (1 + 2.0**-20) <= 2.0 ** min(53 + low, HIGH)


def _all_fit(sizes: np.ndarray, low: np.ndarray) -> bool:
    room = np.exp2(np.clip(53 + low, LOW, HIGH).astype(np.float64))
    return bool((low >= LOW).all() and (sizes * (1 + 2.0**-20) <= room).all())


def _facts(matrix: Matrix) -> tuple[int, float, float] | None:
    """(low, most, rows): entries are multiples of 2^low, in size at most `most`, in a row together
    at most `rows`; or None.
    """
    match matrix:
        case Identity():
            return 0, 1.0, 1.0
        case Constant():
            if not all(
                isinstance(v, int | float) for v in (matrix.rows, matrix.columns, matrix.value)
            ):
                return None
            size = abs(float(matrix.value))
            return int(lowest_bit(np.array([matrix.value]))[0]), size, size * matrix.columns
        case Dense() | Sparse():
            return _numeric_facts(matrix)
        case Kron():
            left, right = _facts(matrix.left), _facts(matrix.right)
            if left is None or right is None:
                return None
            return left[0] + right[0], left[1] * right[1], left[2] * right[2]
        case Block():
            grid = [[_facts(entry) for entry in row if not is_zero(entry)] for row in matrix.grid]
            found = [fact for row in grid for fact in row if fact is not None]
            if len(found) != sum(map(len, grid)):
                return None
            rows = max((math.fsum(fact[2] for fact in row if fact) for row in grid), default=0.0)
            return (
                min((f[0] for f in found), default=FAR),
                max((f[1] for f in found), default=0.0),
                rows,
            )
    return None


def _numeric_facts(matrix: Dense | Sparse) -> tuple[int, float, float]:
    """In parts: the entries may be tens of millions."""
    if isinstance(matrix, Sparse):
        values = matrix.values.numpy()
        parts = np.split(values, range(PART, len(values), PART))
        sums = np.bincount(matrix.rows.numpy(), np.abs(values), 1)
    else:
        entries = matrix.entries.numpy()
        step = max(1, PART // max(1, entries.shape[1]))
        parts = [entries[i : i + step] for i in range(0, len(entries), step)]
        sums = np.array([np.abs(part).sum(axis=1).max(initial=0.0) for part in parts])
    low = min((int(lowest_bit(part).min(initial=FAR)) for part in parts), default=FAR)
    most = max((float(np.abs(part).max(initial=0.0)) for part in parts), default=0.0)
    return low, most, float(sums.max(initial=0.0))


def _least(matrix: scipy.sparse.csr_array, axis: int) -> np.ndarray:
    """Of each row (0) or column (1), the exponent of the lowest bit."""
    coo = matrix.tocoo()
    out = np.full(matrix.shape[axis], FAR)
    np.minimum.at(out, coo.row if axis == 0 else coo.col, lowest_bit(coo.data))
    return out


def _scipy(matrix: Matrix) -> scipy.sparse.csr_array:
    rows, columns, values = (part.numpy() for part in matrix.coordinates())
    return scipy.sparse.coo_array((values, (rows, columns)), shape=matrix.shape).tocsr()
