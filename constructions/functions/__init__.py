"""Classics of expressivity: functions that networks hold exactly, or to within a proved error.

Continuous piecewise-linear functions first; then what is made of them.
"""
