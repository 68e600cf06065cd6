"""Gadgets on one or two numbers: absolute value, tooth, squaring, multiplication, maximum and the
exact gate.

All weights are dyadic, hence exact in float64. Sums are arranged so that equal terms round alike on
any hardware. Whole, because it is a list: each gadget is a function of its own, made of those
above.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from sympy import Mod, Rational, Symbol, ceiling, log

from ..basics.floats import power_of_two
from ..linear.affine import Affine
from ..linear.matrix import Dense, Identity, Sparse, kron, zeros
from ..networks.calculus import affine, compose, copies, delay
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record
from .shallow_maximum import shallow_maximum

_m, _n, _scale = Symbol("m"), Symbol("n"), Symbol("scale")

UNIT = (0.0, 1.0)
"""The interval on which inputs live."""


SCALE = "M is scale here: the least power of two that is at least bound"
"""What the papers' M is in the provenance of multiplications."""


@implements(
    "folklore", "|a| = relu(a) + relu(-a)", depth=1, units=2, parameters=4, pieces=2, sup_error=0
)
def absolute() -> ReLUNetwork:
    """Build the network of the absolute value of one number, R -> R, with two units.

    |a| = relu(a) + relu(-a), exactly. (The proof of Lemma A.4 in "Why Clean Generalization and
    Robust Memorization Both Happen in Adversarial Training" prints a stray factor 1/2.)

    Returns:
        A `ReLUNetwork`: one hidden layer, 2 units, 4 parameters.

    Source: folklore.

    Example:
        >>> absolute()([[-3.0], [2.0]]).flatten().tolist()
        [3.0, 2.0]
    """
    return ReLUNetwork.from_layers([([[1], [-1]], [0, 0]), ([[1, 1]], [0])])


@implements(
    "Telgarsky 2015; Yarotsky 2017, Section 3.1",
    "the s-fold tooth is a sawtooth with 2^(s-1) teeth on [0,1]",
    depth="s",
    parameters="5*s",
    pieces="2**s",
)
def tooth(s: int) -> ReLUNetwork:
    """Build the sawtooth on [0,1] that has 2^s linear pieces.

    The s-fold composition of g(x) = 2x on [0, 1/2], 2 - 2x on [1/2, 1]. The third unit relu(x - 1)
    of Yarotsky's tooth is 0 on [0,1] and left out.

    Args:
        s: how often g is applied.

    Returns:
        A `ReLUNetwork` R -> R with the domain [0,1].

    Raises:
        ValueError: unless s is an integer between 1 and 500.

    Cost: depth s, 5 s parameters.

    Source: Telgarsky 2015; Yarotsky 2017, Section 3.1.

    Example:
        >>> tooth(2)([[0.25], [0.5], [0.625]]).flatten().tolist()
        [1.0, 0.0, 0.5]
    """
    check_depth("s", s)
    fold = ReLUNetwork.from_layers([([[1], [1]], [0, -0.5]), ([[2, -4]], [0])])
    return compose(*([fold] * s)).restrict(UNIT)


