"""How few parameters memorize N points, over the radius of their balls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..basics.norms import norm_name, read_norm
from ..basics.result import Result, Said, said
from .packing import read_count


@dataclass(frozen=True, repr=False)
class MemorizationBound(Result):
    """What any family of networks needs that memorizes all N labelled points, on balls.

    All are certified lower bounds, for balls of radius rho times half the least distance of
    different labels.

    Attributes:
        points: N.
        dimension: D.
        rho: in [0, 1).
        norm: of the balls, "inf" or "2".
        width: units of the first layer that some points need.
        shattered: points that the family shatters.
        nonzero: parameters that are not 0.
        dense: parameters of full layers, with those that are 0.

    Example:
        >>> memorization_bound(2000, 64, 0.99).width
        63
    """

    points: int
    dimension: int
    rho: float
    norm: str
    width: int
    shattered: int
    nonzero: int
    dense: int

    def _says(self) -> tuple[str, dict[str, Said]]:
        head = f"needed to memorize {self.points:,} points in dimension {self.dimension}"
        names = "width", "shattered", "nonzero", "dense"
        return f"{head}, l_{self.norm}, rho = {self.rho}", {
            name: said(getattr(self, name), "certified lower bound") for name in names
        }


def memorization_bound(
    points: int, dimension: int, rho: float | Fraction, norm: Any = 2
) -> MemorizationBound:
    """Bound from below what networks need that memorize any N points, on balls of share rho.

    Let eps be half the least distance, in l_2 or l_inf, of points with different labels, and let a
    family of networks hold, for any N distinct points of R^D with labels -1 and +1, one with the
    label on all balls of radius rho eps. Then

    - width: some of them has a first layer of at least w = rho^2 min(N - 1, D) units, so that
      (D + 1) w + w + 1 dense parameters are needed (N >= 3: no network without a hidden layer is
      right on three points of a line);
    - shattered: with k = floor(1 / (1 - rho^2)) <= D, they shatter k floor(N / 2) points (see
      `shattered_set`), and at least N;
    - nonzero: networks of at most P nonzero parameters label m points in at most (P (P + D + 1))^P
      ways to place the parameters, times prod_{i <= P} 2 (2 e m i)^P signs of polynomials of degree
      i, so P is at least the first for which this is 2^m: of order sqrt(k N / log(k N)).

    In l_inf the width is at least that of l_2: the points that force it, 0 and e_1, ..., e_t, have
    eps = 1/2 in both norms, and l_2 balls lie in l_inf balls. For rho > 1/2 it is all of t = min(N
    - 1, D). Proof: fewer rows map some z != 0 of R^t to 0; scale it to |z|_inf = 1 = z_j and let v
    = z / 2. All coordinates of e_j - v are at most 1/2, so (e_j + v) / 2 is at most 1/4 < rho / 2
    from e_j, and (e_j - v) / 2 from 0; they differ by v, so the layer has the same value at both.
    No more than N points are known to be shattered there at every rho: nonzero is that of rho = 0.

    `memorizer` comes near the last one for rho = 0, up to logarithms. For larger rho, what is built
    and what is known to be needed are far apart.

    Args:
        points: N >= 2.
        dimension: D >= 1.
        rho: in [0, 1), exact.
        norm: inf or 2.

    Returns:
        A `MemorizationBound`; integers, in exact arithmetic.

    Raises:
        ValueError: for other arguments.

    Source: Kim, Moon and Yun 2025, Propositions 3.2 (width), 3.3 (shattered sets, in l_2) and C.7
    (l_inf); there Omega(sqrt(N / (1 - rho^2))) without a constant. Signs of layers: Bartlett,
    Harvey, Liaw and Mehrabian 2019, proof of Theorem 6; the constants are this library's.

    Example:
        >>> bound = memorization_bound(10_000, 784, 0.9)
        >>> bound.width, bound.shattered, bound.nonzero, bound.dense
        (636, 25000, 35, 499897)
        >>> memorization_bound(10_000, 784, 0.6, "inf").width
        784
    """
    n, d = read_count("points", points, 2), read_count("dimension", dimension, 1)
    if isinstance(rho, bool) or not isinstance(rho, (int, float, Fraction, np.floating)):
        raise ValueError(f"rho must be a number, got {rho!r}")
    if not 0 <= rho < 1:
        raise ValueError(f"rho must lie in [0, 1), got {rho}: balls of share 1 meet")
    share = rho if isinstance(rho, Fraction) else Fraction(float(rho))
    p, most = read_norm(norm), min(n - 1, d)
    full = p == math.inf and 2 * share > 1
    width = most if full else max(1, math.ceil(share**2 * most))
    group = 1 if p == math.inf else min(d, math.floor(1 / (1 - share**2)))
    shattered = max(n, group * (n // 2))
    nonzero = _nonzero(shattered, d)
    dense = d + 1 if n == 2 else (d + 1) * width + width + 1
    least = max(dense, nonzero)
    return MemorizationBound(n, d, float(share), norm_name(p), width, shattered, nonzero, least)


def _nonzero(m: int, d: int) -> int:
    """The least P with (P (P + D + 1))^P prod_{i <= P} 2 (2 e m i)^P >= 2^m.

    A network is its nonzero parameters: for each, the unit that it belongs to, one of at most P,
    and what that multiplies it with, one of D inputs, P units, or 1. Deeper than P it is constant.
    With the places fixed, the m k_i inputs of k_i <= P units of layer i are polynomials of degree i
    in at most P parameters, on each set of signs of the layers before; they have at most 2 (2 e m
    k_i i / P)^P signs (P <= m).
    """
    layers = 0.0
    for p in range(1, m + 1):
        layers += math.log2(2 * math.e) + math.log2(m) + math.log2(p)
        total = p * (math.log2(p * (p + d + 1)) + 1 + layers)
        if total * (1 + 2.0**-30) >= m:
            return p
    return m
