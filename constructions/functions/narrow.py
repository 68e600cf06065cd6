"""Deep networks that are one unit wider than their input."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ..exchange.properties import rationals
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record


@implements(
    "Hanin 2019 (convex functions in width d + 1)",
    "the maximum of K affine functions of d numbers >= 0 is a network of width d + 1",
    depth="K_ - 1",
    width="D + 1",
    units="(K_ - 1)*(D + 1)",
    parameters="2*K_*(D + 1) - D - 1",
)
def narrow_maximum(maps: Any) -> ReLUNetwork:
    """Build a network of width d + 1 for a convex piecewise-linear function of d numbers >= 0.

    With affine functions l_1, ..., l_K, each layer carries x and one number t more,

        t_1 = relu(l_1 - l_2),    t_k = relu(t_(k-1) + l_k - l_(k+1)),

    so that max(l_1, ..., l_k) = t_(k-1) + l_k, exactly. Differences of two of them are all
    continuous piecewise-linear functions.

    Args:
        maps: rows (a, b) of l(x) = a x + b, (K, d + 1), K >= 2, floats, integers or Fractions.

    Returns:
        A `ReLUNetwork` R^d -> R on numbers >= 0; provenance has K as `K_`.

    Raises:
        TypeError: for what are no numbers.
        ValueError: for fewer than two rows or columns, and for differences of rows that float64
            does not hold.

    Cost: depth K - 1, width d + 1, 2 K (d + 1) - d - 1 parameters.

    Source: Hanin 2019 (Universal function approximation by deep neural nets with bounded width and
    ReLU activations); all continuous functions in a bounded width: Hanin and Sellke 2017.

    Example:
        >>> network = narrow_maximum([[1, 0, 0], [0, 1, 0], [-1, -1, 3]])
        >>> network([[0.5, 0.25], [2.0, 0.0]]).flatten().tolist(), network.size.width
        ([2.25, 2.0], 3)
    """
    shape = np.shape(maps)
    if len(shape) != 2 or min(shape) < 2:
        raise ValueError(f"maps must have shape (K, d + 1) with K >= 2, d >= 1, got {shape}")
    flat, d = rationals(maps, "maps"), shape[1] - 1
    rows = [flat[k : k + d + 1] for k in range(0, len(flat), d + 1)]
    eye = np.eye(d).astype(int).tolist()
    layers: list[tuple[list[list[Any]], list[Any]]] = []
    for k, (now, after) in enumerate(itertools.pairwise(rows)):
        *slope, constant = (a - b for a, b in zip(now, after, strict=True))
        carried = [[*row, 0] if k else row for row in eye]
        layers.append(([*carried, [*slope, 1] if k else slope], [*[0] * d, constant]))
    layers.append(([[*rows[-1][:-1], 1]], [rows[-1][-1]]))
    return record(ReLUNetwork.from_layers(layers, (0.0, math.inf)), K_=len(rows))
