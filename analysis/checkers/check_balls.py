"""Checks that an f_S of many points gives each one its label on its whole ball. Needs this file and numpy only.

    python check_balls.py CERTIFICATE.json POINTS.npz            exit 0: accepted, 1: rejected, with the reason

POINTS.npz: x (N, D), floats in [0,1] or uint8 read as k/255; y (N,), -1 and +1 or 0..K-1. Certificate: `norm` inf or 2;
`radius`; thresholds `inner`, `outer` of the distance (inf) or its square (2); `variant` lean or gate; `m`, depth of squaring;
`bound` B; `clean`, layers [weights, biases] of f_clean; `digest`, SHA-256 of x as float64, y as int64 and the claim; hints.
That a network at hand is this f_S is not checked here (`network_digest` is not looked at), `cgro check-certificate` does.

Proof. Networks for distances are exact (inf), or exceed squares by at most D / 4^(m+1) and rounding (2); other biases are
rounded by less than SLACK. If inner is that much over radius^p, indicators are 1 on their balls; if points of other labels are
outer^(1/p) + radius apart, theirs are 0. Class sums are capped at 1, gates of height B >= |f_clean| close, f is the label.

Hints save time: a cut [j, low, high] with one x_j <= low and another >= high says that points are at least high - low apart
(inf); |P d|^2 <= |P P^T| |d|^2, at most its greatest row sum times |d|^2 (2). All other pairs are compared in all coordinates.

Rounding, in sums of n products in any order: |fl(a.b) - a.b| <= n U / (1 - n U) |a|.|b|, if none underflows (Higham 2002, 3.1);
what underflow adds is far below MARGIN. `rounding(n)` is more than twice that: it covers sums of the absolute values, too.
"""

import hashlib
import json
import math
import re
import sys
import zipfile
from decimal import Decimal
from fractions import Fraction as Q
from pathlib import Path
from typing import Any

import numpy as np

SLACK, MARGIN = Q(1, 2**48), 1e-9  # of what weights were rounded by; the least that is allowed for what float64 rounds here
NAMES = ("norm", "radius", "variant", "m", "inner", "outer", "bound")  # the claim
OTHERS = ("format", "clean", "digest", "cuts", "projection", "checker", "verdict", "margin", "points", "network_digest")


def need(condition: Any, reason: str) -> None:  # reject unless it holds
    if not condition:
        raise ValueError(reason)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # a JSON object; dict() alone would keep the last value of a key
    need(len(dict(pairs)) == len(pairs), "a key is named twice")
    return dict(pairs)


def decimals(text: str) -> float:  # a JSON number that is a float64, or the shortest decimal that is read as it (as 0.1)
    v = float(text)
    need(math.isfinite(v) and Decimal(text) in (Decimal(repr(v)), Decimal(v)), "a number would be rounded")
    return v


def rounding(n: int) -> float:  # see above
    need(n < 2**40, "sums are too long")
    return 4.0 * (n + 16) * 2.0**-53


def floats(values: Any) -> np.ndarray:  # nested lists of numbers that float64 holds, and of no booleans or texts
    array, entries = np.array(values, np.float64), [values]
    for _ in range(array.ndim):
        entries = [v for row in entries for v in row]
    right = all(type(v) is float or (type(v) is int and int(float(v)) == v) for v in entries)
    need(right, "an array holds other values than numbers of float64")
    return array


