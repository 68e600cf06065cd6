"""Algorithm A_delta: the frozen part against its formula, S_small against complete decisions, balls
proved one by one.
"""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from analysis import certify, clean_error, errors_by_margin, proved_balls, robust_error
from constructions import Ball, ReLUNetwork, affine, f_S
from training import (
    Dataset,
    MemorizingModel,
    TrainingConfig,
    a_delta,
    classification_loss,
    is_error,
    mlp,
)

BALLS = [Ball("inf", 0.08), Ball(2, 0.12)]
CONFIG = TrainingConfig(
    hidden=(8,),
    epochs=20,
    batch_size=64,
    learning_rate=0.05,
    attack="fgsm",
    eval_attack="clean",
    final_attack="pgd10",
)


def separated(count, seed, near=0.02, far=0.4, share=0.25):
    """Points 1/2 + y c e_1, c = near for a share of them and far for the others, apart in the other
    four coordinates.
    """
    generator = torch.Generator().manual_seed(seed)
    y = 1 - 2 * torch.randint(0, 2, (count,), generator=generator)
    x = torch.rand(count, 5, dtype=torch.float64, generator=generator)
    small = torch.arange(count) < share * count
    x[:, 0] = 0.5 + y * torch.where(small, near, far)
    return x, y, small


def apart(ball, count=64):
    """Training and test points, training points of different labels more than 2.5 radii apart."""
    x, y, small = separated(4 * count, 0)
    kept = []
    for i in range(len(x)):
        if all(y[i] == y[j] or ball.norm((x[i] - x[j])[None]) > 2.5 * ball.radius for j in kept):
            kept.append(i)
    chosen = torch.tensor(kept)[
        torch.randperm(len(kept), generator=torch.Generator().manual_seed(1))
    ][:count]
    test, labels, _ = separated(100, 1)
    return Dataset.from_tensors(x[chosen], y[chosen], test, labels), small[chosen]


@pytest.fixture(scope="module", params=BALLS, ids=str)
def trained(request, tmp_path_factory):
    ball = request.param
    data, planted = apart(ball)
    folder = tmp_path_factory.mktemp("runs")
    config = replace(CONFIG, norm=ball.p, radius=ball.radius)
    return a_delta(config, folder, data=data), planted, ball


def on_balls(points, ball, seed=0):
    """Random points of the balls, corners and the centres themselves."""
    generator = torch.Generator().manual_seed(seed)
    offsets = [
        torch.randn(points.shape, dtype=torch.float64, generator=generator) for _ in range(5)
    ]
    moved = [(points + ball.radius * ball.ascent(offset)).clamp(0, 1) for offset in offsets]
    return [points, *moved, *(ball.sample(points, generator).clamp(0, 1) for _ in range(5))]


# -- the hypothesis class --------------------------------------------------------------------------


def memorizing(outputs, ball=BALLS[0], seed=0):
    generator = torch.Generator().manual_seed(seed)
    points = torch.tensor([[0.2, 0.2], [0.2, 0.8], [0.8, 0.2], [0.75, 0.75]]) + 0.02 * torch.rand(
        4, 2, generator=generator
    )
    labels = torch.tensor([1, -1, -1, 1] if outputs == 1 else [0, 2, 1, 0])
    return MemorizingModel(mlp([2, 6, outputs], seed).double(), points, labels, ball, 0.5).double()


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_model_is_phi_1_plus_phi_2_f_with_indicators_by_their_formula(outputs):
    model = memorizing(outputs)
    facts = model.memory.provenance.arguments
    x = torch.rand(4000, 2, dtype=torch.float64)
    excess = ((x[:, None] - model.points).abs() - facts["inner"]).clamp_min(0).sum(2) / (
        facts["outer"] - facts["inner"]
    )
    # lean: 1 - min(1, sum_j relu(|x_j - c_j| - inner) / (outer - inner))
    indicators = (1 - excess).clamp_min(0)
    targets = (
        model.labels[:, None].double()
        if outputs == 1
        else nn.functional.one_hot(model.labels, 3).double()
    )
    # balls do not overlap here
    expected = indicators @ targets + (1 - indicators.sum(1, keepdim=True)) * model.f(x)
    assert torch.allclose(model(x), expected, atol=1e-12)
    assert 0 < float((indicators > 0).double().mean()) < 1


