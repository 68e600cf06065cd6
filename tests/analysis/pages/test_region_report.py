"""Regions on the command line and in pictures."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from analysis.commands.cli import main
from analysis.pages.region_figures import regions_figure
from analysis.pages.region_report import MEANINGS, region_bounds, regions_json
from constructions import (
    ReLUNetwork,
    count_regions,
    level_set,
    linear_regions,
    maximum,
    multiplication,
    squaring,
)


@pytest.fixture
def product(tmp_path):
    path = tmp_path / "product.safetensors"
    multiplication(2, 1).save(path)
    return path


def test_json(product, capsys):
    assert main(["regions", str(product), "--box", "-1", "1", "--pieces", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["cells"], found["complete"], found["certified"], found["box"]) == (
        40,
        True,
        True,
        [-1, 1],
    )
    assert found["pieces"] <= found["cells"]
    assert found["bounds"]["activation cells, at most (Serra et al. 2018)"] >= 40


def test_text_says_what_the_number_is(product, capsys):
    assert main(["regions", str(product), "--box", "-1", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("40 activation cells (exact; face lattice")
    assert "  activation cells, at most (Serra et al. 2018): " in out
    assert "  activation cells: parts of the box" in out
    assert "linear pieces: " not in out
    assert main(["regions", str(product), "--box", "-1", "1", "--pieces"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name}: {meaning}\n" in out for name, meaning in MEANINGS.items())


def test_an_early_end_is_told(product, capsys):
    assert main(["regions", str(product), "--max-seconds", "0"]) == 0
    assert capsys.readouterr().out.startswith("at least 1 activation cells (certified lower bound")
    assert main(["regions", str(product), "--max-seconds", "0", "--plot", "x.svg"]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("at least")
    assert "was not drawn" in err


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_plot(product, tmp_path, suffix, capsys):
    picture = tmp_path / f"cells{suffix}"
    assert main(["regions", str(product), "--box", "-1", "1", "--plot", str(picture)]) == 0
    assert picture.stat().st_size > 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.npz"], "nowhere"),
        (["{path}", "--box", "1", "0"], "lower < upper"),
        (["{path}", "--max-cells", "-3"], "max_cells"),
    ],
)
def test_errors(product, arguments, message, capsys):
    assert main(["regions", *(a.format(path=product) for a in arguments)]) == 2
    assert message in capsys.readouterr().err


def test_no_picture_of_many_inputs(tmp_path, capsys):
    maximum(4).save(tmp_path / "max.safetensors")
    assert main(["regions", str(tmp_path / "max.safetensors"), "--plot", "x.png"]) == 2
    assert "on_plane" in capsys.readouterr().err
    with pytest.raises(ValueError, match="1 or 2 inputs"):
        regions_figure(linear_regions(maximum(3), (0, 1)))


def test_picture_of_a_function():
    axes = regions_figure(linear_regions(squaring(3), (0, 1))).axes[0]
    (line,) = axes.get_lines()
    x, y = line.get_data()
    assert np.array_equal(x, np.arange(9) / 8)
    assert np.array_equal(y, x**2)


def test_picture_of_classes_and_levels():
    torch.manual_seed(0)
    classes = ReLUNetwork.from_module(nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 3)))
    found = linear_regions(classes, (-1, 1))
    levels = [level_set(classes, (-1, 1), output=(i, j)) for i, j in ((0, 1), (0, 2), (1, 2))]
    figure = regions_figure(found, levels=levels, title="classes")
    polygons = figure.axes[0].collections[0]
    assert len(polygons.get_paths()) == found.cells
    assert figure.axes[0].get_title() == "classes"


def test_picture_shows_all_edges_and_the_boundary():
    network = multiplication(2, 1)
    found, boundary = linear_regions(network, (-1, 1)), level_set(network, (-1, 1))
    axes = regions_figure(found, boundary).axes[0]
    lengths = [len(c.get_segments()) for c in axes.collections if hasattr(c, "get_segments")]
    assert lengths[0] == found.faces[1]
    assert lengths[-1] == len(boundary.faces)


def test_reports_are_plain_values():
    found = count_regions(squaring(2), (0, 1), pieces=True)
    assert json.loads(json.dumps(regions_json(found)))["pieces"] == 4
    assert region_bounds(ReLUNetwork.from_layers([([[1.0]], [0.0])])) == {}
    assert all(
        bound >= 4 for name, bound in region_bounds(squaring(2)).items() if "at most" in name
    )
