"""Networks in files: round trips, interrupted writes, foreign and broken files."""

import json
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import layers_of, random_network
from safetensors.torch import save_file
from torch import nn

from constructions import (
    Affine,
    Ball,
    Block,
    Constant,
    Dense,
    Identity,
    Kron,
    ReLUNetwork,
    Sparse,
    Unknown,
    affine,
    distance,
    explain,
    f_adv,
    f_S,
    load,
    localize,
    maximum,
    multiplication,
    parallel,
    source_difference,
    squaring,
)
from constructions.graphs.origin import Errors
from constructions.linear.matrix import zeros
from constructions.networks.storage import Parts, write_parts

SQUARE = Dense(torch.tensor([[1.0, -2.0], [0.5, 0.1]]))
SPARSE = Sparse((2, 2), torch.tensor([0, 1]), torch.tensor([1, 0]), torch.tensor([0.1, 3.0]))
EMPTY = Sparse((2, 2), *(torch.empty(0, dtype=torch.int64),) * 2, torch.empty(0))
FORMS = [
    Identity(2),
    Constant(2, 2, 0.3),
    SQUARE,
    SPARSE,
    EMPTY,
    Kron(SQUARE, Identity(1)),
    Block(((SQUARE, SPARSE),)),
]


def small_f_S(**options):  # noqa: N802
    return f_S(
        affine([[4.0, 0.1]], [-2.0]),
        [[0.25, 0.5], [0.75, 0.5]],
        [1, -1],
        Ball("inf", 0.125),
        **options,
    )


def assert_same(a, b):
    assert a.size == b.size
    assert a.domain == b.domain
    assert [str(layer.weight) for layer in a.layers] == [str(layer.weight) for layer in b.layers]
    for before, after in zip(layers_of(a), layers_of(b), strict=True):
        assert np.array_equal(before[0], after[0])
        assert np.array_equal(before[1], after[1])
    assert a.provenance == b.provenance
    assert explain(a) == explain(b)


@pytest.mark.parametrize("matrix", FORMS, ids=lambda matrix: type(matrix).__name__)
def test_every_form_survives(tmp_path, matrix):
    network = ReLUNetwork((Affine(matrix, Constant(2, 1, -0.7)),), (-1.0, 2.0))
    network.save(tmp_path / "a.safetensors")
    again = load(tmp_path / "a.safetensors")
    assert_same(network, again)
    assert type(again.layers[0].weight) is type(matrix)


@pytest.mark.parametrize(
    "build",
    [
        lambda: squaring(5),
        lambda: multiplication(3, 2.5),
        lambda: maximum(5),
        lambda: distance([[0.1, 0.7, 0.3]] * 2, 2, 3, shared=True),
        lambda: distance([0.1, 0.7, 0.3], "inf"),
        lambda: parallel(squaring(2), squaring(2), affine([[1.0]])),
        small_f_S,
        lambda: small_f_S(variant="paper"),
        lambda: small_f_S(variant="gate", separation=0.375),
        lambda: f_S(
            affine([[1.0], [0.5]]), [[0.25], [0.75]], [0, 1], Ball(2, 0.0625), variant="lean"
        ),
        lambda: f_adv(
            affine([[4.0]], [-2.0]),
            [[0.4375], [1.0]],
            [-1, 1],
            Ball("inf", 0.125),
            margins=[0.0625, 0.5],
        ),
        lambda: random_network(np.random.default_rng(0), (3, 4, 2)),
    ],
)
def test_networks_survive_with_structure_and_provenance(tmp_path, build):
    network = build()
    network.save(tmp_path / "a.safetensors")
    again = load(str(tmp_path / "a.safetensors"))
    assert_same(network, again)
    x = torch.rand(5, network.inputs, dtype=torch.float64)
    assert torch.equal(network(x), again(x))
    if network.provenance:
        assert type(again.provenance.arguments) is type(network.provenance.arguments)


