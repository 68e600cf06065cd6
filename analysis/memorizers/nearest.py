"""Proof that a network of rows and maxima gives the label of the nearest point on every ball, from
the weights it really has.

The network is read from its layers: which affine functions b it takes maxima of, V_k = max b over a
set of them, and that its outputs are a clip of scale (V_1 - V_0), or the one-hot rows of the
largest V_k. Then each ball needs one function of its own class that exceeds all others by 1 / scale
on the whole ball: pairs, in exact arithmetic. Provenance is not used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from constructions import Affine, Ball, ReLUNetwork
from constructions.internal import has_integers

from ..proofs.matching import column_of, require, rows_of
from .pairs import Functions, Maxima, Pairs

BLOCK = 2**9
"""Balls that are compared with all functions at once."""

Units = frozenset[int]


def prove_nearest(network: ReLUNetwork, x: np.ndarray, y: np.ndarray, ball: Ball) -> Fraction:
    """The margin, 1, of a network of maxima on all balls; raises `Unproved` where the proof fails.

    With g the difference of two of its affine functions, one of class y_i and one of another, the
    least value of g on ball i is g(c_i) - radius |gradient|_q. It must reach 1 / scale for one
    function of class y_i and all of the others; then the output is y_i, or its one-hot row,
    exactly.
    """
    found = read_maxima(network)
    low, high = network.domain or (-math.inf, math.inf)
    require(low >= 0 and high <= 1, "the network's domain must lie in [0,1], where rows are >= 0")
    require(bool(((x >= low) & (x <= high)).all()), "points must lie in the network's domain")
    count = len(found.classes)
    classes = (y + 1) // 2 if network.outputs == 1 else y
    members = np.zeros((count, len(found.rows)), dtype=bool)
    for k, functions in enumerate(found.classes):
        members[k, sorted(functions)] = True
    require(bool((members.sum(0) == 1).all()), "a function belongs to two classes")
    pairs = Pairs.of(found, x, ball.p, Fraction(ball.radius))
    if pairs.are_apart(classes, members.argmax(0)):
        return Fraction(1)
    for start in range(0, len(x), BLOCK):
        owners = np.arange(start, min(start + BLOCK, len(x)))
        values = pairs.values(owners)
        mine = members[classes[owners]]
        own = np.where(mine, values, -np.inf).argmax(1)
        pairs.check(owners, own, ~mine, values)
    return Fraction(1)


# -- reading the network ---------------------------------------------------------------------------


def read_maxima(network: ReLUNetwork) -> Maxima:
    """The affine functions of a network, and the sets that its outputs take maxima of; raises
    `Unproved` for another network.
    """
    long = any(has_integers(one.weight) or has_integers(one.bias) for one in network.layers)
    require(not long, "weights are no float64")
    reader = _Reader(network.layers[0])
    last = len(network.layers) - 2  # the hidden layer that compares
    require(last >= 1, "the network is too shallow for maxima and a comparison")
    for layer in network.layers[1:last]:
        reader.read(layer)
    compare, out = network.layers[last], network.layers[-1]
    if network.outputs == 1:
        return reader.clip(compare, out)
    return reader.one_hot(compare, out)


class _Reader:
    """What is known of the units of a layer: each is relu of a difference of two maxima, or one
    maximum that is >= 0; value[unit] has the sets of functions, (A, B) or (A, None).
    """

    def __init__(self, first: Affine) -> None:
        self.rows = _dense(first)
        self.offsets = column_of(first.bias).copy()
        # a row that is >= 0 on [0,1]^D
        require(float(np.abs(self.rows).max(initial=0.0)) < 2.0**900, "weights are too large")
        least = (
            math.fsum([*np.minimum(row, 0).tolist(), offset])  # its sign is exact
            for row, offset in zip(self.rows, self.offsets.tolist(), strict=True)
        )
        self.nonnegative = np.array([value >= 0 for value in least])
        self.functions = list(range(len(self.rows)))
        self.made: dict[tuple[int, int], int] = {}
        self.sums: list[tuple[int, int]] = []
        self.units: list[tuple[Functions, Functions | None]] | None = None

    def value(self, units: Units) -> Functions:
        """The functions whose maximum a sum of units is: a difference A - B and B, or B alone."""
        require(len(units) in (1, 2), "a sum of units is no maximum")
        if self.units is None:
            return self._first(sorted(units))
        found = [self.units[u] for u in sorted(units)]
        plain = [a for a, b in found if b is None]
        if len(found) == 1:
            require(len(plain) == 1, "a difference is read without its other term")
            return plain[0]
        require(len(plain) == 1, "a sum of units is no maximum")
        ((a, b),) = [(a, b) for a, b in found if b is not None]
        require(b == plain[0], "a difference meets another term than its own")
        return a | plain[0]

    def _first(self, units: list[int]) -> Functions:
        if len(units) == 1:
            require(bool(self.nonnegative[units[0]]), "a row that may be negative is carried")
            return frozenset(units)
        plain = next((u for u in units[::-1] if self.nonnegative[u]), None)
        require(plain is not None, "a sum of two rows that may be negative is no maximum")
        assert plain is not None
        (other,) = (u for u in units if u != plain)
        if (plain, other) not in self.made:
            self.made[plain, other] = len(self.rows) + len(self.sums)
            self.sums.append((plain, other))
        return frozenset([plain, self.made[plain, other]])

    def read(self, layer: Affine) -> None:
        """Go on to the next layer."""
        require(not column_of(layer.bias).any(), "a layer of maxima has biases")
        weight = rows_of(layer.weight)
        units: list[tuple[Functions, Functions | None]] = []
        for i in range(weight.shape[0]):
            plus, minus = _signed(weight, i, 1.0)
            units.append((self.value(plus), self.value(minus) if minus else None))
        self.units = units

    def clip(self, compare: Affine, out: Affine) -> Maxima:
        """Outputs relu(v + 1) - relu(v - 1) - 1 of v = scale (V_1 - V_0)."""
        weight = rows_of(compare.weight)
        require(weight.shape[0] == 2, "the output is no clip")
        scale = float(np.abs(weight.data).max(initial=0.0))
        require(column_of(compare.bias).tolist() == [1.0, -1.0], "the output is no clip: biases")
        require(_dense(out).tolist() == [[1.0, -1.0]], "the output is no clip: weights")
        require(column_of(out.bias).tolist() == [-1.0], "the output is no clip: its bias")
        plus, minus = _signed(weight, 0, scale)
        require((plus, minus) == _signed(weight, 1, scale), "the output is no clip: rows differ")
        return self._maxima((self.value(minus), self.value(plus)), scale)

    def one_hot(self, compare: Affine, out: Affine) -> Maxima:
        """Outputs relu(1 - scale (max V - V_k))."""
        weight = rows_of(compare.weight)
        require(
            weight.shape[0] == out.weight.shape[0]
            and np.array_equal(_dense(out), np.eye(out.weight.shape[0]))
            and not column_of(out.bias).any(),
            "the outputs are no one-hot rows: last layer",
        )
        require(bool((column_of(compare.bias) == 1).all()), "the outputs are no one-hot rows")
        scale = float(np.abs(weight.data).max(initial=0.0))
        signed = [_signed(weight, k, scale) for k in range(weight.shape[0])]
        classes = tuple(self.value(plus) for plus, _ in signed)
        # where a unit of the largest is one of V_k's, the two cancel in none of the rows
        largest = {self.value(minus) for _, minus in signed}
        require(len(largest) == 1, "the outputs compare with different numbers")
        require(largest.pop() == frozenset().union(*classes), "the largest leaves functions out")
        return self._maxima(classes, scale)

    def _maxima(self, classes: Sequence[Functions], scale: float) -> Maxima:
        require(
            2.0**-900 < scale < 2.0**900, "the output's scale is 0, or near the ends of float64"
        )
        rows, offsets = self.rows, self.offsets
        if self.sums:
            a, b = (np.array(part) for part in zip(*self.sums, strict=True))
            rows = np.concatenate([rows, _exact_sum(rows[a], rows[b])])
            offsets = np.concatenate([offsets, _exact_sum(offsets[a], offsets[b])])
        used = sorted(frozenset().union(*classes))
        place = {old: new for new, old in enumerate(used)}
        named = tuple(frozenset(place[f] for f in functions) for functions in classes)
        return Maxima(rows[used], offsets[used], named, Fraction(scale))


def _signed(weight: object, i: int, scale: float) -> tuple[Units, Units]:
    """Units that row i adds and subtracts, all by `scale`."""
    start, stop = weight.indptr[i : i + 2]  # type: ignore[attr-defined]
    units, values = weight.indices[start:stop], weight.data[start:stop]  # type: ignore[attr-defined]
    require(bool((np.abs(values) == scale).all()), "weights of a layer of maxima differ in size")
    return frozenset(units[values > 0].tolist()), frozenset(units[values < 0].tolist())


def _dense(layer: Affine) -> np.ndarray:
    return np.asarray(layer.weight.to_dense().numpy())


def _exact_sum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a + b, where float64 holds it (two-sum has no remainder)."""
    total = a + b
    part = total - a
    require(bool(((a - (total - part)) + (b - part) == 0).all()), "a sum of two rows is rounded")
    return total
