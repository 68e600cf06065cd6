"""One process of a training run: epochs of attacks and steps, and what is measured after each.

Whole, because it is one process: all steps share model, optimizer and fabric.
"""

from __future__ import annotations

import inspect
import math
import os
import shutil
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from constructions import Progress
from constructions.internal import Labels, Points, as_float

from ..attacks.batch_norm import batch_norm
from ..attacks.intervals import bounded_outputs
from ..attacks.named import Attack
from ..attacks.objectives import LOSSES, divergence, is_error, mixed
from ..attacks.pgd import ascend
from ..datasets.augmentation import augment
from ..datasets.dataset import Dataset
from ..datasets.reading import copied
from .config import PRECISIONS, TrainingConfig
from .evaluation import evaluate_share, stream, summary
from .run import Run

if TYPE_CHECKING:
    from lightning_fabric import Fabric

COLLAPSE = 0.2
"""A fall of robust training accuracy by so much within a run, and two standard errors of what few
points measure, is called catastrophic overfitting.
"""

CHECK_EVERY = 32
"""Steps between looks at the loss, each of which waits for the device."""


@dataclass(frozen=True)
class TrainingProgress(Progress):
    """How far a training run is, and what it measured last.

    Measurements are None before the first.

    Attributes:
        stage: what is being done.
        done: steps done.
        total: steps in all.
        loss: of the last steps.
        accuracy: on test points, after the last epoch.
        robust_accuracy: likewise, empirical.
    """

    loss: float | None = None
    accuracy: float | None = None
    robust_accuracy: float | None = None


def make_fabric(config: TrainingConfig) -> Fabric:
    """Device, precision and processes as configured. Raises ValueError if they are not there."""
    from lightning_fabric import Fabric  # seconds of imports that only training needs

    if config.accelerator == "cuda":
        if not torch.cuda.is_available():
            raise ValueError("device 'cuda' needs a GPU, and PyTorch finds none")
        if config.devices > torch.cuda.device_count():
            raise ValueError(
                f"devices must be at most the {torch.cuda.device_count()} GPUs there are, got "
                f"{config.devices}"
            )
    elif config.precision == "bfloat16" and emulates_bfloat16():
        warnings.warn(
            "this processor emulates bfloat16, many times slower than float32", stacklevel=3
        )
    if config.compile:
        check_compiler(config.accelerator)
    strategy = "ddp_spawn" if config.devices > 1 else "auto"
    precision = PRECISIONS[config.precision]
    return Fabric(
        accelerator=config.accelerator,
        devices=config.devices,
        strategy=strategy,
        precision=precision,
    )


def check_compiler(accelerator: str) -> None:
    """Raise ValueError if `torch.compile` has nothing to build code with: Triton for GPUs, a C++
    compiler for CPUs.
    """
    if accelerator == "cuda":
        there, what = find_spec("triton") is not None, "Triton, which the package triton has"
    else:
        compilers = (os.environ.get("CXX"), "g++", "clang++")
        there = any(name and shutil.which(name) for name in compilers)
        what = "a C++ compiler, g++ or clang++ (or what CXX names)"
    if not there:
        raise ValueError(
            f"compile must be False on this machine: torch.compile needs {what}, and it is not "
            f"there: install it, or leave compile out"
        )


def work(fabric: Fabric, **rest: Any) -> None:
    """Run to the end, in one process."""
    Worker(fabric, **rest).run_all()


def emulates_bfloat16() -> bool:
    """Whether this processor has no instructions for bfloat16."""
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    return not supported()


