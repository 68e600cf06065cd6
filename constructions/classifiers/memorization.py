"""Robust memorization: the CGRO classifier f_S, its small-margin form f_adv, built from f_clean and
indicators of balls.

Every variant is f_clean outside the outer balls around the training points, and the training label
on the whole ball B_p(x_i, radius) around each of them. Whole, because f_adv is f_S of fewer points,
and both are built by one function.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import nn

from ..basics.ball import Ball, check_ball, warn_of_scale
from ..basics.engine import HERE, Engine
from ..basics.floats import from_shared, power_of_two
from ..basics.reading import as_tensor, check_labels
from ..basics.result import several
from ..basics.shapes import Labels, Outputs
from ..gadgets.approximation import UNIT, check_depth
from ..gadgets.indicators import Thresholds, thresholds
from ..gadgets.points import read_points
from ..linear.matrix import Dense
from ..nearness.separation import nearest_within_class
from ..nearness.separation import separation as find_separation
from ..networks.intervals import magnitude_bound
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record
from .memorizer import Memorizer, distance_error
from .screening import MemorizerScreen
from .variants import Variant, check_variant

INNER = (
    "inner is not the radius: it is the radius (l_2: its square) plus distance_error, rounded up to"
    " a dyadic number, so that the indicator is 1 on the whole ball in spite of both; it is 0 from "
    "outer on"
)
"""Why f_S and f_adv have other thresholds than the radius."""

SHELL = (
    "'outside the training balls' leaves out a shell around each ball, up to outer, where f_S "
    "passes from y_i to f_clean: a continuous function cannot jump"
)
"""What the papers' statement of f_S does not say."""

NARROW = 2.0**-10
"""Width of a shell, in units of points in [0,1], below which f_S warns: a quarter of a grey level
of 255.
"""


@implements(
    "CGRO (anonymous 2023), equation (C) and Theorem 5.2",
    "f_S = f_clean outside the training balls and y_i on B_p(x_i, delta), with poly(D) + O~(ND) "
    "parameters",
    SHELL,
    INNER,
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
    engine: Engine = HERE,
) -> ReLUNetwork:
    """The CGRO classifier: it equals `clean` away from the training points, their labels near them.

    It is a ReLU network that equals `clean` away from the centres and `labels[i]` on each whole
    ball. Guarantees in exact arithmetic, on [0,1]^D, with R the separation: (i) on each ball,
    variants gate and lean give exactly y_i (binary) or the one-hot row of y_i (K classes); paper
    gives it up to 1/4. (ii) f = clean where every centre is at least R/2 away (R - delta if R/2
    leaves no room; thresholds are in the provenance). (iii) between, for binary gate and lean at
    threshold R/2: the sign of clean or of y_i, or 0.

    The paper's rewriting f_clean + sum_i (y_i - f_clean) 1{...} counts a point twice where balls
    overlap; it is refused where outer balls of one class do. gate and lean cap the indicators of a
    class at 1 instead. In float32 the paper's form loses about 2^-24 (2 |f_clean|)^2; gate and lean
    do not depend on the size of f_clean. A warning tells of a ball that holds all of [0,1]^D (8 for
    8/255), and of a shell narrower than `NARROW`, a quarter of a grey level. Large networks
    evaluate themselves through a screen: see `localize`.

    Args:
        clean: an `nn.Linear`, an `nn.Sequential` of Linear and ReLU, or a `ReLUNetwork`, D -> 1
            (labels -1, +1) or D -> K (labels 0..K-1).
        centres: (N, D) in [0,1].
        labels: (N,) integers.
        ball: norm and radius delta.
        variant: "lean", "gate" or "paper".
        m: depth of the squaring networks (used by l_2 distances and by the paper's multiplications
            only); None takes the least that leaves half the room.
        separation: least distance between centres of different labels; None computes and checks it
            (see `separation`), a number is taken as the caller's assumption: nothing pairwise is
            then checked.
        engine: where the separation is computed.

    Returns:
        A `ReLUNetwork` D -> 1 or D -> K.

    Raises:
        ValueError: for shapes that do not fit, NaN, labels outside the allowed set, centres outside
            [0,1], delta >= R/2 (naming the nearest pair), overlapping balls of one class or |clean|
            beyond 2^20 (variant paper), an m too small, a clean not defined on [0,1]^D.

    Cost: O(N D) (l_inf; l_2 lean) or O(N D m) (l_2 paper and gate) parameters beside those of
    clean; `closed_form` has them as formulas. Building costs time and memory N D.

    Source: "Why Clean Generalization and Robust Overfitting Both Happen in Adversarial Training"
    (anonymous 2023, CGRO), equation (C), Theorem 5.2 and Appendix D.

    Example:
        >>> from constructions import affine
        >>> clean = affine([[4.0, 0.0]], [-2.0])
        >>> f = f_S(
        ...     clean, [[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball("inf", 0.125)
        ... )  # both labels contradict f_clean
        >>> f([[0.25, 0.5], [0.25, 0.625], [0.25, 1.0], [0.75, 0.4]]).flatten().tolist()
        [1.0, 1.0, -1.0, -1.0]
    """
    problem = _read(clean, centres, labels, ball, variant, m)
    return _memorize(problem, None, ball, variant, m, separation, engine)


