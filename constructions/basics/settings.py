"""Settings that are checked when they are made, read alike in Python, files and command lines."""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self, get_type_hints

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def setting(default: Any, text: str, read: Callable[[Any, str], Any] | None = None) -> Any:
    """Declare an entry of `Settings`.

    Args:
        default: its default.
        text: the help that command lines print.
        read: what reads it from value and name, if its type does not.

    Returns:
        A field of a dataclass.

    Example:
        >>> setting(3, "how many").default
        3
    """
    return dataclasses.field(default=default, metadata={"help": text, "read": read})


class Settings:
    """What a frozen dataclass of settings is derived from: each entry is read by its annotation.

    pydantic reads, strictly: an int where a float is asked for, a list for a tuple and NumPy's
    integers are taken, text for a number is not. `Literal` and `Annotated[int, Ge(1)]`, with the
    bounds of annotated_types, say which values there are.

    Raises:
        ValueError: that names entry, rule and value.
        TypeError: likewise, for another type.

    Cost: some 0.2 s once, for pydantic, and microseconds an entry.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Walk(Settings):
        ...     steps: int = setting(8, "how many")
        ...     sizes: tuple[float, ...] = setting((1.0,), "of the steps")
        >>> Walk(sizes=[1, 2])
        Walk(steps=8, sizes=(1.0, 2.0))
        >>> Walk(steps="9")
        Traceback (most recent call last):
        ...
        TypeError: steps must be a valid integer, got '9'
        >>> Walk.from_words({"steps": "9"})
        {'steps': 9}
    """

    def __post_init__(self) -> None:
        for name in entries(type(self)):
            object.__setattr__(self, name, _read(type(self), name, getattr(self, name)))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Read settings from entries by name, as in files.

        Args:
            values: the entries; others have their defaults.

        Returns:
            The settings.

        Raises:
            ValueError: for an unknown one, and as the settings themselves do.
            TypeError: as the settings themselves do.
        """
        known = list(entries(cls))
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                raise ValueError(f"unknown entry {name!r}{hint}")
        return cls(**values)

    @classmethod
    def from_words(cls, words: Mapping[str, Any]) -> dict[str, Any]:
        """Read entries by name from the words of a command line ("3", ["1", "2"]), in their types.

        Args:
            words: the words by name.

        Returns:
            A dict of the entries.

        Raises:
            ValueError: as the settings themselves do.
        """
        return {name: _read(cls, name, value, words=True) for name, value in words.items()}


def entries(kind: type[Settings]) -> dict[str, dataclasses.Field[Any]]:
    """The entries of settings, by name."""
    return {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]


@functools.cache
def _readers(kind: Any) -> dict[str, TypeAdapter[Any]]:
    from pydantic import TypeAdapter  # 0.2 s, which what only prints its help does without

    hints = get_type_hints(kind, include_extras=True)
    return {name: TypeAdapter(hints[name]) for name in entries(kind)}


def _read(kind: Any, name: str, value: Any, words: bool = False) -> Any:
    from pydantic import ValidationError

    read = entries(kind)[name].metadata.get("read")
    if read is not None:
        return read(value, name)
    try:
        return _readers(kind)[name].validate_python(_plain(value), strict=not words)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
    value, what = problem["input"], problem["type"]
    where = name + "".join(f"[{i}]" for i in problem["loc"] if isinstance(i, int))
    rule = problem["msg"].removeprefix("Input should be ")
    text = f"{where} must be {rule}, got {value!r}"
    another = what == "literal_error" and not isinstance(value, str)
    raise (TypeError if another or what.endswith("_type") else ValueError)(text)


def _plain(value: Any) -> Any:
    """Lists as tuples, and numbers of NumPy as Python's."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_plain, value))
    if isinstance(value, (Integral, float)) and not isinstance(value, bool):
        return int(value) if isinstance(value, Integral) else float(value)
    return value
