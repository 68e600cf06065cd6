"""Exact values of affine layers with ReLU between, at many rational points.

Numbers are written with base 2^B in small signed digits: products of digits are float64 matrix
products in which nothing rounds. Leading layers whose sums float64 provably holds are evaluated in
float64 itself (Ozaki, Ogita, Oishi and Rump 2012). Whole, because it is one arithmetic: splitting,
products, carries and signs of the same digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
import torch

from ..basics.floats import FAR, lowest_bit
from ..basics.reading import flattening
from .affine import Affine
from .grid import walk
from .table import REACH, Table, table_of
from .wide import WideTable, wide_table

CHUNK = 2**14
"""Numbers of a layer of mean width that are computed at once, for at least `BATCH` points: a few
digits stay in the cache.
"""

BATCH = 32
"""Fewest points that are computed at once."""

DENSE = 2**16
"""Layers of at most so many entries, zeros included, are multiplied densely."""

PREFIXES = 256
"""Grids and ranges of inputs for which a network remembers how many layers float64 holds."""

Digits = dict[int, np.ndarray]
"""sum_k digits[k] 2^(B k): float64 integers of absolute value at most 2^(B - 1), units x points;
zeros are left out.
"""


class ExactLayers:
    """Affine layers with ReLU between, in exact arithmetic; what that takes is prepared at the
    first call and kept.

    domain: the closed interval in which every input coordinate must lie (None: all of R).
    """

    def __init__(self, layers: Sequence[Affine], domain: tuple[float, float] | None) -> None:
        self.layers, self.domain = tuple(layers), domain
        self.inputs, self.outputs = layers[0].weight.shape[1], layers[-1].weight.shape[0]

    def values(self, x: Any) -> np.ndarray:
        """Values at rational points of shape (..., inputs), as Fractions of shape (..., outputs);
        see `exact_values`.
        """
        points, shape = self._read(x)
        program = self._program
        if program is None:
            return np.asarray(self._slow(points)).reshape(*shape[:-1], self.outputs)
        values: list[Fraction] = []
        for part in program.parts(points):
            floats, digits = program.run(part)
            if floats is not None:
                values += map(Fraction, floats.T.reshape(-1).tolist())
                continue
            numerators, exponent = program.integers(digits, len(part))
            up, down = 1 << max(exponent, 0), 1 << max(-exponent, 0)
            if part.dtype == object:
                scales = (part[:, -1] * down).tolist()
                rows = zip(numerators.T.tolist(), scales, strict=True)
                values += [Fraction(v * up, scale) for row, scale in rows for v in row]
            else:
                values += [Fraction(v * up, down) for v in numerators.T.reshape(-1).tolist()]
        result = np.empty(len(values), dtype=object)
        result[:] = values
        return result.reshape(*shape[:-1], self.outputs)

    def signs(self, x: Any) -> np.ndarray:
        """The signs -1, 0, 1 of all outputs, as int8 of shape (..., outputs)."""
        points, shape = self._read(x)
        program = self._program
        if program is None:
            values = self._slow(points)
            return (
                ((values > 0).astype(np.int8) - (values < 0))
                .astype(np.int8)
                .reshape(*shape[:-1], self.outputs)
            )
        out = np.empty((len(points), self.outputs), dtype=np.int8)
        start = 0
        for part in program.parts(points):
            floats, digits = program.run(part)
            signs = (
                np.sign(floats) if floats is not None else _signs(digits, self.outputs, len(part))
            )
            out[start : start + len(part)] = signs.T
            start += len(part)
        return out.reshape(*shape[:-1], self.outputs)

    @cached_property
    def _program(self) -> _Program | None:
        """None if the layers must be evaluated in their structured forms."""
        tables = [wide_table(layer) or table_of(layer) for layer in self.layers]
        known = [table for table in tables if table is not None and table.exponent <= REACH]
        return _Program(self.layers, known) if len(known) == len(tables) else None

    def _read(self, x: Any) -> tuple[np.ndarray, tuple[int, ...]]:
        """Points as float64 (n, inputs), or as integers (n, inputs + 1) over the last of each row;
        and the shape of x.
        """
        if isinstance(x, torch.Tensor):
            x = x.detach().cpu()
            x = x.double().numpy() if x.is_floating_point() else x.numpy()
        values = (
            x
            if isinstance(x, np.ndarray) and x.dtype.kind in "fiub"
            else np.asarray(x, dtype=object)
        )
        if values.ndim == 0 and self.inputs == 1:
            values = values[None]
        shape = values.shape
        if shape[-1:] != (self.inputs,):
            raise ValueError(
                f"x must have shape (..., {self.inputs}), got {shape}"
                f"{flattening(shape, self.inputs)}"
            )
        count = math.prod(shape[:-1])
        values = values.reshape(count, self.inputs)
        if (
            values.dtype.kind in "iub"
            and values.size
            and int(values.min()) >= -(2**53)
            and int(values.max()) <= 2**53
        ):
            values = values.astype(np.float64)
        if values.dtype == object and all(
            issubclass(kind, float) for kind in set(map(type, values.reshape(-1)))
        ):
            values = values.astype(np.float64)
        if values.dtype.kind == "f" and values.dtype.itemsize <= 8:
            values = values.astype(np.float64)
            low, high = (
                float(v) for v in (values.min(initial=np.inf), values.max(initial=-np.inf))
            )
            if values.size and not (math.isfinite(low) and math.isfinite(high)):
                raise ValueError("x must be finite, got NaN or infinity")
            self._check_domain(low, high)
            if not values.size or (low > -(2.0**REACH) and high < 2.0**REACH):
                return values, shape
        fractions = _fractions(values)
        if fractions:
            self._check_domain(min(fractions), max(fractions))
        if all(_is_float(v) for v in fractions):
            return np.array([float(v) for v in fractions], dtype=np.float64).reshape(
                count, self.inputs
            ), shape
        rows = np.empty((count, self.inputs + 1), dtype=object)
        for i in range(count):
            row = fractions[i * self.inputs : (i + 1) * self.inputs]
            scale = math.lcm(*(v.denominator for v in row))
            rows[i] = [*(v.numerator * (scale // v.denominator) for v in row), scale]
        return rows, shape

    def _check_domain(self, low: Any, high: Any) -> None:
        if self.domain and low <= high and not (self.domain[0] <= low and high <= self.domain[1]):
            raise ValueError(
                f"x must lie in the network's domain {list(self.domain)}, got values beyond it"
            )

    def _slow(self, points: np.ndarray) -> np.ndarray:
        """In Fractions, through the structured forms: for entries that are no float64 and for very
        large layers.
        """
        if points.dtype == object:
            rows = [[Fraction(v, row[-1]) for v in row[:-1]] for row in points.tolist()]
        else:
            rows = [[Fraction(v) for v in row] for row in points.tolist()]
        values = np.empty((len(points), self.inputs), dtype=object)
        values.reshape(-1)[:] = [v for row in rows for v in row]
        for layer in self.layers[:-1]:
            values = np.asarray(layer.apply(values))
            values = values * (values > 0)
        return np.asarray(self.layers[-1].apply(values))


# -- points ----------------------------------------------------------------------------------------


def _fractions(values: np.ndarray) -> list[Fraction]:
    try:
        numbers = (
            v.item() if isinstance(v, np.generic) else v for v in values.reshape(-1).tolist()
        )
        return [v if isinstance(v, Fraction) else Fraction(v) for v in numbers]
    except (ValueError, OverflowError) as error:
        raise ValueError(f"x must be finite rational numbers: {error}") from error
    except TypeError as error:
        kinds = sorted({type(v).__name__ for v in values.reshape(-1).tolist()})
        raise TypeError(
            f"x must hold Fractions, integers or floats, got {', '.join(kinds)}"
        ) from error


def _is_float(value: Fraction) -> bool:
    """Whether float64 holds a number, away from over- and underflow."""
    top, bottom = value.numerator, value.denominator
    return bottom & (bottom - 1) == 0 and top.bit_length() <= 53 and bottom.bit_length() <= REACH


# -- digits ----------------------------------------------------------------------------------------


def _split(values: np.ndarray, base: int) -> Digits:
    """Floats below 2^1000 as digits, from the top: each remainder is a part of the float, so
    nothing rounds.
    """
    rest = values.astype(np.float64)
    k = -(-(int(np.frexp(rest)[1].max(initial=0)) - base + 1) // base)
    digits = {}
    while rest.any():
        if abs(base * k) < REACH:
            digit = np.rint(rest * 2.0 ** (-base * k))
            part = digit * 2.0 ** (base * k)
        else:
            digit = np.rint(np.ldexp(rest, -base * k))
            part = np.ldexp(digit, base * k)
        if digit.any():
            rest -= part
            digits[k] = digit
        k -= 1
    return digits


def _split_table(table: Table | WideTable, values: np.ndarray, base: int) -> Digits:
    """Numbers of a layer as digits: floats, or integers over the layer's power of two."""
    if isinstance(table, Table):
        return _split(values, base)
    places, shift = divmod(table.exponent, base)
    found = _split_integers(values * 2**shift, base)
    return {k + places: digit for k, digit in found.items()}


