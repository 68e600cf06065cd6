"""Drawn and written: figures in two themes, pages that are one file, tables.

Measures nothing.
"""