@implements(
    "Yarotsky 2017, Proposition 2",
    "x^2 on [0,1] is approximated by sawtooth sums",
    depth=_m,
    parameters=7 * _m - 2,
    pieces=2**_m,
    sup_error=Rational(1, 4) ** (_m + 1),
)
def squaring(m: int) -> ReLUNetwork:
    """Build the network that squares a number in [0,1] to within 4^-(m+1).

    The piecewise-linear interpolant of x^2 at k/2^m, k = 0..2^m,

        f_m(x) = x - sum_(s=1..m) g_s(x) / 4^s,    g_s = `tooth`(s).

    The error is one-sided: 0 <= f_m(x) - x^2 <= 4^-(m+1), attained at all (2k+1)/2^(m+1); f_m = x^2
    at all k/2^m, in float64 too for m <= 26. For m <= 28 no sum rounds at multiples of 2^-24, in
    any order (see `bit_budget`).

    Args:
        m: depth of the sawtooth sum.

    Returns:
        A `ReLUNetwork` R -> R with the domain [0,1].

    Raises:
        ValueError: unless m is an integer between 1 and 500.

    Cost: depth m, 7m - 2 parameters. At most three units a layer: the tooth's two, and the running
    sum, which is >= 0 on [0,1].

    Source: Yarotsky 2017 ("Error bounds for approximations with deep ReLU networks"), Proposition
    2; restated as Lemma A.5 and Lemma D.2 of the CGRO papers.

    Example:
        >>> squaring(3)([[0.375]]).item(), 0.375**2
        (0.140625, 0.140625)
        >>> squaring(3).exact([0.0625])[0] - Fraction(0.0625) ** 2
        Fraction(1, 256)
    """
    check_depth("m", m)
    readout = [[0.5, 1.0]] if m == 1 else [[-6 * 4.0 ** (-m), 4 * 4.0 ** (-m), 1.0]]
    return ReLUNetwork.from_layers([*_teeth(m), (readout, [0])], UNIT)


def _teeth(m: int) -> list[tuple[list[list[float]], list[float]]]:
    """Hidden layers 1..m of units (g_(s-1), relu(g_(s-1) - 1/2), x - sum_(k <= s-2) g_k / 4^k); the
    first has two.
    """
    layers = [([[1.0], [1.0]], [0.0, -0.5])]
    for s in range(2, m + 1):
        if s == 2:
            layers.append(([[2.0, -4.0], [2.0, -4.0], [1.0, 0.0]], [0.0, -0.5, 0.0]))
        else:
            layers.append(
                (
                    [[2.0, -4.0, 0.0], [2.0, -4.0, 0.0], [-(4.0 ** (2 - s)), 0.0, 1.0]],
                    [0.0, -0.5, 0.0],
                )
            )
    return layers


def _settled_squaring(m: int) -> ReLUNetwork:
    """f_m with one more layer, so that every sum has two terms: its rounding does not depend on the
    order of summation.
    """
    settle = (
        [[2.0, -4.0], [1.0, 0.0]] if m == 1 else [[2.0, -4.0, 0.0], [-(4.0 ** (1 - m)), 0.0, 1.0]]
    )
    return ReLUNetwork.from_layers([*_teeth(m), (settle, [0, 0]), ([[-(4.0**-m), 1.0]], [0])], UNIT)


@implements(
    "Yarotsky 2017, Proposition 3 (two squares in place of three)",
    "xy = M^2 [ (|x+y| / 2M)^2 - (|x-y| / 2M)^2 ] up to M^2 4^-(m+1), and 0 exactly when a factor "
    "is 0",
    SCALE,
    depth=_m + 3,
    parameters=14 * _m + 16,
    sup_error=_scale**2 * Rational(1, 4) ** (_m + 1),
)
def multiplication(m: int, bound: float) -> ReLUNetwork:
    """Build the network that multiplies two numbers in [-bound, bound] to within bound^2 4^-m.

    With M the least power of two >= bound ("scale" in the provenance) and f_m = `squaring(m)`,

        x y  is nearly  M^2 [ f_m(|x+y| / 2M) - f_m(|x-y| / 2M) ],    |error| <= M^2 4^-(m+1).

    The product is exactly 0 when a factor is 0, in floating point too: the two squares are units of
    their own, computed by the same two-term sums, so they are equal bit for bit. See
    `yarotsky_multiplication` for the papers' form.

    Args:
        m: depth of the squaring networks.
        bound: the largest absolute value of a factor.

    Returns:
        A `ReLUNetwork` R^2 -> R with the domain [-M, M].

    Raises:
        ValueError: unless m is an integer between 1 and 500 and 2^-200 <= bound <= 2^200.

    Cost: depth m + 3, 14m + 16 parameters.

    Source: Yarotsky 2017, Proposition 3, with two squares in place of three.

    Example:
        >>> multiplication(8, 1.0)([[0.5, -0.75], [0.3, 0.0]]).flatten().tolist()
        [-0.375, 0.0]
    """
    check_depth("m", m)
    scale = power_of_two(bound, "bound")
    halves = [[1.0, 1.0], [1.0, -1.0]]
    return _from_squares(m, scale, halves, [[scale**2, -(scale**2)]])


