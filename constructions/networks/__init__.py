"""`ReLUNetwork`: calculus, provenance, files, bounds, exact values; modules read as networks.

What holds for any network.
"""
