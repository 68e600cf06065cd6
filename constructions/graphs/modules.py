"""PyTorch modules read as networks: what a module computes is traced, operation by operation, and
compared with what is read.

The trace is PyTorch's own, of a call of the module on one input: hooks, weights that hooks or
parametrizations compute, shared layers, residual connections and an own `forward` are in it as they
run. Nothing in the module is changed.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import math
import random
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import fx, nn

from ..linear.affine import Affine
from ..linear.matrix import ENTRY_LIMIT
from .graph import Graph
from .operations import Shape
from .origin import Origin
from .traced_reading import Reader
from .tracing import NORMS, check_branches, trace

PROBES = 4
"""Points at which what was read is compared with the module, and each operation with what PyTorch
computes.
"""


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
    if module is not original:
        module = _in_main_memory(module)
    names = _names(module)
    _check_modes(module, names)
    _check_finite(module, names)
    given = f" (input_shape is {shape})"
    with _untouched(module):
        dtype, device = _kind(module)
        example = torch.zeros(1, *shape, dtype=dtype, device=device)
        check_branches(module, example)
        traced, places = trace(module, example, names, given)
        reader = Reader(traced, places, math.prod(shape), given)
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
            f"{place}: module can be read only with input_shape, one input without the batch: pass "
            f"read_network(module, input_shape), e.g. read_network(module, (1, 28, 28))"
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


def _in_main_memory(module: nn.Module) -> nn.Module:
    """A copy moved there, with tensors that are no parameters, too: a GPU may round convolutions to
    10 bits (TF32), and the operations are small. Exported programs name their device, and stay.
    """
    if isinstance(module, fx.GraphModule) or _kind(module)[1].type == "cpu":
        return module
    for layer in module.cpu().modules():
        for name, value in vars(layer).items():
            if isinstance(value, torch.Tensor):
                vars(layer)[name] = value.cpu()
    return module


def _probes(size: int, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(PROBES, size, generator=generator, dtype=torch.float64)
    points[1::3] = points[1::3].round()
    points[2::3] = torch.randn(points[2::3].shape, generator=generator, dtype=torch.float64)
    return points.to(dtype).double()


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
