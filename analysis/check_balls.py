"""Checks that an f_S of many points gives each one its label on its whole ball. Needs this file and numpy only.

    python check_balls.py CERTIFICATE.json POINTS.npz            exit 0: accepted, 1: rejected, with the reason

POINTS.npz: x (N, D), floats in [0,1] or uint8 read as k/255; y (N,), -1 and +1 or 0..K-1. Certificate: `norm` inf or 2;
`radius`; thresholds `inner`, `outer` of the distance (inf) or its square (2); `variant` lean or gate; `m`, depth of squaring;
`bound` B; `clean`, layers [weights, biases] of f_clean; `digest`, SHA-256 of x as float64, y as int64 and the claim; hints.

Proof. Networks for distances are exact (inf), or exceed squares by at most D / 4^(m+1) and rounding (2); other biases are
rounded by less than SLACK. If inner is that much over radius^p, indicators are 1 on their balls; if points of other labels are
outer^(1/p) + radius apart, theirs are 0. Class sums are capped at 1, gates of height B >= |f_clean| close, f is the label.

Hints save time: a cut [j, low, high] with one x_j <= low and another >= high says that points are at least high - low apart
(inf); |P d|^2 <= |P P^T| |d|^2, at most its greatest row sum times |d|^2 (2). All other pairs are compared in all coordinates.
"""

import hashlib
import json
import math
import sys
from fractions import Fraction as Q
from typing import Any

import numpy as np

SLACK, MARGIN = Q(1, 2**48), 1e-9  # of what weights were rounded by; of what float64 rounds here


def need(condition: Any, reason: str) -> None:  # reject unless it holds
    if not condition:
        raise ValueError(reason)


def check(c: dict[str, Any], x: np.ndarray, y: np.ndarray) -> None:  # raise ValueError unless the certificate proves its claim
    need(c["format"] == "cgro balls certificate 1", "unknown format (check_memorization.py may know it)")
    need(x.dtype in (np.uint8, np.float32, np.float64) and y.dtype.kind in "iu" and y.max() < 2**31, "x or y are no numbers")
    x, y = np.ascontiguousarray(x / 255.0 if x.dtype == np.uint8 else x, np.float64), np.ascontiguousarray(y, np.int64)
    claim = json.dumps([c[name] for name in ("norm", "radius", "variant", "m", "inner", "outer", "bound")]).encode()
    digest = hashlib.sha256(x.tobytes() + y.tobytes() + claim).hexdigest()
    need(digest == c["digest"], "points, labels or claim are not those of the digest")
    need(x.ndim == 2 and y.shape == (len(x),) and x.min() >= 0 and x.max() <= 1, "points must be (N, D) in [0,1]")
    p, d, radius, inner, outer = {"inf": 1, "2": 2}[c["norm"]], x.shape[1], c["radius"], c["inner"], c["outer"]
    need((c["variant"] == "lean" or (c["variant"] == "gate" and d > 2)) and 0 < c["m"] < 500, "unknown form")
    error = (Q(d, 4 ** (c["m"] + 1)) + Q(d * (d + 1), 2**51)) * (p - 1) + SLACK
    need(radius >= 0 and Q(inner) >= Q(radius) ** p + error, "the inner threshold does not cover the balls")
    need(outer > inner and math.frexp(outer - inner)[0] == 0.5, "outer - inner must be a power of two")
    layers = [(np.array(w, np.float64), np.array(b, np.float64)) for w, b in c["clean"]]
    need(layers and all(w.ndim == 2 and b.shape == w.shape[:1] for w, b in layers), "f_clean's layers do not fit")
    low, high, apart = np.zeros(d), np.ones(d), outer ** (1 / p) + radius + MARGIN
    for k, (w, b) in enumerate(layers):
        low, high = (low, high) if k == 0 else (low.clip(0), high.clip(0))
        lost = MARGIN * (1 + abs(w) @ np.maximum(abs(low), abs(high)) + abs(b))
        middle, spread = w @ ((low + high) / 2) + b, abs(w) @ ((high - low) / 2) + lost
        low, high = middle - spread, middle + spread
    need(type(c["bound"]) is float and abs(np.append(low, high)).max() <= c["bound"] < 1e300, "f_clean may exceed its bound")
    need(np.isin(y, [-1, 1] if len(low) == 1 else list(range(len(low)))).all(), "labels do not fit f_clean's outputs")
    if p == 1:
        cuts = np.array(c["cuts"], np.float64).reshape(-1, 3)
        need(all(cuts[:, 2] - cuts[:, 1] >= apart), "a cut is too narrow")
        values = x[:, cuts[:, 0].astype(np.int64)]
        below, above = (values <= cuts[:, 1]).astype(np.float32), (values >= cuts[:, 2]).astype(np.float32)
        left, right, limit = np.hstack([below, above]), np.hstack([above, below]), 0.5
    else:
        basis = np.array(c["projection"], np.float64).reshape(-1, d)
        z, ones = x @ basis.T, np.ones((len(x), 1))
        squares = (z * z).sum(1)[:, None]
        left, right = np.hstack([-2 * z, squares, ones]), np.hstack([z, ones, squares])
        limit = apart**2 * abs(basis @ basis.T).sum(1).max(initial=0) + MARGIN * (1 + squares.max())
        need(limit < 1e99, "the projection is too large")
    for start in range(0, len(x), 512):
        close = ~(left[start : start + 512] @ right[start:].T >= limit) & (y[start : start + 512, None] != y[start:])
        i, j = np.array(close.nonzero()) + start
        for part in range(0, len(i), 4096):
            gap = abs(x[i[part : part + 4096]] - x[j[part : part + 4096]])
            least = gap.max(1).min() if p == 1 else math.sqrt((gap * gap).sum(1).min())
            need(least >= apart, f"points of different labels are {least} apart, less than {apart}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python check_balls.py CERTIFICATE.json POINTS.npz")
    try:
        with open(sys.argv[1], encoding="utf-8") as file, np.load(sys.argv[2], allow_pickle=False) as points:
            check(json.load(file), points["x"], points["y"])
    except (ValueError, KeyError, TypeError, IndexError, OSError, OverflowError) as error:
        sys.exit(f"rejected: {type(error).__name__}: {error}")
    print("accepted")
