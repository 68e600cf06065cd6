"""What holds of every classic: it is one short function, it goes into files and ONNX graphs and
back, and it says where it is from.
"""

import inspect
import itertools

import pytest
from classics import CASES
from oracles import counts

import constructions
from constructions import load, write_onnx

CALLS = [(name, k) for name, cases in CASES.items() for k in range(len(cases))]


@pytest.mark.parametrize(("name", "k"), CALLS)
def test_files_and_graphs_keep_it(tmp_path, name, k):
    network = getattr(constructions, name)(**CASES[name][k])
    network.save(tmp_path / "f.safetensors")
    read = load(tmp_path / "f.safetensors")
    assert constructions.explain(read) == constructions.explain(network)
    assert counts(read) == counts(network)
    held = write_onnx(network, tmp_path / "f.onnx")
    assert held is network
    again = load(tmp_path / "f.onnx")
    size = network.size
    assert (again.size.parameters, again.size.units) == (size.parameters, size.units)
    low, high = (max(-2, min(2, end)) for end in network.domain or (-2, 2))
    corners = itertools.islice(itertools.product((low, high), repeat=network.inputs), 16)
    points = [*corners, [(low + high) / 2] * network.inputs]
    assert network.exact(points).tolist() == read.exact(points).tolist()
    assert network.exact(points).tolist() == again.exact(points).tolist()


@pytest.mark.parametrize("name", CASES)
def test_sources_are_short(name):
    source = inspect.getsource(inspect.unwrap(getattr(constructions, name)))
    body = source.split('"""')[-1]
    assert len(body.splitlines()) <= 80
