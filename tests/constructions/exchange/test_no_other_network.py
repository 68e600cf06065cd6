"""Networks that were read, composed or asked about wrongly once: each with the right value."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional

from analysis import certify, certify_box, decide
from constructions import (
    Affine,
    Ball,
    Block,
    Dense,
    Kron,
    Property,
    ReLUNetwork,
    affine,
    read_network,
    source_difference,
)
from constructions.linear.matrix import is_float64


class Function(nn.Module):
    """A forward of one's own behind Linear(1, 1), x -> weight x + bias, with tensors as buffers."""

    def __init__(self, forward, weight=1.0, bias=0.0, dtype=torch.float64, **tensors):
        super().__init__()
        self.l = nn.Linear(1, 1, dtype=dtype)
        self.function = forward
        with torch.no_grad():
            self.l.weight.fill_(weight)
            self.l.bias.fill_(bias)
        for name, value in tensors.items():
            self.register_buffer(name, value)

    def forward(self, x):
        return self.function(self, x)


def test_a_padding_constant_is_taken_in_float64():
    half = torch.tensor([[-0.3, -0.3]], dtype=torch.float64)

    def forward(m, x):
        return (
            (functional.pad(m.l(x).double(), (0, 1), value=0.3) + m.c)[:, 1:] + 0 * x.double()
        ) - 1e-9

    network = ReLUNetwork.from_module(Function(forward, dtype=torch.float32, c=half), (1,))
    assert network.exact([0.5])[0] < 0
    assert certify_box(network, ([0.0], [1.0]), 1).verdict == "refuted"


def test_ends_and_centres_are_exact_rationals():
    end = Fraction(2, 3)
    near = float(end)
    # near - x + 2^-56
    network = ReLUNetwork.from_layers(
        [([[-1.0], [1.0]], [near, -near]), ([[1.0, -1.0]], [2.0**-56])]
    )
    assert network.exact([end])[0] < 0
    assert certify_box(network, ([Fraction(0)], [end]), 1).verdict != "proved"
    assert certify(network, [end], Ball("inf", 2.0**-80), 1, domain=None).verdict != "proved"
    large = ReLUNetwork.from_layers([([[-1.0]], [2.0**53 + 2]), ([[1.0]], [-1.5])])
    assert certify_box(large, ([0], [2**53 + 1]), 1).verdict == "refuted"
    with pytest.raises(ValueError, match="centre must hold binary fractions for l_2 balls"):
        certify(network, [end], Ball(2, 0.5), 1, domain=None)


