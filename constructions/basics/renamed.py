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
    names; if it does not fit these, the function is called, and raises.

    Args:
        former: the former order of positional arguments, separated by spaces; "" as it is.
        when: of a call that fits the function, by its arguments: whether it is a former one.
        **now: from a parameter to what gives it of former ones, by their names; defaults are those
            of the former ones.

    Returns:
        A decorator.

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
        order = former.split() or [
            p.name for p in signature.parameters.values() if p.kind == p.POSITIONAL_OR_KEYWORD
        ]

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            placed = dict(zip(order, args, strict=False))
            bound = _bound(signature, args, kwargs)
            today = bound is not None and not when(bound)
            if today or len(placed) < len(args) or placed.keys() & kwargs:
                return function(*args, **kwargs)
            given, used = _read(placed | kwargs, now)
            if _bound(signature, (), given) is None:
                return function(*args, **kwargs)  # raises
            name = function.__qualname__.removesuffix(".__init__")
            text = f"{name} is called as {name}({_form(signature)}) now"
            warnings.warn(", ".join([text, *used]), DeprecationWarning, stacklevel=2)
            return function(**given)  # type: ignore[call-arg]

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
) -> Mapping[str, Any] | None:
    """The arguments by their names; None where the call does not fit."""
    try:
        return signature.bind(*args, **kwargs).arguments
    except TypeError:
        return None


def _read(
    given: dict[str, Any], now: Mapping[str, Callable[..., Any]]
) -> tuple[dict[str, Any], list[str]]:
    """Arguments by their names of today, and what was read of which."""
    used = []
    for name, read in now.items():
        wanted = inspect.signature(read)
        taken = {old: given.pop(old) for old in wanted.parameters if old in given}
        if taken and _bound(wanted, (), taken) is not None:
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
