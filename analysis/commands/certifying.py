"""The command `cgro certify`.

Whole, because its forms share the options, and how answers are printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import constructions

from .options import BALLS, NETWORK_HELP, TAKEN, check_radius, read_named

if TYPE_CHECKING:
    from ..certification.decision import Certification
    from ..certification.queries import Query


def add_certify_command(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    # Whole, because it is a list of options.
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
    task.add_argument(
        "--point",
        type=float,
        nargs="+",
        metavar="X",
        help="the ball of --norm and --radius within [0,1]^D around this point, for --label; all "
        "numbers are read as float64",
    )
    task.add_argument(
        "--points",
        type=Path,
        metavar="FILE",
        help="likewise, the balls around points x (N, D) with labels y (N,) of an .npz",
    )
    command.add_argument(
        "--norm", choices=["inf", "2"], help=f"norm of the balls ({BALLS}; default: inf)"
    )
    command.add_argument("--radius", type=float, metavar="R", help=f"radius of the balls ({BALLS})")
    command.add_argument(
        "--label", type=int, metavar="Y", help="of --point (default: what the network gives)"
    )
    command.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write the certificate; queries that it holds already are not sought again, and stay",
    )
    command.add_argument(
        "--max-seconds",
        type=float,
        metavar="S",
        help="time limit of one query (default: 60, or that of --instances)",
    )
    command.add_argument(
        "--jobs", type=int, metavar="N", help="processes (--instances; default: 1)"
    )
    command.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help=".csv of results (--instances); rows in it are kept, but errors are tried again, and "
        "what was unknown in less time",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of text")
    command.set_defaults(run=run_certify)


def run_certify(options: argparse.Namespace) -> None:
    """`cgro certify`."""
    from .asked import check_asked

    check_asked(options)
    import torch

    torch.set_num_threads(1)
    for name, run in (
        ("instances", run_instances),
        ("vnnlib", run_property),
        ("memorized", run_memorized),
        ("queries", run_queries),
        ("point", run_balls),
        ("points", run_balls),
    ):
        if getattr(options, name):
            run(options)


def run_property(options: argparse.Namespace) -> None:
    """`cgro certify --vnnlib`."""
    from ..certification.check_network import read_decision
    from ..certification.deciding import NO_FORM, decide
    from ..certification.decision import MAX_SECONDS

    kept, (network, said) = None, read_named(options.network)
    if options.out and options.out.exists():
        kept = read_decision(options.out, network, constructions.read_property(options.vnnlib))
    seconds = options.max_seconds or MAX_SECONDS
    found = kept or decide(network, options.vnnlib, max_seconds=seconds)
    if kept:
        print(f"{options.out} shows this already: checked again, not sought again", file=sys.stderr)
    elif options.out and found.certificate is not None:
        found.save(options.out)
    elif options.out:
        why = NO_FORM if found.result == "sat" else "nothing is proved"
        print(f"{options.out} is not written: {why}", file=sys.stderr)
    if options.json:
        witness = None if found.witness is None else [str(v) for v in found.witness]
        facts = {"result": found.result, "witness": witness, "seconds": found.seconds}
        more = {"confirmed": found.confirmed, "reason": found.reason, "kept": kept is not None}
        more |= {"network": said}
        print(json.dumps(facts | more, allow_nan=False))
    else:
        print(f"network {said}" if TAKEN in said else "", end="\n" * (TAKEN in said))
        print(found)


def run_instances(options: argparse.Namespace) -> None:
    """`cgro certify --instances`."""
    from ..certification.instances import decide_instances, read_instances
    from .console import interrupted_once, progress_bar, showing

    instances = read_instances(options.instances)
    with interrupted_once(), progress_bar() as progress:
        bar = progress.add_task("deciding", total=len(instances))
        try:
            rows = decide_instances(
                instances,
                options.results,
                options.jobs or 1,
                options.max_seconds,
                showing(progress, bar),
            )
        except KeyboardInterrupt as interrupt:
            note = (
                f"{options.results} holds what was found: run again to go on"
                if options.results and options.results.exists()
                else ""
            )
            raise KeyboardInterrupt(note) from interrupt
    if options.json:
        names = ("onnx", "vnnlib", "result", "seconds", "kept")
        facts = [{name: getattr(row, name) for name in names} for row in rows]
        print(json.dumps([each | {"seconds": float(each["seconds"])} for each in facts]))
        return
    for row in rows:
        kept = f", kept from {options.results}" if row.kept else ""
        print(f"{row.onnx} {row.vnnlib}: {row.result} ({row.seconds} s{kept})")
    counts = {
        word: sum(row.result.split(":")[0] == word for row in rows)
        for word in ("sat", "unsat", "unknown", "error")
    }
    count = sum(row.kept for row in rows)
    print(
        ", ".join(f"{count} {word}" for word, count in counts.items())
        + f", of {len(rows)} instances"
        + (f", {count} of them kept from {options.results}" if count else "")
    )


def run_memorized(options: argparse.Namespace) -> None:
    """`cgro certify --memorized`."""
    from constructions.internal import read_norm

    from ..certification.queries import read_labelled_points
    from ..proofs.memorization import certify_memorization
    from .console import progress_bar

    network, said = read_named(options.network)
    points, labels = read_labelled_points(options.memorized)
    norm: Any = options.norm or "inf"
    check_radius(read_norm(norm), options.radius, network.inputs)
    with progress_bar() as progress:
        bar = progress.add_task("measuring separation", total=None)
        engine = constructions.Engine(
            report=lambda told: progress.update(bar, completed=told.done, total=told.total)
        )
        proof = certify_memorization(
            network, points, labels, constructions.Ball(norm, options.radius), engine=engine
        )
    if options.out and proof.verdict != "unresolved":
        proof.save(options.out)
    if options.json:
        print(json.dumps(proof.to_json() | {"network": said}, allow_nan=False))
    else:
        print(f"network {said}\n{proof}")


def run_queries(options: argparse.Namespace) -> None:
    """`cgro certify --queries`."""
    from ..certification.queries import read_queries

    network, said = read_named(options.network)
    show_certified(options, network, said, read_queries(options.queries, network))


def run_balls(options: argparse.Namespace) -> None:
    """`cgro certify --point` and `--points`."""
    from ..certification.queries import balls_around, read_labelled_points

    network, said = read_named(options.network)
    norm: Any = options.norm or "inf"
    ball = constructions.Ball(norm, options.radius)
    points: Any = [options.point]
    labels: Any = [options.label]
    if options.points:
        points, labels = read_labelled_points(options.points)
    elif options.label is None:
        values = network([options.point])
        labels = constructions.predictions(values).tolist()
    check_radius(ball.p, ball.radius, network.inputs)
    queries = balls_around(network, points, labels, ball)
    if not options.json:
        asked = f"label {queries[0].label}" if options.point else "each label"
        print(f"{asked} in the whole {ball} around the point, within [0,1]^D")
    show_certified(options, network, said, queries)


def show_certified(
    options: argparse.Namespace,
    network: constructions.ReLUNetwork,
    said: str,
    queries: list[Query],
) -> None:
    """Decide queries, and print what is found."""
    from ..certification.decision import MAX_SECONDS
    from ..certification.queries import certify_all
    from .console import output, progress_bar, showing

    seconds = options.max_seconds or MAX_SECONDS
    with progress_bar() as progress:
        bar = progress.add_task("certifying", total=len(queries))
        held = bool(options.out and options.out.exists())
        results = certify_all(network, queries, seconds, options.out, showing(progress, bar))
    if options.json:
        facts = [result_json(result) | {"network": said} for result in results]
        print(json.dumps(facts, allow_nan=False))
    else:
        if TAKEN in said:
            output().print(f"network {said}", highlight=False, soft_wrap=True)
        if network.source:
            output().print(f"network {network.source}", highlight=False, soft_wrap=True)
        print_certifications(results, queries)
        if held:
            others = f"{options.out} was there: what it held stays in it, numbered as written"
            output().print(others, highlight=False, soft_wrap=True)
    if len(results) < len(queries):
        raise KeyboardInterrupt(
            f"{options.out} holds what was found: run again to go on" if options.out else ""
        )


def result_json(result: Certification) -> dict[str, object]:
    """A verdict as plain JSON values; rationals as text."""
    witness = None if result.witness is None else [str(v) for v in result.witness]
    bound, margin = (None if v is None else str(v) for v in (result.bound, result.margin))
    numbers = {"bound": bound, "witness": witness, "margin": margin}
    return {"verdict": result.verdict, **numbers, "leaves": result.leaves, "reason": result.reason}


def print_certifications(results: list[Certification], queries: list[Query]) -> None:
    """A table of verdicts and their counts; the sets by what checkers call them."""
    from rich.table import Table

    from constructions.internal import said, several

    from ..checkers.check_certificate import tag
    from .console import output

    table = Table(title="margin on each set")
    table.caption = (
        "set: SHA-256 of its corners, as checkers print it; parts: those of the set that have a "
        "proof of their own"
    )
    total = len(queries)
    for name, justify in (
        ("query", "right"),
        ("set", "left"),
        ("verdict", "left"),
        ("bound or witness", "left"),
        ("parts", "right"),
    ):
        table.add_column(name, justify="right" if justify == "right" else "left")
    for i, result in enumerate(results):
        detail = result.reason
        if result.bound is not None:
            detail = str(said(result.bound, "certified lower bound"))
        elif result.witness is not None and result.margin is not None:
            at = ", ".join(f"{float(v):.4g}" for v in result.witness[:4])
            detail = f"{said(result.margin, 'exact')} at ({at}"
            detail += ", ...)" if len(result.witness) > 4 else ")"
        box = queries[i].set
        name = tag([*box.lower, *box.upper]).strip("()").removeprefix("SHA-256 ")
        table.add_row(str(i), name, result.verdict, detail, str(result.leaves or ""))
    console = output()
    console.print(table)
    counts = {v: sum(r.verdict == v for r in results) for v in ("proved", "refuted", "unresolved")}
    counts |= {"not tried": total - len(results)} if len(results) < total else {}
    console.print(
        ", ".join(f"{n} {v}" for v, n in counts.items())
        + f", of {several(total, 'query', 'queries')}",
        highlight=False,
    )
