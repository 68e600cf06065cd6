"""The `cgro` command and its subcommands."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from constructions import (
    VARIANTS,
    Ball,
    Engine,
    LinearRegions,
    RegionCount,
    count_regions,
    count_table,
    level_set,
    linear_regions,
    load,
    read_property,
    write_file,
    write_onnx,
    write_vnnlib,
)
from training import TASKS

from ..certification.check_files import check_file
from ..certification.deciding import decide
from ..certification.decision import MAX_SECONDS, Certification
from ..certification.instances import decide_instances, read_instances
from ..certification.queries import certify_all, read_labelled_points, read_queries
from ..comparison.comparison import CompareSettings, Comparison, check_settings, compare, stages
from ..comparison.report import TASK_NAMES, bounds, summary, write_report
from ..pages.inspection import Inspection
from ..pages.page import percent
from ..pages.region_report import region_bounds, regions_json
from ..proofs.memorization import certify_memorization
from .study import add_study_commands
from .training import add_training_commands
from .verify import add_verify_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status (0: done, 2: bad input, 130: interrupted)."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        run: Callable[[argparse.Namespace], None] = options.run
        run(options)
    except (ValueError, TypeError, OSError, ImportError, FloatingPointError) as error:
        print(f"cgro {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        note = str(interrupt) or "files of an earlier run, if any, are as they were"
        print(f"cgro {options.command}: interrupted; {note}", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="cgro",
        description="Constructed ReLU networks: build, count, inspect, compare with learned ones.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    command = commands.add_parser(
        "compare", help="train and construct classifiers on the same data and compare them"
    )
    command.add_argument(
        "--data",
        default="digits",
        help="digits (embedded), mnist, cifar10, or a folder or .tar.gz of images",
    )
    command.add_argument(
        "--task",
        default="both",
        choices=["both", *TASKS],
        help="odd against even, ten classes, or both",
    )
    command.add_argument(
        "--norm", default="inf", choices=["inf", "2"], help="norm of the perturbations"
    )
    command.add_argument(
        "--radius", type=float, help="radius of the perturbations (default: 0.1 for inf, 0.3 for 2)"
    )
    command.add_argument(
        "--seed", type=int, default=0, help="seed of the data split, initialisation and noise"
    )
    command.add_argument(
        "--out", type=Path, default=Path("results/compare"), help="folder of the report"
    )
    command.add_argument(
        "--json", action="store_true", help="print every number as JSON instead of the tables"
    )
    command.set_defaults(run=run_compare)

    add_training_commands(commands)
    add_study_commands(commands)
    add_verify_command(commands)

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
        "--dimension", type=int, nargs="+", action="extend", metavar="D", help="input dimensions"
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
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    command.add_argument("--csv", type=Path, metavar="FILE", help="also write the table as CSV")
    command.add_argument(
        "--latex", type=Path, metavar="FILE", help="also write the table as LaTeX (booktabs)"
    )
    command.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="also draw the log-log figure (.svg, .png or .pdf)",
    )
    command.set_defaults(run=run_count)

    command = commands.add_parser(
        "inspect", help="provenance, layers, sizes and pictures of a network"
    )
    add_network(command)
    command.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw units and function to .svg, .png or .pdf"
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of tables")
    command.set_defaults(run=run_inspect)

    command = commands.add_parser(
        "regions", help="linear regions over a box: exact counts, bounds and pictures"
    )
    add_network(command)
    command.add_argument(
        "--box",
        type=float,
        nargs=2,
        default=[0.0, 1.0],
        metavar=("LO", "HI"),
        help="every input's interval",
    )
    command.add_argument(
        "--pieces",
        action="store_true",
        help="also merge cells with the same affine map into linear pieces",
    )
    command.add_argument("--exact", action="store_true", help="keep all vertices in integers")
    command.add_argument(
        "--method",
        choices=["skeleton", "lattice", "search"],
        help="how to count (default: chosen for you)",
    )
    command.add_argument(
        "--max-cells", type=int, metavar="N", help="stop after so many cells, with a lower bound"
    )
    command.add_argument(
        "--max-seconds",
        type=float,
        metavar="S",
        help="stop after so many seconds, with a lower bound",
    )
    command.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="draw cells, pieces and the zero set (1 or 2 inputs)",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of text")
    command.set_defaults(run=run_regions)

    command = commands.add_parser(
        "certify",
        help="prove or refute margins and VNN-LIB properties, with certificates",
        epilog=(
            "Exit status: 0 if all was tried (whatever the result: it is printed), 2 for bad "
            "input, 130 if interrupted."
        ),
    )
    command.add_argument(
        "network",
        type=Path,
        nargs="?",
        metavar="NET",
        help=f"{NETWORK_HELP}; none with --instances",
    )
    task = command.add_mutually_exclusive_group(required=True)
    task.add_argument(
        "--vnnlib",
        type=Path,
        metavar="FILE",
        help="a property, VNN-LIB 1.0 or 2.x: sat, unsat or unknown",
    )
    task.add_argument(
        "--instances", type=Path, metavar="FILE", help=".csv with onnx,vnnlib,timeout in each row"
    )
    task.add_argument(
        "--queries",
        type=Path,
        metavar="FILE",
        help=".npz with lo, hi (boxes, (N, D)) and y (labels, (N,))",
    )
    task.add_argument(
        "--memorized",
        type=Path,
        metavar="FILE",
        help=".npz with x (N, D) and y (N,): what an f_S memorizes",
    )
    command.add_argument(
        "--norm", choices=["inf", "2"], help="norm of the balls (--memorized; default: inf)"
    )
    command.add_argument(
        "--radius", type=float, metavar="R", help="radius of the balls (--memorized)"
    )
    command.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write the certificate; what it holds already is not sought again",
    )
    command.add_argument(
        "--max-seconds",
        type=float,
        metavar="S",
        help=f"time limit of one query (default: {MAX_SECONDS:g}, or that of --instances)",
    )
    command.add_argument(
        "--jobs", type=int, metavar="N", help="processes (--instances; default: 1)"
    )
    command.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help=".csv of results (--instances); rows in it are not decided again",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of text")
    command.set_defaults(run=run_certify)

    command = commands.add_parser(
        "check-certificate", help="check a certificate, independently of how it was found"
    )
    command.add_argument("certificate", type=Path, metavar="FILE", help="JSON written by certify")
    command.add_argument(
        "--network",
        type=Path,
        metavar="NET",
        help="also check that the certificate is about this network",
    )
    command.add_argument(
        "--vnnlib",
        type=Path,
        metavar="FILE",
        help="the property (with --network), for certificates of one",
    )
    command.add_argument(
        "--points",
        type=Path,
        metavar="FILE",
        help=".npz of the points, where the certificate has none",
    )
    command.set_defaults(run=run_check)

    command = commands.add_parser(
        "export", help="write a network as ONNX and a query as VNN-LIB, for any verifier"
    )
    add_network(command)
    command.add_argument(
        "--onnx", type=Path, metavar="FILE", help="write the network (Gemm and Relu, float32)"
    )
    command.add_argument(
        "--float64", action="store_true", help="write float64, which holds every weight exactly"
    )
    command.add_argument(
        "--round",
        action="store_true",
        help="round weights that float32 cannot hold, instead of refusing",
    )
    command.add_argument(
        "--vnnlib",
        type=Path,
        metavar="FILE",
        help="write one query: is a point of the box misclassified?",
    )
    command.add_argument(
        "--queries",
        type=Path,
        metavar="FILE",
        help=".npz with lo, hi (boxes, (N, D)) and y (labels, (N,))",
    )
    command.add_argument(
        "--index", type=int, default=0, metavar="I", help="which query of the .npz (default: 0)"
    )
    command.add_argument(
        "--version", default="1.0", choices=["1.0", "2.0"], help="of VNN-LIB (default: 1.0)"
    )
    command.set_defaults(run=run_export)
    return parser


NETWORK_HELP = ".safetensors of cgro, .onnx, or .npz (W0, b0, W1, b1, ...)"


def add_network(command: argparse.ArgumentParser) -> None:
    """The argument that names a network's file."""
    command.add_argument("network", type=Path, metavar="NET", help=NETWORK_HELP)


