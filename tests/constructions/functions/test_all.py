"""What holds of every classic: its source is short, it goes into files and ONNX graphs and
back, and it says where it is from.
"""

import ast
import inspect
import itertools
from pathlib import Path

import pytest
from classics import CASES
from oracles import counts

import constructions
from constructions import load, write_onnx

ROOT = Path(constructions.__file__).parent

FILES = [*sorted((ROOT / "functions").glob("*.py")), ROOT / "gadgets" / "shallow_maximum.py"]

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


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_sources_are_short(file):
    """Lines but blank ones, comments and docstrings."""
    text = file.read_text()
    told = {
        k
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for k in range(node.lineno, node.end_lineno + 1)
    }
    lines = {k: line.strip() for k, line in enumerate(text.splitlines(), 1) if k not in told}
    assert sum(bool(line) and line[0] != "#" for line in lines.values()) < 80


def test_no_classic_is_left_out():
    homes = {inspect.getfile(inspect.unwrap(getattr(constructions, name))) for name in CASES}
    assert {Path(home) for home in homes} <= set(FILES)