@pytest.mark.parametrize("number", [2**53 + 1, Fraction(1, 3), -(2**60) - 1])
def test_numbers_that_float64_does_not_hold_are_refused(number, tmp_path):
    for build in (
        lambda: affine([[number]]),
        lambda: affine([[1.0]], [number]),
        lambda: ReLUNetwork.from_layers([([[number]], [0.0])]),
        lambda: read_network([([[1.0]], [number])]),
    ):
        with pytest.raises(ValueError, match="must be float64, got"):
            build()
    if isinstance(number, int):
        module = Function(
            lambda m, x: -(x + m.c) + m.d,
            c=torch.tensor([number]),
            d=torch.tensor([2.0**53 + 2]).double(),
        )
        with pytest.raises(ValueError, match=r"must hold integers up to 2\^53"):
            ReLUNetwork.from_module(module, (1,))
        np.savez(tmp_path / "a.npz", W0=np.array([[number]]), b0=np.zeros(1))
        with pytest.raises(ValueError, match="must be float64"):
            read_network(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", W0=np.ones((1, 1)), b0=np.array([1j]))
    with pytest.raises(ValueError, match="must be real"):
        read_network(tmp_path / "b.npz")


def test_errors_of_negative_entries_are_positive():
    pool = nn.AvgPool2d(1, divisor_override=-3)
    module = Function(lambda m, x: pool(x[:, None, None])[:, 0, 0] + 1.0)
    network = ReLUNetwork.from_module(module, (1,))
    assert source_difference(network, (0.0, 3.0)).item() > 0
    assert certify_box(network, ([0.0], [3.0]), 1).verdict == "unresolved"  # 1 - x/3 is 0 at 3


def test_products_that_are_no_float64_are_not_certified():
    e = 2.0**-52
    one = Dense(torch.tensor([[1.0]]))
    first = Affine(
        Block(((Kron(Dense([[1 + e]]), Dense([[1 - e]])),), (one,))), Dense([[0.0], [0.0]])
    )
    network = ReLUNetwork((first, Affine(Dense([[1.0, -1.0]]), Dense([[2.0**-110]]))))
    assert network.exact([2])[0] < 0
    unsafe = Property(box=([1.0], [2.0]), unsafe=[([[1.0]], [0.0])])
    for read in (
        lambda: certify_box(network, ([1.0], [2.0]), 1),
        lambda: decide(network, unsafe),
        first.weight.to_dense,
    ):
        with pytest.raises(ValueError, match=r"entries of Kron\[1 x 1\] must be float64"):
            read()


def test_a_rounded_product_of_factors_has_float64_entries():
    torch.manual_seed(0)
    module = (
        nn.Sequential(nn.BatchNorm1d(3, affine=False), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
        .double()
        .eval()
    )
    module[0].running_var.uniform_(0.5, 2.0)
    network = read_network(module)
    assert not network.origin.is_exact
    assert all(
        is_float64(matrix) for layer in network.layers for matrix in (layer.weight, layer.bias)
    )
    assert certify(network, [0.5] * 3, Ball("inf", 1e-3), 1).verdict != "unresolved"


@pytest.mark.parametrize(
    "branch",
    [
        lambda m, x: m.l(x) - 2.0 * (x > 100).nonzero().shape[0] / max(1, x.shape[0]),
        lambda m, x: m.l(x) - float(len(x[x > 100])),
        lambda m, x: m.l(x) - float(len(torch.unique(x))),
        lambda m, x: m.l(x) - (1.0 if (x > 100).any() else 0.0),
    ],
)
def test_values_that_choose_what_is_computed_are_refused(branch):
    with pytest.raises(
        ValueError, match=r"depend on values of the input|cannot be run on one input"
    ):
        ReLUNetwork.from_module(Function(branch, weight=0.0, bias=1.0), (1,))


def test_what_a_forward_writes_stays_out_of_the_module():
    def forward(m, x):
        m.seen.append(1)
        m.kept["x"] = 1
        m.plain.add_(7)
        torch.rand(1, generator=m.generator)
        torch.set_default_dtype(torch.float64)
        return m.l(x)

    module = Function(forward, dtype=torch.float32)
    module.seen, module.kept, module.plain = [], {}, torch.zeros(1)
    module.generator = torch.Generator().manual_seed(3)
    before = module.generator.get_state()
    ReLUNetwork.from_module(module, (1,))
    assert (module.seen, module.kept, module.plain.item(), torch.get_default_dtype()) == (
        [],
        {},
        0.0,
        torch.float32,
    )
    assert torch.equal(module.generator.get_state(), before)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_torchscript_is_refused():
    with pytest.raises(TypeError, match="must not be a TorchScript module"):
        ReLUNetwork.from_module(torch.jit.script(nn.Linear(1, 1)))


def test_backward_slices_beyond_an_axis_are_refused(tmp_path):
    def model(start, end):
        tensors = [("s", [start]), ("e", [end]), ("a", [1]), ("p", [-1])]
        initial = [
            numpy_helper.from_array(np.array(value, dtype=np.int64), name)
            for name, value in tensors
        ]
        nodes = [
            helper.make_node("Slice", ["x", "s", "e", "a", "p"], ["z"]),
            helper.make_node("ReduceSum", ["z", "a"], ["u"], keepdims=1),
            helper.make_node("Add", ["x", "u"], ["y"]),
        ]
        ends = [
            helper.make_tensor_value_info(name, TensorProto.DOUBLE, [1, n])
            for name, n in (("x", 3), ("y", 3))
        ]
        graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], initial)
        path = tmp_path / "a.onnx"
        path.write_bytes(
            helper.make_model(
                graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8
            ).SerializeToString()
        )
        return path

    assert read_network(model(-1, -(2**31))).exact([[1, 2, 4]]).tolist() == [[8, 9, 11]]
    assert read_network(model(1, -4)).exact([[1, 2, 4]]).tolist() == [[4, 5, 7]]
    for start, end in ((-4, -(2**31)), (2, 2**31 - 1), (2, 3)):
        with pytest.raises(ValueError, match="goes backwards"):
            read_network(model(start, end))
