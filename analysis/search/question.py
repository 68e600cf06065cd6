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
    last: dict[Point, Fraction] = field(default_factory=dict, init=False)

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

    def margins(self, points: Array) -> tuple[Array, Array]:
        """Margins (n,) at points (n, d) in float64, and their gradients (n, d)."""
        hidden, active = points, []
        layers = self.network.arrays[:-1]
        products = self.network.products[: len(layers)]
        for weight, (_, bias) in zip(products, layers, strict=True):
            z = hidden @ weight.T + bias
            active.append(z > 0)
            hidden = np.maximum(z, 0)
        values = hidden @ self.forms.T + self.constants
        worst = values.argmin(axis=1)
        gradient = self.forms[worst]
        for weight, on in zip(reversed(products), reversed(active), strict=True):
            gradient = (gradient * on) @ weight
        return values[np.arange(len(points)), worst], gradient

    def margin(self, point: Sequence[Fraction]) -> Fraction:
        """The exact margin at a point; that of the last one is kept."""
        if self.last.get(tuple(point)) is None:
            self.last.clear()
            margins: list[Fraction] = self.network.exact.evaluate([list(point)], self.label)[0]
            self.last[tuple(point)] = margins[0]
        return self.last[tuple(point)]

    def replay(self, point: Array) -> Point | None:
        """The point, moved into the set, if its exact margin is <= 0; evaluated unless it is
        clearly positive in float64.
        """
        if not self.margins(point[None])[0][0] <= 1e-6 * np.abs(self.forms).max(initial=1.0):
            return None
        inside = self.set.nearest(point.tolist())
        return tuple(inside) if self.margin(inside) <= 0 else None

    def query(self, proof: dict[str, Any]) -> dict[str, Any]:
        """The label, the set, and a proof, as certificates hold them."""
        return {"label": self.label, **self.set.to_json(), **proof}

    def refuted(self, witness: Point) -> dict[str, Any]:
        """A query that a point refutes."""
        return self.query({"verdict": "refuted", "witness": [str(v) for v in witness]})

    def proved(self, facts: list[Any], trees: list[dict[str, Any]]) -> dict[str, Any]:
        """A query that trees prove, a tree for each form, on bounds of units that facts prove."""
        pairs = [list(pair) for pair in self.pairs]
        return self.query({"verdict": "proved", "pairs": pairs, "facts": facts, "trees": trees})
