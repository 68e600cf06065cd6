# fmt: off
"""Checks certificates (format: docs/certificates.md), in integers: `python check_certificate.py CERT.json [--network FILE]`.
Checked: each query, for the layers in CERT; with --network, that FILE has the SHA-256 CERT names. Not checked: that they are
FILE's layers, or margins of a property (see `cgro check-certificate`). What proofs give is computed from integers by files
beside this one, check_trees.py (bounds of units) and check_boxes.py (boxes that are split); with one input, here, by points
between which no unit changes sign. Weights are over 2^scale, inputs over 2^g. What is printed was checked, or it says not."""
import decimal, functools, gzip, hashlib, json, math, operator, pathlib, re, runpy, sys
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
    return Fraction(*map(int, text.split("/")))
def read(path):  # a JSON file
    text = pathlib.Path(path).read_text("utf-8")
    return json.loads(text, object_pairs_hook=once, parse_float=decimals, parse_constant=decimals)  # integers: 4300 digits
def over(scale, number):  # a float64 times 2^scale, which makes it an integer
    top, bottom = number.as_integer_ratio()
    return top << scale + 1 - bottom.bit_length()
class Network:  # layers (rows of (column, weight), bias, scale), and dense rows as one long integer each to combine them
    def __init__(self, data):
        entries(data, "inputs layers")
        require(type(data["inputs"]) is int and data["inputs"] > 0, "no inputs")
        self.layers, self.packed, self.starts, self.inputs, self.growth = [], [], [0], data["inputs"], 0  # of values, in bits
        width, self.full = self.inputs, []  # dense rows once more, with zeros, and their absolute values
        for layer in data["layers"]:
            entries(layer, "rows bias")
            rows, bias = [once(zip(*row, strict=True)) for row in layer["rows"]], layer["bias"]  # {column: weight}
            numbers = [w for row in rows for w in row.values()] + bias
            require(all(type(w) in (int, float) and math.isfinite(w) and float(w) == w for w in numbers), "no float64")
            require(all(type(j) is int and 0 <= j < width for row in rows for j in row), "a column is out of range")
            require(len(rows) == len(bias) > 0, "a layer does not have as many rows as biases, or none")
            scale = max([w.as_integer_ratio()[1].bit_length() - 1 for w in numbers])
            rows = [[(j, over(scale, w)) for j, w in row.items() if w] for row in rows]
            longest = max([w.bit_length() for row in rows for _, w in row], default=0)
            size, dense = (longest + len(rows).bit_length() + WORD) // 8 + 1, 4 * sum(map(len, rows)) > width * len(rows)
            shift = int.from_bytes((1 << 8 * size - 1).to_bytes(size, "little") * width, "little") if dense else 0
            self.packed.append(([sum([w << 8 * size * j for j, w in row]) for row in rows if dense], size, width, shift))
            self.layers.append((rows, [over(scale, b) for b in bias], scale))
            every = [[*map(dict(row).get, range(width), [0] * width)] for row in rows if dense]
            self.full.append((every, [[*map(abs, row)] for row in every]))
            self.starts.append(self.starts[-1] + len(rows))
            self.growth, width = self.growth + scale + longest, len(rows)
        self.units = self.starts[-2]  # hidden ones, numbered through the layers; the outputs come after them
    def times(self, layer, x, sizes=False):  # a layer's rows, or their absolute values, times a column
        if self.full[layer][sizes]:
            return [sum(map(operator.mul, row, x)) for row in self.full[layer][sizes]]
        return [sum([(abs(w) if sizes else w) * x[j] for j, w in row]) for row in self.layers[layer][0]]
    def combine(self, layer, factors):  # the sum of a layer's rows times factors, {column: integer}
        (packed, size, width, shift), out = self.packed[layer], {}
        if len(factors) == 1:
            return {j: v * w for k, v in factors.items() for j, w in self.layers[layer][0][k]}
        if packed and max(map(abs, factors.values()), default=0) >> WORD == 0:
            half, total, read = 1 << 8 * size - 1, shift + sum([v * packed[k] for k, v in factors.items()]), int.from_bytes
            raw = total.to_bytes(size * width, "little")
            return {j: read(raw[k : k + size], "little") - half for j, k in enumerate(range(0, size * width, size))}
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
        for i, (_, bias, scale) in enumerate(self.layers):
            sums = zip(*[self.times(i, x) for x in below])
            found = [[b * w + v for v, w in zip(row, weights)] for row, b in zip(sums, bias)]
            weights, below = [w << scale for w in weights], [[max(v, 0) for v in z] for z in zip(*found)]
            units += found
        margins = [[sum([x * units[k][i] for k, x in goal.items()]) for goal in self.goals(label)] for i in range(len(points))]
        return [Fraction(min(v), w) for v, w in zip(margins, weights)], units[: self.units]
