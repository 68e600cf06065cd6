"""A network of one number that reads a table of keys and labels out of the bits of few weights.

A unit holds the place s on a line. Ramps between groups select the number U of the group of s: its
bits are the keys, and labels, that the group stores. Folding the place gives its key Z, and folding
U, t -> min(t, 2^b - t), removes one bit after another. At the start of a key's bits, 2^E (key - Z)
is U - 2^E Z up to what is below 2^E, so two units tell whether Z meets the key; then Z grows beyond
all keys, by the label, so that it meets none of those that follow, and is the result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import torch

from ..linear.affine import Affine
from ..linear.matrix import Integers, column, exact_entries, in_floats, over_powers
from ..networks.network import ReLUNetwork
from .grouping import Line, Plan, encoded

Form = Mapping[int, Fraction | int]
"""A linear form of the units of a layer."""


class Layers:
    """Layers as they are built: rows as linear forms of the units before."""

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.done: list[Affine] = []
        self.rows: list[tuple[Form, Fraction | int]] = []

    def unit(self, form: Form, bias: Fraction | int = 0) -> Form:
        """Add relu(form + bias) to the layer; the form of the unit in the next one."""
        self.rows.append((form, bias))
        return {len(self.rows) - 1: 1}

    def close(self) -> None:
        """Go on to the next layer."""
        self.done.append(affine_of(self.rows, self.inputs))
        self.inputs, self.rows = len(self.rows), []


def exact_rows(layer: Affine) -> list[tuple[list[tuple[int, Fraction]], Fraction]]:
    """The rows of a layer as rational numbers: (column, weight) in turn, and the bias."""
    rows: list[tuple[list[tuple[int, Fraction]], Fraction]]
    rows = [([], Fraction(0)) for _ in range(int(layer.weight.shape[0]))]
    for i, j, value in exact_entries(layer.weight):
        rows[i][0].append((j, value))
    for i, _, value in exact_entries(layer.bias):
        rows[i] = rows[i][0], value
    return rows


def affine_of(rows: Sequence[tuple[Form, Fraction | int]], inputs: int) -> Affine:
    """An affine layer of linear forms; of floats where float64 holds all numbers."""
    index = [(i, j, Fraction(w)) for i, (form, _) in enumerate(rows) for j, w in form.items() if w]
    places = torch.tensor([(i, j) for i, j, _ in index], dtype=torch.int64).reshape(-1, 2)
    weight = over_powers((len(rows), inputs), places[:, 0], places[:, 1], [w for *_, w in index])
    biases = [Fraction(bias) for _, bias in rows]
    found = [i for i, bias in enumerate(biases) if bias]
    at = torch.tensor(found, dtype=torch.int64)
    bias = over_powers((len(rows), 1), at, at * 0, [biases[i] for i in found])
    offset = in_floats(bias)
    return Affine(
        in_floats(weight), offset if isinstance(offset, Integers) else column(offset.to_dense())
    )


def combined(*terms: tuple[Form, Fraction | int]) -> Form:
    """A sum of multiples of forms."""
    total: dict[int, Fraction | int] = {}
    for form, factor in terms:
        for unit, weight in form.items():
            total[unit] = total.get(unit, 0) + factor * weight
    return {unit: weight for unit, weight in total.items() if weight}


def bit_table(line: Line, found: Plan, outputs: int, kinds: Sequence[int]) -> ReLUNetwork:
    """The network of a plan, from a place in units, s >= 0, to the outputs of `readout`."""
    layers = Layers(1)
    place = {0: 1}
    number, key = _selected(layers, line, found, place)
    size = found.slots * (found.key_bits + line.label_bits)
    for slot in range(found.slots):
        last = slot == found.slots - 1
        number, key, size = _slot(layers, line, found, number, key, size, last)
    behind = _readout(layers, line, found, key, outputs, kinds)
    return ReLUNetwork((*layers.done, behind))


def result_step(line: Line, found: Plan) -> int:
    """What a met key adds to Z: twice the range of keys, or for labels 16 times as much."""
    return 1 << (found.key_bits + (4 if line.label_bits else 1))


def _selected(layers: Layers, line: Line, found: Plan, place: Form) -> tuple[Form, Form]:
    """Units of the group's number U and of the place's key Z, of the same layer, not closed: their
    forms are those of the next layer.
    """
    numbers = [
        Fraction(encoded(keys, found.slots, found.key_bits, line.label_bits), 2)
        for keys in found.groups
    ]
    kept = found.key_bits - (1 if line.label_bits else 0)
    shift = Fraction(1 << (found.key_bits - 2) if line.label_bits else 0) - Fraction(1, 2)
    # the first layer: the place's first fold, and ramps
    whole, over = layers.unit(place), layers.unit(place, -(1 << (kept + found.folds - 1)))
    terms = []
    for g, start in enumerate(found.starts):
        knot = Fraction(start, line.unit)
        rise = numbers[g + 1] - numbers[g]
        terms += [(layers.unit(place, -knot), rise), (layers.unit(place, -knot - 1), -rise)]
    layers.close()
    number = combined(*terms)
    bias: Fraction | int = numbers[0]
    for k in range(1, found.folds):
        number, bias = layers.unit(number, bias), 0
        tent = combined((whole, 1), (over, -2))
        whole, over = layers.unit(tent), layers.unit(tent, -(1 << (kept + found.folds - 1 - k)))
        layers.close()
    number = layers.unit(number, bias)
    key = layers.unit(combined((whole, 1), (over, -2)), shift)
    layers.close()
    return number, key


def _slot(
    layers: Layers, line: Line, found: Plan, number: Form, key: Form, size: int, last: bool
) -> tuple[Form, Form, int]:
    """Compare with one key, add its label, and fold its bits away (not the last ones)."""
    c = line.label_bits
    held: Form = {}
    kept = number
    for k in range(c):
        held = layers.unit(number if not k else held)
        kept = _fold(layers, kept, size - 1 - k)
        key = layers.unit(key)
        layers.close()
    size -= c + found.key_bits
    step, window = Fraction(1 << size), Fraction(line.reach, 2) if line.windowed else Fraction(0)
    # 2^E (key - Z) + what is below, in (0, 2^E) where they are equal
    apart = combined((kept, 1), (key, -step))
    misses = [(combined((apart, -1)), -window * step), (apart, -(1 + window) * step)]
    scale = 1 / step if line.windowed else Fraction(1)
    factor = 2
    met: Form = {}
    added: Form = {}
    for k in range(found.key_bits if not last else 3 if c else 2):
        if k == 0:
            low, high = (
                layers.unit(combined((form, scale)), bias * scale) for form, bias in misses
            )
            following = combined((low, -factor), (high, -factor))
        elif k == 1:
            met = layers.unit(following, 1)
        elif k == 2 and c:
            shown = combined((held, Fraction(1, 1 << (size + found.key_bits))), (met, 1 << c))
            added = layers.unit(shown, -(1 << c))
        if c and k < 2:
            held = layers.unit(held)
        ready = k == 3 if c else k == 2
        gain = added if c else met
        key = layers.unit(combined((key, 1), (gain, result_step(line, found))) if ready else key)
        if not last:
            kept = _fold(layers, kept, size + found.key_bits - 1 - k)
        layers.close()
    if last:
        key = combined((key, 1), (added if c else met, result_step(line, found)))
    return kept, key, size


def _fold(layers: Layers, number: Form, exponent: int) -> Form:
    """Units of t -> min(t, 2 top - t), top = 2^exponent; its form in the next layer."""
    whole, over = layers.unit(number), layers.unit(number, -(1 << exponent))
    return combined((whole, 1), (over, -2))


def _readout(
    layers: Layers, line: Line, found: Plan, key: Form, outputs: int, kinds: Sequence[int]
) -> Affine:
    """The last layers. Without label bits Z >= 2^(key_bits + 1) where a key was met, else Z <=
    2^key_bits: 0 or 1 by a ramp. With label bits Z / step is in (k, k + 1) for label k, and in [0,
    1/16] for label 0: each output is 2 k u - k^2 of u = Z / step - 1/2, largest for the label.
    """
    c, b = line.label_bits, found.key_bits
    if not c:
        low, high = layers.unit(key, -(1 << b)), layers.unit(key, -(2 << b))
        layers.close()
        inside = combined((low, Fraction(1, 1 << b)), (high, -Fraction(1, 1 << b)))
        sign = 1 if kinds[1] else -1
        if outputs == 1:
            rows = [(combined((inside, 2 * sign)), -sign)]
        else:
            wanted = {kinds[1]: (inside, 0), kinds[0]: (combined((inside, -1)), 1)}
            rows = [wanted[0], wanted[1]]
        return affine_of(rows, 2)
    last = layers.unit(key)
    layers.close()
    share = Fraction(1, result_step(line, found))
    place = {kind: k for k, kind in enumerate(kinds)}
    rows = [
        (combined((last, 2 * place[kind] * share)), -place[kind] - place[kind] ** 2)
        for kind in range(outputs)
    ]
    return affine_of(rows, 1)
