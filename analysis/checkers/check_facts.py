# fmt: off
"""Facts of nodes: the part of `check_trees.py` for bounds of units where the goal is less than a bound. Integers, in numpy.

For every weight 2^e there are, at such points of a part, for a unit's z and sign 1 or -1,
    sign * z  >=  (sign * z + 2^e * goal) - 2^e * bound,
and below it what lines give, layer by layer: h = max(0, z) has  c z <= h <= C z + O  for any c in [0, 1] (a target's slopes,
over 16) and the chord C, O of z's bounds. Multiples D of z of first-layer units are taken off where D z >= 0 on the part,
as after splits: half-spaces of inputs. Numbers are over powers of 2, rounded to the side that makes bounds worse: Python's
integers, and in arrays integers that float64 holds exactly, as it does all sums in products of matrices."""
import math
import numpy as np
SCALE, LONG, CUT, SLOPE, CHORD = 1 << 13, 52, 28, 4, 24  # most bits of: scales; rows; forms; a target's slopes; chords
HALF, SUM, MOVED = 16, 37, 48  # of half a factor; of a sum of rows; of what half-spaces take off a form
def require(condition, reason):  # or reject
    if not condition:
        raise ValueError(reason)
def shift(value, up):  # times 2^up, rounded down
    return value << up if up >= 0 else value >> -up
def cut(values, bits):  # integers over 2^t, rounded down to no more bits; t
    t = max(0, max(map(abs, values), default=0).bit_length() - bits)
    return np.array([float(v >> t) for v in values]), t
def shifted(rows, ups):  # rows times 2^up, rounded down; 2^-900 is as good as less
    return np.floor(np.ldexp(rows, np.maximum(ups, -900)[:, None]))
def product(forms, rows):  # of matrices of integers, as a 2^HALF + b: no sum exceeds 2^53, so float64 holds them all
    longest, most = np.abs(forms).max(initial=0), np.abs(rows).max(initial=0) * len(rows)
    require(longest <= 1 << 2 * HALF and most <= 1 << SUM, "numbers are too long for facts")
    top = np.floor(forms / (1 << HALF))
    return top @ rows, (forms - top * (1 << HALF)) @ rows
def whole(top, rest):  # a product with a column, as Python's integers
    return [(int(a) << HALF) + int(b) for a, b in zip(top.tolist(), rest.tolist())]
