"""Where rounding does nothing, and how much it does elsewhere: statements about all points of a
grid or a box at once.

>>> from constructions.gadgets.approximation import squaring
>>> bit_budget(
...     squaring(28), 24
... ).float64  # every sum is exact on the grid of step 2^-24, in any order
True
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..basics.floats import FAR
from ..basics.reading import box_of
from ..basics.renamed import renamed
from ..basics.result import Result, Said, said
from ..basics.shapes import BatchOutputs
from ..linear.grid import RANGE, align, walk
from .network import ReLUNetwork, check_network


@dataclass(frozen=True, repr=False)
class BitBudget(Result):
    """How many bits the sums of a network need on a grid; see `bit_budget`.

    Attributes:
        float64: whether every product and partial sum is proven to be representable in float64.
        float32: the same for float32.
        bits: the most significant bits that a sum is proven to need at most.
        layer: the layer (from 0) of the unit with these bits.
        unit: that unit.

    Example:
        >>> from constructions.gadgets.approximation import absolute
        >>> bit_budget(absolute(), 24, box=(-1.0, 1.0))
        BitBudget: rounds nothing in float64 (proved), nothing in float32 (proved)
          bits of sums <= 24 (certified bound); most in unit 0 of layer 0
    """

    float64: bool
    float32: bool
    bits: int
    layer: int
    unit: int

    def _says(self) -> tuple[str, dict[str, Said]]:
        words = (
            f"{'nothing' if fits else 'perhaps something'} in {name}{' (proved)' if fits else ''}"
            for name, fits in (("float64", self.float64), ("float32", self.float32))
        )
        return f"rounds {', '.join(words)}", {
            "bits of sums": said(self.bits, "certified upper bound"),
            "most in": Said(f"unit {self.unit} of layer {self.layer}", ""),
        }


@renamed("network grid_bits low high", box=lambda low=0.0, high=1.0: (low, high))
def bit_budget(network: ReLUNetwork, grid_bits: int, *, box: Any = (0.0, 1.0)) -> BitBudget:
    """Prove that floating point does not round at any point of a grid in a box.

    The points are *all* multiples of 2^-grid_bits in the box. If every term of a sum is a
    multiple of 2^q, and neither the positive nor the negative terms add up to more than 2^(q + p)
    in absolute value, then every partial sum, in every order, is a number with p bits: nothing
    rounds, fused or not. q follows from the lowest bits of weights, biases and inputs, the sums
    from ranges that end on the grid, in which units that are functions of one number are bounded
    together (a tooth stays in [0, 1]; once its grid is coarser than that, it is 0).

    `float64` (p = 53) and `float32` (p = 24) say whether that holds for all sums of all layers, for
    any order of summation, in dense, sparse and structured evaluation, on any hardware with IEEE
    754 arithmetic (no subnormal number occurs; TF32 is not float32). False says that there is no
    proof, not that there is an error.

    Args:
        network: a `ReLUNetwork`.
        grid_bits: an integer, negative for grids coarser than 1.
        box: (lower, upper), numbers or shape (inputs,), which broadcast.

    Returns:
        A `BitBudget`: its True is certified.

    Raises:
        TypeError: for another kind of network or grid_bits.
        ValueError: for corners that are no numbers, not finite or in the wrong order, without a
            grid point between, or outside of the network's domain; for layers with more than
            `TABLE_LIMIT` nonzeros, with entries beyond 2^-400..2^400 or with Kronecker products
            that are no float64; for values above 2^400; and for grid_bits beyond -400..400.

    Cost: a sort of the nonzeros.

    Source: Sterbenz's exactness of sums on a common grid; Muller et al., Handbook of Floating-Point
    Arithmetic, ch. 2.

    Example:
        >>> from constructions.gadgets.approximation import squaring
        >>> bit_budget(squaring(28), 24)
        BitBudget: rounds nothing in float64 (proved), perhaps something in float32
          bits of sums <= 49 (certified bound); most in unit 2 of layer 25
        >>> bit_budget(squaring(28), 8).float32, bit_budget(squaring(28), 30).float64
        (True, False)
    """
    check_network(network)
    if not isinstance(grid_bits, (int, np.integer)) or isinstance(grid_bits, bool):
        raise TypeError(f"grid_bits must be an integer, got {grid_bits!r}")
    if abs(grid_bits) > RANGE:
        raise ValueError(f"grid_bits must lie in -{RANGE}..{RANGE}, got {grid_bits}")
    lower, upper = _box(network, box)
    q = np.full(len(lower), -int(grid_bits))
    lower, upper = align(lower, q, np.ceil), align(upper, q, np.floor)
    if not (lower <= upper).all():
        raise ValueError(
            f"box must hold a multiple of 2^-{grid_bits} in every coordinate, got {box!r}"
        )
    double = single = True
    bits, layer, unit = 0, 0, 0
    for depth, found in enumerate(walk(network.layers, -int(grid_bits), lower, upper)):
        double &= found.fits(53, -1022, 1023)
        single &= found.fits(24, -126, 127)
        if found.bits.max(initial=0) > bits:
            bits, layer, unit = int(found.bits.max()), depth, int(found.bits.argmax())
    return BitBudget(double, single, bits, layer, unit)


@renamed("network low high dtype", box=lambda low, high: (low, high))
def rounding_error(
    network: ReLUNetwork, box: Any, *, dtype: torch.dtype = torch.float32
) -> BatchOutputs:
    """Bound how far a computed value may be from the real one, over a whole box.

    Covers rounding of inputs and weights to `dtype`, of every product and sum in any order, dense,
    sparse or structured, and underflow (gradual or flushed to zero): a layer with n terms a row
    adds at most gamma_(n + 4 + 3k) sum |w| |x|, k being the number of Kronecker products an entry
    is made of, and passes on sum |w| times the error before it.

    A priori and therefore pessimistic: where slopes are steep and errors of different sign would
    cancel the bound grows like the product of the sums |w| (for `tooth(s)` like 6^s, the values
    being in [0, 1]). For such networks, on a grid, `bit_budget` is the tool; at a point,
    `interval_bounds`.

    Args:
        network: a `ReLUNetwork`.
        box: (lower, upper), numbers or shape (inputs,), which broadcast.
        dtype: torch.float32 or torch.float64, in which it is evaluated.

    Returns:
        Certified upper bounds of |computed - real value|, float64, (outputs,).

    Raises:
        TypeError: for another kind of network.
        ValueError: as `bit_budget`, for another dtype, and where numbers may overflow.

    Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, Section 3.1.

    Example:
        >>> from constructions import distance, tooth
        >>> bool(rounding_error(distance([0.25, 0.5], "inf"), (0.0, 1.0)) < 1e-5)
        True
        >>> bool(rounding_error(tooth(28), (0.0, 1.0)) > 1e6)
        True
    """
    check_network(network)
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"dtype must be torch.float32 or torch.float64, got {dtype}")
    info = torch.finfo(dtype)
    unit, tiny = info.eps / 2, info.tiny
    lower, upper = _box(network, box)
    reach = np.maximum(np.abs(lower), np.abs(upper))
    error = unit * reach * (1 + 2.0**-50) + tiny
    for layer in walk(network.layers, -FAR, lower, upper):
        table = layer.table
        terms = np.bincount(table.rows, minlength=table.shape[0]) + 4 + 3 * table.nest
        gamma = terms * unit / (1 - terms * unit)
        if not (terms * unit < 0.5).all():
            raise ValueError(f"rows must have fewer than {0.5 / unit:g} nonzeros for {dtype}")
        sizes, columns = np.abs(table.values), table.columns
        passed = np.bincount(table.rows, sizes * error[columns], table.shape[0])
        total = (
            np.bincount(table.rows, sizes * reach[columns], table.shape[0])
            + passed
            + np.abs(table.bias)
        )
        most = np.bincount(table.rows, (reach + error + 2)[columns], table.shape[0]) + 2
        # what underflow may take
        lost = 4 * (1 + table.nest) * tiny * 2.0 ** math.ceil(table.slack) * most
        error = (passed + gamma * total + lost) * (1 + (table.longest + 8) * 2.0**-50)
        largest = max(
            float(total.max(initial=0.0)),
            float(sizes.max(initial=0.0)),
            float(np.abs(table.bias).max(initial=0.0)),
        )
        if (
            not (largest + float(error.max(initial=0.0))) * 2.0 ** math.ceil(table.slack)
            < info.max / 2
        ):
            raise ValueError(
                f"values must stay below the largest {dtype}; sums may reach {largest:g}"
            )
        reach = layer.upper
    return torch.from_numpy(error)


def _box(network: ReLUNetwork, box: Any) -> tuple[np.ndarray, np.ndarray]:
    lower, upper = box_of(box, network.inputs, thin=True)
    if network.domain and not (
        network.domain[0] <= lower.min(initial=math.inf)
        and upper.max(initial=-math.inf) <= network.domain[1]
    ):
        raise ValueError(
            f"box must lie in the network's domain {list(network.domain)}, got {box!r}"
        )
    if not (np.abs([lower, upper]) <= 2.0**RANGE).all():
        raise ValueError(f"box must lie within +-2^{RANGE}, got {box!r}")
    return lower, upper
