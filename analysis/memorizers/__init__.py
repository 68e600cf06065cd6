"""Proofs about small memorizers: the label on every ball, from a network's weights.

One file for each way of proving.
"""
