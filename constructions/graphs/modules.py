"""PyTorch modules read as networks: what a module computes is traced, operation by operation, and
compared with what is read.

The trace is PyTorch's own, of a call of the module on one input: hooks, weights that hooks or
parametrizations compute, shared layers, residual connections and an own `forward` are in it as they
run. Nothing in the module is changed.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import math
import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten
from torch.utils.weak import WeakTensorKeyDictionary

from ..linear.affine import Affine
from ..linear.matrix import ENTRY_LIMIT
from .graph import Graph
from .operations import MONOTONE_HINT, Operations, Shape, Value, exact_numbers
from .origin import Origin

PROBES = 4
"""Points at which what was read is compared with the module, and each operation with what PyTorch
computes.
"""

FIXED = "; layers that change as they run need module.eval() first"


def read_module(
    module: nn.Module, input_shape: Sequence[int] | None = None
) -> tuple[tuple[Affine, ...], Origin]:
    """The affine layers of a module, and what became of it; see `ReLUNetwork.from_module`.

    >>> layers, origin = read_module(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), (1, 4, 4))
    >>> [layer.weight.shape for layer in layers], origin.parameters, origin.is_exact
    ([(8, 16), (8, 8)], 20, True)
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise TypeError(
            "module must not be a TorchScript module: pass the module that it was made of, or "
            "export it to ONNX"
        )
    shape = _input_shape(module, input_shape)
    original, module = module, _copied(module)
    names = _names(module)
    _check_modes(module, names)
    _check_finite(module, names)
    given = f" (input_shape is {shape})"
    with _untouched(module):
        dtype, device = _kind(module)
        example = torch.zeros(1, *shape, dtype=dtype, device=device)
        _check_branches(module, example)
        traced, places = _trace(module, example, names, given)
        reader = _Reader(traced, places, math.prod(shape), given)
        output = reader.run(example)
        probes = _probes(math.prod(shape), dtype)
        reader.compare(module, probes.reshape(-1, *shape).to(device, dtype), dtype)
    compiled = reader.graph.compile(output.node)
    layers = tuple(compiled.layers)
    check_layers(reader.graph, output.node, layers, probes)
    parameters = sum(p.numel() for p in module.parameters())
    errors = tuple(compiled.errors)
    rounded = tuple(dict.fromkeys(compiled.rounded))
    origin = Origin(
        "module",
        state_digest(original),
        parameters,
        compiled.merged,
        compiled.carried,
        rounded,
        errors,
        layers,
    )
    return layers, origin


