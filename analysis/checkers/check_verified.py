# fmt: off
"""Checks certificates by a program extracted from Coq: `python check_verified.py CERT.json`, once `make checker` has built it.

`check_certificate.py`, beside this file, reads the file: format, digest, numbers taken exactly, sets that are not empty. This
file writes network and queries as integers for the program (PROGRAM, or what $CGRO_CHECKER names) and prints its verdicts. The
program is `check_query` of proofs/checker/Certificate.v, whose theorem `check_query_sound` says: what it accepts holds at all
real points of the set (or at the witness). For certificates of memorization (l_inf, variant lean) it is `check_memorized`; its
theorem `check_memorized_sound` is about all balls at once, by intervals through the weights that are there. Trusted are Coq and
its extraction (ExtractChecker.v says what it replaces), OCaml, zarith, main.ml, which reads what is written here, this file and
what it takes of check_certificate.py, check_trees.py and check_memorization.py; not trusted: pairs, facts, trees, multipliers,
boxes and points. Values at witnesses and comparisons with files are Python's. Not covered, so rejected: facts of nodes
(`targets`) and of two units, weights of balls; memorization in l_2, of variant gate, or refuted."""
import decimal, functools, hashlib, json, math, os, pathlib, runpy, subprocess, sys
PROGRAM = pathlib.Path(__file__).parents[2] / "proofs" / "checker" / "ml" / "check"
TRUSTED = "the queries were checked by {}, extracted from Coq; trusted: Coq, its extraction, OCaml, zarith, and the readers in \
Python, which also find the values at witnesses and compare with networks and properties"
@functools.cache
def beside(name):  # what a file beside this one defines
    return runpy.run_path(str(pathlib.Path(__file__).with_name(name)))
def require(condition, reason):  # or reject
    if not condition:
        raise ValueError(reason)
def program():  # the path of the program
    path = pathlib.Path(os.environ.get("CGRO_CHECKER") or PROGRAM)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}: `make checker` builds the verified checker, $CGRO_CHECKER names another")
    sources = [*PROGRAM.parents[1].glob("*.v"), *PROGRAM.parent.glob("m*.ml")] if path == PROGRAM else []
    if any(source.stat().st_mtime > path.stat().st_mtime for source in sources):
        raise ValueError(f"{path} is older than what it is made from: `make checker` builds it again")
    return path
def trusted():  # whose word the verdicts are
    return TRUSTED.format(program())
def listing(items):  # their number, and each
    items = [*items]
    return " ".join([str(len(items)), *items])
def integers(values):  # in hexadecimal: long decimals are slow
    values = [*values]
    require({*map(type, values)} <= {int}, "a number is no integer")
    return listing(map(hex, values))
