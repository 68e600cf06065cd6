"""Exported programs (.pt2), read from their files as JSON and numbers: nothing is unpickled but
tensors, and no operation is run but those that are known.
"""

from __future__ import annotations

import io
import json
import math
import operator
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import fx, nn

from .torch_operations import HANDLERS

COMPOSITES = {
    *("conv1d", "conv2d", "conv3d", "batch_norm", "dropout", "pad", "prelu", "relu6", "to"),
    *("sym_size", "stack", "max_pool2d", "max_pool3d", "adaptive_avg_pool2d"),
    "adaptive_avg_pool3d",
}
"""Operations of which PyTorch makes those that are read."""

DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}
"""By their numbers in the files."""

PLAIN: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float, int), "bool": (bool,)}
"""Arguments that are what they say; also lists of them."""

Read = Callable[[str], bytes]


def read_program(path: Path) -> tuple[fx.GraphModule, tuple[int, ...] | None]:
    """A module that computes what an exported program does, and the shape of one input; None where
    the file leaves it open.

    Raises ValueError that says what is wrong, or not read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "serialized_exported_program.json" in names:
                raise ValueError("an older PyTorch wrote it: export it again, with 2.8 or newer")
            model = "/models/model.json"
            (root,) = [name.removesuffix(model) for name in names if name.endswith(model)]

            def read(name: str) -> bytes:
                entry = archive.getinfo(f"{root}/{name}")
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(f"{name} is compressed")
                return archive.read(entry)

            if read("byteorder") != b"little":
                raise ValueError("its numbers are not little-endian")
            return _module(json.loads(read("models/model.json")), read)
    except (
        *(zipfile.BadZipFile, OSError, EOFError, ArithmeticError, RecursionError, UnpicklingError),
        *(KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError),
    ) as error:
        raise ValueError(f"{path} is no exported program that is read here: {error}") from error


def _module(content: dict[str, Any], read: Read) -> tuple[fx.GraphModule, tuple[int, ...] | None]:
    facts = content["graph_module"]
    held = {
        name: (folder, entry)
        for folder, file in (("weights", "model_weights"), ("constants", "model_constants"))
        for name, entry in json.loads(read(f"data/{folder}/{file}_config.json"))["config"].items()
    }
    root, graph, values = nn.Module(), fx.Graph(), dict[str, fx.Node]()
    shapes = []
    for i, spec in enumerate(facts["signature"]["input_specs"]):
        ((kind, given),) = spec.items()
        if kind == "user_input":
            name = given["arg"]["as_tensor"]["name"]
            values[name] = graph.placeholder("x")
            shapes.append(_shape(facts["graph"]["tensor_values"][name]["sizes"][1:]))
        elif kind in ("parameter", "buffer", "tensor_constant"):
            folder, entry = held[given[f"{kind}_name"]]
            tensor = _tensor(entry, read(f"data/{folder}/{entry['path_name']}"))
            if kind == "parameter":
                root.register_parameter(f"w{i}", nn.Parameter(tensor, requires_grad=False))
            else:
                root.register_buffer(f"w{i}", tensor)
            values[given["arg"]["name"]] = graph.get_attr(f"w{i}")
        else:
            raise ValueError(f"it takes a {kind}")
    if len(shapes) != 1:
        raise ValueError(f"it must take one tensor, got {len(shapes)}")
    for node in facts["graph"]["nodes"]:
        _add(graph, values, node)
    outputs = facts["signature"]["output_specs"]
    if [*map(list, outputs)] != [["user_output"]]:
        kinds = ", ".join(kind for spec in outputs for kind in spec)
        raise ValueError(f"it must give one tensor and change nothing (module.eval()), got {kinds}")
    graph.output(values[outputs[0]["user_output"]["arg"]["as_tensor"]["name"]])
    return fx.GraphModule(root, graph).eval(), shapes[0]


def _shape(sizes: list[dict[str, Any]]) -> tuple[int, ...] | None:
    return tuple(int(n["as_int"]) for n in sizes) if all("as_int" in n for n in sizes) else None


def _tensor(entry: dict[str, Any], data: bytes) -> torch.Tensor:
    """The tensor of an entry and its bytes."""
    meta = entry["tensor_meta"]
    if entry["use_pickle"]:
        found = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        if not isinstance(found, torch.Tensor):
            raise ValueError(f"{entry['path_name']} is no tensor")
        return found
    sizes, strides = ([int(n["as_int"]) for n in meta[name]] for name in ("sizes", "strides"))
    dtype = DTYPES[meta["dtype"]]
    if not data:
        return torch.empty(sizes, dtype=dtype)
    flat = torch.frombuffer(bytearray(data), dtype=dtype)
    if min(sizes, default=0) < 0 or math.prod(sizes) > len(flat):
        raise ValueError(f"{entry['path_name']} holds {len(flat)} numbers, not those of {sizes}")
    return flat.as_strided(sizes, strides, int(meta["storage_offset"]["as_int"])).clone()


def _add(graph: fx.Graph, values: dict[str, fx.Node], node: dict[str, Any]) -> None:
    """One operation, with what it gives; none for those that only check."""
    if not node["outputs"]:
        return
    target = node["target"]
    named = re.fullmatch(r"torch\.ops\.aten\.(\w+)\.(\w+)", target, re.ASCII)
    if named is None or named[1].removesuffix("_") not in HANDLERS.keys() | COMPOSITES:
        raise ValueError(
            f"the operation {target} is not known: if you trust the file, pass "
            f"torch.export.load(path) to read_network, or export the module to ONNX"
        )
    operation = getattr(getattr(torch.ops.aten, named[1]), named[2])
    arguments = [_argument(each["arg"], values) for each in node["inputs"] if each["kind"] == 1]
    options = {
        each["name"]: _argument(each["arg"], values) for each in node["inputs"] if each["kind"] != 1
    }
    # a graph becomes code: no text of a file may come into it
    if not options.keys() <= {known.name for known in operation._schema.arguments}:
        raise ValueError(f"the operation {target} has no options {', '.join(map(repr, options))}")
    made = graph.call_function(operation, tuple(arguments), options)
    ((kind, first), *others) = [item for given in node["outputs"] for item in given.items()]
    if kind == "as_tensors" or others:
        parts = first if kind == "as_tensors" else [first, *(each for _, each in others)]
        for i, part in enumerate(parts):
            values[part["name"]] = graph.call_function(operator.getitem, (made, i))
    else:
        values[first["name" if kind == "as_tensor" else "as_name"]] = made


def _argument(given: dict[str, Any], values: dict[str, fx.Node]) -> Any:
    """An argument of an operation: numbers, what other operations gave, and lists of these."""
    ((kind, value),) = given.items()
    kind = kind.removeprefix("as_")
    one = kind.removesuffix("s")
    if kind == "none":
        return None
    if kind == "tensor":
        return values[value["name"]]
    if kind in ("tensors", "sym_ints"):
        return [_argument({f"as_{one}": each}, values) for each in value]
    if kind == "sym_int":
        return values[value["as_name"]] if "as_name" in value else int(value["as_int"])
    if kind == "scalar_type":
        return DTYPES[value]
    each = value if kind != one else [value]
    if one not in PLAIN or not all(isinstance(v, PLAIN[one]) for v in each):
        raise ValueError(f"an argument {kind} of an operation is not read")
    return value
