"""Laws of attacks: exactness of the constraints, optima known in closed form, a textbook PGD, and
what is left untouched.
"""

import itertools
import math
import sys
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from constructions import Ball
from training import Attack, fgsm, gta, mlp, pgd, project
from training.attacks.objectives import (
    LOSSES,
    classification_loss,
    divergence,
    exponential,
    is_error,
    mixed,
    output_margin,
)
from training.internal import batch_norm

DTYPES = [torch.float32, torch.float64, torch.bfloat16]
NORMS = st.sampled_from(["inf", 2])


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def adverse(outputs, labels):
    return -output_margin(outputs, labels)


def convolutional(seed=0, outputs=10):
    torch.manual_seed(seed)
    first = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AvgPool2d(2)]
    return nn.Sequential(
        *first,
        nn.Conv2d(8, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, outputs),
    )


def images(count=6, seed=0):
    return torch.rand(count, 3, 8, 8, generator=seeded(seed)), torch.arange(count) % 10


def dense(seed=0, outputs=4):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, outputs))


def inside(found, x, ball):
    """Whether each row lies in the ball and the cube, in rational arithmetic."""
    radius = Fraction(ball.radius)
    for a, b in zip(
        found.flatten(1).double().tolist(), x.flatten(1).double().tolist(), strict=True
    ):
        gaps = [abs(Fraction(s) - Fraction(t)) for s, t in zip(a, b, strict=True)]
        held = (
            max(gaps, default=0) <= radius
            if ball.p == math.inf
            else sum(g * g for g in gaps) <= radius * radius
        )
        if not (held and all(0 <= v <= 1 for v in a)):
            return False
    return True


# -- ball and cube ---------------------------------------------------------------------------------


@given(
    p=NORMS,
    radius=st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1e-30, 2.0**-24, 8 / 255, 0.1, 0.25])),
    shape=st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(1, 3)),
    dtype=st.sampled_from(DTYPES),
    spread=st.sampled_from([1e-6, 0.1, 1.0, 100.0]),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=300)
def test_projections_lie_in_ball_and_cube_exactly(p, radius, shape, dtype, spread, seed):
    generator = seeded(seed)
    centre = torch.rand(shape, generator=generator, dtype=torch.float64)
    centre = torch.where(torch.rand(shape, generator=generator) < 0.3, centre.round(), centre).to(
        dtype
    )
    x = (centre + spread * torch.randn(shape, generator=generator)).to(dtype)
    ball = Ball(p, radius)
    found = project(x, centre, ball)
    assert found.dtype == dtype
    assert inside(found, centre, ball)
    assert (ball.norm(found.double() - centre.double()) <= radius).all()
    projected = ball.project(x, centre)
    assert (ball.norm(projected.double() - centre.double()) <= radius).all()


@given(radius=st.floats(0, 1), dtype=st.sampled_from(DTYPES), seed=st.integers(0, 10**6))
def test_linf_projection_is_the_nearest_point_to_the_last_bit(radius, dtype, seed):
    centre = torch.rand(2, 7, generator=seeded(seed), dtype=torch.float64).to(dtype)
    found = project(torch.ones_like(centre), centre, Ball("inf", radius))
    beyond = torch.nextafter(found, torch.full_like(found, 2.0))
    triples = zip(*(t.flatten().tolist() for t in (found, beyond, centre)), strict=True)
    assert all(f == 1 or Fraction(b) - Fraction(c) > Fraction(radius) for f, b, c in triples)
    near = project(centre, centre, Ball("inf", radius))
    assert torch.equal(near, centre)


@pytest.mark.parametrize("dimension", [3072, 150528])
def test_l2_projections_in_high_dimension(dimension):
    centre = torch.full((1, dimension), 0.5)
    ball = Ball(2, 0.5)
    found = project(centre + 0.3, centre, ball)  # equal offsets: roundings of a norm would add up
    length = float(ball.norm(found.double() - centre.double()))
    assert 0.5 * (1 - 1e-3) <= length <= 0.5


@given(
    p=NORMS,
    radius=st.floats(0, 1),
    dtype=st.sampled_from(DTYPES),
    keep=st.sampled_from(["best", "last"]),
    stop=st.sampled_from([None, is_error]),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60)
