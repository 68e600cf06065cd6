"""What a training run is told to do: one flat record, the same in Python, in TOML files and on the
command line.

Whole, because it is that one record, each of its entries with its meaning and its help.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from annotated_types import Ge, Gt, Le, Lt

import constructions
from constructions.internal import Settings, read_norm, setting

from ..attacks.names import read_attack
from ..datasets.tasks import read_task

if TYPE_CHECKING:
    from constructions import Ball

Model = Literal["mlp", "lenet5", "strided", "resnet9", "preactresnet18", "wideresnet34"]
Objective = Literal["adversarial", "trades", "intervals"]
Loss = Literal["cross-entropy", "exponential"]
Optimizer = Literal["adam", "sgd"]
Schedule = Literal["cyclical", "piecewise", "constant"]
Precision = Literal["float32", "bfloat16", "float64"]
Device = Literal["auto", "cpu", "cuda"]

PRECISIONS: dict[Precision, Literal["32-true", "bf16-mixed", "64-true"]] = {
    "float32": "32-true",
    "bfloat16": "bf16-mixed",
    "float64": "64-true",
}
"""Precisions, and what Lightning Fabric calls them."""

Count = Annotated[int, Ge(1)]
Positive = Annotated[float, Gt(0), Lt(math.inf)]
NotNegative = Annotated[float, Ge(0), Lt(math.inf)]


@dataclass(frozen=True)
class TrainingConfig(Settings):
    """How to train a network: data, model, attack, optimizer and measurements.

    The robust loss is (1 - robust_weight) L(f(x), y) + robust_weight max L(f(x'), y) over the ball
    (objective "adversarial"; with robust_weight 1 that of Madry et al. 2018), or L(f(x), y) +
    trades_beta max KL(f(x) || f(x')) ("trades", Zhang et al. 2019). "intervals" makes networks easy
    to prove: (1 - interval_weight) times the loss of "adversarial", and interval_weight times that
    at `worst_outputs`, the largest that interval bounds leave possible on the ball (De Palma et al.
    2024, MTL-IBP; interval_weight is their alpha). Where clean and attacked points are both trained
    on, they are one batch for batch normalisation. Radius 0 is clean training.
    Batches have sizes as equal as can be, at most batch_size (but see `train` for batch
    normalisation). Entries are checked when it is made.

    Attributes:
        data: "digits", "mnist", "cifar10", or a folder or .tar.gz of images, as `load_data` reads
            them.
        task: "classes", "parity" (odd +1, even -1), or labels of classes such as "0-4=-1,5-9=+1".
        root: folder of MNIST and CIFAR-10 in torchvision's layout; None: $CGRO_DATA, or data.
        download: whether missing data are fetched.
        train_points: how many training points, random, each class with its share; None: all.
        test_points: how many test points, likewise.
        validation_points: so many training points are held out, each class with its share, and
            measured after every epoch; the network of the epoch that is best there (most points
            robustly right, the first of equals) is measured on all test points, too.
        model: a name that `build_model` knows, or "custom" for a model of one's own.
        hidden: hidden widths of mlp.
        width: multiplies the number of channels of convolutional networks, or of hidden units.
        norm: of the perturbations, inf or 2.
        radius: of the perturbations; 0: clean training.
        attack: of training: "fgsm" or "pgdK" (K steps).
        step_size: of the training attack; None: 1.25 radius for fgsm, 2.5 radius / K.
        batch_norm: statistics that batch normalisation uses in training attacks, "batch" or "eval".
        objective: "adversarial", "trades" or "intervals".
        loss: "cross-entropy" (the logistic loss for labels -1, +1) or "exponential".
        robust_weight: lambda of the robust loss, in [0,1]; 1 - lambda is that of the clean one.
        trades_beta: weight of the divergence in objective "trades", >= 0.
        interval_weight: of the loss of interval bounds in objective "intervals", in [0,1].
        epochs: passes over the training data.
        batch_size: points of one step, over all devices.
        optimizer: "adam" or "sgd" (momentum 0.9).
        learning_rate: the largest one.
        schedule: "cyclical" (up to 2/5 of all steps, down to 0), "piecewise" (/10 at 1/2, 3/4) or
            "constant".
        weight_decay: of the l_2 norm, >= 0.
        clip: largest l_2 norm of a step's gradient; None: no limit.
        augment: whether images are cropped at random and flipped horizontally.
        seed: of split, initialisation, order, augmentation and noise.
        precision: "float32", "bfloat16" (mixed) or "float64".
        device: "auto", "cpu" or "cuda".
        devices: processes on this machine, one for each GPU.
        compile: whether `torch.compile` compiles the model (pays on GPUs); it needs Triton there,
            and a C++ compiler on a CPU.
        cuda_graphs: whether that also records CUDA graphs (mode "reduce-overhead"), for small
            batches; with `compile` only, without effect on a CPU, and not run on a GPU yet.
        eval_points: training and test points measured after every epoch.
        eval_attack: attack of the measurements after every epoch.
        final_attack: attack of the measurement at the end, on all test points ("pgd50x10": 10
            restarts of 50 steps).
        stop_at_collapse: whether to stop when robust training accuracy falls by 0.2 and two
            standard errors (catastrophic overfitting).
        keep: the checkpoints of every so many epochs are kept; the last two always.

    Raises:
        ValueError: that names the entry, the rule and the value.
        TypeError: likewise, for a value of another type.

    Example:
        >>> TrainingConfig(data="mnist", model="lenet5", radius=0.1, epochs=20).ball
        Ball(p=inf, radius=0.1)
        >>> TrainingConfig(epochs=0)
        Traceback (most recent call last):
        ...
        ValueError: epochs must be greater than or equal to 1, got 0
    """

    data: str = setting(
        "digits",
        "digits, mnist, cifar10, or a folder or .tar.gz of images (train/CLASS/*, test/CLASS/*)",
    )
    task: str = setting(
        "classes", "classes, parity (odd +1, even -1), or labels of classes such as 0-4=-1,5-9=+1"
    )
    root: str | None = setting(
        None, "folder of MNIST and CIFAR-10 in torchvision's layout (default: $CGRO_DATA, or data)"
    )
    download: bool = setting(False, "fetch missing data")
    train_points: Count | None = setting(
        None, "so many training points, random, each class with its share (default: all)"
    )
    test_points: Count | None = setting(None, "so many test points, likewise (default: all)")
    validation_points: Annotated[int, Ge(0)] = setting(
        0, "so many training points are held out, to choose the best epoch"
    )
    model: Literal[Model, "custom"] = setting("mlp", ", ".join(get_args(Model)))
    hidden: tuple[Count, ...] = setting((256, 256), "hidden widths of mlp")
    width: Positive = setting(
        1.0, "multiplies the number of channels of convolutional networks, or of hidden units"
    )
    norm: float = setting(math.inf, "norm of the perturbations, inf or 2", read_norm)
    radius: float = setting(0.0, "radius of the perturbations (0: clean training)")
    attack: str = setting("pgd7", "attack of training: fgsm, pgdK (K steps)")
    step_size: Positive | None = setting(
        None, "step of the training attack (default: 1.25 radius for fgsm, 2.5 radius / K)"
    )
    batch_norm: Literal["batch", "eval"] = setting(
        "batch", "statistics that batch normalisation uses in training attacks: batch or eval"
    )
    objective: Objective = setting("adversarial", ", ".join(get_args(Objective)))
    loss: Loss = setting(
        "cross-entropy",
        f"{' or '.join(get_args(Loss))} (cross-entropy is the logistic loss for labels -1, +1)",
    )
    robust_weight: Annotated[float, Ge(0), Le(1)] = setting(
        1.0, "lambda of the robust loss; 1 - lambda is that of the clean one"
    )
    trades_beta: NotNegative = setting(6.0, "weight of the divergence in objective trades")
    interval_weight: Annotated[float, Ge(0), Le(1)] = setting(
        0.03, "weight of the loss of interval bounds in objective intervals"
    )
    epochs: Count = setting(20, "passes over the training data")
    batch_size: Count = setting(128, "points of one step, over all devices")
    optimizer: Optimizer = setting("adam", f"{' or '.join(get_args(Optimizer))} (momentum 0.9)")
    learning_rate: Positive = setting(5e-3, "largest learning rate")
    schedule: Schedule = setting(
        "cyclical",
        "cyclical (up to 2/5 of all steps, down to 0), piecewise (/10 at 1/2, 3/4), constant",
    )
    weight_decay: NotNegative = setting(0.0, "weight decay (l_2)")
    clip: Positive | None = setting(
        None, "largest l_2 norm of a step's gradient (default: no limit)"
    )
    augment: bool = setting(False, "random crops and horizontal flips")
    seed: Annotated[int, Ge(0), Lt(2**63)] = setting(
        0, "seed of split, initialisation, order, augmentation and noise"
    )
    precision: Precision = setting("float32", f"{', '.join(PRECISIONS)} (bfloat16: mixed)")
    device: Device = setting("auto", ", ".join(get_args(Device)))
    devices: Count = setting(1, "processes on this machine, one for each GPU")
    compile: bool = setting(False, "torch.compile the model (pays on GPUs)")
    cuda_graphs: bool = setting(False, "with --compile: record CUDA graphs, too")
    eval_points: Count = setting(1000, "training and test points measured after every epoch")
    eval_attack: str = setting("pgd10", "attack of the measurements after every epoch")
    final_attack: str = setting(
        "pgd50x10",
        "attack of the measurement at the end, on all test points (10 restarts of 50 steps)",
    )
    stop_at_collapse: bool = setting(
        True,
        "stop when robust training accuracy falls by 0.2 and two standard errors (catastrophic "
        "overfitting)",
    )
    keep: Count = setting(
        1, "keep the checkpoints of every so many epochs; the last two are always kept"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("attack", "eval_attack", "final_attack"):
            read_attack(getattr(self, name))
        _, steps, restarts = read_attack(self.attack)
        if steps < 1 or restarts > 1:
            raise ValueError(f"attack must be fgsm or pgdK for training, got {self.attack!r}")
        read_task(self.task)
        if self.cuda_graphs and not self.compile:
            raise ValueError("cuda_graphs must be False without compile, got True")
        from constructions.internal import warn_of_scale  # with torch

        object.__setattr__(self, "radius", self.ball.radius)
        warn_of_scale(self.ball)

    @property
    def ball(self) -> Ball:
        """The ball of perturbations."""
        return constructions.Ball(self.norm, self.radius)

    @property
    def accelerator(self) -> str:
        """The device, "cpu" or "cuda", with "auto" resolved."""
        if self.device != "auto":
            return self.device
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    def learning_rate_at(self, share: float) -> float:
        """Give the learning rate after a share of all steps.

        Args:
            share: in [0,1].

        Returns:
            The rate, in the units of `learning_rate`.

        Example:
            >>> TrainingConfig(learning_rate=1.0).learning_rate_at(0.2)
            0.5
        """
        if self.schedule == "cyclical":
            import numpy as np

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
    def from_toml(cls, path: str | PathLike[str]) -> TrainingConfig:
        """Read a configuration from a TOML file, or a published one by name.

        Args:
            path: a file with one entry a line, or a name; see `read_toml`.

        Returns:
            A `TrainingConfig`.

        Raises:
            FileNotFoundError: if there is neither.
            ValueError: for what is no TOML, and as for the configuration itself.
        """
        return cls.from_mapping(read_toml(path))


def read_toml(path: str | PathLike[str]) -> dict[str, Any]:
    """Read the entries of a TOML file, or of a configuration that comes with the package.

    Args:
        path: a file, or the name of one of the papers' experiments.

    Returns:
        A dict of the entries.

    Raises:
        FileNotFoundError: if there is neither.
        ValueError: that names the file, for what is no TOML.

    Example:
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
