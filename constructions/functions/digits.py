"""Tables of bits in the digits of weights: as many labels as parameters times depth."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record
from .one_input import piecewise_linear

MOST_DIGITS = 50
"""Columns of a table: second differences of its rows, as integers, are float64."""


@implements(
    "Bartlett, Harvey, Liaw and Mehrabian 2019, Theorem 3; network: this library",
    "n m points are shattered by O(n + m) parameters in depth O(m): rows are binary numbers, whose "
    "digits the network reads one after the other",
    depth="columns + 2",
    units="bends + 7*columns + 1",
)
def digit_table(bits: Any) -> ReLUNetwork:
    """Build the network that gives the bit of row i and column j of a table, from (i, j).

    A polygon through the points (i, a_i), a_i the number that row i is in binary, gives U = a_i.
    Then a layer a column, t = 0, ..., m - 1, reads the highest digit, with T = 2^(m-1-t):

        b = relu(U - T + 1) - relu(U - T),    U <- U - T b,    y <- y + relu(b - |j - t|).

    All of it is exact on integers (float64 sums are, too, where n^2 2^(m+1) and 4^m are below
    2^53). As any table can be stored in the same units, the n m points (i, j) are shattered: the VC
    dimension of these networks is at least n m, with 5 n + O(m) parameters.

    Args:
        bits: 0 and 1, shape (n, m), n >= 2, 1 <= m <= 50.

    Returns:
        A `ReLUNetwork` R^2 -> R, exact for integers 0 <= i < n, 0 <= j < m; its domain is the
        interval from 0 to the larger of n - 1 and m - 1. Provenance has the number of `columns`,
        and of `bends`, the linear pieces of the polygon, at most n - 1.

    Raises:
        ValueError: for entries other than 0 and 1, and for other shapes.

    Cost: depth m + 2; a unit and five parameters a row, seven units a column.

    Source: Bartlett, Harvey, Liaw and Mehrabian 2019 (Nearly-tight VC-dimension bounds for
    piecewise linear neural networks).

    Example:
        >>> table = [[1, 0, 1], [0, 0, 1], [1, 1, 0]]
        >>> network = digit_table(table)
        >>> network([[0, 0], [0, 1], [1, 2], [2, 2]]).flatten().tolist()
        [1.0, 0.0, 1.0, 0.0]
    """
    table = np.asarray(bits)
    if table.ndim != 2 or len(table) < 2 or not 1 <= table.shape[1] <= MOST_DIGITS:
        raise ValueError(
            f"bits must have shape (n, m) with n >= 2 and 1 <= m <= {MOST_DIGITS}, got "
            f"{table.shape}"
        )
    if not np.isin(table, (0, 1)).all():
        raise ValueError("bits must be 0 or 1")
    n, m = table.shape
    numbers = [int("".join(str(int(b)) for b in row), 2) for row in table]
    polygon = piecewise_linear(range(n), numbers)
    (into, bend), (slopes, start) = (
        (a.weight.to_dense().tolist(), a.bias.to_dense()[:, 0].tolist()) for a in polygon.layers
    )
    # rows of weights for what a layer knows: U, b, j, y, and constants last
    k = len(into)
    layers = [([[w[0], 0.0] for w in into] + [[0.0, 1.0]], [*bend, 0.0])]
    known = {
        "U": np.array([*slopes[0], 0.0, start[0]]),
        "j": np.array([0.0] * k + [1.0, 0.0]),
        "b": np.zeros(k + 2),
        "y": np.zeros(k + 2),
    }
    for t in range(m):
        one, high = np.eye(len(known["U"]))[-1], 2.0 ** (m - 1 - t)
        pending = known["b"] - known.get("away", 0 * one)
        wanted = [known["U"] - (high - 1) * one, known["U"] - high * one, known["U"]]
        wanted += [known["j"] - t * one, t * one - known["j"]]
        wanted += [pending, known["y"]] if t else []
        layers.append(([row[:-1].tolist() for row in wanted], [row[-1] for row in wanted]))
        u = np.eye(len(wanted) + 1)
        digit = u[0] - u[1]
        known = {"b": digit, "U": u[2] - high * digit, "j": u[3] - u[4] + t * u[-1]}
        known |= {"away": u[3] + u[4], "y": u[5] + u[6] if t else 0 * u[0]}
    wanted = [known["b"] - known["away"], known["y"]]
    layers.append(([row[:-1].tolist() for row in wanted], [0.0, 0.0]))
    layers.append(([[1.0, 1.0]], [0.0]))
    network = ReLUNetwork.from_layers(layers, (0.0, float(max(n, m) - 1)))
    return record(network, bends=k, columns=m)
