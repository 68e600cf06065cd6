"""Certified margins, errors and flatness."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from toys import toy

from analysis import (
    Inspection,
    Measured,
    certified_margins,
    certify_memorization,
    clean_error,
    robust_error,
)
from analysis.behaviour import counterexamples
from analysis.behaviour.counterexamples import certainly_wrong
from constructions import (
    Ball,
    ReLUNetwork,
    affine,
    compose,
    explain,
    f_S,
    parallel,
    separation,
    soft_indicator,
    source_difference,
    squaring,
)
from training import mlp, output_margin

NORMS = ["inf", 2]


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("widths", [(), (8,), (12, 9, 7)])
def test_certified_margins_are_below_every_sampled_margin(p, outputs, widths):
    network = ReLUNetwork.from_module(mlp([3, *widths, outputs], seed=2))
    points, labels = toy(classes=3 if outputs == 3 else None)
    for radius in (0.0, 0.05, 0.4):
        ball = Ball(p, radius)
        bound = certified_margins(network, points, labels, ball)
        for seed in range(20):
            sample = ball.sample(points, torch.Generator().manual_seed(seed)).clamp(0, 1)
            assert (bound <= output_margin(network(sample), labels)).all()
    tight = certified_margins(network, points, labels, Ball(p, 0.0))
    assert torch.allclose(tight, output_margin(network(points), labels), atol=1e-9)
    assert (tight < output_margin(network(points), labels)).all()  # the rounding is subtracted


@pytest.mark.parametrize("outputs", [1, 3])
def test_what_was_rounded_on_reading_is_taken_off_and_rounded_down(outputs):
    norm = torch.nn.BatchNorm1d(outputs)
    norm.running_var.fill_(3.0)
    read = ReLUNetwork.from_module(torch.nn.Sequential(mlp([2, 6, outputs]), norm).double().eval())
    points = torch.rand(200, 2, dtype=torch.float64)
    labels = torch.ones(200, dtype=torch.int64)
    ball = Ball("inf", 0.01)
    found = certified_margins(read, points, labels, ball).tolist()
    layers_alone = certified_margins(ReLUNetwork(read.layers), points, labels, ball).tolist()
    lost = [Fraction(v) for v in source_difference(read, (0.0, 1.0)).tolist()]
    less = lost[0] if outputs == 1 else lost[1] + max(lost[0], lost[2])
    pairs = [(Fraction(a), Fraction(b) - less) for a, b in zip(found, layers_alone, strict=True)]
    assert less > 0
    assert all(a <= b for a, b in pairs)
    assert all(b - a < Fraction(1, 2**48) * (1 + abs(b)) for a, b in pairs)


@pytest.mark.parametrize(("p", "dual"), [("inf", 1), (2, 2)])
def test_certified_margin_of_a_linear_network_is_the_distance(p, dual):
    w = torch.tensor([[0.5, -0.25, 1.0]], dtype=torch.float64)
    points = torch.full((1, 3), 0.5, dtype=torch.float64)
    bound = certified_margins(affine(w), points, torch.tensor([1]), Ball(p, 0.125))
    assert bound.item() == pytest.approx(
        0.625 - 0.125 * float(torch.linalg.vector_norm(w, ord=dual)), abs=1e-12
    )


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("classes", [None, 3])
def test_f_s_is_proved_on_training_balls_and_refuted_elsewhere(p, classes):
    points, labels = toy(classes=classes)
    # one label everywhere
    clean = affine(torch.zeros(classes or 1, 3), [-1.0, 0.0, 1.0][: classes or 1])
    ball = Ball(p, 0.1)
    network = f_S(clean, points, labels, ball)
    proof = certify_memorization(network, points, labels, ball)
    assert (proof.verdict, proof.bound) == ("proved", 1)
    assert proof.separation_exact
    assert proof.separation > 0.2
    everywhere = torch.ones(len(points), dtype=torch.bool)
    attack = robust_error(network, points, labels, ball, proved=everywhere)
    assert attack.lower == Measured(0.0, "certified lower bound", 0, len(points))
    assert attack.upper == Measured(0.0, "certified upper bound", 0, len(points))
    far = torch.full((1, 3), 0.3125, dtype=torch.float64)
    label = torch.tensor([0 if classes else 1])
    assert robust_error(network, far, label, ball).lower.value == 1.0  # f = f_clean there


def test_a_proof_that_a_candidate_refutes_is_an_error():
    points, labels = torch.full((1, 2), 0.5), torch.tensor([1])
    with pytest.raises(RuntimeError, match="proved robust and refuted"):
        robust_error(
            affine([[1.0, 0.0]], [-0.45]),
            points,
            labels,
            Ball("inf", 0.2),
            proved=torch.tensor([True]),
            starts=(torch.tensor([[0.3, 0.5]]),),
        )


def test_large_sets_are_attacked_part_by_part(monkeypatch):
    """Rows stay in their places, starts with them; each step of each part is reported, as one
    attack."""
    generator = torch.Generator().manual_seed(0)
    network, ball = affine([[1.0] * 8], [-4.0]), Ball("inf", 0.1)
    points = torch.rand(50, 8, generator=generator, dtype=torch.float64)
    labels = torch.where(network(points)[:, 0] > 0, 1, -1)
    near = network(points)[:, 0].abs() < 0.8 - 1e-5  # what the ball's corner turns, rounding aside
    starts = (points - 0.1 * labels[:, None],)
    for most, parts in ((2**19, 1), (80, 5)):
        monkeypatch.setattr(counterexamples, "ATTACKED", most)
        told = []
        found = robust_error(
            network, points, labels, ball, starts=starts, steps=5, report=told.append
        )
        assert (found.refuted[near]).all()
        assert ((found.adversarial - points).abs().amax(1) <= 0.1 + 1e-12).all()
        assert [t.done for t in told] == list(range(1, 7 * parts + 1))
        assert {t.total for t in told} == {7 * parts}


def test_points_that_are_proved_are_not_attacked(monkeypatch):
    """The attack sees the others alone; with all proved there is none."""
    seen, real = [], counterexamples.pgd
    monkeypatch.setattr(
        counterexamples, "pgd", lambda net, x, *a, **k: seen.append(len(x)) or real(net, x, *a, **k)
    )
    network, ball = affine([[1.0, 0.0]], [-0.45]), Ball("inf", 0.2)
    points, labels = torch.tensor([[0.5, 0.5], [0.9, 0.5], [0.1, 0.5]]), torch.tensor([1, 1, -1])
    found = robust_error(network, points, labels, ball, proved=torch.tensor([False, True, True]))
    assert seen == [1]
    assert found.refuted.tolist() == [True, False, False]
    assert torch.equal(found.adversarial[1:], points[1:].double())
    robust_error(network, points[1:], labels[1:], ball, proved=torch.tensor([True, True]))
    assert seen == [1]


@pytest.mark.parametrize("norm", ["inf", 2])
def test_balls_of_a_memorizing_network_are_proved_without_being_asked(norm):
    """Training balls from thresholds and separations, others as of the networks near them; a moved
    label or a larger radius is not proved.
    """
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(60, 6, dtype=torch.float64, generator=generator)
    labels = torch.where(points[:, 0] > 0.5, 1, -1)
    labels[:8] *= -1
    apart = separation(points, labels, norm=float(norm)).distance
    ball, others = (
        Ball(norm, apart / 4),
        torch.rand(40, 6, dtype=torch.float64, generator=generator),
    )
    network = f_S(affine([[8.0, 0, 0, 0, 0, 0]], [-4.0]), points, labels, ball)
    found = robust_error(network, points, labels, ball)
    assert bool(found.proved.all())
    assert found.upper.count == 0
    truth = torch.where(others[:, 0] > 0.5, 1, -1)
    near = robust_error(network, others, truth, ball)
    plain = robust_error(ReLUNetwork.from_module(network.to_module("dense")), others, truth, ball)
    assert bool(near.proved.any())
    assert not bool((near.proved & plain.refuted).any())
    assert plain.upper is None
    more = robust_error(network, others, truth, ball, max_seconds=20.0)
    assert bool((more.proved >= near.proved).all())
    assert not bool((more.proved & plain.refuted).any())
    wrong = robust_error(network, points, -labels, ball)
    assert not bool(wrong.proved.any())
    large = robust_error(network, points, labels, Ball(norm, 0.9 * apart))
    assert int(large.proved.sum()) < 60


def test_counterexamples_are_errors_in_exact_arithmetic_inside_the_exact_ball():
    points, _ = toy(count=20)
    network = ReLUNetwork.from_module(mlp([3, 10, 1], seed=5))
    network = compose(affine([[1.0]], [-float(network(points).median())]), network)
    labels = torch.where(network(points)[:, 0] > 0, 1, -1)
    ball = Ball("inf", 0.35)
    attack = robust_error(network, points, labels, ball, restarts=3)
    assert 0 < int(attack.refuted.sum()) == attack.lower.count
    for i in attack.refuted.nonzero()[:, 0].tolist():
        x = [Fraction(v) for v in attack.adversarial[i].tolist()]
        assert int(labels[i]) * network.exact(x)[0] <= 0
        centre = [Fraction(v) for v in points[i].tolist()]
        assert max(abs(a - b) for a, b in zip(x, centre, strict=True)) <= Fraction(0.35)
        assert all(0 <= a <= 1 for a in x)


def test_certainly_wrong_never_invents_an_error():
    network = affine([[1.0, 0.0], [0.0, 1.0]])
    points = torch.tensor([[0.25, 0.75], [0.75, 0.25], [0.5, 0.5 - 1e-17]], dtype=torch.float64)
    wrong = certainly_wrong(network, points, torch.tensor([0, 0, 0]))
    assert wrong.tolist()[:2] == [True, False]


def test_clean_error_counts():
    error = clean_error(
        affine([[1.0]], [-0.5]),
        torch.tensor([[0.25], [0.75], [1.0], [0.5]]),
        torch.tensor([1, 1, 1, 1]),
    )
    assert error == Measured(0.5, "exact", 2, 4)  # the tie at 0.5 is an error


def test_measured_share_is_checked():
    with pytest.raises(ValueError, match="a share needs"):
        Measured.share(3, 2)


def test_inspection_shows_everything_once(tmp_path):
    network = f_S(
        affine([[4.0, 0.0]], [-2.0]), [[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball("inf", 0.125)
    )
    inspection = Inspection(network)
    text = str(inspection)
    for part in explain(network).split("\n")[1].split(": "):
        assert part in text.replace("\n", " ") or len(part) > 100
    assert f"{network.size.parameters:,}" in text
    assert (
        sum(record["weights"] + record["biases"] for record in inspection.layers())
        == network.size.parameters
    )
    assert sum(record["stored"] for record in inspection.layers()) == network.size.stored
    assert inspection._repr_html_().startswith("<pre style=")
    for name in ("drawn.svg", "drawn.png"):
        (path,) = inspection.plot(tmp_path / name)
        assert path.stat().st_size > 5000
    with pytest.raises(ValueError, match=r"\.svg, \.png or \.pdf"):
        inspection.plot(tmp_path / "drawn.txt")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["drawn.png", "drawn.svg"]


@pytest.mark.parametrize(
    "network", [squaring(3), soft_indicator(0.25, 0.5), parallel(squaring(2), squaring(3))]
)
def test_small_networks_are_drawn(network, tmp_path):
    assert Inspection(network).plot(tmp_path / "figure")[0].suffix == ".svg"


@pytest.mark.parametrize(
    "function",
    [
        clean_error,
        lambda *a: robust_error(*a, Ball(2, 0.1)),
        lambda *a: certified_margins(*a, Ball(2, 0.1)),
    ],
)
def test_labels_shapes_and_types_are_checked(function):
    network = affine([[1.0, 1.0]], [-1.0])
    with pytest.raises(ValueError, match=r"labels must be -1 or \+1 .* got 0 at index 1"):
        function(network, torch.rand(3, 2), torch.tensor([1, 0, 1]))
    with pytest.raises(ValueError, match=r"labels must have shape \(3,\)"):
        function(network, torch.rand(3, 2), torch.tensor([1]))
    with pytest.raises(ValueError, match=r"points must have shape \(N, 2\)"):
        function(network, torch.rand(3, 4), torch.tensor([1, 1, 1]))
    with pytest.raises(TypeError, match="network must be"):
        function(lambda x: x, torch.rand(3, 2), torch.tensor([1, 1, 1]))
    module = torch.nn.Linear(2, 1)
    function(module, np.random.default_rng(0).random((3, 2)), np.array([1, -1, 1]))


def test_points_and_masks_are_read_alike():
    """uint8 is k/255, NaN is refused (its margin is not <= 0), and masks are booleans."""
    network, ball = affine([[1.0]], [-0.5]), Ball("inf", 0.1)
    assert clean_error(network, np.array([[255], [51]], dtype=np.uint8), [1, 1]).value == 0.5
    with pytest.raises(ValueError, match="points must be finite, got NaN or infinity in row 0"):
        clean_error(network, [[float("nan")]], [1])
    for wrong in ([1, 0], [True], torch.tensor([[True], [False]])):
        with pytest.raises(ValueError, match="proved must be 2 booleans, one for each point"):
            robust_error(network, [[0.25], [0.75]], [1, 1], ball, proved=wrong)


def test_lists_are_read_as_float64_and_points_outside_the_cube_are_refused():
    network = affine([[1.0]], [-0.1])
    # margin 0: an error; as float32, 0.1 is larger
    assert clean_error(network, [[0.1]], [1]).value == 1.0
    for value, message in (
        (-0.5, r"lie in \[0, 1\], got values in \[-0.5, 0.5\]"),
        (1.5, r"lie in \[0, 1\], got values in \[0.5, 1.5\]"),
        (float("nan"), "be finite, got NaN or infinity in row 1"),
    ):
        with pytest.raises(ValueError, match=f"points must {message}"):
            certified_margins(network, [[0.5], [value]], [1, 1], Ball("inf", 0.1))
