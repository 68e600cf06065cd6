"""How much of a model's output the memorization part of f_S explains."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from constructions import Ball, ReLUNetwork, Result, affine
from constructions.internal import Flags, Outputs, Said, Some
from training.internal import measuring

from ..quantities.measured import Measured
from ..quantities.statistics import LEVEL, RESAMPLES
from .agreement import check_outputs, margin_sizes, outputs_of
from .rays import Rays
from .zones import outer_radius

TOLERANCE = 1e-4
"""Least sine between the regressors, and least part of the learned output that is f_clean's, for b
/ a to be identified.
"""

FAR = 4.0
"""Median margins of f_clean beyond this, or below its inverse, are warned about."""

STEPS = 12
"""Steps of the default radii, from 0 to the outer radius."""


def memorization_part(network: ReLUNetwork) -> ReLUNetwork:
    """Take out of an f_S or f_adv what it adds to f_clean: its own soft indicators.

    With f_clean = 0 it is sum_i y_i 1_i(x), capped as f_S caps it. One output: S_(+1) - S_(-1); K
    outputs: (S_1, ..., S_K), S_c in [0,1] the indicator of class c. Along a ray from x_i, away from
    other centres, its margin is x_i's indicator, 1 up to `inner` and 0 from `outer` (thresholds of
    the provenance). Between, it is linear in the l_inf distance (variants paper and gate) or in the
    squared l_2 distance (all variants, up to the error of its squares). The lean l_inf form is
    linear in the sum of the coordinates' excesses over `inner`: along a coordinate axis it falls as
    gate does, along a random sign vector D times as fast, which is next to a step.

    Args:
        network: built by `f_S` or `f_adv`.

    Returns:
        A `ReLUNetwork`; nothing is measured.

    Raises:
        ValueError: for a network that f_S or f_adv did not build.

    Cost: time and memory N D.

    Example:
        >>> from constructions import f_S
        >>> f = f_S(
        ...     affine([[4.0, 0.0]], [-1.5]),
        ...     [[0.25, 0.5], [0.75, 0.5]],
        ...     [1, -1],
        ...     Ball("inf", 0.125),
        ...     variant="gate",
        ... )
        >>> inner, outer = (f.provenance.arguments[name] for name in ("inner", "outer"))
        >>> memorization_part(f)(
        ...     [[0.25, 0.5], [0.25, 0.5 + (inner + outer) / 2], [0.25, 0.9], [0.75, 0.6]]
        ... ).flatten().tolist()
        [1.0, 0.5, 0.0, -1.0]
    """
    screen = getattr(network, "screen", None)
    if screen is None:
        raise ValueError(
            "network must be built by f_S or f_adv, with the layers that these gave it"
        )
    memorizer = replace(
        screen.memorizer, clean=affine(torch.zeros(network.outputs, network.inputs))
    )
    part = memorizer.network()
    return replace(part, screen=replace(screen, memorizer=memorizer, layers=part.layers))


@dataclass(frozen=True, eq=False, repr=False)
class MemorizationShare(Result):
    """The fit f ~ a f_clean + b (f_S - f_clean), pooled and of each point.

    See `memorization_share`. All numbers have bootstrap intervals over points; share, a and b are
    None where they are not identified.

    Attributes:
        share: b / a.
        a: of f_clean.
        b: of f_S - f_clean.
        explained: R^2, the share of the sum of squares of f that both regressors explain.
        by_memorization: how much of that f_clean alone does not (the semi-partial R^2 of f_S -
            f_clean).
        shares: b / a of the points whose own fit is identified, in order, float64.
        identified: whose own fit is, bool, (N,).
    """

    share: Measured | None
    a: Measured | None
    b: Measured | None
    explained: Measured
    by_memorization: Measured
    shares: Some
    identified: Flags

    def _says(self) -> tuple[str, dict[str, Said]]:
        names = ("share", "explained", "by_memorization", "a", "b")
        found = {name.replace("_", " "): getattr(self, name) for name in names}
        what = f"f_S in a fit of f, of {len(self.identified)} points"
        return what, {name: Said("none", "") if m is None else m.said for name, m in found.items()}

    @property
    def count(self) -> int:
        """How many points identify a share of their own."""
        return len(self.shares)


@measuring(evaluating=True)
def memorization_share(
    learned: Any,
    clean: Any,
    constructed: Any,
    points: Any,
    ball: Ball,
    *,
    radii: Sequence[float] | None = None,
    directions: int | torch.Tensor = 4,
    seed: int = 0,
) -> MemorizationShare:
    """Measure how much of a learned model's output is f_S and how much f_clean.

    The share of f_S in learned ~ alpha clean + beta constructed: beta / (alpha + beta), by least
    squares along rays. Written as a clean + b (constructed - clean) with a = alpha + beta and b =
    beta, the share is b / a: 1 for c f_S and 0 for c f_clean with any c != 0. Samples: the points
    x_i + r u of `radial_profile`, and all outputs; K outputs are first centred by their mean over
    classes, which softmax ignores. There is no intercept, so sums of squares are about 0. The
    pooled fit takes all samples of all points at once, with one a and one b (it weighs points by
    their sums of squares); the fit of a point its own.

    A fit is identified if the sine between both regressors is at least `TOLERANCE`, constructed -
    clean at least so large beside clean (else it is 0 up to rounding, as at points outside all
    outer balls), and |a| ||clean|| at least so large beside ||learned||: for a near 0, b / a says
    nothing. Points without a share are counted by `identified`; they are part of the pooled fit,
    where they tell about a. A resample that does not identify, or in which a has another sign, may
    have any share: it counts as -infinity for the lower end and +infinity for the upper end.

    The share depends on f_clean's scale beside the labels of f_S, 1: where f_clean is right with a
    margin of 20, f_S *lowers* the margin on the ball. So build f_S from an f_clean whose margins
    are near 1 (others are warned about). A negative share says that the learned model departs from
    f_clean in the direction away from f_S. It depends on the variant, too: in its shells gate falls
    with the distance, while lean (l_inf) is f_clean at once on most rays (see `memorization_part`).

    Args:
        learned: a model, as for `agreement`.
        clean: likewise, with as many outputs.
        constructed: likewise.
        points: (N, ...) in [0,1].
        ball: gives the norm, its radius is not used.
        radii: as for `radial_profile`; None takes 13 from 0 to the outer radius of `constructed`,
            which f_S or f_adv must have built.
        directions: as for `radial_profile`.
        seed: of directions and resamples.

    Returns:
        A `MemorizationShare`: estimates, with 95% bootstrap intervals over points.

    Raises:
        ValueError: if learned is 0 on all samples, and as `radial_profile`.

    Cost: N M R evaluations of three models, for M directions and R radii.

    Example:
        >>> from constructions import f_S
        >>> points, ball = torch.tensor([[0.25, 0.5], [0.75, 0.5]]), Ball("inf", 0.125)
        >>> clean = affine([[4.0, 1.0]], [-2.25])
        >>> f = f_S(clean, points, [1, -1], ball)
        >>> found = memorization_share(
        ...     lambda x: 3 * clean(x) + f(x), clean, f, points.double(), ball
        ... )
        >>> round(found.share.value, 9), found.count
        (0.25, 2)
    """
    if radii is None:
        outer = outer_radius(constructed, ball)
        radii = [outer * k / STEPS for k in range(STEPS + 1)]
    rays = Rays(points, ball, radii, directions, seed)
    models = {"learned": learned, "clean": clean, "constructed": constructed}
    check_outputs(
        **{name: outputs_of(model, rays.points[:1], name) for name, model in models.items()}
    )
    _check_scale(outputs_of(clean, rays.points, "clean"))
    parts = []
    for rows, samples in rays:
        f, c, s = (_centred(outputs_of(model, samples, name)) for name, model in models.items())
        regressors = torch.stack([c, s - c, f]).reshape(3, len(rows), -1).transpose(0, 1)
        parts.append(regressors @ regressors.mT)
    sums = torch.cat(parts)
    if not float(sums[:, 2, 2].sum()) > 0:
        raise ValueError("learned must not be 0 (K outputs: equal) on all samples")
    pooled, each = _fit(sums.sum(0)), _fit(sums)
    again = _fit(_resampled(sums, seed))

    def measured(name: str, usable: torch.Tensor) -> Measured:
        return _measured(getattr(pooled, name), getattr(again, name), usable, len(sums))

    every = torch.ones_like(again.independent)
    return MemorizationShare(
        measured("share", again.identified & (again.a * pooled.a > 0))
        if pooled.identified
        else None,
        measured("a", again.independent) if pooled.independent else None,
        measured("b", again.independent) if pooled.independent else None,
        measured("explained", every),
        measured("gain", every),
        each.share[each.identified],
        each.identified,
    )


# -- least squares ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fit:
    """Fits from Gram matrices; all tensors have the batch's shape. What is not determined is 0."""

    a: torch.Tensor
    b: torch.Tensor
    share: torch.Tensor
    explained: torch.Tensor
    gain: torch.Tensor
    independent: torch.Tensor
    identified: torch.Tensor


