"""Networks with as many linear regions as the lower bound of the literature promises."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import comb

from sympy import Symbol

from ..capacity.region_bounds import montufar_lower
from ..networks.calculus import compose, copies
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record
from .one_input import piecewise_linear


@implements(
    "Montufar, Pascanu, Cho and Bengio 2014, Theorem 4",
    "folding the cube prod p_l^d times and cutting it by n_L hyperplanes gives "
    "prod floor(n_l / d)^d * sum_(j <= d) C(n_L, j) activation cells",
    depth=Symbol("layers"),
    units="D*folds + last",
)
def folding(widths: Sequence[int], d: int) -> ReLUNetwork:
    """Build a network with as many activation cells as `montufar_lower` promises regions.

    Each layer but the last folds every coordinate of [0,1]^d by a zigzag with p = floor(n / d)
    linear pieces, each of them onto [0,1]; its knots are dyadic. So prod p_l^d cells are mapped
    onto the whole cube. The last layer cuts that by the n_L hyperplanes

        sum_(j < d) s_j tau_i^j (x_j - 1/2) + tau_i^d = 0,    |tau_i| < 1,

    s_j the least power of two >= 2 C(d, j), into all sum_(j <= d) C(n_L, j) cells: d of them meet
    where the polynomial with coefficients s_j (x_j - 1/2) and leading coefficient 1 has roots
    tau_i, hence in one point, no d + 1 of them, and all these points lie in the open cube, as such
    coefficients are below C(d, j). Units beyond d p_l are left out. Where n_L <= d, neighbouring
    cells may carry the same affine map: there are fewer linear regions then.

    Args:
        widths: n_1, ..., n_L, units of the hidden layers, each >= d.
        d: input dimension.

    Returns:
        A `ReLUNetwork` R^d -> R with the domain [0,1]; provenance has the number of its activation
        `cells` in the cube.

    Raises:
        ValueError: for a layer with fewer than d units, and where float64 does not hold tau_i^d.

    Cost: d p_l units in layer l < L, and n_L in the last.

    Source: Montufar, Pascanu, Cho and Bengio 2014 (On the number of linear regions of deep neural
    networks).

    Example:
        >>> from constructions import count_regions, montufar_lower
        >>> network = folding([6, 4, 4], 2)
        >>> count_regions(network, (0, 1)).cells, montufar_lower([6, 4, 4], 2)
        (396, 396)
    """
    cells = montufar_lower(widths, d)
    *inner, last = widths
    folds = [copies(d, _zigzag(n // d)) for n in inner]
    unit = 1 << (2 * last - 1).bit_length()
    tau = [Fraction(4 * i - 2 * last - 1, unit) for i in range(1, last + 1)]
    scale = [2 << (comb(d, j) - 1).bit_length() for j in range(d)]
    rows = [[s * t**j for j, s in enumerate(scale)] for t in tau]
    bias = [t**d - sum(row) / 2 for t, row in zip(tau, rows, strict=True)]
    signs = [(-1) ** i for i in range(last)]  # no region on which all are off, for last > d + 1
    cut = ReLUNetwork.from_layers(
        [
            (
                [[s * v for v in row] for s, row in zip(signs, rows, strict=True)],
                [s * b for s, b in zip(signs, bias, strict=True)],
            ),
            ([[i + 1 for i in range(last)]], [0]),
        ]
    )
    network = compose(cut, *reversed(folds)).restrict((0.0, 1.0))
    facts = {"layers": len(widths), "folds": sum(n // d for n in inner), "last": last}
    return record(network, cells=cells, **facts)


def _zigzag(pieces: int) -> ReLUNetwork:
    """[0,1] -> [0,1] with so many linear pieces, each onto [0,1], of lengths 2^-q, the first ones
    halved.
    """
    q = pieces.bit_length() - 1
    lengths = [Fraction(1, 2 << q)] * (2 * (pieces - (1 << q)))
    lengths += [Fraction(1, 1 << q)] * (pieces - len(lengths))
    knots = [sum(lengths[:k], Fraction(0)) for k in range(pieces + 1)]
    return piecewise_linear(knots, [k % 2 for k in range(pieces + 1)])
