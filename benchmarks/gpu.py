"""What a GPU gives: the same values as the CPU, resumed runs, seconds beside their floor.

Not run on a GPU yet.

    [CGRO_DATA=FOLDER] python benchmarks/gpu.py --out FOLDER [--minutes 9]
    python benchmarks/gpu.py --out FOLDER --dry-run     every stage, tiny, on the CPU

Stages: values (GPU beside CPU, float32 and float64, and bfloat16), resume (a training process is
killed), training (seconds an epoch beside the FLOP floor), memorizer (f_S of MNIST; needs
CGRO_DATA), bounds (a batch of interval bounds, a flatness profile). Each is kept in FOLDER when it
ends, as a whole, with what it raised if it failed; the rest go on, and a second call takes those
that are kept and did not fail. Prints a table, and last one line of JSON. Uses no network.

The floor of an epoch is the time that its operations take at the speed of the product of two square
matrices, measured in the same precision. A step of PGD-K counts as 2 K + 3 forward passes, as the
gradient in the inputs, and that in the weights, each cost one; convolutions and products only.
Whole, because the stages share what a device and a budget are.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from analysis import agreement, flatness_profile
from constructions import Ball, f_S
from constructions.internal import write_file
from training import Dataset, Run, TrainingConfig, build_model, load_data, pgd, train, worst_outputs
from training.attacks.objectives import classification_loss
from training.trainer.worker import Worker, make_fabric

SHAPES = {"lenet5": ((1, 28, 28), 60_000, 0.1), "resnet9": ((3, 32, 32), 50_000, 8 / 255)}
ATTACKS = ("fgsm", "pgd7", "pgd10")
APART = {"inf": 0.7372, "2": 2.3987}
"""Separations of MNIST's classes, rounded down (see scale.py)."""