def test_attacks_lie_in_ball_and_cube_exactly(p, radius, dtype, keep, stop, seed):
    model = dense(seed).to(dtype)
    x = torch.rand(5, 6, generator=seeded(seed), dtype=torch.float64).to(dtype)
    x[0] = x[0].round()
    ball, labels = Ball(p, radius), torch.tensor([0, 1, 2, 3, 0])
    options = {"steps": 3, "keep": keep, "early_stop": stop, "generator": seeded(seed)}
    found = pgd(model, x, labels, ball, classification_loss, **options)
    assert found.dtype == dtype
    assert inside(found, x, ball)


# -- optima ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("p", ["inf", 2])
@pytest.mark.parametrize("keep", ["best", "last"])
def test_linear_models_are_attacked_to_the_optimum(p, keep, dtype):
    """In the interior of the cube the margin y w.x falls by r ||w||_q, and no more."""
    w = torch.randn(1, 30, generator=seeded(0), dtype=dtype)
    x, labels = torch.full((4, 30), 0.5, dtype=dtype), torch.tensor([1, -1, 1, -1])
    ball = Ball(p, 0.1)
    options = {"steps": 100, "step_size": 0.1, "keep": keep, "generator": seeded(1)}
    found = pgd(lambda z: z @ w.T, x, labels, ball, adverse, **options)
    fall = output_margin(x @ w.T, labels) - output_margin(found @ w.T, labels)
    best = ball.radius * float(ball.dual_norm(w))
    assert fall.tolist() == pytest.approx([best] * 4, rel=1e-4)
    assert (fall <= best * (1 + 1e-5)).all()


def test_the_cube_is_part_of_the_linf_optimum():
    w = torch.randn(1, 30, generator=seeded(0))
    x, labels, ball = (
        torch.rand(4, 30, generator=seeded(2)),
        torch.tensor([1, -1, 1, -1]),
        Ball("inf", 0.3),
    )
    corner = torch.where(labels[:, None] * w > 0, (x - 0.3).clamp_min(0), (x + 0.3).clamp_max(1))
    for found in (
        pgd(lambda z: z @ w.T, x, labels, ball, adverse, generator=seeded(1)),
        fgsm(lambda z: z @ w.T, x, labels, ball, adverse, random_start=False),
    ):
        assert torch.allclose(found, corner, atol=1e-6)


@pytest.mark.parametrize("classes", [1, 4])
def test_attacks_succeed_exactly_beyond_the_margin_of_a_linear_model(classes):
    w = torch.randn(classes, 6, generator=seeded(3))
    x = torch.full((5, 6), 0.5) + 0.02 * torch.randn(5, 6, generator=seeded(4))
    labels = torch.where((x @ w.T)[:, 0] > 0, 1, -1) if classes == 1 else (x @ w.T).argmax(1)
    distance = torch.full((5,), math.inf)
    for k in range(classes):
        direction = w[0][None].expand(5, 6) if classes == 1 else w[labels] - w[k]
        gap = ((x @ w.T)[:, 0] * labels) if classes == 1 else (x * direction).sum(1)
        near = gap / direction.abs().sum(1)
        distance = torch.where(
            (labels != k) | (classes == 1), torch.minimum(distance, near), distance
        )
    for row, d in enumerate(distance.tolist()):
        for factor, expected in ((0.98, False), (1.02, True)):
            one, ball = slice(row, row + 1), Ball("inf", factor * d)
            found = Attack.parse("pgd50x3")(
                lambda z: z @ w.T, x[one], labels[one], ball, generator=seeded(0)
            )
            assert is_error(found @ w.T, labels[one]).item() is expected


def textbook(model, x, labels, p, radius, steps, step, start):
    point = start.clone()
    for _ in range(steps):
        point = point.detach().requires_grad_(True)
        classification_loss(model(point), labels).sum().backward()
        slope = point.grad
        if p == math.inf:
            moved = point.detach() + step * slope.sign()
            point = torch.minimum(torch.maximum(moved, x - radius), x + radius).clamp(0, 1)
        else:
            moved = point.detach() + step * slope / slope.flatten(1).norm(dim=1).reshape(
                -1, 1, 1, 1
            )
            offset = moved - x
            length = offset.flatten(1).norm(dim=1).clamp_min(1e-30)
            point = (x + offset * (radius / length).clamp_max(1).reshape(-1, 1, 1, 1)).clamp(0, 1)
    return point


