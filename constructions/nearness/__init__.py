"""Which points are near which: all pairs within a radius, and least distances between classes.

Certified, and for millions of pairs.
"""
