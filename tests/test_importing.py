"""Modules and ONNX files read as networks: the values of torch and of the ONNX reference; errors that say what is wrong."""

import copy
import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import nn

from constructions import Dense, ReLUNetwork, Sparse, load


def settled(module):
    """In eval mode, with running statistics and scales such as training leaves behind."""
    for layer in module.modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.2, 3.0)
            if layer.affine:
                nn.init.normal_(layer.weight)
                nn.init.normal_(layer.bias)
    return module.eval()


def lenet():
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 4, 5, stride=2, padding=2), nn.BatchNorm2d(4), nn.ReLU()),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(6 * 3 * 3, 10),
        nn.ReLU(),
        nn.Linear(10, 3),
    )


MODULES = {
    "linear": (nn.Linear(6, 2), (6,), 0),
    "MLP": (nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)), (6,), 1),
    "norms": (
        nn.Sequential(
            nn.BatchNorm1d(6), nn.Linear(6, 5, bias=False), nn.BatchNorm1d(5, affine=False), nn.ReLU(), nn.Linear(5, 2)
        ),
        (6,),
        1,
    ),
    "norm after ReLU": (nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2)), (6,), 2),
    "last axis": (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)), (2, 3), 1),
    "LeNet": (lenet(), (1, 12, 12), 3),
    "same": (nn.Conv2d(2, 3, (4, 3), padding="same", dilation=(1, 2)), (2, 6, 5), 0),
    "valid": (nn.Conv2d(2, 3, 3, padding="valid", bias=False), (2, 6, 5), 0),
    "groups": (nn.Conv2d(4, 6, (2, 3), stride=(2, 1), padding=(0, 2), dilation=(2, 1), groups=2), (4, 7, 5), 0),
    "depthwise": (nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 2)), (3, 5, 5), 1),
    "signals": (
        nn.Sequential(nn.Conv1d(2, 4, 3, 2, 1, groups=2), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)),
        (2, 8),
        1,
    ),
    "same signals": (nn.Conv1d(1, 2, 4, padding="same"), (1, 7), 0),
    "pooled edges": (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 6, 6), 0),
    "divided pool": (nn.AvgPool2d((2, 3), divisor_override=4), (2, 5, 6), 0),
    "global pool": (nn.Sequential(nn.Conv2d(1, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()), (1, 4, 4), 1),
    "pool, Linear": (nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 2)), (1, 4, 4), 0),
    "unflatten": (nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Unflatten(1, (2, 2, -1)), nn.Conv2d(2, 1, 2)), (5,), 1),
    "dropouts": (nn.Sequential(nn.Dropout(), nn.Conv2d(1, 1, 2), nn.Dropout2d(), nn.Identity()), (1, 3, 3), 0),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # torch copies the input there
@pytest.mark.parametrize("name", MODULES)
def test_a_module_and_its_network_agree(name):
    module, shape, depth = MODULES[name]
    module = settled(copy.deepcopy(module))
    before, after = copy.deepcopy(module.state_dict()), module.state_dict()
    network = ReLUNetwork.from_module(module, shape)
    x = torch.randn(7, *shape, dtype=torch.float64)
    expected = copy.deepcopy(module).double()(x).detach().flatten(1)
    assert (network.inputs, network.outputs, network.size.depth) == (x[0].numel(), expected.shape[1], depth)
    torch.testing.assert_close(network(x.flatten(1)), expected, rtol=1e-12, atol=1e-12)
    assert all(after[key].dtype == value.dtype and torch.equal(after[key], value) for key, value in before.items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_entries_of_a_convolution_are_its_weights(dtype):
    module = nn.Conv2d(1, 2, 2).to(dtype)
    (layer,) = ReLUNetwork.from_module(module, (1, 2, 3)).layers
    w, o = module.weight.detach().double(), 0.0
    expected = [row for k in w[:, 0] for row in ([*k[0], o, *k[1], o], [o, *k[0], o, *k[1]])]
    assert isinstance(layer.weight, Sparse)
    assert layer.weight.to_dense().tolist() == torch.tensor(expected, dtype=torch.float64).tolist()
    assert layer.bias.to_dense()[:, 0].tolist() == module.bias.detach().double().repeat_interleave(2).tolist()
    assert layer.bias.stored <= 3


def test_forms_and_saving(tmp_path):
    network = ReLUNetwork.from_module(settled(lenet()), [1, 12, 12])
    assert [type(layer.weight) for layer in network.layers] == [Sparse, Sparse, Dense, Dense]
    network.save(tmp_path / "a.safetensors")
    x = torch.rand(3, 144)
    assert torch.equal(load(tmp_path / "a.safetensors")(x), network(x))
    normed = ReLUNetwork.from_module(settled(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))))
    assert isinstance(normed.layers[0].weight, Dense)


