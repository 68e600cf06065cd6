"""Standalone programs that check certificates: to be read whole, and run without this library.

They import nothing of it.
"""