@implements(
    "CGRM (anonymous 2023), Section 1 and Theorem 3.3",
    "f_adv memorizes only points nearer than delta to f_clean's decision boundary: poly(D) + O~(mu "
    "N D) parameters",
    INNER,
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
    engine: Engine = HERE,
) -> ReLUNetwork:
    """f_S restricted to the centres that `clean` does not classify robustly.

    S_small are the centres whose margin under `clean` is at most the radius (mu N of them). If the
    margins are right, every centre gets its label on its whole ball: those in S_small as by f_S,
    the others from clean, because the separation is taken between S_small and *all* centres, so
    that no memorized shell of another class reaches their balls. (The paper's S_small is margin <
    radius; a ball that touches the boundary holds a tie, which counts as an error.)

    Args:
        clean: as for `f_S`.
        centres: as for `f_S`.
        labels: as for `f_S`.
        ball: as for `f_S`.
        margins: (N,) signed l_p distances from each centre to clean's decision boundary, negative
            where clean errs; lower bounds are sound (more points are memorized, never fewer): from
            `analysis.certified_margins`, for example, infinity where it is positive and -1
            elsewhere.
        variant: as for `f_S`.
        m: as for `f_S`.
        separation: as for `f_S`, between S_small and all centres.
        engine: as for `f_S`.

    Returns:
        A `ReLUNetwork` D -> 1 or D -> K.

    Raises:
        ValueError: if a centre that clean misclassifies has margin > radius, and if S_small is
            empty; otherwise as `f_S` (a pair that is too near is named as: index in S_small, index
            in centres).

    Source: "Why Clean Generalization and Robust Memorization Both Happen in Adversarial Training"
    (anonymous 2023, CGRM), Section 1 and Theorem 3.3.

    Example:
        >>> from constructions import affine
        >>> clean = affine([[4.0, 0.0]], [-2.0])  # margin |x_1 - 1/2|
        >>> points, labels = [[0.4375, 0.5], [1.0, 0.5]], [-1, 1]
        >>> f = f_adv(clean, points, labels, Ball("inf", 0.125), margins=[0.0625, 0.5])
        >>> f.provenance.arguments["N"], f([[0.5, 0.5]]).item()
        (1, -1.0)
    """
    problem = _read(clean, centres, labels, ball, variant, m)
    margin = as_tensor(margins, "margins").double().cpu().numpy().reshape(-1)
    if margin.shape != problem.labels.shape:
        raise ValueError(
            f"margins must have one entry for each of the {len(problem.labels)} centres, got "
            f"{margin.shape}"
        )
    if np.isnan(margin).any():
        raise ValueError(
            f"margins must not be NaN, got NaN at index {int(np.isnan(margin).argmax())}"
        )
    small = margin <= ball.radius
    errs = predictions(problem.clean(problem.centres.entries)).numpy() != problem.labels
    if (errs & ~small).any():
        i = int((errs & ~small).argmax())
        raise ValueError(
            f"margins must be negative where clean misclassifies: centre {i} has margin "
            f"{margin[i]:.6g}"
        )
    if not small.any():
        raise ValueError(
            f"no centre has margin up to the radius {ball.radius:g}: clean itself is robust on all "
            f"of them"
        )
    chosen = Dense(problem.centres.entries[torch.from_numpy(small)])
    memorized = _Problem(problem.clean, chosen, problem.labels[small])
    return _memorize(memorized, problem, ball, variant, m, separation, engine)


def predictions(values: Outputs) -> Labels:
    """Predict labels from outputs: the sign of one, or the first largest of K.

    Args:
        values: outputs (batch, 1) or (batch, K).

    Returns:
        Labels (batch,): -1, 0 (no label) or +1, or 0..K-1.

    Example:
        >>> (
        ...     predictions(torch.tensor([[0.5], [-2.0], [0.0]])).tolist(),
        ...     predictions(torch.tensor([[0.1, 0.7, 0.2]])).tolist(),
        ... )
        ([1, -1, 0], [1])
    """
    return values[..., 0].sign().to(torch.int64) if values.shape[-1] == 1 else values.argmax(-1)


