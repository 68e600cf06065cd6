"""The papers' quantities along training: feature learning, separable data, A_delta's errors,
kernels, bounds.

One file a subject.
"""
