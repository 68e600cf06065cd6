"""Digits, losses, attacks and models in short."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from constructions import Ball
from training import TASKS, classification_loss, is_error, load_data, mlp, output_margin, pgd


@pytest.mark.parametrize("task", TASKS)
def test_digits_are_split_and_scaled(task):
    data = load_data("digits", task)
    assert len(data.train_points) == 1437
    assert len(data.test_points) == 360
    for points in (data.train_points, data.test_points):
        assert float(points.min()) == 0
        assert float(points.max()) == 1
        # dyadic, so that everything on them is exact
        assert torch.equal(points * 16, (points * 16).round())
    labels = set(data.train_labels.tolist()) | set(data.test_labels.tolist())
    assert labels == ({-1, 1} if task == "parity" else set(range(10)))
    again = load_data("digits", task, seed=0)
    assert torch.equal(again.train_points, data.train_points)
    assert not torch.equal(load_data("digits", task, seed=1).train_points, data.train_points)


def test_parity_is_the_parity_of_the_class():
    parity, classes = (load_data("digits", task) for task in ("parity", "classes"))
    assert torch.equal(parity.train_labels, 2 * (classes.train_labels % 2) - 1)


@pytest.mark.parametrize(
    ("name", "task", "message"), [("cifar", "parity", "cifar"), ("digits", "x", "task must be")]
)
def test_unknown_data_is_an_error(name, task, message):
    with pytest.raises(ValueError, match=message):
        load_data(name, task)


def test_losses_and_margins_against_their_formulas():
    outputs, labels = torch.randn(50, 1, dtype=torch.float64), torch.randint(0, 2, (50,)) * 2 - 1
    signed = labels * outputs[:, 0]
    assert torch.allclose(classification_loss(outputs, labels), torch.log1p(torch.exp(-signed)))
    assert torch.equal(output_margin(outputs, labels), signed)
    scores, classes = torch.randn(50, 4, dtype=torch.float64), torch.randint(0, 4, (50,))
    expected = -torch.log_softmax(scores, 1)[torch.arange(50), classes]
    assert torch.allclose(classification_loss(scores, classes), expected)
    assert torch.equal(is_error(scores, classes), scores.argmax(1) != classes)


def test_a_tie_is_an_error():
    assert is_error(torch.tensor([[0.0]]), torch.tensor([1])).item()
    assert is_error(torch.tensor([[1.0, 1.0]]), torch.tensor([0])).item()


@given(
    p=st.sampled_from(["inf", 2]),
    radius=st.floats(0, 1),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 6)),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_pgd_never_leaves_ball_or_cube(p, radius, shape, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(shape, generator=generator)
    w = torch.randn(1, shape[1], generator=generator)
    labels = torch.ones(shape[0], dtype=torch.int64)
    ball = Ball(p, radius)
    found = pgd(
        lambda z: z @ w.T,
        x,
        labels,
        ball,
        lambda f, y: -output_margin(f, y),
        steps=3,
        generator=generator,
    )
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    assert (ball.norm(found.double() - x.double()) <= radius).all()


@pytest.mark.parametrize("p", ["inf", 2])
def test_pgd_finds_the_maximum_of_a_linear_function(p):
    x, w = torch.full((1, 20), 0.5), torch.randn(1, 20)
    ball = Ball(p, 0.1)
    found = pgd(
        lambda z: z @ w.T,
        x,
        torch.tensor([1]),
        ball,
        lambda f, y: -output_margin(f, y),
        steps=60,
        step_size=0.1,
    )
    gain = ((x - found) @ w.T).item()
    assert gain == pytest.approx(0.1 * float(ball.dual_norm(w)), rel=1e-4)


def test_pgd_keeps_the_clean_point_if_nothing_is_worse():
    x = torch.tensor([[0.5, 0.5]])
    peak = pgd(
        lambda z: -((z - 0.5) ** 2).sum(1, keepdim=True),
        x,
        torch.tensor([1]),
        Ball(2, 0.2),
        lambda f, y: f[:, 0],
    )
    assert torch.equal(peak, x)


def test_pgd_refuses_nonsense():
    with pytest.raises(ValueError, match="steps and restarts"):
        pgd(lambda z: z, torch.zeros(1, 1), torch.tensor([1]), Ball(2, 0.1), output_margin, steps=0)


def test_mlp_is_seeded_without_touching_the_global_state():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    a, b = mlp([4, 3, 2], seed=7), mlp([4, 3, 2], seed=7)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    with pytest.raises(ValueError, match="widths"):
        mlp([4])