@pytest.mark.parametrize(("p", "radius"), [("inf", 0.1), (2, 0.5)])
def test_it_is_the_textbook_pgd(p, radius):
    model, ball = convolutional().double().eval(), Ball(p, radius)
    x, labels = images()
    x = x.double()
    start = ball.sample(x, seeded(5))
    expected = textbook(model, x, labels, ball.p, radius, 7, 0.3 * radius, project(start, x, ball))
    for given_start in ({"start": start}, {"generator": seeded(5)}):
        options = {"steps": 7, "step_size": 0.3 * radius, "keep": "last", **given_start}
        found = pgd(model, x, labels, ball, classification_loss, **options)
        assert torch.allclose(found, expected, rtol=0, atol=1e-12)


def test_fgsm_is_one_step_of_a_radius_and_a_quarter():
    model, ball = convolutional().eval(), Ball("inf", 0.05)
    x, labels = images()
    one = pgd(
        model,
        x,
        labels,
        ball,
        adverse,
        steps=1,
        step_size=1.25 * 0.05,
        keep="last",
        generator=seeded(1),
    )
    assert torch.equal(fgsm(model, x, labels, ball, adverse, generator=seeded(1)), one)
    named = Attack.parse("fgsm")(model, x, labels, ball, keep="last", generator=seeded(1))
    assert torch.equal(named, one)


def test_passes_are_counted():
    calls = []

    def counting(z):
        calls.append(torch.is_grad_enabled())
        return z

    x, labels = torch.rand(2, 3), torch.tensor([0, 1])
    pgd(counting, x, labels, Ball("inf", 0.1), classification_loss, steps=5, keep="last")
    assert calls == [True] * 5
    calls.clear()
    pgd(counting, x, labels, Ball("inf", 0.1), classification_loss, steps=2, restarts=2)
    assert calls == [False, *[True, True, False] * 2]


# -- restarts, starts, early stops -----------------------------------------------------------------


@given(p=NORMS, seed=st.integers(0, 10**6))
def test_more_restarts_and_steps_never_lower_the_best(p, seed):
    model, x, labels, ball = (
        dense(seed),
        torch.rand(5, 6, generator=seeded(seed)),
        torch.arange(5) % 4,
        Ball(p, 0.2),
    )
    values = [classification_loss(model(x), labels)]
    for restarts in (1, 2, 4):
        options = {"steps": 3, "restarts": restarts, "generator": seeded(seed)}
        found = pgd(model, x, labels, ball, classification_loss, **options)
        values.append(classification_loss(model(found), labels))
    assert all((b >= a - 1e-6).all() for a, b in itertools.pairwise(values))


@given(p=NORMS, radius=st.floats(0.01, 0.5), seed=st.integers(0, 10**6))
def test_early_stops_find_the_same_errors(p, radius, seed):
    model, x = dense(seed), torch.rand(8, 6, generator=seeded(seed))
    labels, ball = model(x).argmax(1), Ball(p, radius)
    labels[0] = (labels[0] + 1) % 4  # an error before any attack
    start = ball.sample(x, seeded(1))
    options = {"steps": 6, "start": start}
    full = pgd(model, x, labels, ball, adverse, **options)
    early = pgd(model, x, labels, ball, adverse, early_stop=is_error, **options)
    assert torch.equal(is_error(model(full), labels), is_error(model(early), labels))
    assert torch.equal(early[0], x[0])
    assert (adverse(model(early), labels) <= adverse(model(full), labels) + 1e-6).all()


def test_any_iterate_that_is_an_error_counts():
    """The loss grows towards 1, but only [0.5, 0.6] is misclassified: the last iterate and the
    largest loss are not.
    """

    def objective(outputs, labels):
        return outputs[:, 0]

    def broken(outputs, labels):
        return (outputs[:, 0] > 0.5) & (outputs[:, 0] < 0.6)

    x, labels = torch.tensor([[0.25], [0.9]]), torch.tensor([1, 1])
    options = {"steps": 15, "step_size": 0.05, "random_start": False}
    found = pgd(lambda z: z, x, labels, Ball("inf", 0.75), objective, early_stop=broken, **options)
    assert broken(found, labels).tolist() == [True, False]
    assert found[1].item() == 1


