"""What functions give back: a line that says what it is, and its numbers with their kinds.

Whole, because it is one noun: how a result shows its numbers, in lines, tables and JSON.
"""

from __future__ import annotations

import dataclasses
import html
import math
import warnings
from collections.abc import Iterator, Mapping
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
)
from fractions import Fraction
from itertools import groupby
from numbers import Integral, Real
from typing import Any, NamedTuple

WIDTH = 120
"""Most characters of a line that a result prints."""

BRIEF = 100
"""Most characters that networks, data sets and other large things print."""


class Said(NamedTuple):
    """A number as it is printed, and what kind of number it is.

    Attributes:
        text: the number.
        kind: such as "exact"; "" for what is no number.

    Example:
        >>> print(Said("12", "exact"))
        12 (exact)
    """

    text: str
    kind: str

    def __str__(self) -> str:
        return f"{self.text} ({self.kind})" if self.kind else self.text


def said(
    value: Any,
    kind: str,
    count: int | None = None,
    total: int | None = None,
    interval: tuple[float, float] | None = None,
) -> Said:
    """Put a number and its kind in words.

    Bounds are rounded to their safe side, so that what is printed is a bound, too; other numbers to
    six digits, shares to four.

    Args:
        value: the number; None, for what there is not, has no kind.
        kind: such as "exact", "certified lower bound", "estimate".
        count: the points behind a share, which is printed in percent.
        total: of so many; without count: the points behind the number.
        interval: of 95% confidence.

    Returns:
        A `Said`.

    Example:
        >>> print(
        ...     said(0.25, "exact", 3, 12), said(Fraction(-2, 3), "certified lower bound"), sep=", "
        ... )
        25% (exact, 3 of 12), >= -2/3 (certified bound)
        >>> print(said(2 / 3, "empirical upper bound"), said(None, "exact"), said(2**70, "exact"))
        <= 0.666667 (empirical bound) none 1.18059e+21 (exact)
    """
    if value is None:
        return Said("none", "")
    side = next((word for word in ("lower", "upper") if f"{word} bound" in kind), "")
    rounding = {"lower": ROUND_FLOOR, "upper": ROUND_CEILING}.get(side, ROUND_HALF_EVEN)

    def show(x: Any) -> str:
        if not percent:
            return _shown(x, 6, rounding)
        share = Fraction(x)
        if count is not None and total and x == count / total:  # which is rounded
            share = Fraction(count, total)
        return f"{_shown(100 * share, 4, rounding)}%"

    percent = count is not None and math.isfinite(value)
    text = {"lower": ">= ", "upper": "<= ", "": ""}[side] + show(value)
    notes = [kind.replace(f"{side} bound", "bound") if side else kind]
    if interval is not None:
        rounding = ROUND_HALF_EVEN
        ends = [show(end) if math.isfinite(end) else _shown(end, 6, rounding) for end in interval]
        text += f" [{', '.join(ends)}]"
        notes.append("95% interval")
    if count is not None:
        notes.append(f"{count:,} of {total:,}")
    elif total is not None:
        notes.append(f"{total:,} points")
    return Said(text, ", ".join(notes))


