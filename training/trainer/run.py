"""A training run in one folder: what it was told to do, what it measured, and its checkpoints.

Whole, because it is one noun: all of it reads and writes the same folder.

    config.json             configuration, versions, machine, data metrics.jsonl           a line
    for each epoch, then one with the measurement at the end weights/0007.safetensors    the model
    after epoch 7;  state/0007.safetensors: the optimizer, of the last two epochs only
    evaluations.jsonl       what `evaluate` measured later

Files are replaced as wholes, and a checkpoint counts only with the line of its epoch, which holds
its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save as serialize
from torch import nn

from constructions import Result
from constructions.internal import Points, Said, said, write_file

from ..datasets.dataset import Dataset, load_data
from ..datasets.reading import differentiating
from .config import TrainingConfig
from .evaluation import Evaluation
from .models import build_model

FORMAT = "cgro run 1"


@dataclass(repr=False)
class Run(Result):
    """A training run on disk: its settings, what it measured, and its networks.

    Rates in metrics are exact shares of the stated points; robust ones are empirical (an attack's),
    so upper bounds of robust accuracy. `seconds` are wall clock. `Run.load(folder)` reads a run,
    `model()` gives its network.

    Attributes:
        folder: where it is kept.
        config: its `TrainingConfig`.
        about: facts about versions, machine and data.
        epochs: the metrics of each finished epoch.
        final: the metrics of the end as they are in the file; None before it. `evaluation()` gives
            them with their kinds.
        make: makes the module that `model` fills, where the run is of a model of one's own.
    """

    folder: Path
    config: TrainingConfig
    about: dict[str, Any]
    epochs: list[dict[str, Any]] = field(default_factory=list)
    final: dict[str, Any] | None = None
    make: Callable[[], nn.Module] | None = None

    def _says(self) -> tuple[str, dict[str, Said]]:
        numbers = {}
        kinds = {"accuracy": ("", "exact"), "robust_accuracy": (" robust", "empirical upper bound")}
        for part in ("test", "train") if self.final is not None else ():
            found = (self.final or {})[part]
            for name, (word, kind) in kinds.items():
                if (share := found.get(name)) is not None:
                    total = found["points"]
                    numbers[part + word] = said(share, kind, round(share * total), total)
        data, model = self.about.get("data", {}).get("name", self.config.data), self.config.model
        told = f"{model} on {data}, radius {self.config.radius:g}"
        return f"accuracy of {told}, {self.status} ({self.folder})", numbers

    @property
    def status(self) -> str:
        """'finished', 'stopped: why', or 'unfinished: k of n epochs'."""
        if self.final is None:
            return f"unfinished: {len(self.epochs)} of {self.config.epochs} epochs"
        return f"stopped: {self.final['stopped']}" if self.final.get("stopped") else "finished"

    @property
    def epoch(self) -> int:
        """The epoch whose network `model()` gives: the one measured at the end, or the last.

        0 if none has ended.
        """
        return len(self.epochs) if self.final is None else int(self.final["epoch"])

    @property
    def best(self) -> int | None:
        """The first epoch with most validation points robustly right; None without such points."""
        found = [line["validation"] for line in self.epochs if "validation" in line]
        if not found:
            return None
        rates = [
            each["accuracy"] if each["robust_accuracy"] is None else each["robust_accuracy"]
            for each in found
        ]
        return 1 + rates.index(max(rates))

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> Run:
        """Read a run.

        Args:
            folder: that of `train`.

        Returns:
            The `Run`.

        Raises:
            FileNotFoundError: if the folder holds none.
            ValueError: that says what is wrong with which file.
        """
        folder = Path(folder)
        path = folder / "config.json"
        if not path.is_file():
            raise FileNotFoundError(f"{folder} holds no run (no config.json)")
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
            found = about.pop("format", None)
            config = TrainingConfig.from_mapping(about.pop("config"))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        if found != FORMAT:
            raise ValueError(f"{path} must have format {FORMAT!r}, got {found!r}")
        run = cls(folder, config, about)
        run._read_metrics()
        return run

    @differentiating
    def model(self, epoch: int | None = None, into: nn.Module | None = None) -> nn.Module:
        """Give the network after an epoch, on the CPU, in eval mode.

        Args:
            epoch: by default that of `epoch`.
            into: a module to fill, instead of a new one (custom models).

        Returns:
            The module.

        Raises:
            ValueError: for an epoch without a checkpoint, a damaged file, weights that do not fit,
                and a model of one's own without `into`.
        """
        if into is None:
            into = self._made()
        if self.config.precision == "float64":
            into = into.double()
        try:
            into.load_state_dict(self.weights(epoch))
        except RuntimeError as error:
            raise ValueError(f"weights of {self.folder} do not fit the model: {error}") from error
        return into.eval()

    def _made(self) -> nn.Module:
        """A module of the run's kind."""
        if self.make is not None:
            return self.make()
        if self.config.model == "custom":
            raise ValueError(
                f"{self.folder} holds the weights of a module given from Python, as `cgro compare` "
                f"gives its own: give one of its kind, run.model(into=module)"
            )
        facts = self.about["data"]
        return model_for(
            self.config, tuple(facts["shape"]), facts["outputs"], facts["mean"], facts["std"]
        )

    def weights(self, epoch: int | None = None) -> dict[str, torch.Tensor]:
        """Give the model's tensors by name after an epoch.

        Args:
            epoch: by default that of `epoch`.

        Returns:
            A dict from names to tensors.

        Raises:
            ValueError: for an epoch without a checkpoint, and a damaged file.
        """
        if not self.epochs:
            raise ValueError(f"{self.folder} has no finished epoch")
        epoch, kept = self.epoch if epoch is None else epoch, self.checkpoints()
        if epoch not in kept:
            text = ", ".join(map(str, kept)) or "none"
            raise ValueError(
                f"epoch must be one of those kept in {self.folder} ({text}), got {epoch}"
            )
        return read_tensors(
            self.folder / "weights" / _name(epoch), self.epochs[epoch - 1]["weights"]
        )

    def checkpoints(self) -> list[int]:
        """The epochs whose weights are kept."""
        return [
            line["epoch"]
            for line in self.epochs
            if (self.folder / "weights" / _name(line["epoch"])).is_file()
        ]

    def evaluation(self, part: str = "test") -> Evaluation:
        """Give the measurement at the end as what `evaluate` gives, each number with its kind.

        Args:
            part: "test", "train" (all training points, not attacked), "train_sample", or
                "best_test" (test points, network of epoch `best`).

        Returns:
            An `Evaluation`; `final` has the same numbers as they are in the file.

        Raises:
            ValueError: for a run that is not finished, and another part.
        """
        parts = {name: each for name, each in (self.final or {}).items() if type(each) is dict}
        if part not in parts:
            known = ", ".join(parts) if parts else f"none yet: the run is {self.status}"
            raise ValueError(f"part must be one of those measured ({known}), got {part!r}")
        found = {"attack": "clean", "robust_accuracy": None, **parts[part]}
        return Evaluation(**{field.name: found[field.name] for field in fields(Evaluation)})

    def dataset(self) -> Dataset:
        """Read the data that the run was trained on again.

        Returns:
            The `Dataset`.

        Raises:
            ValueError: if they have changed, or were tensors.
        """
        config = self.config
        data = load_data(config.data, config.task, config.seed, root=config.root)
        data, held = chosen(data, config)
        if not same_data(data_facts(data, held), self.about["data"]):
            hint = "tensors of your own are measured by `evaluate`"
            raise ValueError(
                f"data {config.data} are not those that {self.folder} was trained on ({hint})"
            )
        return data

    # -- writing -----------------------------------------------------------------------------------

    @classmethod
    def create(
        cls, folder: str | PathLike[str], config: TrainingConfig, about: dict[str, Any]
    ) -> Run:
        """Begin a new run in a folder that holds none.

        Args:
            folder: made if it is not there.
            config: the settings.
            about: facts about versions, machine and data.

        Returns:
            The `Run`, without epochs.
        """
        folder = Path(folder)
        for name in ("weights", "state"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        write_file(
            folder / "config.json",
            json.dumps({"format": FORMAT, "config": config.to_json(), **about}, indent=1),
        )
        return cls(folder, config, about)

    def save(
        self, line: dict[str, Any], weights: dict[str, torch.Tensor], state: dict[str, torch.Tensor]
    ) -> None:
        """Write the checkpoint of an epoch and then its metrics; drop what is not to be kept.

        Args:
            line: the epoch's metrics.
            weights: the model's tensors by name.
            state: the optimizer's, likewise.
        """
        number = line["epoch"]
        line |= {
            "weights": self._write("weights", number, weights),
            "state": self._write("state", number, state),
        }
        self.epochs.append(line)
        self._write_metrics()
        best = {"weights": self.best, "state": None}
        for kind, every in (("weights", self.config.keep), ("state", self.config.epochs + 1)):
            for old in range(1, number - 1):
                if old % every and old != best[kind]:
                    (self.folder / kind / _name(old)).unlink(missing_ok=True)

    def finish(self, final: dict[str, Any]) -> None:
        """Write the measurement at the end.

        Args:
            final: its metrics.
        """
        self.final = final
        self._write_metrics()

    def rewind(self) -> dict[str, torch.Tensor] | None:
        """Go back to the last epoch with an undamaged checkpoint, or to the start.

        Returns:
            The optimizer's tensors by name; None at the start.
        """
        for path in (*self.folder.glob("*/.*.safetensors.*"), *self.folder.glob(".*.jsonl.*")):
            shutil.rmtree(path, ignore_errors=True)  # of a write that never ended
        self.final = None
        while self.epochs:
            line = self.epochs[-1]
            try:
                self.weights()
                return read_tensors(self.folder / "state" / _name(line["epoch"]), line["state"])
            except ValueError as error:
                warnings.warn(f"epoch {line['epoch']} is repeated: {error}", stacklevel=2)
                self.epochs.pop()
        return None

    def _write(self, kind: str, epoch: int, tensors: dict[str, torch.Tensor]) -> str:
        content = serialize(
            {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        )
        path = self.folder / kind / _name(epoch)
        try:
            path.parent.mkdir(exist_ok=True)
            write_file(path, content)
        except OSError as error:
            text = (
                f"cannot write the checkpoint of epoch {epoch}, earlier ones are intact: "
                f"{error.strerror}"
            )
            raise OSError(error.errno, text, str(path)) from error
        return hashlib.sha256(content).hexdigest()

    def _write_metrics(self) -> None:
        lines = [*self.epochs, *([] if self.final is None else [{"final": self.final}])]
        write_file(
            self.folder / "metrics.jsonl",
            "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines),
        )

    def _read_metrics(self) -> None:
        path = self.folder / "metrics.jsonl"
        try:
            text = path.read_text(encoding="utf-8") if path.is_file() else ""
            lines = [json.loads(line) for line in text.splitlines()]
            self.epochs = [line for line in lines if "final" not in line]
            self.final = next((line["final"] for line in lines if "final" in line), None)
            if [line["epoch"] for line in self.epochs] != list(range(1, len(self.epochs) + 1)):
                raise ValueError("its epochs are not 1, 2, ...")
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error


def model_for(
    config: TrainingConfig,
    shape: tuple[int, ...],
    outputs: int,
    mean: list[float],
    std: list[float],
) -> nn.Module:
    """The untrained model of a configuration for points of a shape."""
    hidden = tuple(max(1, round(n * config.width)) for n in config.hidden)
    model = build_model(
        config.model,
        shape,
        outputs,
        width=config.width,
        seed=config.seed,
        mean=mean,
        std=std,
        hidden=hidden,
    )
    return model.double() if config.precision == "float64" else model


def same_data(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether two facts are of the same data: all but the moments, which are rounded as threads
    share the sums.
    """
    return all(first.get(name) == second.get(name) for name in {*first, *second} - {"mean", "std"})


def chosen(data: Dataset, config: TrainingConfig) -> tuple[Dataset, Dataset | None]:
    """The points that a run is about, and what is held out of training as the test points of a
    second set (None where nothing is).
    """
    held, there = config.validation_points, len(data.train_points)
    if not held:
        return data.subset(config.train_points, config.test_points, config.seed), None
    count = there - held if config.train_points is None else config.train_points
    if count < 1 or count + held > there:
        raise ValueError(
            f"validation_points must leave training points: of {there} there are to be "
            f"{held} held out and {max(count, 1)} trained on; lower one of the two"
        )
    data = data.subset(count + held, config.test_points, config.seed)
    points, labels = data.train_points, data.train_labels
    rest = replace(data, train_points=points[:count], train_labels=labels[:count])
    return rest, replace(rest, test_points=points[count:], test_labels=labels[count:])


def data_facts(data: Dataset, held: Dataset | None = None) -> dict[str, Any]:
    """What a run keeps of its data: names, sizes, moments of the training points by channel,
    SHA-256 of all of them, those held out last.
    """
    digest = hashlib.sha256()
    parts = [data.train_points, data.train_labels, data.test_points, data.test_labels]
    if held is not None:
        parts += [held.test_points, held.test_labels]
    for part in parts:
        digest.update(part.cpu().contiguous().view(torch.uint8).numpy().tobytes())
    mean, std = moments(data.train_points)
    facts = {
        "name": data.name,
        "task": data.task,
        "source": data.source,
        "outputs": data.outputs,
        "mean": mean,
        "std": std,
    }
    counts = {
        "shape": list(data.train_points.shape[1:]),
        "train": len(data.train_points),
        "test": len(data.test_points),
    }
    if held is not None:
        counts["validation"] = len(held.test_points)
    return facts | counts | {"sha256": digest.hexdigest()}


def moments(points: Points) -> tuple[list[float], list[float]]:
    """Mean and standard deviation (1 if they are constant) of each channel of images (N, C, H, W),
    else of all numbers.

    >>> moments(torch.tensor([[0, 255]], dtype=torch.uint8))
    ([0.5], [0.5])
    """
    found = []
    for channel in points.cpu().unbind(1) if points.ndim == 4 else [points.cpu()]:
        if channel.dtype == torch.uint8:
            values, counts = (
                torch.arange(256).double() / 255,
                torch.bincount(channel.flatten(), minlength=256),
            )
        else:
            values, counts = channel.flatten(), torch.ones(channel.numel(), dtype=torch.float64)
        shares, values = counts.double() / channel.numel(), values.double()
        mean = float(shares @ values)
        deviation = math.sqrt(float(shares @ (values - mean) ** 2))
        found.append((mean, deviation if deviation > 1e-6 else 1.0))
    return [mean for mean, _ in found], [std for _, std in found]


def read_tensors(path: Path, sha256: str) -> dict[str, torch.Tensor]:
    """The tensors of a .safetensors file, which never holds code. Raises ValueError unless it has
    this digest.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(
            f"{path} is not the file that the run wrote: truncated, damaged or replaced"
        )
    try:
        return parse(content)
    except SafetensorError as error:
        raise ValueError(f"{path} is no .safetensors file: {error}") from error


def _name(epoch: int) -> str:
    return f"{epoch:04d}.safetensors"