@pytest.mark.parametrize("ball", BALLS, ids=str)
def test_only_f_has_parameters_and_memorized_balls_give_it_no_gradient(ball):
    model = memorizing(1, ball)
    names = [name for name, _ in model.named_parameters()]
    assert names == [f"f.{name}" for name, _ in model.f.named_parameters()]
    assert list(model.state_dict()) == names
    for x in on_balls(model.points, ball):
        loss = classification_loss(model(x), model.labels).sum()
        assert all(not g.any() for g in torch.autograd.grad(loss, list(model.parameters())))
        assert torch.equal(model(x)[:, 0], model.labels.double())
    outside = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    assert torch.equal(model(outside), model.f(outside))
    assert torch.autograd.grad(model(outside).sum(), list(model.parameters()))[-1].item() == 1


@pytest.mark.parametrize("ball", BALLS, ids=str)
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_network_is_the_model_but_for_the_size_in_shells(outputs, ball):
    model = memorizing(outputs, ball)
    network, x = model.network(), torch.rand(4000, 2, dtype=torch.float64)
    value, built, f = model(x), network(x), model.f(x)
    seen = model.memory(x).sum(1)
    exact = (seen == 0) | (seen == 1)
    assert torch.allclose(value[exact], built[exact], atol=1e-9)
    assert 0.2 < float(exact.double().mean()) < 1
    if outputs == 1:  # in a shell both have the sign of f or of the label
        label = torch.sign(model.memory(x) @ model.targets)
        agree = (f.sign() == label) & ~exact[:, None]
        assert agree.any()
        assert torch.equal(value.sign()[agree], label[agree])
        assert torch.equal(built.sign()[agree], label[agree])


# -- the algorithm ---------------------------------------------------------------------------------


def test_small_holds_what_an_attack_can_find_and_no_more(trained):
    found, planted, ball = trained
    points, labels = found.data.train_points, found.data.train_labels.tolist()
    refuted = [
        certify(found.f_clean, x, ball, y).verdict == "refuted"
        for x, y in zip(points, labels, strict=True)
    ]
    assert not (found.small & ~torch.tensor(refuted)).any()
    assert sum(refuted) - int(found.small.sum()) <= 2  # which the attack missed
    assert float((found.small == planted).double().mean()) > 0.8


def test_every_element_memorizes_small_whatever_the_training_did(trained):
    found, _, ball = trained
    points, labels = found.data.train_points[found.small], found.data.train_labels[found.small]
    assert len(found.run.epochs) == CONFIG.epochs
    assert not torch.equal(found.model.f(points.float()), found.clean.model()(points.float()))
    for x in on_balls(points, ball):
        assert torch.equal(found.network(x)[:, 0], labels.double())
    away = found.data.test_points[(found.model.memory(found.data.test_points) == 0).all(1)]
    f = ReLUNetwork.from_module(found.model.f, found.data.shape)
    assert len(away) > 20
    assert torch.allclose(found.network(away), f(away), atol=1e-9)


def test_the_robust_training_error_is_zero_by_proof(trained):
    found, _, ball = trained
    points, labels = found.data.train_points, found.data.train_labels
    proved = proved_balls(found.network, points, labels, ball, found.small)
    assert proved.all()
    errors = robust_error(found.network, points, labels, ball, proved=proved)
    assert (errors.lower.count, errors.upper.count) == (0, 0)
    clean = robust_error(found.f_clean, points, labels, ball).lower.count
    assert clean > 0.1 * len(points)  # f_clean has robust training errors


def test_training_depends_on_the_seed_alone_and_goes_on(tmp_path):
    data, _ = apart(BALLS[0])
    config = replace(CONFIG, epochs=2, radius=BALLS[0].radius)
    found = a_delta(config, tmp_path / "a", data=data)
    again = a_delta(config, tmp_path / "b", data=data)
    resumed = a_delta(config, tmp_path / "a", data=data, resume=True)  # both runs are finished
    for other in (again, resumed):
        assert torch.equal(other.small, found.small)
        weights = zip(found.model.parameters(), other.model.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in weights)


def test_what_cannot_work_is_refused_before_training(tmp_path):
    data, _ = apart(BALLS[0])
    for radius, message in ((0.0, "radius must be positive"), (0.4, "below half the separation")):
        with pytest.raises(ValueError, match=message):
            a_delta(replace(CONFIG, radius=radius), tmp_path, data=data)
    assert not list(tmp_path.iterdir())


