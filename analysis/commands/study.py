"""The commands `cgro report` and `cgro figure`.

Whole, because both draw figures of runs, from the same options.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import training

from ..studies.settings import FIGURES, MEASURED_IN_TRAINING, StudySettings
from .options import add_options, given

if TYPE_CHECKING:
    from ..pages.figure import Drawing
    from ..studies.study import Study


def add_study_commands(commands: Any) -> None:
    """Add the two commands to a parser's subparsers."""
    command = commands.add_parser(
        "report", help="one page about saved runs, learned beside constructed; trains nothing"
    )
    command.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="folders of runs; clean ones (radius 0) serve as f_clean",
    )
    add_settings(command)
    command.set_defaults(run=run_report)

    command = commands.add_parser("figure", help="the papers' figures, from saved runs")
    command.add_argument(
        "name", choices=["all", *FIGURES], metavar="NAME", help=f"all, {', '.join(FIGURES)}"
    )
    command.add_argument(
        "runs",
        type=Path,
        nargs="*",
        metavar="RUN",
        help="folders of runs (default: those in --folder)",
    )
    command.add_argument(
        "--folder",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="where runs are looked for (default: runs)",
    )
    command.add_argument(
        "--data", metavar="NAME", help="only runs on these data: digits, mnist, cifar10, or a path"
    )
    add_settings(command)
    command.set_defaults(run=run_figure)


def add_settings(command: argparse.ArgumentParser) -> None:
    """What both commands are told."""
    add_options(command, StudySettings)
    command.add_argument(
        "--model",
        nargs="+",
        default=[],
        metavar="M",
        help="module:function of the factories of runs with a model of your own; each takes the "
        "first that fits",
    )
    command.add_argument(
        "--out",
        type=Path,
        default=Path("results/report"),
        metavar="DIR",
        help="folder of the page, figures, and what was measured (default: results/report)",
    )


def read_settings(options: argparse.Namespace) -> StudySettings:
    """The settings that options say."""
    return StudySettings(**given(options, StudySettings))


def check_asked(options: argparse.Namespace, folders: list[Path]) -> None:
    """Raise ValueError for wrong settings, and FileNotFoundError if no folder holds a run."""
    read_settings(options)
    if not any((folder / "config.json").is_file() for folder in folders):
        why = "config.json" if any(folder.is_dir() for folder in folders) else "such folder"
        raise FileNotFoundError(f"no run in {', '.join(map(str, folders))} (no {why})")


def run_report(options: argparse.Namespace) -> None:
    """`cgro report`."""
    check_asked(options, options.runs)
    from ..studies.report import write_study
    from ..studies.verdict import summaries

    found, page = measured(options, options.runs, lambda done: write_study(done, options.out))
    for name, text in summaries(found).items():
        print(f"{name}: {text}\n")
    print(f"page: {page}")
    complain(found)


def run_figure(options: argparse.Namespace) -> None:
    """`cgro figure`."""
    if options.name in RUNLESS:
        if options.runs:
            raise ValueError(f"{options.name} takes no run, got {options.runs[0]}")
        typed, of_data = given(options, StudySettings), options.name in OF_DATA
        unused = ["--data"] * (options.data is not None and not of_data)
        unused += ["--model"] * bool(options.model)
        taken = ("seed", "points") if of_data else ("seed",)
        unused += [f"--{name}" for name in typed if name not in taken]
        if unused:
            raise ValueError(f"{options.name} measures no run: leave out {', '.join(unused)}")
        RUNLESS[options.name](options)
        return
    names = FIGURES if options.name == "all" else (options.name,)
    if options.runs and options.data is not None:
        raise ValueError("--data must be left out where runs are named")
    folders = options.runs or runs_in(options.folder, options.data)
    check_asked(options, folders)
    from ..studies.figures import drawings
    from ..studies.report import write_figures

    def write(done: Study) -> list[Drawing]:
        drawn = drawings(done, names)
        write_figures(drawn, options.out / "figures")
        return drawn

    found, drawn = measured(options, folders, write, not MEASURED_IN_TRAINING.issuperset(names))
    files = [options.out / "figures" / f"{drawing.file}.svg" for drawing in drawn]
    for file in files:
        print(f"{file} (.png, -dark.svg, -dark.png, .csv)")
    for name in names if options.name == "all" else ():
        if name not in {drawing.name for drawing in drawn}:
            print(f"no {name}: {needs(name)}")
    if not files:
        raise ValueError(f"these runs give no figure {options.name!r}: {needs(options.name)}")
    complain(found)


def run_feature_learning(options: argparse.Namespace) -> None:
    """`cgro figure feature-learning`: the papers' experiment on synthetic data; takes no run."""
    from ..studies.training_figures import feature_learning
    from .console import progress_bar

    config = training.PatchConfig(seed=read_settings(options).seed)
    folder = options.out / "measured"
    folder.mkdir(parents=True, exist_ok=True)
    with progress_bar() as bar:
        task = bar.add_task(f"gradient descent, {config.steps:,} steps", total=config.steps)
        try:
            run = training.train_patches(
                config,
                checkpoint=folder / f"patches-{config.seed}.safetensors",
                report=lambda told: bar.update(task, completed=told.done),
            )
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(
                f"{folder} holds every 5,000th step: run again to go on"
            ) from interrupt
    put(feature_learning(run), options.out / "figures")


