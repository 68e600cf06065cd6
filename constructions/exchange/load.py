"""Networks from files: our own .safetensors, plain .npz weights, ONNX, exported programs."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..basics.norms import read_norm
from ..classifiers.memorizer import Memorizer
from ..classifiers.screening import MemorizerScreen
from ..gadgets.indicators import Thresholds
from ..graphs.origin import Origin
from ..graphs.program_file import read_program
from ..linear.matrix import Dense, same
from ..networks.network import ReLUNetwork
from ..networks.storage import MemorizerParts, read_parts
from .arrays import load_arrays
from .nnet_import import read_nnet
from .onnx_import import read_onnx

PICKLED = (".pt", ".pth", ".ckpt", ".pkl")


def load(path: str | os.PathLike[str]) -> ReLUNetwork:
    """Read a network from a file: our own .safetensors, .npz weights, ONNX, .pt2 or .nnet.

    Weights are taken exactly (float32 is a subset of float64); what cannot be is bounded in
    `ReLUNetwork.origin`. Code in a file is never executed.

    Args:
        path: a .safetensors file written by `save`; an .npz file with n_layers, W0, b0, W1, b1, ...
            (W_i of shape (m, n), b_i of shape (m,), which may be missing); an .onnx or .onnx.gz
            file, whose graph may hold any piecewise-linear operations (its input is flattened, row
            by row); a .pt2 file of `torch.export.save` (PyTorch 2.8 or newer); or a .nnet file.

    Returns:
        A `ReLUNetwork`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: that says what is wrong with the file, also for another suffix and for files of
            pickled objects (.pt, .pth, .ckpt, .pkl).

    Example:
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
    if path.name.endswith((".onnx", ".onnx.gz")):
        found, file = read_onnx(path)
        return ReLUNetwork(found, origin=file)
    if path.suffix == ".nnet":
        found, file = read_nnet(path)
        return ReLUNetwork(found, origin=file)
    if path.suffix == ".pt2":
        return ReLUNetwork.from_module(*read_program(path))
    if path.suffix in PICKLED:
        raise ValueError(
            f"{path} may hold weights, which do not say what is between them, or pickled Python "
            f"objects, and loading those may execute code: load it yourself if you trust it and "
            f"pass the module, or export it to ONNX; of a state_dict, load it into its module, "
            f"m.load_state_dict(torch.load(path)), and save that: "
            f'read_network(m.eval()).save("net.safetensors"). cgro compare, certify and '
            f"check-certificate take weights of Linear and ReLU in turn as they are"
        )
    if path.suffix != ".safetensors":
        raise ValueError(
            f"path must end in .safetensors, .npz, .nnet, .onnx, .onnx.gz or .pt2, got {path}"
        )
    parts = read_parts(path)
    try:
        network = ReLUNetwork(parts.layers, parts.domain, parts.provenance, origin=parts.origin)
        return network if parts.memorizer is None else _screened(network, parts.memorizer)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} does not describe a network: {error}") from error


def _load_npz(path: Path) -> ReLUNetwork:
    try:
        arrays = load_arrays(path)
        count = (
            int(arrays["n_layers"])
            if "n_layers" in arrays
            else sum(name.startswith("W") for name in arrays)
        )
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
            raise ValueError(
                f"{path}: W{i} must be real with two axes, got {weight.dtype} of shape "
                f"{weight.shape}"
            )
        layers.append((weight, arrays.get(f"b{i}", np.zeros(len(weight)))))
    try:
        network = ReLUNetwork.from_layers(layers)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} does not describe a network: {error}") from error
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    numbers = sum(weight.size + np.size(bias) for weight, bias in layers)
    errors = (None,) * len(network.layers)
    origin = Origin(".npz file", digest, numbers, errors=errors, layers=network.layers)
    return replace(network, origin=origin)


def _screened(network: ReLUNetwork, parts: MemorizerParts) -> ReLUNetwork:
    """The network with a screen, if what it is said to be made of gives exactly its layers; else an
    error. Without a screen where f_clean was rounded and the file (an older one) does not say by
    how much: what is proved of its parts would not hold of what was read.
    """
    if parts.origin is None and network.origin is not None and not network.origin.is_exact:
        return network
    clean, facts = ReLUNetwork(parts.layers, parts.domain, origin=parts.origin), parts.facts
    cut = Thresholds(float(facts["inner"]), float(facts["outer"]))
    norm = read_norm(facts["p"], "p")
    given = (norm, cut, facts["variant"], int(facts["m"]), float(facts["bound"]))
    memorizer = Memorizer(clean, Dense(parts.centres, copy=False), parts.labels, *given)
    rebuilt = memorizer.network().layers
    pairs = zip(network.layers, rebuilt, strict=False)
    if len(rebuilt) != len(network.layers) or not all(
        same(a.weight, b.weight) and same(a.bias, b.bias) for a, b in pairs
    ):
        raise ValueError("its layers are not those of the memorizer that it names")
    return replace(network, screen=MemorizerScreen(memorizer, network.layers))
