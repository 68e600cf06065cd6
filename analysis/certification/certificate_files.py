"""Certificate files as the standalone checkers read them: what is wrong with the text of one is
told apart from what is wrong with this library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..checkers import check_certificate

Said = TypeVar("Said")

MALFORMED = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    RecursionError,
)
"""What a standalone checker may raise at malformed data, which it reads as if they were right."""


@dataclass(frozen=True)
class Finding:
    """What a checker says about a query: `reason` if it is rejected, else `statement`, what is
    proved or refuted, in words.
    """

    reason: str
    statement: str = ""


def read_certificate(path: Path) -> dict[str, Any]:
    """The JSON object that a certificate file holds, not checked yet.

    Raises OSError if the file cannot be read, and ValueError for what is no JSON object.

    >>> Path("c.json").write_text('{"format": 1, "format": 2}')
    26
    >>> read_certificate(Path("c.json"))
    Traceback (most recent call last):
    ...
    ValueError: ValueError: a key is named twice
    """
    try:
        content = check_certificate.read(path)
    except (ValueError, ArithmeticError, RecursionError) as error:  # a number, or nested too deeply
        raise ValueError(check_certificate.unread(error)) from error
    if not isinstance(content, dict):
        raise ValueError(f"its content is a {type(content).__name__}, not an object")
    return content


def checked(check: Callable[..., Said], *data: Any) -> Said:
    """What a standalone checker says; ValueError, with the reason, for what it rejects or cannot
    read.

    >>> checked(check_certificate.judge, {"format": 1})
    Traceback (most recent call last):
    ...
    ValueError: ValueError: entries are not format network digest queries
    """
    try:
        return check(*data)
    except MALFORMED as error:
        raise ValueError(check_certificate.plain(error)) from error
