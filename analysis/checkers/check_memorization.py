"""Checks certificates of memorization: one file, only the standard library, rational numbers throughout.

    python check_memorization.py FILE.json                     exit 0: accepted, 1: rejected, with the reason

"proved": the network W_n relu(... relu(W_1 x + b_1) ...) + b_n has margin >= `margin` > 0 at all x in [0,1]^D within l_p
distance `radius` of points[i], for every i; "refuted": margin <= 0 at one such x. Margin: y f for y = -1 or +1 (one output),
else the least f_y - f_k. Floats are hexadecimal as float.hex() writes them, rationals "p/q". What is printed was checked.

    {"format": "cgro memorization certificate 1", "kind": "memorization", "verdict": "proved" or "refuted", "margin": "p/q",
     "norm": "inf" or "2", "radius": float, "points": [[float, ...], ...], "labels": [y, ...], "variant": "lean" or "gate",
     "m": depth of squaring, "inner", "outer": thresholds of the distance or its square, "bound": B >= |f_clean|,
     "witness": {"index": i, "point": ["p/q", ...]},                                                       refuted only
     "network": {"inputs": D, "layers": [{"rows": [[[columns], [floats]], ...], "bias": [floats]}, ...]},
     "digest": SHA-256 of the network as JSON with sorted keys and separators "," and ":",
     "checker", "reason": not looked at}                                               any other key, or one twice: rejected

Proof. The classifier is built again without rounding, with 2K units a layer in place of f_clean. The network's weights must
equal it but for f_clean's, which stand first; so must its biases but for what floats cannot hold: shifts of the l_inf distance
(first two layers, off by e[0], e[1]), squared norms of centres. An indicator is 1 (up to eps) on its ball if inner >=
radius^power + high, 0 on others if outer <= (distance - radius)^power - low: relu(a - b) + relu(b) = max(a, b) for b >= 0, and
squaring has 0 <= f_m(t) - t^2 <= 4^-(m+1). Capped sums of indicators open and close gates of height B exactly.
"""

import hashlib
import json
import math
import re
import sys
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction as Q
from itertools import accumulate, combinations
from pathlib import Path
from typing import Any

# fmt: off
Rows = list[dict[int, Q]]
Net = list[tuple[Rows, list[Q]]]
ZERO, ONE, HALF, SIGNS = Q(0), Q(1), Q(1, 2), [Q(1), Q(-1)]
LONG, DEEP = 1 << 16, 1 << 19  # most bits of a point's common denominator, and that the layers may add to it
FORMAT, BALLS = "cgro memorization certificate 1", "cgro balls certificate 1"
CLAIM = "format kind verdict margin norm radius points labels variant m inner outer bound network digest"
def _need(condition: bool, reason: str) -> Any:  # None
    if not condition:
        raise ValueError(reason)
def _entries(data: Any, names: str, more: str = "") -> None:  # an object with these keys, perhaps some more, and no others
    _need(type(data) is dict and {*names.split()} <= {*data} <= {*names.split(), *more.split()}, f"entries are not {names}")
def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return _need(len(dict(pairs)) == len(pairs), "a key is named twice") or dict(pairs)
def _number(text: str) -> Q:  # one text for each float
    v = float.fromhex(text)
    return _need(math.isfinite(v) and v.hex() == text, "a float is not written as float.hex() writes it") or Q(v)
def _rational(text: str) -> Q:
    return _need(bool(re.fullmatch("-?[0-9]{1,4300}(/[0-9]{1,4300})?", text)), "a rational is not written as p/q") or Q(text)
def _linear(rows: Rows) -> Net:
    return [(rows, [ZERO] * len(rows))]
def _split(n: int, weights: list[Q]) -> Rows:  # each of n numbers, times each weight
    return [{i: w} for i in range(n) for w in weights]
def _join(n: int, weights: list[Q]) -> Rows:  # n sums of neighbours
    return [{i * len(weights) + j: w for j, w in enumerate(weights)} for i in range(n)]
