"""Certificates read again without the checkers, in Fractions, with no rounding at all."""

import itertools
import math
from fractions import Fraction


def ratio(value):
    """Numerator and denominator of a number."""
    number = value if isinstance(value, (int, float)) else Fraction(value)
    return number.as_integer_ratio()


def forward(data, point):
    """z of all hidden units, layer by layer, and the outputs, at a rational point.

    Values are integers over a common `unit`, which are faster than fractions.
    """
    unit = math.lcm(*(v.denominator for v in point))
    values, hidden = [v.numerator * (unit // v.denominator) for v in point], []
    for depth, layer in enumerate(data["layers"], start=1):
        rows = [(columns, [ratio(w) for w in weights]) for columns, weights in layer["rows"]]
        biases = [ratio(b) for b in layer["bias"]]
        scale = math.lcm(*(d for _, row in rows for _, d in row), *(d for _, d in biases))
        z = [
            sum(n * (scale // d) * values[j] for j, (n, d) in zip(columns, row, strict=True))
            + m * (scale // e) * unit
            for (columns, row), (m, e) in zip(rows, biases, strict=True)
        ]
        unit *= scale
        if depth == len(data["layers"]):
            return hidden, [Fraction(v, unit) for v in z]
        hidden += [Fraction(v, unit) for v in z]
        values = [max(v, 0) for v in z]
    raise AssertionError("a network has at least one layer")


def margin(data, label, point):
    outputs = forward(data, point)[1]
    if len(outputs) == 1:
        return label * outputs[0]
    return min(outputs[label] - v for k, v in enumerate(outputs) if k != label)


def ends_of(query):
    return [[Fraction(v, 2 ** query["scale"]) for v in query[side]] for side in ("lower", "upper")]


def contains(query, point):
    """Whether a point is in a query's set."""
    if not all(
        a <= v <= b for a, v, b in zip(ends_of(query)[0], point, ends_of(query)[1], strict=True)
    ):
        return False
    if not (ball := query.get("ball")):
        return True
    unit = Fraction(1, 2 ** query["scale"])
    away = sum((v - c * unit) ** 2 for v, c in zip(point, ball["centre"], strict=True))
    return away <= (ball["radius"] * unit) ** 2


def clip(polygon, a, b, c):
    """The part of a convex polygon where a x + b y >= c."""
    out = []
    for (x, y), (s, t) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        here, there = a * x + b * y - c, a * s + b * t - c
        if here >= 0:
            out.append((x, y))
        if here * there < 0:
            ratio = here / (here - there)
            out.append((x + ratio * (s - x), y + ratio * (t - y)))
    return out


class SlowProof:
    """What a proof by bounds on a box proves, with no rounding at all: never less than what the
    checker may accept.
    """

    def __init__(self, data, query):
        self.query, self.box, self.layers, self.first = query, ends_of(query), [], [0]
        for layer in data["layers"]:
            rows = [{j: Fraction(w) for j, w in zip(*row, strict=True)} for row in layer["rows"]]
            self.layers.append((rows, [Fraction(b) for b in layer["bias"]]))
            self.first.append(self.first[-1] + len(rows))
        self.bounds, self.octagons, self.partner, self.known = {}, {}, {}, {}
        facts = list(query["facts"])
        for depth in range(len(self.layers) - 1):
            units = range(self.first[depth], self.first[depth + 1])
            for k in units:
                self.bounds[k] = [self.below(depth, {k: 1}, {}), -self.below(depth, {k: -1}, {})]
            pairs = [
                tuple(pair) for pair in query["pairs"] if pair[0] in units and pair[1] in units
            ]
            for p, q in pairs:
                forms = ({p: 1, q: 1}, {p: -1, q: -1}, {p: 1, q: -1}, {p: -1, q: 1})
                self.octagons[p, q] = [self.below(depth, form, {}) for form in forms]
            while facts and facts[0][0] in units:
                self.learned(depth, pairs, *facts.pop(0))
            self.partner |= {k: pair for pair in pairs for k in pair}
        if facts:
            raise ValueError("a fact about no hidden unit")

    def learned(self, depth, pairs, unit, sign, multipliers, *other):
        """A bound of a unit, or of a sum or difference of a pair, by multipliers."""
        factors = numbers_of(multipliers)
        if other:
            ((p, q),) = [pair for pair in pairs if pair[0] == unit]
            number = [(1, 1), (-1, -1), (1, -1), (-1, 1)].index((sign, *other))
            value = self.below(depth, {p: sign, q: other[0]}, factors)
            self.octagons[p, q][number] = max(self.octagons[p, q][number], value)
            return
        low, high = self.bounds[unit]
        value = sign * self.below(depth, {unit: sign}, factors)
        self.bounds[unit] = [max(low, value), high] if sign > 0 else [low, min(high, value)]

    def pieces(self, p, q, bounds):
        """The polygon of a pair, cut into the quadrants."""
        key = (p, q, *bounds[p], *bounds[q])
        if key not in self.known:
            self.known[key] = self.cut(p, q, *bounds[p], *bounds[q])
        return self.known[key]

    def cut(self, p, q, a, b, c, d):
        if a > b or c > d:
            return []
        polygon = [(a, c), (b, c), (b, d), (a, d)]
        for side, value in zip(
            ((1, 1), (-1, -1), (1, -1), (-1, 1)), self.octagons[p, q], strict=True
        ):
            polygon = clip(polygon, *side, value)
        return [
            clip(clip(polygon, s, 0, 0), 0, t, 0) for s, t in itertools.product((1, -1), repeat=2)
        ]

    def carried(self, layer, form):
        """A form of z of a layer as a constant and a form of what the layer reads, by position."""
        (rows, bias), start, sums = self.layers[layer], self.first[layer], {}
        for k, x in form.items():
            for j, w in rows[k - start].items():
                sums[j] = sums.get(j, 0) + x * w
        return sum(x * bias[k - start] for k, x in form.items()), sums

    def below(self, depth, form, factors, bounds=None, stop=None):
        """A lower bound of a form of units of a layer, or of the outputs: a number, and with `stop`
        also a form of z of that layer.
        """
        bounds = self.bounds if bounds is None else bounds
        total = Fraction(0)
        for layer in range(depth, -1, -1):
            constant, sums = self.carried(layer, form)
            total += constant
            if layer == 0:
                return total + sum(r * self.box[0 if r > 0 else 1][j] for j, r in sums.items())
            start, above = self.first[layer - 1 : layer + 1]
            form = {k: v for k, v in factors.items() if start <= k < above}
            seen = set()
            for k in {start + j for j in sums} | set(form):
                group = self.partner.get(k, (k,))
                if group in seen:
                    continue
                seen.add(group)
                r, d = [sums.get(n - start, 0) for n in group], [form.get(n, 0) for n in group]
                if len(group) == 1:
                    low, high = bounds[k]
                    at = [(t,) for t in (low, high, *([Fraction(0)] if low < 0 < high else []))]
                else:
                    at = [point for piece in self.pieces(*group, bounds) for point in piece]
                total += min(
                    sum(a * max(t, 0) - b * t for a, b, t in zip(r, d, point, strict=True))
                    for point in at
                )
            if layer - 1 == stop:
                return total, form
        raise AssertionError("the loop ends at the inputs")

    def by_lines(self, depth, form, slopes, bounds, taken):
        """A lower bound of a form of units of a layer, with slopes over 16 for all units below;
        taken: multiples of z of units of the first layer that are not negative.
        """
        total = Fraction(0)
        for layer in range(depth, -1, -1):
            if layer == 0:
                form = {k: form.get(k, 0) - taken.get(k, 0) for k in {*form, *taken}}
            (constant, sums), below = self.carried(layer, form), {}
            total += constant
            if layer == 0:
                return total + sum(r * self.box[0 if r > 0 else 1][j] for j, r in sums.items())
            for j, r in sums.items():
                k = self.first[layer - 1] + j
                low, high = bounds[k]
                if not low < 0 < high:
                    slope = Fraction(low >= 0)
                elif r > 0:
                    slope = Fraction(slopes[k], 16)
                else:
                    slope = high / (high - low)
                    total -= r * slope * low
                below[k] = r * slope
            form = below
        raise AssertionError("the loop ends at the inputs")

    def learn(self, bounds, goal, chosen, powers, multipliers, halves=None):
        """Bounds of units where the goal is less than the query's bound."""
        fine, split, numbers = halves or (0, [], [[] for _ in chosen])
        targets = [self.query["targets"][n] for n in chosen if n >= 0]
        (depth,) = {max(i for i, k in enumerate(self.first[:-2]) if k <= t[0]) for t in targets}
        total, form = self.below(len(self.layers) - 1, goal, numbers_of(multipliers), bounds, depth)
        out = dict(bounds)
        for (unit, sign, slopes), power, row in zip(targets, powers, numbers, strict=True):
            taken = {k: v / Fraction(2) ** fine for k, v in zip(split, row, strict=True)}
            if any(min(v * bounds[k][0], v * bounds[k][1]) < 0 for k, v in taken.items()):
                raise ValueError("a multiple of z may be negative")
            if not {*slopes} <= {*range(17)} or sign not in (-1, 1):
                raise ValueError("a slope that is not in [0, 1]")
            weight = Fraction(2) ** power
            sums = {k: weight * v for k, v in form.items()}
            sums[unit] = sums.get(unit, 0) + sign
            value = sign * (
                weight * (total - Fraction(self.query["bound"]))
                + self.by_lines(depth, sums, slopes, bounds, taken)
            )
            low, high = out[unit]
            out[unit] = [max(low, value), high] if sign > 0 else [low, min(high, value)]
        return out

    def tree(self, node, goal, bounds, enough=0):
        if node.get("facts"):
            enough = Fraction(self.query["bound"])
            for fact in node["facts"]:
                bounds = self.learn(bounds, goal, *fact)
            rest = {k: v for k, v in node.items() if k != "facts"}
            return min(enough, self.tree(rest, goal, bounds, enough))
        if "unit" in node:
            k = node["unit"]
            low, high = bounds[k]
            parts = ("on", [max(low, Fraction(0)), high]), ("off", [low, min(high, Fraction(0))])
            return min(
                self.tree(node[side], goal, {**bounds, k: part}, enough) for side, part in parts
            )
        if any(low > high for low, high in bounds.values()):
            return float("inf")
        if any(not any(self.pieces(p, q, bounds)) for p, q in self.octagons):
            return float("inf")
        value = self.below(
            len(self.layers) - 1, goal if node["goal"] else {}, numbers_of(node["leaf"]), bounds
        )
        if value <= 0:
            raise ValueError("a leaf that proves nothing")
        if node["goal"] and value < enough:
            raise ValueError("a leaf that proves less than its facts suppose")
        return value if node["goal"] else float("inf")

    def bound(self):
        label, outputs = self.query["label"], range(*self.first[-2:])
        if len(outputs) == 1:
            goals = [{outputs[0]: label}]
        else:
            goals = [{outputs[label]: 1, k: -1} for k in outputs if k != outputs[label]]
        return min(
            self.tree(*pair, self.bounds) for pair in zip(self.query["trees"], goals, strict=True)
        )


def numbers_of(multipliers):
    scale, units, numbers = multipliers
    return {k: Fraction(v) / Fraction(2) ** scale for k, v in zip(units, numbers, strict=True)}
