"""Robust memorization: the CGRO classifier f_S, its small-margin form f_adv, built from f_clean and indicators of balls.

Every variant is f_clean outside the outer balls around the training points, and the training label on the whole ball
B_p(x_i, radius) around each of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from .approximation import UNIT, gate, power_of_two, yarotsky_multiplication
from .calculus import affine, compose, copies, delay, parallel
from .geometry import (
    Ball,
    Thresholds,
    lean_indicators,
    linf_distances,
    nearest_within_class,
    read_points,
    shared_rounding,
    shared_squared_distances,
    soft_indicator,
    squared_distances,
    thresholds,
)
from .geometry import (
    separation as find_separation,
)
from .intervals import magnitude_bound
from .lemma import implements, record
from .matrix import Block, Constant, Dense, Identity, Matrix, Sparse, kron, zeros
from .network import Affine, ReLUNetwork

Variant = Literal["paper", "gate", "lean"]

VARIANTS: tuple[Variant, ...] = ("paper", "gate", "lean")
"""paper: distances, soft indicators and multiplications, as the papers print it. gate: the same indicators, capped per
class, and an exact gate in place of multiplications. lean: the gate with the smallest indicators (l_inf: no maxima;
l_2: squares shared by all centres)."""

_E1, _E2 = Dense(torch.tensor([[1.0], [0.0]])), Dense(torch.tensor([[0.0], [1.0]]))
_SIGNS = Dense(torch.tensor([[1.0], [-1.0]]))
_JOIN = Dense(torch.tensor([[1.0, -1.0]]))


@implements(
    "Li & Li 2024 (CGRO), equation (C) and Theorem 5.2",
    "f_S = f_clean outside the training balls and y_i on B_p(x_i, delta), with poly(D) + O~(ND) parameters",
)
def f_S(  # noqa: N802 - the papers' name
    clean: nn.Module | ReLUNetwork,
    centres: Any,
    labels: Any,
    ball: Ball,
    *,
    variant: Variant = "lean",
    m: int | None = None,
    separation: float | None = None,
) -> ReLUNetwork:
    """The CGRO classifier: a ReLU network that equals `clean` away from the centres and `labels[i]` on each whole ball.

    clean: an `nn.Linear`, an `nn.Sequential` of Linear and ReLU, or a `ReLUNetwork`, D -> 1 (labels -1, +1) or D -> K
    (labels 0..K-1). centres: (N, D) in [0,1]. ball: norm and radius delta. m: depth of the squaring networks (l_2
    distances; multiplications of the paper's form); None takes the least that leaves half the room. separation: least
    distance between centres of different labels; None computes and checks it (N^2 D operations), a number is taken as
    the caller's assumption: nothing pairwise is then checked.

    Guarantees in exact arithmetic, on [0,1]^D, with R the separation: (i) on each ball, variants gate and lean give
    exactly y_i (binary) or the one-hot row of y_i (K classes); paper gives it up to 1/4. (ii) f = clean where every
    centre is at least R/2 away (R - delta if R/2 leaves no room; thresholds are in the provenance). (iii) between,
    for binary gate and lean at threshold R/2: the sign of clean or of y_i, or 0.

    The paper's rewriting f_clean + sum_i (y_i - f_clean) 1{...} counts a point twice where balls overlap; it is refused
    for such data. gate and lean cap the indicators of a class at 1 instead.

    Parameters: O(N D) (l_inf; l_2 lean) or O(N D m) (l_2 paper and gate) beside those of clean; `constructions.counting`
    has the closed forms. Building costs time and memory N D.

    Raises ValueError for shapes that do not fit, NaN, labels outside the allowed set, centres outside [0,1],
    delta >= R/2 (naming the nearest pair), overlapping balls of one class (variant paper), an m too small.

    Source: Li & Li 2024 ("On the Clean Generalization and Robust Overfitting in Adversarial Training"), Theorem 5.2.

    >>> clean = affine([[4.0, 0.0]], [-2.0])
    >>> f = f_S(clean, [[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball("inf", 0.125))     # both labels contradict f_clean
    >>> f([[0.25, 0.5], [0.25, 0.625], [0.25, 1.0], [0.75, 0.4]]).flatten().tolist()
    [1.0, 1.0, -1.0, -1.0]
    """
    problem = _read(clean, centres, labels, ball, variant)
    assumed = separation is not None
    pair = None
    if separation is None:
        found = find_separation(problem.centres.entries.numpy(), problem.labels, norm=ball.p)
        separation, pair = found.distance, found.pair
        separation = separation * (1 - 2.0**-48) if math.isfinite(separation) else separation
    if not separation > 2 * ball.radius:
        where = f", between points {pair[0]} and {pair[1]}" if pair else ""
        raise ValueError(
            f"ball radius must be below half the separation: radius {ball.radius:g}, separation {separation:.6g}{where}"
        )
    network, facts = _memorize(problem, ball, variant, m, separation, check_overlap=not assumed)
    return record(network, separation=separation, separation_assumed=assumed, **facts)


@implements(
    "Anonymous 2023 (CGRM), Section 1 and Theorem 3.3",
    "f_adv memorizes only the training points nearer than delta to f_clean's decision boundary: O~(mu N D) parameters",
)
def f_adv(
    clean: nn.Module | ReLUNetwork,
    centres: Any,
    labels: Any,
    ball: Ball,
    *,
    margins: Any,
    variant: Variant = "lean",
    m: int | None = None,
    separation: float | None = None,
) -> ReLUNetwork:
    """f_S restricted to S_small, the centres whose margin under `clean` is below the radius (mu N of them).

    margins: (N,) signed l_p distances from each centre to clean's decision boundary, negative where clean errs; lower
    bounds are sound (more points are memorized, never fewer). A centre left out is robustly classified by clean if its
    margin is right. Raises ValueError if a centre that clean misclassifies has margin >= radius, and if S_small is
    empty; otherwise as `f_S`. Source: Anonymous 2023 ("Why Clean Generalization and Robust Memorization Both Happen in
    Adversarial Training"), Theorem 3.3.

    >>> clean = affine([[4.0, 0.0]], [-2.0])                                # margin |x_1 - 1/2|
    >>> points, labels = [[0.4375, 0.5], [1.0, 0.5]], [-1, 1]
    >>> f = f_adv(clean, points, labels, Ball("inf", 0.125), margins=[0.0625, 0.5])
    >>> f.provenance.arguments["N"], f([[0.5625, 0.5]]).item()
    (1, -1.0)
    """
    problem = _read(clean, centres, labels, ball, variant)
    margin = np.asarray(margins, dtype=np.float64).reshape(-1)
    if margin.shape != problem.labels.shape:
        raise ValueError(f"margins must have one entry for each of the {len(problem.labels)} centres, got {margin.shape}")
    if np.isnan(margin).any():
        raise ValueError(f"margins must not be NaN, got NaN at index {int(np.isnan(margin).argmax())}")
    small = margin < ball.radius
    errs = predictions(problem.clean(problem.centres.entries)).numpy() != problem.labels
    if (errs & ~small).any():
        i = int((errs & ~small).argmax())
        raise ValueError(f"margins must be negative where clean misclassifies: centre {i} has margin {margin[i]:.6g}")
    if not small.any():
        raise ValueError(f"no centre has margin below the radius {ball.radius:g}: clean itself is robust on all of them")
    chosen = torch.from_numpy(np.flatnonzero(small))
    network = f_S(
        problem.clean,
        problem.centres.entries[chosen],
        problem.labels[small],
        ball,
        variant=variant,
        m=m,
        separation=separation,
    )
    inner = network.provenance.arguments if network.provenance else {}
    facts = {k: inner[k] for k in ("N", "m", "inner", "outer", "bound", "separation", "separation_assumed") if k in inner}
    return record(network, points=len(small), **facts)


def predictions(values: torch.Tensor) -> torch.Tensor:
    """Predicted labels from outputs of shape (batch, 1): -1, +1 (0 counts as -1's error: label 0), or (batch, K): argmax."""
    return values[..., 0].sign().to(torch.int64) if values.shape[-1] == 1 else values.argmax(-1)


# -- reading the arguments ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Problem:
    clean: ReLUNetwork
    centres: Dense
    labels: np.ndarray


def _read(clean: Any, centres: Any, labels: Any, ball: Any, variant: Any) -> _Problem:
    if not isinstance(ball, Ball):
        raise TypeError(f"ball must be a Ball, got {type(ball).__name__}")
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")
    network = ReLUNetwork.from_module(clean)
    points = read_points(centres, "centres")
    if network.inputs != points.shape[1]:
        raise ValueError(f"clean takes {network.inputs} inputs but centres have {points.shape[1]} coordinates")
    values = np.asarray(labels.detach().cpu() if isinstance(labels, torch.Tensor) else labels).reshape(-1)
    if len(values) != points.shape[0]:
        raise ValueError(f"labels must have one entry for each of the {points.shape[0]} centres, got {len(values)}")
    allowed = (-1, 1) if network.outputs == 1 else range(network.outputs)
    wrong = ~np.isin(values, list(allowed))
    if wrong.any():
        i = int(wrong.argmax())
        names = "-1 or +1" if network.outputs == 1 else f"0..{network.outputs - 1}"
        raise ValueError(
            f"labels must be {names} for a clean network with {network.outputs} outputs, got {values[i]} at index {i}"
        )
    return _Problem(network, points, values.astype(np.int64))


def _memorize(
    problem: _Problem, ball: Ball, variant: Variant, m: int | None, separated: float, *, check_overlap: bool
) -> tuple[ReLUNetwork, dict[str, Any]]:
    clean, centres, labels = problem.clean, problem.centres, problem.labels
    bound = power_of_two(magnitude_bound(clean, *UNIT) + 1, "bound")
    if m is None:
        m = least_depth(ball, variant, separated, centres.shape[1], bound)
    if variant == "paper" and bound**2 * Fraction(1, 4**m) > Fraction(1, 4):
        raise ValueError(f"m must be at least {math.ceil(math.log2(2 * bound))} for |f_clean| < {bound:g}, got {m}")
    cut = thresholds(ball, separated, distance_error(ball, variant, centres.shape[1], m))
    if variant == "paper" and check_overlap:
        same = nearest_within_class(centres.entries.numpy(), labels, norm=ball.p)
        reach = ball.radius + (cut.outer if ball.p == math.inf else math.sqrt(cut.outer))
        if same.distance * (1 - 2.0**-48) < reach and same.pair:
            raise ValueError(
                f"the paper's form counts overlapping balls of one class twice: points {same.pair[0]} and {same.pair[1]} "
                f"are {same.distance:.6g} apart, below radius + outer radius = {reach:.6g}; use variant 'gate' or 'lean'"
            )
    classes = 2 if clean.outputs == 1 else clean.outputs
    index = torch.from_numpy((1 - labels) // 2 if clean.outputs == 1 else labels)
    network = assemble(
        clean, centres, ball.p, cut, variant, m, bound, _targets(index, labels, clean.outputs), _members(index, classes)
    )
    facts = {"N": len(labels), "m": m, "inner": cut.inner, "outer": cut.outer, "bound": bound}
    return network.restrict(UNIT), facts


def _targets(index: torch.Tensor, labels: np.ndarray, outputs: int) -> Dense:
    """The values to memorize, one column of N K numbers: y_i, or the one-hot row of y_i."""
    if outputs == 1:
        return Dense(torch.from_numpy(labels).double()[:, None])
    return Dense(nn.functional.one_hot(index, outputs).double().reshape(-1, 1))


def _members(index: torch.Tensor, classes: int) -> Sparse:
    """classes x N: row c sums the indicators of class c (binary: +1 first)."""
    return Sparse((classes, len(index)), index, torch.arange(len(index)), torch.ones(len(index), dtype=torch.float64))


def distance_error(ball: Ball, variant: Variant, dimension: int, m: int) -> Fraction:
    """How far the variant's distance network may exceed the squared l_2 distance; 0 for l_inf."""
    if ball.p == math.inf:
        return Fraction(0)
    shared = 2 * Fraction(shared_rounding(dimension)) if variant == "lean" else Fraction(0)
    return dimension * Fraction(1, 4 ** (m + 1)) + shared


def least_depth(ball: Ball, variant: Variant, separated: float, dimension: int, bound: float) -> int:
    """The least m whose distance error takes at most half the room between radius and R/2, and, for the paper's form,
    whose multiplication errs by at most 1/4.
    """
    m = 1
    if variant == "paper":
        m = max(1, math.ceil(math.log2(2 * bound)))
    if ball.p == 2:
        far = 2 * max(ball.radius, 2.0**-10) if math.isinf(separated) else separated / 2
        room = (Fraction(far) ** 2 - Fraction(ball.radius) ** 2) / 2
        while m < 26 and dimension * Fraction(1, 4 ** (m + 1)) > room:
            m += 1
    return m


# -- building ----------------------------------------------------------------------------------------------------------


def assemble(
    clean: ReLUNetwork,
    centres: Matrix,
    p: float,
    cut: Thresholds,
    variant: Variant,
    m: int,
    bound: float,
    targets: Matrix,
    members: Matrix,
) -> ReLUNetwork:
    """f_S from checked parts. Entries may be `Unknown` and sizes symbolic (D: only where no maximum over it is built).

    centres: N x D. targets: N K x 1 values to memorize. members: classes x N, class c's row sums its indicators.
    """
    indicators = _indicators(centres, p, cut, variant, m)
    if variant == "paper":
        return _multiply(clean, indicators, targets, m, bound)
    return _gate(clean, indicators, members, bound)


def _indicators(centres: Matrix, p: float, cut: Thresholds, variant: Variant, m: int) -> ReLUNetwork:
    """x -> (Ind_i(x))_i: exactly 1 on ball i and exactly 0 outside its outer ball."""
    if p == math.inf and variant == "lean":
        return lean_indicators(centres, cut.inner, cut.outer)
    if p == math.inf:
        distances = linf_distances(centres)
    else:
        squared = shared_squared_distances if variant == "lean" else squared_distances
        distances = delay(squared(centres, m), 1, nonnegative=True)  # a unit each: the indicator reads it twice
    return compose(copies(centres.shape[0], soft_indicator(cut.inner, cut.outer)), distances)


def _multiply(clean: ReLUNetwork, indicators: ReLUNetwork, targets: Matrix, m: int, bound: float) -> ReLUNetwork:
    """f_clean + sum_i (y_i - f_clean) x Ind_i, with one multiplication for each i and output."""
    count, outputs = indicators.outputs, clean.outputs
    product = yarotsky_multiplication(m, bound)
    depth = max(clean.size.depth + 1, indicators.size.depth)
    base = parallel(delay(clean, depth - clean.size.depth), delay(indicators, depth - indicators.size.depth, nonnegative=True))
    factors = Block(
        (
            (
                kron(Constant(count, 1), -kron(Identity(outputs), _E1)),
                kron(Identity(count), kron(Constant(outputs, 1), _E2)),
            ),
        )
    )
    products = compose(copies(count * outputs, product), affine(factors, kron(targets, _E1)))
    carried = delay(affine(Block(((Identity(outputs), zeros(outputs, count)),))), product.size.depth)
    total = Block(((Identity(outputs), kron(Constant(1, count), Identity(outputs))),))
    return compose(affine(total), parallel(carried, products), base)


def _gate(clean: ReLUNetwork, indicators: ReLUNetwork, members: Matrix, bound: float) -> ReLUNetwork:
    """gate(f_clean, 1 - sum_c S_c) + (labels of S_c), with S_c = min(1, sum of the indicators of class c)."""
    outputs, classes = clean.outputs, members.shape[0]
    one = Constant(classes, 1)
    cap = ReLUNetwork((Affine(-members, one), Affine(-Identity(classes), one)))  # sum -> 1 - relu(1 - sum) = min(1, sum)
    caps = delay(compose(cap, indicators), 1, nonnegative=True)
    depth = max(clean.size.depth, caps.size.depth)
    base = parallel(delay(clean, depth - clean.size.depth), delay(caps, depth - caps.size.depth, nonnegative=True))
    into = Block(
        (
            (kron(Identity(outputs), _SIGNS), Constant(2 * outputs, classes, -bound)),
            (zeros(classes, outputs), Identity(classes)),
        )
    )
    read = _JOIN if outputs == 1 else Identity(classes)
    out = Block(((kron(Identity(outputs), _JOIN), read),))
    switch = ReLUNetwork(
        (Affine(into, zeros(2 * outputs + classes, 1)), Affine(out, zeros(outputs, 1))),
        provenance=gate(bound).provenance,
    )
    return compose(switch, base)
