"""Nothing that measures changes a model or a global generator; labels, points, norms and outputs
are read in one way.
"""

import contextlib
import copy
import inspect
import itertools
import random
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import analysis
import training
import training.internal
from analysis import CompareSettings
from constructions import (
    Ball,
    Property,
    ReLUNetwork,
    affine,
    f_S,
    f_S_from_thresholds,
    interval_bounds,
    separation,
)
from constructions.internal import read_norm
from training import Attack, Dataset, MemorizingModel, Run, TrainingConfig, evaluate, pgd, train
from training.internal import measuring, unchanged

ROOT = Path(__file__).parent.parent
BALL = Ball("inf", 0.125)
X = torch.rand(8, 2, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([1, -1] * 4)
UNIT = nn.functional.normalize(X.double())
SMALL = torch.tensor([True, False] * 4)


def is_larger(f, y):
    return -y * f[:, 0]


class Spy(nn.Module):
    """A model of shared and frozen layers in mixed modes that draws and counts as it computes; with
    an error on request.
    """

    def __init__(self, outputs=1, flat=False):
        super().__init__()
        norm, drop = nn.BatchNorm1d(4), nn.Dropout(0.25)
        block = nn.Sequential(nn.Linear(4, 4), norm, nn.ReLU())
        self.body = nn.Sequential(
            nn.Linear(2, 4), norm, block, nn.BatchNorm1d(4).eval(), drop, block, drop
        )
        self.head, self.flat, self.calls, self.error = nn.Linear(4, outputs), flat, 0, None
        self.register_buffer("seen", torch.zeros(()))
        self.head.weight.requires_grad_(False)
        for k, parameter in enumerate(self.parameters()):
            parameter.grad = None if k % 2 else torch.full_like(parameter, float(k))

    def forward(self, x):
        self.calls += 1
        if self.error is not None and self.calls >= 2:
            raise self.error
        self.seen += 1
        torch.rand(1), np.random.rand(), random.random()  # noqa: NPY002
        outputs = self.head(self.body(x))
        return outputs[:, 0] if self.flat else outputs


def spied(**options):
    torch.manual_seed(1)
    return Spy(**options).train(mode=True)


def mixed(model):
    """The second normalisation is in eval mode, all else in training mode."""
    model.body[3].eval()
    return model


def snapshot(model):
    state = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [
        (name, module.training) for name, module in model.named_modules(remove_duplicate=False)
    ]
    grads = [
        (p, p.requires_grad, p.grad, None if p.grad is None else p.grad.clone())
        for p in model.parameters()
    ]
    return state, modes, grads, torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002


def assert_same(before, model):
    state, modes, grads, *generators = before
    now = snapshot(model)
    assert state.keys() == now[0].keys()
    assert all(torch.equal(value, now[0][name]) for name, value in state.items())
    assert modes == now[1]
    for (p, required, grad, value), (q, required_now, grad_now, _) in zip(
        grads, now[2], strict=True
    ):
        assert p is q
        assert (
            (required, grad) == (required_now, grad_now)
            if grad is None
            else (required == required_now and grad is grad_now)
        )
        assert value is None or torch.equal(grad_now, value)
    assert torch.equal(generators[0], now[3])
    assert all(np.array_equal(a, b) for a, b in zip(generators[1], now[4], strict=True))
    assert generators[2] == now[5]


def first(points):
    return points[:, :1]


def second(points):
    return points[:, 1:]


ASKED = Property(box=([0.0, 0.0], [1.0, 1.0]), unsafe=[([[1.0]], [0.0])])

CALLS = {  # every public function that takes a model
    "training": {
        "Attack": lambda f: Attack.parse("pgd3x2")(f, X, Y, BALL),
        "cap_attack": lambda f: training.cap_attack(f, UNIT, Y.double(), 0.1, restarts=1),
        "evaluate": lambda f: evaluate(f, X, Y, BALL, "pgd3"),
        "fgsm": lambda f: training.fgsm(f, X, Y, BALL, is_larger),
        "gta": lambda f: training.gta(X, f, 0.5),
        "pgd": lambda f: pgd(f, X, Y, BALL, is_larger, steps=3, restarts=2),
    },
    "analysis": {
        "agreement": lambda f: analysis.agreement(f, first, X),
        "agreement_by_group": lambda f: analysis.agreement_by_group(
            first, f, X, {"all": [True] * 8}
        ),
        "agreement_table": lambda f: analysis.agreement_table(f, first, X, X, X, BALL, 0.25),
        "boundary_distances": lambda f: analysis.boundary_distances(
            f, X, Y, Ball("inf", 0.125), steps=2, restarts=2
        ),
        "cap_error": lambda f: analysis.cap_error(f, UNIT, Y.double(), 0.1, steps=2),
        "certified_margins": lambda f: analysis.certified_margins(f, X, Y, BALL),
        "certify": lambda f: analysis.certify(f, X[0], BALL, 1),
        "certify_box": lambda f: analysis.certify_box(f, (X[0], X[0] + 0.1), 1),
        "class_topology": lambda f: analysis.class_topology(f, (0, 1), 1),
        "certify_memorization": lambda f: analysis.certify_memorization(f, X, Y, BALL),
        "certify_memorizer": lambda f: analysis.certify_memorizer(f, X, Y, BALL),
        "change_bound": lambda f: analysis.change_bound(f, X, Y, BALL),
        "clean_bound": lambda f: analysis.clean_bound(f, X, Y),
        "clean_error": lambda f: analysis.clean_error(f, X, Y),
        "decide": lambda f: analysis.decide(f, ASKED, max_seconds=2.0),
        "errors_by_margin": lambda f: analysis.errors_by_margin(f, f, X, Y, BALL),
        "exact_flatness": lambda f: analysis.exact_flatness(f, X, Y, BALL, [0.1]),
        "first_order_ratios": lambda f: analysis.first_order_ratios(f, X, Y, BALL, [0.1]),
        "flatness_profile": lambda f: analysis.flatness_profile(f, X, Y, BALL, [0.0, 0.1], steps=2),
        "boundary_distance": lambda f: analysis.boundary_distance(f, X[0], "inf", label=1),
        "check_certificate": lambda f: analysis.check_certificate(
            analysis.certify(f, X[0], BALL, 1), f
        ),
        "memorization_share": lambda f: analysis.memorization_share(
            f, first, second, X, BALL, radii=[0.0, 0.1]
        ),
        "normalized_margins": lambda f: analysis.normalized_margins(f, X, Y),
        "proved_balls": lambda f: analysis.proved_balls(f, X, Y, BALL, SMALL),
        "radial_profile": lambda f: analysis.radial_profile(f, X, Y, BALL, [0.0, 0.1]),
        "robust_error": lambda f: analysis.robust_error(f, X, Y, BALL, steps=2),
        "robust_loss": lambda f: analysis.robust_loss(f, UNIT, Y.double(), 0.1, steps=2),
    },
}
EVERY = CALLS["training"] | CALLS["analysis"]

FLAT = {"cap_attack", "cap_error", "robust_loss"}
"""Those of functions with one value a row, on points of the sphere in float64."""

PIECEWISE = {
    *(
        "certified_margins",
        "certify",
        "certify_box",
        "check_certificate",
        "certify_memorization",
        "certify_memorizer",
        "class_topology",
        "change_bound",
        "clean_bound",
        "clean_error",
    ),
    *(
        "decide",
        "errors_by_margin",
        "exact_flatness",
        "boundary_distance",
        "proved_balls",
        "robust_error",
    ),
}
"""Those that read a module as a `ReLUNetwork`, or refuse it; its forward is not what they compute
with.
"""

OTHERS = {
    *("batch_norm", "unchanged", "train"),  # change modes within a context; trains
    *("check_differentiable", "copied", "placement"),  # compute nothing
    # take a WideNetwork: tensors
    *("train_lazily", "finite_kernel", "gradient_change", "taylor_error"),
    *("certified_ball_margins", "robust_error_bounds"),  # take a MixedLearner: tensors
    # take a ReLUNetwork, no module
    *("distance_error", "memorization_part", "outer_radius", "sup_error"),
    *("mixed",),  # takes losses
    "worst_outputs",  # of a training step: with gradients, in the mode that the model is in
    "plot_plane",  # of two inputs: see test_planes.py
    "study",  # takes functions that make models: see tests/analysis/studies
    "compare",  # reads a module as a ReLUNetwork: see test_own.py
}


def test_every_public_function_of_a_model_is_listed():
    names = {
        "model",
        "network",
        "learned",
        "clean",
        "constructed",
        "first",
        "second",
        "f",
        "g",
        "learner",
        "models",
    }
    found = set()
    for package in (training, training.internal, analysis):
        for name in package.__all__:
            value = getattr(package, name)
            if inspect.isfunction(value) and names & set(inspect.signature(value).parameters):
                found.add(name)
    assert found == set(EVERY) - {"Attack"} | OTHERS


def model_for(name, error=None):
    if name in PIECEWISE:
        norm = nn.BatchNorm1d(4)
        model = nn.Sequential(
            nn.Linear(2, 4), norm.eval(), nn.ReLU(), nn.Dropout(), nn.Linear(4, 1)
        ).double()
        model.requires_grad_(False)[0].weight.requires_grad_(True)
        return model
    model = mixed(spied(flat=name in FLAT)).to(torch.float64 if name in FLAT else torch.float32)
    model.error = error
    return model


@pytest.mark.parametrize("outside", [torch.enable_grad, torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", EVERY)
def test_what_measures_leaves_the_model_as_it_was(name, outside):
    model = model_for(name)
    before = snapshot(model)
    with outside():
        if name in PIECEWISE:
            # may refuse the module, or find no answer
            with contextlib.suppress(ValueError, TypeError):
                EVERY[name](model)
        else:
            EVERY[name](model)
            assert model.calls or name == "boundary_distances"  # which computes with copies
    assert_same(before, model)


@pytest.mark.parametrize(
    "error", [RuntimeError("injected"), KeyboardInterrupt()], ids=["error", "interrupt"]
)
@pytest.mark.parametrize("name", [name for name in EVERY if name not in PIECEWISE])
def test_an_exception_leaves_the_model_as_it_was(name, error):
    model = model_for(name, error)
    model.calls = 1 if name in ("gta", "fgsm", "normalized_margins") else 0  # they look once
    before = snapshot(model)
    with pytest.raises(type(error)):
        EVERY[name](model)
    assert_same(before, model)


def test_a_constructor_leaves_the_module_that_it_takes_as_it_was():
    model = mixed(spied())
    before = snapshot(model)
    MemorizingModel(model, X[:1], Y[:1], BALL, 0.5)
    assert_same(before, model)


def test_backward_within_does_not_reach_gradients_and_replaced_buffers_come_back():
    model = mixed(spied())
    before, buffer = snapshot(model), model.seen
    with unchanged(model):
        model(X).sum().backward()
        model.seen = torch.ones(3)
        model.requires_grad_(False)
        model.eval()
    assert_same(before, model)
    assert model.seen is buffer


def test_lazy_modules_are_refused_before_their_first_call():
    model = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.Linear(4, 1))
    for call in (EVERY["evaluate"], EVERY["pgd"], EVERY["agreement"], EVERY["boundary_distances"]):
        with pytest.raises(
            ValueError,
            match="model must have all its weights, got lazy modules without: call it once",
        ):
            call(model)
    assert isinstance(model[0], nn.LazyLinear)


def test_weights_that_hooks_compute_are_measured_and_copied():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.Sequential(nn.utils.weight_norm(nn.Linear(2, 4)), nn.ReLU(), nn.Linear(4, 1))
    model(X)
    found = analysis.boundary_distances(
        model, X, Y, Ball("inf", 0.125), steps=2, restarts=1, certified=False
    )
    plain = ReLUNetwork.from_module(nn.Sequential(*(settled(layer) for layer in model)))
    assert torch.equal(
        found.upper == 0, analysis.boundary_distances(plain, X, Y, Ball("inf", 0.125)).upper == 0
    )
    again = training.internal.copied(model)
    assert torch.equal(again(X), model(X))
    with torch.no_grad():
        again[0].weight_g.mul_(2)
    assert not torch.equal(again(X), model(X))


def settled(layer):
    """A plain layer with the weights that the layer has now."""
    if not isinstance(layer, nn.Linear):
        return layer
    plain = nn.Linear(layer.in_features, layer.out_features)
    with torch.no_grad():
        plain.weight.copy_(layer.weight)
        plain.bias.copy_(layer.bias)
    return plain


def test_measuring_sees_modules_given_by_name_and_methods():
    model = mixed(spied())
    before = snapshot(model)
    modes = []

    @measuring(evaluating=True)
    def look(a, b=None):
        modes.append([module.training for module in model.modules()])

    look(model)
    look(1, b=model)
    look(model.forward)
    assert not any(itertools.chain.from_iterable(modes))
    assert_same(before, model)


def test_attacks_use_the_modes_of_the_layers_and_batch_statistics():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1))
    batch, running = (
        pgd(model.train(mode), X, Y, BALL, is_larger, steps=3, random_start=False)
        for mode in (True, False)
    )
    assert not torch.equal(batch, running)
    # rows that leave would leave a batch of one
    found = Attack.parse("pgd7x3")(model.train(), X, Y, BALL)
    assert found.shape == X.shape
    assert model.training
    assert torch.equal(model[1].running_mean, torch.zeros(4))