def state_digest(module: nn.Module) -> str:
    """SHA-256 of the module's state: names, types, shapes and numbers."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        if isinstance(value, torch.Tensor):
            array = value.detach().cpu().contiguous()
            digest.update(f"{name} {array.dtype} {tuple(array.shape)}\n".encode())
            digest.update(
                array.reshape(-1).view(torch.uint8).numpy().tobytes() if array.numel() else b""
            )
    return digest.hexdigest()


# -- what is asked of a module ---------------------------------------------------------------------


def _input_shape(module: nn.Module, given: Sequence[int] | None) -> Shape:
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {type(module).__name__}")
    if given is None:
        place = "module"
        for name, layer in module.named_modules(prefix="module"):
            if isinstance(layer, nn.Linear):
                return (layer.in_features,)
            if isinstance(layer, nn.BatchNorm1d):
                return (layer.num_features,)
            if not list(layer.children()) and not isinstance(layer, KEEPING):
                place = f"{name} ({type(layer).__name__})"
                break
        raise TypeError(
            f"{place}: module can be read only with input_shape, one input without the batch, e.g. "
            f"(1, 28, 28)"
        )
    if not isinstance(given, Sequence):
        raise TypeError(f"input_shape must be a sequence of sizes, e.g. (1, 28, 28), got {given!r}")
    if not (given and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in given)):
        raise ValueError(
            f"input_shape must be the positive sizes of one input without the batch, got {given}"
        )
    if math.prod(given) > ENTRY_LIMIT:
        raise ValueError(
            f"input_shape {tuple(given)} would need {math.prod(given):,} entries; the limit is "
            f"{ENTRY_LIMIT:,}"
        )
    return tuple(given)


KEEPING = (
    *(nn.Identity, nn.Flatten, nn.modules.dropout._DropoutNd),
    *(nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.Hardtanh),
)
"""Layers that may come before the one that says how many numbers one input has."""


def _names(module: nn.Module) -> dict[int, str]:
    names: dict[int, str] = {}
    for name, layer in module.named_modules(prefix="module"):
        names.setdefault(id(layer), f"{name} ({type(layer).__name__})")
    return names


RANDOM = (nn.modules.dropout._DropoutNd, nn.RReLU)
NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)


def _check_modes(module: nn.Module, names: dict[int, str]) -> None:
    for layer in module.modules():
        if layer.training and isinstance(layer, (*RANDOM, *NORMS)):
            raise ValueError(f"{names[id(layer)]} is in training mode: call module.eval() first")
        if isinstance(layer, NORMS) and layer.running_mean is None:
            raise ValueError(
                f"{names[id(layer)]} has no running statistics (track_running_stats=False), so it "
                f"is no fixed map"
            )


def _check_finite(module: nn.Module, names: dict[int, str]) -> None:
    for layer in module.modules():
        own = (*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False))
        for name, value in own:
            if nn.parameter.is_lazy(value):
                raise ValueError(f"{names[id(layer)]} {name} has no size yet: call the module once")
            if value.is_complex():
                raise ValueError(f"{names[id(layer)]} {name} must be real")
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                bad = value[~torch.isfinite(value)].flatten()[0].item()
                raise ValueError(f"{names[id(layer)]} {name} must be finite, got {bad}")


def _kind(module: nn.Module) -> tuple[torch.dtype, torch.device]:
    for value in (*module.parameters(), *module.buffers()):
        if value.is_floating_point():
            return value.dtype, value.device
    return torch.get_default_dtype(), torch.device("cpu")


@contextlib.contextmanager
def _untouched(module: nn.Module) -> Iterator[None]:
    """Put back whatever a call of the module changes: attributes, buffers, generators of random
    numbers.
    """
    layers = list(module.modules())
    attributes = [dict(vars(layer)) for layer in layers]
    kept = ("_parameters", "_buffers", "_modules")
    tables = [{name: dict(vars(layer)[name]) for name in kept} for layer in layers]
    values = {id(v): (v, v.detach().clone()) for v in (*module.parameters(), *module.buffers())}
    devices = {v.device for v in module.parameters() if v.device.type == "cuda"}
    default = torch.get_default_dtype()
    generators = random.getstate(), np.random.get_state()  # noqa: NPY002 - the user's
    try:
        with torch.random.fork_rng(list(devices)), torch.no_grad():
            yield
    finally:
        torch.set_default_dtype(default)
        random.setstate(generators[0])
        np.random.set_state(generators[1])  # noqa: NPY002
        for layer, old, table in zip(layers, attributes, tables, strict=True):
            vars(layer).clear()
            vars(layer).update(old)
            for name, entries in table.items():
                vars(layer)[name].clear()
                vars(layer)[name].update(entries)
        with torch.no_grad():
            for tensor, before in values.values():
                if not torch.equal(tensor, before):
                    tensor.copy_(before)


def _copied(module: nn.Module) -> nn.Module:
    """A copy to run, as a forward may write to any attribute; the module itself if it cannot be
    copied.
    """
    try:
        with torch.no_grad():
            return copy.deepcopy(module)
    # a user's attributes may raise anything; weights that hooks compute cannot be copied
    except Exception:
        return module


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


def _check_branches(module: nn.Module, example: torch.Tensor) -> None:
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


# -- the trace -------------------------------------------------------------------------------------


def _trace(
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
        raise ValueError(f"{place} {wants}{given}: {_reason(error)}") from error
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


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _probes(size: int, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(PROBES, size, generator=generator, dtype=torch.float64)
    points[1::3] = points[1::3].round()
    points[2::3] = torch.randn(points[2::3].shape, generator=generator, dtype=torch.float64)
    return points.to(dtype).double()


class _Reader:
    """Runs a trace on the example, with a `Value` for each number that depends on the input."""

    def __init__(
        self, traced: fx.GraphModule, places: dict[fx.Node, str], size: int, given: str
    ) -> None:
        self.traced, self.graph, self.given = traced, Graph(size), given
        self.operations, self.places = Operations(self.graph), places
        self.values: dict[fx.Node, Any] = {}

    def run(self, example: torch.Tensor) -> Value:
        output: Any = None
        for node in self.traced.graph.nodes:
            self.graph.place = self.places[node]
            if node.op == "placeholder":
                self.values[node] = Value(0, tuple(example.shape))
            elif node.op == "get_attr":
                self.values[node] = getattr(self.traced, str(node.target))
            elif node.op == "output":
                output = self._argument(node.args[0])
            else:
                self.values[node] = self._call(node)
        if isinstance(output, (tuple, list)) and len(output) == 1:
            output = output[0]
        if not isinstance(output, Value):
            kind = (
                "numbers that do not depend on the input"
                if isinstance(output, torch.Tensor)
                else type(output).__name__
            )
            raise TypeError(f"module must return one tensor that depends on its input, got {kind}")
        if not output.shape or output.shape[0] != 1:
            raise ValueError(
                f"module must keep the batch axis first, but makes shape {output.shape} of one "
                f"input{self.given}"
            )
        return output

    def _argument(self, argument: Any) -> Any:
        return fx.node.map_arg(argument, lambda node: self.values[node])

    def _call(self, node: fx.Node) -> Any:
        place = self.places[node]
        arguments, options = self._argument(node.args), self._argument(node.kwargs)
        name = getattr(node.target, "__name__", str(node.target))
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()) and node.users:
            raise TypeError(
                f"{place}: the operation {name} draws random numbers, so the module is no fixed "
                f"function"
            )
        if not _symbolic(arguments) and not _symbolic(options):
            return node.target(*arguments, **options)  # type: ignore[operator]
        try:
            if name == "getitem":
                return arguments[0][arguments[1]]
            handler = HANDLERS.get(name.split(".")[0])
            if handler is None:
                hint = f"; {MONOTONE_HINT}" if name.split(".")[0] in MONOTONE else ""
                raise TypeError(
                    f"cannot be read: the operation {name} is not piecewise linear, or not known; "
                    f"known are affine maps, ReLU, LeakyReLU, PReLU, clipping, |x|, maxima, "
                    f"minima, pooling, and what moves numbers{hint}"
                )
            return handler(self.operations, node, *arguments, **options)
        except TypeError as error:
            raise TypeError(f"{place}: {error}") from error
        except (ValueError, RuntimeError, IndexError) as error:
            raise ValueError(f"{place} {error}{self.given}") from error

    def compare(self, module: nn.Module, points: torch.Tensor, dtype: torch.dtype) -> None:
        """Raise ValueError unless each operation, and the module, compute what was read, up to
        rounding.
        """
        flat = points.double().cpu().flatten(1)
        found = self.graph.enclosures(flat, dtype)
        for i, point in enumerate(points):
            replay = _Replay(self.traced)
            with np.errstate(all="ignore"):
                replay.run(point[None])
            for node, value in self.values.items():
                if not isinstance(value, Value) or node not in replay.seen:
                    continue
                actual = replay.seen[node].double().cpu().reshape(-1)
                expected, error = (part[i] for part in found[value.node])
                if actual.shape != expected.shape or not bool(
                    ((actual - expected).abs() <= error).all()
                ):
                    name = getattr(node.target, "__name__", node.target)
                    raise ValueError(
                        f"{self.places[node]}: the operation {name} does not compute what was read "
                        f"of it{FIXED}"
                    )
        output = next(node for node in self.traced.graph.nodes if node.op == "output")
        last = output.args[0][0] if isinstance(output.args[0], (tuple, list)) else output.args[0]
        expected, error = found[self.values[last].node]
        actual = _values(module, points, self.given).double().cpu().reshape(len(points), -1)
        if actual.shape != expected.shape or not bool(((actual - expected).abs() <= error).all()):
            raise ValueError(
                "module does not compute at other points what its trace on one says: it must be a "
                "fixed function of its input, "
                f"row by row, without steps outside of PyTorch or branches on values{FIXED}"
            )


def _values(module: nn.Module, points: torch.Tensor, given: str) -> torch.Tensor:
    """The module's values; row by row where it takes one row only, as exported programs may."""
    try:
        found = module(points)
    except Exception as error:  # a user's forward may raise anything
        if not isinstance(module, fx.GraphModule):
            raise ValueError(
                f"module cannot be run on {len(points)} inputs at once{given}: {_reason(error)}"
            ) from error
        rows = [module(point[None]) for point in points]
        found = torch.cat([row[0] if isinstance(row, (tuple, list)) else row for row in rows])
    values: torch.Tensor = found[0] if isinstance(found, (tuple, list)) else found
    return values


