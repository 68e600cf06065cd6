"""The papers' learners: patch data, linear-separable data, A_delta, wide networks near their start.

One file a theorem's setting.
"""
