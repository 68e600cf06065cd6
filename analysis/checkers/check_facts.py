# fmt: off
"""Facts of nodes: the part of `check_trees.py` for bounds of units where the goal is less than a bound. Integers, in numpy.

For every weight 2^e there are, at such points of a part, for a unit's z and sign 1 or -1,
    sign * z  >=  (sign * z + 2^e * goal) - 2^e * bound,
and below it what lines give, layer by layer: h = max(0, z) has  c z <= h <= C z + O  for any c in [0, 1] (a target's slopes,
over 16) and the chord C, O of z's bounds. Numbers are over powers of 2, rounded to the side that makes bounds worse; arrays are
of int64, no number of theirs is longer than 62 bits, and products of matrices are float64's where it holds all sums exactly."""
import math
import numpy as np
SCALE, BITS, CUT, HALF = 1 << 13, 28, 26, 22  # most bits of scales; of slopes and offsets; of forms; of half a weight
def require(condition, reason):  # or reject
    if not condition:
        raise ValueError(reason)
def product(factors, rows):  # of two matrices of integers: long factors are cut in two, so that float64 holds each sum
    longest, most = int(np.abs(factors).max(initial=0)), int(np.abs(rows).max(initial=0)) * len(rows)
    step = 53 - most.bit_length()
    require(longest * most < 1 << 62 and step > 0, "numbers are too long for facts")
    if longest < 1 << step:
        return (factors.astype(float) @ rows.astype(float)).astype(np.int64)
    return (product(factors >> step, rows) << step) + product(factors & (1 << step) - 1, rows)
