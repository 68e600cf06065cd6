"""What networks of a size can do: VC bounds, packings, shattered sets, interpolation, numbers of
regions.

The papers' lower bounds.
"""
