"""Networks from elsewhere: PyTorch modules and ONNX graphs, read as affine maps with ReLU between.

Every layer becomes one affine map on the flattened (row-major) values; neighbouring maps without ReLU between are
multiplied in float64. Weights are taken exactly. Nothing in a file is executed, and nothing in a module is changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .affine_map import Affine
from .matrix import ENTRY_LIMIT, Constant, Dense, Identity, Matrix, Sparse, column, is_zero, kron, sparse, zeros
from .network import ReLUNetwork

Shape = tuple[int, ...]


class Chain:
    """Affine layers as they are read one after the other, and the `shape` of one value (no batch) after them, if known.

    >>> chain = Chain((1, 2, 2))
    >>> chain.convolve(torch.ones(1, 1, 2, 2), None, (1, 1), (0, 0, 0, 0), (1, 1), 1)
    >>> chain.shape, chain.finish()[0].weight.to_dense().tolist()
    ((1, 1, 1), [[1.0, 1.0, 1.0, 1.0]])
    """

    def __init__(self, shape: Shape | None) -> None:
        self.layers: list[Affine] = []
        self.rectified = True  # the next affine map starts a layer of its own
        self.shape = shape

    def affine(self, weight: Matrix, bias: Matrix, shape: Shape) -> None:
        """Append x -> weight x + bias, whose values have the given shape."""
        outer = Affine(weight, bias)
        self.layers.append(outer if self.rectified else _after(outer, self.layers.pop()))
        self.rectified, self.shape = False, shape

    def relu(self) -> None:
        """Append max(0, x); raises TypeError at the start and after another ReLU."""
        if self.rectified:
            raise TypeError("module must alternate Linear and ReLU layers, starting with a Linear")
        self.rectified = True

    def linear(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        """Append x -> weight x + bias on the last axis; weight (m, n), bias (m,)."""
        rows, columns = weight.shape
        *lead, last = (columns,) if self.shape is None else self.shape
        if last != columns:
            raise ValueError(f"takes {columns} numbers along the last axis, got values of shape {self.shape}")
        offset = zeros(rows, 1) if bias is None else column(bias)
        copies = math.prod(lead)
        self.affine(kron(Identity(copies), Dense(weight)), kron(Constant(copies, 1), offset), (*lead, rows))

    def scale(self, factor: torch.Tensor, offset: torch.Tensor) -> None:
        """Append x -> factor * x + offset; each factor and offset serves equally many neighbouring numbers (a channel)."""
        size = math.prod(self.known())
        index, repeat = torch.arange(size), size // len(factor)
        same = bool((factor == 1).all())
        diagonal = Identity(size) if same else Sparse((size, size), index, index, factor.repeat_interleave(repeat))
        self.affine(diagonal, kron(column(offset), Constant(repeat, 1)), self.known())

    def convolve(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        stride: Sequence[int],
        pads: Sequence[int],
        dilation: Sequence[int],
        groups: int,
    ) -> None:
        """Append a cross-correlation in one or two dimensions d with zero padding.

        weight: (O, C/groups, k_1, ..., k_d). stride, dilation: d numbers. pads: d numbers before, then d numbers after.
        Raises ValueError where the shapes do not fit or where more than `ENTRY_LIMIT` entries would be needed.
        """
        outputs, shape, spatial = weight.shape[0], self.known(), weight.ndim - 2
        if len(shape) != spatial + 1 or shape[0] != weight.shape[1] * groups or outputs % groups:
            raise ValueError(f"takes {weight.shape[1] * groups} channels with {spatial} axes each, got values of shape {shape}")
        if min(*stride, *dilation) < 1 or min(pads) < 0:
            raise ValueError(f"needs positive strides and dilations and no negative pads, got {stride}, {dilation}, {pads}")
        padded = [size + pads[i] + pads[i + spatial] for i, size in enumerate(shape[1:])]
        reach = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
        image = tuple((p - r) // s + 1 for p, r, s in zip(padded, reach, stride, strict=True))
        if min(image) < 1:
            raise ValueError(f"has a kernel of extent {reach} beyond the padded image of size {padded}")
        places = math.prod(image)
        _check_size(max(weight.numel() * places, shape[0] * math.prod(padded)))
        # each patch holds the numbers (from 1 on) of the inputs that a place sees, and 0 where it sees padding
        numbers = torch.arange(1.0, math.prod(shape) + 1, dtype=torch.float64).reshape(1, *shape)
        numbers = functional.pad(numbers, [pads[i + side] for i in reversed(range(spatial)) for side in (0, spatial)])
        flat = (1,) * (2 - spatial)
        patches = functional.unfold(
            numbers.reshape(1, shape[0], *flat, *padded),
            (*flat, *weight.shape[2:]),
            dilation=(*flat, *dilation),
            stride=(*flat, *stride),
        )
        group, fan_in = outputs // groups, weight[0].numel()
        full = (groups, group, fan_in, places)
        columns = (patches.long() - 1).reshape(groups, 1, fan_in, places).expand(full)
        rows = torch.arange(outputs * places).reshape(groups, group, 1, places).expand(full)
        values = weight.reshape(groups, group, fan_in, 1).expand(full)
        seen = (columns >= 0) & (values != 0)
        matrix = Sparse((outputs * places, math.prod(shape)), rows[seen], columns[seen], values[seen])
        offset = zeros(outputs, 1) if bias is None else column(bias)
        self.affine(matrix, kron(offset, Constant(places, 1)), (outputs, *image))

    def pool(self, mean: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Append a linear map (N, 1, H, W) -> (N, 1, H', W'), done on each channel; its entries are read off unit images."""
        if len(self.known()) != 3:
            raise ValueError(f"takes an image of shape (C, H, W), got values of shape {self.known()}")
        channels, *image = self.known()
        size = math.prod(image)
        out = mean(torch.zeros(1, 1, *image, dtype=torch.float64)).shape[2:]
        found = []
        for part in torch.arange(size).split(max(1, 2**20 // size)):
            values = mean(functional.one_hot(part, size).double().reshape(-1, 1, *image)).flatten(1)
            units, rows = torch.nonzero(values, as_tuple=True)
            found.append((rows, part[units], values[units, rows]))
        rows, columns, values = (torch.cat(kind) for kind in zip(*found, strict=True))
        _check_size(channels * len(values))
        matrix = kron(Identity(channels), Sparse((math.prod(out), size), rows, columns, values))
        self.affine(sparse(matrix), zeros(matrix.shape[0], 1), (channels, *out))

    def permute(self, axes: Sequence[int]) -> None:
        """Append a permutation of the axes 0, 1, ... of one value."""
        index = torch.arange(math.prod(self.known()))
        source = index.reshape(self.known()).permute(*axes)
        if torch.equal(source.reshape(-1), index):
            self.shape = tuple(source.shape)
        else:
            ones, size = torch.ones(len(index), dtype=torch.float64), len(index)
            self.affine(Sparse((size, size), index, source.reshape(-1), ones), zeros(size, 1), tuple(source.shape))

    def reshape(self, full: Sequence[int]) -> None:
        """Take values in another shape, given with the batch axis first; raises ValueError where that axis is lost."""
        if not full or full[0] != 1 or len(full) < 2 or math.prod(full) != math.prod(self.known()):
            raise ValueError(f"must keep the batch axis, but makes {tuple(full)} of {(1, *self.known())}")
        self.shape = tuple(full[1:])

    def known(self) -> Shape:
        """The shape; raises TypeError where it is needed but was never given."""
        if self.shape is None:
            raise TypeError("module may hold this layer only with input_shape, one input without the batch, e.g. (1, 28, 28)")
        _check_size(math.prod(self.shape))
        return self.shape

    def finish(self) -> tuple[Affine, ...]:
        """The layers; a ReLU at the end is read out unchanged."""
        if not self.layers:
            raise TypeError("module holds no Linear layer")
        if self.rectified:
            width = self.layers[-1].weight.shape[0]
            return (*self.layers, Affine(Identity(width), zeros(width, 1)))
        return tuple(self.layers)


def _after(outer: Affine, inner: Affine) -> Affine:
    """The map outer o inner; a product with a dense factor is kept dense, since hardly any of its entries are zero."""
    weight = outer.weight @ inner.weight
    if isinstance(weight, Sparse) and any(isinstance(factor, Dense) for factor in (outer.weight, inner.weight)):
        weight = Dense(weight.to_dense(), copy=False)
    bias = outer.bias if is_zero(inner.bias) else column(outer.apply(inner.bias.to_dense()[:, 0]))
    return Affine(weight, bias)


def _check_size(entries: int) -> None:
    if entries > ENTRY_LIMIT:
        raise ValueError(f"would need {entries:,} entries; the limit is {ENTRY_LIMIT:,}")


def _exact(values: torch.Tensor | np.ndarray, name: str) -> torch.Tensor:
    """Numbers as a float64 tensor on the CPU; raises ValueError for NaN, infinity, and what is not real."""
    if values.is_complex() if isinstance(values, torch.Tensor) else np.iscomplexobj(values):
        raise ValueError(f"{name} must be real")
    if isinstance(values, torch.Tensor):
        tensor = values.detach().to("cpu", torch.float64)
    else:
        tensor = torch.from_numpy(np.array(values, dtype=np.float64))
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{name} must be finite, got {tensor[~torch.isfinite(tensor)][0].item()}")
    return tensor


def _normalization(scale: Any, offset: Any, mean: Any, variance: Any, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Batch normalization with fixed statistics as x -> factor * x + offset."""
    variance = _exact(variance, "variance") + eps
    if not bool((variance > 0).all()):
        raise ValueError("variance + epsilon must be positive")
    factor = _exact(scale, "weight") / variance.sqrt()
    return factor, _exact(offset, "bias") - factor * _exact(mean, "mean")


# -- modules -----------------------------------------------------------------------------------------------------------

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
LAYERS: tuple[type[nn.Module], ...] = (
    *(nn.Linear, nn.ReLU, nn.Flatten, nn.Identity, nn.Conv1d, nn.Conv2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Unflatten),
    *NORMS,
    *DROPOUTS,
)


def read_module(module: nn.Module, input_shape: Sequence[int] | None = None) -> tuple[Affine, ...]:
    """The affine layers of a layer or `nn.Sequential`; see `ReLUNetwork.from_module`.

    >>> [layer.weight.shape for layer in read_module(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), (1, 4, 4))]
    [(8, 16), (8, 8)]
    """
    if not isinstance(input_shape, (Sequence, type(None))):
        raise TypeError(f"input_shape must be a sequence of sizes, e.g. (1, 28, 28), got {input_shape!r}")
    shape = None if input_shape is None else tuple(input_shape)
    if shape is not None and not (shape and all(isinstance(n, int) and n > 0 for n in shape)):
        raise ValueError(f"input_shape must be the positive sizes of one input without the batch, got {input_shape}")
    chain = Chain(shape)
    for place, layer in _leaves(module, "module"):
        kind = next((kind for kind in LAYERS if isinstance(layer, kind)), None)
        if kind is None or type(layer).forward is not kind.forward:
            names = ", ".join(kind.__name__ for kind in LAYERS)
            raise TypeError(f"module may hold {names} only, got {type(layer).__name__} at {place}")
        place = f"{place} ({type(layer).__name__})"
        try:
            _read_layer(layer, chain)
        except TypeError as error:
            raise TypeError(f"{place}: {error}") from error
        except (ValueError, RuntimeError) as error:
            hint = "" if shape is None else f" (input_shape is {shape})"
            raise ValueError(f"{place} {error}{hint}") from error
    return chain.finish()


def _leaves(module: nn.Module, place: str) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        for name, child in module.named_children():
            yield from _leaves(child, f"{place}.{name}")
    else:
        yield place, module


def _read_layer(layer: nn.Module, chain: Chain) -> None:
    if layer.training and isinstance(layer, (*NORMS, *DROPOUTS)):
        raise ValueError("is in training mode: call module.eval() first")
    match layer:
        case nn.Linear():
            chain.linear(_exact(layer.weight, "weight"), _optional(layer.bias, "bias"))
        case nn.ReLU():
            chain.relu()
        case nn.Flatten():
            if (layer.start_dim, layer.end_dim) != (1, -1):
                raise ValueError(f"must flatten from axis 1 to -1, got {layer.start_dim} to {layer.end_dim}")
            if chain.shape is not None:
                chain.shape = (math.prod(chain.shape),)
        case nn.Unflatten():
            chain.reshape(layer(torch.empty(1, *chain.known(), device="meta")).shape)
        case nn.Conv1d() | nn.Conv2d():
            if layer.padding_mode != "zeros":
                raise ValueError(f"padding_mode must be 'zeros', got {layer.padding_mode!r}")
            pads = _pads(layer)
            weight, bias = _exact(layer.weight, "weight"), _optional(layer.bias, "bias")
            chain.convolve(weight, bias, layer.stride, pads, layer.dilation, layer.groups)
        case nn.AvgPool2d() | nn.AdaptiveAvgPool2d():
            chain.pool(layer)
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            _read_norm(layer, chain)


def _read_norm(layer: nn.BatchNorm1d | nn.BatchNorm2d, chain: Chain) -> None:
    if layer.running_mean is None:
        raise ValueError("has no running statistics (track_running_stats=False), so it is no fixed map")
    if isinstance(layer, nn.BatchNorm1d) and chain.shape is None:
        chain.shape = (layer.num_features,)
    axes = (3,) if isinstance(layer, nn.BatchNorm2d) else (1, 2)
    shape = chain.known()
    if len(shape) not in axes or shape[0] != layer.num_features:
        raise ValueError(f"takes {layer.num_features} channels, got values of shape {shape}")
    weight = torch.ones(shape[0]) if layer.weight is None else layer.weight
    bias = torch.zeros(shape[0]) if layer.bias is None else layer.bias
    chain.scale(*_normalization(weight, bias, layer.running_mean, layer.running_var, layer.eps))


def _optional(values: Any, name: str) -> torch.Tensor | None:
    return None if values is None else _exact(values, name)


def _pads(layer: nn.Conv1d | nn.Conv2d) -> list[int]:
    """Padding before and after each axis; 'same' puts the odd one after."""
    if layer.padding == "valid":
        return [0] * (2 * len(layer.kernel_size))
    if layer.padding == "same":
        extra = [d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True)]
        return [n // 2 for n in extra] + [n - n // 2 for n in extra]
    return [int(n) for n in layer.padding] * 2


# -- ONNX --------------------------------------------------------------------------------------------------------------

ELEMENTWISE = ("Add", "Div", "Mul", "Sub")
SHAPING = ("Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
LINEAR = ("AveragePool", "BatchNormalization", "Conv", "Gemm", "GlobalAveragePool", "MatMul")
OPERATIONS = ("Constant", "Relu", *ELEMENTWISE, *LINEAR, *SHAPING)


def read_onnx(path: Path) -> ReLUNetwork:
    """The network of an ONNX file: a chain of `OPERATIONS` from one input to one output, for a batch of one.

    Raises ValueError that names the file, and the node where there is one.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    except ImportError as error:
        raise ValueError(f"reading {path} needs the package onnx: pip install onnx") from error
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        raise ValueError(f"{path} is not a readable ONNX file: {error}") from error
    try:
        _check_model(model)
        return ReLUNetwork(_read_graph(model.graph))
    except (onnx.checker.ValidationError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not describe a network that can be read: {error}") from error


def _check_model(model: Any) -> None:
    import onnx

    graph = model.graph
    if not graph.node:
        raise ValueError("the graph holds no node")
    for node in graph.node:
        if node.op_type not in OPERATIONS or node.domain not in ("", "ai.onnx"):
            raise ValueError(f"{_label(node)} is none of {', '.join(OPERATIONS)}")
    if model.functions:
        raise ValueError("the model defines functions of its own")
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if max(versions, default=0) < 7:
        raise ValueError(f"needs operator set 7 or newer, got {max(versions, default=0)}")
    constants = (attribute.t for node in graph.node for attribute in node.attribute if attribute.HasField("t"))
    for tensor in (*graph.initializer, *constants):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise ValueError(f"tensor {tensor.name!r} keeps its data in another file: save the model with its data inside")
    onnx.checker.check_model(model)


def _read_graph(graph: Any) -> tuple[Affine, ...]:
    from onnx import helper, numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ValueError(f"the graph must have one input and one output, got {len(inputs)} and {len(graph.output)}")
    chain, current = Chain(_input_shape(inputs[0])), inputs[0].name
    for node in graph.node:
        options = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type == "Constant":
            constants[node.output[0]] = _constant(node, options)
            continue
        changing = [name for name in node.input if name and name not in constants]
        if changing != [current]:
            raise ValueError(f"{_label(node)} must take {current!r} and constants only, got {changing}: the graph branches")
        try:
            arguments = [constants.get(name) for name in node.input]
            _read_node(node.op_type, list(node.input).index(current), arguments, options, chain)
        except (ValueError, TypeError, IndexError, RuntimeError) as error:
            raise ValueError(f"{_label(node)}: {error}") from error
        current = node.output[0]
    if graph.output[0].name != current:
        raise ValueError(f"the output {graph.output[0].name!r} is not the result {current!r} of the last node")
    return chain.finish()


def _label(node: Any) -> str:
    return f"node {node.name or (node.output[0] if node.output else '')!r} ({node.op_type})"


def _input_shape(value: Any) -> Shape:
    from onnx import TensorProto

    kind = value.type.tensor_type
    if kind.elem_type not in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16):
        raise ValueError(f"input {value.name!r} must hold floating-point numbers")
    sizes = [axis.dim_value if axis.HasField("dim_value") else None for axis in kind.shape.dim]
    if len(sizes) < 2 or sizes[0] not in (None, 1):
        raise ValueError(f"input {value.name!r} must have a batch axis of size 1 or without size, got shape {sizes}")
    shape = tuple(size for size in sizes[1:] if size)
    if len(shape) != len(sizes) - 1:
        raise ValueError(f"input {value.name!r} must have a positive size on every axis but the first, got shape {sizes}")
    return shape


def _constant(node: Any, options: dict[str, Any]) -> np.ndarray:
    from onnx import numpy_helper

    ((name, value),) = options.items()
    if name == "value":
        return numpy_helper.to_array(value)
    if name in ("value_float", "value_floats", "value_int", "value_ints"):
        return np.array(value)
    raise ValueError(f"{_label(node)} must hold numbers, got {name}")


def _read_node(kind: str, position: int, arguments: list[Any], options: dict[str, Any], chain: Chain) -> None:
    """Append one node: arguments[position] is the value so far (None), the others are constants, or None where left out."""
    if position and kind not in ("Add", "Mul", "Sub"):
        raise ValueError("takes the value so far as its first input only, got it as another one")
    shape = chain.known()
    rest = [*arguments[1:], *[None] * 4]
    match kind:
        case "Relu":
            chain.relu()
        case "Add" | "Sub" | "Mul" | "Div":
            _read_elementwise(kind, position, arguments[1 - position], chain)
        case "Gemm":
            if options.get("transA", 0) or len(shape) != 1:
                raise ValueError(f"takes rows of numbers with transA=0, got values of shape {shape}")
            weight = options.get("alpha", 1.0) * _exact(rest[0], "weight")
            weight = weight if options.get("transB", 0) else weight.T
            offset = None if rest[1] is None else _exact(np.broadcast_to(rest[1], (1, len(weight)))[0], "bias")
            chain.linear(weight, None if offset is None else options.get("beta", 1.0) * offset)
        case "MatMul":
            if rest[0].ndim != 2:
                raise ValueError(f"takes a matrix with two axes, got shape {rest[0].shape}")
            chain.linear(_exact(rest[0], "weight").T, None)
        case "Conv":
            _read_conv(rest[0], rest[1], options, chain)
        case "BatchNormalization":
            if options.get("training_mode", 0) or not options.get("spatial", 1):
                raise ValueError("must be in inference mode, one mean for each channel")
            if any(len(values) != shape[0] for values in rest[:4]):
                raise ValueError(f"needs {shape[0]} numbers of each kind for values of shape {shape}")
            scale, offset, mean, variance = rest[:4]
            chain.scale(*_normalization(scale, offset, mean, variance, options.get("epsilon", 1e-5)))
        case "AveragePool":
            chain.pool(_average(options, len(shape) - 1))
        case "GlobalAveragePool":
            chain.pool(nn.AdaptiveAvgPool2d(1))
        case "Transpose":
            axes = options.get("perm", list(reversed(range(len(shape) + 1))))
            if axes[0] != 0:
                raise ValueError(f"must keep the batch axis first, got perm {axes}")
            chain.permute([axis - 1 for axis in axes[1:]])
        case "Dropout":
            if rest[1] is not None and bool(rest[1]):
                raise ValueError("must be in inference mode")
        case "Flatten":
            axis = options.get("axis", 1) % (len(shape) + 1)
            chain.reshape((math.prod(shape[: axis - 1]), math.prod(shape[axis - 1 :])) if axis else (0,))
        case "Reshape":
            full, keep = (1, *shape), not options.get("allowzero", 0)
            target = [full[i] if size == 0 and keep else size for i, size in enumerate(rest[0].tolist())]
            chain.reshape(torch.empty(full, device="meta").reshape(target).shape)
        case "Squeeze" | "Unsqueeze":
            axes = options["axes"] if "axes" in options else [] if rest[0] is None else rest[0].tolist()
            chain.reshape(_with_axes(kind, (1, *shape), axes))


def _read_elementwise(kind: str, position: int, constant: np.ndarray, chain: Chain) -> None:
    shape = chain.known()
    values = _exact(np.broadcast_to(constant, (1, *shape)), "constant").reshape(-1)
    one, zero = torch.ones_like(values), torch.zeros_like(values)
    match kind:
        case "Add":
            chain.scale(one, values)
        case "Sub":
            chain.scale(*((-one, values) if position else (one, -values)))
        case "Mul":
            chain.scale(values, zero)
        case "Div":
            chain.scale(_exact(values.reciprocal(), "1 / constant"), zero)


def _read_conv(weight: np.ndarray, bias: np.ndarray | None, options: dict[str, Any], chain: Chain) -> None:
    spatial = weight.ndim - 2
    if spatial not in (1, 2):
        raise ValueError(f"must have one or two dimensions, got weights of shape {weight.shape}")
    if options.get("kernel_shape", [*weight.shape[2:]]) != [*weight.shape[2:]]:
        raise ValueError(f"kernel_shape {options['kernel_shape']} does not fit weights of shape {weight.shape}")
    ones, pads = [1] * spatial, _explicit_pads(options, spatial)
    strides, dilations = options.get("strides", ones), options.get("dilations", ones)
    kernel, offset = _exact(weight, "weight"), _optional(bias, "bias")
    chain.convolve(kernel, offset, strides, pads, dilations, options.get("group", 1))


def _explicit_pads(options: dict[str, Any], spatial: int) -> list[int]:
    if options.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise ValueError(f"auto_pad must be NOTSET, got {options['auto_pad'].decode()}")
    return list(options.get("pads", [0] * (2 * spatial)))


def _average(options: dict[str, Any], spatial: int) -> nn.AvgPool2d:
    pads, kernel = _explicit_pads(options, spatial), options["kernel_shape"]
    if options.get("ceil_mode", 0) or pads[:spatial] != pads[spatial:] or set(options.get("dilations", [1])) != {1}:
        raise ValueError("must have ceil_mode=0, equal pads on both sides and no dilation")
    include, (height, width), (top, left) = bool(options.get("count_include_pad", 0)), kernel, pads[:2]
    down, right = options.get("strides", (1, 1))
    return nn.AvgPool2d((height, width), (down, right), (top, left), count_include_pad=include)


def _with_axes(kind: str, full: Shape, axes: Sequence[int]) -> list[int]:
    """The shape with the given axes of size 1 taken out (Squeeze) or put in (Unsqueeze)."""
    rank = len(full) + (len(axes) if kind == "Unsqueeze" else 0)
    places = sorted(axis % rank for axis in axes)
    if not places or places[0] == 0:
        raise ValueError(f"must name axes other than the batch axis, got {list(axes)}")
    if kind == "Squeeze":
        if any(full[place] != 1 for place in places):
            raise ValueError(f"must take out axes of size 1, got axes {list(axes)} of shape {full}")
        return [size for i, size in enumerate(full) if i not in places]
    shape = list(full)
    for place in places:
        shape.insert(place, 1)
    return shape
