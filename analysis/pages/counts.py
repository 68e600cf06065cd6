"""Parameter-count reports: tables as text, CSV, LaTeX and JSON, fitted exponents, and a log-log
figure.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sympy
from matplotlib.figure import Figure
from rich.table import Table

from constructions import VARIANTS, CountRow, closed_form, fitted_exponent
from constructions.internal import Variant, norm_name, read_norm

from .plots import CountCurve, CountPanel, count_figure


@dataclass(frozen=True)
class Exponent:
    """The fitted order of growth, in N or D, of the parameters that a network has beyond f_clean's
    (least squares on log-log axes over the grid). Below 1 where a constant a point, such as the 21
    m + O(1) of a multiplication, still shows.
    """

    network: str
    variant: str
    variable: str
    at: str
    exponent: float


def describe(norm: Any, hidden: tuple[int, ...], mu: float) -> str:
    """What the rows have in common, in words."""
    name = norm_name(read_norm(norm))
    widths = "-".join(map(str, hidden)) or "none"
    return f"l_{name} balls; f_clean: hidden widths {widths}; f_adv: memorizes {mu:g} N points"


def exponents(rows: Sequence[CountRow]) -> list[Exponent]:
    """Growth in N at the largest D and in D at the largest N, for each network and variant with two
    or more sizes.
    """
    found = []
    clean = {(r.points, r.dimension): r.measured for r in rows if r.network == "f_clean"}
    largest_points, largest_dimension = max(r.points for r in rows), max(r.dimension for r in rows)
    kinds = dict.fromkeys((r.network, r.variant) for r in rows if r.network != "f_clean")
    for network, variant in kinds:
        own = [r for r in rows if (r.network, r.variant) == (network, variant)]
        for variable, field, fixed in (("N", "points", "dimension"), ("D", "dimension", "points")):
            limit = largest_dimension if fixed == "dimension" else largest_points
            line = sorted(
                (getattr(r, field), r.measured - clean[r.points, r.dimension])
                for r in own
                if getattr(r, fixed) == limit
            )
            if len({size for size, _ in line}) >= 2:
                sizes, counts = zip(*line, strict=True)
                at = f"{'D' if variable == 'N' else 'N'}={limit}"
                found.append(
                    Exponent(network, variant, variable, at, fitted_exponent(sizes, counts))
                )
    return found


def variants_of(rows: Sequence[CountRow]) -> list[Variant]:
    """The variants of f_S in a table."""
    return [variant for variant in VARIANTS if any(row.variant == variant for row in rows)]


def as_json(
    rows: Sequence[CountRow], norm: Any, hidden: tuple[int, ...], mu: float
) -> dict[str, Any]:
    """Rows, exponents and closed forms as plain JSON values."""
    return {
        "settings": describe(norm, hidden, mu),
        "rows": [asdict(row) for row in rows],
        "exponents": [asdict(e) for e in exponents(rows)],
        "closed_forms": {name: str(closed_form(norm, name, hidden)) for name in variants_of(rows)},
    }


def as_csv(rows: Sequence[CountRow]) -> str:
    """One line a row, with a header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(asdict(rows[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return out.getvalue()


def depth_of(rows: Sequence[CountRow], words: str) -> str:
    """The depth of squarings in words, or "" where there are none."""
    m = max(row.m for row in rows)
    return words.format(m) if m else ""


SPARED = 0.01
"""Share of S_phi on which networks of the lower bound need not be robust."""


def as_bounds(needed: Mapping[int, int], delta: float) -> list[str]:
    """Lower bounds by dimension, in words.

    >>> as_bounds({6: 3}, 0.1)[0].split(": ")[-1]
    'at least 3 parameters (certified bound)'
    """
    of = f"robust on all but {SPARED:.0%} of S_phi at radius {delta:g}, worst phi"
    least = {d: f"{m:,}" if m < 10**15 else rounded_down(m) for d, m in needed.items()}
    return [f"D = {d}: {of}: at least {m} parameters (certified bound)" for d, m in least.items()]


def rounded_down(number: int) -> str:
    """A number of many digits in three.

    >>> rounded_down(12399999)
    '1.23e+07'
    """
    digits = str(number)
    return f"{digits[0]}.{digits[1:3]}e+{len(digits) - 1:02}"


LATEX_HEADING = (
    r"\toprule",
    r"network & variant & {$N$} & {$D$} & {depth} & {parameters} & {closed form} & {dense} \\",
    r"\midrule",
)
"""The head of the table, on its first page and on others."""


def as_latex(
    rows: Sequence[CountRow],
    norm: Any,
    hidden: tuple[int, ...],
    mu: float,
    figure: str = "",
    lower: Sequence[str] = (),
) -> str:
    """A table with caption, closed forms and lower bounds, for the packages amsmath, booktabs,
    longtable and siunitx, and a figure of a file that LaTeX includes, if there is one.
    """
    about = (
        describe(norm, hidden, mu).replace("l_inf", r"$\ell_\infty$").replace("l_2", r"$\ell_2$")
    )
    for name in ("f_clean", "f_adv"):
        about = about.replace(name, rf"$f_{{\mathrm{{{name[2:]}}}}}$")
    columns = " ".join(
        f"S[table-format={len(str(max(values)))}]"
        for values in (
            [r.points for r in rows],
            [r.dimension for r in rows],
            [r.depth for r in rows],
            [r.measured for r in rows],
            [r.closed_form for r in rows],
            [r.dense_parameters for r in rows],
        )
    )
    more = depth_of(rows, "; $m = {}$") + "; dense: all entries"
    if not all(r.built for r in rows):
        more += "; *: counted by the building code on sizes alone"
    lines = [
        "% needs \\usepackage{amsmath,booktabs,longtable,siunitx}",
        r"\begingroup\small",
        rf"\begin{{longtable}}{{ll{columns}}}",
        rf"\caption{{Nonzero parameters, counted exactly; {about}{more}.}}",
        r"\label{tab:parameters} \\",
        *LATEX_HEADING,
        r"\endfirsthead",
        *LATEX_HEADING,
        r"\endhead",
    ]
    for r in rows:
        name = {
            "f_clean": r"$f_{\mathrm{clean}}$",
            "f_adv": r"$f_{\mathrm{adv}}$",
            "f_S": r"$f_S$",
        }[r.network] + "*" * (not r.built)
        counts = (r.points, r.dimension, r.depth, r.measured, r.closed_form, r.dense_parameters)
        lines.append(f"{name} & {r.variant} & {' & '.join(map(str, counts))} \\\\")
    lines += [r"\bottomrule", r"\end{longtable}", r"\endgroup", ""]
    lines += [
        rf"Parameters of $f_S$, {variant}: ${sympy.latex(closed_form(norm, variant, hidden))}$."
        r"\par"
        for variant in variants_of(rows)
    ]
    for line in lower:
        words = line.replace("%", r"\%").replace("S_phi", r"$S_\phi$")
        words = re.sub(r"([0-9.]+)e\+?([0-9]+)", r"$\1 \\times 10^{\2}$", words)
        lines.append(words.replace("worst phi", r"worst $\phi$") + r".\par")
    if figure:
        lines += [
            "",
            "% needs \\usepackage{graphicx}",
            r"\begin{figure}",
            r"\centering",
            rf"\includegraphics[width=\linewidth]{{{figure}}}",
            rf"\caption{{Nonzero parameters beyond those of $f_{{\mathrm{{clean}}}}$; {about}.}}",
            r"\label{fig:parameters}",
            r"\end{figure}",
        ]
    return "\n".join(lines) + "\n"


def as_table(rows: Sequence[CountRow], norm: Any, hidden: tuple[int, ...], mu: float) -> Table:
    """A table for the terminal; a measured count that differs from the closed form is marked."""
    title = f"Nonzero parameters (exact counts; dense: all entries)\n{describe(norm, hidden, mu)}"
    table = Table(title=title, title_justify="left")
    for column in ("network", "variant"):
        table.add_column(column)
    for column in ("N", "D", "m", "depth", "measured", "closed form", "dense"):
        table.add_column(column, justify="right")
    for r in rows:
        measured = f"{r.measured:,}" + ("" if r.built else " *")
        formula = (
            f"{r.closed_form:,}"
            if r.closed_form == r.measured
            else f"[red]{r.closed_form:,} differs[/red]"
        )
        dense = (
            f"{r.dense_parameters:.3g}"
            if r.dense_parameters >= 10**9
            else f"{r.dense_parameters:,}"
        )
        shown = (
            r.network,
            r.variant,
            f"{r.points:,}",
            f"{r.dimension:,}",
            str(r.m or ""),
            str(r.depth),
            measured,
            formula,
            dense,
        )
        table.add_row(*shown)
    if any(not r.built for r in rows):
        table.caption = (
            "* counted by the building code on sizes alone; all others on networks with actual "
            "entries"
        )
    return table


def as_figure(rows: Sequence[CountRow], norm: Any, hidden: tuple[int, ...], mu: float) -> Figure:
    """Parameters beyond f_clean's on log-log axes: against N at the largest D, and against D at the
    largest N, each where the grid has two sizes.
    """
    varied = {
        "points": len({r.points for r in rows}) >= 2,
        "dimension": len({r.dimension for r in rows}) >= 2,
    }
    shown = [field for field, several in varied.items() if several] or ["points"]
    panels = [CountPanel(*curves_over(rows, field)) for field in shown]
    return count_figure(panels, f"{describe(norm, hidden, mu)}{depth_of(rows, '; m = {}')}")


def curves_over(rows: Sequence[CountRow], field: str) -> tuple[list[CountCurve], str]:
    """The curve of each network and variant over "points" or "dimension", at the largest value of
    the other; and the axis in words.
    """
    fixed, variable = ("dimension", "N") if field == "points" else ("points", "D")
    limit = max(getattr(r, fixed) for r in rows)
    slopes = {(e.network, e.variant, e.variable): e.exponent for e in exponents(rows)}
    clean = {(r.points, r.dimension): r.measured for r in rows if r.network == "f_clean"}
    curves = []
    for network, variant in dict.fromkeys(
        (r.network, r.variant) for r in rows if r.network != "f_clean"
    ):
        own = [
            r
            for r in rows
            if (r.network, r.variant) == (network, variant) and getattr(r, fixed) == limit
        ]
        slope = slopes.get((network, variant, variable))
        label = f"{network}, {variant}" + (f": slope {slope:.3f}" if slope is not None else "")
        sizes = [getattr(r, field) for r in own]
        beyond = [r.measured - clean[r.points, r.dimension] for r in own]
        curves.append(CountCurve(label, network, sizes, beyond))
    words = {
        "points": f"training points N (D = {limit})",
        "dimension": f"dimension D (N = {limit})",
    }
    return curves, words[field]
