"""ONNX files read as networks: the values of onnx's reference evaluator and of onnxruntime; errors
that name the node.
"""

import gzip
import os
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from analysis import certify_box
from constructions import interval_bounds, load, source_difference

RNG = np.random.default_rng(0)


def numbers(*shape):
    return RNG.normal(size=shape)


def model_of(
    nodes, shape, batch="N", dtype=np.float64, outputs=("y",), opset=18, dims=None, domains=()
):
    """A model from (operation, inputs, output, options); arrays among the inputs become
    initializers.
    """
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    tensors, built = [], []
    for i, (operation, inputs, output, *options) in enumerate(nodes):
        names = []
        for j, value in enumerate(inputs):
            if isinstance(value, np.ndarray):
                array = value.astype(dtype) if value.dtype == np.float64 else value
                tensors.append(numpy_helper.from_array(array, f"c{i}_{j}"))
                value = f"c{i}_{j}"
            names.append(value)
        built.append(
            helper.make_node(
                operation, names, [output], name=f"node{i}", **(options[0] if options else {})
            )
        )
    x = helper.make_tensor_value_info("x", kind, dims or [batch, *shape])
    y = [helper.make_tensor_value_info(name, kind, ["N", "M"]) for name in outputs]
    graph = helper.make_graph(built, "graph", [x], y, tensors)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid(d, opset) for d in ("", *domains)], ir_version=8
    )


def read(tmp_path, model):
    path = tmp_path / "a.onnx"
    path.write_bytes(model.SerializeToString())
    return load(path)


