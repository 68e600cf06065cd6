"""Whether a margin is positive on a set: margins in floats and exactly, and how answers are written
down.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from ..checkers import check_certificate as checker
from .bounding import Array, Inputs
from .prepared import Prepared
from .sets import ExactSet, Point


class Undecided(Exception):  # noqa: N818 - an outcome
    """The search ends without a proof and without a counterexample; the message says why."""


@dataclass(frozen=True, eq=False)
class Question:
    """Whether the margin of one label is positive on all of a set.

    The margin is the least of affine functions of the last hidden layer, rows of `forms` plus
    `constants`.
    """

    network: Prepared
    set: ExactSet
    label: int
    last: list[tuple[Point, Fraction]] = field(default_factory=list, init=False)

    @functools.cached_property
    def inputs(self) -> Inputs:
        """The set in float64."""
        return self.set.to_floats()

    @functools.cached_property
    def forms(self) -> Array:
        """Linear parts (t, units of the last hidden layer)."""
        return self._differences(self.network.arrays[-1][0])

    @functools.cached_property
    def constants(self) -> Array:
        """Constant parts (t,)."""
        return self._differences(self.network.arrays[-1][1])

    def _differences(self, outputs: Array) -> Array:
        if len(outputs) == 1:
            return self.label * outputs
        return np.delete(outputs[self.label] - outputs, self.label, axis=0)

    @property
    def has_curves(self) -> bool:
        """Whether units that depend on one input are taken exactly: in sums, on l_2 balls."""
        return self.inputs.centre is not None and self.network.has_curves

    @functools.cached_property
    def left_out(self) -> list[Array]:
        """Which units of each hidden layer are in no linear program: in large networks, those that
        are taken exactly.
        """
        large = self.has_curves and self.network.is_large
        return [large & (reads >= 0) for reads in self.network.reads]

    @functools.cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """The network's pairs, without units that are left out."""
        out = np.concatenate([np.zeros(0, dtype=bool), *self.left_out])
        return [(p, q) for p, q in self.network.pairs if not (out[p] or out[q])]

    def values(self, points: Array, hidden: list[Array] | None = None) -> Array:
        """Values (n, t) of the forms at points (n, d) in float64; values of hidden layers are added
        to a list.
        """
        layers, found = self.network.arrays[:-1], points
        for weight, (_, bias) in zip(self.network.products[:-1], layers, strict=True):
            found = np.maximum(found @ weight.T + bias, 0)
            if hidden is not None:
                hidden.append(found)
        return found @ self.forms.T + self.constants

    def margins(self, points: Array) -> tuple[Array, Array]:
        """Margins (n,) at points (n, d) in float64, and their gradients (n, d)."""
        hidden: list[Array] = []
        values = self.values(points, hidden)
        worst = values.argmin(axis=1)
        gradient = self.forms[worst]
        for weight, h in zip(reversed(self.network.products[:-1]), reversed(hidden), strict=True):
            gradient = (gradient * (h > 0)) @ weight
        return values[np.arange(len(points)), worst], gradient

    def least(self, points: Array) -> Array:
        """The point (d,) of points (n, d) where the margin is least in float64."""
        found: Array = points[self.values(points).min(axis=1).argmin()]
        return found

    def margin(self, point: Sequence[Fraction]) -> Fraction:
        """The exact margin at a point; that of the last one is kept."""
        point = tuple(point)
        if not self.last or self.last[0][0] != point:
            margins: list[Fraction] = self.network.exact.evaluate([list(point)], self.label)[0]
            self.last[:] = [(point, margins[0])]
        return self.last[0][1]

    def replay(self, point: Array) -> Point | None:
        """The point, moved into the set, if its exact margin is <= 0; evaluated unless it is
        clearly positive in float64.
        """
        if not self.values(point[None]).min() <= 1e-6 * np.abs(self.forms).max(initial=1.0):
            return None
        inside = self.set.nearest(point.tolist())
        return tuple(inside) if self.margin(inside) <= 0 else None

    def query(self, proof: dict[str, Any]) -> dict[str, Any]:
        """The label, the set, and a proof, as certificates hold them."""
        return {"label": self.label, **self.set.to_json(), **proof}

    def refuted(self, witness: Point) -> dict[str, Any]:
        """A query that a point refutes."""
        return self.query({"verdict": "refuted", "witness": [str(v) for v in witness]})

    def named(self, texts: list[str]) -> Point:
        """The point that a query names; if it is the last one that was evaluated, that itself."""
        if self.last and [str(v) for v in self.last[0][0]] == texts:
            return self.last[0][0]
        return tuple(checker.rational(text) for text in texts)

    def proved(self, facts: list[Any], trees: list[dict[str, Any]]) -> dict[str, Any]:
        """A query that trees prove, a tree for each form, on bounds of units that facts prove."""
        pairs = [list(pair) for pair in self.pairs]
        return self.query({"verdict": "proved", "pairs": pairs, "facts": facts, "trees": trees})
