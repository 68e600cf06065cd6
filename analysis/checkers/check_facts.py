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
def shift(values, ups):  # times 2^up each, rounded down
    most = max(0, -min(ups))
    return [v << up + most >> most for v, up in zip(values, ups)]
def cut(values, bits):  # integers over 2^t, rounded down to no more bits; t
    t = max(0, max(map(abs, values), default=0).bit_length() - bits)
    return np.array([float(v >> t) for v in values]), t
def shifted(rows, ups):  # rows times 2^up, rounded down; 2^-900 is as good as less, and rows that go up by 2^900 are of 0
    moved = rows * np.ldexp(1.0, np.clip(ups, -900, 900))[:, None]
    return np.floor(moved, out=moved)
def product(forms, rows):  # of matrices of integers, as a 2^HALF + b: no sum exceeds 2^53, so float64 holds them all
    longest, most = np.maximum(forms.max(initial=0), -forms.min(initial=0)), np.abs(rows).max(initial=0) * len(rows)
    require(longest <= 1 << 2 * HALF and most <= 1 << SUM, "numbers are too long for facts")
    if longest <= 1 << HALF:
        return np.zeros(forms.shape[:1] + rows.shape[1:]), forms @ rows
    top = np.floor(forms * 2.0**-HALF)
    return top @ rows, (forms - top * (1 << HALF)) @ rows
def whole(top, rest):  # a product with a column, as Python's integers
    return [(a << HALF) + b for a, b in zip(top.astype(np.int64).tolist(), rest.astype(np.int64).tolist())]