AXES = np.array([1, 2])
W1, B1, W2, B2 = numbers(5, 6), numbers(5), numbers(5, 3), numbers(3)
KERNEL, SIGNAL = numbers(4, 1, 3, 2), numbers(4, 2, 3)
STATISTICS = [numbers(4), numbers(4), numbers(4), RNG.uniform(0.5, 2, 4)]
GEMM, RELU = ("Gemm", ["x", W2, B2], "a"), ("Relu", ["a"], "y")
LINEAR = ("Gemm", "MatMul", "Conv", "AveragePool", "GlobalAveragePool", "BatchNormalization")
PLAIN = (
    "Relu",
    "Add",
    "Sub",
    "Mul",
    "Div",
    *LINEAR,
    "Reshape",
    "Flatten",
    "Transpose",
    "Identity",
    "Dropout",
    "Squeeze",
    "Unsqueeze",
)
GRAPHS = {
    "Gemm": (
        [
            ("Gemm", ["x", W1, B1], "a", {"transB": 1}),
            ("Relu", ["a"], "b"),
            ("Gemm", ["b", W2, B2], "y"),
        ],
        (6,),
    ),
    "Gemm, scaled": ([("Gemm", ["x", W2, B2[None]], "y", {"alpha": 0.3, "beta": -2.0})], (5,)),
    "Gemm, one bias": (
        [("Gemm", ["x", W2, np.array(0.7)], "a"), ("Gemm", ["a", numbers(3, 2)], "y")],
        (5,),
    ),
    "MatMul": ([("MatMul", ["x", W2], "a"), ("Add", ["a", B2], "b"), ("Relu", ["b"], "y")], (5,)),
    "MatMul on the last axis": (
        [("MatMul", ["x", W2], "a"), ("Add", [numbers(2, 1), "a"], "y")],
        (2, 5),
    ),
    "normalization first": (
        [
            *[
                ("Sub", ["x", numbers(6)], "a"),
                ("Div", ["a", np.array(0.31)], "b"),
                ("Mul", [numbers(1, 6), "b"], "c"),
            ],
            *[
                ("Sub", [np.array([2.0]), "c"], "d"),
                ("Gemm", ["d", W1, B1], "e", {"transB": 1}),
                ("Relu", ["e"], "f"),
            ],
            *[("MatMul", ["f", W2], "g"), ("Sub", ["g", B2], "y")],
        ],
        (6,),
    ),
    "Conv": (
        [
            ("Sub", ["x", np.array(0.5)], "a"),
            (
                "Conv",
                ["a", KERNEL, numbers(4)],
                "b",
                {"pads": [1, 0, 2, 1], "strides": [2, 1], "kernel_shape": [3, 2]},
            ),
            ("BatchNormalization", ["b", *STATISTICS], "c", {"epsilon": 0.01}),
            *[
                ("Relu", ["c"], "d"),
                ("Conv", ["d", numbers(4, 2, 2, 1)], "e", {"group": 2, "dilations": [2, 1]}),
            ],
            *[
                ("Relu", ["e"], "f"),
                ("Flatten", ["f"], "g"),
                ("Gemm", ["g", numbers(20, 3), B2], "y"),
            ],
        ],
        (1, 4, 5),
    ),
    "Conv1": (
        [("Conv", ["x", SIGNAL], "a", {"pads": [1, 0]}), ("Flatten", ["a"], "y", {"axis": -2})],
        (2, 7),
    ),
    "pools": (
        [
            (
                "AveragePool",
                ["x"],
                "a",
                {"kernel_shape": [2, 3], "pads": [1, 1, 1, 1], "strides": [1, 2]},
            ),
            (
                "AveragePool",
                ["a"],
                "b",
                {"kernel_shape": [2, 2], "count_include_pad": 1, "pads": [1, 1, 1, 1]},
            ),
            ("GlobalAveragePool", ["b"], "y"),
        ],
        (2, 5, 6),
    ),
    "Reshape": (
        [
            ("Reshape", ["x", np.array([0, 2, -1])], "a"),
            ("MatMul", ["a", numbers(3, 4)], "b"),
            ("Reshape", ["b", np.array([-1, 8])], "c"),
            ("Relu", ["c"], "y"),
        ],
        (6,),
    ),
    "axes": (
        [
            ("Unsqueeze", ["x", AXES], "a"),
            ("Mul", ["a", numbers(6)], "b"),
            ("Squeeze", ["b", np.array([1, -2])], "c"),
            ("Identity", ["c"], "d"),
            ("Dropout", ["d"], "y"),
        ],
        (6,),
    ),
    "Transpose": (
        [
            ("Transpose", ["x"], "a", {"perm": [0, 3, 1, 2]}),
            ("Conv", ["a", numbers(2, 2, 2, 2)], "b"),
            ("Relu", ["b"], "c"),
            ("Transpose", ["c"], "d", {"perm": [0, 2, 3, 1]}),
            ("Flatten", ["d"], "e"),
            ("MatMul", ["e", numbers(12, 3)], "y"),
        ],
        (3, 4, 2),
    ),
    "Transpose of one channel": (
        [("Transpose", ["x"], "a", {"perm": [0, 3, 1, 2]}), ("Mul", ["a", B2], "y")],
        (2, 3, 1),
    ),
    "Relu first": ([("Relu", ["x"], "a"), ("Relu", ["a"], "y")], (5,)),
    "nothing": ([("Identity", ["x"], "y")], (5,)),
    "residual": ([GEMM, ("Relu", ["a"], "b"), ("Add", ["a", "b"], "y")], (5,)),
    "twice": ([GEMM, ("Add", ["a", "a"], "y")], (5,)),
    "dead nodes": ([GEMM, ("Sigmoid", ["a"], "b"), ("Gemm", ["x", W2], "y")], (5,)),
    "matrix first": ([("MatMul", [W2, "x"], "y")], (3, 4)),
    "Conv, SAME_UPPER": (
        [("Conv", ["x", KERNEL], "y", {"auto_pad": "SAME_UPPER", "strides": [2, 1]})],
        (1, 4, 4),
    ),
    "Conv, SAME_LOWER": ([("Conv", ["x", KERNEL], "y", {"auto_pad": "SAME_LOWER"})], (1, 4, 5)),
    "Conv3": ([("Conv", ["x", numbers(2, 1, 2, 1, 2)], "y", {"strides": [1, 2, 1]})], (1, 2, 3, 3)),
    "AveragePool, ceil": (
        [("AveragePool", ["x"], "y", {"kernel_shape": [2, 2], "strides": [3, 2], "ceil_mode": 1})],
        (1, 5, 5),
    ),
    "LeakyRelu": (
        [GEMM, ("LeakyRelu", ["a"], "b"), ("LeakyRelu", ["b"], "y", {"alpha": 0.3})],
        (5,),
    ),
    "PRelu": ([GEMM, ("PRelu", ["a", numbers(3)], "y")], (5,)),
    "Clip": (
        [
            GEMM,
            ("Clip", ["a", np.array(-0.5), np.array(0.7)], "b"),
            ("Clip", ["b", "", np.array(0.3)], "y"),
        ],
        (5,),
    ),
    "Abs, Neg": ([GEMM, ("Abs", ["a"], "b"), ("Neg", ["b"], "y")], (5,)),
    "Max, Min": (
        [
            GEMM,
            ("Max", ["a", B2, np.array(0.1)], "b"),
            ("Min", ["a", "b", B2[::-1]], "c"),
            ("Max", ["a", "c"], "y"),
        ],
        (5,),
    ),
    "MaxPool": (
        [
            (
                "MaxPool",
                ["x"],
                "y",
                {"kernel_shape": [2, 3], "pads": [1, 0, 0, 1], "strides": [2, 1]},
            )
        ],
        (2, 4, 4),
    ),
    "MaxPool, ceil": (
        [
            (
                "MaxPool",
                ["x"],
                "y",
                {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1, "dilations": [1, 2]},
            )
        ],
        (1, 5, 4),
    ),
    "global": (
        [
            ("GlobalMaxPool", ["x"], "a"),
            ("GlobalAveragePool", ["x"], "b"),
            ("Concat", ["a", "b"], "y", {"axis": 2}),
        ],
        (2, 3, 2),
    ),
    "ConvTranspose": (
        [
            (
                "ConvTranspose",
                ["x", numbers(2, 3, 2, 3)],
                "y",
                {"strides": [2, 1], "pads": [1, 0, 0, 1], "output_padding": [1, 0]},
            )
        ],
        (2, 2, 3),
    ),
    "reductions": (
        [
            *[
                ("ReduceMax", ["x", np.array([1])], "a"),
                ("ReduceMin", ["x", np.array([1])], "b"),
                ("ReduceSum", ["x", np.array([1])], "c"),
            ],
            *[
                ("ReduceMean", ["x", np.array([1])], "d"),
                ("Concat", ["a", "b", "c", "d"], "y", {"axis": 1}),
            ],
        ],
        (3, 2),
    ),
    "moves": (
        [
            *[
                ("Pad", ["x", np.array([0, 1, 0, 0, 0, 2]), np.array(0.5)], "a"),
                ("Slice", ["a", np.array([3]), np.array([0]), np.array([1]), np.array([-1])], "b"),
            ],
            *[
                ("Gather", ["b", np.array([1, 0, 1])], "c", {"axis": 2}),
                ("Tile", ["c", np.array([1, 2, 1])], "d"),
            ],
            *[
                ("Expand", ["d", np.array([1, 1, 1])], "e"),
                ("Cast", ["e"], "y", {"to": TensorProto.DOUBLE}),
            ],
        ],
        (3, 2),
    ),
    "a computed shape": (
        [
            *[
                ("Shape", ["x"], "s"),
                ("Gather", ["s", np.array(0)], "n"),
                ("Unsqueeze", ["n", np.array([0])], "u"),
            ],
            *[
                ("Concat", ["u", np.array([-1])], "t", {"axis": 0}),
                ("Reshape", ["x", "t"], "a"),
                ("Gemm", ["a", numbers(6, 2)], "y"),
            ],
        ],
        (2, 3),
    ),
    "scaled bias": ([("Gemm", ["x", W2, B2], "y", {"beta": 0.1, "alpha": 0.7})], (5,)),
    "Gemm, transposed": (
        [("Transpose", ["x"], "a"), ("Gemm", ["a", W2, B2], "y", {"transA": 1})],
        (5,),
    ),
    "sums": ([GEMM, ("Sum", ["a", B2, "a"], "y")], (5,)),
}
"""(nodes, shape of one input)"""
DEEPER = {
    "Gemm, scaled": 1,
    "Gemm, one bias": 1,
    "Conv": 3,
    "Relu first": 1,
    "twice": 1,
    "scaled bias": 1,
}
"""Depths where affine maps are no float64 together, or nothing needs a layer."""


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_and_its_network_agree(tmp_path, name, batch):
    nodes, shape = GRAPHS[name]
    model = model_of(nodes, shape, batch=batch)
    network = read(tmp_path, model)
    x = RNG.normal(size=(1 if batch == 1 else 5, *shape))
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    values = network(x.reshape(len(x), -1))
    torch.testing.assert_close(
        values, torch.from_numpy(expected).flatten(1), rtol=1e-12, atol=1e-12
    )
    if all(operation in PLAIN for operation, *_ in nodes):
        assert network.size.depth == DEEPER.get(
            name, sum(operation == "Relu" for operation, *_ in nodes)
        )


