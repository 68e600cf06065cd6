"""Verdicts on margins, properties and boundaries, each with a certificate.

The checkers have the last word.
"""
