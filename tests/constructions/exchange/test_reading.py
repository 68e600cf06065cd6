"""One door for networks: modules, exported programs, files and arrays; .nnet files."""

import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from constructions import ReLUNetwork, read_network, source_difference

NNET = """// a comment
2, 2, 1, 2,
2, 2, 1,
0,
{low}
{high}
{mean}
{span}
1.0, -0.5,
0.25, 2.0,
0.5,
-1.0,
1.0, -3.0,
0.125,
"""
EXACT = {
    "low": "-1.0, 0.0,",
    "high": "1.0, 2.0,",
    "mean": "0.5, 1.0, 0.25,",
    "span": "2.0, 4.0, 8.0,",
}
TENTHS = {
    "low": "-1.1, 0.1,",
    "high": "1.0, 2.3,",
    "mean": "0.3, 1.7, 0.7,",
    "span": "1.3, 3.7, 0.9,",
}


def value(head, x):
    """What the file says, in rationals."""
    low, high, mean, span = (
        [Fraction(v) for v in head[k].strip(",").split(",")]
        for k in ("low", "high", "mean", "span")
    )
    a, b = (
        (min(max(v, p), q) - m) / s
        for v, p, q, m, s in zip(x, low, high, mean[:2], span[:2], strict=True)
    )
    h, k = max(a - b / 2 + Fraction(1, 2), 0), max(a / 4 + 2 * b - 1, 0)
    return (h - 3 * k + Fraction(1, 8)) * span[2] + mean[2]


@pytest.mark.parametrize(("head", "exact"), [(EXACT, True), (TENTHS, False)])
def test_nnet_files(tmp_path, head, exact):
    (tmp_path / "a.nnet").write_text(NNET.format(**head))
    network = read_network(tmp_path / "a.nnet")
    assert network.origin.is_exact == exact
    assert network.origin.parameters == 9
    difference = Fraction(source_difference(network, (-4.0, 4.0)).item())
    for x in (
        [Fraction(1, 3), Fraction(2, 7)],
        [Fraction(-3), Fraction(1)],
        [Fraction(1, 2), Fraction(4)],
        [Fraction(0)] * 2,
    ):
        assert abs(network.exact([x])[0, 0] - value(head, x)) <= difference
    assert difference < Fraction(1, 2**40)
    assert (difference == 0) == exact


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file ends before the numbers of layers"),
        ("2, 2, 1, 2,\n2, 3, 2,", r"layers of sizes \[2, 3, 2\] do not fit 2 inputs and 1 output"),
        ("2, 2, x, 2,", "line 1: the numbers of layers.* must be numbers"),
        ("1, 1, 1, 1\n1, 1\n0\n0\n1\n0, 0\n0, 1", "ranges must not be 0"),
        ("1, 1, 1, 1\n1, 1\n0\n0\nnan\n0, 0\n0, 1", "line 5: the greatest inputs must be finite"),
        ("1, 1, 1, 1\n1, 1\n0\n0\n1\n0, 0\n1, 1\n", "ends before a row of weights of layer 1"),
    ],
)
def test_broken_nnet_files(tmp_path, text, message):
    (tmp_path / "a.nnet").write_text(text)
    with pytest.raises(ValueError, match=rf"a\.nnet does not describe a network: .*{message}"):
        read_network(tmp_path / "a.nnet")


def test_one_door(tmp_path):
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    network = ReLUNetwork.from_module(module)
    network.save(tmp_path / "a.safetensors")
    program = torch.export.export(module, (torch.zeros(1, 3, dtype=torch.float64),))
    pairs = [(module[i].weight.detach(), module[i].bias.detach()) for i in (0, 2)]
    x = torch.randn(5, 3, dtype=torch.float64)
    for source in (
        module,
        network,
        tmp_path / "a.safetensors",
        str(tmp_path / "a.safetensors"),
        program,
        pairs,
    ):
        assert read_network(source).exact(x).tolist() == network.exact(x).tolist()
    assert read_network(tmp_path / "a.safetensors").origin.digest == network.origin.digest
    with pytest.raises(TypeError, match=r"a ReLUNetwork, a module, .* got dict: load"):
        read_network({})


def test_pickled_files_are_refused_and_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "executed",)

    (tmp_path / "b.pt").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match=r"b\.pt .* execute code: .* export it to ONNX"):
        read_network(tmp_path / "b.pt")
    assert not (tmp_path / "executed").exists()


def test_files_do_not_say_which_of_their_numbers_were_trained(tmp_path):
    """A constant that is taken off the input counts, and is not called a trained parameter."""
    tensors = [
        numpy_helper.from_array(np.ones(shape, np.float32), name)
        for name, shape in (("mean", (1, 2)), ("w", (2, 1)), ("b", (1,)))
    ]
    nodes = [
        helper.make_node("Sub", ["x", "mean"], ["moved"]),
        helper.make_node("Gemm", ["moved", "w", "b"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(n, 1, [1, size]) for n, size in (("x", 2), ("y", 1)))
    opset = [helper.make_opsetid("", 17)]
    graph = helper.make_graph(nodes, "graph", [x], [y], tensors)
    path = tmp_path / "a.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    )
    network = read_network(path)
    assert network.source.endswith(": 5 weights and constants, 3 nonzero entries unrolled")
    assert "weights and constants 5" in repr(network.origin)
    assert "trained" not in network.source + repr(network.origin)


def test_a_network_says_what_it_was_read_from():
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).eval()
    network = ReLUNetwork.from_module(module)
    assert str(network).endswith(
        f"; from module {network.origin.digest[:8]}: 34 trained parameters, "
        f"{network.size.parameters} nonzero entries unrolled, up to rounding"
    )
    assert network.origin.rounded == ("module.1 (BatchNorm1d)",)
    other = ReLUNetwork(network.layers[:1])
    assert other.origin is None
    # it speaks of other layers
    assert ReLUNetwork(network.layers[:1], origin=network.origin).origin is None
