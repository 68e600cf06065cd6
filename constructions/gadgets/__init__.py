"""The papers' building blocks: squaring, multiplication, maxima, distances, indicators.

With the contracts that they keep.
"""
