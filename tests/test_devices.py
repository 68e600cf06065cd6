"""All that computes with tensors does it on a GPU as on a CPU: on one that is pretended."""

import contextlib
import copy
import dataclasses
import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from pretended_gpu import DeviceError, pretended_gpu
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    FakeCopyMode,
    FakeTensorMode,
)

import analysis
import constructions
import constructions.internal
import training
import training.internal
from constructions import Ball, Engine, Property, ReLUNetwork
from training import Dataset, Run, TrainingConfig
from training.trainer.worker import Worker

BALL = Ball("inf", 0.0625)
X = torch.tensor([[0.1, 0.2], [0.9, 0.3], [0.2, 0.8], [0.7, 0.7]], dtype=torch.float64)
Y = torch.tensor([1, -1, 1, -1])
SPHERE = nn.functional.normalize(X)
MASK = torch.tensor([True, False, True, False])
BOX = ([0.0, 0.0], [1.0, 1.0])
ASKED = Property(box=BOX, unsafe=[([[1.0]], [0.0])])
ROWS = [ASKED.conjuncts[0].constraints]
PACKAGES = (constructions, constructions.internal, training, training.internal, analysis)


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)).double()


class Given:
    """What functions are called with, on the GPU or on the CPU."""

    def __init__(self, place, folder):
        self.place, self.folder = place, folder
        self.f, self.g = model().to(place), nn.Sequential(nn.Linear(2, 1)).double().to(place)
        self.x, self.y = X.to(place), Y.to(place)
        self.sphere, self.mask = SPHERE.to(place), MASK.to(place)

    @property
    def net(self):
        return ReLUNetwork.from_module(self.f)

    @property
    def memorizer(self):
        return constructions.f_S(self.net, self.x, self.y, BALL)

    @property
    def line(self):
        return constructions.compose(self.net, constructions.affine([[0.5]]))


def minus_margin(outputs, labels):
    return -labels * outputs[:, 0]