def run_lower_bound(options: argparse.Namespace) -> None:
    """`cgro figure lower-bound`: sizes of constructed networks, and what robust ones need."""
    from ..pages.capacity_figure import lower_bound

    put(lower_bound(), options.out / "figures")


def run_robustness_cost(options: argparse.Namespace) -> None:
    """`cgro figure robustness-cost`: sizes of proved networks over the radius; takes no run."""
    from constructions.internal import write_file

    from ..pages.robustness_figure import robustness_cost
    from .console import progress_bar, showing

    settings, typed = read_settings(options), given(options, StudySettings)
    count = settings.points if "points" in typed else 200
    if options.data is None:
        import numpy as np

        about, generator = "random points", np.random.default_rng(settings.seed)
        points: Any = generator.integers(0, 2**12 + 1, (count, 16)) / 2**12  # dyadic, in the cube
        labels: Any = np.where(np.arange(count) % 2, 1, -1)
    else:
        data = training.load_data(options.data, "parity").flat()
        about = f"training points of {data.name}"
        points, labels = data.train_points[:count], data.train_labels[:count]
    with progress_bar() as bar:
        shown, kept = showing(bar, bar.add_task("networks")), options.out / "measured"
        drawn = robustness_cost(points, labels, about, kept=kept, report=shown)
    put(drawn, options.out / "figures")
    rows = [dict(zip(drawn.columns, row, strict=True)) for row in drawn.rows]
    write_file(options.out / "figures" / f"{drawn.file}.json", json.dumps(rows, indent=1))


def put(drawing: Drawing, folder: Path) -> None:
    """Write a figure, and say where and what it is."""
    from ..studies.report import write_drawing

    write_drawing(drawing, folder)
    print(f"{folder / drawing.file}.svg (.png, -dark.svg, -dark.png, .csv)\n{drawing.caption}")


RUNLESS = {
    "feature-learning": run_feature_learning,
    "lower-bound": run_lower_bound,
    "robustness-cost": run_robustness_cost,
}
"""Figures that take no run."""

OF_DATA = ("robustness-cost",)
"""Those of them that are of points: of --data, or random ones."""


def measured(
    options: argparse.Namespace,
    folders: list[Path],
    write: Callable[[Study], Any],
    measure: bool = True,
) -> tuple[Study, Any]:
    """The study of runs, and what writing it gives."""
    from ..comparison.own import made
    from ..studies.measure import study
    from .console import progress_bar

    settings = read_settings(options)
    with progress_bar(counted=False) as bar:
        task = bar.add_task("reading the runs", total=None)
        try:
            found = study(
                folders,
                settings,
                kept=options.out / "measured",
                measure=measure,
                models=[partial(made, source, "--model") for source in options.model],
                report=lambda told: bar.update(task, description=told.stage),
            )
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(
                f"{options.out / 'measured'} holds what was measured: run again to go on"
            ) from interrupt
        bar.update(task, description="drawing")
        return found, write(found)


def runs_in(folder: Path, data: str | None) -> list[Path]:
    """Folders below one that hold a run, on the data asked for. Raises ValueError if none does."""
    if not folder.is_dir():
        raise ValueError(f"no folder {folder}: name runs, or their folder with --folder")
    found = [path.parent for path in sorted(folder.rglob("config.json"))]
    if data is not None:
        found = [path for path in found if trained_on(path, data)]
    if not found:
        raise ValueError(
            f"{folder} holds no run"
            + (f" on {data}" if data else "")
            + ": train one with cgro train"
        )
    return found


def trained_on(folder: Path, data: str) -> bool:
    """Whether a run is on the data of a name, or of a path."""
    try:
        found = training.Run.load(folder).config.data
    except (ValueError, OSError):
        return True  # `study` says what is wrong with it
    return found == data or (
        Path(found).exists() and Path(data).exists() and Path(found).samefile(data)
    )


def needs(name: str) -> str:
    """What a figure needs."""
    return {
        **{runless: f"it takes no run: cgro figure {runless}" for runless in RUNLESS},
        "capacity": "it needs runs that differ in width alone (cgro sweep --widths)",
        "learning-process": "it needs an adversarial run with several checkpoints",
        "flatness": "it needs an adversarial run with several checkpoints",
        "gap": "it needs an adversarial run with several checkpoints",
        "islands": "it needs an adversarial run of affine layers and ReLU with several checkpoints",
        "radial": "it needs an adversarial and a clean run (radius 0) on the same data",
    }.get(name, "it needs an adversarial run")


def complain(found: Study) -> None:
    """Say which runs could not be used."""
    for folder, text in found.problems:
        print(f"left out: {folder}: {text}", file=sys.stderr)
    if found.problems:
        raise ValueError(f"{len(found.problems)} could not be used; the rest is written")
