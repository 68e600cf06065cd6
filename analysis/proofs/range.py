"""The range of an error over a box, and the number that is its supremum."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from constructions import Result
from constructions.internal import Said, plain, said

Point = tuple[Fraction, ...]


def _by_value(name: str) -> Any:
    """An operation of Fractions, on values."""
    operation = getattr(Fraction, name)

    def method(self: SupError, *others: Any) -> Any:
        return operation(
            self.value, *(other.value if isinstance(other, SupError) else other for other in others)
        )

    return method


@dataclass(frozen=True, eq=False, repr=False)
class SupError(Result, numbers.Rational):
    """The exact sup |f - g| over a box, with the range of f - g and where its ends are attained.

    It compares and computes as its `value`, max(maximum, -minimum), does, which gives Fractions;
    `point` is where |f - g| has it. Printed, it says so, with the kind of each number.

    Attributes:
        minimum: the least value of f - g.
        minimizer: a point with this value, a tuple of Fractions.
        maximum: the largest value of f - g.
        maximizer: a point with this value.

    Example:
        >>> error = SupError(Fraction(-1, 4), (Fraction(0),), Fraction(1, 8), (Fraction(1, 3),))
        >>> error == error.value == Fraction(1, 4), error.point, error + 1, float(error)
        (True, (Fraction(0, 1),), Fraction(5, 4), 0.25)
    """

    minimum: Fraction
    minimizer: Point
    maximum: Fraction
    maximizer: Point

    @property
    def value(self) -> Fraction:
        """The supremum."""
        return max(self.maximum, -self.minimum)

    @property
    def point(self) -> Point:
        """A point at which |f - g| is the supremum."""
        return self.maximizer if self.maximum >= -self.minimum else self.minimizer

    def to_dict(self) -> dict[str, Any]:
        """The supremum, the ends of the range, and where they are, as text."""
        names = ("value", "minimum", "minimizer", "maximum", "maximizer")
        return {name: plain(getattr(self, name)) for name in names}

    def _says(self) -> tuple[str, dict[str, Said]]:
        at = ", ".join(map(str, self.point[:4])) + ", ..." * (len(self.point) > 4)
        ends = {"sup |f - g|": self.value, "minimum": self.minimum, "maximum": self.maximum}
        return f"at ({at})", {name: said(value, "exact") for name, value in ends.items()}

    # -- as a number -------------------------------------------------------------------------------

    @property
    def numerator(self) -> int:
        """Of the value, in lowest terms."""
        return self.value.numerator

    @property
    def denominator(self) -> int:
        """Of the value, in lowest terms."""
        return self.value.denominator

    __hash__, __eq__ = _by_value("__hash__"), _by_value("__eq__")
    __lt__, __le__ = _by_value("__lt__"), _by_value("__le__")
    __gt__, __ge__ = _by_value("__gt__"), _by_value("__ge__")
    __pos__, __neg__, __abs__ = _by_value("__pos__"), _by_value("__neg__"), _by_value("__abs__")
    __add__, __radd__ = _by_value("__add__"), _by_value("__radd__")
    __sub__, __rsub__ = _by_value("__sub__"), _by_value("__rsub__")
    __mul__, __rmul__ = _by_value("__mul__"), _by_value("__rmul__")
    __truediv__, __rtruediv__ = _by_value("__truediv__"), _by_value("__rtruediv__")
    __floordiv__, __rfloordiv__ = _by_value("__floordiv__"), _by_value("__rfloordiv__")
    __mod__, __rmod__ = _by_value("__mod__"), _by_value("__rmod__")
    __pow__, __rpow__ = _by_value("__pow__"), _by_value("__rpow__")
    __round__, __trunc__ = _by_value("__round__"), _by_value("__trunc__")
    __floor__, __ceil__ = _by_value("__floor__"), _by_value("__ceil__")
