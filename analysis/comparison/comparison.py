"""The main job: train and construct classifiers on the same data, measure both, and say where they
agree.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from constructions import (
    Ball,
    ReLUNetwork,
    Result,
    Said,
    Separation,
    f_adv,
    f_S,
    said,
    separation,
)
from training import Dataset, Progress, Run, TrainingConfig, is_error, load_data, mlp, train

from ..behaviour.agreement import agreement_table, outer_radius, zones
from ..behaviour.errors import RobustError, clean_error, robust_error
from ..behaviour.flatness import FlatnessProfile, flatness_profile
from ..certification.margins import certified_margins
from ..pages.page import versions
from ..proofs.memorization import certify_memorization
from ..quantities.measured import Measured
from .settings import CompareSettings, check_settings

MODELS = ("f_clean", "f_adv", "f_S", "learned")
SAVED = 2**24
"""Most numbers of a network that a comparison writes; f_S is built again from f_clean and the data.
"""


@dataclass(frozen=True, repr=False)
class ModelResult(Result):
    """One model's row: sizes and errors; `errors` maps "clean train", "robust test upper", ... to
    numbers.
    """

    description: str
    size: dict[str, Any]
    errors: dict[str, Measured] = field(default_factory=dict)

    def _says(self) -> tuple[str, dict[str, Said]]:
        return self.description, {name: found.said for name, found in self.errors.items()}


@dataclass(frozen=True, repr=False)
class TaskResult(Result):
    """Everything measured for one task. `networks` holds the models themselves and is not part of
    the JSON.
    """

    task: str
    outputs: int
    dimension: int
    train_count: int
    test_count: int
    attacked_count: int
    source: str
    separation_train: float
    separation_all: float
    outer: float
    guarantee: dict[str, Any]
    small_margin: dict[str, int]
    test_zones: dict[str, int]
    changed_test_labels: int
    models: dict[str, ModelResult]
    agreement: dict[str, Measured]
    flatness: dict[str, dict[str, FlatnessProfile]]
    seconds: float
    networks: dict[str, ReLUNetwork] = field(default_factory=dict, repr=False)

    def _says(self) -> tuple[str, dict[str, Said]]:
        what = f"{self.task}, {self.train_count:,} training and {self.test_count:,} test points"
        return f"{what}; errors", {
            f"{model} {name}": said(found.value, found.kind)
            for name in ("clean test", "robust test")
            for model, result in self.models.items()
            if (found := result.errors.get(name)) is not None
        }


@dataclass(frozen=True, repr=False)
class Comparison(Result):
    """All tasks, with the settings and versions they were run with."""

    settings: CompareSettings
    tasks: list[TaskResult]
    versions: dict[str, str]

    def _says(self) -> tuple[str, dict[str, Said]]:
        tasks = ", ".join(task.task for task in self.tasks)
        numbers = {
            f"{task.task}: {name}": number
            for task in self.tasks
            for name, number in task._says()[1].items()
        }
        return f"{tasks} on {self.settings.data}, {self.settings.ball}; errors", numbers

    def to_json(self) -> dict[str, Any]:
        """Every number of the comparison as plain JSON values."""
        settings = asdict(self.settings)
        settings["norm"] = "inf" if math.isinf(self.settings.norm) else "2"
        settings["radius"] = self.settings.ball.radius
        tasks = []
        for task in self.tasks:
            flatness = {
                model: {k: p.summary() for k, p in profiles.items()}
                for model, profiles in task.flatness.items()
            }
            tasks.append({**asdict(replace(task, networks={}, flatness={})), "flatness": flatness})
        return {"settings": settings, "versions": self.versions, "tasks": tasks}


Step = Callable[[str], Callable[[], None]]  # announces a stage, returns what advances it


def stages(settings: CompareSettings) -> dict[str, int]:
    """The stages of one task and the number of advances that each makes (for a progress bar)."""
    attack = 4 * (settings.attack_steps + 2) + 4 * (settings.constructed_attack_steps + 2)
    return {
        "measuring separation": 1,
        "training f_clean": settings.clean_epochs,
        "training adversarially": settings.adversarial_epochs,
        "building f_S and f_adv": 2,
        "certifying": 4,
        "attacking": attack,
        "measuring agreement": 1,
        "measuring flatness": 8 * len(flat_radii(settings.ball)),
    }


def flat_radii(ball: Ball) -> list[float]:
    """The radii of the flatness curves: from 0 to three times the ball's."""
    return [round(ball.radius * k / 4, 12) for k in range(13)]


