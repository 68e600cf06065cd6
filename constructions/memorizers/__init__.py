"""Small memorizers: point labels, or labels of whole balls, by few parameters.

Each is verified on the points that it is built for, in exact arithmetic.
"""