def test_a_network_does_not_follow_its_module():
    module = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.BatchNorm2d(2)).double().eval()
    network, x = ReLUNetwork.from_module(module, (1, 3, 3)), torch.ones(9, dtype=torch.float64)
    before = network(x).tolist()
    for value in module.state_dict().values():
        value.add_(1)
    assert network(x).tolist() == before


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


LAYERS = (nn.Sigmoid(), nn.Tanh(), nn.LeakyReLU(), nn.MaxPool2d(2), nn.Softmax(1), nn.GELU(), Residual(nn.Linear(4, 4)))


@pytest.mark.parametrize("layer", [*LAYERS, Doubled(4, 4)], ids=lambda layer: type(layer).__name__)
def test_other_layers_are_named(layer):
    module = nn.Sequential(nn.Linear(4, 4), nn.Sequential(layer))
    with pytest.raises(TypeError, match=rf"module may hold .* only, got {type(layer).__name__} at module\.1\.0"):
        ReLUNetwork.from_module(module)


@pytest.mark.parametrize(
    "layer", [nn.Conv1d(1, 1, 1), nn.Conv2d(1, 1, 1), nn.AvgPool2d(2), nn.BatchNorm2d(2), nn.Unflatten(1, (1, 2, 2))]
)
def test_images_need_their_shape(layer):
    module = nn.Sequential(nn.Identity(), layer, nn.Flatten(), nn.Linear(4, 2)).eval()
    with pytest.raises(TypeError, match=rf"module\.1 \({type(layer).__name__}\): .* only with input_shape"):
        ReLUNetwork.from_module(module)
    with pytest.raises(TypeError, match="input_shape must be a sequence of sizes"):
        ReLUNetwork.from_module(module, 28)


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (nn.Conv2d(3, 1, 3), (1, 8, 8), r"Conv2d\) takes 3 channels .* got values of shape \(1, 8, 8\) \(input_shape is"),
        (nn.Conv2d(3, 1, 3), (192,), "takes 3 channels with 2 axes each"),
        (nn.Conv1d(3, 1, 3), (3, 4, 4), "takes 3 channels with 1 axes each"),
        (nn.Conv2d(1, 1, 9), (1, 8, 8), r"kernel of extent \[9, 9\] beyond the padded image of size \[8, 8\]"),
        (nn.Sequential(nn.Flatten(), nn.Linear(9, 2)), (1, 4, 4), r"Linear\) takes 9 .* \(16,\) \(input_shape is \(1, 4, 4\)"),
        (nn.Linear(16, 2), (1, 4, 4), r"takes 16 numbers along the last axis.*input_shape"),
        (nn.Sequential(nn.Conv2d(1, 1, 1), nn.Linear(16, 2)), (1, 4, 4), r"module\.1 \(Linear\) takes 16"),
        (nn.AvgPool2d(2), (4, 4), "takes an image of shape"),
        (nn.AvgPool2d(5), (1, 4, 4), r"AvgPool2d\) .*input_shape is"),
        (nn.BatchNorm2d(2).eval(), (3, 4, 4), "takes 2 channels"),
        (nn.BatchNorm1d(2).eval(), (2, 4, 4), "takes 2 channels"),
        (nn.Unflatten(1, (3, 2)), (4,), r"Unflatten\) .*input_shape is"),
        (nn.Linear(4, 2), (), "input_shape must be"),
        (nn.Linear(4, 2), (-4,), "input_shape must be"),
        (nn.Linear(4, 2), (4.0,), "input_shape must be"),
        (nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)), None, r"module\.1 \(BatchNorm1d\) is in training mode"),
        (nn.BatchNorm2d(1), (1, 2, 2), "is in training mode"),
        (nn.Sequential(nn.Dropout(), nn.Linear(4, 4)), None, r"Dropout\) is in training mode"),
        (nn.BatchNorm1d(4, track_running_stats=False).eval(), None, "has no running statistics"),
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), (1, 4, 4), "padding_mode must be 'zeros', got 'reflect'"),
        (nn.Sequential(nn.Linear(4, 4), nn.Flatten(0)), None, "must flatten from axis 1 to -1"),
        (nn.Linear(4, 4, dtype=torch.complex64), None, "weight must be real"),
    ],
)
def test_what_does_not_fit_is_named(module, shape, message):
    with pytest.raises(ValueError, match=message):
        ReLUNetwork.from_module(module, shape)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "layer", [nn.Linear(4, 2), nn.Conv2d(1, 1, 2), nn.BatchNorm2d(1)], ids=lambda layer: type(layer).__name__
)
@pytest.mark.parametrize("name", ["weight", "bias"])
def test_weights_must_be_finite(layer, name, value):
    layer = copy.deepcopy(layer).eval()
    with torch.no_grad():
        getattr(layer, name).view(-1)[0] = value
    with pytest.raises(ValueError, match=rf"module\.0 \({type(layer).__name__}\) {name} must be finite, got {value}"):
        ReLUNetwork.from_module(nn.Sequential(layer), (1, 4, 4))


