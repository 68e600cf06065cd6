# fmt: off
"""Checks certificates by a program extracted from Coq: `python check_verified.py CERT.json`, once `make checker` has built it.

`check_certificate.py`, beside this file, reads the file: format, digest, numbers taken exactly, sets that are not empty. This
file writes network and queries as integers for the program (PROGRAM, or what $CGRO_CHECKER names) and prints its verdicts. The
program is `check_query` of proofs/checker/Certificate.v, whose theorem `check_query_sound` says: what it accepts holds at all
real points of the set (or at the witness). Trusted are Coq and its extraction (ExtractChecker.v says what it replaces), OCaml,
zarith, main.ml, which reads what is written here, and these two files; not trusted: pairs, facts, trees, multipliers, boxes and
points. Not covered, and so rejected: facts of nodes (`targets`)."""
import functools, math, os, pathlib, runpy, subprocess, sys
PROGRAM = pathlib.Path(__file__).parents[2] / "proofs" / "checker" / "ml" / "check"
TRUSTED = "checked by check_query, extracted from Coq; trusted: Coq, its extraction, OCaml, zarith, and the readers"
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
    return path
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
        for unit, sign, multipliers in query["facts"]:
            i, k = self.place(unit)
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
    done = subprocess.run([program()], input=text, capture_output=True, text=True, check=False)
    verdicts = iter(done.stdout.split())
    said = {"accepted": "", "rejected": "ValueError: the proof does not give the bound, or the point is no counterexample"}
    failed = f"the program failed: {done.stderr.strip()[:100] or done.returncode}"
    return [reason or said.get(next(verdicts, ""), failed) for reason in found]
def judge(data):  # as in check_certificate.py
    return beside("check_certificate.py")["judge"](data, checks=reasons)
def main(path="", *more):  # check a certificate; 0 if it holds queries and all are accepted
    require(path and not more, "usage: python check_verified.py CERT.json")
    found = judge(beside("check_certificate.py")["read"](path))
    _ = [print(f"query {i}: {f'rejected: {why}' if why else f'accepted as {what}'}") for i, (why, what) in enumerate(found)]
    _ = found and print(TRUSTED)
    return int(any(reason for reason, _ in found)) if found else sys.exit("rejected: it holds no query")
if __name__ == "__main__":
    try:
        sys.exit(print(__doc__) if sys.argv[1:] in (["--help"], ["-h"]) else main(*sys.argv[1:]))
    except Exception as error:
        sys.exit(f"rejected: {beside('check_certificate.py')['plain'](error)}")