def test_no_small_margin_is_said_after_clean_training(tmp_path):
    x, y, _ = separated(64, 0, near=0.4, far=0.4)
    data = Dataset.from_tensors(x, y, x, y)
    with pytest.raises(ValueError, match="finds no error of f_clean"):
        a_delta(replace(CONFIG, radius=0.01), tmp_path, data=data)


# -- what is measured ------------------------------------------------------------------------------


@pytest.mark.parametrize("ball", BALLS, ids=str)
def test_proved_balls_against_complete_decisions(ball):
    """What is proved is what `certify` proves of the whole network, no more and no less."""
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(16, 2, dtype=torch.float64, generator=generator)
    y = torch.where(x[:, 0] + 0.1 * x[:, 1] > 0.5, 1, -1)
    first = torch.arange(16) < 4
    near = torch.cdist(x, x[:4], p=ball.p)
    keep = ~((near <= 2.5 * ball.radius) & (y[:, None] != y[:4])).any(1)
    x, y, first = x[keep], y[keep], first[keep]
    f = affine([[4.0, 1.0]], [-2.4])  # right on most
    network = f_S(f, x[first], y[first], ball, separation=2.5 * ball.radius)
    proved = proved_balls(network, x, y, ball, first)
    assert proved.tolist() == [
        certify(network, x[i], ball, int(y[i])).verdict == "proved" for i in range(len(x))
    ]
    assert 0 < int(proved[~first].sum()) < int((~first).sum())
    flipped = torch.where(first, y, -y)
    assert not (proved_balls(network, x, flipped, ball, first) & proved & ~first).any()


def test_a_memorized_set_that_does_not_fit_is_refused():
    f, x, y = affine([[1.0]], [-0.5]), torch.tensor([[0.25], [0.75]]), torch.tensor([-1, 1])
    network = f_S(f, x, y, Ball("inf", 0.1))
    assert proved_balls(network, x, y, Ball("inf", 0.1), torch.tensor([True, True])).tolist() == [
        True,
        True,
    ]
    assert not proved_balls(network, x, -y, Ball("inf", 0.1), torch.tensor([True, True])).any()
    with pytest.raises(ValueError, match="memorized must be 2 booleans"):
        proved_balls(network, x, y, Ball("inf", 0.1), torch.tensor([1, 1]))
    with pytest.raises(ValueError, match="memorizes 2 points"):
        proved_balls(network, x, y, Ball("inf", 0.1), torch.tensor([True, False]))


def test_errors_by_margin_counts_each_part():
    f, x = affine([[1.0]], [-0.5]), torch.arange(33).double()[:, None] / 32
    y = torch.where(x[:, 0] > 0.5, 1, -1)
    small, large = errors_by_margin(affine([[1.0]], [-0.375]), f, x, y, Ball("inf", 0.05))
    inside = (x[:, 0] - 0.5).abs() <= 0.05
    wrong = is_error(x - 0.375, y)  # 12/32 is a tie, an error
    assert (small.count, small.total) == (int((wrong & inside).sum()), int(inside.sum())) == (2, 3)
    assert (
        (large.count, large.total)
        == (int((wrong & ~inside).sum()), int((~inside).sum()))
        == (3, 30)
    )
    assert 0 < large.interval[0] < large.value < large.interval[1] < 1
    with pytest.raises(ValueError, match="margins of both kinds"):
        errors_by_margin(f, f, x, y, Ball("inf", 1.0))


@pytest.mark.slow
def test_digits_as_theorem_6_2_says(tmp_path):
    """Robust training error 0 by proof, clean test error within one point of f_clean's."""
    config = TrainingConfig(
        task="parity",
        hidden=(32, 32),
        epochs=15,
        radius=0.05,
        attack="pgd5",
        eval_attack="clean",
        final_attack="pgd20x2",
        device="cpu",
    )
    found = a_delta(config, tmp_path)
    flat = found.data.flat()
    ball, train = config.ball, (flat.train_points, flat.train_labels)
    assert 0.02 < float(found.small.double().mean()) < 0.5
    assert proved_balls(found.network, *train, ball, found.small).all()
    errors = [
        clean_error(n, flat.test_points, flat.test_labels).value
        for n in (found.network, found.f_clean)
    ]
    assert errors[0] <= errors[1] + 0.01
    assert math.isfinite(found.run.epochs[-1]["training"]["loss"])
