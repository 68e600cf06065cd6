"""A set of n k / 2 points that every class of functions that robustly interpolates n points
shatters, for each k <= d.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..basics.labelled import LabelledPoints
from ..basics.result import Result, Said, said
from ..basics.shapes import PointArray
from .packing import read_count, read_delta


@dataclass(frozen=True, repr=False)
class ShatteredSet(Result):
    """Points that robust classifiers can label in all ways, and the ball centres that force it.

    n k / 2 points, and for each labelling n centres: see `shattered_set`. All numbers are multiples
    of one 2^-q.

    Attributes:
        groups: o_g, float64 (n / 2, d).
        arm: t.
        delta: the radius of robustness.
        size: k, the points of a group.

    Example:
        >>> shattered_set(4, 2, 0.0625).points.tolist()
        [[0.125, 0.0625], [0.0625, 0.125], [0.125, 0.375], [0.0625, 0.4375]]
    """

    groups: PointArray
    arm: float
    delta: float
    size: int

    def _says(self) -> tuple[str, dict[str, Said]]:
        groups, d = self.groups.shape
        return f"points of which {2 * groups:,} balls of radius {self.delta:g} force any labels", {
            "points": said(groups * self.size, "exact"),
            "dimension": said(d, "exact"),
            "arm": said(self.arm, "exact"),
        }

    @property
    def points(self) -> PointArray:
        """Shattered points o_g + t e_j, j <= k, float64 (n k / 2, d), by groups."""
        count, d = self.groups.shape
        arms = self.arm * np.eye(self.size, d)
        return (self.groups[:, None] + arms).reshape(count * self.size, d)

    def centres(self, signs: Any) -> LabelledPoints[np.ndarray]:
        """Give the ball centres that force a labelling of the points.

        They are o_g +- t eps. Point j of a group lies in the ball around the centre of its label:
        the distance is t sqrt(k - 1) <= delta, whatever the labelling.

        Args:
            signs: the labelling, +-1, (n k / 2,).

        Returns:
            `LabelledPoints`: the centres, float64 (n, d), and their labels (n,).

        Raises:
            ValueError: for signs of another number or kind.

        Example:
            >>> some = shattered_set(2, 2, 0.0625)
            >>> points, labels = some.centres([1, -1])
            >>> points.tolist(), labels.tolist()
            ([[0.125, 0.0], [0.0, 0.125]], [1, -1])
        """
        count, d = self.groups.shape
        values = np.asarray(signs)
        if values.shape != (count * self.size,) or not np.isin(values, (-1, 1)).all():
            raise ValueError(
                f"signs must be {count * self.size} numbers -1 or +1, one for each point, got "
                f"shape {values.shape}"
            )
        arms = np.zeros((count, 1, d))
        arms[:, 0, : self.size] = self.arm * values.reshape(count, self.size)
        pairs = self.groups[:, None] + np.concatenate([arms, -arms], axis=1)
        return LabelledPoints(pairs.reshape(2 * count, d), np.tile([1, -1], count))


def shattered_set(
    n: int, d: int, delta: float | Fraction, *, size: int | None = None
) -> ShatteredSet:
    """Make n k / 2 points that any class that interpolates n points robustly shatters.

    So its VC dimension is >= n k / 2. There are n / 2 groups of k points in [0,1]^d. Group g has
    the points o_g + t e_j, j <= k. A labelling eps of it is forced by two centres o_g +- t eps,
    labelled +-1: then ||o_g + t e_j - (o_g + eps_j t eps)||_2 = t sqrt(k - 1) <= delta, and the two
    centres are 2 t sqrt k > 2 delta apart, for t in (delta / sqrt k, delta / sqrt(k - 1)]; t is the
    dyadic number with the fewest bits there. (With s = t sqrt k and u = eps / sqrt k, the centres
    are +-s u.) Groups lie on a grid of steps >= 5 delta > 2 delta + 2 t sqrt k, so all n centres
    are > 2 delta apart. All of it holds in exact arithmetic for the float64 numbers returned.

    Fewer points a group take less robustness: half the distance of two centres may be up to delta
    sqrt(k / (k - 1)).

    Args:
        n: how many centres, even, >= 2.
        d: dimension, >= 2.
        delta: radius of robustness, in (0, 1/2), exact.
        size: k, from 2 to d; None: d.

    Returns:
        A `ShatteredSet`.

    Raises:
        ValueError: for other arguments, and if the cube has no room for n / 2 groups.

    Source: Gao et al. 2019 (Convergence of adversarial training in overparametrized neural
    networks), Theorem 6.1; printed for all n, it is false for n = 1: the two constants robustly
    interpolate one point, and shatter one. For odd n, take n - 1. k < d: Kim, Moon and Yun 2025,
    Proposition 3.3.

    Example:
        >>> some = shattered_set(4, 3, 0.0625)
        >>> some.points.shape, some.centres([1, 1, -1, -1, 1, -1])[0].shape
        ((6, 3), (4, 3))
    """
    count, radius = read_count("n", n, 2), read_delta(delta)
    d = read_count("d", d, 2)
    k = d if size is None else read_count("size", size, 2)
    if k > d:
        raise ValueError(f"size must be at most d = {d}, got {size}")
    if count % 2:
        raise ValueError(f"n must be even (two centres a group), got {n}")
    arm, bits = _arm(radius, k)
    step = Fraction(math.ceil(5 * radius * 2**bits), 2**bits)
    sides = math.floor((1 - 2 * arm) / step) + 1 if 2 * arm <= 1 else 0
    if sides**d < count // 2:
        raise ValueError(
            f"delta must be smaller for {count // 2} groups in [0,1]^{d}: {sides}^{d} fit, got "
            f"{float(delta):g}"
        )
    places = np.full((count // 2, d), float(arm))
    for g in range(count // 2):
        rest, j = g, d
        while rest:  # the digits of g
            rest, digit = divmod(rest, sides)
            j -= 1
            places[g, j] = float(arm + digit * step)
    return ShatteredSet(places, float(arm), float(delta), k)


def _arm(radius: Fraction, k: int) -> tuple[Fraction, int]:
    """The t with radius^2 / k < t^2 <= radius^2 / (k - 1) of fewest bits, and how many there are
    behind the point.
    """
    for bits in range(1, 52):
        scaled = radius**2 * 4**bits
        top = math.isqrt(math.floor(scaled / (k - 1)))
        if top**2 * k > scaled:
            return Fraction(top, 2**bits), bits
    raise ValueError(f"delta must be larger for an offset in float64, got {float(radius):g}")
