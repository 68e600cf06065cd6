"""Depth separation: how far small networks stay from the sawtooth, and exact L1 distances."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

from ..capacity.region_bounds import montufar_upper
from ..gadgets.approximation import check_depth
from ..networks.calculus import affine, compose, parallel
from ..networks.network import ReLUNetwork, breakpoints_1d, check_network


def sawtooth_bound(s: int, widths: Sequence[int]) -> Fraction:
    """Bound from below how far all networks of given widths are from `tooth(s)`, in L1 on [0,1].

    Such a network has at most P = prod (w_l + 1) linear pieces, and every function g with P pieces
    has

        integral over [0,1] of |tooth_s - g| >= 1/8 - (P + 1) / 2^(s+2).

    Proof: the graph of the tooth has 2^(s-1) - 1 disjoint pairs of neighbouring triangles of area
    2^-s / 4, one above and one below 1/2. If g - 1/2 has one sign on a pair, |tooth_s - g| has an
    integral of at least 2^-s / 4 there. It changes its sign at most P times, and each time spoils
    one pair. So depth s and 5 s parameters do what a network of L layers needs a width of about
    2^(s/L) for.

    Args:
        s: of the tooth, an integer from 1 on.
        widths: units of the hidden layers.

    Returns:
        A certified lower bound, an exact Fraction; 0 where the bound is not positive.

    Raises:
        ValueError: for s or widths that are not positive integers.

    Source: Telgarsky 2015 (Representation benefits of deep feedforward networks) counts
    alternations; the integral is this library's.

    Example:
        >>> sawtooth_bound(12, [8, 8]), sawtooth_bound(12, [100])
        (Fraction(983, 8192), Fraction(973, 8192))
    """
    check_depth("s", s)
    pieces = montufar_upper(widths, 1)
    return max(Fraction(0), Fraction(1, 8) - Fraction(pieces + 1, 2 ** (s + 2)))


def l1_distance(
    network: ReLUNetwork, other: ReLUNetwork, interval: tuple[float, float] = (0.0, 1.0)
) -> Fraction:
    """Compute the L1 distance of two networks of one number, exactly.

    The integral of |f - g| over the interval: f - g is linear between the points where a unit of
    either changes its sign.

    Args:
        network: f, one input and one output.
        other: g, likewise.
        interval: its ends.

    Returns:
        An exact Fraction.

    Raises:
        TypeError: for what are no networks.
        ValueError: for several inputs or outputs, and for an interval that has no length or leaves
            a domain.

    Cost: pieces times nonzero parameters, in rational arithmetic.

    Example:
        >>> from constructions import squaring, tooth
        >>> l1_distance(squaring(1), affine([[1.0]]))
        Fraction(1, 8)
        >>> l1_distance(tooth(5), affine([[0.0]], [0.5]))
        Fraction(1, 4)
    """
    check_network(network)
    check_network(other, "other")
    low, high = (Fraction(end) for end in interval)
    if not low < high:
        raise ValueError(f"interval must have its lower end first, got {interval}")
    difference = compose(affine([[1, -1]]), parallel(network, other))
    if difference.inputs != 1:
        raise ValueError(f"network must have one input, got {difference.inputs}")
    points = breakpoints_1d(difference.restrict(None), low, high)
    values = difference.exact([[x] for x in points])[:, 0].tolist()
    total = Fraction(0)
    for (a, u), (b, v) in itertools.pairwise(zip(points, values, strict=True)):
        # a trapezium, or two triangles
        whole = abs(u + v) if u * v >= 0 else (u * u + v * v) / abs(u - v)
        total += (b - a) * whole / 2
    return total
