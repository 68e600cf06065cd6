"""The last layer of a network with two inputs, without its vertices: chords of the cells before it,
and their crossings.

A unit cuts a convex cell along at most one chord. In general position, k chords with x crossings
cut a cell into 1 + k + x. So the work grows with the chords and the pairs of chords in a cell, not
with units times edges: what wide networks need.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..basics.floats import UNIT_ROUNDOFF
from .skeleton import Degenerate, Skeleton

PAIRS = 2**17
"""Pairs of chords that are looked at at once."""


@dataclass(frozen=True)
class Ends:
    """Points at which units vanish on edges: edge and unit of each, place t in (0, 1) along the
    edge, and its error.
    """

    edge: np.ndarray
    unit: np.ndarray
    place: np.ndarray
    error: np.ndarray


def count_last_layer(skeleton: Skeleton, layer: int) -> list[int]:
    """Vertices, edges and cells after the last layer; `skeleton` has all layers before it, and has
    begun this one.

    Raises `Degenerate` where two ends or two crossings may coincide.
    """
    vertices, edges, cells = skeleton.counts()
    ends = _ends(skeleton, layer)
    cell, first, second = _chords(skeleton, ends, cells)
    crossings = 0
    for a, b in _pairs(cell):
        cross = _side(skeleton, ends, first[a], second[a], first[b]) != _side(
            skeleton, ends, first[a], second[a], second[b]
        )
        crossings += int(np.count_nonzero(cross))
        _check_crossings(skeleton, layer, ends, first, second, a[cross], b[cross])
    chords = len(cell)
    return [
        vertices + len(ends.edge) + crossings,
        edges + len(ends.edge) + chords + 2 * crossings,
        cells + chords + crossings,
    ]


def _ends(skeleton: Skeleton, layer: int) -> Ends:
    """Where units of the layer vanish on edges."""
    start, stop = skeleton.edges.view
    found = [np.flatnonzero(row.take(start) != row.take(stop)) for row in skeleton.positive.view]
    unit = np.repeat(np.arange(len(found)), [len(edges) for edges in found])
    edge = np.concatenate([np.empty(0, dtype=np.intp), *found])
    u, w = start[edge], stop[edge]
    place, error = _zero(*_value(skeleton, layer, u, unit), *_value(skeleton, layer, w, unit))
    return Ends(edge, unit, place, error)


def _value(
    skeleton: Skeleton, layer: int, vertex: np.ndarray, unit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pre-activations at vertices, and how far off they may be."""
    a = skeleton.arrangement
    error = (
        a.gamma * a.magnitudes[layer][unit] + a.slopes[layer][unit] * skeleton.radius.data[vertex]
    )
    return skeleton.values.data[vertex, unit], error


def _zero(
    zu: np.ndarray, eu: np.ndarray, zw: np.ndarray, ew: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where between 0 and 1 an affine function with values zu, zw of opposite signs (errors eu, ew)
    vanishes, and the error.
    """
    zu, zw = np.abs(zu), np.abs(zw)
    total = zu + zw
    left = total - eu - ew
    if not (left > 0).all():
        raise Degenerate("a unit may be level on an edge")
    place = zu / total
    return place, (eu / left * (zw / total) + ew / left * (zu / total)) * (
        1 + 1e-9
    ) + 8 * UNIT_ROUNDOFF


def _chords(
    skeleton: Skeleton, ends: Ends, cells: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each chord's cell, and its two ends; ordered by cell."""
    hashes, span = skeleton.hashes.view, skeleton.spans.view[0]
    keys = skeleton.keys[span]
    # a side of the box has one cell, all others have two
    inner = np.flatnonzero(span >= 2 * skeleton.d)
    names, numbers = np.unique(
        np.concatenate([hashes + keys, hashes[inner] - keys[inner]]), return_inverse=True
    )
    if len(names) != cells:
        raise Degenerate("a cell must have a hash of its own")
    right = np.full(skeleton.edges.n, -1)
    left, right[inner] = numbers[: skeleton.edges.n], numbers[skeleton.edges.n :]
    both = np.flatnonzero(right[ends.edge] >= 0)
    cell = np.concatenate([left[ends.edge], right[ends.edge[both]]])
    end = np.concatenate([np.arange(len(ends.edge)), both])
    units = len(skeleton.positive.view)
    key = cell * np.int64(max(units, 1)) + ends.unit[end]
    order = np.argsort(key, kind="stable")
    key, end = key[order], end[order]
    if len(key) % 2 or (key[0::2] != key[1::2]).any() or (key[1:-1:2] == key[2::2]).any():
        raise Degenerate("a unit must cut a cell's border twice")
    return cell[order][0::2], end[0::2], end[1::2]


def _pairs(cell: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All pairs (a, b) of chords in one cell, in parts."""
    last = np.searchsorted(cell, cell, side="right")
    partners = last - np.arange(len(cell)) - 1
    total = np.cumsum(partners)
    start = 0
    while start < len(cell):
        before = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, before + PAIRS, side="right")))
        number = partners[start:stop]
        a = np.repeat(np.arange(start, stop), number)
        b = a + 1 + np.arange(len(a)) - np.repeat(np.cumsum(number) - number, number)
        yield a, b
        start = stop


def _side(
    skeleton: Skeleton, ends: Ends, first: np.ndarray, second: np.ndarray, other: np.ndarray
) -> np.ndarray:
    """Whether chords' units, given by their two ends each, are positive at other ends on the same
    cells.
    """
    edge = ends.edge[other]
    at_first, at_second = ends.edge[first] == edge, ends.edge[second] == edge
    out = skeleton.positive.data[ends.unit[first], skeleton.edges.data[0, edge]]
    shared = np.flatnonzero(at_first | at_second)  # both vanish on one edge: which does so first?
    own = np.where(at_first[shared], first[shared], second[shared])
    gap = ends.place[other[shared]] - ends.place[own]
    if not (np.abs(gap) > ends.error[other[shared]] + ends.error[own]).all():
        raise Degenerate("two units may vanish at a point of an edge")
    out[shared] ^= gap > 0
    return out


def _check_crossings(
    skeleton: Skeleton,
    layer: int,
    ends: Ends,
    first: np.ndarray,
    second: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
) -> None:
    """No two crossings on one chord may coincide: as (a, b) are all pairs with a < b, check on a;
    then three cannot meet.
    """
    unit = ends.unit[first[b]]
    place, error = _zero(
        *_between(skeleton, layer, ends, first[a], unit),
        *_between(skeleton, layer, ends, second[a], unit),
    )
    order = np.lexsort((place, a))
    same = a[order][1:] == a[order][:-1]
    gap = place[order][1:] - place[order][:-1]
    worst = np.zeros(int(a.max()) + 1 if len(a) else 0)
    np.maximum.at(worst, a, error)
    if not (gap[same] > 2 * worst[a[order][1:][same]]).all():
        raise Degenerate("three units may vanish at one point")


def _between(
    skeleton: Skeleton, layer: int, ends: Ends, end: np.ndarray, unit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pre-activations of units at ends, between those at the edge's two vertices, and how far off
    they may be.
    """
    u, w = skeleton.edges.data[:, ends.edge[end]]
    (zu, eu), (zw, ew) = _value(skeleton, layer, u, unit), _value(skeleton, layer, w, unit)
    rise = zw - zu
    error = (
        np.maximum(eu, ew)
        + ends.error[end] * (np.abs(rise) + eu + ew)
        + 4 * UNIT_ROUNDOFF * (np.abs(zu) + np.abs(zw))
    )
    return zu + ends.place[end] * rise, error
