"""Smooth functions by local Taylor polynomials and a partition of unity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from sympy import Symbol, ceiling, log

from ..capacity.packing import read_count
from ..exchange.properties import rationals
from ..gadgets.approximation import UNIT, check_depth
from ..networks.calculus import affine, compose, parallel
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record
from .polynomials import multiplication_tree, product_error


@implements(
    "Yarotsky 2017, Theorem 1",
    "functions with n bounded derivatives on [0,1]^d, by Taylor polynomials of degree n - 1 at the "
    "points of a grid and a partition of unity",
    depth=1 + ceiling(log(Symbol("factors"), 2)) * (Symbol("m") + 3),
)
def taylor_patches(
    taylor: Mapping[Sequence[int], Mapping[Sequence[int], Any]], N: int, m: int
) -> ReLUNetwork:
    """Build the network of local polynomials that a partition of unity joins.

    With psi(u) = 1 for |u| <= 1, 0 for |u| >= 2, linear between, and the points v / N of a grid,

        f(x) = sum_v phi_v(x) T_v(x - v / N),    phi_v(x) = prod_k psi(3 (N x_k - v_k)),

    the phi_v are >= 0 and add up to 1, and at most 2^d of them are not 0 at a point. Each term is a
    `multiplication_tree` of d + |a| factors, exactly 0 outside of phi_v's support: so the network
    is within 2^d max_v sum_a |c_(v,a)| (d + |a| - 1) 4^-(m+1), its `error`, of that sum. If T_v is
    the Taylor polynomial of degree n - 1 of a function g, the sum is within (d^n / n!) (2 / (3
    N))^n max |D^a g|, |a| = n, of g: in |x_k - v_k / N| <= 2 / (3 N) that bounds each remainder.

    Args:
        taylor: for grid points v = (v_1, ..., v_d) between 0 and N the coefficients c_(v,a) of T_v
            by exponents a = (a_1, ..., a_d); what is missing is 0.
        N: steps of the grid, a power of two.
        m: depth of the squaring networks.

    Returns:
        A `ReLUNetwork` R^d -> R with the domain [0,1]; provenance has the proved `error`, as text,
        and the largest number of `factors` of a term.

    Raises:
        TypeError: for coefficients that are no numbers.
        ValueError: for an N that is no power of two, points outside the grid, no coefficients, and
            those that float64 does not hold.

    Cost: depth 1 + ceil(log2 factors) (m + 3); with (N + 1)^d C(n - 1 + d, d) terms an error of
    order N^-n.

    Source: Yarotsky 2017 (Error bounds for approximations with deep ReLU networks), Theorem 1; the
    remainder without its factor 2^d, as the phi_v add up to 1.

    Example:
        >>> square = {(v,): {(0,): (v / 4) ** 2, (1,): v / 2} for v in range(5)}  # of x^2
        >>> network = taylor_patches(square, 4, 6)
        >>> network([[0.25], [0.375]]).flatten().tolist(), network.provenance.arguments["error"]
        ([0.0625, 0.125], '1/4096')
    """
    steps = read_count("N", N, 1)
    if steps & (steps - 1):
        raise ValueError(f"N must be a power of two, so that v / N is a float64, got {N}")
    check_depth("m", m)
    terms = _terms(taylor, steps)
    parts: list[ReLUNetwork] = []
    errors: dict[tuple[int, ...], Fraction] = {}
    for (v, a), c in terms.items():
        factors = [affine([[float(i == k) for i in range(len(v))]]) for k in range(len(v))]
        bumps = [compose(_bump(steps, k), x) for k, x in zip(v, factors, strict=True)]
        shifts = [
            compose(affine([[1]], [-Fraction(k, steps)]), x)
            for k, x, times in zip(v, factors, a, strict=True)
            for _ in range(times)
        ]
        count = len(bumps) + len(shifts)
        together = parallel(*bumps, *shifts)
        parts.append(compose(multiplication_tree(count, m), together) if count > 1 else together)
        errors[v] = errors.get(v, Fraction(0)) + abs(c) * product_error(count, m)
    network = compose(affine([list(terms.values())]), parallel(*(p.restrict(UNIT) for p in parts)))
    d = network.inputs
    facts = {
        "error": str(2**d * max(errors.values())),
        "factors": max(d + sum(a) for _, a in terms),
    }
    return record(network.restrict(UNIT), taylor=f"{len(errors)} points", **facts)


def _bump(steps: int, v: int) -> ReLUNetwork:
    """x -> psi(3 (N x - v)), by four units."""
    units = [[3 * steps]] * 4, [2 - 3 * v, 1 - 3 * v, -1 - 3 * v, -2 - 3 * v]
    return ReLUNetwork.from_layers([units, ([[1, -1, -1, 1]], [0])])


def _terms(taylor: Any, steps: int) -> dict[tuple[tuple[int, ...], tuple[int, ...]], Fraction]:
    """Nonzero coefficients by grid point and exponents."""
    read = {
        (tuple(v), tuple(read_count("exponents of taylor", k, 0) for k in a)): rationals(
            [c], "taylor"
        )[0]
        for v, polynomial in taylor.items()
        for a, c in polynomial.items()
    }
    read = {key: c for key, c in read.items() if c}
    if not read:
        raise ValueError("taylor must have a coefficient that is not 0")
    if len({len(part) for key in read for part in key}) != 1:
        raise ValueError("taylor must have points and exponents of one length")
    for v, _ in read:
        if not all(0 <= read_count("points of taylor", k, 0) <= steps for k in v):
            raise ValueError(f"taylor must have points between 0 and N = {steps}, got {v}")
    return read
