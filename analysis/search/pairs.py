"""Which units of a constructed network belong together: |a|, maxima, indicators and gates are made
of two units each.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from .bounding import Array

GROUP_LIMIT = 256
"""Larger groups of units with equal outgoing weights are only searched for equal and opposite rows.
"""

SHORT = 8
"""Rows of so many inputs together belong together where they share two, longer ones only where
something cancels: windows of a convolution that are pooled share many.
"""

Row = dict[int, float]


def find_pairs(layers: list[tuple[Any, Array]]) -> list[tuple[int, int]]:
    """Disjoint pairs (p, q) of hidden units of a layer whose outgoing weights are equal or
    opposite, and whose incoming rows cancel in part when added or subtracted: bounds of z_p + z_q
    and z_p - z_q then tell more than bounds of both.

    Units are numbered through the hidden layers of [(weight, bias), ...], dense or sparse, the last
    layer being the outputs.
    """
    pairs, start = [], 0
    for weight, after in pairwise([csr_array(weight) for weight, _ in layers]):
        groups = defaultdict(list)
        columns = after.tocsc()
        for unit, (first, last) in enumerate(pairwise(columns.indptr.tolist())):
            if first < last:
                groups[_key(columns.indices[first:last], columns.data[first:last])].append(unit)
        for group in groups.values():
            pairs += [(start + p, start + q) for p, q in _match(weight, group)]
        start += weight.shape[0]
    return sorted(pairs)


def _key(places: Array, values: Array) -> bytes:
    """The same for a vector, of which these are not 0, and its negative."""
    return places.tobytes() + (values * np.sign(values[:1])).tobytes()


def _match(weight: csr_array, group: list[int]) -> list[tuple[int, int]]:
    found, rest = [], dict[bytes, int]()
    for unit in group if len(group) > 1 else []:
        first, last = weight.indptr[unit : unit + 2]
        key = _key(weight.indices[first:last], weight.data[first:last])
        if key and key in rest:
            found.append((rest.pop(key), unit))
        else:
            rest[key] = unit
    left = list(rest.values())
    if 1 < len(left) <= GROUP_LIMIT:
        rows = weight[left].toarray()
        rows = rows[:, rows.any(axis=0)]
        sizes = np.count_nonzero(rows, axis=1)
        scores = []
        for i, j in combinations(range(len(left)), 2):
            kept = min(np.count_nonzero(rows[i] + rows[j]), np.count_nonzero(rows[i] - rows[j]))
            both = np.count_nonzero((rows[i] != 0) | (rows[j] != 0))
            if kept < both or (both < sizes[i] + sizes[j] - 1 and both <= SHORT):
                scores.append((kept - sizes[i] - sizes[j], i, j))
        taken = set[int]()
        for _, i, j in sorted(scores):
            if not {i, j} & taken:
                taken |= {i, j}
                found.append((left[i], left[j]))
    return [(min(p, q), max(p, q)) for p, q in found]