@np.errstate(all="ignore")  # what overflows fails all comparisons
def check(c: dict[str, Any], x: np.ndarray, y: np.ndarray) -> str:  # what it proves; ValueError unless it proves its claim
    need(type(c) is dict and c.keys() <= {*NAMES, *OTHERS}, "not an object, or with unknown entries")
    need(c["format"] == "cgro balls certificate 1", "unknown format (check_memorization.py may know it)")
    need(x.dtype in (np.uint8, np.float32, np.float64) and y.dtype.kind in "iu" and y.max() < 2**31, "x or y are no numbers")
    x, y = np.ascontiguousarray(x / 255.0 if x.dtype == np.uint8 else x, np.float64), np.ascontiguousarray(y, np.int64)
    claim = json.dumps([c[name] for name in NAMES]).encode()
    digest = hashlib.sha256(x.tobytes() + y.tobytes() + claim).hexdigest()
    need(digest == c["digest"], "points, labels or claim are not those of the digest")
    need(x.ndim == 2 and y.shape == (len(x),) and x.min() >= 0 and x.max() <= 1, "points must be (N, D) in [0,1]")
    p, d, radius, inner, outer = {"inf": 1, "2": 2}[c["norm"]], x.shape[1], c["radius"], c["inner"], c["outer"]
    need(all(type(v) in (int, float) and abs(v) < 1e300 for v in (radius, inner, outer)), "radius or thresholds are no numbers")
    need((c["variant"] == "lean" or (c["variant"] == "gate" and d > 2)) and type(c["m"]) is int, "unknown form")
    need(0 < c["m"] < 500 and c.get("points", len(x)) == len(x) and c.get("verdict") in (None, "proved"), "another claim")
    margin, slack = c.get("margin", "1"), SLACK * max(Q(1), Q(outer))
    need(re.fullmatch("[0-9]{1,4300}(/[0-9]{1,4300})?", margin) and 0 < Q(margin) <= 1, "the margin is not in (0, 1]")
    error = (Q(d, 4 ** (c["m"] + 1)) + Q(d * (d + 1), 2**51)) * (p - 1) + slack
    need(radius >= 0 and Q(inner) >= Q(radius) ** p + error, "the inner threshold does not cover the balls")
    width = Q(outer) - Q(inner)
    need(width > 0 and all(v & (v - 1) == 0 for v in width.as_integer_ratio()), "outer - inner must be a power of two")
    layers = [(floats(w), floats(b)) for w, b in c["clean"]]
    need(layers and all(w.ndim == 2 and b.shape == w.shape[:1] for w, b in layers), "f_clean's layers do not fit")
    lost = Q(d * (d + 2), 2**53) * (p - 1) + slack  # what the network's distances, or squares, may fall short by
    least = (float(Q(outer) + lost) ** (1 / p) + radius) * (1 + rounding(d))
    apart = max(outer ** (1 / p) + radius + MARGIN, least)  # of distances as they are computed here
    low, high = np.zeros(d), np.ones(d)
    for k, (w, b) in enumerate(layers):
        low, high = (low, high) if k == 0 else (low.clip(0), high.clip(0))
        loss = max(MARGIN, rounding(len(low))) * (1 + abs(w) @ np.maximum(abs(low), abs(high)) + abs(b))
        middle, spread = w @ ((low + high) / 2) + b, abs(w) @ ((high - low) / 2) + loss
        low, high = middle - spread, middle + spread
    need(type(c["bound"]) is float and abs(np.append(low, high)).max() <= c["bound"] < 1e300, "f_clean may exceed its bound")
    need(np.isin(y, [-1, 1] if len(low) == 1 else list(range(len(low)))).all(), "labels do not fit f_clean's outputs")
    if p == 1:
        cuts = floats(c["cuts"]).reshape(-1, 3)
        need(all(cuts[:, 2] - cuts[:, 1] >= apart), "a cut is too narrow")
        need(all((cuts[:, 0] % 1 == 0) & (cuts[:, 0] >= 0) & (cuts[:, 0] < d)), "a cut has no such coordinate")
        values = x[:, cuts[:, 0].astype(np.int64)]
        below, above = (values <= cuts[:, 1]).astype(np.float32), (values >= cuts[:, 2]).astype(np.float32)
        left, right, limit = np.hstack([below, above]), np.hstack([above, below]), 0.5  # sums of 0 and 1: 0, or at least 1
    else:
        basis = floats(c["projection"]).reshape(-1, d)
        z, ones, size = x @ basis.T, np.ones((len(x), 1)), abs(basis)
        squares = (z * z).sum(1)[:, None]
        left, right = np.hstack([-2 * z, squares, ones]), np.hstack([z, ones, squares])
        longest, blur = (abs(basis @ basis.T) + rounding(d) * (size @ size.T)).sum(1).max(initial=0), rounding(d) * (x @ size.T)
        far = apart * math.sqrt(longest) + 2 * math.sqrt((blur * blur).sum(1).max())  # of computed z: off by |blur| at most
        limit = far**2 * (1 + rounding(len(basis))) + max(MARGIN, 4 * rounding(len(basis))) * (1 + squares.max())
        need(limit < 1e99, "the projection is too large")
    for start in range(0, len(x), 512):
        close = ~(left[start : start + 512] @ right[start:].T >= limit) & (y[start : start + 512, None] != y[start:])
        i, j = np.array(close.nonzero()) + start
        for part in range(0, len(i), step := max(1, 2**22 // d)):
            gap = abs(x[i[part : part + step]] - x[j[part : part + step]])
            least = gap.max(1).min() if p == 1 else math.sqrt((gap * gap).sum(1).min())
            need(least >= apart, f"points of different labels are {least} apart, less than {apart}")
    where = f"points of [0, 1]^{d} within l_{c['norm']} distance {radius!r} of one of {len(x)} points"
    return f"proved: margin >= 1 > 0 for the label of the centre at all {where} (SHA-256 {digest[:16]}) of the f_S of these"


def read_points(path: str) -> list[np.ndarray]:  # x and y of an .npz file, if it is large enough to hold what it announces
    arrays, total = [], Path(path).stat().st_size
    with zipfile.ZipFile(path) as archive:
        for name in ("x.npy", "y.npy"):
            held = archive.getinfo(name)
            need(held.compress_size <= total and held.file_size <= 1100 * held.compress_size, f"{name} is larger than its file")
            with archive.open(held) as file:
                need(np.lib.format.read_magic(file) == (1, 0), f"{name} is in an unknown format")
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
                size = math.prod(shape) * dtype.itemsize
                need(dtype.kind in "iuf" and all(v >= 0 for v in shape), f"{name} holds no numbers")
                need(size <= held.file_size, f"{name} announces {size} bytes and has {held.file_size}")
            with archive.open(held) as file:
                arrays.append(np.lib.format.read_array(file, allow_pickle=False))
    return arrays


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("rejected: usage: check_balls.py CERTIFICATE POINTS.npz (one ball, box or property: check_certificate.py)")
    try:
        text = Path(sys.argv[1]).read_text("utf-8")
        c = json.loads(text, object_pairs_hook=once, parse_float=decimals, parse_constant=decimals)
        kind = str(c.get("format")) if type(c) is dict else ""
        other = f": check_{'memorization' if 'memor' in kind else 'certificate'}.py checks this one" * kind.startswith("cgro ")
        need(kind == "cgro balls certificate 1", f"not a certificate of many points{other}")
        print(f"accepted as {check(c, *read_points(sys.argv[2]))}; network not checked")
    except Exception as error:  # one line without foreign characters
        no = "not a certificate, as it is no JSON: " * isinstance(error, (json.JSONDecodeError, UnicodeDecodeError))
        sys.exit(f"rejected: {no}" + ascii(f"{type(error).__name__}: {error}"[:200])[1:-1])
