"""Search for proofs and counterexamples: bounds, branch and bound, decision boundaries.

The checkers have the last word.
"""