def run_compare(options: argparse.Namespace) -> None:
    """`cgro compare`."""
    # small matrices: a second thread gains little, and loses much on a busy machine
    torch.set_num_threads(1)
    norm = Ball(options.norm, 0.0).p
    tasks = TASKS if options.task == "both" else (options.task,)
    kind = CompareSettings if options.data == "digits" else CompareSettings.large
    settings = kind(
        data=options.data, tasks=tasks, norm=norm, radius=options.radius, seed=options.seed
    )
    check_settings(settings)
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    with progress_bar(console) as progress:
        total = sum(stages(settings).values()) * len(tasks)
        bar = progress.add_task("starting", total=total)

        def announce(stage: str) -> Callable[[], None]:
            progress.update(bar, description=stage)
            return lambda: progress.advance(bar)

        result = compare(settings, announce, options.out / "runs")
        progress.update(bar, description="writing the report", completed=total)
        page = write_report(result, options.out)
    if options.json:
        print(json.dumps(result.to_json(), allow_nan=False))
    else:
        print_comparison(result, page)


def print_comparison(result: Comparison, page: Path) -> None:
    """The comparison's tables and summaries in the terminal."""
    console = output()
    for task in result.tasks:
        table = Table(
            title=f"{TASK_NAMES[task.task]}, {result.settings.ball}", title_justify="left"
        )
        table.add_column("model")
        for column in ("parameters", "clean train", "clean test", "robust train", "robust test"):
            table.add_column(column, justify="right")
        for name, model in task.models.items():
            errors = model.errors
            table.add_row(
                name,
                f"{model.size['parameters']:,}",
                percent(errors["clean train"]),
                percent(errors["clean test"]),
                bounds(errors, "robust train"),
                bounds(errors, "robust test"),
            )
        table.caption = "errors; robust: what is proved, at least - at most"
        console.print(table)
        console.print(summary(task), highlight=False)
        console.print()
    console.print(f"Report: {page}", highlight=False, soft_wrap=True)


