"""How many parameters robust classification needs at least: VC dimension, counting, packings.

Integers are exact Python integers of any size, so nothing overflows at D = 1000.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import scipy.optimize

from .packing import packing_number, read_count

# -- VC dimension ----------------------------------------------------------------------------------


def vc_upper(widths: Sequence[int], d: int) -> int:
    """Bound the VC dimension of all dense ReLU networks with given widths from above.

    It is that of sign(f), f with d inputs, these hidden widths and one output: L + S log2(4 e R
    log2(2 e R)), rounded up to an integer, where L counts the layers with weights, S = W_1 + ... +
    W_L, W_i the parameters of the layers up to i, R = sum_i i k_i with k_i the units of layer i
    (k_L = 1). That is at most O(W L log W); without hidden layer it is d + 1, exact. All constants
    are explicit: no O() is left.

    Args:
        widths: units of the hidden layers.
        d: inputs.

    Returns:
        An integer, a certified upper bound.

    Raises:
        ValueError: for widths and d below 1.

    Source: Bartlett, Harvey, Liaw and Mehrabian 2019, Theorem 6 and its proof.

    Example:
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
    """Bound the VC dimension of all networks with at most M parameters.

    `vc_upper` of the network that holds them all: M - 1 hidden layers of M units. It has M^3 - M^2
    + D M + 1 parameters (the papers' "at most M^3" holds for M > D only: for M = D = 10 it is
    1001).

    Args:
        parameters: M.
        dimension: the inputs D.

    Returns:
        An integer, a certified upper bound; exact arithmetic in M.

    Raises:
        ValueError: for M or D below 1.

    Source: CGRM (anonymous 2023), proof of Theorem A.6.

    Example:
        >>> envelope_vc(7, 3) == vc_upper([7] * 6, 3)
        True
    """
    m, d = read_count("parameters", parameters, 1), read_count("dimension", dimension, 1)
    total = (m - 1) * m * (d + 1) + m * (m + 1) * (m - 1) * (m - 2) // 2  # W_1, ..., W_(M-1)
    total += m * (d + 1) + m * (m + 1) * (m - 2) + m + 1 if m > 1 else d + 1
    return _vc(m, total, m * m * (m - 1) // 2 + m, d)


# -- counting --------------------------------------------------------------------------------------


def sauer_shelah(m: int, k: int) -> int:
    """Count the most labellings of m points by a class of VC dimension k (its growth function).

    sum_{i <= k} C(m, i), exactly.

    Args:
        m: points.
        k: VC dimension.

    Returns:
        An exact integer.

    Raises:
        ValueError: for m or k below 0.

    Cost: k products of integers of m bits.

    Source: Sauer 1972; Shelah 1972; Lemma A.8 of CGRM and CGRO (anonymous 2023).

    Example:
        >>> sauer_shelah(5, 2), sauer_shelah(3, 7)
        (16, 8)
    """
    m, k = read_count("m", m, 0), read_count("k", k, 0)
    return sum(_binomials(m, k))


def log_growth_bound(m: int, k: int) -> float:
    """Give the usual upper bound of `sauer_shelah(m, k)`, as a logarithm.

    log of (e m / k)^k, for 1 <= k <= m (the papers ask for k < m - 1).

    Args:
        m: points.
        k: VC dimension.

    Returns:
        The logarithm of an upper bound, in float64, up to rounding.

    Raises:
        ValueError: for other m and k.

    Example:
        >>> math.exp(log_growth_bound(5, 2)) > sauer_shelah(5, 2)
        True
    """
    if read_count("k", k, 1) > read_count("m", m, 1):
        raise ValueError(f"k must be at most m, got k={k}, m={m}")
    return k * (1 + math.log(m / k))


def vc_fraction(mu: float) -> float:
    """Give C(mu): what labels n points in all ways up to mu n errors has VC dimension >= C n.

    The root of h(mu) h(C) = 2, h(t) = (e / t)^t, by Brent's method, rounded down (1e-12); 0 from
    h(mu) = 2 on (mu >= 0.3276). At mu = 0 it is 0.3276 where 1 is true; `least_vc` counts without
    the two loose bounds.

    Args:
        mu: share of errors.

    Returns:
        C(mu), float64, a lower bound.

    Raises:
        ValueError: unless 0 <= mu < 1.

    Source: CGRM (anonymous 2023), proof of Theorem A.6; CGRO (anonymous 2023), proof of Theorem
    D.4.

    Example:
        >>> [round(vc_fraction(mu), 4) for mu in (0, 0.01, 0.1, 0.4)]
        [0.3276, 0.2805, 0.1146, 0.0]
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
    """Count the least VC dimension of a class that labels n points in all ways up to mu n errors.

    The least l with 2^n <= S(n, floor(mu n)) S(n, l), S = `sauer_shelah`: what counting itself
    gives for l, exactly.

    Args:
        n: points.
        mu: share of errors.

    Returns:
        An exact integer.

    Raises:
        ValueError: unless n >= 1 and 0 <= mu < 1.

    Cost: n products of integers of n bits.

    Example:
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
    """Bound from below how many parameters a robust classifier of S_phi needs.

    M_D: for some phi, no ReLU network with fewer parameters is robust on all but mu n points of
    S_phi. S_phi as in `separated_set`, with offset at most the radius of robustness: networks that
    are robust there shatter the n packing points up to mu n errors. So the envelope of all networks
    with M parameters has VC dimension >= C(mu) n, and M_D is the least M for which `envelope_vc`
    allows it: of order n^(1/4) up to logarithms. Integers throughout.

    Args:
        dimension: D >= 2.
        delta: in (0, 1/2), exact.
        mu: share of errors.
        norm: as for `packing_number`, which says what n is.
        constant: None for these explicit constants; c for the papers' O(W L log W) read as c W L
            log2 W, with W = M^3 and L = M (nothing is certified then).

    Returns:
        An integer, a certified lower bound unless a constant is given. 0 if C(mu) is 0: counting
        then says nothing.

    Raises:
        ValueError: as `packing_number` and `vc_fraction`, and for a constant that is not > 0.

    Source: CGRM (anonymous 2023), Theorem 3.5 and A.6; CGRO (anonymous 2023), Theorem 5.3 and D.4.
    The latter's Omega(exp(D)) does not follow: the proof gives exp(Omega(D)), with rate log(ceil(1
    / (2 delta))) / 4 for l_inf.

    Example:
        >>> minimal_parameters(20, 0.1), minimal_parameters(200, 0.1) > 10**33
        (739, True)
    """
    needed = math.ceil(Fraction(vc_fraction(mu)) * packing_number(dimension, delta, norm=norm))
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