def measured_separation(data: Dataset, settings: CompareSettings) -> Separation:
    """The separation of the training points. Raises ValueError if the radius leaves no room."""
    found = separation(data.train_points.numpy(), data.train_labels.numpy(), norm=settings.norm)
    if not found.distance > 2 * settings.ball.radius:
        limit = f"half the separation {found.distance:.6g} of task {data.task}"
        raise ValueError(f"radius must be below {limit}, got {settings.ball.radius:g}")
    return found


def compare(
    settings: CompareSettings, announce: Step = lambda _: lambda: None, runs: Path | None = None
) -> Comparison:
    """Run all tasks; `announce(stage)` returns a function that is called at every advance of that
    stage.

    runs: folder of the training runs; those that it holds of the same configuration go on, or are
    taken as they are. Raises ValueError before any training if the settings do not fit the data.
    Time: on digits two minutes, on MNIST some twenty, most of it bounds and attacks of the learned
    networks; memory on MNIST some 6 GB.
    """
    check_settings(settings)
    data = [load_data(settings.data, task, settings.seed).flat() for task in settings.tasks]
    apart = []
    for part in data:
        advance = announce("measuring separation")
        apart.append(measured_separation(part, settings))
        advance()
    with TemporaryDirectory() as folder:
        given = zip(data, apart, strict=True)
        tasks = [
            compare_task(part, found, settings, announce, runs or Path(folder))
            for part, found in given
        ]
    return Comparison(settings, tasks, versions())


