"""Shares of balls decided within a time: intervals, resuming, interruption, hopeless balls."""

import itertools
import json
import os

import numpy as np
import pytest
import torch

from analysis import Measured, certified_margins, robust_error
from analysis.certification import balls
from analysis.checkers import check_certificate as checker
from constructions import Ball, ReLUNetwork, affine, compose, f_S, level_set, separation

BALL = Ball("inf", 0.05)


@pytest.fixture
def case():
    """A random network that is right at most of its points, in places by little."""
    rng = np.random.default_rng(1)
    sizes = [4, 12, 12, 1]
    layers = [
        (rng.normal(size=(b, a)) / np.sqrt(a), rng.normal(size=b) / 4)
        for a, b in itertools.pairwise(sizes)
    ]
    network = ReLUNetwork.from_layers(layers)
    points = torch.from_numpy(rng.integers(0, 17, size=(40, 4)) / 16)
    labels = torch.where(network(points)[:, 0] > 0, 1, -1)
    labels[:3] *= -1
    return network, points, labels


def test_all_balls_are_decided_and_the_certificate_holds(case, tmp_path):
    network, points, labels = case
    told = []
    file = tmp_path / "balls.json"
    found = robust_error(
        network, points, labels, BALL, max_seconds=60.0, certificate=file, report=told.append
    )
    assert found.lower.count == found.upper.count
    assert torch.equal(found.proved, ~found.refuted)
    assert 3 <= found.lower.count < 40
    assert [t.stage for t in told if t.stage.startswith("proving")][-1].split()[1] == (
        f"{100 * found.lower.value:.1f}%"
    )
    assert all(not why for why, _ in checker.judge(json.loads(file.read_text())))
    held = [query["verdict"] for query in json.loads(file.read_text())["queries"]]
    assert held.count("refuted") == found.lower.count
    assert "robust error " + str(Measured.share(found.lower.count, 40)) in str(found)
    margins = network(found.adversarial)[:, 0] * labels
    assert bool((margins[found.refuted] <= 1e-9).all())


def distance(point, segment):
    """From a point of the plane to a segment, in float64."""
    a, b = (np.array([float(v) for v in end]) for end in segment)
    share = float((point - a) @ (b - a)) / max(float((b - a) @ (b - a)), 1e-300)
    return float(np.linalg.norm(a + min(max(share, 0.0), 1.0) * (b - a) - point))


def test_the_share_of_l_2_balls_is_that_of_distances_to_the_boundary(tmp_path):
    """With two inputs the decision boundary is a union of segments, which `level_set` has."""
    rng = np.random.default_rng(3)
    layers = [
        (rng.normal(size=(b, a)), rng.normal(size=b) / 2)
        for a, b in itertools.pairwise([2, 10, 8, 1])
    ]
    points = torch.from_numpy(rng.integers(0, 65, size=(40, 2)) / 64)
    layers[-1][1][0] -= float(ReLUNetwork.from_layers(layers)(points).median())
    network = ReLUNetwork.from_layers(layers)
    labels = torch.where(network(points)[:, 0] > 0, 1, -1)
    boundary = level_set(network, (0, 1))
    segments = [boundary.vertices[face] for face in boundary.faces]
    far = np.array([min(distance(x, s) for s in segments) for x in points.numpy()])
    radius = float(np.round(np.median(far) * 64)) / 64
    assert np.abs(far - radius).min() > 1e-4
    file = tmp_path / "balls.json"
    found = robust_error(
        network, points, labels, Ball(2, radius), max_seconds=60.0, certificate=file
    )
    assert found.refuted.tolist() == (far < radius).tolist()
    assert found.proved.tolist() == (far > radius).tolist()
    assert 10 < found.lower.count < 30
    held = json.loads(file.read_text())
    assert all("ball" in query for query in held["queries"])
    assert all(not why for why, _ in checker.judge(held))