class Facts:  # of a query: its targets (unit, sign, row and its scale, slopes of the layers below), and what recurs
    def __init__(self, root, targets):
        self.network, self.g, self.ball, self.layers, self.targets = root.network, root.g, root.ball, {}, []
        self.box, self.least = root.box, sum([min(v, 0) for v in root.box[0]])  # of sums of inputs, with any weights in [0, 1]
        self.widths = [self.network.inputs, *[len(rows) for rows, _, _ in self.network.layers]]
        self.ends, self.up = cut([*root.box[0], *[-v for v in root.box[1]]], SUM - (2 * self.widths[0]).bit_length())
        require(len(targets) * max(self.widths) <= 1 << 25, "there are too many targets")
        for k, sign, slopes in targets:
            require({*map(type, (k, sign, *slopes))} == {int} and sign in (-1, 1), "a target is not of integers")
            require({*slopes} <= {*range(17)} and 0 <= k < self.network.units, "no such unit, or a slope that is not in [0, 1]")
            require(len(slopes) == self.network.starts[i := self.layer(k)], "a target has a slope too few or too many")
            row = dict(self.network.layers[i][0][k - self.network.starts[i]])
            row, t = cut([sign * row.get(j, 0) for j in range(self.widths[i])], LONG)
            self.targets.append((k, sign, row, t, np.array(slopes, float) * (1 << CHORD - SLOPE)))
    def layer(self, unit):  # the hidden layer of a unit
        return max([n for n, start in enumerate(self.network.starts[:-2]) if start <= unit])
    def dense(self, layer):  # a layer's rows with biases, over 2^(scale - t), rounded down; t
        if layer not in self.layers:
            rows, bias, _ = self.network.layers[layer]
            require(len(rows) * self.widths[layer] < 1 << 26, "a layer is too large for facts")
            every = np.zeros((len(rows), self.widths[layer] + 1), object)
            for row, into, b in zip(rows, every, bias):
                into[[j for j, _ in row] + [-1]] = [w for _, w in row] + [b]
            values, t = cut(every.ravel().tolist(), SUM - len(rows).bit_length())
            self.layers[layer] = values.reshape(every.shape), t
        return self.layers[layer]
    def lines(self, part, layer):  # of units: chords C and C z - h >= -O 2^t, both over 2^CHORD; t; is z's sign known, so that
        start, stop = self.network.starts[layer : layer + 2]  # h = C z; and the least of sums of z with any weights in [0, 1]
        ends = [*zip(part.low[start:stop], part.high[start:stop])]
        chords = [1 << CHORD if a >= 0 else (b << CHORD) // (b - a) if b > 0 else 0 for a, b in ends]
        under = [min(c * a, c * b - (b << CHORD)) if a < 0 < b else 0 for c, (a, b) in zip(chords, ends)]
        under, t = cut(under, SUM - len(ends).bit_length())
        return np.array(chords, float), -under, t, np.array([not a < 0 < b for a, b in ends]), sum([min(a, 0) for a, _ in ends])
    def below(self, part, layer, forms, sums, s, slopes, halves):  # sums + forms of what is below a layer, over 2^s, >= what
        for i in range(layer - 1, -1, -1):  # is returned; h >= 0, so forms may be rounded down
            chords, offsets, up, known, least = self.lines(part, i)
            (rows, t), scale = self.dense(i), self.network.layers[i][2]
            below = slopes[:, self.network.starts[i] :][:, : len(known)]
            factors = np.where((forms < 0) | known, chords, below) * forms / (1 << CHORD - SLOPE)
            factors = np.floor(factors)  # over 2^(s + SLOPE); each loses less than 1 z
            offset, (top, rest) = whole(*product(np.minimum(forms, 0), offsets)), product(factors, rows)
            sums = [(p << SLOPE) + (v << up >> CHORD - SLOPE) + least << scale for p, v in zip(sums, offset)]
            if t:  # what rows have lost
                size = (1 << self.g) + sum([max(abs(a), abs(b)) for a, b in zip(*self.reads(part, i))])
                lost = whole(*product(np.abs(factors), np.ones(len(known))))  # .sum() may exceed 2^53
                sums = [p - (v * size << t) for p, v in zip(sums, lost)]
            downs = np.frexp((np.abs(top) * (1 << HALF) + np.abs(rest))[:, :-1].max(axis=1))[1] - CUT + 1
            forms = shifted(top[:, :-1], HALF - downs) + shifted(rest[:, :-1], -downs)  # each loses less than 2
            bias = [v << t + self.g for v in whole(top[:, -1], rest[:, -1])]
            sums = [shift(p + b, -t - k) + (0 if i else 2 * self.least) for p, b, k in zip(sums, bias, downs.tolist())]
            s = s + SLOPE + scale - t - downs
        forms, sums = self.less(part, forms, sums, s, *halves) if halves else (forms, sums)
        return [shift(p + v, -k) for p, v, k in zip(sums, self.corners(part, forms), s.tolist())]
    def less(self, part, forms, sums, s, fine, units, numbers):  # sums and forms of inputs, over 2^s, less numbers * z
        require({*map(type, (fine, *units, *[v for row in numbers for v in row]))} == {int}, "half-spaces must be integers")
        require(abs(fine) <= SCALE and {*map(len, numbers)} == {len({*units})} == {len(units)}, "half-spaces do not fit")
        require(units and len(numbers) == len(forms) and {*units} <= {*range(self.network.starts[1])}, "no such half-spaces")
        ((rows, t), scale), taken = (self.dense(0), self.network.layers[0][2]), np.array(numbers, float)
        on, off = np.array([part.low[k] >= 0 for k in units]), np.array([part.high[k] <= 0 for k in units])
        require(((on | (taken <= 0)) & (off | (taken >= 0))).all(), "a multiple of z may be negative")
        (top, rest), ups = product(-taken, rows[list(units)]), s - (fine + scale - t)
        require(ups.max() <= 1 << 9, "half-spaces are too coarse")
        moved = np.array([shifted(top, HALF + ups), shifted(rest, ups)])[:, :, :-1]  # each loses less than 1
        require(np.abs(moved).max() < 1 << MOVED, "half-spaces are too large")
        lost = (1 << self.g) + sum([max(abs(a), abs(b)) for a, b in zip(*self.box)]) if t else 0  # of rows, at most
        ends = [(v << self.g) - sum(map(abs, row)) * lost for v, row in zip(whole(top[:, -1], rest[:, -1]), numbers)]
        return forms + moved.sum(axis=0), [p + shift(v, up) + 2 * self.least for p, v, up in zip(sums, ends, ups.tolist())]
    def reads(self, part, layer):  # bounds of what a layer reads
        start, stop = self.network.starts[max(0, layer - 1)], self.network.starts[layer]
        return [[max(v, 0) for v in side[start:stop]] for side in (part.low, part.high)] if layer else self.box
    def corners(self, part, forms):  # the least values of forms of the inputs, times 2^g, or less
        if self.ball:
            return [part.ends(dict(enumerate(map(int, form)))) for form in forms.tolist()]
        sides = np.concatenate([np.maximum(forms, 0), -np.minimum(forms, 0)], axis=1)
        return [v << self.up for v in whole(*product(sides, self.ends))]
    def learn(self, part, goal, bound, chosen, powers, multipliers, halves=()):  # better bounds of targets, all in one layer
        require({*map(type, (*chosen, *powers))} == {int} and all(abs(e) <= SCALE for e in powers), "facts must be integers")
        require(len({*chosen}) == len(chosen) == len(powers), "a target is named twice, or without a power")
        require(all(0 <= n < len(self.targets) for n in chosen), "no such target")
        i = self.layer(self.targets[chosen[0]][0])
        (_, bias, scale), (start, stop) = self.network.layers[i], self.network.starts[i : i + 2]
        units, signs, rows, downs, slopes = zip(*[self.targets[n] for n in chosen])
        require(all(start <= k < stop for k in units), "a fact is about units of two layers")
        total, z, s = part.carry(goal, i, multipliers)
        above, own = total - math.ceil(bound * 2**self.g), sum([v * bias[j] for j, v in z.items()]) << self.g
        form = self.network.combine(i, z)
        form, t = cut([form.get(j, 0) for j in range(self.widths[i])], LONG)
        terms = [(form[None], np.array(powers) + t - s), (np.array(rows), np.array(downs))]  # over 2^(scale - e), for e in each
        sizes = [np.where(v.any(axis=1), np.frexp(np.abs(v).max(axis=1))[1] + e, -4 * SCALE) for v, e in terms]
        ups = CUT - 1 - np.maximum(*sizes)
        forms = sum([shifted(v, e + ups) for v, e in terms])  # over 2^(scale + up); each loses less than 4
        ends = [shift(sign * bias[k - start], up + self.g) for k, sign, up in zip(units, signs, ups.tolist())]
        sums = [shift(own, e + up - s) + b + (0 if i else 4 * self.least) for e, up, b in zip(powers, ups.tolist(), ends)]
        found = self.below(part, i, forms, sums, scale + ups, np.array(slopes), halves)
        for k, sign, e, value in zip(units, signs, powers, found):
            bounds, better = (part.low, max) if sign > 0 else (part.high, min)
            bounds[k] = better(bounds[k], sign * (shift(above, e) + value))
