"""Linear regions, in floats that integers arbitrate: cells, pieces, level sets, restrictions.

Four ways to find them, one arithmetic.
"""
