"""The layers of one stage: folds with their gates and bits, and a table; and stages side by side.

On a direction, T = r(T), a = r(T - q) and b = r(T - q - w) give the fold T - a - b, the bit
(a - b) / w, and the gate r(1 + (T - a - b - q) / w), which is 1 where the bit is neither 0 nor 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..linear.affine import Affine
from .bit_table import Form, affine_of, combined, exact_rows
from .folds import Stage
from .line import memorizer

Row = tuple[Form, Fraction | int]


@dataclass(frozen=True, eq=False)
class Built:
    """The layers of a stage, from the coordinates on directions to o in [0, 1], and what is in the
    closed form: levels of folds, bits that are read, folds with another behind, parameters of the
    table, and those that carry numbers from layer to layer.
    """

    layers: list[list[Row]]
    levels: int
    bits: int
    inner: int
    table: int
    carried: int

    @classmethod
    def of(cls, stage: Stage, index: dict[int, int]) -> Built:
        """Folds level by level, then the table with the sum of gates beside it."""
        # Whole, because each layer's units are the next one's inputs.
        table = memorizer(stage.cells.astype(float), np.where(stage.inside, 1, -1))
        place, *behind = [
            [(dict(row), bias) for row, bias in exact_rows(layer)] for layer in table.layers
        ]
        weights, start = place[0]
        chains: dict[int, list[int]] = {}
        for k, fold in enumerate(stage.folds):
            chains.setdefault(fold.row, []).append(k)
        levels = max(map(len, chains.values()))
        # what a sum begins with, so that it stays >= 0
        base = 1 + sum((max(Fraction(0), -Fraction(w)) for w in weights.values()), Fraction(0))
        base += base == start
        layers: list[list[Row]] = []
        at: dict[int, Form] = {r: {index[r]: 1} for r in chains}
        total: Form = {}
        shut: Form = {}
        for level in range(levels):
            rows: list[Row] = []
            kinks = {}
            for r, chain in chains.items():
                if level < len(chain):
                    fold = stage.folds[chain[level]]
                    q, step = Fraction(fold.place), Fraction(fold.width)
                    kept, low, high = (_unit(rows, at[r], b) for b in (0, -q, -q - step))
                    bent = combined((kept, 1), (low, -1), (high, -1))
                    side = combined((low, 1 / step), (high, -1 / step))
                    kinks[r] = fold, bent, combined((side, weights.get(chain[level], 0)))
            if level:
                total, shut = _unit(rows, total), _unit(rows, shut)
            layers.append(rows)
            rows, gates = [], []
            for r, (fold, bent, _) in kinks.items():
                step = Fraction(fold.width)
                bias = 1 - Fraction(fold.place) / step
                gates.append(_unit(rows, combined((bent, 1 / step)), bias))
                if level + 1 < len(chains[r]):
                    at[r] = _unit(rows, bent, Fraction(fold.lift))
            last = level + 1 == levels
            begun = Fraction(0 if level else base)
            read = combined((total, 1), *((side, 1) for *_, side in kinks.values()))
            total = _unit(rows, read, begun + start - base if last else begun)
            before = _unit(rows, shut) if level else {}
            shut = combined((before, 1), *((gate, 1) for gate in gates))
            layers.append(rows)
        outputs = [total]
        for hidden in behind[:-1]:
            rows = []
            outputs = [
                _unit(rows, combined(*((outputs[j], w) for j, w in form.items())), offset)
                for form, offset in hidden
            ]
            shut = _unit(rows, shut)
            layers.append(rows)
        ((form, end),) = behind[-1]
        value = combined(*((outputs[j], Fraction(w) / 2) for j, w in form.items()), (shut, -1))
        layers.append([(value, (end + 1) / Fraction(2))])
        inner = len(stage.folds) - len(chains)
        extra = (4 * levels - 3 if levels > 1 else 0) + len(behind) - 2 + int(end == 1)
        return cls(layers, levels, len(weights), inner, table.size.parameters, extra)


def _unit(rows: list[Row], form: Form, bias: Fraction | int = 0) -> Form:
    """Add a unit to a layer; its form in the next one."""
    rows.append((form, bias))
    return {len(rows) - 1: 1}


def beside(built: Sequence[Built], depth: int, inputs: int) -> list[Affine]:
    """The layers of all stages, shorter ones with their output carried on."""
    layers, starts = [], [0] * len(built)
    for level in range(depth):
        rows: list[Row] = []
        following = []
        for one, start in zip(built, starts, strict=True):
            following.append(len(rows))
            done = level >= len(one.layers)
            for form, bias in [({0: 1}, 0)] if done else one.layers[level]:
                rows.append(({start + j: w for j, w in form.items()}, bias))
        layers.append(affine_of(rows, inputs))
        inputs, starts = len(rows), following
    return layers
