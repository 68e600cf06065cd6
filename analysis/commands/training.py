"""The commands `cgro train` and `cgro evaluate`.

Whole, because the two share how a run is printed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import constructions
import training
from training import TrainingConfig, read_toml

from .options import add_options, check_data, check_radius, check_run, given

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from constructions import Ball, ReLUNetwork
    from training import Run

    from ..behaviour.errors import RobustError

    Labelled = tuple[Any, Any]


def add_training_commands(commands: Any) -> None:
    """Add the two commands to a parser's subparsers."""
    command = commands.add_parser(
        "train", help="train a network, clean or adversarially, into a folder that can be resumed"
    )
    add_configuration(command)
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the run (default: runs/ and a name)"
    )
    command.add_argument(
        "--resume", type=Path, metavar="RUN", help="go on with a run, as it was configured"
    )
    command.add_argument("--json", action="store_true", help="print the metrics as JSON")
    command.set_defaults(run=run_train)

    command = commands.add_parser("evaluate", help="clean and robust accuracy of a run's network")
    command.add_argument("folder", type=Path, metavar="RUN", help="folder of the run")
    command.add_argument(
        "--attack", default="pgd50x10", help="clean, fgsm, pgdK, pgdKxR (R restarts), autoattack"
    )
    command.add_argument(
        "--norm", choices=["inf", "2"], help="norm of the perturbations (default: the run's)"
    )
    command.add_argument(
        "--radius", type=float, metavar="R", help="radius of the perturbations (default: the run's)"
    )
    command.add_argument(
        "--epoch",
        type=int,
        metavar="E",
        help="after which epoch (default: that measured at the end)",
    )
    command.add_argument("--part", default="test", choices=["test", "train"], help="of the data")
    command.add_argument("--points", type=int, metavar="N", help="only the first N points")
    command.add_argument(
        "--certify",
        type=float,
        metavar="SECONDS",
        help="decide in this time how many balls hold an error, too; proofs are kept in the run's "
        "folder, and a later call goes on from them",
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=run_evaluate)


def add_configuration(
    command: argparse.ArgumentParser, known: str = "mnist-lenet5, cifar10-resnet9"
) -> None:
    """One option for each entry of `TrainingConfig`, and --config."""
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"TOML file with such entries, or {known}; options win",
    )
    add_options(command, TrainingConfig)


def read_configuration(
    options: argparse.Namespace, written: dict[str, Any] | None = None
) -> TrainingConfig:
    """The configuration that a file (`written`, where it is read already) and options, which go
    before it, say. Raises ValueError.
    """
    if written is None:
        written = read_toml(options.config) if options.config else {}
    typed = given(options, TrainingConfig)
    check_data(typed.get("data", "digits"))
    check_radius(typed.get("norm", math.inf), typed.get("radius", 0.0))
    try:
        return TrainingConfig.from_mapping({**written, **typed})
    except TypeError as error:  # options have their types
        raise ValueError(f"{options.config}: {error}") from error


def run_train(options: argparse.Namespace) -> None:
    """`cgro train`."""
    from .console import progress_bar

    words = sorted(given(options, TrainingConfig))
    if options.resume and (words or options.config or options.out):
        named = ", ".join(f"--{name.replace('_', '-')}" for name in words) or "--config and --out"
        raise ValueError(f"--resume goes on with a run as it was configured: leave out {named}")
    if options.resume:
        check_run(options.resume)
    config = (
        training.Run.load(options.resume).config if options.resume else read_configuration(options)
    )
    folder = options.resume or options.out or default_folder(config)
    with progress_bar(counted=False) as bar:
        task = bar.add_task("reading the data", total=None)
        try:
            run = training.train(
                config,
                folder,
                resume=bool(options.resume),
                report=lambda step: show(bar, task, step),
            )
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(f"go on with: cgro train --resume {folder}") from interrupt
    if options.json:
        print(
            json.dumps(
                {
                    "folder": str(folder),
                    "status": run.status,
                    "epochs": run.epochs,
                    "final": run.final,
                }
            )
        )
        return
    print_run(run)


def show(bar: Progress, task: TaskID, step: training.TrainingProgress) -> None:
    """Show how far a run is."""
    measured = {"loss": step.loss, "test accuracy": step.accuracy, "robust": step.robust_accuracy}
    parts = [f"{name} {value:.3f}" for name, value in measured.items() if value is not None]
    bar.update(
        task, total=step.total, completed=step.done, description=", ".join([step.stage, *parts])
    )


def default_folder(config: TrainingConfig) -> Path:
    """A folder named after what is trained."""
    data = config.data if config.data.isidentifier() else Path(config.data).name.split(".")[0]
    norm = "2" if config.norm == 2 else "inf"
    return Path("runs") / f"{data}-{config.model}-l{norm}-{config.radius:g}-seed{config.seed}"


