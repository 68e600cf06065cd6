"""ONNX operations on sliding windows: convolutions and pooling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ..graphs.operations import Operations, Value, exact_numbers
from ..linear.matrix import Sparse, zeros


def numbers_of(value: Any, name: str = "constant") -> torch.Tensor:
    """A constant as float64, exactly."""
    return exact_numbers(np.asarray(value), name)


Handler = Callable[[Operations, list[Any], dict[str, Any]], Value]


DISPUTED = "which runtimes understand differently: give it pads instead of auto_pad"


def window_pads(
    options: dict[str, Any], sizes: Sequence[int], kernel: Sequence[int]
) -> tuple[list[int], list[int], list[int]]:
    """Strides, pads (before, then after) and dilations of a sliding window, automatic padding
    resolved.
    """
    spatial = len(sizes)
    strides = list(options.get("strides", [1] * spatial))
    dilations = list(options.get("dilations", [1] * spatial))
    kind = options.get("auto_pad", b"NOTSET").decode()
    if kind in ("NOTSET", ""):
        return strides, list(options.get("pads", [0] * (2 * spatial))), dilations
    if kind == "VALID":
        return strides, [0] * (2 * spatial), dilations
    if kind not in ("SAME_UPPER", "SAME_LOWER"):
        raise ValueError(f"auto_pad must be NOTSET, VALID, SAME_UPPER or SAME_LOWER, got {kind}")
    needs = []
    for n, k, s, d in zip(sizes, kernel, strides, dilations, strict=True):
        needs.append(max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n))
    small, large = [n // 2 for n in needs], [n - n // 2 for n in needs]
    return strides, [*small, *large] if kind == "SAME_UPPER" else [*large, *small], dilations


def ceiling_pads(
    options: dict[str, Any],
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: list[int],
    pads: list[int],
    dilations: list[int],
) -> list[int]:
    """Pads that let the last window of ceil_mode start inside the padded image."""
    spatial, out = len(sizes), list(pads)
    if not options.get("ceil_mode", 0):
        return out
    for i, n in enumerate(sizes):
        reach = dilations[i] * (kernel[i] - 1) + 1
        count = -(-(n + pads[i] + pads[i + spatial] - reach) // strides[i]) + 1
        count -= (count - 1) * strides[i] >= n + pads[i]
        out[i + spatial] = max(pads[i + spatial], (count - 1) * strides[i] + reach - n - pads[i])
    return out


def row_by_row(handler: Handler) -> Handler:
    """The operation on a batch, from what it does to one row of shape (1, C, ...)."""

    def whole(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
        x, *rest = arguments
        if not isinstance(x, Value) or len(x.shape) < 2:
            raise ValueError(f"takes an image of shape (N, C, ...), got shape {tuple(x.shape)}")
        if x.shape[0] == 1:
            return handler(o, arguments, options)
        places = torch.arange(x.size).reshape(x.shape)
        rows = [handler(o, [o.gather([x], row[None]), *rest], options) for row in places]
        return o.gather(
            rows, torch.arange(len(rows) * rows[0].size).reshape(len(rows), *rows[0].shape[1:])
        )

    return whole


def conv(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    """Conv of one row."""
    x, weight, bias = (*arguments, None)[:3]
    if not isinstance(x, Value) or isinstance(weight, Value) or isinstance(bias, Value):
        raise ValueError("must take constants as its kernel and bias")
    kernel, offset = (
        numbers_of(weight, "weight"),
        None if bias is None else numbers_of(bias, "bias"),
    )
    if options.get("kernel_shape", [*kernel.shape[2:]]) != [*kernel.shape[2:]]:
        raise ValueError(
            f"kernel_shape {options['kernel_shape']} does not fit weights of shape "
            f"{tuple(kernel.shape)}"
        )
    strides, pads, dilations = window_pads(options, x.shape[2:], kernel.shape[2:])
    return o.convolve(x, kernel, offset, strides, pads, dilations, options.get("group", 1))


def conv_transpose(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    """ConvTranspose of one row."""
    x, weight, bias = (*arguments, None)[:3]
    if not isinstance(x, Value) or isinstance(weight, Value) or isinstance(bias, Value):
        raise ValueError("must take constants as its kernel and bias")
    kernel, offset = (
        numbers_of(weight, "weight"),
        None if bias is None else numbers_of(bias, "bias"),
    )
    spatial, sizes = kernel.ndim - 2, x.shape[2:]
    run = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d}.get(spatial)
    if run is None:
        raise ValueError(
            f"must have one or two dimensions, got weights of shape {tuple(kernel.shape)}"
        )
    strides, dilations = (
        list(options.get("strides", [1] * spatial)),
        list(options.get("dilations", [1] * spatial)),
    )
    extra = list(options.get("output_padding", [0] * spatial))
    reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel.shape[2:], strict=True)]
    kind = options.get("auto_pad", b"NOTSET").decode()
    pads = list(options.get("pads", [0] * (2 * spatial)))
    goal = options.get("output_shape")
    if kind in ("SAME_UPPER", "SAME_LOWER") and not goal:
        goal = [n * s for n, s in zip(sizes, strides, strict=True)]
    if goal:
        goal = list(goal)[-spatial:]
        for i in range(spatial):
            need = strides[i] * (sizes[i] - 1) + extra[i] + reach[i] - goal[i]
            small, large = need // 2, need - need // 2
            pads[i], pads[i + spatial] = (large, small) if kind == "SAME_LOWER" else (small, large)
    if min(pads) < 0:
        raise ValueError(f"needs no negative pads, got {pads}")
    groups = options.get("group", 1)

    def whole(z: torch.Tensor) -> torch.Tensor:
        out = run(z, kernel, None, strides, 0, 0, groups, dilations)
        tail = [
            size
            for i in reversed(range(spatial))
            for size in (-pads[i], extra[i] - pads[i + spatial])
        ]
        return functional.pad(out, tail)

    return o.by_units(x, whole, offset)


def average_pool(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    """AveragePool of one row."""
    x = arguments[0]
    kernel = list(options["kernel_shape"])
    strides, pads, dilations = window_pads(options, x.shape[2:], kernel)
    wide = ceiling_pads(options, x.shape[2:], kernel, strides, pads, dilations)
    spatial = len(kernel)
    windows, image = o.patches((1, 1, *x.shape[2:]), kernel, strides, wide, dilations)
    if options.get("count_include_pad", 0):
        grown = [n + pads[i] + pads[i + spatial] for i, n in enumerate(x.shape[2:])]
        extra = [0] * spatial + [wide[i + spatial] - pads[i + spatial] for i in range(spatial)]
        counts = (o.patches((1, 1, *grown), kernel, strides, extra, dilations)[0] >= 0).sum(dim=0)
    else:
        counts = (windows >= 0).sum(dim=0)
    return _means(o, x, windows, counts, image)


def _means(
    o: Operations, x: Value, windows: torch.Tensor, counts: torch.Tensor, image: tuple[int, ...]
) -> Value:
    """Sums over windows, divided by counts, on each channel."""
    if not bool((counts > 0).all()):
        raise ValueError("has a window that sees padding alone")
    channels, size, places = x.shape[1], math.prod(x.shape[2:]), math.prod(image)
    cells, columns = (windows >= 0).nonzero(as_tuple=True)
    inner = windows[cells, columns]
    number = torch.arange(channels)[:, None]
    rows, sources = (number * places + columns).reshape(-1), (number * size + inner).reshape(-1)
    ones = torch.ones(len(rows), dtype=torch.float64)
    matrix = Sparse((channels * places, channels * size), rows, sources, ones)
    total = Value(
        o.graph.linear([(x.node, matrix)], zeros(channels * places, 1)), (1, channels, *image)
    )
    return o.divide(total, counts.double().reshape(1, 1, *image))


def max_pool(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    """MaxPool of one row."""
    x = arguments[0]
    kernel = list(options["kernel_shape"])
    if options.get("storage_order", 0):
        raise ValueError("must have storage_order=0")
    automatic = options.get("auto_pad", b"NOTSET").startswith(b"SAME")
    if automatic and max(options.get("dilations", [1])) > 1:
        raise ValueError(f"has dilations and automatic padding, {DISPUTED}")
    strides, pads, dilations = window_pads(options, x.shape[2:], kernel)
    return o.max_pool(
        x,
        kernel,
        strides,
        ceiling_pads(options, x.shape[2:], kernel, strides, pads, dilations),
        dilations,
    )
