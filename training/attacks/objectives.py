"""Losses and margins of network outputs, for labels -1, +1 (one output) and 0..K-1 (K outputs)."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

import torch
from torch.nn import functional

from constructions.internal import Alike, Flags, Labels, Outputs, PerPoint, check_labels

Model = Callable[[torch.Tensor], torch.Tensor]
Objective = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def reading(function: Objective) -> Objective:
    """The function of outputs and labels, with labels as `check_labels` reads them;
    `inspect.unwrap` gives it without.
    """

    @functools.wraps(function)
    def read(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return function(outputs, check_labels(labels, len(outputs), outputs.shape[-1]))

    return read


@reading
def classification_loss(outputs: Outputs, labels: Labels) -> PerPoint:
    """Compute the usual loss of each row: logistic for one output, cross-entropy for K.

    Logistic loss is log(1 + exp(-y f)).

    Args:
        outputs: (batch, 1) or (batch, K).
        labels: (batch,), -1 and +1 or 0..K-1.

    Returns:
        One value a row, (batch,).

    Example:
        >>> classification_loss(torch.tensor([[0.0]]), torch.tensor([1]))
        tensor([0.6931])
    """
    if outputs.shape[-1] == 1:
        return functional.softplus(-labels * outputs[:, 0])
    return functional.cross_entropy(outputs, labels, reduction="none")


@reading
def exponential(outputs: Outputs, labels: Labels) -> PerPoint:
    """Compute the exponential loss of each row.

    exp(-y f) for outputs (batch, 1), sum_(k != y) exp(f_k - f_y) for (batch, K): in both cases
    exp(classification_loss) - 1. Beyond exponent 64 it is continued by its tangent, so that values
    and gradients stay finite in float32.

    Args:
        outputs: (batch, 1) or (batch, K).
        labels: (batch,), -1 and +1 or 0..K-1.

    Returns:
        One value a row, (batch,).

    Source: of the K-class form: Mukherjee and Schapire 2013 (the loss of AdaBoost.MR).

    Example:
        >>> (
        ...     exponential(torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([1])),
        ...     exponential(torch.tensor([[1.0]]), torch.tensor([-1])),
        ... )
        (tensor([2.]), tensor([2.7183]))
    """
    if outputs.shape[-1] == 1:
        exponent = -labels * outputs[:, 0]
    else:
        gaps = outputs - outputs.gather(1, labels[:, None])
        exponent = gaps.scatter(1, labels[:, None], -torch.inf).logsumexp(1)
    beyond = (exponent - EXPONENT).clamp_min(0)
    return torch.exp(exponent - beyond) * (1 + beyond)


EXPONENT = 64.0
"""Where `exponential` becomes linear."""

LOSSES: dict[str, Objective] = {
    "cross-entropy": classification_loss,
    "exponential": exponential,
}
"""Losses by name; cross-entropy is the logistic loss with one output."""


def mixed(clean: Alike, robust: Alike, weight: float) -> Alike:
    """Mix a clean and a robust loss: (1 - lambda) clean + lambda robust.

    Args:
        clean: losses of any shape.
        robust: likewise.
        weight: lambda, in [0,1].

    Returns:
        Losses of that shape.

    Raises:
        ValueError: for another weight.

    Source: CGRO (anonymous 2023), Section 3.3, objective (O).

    Example:
        >>> mixed(torch.tensor([1.0]), torch.tensor([3.0]), 0.25)
        tensor([1.5000])
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"weight must be between 0 and 1, got {weight}")
    return (1 - weight) * clean + weight * robust


def divergence(reference: Outputs, outputs: Outputs) -> PerPoint:
    """Measure how far apart the label distributions of two outputs are: KL(p || q) >= 0 a row.

    p is softmax(reference) for K outputs; for one, P(+1) = 1 / (1 + exp(-f)), which goes with the
    logistic loss; q likewise of `outputs`. Finite for finite outputs. Its gradient is zero where
    both are equal, so its ascent starts away from the clean point. TRADES ascends it with
    `pgd(model, x, labels, ball, lambda f, _: divergence(clean, f), keep="last")`, `clean` being
    model(x) without gradient; a random start in the ball serves as the x + 0.001 N(0, I) of the
    paper's code.

    Args:
        reference: (batch, 1) or (batch, K).
        outputs: likewise.

    Returns:
        One value a row, (batch,).

    Source: Zhang et al. 2019, Section 4.1.

    Example:
        >>> (
        ...     divergence(torch.tensor([[0.0]]), torch.tensor([[0.0]])),
        ...     divergence(torch.tensor([[1e4]]), torch.tensor([[-1e4]])),
        ... )
        (tensor([0.]), tensor([10000.]))
    """
    if outputs.shape[-1] == 1:  # two classes with logits f and 0
        reference, outputs = (torch.cat([f, torch.zeros_like(f)], 1) for f in (reference, outputs))
    p, q = (functional.log_softmax(f, 1) for f in (reference, outputs))
    return functional.kl_div(q, p, reduction="none", log_target=True).sum(1)


@reading
def output_margin(outputs: Outputs, labels: Labels) -> PerPoint:
    """Measure by how much the label wins: positive exactly where it is predicted.

    y f for outputs (batch, 1), f_y - max_(k != y) f_k for (batch, K).

    Args:
        outputs: (batch, 1) or (batch, K).
        labels: (batch,), -1 and +1 or 0..K-1.

    Returns:
        One value a row, (batch,).

    Example:
        >>> output_margin(torch.tensor([[0.5, 2.0, 1.0]]), torch.tensor([1]))
        tensor([1.])
    """
    if outputs.shape[-1] == 1:
        return labels * outputs[:, 0]
    own = outputs.gather(1, labels[:, None])[:, 0]
    others = outputs.scatter(1, labels[:, None], -torch.inf)
    return own - others.amax(1)


@reading
def is_error(outputs: Outputs, labels: Labels) -> Flags:
    """Whether the margin is <= 0: a tie is an error, as in the papers' 1{y f(x) <= 0}.

    Args:
        outputs: (batch, 1) or (batch, K).
        labels: (batch,), -1 and +1 or 0..K-1.

    Returns:
        Booleans, (batch,).
    """
    return ~(inspect.unwrap(output_margin)(outputs, labels) > 0)