def test_a_later_call_goes_on_from_the_certificate(case, tmp_path, monkeypatch):
    network, points, labels = case
    file = tmp_path / "balls.json"
    whole = robust_error(network, points, labels, BALL, max_seconds=60.0, certificate=file)
    real, calls = balls.decide_margin, []

    def few(*given):
        calls.append(0)
        if len(calls) > 5:
            raise KeyboardInterrupt
        return real(*given)

    file.unlink()
    monkeypatch.setattr(balls, "decide_margin", few)
    part = robust_error(network, points, labels, BALL, max_seconds=60.0, certificate=file)
    assert part.lower.count <= whole.lower.count < part.upper.count
    assert int(part.proved.sum()) > 0
    monkeypatch.setattr(balls, "decide_margin", lambda *given: calls.append(1) or real(*given))
    calls.clear()
    again = robust_error(network, points, labels, BALL, max_seconds=60.0, certificate=file)
    assert torch.equal(again.proved, whole.proved)
    assert len(calls) == 40 - int(again.refuted.sum()) - int(part.proved.sum())


def test_points_with_large_margins_come_first(case, monkeypatch):
    network, points, labels = case
    asked = []
    unresolved = balls.Certification("unresolved", reason="time limit")
    monkeypatch.setattr(
        balls, "decide_margin", lambda net, box, label, s: asked.append(box) or unresolved
    )
    found = robust_error(network, points, labels, BALL, max_seconds=30.0)
    margins = (network(found.adversarial)[:, 0] * labels)[~found.refuted]
    order = margins.argsort(descending=True)
    expected = points[~found.refuted][order][:, 0].tolist()
    assert [float(max(0, box.lower[0])) for box in asked] == [max(0.0, v - 0.05) for v in expected]


def test_what_is_known_is_written_while_others_are_tried(case, tmp_path, monkeypatch):
    network, points, labels = case
    file, real, held = tmp_path / "balls.json", balls.decide_margin, []

    def counted(*given):
        held.append(len(json.loads(file.read_text())["queries"]) if file.exists() else 0)
        return real(*given)

    monkeypatch.setattr(balls, "EVERY", 0.0)
    monkeypatch.setattr(balls, "decide_margin", counted)
    robust_error(network, points, labels, BALL, max_seconds=60.0, certificate=file)
    assert held[0] == 0
    assert held[2] > held[1] > 0


def test_a_later_call_gives_each_ball_that_is_left_its_share(case, tmp_path, monkeypatch):
    network, points, labels = case
    file, seconds = tmp_path / "balls.json", []
    unresolved = balls.Certification("unresolved", reason="time limit")

    def undecided(*given):
        seconds.append(given[-1])
        return unresolved

    robust_error(network, points[:20], labels[:20], BALL, max_seconds=60.0, certificate=file)
    monkeypatch.setattr(balls, "decide_margin", undecided)
    found = robust_error(network, points, labels, BALL, max_seconds=600.0, certificate=file)
    left = 20 - int(found.refuted[20:].sum())
    assert len(seconds) == left
    assert seconds == [pytest.approx(600 / left)] * left


def test_a_time_that_is_too_short_proves_less_and_nothing_wrong(case):
    network, points, labels = case
    found = robust_error(network, points, labels, BALL, max_seconds=1e-9)
    assert found.upper.count == 40
    assert int(found.proved.sum()) == 0


def test_a_ball_that_ends_before_its_time_is_not_tried_again(monkeypatch):
    calls = []
    unresolved = balls.Certification("unresolved", reason="the margin is 0")
    monkeypatch.setattr(balls, "decide_margin", lambda *given: calls.append(0) or unresolved)
    found = robust_error(affine([[1.0]]), [[0.5]], [1], Ball("inf", 0.1), max_seconds=30.0)
    assert len(calls) == 1
    assert found.upper.count == 1


def test_points_proved_before_are_not_asked_about(case, monkeypatch):
    network, points, labels = case
    monkeypatch.setattr(balls, "decide_margin", None)  # would fail
    proved = robust_error(network, points, labels, BALL).refuted.logical_not()
    found = robust_error(network, points, labels, BALL, proved=proved, max_seconds=1.0)
    assert found.upper.count == found.lower.count


