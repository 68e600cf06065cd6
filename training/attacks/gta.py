"""The geometry-inspired transferable attack of the CGRO paper."""

from __future__ import annotations

import math

import torch

from constructions import Ball
from constructions.internal import Floats, as_float

from ..datasets.reading import measuring, read_outputs
from .objectives import Model


@measuring(evaluating=False)
def gta(x: Floats, g: Model, gamma: float) -> Floats:
    """Attack with the geometry-inspired transferable attack against a target classifier g.

    X - gamma g(X) grad g(X) / ||grad g(X)||_2 for each row X: it moves against the sign of g(X) by
    the l_2 distance gamma |g(X)|. Where g is linear with a unit gradient, as in the paper, gamma =
    1 reaches g = 0 and 1 - gamma of g remains. Rows where the gradient is zero stay. Neither ball
    nor cube is enforced.

    Args:
        x: shape (batch, ...), floating-point, any range.
        g: a differentiable target classifier with one value for each row, shape (batch,) or (batch,
            1), that does not mix rows.
        gamma: finite and > 0.

    Returns:
        A tensor like x.

    Raises:
        ValueError: unless gamma > 0 is finite and g gives one value a row.
        FloatingPointError: if g or its gradient is NaN or infinite.

    Source: CGRO (anonymous 2023), Section 3.3, attack (A).

    Example:
        >>> gta(torch.tensor([[3.0, 4.0]]), lambda x: x @ torch.tensor([0.6, 0.8]), 0.5)
        tensor([[1.5000, 2.0000]])
    """
    if not 0 < gamma < math.inf:
        raise ValueError(f"gamma must be positive and finite, got {gamma}")
    x = as_float(x, None, "x").detach()
    with torch.enable_grad():
        point = x.clone().requires_grad_(True)
        value = read_outputs(g(point), name="g")
        if value.shape not in ((len(x),), (len(x), 1)):
            raise ValueError(
                f"g must return one value for each row, shape ({len(x)},), got shape "
                f"{tuple(value.shape)}"
            )
        (gradient,) = torch.autograd.grad(value.sum(), point)
    if not (torch.isfinite(value).all() and torch.isfinite(gradient).all()):
        raise FloatingPointError("g or its gradient is NaN or infinite")
    return x - gamma * value.detach().reshape(-1, *[1] * (x.ndim - 1)) * Ball(2, 1.0).ascent(
        gradient
    )
