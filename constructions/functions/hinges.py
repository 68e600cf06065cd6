"""Hinges c relu(h) that make up for the downward bends of a piecewise-linear function, so that it
becomes convex, and its affine maps then.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..networks.calculus import affine, delay, parallel
from ..networks.network import ReLUNetwork
from ..regions.counting import linear_regions
from ..regions.result import LinearRegions
from .alternating import Row


def bends(regions: LinearRegions) -> list[Row]:
    """The affine functions h whose relu(h) together make up for all downward bends."""
    box = regions.arrangement.lower, regions.arrangement.upper
    exact = (
        regions if regions.is_exact else linear_regions(regions.network, box, arithmetic="integers")
    )
    maps, points = exact.maps[:, 0], exact.points
    sharpest: dict[tuple[Fraction, ...], Row] = {}
    for i, j in exact.graph().edges:
        bend = (maps[i] - maps[j]).tolist()
        at = sum((a * x for a, x in zip(bend, points[i], strict=False)), bend[-1])
        if at < 0:  # f is the smaller of the two maps
            lead = next(v for v in bend if v)
            plane = tuple(v / lead for v in bend)
            other = sharpest.get(plane)
            if other is None or abs(lead) > abs(next(v for v in other if v)):
                sharpest[plane] = bend
    return list(sharpest.values())


def convex_maps(regions: LinearRegions, hinges: list[Row]) -> np.ndarray:
    """The different affine maps of f + sum relu(hinge) on the box, of which it is the maximum:
    Fractions, (K, n+1).
    """
    box = regions.arrangement.lower, regions.arrangement.upper
    both = regions.network
    if hinges:
        both = parallel(both, positive_parts(hinges))
    found = linear_regions(both, box)
    sums = (found.cell_maps.fractions(cell).sum(axis=0).tolist() for cell in range(found.cells))
    best: dict[tuple[Fraction, ...], Fraction] = {}
    for row in sums:
        slope = tuple(row[:-1])
        best[slope] = max(row[-1], best.get(slope, row[-1]))
    return np.array([[*slope, last] for slope, last in sorted(best.items())], dtype=object)


def positive_parts(rows: list[Row]) -> ReLUNetwork:
    """The positive parts of affine functions."""
    return delay(affine_parts(rows), 1, nonnegative=True)


def affine_parts(rows: list[Row]) -> ReLUNetwork:
    """Affine functions, by rows of weights and a constant."""
    return affine([row[:-1] for row in rows], [row[-1] for row in rows])
