"""Reading what users pass to the analysis: networks or modules, arrays or tensors; with clear
errors.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import nn

from constructions import ReLUNetwork
from constructions import read_network as read
from constructions.internal import (
    as_coordinates,
    as_float,
    as_tensor,
    check_finite,
    check_interval,
    check_labels,
    exact_point,
    flattening,
    rationals,
)
from training.internal import unchanged


def read_network(network: Any) -> ReLUNetwork:
    """What `constructions.read_network` reads: a network, a module, an exported program, a path, or
    arrays; else TypeError.
    """
    with unchanged(network) if isinstance(network, nn.Module) else contextlib.nullcontext():
        return read(network)


Model = Callable[[torch.Tensor], torch.Tensor]
"""Maps points (batch, ...) to outputs (batch, K), differentiably, each row by itself."""


def read_model(model: Any) -> Model:
    """What evaluates points of any shape (batch, ...): a module or function itself, or a
    `ReLUNetwork` of their flat rows.

    A module computes in the modes that it is in: `measuring` puts it in eval mode and back.
    Raises TypeError for anything that cannot be called.

    >>> from constructions import affine
    >>> read_model(affine([[1.0, 2.0, 3.0, 4.0]]))(torch.ones(1, 1, 2, 2))
    tensor([[10.]])
    """
    if isinstance(model, ReLUNetwork):
        return lambda points: model(points.flatten(1))
    if not callable(model):
        raise TypeError(
            f"model must be a ReLUNetwork, a module or a function of points, got "
            f"{type(model).__name__}"
        )
    return model


def read_batch(points: Any, name: str = "points") -> torch.Tensor:
    """Points (N, ...), N >= 1, finite, as a tensor: uint8 as it is, floating-point in its dtype,
    other numbers as float64.

    Raises TypeError and ValueError.

    >>> read_batch([[0, 1]])
    tensor([[0., 1.]], dtype=torch.float64)
    """
    x = as_tensor(points, name)
    x = x if x.dtype == torch.uint8 else as_coordinates(x, name)
    if x.ndim < 2 or not x.numel():
        raise ValueError(f"{name} must have shape (N, ...) with N >= 1, got {tuple(x.shape)}")
    check_finite(x, name)
    return x


def read_cube(points: Any, name: str = "points", dtype: torch.dtype | None = None) -> torch.Tensor:
    """Points (N, ...) of [0,1]^D, as `read_batch` reads them, in a floating-point dtype (None:
    floating-point ones in their own): uint8 k as k/255.

    >>> read_cube(torch.tensor([[0, 51]], dtype=torch.uint8))
    tensor([[0.0000, 0.2000]])
    """
    x = as_float(read_batch(points, name), dtype, name)
    check_interval(x, name)
    return x


def check_scaled(points: torch.Tensor, name: str = "points") -> None:
    """Raise ValueError for floating-point points that are 8-bit values, 0 to 255, not divided.

    >>> check_scaled(torch.tensor([[0.0, 200.0]]))
    Traceback (most recent call last):
    ...
    ValueError: points must be scaled, got whole numbers in [0, 200]: divide 8-bit values by 255, or
      give them as uint8
    """
    if not points.is_floating_point() or not points.numel():
        return
    low, high = (float(end) for end in points.aminmax())
    if low >= 0 and 32 <= high <= 255 and bool((points == points.round()).all()):
        raise ValueError(
            f"{name} must be scaled, got whole numbers in [{low:g}, {high:g}]: divide 8-bit values "
            "by 255, or give them as uint8"
        )


def read_points(network: ReLUNetwork, points: Any, *, cube: bool = False) -> torch.Tensor:
    """Points (N, D) of a network as float64 in main memory, where proofs are made: finite (uint8:
    k/255), and in [0,1]^D if asked.

    Raises TypeError and ValueError.
    """
    x = as_coordinates(points).double().cpu()
    if x.ndim != 2 or x.shape[1] != network.inputs or len(x) == 0:
        raise ValueError(
            f"points must have shape (N, {network.inputs}) with N >= 1, got {tuple(x.shape)}"
            f"{flattening(x.shape, network.inputs, 'points')}"
        )
    check_finite(x, "points")
    if cube:
        check_interval(x, "points")
    return x


def read_labelled(
    network: ReLUNetwork, points: Any, labels: Any, *, cube: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Points as `read_points` reads them, and labels (N,) as int64 that fit the network's outputs.

    Raises TypeError and ValueError.

    >>> from constructions import affine
    >>> read_labelled(affine([[1.0]]), [[0.5]], [1])
    (tensor([[0.5000]], dtype=torch.float64), tensor([1]))
    """
    x = read_points(network, points, cube=cube)
    return x, check_labels(labels, len(x), network.outputs).cpu()