def test_attacks_without_a_generator_draw_what_the_global_one_would_and_leave_it():
    def line(x):
        return x[:, :1]

    torch.manual_seed(3)
    a, b = (pgd(line, X, Y, BALL, is_larger, steps=1, keep="last", step_size=0.0) for _ in range(2))
    torch.manual_seed(3)
    expected = training.project(BALL.sample(X), X, BALL)
    assert torch.equal(a, b)
    assert torch.equal(a, expected)
    generator = torch.Generator().manual_seed(3)
    c, d = (
        pgd(line, X, Y, BALL, is_larger, steps=1, keep="last", step_size=0.0, generator=generator)
        for _ in range(2)
    )
    assert not torch.equal(c, d)


# -- numbers ---------------------------------------------------------------------------------------


def test_gradients_whose_sum_overflows_are_finite():
    x = torch.full((2, 3072), 0.5, dtype=torch.float16)

    def steep(points):
        return (60 * points.float()).sum(1, keepdim=True)

    found = pgd(steep, x, torch.tensor([1, -1]), BALL, lambda f, y: f[:, 0], steps=2)
    assert found.dtype == torch.float16
    assert (found == 0.625).all()
    single = torch.full((2, 8), 0.5)
    found = pgd(
        lambda points: 1e38 * (points - 0.5),
        single,
        torch.tensor([1, 1]),
        BALL,
        lambda f, y: f.sum(1),
        steps=2,
    )
    assert (found == 0.625).all()
    with pytest.raises(FloatingPointError, match="NaN or infinite"):
        pgd(
            lambda points: points / 0,
            single,
            torch.tensor([1, 1]),
            BALL,
            lambda f, y: f[:, 0],
            steps=2,
        )


