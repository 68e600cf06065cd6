# fmt: off
"""Units that read one input, exactly: the part of `check_trees.py` for bounds on l_2 balls. Standard library only.

A unit that reads one input x_j alone, through whatever layers, is a piecewise linear function of it: a curve, known by its
values at the ends of its pieces. A sum of curves, F_j(x_j) for each input, has on a box and a ball that cuts it
    sum_j F_j(x_j)  >=  sum_j min { F_j(x) + w (x - c_j)^2 : x in side j of the box } - w radius^2    for any weight w >= 0.
Multipliers, w are over 2^s, inputs over 2^g, values over 2^(g + scales of the layers up to theirs). Only minima are rounded."""
import itertools, math
from fractions import Fraction
LONG, MOST, EACH = 1 << 12, 1 << 19, 1 << 7  # most ends of a curve's pieces; most values, and more for each weight there is
def require(condition, reason):  # or reject
    if not condition:
        raise ValueError(reason)
def over(p, q):  # p / q, an integer if it is one
    return p // q if p % q == 0 else Fraction(p, q)
def along(factor, curve, places):  # factor times its values at ascending places, none outside
    ends, (b, v) = iter(curve), curve[0]
    for x in places:
        while b < x:
            (a, u), (b, v) = (b, v), next(ends)
        yield factor * (v if b == x else u + over((v - u) * (x - a), b - a))
def least(curve, weight, c):  # of a curve plus weight * (x - c)^2, rounded down
    found = [v + weight * (x - c) ** 2 for x, v in curve]
    for (a, u), (b, v) in itertools.pairwise(curve if weight else ()):
        p, q = v - u, 2 * weight * (b - a)  # on this piece it is least at c - p / q, if that is there
        if q * (a - c) < -p < q * (b - c):
            found.append(u + p * (2 * q * (c - a) - p) // (2 * q * (b - a)))
    return math.floor(min(found))
class Curves:  # of the units of a network that read one input, on a box
    def __init__(self, network, g, box, ball):
        self.network, self.g, self.known = network, g, {(-1, j): [(a, a), (b, b)] for j, (a, b) in enumerate(zip(*box))}
        self.ball, self.heaviest = ball or {"centre": box[0], "radius": 0}, math.inf if ball else 0  # weight
        self.left, self.bits = MOST + EACH * sum(len(row) for rows, _, _ in network.layers for row in rows), network.growth + g
        self.scales = [0, *itertools.accumulate([scale for _, _, scale in network.layers])]  # of what a layer reads
        self.reads = [[*range(network.inputs)]]  # of what a layer reads: the one input on which that depends, or None
        for rows, _, _ in network.layers[:-1]:
            seen = [{self.reads[-1][j] for j, _ in row} for row in rows]
            self.reads.append([inputs.pop() if len(inputs) == 1 else None for inputs in seen])
    def curve(self, layer, k):  # of max(0, z) of a unit of a layer, or of an input (layer -1): [(x, value), ...]
        if (layer, k) not in self.known:
            rows, bias, _ = self.network.layers[layer]
            z = self.total([(w, self.curve(layer - 1, j)) for j, w in rows[k]], bias[k] << self.g + self.scales[layer])
            zeros = [(a + over(u * (b - a), u - v), 0) for (a, u), (b, v) in itertools.pairwise(z) if u * v < 0]
            self.known[layer, k] = [(x, max(v, 0)) for x, v in sorted([*z, *zeros])]
        return self.known[layer, k]
    def total(self, terms, constant=0, weight=0):  # a constant and the sum of [(factor, curve), ...], as a curve
        places = sorted({x for _, curve in terms for x, _ in curve})
        bits = self.bits + max([v.bit_length() for v in (weight, *[r for r, _ in terms])])  # values of many count as several
        self.left -= len(places) * len(terms) * (1 + (bits >> 10) ** 2)
        require(len(places) <= LONG and self.left >= 0, "functions of one input have too many pieces, or sums too many")
        return [(x, sum(values, constant)) for x, *values in zip(places, *[along(r, curve, places) for r, curve in terms])]
    def sum(self, s, weight):  # an empty one
        return Sum(self, s, weight)
class Sum:  # of factors times curves, with a weight of the ball, all over 2^s
    def __init__(self, curves, s, weight):
        require(type(weight) is int and 0 <= weight <= curves.heaviest, "the weight of a ball must be an integer >= 0")
        self.curves, self.s, self.weight, self.terms = curves, s, weight, [[] for _ in curves.reads[0]]  # (factor, layer, unit)
    def rest(self, layer, form, named):  # a form of values of a layer without those that are taken: of one input, not named
        reads = self.curves.reads[layer + 1]
        taken = {k for k in form if k not in named and reads[k] is not None}
        _ = [self.terms[reads[k]].append((form[k], layer, k)) for k in taken if form[k]]
        return {k: r for k, r in form.items() if k not in taken}
    def least(self, form):  # of all that was taken and a form of the inputs, times 2^g
        curves, low = self.curves, 0
        depth = curves.scales[max([i for terms in self.terms for _, i, _ in terms], default=-1) + 2]
        weight, ups = self.weight << depth, [curves.g + depth - v for v in curves.scales]
        for j, (terms, c) in enumerate(zip(self.terms, curves.ball["centre"])):
            every = [(r << ups[i + 2], curves.curve(i, k)) for r, i, k in [*terms, (form.get(j, 0), -1, j)]]
            low += least(curves.total(every, 0, weight), weight, c)
        return low - weight * curves.ball["radius"] ** 2 >> self.s + curves.g + depth
