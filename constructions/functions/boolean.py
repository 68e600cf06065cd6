"""Boolean functions: look-up tables, in one layer, and parity, deep and narrow."""

from __future__ import annotations

from typing import Any

import numpy as np
from sympy import Symbol, ceiling, log

from ..capacity.packing import read_count
from ..exchange.properties import rationals
from ..gadgets.approximation import tooth
from ..linear.matrix import Constant
from ..networks.calculus import affine, compose
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record

_d = Symbol("d")


@implements(
    "folklore",
    "any function of d bits is a network of one hidden layer, a unit for each vertex where it is "
    "not 0",
    depth=1,
    units="entries",
    parameters="entries*(D + 2) - plain",
)
def lookup(table: Any) -> ReLUNetwork:
    """Build the network that looks values up in a table of bits.

    With v the vertices of {0,1}^d at which the table is not 0,

        f(x) = sum_v table[v] relu( sum_(v_j = 1) x_j - sum_(v_j = 0) x_j - |v| + 1 ),

    where each unit is 1 at its vertex v and 0 at all others. On the l_inf balls of radius r around
    the vertices, for d r < 1, one term is at least 1 - d r and the others at most d r.

    Args:
        table: 2^d numbers, as an array of shape (2, ..., 2), indexed by the bits, or flat, the
            first bit the most significant; d between 1 and 20.

    Returns:
        A `ReLUNetwork` R^d -> R with the domain [0,1]; exact on {0,1}^d. Provenance has the numbers
        of `entries` that are not 0, and of vertices with one bit among them, whose unit is `plain`:
        it has no bias.

    Raises:
        TypeError: for what are no numbers.
        ValueError: for another number of them, for zeros only, and for those that float64 does not
            hold.

    Cost: a unit and d + 2 parameters for each entry that is not 0.

    Example:
        >>> exclusive_or = lookup([[0, 1], [1, 0]])
        >>> exclusive_or([[0, 0], [0, 1], [1, 0], [1, 1]]).flatten().tolist()
        [0.0, 1.0, 1.0, 0.0]
    """
    values = rationals(table, "table")
    d = len(values).bit_length() - 1
    if not (1 <= d <= 20 and len(values) == 2**d):
        raise ValueError(f"table must have 2^d entries for a d from 1 to 20, got {len(values)}")
    entries = [k for k, value in enumerate(values) if value]
    if not entries:
        raise ValueError("table must have an entry that is not 0")
    bits = (np.array(entries)[:, None] >> np.arange(d - 1, -1, -1)) & 1
    biases = 1 - bits.sum(axis=1)
    layers = [
        ((2 * bits - 1).tolist(), biases.tolist()),
        ([[values[k] for k in entries]], [0]),
    ]
    network = ReLUNetwork.from_layers(layers, (0.0, 1.0))
    return record(network, entries=len(entries), plain=int((biases == 0).sum()))


@implements(
    "Telgarsky 2015",
    "the parity of d bits is a sawtooth of their sum: depth ceil(log2 d), two units a layer",
    depth=ceiling(log(_d, 2)),
    units=2 * ceiling(log(_d, 2)),
    parameters=2 * _d + 5 * ceiling(log(_d, 2)) - 2,
)
def parity(d: int) -> ReLUNetwork:
    """Build the network that tells whether an odd number of d bits is 1.

    f(x) = `tooth(k)` of (x_1 + ... + x_d) / 2^k, for the least k with 2^k >= d. At the vertices it
    is 1 or 0; between them it goes linearly from one to the other.

    Args:
        d: how many bits, >= 2.

    Returns:
        A `ReLUNetwork` R^d -> R with the domain [0,1]; exact on {0,1}^d.

    Raises:
        ValueError: unless d is an integer >= 2.

    Cost: depth k = ceil(log2 d), 2 k units, 2 d + 5 k - 2 parameters; in one layer the table has
    2^(d-1) units.

    Source: Telgarsky 2015 (Representation benefits of deep feedforward networks) for the tooth.

    Example:
        >>> parity(5)([[1, 0, 1, 1, 0], [1, 1, 1, 1, 0]]).flatten().tolist()
        [1.0, 0.0]
    """
    count = read_count("d", d, 2)
    k = (count - 1).bit_length()
    return compose(tooth(k), affine(Constant(1, count, 2.0**-k))).restrict((0.0, 1.0))