def run_count(options: argparse.Namespace) -> None:
    """`cgro count`."""
    # with matplotlib, as in `run_regions`: half a second of imports that other commands do not need
    from ..pages import counts

    points = options.points or [10, 100, 1000, 10_000]
    dimensions = options.dimension or [64, 784, 3072]
    variants = tuple(dict.fromkeys(options.variant or VARIANTS))
    hidden, norm = tuple(options.hidden), Ball(options.norm, 0.0).p
    console = Console(stderr=True)
    with progress_bar(console) as progress:
        bar = progress.add_task("counting", total=2 * len(points) * len(dimensions) * len(variants))
        rows = count_table(
            sorted(set(points)),
            sorted(set(dimensions)),
            norm=norm,
            variants=variants,
            m=options.m,
            hidden=hidden,
            mu=options.mu,
            progress=lambda: progress.advance(bar),
        )
    for path, text in (
        (options.csv, counts.as_csv),
        (options.latex, lambda r: counts.as_latex(r, norm, hidden, options.mu)),
    ):
        if path:
            write_file(path, text(rows))
    if options.plot:
        from ..pages.drawing import save_figure

        save_figure(counts.as_figure(rows, norm, hidden, options.mu), options.plot)
    if options.json:
        print(json.dumps(counts.as_json(rows, norm, hidden, options.mu), allow_nan=False))
        return
    out = output()
    out.print(counts.as_table(rows, norm, hidden, options.mu))
    for variant, formula in counts.as_json(rows, norm, hidden, options.mu)["closed_forms"].items():
        out.print(f"f_S, {variant}: {formula}", highlight=False, soft_wrap=True)
    for e in counts.exponents(rows):
        grows = f"{e.variable}^{e.exponent:.4f}"
        out.print(
            f"{e.network} - f_clean, {e.variant}: average log-log slope on this grid: {grows} "
            f"({e.at})",
            highlight=False,
        )


