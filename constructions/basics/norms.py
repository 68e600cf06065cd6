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
