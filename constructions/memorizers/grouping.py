"""Which of many places on a line share a number of a bit table, and under which keys.

A place is an integer; `unit` of them are one, a power of two. The zone of a group is what lies
between two ramps; in a zone, places are told apart by their keys, the distances from a lattice that
folding leaves (a hash).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Line:
    """Distinct places, ascending, of intervals [place - half, place + half] without sign, and their
    labels; 0 is the label that is not stored. windowed: places are no integers in their units, so a
    key is met within a window.
    """

    places: np.ndarray
    labels: np.ndarray
    half: int
    unit: int
    windowed: bool

    @property
    def reach(self) -> int:
        """Twice the half width of a window, in units: keys are met up to reach / 2, and missed from
        reach / 2 + 3/2 on.
        """
        return 2 if self.half else 1

    @property
    def label_bits(self) -> int:
        """Bits of a stored label; none where there is one kind."""
        kinds = int(self.labels.max())
        return kinds.bit_length() if kinds > 1 else 0

    @property
    def range_bits(self) -> int:
        """The least b with all places at most 2^b units."""
        return max(1, (-(-(int(self.places[-1]) + self.half) // self.unit) - 1).bit_length())


@dataclass(frozen=True, eq=False)
class Plan:
    """Groups of at most `slots` stored keys: for each group its (key, label)s, and where the ramps
    between groups start, one unit long, in places.

    key_bits: of a key; where labels have bits, keys stay in the middle half of their range. folds:
    how often places are folded to become keys.
    """

    groups: tuple[tuple[tuple[int, int], ...], ...]
    starts: tuple[int, ...]
    slots: int
    key_bits: int
    folds: int

    def cost(self, line: Line) -> int:
        """What a network of this plan costs, but for the first layer and the last ones."""
        return cost(len(self.groups), self.folds, self.slots, self.key_bits, line)


def cost(groups: int, folds: int, slots: int, key_bits: int, line: Line) -> int:
    """Parameters that depend on how places are grouped."""
    each = slot_cost(line.label_bits, line.windowed)
    return 6 * groups + 6 * folds + 6 * key_bits * (slots - 1) + each * slots


def slot_cost(label_bits: int, windowed: bool) -> int:
    """Parameters of a key but for its bits."""
    return (17 + 7 * label_bits if label_bits else 11) + windowed


def plan(line: Line, bits: int | None = None) -> Plan | None:
    """The cheapest grouping that was found; None if there is none. bits: the most that a number of
    the table may have.
    """
    stored = int((line.labels > 0).sum())
    label_bits, each = line.label_bits, slot_cost(line.label_bits, line.windowed)
    best: Plan | None = None
    guess = 2 * math.log2(2 + math.sqrt(stored / 10))
    low = 4 if label_bits else 3
    least = max(low, round(guess) - 3)
    for key_bits in range(least, least + (9 if len(line.places) <= 10**5 else 6)):
        wanted = math.sqrt(6 * stored / (6 * key_bits + each))
        found = None
        for share in (1.0, 0.75, 1.35):
            slots = max(2, round(wanted * share))
            if bits is not None:
                slots = min(slots, (bits - 1) // (key_bits + label_bits))
            if slots < 2:
                break
            found = grouped(line, slots, key_bits)
            if found is None:
                break
            if best is None or found.cost(line) < best.cost(line):
                best = found
            elif share == 1.0 and found.cost(line) > 1.3 * best.cost(line):
                break
    return best


def folded(places: np.ndarray, unit: int, range_bits: int, folds: int) -> np.ndarray:
    """Places folded at half their range, `folds` times: they end in [0, unit 2^(range_bits -
    folds)].
    """
    values = places
    for k in range(folds):
        top = unit << (range_bits - 1 - k)
        values = np.minimum(values, 2 * top - values)
    return values


def grouped(line: Line, slots: int, key_bits: int) -> Plan | None:
    """Groups from left to right, each as large as keys and slots allow; None where two places can
    neither share a group nor be parted.
    """
    label_bits, unit = line.label_bits, line.unit
    kept_bits = key_bits - 1 if label_bits else key_bits
    range_bits = max(line.range_bits, kept_bits + 1)
    folds = range_bits - kept_bits
    shift = 2 ** (key_bits - 2) if label_bits else 0
    values = folded(line.places, unit, range_bits, folds) - unit // 2 + unit * shift
    values = np.maximum(values, 0)
    limits = shift, shift + 2**kept_bits - 1
    gaps = np.diff(line.places) - 2 * line.half
    parted = [False, *(gaps >= (2 * unit if line.windowed else unit)).tolist()]
    zone = _Zone(line, limits)
    groups, starts = [], []
    hashes, labels = values.tolist(), line.labels.tolist()
    first, i = 0, 0
    while i < len(hashes):
        if zone.take(hashes[i], labels[i], slots):
            i += 1
            continue
        cut = i
        while cut > first and not parted[cut]:
            cut -= 1
        if cut == first:
            return None
        if cut < i:  # the zone again, as far as it goes now
            zone = _Zone(line, limits)
            for j in range(first, cut):
                zone.take(hashes[j], labels[j], slots)
        keys = zone.keys()
        if keys is None:
            return None
        groups.append(keys)
        starts.append(_start(line, cut))
        first = i = cut
        zone = _Zone(line, limits)
    keys = zone.keys()
    if keys is None:
        return None
    return Plan((*groups, keys), tuple(starts), slots, key_bits, folds)


def _start(line: Line, cut: int) -> int:
    """Where the ramp before place number `cut` starts: at the place before, or at the next unit."""
    end = int(line.places[cut - 1]) + line.half
    return -(-end // line.unit) * line.unit if line.windowed else end


class _Zone:
    """The places of one group, as they come: whether one more fits."""

    def __init__(self, line: Line, limits: tuple[int, int]) -> None:
        self.line, (self.least, self.most) = line, limits
        self.stored: dict[int, int] = {}
        self.seen: dict[int, list[tuple[int, int]]] = {}

    def take(self, value: int, label: int, slots: int) -> bool:
        """Add a place, unless its key is that of another label, or there is no slot left."""
        if not self.line.windowed:
            key = value // self.line.unit
            known = self.seen.get(key)
            if known is not None:
                return known[0][1] == label
            if label:
                if len(self.stored) == slots:
                    return False
                self.stored[key] = label
            self.seen[key] = [(value, label)]
            return True
        unit = self.line.unit
        near = value // unit
        met = False
        for key in range(near - 4, near + 6):
            if key in self.stored:
                found = self._meets(value, key)
                if found is None or (found and self.stored[key] != label):
                    return False
                met = met or found
        if label and not met:
            key = min((value + unit // 2) // unit, self.most)
            if len(self.stored) == slots or not self._meets(value, key):
                return False
            for bucket in range(key - 5, key + 6):
                for other, kind in self.seen.get(bucket, ()):
                    found = self._meets(other, key)
                    if found is None or (found and kind != label):
                        return False
            self.stored[key] = label
        self.seen.setdefault(near, []).append((value, label))
        return True

    def _meets(self, value: int, key: int) -> bool | None:
        """Whether all of an interval meets a key (True), or none of it does (False)."""
        line = self.line
        distance = 2 * abs(value - key * line.unit)
        if distance + 2 * line.half <= line.reach * line.unit:
            return True
        return False if distance - 2 * line.half >= (line.reach + 3) * line.unit else None

    def keys(self) -> tuple[tuple[int, int], ...] | None:
        """Keys with their labels; where nothing is stored, a key that no place meets."""
        if self.stored:
            return tuple(self.stored.items())
        for key in range(self.least, self.most + 1):
            if self.line.windowed:
                values = [v for k in range(key - 5, key + 6) for v, _ in self.seen.get(k, ())]
                free = all(self._meets(v, key) is False for v in values)
            else:
                free = key not in self.seen
            if free:
                return ((key, 1),)
        return None


def encoded(keys: Sequence[tuple[int, int]], slots: int, key_bits: int, label_bits: int) -> int:
    """Twice the number whose folds give keys and labels one after the other: each fold of a number
    below 2^b gives min(t, 2^b - t). The last key is repeated where there are fewer.
    """
    padded = [*keys, *[keys[-1]] * (slots - len(keys))]
    value, size = 1, 0  # twice one half; below 2^size
    for key, label in reversed(padded):
        value = (2 * key << size) + ((2 << size) - value if key % 2 else value)
        size += key_bits
        if label_bits:
            value = (2 * label << size) + ((2 << size) - value if label % 2 else value)
        size += label_bits
    return value