def print_run(run: Run) -> None:
    """A table of epochs, and the measurement at the end."""
    from rich.table import Table

    from .console import output, percent

    table = Table(title=f"{run.folder}: {run.status}", title_justify="left")
    for name in (
        "epoch",
        "training loss",
        "train accuracy",
        "train robust accuracy",
        "test accuracy",
        "test robust accuracy",
        "seconds",
    ):
        table.add_column(name, justify="right")
    for line in run.epochs:
        parts = [
            percent(line[part][kind])
            for part in ("train", "test")
            for kind in ("accuracy", "robust_accuracy")
        ]
        table.add_row(
            str(line["epoch"]), f"{line['training']['loss']:.4f}", *parts, f"{line['seconds']:.1f}"
        )
    output().print(table)
    if run.final is None:
        return
    config, final = run.config, run.final
    sample, test = final["train_sample"], final["test"]
    print(
        f"epochs: samples of {sample['points']:,} training and {run.epochs[0]['test']['points']:,} "
        f"test points; robust: "
        f"at most, by {config.eval_attack} in the {config.ball}"
    )
    whole = final["train"]
    print(
        f"network of epoch {final['epoch']}: {percent(whole['accuracy'])} of all "
        f"{whole['points']:,} training points right"
    )
    print(f"all {test['points']:,} test points: {percent(test['accuracy'])} right" + robustly(test))
    print(
        f"{sample['points']:,} training points: {percent(sample['accuracy'])} right"
        + robustly(sample)
    )
    print(f"data: {run.about['data']['source']}")


def robustly(found: dict[str, Any]) -> str:
    """What an attack says of robust accuracy."""
    from .console import percent

    if found["robust_accuracy"] is None:
        return ""
    return f", at most {percent(found['robust_accuracy'])} robustly ({found['attack']}, empirical)"


def run_evaluate(options: argparse.Namespace) -> None:
    """`cgro evaluate`."""
    check_run(options.folder)
    from constructions import ReLUNetwork
    from constructions.internal import write_file

    from ..quantities.reading import read_positive
    from .console import percent, progress_bar

    run = training.Run.load(options.folder)
    norm = run.config.norm if options.norm is None else options.norm
    ball = constructions.Ball(norm, run.config.radius if options.radius is None else options.radius)
    check_radius(ball.p, ball.radius)
    model, data = run.model(options.epoch), run.dataset()
    points, labels = (getattr(data, f"{options.part}_{kind}") for kind in ("points", "labels"))
    if options.points is not None:
        if not 1 <= options.points <= len(points):
            raise ValueError(f"--points must be in 1..{len(points)}, got {options.points}")
        points, labels = points[: options.points], labels[: options.points]
    network = None
    if options.certify is not None:
        read_positive("--certify", options.certify)
        network = ReLUNetwork.from_module(model, data.shape)
    with progress_bar() as bar:
        task = bar.add_task(f"{options.attack} on {len(points)} points", total=len(points))
        found = training.evaluate(
            model,
            points,
            labels,
            ball,
            options.attack,
            loss=run.config.loss,
            seed=run.config.seed,
            report=lambda told: bar.update(task, completed=told.done),
        )
    epoch = run.epoch if options.epoch is None else options.epoch
    certified = None
    if network is not None:
        proofs = f"proofs-{options.part}-{epoch}-{ball.p:g}-{ball.radius:g}.json"
        certified = certify_run(network, (points, labels), ball, options, run.folder / proofs)
    facts = {
        "epoch": epoch,
        "part": options.part,
        "norm": "2" if ball.p == 2 else "inf",
        "radius": ball.radius,
    }
    record = {**facts, **dataclasses.asdict(found)}
    if certified is not None:
        low, high = certified.lower, certified.upper
        record["robust_error"] = {"lower": low.to_json(), "upper": high and high.to_json()}
    path = run.folder / "evaluations.jsonl"
    write_file(
        path,
        (path.read_text(encoding="utf-8") if path.is_file() else "") + json.dumps(record) + "\n",
    )
    if options.json:
        print(json.dumps(record))
        return
    which = f"{found.points:,} {options.part} points, epoch {epoch}"
    robust = robustly(record).replace(found.attack, f"{found.attack} in the {ball}")
    print(f"{which}: {percent(found.accuracy)} right{robust}; mean loss {found.loss:.4f}")
    if certified is not None:
        print(certified)
    print(f"data: {run.about['data']['source']}")


def certify_run(
    network: ReLUNetwork, data: Labelled, ball: Ball, options: argparse.Namespace, proofs: Path
) -> RobustError:
    """The robust error of a run's network on points and labels, decided within a time."""
    from ..behaviour.errors import robust_error
    from .console import progress_bar

    points, labels = data
    with progress_bar() as bar:
        task = bar.add_task("certifying", total=len(points))
        return robust_error(
            network,
            points.flatten(1),
            labels,
            ball,
            max_seconds=options.certify,
            certificate=proofs,
            report=lambda told: bar.update(
                task, description=told.stage, total=told.total, completed=told.done
            ),
        )
