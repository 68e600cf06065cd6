"""Networks to be trained: fully connected, LeNet-5, ResNet9, PreActResNet18, WideResNet-34; on
points in [0,1], normalised inside.

Whole, because it is a list: each network is a function of its own, made of a few blocks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from constructions.internal import Vector

from ..datasets.reading import differentiating

Shape = tuple[int, ...]
Channels = Callable[[int], int]
"""The number of channels instead of a published one."""


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Initialise from `seed` in float32; global generators and dtype are as before afterwards."""
    state, dtype = torch.default_generator.get_state(), torch.get_default_dtype()
    torch.default_generator.manual_seed(seed)
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.default_generator.set_state(state)


@differentiating
def mlp(widths: Sequence[int], seed: int = 0) -> nn.Sequential:
    """Make a fully connected ReLU network, untrained.

    Args:
        widths: of the input, the hidden layers and the output, widths[0] -> ... -> widths[-1].
        seed: of PyTorch's initialisation.

    Returns:
        An `nn.Sequential` of `nn.Linear` and `nn.ReLU`, float32.

    Raises:
        ValueError: unless widths are at least two positive numbers.

    Example:
        >>> [tuple(p.shape) for p in mlp([64, 32, 1]).parameters()]
        [(32, 64), (32,), (1, 32), (1,)]
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ValueError(f"widths must be at least two positive numbers, got {list(widths)}")
    with _seeded(seed):
        layers = [
            layer for a, b in itertools.pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())
        ]
    return nn.Sequential(*layers[:-1])


class Normalize(nn.BatchNorm2d):
    """Shift and scale the channels of images by fixed numbers, inside the network.

    It is x -> (x - mean) / std for each channel of images (N, C, H, W); mean and std are no
    parameters. A batch normalisation that is always in eval mode, so that what reads those
    (`ReLUNetwork.from_module`) reads it. Inside the network, it leaves attacks in [0,1].

    Args:
        mean: C finite numbers.
        std: C numbers > 0.

    Raises:
        ValueError: unless there is a finite mean and a std > 0 for each channel.

    Example:
        >>> Normalize([0.5], [0.25]).train()(torch.tensor([[[[0.0, 0.75]]]]))
        tensor([[[[-2.,  1.]]]])
    """

    running_mean: Vector
    running_var: Vector

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        if not len(mean) == len(std) >= 1:
            raise ValueError(
                f"mean and std must have one number for each channel, got {len(mean)} and "
                f"{len(std)}"
            )
        if not all(map(math.isfinite, mean)):
            raise ValueError(f"mean must be finite, got {list(mean)}")
        if not all(0 < value < math.inf for value in std):
            raise ValueError(f"std must be positive and finite, got {list(std)}")
        super().__init__(len(mean), eps=0.0, affine=False, dtype=torch.float32)
        self.running_mean.copy_(torch.tensor(mean, dtype=torch.float32))
        self.running_var.copy_(torch.tensor(std, dtype=torch.float64) ** 2)

    @property
    def training(self) -> bool:
        """False, whatever it is set to."""
        return False

    @training.setter
    def training(self, mode: bool) -> None:
        pass


class Residual(nn.Module):
    """x -> x + body(x).

    >>> Residual(nn.ReLU())(torch.tensor([-1.0, 2.0]))
    tensor([-1.,  4.])
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum."""
        return x + self.body(x)


class PreActivation(nn.Module):
    """z = relu(norm(x)); s(x) + conv(relu(norm(conv(z)))), s(x) = x, or conv(z), 1x1, where
    channels or size change.

    Source: He et al. 2016b (identity mappings), Figure 4 (e).
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU())
        self.shortcut = (
            nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            if stride > 1 or inputs != outputs
            else None
        )
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of shortcut and body."""
        z = self.first(x)
        return self.body(z) + (x if self.shortcut is None else self.shortcut(z))


class Scale(nn.Module):
    """x -> factor x.

    >>> Scale(0.125)(torch.tensor([8.0]))
    tensor([1.])
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The product."""
        return self.factor * x


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


def _lenet5(shape: Shape, outputs: int, c: Channels) -> list[nn.Module]:
    first, second, third, fourth = map(c, (6, 16, 120, 84))
    height, width = ((n // 2 - 4) // 2 for n in shape[1:])
    return [
        *(nn.Conv2d(shape[0], first, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(first, second, 5), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(second * height * width, third), nn.ReLU()),
        *(nn.Linear(third, fourth), nn.ReLU(), nn.Linear(fourth, outputs)),
    ]


def _strided(shape: Shape, outputs: int, c: Channels) -> list[nn.Module]:
    first, second, third = map(c, (16, 32, 100))
    return [
        *(
            nn.Conv2d(shape[0], first, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(first, second, 4, 2, 1),
            nn.ReLU(),
        ),
        *(
            nn.Flatten(),
            nn.Linear(second * (shape[1] // 4) * (shape[2] // 4), third),
            nn.ReLU(),
            nn.Linear(third, outputs),
        ),
    ]


def _resnet9(shape: Shape, outputs: int, c: Channels) -> list[nn.Module]:
    a, b, d, e = map(c, (64, 128, 256, 512))
    return [
        *_convolution(shape[0], a),
        *(
            *_convolution(a, b),
            nn.MaxPool2d(2),
            Residual(nn.Sequential(*_convolution(b, b), *_convolution(b, b))),
        ),
        *(*_convolution(b, d), nn.MaxPool2d(2)),
        *(
            *_convolution(d, e),
            nn.MaxPool2d(2),
            Residual(nn.Sequential(*_convolution(e, e), *_convolution(e, e))),
        ),
        *(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(e, outputs, bias=False), Scale(0.125)),
    ]


def _preactresnet18(shape: Shape, outputs: int, c: Channels) -> list[nn.Module]:
    return _preactivated(shape, outputs, [c(n) for n in (64, 64, 128, 256, 512)], blocks=2)


def _wideresnet34(shape: Shape, outputs: int, c: Channels) -> list[nn.Module]:
    return _preactivated(shape, outputs, [16, *(c(n) for n in (16, 32, 64))], blocks=5)


def _preactivated(shape: Shape, outputs: int, sizes: Sequence[int], blocks: int) -> list[nn.Module]:
    """A convolution to sizes[0] channels, groups of so many blocks to each other size (all but the
    first halve height and width), means over what is left, linear outputs.
    """
    groups = [
        PreActivation(b if j else a, b, 2 if k and not j else 1)
        for k, (a, b) in enumerate(itertools.pairwise(sizes))
        for j in range(blocks)
    ]
    end = [
        nn.BatchNorm2d(sizes[-1]),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(sizes[-1], outputs),
    ]
    return [nn.Conv2d(shape[0], sizes[0], 3, padding=1, bias=False), *groups, *end]


CONVOLUTIONAL: dict[str, tuple[Callable[[Shape, int, Channels], list[nn.Module]], int]] = {
    "lenet5": (_lenet5, 12),
    "strided": (_strided, 4),
    "resnet9": (_resnet9, 8),
    "preactresnet18": (_preactresnet18, 8),
    "wideresnet34": (_wideresnet34, 4),
}
"""What builds each convolutional network, and the least height and width of its images."""

MODELS = ("mlp", *CONVOLUTIONAL)
"""What `build_model` knows by name."""


@differentiating
def build_model(
    name: str,
    shape: Sequence[int],
    outputs: int,
    *,
    width: float = 1.0,
    seed: int = 0,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    hidden: Sequence[int] = (256, 256),
) -> nn.Sequential:
    """Make an untrained network by name, for points of a shape; float32.

    Weights are PyTorch's initialisation, drawn from `seed` alone. Parameters and operations (2 for
    each multiplication and addition in linear layers) are for 10 classes:

    - mlp: fully connected, hidden widths `hidden`.
    - lenet5: convolutions 5x5 to 6 and 16 channels, each with a mean over 2x2; 120, 84 units. LeCun
      et al. 1998, Section II B, with ReLU for tanh, all channels connected and a linear output;
      images are padded by 2. MNIST: 61,706 parameters, 0.83 MFLOP.
    - strided: convolutions 4x4 of stride 2 to 16 and 32 channels; 100 units. Wong and Kolter 2018;
      also the MNIST network of Wong, Rice and Kolter 2020. MNIST: 166,406 parameters, 1.22 MFLOP.
    - resnet9: Page 2018, "How to train your ResNet", after Coleman et al. 2017 (DAWNBench): 64 to
      512 channels, two residual blocks, outputs without bias, times 1/8. CIFAR-10: 6,573,120
      parameters, 759 MFLOP.
    - preactresnet18: He et al. 2016b, in the form for 32x32 images, 64 to 512 channels, with
      normalisation and ReLU after the last block, as in Rice, Wong and Kolter 2020. CIFAR-10:
      11,172,170 parameters, 1111 MFLOP.
    - wideresnet34: WRN-34-k of Zagoruyko and Komodakis 2016, where `width` is k: three groups of
      five blocks as in preactresnet18 to 16 k, 32 k and 64 k channels (the first convolution has 16
      for each k), no dropout. CIFAR-10, k = 1: 466,714
      parameters, 138 MFLOP; k = 10: 46,160,474 parameters, 13,318 MFLOP.

    mlp, lenet5 and strided have no batch normalisation, and `ReLUNetwork.from_module(model, shape)`
    reads them.

    Args:
        name: one of those above.
        shape: of one point, (C, H, W) or, for mlp, any.
        outputs: how many numbers come out.
        width: multiplies the numbers of channels and hidden units above (rounded, at least 1); mlp
            has just `hidden`.
        seed: of the weights.
        mean: of each channel, for a `Normalize` in front.
        std: likewise; given together.
        hidden: hidden widths of mlp.

    Returns:
        An `nn.Sequential` from points (N, *shape) to (N, outputs).

    Raises:
        ValueError: for an unknown name, and for arguments out of range or that do not fit.

    Example:
        >>> model = build_model("lenet5", (1, 28, 28), 10, mean=[0.5], std=[0.25])
        >>> sum(p.numel() for p in model.parameters()), model(torch.zeros(2, 1, 28, 28)).shape
        (61706, torch.Size([2, 10]))
    """
    if name not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}, got {name!r}")
    shape = tuple(shape)
    if not shape or min(shape) < 1:
        raise ValueError(f"shape must be positive numbers, got {shape}")
    if outputs < 1:
        raise ValueError(f"outputs must be at least 1, got {outputs}")
    if not 0 < width < math.inf:
        raise ValueError(f"width must be positive and finite, got {width}")
    if (mean is None) != (std is None):
        raise ValueError(f"mean and std must be given together, got {mean} and {std}")
    channels = shape[0] if len(shape) == 3 else 1
    front: list[nn.Module] = []
    if mean is not None and std is not None:
        if len(mean) != channels:
            raise ValueError(
                f"mean must have {channels} numbers for points of shape {shape}, got {len(mean)}"
            )
        unflatten = (
            [] if len(shape) == 3 else [nn.Flatten(), nn.Unflatten(1, (1, 1, math.prod(shape)))]
        )
        front = [*unflatten, Normalize(mean, std)]
    if name == "mlp":
        flatten = [nn.Flatten()] if front or len(shape) > 1 else []
        return nn.Sequential(*front, *flatten, *mlp([math.prod(shape), *hidden, outputs], seed))
    build, least = CONVOLUTIONAL[name]
    if len(shape) != 3 or min(shape[1:]) < least:
        raise ValueError(
            f"shape must be (C, H, W) with H and W at least {least} for {name}, got {shape}"
        )
    with _seeded(seed):
        return nn.Sequential(*front, *build(shape, outputs, lambda n: max(1, round(n * width))))