# -- reading the arguments -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Problem:
    clean: ReLUNetwork
    centres: Dense
    labels: np.ndarray


def _read(clean: Any, centres: Any, labels: Any, ball: Any, variant: Any, m: Any) -> _Problem:
    check_ball(ball)
    check_variant(variant)
    if m is not None:
        check_depth("m", m)
    network = ReLUNetwork.from_module(clean)
    if network.domain and not (network.domain[0] <= UNIT[0] and UNIT[1] <= network.domain[1]):
        raise ValueError(f"clean must be defined on [0,1]^D, its domain is {list(network.domain)}")
    points = read_points(centres, "centres")
    if network.inputs != points.shape[1]:
        raise ValueError(
            f"clean takes {several(network.inputs, 'input')} but centres have "
            f"{several(points.shape[1], 'coordinate')}"
        )
    warn_of_scale(ball, network.inputs)
    values = check_labels(labels, points.shape[0], network.outputs).cpu().numpy()
    return _Problem(network, points, values)


def _memorize(
    chosen: _Problem,
    everything: _Problem | None,
    ball: Ball,
    variant: Variant,
    m: int | None,
    separated: float | None,
    engine: Engine,
) -> ReLUNetwork:
    """Memorize the chosen points, whose outer balls must not meet the balls of differently labelled
    points at all: of all points, where the chosen ones are some of them, else (None) of each other.
    """
    clean, centres, labels, p = chosen.clean, chosen.centres, chosen.labels, ball.p
    dimension = centres.shape[1]
    assumed = separated is not None
    where = ""
    if separated is None:
        others = (everything.centres.entries.numpy(), everything.labels) if everything else ()
        found = find_separation(centres.entries.numpy(), labels, *others, norm=p, engine=engine)
        separated = found.lower
        where = f", between points {found.pair[0]} and {found.pair[1]}" if found.pair else ""
    if not separated > 2 * ball.radius:
        raise ValueError(
            f"ball radius must be below half the separation: radius {ball.radius:g}, separation "
            f"{separated:.6g}{where}"
        )
    bound = power_of_two(magnitude_bound(clean, UNIT) + 1, "bound of |clean|")
    if variant == "paper" and bound > 2**20:
        raise ValueError(
            f"variant 'paper' multiplies by |clean|, whose bound {bound:.3g} must be at most 2^20"
        )
    if m is None:
        m = least_depth(ball, variant, separated, dimension, bound)
    if variant == "paper" and bound**2 * Fraction(1, 4**m) > Fraction(1, 4):
        raise ValueError(
            f"m must be at least {math.ceil(math.log2(2 * bound))} for |clean| < {bound:g}, got {m}"
        )
    error = distance_error(ball.p, variant, dimension, m)
    cut = thresholds(ball, separated, error)
    _warn_of_width(ball, cut, separated, where)
    if variant == "paper" and not assumed:
        same = nearest_within_class(
            centres.entries.numpy(), labels, norm=p, engine=replace(engine, journal=None)
        )
        reach = 2 * (cut.outer if p == math.inf else math.sqrt(cut.outer))
        if same.pair and same.lower < reach:
            raise ValueError(
                f"the paper's form counts overlapping balls of one class twice: points "
                f"{same.pair[0]} and {same.pair[1]} "
                f"are {same.distance:.6g} apart, less than two outer radii = {reach:.6g}; use "
                f"variant 'gate' or 'lean'"
            )
    memorizer = Memorizer(clean, centres, from_shared(labels), p, cut, variant, m, bound)
    network = memorizer.network()
    network = replace(network, screen=MemorizerScreen(memorizer, network.layers))
    return record(network, separation=separated, separation_assumed=assumed, **memorizer.facts())


def _warn_of_width(ball: Ball, cut: Thresholds, separated: float, where: str) -> None:
    """Warn of a shell that is too narrow for float32 (l_2: its width in distance, not squared)."""
    inner, outer = cut.inner, cut.outer
    width = outer - inner if ball.p == math.inf else math.sqrt(outer) - math.sqrt(inner)
    if width < NARROW and ball.radius > separated / 4:
        warnings.warn(
            f"the shell in which f passes from label to clean is only {width:.2g} wide: gradients "
            f"there are steep, and float32 rounds them. The radius {ball.radius:g} is nearly half "
            f"the separation {separated:.6g}{where}: a radius of {separated / 4:.3g} leaves as "
            f"much room as it takes, or leave out one of the two points",
            stacklevel=5,
        )


def least_depth(
    ball: Ball, variant: Variant, separated: float, dimension: int, bound: float
) -> int:
    """The least m whose distance error takes at most half the room between radius and R/2, and, for
    the paper's form, whose multiplication errs by at most 1/4.
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