@pytest.mark.parametrize(
    "dtype",
    [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32],
)
def test_labels_of_all_integer_types_give_the_same(dtype):
    torch.manual_seed(0)
    model, wide = training.mlp([2, 4, 3]), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    labels = wide.to(dtype)
    assert evaluate(model, X, labels, BALL, "pgd3") == evaluate(model, X, wide, BALL, "pgd3")
    assert torch.equal(
        Attack.parse("pgd3")(model, X, labels, BALL), Attack.parse("pgd3")(model, X, wide, BALL)
    )
    for function in (
        training.output_margin,
        training.is_error,
        training.classification_loss,
        training.exponential,
    ):
        assert torch.equal(function(model(X), labels), function(model(X), wide))
    a, b = (analysis.flatness_profile(model, X, y, BALL, [0.1], steps=1) for y in (labels, wide))
    assert torch.equal(a.gradient, b.gradient)
    a, b = (
        analysis.boundary_distances(model, X, y, Ball("inf", 0.1), steps=2, restarts=1)
        for y in (labels, wide)
    )
    assert torch.equal(a.upper, b.upper)
    assert torch.equal(*(analysis.normalized_margins(model, X, y) for y in (labels, wide)))
    data = Dataset.from_tensors(X, labels, X, labels)
    assert (data.outputs, data.train_labels.dtype) == (3, torch.int64)


