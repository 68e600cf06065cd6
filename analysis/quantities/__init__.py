"""Numbers with their kind, statistics of them, and readers of what is measured.

What every measurement uses.
"""
