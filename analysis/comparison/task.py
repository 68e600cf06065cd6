"""One task's comparison, measured part by part; `stages` says in which order.

Whole, because its parts share what is trained, built and measured so far.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch

from constructions import Progress, ReLUNetwork, affine, f_adv, f_S, separation
from constructions.internal import Flags, Labels, Rows, structure_digest
from training import Dataset, Run, TrainingConfig, is_error, mlp, train

from ..behaviour.errors import RobustError, clean_error, robust_error
from ..behaviour.flatness import FlatnessProfile, flatness_profile
from ..behaviour.zones import agreement_table, outer_radius, zones
from ..certification.margins import certified_margins, is_small
from ..proofs.memorization import MemorizationProof, certify_memorization
from ..proofs.separations import KnownSeparation
from ..quantities.measured import Measured, Shares
from ..theory.constrained import proved_balls
from .result import ModelErrors, ModelResult, SmallMargin, SplitErrors, TaskResult, ZoneCounts
from .settings import CompareSettings

MODELS = ("f_clean", "f_adv", "f_S", "learned")
BUILT = ("f_adv", "f_S")
SPLITS = ("train", "test")

CHECKED = 128
"""Training points of f_S and f_adv that are attacked, as a check only, where all their balls are
proved.
"""

SHORT = 4
"""Steps of the attack that spares bounds what it refutes."""


class Tick(Protocol):
    """Advances the progress by one, or tells only what is going on."""

    def __call__(self, note: str = "") -> None:
        """With a note, nothing advances."""


Points = tuple[torch.Tensor, torch.Tensor]
"""Points (N, D), float64, and labels (N,)."""


class TaskComparison:
    """Classifiers trained and built on one data set, and what is measured of them so far.

    Each method does one part of the work, advances the progress by as much as `stages` says, and
    needs what the stages before gave.
    """

    apart: KnownSeparation
    all_apart: float  # least distance between labels of training and test points together
    proof: MemorizationProof
    margins: torch.Tensor  # of f_clean on training points: inf where proved, 0 where not, else -1
    agreement: Shares
    baselines: dict[str, Shares]  # agreement of others with f_S
    outer: float
    seconds: float = 0.0

    def __init__(
        self,
        data: Dataset,
        settings: CompareSettings,
        runs: Path,
        given: Mapping[str, ReLUNetwork] | None = None,
        learned: str = TaskResult.learned,
    ) -> None:
        self.data, self.settings, self.runs, self.ball = data, settings, runs, settings.ball
        self.given = dict(given or {})  # networks that are not trained
        self.learned = learned  # what "learned" is called
        self.points: dict[str, Points] = {
            "train": (data.train_points, data.train_labels),
            "test": (data.test_points, data.test_labels),
        }
        self.networks: dict[str, ReLUNetwork] = {}
        self.proved: dict[tuple[str, str], torch.Tensor] = {}
        self.attacks: dict[tuple[str, str], RobustError] = {}
        self.errors: dict[tuple[str, str], SplitErrors] = {}
        self.flatness: dict[str, dict[str, FlatnessProfile]] = {name: {} for name in MODELS}

    # -- data --------------------------------------------------------------------------------------

    def attacked(self, split: str) -> Points:
        """The points that are attacked: of training points the first so many."""
        x, y = self.points[split]
        chosen = slice(self.settings.attacked_points if split == "train" else None)
        return x[chosen], y[chosen]

    def separate(self, tick: Tick) -> None:
        """The separation of training points. Raises ValueError if the radius leaves no room."""
        self.apart = KnownSeparation.of(*self.points["train"], self.ball.p)
        if not self.apart.found.distance > 2 * self.ball.radius:
            half = f"half the separation {self.apart.found.distance:.6g} of task {self.data.task}"
            raise ValueError(f"radius must be below {half}, got {self.ball.radius:g}")
        tick()

    def separate_all(self, tick: Tick) -> None:
        """The separation of training and test points together, of which that of training points is
        known.
        """
        x, y = (torch.cat([self.points[split][k] for split in SPLITS]).numpy() for k in (0, 1))
        ours, theirs = (part.numpy() for part in self.points["test"])
        found = separation(ours, theirs, x, y, norm=self.ball.p)
        self.all_apart = min(found.distance, self.apart.found.distance)
        tick()

    # -- networks ----------------------------------------------------------------------------------

    def train_clean(self, tick: Tick) -> None:
        """f_clean, trained on clean points."""
        config = TrainingConfig(epochs=self.settings.clean_epochs, learning_rate=3e-3)
        self.train("f_clean", self.settings.clean_widths, config, tick)

    def train_learned(self, tick: Tick) -> None:
        """The network "learned", trained adversarially."""
        settings = self.settings
        config = TrainingConfig(
            epochs=settings.adversarial_epochs,
            learning_rate=settings.learning_rate,
            radius=self.ball.radius,
            attack=f"pgd{settings.training_attack_steps}",
            objective="intervals" if settings.term else "adversarial",
            interval_weight=settings.term,
        )
        self.train("learned", settings.learned_widths, config, tick)

    def train(self, name: str, widths: tuple[int, ...], config: TrainingConfig, tick: Tick) -> None:
        """A run in a folder of `runs`; one that is there, of the same configuration, goes on. A
        network that is given is taken instead.
        """
        if name in self.given:
            self.networks[name] = self.given[name]
            for _ in range(config.epochs):
                tick()
            return
        config = replace(
            config,
            data=self.settings.data,
            task=self.data.task,
            model="custom",
            norm=self.settings.norm,
            eval_attack="clean",
            final_attack="clean",
            seed=self.settings.seed,
            device="cpu",
        )
        epochs = config.epochs
        model = mlp([self.data.shape[0], *widths, self.data.outputs], self.settings.seed)
        folder = self.runs / f"{self.data.task}-{name}"
        if folder.exists() and Run.load(folder).config != config:
            shutil.rmtree(folder)
        done = 0

        def report(progress: Progress) -> None:
            nonlocal done
            for _ in range(done, progress.done * epochs // (progress.total or 1)):
                tick()
                done += 1

        train(config, folder, data=self.data, model=model, resume=True, report=report)
        self.networks[name] = ReLUNetwork.from_module(model)

    def certify(self, name: str, split: str, tick: Tick) -> None:
        """On which balls a trained network is proved right: of learned on attacked points only.
        What a short attack refutes needs no bounds.
        """
        x, y = self.attacked(split) if name == "learned" else self.points[split]
        network = self.networks[name]
        proved = self.proved[name, split] = torch.zeros(len(x), dtype=torch.bool)
        if is_small(network):  # else that would take seconds a point
            quick = robust_error(network, x, y, self.ball, steps=SHORT, seed=self.settings.seed)
            left = ~quick.refuted
            if left.any():
                proved[left] = certified_margins(network, x[left], y[left], self.ball) > 0
        tick()

    def build_f_S(self, tick: Tick) -> None:  # noqa: N802 - the papers' name
        """f_S, and the proof that it is right on all training balls."""
        x, y = self.points["train"]
        clean = self.networks["f_clean"]
        built = f_S(clean, x, y, self.ball, separation=self.apart.found.lower)
        proof = certify_memorization(built, x, y, self.ball, known=self.apart)
        if proof.verdict != "proved" or proof.bound is None:
            raise RuntimeError(f"f_S is {proof.verdict} on its own training balls: {proof.reason}")
        self.networks["f_S"], self.proof = built, proof
        self.proved["f_S", "train"] = torch.ones(len(x), dtype=torch.bool)
        tick()

    def build_f_adv(self, tick: Tick) -> None:
        """f_adv, which memorizes the points where f_clean is not proved; f_clean, if there is none.

        Around memorized and attacked points it is proved from the weights, by `proved_balls`.
        """
        x, y = self.points["train"]
        clean = self.networks["f_clean"]
        sure = torch.where(self.proved["f_clean", "train"], math.inf, 0.0)
        self.margins = torch.where(is_right(clean, x, y), sure, -1.0)
        built = clean
        if (self.margins <= self.ball.radius).any():
            lower = self.apart.found.lower
            built = f_adv(clean, x, y, self.ball, margins=self.margins, separation=lower)
        self.networks["f_adv"] = built
        memorized = self.margins <= self.ball.radius
        asked = memorized.clone()
        asked[: len(self.attacked("train")[0])] = True
        proved = torch.zeros(len(x), dtype=torch.bool)
        proved[asked] = proved_balls(built, x[asked], y[asked], self.ball, memorized[asked])
        self.proved["f_adv", "train"] = proved
        tick()

    # -- measurements ------------------------------------------------------------------------------

    def attack(self, name: str, split: str, tick: Tick) -> None:
        """Errors on points and on balls; what attack and linear bounds leave of learned is decided
        within a time, by proofs kept beside its run. f_S and f_adv are also tried on f_clean's
        attacked points, which must be there.
        """
        x, y = self.attacked(split)
        network, proved = self.networks[name], self.proved.get((name, split))
        starts = self.attacks["f_clean", split].adversarial if name in BUILT else x
        is_check = name in BUILT and proved is not None and bool(proved.all())
        every = max(1, len(x) // CHECKED) if is_check else 1
        seconds = self.settings.certify_seconds if name == "learned" else 0.0
        folder = f"{self.data.task}-{name}"
        if name in self.given:
            folder = f"{self.data.task}-given-{structure_digest(network)[:12]}"
        kept = self.runs / folder / f"proofs-{self.ball.radius:g}-{split}.json"
        if seconds:
            kept.parent.mkdir(parents=True, exist_ok=True)

        ticks, done = self.settings.steps_of(name in BUILT) + 2, 0

        def report(told: Progress) -> None:
            nonlocal done
            if told.stage != "attacking":
                tick(told.stage)
                return
            for _ in range(done, ticks * told.done // (told.total or 1)):
                tick()
                done += 1

        found = self.attacks[name, split] = robust_error(
            network,
            x[::every],
            y[::every],
            self.ball,
            proved=None if proved is None else proved[: len(x)][::every],
            starts=(starts[::every],),
            steps=self.settings.steps_of(name in BUILT),
            seed=self.settings.seed,
            report=report,
            max_seconds=seconds or None,
            certificate=kept if seconds else None,
        )
        for _ in range(done, ticks):
            tick()  # what is proved was not attacked
        clean = clean_error(network, *self.points[split])
        if proved is not None and proved.all():
            self.errors[name, split] = SplitErrors(clean, Measured.share(0, len(proved)))
        else:
            self.errors[name, split] = SplitErrors(clean, found.lower, found.upper)

    def agree(self, tick: Tick) -> None:
        """Where the learned network and f_S give the same label, and where f_clean, or the
        commonest label of training points, does.
        """
        self.outer = outer_radius(self.networks["f_S"], self.ball)

        def with_built(model: ReLUNetwork) -> Shares:
            return agreement_table(
                model,
                self.networks["f_S"],
                self.data.train_points,
                self.data.test_points,
                self.attacks["learned", "train"].adversarial,
                self.ball,
                self.outer,
                seed=self.settings.seed,
                count=self.settings.sampled_points,
            )

        self.agreement = with_built(self.networks["learned"])
        self.baselines = {
            "f_clean": with_built(self.networks["f_clean"]),
            "one label everywhere": with_built(one_label(self.data)),
        }
        tick()

    def flatten(self, name: str, split: str, tick: Tick) -> None:
        """How large gradients are in balls of growing radius."""
        x, y = self.points[split]
        few = slice(self.settings.flat_points)
        self.flatness[name][split] = flatness_profile(
            self.networks[name],
            x[few].float(),
            y[few],
            self.ball,
            self.settings.flat_radii,
            steps=8,
            seed=self.settings.seed,
            batch_size=self.settings.flat_points,
            report=lambda told: tick(),
        )

    # -- what was found ----------------------------------------------------------------------------

    def result(self) -> TaskResult:
        """All of it, once every stage is done."""
        x, y = self.points["test"]
        clean, built = (is_right(self.networks[name], x, y) for name in ("f_clean", "f_S"))
        return TaskResult(
            task=self.data.task,
            outputs=self.data.outputs,
            dimension=x.shape[1],
            train_count=len(self.data.train_points),
            test_count=len(x),
            attacked_count=len(self.attacked("train")[0]),
            source=self.data.source,
            separation_train=self.proof.separation,
            separation_all=self.all_apart,
            outer=self.outer,
            guarantee=self.proof,
            small_margin=SmallMargin(
                proved=int(self.proved["f_clean", "train"].sum()),
                refuted=int(self.attacks["f_clean", "train"].refuted.sum()),
                memorized=int((self.margins <= self.ball.radius).sum()),
            ),
            test_zones=self.test_zones(),
            changed_test_labels=int((clean != built).sum()),
            models={name: self.model_result(name) for name in MODELS},
            agreement=self.agreement,
            flatness=self.flatness,
            seconds=self.seconds,
            networks={name: self.networks[name] for name in MODELS},
            learned=self.learned,
            baselines=self.baselines,
        )

    def test_zones(self) -> ZoneCounts:
        """Where test points lie."""
        where = zones(self.data.test_points, self.data.train_points, self.ball, self.outer)
        return ZoneCounts(*(int(v.sum()) for v in (where.inside, where.shell, where.outside)))

    def model_result(self, name: str) -> ModelResult:
        """One model's row."""
        clean, learned = (
            "-".join(map(str, widths))
            for widths in (self.settings.clean_widths, self.settings.learned_widths)
        )
        how = self.settings.learned_by
        about = {
            "f_clean": f"given: {self.settings.clean}"
            if "f_clean" in self.given
            else f"trained on clean points, hidden widths {clean}",
            "f_adv": "f_clean, and every training point that it is not proved robust on, memorized",
            "f_S": "f_clean, and every training point memorized",
            "learned": how
            if "learned" in self.given
            else f"adversarially trained ({how}), hidden widths {learned}",
        }
        errors = ModelErrors(*(self.errors[name, split] for split in SPLITS))
        return ModelResult(about[name], self.networks[name].size, errors)


def one_label(data: Dataset) -> ReLUNetwork:
    """The classifier that gives the commonest label of training points everywhere."""
    commonest = int(data.train_labels.mode().values)
    bias = [float(commonest)] if data.outputs == 1 else torch.eye(data.outputs)[commonest].tolist()
    return affine(torch.zeros(data.outputs, data.train_points.shape[1]), bias)


def is_right(network: ReLUNetwork, points: Rows, labels: Labels) -> Flags:
    """Which points get their label (a tie does not count)."""
    return ~is_error(network(points.double()), labels)
