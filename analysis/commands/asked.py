"""What `cgro certify` and `cgro check-certificate` are asked, looked at without PyTorch, whose
import takes seconds: what does not fit is said at once. What this does not see is left to later.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from constructions.internal import read_norm, several

from ..certification.certificate_files import read_certificate
from ..checkers import check_verified
from ..comparison.declared import READ, UNKNOWN, Sizes, declared_sizes
from ..quantities.arrays import select
from .options import BALLS, check_radius


def check_asked(options: argparse.Namespace) -> None:
    """Raise ValueError or FileNotFoundError for options of `cgro certify` that do not belong
    together, files that are not there, and numbers that do not fit the network.
    """
    if options.out and not options.out.parent.is_dir():
        raise FileNotFoundError(
            f"--out must be in a folder that exists, got no folder {options.out.parent}"
        )
    check_together(options)
    files = ("vnnlib", "instances", "queries", "memorized", "points")
    check_files(getattr(options, name) for name in files)
    sizes = UNKNOWN if options.network is None else declared_sizes(options.network, "NET")
    known = sorted(sizes.inputs)
    if options.radius is not None:
        options.norm = options.norm or "inf"
        check_radius(read_norm(options.norm), options.radius, max(known, default=None))
    if options.point:
        if known and len(options.point) not in known:
            raise ValueError(
                f"--point must have {max(known)} numbers, as NET takes, got {len(options.point)}"
            )
        check_inside(np.array([options.point]), options, "--point")
        if options.label is not None:
            check_outputs(np.array([options.label]), sizes, "--label")
    for path in (options.points, options.memorized):
        if path and path.stat().st_size <= READ:
            points, labels = select(path, "point", "label")
            check_shape(points, len(labels), sizes, f"{path}: x (points)")
            check_outputs(labels, sizes, f"{path}: y (labels)")
            check_inside(points, options, f"{path}: x (points)")
    if options.queries and options.queries.stat().st_size <= READ:
        lower, upper, labels = select(options.queries, "lower", "upper", "label")
        for name, array in (("lo (lower)", lower), ("hi (upper)", upper)):
            check_shape(array, len(labels), sizes, f"{options.queries}: {name}")
        check_outputs(labels, sizes, f"{options.queries}: y (labels)")


def check_together(options: argparse.Namespace) -> None:
    """Raise ValueError for options of `cgro certify` that do not belong together."""
    if (options.network is None) != (options.instances is not None):
        raise ValueError("NET must be given, or --instances, whose rows name networks")
    if options.max_seconds is not None and not options.max_seconds > 0:
        raise ValueError(f"--max-seconds must be > 0, got {options.max_seconds}")
    if options.jobs is not None and options.jobs < 1:
        raise ValueError(f"--jobs must be at least 1, got {options.jobs}")
    if not options.instances and (options.jobs is not None or options.results):
        raise ValueError("--jobs and --results belong to --instances")
    balls = options.memorized or options.point or options.points
    given = {"--norm": options.norm, "--radius": options.radius}
    text = " and ".join(f"{name} {value}" for name, value in given.items() if value is not None)
    if not balls and text:
        boxes = f", got {text} with --queries: its sets are boxes" if options.queries else ""
        raise ValueError(f"--norm and --radius belong to {BALLS}{boxes}")
    if balls and options.radius is None:
        raise ValueError(f"--radius must be given with {BALLS}")
    if balls and not 0 <= options.radius < math.inf:
        raise ValueError(f"--radius must be finite and >= 0, got {options.radius}")
    if options.label is not None and not options.point:
        raise ValueError("--label belongs to --point")
    if options.instances and options.out:
        raise ValueError("--out belongs to one network: use --results with --instances")
    if options.results and not options.results.parent.is_dir():
        raise FileNotFoundError(
            f"--results must be in a folder that exists, got no folder {options.results.parent}"
        )


def check_given(options: argparse.Namespace) -> None:
    """Raise what `cgro check-certificate` would raise for files that are not there, and for what is
    no certificate.
    """
    check_files((options.certificate, options.vnnlib, options.points))
    if options.radius is not None and not (options.points and options.network):
        raise ValueError("--radius belongs to --points and --network")
    if options.norm is not None and options.radius is None:
        raise ValueError("--norm belongs to --radius")
    sizes = UNKNOWN
    if options.network is not None:
        sizes = declared_sizes(options.network, "--network")
    if options.verified:
        check_verified.program()
    if options.certificate.stat().st_size <= READ:
        try:
            content = read_certificate(options.certificate)
        except ValueError as error:
            raise ValueError(f"{options.certificate} is no certificate: {error}") from error
        if not str(content.get("format")).startswith("cgro "):
            raise ValueError(f"{options.certificate} is no certificate: its format is unknown")
        held = content.get("network")
        inputs = held.get("inputs") if isinstance(held, dict) else None
        if sizes.inputs and isinstance(inputs, int) and inputs not in sizes.inputs:
            raise ValueError(
                f"{options.certificate} is about a network with {several(inputs, 'input')}, but "
                f"--network {options.network} takes {max(sizes.inputs)}"
            )


def check_files(paths: Iterable[Path | None]) -> None:
    """Raise FileNotFoundError for a path that is given and is no file."""
    for path in paths:
        if path is not None and not path.is_file():
            raise FileNotFoundError(f"no file {path}")


def check_shape(array: np.ndarray, count: int, sizes: Sizes, name: str) -> None:
    """Raise ValueError unless an array has a row of the network's inputs for each label."""
    wanted = max(sizes.inputs, default=None)
    fits = array.ndim == 2 and len(array) == count
    if not fits or (wanted is not None and array.shape[1] not in sizes.inputs):
        shape = f"({count}, {'D' if wanted is None else wanted})"
        takes = "" if wanted is None else " (labels, and inputs of NET)"
        raise ValueError(f"{name} must have shape {shape}{takes}, got {array.shape}")