CALLS = {
    # training and attacks
    "Attack": lambda a: training.Attack.parse("pgd3x2")(a.f, a.x, a.y, BALL),
    "cap_attack": lambda a: training.cap_attack(flat(a.f), a.sphere, a.y.double(), 0.1, restarts=1),
    "evaluate": lambda a: training.evaluate(a.f, a.x, a.y, BALL, "pgd3"),
    "fgsm": lambda a: training.fgsm(a.f, a.x, a.y, BALL, minus_margin),
    "gta": lambda a: training.gta(a.x, a.f, 0.5),
    "mixed": lambda a: training.mixed(a.x, a.x, 0.5),
    "pgd": lambda a: training.pgd(a.f, a.x, a.y, BALL, minus_margin, steps=3, restarts=2),
    "worst_outputs": lambda a: training.worst_outputs(a.f, a.x, a.y, BALL),
    # agreement, flatness, errors
    "agreement": lambda a: analysis.agreement(a.f, a.g, a.x),
    "agreement_by_group": lambda a: analysis.agreement_by_group(a.f, a.g, a.x, {"some": a.mask}),
    "agreement_table": lambda a: analysis.agreement_table(a.f, a.g, a.x, a.x, a.x, BALL, 0.25),
    "boundary_distances": lambda a: analysis.boundary_distances(a.f, a.x, a.y, BALL, steps=3),
    "flatness_profile": lambda a: analysis.flatness_profile(a.f, a.x, a.y, BALL, [0.0, 0.1]),
    "memorization_share": lambda a: analysis.memorization_share(
        a.f, a.g, a.memorizer, a.x, BALL, radii=[0.0, 0.1]
    ),
    "normalized_margins": lambda a: analysis.normalized_margins(a.f, a.x, a.y),
    "radial_profile": lambda a: analysis.radial_profile(a.f, a.x, a.y, BALL, [0.0, 0.1]),
    "first_order_ratios": lambda a: analysis.first_order_ratios(a.f, a.x, a.y, BALL, [0.1]),
    "exact_flatness": lambda a: analysis.exact_flatness(a.f, a.x, a.y, BALL, [0.1]),
    "errors_by_margin": lambda a: analysis.errors_by_margin(a.f, a.f, a.x, a.y, BALL),
    "clean_error": lambda a: analysis.clean_error(a.net, a.x, a.y),
    "robust_error": lambda a: analysis.robust_error(a.net, a.x, a.y, BALL, steps=2),
    "cap_error": lambda a: analysis.cap_error(flat(a.f), a.sphere, a.y.double(), 0.1, steps=2),
    "robust_loss": lambda a: analysis.robust_loss(flat(a.f), a.sphere, a.y.double(), 0.1, steps=2),
    "plot_plane": lambda a: [
        patch.get_array() for patch in analysis.plot_plane(a.f, steps=21).collections
    ],
    # bounds and proofs
    "certified_margins": lambda a: analysis.certified_margins(a.net, a.x, a.y, BALL),
    "certify": lambda a: analysis.certify(a.net, a.x[0], BALL, 1).verdict,
    "certify_box": lambda a: analysis.certify_box(a.net, (a.x[0], a.x[0] + 0.1), 1).verdict,
    "certify_memorization": lambda a: (
        analysis.certify_memorization(a.memorizer, a.x, a.y, BALL).bound
    ),
    "certify_memorizer": lambda a: (
        analysis.certify_memorizer(
            constructions.nearest_neighbour(a.x, a.y, BALL), a.x, a.y, BALL
        ).verdict
    ),
    "change_bound": lambda a: analysis.change_bound(a.net, a.x, a.y, BALL),
    "clean_bound": lambda a: analysis.clean_bound(a.net, a.x, a.y),
    "decide": lambda a: analysis.decide(a.net, ASKED).result,
    "boundary_distance": lambda a: analysis.boundary_distance(a.net, a.x[0], "inf", label=1).upper,
    "proved_balls": lambda a: analysis.proved_balls(a.memorizer, a.x, a.y, BALL, a.mask | True),
    "interval_bounds": lambda a: constructions.interval_bounds(a.net, (a.x, a.x + 0.1)),
    "magnitude_bound": lambda a: constructions.magnitude_bound(a.net, (a.x, a.x + 0.1)),
    "source_difference": lambda a: constructions.source_difference(a.net, (a.x[0], a.x[0] + 0.1)),
    "rounding_error": lambda a: constructions.rounding_error(a.net, (a.x[0], a.x[0] + 0.1)),
    "outer_radius": lambda a: analysis.outer_radius(a.memorizer, BALL),
    "memorization_part": lambda a: analysis.memorization_part(a.memorizer)(a.x),
    # exact evaluation, regions, files
    "exact_signs": lambda a: constructions.exact_signs(a.net, a.x),
    "exact_values": lambda a: constructions.exact_values(a.net, a.x),
    "on_plane": lambda a: constructions.on_plane(a.net, a.x[0], a.x[1], a.x[2]),
    "on_segment": lambda a: constructions.on_segment(a.net, a.x[0], a.x[1]),
    "count_regions": lambda a: constructions.count_regions(a.f, BOX).cells,
    "level_set": lambda a: constructions.level_set(a.f, BOX).vertices,
    "linear_regions": lambda a: constructions.linear_regions(a.f, BOX).patterns,
    "topology": lambda a: constructions.topology(a.f, BOX).betti,
    "class_topology": lambda a: analysis.class_topology(a.f, BOX, 1).betti,
    "write_onnx": lambda a: constructions.write_onnx(a.f, a.folder / "f.onnx")(a.x),
    "margin_network": lambda a: constructions.margin_network(a.net, ROWS)(a.x),
    "nearest_within_class": lambda a: constructions.nearest_within_class(
        a.x, a.y, engine=Engine(device=a.place)
    ),
    "separation": lambda a: constructions.separation(a.x, a.y, engine=Engine(device=a.place)),
    "pairs_within": lambda a: constructions.pairs_within(
        a.x, a.y, BALL, engine=Engine(device=a.place)
    ),
    "sharded_values": lambda a: constructions.sharded_values(
        a.memorizer, a.x, engine=Engine(device=a.place)
    ),
    "train_patches": lambda a: (
        training.train_patches(
            training.PatchConfig(d=50, N=5, P=3, m=4, steps=5, test_points=10), device=a.place
        ).errors
    ),
    # f_S, its screen and values
    "f_S": lambda a: constructions.f_S(a.f, a.x, a.y, BALL)(a.x),
    "f_adv": lambda a: constructions.f_adv(
        a.f, a.x, a.y, BALL, margins=analysis.certified_margins(a.net, a.x, a.y, BALL)
    )(a.x),
    "f_S_from_thresholds": lambda a: constructions.f_S_from_thresholds(
        a.net, a.x, a.y, "inf", 0.0625, 0.125, bound=2.0
    )(a.x),
    "localize": lambda a: [
        (rows, part(a.x[rows])) for rows, part in constructions.localize(a.memorizer, a.x, BALL)
    ],
}


