"""Every continuous piecewise-linear function, as shallow as theory promises."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from ..basics.result import several
from ..gadgets.approximation import maximum
from ..linear.matrix import Constant
from ..networks.calculus import affine, compose, copies, delay, parallel
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record
from ..regions.result import LinearRegions
from .alternating import alternating_sum
from .hinges import affine_parts, bends, convex_maps, positive_parts


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
        >>> from constructions import linear_regions, squaring
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
    lower, upper = regions.arrangement.lower.tolist(), regions.arrangement.upper.tolist()
    box = np.array([[Fraction(v) for v in end] for end in (lower, upper)], dtype=object)
    hinges = bends(regions)
    maps = convex_maps(regions, hinges)
    signs, rank = alternating_sum(maps.tolist())
    linear = 0 * maps[0]  # what remains beside maxima and hinges
    terms = [(-1, compose(affine([[1] * len(hinges)]), positive_parts(hinges)))] if hinges else []
    for size, sign in sorted({(len(face), s) for face, s in signs.items()}, reverse=True):
        faces = maps[[f for f, s in signs.items() if (len(f), s) == (size, sign)]]
        above, base = _maxima(faces, box)
        linear = linear + sign * base
        terms += [(sign, above)] if size > 1 else []
    depth = max([term.size.depth for _, term in terms], default=0)
    trees = sum(term.size.units for _, term in terms)
    floor = _least(linear, box)
    terms.append((1, affine_parts([[*linear[:-1], linear[-1] - floor]])))
    carried = [delay(term, depth - term.size.depth, nonnegative=True) for _, term in terms]
    network = compose(affine([[sign for sign, _ in terms]], [floor]), parallel(*carried))
    if network.size.depth != depth:
        raise ValueError(
            "regions must have maps whose differences float64 holds: round the network's weights, "
            "such as to multiples of 2^-20"
        )
    counts = {"maxima": sum(len(face) > 1 for face in signs), "hinges": len(hinges), "rank": rank}
    counts |= {"trees": trees - len(hinges), "carried": network.size.units - trees}
    return record(network.restrict((min(lower), max(upper))), regions=regions.cells, **counts)


def _maxima(faces: np.ndarray, box: np.ndarray) -> tuple[ReLUNetwork, np.ndarray]:
    """The sum over faces of max - base, all >= 0 on the box, and the sum of the bases.

    A base is one of the functions if a tree over the differences' positive parts is as shallow
    (2^k + 1 functions); else a number below all of them.
    """
    count, size, _ = faces.shape
    if (size - 1) & (size - 2) == 0:
        bases, members, first = faces[:, -1], size - 1, positive_parts
    else:
        bases, members, first = 0 * faces[:, 0], size, affine_parts
        bases[:, -1] = _least(faces, box).min(1)
    if size == 1:
        return affine_parts(bases.tolist()), bases.sum(0)
    rows = (faces[:, :members] - bases[:, None]).reshape(count * members, -1)
    trees = copies(count, maximum(members))
    return compose(affine(Constant(1, count)), trees, first(rows.tolist())), bases.sum(0)


def _least(rows: np.ndarray, box: np.ndarray) -> Any:
    """The least values of affine functions on the box."""
    slopes = rows[..., :-1]
    return rows[..., -1] + np.minimum(slopes * box[0], slopes * box[1]).sum(-1)