class _Replay(fx.Interpreter):
    """Runs a trace and keeps the tensors of all nodes."""

    def __init__(self, traced: fx.GraphModule) -> None:
        super().__init__(traced)
        self.seen: dict[fx.Node, torch.Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, torch.Tensor):
            self.seen[n] = result
        return result


def check_layers(
    graph: Graph, output: int, layers: tuple[Affine, ...], points: torch.Tensor
) -> None:
    """Raise unless the layers compute what the graph does, within float64's rounding of both."""
    chain = Graph(points.shape[1])
    node = 0
    for i, layer in enumerate(layers):
        node = chain.linear([(chain.relu(node) if i else node, layer.weight)], layer.bias)
    expected, error = graph.enclosures(points, torch.float64)[output]
    actual, slip = chain.enclosures(points, torch.float64)[node]
    noise = 2.0**-40 * (expected.abs() + 1e-30)
    if not bool(((actual - expected).abs() <= 4 * (error + slip) + noise).all()):
        raise AssertionError(
            "the layers do not compute what was read; please report this with the module"
        )


def _symbolic(argument: Any) -> bool:
    if isinstance(argument, (tuple, list)):
        return any(map(_symbolic, argument))
    if isinstance(argument, dict):
        return any(map(_symbolic, argument.values()))
    return isinstance(argument, Value)


