"""PyTorch's elementary operations on values, by name.

Whole, because it is a list: each operation is a function of its own.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import fx

from .operations import Operations, Value, exact_numbers
from .torch_windows import (
    Handler,
    adaptive_max_pool,
    convolution,
    max_pool,
    optional,
    running,
    with_channels,
)


def _constant(value: Any, name: str = "constant") -> torch.Tensor:
    tensor = value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=torch.float64)
    return exact_numbers(tensor, name)


def _add(o: Operations, _: Any, x: Any, y: Any, *, alpha: float = 1.0, sign: float = 1.0) -> Value:
    factor = sign * alpha
    if isinstance(x, Value) and isinstance(y, Value):
        if abs(factor) != 1.0:
            y, factor = o.scale(y, _constant(factor)), 1.0
        return o.add(x, y, factor)
    if isinstance(x, Value):
        return o.shift(x, _constant(y), factor)
    return o.scale(y, _constant(factor), _constant(x))


def _mul(o: Operations, _: Any, x: Any, y: Any) -> Value:
    if isinstance(x, Value) and isinstance(y, Value):
        raise TypeError(
            "multiplies two values that depend on the input, which is not piecewise linear"
        )
    return o.scale(x, _constant(y)) if isinstance(x, Value) else o.scale(y, _constant(x))


def _div(o: Operations, _: Any, x: Any, y: Any, *, rounding_mode: str | None = None) -> Value:
    if isinstance(y, Value) or rounding_mode is not None:
        raise TypeError(
            "divides by a value that depends on the input, or rounds, which is not piecewise linear"
        )
    return o.divide(x, _constant(y))


def _batch_norm(
    o: Operations, _: Any, x: Any, weight: Any, bias: Any, mean: Any, variance: Any, *rest: Any
) -> list[Any]:
    training, eps = (False, rest[-1]) if len(rest) == 2 else (rest[0], rest[2])
    if training or mean is None:
        raise ValueError("is in training mode: call module.eval() first")
    mean, variance = exact_numbers(mean, "mean"), exact_numbers(variance, "variance")
    scale = torch.ones_like(mean) if weight is None else exact_numbers(weight, "weight")
    offset = torch.zeros_like(mean) if bias is None else exact_numbers(bias, "bias")
    return [o.normalize(x, scale, offset, mean, variance, eps), torch.zeros(0), torch.zeros(0)]


def _matmul(o: Operations, _: Any, x: Any, y: Any) -> Value:
    """Products with a constant matrix or vector on one side."""
    if isinstance(x, Value) and isinstance(y, Value):
        raise TypeError(
            "multiplies two values that depend on the input, which is not piecewise linear"
        )
    if isinstance(x, Value):
        matrix = exact_numbers(y, "weight")
        if matrix.ndim == 2:
            return o.linear(x, matrix.T, None)
        if matrix.ndim == 1:
            out = o.linear(x, matrix[None], None)
            return Value(out.node, out.shape[:-1])
        if matrix.ndim == 3 and matrix.shape[0] == 1:
            return o.linear(x, matrix[0].T, None)
        raise TypeError(
            f"multiplies by a constant of shape {tuple(matrix.shape)}; known are matrices with two "
            f"axes"
        )
    matrix = exact_numbers(x, "weight")
    if matrix.ndim != 2 or len(y.shape) not in (1, 2):
        raise TypeError(
            f"multiplies a constant of shape {tuple(matrix.shape)} by a value of shape {y.shape}"
        )
    if len(y.shape) == 1:
        return o.linear(y, matrix, None)
    turned = o.linear(o.move([y], lambda places: places.T), matrix, None)
    return o.move([turned], lambda places: places.T)


def _addmm(
    o: Operations, node: Any, bias: Any, x: Any, y: Any, *, beta: float = 1.0, alpha: float = 1.0
) -> Value:
    if isinstance(bias, Value) or not isinstance(x, Value) or isinstance(y, Value) or alpha != 1:
        product = _matmul(o, node, x, y)
        product = product if alpha == 1 else o.scale(product, _constant(alpha))
        return _add(o, node, product, bias, alpha=beta)
    offset = exact_numbers(bias, "bias")
    if offset.ndim > 1 or beta != 1:
        return _add(o, node, _matmul(o, node, x, y), bias, alpha=beta)
    return o.linear(x, exact_numbers(y, "weight").T, offset)


def _filled(o: Operations, node: fx.Node, x: Any, *arguments: Any, **options: Any) -> torch.Tensor:
    """A constant of a value's shape."""
    assert isinstance(node.args[0], fx.Node)
    target: Any = node.target
    like = torch.zeros(x.shape, dtype=node.args[0].meta["tensor_meta"].dtype)
    return (
        torch.zeros_like(target(like, *arguments, **options))
        if "empty" in str(target)
        else target(like, *arguments, **options)
    )