def test_matrices_may_be_shared_within_a_network(tmp_path):
    layer = Affine(SQUARE, Constant(2, 1, 1.0))
    entries = torch.arange(8.0, dtype=torch.float64).reshape(4, 2)
    network = ReLUNetwork(
        (
            layer,
            layer,
            Affine(Dense(entries[:2]), zeros(2, 1)),
            Affine(Dense(entries[1:3]), zeros(2, 1)),
        )
    )
    network.save(tmp_path / "a.safetensors")
    assert_same(network, load(tmp_path / "a.safetensors"))


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    squaring(2).save(path)
    before = path.read_bytes()

    def interrupted(tensors, filename, metadata):
        filename.write_bytes(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr("constructions.networks.storage.save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        squaring(3).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_a_file_is_replaced(tmp_path):
    path = tmp_path / "a.safetensors"
    squaring(2).save(path)
    squaring(3).save(path)
    assert_same(load(path), squaring(3))
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_what_cannot_be_saved(tmp_path):
    with pytest.raises(ValueError, match=r"path must end in \.safetensors"):
        squaring(2).save(tmp_path / "a.pt")
    with pytest.raises(ValueError, match=r"Unknown\[2 x 2\] has no entries"):
        ReLUNetwork((Affine(Unknown(2, 2), zeros(2, 1)),)).save(tmp_path / "a.safetensors")
    assert not os.listdir(tmp_path)


# -- .npz ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("announced", [True, False])
def test_npz_weights_are_taken_exactly(tmp_path, dtype, announced):
    generator = np.random.default_rng(0)
    w0, b0, w1 = (generator.normal(size=shape).astype(dtype) for shape in ((4, 3), (4,), (2, 4)))
    extra = {"n_layers": np.array(2)} if announced else {}
    np.savez(tmp_path / "a.npz", W0=w0, b0=b0, W1=w1, **extra)  # no b1
    expected = [(w0, b0), (w1, np.zeros(2))]
    for (weight, bias), (w, b) in zip(layers_of(load(tmp_path / "a.npz")), expected, strict=True):
        assert np.array_equal(weight, w.astype(np.float64))
        assert np.array_equal(bias, b.astype(np.float64))


class Bomb:
    """Unpickling it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickled_objects_are_not_executed(tmp_path):
    witness = tmp_path / "executed"
    bombs = np.array([Bomb(witness)], dtype=object)
    np.savez(tmp_path / "a.npz", W0=bombs, b0=np.zeros(1), n_layers=1)
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Bomb(witness)))
    (tmp_path / "c.safetensors").write_bytes(pickle.dumps(Bomb(witness)))
    for name in ("a.npz", "b.npz", "c.safetensors"):
        with pytest.raises(ValueError, match="is not a readable"):
            load(tmp_path / name)
    assert not witness.exists()


def spoil(path):
    data = bytearray(path.read_bytes())
    data[60:90] = b"\xff" * 30
    path.write_bytes(data)


def broken_npz(path, kind):
    weights = {"W0": np.ones((2, 2)), "b0": np.ones(2)}
    match kind:
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("not an archive")
        case "truncated":
            np.savez(path, **weights)
            path.write_bytes(path.read_bytes()[:-60])
        case "corrupted":
            np.savez_compressed(path, W0=np.random.default_rng(0).random((50, 50)))
            spoil(path)
        case "one array":
            with path.open("wb") as file:
                np.save(file, np.ones((2, 2)))
        case "no layer":
            np.savez(path, other=np.ones(2))
        case "layer missing":
            np.savez(path, n_layers=2, **weights)
        case "vector":
            np.savez(path, W0=np.ones(2))
        case "number":
            np.savez(path, W0=np.array(1.0))
        case "text weights":
            np.savez(path, W0=np.array([["a", "b"]]))
        case "bias too long":
            np.savez(path, W0=np.ones((2, 2)), b0=np.ones(3))
        case "layers do not fit":
            np.savez(path, W0=np.ones((2, 2)), W1=np.ones((2, 3)))
        case "NaN":
            np.savez(path, W0=np.full((2, 2), np.nan))
        case "two numbers of layers":
            np.savez(path, n_layers=np.array([1, 1]), **weights)


@pytest.mark.parametrize(
    "kind",
    [
        "empty",
        "text",
        "truncated",
        "corrupted",
        "one array",
        "no layer",
        "layer missing",
        "vector",
        "number",
        "text weights",
        "bias too long",
        "layers do not fit",
        "NaN",
        "two numbers of layers",
    ],
)
def test_broken_npz_files(tmp_path, kind):
    path = tmp_path / "a.npz"
    broken_npz(path, kind)
    with pytest.raises(ValueError):  # noqa: PT011 - each kind has its own message
        load(path)


# -- .safetensors ----------------------------------------------------------------------------------


def header(**changes):
    identity = {"form": "Identity", "size": 2}
    zero = {"form": "Constant", "rows": 2, "columns": 1, "value": 0.0}
    return {
        "format": 1,
        "layers": [{"weight": identity, "bias": zero}],
        "domain": None,
        "provenance": None,
        **changes,
    }


def layer(**weight):
    return [{"weight": weight, "bias": {"form": "Constant", "rows": 2, "columns": 1, "value": 0.0}}]


def test_the_hand_written_header_is_a_network(tmp_path):
    """So that the broken headers below fail for the reason they should."""
    save_file({}, tmp_path / "a.safetensors", metadata={"cgro": json.dumps(header())})
    assert load(tmp_path / "a.safetensors")([[1.0, 2.0]]).tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize(
    "described",
    [
        "{not json",
        "[]",
        "null",
        "7",
        json.dumps(header(format=2)),
        json.dumps({"format": 1}),
        json.dumps(header(layers=[])),
        json.dumps(header(layers=7)),
        json.dumps(header(layers=[{}])),
        json.dumps(header(layers=layer(form="Wavelet"))),
        json.dumps(header(layers=layer(form="Identity"))),
        json.dumps(header(layers=layer(form="Identity", size="two"))),
        json.dumps(header(layers=layer(form="Identity", size=3))),
        json.dumps(header(layers=layer(form="Constant", rows=2, columns=2, value=float("nan")))),
        json.dumps(header(layers=layer(form="Dense", entries="missing"))),
        json.dumps(header(layers=layer(form="Dense", entries="vector"))),
        json.dumps(
            header(layers=layer(form="Sparse", size=[2, 2], tensors=["rows", "rows", "vector"]))
        ),
        json.dumps(header(layers=layer(form="Sparse", size=[2, 2], tensors=["rows"]))),
        json.dumps(header(layers=layer(form="Sparse", size=[2], tensors=["rows", "rows", "rows"]))),
        json.dumps(header(layers=layer(form="Kron", left={"form": "Identity", "size": 2}))),
        json.dumps(header(layers=layer(form="Block", grid=[]))),
        json.dumps(header(domain=[1.0])),
        json.dumps(header(domain=[1.0, 0.0])),
        json.dumps(header(domain=3)),
        json.dumps(header(provenance={"lemma": "squaring"})),
        json.dumps(header(provenance={"lemma": None, "arguments": 3, "parts": []})),
        json.dumps(header(provenance={"lemma": None, "arguments": {}, "parts": [[1]]})),
    ],
)
def test_headers_that_describe_no_network(tmp_path, described):
    path = tmp_path / "a.safetensors"
    save_file(
        {"rows": torch.tensor([0, 5]), "vector": torch.ones(2)}, path, metadata={"cgro": described}
    )
    with pytest.raises(ValueError, match=r"a\.safetensors does not describe a network"):
        load(path)


def test_unreadable_safetensors_files(tmp_path):
    path = tmp_path / "a.safetensors"
    small_f_S().save(path)
    whole = path.read_bytes()
    for part in (b"", whole[:4], whole[:100], whole[:-8], b"\xff" * 100):
        path.write_bytes(part)
        with pytest.raises(ValueError, match=r"a\.safetensors is not a readable safetensors file"):
            load(path)
    save_file({"weight": torch.ones(2)}, path)
    with pytest.raises(ValueError, match="was not written by cgro"):
        load(path)


def test_unknown_statements_keep_their_name(tmp_path):
    origin = {"lemma": "from_the_future", "arguments": {"m": 3}, "parts": []}
    save_file(
        {}, tmp_path / "a.safetensors", metadata={"cgro": json.dumps(header(provenance=origin))}
    )
    network = load(tmp_path / "a.safetensors")
    assert network.provenance.title == "from_the_future(m=3)"
    assert not network.provenance.lemma.claims


def test_missing_files_and_other_suffixes(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        load(tmp_path / "missing.safetensors")
    with pytest.raises(FileNotFoundError, match="no file"):
        load(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"")
    with pytest.raises(
        ValueError,
        match=r"path must end in \.safetensors, \.npz, \.nnet, \.onnx, \.onnx\.gz or \.pt2, got",
    ):
        load(tmp_path / "a.txt")
    (tmp_path / "a.pt").write_bytes(b"")
    with pytest.raises(ValueError, match="or pickled Python objects"):
        load(tmp_path / "a.pt")


def rounded_clean() -> ReLUNetwork:
    norm = nn.BatchNorm1d(2, affine=False).double().eval()
    norm.running_var.copy_(torch.tensor([0.3, 0.7]))
    line = nn.Linear(2, 1).double()
    return ReLUNetwork.from_module(nn.Sequential(norm, nn.ReLU(), line))


def test_what_localizes_a_saved_network_says_what_was_rounded(tmp_path):
    """f_S of an f_clean with batch normalization, saved and loaded, near and far from its balls."""
    points = [[0.25, 0.5], [0.75, 0.5]]
    network = f_S(rounded_clean(), points, [1, -1], Ball("inf", 0.125))
    network.save(tmp_path / "f.safetensors")
    again = load(tmp_path / "f.safetensors")
    for place in (points[0], [0.5, 0.0]):
        ((_, local),) = localize(again, [place])
        ((_, known),) = localize(network, [place])
        assert local.origin is not None
        bound = source_difference(local, (0.0, 1.0))
        assert bool((bound > 0).all())
        assert torch.equal(bound, source_difference(known, (0.0, 1.0)))


def test_files_that_do_not_say_what_was_rounded_of_f_clean_have_no_screen(tmp_path):
    points = [[0.25, 0.5], [0.75, 0.5]]
    network = f_S(rounded_clean(), points, [1, -1], Ball("inf", 0.125))
    kept = replace(network.screen.parts(), origin=None)
    parts = Parts(network.layers, network.domain, network.provenance, network.origin, kept)
    write_parts(parts, tmp_path / "f.safetensors")
    again = load(tmp_path / "f.safetensors")
    assert again.screen is None
    ((_, whole),) = localize(again, points)
    assert bool((source_difference(whole, (0.0, 1.0)) > 0).all())


def test_negative_errors_are_refused(tmp_path):
    clean = rounded_clean()
    errors = [e and Errors(-e.weight, e.bias) for e in clean.origin.errors]
    origin = replace(clean.origin, errors=tuple(errors))
    write_parts(Parts(clean.layers, None, None, origin), tmp_path / "f.safetensors")
    with pytest.raises(ValueError, match=">= 0"):
        load(tmp_path / "f.safetensors")