def check_inside(points: np.ndarray, options: argparse.Namespace, name: str) -> None:
    """Raise ValueError for a point whose ball has no part in [0,1]^D; --memorized wants the point
    itself there.
    """
    away = points - points.clip(0, 1)
    far = np.linalg.norm(away, ord=np.inf if options.norm == "inf" else 2, axis=1)
    wrong = np.flatnonzero(~(far <= (0 if options.memorized else options.radius)))  # NaN is wrong
    if not len(wrong):
        return
    row = points[wrong[0]]
    value = row[np.argmax(np.abs(np.nan_to_num(row, nan=np.inf) - 0.5))]
    place = f" in row {wrong[0]}" * (len(points) > 1)
    remedy = " (divide pixels of 0 to 255 by 255, or give them as uint8; of 0 to 16 by 16)"
    raise ValueError(
        f"{name} must lie in [0,1], got {value:g}{place}{remedy if np.isfinite(value) else ''}"
    )


def check_outputs(labels: np.ndarray, sizes: Sizes, name: str) -> None:
    """Raise ValueError for labels that the network does not have."""
    wrong = {k: np.flatnonzero(_strange(labels, k)) for k in sizes.outputs}
    if wrong and all(len(found) for found in wrong.values()):
        outputs = min(wrong)
        allowed = "-1 or +1" if outputs == 1 else f"0..{outputs - 1}"
        i = wrong[outputs][0]
        place = f" at index {i}" if len(labels) > 1 else ""
        raise ValueError(
            f"{name} must be {allowed} for a network with {several(outputs, 'output')}, got "
            f"{labels[i]}{place}"
        )


def _strange(labels: np.ndarray, outputs: int) -> np.ndarray:
    wrong: np.ndarray = np.abs(labels) != 1 if outputs == 1 else (labels < 0) | (labels >= outputs)
    return wrong
