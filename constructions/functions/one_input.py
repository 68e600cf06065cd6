"""Piecewise-linear functions of one number: as a network of one hidden layer, and at which distance
they are from a sawtooth.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

from ..exchange.properties import rationals
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record


@implements(
    "folklore; Arora et al. 2018, Theorem 2.2",
    "a continuous function of one number with p linear pieces is a network of one hidden layer, a "
    "unit a piece",
    "absent: how many of the knots with a unit, the first slope and the first value are 0",
    depth=1,
    units="pieces",
    parameters="3*pieces + 1 - absent",
    pieces="pieces",
)
def piecewise_linear(knots: Any, values: Any) -> ReLUNetwork:
    """Build the network that joins points of a graph by straight lines.

    With knots t_0 < ... < t_K, values y_k and slopes s_k = (y_(k+1) - y_k) / (t_(k+1) - t_k),

        f(x) = y_0 + s_0 relu(x - t_0) + sum_(k >= 1) (s_k - s_(k-1)) relu(x - t_k),

    exactly. A knot where the slope does not change takes no unit: what is left are the linear
    `pieces`. Below t_0 the formula gives y_0, above t_K it goes on with the last slope (which
    `restrict(None)` lets one use).

    Args:
        knots: t_0 < ... < t_K, (K + 1,), floats, integers or Fractions, K >= 1.
        values: y_0, ..., y_K, likewise.

    Returns:
        A `ReLUNetwork` R -> R with the domain [t_0, t_K].

    Raises:
        TypeError: for what are no numbers.
        ValueError: for knots that do not increase, numbers of knots and values that differ, and
            slopes that float64 does not hold, such as 1/3: no network of float64 weights has them.

    Cost: a unit and 3 parameters a piece, and one bias; one less for a first slope, a first value
    and a knot that is 0.

    Source: Arora, Basu, Mianjy and Mukherjee 2018 (Understanding deep neural networks with
    rectified linear units), Theorem 2.2.

    Example:
        >>> hat = piecewise_linear([0, 0.5, 1, 1.5], [0, 1, 0, -1])
        >>> hat([[0.25], [0.75], [1.25]]).flatten().tolist(), hat.provenance.arguments["pieces"]
        ([0.5, 0.5, -0.5], 2)
    """
    t, y = rationals(knots, "knots"), rationals(values, "values")
    if len(t) < 2 or len(t) != len(y):
        raise ValueError(
            f"knots and values must be equally many, at least two, got {len(t)} and {len(y)}"
        )
    if any(u >= v for u, v in itertools.pairwise(t)):
        raise ValueError(f"knots must increase, got {', '.join(map(str, t[:9]))}")
    slopes = [(b - a) / (v - u) for (u, a), (v, b) in itertools.pairwise(zip(t, y, strict=True))]
    changes = [slopes[0], *(s - r for r, s in itertools.pairwise(slopes))]
    units = [(u, c) for k, (u, c) in enumerate(zip(t, changes, strict=False)) if c or k == 0]
    layers = [
        ([[1]] * len(units), [-_float64(u, "knots") for u, _ in units]),
        ([[_float64(c, "changes of slope") for _, c in units]], [_float64(y[0], "values")]),
    ]
    network = ReLUNetwork.from_layers(layers, (_float64(t[0], "knots"), _float64(t[-1], "knots")))
    absent = sum(v == 0 for v in (*itertools.chain(*units), y[0]))
    return record(network, pieces=len(units), absent=absent)


def _float64(value: Fraction, name: str) -> float:
    """The number as float64; raises ValueError where that would round it."""
    if abs(value) >= 2**1024 or Fraction(float(value)) != value:
        raise ValueError(
            f"{name} must be float64, as weights are, got {value}: choose dyadic values at knots "
            f"whose distances are powers of two"
        )
    return float(value)
