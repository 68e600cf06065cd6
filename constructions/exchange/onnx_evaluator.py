"""What onnx's reference evaluator says of a model, where it is right; elsewhere PyTorch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from .onnx_windows import ceiling_pads, window_pads


def evaluator_of(model: Any) -> Any:
    """onnx's reference evaluator, with pooling by PyTorch, as its own is wrong for signals and for
    some paddings, and with normalization by the statistics given, where its own takes those of the
    input before operator set 14.
    """
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun

    def window(x: Any, given: dict[str, Any]) -> tuple[Any, ...]:
        """Kernel, strides, pads, those that ceil_mode adds, and dilations."""
        options = {name: value for name, value in given.items() if value is not None}
        options["auto_pad"] = options.get("auto_pad", "NOTSET").encode()
        kernel, sizes = list(options["kernel_shape"]), x.shape[2:]
        strides, pads, dilations = window_pads(options, sizes, kernel)
        wide = ceiling_pads(options, sizes, kernel, strides, pads, dilations)
        return kernel, strides, pads, [a - b for a, b in zip(wide, pads, strict=True)], dilations

    def padded(image: torch.Tensor, pads: list[int], value: float) -> torch.Tensor:
        spatial = len(pads) // 2
        sides = [pads[i + side] for i in reversed(range(spatial)) for side in (0, spatial)]
        return functional.pad(image, sides, value=value)

    class MaxPool(OpRun):
        def _run(self, x: Any, **given: Any) -> tuple[Any]:
            kernel, strides, pads, more, dilations = window(x, given)
            image = padded(torch.from_numpy(x.astype(np.float64)), pads, -math.inf)
            run = getattr(functional, f"max_pool{len(kernel)}d")
            found = run(padded(image, more, -math.inf), kernel, strides, 0, dilations)
            return (found.numpy().astype(x.dtype),)

    class AveragePool(OpRun):
        def _run(self, x: Any, **given: Any) -> tuple[Any]:
            kernel, strides, pads, more, dilations = window(x, given)
            image = torch.from_numpy(x.astype(np.float64)).reshape(-1, 1, *x.shape[2:])
            inside = padded(torch.ones_like(image), pads, float(given["count_include_pad"] or 0))
            run, ones = getattr(functional, f"conv{len(kernel)}d"), torch.ones(1, 1, *kernel)
            total, count = (
                run(padded(part, more, 0.0), ones.double(), None, strides, 0, dilations)
                for part in (padded(image, pads, 0.0), inside)
            )
            mean = (total / count).numpy()
            return (mean.reshape(*x.shape[:2], *mean.shape[2:]).astype(x.dtype),)

    class GlobalMaxPool(OpRun):
        def _run(self, x: Any) -> tuple[Any]:
            return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)

    class BatchNormalization(OpRun):
        def _run(self, x: Any, *rest: Any, epsilon: float, **_: Any) -> tuple[Any]:
            view = (-1, *[1] * (x.ndim - 2))
            scale, bias, mean, variance = (v.reshape(view) for v in rest)
            y = scale * (x - mean) / np.sqrt(variance + np.float32(epsilon)) + bias
            return (y.astype(x.dtype),)

    ours: list[Any] = [MaxPool, AveragePool, GlobalMaxPool, BatchNormalization]
    return ReferenceEvaluator(model, new_ops=ours)
