"""`ReLUNetwork`: calculus, provenance, files, bounds, and exact values.

What holds for any network.
"""