def test_rows_leave_the_batch():
    sizes = []

    def model(z):
        sizes.append(len(z))
        return z

    x, labels = torch.tensor([[0.2], [0.5], [0.9]]), torch.tensor([1, 1, 1])
    found = pgd(
        lambda z: model(z) - 0.3,
        x,
        labels,
        Ball("inf", 0.25),
        adverse,
        steps=4,
        step_size=0.1,
        random_start=False,
        early_stop=is_error,
    )
    assert sizes == [3, 2, 2, 2, 1, 1]
    assert found[:, 0].tolist() == pytest.approx([0.2, 0.3, 0.65], abs=1e-6)
    sizes.clear()
    pgd(
        lambda z: model(z) - 1,
        x,
        labels,
        Ball("inf", 0.25),
        adverse,
        restarts=5,
        early_stop=is_error,
    )
    assert sizes == [3]


def test_last_iterates_with_early_stops():
    x, labels = torch.tensor([[0.5], [0.9]]), torch.tensor([1, 1])
    options = {
        "steps": 4,
        "step_size": 0.1,
        "random_start": False,
        "keep": "last",
        "early_stop": is_error,
    }
    found = pgd(lambda z: z - 0.35, x, labels, Ball("inf", 0.5), adverse, **options)
    assert found[:, 0].tolist() == pytest.approx([0.3, 0.5], abs=1e-6)


def test_generators_make_attacks_reproducible():
    model, (x, labels) = convolutional().eval(), images()
    state = torch.get_rng_state()
    attack, ball = Attack.parse("pgd3x2"), Ball("inf", 0.1)
    runs = [
        attack(model, x, labels, ball, generator=seeded(seed), early_stop=False)
        for seed in (1, 1, 2)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("p", ["inf", 2])
@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("name", ["clean", "fgsm", "pgd3"])
def test_radius_zero_and_empty_batches(p, keep, name):
    model, (x, labels) = convolutional().eval(), images()
    attack = Attack.parse(name)
    found = attack(model, x, labels, Ball(p, 0), keep=keep)
    assert torch.equal(found, x)
    assert found.data_ptr() != x.data_ptr()
    assert attack(model, x[:0], labels[:0], Ball(p, 0.1), keep=keep).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("name", ["clean", "fgsm", "pgd3x2"])
def test_bytes_are_attacked_as_k_over_255(name):
    model, labels = dense(), torch.tensor([0, 1, 2])
    points = torch.randint(256, (3, 6), generator=seeded(0), dtype=torch.uint8)
    attack, ball = Attack.parse(name), Ball("inf", 0.1)
    found = attack(model, points, labels, ball)
    assert found.dtype == torch.float32
    assert torch.equal(found, attack(model, points.float() / 255, labels, ball))
    assert torch.equal(attack(model, points.numpy(), labels, ball), found)
    assert torch.equal(
        gta(points, lambda x: model(x)[:, 0], 0.5),
        gta(points.float() / 255, lambda x: model(x)[:, 0], 0.5),
    )


# -- what is left alone ----------------------------------------------------------------------------


def test_no_parameter_gets_a_gradient_and_the_input_is_not_changed():
    model, (x, labels) = convolutional().eval(), images()
    before = x.clone()
    with torch.no_grad():  # as evaluations have it
        found = pgd(model, x.requires_grad_(True), labels, Ball("inf", 0.1), adverse, steps=2)
    assert not found.requires_grad
    assert torch.equal(x.detach(), before)
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("mode", ["eval", "batch"])
def test_batch_normalisation_is_restored(mode):
    model, (x, labels) = convolutional().train(), images()
    frozen = model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    outputs = []

    def failing(z):
        outputs.append(model(z))
        raise KeyError

    with pytest.raises(KeyError), batch_norm(model, mode):
        pgd(failing, x, labels, Ball("inf", 0.1), classification_loss, random_start=False)
    with batch_norm(model, mode):
        pgd(model, x, labels, Ball("inf", 0.1), classification_loss, steps=2, keep="last")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert not frozen.training
    assert all(m.track_running_stats for m in (model[1], model[5]))
    expected = convolutional().train(mode == "batch")(x)
    assert torch.equal(outputs[0], expected)


def test_batch_normalisation_survives_what_is_not_finite():
    model = convolutional().train()
    with batch_norm(model, "batch"):
        model(torch.full((2, 3, 8, 8), math.nan))
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())
    with (
        pytest.raises(ValueError, match="mode must be 'eval' or 'batch', got 'train'"),
        batch_norm(model, "train"),
    ):
        pass


