"""ONNX files read as networks: any graph of piecewise-linear operations from one input to one
output.

Constants are computed by onnx's own reference evaluator, which also says at some points what each
node's value is. Nothing in a file is executed.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..graphs.modules import check_layers
from ..graphs.origin import Origin
from ..linear.affine import Affine
from .onnx_graph import Reader

SIZE_LIMIT = 2**31
"""Most bytes that a compressed file may unpack to."""


PROBES = 2
"""Points at which each node's value is compared with that of onnx's reference evaluator."""


def read_onnx(path: Path) -> tuple[tuple[Affine, ...], Origin]:
    """The layers of an ONNX file (.onnx or .onnx.gz), and where they come from.

    The input is taken as a whole, flattened row by row; a first axis without size is a batch of
    one. Raises ValueError that names the file and, where there is one, the node, its operation and
    the reason.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    except ImportError as error:
        raise ValueError(f"reading {path} needs the package onnx: pip install onnx") from error
    try:
        content = _bytes(path)
        model = onnx.load_model_from_string(content)
    except (DecodeError, OSError, EOFError, ValueError) as error:
        raise ValueError(f"{path} is not a readable ONNX file: {error}") from error
    digest = hashlib.sha256(content)
    try:
        _load_outside(model, path, digest)
        _check_model(model)
        return _read_model(model, digest.hexdigest())
    except (onnx.checker.ValidationError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not describe a network that can be read: {error}") from error


def _bytes(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    with gzip.open(path) as file:
        content = file.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise ValueError(f"it unpacks to more than {SIZE_LIMIT:,} bytes")
    return content


def _load_outside(model: Any, path: Path, digest: Any) -> None:
    """Read tensors that are kept in other files of the same folder."""
    from onnx import TensorProto
    from onnx.external_data_helper import load_external_data_for_tensor

    constants = (a.t for node in model.graph.node for a in node.attribute if a.HasField("t"))
    for tensor in (*model.graph.initializer, *constants):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            try:
                load_external_data_for_tensor(tensor, str(path.parent))
            except Exception as error:  # onnx raises many kinds
                raise ValueError(
                    f"tensor {tensor.name!r} keeps its data in another file: {error}"
                ) from error
            tensor.data_location = TensorProto.DEFAULT
            del tensor.external_data[:]
            digest.update(tensor.raw_data)


def _check_model(model: Any) -> None:
    import onnx

    graph = model.graph
    if not graph.node:
        raise ValueError("the graph holds no node")
    if model.functions:
        raise ValueError("the model defines functions of its own")
    if len(graph.output) != 1:
        raise ValueError(f"the graph must have one output, got {len(graph.output)}")
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if max(versions, default=0) < 7:
        raise ValueError(
            f"needs operator set 7 or newer, got {max(versions, default=0)}: "
            f"onnx.version_converter makes a newer one"
        )
    onnx.checker.check_model(model)


def _read_model(model: Any, digest: str) -> tuple[tuple[Affine, ...], Origin]:
    graph = model.graph
    reader = Reader(model)
    output = reader.read()
    points = _probes(reader.graph.nodes[0].size, reader.dtype)
    reader.compare(points)
    compiled = reader.graph.compile(output.node)
    layers = tuple(compiled.layers)
    check_layers(reader.graph, output.node, layers, points)
    trained = (
        reader.known[tensor.name] for tensor in graph.initializer if tensor.name in reader.used
    )
    numbers = sum(array.size for array in trained if array.dtype.kind == "f")
    rounded = tuple(dict.fromkeys(compiled.rounded))
    errors = tuple(compiled.errors)
    return layers, Origin(
        "ONNX file", digest, numbers, compiled.merged, compiled.carried, rounded, errors, layers
    )


def _probes(size: int, dtype: np.dtype[Any]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(PROBES, size, generator=generator, dtype=torch.float64)
    points[1::2] = torch.randn(points[1::2].shape, generator=generator, dtype=torch.float64)
    return torch.from_numpy(points.numpy().astype(dtype).astype(np.float64))
