"""A network read once for many queries: in floats for the search, in integers for the checker."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from constructions import ReLUNetwork

from ..checkers import check_certificate as checker
from .bounding import Array, Rule, crown, halves, intervals
from .pairs import find_pairs

LARGE = 2**22
"""Weights beyond which units that read one input are left out of linear programs."""

DENSE = 2**14
"""Weights of layers that are always multiplied as dense."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A network's dense layers as arrays, and its pairs; when asked for, as certificates hold it,
    its digest, and as the checker reads it, which takes longer.
    """

    inputs: int
    arrays: list[tuple[Array, Array]]

    @functools.cached_property
    def starts(self) -> list[int]:
        """The number of the first unit of each layer, and of one more."""
        return list(itertools.accumulate((len(bias) for _, bias in self.arrays), initial=0))

    @functools.cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """Units that belong together."""
        return find_pairs(
            [(w, bias) for w, (_, bias) in zip(self.sparse, self.arrays, strict=True)]
        )

    @property
    def is_large(self) -> bool:
        """Whether layers are too large for many products with all of their weights."""
        return sum(weight.size for weight, _ in self.arrays) > LARGE

    @functools.cached_property
    def sparse(self) -> list[Any]:
        """The weights without zeros."""
        return [csr_array(weight) for weight, _ in self.arrays]

    @functools.cached_property
    def products(self) -> list[Any]:
        """The weights, to multiply with: sparse ones where that is faster."""
        return [
            sparse if weight.size > DENSE and 16 * sparse.nnz < weight.size else weight
            for sparse, (weight, _) in zip(self.sparse, self.arrays, strict=True)
        ]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """How multipliers are chosen: by more than one rule where there are pairs."""
        return (crown, intervals, halves) if self.pairs else (crown,)

    @functools.cached_property
    def reads(self) -> list[Array]:
        """For each hidden layer, the one input on which a unit depends, or -1."""
        found, below = [], np.arange(self.inputs)
        for weight in self.sparse[:-1]:
            seen, starts = below[weight.indices], weight.indptr[:-1]
            some = np.flatnonzero(np.diff(weight.indptr))
            below = np.full(weight.shape[0], -1)
            if len(some):
                least, most = (f.reduceat(seen, starts[some]) for f in (np.minimum, np.maximum))
                below[some] = np.where(least == most, least, -1)
            found.append(below)
        return found

    @functools.cached_property
    def has_curves(self) -> bool:
        """Whether a unit that depends on several inputs reads one that depends on a single one."""
        return any(
            bool((below[weight[reads < 0].indices] >= 0).any())
            for weight, reads, below in zip(
                self.sparse[1:-1], self.reads[1:], self.reads, strict=False
            )
        )

    @functools.cached_property
    def data(self) -> dict[str, Any]:
        """The network as certificates hold it."""
        layers = []
        for weight, (_, bias) in zip(self.sparse, self.arrays, strict=True):
            columns, numbers = weight.indices.tolist(), weight.data.tolist()
            ends = itertools.pairwise(weight.indptr.tolist())
            rows = [[columns[a:b], numbers[a:b]] for a, b in ends]
            layers.append({"rows": rows, "bias": bias.tolist()})
        return {"inputs": self.inputs, "layers": layers}

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 that names it."""
        return checker.digest(self.data)

    def complete(self) -> None:
        """Compute what every search needs, so that it counts for none."""
        _ = self.exact, self.pairs, self.products, self.has_curves

    @functools.cached_property
    def exact(self) -> checker.Network:
        """The network in integers."""
        return checker.Network(self.data)


@functools.lru_cache(maxsize=8)
def prepare(network: ReLUNetwork) -> Prepared:
    """Read a network once for many queries. Raises ValueError for a layer too large to be dense or
    without float64 entries.
    """
    try:
        arrays = [
            (a.weight.to_dense().numpy(), a.bias.to_dense()[:, 0].numpy()) for a in network.layers
        ]
    except ValueError as error:
        if network.screen is None:
            raise
        raise ValueError(
            f"{error}: of an f_S of this size all training balls are proved together, by "
            "certify_memorization (cgro certify NET --memorized FILE.npz --radius R)"
        ) from error
    return Prepared(int(network.inputs), arrays)