READERS = {
    "evaluate": lambda f, y: evaluate(f, X, y, BALL, "clean"),
    "attack": lambda f, y: Attack.parse("pgd3")(f, X, y, BALL),
    "fgsm": lambda f, y: Attack.parse("fgsm")(f, X, y, BALL),
    "margin": lambda f, y: training.output_margin(f(X), y),
    "is_error": lambda f, y: training.is_error(f(X), y),
    "classification_loss": lambda f, y: training.classification_loss(f(X), y),
    "exponential": lambda f, y: training.exponential(f(X), y),
    "flatness": lambda f, y: analysis.flatness_profile(f, X, y, BALL, [0.1]),
    "boundary": lambda f, y: analysis.boundary_distances(f, X, y, Ball("inf", 0.1)),
    "margins": lambda f, y: analysis.normalized_margins(f, X, y),
    "radial": lambda f, y: analysis.radial_profile(f, X, y, BALL, [0.0]),
    "clean_error": lambda f, y: analysis.clean_error(f, X, y),
    "classes": lambda f, y: analysis.class_groups(y, 1),
    "max_margin": lambda f, y: training.max_margin(X, y),
    "data": lambda f, y: Dataset.from_tensors(X, y, X, y, outputs=1),
    "memorizing": lambda f, y: MemorizingModel(f, X, y, BALL, 0.5),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_labels_that_do_not_fit_are_refused_in_the_same_words(reader):
    model = training.mlp([2, 4, 1])
    zero = (
        "must be -1 or \\+1 for a network with 1 output, got 0 at index 1: "
        "use -1/\\+1, such as 2 \\* labels - 1"
    )
    with pytest.raises(ValueError, match=zero):
        reader(model, (Y + 1) // 2)
    with pytest.raises(ValueError, match=r"must be integers, got torch\.bool: use 2"):
        reader(model, Y > 0)
    with pytest.raises(
        ValueError, match=r"must be integers, got torch\.float32: use labels\.long\(\)"
    ):
        reader(model, Y.float())
    with pytest.raises(
        ValueError, match=r"must have shape \(8,\), one for each point, got \(8, 1\)|got \(8, 1\)"
    ):
        reader(model, Y[:, None])


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a[::-1].copy()[::-1],
        lambda a: a.astype(a.dtype.newbyteorder(">")),
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(a, 2, 0)[::2],
        lambda a: a.tolist(),
    ],
    ids=["negative strides", "byte order", "fortran", "gaps", "lists"],
)
def test_arrays_of_all_layouts_are_read(change):
    points, labels = X.numpy().astype(np.float64), Y.numpy()
    given, y = change(points), change(labels)
    model = training.mlp([2, 4, 1]).double()
    network = ReLUNetwork.from_module(model)
    assert evaluate(model, given, y, BALL, "pgd3") == evaluate(model, points, labels, BALL, "pgd3")
    for function in (
        lambda x, y: analysis.flatness_profile(model, x, y, BALL, [0.1], steps=1).gradient,
        lambda x, y: (
            analysis.boundary_distances(model, x, y, Ball("inf", 0.1), steps=2, restarts=1).upper
        ),
        lambda x, y: analysis.normalized_margins(model, x, y),
        lambda x, y: analysis.certified_margins(network, x, y, BALL),
        lambda x, y: analysis.change_bound(network, x, y, BALL),
        lambda x, y: analysis.robust_error(network, x, y, BALL, steps=2).adversarial,
        lambda x, y: f_S(affine([[1.0, 0.0]]), x, y, Ball("inf", 1e-4)).layers[0].weight.to_dense(),
        lambda x, y: (
            f_S_from_thresholds(affine([[1.0, 0.0]]), x, y, "inf", 0.01, 0.02, bound=2.0)
            .layers[0]
            .weight.to_dense()
        ),
        lambda x, y: torch.tensor(separation(x, y).lower),
        lambda x, y: interval_bounds(network, (x, x))[0],
        lambda x, y: analysis.neural_tangent_kernel(x, x),
        lambda x, y: pgd(model, x, y, BALL, lambda f, y: -training.output_margin(f, y), steps=2),
        lambda x, y: Attack.parse("pgd2")(model, x, y, BALL),
        lambda x, y: training.gta(x, model, 0.5),
        lambda x, y: (
            training.max_margin(
                x, np.ones(8, dtype=y.dtype) if isinstance(y, np.ndarray) else [1] * 8
            ).direction
        ),
        lambda x, y: MemorizingModel(model, x[:1], y[:1], BALL, 0.5).targets,
    ):
        assert torch.equal(function(given, y), function(points, labels))
    assert analysis.agreement(model, network, given).value == 1


