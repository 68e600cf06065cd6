"""How many parameters robust classification needs at least: VC dimension, counting, packings, and
the sizes that are built.

Integers are exact Python integers of any size, so nothing overflows at D = 1000.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.optimize
import sympy
import torch

from ..basics.ball import Ball
from ..basics.floats import power_of_two
from ..basics.result import Result, Said, said
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

_N = sympy.Symbol("N", integer=True, positive=True)

LARGEST = 10**6
"""Most points for which `capacity_table` builds the robust network; beyond, the same code counts.
"""


# -- VC dimension ----------------------------------------------------------------------------------


def vc_upper(widths: Sequence[int], d: int) -> int:
    """An upper bound of the VC dimension of sign(f), f a dense ReLU network with d inputs, these
    hidden widths and one output.

    L + S log2(4 e R log2(2 e R)), rounded up to an integer, where L counts the layers with weights,
    S = W_1 + ... + W_L, W_i the parameters of the layers up to i, R = sum_i i k_i with k_i the
    units of layer i (k_L = 1). That is at most O(W L log W); without hidden layer it is d + 1,
    exact. All constants are explicit: no O() is left. Raises ValueError for widths and d below 1.
    Source: Bartlett, Harvey, Liaw and Mehrabian 2019, Theorem 6 and its proof.

    >>> vc_upper([], 5), vc_upper([8], 5)
    (6, 978)
    """
    sizes = [read_count("d", d, 1), *(read_count("widths", n, 1) for n in widths), 1]
    weights = total = 0
    for a, b in itertools.pairwise(sizes):
        weights += (a + 1) * b
        total += weights
    return _vc(len(sizes) - 1, total, sum(i * k for i, k in enumerate(sizes)), d)


def _vc(layers: int, total: int, ranked: int, d: int) -> int:
    if layers == 1:
        return d + 1
    growth = math.log2(ranked) + math.log2(4 * math.e * (math.log2(ranked) + math.log2(2 * math.e)))
    return layers + math.ceil(total * Fraction(growth * (1 + 1e-14)))


def envelope_vc(parameters: int, dimension: int) -> int:
    """`vc_upper` of the network that holds all networks with at most M parameters and D inputs: M -
    1 hidden layers of M units.

    It has M^3 - M^2 + D M + 1 parameters (the papers' "at most M^3" holds for M > D only: for M = D
    = 10 it is 1001). Exact arithmetic in M. Raises ValueError for M or D below 1. Source: CGRM
    (anonymous 2023), proof of Theorem A.6.

    >>> envelope_vc(7, 3) == vc_upper([7] * 6, 3)
    True
    """
    m, d = read_count("parameters", parameters, 1), read_count("dimension", dimension, 1)
    total = (m - 1) * m * (d + 1) + m * (m + 1) * (m - 1) * (m - 2) // 2  # W_1, ..., W_(M-1)
    total += m * (d + 1) + m * (m + 1) * (m - 2) + m + 1 if m > 1 else d + 1
    return _vc(m, total, m * m * (m - 1) // 2 + m, d)


# -- counting --------------------------------------------------------------------------------------


def sauer_shelah(m: int, k: int) -> int:
    """sum_{i <= k} C(m, i), exactly: the most labellings of m points by a class of VC dimension k
    (its growth function).

    Raises ValueError for m or k below 0. Cost: k products of integers of m bits.

    >>> sauer_shelah(5, 2), sauer_shelah(3, 7)
    (16, 8)

    Source: Sauer 1972; Shelah 1972; Lemma A.8 of CGRM and CGRO (anonymous 2023).
    """
    m, k = read_count("m", m, 0), read_count("k", k, 0)
    return sum(_binomials(m, k))


def log_growth_bound(m: int, k: int) -> float:
    """log of (e m / k)^k, the usual upper bound of `sauer_shelah(m, k)` for 1 <= k <= m (the papers
    ask for k < m - 1).

    Raises ValueError for other m and k.

    >>> math.exp(log_growth_bound(5, 2)) > sauer_shelah(5, 2)
    True
    """
    if read_count("k", k, 1) > read_count("m", m, 1):
        raise ValueError(f"k must be at most m, got k={k}, m={m}")
    return k * (1 + math.log(m / k))


def vc_fraction(mu: float) -> float:
    """C(mu): if a class labels n points in all ways up to mu n errors, its VC dimension is at least
    C n.

    The root of h(mu) h(C) = 2, h(t) = (e / t)^t, by Brent's method, rounded down (1e-12); 0 from
    h(mu) = 2 on (mu >= 0.3276). At mu = 0 it is 0.3276 where 1 is true; `least_vc` counts without
    the two loose bounds. Raises ValueError unless 0 <= mu < 1.

    >>> [round(vc_fraction(mu), 4) for mu in (0, 0.01, 0.1, 0.4)]
    [0.3276, 0.2805, 0.1146, 0.0]

    Source: CGRM (anonymous 2023), proof of Theorem A.6; CGRO (anonymous 2023), proof of Theorem
    D.4.
    """
    _check_share(mu)

    def exponent(t: float) -> float:
        return t * (1 - math.log(t)) if t else 0.0

    left = math.log(2) - exponent(mu)
    if left <= 0:
        return 0.0
    return max(
        0.0,
        float(scipy.optimize.brentq(lambda t: exponent(t) - left, 0.0, 1.0, xtol=1e-15)) - 1e-12,
    )


def least_vc(n: int, mu: float) -> int:
    """The least l with 2^n <= S(n, floor(mu n)) S(n, l), S = `sauer_shelah`: what counting itself
    gives for l, exactly.

    Raises ValueError unless n >= 1 and 0 <= mu < 1. Cost: n products of integers of n bits.

    >>> least_vc(1000, 0), least_vc(1000, 0.01), 280 < 1000 * vc_fraction(0.01) < 281
    (1000, 342, True)
    """
    n = read_count("n", n, 1)
    _check_share(mu)
    covered = sauer_shelah(n, math.floor(Fraction(mu) * n))
    reached = 0
    for k, binomial in enumerate(_binomials(n, n)):
        reached += binomial
        if covered * reached >= 2**n:
            return k
    return n


def _binomials(m: int, k: int) -> Iterable[int]:
    """C(m, 0), ..., C(m, k), up to C(m, m)."""
    value = 1
    for i in range(min(m, k) + 1):
        yield value
        value = value * (m - i) // (i + 1)


def _check_share(mu: float) -> None:
    if not 0 <= mu < 1:
        raise ValueError(f"mu must lie in [0, 1), got {mu}")


def minimal_parameters(
    dimension: int,
    delta: float | Fraction,
    mu: float = 0.01,
    *,
    norm: Any = math.inf,
    constant: float | None = None,
) -> int:
    """M_D: for some phi, no ReLU network with fewer parameters is robust on all but mu n points of
    S_phi; a certified bound.

    S_phi as in `separated_set`, with offset at most the radius of robustness: networks that are
    robust there shatter the n packing points up to mu n errors. So the envelope of all networks
    with M parameters has VC dimension >= C(mu) n, and M_D is the least M for which `envelope_vc`
    allows it: of order n^(1/4) up to logarithms. constant: None for these explicit constants; c for
    the papers' O(W L log W) read as c W L log2 W, with W = M^3 and L = M (nothing is certified
    then).

    norm: as for `packing_number`, which says what n is. Integers throughout. 0 if C(mu) is 0:
    counting then says nothing. Raises ValueError as `packing_number` and `vc_fraction`, and for a
    constant that is not > 0.

    >>> minimal_parameters(20, 0.1), minimal_parameters(200, 0.1) > 10**33
    (739, True)

    Source: CGRM (anonymous 2023), Theorem 3.5 and A.6; CGRO (anonymous 2023), Theorem 5.3 and D.4.
    The latter's Omega(exp(D)) does not follow: the proof gives exp(Omega(D)), with rate log(ceil(1
    / (2 delta))) / 4 for l_inf.
    """
    needed = math.ceil(Fraction(vc_fraction(mu)) * packing_number(dimension, delta, norm))
    if constant is not None and not 0 < constant < math.inf:
        raise ValueError(f"constant must be finite and > 0, got {constant}")
    if not needed:
        return 0

    def allowed(m: int) -> bool:
        if constant is None:
            return envelope_vc(m, dimension) >= needed
        return Fraction(constant) * m**4 * Fraction(3 * math.log2(m)) >= needed

    high = 1
    while not allowed(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if allowed(middle) else (middle, high)
    return high


# -- what is built beside what is needed -----------------------------------------------------------


@dataclass(frozen=True, repr=False)
class CapacityRow(Result):
    """One D of `capacity_table`; all numbers are exact counts of nonzero parameters, `lower` a
    certified lower bound.

    packing: points of the grid packing, and of S_phi. clean: x_D - 1/2. cgro: f_S on `points` of
    S_phi. robust: f_S on all of it, so robust on every ball. lower: `minimal_parameters`. built:
    whether `robust` was counted on a network with entries.

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
        lower = {"any robust network": said(self.lower, "certified lower bound")}
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
    """Parameters over D on S_phi: linear f_clean, f_S on some points, f_S on all of them, and what
    any robust network needs.

    delta: radius. points: how many training points f_S memorizes (all, if there are fewer). f_S is
    of variant lean. S_phi is on the l_inf grid for l_2, too, so `lower` is the bound for it (not
    for the larger packings that volumes promise). Counts of networks of more than 10^6 points come
    from the building code on sizes; up to there, building takes a second and a gigabyte. Raises
    ValueError as `packing` and `minimal_parameters`, and for points below 1.

    >>> for row in capacity_table([2, 8, 32], 0.1):
    ...     print(row.dimension, row.clean, row.cgro, row.robust, row.lower)
    2 2 100 100 1
    8 2 50030 3906280 7
    32 2 194030 903382897377014160156280 82252

    Source: CGRO (anonymous 2023), Section 5: clean <= CGRO << robust.
    """
    ball, count = Ball(norm, float(read_delta(delta))), read_count("points", points, 1)
    step = float(grid_line(delta)[2])
    rows = []
    for dimension in [read_dimension(d) for d in dimensions]:
        n = packing_number(dimension, delta)
        formula = _parameters(dimension, ball, step)
        built = n <= LARGEST
        if built:
            network = f_S(
                _separator(dimension), *separated_set(dimension, delta), ball, separation=step
            )
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


