"""A network read once for many queries: in floats for the search, in integers for the checker."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from constructions import ReLUNetwork

from ..checkers import check_certificate as checker
from .bounding import Array
from .pairs import find_pairs


@dataclass(frozen=True)
class Prepared:
    """A network as certificates hold it, its digest, as the checker reads it, its dense layers as
    arrays, and its pairs.
    """

    data: dict[str, Any]
    digest: str
    exact: checker.Network
    arrays: list[tuple[Array, Array]]
    pairs: list[tuple[int, int]]


@functools.lru_cache(maxsize=8)
def prepare(network: ReLUNetwork) -> Prepared:
    """Read a network once for many queries. Raises ValueError for a layer too large to be dense or
    without float64 entries.
    """
    arrays = [
        (a.weight.to_dense().numpy(), a.bias.to_dense()[:, 0].numpy()) for a in network.layers
    ]
    layers = []
    for weight, bias in arrays:
        columns = [np.flatnonzero(row) for row in weight]
        rows = [[c.tolist(), row[c].tolist()] for c, row in zip(columns, weight, strict=True)]
        layers.append({"rows": rows, "bias": bias.tolist()})
    data = {"inputs": int(network.inputs), "layers": layers}
    return Prepared(data, checker.digest(data), checker.Network(data), arrays, find_pairs(arrays))
