"""Linear maps kept in the form that makes them small.

Whole, because a rule for products, sums or equality is about pairs of forms, and the forms' methods
use it: all eight are one noun, read side by side.

A `Matrix` is one of eight immutable forms. Products and sums keep structure where a rule applies;
where none does they become dense or sparse, and raise above `ENTRY_LIMIT` entries instead of
allocating. Entries are float64, but for those of `Integers`, which only exact arithmetic reads.
Sizes are integers, or SymPy expressions when only the *count* of a network is wanted.

>>> tiled = Kron(Constant(3, 1), Identity(2))  # three copies of a two-dimensional input
>>> tiled.shape, tiled.nonzeros, tiled.stored
((6, 2), 6, 1)
>>> tiled.apply(torch.tensor([5.0, 7.0]))
tensor([5., 7., 5., 7., 5., 7.])
"""

from __future__ import annotations

import itertools
import math
import operator
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import InitVar, dataclass, field
from fractions import Fraction
from functools import cached_property, reduce
from operator import add as plus
from typing import Any

import numpy as np
import scipy.sparse
import sympy
import torch

from ..basics.floats import from_shared, products_hold
from ..basics.shapes import Entries, EntryRows, EntryValues

Count = Any  # an int or a sympy.Expr; SymPy ships no types that a checker could use
Array = Any  # a torch.Tensor, or a numpy array of Fractions in exact evaluation

ENTRY_LIMIT = 2**27
"""Most entries (1 GiB of float64) that a product or sum without structure may allocate."""

BY_INDEX = 2**20
"""Most products, of entries and rows of x, that a sparse matrix lays out in memory; more are summed
row by row.
"""