@functools.cache
def beside(name):  # what a file beside this one defines
    return runpy.run_path(str(pathlib.Path(__file__).with_name(name)))
def least_margin(network, query):  # the lower bound of the margin that a query's proof gives
    if "points" not in query:
        return beside("check_boxes.py" if "boxes" in query else "check_trees.py")["least_margin"](network, query)
    points, ends = [*map(rational, query["points"])], [Fraction(query[v][0], 2 ** query["scale"]) for v in ("lower", "upper")]
    require(network.inputs == 1 and [points[0], points[-1]] == ends and points == sorted(points), "points must span the set")
    least = []  # some points at a time, with one in common
    for k in range(0, max(1, len(points) - 1), 255):
        margins, units = network.evaluate([[x] for x in points[k : k + 256]], query["label"])
        require(all(min(map(operator.mul, z, z[1:]), default=0) >= 0 for z in units), "a unit changes sign between two points")
        least.append(min(margins))
    return min(least)
def stated(network, query, of=""):  # reject what is no query; the difference from the source. Only margin networks have groups
    ways = {"refuted": "witness", "proved": "bound " + ({"points", "boxes"} & {*query} or {"pairs facts trees"}).pop()}
    require(query["verdict"] in ways, "the verdict is neither proved nor refuted")
    more = "ball difference" + " targets" * ("trees" in query) + " groups" * bool(of)
    entries(query, "label verdict scale lower upper " + ways[query["verdict"]], more)
    g, lower, upper, ball = query["scale"], query["lower"], query["upper"], query.get("ball")
    centre, radius = (entries(ball, "centre radius") or ball["centre"], ball["radius"]) if "ball" in query else (lower, 0)
    def inside(x):  # a point times 2^g
        away = sum([(v - c) ** 2 for v, c in zip(x, centre)]) if ball else 0
        return all(a <= v <= b for a, v, b in zip(lower, x, upper, strict=True)) and away <= radius**2
    require(all(type(v) is int for v in (g, radius, *lower, *upper, *centre)) and g >= 0 <= radius, "no set of integers")
    require(g <= SCALE and len(lower) == len(upper) == len(centre) == network.inputs, "the set has a wrong size or scale")
    require((lost := rational(query.get("difference", "0"))) >= 0, "a difference is negative")
    require(inside([min(max(a, c), b) for a, c, b in zip(lower, centre, upper)]), "the set is empty")
    require(query["verdict"] == "proved" or inside([rational(v) * 2**g for v in query["witness"]]), "the witness is outside")
    require(query["verdict"] == "refuted" or lost < rational(query["bound"]), "the proof does not give the bound")
    return lost
def check(network, query, of=""):  # why a query is rejected, or "" if its proof holds
    try:
        lost = stated(network, query, of)
        if query["verdict"] == "refuted":
            point = [*map(rational, query["witness"])]
            require(network.evaluate([point], query["label"])[0][0] <= -lost, "no counterexample")
        else:
            require(rational(query["bound"]) <= least_margin(network, query), "the proof does not give the bound")
    except Exception as error:  # whatever goes wrong, nothing is proved
        return plain(error)
    return ""
def plain(error):  # one line without foreign characters: it may quote the file
    return ascii(f"{type(error).__name__}: {error}"[:200])[1:-1]
