"""The command `cgro count`."""

from __future__ import annotations

import argparse
import json
from os.path import relpath
from pathlib import Path
from typing import Any

from constructions import VARIANTS
from constructions.internal import check_counted

from ..pages.drawing import check_drawn
from .options import check_written


def add_count_command(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    command = commands.add_parser(
        "count", help="parameter counts over a grid, beside their closed forms"
    )
    command.add_argument(
        "--points",
        type=int,
        nargs="+",
        action="extend",
        metavar="N",
        help="numbers of training points",
    )
    command.add_argument(
        "--dimension",
        type=int,
        nargs="+",
        action="extend",
        metavar="D",
        help="input dimensions, at least 4",
    )
    command.add_argument("--norm", default="inf", choices=["inf", "2"], help="norm of the balls")
    command.add_argument(
        "--variant",
        nargs="+",
        action="extend",
        choices=VARIANTS,
        help="forms of f_S (default: all)",
    )
    command.add_argument(
        "--m", type=int, default=8, help="depth of the squaring networks (accuracy 4^-(m+1))"
    )
    command.add_argument(
        "--mu", type=float, default=0.1, help="share of points with small margin, for f_adv"
    )
    command.add_argument(
        "--hidden", type=int, nargs="*", default=[64], help="hidden widths of f_clean"
    )
    command.add_argument(
        "--lower-bound",
        type=float,
        metavar="DELTA",
        help="also what networks need at least that are robust with this radius on all but 1%% of "
        "the data set S_phi in each dimension, for the worst labels phi",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    command.add_argument("--csv", type=Path, metavar="FILE", help="also write the table as CSV")
    command.add_argument(
        "--latex",
        type=Path,
        metavar="FILE",
        help="also write table, closed forms, and a --plot that is .pdf or .png, as LaTeX",
    )
    command.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="also draw the log-log figure (.svg, .png or .pdf)",
    )
    command.set_defaults(run=run_count)


def run_count(options: argparse.Namespace) -> None:
    """`cgro count`."""
    check_written(options.csv, options.latex, options.plot)
    if options.plot:
        check_drawn(options.plot)
    points = options.points or [10, 100, 1000, 10_000]
    dimensions = options.dimension or [64, 784, 3072]
    check_counted(points, dimensions, options.hidden, options.mu)
    import constructions
    from constructions.internal import read_norm, write_file

    from ..pages import counts
    from .console import output, progress_bar, showing

    variants = tuple(dict.fromkeys(options.variant or VARIANTS))
    hidden, norm = tuple(options.hidden), read_norm(options.norm)
    delta = options.lower_bound
    needed = {
        d: constructions.minimal_parameters(d, delta, counts.SPARED, norm=norm)
        for d in sorted(set(dimensions))
        if delta is not None
    }
    lower = counts.as_bounds(needed, delta) if needed else []
    with progress_bar() as progress:
        bar = progress.add_task("counting", total=None)
        rows = constructions.count_table(
            sorted(set(points)),
            sorted(set(dimensions)),
            norm=norm,
            variants=variants,
            m=options.m,
            hidden=hidden,
            mu=options.mu,
            report=showing(progress, bar),
        )
    # what LaTeX includes, by its path from where the table is
    drawn = options.latex and options.plot and options.plot.suffix in {".pdf", ".png"}
    figure = Path(relpath(options.plot, options.latex.parent)).as_posix() if drawn else ""
    for path, text in (
        (options.csv, counts.as_csv),
        (options.latex, lambda r: counts.as_latex(r, norm, hidden, options.mu, figure, lower)),
    ):
        if path:
            write_file(path, text(rows))
    if options.plot:
        from ..pages.drawing import save_figure

        save_figure(counts.as_figure(rows, norm, hidden, options.mu), options.plot)
    if options.json:
        found = counts.as_json(rows, norm, hidden, options.mu)
        found |= {"lower_bound": {"delta": delta, "parameters": needed}} if needed else {}
        print(json.dumps(found, allow_nan=False))
        return
    out = output()
    out.print(counts.as_table(rows, norm, hidden, options.mu))
    for variant, formula in counts.as_json(rows, norm, hidden, options.mu)["closed_forms"].items():
        out.print(f"f_S, {variant}: {formula}", highlight=False, soft_wrap=True)
    for line in lower:
        out.print(line, highlight=False, soft_wrap=True)
    for e in counts.exponents(rows):
        grows = f"{e.variable}^{e.exponent:.4f}"
        out.print(
            f"{e.network} - f_clean, {e.variant}: average log-log slope on this grid: {grows} "
            f"({e.at})",
            highlight=False,
        )