class Matrix(ABC):
    """A matrix kept in a form that makes it small: a linear map R^n -> R^m.

    `shape` is (m, n); `nonzeros` counts entries != 0; `stored` counts the numbers kept. Sizes are
    integers, or SymPy expressions where only the count of a network is wanted.

    Example:
        >>> (Kron(Identity(2), Constant(1, 3)) @ Identity(6) + zeros(2, 6)).to_dense().tolist()
        [[1.0, 1.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]]
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[Count, Count]: ...

    @property
    @abstractmethod
    def nonzeros(self) -> Count: ...

    @property
    @abstractmethod
    def stored(self) -> Count: ...

    @abstractmethod
    def apply(self, x: Array) -> Array:
        """Map x of shape (..., n) to (..., m).

        Args:
            x: a tensor, or a numpy array of Fractions.

        Returns:
            Values in the dtype and on the device of x; exact if x holds Fractions.
        """

    @abstractmethod
    def coordinates(self) -> tuple[EntryRows, EntryRows, EntryValues]:
        """List all nonzero entries, each once, in any order.

        Returns:
            Rows, columns and values (int64, int64, float64).
        """

    @abstractmethod
    def absolute(self) -> Matrix:
        """The matrix of absolute values, in the same form (interval arithmetic needs it)."""

    def to_dense(self) -> Entries:
        """Write out all entries as a float64 tensor.

        Raises:
            ValueError: above `ENTRY_LIMIT` entries.
            TypeError: for a symbolic size or unknown entries.
        """
        _check_affordable(self.shape, f"{self} as a dense matrix")
        rows, columns, values = self.coordinates()
        dense = torch.zeros(self.shape, dtype=torch.float64)
        dense[rows, columns] = values
        return dense

    def __matmul__(self, other: Matrix) -> Matrix:
        return product(self, other)

    def __add__(self, other: Matrix) -> Matrix:
        return total(self, other)

    def __neg__(self) -> Matrix:
        return kron(self, Constant(1, 1, -1.0))

    def __str__(self) -> str:
        rows, columns = self.shape
        return f"{type(self).__name__}[{rows} x {columns}]"

    def __repr__(self) -> str:  # entries may be millions
        return str(self)


@dataclass(frozen=True)
class Identity(Matrix):
    """The identity matrix, which stores nothing.

    Attributes:
        size: rows and columns.

    Example:
        >>> Identity(10**9).nonzeros, Identity(10**9).stored
        (1000000000, 0)
    """

    size: Count

    @property
    def shape(self) -> tuple[Count, Count]:
        return self.size, self.size

    @property
    def nonzeros(self) -> Count:
        return self.size

    @property
    def stored(self) -> Count:
        return 0

    def apply(self, x: Array) -> Array:
        return x

    def coordinates(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        index = torch.arange(self.size)
        return index, index, torch.ones(self.size, dtype=torch.float64)

    def absolute(self) -> Matrix:
        return self


@dataclass(frozen=True)
class Constant(Matrix):
    """A matrix whose entries are all equal, with one stored number.

    `Constant(n, 1)` copies a number, `Constant(1, n)` sums a vector.

    Attributes:
        rows: how many.
        columns: how many.
        value: every entry.

    Raises:
        ValueError: for a value that is not finite.

    Example:
        >>> Constant(1, 3).apply(torch.tensor([1.0, 2.0, 3.0]))
        tensor([6.])
    """

    rows: Count
    columns: Count
    value: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.value, sympy.Basic) and not np.isfinite(self.value):
            raise ValueError(f"value of a Constant matrix must be finite, got {self.value}")

    @property
    def shape(self) -> tuple[Count, Count]:
        return self.rows, self.columns

    @property
    def nonzeros(self) -> Count:
        return 0 if self.value == 0 else self.rows * self.columns

    @property
    def stored(self) -> Count:
        return 1

    def apply(self, x: Array) -> Array:
        if isinstance(x, torch.Tensor):
            return (self.value * x.sum(-1, keepdim=True)).expand(*x.shape[:-1], self.rows)
        return np.repeat(Fraction(self.value) * x.sum(-1, keepdims=True), self.rows, axis=-1)

    def coordinates(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        if self.value == 0:
            return _no_entries()
        _check_affordable(self.shape, f"the entries of {self}")
        rows, columns = torch.meshgrid(
            torch.arange(self.rows), torch.arange(self.columns), indexing="ij"
        )
        return (
            rows.reshape(-1),
            columns.reshape(-1),
            torch.full((rows.numel(),), self.value, dtype=torch.float64),
        )

    def absolute(self) -> Matrix:
        return Constant(self.rows, self.columns, abs(self.value))


@dataclass(frozen=True, eq=False, repr=False)
class Dense(Matrix):
    """A matrix with all entries kept, in float64.

    Attributes:
        entries: a tensor or numbers of shape (m, n).
        copy: whether the entries are copied; False takes over a tensor that nobody changes.

    Raises:
        ValueError: for entries without two axes, not finite, or not held by float64 (large
            integers, fractions, complex).

    Example:
        >>> Dense(torch.tensor([[1.0, 0.0]])).nonzeros
        1
    """

    entries: Entries
    copy: InitVar[bool] = True
    _cast: dict[Any, Array] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self, copy: bool) -> None:
        entries = exact_float64(self.entries, "entries of a Dense matrix")
        if entries.ndim != 2:
            raise ValueError(
                f"entries of a Dense matrix must have two axes, got shape {tuple(entries.shape)}"
            )
        _check_finite(entries, "entries of a Dense matrix")
        object.__setattr__(self, "entries", entries.cpu().clone() if copy else entries.cpu())

    @property
    def shape(self) -> tuple[Count, Count]:
        return self.entries.shape[0], self.entries.shape[1]

    @property
    def nonzeros(self) -> Count:
        return int(torch.count_nonzero(self.entries))

    @property
    def stored(self) -> Count:
        return self.entries.numel()

    def apply(self, x: Array) -> Array:
        return x @ _like(self.entries, x, self._cast).T

    def __getstate__(self) -> np.ndarray:  # as an array, which joblib shares between processes
        return self.entries.numpy()

    def __setstate__(self, entries: np.ndarray) -> None:
        object.__setattr__(self, "entries", from_shared(entries))
        object.__setattr__(self, "_cast", {})

    def to_dense(self) -> torch.Tensor:
        return self.entries.clone()

    def coordinates(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rows, columns = torch.nonzero(self.entries, as_tuple=True)
        return rows, columns, self.entries[rows, columns]

    def absolute(self) -> Matrix:
        return Dense(self.entries.abs())


@dataclass(frozen=True, eq=False, repr=False)
class Sparse(Matrix):
    """A matrix kept by coordinates: `values[k]` stands at (`rows[k]`, `columns[k]`).

    Attributes:
        size: (m, n).
        rows: row of each entry, int64.
        columns: column of each entry, int64.
        values: the entries, float64; zeros are dropped.

    Raises:
        ValueError: for positions outside the matrix or named twice, and values that are not finite.

    Example:
        >>> Sparse(
        ...     (2, 3), torch.tensor([0, 1]), torch.tensor([2, 0]), torch.tensor([5.0, 7.0])
        ... ).apply(torch.ones(3))
        tensor([5., 7.])
    """

    size: tuple[int, int]
    rows: EntryRows
    columns: EntryRows
    values: EntryValues
    _cast: dict[Any, Array] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        values = torch.as_tensor(self.values, dtype=torch.float64).detach()
        _check_finite(values, "values of a Sparse matrix")
        rows, columns = torch.as_tensor(self.rows), torch.as_tensor(self.columns)
        for name, index, size in (("rows", rows, self.size[0]), ("columns", columns, self.size[1])):
            if index.numel() and not (int(index.min()) >= 0 and int(index.max()) < size):
                raise ValueError(f"{name} of a Sparse matrix must lie in 0..{size - 1}")
        matrix = scipy.sparse.coo_array(
            (values.numpy(), (rows.numpy(), columns.numpy())), shape=self.size
        ).tocsr()
        if matrix.nnz != values.numel():
            raise ValueError("a Sparse matrix must not name a position twice")
        matrix.eliminate_zeros()
        matrix = matrix.tocoo()
        for name, value in (("rows", matrix.row), ("columns", matrix.col)):
            object.__setattr__(self, name, torch.from_numpy(value.astype(np.int64)))
        object.__setattr__(self, "values", torch.from_numpy(matrix.data))

    @property
    def shape(self) -> tuple[Count, Count]:
        return self.size

    @property
    def nonzeros(self) -> Count:
        return self.values.numel()

    @property
    def stored(self) -> Count:
        return self.values.numel()

    def apply(self, x: Array) -> Array:
        values = _like(self.values, x, self._cast)
        if isinstance(x, torch.Tensor):
            if len(values) * (x.numel() // max(1, x.shape[-1])) > BY_INDEX and _has_products(x):
                y = self._by_rows(values) @ x.reshape(-1, x.shape[-1]).T
                return y.T.reshape(*x.shape[:-1], self.size[0])
            rows, columns = self.rows.to(x.device), self.columns.to(x.device)
            return x.new_zeros(*x.shape[:-1], self.size[0]).index_add(
                -1, rows, x[..., columns] * values
            )
        out = np.full((*x.shape[:-1], self.size[0]), Fraction(0), dtype=object)
        terms = x[..., self.columns.numpy()] * values
        np.add.at(np.moveaxis(out, -1, 0), self.rows.numpy(), np.moveaxis(terms, -1, 0))
        return out

    def _by_rows(self, values: torch.Tensor) -> torch.Tensor:
        """The same matrix as PyTorch multiplies it, with positions that were checked."""
        if "starts" not in self._cast:
            ends = torch.bincount(self.rows, minlength=self.size[0]).cumsum(0)
            self._cast["starts"] = torch.cat([ends.new_zeros(1), ends])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            return torch.sparse_csr_tensor(
                self._cast["starts"], self.columns, values, self.size, check_invariants=False
            )

    def coordinates(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return self.rows, self.columns, self.values

    def absolute(self) -> Matrix:
        return Sparse(self.size, self.rows, self.columns, self.values.abs())


@dataclass(frozen=True, repr=False)
class Kron(Matrix):
    """The Kronecker product of two matrices, left (x) right.

    `Kron(Identity(n), A)` is n copies of A side by side. It is applied exactly, in two steps;
    `coordinates` and `to_dense` raise ValueError where float64 does not hold an entry.

    Attributes:
        left: the outer matrix.
        right: the matrix that stands in the place of each entry of left.

    Example:
        >>> Kron(Identity(1000), Dense(torch.tensor([[1.0, -1.0]]))).stored
        2
    """

    left: Matrix
    right: Matrix

    @cached_property  # asked for at every step, by matrices of matrices
    def shape(self) -> tuple[Count, Count]:
        (m, n), (p, q) = self.left.shape, self.right.shape
        return m * p, n * q

    @property
    def nonzeros(self) -> Count:
        return self.left.nonzeros * self.right.nonzeros

    @property
    def stored(self) -> Count:
        return self.left.stored + self.right.stored

    def apply(self, x: Array) -> Array:
        (m, n), (p, q) = self.left.shape, self.right.shape
        y = x.reshape(*x.shape[:-1], n, q)
        smaller_first = n * p <= m * q  # of the two possible intermediates
        y = (
            self._apply_left(self.right.apply(y))
            if smaller_first
            else self.right.apply(self._apply_left(y))
        )
        return y.reshape(*x.shape[:-1], m * p)

    def _apply_left(self, y: Array) -> Array:
        if isinstance(self.left, Identity):
            return y
        if isinstance(self.left, Constant) and isinstance(y, torch.Tensor):  # no transposed copy
            return (self.left.value * y.sum(-2, keepdim=True)).expand(
                *y.shape[:-2], self.left.rows, y.shape[-1]
            )
        return self.left.apply(y.swapaxes(-1, -2)).swapaxes(-1, -2)

    def coordinates(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        _check_affordable((self.nonzeros, 1), f"the entries of {self}")
        p, q = self.right.shape
        (i, j, a), (k, h, b) = self.left.coordinates(), self.right.coordinates()
        if not is_float64(self):
            raise ValueError(
                f"entries of {self} must be float64, but some products of its factors' entries are "
                f"not"
            )
        rows, columns, values = i[:, None] * p + k, j[:, None] * q + h, a[:, None] * b
        return rows.reshape(-1), columns.reshape(-1), values.reshape(-1)

    def absolute(self) -> Matrix:
        return Kron(self.left.absolute(), self.right.absolute())


@dataclass(frozen=True, repr=False)
class Block(Matrix):
    """A matrix made of a grid of matrices.

    Attributes:
        grid: `grid[i][j]` maps the j-th part of the input to the i-th part of the output.

    Raises:
        ValueError: for an empty grid, one that is no rectangle, and blocks whose shapes do not fit.

    Example:
        >>> Block(((Identity(2), Constant(2, 1, 3.0)),)).to_dense().tolist()
        [[1.0, 0.0, 3.0], [0.0, 1.0, 3.0]]
    """

    grid: tuple[tuple[Matrix, ...], ...]

    def __post_init__(self) -> None:
        grid = tuple(tuple(row) for row in self.grid)
        if not grid or not grid[0] or any(len(row) != len(grid[0]) for row in grid):
            raise ValueError("grid of a Block matrix must be a nonempty rectangle of matrices")
        for row in grid:
            for entry, above in zip(row, grid[0], strict=True):
                if entry.shape[0] != row[0].shape[0] or entry.shape[1] != above.shape[1]:
                    raise ValueError(
                        f"block of shape {entry.shape} does not fit a row of height "
                        f"{row[0].shape[0]} "
                        f"and a column of width {above.shape[1]}"
                    )
        object.__setattr__(self, "grid", grid)

    @property
    def heights(self) -> tuple[Count, ...]:
        """Rows of each block row."""
        return tuple(row[0].shape[0] for row in self.grid)

    @property
    def widths(self) -> tuple[Count, ...]:
        """Columns of each block column."""
        return tuple(entry.shape[1] for entry in self.grid[0])

    @cached_property
    def shape(self) -> tuple[Count, Count]:
        return sum(self.heights), sum(self.widths)

    @property
    def nonzeros(self) -> Count:
        return sum(entry.nonzeros for row in self.grid for entry in row)

    @property
    def stored(self) -> Count:
        return sum(entry.stored for row in self.grid for entry in row if not is_zero(entry))

    def apply(self, x: Array) -> Array:
        edges = np.cumsum([0, *self.widths])
        parts = [x[..., i:j] for i, j in itertools.pairwise(edges)]
        rows = []
        for row in self.grid:
            terms = [
                entry.apply(part)
                for entry, part in zip(row, parts, strict=True)
                if not is_zero(entry)
            ]
            rows.append(reduce(plus, terms) if terms else row[0].apply(parts[0]))
        return torch.cat(rows, -1) if isinstance(x, torch.Tensor) else np.concatenate(rows, -1)

    def coordinates(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        tops, lefts = np.cumsum([0, *self.heights]), np.cumsum([0, *self.widths])
        found = [_no_entries()]
        for top, row in zip(tops, self.grid, strict=False):
            for left, entry in zip(lefts, row, strict=False):
                rows, columns, values = entry.coordinates()
                found.append((rows + int(top), columns + int(left), values))
        rows, columns, values = (torch.cat(part) for part in zip(*found, strict=True))
        return rows, columns, values

    def absolute(self) -> Matrix:
        return Block(tuple(tuple(entry.absolute() for entry in row) for row in self.grid))


@dataclass(frozen=True, eq=False, repr=False)
class Integers(Matrix):
    """A matrix of integers of any size, over a common power of two, kept by coordinates.

    `values[k]` 2^exponent stands at (`rows[k]`, `columns[k]`). Weights of hundreds of bits hold
    whole tables of labels, which float64 cannot: a network with such a matrix is evaluated in exact
    arithmetic only (`ReLUNetwork.exact`), counted, saved and explained as any other. What needs
    float64 numbers refuses it.

    Attributes:
        size: (m, n).
        rows: row of each entry, int64.
        columns: column of each entry, int64.
        values: the integers; zeros are dropped.
        exponent: of the power of two.

    Raises:
        ValueError: for positions outside the matrix or named twice, and other numbers of them.
        TypeError: for values, and an exponent, that are no integers.

    Example:
        >>> large = Integers((1, 2), [0, 0], [0, 1], [2**100, -1], exponent=-1)
        >>> large.apply(np.array([Fraction(1), Fraction(2)])) - 2**99
        array([Fraction(-1, 1)], dtype=object)
        >>> large.apply(torch.ones(2))
        Traceback (most recent call last):
        ...
        ValueError: Integers[1 x 2] has entries of up to 101 bits, which float64 does not hold:
          evaluate exactly (ReLUNetwork.exact)
    """

    size: tuple[int, int]
    rows: EntryRows
    columns: EntryRows
    values: tuple[int, ...]
    exponent: int = 0

    def __post_init__(self) -> None:
        values = tuple(v.item() if isinstance(v, np.integer) else v for v in self.values)
        if not all(isinstance(v, int) and not isinstance(v, bool) for v in values):
            raise TypeError("values of an Integers matrix must be integers")
        rows, columns = (
            torch.as_tensor(index, dtype=torch.int64).reshape(-1)
            for index in (self.rows, self.columns)
        )
        if not len(rows) == len(columns) == len(values):
            raise ValueError(
                f"an Integers matrix needs as many rows and columns as values, got {len(rows)}, "
                f"{len(columns)} and {len(values)}"
            )
        for name, index, size in (("rows", rows, self.size[0]), ("columns", columns, self.size[1])):
            if index.numel() and not (int(index.min()) >= 0 and int(index.max()) < size):
                raise ValueError(f"{name} of an Integers matrix must lie in 0..{size - 1}")
        if len(set(zip(rows.tolist(), columns.tolist(), strict=True))) != len(values):
            raise ValueError("an Integers matrix must not name a position twice")
        order = np.lexsort((columns.numpy(), rows.numpy())).tolist()
        kept = [k for k in order if values[k]]
        object.__setattr__(self, "rows", rows[kept])
        object.__setattr__(self, "columns", columns[kept])
        object.__setattr__(self, "values", tuple(values[k] for k in kept))
        object.__setattr__(self, "exponent", operator.index(self.exponent))

    @property
    def shape(self) -> tuple[Count, Count]:
        return self.size

    @property
    def nonzeros(self) -> Count:
        return len(self.values)

    @property
    def stored(self) -> Count:
        return len(self.values)

    @property
    def bits(self) -> int:
        """The most bits that an integer has."""
        return max((abs(v).bit_length() for v in self.values), default=0)

    def apply(self, x: Array) -> Array:
        if isinstance(x, torch.Tensor):
            raise ValueError(self._refusal())
        scale = Fraction(2) ** self.exponent
        out = np.full((*x.shape[:-1], self.size[0]), Fraction(0), dtype=object)
        entries = zip(self.rows.tolist(), self.columns.tolist(), self.values, strict=True)
        for i, j, value in entries:
            out[..., i] = out[..., i] + x[..., j] * value
        return out * scale

    def coordinates(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        raise ValueError(self._refusal())

    def absolute(self) -> Matrix:
        return Integers(
            self.size, self.rows, self.columns, tuple(map(abs, self.values)), self.exponent
        )

    def _refusal(self) -> str:
        return (
            f"{self} has entries of up to {self.bits} bits, which float64 does not hold: evaluate "
            f"exactly (ReLUNetwork.exact)"
        )


@dataclass(frozen=True)
class Unknown(Matrix):
    """A matrix of which only the size and the number of nonzeros are known: enough to count.

    To evaluate it raises TypeError.

    Attributes:
        rows: how many.
        columns: how many.
        count: nonzeros; None for all entries.

    Example:
        >>> Unknown(sympy.Symbol("N"), 3).nonzeros
        3*N
    """

    rows: Count
    columns: Count
    count: Count = None

    @property
    def shape(self) -> tuple[Count, Count]:
        return self.rows, self.columns

    @property
    def nonzeros(self) -> Count:
        return self.rows * self.columns if self.count is None else self.count

    @property
    def stored(self) -> Count:
        return self.nonzeros

    def apply(self, x: Array) -> Array:
        raise TypeError(f"{self} has a size but no entries, so it cannot be evaluated")

    def coordinates(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        raise TypeError(f"{self} has a size but no entries")

    def absolute(self) -> Matrix:
        return self


def zeros(rows: Count, columns: Count) -> Constant:
    """The zero matrix."""
    return Constant(rows, columns, 0.0)


def sparse(matrix: Matrix) -> Sparse:
    """The same matrix by coordinates: products with it stay sparse where other forms would become
    dense.
    """
    return _from_scipy(_to_scipy(matrix))


def exact_float64(values: Any, what: str) -> torch.Tensor:
    """Numbers as a float64 tensor; raises ValueError for those that float64 does not hold: large
    integers, fractions, complex.

    >>> exact_float64([2**53 + 1], "weights")
    Traceback (most recent call last):
    ...
    ValueError: weights must be float64, got 9007199254740993
    """
    if isinstance(values, torch.Tensor) and values.is_floating_point():
        return values.detach().double()
    if values.is_complex() if isinstance(values, torch.Tensor) else np.iscomplexobj(values):
        raise ValueError(f"{what} must be real")
    tensor = torch.as_tensor(values, dtype=torch.float64).detach()
    if isinstance(values, np.ndarray) and values.dtype.kind == "f" and values.dtype.itemsize <= 8:
        return tensor
    given = values.cpu().numpy() if isinstance(values, torch.Tensor) else values
    whole = np.asarray(given, dtype=object).reshape(-1).tolist()
    for number, held in zip(whole, tensor.reshape(-1).tolist(), strict=False):
        number = int(number) if isinstance(number, np.integer) else number
        if isinstance(number, (int, Fraction)) and Fraction(number) != Fraction(held):
            raise ValueError(f"{what} must be float64, got {number}")
    return tensor


def column(values: Any) -> Matrix:
    """Numbers as a one-column matrix; all zeros take the form that says so."""
    entries = exact_float64(values, "a bias").reshape(-1, 1)
    return Dense(entries) if torch.count_nonzero(entries) else zeros(len(entries), 1)


def integers(matrix: Matrix) -> Integers:
    """The same matrix as integers over a common power of two. Raises TypeError for unknown entries,
    ValueError above `ENTRY_LIMIT`.

    >>> integers(Dense(torch.tensor([[0.75, 6.0]]))).values
    (3, 24)
    """
    match matrix:
        case Integers():
            return matrix
        case Block() if has_integers(matrix):
            tops, lefts = np.cumsum([0, *matrix.heights]), np.cumsum([0, *matrix.widths])
            parts = [
                (integers(entry), int(top), int(left))
                for top, row in zip(tops, matrix.grid, strict=False)
                for left, entry in zip(lefts, row, strict=False)
            ]
            least = min(part.exponent for part, _, _ in parts)
            values = [v << (part.exponent - least) for part, _, _ in parts for v in part.values]
            down = torch.cat([part.rows + top for part, top, _ in parts])
            right = torch.cat([part.columns + left for part, _, left in parts])
            return Integers(matrix.shape, down, right, tuple(values), least)
        case Kron() if has_integers(matrix):
            a, b = integers(matrix.left), integers(matrix.right)
            (p, q) = matrix.right.shape
            return Integers(
                matrix.shape,
                (a.rows[:, None] * p + b.rows).reshape(-1),
                (a.columns[:, None] * q + b.columns).reshape(-1),
                tuple(v * w for v in a.values for w in b.values),
                a.exponent + b.exponent,
            )
    rows, columns, entries = matrix.coordinates()
    return over_powers(matrix.shape, rows, columns, [Fraction(v) for v in entries.tolist()])


def over_powers(
    shape: tuple[int, int], rows: Any, columns: Any, values: Sequence[Fraction]
) -> Integers:
    """Dyadic numbers over the least common power of two that makes them integers."""
    power = max((v.denominator for v in values), default=1).bit_length() - 1
    whole = [v.numerator * ((1 << power) // v.denominator) for v in values]
    return Integers(shape, rows, columns, tuple(whole), -power)


def exact_entries(matrix: Matrix) -> list[tuple[int, int, Fraction]]:
    """All nonzero entries as (row, column, value), exactly, also those that float64 does not hold.

    Args:
        matrix: of known entries.

    Returns:
        Triples, each position once.

    Example:
        >>> exact_entries(Integers((1, 2), [0], [1], [3], -1))
        [(0, 1, Fraction(3, 2))]
    """
    held = integers(matrix)
    scale = Fraction(2) ** held.exponent
    places = zip(held.rows.tolist(), held.columns.tolist(), held.values, strict=True)
    return [(i, j, v * scale) for i, j, v in places]


def has_integers(matrix: Matrix) -> bool:
    """Whether an `Integers` matrix is among its parts."""
    match matrix:
        case Integers():
            return True
        case Kron():
            return has_integers(matrix.left) or has_integers(matrix.right)
        case Block():
            return any(has_integers(entry) for row in matrix.grid for entry in row)
    return False


def in_floats(matrix: Integers) -> Matrix:
    """The same matrix as a `Sparse` one where float64 holds every entry, away from under- and
    overflow; else as it is.
    """
    sizes = [(abs(v).bit_length(), (v & -v).bit_length()) for v in matrix.values]
    if not all(
        top - low < 53 and low + matrix.exponent > -800 and top + matrix.exponent < 800
        for top, low in sizes
    ):
        return matrix
    held = [
        math.ldexp(v >> (low - 1), matrix.exponent + low - 1)
        for v, (_, low) in zip(matrix.values, sizes, strict=True)
    ]
    return Sparse(matrix.size, matrix.rows, matrix.columns, torch.tensor(held, dtype=torch.float64))


def exact_product(a: Matrix, b: Matrix) -> Matrix:
    """The product of two matrices entry by entry, in integers of any size."""
    left, right = integers(a), integers(b)
    by_row: dict[int, list[tuple[int, int]]] = {}
    for k, h, w in zip(right.rows.tolist(), right.columns.tolist(), right.values, strict=True):
        by_row.setdefault(k, []).append((h, w))
    sums: dict[tuple[int, int], int] = {}
    for i, j, v in zip(left.rows.tolist(), left.columns.tolist(), left.values, strict=True):
        for h, w in by_row.get(j, ()):
            sums[i, h] = sums.get((i, h), 0) + v * w
    return _from_sums(sums, (a.shape[0], b.shape[1]), left.exponent + right.exponent)


def exact_total(a: Matrix, b: Matrix) -> Matrix:
    """The sum of two matrices entry by entry, in integers of any size."""
    parts = integers(a), integers(b)
    least = min(part.exponent for part in parts)
    sums: dict[tuple[int, int], int] = {}
    for part in parts:
        places = zip(part.rows.tolist(), part.columns.tolist(), strict=True)
        for place, value in zip(places, part.values, strict=True):
            sums[place] = sums.get(place, 0) + (value << (part.exponent - least))
    return _from_sums(sums, a.shape, least)


def _from_sums(sums: dict[tuple[int, int], int], shape: tuple[int, int], exponent: int) -> Matrix:
    if not any(sums.values()):
        return zeros(*shape)
    rows, columns = (torch.tensor(part) for part in zip(*sums, strict=True))
    return in_floats(Integers(shape, rows, columns, tuple(sums.values()), exponent))


def is_zero(matrix: Matrix) -> bool:
    """Whether the form itself says that every entry is zero (no entries are looked at)."""
    return isinstance(matrix, Constant) and matrix.value == 0


def block(grid: Iterable[Iterable[Matrix]]) -> Matrix:
    """A `Block` matrix, or the zero matrix if all of its blocks are zero."""
    result = Block(tuple(tuple(row) for row in grid))
    return (
        zeros(*result.shape)
        if all(is_zero(entry) for row in result.grid for entry in row)
        else result
    )


def diagonal(blocks: Iterable[Matrix]) -> Matrix:
    """The block-diagonal matrix of the given blocks."""
    blocks = tuple(blocks)
    return Block(
        tuple(
            tuple(b if i == j else zeros(b.shape[0], c.shape[1]) for j, c in enumerate(blocks))
            for i, b in enumerate(blocks)
        )
    )


def kron(left: Matrix, right: Matrix) -> Matrix:
    """left (x) right in normal form: identities and constants merged, products nested right."""
    match left, right:
        case Kron(), _:
            return kron(left.left, kron(left.right, right))
        case (Identity(1), _) | (Constant(1, 1, 1.0), _):
            return right
        case (_, Identity(1)) | (_, Constant(1, 1, 1.0)):
            return left
        case Identity(), Identity():
            return Identity(left.size * right.size)
        case Constant(), Constant() if _holds(left.value, right.value):
            return Constant(
                left.rows * right.rows, left.columns * right.columns, left.value * right.value
            )
        case (Identity(), Kron(left=Identity())):
            return kron(kron(left, right.left), right.right)
        case (Constant(), Kron(left=Constant() as inner)) if _holds(left.value, inner.value):
            return kron(kron(left, inner), right.right)
    if is_zero(left) or is_zero(right):
        return zeros(left.shape[0] * right.shape[0], left.shape[1] * right.shape[1])
    return Kron(left, right)


def _holds(a: Any, b: Any) -> bool:
    """Whether the product of two entries is what it is in exact arithmetic."""
    return (
        isinstance(a, sympy.Basic)
        or isinstance(b, sympy.Basic)
        or products_hold(np.array([a]), np.array([b]))
    )


def numbers(matrix: Matrix) -> np.ndarray | None:
    """The absolute values of the entries that are not 0, at least once each; None where entries are
    unknown or symbols.
    """
    match matrix:
        case Identity():
            return np.ones(1)
        case Constant():
            return (
                None
                if isinstance(matrix.value, sympy.Basic)
                else np.array([abs(float(matrix.value))])
            )
        case Dense():
            return np.abs(matrix.entries.numpy().reshape(-1))
        case Sparse():
            return np.abs(matrix.values.numpy())
        case Kron():
            a, b = numbers(matrix.left), numbers(matrix.right)
            return (
                None
                if a is None or b is None
                else np.multiply.outer(np.unique(a), np.unique(b)).reshape(-1)
            )
        case Block():
            found = [numbers(entry) for row in matrix.grid for entry in row]
            return None if any(v is None for v in found) else np.concatenate(found)  # type: ignore[arg-type]
    return None


def is_float64(matrix: Matrix) -> bool:
    """Whether float64 holds every entry of the Kronecker products in a matrix; what is unknown is
    taken to be so.

    >>> is_float64(Kron(Dense(np.array([[1 + 2.0**-52]])), Dense(np.array([[1 - 2.0**-52]]))))
    False
    """
    match matrix:
        case Integers():
            return False
        case Block():
            return all(is_float64(entry) for row in matrix.grid for entry in row)
        case Kron():
            if not (is_float64(matrix.left) and is_float64(matrix.right)):
                return False
            a, b = numbers(matrix.left), numbers(matrix.right)
            return a is None or b is None or products_hold(a, b)
    return True


def nearest(matrix: Matrix) -> Matrix:
    """The same form, but for Kronecker products whose entries are no float64: their entries are
    rounded.
    """
    match matrix:
        case Block():
            return Block(tuple(tuple(nearest(entry) for entry in row) for row in matrix.grid))
        case Kron() if not is_float64(matrix):
            p, q = matrix.right.shape
            (i, j, a), (k, h, b) = (
                nearest(matrix.left).coordinates(),
                nearest(matrix.right).coordinates(),
            )
            rows, columns, values = (
                v.reshape(-1) for v in (i[:, None] * p + k, j[:, None] * q + h, a[:, None] * b)
            )
            return Sparse((int(matrix.shape[0]), int(matrix.shape[1])), rows, columns, values)
    return matrix


def product(a: Matrix, b: Matrix) -> Matrix:
    """The matrix product a b, in structured form where a rule applies; elsewhere entries and sums
    are rounded, as float64 does.

    Raises ValueError for shapes that do not match, and for a product without structured form above
    `ENTRY_LIMIT`.
    """
    if a.shape[1] != b.shape[0]:
        raise ValueError(
            f"cannot multiply {a} by {b}: {a.shape[1]} columns against {b.shape[0]} rows"
        )
    rows, columns = a.shape[0], b.shape[1]
    if is_zero(a) or is_zero(b):
        return zeros(rows, columns)
    match a, b:
        case Identity(), _:
            return b
        case _, Identity():
            return a
        case Constant(), Constant():
            return Constant(rows, columns, a.value * b.value * a.columns)
        case Block(), Block() if a.widths == b.heights:
            return block(
                [reduce(total, map(product, row, column)) for column in zip(*b.grid, strict=True)]
                for row in a.grid
            )
        case Block(), _ if len(a.widths) == 1:
            return block([row[0] @ b] for row in a.grid)
        case _, Block() if len(b.heights) == 1:
            return block([[a @ entry for entry in b.grid[0]]])
        case ((Dense() | Constant() | Unknown()), Block()):
            return Block((_split_columns(a, b.heights),)) @ b
        case Kron(), Kron():
            matched = _matched_factors(a, b)
            if matched:
                (p, q), (r, s) = matched
                return kron(p @ r, q @ s)
    if a.shape[1] == 1 and b.shape[0] == 1:
        return kron(a, b)
    if isinstance(b, Kron) and b.right.shape[0] == 1:  # a (L (x) row) = (a L) (x) row
        return kron(a @ b.left, b.right)
    if isinstance(a, Kron) and a.right.shape[1] == 1:  # (L (x) column) b = (L b) (x) column
        return kron(a.left @ b, a.right)
    if _uncertain(a) or _uncertain(b):
        return Unknown(rows, columns)
    if has_integers(a) or has_integers(b):
        return exact_product(a, b)
    a, b = nearest(a), nearest(b)
    if isinstance(a, Sparse) or isinstance(b, Sparse):
        return _from_scipy(_to_scipy(a) @ _to_scipy(b))
    problem = f"the product of {a} and {b}, which has no structured form,"
    _check_affordable((rows, columns), problem)
    _check_affordable(b.shape, problem)
    return Dense(a.apply(b.to_dense().T).T)


def total(a: Matrix, b: Matrix) -> Matrix:
    """The sum a + b, in structured form where a rule applies; errors as for `product`."""
    if a.shape != b.shape:
        raise ValueError(f"cannot add {a} and {b}: shapes differ")
    if is_zero(a):
        return b
    if is_zero(b):
        return a
    match a, b:
        case Constant(), Constant():
            return Constant(a.rows, a.columns, a.value + b.value)
        case Block(), Block() if a.heights == b.heights and a.widths == b.widths:
            return block(map(total, p, q) for p, q in zip(a.grid, b.grid, strict=True))
        case Kron(), Kron() if a.left == b.left and a.right.shape == b.right.shape:
            return kron(a.left, a.right + b.right)
        case Kron(), Kron() if a.right == b.right and a.left.shape == b.left.shape:
            return kron(a.left + b.left, a.right)
    if _uncertain(a) or _uncertain(b):
        return Unknown(*a.shape)
    if has_integers(a) or has_integers(b):
        return exact_total(a, b)
    a, b = nearest(a), nearest(b)
    if isinstance(a, Sparse) and isinstance(b, Sparse):
        return _from_scipy(_to_scipy(a) + _to_scipy(b))
    _check_affordable(a.shape, f"the sum of {a} and {b}, which has no structured form,")
    return Dense(a.to_dense() + b.to_dense())


def same(a: Matrix, b: Matrix) -> bool:
    """Tell whether two matrices have equal entries, whatever their forms.

    By their forms where these agree, else entry by entry.

    Args:
        a: a matrix.
        b: another one.

    Returns:
        True if they are equal; False, too, where forms differ and the entries are too many to be
        compared (2^26).

    Example:
        >>> same(Kron(Identity(2), Constant(1, 1)), Dense(torch.eye(2)))
        True
    """
    if a.shape != b.shape:
        return False
    if _alike(a, b):
        return True
    if any(isinstance(size, int) and size > 2**26 for size in (a.nonzeros, b.nonzeros)):
        return False
    if has_integers(a) or has_integers(b):
        return is_zero(exact_total(a, -b))
    return bool((_to_scipy(a) != _to_scipy(b)).nnz == 0)


def _alike(a: Matrix, b: Matrix) -> bool:
    if a is b:
        return True
    match a, b:
        case (Identity(), Identity()) | (Constant(), Constant()):
            return a == b
        case Dense(), Dense():
            return torch.equal(a.entries, b.entries)
        case Sparse(), Sparse():
            return all(
                torch.equal(getattr(a, name), getattr(b, name))
                for name in ("rows", "columns", "values")
            )
        case Integers(), Integers():
            return (
                torch.equal(a.rows, b.rows)
                and torch.equal(a.columns, b.columns)
                and (a.values, a.exponent) == (b.values, b.exponent)
            )
        case Kron(), Kron():
            return (
                a.left.shape == b.left.shape and _alike(a.left, b.left) and _alike(a.right, b.right)
            )
        case Block(), Block():
            pairs = [
                pair
                for p, q in zip(a.grid, b.grid, strict=False)
                for pair in zip(p, q, strict=False)
            ]
            return (a.heights, a.widths) == (b.heights, b.widths) and all(
                _alike(p, q) for p, q in pairs
            )
    return False


def _matched_factors(
    a: Kron, b: Kron
) -> tuple[tuple[Matrix, Matrix], tuple[Matrix, Matrix]] | None:
    """Write a = p (x) q and b = r (x) s with p r and q s defined, splitting a leading identity or
    constant if needed.
    """
    inner, outer = a.left.shape[1], b.left.shape[0]
    if inner == outer:
        return (a.left, a.right), (b.left, b.right)
    quotient = _divide(inner, outer)
    if quotient is not None and (split := _split(a.left, 1, outer, quotient)):
        return (split[0], kron(split[1], a.right)), (b.left, b.right)
    quotient = _divide(outer, inner)
    if quotient is not None and (split := _split(b.left, 0, inner, quotient)):
        return (a.left, a.right), (split[0], kron(split[1], b.right))
    return None


def _split(matrix: Matrix, axis: int, first: Count, second: Count) -> tuple[Matrix, Matrix] | None:
    """An identity, or a constant row (axis 1) or column (axis 0), as a Kronecker product of two
    smaller ones.
    """
    match matrix:
        case Identity():
            return Identity(first), Identity(second)
        case Constant(rows=1) if axis == 1:
            return Constant(1, first, matrix.value), Constant(1, second)
        case Constant(columns=1) if axis == 0:
            return Constant(first, 1, matrix.value), Constant(second, 1)
    return None


def _divide(a: Count, b: Count) -> Count | None:
    """a / b if that is an integer larger than 1 (for symbols: known to be one), else None."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b if b and a % b == 0 and a > b else None
    quotient = sympy.sympify(a) / b
    if quotient.is_Integer:
        return int(quotient)
    return quotient if quotient.is_integer else None


