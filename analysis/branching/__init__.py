"""Branch and bound by linear bounds of many parts of a set at once.

Floats find a proof, the checker decides whether it is one.
"""