REASONS = {
    "computes with a network's weights alone, which are in main memory": {
        *("add", "bit_budget", "check_network", "compose", "contract", "contracts", "copies"),
        *("delay", "explain", "l1_distance", "parallel", "parts", "shares", "structure_digest"),
    },
    "exact arithmetic, in main memory, of a network and numbers": {"distance_error", "sup_error"},
    "writes text": {"write_vnnlib"},
    "hands a device on to the tasks that it is given": {"run_shards"},
    "runs `train_patches` on the engine's device": {"regime_map"},
    "takes a WideNetwork, which is drawn in main memory, in float64": {
        *("finite_kernel", "gradient_change", "taylor_error", "train_lazily")
    },
    "takes a MixedLearner, which is trained in main memory, in float64": {
        *("certified_ball_margins", "robust_error_bounds")
    },
    "checks files, in main memory": {"check_certificate"},
    "measures runs with functions that are tested here": {"study"},
    "computes nothing": {"batch_norm", "check_differentiable", "copied", "placement", "unchanged"},
    "asks the driver for its device: its steps are tested below": {"train"},
    "trains in main memory, and calls what is tested here": {"compare"},
}

NAMES = {
    *("model", "network", "networks", "learned", "clean", "constructed", "first", "second"),
    *("f", "g", "learner", "models", "device"),
}
TYPES = ("Module", "ReLUNetwork", "Model", "device", "Engine")


def functions():
    """All public functions that take a device or a model, by the names and types of parameters."""
    for package in PACKAGES:
        for name in package.__all__:
            function = getattr(package, name)
            if not inspect.isfunction(function):
                continue
            for parameter in inspect.signature(function).parameters.values():
                annotation = str(parameter.annotation)
                if parameter.name in NAMES or any(kind in annotation for kind in TYPES):
                    yield name, function
                    break


def test_every_public_function_of_a_device_or_a_model_is_listed():
    untested = set().union(*REASONS.values())
    assert {name for name, _ in functions()} == set(CALLS) - {"Attack"} | untested
    assert not untested & set(CALLS)


def flat(model):
    return lambda x: model(x)[:, 0]


def plain(value):
    """What two calls are compared by: numbers in main memory."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().tolist()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, ReLUNetwork):
        return [
            (plain(layer.weight.to_dense()), plain(layer.bias.to_dense())) for layer in value.layers
        ]
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {name: plain(v) for name, v in value.items()}
    return value


DRAWING = {"flatness_profile": 1e-2}
"""Those that draw other random numbers on a GPU, and how near the gradients are that they find."""


@pytest.mark.parametrize("name", CALLS)
def test_what_a_gpu_gives_is_what_the_cpu_gives(name, tmp_path):
    expected = plain(CALLS[name](Given("cpu", tmp_path)))
    with pretended_gpu() as gpu:
        found = plain(CALLS[name](Given("cuda", tmp_path)))
        assert gpu.to_device or name in ("mixed",)  # it was there
    if name in DRAWING:
        found, expected = found["gradient"], expected["gradient"]
        assert torch.allclose(torch.tensor(found), torch.tensor(expected), rtol=DRAWING[name])
    else:
        assert found == expected


# -- what the host waits for -----------------------------------------------------------------------

STEPS = {
    "boundary_distances": lambda a, n: analysis.boundary_distances(
        a.f, a.x, a.y, BALL, steps=n, restarts=1, certified=False
    ),
    "cap_attack": lambda a, n: training.cap_attack(flat(a.f), a.sphere, a.y.double(), 0.1, steps=n),
    "cap_error": lambda a, n: analysis.cap_error(
        flat(a.f), a.sphere, a.y.double(), 0.1, steps=n, restarts=1
    ),
    "flatness_profile": lambda a, n: analysis.flatness_profile(
        a.f, a.x, a.y, BALL, [0.0, 0.1], steps=n
    ),
    "first_order_ratios": lambda a, n: analysis.first_order_ratios(
        a.f, a.x, a.y, BALL, [0.1], steps=n
    ),
    "pgd": lambda a, n: training.pgd(a.f, a.x, a.y, BALL, minus_margin, steps=n),
    "robust_loss": lambda a, n: analysis.robust_loss(
        flat(a.f), a.sphere, a.y.double(), 0.1, steps=n, restarts=1
    ),
}
WAITING = {
    "plot_plane": "its steps are those of a grid",
    "robust_error": "proves and refutes in main memory",
    "train_lazily": "see REASONS",
}
"""Those with steps that are not looked at, and why. `Attack` and `evaluate` stop early, so at each
step they have to know how many rows are left."""


def counts(gpu):
    return sum(gpu.to_device.values()), sum(gpu.to_host.values()), sum(gpu.waits.values())


def test_all_functions_with_steps_are_listed():
    found = {name for name, f in functions() if "steps" in inspect.signature(f).parameters}
    assert found == set(STEPS) | set(WAITING)


@pytest.mark.parametrize("name", STEPS)
def test_no_step_copies_or_waits(name, tmp_path):
    found = []
    for steps in (4, 9):
        with pretended_gpu() as gpu:
            given = Given("cuda", tmp_path)
            before = counts(gpu)
            STEPS[name](given, steps)
            found.append([b - a for a, b in zip(before, counts(gpu), strict=True)])
    assert found[0] == found[1]


# -- training --------------------------------------------------------------------------------------


class Fabric:
    """What a worker asks of Lightning's, in one process on one device."""

    global_rank, world_size, is_global_zero = 0, 1, True

    def __init__(self, device):
        self.device, self.autocast = torch.device(device), contextlib.nullcontext

    def setup(self, model, optimizer):
        return model, optimizer

    def backward(self, loss):
        loss.backward()

    def clip_gradients(self, model, _, *, max_norm, error_if_nonfinite):
        nn.utils.clip_grad_norm_(model.parameters(), max_norm, error_if_nonfinite=False)

    def all_reduce(self, sums, reduce_op):
        return sums