def test_what_are_no_numbers_is_refused():
    for values, error in (
        (["a"], TypeError),
        ([[1.0], [1.0, 2.0]], ValueError),
        (np.array([None]), TypeError),
    ):
        with pytest.raises(error, match="points must be numbers"):
            training.internal.as_tensor(values, "points")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("inf", "inf"), (float("inf"), "inf"), (2, 2), ("2", 2), (np.float64(2), 2)],
)
def test_norms_are_read_one_way(given, expected):
    expected = Ball(expected, 0.0).p
    assert read_norm(given) == expected
    assert TrainingConfig(norm=given).norm == expected
    settings = CompareSettings(norm=given)
    assert settings == CompareSettings(norm=expected)
    assert settings.ball == Ball(expected, 0.1 if expected > 2 else 0.3)
    for wrong in (1, "one", None):
        for reader in (lambda p: TrainingConfig(norm=p), lambda p: CompareSettings(norm=p)):
            with pytest.raises(ValueError, match=f"norm must be 2 or 'inf', got {wrong!r}"):
                reader(wrong)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
@pytest.mark.parametrize("name", ["mlp", "lenet5", pytest.param("resnet9", marks=pytest.mark.slow)])
def test_the_default_dtype_changes_nothing(name, dtype):
    images = torch.rand(4, 1, 12, 12)

    def results():
        model = training.build_model(
            name, (1, 12, 12), 2, width=0.1, mean=[0.5], std=[0.25], hidden=(4,)
        )
        data = Dataset.from_tensors(
            images, torch.tensor([0, 1, 0, 1]), images, torch.tensor([0, 1, 0, 1])
        )
        shares = analysis.agreement(model, model, images).value
        profile = analysis.flatness_profile(model, images, data.train_labels, BALL, [0.1], steps=1)
        found = analysis.boundary_distances(
            model, images, data.train_labels, Ball("inf", 0.1), steps=1, restarts=1
        )
        return (
            model.state_dict(),
            evaluate(model, images, data.train_labels, BALL, "pgd2"),
            shares,
            profile.gradient,
            found.upper,
        )

    expected = results()
    torch.set_default_dtype(dtype)
    try:
        found = results()
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(
        torch.equal(value, found[0][key]) and value.dtype == found[0][key].dtype
        for key, value in expected[0].items()
    )
    assert expected[1:3] == found[1:3]
    assert all(torch.equal(a, b) for a, b in zip(expected[3:], found[3:], strict=True))


