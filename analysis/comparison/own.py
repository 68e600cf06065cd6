"""A network of the user's own: as it is, from a file or run, or from a factory."""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from constructions import ReLUNetwork, read_network
from training import Run, build_model

from .declared import (
    REMEDY,
    WEIGHTS,
    check_in_turn,
    find_own,
    layers_of,
    pickled,
    shapeless,
    unknown,
)

UNNAMED = "no activations are in the file: if yours are not ReLU, this is not your network"
"""What is said of weights."""

CHANNELS = {"lenet5": 6, "strided": 16}
"""Models that are recognised by their weights, with the channels of width 1."""


def read_own(
    source: Any, shape: Sequence[int] | None = None, name: str = "model"
) -> tuple[ReLUNetwork, str]:
    """Read a network that is to be compared or proved, and say in words where it is from.

    Args:
        source: what `read_network` reads; the folder of a run; a file of weights, .pt, .pth or
            .safetensors, of a Sequential of Linear and ReLU in turn, or of `lenet5` or `strided`;
            or "module:function", imported from the current folder, too, and called.
        shape: of one image; None where only the source says it (a run, layers of flat rows).
        name: of the argument, in messages.

    Returns:
        The network of flat rows, and its source.

    Raises:
        ValueError: that names the argument and what is wrong. Of files nothing but tensors is
            unpickled.
        FileNotFoundError: if there is no such file.
        TypeError: for a factory's result that is no network.

    Example:
        >>> net, source = read_own(nn.Linear(4, 2))
        >>> net.inputs, net.outputs, source
        (4, 2, 'Linear')
    """
    if not isinstance(source, (str, os.PathLike)):
        return read_rows(source, shape), type(source).__name__
    path = find_own(os.fspath(source), name)
    if path is None:
        return read_rows(made(str(source), name), shape), str(source)
    if path.is_dir():
        run = Run.load(path)
        return read_rows(run.model(), tuple(run.about["data"]["shape"])), str(path)
    held = weights(path, name) if path.suffix in WEIGHTS else None
    if held is None:
        return read_rows(path, shape), path.name
    model, kind = model_of(held, shape, f"{name} {path.name}")
    return read_rows(model, shape), f"{path.name}, weights taken as of {kind}, {UNNAMED}"


def called(source: Any) -> str:
    """What a network from a source is called in sentences and tables.

    >>> called("runs/mine.pt"), called("nets:mine"), called(nn.Linear(2, 1))
    ('mine.pt', 'nets:mine', 'the given Linear')
    """
    if isinstance(source, (str, os.PathLike)):
        return Path(source).name
    return f"the given {type(source).__name__}"


def read_rows(network: Any, shape: Sequence[int] | None) -> ReLUNetwork:
    """A network that takes images, or else flat rows, as one of flat rows."""
    if shape is None:
        try:
            return read_network(network)
        except TypeError as error:  # convolutions do not say the shape of an image
            raise ValueError(f"{error}; else give a run's folder or an .onnx file") from error
    try:
        return read_network(network, shape)
    except ValueError as error:
        try:
            return read_network(network, (math.prod(shape),))
        except ValueError as flat:
            raise ValueError(f"neither images nor flat rows go through: {error}; {flat}") from flat


def made(source: str, name: str) -> Any:
    """What a factory returns."""
    module, _, function = source.partition(":")
    with here_first():
        try:
            factory = getattr(importlib.import_module(module), function)
        except (ImportError, AttributeError) as error:
            raise ValueError(f"{name} {source} cannot be imported: {error}") from error
        return factory()


@contextmanager
def here_first() -> Iterator[None]:
    """The current folder is where modules are looked for, too."""
    sys.path.insert(0, os.getcwd())
    try:
        yield
    finally:
        sys.path.remove(os.getcwd())


def weights(path: Path, name: str) -> dict[str, torch.Tensor] | None:
    """The tensors of a file by their names; None for a network in this library's own format."""
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, framework="pt") as file:
                own = "cgro" in (file.metadata() or {})
                return None if own else {key: file.get_tensor(key) for key in list(file.keys())}
        except (SafetensorError, OSError) as error:
            raise ValueError(
                f"{name} {path} is not a readable safetensors file: {error}"
            ) from error
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file makes of itself, such as KeyError: 101
        raise ValueError(pickled(path, name)) from error
    if isinstance(held, Mapping) and isinstance(held.get("state_dict"), Mapping):
        held = held["state_dict"]
    if not isinstance(held, Mapping) or not all(isinstance(v, torch.Tensor) for v in held.values()):
        entries = held.items() if isinstance(held, Mapping) else ()
        inner = [f"; save its entry {key!r} alone" for key, v in entries if isinstance(v, Mapping)]
        raise ValueError(
            f"{name} {path} must hold a state_dict of tensors{''.join(inner[:1])}, or {REMEDY}"
        )
    return dict(held)


def model_of(
    held: Mapping[str, torch.Tensor], shape: Sequence[int] | None, name: str
) -> tuple[nn.Module, str]:
    """The model that weights are taken to be of, and its kind in words: weights do not say what is
    between them. Raises ValueError if no known one fits.
    """
    layers = layers_of(held)
    if layers and all(w.ndim == 2 for w in layers.values()):
        check_in_turn({key: tuple(w.shape) for key, w in layers.items()}, held, name)
        model = in_turn(layers)
        model.load_state_dict(dict(held))
        return model.eval(), "Linear and ReLU in turn"
    if shape is None:
        if not layers:
            raise ValueError(unknown(held, shape, name))
        raise ValueError(shapeless(name))
    rows = [len(w) for w in layers.values()]
    for kind, channels in CHANNELS.items() if rows else ():
        try:
            model = build_model(kind, shape, rows[-1], width=rows[0] / channels)
            model.load_state_dict(dict(held))
        except (RuntimeError, ValueError):
            continue
        return model.eval(), kind
    raise ValueError(unknown(held, shape, name))


def in_turn(layers: Mapping[str, torch.Tensor]) -> nn.Sequential:
    """Linear and ReLU in turn, numbered as a Sequential numbers them."""
    modules: list[nn.Module] = [nn.Flatten()] * int(next(iter(layers)))
    for w in layers.values():
        modules += [nn.Linear(w.shape[1], len(w), dtype=w.dtype), nn.ReLU()]
    return nn.Sequential(*modules[:-1])
