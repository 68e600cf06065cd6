"""`train`: checks, the processes, and the run's folder; what each process does is in worker.py.

Whole, because it is what one call does before and after its processes.
"""

from __future__ import annotations

import ast
import platform
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.multiprocessing.spawn import ProcessRaisedException

from constructions.internal import as_float, check_labels

from ..attacks.autoattack import import_autoattack
from ..attacks.batch_norm import BATCH_NORM
from ..attacks.intervals import read_layers
from ..datasets.dataset import Dataset, load_data
from ..datasets.reading import check_differentiable, differentiating, read_outputs, unchanged
from .config import TrainingConfig
from .run import Run, chosen, data_facts, model_for, same_data
from .worker import TrainingProgress, make_fabric, work

Report = Callable[[TrainingProgress], None]


@differentiating
def train(
    config: TrainingConfig,
    folder: str | PathLike[str],
    *,
    data: Dataset | None = None,
    model: nn.Module | None = None,
    resume: bool = False,
    report: Report = lambda _: None,
) -> Run:
    """Train a network as configured and keep everything in a folder.

    `train(...).model()` is the network. The order of points, augmentation and attack noise depend
    on seed, epoch and step alone. Attacks start at uniformly random points of the balls, take
    gradients with respect to the input only, and leave running statistics alone. On a CPU, with as
    many threads, an interrupted and resumed run gives bit for bit what an uninterrupted one does.
    Without batch normalisation, whose statistics are those of a process's share of a batch, the
    result depends on the number of processes by the order of sums only.

    If batch normalisation cannot be trained on one point, no process gets a batch of one: batches
    are fewer where this asks for it, and some larger than batch_size. Processes run the calling
    script again, so with devices > 1 the call must stand under `if __name__ == "__main__":` there.

    On a GPU, data and model are copied there once. A training step copies nothing between host and
    device, and the host waits for none but each 32nd (and the last of an epoch), whose losses it
    reads; an epoch copies its order of points. So an attack or a loss that is not finite is seen up
    to 31 steps later, and names its own step.

    A run that stops because robust training accuracy collapsed ends with the network of the epoch
    before. KeyboardInterrupt leaves the checkpoints of all finished epochs.

    Args:
        config: the settings.
        folder: where the run is kept; it must hold none, unless to resume.
        data: instead of config.data.
        model: instead of config.model; its weights are trained in place, too.
        resume: go on with the run in the folder from its last undamaged checkpoint (start, if there
            is none).
        report: called with a `TrainingProgress` after every step.

    Returns:
        The `Run`.

    Raises:
        ValueError: for empty data, batch_size > N, labels or shapes that do not fit; for objective
            "intervals", if they do not go through the model; to resume, for another configuration
            or other data; for a device that is absent, or what `compile` needs.
        TypeError: for a model that gives no tensor.
        FileExistsError: if the folder holds a run and this is not to resume.
        FloatingPointError: for a loss that is not finite, naming the step; the last checkpoint
            stays.

    Example:
        >>> import tempfile
        >>> config = TrainingConfig(
        ...     task="parity", hidden=(32,), epochs=3, radius=0.05, final_attack="pgd10"
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = train(config, folder)
        ...     run.status, run.final["test"]["points"], run.final["test"]["robust_accuracy"] > 0.5
        ('finished', 360, True)
    """
    # Whole, because it is one call: checks in the order in which they cost, processes, the run.
    for name, value, kind in (
        ("config", config, TrainingConfig),
        ("data", data, Dataset),
        ("model", model, nn.Module),
    ):
        if not isinstance(value, kind) and not (value is None and name != "config"):
            raise TypeError(f"{name} must be a {kind.__name__}, got {type(value).__name__}")
    if config.devices > 1:
        check_guard(config.devices)
    if "autoattack" in (config.eval_attack, config.final_attack):
        import_autoattack()
    if model is not None:
        config = replace(config, model="custom")
    elif config.model == "custom":
        raise ValueError("model must be given for a configuration with model 'custom'")
    fabric = make_fabric(config)
    folder = Path(folder)
    if not resume and (folder / "config.json").exists():
        raise FileExistsError(
            f"{folder} holds a run already: resume it (resume=True, --resume), or name another "
            f"folder"
        )
    data, held = read_data(config, data)
    facts, count = data_facts(data, held), len(data.train_points)
    given = (
        model_for(config, data.shape, data.outputs, facts["mean"], facts["std"])
        if model is None
        else model
    )
    least = check_outputs(given, data) * config.devices
    if config.batch_size < least:
        raise ValueError(
            f"batch_size must be at least {least} for a model with batch normalisation, which "
            f"needs two points a process, got {config.batch_size}"
        )
    if config.objective == "intervals":
        read_layers(given)
    batches = -(-count // config.batch_size)
    if least > config.devices:
        batches = min(batches, count // least)
    model = given.double() if config.precision == "float64" else given.float()
    run, state = begin(folder, config, facts)
    if run.final is None:
        if run.epochs:
            model.load_state_dict(run.weights())
        try:
            with relay(report) if config.devices > 1 else nullcontext(report) as told:
                fabric.launch(
                    partial(
                        work,
                        run=run,
                        data=data,
                        held=held,
                        model=model,
                        state=state,
                        batches=batches,
                        report=told,
                    )
                )
        except ProcessRaisedException as error:  # of one of several processes
            name, _, text = error.msg.strip().splitlines()[-1].partition(": ")
            kinds = {kind.__name__: kind for kind in (FloatingPointError, OSError, ValueError)}
            raise kinds.get(name, RuntimeError)(text) from error
        run = Run.load(folder)
    run.model(into=model)
    return run


def read_data(config: TrainingConfig, data: Dataset | None) -> tuple[Dataset, Dataset | None]:
    """The points that a run is about, and those held out as `chosen` gives them, with labels as
    int64; raises ValueError where the configuration's batches do not fit.
    """
    if data is None:
        data = load_data(
            config.data, config.task, config.seed, root=config.root, download=config.download
        )
    data, held = chosen(data, config)
    if config.batch_size < config.devices:
        raise ValueError(
            f"batch_size must be at least the number of processes {config.devices}, got "
            f"{config.batch_size}"
        )
    if config.batch_size > len(data.train_points):
        raise ValueError(
            f"batch_size must be at most the number of points {len(data.train_points)}, got "
            f"{config.batch_size}"
        )
    return checked(data), held and checked(held)


def checked(data: Dataset) -> Dataset:
    """The same with labels as int64; raises ValueError for labels that do not fit."""
    train_labels = check_labels(data.train_labels, len(data.train_points), data.outputs)
    test_labels = check_labels(data.test_labels, len(data.test_points), data.outputs)
    return replace(data, train_labels=train_labels, test_labels=test_labels)


def begin(
    folder: Path, config: TrainingConfig, facts: dict[str, Any]
) -> tuple[Run, dict[str, torch.Tensor] | None]:
    """A new run, or the one in the folder, set back to its last good checkpoint; with the state of
    its optimizer.
    """
    if not (folder / "config.json").exists():
        versions = {"python": platform.python_version(), "torch": torch.__version__}
        gpu = torch.cuda.get_device_name() if config.accelerator == "cuda" else None
        machine = {
            "processor": platform.machine(),
            "device": gpu or "cpu",
            "threads": torch.get_num_threads(),
        }
        return Run.create(
            folder, config, {"versions": versions, "machine": machine, "data": facts}
        ), None
    run, new = Run.load(folder), config.to_json()
    old = {
        name: value
        for name, value in run.config.to_json().items()
        if name not in ("root", "download", "device")
    }
    differing = [
        f"{name} ({value!r}, now {new[name]!r})"
        for name, value in old.items()
        if new[name] != value
    ]
    if differing:
        raise ValueError(f"{folder} was begun with other values: {', '.join(differing)}")
    if not same_data(run.about["data"], facts):
        raise ValueError(f"{folder} was begun on other data")
    run.config = config
    return run, run.rewind() if run.final is None else None


def check_outputs(model: nn.Module, data: Dataset) -> int:
    """Raise ValueError or TypeError unless the model reads the data's points and gives as many
    outputs as there are labels.

    The least number of points that it can be trained on: 2 if batch normalisation would have one
    number a channel, else 1.
    """
    count = min(2, len(data.train_points))
    parameter = next((p for p in model.parameters() if p.requires_grad), None)
    if parameter is None:
        raise ValueError("model must have parameters that require gradients")
    check_differentiable(model)
    x = as_float(data.train_points[:count], parameter.dtype).to(parameter)
    try:
        with unchanged(model, evaluating=True), torch.no_grad():
            found = tuple(read_outputs(model(x)).shape)
    except RuntimeError as error:
        raise ValueError(f"model must read points of shape {tuple(data.shape)}: {error}") from error
    if found != (count, data.outputs):
        advice = ""
        if found == (count, 1) and data.outputs == 2:
            advice = (
                ": labels 0 and 1 are for two outputs; for one output use -1/+1, such as "
                "2 * labels - 1"
            )
        elif found == (count, 2) and data.outputs == 1:
            advice = (
                ": labels -1 and +1 are for one output; for two outputs use 0/1, such as "
                "(labels + 1) // 2"
            )
        raise ValueError(
            f"model must give outputs of shape {(count, data.outputs)} for {count} points, got "
            f"{found}{advice}"
        )
    if any(isinstance(module, BATCH_NORM) for module in model.modules()):
        try:
            with unchanged(model), torch.no_grad():
                model.train()(x[:1])
        except ValueError:
            return 2
    return 1


def check_guard(devices: int) -> None:
    """Raise ValueError where processes would run the calling script again: outside of `if __name__
    == "__main__":`.
    """
    main = sys.modules["__main__"]
    path, spec = getattr(main, "__file__", None), getattr(main, "__spec__", None)
    if (
        path is None
        or not Path(path).is_file()
        or (spec is not None and spec.name.endswith("__main__"))
    ):
        return  # nothing that would be run again
    frames = [
        f
        for f, _ in traceback.walk_stack(None)
        if f.f_globals is vars(main) and f.f_code.co_name == "<module>"
    ]
    lines = [f.f_lineno for f in frames if Path(f.f_code.co_filename).name == Path(path).name]
    try:
        tests = [
            node
            for node in ast.walk(ast.parse(Path(path).read_bytes()))
            if isinstance(node, ast.If)
        ]
    except (SyntaxError, ValueError):  # no source
        return
    guards = [node for node in tests if "__name__" in ast.unparse(node.test)]
    if not all(
        any(node.lineno <= line <= (node.end_lineno or 0) for node in guards) for line in lines
    ):
        raise ValueError(
            f'devices must be 1 unless train is called under `if __name__ == "__main__":`, as each '
            f"process runs {path} again, "
            f"got {devices}: put the script's last lines under it"
        )


@contextmanager
def relay(report: Report) -> Iterator[Report]:
    """What calls `report` in this process when it is called in another one; what it raises is
    raised at the end.
    """
    receiver, sender = torch.multiprocessing.get_context("spawn").Pipe(duplex=False)
    ended, errors = threading.Event(), list[BaseException]()

    def listen() -> None:
        try:
            while not ended.is_set() or receiver.poll():
                if receiver.poll(0.1):
                    progress = receiver.recv()
                    try:
                        if not errors:
                            report(progress)
                    except BaseException as error:
                        errors.append(error)
        except (EOFError, OSError):  # all processes are gone
            pass

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield sender.send
    finally:
        ended.set()
        sender.close()
        listener.join()
    if errors:
        raise errors[0]