def run_inspect(options: argparse.Namespace) -> None:
    """`cgro inspect`."""
    inspection = Inspection(load(options.network))
    if options.plot:
        inspection.plot(options.plot)
    if options.json:
        print(json.dumps(inspection.to_json()))
    else:
        output().print(inspection.renderable())


def run_regions(options: argparse.Namespace) -> None:
    """`cgro regions`."""
    network, box = load(options.network), tuple(options.box)
    if options.plot and network.inputs > 2:
        raise ValueError(
            f"--plot draws networks with 1 or 2 inputs, got {network.inputs}; see "
            f"constructions.on_plane"
        )
    with progress_bar(Console(stderr=True)) as progress:
        bar = progress.add_task("cutting", total=None)
        settings = {
            "pieces": options.pieces,
            "exact": options.exact,
            "method": options.method or ("lattice" if options.plot else None),
            "max_cells": options.max_cells,
            "max_seconds": options.max_seconds,
            "progress": lambda done, total: progress.update(
                bar, completed=done, total=total or None
            ),
        }
        if options.plot:
            found: RegionCount = linear_regions(network, box, **settings)
        else:
            found = count_regions(network, box, **settings)
    bounds = region_bounds(network)
    if options.json:
        print(
            json.dumps({**regions_json(found), "box": list(box), "bounds": bounds}, allow_nan=False)
        )
    else:
        out = output()
        if network.source:
            out.print(f"network {network.source}", highlight=False, soft_wrap=True)
        out.print(str(found), highlight=False, soft_wrap=True)
        for name, value in bounds.items():
            text = f"{value:,}" if value < 10**15 else f"about {Decimal(value):.3e}"
            out.print(f"  {name}: {text}", highlight=False, soft_wrap=True)
    if options.plot and isinstance(found, LinearRegions):
        if not found.complete:
            raise ValueError(f"{options.plot} was not drawn, as not all units were reached")
        from ..pages.drawing import save_figure
        from ..pages.region_figures import regions_figure

        boundary = level_set(network, box) if network.inputs == 2 and network.outputs == 1 else None
        save_figure(regions_figure(found, boundary), options.plot)


def output() -> Console:
    """The console on stdout; wide enough for tables where it is not a terminal."""
    return Console() if sys.stdout.isatty() else Console(width=150)


def run_certify(options: argparse.Namespace) -> None:
    """`cgro certify`."""
    torch.set_num_threads(1)
    if options.out and not options.out.parent.is_dir():
        raise FileNotFoundError(
            f"--out must be in a folder that exists, got no folder {options.out.parent}"
        )
    check_certify(options)
    if options.instances:
        run_instances(options)
        return
    if options.vnnlib:
        run_property(options)
        return
    network = load(options.network)
    if options.memorized:
        if options.radius is None:
            raise ValueError("--radius must be given with --memorized")
        points, labels = read_labelled_points(options.memorized)
        norm: Any = options.norm or "inf"
        with progress_bar(Console(stderr=True)) as progress:
            bar = progress.add_task("measuring separation", total=None)
            engine = Engine(
                report=lambda done, total: progress.update(bar, completed=done, total=total)
            )
            proof = certify_memorization(
                network, points, labels, Ball(norm, options.radius), engine
            )
        if options.out and proof.verdict != "unresolved":
            proof.save(options.out)
        facts = proof.to_json()
        if options.json:
            print(json.dumps(facts, allow_nan=False))
            return
        shown = ", ".join(
            f"{name} {value}" for name, value in facts.items() if value not in ("", None)
        )
        print(f"{shown} (margin: certified bound on all {proof.points} balls)")
        return
    if options.norm or options.radius is not None:
        given = {"--norm": options.norm, "--radius": options.radius}
        text = " and ".join(f"{name} {value}" for name, value in given.items() if value is not None)
        raise ValueError(
            f"--norm and --radius belong to --memorized, got {text} with --queries: its sets are "
            f"boxes, and no l_2 balls "
            "(those are decided by analysis.certify)"
        )
    queries, seconds = read_queries(options.queries, network), options.max_seconds or MAX_SECONDS
    with progress_bar(Console(stderr=True)) as progress:
        bar = progress.add_task("certifying", total=len(queries))
        results = certify_all(network, queries, seconds, options.out, lambda: progress.advance(bar))
    if options.json:
        print(json.dumps([result_json(result) for result in results], allow_nan=False))
    else:
        if network.source:
            output().print(f"network {network.source}", highlight=False, soft_wrap=True)
        print_certifications(results, len(queries))
    if len(results) < len(queries):
        raise KeyboardInterrupt(
            f"{options.out} holds what was found: run again to go on" if options.out else ""
        )


