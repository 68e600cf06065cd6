"""Which units are bounded anew, and at which one a part is cut."""

from __future__ import annotations

import torch

from .parts import Goal, Parts, Tensor, bound, descend, lines_of

CANDIDATES = 6
"""Units of each part whose split is tried before one is chosen."""

TARGETS = 512
"""Most units of a layer that are contracted."""


def open_units(parts: Parts) -> Tensor:
    """Units of the first layer whose sign is not known in all parts."""
    is_open = ((parts.low[0] < 0) & (parts.high[0] > 0)).any(dim=0)
    return is_open.nonzero()[:TARGETS, 0]


def worth(parts: Parts, layer: int, forms: list[Tensor]) -> Tensor:
    """Open units of a layer of the one part whose bounds matter for those above."""
    low, high = parts.low[layer][0], parts.high[layer][0]
    score = torch.where((low < 0) & (high > 0), high - low, 0.0)
    if layer == len(parts.low) - 1:
        score = torch.where(forms[layer][0] < 0, score, 0.0)
    return score.topk(min(TARGETS, int((score > 0).sum()))).indices


def choose(goal: Goal, parts: Parts, forms: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Where to cut each part: the layer (-1: no unit is open) and the unit.

    The best of a few units, by the worse of the goal's bounds on the two sides; those few by what
    their lines lose.

    Source: De Palma et al. 2021 (filtered smart branching).
    """
    scores = []
    for k, lines in enumerate(lines_of(parts)):
        ends = torch.minimum(-parts.low[k], parts.high[k])
        lost = forms[k].clamp_min(0) * ends / 4 - forms[k].clamp_max(0) * lines.offset
        scores.append(torch.where(lines.is_open, lost + 1e-12 * ends, -1.0))
    sizes = [s.shape[1] for s in scores]
    layers = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    units = torch.cat([torch.arange(n) for n in sizes])
    top = torch.cat(scores, dim=1).topk(min(CANDIDATES, sum(sizes)), dim=1)
    best = torch.full((len(parts),), -torch.inf)
    layer = torch.full((len(parts),), -1)
    unit = torch.zeros_like(layer)
    for at, score in zip(top.indices.T, top.values.T, strict=True):
        sides = [parts.split(layers[at], units[at], on) for on in (True, False)]
        found = torch.minimum(*(bound(goal, descend(goal, s, lines_of(s))) for s in sides))
        better = (score >= 0) & ((found > best) | (layer < 0))
        best = torch.where(better, found, best)
        layer, unit = torch.where(better, layers[at], layer), torch.where(better, units[at], unit)
    return layer, unit