def _fit(sums: torch.Tensor) -> _Fit:
    """Least squares of f on (c, m) from the Gram matrices (..., 3, 3) of (c, m, f): first on c,
    then on what m has beyond c.
    """
    cc, cm, cf = sums[..., 0, 0], sums[..., 0, 1], sums[..., 0, 2]
    mm, mf, ff = sums[..., 1, 1], sums[..., 1, 2], sums[..., 2, 2]
    # m without c: its square, and its product with f
    beyond, left = mm - cm * _over(cm, cc), mf - cm * _over(cf, cc)
    independent = (cc > 0) & (beyond > 0) & (beyond >= TOLERANCE**2 * torch.maximum(cc, mm))
    b = torch.where(independent, _over(left, beyond), 0.0)
    a = _over(cf - b * cm, cc)
    identified = independent & (a * a * cc >= TOLERANCE**2 * ff) & (a != 0)
    gain = b * _over(left, ff)
    share = torch.where(identified, _over(b, a), 0.0)
    return _Fit(a, b, share, cf * _over(_over(cf, cc), ff) + gain, gain, independent, identified)


def _over(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a / b, and 0 where b is 0."""
    return torch.where(b == 0, 0.0, a / torch.where(b == 0, 1.0, b))


def _resampled(sums: torch.Tensor, seed: int) -> torch.Tensor:
    """Gram matrices (RESAMPLES, 3, 3) of as many points, drawn with replacement."""
    generator, count = np.random.default_rng(seed), len(sums)
    weights = (
        np.bincount(generator.integers(count, size=count), minlength=count)
        for _ in range(RESAMPLES)
    )
    flat = sums.flatten(1)
    return torch.stack([torch.from_numpy(w).double() @ flat for w in weights]).reshape(-1, 3, 3)


def _measured(
    value: torch.Tensor, again: torch.Tensor, usable: torch.Tensor, total: int
) -> Measured:
    low, high = (torch.where(usable, again, end).sort().values for end in (-math.inf, math.inf))
    tail = math.floor(len(again) * (1 - LEVEL) / 2)
    return Measured(
        float(value), "estimate", None, total, (float(low[tail]), float(high[-1 - tail]))
    )


def _check_scale(outputs: Outputs) -> None:
    """Warn where f_clean's margins are far from 1, the size of f_S's labels."""
    size = margin_sizes(outputs.double())
    if not 1 / FAR <= size <= FAR:
        warnings.warn(
            f"clean has margins of {size:.3g} (median) beside the labels of f_S, which are 1, and "
            "the share depends on that: build f_S from a multiple of it, compose(affine([[c]]), "
            "clean), whose margins are near 1",
            stacklevel=4,
        )


def _centred(outputs: torch.Tensor) -> torch.Tensor:
    return outputs if outputs.shape[1] == 1 else outputs - outputs.mean(1, keepdim=True)
