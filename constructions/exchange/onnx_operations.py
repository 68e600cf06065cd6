"""ONNX operations on values, by name."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ..graphs.operations import Operations, Value
from .onnx_windows import (
    Handler,
    average_pool,
    conv,
    conv_transpose,
    max_pool,
    numbers_of,
    row_by_row,
)


def _two(name: str) -> Handler:
    """Add, Sub, Mul, Div: of a value and a constant, on either side, or of two values."""

    def handler(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
        x, y = arguments
        both = isinstance(x, Value) and isinstance(y, Value)
        one = torch.ones((), dtype=torch.float64)
        if name in ("Add", "Sub"):
            sign = 1.0 if name == "Add" else -1.0
            if both:
                return o.add(x, y, sign)
            return (
                o.shift(x, sign * numbers_of(y))
                if isinstance(x, Value)
                else o.scale(y, sign * one, numbers_of(x))
            )
        if both or (name == "Div" and isinstance(y, Value)):
            raise ValueError("of values that depend on the input is not piecewise linear")
        if name == "Div":
            return o.divide(x, numbers_of(y))
        return o.scale(x, numbers_of(y)) if isinstance(x, Value) else o.scale(y, numbers_of(x))

    return handler


def _gemm(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    x, weight, bias = (*arguments, None)[:3]
    if not isinstance(x, Value) or isinstance(weight, Value) or isinstance(bias, Value):
        raise ValueError("must take constants as its matrix and bias")
    if options.get("transA", 0):
        x = o.move([x], lambda places: places.T)
    matrix = numbers_of(weight, "weight")
    matrix = matrix if options.get("transB", 0) else matrix.T
    if options.get("transA", 0) and x.shape[-1] != matrix.shape[1]:
        raise ValueError(
            f"takes {matrix.shape[1]} numbers a row, got {x.shape} after transposing; with "
            f"transA=0 it would not"
        )
    product = o.linear(x, matrix, None)
    alpha, beta = float(options.get("alpha", 1.0)), float(options.get("beta", 1.0))
    if alpha != 1:
        product = o.scale(product, numbers_of(alpha, "alpha"))
    if bias is None or beta == 0:
        return product
    offset = numbers_of(bias, "bias")
    if alpha == beta == 1 and (offset.ndim <= 1 or (offset.ndim == 2 and offset.shape[0] == 1)):
        return o.linear(x, matrix, offset.reshape(-1))
    return o.shift(product, offset, beta)


def _matmul(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    x, y = arguments
    if isinstance(x, Value) and isinstance(y, Value):
        raise ValueError("of two values that depend on the input is not piecewise linear")
    if isinstance(x, Value):
        matrix = numbers_of(y, "weight")
        if matrix.ndim == 1:
            out = o.linear(x, matrix[None], None)
            return Value(out.node, out.shape[:-1])
        if matrix.ndim > 2 and math.prod(matrix.shape[:-2]) == 1:
            lead = (1,) * max(0, matrix.ndim - len(x.shape))
            x, matrix = Value(x.node, (*lead, *x.shape)), matrix.reshape(matrix.shape[-2:])
        if matrix.ndim != 2:
            raise ValueError(f"takes a matrix with two axes, got shape {tuple(matrix.shape)}")
        return o.linear(x, matrix.T, None)
    matrix = numbers_of(x, "weight")
    if matrix.ndim > 2 and math.prod(matrix.shape[:-2]) == 1:
        y = Value(y.node, ((1,) * max(0, matrix.ndim - len(y.shape))) + y.shape)
        matrix = matrix.reshape(matrix.shape[-2:])
    if matrix.ndim == 1 or len(y.shape) == 1:
        if len(y.shape) == 1:
            return (
                o.linear(y, matrix.reshape(-1, y.size), None)
                if matrix.ndim == 2
                else _dot(o, y, matrix)
            )
        turned = o.linear(o.move([y], lambda places: places.transpose(-1, -2)), matrix[None], None)
        return Value(turned.node, turned.shape[:-1])
    if matrix.ndim != 2:
        raise ValueError(f"takes a matrix with two axes, got shape {tuple(matrix.shape)}")
    turned = o.linear(o.move([y], lambda places: places.transpose(-1, -2)), matrix, None)
    return o.move([turned], lambda places: places.transpose(-1, -2))


def _dot(o: Operations, x: Value, vector: torch.Tensor) -> Value:
    return Value(o.linear(x, vector[None], None).node, ())


def _normalization(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    x, *rest = arguments
    scale, offset, mean, variance = (
        numbers_of(v, n) for v, n in zip(rest, ("weight", "bias", "mean", "variance"), strict=True)
    )
    return o.normalize(
        x, scale, offset, mean, variance, float(options.get("epsilon", np.float32(1e-5)))
    )


def _clip(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    x, low, high = (*arguments, None, None)[:3]
    low, high = (
        np.float32(options[k]) if k in options else v for k, v in (("min", low), ("max", high))
    )
    if isinstance(low, Value) or isinstance(high, Value) or not isinstance(x, Value):
        raise ValueError("must clip between constants")
    given = [None if v is None else np.asarray(v).reshape(-1)[0] for v in (low, high)]
    # no number is larger
    ends = [None if v is None or abs(v) >= np.finfo(v.dtype).max else float(v) for v in given]
    if any(v is not None and math.isnan(v) for v in ends) or (
        None not in ends and ends[0] > ends[1]  # type: ignore[operator]
    ):
        raise ValueError(f"clips between {ends[0]} and {ends[1]}, no interval")
    return o.clip(x, *ends)


def _extreme(sign: float) -> Handler:
    """Max or Min of any number of values and constants."""

    def handler(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
        values = [a for a in arguments if isinstance(a, Value)]
        constants = [numbers_of(a) for a in arguments if not isinstance(a, Value)]
        shape = tuple(
            torch.broadcast_shapes(*(a.shape for a in values), *(a.shape for a in constants))
        )
        found = o.expand(values[0], shape)
        for other in values[1:]:
            other = o.expand(other, shape)
            found = o.maximum(found, other) if sign > 0 else o.minimum(found, other)
        for fixed in constants:
            moved = (
                o.shift(found, -fixed)
                if sign > 0
                else o.scale(found, torch.tensor(-1.0, dtype=torch.float64), fixed)
            )
            short = o.relu(moved)
            found = (
                o.shift(short, fixed)
                if sign > 0
                else o.scale(short, torch.tensor(-1.0, dtype=torch.float64), fixed)
            )
        return found

    return handler


def _sum(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    found = arguments[0]
    for other in arguments[1:]:
        found = (
            _two("Add")(o, [found, other], {})
            if isinstance(found, Value) or isinstance(other, Value)
            else found + other
        )
    return found


def _reduce(kind: str) -> Handler:
    """Sums, means and maxima along axes."""

    def handler(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
        x = arguments[0]
        given = (
            arguments[1].tolist()
            if len(arguments) > 1 and arguments[1] is not None
            else options.get("axes")
        )
        keep = bool(options.get("keepdims", 1))
        if not given and options.get("noop_with_empty_axes", 0):
            return x
        rank = len(x.shape)
        if any(not -rank <= axis < rank for axis in given or ()):
            raise ValueError(f"has axes {given}, but its input has shape {x.shape}")
        axes = [axis % rank for axis in given] if given else list(range(rank))
        if kind == "sum":
            return o.sum(x, axes, keep)
        if kind == "mean":
            return o.mean(x, axes, keep)
        others = [i for i in range(len(x.shape)) if i not in axes]
        places = torch.arange(x.size).reshape(x.shape).permute((*axes, *others))
        shape = (
            tuple(1 if i in axes else n for i, n in enumerate(x.shape))
            if keep
            else tuple(x.shape[i] for i in others)
        )
        windows = places.reshape(math.prod(x.shape[i] for i in axes), -1)
        if kind == "max":
            return o.maxima(x, windows, shape)
        return o.negative(o.maxima(o.negative(x), windows, shape))

    return handler


def _global(kind: str) -> Handler:
    def handler(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
        x = arguments[0]
        if len(x.shape) < 3:
            raise ValueError(f"takes an image of shape (N, C, ...), got shape {x.shape}")
        return _reduce(kind)(o, [x], {"axes": list(range(2, len(x.shape))), "keepdims": 1})

    return handler


def _slope(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    x, slope = arguments
    if not isinstance(x, Value) or isinstance(slope, Value):
        raise ValueError("must take a constant as its slope")
    return o.leaky(x, numbers_of(slope, "slope"))


MOVES = (
    "Concat",
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "Identity",
    "Pad",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
)


MONOTONE = ("LogSoftmax", "Sigmoid", "Softmax")


WINDOWS = ("AveragePool", "Conv", "ConvTranspose", "MaxPool")


HANDLERS: dict[str, Handler] = {
    **{name: _two(name) for name in ("Add", "Sub", "Mul", "Div")},
    "Sum": _sum,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Conv": row_by_row(conv),
    "ConvTranspose": row_by_row(conv_transpose),
    "AveragePool": row_by_row(average_pool),
    "GlobalAveragePool": _global("mean"),
    "GlobalMaxPool": _global("max"),
    "MaxPool": row_by_row(max_pool),
    "BatchNormalization": _normalization,
    "Relu": lambda o, a, _: o.relu(a[0]),
    "LeakyRelu": lambda o, a, k: o.leaky(
        a[0], numbers_of(k.get("alpha", np.float32(0.01)), "alpha")
    ),
    "PRelu": _slope,
    "Clip": _clip,
    "Abs": lambda o, a, _: o.add(o.relu(a[0]), o.relu(o.negative(a[0]))),
    "Neg": lambda o, a, _: o.negative(a[0]),
    "Max": _extreme(1.0),
    "Min": _extreme(-1.0),
    "ReduceSum": _reduce("sum"),
    "ReduceMean": _reduce("mean"),
    "ReduceMax": _reduce("max"),
    "ReduceMin": _reduce("min"),
    "Dropout": lambda o, a, _: a[0],
}
"""What is known of each operation on values: (operations, arguments, options) -> its value."""
