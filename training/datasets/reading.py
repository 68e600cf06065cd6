"""Models of users, which nothing that measures may change."""

from __future__ import annotations

import copy
import functools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def unchanged(*models: Any, evaluating: bool = False) -> Iterator[None]:
    """Leave models and random generators as they were, whatever happens within a block.

    Afterwards, also after an exception, all is as before: the mode of every submodule, buffers,
    `.grad` and `requires_grad` of parameters (`.grad` is None within), and the global generators of
    torch (CPU and GPUs), numpy and random.

    Args:
        *models: modules; models that are none are left alone.
        evaluating: whether modules are in eval mode within.

    Yields:
        Nothing.

    Raises:
        ValueError: for lazy modules, which their first call changes.

    Example:
        >>> layer = nn.BatchNorm1d(1)
        >>> with unchanged(layer):
        ...     _ = layer(torch.tensor([[1.0], [3.0]])), torch.rand(1)
        >>> layer.running_mean, layer.training
        (tensor([0.]), True)
    """
    modules = list(
        dict.fromkeys(
            m for model in models if isinstance(model, nn.Module) for m in model.modules()
        )
    )
    if any(is_lazy(t) for m in modules for t in (*m.parameters(False), *m.buffers(False))):
        raise ValueError(
            "model must have all its weights, got lazy modules without: call it once on a batch of "
            "points"
        )
    modes = [(m, m.training) for m in modules]
    grads = [
        (p, p.requires_grad, p.grad)
        for m in modules
        for p in m._parameters.values()
        if p is not None
    ]
    with torch.no_grad():
        buffers = [(m, name, b, _copy(b)) for m in modules for name, b in m._buffers.items()]
    generators = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    try:
        for p, _, grad in grads:
            if grad is not None:  # or backward passes of an attack would add to it
                p.grad = None
        if evaluating:
            # not by eval(), which modules may override to change more than that
            for module in modules:
                module.training = False
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for p, required, grad in grads:
            if p.requires_grad != required:
                p.requires_grad_(required)
            if p.grad is not grad:
                p.grad = grad
        with torch.no_grad():
            for module, name, buffer, kept in buffers:
                if module._buffers.get(name) is not buffer:
                    module._buffers[name] = buffer
                if buffer is not None and kept is not None and not torch.equal(buffer, kept):
                    buffer.copy_(kept)
        torch.set_rng_state(generators[0])
        np.random.set_state(generators[1])  # noqa: NPY002
        random.setstate(generators[2])
        if gpus:
            torch.cuda.set_rng_state_all(gpus)


def _copy(buffer: torch.Tensor | None) -> torch.Tensor | None:
    """A copy of what a module can change in place."""
    if buffer is None or buffer.is_inference() or buffer.layout != torch.strided:
        return None
    return buffer.clone()


def differentiating(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function work as outside of `torch.no_grad` and `torch.inference_mode`.

    Also where it is called within.

    Args:
        function: any.

    Returns:
        The function so made.

    Example:
        >>> with torch.inference_mode():
        ...     differentiating(lambda x: (x * x.requires_grad_(True)).requires_grad)(torch.ones(1))
        True
    """

    def plain(value: Any) -> Any:
        return value.clone() if isinstance(value, torch.Tensor) and value.is_inference() else value

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch.inference_mode(False), torch.enable_grad():
            return function(
                *map(plain, args), **{name: plain(value) for name, value in kwargs.items()}
            )

    return run


def measuring(*, evaluating: bool) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate functions that measure models and change nothing.

    `unchanged` for all modules among the arguments, and `differentiating`. `inspect.unwrap` gives
    the function itself.

    Args:
        evaluating: whether modules are in eval mode within.

    Returns:
        The decorator.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        inner = differentiating(function)

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            # also of a method
            models = [getattr(value, "__self__", value) for value in (*args, *kwargs.values())]
            with unchanged(*models, evaluating=evaluating):
                return inner(*args, **kwargs)

        return run

    return decorate


def check_differentiable(model: Any) -> None:
    """Refuse modules through whose weights no gradient passes.

    Args:
        model: a module, or anything else.

    Raises:
        ValueError: for a module whose weights were made under `torch.inference_mode`.
    """
    if isinstance(model, nn.Module) and any(
        t.is_inference() for t in (*model.parameters(), *model.buffers())
    ):
        raise ValueError(
            "model must be made outside of torch.inference_mode, or no gradients pass through it, "
            "got weights made within: take copy.deepcopy(model) outside of it"
        )


def copied(model: nn.Module) -> nn.Module:
    """Copy a module; also weights that hooks compute.

    Args:
        model: the module.

    Returns:
        A copy that shares nothing with the module and keeps what it shares within.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> model = copied(nn.Sequential(layer, nn.ReLU(), layer))
        >>> model[0] is model[2], model[0] is layer
        (True, False)
    """
    computed = (
        t
        for m in model.modules()
        for t in vars(m).values()
        if isinstance(t, torch.Tensor) and not t.is_leaf
    )
    return copy.deepcopy(model, {id(t): t.detach().clone() for t in computed})


def placement(model: Any) -> tuple[torch.dtype, torch.device] | None:
    """Find dtype and device of a module's first floating-point parameter or buffer.

    Args:
        model: a module, or anything else.

    Returns:
        (dtype, device); None where there is none.
    """
    if not isinstance(model, nn.Module):
        return None
    return next(
        (
            (t.dtype, t.device)
            for t in (*model.parameters(), *model.buffers())
            if t.is_floating_point()
        ),
        None,
    )


def read_outputs(outputs: Any, count: int | None = None, name: str = "model") -> torch.Tensor:
    """Check what a model gave.

    Args:
        outputs: what it gave.
        count: of points; then outputs must have shape (count, K).
        name: what the error calls the model.

    Returns:
        The tensor.

    Raises:
        TypeError: for what is no tensor.
        ValueError: for another shape.
    """
    if not isinstance(outputs, torch.Tensor):
        raise TypeError(
            f"{name} must return one tensor of outputs (N, K), got {type(outputs).__name__}: "
            "wrap it in a module that returns the outputs alone"
        )
    if count is not None and (outputs.ndim != 2 or len(outputs) != count or not outputs.shape[1]):
        raise ValueError(
            f"{name} must give outputs (N, K), got {tuple(outputs.shape)} for {count} points"
        )
    return outputs
