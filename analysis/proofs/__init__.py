"""Proofs from what a network is made of: f_S and f_adv on all training balls, exact sup errors.

No search.
"""