def check_certify(options: argparse.Namespace) -> None:
    """Raise ValueError for options of `cgro certify` that do not belong together."""
    if (options.network is None) != (options.instances is not None):
        raise ValueError("NET must be given, or --instances, whose rows name networks")
    if options.max_seconds is not None and not options.max_seconds > 0:
        raise ValueError(f"--max-seconds must be > 0, got {options.max_seconds}")
    if options.jobs is not None and options.jobs < 1:
        raise ValueError(f"--jobs must be at least 1, got {options.jobs}")
    if not options.instances and (options.jobs is not None or options.results):
        raise ValueError("--jobs and --results belong to --instances")
    if (options.instances or options.vnnlib) and (options.norm or options.radius is not None):
        raise ValueError("--norm and --radius belong to --memorized")
    if options.instances and options.out:
        raise ValueError("--out belongs to one network: use --results with --instances")
    if options.results and not options.results.parent.is_dir():
        raise FileNotFoundError(
            f"--results must be in a folder that exists, got no folder {options.results.parent}"
        )


def run_property(options: argparse.Namespace) -> None:
    """`cgro certify --vnnlib`."""
    found = decide(options.network, options.vnnlib, max_seconds=options.max_seconds or MAX_SECONDS)
    if options.out and found.certificate is not None:
        write_file(options.out, json.dumps(found.certificate, allow_nan=False))
    if options.json:
        witness = None if found.witness is None else [str(v) for v in found.witness]
        facts = {"result": found.result, "witness": witness, "seconds": found.seconds}
        print(
            json.dumps(
                {**facts, "confirmed": found.confirmed, "reason": found.reason}, allow_nan=False
            )
        )
    else:
        print(found)


def run_instances(options: argparse.Namespace) -> None:
    """`cgro certify --instances`."""
    instances = read_instances(options.instances)
    with progress_bar(Console(stderr=True)) as progress:
        bar = progress.add_task("deciding", total=len(instances))
        advance = lambda: progress.advance(bar)  # noqa: E731
        try:
            rows = decide_instances(
                instances, options.results, options.jobs or 1, options.max_seconds, advance
            )
        except KeyboardInterrupt as interrupt:
            note = (
                f"{options.results} holds what was found: run again to go on"
                if options.results
                else ""
            )
            raise KeyboardInterrupt(note) from interrupt
    if options.json:
        names = ("onnx", "vnnlib", "result")
        print(
            json.dumps(
                [
                    {**dict(zip(names, (*r[:2], r[3]), strict=True)), "seconds": float(r[4])}
                    for r in rows
                ]
            )
        )
        return
    for onnx, vnnlib, _, result, seconds in rows:
        print(f"{onnx} {vnnlib}: {result} ({seconds} s)")
    counts = {
        word: sum(row[3].split(":")[0] == word for row in rows)
        for word in ("sat", "unsat", "unknown", "error")
    }
    print(
        ", ".join(f"{count} {word}" for word, count in counts.items())
        + f", of {len(rows)} instances"
    )