def _maximum_along(
    o: Operations, _: Any, x: Any, axes: Any = (), keep: bool = False, *, sign: float = 1.0
) -> Value:
    axes = [axes] if isinstance(axes, int) else [*axes]
    rank = len(x.shape)
    axes = [axis % rank for axis in axes] or list(range(rank))
    if 0 in axes:
        raise TypeError("takes maxima over the batch axis")
    others = [i for i in range(rank) if i not in axes]
    places = torch.arange(x.size).reshape(x.shape).permute((*axes, *others))
    shape = (
        tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        if keep
        else tuple(x.shape[i] for i in others)
    )
    windows = places.reshape(math.prod(x.shape[i] for i in axes), -1)
    if sign > 0:
        return o.maxima(x, windows, shape)
    return o.negative(o.maxima(o.negative(x), windows, shape))


def _moving(
    o: Operations,
    node: fx.Node,
    *arguments: Any,
    joins: bool = False,
    floats: bool = False,
    **options: Any,
) -> Any:
    """What only moves numbers, done to their places instead; `joins` also with constants, whose
    places are -2, -3, ...
    """
    target: Any = node.target
    values: list[Value] = []
    constants: list[torch.Tensor] = []

    def collect(argument: Any) -> Any:
        if isinstance(argument, (tuple, list)):
            return [collect(part) for part in argument]
        if isinstance(argument, Value):
            start = sum(x.size for x in values)
            values.append(argument)
            places = torch.arange(start, start + argument.size).reshape(argument.shape)
            return places.double() if floats else places
        if not isinstance(argument, torch.Tensor) or argument.dtype == torch.bool:
            return argument
        if joins:
            start = -2 - sum(len(x) for x in constants)
            constants.append(exact_numbers(argument, "constant").reshape(-1))
            return torch.arange(start, start - argument.numel(), -1).reshape(argument.shape)
        if argument.is_floating_point():
            raise TypeError("moves values that depend on the input and constants together")
        return argument.cpu()

    def gathered(places: torch.Tensor) -> Value:
        places = places.long()
        moved = o.gather(values, places.clamp_min(-1))
        if not constants:
            return moved
        fill = torch.cat([torch.zeros(1, dtype=torch.float64), *constants])
        return o.shift(moved, fill[(-1 - places).clamp_min(0)])

    found = target(*map(collect, arguments), **options)
    return (
        gathered(found) if isinstance(found, torch.Tensor) else [gathered(part) for part in found]
    )


def _pad(o: Operations, node: fx.Node, x: Any, pads: Any, value: float = 0.0) -> Value:
    places = torch.nn.functional.pad(torch.arange(x.size).reshape(x.shape), list(pads), value=-1)
    moved = o.gather([x], places)
    return moved if value == 0 else o.shift(moved, (places < 0).double() * float(value))


def _cast(
    o: Operations, node: fx.Node, x: Any, *_: Any, dtype: torch.dtype | None = None, **__: Any
) -> Value:
    assert isinstance(node.args[0], fx.Node)
    now = node.args[0].meta["tensor_meta"].dtype
    wide = {
        torch.float32: (torch.float16, torch.bfloat16),
        torch.float64: (torch.float16, torch.bfloat16, torch.float32),
    }
    if dtype is not None and dtype != now and now not in wide.get(dtype, ()):
        raise TypeError(f"rounds values from {now} to {dtype}")
    return x


def _clamp(o: Operations, _: Any, x: Any, low: Any = None, high: Any = None) -> Value:
    if isinstance(low, (torch.Tensor, Value)) or isinstance(high, (torch.Tensor, Value)):
        if isinstance(low, Value) or isinstance(high, Value) or not isinstance(x, Value):
            raise TypeError("clips between values that depend on the input")
        if low is not None:
            x = _extreme(o, None, x, low)
        return x if high is None else _extreme(o, None, x, high, sign=-1.0)
    if low is not None and high is not None and low > high:
        raise ValueError(f"clips between {low} and {high}")
    return o.clip(x, low, high)


def _extreme(o: Operations, _: Any, x: Any, y: Any, *, sign: float = 1.0) -> Value:
    if not isinstance(x, Value):
        x, y = y, x
    if isinstance(y, Value):
        return o.maximum(x, y) if sign > 0 else o.minimum(x, y)
    fixed = _constant(y)
    if sign > 0:
        return o.shift(o.relu(o.shift(x, -fixed)), fixed)
    return o.shift(o.negative(o.relu(o.shift(o.negative(x), fixed))), fixed)


