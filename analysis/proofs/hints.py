"""What a proof of memorization is about, with what the network's provenance says of itself: a hint,
not believed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from constructions import VARIANTS, Ball, ReLUNetwork
from constructions.internal import Labels, Points, several


@dataclass(frozen=True)
class Hints:
    """The variant of f_S, the thresholds of its indicators, the bound of |f_clean|, and m."""

    variant: Literal["paper", "gate", "lean"]
    inner: float
    outer: float
    bound: float
    m: int


@dataclass(frozen=True, eq=False)
class Subject:
    """A network, points (N, D) in float64 with labels (N,), a ball, and hints about the network."""

    network: ReLUNetwork
    x: Points
    y: Labels
    ball: Ball
    hints: Hints


def read_hints(network: ReLUNetwork, count: int, ball: Ball) -> Hints:
    """What the network's provenance says it is, as numbers of the right kind; their truth is not
    assumed.
    """
    origin = network.provenance
    if origin is None or origin.lemma is None or origin.lemma.name not in ("f_S", "f_adv"):
        raise ValueError(
            "network must be built by f_S or f_adv: its provenance says which weights to look for"
        )
    given = origin.arguments
    try:
        inner, outer, bound = (float(given[name]) for name in ("inner", "outer", "bound"))
        variant, norm, memorized, m = given["variant"], given["norm"], given["N"], given.get("m", 1)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"network's provenance must name N, variant, norm, inner, outer and bound: {error}"
        ) from error
    if memorized != count:
        which = (
            " (points with margin up to the radius only)" if origin.lemma.name == "f_adv" else ""
        )
        raise ValueError(
            f"network memorizes {several(memorized, 'point')}{which}, got {count}: "
            "the others are f_clean's"
        )
    if str(norm) != ("inf" if ball.p == math.inf else "2"):
        raise ValueError(f"network was built for l_{norm} balls, got an {ball}")
    if variant not in VARIANTS or not (isinstance(m, int) and 1 <= m <= 500):
        raise ValueError(
            f"network's provenance must name a known variant and 1 <= m <= 500, got {variant!r} "
            f"and m={m!r}"
        )
    if not (
        math.isfinite(inner)
        and math.isfinite(outer)
        and 0 <= inner < outer
        and 2.0**-100 <= bound <= 2.0**100
    ):
        raise ValueError(
            f"network's provenance must have 0 <= inner < outer and bound > 0, got {inner}, "
            f"{outer}, {bound}"
        )
    return Hints(variant, inner, outer, bound, m)
