"""Right-hand sides of generalization bounds, every constant named, and how much of a loss change
its first order explains.

Whole, because the bounds share their constants and what they ask of arguments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.optimize import brentq

from constructions import Ball, Result, log_growth_bound, vc_upper
from constructions.internal import Labels, Points, Said, check_ball, renamed, said

from ..behaviour.errors import clean_error
from ..behaviour.flatness import flatness_profile
from ..quantities import statistics
from ..quantities.measured import Kind, Measured
from ..quantities.reading import read_network, read_radii


@dataclass(frozen=True, repr=False)
class GeneralizationBound(Result):
    """An upper bound of a generalization gap or error, and the terms that it is the sum of.

    Attributes:
        value: the bound; a certified one holds with probability 1 - failure over the sample.
        terms: its summands.
        constants: all numbers that it rests on, those that the statement does not fix among them.
        largest: the most that the bounded quantity can be in any case.
    """

    value: Measured
    terms: Mapping[str, float]
    constants: Mapping[str, float]
    largest: float

    @property
    def verdict(self) -> str:
        """Whether the bound says anything.

        "vacuous" if it is not below `largest`, else "informative".
        """
        return "informative" if self.value.value < self.largest else "vacuous"

    def _says(self) -> tuple[str, dict[str, Said]]:
        terms = {name: said(term, "summed") for name, term in self.terms.items()}
        chance = ""
        if "failure" in self.constants and self.value.kind.startswith("certified"):
            chance = f"with probability {1 - self.constants['failure']:g} over the sample, "
        what = f"{chance}{self.verdict}: at most {self.largest:g} in any case"
        return what, {"bounded quantity": self.value.said, **terms}


def vc_gap(vc: int, samples: int, failure: float = 0.05) -> float:
    """Bound how much more a class of classifiers errs on fresh points than on the training points.

        L_D(f) - L_S(f) <= sqrt(2 log G / N) + sqrt(log(1 / failure) / 2N),
        log G = min(v log(e N / v), N log 2).

    L: share of errors. With probability 1 - failure over N samples, at once for all +-1 classifiers
    of a class of VC dimension at most v, chosen before the sample is seen. All constants are
    explicit.

    Args:
        vc: v, an integer >= 1.
        samples: N, an integer >= 1.
        failure: in (0, 1).

    Returns:
        An upper bound that holds with probability 1 - failure, up to rounding.

    Raises:
        ValueError: for other arguments.

    Source: Mohri, Rostamizadeh and Talwalkar 2018, Corollaries 3.9 and 3.19 (Massart's lemma; G
    bounds the growth function).

    Example:
        >>> round(vc_gap(65, 10_000), 3), vc_gap(10_000, 10_000) > 1
        (0.292, True)
    """
    _check_count("vc", vc)
    _check(samples, failure)
    growth = samples * math.log(2)
    if vc <= samples:
        growth = min(growth, log_growth_bound(samples, vc))
    return math.sqrt(2 * growth / samples) + math.sqrt(-math.log(failure) / (2 * samples))


@renamed("network points labels failure")
def clean_bound(
    network: Any, points: Any, labels: Any, *, failure: float = 0.05
) -> GeneralizationBound:
    """Bound a network's share of errors on fresh points by that on its training points.

    L_D(f) <= L_S(f) + `vc_gap`. The class is that of all weights, zeros included, in the network's
    widths, by `vc_upper`: the widths must not have been chosen by the data.

    It holds for f_S and f_adv built from the network, too, if they are told a separation that all
    of D keeps: on such data they err nowhere else than the network does (see `f_S`). So Theorem 6.2
    needs neither its Assumption 6.1 nor the share mu; its own proof takes the empirical Rademacher
    complexity of a class that the sample chose, which bounds nothing. The bound for the class of
    f_S itself, clean_bound(f_S, ...), is vacuous.

    Args:
        network: a `ReLUNetwork` or module with one output, trained on the points.
        points: (N, D), the whole training set, drawn independently.
        labels: (N,), -1 or +1.
        failure: probability with which it may fail, in (0, 1).

    Returns:
        A `GeneralizationBound`, a certified upper bound.

    Raises:
        ValueError: as `clean_error` and `vc_gap`, and for more outputs than one.

    Source: CGRM (anonymous 2023), Theorems 6.2 and C.1.

    Example:
        >>> from constructions import affine
        >>> x = torch.linspace(0, 1, 400)[:, None]
        >>> bound = clean_bound(affine([[1.0]], [-0.6]), x, torch.where(x[:, 0] > 0.5, 1, -1))
        >>> bound.terms["training error"], round(bound.value.value, 2), bound.verdict
        (0.1, 0.41, 'informative')
    """
    network = read_network(network)
    if network.outputs != 1:
        raise ValueError(
            f"network must have one output (VC dimension is of two classes), got {network.outputs}"
        )
    found = clean_error(network, points, labels)
    samples = len(labels)
    vc = vc_upper(network.hidden, network.inputs)
    _check(samples, failure)
    terms = {"training error": found.value, "complexity": vc_gap(vc, samples, failure)}
    constants = {"VC dimension, at most": vc, "samples": samples, "failure": failure}
    return GeneralizationBound(
        Measured(sum(terms.values()), "certified upper bound", None, samples), terms, constants, 1.0
    )


def robust_bound(
    flatness: Measured,
    *,
    samples: int,
    dimension: int,
    ball: Ball,
    loss_bound: float,
    roughness: float,
    failure: float = 0.05,
) -> GeneralizationBound:
    """Bound how much more a network errs under attack on fresh points than on training points.

        L_D^adv(f) - L_S^adv(f)
            <= B (h^2 rho / 12 + ((1 + 2h) / 2h)^(D/2) / (2 sqrt(N Delta))) + delta G,

    for the best h. For all f at once, also those chosen by the sample, with probability 1 - Delta,
    and without unnamed constants.

    Proof: as Theorem 6.3's, max >= mean over the cube of half side h around x_i, if it lies in the
    ball: h <= delta (l_inf) or delta / sqrt(D) (l_2). The mean of these is the integral of L
    against the kernel density p_S, and int (p - p_S) L <= B ||p - p_S||_1 / 2 <= B (||p - E p_S||_1
    + ||E p_S - p_S||_1) / 2. The first norm is at most h^2 rho / 6, coordinate by coordinate. The
    second is at most (1 + 2h)^(D/2) times its 2-norm, whose mean square is below (2h)^-D / N:
    Markov. And L_D^adv - L_D <= delta G by the mean value theorem. Labels are the same on all of a
    ball, and balls are not cut to the cube (`flatness_profile` cuts them).

    The papers print N^(-1/(D+2)) as G's factor (`printed_robust_bound`). But h is free up to delta,
    and delta is not: the last term stays delta G for all N, and the best h of the others is of
    order N^(-1/(D+4)).

    Args:
        flatness: G, E_D of max ||grad_x L(f(x + xi), y)||_q over the ball, such as the mean of
            `flatness_profile` at fresh points.
        samples: N, an integer >= 1.
        dimension: D, an integer >= 1.
        ball: norm and delta.
        loss_bound: B, with 0 <= L <= B wherever the balls reach.
        roughness: rho = sum_j of the integral of |d^2 p / d x_j^2|, p the density of D on R^D; no
            default, as the sample does not show it.
        failure: Delta, in (0, 1).

    Returns:
        A `GeneralizationBound`: certified if flatness is a certified upper bound of the expectation
        (one without `total`); else an estimate, with the interval of flatness.

    Raises:
        ValueError: for numbers out of range.
        TypeError: if flatness is no `Measured` or ball no `Ball`.

    Source: CGRM (anonymous 2023), Theorems 6.3 and C.2; CGRO (anonymous 2023), Theorems E.1 and
    F.1; corrected.

    Example:
        >>> flat = Measured(2.0, "estimate")
        >>> some = robust_bound(
        ...     flat,
        ...     samples=10**6,
        ...     dimension=1,
        ...     ball=Ball("inf", 0.1),
        ...     loss_bound=1.0,
        ...     roughness=16.0,
        ... )
        >>> {name: round(value, 4) for name, value in some.terms.items()}, some.verdict
        ({'smoothing': 0.0019, 'sampling': 0.0084, 'flatness': 0.2}, 'informative')
    """
    _check(samples, failure)
    _check_flatness(flatness, dimension)
    check_ball(ball)
    for name, value in (
        ("loss_bound", loss_bound),
        ("roughness", roughness),
        ("ball's radius", ball.radius),
    ):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be > 0 and finite, got {value}")
    most = ball.radius if ball.p == math.inf else ball.radius / math.sqrt(dimension)
    spread = -math.log(4 * samples * failure) / 2
    h = _bandwidth(most, roughness, dimension, spread)
    terms = {
        "smoothing": loss_bound * h * h * roughness / 12,
        "sampling": loss_bound * _exp(spread + dimension / 2 * math.log1p(1 / (2 * h))),
        "flatness": ball.radius * flatness.value,
    }
    constants = {
        "samples": samples,
        "dimension": dimension,
        "radius": ball.radius,
        "bandwidth": h,
        "failure": failure,
        "loss_bound": loss_bound,
        "roughness": roughness,
    }
    kind: Kind = "estimate"
    if flatness.total is None and flatness.kind in ("exact", "certified upper bound"):
        kind = "certified upper bound"
    rest = terms["smoothing"] + terms["sampling"]
    return GeneralizationBound(
        _scaled(flatness, ball.radius, rest, kind), terms, constants, loss_bound
    )


def printed_robust_bound(
    flatness: Measured,
    *,
    samples: int,
    dimension: int,
    factor: float,
    constant: float,
    failure: float,
    loss_bound: float,
) -> GeneralizationBound:
    """Compute the papers' bound of the robust generalization gap, as printed.

    L_D^adv(f) - L_S^adv(f) against factor N^(-1/(D+2)) (constant / sqrt(Delta) + G). The proof
    takes delta = N^(-1/(D+2)) (`constants["radius"]`), where delta G and N^-1/2 delta^-D/2 balance:
    at N = 60,000 and D = 784 that is 0.986, the whole cube. For another radius see `robust_bound`.
    constant = 0 gives CGRO's Theorem E.1, which is false: a constant f has G = 0, but a gap > 0 on
    nearly half of all samples if both labels are equally likely.

    Args:
        flatness: G, as for `robust_bound`.
        samples: N, an integer >= 1.
        dimension: D, an integer >= 1.
        factor: what their "less or about" hides; the papers do not fix it, so it has no default.
        constant: C(D, L), which depends on density and largest loss; not fixed either.
        failure: Delta, in (0, 1).
        loss_bound: the most that the loss can be.

    Returns:
        A `GeneralizationBound`, always an estimate.

    Raises:
        ValueError: for numbers out of range.
        TypeError: if flatness is no `Measured`.

    Source: CGRM (anonymous 2023), Theorem 6.3; CGRO (anonymous 2023), Theorem E.1.

    Example:
        >>> flat = Measured(2.0, "estimate")
        >>> some = printed_robust_bound(
        ...     flat,
        ...     samples=60_000,
        ...     dimension=784,
        ...     factor=1,
        ...     constant=1,
        ...     failure=0.05,
        ...     loss_bound=1,
        ... )
        >>> round(some.constants["radius"], 3), some.verdict
        (0.986, 'vacuous')
    """
    _check(samples, failure)
    _check_flatness(flatness, dimension)
    if not 0 < factor < math.inf or not 0 <= constant < math.inf or not 0 < loss_bound < math.inf:
        given = f"{factor}, {constant} and {loss_bound}"
        raise ValueError(
            f"factor and loss_bound must be > 0 and finite, constant >= 0, got {given}"
        )
    rate = samples ** (-1 / (dimension + 2))
    terms = {
        "sampling": factor * rate * constant / math.sqrt(failure),
        "flatness": factor * rate * flatness.value,
    }
    constants = {
        "samples": samples,
        "dimension": dimension,
        "radius": rate,
        "failure": failure,
        "factor": factor,
        "constant": constant,
    }
    return GeneralizationBound(
        _scaled(flatness, factor * rate, terms["sampling"], "estimate"),
        terms,
        constants,
        loss_bound,
    )


def first_order_ratios(
    model: Any,
    points: Points,
    labels: Labels,
    ball: Ball,
    radii: Sequence[float],
    *,
    steps: int = 20,
    seed: int = 0,
    batch_size: int = 512,
) -> list[Measured]:
    """Measure how much of the loss gap under attack the gradient foretells, radius by radius.

    (L_adv - L_clean) / (r E ||grad_x L(f(x), y)||_q) for each radius r. The ratio is at least 1 if
    the loss is convex on each ball, as where f is affine (both losses are convex in f), the ball
    lies in the cube, and the maximum is found; it tends to 1 as r goes to 0 if the loss is
    Lipschitz and differentiable at almost every point. There is no such constant for all f and a
    fixed r, as the papers' Omega says: f = `tooth`(s) - 1/2 has gradients of order 2^s and a gap of
    at most 1. Above, the ratio is at most that of global flatness and mean gradient.

    Balls are cut to the cube: where they leave it, as at pixels that are 0, the ratio is that much
    lower. In float32 the loss changes of small radii are rounding: give a module in float64.

    Args:
        model: as for `flatness_profile`, which finds the largest losses.
        points: shape (N, ...), in [0,1] or uint8 (k means k/255).
        labels: -1, +1 (one output) or 0..K-1.
        ball: gives the norm.
        radii: > 0, increasing.
        steps: as for `flatness_profile`.
        seed: of the random starts.
        batch_size: points at once.

    Returns:
        Empirical lower bounds, one a radius, with 95% intervals for the points' distribution.

    Raises:
        ValueError: as `flatness_profile`, for a radius of 0, and if all gradients are 0.
        FloatingPointError: as `flatness_profile`.

    Source: CGRM (anonymous 2023), Proposition 6.4; CGRO (anonymous 2023), Proposition E.2.

    Example:
        >>> from constructions import affine
        >>> x, y = torch.full((3, 2), 0.5, dtype=torch.float64), torch.tensor([1, 1, -1])
        >>> found = first_order_ratios(affine([[2.0, -2.0]]), x, y, Ball("inf", 0.1), [1e-4, 0.1])
        >>> [round(ratio.value, 3) for ratio in found]  # log(1 + e^(4r)) - log 2 over 2r
        [1.0, 1.099]
    """
    sizes = read_radii(radii)
    if not sizes[0] > 0:
        raise ValueError(f"radii must be > 0, got {sizes}")
    profile = flatness_profile(
        model, points, labels, ball, [0.0, *sizes], steps=steps, seed=seed, batch_size=batch_size
    )
    gradients, changes = profile.gradient[:, 0].double().cpu(), profile.change.double().cpu()
    if not gradients.any():
        raise ValueError(
            "model must have a loss that changes somewhere: its gradient is 0 at all points"
        )
    return [
        statistics.ratio(changes[:, k], r * gradients, profile.kind) for k, r in enumerate(sizes, 1)
    ]


def _check(samples: int, failure: float) -> None:
    _check_count("samples", samples)
    if not 0 < failure < 1:
        raise ValueError(f"failure must lie in (0, 1), got {failure}")


def _check_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be an integer >= 1, got {value!r}")


def _check_flatness(flatness: Measured, dimension: int) -> None:
    if not isinstance(flatness, Measured):
        raise TypeError(f"flatness must be a Measured, got {type(flatness).__name__}")
    if not 0 <= flatness.value < math.inf:
        raise ValueError(f"flatness must be finite and >= 0, got {flatness.value}")
    _check_count("dimension", dimension)


def _bandwidth(most: float, roughness: float, dimension: int, spread: float) -> float:
    """The h in (0, most] with the least h^2 rho / 12 + e^spread (1 + 1 / 2h)^(D/2), a convex
    function.
    """

    def slope(log_h: float) -> float:
        """The log of the first term's derivative over that of the second, which rises in h."""
        h = math.exp(log_h)
        falling = (
            spread
            + math.log(dimension / 4)
            - 2 * log_h
            + (dimension / 2 - 1) * math.log1p(1 / (2 * h))
        )
        return math.log(roughness / 6) + log_h - falling

    end = math.log(most)
    if roughness == 0 or slope(end) <= 0:
        return most
    start = end
    while slope(start) > 0:
        start -= 1
    return math.exp(float(brentq(slope, start, end)))


def _scaled(flatness: Measured, factor: float, rest: float, kind: Kind) -> Measured:
    """factor flatness + rest, and so the interval."""
    ends = flatness.interval
    interval = None if ends is None else (factor * ends[0] + rest, factor * ends[1] + rest)
    return Measured(factor * flatness.value + rest, kind, None, flatness.total, interval)


def _exp(exponent: float) -> float:
    """e^exponent; infinity beyond float64."""
    return math.exp(exponent) if exponent < 709 else math.inf