def _compose(*nets: Net) -> Net:  # the last acts first
    result = nets[-1]
    for net in reversed(nets[:-1]):
        (rows, shift), (inner, bias) = net[0], result[-1]
        merged: Rows = [{} for _ in rows]
        for row, sums in zip(rows, merged, strict=True):
            for w, j, v in ((w, j, v) for k, w in row.items() for j, v in inner[k].items()):
                sums[j] = sums.get(j, ZERO) + w * v
        moved = [sum((w * bias[k] for k, w in row.items() if bias[k]), b) for row, b in zip(rows, shift, strict=True)]
        result = [*result[:-1], ([{j: v for j, v in row.items() if v} for row in merged], moved), *net[1:]]
    return result
def _parallel(nets: list[Net], inputs: int = 0) -> Net:  # on one input, or on `inputs` numbers each
    layers, lefts = [], [i * inputs for i in range(len(nets))]
    for parts in zip(*nets, strict=True):
        rows = [{j + left: w for j, w in row.items()} for left, (part, _) in zip(lefts, parts, strict=True) for row in part]
        layers.append((rows, [b for _, bias in parts for b in bias]))
        lefts = [0, *accumulate(len(part) for part, _ in parts)][:-1]
    return layers
def _delay(net: Net, times: int, signs: list[Q]) -> Net:
    n, carry = len(net[-1][0]), _linear(_split(len(net[-1][0]) * len(signs), [ONE]))
    return _compose(_linear(_split(n, signs)) + carry * (times - 1) + _linear(_join(n, signs)), net) if times else net
def _chebyshev(c: list[Q]) -> Net:  # pairs of coordinates first, then maxima of neighbours
    pairs, odd = divmod(len(c), 2)
    rows = [row for k in range(0, 2 * pairs, 2) for row in ({k: ONE, k + 1: ONE}, {k: ONE, k + 1: -ONE}, {k: ONE})]
    bias = [v for a, b in zip(c[::2], c[1::2], strict=False) for v in (-a - b, b - a, ZERO)] + [-c[-1], c[-1]] * odd
    last = _join(pairs, [ONE, ONE, -ONE]) + [{3 * pairs: ONE, 3 * pairs + 1: ONE}] * odd
    net, n = [(rows + [{2 * pairs: s} for s in SIGNS * odd], bias), (last, c[: 2 * pairs : 2] + [ZERO] * odd)], pairs + odd
    while n > 1:
        odd, k = n % 2, n // 2
        rows = [row for i in range(odd, n, 2) for row in ({i: ONE, i + 1: -ONE}, {i + 1: ONE})] + [{0: ONE}] * odd
        net, n = _compose(_linear(rows) + _linear(_join(k, [ONE, ONE]) + [{2 * k: ONE}] * odd), net), k + odd
    return net

def _indicators(c: list[list[Q]], power: int, lean: bool, m: int, inner: Q, outer: Q) -> Net:
    n, d, slope, h, tooth = len(c), len(c[0]), 1 / (outer - inner), Q(4) ** -m, {0: Q(2), 1: Q(-4)}
    kept: Rows = [{0: -(Q(4) ** (2 - s)), 2: ONE} if s > 2 else {0: ONE} for s in range(2, m + 1)]
    squaring = [(_split(1, [ONE, ONE]), [ZERO, -HALF]), *(([tooth, tooth, row], [ZERO, -HALF, ZERO]) for row in kept)]
    squaring += _linear([{0: HALF, 1: ONE} if m == 1 else {0: -6 * h, 1: 4 * h, 2: ONE}])
    if power == 1 and lean:
        bias = [v for row in c for a in row for v in (-a - inner, a - inner)]
        return [(_split(d, SIGNS) * n, bias), (_join(n, [-slope] * (2 * d)), [ONE] * n), *_linear(_split(n, [ONE]))]
    if power == 1:
        distances = _parallel([_chebyshev(row) for row in c])
    elif lean:
        sums = _compose(_linear(_join(1, [ONE] * d)), _parallel([squaring] * d, 1))
        both = _delay(_parallel([sums, _delay(_linear(_split(d, [ONE])), m, [ONE])]), 1, [ONE])
        rows = [{0: ONE} | {j + 1: -2 * a for j, a in enumerate(row) if a} for row in c]
        distances = _delay(_compose([(rows, [sum((a * a for a in row), ZERO) for row in c])], both), 1, [ONE])
    else:
        squares = _compose(squaring, _linear(_split(1, SIGNS)) + _linear(_join(1, [ONE, ONE])))
        shifts = [(_split(d, [ONE]) * n, [-a for row in c for a in row])]
        distances = _delay(_compose(_linear(_join(n, [ONE] * d)), _parallel([squares] * (n * d), 1), shifts), 1, [ONE])
    soft = [(_split(1, [-ONE, -ONE]), [outer, inner]), *_linear([{0: slope, 1: -slope}])]
    return _compose(_parallel([soft] * n, 1), distances)

