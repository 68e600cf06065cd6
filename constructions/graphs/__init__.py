"""Piecewise-linear functions as graphs of affine maps and ReLUs, and modules read as such.

A graph becomes a chain of layers that computes it exactly, or says by how much not.
"""