def _split_columns(a: Matrix, widths: Sequence[Count]) -> tuple[Matrix, ...]:
    match a:
        case Dense():
            return tuple(Dense(part) for part in torch.split(a.entries, list(widths), dim=1))
        case Constant():
            return tuple(Constant(a.rows, width, a.value) for width in widths)
    return tuple(Unknown(a.shape[0], width) for width in widths)


def _uncertain(matrix: Matrix) -> bool:
    """Whether some entries or sizes are unknown, so that only a count can be given."""
    match matrix:
        case Unknown():
            return True
        case Kron():
            return _uncertain(matrix.left) or _uncertain(matrix.right)
        case Block():
            return any(_uncertain(entry) for row in matrix.grid for entry in row)
    return any(isinstance(size, sympy.Basic) for size in matrix.shape)


def _to_scipy(matrix: Matrix) -> scipy.sparse.csr_array:
    _check_affordable((matrix.nonzeros, 1), f"the entries of {matrix}")
    rows, columns, values = matrix.coordinates()
    return scipy.sparse.coo_array(
        (values.numpy(), (rows.numpy(), columns.numpy())), shape=matrix.shape
    ).tocsr()


def _from_scipy(matrix: scipy.sparse.csr_array) -> Sparse:
    coo = matrix.tocoo()
    row, column = coo.row.astype(np.int64), coo.col.astype(np.int64)
    return Sparse(
        coo.shape, torch.from_numpy(row), torch.from_numpy(column), torch.from_numpy(coo.data)
    )


