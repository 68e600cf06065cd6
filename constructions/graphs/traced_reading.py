"""Traces read operation by operation, and compared with what PyTorch computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import fx, nn

from .graph import Graph
from .operations import MONOTONE_HINT, Operations, Value
from .torch_operations import HANDLERS, MONOTONE
from .tracing import reason_of

FIXED = "; layers that change as they run need module.eval() first"


class Reader:
    """Runs a trace on the example, with a `Value` for each number that depends on the input."""

    def __init__(
        self, traced: fx.GraphModule, places: dict[fx.Node, str], size: int, given: str
    ) -> None:
        self.traced, self.graph, self.given = traced, Graph(size), given
        self.operations, self.places = Operations(self.graph), places
        self.values: dict[fx.Node, Any] = {}

    def run(self, example: torch.Tensor) -> Value:
        """The value of the module's output."""
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
                f"module cannot be run on {len(points)} inputs at once{given}: {reason_of(error)}"
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


def _symbolic(argument: Any) -> bool:
    if isinstance(argument, (tuple, list)):
        return any(map(_symbolic, argument))
    if isinstance(argument, dict):
        return any(map(_symbolic, argument.values()))
    return isinstance(argument, Value)