def compare_task(
    data: Dataset, apart: Separation, settings: CompareSettings, announce: Step, runs: Path
) -> TaskResult:
    """Train f_clean and an adversarially trained network, build f_adv and f_S, and measure all
    four.
    """
    started = time.perf_counter()
    ball, seed = settings.ball, settings.seed
    train_set, test_set = (
        (data.train_points, data.train_labels),
        (data.test_points, data.test_labels),
    )
    dimension = train_set[0].shape[1]
    seen = slice(settings.attacked_points)  # training points that are attacked

    clean = trained(data, settings, "f_clean", runs, announce("training f_clean"))
    learned = trained(data, settings, "learned", runs, announce("training adversarially"))

    advance = announce("certifying")
    proved: dict[str, dict[str, torch.Tensor]] = {name: {} for name in MODELS}
    for name, network in (("f_clean", clean), ("learned", learned)):
        for split, (points, labels) in (("train", train_set), ("test", test_set)):
            chosen = seen if (name, split) == ("learned", "train") else slice(None)
            proved[name][split] = (
                certified_margins(network, points[chosen], labels[chosen], ball) > 0
            )
            advance()
    right = is_right(clean, *train_set)
    margins = torch.where(right, torch.where(proved["f_clean"]["train"], math.inf, 0.0), -1.0)

    advance = announce("building f_S and f_adv")
    # certify_memorization measures again
    constructed = f_S(clean, *train_set, ball, separation=apart.lower)
    advance()
    small = margins <= ball.radius
    # without small margins there is nothing to memorize
    partial = (
        f_adv(clean, *train_set, ball, margins=margins, separation=apart.lower)
        if small.any()
        else clean
    )
    advance()
    networks = dict(zip(MODELS, (clean, partial, constructed, learned), strict=True))
    proof = certify_memorization(constructed, *train_set, ball)
    if proof.verdict != "proved" or proof.bound is None:
        raise RuntimeError(f"f_S is {proof.verdict} on its own training balls: {proof.reason}")
    everywhere = torch.ones(len(train_set[0]), dtype=torch.bool)
    proved["f_S"]["train"] = everywhere
    proved["f_adv"]["train"] = (
        everywhere  # S_small by f_adv's statement, the rest by f_clean's certificates
    )

    advance = announce("attacking")
    models: dict[str, ModelResult] = {}
    attacks: dict[tuple[str, str], RobustError] = {}
    # f_clean first: its adversarial points are tried on f_S and f_adv
    for name in ("f_clean", "learned", "f_S", "f_adv"):
        models[name] = ModelResult(_describe(name, settings), asdict(networks[name].size))
        for split, (points, labels) in (
            ("train", tuple(part[seen] for part in train_set)),
            ("test", test_set),
        ):
            built = name in ("f_S", "f_adv")
            starts = attacks["f_clean", split].adversarial if built else points
            proofs = None if split not in proved[name] else proved[name][split][: len(points)]
            # proved: attacked as a check only
            every = max(1, len(points) // 128) if built and split == "train" else 1
            attack = attacks[name, split] = robust_error(
                networks[name],
                points[::every],
                labels[::every],
                ball,
                proved=None if proofs is None else proofs[::every],
                starts=(starts[::every],),
                steps=settings.constructed_attack_steps if built else settings.attack_steps,
                seed=seed,
                progress=advance,
            )
            errors = models[name].errors
            errors[f"clean {split}"] = clean_error(
                networks[name], *(train_set if split == "train" else test_set)
            )
            if split in proved[name] and proved[name][split].all():
                errors[f"robust {split}"] = Measured.share(0, len(proved[name][split]))
            else:
                errors[f"robust {split}"] = attack.lower
                if attack.upper is not None:
                    errors[f"robust {split} upper"] = attack.upper

    advance = announce("measuring agreement")
    outer = outer_radius(constructed, ball)
    attacked = attacks["learned", "train"].adversarial
    table = agreement_table(
        learned,
        constructed,
        train_set[0],
        test_set[0],
        attacked,
        ball,
        outer,
        seed,
        settings.sampled_points,
    )
    where = zones(test_set[0], train_set[0], ball, outer)
    changed = int((is_right(clean, *test_set) != is_right(constructed, *test_set)).sum())
    advance()

    advance = announce("measuring flatness")
    flatness: dict[str, dict[str, FlatnessProfile]] = {}
    for name in MODELS:
        flatness[name] = {}
        for split, (points, labels) in (("train", train_set), ("test", test_set)):
            few = slice(settings.flat_points)
            flatness[name][split] = flatness_profile(
                networks[name],
                points[few].float(),
                labels[few],
                ball,
                flat_radii(ball),
                steps=8,
                seed=seed,
                batch_size=settings.flat_points,
                progress=advance,
            )

    everything = (torch.cat([train_set[k], test_set[k]]).numpy() for k in (0, 1))
    return TaskResult(
        task=data.task,
        outputs=data.outputs,
        dimension=dimension,
        train_count=len(train_set[0]),
        test_count=len(test_set[0]),
        attacked_count=len(train_set[0][seen]),
        source=data.source,
        separation_train=proof.separation,
        separation_all=separation(*everything, norm=ball.p).distance,
        outer=outer,
        guarantee=proof.to_json(),
        small_margin={
            "proved robust": int(proved["f_clean"]["train"].sum()),
            "refuted": int(attacks["f_clean", "train"].refuted.sum()),
            "memorized (not proved)": int(small.sum()),
        },
        test_zones={
            zone: int(getattr(where, zone).sum()) for zone in ("inside", "shell", "outside")
        },
        changed_test_labels=changed,
        models={name: models[name] for name in MODELS},
        agreement=table,
        flatness=flatness,
        seconds=time.perf_counter() - started,
        networks=networks,
    )


def trained(
    data: Dataset, settings: CompareSettings, name: str, runs: Path, advance: Callable[[], None]
) -> ReLUNetwork:
    """f_clean, trained on clean points, or the network "learned" adversarially, as a run in a
    folder of `runs`.
    """
    adversarial = name == "learned"
    config = TrainingConfig(
        data=settings.data,
        task=data.task,
        model="custom",
        epochs=settings.adversarial_epochs if adversarial else settings.clean_epochs,
        learning_rate=3e-3,
        norm=settings.norm,
        radius=settings.ball.radius if adversarial else 0.0,
        attack=f"pgd{settings.training_attack_steps}",
        eval_attack="clean",
        final_attack="clean",
        seed=settings.seed,
        device="cpu",
    )
    model = mlp(
        [
            data.shape[0],
            *(settings.learned_widths if adversarial else settings.clean_widths),
            data.outputs,
        ],
        settings.seed,
    )
    folder = runs / f"{data.task}-{name}"
    if folder.exists() and Run.load(folder).config != config:
        shutil.rmtree(folder)
    done = 0

    def report(progress: Progress) -> None:
        nonlocal done
        for _ in range(done, progress.done * config.epochs // progress.total):
            advance()
            done += 1

    train(config, folder, data=data, model=model, resume=True, report=report)
    return ReLUNetwork.from_module(model)


def is_right(network: ReLUNetwork, points: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Which points get their label (a tie does not count)."""
    return ~is_error(network(points.double()), labels)


def write_networks(comparison: Comparison, folder: Path) -> None:
    """Save every network of up to `SAVED` numbers as networks/TASK-MODEL.safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    for task in comparison.tasks:
        for name, network in task.networks.items():
            if network.size.stored <= SAVED:
                network.save(folder / f"{task.task}-{name}.safetensors")


def _describe(name: str, settings: CompareSettings) -> str:
    widths = "-".join(
        map(str, settings.clean_widths if name == "f_clean" else settings.learned_widths)
    )
    return {
        "f_clean": f"trained on clean points, hidden widths {widths}",
        "f_adv": "f_clean, and every training point that it is not proved robust on, memorized",
        "f_S": "f_clean, and every training point memorized",
        "learned": f"adversarially trained (PGD), hidden widths {widths}",
    }[name]
