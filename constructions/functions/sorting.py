"""Sorting and order statistics, by networks of comparators."""

from __future__ import annotations

import math

import numpy as np
from sympy import Symbol, ceiling, log

from ..capacity.packing import read_count
from ..networks.calculus import compose
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record

Round = list[tuple[int, int]]
"""Comparators (i, j), i < j, of disjoint pairs: the smaller number goes to i, the larger to j."""

_n, _comparators = Symbol("n"), Symbol("comparators")
_log = ceiling(log(_n, 2))


@implements(
    "Batcher 1968; Knuth, The Art of Computer Programming, 5.2.2, Algorithm M",
    "merge exchange sorts n numbers in t(t + 1)/2 rounds of comparators, t = ceil(log2 n); a "
    "comparator of numbers >= 0 takes three units",
    depth=_log * (_log + 1) / 2,
    units=_n * _log * (_log + 1) / 2 + _comparators,
    sup_error=0,
)
def sorting(n: int) -> ReLUNetwork:
    """Build the network that sorts n numbers >= 0, the smallest first.

    A comparator gives min(a, b) = a - relu(a - b) and max(a, b) = b + relu(a - b), by the units
    relu(a - b), a and b. Exact wherever differences of the numbers are.

    Args:
        n: how many numbers, >= 2.

    Returns:
        A `ReLUNetwork` R^n -> R^n on numbers >= 0.

    Raises:
        ValueError: unless n is an integer >= 2.

    Cost: depth t(t + 1)/2 with t = ceil(log2 n); n units a layer and one for each comparator. For n
    = 2^t these are (t^2 - t + 4) 2^(t-2) - 1.

    Source: Batcher 1968 (Sorting networks and their applications).

    Example:
        >>> sorting(4)([[0.5, 0.0, 2.0, 0.25]]).tolist()
        [[0.0, 0.25, 0.5, 2.0]]
        >>> sorting(4).size.depth, sorting(4).provenance.arguments["comparators"]
        (3, 5)
    """
    count = read_count("n", n, 2)
    return _built(count, list(range(count)))


@implements(
    "Batcher 1968, pruned",
    "the k-th largest of n numbers: merge exchange without what does not reach that output",
    depth="rounds",
    sup_error=0,
)
def kth_largest(n: int, k: int) -> ReLUNetwork:
    """Build the network that gives the k-th largest of n numbers >= 0.

    `sorting`, without all comparators, halves of comparators and wires that do not reach the output
    n - k.

    Args:
        n: how many numbers, >= 2.
        k: 1 for the largest, n for the smallest.

    Returns:
        A `ReLUNetwork` R^n -> R on numbers >= 0; provenance has the numbers of `comparators`
        and of their `rounds`.

    Raises:
        ValueError: unless 1 <= k <= n, both integers.

    Cost: at most the depth of `sorting`; for k = 1 `maximum` is smaller.

    Source: Batcher 1968.

    Example:
        >>> kth_largest(5, 2)([[0.5, 0.0, 2.0, 0.25, 0.75]]).item()
        0.75
    """
    count, rank = read_count("n", n, 2), read_count("k", k, 1)
    if rank > count:
        raise ValueError(f"k must be at most n = {count}, got {k}")
    return _built(count, [count - rank])


def median(n: int) -> ReLUNetwork:
    """Build the network that gives the median of an odd number of numbers >= 0.

    It is `kth_largest(n, (n + 1) / 2)`.

    Args:
        n: how many numbers, odd, >= 3.

    Returns:
        A `ReLUNetwork` R^n -> R on numbers >= 0.

    Raises:
        ValueError: unless n is an odd integer >= 3.

    Example:
        >>> median(5)([[0.5, 0.0, 2.0, 0.25, 0.75]]).item()
        0.5
    """
    if read_count("n", n, 3) % 2 == 0:
        raise ValueError(f"n must be odd for a median that is one of the numbers, got {n}")
    return kth_largest(n, (n + 1) // 2)


def _rounds(n: int) -> list[Round]:
    """Algorithm M, which works for every n."""
    top = 1 << ((n - 1).bit_length() - 1)
    rounds, p = [], top
    while p:
        q, r, d = top, 0, p
        while True:
            rounds.append([(i, i + d) for i in range(n - d) if i & p == r])
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    return rounds


def _built(n: int, wanted: list[int]) -> ReLUNetwork:
    """Rounds as layers, from the last to the first: each gives the wires that the next needs."""
    stages, need, comparators = [], wanted, 0
    for pairs in reversed(_rounds(n)):
        alive = [(i, j) for i, j in pairs if i in need or j in need]
        if not alive:
            continue
        before = sorted({*need, *(i for pair in alive for i in pair)})
        place = {wire: k for k, wire in enumerate(before)}
        eye = np.eye(len(before))
        rows: list[np.ndarray] = []
        outputs: dict[int, list[tuple[int, float]]] = {}
        for i, j in alive:
            rows.append(eye[place[i]] - eye[place[j]])
            outputs |= {i: [(len(rows) - 1, -1.0)], j: [(len(rows) - 1, 1.0)]}
        for wire in need:
            rows.append(eye[place[wire]])
            outputs.setdefault(wire, []).append((len(rows) - 1, 1.0))
        out = np.zeros((len(need), len(rows)))
        for k, wire in enumerate(need):
            for unit, weight in outputs[wire]:
                out[k, unit] = weight
        layers = [(np.array(rows), [0] * len(rows)), (out, [0] * len(need))]
        stages.append(ReLUNetwork.from_layers(layers))
        need, comparators = before, comparators + len(alive)
    network = compose(*stages).restrict((0.0, math.inf))
    return record(network, comparators=comparators, rounds=len(stages))