def test_large_networks_are_bounded_first(case, tmp_path, monkeypatch):
    """What linear bounds prove is not searched for; in all, the same is proved and refuted. The
    certificate has what was searched for."""
    network, points, _ = case
    network = compose(affine([[1.0]], [-float(network(points).median())]), network)
    labels, ball = torch.where(network(points)[:, 0] > 0, 1, -1), Ball("inf", 0.3)
    whole = robust_error(network, points, labels, ball, max_seconds=60.0)
    real, asked, file = balls.decide_margin, [], tmp_path / "balls.json"
    monkeypatch.setattr(balls, "SMALL", 0)
    monkeypatch.setattr(balls, "decide_margin", lambda *given: asked.append(0) or real(*given))
    found = robust_error(network, points, labels, ball, max_seconds=60.0, certificate=file)
    bounded = int((certified_margins(network, points, labels, ball)[~found.refuted] > 0).sum())
    assert 0 < bounded < int(found.proved.sum())
    assert torch.equal(found.proved, whole.proved)
    attacked = int(robust_error(network, points, labels, ball).refuted.sum())
    assert len(asked) == 40 - bounded - attacked
    assert torch.equal(found.refuted, whole.refuted)
    assert len(json.loads(file.read_text())["queries"]) == len(asked)
    few = robust_error(network, points, labels, ball, max_seconds=1e-9)
    assert int(few.proved.sum()) == 0


def test_balls_that_would_take_longer_than_is_left_are_not_begun(case, monkeypatch):
    network, points, labels = case
    unresolved = balls.Certification("unresolved", reason="time limit")
    clock, calls = [0.0], []

    def slow(*given):
        calls.append(given[-1])
        clock[0] += given[-1] + 40.0  # to read and check takes so long whatever the limit
        return unresolved

    monkeypatch.setattr(balls, "now", lambda: clock[0])
    monkeypatch.setattr(balls, "decide_margin", slow)
    robust_error(network, points, labels, BALL, max_seconds=100.0)
    assert len(calls) == 2
    assert clock[0] <= 100.0


@pytest.mark.parametrize("norm", ["inf", 2])
def test_the_networks_that_are_asked_about_are_f_s_on_their_balls(norm):
    """Each equals the whole f_S at random points of its ball; far from centres all are f_clean."""
    generator = torch.Generator().manual_seed(1)

    def uniform(*shape):
        return torch.rand(*shape, dtype=torch.float64, generator=generator)

    centres = uniform(40, 3)
    labels = torch.where(centres[:, 0] > 0.5, 1, -1)
    labels[:6] *= -1
    apart = separation(centres, labels, norm=float(norm)).distance
    ball = Ball(norm, apart / 4)
    network = f_S(affine([[4.0, 1.0, 0.0]], [-2.5]), centres, labels, ball)
    points = uniform(60, 3)
    points[:30] = (centres[:30] + (uniform(30, 3) - 0.5) * 1.5 * apart).clamp(0, 1)
    asked = balls.Balls(network, points, [1] * 60, ball, range(60), {}, {}).near
    assert sorted(asked) == list(range(60))
    assert 1 < len({id(local) for local in asked.values()}) < 60
    for row, local in asked.items():
        around = points[row] + (uniform(40, 3) - 0.5) * 2 * ball.radius
        inside = ball.project(around, points[row].expand(40, 3)).clamp(0, 1)
        assert torch.allclose(local(inside), network(inside, screened=False), atol=1e-9)


def test_bad_input(case, tmp_path, monkeypatch):
    network, points, labels = case
    with pytest.raises(ValueError, match="max_seconds must be > 0, got 0"):
        robust_error(network, points, labels, BALL, max_seconds=0)
    with pytest.raises(TypeError, match=r"ball must be a Ball, got float"):
        robust_error(network, points, labels, 0.1)
    with pytest.raises(ValueError, match=r"points must lie in \[0, 1\], got values in \[0, 255\]"):
        robust_error(network, 255 * points, labels, BALL)
    for path in (tmp_path, tmp_path / "none" / "a.json"):
        with pytest.raises(ValueError, match="must be a file in a folder that exists, got"):
            robust_error(network, points, labels, BALL, max_seconds=1.0, certificate=path)
    with pytest.raises(ValueError, match="certificate needs max_seconds"):
        robust_error(network, points, labels, BALL, certificate=tmp_path / "a.json")
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *given: False)
        with pytest.raises(ValueError, match="must be in a folder that can be written to, got"):
            robust_error(network, points, labels, BALL, max_seconds=1.0, certificate="a.json")
    found = robust_error(network, points[:1], labels[:1], BALL, max_seconds=10**400)
    assert found.lower.count == found.upper.count
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(ValueError, match="no certificate that could be continued"):
        robust_error(
            network, points, labels, BALL, max_seconds=1.0, certificate=tmp_path / "a.json"
        )
