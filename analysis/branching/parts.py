"""Many parts of one set at once: linear bounds of a goal, with slopes and multipliers optimised.

A part is where some units are on or off. Numbers are float32 (float64 in `unfolding`) and are not
relied upon: they choose what a certificate says, and `check_certificate` computes what that proves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch

from ..search.bounding import Inputs, Layer

Tensor = torch.Tensor

FLOAT = torch.float32


@dataclass(frozen=True, eq=False)
class Goal:
    """An affine function of a network's last hidden layer, whose least value is asked for.

    weights[i] (n_i, n_(i-1)) and biases[i] are those of hidden layer i, weight and bias the goal's;
    the inputs lie in [lower, upper], and in the ball if there is a centre.
    """

    weights: list[Tensor]
    biases: list[Tensor]
    weight: Tensor
    bias: Tensor
    lower: Tensor
    upper: Tensor
    centre: Tensor | None
    radius: float

    @classmethod
    def of(cls, layers: Sequence[Layer], form: object, constant: float, inputs: Inputs) -> Goal:
        """The goal form @ h + constant, from arrays in float64."""

        def tensor(values: object) -> Tensor:
            return torch.as_tensor(values, dtype=FLOAT)

        return cls(
            [tensor(a.weight) for a in layers],
            [tensor(a.bias) for a in layers],
            tensor(form),
            tensor(constant),
            tensor(inputs.lower),
            tensor(inputs.upper),
            None if inputs.centre is None else tensor(inputs.centre),
            inputs.radius,
        )

    def double(self) -> Goal:
        """The same in float64."""
        return Goal(
            [t.double() for t in self.weights],
            [t.double() for t in self.biases],
            self.weight.double(),
            self.bias.double(),
            self.lower.double(),
            self.upper.double(),
            None if self.centre is None else self.centre.double(),
            self.radius,
        )

    def least(self, forms: Tensor) -> Tensor:
        """Lower bounds (...,) of linear functions (..., d) of the inputs."""
        middle, half = (self.lower + self.upper) / 2, (self.upper - self.lower) / 2
        box = forms @ middle - forms.abs() @ half
        if self.centre is None:
            return box
        return torch.maximum(box, forms @ self.centre - self.radius * forms.norm(dim=-1))

    def lowest(self, forms: Tensor) -> tuple[Tensor, Tensor]:
        """The same bounds, and their gradients (..., d): where the functions are least."""
        half = (self.upper - self.lower) / 2
        box = (self.lower + self.upper) / 2 - half * forms.sign()
        least = self.least(forms)
        if self.centre is None:
            return least, box
        length = forms.norm(dim=-1, keepdim=True).clamp_min(1e-30)
        ball = self.centre - self.radius * forms / length
        return least, torch.where(least[..., None] > (forms * box).sum(-1, keepdim=True), ball, box)


@dataclass(frozen=True, eq=False)
class Parts:
    """Bounds of units, (parts, n_i) for each layer, signs of the units that are split (1: on, -1:
    off, 0: not), lower slopes `alpha` of open units and multipliers `beta` >= 0 of splits.
    """

    low: list[Tensor]
    high: list[Tensor]
    sign: list[Tensor]
    alpha: list[Tensor]
    beta: list[Tensor]

    def map(self, change: Callable[[Tensor], Tensor]) -> Parts:
        """The parts with every tensor changed."""
        return Parts(*([change(t) for t in getattr(self, f.name)] for f in fields(self)))

    def at(self, rows: Tensor) -> Parts:
        """Some of the parts."""
        return self.map(lambda t: t[rows])

    def __len__(self) -> int:
        return len(self.low[0])

    @classmethod
    def root(cls, layers: Sequence[Layer]) -> Parts:
        """One part, the whole set."""
        low = [torch.as_tensor(a.low, dtype=FLOAT)[None] for a in layers]
        high = [torch.as_tensor(a.high, dtype=FLOAT)[None] for a in layers]
        none = [torch.zeros_like(a) for a in low]
        return cls(
            low, high, none, [(b > -a).to(FLOAT) for a, b in zip(low, high, strict=True)], none
        )

    @classmethod
    def joined(cls, many: Sequence[Parts]) -> Parts:
        """Parts one after the other."""
        columns = (
            [torch.cat(ts) for ts in zip(*(getattr(p, f.name) for p in many), strict=True)]
            for f in fields(cls)
        )
        return cls(*columns)

    def split(self, layer: Tensor, unit: Tensor, on: bool) -> Parts:
        """Each part cut at its own unit (layer[b], unit[b]); the side where that is on, or off."""
        low, high, sign = list(self.low), list(self.high), list(self.sign)
        for k in range(len(low)):
            rows = (layer == k).nonzero()[:, 0]
            side = low if on else high
            side[k], sign[k] = side[k].clone(), sign[k].clone()
            ends = side[k][rows, unit[rows]]
            side[k][rows, unit[rows]] = ends.clamp_min(0) if on else ends.clamp_max(0)
            sign[k][rows, unit[rows]] = 1.0 if on else -1.0
        return replace(self, low=low, high=high, sign=sign)


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines above relu on [low, high]: slope * z + offset; `is_open` where low < 0 < high."""

    is_open: Tensor
    slope: Tensor
    offset: Tensor

    @classmethod
    def over(cls, low: Tensor, high: Tensor) -> Lines:
        """The lines of one layer."""
        is_open = (low < 0) & (high > 0)
        chord = high / (high - low).clamp_min(1e-30)
        slope = torch.where(is_open, chord, ((low >= 0) & (high > 0)).to(low.dtype))
        return cls(is_open, slope, torch.where(is_open, -slope * low, 0.0))

    def factors(self, forms: Tensor, below: Tensor) -> Tensor:
        """Multipliers of z that bound forms * relu(z) from below; below: slopes of open units."""
        return torch.where(self.is_open & (forms > 0), forms * below, forms * self.slope)

    def constants(self, forms: Tensor) -> Tensor:
        """What these bounds lose, (...,)."""
        return (forms.clamp_max(0) * self.offset).sum(-1)

    @property
    def wide(self) -> Lines:
        """The same with one more axis, for many forms a part."""
        return Lines(self.is_open[:, None], self.slope[:, None], self.offset[:, None])


