"""Search for proofs and counterexamples: bounds, branch and bound, distances to the decision
boundary.

The checkers have the last word.
"""