def show(value, way=None):  # a rational in nine digits, rounded in a way, or with "~" if they are not read as the float64 it is
    found = decimal.Context(9, way, traps=[]).divide(*map(decimal.Decimal, value.as_integer_ratio())).normalize()
    text = format(found, "f") if -9 < found.adjusted() < 15 else str(found)
    return "~" * (way is None and value != float(text)) + text
def tag(numbers):  # tells long points and boxes apart
    return f"(SHA-256 {hashlib.sha256(' '.join(map(str, numbers)).encode()).hexdigest()[:12]})"
def spot(point):  # a point, in words
    return f"({', '.join(map(show, point))})" if len(point) < 5 else f"a point of dimension {len(point)} {tag(point)}"
def words(network, query, of):  # what a query states that was checked and accepted
    ball, label = [*query["ball"]["centre"], query["ball"]["radius"]] if "ball" in query else [], query["label"]
    lower, upper, ball = [[Fraction(v, 2 ** query["scale"]) for v in side] for side in (query["lower"], query["upper"], ball)]
    box, wide = " x ".join(f"[{show(a)}, {show(b)}]" for a, b in zip(lower, upper)), show(max(map(operator.sub, upper, lower)))
    region = f"the box {box}" if len(lower) < 5 else f"a box of dimension {len(lower)} {tag(lower + upper)}, widest side {wide}"
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
def check_all(network, queries, of):  # the same of all queries
    return [check(network, query, of) for query in queries]
def judge(data, of="", checks=check_all):  # (why it is rejected or "", what it states) for each query of a certificate
    if data["format"] == PROPERTY and not of:  # parts are certificates; that they are about this property is not checked here
        parts = entries(data, "format source parts") or data["parts"]
        return [v for p in parts for v in judge(p, " of a margin network", checks)]
    entries(data, "format network digest queries", "conjuncts constraints" if of else "source")
    require(data["format"] == FORMAT, f"the format is not {FORMAT}")
    require(data["digest"] == digest(data["network"]), "the network does not have this digest")
    net, name = Network(data["network"]), data["digest"][:16]
    found = zip(checks(net, data["queries"], of), data["queries"], strict=True)
    return [(r, "" if r else f"{words(net, q, of)}; network {name}") for r, q in found]
def unread(error):  # in words, why a file is not read
    if isinstance(error, UnicodeDecodeError):
        return "it is not text (UTF-8), as JSON is"
    return f"it is not JSON: {plain(error)}" if isinstance(error, json.JSONDecodeError) else plain(error)
def stranger(path):  # in words, why a file is not for this checker, or ""
    try:
        data = read(path)
    except (ValueError, ArithmeticError, RecursionError) as error:  # no JSON, or not as a certificate has it
        return f"not a certificate: {unread(error)}"
    name = data.get("format") if type(data) is dict else None
    others = {"memorization": "check_memorization.py checks", "balls": "check_balls.py, with the points, checks"}
    other = next((f"{who} this one" for kind, who in others.items() if name == f"cgro {kind} certificate 1"), "")
    unknown = "" if name in (FORMAT, PROPERTY) else f'its "format" is neither "{FORMAT}" nor "{PROPERTY}"'
    return f"not a certificate of margins: {other}" if other else unknown and f"not a certificate: {unknown}"
def main(path="", *more, checks=check_all):  # check a certificate; 0 if it holds queries and all are accepted
    require(path and len(more) in (0, 2) and {*more[:1]} <= {"--network"}, f"usage: {__doc__.split('`')[1]}; see --help")
    _ = (why := stranger(path)) and sys.exit(f"rejected: {why}")
    found, whole = judge(data := read(path), checks=checks), data["format"] == PROPERTY
    source = data.get("source") and origin(data["source"])
    ask = "cgro check-certificate CERT --network FILE compares layers"
    for file in map(str, more[1:]):
        no_file = f"CERT names no file that its network was read from{', but a module' * bool(source)}"
        _ = (source and source[:6] != "module") or sys.exit(f"rejected: {no_file}: {ask}")
        seen = hashlib.sha256((gzip.decompress if file.endswith(".gz") else bytes)(pathlib.Path(file).read_bytes())).hexdigest()
        require(seen == source[-64:], f"{file} is not the file that CERT names, {source[:-48]}...; {ask}")
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