def test_channels_last_stays():
    model, (x, labels) = convolutional().eval(), images()
    planar, last = x, x.contiguous(memory_format=torch.channels_last)
    seen = []

    def watched(z):
        seen.append(z.is_contiguous(memory_format=torch.channels_last))
        return model(z)

    for p, stop in (("inf", None), (2, None), ("inf", is_error)):
        options = {"steps": 3, "start": Ball(p, 0.1).sample(x, seeded(1)), "early_stop": stop}
        found = pgd(watched, last, labels, Ball(p, 0.1), classification_loss, **options)
        assert found.is_contiguous(memory_format=torch.channels_last)
        assert torch.allclose(
            found,
            pgd(model, planar, labels, Ball(p, 0.1), classification_loss, **options),
            atol=1e-5,
        )
    assert all(seen)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_autocast(keep):
    """Weights are cast once for the whole attack, objectives see float32, and the training step
    still gets gradients.
    """
    model, (x, labels) = convolutional().eval(), images()
    seen = []

    def objective(outputs, target):
        seen.append(outputs.dtype)
        return classification_loss(outputs, target)

    ball = Ball("inf", 0.1)
    with torch.autocast("cpu", torch.bfloat16):
        found = pgd(model, x, labels, ball, objective, steps=3, keep=keep, generator=seeded(1))
        loss = classification_loss(model(found), labels).mean()
    loss.backward()
    assert set(seen) == {torch.float32}
    assert found.dtype == torch.float32
    assert inside(found, x, ball)
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0 for p in (model[0].weight, model[-1].weight)
    )


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("p", ["inf", 2])
def test_what_is_not_finite_is_an_error_that_names_the_step(p, keep):
    x, labels = torch.tensor([[0.5], [0.5]]), torch.tensor([1, 1])
    options = {"steps": 4, "step_size": 0.1, "random_start": False, "keep": keep}

    def log(z):  # NaN as soon as a row is below 0.25
        return torch.log(z - 0.25)

    with pytest.raises(FloatingPointError, match="at step 4 of restart 1"):
        pgd(log, x, labels, Ball(p, 0.5), adverse, **options)

    def root(z):  # finite, with an infinite gradient
        return torch.sqrt(z - 0.5)

    with pytest.raises(FloatingPointError, match="at step 1 of restart 1"):
        pgd(root, x, labels, Ball(p, 0.5), adverse, **options)
    with pytest.raises(FloatingPointError, match="clean points" if keep == "best" else "step 1"):
        pgd(lambda z: z * math.nan, x, labels, Ball(p, 0.5), adverse, **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps and restarts must be >= 1, got 0 and 1"),
        ({"restarts": 0}, "steps and restarts must be >= 1, got 20 and 0"),
        ({"step_size": math.nan}, "step_size must be finite and >= 0, got nan"),
        ({"step_size": -0.1}, "step_size must be finite and >= 0, got -0.1"),
        ({"keep": "first"}, "keep must be 'best' or 'last', got 'first'"),
        ({"keep": "last", "restarts": 2}, "restarts must be 1 with keep='last'"),
        (
            {"random_start": False, "restarts": 2},
            "restarts must be 1 without a random start, got 2",
        ),
        (
            {"x": torch.zeros(2, 3, dtype=torch.int64)},
            r"x must be uint8 \(k means k/255\) or floating-point, got torch.int64",
        ),
        ({"x": torch.full((2, 3), 1.5)}, r"x must lie in \[0, 1\], got values in \[1.5, 1.5\]"),
        (
            {"x": torch.full((2, 3), math.nan)},
            r"x must lie in \[0, 1\], got values in \[nan, nan\]",
        ),
        (
            {"labels": torch.zeros(3, dtype=torch.int64)},
            "x and labels must have the same length, got 2 and 3",
        ),
        ({"start": torch.zeros(2, 4)}, r"start must have the shape of x, \(2, 3\), got \(2, 4\)"),
        (
            {"objective": lambda f, y: classification_loss(f, y).mean()},
            r"one value for each row, shape \(2,\), got shape \(\)",
        ),
    ],
)
def test_bad_arguments(changes, message):
    arguments = {
        "x": torch.rand(2, 3),
        "labels": torch.tensor([0, 1]),
        "objective": classification_loss,
    } | changes
    positional = [arguments.pop(name) for name in ("x", "labels", "objective")]
    with pytest.raises(ValueError, match=message):
        pgd(lambda z: z, *positional[:2], Ball("inf", 0.1), positional[2], **arguments)


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["clean", "fgsm", "pgd7", "pgd50x10", "autoattack"])
def test_names_come_back(name):
    assert str(Attack.parse(name)) == name