class Facts:  # of a query: its targets (unit, sign, layer, place among that layer's), and what recurs
    def __init__(self, root, targets):
        self.network, self.g, self.ball, self.layers, self.targets = root.network, root.g, root.ball, {}, []
        self.box, self.least = root.box, sum([min(v, 0) for v in root.box[0]])  # of sums of inputs, with any weights in [0, 1]
        self.widths = [self.network.inputs, *[len(rows) for rows, _, _ in self.network.layers]]
        self.most = (1 << self.g) + sum([max(abs(a), abs(b)) for a, b in zip(*root.box)])  # of bias and inputs
        self.ends, self.up = cut([*root.box[0], *[-v for v in root.box[1]]], SUM - (2 * self.widths[0]).bit_length())
        require(len(targets) * max(self.widths) <= 1 << 25, "there are too many targets")
        found = [[] for _ in self.widths]  # for each layer: a target's row, over 2^(scale - t); t; bits of row and t; slopes
        for k, sign, slopes in targets:
            require({*map(type, (k, sign, *slopes))} == {int} and sign in (-1, 1), "a target is not of integers")
            require({*slopes} <= {*range(17)} and 0 <= k < self.network.units, "no such unit, or a slope that is not in [0, 1]")
            i = max([n for n, start in enumerate(self.network.starts[:-2]) if start <= k])
            require(len(slopes) == self.network.starts[i], "a target has a slope too few or too many")
            row = dict(self.network.layers[i][0][k - self.network.starts[i]])
            row, t = cut([sign * row.get(j, 0) for j in range(self.widths[i])], LONG)
            self.targets.append((k, sign, i, len(found[i])))
            found[i].append((row, t, self.bits(row) + t, np.array(slopes, float)))
        self.rows = [[*map(np.array, zip(*own))] for own in found]
    def bits(self, row):  # of its longest number; next to none of a row of 0
        return int(np.frexp(np.abs(row).max())[1]) if row.any() else -4 * SCALE
    def dense(self, layer):  # a layer's rows with biases, over 2^(scale - t), rounded down; t
        if layer not in self.layers:
            rows, bias, _ = self.network.layers[layer]
            require(len(rows) * self.widths[layer] < 1 << 26 and len(rows) <= 1 << 20, "a layer is too large for facts")
            every = np.zeros((len(rows), self.widths[layer] + 1), object)
            for row, into, b in zip(rows, every, bias):
                into[[j for j, _ in row] + [-1]] = [w for _, w in row] + [b]
            values, t = cut(every.ravel().tolist(), SUM - len(rows).bit_length())
            self.layers[layer] = values.reshape(every.shape), t
        return self.layers[layer]
    def live(self, part, layer):  # what a layer reads that is not 0 on all of a part; bounds of these
        start, stop = self.network.starts[max(0, layer - 1)], self.network.starts[layer]
        live = [j for j, v in enumerate(part.high[start:stop]) if v > 0] if layer else [*range(self.widths[0])]
        return live, [[side[start + j] for j in live] for side in (part.low, part.high)] if layer else self.box
    def lines(self, low, high):  # of units: chords C and C z - h >= -O 2^t, both over 2^CHORD; t; is z >= 0, so that h = C z
        chords = [1 << CHORD if a >= 0 else (b << CHORD) // (b - a) for a, b in zip(low, high)]
        under = [min(c * a, c * b - (b << CHORD)) if a < 0 else 0 for c, a, b in zip(chords, low, high)]
        under, t = cut(under, SUM - len(low).bit_length())
        return np.array(chords, float), -under, t, np.array([a >= 0 for a in low], bool)
    def below(self, part, layer, places, forms, sums, s, halves):  # sums + forms of what a layer reads, over 2^s, >= what is
        live, ends = self.live(part, layer)  # returned; forms may have lost up to 4 of an input, and more of h >= 0
        for i in range(layer - 1, -1, -1):
            (chords, offsets, up, known), least = self.lines(*ends), sum([min(v, 0) for v in ends[0]])
            (rows, t), scale, units = self.dense(i), self.network.layers[i][2], [self.network.starts[i] + j for j in live]
            slopes, rows = self.rows[layer][3][np.ix_(places, units)], rows[live]
            factors = np.floor(np.where((forms < 0) | known, chords / (1 << CHORD - SLOPE), slopes) * forms)  # loses up to 1 z
            live, ends = self.live(part, i)
            (top, rest), offset = product(factors, rows[:, [*live, -1]]), whole(*product(np.minimum(forms, 0), offsets))
            lost, most = np.abs(factors).sum(axis=1), (t > 0) * ((1 << self.g) + sum(ends[1]) if i else self.most)  # by rows
            downs = np.frexp((np.abs(top) * (1 << HALF) + np.abs(rest))[:, :-1].max(axis=1, initial=0))[1] - CUT + 1
            forms = shifted(top[:, :-1], HALF - downs) + shifted(rest[:, :-1], -downs)  # loses up to 2
            terms = zip(sums, offset, lost.tolist(), whole(top[:, -1], rest[:, -1]))
            sums = shift([((p << SLOPE) + (o << up >> CHORD - SLOPE) + least << scale) + ((b << self.g) - int(v) * most << t)
                          for p, o, v, b in terms], (-t - downs).tolist())
            s = s + SLOPE + scale - t - downs
        forms, sums = self.less(part, forms, sums, s, *halves) if halves else (forms, sums)
        return shift([p + v + 4 * self.least for p, v in zip(sums, self.corners(part, forms))], (-s).tolist())
    def less(self, part, forms, sums, s, fine, units, numbers):  # sums and forms of inputs, over 2^s, less numbers * z
        require({*map(type, (fine, *units, *[v for row in numbers for v in row]))} == {int}, "half-spaces must be integers")
        require(abs(fine) <= SCALE and {*map(len, numbers)} == {len({*units})} == {len(units)}, "half-spaces do not fit")
        require(units and len(numbers) == len(forms) and {*units} <= {*range(self.network.starts[1])}, "no such half-spaces")
        ((rows, t), scale), taken = (self.dense(0), self.network.layers[0][2]), np.array(numbers, float)
        on, off = np.array([part.low[k] >= 0 for k in units]), np.array([part.high[k] <= 0 for k in units])
        require(((on | (taken <= 0)) & (off | (taken >= 0))).all(), "a multiple of z may be negative")
        (top, rest), ups = product(-taken, rows[list(units)]), s - (fine + scale - t)
        require(ups.max() <= 1 << 9, "half-spaces are too coarse")
        moved = shifted(top[:, :-1], HALF + ups), shifted(rest[:, :-1], ups)  # each loses less than 1
        require(all(np.abs(v).max() < 1 << MOVED for v in moved), "half-spaces are too large")
        most, terms = self.most if t else 0, zip(whole(top[:, -1], rest[:, -1]), np.abs(taken).sum(axis=1).tolist())  # of rows
        ends = shift([(b << self.g) - int(v) * most for b, v in terms], ups.tolist())
        return forms + moved[0] + moved[1], [p + v + 2 * self.least for p, v in zip(sums, ends)]
    def corners(self, part, forms):  # the least values of forms of the inputs, times 2^g, or less
        if self.ball:
            return [part.ends(dict(enumerate(map(int, form)))) for form in forms.tolist()]
        sides = np.concatenate([np.maximum(forms, 0), -np.minimum(forms, 0)], axis=1)
        return [v << self.up for v in whole(*product(sides, self.ends))]
    def learn(self, part, goal, bound, chosen, powers, multipliers, halves=()):  # better bounds of targets, all in one layer
        require({*map(type, (*chosen, *powers))} == {int} and all(abs(e) <= SCALE for e in powers), "facts must be integers")
        require(len({*chosen}) == len(chosen) == len(powers), "a target is named twice, or without a power")
        require(all(0 <= n < len(self.targets) for n in chosen), "no such target")
        units, signs, layers, places = zip(*[self.targets[n] for n in chosen])
        require(len({*layers}) == 1, "a fact is about units of two layers")
        live, _ = self.live(part, i := layers[0])
        (_, bias, scale), first, (rows, downs, sizes, _) = self.network.layers[i], self.network.starts[i], self.rows[i]
        total, z, s = part.carry(goal, i, multipliers)
        above, own = total - math.ceil(bound * 2**self.g), sum([v * bias[j] for j, v in z.items()]) << self.g
        form, t = cut([*map(self.network.combine(i, z).get, live, [0] * len(live))], LONG)
        places, coarse = [*places], np.array(powers) + t - s  # forms are over 2^(scale - coarse), rows over 2^(scale - downs)
        ups = CUT - 1 - np.maximum(sizes[places], self.bits(form) + coarse)
        forms = shifted(rows[np.ix_(places, live)], downs[places] + ups) + shifted(form[None], coarse + ups)  # loses up to 4
        ends = shift([sign * bias[k - first] << self.g for k, sign in zip(units, signs)], ups.tolist())
        sums = [p + v for p, v in zip(shift([own] * len(units), (ups + powers - s).tolist()), ends)]
        found = self.below(part, i, places, forms, sums, scale + ups, halves)
        for k, sign, v, own in zip(units, signs, found, shift([above] * len(units), powers)):
            (part.low if sign > 0 else part.high)[k] = max(part.low[k], v + own) if sign > 0 else min(part.high[k], -v - own)