def _classifier(y: list[int], k: int, depth: int, b: Q, indicators: Net) -> Net:  # for f_clean = 0, with `depth` layers
    classes = max(k, 2)
    members: Rows = [{i: -ONE for i, v in enumerate(y) if ((1 - v) // 2 if k == 1 else v) == j} for j in range(classes)]
    caps = _compose([(members, [ONE] * classes), (_split(classes, [-ONE]), [ONE] * classes)], indicators)
    base = _parallel([_delay(_linear([{}] * k), depth, SIGNS), _delay(caps, depth - len(caps) + 1, [ONE])])
    into = [row | {k + j: -b for j in range(classes)} for row in _split(k, SIGNS)] + [{k + j: ONE} for j in range(classes)]
    labels: Rows = [{2: ONE, 3: -ONE}] if k == 1 else [{2 * k + j: ONE} for j in range(k)]
    return _compose(_linear(into) + _linear([a | v for a, v in zip(_join(k, SIGNS), labels, strict=True)]), base)

def _match(net: Net, ideal: Net, k: int, rounded: set[int]) -> tuple[Net, dict[int, list[Q]]]:  # f_clean; errors of biases
    clean, errors, edge, reach, depth = [], {}, 0, 0, len(net) - 2
    for level, ((rows, bias), (right, shift)) in enumerate(zip(net, ideal, strict=True)):
        top = 2 * k if level < depth else 0
        cut = top and len(rows) - len(right) + top
        tail = [{j - edge: w for j, w in row.items() if j >= edge} for row in rows[cut:]]
        goal = [{j - reach: w for j, w in row.items() if j >= reach} for row in right[top:]]
        crossed = any(j < edge for row in rows[cut:] for j in row) or any(j >= edge > 0 for row in rows[:cut] for j in row)
        _need(tail == goal and (level >= depth or (cut > 0 and not crossed)), f"weights of layer {level + 1}")
        clean.append((rows[:cut], bias[:cut]))
        if level == depth:  # f_clean's map stands in every second of the first 2 k rows; all rows read it alike
            heads = [{j: w for j, w in row.items() if j < edge} for row in rows]
            clean[-1] = heads[: 2 * k : 2], bias[: 2 * k : 2]
            coupling = [{j // 2: w for j, w in row.items() if j < reach and j % 2 == 0} for row in right]
            ((wanted, shift),) = _compose([(coupling, shift)], [clean[-1]])
            _need(heads == wanted, "f_clean is not read alike")
        errors[level] = [a - b for a, b in zip(bias[cut:], shift[top:], strict=True)]
        _need(level in rounded or not any(errors[level]), f"biases of layer {level + 1}")
        edge, reach = cut, top
    return clean[:-1], errors

def _run(net: Net, low: list[Q], high: list[Q]) -> tuple[list[int], list[int], int]:  # outputs by intervals, over an integer
    unit, grown = 1, 0
    for v in (*low, *high):
        unit = math.lcm(unit, v.denominator)
        _need(unit >> LONG == 0, "a point's common denominator is too long")
    least, most = ([v.numerator * (unit // v.denominator) for v in side] for side in (low, high))
    for rows, bias in net:
        least, most = ([max(v, 0) for v in side] if grown else side for side in (least, most))
        numbers = [w for row in rows for w in row.values()] + bias
        scale = math.lcm(*(w.denominator for w in numbers))
        grown += scale.bit_length() + max(abs(w.numerator).bit_length() for w in numbers)
        _need(grown < DEEP, "too many layers of too long numbers")
        whole = [[(j, w.numerator * (scale // w.denominator)) for j, w in row.items()] for row in rows]
        shift, unit = [b.numerator * (scale // b.denominator) * unit for b in bias], unit * scale
        least, most = ([sum((w * (a if w > 0 else b)[j] for j, w in row), t) for row, t in zip(whole, shift, strict=True)]
                       for a, b in ((least, most), (most, least)))
    return least, most, unit

# Before the classifier is built: the network must have about its size.
def _fits(net: Net, y: list[int], c: list[list[Q]], k: int, power: int, lean: bool, m: int) -> None:
    n, d, depth, one = len(c), len(c[0]), len(net) - 2, c[:1] if power == 1 else [[ZERO]]
    _need(depth >= len(_indicators(one, power, lean, m, ZERO, ONE)), "the network has too few layers")
    for rows, _ in net[1:m] if power == 2 else []:
        _need(len(rows) >= 2 * d * (1 if lean else n), "a layer has too few units")
    total, last = sum(len(rows) for rows, _ in net), sum(map(len, net[depth][0]))
    _need(last >= 2 * k * max(k, 2) and 2 * k * len(net) <= 10 * total + 200_000, "the network has too many outputs")

def _show(value: Q, way: str | None = None) -> str:  # nine digits; "~" if these are not read as the float64 that it is
    found = Context(9, way, traps=[]).divide(Decimal(value.numerator), Decimal(value.denominator)).normalize()
    text = format(found, "f") if -9 < found.adjusted() < 15 else str(found)
    return "~" * (way is None and value != float(text)) + text
def check(data: dict[str, Any]) -> str:  # raises if the proof does not hold
    """What a certificate proves, in words; raises ValueError (or what malformed data raise) if it does not prove its claim."""
    _entries(data, CLAIM, "checker reason" + " witness" * (data["verdict"] == "refuted"))
    _entries(data["network"], "inputs layers")
    text, d = json.dumps(data["network"], sort_keys=True, separators=(",", ":")), data["network"]["inputs"]
    net: Net = []
    _need(data["format"] == FORMAT and data["kind"] == "memorization", "unknown format")
    _need(hashlib.sha256(text.encode()).hexdigest() == data["digest"], "the digest is another network's")
    _need(type(d) is int and d > 0, "no inputs")
    for given in data["network"]["layers"]:
        _entries(given, "rows bias")
        width, table = len(net[-1][0]) if net else d, [list(zip(*row, strict=True)) for row in given["rows"]]
        _need(all(type(j) is int and 0 <= j < width for row in table for j, _ in row), "a column is out of range")
        _need(all(len(dict(row)) == len(row) for row in table) and 0 < len(table) == len(given["bias"]), "sizes of a layer")
        net.append(([{j: w for j, w in ((j, _number(w)) for j, w in t) if w} for t in table], [*map(_number, given["bias"])]))
    names, lean, m, y = ("radius", "inner", "outer", "bound"), data["variant"] == "lean", data["m"], data["labels"]
    (r, inner, outer, b), claim = (_number(data[name]) for name in names), _rational(data["margin"])
    c, k, power = [[_number(v) for v in t] for t in data["points"]], len(net[-1][0]), {"inf": 1, "2": 2}[data["norm"]]
    _need(len(c) == len(y) > 0 and r >= 0 and all(len(row) == d and all(0 <= v <= 1 for v in row) for row in c), "points")
    _need(all(type(v) is int and (v in (-1, 1) if k == 1 else 0 <= v < k) for v in y), "labels")
    about = f"network {data['digest'][:16]} ({d} inputs, {len(net)} layers, {k} output{'s' * (k > 1)})"
    size = f"{'l_inf' if power == 1 else 'l_2'} distance {_show(r)}"
    if data["verdict"] == "refuted":
        _entries(data["witness"], "index point")
        i, x = data["witness"]["index"], [_rational(v) for v in data["witness"]["point"]]
        _need(type(i) is int and 0 <= i < len(c), "the witness has no point")
        gaps = [abs(a - v) ** power for a, v in zip(x, c[i], strict=True)]
        _need((max(gaps) if power == 1 else sum(gaps)) <= r**power and all(0 <= v <= 1 for v in x), "the witness is outside")
        z, _, unit = _run(net, x, x)
        value = Q(y[i] * z[0] if k == 1 else z[y[i]] - max(v for j, v in enumerate(z) if j != y[i]), unit)
        _need(value == claim <= 0, "the witness has another margin")
        place, most = f"({', '.join(map(_show, x))})" if d < 5 else "a point", _show(value, ROUND_CEILING)
        return f"refuted: margin {most} <= 0 for label {y[i]} at {place} within {size} of point {i}; {about}"
    _need(data["verdict"] == "proved" and claim > 0 and data["variant"] in ("lean", "gate"), "nothing is claimed")
    _need(type(m) is int and 0 < m <= 500 and 0 <= inner < outer and b > 0, "wrong m, thresholds or bound")
    _fits(net, y, c, k, power, lean, m)
    ideal = _classifier(y, k, len(net) - 2, b, _indicators(c, power, lean, m, inner, outer))  # zip(strict) compares the depths
    clean, errors = _match(net, ideal, k, ({0} if lean else {0, 1}) if power == 1 else {m + 1} if lean else set())
    e, shifts = [max(map(abs, errors[level])) for level in (0, 1)], errors[m + 1] if lean and power == 2 else [ZERO]
    low, high, eps = -min(shifts), max(shifts) + d * Q(1, 4 ** (m + 1)), ZERO
    if power == 1:
        low, high = (e[0], e[0]) if lean else (3 * e[0] + 2 * e[1], 6 * e[0] + 2 * e[1])
    if power == 1 and not lean and d <= 2:
        eps = max(abs(a - v) for a, v in zip(errors[1][::2], errors[1][1::2], strict=True)) / (outer - inner)
    _need(inner >= min(r**power, Q(d) ** (power - 1)) + high, "the inner threshold does not reach round the ball")
    scale = math.lcm(*(v.denominator for row in c for v in row))
    grid, far = [[int(v * scale) for v in row] for row in c], outer + low
    others = ((grid[i], grid[j]) for i, j in combinations(range(len(y)), 2) if y[i] != y[j])
    apart = (list(map(abs, map(int.__sub__, *pair))) for pair in others)
    nearest = min((max(steps) if power == 1 else sum(g * g for g in steps) for steps in apart), default=None)
    if nearest is not None:  # for l_2, root(nearest) >= r + root(far)
        room = Q(nearest, scale**power) - r**power - far
        _need(far >= 0 and room >= 0 and (power == 1 or room**2 >= 4 * r**2 * far), "the outer threshold reaches another ball")
    floor, ceiling, unit = _run(clean, [ZERO] * d, [ONE] * d)  # of f_clean
    leak = max(ZERO, Q(max(map(abs, floor + ceiling)), unit) - b * (1 - eps))
    _need(1 - eps - leak * (1 if k == 1 else 2) >= claim, "the margin is less than claimed")
    bound, points = _show(claim, ROUND_FLOOR), hashlib.sha256(json.dumps([data["points"], y]).encode()).hexdigest()[:16]
    where = f"points of [0, 1]^{d} within {size} of one of its {len(c)} points (SHA-256 with labels {points})"
    return f"proved: margin >= {bound} > 0 for the label of the centre at all {where}; {about}"
def _stranger(data: Any) -> str:  # in words, why a file is not for this checker, or ""
    name = data.get("format") if type(data) is dict else None
    other = {"cgro certificate 1": "certificate", "cgro property certificate 1": "certificate", BALLS: "balls"}.get(str(name))
    unknown = "" if name == FORMAT else f'not a certificate: its "format" is not "{FORMAT}"'
    return f"not a certificate of memorization: check_{other}.py checks this one" if other else unknown

if __name__ == "__main__":
    try:
        text = Path(sys.argv[1]).read_text("utf-8") if sys.argv[1:] else sys.exit("usage: check_memorization.py FILE.json")
        if why := _stranger(json.loads(text)):
            sys.exit(f"rejected: {why}")
        statement = check(json.loads(text, object_pairs_hook=_once, parse_float=_number))
    except Exception as error:  # one line without foreign characters
        no = "not a certificate, as it is no JSON: " * isinstance(error, (json.JSONDecodeError, UnicodeDecodeError))
        sys.exit(f"rejected: {no}" + ascii(f"{type(error).__name__}: {error}"[:200])[1:-1])
    print(f"accepted as {statement}")
