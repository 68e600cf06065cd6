"""Certificates of learned networks with many leaves, and mutations of them, judged by the checker.

Networks 64-w-w-1 learn the digits by parity; boxes around points that they have not seen are
certified, with growing radius while they are proved, until COUNT certificates with more than LEAVES
leaves are found, or the time is over. Each is written as a file holds it, read again and judged.
Then it is mutated: five times so that it states what is false (exact margins show it), all of which
must be rejected; and by random changes of its proof. What it states stays as it was then, and was
proved by the certificate itself: where such a change is accepted, nothing false is.

    python benchmarks/mutations.py [COUNT] [SECONDS] [WIDTH ...]
"""

import copy
import itertools
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn

from analysis import Certification, certify_box
from analysis.certification.decision import certificate_of
from analysis.checkers import check_certificate as checker
from constructions import ReLUNetwork

LEAVES = 100
RADII = tuple(k / 128 for k in range(10, 32))
MAX_SECONDS = 10.0
"""For one query."""

PROOFS = 2
"""Random changes of the proof of each certificate."""

Content = dict[str, Any]
Learned = tuple[ReLUNetwork, torch.Tensor, torch.Tensor]
"""A network, and the points and labels that it has not seen."""


def learned(width: int) -> Learned:
    """A network that learns from points moved by up to 0.1 to where its loss is greater."""
    torch.manual_seed(width)
    digits = load_digits()
    x = torch.tensor(digits.data / 16)
    y = torch.tensor(digits.target % 2 * 2.0 - 1)
    order = torch.randperm(len(x))
    seen, kept = order[:1400], order[1400:]
    hidden = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
    module = nn.Sequential(*hidden, nn.Linear(width, 1)).double()
    optimizer = torch.optim.Adam(module.parameters(), 3e-3, weight_decay=1e-4)
    for _ in range(400):
        points = x[seen].clone().requires_grad_()
        for _ in range(3):
            value = nn.functional.softplus(-y[seen] * module(points)[:, 0]).sum()
            (gradient,) = torch.autograd.grad(value, points)
            moved = points.detach() + 0.05 * gradient.sign()
            points = moved.clamp(x[seen] - 0.1, x[seen] + 0.1).clamp(0, 1).requires_grad_()
        loss = nn.functional.softplus(-y[seen] * module(points.detach())[:, 0]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return ReLUNetwork.from_module(module.float().double()), x[kept], y[kept]


def margin(content: Content, point: list[Fraction]) -> Fraction:
    """The exact margin of the first query's label at a point."""
    network = checker.Network(content["network"])
    found: Fraction = network.evaluate([point], content["queries"][0]["label"])[0][0]
    return found


def false_statements(content: Content, far: list[Fraction]) -> Iterator[tuple[str, Content]]:
    """Changes that make what is stated false; far: a point where the margin is not positive."""
    query = content["queries"][0]
    centre = [
        Fraction(a + b, 2 << query["scale"])
        for a, b in zip(query["lower"], query["upper"], strict=True)
    ]
    here = margin(content, centre)
    for name in ("label", "bound", "set", "witness", "network"):
        changed = copy.deepcopy(content)
        own = changed["queries"][0]
        if name == "label":
            own["label"] = -own["label"]
        if name == "bound":
            own["bound"] = str(here + Fraction(1, 2**20))
        if name == "set":
            top = [int(v * 2 ** own["scale"]) for v in far]
            own["lower"] = [min(a, v) for a, v in zip(own["lower"], top, strict=True)]
            own["upper"] = [max(a, v) for a, v in zip(own["upper"], top, strict=True)]
        if name == "witness":
            names = ("label", "scale", "lower", "upper")
            changed["queries"] = [{k: own[k] for k in names} | {"verdict": "refuted"}]
            changed["queries"][0]["witness"] = [str(v) for v in centre]
        if name == "network":
            output = changed["network"]["layers"][-1]
            output["bias"][0] -= own["label"] * (float(here) * 1.01 + 1e-9)
            changed["digest"] = checker.digest(changed["network"])
        yield name, changed


def changed_proof(content: Content, rng: random.Random) -> Content:
    """The certificate with one number of its trees, facts or targets changed."""
    changed = copy.deepcopy(content)
    query = changed["queries"][0]
    at: Any = query[rng.choice([k for k in ("trees", "trees", "facts", "targets") if query.get(k)])]
    while True:
        keys = [*at] if isinstance(at, dict) else [*range(len(at))]
        keys = [k for k in keys if not isinstance(at[k], list) or at[k]]
        key = rng.choice(keys)
        if not isinstance(at[key], (dict, list)):
            break
        at = at[key]
    old = at[key]
    at[key] = not old if isinstance(old, bool) else rng.choice([-old, 2 * old, old + 1, 0, 1 << 40])
    return changed


def judged(content: Content) -> str:
    """Why a certificate is rejected, or "", as of its file."""
    try:
        return str(checker.judge(json.loads(json.dumps(content)))[0][0])
    except Exception as error:
        return checker.plain(error) or "rejected"


def main(count: int, seconds: float, widths: list[int]) -> None:
    """Print what is found, certificate by certificate."""
    end, rng = time.monotonic() + seconds, random.Random(0)
    seen: Counter[str] = Counter()
    networks = [learned(width) for width in widths]
    for found, each in enumerate(itertools.islice(proved(networks, end), count), start=1):
        k, i, radius, result, taken = each
        network, points, _ = networks[k]
        content = json.loads(json.dumps(certificate_of([result])))
        start = time.process_time()
        reason = judged(content)
        checking = time.process_time() - start
        seen["certificates: " + ("REJECTED" if reason else "accepted")] += 1
        values = network(points)[:, 0] * content["queries"][0]["label"]
        far = [Fraction(v) for v in points[int(values.argmin())].tolist()]
        assert margin(content, far) <= 0
        for name, changed in false_statements(content, far):
            seen[f"false {name}: {'rejected' if judged(changed) else 'ACCEPTED'}"] += 1
        for _ in range(PROOFS):
            if (changed := changed_proof(content, rng)) != content:
                seen[f"changed proof: {'rejected' if judged(changed) else 'accepted'}"] += 1
        print(
            f"64-{widths[k]}-{widths[k]}-1, point {i}, {radius:.3f}: {result.leaves} leaves, "
            f"{taken:.1f} s, check {checking:.1f} s {reason}\n  {found}: {dict(seen)}",
            flush=True,
        )
    if any(name.isupper() for key in seen for name in key.split()):
        sys.exit("a false statement was accepted, or a certificate rejected")


def proved(
    networks: list[Learned], end: float
) -> Iterator[tuple[int, int, float, Certification, float]]:
    """(network, point, radius, result, CPU seconds) of boxes that are proved by many leaves."""
    for i, (k, (network, points, labels)) in itertools.product(range(397), enumerate(networks)):
        for radius in RADII:
            if time.monotonic() > end:
                return
            box = (points[i] - radius).clamp(0, 1), (points[i] + radius).clamp(0, 1)
            start = time.process_time()
            result = certify_box(network, box, int(labels[i]), max_seconds=MAX_SECONDS)
            if result.verdict != "proved":
                break
            if result.leaves > LEAVES:
                yield k, i, radius, result, time.process_time() - start


if __name__ == "__main__":
    asked = sys.argv[1:]
    main(
        int(asked[0]) if asked else 300,
        float(asked[1]) if asked[1:] else 3600.0,
        [int(v) for v in asked[2:]] or [32, 48, 64, 96],
    )
