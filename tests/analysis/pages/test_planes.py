"""Pictures of networks on planes and segments: one convention of colours, legends that say it."""

import numpy as np
import pytest
import torch

from analysis import Inspection, plot_plane, plot_regions
from analysis.pages.plots import network_figure
from constructions import (
    Ball,
    affine,
    f_S,
    level_set,
    linear_regions,
    multiplication,
    on_plane,
    on_segment,
    read_network,
)

POINTS, LABELS, BALL = [[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball("inf", 0.125)
CLEAN = affine([[0.0, 4.0]], [-2.0])
BUILT = f_S(CLEAN, POINTS, LABELS, BALL)
SLICED = on_plane(multiplication(2, 1), [0, 0], [1, 0], [0, 1])


def words(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def colour(axes, image, x, y):
    """What stands at a place, (red, green, blue)."""
    values, (left, right, low, high) = np.asarray(image.get_array()), image.get_extent()
    rows, columns = values.shape
    row, column = int((y - low) / (high - low) * rows), int((x - left) / (right - left) * columns)
    return image.cmap(image.norm(values[row, column]))[:3]


def test_red_is_positive_in_all_pictures():
    drawn = plot_plane(BUILT, points=POINTS, labels=LABELS, ball=BALL, steps=81)
    regions = plot_regions(linear_regions(BUILT, (0, 1)), points=POINTS, labels=LABELS, ball=BALL)
    seen = network_figure(BUILT).axes[-2]  # the last is its colour bar
    for axes in (drawn, seen):
        (image,) = axes.get_images()
        red, _, blue = colour(axes, image, 0.25, 0.5)
        assert red > blue
        red, _, blue = colour(axes, image, 0.75, 0.5)
        assert red < blue
    mesh = regions.collections[0]
    assert mesh.cmap.name == "RdBu_r"
    for axes in (drawn, regions, seen):
        assert axes.figure.axes[-1].get_ylabel().startswith("output (red > 0: class +1")


def test_legends_name_what_is_drawn():
    every = [
        "output = 0",
        "label -1",
        "label +1",
        "ball, radius 0.125",
        "outer border of the shell",
    ]
    axes = plot_plane(BUILT, points=POINTS, labels=LABELS, ball=BALL, steps=41)
    assert words(axes) == every
    assert len(axes.patches) == 4  # ball and outer ball of each point
    clean = plot_plane(CLEAN, points=POINTS, ball=Ball(2, 0.25), steps=41)
    assert words(clean) == ["output = 0", "points", "ball, radius 0.25"]
    found = linear_regions(BUILT, (0, 1))
    boundary = level_set(BUILT, (0, 1))
    regions = plot_regions(found, boundary, points=POINTS, labels=LABELS, ball=BALL)
    assert words(regions) == ["decision boundary", *every[1:]]
    assert boundary.segments.shape == (len(boundary.faces), 2, 2)


def test_classes_have_a_legend():
    torch.manual_seed(0)
    layers = torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
    scores = read_network(torch.nn.Sequential(*layers).double())
    axes = plot_plane(scores, (-2, 2), points=[[0.0, 0.0], [0.5, 0.5]], labels=[0, 2], steps=41)
    with torch.no_grad():
        line = torch.linspace(-2, 2, 41, dtype=torch.float64)
        there = sorted(set(scores(torch.cartesian_prod(line, line)).argmax(1).tolist()))
    assert words(axes) == [*(f"class {k}" for k in there), "label 0", "label 2"]
    found = linear_regions(scores, (-2, 2))  # a cell has the class of the point inside it
    winners = scores(torch.from_numpy(found.points)).argmax(1)
    assert words(plot_regions(found)) == [f"class {k}" for k in sorted(set(winners.tolist()))]


def test_slices_mark_their_points():
    for axes in (
        plot_plane(SLICED, steps=21),
        plot_regions(linear_regions(SLICED, (0, 1))),
        network_figure(SLICED).axes[-2],
    ):
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("s", "t")
        assert [text.get_text() for text in axes.texts] == ["origin", "first", "second"]
    assert plot_plane(BUILT, steps=21).get_xlabel() == "x₁"
    line = on_segment(multiplication(2, 1), [0, 0], [1, 1])
    for axes in (plot_regions(linear_regions(line, (0, 1))), network_figure(line).axes[-1]):
        assert axes.get_xlabel() == "t"
        assert [text.get_text() for text in axes.texts] == ["start", "end"]


def test_a_saved_slice_is_still_one(tmp_path):
    SLICED.save(tmp_path / "slice.safetensors")
    again = read_network(tmp_path / "slice.safetensors")
    assert plot_plane(again, steps=21).texts[0].get_text() == "origin"
    assert Inspection(again).plot(tmp_path / "slice.svg")


def test_the_graph_of_units_has_a_legend():
    assert words(network_figure(multiplication(1, 1)).axes[0]) == [
        "weight > 0",
        "weight < 0 (thicker: larger)",
    ]


def test_errors():
    with pytest.raises(ValueError, match="on_plane"):
        plot_plane(affine([[1.0, 1.0, 1.0]]))
    with pytest.raises(ValueError, match=r"output must be in 0\.\.0, got 1"):
        plot_plane(CLEAN, output=1)
    with pytest.raises(ValueError, match="points must be given"):
        plot_plane(CLEAN, ball=BALL)
    with pytest.raises(ValueError, match="use -1/\\+1"):
        plot_plane(CLEAN, points=POINTS, labels=[0, 1])
    with pytest.raises(ValueError, match="2 inputs"):
        _ = level_set(affine([[1.0]], [-0.5]), (0, 1)).segments


def test_drawing_changes_no_module():
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Dropout(0.5)).train()
    state, random = {k: v.clone() for k, v in module.state_dict().items()}, torch.get_rng_state()
    plot_plane(module.eval(), steps=5)
    assert not module.training
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(state[k], v) for k, v in module.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in module.parameters())