# -- PyTorch's operations --------------------------------------------------------------------------

Handler = Callable[..., Any]


def _constant(value: Any, name: str = "constant") -> torch.Tensor:
    tensor = value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=torch.float64)
    return exact_numbers(tensor, name)


def _optional(value: Any, name: str) -> torch.Tensor | None:
    return None if value is None else exact_numbers(value, name)


def _add(o: Operations, _: Any, x: Any, y: Any, *, alpha: float = 1.0, sign: float = 1.0) -> Value:
    factor = sign * alpha
    if isinstance(x, Value) and isinstance(y, Value):
        if abs(factor) != 1.0:
            y, factor = o.scale(y, _constant(factor)), 1.0
        return o.add(x, y, factor)
    if isinstance(x, Value):
        return o.shift(x, _constant(y), factor)
    return o.scale(y, _constant(factor), _constant(x))


def _mul(o: Operations, _: Any, x: Any, y: Any) -> Value:
    if isinstance(x, Value) and isinstance(y, Value):
        raise TypeError(
            "multiplies two values that depend on the input, which is not piecewise linear"
        )
    return o.scale(x, _constant(y)) if isinstance(x, Value) else o.scale(y, _constant(x))


def _div(o: Operations, _: Any, x: Any, y: Any, *, rounding_mode: str | None = None) -> Value:
    if isinstance(y, Value) or rounding_mode is not None:
        raise TypeError(
            "divides by a value that depends on the input, or rounds, which is not piecewise linear"
        )
    return o.divide(x, _constant(y))


