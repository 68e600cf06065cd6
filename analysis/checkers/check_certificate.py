# fmt: off
"""Checks certificates (format: docs/certificates.md), in integers: `python check_certificate.py CERT.json [--network FILE]`.
Checked: each query, for the layers in CERT; with --network, that FILE has the SHA-256 CERT names. Not checked: that they are
FILE's layers, or margins of a property (see cgro check-certificate). It needs check_boxes.py beside it for proofs by boxes.
    R h >= D z + min { R max(0, t) - D t : t = l, u, or 0 if it is between },  for l <= z <= u, h = max(0, z), any multiplier D,
and D z is linear in the layer below. For pairs of units it is over the polygon that bounds of z_p, z_q and z_p +- z_q leave.
Weights are over 2^scale, multipliers over 2^s, inputs and bounds of z over 2^g. What is printed was checked, or it says not."""
import copy, decimal, gzip, hashlib, itertools, json, math, operator, pathlib, re, runpy, sys
from fractions import Fraction
FORMAT, PROPERTY, WORD = "cgro certificate 1", "cgro property certificate 1", 48  # longer multipliers are combined more slowly
SCALE, LONG, DEEP = 1 << 13, 1 << 16, 1 << 17  # most bits of scales, of a point's denominators, and that layers may add
def require(condition, reason):  # or reject
    if not condition:
        raise ValueError(reason)
def entries(data, names, more=""):  # reject what is no object with these keys, and perhaps some more, and no others
    require(type(data) is dict and {*names.split()} <= {*data} <= {*names.split(), *more.split()}, f"entries are not {names}")
def once(pairs):  # a JSON object; dict() alone would keep the last value of a key
    return require(len(dict(pairs := [*pairs])) == len(pairs), "a key is named twice") or dict(pairs)
def decimals(text):  # a JSON number that is a float64, or the shortest decimal that is read as it (as 0.1)
    exact, v = decimal.Decimal, float(text)
    return require(math.isfinite(v) and exact(text) in (exact(repr(v)), exact(v)), "a number would be rounded") or v
def rational(text):  # "p/q" or "p"
    require(type(text) is str and re.fullmatch("-?[0-9]{1,4300}(/[0-9]{1,4300})?", text), "a rational is not written as p/q")
    return Fraction(text)
def read(path):  # a JSON file
    text = pathlib.Path(path).read_text("utf-8")
    return json.loads(text, object_pairs_hook=once, parse_float=decimals, parse_constant=decimals)  # integers: 4300 digits
