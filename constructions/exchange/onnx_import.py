"""ONNX files read as networks: any graph of piecewise-linear operations from one input to one
output.

Constants are computed by onnx's own reference evaluator, which also says at some points what each
node's value is. Nothing in a file is executed.
"""

from __future__ import annotations

import gzip
import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ..linear.affine import Affine
from ..linear.matrix import ENTRY_LIMIT, Sparse, zeros
from ..networks.graph import Graph
from ..networks.modules import check_layers
from ..networks.operations import MONOTONE_HINT, Operations, Value, exact_numbers
from ..networks.origin import Origin

SIZE_LIMIT = 2**31
"""Most bytes that a compressed file may unpack to."""

PROBES = 2
"""Points at which each node's value is compared with that of onnx's reference evaluator."""

DISPUTED = "which runtimes understand differently: give it pads instead of auto_pad"


def read_onnx(path: Path) -> tuple[tuple[Affine, ...], Origin]:
    """The layers of an ONNX file (.onnx or .onnx.gz), and where they come from.

    The input is taken as a whole, flattened row by row; a first axis without size is a batch of
    one. Raises ValueError that names the file and, where there is one, the node, its operation and
    the reason.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    except ImportError as error:
        raise ValueError(f"reading {path} needs the package onnx: pip install onnx") from error
    try:
        content = _bytes(path)
        model = onnx.load_model_from_string(content)
    except (DecodeError, OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path} is not a readable ONNX file: {error}") from error
    digest = hashlib.sha256(content)
    try:
        _load_outside(model, path, digest)
        _check_model(model)
        return _read_model(model, digest.hexdigest())
    except (onnx.checker.ValidationError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not describe a network that can be read: {error}") from error


def _bytes(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    with gzip.open(path) as file:
        content = file.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise ValueError(f"it unpacks to more than {SIZE_LIMIT:,} bytes")
    return content


def _load_outside(model: Any, path: Path, digest: Any) -> None:
    """Read tensors that are kept in other files of the same folder."""
    from onnx import TensorProto
    from onnx.external_data_helper import load_external_data_for_tensor

    constants = (a.t for node in model.graph.node for a in node.attribute if a.HasField("t"))
    for tensor in (*model.graph.initializer, *constants):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            try:
                load_external_data_for_tensor(tensor, str(path.parent))
            except Exception as error:  # onnx raises many kinds
                raise ValueError(
                    f"tensor {tensor.name!r} keeps its data in another file: {error}"
                ) from error
            tensor.data_location = TensorProto.DEFAULT
            del tensor.external_data[:]
            digest.update(tensor.raw_data)


def _check_model(model: Any) -> None:
    import onnx

    graph = model.graph
    if not graph.node:
        raise ValueError("the graph holds no node")
    if model.functions:
        raise ValueError("the model defines functions of its own")
    if len(graph.output) != 1:
        raise ValueError(f"the graph must have one output, got {len(graph.output)}")
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if max(versions, default=0) < 7:
        raise ValueError(
            f"needs operator set 7 or newer, got {max(versions, default=0)}: "
            f"onnx.version_converter makes a newer one"
        )
    onnx.checker.check_model(model)


def _read_model(model: Any, digest: str) -> tuple[tuple[Affine, ...], Origin]:
    graph = model.graph
    reader = _Reader(model)
    output = reader.read()
    points = _probes(reader.graph.nodes[0].size, reader.dtype)
    reader.compare(points)
    compiled = reader.graph.compile(output.node)
    layers = tuple(compiled.layers)
    check_layers(reader.graph, output.node, layers, points)
    trained = (
        reader.known[tensor.name] for tensor in graph.initializer if tensor.name in reader.used
    )
    numbers = sum(array.size for array in trained if array.dtype.kind == "f")
    rounded = tuple(dict.fromkeys(compiled.rounded))
    errors = tuple(compiled.errors)
    return layers, Origin(
        "ONNX file", digest, numbers, compiled.merged, compiled.carried, rounded, errors, layers
    )


def _probes(size: int, dtype: np.dtype[Any]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(PROBES, size, generator=generator, dtype=torch.float64)
    points[1::2] = torch.randn(points[1::2].shape, generator=generator, dtype=torch.float64)
    return torch.from_numpy(points.numpy().astype(dtype).astype(np.float64))


def _label(node: Any) -> str:
    return f"node {node.name or (node.output[0] if node.output else '')!r} ({node.op_type})"


class _Reader:
    """Reads a model's nodes in order: constants as arrays, what depends on the input as values."""

    def __init__(self, model: Any) -> None:
        from onnx import numpy_helper

        self.model = model
        self.opsets = {entry.domain: entry.version for entry in model.opset_import}
        self.opset = max(self.opsets.get("", 0), self.opsets.get("ai.onnx", 0))
        self.known: dict[str, Any] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        inputs = [value for value in model.graph.input if value.name not in self.known]
        if len(inputs) != 1:
            raise ValueError(f"the graph must have one input, got {len(inputs)}")
        self.input = inputs[0].name
        self.shape, self.dtype = _input(inputs[0])
        self.graph = Graph(math.prod(self.shape))
        self.operations = Operations(self.graph)
        self.known[self.input] = Value(0, self.shape)
        self.used: set[str] = set()

    def read(self) -> Value:
        """The value of the output."""
        output = self.model.graph.output[0].name
        self._drop_dead(output)
        for node in self.model.graph.node:
            self.graph.place = _label(node)
            self.used |= set(node.input)
            missing = [name for name in node.input if name and name not in self.known]
            if missing:
                raise ValueError(f"{_label(node)} uses {missing[0]!r} before it is there")
            arguments = [self.known[name] if name else None for name in node.input]
            results = self._node(node, arguments)
            for name, result in zip(node.output, results, strict=False):
                self.known[name] = result
        found = self.known.get(output)
        if not isinstance(found, Value):
            raise ValueError(f"the output {output!r} does not depend on the input")
        return found

    def _drop_dead(self, output: str) -> None:
        """Take out nodes that the output does not depend on."""
        wanted, kept = {output}, []
        for node in reversed(self.model.graph.node):
            if wanted & set(node.output):
                wanted |= set(node.input)
                kept.append(node)
        del self.model.graph.node[:]
        self.model.graph.node.extend(reversed(kept))
        for node in self.model.graph.node:
            kind, names = (
                _attribute(node, "auto_pad", b""),
                [attribute.name for attribute in node.attribute],
            )
            if "ceil_mode" not in names:
                continue
            if kind == b"VALID" and _attribute(node, "ceil_mode", 0):
                raise ValueError(f"{_label(node)}: has ceil_mode and no padding, {DISPUTED}")
            if kind.startswith(b"SAME"):  # says how many windows there are, whatever ceil_mode
                del node.attribute[names.index("ceil_mode")]

    def _node(self, node: Any, arguments: list[Any]) -> Sequence[Any]:
        from onnx import helper

        if node.domain not in ("", "ai.onnx"):
            raise ValueError(f"{_label(node)} is of another operator set, {node.domain!r}")
        symbolic = any(isinstance(argument, Value) for argument in arguments)
        if symbolic and node.op_type not in (*HANDLERS, *MOVES, "Cast", "Shape", "Size"):
            known = ", ".join(sorted((*HANDLERS, *MOVES, "Cast", "Constant", "Shape", "Size")))
            hint = f"; {MONOTONE_HINT}" if node.op_type in MONOTONE else ""
            raise ValueError(
                f"{_label(node)} is none of {known}, and its input is no constant{hint}"
            )
        options = {
            attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute
        }
        try:
            _check_inference(node, arguments, options, self.opset)
            if node.op_type == "Slice":
                _check_slice(arguments)
            if not symbolic:
                found = self.evaluate(node, arguments)
                if node.op_type in WINDOWS:
                    _check_constant(node, arguments, options, found[0])
                return found
            if node.op_type == "Shape":
                sizes = np.array(arguments[0].shape, dtype=np.int64)
                return [sizes[options.get("start", 0) : options.get("end", len(sizes))]]
            if node.op_type == "Size":
                return [np.array(arguments[0].size, dtype=np.int64)]
            if node.op_type == "Cast":
                return [self._cast(arguments[0], helper.tensor_dtype_to_np_dtype(options["to"]))]
            if node.op_type in MOVES:
                return self._move(node, arguments, options)
            return [HANDLERS[node.op_type](self.operations, arguments, options)]
        except (ValueError, TypeError, IndexError, RuntimeError, KeyError, AttributeError) as error:
            raise ValueError(f"{_label(node)}: {error}") from error

    def _cast(self, x: Value, dtype: np.dtype[Any]) -> Value:
        if (
            dtype not in (np.float16, np.float32, np.float64)
            or np.finfo(dtype).eps > np.finfo(self.dtype).eps
        ):
            raise ValueError(f"rounds to {dtype}, while the input is {self.dtype}")
        return x

    def evaluate(self, node: Any, arguments: list[Any]) -> Sequence[Any]:
        """A node of constants, by onnx's reference evaluator."""
        from onnx import helper

        if node.op_type.startswith("Random") or node.op_type in ("Bernoulli", "Multinomial"):
            raise ValueError("draws random numbers")
        feed = {name: value for name, value in zip(node.input, arguments, strict=False) if name}
        kinds = {name: helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in feed.items()}
        ends = [helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items()]
        outputs = [helper.make_tensor_value_info(name, 0, None) for name in node.output if name]
        graph = helper.make_graph([node], "node", ends, outputs)
        try:
            model = helper.make_model(graph, opset_imports=self.model.opset_import)
            results: Any = _evaluator(model).run(None, feed)
        except Exception as error:  # the evaluator raises many kinds
            raise ValueError(f"cannot be evaluated: {type(error).__name__}: {error}") from error
        for result in results:
            if isinstance(result, np.ndarray) and result.size > ENTRY_LIMIT:
                raise ValueError(
                    f"would need {result.size:,} entries; the limit is {ENTRY_LIMIT:,}"
                )
        return results

    def _move(self, node: Any, arguments: list[Any], options: dict[str, Any]) -> Sequence[Any]:
        """What only moves numbers, done to their places (from 1 on; 0 is filled in by padding)."""
        values: list[Value] = []
        constants: list[np.ndarray] = []
        start, fixed = 1, -1
        joined: list[Any] = []
        for i, argument in enumerate(arguments):
            if isinstance(argument, Value):
                joined.append(
                    np.arange(start, start + argument.size, dtype=np.int64).reshape(argument.shape)
                )
                values.append(argument)
                start += argument.size
            elif node.op_type == "Concat":
                joined.append(
                    np.arange(fixed, fixed - argument.size, -1, dtype=np.int64).reshape(
                        argument.shape
                    )
                )
                constants.append(np.asarray(argument, dtype=np.float64).reshape(-1))
                fixed -= argument.size
            elif node.op_type == "Pad" and i == 2:
                joined.append(None)
            else:
                joined.append(argument)
        fill = 0.0
        if node.op_type == "Pad":
            given = arguments[2] if len(arguments) > 2 else options.get("value")
            fill = 0.0 if given is None else float(np.asarray(given).reshape(-1)[0])
        if node.op_type == "Pad" and len(arguments) > 2:
            node = _without(node, 2)
        if node.op_type == "Pad" and "value" in options:
            node = _without_option(node, "value")
        if node.op_type == "Reshape" and options.get("allowzero", 0) == 0:
            joined[1] = np.array(
                [values[0].shape[i] if n == 0 else n for i, n in enumerate(joined[1].tolist())],
                dtype=np.int64,
            )
        results = []
        for places in self.evaluate(node, joined):
            if places is None or places.dtype != np.int64:
                raise ValueError("does more than to move numbers")
            places = torch.from_numpy(places.copy())
            moved = self.operations.gather(values, torch.where(places > 0, places - 1, -1))
            if constants:
                numbers = torch.from_numpy(np.concatenate([*constants, np.zeros(1)]))
                moved = self.operations.shift(
                    moved, numbers[torch.where(places < 0, -places - 1, len(numbers) - 1)]
                )
            elif fill:
                moved = self.operations.shift(moved, (places == 0).double() * fill)
            results.append(moved)
        return results

    def compare(self, points: torch.Tensor) -> None:
        """Raise ValueError unless each node's value at some points is what onnx's reference
        evaluator says.
        """
        found = self.graph.enclosures(points, torch.from_numpy(np.zeros(0, self.dtype)).dtype)
        evaluator = _evaluator(self.model)
        for i, point in enumerate(points):
            feed = {self.input: point.numpy().astype(self.dtype).reshape(self.shape)}
            try:
                results = evaluator.run(None, feed, intermediate=True)
            except Exception as error:  # the evaluator raises many kinds
                raise ValueError(
                    f"onnx's reference evaluator fails: {type(error).__name__}: {error}"
                ) from error
            for node in self.model.graph.node:
                for name in node.output:
                    value = self.known.get(name)
                    if not isinstance(value, Value) or name not in results:
                        continue
                    actual = torch.from_numpy(
                        np.asarray(results[name], dtype=np.float64).reshape(-1).copy()
                    )
                    expected, slip = (part[i] for part in found[value.node])
                    if actual.shape != expected.shape or not bool(
                        ((actual - expected).abs() <= slip).all()
                    ):
                        raise ValueError(f"{_label(node)} does not compute what was read of it")


