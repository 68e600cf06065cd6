"""Files of the .nnet format (Stanford's networks for collision avoidance) read as networks."""

from __future__ import annotations

import hashlib
import itertools
import math
from fractions import Fraction
from pathlib import Path

import torch

from ..basics.result import several
from ..graphs.graph import Graph
from ..graphs.modules import check_layers
from ..graphs.operations import UNIT, Operations, Value
from ..graphs.origin import Origin
from ..linear.affine import Affine
from ..linear.matrix import ENTRY_LIMIT, Dense, Identity, Matrix, column, zeros


def read_nnet(path: Path) -> tuple[tuple[Affine, ...], Origin]:
    """The layers of a .nnet file, and where they come from.

    As the format says: inputs are clipped to the file's ranges, then (x - mean) / range is what the
    first layer takes; outputs are multiplied by the last range and moved by the last mean. Decimal
    numbers that are no float64 are rounded to the nearest, which `Origin` says and bounds. Raises
    ValueError that names the file and the line.
    """
    content = path.read_bytes()
    try:
        lines = _lines(content.decode("utf-8"))
        layers, origin = _read(lines, hashlib.sha256(content).hexdigest())
    except (UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path} does not describe a network: {error}") from error
    return layers, origin


class _Numbers:
    """Numbers of a file, line after line, and by how much float64 differs from the text."""

    def __init__(self, lines: list[tuple[int, list[str]]]) -> None:
        self.lines, self.at = lines, 0
        self.inexact = False

    def take(self, count: int, what: str) -> torch.Tensor:
        if self.at == len(self.lines):
            raise ValueError(f"the file ends before {what}")
        number, texts = self.lines[self.at]
        self.at += 1
        if len(texts) < count:
            wanted = several(count, "number")
            raise ValueError(f"line {number}: {what} must have {wanted}, got {len(texts)}")
        try:
            values = [float(text) for text in texts[:count]]
        except ValueError as error:
            raise ValueError(f"line {number}: {what} must be numbers: {error}") from error
        if not all(map(math.isfinite, values)):
            raise ValueError(f"line {number}: {what} must be finite")
        self.inexact |= any(
            len(t) > 400 or Fraction(t) != Fraction(v) for t, v in zip(texts, values, strict=False)
        )
        return torch.tensor(values, dtype=torch.float64)


def _lines(text: str) -> list[tuple[int, list[str]]]:
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("//"):
            found.append((number, [part.strip() for part in line.strip().rstrip(",").split(",")]))
    return found


def _read_head(
    numbers: _Numbers,
) -> tuple[list[int], torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The layers' sizes, and of the inputs: least and greatest, means and ranges (the last ones
    those of the outputs).
    """
    head = [
        int(v)
        for v in numbers.take(
            4, "the numbers of layers, inputs and outputs, and the largest layer"
        ).tolist()
    ]
    count, inputs, outputs = head[:3]
    if not (0 < count <= 2**16 and 0 < inputs <= 2**20 and 0 < outputs <= 2**20):
        raise ValueError(
            f"there must be layers, inputs and outputs, got {count}, {inputs} and {outputs}"
        )
    sizes = [int(v) for v in numbers.take(count + 1, "the sizes of all layers").tolist()]
    if sizes[0] != inputs or sizes[-1] != outputs or min(sizes) < 1:
        raise ValueError(
            f"layers of sizes {sizes} do not fit {several(inputs, 'input')} and "
            f"{several(outputs, 'output')}"
        )
    if any(a * b > ENTRY_LIMIT for a, b in itertools.pairwise(sizes)):
        raise ValueError(f"layers of sizes {sizes} exceed the limit of {ENTRY_LIMIT:,} entries")
    numbers.take(0, "a flag")
    numbers.inexact = False
    low, high = (
        numbers.take(inputs, "the least inputs"),
        numbers.take(inputs, "the greatest inputs"),
    )
    mean, span = numbers.take(inputs + 1, "the means"), numbers.take(inputs + 1, "the ranges")
    if not (bool((low <= high).all()) and bool((span != 0).all())):
        raise ValueError("ranges must not be 0, and least inputs not above the greatest")
    return sizes, low, high, mean, span


def _read(lines: list[tuple[int, list[str]]], digest: str) -> tuple[tuple[Affine, ...], Origin]:
    # Whole, because it reads one file from beginning to end.
    numbers = _Numbers(lines)
    sizes, low, high, mean, span = _read_head(numbers)
    count, inputs = len(sizes) - 1, sizes[0]
    graph = Graph(inputs)
    o = Operations(graph)
    graph.place = "normalization of inputs"
    x = Value(0, (1, inputs))
    x = o.shift(o.relu(o.shift(x, -low)), low)
    x = o.shift(o.negative(o.relu(o.shift(o.negative(x), high))), high)
    slip = UNIT if numbers.inexact else 0.0  # of all decimals of the head
    if slip:
        slips: tuple[tuple[Matrix, ...], Matrix] = (
            (zeros(inputs, inputs),),
            column((low.abs() + high.abs() + mean[:inputs].abs()) * slip),
        )
        x = Value(graph.linear([(x.node, Identity(inputs))], zeros(inputs, 1), slips), (1, inputs))
    x = o.shift(x, -mean[:inputs])
    powers = bool((torch.frexp(span[:inputs])[0].abs() == 0.5).all())
    if slip or not powers:
        inverse = span[:inputs].reciprocal()
        x = o.rounded_scale(
            x, inverse[None], torch.zeros(1, 1, dtype=torch.float64), 4 * UNIT, torch.zeros(1, 1)
        )
    else:
        x = o.divide(x, span[:inputs])
    parameters = 0
    for i, (below, size) in enumerate(itertools.pairwise(sizes)):
        graph.place = f"layer {i + 1}"
        numbers.inexact = False
        weight = torch.stack(
            [numbers.take(below, f"a row of weights of layer {i + 1}") for _ in range(size)]
        )
        bias = torch.cat([numbers.take(1, f"a bias of layer {i + 1}") for _ in range(size)])
        parameters += weight.numel() + bias.numel()
        errors: tuple[tuple[Matrix, ...], Matrix] | None = None
        if numbers.inexact:
            errors = (
                (Dense(weight.abs() * UNIT + 2.0**-1074),),
                column(bias.abs() * UNIT + 2.0**-1074),
            )
        x = Value(graph.linear([(x.node, Dense(weight))], column(bias), errors), (1, size))
        x = o.relu(x) if i < count - 1 else x
    graph.place = "normalization of outputs"
    if slip:
        x = o.rounded_scale(
            x, span[inputs:][None], mean[inputs:][None], UNIT, mean[inputs:][None].abs()
        )
    else:
        x = o.scale(x, span[inputs:], mean[inputs:])
    compiled = graph.compile(x.node)
    layers = tuple(compiled.layers)
    check_layers(
        graph,
        x.node,
        layers,
        low + (high - low) * torch.rand(2, inputs, dtype=torch.float64, generator=_seeded()),
    )
    rounded = tuple(dict.fromkeys(compiled.rounded))
    counts = parameters, compiled.merged, compiled.carried
    return layers, Origin(".nnet file", digest, *counts, rounded, tuple(compiled.errors), layers)


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)
