"""Properties of networks: for which inputs of which boxes outputs count as unsafe. All numbers are
exact rationals.

Whole, because it is one noun: a property is conjuncts, and these are boxes with constraints.

>>> ramp = Property(
...     box=([0.0], [1.0]), unsafe=[([[1.0]], [-0.5])]
... )  # unsafe: 0 <= x <= 1 and y - 1/2 >= 0
>>> ramp.violated([Fraction(3, 4)], [Fraction(3, 4)]), ramp.violated([2], [2])
(True, False)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational
from operator import index
from typing import Any

import numpy as np
import torch

from ..basics.ball import Ball
from ..basics.reading import as_coordinates, corners
from ..basics.result import several

DIGITS = 4000
"""Most decimal digits before and after the point of a literal (float64 needs at most 309 and 1074).
"""

Rationals = tuple[Fraction, ...]


@dataclass(frozen=True)
class Constraint:
    """One linear inequality of a network's inputs and outputs, in exact numbers.

    a.x + b.y + offset >= 0, or > 0 if strict.

    Attributes:
        inputs: the nonzero entries of a, as (place, value).
        outputs: those of b.
        offset: the constant.
        strict: whether 0 itself is excluded.

    Example:
        >>> Constraint((), ((0, Fraction(1)),), Fraction(-1, 2)).holds([0], [Fraction(1, 2)])
        True
    """

    inputs: tuple[tuple[int, Fraction], ...]
    outputs: tuple[tuple[int, Fraction], ...]
    offset: Fraction
    strict: bool = False

    def value(self, x: Sequence[Any], y: Sequence[Any]) -> Fraction:
        """Compute a.x + b.y + offset.

        Args:
            x: D numbers, taken exactly.
            y: K numbers, likewise.

        Returns:
            The value, exact.
        """
        return sum((v * x[j] for j, v in self.inputs), self.offset) + sum(
            v * y[k] for k, v in self.outputs
        )

    def holds(self, x: Sequence[Any], y: Sequence[Any], excess: Fraction = Fraction(0)) -> bool:
        """Whether it holds for these inputs and outputs, by at least `excess`.

        Args:
            x: D numbers, taken exactly.
            y: K numbers, likewise.
            excess: what is taken off the left side.

        Returns:
            The answer, exact.
        """
        value = self.value(x, y) - excess
        return value > 0 if self.strict else value >= 0


@dataclass(frozen=True)
class Conjunct:
    """Inputs in a box whose outputs fulfil all of some constraints.

    Attributes:
        lower: D Fractions, the least value of each input.
        upper: D Fractions, the largest.
        constraints: the `Constraint`s that hold together.

    Example:
        >>> Conjunct((Fraction(0),), (Fraction(1),), ()).contains([Fraction(1, 2)])
        True
    """

    lower: Rationals
    upper: Rationals
    constraints: tuple[Constraint, ...]

    def contains(self, x: Sequence[Any]) -> bool:
        """Whether an input is in the box.

        Args:
            x: D numbers, taken exactly.

        Returns:
            The answer, exact; constraints are not asked.
        """
        return all(a <= v <= b for a, v, b in zip(self.lower, x, self.upper, strict=True))


@dataclass(frozen=True, init=False, repr=False)
class Property:
    """What a network must not do: boxes of inputs with outputs that are unsafe there.

    A union of conjuncts, each a box of inputs and linear constraints that hold together. A network
    is safe if no input is unsafe: `analysis.decide` says so. `p | q` is the union of two
    properties, of other boxes, too. VNN-LIB files ask the same: `read_property`.

    Args:
        box: (lower, upper), each D numbers, of any shape, flattened row by row, or a number for
            all. Numbers are integers, floats or Fractions, and exact.
        unsafe: alternatives (B, c) or (B, c, A), at least one, each the set where B y + c >= 0 in
            every row, or A x + B y + c >= 0; B: (m, K), c: (m,), A: (m, D).

    Attributes:
        inputs: D.
        outputs: K.
        conjuncts: one `Conjunct` an alternative.

    Raises:
        ValueError: for shapes that do not fit, numbers that are not finite, lower > upper.
        TypeError: for what is no number.

    Example:
        >>> rivals = Property(box=([0.0, 0.0], [1.0, 0.5]), unsafe=[([[1.0, -1.0]], [0.0])])
        >>> both = rivals | Property(
        ...     box=([0.0, 0.0], [2.0, 2.0]),
        ...     unsafe=[([[0.0, 1.0], [1.0, 0.0]], [-1.0, Fraction(-1, 3)])],
        ... )
        >>> len(both.conjuncts), both.violated([2, 2], [Fraction(1, 3), 1])
        (2, True)
    """

    inputs: int
    outputs: int
    conjuncts: tuple[Conjunct, ...]

    def __init__(self, box: tuple[Any, Any], unsafe: Sequence[tuple[Any, ...]]) -> None:
        lower, upper = (tuple(corner) for corner in exact_box(box))
        if not isinstance(unsafe, (tuple, list)) or not unsafe:
            raise ValueError(
                f"unsafe must be a list of alternatives (B, c) or (B, c, A), at least one, got "
                f"{unsafe!r}"
            )
        outputs, conjuncts = 0, []
        for i, alternative in enumerate(unsafe):
            if not isinstance(alternative, (tuple, list)) or len(alternative) not in (2, 3):
                raise ValueError(f"unsafe[{i}] must be (B, c) or (B, c, A), got {alternative!r}")
            offset = rationals(alternative[1], f"unsafe[{i}], c")
            steep = _matrix(alternative[0], f"unsafe[{i}], B", len(offset))
            along = (
                _matrix(alternative[2], f"unsafe[{i}], A", len(offset))
                if len(alternative) == 3
                else [[]] * len(offset)
            )
            if along and along[0] and len(along[0]) != len(lower):
                raise ValueError(
                    f"unsafe[{i}], A must have {len(lower)} columns, one an input, got "
                    f"{len(along[0])}"
                )
            if outputs and len(steep[0]) != outputs:
                raise ValueError(
                    f"unsafe[{i}], B must have {outputs} columns, as unsafe[0] has, got "
                    f"{len(steep[0])}"
                )
            outputs = len(steep[0])
            rows = zip(along, steep, offset, strict=True)
            conjuncts.append(
                Conjunct(
                    lower, upper, tuple(Constraint(_entries(a), _entries(b), c) for a, b, c in rows)
                )
            )
        self._set(len(lower), outputs, conjuncts)

    def _set(self, inputs: int, outputs: int, conjuncts: Sequence[Conjunct]) -> None:
        for name, value in (
            ("inputs", inputs),
            ("outputs", outputs),
            ("conjuncts", tuple(conjuncts)),
        ):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:  # images have thousands of numbers
        sizes = f"{several(self.inputs, 'input')}, {several(self.outputs, 'output')}"
        return f"Property({sizes}, unsafe: a union of {len(self.conjuncts)})"

    @classmethod
    def of(cls, inputs: int, outputs: int, conjuncts: Sequence[Conjunct]) -> Property:
        """Unite conjuncts about networks with so many inputs and outputs.

        Args:
            inputs: D.
            outputs: K.
            conjuncts: what is unsafe; where there are none, nothing is.

        Returns:
            A `Property`.
        """
        made = cls.__new__(cls)
        made._set(inputs, outputs, conjuncts)
        return made

    @classmethod
    def robust(
        cls,
        centre: Any,
        ball: Ball,
        label: int,
        outputs: int,
        *,
        domain: tuple[float, float] | None = (0.0, 1.0),
    ) -> Property:
        """State that all of an l_inf ball, within domain^D, has the label; ties are unsafe.

        Args:
            centre: D numbers; uint8 is k/255.
            ball: an l_inf `Ball`.
            label: -1 or +1 for one output, else 0..outputs-1.
            outputs: K.
            domain: (lower, upper) of every input, or None for all of R.

        Returns:
            A `Property`.

        Raises:
            ValueError: for another norm or label, and where no point is left.

        Example:
            >>> [
            ...     len(part.constraints)
            ...     for part in Property.robust([0.5, 0.5], Ball("inf", 0.25), 2, 3).conjuncts
            ... ]
            [1, 1]
        """
        if not isinstance(ball, Ball) or ball.p != float("inf"):
            raise ValueError(
                f"ball must be an l_inf Ball, got {ball!r} (analysis.certify decides l_2 balls)"
            )
        point, radius = exact_point(centre, "centre"), Fraction(ball.radius)
        low, high = (Fraction(v) for v in domain) if domain else (None, None)
        lower = [v - radius if low is None else max(v - radius, low) for v in point]
        upper = [v + radius if high is None else min(v + radius, high) for v in point]
        known = [-1, 1] if outputs == 1 else range(outputs)
        if isinstance(label, bool) or index(label) not in known:
            raise ValueError(
                f"label must be {'-1 or 1' if outputs == 1 else f'one of 0..{outputs - 1}'}, got "
                f"{label!r}"
            )
        if outputs == 1:
            return cls((lower, upper), [([[-label]], [0])])
        rows = [
            [(j == k) - (j == label) for j in range(outputs)] for k in range(outputs) if k != label
        ]
        return cls((lower, upper), [([row], [0]) for row in rows])

    def __or__(self, other: Property) -> Property:
        if not isinstance(other, Property):
            return NotImplemented
        if (self.inputs, self.outputs) != (other.inputs, other.outputs):
            sizes = " and ".join(
                f"{several(p.inputs, 'input')}, {several(p.outputs, 'output')}"
                for p in (self, other)
            )
            raise ValueError(f"properties must be about networks of equal sizes, got {sizes}")
        return Property.of(self.inputs, self.outputs, self.conjuncts + other.conjuncts)

    def violated(self, x: Sequence[Any], y: Sequence[Any]) -> bool:
        """Whether an input with its outputs is unsafe.

        Args:
            x: D numbers, taken exactly.
            y: the K outputs at x, likewise.

        Returns:
            The answer, exact.

        Raises:
            ValueError: for other sizes, and numbers that are not finite.
            TypeError: for what is no number.
        """
        point, values = exact_point(x, "x"), rationals(y, "y")
        if (len(point), len(values)) != (self.inputs, self.outputs):
            sizes = f"{several(self.inputs, 'input')} and {several(self.outputs, 'output')}"
            raise ValueError(
                f"x and y must be {sizes}, got {len(point)} and {several(len(values), 'number')}"
            )
        return any(
            p.contains(point) and all(c.holds(point, values) for c in p.constraints)
            for p in self.conjuncts
        )


def rationals(values: Any, name: str) -> list[Fraction]:
    """Read numbers exactly, as a flat list of Fractions.

    Args:
        values: integers, floats, Fractions or rational numbers of SymPy, of any shape.
        name: what errors call them.

    Returns:
        The Fractions, row by row.

    Raises:
        TypeError: for what is no number.
        ValueError: for NaN and infinity.

    Example:
        >>> rationals([0.5, Fraction(1, 3)], "box")
        [Fraction(1, 2), Fraction(1, 3)]
    """
    result = []
    flat = (
        values.reshape(-1).tolist()
        if hasattr(values, "reshape")
        else np.asarray(values, dtype=object).reshape(-1)
    )
    for i, value in enumerate(flat):
        number = value.item() if isinstance(value, np.generic) else value
        if isinstance(number, bool) or not isinstance(number, (float, Rational)):
            raise TypeError(
                f"{name} must be a row of floats, integers or Fractions, got {value!r} at index {i}"
            )
        if isinstance(number, float) and not math.isfinite(number):
            raise ValueError(f"{name} must be finite, got {number} at index {i}")
        if isinstance(number, float):
            number = Fraction(*number.as_integer_ratio())
        result.append(number if isinstance(number, Fraction) else Fraction(number))
    return result


def exact_point(values: Any, name: str) -> list[Fraction]:
    """A point's coordinates, as `rationals` reads them; but images of uint8 are k/255, in float64,
    as everywhere.

    >>> exact_point(np.array([51], dtype=np.uint8), "x") == [Fraction(0.2)]
    True
    """
    image = getattr(values, "dtype", None) in (torch.uint8, np.uint8)
    return rationals(as_coordinates(values, name) if image else values, name)


def exact_box(
    box: Any, inputs: int | None = None, *, thin: bool = True
) -> tuple[list[Fraction], list[Fraction]]:
    """The corners of a box, exactly: each `inputs` numbers (None: any), or one for all of them.
    `thin`: sides may have length 0.

    Raises ValueError for what is no box, TypeError for what are no numbers.

    >>> exact_box((0, [0.5, Fraction(1, 3)]))
    ([Fraction(0, 1), Fraction(0, 1)], [Fraction(1, 2), Fraction(1, 3)])
    """
    lower, upper = (rationals(corner, f"box[{k}]") for k, corner in enumerate(corners(box)))
    size = inputs or max(len(lower), len(upper))
    if not (size and {len(lower), len(upper)} <= {1, size}):
        raise ValueError(
            f"box must have {f'one number or {inputs}' if inputs else 'as many numbers'} a corner, "
            f"at least one, got {len(lower)} and {len(upper)}"
        )
    lower, upper = (corner * (size // len(corner)) for corner in (lower, upper))
    for i, (low, high) in enumerate(zip(lower, upper, strict=True)):
        if low > high or (low == high and not thin):
            rule, wrong = ("<=", ">") if thin else ("<", ">=")
            raise ValueError(
                f"box must have lower {rule} upper in every coordinate, got {float(low)} {wrong} "
                f"{float(high)} at index {i}"
            )
    return lower, upper


def _matrix(values: Any, name: str, rows: int) -> list[list[Fraction]]:
    shape = np.shape(
        values.tolist() if hasattr(values, "tolist") else np.asarray(values, dtype=object)
    )
    if len(shape) != 2 or shape[0] != rows or 0 in shape:
        raise ValueError(
            f"{name} must be a matrix with a row for each of the {rows} numbers of c, got shape "
            f"{tuple(shape)}"
        )
    flat = rationals(values, name)
    return [flat[i : i + shape[1]] for i in range(0, len(flat), shape[1])]


def _entries(row: Sequence[Fraction]) -> tuple[tuple[int, Fraction], ...]:
    return tuple((j, v) for j, v in enumerate(row) if v)
