"""Properties of networks: for which inputs of which boxes outputs count as unsafe. All numbers are
exact rationals.

>>> ramp = Property(
...     box=([0.0], [1.0]), unsafe=[([[1.0]], [-0.5])]
... )  # unsafe: 0 <= x <= 1 and y - 1/2 >= 0
>>> ramp.violated([Fraction(3, 4)], [Fraction(3, 4)]), ramp.violated([2], [2])
(True, False)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import index
from typing import Any

import numpy as np

from ..basics.ball import Ball

DIGITS = 4000
"""Most decimal digits before and after the point of a literal (float64 needs at most 309 and 1074).
"""

Rationals = tuple[Fraction, ...]


@dataclass(frozen=True)
class Constraint:
    """a.x + b.y + offset >= 0, or > 0 if strict: inputs and outputs hold the nonzero entries of a
    and b, as (place, value).

    >>> Constraint((), ((0, Fraction(1)),), Fraction(-1, 2)).holds([0], [Fraction(1, 2)])
    True
    """

    inputs: tuple[tuple[int, Fraction], ...]
    outputs: tuple[tuple[int, Fraction], ...]
    offset: Fraction
    strict: bool = False

    def value(self, x: Sequence[Any], y: Sequence[Any]) -> Fraction:
        """a.x + b.y + offset."""
        return sum((v * x[j] for j, v in self.inputs), self.offset) + sum(
            v * y[k] for k, v in self.outputs
        )

    def holds(self, x: Sequence[Any], y: Sequence[Any], excess: Fraction = Fraction(0)) -> bool:
        """Whether it holds for these inputs and outputs, by at least `excess`."""
        value = self.value(x, y) - excess
        return value > 0 if self.strict else value >= 0


@dataclass(frozen=True)
class Conjunct:
    """Inputs in the box lower <= x <= upper whose outputs fulfil all constraints.

    >>> Conjunct((Fraction(0),), (Fraction(1),), ()).contains([Fraction(1, 2)])
    True
    """

    lower: Rationals
    upper: Rationals
    constraints: tuple[Constraint, ...]

    def contains(self, x: Sequence[Any]) -> bool:
        """Whether an input is in the box."""
        return all(a <= v <= b for a, v, b in zip(self.lower, x, self.upper, strict=True))


@dataclass(frozen=True, init=False, repr=False)
class Property:
    """What is unsafe: a union of conjuncts, each a box of inputs and linear constraints that hold
    together.

    box: (lower, upper), each D numbers, of any shape, flattened row by row. unsafe: alternatives
    (B, c) or (B, c, A), each the set where B y + c >= 0 in every row, or A x + B y + c >= 0; B: (m,
    K), c: (m,), A: (m, D). Numbers are integers, floats or Fractions, and exact. `p | q` is the
    union of two properties, of other boxes, too. A network is safe if no input is unsafe:
    `analysis.decide` says so. VNN-LIB files ask the same: `read_property`.

    Raises ValueError for shapes that do not fit, numbers that are not finite, lower > upper;
    TypeError for what is no number.

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
        if not isinstance(box, (tuple, list)) or len(box) != 2:
            raise ValueError(f"box must be a pair (lower, upper), got {box!r}")
        lower, upper = (
            tuple(rationals(side, name)) for side, name in zip(box, ("lower", "upper"), strict=True)
        )
        check_sides(lower, upper)
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
        sizes = f"{self.inputs} inputs, {self.outputs} outputs"
        return f"Property({sizes}, unsafe: a union of {len(self.conjuncts)})"

    @classmethod
    def of(cls, inputs: int, outputs: int, conjuncts: Sequence[Conjunct]) -> Property:
        """The union of conjuncts about networks with so many inputs and outputs; of none: nothing
        is unsafe.
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
        """The property that all of an l_inf ball, within domain^D, has the label; ties are unsafe.

        centre: D numbers. label: -1 or +1 for one output, else 0..outputs-1. Raises ValueError for
        another norm or label and where no point is left.

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
        point, radius = rationals(centre, "centre"), Fraction(ball.radius)
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
            sizes = " and ".join(f"{p.inputs} inputs, {p.outputs} outputs" for p in (self, other))
            raise ValueError(f"properties must be about networks of equal sizes, got {sizes}")
        return Property.of(self.inputs, self.outputs, self.conjuncts + other.conjuncts)

    def violated(self, x: Sequence[Any], y: Sequence[Any]) -> bool:
        """Whether an input x with outputs y, of numbers taken exactly, is unsafe."""
        point, values = rationals(x, "x"), rationals(y, "y")
        if (len(point), len(values)) != (self.inputs, self.outputs):
            sizes = f"{self.inputs} inputs and {self.outputs} outputs"
            raise ValueError(f"x and y must be {sizes}, got {len(point)} and {len(values)} numbers")
        return any(
            p.contains(point) and all(c.holds(point, values) for c in p.constraints)
            for p in self.conjuncts
        )


def rationals(values: Any, name: str) -> list[Fraction]:
    """Integers, floats or Fractions of any shape as a flat list, exactly; raises TypeError or
    ValueError that names them.

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
        if isinstance(number, bool) or not isinstance(number, (int, float, Fraction)):
            raise TypeError(
                f"{name} must be a row of floats, integers or Fractions, got {value!r} at index {i}"
            )
        if isinstance(number, float) and not np.isfinite(number):
            raise ValueError(f"{name} must be finite, got {number} at index {i}")
        result.append(Fraction(number))
    return result


def check_sides(lower: Sequence[Fraction], upper: Sequence[Fraction]) -> None:
    """Raise ValueError where two rows of numbers are no box."""
    if len(lower) != len(upper) or not lower:
        raise ValueError(
            f"lower and upper must hold as many numbers, at least one, got {len(lower)} and "
            f"{len(upper)}"
        )
    for i, (low, high) in enumerate(zip(lower, upper, strict=True)):
        if low > high:
            raise ValueError(f"lower must not exceed upper, got {low} > {high} at index {i}")


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