def fractions(texts):  # over one denominator: that, and the numerators
    values = [*map(beside("check_certificate.py")["rational"], texts)]
    over = math.lcm(*[v.denominator for v in values])
    return over, [v.numerator * (over // v.denominator) for v in values]
class Writer:  # of a network and queries, as ml/main.ml reads them
    def __init__(self, network):
        self.network, self.hidden, width = network, len(network.layers) - 1, network.inputs
        texts = []
        for rows, bias, scale in network.layers:
            lines = (listing(f"{j} {w:#x}" for j, w in sorted(row)) + f" {b:#x}" for row, b in zip(rows, bias, strict=True))
            texts.append(f"{scale} {width} {listing(lines)}")
            width = len(rows)
        self.layers = f"{listing(texts[:-1])}\n{texts[-1]}"
    def place(self, unit):  # layer and number in it of a hidden unit
        require(type(unit) is int and 0 <= unit < self.network.units, f"no unit {unit}")
        i = max(i for i, start in enumerate(self.network.starts[:-2]) if start <= unit)
        return i, unit - self.network.starts[i]
    def multipliers(self, data, layer):  # one list for each layer below, from the top; those of other units have no effect
        require(len(data) == 3, "multipliers with the weight of a ball are not covered by the verified checker")
        s, factors = beside("check_trees.py")["read_multipliers"](data)
        lists = [[] for _ in range(layer)]
        for unit, v in factors.items():
            i, k = self.place(unit) if 0 <= unit < self.network.units else (layer, 0)
            if i < layer:
                row = lists[layer - 1 - i]
                row += [0] * (k + 1 - len(row))
                row[k] = v
        return f"{s:#x} {listing(map(integers, lists))}"
    def tree(self, root):  # nodes, each before those below it
        words, stack, entries = [], [root], beside("check_trees.py")["entries"]
        while stack:
            node = stack.pop()
            entries(node, "unit on off" if "unit" in node else "leaf goal", "facts")
            require(not node.get("facts"), "facts of nodes are not covered by the verified checker")
            if "unit" in node:
                i, k = self.place(node["unit"])
                words.append(f"split {self.hidden - 1 - i} {k}")
                stack += [node["off"], node["on"]]
            else:
                require(type(node["goal"]) is bool, "a leaf has a goal or has none")
                words.append(f"{'goal' if node['goal'] else 'empty'} {self.multipliers(node['leaf'], self.hidden)}")
        return " ".join(words)
    def bounds(self, query):  # partners and facts of each layer, and the trees
        require("targets" not in query, "facts of nodes are not covered by the verified checker")
        members, partners, facts, last = [k for pair in query["pairs"] for k in pair], [{} for _ in range(self.hidden)], {}, 0
        require({*map(type, members)} <= {int} and len({*members}) == len(members), "a unit is in two pairs")
        for p, q in query["pairs"]:
            if min(p, q) >= 0 and max(p, q) < self.network.units and self.place(p)[0] == self.place(q)[0]:
                i, k = self.place(min(p, q))
                partners[i][k] = abs(q - p) - 1
        for unit, sign, multipliers, *other in query["facts"]:
            i, k = self.place(unit)
            require(not other, "facts of two units are not covered by the verified checker")
            require(type(sign) is int and sign in (-1, 1), "the sign of a fact must be -1 or 1")
            require(i >= last, "facts must be about hidden units, in the order of the layers")
            last = i
            facts.setdefault(i, []).append(f"{k} {'lower' if sign > 0 else 'upper'} {self.multipliers(multipliers, i)}")
        notes = [listing(str(own.get(k, "-")) for k in range(max(own, default=-1) + 1)) for own in partners]
        notes = [f"{own} {listing(facts.get(i, []))}" for i, own in enumerate(notes)]
        return f"bounds {listing(notes)} {listing(map(self.tree, query['trees']))}"
    def boxes(self, query):  # the outputs' groups and the boxes, each before those in it
        goal, words, stack = "label", [], [query["boxes"]]
        if "groups" in query:
            outputs, groups = range(len(self.network.layers[-1][1])), query["groups"]
            require(groups and all(type(k) is int and k in outputs for v in groups for k in v), "a group must hold outputs")
            require(all(len({*group}) == len(group) for group in groups), "a group names an output twice")
            goal = "groups " + listing(map(integers, groups))
        while stack:
            node = stack.pop()
            if "input" in node:
                require({*node} == {"input", "at", "below", "above"}, "a split has other entries")
                require(type(node["input"]) is type(node["at"]) is int and node["input"] >= 0, "a split is not of integers")
                words.append(f"split {node['input']} {node['at']:#x}")
                stack += [node["above"], node["below"]]
            else:
                require({*node} == ({"mix"} if "groups" in query else set()), "a leaf has wrong entries")
                words.append(f"mixes {listing(map(integers, node.get('mix', [])))}")
        return f"boxes {goal} {' '.join(words)}"
    def points(self, query):  # from one end of the interval to the other
        points = [*map(beside("check_certificate.py")["rational"], query["points"])]
        ends = [query[side][0] for side in ("lower", "upper")]
        require([points[0] * 2 ** query["scale"], points[-1] * 2 ** query["scale"]] == ends, "points must span the set")
        require(self.network.inputs == 1 and points == sorted(points), "points must be in order, on a line")
        return "points " + listing(f"{v.denominator:#x} {v.numerator:#x}" for v in points)
    def query(self, query, lost):  # all of it; `stated` has checked its form
        require(type(query["label"]) is int, "no such label")
        edges = listing(f"{a:#x} {b:#x}" for a, b in zip(query["lower"], query["upper"], strict=True))
        ball = f"ball {integers(query['ball']['centre'])} {query['ball']['radius']:#x}" if "ball" in query else "box"
        if query["verdict"] == "refuted":
            bound, (over, numerators) = -lost, fractions(query["witness"])
            proof = f"witness {over:#x} {integers(numerators)}"
        else:
            bound = beside("check_certificate.py")["rational"](query["bound"])
            kind = next((name for name in ("points", "boxes") if name in query), "bounds")
            proof = {"points": self.points, "boxes": self.boxes, "bounds": self.bounds}[kind](query)
        return f"{query['scale']} {edges} {ball} {query['label']:#x} {bound.numerator:#x} {bound.denominator:#x} {proof}"
def reasons(network, queries, of):  # why each query is rejected, or "" if the program accepts it
    checker, writer, texts, found = beside("check_certificate.py"), Writer(network), [], []
    for query in queries:
        try:
            texts.append(writer.query(query, checker["stated"](network, query, of)))
            found.append("")
        except Exception as error:
            found.append(checker["plain"](error))
    text = f"{writer.layers}\n{listing(texts)}\n"
    wrong = "ValueError: the proof does not give the bound, or the point is no counterexample"
    verdicts = iter(answers("queries " + text, wrong, len(texts)))
    return [reason or next(verdicts) for reason in found]
def answers(text, rejected, count):  # of the program: "" where it accepts, else why not; all failed unless it ends well
    done = subprocess.run([program()], input=text, capture_output=True, text=True, check=False)
    said, told = {"accepted": "", "rejected": rejected}, done.stdout.split()
    if done.returncode or len(told) != count or not {*told} <= {*said}:
        return [f"the program failed: {done.stderr.strip()[:100] or done.returncode}"] * count
    return [said[word] for word in told]
def floats(rows):  # lists of floats as float.hex() writes them, over one power of 2: its exponent, and the integers
    values = [[float.fromhex(text) for text in row] for row in rows]
    require(all(v.hex() == text for row, own in zip(rows, values) for text, v in zip(row, own)), "a float is not as written")
    ratios = [[v.as_integer_ratio() for v in row] for row in values]
    g = max([bottom.bit_length() - 1 for row in ratios for _, bottom in row], default=0)
    return g, [[top << g + 1 - bottom.bit_length() for top, bottom in row] for row in ratios]
def sparse(table, width, fresh):  # rows of a layer: their first column, from 0 or from the row before, and weights from there
    texts, last = [], 0
    for columns, weights in table:
        require(all(type(j) is int and 0 <= j < width for j in columns) and len({*columns}) == len(columns), "wrong columns")
        row = dict(zip(columns, weights, strict=True))
        first = min(row, default=0)
        start, last = (0, first) if fresh or first < last else (last, first)
        listed = [row.get(j, 0) for j in range(first, max(row, default=-1) + 1)]
        texts.append(f"{min(start, 1)} {first - start} {integers(listed)}")
    return texts
def wants(points, labels, units, far):  # what proves each ball: its own indicator, and one unit of each of another label; hints
    others = ["whole"] * (units - len(points))
    for i, (x, label) in enumerate(zip(points, labels)):
        found = ["-"] * len(points)
        found[i] = "whole"
        for k, (z, other) in enumerate(zip(points, labels)):
            if other != label:
                j = next((j for j, (a, b) in enumerate(zip(x, z)) if not -far < a - b < far), 0)
                found[k] = str(2 * j + (x[j] < z[j]))
        yield listing(others + found)
def memorized(data):  # what a certificate of memorization proves, in words; ValueError if the program does not accept it
    old, cert = beside("check_memorization.py"), beside("check_certificate.py")
    old["_entries"](data, old["CLAIM"], "checker reason")
    kind = [data[name] for name in ("norm", "variant", "verdict")]
    require(kind == ["inf", "lean", "proved"], "not covered by the verified checker: memorization is, in l_inf, lean, proved")
    require(data["format"] == "cgro memorization certificate 1" and data["kind"] == "memorization", "unknown format")
    require(cert["digest"](data["network"]) == data["digest"], "the digest is another network's")
    old["_entries"](data["network"], "inputs layers")
    layers, d, y, claim = data["network"]["layers"], data["network"]["inputs"], data["labels"], cert["rational"](data["margin"])
    require(type(d) is int and d > 0 and all({*layer} == {"rows", "bias"} for layer in layers), "no network")
    require(all(len(layer["rows"]) == len(layer["bias"]) > 0 for layer in layers), "sizes of a layer")
    g, (*biases, (radius,)) = floats([*(layer["bias"] for layer in layers), *data["points"], [data["radius"]]])
    biases, points, texts, width = biases[: len(layers)], biases[len(layers) :], [], d
    for layer, bias in zip(layers, biases, strict=True):
        shift, weights = floats([numbers for _, numbers in layer["rows"]])
        rows = sparse([(columns, own) for (columns, _), own in zip(layer["rows"], weights)], width, not texts)
        texts.append(f"{shift} {listing(f'{row} {b:#x}' for row, b in zip(rows, bias))}")
        width = len(rows)
    require(claim > 0 and radius >= 0 and all(type(v) is int for v in y), "nothing is claimed")
    require(len(points) == len(y) > 0 and all(0 <= v <= 1 << g for row in points for v in row), "points")
    far = int(sum([float.fromhex(data[name]) for name in ("outer", "radius")]) * 2**g)
    hints = wants(points, y, len(layers[1]["rows"]) if layers[1:] else 0, far)
    listed = listing(f"{integers(row)} {label:#x} {hint}" for row, label, hint in zip(points, y, hints))
    claimed = f"{radius:#x} {claim.numerator:#x} {claim.denominator:#x}"
    text = f"memorized {g} {listing(texts[:-1])} {texts[-1]} {d} {claimed} {listed}"
    (reason,) = answers(text, "intervals do not give the margin on each ball", 1)
    require(not reason, reason)
    seen = hashlib.sha256(json.dumps([data["points"], y]).encode()).hexdigest()[:16]
    where = f"points of [0, 1]^{d} within l_inf distance {old['_show'](old['Q'](radius, 1 << g))} of one of its {len(y)} points"
    about = f"network {data['digest'][:16]} ({d} inputs, {len(layers)} layers, {width} output{'s' * (width > 1)})"
    least = old["_show"](claim, decimal.ROUND_FLOOR)
    return f"proved: margin >= {least} > 0 for the label of the centre at all {where} (SHA-256 with labels {seen}); {about}"
def judge(data):  # as in check_certificate.py
    return beside("check_certificate.py")["judge"](data, checks=reasons)
def main(path="", *more):  # check a certificate; 0 if it holds queries and all are accepted
    program()
    data = beside("check_certificate.py")["read"](path) if path and not more else None
    if type(data) is dict and data.get("kind") == "memorization":
        print(f"query 0: accepted as {memorized(data)}")
        wrong = 0
    else:
        wrong = beside("check_certificate.py")["main"](path, *more, checks=reasons)
    print(trusted())
    return wrong
if __name__ == "__main__":
    try:
        sys.exit(print(__doc__) if sys.argv[1:] in (["--help"], ["-h"]) else main(*sys.argv[1:]))
    except Exception as error:
        sys.exit(f"rejected: {beside('check_certificate.py')['plain'](error)}")