def lines_of(parts: Parts) -> list[Lines]:
    """The lines of all layers."""
    return [Lines.over(a, b) for a, b in zip(parts.low, parts.high, strict=True)]


@dataclass(frozen=True, eq=False)
class Chain:
    """Bounds of a goal carried down to a layer: goal >= forms @ h + constant, forms (parts, n)."""

    forms: Tensor
    constant: Tensor

    @classmethod
    def top(cls, goal: Goal, count: int) -> Chain:
        """At the last hidden layer."""
        return cls(goal.weight.expand(count, -1), goal.bias.expand(count))

    def factors(self, lines: Lines, alpha: Tensor, beta: Tensor, sign: Tensor) -> Tensor:
        """Multipliers of the layer's z."""
        return lines.factors(self.forms, alpha) - beta * sign

    def below(self, goal: Goal, layer: int, lines: Lines, factors: Tensor) -> Chain:
        """Carried down through a layer: to the one below, or to the inputs."""
        constant = self.constant + lines.constants(self.forms) + factors @ goal.biases[layer]
        return Chain(factors @ goal.weights[layer], constant)


def descend(
    goal: Goal,
    parts: Parts,
    lines: list[Lines],
    stop: int = -1,
    alpha: list[Tensor] | None = None,
    beta: list[Tensor] | None = None,
) -> list[Chain]:
    """Chains at the last hidden layer, at the one below, ..., at layer `stop` (-1: the inputs)."""
    alpha, beta = alpha or parts.alpha, beta or parts.beta
    chains = [Chain.top(goal, len(parts))]
    for k in range(len(lines) - 1, stop, -1):
        factors = chains[-1].factors(lines[k], alpha[k], beta[k], parts.sign[k])
        chains.append(chains[-1].below(goal, k, lines[k], factors))
    return chains


def bound(goal: Goal, chains: list[Chain]) -> Tensor:
    """The goal's lower bounds (parts,), of chains down to the inputs."""
    return chains[-1].constant + goal.least(chains[-1].forms)


@dataclass(frozen=True, eq=False)
class Optimised:
    """Parts with better slopes and multipliers, the goal's bounds (parts,) by them, its forms
    (parts, n_i) of each layer, and of the inputs.
    """

    parts: Parts
    bounds: Tensor
    forms: list[Tensor]
    inputs: Tensor


def optimise(goal: Goal, parts: Parts, steps: int, enough: float) -> Optimised:
    """Raise the goal's bounds by gradient steps (Adam) over alpha and beta; ends where all exceed
    `enough`.

    Source: Xu et al. 2021 (alpha), Wang et al. 2021 (beta).
    """
    lines, depth = lines_of(parts), len(parts.low)
    values = [t.clone().requires_grad_() for t in (*parts.alpha, *parts.beta)]
    adam = Adam(values, [0.25] * depth + [0.05] * depth)
    best, kept = None, [t.detach().clone() for t in values]
    for step in range(steps + 1):
        with torch.enable_grad():
            found = bound(goal, descend(goal, parts, lines, -1, values[:depth], values[depth:]))
        now = found.detach()
        better = torch.ones_like(now, dtype=torch.bool) if best is None else now > best
        best = now if best is None else torch.where(better, now, best)
        for old, new in zip(kept, values, strict=True):
            old[better] = new.detach()[better]
        if step == steps or bool((best > enough).all()):
            break
        adam.step(torch.autograd.grad(found.sum(), values), 0.98**step)
        for i, t in enumerate(values):
            t.data.clamp_(min=0.0, max=1.0 if i < depth else None)
    parts = replace(parts, alpha=kept[:depth], beta=kept[depth:])
    chains = descend(goal, parts, lines)
    forms = [chain.forms for chain in chains[:-1]][::-1]
    return Optimised(parts, bound(goal, chains), forms, chains[-1].forms)


class Adam:
    """Steps uphill with a rate for each tensor (Kingma and Ba 2015)."""

    def __init__(self, values: list[Tensor], rates: list[float]) -> None:
        self.values, self.rates, self.count = values, rates, 0
        self.mean = [torch.zeros_like(t) for t in values]
        self.square = [torch.zeros_like(t) for t in values]

    def step(self, gradients: Sequence[Tensor], factor: float) -> None:
        """One step of all tensors, in place."""
        self.count += 1
        first, second = 1 - 0.9**self.count, 1 - 0.99**self.count
        for t, g, m, s, rate in zip(
            self.values, gradients, self.mean, self.square, self.rates, strict=True
        ):
            m.mul_(0.9).add_(g, alpha=0.1)
            s.mul_(0.99).addcmul_(g, g, value=0.01)
            t.data.add_(factor * rate * (m / first) / ((s / second).sqrt() + 1e-8))
