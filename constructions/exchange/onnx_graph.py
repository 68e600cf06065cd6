"""ONNX graphs read node by node: constants as arrays, what depends on the input as values.

Whole, because it is one reader: a node's constants and values are those of the nodes before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..graphs.graph import Graph
from ..graphs.operations import MONOTONE_HINT, Operations, Value
from ..linear.matrix import ENTRY_LIMIT
from .onnx_evaluator import evaluator_of
from .onnx_operations import HANDLERS, MONOTONE, MOVES, WINDOWS
from .onnx_windows import DISPUTED


def label(node: Any) -> str:
    """How errors name a node."""
    return f"node {node.name or (node.output[0] if node.output else '')!r} ({node.op_type})"


class Reader:
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
            self.graph.place = label(node)
            self.used |= set(node.input)
            missing = [name for name in node.input if name and name not in self.known]
            if missing:
                raise ValueError(f"{label(node)} uses {missing[0]!r} before it is there")
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
                attribute_of(node, "auto_pad", b""),
                [attribute.name for attribute in node.attribute],
            )
            if "ceil_mode" not in names:
                continue
            if kind == b"VALID" and attribute_of(node, "ceil_mode", 0):
                raise ValueError(f"{label(node)}: has ceil_mode and no padding, {DISPUTED}")
            if kind.startswith(b"SAME"):  # says how many windows there are, whatever ceil_mode
                del node.attribute[names.index("ceil_mode")]

    def _node(self, node: Any, arguments: list[Any]) -> Sequence[Any]:
        from onnx import helper

        if node.domain not in ("", "ai.onnx"):
            raise ValueError(f"{label(node)} is of another operator set, {node.domain!r}")
        symbolic = any(isinstance(argument, Value) for argument in arguments)
        if symbolic and node.op_type not in (*HANDLERS, *MOVES, "Cast", "Shape", "Size"):
            known = ", ".join(sorted((*HANDLERS, *MOVES, "Cast", "Constant", "Shape", "Size")))
            hint = f"; {MONOTONE_HINT}" if node.op_type in MONOTONE else ""
            raise ValueError(
                f"{label(node)} is none of {known}, and its input is no constant{hint}"
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
            raise ValueError(f"{label(node)}: {error}") from error

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
            results: Any = evaluator_of(model).run(None, feed)
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
        evaluator = evaluator_of(self.model)
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
                        raise ValueError(f"{label(node)} does not compute what was read of it")


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


def attribute_of(node: Any, name: str, otherwise: Any) -> Any:
    """A node's attribute by name, or what stands for it."""
    from onnx import helper

    return next(
        (helper.get_attribute_value(a) for a in node.attribute if a.name == name), otherwise
    )


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