def _split_integers(values: np.ndarray, base: int) -> Digits:
    """Python integers as digits."""
    size = max((abs(v).bit_length() for v in values.reshape(-1).tolist()), default=0)
    count = size // base + 2
    half, mask = 1 << (base - 1), (1 << base) - 1
    shifted = values + sum(half << (base * k) for k in range(count))
    digits = {}
    for k in range(count):
        digit = ((shifted >> (base * k)) & mask).astype(np.float64) - half
        if digit.any():
            digits[k] = digit
    return digits


def _carry(sums: Digits, base: int) -> Digits:
    """Sums of products of digits as digits. Arrays are overwritten."""
    digits: Digits = {}
    if not sums:
        return digits
    carry, k, high = None, min(sums), max(sums)
    while k <= high or carry is not None:
        here = sums.get(k)
        if here is None:
            here = carry
        elif carry is not None:
            here += carry
        carry = None
        if here is not None:
            up = here * 2.0**-base
            np.rint(up, out=up)
            if up.any():
                here = here - up * 2.0**base
                carry = up
            if here.any():
                digits[k] = here
        k += 1
    return digits


def _signs(digits: Digits, rows: int, count: int) -> np.ndarray:
    """Of the first rows, the sign of the highest digit that is not 0: what is below adds up to less
    than 1 of it.
    """
    top = np.zeros((rows, count))
    for k in sorted(digits, reverse=True):
        np.copyto(top, digits[k][:rows], where=top == 0)
        if top.all():
            break
    return np.sign(top)


