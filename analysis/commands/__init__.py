"""The command line.

Reads options, calls the library, prints.
"""
