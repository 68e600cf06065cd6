# fmt: off
"""Proofs by bounds: the part of `check_certificate.py` for trees of parts. Integers, standard library only.

For bounds l <= z <= u of a unit, h = max(0, z), and any multiplier D,
    R h >= D z + min { R max(0, t) - D t : t = l, u, or 0 if it is between },  and D z is linear in the layer below.
For pairs of units the minimum is over the polygon that bounds of z_p, z_q, z_p + z_q and z_p - z_q leave. Multipliers may leave
units of one input to check_curves.py, exactly. Facts of nodes are of points alone where the goal is less than the bound claimed
(see check_facts.py, in numpy); leaves below show that there are none. Multipliers are over 2^s, bounds of z over 2^g."""
import copy, itertools, math, operator, pathlib, runpy
from fractions import Fraction
SCALE = 1 << 13  # most bits of scales
def require(condition, reason):  # or reject
    if not condition:
        raise ValueError(reason)
def entries(data, names, more=""):  # reject what is no object with these keys, and perhaps some more, and no others
    require(type(data) is dict and {*names.split()} <= {*data} <= {*names.split(), *more.split()}, f"entries are not {names}")
def read_multipliers(data, most=3):  # [s, [units], [integers over 2^s]], or the weight of a ball besides
    require(3 <= len(data) <= most, "multipliers must have three entries, or for the weight of a ball four")
    s, units, numbers = data[:3]
    require({*map(type, (s, *units, *numbers))} == {int} and s <= SCALE, "multipliers must be integers")
    found = dict(zip(units, numbers, strict=True))
    return require(len(found) == len(units), "a unit is named twice") or (s, found)
