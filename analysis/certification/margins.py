"""Certified robustness of small networks on balls, by linear bounds of their units."""

from __future__ import annotations

import hashlib
import itertools
import math
from functools import partial

import numpy as np
import torch

from constructions import HERE, Ball, Engine, ReLUNetwork, source_difference
from constructions.internal import PerPoint, from_shared, renamed, run_shards

from ..quantities.reading import read_labelled, read_network

CHUNK = 2**20
"""Numbers of the largest weight matrix, over all points bounded at once: larger temporaries cost
page faults.
"""

DENSE = 2**20
"""Entries of a layer up to which modules are read and networks bounded; LeNet-5's 3.7 million take
seconds a point.
"""

SIZES = 1e-100, 1e100
"""Sizes of weights whose products neither overflow nor underflow unseen in a few layers."""

SHARD = 2**10
"""Points that one task bounds."""

# slope of the lower line, slope and offset of the upper line
Lines = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@renamed("network points labels ball engine")
def certified_margins(
    network: ReLUNetwork,
    points: torch.Tensor,
    labels: torch.Tensor,
    ball: Ball,
    *,
    engine: Engine = HERE,
) -> PerPoint:
    """Bound from below how safely each point's whole ball gets its label.

    Certified lower bounds of the margin over B_p(x_i, radius) and [0,1]^D. The margin is y f(x)
    (one output, labels -1, +1) or f_y(x) - max_(k != y) f_k(x). A positive bound proves that every
    point of the ball gets the label; a bound <= 0 proves nothing: f_adv's S_small is safely { bound
    <= 0 }. Every hidden unit's pre-activation is bounded by linear functions of the input,
    substituted back layer by layer, with an a-priori bound of the rounding errors subtracted.

    Args:
        network: a `ReLUNetwork`; it is meant for small dense ones.
        points: (N, D) in [0,1].
        labels: (N,), -1 and +1 or 0..K-1.
        ball: norm and radius.
        engine: computes shards of `SHARD` points; its journal makes an interrupted call go on.

    Returns:
        Certified lower bounds, one a point, float64, (N,): no point of its ball has a margin below.

    Raises:
        ValueError: if a layer is too large to be dense, for points outside [0,1], and for labels or
            shapes that do not fit.

    Cost: O(N w^3 depth) for width w.

    Source: Zhang et al. 2018 (CROWN), Theorem 3.2.

    Example:
        >>> from constructions import affine
        >>> net = affine([[1.0, -1.0]])
        >>> certified_margins(
        ...     net, torch.tensor([[0.75, 0.25]]), torch.tensor([1]), Ball("inf", 0.125)
        ... ).numpy().round(9)
        array([0.25])
    """
    network = read_network(network)
    points, labels = read_labelled(network, points, labels, cube=True)
    layers = [
        (layer.weight.to_dense().numpy(), layer.bias.to_dense()[:, 0].numpy())
        for layer in network.layers
    ]
    for array in itertools.chain(*layers):
        sizes = np.abs(array[array != 0])
        if sizes.size and not (sizes.min() >= SIZES[0] and sizes.max() <= SIZES[1]):
            raise ValueError(
                f"weights must be 0 or {SIZES[0]:g} to {SIZES[1]:g} in size, got {sizes.min():g} "
                f"to {sizes.max():g}"
            )
    digest = hashlib.sha256()
    if engine.journal is not None:
        for array in (*itertools.chain(*layers), points.numpy(), labels.numpy()):
            digest.update(np.ascontiguousarray(array).data)
    question = ["certified margins", str(ball), ball.radius, digest.hexdigest()]
    work = partial(_shard, layers, points.numpy(), labels.numpy(), ball)
    parts = run_shards(work, -(-len(points) // SHARD), question, engine)
    found = torch.tensor([value for part in parts for value in part], dtype=torch.float64)
    return _less(found, _lost(network, labels))


def is_small(network: ReLUNetwork) -> bool:
    """Whether its layers are small enough to be bounded as dense ones."""
    return max(math.prod(layer.weight.shape) for layer in network.layers) <= DENSE


def _lost(network: ReLUNetwork, labels: torch.Tensor) -> torch.Tensor:
    """By how much margins in the cube may differ from those of what the network was read from."""
    lost = source_difference(network, (0.0, 1.0))
    if len(lost) == 1:
        return lost
    others = torch.stack([torch.cat([lost[:k], lost[k + 1 :]]).max() for k in range(len(lost))])
    return (lost + others)[labels] * (1 + 2.0**-50)


def _less(bounds: torch.Tensor, lost: torch.Tensor) -> torch.Tensor:
    """Lower bounds less what was lost, rounded down."""
    below = torch.full_like(bounds, -math.inf)
    return torch.where(lost > 0, torch.nextafter(bounds - lost, below), bounds)


def _shard(
    layers: list[tuple[np.ndarray, np.ndarray]],
    points: np.ndarray,
    labels: np.ndarray,
    ball: Ball,
    k: int,
) -> list[float]:
    weights, biases = ([from_shared(layer[i]) for layer in layers] for i in (0, 1))
    rows = slice(k * SHARD, (k + 1) * SHARD)
    chunk = max(1, CHUNK // max(len(b) * a.shape[1] for a, b in itertools.product(weights, biases)))
    parts = zip(
        from_shared(points[rows]).split(chunk), from_shared(labels[rows]).split(chunk), strict=True
    )
    return [value for x, y in parts for value in _margins(weights, biases, x, y, ball).tolist()]


def _margins(
    weights: list[torch.Tensor],
    biases: list[torch.Tensor],
    x: torch.Tensor,
    y: torch.Tensor,
    ball: Ball,
) -> torch.Tensor:
    lines: list[Lines] = []
    for depth in range(len(weights) - 1):
        rows, offset = weights[depth][None], biases[depth][None]
        low = _lower_bound(rows, offset, weights[:depth], biases[:depth], lines, x, ball)
        high = -_lower_bound(-rows, -offset, weights[:depth], biases[:depth], lines, x, ball)
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
    """Lower bounds over the ball of rows @ relu(...) + offset, shapes (batch or 1, k, n) and (batch
    or 1, k).
    """
    # the same recursion without cancellation, to bound the rounding
    size, magnitude = rows.abs(), offset.abs()
    terms, total = rows.shape[-1], size.sum(-1)
    for k in reversed(range(len(weights))):
        weight, bias, (below, slope, above) = weights[k], biases[k], lines[k]
        offset = offset + _dot(rows.clamp_max(0), above)
        rows = rows.clamp_max(0) * slope[:, None] + rows.clamp_min(0) * below[:, None]
        magnitude = magnitude + _dot(size, above)
        size = size * torch.maximum(slope, below)[:, None]
        offset, magnitude = offset + rows @ bias, magnitude + size @ bias.abs()
        total = size @ weight.abs().sum(1)
        rows, size = rows @ weight, size @ weight.abs() if k else size
        terms += 4 * weight.shape[0] + weight.shape[1]
    low, high = (x - ball.radius).clamp_min(0.0), (x + ball.radius).clamp_max(1.0)
    value = offset + _dot(rows, (low + high) / 2) - _dot(rows.abs(), (high - low) / 2)
    if ball.p != math.inf:
        # squares must not underflow
        largest = rows.abs().amax(-1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
        reach = (
            ball.radius
            * torch.linalg.vector_norm(rows / largest, ord=ball.dual, dim=-1)
            * largest[..., 0]
        )
        value = torch.maximum(value, offset + _dot(rows, x) - reach)
    rounding = (
        8 * (terms + 8) * torch.finfo(torch.float64).eps * (magnitude + total * (1 + ball.radius))
    )
    return torch.nan_to_num(value - rounding, nan=-torch.finfo(value.dtype).max)


def _dot(rows: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """rows[i] @ vectors[i], shape (batch, k); rows of shape (1, k, n) are those of every i."""
    return vectors @ rows[0].T if len(rows) == 1 else (rows @ vectors[..., None])[..., 0]
