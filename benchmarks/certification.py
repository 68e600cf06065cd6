"""Certification: decisions of margins, their checker, sup errors, proofs of memorization, exact
values, and ratios to a peer.

CPU seconds of one thread, each call's a median of three runs, of one run if it takes more than two
seconds. The seconds of `certify` include the certificate. Checker: the time of `check` in
`analysis.checkers.check_certificate` over the number of leaves, mean over all leaves, and the worst
query. Peer: pip install 'cgro[cross-checks]'.
"""

import itertools
import math
import resource
import statistics
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from analysis import (
    Certification,
    boundary_distance,
    certify,
    certify_box,
    certify_memorization,
    sup_error,
)
from analysis.certification.cross_check import decide_with_z3
from analysis.certification.queries import Query
from analysis.checkers import check_certificate as checker
from analysis.search.sets import ExactSet
from constructions import (
    VARIANTS,
    Ball,
    ReLUNetwork,
    affine,
    compose,
    f_S,
    multiplication,
    parallel,
    separation,
    squaring,
)

T = TypeVar("T")
Case = tuple[torch.Tensor, Ball, int]
"""Centre, ball and label of a query."""

FACTORS = (0.5, 0.9, 0.98, 1.02, 1.25)
"""Radii of queries, relative to the distance to the decision boundary."""

MAX_SECONDS = 5.0
"""For one query."""


def cpu() -> float:
    """CPU seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measure(run: Callable[..., T], *given: Any, runs: int = 3, **options: Any) -> tuple[T, float]:
    """The result, and the median of the CPU seconds."""
    seconds: list[float] = []
    while len(seconds) < runs and max(seconds, default=0) < 2:
        start = cpu()
        found = run(*given, **options)
        seconds.append(cpu() - start)
    return found, statistics.median(seconds)


def plain(network: ReLUNetwork) -> ReLUNetwork:
    """The same weights as dense layers, without provenance."""
    return ReLUNetwork.from_layers(
        [(a.weight.to_dense(), a.bias.to_dense()[:, 0]) for a in network.layers]
    )


def perceptron(*sizes: int) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        *[layer for a, b in itertools.pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())][
            :-1
        ]
    )


def trained(*sizes: int) -> tuple[ReLUNetwork, torch.Tensor]:
    """A classifier after 300 steps of Adam, and its data: digits by parity (64 inputs), or the sign
    of sum_j cos(4 x_j).
    """
    model = perceptron(*sizes)
    if sizes[0] == 64:
        images, digits = load_digits(return_X_y=True)
        x, y = torch.tensor(images / 16.0), torch.tensor(digits % 2 * 2.0 - 1)
    else:
        x = torch.rand(1000, sizes[0], dtype=torch.float64)
        y = (4 * x).cos().sum(1).sign()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.softplus(-y * model(x.float())[:, 0]).mean().backward()
        optimizer.step()
    return ReLUNetwork.from_module(model), x


def ladder(m: int, factor: float) -> ReLUNetwork:
    """f_m - f_(m+1) - t for squaring networks; the greatest value of the difference on [0, 1] is t
    / factor.
    """
    return plain(
        compose(
            affine([[1.0, -1.0]], [-factor * 4.0 ** -(m + 1)]),
            parallel(squaring(m), squaring(m + 1)),
        )
    )


def memorized(
    dimension: int, count: int, p: float, share: float, variant: Any, *hidden: int
) -> tuple[ReLUNetwork, list[Case]]:
    """f_S of random points, alternating labels and an untrained f_clean; radius: a share of the
    separation.
    """
    points = torch.from_numpy(np.random.default_rng(0).random((count, dimension)))
    labels = torch.arange(count) % 2 * 2 - 1
    ball = Ball(p, share * separation(points, labels, norm=p).lower)
    network = f_S(perceptron(dimension, *hidden, 1), points, labels, ball, variant=variant)
    return network, [(x, ball, y) for x, y in zip(points, labels.tolist(), strict=True)]


def by_fractions(network: ReLUNetwork, points: Any) -> list[list[Fraction]]:
    """The network's values in Fractions, term by term."""
    layers = [
        (a.weight.to_dense().tolist(), a.bias.to_dense()[:, 0].tolist()) for a in network.layers
    ]
    read = [
        ([[Fraction(w) for w in row] for row in rows], [Fraction(b) for b in bias])
        for rows, bias in layers
    ]
    found = []
    for x in points.tolist():
        values = [Fraction(v) for v in x]
        for depth, (rows, bias) in enumerate(read):
            values = [max(v, Fraction(0)) for v in values] if depth else values
            values = [
                sum((w * v for w, v in zip(row, values, strict=True) if w), b)
                for row, b in zip(rows, bias, strict=True)
            ]
        found.append(values)
    return found