EPOCHS = 60
"""Of the run that is killed after its first: more than end while somebody looks."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """Where and how large, and until when (on the clock of `time.monotonic`)."""

    device: torch.device
    dry: bool
    out: Path
    until: float

    def left(self) -> float:
        return self.until - time.monotonic()

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def seconds(self, run: Callable[[], object], most: float = 5.0) -> float:
        """The median time of a call, after one to warm up, repeated for some seconds."""
        run()
        self.wait()
        times: list[float] = []
        while len(times) < 2 or (sum(times) < (0.2 if self.dry else most) and len(times) < 20):
            start = time.perf_counter()
            run()
            self.wait()
            times.append(time.perf_counter() - start)
        return statistics.median(times)


def network(name: str, bench: Bench) -> torch.nn.Module:
    width = 0.1 if bench.dry else 1.0
    return build_model(name, SHAPES[name][0], 10, width=width)


# -- stages ----------------------------------------------------------------------------------------


def values(bench: Bench) -> list[Row]:
    """Outputs, attacks and measurements on the device beside those on the CPU."""
    rows = []
    for name, (shape, _, radius) in SHAPES.items():
        x = torch.rand(16 if bench.dry else 128, *shape)
        y, ball = torch.arange(len(x)) % 10, Ball("inf", radius)
        for precision in ("float32", "float64", "bfloat16"):
            dtype = torch.float64 if precision == "float64" else torch.float32
            model = network(name, bench).to(dtype).eval()
            found: dict[str, list[torch.Tensor]] = {"outputs": [], "loss under PGD-5": []}
            for place in (torch.device("cpu"), bench.device):
                low = precision == "bfloat16" and place == bench.device
                moved, points, labels = model.to(place), x.to(place, dtype), y.to(place)
                with torch.autocast(place.type, torch.bfloat16) if low else nullcontext():
                    attacked = pgd(
                        *(moved, points, labels, ball, classification_loss),
                        steps=5,
                        random_start=False,
                        keep="last",
                    )
                    with torch.no_grad():
                        outputs, after = moved(points).double(), moved(attacked).double()
                found["outputs"].append(outputs.cpu())
                found["loss under PGD-5"].append(classification_loss(after, labels).cpu())
            limit = {"float32": 1e-3, "float64": 1e-6, "bfloat16": 0.1}[precision]
            for what, (here, there) in found.items():
                gap = float((here - there).abs().max() / here.abs().max())
                rows.append(
                    {
                        "what": f"{name}, {precision}: {what}",
                        "largest relative difference": gap,
                        "limit": limit,
                        "holds": gap <= limit,
                    }
                )
        model = network(name, bench).to(bench.device)
        same = agreement(model, network(name, bench), x).value
        rows.append({"what": f"{name}: agreement", "share": same, "holds": same == 1.0})
    return rows


def resume(bench: Bench) -> list[Row]:
    """A run that is killed after an epoch and resumed, beside one that is not."""
    with tempfile.TemporaryDirectory() as folder:
        whole, part = Path(folder, "whole"), Path(folder, "part")
        config = resumed_config(bench.device.type, EPOCHS)
        threads = str(torch.get_num_threads())  # sums in another order are other sums
        command = [sys.executable, __file__, "--train-into", str(part), bench.device.type, threads]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        start = time.monotonic()
        try:
            while process.poll() is None and not checkpoints(part):
                if time.monotonic() - start > 120:
                    raise TimeoutError("no checkpoint after 120 s")
                time.sleep(0.01)
        finally:
            process.kill()
            process.wait()
        kept = len(Run.load(part).epochs)
        if not 0 < kept < config.epochs:
            raise RuntimeError(f"killed after {kept} of {config.epochs} epochs: nothing to resume")
        again, one = train(config, part, resume=True), train(config, whole)
        gaps = [
            float((value - one.weights()[name]).abs().max())
            for name, value in again.weights().items()
        ]
        limit = 0.0 if bench.device.type == "cpu" else 1e-2
        return [
            {
                "what": f"killed after {kept} of {config.epochs} epochs: weights",
                "largest difference": max(gaps),
                "limit": limit,
                "holds": max(gaps) <= limit,
            }
        ]


def checkpoints(folder: Path) -> int:
    """Finished epochs of a run that another process writes."""
    try:
        return len(Run.load(folder).epochs)
    except (OSError, ValueError, KeyError):
        return 0


def resumed_config(device: str, epochs: int) -> TrainingConfig:
    return TrainingConfig(
        train_points=256,
        test_points=64,
        hidden=(32,),
        radius=0.05,
        attack="pgd2",
        epochs=epochs,
        device=device,
        eval_attack="clean",
        final_attack="pgd2",
        stop_at_collapse=False,
        keep=epochs,
    )


def training(bench: Bench) -> list[Row]:
    """Seconds an epoch, of some of its steps, beside the floor."""
    rows, peaks = [], {name: peak(bench, name) for name in ("float32", "bfloat16")}
    for name, (shape, points, radius) in SHAPES.items():
        for attack in ATTACKS:
            for precision in ("float32", "bfloat16"):
                if bench.left() < 20:
                    raise TimeoutError(f"no time left for {name}, {attack}: {len(rows)} rows done")
                if bench.device.type == "cpu" and precision == "bfloat16":
                    continue  # which processors may emulate
                size = 8 if bench.dry else 128
                batches = 2 if bench.dry else 40
                images = torch.randint(0, 256, (size * batches, *shape), dtype=torch.uint8)
                labels = torch.arange(len(images)) % 10
                data = Dataset.from_tensors(images, labels, images[:10], labels[:10])
                config = TrainingConfig(
                    model=name,
                    radius=radius,
                    attack=attack,
                    batch_size=size,
                    precision=precision,
                    device=bench.device.type,
                )
                run = Run(bench.out, config, {}, [], None)
                state = (make_fabric(config), run, data, network(name, bench), None, batches)
                worker = Worker(*state, lambda _: None)
                taken = bench.seconds(lambda worker=worker: worker.steps(1)) / batches
                with FlopCounterMode(display=False) as counter, torch.no_grad():
                    worker.model(torch.rand(size, *shape, device=bench.device))
                flops = counter.get_total_flops() * (2 * worker.attack.steps + 3)
                steps = points / size
                rows.append(
                    {
                        "what": f"{name}, {attack}, {precision}, batches of {size}",
                        "seconds an epoch": taken * steps,
                        "floor": flops / peaks[precision] * steps,
                        "times the floor": taken / (flops / peaks[precision]),
                    }
                )
    return rows


def peak(bench: Bench, precision: str) -> float:
    """Floating-point operations a second of the product of two square matrices."""
    size = 256 if bench.dry else 8192
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a = torch.rand(size, size, device=bench.device).to(dtype)
    return 2 * size**3 / bench.seconds(lambda: a @ a, 2.0)


def memorizer(bench: Bench) -> list[Row]:
    """f_S of all training images at all test images: seconds, and values beside the CPU's."""
    if not bench.dry and "CGRO_DATA" not in os.environ:
        raise LookupError("CGRO_DATA is unset: no MNIST on this machine")
    data = load_data("digits" if bench.dry else "mnist", "classes").flat(torch.float32)
    rows = []
    for p, radius in (("inf", 0.1), (2, 0.3 if bench.dry else 1.0)):
        clean = build_model("mlp", data.shape, 10, hidden=(64, 64))
        apart = None if bench.dry else APART[str(p)]
        f = f_S(clean, data.train_points, data.train_labels, Ball(p, radius), separation=apart)
        x = data.test_points.to(bench.device)
        with torch.no_grad():
            taken = bench.seconds(lambda f=f, x=x: f(x))
            gap = float((f(x[:200]).cpu() - f(data.test_points[:200])).abs().max())
        centres, points = len(data.train_points), len(x)
        rows.append(
            {
                "what": f"f_S, l_{p} {radius}, {points:,} points, {centres:,} centres",
                "seconds": taken,
                "largest difference": gap,
                "limit": 1e-3,
                "holds": gap <= 1e-3,
            }
        )
    return rows