@implements(
    "Yarotsky 2017, Proposition 3",
    "xy = 2M^2 [ (|x+y| / 2M)^2 - (|x| / 2M)^2 - (|y| / 2M)^2 ] up to M^2 4^-m, and 0 exactly when "
    "a factor is 0",
    SCALE,
    depth=_m + 3,
    parameters=21 * _m + 20,
    sup_error=_scale**2 * Rational(1, 4) ** _m,
)
def yarotsky_multiplication(m: int, bound: float) -> ReLUNetwork:
    """Build the papers' network that multiplies two numbers in [-bound, bound], by three squares.

    With M the least power of two >= bound and f_m = `squaring(m)`,

        x y  is nearly  2M^2 [ f_m(|x+y| / 2M) - f_m(|x| / 2M) - f_m(|y| / 2M) ],

    with the error in M^2 4^-m [-1, 1/2]; exactly 0 when a factor is 0.

    Args:
        m: depth of the squaring networks.
        bound: the largest absolute value of a factor.

    Returns:
        A `ReLUNetwork` R^2 -> R with the domain [-M, M].

    Raises:
        ValueError: unless m is an integer between 1 and 500 and 2^-200 <= bound <= 2^200.

    Cost: depth m + 3, 21m + 20 parameters.

    Source: Yarotsky 2017, Proposition 3; Lemmas A.3 and D.3 of the CGRO papers state it on [0, B]^2
    only and with O(log^2) parameters.

    Example:
        >>> yarotsky_multiplication(8, 1.0)([[0.5, -0.75]]).item()
        -0.375
    """
    check_depth("m", m)
    scale = power_of_two(bound, "bound")
    terms = [[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    return _from_squares(m, scale, terms, [[2 * scale**2, -2 * scale**2, -2 * scale**2]])


def _from_squares(
    m: int, scale: float, terms: list[list[float]], readout: list[list[float]]
) -> ReLUNetwork:
    count = len(terms)
    inner = affine((np.array(terms) / (2 * scale)).tolist())
    squares = delay(copies(count, compose(_settled_squaring(m), absolute())), 1, nonnegative=True)
    network = compose(affine(readout), squares, inner)
    return record(ReLUNetwork(network.layers, (-scale, scale)), scale=scale)


def maximum(n: int, depth: int | None = None) -> ReLUNetwork:
    """Build the network that takes the maximum of n numbers >= 0.

    max(a, b) = b + relu(a - b), by a balanced tree: exact wherever the differences of the numbers
    are representable. A level with an odd number of values carries its first, which the next odd
    level then pairs: the count stays affine in n. (The CGRO papers' max(a, b) = (|a+b| + |a-b|) / 2
    needs a + b >= 0.)

    Args:
        n: how many numbers.
        depth: None for the tree's; five numbers are possible in depth 2, by `shallow_maximum`.

    Returns:
        A `ReLUNetwork` R^n -> R, right on numbers >= 0; that of five in depth 2 on all numbers.

    Raises:
        ValueError: unless n is an integer >= 1, and for another depth.

    Cost: depth ceil(log2 n), (9n - 8 + n mod 2) / 2 parameters.

    Source: folklore.

    Example:
        >>> maximum(3)([[0.25, 1.5, 1.0]]).item()
        1.5
        >>> maximum(5).size.depth, maximum(5, depth=2).size.depth
        (3, 2)
    """
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n must be an integer >= 1, got {n!r}")
    tree = int(n - 1).bit_length()
    if (n, depth) == (5, 2):
        return shallow_maximum(5)
    if depth not in (None, tree):
        raise ValueError(
            f"depth must be that of the tree, {tree}, for n = {n} (2 is possible for n = 5; "
            f"shallow_maximum(6) is 12 times the maximum of 6), got {depth!r}"
        )
    return _tree_of_maxima(n)


@implements(
    "folklore",
    "max(a, b) = b + relu(a - b), by a balanced tree; for b >= 0 the carried b costs one unit",
    depth=ceiling(log(_n, 2)),
    parameters=(9 * _n - 8 + Mod(_n, 2)) / 2,
    sup_error=0,
    name="maximum",
)
def _tree_of_maxima(n: int) -> ReLUNetwork:
    levels = [affine(Identity(n))]
    while n > 1:
        levels.insert(0, _pairwise_maximum(n))
        n -= n // 2
    return compose(*levels).restrict((0.0, math.inf))


def _pairwise_maximum(n: int) -> ReLUNetwork:
    """R^n -> R^ceil(n/2): maxima of neighbours, for odd n those of all but the first, which comes
    last.
    """
    pairs = n // 2
    into, out = torch.tensor([[1.0, -1.0], [0.0, 1.0]]), torch.tensor([[1.0, 1.0]])
    if n % 2 == 0:
        weights = kron(Identity(pairs), Dense(into)), kron(Identity(pairs), Dense(out))
    else:
        first, second, k = torch.arange(1, n, 2), torch.arange(2, n, 2), torch.arange(pairs)
        one = torch.ones(pairs)
        weights = (
            Sparse(
                (n, n),
                torch.cat([2 * k, 2 * k, 2 * k + 1, torch.tensor([n - 1])]),
                torch.cat([first, second, second, torch.tensor([0])]),
                torch.cat([one, -one, one, torch.ones(1)]),
            ),
            Sparse(
                (pairs + 1, n),
                torch.cat([k, k, torch.tensor([pairs])]),
                torch.cat([2 * k, 2 * k + 1, torch.tensor([n - 1])]),
                torch.ones(n),
            ),
        )
    return ReLUNetwork(tuple(Affine(weight, zeros(weight.shape[0], 1)) for weight in weights))


@implements(
    "this library",
    "relu(v - B(1 - s)) - relu(-v - B(1 - s)) = v s for s in {0, 1} and |v| <= B",
    depth=1,
    units=2,
    parameters=8,
)
def gate(bound: float) -> ReLUNetwork:
    """Build the network that lets a number through or makes it 0: (v, s) -> v s for s in {0, 1}.

        relu(v - B(1 - s)) - relu(-v - B(1 - s)) = v s    for |v| <= B = bound,

    exactly, with two units, in place of a multiplication. For s in (0, 1) the result is v
    soft-thresholded at bound (1 - s): it has v's sign or is 0.

    Args:
        bound: the largest absolute value of v.

    Returns:
        A `ReLUNetwork` R^2 -> R: one hidden layer, 2 units, 8 parameters.

    Raises:
        ValueError: unless 2^-200 <= bound <= 2^200.

    Source: this library.

    Example:
        >>> gate(4.0)([[-1.5, 1.0], [3.0, 0.0], [3.0, 0.5]]).flatten().tolist()
        [-1.5, 0.0, 1.0]
    """
    power_of_two(bound, "bound")
    return ReLUNetwork.from_layers(
        [([[1, bound], [-1, bound]], [-bound, -bound]), ([[1, -1]], [0])]
    )


def check_depth(name: str, value: int) -> None:
    """Raise ValueError, naming the argument, unless value is an integer between 1 and 500."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or not 1 <= value <= 500:
        raise ValueError(f"{name} must be an integer between 1 and 500, got {value!r}")
