"""Forged certificates before two judges: the Python checkers, and the program extracted from Coq.

`python tests/support/verified_forging.py COUNT SEED`, with this repository's root and tests/support
on the path, prints how often they agree, and every disagreement that is not one of EXPLAINED.
"""

import collections
import copy
import functools
import itertools
import json
import random
import sys
from fractions import Fraction

import numpy as np
from forging import mutate, renew

from analysis import certify, certify_box, decide
from analysis.checkers import check_certificate as checker
from analysis.checkers import check_verified as verified
from constructions import Ball, Property, ReLUNetwork, affine, compose, f_S, squaring

EXPLAINED = {
    "facts of nodes are not covered": "certificates of a search by batches: the program has no "
    "theorem for them",
    "facts of two units are not covered": "likewise, of sums and differences of pairs",
    "multipliers with the weight of a ball": "likewise, of functions of one input",
    "a zonotope is too large": "a limit of memory of check_boxes.py; the program has none",
    "too many layers of too long numbers": "a limit of time of check_certificate.py at points",
    "a point's common denominator is too long": "likewise",
    "iterable argument is empty": "check_trees.py fails where the bounds of a pair leave no point "
    "before anything is split; the program goes on, and is sound there",
}
"""Reasons of one judge for a certificate that the other one accepts."""


def drawn(rng, widths, bits=6):
    """A network of random dyadic weights, its first two units opposite."""
    layers = [
        (
            (rng.normal(size=(b, a)) * 2**bits).round() / 2**bits,
            (rng.normal(size=b) * 16).round() / 16,
        )
        for a, b in itertools.pairwise(widths)
    ]
    layers[0][0][1], layers[0][1][1] = -layers[0][0][0], -layers[0][1][0]
    return ReLUNetwork.from_layers(layers)


def in_boxes(content):
    """A certificate whose first query is proved by 16 boxes instead; None if they do not."""
    query, network = content["queries"][0], checker.Network(content["network"])

    def node(lower, upper, depth):
        j = depth % len(lower)
        at = (lower[j] + upper[j]) // 2
        if depth == 4:
            return {}
        below = node(lower, [*upper[:j], at, *upper[j + 1 :]], depth + 1)
        above = node([*lower[:j], at, *lower[j + 1 :]], upper, depth + 1)
        return {"input": j, "at": at, "below": below, "above": above}

    kept = {k: v for k, v in query.items() if k not in ("pairs", "facts", "trees", "points")}
    boxes = kept | {"boxes": node(query["lower"], query["upper"], 0)}
    if query["verdict"] == "refuted" or (least := checker.least_margin(network, boxes)) <= 0:
        return None
    return content | {"queries": [boxes | {"bound": str(least)}]}


@functools.cache
def certificates():
    """Texts: proofs by points, trees with pairs and facts, boxes with and without groups; l_2
    balls; counterexamples; networks that were built.
    """
    out, rng = [], np.random.default_rng(0)
    for widths in ([1, 6, 4, 1], [2, 8, 8, 1], [2, 6, 6, 3], [4, 10, 10, 3], [6, 16, 16, 1]):
        for p, radius in itertools.product(("inf", 2), (0.02, 0.1, 0.4)):
            network = drawn(rng, widths)
            x = (rng.random(widths[0]) * 64).round() / 64
            value = network.exact([x.tolist()])[0]
            label = int(np.argmax(value)) if len(value) > 1 else 1 if value[0] > 0 else -1
            found = certify(network, x, Ball(p, radius), label, domain=None, max_seconds=5)
            out.append(found.certificate)
    points = (rng.random((4, 3)) * 16).round() / 16
    points[:, 0] = [0.125, 0.375, 0.625, 0.875]
    for variant, ball in (("lean", Ball("inf", 0.03125)), ("gate", Ball("inf", 0.03125))):
        network = f_S(affine([[4.0, 0, 0]], [-2.0]), points, [1, -1, 1, -1], ball, variant=variant)
        out.append(certify(network, points[1], ball, -1, max_seconds=10).certificate)
    shifted = compose(affine([[1.0]], [-0.01]), squaring(4))
    out += [certify_box(shifted, ([a], [1.0]), 1).certificate for a in (0.25, 0.0)]
    wide = ReLUNetwork.from_layers(
        [
            (rng.normal(size=(b, a)), rng.normal(size=b))
            for a, b in itertools.pairwise([2, 16, 16, 2])
        ]
    )
    grid = [[x, y] for x in np.linspace(-1, 1, 65) for y in np.linspace(-1, 1, 65)]
    top = float(wide(grid).min(dim=1).values.max()) + 0.25
    unsafe = [([[1.0, 0.0], [0.0, 1.0]], [-top, -top])]
    out.append(decide(wide, Property(box=([-1.0] * 2, [1.0] * 2), unsafe=unsafe)).certificate)
    out += [in_boxes(json.loads(json.dumps(c))) for c in out[:12] if c is not None]
    return [json.dumps(c) for c in out if c is not None and c.get("queries", True)]


