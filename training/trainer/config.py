"""What a training run is told to do: one flat record, the same in Python, in TOML files and on the
command line.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch

from constructions import Ball, read_norm

from ..attacks.named import Attack
from ..attacks.objectives import LOSSES
from ..datasets.tasks import read_task
from .models import MODELS

PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed", "float64": "64-true"}
"""Precisions, and what Lightning Fabric calls them."""

SCHEDULES = ("cyclical", "piecewise", "constant")
OBJECTIVES = ("adversarial", "trades")
OPTIMIZERS = ("adam", "sgd")
DEVICES = ("auto", "cpu", "cuda")


def option(default: Any, text: str) -> Any:
    """A field with the help that `cgro train --help` prints."""
    return dataclasses.field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class TrainingConfig:
    """How to train a network, checked when it is made; the help of `cgro train` says what each
    entry is.

    Robust loss: (1 - robust_weight) L(f(x), y) + robust_weight max L(f(x'), y) over the ball
    (objective "adversarial"; with robust_weight 1 that of Madry et al. 2018), or L(f(x), y) +
    trades_beta max KL(f(x) || f(x')) ("trades", Zhang et al. 2019). Where clean and attacked points
    are both trained on, they are one batch for batch normalisation. Radius 0 is clean training.
    Batches have sizes as equal as can be, at most batch_size (but see `train` for batch
    normalisation).

    Raises ValueError or TypeError that names the entry, the rule and the value.

    >>> TrainingConfig(data="mnist", model="lenet5", radius=0.1, epochs=20).ball
    Ball(p=inf, radius=0.1)
    >>> TrainingConfig(epochs=0)
    Traceback (most recent call last):
    ...
    ValueError: epochs must be at least 1, got 0
    """

    data: str = option(
        "digits",
        "digits, mnist, cifar10, or a folder or .tar.gz of images (train/CLASS/*, test/CLASS/*)",
    )
    task: str = option(
        "classes", "classes, parity (odd +1, even -1), or labels of classes such as 0-4=-1,5-9=+1"
    )
    root: str | None = option(
        None, "folder of MNIST and CIFAR-10 in torchvision's layout (default: $CGRO_DATA, or data)"
    )
    download: bool = option(False, "fetch missing data")
    train_points: int | None = option(
        None, "so many training points, random, each class with its share (default: all)"
    )
    test_points: int | None = option(None, "so many test points, likewise (default: all)")
    model: str = option("mlp", f"{', '.join(MODELS)}")
    hidden: tuple[int, ...] = option((256, 256), "hidden widths of mlp")
    width: float = option(
        1.0, "multiplies the number of channels of convolutional networks, or of hidden units"
    )
    norm: float = option(math.inf, "norm of the perturbations, inf or 2")
    radius: float = option(0.0, "radius of the perturbations (0: clean training)")
    attack: str = option("pgd7", "attack of training: fgsm, pgdK (K steps)")
    step_size: float | None = option(
        None, "step of the training attack (default: 1.25 radius for fgsm, 2.5 radius / K)"
    )
    batch_norm: str = option(
        "batch", "statistics that batch normalisation uses in training attacks: batch or eval"
    )
    objective: str = option("adversarial", f"{' or '.join(OBJECTIVES)}")
    loss: str = option(
        "cross-entropy",
        f"{' or '.join(LOSSES)} (cross-entropy is the logistic loss for labels -1, +1)",
    )
    robust_weight: float = option(
        1.0, "lambda of the robust loss; 1 - lambda is that of the clean one"
    )
    trades_beta: float = option(6.0, "weight of the divergence in objective trades")
    epochs: int = option(20, "passes over the training data")
    batch_size: int = option(128, "points of one step, over all devices")
    optimizer: str = option("adam", f"{' or '.join(OPTIMIZERS)} (momentum 0.9)")
    learning_rate: float = option(5e-3, "largest learning rate")
    schedule: str = option(
        "cyclical",
        "cyclical (up to 2/5 of all steps, down to 0), piecewise (/10 at 1/2, 3/4), constant",
    )
    weight_decay: float = option(0.0, "weight decay (l_2)")
    clip: float | None = option(None, "largest l_2 norm of a step's gradient (default: no limit)")
    augment: bool = option(False, "random crops and horizontal flips")
    seed: int = option(0, "seed of split, initialisation, order, augmentation and noise")
    precision: str = option("float32", f"{', '.join(PRECISIONS)} (bfloat16: mixed)")
    device: str = option("auto", f"{', '.join(DEVICES)}")
    devices: int = option(1, "processes on this machine, one for each GPU")
    compile: bool = option(False, "torch.compile the model (pays on GPUs)")
    eval_points: int = option(1000, "training and test points measured after every epoch")
    eval_attack: str = option("pgd10", "attack of the measurements after every epoch")
    final_attack: str = option(
        "pgd50x10",
        "attack of the measurement at the end, on all test points (10 restarts of 50 steps)",
    )
    stop_at_collapse: bool = option(
        True, "stop when robust training accuracy falls by 0.2 (catastrophic overfitting)"
    )
    keep: int = option(
        1, "keep the checkpoints of every so many epochs; the last two are always kept"
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(
                self, field.name, _typed(field.name, field.type, getattr(self, field.name))
            )
        object.__setattr__(self, "norm", read_norm(self.norm, "norm"))
        object.__setattr__(self, "radius", self.ball.radius)
        for name in ("epochs", "batch_size", "devices", "eval_points", "keep"):
            _require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("learning_rate", "width"):
            _require(
                0 < getattr(self, name) < math.inf, name, "positive and finite", getattr(self, name)
            )
        for name in ("weight_decay", "trades_beta"):
            _require(
                0 <= getattr(self, name) < math.inf, name, ">= 0 and finite", getattr(self, name)
            )
        for name in ("train_points", "test_points"):
            count = getattr(self, name)
            _require(count is None or count >= 1, name, "at least 1", count)
        for name in ("step_size", "clip"):
            value = getattr(self, name)
            _require(value is None or 0 < value < math.inf, name, "positive and finite", value)
        _require(
            0 <= self.robust_weight <= 1, "robust_weight", "between 0 and 1", self.robust_weight
        )
        _require(0 <= self.seed < 2**63, "seed", "in 0..2^63 - 1", self.seed)
        _require(min(self.hidden, default=1) >= 1, "hidden", "positive numbers", self.hidden)
        choices = {
            "model": [*MODELS, "custom"],
            "batch_norm": ("batch", "eval"),
            "objective": OBJECTIVES,
            "loss": LOSSES,
            "optimizer": OPTIMIZERS,
            "schedule": SCHEDULES,
            "precision": PRECISIONS,
            "device": DEVICES,
        }
        for name, allowed in choices.items():
            _require(
                getattr(self, name) in allowed,
                name,
                f"one of {', '.join(allowed)}",
                repr(getattr(self, name)),
            )
        read_task(self.task)
        for name in ("attack", "eval_attack", "final_attack"):
            Attack.parse(getattr(self, name))
        training = Attack.parse(self.attack)
        _require(
            training.steps >= 1 and training.restarts == 1,
            "attack",
            "fgsm or pgdK for training",
            repr(self.attack),
        )

    @property
    def ball(self) -> Ball:
        """The ball of perturbations."""
        return Ball(self.norm, self.radius)

    @property
    def accelerator(self) -> str:
        """The device, "cpu" or "cuda", with "auto" resolved."""
        return (
            ("cuda" if torch.cuda.is_available() else "cpu")
            if self.device == "auto"
            else self.device
        )

    def learning_rate_at(self, share: float) -> float:
        """The learning rate after this share of all steps.

        >>> TrainingConfig(learning_rate=1.0).learning_rate_at(0.2)
        0.5
        """
        if self.schedule == "cyclical":
            return self.learning_rate * float(np.interp(share, [0.0, 0.4, 1.0], [0.0, 1.0, 0.0]))
        if self.schedule == "piecewise":
            return self.learning_rate * (1.0 if share < 0.5 else 0.1 if share < 0.75 else 0.01)
        return self.learning_rate

    def to_json(self) -> dict[str, Any]:
        """All entries as plain values; `from_mapping` reads them again."""
        values = dataclasses.asdict(self)
        return values | {
            "norm": "inf" if math.isinf(self.norm) else "2",
            "hidden": list(self.hidden),
        }

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """A configuration from entries by name. Raises ValueError for an unknown one.

        >>> TrainingConfig.from_mapping({"radios": 0.1})
        Traceback (most recent call last):
        ...
        ValueError: unknown entry 'radios' (did you mean 'radius'?)
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                raise ValueError(
                    f"unknown entry {name!r}" + (f" (did you mean {near[0]!r}?)" if near else "")
                )
        return cls(**values)

    @classmethod
    def from_toml(cls, path: str | PathLike[str]) -> TrainingConfig:
        """A configuration from a TOML file with one entry a line, or a published one by name; see
        `read_toml`.
        """
        return cls.from_mapping(read_toml(path))


def read_toml(path: str | PathLike[str]) -> dict[str, Any]:
    """The entries of a TOML file, or of a configuration that comes with the package, by name (the
    papers' experiments).

    Raises FileNotFoundError, or ValueError that names the file.

    >>> read_toml("mnist-lenet5")["epochs"]
    20
    """
    folder = Path(__file__).parent / "configs"
    known = sorted(file.stem for file in folder.glob("*.toml"))
    if str(path) in known and not Path(path).exists():
        path = folder / f"{path}.toml"
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"no file {path}, and no configuration of that name ({', '.join(known)})"
        )
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML file: {error}") from error


def _require(condition: bool, name: str, rule: str, value: object) -> None:
    if not condition:
        raise ValueError(f"{name} must be {rule}, got {value}")


def _typed(name: str, kind: Any, value: Any) -> Any:
    """The value in the type of its entry (a number for float, a list for tuple)."""
    if name == "norm":
        return value  # `read_norm` reads it
    if value is None and "None" in kind:
        return None
    if "float" in kind and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if kind.startswith("int") and isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if "tuple" in kind and isinstance(value, (list, tuple)) and all(type(v) is int for v in value):
        return tuple(value)
    allowed = {"float": float, "int": int, "str": str, "bool": bool}
    wanted = kind.split(" ")[0].split("[")[0]
    if wanted not in allowed or type(value) is not allowed[wanted]:
        raise TypeError(
            f"{name} must be {'a list of integers' if 'tuple' in kind else wanted}, got {value!r}"
        )
    return value