def result_json(result: Certification) -> dict[str, object]:
    """A verdict as plain JSON values; rationals as text."""
    witness = None if result.witness is None else [str(v) for v in result.witness]
    bound, margin = (None if v is None else str(v) for v in (result.bound, result.margin))
    numbers = {"bound": bound, "witness": witness, "margin": margin}
    return {"verdict": result.verdict, **numbers, "leaves": result.leaves, "reason": result.reason}


def print_certifications(results: list[Certification], total: int) -> None:
    """A table of verdicts and their counts."""
    table = Table(title="margin on each set")
    for name, justify in (
        ("query", "right"),
        ("verdict", "left"),
        ("bound or witness", "left"),
        ("parts", "right"),
    ):
        table.add_column(name, justify="right" if justify == "right" else "left")
    for i, result in enumerate(results):
        detail = result.reason
        if result.bound is not None:
            detail = f">= {float(result.bound):.6g} (certified bound)"
        elif result.witness is not None and result.margin is not None:
            first = ", ".join(f"{float(v):.4g}" for v in result.witness[:4])
            detail = f"{float(result.margin):.6g} (exact) at ({first}"
            detail += ", ...)" if len(result.witness) > 4 else ")"
        table.add_row(str(i), result.verdict, detail, str(result.leaves or ""))
    console = output()
    console.print(table)
    counts = {v: sum(r.verdict == v for r in results) for v in ("proved", "refuted", "unresolved")}
    counts |= {"not tried": total - len(results)} if len(results) < total else {}
    console.print(
        ", ".join(f"{n} {v}" for v, n in counts.items()) + f", of {total} queries", highlight=False
    )


def run_check(options: argparse.Namespace) -> None:
    """`cgro check-certificate`."""
    asked = read_property(options.vnnlib) if options.vnnlib else None
    network = load(options.network) if options.network else None
    found = check_file(options.certificate, network, options.points, asked)
    if asked is not None:
        whole, *rest = found
        print(
            f"network and property: "
            f"{'rejected: ' + whole.reason if whole.reason else 'those of the certificate'}"
        )
    for i, finding in enumerate(found if asked is None else rest):
        accepted = f"accepted as {finding.statement}"
        print(f"query {i}: {f'rejected: {finding.reason}' if finding.reason else accepted}")
    wrong = sum(bool(finding.reason) for finding in found)
    if wrong or not found:
        raise ValueError(f"{options.certificate}: {wrong} of {len(found)} queries are rejected")


def run_export(options: argparse.Namespace) -> None:
    """`cgro export`."""
    if not options.onnx and not options.vnnlib:
        raise ValueError("--onnx or --vnnlib must be given: there is nothing to write")
    if (options.vnnlib is None) != (options.queries is None):
        raise ValueError("--vnnlib and --queries must be given together")
    network = load(options.network)
    if options.vnnlib:
        queries = read_queries(options.queries, network)
        if not 0 <= options.index < len(queries):
            raise ValueError(f"--index must lie in 0..{len(queries) - 1}, got {options.index}")
        query = queries[options.index]
        write_vnnlib(
            options.vnnlib,
            query.set.lower,
            query.set.upper,
            query.label,
            version=options.version,
            network=network,
        )
    if options.onnx:
        held = write_onnx(
            network, options.onnx, "float64" if options.float64 else "float32", round=options.round
        )
        if held is not network:
            print(
                "weights were rounded to float32: answers about the file are not about the network",
                file=sys.stderr,
            )
    print(f"wrote {', '.join(str(path) for path in (options.vnnlib, options.onnx) if path)}")


def progress_bar(console: Console) -> Progress:
    """A progress bar on stderr; without a terminal it stays silent until the end."""
    stage = TextColumn("{task.description:<24}")
    columns = (stage, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)
