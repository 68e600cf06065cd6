"""What everything stands on: float64's bits, files written whole, engines that run shards, balls of
norms.

Knows no networks.
"""