def bounded(rng, content):
    """A certificate whose bounds are exactly what the Python checkers find, or a little more."""
    for part in content.get("parts", [content]):
        network = checker.Network(part["network"])
        for query in part["queries"]:
            if query.get("verdict") == "proved":
                least = checker.least_margin(network, query)
                if isinstance(least, Fraction) and least > 0:
                    query["bound"] = str(least + rng.choice([0, 0, Fraction(1, 2**90)]))


def changed(rng, content):
    """A certificate with numbers of its proof changed, which weaker bounds may survive."""
    for part in content.get("parts", [content]):
        for query in part["queries"]:
            if "bound" in query:
                query["bound"] = str(Fraction(query["bound"]) / rng.choice([2, 100, 10**9]))
            lists = [
                query[name] for name in ("facts", "pairs", "lower", "points") if query.get(name)
            ]
            node = rng.choice(query["trees"]) if query.get("trees") else query.get("boxes", {})
            for _ in range(rng.randrange(8)):
                node = node.get(rng.choice(["on", "off", "below", "above"]), node)
            lists += [node["leaf"][2]] if node.get("leaf") else []
            lists += [fact[2][2] for fact in query.get("facts", [])]
            target = rng.choice(lists) if lists else []
            if target and isinstance(target[0], int):
                k = rng.randrange(len(target))
                target[k] += rng.choice([1, -1, 2**30, -(2**30), 2**44, -(2**58)])
            elif target:
                target.pop(rng.randrange(len(target)))
            if "at" in node and rng.random() < 0.5:
                node["at"] += rng.choice([1, -1, 2**20])
        if rng.random() < 0.3:
            row = rng.choice(rng.choice(part["network"]["layers"])["rows"])[1]
            if row:
                row[rng.randrange(len(row))] += rng.choice([2.0**-12, -0.25, 1.0])
        renew(part)


def forged(rng, content):
    """One certificate out of another."""
    content = copy.deepcopy(content)
    how = rng.random()
    if how < 0.4:
        content = mutate(rng, content)
        _ = [renew(part) for part in content.get("parts", [content]) if isinstance(part, dict)]
    else:
        changed(rng, content)
        if how > 0.7:
            bounded(rng, content)
    return content


def judged(judge, content):
    """Reasons of a judge, "" for what it accepts."""
    try:
        return [reason for reason, _ in judge(json.loads(json.dumps(content)))]
    except Exception as error:  # as the scripts do: whatever goes wrong, nothing is accepted
        return [checker.plain(error)]


def differences(count, seed):
    """(how many certificates were judged alike, by outcome; what disagrees, and why)."""
    rng, texts, counts, found = random.Random(seed), certificates(), collections.Counter(), []
    while sum(counts.values()) < count:
        try:
            content = forged(rng, json.loads(rng.choice(texts)))
            json.dumps(content, allow_nan=False)
        except Exception:  # no certificate is left
            continue
        python, coq = judged(checker.judge, content), judged(verified.judge, content)
        accepted = [not any(reasons) for reasons in (python, coq)]
        if accepted[0] == accepted[1]:
            counts["both accept" if accepted[0] else "both reject"] += 1
            continue
        reasons = [reason for reason in (*python, *coq) if reason]
        named = [name for name in EXPLAINED if any(name in reason for reason in reasons)]
        counts[f"explained: {named[0]}" if named else "disagree"] += 1
        if not named:
            found.append((accepted, reasons, content))
    return counts, found


if __name__ == "__main__":
    told, wrong = differences(int(sys.argv[1]), int(sys.argv[2]))
    print(dict(told))
    for k, (accepted, reasons, _) in enumerate(wrong):
        print(k, accepted, reasons)