class Facts:  # of a query: its targets (unit, sign, slopes over 2^BITS of all units in the layers below), and what recurs
    def __init__(self, root, targets):
        self.network, self.g, self.box, self.ball, self.targets, self.rows = root.network, root.g, root.box, root.ball, [], {}
        self.widths = [self.network.inputs, *[len(rows) for rows, _, _ in self.network.layers]]
        self.least = sum([min(v, 0) for v in self.box[0]])  # of sums of inputs, with any weights in [0, 1]
        for k, sign, slopes in targets:
            require({*map(type, (k, sign, *slopes))} == {int} and sign in (-1, 1), "a target is not of integers")
            require({*slopes} <= {*range(17)} and 0 <= k < self.network.units, "no such unit, or a slope that is not in [0, 1]")
            require(len(slopes) == self.network.starts[self.layer(k)], "a target has a slope too few or too many")
            self.targets.append((k, sign, [v << BITS - 4 for v in slopes]))
    def layer(self, unit):  # the hidden layer of a unit
        return max([n for n, start in enumerate(self.network.starts[:-2]) if start <= unit])
    def dense(self, layer):  # a layer's rows; and with biases, rounded down, as (a 2^HALF + b) / 2^(scale - t): a, b, t
        if layer not in self.rows:
            rows, bias, _ = self.network.layers[layer]
            require(len(rows) * self.widths[layer] < 1 << 26, "a layer is too large for facts")
            whole = np.zeros((len(rows), self.widths[layer] + 1), object)
            for row, into, b in zip(rows, whole, bias):
                into[[j for j, _ in row] + [-1]] = [w for _, w in row] + [b]
            require(max(map(abs, whole[:, :-1].flat)) < 1 << 62, "numbers are too long for facts")
            t = max(0, max(map(abs, whole.flat)).bit_length() - CUT - HALF)
            halves = whole >> t + HALF, (whole >> t) & (1 << HALF) - 1
            self.rows[layer] = whole[:, :-1].astype(np.int64), *[v.astype(np.int64) for v in halves], t
        return self.rows[layer]
    def lines(self, part, layer):  # of units: c, o, is z's sign known; 2^BITS h <= c z + o 2^t, "=" if it is; t; and the
        start, stop = self.network.starts[layer : layer + 2]  # least of sums of z with any weights in [0, 1]
        ends = [*zip(part.low[start:stop], part.high[start:stop])]
        chords = [1 << BITS if a >= 0 else (b << BITS) // (b - a) if b > 0 else 0 for a, b in ends]
        offsets = [max(-c * a, (b << BITS) - c * b) if a < 0 < b else 0 for c, (a, b) in zip(chords, ends)]
        cut, known = max(0, max(offsets).bit_length() - CUT), np.array([not a < 0 < b for a, b in ends])
        columns = np.array(chords, np.int64), np.array([[-(-o >> cut)] for o in offsets], np.int64)
        return *columns, known, cut, sum([min(a, 0) for a, _ in ends])
    def below(self, part, layer, forms, sums, s, slopes, lines):  # sums + forms of what is below a layer, >= what is returned,
        for i in range(layer - 1, -1, -1):  # times 2^s; h >= 0, so forms may be rounded down
            (chords, offsets, known, up, least), (_, high, low, t), scale = lines[i], self.dense(i), self.network.layers[i][2]
            start, stop = self.network.starts[i : i + 2]
            cut = max(0, int(np.abs(forms).max()).bit_length() - CUT)
            forms = forms >> cut
            factors = forms * np.where((forms < 0) | known, chords, slopes[:, start:stop]) >> BITS  # loses less than 1 z each
            found, t = product(factors, high) + (product(factors, low) >> HALF), t + HALF  # rounded down
            lost = product(np.minimum(forms, 0), offsets)[:, 0].tolist()
            most = (1 << self.g) + sum([max(abs(a), abs(b)) for a, b in zip(*self.reads(part, i))])  # of what rows lost
            sizes, biases = np.abs(factors).sum(axis=1).tolist(), found[:, -1].tolist()
            sums = [(p >> cut) + (v << up >> BITS) + least << scale for p, v in zip(sums, lost)]
            rest = 0 if i else self.least  # of forms of inputs that were rounded
            sums = [(p + (b << t + self.g) - (n * most << t - HALF) >> t) + rest for p, b, n in zip(sums, biases, sizes)]
            forms, s = found[:, :-1], s - cut + scale - t
        return [p + v >> max(0, s) << max(0, -s) for p, v in zip(sums, self.corners(part, forms))]
    def reads(self, part, layer):  # bounds of what a layer reads
        start, stop = self.network.starts[max(0, layer - 1)], self.network.starts[layer]
        return [[max(v, 0) for v in side[start:stop]] for side in (part.low, part.high)] if layer else self.box
    def corners(self, part, forms):  # the least values of forms of the inputs, times 2^g, or less
        if self.ball:
            return [part.ends(dict(enumerate(form))) for form in forms.tolist()]
        most = np.abs(forms).max(), max(map(abs, [*self.box[0], *self.box[1]]))
        cut, up = [max(0, int(v).bit_length() - CUT) for v in most]
        low, high = np.array([v >> up for v in self.box[0]], np.int64), np.array([-(-v >> up) for v in self.box[1]], np.int64)
        require(len(low) << 2 * CUT < 1 << 63, "too many inputs for facts")
        forms = forms >> cut
        return [(v << up) + self.least << cut for v in (forms * np.where(forms > 0, low, high)).sum(axis=1).tolist()]
    def learn(self, part, goal, bound, chosen, powers, multipliers):  # better bounds of targets, all in one layer
        require({*map(type, (*chosen, *powers))} == {int} and all(abs(e) <= SCALE for e in powers), "facts must be integers")
        require(len({*chosen}) == len(chosen) == len(powers), "a target is named twice, or without a power")
        require(all(0 <= n < len(self.targets) for n in chosen), "no such target")
        i = self.layer(self.targets[chosen[0]][0])
        (_, bias, scale), (start, stop) = self.network.layers[i], self.network.starts[i : i + 2]
        total, z, s = part.carry(goal, i, multipliers)
        above, own = total - math.ceil(bound * 2**self.g), sum([v * bias[j] for j, v in z.items()]) << self.g
        form, lines = self.network.combine(i, z), [self.lines(part, n) for n in range(i)]
        for e in {*powers}:  # sums and forms are over 2^(size + scale), before they are cut
            targets, up = [self.targets[n] for n, power in zip(chosen, powers) if power == e], max(0, -e)
            require(all(start <= k < stop for k, *_ in targets), "a fact is about units of two layers")
            size, most = s + up, [form.get(j, 0) << e + up for j in range(self.widths[i])]
            sums = [(own << e + up) + (sign * bias[k - start] << size + self.g) for k, sign, _ in targets]
            rows = np.array([[sign] for _, sign, _ in targets]) * self.dense(i)[0][[k - start for k, *_ in targets]]
            cut = max(0, max(map(abs, [*most, int(np.abs(rows).max()) << size])).bit_length() - CUT)
            rows = rows << size - cut if size > cut else rows >> min(63, cut - size)
            forms, slopes = rows + np.array([v >> cut for v in most], np.int64), np.array([v for *_, v in targets], np.int64)
            sums = [(v >> cut) + (0 if i else 2 * self.least) for v in sums]  # two that are rounded, of inputs that may be < 0
            found = self.below(part, i, forms, sums, size + scale - cut, slopes, lines)
            for (k, sign, _), value in zip(targets, found):
                bounds, better = (part.low, max) if sign > 0 else (part.high, min)
                bounds[k] = better(bounds[k], sign * ((above << e + up >> up) + value))
