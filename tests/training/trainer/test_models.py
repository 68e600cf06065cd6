"""Models: sizes in closed form, operations, initialisation, normalisation, and reading them as ReLU
networks.
"""

import copy
import math

import pytest
import torch
from torch import nn

from constructions import ReLUNetwork
from training.trainer.models import MODELS, Normalize, build_model, mlp

MNIST, CIFAR = (1, 28, 28), (3, 32, 32)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def flops(model, shape):
    """Twice the multiplications of all linear layers for one point."""
    total = []
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(
                lambda m, _, out: total.append(2 * out.numel() * m.weight[0].numel())
            )
    model.eval()(torch.zeros(1, *shape))
    return sum(total)


def conv(a, b, k=3, bias=False):
    return a * b * k * k + b * bias


def norm(*channels):
    return 2 * sum(channels)


def lenet5_count(a, b, c, d, channels, size, outputs):
    side = (size // 2 - 4) // 2
    dense = [(b * side * side, c), (c, d), (d, outputs)]
    return (
        conv(channels, a, 5, bias=True)
        + conv(a, b, 5, bias=True)
        + sum((m + 1) * n for m, n in dense)
    )


def resnet9_count(a, b, c, d, channels, outputs):
    convolutions = (
        conv(channels, a) + conv(a, b) + 2 * conv(b, b) + conv(b, c) + conv(c, d) + 2 * conv(d, d)
    )
    return convolutions + norm(a, b, b, b, c, d, d, d) + d * outputs


def preactresnet18_count(sizes, channels, outputs):
    total, before = conv(channels, sizes[0]), sizes[0]
    for n in sizes:
        total += conv(before, n) + 3 * conv(n, n) + norm(before, n, n, n)
        total += conv(before, n, 1) if n != sizes[0] else 0
        before = n
    return total + norm(before) + (before + 1) * outputs


def wideresnet34_count(k, channels, outputs):
    total, before = conv(channels, 16), 16
    for n in (16 * k, 32 * k, 64 * k):
        total += conv(before, n) + 9 * conv(n, n) + norm(before, *[n] * 9)
        total += conv(before, n, 1) if n != before else 0
        before = n
    return total + norm(before) + (before + 1) * outputs


@pytest.mark.parametrize(
    ("name", "shape", "closed_form", "published", "megaflops"),
    [
        ("lenet5", MNIST, lenet5_count(6, 16, 120, 84, 1, 28, 10), 61_706, 0.83),
        (
            "strided",
            MNIST,
            conv(1, 16, 4, True) + conv(16, 32, 4, True) + 1569 * 100 + 101 * 10,
            166_406,
            1.22,
        ),
        ("resnet9", CIFAR, resnet9_count(64, 128, 256, 512, 3, 10), 6_573_120, 759),
        (
            "preactresnet18",
            CIFAR,
            preactresnet18_count((64, 128, 256, 512), 3, 10),
            11_172_170,
            1111,
        ),
        ("wideresnet34", CIFAR, wideresnet34_count(1, 3, 10), 466_714, 138),
    ],
)
def test_sizes_are_those_of_the_literature(name, shape, closed_form, published, megaflops):
    model = build_model(name, shape, 10, mean=[0.5] * shape[0], std=[0.25] * shape[0])
    assert parameters(model) == closed_form == published
    assert f"{flops(model, shape) / 1e6:.{2 if megaflops < 2 else 0}f}" == str(megaflops)


def test_width_multiplies_channels():
    assert parameters(build_model("lenet5", CIFAR, 1, width=0.5)) == lenet5_count(
        3, 8, 60, 42, 3, 32, 1
    )
    assert parameters(build_model("resnet9", CIFAR, 10, width=0.25)) == resnet9_count(
        16, 32, 64, 128, 3, 10
    )
    assert parameters(
        build_model("preactresnet18", MNIST, 1, width=1 / 32)
    ) == preactresnet18_count((2, 4, 8, 16), 1, 1)
    with torch.device("meta"):  # 46.2 million: Zagoruyko and Komodakis 2016, Madry et al. 2018
        wide = build_model("wideresnet34", CIFAR, 10, width=10)
    assert parameters(wide) == wideresnet34_count(10, 3, 10) == 46_160_474
    # rounded
    assert parameters(build_model("lenet5", CIFAR, 1, width=0.7)) == lenet5_count(
        4, 11, 84, 59, 3, 32, 1
    )
    for name in MODELS:
        assert build_model(name, MNIST, 3, width=1e-6, hidden=(2,)).eval()(
            torch.zeros(2, *MNIST)
        ).shape == (2, 3)
    assert parameters(build_model("mlp", (1, 8, 8), 1, width=9.0, hidden=(32, 4))) == parameters(
        mlp([64, 32, 4, 1])
    )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 12, 12), MNIST, (3, 33, 47)])
