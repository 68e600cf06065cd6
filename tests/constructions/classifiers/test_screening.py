"""f_S from the centres that matter at a point is f_S: in exact arithmetic, in floats, with
gradients, and on balls.
"""

import pickle
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import nn

from constructions import (
    VARIANTS,
    Ball,
    Engine,
    ReLUNetwork,
    affine,
    f_adv,
    f_S,
    load,
    localize,
    sharded_values,
)
from constructions.classifiers.screening import MemorizerScreen

NORMS = ("inf", 2)
FORMS = [(norm, variant, outputs) for norm in NORMS for variant in VARIANTS for outputs in (1, 3)]


def example(norm, variant, outputs, dimension=3, seed=0, spread=5):
    """f_S of corners of a grid, two of them near each other where the form allows it, and points
    around them.
    """
    rng = np.random.default_rng(seed)
    cells = rng.permutation(spread**dimension)[:12]
    grid = np.stack(np.unravel_index(cells, (spread,) * dimension), 1) / (spread - 1)
    centres = (0.1 + 0.8 * grid + 0.01 * rng.random(grid.shape)).clip(0, 1)
    labels = rng.integers(0, outputs, 12) if outputs > 1 else rng.choice([-1, 1], 12)
    radius = 0.04 if norm == "inf" else 0.05
    if variant != "paper":
        centres[1], labels[1] = centres[0] + radius / 2, labels[0]
    torch.manual_seed(seed)
    clean = nn.Sequential(nn.Linear(dimension, 6), nn.ReLU(), nn.Linear(6, outputs)).double()
    network = f_S(clean, centres, labels, Ball(norm, radius), variant=variant)
    facts = network.provenance.arguments
    reach = float(facts["outer"]) if norm == "inf" else float(facts["outer"]) ** 0.5
    directions = rng.standard_normal((60, dimension))
    directions /= np.linalg.norm(
        directions, ord=np.inf if norm == "inf" else 2, axis=1, keepdims=True
    )
    lengths = reach * np.repeat([0, 0.5, 0.85, 0.999, 1 - 1e-13, 1 + 1e-13], 10)
    points = centres[rng.integers(0, 12, 60)] + lengths[:, None] * directions
    return (
        network,
        torch.from_numpy(np.concatenate([points, rng.random((20, dimension))]).clip(0, 1)),
        Ball(norm, radius),
    )


@pytest.mark.parametrize(("norm", "variant", "outputs"), FORMS)
def test_values_are_those_of_the_whole_network(norm, variant, outputs):
    network, points, _ = example(norm, variant, outputs)
    assert (
        network.exact(points.numpy(), screened=True)
        == network.exact(points.numpy(), screened=False)
    ).all()
    for dtype, tolerance in ((torch.float64, 1e-11), (torch.float32, 1e-3)):
        x = points.to(dtype)
        values = network(x, screened=True)
        assert values.dtype == dtype
        assert torch.allclose(values, network(x, screened=False), rtol=0, atol=tolerance)
        # a small network is evaluated whole
        assert torch.equal(network(x), network(x, screened=False))


@pytest.mark.parametrize(("norm", "variant", "outputs"), FORMS)
def test_gradients_are_those_of_the_whole_network(norm, variant, outputs):
    network, points, _ = example(norm, variant, outputs)
    points = points[:30].reshape(5, 6, 3)  # well away from the thresholds, on which gradients jump
    found = []
    for screened in (True, False):
        x = points.clone().requires_grad_(True)
        values = network(x, screened=screened)
        assert values.shape == (5, 6, outputs)
        found.append(torch.autograd.grad(values.square().sum(), x)[0])
    assert torch.allclose(*found, rtol=1e-9, atol=1e-9)
    assert found[0].abs().max() > 0.1


