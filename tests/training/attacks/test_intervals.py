"""Worst outputs by intervals: at least as bad as what is found anywhere in the ball, and exact
where intervals are.
"""

import re

import pytest
import torch
from torch import nn

from constructions import Ball, ReLUNetwork, interval_bounds
from training import (
    TrainingConfig,
    build_model,
    classification_loss,
    exponential,
    load_data,
    mlp,
    pgd,
    project,
    train,
    worst_outputs,
)

MODELS = {
    "linear": lambda k: mlp([4, k], 1),
    "mlp": lambda k: mlp([4, 9, 7, k], 1),
    "mlp of images": lambda k: build_model(
        "mlp", (2, 2, 2), k, hidden=(9,), mean=[0.3, 0.4], std=[0.2, 0.5]
    ),
    "lenet5": lambda k: build_model("lenet5", (1, 12, 12), k, mean=[0.1], std=[0.5]),
    "strided": lambda k: build_model("strided", (1, 8, 8), k),
    "relu first": lambda k: nn.Sequential(nn.ReLU(), nn.MaxPool2d(2), *flat(k)),
}
SHAPES = {"mlp of images": (2, 2, 2), "lenet5": (1, 12, 12), "strided": (1, 8, 8)}


def flat(outputs):
    return nn.Flatten(), nn.Linear(9, outputs)


def example(name, outputs):
    shape = SHAPES.get(name, (1, 6, 6) if name == "relu first" else (4,))
    g = torch.Generator().manual_seed(3)
    x = torch.rand((16, *shape), generator=g, dtype=torch.float64)
    labels = torch.randint(0, max(2, outputs), (16,), generator=g)
    return MODELS[name](outputs).double(), x, 2 * labels - 1 if outputs == 1 else labels


@pytest.mark.parametrize("norm", ["inf", 2])
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", MODELS)
def test_no_point_of_the_ball_is_worse(name, outputs, norm):
    model, x, labels = example(name, outputs)
    ball, given = Ball(norm, 0.2), x.clone()
    worst = worst_outputs(model, x, labels, ball)
    assert torch.equal(x, given)
    assert worst.shape == (16, outputs)
    at_radius_0 = worst_outputs(model, x, labels, Ball(norm, 0.0))
    found = [pgd(model, x, labels, ball, classification_loss, steps=20).double()]
    g = torch.Generator().manual_seed(4)
    found += [project(ball.sample(x, g), x, ball) for _ in range(50)]
    with torch.no_grad():
        for loss in (classification_loss, exponential):
            most = torch.stack([loss(model(point), labels) for point in found]).amax(0)
            assert (loss(worst, labels) >= most - 1e-9).all()
            assert torch.allclose(loss(at_radius_0, labels), loss(model(x), labels), atol=1e-9)
    if outputs == 3:
        assert (worst.gather(1, labels[:, None]) == 0).all()


def test_linear_functions_have_their_exact_worst():
    """|w|_1 times the radius for l_inf, |w|_2 for l_2, for the label's sign; l_inf in the cube."""
    model = nn.Sequential(nn.Linear(2, 1, bias=False))
    model[0].weight.data = torch.tensor([[3.0, -4.0]])
    x, labels = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.0, 1.0]]), torch.tensor([1, -1, 1])
    assert worst_outputs(model, x, labels, Ball("inf", 0.125)).tolist() == [
        [-0.5 - 7 / 8],
        [-0.5 + 7 / 8],
        [-4.0],
    ]
    round_ball = worst_outputs(model, x, labels, Ball(2, 0.125))
    assert round_ball.tolist() == [[-0.5 - 5 / 8], [-0.5 + 5 / 8], [-4 - 5 / 8]]


def test_of_one_output_they_are_the_rigorous_interval_bounds():
    model, x, labels = example("mlp", 1)
    box = (x - 0.1).clamp_min(0), (x + 0.1).clamp_max(1)
    low, high = interval_bounds(ReLUNetwork.from_module(model), box)
    worst = worst_outputs(model, x, labels, Ball("inf", 0.1))
    expected = torch.where(labels[:, None] > 0, low, high)
    assert torch.allclose(worst, expected, atol=1e-9)


def test_gradients_reach_all_weights():
    model, x, labels = example("strided", 3)
    classification_loss(worst_outputs(model, x, labels, Ball("inf", 0.1)), labels).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (nn.Sequential(nn.Linear(4, 4), nn.Sigmoid(), nn.Linear(4, 1)), "Sigmoid()"),
        (nn.Sequential(nn.Linear(4, 4), nn.ReLU()), "Sequential("),
        (nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)), "BatchNorm1d("),
        (nn.Sequential(), "Sequential()"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_model_that_intervals_do_not_go_through_is_named(model, named):
    with pytest.raises(ValueError, match="interval bounds need a Sequential of") as caught:
        worst_outputs(model, torch.rand(2, 4), torch.tensor([1, -1]), Ball("inf", 0.1))
    assert f"got {named}" in str(caught.value)


def test_training_refuses_such_a_model_before_anything_is_written(tmp_path):
    config = TrainingConfig(objective="intervals", radius=0.1)
    model = nn.Sequential(nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 1))
    with pytest.raises(ValueError, match=re.escape("got Tanh()")):
        train(config, tmp_path / "run", data=load_data("digits", "parity").flat(), model=model)
    assert not (tmp_path / "run").exists()


def test_the_term_makes_balls_provable(tmp_path):
    """By intervals alone, hardly any of plain adversarial training."""
    data = load_data("digits", "parity").flat()
    shares = {}
    for objective in ("adversarial", "intervals"):
        config = TrainingConfig(
            objective=objective,
            interval_weight=0.1,
            radius=0.1,
            epochs=12,
            attack="pgd3",
            eval_attack="clean",
            final_attack="clean",
        )
        model = mlp([64, 128, 1])
        train(config, tmp_path / objective, data=data, model=model)
        x, labels = data.train_points.float(), data.train_labels
        worst = worst_outputs(model, x, labels, Ball("inf", 0.1))
        shares[objective] = float((labels * worst[:, 0] > 0).float().mean())
    assert shares["adversarial"] < 0.1
    assert shares["intervals"] > 0.6
