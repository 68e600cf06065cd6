"""Proofs from what a network is made of: memorization of all balls at once, exact sup errors.

No search.
"""
