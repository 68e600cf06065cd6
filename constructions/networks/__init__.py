"""`ReLUNetwork`: its calculus, provenance, files, bounds, and exact values; and modules read as
networks.

What holds for any network.
"""