def test_step_sizes():
    ball = Ball("inf", 0.1)
    assert Attack.parse("fgsm").step_size(ball) == 0.125
    assert Attack.parse("pgd5").step_size(ball) == 0.05


@pytest.mark.parametrize(
    "name",
    ["", "pgd", "pgd0", "pgd7x0", "PGD7", "pgd7x", "pgd-1", "pgd1_0", "fgsm2", " pgd7", "pgd٣"],
)
def test_unknown_names_list_the_forms(name):
    with pytest.raises(ValueError, match=r"attack must be clean, fgsm, pgdK .* or autoattack, got"):
        Attack.parse(name)


def test_the_margin_attacks_where_the_loss_has_no_slope():
    """At outputs of hundreds, the cross-entropy's gradient underflows in float32; the default
    objective does not mind.
    """
    x, labels, ball = torch.full((1, 2), 0.5), torch.tensor([0]), Ball("inf", 0.3)
    attack = Attack.parse("pgd10")

    def model(z):
        return 1000 * torch.stack([z[:, 0] + 0.3, z[:, 1]], 1)

    assert is_error(model(attack(model, x, labels, ball, generator=seeded(0))), labels).item()
    blind = attack(
        model, x, labels, Ball("inf", 0.05), generator=seeded(0), objective=classification_loss
    )
    assert torch.equal(blind, x)


def test_autoattack_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyautoattack", None)
    with pytest.raises(ImportError, match=r"pip install 'cgro\[autoattack\]'"):
        Attack.parse("autoattack")(
            lambda z: z, torch.rand(1, 3, 8, 8), torch.tensor([0]), Ball("inf", 0.1)
        )


@pytest.mark.slow
@pytest.mark.parametrize("outputs", [1, 3, 10])
@pytest.mark.parametrize(("p", "radius"), [("inf", 0.02), (2, 0.2)])
def test_autoattack(outputs, p, radius):
    pytest.importorskip("pyautoattack")
    model, ball = convolutional(outputs=outputs).eval(), Ball(p, radius)
    x, _ = images(8)
    labels = torch.where(model(x)[:, 0] > 0, 1, -1) if outputs == 1 else model(x).argmax(1)
    attack = Attack.parse("autoattack")
    state = torch.get_rng_state()
    found = attack(model, x, labels, ball, generator=seeded(0))
    assert torch.equal(torch.get_rng_state(), state)
    assert inside(found, x, ball)
    assert torch.equal(found, attack(model, x, labels, ball, generator=seeded(0)))
    wrong = is_error(model(found), labels)
    assert torch.equal(found[~wrong], x[~wrong])
    weaker = is_error(
        model(Attack.parse("pgd20")(model, x, labels, ball, generator=seeded(0))), labels
    )
    assert int(wrong.sum()) >= int(weaker.sum()) - 1
    with pytest.raises(
        ValueError, match=r"images of shape \(batch, C, H, W\), got x of shape \(8, 192\)"
    ):
        attack(model, x.flatten(1), labels, ball)


# -- GTA -------------------------------------------------------------------------------------------


@given(gamma=st.floats(0.01, 1), seed=st.integers(0, 10**6))
def test_gta_leaves_one_minus_gamma_of_a_linear_classifier(gamma, seed):
    w = torch.randn(12, generator=seeded(seed), dtype=torch.float64)
    w /= w.norm()
    x = 3 * torch.randn(5, 3, 4, generator=seeded(seed + 1), dtype=torch.float64)

    def g(z):
        return z.flatten(1) @ w

    found = gta(x, g, gamma)
    assert torch.allclose(g(found), (1 - gamma) * g(x), atol=1e-12)
    assert torch.allclose(Ball(2, 1).norm(found - x), gamma * g(x).abs(), atol=1e-12)
    column = gta(x, lambda z: g(z)[:, None], gamma)
    assert torch.equal(column, found)