def test_axes_as_attributes_of_older_graphs(tmp_path):
    nodes = [
        ("Unsqueeze", ["x"], "a", {"axes": [1]}),
        ("Mul", ["a", numbers(6)], "b"),
        ("Squeeze", ["b"], "y", {"axes": [1]}),
    ]
    model = model_of(nodes, (6,), opset=11)
    x = numbers(3, 6)
    assert (
        read(tmp_path, model)(x).tolist()
        == ReferenceEvaluator(model).run(None, {"x": x})[0].tolist()
    )


@pytest.mark.parametrize("opset", [7, 9, 13, 14, 15, 18])
@pytest.mark.parametrize("constant", [False, True])
def test_normalization_takes_the_statistics_given(tmp_path, opset, constant):
    scale, bias, mean, variance = STATISTICS
    x, held = numbers(3, 4), numbers(1, 4)
    nodes = [("BatchNormalization", [held if constant else "x", *STATISTICS], "z")]
    network = read(tmp_path, model_of([*nodes, ("Add", ["x", "z"], "y")], (4,), opset=opset))
    given = held if constant else x
    normal = (given - mean) / np.sqrt(variance + np.float32(1e-5)) * scale + bias
    np.testing.assert_allclose(network(x), x + normal, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    ("opset", "outputs", "options"),
    [(9, 5, {}), (13, 5, {}), (15, 3, {"training_mode": 1}), (8, 1, {"spatial": 0})],
)
@pytest.mark.parametrize("given", ["x", "k"])
def test_normalization_by_other_statistics_is_refused(tmp_path, opset, outputs, options, given):
    plain = [("BatchNormalization", ["x", *STATISTICS], "z"), ("Add", ["x", "z"], "y")]
    model = model_of(plain, (4,), opset=opset)
    model.graph.initializer.append(numpy_helper.from_array(numbers(1, 4), "k"))
    node = model.graph.node[0]
    node.input[0] = given
    node.output.extend(f"more{i}" for i in range(1, outputs))
    node.attribute.extend(helper.make_attribute(*option) for option in options.items())
    with pytest.raises(ValueError, match=r"'node0' \(BatchNormalization\): must .* (mode|channel)"):
        read(tmp_path, model)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (("Pad", ["x", np.array([1, 2]), "", np.array([1])], "y"), [0, 1, -2, 0, 0]),
        (("Pad", ["x", np.array([1, 0]), np.array(3.0), np.array([-1])], "y"), [3, 1, -2]),
        (("Pad", ["x", np.array([0, 1, 0, 0]), ""], "y"), [0, 1, -2]),
        (
            ("Pad", ["x", np.array([1, 0]), "", np.array([1])], "y", {"mode": "edge"}),
            [1, 1, -2],
        ),
        (("Clip", ["x", "", np.array(0.5)], "y"), [0.5, -2]),
        (("Clip", ["x", "", ""], "y"), [1, -2]),
        (("Gemm", ["x", np.array([[1.0, 2.0], [3.0, 4.0]]), ""], "y"), [-5, -6]),
        (
            ("Slice", ["x", np.array([0, 1]), np.array([9, -9]), "", np.array([1, -1])], "y"),
            [-2, 1],
        ),
        (("Slice", ["x", np.array([1]), np.array([9]), np.array([1]), ""], "y"), [-2]),
        (("ReduceSum", ["x", ""], "y"), [-1]),
        (("ReduceMean", ["x", ""], "y"), [-0.5]),
        (("ReduceMax", ["x", ""], "y"), [1]),
        (("Squeeze", ["x", ""], "y"), [1, -2]),
        (("Dropout", ["x", "", ""], "y"), [1, -2]),
        (("Dropout", ["x", np.array(0.5), ""], "y"), [1, -2]),
    ],
    ids=lambda value: f"{value[0]} {value[1][1:]}" if isinstance(value, tuple) else "",
)
def test_inputs_that_are_left_out(tmp_path, node, expected):
    model = model_of([node], (2,), dims=[1, 2])
    assert read(tmp_path, model)([1.0, -2.0]).tolist() == expected


