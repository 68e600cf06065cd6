"""Exact values and signs of a network at many rational points; `digits` has the arithmetic.

>>> from constructions.gadgets.approximation import squaring
>>> exact_values(squaring(3), [[0.0625], [Fraction(1, 3)]]).tolist()
[[Fraction(1, 128)], [Fraction(11, 96)]]
"""

from __future__ import annotations

from typing import Any

from ..basics.shapes import Signs, Values
from .network import ReLUNetwork, check_network


def exact_values(network: ReLUNetwork, x: Any) -> Values:
    """Evaluate a network in exact rational arithmetic, without rounding anywhere.

    `ReLUNetwork.exact` is this function.

    Args:
        network: a `ReLUNetwork`.
        x: Fractions, integers or floats (taken exactly), shape (..., inputs).

    Returns:
        f(x), an object array of Fractions, shape (..., outputs): exact.

    Raises:
        TypeError: for another kind of network or numbers.
        ValueError: for a wrong last axis, NaN, infinity, or a point outside the network's domain.

    Cost: batches of floats take microseconds a point for networks of hundreds of parameters; other
    rationals are put over one denominator a point.

    Source: the exact splitting of matrix products by Ozaki, Ogita, Oishi and Rump 2012.

    Example:
        >>> network = ReLUNetwork.from_layers([([[2.0**-80, 1.0]], [0.0])])
        >>> exact_values(network, [1.0, 3.0])[0] - 3 == Fraction(1, 2**80)
        True
    """
    check_network(network)
    return network.arithmetic.values(x)


def exact_signs(network: ReLUNetwork, x: Any) -> Signs:
    """Find the signs of a network's outputs in exact arithmetic, faster than the values.

    Args:
        network: a `ReLUNetwork`.
        x: points as for `exact_values`, shape (..., inputs).

    Returns:
        -1, 0 or 1 for each output, int8, shape (..., outputs): exact.

    Raises:
        TypeError: as `exact_values`.
        ValueError: as `exact_values`.

    Example:
        >>> from constructions import affine
        >>> exact_signs(
        ...     affine([[3.0, -1.0]]), [[Fraction(1, 3), 1], [0.1, 0.3], [0.0, 2.0**-1074]]
        ... ).tolist()
        [[0], [1], [-1]]
    """
    check_network(network)
    return network.arithmetic.signs(x)
