"""Networks as our .safetensors files keep them: plain parts, structure kept; nothing is executed on
reading.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..basics.files import replacing
from ..basics.shapes import Labels, Points
from ..graphs.origin import Errors, Origin
from ..linear.affine import Affine
from ..linear.matrix import Block, Constant, Dense, Identity, Integers, Kron, Matrix, Sparse
from .provenance import LEMMAS, Lemma, Provenance, register_all

FORMAT = 1


@dataclass(frozen=True)
class MemorizerParts:
    """What a file keeps of the memorizer that a network is: f_clean, centres (N, D), labels (N,),
    and numbers and names.
    """

    layers: tuple[Affine, ...]
    domain: tuple[float, float] | None
    centres: Points
    labels: Labels
    facts: Mapping[str, Any]
    origin: Origin | None = None  # of f_clean


@dataclass(frozen=True)
class Parts:
    """What a file keeps of a network; memorizer: where it has a screen."""

    layers: tuple[Affine, ...]
    domain: tuple[float, float] | None
    provenance: Provenance | None
    origin: Origin | None = None
    memorizer: MemorizerParts | None = None


def write_parts(parts: Parts, path: Path) -> None:
    """Write a .safetensors file; an existing file is replaced only once the new one is complete."""
    if path.suffix != ".safetensors":
        raise ValueError(f"path must end in .safetensors, got {path}")
    tensors: dict[str, torch.Tensor] = {}
    origin = _describe_provenance(parts.provenance) if parts.provenance else None
    layers = _describe_layers(parts.layers, tensors)
    header = {"format": FORMAT, "layers": layers, "domain": parts.domain, "provenance": origin}
    if parts.origin is not None:
        header["origin"] = _describe_origin(parts.origin, tensors)
    if parts.memorizer is not None:
        header["memorizer"] = _describe_memorizer(parts.memorizer, tensors)
    separate = {
        name: tensor.clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    with replacing(path) as temporary:
        save_file(separate, temporary, metadata={"cgro": json.dumps(header)})


def read_parts(path: Path) -> Parts:
    """Read what `write_parts` wrote; raises ValueError that says what is wrong with the file."""
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
        layers = _build_layers(header["layers"], tensors)
        read_from = _build_origin(header["origin"], layers, tensors) if "origin" in header else None
        memorizer = (
            _build_memorizer(header["memorizer"], tensors) if "memorizer" in header else None
        )
        return Parts(layers, domain, origin, read_from, memorizer)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} does not describe a network: {error}") from error


def layers_digest(layers: Sequence[Affine]) -> str:
    """SHA-256 of layers in the form that a file keeps: equal layers in other forms have others.
    Time: what is stored.
    """
    tensors: dict[str, torch.Tensor] = {}
    digest = hashlib.sha256(json.dumps(_describe_layers(layers, tensors)).encode())
    for tensor in tensors.values():
        digest.update(np.ascontiguousarray(tensor.numpy()).data)
    return digest.hexdigest()


def _describe_layers(
    layers: Sequence[Affine], tensors: dict[str, torch.Tensor]
) -> list[dict[str, Any]]:
    return [
        {"weight": _describe(a.weight, tensors), "bias": _describe(a.bias, tensors)} for a in layers
    ]


def _build_layers(
    trees: list[dict[str, Any]], tensors: dict[str, torch.Tensor]
) -> tuple[Affine, ...]:
    return tuple(Affine(_build(a["weight"], tensors), _build(a["bias"], tensors)) for a in trees)


def _describe_memorizer(
    memorizer: MemorizerParts, tensors: dict[str, torch.Tensor]
) -> dict[str, Any]:
    tensors |= {"centres": memorizer.centres, "labels": memorizer.labels}
    clean: dict[str, Any] = {
        "layers": _describe_layers(memorizer.layers, tensors),
        "domain": memorizer.domain,
    }
    if memorizer.origin is not None:
        clean["origin"] = _describe_origin(memorizer.origin, tensors)
    return {**memorizer.facts, "clean": clean}


def _build_memorizer(tree: dict[str, Any], tensors: dict[str, torch.Tensor]) -> MemorizerParts:
    facts = {name: value for name, value in tree.items() if name != "clean"}
    clean = tree["clean"]
    layers = _build_layers(clean["layers"], tensors)
    origin = _build_origin(clean["origin"], layers, tensors) if "origin" in clean else None
    return MemorizerParts(
        layers, clean["domain"], tensors["centres"], tensors["labels"], facts, origin
    )


def _describe_origin(origin: Origin, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    facts = {
        name: getattr(origin, name)
        for name in ("kind", "digest", "parameters", "merged", "carried", "rounded")
    }
    pairs = [
        e and {"weight": _describe(e.weight, tensors), "bias": _describe(e.bias, tensors)}
        for e in origin.errors
    ]
    return {**facts, "errors": pairs}


def _build_origin(
    tree: dict[str, Any], layers: tuple[Affine, ...], tensors: dict[str, torch.Tensor]
) -> Origin:
    parameters, merged, carried = (int(tree[name]) for name in ("parameters", "merged", "carried"))
    rounded = tuple(map(str, tree["rounded"]))
    errors = tuple(
        e and Errors(_build(e["weight"], tensors), _build(e["bias"], tensors))
        for e in tree["errors"]
    )
    if len(errors) != len(layers):
        raise ValueError(f"its origin speaks of {len(errors)} layers, but it has {len(layers)}")
    for layer, error in zip(layers, errors, strict=True):
        if error is not None and (error.weight.shape, error.bias.shape) != (
            layer.weight.shape,
            layer.bias.shape,
        ):
            raise ValueError("its origin's errors do not have its layers' shapes")
        parts = () if error is None else (error.weight, error.bias)
        if any(bool((part.coordinates()[2] < 0).any()) for part in parts):
            raise ValueError("its origin's errors must be >= 0")
    return Origin(
        str(tree["kind"]), str(tree["digest"]), parameters, merged, carried, rounded, errors, layers
    )


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
            return {
                "form": "Constant",
                "rows": matrix.rows,
                "columns": matrix.columns,
                "value": matrix.value,
            }
        case Dense():
            return {
                "form": "Dense",
                "entries": keep(matrix.entries),
                "shape": list(matrix.entries.shape),
            }
        case Sparse():
            names = [keep(t) for t in (matrix.rows, matrix.columns, matrix.values)]
            return {"form": "Sparse", "size": list(matrix.size), "tensors": names}
        case Integers():
            width = matrix.bits // 8 + 1  # with a sign
            text = b"".join(v.to_bytes(width, "little", signed=True) for v in matrix.values)
            held = torch.from_numpy(np.frombuffer(text, dtype=np.uint8).reshape(-1, width).copy())
            names = [keep(t) for t in (matrix.rows, matrix.columns, held)]
            return {
                "form": "Integers",
                "size": list(matrix.size),
                "tensors": names,
                "exponent": matrix.exponent,
            }
        case Kron():
            return {
                "form": "Kron",
                "left": _describe(matrix.left, tensors),
                "right": _describe(matrix.right, tensors),
            }
        case Block():
            return {
                "form": "Block",
                "grid": [[_describe(entry, tensors) for entry in row] for row in matrix.grid],
            }
    raise ValueError(f"{matrix} has no entries, so it cannot be saved")


def _build(tree: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Matrix:
    forms: dict[str, Callable[[], Matrix]] = {
        "Identity": lambda: Identity(int(tree["size"])),
        "Constant": lambda: Constant(int(tree["rows"]), int(tree["columns"]), float(tree["value"])),
        "Dense": lambda: Dense(tensors[tree["entries"]]),
        "Sparse": lambda: Sparse(
            (int(tree["size"][0]), int(tree["size"][1])),
            *(tensors[name] for name in tree["tensors"]),
        ),
        "Integers": lambda: _build_integers(tree, tensors),
        "Kron": lambda: Kron(_build(tree["left"], tensors), _build(tree["right"], tensors)),
        "Block": lambda: Block(
            tuple(tuple(_build(entry, tensors) for entry in row) for row in tree["grid"])
        ),
    }
    if tree["form"] not in forms:
        raise ValueError(f"unknown matrix form {tree['form']!r}")
    return forms[tree["form"]]()


def _build_integers(tree: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Integers:
    """Integers from their bytes, little-endian with a sign."""
    rows, columns, held = (tensors[name] for name in tree["tensors"])
    if held.dtype != torch.uint8 or held.ndim != 2:
        raise ValueError("its integers must be rows of bytes")
    values = [int.from_bytes(row.tobytes(), "little", signed=True) for row in held.numpy()]
    size = int(tree["size"][0]), int(tree["size"][1])
    return Integers(size, rows, columns, tuple(values), int(tree["exponent"]))


def _describe_provenance(origin: Provenance) -> dict[str, Any]:
    parts = [[count, _describe_provenance(part)] for count, part in origin.parts]
    return {
        "lemma": origin.lemma.name if origin.lemma else None,
        "arguments": dict(origin.arguments),
        "parts": parts,
        "rows": origin.rows,
    }


def _build_provenance(tree: dict[str, Any]) -> Provenance:
    """A statement that this version does not know keeps its name, without claims."""
    name = tree["lemma"]
    if name not in LEMMAS:
        register_all()
    lemma = (
        LEMMAS.get(name, Lemma(str(name), "unknown to this version of cgro", "")) if name else None
    )
    parts = tuple((int(count), _build_provenance(part)) for count, part in tree["parts"])
    rows = tuple(
        tuple((str(name), int(count)) for name, count in each) for each in tree.get("rows", ())
    )
    return Provenance(lemma, dict(tree["arguments"]), parts, rows)