def test_half_precision_weights_are_measured_in_float32():
    model = training.mlp([2, 4, 1])
    half, single = copy.deepcopy(model).half(), copy.deepcopy(model).half().float()
    a, b = (evaluate(f, X.half(), Y, BALL, "clean") for f in (half, single))
    assert a.accuracy == b.accuracy
    assert abs(a.loss - b.loss) < 1e-3


def test_flatness_of_half_precision_beyond_its_range():
    model = nn.Sequential(nn.Linear(3072, 1)).half()
    with torch.no_grad():
        model[0].weight.fill_(50.0)
        model[0].bias.fill_(0.0)
    found = analysis.flatness_profile(
        model, torch.zeros(1, 3072), torch.tensor([-1]), BALL, [0.0, 2.0**-10], steps=8
    )
    assert found.gradient[0, 0] == 3072 * 25  # 76,800: float16 ends at 65,504
    assert found.gradient[0, 1] == 3072 * 50


def test_integers_are_no_images():
    with pytest.raises(
        ValueError, match=r"points must be uint8 .* or floating-point, got torch.int64"
    ):
        evaluate(training.mlp([2, 1]), [[0, 1]], [1], BALL, "clean")


# -- training --------------------------------------------------------------------------------------

CONFIG = {
    "epochs": 1,
    "radius": 0.05,
    "attack": "pgd1",
    "final_attack": "pgd2",
    "eval_attack": "clean",
    "batch_size": 4,
}