def test_kernels_without_a_bias_input(tmp_path):
    weight = np.array([[[1.0, -2.0]]])
    for operation, expected in (("Conv", [5.0, -8.0]), ("ConvTranspose", [1, -4, 7, -6])):
        network = read(tmp_path, model_of([(operation, ["x", weight, ""], "y")], (1, 3)))
        assert network([1.0, -2.0, 3.0]).tolist() == expected


def test_windows_over_constants_are_read_twice(tmp_path):
    held, weight = np.arange(6.0).reshape(1, 1, 6), np.array([[[2.0, 3.0, 1.0]]])
    windows = {
        "MaxPool": ([held], {"kernel_shape": [3], "pads": [1, 1]}, [1, 2, 3, 4, 5, 5]),
        "AveragePool": (
            [held],
            {"kernel_shape": [2], "strides": [4], "ceil_mode": 1},
            [0.5, 4.5],
        ),
        "Conv": ([held, weight], {"pads": [1, 1]}, [1, 5, 11, 17, 23, 23]),
        "ConvTranspose": ([held, weight], {"pads": [1, 1]}, [2, 7, 13, 19, 25, 19]),
    }
    for operation, (inputs, options, expected) in windows.items():
        model = model_of([(operation, inputs, "z", options), ("Add", ["x", "z"], "y")], (1, 1))
        assert read(tmp_path, model)([0.0]).tolist() == expected, operation
    disputed = {"kernel_shape": [2], "strides": [3], "dilations": [2], "auto_pad": "SAME_UPPER"}
    nodes = [("MaxPool", [held], "z", disputed), ("Add", ["x", "z"], "y")]
    with pytest.raises(ValueError, match=r"'node0' \(MaxPool\): .* give it pads"):
        read(tmp_path, model_of(nodes, (1, 1)))


