"""PyTorch modules read as networks: what they compute, hooks and shared layers included, or an
error that says why not.
"""

import copy
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune

from analysis import certify, certify_box
from constructions import Ball, Dense, ReLUNetwork, Sparse, interval_bounds, load, source_difference


def settled(module):
    """In eval mode, with running statistics and scales such as training leaves behind."""
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.2, 3.0)
            if layer.affine:
                nn.init.normal_(layer.weight)
                nn.init.normal_(layer.bias)
    return module.eval()


def lenet():
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 4, 5, stride=2, padding=2), nn.BatchNorm2d(4), nn.ReLU()),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(6 * 3 * 3, 10),
        nn.ReLU(),
        nn.Linear(10, 3),
    )


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Function(nn.Module):
    """A module with an own forward."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.function(self, x)


def inplace(m, x):
    y = m.first(x)
    y[:, 0] = 1.0
    y[:, 1:3] += x[:, :2]
    return y.relu_().sub_(0.25)


R = nn.ReLU()
"""(module, input shape, depth)"""
MODULES = {
    "linear": (nn.Linear(6, 2), (6,), 0),
    "MLP": (nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)), (6,), 1),
    "norms": (
        nn.Sequential(
            nn.BatchNorm1d(6),
            nn.Linear(6, 5, bias=False),
            nn.BatchNorm1d(5, affine=False),
            nn.ReLU(),
            nn.Linear(5, 2),
        ),
        (6,),
        1,
    ),
    "norm after ReLU": (
        nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2)),
        (6,),
        2,
    ),
    "last axis": (
        nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)),
        (2, 3),
        1,
    ),
    "LeNet": (lenet(), (1, 12, 12), 3),
    "same": (nn.Conv2d(2, 3, (4, 3), padding="same", dilation=(1, 2)), (2, 6, 5), 0),
    "valid": (nn.Conv2d(2, 3, 3, padding="valid", bias=False), (2, 6, 5), 0),
    "groups": (
        nn.Conv2d(4, 6, (2, 3), stride=(2, 1), padding=(0, 2), dilation=(2, 1), groups=2),
        (4, 7, 5),
        0,
    ),
    "depthwise": (
        nn.Sequential(
            nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 2)
        ),
        (3, 5, 5),
        None,
    ),
    "signals": (
        nn.Sequential(
            nn.Conv1d(2, 4, 3, 2, 1, groups=2),
            nn.BatchNorm1d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16, 2),
        ),
        (2, 8),
        1,
    ),
    "same signals": (nn.Conv1d(1, 2, 4, padding="same"), (1, 7), 0),
    "volumes": (
        nn.Sequential(nn.Conv3d(1, 2, 2), nn.BatchNorm3d(2), nn.ReLU(), nn.AvgPool3d(2)),
        (1, 3, 3, 3),
        1,
    ),
    "transposed": (
        nn.ConvTranspose2d(2, 4, (2, 3), (2, 1), (1, 0), (1, 0), groups=2, dilation=(1, 2)),
        (2, 3, 4),
        0,
    ),
    "transposed signals": (nn.ConvTranspose1d(2, 3, 3, 2), (2, 4), 0),
    "reflected": (nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), (1, 4, 4), 0),
    "repeated edges": (nn.Conv1d(1, 2, 3, padding=2, padding_mode="replicate"), (1, 4), 0),
    "padded": (nn.Sequential(nn.ConstantPad2d((1, 2, 0, -1), 0.5), nn.ZeroPad2d(1)), (1, 3, 3), 0),
    "pooled edges": (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), (2, 6, 6), 0),
    "divided pool": (nn.AvgPool2d((2, 3), divisor_override=4), (2, 5, 6), 0),
    "around": (nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular"), (1, 4, 3), 0),
    "around unevenly": (
        nn.Sequential(
            nn.CircularPad1d((3, 1)), nn.CircularPad1d((-2, 1)), nn.CircularPad1d((1, -1))
        ),
        (2, 4),
        0,
    ),
    "adaptive maxima of signals": (nn.AdaptiveMaxPool1d(3), (2, 7), 2),
    "adaptive maxima of images": (nn.AdaptiveMaxPool2d((2, None)), (2, 5, 3), 2),
    "adaptive maxima of one image": (nn.AdaptiveMaxPool2d((3, 4)), (2, 4, 2), 1),
    "adaptive maxima in space": (nn.AdaptiveMaxPool3d(2), (1, 3, 2, 3), 2),
    "pooled signals": (nn.Sequential(nn.AvgPool1d(3, 2, 1), nn.AdaptiveAvgPool1d(2)), (2, 7), 0),
    "global pool": (
        nn.Sequential(nn.Conv2d(1, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        (1, 4, 4),
        1,
    ),
    "pool, Linear": (nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 2)), (1, 4, 4), 0),
    "pool without channels": (nn.AvgPool2d(2), (4, 4), 0),
    "unflatten": (
        nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Unflatten(1, (2, 2, -1)), nn.Conv2d(2, 1, 2)),
        (5,),
        1,
    ),
    "dropouts": (
        nn.Sequential(nn.Dropout(), nn.Conv2d(1, 1, 2), nn.Dropout2d(), nn.Identity()),
        (1, 3, 3),
        0,
    ),
    "ReLU first": (nn.Sequential(nn.ReLU(), nn.Linear(3, 2)), (3,), 1),
    "ReLU twice": (
        nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.ReLU(), nn.Linear(4, 2), nn.ReLU()),
        (3,),
        2,
    ),
    "nothing but ReLU": (nn.ReLU(), (3,), 1),
    "nothing": (nn.Sequential(), (3,), 0),
    "shared ReLU": (
        nn.Sequential(nn.Linear(3, 4), R, nn.Linear(4, 3), R, nn.Linear(3, 2)),
        (3,),
        2,
    ),
    # 0.3 w is no float64
    "LeakyReLU": (nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(0.3), nn.Linear(4, 2)), (4,), 2),
    "PReLU": (nn.Sequential(nn.Conv1d(2, 3, 2), nn.PReLU(3), nn.PReLU()), (2, 4), 2),
    "clipped": (
        nn.Sequential(nn.Linear(4, 4), nn.ReLU6(), nn.Linear(4, 3), nn.Hardtanh(-0.25, 0.5)),
        (4,),
        None,
    ),
    "MaxPool2d": (nn.MaxPool2d(2), (2, 4, 5), 2),
    "MaxPool2d, ceil": (
        nn.MaxPool2d((3, 2), (2, 1), (1, 0), (1, 2), ceil_mode=True),
        (1, 6, 5),
        None,
    ),
    "MaxPool1d": (nn.Sequential(nn.MaxPool1d(3, 2, 1), nn.Flatten()), (2, 6), 2),
    "MaxPool3d": (nn.MaxPool3d(2), (1, 2, 2, 4), 3),
    "MaxPool2d without channels": (nn.MaxPool2d(2), (2, 2), 2),
    "residual": (
        nn.Sequential(
            nn.Linear(4, 4), Residual(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)), nn.ReLU()
        ),
        (4,),
        None,
    ),
    "residual from the input": (Residual(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)), (4,), 1),
    "own forward": (nn.Sequential(nn.Linear(4, 4), Doubled(4, 4)), (4,), 0),
    "joined": (
        Function(
            lambda m, x: m.last(torch.cat([x, m.first(x).relu(), x[:, :1]], 1)),
            first=nn.Linear(3, 4),
            last=nn.Linear(8, 2),
        ),
        (3,),
        1,
    ),
    "joined with constants": (
        Function(lambda m, x: torch.cat([x, torch.full((len(x), 2), 0.1)], 1).relu()),
        (3,),
        1,
    ),
    "in place": (Function(inplace, first=nn.Linear(4, 4)), (4,), None),
    "maxima, minima": (
        Function(
            lambda m, x: torch.cat(
                [torch.maximum(x, m.first(x)), torch.minimum(x, m.first(x)), x.abs()], 1
            ),
            first=nn.Linear(3, 3),
        ),
        (3,),
        None,
    ),
    "reductions": (
        Function(
            lambda m, x: torch.cat(
                [x.amax(1), x.min(2).values, x.sum(2), x.mean((1, 2))[:, None]], 1
            )
        ),
        (2, 3),
        None,
    ),
    "arithmetic": (
        Function(
            lambda m, x: (
                (1 - x) / 0.3
                + torch.add(x, torch.ones(3) * 0.7, alpha=0.1)
                - x.clamp(min=-0.5, max=0.25)
            )
        ),
        (3,),
        None,
    ),
    "bounds": (
        Function(lambda m, x: x.clamp(torch.tensor([-1.0, 0.0]), torch.tensor([0.5, 1.0]))),
        (2,),
        None,
    ),
    "products": (
        Function(lambda m, x: x @ m.first.weight.T - x.flip(1)[:, :2], first=nn.Linear(3, 2)),
        (3,),
        0,
    ),
    "moved": (
        Function(
            lambda m, x: (
                functional.pixel_shuffle(x, 2).roll(1, 2).unfold(3, 2, 1).permute(0, 4, 1, 2, 3)
            )
        ),
        (4, 2, 2),
        0,
    ),
}


# torch copies the input there
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("name", MODULES)
def test_a_module_and_its_network_agree(name):
    module, shape, depth = MODULES[name]
    module = settled(copy.deepcopy(module))
    before, after = copy.deepcopy(module.state_dict()), module.state_dict()
    network = ReLUNetwork.from_module(module, shape)
    x = torch.randn(7, *shape, dtype=torch.float64)
    expected = copy.deepcopy(module).double()(x).detach().flatten(1)
    assert (network.inputs, network.outputs) == (x[0].numel(), expected.shape[1])
    assert depth is None or network.size.depth == depth
    assert network.origin.parameters == sum(p.numel() for p in module.parameters())
    torch.testing.assert_close(network(x.flatten(1)), expected, rtol=1e-12, atol=1e-12)
    assert all(
        after[key].dtype == value.dtype and torch.equal(after[key], value)
        for key, value in before.items()
    )


def test_one_float32_constant_of_a_trace_is_taken_as_it_is():
    assert ReLUNetwork.from_module(Function(lambda m, x: x + torch.full((1,), 0.1)), (1,)).exact(
        [0]
    )[0] == Fraction(float(np.float32(0.1)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_entries_of_a_convolution_are_its_weights(dtype):
    module = nn.Conv2d(1, 2, 2).to(dtype)
    (layer,) = ReLUNetwork.from_module(module, (1, 2, 3)).layers
    w, o = module.weight.detach().double(), 0.0
    expected = [row for k in w[:, 0] for row in ([*k[0], o, *k[1], o], [o, *k[0], o, *k[1]])]
    assert isinstance(layer.weight, Sparse)
    assert layer.weight.to_dense().tolist() == torch.tensor(expected, dtype=torch.float64).tolist()
    assert (
        layer.bias.to_dense()[:, 0].tolist()
        == module.bias.detach().double().repeat_interleave(2).tolist()
    )
    assert layer.bias.stored <= 3


def test_forms_and_saving(tmp_path):
    network = ReLUNetwork.from_module(settled(lenet()), [1, 12, 12])
    assert [type(layer.weight) for layer in network.layers] == [Sparse, Sparse, Dense, Dense]
    network.save(tmp_path / "a.safetensors")
    x = torch.rand(3, 144)
    again = load(tmp_path / "a.safetensors")
    assert torch.equal(again(x), network(x))
    assert (again.origin.digest, again.origin.rounded) == (
        network.origin.digest,
        network.origin.rounded,
    )
    assert torch.equal(source_difference(again, (0.0, 1.0)), source_difference(network, (0.0, 1.0)))
    normed = ReLUNetwork.from_module(settled(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))))
    assert isinstance(normed.layers[0].weight, Dense)


def test_a_network_does_not_follow_its_module():
    module = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.BatchNorm2d(2)).double().eval()
    network, x = ReLUNetwork.from_module(module, (1, 3, 3)), torch.ones(9, dtype=torch.float64)
    before = network(x).tolist()
    for value in module.state_dict().values():
        value.add_(1)
    assert network(x).tolist() == before


# -- what a module computes is what runs -----------------------------------------------------------


def numbered(*layers):
    """Linear layers from (weight, bias) and other layers as they are, in float64."""
    built = []
    for layer in layers:
        if not isinstance(layer, nn.Module):
            weight, bias = (torch.tensor(v, dtype=torch.float64) for v in layer)
            layer = nn.Linear(*reversed(weight.shape), dtype=torch.float64)
            layer.load_state_dict({"weight": weight, "bias": bias})
        built.append(layer)
    return nn.Sequential(*built)


def assert_agree(module, shape, atol=1e-12):
    network = ReLUNetwork.from_module(module, shape)
    x = torch.randn(50, *shape, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(
            network(x.flatten(1)), module(x).flatten(1), rtol=1e-12, atol=atol
        )
    return network


def test_a_shared_relu_counts_as_often_as_it_is_used():
    relu = nn.ReLU()
    module = numbered(([[1.0]], [0.0]), relu, ([[1.0]], [-0.5]), relu, ([[-1.0]], [-0.25]))
    assert ReLUNetwork.from_module(module).exact([Fraction(1, 8)]) == [Fraction(-1, 4)]
    answer = certify(module, [0.125], Ball("inf", 0.0625), 1)
    assert answer.verdict == "refuted"
    assert answer.margin == Fraction(-1, 4)


def test_shared_blocks_and_norms_count_as_often_as_they_are_used():
    block = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    network = assert_agree(
        nn.Sequential(block, nn.Linear(3, 3), block, block, nn.Linear(3, 1)).double(), (3,)
    )
    assert network.origin.parameters == 12 + 12 + 4
    norm = nn.BatchNorm1d(3)
    assert_agree(
        settled(nn.Sequential(norm, nn.Linear(3, 3), norm, nn.ReLU(), norm)).double(), (3,)
    )


def old_weight_norm(layer):
    with pytest.warns(FutureWarning, match="weight_norm"):
        return nn.utils.weight_norm(layer)


def pruned(layer):
    prune.l1_unstructured(layer, "weight", amount=0.4)
    return prune.random_unstructured(layer, "bias", amount=1)


WEIGHTS = {
    "old weight_norm": old_weight_norm,
    "weight_norm": parametrizations.weight_norm,
    "old spectral_norm": nn.utils.spectral_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "pruned": pruned,
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_that_hooks_and_parametrizations_compute(kind):
    module = nn.Sequential(
        WEIGHTS[kind](nn.Linear(4, 4).double()), nn.ReLU(), WEIGHTS[kind](nn.Linear(4, 2).double())
    )
    optimizer = torch.optim.SGD(module.parameters(), 0.5)
    for _ in range(2):
        module(torch.randn(8, 4, dtype=torch.float64)).square().sum().backward()
        optimizer.step()  # the `weight` that a hook keeps is stale now
    module.eval()
    before = copy.deepcopy(module.state_dict())
    network = ReLUNetwork.from_module(module)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    x = torch.randn(50, 4, dtype=torch.float64)
    torch.testing.assert_close(network(x), module(x).detach(), rtol=1e-12, atol=1e-12)


def test_hooks_count():
    module = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2)).double()
    plain = ReLUNetwork.from_module(module)
    module[0].register_forward_hook(lambda layer, inputs, output: output - 1)
    module[2].register_forward_pre_hook(lambda layer, inputs: (2 * inputs[0],))
    module.register_forward_hook(lambda layer, inputs, output: output.flip(1))
    network = assert_agree(module, (3,))
    assert network([[0.1, 0.2, 0.3]]).tolist() != plain([[0.1, 0.2, 0.3]]).tolist()
    seen = []
    handle = nn.modules.module.register_module_forward_hook(lambda *_: seen.append(1))
    try:
        assert_agree(module, (3,))
    finally:
        handle.remove()


def test_an_own_forward_of_one_instance_counts():
    module = nn.Sequential(nn.Linear(3, 3), nn.ReLU()).double()
    module[1].forward = lambda x: x.clamp(-1, 1)
    assert_agree(module, (3,))
    module.forward = lambda x: module[0](x) - 0.5
    assert_agree(module, (3,))
    assert ReLUNetwork.from_module(module).size.depth <= 1


def test_affine_maps_whose_product_is_no_float64_stay_apart():
    """f = 1/2 - x, and float64 says 1/2."""
    module = numbered(([[-(2.0**60)], [-1.0], [2.0**60]], [0.0] * 3), ([[1.0, 1.0, 1.0]], [0.5]))
    network = ReLUNetwork.from_module(module)
    assert network.exact([[1], [Fraction(1, 4)]])[:, 0].tolist() == [
        Fraction(-1, 2),
        Fraction(1, 4),
    ]
    assert network.origin.is_exact
    answer = certify_box(module, ([0.0], [1.0]), 1)
    assert answer.verdict == "refuted"
    assert answer.margin <= 0


def test_input_normalization_is_not_rounded_in_silence():
    """1 - x/3 on [0, 3] is 0 at 3."""
    for scale in (3.0, float(np.float32(0.3081))):
        module = Function(lambda m, x, scale=scale: 1 - x / scale)
        network = ReLUNetwork.from_module(module, (1,))
        assert not network.origin.is_exact
        assert (
            abs(network.exact([Fraction(scale)])[0])
            <= source_difference(network, (0.0, scale)).item()
        )
        assert certify_box(network, ([0.0], [scale]), 1).verdict != "proved"
        assert certify_box(network, ([0.0], [scale * 0.99]), 1).verdict == "proved"
        low, high = interval_bounds(network, (scale, scale))
        assert low <= 0 <= high


class Counting(nn.Module):
    """Changes itself as it runs."""

    def __init__(self, fails):
        super().__init__()
        self.calls, self.fails, self.last = 0, fails, None
        self.register_buffer("total", torch.zeros(3))
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        self.calls += 1
        self.last = torch.rand(3)
        self.total += 1
        self.scale.data.mul_(0.5)
        self.fresh = self.last
        self.fails and x.reshape(5)
        return x.relu()


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_in_the_module_is_changed(fails):
    module = nn.Sequential(
        nn.utils.spectral_norm(nn.Linear(3, 3)),
        nn.BatchNorm1d(3).eval(),
        Counting(fails),
        parametrizations.spectral_norm(nn.Linear(3, 3)),
    )
    module(torch.randn(4, 3)).sum().backward() if not fails else None
    module[0].eval()
    module[3].eval()
    module[0].register_forward_hook(lambda *_: None)
    before = copy.deepcopy(module.state_dict())
    grads = [None if p.grad is None else p.grad.clone() for p in module.parameters()]
    attributes, modes = (
        [dict(vars(layer)) for layer in module.modules()],
        [layer.training for layer in module.modules()],
    )
    state, enabled = torch.get_rng_state(), torch.is_grad_enabled()
    if fails:
        with pytest.raises(ValueError, match=r"module\.2 \(Counting\)"):
            ReLUNetwork.from_module(module)
    else:
        ReLUNetwork.from_module(module)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled() == enabled
    assert [layer.training for layer in module.modules()] == modes
    for layer, old in zip(module.modules(), attributes, strict=True):
        assert list(vars(layer)) == list(old)
        assert all(vars(layer)[name] is value for name, value in old.items())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    for parameter, grad in zip(module.parameters(), grads, strict=True):
        assert (parameter.grad is None) == (grad is None)
        assert grad is None or torch.equal(parameter.grad, grad)


def test_the_digest_is_that_of_the_state():
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    digest = ReLUNetwork.from_module(module).origin.digest
    assert ReLUNetwork.from_module(copy.deepcopy(module)).origin.digest == digest
    with torch.no_grad():
        module[0].bias[0] += 1
    assert ReLUNetwork.from_module(module).origin.digest != digest


def test_float16_values_that_vanish():
    module = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2)).half()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1e-4)
    assert_agree(copy.deepcopy(module).double(), (3,))
    x = torch.randn(5, 3, dtype=torch.float64)
    assert torch.allclose(
        ReLUNetwork.from_module(module)(x), module.double()(x), rtol=1e-12, atol=1e-20
    )


@pytest.mark.parametrize("size", [1e-310, 2.0**-1050, 1e300])
def test_extreme_weights_are_carried(size):
    module = numbered(([[size]], [0.0]), ([[0.1]], [0.0]), nn.ReLU(), ([[0.3]], [0.7]))
    value = Fraction(size) * Fraction(0.1) * Fraction(0.3) + Fraction(0.7)
    assert ReLUNetwork.from_module(module).exact([1])[0] == value


# -- what is refused -------------------------------------------------------------------------------

LAYERS = (
    nn.Hardswish(),
    nn.Sigmoid(),
    nn.Tanh(),
    nn.Softmax(1),
    nn.GELU(),
    nn.SiLU(),
    nn.LayerNorm(4),
    nn.Softplus(),
    nn.ELU(),
)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_other_layers_are_named(layer):
    module = nn.Sequential(nn.Linear(4, 4), nn.Sequential(layer))
    message = (
        rf"module\.1\.0 \({type(layer).__name__}\): .*the operation \S+ is not piecewise linear, "
        "or not known; known are"
    )
    with pytest.raises(TypeError, match=message):
        ReLUNetwork.from_module(module)


def random_scale(m, x):
    return x * torch.rand(())


def branch(m, x):
    return x if x.sum() > 0 else -x


STEPS = iter(range(100))


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (random_scale, TypeError, "draws random numbers"),
        (lambda m, x: functional.dropout(x, 0.5, True), TypeError, "draws random numbers"),
        (lambda m, x: x * x, TypeError, "multiplies two values that depend on the input"),
        (lambda m, x: x @ x.T, TypeError, "multiplies two values that depend on the input"),
        (lambda m, x: 1 / x, TypeError, "operation reciprocal"),
        (lambda m, x: x / x, TypeError, "divides by a value that depends on the input"),
        (lambda m, x: x // 2, TypeError, "operation floor_divide"),
        (
            lambda m, x: x.half().float(),
            TypeError,
            "rounds values from torch.float32 to torch.float16",
        ),
        (lambda m, x: x.long(), TypeError, "rounds values from torch.float32 to torch.int64"),
        (
            lambda m, x: torch.cumprod(x, 1),
            TypeError,
            "operation cumprod",
        ),
        (lambda m, x: x / 0, ValueError, "divides by zero"),
        (lambda m, x: x * float("nan"), ValueError, "must be finite, got nan"),
        (branch, ValueError, "cannot be run on one input"),
        (lambda m, x: torch.from_numpy(x.numpy() * 2), TypeError, "do not depend on the input"),
        (lambda m, x: x * next(STEPS), ValueError, "does not compute at other points"),
        (lambda m, x: x - x.mean(0), ValueError, "does not compute at other points"),
        (lambda m, x: x.reshape(1, -1) @ torch.ones(3, 2), ValueError, "cannot be run on 4 inputs"),
        (lambda m, x: x.amax(0), TypeError, "maxima over the batch axis"),
        (lambda m, x: x.sum(0), ValueError, "must keep the batch axis first"),
        (lambda m, x: torch.ones(1, 2), TypeError, "numbers that do not depend on the input"),
        (lambda m, x: (x, x), TypeError, "one tensor that depends on its input, got tuple"),
        (lambda m, x: {"y": x}, TypeError, "module"),
        (lambda m, x: None, TypeError, "module"),
    ],
)
def test_other_functions_are_refused(function, error, message):
    with pytest.raises(error, match=message):
        ReLUNetwork.from_module(Function(function), (3,))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(1, 1, 1),
        nn.Conv2d(1, 1, 1),
        nn.AvgPool2d(2),
        nn.BatchNorm2d(2),
        nn.Unflatten(1, (1, 2, 2)),
    ],
)
def test_images_need_their_shape(layer):
    module = nn.Sequential(nn.Identity(), layer, nn.Flatten(), nn.Linear(4, 2)).eval()
    with pytest.raises(
        TypeError, match=rf"module\.1 \({type(layer).__name__}\): .* only with input_shape"
    ):
        ReLUNetwork.from_module(module)
    with pytest.raises(TypeError, match="input_shape must be a sequence of sizes"):
        ReLUNetwork.from_module(module, 28)


def test_what_is_no_module():
    with pytest.raises(TypeError, match=r"must be a torch\.nn\.Module, got function"):
        ReLUNetwork.from_module(branch)


def spectral():
    """A layer whose power iteration, in training mode, goes on with every call."""
    layer = nn.utils.spectral_norm(nn.Linear(3, 3))
    with torch.no_grad():
        weight = [[1.0, 0.5, 0.0], [0.0, 0.75, 0.25], [0.25, 0.0, 0.5]]
        layer.weight_orig.copy_(torch.tensor(weight))
        layer.weight_u.copy_(torch.tensor([0.0, 0.6, 0.8]))
    return layer


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (
            nn.Conv2d(3, 1, 3),
            (1, 8, 8),
            r"Conv2d\) takes 3 channels .* got values of shape \(1, 8, 8\) \(input_shape is",
        ),
        (nn.Conv2d(3, 1, 3), (192,), "takes 3 channels with 2 axes each"),
        (nn.Conv1d(3, 1, 3), (3, 4, 4), "takes 3 channels with 1 axes each"),
        (nn.Conv2d(1, 1, 9), (1, 8, 8), r"Conv2d\) .*\(8 x 8\)\. Kernel size: \(9 x 9\)"),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(9, 2)),
            (1, 4, 4),
            r"Linear\) takes 9 .* \(16,\) \(input_shape is \(1, 4, 4\)",
        ),
        (nn.Linear(16, 2), (1, 4, 4), r"takes 16 numbers along the last axis.*input_shape"),
        (
            nn.Sequential(nn.Conv2d(1, 1, 1), nn.Linear(16, 2)),
            (1, 4, 4),
            r"module\.1 \(Linear\) takes 16",
        ),
        (nn.AvgPool2d(2), (4,), "takes an image of shape"),
        (nn.AvgPool2d(5), (1, 4, 4), r"AvgPool2d\) .*input_shape is"),
        (nn.BatchNorm2d(2).eval(), (3, 4, 4), "takes 2 channels"),
        (nn.BatchNorm1d(2).eval(), (2, 4, 4), "takes 2 channels"),
        (nn.Unflatten(1, (3, 2)), (4,), r"Unflatten\) .*input_shape is"),
        (nn.Linear(4, 2), (), "input_shape must be"),
        (nn.Linear(4, 2), (-4,), "input_shape must be"),
        (nn.Linear(4, 2), (4.0,), "input_shape must be"),
        (nn.Linear(4, 2), (True,), "input_shape must be"),
        (
            nn.Linear(4, 2),
            (10**6, 10**6),
            r"input_shape \(1000000, 1000000\) would need .* the limit is",
        ),
        (
            nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)),
            None,
            r"module\.1 \(BatchNorm1d\) is in training mode",
        ),
        (nn.BatchNorm2d(1), (1, 2, 2), "is in training mode: call module.eval"),
        (nn.Sequential(nn.Dropout(), nn.Linear(4, 4)), None, r"Dropout\) is in training mode"),
        (nn.BatchNorm1d(4, track_running_stats=False).eval(), None, "has no running statistics"),
        (nn.InstanceNorm1d(4).eval(), (4, 2), "has no running statistics"),
        (
            nn.Sequential(nn.Linear(4, 4), nn.Flatten(0)),
            None,
            r"must keep the batch axis first, but makes shape \(4,\)",
        ),
        (nn.Linear(4, 4, dtype=torch.complex64), None, "weight must be real"),
        (
            spectral(),
            None,
            r"module \(Linear\): .*module\.eval\(\) first",
        ),
        (nn.LazyLinear(3), (4,), "has no size yet: call the module once"),
    ],
)
def test_what_does_not_fit_is_named(module, shape, message):
    with pytest.raises(ValueError, match=message):
        ReLUNetwork.from_module(module, shape)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    "layer",
    [nn.Linear(4, 2), nn.Conv2d(1, 1, 2), nn.BatchNorm2d(1)],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("name", ["weight", "bias"])
def test_weights_must_be_finite(layer, name, value):
    layer = copy.deepcopy(layer).eval()
    with torch.no_grad():
        getattr(layer, name).view(-1)[0] = value
    with pytest.raises(
        ValueError,
        match=rf"module\.0 \({type(layer).__name__}\) {name} must be finite, got {value}",
    ):
        ReLUNetwork.from_module(nn.Sequential(layer), (1, 4, 4))


def test_negative_variances_are_refused():
    module = nn.BatchNorm1d(2).eval()
    module.running_var[0] = -1.0
    with pytest.raises(ValueError, match=r"BatchNorm1d\) variance \+ epsilon must be positive"):
        ReLUNetwork.from_module(module)


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(1, 2, 3, padding=1), nn.AvgPool2d(1), nn.MaxPool2d(2), nn.Linear(8, 8)]
)
def test_large_matrices_are_refused(monkeypatch, layer):
    monkeypatch.setattr("constructions.graphs.operations.ENTRY_LIMIT", 60)
    with pytest.raises(ValueError, match=re.escape("the limit is 60")):
        ReLUNetwork.from_module(layer.eval(), (1, 8, 8))
