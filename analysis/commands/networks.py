"""The commands `cgro inspect`, `cgro regions` and `cgro export`, each about one network."""

from __future__ import annotations

import argparse
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import constructions

from ..pages.drawing import check_drawn
from .options import add_network, check_written, read_net

if TYPE_CHECKING:
    from constructions import RegionCount


def add_network_commands(commands: Any) -> None:
    """Add `cgro inspect` and `cgro regions` to a parser's subparsers."""
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
        "regions",
        help="linear regions (activation cells, linear pieces) over a box: exact counts, bounds, "
        "pictures",
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


def add_export_command(commands: Any) -> None:
    """Add `cgro export` to a parser's subparsers."""
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


def run_inspect(options: argparse.Namespace) -> None:
    """`cgro inspect`."""
    if options.plot:
        check_drawn(options.plot)
        check_written(options.plot)
    network = read_net(options.network)
    from ..pages.inspection import Inspection
    from .console import output

    inspection = Inspection(network)
    if options.plot:
        inspection.plot(options.plot)
    if options.json:
        print(json.dumps(inspection.to_json()))
    else:
        output().print(inspection.renderable())


def run_regions(options: argparse.Namespace) -> None:
    """`cgro regions`."""
    if options.plot:
        check_drawn(options.plot)
        check_written(options.plot)
    network, box = read_net(options.network), tuple(options.box)
    from ..pages.region_report import MEANINGS, region_bounds, regions_json
    from .console import output, progress_bar, showing

    if options.plot and network.inputs > 2:
        raise ValueError(
            f"--plot draws networks with 1 or 2 inputs, got {network.inputs}; see "
            f"constructions.on_plane"
        )
    with progress_bar() as progress:
        bar = progress.add_task("cutting", total=None)
        settings = {
            "pieces": options.pieces,
            "arithmetic": "integers" if options.exact else "floats",
            "method": options.method or ("lattice" if options.plot else None),
            "max_cells": options.max_cells,
            "max_seconds": options.max_seconds,
            "report": showing(progress, bar),
        }
        if options.plot:
            found: RegionCount = constructions.linear_regions(network, box, **settings)
        else:
            found = constructions.count_regions(network, box, **settings)
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
        for name, meaning in MEANINGS.items():
            if name == "activation cells" or found.pieces is not None:
                out.print(f"  {name}: {meaning}", highlight=False, soft_wrap=True)
        for name, value in bounds.items():
            text = f"{value:,}" if value < 10**15 else f"about {Decimal(value):.3e}"
            out.print(f"  {name}: {text}", highlight=False, soft_wrap=True)
    if options.plot and isinstance(found, constructions.LinearRegions):
        if not found.complete:
            raise ValueError(f"{options.plot} was not drawn, as not all units were reached")
        from ..pages.drawing import save_figure
        from ..pages.region_figures import regions_figure

        boundary = (
            constructions.level_set(network, box)
            if network.inputs == 2 and network.outputs == 1
            else None
        )
        save_figure(regions_figure(found, boundary), options.plot)


def run_export(options: argparse.Namespace) -> None:
    """`cgro export`."""
    if not options.onnx and not options.vnnlib:
        raise ValueError("--onnx or --vnnlib must be given: there is nothing to write")
    if (options.vnnlib is None) != (options.queries is None):
        raise ValueError("--vnnlib and --queries must be given together")
    check_written(options.onnx, options.vnnlib)
    network = read_net(options.network)
    if options.vnnlib:
        from ..certification.queries import read_queries

        queries = read_queries(options.queries, network)
        if not 0 <= options.index < len(queries):
            raise ValueError(f"--index must lie in 0..{len(queries) - 1}, got {options.index}")
        query = queries[options.index]
        constructions.write_vnnlib(
            options.vnnlib,
            (query.set.lower, query.set.upper),
            query.label,
            version=options.version,
            network=network,
        )
    if options.onnx:
        held = constructions.write_onnx(
            network,
            options.onnx,
            dtype="float64" if options.float64 else "float32",
            round=options.round,
        )
        if held is not network:
            print(
                "weights were rounded to float32: answers about the file are not about the network",
                file=sys.stderr,
            )
    print(f"wrote {', '.join(str(path) for path in (options.vnnlib, options.onnx) if path)}")