def _convolution(
    o: Operations,
    _: Any,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    extra: Any,
    groups: int,
) -> Value:
    if isinstance(weight, Value) or isinstance(bias, Value):
        raise TypeError("has weights that depend on the input")
    kernel, offset, spatial = (
        exact_numbers(weight, "weight"),
        _optional(bias, "bias"),
        weight.ndim - 2,
    )
    stride, padding, dilation, extra = (
        [*v] * spatial if len(v) == 1 else [*v] for v in (stride, padding, dilation, extra)
    )
    if transposed:
        run = {
            1: functional.conv_transpose1d,
            2: functional.conv_transpose2d,
            3: functional.conv_transpose3d,
        }[spatial]
        return o.by_units(
            x, lambda z: run(z, kernel, None, stride, padding, extra, groups, dilation), offset
        )
    return o.convolve(x, kernel, offset, stride, [*padding, *padding], dilation, groups)


def _batch_norm(
    o: Operations, _: Any, x: Any, weight: Any, bias: Any, mean: Any, variance: Any, *rest: Any
) -> list[Any]:
    training, eps = (False, rest[-1]) if len(rest) == 2 else (rest[0], rest[2])
    if training or mean is None:
        raise ValueError("is in training mode: call module.eval() first")
    mean, variance = exact_numbers(mean, "mean"), exact_numbers(variance, "variance")
    scale = torch.ones_like(mean) if weight is None else exact_numbers(weight, "weight")
    offset = torch.zeros_like(mean) if bias is None else exact_numbers(bias, "bias")
    return [o.normalize(x, scale, offset, mean, variance, eps), torch.zeros(0), torch.zeros(0)]


def _matmul(o: Operations, _: Any, x: Any, y: Any) -> Value:
    """Products with a constant matrix or vector on one side."""
    if isinstance(x, Value) and isinstance(y, Value):
        raise TypeError(
            "multiplies two values that depend on the input, which is not piecewise linear"
        )
    if isinstance(x, Value):
        matrix = exact_numbers(y, "weight")
        if matrix.ndim == 2:
            return o.linear(x, matrix.T, None)
        if matrix.ndim == 1:
            out = o.linear(x, matrix[None], None)
            return Value(out.node, out.shape[:-1])
        if matrix.ndim == 3 and matrix.shape[0] == 1:
            return o.linear(x, matrix[0].T, None)
        raise TypeError(
            f"multiplies by a constant of shape {tuple(matrix.shape)}; known are matrices with two "
            f"axes"
        )
    matrix = exact_numbers(x, "weight")
    if matrix.ndim != 2 or len(y.shape) not in (1, 2):
        raise TypeError(
            f"multiplies a constant of shape {tuple(matrix.shape)} by a value of shape {y.shape}"
        )
    if len(y.shape) == 1:
        return o.linear(y, matrix, None)
    turned = o.linear(o.move([y], lambda places: places.T), matrix, None)
    return o.move([turned], lambda places: places.T)


def _addmm(
    o: Operations, node: Any, bias: Any, x: Any, y: Any, *, beta: float = 1.0, alpha: float = 1.0
) -> Value:
    if isinstance(bias, Value) or not isinstance(x, Value) or isinstance(y, Value) or alpha != 1:
        product = _matmul(o, node, x, y)
        product = product if alpha == 1 else o.scale(product, _constant(alpha))
        return _add(o, node, product, bias, alpha=beta)
    offset = exact_numbers(bias, "bias")
    if offset.ndim > 1 or beta != 1:
        return _add(o, node, _matmul(o, node, x, y), bias, alpha=beta)
    return o.linear(x, exact_numbers(y, "weight").T, offset)


