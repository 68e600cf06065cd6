"""The ledger on robust memorization: what it costs, by Kim, Moon and Yun, and what is proved here.

Data are N points whose labels differ at distances of at least 2 eps; rho-robust is a network that
has every point's label on the open ball of radius rho eps around it.
Whole, because it is a list: each statement is a function of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import scipy.linalg
import sympy

from constructions import (
    Ball,
    ReLUNetwork,
    exact_signs,
    grid_memorizer,
    nearest_neighbour,
    separation,
    shattered_set,
    staged_grid_memorizer,
)

from ..memorizers.proof import certify_memorizer
from .claims import Check, at_least, at_most, claim, equal, share_of


def leverages(rows: np.ndarray) -> list[Fraction]:
    """Squared distances of e_1, ..., e_t from the null space of integer rows of full rank, exact.

    >>> leverages(np.array([[1, 1]]))
    [Fraction(1, 2), Fraction(1, 2)]
    """
    w = sympy.Matrix(rows.tolist())
    onto = w.T * (w * w.T).inv() * w
    return [Fraction(onto[j, j].p, onto[j, j].q) for j in range(w.cols)]


def indistinguishable(rows: np.ndarray, j: int) -> tuple[list[Fraction], list[Fraction]]:
    """(e_j + v) / 2 and (e_j - v) / 2, v the projection of e_j to the null space: the rows map both
    to the same point.
    """
    w = sympy.Matrix(rows.tolist())
    e = sympy.eye(w.cols)[:, j]
    v = e - w.T * (w * w.T).inv() * w * e
    first, second = (e + v) / 2, (e - v) / 2
    return [Fraction(x.p, x.q) for x in first], [Fraction(x.p, x.q) for x in second]


def full_rank(generator: np.random.Generator, m: int, t: int) -> np.ndarray:
    """Random small integers, (m, t)."""
    while True:
        rows = generator.integers(-3, 4, (m, t))
        if sympy.Matrix(rows.tolist()).rank() == m:
            return rows


def corner(t: int) -> tuple[np.ndarray, list[int]]:
    """The data of Proposition 3.2: 0 of one label, e_1, ..., e_t of the other; eps = 1/2."""
    return np.vstack([np.zeros(t), np.eye(t)]), [-1] + [1] * t


@claim(
    "kim-lemma-a.2",
    "of t orthonormal vectors one has a squared distance of at most m/t from the null space of m "
    "rows",
    "holds",
    "these squared distances are the diagonal of a projector of rank m, which sum to m",
    on="random integer rows, t = 3, 5, 8",
)
def distance_from_a_null_space() -> Iterator[Check]:
    """Sums and least entries, in rationals."""
    generator, sums, least = np.random.default_rng(0), 0, 0
    cases = [(m, t) for t in (3, 5, 8) for m in range(1, t)]
    for m, t in cases:
        found = leverages(full_rank(generator, m, t))
        sums += sum(found) == m
        least += min(found) <= Fraction(m, t)
    yield share_of("random integer rows whose squared distances sum to m", sums, len(cases))
    yield share_of("random integer rows with one of at most m/t", least, len(cases))


@claim(
    "kim-proposition-3.2",
    "some N points in R^d force every rho-robust memorizer to have a first hidden layer of at "
    "least rho^2 min(N - 1, d) units, for all rho at once",
    "holds",
    "with a witness: for any first layer of fewer units, two points in the balls of different "
    "labels that it maps to the same point, in rationals",
    on="0 and e_1..e_t, t = 3, 5, 8, random first layers",
)
def first_width() -> Iterator[Check]:
    """For random first layers the witness, and networks that cannot tell its points apart."""
    generator, apart, same, total = np.random.default_rng(1), 0, 0, 0
    for t, rho in ((3, 0.75), (5, 0.75), (8, 0.5), (8, 0.875)):
        for m in range(1, math.ceil(rho**2 * t)):
            rows, radius = full_rank(generator, m, t), Fraction(rho) / 2
            found = leverages(rows)
            j = found.index(min(found))
            x, y = indistinguishable(rows, j)
            near = sum((v - (i == j)) ** 2 for i, v in enumerate(x)) < radius**2
            apart += near and sum(v**2 for v in y) < radius**2
            network = ReLUNetwork.from_layers(
                [
                    (rows.astype(float), generator.integers(-2, 3, m) / 2),
                    (generator.integers(-2, 3, (4, m)).astype(float), np.ones(4)),
                    (np.array([[1.0, -2.0, 3.0, -1.0]]), [0.5]),
                ]
            )
            same += bool((network.exact(x) == network.exact(y)).all())
            total += 1
    yield share_of("first layers with a witness in the balls of 0 and some e_j", apart, total)
    yield share_of("random networks on them of one value at both points, exactly", same, total)


def squared_ratios(
    points: np.ndarray, signs: np.ndarray, centres: np.ndarray, labels: np.ndarray
) -> set[Fraction]:
    """Squared distances of points from the nearest centre of their sign, over eps^2; exact, as all
    numbers are dyadic and short.
    """

    def squares(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.asarray(((first[:, None] - second) ** 2).sum(axis=2))

    eps2 = Fraction(squares(centres[labels == 1], centres[labels == -1]).min()) / 4
    return {
        Fraction(value) / eps2
        for s in (-1, 1)
        if (signs == s).any()
        for value in squares(points[signs == s], centres[labels == s]).min(axis=1)
    }


@claim(
    "kim-proposition-3.3",
    "for rho <= sqrt(1 - 1/d), rho-robust memorizers of all N points in R^d need Omega(sqrt(N / (1 "
    "- rho^2))) parameters: they shatter k floor(N/2) points, k = floor(1 / (1 - rho^2))",
    "holds",
    "the shattering is run; that P parameters shatter O(P^2) points is cited. In its proof k is in "
    "[1, d], an odd N takes one more point far away, and for k = 1 (rho < 1/sqrt 2) the N points "
    "themselves are shattered, not only floor(N/2)",
    on="N = 4, d = 4, k = 2, 3, l_2",
)
def shattered() -> Iterator[Check]:
    """All labellings forced by proved balls, in k of d = 4 coordinates."""
    d, n, delta = 4, 4, Fraction(1, 16)
    for k in (2, 3):
        some = shattered_set(n, k, delta)
        pad = ((0, 0), (0, d - k))
        right, ratios = 0, set()
        for signs in itertools.product((-1, 1), repeat=n * k // 2):
            centres, labels = some.centres(signs)
            points, ball = np.pad(centres, pad), Ball(2, float(delta))
            network = nearest_neighbour(points, labels, ball)
            proved = certify_memorizer(network, points, labels, ball).verdict == "proved"
            found = exact_signs(network, np.pad(some.points, pad))[:, 0]
            right += proved and bool((found == signs).all())
            ratios |= squared_ratios(some.points, np.array(signs), centres, labels)
        yield equal(f"k = {k}: squares of distances to centres over eps^2: kinds", len(ratios), 1)
        yield equal(f"k = {k}: 1 / (1 - that)", 1 / (1 - max(ratios)), k)
        what = f"labellings of k N/2 = {n * k // 2} points, each forced by {n} proved balls"
        yield share_of(what, right, 2 ** (n * k // 2))


def architectures(parameters: int, d: int) -> int:
    """How many widths give so many dense parameters, with d inputs and one output."""
    ways = {(0, d): 1}  # (parameters spent, last width) -> ways
    total = 0
    while ways:
        following: dict[tuple[int, int], int] = {}
        for (spent, last), count in ways.items():
            total += count * (spent + last + 1 == parameters)
            for width in range(1, (parameters - spent) // (last + 1) + 1):
                key = spent + (last + 1) * width, width
                following[key] = following.get(key, 0) + count
        ways = following
    return total


@claim(
    "kim-theorem-3.1",
    "rho-robust memorizers of all N points in R^d need Omega((rho^2 min(N, d) + 1) d + min(1 / "
    "sqrt(1 - rho^2), sqrt d) sqrt N) parameters, all entries counted",
    "holds",
    "of two bounds: for N >= 3, (d + 1) w + w + 1, w = max(1, ceil(rho^2 min(N - 1, d))), with "
    "this constant, by Proposition 3.2 and, for w = 1, three points on a line; and Proposition "
    "3.3's. There the class is a union over all widths with P parameters, and the cited O(P^2) is "
    "of one architecture; there are at most 2^P of them, which adds O(P) to the dimension, so "
    "the order stays. Both are derived, not measured: what runs is the first beside networks that "
    "are right, and the count of architectures",
    on="0 and e_1..e_t, t = 4, 8, 16; architectures with P < 60",
)
def parameters_from_below() -> Iterator[Check]:
    """The first bound beside networks that attain robustness; architectures, counted."""
    for t, rho in ((4, 0.5), (8, 0.75), (16, 0.875)):
        points, labels = corner(t)
        ball = Ball(2, rho / 2)
        network = nearest_neighbour(points, labels, ball)
        verdict = certify_memorizer(network, points, labels, ball).verdict
        yield equal(f"N = {t + 1}, rho = {rho}: balls proved", verdict == "proved", True)
        width = max(1, math.ceil(rho**2 * t))
        least = (t + 1) * width + width + 1
        entries = network.size.dense_parameters
        yield at_least(f"N = {t + 1}, rho = {rho}: entries of it", entries, least)
    most = max(math.log2(max(1, architectures(p, d))) / p for p in range(2, 60) for d in (1, 2, 5))
    yield at_most("largest log2(architectures of P < 60 parameters) / P", most, 1)


@claim(
    "kim-theorem-4.2",
    "N points in R^d are rho-robustly memorized by O~(sqrt N) parameters for rho <= 1 / (5 N sqrt "
    "d); from there by O~(N d^(1/4) sqrt rho), up to an error eta, to rho = 1 / (5 sqrt d); from "
    "there by O~(N d^2 rho^4), rho < 1 (all entries counted, and O~(d) added)",
    "empirical only",
    "its networks are not built, and no rate is proved. Others are, and their nonzero parameters "
    "counted: `grid_memorizer` at the first radius and `staged_grid_memorizer` at two radii of the "
    "second regime, 1 / (5 k sqrt d) for k = 1 and 16, where gates of ReLU leave no error: each "
    "ball is proved. For the third, see `projected_memorizer` and own Theorem 1",
    on="random points, d = 8, N = 60, 240, rho = 1 / (5 N sqrt d), 1 / (80 sqrt d), 1 / (5 sqrt d)",
)
def small_balls_are_cheap() -> Iterator[Check]:
    """Proved balls at radii of the first and second regime; parameters beside the rates."""
    generator, d = np.random.default_rng(4), 8
    for n in (60, 240):
        points = generator.integers(0, 2**20 + 1, (n, d)) / 2**20
        labels = np.where(np.arange(n) % 2, 1, -1)
        half = separation(points, labels, norm=2).lower / 2
        ball = Ball(2, half / (5 * n * math.sqrt(d)))
        network = grid_memorizer(points, labels, ball)
        proof = certify_memorizer(network, points, labels, ball)
        yield equal(f"N = {n}: balls proved", proof.verdict == "proved", True)
        most = math.ceil(12 * math.sqrt(n * math.log2(n)))
        yield at_most(f"N = {n}: parameters, 12 sqrt(N log2 N)", network.size.parameters, most)
        for k in (16, 1):
            rho = 1 / (5 * k * math.sqrt(d))
            network = staged_grid_memorizer(points, labels, Ball(2, half * rho))
            proof = certify_memorizer(network, points, labels, Ball(2, half * rho))
            what = f"N = {n}, rho = 1 / (5 {k} sqrt d)"
            yield equal(f"{what}: balls proved", proof.verdict == "proved", True)
            most = math.floor(8 * n * d**0.25 * math.sqrt(rho) * math.log2(n))
            told = f"{what}: parameters, 8 N d^(1/4) sqrt rho log2 N"
            yield at_most(told, network.size.parameters, most)


@claim(
    "kim-proposition-c.7",
    "some N points in R^d force every memorizer that is rho-robust in l_inf, rho > 1/2, to have a "
    "first hidden layer of at least min(N - 1, d) units",
    "holds",
    "with a witness: any fewer rows map some z != 0 to 0, and with z_j = |z|_inf = 1 and v = z / 2 "
    "the points (e_j + v) / 2 and (e_j - v) / 2 are within 1/4 of e_j and of 0 and have one image",
    on="0 and e_1..e_t, t = 2, 3, 5, 8, random first layers",
)
def first_width_of_boxes() -> Iterator[Check]:
    """For random first layers the witness, and networks that cannot tell its points apart."""
    generator, near, same, total = np.random.default_rng(3), 0, 0, 0
    for t in (2, 3, 5, 8):
        for m in range(1, t):
            rows = full_rank(generator, m, t)
            z = sympy.Matrix(rows.tolist()).nullspace()[0]
            j = max(range(t), key=lambda k: abs(z[k]))
            v = [Fraction(a.p, a.q) / 2 for a in z / z[j]]
            unit = [int(i == j) for i in range(t)]
            x, y = ([(e + s * a) / 2 for e, a in zip(unit, v, strict=True)] for s in (1, -1))
            far = max(abs(a - e) for a, e in zip(x, unit, strict=True))
            near += max(far, *map(abs, y)) <= Fraction(1, 4)
            network = ReLUNetwork.from_layers(
                [
                    (rows.astype(float), generator.integers(-2, 3, m) / 2),
                    (np.array([generator.integers(-2, 3, m)], dtype=float), [0.5]),
                ]
            )
            same += x != y and bool((network.exact(x) == network.exact(y)).all())
            total += 1
    yield share_of("first layers with points within 1/4 of 0 and of some e_j", near, total)
    yield share_of("random networks on them of one value at both points, exactly", same, total)


@claim(
    "own-theorem-1",
    "for every rho < 1, N points of two labels in [0,1]^d, multiples of 2^-q, are rho-robustly "
    "memorized, on closed balls, by a network of depth at most ceil(log2 N) + 1 and at most N (d + "
    "4) + 2 log2 N nonzero parameters",
    "holds",
    "where Kim, Moon and Yun's third regime has depth O~(N). The network is `nearest_neighbour`, "
    "q = 18 for d = 784. Proof: a_i(x) = |c_i|^2 - 2 <c_i, x> is affine, and on the closed ball of "
    "radius rho eps around c_i, a_j - a_i >= D^2 - 2 rho eps D >= 4 eps^2 (1 - rho) > 0 for c_j of "
    "another label at distance D >= 2 eps; the difference of the least a_j of the two labels, "
    "divided by a power of two below that and cut at -1 and 1, is the label",
    on="random points, N = 8 to 32, d = 3 to 64, rho up to 0.999",
)
def nearest_is_robust() -> Iterator[Check]:
    """Proved balls up to rho = 0.999, depth and parameters."""
    generator = np.random.default_rng(2)
    for n, d, rho in ((8, 3, 0.5), (16, 8, 0.9), (32, 16, 0.99), (32, 64, 0.999)):
        points = generator.integers(0, 257, (n, d)) / 256
        labels = np.where(np.arange(n) % 2, 1, -1)
        between = points[labels == 1][:, None] - points[labels == -1]
        eps = math.sqrt(float((between**2).sum(axis=2).min())) / 2
        ball = Ball(2, rho * eps)
        network, what = nearest_neighbour(points, labels, ball), f"N = {n}, d = {d}, rho = {rho}"
        proof = certify_memorizer(network, points, labels, ball)
        yield equal(f"{what}: balls proved", proof.verdict == "proved", True)
        most = n * (d + 4) + 2 * math.ceil(math.log2(n))
        yield at_most(f"{what}: parameters", network.size.parameters, most)
        yield at_most(f"{what}: depth", network.size.depth, math.ceil(math.log2(n)) + 1)


@claim(
    "own-proposition-2",
    "for d = 2^k the argument of Kim, Moon and Yun's Proposition 3.2 gives no more than rho^2 d: "
    "there are first layers of m rows, for each m, that map the open balls of radius rho/2 around "
    "0 and every e_j to disjoint sets whenever m >= rho^2 d",
    "holds",
    "the first m rows W of Sylvester's matrix. Proof: W W^T = d I, so the squared distance of e_j "
    "from the null space is |W e_j|^2 / d = m/d for all j; two points of the balls with one image "
    "differ by a vector of the null space, which would be nearer than rho to e_j",
    on="d = 4, 8",
)
def hadamard_is_tight() -> Iterator[Check]:
    """All squared distances, in rationals."""
    for d in (4, 8):
        rows = scipy.linalg.hadamard(d)
        right = sum(set(leverages(rows[:m])) == {Fraction(m, d)} for m in range(1, d + 1))
        yield share_of(f"d = {d}: m with all squared distances m/d", right, d)