def bounds(bench: Bench) -> list[Row]:
    """Interval bounds of a batch of balls, and a flatness profile."""
    model = network("lenet5", bench)
    strided = build_model("strided", (1, 28, 28), 10, width=0.1 if bench.dry else 1.0)
    x = torch.rand(32 if bench.dry else 2000, 1, 28, 28)
    y, ball = torch.arange(len(x)) % 10, Ball("inf", 0.1)
    with torch.no_grad():
        here = worst_outputs(strided, x, y, ball)
        strided, points, labels = strided.to(bench.device), x.to(bench.device), y.to(bench.device)
        there = worst_outputs(strided, points, labels, ball).cpu()
        taken = bench.seconds(lambda: worst_outputs(strided, points, labels, ball))
    gap = float((here - there).abs().max() / here.abs().max())
    model, few = model.to(bench.device), 4 if bench.dry else 512
    profile = bench.seconds(
        lambda: flatness_profile(model, points[:few], labels[:few], ball, [0.0, 0.05, 0.1], steps=8)
    )
    return [
        {
            "what": f"interval bounds, strided, {len(x)} balls",
            "seconds": taken,
            "largest relative difference": gap,
            "limit": 1e-3,
            "holds": gap <= 1e-3,
        },
        {"what": f"flatness profile, lenet5, {few} points, 3 radii", "seconds": profile},
    ]


STAGES = (values, resume, training, memorizer, bounds)


# -- all of them -----------------------------------------------------------------------------------


def hardware(device: torch.device, dry: bool) -> Row:
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        "figures": (
            "DRY RUN: toy sizes on a CPU, no figure of a GPU" if dry else f"of {device.type}"
        ),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "numpy": np.__version__,
        "threads": torch.get_num_threads(),
    }


def measured(stage: Callable[[Bench], list[Row]], bench: Bench, machine: Row) -> Row:
    """A stage's rows or its error, kept in a file; what is kept of the same machine comes back."""
    path = bench.out / f"{stage.__name__}{'-dry' if bench.dry else ''}.json"
    if path.exists():
        kept: Row = json.loads(path.read_text())
        if kept["machine"] == machine and not kept["error"]:
            return kept | {"kept": True}
    start, rows, error = time.monotonic(), [], ""
    try:
        if bench.left() < 0:
            raise TimeoutError("no time left")
        torch.manual_seed(0)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            rows = stage(bench)
    except Exception as raised:  # a stage that fails must not end the others
        error = f"{type(raised).__name__}: {raised}"
        traceback.print_exc(file=sys.stderr)
    found = {"machine": machine, "rows": rows, "error": error, "seconds": time.monotonic() - start}
    write_file(path, json.dumps(found))
    return found


def show(machine: Row, stages: dict[str, Row]) -> None:
    table = Table(title=", ".join(f"{key} {value}" for key, value in machine.items() if value))
    for name in ("stage", "what", "measured"):
        table.add_column(name, overflow="fold")
    for name, found in stages.items():
        for row in found["rows"]:
            told = [f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()]
            table.add_row(name, row["what"], ", ".join(told[1:]))
        if found["error"]:
            table.add_row(name, "FAILED", found["error"])
    Console(width=160).print(table)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("results/gpu"), metavar="FOLDER")
    parser.add_argument("--minutes", type=float, default=9.0, help="stop after so many")
    parser.add_argument("--dry-run", action="store_true", help="toy sizes, on the CPU")
    parser.add_argument("--train-into", nargs=3, metavar=("FOLDER", "DEVICE", "THREADS"))
    options = parser.parse_args(arguments)
    if options.train_into:
        folder, device, threads = options.train_into
        torch.set_num_threads(int(threads))
        train(resumed_config(device, EPOCHS), folder)
        return 0
    if not options.dry_run and not torch.cuda.is_available():
        parser.error("PyTorch finds no GPU: --dry-run runs every stage on the CPU, at toy size")
    device = torch.device("cpu" if options.dry_run else "cuda")
    options.out.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60 * options.minutes
    bench = Bench(device, options.dry_run, options.out, until)
    machine = hardware(device, options.dry_run)
    found = {stage.__name__: measured(stage, bench, machine) for stage in STAGES}
    show(machine, found)
    print(json.dumps({"machine": machine, "stages": found}))
    wrong = any(not row.get("holds", True) for part in found.values() for row in part["rows"])
    return int(wrong or any(part["error"] for part in found.values()))


if __name__ == "__main__":
    sys.exit(main())
