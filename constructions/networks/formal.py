"""Which claims about constructions are theorems in proofs/, for all sizes.

Only constructions whose weights are those of the theorem exactly: tests compare them one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

THEOREMS: dict[str, dict[str, str]] = {
    "squaring": {
        "sup_error": "Squaring.v: squaring_error, sq_error_attained",
        "parameters": "Counts.v: params_squaring",
    },
    "multiplication": {
        "sup_error": "Multiplication.v: mul_error, eval_multiplication",
        "depth": "Memorize.v: multiplication_depth",
    },
    "maximum": {"sup_error": "Distance.v: eval_maximum"},
    "soft_indicator": {"values": "Distance.v: eval_soft_indicator"},
    "f_S": {
        "y_i on ball i": "Memorize.v: memorize_on_ball",
        "f_clean outside of the shells": "Memorize.v: memorize_outside",
    },
}
"""By construction and claim: file of proofs/ and theorems."""

OF_CLASSES = {
    "f_S": {
        "y_i on ball i": "MemorizeClasses.v: memorizeK_on_ball",
        "f_clean outside of the shells": "MemorizeClasses.v: memorizeK_outside",
    },
}
"""Likewise, where networks have an output for each class."""


def proved(name: str, arguments: Mapping[str, Any]) -> dict[str, str]:
    """The claims that theorems prove of a construction with these arguments; none where a weight
    had to be rounded.

    >>> proved("soft_indicator", {"inner": 0.25, "outer": 0.5})
    {'values': 'Distance.v: eval_soft_indicator'}
    >>> proved("soft_indicator", {"inner": 0.1, "outer": 0.5})
    {}

    Of f_S: in l_inf, variant lean, where the separation was measured; whether its biases had to be
    rounded, only the network shows (`as_built`).
    """
    if name == "soft_indicator":
        ends = arguments.get("inner"), arguments.get("outer")
        try:
            inner, outer = (Fraction(v) for v in ends)  # type: ignore[arg-type]
            numbers = inner, outer, 1 / (outer - inner)
            if any(Fraction(float(v)) != v for v in numbers):
                return {}
        except (TypeError, ValueError, ArithmeticError):  # no numbers, infinite, or too large
            return {}
    if name == "f_S":
        form = [arguments.get(key) for key in ("norm", "variant", "separation_assumed")]
        named = THEOREMS if arguments.get("K") == 1 else OF_CLASSES
        return named[name] if form == ["inf", "lean", False] else {}
    sizes = [v for key in ("m", "n") if (v := arguments.get(key)) is not None]
    return THEOREMS.get(name, {}) if all(isinstance(v, int) for v in sizes) else {}