def _check_constant(
    node: Any, arguments: list[Any], options: dict[str, Any], result: np.ndarray
) -> None:
    """Refuse a window over a constant that the evaluator understands otherwise than we do."""
    constant = np.asarray(arguments[0])
    point = torch.from_numpy(constant.astype(np.float64).reshape(1, -1))
    graph = Graph(constant.size)
    value = Value(0, constant.shape)
    read = HANDLERS[node.op_type](Operations(graph), [value, *arguments[1:]], options)
    expected, slip = graph.enclosures(point, torch.from_numpy(np.zeros(0, constant.dtype)).dtype)[
        read.node
    ]
    actual = torch.from_numpy(result.astype(np.float64).reshape(1, -1))
    if read.shape != result.shape or not bool(((actual - expected).abs() <= slip).all()):
        raise ValueError("does not compute what was read of it")


def _attribute(node: Any, name: str, otherwise: Any) -> Any:
    from onnx import helper

    return next(
        (helper.get_attribute_value(a) for a in node.attribute if a.name == name), otherwise
    )


def _evaluator(model: Any) -> Any:
    """onnx's reference evaluator, with pooling by PyTorch, as its own is wrong for signals and for
    some paddings, and with normalization by the statistics given, where its own takes those of the
    input before operator set 14.
    """
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun

    def window(x: Any, given: dict[str, Any]) -> tuple[Any, ...]:
        """Kernel, strides, pads, those that ceil_mode adds, and dilations."""
        options = {name: value for name, value in given.items() if value is not None}
        options["auto_pad"] = options.get("auto_pad", "NOTSET").encode()
        kernel, sizes = list(options["kernel_shape"]), x.shape[2:]
        strides, pads, dilations = _pads(options, sizes, kernel)
        wide = _ceiling(options, sizes, kernel, strides, pads, dilations)
        return kernel, strides, pads, [a - b for a, b in zip(wide, pads, strict=True)], dilations

    def padded(image: torch.Tensor, pads: list[int], value: float) -> torch.Tensor:
        spatial = len(pads) // 2
        sides = [pads[i + side] for i in reversed(range(spatial)) for side in (0, spatial)]
        return functional.pad(image, sides, value=value)

    class MaxPool(OpRun):
        def _run(self, x: Any, **given: Any) -> tuple[Any]:
            kernel, strides, pads, more, dilations = window(x, given)
            image = padded(torch.from_numpy(x.astype(np.float64)), pads, -math.inf)
            run = getattr(functional, f"max_pool{len(kernel)}d")
            found = run(padded(image, more, -math.inf), kernel, strides, 0, dilations)
            return (found.numpy().astype(x.dtype),)

    class AveragePool(OpRun):
        def _run(self, x: Any, **given: Any) -> tuple[Any]:
            kernel, strides, pads, more, dilations = window(x, given)
            image = torch.from_numpy(x.astype(np.float64)).reshape(-1, 1, *x.shape[2:])
            inside = padded(torch.ones_like(image), pads, float(given["count_include_pad"] or 0))
            run, ones = getattr(functional, f"conv{len(kernel)}d"), torch.ones(1, 1, *kernel)
            total, count = (
                run(padded(part, more, 0.0), ones.double(), None, strides, 0, dilations)
                for part in (padded(image, pads, 0.0), inside)
            )
            mean = (total / count).numpy()
            return (mean.reshape(*x.shape[:2], *mean.shape[2:]).astype(x.dtype),)

    class GlobalMaxPool(OpRun):
        def _run(self, x: Any) -> tuple[Any]:
            return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)

    class BatchNormalization(OpRun):
        def _run(self, x: Any, *rest: Any, epsilon: float, **_: Any) -> tuple[Any]:
            view = (-1, *[1] * (x.ndim - 2))
            scale, bias, mean, variance = (v.reshape(view) for v in rest)
            y = scale * (x - mean) / np.sqrt(variance + np.float32(epsilon)) + bias
            return (y.astype(x.dtype),)

    ours: list[Any] = [MaxPool, AveragePool, GlobalMaxPool, BatchNormalization]
    return ReferenceEvaluator(model, new_ops=ours)


