"""How few parameters memorize N points, over the radius of their balls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..basics.result import Result, Said, said
from .packing import read_count


@dataclass(frozen=True, repr=False)
class MemorizationBound(Result):
    """What any family of networks needs that memorizes all N labelled points, on balls.

    All are certified lower bounds, for l_2 balls of radius rho times half the least distance of
    different labels.

    Attributes:
        points: N.
        dimension: D.
        rho: in [0, 1).
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
    width: int
    shattered: int
    nonzero: int
    dense: int

    def _says(self) -> tuple[str, dict[str, Said]]:
        head = f"needed to memorize {self.points:,} points in dimension {self.dimension}"
        names = "width", "shattered", "nonzero", "dense"
        return f"{head}, rho = {self.rho:g}", {
            name: said(getattr(self, name), "certified lower bound") for name in names
        }


def memorization_bound(points: int, dimension: int, rho: float | Fraction) -> MemorizationBound:
    """Bound from below what networks need that memorize any N points, on balls of share rho.

    Let eps be half the least l_2 distance of points with different labels, and let a family of
    networks hold, for any N distinct points of R^D with labels -1 and +1, one with the label on all
    balls of radius rho eps. Then

    - width: some of them has a first layer of at least w = rho^2 min(N - 1, D) units, so that
      (D + 1) w + w + 1 dense parameters are needed (N >= 3: no network without a hidden layer is
      right on three points of a line);
    - shattered: with k = floor(1 / (1 - rho^2)) <= D, they shatter k floor(N / 2) points (see
      `shattered_set`), and at least N;
    - nonzero: networks of at most P nonzero parameters label m points in at most (P (P + D + 1))^P
      ways to place the parameters, times prod_{i <= P} 2 (2 e m i)^P signs of polynomials of degree
      i, so P is at least the first for which this is 2^m: of order sqrt(k N / log(k N)).

    `memorizer` comes near the last one for rho = 0, up to logarithms. For larger rho, what is built
    and what is known to be needed are far apart.

    Args:
        points: N >= 2.
        dimension: D >= 1.
        rho: in [0, 1), exact.

    Returns:
        A `MemorizationBound`; integers, in exact arithmetic.

    Raises:
        ValueError: for other arguments.

    Source: Kim, Moon and Yun 2025, Propositions 3.2 (width) and 3.3 (shattered sets, in l_2); there
    Omega(sqrt(N / (1 - rho^2))) without a constant. Signs of layers: Bartlett, Harvey, Liaw and
    Mehrabian 2019, proof of Theorem 6; the constants are this library's.

    Example:
        >>> bound = memorization_bound(10_000, 784, 0.9)
        >>> bound.width, bound.shattered, bound.nonzero, bound.dense
        (636, 25000, 35, 499897)
    """
    n, d = read_count("points", points, 2), read_count("dimension", dimension, 1)
    if isinstance(rho, bool) or not isinstance(rho, (int, float, Fraction, np.floating)):
        raise ValueError(f"rho must be a number, got {rho!r}")
    if not 0 <= rho < 1:
        raise ValueError(f"rho must lie in [0, 1), got {rho}: balls of share 1 meet")
    share = rho if isinstance(rho, Fraction) else Fraction(float(rho))
    width = max(1, math.ceil(share**2 * min(n - 1, d)))
    group = min(d, math.floor(1 / (1 - share**2)))
    shattered = max(n, group * (n // 2))
    nonzero = _nonzero(shattered, d)
    dense = d + 1 if n == 2 else (d + 1) * width + width + 1
    return MemorizationBound(n, d, float(share), width, shattered, nonzero, max(dense, nonzero))


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
