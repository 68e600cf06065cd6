"""Exact values and signs of a network at many rational points; `digits` has the arithmetic.

>>> from constructions.gadgets.approximation import squaring
>>> exact_values(squaring(3), [[0.0625], [Fraction(1, 3)]]).tolist()
[[Fraction(1, 128)], [Fraction(11, 96)]]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .network import ReLUNetwork, check_network


def exact_values(network: ReLUNetwork, x: Any) -> np.ndarray:
    """f(x) in exact rational arithmetic, without rounding anywhere; `ReLUNetwork.exact` is this
    function.

    x: Fractions, integers or floats (taken exactly), shape (..., inputs). Returns an object array
    of Fractions, shape (..., outputs). Batches of floats cost microseconds a point for networks of
    hundreds of parameters; other rationals are put over one denominator a point. Raises TypeError
    for another kind of network or numbers; ValueError for a wrong last axis, NaN, infinity, or a
    point outside the network's domain. Source: the exact splitting of matrix products by Ozaki,
    Ogita, Oishi and Rump 2012.

    >>> network = ReLUNetwork.from_layers([([[2.0**-80, 1.0]], [0.0])])
    >>> exact_values(network, [1.0, 3.0])[0] - 3 == Fraction(1, 2**80)
    True
    """
    check_network(network)
    return network.arithmetic.values(x)


def exact_signs(network: ReLUNetwork, x: Any) -> np.ndarray:
    """The signs -1, 0, 1 of all outputs in exact arithmetic, as int8 of shape (..., outputs);
    faster than the values.

    x and errors as for `exact_values`.

    >>> from constructions import affine
    >>> exact_signs(
    ...     affine([[3.0, -1.0]]), [[Fraction(1, 3), 1], [0.1, 0.3], [0.0, 2.0**-1074]]
    ... ).tolist()
    [[0], [1], [-1]]
    """
    check_network(network)
    return network.arithmetic.signs(x)
