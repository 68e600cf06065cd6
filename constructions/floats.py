"""What float64 numbers are made of."""

from __future__ import annotations

import numpy as np

FAR = 10_000
"""Stands for the lowest bit of zero."""


def lowest_bit(x: np.ndarray) -> np.ndarray:
    """The exponent q of the lowest set bit: x is an odd multiple of 2^q (`FAR` for zeros).

    >>> lowest_bit(np.array([0.75, 6.0, -1.0, 0.0])).tolist()
    [-2, 1, 0, 10000]
    """
    mantissa, exponent = np.frexp(x)
    integer = np.abs(np.ldexp(mantissa, 53)).astype(np.int64)
    low = integer & -integer
    shift = np.frexp(low.astype(np.float64))[1] - 1
    return np.where(integer == 0, FAR, exponent - 53 + shift)
