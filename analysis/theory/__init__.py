"""The papers' quantities along training: features, separable data, A_delta, kernels, bounds.

One file a subject.
"""
