"""Calls of former releases: for one release they work, warn, and name the form of today."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def renamed(
    former: str = "",
    /,
    *,
    when: Callable[[Mapping[str, Any]], bool] = lambda given: False,
    **now: Callable[..., Any],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function be called as before, with a DeprecationWarning that names the new form.

    A call that fits the function as it is passes untouched. Another one is read by the former
    names, in the former order of positional arguments or that of today.

    Args:
        former: the former order of positional arguments, separated by spaces; "" as it is.
        when: of a call that fits the function, by its arguments: whether it is a former one.
        **now: from a parameter to what gives it of former ones, by their names; defaults are those
            of the former ones.

    Returns:
        A decorator. The function raises TypeError, which says how it is called, for what fits
        neither.

    Cost: some microseconds a call.

    Example:
        >>> @renamed("low high by", box=lambda low=0, high=1: (low, high))
        ... def middle(box, *, by=2):
        ...     return sum(box) / by
        >>> middle((1, 2))
        1.5
        >>> with warnings.catch_warnings(record=True, action="always") as caught:
        ...     middle(1, 2), middle(high=4, by=4)
        (1.5, 1.0)
        >>> print(caught[0].message)
        middle is called as middle(box, *, by) now, with box for low, high
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        own = [p.name for p in signature.parameters.values() if p.kind == p.POSITIONAL_OR_KEYWORD]
        others = [p for p in signature.parameters.values() if p.kind == p.KEYWORD_ONLY]
        names = {*own, *(p.name for p in others)}
        plain = len(names) == len(signature.parameters)
        needed = {p.name for p in signature.parameters.values() if p.default is p.empty}
        name = function.__qualname__.removesuffix(".__init__")
        form = f"{name} is called as {name}({_form(signature)})"

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bound: Mapping[str, Any] | str = dict(zip(own, args, strict=False)) | kwargs
            fits = len(bound) == len(args) + len(kwargs) and needed <= {*bound} <= names
            bound = bound if plain and fits else _bound(signature, args, kwargs)
            wrong = isinstance(bound, str)
            if not isinstance(bound, str) and not when(bound):
                return function(*args, **kwargs)
            # another release's order may come with names that are former only since
            for order in [former.split(), own] if wrong else [former.split() or own]:
                placed = dict(zip(order, args, strict=False))
                if len(placed) < len(args) or placed.keys() & kwargs:
                    continue
                given, used = _read(placed | kwargs, now)
                if not isinstance(_bound(signature, (), given), str):
                    said = ", ".join([f"{form} now", *used])
                    warnings.warn(said, DeprecationWarning, stacklevel=2)
                    return function(**given)  # type: ignore[call-arg]
            if wrong:
                raise TypeError(f"{form}: {bound}")
            return function(*args, **kwargs)

        return call

    return decorate


class Former:
    """An attribute's former name, which warns and gives what the new one does.

    >>> class Found:
    ...     is_exact = True
    ...     exact = Former("is_exact")
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     Found().exact
    True
    >>> print(caught[0].message)
    Found.exact is Found.is_exact now
    """

    def __init__(self, now: str) -> None:
        self.now = now

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        kind = owner.__name__
        text = f"{kind}.{self.name} is {kind}.{self.now} now"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return getattr(instance, self.now)


def _bound(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Mapping[str, Any] | str:
    """The arguments by their names; why, in words, where the call does not fit."""
    try:
        return signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        return str(error)


def _read(
    given: dict[str, Any], now: Mapping[str, Callable[..., Any]]
) -> tuple[dict[str, Any], list[str]]:
    """Arguments by their names of today, and what was read of which."""
    used = []
    for name, read in now.items():
        wanted = inspect.signature(read)
        taken = {old: given[old] for old in wanted.parameters if old in given}
        fits = not isinstance(_bound(wanted, (), taken), str)
        if taken and fits and (name in taken or name not in given):
            given = {key: value for key, value in given.items() if key not in taken}
            given[name] = read(**taken)
            used.append(f"with {name} for {', '.join(wanted.parameters)}")
    return given, used


def _form(signature: inspect.Signature) -> str:
    """The parameters without `self`, annotations and defaults."""
    bare = [
        p.replace(annotation=p.empty, default=p.empty)
        for p in signature.parameters.values()
        if p.name != "self"
    ]
    return str(inspect.Signature(bare)).strip("()")