def _check_inference(node: Any, arguments: list[Any], options: dict[str, Any], opset: int) -> None:
    """Refuse nodes in training mode: what they compute depends on the batch, or on chance."""
    training = False
    if node.op_type == "BatchNormalization":  # several outputs meant training before 14
        several = opset < 14 and sum(map(bool, node.output)) > 1
        training = several or bool(options.get("training_mode", 0))
        if not options.get("spatial", 1):
            raise ValueError("must have one mean for each channel: spatial=1")
    if node.op_type == "Dropout" and len(arguments) > 2 and arguments[2] is not None:
        training = isinstance(arguments[2], Value) or bool(np.any(arguments[2]))
    if training:
        raise ValueError("must be in inference mode: export the model in eval mode")


def _check_slice(arguments: list[Any]) -> None:
    """Refuse slices backwards from before the first number or to after the last: evaluators do not
    agree about these.
    """
    x, starts, ends, axes, steps = (*arguments, *[None] * 4)[:5]
    if steps is None or starts is None or ends is None:
        return
    shape = x.shape
    axes = (
        range(len(starts))
        if axes is None
        else [int(axis) % len(shape) for axis in np.asarray(axes).reshape(-1)]
    )
    for axis, start, end, step in zip(
        axes, starts.tolist(), ends.tolist(), np.asarray(steps).tolist(), strict=True
    ):
        if step < 0 and (start < -shape[axis] or end >= shape[axis]):
            raise ValueError(
                f"goes backwards from {start} to {end} along an axis of size {shape[axis]}: give "
                f"places within it"
            )


