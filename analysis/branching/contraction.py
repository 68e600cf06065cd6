"""Bounds of hidden units at the points that would be counterexamples.

Where a goal is <= 0, sign * z >= sign * z + weight * goal for every weight >= 0. A linear lower
bound of the right side is therefore a bound of a unit that holds at all counterexamples, though not
on the whole set. Bounds of units make those of the goal better, and these again those of units.

Source: Kotha et al. 2023 (bounds of preimages); Zhang et al. 2022 (output constraints).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, fields, replace

import torch

from .parts import FLOAT, Adam, Goal, Lines, Parts, Tensor, descend, lines_of

WEIGHTS = (1 / 16, 1 / 4, 1.0, 4.0)
"""Weights of the goal that are tried, times (width of the unit) / (what the goal lacks)."""

SLOPES = 16
"""Slopes are multiples of 1 / SLOPES, as certificates hold them."""

STEPS = 10
"""Steps of Adam that choose weights and slopes on the whole set."""

PUSHES, FURTHER, RATE = 8, 4, 0.2
"""Steps of Adam that choose multipliers of half-spaces, from 0 and from good ones, and their rate.
"""

ROUNDING = 0.1
"""What bounds are taken to lose in float32, as a share of what contradictions need."""

FINE = 12
"""Multipliers of half-spaces are integers of at most so many bits, over one power of two."""


@dataclass(frozen=True, eq=False)
class Targets:
    """Units of a layer whose bounds are sought: lower ones, then upper ones.

    weights (2 len(units),) of the goal are relative; slopes[i] (2 len(units), n_i) are the lower
    slopes of the layers below. A unit's bounds contradict each
    other if the lower exceeds the upper by more than `spare` (len(units),).
    """

    layer: int
    units: Tensor
    spare: Tensor
    weights: Tensor
    slopes: list[Tensor]

    def signed(self, rows: Tensor) -> Tensor:
        """sign * rows of the units, (2 len(units), ...)."""
        return torch.cat([rows[self.units], -rows[self.units]])


@dataclass(frozen=True, eq=False)
class Halves:
    """Half-spaces rows @ x + biases >= 0 that hold the inputs of parts, from splits of units of the
    first layer: units (parts, m), sign (parts, m), which is 0 where a part has fewer of them.
    """

    units: Tensor
    sign: Tensor
    rows: Tensor
    biases: Tensor

    @classmethod
    def of(cls, goal: Goal, parts: Parts) -> Halves:
        """Those of parts."""
        most = int((parts.sign[0] != 0).sum(dim=1).max())
        units = parts.sign[0].abs().topk(most, dim=1).indices
        sign = parts.sign[0].gather(1, units)
        return cls(
            units, sign, sign[..., None] * goal.weights[0][units], sign * goal.biases[0][units]
        )

    def at(self, rows: Tensor) -> Halves:
        """Those of some of the parts."""
        return Halves(*(getattr(self, f.name)[rows] for f in fields(self)))

    def pushed(self, goal: Goal, forms: Tensor, pushes: Tensor) -> tuple[Tensor, Tensor]:
        """Lower bounds (parts, t) of forms (parts, t, d) there, by multipliers (parts, t, m), and
        their gradients (parts, t, m).
        """
        value, lowest = goal.lowest(torch.baddbmm(forms, pushes, self.rows, alpha=-1))
        biases = self.biases[..., None]
        slope = torch.baddbmm(self.biases[:, None], lowest, self.rows.mT).neg_()
        return value - (pushes @ biases)[..., 0], slope

    def best(self, goal: Goal, forms: Tensor, start: Tensor | None) -> Tensor:
        """Multipliers that raise these bounds."""
        size, wide = forms.abs().sum(dim=-1), self.rows.abs().sum(dim=-1).clamp_min(1e-30)
        unit = size[..., None] / wide[:, None] * (self.sign != 0)[:, None]
        if unit.shape[2] == 0:
            return unit
        found = torch.zeros_like(unit) if start is None else start / unit.clamp_min(1e-30)
        kept, best = torch.zeros_like(unit), goal.least(forms)
        adam = Adam([found], [RATE])
        for step in range(PUSHES + 1 if start is None else FURTHER + 1):
            now, slope = self.pushed(goal, forms, found * unit)
            better = now > best
            best = torch.where(better, now, best)
            kept = torch.where(better[..., None], found, kept)
            adam.step([slope * unit], 0.95**step)
            found.clamp_(min=0.0)
        return kept * unit


@dataclass(frozen=True, eq=False)
class Contraction:
    """New bounds of one layer of many parts, and all from which they follow.

    before: the parts; weights (parts, 2 units) of the goal; pushes (parts, 2 units, m): multipliers
    of half-spaces, whole numbers over 2^fine; low, high (parts, n) as found.
    """

    before: Parts
    targets: Targets
    weights: Tensor
    halves: Halves
    pushes: Tensor
    fine: int
    low: Tensor
    high: Tensor

    @property
    def multipliers(self) -> Tensor:
        """Those of half-spaces (parts, 2 units, m)."""
        return self.pushes / 2.0**self.fine

    @functools.cached_property
    def is_empty(self) -> Tensor:
        """Which parts (parts,) have no counterexample: a lower bound exceeds an upper one."""
        units = self.targets.units
        return (self.low[:, units] > self.high[:, units] + self.targets.spare).any(dim=1)

    def widest(self, row: int) -> tuple[tuple[int, int], float]:
        """The unit of a part whose lower bound exceeds its upper one most, and by how much."""
        gaps = self.low[row] - self.high[row]
        unit = int(gaps.argmax())
        return (self.targets.layer, unit), float(gaps[unit])

    @functools.cached_property
    def after(self) -> Parts:
        """The parts with the new bounds (those that are empty with any)."""
        middle = (self.low + self.high) / 2
        crossed = self.low > self.high
        low, high = list(self.before.low), list(self.before.high)
        low[self.targets.layer] = torch.where(crossed, middle, self.low)
        high[self.targets.layer] = torch.where(crossed, middle, self.high)
        return replace(self.before, low=low, high=high)


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums sign * z + weight * goal of many parts and targets, carried down to below their layer.

    of_goal (parts, n), constant (parts,) are of the goal; of_units (t, n), biases (t,) of sign * z.
    """

    goal: Goal
    parts: Parts
    lines: list[Lines]
    of_goal: Tensor
    constant: Tensor
    of_units: Tensor
    biases: Tensor

    @classmethod
    def of(cls, goal: Goal, parts: Parts, targets: Targets) -> Sums:
        """The sums of targets."""
        k, lines = targets.layer, lines_of(parts)
        chain = descend(goal, parts, lines, k)[-1]
        factors = chain.factors(lines[k], parts.alpha[k], parts.beta[k], parts.sign[k])
        chain = chain.below(goal, k, lines[k], factors)
        of_units, biases = targets.signed(goal.weights[k]), targets.signed(goal.biases[k])
        return cls(goal, parts, lines[:k], chain.forms, chain.constant, of_units, biases)

    def least(self, weights: Tensor, slopes: list[Tensor]) -> Tensor:
        """Lower bounds (parts, t), for weights (parts, t) of the goal, and lower slopes below."""
        constants, forms = self.inputs(weights, slopes)
        return constants + self.goal.least(forms)

    def inputs(self, weights: Tensor, slopes: list[Tensor]) -> tuple[Tensor, Tensor]:
        """The same as constants (parts, t) and forms (parts, t, d) of the inputs."""
        constants = weights * self.constant[:, None] + self.biases
        forms = None
        for i in range(len(self.lines) - 1, -1, -1):
            lines, weight, bias = self.lines[i], self.goal.weights[i], self.goal.biases[i]
            # min(f, 0) (C z + O) + max(f, 0) c z = f (C z + O) + max(f, 0) ((c - C) z - O)
            on = lines.is_open.any(dim=0).nonzero()[:, 0]
            ends = (lines.slope * bias + lines.offset)[..., None]
            chords = torch.cat([lines.slope[..., None] * weight, ends], dim=-1)
            if forms is None:  # goal and units apart: fewer products
                above = self.sums(weights, on).clamp_min_(0)
                linear = weights[..., None] * (self.of_goal[:, None] @ chords)
                linear += self.of_units @ chords
            else:
                above, linear = forms[..., on].clamp_min_(0), forms @ chords
            more = (slopes[i][:, on] - lines.slope[:, None, on]) * lines.is_open[:, None, on]
            constants = constants + linear[..., -1] - (above @ lines.offset[:, on, None])[..., 0]
            above *= more
            constants = constants + above @ bias[on]
            forms = linear[..., :-1] + above @ weight[on]
        return constants, self.sums(weights, slice(None)) if forms is None else forms

    def sums(self, weights: Tensor, units: Tensor | slice) -> Tensor:
        """The forms of some units, (parts, t, ...), below the targets' layer."""
        of_goal = self.of_goal[:, None, units]
        return torch.addcmul(self.of_units[:, units], weights[..., None], of_goal)


