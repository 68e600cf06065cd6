"""Products, monomials and polynomials, with proved errors, by trees of multiplications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from sympy import Symbol, ceiling, log

from ..capacity.packing import read_count
from ..exchange.properties import rationals
from ..gadgets.approximation import check_depth, multiplication
from ..networks.calculus import affine, compose, copies, parallel
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record

SIGNED = (-1.0, 1.0)
"""The interval of all factors."""

_n, _m = Symbol("n"), Symbol("m")


@implements(
    "Yarotsky 2017, Section 3.1 and proof of Theorem 1; error: this library",
    "the product of n numbers in [-1, 1], by a tree of multiplications, up to (n - 1) 4^-(m+1)",
    depth=ceiling(log(_n, 2)) * (_m + 3),
    units=(_n - 1) * (6 * _m + 8) + Symbol("carried") * 2 * (_m + 3),
)
def multiplication_tree(n: int, m: int) -> ReLUNetwork:
    """Build the network that multiplies n numbers in [-1, 1] to within (n - 1) 4^-(m+1).

    A balanced tree of `multiplication(m, 1)`; an odd number of a level is carried. No clipping is
    needed: a product there is a difference of two values of f_m in [0, 1], so it lies in [-1, 1].
    Errors then add: |p' q' - p q| <= |p'| |q' - q| + |q| |p' - p|, and each node brings 4^-(m+1).
    The product is exactly 0 when a factor is 0.

    Args:
        n: how many factors, >= 2.
        m: depth of the squaring networks.

    Returns:
        A `ReLUNetwork` R^n -> R with the domain [-1, 1]; provenance has the proved `error` and how
        many numbers are `carried` over a level.

    Raises:
        ValueError: unless n is an integer >= 2 and m one between 1 and 500.

    Cost: depth ceil(log2 n) (m + 3); 6 m + 8 units a multiplication, 2 (m + 3) for each carried
    number.

    Source: Yarotsky 2017 (Error bounds for approximations with deep ReLU networks).

    Example:
        >>> network = multiplication_tree(3, 6)
        >>> network([[0.5, -0.5, 0.75]]).item(), network([[0.3, 0.0, 0.7]]).item()
        (-0.1875, 0.0)
        >>> network.provenance.arguments["error"]
        '1/8192'
    """
    count = read_count("n", n, 2)
    check_depth("m", m)
    levels: list[ReLUNetwork] = []
    carried = 0
    while count > 1:
        pairs, odd = divmod(count, 2)
        chosen = [[float(i == k) for i in range(count)] for k in range(count)]
        level = compose(copies(pairs, multiplication(m, 1.0)), affine(chosen[: 2 * pairs]))
        if odd:
            level = parallel(level.restrict(None), affine(chosen[-1:]))
        levels.insert(0, level)
        count, carried = pairs + odd, carried + odd
    return record(
        compose(*levels).restrict(SIGNED), carried=carried, error=str(product_error(n, m))
    )


def product_error(n: int, m: int) -> Fraction:
    """The proved error of a product of n factors.

    >>> product_error(3, 1)
    Fraction(1, 8)
    """
    return Fraction(n - 1, 4 ** (m + 1))


@implements(
    "Yarotsky 2017, proof of Theorem 1; error: this library",
    "a polynomial on [-1, 1]^d, its terms by trees of multiplications: error "
    "sum |c_a| (|a| - 1) 4^-(m+1), exact in degree 1",
    depth=ceiling(log(Symbol("degree"), 2)) * (_m + 3),
)
def polynomial(terms: Mapping[Sequence[int], Any], m: int) -> ReLUNetwork:
    """Build the network of a polynomial on [-1, 1]^d, with a proved error.

    Each term c_a x^a of degree |a| >= 2 is c_a times the `multiplication_tree` of its |a| factors;
    constant and linear terms are exact.

    Args:
        terms: coefficients c_a by exponents a = (a_1, ..., a_d), all tuples of one length, such as
            {(2, 1): 0.5, (0, 0): 1} for x_1^2 x_2 / 2 + 1.
        m: depth of the squaring networks.

    Returns:
        A `ReLUNetwork` R^d -> R with the domain [-1, 1]; provenance has the proved `error`, as
        text, and the `degree`.

    Raises:
        TypeError: for coefficients that are no numbers.
        ValueError: for exponents that are not of one length, not integers >= 0 or all 0, for
            coefficients that float64 does not hold, and for another m.

    Cost: depth ceil(log2 degree) (m + 3); |a| - 1 multiplications a term.

    Source: Yarotsky 2017 (Error bounds for approximations with deep ReLU networks).

    Example:
        >>> network = polynomial({(2,): 1, (0,): -0.5}, 8)
        >>> network([[0.5], [-1.0]]).flatten().tolist(), network.provenance.arguments["error"]
        ([-0.25, 0.5], '1/262144')
    """
    check_depth("m", m)
    read, d = _terms(terms)
    linear, constant, parts, error = [Fraction(0)] * d, Fraction(0), [], Fraction(0)
    for exponents, c in read.items():
        factors = [
            [float(i == j) for i in range(d)] for j, a in enumerate(exponents) for _ in range(a)
        ]
        if len(factors) == 0:
            constant += c
        elif len(factors) == 1:
            linear[exponents.index(1)] += c
        else:
            parts.append((c, compose(multiplication_tree(len(factors), m), affine(factors))))
            error += abs(c) * product_error(len(factors), m)
    if any(linear):
        parts.append((Fraction(1), affine([linear])))
    network = compose(
        affine([[c for c, _ in parts]], [constant]), parallel(*(p.restrict(None) for _, p in parts))
    )
    degree = max(map(sum, read))
    return record(network.restrict(SIGNED), error=str(error), degree=degree)


def monomial(exponents: Sequence[int], m: int) -> ReLUNetwork:
    """Build the network of x_1^a_1 ... x_d^a_d on [-1, 1]^d, to within (|a| - 1) 4^-(m+1).

    It is `polynomial` of one term.

    Args:
        exponents: a_1, ..., a_d, integers >= 0, not all 0.
        m: depth of the squaring networks.

    Returns:
        A `ReLUNetwork` R^d -> R with the domain [-1, 1].

    Raises:
        ValueError: as `polynomial`.

    Example:
        >>> monomial([2, 1], 6)([[0.5, -0.5]]).item()
        -0.125
    """
    return polynomial({tuple(exponents): 1}, m)


def _terms(terms: Any) -> tuple[dict[tuple[int, ...], Fraction], int]:
    """Nonzero coefficients by exponents, and the number of variables."""
    if not isinstance(terms, Mapping):
        raise TypeError(f"terms must be a dictionary of coefficients, got {type(terms).__name__}")
    keys = [tuple(read_count("exponents of terms", a, 0) for a in key) for key in terms]
    if len({len(key) for key in keys}) != 1 or not keys[0]:
        raise ValueError(f"terms must have exponents of one length, got {list(terms)[:9]}")
    values = rationals(list(terms.values()), "coefficients of terms")
    read = {key: c for key, c in zip(keys, values, strict=True) if c}
    if not any(map(sum, read)):
        raise ValueError("terms must have one that is not constant; `affine` gives constants")
    return read, len(keys[0])
