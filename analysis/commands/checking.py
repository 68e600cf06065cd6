"""The command `cgro check-certificate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import constructions

from .options import check_radius, read_net


def add_check_command(commands: Any) -> None:
    """Add the command to a parser's subparsers."""
    command = commands.add_parser(
        "check-certificate",
        help="check a certificate, independently of how it was found",
        epilog="Exit status: 0 if all queries are accepted, 2 if one is rejected or for bad input.",
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
        help=".npz of points (x, y): those that the certificate has a digest of; or, with "
        "--network, --norm and --radius, those whose balls it must decide, each",
    )
    command.add_argument("--norm", choices=["inf", "2"], help="norm of these balls (default: inf)")
    command.add_argument("--radius", type=float, metavar="R", help="radius of these balls")
    command.add_argument(
        "--verified",
        action="store_true",
        help="ask the program that is extracted from Coq (make checker builds it), in place of the "
        "checkers in Python",
    )
    command.set_defaults(run=run_check)


def run_check(options: argparse.Namespace) -> None:
    """`cgro check-certificate`."""
    from .asked import check_given

    check_given(options)
    from constructions.internal import several

    from ..certification.check_files import check_content, read_content
    from ..checkers import check_verified
    from ..checkers.check_memorization import BALLS

    asked = constructions.read_property(options.vnnlib) if options.vnnlib else None
    network = read_net(options.network) if options.network else None
    path, content = options.certificate, read_content(options.certificate)
    apart = options.radius is None or content.get("format") == BALLS  # else sets to be found in it
    points = options.points if apart else None
    found = check_content(content, path, network, points, asked, proved=options.verified)
    queries = found if asked is None else found[1:]
    if asked is not None:
        whole = found[0]
        print(
            f"network and property: "
            f"{'rejected: ' + whole.reason if whole.reason else 'those of the certificate'}"
            f"{whole.statement.removeprefix('about this network and this property, all of it')}"
        )
    for i, finding in enumerate(queries):
        rejected = f"rejected: {finding.reason}" if finding.reason else ""
        print(f"query {i}: {rejected or f'accepted as {finding.statement}'}")
    if options.verified:
        print(check_verified.trusted())
    wrong = sum(bool(finding.reason) for finding in queries)
    if not queries:
        raise ValueError(f"{options.certificate} holds no query, so it proves nothing")
    if wrong:
        total = several(len(queries), "query", "queries")
        raise ValueError(f"{options.certificate}: {wrong} of {total} rejected")
    if asked is not None and whole.reason:
        raise ValueError(f"{options.certificate} is not about this network and property")
    if network is not None and options.radius is not None:
        check_points(options, content, network)
    if network is not None and asked is None:
        print(f"network: that of the certificate, layer by layer ({options.network})")
    if network is None and options.points is None:
        print("not compared: the network (--network FILE), and a property (--vnnlib FILE)")


def check_points(
    options: argparse.Namespace, content: dict[str, Any], network: constructions.ReLUNetwork
) -> None:
    """Say in which queries of an accepted certificate the balls around points are. Raises
    ValueError for one that is in none.
    """
    from constructions.internal import several

    from ..certification.queries import (
        balls_around,
        memorized_places,
        places_of,
        read_labelled_points,
    )

    points, labels = read_labelled_points(options.points)
    norm: Any = options.norm or "inf"
    ball = constructions.Ball(norm, options.radius)
    check_radius(ball.p, ball.radius, network.inputs)
    if "queries" in content:
        held, places = "query", places_of(content, balls_around(network, points, labels, ball))
    elif isinstance(content.get("points"), list) and content["verdict"] == "proved":
        held, places = "point", memorized_places(content, points, labels, ball)
    else:
        raise ValueError(
            f"{options.certificate} does not say which points it is about: with --points alone it "
            "is compared with them"
        )
    if None in places:
        raise ValueError(
            f"{options.certificate} holds no {held} of row {places.index(None)} of "
            f"{options.points} (its ball of --norm and --radius, with its label)"
        )
    print(
        f"points: {several(len(places), 'row')} of {options.points}, in turn "
        f"{'queries' if held == 'query' else 'points'} {', '.join(map(str, places))}"
    )
