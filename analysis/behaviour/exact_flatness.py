"""Flatness of small networks from their linear regions, and certified bounds for larger ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import expit, logsumexp
from torch.nn import functional

from constructions import Ball, ReLUNetwork, interval_bounds, linear_regions
from constructions.internal import PerPoint, Said, Unpacked

from ..certification.margins import certified_margins
from ..quantities.reading import read_labelled, read_network, read_radii
from .flatness import FlatnessProfile, log_odds


@dataclass(frozen=True, eq=False, repr=False)
class FlatnessBounds(Unpacked):
    """What `flatness_profile` looks for, from below and above; see `exact_flatness`.

    Attributes:
        lower: of kind "exact", as upper then is, or "certified lower bound".
        upper: of kind "exact" or "certified upper bound".
    """

    lower: FlatnessProfile
    upper: FlatnessProfile

    def _says(self) -> tuple[str, dict[str, Said]]:
        what, lower = self.lower._says()
        if self.lower.kind == "exact":
            return what, lower
        return what, lower | {f"{name}, above": n for name, n in self.upper._says()[1].items()}


def exact_flatness(
    network: Any,
    points: Any,
    labels: Any,
    ball: Ball,
    radii: Sequence[float],
    *,
    max_cells: int = 10_000,
) -> FlatnessBounds:
    """Compute the flatness of a small network exactly, from all linear regions of each ball.

    These are the maxima that `flatness_profile` looks for, over l_inf balls in [0,1]^D. On each
    cell f is affine, and L = log(1 + e^z) for z = -y f or logsumexp_(k != y) f_k - f_y, a convex
    function of f. So the largest loss change is that of a vertex, and so is the least margin:
    `change` and `wrong` are exact. With slopes w_k, grad L = sum_k p_k (w_k - w_y). Its size is
    s(z) ||w||_1 for one output, s the logistic function, and s(z) ||w_k - w_y||_1 for two: largest
    where z is, at a vertex, so it is exact, too. For K > 2 it may be largest elsewhere, where some
    p_k is. It is at least the largest at a vertex and at most max s(z) max_k ||w_k - w_y||_1, as
    the p_k other than p_y sum to s(z).

    Where f has a kink, the supremum is over limits of gradients from within full-dimensional cells;
    a search that lands on a kink sees what autograd takes there. Vertices and slopes are rational:
    rounded are the box's corners x - r and x + r, once, and the last step from a vertex's outputs
    to loss and norm. All is about the layers: of a network that was rounded on reading,
    `change_bound` speaks of its source.

    Args:
        network: a `ReLUNetwork` or a module of up to 8 inputs.
        points: (N, D), in [0,1].
        labels: (N,), -1, +1 or 0..K-1.
        ball: of norm inf; its radius is not used.
        radii: positive and increasing, in units of the points.
        max_cells: the most that a ball may have.

    Returns:
        `FlatnessBounds`: both profiles are one, of kind "exact", for K <= 2; else of kind
        "certified lower bound" and "certified upper bound", and equal but for the gradient.

    Raises:
        ValueError: for p = 2, radii that are not positive and increasing, points outside [0,1],
            labels that do not fit, and balls of more than max_cells.

    Cost: `linear_regions` in exact arithmetic for each point and radius, milliseconds a cell.

    Example:
        >>> from constructions import absolute, affine, compose
        >>> net = compose(absolute(), affine([[1.0]], [-0.5]))
        >>> lower, upper = exact_flatness(
        ...     net, torch.tensor([[0.5]]), torch.tensor([-1]), Ball("inf", 0.25), [0.25]
        ... )
        >>> upper.change, upper.kind  # log(1 + e^(1/4)) - log 2
        (tensor([[0.1328]], dtype=torch.float64), 'exact')
    """
    network, sizes = read_network(network), read_radii(radii)
    x, y = read_labelled(network, points, labels, cube=True)
    if ball.p != math.inf or not sizes[0] > 0:
        raise ValueError(
            f"exact flatness is for p = inf and positive radii, got p = {ball.p:g} and radii "
            f"{sizes}"
        )
    rows = list(zip(x.numpy(), y.tolist(), strict=True))
    found = np.array(
        [[_maxima(network, row, label, r, max_cells) for r in sizes] for row, label in rows]
    )
    # boxes are rounded
    lower, upper, z, wrong = torch.from_numpy(np.maximum.accumulate(found, axis=1)).unbind(2)
    clean = [logsumexp(_gaps(network.exact(row), label).astype(float)) for row, label in rows]
    change = functional.softplus(z) - functional.softplus(torch.tensor(clean))[:, None]
    if network.outputs <= 2:
        both = FlatnessProfile(sizes, upper, change, wrong > 0, "exact")
        return FlatnessBounds(both, both)
    return FlatnessBounds(
        FlatnessProfile(sizes, lower, change, wrong > 0, "certified lower bound"),
        FlatnessProfile(sizes, upper, change, wrong > 0, "certified upper bound"),
    )


def change_bound(network: Any, points: Any, labels: Any, ball: Ball) -> PerPoint:
    """Bound how much the loss can rise within each point's ball.

    max L(f(x + xi), y) - L(f(x), y) over ball and [0,1]^D, from `certified_margins`: where the
    margin is at least m, L <= log(1 + (K - 1) e^-m), or log(1 + e^-m) for one output. L(f(x), y) is
    that of an enclosure of f(x), and the rounding of both is added.

    Args:
        network: a `ReLUNetwork` or a module.
        points: (N, D) in [0,1].
        labels: (N,), -1, +1 or 0..K-1.
        ball: norm and radius.

    Returns:
        Certified upper bounds, float64, (N,).

    Raises:
        ValueError: as `certified_margins`.

    Cost: as for `certified_margins`.

    Example:
        >>> from constructions import affine
        >>> x, y = torch.tensor([[0.75, 0.25]]), torch.tensor([1])
        >>> change_bound(
        ...     affine([[1.0, -1.0]]), x, y, Ball("inf", 0.125)
        ... )  # log(1 + e^(-1/4)) - log(1 + e^(-1/2))
        tensor([0.1019], dtype=torch.float64)
    """
    network = read_network(network)
    x, y = read_labelled(network, points, labels)
    worst = -certified_margins(network, x, y, ball) + math.log(max(1, network.outputs - 1))
    low, high = interval_bounds(network, (x, x))
    if network.outputs == 1:
        clean = torch.where(y > 0, -high[:, 0], low[:, 0])
    else:
        clean = log_odds(low.scatter(1, y[:, None], high.gather(1, y[:, None])), y)
    rounding = 2.0**-48 * (1 + worst.abs() + clean.abs())
    return functional.softplus(worst) - functional.softplus(clean) + rounding


def _maxima(
    network: ReLUNetwork, x: np.ndarray, label: int, radius: float, max_cells: int
) -> tuple[float, ...]:
    """Over one box: the largest gradient at a vertex, its upper bound, the largest z, and 1 if some
    margin is <= 0, else 0.
    """
    box = np.maximum(x - radius, 0.0), np.minimum(x + radius, 1.0)
    found = linear_regions(network, box, arithmetic="integers", max_cells=max_cells)
    if not (found.complete and found.certified):
        raise ValueError(
            f"a ball must have at most max_cells = {max_cells} cells, got at least {found.cells}: "
            f"{found.method}"
        )
    owner, vertex = found.corners
    ends = np.flatnonzero(np.diff(owner)) + 1
    cells = [
        _of_cell(found.vertices[v], _gaps(m.T, label).T)
        for v, m in zip(np.split(vertex, ends), found.maps, strict=True)
    ]
    return tuple(np.max(cells, axis=0).tolist())


def _of_cell(vertices: np.ndarray, gaps: np.ndarray) -> tuple[float, ...]:
    """`_maxima` of one cell, with vertices (V, d) and maps (k, d + 1) of the gaps, as Fractions."""
    slopes, values = gaps[:, :-1], vertices @ gaps[:, :-1].T + gaps[:, -1]
    exponents = values.astype(float)
    z = logsumexp(exponents, axis=1)
    shares = np.exp(exponents - np.logaddexp(0.0, z)[:, None])
    at_vertices = np.abs(shares @ slopes.astype(float)).sum(axis=1).max()
    bound = expit(z.max()) * float(np.abs(slopes).sum(axis=1).max())
    room = 2.0**-40  # far above the rounding of these few operations; equal where both are exact
    if len(gaps) > 1:
        at_vertices, bound = at_vertices * (1 - room), bound * (1 + room)
    return float(at_vertices), float(bound), float(z.max()), float((values >= 0).any())


def _gaps(outputs: np.ndarray, label: int) -> np.ndarray:
    """-y f of outputs (..., 1), f_k - f_y for k != y of outputs (..., K): z is their logsumexp, and
    the margin their -max.
    """
    if outputs.shape[-1] == 1:
        return -label * outputs
    return np.delete(outputs, label, axis=-1) - outputs[..., label : label + 1]