@pytest.mark.parametrize(("norm", "variant", "outputs"), FORMS)
def test_on_balls_the_network_is_the_local_one(norm, variant, outputs):
    """Every point is in one group; anywhere in its ball, in either norm, both networks have the
    same exact value.
    """
    network, points, _ = example(norm, variant, outputs)
    points, rng = points[::2], torch.Generator().manual_seed(0)
    for ball in (Ball("inf", 0.03), Ball(2, 0.05), None):
        seen = []
        for rows, local in localize(network, points, ball):
            seen += rows.tolist()
            x = points[rows]
            moved = (
                x
                if ball is None
                else (
                    ball.sample(x, rng) * 0.5
                    + (x + ball.radius * ball.ascent(torch.randn_like(x))) * 0.5
                )
            )
            moved = moved.clamp(0, 1)
            assert (
                local.exact(moved.numpy()) == network.exact(moved.numpy(), screened=False)
            ).all()
            assert local.size.units <= network.size.units
        assert sorted(seen) == list(range(len(points)))


@given(seed=st.integers(0, 10**6), dimension=st.integers(1, 4), form=st.sampled_from(FORMS))
def test_random_networks(seed, dimension, form):
    try:
        network, points, _ = example(
            *form, dimension=dimension, seed=seed, spread={1: 13, 2: 5, 3: 4, 4: 3}[dimension]
        )
    except ValueError:  # no room between these centres
        assume(False)
    points = points[torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))[:25]]
    assert (
        network.exact(points.numpy(), screened=True)
        == network.exact(points.numpy(), screened=False)
    ).all()


def test_small_margin_networks_and_far_points():
    clean = affine([[4.0, 0.0]], [-2.0])
    points, labels = [[0.4375, 0.5], [1.0, 0.5]], [-1, 1]
    network = f_adv(clean, points, labels, Ball("inf", 0.125), margins=[0.0625, 0.5])
    ((far, local),) = localize(network, [[1.0, 0.5], [1.0, 1.0]])
    assert local.layers is network.screen.memorizer.clean.layers
    assert far.tolist() == [0, 1]
    assert network.exact([[Fraction(1, 3), 1]], screened=True) == network.exact(
        [[Fraction(1, 3), 1]]
    )
    assert network(torch.empty(0, 2), screened=True).shape == (0, 1)
    assert network(torch.empty(3, 0, 2), screened=True).shape == (3, 0, 1)
    assert network.exact(np.empty((0, 2)), screened=True).shape == (0, 1)


def test_large_networks_are_screened_by_themselves(monkeypatch):
    """Values are the same; what is computed has two centres instead of 1,024."""
    rng = np.random.default_rng(0)
    centres, labels = rng.integers(0, 2, (1024, 64)).astype(np.float64), rng.choice([-1, 1], 1024)
    network = f_S(affine(np.ones((1, 64)) / 64, [0.0]), centres, labels, Ball("inf", 0.25))
    x, widths, forward = torch.from_numpy(centres[:2]) * 0.9, [], ReLUNetwork._forward
    monkeypatch.setattr("constructions.networks.network.MEMORY_LIMIT", 2**21)  # of one point
    monkeypatch.setattr(
        ReLUNetwork, "_forward", lambda self, x: widths.append(self.size.width) or forward(self, x)
    )
    assert torch.equal(network(x), network(x, screened=False))
    assert widths == [2 * 2 * 64 + 2, network.size.width, network.size.width]