def scales(parts: Parts, targets: Targets, lack: Tensor) -> Tensor:
    """Weights (parts, 2 units) of which multiples are tried, powers of 2: about the width of the
    unit / what the goal lacks (parts,), minus its bound.
    """
    k, lack = targets.layer, lack.clamp_min(1e-3)[:, None]
    width = (parts.high[k] - parts.low[k])[:, targets.units].clamp_min(1e-6)
    return (torch.cat([width, width], dim=1) / lack * targets.weights).log2().round().exp2()


def contract(
    goal: Goal,
    parts: Parts,
    targets: Targets,
    base: Tensor,
    multiples: tuple[float, ...],
    halves: Halves | None = None,
    start: Tensor | None = None,
) -> Contraction:
    """The best bounds over multiples of weights `base` (parts, 2 units) of the goal; halves: those
    of the parts, if known; start: multipliers of them (parts, 2 units, m) that were good.
    """
    halves = halves or Halves.of(goal, parts)
    count, k = len(targets.units), targets.layer
    sums = Sums.of(goal, parts, targets)
    best = torch.full_like(base, -torch.inf)
    weights, constants, forms = torch.zeros_like(base), torch.zeros_like(base), torch.zeros(0)
    for multiple in multiples:
        constant, form = sums.inputs(base * multiple, targets.slopes)
        found = constant + goal.least(form)
        better = found > best
        weights = torch.where(better, base * multiple, weights)
        constants = torch.where(better, constant, constants)
        forms = torch.where(better[..., None], form, forms) if len(forms) else form
        best = torch.maximum(best, found)
    pushes, fine = halves.best(goal, forms, start), 0
    if pushes.numel():
        fine = FINE - math.frexp(float(pushes.max()))[1]
        pushes = (pushes * 2.0**fine).round()
        best = torch.maximum(best, constants + halves.pushed(goal, forms, pushes / 2.0**fine)[0])
    best = best - ROUNDING * torch.cat([targets.spare, targets.spare])
    low, high = parts.low[k].clone(), parts.high[k].clone()
    low[:, targets.units] = torch.maximum(low[:, targets.units], best[:, :count])
    high[:, targets.units] = torch.minimum(high[:, targets.units], -best[:, count:])
    return Contraction(parts, targets, weights, halves, pushes.to(torch.int16), fine, low, high)