# -- tables ----------------------------------------------------------------------------------------


def decide(network: ReLUNetwork, case: Case) -> Certification:
    found = certify(network, *case, max_seconds=MAX_SECONDS)
    if found.query:
        _ = found.certificate
    return found


def row(name: str, network: ReLUNetwork, cases: list[Case], runs: int = 3) -> None:
    """Decide all cases, and check what was proved."""
    found = [measure(decide, network, case, runs=runs) for case in cases]
    checking = []
    for result, _ in found:
        if result.verdict == "proved":
            reason, taken = measure(
                checker.check,
                checker.Network(result.certificate["network"]),
                result.query,
                runs=runs,
            )
            assert reason == "", reason
            checking.append((1000 * taken, result.leaves))
    verdicts, seconds = [result.verdict for result, _ in found], [taken for _, taken in found]
    counts = "".join(f"{verdicts.count(v):>11}" for v in ("proved", "refuted", "unresolved"))
    line = (
        f"{name:34}{network.size.units:>6}{counts} {statistics.median(seconds):8.4f} s "
        f"{max(seconds):8.4f} s"
    )
    if checking:
        mean = sum(ms for ms, _ in checking) / sum(n for _, n in checking)
        line += (
            f" {max(n for _, n in checking):>8,} {mean:8.3f} ms "
            f"{max(ms / n for ms, n in checking):8.3f} ms"
        )
    print(line, flush=True)


def decisions() -> None:
    heads = "".join(f"{v:>11}" for v in ("proved", "refuted", "unresolved", "median", "worst"))
    print(f"{'certify':34}{'units':>6}{heads} {'leaves':>8} {'a leaf':>11} {'worst':>11}")
    distances = []
    for sizes, p in itertools.product(
        ((2, 16, 1), (5, 16, 16, 1), (64, 32, 32, 1)), (math.inf, 2.0)
    ):
        network, x = trained(*sizes)
        name, cases = f"trained {'-'.join(map(str, sizes))}, l_{p:g}", []
        for i in range(20):
            radius = (
                float(boundary_distance(network, x[i], p, gap=1e-2, max_seconds=1).upper)
                * FACTORS[i % len(FACTORS)]
            )
            cases.append((x[i], Ball(p, radius), 1 if network(x[i]).item() > 0 else -1))
        row(name, network, cases)
        distances.append((name, network, x[0], p))
    for m, factor in itertools.product((4, 8, 12, 16), (1 - 2.0**-20, 1 + 2.0**-20)):
        name = f"ladder, m = {m}, t {'below' if factor < 1 else 'above'}"
        row(name, ladder(m, factor), [(torch.tensor([0.5]), Ball(math.inf, 0.5), -1)])
    for p, (dimension, count), share, variant in itertools.product(
        (math.inf, 2.0), ((2, 4), (5, 10), (64, 20)), (0.05, 0.15), ("lean", "gate")
    ):
        network, cases = memorized(dimension, count, p, share, variant, 32, 32)
        row(
            f"plain f_S, l_{p:g}, {variant}, D = {dimension}, {share}",
            plain(network),
            cases[:10],
            runs=1,
        )
    print("\nmargin of one point, gap 1e-3")
    for name, network, point, p in distances:
        (lower, upper), taken = measure(boundary_distance, network, point, p, gap=1e-3)
        print(f"{name:34}{taken:8.3f} s  [{float(lower):.6f}, {float(upper):.6f}]", flush=True)