def capacity_growth(rows: Sequence[CapacityRow]) -> dict[str, float]:
    """How the columns of `capacity_table` grow over D, by least squares over the rows.

    clean, cgro: exponents k of D^k (log-log), for cgro of rows with the most points only. robust,
    lower: rates r of exp(r D). For l_inf they tend to log s and (log s) / 4, s = ceil(1 / (2
    delta)). Raises ValueError for less than two such rows, and if `lower` is 0.

    >>> growth = capacity_growth(capacity_table([100, 200, 400], 0.1))
    >>> {name: round(order, 2) for name, order in growth.items()}, round(math.log(5) / 4, 2)
    ({'clean': 0.0, 'cgro': 1.0, 'robust': 1.61, 'lower': 0.4}, 0.4)
    """
    full = [row for row in rows if row.points == max(row.points for row in rows)]
    if len(full) < 2 or min(row.lower for row in rows) < 1:
        raise ValueError(
            f"rows must be two or more of the most points, with lower >= 1, got {len(rows)}"
        )
    sizes = [row.dimension for row in full]
    orders = {
        name: fitted_exponent(sizes, [getattr(row, name) for row in full])
        for name in ("clean", "cgro")
    }
    dimensions = [row.dimension for row in rows]
    for name in ("robust", "lower"):  # Python's log takes integers of any size
        orders[name] = float(
            np.polyfit(dimensions, [math.log(getattr(row, name)) for row in rows], 1)[0]
        )
    return orders