def tuned(goal: Goal, parts: Parts, targets: Targets, lack: Tensor) -> Targets:
    """Targets in the one part, with weights and slopes that raise their bounds there."""
    double, below = len(targets.weights), range(targets.layer)
    slopes = [(parts.high[i] > -parts.low[i]).to(FLOAT).repeat(double, 1) for i in below]
    base = scales(parts, targets, lack)
    best = torch.full((double,), -torch.inf)
    weights = torch.ones(double)
    sums = Sums.of(goal, parts, targets)
    for multiple in WEIGHTS:
        found = sums.least(base * multiple, slopes)[0]
        weights = torch.where(found > best, multiple, weights)
        best = torch.maximum(best, found)
    chosen = [t.requires_grad_() for t in (weights.log(), *slopes)]
    kept = [t.detach().clone() for t in chosen]
    adam = Adam(chosen, [0.15] * len(chosen))
    for step in range(STEPS + 1):
        with torch.enable_grad():
            found = sums.least(base * chosen[0].exp(), chosen[1:])[0]
        better = found.detach() > best
        best = torch.where(better, found.detach(), best)
        for old, new in zip(kept, chosen, strict=True):
            old[better] = new.detach()[better]
        if step < STEPS:
            adam.step(torch.autograd.grad(found.sum(), chosen), 0.97**step)
            for t in chosen[1:]:
                t.data.clamp_(0.0, 1.0)
    coarse = [(t * SLOPES).round() / SLOPES for t in kept[1:]]
    return replace(targets, weights=kept[0].exp(), slopes=coarse)
