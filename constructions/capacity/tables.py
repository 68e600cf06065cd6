"""Sizes that are built beside sizes that are needed: robust networks over the dimension,
interpolation over points and dimensions.

Whole, because both tables set the same two sides beside each other.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
import torch

from ..basics.ball import Ball
from ..basics.floats import power_of_two
from ..basics.result import Keyed, Result, Said, said
from ..classifiers.counting import fitted_exponent
from ..classifiers.memorization import f_S, least_depth
from ..classifiers.memorizer import assemble
from ..gadgets.approximation import UNIT
from ..gadgets.indicators import Thresholds
from ..linear.matrix import Sparse, Unknown
from ..networks.calculus import affine
from ..networks.intervals import magnitude_bound
from ..networks.network import ReLUNetwork
from .interpolation import interpolation
from .packing import (
    grid_line,
    packing_number,
    read_count,
    read_delta,
    read_dimension,
    separated_set,
)
from .shattering import shattered_set
from .vc import minimal_parameters, vc_upper

_N = sympy.Symbol("N", integer=True, positive=True)

LARGEST = 10**6
"""Most points for which `capacity_table` builds the robust network; beyond, the same code counts.
"""


@dataclass(frozen=True, repr=False)
class CapacityRow(Result):
    """One dimension of `capacity_table`: parameters of clean, CGRO and robust classifiers of S_phi.

    All numbers are exact counts of nonzero parameters, `lower` a certified lower bound.

    Attributes:
        dimension: D.
        packing: points of the grid packing, and of S_phi.
        clean: parameters of x_D - 1/2.
        points: how many points of S_phi f_S memorizes in `cgro`.
        cgro: parameters of f_S on `points` of S_phi.
        robust: parameters of f_S on all of it, so robust on every ball.
        lower: `minimal_parameters`.
        built: whether `robust` was counted on a network with entries.

    Example:
        >>> capacity_table([2], 0.25)[0].packing
        2
    """

    dimension: int
    packing: int
    clean: int
    points: int
    cgro: int
    robust: int
    lower: int
    built: bool

    def _says(self) -> tuple[str, dict[str, Said]]:
        counts = {
            name: said(getattr(self, name), "exact")
            for name in ("clean", "cgro", "robust", "points", "packing")
        }
        lower = {"robust on S_phi, worst phi": said(self.lower, "certified lower bound")}
        how = "counted on networks" if self.built else "from the building code on sizes"
        return f"parameters for dimension {self.dimension}, {how}", lower | counts


def capacity_table(
    dimensions: Iterable[int],
    delta: float,
    *,
    norm: Any = math.inf,
    points: int = 1000,
    mu: float = 0.01,
) -> list[CapacityRow]:
    """Tabulate, over dimensions, what clean, CGRO and robust classification of S_phi cost.

    Parameters on S_phi of linear f_clean, of f_S on some points, of f_S on all of them, and what
    networks need that are robust on all but a share mu of S_phi, for the worst phi. f_S is of
    variant lean. S_phi is on the l_inf grid for l_2, too, so `lower` is the bound for it (not for
    the larger packings that volumes promise).

    Args:
        dimensions: the D of the rows.
        delta: radius.
        norm: inf or 2.
        points: how many training points f_S memorizes (all, if there are fewer).
        mu: share of errors, for `minimal_parameters`.

    Returns:
        A `CapacityRow` for each dimension.

    Raises:
        ValueError: as `packing` and `minimal_parameters`, and for points below 1.

    Cost: counts of networks of more than 10^6 points come from the building code on sizes; up to
    there, building takes a second and a gigabyte.

    Source: CGRO (anonymous 2023), Section 5: clean <= CGRO << robust.

    Example:
        >>> for row in capacity_table([2, 8, 32], 0.1):
        ...     print(row.dimension, row.clean, row.cgro, row.robust, row.lower)
        2 2 100 100 1
        8 2 50030 3906280 7
        32 2 194030 903382897377014160156280 82252
    """
    ball, count = Ball(norm, float(read_delta(delta))), read_count("points", points, 1)
    step = float(grid_line(delta)[2])
    rows = []
    for dimension in [read_dimension(d) for d in dimensions]:
        n = packing_number(dimension, delta)
        formula = _parameters(dimension, ball, step)
        built = n <= LARGEST
        if built:
            centres, labels = separated_set(dimension, delta)
            network = f_S(_separator(dimension), centres, labels, ball, separation=step)
        robust = network.size.parameters if built else int(formula.subs(_N, n))
        some = min(n, count)
        lower = minimal_parameters(dimension, delta, mu)
        clean = _separator(dimension).size.parameters
        rows.append(
            CapacityRow(
                dimension, n, clean, some, int(formula.subs(_N, some)), robust, lower, built
            )
        )
    return rows


@dataclass(frozen=True, eq=False, repr=False)
class CapacityGrowth(Keyed):
    """How the columns of `capacity_table` grow over D; see `capacity_growth`.

    Attributes:
        clean: the exponent k of D^k.
        cgro: likewise.
        robust: the rate r of exp(r D).
        lower: likewise.
    """

    clean: float
    cgro: float
    robust: float
    lower: float

    def _says(self) -> tuple[str, dict[str, Said]]:
        orders = {"D^k, clean": self.clean, "cgro": self.cgro}
        rates = {"exp(r D), robust": self.robust, "robust on S_phi, worst phi": self.lower}
        return "least-squares fits over the rows", {
            name: said(value, "estimate") for name, value in (orders | rates).items()
        }


def capacity_growth(rows: Sequence[CapacityRow]) -> CapacityGrowth:
    """Fit how the columns of `capacity_table` grow over D, by least squares over the rows.

    Args:
        rows: two or more.

    Returns:
        `CapacityGrowth`: clean, cgro: exponents k of D^k (log-log), for cgro of rows with the most
        points only; robust, lower: rates r of exp(r D). For l_inf they tend to log s and (log s) /
        4, s = ceil(1 / (2 delta)). All are estimates.

    Raises:
        ValueError: for less than two rows with the most points, and if `lower` is 0.

    Example:
        >>> growth = capacity_growth(capacity_table([100, 200, 400], 0.1))
        >>> round(growth.robust, 2), round(growth.lower, 2), round(math.log(5) / 4, 2)
        (1.61, 0.4, 0.4)
    """
    full = [row for row in rows if row.points == max(row.points for row in rows)]
    if len(full) < 2 or min(row.lower for row in rows) < 1:
        raise ValueError(
            f"rows must be two or more of the most points, with lower >= 1, got {len(rows)}"
        )
    sizes = [row.dimension for row in full]
    orders = (
        fitted_exponent(sizes, [getattr(row, name) for row in full]) for name in ("clean", "cgro")
    )
    dimensions = [row.dimension for row in rows]
    rates = (  # Python's log takes integers of any size
        float(np.polyfit(dimensions, [math.log(getattr(row, name)) for row in rows], 1)[0])
        for name in ("robust", "lower")
    )
    return CapacityGrowth(*orders, *rates)


def _separator(dimension: int) -> ReLUNetwork:
    """x_D - 1/2."""
    last = Sparse((1, dimension), torch.tensor([0]), torch.tensor([dimension - 1]), torch.ones(1))
    return affine(last, [-0.5])


def _parameters(dimension: int, ball: Ball, step: float) -> sympy.Expr:
    """Parameters of the lean f_S over x_D - 1/2 of N points inside (0, 1)^D, in N: the building
    code run on sizes.
    """
    clean = _separator(dimension)
    bound = power_of_two(magnitude_bound(clean, UNIT) + 1, "bound of |clean|")
    m = least_depth(ball, "lean", step, dimension, bound)
    targets, members = Unknown(_N, 1), Unknown(2, _N, _N)
    network = assemble(
        clean,
        Unknown(_N, dimension),
        ball.p,
        Thresholds(0.25, 0.5),
        "lean",
        m,
        bound,
        targets,
        members,
    )
    return sympy.expand(network.size.parameters)


@dataclass(frozen=True, repr=False)
class InterpolationRow(Result):
    """One size of `interpolation_table`: what plain and robust interpolation cost.

    Where plain_vc < needed, it is proved that no choice of weights makes plain's architecture
    robust on all data.

    Attributes:
        n: points.
        d: dimension.
        plain: nonzero parameters, counted on a built network.
        robust: likewise.
        plain_vc: upper bound of the VC dimension of all networks with plain's hidden widths, in the
            worst case of n points.
        needed: n d / 2, a lower bound of the VC dimension of what interpolates robustly.

    Example:
        >>> interpolation_table([(4, 4)])[0].needed
        8
    """

    n: int
    d: int
    plain: int
    robust: int
    plain_vc: int
    needed: int

    def _says(self) -> tuple[str, dict[str, Said]]:
        return f"interpolation of {self.n} points in dimension {self.d}", {
            "parameters plain": said(self.plain, "exact"),
            "robust": said(self.robust, "exact"),
            "VC dimension plain": said(self.plain_vc, "certified upper bound"),
            "needed": said(self.needed, "certified lower bound"),
        }


def interpolation_table(
    sizes: Iterable[tuple[int, int]], delta: float | Fraction = Fraction(1, 16), seed: int = 0
) -> list[InterpolationRow]:
    """Compare plain and robust interpolation of the n centres of a `shattered_set` in [0,1]^d.

    Balls are l_2 ones of radius delta. Plain: `interpolation`; robust: `f_S`, lean, over the
    constant 0.

    Args:
        sizes: pairs (n, d), n even.
        delta: as for `shattered_set`.
        seed: of the random labelling.

    Returns:
        An `InterpolationRow` for each size.

    Raises:
        ValueError: as `shattered_set`.

    Cost: building takes n d.

    Source: Gao et al. 2019, Section 6: equation (7) and Theorem 6.1.

    Example:
        >>> for row in interpolation_table([(4, 4), (64, 32)]):
        ...     print(row.n, row.d, row.plain, row.robust, row.needed)
        4 4 21 269 8
        64 32 251 4176 1024
    """
    rows = []
    for n, d in sizes:
        data = shattered_set(n, d, delta)
        signs = np.random.default_rng(seed).choice(np.array([-1, 1]), data.groups.size)
        centres, labels = data.centres(signs)
        plain = interpolation(centres, labels).size.parameters
        with warnings.catch_warnings():  # balls that almost touch are what is counted
            warnings.filterwarnings("ignore", "the shell in which")
            built = f_S(affine(np.zeros((1, d))), centres, labels, Ball(2, data.delta))
        robust = built.size.parameters
        rows.append(
            InterpolationRow(n, d, plain, robust, vc_upper([1, 2 * (n - 1)], d), n * d // 2)
        )
    return rows