def read_mask(mask: Any, count: int, name: str) -> torch.Tensor:
    """Booleans in main memory, one a point; raises ValueError and TypeError for others.

    >>> read_mask([True, False], 2, "proved")
    tensor([ True, False])
    """
    found = as_tensor(mask, name).cpu()
    if found.dtype != torch.bool or tuple(found.shape) != (count,):
        raise ValueError(
            f"{name} must be {count} booleans, one for each point, got {found.dtype} of shape "
            f"{tuple(found.shape)}"
        )
    return found


def read_radii(radii: Sequence[float]) -> list[float]:
    """Radii as numbers; raises ValueError unless finite, >= 0 and increasing, one or more."""
    sizes = [float(r) for r in radii]
    increasing = all(a < b for a, b in itertools.pairwise(sizes))
    if not sizes or not (sizes[0] >= 0 and increasing and math.isfinite(sizes[-1])):
        raise ValueError(
            f"radii must be finite, >= 0 and increasing, one or more, got {list(radii)}"
        )
    return sizes


# -- exact numbers ---------------------------------------------------------------------------------


def read_positive(name: str, value: Any) -> float:
    """A number > 0, inf beyond float64; raises TypeError or ValueError that names the argument."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Fraction)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not value > 0:
        raise ValueError(f"{name} must be > 0, got {value}")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def read_numbers(network: ReLUNetwork, values: Any, name: str) -> list[Fraction]:
    """One input of a network, exactly; raises ValueError that names the argument."""
    try:
        shape = (
            tuple(values.shape)
            if hasattr(values, "shape")
            else np.asarray(values, dtype=object).shape
        )
        numbers = (
            exact_point(values, name) if shape in ((network.inputs,), (1, network.inputs)) else []
        )
    except TypeError as error:
        raise ValueError(
            f"{name} must hold {network.inputs} real numbers, got {type(values).__name__}"
        ) from error
    if not numbers:
        one = math.prod(shape) == network.inputs
        raise ValueError(
            f"{name} must have {network.inputs} numbers, shape ({network.inputs},), got shape "
            f"{shape}{flattening(shape, network.inputs, name) if one else ''}"
        )
    return numbers


def read_domain(domain: Any) -> tuple[Fraction, Fraction]:
    """The interval of every input, exactly; raises ValueError and TypeError.

    >>> read_domain((0.0, 1))
    (Fraction(0, 1), Fraction(1, 1))
    """
    ends = rationals(domain, "domain")
    if len(ends) != 2 or ends[0] > ends[1]:
        raise ValueError(
            f"domain must be (lower, upper) with lower <= upper, or None, got {domain!r}"
        )
    return ends[0], ends[1]


def exact_floats(numbers: Sequence[Fraction], name: str) -> list[float]:
    """The same numbers in float64; raises ValueError for what it does not hold.

    >>> exact_floats([Fraction(1, 3)], "centre")
    Traceback (most recent call last):
    ...
    ValueError: centre must hold numbers that float64 holds exactly, got 1/3
    """
    found = [float(v) if abs(v) <= sys.float_info.max else math.inf for v in numbers]
    wrong = next((v for v, x in zip(numbers, found, strict=True) if v != x), None)
    if wrong is not None:
        raise ValueError(f"{name} must hold numbers that float64 holds exactly, got {wrong}")
    return found
