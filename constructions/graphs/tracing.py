"""What a module does with one input, as PyTorch's elementary operations."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.weak import WeakTensorKeyDictionary

NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)


class _Branches(TorchDispatchMode):
    """Refuses operations whose result's size, or whose answer, depends on the values of a tensor
    that depends on the input.
    """

    def __init__(self, example: torch.Tensor) -> None:
        super().__init__()
        self.touched = WeakTensorKeyDictionary()
        self.touched[example] = True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tags = getattr(func, "tags", ())
        tensors = self.tensors((args, kwargs))
        touched = any(tensor in self.touched for tensor in tensors)
        if touched and (
            torch.Tag.dynamic_output_shape in tags or torch.Tag.data_dependent_output in tags
        ):
            # by other values than those that are picked
            picks = func.__name__.split(".")[0] in ("index", "masked_select")
            if not picks or any(tensor in self.touched for tensor in self.tensors(args[1:])):
                raise ValueError(
                    f"the operation {func.__name__} makes what is computed depend on values of the "
                    f"input"
                )
        result = func(*args, **(kwargs or {}))
        if touched:
            for value in (*self.tensors(result), *(tensors if func._schema.is_mutable else ())):
                self.touched[value] = True
        return result

    @staticmethod
    def tensors(values: Any) -> list[torch.Tensor]:
        """All tensors in nested values."""
        return [value for value in tree_flatten(values)[0] if isinstance(value, torch.Tensor)]


class _CircularPadding(TorchFunctionMode):
    """Circular padding by selection: PyTorch's own writes into a tensor in a way that is not
    traced.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        names = ("input", "pad", "mode")
        named: dict[str, Any] = dict(zip(names, args, strict=False)) | (kwargs or {})
        if getattr(func, "__name__", "") not in ("pad", "pad.default") or (
            named.get("mode") != "circular"
        ):
            return func(*args, **(kwargs or {}))
        x, pads = named.get("input", named.get("self")), named["pad"]
        assert isinstance(x, torch.Tensor)
        for i in range(len(pads) // 2):
            before, after = pads[2 * i], pads[2 * i + 1]  # negative ones cut first
            kept = torch.arange(max(0, -before), x.shape[-1 - i] - max(0, -after), device=x.device)
            around = torch.arange(-max(0, before), len(kept) + max(0, after), device=x.device)
            x = x.index_select(x.ndim - 1 - i, kept[around % len(kept)])
        return x


def check_branches(module: nn.Module, example: torch.Tensor) -> None:
    """Raise ValueError if what the module computes is chosen by values of its input: a trace would
    show one choice only.
    """
    point = example.clone()
    with _Branches(point):
        try:
            module(point)
        except ValueError as error:
            if "depend on values of the input" in str(error):
                raise ValueError(f"module cannot be run on one input for all: {error}") from error
        # what a user's forward may raise otherwise is said by the trace, with its place
        except Exception:
            return


def trace(
    module: nn.Module, example: torch.Tensor, names: dict[int, str], given: str
) -> tuple[fx.GraphModule, dict[fx.Node, str]]:
    """What the module does with one input, as PyTorch's elementary operations, and in which layer
    each is done.
    """
    from torch.fx.experimental.proxy_tensor import get_proxy_mode, make_fx

    stack: list[tuple[str, nn.Module, Any]] = []
    marks: list[tuple[int, str]] = []

    def nodes() -> int:
        mode = get_proxy_mode()
        return 0 if mode is None else len(mode.tracer.graph.nodes)

    def enter(layer: nn.Module, inputs: Any) -> None:
        stack.append((names.get(id(layer), type(layer).__name__), layer, inputs))
        marks.append((nodes(), stack[-1][0]))

    def leave(*_: Any) -> None:
        if stack:
            stack.pop()
        marks.append((nodes(), stack[-1][0] if stack else "module"))

    handles = [
        hooks.register_module_forward_pre_hook(enter),
        hooks.register_module_forward_hook(leave),
    ]
    try:
        with _CircularPadding():
            traced = make_fx(torch.func.functionalize(module), tracing_mode="real")(example)
    except Exception as error:  # anything that a user's forward may raise
        place, wants = (
            (stack[-1][0], _wants(*stack[-1][1:]))
            if stack
            else ("module", "cannot be run on one input")
        )
        raise ValueError(f"{place} {wants}{given}: {reason_of(error)}") from error
    finally:
        for handle in handles:
            handle.remove()
    places, here, at = {}, "module", 0
    for number, node in enumerate(traced.graph.nodes):
        while at < len(marks) and marks[at][0] <= number:
            here = marks[at][1]
            at += 1
        places[node] = here
    traced.graph.eliminate_dead_code()
    return traced, places


def _wants(layer: nn.Module, inputs: Any) -> str:
    """What a layer takes, and what it got."""
    kind, name = nn.modules, type(layer).__name__
    got = inputs[0] if inputs and isinstance(inputs[0], torch.Tensor) else None
    if isinstance(layer, nn.Linear):
        takes = f"takes {layer.in_features} numbers along the last axis"
    elif isinstance(layer, kind.conv._ConvNd):
        takes = f"takes {layer.in_channels} channels with {len(layer.kernel_size)} axes each"
    elif isinstance(layer, NORMS):
        takes = f"takes {layer.num_features} channels"
    elif "Pool" in name and name[-2:] in ("1d", "2d", "3d"):
        takes = (
            f"takes an image of shape {('(C, L)', '(C, H, W)', '(C, D, H, W)')[int(name[-2]) - 1]}"
        )
    else:
        takes = "cannot be run on one input"
    return takes if got is None else f"{takes}, got values of shape {tuple(got.shape[1:])}"


def reason_of(error: Exception) -> str:
    """An error of other code in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
