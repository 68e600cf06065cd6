"""The forms in which f_S is built."""

from typing import Literal, get_args

Variant = Literal["paper", "gate", "lean"]

VARIANTS: tuple[Variant, ...] = get_args(Variant)
"""paper: distances, soft indicators and multiplications, as the papers print it. gate: the same
indicators, capped per class, and an exact gate in place of multiplications. lean: the gate with the
smallest indicators (l_inf: no maxima; l_2: squares shared by all centres)."""
