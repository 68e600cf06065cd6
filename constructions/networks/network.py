"""ReLU networks as chains of affine layers: evaluation, sizes, exact arithmetic and conversions.

Whole, because it is one noun, `ReLUNetwork`: what is longer than a page (reading, exact digits,
rounding, storage, calculus) has files of its own, and methods that hand on to them.

>>> net = ReLUNetwork.from_layers([([[1.0], [-1.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])])  # |x|
>>> net(torch.tensor([[-0.5], [2.0]])).tolist()
[[0.5], [2.0]]
>>> net.exact([Fraction(-1, 3)])
array([Fraction(1, 3)], dtype=object)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Protocol

import networkx
import numpy as np
import sympy
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ..basics.ball import Ball
from ..basics.reading import flattening
from ..basics.result import Result, Said, brief, said
from ..basics.shapes import BatchOutputs, BatchPoints, Values
from ..graphs.modules import read_module
from ..graphs.origin import Origin
from ..linear.affine import Affine
from ..linear.digits import ExactLayers
from ..linear.matrix import ENTRY_LIMIT, Array, Count, Dense, column
from .provenance import Provenance
from .storage import MemorizerParts, Parts, layers_digest, write_parts

MEMORY_LIMIT = 2**23
"""Bytes that the widest two neighbouring layers of one batch chunk may take: small enough for a
processor's cache.
"""

GRAPH_LIMIT = 10**6
"""Most edges of `ReLUNetwork.graph`."""


@dataclass(frozen=True, repr=False)
class Size(Result):
    """What a network costs: its layers, units and parameters.

    All entries are exact counts (SymPy expressions where the network is symbolic).

    Attributes:
        depth: hidden (ReLU) layers.
        width: units of the widest hidden layer.
        units: hidden units in all.
        weights: nonzero entries of the matrices.
        biases: nonzero entries of the biases.
        parameters: weights + biases.
        dense_parameters: all entries of all layers, zeros included.
        stored: numbers that the structured form keeps.
    """

    depth: int
    width: Count
    units: Count
    weights: Count
    biases: Count
    parameters: Count
    dense_parameters: Count
    stored: Count

    def _says(self) -> tuple[str, dict[str, Said]]:
        counts = {field.name: said(getattr(self, field.name), "exact") for field in fields(self)}
        return "what the network costs", counts


class Screen(Protocol):
    """What finds the parts of a network that matter at a point; f_S has one (`MemorizerScreen`)."""

    @property
    def layers(self) -> tuple[Affine, ...]:
        """Those of the network that it belongs to; a network with other layers drops it."""

    @property
    def worthwhile(self) -> bool:
        """Whether the network is so large that it is evaluated through its screen unless told
        otherwise.
        """

    @property
    def unrounded(self) -> bool:
        """Whether the weights are known to be those of the construction in real arithmetic."""

    def split(
        self, points: torch.Tensor, ball: Ball | None = None
    ) -> Iterator[tuple[torch.Tensor, ReLUNetwork]]:
        """(rows, network) that cover all points (M, D) once: the network equals this one on the
        balls around these rows.
        """

    def values(self, points: torch.Tensor) -> torch.Tensor:
        """The network's values at points (M, D), as (M, K); differentiable."""

    def parts(self) -> MemorizerParts:
        """What a file keeps of it."""


