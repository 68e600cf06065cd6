"""Arguments for the constructions of `constructions/functions`, generic: no weight vanishes by
accident.
"""

from fractions import Fraction

from constructions import linear_regions, squaring, tooth

CASES = {
    "piecewise_linear": [
        {"knots": [0.5, 1], "values": [1, 3]},
        {"knots": [-1, 1, 3, 3.5, 4], "values": [2, -4, 1, 1, 2]},
        {"knots": [-3, -2, -1, 1], "values": [1, 2, 3, Fraction(1, 2)]},
    ],
    "shallow_maximum": [{"n": 5}, {"n": 6}],
    "folding": [{"widths": [5, 4], "d": 2}, {"widths": [3, 2, 4], "d": 1}],
    "sorting": [{"n": n} for n in (2, 3, 5, 8)],
    "kth_largest": [{"n": 3, "k": 2}, {"n": 4, "k": 1}],
    "lookup": [{"table": [[0, 1], [2, -3]]}, {"table": [1, 2, 3, 4, 5, 6, 7, 8]}],
    "parity": [{"d": d} for d in (2, 3, 5, 8)],
    "narrow_maximum": [
        {"maps": [[1, 2], [3, 1]]},
        {"maps": [[1, 8, 3], [5, 2, 1], [2, 6, 7], [7, 3, 2]]},
    ],
    "digit_table": [{"bits": [[1, 0], [0, 1]]}, {"bits": [[1, 0, 1], [0, 0, 1], [1, 1, 0]]}],
    "multiplication_tree": [{"n": n, "m": 2} for n in (2, 3, 5)],
    "polynomial": [{"terms": {(2, 1): 0.5, (0, 0): 1, (1, 0): 3, (3, 0): -2}, "m": 2}],
    "kuhn_interpolant": [{"values": [1, 2, 4]}, {"values": [[1, 2, 3], [4, 5, 6], [7, 8, 9]]}],
    "mcshane": [
        {"points": [[0.25, 0.5], [0.75, 0.5]], "values": [1, -1]},
        {"points": [[0.25, 0.5], [0.3125, 0.4375], [1, 0.75]], "values": [1, 0.1875, 3]},
        {"points": [[0.25, 0.5, 0], [0.75, 0.5, 0.5], [1, 0, 0.125]], "values": [1, -1, 2]},
    ],
    "taylor_patches": [
        {"taylor": {(0, 1): {(0, 0): 0.5, (1, 0): 0.25}, (1, 1): {(1, 1): 1}}, "N": 1, "m": 1}
    ],
    "from_pieces": [
        {"regions": linear_regions(network, box)}
        for network, box in ((squaring(3), (0, 1)), (tooth(3), (0, 1)), (squaring(2), (0, 0.25)))
    ],
}
"""By function, the arguments of some calls."""
