"""Linear and affine maps: as small as they can be kept, by coordinates, in exact digits.

Knows layers, no networks.
"""