@dataclass(frozen=True, eq=False, repr=False)
class ReLUNetwork:
    """A ReLU network: affine layers with max(0, .) between them.

    It is the function A_L o relu o A_(L-1) o ... o relu o A_1 given by affine layers A_1, ..., A_L.

    Attributes:
        layers: A_1, ..., A_L, at least one; each takes as many numbers as the one before gives.
        domain: the closed interval of every input coordinate on which the construction's statement
            holds (None: all of R). Evaluation outside of it raises ValueError.
        provenance: which statement built the network, from which parts.
        screen: what finds the parts of it that matter at a point (f_S has one); it changes what
            evaluation costs, not its result.
        origin: what the network was read from, if from a module or a file, and by how much it may
            differ from that.

    Raises:
        ValueError: for no layers, layers that do not fit, and a domain without lower < upper.
    """

    layers: tuple[Affine, ...]
    domain: tuple[float, float] | None = None
    provenance: Provenance | None = None
    screen: Screen | None = None
    origin: Origin | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ValueError("layers must hold at least one affine layer")
        for i, (inner, outer) in enumerate(zip(self.layers, self.layers[1:], strict=False)):
            if outer.weight.shape[1] != inner.weight.shape[0]:
                raise ValueError(
                    f"layer {i + 1} takes {outer.weight.shape[1]} numbers but layer {i} gives "
                    f"{inner.weight.shape[0]}"
                )
        if self.screen is not None and self.screen.layers is not self.layers:
            object.__setattr__(self, "screen", None)  # it speaks of other layers
        if self.origin is not None and self.origin.layers is not self.layers:
            object.__setattr__(self, "origin", None)
        if self.domain is not None and not self.domain[0] < self.domain[1]:
            raise ValueError(
                f"domain must be an interval (lower, upper) with lower < upper, got {self.domain}"
            )

    def __getstate__(self) -> dict[str, Any]:
        # which is made again in no time
        return {name: value for name, value in vars(self).items() if name != "arithmetic"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self.screen is not None:
            object.__setattr__(self.screen, "layers", self.layers)

    @classmethod
    def from_layers(
        cls, layers: Iterable[tuple[Any, Any]], domain: tuple[float, float] | None = None
    ) -> ReLUNetwork:
        """Make a network from weights and biases.

        Args:
            layers: pairs (weight, bias) of numbers, shapes (m, n) and (m,).
            domain: the interval of every input on which it is to be used; None: all of R.

        Returns:
            A `ReLUNetwork` of float64 numbers.

        Raises:
            ValueError: for shapes that do not fit.
        """
        built = (Affine(Dense(weight), column(bias)) for weight, bias in layers)
        return cls(tuple(built), domain)

    @classmethod
    def from_module(
        cls, module: nn.Module | ReLUNetwork, input_shape: Sequence[int] | None = None
    ) -> ReLUNetwork:
        """Read what a piecewise-linear PyTorch module computes; weights are taken exactly.

        The module is traced by PyTorch on one input, in eval mode, so that hooks, shared layers,
        weights that hooks or parametrizations compute, residual connections and an own `forward`
        count as they run. Known are affine operations (linear, convolution, normalization by fixed
        statistics, pooling by means, sums), ReLU, LeakyReLU, PReLU, clipping, |x|, maxima and
        max-pooling, and what moves numbers. Affine maps that follow each other are multiplied where
        float64 holds the product; else the values between are carried exactly by two units each.
        Only what is irrational or no float64 in the module (batch normalization, division by other
        numbers than powers of two) is rounded: `origin` says where, and bounds it. Values at some
        points are compared with the module's. Inputs and outputs are flattened, row by row;
        convolutions become `Sparse` matrices.

        Args:
            module: the module; a `ReLUNetwork` comes back as it is.
            input_shape: of one input without the batch, e.g. (1, 28, 28); needed unless the first
                layer is Linear or BatchNorm1d.

        Returns:
            A `ReLUNetwork`.

        Raises:
            TypeError: for any other operation, and where input_shape is missing.
            ValueError: where input_shape does not fit, for training mode, NaN, infinity, matrices
                beyond `ENTRY_LIMIT`, and where the module does not compute what was read.

        Example:
            >>> ReLUNetwork.from_module(
            ...     nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
            ... ).size.dense_parameters
            32
        """
        if isinstance(module, ReLUNetwork):
            return module
        layers, origin = read_module(module, input_shape)
        return cls(layers, origin=origin)

    # -- evaluation --------------------------------------------------------------------------------

    def __call__(self, x: Any, *, screened: bool | None = None) -> BatchOutputs:
        """Evaluate the network at points; differentiable in them.

        The batch is split so that memory stays near `MEMORY_LIMIT` (or what one point takes), also
        while gradients are taken (recomputation).

        Args:
            x: shape (..., inputs). A tensor is evaluated in its own dtype and on its device; other
                array-likes become float64. Images of uint8 are read as k/255, in float64.
            screened: whether an f_S computes only the indicators that are not 0 (see `localize`),
                which gives the same values and gradients up to rounding; None: from `SCREENED_FROM`
                coordinates of centres on.

        Returns:
            Values, shape (..., outputs).

        Raises:
            ValueError: for a wrong last axis, NaN, infinity, or a point outside `domain`, and for
                screened=True if there is no screen.
        """
        if not isinstance(x, torch.Tensor):
            array = np.asarray(x)
            x = torch.as_tensor(array if array.dtype == np.uint8 else array.astype(np.float64))
        if x.dtype == torch.uint8:
            x = x.double() / 255
        elif not x.is_floating_point():
            x = x.double()
        self.check_points(x)
        points = x.reshape(-1, self.inputs)
        screen = self._chosen_screen(screened)
        if screen is not None:
            return screen.values(points).reshape(*x.shape[:-1], self.outputs)
        chunk = self.chunk(points.element_size())
        if len(points) <= chunk:
            values = self._forward(points)
        else:
            tracked = torch.is_grad_enabled() and x.requires_grad
            parts = points.split(chunk)
            values = torch.cat(
                [
                    checkpoint(self._forward, part, use_reentrant=False)
                    if tracked
                    else self._forward(part)
                    for part in parts
                ]
            )
        return values.reshape(*x.shape[:-1], self.outputs)

    def exact(self, x: Any, *, screened: bool | None = None) -> Values:
        """Evaluate the network at rational points in exact arithmetic: no rounding anywhere.

        Args:
            x: Fractions, integers or floats (taken exactly), shape (..., inputs).
            screened: as for evaluation; the values are the same.

        Returns:
            Exact values: an object array of Fractions, shape (..., outputs).

        Raises:
            ValueError: for a wrong last axis, NaN, infinity, or a point outside `domain`, and for
                screened=True if there is no screen.

        Cost: batches of floats take microseconds a point for hundreds of parameters; see
        `exact_values`.
        """
        screen = self._chosen_screen(screened)
        if screen is None:
            return self.arithmetic.values(x)
        given = np.asarray(x, dtype=object)
        points = torch.from_numpy(given.astype(np.float64))
        self.check_points(points)
        flat, values = (
            given.reshape(-1, self.inputs),
            np.empty((points.numel() // self.inputs, self.outputs), dtype=object),
        )
        for rows, local in screen.split(points.reshape(-1, self.inputs)):
            values[rows.numpy()] = local.arithmetic.values(flat[rows.numpy()])
        return values.reshape(*given.shape[:-1], self.outputs)

    @cached_property
    def arithmetic(self) -> ExactLayers:
        """The layers in exact arithmetic, prepared once; `exact` and `exact_signs` use it."""
        return ExactLayers(self.layers, self.domain)

    def _chosen_screen(self, screened: bool | None) -> Screen | None:
        if self.screen is None and screened:
            raise ValueError(
                "screened must not be True for a network without a screen (f_S and f_adv have one)"
            )
        if self.screen is None or screened is False:
            return None
        return self.screen if screened or self.screen.worthwhile else None

    def _forward(self, x: Array) -> Array:
        for layer in self.layers[:-1]:
            x = layer.apply(x)
            x = _relu(x)
        return self.layers[-1].apply(x)

    def chunk(self, itemsize: int) -> int:
        """How many points are evaluated at once to respect `MEMORY_LIMIT`.

        Args:
            itemsize: bytes a number.

        Returns:
            The number of points, at least one.
        """
        widths = [self.inputs, *(layer.weight.shape[0] for layer in self.layers)]
        pair = max(a + b for a, b in itertools.pairwise(widths))
        return max(1, MEMORY_LIMIT // (itemsize * pair))

    def check_points(self, x: BatchPoints) -> None:
        """Refuse points at which the network is not to be evaluated.

        Args:
            x: shape (..., inputs).

        Raises:
            ValueError: for a wrong last axis, NaN, infinity, or a point outside `domain`.
        """
        if x.ndim == 0 or x.shape[-1] != self.inputs:
            raise ValueError(
                f"x must have shape (..., {self.inputs}), got {tuple(x.shape)}"
                f"{flattening(x.shape, self.inputs)}"
            )
        if x.numel() == 0:
            return
        low, high = (float(v) for v in torch.aminmax(x.detach()))
        if not np.isfinite(low) or not np.isfinite(high):
            raise ValueError("x must be finite, got NaN or infinity")
        if self.domain and not (self.domain[0] <= low and high <= self.domain[1]):
            raise ValueError(
                f"x must lie in the network's domain {list(self.domain)}, got values in [{low}, "
                f"{high}]"
            )

    # -- sizes -------------------------------------------------------------------------------------

    @property
    def inputs(self) -> Count:
        """Input dimension."""
        return self.layers[0].weight.shape[1]

    @property
    def outputs(self) -> Count:
        """Output dimension."""
        return self.layers[-1].weight.shape[0]

    @property
    def hidden(self) -> tuple[Count, ...]:
        """Units of each hidden layer."""
        return tuple(layer.weight.shape[0] for layer in self.layers[:-1])

    @cached_property
    def size(self) -> Size:
        """Depth, width, units and parameter counts; see `Size`."""
        hidden = self.hidden
        symbolic = any(isinstance(width, sympy.Basic) for width in hidden)
        weights = sum(layer.weight.nonzeros for layer in self.layers)
        biases = sum(layer.bias.nonzeros for layer in self.layers)
        return Size(
            depth=len(hidden),
            width=sympy.Max(*hidden) if symbolic else max(hidden, default=0),
            units=sum(hidden),
            weights=weights,
            biases=biases,
            parameters=weights + biases,
            dense_parameters=sum(
                rows * columns + rows
                for rows, columns in (layer.weight.shape for layer in self.layers)
            ),
            stored=sum(layer.weight.stored + layer.bias.stored for layer in self.layers),
        )

    # -- conversions -------------------------------------------------------------------------------

    def to_module(
        self,
        form: Literal["structured", "sparse", "dense"] = "structured",
        dtype: torch.dtype = torch.float64,
    ) -> nn.Module:
        """Make an `nn.Module` that computes the same function on inputs of shape (batch, inputs).

        Args:
            form: "structured": this network itself, behind a module's interface; nothing is
                expanded. "sparse": one sparse tensor a layer (buffers). "dense": an `nn.Sequential`
                of `nn.Linear` and `nn.ReLU` (trainable, exportable). The last two do not check
                `domain`.
            dtype: of the weights of the last two.

        Returns:
            The module.

        Raises:
            ValueError: for another form, and for a dense layer beyond
                `constructions.linear.matrix.ENTRY_LIMIT` entries.
        """
        if form == "structured":
            return _Structured(self)
        if form == "sparse":
            return nn.Sequential(
                *_interleave([_SparseLinear(layer, dtype) for layer in self.layers])
            )
        if form == "dense":
            return nn.Sequential(*_interleave([_linear(layer, dtype) for layer in self.layers]))
        raise ValueError(f"form must be 'structured', 'sparse' or 'dense', got {form!r}")

    def graph(self) -> networkx.DiGraph:
        """Give the units as a directed acyclic graph.

        Returns:
            Nodes are (layer, index): layer 0 holds the inputs, the last one the outputs; hidden and
            output nodes carry `bias`, edges carry `weight` (nonzero ones only).

        Raises:
            ValueError: above `GRAPH_LIMIT` edges.
        """
        if self.size.weights > GRAPH_LIMIT:
            raise ValueError(
                f"graph() is for at most {GRAPH_LIMIT:,} edges; this network has "
                f"{self.size.weights:,}"
            )
        graph = networkx.DiGraph()
        graph.add_nodes_from(((0, i) for i in range(self.inputs)), layer=0)
        for depth, layer in enumerate(self.layers, start=1):
            for i, bias in enumerate(layer.bias.to_dense()[:, 0].tolist()):
                graph.add_node((depth, i), layer=depth, bias=bias)
            rows, columns, values = layer.weight.coordinates()
            for i, j, value in zip(rows.tolist(), columns.tolist(), values.tolist(), strict=True):
                graph.add_edge((depth - 1, j), (depth, i), weight=value)
        return graph

    def piecewise(self, limit: int = 100) -> list[sympy.Expr]:
        """Write each output as a formula in the inputs; weights are exact rationals.

        Args:
            limit: the most hidden units.

        Returns:
            One SymPy expression an output, in x (one input) or x1, x2, .... With one input it is a
            `sympy.Piecewise` over the exact breakpoints (in `domain`, else all of R); with more it
            nests Max(0, .).

        Raises:
            ValueError: for more than `limit` hidden units.
        """
        if self.size.units > limit:
            raise ValueError(
                f"piecewise() is for at most {limit} hidden units; this network has "
                f"{self.size.units}"
            )
        if self.inputs == 1:
            return _pieces(self)
        values = list(sympy.symbols(f"x1:{self.inputs + 1}", real=True))
        for depth, layer in enumerate(self.layers, start=1):
            weight, bias = layer.weight.to_dense().tolist(), layer.bias.to_dense()[:, 0].tolist()
            values = [
                sum((_rational(w) * v for w, v in zip(row, values, strict=True)), _rational(b))
                for row, b in zip(weight, bias, strict=True)
            ]
            if depth < len(self.layers):
                values = [sympy.Max(0, v) for v in values]
        return values

    def save(self, path: str | PathLike[str]) -> None:
        """Write the network, structure and provenance to a file; `load` reads it back.

        Args:
            path: where to write, with the suffix .safetensors; written atomically.
        """
        kept = None if self.screen is None else self.screen.parts()
        write_parts(Parts(self.layers, self.domain, self.provenance, self.origin, kept), Path(path))

    def restrict(self, domain: tuple[float, float] | None) -> ReLUNetwork:
        """State the same network on another domain.

        Args:
            domain: an interval (lower, upper) of every input, or None for all of R.

        Returns:
            A `ReLUNetwork` of the same layers.

        Raises:
            ValueError: unless lower < upper.
        """
        return replace(self, domain=domain)

    @property
    def source(self) -> str:
        """What it was read from, with the sizes of both; empty where it was not read.

        Example:
            >>> read = ReLUNetwork.from_module(nn.Conv1d(1, 1, 2, bias=False), (1, 4))
            >>> read.source.split(": ")[1]
            '2 trained parameters, 6 nonzero entries unrolled'
        """
        if self.origin is None:
            return ""
        held = f"{self.origin.parameters:,} {self.origin.counted}"
        unrolled = f"{self.size.parameters:,} nonzero entries unrolled"
        rounding = "" if self.origin.is_exact else ", up to rounding"
        return f"from {self.origin.kind} {self.origin.digest[:8]}: {held}, {unrolled}{rounding}"

    def __repr__(self) -> str:  # weights may be millions
        what = self.provenance.title if self.provenance else "ReLU network"
        if len(what) > 40:
            what = f"{what.partition('(')[0]}(...)"
        s, parameters = self.size, said(self.size.parameters, "").text
        counts = f"depth {s.depth}, width {s.width}, {parameters} parameters"
        return brief(f"{what}: R^{self.inputs} -> R^{self.outputs}, {counts}")

    def __str__(self) -> str:
        s = self.size
        what = self.provenance.title if self.provenance else "ReLU network"
        counts = (
            f"depth {s.depth}, width {s.width}, {s.units} units, {s.parameters} parameters "
            f"({s.dense_parameters} dense)"
        )
        source = f"; {self.source}" if self.source else ""
        return f"{what}: R^{self.inputs} -> R^{self.outputs}, {counts}{source}"


def check_network(network: Any, name: str = "network") -> None:
    """Raise TypeError unless it is a `ReLUNetwork`, saying how a module becomes one.

    Args:
        network: anything.
        name: what the error calls it.

    Raises:
        TypeError: unless it is a `ReLUNetwork`.

    Example:
        >>> check_network(nn.Linear(1, 1))
        Traceback (most recent call last):
        ...
        TypeError: network must be a ReLUNetwork (ReLUNetwork.from_module reads modules), got Linear
    """
    if not isinstance(network, ReLUNetwork):
        hint = " (ReLUNetwork.from_module reads modules)"
        raise TypeError(f"{name} must be a ReLUNetwork{hint}, got {type(network).__name__}")


def structure_digest(network: ReLUNetwork) -> str:
    """Fingerprint a network: SHA-256 of the layers in the form that a file keeps.

    Equal functions in other forms have others.

    Args:
        network: the network.

    Returns:
        64 hexadecimal digits.

    Cost: one pass over what is stored.

    Example:
        >>> from constructions import squaring
        >>> structure_digest(squaring(3)) == structure_digest(squaring(3)) != structure_digest(
        ...     squaring(4)
        ... )
        True
    """
    return layers_digest(network.layers)


def _relu(x: Array) -> Array:
    if not isinstance(x, torch.Tensor):
        return x * (x > 0)
    # in place where no gradient needs the pre-activations: memory traffic is what evaluation costs
    return torch.relu(x) if x.requires_grad else torch.relu_(x)


def _interleave(layers: Sequence[nn.Module]) -> list[nn.Module]:
    return [part for layer in layers[:-1] for part in (layer, nn.ReLU())] + [layers[-1]]


def _linear(layer: Affine, dtype: torch.dtype) -> nn.Linear:
    rows, columns = layer.weight.shape
    linear = nn.Linear(columns, rows, dtype=dtype, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        linear.weight.copy_(layer.weight.to_dense())
        linear.bias.copy_(layer.bias.to_dense()[:, 0])
    return linear


class _Structured(nn.Module):
    def __init__(self, network: ReLUNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)


class _SparseLinear(nn.Module):
    def __init__(self, layer: Affine, dtype: torch.dtype) -> None:
        super().__init__()
        rows, columns, values = layer.weight.coordinates()
        if len(values) > ENTRY_LIMIT:
            raise ValueError(
                f"{layer.weight} has {len(values):,} nonzeros; the limit is {ENTRY_LIMIT:,}"
            )
        indices = torch.stack([rows, columns])
        matrix = torch.sparse_coo_tensor(
            indices, values.to(dtype), layer.weight.shape, check_invariants=True
        ).coalesce()
        self.register_buffer("weight", matrix)
        self.register_buffer("bias", layer.bias.to_dense()[:, 0].to(dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.reshape(-1, x.shape[-1])
        return torch.sparse.mm(self.weight, flat.T).T.reshape(*x.shape[:-1], -1) + self.bias


def _rational(value: float) -> sympy.Rational:
    return sympy.Rational(*float(value).as_integer_ratio())


def _pieces(network: ReLUNetwork) -> list[sympy.Expr]:
    """Piecewise expressions of a network with one input, from its exact breakpoints."""
    ends = network.domain or (-math.inf, math.inf)
    low, high = (Fraction(v) if math.isfinite(v) else None for v in ends)
    points = breakpoints_1d(network, low, high)
    x = sympy.Symbol("x", real=True)
    edges = [
        *([points[0] - 1] if low is None else []),
        *points,
        *([points[-1] + 1] if high is None else []),
    ]
    values = network.exact([[point] for point in edges])
    expressions = []
    for output in range(network.outputs):
        pieces: list[tuple[sympy.Expr, Any]] = []
        for a, b, fa, fb in zip(
            edges, edges[1:], values[:, output], values[1:, output], strict=False
        ):
            slope = (fb - fa) / (b - a)
            piece = sympy.expand(_fraction(fa) + _fraction(slope) * (x - _fraction(a)))
            if pieces and pieces[-1][0] == piece:
                pieces.pop()
            pieces.append((piece, True if b == edges[-1] and high is None else x <= _fraction(b)))
        if low is not None:
            pieces[0] = (pieces[0][0], sympy.And(x >= _fraction(edges[0]), pieces[0][1]))
        expressions.append(sympy.Piecewise(*pieces))
    return expressions


def _fraction(value: Fraction) -> sympy.Rational:
    return sympy.Rational(value.numerator, value.denominator)


def breakpoints_1d(
    network: ReLUNetwork, low: Fraction | None, high: Fraction | None
) -> list[Fraction]:
    """All points of [low, high] (None: unbounded) at which a unit of a one-input network changes
    sign, and the ends.

    Exact; between neighbours every unit is affine. Cost grows with breakpoints times nonzero
    parameters.
    """
    if network.inputs != 1:
        raise ValueError(f"breakpoints_1d needs a network with one input, got {network.inputs}")
    start = low if low is not None else high - 1 if high is not None else Fraction(0)
    points = [start, start + 1 if high is None else high]
    open_left, open_right = low is None, high is None
    for depth in range(1, len(network.layers)):
        inner = ReLUNetwork(network.layers[:depth])
        grid = [
            *([points[0] - 1] if open_left else []),
            *points,
            *([points[-1] + 1] if open_right else []),
        ]
        values = inner.exact([[point] for point in grid])
        found = set(points)
        for unit in range(values.shape[1]):
            column = values[:, unit]
            for a, b, fa, fb in zip(grid, grid[1:], column, column[1:], strict=False):
                crossing = a - fa * (b - a) / (fb - fa) if fa != fb else None
                if crossing is None:
                    continue
                left_end, right_end = open_left and a == grid[0], open_right and b == grid[-1]
                if (left_end or crossing >= a) and (right_end or crossing <= b):
                    found.add(crossing)
        points = sorted(found)
    return points
