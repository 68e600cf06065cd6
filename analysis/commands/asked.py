"""What `cgro certify` and `cgro check-certificate` are asked, looked at without PyTorch, whose
import takes seconds: what does not fit is said at once. What this does not see is left to later.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from constructions.internal import several

from ..certification.arrays import select
from ..certification.certificate_files import read_certificate
from ..comparison.declared import (
    WEIGHTS,
    Sizes,
    declared_weights,
    find_own,
    layers_of,
    onnx_sizes,
    shapeless,
    sizes_of,
)
from .options import BALLS

READ = 2**26
"""Most bytes of a file that is read twice: here, and where it is used."""

UNKNOWN = Sizes(set(), set())


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
    sizes = UNKNOWN if options.network is None else declared_sizes(options.network)
    if options.point:
        known = sorted(sizes.inputs)
        if known and len(options.point) not in known:
            raise ValueError(
                f"--point must have {max(known)} numbers, as NET takes, got {len(options.point)}"
            )
        if options.label is not None:
            check_outputs(np.array([options.label]), sizes, "--label")
    for path in (options.points, options.memorized):
        if path and path.stat().st_size <= READ:
            points, labels = select(path, "point", "label")
            check_shape(points, len(labels), sizes, f"{path}: x (points)")
            check_outputs(labels, sizes, f"{path}: y (labels)")
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
    if options.network is not None:
        find_own(str(options.network), "--network")
    if options.certificate.stat().st_size <= READ:
        try:
            content = read_certificate(options.certificate)
        except ValueError as error:
            raise ValueError(f"{options.certificate} is no certificate: {error}") from error
        if not str(content.get("format")).startswith("cgro "):
            raise ValueError(f"{options.certificate} is no certificate: its format is unknown")


def check_files(paths: Iterable[Path | None]) -> None:
    """Raise FileNotFoundError for a path that is given and is no file."""
    for path in paths:
        if path is not None and not path.is_file():
            raise FileNotFoundError(f"no file {path}")


def declared_sizes(source: Path, name: str = "NET") -> Sizes:
    """The numbers that a network may take and give, as far as its file says; ValueError and
    FileNotFoundError for what is no network.
    """
    path = find_own(str(source), name)
    if path is None or not path.is_file():
        return UNKNOWN
    if path.suffix == ".onnx":
        return onnx_sizes(path) or UNKNOWN
    held = declared_weights(path, name) if path.suffix in WEIGHTS else None
    if held is None:
        return UNKNOWN
    layers, named = layers_of(held), f"{name} {path.name}"
    if layers and any(len(shape) != 2 for shape in layers.values()):
        raise ValueError(shapeless(named))
    return sizes_of(held, None, named) or UNKNOWN


def check_shape(array: np.ndarray, count: int, sizes: Sizes, name: str) -> None:
    """Raise ValueError unless an array has a row of the network's inputs for each label."""
    wanted = max(sizes.inputs, default=None)
    fits = array.ndim == 2 and len(array) == count
    if not fits or (wanted is not None and array.shape[1] not in sizes.inputs):
        shape = f"({count}, {'D' if wanted is None else wanted})"
        takes = "" if wanted is None else " (labels, and inputs of NET)"
        raise ValueError(f"{name} must have shape {shape}{takes}, got {array.shape}")


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
