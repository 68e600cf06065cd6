"""Certified robustness of small networks on balls, by linear bounds of their units."""

from __future__ import annotations

import math

import torch

from constructions import Ball, ReLUNetwork

from .reading import read_labelled, read_network

CHUNK = 128
"""Points bounded at once; memory grows with CHUNK times the product of the two widest layers."""

Lines = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # slope of the lower line, slope and offset of the upper line


def certified_margins(network: ReLUNetwork, points: torch.Tensor, labels: torch.Tensor, ball: Ball) -> torch.Tensor:
    """Certified lower bounds of the margin over B_p(x_i, radius) and [0,1]^D, for each point: float64, shape (N,).

    The margin is y f(x) (one output, labels -1, +1) or f_y(x) - max_(k != y) f_k(x). A positive bound proves that every
    point of the ball gets the label; a bound <= 0 proves nothing. Every hidden unit's pre-activation is bounded by
    linear functions of the input, substituted back layer by layer, with an a-priori bound of the rounding errors
    subtracted. Cost: O(N w^3 depth) for width w, so it is meant for small dense networks.
    Source: Zhang et al. 2018 (CROWN), Theorem 3.2. Raises ValueError if a layer is too large to be dense,
    and for labels or shapes that do not fit.

    >>> from constructions import affine
    >>> net = affine([[1.0, -1.0]])
    >>> certified_margins(net, torch.tensor([[0.75, 0.25]]), torch.tensor([1]), Ball("inf", 0.125)).numpy().round(9)
    array([0.25])
    """
    network = read_network(network)
    points, labels = read_labelled(network, points, labels)
    weights, biases = [], []
    for layer in network.layers:
        weights.append(layer.weight.to_dense())
        biases.append(layer.bias.to_dense()[:, 0])
    parts = zip(points.split(CHUNK), labels.split(CHUNK), strict=True)
    return torch.cat([_margins(weights, biases, x, y, ball) for x, y in parts])


def _margins(
    weights: list[torch.Tensor], biases: list[torch.Tensor], x: torch.Tensor, y: torch.Tensor, ball: Ball
) -> torch.Tensor:
    lines: list[Lines] = []
    for depth in range(len(weights) - 1):
        rows = weights[depth].expand(len(x), -1, -1)
        low = _lower_bound(rows, biases[depth].expand(len(x), -1), weights[:depth], biases[:depth], lines, x, ball)
        high = -_lower_bound(-rows, -biases[depth].expand(len(x), -1), weights[:depth], biases[:depth], lines, x, ball)
        lines.append(_relaxation(low, high))
    outputs = len(weights[-1])
    if outputs == 1:
        signs = y.double()[:, None, None]
        difference = signs.expand(-1, 1, 1)
    else:
        eye = torch.eye(outputs, dtype=torch.float64)
        others = torch.stack([torch.cat([eye[:k], eye[k + 1 :]]) for k in range(outputs)])
        difference = eye[y][:, None, :] - others[y]
    rows, offset = difference @ weights[-1], difference @ biases[-1]
    return _lower_bound(rows, offset, weights[:-1], biases[:-1], lines, x, ball).amin(1)


def _relaxation(low: torch.Tensor, high: torch.Tensor) -> Lines:
    """Lines below and above relu on [low, high]."""
    dead, active = high <= 0, low >= 0
    span = (high - low).clamp_min(torch.finfo(torch.float64).tiny)
    slope = torch.where(active, 1.0, torch.where(dead, 0.0, high / span))
    offset = torch.where(active | dead, 0.0, -slope * low)
    below = torch.where(active, 1.0, torch.where(dead, 0.0, (high > -low).double()))
    return below, slope, offset


def _lower_bound(
    rows: torch.Tensor,
    offset: torch.Tensor,
    weights: list[torch.Tensor],
    biases: list[torch.Tensor],
    lines: list[Lines],
    x: torch.Tensor,
    ball: Ball,
) -> torch.Tensor:
    """Lower bounds over the ball of rows @ relu(...) + offset, shapes (batch, k, n) and (batch, k)."""
    size, magnitude = rows.abs(), offset.abs()  # the same recursion without cancellation, to bound the rounding
    terms = rows.shape[-1]
    for weight, bias, (below, slope, above) in zip(reversed(weights), reversed(biases), reversed(lines), strict=True):
        negative = rows.clamp_max(0)
        offset = offset + (negative @ above[..., None])[..., 0]
        rows = negative * slope[:, None] + rows.clamp_min(0) * below[:, None]
        magnitude = magnitude + (size @ above[..., None])[..., 0]
        size = size * torch.maximum(slope, below)[:, None]
        offset = offset + rows @ bias
        magnitude = magnitude + size @ bias.abs()
        rows, size = rows @ weight, size @ weight.abs()
        terms += 4 * weight.shape[0] + weight.shape[1]
    low, high = (x - ball.radius).clamp_min(0.0)[:, None], (x + ball.radius).clamp_max(1.0)[:, None]
    value = offset + (rows.clamp_min(0) * low + rows.clamp_max(0) * high).sum(-1)
    if ball.p != math.inf:
        reach = ball.radius * torch.linalg.vector_norm(rows, ord=ball.dual, dim=-1)
        value = torch.maximum(value, offset + (rows @ x[..., None])[..., 0] - reach)
    rounding = 8 * (terms + 8) * torch.finfo(torch.float64).eps * (magnitude + size.sum(-1) * (1 + ball.radius))
    return value - rounding
