"""What a file of a network declares: sizes and names, read without PyTorch and before any work, so
that what does not fit is said at once.
"""

from __future__ import annotations

import collections
import itertools
import math
import pickle
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .settings import SHAPES, CompareSettings

WEIGHTS = (".pt", ".pth", ".safetensors")
"""Files of weights, as `torch.save(model.state_dict(), file)` and safetensors write them."""

LAYERS = {"lenet5": (0, 3, 7, 9, 11), "strided": (0, 2, 5, 7)}
"""Models that are recognised by their weights, with the numbers of the layers that have some."""

READ = 2**26
"""Most bytes of a file that is read twice: before PyTorch is loaded, and where it is used."""

REMEDY = 'give a factory "module:function" that returns the model with its weights'

Shapes = Mapping[str, tuple[int, ...]]


def check_declared(settings: CompareSettings) -> None:
    """Raise what `read_own` and `compare` would raise later, as far as files and names show it.

    What cannot be told from them is left to these; nothing of a file is executed.
    """
    shape = SHAPES.get(settings.data)
    outputs = {task: {"parity": 1, "classes": 10}.get(task) for task in settings.tasks}
    found: dict[str, set[int]] = {}
    for name, source in (("model", settings.model), ("clean", settings.clean)):
        path = None if source is None else find_own(source, name)
        if path is None or not path.is_file():
            continue
        if path.suffix == ".onnx":
            sizes = onnx_sizes(path)
        else:
            held = declared_weights(path, name) if path.suffix in WEIGHTS else None
            sizes = None if held is None else sizes_of(held, shape, f"{name} {path.name}")
        if sizes is None or shape is None or None in outputs.values():
            continue
        if sizes.inputs and math.prod(shape) not in sizes.inputs:
            raise ValueError(misfit(name, math.prod(shape), max(sizes.inputs)))
        if sizes.outputs:
            found[name] = sizes.outputs
    # an axis of points may count among the numbers of an ONNX graph: each is more than one reading
    if found and not any(all(n in read for read in found.values()) for n in outputs.values()):
        given = {name: max(read) for name, read in found.items()}
        raise ValueError(unasked({task: n for task, n in outputs.items() if n}, given))


def find_own(source: str, name: str) -> Path | None:
    """The file or folder that a source names; None for `module:function`. Raises
    FileNotFoundError, and ValueError for files of pickled programs.
    """
    path = Path(source)
    if not path.exists() and ":" in source:
        return None
    if not path.exists():
        raise FileNotFoundError(
            f"{name}: no file or folder {source} (else give module:function, of a function that "
            f"returns the network)"
        )
    if path.is_file() and path.suffix in (".pt2", ".ckpt", ".pkl"):
        raise ValueError(
            f"{name} {path} holds pickled Python objects, and loading those may execute code: "
            f"export the model to ONNX, or {REMEDY}"
        )
    return path


def misfit(name: str, pixels: int, inputs: int) -> str:
    """That a network is not one of the data's images."""
    return f"{name} must have {pixels} inputs, the numbers of an image, got {inputs}"


def unasked(asked: Mapping[str, int], given: Mapping[str, int]) -> str:
    """That no task has the outputs of the networks that are given."""
    tasks = " or ".join(f"{outputs} ({task})" for task, outputs in asked.items())
    return (
        f"{' and '.join(given)} must have outputs {tasks}, got "
        + " and ".join(map(str, given.values()))
        + " (two logits: wrap them as logit[1] - logit[0])" * (2 in given.values())
    )


def pickled(path: Path, name: str) -> str:
    """That a file is no state_dict."""
    return (
        f"{name} {path} holds more than tensors, or is damaged, and loading that may execute "
        f"code: write torch.save(model.state_dict(), file), or {REMEDY}"
    )


class Sizes(NamedTuple):
    """The numbers that a network may take and give; empty where nothing says so."""

    inputs: set[int]
    outputs: set[int]


UNKNOWN = Sizes(set(), set())


def sizes_of(held: Shapes, shape: Sequence[int] | None, name: str) -> Sizes | None:
    """The sizes of the network that weights are taken to be of; raises ValueError if no known one
    has such weights.
    """
    layers = layers_of(held)
    if layers and all(len(s) == 2 for s in layers.values()):
        check_in_turn(layers, held, name)
        first, *_, last = [*layers.values(), *layers.values()]
        return Sizes({first[1]}, {last[0]})
    known = any(list(layers) == list(map(str, places)) for places in LAYERS.values())
    if not known or held.keys() != numbered(layers):
        raise ValueError(unknown(held, shape, name))
    return Sizes(set(), {list(layers.values())[-1][0]})


def layers_of(held: Mapping[str, Any]) -> dict[str, Any]:
    """Weights by their layer, in the order of its number (safetensors sorts as words: 0, 10, 2)."""
    found = {key.removesuffix(".weight"): w for key, w in held.items() if key.endswith(".weight")}
    numbers = all(key.isdigit() for key in found)
    return dict(sorted(found.items(), key=lambda item: int(item[0]))) if numbers else found


def numbered(layers: Mapping[str, Any]) -> set[str]:
    """The names of all weights of some layers."""
    return {f"{key}.{kind}" for key in layers for kind in ("weight", "bias")}