def tiny(count=8):
    return Dataset.from_tensors(X[:count], Y[:count], X, Y)


def normed(outputs=1):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, outputs))


@pytest.mark.parametrize("outside", [torch.no_grad, torch.inference_mode])
def test_training_works_where_gradients_are_off(outside, tmp_path):
    config = TrainingConfig(task="parity", train_points=64, hidden=(8,), **CONFIG)
    here = train(config, tmp_path / "here")
    with outside():
        there = train(config, tmp_path / "there")
        loaded = there.model()
        x = torch.rand(4, 1, 8, 8)
        found = Attack.parse("pgd3")(loaded, x, torch.tensor([1, -1, 1, -1]), BALL)
    assert not found.is_inference()
    assert all(torch.equal(value, here.weights()[name]) for name, value in there.weights().items())
    assert loaded(found).requires_grad


def test_weights_made_under_inference_mode_are_refused(tmp_path):
    with torch.inference_mode():
        model = nn.Linear(2, 1)
    for call in (
        lambda: Attack.parse("pgd3")(model, X, Y, BALL),
        lambda: analysis.flatness_profile(model, X, Y, BALL, [0.1]),
        lambda: train(TrainingConfig(**CONFIG), tmp_path / "run", data=tiny(), model=model),
    ):
        with pytest.raises(
            ValueError, match=r"model must be made outside of torch\.inference_mode"
        ):
            call()
    assert analysis.agreement(model, model, X).value == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("count", "size", "sizes"), [(7, 2, [2, 2, 3]), (5, 4, [2, 3]), (3, 2, [3]), (8, 3, [2, 3, 3])]
)
def test_batches_of_one_are_joined_for_batch_normalisation(count, size, sizes, tmp_path):
    model, seen = normed(), []
    model[1].register_forward_hook(
        lambda module, x, y: seen.append((len(y), module.training, y.requires_grad))
    )
    config = TrainingConfig(**CONFIG | {"batch_size": size, "radius": 0.0})
    assert train(config, tmp_path / "run", data=tiny(count), model=model).status == "finished"
    assert sorted(n for n, training, gradients in seen if training and gradients) == sizes


def test_a_batch_size_of_one_is_refused_for_batch_normalisation_only(tmp_path):
    config = TrainingConfig(**CONFIG | {"batch_size": 1})
    model = normed().train()
    before = snapshot(model)
    with pytest.raises(
        ValueError,
        match=r"batch_size must be at least 2 for a model with batch normalisation, .* got 1",
    ):
        train(config, tmp_path / "run", data=tiny(), model=model)
    assert_same(before, model)
    assert not (tmp_path / "run").exists()
    assert (
        train(config, tmp_path / "run", data=tiny(), model=training.mlp([2, 4, 1])).status
        == "finished"
    )
    images = Dataset.from_tensors(X.reshape(4, 1, 2, 2), Y[:4], X.reshape(4, 1, 2, 2), Y[:4])
    # four numbers a channel
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 1))
    assert train(config, tmp_path / "images", data=images, model=model).status == "finished"


class Pair(nn.Module):
    def __init__(self, kind=tuple):
        super().__init__()
        self.layer, self.kind = nn.Linear(2, 1), kind

    def forward(self, x):
        return {"logits": self.layer(x)} if self.kind is dict else (self.layer(x), x)


@pytest.mark.parametrize("kind", [tuple, dict])
def test_models_that_give_no_tensor_are_refused(kind, tmp_path):
    model = Pair(kind)
    for call in (
        lambda: train(TrainingConfig(**CONFIG), tmp_path / "run", data=tiny(), model=model),
        lambda: evaluate(model, X, Y, BALL, "pgd3"),
        lambda: Attack.parse("pgd3")(model, X, Y, BALL),
        lambda: pgd(model, X, Y, BALL, is_larger),
        lambda: analysis.flatness_profile(model, X, Y, BALL, [0.1]),
        lambda: analysis.agreement(model, model, X),
        lambda: analysis.radial_profile(model, X, Y, BALL, [0.1]),
        lambda: analysis.boundary_distances(model, X, Y, Ball("inf", 0.1)),
        lambda: training.gta(X, model, 0.5),
        lambda: MemorizingModel(model, X[:1], Y[:1], BALL, 0.5),
    ):
        with pytest.raises(
            TypeError,
            match=rf"must return one tensor of outputs \(N, K\), got {kind.__name__}: wrap it",
        ):
            call()
    assert not (tmp_path / "run").exists()