def test_constants_of_every_kind(tmp_path):
    """Constant nodes, initializers that are inputs too or unused, float32 weights; all are taken
    exactly.
    """
    model = model_of(
        [("Gemm", ["x", W2.astype(np.float32), "bias"], "a"), ("Add", ["a", "one"], "y")],
        (5,),
        dtype=np.float32,
    )
    bias = numpy_helper.from_array(B2.astype(np.float32))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["bias"], value=bias))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["one"], value_float=1.0))
    model.graph.initializer.append(numpy_helper.from_array(np.ones(3), "unused"))
    model.graph.input.append(helper.make_tensor_value_info("c0_1", TensorProto.FLOAT, [5, 3]))
    (layer,) = read(tmp_path, model).layers
    assert layer.weight.to_dense().T.tolist() == W2.astype(np.float32).tolist()
    assert (
        layer.bias.to_dense()[:, 0].tolist()
        == (B2.astype(np.float32).astype(np.float64) + 1).tolist()
    )


BAD = W2.copy()
BAD[1, 1] = np.nan


@pytest.mark.parametrize(
    ("nodes", "shape", "options", "message"),
    [
        ([GEMM, ("Sigmoid", ["a"], "y")], (5,), {}, r"node 'node1' \(Sigmoid\) is none of .*Relu"),
        ([GEMM, ("Softmax", ["a"], "y")], (5,), {}, r"node 'node1' \(Softmax\) is none of .*Relu"),
        (
            [("MaxPool", ["x"], "y", {"kernel_shape": [2, 2], "storage_order": 1})],
            (1, 4, 4),
            {},
            r"'node0' \(MaxPool\): .*storage_order=0",
        ),
        (
            [("Relu", ["x"], "y", {"domain": "other"})],
            (5,),
            {"domains": ("other",)},
            r"node 'node0' \(Relu\) is of another operator set",
        ),
        (
            [GEMM, ("Mul", ["a", "a"], "y")],
            (5,),
            {},
            r"'node1' \(Mul\): of values that depend on the input is not piecewise linear",
        ),
        (
            [("MatMul", ["x", "x"], "y")],
            (5, 5),
            {},
            r"'node0' \(MatMul\): of two values that depend on the input",
        ),
        (
            [("Gemm", [W2.T, "x"], "y")],
            (1,),
            {},
            r"'node0' \(Gemm\): must take constants as its matrix",
        ),
        (
            [("Conv", ["x", "x"], "y")],
            (1, 1),
            {},
            r"'node0' \(Conv\): must take constants as its kernel",
        ),
        ([GEMM, RELU], (5,), {"outputs": ("a", "y")}, "must have one output, got 2"),
        ([("Identity", [W2], "y")], (5,), {}, "'y' does not depend on the input"),
        (
            [("Div", [B2, "x"], "y")],
            (3,),
            {},
            r"'node0' \(Div\): of values that depend on the input",
        ),
        (
            [("Div", ["x", np.array([1.0, 0.0, 2.0])], "y")],
            (3,),
            {},
            r"'node0' \(Div\): divides by zero",
        ),
        ([("Add", ["x", numbers(4)], "y")], (3,), {}, r"'node0' \(Add\)"),
        ([("Add", ["x", numbers(2, 4)], "y")], (3,), {}, r"'node0' \(Add\)"),
        (
            [("Gemm", ["x", W2, B2], "y")],
            (6,),
            {},
            r"'node0' \(Gemm\): takes 5 numbers along the last axis, got .*\(1, 6\)",
        ),
        (
            [("Gemm", ["x", W2, B2], "y", {"transA": 1})],
            (5,),
            {},
            r"'node0' \(Gemm\): takes 5 numbers",
        ),
        (
            [("Gemm", ["x", BAD, B2], "y")],
            (5,),
            {},
            r"'node0' \(Gemm\): weight must be finite, got nan",
        ),
        ([("MatMul", ["x", numbers(2, 5, 3)], "y")], (2, 5), {}, "takes a matrix with two axes"),
        ([("Conv", ["x", KERNEL], "y", {"auto_pad": "SAME"})], (1, 4, 4), {}, "auto_pad"),
        ([("Conv", ["x", KERNEL], "y")], (2, 4, 4), {}, r"'node0' \(Conv\): takes 1 channels"),
        ([("Conv", ["x", KERNEL], "y", {"kernel_shape": [2, 2]})], (1, 4, 4), {}, "kernel_shape"),
        ([("Conv", ["x", KERNEL], "y", {"strides": [0, 1]})], (1, 4, 4), {}, "positive strides"),
        (
            [("Conv", ["x", KERNEL], "y", {"pads": [-1, 0, 0, 0]})],
            (1, 4, 4),
            {},
            "no negative pads",
        ),
        ([("Conv", ["x", KERNEL], "y", {"pads": [10**6] * 4})], (1, 4, 4), {}, "the limit is"),
        (
            [("Conv", ["x", numbers(1, 1, 9, 9)], "y")],
            (1, 4, 4),
            {},
            r"kernel of extent \[9, 9\] beyond the padded image of size \[4, 4\]",
        ),
        (
            [("BatchNormalization", ["x", *STATISTICS], "y", {"training_mode": 1})],
            (4,),
            {},
            "must be in inference mode",
        ),
        (
            [("BatchNormalization", ["x", *STATISTICS], "y")],
            (3,),
            {},
            r"'node0' \(BatchNormalization\): takes 4 channels, got values of shape \(3,\)",
        ),
        (
            [("BatchNormalization", ["x", *STATISTICS[:3], -STATISTICS[3]], "y")],
            (4,),
            {},
            "must be positive",
        ),
        ([("GlobalAveragePool", ["x"], "y")], (4,), {}, "takes an image"),
        (
            [("AveragePool", ["x"], "y", {"kernel_shape": [2, 2]})],
            (4,),
            {},
            r"'node0' \(AveragePool\)",
        ),
        (
            [("Dropout", ["x", np.array(0.5), np.array(True)], "y")],
            (4,),
            {},
            "must be in inference mode",
        ),
        (
            [("Clip", ["x", np.array(1.0), np.array(0.0)], "y")],
            (4,),
            {},
            r"\(Clip\): clips between 1.0 and 0.0",
        ),
        ([("Clip", ["x", np.array(np.nan)], "y")], (4,), {}, r"\(Clip\): clips between nan"),
        ([("Cast", ["x"], "y", {"to": TensorProto.INT64})], (4,), {}, r"\(Cast\): rounds to int64"),
        (
            [("Cast", ["x"], "y", {"to": TensorProto.FLOAT})],
            (4,),
            {},
            r"\(Cast\): rounds to float32, while the input is float64",
        ),
        (
            [("RandomNormal", [], "r", {"shape": [1, 4]}), ("Add", ["x", "r"], "y")],
            (4,),
            {},
            r"'node0' \(RandomNormal\): draws random",
        ),
        ([("Reshape", ["x", np.array([-1, 3])], "y")], (4,), {}, r"'node0' \(Reshape\)"),
        ([("Reshape", ["x", np.array([0, 0, 0])], "y")], (4,), {}, r"'node0' \(Reshape\)"),
        ([("Squeeze", ["x", np.array([1])], "y")], (4, 1), {}, r"'node0' \(Squeeze\)"),
        (
            [GEMM, RELU],
            (5,),
            {"dims": ["N", "features"]},
            "input 'x' must have a positive size on every axis but the first",
        ),
        ([GEMM, RELU], (5,), {"dims": ["N", 10**9, 5]}, "the limit is"),
        (
            [("Add", ["x", np.array([1])], "y")],
            (5,),
            {"dtype": np.int64},
            "input 'x' must hold floating-point numbers",
        ),
        (
            [GEMM, RELU],
            (5,),
            {"opset": 6},
            "operator set 7 or newer, got 6: onnx.version_converter",
        ),
        (
            [GEMM, ("Softmax", ["a"], "y")],
            (5,),
            {},
            r"'node1' \(Softmax\) .* the network without it has outputs in the same order",
        ),
        (
            [("ReduceMax", ["x", np.array([2])], "y")],
            (5,),
            {},
            r"'node0' \(ReduceMax\): has axes \[2\], but its input has shape \(1, 5\)",
        ),
        (
            [("MaxPool", ["x"], "y", {"kernel_shape": [1], "pads": [1, 1]})],
            (1, 3),
            {},
            r"'node0' \(MaxPool\): has a window that sees padding alone, whose maximum",
        ),
        ([GEMM, ("Gemm", ["missing", W2], "y")], (5,), {}, "missing"),
        ([("Gemm", ["x"], "y")], (5,), {}, "Gemm"),
        ([], (5,), {}, "the graph holds no node"),
    ],
)
def test_graphs_that_are_no_such_network(tmp_path, nodes, shape, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path, model_of(nodes, shape, **options))
    assert "a.onnx does not describe a network" in str(caught.value)


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "a.onnx"
    model = model_of([GEMM, RELU], (5,))
    whole = model.SerializeToString()
    for part in (*(whole[:n] for n in range(len(whole))), b"\xff" * 100, b"not a model"):
        path.write_bytes(part)
        with pytest.raises(
            ValueError, match=r"a\.onnx (is not a readable ONNX file|does not describe a network)"
        ):
            load(path)
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-3]
    with pytest.raises(ValueError, match="does not describe a network"):
        read(tmp_path, model)