def test_gta_of_a_nonlinear_classifier_and_its_errors():
    # g = ||x||^2: 25 along the unit vector; no gradient at 0
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    found = gta(x, lambda z: (z**2).sum(1), 0.1)
    assert torch.allclose(found, torch.tensor([[3.0 - 1.5, 4.0 - 2.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match="gamma must be positive and finite, got 0"):
        gta(x, lambda z: z.sum(1), 0)
    with pytest.raises(
        ValueError, match=r"one value for each row, shape \(2,\), got shape \(2, 2\)"
    ):
        gta(x, lambda z: z, 1.0)
    with pytest.raises(FloatingPointError, match="g or its gradient"):
        gta(x, lambda z: z.sum(1).sqrt(), 1.0)


# -- losses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("outputs", [1, 2, 5])
def test_the_exponential_loss_is_that_of_the_cross_entropy_less_one(outputs):
    f = 3 * torch.randn(40, outputs, generator=seeded(0), dtype=torch.float64)
    labels = (
        torch.randint(0, 2, (40,)) * 2 - 1 if outputs == 1 else torch.randint(0, outputs, (40,))
    )
    assert torch.allclose(exponential(f, labels), torch.expm1(classification_loss(f, labels)))


def test_two_classes_are_one_output():
    f, labels = torch.randn(20, 1, dtype=torch.float64), torch.randint(0, 2, (20,))
    g = torch.randn(20, 1, dtype=torch.float64)
    two, other = (torch.cat([-h / 2, h / 2], 1) for h in (f, g))
    for loss in LOSSES.values():
        assert torch.allclose(loss(two, labels), loss(f, 2 * labels - 1))
    assert torch.allclose(divergence(two, other), divergence(f, g))
    p, q = torch.sigmoid(f[:, 0]), torch.sigmoid(g[:, 0])
    expected = p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()
    assert torch.allclose(divergence(f, g), expected)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("size", [0.0, 1.0, 100.0, 1e4])
def test_losses_are_finite_for_large_outputs(outputs, size):
    signs = torch.tensor([[1.0, -1.0, 0.5], [-1.0, 1.0, 0.0]])[:, :outputs]
    f, g = (size * signs).requires_grad_(True), (-size * signs).requires_grad_(True)
    labels = torch.tensor([1, -1]) if outputs == 1 else torch.tensor([1, 0])
    losses = [*(loss(f, labels) for loss in LOSSES.values()), divergence(f, g)]
    for value in losses:
        gradients = torch.autograd.grad(value.sum(), [f, g], allow_unused=True, retain_graph=True)
        assert torch.isfinite(value).all()
        assert all(torch.isfinite(gradient).all() for gradient in gradients if gradient is not None)


def test_mixed_losses():
    f, g = torch.randn(9, 4), torch.randn(9, 4)
    assert torch.equal(mixed(f, g, 0.0), f)
    assert torch.equal(mixed(f, g, 1.0), g)
    assert torch.allclose(mixed(f, g, 0.3), 0.7 * f + 0.3 * g)
    assert torch.equal(divergence(f, f), torch.zeros(9))
    with pytest.raises(ValueError, match=r"weight must be between 0 and 1, got 1\.5"):
        mixed(f, g, 1.5)


def test_trades_attacks_move_away_from_the_clean_outputs():
    model, (x, labels), ball = convolutional().eval(), images(), Ball("inf", 0.1)
    with torch.no_grad():
        clean = model(x)
    start = ball.sample(x, seeded(1))
    found = pgd(
        model, x, labels, ball, lambda f, _: divergence(clean, f), steps=5, start=start, keep="last"
    )
    assert (divergence(clean, model(found)) > 2 * divergence(clean, model(start))).all()


def test_the_usual_loss_is_the_default():
    model = mlp([2, 8, 1])
    x, labels = torch.rand(6, 2), torch.tensor([1, -1] * 3)
    ball = Ball("inf", 0.1)
    found = pgd(model, x, labels, ball, steps=3)
    assert torch.equal(found, pgd(model, x, labels, ball, classification_loss, steps=3))
    assert torch.equal(
        fgsm(model, x, labels, ball), fgsm(model, x, labels, ball, classification_loss)
    )


def test_calls_without_a_generator_start_at_the_same_places():
    x, labels = torch.full((6, 2), 0.5), torch.tensor([1, -1] * 3)
    arguments = (lambda x: 0 * x[:, :1], x, labels, Ball("inf", 0.1))  # nothing to climb
    options = {"steps": 1, "step_size": 0.0, "keep": "last"}
    assert torch.equal(pgd(*arguments, **options), pgd(*arguments, **options))
    own = seeded(0)
    first, second = (pgd(*arguments, **options, generator=own) for _ in range(2))
    assert not torch.equal(first, second)
