"""Exported networks and queries: equal values in ONNX Runtime, exact round trips, and errors that
say where.
"""

import importlib.util
import itertools
import math
import os
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import TOLERANCE, knots, layers_of, random_network
from torch import nn

from constructions import (
    Affine,
    Ball,
    Conjunct,
    Constant,
    Constraint,
    Identity,
    Property,
    ReLUNetwork,
    absolute,
    affine,
    distance,
    f_adv,
    f_S,
    gate,
    lean_indicator,
    load,
    maximum,
    multiplication,
    parallel,
    read_property,
    soft_indicator,
    squaring,
    tooth,
    write_onnx,
    write_vnnlib,
    yarotsky_multiplication,
)
from constructions.linear.matrix import zeros

LINE = ([[0.25], [0.75]], [1, -1])
PLANE = ([[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball("inf", 0.125))
RNG = np.random.default_rng(0)
NETWORKS = {
    "absolute": absolute(),
    "tooth": tooth(3),
    "squaring": squaring(5),
    "multiplication": multiplication(3, 2.5),
    "yarotsky_multiplication": yarotsky_multiplication(3, 2.0),
    "maximum": maximum(5),
    "gate": gate(2.0),
    "distance, inf": distance([0.1, 0.7, 0.3], "inf"),
    "distance, 2": distance([[0.1, 0.7, 0.3]] * 2, 2, 3, shared=True),
    "soft_indicator": soft_indicator(0.25, 0.5),
    "lean_indicator": lean_indicator([0.25, 0.5], 0.125, 0.25),
    "parallel": parallel(squaring(2), squaring(4), affine([[1.0]])),
    "f_S, lean": f_S(affine([[4.0, 0.1]], [-2.0]), *PLANE),
    "f_S, gate": f_S(affine([[4.0, 0.1]], [-2.0]), *PLANE, variant="gate"),
    "f_S, paper": f_S(affine([[4.0, 0.1]], [-2.0]), *PLANE, variant="paper"),
    "f_S, classes": f_S(affine([[1.0], [0.5], [0.1]]), LINE[0], [0, 2], Ball(2, 0.0625)),
    "f_adv": f_adv(
        affine([[4.0]], [-2.0]),
        [[0.4375], [1.0]],
        [-1, 1],
        Ball("inf", 0.125),
        margins=[0.0625, 0.5],
    ),
    "random": random_network(RNG, (3, 7, 6, 4)),
    "depth 0": random_network(RNG, (4, 3)),
    "width 1": random_network(RNG, (2, 1, 1, 1), sparsity=0.0),
    "one of everything": random_network(RNG, (1, 1), sparsity=0.0),
    "no weight": ReLUNetwork.from_layers(
        [(np.zeros((2, 3)), np.zeros(2)), (np.zeros((1, 2)), [0.0])]
    ),
    "full float64": ReLUNetwork.from_layers(
        [(RNG.normal(size=s), RNG.normal(size=s[0])) for s in ((9, 5), (8, 9), (3, 8))]
    ),
}


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def values(path, points, dtype):
    run = session(path).run
    return np.concatenate(
        [run(["output"], {"input": point[None].astype(dtype)})[0] for point in points]
    ).astype(np.float64)


def some_points(network, dtype, count=40):
    low, high = np.clip(network.domain or (-2.0, 2.0), -2.0, 2.0)
    points = (
        np.random.default_rng(1)
        .uniform(low, high, (count, network.inputs))
        .astype(dtype)
        .astype(np.float64)
    )
    return np.concatenate(
        [points, np.full((1, network.inputs), low), np.full((1, network.inputs), high)]
    )


def same_layers(a, b):
    pairs = zip(layers_of(a), layers_of(b), strict=True)
    return all(
        np.array_equal(v, w) for before, after in pairs for v, w in zip(before, after, strict=True)
    )


# -- ONNX ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_other_programs_compute_the_same(tmp_path, name, dtype):
    """Within 1e-12 (float64) or 2e-5 (float32) of max(1, |value|), with the weights that the file
    holds.
    """
    network, path = NETWORKS[name], tmp_path / "a.onnx"
    held = write_onnx(network, path, dtype=dtype, round=dtype == "float32")
    if dtype == "float64" or same_layers(held, network):
        assert held is network
    assert same_layers(load(path), held)
    points = some_points(network, dtype)
    expected = held(points).numpy()
    assert held.domain == network.domain
    error = np.abs(values(path, points, dtype) - expected) / np.maximum(1, np.abs(expected))
    assert error.max() <= TOLERANCE[getattr(torch, dtype)]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_plainest_form(tmp_path, dtype):
    network = random_network(RNG, (3, 5, 4, 2))
    write_onnx(network, tmp_path / "a.onnx", dtype=dtype)
    model = onnx.load(tmp_path / "a.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, [(o.domain, o.version) for o in model.opset_import]) == (
        8,
        [("", 13)],
    )
    assert [node.op_type for node in model.graph.node] == ["Gemm", "Relu", "Gemm", "Relu", "Gemm"]
    assert not any(node.attribute for node in model.graph.node)
    shapes = [[3, 5], [5], [5, 4], [4], [4, 2], [2]]
    assert [list(tensor.dims) for tensor in model.graph.initializer] == shapes
    kind = onnx.TensorProto.DOUBLE if dtype == "float64" else onnx.TensorProto.FLOAT
    assert {tensor.data_type for tensor in model.graph.initializer} == {kind}
    ends = [
        (v.name, v.type.tensor_type.elem_type, [d.dim_value for d in v.type.tensor_type.shape.dim])
        for v in (*model.graph.input, *model.graph.output)
    ]
    assert ends == [("input", kind, [1, 3]), ("output", kind, [1, 2])]


def test_modules_are_exported_too(tmp_path):
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    write_onnx(module, str(tmp_path / "a.onnx"))
    points = some_points(ReLUNetwork.from_module(module), "float32")
    expected = module(torch.tensor(points).float()).detach().numpy()
    assert (
        np.abs(values(tmp_path / "a.onnx", points, "float32") - expected).max()
        <= TOLERANCE[torch.float32]
    )


def test_weights_that_float32_cannot_hold(tmp_path):
    path, network = (
        tmp_path / "a.onnx",
        ReLUNetwork.from_layers([([[0.5, 1.0]], [2.0]), ([[1.0], [0.1]], [0.0, 2.0])]),
    )
    with pytest.raises(
        ValueError,
        match=r"layer 1, weight, entry \(1, 0\): 0\.1 is no float32 number: write float64",
    ):
        write_onnx(network, path)
    held = write_onnx(network.restrict((0.0, 1.0)), path, round=True)
    assert held.layers[1].weight.to_dense()[1, 0].item() == float(np.float32(0.1))
    assert (held.domain, held.provenance) == ((0.0, 1.0), None)
    for value in (5e-324, 1e300, 1 + 2.0**-24, 2.0**-150):
        with pytest.raises(ValueError, match=r"layer 0, bias, entry 1: .* is no float32"):
            write_onnx(affine([[1.0], [1.0]], [0.0, value]), path)
    with pytest.raises(
        ValueError,
        match=r"layer 0, bias, entry 0: -1e\+300 would become infinite in float32: write float64",
    ):
        write_onnx(affine([[1.0]], [-1e300]), path, round=True)
    with pytest.raises(
        ValueError,
        match=r"layer 0, weight, entry \(1, 0\): -1e-60 would become 0 in float32: write float64",
    ):
        write_onnx(affine([[0.0], [-1e-60]]), path, round=True)
    assert write_onnx(affine([[1e-42]]), path, round=True).layers[
        0
    ].weight.to_dense().item() == float(np.float32(1e-42))
    assert write_onnx(affine([[2.0**-149]], [2.0**127]), path).outputs == 1
    assert write_onnx(affine([[5e-324]], [1e308]), path, dtype="float64").outputs == 1
    assert same_layers(load(path), affine([[5e-324]], [1e308]))


def test_onnx_arguments(tmp_path):
    for network, path, dtype, message in (
        (squaring(2), "a.pt", "float32", r"path must end in \.onnx"),
        (squaring(2), "a.onnx", "float16", "dtype must be 'float32' or 'float64', got 'float16'"),
        (
            ReLUNetwork((Affine(Constant(2**14, 2**14), zeros(2**14, 1)),)),
            "a.onnx",
            "float32",
            "the limit is",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            write_onnx(network, tmp_path / path, dtype=dtype)
    with pytest.raises(FileNotFoundError, match=r"no folder .*missing for a\.onnx"):
        write_onnx(squaring(2), tmp_path / "missing" / "a.onnx")
    size = sympy.Symbol("n", integer=True, positive=True)
    for wrong in ([1.0], None):
        with pytest.raises(TypeError, match=r"network must be a ReLUNetwork .* got"):
            write_onnx(wrong, tmp_path / "a.onnx")
    with pytest.raises(TypeError, match="symbolic size"):
        write_onnx(ReLUNetwork((Affine(Identity(size), zeros(size, 1)),)), tmp_path / "a.onnx")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.onnx", lambda path: write_onnx(squaring(2), path)),
        ("a.vnnlib", lambda path: write_vnnlib(path, ([0.5], [1.0]), 1)),
    ],
)
def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch, name, write):
    path = tmp_path / name
    path.write_bytes(b"old")

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [path.name]
    write(path)
    assert path.read_bytes() != b"old"
    assert os.listdir(tmp_path) == [path.name]


def test_files_are_reproducible(tmp_path):
    for name in ("a.onnx", "b.onnx"):
        write_onnx(squaring(4), tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_malformed_exports_name_the_node(tmp_path):
    path = tmp_path / "a.onnx"
    write_onnx(random_network(RNG, (3, 5, 2)), path)

    def broken(change):
        model = onnx.load(path)
        change(model.graph)
        (tmp_path / "b.onnx").write_bytes(model.SerializeToString())
        return tmp_path / "b.onnx"

    def infinite(graph):
        graph.initializer[2].CopyFrom(
            onnx.numpy_helper.from_array(np.full((5, 2), np.inf, np.float32), "weight_1")
        )

    for change, message in (
        (
            lambda g: setattr(g.node[1], "op_type", "Tanh"),
            r"b\.onnx .*node 'relu_0' \(Tanh\) is none of",
        ),
        (
            lambda g: g.node[2].attribute.append(onnx.helper.make_attribute("transA", 1)),
            r"node 'gemm_1' \(Gemm\).*transA=0",
        ),
        (
            lambda g: g.node[2].attribute.append(onnx.helper.make_attribute("transB", 1)),
            r"node 'gemm_1' \(Gemm\): ",
        ),
        (
            lambda g: g.node[2].input.__setitem__(0, "input"),
            r"node 'gemm_1' \(Gemm\): takes 5 numbers along the last axis, got values of shape "
            r"\(1, 3\)",
        ),
        (infinite, r"node 'gemm_1' \(Gemm\): weight must be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            load(broken(change))


# -- VNN-LIB ---------------------------------------------------------------------------------------

AWKWARD = [
    0.0,
    -0.0,
    1.0,
    0.1,
    -0.1,
    5e-324,
    -5e-324,
    2.0**-149,
    1e308,
    -1e308,
    1 / 3,
    2.0**-1074 * 3,
    1e-5,
    123456789.125,
    1e22,
]


def box_of(numbers):
    return sorted(numbers), [max(numbers)] * len(numbers)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize(("outputs", "target"), [(1, 1), (1, -1), (2, 0), (2, 1), (4, 0), (4, 3)])
def test_queries_survive(tmp_path, version, outputs, target):
    path, network = tmp_path / "a.vnnlib", affine(np.ones((outputs, len(AWKWARD))))
    lower, upper = box_of(AWKWARD)
    write_vnnlib(path, (lower, upper), target, version=version, network=network)
    asked = read_property(path)
    exact = [tuple(Fraction(v) for v in side) for side in (lower, upper)]
    rivals = (
        [((0, -target),)]
        if outputs == 1
        else [tuple(sorted({k: 1, target: -1}.items())) for k in range(outputs) if k != target]
    )
    constraints = [
        (Constraint((), tuple((k, Fraction(v)) for k, v in rival), Fraction(0)),)
        for rival in rivals
    ]
    expected = [Conjunct(*exact, each) for each in constraints]
    assert asked == Property.of(len(AWKWARD), outputs, expected)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4),
    st.sampled_from(["1.0", "2.0"]),
)
def test_literals_are_exact(tmp_path_factory, numbers, version):
    path = tmp_path_factory.getbasetemp() / "literals.vnnlib"
    write_vnnlib(path, (numbers, numbers), 1, version=version)
    (part,) = read_property(path).conjuncts
    assert part.lower == part.upper == tuple(Fraction(v) for v in numbers)
    written = [
        line.split()[-1].rstrip(")")
        for line in path.read_text().splitlines()
        if "(assert (>=" in line
    ]
    assert [Decimal(text) for text in written] == [Decimal(v) for v in numbers]
    assert all(set(text) <= set("-.0123456789") and "." in text for text in written)


def test_other_numbers(tmp_path):
    path = tmp_path / "a.vnnlib"
    third = np.float32(0.1)
    for given_, exact in (
        ([Fraction(1, 10), Fraction(-3, 40), 7], [Fraction(1, 10), Fraction(-3, 40), Fraction(7)]),
        (np.array([0.1, 2.0], np.float32), [Fraction(float(third)), Fraction(2)]),
        (torch.tensor([[0.5, 0.25]]).reshape(-1), [Fraction(1, 2), Fraction(1, 4)]),
        (
            [third, np.float64(0.3), np.int64(1)],
            [Fraction(float(third)), Fraction(0.3), Fraction(1)],
        ),
        ([Fraction(1, 2**3990), 10**3990], [Fraction(1, 2**3990), Fraction(10**3990)]),
    ):
        write_vnnlib(path, (given_, given_), 1)
        assert list(read_property(path).conjuncts[0].lower) == exact


def test_query_arguments(tmp_path):
    path, three = tmp_path / "a.vnnlib", affine(np.ones((3, 2)))
    for lower, upper, target, options, message in (
        (
            [0.0, Fraction(1, 3)],
            [1.0, 1.0],
            1,
            {},
            r"box\[0\]\[1\] must have a finite decimal expansion .* got 1/3",
        ),
        ([0.0], [Fraction(5, 7)], 1, {}, r"box\[1\]\[0\] must have a finite decimal"),
        (
            [0.0],
            [Fraction(1, 2**5000)],
            1,
            {},
            r"box\[1\]\[0\] must have at most 4,000 decimal digits",
        ),
        ([0.0], [10**5000], 1, {}, r"box\[1\]\[0\] must have at most 4,000 decimal digits"),
        ([0.0, math.nan], [1.0, 1.0], 1, {}, r"box\[0\] must be finite, got nan at index 1"),
        ([0.0], [math.inf], 1, {}, r"box\[1\] must be finite, got inf at index 0"),
        (
            [0.0, 0.5],
            [1.0, 0.25],
            1,
            {},
            "box must have lower <= upper .*, got 0.5 > 0.25 at index 1",
        ),
        ([0.0] * 3, [1.0, 1.0], 1, {}, "box must have as many numbers a corner"),
        ([], [], 1, {}, "box must have as many numbers a corner, at least one, got 0 and 0"),
        ([0.0], [1.0], 0, {}, "label must be -1 or 1, got 0"),
        ([0.0], [1.0], True, {}, "label must be -1 or 1, got True"),
        ([0.0], [1.0], 1, {"version": "3.0"}, "version must be '1.0' or '2.0', got '3.0'"),
        ([0.0, 0.0], [1.0, 1.0], 3, {"network": three}, r"label must be one of 0\.\.2, got 3"),
        ([0.0] * 3, [1.0], 1, {"network": three}, "box must have one number or 2 a corner"),
        (
            [0.0],
            [1.5],
            1,
            {"network": squaring(2)},
            r"must lie in the network's domain \[0.0, 1.0\], got \[0, 3/2\] at index 0",
        ),
        (
            [0.0],
            [1.0],
            2,
            {},
            "label must be -1 or 1, got 2; pass network for labels of K outputs",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            write_vnnlib(path, (lower, upper), target, **options)
    with pytest.raises(
        TypeError,
        match=r"box\[0\] must be a row of floats, integers or Fractions, got 'a' at index 0",
    ):
        write_vnnlib(path, (["a"], [1.0]), 1)
    for target in (1.0, None, [1]):
        with pytest.raises(TypeError, match="label must be an integer, got"):
            write_vnnlib(path, ([0.0, 0.0], [1.0, 1.0]), target, network=three)
    with pytest.raises(
        TypeError, match=r"network must be a ReLUNetwork .*from_module reads modules.*, got Linear"
    ):
        write_vnnlib(path, ([0.0], [1.0]), 1, network=nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"path must end in \.vnnlib"):
        write_vnnlib(tmp_path / "a.txt", ([0.0], [1.0]), 1)
    assert not os.listdir(tmp_path)


# -- the instances of benchmarks/instances.py ------------------------------------------------------


@pytest.fixture(scope="module")
def instances(tmp_path_factory):
    spec = importlib.util.spec_from_file_location(
        "instances", Path(__file__).parents[3] / "benchmarks" / "instances.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folders = [tmp_path_factory.mktemp("instances") for _ in range(2)]
    rows, again = (module.write(folder, max_m=3) for folder in folders)
    assert rows == again
    files = sorted(path.relative_to(folders[0]) for path in folders[0].rglob("*.*"))
    assert all(
        (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes() for file in files
    )
    return folders[0], rows


def test_the_ladder_has_the_answers_it_claims(instances):
    """From the files: all kinks of the network, exactly."""
    folder, rows = instances
    ladder = [row for row in rows if "ladder" in row[0]]
    assert len(ladder) == 3 * 2 * 5
    for file, query, answer in ladder:
        network, asked = load(folder / file), read_property(folder / query)
        (part,) = asked.conjuncts
        violated = any(
            asked.violated([x], [value])
            for x, value in knots(network, part.lower[0], part.upper[0])
        )
        assert answer == ("sat" if violated else "unsat"), query


def test_ties_and_balls_have_the_answers_they_claim(instances):
    """Two inputs: on the whole grid that holds the centre. Else, if unsat: at all corners of the
    box, and in its middle.
    """
    folder, rows = instances
    others = [row for row in rows if "ladder" not in row[0]]
    assert {answer for *_, answer in others} == {"sat", "unsat"}
    for file, query, answer in others:
        network, asked = load(folder / file), read_property(folder / query)
        part = asked.conjuncts[0]
        ends = list(zip(part.lower, part.upper, strict=True))
        if network.inputs <= 2 and "tie" in query:
            axis = torch.arange(257, dtype=torch.float64) / 256  # dyadic, so float64 is exact
            found = network(
                torch.cartesian_prod(*[axis] * network.inputs).reshape(-1, network.inputs)
            ).numpy()
            assert (answer == "sat") == any(
                asked.violated(part.lower, value) for value in np.unique(found, axis=0).tolist()
            ), query
        elif answer == "unsat":
            points = [*itertools.product(*ends), [(low + high) / 2 for low, high in ends]]
            assert not any(asked.violated(p, network.exact(list(p))) for p in points), query


def test_instances_are_listed_as_the_competition_does(instances):
    folder, rows = instances
    lines = (folder / "instances.csv").read_text().splitlines()
    assert lines == [f"{file},{query},60" for file, query, _ in rows]
    assert (folder / "answers.csv").read_text().splitlines()[0] == "onnx,vnnlib,answer"
    for line in lines:
        assert all((folder / name).is_file() for name in line.split(",")[:2])
