"""The forms in which f_S is built, and the sizes for which they are counted."""

from collections.abc import Sequence
from typing import Literal, get_args

Variant = Literal["paper", "gate", "lean"]

VARIANTS: tuple[Variant, ...] = get_args(Variant)
"""paper: distances, soft indicators and multiplications, as the papers print it. gate: the same
indicators, capped per class, and an exact gate in place of multiplications. lean: the gate with the
smallest indicators (l_inf: no maxima; l_2: squares shared by all centres)."""


def check_variant(variant: object) -> None:
    """Raise ValueError for what names no variant."""
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")


def least_dimension(hidden: Sequence[int] = ()) -> int:
    """The D from which `closed_form` holds: trees of maxima are then deep enough not to wait for
    f_clean.
    """
    return max(4, 2 ** (len(hidden) + 1))


def check_counted(
    points: Sequence[int], dimensions: Sequence[int], hidden: Sequence[int], mu: float
) -> None:
    """Raise ValueError for sizes that `count_table` does not count, before anything is built."""
    least = least_dimension(hidden)
    for width in hidden:
        if width < 1:
            raise ValueError(f"hidden must hold widths >= 1, got {width}")
    for n in points:
        for d in dimensions:
            if n < 1 or d < least:
                raise ValueError(
                    f"points must be >= 1, and dimensions >= {least}, from where the closed forms "
                    f"hold, got N={n}, D={d}"
                )
    if not 0 < mu <= 1:
        raise ValueError(f"mu must lie in (0, 1], got {mu}")
