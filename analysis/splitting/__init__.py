"""Few inputs: boxes are cut until zonotopes prove each of them.

Floats choose, the checker decides, box by box.
"""
