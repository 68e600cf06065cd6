"""Options of commands made from settings, and settings read from them."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from constructions.internal import Settings

NETWORK_HELP = ".safetensors of cgro, .onnx, .onnx.gz, .nnet, or .npz (W0, b0, W1, b1, ...)"


def add_network(command: argparse.ArgumentParser) -> None:
    """The argument that names a network's file."""
    command.add_argument("network", type=Path, metavar="NET", help=NETWORK_HELP)


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
