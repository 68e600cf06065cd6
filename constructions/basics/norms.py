"""Norms by name."""

from __future__ import annotations

import math
from typing import Any

from .renamed import renamed


@renamed("p name", norm=lambda p: p)
def read_norm(norm: Any, name: str = "norm") -> float:
    """Read a norm: 2.0 or math.inf from 2, "2", "inf" or math.inf.

    Args:
        norm: the norm.
        name: what the error calls it.

    Returns:
        2.0 or math.inf.

    Raises:
        ValueError: for anything else.

    Example:
        >>> read_norm("inf"), read_norm(2)
        (inf, 2.0)
    """
    known = {"2": 2.0, "2.0": 2.0, "inf": math.inf}
    if str(norm) not in known:
        raise ValueError(f"{name} must be 2 or 'inf', got {norm!r}")
    return known[str(norm)]


def norm_name(p: float) -> str:
    """The name, "inf" or "2", which `read_norm` reads.

    >>> norm_name(read_norm(2)), norm_name(math.inf)
    ('2', 'inf')
    """
    return "inf" if p == math.inf else "2"


def beyond_scale(p: float, radius: float, dimension: int | None = None) -> str:
    """That balls of a radius are too large to mean anything in [0,1]^D, and the remedy, in words;
    "" where they are not.

    dimension: D; None: unknown, only l_inf balls are looked at.

    >>> beyond_scale(math.inf, 8 / 255, 784), beyond_scale(2.0, 8, 784)
    ('', '')
    >>> beyond_scale(math.inf, 8).split(": ")[1]
    'if the radius is in grey levels of 0 to 255, divide it by 255'
    """
    least = 1.0 if p == math.inf else math.inf if dimension is None else math.sqrt(dimension)
    if radius <= least:
        return ""
    return (
        f"the l_{norm_name(p)} ball of radius {radius:g} holds all of [0,1]^D around any point: if "
        f"the radius is in grey levels of 0 to 255, divide it by 255: {radius:g} / 255 = "
        f"{radius / 255:.3g}"
    )
