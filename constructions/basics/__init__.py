"""What everything stands on: float64's bits, files written whole, engines, balls of norms.

Knows no networks.
"""