@pytest.mark.parametrize("layer", [nn.Conv2d(1, 2, 3, padding=1), nn.AvgPool2d(1), nn.BatchNorm2d(1)])
def test_large_matrices_are_refused(monkeypatch, layer):
    monkeypatch.setattr("constructions.operations.ENTRY_LIMIT", 60)
    with pytest.raises(ValueError, match="the limit is 60"):
        ReLUNetwork.from_module(layer.eval(), (1, 8, 8))


# -- ONNX --------------------------------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)


def numbers(*shape):
    return RNG.normal(size=shape)


def model_of(nodes, shape, constants=None, batch="N", dtype=np.float64, outputs=("y",), opset=18, dims=None):
    """A model from (operation, inputs, output, options); arrays among the inputs become initializers."""
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
        built.append(helper.make_node(operation, names, [output], name=f"node{i}", **(options[0] if options else {})))
    x = helper.make_tensor_value_info("x", kind, dims or [batch, *shape])
    y = [helper.make_tensor_value_info(name, kind, ["N", "M"]) for name in outputs]
    graph = helper.make_graph(built, "graph", [x], y, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def read(tmp_path, model):
    path = tmp_path / "a.onnx"
    path.write_bytes(model.SerializeToString())
    return load(path)


AXES = np.array([1, 2])
W1, B1, W2, B2 = numbers(5, 6), numbers(5), numbers(5, 3), numbers(3)
KERNEL, SIGNAL = numbers(4, 1, 3, 2), numbers(4, 2, 3)
STATISTICS = [numbers(4), numbers(4), numbers(4), RNG.uniform(0.5, 2, 4)]
GRAPHS = {
    "Gemm": ([("Gemm", ["x", W1, B1], "a", {"transB": 1}), ("Relu", ["a"], "b"), ("Gemm", ["b", W2, B2], "y")], (6,)),
    "Gemm, scaled": ([("Gemm", ["x", W2, B2[None]], "y", {"alpha": 0.3, "beta": -2.0})], (5,)),
    "Gemm, one bias": ([("Gemm", ["x", W2, np.array(0.7)], "a"), ("Gemm", ["a", numbers(3, 2)], "y")], (5,)),
    "MatMul": ([("MatMul", ["x", W2], "a"), ("Add", ["a", B2], "b"), ("Relu", ["b"], "y")], (5,)),
    "MatMul on the last axis": ([("MatMul", ["x", W2], "a"), ("Add", [numbers(2, 1), "a"], "y")], (2, 5)),
    "normalization first": (
        [
            *[("Sub", ["x", numbers(6)], "a"), ("Div", ["a", np.array(0.31)], "b"), ("Mul", [numbers(1, 6), "b"], "c")],
            *[("Sub", [np.array([2.0]), "c"], "d"), ("Gemm", ["d", W1, B1], "e", {"transB": 1}), ("Relu", ["e"], "f")],
            *[("MatMul", ["f", W2], "g"), ("Sub", ["g", B2], "y")],
        ],
        (6,),
    ),
    "Conv": (
        [
            ("Sub", ["x", np.array(0.5)], "a"),
            ("Conv", ["a", KERNEL, numbers(4)], "b", {"pads": [1, 0, 2, 1], "strides": [2, 1], "kernel_shape": [3, 2]}),
            ("BatchNormalization", ["b", *STATISTICS], "c", {"epsilon": 0.01}),
            *[("Relu", ["c"], "d"), ("Conv", ["d", numbers(4, 2, 2, 1)], "e", {"group": 2, "dilations": [2, 1]})],
            *[("Relu", ["e"], "f"), ("Flatten", ["f"], "g"), ("Gemm", ["g", numbers(20, 3), B2], "y")],
        ],
        (1, 4, 5),
    ),
    "Conv1": ([("Conv", ["x", SIGNAL], "a", {"pads": [1, 0]}), ("Flatten", ["a"], "y", {"axis": -2})], (2, 7)),
    "pools": (
        [
            ("AveragePool", ["x"], "a", {"kernel_shape": [2, 3], "pads": [1, 1, 1, 1], "strides": [1, 2]}),
            ("AveragePool", ["a"], "b", {"kernel_shape": [2, 2], "count_include_pad": 1, "pads": [1, 1, 1, 1]}),
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
    "Transpose of one channel": ([("Transpose", ["x"], "a", {"perm": [0, 3, 1, 2]}), ("Mul", ["a", B2], "y")], (2, 3, 1)),
}


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_and_its_network_agree(tmp_path, name, batch):
    nodes, shape = GRAPHS[name]
    model = model_of(nodes, shape, batch=batch)
    network = read(tmp_path, model)
    x = RNG.normal(size=(1 if batch == 1 else 5, *shape))
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    values = network(x.reshape(len(x), -1))
    torch.testing.assert_close(values, torch.from_numpy(expected).flatten(1), rtol=1e-12, atol=1e-12)
    assert network.size.depth == sum(operation == "Relu" for operation, *_ in nodes)


def test_axes_as_attributes_of_older_graphs(tmp_path):
    nodes = [("Unsqueeze", ["x"], "a", {"axes": [1]}), ("Mul", ["a", numbers(6)], "b"), ("Squeeze", ["b"], "y", {"axes": [1]})]
    model = model_of(nodes, (6,), opset=11)
    x = numbers(3, 6)
    assert read(tmp_path, model)(x).tolist() == ReferenceEvaluator(model).run(None, {"x": x})[0].tolist()


def test_constants_of_every_kind(tmp_path):
    """Constant nodes, initializers that are inputs too or unused, float32 weights; all are taken exactly."""
    model = model_of([("Gemm", ["x", W2.astype(np.float32), "bias"], "a"), ("Add", ["a", "one"], "y")], (5,), dtype=np.float32)
    bias = numpy_helper.from_array(B2.astype(np.float32))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["bias"], value=bias))
    model.graph.node.insert(0, helper.make_node("Constant", [], ["one"], value_float=1.0))
    model.graph.initializer.append(numpy_helper.from_array(np.ones(3), "unused"))
    model.graph.input.append(helper.make_tensor_value_info("c0_1", TensorProto.FLOAT, [5, 3]))
    (layer,) = read(tmp_path, model).layers
    assert layer.weight.to_dense().T.tolist() == W2.astype(np.float32).tolist()
    assert layer.bias.to_dense()[:, 0].tolist() == (B2.astype(np.float32).astype(np.float64) + 1).tolist()


BAD = W2.copy()
BAD[1, 1] = np.nan
GEMM, RELU = ("Gemm", ["x", W2, B2], "a"), ("Relu", ["a"], "y")


@pytest.mark.parametrize(
    ("nodes", "shape", "options", "message"),
    [
        ([GEMM, ("Sigmoid", ["a"], "y")], (5,), {}, r"node 'node1' \(Sigmoid\) is none of"),
        ([("MaxPool", ["x"], "y", {"kernel_shape": [2, 2]})], (1, 4, 4), {}, r"'node0' \(MaxPool\)"),
        ([("Relu", ["x"], "y", {"domain": "other"})], (5,), {}, r"node 'node0' \(Relu\) is none of"),
        ([GEMM, ("Relu", ["a"], "b"), ("Add", ["a", "b"], "y")], (5,), {}, r"node 'node2' \(Add\).*\['a', 'b'\].*branches"),
        ([GEMM, ("Add", ["a", "a"], "y")], (5,), {}, r"'node1' \(Add\).*branches"),
        ([GEMM, ("Gemm", ["x", W2], "y")], (5,), {}, r"'node1' \(Gemm\) must take 'a'.*branches"),
        ([GEMM, RELU], (5,), {"outputs": ("a",)}, "output 'a' is not the result 'y' of the last node"),
        ([GEMM, RELU], (5,), {"outputs": ("a", "y")}, "one input and one output, got 1 and 2"),
        ([("Relu", ["x"], "y")], (5,), {}, r"'node0' \(Relu\): module must alternate"),
        ([("Identity", ["x"], "y")], (5,), {}, "holds no Linear layer"),
        ([("MatMul", [W2, "x"], "y")], (3,), {"dims": [1, 5, 3]}, r"'node0' \(MatMul\): takes the value so far as its first"),
        ([("Div", [B2, "x"], "y")], (3,), {}, r"'node0' \(Div\): takes the value so far"),
        ([("Div", ["x", np.array([1.0, 0.0, 2.0])], "y")], (3,), {}, "1 / constant must be finite"),
        ([("Add", ["x", numbers(4)], "y")], (3,), {}, r"'node0' \(Add\)"),
        ([("Add", ["x", numbers(2, 3)], "y")], (3,), {}, r"'node0' \(Add\)"),
        ([("Gemm", ["x", W2, B2], "y")], (6,), {}, r"'node0' \(Gemm\): takes 5 numbers along the last axis, got .*\(6,\)"),
        ([("Gemm", ["x", W2, B2], "y", {"transA": 1})], (5,), {}, "with transA=0"),
        ([("Gemm", ["x", BAD, B2], "y")], (5,), {}, r"'node0' \(Gemm\): weight must be finite, got nan"),
        ([("MatMul", ["x", numbers(2, 5, 3)], "y")], (2, 5), {}, "takes a matrix with two axes"),
        ([("Conv", ["x", KERNEL], "y", {"auto_pad": "SAME_UPPER"})], (1, 4, 4), {}, "auto_pad must be NOTSET, got SAME_UPPER"),
        ([("Conv", ["x", KERNEL], "y")], (2, 4, 4), {}, r"'node0' \(Conv\): takes 1 channels"),
        ([("Conv", ["x", KERNEL], "y", {"kernel_shape": [2, 2]})], (1, 4, 4), {}, "kernel_shape"),
        ([("Conv", ["x", KERNEL], "y", {"strides": [0, 1]})], (1, 4, 4), {}, "positive strides"),
        ([("Conv", ["x", KERNEL], "y", {"pads": [-1, 0, 0, 0]})], (1, 4, 4), {}, "no negative pads"),
        ([("Conv", ["x", KERNEL], "y", {"pads": [10**6] * 4})], (1, 4, 4), {}, "the limit is"),
        ([("Conv", ["x", numbers(1, 1, 1, 1, 1)], "y")], (1, 1, 1, 1), {}, "one or two dimensions"),
        ([("BatchNormalization", ["x", *STATISTICS], "y", {"training_mode": 1})], (4,), {}, "must be in inference mode"),
        ([("BatchNormalization", ["x", *STATISTICS], "y")], (3,), {}, "needs 3 numbers of each kind"),
        ([("BatchNormalization", ["x", *STATISTICS[:3], -STATISTICS[3]], "y")], (4,), {}, "must be positive"),
        ([("AveragePool", ["x"], "y", {"kernel_shape": [2, 2], "ceil_mode": 1})], (1, 4, 4), {}, "ceil_mode=0"),
        ([("GlobalAveragePool", ["x"], "y")], (1, 4), {}, "takes an image"),
        ([("Dropout", ["x", np.array(0.5), np.array(True)], "y")], (4,), {}, "must be in inference mode"),
        ([("Transpose", ["x"], "y")], (4,), {}, "must keep the batch axis first"),
        ([("Flatten", ["x"], "y", {"axis": 0})], (4,), {}, "must keep the batch axis"),
        ([("Reshape", ["x", np.array([-1])], "y")], (4,), {}, "must keep the batch axis"),
        ([("Reshape", ["x", np.array([-1, 3])], "y")], (4,), {}, r"'node0' \(Reshape\)"),
        ([("Reshape", ["x", np.array([0, 0, 0])], "y")], (4,), {}, r"'node0' \(Reshape\)"),
        ([("Squeeze", ["x"], "y")], (4, 1), {}, "must name axes other than the batch axis"),
        ([("Squeeze", ["x", np.array([1])], "y")], (4, 1), {}, "must take out axes of size 1"),
        ([("Unsqueeze", ["x", np.array([0])], "y")], (4,), {}, "must name axes other than the batch axis"),
        ([GEMM, RELU], (5,), {"batch": 2}, "input 'x' must have a batch axis of size 1 or without size"),
        ([GEMM, RELU], (5,), {"dims": [5]}, "input 'x' must have a batch axis"),
        ([GEMM, RELU], (5,), {"dims": ["N", "features"]}, "input 'x' must have a positive size on every axis but the first"),
        ([GEMM, RELU], (5,), {"dims": ["N", 10**9, 5]}, "the limit is"),
        ([("Add", ["x", np.array([1])], "y")], (5,), {"dtype": np.int64}, "input 'x' must hold floating-point numbers"),
        ([GEMM, RELU], (5,), {"opset": 6}, "operator set 7 or newer, got 6"),
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
        with pytest.raises(ValueError, match=r"a\.onnx (is not a readable ONNX file|does not describe a network)"):
            load(path)
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-3]
    with pytest.raises(ValueError, match="does not describe a network"):
        read(tmp_path, model)


def test_data_in_other_files_is_refused(tmp_path):
    model = model_of([GEMM, RELU], (5,))
    onnx.save(model, tmp_path / "a.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    with pytest.raises(ValueError, match=r"tensor 'c0_1' keeps its data in another file"):
        load(tmp_path / "a.onnx")


def test_functions_of_the_model_are_refused(tmp_path):
    model = model_of([GEMM, RELU], (5,))
    body = [helper.make_node("Neg", ["a"], ["b"])]
    model.functions.append(helper.make_function("", "Relu", ["a"], ["b"], body, [helper.make_opsetid("", 18)]))
    with pytest.raises(ValueError, match="defines functions of its own"):
        read(tmp_path, model)


def test_without_onnx(tmp_path, monkeypatch):
    path = tmp_path / "a.onnx"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match="needs the package onnx"):
        load(path)
