"""The worst outputs that interval arithmetic leaves possible on balls: what networks are trained
on that are to be proved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from constructions import Ball
from constructions.internal import Labels, Outputs, Points, check_labels

from .batch_norm import BATCH_NORM

SHAPES = (nn.Flatten, nn.Unflatten, nn.Identity)
INCREASING = (nn.ReLU, nn.AvgPool2d, nn.MaxPool2d)
READ = "Linear, Conv2d (zero padding), ReLU, AvgPool2d, MaxPool2d, Flatten, Unflatten and Normalize"


@dataclass(frozen=True)
class Box:
    """All points whose coordinates are within `radius` of those of `center`, both (N, ...)."""

    center: torch.Tensor
    radius: torch.Tensor

    def reach(self, rows: torch.Tensor) -> torch.Tensor:
        """How far linear functions, (J, D), get from their value at the center: (N, J)."""
        return self.radius @ rows.abs().T

    def through(self, layer: nn.Module) -> Box:
        """The least box around what a layer makes of each coordinate by itself."""
        if isinstance(layer, nn.Linear):
            return Box(layer(self.center), self.reach(layer.weight))
        if isinstance(layer, nn.Conv2d):
            radius = functional.conv2d(
                self.radius,
                layer.weight.abs(),
                None,
                layer.stride,
                layer.padding,
                layer.dilation,
                layer.groups,
            )
            return Box(layer(self.center), radius)
        low, high = layer(self.center - self.radius), layer(self.center + self.radius)
        return Box((low + high) / 2, (high - low) / 2)


@dataclass(frozen=True)
class Round:
    """l_2 balls of one radius around `center`, (N, ...)."""

    center: torch.Tensor
    radius: float | torch.Tensor

    def reach(self, rows: torch.Tensor) -> torch.Tensor:
        """As for a `Box`: radius times the dual norm, exactly."""
        return (self.radius * rows.norm(dim=1)).expand(len(self.center), -1)

    def through(self, layer: nn.Module) -> Box | Round:
        """Balls again where only the shape changes; a box around what else comes out."""
        if isinstance(layer, INCREASING):
            radius = torch.zeros_like(self.center) + self.radius
            return Box(self.center, radius).through(layer)
        center = layer(self.center)
        if isinstance(layer, nn.Linear):
            return Box(center, self.reach(layer.weight))
        if isinstance(layer, nn.Conv2d):  # rows of kernels, cut at the rim of an image
            reach = self.radius * layer.weight.flatten(1).norm(dim=1)
            return Box(center, reach[:, None, None].expand_as(center))
        if isinstance(layer, BATCH_NORM) and layer.running_var is not None:
            return Round(center, self.radius / layer.running_var.min().double().sqrt())
        return Round(center, self.radius)


def worst_outputs(model: nn.Module, x: Points, labels: Labels, ball: Ball) -> Outputs:
    """Bound how bad each output can get for the label, on the whole ball around each point.

    For outputs (N, K), K > 1: upper bounds of f_k - f_y over the ball within [0,1]^D (l_2 balls are
    taken whole), exactly 0 at k = y. For one output: y times the lower bound of y f. A loss that
    falls with the margin, such as `classification_loss`, is at these outputs at least what it is
    anywhere in the ball. Intervals go through layer by layer; of the first layer they are exact, by
    the dual norm of the ball, and the last one is bounded by differences of its rows. Gradients
    reach the weights. Floats are not rounded outwards: this is a loss to train on, no proof
    (`interval_bounds` of a `ReLUNetwork` is rigorous).

    Args:
        model: an `nn.Sequential`, nested or not, of Linear, Conv2d, ReLU, AvgPool2d, MaxPool2d,
            Flatten, Unflatten and `Normalize`, which ends in a Linear.
        x: (N, ...) in [0,1].
        labels: (N,), -1, +1 or 0..K-1.
        ball: norm and radius.

    Returns:
        Outputs, (N, 1) or (N, K).

    Raises:
        ValueError: for a model with other layers, naming the first, and labels that do not fit.

    Cost: about two passes through the model, and K^2 rows for its last layer.

    Source: Gowal et al. 2018 (interval bounds in training, the last layer by differences).

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 1, bias=False))
        >>> _ = model[0].weight.data.copy_(torch.tensor([[1.0, -2.0]]))
        >>> worst_outputs(
        ...     model, torch.tensor([[0.5, 0.5]]), torch.tensor([1]), Ball("inf", 0.25)
        ... ).item()
        -1.25
    """
    last = read_layers(model)[1]
    return bounded_outputs(model, x, check_labels(labels, len(x), last.out_features), ball)


def bounded_outputs(model: nn.Module, x: Points, y: Labels, ball: Ball) -> Outputs:
    """`worst_outputs` for labels that are right: it never waits for a device."""
    layers, last = read_layers(model)
    region: Box | Round = Round(x, ball.radius)
    if math.isinf(ball.p):
        low, high = (x - ball.radius).clamp_min(0), (x + ball.radius).clamp_max(1)
        region = Box((low + high) / 2, (high - low) / 2)
    for layer in layers:
        region = region.through(layer)
    outputs, weight = last(region.center), last.weight
    if last.out_features == 1:
        return outputs - y[:, None] * region.reach(weight)
    gaps = (weight - weight[:, None]).flatten(0, 1)
    reach = region.reach(gaps).unflatten(1, (len(weight), len(weight)))
    return outputs - outputs.gather(1, y[:, None]) + reach[torch.arange(len(y), device=y.device), y]


def read_layers(model: nn.Module) -> tuple[list[nn.Module], nn.Linear]:
    """The layers of a model that intervals go through, and the last one; raises ValueError for a
    model with others.

    >>> read_layers(nn.Sequential(nn.Linear(2, 1), nn.Sigmoid()))
    Traceback (most recent call last):
    ...
    ValueError: interval bounds need a Sequential of Linear, Conv2d (zero padding), ReLU, AvgPool2d,
    MaxPool2d, Flatten, Unflatten and Normalize, which ends in a Linear, got Sigmoid()
    """
    layers = list(flat(model))
    wrong = next((layer for layer in layers if not is_read(layer)), None)
    if wrong is None and layers and isinstance(layers[-1], nn.Linear):
        return layers[:-1], layers[-1]
    raise ValueError(
        f"interval bounds need a Sequential of {READ}, which ends in a Linear, got {wrong or model}"
    )


def flat(model: nn.Module) -> Iterator[nn.Module]:
    """The layers of a module, those of a Sequential one by one."""
    if isinstance(model, nn.Sequential):
        for layer in model:
            yield from flat(layer)
    else:
        yield model


def is_read(layer: nn.Module) -> bool:
    """Whether intervals go through a layer."""
    if isinstance(layer, nn.Conv2d):
        return layer.padding_mode == "zeros"
    if isinstance(layer, BATCH_NORM):  # fixed numbers, as in `Normalize`
        return not layer.training and not layer.affine
    return isinstance(layer, (nn.Linear, *INCREASING, *SHAPES))
