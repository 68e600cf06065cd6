"""Options of commands made from settings, and settings read from them."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin, get_type_hints

from constructions.internal import Settings, beyond_scale

from ..comparison.declared import declared_sizes
from ..comparison.settings import SHAPES

if TYPE_CHECKING:
    from constructions import ReLUNetwork

BALLS = "--memorized, --point, --points"
"""What --norm and --radius of `cgro certify` are for."""


NETWORK_HELP = (
    ".safetensors, .onnx, .onnx.gz, .pt2, .nnet, .npz (W0, b0, W1, b1, ...), weights of Linear and "
    "ReLU in turn (.pt, .pth), a run's folder, or module:function"
)


def add_network(command: argparse.ArgumentParser) -> None:
    """The argument that names a network's file."""
    command.add_argument("network", type=Path, metavar="NET", help=NETWORK_HELP)


TAKEN = "weights taken as of"
"""What is said of a network of which a file holds the weights alone."""


def read_net(source: Path) -> ReLUNetwork:
    """The network that the argument NET, or --network, names; of weights, what they are taken for
    is said.
    """
    network, said = read_named(source)
    if TAKEN in said:
        print(said, file=sys.stderr)
    return network


def read_named(source: Path) -> tuple[ReLUNetwork, str]:
    """The network that the argument NET names, and its source in words."""
    declared_sizes(source, "NET")
    from ..comparison.own import read_own

    return read_own(source, name="NET")


def check_radius(p: float, radius: float, dimension: int | None = None) -> None:
    """Raise ValueError for balls that hold all of [0,1]^D."""
    if text := beyond_scale(p, radius, dimension):
        raise ValueError(f"--radius {radius:g}: {text}")


def check_data(name: str) -> None:
    """Raise ValueError for what names no data."""
    if name not in SHAPES and not Path(name).exists():
        raise ValueError(
            f"data must be {', '.join(SHAPES)}, or the path of a folder or tar file of images, got "
            f"{name!r}, which is no path here"
        )


def check_run(folder: Path) -> None:
    """Raise FileNotFoundError for a folder that holds no run."""
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder} holds no run (no config.json)")


def check_written(*files: Path | None) -> None:
    """Raise FileNotFoundError for a file that is to be written into a folder that is not there."""
    for file in files:
        if file is not None and not file.parent.is_dir():
            raise FileNotFoundError(f"no folder {file.parent} for {file.name}")


def add_options(command: argparse.ArgumentParser, kind: type[Settings]) -> None:
    """One option for each entry of settings that has a help; what is typed stays as words, which
    `given` reads.
    """
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if "help" not in field.metadata:
            continue
        hint, text = hints[field.name], field.metadata["help"]
        default: Any = field.default
        shape: dict[str, Any] = {"metavar": field.name.upper()[:1]}
        if hint is bool:
            shape = {"action": argparse.BooleanOptionalAction}
            default = "yes" if default else "no"
        elif get_origin(hint) is tuple:
            shape = {"metavar": "N", "nargs": "*"}
            default = " ".join(map(str, default))
        if default is not None:
            text += f" (default: {default})"
        name = f"--{field.name.replace('_', '-')}"
        command.add_argument(name, help=text, default=argparse.SUPPRESS, **shape)


def given(options: argparse.Namespace, kind: type[Settings]) -> dict[str, Any]:
    """The entries of settings that were typed, in their types. Raises ValueError that names entry,
    rule and value.
    """
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind.from_words({name: word for name, word in vars(options).items() if name in names})
