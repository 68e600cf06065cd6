"""What networks of a size can do: VC bounds, packings, shattered sets, numbers of regions.

The papers' lower bounds.
"""
