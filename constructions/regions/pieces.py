"""Affine maps of a network on its activation cells, and the linear pieces that cells with the same
map make up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..basics.floats import UNIT_ROUNDOFF
from ..basics.shapes import AffineMaps
from .arrangement import CHUNK_BYTES, Arrangement
from .exact_points import IntegerLayer


class CellMaps:
    """The affine maps x -> A x + b of a network on cells, from their activation patterns (C,
    units).

    arrangement: all affine layers of the network, the output layer included. Maps are (C, outputs,
    d+1): A and, last, b.
    """

    def __init__(self, arrangement: Arrangement, patterns: np.ndarray) -> None:
        self.arrangement, self.patterns = arrangement, patterns
        self.found: dict[int, tuple[int, ...]] = {}

    @cached_property
    def layers(self) -> list[IntegerLayer]:
        """The affine layers in integers."""
        return [
            IntegerLayer(w, b)
            for w, b in zip(self.arrangement.weights, self.arrangement.biases, strict=True)
        ]

    def floats(self) -> AffineMaps:
        """The maps in float64."""
        return np.concatenate(
            [self._evaluate(part, False)[0] for part in self._parts(np.arange(len(self.patterns)))]
        )

    def exact(self, cells: np.ndarray) -> np.ndarray:
        """Those of the given cells (m,) whose float64 maps are free of rounding."""
        return np.concatenate([self._evaluate(part, True)[1] for part in self._parts(cells)])

    def _parts(self, cells: np.ndarray) -> list[np.ndarray]:
        size = max(16, CHUNK_BYTES // (8 * (self.arrangement.d + 1) * max(self.arrangement.widths)))
        return np.split(cells, range(size, len(cells), size))

    def _evaluate(self, cells: np.ndarray, exactly: bool) -> tuple[np.ndarray, np.ndarray]:
        """Maps of cells, and whether exact (only if asked for: costs ten times as much)."""
        a, d, pattern = self.arrangement, self.arrangement.d, self.patterns[cells]
        # of the inputs: coefficients, then constant
        forms = np.broadcast_to(np.eye(d + 1)[:, :d], (len(cells), d + 1, d))
        fine = np.full(forms.shape, exactly)
        for layer, width in enumerate(a.widths):
            count, n = len(cells) * (d + 1), forms.shape[2]
            rows = np.zeros((count, width), dtype=bool)
            if exactly:
                rows = a.exact_rows(layer, forms.reshape(count, n), fine.reshape(count, n))
            forms = forms @ a.weights[layer].T
            forms[:, d] += a.biases[layer]
            fine = rows.reshape(forms.shape)
            if layer + 1 < len(a.widths):
                active = pattern[:, None, a.starts[layer] : a.starts[layer] + width]
                forms, fine = forms * active, exactly & (fine | ~active)
        return forms.transpose(0, 2, 1) + 0.0, np.asarray(fine.all(axis=(1, 2)))  # no -0.0

    def noise(self) -> np.ndarray:
        """How far float maps may be from the true ones: (outputs, d+1)."""
        a = self.arrangement
        slope, magnitude = a.gamma * a.slopes[-1], a.gamma * a.magnitudes[-1]
        return np.concatenate([np.repeat(slope[:, None], a.d, axis=1), magnitude[:, None]], axis=1)

    def integers(self, cell: int) -> tuple[int, ...]:
        """A cell's map in integers, all cells' times the same power of two, output by output."""
        if cell not in self.found:
            a, d = self.arrangement, self.arrangement.d
            # a row each for the coefficients, and one for the constant
            inputs = np.zeros((d + 1, d + 1), dtype=object)
            inputs[np.arange(d + 1), np.arange(d + 1)] = 1
            for index, layer in enumerate(self.layers):
                forms = layer.apply(inputs)
                if index + 1 < len(self.layers):
                    forms[:, ~self.patterns[cell, a.starts[index] : a.starts[index + 1]]] = 0
                inputs = np.concatenate([forms, inputs[:, -1:] * layer.scale], axis=1)
            self.found[cell] = tuple(forms.T.ravel().tolist())
        return self.found[cell]

    def fractions(self, cell: int) -> np.ndarray:
        """A cell's map (outputs, d+1) in Fractions."""
        scale = math.prod(layer.scale for layer in self.layers)
        entries = [Fraction(v, scale) for v in self.integers(cell)]
        return np.array(entries, dtype=object).reshape(-1, self.arrangement.d + 1)


def merge(cells: CellMaps, pairs: np.ndarray, check: Callable[[], None]) -> tuple[np.ndarray, int]:
    """Linear pieces and distinct maps: each cell's piece (C,), numbered from 0, and the number of
    different affine maps.

    pairs (2, m): cells that share a facet. check is called now and then, and may raise. Floats tell
    maps apart; only integers, or floats free of rounding, make them equal.
    """
    count = len(cells.patterns)
    flat = cells.floats().reshape(count, -1)
    noise = 2 * cells.noise().ravel()
    pairs = pairs[:, ~(np.abs(flat[pairs[0]] - flat[pairs[1]]) > noise).any(axis=1)]
    i, j = pairs
    exact = np.zeros(count, dtype=bool)
    if pairs.size:
        close = np.unique(pairs)
        exact[close] = cells.exact(close)
    sure = exact[i] & exact[j]
    same = (flat[i] == flat[j]).all(axis=1) & sure
    piece = _components(pairs[:, same], count)
    open_ = np.flatnonzero(~sure & (piece[i] != piece[j]))
    equal = []
    for k in open_.tolist():
        check()
        if cells.integers(int(i[k])) == cells.integers(int(j[k])):
            equal.append(k)
    if equal:
        piece = _components(np.concatenate([pairs[:, same], pairs[:, equal]], axis=1), count)
    _, first = np.unique(piece, return_index=True)
    return piece, _distinct(cells, flat[first], exact[first], first, noise)


def _components(pairs: np.ndarray, count: int) -> np.ndarray:
    graph = coo_array(
        (np.ones(pairs.shape[1], dtype=bool), (pairs[0], pairs[1])), shape=(count, count)
    )
    return connected_components(graph, directed=False)[1]


def _distinct(
    cells: CellMaps, flat: np.ndarray, exact: np.ndarray, names: np.ndarray, noise: np.ndarray
) -> int:
    """The number of different rows, where rows that floats cannot tell apart are compared in
    integers.
    """
    direction = np.random.default_rng(0).normal(size=flat.shape[1])
    height = flat @ direction
    tolerance = np.abs(direction) @ (
        noise + 4 * flat.shape[1] * UNIT_ROUNDOFF * np.abs(flat).max(axis=0, initial=0.0)
    )
    order = np.argsort(height)
    total = 0
    for group in np.split(order, np.flatnonzero(np.diff(height[order]) > tolerance) + 1):
        if len(group) == 1:
            total += 1
        elif exact[group].all():
            total += len(np.unique(flat[group], axis=0))
        else:
            total += len({cells.integers(int(names[k])) for k in group})
    return total