class _Layer:
    """A layer in digits. homogeneous: the bias multiplies one more input, which is passed on as one
    more unit.
    """

    def __init__(self, table: Table | WideTable, base: int, homogeneous: bool) -> None:
        m, n = table.shape
        rows, columns, values, self.bias = table.rows, table.columns, table.values, {}
        if homogeneous:
            nonzero = np.flatnonzero(table.bias)
            rows = np.concatenate([rows, nonzero, [m]])
            columns = np.concatenate([columns, np.full(len(nonzero), n), [n]])
            one = [1.0 if isinstance(table, Table) else 2**-table.exponent]
            values = np.concatenate([values, table.bias[nonzero], np.array(one, values.dtype)])
            m, n = m + 1, n + 1
        else:
            self.bias = {
                k: digit[:, None] for k, digit in _split_table(table, table.bias, base).items()
            }
        digits = _split_table(table, values, base)
        self.rows, self.positions = m, sorted(digits)
        self.weight = _stack([(rows, columns, digits[k]) for k in self.positions], (m, n))

    def apply(self, digits: Digits, count: int, base: int) -> Digits:
        """Weight times digits plus bias."""
        sums: Digits = {}
        for k, digit in digits.items():
            product = self.weight @ digit
            for i, position in enumerate(self.positions):
                part = product[i * self.rows : (i + 1) * self.rows]
                if k + position in sums:
                    sums[k + position] += part
                else:
                    sums[k + position] = part
        for k, offset in self.bias.items():
            if k in sums:
                sums[k] += offset
            else:
                sums[k] = np.repeat(offset, count, axis=1)
        return _carry(sums, base)


def _stack(
    blocks: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], shape: tuple[int, int]
) -> Any:
    """Matrices of one shape, by coordinates, below each other: dense if small or full."""
    m, n = shape
    height = m * len(blocks)
    rows = np.concatenate(
        [np.zeros(0, dtype=np.int64), *(block[0] + i * m for i, block in enumerate(blocks))]
    )
    columns = np.concatenate([np.zeros(0, dtype=np.int64), *(block[1] for block in blocks)])
    values = np.concatenate([np.zeros(0), *(block[2] for block in blocks)])
    keep = values != 0
    rows, columns, values = rows[keep], columns[keep], values[keep]
    if m * n <= DENSE or 4 * len(values) >= height * n:
        dense = np.zeros((height, n))
        dense[rows, columns] = values
        return dense
    return scipy.sparse.csr_array((values, (rows, columns)), shape=(height, n))


