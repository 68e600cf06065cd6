"""Linear and affine maps: in the form that makes them small, by coordinates, on grids, in exact
digits.

Knows layers, no networks.
"""
