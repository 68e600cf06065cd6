"""Bits of float64: lowest bits, powers of two, and tensors on memory that is shared."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch

UNIT_ROUNDOFF = 2.0**-53

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


def products_hold(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether every product of a number of a and one of b is a float64.

    >>> (
    ...     products_hold(np.array([3.0]), np.array([0.5, 7.0])),
    ...     products_hold(np.array([1 + 2.0**-52]), np.array([1 + 2.0**-52])),
    ... )
    (True, False)
    """
    first, second = (
        np.abs(part[part != 0])
        for part in (np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    )
    moderate = all(
        len(part) == 0 or (part.min() > 2.0**-450 and part.max() < 2.0**500)
        for part in (first, second)
    )
    if moderate and any((np.frexp(part)[0] == 0.5).all() for part in (first, second)):
        return True  # powers of two only shift
    first, second = np.unique(first), np.unique(second)
    with np.errstate(over="ignore", under="ignore"):
        products = np.multiply.outer(first, second)
    exact = lowest_bit(products) == np.add.outer(lowest_bit(first), lowest_bit(second))
    return bool(np.isfinite(products).all() and exact.all())


def power_of_two(value: float, name: str) -> float:
    """The least power of two >= value. Raises ValueError, naming the argument, unless 2^-200 <=
    value <= 2^200.
    """
    if not 2.0**-200 <= value <= 2.0**200:
        raise ValueError(f"{name} must lie between 2^-200 and 2^200, got {value}")
    mantissa, exponent = math.frexp(value)
    return math.ldexp(1.0, exponent - 1 if mantissa == 0.5 else exponent)


def from_shared(array: np.ndarray) -> torch.Tensor:
    """Make a tensor on an array's memory, which nobody may change: other processes may share it.

    Args:
        array: of numbers that torch has.

    Returns:
        A tensor; a copy where torch does not take the strides or the byte order.

    Example:
        >>> from_shared(np.array([1.0, 2.0])[::-1])
        tensor([2., 1.], dtype=torch.float64)
    """
    if not array.dtype.isnative or any(s < 0 or s % array.itemsize for s in array.strides):
        array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
