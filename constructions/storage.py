"""Networks in files: our own .safetensors (structure kept, nothing executed on loading) and plain .npz weights."""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .affine_map import Affine
from .files import replacing
from .geometry import Thresholds, read_norm
from .importing import read_onnx
from .lemma import LEMMAS, Lemma, Provenance
from .matrix import Block, Constant, Dense, Identity, Kron, Matrix, Sparse, same
from .memorization import Memorizer
from .network import ReLUNetwork
from .screening import Screen

FORMAT = 1


def save(network: ReLUNetwork, path: str | os.PathLike[str]) -> None:
    """Write a network to a .safetensors file; an existing file is replaced only once the new one is complete."""
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path must end in .safetensors, got {path}")
    tensors: dict[str, torch.Tensor] = {}
    origin = _describe_provenance(network.provenance) if network.provenance else None
    layers = _describe_layers(network, tensors)
    header = {"format": FORMAT, "layers": layers, "domain": network.domain, "provenance": origin}
    if network.screen is not None:
        header["memorizer"] = _describe_memorizer(network.screen.memorizer, tensors)
    separate = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        save_file(separate, temporary, metadata={"cgro": json.dumps(header)})


def load(path: str | os.PathLike[str]) -> ReLUNetwork:
    """Read a network: .safetensors written by `save`, .npz with n_layers, W0, b0, W1, b1, ... (b_i may be missing), or .onnx.

    An ONNX graph must be a chain of affine operations and Relu; its input is flattened, row by row. Weights are taken
    exactly (float32 is a subset of float64); code in a file is never executed. Raises FileNotFoundError, or ValueError
    that says what is wrong with the file.

    >>> import tempfile
    >>> from constructions import squaring
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     squaring(3).save(f"{folder}/square.safetensors")
    ...     load(f"{folder}/square.safetensors").size == squaring(3).size
    True
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    if path.suffix == ".npz":
        return _load_npz(path)
    if path.suffix == ".onnx":
        return read_onnx(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path must end in .safetensors, .npz or .onnx, got {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from error
    if "cgro" not in metadata:
        raise ValueError(f"{path} was not written by cgro: it describes no network")
    try:
        header = json.loads(metadata["cgro"])
        if header["format"] != FORMAT:
            raise ValueError(f"format {header['format']} is not the known format {FORMAT}")
        domain = tuple(header["domain"]) if header["domain"] else None
        origin = _build_provenance(header["provenance"]) if header["provenance"] else None
        network = ReLUNetwork(_build_layers(header["layers"], tensors), domain, origin)
        return _screened(network, header["memorizer"], tensors) if "memorizer" in header else network
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} does not describe a network: {error}") from error


def load_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """All arrays of an .npz file. What its headers announce is compared with the file's size before memory is taken for it.

    Raises ValueError for what is no .npz file of plain arrays, or cannot hold what it announces; OSError if it cannot be read.

    >>> np.savez("arrays.npz", x=np.eye(2))
    >>> load_arrays("arrays.npz")["x"].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        total = os.path.getsize(path)
        with zipfile.ZipFile(path) as archive:
            for held in archive.infolist():
                if held.compress_size > total or held.file_size > 1100 * held.compress_size:  # deflate makes 1032 of one byte
                    raise ValueError(f"{held.filename} announces {held.file_size} bytes, more than its file can hold")
                with archive.open(held) as file:
                    shape, _, dtype = headers[np.lib.format.read_magic(file)](file)
                if any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize > held.file_size:
                    raise ValueError(f"{held.filename} announces shape {shape}, more than its {held.file_size} bytes")
        with np.load(path, allow_pickle=False) as content:
            return dict(content)
    except FileNotFoundError:
        raise
    except (KeyError, EOFError, AttributeError, NotImplementedError, RuntimeError, MemoryError, SyntaxError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    except (zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise ValueError(f"no .npz file: {error}") from error


def _load_npz(path: Path) -> ReLUNetwork:
    try:
        arrays = load_arrays(path)
        count = int(arrays["n_layers"]) if "n_layers" in arrays else sum(name.startswith("W") for name in arrays)
    except (ValueError, TypeError, OSError) as error:
        raise ValueError(f"{path} is not a readable .npz file of layers: {error}") from error
    if count < 1:
        raise ValueError(f"{path} holds no layer: expected n_layers, W0, b0, W1, b1, ...")
    if f"W{count}" in arrays:
        raise ValueError(f"{path} announces {count} layers but holds W{count} too")
    layers = []
    for i in range(count):
        if f"W{i}" not in arrays:
            raise ValueError(f"{path} has no array W{i} although it announces {count} layers")
        weight = arrays[f"W{i}"]
        if weight.ndim != 2 or np.iscomplexobj(weight):
            raise ValueError(f"{path}: W{i} must be real with two axes, got {weight.dtype} of shape {weight.shape}")
        layers.append((weight, arrays.get(f"b{i}", np.zeros(len(weight))).astype(np.float64)))
    try:
        return ReLUNetwork.from_layers(layers)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} does not describe a network: {error}") from error


def structure_digest(network: ReLUNetwork) -> str:
    """SHA-256 of the layers in the form that a file keeps: equal networks in other forms have others. Time: what is stored.

    >>> from constructions import squaring
    >>> structure_digest(squaring(3)) == structure_digest(squaring(3)) != structure_digest(squaring(4))
    True
    """
    tensors: dict[str, torch.Tensor] = {}
    digest = hashlib.sha256(json.dumps(_describe_layers(network, tensors)).encode())
    for tensor in tensors.values():
        digest.update(np.ascontiguousarray(tensor.numpy()).data)
    return digest.hexdigest()


def _describe_layers(network: ReLUNetwork, tensors: dict[str, torch.Tensor]) -> list[dict[str, Any]]:
    return [{"weight": _describe(a.weight, tensors), "bias": _describe(a.bias, tensors)} for a in network.layers]


def _build_layers(trees: list[dict[str, Any]], tensors: dict[str, torch.Tensor]) -> tuple[Affine, ...]:
    return tuple(Affine(_build(a["weight"], tensors), _build(a["bias"], tensors)) for a in trees)


def _describe_memorizer(memorizer: Memorizer, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    tensors |= {"centres": memorizer.centres.entries, "labels": memorizer.labels}
    facts = {"p": str(memorizer.p), "variant": memorizer.variant, "m": memorizer.m, "bound": memorizer.bound}
    cut = {"inner": memorizer.cut.inner, "outer": memorizer.cut.outer}
    clean = {"layers": _describe_layers(memorizer.clean, tensors), "domain": memorizer.clean.domain}
    return {**facts, **cut, "clean": clean}


def _screened(network: ReLUNetwork, tree: dict[str, Any], tensors: dict[str, torch.Tensor]) -> ReLUNetwork:
    """The network with a screen, if what it is said to be made of gives exactly its layers; else an error."""
    clean = ReLUNetwork(_build_layers(tree["clean"]["layers"], tensors), tree["clean"]["domain"])
    cut = Thresholds(float(tree["inner"]), float(tree["outer"]))
    given = (read_norm(tree["p"]), cut, tree["variant"], int(tree["m"]), float(tree["bound"]))
    memorizer = Memorizer(clean, Dense(tensors["centres"], copy=False), tensors["labels"], *given)
    rebuilt = memorizer.network().layers
    pairs = zip(network.layers, rebuilt, strict=False)
    if len(rebuilt) != len(network.layers) or not all(same(a.weight, b.weight) and same(a.bias, b.bias) for a, b in pairs):
        raise ValueError("its layers are not those of the memorizer that it names")
    return replace(network, screen=Screen(memorizer, network.layers))


def _describe(matrix: Matrix, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    def keep(tensor: torch.Tensor) -> str:
        same = (name for name, kept in tensors.items() if kept is tensor)
        name = next(same, f"t{len(tensors)}")
        tensors[name] = tensor
        return name

    match matrix:
        case Identity():
            return {"form": "Identity", "size": matrix.size}
        case Constant():
            return {"form": "Constant", "rows": matrix.rows, "columns": matrix.columns, "value": matrix.value}
        case Dense():
            return {"form": "Dense", "entries": keep(matrix.entries), "shape": list(matrix.entries.shape)}
        case Sparse():
            names = [keep(t) for t in (matrix.rows, matrix.columns, matrix.values)]
            return {"form": "Sparse", "size": list(matrix.size), "tensors": names}
        case Kron():
            return {"form": "Kron", "left": _describe(matrix.left, tensors), "right": _describe(matrix.right, tensors)}
        case Block():
            return {"form": "Block", "grid": [[_describe(entry, tensors) for entry in row] for row in matrix.grid]}
    raise ValueError(f"{matrix} has no entries, so it cannot be saved")


def _build(tree: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Matrix:
    forms: dict[str, Callable[[], Matrix]] = {
        "Identity": lambda: Identity(int(tree["size"])),
        "Constant": lambda: Constant(int(tree["rows"]), int(tree["columns"]), float(tree["value"])),
        "Dense": lambda: Dense(tensors[tree["entries"]]),
        "Sparse": lambda: Sparse((int(tree["size"][0]), int(tree["size"][1])), *(tensors[name] for name in tree["tensors"])),
        "Kron": lambda: Kron(_build(tree["left"], tensors), _build(tree["right"], tensors)),
        "Block": lambda: Block(tuple(tuple(_build(entry, tensors) for entry in row) for row in tree["grid"])),
    }
    if tree["form"] not in forms:
        raise ValueError(f"unknown matrix form {tree['form']!r}")
    return forms[tree["form"]]()


def _describe_provenance(origin: Provenance) -> dict[str, Any]:
    parts = [[count, _describe_provenance(part)] for count, part in origin.parts]
    return {"lemma": origin.lemma.name if origin.lemma else None, "arguments": dict(origin.arguments), "parts": parts}


def _build_provenance(tree: dict[str, Any]) -> Provenance:
    """A statement that this version does not know keeps its name, without claims."""
    name = tree["lemma"]
    lemma = LEMMAS.get(name, Lemma(str(name), "unknown to this version of cgro", "")) if name else None
    parts = tuple((int(count), _build_provenance(part)) for count, part in tree["parts"])
    return Provenance(lemma, dict(tree["arguments"]), parts)
