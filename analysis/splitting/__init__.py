"""Few inputs: boxes are split until zonotopes prove each of them.

Floats choose, the checker decides, box by box.
"""