def _like(entries: torch.Tensor, x: Array, cache: dict[Any, Array]) -> Array:
    """The entries in the arithmetic of x: its dtype and device, or exact rationals. Conversions are
    kept.
    """
    if isinstance(x, torch.Tensor):
        if entries.dtype == x.dtype and entries.device == x.device:
            return entries
        key: Any = (x.dtype, x.device)
        if key not in cache:
            cache[key] = entries.to(x.dtype).to(x.device)
    else:
        key = "exact"
        if key not in cache:
            values = np.array([Fraction(v) for v in entries.reshape(-1).tolist()], dtype=object)
            cache[key] = values.reshape(tuple(entries.shape))
    return cache[key]


def _has_products(x: torch.Tensor) -> bool:
    """Whether PyTorch multiplies sparse matrices and such a tensor (not pretended ones)."""
    plain = type(x) is torch.Tensor and x.dtype in (torch.float32, torch.float64)
    return plain and x.device.type == "cpu" and torch.backends.mkl.is_available()


def _no_entries() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    index = torch.empty(0, dtype=torch.int64)
    return index, index, torch.empty(0, dtype=torch.float64)


def _check_finite(entries: torch.Tensor, what: str) -> None:
    # the sum may overflow, but saves memory
    if not torch.isfinite(entries.sum()) and not torch.isfinite(entries).all():
        where = tuple(torch.nonzero(~torch.isfinite(entries))[0].tolist())
        raise ValueError(f"{what} must be finite, got {entries[where].item()} at index {where}")


def _check_affordable(shape: tuple[Count, Count], what: str) -> None:
    if any(isinstance(size, sympy.Basic) for size in shape):
        raise TypeError(f"{what} has symbolic size, so only its counts are known")
    if shape[0] * shape[1] > ENTRY_LIMIT:
        raise ValueError(
            f"{what} would need {shape[0] * shape[1]:,} entries; the limit is {ENTRY_LIMIT:,}"
        )