MONOTONE = ("_log_softmax", "_softmax", "sigmoid")


MOVES = (
    "view",
    "_unsafe_view",
    "reshape",
    "_reshape_alias",
    "t",
    "transpose",
    "permute",
    "squeeze",
    "unsqueeze",
    "expand",
    "clone",
    "alias",
    "detach",
    "slice",
    "select",
    "flip",
    "roll",
    "narrow",
    "split",
    "split_with_sizes",
    "unbind",
    "chunk",
    "unfold",
    "index_select",
    "repeat",
    "contiguous",
    "diagonal",
    "movedim",
    "flatten",
    "unflatten",
    "pixel_shuffle",
    "pixel_unshuffle",
    "channel_shuffle",
    "view_copy",
    "t_copy",
    "transpose_copy",
    "permute_copy",
    "squeeze_copy",
    "unsqueeze_copy",
    "expand_copy",
    "slice_copy",
    "select_copy",
    "split_copy",
    "lift_fresh",
    "lift_fresh_copy",
    "index",
)


MEANS = [
    *(f"avg_pool{d}d" for d in (1, 2, 3)),
    "adaptive_avg_pool1d",
    "_adaptive_avg_pool2d",
    "_adaptive_avg_pool3d",
]


FILLS = [
    *("fill", "full_like", "zeros_like", "ones_like", "empty_like"),
    *("new_zeros", "new_ones", "new_full", "new_empty", "new_empty_strided"),
]


JOINS = ["cat", "stack", "slice_scatter", "select_scatter", "copy", "where"]


PADS = [f"{kind}_pad{d}d" for kind in ("reflection", "replication") for d in (1, 2, 3)]


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(MOVES, _moving),
    **dict.fromkeys(JOINS, functools.partial(_moving, joins=True)),
    **dict.fromkeys(PADS, functools.partial(_moving, floats=True)),
    **dict.fromkeys(FILLS, _filled),
    **dict.fromkeys(MEANS, with_channels(running)),
    **{
        f"max_pool{d}d_with_indices": lambda *a, **k: [with_channels(max_pool)(*a, **k), None]
        for d in (2, 3)
    },
    "max_pool1d": with_channels(max_pool),
    **{
        f"adaptive_max_pool{d}d": lambda *a: [with_channels(adaptive_max_pool)(*a), None]
        for d in (2, 3)
    },
    "relu": lambda o, _, x: o.relu(x),
    "add": _add,
    "sub": lambda o, n, x, y, **k: _add(o, n, x, y, sign=-1.0, **k),
    "rsub": lambda o, n, x, y, **k: _add(o, n, y, x, sign=-1.0, **k),
    "mul": _mul,
    "div": _div,
    "neg": lambda o, _, x: o.negative(x),
    "leaky_relu": lambda o, _, x, slope=0.01: o.leaky(x, _constant(slope)),
    "_prelu_kernel": lambda o, _, x, slope: o.leaky(x, _constant(slope, "slope")),
    "hardtanh": lambda o, _, x, low=-1.0, high=1.0: o.clip(x, low, high),
    "clamp": _clamp,
    "clamp_min": lambda o, n, x, low: _clamp(o, n, x, low, None),
    "clamp_max": lambda o, n, x, high: _clamp(o, n, x, None, high),
    "abs": lambda o, _, x: o.add(o.relu(x), o.relu(o.negative(x))),
    "maximum": _extreme,
    "minimum": lambda o, n, x, y: _extreme(o, n, x, y, sign=-1.0),
    "amax": _maximum_along,
    "amin": lambda o, n, x, axes=(), keep=False: _maximum_along(o, n, x, axes, keep, sign=-1.0),
    "max": lambda o, n, x, *a: (
        [_maximum_along(o, n, x, *a), None] if a else _maximum_along(o, n, x)
    ),
    "min": lambda o, n, x, *a: (
        [_maximum_along(o, n, x, *a, sign=-1.0), None] if a else _maximum_along(o, n, x, sign=-1.0)
    ),
    "convolution": convolution,
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "cudnn_batch_norm": _batch_norm,
    "mm": _matmul,
    "bmm": _matmul,
    "mv": _matmul,
    "matmul": _matmul,
    "addmm": _addmm,
    "linear": lambda o, n, x, w, b=None: o.linear(
        x, exact_numbers(w, "weight"), optional(b, "bias")
    ),
    "sum": lambda o, _, x, axes=(), keep=False, **k: o.sum(x, axes or (), keep),
    "mean": lambda o, _, x, axes=(), keep=False, **k: o.mean(x, axes or (), keep),
    "constant_pad_nd": _pad,
    "_to_copy": _cast,
}
"""What is known of each operation: (operations, traced node, *arguments) -> its value or values."""