@pytest.mark.parametrize("outputs", [1, 4])
def test_models_read_images_of_all_sizes(name, shape, outputs):
    if name == "lenet5" and shape == (1, 8, 8):
        with pytest.raises(ValueError, match=r"H and W at least 12 for lenet5, got \(1, 8, 8\)"):
            build_model(name, shape, outputs)
        return
    model = build_model(
        name, shape, outputs, width=0.1, hidden=(5,), mean=[0.1] * shape[0], std=[0.3] * shape[0]
    )
    x = torch.rand(3, *shape)
    assert model(x).shape == (3, outputs)
    model.eval()
    last = x.contiguous(memory_format=torch.channels_last)
    found = copy.deepcopy(model).to(memory_format=torch.channels_last)(last)
    assert torch.allclose(found, model(x), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "least"),
    [("lenet5", 12), ("strided", 4), ("resnet9", 8), ("preactresnet18", 8), ("wideresnet34", 4)],
)
def test_images_have_a_least_size(name, least):
    assert build_model(name, (1, least, least), 2, width=0.1).eval()(
        torch.zeros(1, 1, least, least)
    ).shape == (1, 2)
    for shape in ((1, least - 1, least), (1, least, least - 1), (least * least,)):
        with pytest.raises(ValueError, match=f"at least {least} for {name}"):
            build_model(name, shape, 2)


@pytest.mark.parametrize("name", MODELS)
def test_weights_depend_on_the_seed_only_and_leave_the_global_generator_alone(name):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = build_model(name, MNIST, 10, width=0.2, seed=7)
    assert torch.equal(torch.rand(1), expected)
    again, other = (build_model(name, MNIST, 10, width=0.2, seed=seed) for seed in (7, 8))
    assert all(
        torch.equal(p, q) for p, q in zip(first.parameters(), again.parameters(), strict=True)
    )
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


@pytest.mark.parametrize("name", MODELS)
def test_batch_normalisation_is_where_it_is_said_to_be(name):
    found = any(
        isinstance(module, nn.BatchNorm2d)
        for module in build_model(name, MNIST, 10, width=0.1).modules()
    )
    assert found == ("resnet" in name)


def test_resnet9_scales_its_outputs_by_an_eighth():
    model = build_model("resnet9", CIFAR, 10, width=0.1).eval()
    x = torch.rand(2, *CIFAR)
    assert torch.allclose(model(x), model[:-1](x) / 8)


def test_mlp_of_flat_points_is_the_one_of_its_widths():
    model, plain = (
        build_model("mlp", (64,), 1, hidden=(32, 16), seed=3),
        mlp([64, 32, 16, 1], seed=3),
    )
    assert list(model.state_dict()) == list(plain.state_dict())
    assert all(
        torch.equal(p, q) for p, q in zip(model.parameters(), plain.parameters(), strict=True)
    )


def test_normalisation_is_fixed():
    layer = nn.Sequential(Normalize([0.25, 0.5], [0.5, 2.0])).train()
    x = torch.rand(4, 2, 3, 3)
    expected = torch.stack([(x[:, 0] - 0.25) / 0.5, (x[:, 1] - 0.5) / 2], 1)
    state = {key: value.clone() for key, value in layer.state_dict().items()}
    assert torch.allclose(layer(x), expected, atol=1e-6)
    # also where every layer of batch normalisation is put into another mode
    for mode in (True, False):
        layer[0].training, layer[0].track_running_stats = mode, not mode
        assert torch.allclose(layer(x), expected, atol=1e-6)
    assert all(torch.equal(state[key], value) for key, value in layer.state_dict().items())
    assert not list(layer.parameters())


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ([], [], "one number for each channel"),
        ([0.5], [0.5, 0.5], "one number for each channel, got 1 and 2"),
        ([math.nan], [1.0], "mean must be finite"),
        ([0.0], [0.0], "std must be positive"),
        ([0.0], [math.nan], "std must be positive"),
    ],
)
def test_normalisation_refuses_nonsense(mean, std, message):
    with pytest.raises(ValueError, match=message):
        Normalize(mean, std)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("mlp", (6,)), ("mlp", (2, 3, 4)), ("lenet5", (2, 12, 13)), ("strided", (3, 9, 8))],
)
def test_models_without_batch_normalisation_are_relu_networks(name, shape):
    channels = shape[0] if len(shape) == 3 else 1
    mean, std = [0.1, 0.2, 0.3][:channels], [0.5, 0.25, 0.2][:channels]
    model = build_model(name, shape, 3, mean=mean, std=std, hidden=(7, 5)).train()
    network = ReLUNetwork.from_module(model, shape)
    x = torch.rand(20, *shape, dtype=torch.float64)
    assert torch.allclose(network(x.flatten(1)), model.double()(x), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("lenet", MNIST, 10), {}, "model must be one of mlp, lenet5, .* got 'lenet'"),
        (("mlp", (), 10), {}, "shape must be positive numbers"),
        (("mlp", (1, 0, 3), 10), {}, "shape must be positive numbers"),
        (("resnet9", CIFAR, 0), {}, "outputs must be at least 1"),
        (("resnet9", CIFAR, 10), {"width": 0.0}, "width must be positive"),
        (("resnet9", CIFAR, 10), {"width": math.inf}, "width must be positive and finite"),
        (("resnet9", CIFAR, 10), {"mean": [0.5] * 3}, "given together"),
        (("resnet9", CIFAR, 10), {"mean": [0.5], "std": [0.5]}, "mean must have 3 numbers"),
        (("mlp", (64,), 10), {"hidden": (5, 0)}, "widths must be"),
    ],
)
def test_unfit_arguments_are_errors(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        build_model(*arguments, **options)