def _without(node: Any, place: int) -> Any:
    """The node with one of its inputs left out."""
    import onnx

    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.input[place] = ""
    return copy


def _without_option(node: Any, option: str) -> Any:
    import onnx

    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.attribute[:]
    copy.attribute.extend(attribute for attribute in node.attribute if attribute.name != option)
    return copy


def _input(value: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the input; a first axis without size is a batch of one."""
    from onnx import TensorProto, helper

    kind = value.type.tensor_type
    if kind.elem_type not in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16):
        raise ValueError(
            f"input {value.name!r} must hold floating-point numbers of 16, 32 or 64 bits"
        )
    sizes = [axis.dim_value if axis.HasField("dim_value") else None for axis in kind.shape.dim]
    if sizes and sizes[0] in (None, 0):
        sizes[0] = 1
    shape = tuple(size for size in sizes if size)
    if len(shape) != len(sizes) or not kind.HasField("shape"):
        raise ValueError(
            f"input {value.name!r} must have a positive size on every axis but the first, got "
            f"shape {sizes}: export the model for inputs of one size"
        )
    if math.prod(shape) > ENTRY_LIMIT:
        raise ValueError(
            f"input {value.name!r} would need {math.prod(shape):,} entries; the limit is "
            f"{ENTRY_LIMIT:,}"
        )
    return shape, np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type))


# -- operations ------------------------------------------------------------------------------------

Handler = Callable[[Operations, list[Any], dict[str, Any]], Value]


def _numbers(value: Any, name: str = "constant") -> torch.Tensor:
    return exact_numbers(np.asarray(value), name)


def _two(name: str) -> Handler:
    """Add, Sub, Mul, Div: of a value and a constant, on either side, or of two values."""

    def handler(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
        x, y = arguments
        both = isinstance(x, Value) and isinstance(y, Value)
        one = torch.ones((), dtype=torch.float64)
        if name in ("Add", "Sub"):
            sign = 1.0 if name == "Add" else -1.0
            if both:
                return o.add(x, y, sign)
            return (
                o.shift(x, sign * _numbers(y))
                if isinstance(x, Value)
                else o.scale(y, sign * one, _numbers(x))
            )
        if both or (name == "Div" and isinstance(y, Value)):
            raise ValueError("of values that depend on the input is not piecewise linear")
        if name == "Div":
            return o.divide(x, _numbers(y))
        return o.scale(x, _numbers(y)) if isinstance(x, Value) else o.scale(y, _numbers(x))

    return handler


def _gemm(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    x, weight, bias = (*arguments, None)[:3]
    if not isinstance(x, Value) or isinstance(weight, Value) or isinstance(bias, Value):
        raise ValueError("must take constants as its matrix and bias")
    if options.get("transA", 0):
        x = o.move([x], lambda places: places.T)
    matrix = _numbers(weight, "weight")
    matrix = matrix if options.get("transB", 0) else matrix.T
    if options.get("transA", 0) and x.shape[-1] != matrix.shape[1]:
        raise ValueError(
            f"takes {matrix.shape[1]} numbers a row, got {x.shape} after transposing; with "
            f"transA=0 it would not"
        )
    product = o.linear(x, matrix, None)
    alpha, beta = float(options.get("alpha", 1.0)), float(options.get("beta", 1.0))
    if alpha != 1:
        product = o.scale(product, _numbers(alpha, "alpha"))
    if bias is None or beta == 0:
        return product
    offset = _numbers(bias, "bias")
    if alpha == beta == 1 and (offset.ndim <= 1 or (offset.ndim == 2 and offset.shape[0] == 1)):
        return o.linear(x, matrix, offset.reshape(-1))
    return o.shift(product, offset, beta)


def _matmul(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    x, y = arguments
    if isinstance(x, Value) and isinstance(y, Value):
        raise ValueError("of two values that depend on the input is not piecewise linear")
    if isinstance(x, Value):
        matrix = _numbers(y, "weight")
        if matrix.ndim == 1:
            out = o.linear(x, matrix[None], None)
            return Value(out.node, out.shape[:-1])
        if matrix.ndim > 2 and math.prod(matrix.shape[:-2]) == 1:
            lead = (1,) * max(0, matrix.ndim - len(x.shape))
            x, matrix = Value(x.node, (*lead, *x.shape)), matrix.reshape(matrix.shape[-2:])
        if matrix.ndim != 2:
            raise ValueError(f"takes a matrix with two axes, got shape {tuple(matrix.shape)}")
        return o.linear(x, matrix.T, None)
    matrix = _numbers(x, "weight")
    if matrix.ndim > 2 and math.prod(matrix.shape[:-2]) == 1:
        y = Value(y.node, ((1,) * max(0, matrix.ndim - len(y.shape))) + y.shape)
        matrix = matrix.reshape(matrix.shape[-2:])
    if matrix.ndim == 1 or len(y.shape) == 1:
        if len(y.shape) == 1:
            return (
                o.linear(y, matrix.reshape(-1, y.size), None)
                if matrix.ndim == 2
                else _dot(o, y, matrix)
            )
        turned = o.linear(o.move([y], lambda places: places.transpose(-1, -2)), matrix[None], None)
        return Value(turned.node, turned.shape[:-1])
    if matrix.ndim != 2:
        raise ValueError(f"takes a matrix with two axes, got shape {tuple(matrix.shape)}")
    turned = o.linear(o.move([y], lambda places: places.transpose(-1, -2)), matrix, None)
    return o.move([turned], lambda places: places.transpose(-1, -2))


def _dot(o: Operations, x: Value, vector: torch.Tensor) -> Value:
    return Value(o.linear(x, vector[None], None).node, ())


def _pads(
    options: dict[str, Any], sizes: Sequence[int], kernel: Sequence[int]
) -> tuple[list[int], list[int], list[int]]:
    """Strides, pads (before, then after) and dilations of a sliding window, automatic padding
    resolved.
    """
    spatial = len(sizes)
    strides = list(options.get("strides", [1] * spatial))
    dilations = list(options.get("dilations", [1] * spatial))
    kind = options.get("auto_pad", b"NOTSET").decode()
    if kind in ("NOTSET", ""):
        return strides, list(options.get("pads", [0] * (2 * spatial))), dilations
    if kind == "VALID":
        return strides, [0] * (2 * spatial), dilations
    if kind not in ("SAME_UPPER", "SAME_LOWER"):
        raise ValueError(f"auto_pad must be NOTSET, VALID, SAME_UPPER or SAME_LOWER, got {kind}")
    needs = []
    for n, k, s, d in zip(sizes, kernel, strides, dilations, strict=True):
        needs.append(max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n))
    small, large = [n // 2 for n in needs], [n - n // 2 for n in needs]
    return strides, [*small, *large] if kind == "SAME_UPPER" else [*large, *small], dilations


def _ceiling(
    options: dict[str, Any],
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: list[int],
    pads: list[int],
    dilations: list[int],
) -> list[int]:
    """Pads that let the last window of ceil_mode start inside the padded image."""
    spatial, out = len(sizes), list(pads)
    if not options.get("ceil_mode", 0):
        return out
    for i, n in enumerate(sizes):
        reach = dilations[i] * (kernel[i] - 1) + 1
        count = -(-(n + pads[i] + pads[i + spatial] - reach) // strides[i]) + 1
        count -= (count - 1) * strides[i] >= n + pads[i]
        out[i + spatial] = max(pads[i + spatial], (count - 1) * strides[i] + reach - n - pads[i])
    return out


def _row_by_row(handler: Handler) -> Handler:
    """The operation on a batch, from what it does to one row of shape (1, C, ...)."""

    def whole(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
        x, *rest = arguments
        if not isinstance(x, Value) or len(x.shape) < 2:
            raise ValueError(f"takes an image of shape (N, C, ...), got shape {tuple(x.shape)}")
        if x.shape[0] == 1:
            return handler(o, arguments, options)
        places = torch.arange(x.size).reshape(x.shape)
        rows = [handler(o, [o.gather([x], row[None]), *rest], options) for row in places]
        return o.gather(
            rows, torch.arange(len(rows) * rows[0].size).reshape(len(rows), *rows[0].shape[1:])
        )

    return whole


def _conv(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    x, weight, bias = (*arguments, None)[:3]
    if not isinstance(x, Value) or isinstance(weight, Value) or isinstance(bias, Value):
        raise ValueError("must take constants as its kernel and bias")
    kernel, offset = _numbers(weight, "weight"), None if bias is None else _numbers(bias, "bias")
    if options.get("kernel_shape", [*kernel.shape[2:]]) != [*kernel.shape[2:]]:
        raise ValueError(
            f"kernel_shape {options['kernel_shape']} does not fit weights of shape "
            f"{tuple(kernel.shape)}"
        )
    strides, pads, dilations = _pads(options, x.shape[2:], kernel.shape[2:])
    return o.convolve(x, kernel, offset, strides, pads, dilations, options.get("group", 1))


def _conv_transpose(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    x, weight, bias = (*arguments, None)[:3]
    if not isinstance(x, Value) or isinstance(weight, Value) or isinstance(bias, Value):
        raise ValueError("must take constants as its kernel and bias")
    kernel, offset = _numbers(weight, "weight"), None if bias is None else _numbers(bias, "bias")
    spatial, sizes = kernel.ndim - 2, x.shape[2:]
    run = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d}.get(spatial)
    if run is None:
        raise ValueError(
            f"must have one or two dimensions, got weights of shape {tuple(kernel.shape)}"
        )
    strides, dilations = (
        list(options.get("strides", [1] * spatial)),
        list(options.get("dilations", [1] * spatial)),
    )
    extra = list(options.get("output_padding", [0] * spatial))
    reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel.shape[2:], strict=True)]
    kind = options.get("auto_pad", b"NOTSET").decode()
    pads = list(options.get("pads", [0] * (2 * spatial)))
    goal = options.get("output_shape")
    if kind in ("SAME_UPPER", "SAME_LOWER") and not goal:
        goal = [n * s for n, s in zip(sizes, strides, strict=True)]
    if goal:
        goal = list(goal)[-spatial:]
        for i in range(spatial):
            need = strides[i] * (sizes[i] - 1) + extra[i] + reach[i] - goal[i]
            small, large = need // 2, need - need // 2
            pads[i], pads[i + spatial] = (large, small) if kind == "SAME_LOWER" else (small, large)
    if min(pads) < 0:
        raise ValueError(f"needs no negative pads, got {pads}")
    groups = options.get("group", 1)

    def whole(z: torch.Tensor) -> torch.Tensor:
        out = run(z, kernel, None, strides, 0, 0, groups, dilations)
        tail = [
            size
            for i in reversed(range(spatial))
            for size in (-pads[i], extra[i] - pads[i + spatial])
        ]
        return functional.pad(out, tail)

    return o.by_units(x, whole, offset)


def _average_pool(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    x = arguments[0]
    kernel = list(options["kernel_shape"])
    strides, pads, dilations = _pads(options, x.shape[2:], kernel)
    wide = _ceiling(options, x.shape[2:], kernel, strides, pads, dilations)
    spatial = len(kernel)
    windows, image = o.patches((1, 1, *x.shape[2:]), kernel, strides, wide, dilations)
    if options.get("count_include_pad", 0):
        grown = [n + pads[i] + pads[i + spatial] for i, n in enumerate(x.shape[2:])]
        extra = [0] * spatial + [wide[i + spatial] - pads[i + spatial] for i in range(spatial)]
        counts = (o.patches((1, 1, *grown), kernel, strides, extra, dilations)[0] >= 0).sum(dim=0)
    else:
        counts = (windows >= 0).sum(dim=0)
    return _means(o, x, windows, counts, image)


def _means(
    o: Operations, x: Value, windows: torch.Tensor, counts: torch.Tensor, image: tuple[int, ...]
) -> Value:
    """Sums over windows, divided by counts, on each channel."""
    if not bool((counts > 0).all()):
        raise ValueError("has a window that sees padding alone")
    channels, size, places = x.shape[1], math.prod(x.shape[2:]), math.prod(image)
    cells, columns = (windows >= 0).nonzero(as_tuple=True)
    inner = windows[cells, columns]
    number = torch.arange(channels)[:, None]
    rows, sources = (number * places + columns).reshape(-1), (number * size + inner).reshape(-1)
    ones = torch.ones(len(rows), dtype=torch.float64)
    matrix = Sparse((channels * places, channels * size), rows, sources, ones)
    total = Value(
        o.graph.linear([(x.node, matrix)], zeros(channels * places, 1)), (1, channels, *image)
    )
    return o.divide(total, counts.double().reshape(1, 1, *image))


def _max_pool(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    x = arguments[0]
    kernel = list(options["kernel_shape"])
    if options.get("storage_order", 0):
        raise ValueError("must have storage_order=0")
    automatic = options.get("auto_pad", b"NOTSET").startswith(b"SAME")
    if automatic and max(options.get("dilations", [1])) > 1:
        raise ValueError(f"has dilations and automatic padding, {DISPUTED}")
    strides, pads, dilations = _pads(options, x.shape[2:], kernel)
    return o.max_pool(
        x,
        kernel,
        strides,
        _ceiling(options, x.shape[2:], kernel, strides, pads, dilations),
        dilations,
    )


def _normalization(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    x, *rest = arguments
    scale, offset, mean, variance = (
        _numbers(v, n) for v, n in zip(rest, ("weight", "bias", "mean", "variance"), strict=True)
    )
    return o.normalize(
        x, scale, offset, mean, variance, float(options.get("epsilon", np.float32(1e-5)))
    )


def _clip(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    x, low, high = (*arguments, None, None)[:3]
    low, high = (
        np.float32(options[k]) if k in options else v for k, v in (("min", low), ("max", high))
    )
    if isinstance(low, Value) or isinstance(high, Value) or not isinstance(x, Value):
        raise ValueError("must clip between constants")
    given = [None if v is None else np.asarray(v).reshape(-1)[0] for v in (low, high)]
    # no number is larger
    ends = [None if v is None or abs(v) >= np.finfo(v.dtype).max else float(v) for v in given]
    if any(v is not None and math.isnan(v) for v in ends) or (
        None not in ends and ends[0] > ends[1]  # type: ignore[operator]
    ):
        raise ValueError(f"clips between {ends[0]} and {ends[1]}, no interval")
    return o.clip(x, *ends)


def _extreme(sign: float) -> Handler:
    """Max or Min of any number of values and constants."""

    def handler(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
        values = [a for a in arguments if isinstance(a, Value)]
        constants = [_numbers(a) for a in arguments if not isinstance(a, Value)]
        shape = tuple(
            torch.broadcast_shapes(*(a.shape for a in values), *(a.shape for a in constants))
        )
        found = o.expand(values[0], shape)
        for other in values[1:]:
            other = o.expand(other, shape)
            found = o.maximum(found, other) if sign > 0 else o.minimum(found, other)
        for fixed in constants:
            moved = (
                o.shift(found, -fixed)
                if sign > 0
                else o.scale(found, torch.tensor(-1.0, dtype=torch.float64), fixed)
            )
            short = o.relu(moved)
            found = (
                o.shift(short, fixed)
                if sign > 0
                else o.scale(short, torch.tensor(-1.0, dtype=torch.float64), fixed)
            )
        return found

    return handler


def _sum(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    found = arguments[0]
    for other in arguments[1:]:
        found = (
            _two("Add")(o, [found, other], {})
            if isinstance(found, Value) or isinstance(other, Value)
            else found + other
        )
    return found


def _reduce(kind: str) -> Handler:
    """Sums, means and maxima along axes."""

    def handler(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
        x = arguments[0]
        given = (
            arguments[1].tolist()
            if len(arguments) > 1 and arguments[1] is not None
            else options.get("axes")
        )
        keep = bool(options.get("keepdims", 1))
        if not given and options.get("noop_with_empty_axes", 0):
            return x
        rank = len(x.shape)
        if any(not -rank <= axis < rank for axis in given or ()):
            raise ValueError(f"has axes {list(given)}, but its input has shape {x.shape}")
        axes = [axis % rank for axis in given] if given else list(range(rank))
        if kind == "sum":
            return o.sum(x, axes, keep)
        if kind == "mean":
            return o.mean(x, axes, keep)
        others = [i for i in range(len(x.shape)) if i not in axes]
        places = torch.arange(x.size).reshape(x.shape).permute((*axes, *others))
        shape = (
            tuple(1 if i in axes else n for i, n in enumerate(x.shape))
            if keep
            else tuple(x.shape[i] for i in others)
        )
        windows = places.reshape(math.prod(x.shape[i] for i in axes), -1)
        if kind == "max":
            return o.maxima(x, windows, shape)
        return o.negative(o.maxima(o.negative(x), windows, shape))

    return handler


def _global(kind: str) -> Handler:
    def handler(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
        x = arguments[0]
        if len(x.shape) < 3:
            raise ValueError(f"takes an image of shape (N, C, ...), got shape {x.shape}")
        return _reduce(kind)(o, [x], {"axes": list(range(2, len(x.shape))), "keepdims": 1})

    return handler


def _slope(o: Operations, arguments: list[Any], options: dict[str, Any]) -> Value:
    x, slope = arguments
    if not isinstance(x, Value) or isinstance(slope, Value):
        raise ValueError("must take a constant as its slope")
    return o.leaky(x, _numbers(slope, "slope"))


MOVES = (
    "Concat",
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "Identity",
    "Pad",
    "Reshape",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
)

MONOTONE = ("LogSoftmax", "Sigmoid", "Softmax")
WINDOWS = ("AveragePool", "Conv", "ConvTranspose", "MaxPool")

HANDLERS: dict[str, Handler] = {
    **{name: _two(name) for name in ("Add", "Sub", "Mul", "Div")},
    "Sum": _sum,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Conv": _row_by_row(_conv),
    "ConvTranspose": _row_by_row(_conv_transpose),
    "AveragePool": _row_by_row(_average_pool),
    "GlobalAveragePool": _global("mean"),
    "GlobalMaxPool": _global("max"),
    "MaxPool": _row_by_row(_max_pool),
    "BatchNormalization": _normalization,
    "Relu": lambda o, a, _: o.relu(a[0]),
    "LeakyRelu": lambda o, a, k: o.leaky(a[0], _numbers(k.get("alpha", np.float32(0.01)), "alpha")),
    "PRelu": _slope,
    "Clip": _clip,
    "Abs": lambda o, a, _: o.add(o.relu(a[0]), o.relu(o.negative(a[0]))),
    "Neg": lambda o, a, _: o.negative(a[0]),
    "Max": _extreme(1.0),
    "Min": _extreme(-1.0),
    "ReduceSum": _reduce("sum"),
    "ReduceMean": _reduce("mean"),
    "ReduceMax": _reduce("max"),
    "ReduceMin": _reduce("min"),
    "Dropout": lambda o, a, _: a[0],
}
"""What is known of each operation on values: (operations, arguments, options) -> its value."""