def _shown(value: Any, digits: int, rounding: str) -> str:
    """A number in a few digits; integers below 10^15 and short fractions in full."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral) and abs(int(value)) < 10**15:
        return f"{int(value):,}"
    if isinstance(value, Fraction) and digits > 4 and len(text := str(value)) <= 16:
        return text
    if isinstance(value, Real) and not isinstance(value, (Integral, Fraction)):
        if not math.isfinite(value):
            return str(float(value))
        value = Fraction(float(value))
    if not isinstance(value, (Integral, Fraction)):
        return str(value)  # a formula
    wide, short = (Context(n, rounding, MIN_EMIN, MAX_EMAX) for n in (60, digits))
    quotient = wide.divide(Decimal(int(value.numerator)), Decimal(int(value.denominator)))
    cut = short.plus(quotient)
    number = float(cut) if abs(cut.adjusted()) < 300 else cut
    return f"{number:.{digits}g}"


def brief(text: str, limit: int = BRIEF) -> str:
    r"""Cut a text to one line of at most so many characters, after a word if one ends near there.

    Args:
        text: any.
        limit: the most characters.

    Returns:
        The line.

    Example:
        >>> brief("a long\n  story", 8)
        'a ...'
    """
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    head, _, word = text[: limit - 3].rpartition(" ")
    return f"{head} ..." if head and len(word) < 16 else f"{text[: limit - 3]}..."


def several(count: int, one: str, more: str = "") -> str:
    """A count with its noun, whose plural has an s, or is given.

    >>> several(1, "output"), several(2000, "point"), several(2, "box", "boxes")
    ('1 output', '2,000 points', '2 boxes')
    """
    return f"{count:,} {one if count == 1 else more or one + 's'}"


class Result:
    """What functions give back: it prints what it is, and its numbers with their kinds.

    It prints in two lines; in a notebook it is a small table. `to_dict` gives all of it for JSON.
    Subclasses are frozen dataclasses (repr=False) with `_says`: what it is, and numbers by name.

    Example:
        >>> from constructions import separation
        >>> found = separation([[0.0], [0.25], [1.0]], [1, 1, -1])
        >>> found
        Separation: the least distance, between points 1 and 2
          distance 0.75 (exact)
        >>> found.to_dict()
        {'distance': 0.75, 'pair': [1, 2], 'is_exact': True, 'lower': 0.75}
    """

    __slots__ = ()

    def _says(self) -> tuple[str, Mapping[str, Said]]:
        raise NotImplementedError

    def __repr__(self) -> str:
        what, numbers = self._says()
        first = brief(f"{type(self).__name__}: {what}", WIDTH)
        return f"{first}\n{_line(numbers)}" if numbers else first

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        """A table for notebooks: name, number and kind, below what it is (no caption, which would
        be as narrow as the table).
        """
        what, numbers = self._says()
        cell = '<td style="text-align: left; padding-right: 1em">{}</td>'
        rows = "".join(
            f"<tr>{''.join(cell.format(html.escape(text)) for text in (name, *number))}</tr>"
            for name, number in numbers.items()
        )
        title = f"<p><strong>{type(self).__name__}</strong>: {html.escape(what)}</p>"
        return f"<div>{title}<table>{rows}</table></div>" if rows else f"<div>{title}</div>"

    def to_dict(self) -> dict[str, Any]:
        """Give its fields for JSON.

        Returns:
            A dict: fractions and formulas as text, arrays as lists, networks by what they print;
            numbers that JSON does not have as "nan", "inf" and "-inf".
        """
        return {name: plain(value) for name, value in _fields(self)}


class Unpacked(Result):
    """A result that is also the tuple of its fields.

    It unpacks, has entries by number, and equals that tuple. Subclasses are dataclasses with
    eq=False.

    Example:
        >>> @dataclasses.dataclass(frozen=True, eq=False, repr=False)
        ... class Bounds(Unpacked):
        ...     lower: int
        ...     upper: int
        >>> lower, upper = Bounds(1, 2)
        >>> Bounds(lower, upper) == (1, 2)
        True
    """

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in _fields(self))

    def __len__(self) -> int:
        return len(tuple(iter(self)))

    def __getitem__(self, index: Any) -> Any:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (tuple, Unpacked)):
            return NotImplemented
        return tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


class Keyed(Result, Mapping[str, Any]):
    """A result that was a dictionary: it still is the mapping of its fields, with a warning.

    It equals a dictionary of the same entries. Subclasses are dataclasses with eq=False.

    Example:
        >>> @dataclasses.dataclass(frozen=True, eq=False, repr=False)
        ... class Rates(Keyed):
        ...     clean: float
        >>> rates = Rates(0.5)
        >>> rates.clean, list(rates), rates == {"clean": 0.5}
        (0.5, ['clean'], True)
    """

    def __getitem__(self, name: str) -> Any:
        values = dict(_fields(self))
        if name in values:
            warnings.warn(
                f"[{name!r}] of {type(self).__name__} is its attribute {name} now",
                DeprecationWarning,
                stacklevel=2,
            )
        return values[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in _fields(self))

    def __len__(self) -> int:
        return len(tuple(iter(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(_fields(self)) == dict(_fields(other) if isinstance(other, Keyed) else other)

    def __hash__(self) -> int:
        return hash(tuple(_fields(self)))


def plain(value: Any) -> Any:
    """Give a value as JSON has it; see `Result.to_dict`.

    Args:
        value: any.

    Returns:
        Dicts, lists, texts and numbers.

    Example:
        >>> plain({"a": (Fraction(1, 2), torch.tensor([1.0, float("nan")]))})
        {'a': ['1/2', [1.0, 'nan']]}
    """
    if isinstance(value, Result):
        return value.to_dict()
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Fraction):
        return str(value)
    if hasattr(value, "tolist"):  # arrays, tensors and numbers of theirs
        return plain(value.tolist())
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return [plain(entry) for entry in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if value.__dataclass_params__.repr:  # type: ignore[attr-defined]
            return {name: plain(entry) for name, entry in _fields(value)}
        return repr(value)  # large things say what they are
    return getattr(value, "__qualname__", None) or str(value)


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(value):
        if not field.name.startswith("_"):
            yield field.name, getattr(value, field.name)


def _line(numbers: Mapping[str, Said]) -> str:
    """As many numbers as fit in a line."""
    items = list(numbers.items())
    for count in range(len(items), 0, -1):
        line = "  " + _joined(items[:count]) + ("; ..." if count < len(items) else "")
        if len(line) <= WIDTH:
            break
    return "  " + brief(line, WIDTH - 2)


def _joined(items: list[tuple[str, Said]]) -> str:
    """Neighbours of one kind share its name."""
    parts = []
    for kind, group in groupby(items, key=lambda item: item[1].kind):
        texts = [f"{name} {number.text}" for name, number in group]
        word = kind if len(texts) == 1 else f"all {kind}{'s' * kind.endswith('bound')}"
        parts.append(", ".join(texts) + (f" ({word})" if kind else ""))
    return "; ".join(parts)