def _separator(dimension: int) -> ReLUNetwork:
    """x_D - 1/2."""
    last = Sparse((1, dimension), torch.tensor([0]), torch.tensor([dimension - 1]), torch.ones(1))
    return affine(last, [-0.5])


def _parameters(dimension: int, ball: Ball, step: float) -> sympy.Expr:
    """Parameters of the lean f_S over x_D - 1/2 of N points inside (0, 1)^D, in N: the building
    code run on sizes.
    """
    clean = _separator(dimension)
    bound = power_of_two(magnitude_bound(clean, *UNIT) + 1, "bound of |clean|")
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
    """One (n, d) of `interpolation_table`. plain, robust: nonzero parameters, counted on built
    networks.

    plain_vc: upper bound of the VC dimension of all networks with plain's hidden widths, in the
    worst case of n points. needed: n d / 2, a lower bound of the VC dimension of what interpolates
    robustly. So where plain_vc < needed, it is proved that no choice of weights makes plain's
    architecture robust on all data.

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
    """Plain against robust interpolation of the n centres of a `shattered_set` in [0,1]^d, with l_2
    balls of radius delta.

    sizes: pairs (n, d), n even. delta: as for `shattered_set`. seed: of the random labelling.
    Plain: `interpolation`; robust: `f_S`, lean, over the constant 0. Building costs n d. Raises
    ValueError as `shattered_set`.

    >>> for row in interpolation_table([(4, 4), (64, 32)]):
    ...     print(row.n, row.d, row.plain, row.robust, row.needed)
    4 4 21 269 8
    64 32 251 4176 1024

    Source: Gao et al. 2019, Section 6: equation (7) and Theorem 6.1.
    """
    rows = []
    for n, d in sizes:
        data = shattered_set(n, d, delta)
        signs = np.random.default_rng(seed).choice(np.array([-1, 1]), data.groups.size)
        centres, labels = data.centres(signs)
        plain = interpolation(centres, labels).size.parameters
        robust = f_S(affine(np.zeros((1, d))), centres, labels, Ball(2, data.delta)).size.parameters
        rows.append(
            InterpolationRow(n, d, plain, robust, vc_upper([1, 2 * (n - 1)], d), n * d // 2)
        )
    return rows