def test_data_in_other_files(tmp_path):
    model = model_of([GEMM, RELU], (5,))
    onnx.save(model, tmp_path / "b.onnx")
    expected = load(tmp_path / "b.onnx")
    onnx.save(
        model, tmp_path / "a.onnx", save_as_external_data=True, location="weights", size_threshold=0
    )
    network, x = load(tmp_path / "a.onnx"), torch.randn(4, 5, dtype=torch.float64)
    assert torch.equal(network(x), expected(x))
    data = bytearray((tmp_path / "weights").read_bytes())
    data[0] ^= 1
    (tmp_path / "weights").write_bytes(data)
    assert load(tmp_path / "a.onnx").origin.digest != network.origin.digest
    (tmp_path / "weights").unlink()
    with pytest.raises(ValueError, match=r"tensor 'c0_1' keeps its data in another file"):
        load(tmp_path / "a.onnx")


def test_data_outside_of_the_folder_is_refused(tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    onnx.save(
        model_of([GEMM, RELU], (5,)),
        folder / "a.onnx",
        save_as_external_data=True,
        location="weights",
        size_threshold=0,
    )
    (folder / "weights").rename(tmp_path / "weights")
    model = onnx.load(folder / "a.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = "../weights"
    (folder / "a.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="keeps its data in another file"):
        load(folder / "a.onnx")


def test_compressed_files(tmp_path):
    content = model_of([GEMM, RELU], (5,)).SerializeToString()
    (tmp_path / "a.onnx").write_bytes(content)
    (tmp_path / "b.onnx.gz").write_bytes(gzip.compress(content))
    (tmp_path / "c.onnx.gz").write_bytes(gzip.compress(content)[:-9])
    (tmp_path / "d.onnx.gz").write_bytes(content)
    plain, packed = load(tmp_path / "a.onnx"), load(tmp_path / "b.onnx.gz")
    assert plain.origin.digest == packed.origin.digest
    assert torch.equal(plain(torch.ones(5)), packed(torch.ones(5)))
    for name in "cd":
        with pytest.raises(ValueError, match="is not a readable ONNX file"):
            load(tmp_path / f"{name}.onnx.gz")


@pytest.mark.parametrize("dims", [[5], [2, 5], [3, 2, 5], [1, 1, 1, 5]])
def test_inputs_without_a_batch_axis_or_with_a_fixed_batch(tmp_path, dims):
    model = model_of(
        [("MatMul", ["x", W2], "a"), ("Add", ["a", B2], "b"), ("Relu", ["b"], "y")], (), dims=dims
    )
    network, x = read(tmp_path, model), RNG.normal(size=(4, *dims))
    for point in x:
        (expected,) = ReferenceEvaluator(model).run(None, {"x": point})
        torch.testing.assert_close(
            network(point.reshape(-1)),
            torch.from_numpy(expected.reshape(-1)),
            rtol=1e-12,
            atol=1e-12,
        )


def test_images_in_a_fixed_batch(tmp_path):
    nodes = [
        ("Conv", ["x", KERNEL], "a"),
        ("MaxPool", ["a"], "b", {"kernel_shape": [2, 1]}),
        ("BatchNormalization", ["b", *STATISTICS], "y"),
    ]
    model = model_of(nodes, (1, 4, 4), batch=3)
    network, x = read(tmp_path, model), RNG.normal(size=(3, 1, 4, 4))
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    torch.testing.assert_close(
        network(x.reshape(-1)), torch.from_numpy(expected.reshape(-1)), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_narrow_numbers_are_taken_exactly(tmp_path, dtype):
    weight = RNG.normal(size=(5, 3)).astype(dtype)
    model = model_of([("MatMul", ["x", weight], "a"), ("Relu", ["a"], "y")], (5,), dtype=dtype)
    network = read(tmp_path, model)
    assert network.layers[0].weight.to_dense().T.tolist() == weight.astype(np.float64).tolist()
    assert network.origin.parameters == 15


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [3.0, 0.3081])
def test_division_is_not_rounded_in_silence(tmp_path, dtype, scale):
    """1 - x / scale is 0 at scale, and is never proved positive there."""
    scale = dtype(scale)
    nodes = [
        ("Div", ["x", np.array([scale], dtype)], "a"),
        ("Sub", [np.array([1.0], dtype), "a"], "y"),
    ]
    network = read(tmp_path, model_of(nodes, (1,), dtype=dtype))
    end = float(scale)
    assert not network.origin.is_exact
    assert network.origin.rounded == ("node 'node0' (Div)",)
    assert (
        abs(network.exact([Fraction(end)])[0])
        <= source_difference(network, (0.0, end)).item()
        < 1e-14
    )
    assert certify_box(network, ([0.0], [end]), 1).verdict != "proved"
    assert certify_box(network, ([0.0], [end * 0.99]), 1).verdict == "proved"
    low, high = interval_bounds(network, (end, end))
    assert low <= 0 <= high


def test_affine_maps_whose_product_is_no_float64_stay_apart(tmp_path):
    """f = 1/2 - x, and float64 says 1/2."""
    first, last = np.array([[-(2.0**60), -1.0, 2.0**60]]), np.ones((3, 1))
    network = read(
        tmp_path,
        model_of(
            [
                ("MatMul", ["x", first], "a"),
                ("MatMul", ["a", last], "b"),
                ("Add", ["b", np.array([0.5])], "y"),
            ],
            (1,),
        ),
    )
    assert network.exact([[1], [Fraction(1, 4)]])[:, 0].tolist() == [
        Fraction(-1, 2),
        Fraction(1, 4),
    ]
    assert network.origin.is_exact
    assert certify_box(network, ([0.0], [1.0]), 1).verdict == "refuted"


def test_bounds_that_clip_nothing(tmp_path):
    """The largest float32 stands for no bound."""
    most = np.finfo(np.float32).max
    nodes = [("Clip", ["x", np.array(-most), np.array(most)], "y")]
    assert read(tmp_path, model_of(nodes, (3,), dtype=np.float32)).size.depth == 0


FIELD = (
    Path(os.environ["CGRO_DATA"]).parent / "bench" / "field"
    if os.environ.get("CGRO_DATA")
    else Path("-")
)
WIDE = (
    "Convnet_maxpool.onnx",
    "NN_rul_small_window_20.onnx",
    "cnn_max_mninst2.onnx",
    "resnet_2b.onnx",
)


@pytest.mark.skipif(
    not FIELD.is_dir(), reason="CGRO_DATA is unset, or no folder bench/field beside it"
)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(path.name, marks=pytest.mark.slow if path.name in WIDE else ())
        for path in sorted(FIELD.glob("*.onnx"))
    ],
)
def test_networks_of_the_field_have_the_values_of_onnxruntime(name):
    runtime = pytest.importorskip("onnxruntime")
    start = time.process_time()
    network = load(FIELD / name)
    assert time.process_time() - start < 20
    session = runtime.InferenceSession(FIELD / name)
    (given,) = session.get_inputs()
    shape = [size if isinstance(size, int) and size > 0 else 1 for size in given.shape]
    points = np.random.default_rng(0).random((1000, network.inputs), dtype=np.float32)
    expected = np.stack(
        [session.run(None, {given.name: point.reshape(shape)})[0].reshape(-1) for point in points]
    )
    values = network(points.astype(np.float64)).numpy()
    assert np.abs(values - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())


def test_functions_of_the_model_are_refused(tmp_path):
    model = model_of([GEMM, RELU], (5,))
    body = [helper.make_node("Neg", ["a"], ["b"])]
    model.functions.append(
        helper.make_function("", "Relu", ["a"], ["b"], body, [helper.make_opsetid("", 18)])
    )
    with pytest.raises(ValueError, match="defines functions of its own"):
        read(tmp_path, model)


def test_without_onnx(tmp_path, monkeypatch):
    path = tmp_path / "a.onnx"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match="needs the package onnx"):
        load(path)