SCRIPT = """
import torch
from training import Dataset, TrainingConfig, train
x, y = torch.rand(8, 2), torch.tensor([1, -1] * 4)
def go():
    data = Dataset.from_tensors(x, y, x, y)
    few = {"epochs": 1, "batch_size": 4, "final_attack": "clean", "eval_attack": "clean"}
    config = TrainingConfig(hidden=(4,), devices=2, device="cpu", **few)
    print(train(config, "run", data=data).status)
"""


def run_script(text, folder):
    (folder / "script.py").write_text(SCRIPT + text)
    environment = {
        "PYTHONPATH": str(ROOT),
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_several_processes_from_an_unguarded_script_are_refused_at_once(tmp_path):
    found = run_script("go()\n", tmp_path)
    assert found.returncode == 1
    message = (
        'ValueError: devices must be 1 unless train is called under `if __name__ == "__main__":`'
    )
    assert message in found.stderr.splitlines()[-1]
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_several_processes_from_a_guarded_script_train(tmp_path):
    found = run_script('if __name__ == "__main__":\n    go()\n', tmp_path)
    assert (found.returncode, found.stdout.splitlines()[-1]) == (0, "finished"), found.stderr


# -- shared modules --------------------------------------------------------------------------------


class Shared(nn.Module):
    """One block twice, one normalisation in three places, and two layers with one weight."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        relu, norm = nn.ReLU(), nn.BatchNorm1d(2)
        block = nn.Sequential(nn.Linear(2, 2), norm, relu)
        self.body = nn.Sequential(block, norm, block, relu, nn.Linear(2, 2))
        self.tied = nn.Linear(2, 2, bias=False)
        self.tied.weight = self.body[4].weight
        self.head = nn.Linear(2, 1)

    def forward(self, x):
        return self.head(self.tied(self.body(x)))


def assert_shared(model):
    assert model.tied.weight is model.body[4].weight
    assert model.body[0] is model.body[2]
    assert model.body[1] is model.body[0][1]
    assert sum(p.numel() for p in model.parameters()) == 6 + 4 + 6 + 3  # each once


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_shared_modules_and_weights_train_resume_and_load(precision, tmp_path):
    config = TrainingConfig(**CONFIG | {"epochs": 3, "precision": precision, "optimizer": "sgd"})
    model = Shared()
    run = train(config, tmp_path / "whole", data=tiny(), model=model)
    assert_shared(model)
    assert_shared(Run.load(tmp_path / "whole").model(into=Shared()))
    state = model.state_dict()
    weights = run.weights()
    assert weights.keys() == state.keys()
    assert all(torch.equal(value, weights[name]) for name, value in state.items())
    assert torch.equal(weights["tied.weight"], weights["body.4.weight"])
    part = tmp_path / "part"

    def stop(progress):
        if progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, part, data=tiny(), model=Shared(), report=stop)
    again = Shared()
    train(config, part, data=tiny(), model=again, resume=True)
    assert_shared(again)
    assert all(torch.equal(value, state[name]) for name, value in again.state_dict().items())


def test_shared_modules_are_measured_and_copied_as_one():
    model = Shared().train()
    before = snapshot(model)
    for mode in ("batch", "eval"):
        with training.internal.batch_norm(model, mode):
            assert model.body[1].training == (mode == "batch")
            model(X)
    assert_same(before, model)
    assert model.body[1].track_running_stats
    for call in (EVERY[name] for name in ("flatness_profile", "agreement", "boundary_distances")):
        call(model)
    evaluate(model, X, Y, BALL, "pgd3")
    assert_same(before, model)
    assert_shared(copy.deepcopy(model).double())