def worker(device, batches, **options):
    """One for so many batches of two images."""
    shape = (3, 16, 16)
    images = torch.randint(0, 256, (2 * batches, *shape), dtype=torch.uint8)
    labels = torch.arange(len(images)) % 3
    data = Dataset.from_tensors(images, labels, images, labels)
    config = TrainingConfig(**{"radius": 0.1, "attack": "pgd2", "batch_size": 2} | options)
    torch.manual_seed(0)
    net = training.build_model(
        config.model, shape, 3, width=0.05, hidden=(8,), mean=[0.5] * 3, std=[0.25] * 3
    )
    run = Run(Path("none"), config, {}, [], None)
    return Worker(Fabric(device), run, data, net, None, batches, lambda _: None)


TRAINED = {
    "mlp": {"model": "mlp"},
    "lenet5, fgsm": {"model": "lenet5", "attack": "fgsm"},
    "resnet9, l_2, sgd": {
        "model": "resnet9",
        "norm": 2,
        "optimizer": "sgd",
        "clip": 1.0,
        "batch_norm": "eval",
    },
    "strided, augmented": {"model": "strided", "augment": True, "robust_weight": 0.5},
    "lenet5, trades": {"model": "lenet5", "objective": "trades", "loss": "exponential"},
    "strided, intervals": {"model": "strided", "objective": "intervals", "norm": 2},
}


@pytest.mark.parametrize("name", TRAINED)
def test_no_training_step_copies_or_waits(name):
    found, lines = [], []
    for batches in (2, 3):
        with pretended_gpu() as gpu:
            trained = worker("cuda", batches, **TRAINED[name])
            before = counts(gpu)
            lines.append(trained.steps(1))
            found.append([b - a for a, b in zip(before, counts(gpu), strict=True)])
    assert found[0] == found[1]
    assert found[0] == [1, 2, 0]  # the order of points; losses of some steps, and of the epoch
    expected = worker("cpu", 3, **TRAINED[name]).steps(1)
    assert lines[1]["training"] == pytest.approx(expected["training"], rel=1e-4)


@pytest.mark.parametrize("name", ["mlp", "lenet5, fgsm", "lenet5, trades"])
def test_a_training_step_needs_no_numbers(name):
    """PyTorch's own fake tensors have none; gradients on "cuda" ask the driver, so they are
    on the CPU.
    """
    trained = worker("cpu", 2, **TRAINED[name])
    x, y = torch.rand(2, *trained.data.shape), torch.tensor([0, 1])
    mode = FakeTensorMode()
    with FakeCopyMode(mode):
        trained.model = trained.raw = trained.forward = copy.deepcopy(trained.model)
    with mode:
        trained.plain = trained.optimizer = torch.optim.SGD(trained.model.parameters())
        x, y = mode.from_tensor(x), mode.from_tensor(y)
        sums = trained.step(x, y, x, 2)
        with pytest.raises(DataDependentOutputException):
            sums[0].item()


@pytest.mark.parametrize(
    "fault",
    [
        lambda ball, gradient: gradient.cpu().sign(),
        lambda ball, gradient: gradient.sign() * torch.ones(gradient.shape[-1:]),
        lambda ball, gradient: gradient.sign().numpy(),
    ],
    ids=["copied", "constant", "numpy"],
)
def test_a_fault_in_a_step_is_refused(fault, tmp_path, monkeypatch):
    monkeypatch.setattr(Ball, "ascent", fault)
    with pretended_gpu(), pytest.raises(DeviceError):
        CALLS["pgd"](Given("cuda", tmp_path))


@pytest.mark.parametrize(
    "fault",
    [
        lambda ball, gradient: gradient.cpu().sign().to(gradient.device),
        lambda ball, gradient: gradient.sign() if bool(gradient.any()) else gradient,
        lambda ball, gradient: gradient.sign() * torch.ones(1).to(gradient.device),
    ],
    ids=["copied", "asked", "constant"],
)
def test_a_wait_in_a_step_is_seen(fault, tmp_path, monkeypatch):
    monkeypatch.setattr(Ball, "ascent", fault)
    with pytest.raises(AssertionError):
        test_no_step_copies_or_waits("pgd", tmp_path)