class Network:  # layers (rows of (column, weight), bias, scale), and dense rows as one long integer each to combine them
    def __init__(self, data):
        entries(data, "inputs layers")
        require(type(data["inputs"]) is int and data["inputs"] > 0, "no inputs")
        self.layers, self.packed, self.starts, self.inputs, self.growth = [], [], [0], data["inputs"], 0  # of values, in bits
        width = self.inputs
        for layer in data["layers"]:
            entries(layer, "rows bias")
            rows, bias = [once(zip(*row, strict=True)) for row in layer["rows"]], layer["bias"]  # {column: weight}
            numbers = [w for row in rows for w in row.values()] + bias
            require(all(type(w) in (int, float) and math.isfinite(w) and float(w) == w for w in numbers), "no float64")
            require(all(type(j) is int and 0 <= j < width for row in rows for j in row), "a column is out of range")
            require(len(rows) == len(bias) > 0, "a layer does not have as many rows as biases, or none")
            scale = max([w.as_integer_ratio()[1].bit_length() - 1 for w in numbers])
            rows = [[(j, int(Fraction(w) * 2**scale)) for j, w in row.items() if w] for row in rows]
            longest = max([w.bit_length() for row in rows for _, w in row], default=0)
            size, dense = (longest + len(rows).bit_length() + WORD) // 8 + 1, 4 * sum(map(len, rows)) > width * len(rows)
            shift = int.from_bytes((1 << 8 * size - 1).to_bytes(size, "little") * width, "little") if dense else 0
            self.packed.append(([sum([w << 8 * size * j for j, w in row]) for row in rows if dense], size, width, shift))
            self.layers.append((rows, [int(Fraction(b) * 2**scale) for b in bias], scale))
            self.starts.append(self.starts[-1] + len(rows))
            self.growth, width = self.growth + scale + longest, len(rows)
        self.units = self.starts[-2]  # hidden ones, numbered through the layers; the outputs come after them
    def combine(self, layer, factors):  # the sum of a layer's rows times factors, {column: integer}
        (packed, size, width, shift), out = self.packed[layer], {}
        if packed and all(abs(v) >> WORD == 0 for v in factors.values()):
            half, total = 1 << 8 * size - 1, shift + sum([v * packed[k] for k, v in factors.items()])
            raw = total.to_bytes(size * width, "little")
            return {j: int.from_bytes(raw[size * j : size * j + size], "little") - half for j in range(width)}
        for j, w, v in [(j, w, v) for k, v in factors.items() for j, w in self.layers[layer][0][k]]:
            out[j] = out.get(j, 0) + v * w
        return out
    def goals(self, label):  # the margin is the least of these sums of signs times outputs, {number: sign}
        outputs = range(self.units, self.starts[-1])
        require(type(label) is int and (label in (-1, 1) if len(outputs) == 1 else 0 <= label < len(outputs)), "no such label")
        return [{outputs[label]: 1, k: -1} for k in outputs if k != outputs[label]] if outputs[1:] else [{outputs[0]: label}]
    def evaluate(self, points, label):  # exact margins at rational points; hidden z there, times positive numbers
        require(self.growth <= DEEP, "too many layers of too long numbers for exact values at a point")
        denominators, units = [{v.denominator for v in x} for x in points], []
        require(all(sum(map(int.bit_length, v)) <= LONG for v in denominators), "a point's common denominator is too long")
        weights = [math.lcm(*v) for v in denominators]
        below = [[v.numerator * (w // v.denominator) for v in x] for x, w in zip(points, weights)]
        for rows, bias, scale in self.layers:
            found = [[b * w + sum([c * x[j] for j, c in row]) for x, w in zip(below, weights)] for row, b in zip(rows, bias)]
            weights, below = [w << scale for w in weights], [[max(v, 0) for v in z] for z in zip(*found)]
            units += found
        margins = [[sum([x * units[k][i] for k, x in goal.items()]) for goal in self.goals(label)] for i in range(len(points))]
        return [Fraction(min(v), w) for v, w in zip(margins, weights)], units[: self.units]
class Part:  # a part of a query's set: bounds of units and, for units in pairs, (p, q, the corners of their polygon)
    def __init__(self, network, query):
        self.network, self.g, self.box, self.ball = network, query["scale"], (query["lower"], query["upper"]), query.get("ball")
        self.low, self.high, self.octagons, self.corners = [], [], {}, {}
        facts, members, paired = query["facts"][::-1], [k for pair in query["pairs"] for k in pair], set()
        require(all(type(k) is int for k in members) and len(set(members)) == len(members), "a unit is in two pairs")
        below = list(zip(*self.box))
        for i, (rows, bias, scale) in enumerate(network.layers[:-1]):  # all units by intervals, then the pairs, then the facts
            start, stop = network.starts[i : i + 2]
            middle, width = [a + b for a, b in below], [b - a for a, b in below]
            for k, (row, b) in enumerate(zip(rows, bias), start):
                m, r = sum([w * middle[j] for j, w in row]) + (b << self.g + 1), sum([abs(w) * width[j] for j, w in row])
                near = any(j in paired for j, _ in row)
                self.low.append(self.bound(i, {k: 1}) if near else m - r >> scale + 1)
                self.high.append(-self.bound(i, {k: -1}) if near else -(-m - r >> scale + 1))
            pairs = [(p, q) for p, q in query["pairs"] if start <= p < stop and start <= q < stop]
            self.octagons |= {(p, q): [x * self.bound(i, {p: x, q: x * y}) for y in (1, -1) for x in (1, -1)] for p, q in pairs}
            while facts and start <= facts[-1][0] < stop:
                k, sign, multipliers = facts.pop()
                require(type(k) is type(sign) is int and sign in (-1, 1), "the sign of a fact must be -1 or 1")
                bounds, better = (self.low, max) if sign > 0 else (self.high, min)
                bounds[k] = better(bounds[k], sign * self.bound(i, {k: sign}, multipliers))
            _ = [self.meet(p, q) for p, q in pairs]
            paired = {k - start for pair in pairs for k in pair}
            below = [(max(a, 0), max(b, 0)) for a, b in zip(self.low[start:], self.high[start:])]
        require(not facts, "facts must be about hidden units, in the order of the layers")
    def bound(self, layer, signs, multipliers=(0, (), ())):  # of the sum of signs times z of units of a layer, {number: sign}
        network, low, high, (s, units, numbers) = self.network, self.low, self.high, multipliers
        require(all(type(v) is int for v in (s, *units, *numbers)) and s <= SCALE, "multipliers must be integers")
        (_, bias, scale), first, total = network.layers[layer], network.starts[layer], 0
        factors = once(zip(units, numbers, strict=True))
        form = network.combine(layer, {k - first: x << s for k, x in signs.items()})
        part = sum([x * bias[k - first] for k, x in signs.items()]) << s + self.g
        for i in range(layer - 1, -1, -1):
            start, stop = network.starts[i : i + 2]
            d = {k - start: v for k, v in factors.items() if start <= k < stop}
            for j in form | d:
                k, r, v = start + j, form.get(j, 0), d.get(j, 0) << scale
                if k in self.corners:
                    p, q, ends = self.corners[k]
                    if k == p or (p - start not in form and p - start not in d):  # once
                        a, b, x, y = (t.get(n - start, 0) for t in (form, d) for n in (p, q))
                        part += min([a * e + b * f - (x * m + y * n << scale) for m, n, e, f in ends]) >> 1
                else:
                    ends = [(r - v if t > 0 else -v) * t for t in (low[k], high[k])]
                    part += min(ends) if low[k] >= 0 or high[k] <= 0 else min(*ends, 0)
            total, (_, bias, scale) = total + (part >> s + scale), network.layers[i]
            form, part = network.combine(i, d), sum([v * bias[j] for j, v in d.items()]) << self.g
        ends = sum([r * self.box[r < 0][j] for j, r in form.items()])
        if self.ball:  # inputs that reach the box before the ball stop there; the others share what is left of the radius
            centre, left, free, met = self.ball["centre"], self.ball["radius"] ** 2, form, True
            while met:
                size, gaps = sum([r * r for r in free.values()]), {j: centre[j] - self.box[r < 0][j] for j, r in free.items()}
                met = {j: gap**2 for j, gap in gaps.items() if gap**2 * size < left * free[j] ** 2}
                left, free = left - sum(met.values()), {j: r for j, r in free.items() if j not in met}
            low = sum([r * (centre[j] if j in free else self.box[r < 0][j]) for j, r in form.items()])
            ends = max(ends, low - math.isqrt(size * left) - 1)
        return total + (part + ends >> s + scale)
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
        part = copy.copy(self)
        part.low, part.high, part.corners = self.low[:], self.high[:], dict(self.corners)
        (part.low if on else part.high)[unit] = max(part.low[unit], 0) if on else min(part.high[unit], 0)
        _ = unit in part.corners and part.meet(*part.corners[unit][:2])
        return part
    def least(self, tree, goal):  # a lower bound of a goal, proved by a tree; infinity if the part is empty
        stack, least = [(self, tree)], math.inf
        while stack:
            part, node = stack.pop()
            entries(node, "unit on off" if "unit" in node else "leaf goal")
            if "unit" in node:
                require(type(node["unit"]) is int and 0 <= node["unit"] < self.network.units, f"no unit {node['unit']}")
                stack += [(part.split(node["unit"], side == "on"), node[side]) for side in ("on", "off")]
            elif not any(map(operator.gt, part.low, part.high)) and all(ends for _, _, ends in part.corners.values()):
                value = part.bound(len(self.network.layers) - 1, goal if node["goal"] else {}, node["leaf"])
                require(type(node["goal"]) is bool and value > 0, "a leaf's bound is not positive")
                least = min(least, Fraction(value, 2**self.g)) if node["goal"] else least
        return least
def least_margin(network, query):  # the lower bound of the margin that a query's proof gives
    if "boxes" in query:
        return runpy.run_path(str(pathlib.Path(__file__).with_name("check_boxes.py")))["least_margin"](network, query)
    if "points" not in query:
        root = Part(network, query)
        return min([root.least(*pair) for pair in zip(query["trees"], network.goals(query["label"]), strict=True)])
    points, ends = [*map(rational, query["points"])], [Fraction(query[v][0], 2 ** query["scale"]) for v in ("lower", "upper")]
    require(network.inputs == 1 and [points[0], points[-1]] == ends and points == sorted(points), "points must span the set")
    least = []  # some points at a time, with one in common
    for k in range(0, max(1, len(points) - 1), 255):
        margins, units = network.evaluate([[x] for x in points[k : k + 256]], query["label"])
        require(all(min(map(operator.mul, z, z[1:]), default=0) >= 0 for z in units), "a unit changes sign between two points")
        least.append(min(margins))
    return min(least)
def check(network, query, of=""):  # why a query is rejected, or "" if its proof holds; only margin networks have groups
    try:
        ways = {"refuted": "witness", "proved": "bound " + ({"points", "boxes"} & {*query} or {"pairs facts trees"}).pop()}
        require(query["verdict"] in ways, "the verdict is neither proved nor refuted")
        entries(query, "label verdict scale lower upper " + ways[query["verdict"]], "ball difference" + " groups" * bool(of))
        g, lower, upper, ball = query["scale"], query["lower"], query["upper"], query.get("ball")
        centre, radius = (entries(ball, "centre radius") or ball["centre"], ball["radius"]) if "ball" in query else (lower, 0)
        def inside(x):  # a point times 2^g
            away = sum([(v - c) ** 2 for v, c in zip(x, centre)]) if ball else 0
            return all(a <= v <= b for a, v, b in zip(lower, x, upper, strict=True)) and away <= radius**2
        require(all(type(v) is int for v in (g, radius, *lower, *upper, *centre)) and g >= 0 <= radius, "no set of integers")
        require(g <= SCALE and len(lower) == len(upper) == len(centre) == network.inputs, "the set has a wrong size or scale")
        require((lost := rational(query.get("difference", "0"))) >= 0, "a difference is negative")
        require(inside([min(max(a, c), b) for a, c, b in zip(lower, centre, upper)]), "the set is empty")
        if query["verdict"] == "refuted":
            point = [*map(rational, query["witness"])]
            require(inside([x * 2**g for x in point]), "the witness is outside")
            require(network.evaluate([point], query["label"])[0][0] <= -lost, "no counterexample")
        else:
            require(lost < rational(query["bound"]) <= least_margin(network, query), "the proof does not give the bound")
    except Exception as error:  # whatever goes wrong, nothing is proved
        return plain(error)
    return ""
def plain(error):  # one line without foreign characters: it may quote the file
    return ascii(f"{type(error).__name__}: {error}"[:200])[1:-1]
def show(value, way=None):  # a rational in nine digits, rounded in a way, or with "~" if they are not read as the float64 it is
    found = decimal.Context(9, way, traps=[]).divide(*map(decimal.Decimal, value.as_integer_ratio())).normalize()
    text = format(found, "f") if -9 < found.adjusted() < 15 else str(found)
    return "~" * (way is None and value != float(text)) + text
def spot(point):  # a point, in words
    return f"({', '.join(map(show, point))})" if len(point) < 5 else f"a point of dimension {len(point)}"
def words(network, query, of):  # what a query states that was checked and accepted
    ball, label = [*query["ball"]["centre"], query["ball"]["radius"]] if "ball" in query else [], query["label"]
    lower, upper, ball = [[Fraction(v, 2 ** query["scale"]) for v in side] for side in (query["lower"], query["upper"], ball)]
    box, wide = " x ".join(f"[{show(a)}, {show(b)}]" for a, b in zip(lower, upper)), show(max(map(operator.sub, upper, lower)))
    region = f"the box {box}" if len(lower) < 5 else f"a box of dimension {len(lower)}, widest side {wide}"
    region = f"the l_2 ball around {spot(ball[:-1])} of radius {show(ball[-1])} in {region}" if ball else region
    point, lost = [*map(rational, query.get("witness", []))], rational(query.get("difference", "0"))
    value = network.evaluate([point], label)[0][0] if point else rational(query["bound"])
    way, far = (decimal.ROUND_CEILING, value + lost) if point else (decimal.ROUND_FLOOR, value - lost)
    source = f" (its source: {show(far, way)}, if the difference is no more than the file says)" if lost else ""
    text = f"refuted: margin {show(value, way)} <= 0" if point else f"proved: margin >= {show(value, way)} > 0"
    of += f" against one output of each of {query['groups']}" if {"boxes", "groups"} <= {*query} else ""
    return f"{text}{source} for label {label}{of} {f'at {spot(point)} in' if point else 'on'} {region}"
def digest(network):  # SHA-256 of a network's description
    return hashlib.sha256(json.dumps(network, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
def origin(source):  # what the network was read from, as the certificate says: its kind and SHA-256
    entries(source, "kind digest", "parameters merged carried rounded difference")
    name, rule = f"{source['kind']} {source['digest']}", "[ .A-Za-z]{1,20}( [(][ .,A-Za-z]{1,60}[)])? [0-9a-f]{64}"
    return require(re.fullmatch(rule, name), "a source is not named by kind and SHA-256") or name
def judge(data, of=""):  # (why it is rejected or "", what it states) for each query of a certificate
    if data["format"] == PROPERTY and not of:  # parts are certificates; that they are about this property is not checked here
        return [v for p in entries(data, "format source parts") or data["parts"] for v in judge(p, " of a margin network")]
    entries(data, "format network digest queries", "conjuncts constraints" if of else "source")
    require(data["format"] == FORMAT, f"the format is not {FORMAT}")
    require(data["digest"] == digest(data["network"]), "the network does not have this digest")
    net, name = Network(data["network"]), data["digest"][:16]
    return [(r, "" if r else f"{words(net, q, of)}; network {name}") for q in data["queries"] for r in [check(net, q, of)]]
def main(path="", *more):  # check a certificate; 0 if it holds queries and all are accepted
    require(path and len(more) in (0, 2) and {*more[:1]} <= {"--network"}, f"usage: {__doc__.split('`')[1]}; see --help")
    found, whole, source = judge(data := read(path)), data["format"] == PROPERTY, data.get("source") and origin(data["source"])
    for file in map(str, more[1:]):
        seen = hashlib.sha256((gzip.decompress if file.endswith(".gz") else bytes)(pathlib.Path(file).read_bytes())).hexdigest()
        require(source and seen == source[-64:], f"{file} is not {source or 'a file that is named'}")
    _ = [print(f"query {i}: {f'rejected: {why}' if why else f'accepted as {what}'}") for i, (why, what) in enumerate(found)]
    hint = f"(cgro check-certificate CERT --network FILE{' --vnnlib FILE' * whole} does)"
    _ = whole and print(f"property: not compared, nor that these are margins of it and their boxes leave no gap {hint}")
    seen = "compared, layers not" if more else "and layers not compared"
    _ = source and print(f"source: {source[:-48]}; SHA-256 {seen} {hint}")
    return int(any(reason for reason, _ in found)) if found else sys.exit("rejected: it holds no query")
if __name__ == "__main__":
    try:
        sys.exit(print(__doc__) if sys.argv[1:] in (["--help"], ["-h"]) else main(*sys.argv[1:]))
    except Exception as error:
        sys.exit(f"rejected: {plain(error)}")
