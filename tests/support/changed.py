"""Matrices with one number changed."""

from constructions import Integers
from constructions.linear.matrix import integers


def with_entry(matrix, index, by):
    """A matrix with one nonzero number changed, in integers."""
    held = integers(matrix)
    values = list(held.values)
    values[index] += by
    return Integers(held.size, held.rows, held.columns, values, held.exponent)