def proofs() -> None:
    print("\nsup_error")
    for name, network, product, box in (
        ("squaring(16)", squaring(16), "x**2", (0, 1)),
        ("multiplication(8, 1)", multiplication(8, 1), "x1*x2", (-1, 1)),
    ):
        print(f"{name:34}{measure(sup_error, network, product, box)[1]:8.3f} s", flush=True)
    _, taken = measure(lambda: [sup_error(squaring(m), "x**2", (0, 1)) for m in range(1, 17)])
    print(f"{'squaring(1), ..., squaring(16)':34}{taken:8.3f} s")
    print("\ncertify_memorization")
    for count, p, variant in itertools.product((20, 1000), (math.inf, 2.0), VARIANTS):
        network, cases = memorized(64, count, p, 0.25, variant, 32)
        points, labels = (
            torch.stack([x for x, _, _ in cases]),
            torch.tensor([y for _, _, y in cases]),
        )
        proof, taken = measure(certify_memorization, network, points, labels, cases[0][1])
        name = f"D = 64, N = {count}, l_{p:g}, {variant}"
        print(
            f"{name:34}{taken:8.4f} s {network.size.parameters:>10,} parameters, {proof.verdict}, "
            f"bound {proof.bound}"
        )


def exact_values() -> None:
    print(
        f"\n{'exact values, points a second':34}{'one':>11}{'many':>11}{'Fractions':>11} "
        f"{'many / Fractions':>17}"
    )
    for name, network, many, few in (
        ("2-16-1", ReLUNetwork.from_module(perceptron(2, 16, 1)), 1000, 100),
        ("64-256-256-1", ReLUNetwork.from_module(perceptron(64, 256, 256, 1)), 200, 1),
        ("squaring(16)", squaring(16), 1000, 100),
    ):
        x = torch.rand(many, network.inputs, dtype=torch.float64)
        values, batch = measure(network.exact, x)
        same, slow = measure(by_fractions, network, x[:few])
        assert same == values[:few].tolist()
        speeds = 1 / measure(network.exact, x[0])[1], many / batch, few / slow
        print(
            f"{name:34}"
            + "".join(f"{v:11,.1f}" for v in speeds)
            + f" {speeds[1] / speeds[2]:17,.0f}",
            flush=True,
        )


def peer() -> None:
    """The same decisions of boxes by Z3, in exact arithmetic, where it is installed; of one run
    each.
    """
    network, x = trained(5, 16, 16, 1)
    print()
    for i, factor in itertools.product(range(2), (0.98, 1.02)):
        label = 1 if network(x[i]).item() > 0 else -1
        radius = factor * float(boundary_distance(network, x[i], "inf", gap=1e-3).upper)
        lower, upper = ((x[i] + step).clamp(0, 1).tolist() for step in (-radius, radius))
        query = Query(ExactSet([*map(Fraction, lower)], [*map(Fraction, upper)]), label)
        ours, seconds = measure(certify_box, network, (lower, upper), label)
        try:
            theirs, longer = measure(decide_with_z3, network, query, runs=1)
        except ValueError as error:
            print(f"No peer: {error}")
            return
        answers = f"Z3: {theirs.verdict} in {longer:.2f} s; ours: {ours.verdict} in {seconds:.4f} s"
        print(
            f"5-16-16-1, point {i}, {factor} of its margin: {answers}: {longer / seconds:,.0f} "
            f"times",
            flush=True,
        )


def main() -> None:
    torch.set_num_threads(1)
    decisions()
    proofs()
    exact_values()
    peer()


if __name__ == "__main__":
    main()