@pytest.mark.parametrize("norm", NORMS)
def test_shards_give_the_same_values_everywhere(norm, tmp_path, monkeypatch):
    """Workers get the parts of a screened network; files keep what was computed."""
    rng = np.random.default_rng(0)
    centres, labels = rng.integers(0, 2, (1200, 100)) * 0.8, rng.choice([-1, 1], 1200)
    network = f_S(nn.Linear(100, 1), centres, labels, Ball(norm, 0.1))
    points = torch.from_numpy(centres).float()[:1100] + 0.05
    alone = sharded_values(network, points)
    assert alone.dtype == torch.float32
    assert torch.equal(
        alone,
        torch.cat([network(points[:1024], screened=True), network(points[1024:], screened=True)]),
    )
    journal, seen = tmp_path / "journal", []
    engine = Engine(jobs=2, journal=journal, report=lambda p: seen.append((p.done, p.total)))
    assert torch.equal(sharded_values(network, points, engine=engine), alone)
    assert seen == [(0, 2), (1, 2), (2, 2)]
    assert torch.equal(sharded_values(network, points, engine=engine), alone)
    assert seen[3:] == [(2, 2)]
    with pytest.raises(ValueError, match="another computation"):
        sharded_values(network, points + 0.01, engine=engine)
    plain = affine(np.ones((2, 100)))
    assert torch.equal(
        sharded_values(plain, points.double(), engine=Engine(jobs=2)), plain(points.double())
    )
    for wrong in (points[0], points[:, :3], points * float("nan"), points + 9):
        with pytest.raises(ValueError, match=r"points must have|x must"):
            sharded_values(network, wrong)


def test_networks_travel_between_processes():
    network, points, _ = example(2, "gate", 3)
    again = pickle.loads(pickle.dumps(network))
    assert torch.equal(again(points), network(points))
    assert torch.equal(again(points, screened=True), network(points, screened=True))
    assert torch.equal(again(points.float()), network(points.float()))
    assert again.restrict((0.0, 0.5)).screen is again.screen
    assert again.screen is not None


def test_a_network_with_other_layers_is_not_evaluated_through_the_old_screen():
    network, points, _ = example("inf", "lean", 1)
    last = network.layers[-1]
    changed = replace(network, layers=(*network.layers[:-1], replace(last, weight=-last.weight)))
    assert changed.screen is None
    assert torch.equal(changed(points), -network(points))
    assert network.restrict(None).screen is network.screen


@pytest.mark.parametrize("outputs", [1, 3])
def test_files_keep_screens_and_are_checked(tmp_path, monkeypatch, outputs):
    monkeypatch.setattr("constructions.classifiers.screening.SCREENED_FROM", 1)
    network, points, _ = example("inf", "lean", outputs)
    network.save(tmp_path / "f.safetensors")
    again = load(tmp_path / "f.safetensors")
    assert again.screen is not None
    assert torch.equal(again(points), network(points))
    assert torch.equal(again(points, screened=False), network(points, screened=False))
    strange = example("inf", "lean", outputs, seed=1)[0].screen.memorizer
    other = replace(network, screen=MemorizerScreen(strange, network.layers))
    other.save(tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="its layers are not those of the memorizer that it names"):
        load(tmp_path / "other.safetensors")
    clean = network.screen.memorizer.clean
    mixed = replace(network.screen.memorizer, clean=affine(np.ones((outputs, 3))))
    mixed = replace(network, screen=MemorizerScreen(mixed, network.layers))
    assert clean is not mixed.screen.memorizer.clean
    mixed.save(tmp_path / "mixed.safetensors")
    with pytest.raises(ValueError, match="its layers are not those"):
        load(tmp_path / "mixed.safetensors")


def test_wrong_arguments_are_named():
    plain = affine([[1.0, 0.0]])
    with pytest.raises(ValueError, match="network without a screen"):
        plain([[0.0, 0.0]], screened=True)
    ((rows, local),) = localize(plain, [[5.0, 0.0]])
    assert (rows.tolist(), local) == ([0], plain)
    network, points, _ = example("inf", "lean", 1)
    with pytest.raises(ValueError, match=r"x must have shape \(\.\.\., 3\), got \(2, 2\)"):
        localize(network, [[0.0, 0.0], [0.0, 0.0]])
    with pytest.raises(ValueError, match=r"points must have shape \(M, 3\), got \(3,\)"):
        localize(network, [0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="NaN"):
        network(points * float("nan"), screened=True)
    with pytest.raises(ValueError, match="domain"):
        network.exact((points + 1).numpy(), screened=True)
    with pytest.raises(TypeError, match="network must be a ReLUNetwork"):
        localize(nn.Linear(1, 1), [[0.0]])