class Part:  # a part of a query's set: bounds of units and, for units in pairs, (p, q, the corners of their polygon)
    def __init__(self, network, query):
        self.network, self.g, self.box, self.ball = network, query["scale"], (query["lower"], query["upper"]), query.get("ball")
        self.low, self.high, self.octagons, self.corners, self.facts, self.exact = [], [], {}, {}, None, []
        facts, members, paired = query["facts"][::-1], [k for pair in query["pairs"] for k in pair], set()
        require(all(type(k) is int for k in members) and len(set(members)) == len(members), "a unit is in two pairs")
        below, self.enough = list(zip(*self.box)), 0  # leaves must give as much
        for i, (rows, bias, scale) in enumerate(network.layers[:-1]):  # all units by intervals, then the pairs, then the facts
            start, stop = network.starts[i : i + 2]
            middle, width = [a + b for a, b in below], [b - a for a, b in below]
            sums = zip(rows, [b << self.g + 1 for b in bias], network.times(i, middle), network.times(i, width, sizes=True))
            for k, (row, b, m, r) in enumerate(sums, start):
                near = paired and any(j in paired for j, _ in row)
                self.low.append(self.bound(i, {k: 1}) if near else b + m - r >> scale + 1)
                self.high.append(-self.bound(i, {k: -1}) if near else -(-b - m - r >> scale + 1))
            pairs = [(p, q) for p, q in query["pairs"] if start <= p < stop and start <= q < stop]
            self.octagons |= {(p, q): [x * self.bound(i, {p: x, q: x * y}) for y in (1, -1) for x in (1, -1)] for p, q in pairs}
            while facts and start <= facts[-1][0] < stop:
                k, x, multipliers, *y = facts.pop()  # y: the sign of another unit, for the sum or difference of a pair
                require({*map(type, (k, x, *y))} == {int} and {x, *y} <= {-1, 1}, "the sign of a fact must be -1 or 1")
                others = [q for p, q in pairs if p == k]
                require(len(y) <= len(others), "a fact is about two units that are no pair")
                value, better = x * self.bound(i, {k: x} | dict(zip(others, y)), multipliers), max if x > 0 else min
                ends, at = (self.octagons[k, others[0]], 2 * (y[0] != x) + (x < 0)) if y else ((self.high, self.low)[x > 0], k)
                ends[at] = better(ends[at], value)
            _ = [self.meet(p, q) for p, q in pairs]
            paired = {k - start for pair in pairs for k in pair}
            below = [(max(a, 0), max(b, 0)) for a, b in zip(self.low[start:], self.high[start:])]
        require(not facts, "facts must be about hidden units, in the order of the layers")
    def bound(self, layer, signs, multipliers=(0, (), ())):  # of the sum of signs times z of units of a layer, {number: sign}
        (s, factors), bias, first = read_multipliers(multipliers, 4), self.network.layers[layer][1], self.network.starts[layer]
        form = self.network.combine(layer, {k - first: x << s for k, x in signs.items()})
        part = sum([x * bias[k - first] for k, x in signs.items()]) << s + self.g
        curves = self.curves(s, *multipliers[3:]) if multipliers[3:] else None
        return self.descend(layer, form, part, s, factors, curves=curves)[0]
    def descend(self, layer, form, part, s, factors, stop=-1, curves=None):  # part + a form of what is below a layer is >= what
        network, low, high, total = self.network, self.low, self.high, 0  # is returned: a number, and a form of layer `stop`
        for i in range(layer - 1, -1, -1):
            scale, (start, above) = network.layers[i + 1][2], network.starts[i : i + 2]
            d = {k - start: v for k, v in factors.items() if start <= k < above}
            form = curves.rest(i, form, d) if curves else form
            units = form | d
            if self.corners:
                for k in {start + j for j in units if start + j in self.corners}:
                    p, q, ends = self.corners[k]
                    a, b, x, y = (t.get(n - start, 0) for t in (form, d) for n in (p, q))
                    if k == p or not (a or x or p - start in form or p - start in d):  # once
                        part += min([a * e + b * f - (x * m + y * n << scale) for m, n, e, f in ends]) >> 1
                units = [j for j in units if start + j not in self.corners]
            for j in units:
                r, v, a, b = form.get(j, 0), d.get(j, 0) << scale, low[start + j], high[start + j]
                if a >= 0:
                    part += min((r - v) * a, (r - v) * b) if r != v else 0
                elif b > 0:
                    part += min(-v * a, (r - v) * b, 0)
                elif v:
                    part += min(-v * a, -v * b)
            total += part >> s + scale
            if i == stop:
                return total, d
            form, part = network.combine(i, d), sum([v * network.layers[i][1][j] for j, v in d.items()]) << self.g
        if curves:
            return total + (part >> s + network.layers[0][2]) + curves.least(form), {}
        return total + (part + self.ends(form) >> s + network.layers[0][2]), {}
    def curves(self, s, weight):  # to take units that read one input exactly
        if not self.exact:
            exact = runpy.run_path(str(pathlib.Path(__file__).with_name("check_curves.py")))["Curves"]
            self.exact.append(exact(self.network, self.g, self.box, self.ball))
        return self.exact[0].sum(s, weight)
    def carry(self, goal, layer, multipliers):  # goal >= what is returned: a number, plus a form of z of a layer over 2^s; s
        (s, factors), (_, bias, _), first = read_multipliers(multipliers), self.network.layers[-1], self.network.units
        form = self.network.combine(len(self.network.layers) - 1, {k - first: x << s for k, x in goal.items()})
        part = sum([x * bias[k - first] for k, x in goal.items()]) << s + self.g
        return *self.descend(len(self.network.layers) - 1, form, part, s, factors, layer), s
    def ends(self, form):  # the least value of a form of the inputs, times 2^g
        low, high = self.box
        ends = sum([r * (high if r < 0 else low)[j] for j, r in form.items()])
        if self.ball:  # inputs that reach the box before the ball stop there; the others share what is left of the radius
            centre, left, free, met = self.ball["centre"], self.ball["radius"] ** 2, form, True
            while met:
                size, gaps = sum([r * r for r in free.values()]), {j: centre[j] - self.box[r < 0][j] for j, r in free.items()}
                met = {j: gap**2 for j, gap in gaps.items() if gap**2 * size < left * free[j] ** 2}
                left, free = left - sum(met.values()), {j: r for j, r in free.items() if j not in met}
            low = sum([r * (centre[j] if j in free else self.box[r < 0][j]) for j, r in form.items()])
            return max(ends, low - math.isqrt(size * left) - 1)
        return ends
    def meet(self, p, q):  # find 2 (z_p, z_q, h_p, h_q) at the corners of the linear pieces of h_p and h_q on a pair's polygon
        (a, c), (b, d), (e, f, g, h) = [self.low[p], self.low[q]], [self.high[p], self.high[q]], self.octagons[p, q]
        lines = [(1, 0, v) for v in {a, 0, b} if a <= v <= b] + [(0, 1, v) for v in {c, 0, d} if c <= v <= d]
        self.corners[p] = self.corners[q] = p, q, (found := set())
        for (m, n, v), (r, s, w) in itertools.combinations([*lines, (1, 1, e), (1, 1, f), (1, -1, g), (1, -1, h)], 2):
            if top := m * s - n * r:
                x, y = 2 * (v * s - w * n) // top, 2 * (m * w - r * v) // top
                if 2 * a <= x <= 2 * b and 2 * c <= y <= 2 * d and 2 * e <= x + y <= 2 * f and 2 * g <= x - y <= 2 * h:
                    found.add((x, y, max(x, 0), max(y, 0)))
    def split(self, unit, on):  # the part where z_unit >= 0, or <= 0
        part = self.copy()
        (part.low if on else part.high)[unit] = max(part.low[unit], 0) if on else min(part.high[unit], 0)
        _ = unit in part.corners and part.meet(*part.corners[unit][:2])
        return part
    def copy(self):  # a part whose bounds may change
        part = copy.copy(self)
        part.low, part.high, part.corners = self.low[:], self.high[:], dict(self.corners)
        return part
    def prove(self, tree, goal, bound):  # a lower bound of a goal, proved by a tree; infinity if the part is empty
        stack, least = [(self, tree)], math.inf
        while stack:
            part, node = stack.pop()
            entries(node, "unit on off" if "unit" in node else "leaf goal", "facts")
            if node.get("facts"):  # from here on the part is that of the points where the goal is < bound
                part, least = part.copy(), min(least, bound)
                _ = [part.facts.learn(part, goal, bound, *fact) for fact in node["facts"]]
                part.enough = bound
            if "unit" in node:
                require(type(node["unit"]) is int and 0 <= node["unit"] < self.network.units, f"no unit {node['unit']}")
                stack += [(part.split(node["unit"], side == "on"), node[side]) for side in ("on", "off")]
            elif not any(map(operator.gt, part.low, part.high)) and all(ends for _, _, ends in part.corners.values()):
                value = part.bound(len(self.network.layers) - 1, goal if node["goal"] else {}, node["leaf"])
                require(type(node["goal"]) is bool and value > 0, "a leaf's bound is not positive")
                value = Fraction(value, 2**self.g) if node["goal"] else math.inf
                require(value >= part.enough, "a leaf's bound is too small for its facts")
                least = min(least, value)
        return least
def least_margin(network, query):  # the lower bound of the margin that trees give; `bound`: what facts of nodes suppose
    root, bound = Part(network, query), Fraction(query.get("bound", "0"))
    if "targets" in query:
        root.facts = runpy.run_path(str(pathlib.Path(__file__).with_name("check_facts.py")))["Facts"](root, query["targets"])
    return min([root.prove(*pair, bound) for pair in zip(query["trees"], network.goals(query["label"]), strict=True)])
