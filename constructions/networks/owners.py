"""Whose the rows of each layer are, and so whose the parameters: which of f_S are f_clean's, which
the indicators'.

A row of a layer is one unit (or one output): its weights and its bias. Rows belong to one part
each, so the parameters of the parts add up to those of the network. Where the facing affine maps
of two parts merge, the row belongs to the part that reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ..linear.affine import Affine
from ..linear.matrix import Block, Constant, Count, Dense, Identity, Integers, Kron, Matrix, Sparse
from .network import ReLUNetwork
from .provenance import Owners, Provenance, parts_of

CARRIED = "carried values"
"""Rows that only hand a value on to the next layer."""

OUTPUT = "output"
"""The last row of a network, where it adds up several parts."""

OTHER = "other rows"
"""Rows of no named part: sums of outputs, for example."""


def owned(network: ReLUNetwork, name: str) -> ReLUNetwork:
    """The network, with all its rows called `name` in what is made of it."""
    rows = tuple(((name, layer.weight.shape[0]),) for layer in network.layers)
    return replace(network, provenance=Provenance(None, {}, parts_of(network), rows))


def owners(network: ReLUNetwork) -> tuple[Owners, ...]:
    """Whose the rows of each layer are where the network is a part of another one."""
    origin = network.provenance
    heights = [layer.weight.shape[0] for layer in network.layers]
    if origin is not None and origin.lemma is not None:
        return tuple(((origin.lemma.name, height),) for height in heights)
    return inside(network) or tuple(((OTHER, height),) for height in heights)


def inside(network: ReLUNetwork) -> tuple[Owners, ...]:
    """What the provenance says of rows; nothing if it speaks of other layers."""
    rows = network.provenance.rows if network.provenance else ()
    heights = [layer.weight.shape[0] for layer in network.layers]
    return rows if [sum(count for _, count in each) for each in rows] == heights else ()


def stacked(parts: Iterable[Owners]) -> Owners:
    """One below the other; neighbours of one name are joined."""
    joined: list[tuple[str, Count]] = []
    for name, count in (entry for part in parts for entry in part):
        if joined and joined[-1][0] == name:
            count = joined.pop()[1] + count
        joined.append((name, count))
    return tuple(joined)


def times(count: Count, rows: Owners) -> Owners:
    """Those of I (x) layer, as one name: they would change too often to be listed."""
    names = " and ".join(dict.fromkeys(name for name, _ in rows))
    known = names if names in (CARRIED, OTHER) else several(count, names)
    return ((known, count * sum(height for _, height in rows)),)


def several(count: Count, name: str) -> str:
    """As "6 x soft_indicator"."""
    return name if count == 1 else f"{count} x {name}"


@dataclass(frozen=True)
class Share:
    """Rows of one layer (from 1 on, both ends included) that belong to one part, and their
    parameters.
    """

    part: str
    layer: int
    first: int
    last: int
    parameters: int

    @property
    def rows(self) -> str:
        """As "13-36"."""
        return f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"


def shares(network: ReLUNetwork) -> list[Share]:
    """All rows of all layers, in order; none where nothing is known or sizes are symbols."""
    rows = inside(network)
    if not all(isinstance(count, int) for each in rows for _, count in each):
        return []
    found = []
    for index, (layer, each) in enumerate(zip(network.layers, rows, strict=False), start=1):
        ends = [0]
        for _, count in each:
            ends.append(ends[-1] + count)
        counts = _between(layer, ends)
        for (name, _), count, (start, stop) in zip(each, counts, pairwise(ends), strict=True):
            found.append(Share(name, index, start + 1, stop, count))
    return found


def _between(layer: Affine, ends: Sequence[int]) -> list[int]:
    above = [_above(layer.weight, end) + _above(layer.bias, end) for end in ends]
    return [b - a for a, b in pairwise(above)]


def _above(matrix: Matrix, stop: int) -> int:
    """How many nonzero entries the first `stop` rows have; structure is kept."""
    if stop == 0 or matrix.shape[0] == stop:
        return int(matrix.nonzeros) if stop else 0
    match matrix:
        case Identity():
            return stop
        case Constant():
            return stop * int(matrix.columns) if matrix.value else 0
        case Dense():
            return int(matrix.entries[:stop].count_nonzero())
        case Sparse():
            return int((matrix.values[matrix.rows < stop] != 0).sum())
        case Integers():
            return int((matrix.rows < stop).sum())
        case Kron():
            whole, rest = divmod(stop, matrix.right.shape[0])
            before = _above(matrix.left, whole)
            after = _above(matrix.left, whole + 1) - before if rest else 0
            return before * int(matrix.right.nonzeros) + after * _above(matrix.right, rest)
        case Block():
            found = 0
            for height, row in zip(matrix.heights, matrix.grid, strict=True):
                found += sum(_above(entry, min(stop, height)) for entry in row)
                stop -= min(stop, height)
            return found
    raise TypeError(f"{matrix} has no entries to count")
