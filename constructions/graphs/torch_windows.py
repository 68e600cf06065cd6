"""PyTorch's operations on sliding windows: convolutions and pooling."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import fx
from torch.nn import functional

from .operations import Operations, Value, exact_numbers

Handler = Callable[..., Any]


def optional(value: Any, name: str) -> torch.Tensor | None:
    """Numbers, exactly, if there are any."""
    return None if value is None else exact_numbers(value, name)


def convolution(
    o: Operations,
    _: Any,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    extra: Any,
    groups: int,
) -> Value:
    """A convolution, or a transposed one."""
    if isinstance(weight, Value) or isinstance(bias, Value):
        raise TypeError("has weights that depend on the input")
    kernel, offset, spatial = (
        exact_numbers(weight, "weight"),
        optional(bias, "bias"),
        weight.ndim - 2,
    )
    stride, padding, dilation, extra = (
        [*v] * spatial if len(v) == 1 else [*v] for v in (stride, padding, dilation, extra)
    )
    if transposed:
        run = {
            1: functional.conv_transpose1d,
            2: functional.conv_transpose2d,
            3: functional.conv_transpose3d,
        }[spatial]
        return o.by_units(
            x, lambda z: run(z, kernel, None, stride, padding, extra, groups, dilation), offset
        )
    return o.convolve(x, kernel, offset, stride, [*padding, *padding], dilation, groups)


def _axes(node: fx.Node) -> int:
    """How many axes an operation such as max_pool2d slides along."""
    return int(re.search(r"([123])d", str(node.target)).group(1))  # type: ignore[union-attr]


def with_channels(handler: Handler) -> Handler:
    """A pooling on values with or without an axis of channels: PyTorch takes (1, n, m) as one
    image.
    """

    def whole(o: Operations, node: fx.Node, x: Any, *arguments: Any, **options: Any) -> Value:
        if len(x.shape) == _axes(node) + 2:
            return handler(o, node, x, *arguments, **options)
        found = handler(o, node, Value(x.node, (1, *x.shape)), *arguments, **options)
        return Value(found.node, found.shape[1:])

    return whole


def max_pool(
    o: Operations,
    node: fx.Node,
    x: Any,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
) -> Value:
    """Maxima in sliding windows; with ceil the last ones may reach beyond the image."""
    spatial = _axes(node)
    kernel, padding, dilation = (_each(v, spatial) for v in (kernel, padding, dilation))
    stride = _each(stride, spatial) if stride else kernel
    after = list(padding)
    if ceil:
        for i, size in enumerate(x.shape[2:]):
            reach = dilation[i] * (kernel[i] - 1) + 1
            count = -(-(size + 2 * padding[i] - reach) // stride[i]) + 1
            count -= (count - 1) * stride[i] >= size + padding[i]
            after[i] = max(padding[i], (count - 1) * stride[i] + reach - size - padding[i])
    return o.max_pool(x, kernel, stride, [*padding, *after], dilation)


def adaptive_max_pool(o: Operations, node: fx.Node, x: Any, image: Any) -> Value:
    """Maxima in windows that cover the image."""
    return o.adaptive_max_pool(x, tuple(_each(image, _axes(node))))


def _each(value: Any, count: int) -> list[int]:
    values = [value] if isinstance(value, int) else [*value]
    return values * count if len(values) == 1 else values


def running(o: Operations, node: fx.Node, x: Any, *arguments: Any, **options: Any) -> Value:
    """Pooling by means: the operation itself says its entries."""
    target: Any = node.target
    return o.average_pool(x, lambda images: target(images, *arguments, **options))