class Worker:
    """What one process of a run does; the first of them writes. `state`: tensors of the optimizer,
    to resume.
    """

    def __init__(
        self,
        fabric: Fabric,
        run: Run,
        data: Dataset,
        model: nn.Module,
        state: dict[str, torch.Tensor] | None,
        batches: int,
        report: Callable[[TrainingProgress], None],
        held: Dataset | None = None,
    ) -> None:
        self.fabric, self.run, self.config, self.batches, self.report = (
            fabric,
            run,
            run.config,
            batches,
            report,
        )
        self.data = data.to(fabric.device)
        self.held = held and held.to(fabric.device)
        # processes that are started share the memory of what they get
        self.model = copied(model).to(fabric.device)
        if len(data.shape) == 3:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.raw: nn.Module = self.model  # for attacks, which go round DDP
        if self.config.compile:
            mode = "reduce-overhead" if self.config.cuda_graphs else None
            self.raw = torch.compile(self.model, mode=mode)  # type: ignore[assignment] # a module, which the stubs do not say
        self.plain = make_optimizer(self.config, self.model, state)
        self.forward, self.optimizer = fabric.setup(self.raw, self.plain)
        self.attack, self.loss = (
            Attack.parse(self.config.attack),
            inspect.unwrap(LOSSES[self.config.loss]),
        )
        self.dtype = torch.float64 if self.config.precision == "float64" else torch.float32
        self.latest: dict[str, float | None] = {}
        self.done = len(run.epochs) * self.batches

    def run_all(self) -> None:
        """The epochs that are left, and the measurement at the end."""
        run, config, parts = self.run, self.config, ("train", "test")
        few = {part: self.choose(part) for part in parts}
        if self.held is not None:
            few["validation"] = self.held.test_points, self.held.test_labels
        for epoch in range(len(run.epochs) + 1, config.epochs + 1):
            if self.collapsed():
                break
            began = time.perf_counter()
            line = self.epoch(epoch)
            for part, sample in few.items():
                line[part] = self.measure(
                    *sample, config.eval_attack, f"measuring {part}", self.fabric.autocast
                )
            line["seconds"] = time.perf_counter() - began
            if self.fabric.is_global_zero:
                run.save(line, self.model.state_dict(), optimizer_tensors(self.plain))
                write_scalars(run)
            else:
                run.epochs.append(line)
            self.latest |= {name: line["test"][name] for name in ("accuracy", "robust_accuracy")}
        began, data, attack = time.perf_counter(), self.data, config.final_attack
        epoch, stopped = len(run.epochs), self.collapsed()
        if stopped:  # take the network from before
            epoch = max(1, epoch - 1)
            self.take(epoch)
        final: dict[str, Any] = {"epoch": epoch, "stopped": stopped}
        final["train"] = self.measure(
            data.train_points, data.train_labels, "clean", "measuring all of train"
        )
        final["train_sample"] = self.measure(*few["train"], attack, "measuring a sample of train")
        for name, of in {"test": epoch, "best_test": run.best}.items():
            if of is not None:
                if of != epoch:
                    self.take(of)
                found = final.get("test") if of == epoch else None
                final[name] = found or self.measure(
                    data.test_points, data.test_labels, attack, "measuring all of test"
                )
        if run.best is not None:
            final["best_epoch"] = run.best
        if self.fabric.is_global_zero:
            run.finish({**final, "seconds": time.perf_counter() - began})
        self.fabric.barrier()

    def take(self, epoch: int) -> None:
        """Give the model the weights that it had after an epoch."""
        weights = self.run.weights(epoch) if self.fabric.is_global_zero else {}
        self.model.load_state_dict(self.fabric.broadcast(weights))

    def collapsed(self) -> str | None:
        """Why to stop after the last epoch, if there is a reason."""
        robust = [line["train"]["robust_accuracy"] for line in self.run.epochs]
        if not (self.config.stop_at_collapse and self.config.radius and robust) or None in robust:
            return None
        most, now, points = max(robust), robust[-1], self.run.epochs[-1]["train"]["points"]
        chance = 2 * math.sqrt((most * (1 - most) + now * (1 - now)) / points)
        if most - now <= COLLAPSE + chance:
            return None
        fall = f"from {most:.3f} to {now:.3f}"
        return (
            f"catastrophic overfitting: robust training accuracy fell {fall} in epoch {len(robust)}"
        )

    def epoch(self, number: int) -> dict[str, Any]:
        """Train for one epoch; its metrics."""
        device = self.fabric.device
        # for dropout and the like
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(
                stream(self.config.seed, f"model {self.fabric.global_rank}", number).initial_seed()
            )
            line = self.steps(number)
        for buffer in self.model.buffers():  # running statistics of the first process
            if self.fabric.world_size > 1:
                buffer.copy_(self.fabric.broadcast(buffer))
        return line

    def steps(self, number: int) -> dict[str, Any]:
        """All steps of an epoch."""
        config, device = self.config, self.fabric.device
        noise, shifts = (
            stream(config.seed, name, number, device) for name in ("noise", "augmentation")
        )
        order = torch.randperm(
            len(self.data.train_points), generator=stream(config.seed, "order", number)
        ).to(device)
        # losses, errors and what is finite if the attack was, of each step
        sums = torch.zeros(3, self.batches, dtype=torch.float64, device=device)
        batches = order.tensor_split(self.batches)
        self.model.train()
        for k, index in enumerate(batches):
            done = (number - 1) * self.batches + k
            for group in self.plain.param_groups:
                group["lr"] = config.learning_rate_at((done + 0.5) / (config.epochs * self.batches))
            x, y = self.data.train_points[index], self.data.train_labels[index]
            x = as_float(augment(x, shifts) if config.augment else x, self.dtype)
            # of the whole batch, however it is shared
            start = config.ball.sample(x, noise) if config.radius else x
            share = slice(self.fabric.global_rank, None, self.fabric.world_size)
            sums[:, k] = self.step(x[share], y[share], start[share], len(index))
            if (k + 1) % CHECK_EVERY == 0 or k + 1 == self.batches:
                first = k // CHECK_EVERY * CHECK_EVERY
                losses, _, attacks = self.total(sums[:, first : k + 1])
                self.check(number, first, losses, attacks)
                self.latest["loss"] = float(losses.sum()) / sum(map(len, batches[first : k + 1]))
            self.done = done + 1
            self.tell(f"epoch {number} of {config.epochs}")
        means = self.total(sums).sum(1) / len(order)
        training = {"loss": float(means[0]), "accuracy": 1 - float(means[1])}
        return {
            "epoch": number,
            "learning_rate": config.learning_rate_at(number / config.epochs),
            "training": training,
        }

    def step(self, x: Points, y: Labels, start: Points, count: int) -> torch.Tensor:
        """One attack and one step of the optimizer on this process's share of `count` points; sums
        of losses and errors, and what is finite if the attack was.
        """
        config = self.config
        if len(self.data.shape) == 3:
            x, start = (t.contiguous(memory_format=torch.channels_last) for t in (x, start))
        weight = 0.5 if config.objective == "trades" else config.robust_weight
        both = config.radius > 0 and 0 < weight < 1
        with self.fabric.autocast():
            attacked, check = x, x.new_zeros((), dtype=torch.float64)
            if config.radius and weight and len(x):
                attacked, check = self.attacked(x, y, start)
            outputs = self.forward(torch.cat([x, attacked]) if both else attacked)
            clean, robust = outputs.split(len(x)) if both else (outputs, outputs)
            losses = self.loss(clean, y)
            if both and config.objective == "trades":
                losses = losses + config.trades_beta * divergence(clean, robust)
            elif both:
                losses = mixed(losses, self.loss(robust, y), weight)
            if config.radius and config.objective == "intervals":
                worst = bounded_outputs(self.model, x, y, config.ball).to(self.dtype)
                losses = mixed(losses, self.loss(worst, y), config.interval_weight)
        self.optimizer.zero_grad()
        self.fabric.backward(losses.sum() * (self.fabric.world_size / count))
        if config.clip is not None:
            self.fabric.clip_gradients(
                self.forward, self.optimizer, max_norm=config.clip, error_if_nonfinite=False
            )
        self.optimizer.step()
        return torch.stack(
            [
                losses.detach().double().sum(),
                inspect.unwrap(is_error)(robust.detach(), y).double().sum(),
                check,
            ]
        )

    def attacked(self, x: Points, y: Labels, start: Points) -> tuple[Points, torch.Tensor]:
        """The points that the training attack finds from `start`, and a number that is finite if
        its objectives and gradients were.

        A part of training: unlike in `pgd` as users call it, dropout draws on from the global
        generator, so that the step after the attack sees another mask. Statistics stay, by
        `batch_norm`.
        """
        config = self.config
        with batch_norm(self.model, config.batch_norm):
            objective = self.loss
            if config.objective == "trades":
                with torch.no_grad():
                    clean = self.raw(x).to(self.dtype)
                objective = lambda outputs, _: divergence(clean, outputs)  # noqa: E731
            found, checks = ascend(
                *(self.raw, x, y, config.ball, objective),
                steps=self.attack.steps,
                step=config.step_size or self.attack.step_size(config.ball),
                start=start,
            )
            return found, torch.stack([check for _, _, check in checks]).double().sum()

    def choose(self, part: str) -> tuple[Points, Labels]:
        """The training or test points, and their labels, that are measured after every epoch."""
        points, labels = (getattr(self.data, f"{part}_{kind}") for kind in ("points", "labels"))
        order = torch.randperm(
            len(points), generator=stream(self.config.seed, f"measured {part}", 0)
        )
        index = order[: self.config.eval_points].to(points.device)
        return points[index], labels[index]

    def measure(
        self,
        points: Points,
        labels: Labels,
        attack: str,
        stage: str,
        autocast: Any = nullcontext,
    ) -> dict[str, Any]:
        """Evaluate the model, all processes together; float32 unless `autocast` says otherwise."""
        sums = evaluate_share(
            self.model,
            points,
            labels,
            self.config.ball,
            attack,
            loss=self.config.loss,
            seed=self.config.seed,
            share=(self.fabric.global_rank, self.fabric.world_size),
            autocast=autocast,
            report=lambda told: self.tell(f"{stage}, {told.done} of {told.total}"),
        )
        return asdict(summary(self.total(sums), len(points), attack))

    def total(self, sums: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, on the CPU."""
        found = self.fabric.all_reduce(sums.to(self.fabric.device, copy=True), reduce_op="sum")
        assert isinstance(found, torch.Tensor)
        return found.cpu()

    def check(self, epoch: int, first: int, losses: torch.Tensor, attacks: torch.Tensor) -> None:
        """Raise FloatingPointError if one of an epoch's losses or attacks, from those of step
        `first` on, is not finite.
        """
        bad = (~torch.isfinite(losses + attacks)).nonzero()
        if len(bad):
            k = int(bad[0])
            kept = (
                f"the checkpoint of epoch {epoch - 1} is kept"
                if epoch > 1
                else "there is no checkpoint yet"
            )
            what = (
                f"loss became {float(losses[k])}"
                if math.isfinite(attacks[k])
                else "attack's objective or gradient became NaN or infinite"
            )
            raise FloatingPointError(f"the {what} in step {first + k + 1} of epoch {epoch}; {kept}")

    def tell(self, stage: str) -> None:
        """Report progress, from the first process."""
        if self.fabric.is_global_zero:
            self.report(
                TrainingProgress(stage, self.done, self.config.epochs * self.batches, **self.latest)
            )


def write_scalars(run: Run) -> None:
    """Add the last epoch's metrics to the run's `tensorboard` folder, if TensorBoard is there."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return
    line = run.epochs[-1]
    with SummaryWriter(str(run.folder / "tensorboard"), purge_step=line["epoch"]) as writer:
        for part in ("training", "train", "test", "validation"):
            for name, value in line.get(part, {}).items():
                if isinstance(value, float):
                    writer.add_scalar(f"{part}/{name}", value, line["epoch"])


def make_optimizer(
    config: TrainingConfig, model: nn.Module, state: dict[str, torch.Tensor] | None
) -> torch.optim.Optimizer:
    """The optimizer, in the state that `optimizer_tensors` gave; on a CPU, too, all tensors go
    through one call an operation.
    """
    optimizer: torch.optim.Optimizer
    if config.optimizer == "sgd":
        optimizer = torch.optim.SGD(
            model.parameters(),
            config.learning_rate,
            momentum=0.9,
            weight_decay=config.weight_decay,
            foreach=True,
        )
    else:
        optimizer = torch.optim.Adam(
            model.parameters(),
            config.learning_rate,
            weight_decay=config.weight_decay,
            foreach=True,
        )
    if state is not None:
        entries: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in state.items():
            index, key = name.split(".")
            entries.setdefault(int(index), {})[key] = tensor
        optimizer.load_state_dict(
            {"state": entries, "param_groups": optimizer.state_dict()["param_groups"]}
        )
    return optimizer


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The state of an optimizer by parameter and name; settings are in the configuration."""
    entries = optimizer.state_dict()["state"]
    return {
        f"{index}.{key}": value for index, entry in entries.items() for key, value in entry.items()
    }
