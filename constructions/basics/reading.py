"""What users pass, read by one reader each: numbers, points, labels and boxes, of any origin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from .floats import from_shared
from .result import several
from .shapes import Alike, Corner, Ends, Labels, Rows


def as_tensor(values: Any, name: str = "values") -> torch.Tensor:
    """A tensor without gradients; of a list or array in the dtype that numpy reads (float64),
    copied only if torch needs it.

    Arrays may have any strides and byte order; fractions become float64. Raises TypeError for what
    are no numbers, ValueError for rows of other lengths.

    >>> as_tensor(np.array([1.0, 2.0], dtype=">f8")[::-1])
    tensor([2., 1.], dtype=torch.float64)
    """
    if isinstance(values, torch.Tensor):
        return values.detach()
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"{name} must be numbers in rows of one length, got {type(values).__name__}: {error}"
        ) from error
    if array.dtype == object and any(isinstance(v, Fraction) for v in array.flat):
        array = array.astype(np.float64)
    if array.dtype.kind not in "fiubc" or array.dtype.itemsize > (
        16 if array.dtype.kind == "c" else 8
    ):
        raise TypeError(f"{name} must be numbers of up to 64 bits, got {array.dtype}")
    return from_shared(array)


# -- points ----------------------------------------------------------------------------------------


def flattening(shape: Sequence[int], size: int, name: str = "x") -> str:
    """What an error adds about a wrong shape if flattening, row by row, makes it right; else "".

    >>> flattening((2, 1, 28, 28), 784), flattening((3, 5), 4)
    (': flatten it, by x.reshape(-1, 784)', '')
    """
    fits = any(math.prod(shape[k:]) == size for k in range(len(shape) - 1))
    return f": flatten it, by {name}.reshape(-1, {size})" if fits else ""


def as_float(points: Any, dtype: torch.dtype | None = torch.float32, name: str = "points") -> Alike:
    """Points of dtype uint8 as k/255, correctly rounded on every device, and floating-point ones as
    they are, in `dtype` (None: floating-point ones in their own, uint8 in float32). Gradients pass.

    Raises ValueError for other types, TypeError for what are no numbers.

    >>> as_float(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist()
    [0.0, 0.20000000298023224, 1.0]
    """
    x = points if isinstance(points, torch.Tensor) else as_tensor(points, name)
    if x.is_floating_point():
        return x.to(dtype or x.dtype)
    if x.dtype != torch.uint8:
        raise ValueError(f"{name} must be uint8 (k means k/255) or floating-point, got {x.dtype}")
    dtype = dtype or torch.float32
    # a tensor: GPUs multiply with the rounded inverse of a number
    return x.to(dtype) / torch.full((), 255.0, dtype=dtype, device=x.device)


def as_coordinates(points: Any, name: str = "points") -> Alike:
    """Coordinates of any shape: floating-point as they are; uint8 as k/255, and other numbers, in
    float64.

    Raises TypeError and ValueError for what are no real numbers.

    >>> as_coordinates([0, 1]), as_coordinates(np.array([51], dtype=np.uint8))
    (tensor([0., 1.], dtype=torch.float64), tensor([0.2000], dtype=torch.float64))
    """
    x = as_tensor(points, name)
    if x.is_complex():
        raise ValueError(f"{name} must be real numbers, got {x.dtype}")
    if x.is_floating_point():
        return x
    return as_float(x, torch.float64, name) if x.dtype == torch.uint8 else x.double()


def check_finite(points: torch.Tensor, name: str) -> None:
    """Raise ValueError that names the first row with NaN or infinity.

    >>> check_finite(torch.tensor([[0.0], [torch.nan]]), "points")
    Traceback (most recent call last):
    ...
    ValueError: points must be finite, got NaN or infinity in row 1
    """
    if points.numel() and not bool(torch.stack(points.aminmax()).isfinite().all()):
        row = int((~torch.isfinite(points.reshape(len(points), -1))).any(1).nonzero()[0])
        raise ValueError(f"{name} must be finite, got NaN or infinity in row {row}")


def check_interval(
    points: torch.Tensor, name: str, interval: tuple[float, float] = (0.0, 1.0)
) -> None:
    """Raise ValueError unless all coordinates, none NaN, lie in the interval.

    >>> check_interval(torch.tensor([0.5, 128.0]), "points")
    Traceback (most recent call last):
    ...
    ValueError: points must lie in [0, 1], got values in [0.5, 128]
      (divide 8-bit values by 255, or give them as uint8)
    """
    if not points.numel():
        return
    low, high = points.aminmax()
    if bool((low >= interval[0]) & (high <= interval[1])):
        return
    images = interval == (0, 1) and low >= 0 and 1 < high <= 255
    advice = " (divide 8-bit values by 255, or give them as uint8)" if images else ""
    raise ValueError(
        f"{name} must lie in [{interval[0]:g}, {interval[1]:g}], got values in [{float(low):.6g}, "
        f"{float(high):.6g}]{advice}"
    )


def read_rows(points: Any, name: str = "points") -> Rows:
    """Points of shape (D,) or (N, D) as float64 (N, D) in main memory, finite; uint8 as k/255.

    Raises TypeError and ValueError.

    >>> read_rows([1, 2])
    tensor([[1., 2.]], dtype=torch.float64)
    """
    x = as_coordinates(points, name).double().cpu()
    x = x[None] if x.ndim == 1 else x
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(
            f"{name} must have shape (D,) or (N, D) with N, D >= 1, got {tuple(x.shape)}"
        )
    check_finite(x, name)
    return x


# -- labels ----------------------------------------------------------------------------------------


def check_labels(
    labels: Any, count: int, outputs: int | None = None, name: str = "labels"
) -> Labels:
    """Labels as int64, shape (count,): -1, +1 (one output) or 0..K-1 (K outputs; None: any
    integers), of any integer dtype.

    Raises ValueError, and TypeError for what are no numbers.

    >>> check_labels(torch.tensor([0, 1], dtype=torch.int8), 2, 2)
    tensor([0, 1])
    >>> check_labels([0, 1], 2, 1)
    Traceback (most recent call last):
    ...
    ValueError: labels must be -1 or +1 for a network with 1 output, got 0 at index 0:
      use -1/+1, such as 2 * labels - 1
    """
    given = as_tensor(labels, name)
    if tuple(given.shape) != (count,):
        one = " (numbers without an axis of points are one point: N points have shape (N, D))"
        raise ValueError(
            f"{name} must have shape ({count},), one for each point, got {tuple(given.shape)}"
            f"{one if count == 1 and given.ndim == 1 else ''}"
        )
    if given.dtype == torch.bool or given.is_floating_point() or given.is_complex():
        advice = (
            "use 2 * labels.long() - 1 or labels.long()"
            if given.dtype == torch.bool
            else "use labels.long()"
        )
        raise ValueError(f"{name} must be integers, got {given.dtype}: {advice}")
    found = given.long()
    if outputs is None:
        return found
    wrong = found.abs() != 1 if outputs == 1 else (found < 0) | (found >= outputs)
    if wrong.any():
        i = int(wrong.nonzero()[0])
        binary = outputs == 2 and bool((found.abs() == 1).all())
        allowed, advice = (
            ("-1 or +1", ": use -1/+1, such as 2 * labels - 1")
            if outputs == 1
            else (f"0..{outputs - 1}", ": use (labels + 1) // 2" if binary else "")
        )
        raise ValueError(
            f"{name} must be {allowed} for a network with {several(outputs, 'output')}, got "
            f"{given[i].item()} at index {i}{advice}"
        )
    return found


# -- boxes -----------------------------------------------------------------------------------------


def corners(box: Any) -> tuple[Any, Any]:
    """Lower and upper corner as they are given. Raises ValueError for what is no pair, and for
    uint8: a box is of numbers, while points of uint8 are images, k/255.

    >>> corners([0, 1])
    (0, 1)
    """
    try:
        lower, upper = box
    except (TypeError, ValueError) as error:
        raise ValueError(f"box must be a pair (lower, upper), got {box!r}") from error
    kinds = [getattr(side, "dtype", None) for side in (lower, upper)]
    if any(kind is torch.uint8 or kind == np.uint8 for kind in kinds):
        raise ValueError(
            "box must not be uint8, which may mean k or k/255: divide images by 255, or make "
            "numbers float64"
        )
    return lower, upper


def read_box(box: Any, *, thin: bool = False) -> tuple[Ends, Ends]:
    """Lower and upper corner as float64 arrays of one shape, that of numbers (broadcast) or of one
    input. `thin`: sides may have length 0.

    Raises ValueError and TypeError for what is no pair of numbers with lower < upper, finite.

    >>> read_box((0, [1.0, 2.0]))
    (array([0., 0.]), array([1., 2.]))
    """
    ends = corners(box)
    try:
        sides = (as_coordinates(side, "box").double().cpu() for side in ends)
        lower, upper = np.broadcast_arrays(*(side.numpy() for side in sides))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"box must be a pair (lower, upper) of numbers or arrays of one shape, got {box!r}"
        ) from error
    if not (np.isfinite(lower).all() and np.isfinite(upper).all()):
        raise ValueError("box must be finite, got NaN or infinity")
    if not (lower <= upper if thin else lower < upper).all():
        sign = "<=" if thin else "<"
        raise ValueError(
            f"box must have lower {sign} upper in every coordinate, as a pair of corners (lower, "
            f"upper), got {box!r}"
        )
    return lower, upper


def box_of(box: Any, inputs: int, *, thin: bool = False) -> tuple[Corner, Corner]:
    """The corners of a box, as `read_box` reads it, as vectors of `inputs` numbers. Raises
    ValueError for others.

    >>> box_of((-1, 1), 2)
    (array([-1., -1.]), array([1., 1.]))
    """
    lower, upper = read_box(box, thin=thin)
    if lower.ndim == 0:
        return np.full(inputs, float(lower)), np.full(inputs, float(upper))
    if lower.size != inputs:
        raise ValueError(
            f"box must have one number or {inputs} a corner, as the network has inputs, got "
            f"{lower.size}"
        )
    return lower.ravel().copy(), upper.ravel().copy()