class _Program:
    """What is prepared once: the number of bits of a digit, layers in digits, layers in float64."""

    def __init__(self, affine: Sequence[Affine], tables: list[Table | WideTable]) -> None:
        self.affine, self.tables = affine, tables
        self.inputs = affine[0].weight.shape[1]
        widths = [self.inputs, *(table.shape[0] for table in tables)]
        # a single wide layer among many narrow ones may leave the cache
        self.width = max(1, max(widths) // 16, sum(widths) // len(widths))
        self.base = min(
            _base(table.longest, 53 if isinstance(table, Table) else table.bits) for table in tables
        )
        self.layers: dict[tuple[int, bool], _Layer] = {}
        self.floats: dict[int, Any] = {}
        self.prefixes: dict[tuple[int, float, float], int] = {}

    def parts(self, points: np.ndarray) -> Iterator[np.ndarray]:
        """Batches of a size that caches like."""
        step = max(BATCH, CHUNK // self.width)
        return (points[i : i + step] for i in range(0, len(points), step))

    def run(self, points: np.ndarray) -> tuple[np.ndarray | None, Digits]:
        """Values (outputs, n) in float64, or None and digits (for integers times the last of each
        row, with that as one more output).
        """
        homogeneous = points.dtype == object
        first, last = 0, len(self.tables) - 1
        if homogeneous:
            digits = _split_integers(points.T, self.base)
        else:
            values = np.ascontiguousarray(points.T)
            first = self.prefix(points)
            for depth in range(first):
                values = self.plain(depth) @ values
                values += self.tables[depth].bias[:, None]
                if depth == last:
                    return values, {}
                np.maximum(values, 0, out=values)
            digits = _split(values, self.base)
        for depth in range(first, last + 1):
            layer = self.layer(depth, homogeneous)
            digits = layer.apply(digits, len(points), self.base)
            if depth < last:
                on = (_signs(digits, layer.rows, len(points)) > 0).astype(np.float64)
                for digit in digits.values():
                    digit *= on
        return None, digits

    def layer(self, depth: int, homogeneous: bool) -> _Layer:
        """A layer in digits."""
        key = depth, homogeneous
        if key not in self.layers:
            self.layers[key] = _Layer(self.tables[depth], self.base, homogeneous)
        return self.layers[key]

    def plain(self, depth: int) -> Any:
        """A layer's weight in float64."""
        if depth not in self.floats:
            table = self.tables[depth]
            self.floats[depth] = _stack([(table.rows, table.columns, table.values)], table.shape)
        return self.floats[depth]

    def prefix(self, points: np.ndarray) -> int:
        """How many layers float64 computes exactly on the points' grid and range (rounded up to
        powers of two).
        """
        low = int(lowest_bit(points).min(initial=FAR))
        key = (
            low,
            _outwards(float(points.min(initial=0.0))),
            _outwards(float(points.max(initial=0.0))),
        )
        if key not in self.prefixes:
            if len(self.prefixes) == PREFIXES:
                self.prefixes.clear()
            self.prefixes[key] = self._prefix(*key)
        return self.prefixes[key]

    def _prefix(self, low: int, lower: float, upper: float) -> int:
        depth = 0
        try:
            for layer in walk(
                self.affine, low, np.full(self.inputs, lower), np.full(self.inputs, upper)
            ):
                if not layer.fits(53, -1022, 1023):
                    break
                depth += 1
        except ValueError:  # out of the range of bounds
            pass
        return depth

    def integers(self, digits: Digits, count: int) -> tuple[np.ndarray, int]:
        """The outputs as integers (outputs, n) times 2^exponent."""
        outputs = self.tables[-1].shape[0]
        total = np.zeros((outputs, count), dtype=object)
        if not digits:
            return total, 0
        low, high, at_once = min(digits), max(digits), 62 // self.base
        for start in reversed(range(low, high + 1, at_once)):
            group = np.zeros((outputs, count), dtype=np.int64)
            for k in range(start, start + at_once):
                if k in digits:
                    group += digits[k][:outputs].astype(np.int64) << (self.base * (k - start))
            total = (total << (self.base * at_once)) + group.astype(object)
        return total, self.base * low


def _outwards(value: float) -> float:
    mantissa, exponent = math.frexp(value)
    return (
        0.0
        if value == 0
        else math.copysign(math.ldexp(1.0, exponent - (abs(mantissa) == 0.5)), value)
    )


def _base(longest: int, bits: int = 53) -> int:
    """The most bits a digit may have: with `longest` nonzeros a row, a bias and a carry, sums must
    stay below 2^53.

    The bits of a weight touch at most bits // base + 3 digits, so a sum has that many products a
    nonzero.
    """
    base = 24
    while (longest + 1) * (bits // base + 3) * 2 ** (2 * base - 2) > 2**52:
        base -= 1
    return base
