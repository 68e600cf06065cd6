"""Branch and bound in float64, for one network, set and label: what finds proofs and refutations.

Nothing here is relied upon: it writes certificates, and the checkers judge them.
"""
