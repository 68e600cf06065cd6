"""Linear regions, in floats that integers arbitrate: cells, pieces, level sets, topology.

Four ways to find them, one arithmetic.
"""
