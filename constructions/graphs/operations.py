"""Piecewise-linear operations on shaped values, as affine maps and ReLUs of a graph: what PyTorch
and ONNX have in common. Whole, because it is their one vocabulary: short methods of one class.

A `Value` is a node of a `Graph` with the shape that the source gives it, batch axis (of size 1)
included where there is one. All maps act on values in row-major order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch.nn import functional

from ..linear.matrix import (
    ENTRY_LIMIT,
    Constant,
    Dense,
    Identity,
    Matrix,
    Sparse,
    column,
    kron,
    sparse,
    zeros,
)
from .graph import Graph

Shape = tuple[int, ...]
UNIT = 2.0**-53

SMALLEST = 2.0**-900
"""Rounded factors are 0 or at least so large: what underflows on the way is far below their error.
"""

MONOTONE_HINT = "where it comes last, the network without it has outputs in the same order"


@dataclass(frozen=True)
class Value:
    """A node of a graph, and its shape in the source."""

    node: int
    shape: Shape

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


def exact_numbers(values: torch.Tensor | np.ndarray, name: str) -> torch.Tensor:
    """Numbers as a float64 tensor on the CPU; raises ValueError for NaN, infinity, and what float64
    does not hold.
    """
    if values.is_complex() if isinstance(values, torch.Tensor) else np.iscomplexobj(values):
        raise ValueError(f"{name} must be real")
    if isinstance(values, torch.Tensor):
        tensor = values.detach().to("cpu", torch.float64)
        whole = not values.is_floating_point() and values.dtype != torch.bool
    else:
        array = np.asarray(values)
        tensor = torch.from_numpy(np.array(array, dtype=np.float64))
        whole = array.dtype.kind in "iu"
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{name} must be finite, got {tensor[~torch.isfinite(tensor)][0].item()}")
    if whole and tensor.numel() and max(int(values.max()), -int(values.min())) > 2**53:
        raise ValueError(
            f"{name} must hold integers up to 2^53, got "
            f"{max(int(values.max()), -int(values.min()))}"
        )
    return tensor


class Operations:
    """The operations, each appending to `graph` and returning a value. Numbers are float64 tensors,
    taken exactly.

    >>> operations = Operations(Graph(2))
    >>> x = Value(0, (1, 2))
    >>> operations.clip(x, -1.0, 1.0).shape
    (1, 2)
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    # -- elementwise -------------------------------------------------------------------------------

    def relu(self, x: Value) -> Value:
        """max(0, x)."""
        return Value(self.graph.relu(x.node), x.shape)

    def scale(self, x: Value, factor: torch.Tensor, offset: torch.Tensor | None = None) -> Value:
        """factor * x + offset, exactly; both broadcast against x, and x against them."""
        shape = tuple(
            torch.broadcast_shapes(x.shape, factor.shape, () if offset is None else offset.shape)
        )
        x = self.expand(x, shape)
        weight = _diagonal(factor.expand(shape).reshape(-1))
        bias = zeros(x.size, 1) if offset is None else column(offset.expand(shape).reshape(-1))
        return Value(self.graph.linear([(x.node, weight)], bias), shape)

    def shift(self, x: Value, offset: torch.Tensor, factor: float = 1.0) -> Value:
        """x + factor * offset; said to be rounded where float64 does not hold the product."""
        one, scaled = _number(1.0), factor * offset
        if abs(factor) == 1 or _is_exact(factor, offset, scaled):
            return self.scale(x, one, scaled)
        return self.rounded_scale(x, one, scaled, UNIT, scaled.abs())

    def rounded_scale(
        self,
        x: Value,
        factor: torch.Tensor,
        offset: torch.Tensor,
        share: float,
        noise: torch.Tensor,
    ) -> Value:
        """factor * x + offset, where factors are within a share of what they stand for, and offsets
        within a share of noise.
        """
        shape = tuple(torch.broadcast_shapes(x.shape, factor.shape, offset.shape))
        x = self.expand(x, shape)
        factor, offset, noise = (v.expand(shape).reshape(-1) for v in (factor, offset, noise))
        if bool(((factor != 0) & (factor.abs() < SMALLEST)).any()):
            raise ValueError(f"has factors below {SMALLEST:g}, whose rounding is not bounded")
        errors = (_diagonal(factor.abs() * share + 2.0**-1000),), column(noise * share + 2.0**-1000)
        node = self.graph.linear([(x.node, _diagonal(factor))], column(offset), errors, noise)
        return Value(node, shape)

    def divide(self, x: Value, divisor: torch.Tensor) -> Value:
        """x / divisor: exact for powers of two, else by a reciprocal that is said to be rounded."""
        if not bool((divisor != 0).all()):
            raise ValueError("divides by zero")
        inverse = exact_numbers(divisor.reciprocal(), "1 / divisor")
        mantissa = torch.frexp(divisor)[0].abs()
        if bool((mantissa == 0.5).all()):
            return self.scale(x, inverse)
        zero = torch.zeros((), dtype=torch.float64)
        return self.rounded_scale(x, inverse, zero, 2 * UNIT, zero)

    def add(self, x: Value, y: Value, sign: float = 1.0) -> Value:
        """x + sign * y, two values that broadcast."""
        shape = tuple(torch.broadcast_shapes(x.shape, y.shape))
        x, y = self.expand(x, shape), self.expand(y, shape)
        other = (
            Identity(y.size)
            if sign == 1
            else kron(Identity(y.size), Dense(torch.tensor([[sign]], dtype=torch.float64)))
        )
        return Value(
            self.graph.linear([(x.node, Identity(x.size)), (y.node, other)], zeros(x.size, 1)),
            shape,
        )

    def negative(self, x: Value) -> Value:
        """-x."""
        return self.scale(x, torch.tensor(-1.0, dtype=torch.float64))

    def leaky(self, x: Value, slope: torch.Tensor) -> Value:
        """x where x > 0, slope * x elsewhere: relu(x) - slope relu(-x)."""
        below = self.scale(self.relu(self.negative(x)), -slope)
        return self.add(self.relu(x), below)

    def maximum(self, x: Value, y: Value) -> Value:
        """max(x, y) = relu(x - y) + y."""
        return self.add(self.relu(self.add(x, y, -1.0)), y)

    def minimum(self, x: Value, y: Value) -> Value:
        """min(x, y) = y - relu(y - x)."""
        return self.add(y, self.relu(self.add(y, x, -1.0)), -1.0)

    def clip(self, x: Value, low: float | None, high: float | None) -> Value:
        """max(low, x), then the minimum with high."""
        if low is not None and math.isfinite(low):
            x = (
                self.shift(self.relu(self.shift(x, _number(-low))), _number(low))
                if low
                else self.relu(x)
            )
        if high is not None and math.isfinite(high):
            short = self.relu(self.shift(self.negative(x), _number(high)))
            x = self.shift(self.negative(short), _number(high))
        return x

    # -- movements ---------------------------------------------------------------------------------

    def move(self, values: Sequence[Value], function: Callable[..., torch.Tensor]) -> Value:
        """What only moves numbers: function maps tensors of numbered places to where they end up,
        -1 standing for 0.
        """
        start, tensors = 0, []
        for x in values:
            tensors.append(torch.arange(start, start + x.size).reshape(x.shape))
            start += x.size
        places = function(*tensors)
        return self.gather(values, places)

    def gather(self, values: Sequence[Value], places: torch.Tensor) -> Value:
        """The numbers at places of the concatenated flat values; 0 at place -1."""
        shape, places = tuple(places.shape), places.reshape(-1)
        if not len(places):
            raise ValueError(f"leaves no numbers: a value of shape {shape}")
        _affordable(len(places))
        terms: list[tuple[int, Matrix]] = []
        start = 0
        for x in values:
            mine = ((places >= start) & (places < start + x.size)).nonzero()[:, 0]
            columns = places[mine] - start
            start += x.size
            if len(mine) == len(places) == x.size and bool((columns == torch.arange(x.size)).all()):
                terms.append((x.node, Identity(x.size)))
            elif len(mine):
                ones = torch.ones(len(mine), dtype=torch.float64)
                terms.append((x.node, Sparse((len(places), x.size), mine, columns, ones)))
        return Value(self.graph.linear(terms, zeros(len(places), 1)), shape)

    def expand(self, x: Value, shape: Shape) -> Value:
        """The value, repeated along axes of size 1."""
        return x if shape == x.shape else self.move([x], lambda places: places.expand(shape))

    # -- linear ------------------------------------------------------------------------------------

    def linear(self, x: Value, weight: torch.Tensor, bias: torch.Tensor | None) -> Value:
        """weight x + bias along the last axis; weight (m, n), bias a number or (m,)."""
        rows, columns = weight.shape
        *lead, last = x.shape
        if last != columns:
            raise ValueError(
                f"takes {columns} numbers along the last axis, got values of shape {x.shape}"
            )
        copies = math.prod(lead)
        offset = zeros(rows, 1) if bias is None else column(bias.expand(rows))
        node = self.graph.linear(
            [(x.node, kron(Identity(copies), Dense(weight)))], kron(Constant(copies, 1), offset)
        )
        return Value(node, (*lead, rows))

    def sum(self, x: Value, axes: Sequence[int], keep: bool) -> Value:
        """Sums along axes."""
        axes = [axis % len(x.shape) for axis in axes] if axes else list(range(len(x.shape)))
        kept = [1 if i in axes else n for i, n in enumerate(x.shape)]
        rows = torch.arange(math.prod(kept)).reshape(kept).expand(x.shape).reshape(-1)
        matrix = Sparse(
            (math.prod(kept), x.size),
            rows,
            torch.arange(x.size),
            torch.ones(x.size, dtype=torch.float64),
        )
        node = self.graph.linear([(x.node, matrix)], zeros(math.prod(kept), 1))
        return Value(node, tuple(n for i, n in enumerate(kept) if keep or i not in axes))

    def mean(self, x: Value, axes: Sequence[int], keep: bool) -> Value:
        """Means along axes."""
        total = self.sum(x, axes, keep)
        return self.divide(total, torch.tensor(x.size / total.size, dtype=torch.float64))

    def convolve(
        self,
        x: Value,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        stride: Sequence[int],
        pads: Sequence[int],
        dilation: Sequence[int],
        groups: int,
    ) -> Value:
        """A cross-correlation in d dimensions with zero padding, x of shape (1, C, n_1, ..., n_d).

        weight: (O, C/groups, k_1, ..., k_d). stride, dilation: d numbers. pads: d numbers before,
        then d numbers after.
        """
        outputs, spatial, shape = weight.shape[0], weight.ndim - 2, x.shape[1:]
        if len(shape) != spatial + 1 or shape[0] != weight.shape[1] * groups or outputs % groups:
            raise ValueError(
                f"takes {weight.shape[1] * groups} channels with {spatial} axes each, got values "
                f"of shape {shape}"
            )
        patches, image = self.patches(x.shape, weight.shape[2:], stride, pads, dilation)
        places = math.prod(image)
        _affordable(weight.numel() * places)
        group, fan_in = outputs // groups, weight[0].numel()
        full = (groups, group, fan_in, places)
        columns = patches.reshape(groups, 1, fan_in, places).expand(full)
        rows = torch.arange(outputs * places).reshape(groups, group, 1, places).expand(full)
        values = weight.reshape(groups, group, fan_in, 1).expand(full)
        seen = (columns >= 0) & (values != 0)
        matrix = Sparse(
            (outputs * places, math.prod(shape)), rows[seen], columns[seen], values[seen]
        )
        offset = zeros(outputs, 1) if bias is None else column(bias)
        node = self.graph.linear([(x.node, matrix)], kron(offset, Constant(places, 1)))
        return Value(node, (1, outputs, *image))

    def patches(
        self,
        shape: Shape,
        kernel: Sequence[int],
        stride: Sequence[int],
        pads: Sequence[int],
        dilation: Sequence[int],
    ) -> tuple[torch.Tensor, Shape]:
        """(C * prod(kernel), places): which input each place of a sliding window sees, -1 outside;
        and the places' shape.
        """
        _, channels, *sizes = shape
        spatial = len(sizes)
        if min(*stride, *dilation) < 1 or min(pads) < 0:
            raise ValueError(
                f"needs positive strides and dilations and no negative pads, got {stride}, "
                f"{dilation}, {pads}"
            )
        reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        padded = [size + pads[i] + pads[i + spatial] for i, size in enumerate(sizes)]
        image = tuple((p - r) // s + 1 for p, r, s in zip(padded, reach, stride, strict=True))
        if min(image) < 1:
            raise ValueError(
                f"has a kernel of extent {reach} beyond the padded image of size {padded}"
            )
        _affordable(channels * math.prod(padded))
        steps = [
            torch.arange(k)[:, None] * d + torch.arange(n) * s - pad
            for k, d, n, s, pad in zip(kernel, dilation, image, stride, pads, strict=False)
        ]
        return _patches(shape, steps), image

    def by_units(
        self,
        x: Value,
        run: Callable[[torch.Tensor], torch.Tensor],
        bias: torch.Tensor | None = None,
    ) -> Value:
        """A linear map of values (n, ...) -> (n, ...) whose entries are exact in float64, read off
        unit inputs.
        """
        shape, found = x.shape[1:], []
        out = run(torch.zeros(1, *shape, dtype=torch.float64)).shape[1:]
        _affordable(x.size * 8)
        step = max(1, 2**22 // max(x.size, math.prod(out)))
        for part in torch.arange(x.size).split(step):
            values = run(functional.one_hot(part, x.size).double().reshape(-1, *shape)).flatten(1)
            units, rows = torch.nonzero(values, as_tuple=True)
            found.append((rows, part[units], values[units, rows]))
        rows, columns, values = (torch.cat(kind) for kind in zip(*found, strict=True))
        _affordable(len(values))
        matrix = Sparse((math.prod(out), x.size), rows, columns, values)
        places = math.prod(out[1:])
        offset = (
            zeros(math.prod(out), 1) if bias is None else kron(column(bias), Constant(places, 1))
        )
        return Value(self.graph.linear([(x.node, matrix)], offset), (1, *out))

    def average_pool(self, x: Value, run: Callable[[torch.Tensor], torch.Tensor]) -> Value:
        """A pooling by means, as PyTorch computes it on each channel (n, 1, ...) -> (n, 1, ...),
        read off unit images.

        Its entries are reciprocals of integers: exact for powers of two, else said to be rounded.
        """
        if len(x.shape) < 3:
            raise ValueError(
                f"takes an image of shape (C, H, W), got values of shape {x.shape[1:]}"
            )
        channels, *image = x.shape[1:]
        size = math.prod(image)
        out = run(torch.zeros(1, 1, *image, dtype=torch.float64)).shape[2:]
        found = []
        for part in torch.arange(size).split(max(1, 2**20 // size)):
            values = run(functional.one_hot(part, size).double().reshape(-1, 1, *image)).flatten(1)
            units, rows = torch.nonzero(values, as_tuple=True)
            found.append((rows, part[units], values[units, rows]))
        rows, columns, values = (torch.cat(kind) for kind in zip(*found, strict=True))
        _affordable(channels * len(values))

        def whole(entries: torch.Tensor) -> Matrix:
            one = Sparse((math.prod(out), size), rows, columns, entries)
            return sparse(kron(Identity(channels), one))

        weight = whole(values)
        exact = bool((torch.frexp(values)[0] == 0.5).all())
        bias = zeros(weight.shape[0], 1)
        errors = None if exact else ((whole(values.abs() * 4 * UNIT),), bias)
        return Value(self.graph.linear([(x.node, weight)], bias, errors), (1, channels, *out))

    def max_pool(
        self,
        x: Value,
        kernel: Sequence[int],
        stride: Sequence[int],
        pads: Sequence[int],
        dilation: Sequence[int],
    ) -> Value:
        """Maxima in sliding windows, by pairs; what is outside does not count. x: (1, C, n_1, ...,
        n_d).
        """
        patches, image = self.patches(x.shape, kernel, stride, pads, dilation)
        return self._window_maxima(x, patches, image)

    def adaptive_max_pool(self, x: Value, image: Shape) -> Value:
        """Maxima in windows that cover each axis: from floor(i n / m) to ceil((i + 1) n / m)."""
        steps = []
        for n, m in zip(x.shape[2:], image, strict=True):
            places = torch.arange(m)
            first, end = places * n // m, -(-(places + 1) * n // m)
            step = first + torch.arange(int((end - first).max()))[:, None]
            steps.append(torch.where(step < end, step, -1))
        return self._window_maxima(x, _patches(x.shape, steps), image)

    def _window_maxima(self, x: Value, patches: torch.Tensor, image: Shape) -> Value:
        channels, places = x.shape[1], math.prod(image)
        windows = patches.reshape(channels, -1, places)
        inside = windows >= 0
        if not bool(inside.any(dim=1).all()):
            raise ValueError("has a window that sees padding alone, whose maximum is no number")
        first = windows.gather(1, inside.to(torch.int8).argmax(dim=1, keepdim=True))
        windows = torch.where(inside, windows, first)  # a maximum may take one number twice
        rows = windows.permute(1, 0, 2).reshape(windows.shape[1], -1)
        return self.maxima(x, rows, (1, channels, *image))

    def maxima(self, x: Value, windows: torch.Tensor, shape: Shape) -> Value:
        """The maximum of the numbers that each column of windows (k, n) names, in a balanced tree
        of pairs.
        """
        parts = [self.gather([x], row) for row in windows]
        while len(parts) > 1:
            pairs = itertools.zip_longest(parts[::2], parts[1::2])
            parts = [a if b is None else self.maximum(a, b) for a, b in pairs]
        return Value(parts[0].node, shape)

    def normalize(
        self,
        x: Value,
        scale: torch.Tensor,
        offset: torch.Tensor,
        mean: torch.Tensor,
        variance: torch.Tensor,
        eps: float,
    ) -> Value:
        """Batch normalization with fixed statistics, one number a channel (axis 1); what it rounds
        is said.
        """
        size = x.shape[1] if len(x.shape) > 1 else 0
        if any(len(values) != size for values in (scale, offset, mean, variance)):
            raise ValueError(f"takes {len(mean)} channels, got values of shape {x.shape[1:]}")
        if not bool((variance + eps > 0).all()):
            raise ValueError("variance + epsilon must be positive")
        factor = scale / (variance + eps).sqrt()
        view = (1, -1, *[1] * (len(x.shape) - 2))
        moved = factor * mean
        noise = offset.abs() + moved.abs()
        factor, shift, noise = (v.reshape(view) for v in (factor, offset - moved, noise))
        return self.rounded_scale(x, factor, shift, 8 * UNIT, noise)


def _number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def _is_exact(factor: float, values: torch.Tensor, products: torch.Tensor) -> bool:
    pairs = zip(values.reshape(-1).tolist(), products.reshape(-1).tolist(), strict=True)
    return all(math.isfinite(b) and Fraction(factor) * Fraction(a) == Fraction(b) for a, b in pairs)


def _patches(shape: Shape, steps: Sequence[torch.Tensor]) -> torch.Tensor:
    """(C * prod(kernel), places): what each place of windows sees, -1 outside; steps: of each axis,
    (kernel, places).
    """
    _, channels, *sizes = shape
    spatial = len(sizes)
    kernel, image = zip(*(step.shape for step in steps), strict=True)
    _affordable(channels * math.prod(kernel) * math.prod(image))
    inside = torch.ones((), dtype=torch.bool)
    index = torch.zeros((), dtype=torch.int64)
    for axis, size in enumerate(sizes):  # (k_1, ..., k_d, o_1, ..., o_d)
        view = [1] * (2 * spatial)
        view[axis], view[spatial + axis] = steps[axis].shape
        step = steps[axis].reshape(view)
        inside = inside & (step >= 0) & (step < size)
        index = index * size + step
    index = torch.where(inside, index, -1).reshape(1, math.prod(kernel), math.prod(image))
    size = math.prod(sizes)
    whole = torch.where(index >= 0, index + size * torch.arange(channels)[:, None, None], -1)
    return whole.reshape(channels * math.prod(kernel), math.prod(image))


def _diagonal(values: torch.Tensor) -> Matrix:
    size = len(values)
    if bool((values == 1).all()):
        return Identity(size)
    if size and bool((values == values[0]).all()) and values[0] != 0:
        return kron(Identity(size), Dense(values[:1, None]))
    index = torch.arange(size)
    kept = values != 0
    return Sparse((size, size), index[kept], index[kept], values[kept])


def _affordable(entries: int) -> None:
    if entries > ENTRY_LIMIT:
        raise ValueError(f"would need {entries:,} entries; the limit is {ENTRY_LIMIT:,}")