def _axes(node: fx.Node) -> int:
    """How many axes an operation such as max_pool2d slides along."""
    return int(re.search(r"([123])d", str(node.target)).group(1))  # type: ignore[union-attr]


def _with_channels(handler: Handler) -> Handler:
    """A pooling on values with or without an axis of channels: PyTorch takes (1, n, m) as one
    image.
    """

    def whole(o: Operations, node: fx.Node, x: Any, *arguments: Any, **options: Any) -> Value:
        if len(x.shape) == _axes(node) + 2:
            return handler(o, node, x, *arguments, **options)
        found = handler(o, node, Value(x.node, (1, *x.shape)), *arguments, **options)
        return Value(found.node, found.shape[1:])

    return whole


def _max_pool(
    o: Operations,
    node: fx.Node,
    x: Any,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
) -> Value:
    spatial = _axes(node)
    kernel, padding, dilation = (_each(v, spatial) for v in (kernel, padding, dilation))
    stride = _each(stride, spatial) if stride else kernel
    after = list(padding)
    if ceil:
        for i, size in enumerate(x.shape[2:]):
            reach = dilation[i] * (kernel[i] - 1) + 1
            count = -(-(size + 2 * padding[i] - reach) // stride[i]) + 1
            count -= (count - 1) * stride[i] >= size + padding[i]
            after[i] = max(padding[i], (count - 1) * stride[i] + reach - size - padding[i])
    return o.max_pool(x, kernel, stride, [*padding, *after], dilation)


def _adaptive_max_pool(o: Operations, node: fx.Node, x: Any, image: Any) -> Value:
    return o.adaptive_max_pool(x, tuple(_each(image, _axes(node))))


def _each(value: Any, count: int) -> list[int]:
    values = [value] if isinstance(value, int) else [*value]
    return values * count if len(values) == 1 else values


def _running(o: Operations, node: fx.Node, x: Any, *arguments: Any, **options: Any) -> Value:
    """Pooling by means: the operation itself says its entries."""
    target: Any = node.target
    return o.average_pool(x, lambda images: target(images, *arguments, **options))


def _filled(o: Operations, node: fx.Node, x: Any, *arguments: Any, **options: Any) -> torch.Tensor:
    """A constant of a value's shape."""
    assert isinstance(node.args[0], fx.Node)
    target: Any = node.target
    like = torch.zeros(x.shape, dtype=node.args[0].meta["tensor_meta"].dtype)
    return (
        torch.zeros_like(target(like, *arguments, **options))
        if "empty" in str(target)
        else target(like, *arguments, **options)
    )


def _maximum_along(
    o: Operations, _: Any, x: Any, axes: Any = (), keep: bool = False, *, sign: float = 1.0
) -> Value:
    axes = [axes] if isinstance(axes, int) else [*axes]
    rank = len(x.shape)
    axes = [axis % rank for axis in axes] or list(range(rank))
    if 0 in axes:
        raise TypeError("takes maxima over the batch axis")
    others = [i for i in range(rank) if i not in axes]
    places = torch.arange(x.size).reshape(x.shape).permute((*axes, *others))
    shape = (
        tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        if keep
        else tuple(x.shape[i] for i in others)
    )
    windows = places.reshape(math.prod(x.shape[i] for i in axes), -1)
    if sign > 0:
        return o.maxima(x, windows, shape)
    return o.negative(o.maxima(o.negative(x), windows, shape))


def _moving(
    o: Operations,
    node: fx.Node,
    *arguments: Any,
    joins: bool = False,
    floats: bool = False,
    **options: Any,
) -> Any:
    """What only moves numbers, done to their places instead; `joins` also with constants, whose
    places are -2, -3, ...
    """
    target: Any = node.target
    values: list[Value] = []
    constants: list[torch.Tensor] = []

    def collect(argument: Any) -> Any:
        if isinstance(argument, (tuple, list)):
            return [collect(part) for part in argument]
        if isinstance(argument, Value):
            start = sum(x.size for x in values)
            values.append(argument)
            places = torch.arange(start, start + argument.size).reshape(argument.shape)
            return places.double() if floats else places
        if not isinstance(argument, torch.Tensor) or argument.dtype == torch.bool:
            return argument
        if joins:
            start = -2 - sum(len(x) for x in constants)
            constants.append(exact_numbers(argument, "constant").reshape(-1))
            return torch.arange(start, start - argument.numel(), -1).reshape(argument.shape)
        if argument.is_floating_point():
            raise TypeError("moves values that depend on the input and constants together")
        return argument.cpu()

    def gathered(places: torch.Tensor) -> Value:
        places = places.long()
        moved = o.gather(values, places.clamp_min(-1))
        if not constants:
            return moved
        fill = torch.cat([torch.zeros(1, dtype=torch.float64), *constants])
        return o.shift(moved, fill[(-1 - places).clamp_min(0)])

    found = target(*map(collect, arguments), **options)
    return (
        gathered(found) if isinstance(found, torch.Tensor) else [gathered(part) for part in found]
    )


def _pad(o: Operations, node: fx.Node, x: Any, pads: Any, value: float = 0.0) -> Value:
    places = torch.nn.functional.pad(torch.arange(x.size).reshape(x.shape), list(pads), value=-1)
    moved = o.gather([x], places)
    return moved if value == 0 else o.shift(moved, (places < 0).double() * float(value))


def _cast(
    o: Operations, node: fx.Node, x: Any, *_: Any, dtype: torch.dtype | None = None, **__: Any
) -> Value:
    assert isinstance(node.args[0], fx.Node)
    now = node.args[0].meta["tensor_meta"].dtype
    wide = {
        torch.float32: (torch.float16, torch.bfloat16),
        torch.float64: (torch.float16, torch.bfloat16, torch.float32),
    }
    if dtype is not None and dtype != now and now not in wide.get(dtype, ()):
        raise TypeError(f"rounds values from {now} to {dtype}")
    return x


def _clamp(o: Operations, _: Any, x: Any, low: Any = None, high: Any = None) -> Value:
    if isinstance(low, (torch.Tensor, Value)) or isinstance(high, (torch.Tensor, Value)):
        if isinstance(low, Value) or isinstance(high, Value) or not isinstance(x, Value):
            raise TypeError("clips between values that depend on the input")
        if low is not None:
            x = _extreme(o, None, x, low)
        return x if high is None else _extreme(o, None, x, high, sign=-1.0)
    if low is not None and high is not None and low > high:
        raise ValueError(f"clips between {low} and {high}")
    return o.clip(x, low, high)


def _extreme(o: Operations, _: Any, x: Any, y: Any, *, sign: float = 1.0) -> Value:
    if not isinstance(x, Value):
        x, y = y, x
    if isinstance(y, Value):
        return o.maximum(x, y) if sign > 0 else o.minimum(x, y)
    fixed = _constant(y)
    if sign > 0:
        return o.shift(o.relu(o.shift(x, -fixed)), fixed)
    return o.shift(o.negative(o.relu(o.shift(o.negative(x), fixed))), fixed)


MONOTONE = ("_log_softmax", "_softmax", "sigmoid")
MOVES = (
    "view",
    "_unsafe_view",
    "reshape",
    "_reshape_alias",
    "t",
    "transpose",
    "permute",
    "squeeze",
    "unsqueeze",
    "expand",
    "clone",
    "alias",
    "detach",
    "slice",
    "select",
    "flip",
    "roll",
    "narrow",
    "split",
    "split_with_sizes",
    "unbind",
    "chunk",
    "unfold",
    "index_select",
    "repeat",
    "contiguous",
    "diagonal",
    "movedim",
    "flatten",
    "unflatten",
    "pixel_shuffle",
    "pixel_unshuffle",
    "channel_shuffle",
    "view_copy",
    "t_copy",
    "transpose_copy",
    "permute_copy",
    "squeeze_copy",
    "unsqueeze_copy",
    "expand_copy",
    "slice_copy",
    "select_copy",
    "split_copy",
    "lift_fresh",
    "lift_fresh_copy",
    "index",
)
MEANS = [
    *(f"avg_pool{d}d" for d in (1, 2, 3)),
    "adaptive_avg_pool1d",
    "_adaptive_avg_pool2d",
    "_adaptive_avg_pool3d",
]
FILLS = [
    *("fill", "full_like", "zeros_like", "ones_like", "empty_like"),
    *("new_zeros", "new_ones", "new_full", "new_empty", "new_empty_strided"),
]
JOINS = ["cat", "stack", "slice_scatter", "select_scatter", "copy", "where"]
PADS = [f"{kind}_pad{d}d" for kind in ("reflection", "replication") for d in (1, 2, 3)]

HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(MOVES, _moving),
    **dict.fromkeys(JOINS, functools.partial(_moving, joins=True)),
    **dict.fromkeys(PADS, functools.partial(_moving, floats=True)),
    **dict.fromkeys(FILLS, _filled),
    **dict.fromkeys(MEANS, _with_channels(_running)),
    **{
        f"max_pool{d}d_with_indices": lambda *a, **k: [_with_channels(_max_pool)(*a, **k), None]
        for d in (2, 3)
    },
    "max_pool1d": _with_channels(_max_pool),
    **{
        f"adaptive_max_pool{d}d": lambda *a: [_with_channels(_adaptive_max_pool)(*a), None]
        for d in (2, 3)
    },
    "relu": lambda o, _, x: o.relu(x),
    "add": _add,
    "sub": lambda o, n, x, y, **k: _add(o, n, x, y, sign=-1.0, **k),
    "rsub": lambda o, n, x, y, **k: _add(o, n, y, x, sign=-1.0, **k),
    "mul": _mul,
    "div": _div,
    "neg": lambda o, _, x: o.negative(x),
    "leaky_relu": lambda o, _, x, slope=0.01: o.leaky(x, _constant(slope)),
    "_prelu_kernel": lambda o, _, x, slope: o.leaky(x, _constant(slope, "slope")),
    "hardtanh": lambda o, _, x, low=-1.0, high=1.0: o.clip(x, low, high),
    "clamp": _clamp,
    "clamp_min": lambda o, n, x, low: _clamp(o, n, x, low, None),
    "clamp_max": lambda o, n, x, high: _clamp(o, n, x, None, high),
    "abs": lambda o, _, x: o.add(o.relu(x), o.relu(o.negative(x))),
    "maximum": _extreme,
    "minimum": lambda o, n, x, y: _extreme(o, n, x, y, sign=-1.0),
    "amax": _maximum_along,
    "amin": lambda o, n, x, axes=(), keep=False: _maximum_along(o, n, x, axes, keep, sign=-1.0),
    "max": lambda o, n, x, *a: (
        [_maximum_along(o, n, x, *a), None] if a else _maximum_along(o, n, x)
    ),
    "min": lambda o, n, x, *a: (
        [_maximum_along(o, n, x, *a, sign=-1.0), None] if a else _maximum_along(o, n, x, sign=-1.0)
    ),
    "convolution": _convolution,
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "cudnn_batch_norm": _batch_norm,
    "mm": _matmul,
    "bmm": _matmul,
    "mv": _matmul,
    "matmul": _matmul,
    "addmm": _addmm,
    "linear": lambda o, n, x, w, b=None: o.linear(
        x, exact_numbers(w, "weight"), _optional(b, "bias")
    ),
    "sum": lambda o, _, x, axes=(), keep=False, **k: o.sum(x, axes or (), keep),
    "mean": lambda o, _, x, axes=(), keep=False, **k: o.mean(x, axes or (), keep),
    "constant_pad_nd": _pad,
    "_to_copy": _cast,
}
"""What is known of each operation: (operations, traced node, *arguments) -> its value or values."""
