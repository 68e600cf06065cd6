"""Every continuous piecewise-linear function, as shallow as theory promises."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..basics.result import several
from ..gadgets.approximation import maximum
from ..linear.matrix import Constant
from ..networks.calculus import affine, compose, copies, delay, parallel
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record
from ..regions.counting import linear_regions
from ..regions.result import LinearRegions
from .alternating import Row, alternating_sum


@implements(
    "Arora et al. 2018, Theorem 2.1; Wang and Sun 2005; terms: this library",
    "a continuous piecewise-linear function of n numbers is a network of depth ceil(log2(n + 1))",
    depth="Max(ceiling(log(rank + 1, 2)), Min(hinges, 1))",
    units="trees + hinges + carried",
)
def from_pieces(regions: LinearRegions) -> ReLUNetwork:
    """Build a network of least depth from the linear pieces of a function, such as a deep network.

    On the box of the regions it is the same function, exactly, in depth ceil(log2(n + 1)) for n
    inputs: one hidden layer for n = 1, two for n = 2 and 3.

    (1) For each hyperplane across which f bends downwards somewhere, a unit c relu(h) is added that
    makes up for the sharpest bend: g = f + sum c relu(h) is convex. (2) g is the maximum of its
    affine pieces; an alternating sum over the faces of a triangulation of their slopes
    (`functions.alternating`) has maxima of at most n + 1 of them. (3) Those maxima are trees.

    Provenance has the numbers of maxima of two functions or more, of units of their `trees`, of
    `hinges` of (1), of `carried` units that bring sums to the last layer, and the `rank` <= n, the
    dimension of what g's slopes span.

    Args:
        regions: what `linear_regions(network, box)` gives, complete, of one output.

    Returns:
        A `ReLUNetwork` R^n -> R with the box's least and largest coordinate as its domain; only on
        the box it is said to be f.

    Raises:
        ValueError: for several outputs, incomplete regions, and maps that float64 does not hold.
        TypeError: for what are no regions.

    Cost: the terms are as many as the interior faces of a triangulation of g's slopes: in the plane
    at most 6 for each slope. g has up to as many pieces as the hyperplanes of (1) and f's cells cut
    out together.

    Source: Arora, Basu, Mianjy and Mukherjee 2018, Theorem 2.1, who refer to Wang and Sun 2005
    (Generalization of hinging hyperplanes); the sum in place of their exponentially many terms is
    this library's, with its proof in `functions.alternating`.

    Example:
        >>> from constructions import squaring
        >>> shallow = from_pieces(linear_regions(squaring(4), (0, 1)))
        >>> shallow.size.depth, squaring(4).size.depth, shallow.size.units
        (1, 4, 16)
        >>> shallow([[0.375]]).item()
        0.140625
    """
    if not isinstance(regions, LinearRegions):
        raise TypeError(
            "regions must be what linear_regions gives: from_pieces(linear_regions(network, box)), "
            f"got {type(regions).__name__}"
        )
    if regions.network.outputs != 1:
        raise ValueError(
            f"regions must be of a network with one output, got {regions.network.outputs}: take "
            "those of one, as linear_regions(compose(affine([[1, 0]]), network), box) of the first "
            "of two"
        )
    if not regions.complete:
        raise ValueError(
            f"regions must be complete, but the {regions.stopped} ended them at "
            f"{several(regions.cells, 'cell')}: call linear_regions with larger limits (max_cells, "
            "max_seconds), or without"
        )
    box = regions.arrangement.lower, regions.arrangement.upper
    hinges = _hinges(regions)
    maps = _convex_maps(regions, hinges)
    signs, rank = alternating_sum(maps)
    linear = [Fraction(0)] * len(maps[0])  # what remains beside maxima and hinges
    terms = [(-1, compose(affine([[1] * len(hinges)]), _relu(hinges)))] if hinges else []
    for size, sign in sorted({(len(face), s) for face, s in signs.items()}, reverse=True):
        faces = [[maps[k] for k in f] for f, s in signs.items() if (len(f), s) == (size, sign)]
        above, bases = _maxima(faces, box)
        linear = [v + sign * w for v, w in zip(linear, bases, strict=True)]
        terms += [(sign, above)] if size > 1 else []
    depth = max([term.size.depth for _, term in terms], default=0)
    trees = sum(term.size.units for _, term in terms)
    floor = _least(linear, box)
    terms.append((1, _affine([[*linear[:-1], linear[-1] - floor]])))
    carried = [delay(term, depth - term.size.depth, nonnegative=True) for _, term in terms]
    network = compose(affine([[sign for sign, _ in terms]], [floor]), parallel(*carried))
    if network.size.depth != depth:
        raise ValueError(
            "regions must have maps whose differences float64 holds: round the network's weights, "
            "such as to multiples of 2^-20"
        )
    domain = float(box[0].min()), float(box[1].max())
    counts = {"maxima": sum(len(face) > 1 for face in signs), "hinges": len(hinges), "rank": rank}
    counts |= {"trees": trees - len(hinges), "carried": network.size.units - trees}
    return record(network.restrict(domain), regions=regions.cells, **counts)


def _maxima(faces: list[list[Row]], box: tuple[np.ndarray, np.ndarray]) -> tuple[ReLUNetwork, Row]:
    """The sum over faces of max - base, all >= 0 on the box, and the sum of the bases.

    A base is one of the functions if a tree over the differences' positive parts is as shallow
    (2^k + 1 functions); else a number below all of them.
    """
    size = len(faces[0])
    if (size - 1) & (size - 2) == 0:
        bases, members, first = [face[-1] for face in faces], size - 1, _relu
    else:
        zeros = [Fraction(0)] * (len(faces[0][0]) - 1)
        bases = [[*zeros, min(_least(row, box) for row in face)] for face in faces]
        members, first = size, _affine
    rows = [
        [v - w for v, w in zip(row, base, strict=True)]
        for face, base in zip(faces, bases, strict=True)
        for row in face[:members]
    ]
    total = [sum(column, Fraction(0)) for column in zip(*bases, strict=True)]
    if size == 1:
        return _affine(bases), total
    trees = copies(len(faces), maximum(members))
    return compose(affine(Constant(1, len(faces))), trees, first(rows)), total


def _relu(rows: list[Row]) -> ReLUNetwork:
    """The positive parts of affine functions."""
    return delay(_affine(rows), 1, nonnegative=True)


def _affine(rows: list[Row]) -> ReLUNetwork:
    return affine([row[:-1] for row in rows], [row[-1] for row in rows])


def _least(row: Row, box: tuple[np.ndarray, np.ndarray]) -> Fraction:
    """The least value of an affine function on the box."""
    ends = zip(row[:-1], box[0].tolist(), box[1].tolist(), strict=True)
    return row[-1] + sum(min(a * Fraction(u), a * Fraction(v)) for a, u, v in ends)


def _hinges(regions: LinearRegions) -> list[Row]:
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


def _convex_maps(regions: LinearRegions, hinges: list[Row]) -> list[Row]:
    """The different affine maps of f + sum relu(hinge) on the box."""
    box = regions.arrangement.lower, regions.arrangement.upper
    both = regions.network
    if hinges:
        both = parallel(both, _relu(hinges))
    found = linear_regions(both, box)
    sums = (found.cell_maps.fractions(cell).sum(axis=0).tolist() for cell in range(found.cells))
    best: dict[tuple[Fraction, ...], Fraction] = {}
    for row in sums:
        slope = tuple(row[:-1])
        best[slope] = max(row[-1], best.get(slope, row[-1]))
    return [[*slope, constant] for slope, constant in sorted(best.items())]