def unknown(held: Mapping[str, Any], shape: Sequence[int] | None, name: str) -> str:
    """That weights are of no known model."""
    on = "" if shape is None else f" on images of shape {tuple(shape)}"
    return (
        f"{name} holds weights {', '.join(list(held)[:4])}, ... of no known model (Linear and ReLU "
        f"in turn, {', '.join(LAYERS)}){on}: {REMEDY}"
    )


def shapeless(name: str) -> str:
    """That weights are of images of an unknown shape."""
    return (
        f"{name} holds convolutions, which do not say the shape of an image: give a run's folder "
        "or an .onnx file"
    )


def check_in_turn(layers: Shapes, held: Mapping[str, Any], name: str) -> None:
    """Raise ValueError unless these are all weights of Linear and ReLU in turn, numbered as a
    Sequential numbers them.
    """
    places = [int(key) if key.isdigit() else -1 for key in layers]
    if places != list(range(places[0], places[0] + 2 * len(places), 2)) or places[0] not in (0, 1):
        raise ValueError(
            f"{name} must be numbered as a Sequential of Linear and ReLU in turn, 0, 2, 4, ..., "
            f"got {', '.join(layers)} (a layer may be missing): {REMEDY}"
        )
    for (a, w), (b, v) in itertools.pairwise(layers.items()):
        if v[1] != w[0]:
            raise ValueError(f"{name}: layer {b} takes {v[1]} numbers, but layer {a} gives {w[0]}")
    if strange := held.keys() ^ numbered(layers):
        raise ValueError(f"{name} lacks or has too much: {', '.join(sorted(strange))}")


def declared_weights(path: Path, name: str) -> Shapes | None:
    """The shapes of a file's tensors by their names; None where that is left to PyTorch, and for a
    network in this library's own format. Raises ValueError for what it would not load.
    """
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                own = "cgro" in (file.metadata() or {})
                names = [] if own else list(file.keys())
                return {key: tuple(file.get_slice(key).get_shape()) for key in names} or None
        except (SafetensorError, OSError) as error:
            raise ValueError(
                f"{name} {path} is not a readable safetensors file: {error}"
            ) from error
    try:
        with zipfile.ZipFile(path) as archive:
            (inside,) = [held for held in archive.infolist() if held.filename[-9:] == "/data.pkl"]
            if inside.file_size > 2**24:  # far more than names take
                return None
            with archive.open(inside) as file:
                held = _Names(file).load()
    except _PickledError as error:
        raise ValueError(pickled(path, name)) from error
    except Exception:  # whatever a damaged file makes of itself
        return None
    held = held.get("state_dict", held) if isinstance(held, dict) else None
    if not isinstance(held, dict) or not all(isinstance(v, _Tensor) for v in held.values()):
        return None
    return {str(key): tensor.shape for key, tensor in held.items()}


def declared_sizes(source: Path, name: str) -> Sizes:
    """The numbers that a network may take and give, as far as its file says; ValueError and
    FileNotFoundError for what is no network. name: what the argument is called.
    """
    path = find_own(str(source), name)
    if path is None or not path.is_file():
        return UNKNOWN
    if path.suffix == ".onnx":
        return (onnx_sizes(path) if path.stat().st_size <= READ else None) or UNKNOWN
    held = declared_weights(path, name) if path.suffix in WEIGHTS else None
    if held is None:
        return UNKNOWN
    layers, named = layers_of(held), f"{name} {path.name}"
    if layers and any(len(shape) != 2 for shape in layers.values()):
        raise ValueError(shapeless(named))
    return sizes_of(held, None, named) or UNKNOWN


class _PickledError(pickle.UnpicklingError):
    """A file names what is no tensor."""


class _Tensor(NamedTuple):
    """All that is read of a tensor."""

    shape: tuple[int, ...]


def _tensor(storage: object, offset: object, shape: tuple[int, ...], *_: object) -> _Tensor:
    return _Tensor(tuple(shape))


class _Names(pickle.Unpickler):
    """Reads names and shapes of a state_dict; what else a pickle may name is not looked for."""

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        found: Any
        match module, name:
            case "collections", "OrderedDict":
                found = collections.OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                found = _tensor
            case "torch", _ if name.endswith("Storage"):
                found = _Tensor
            case _ if module in ("torch", "torch._utils", "torch.nn.parameter"):
                raise pickle.UnpicklingError(f"left to PyTorch: {module}.{name}")
            case _ if module.split(".")[0] in ("torch", "numpy", "_codecs"):
                plain = not module.startswith("torch.nn.")
                raise (pickle.UnpicklingError if plain else _PickledError)(f"{module}.{name}")
            case _:
                raise _PickledError(f"{module}.{name}")
        return found

    def persistent_load(self, key: object) -> None:
        """Numbers stay where they are."""


def onnx_sizes(path: Path) -> Sizes | None:
    """The numbers that an ONNX graph may take and give, with and without its first axis, which may
    be that of the points. None where the graph is left to its reader.
    """
    import onnx

    try:
        graph = onnx.load(path, load_external_data=False).graph
    except Exception:  # the parser's own kinds of errors
        return None
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1 or len(graph.output) != 1:
        return None
    return Sizes(*(_numbers(value) for value in (inputs[0], graph.output[0])))


def _numbers(value: Any) -> set[int]:
    axes = [axis.dim_value for axis in value.type.tensor_type.shape.dim]
    if not axes or min(axes[1:], default=1) < 1:  # an open axis that is not the first
        return set()
    return {math.prod(axes[1:]), max(axes[0], 1) * math.prod(axes[1:])}
