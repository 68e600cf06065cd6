"""HTML pages: one self-contained file each, from templates, escaped by default."""

from __future__ import annotations

import base64
import math
import platform
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..quantities.measured import Measured
from .drawing import save_themes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


KINDS = {
    "exact": "counted on the stated points, or computed in integers or rationals: nothing is "
    "sampled; what is counted are outputs in floating point, unless rationals are named",
    "certified lower or upper bound (at least, at most)": "proved, with all rounding accounted "
    "for; a certificate can often be saved",
    "empirical lower or upper bound": "the best that an attack or a search found; the true value "
    "may be worse",
    "estimate": "from a sample or a fit; may be off on either side",
    "[low, high]": "95% interval for what the points were drawn from: a distribution (test "
    "points), or the training set, of which it says nothing beyond",
}
"""What the kinds of numbers mean, as docs/numbers.md says it."""


def render(template: str, **values: Any) -> str:
    """A page as text."""
    environment = Environment(
        loader=PackageLoader("analysis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(percent=percent, kinds=KINDS, **values)


def embedded(draw: Callable[[], Figure], folder: Path, name: str) -> dict[str, str]:
    """Write a figure in both themes and give each as a data URI."""
    files = save_themes(draw, folder, name)
    return {
        theme: "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()
        for theme, path in files.items()
    }


def versions() -> dict[str, str]:
    """What a page was made with."""
    import torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": platform.machine(),
    }


def percent(value: Measured) -> str:
    """A share as a percentage with one decimal; a bound is rounded to its safe side.

    >>> percent(Measured.share(2, 3)), percent(Measured.share(2, 3, "certified lower bound"))
    ('66.7%', '66.6%')
    """
    share = Fraction(value.value) if value.count is None else Fraction(value.count, value.total)
    whole: Callable[[Fraction], int] = round
    if "lower bound" in value.kind:
        whole = math.floor
    elif "upper bound" in value.kind:
        whole = math.ceil
    return f"{whole(1000 * share) / 10:.1f}%"


def between(lower: Measured, upper: Measured) -> str:
    """What lies between two bounds of a share; one number, which is exact, where they are equal.

    >>> between(Measured.share(2, 3), Measured.share(2, 3, "certified upper bound"))
    '66.7%'
    """
    if lower.value == upper.value:
        return percent(replace(lower, kind="exact"))
    return f"{percent(lower)} to {percent(upper)}"
