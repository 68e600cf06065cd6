"""Measuring saved runs: curves over epochs, flatness over radius, margins, and f_S built on the
same data beside them.

Nothing is trained. Every measurement is kept in a file of its own and read again when the same is
asked for.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from constructions import ReLUNetwork, affine, compose, f_S, separation, write_file
from training import Dataset, Run, as_float

from ..behaviour.agreement import (
    agreement,
    agreement_by_group,
    agreement_table,
    class_groups,
    outer_radius,
    quantile_groups,
)
from ..behaviour.boundary_distances import (
    BoundaryDistances,
    boundary_distances,
    is_small,
    small_margin,
)
from ..behaviour.flatness import FlatnessProfile, flatness_profile
from ..behaviour.memorization_share import memorization_part, memorization_share, radial_profile
from ..proofs.memorization import certify_memorization
from ..quantities import statistics
from ..quantities.measured import Measured
from .settings import StudySettings
from .study import OUTSIDE, RADII, Constructed, Json, Profile, RunStudy, Study

FORMAT = 2
"""Part of every question whose answer is kept: raised when measurements change."""

WRONG = (ValueError, TypeError, KeyError, IndexError, OSError, RuntimeError, ArithmeticError)
"""What a run that is not as it should be can raise; it must not keep others from being measured."""

Report = Callable[[str], None]


def study(
    folders: Iterable[str | PathLike[str]],
    settings: StudySettings | None = None,
    *,
    kept: str | PathLike[str],
    measure: bool = True,
    report: Report = lambda stage: None,
) -> Study:
    """Measure finished runs. Of clean ones (radius 0) on the same data, that with the fewest test
    errors whose network is read as affine layers and ReLU serves as f_clean for the others; without
    one there is no f_S.

    kept: folder in which every measurement is kept, so that a study goes on where it was
    interrupted. measure: false for what the runs measured themselves alone. report(stage) is called
    as each begins. A run that is damaged, unfinished or without its data is a problem, and the
    others are measured. Raises ValueError if no run is left, TypeError for one folder.

    Cost: for each profile some 9 gradients a step and point (193 for 20 steps); f_S of N training
    points as in `f_S`.
    """
    settings = settings or StudySettings()
    if isinstance(folders, (str, PathLike)):
        raise TypeError(f"folders must be several folders, as in [{str(folders)!r}], got one")
    found = Study(settings)
    store = Store(Path(kept))
    parts: dict[str, Dataset] = {}
    for folder in dict.fromkeys(Path(f) for f in folders):
        try:
            run = usable(folder)
            taken = {other.name for other in found.runs}
            name = folder.name if folder.name not in taken else str(folder)
            data = parts.get(digest_of(run)) or run.dataset()
            parts[digest_of(run)] = data
            entry = RunStudy(run, name, sum(p.numel() for p in run.model().parameters()))
            if measure:
                measure_run(entry, data, settings, store, report)
            found.runs.append(entry)
        except WRONG as error:
            found.problems.append((str(folder), told(error)))
    if not found.runs:
        raise ValueError(
            "; ".join(f"{folder}: {text}" for folder, text in found.problems)
            or "folders must name a run"
        )
    for entry in found.runs if measure else []:
        if not entry.robust:
            continue
        clean = clean_partner(entry, found.runs)
        if clean is None:
            found.without[entry.name] = (
                "no clean run (radius 0) on the same data, of affine layers and ReLU"
            )
            continue
        try:
            data = parts[digest_of(entry.run)]
            found.constructed.append(
                measure_constructed(entry, clean, data, settings, store, report)
            )
        except WRONG as error:
            found.without[entry.name] = f"f_S cannot be built from {clean.name}: {told(error)}"
    return found


def told(error: Exception) -> str:
    """An error in words."""
    return f"damaged: no entry {error}" if isinstance(error, KeyError) else str(error)


def usable(folder: Path) -> Run:
    """The run in a folder. Raises ValueError if it is unfinished or its networks are not kept."""
    if not folder.is_dir():
        raise FileNotFoundError("no such folder")
    run = Run.load(folder)
    if run.final is None:
        raise ValueError(f"{run.status}; go on with: cgro train --resume {folder}")
    if run.config.model == "custom":
        raise ValueError("a run with a model of your own cannot be read from its folder alone")
    run.weights()
    for line in (*run.epochs, run.final):  # what figures and tables ask for
        for part in ("train", "test"):
            line[part]["accuracy"], line[part]["robust_accuracy"], line[part]["points"]
    return run


def digest_of(run: Run) -> str:
    """What tells data sets apart: the digest of the points and the task."""
    return f"{run.about['data']['sha256']} {run.config.task}"


def clean_partner(entry: RunStudy, runs: Sequence[RunStudy]) -> RunStudy | None:
    """The clean run on the same data with the fewest test errors whose network is read as a
    `ReLUNetwork`.
    """
    same = [
        other for other in runs if not other.robust and digest_of(other.run) == digest_of(entry.run)
    ]
    same.sort(key=lambda other: -(other.run.final or {})["test"]["accuracy"])
    return next((other for other in same if as_network(other) is not None), None)


def as_network(entry: RunStudy) -> ReLUNetwork | None:
    """The run's network of affine layers and ReLU, if it is one."""
    try:
        return ReLUNetwork.from_module(entry.run.model(), tuple(entry.run.about["data"]["shape"]))
    except (TypeError, ValueError):
        return None


# -- what is kept ----------------------------------------------------------------------------------


class Store:
    """Answers to questions, one JSON file each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def answer(self, question: Json, compute: Callable[[], Json]) -> Json:
        """compute(), or what it gave before to this question. A damaged file is computed again."""
        question = json.loads(json.dumps({**question, "format": FORMAT}))
        name = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:20]
        path = self.folder / f"{name}.json"
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            if held["question"] == question:
                return dict(held["answer"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not there, or cut short
        found = compute()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps({"question": question, "answer": found}, allow_nan=False))
        return dict(json.loads(json.dumps(found)))


def sampled(data: Dataset, settings: StudySettings, memorized: bool = False) -> Dataset:
    """The random points that are measured; they are the first of those that f_S memorizes."""
    train, test = len(data.train_points), len(data.test_points)
    wanted = (settings.memorized or train) if memorized else settings.points
    return data.subset(min(wanted, train), min(settings.points, test), settings.seed)


def epochs_of(run: Run, count: int) -> list[int]:
    """So many of the kept epochs, first and last among them, up to the one whose network counts."""
    kept = [epoch for epoch in run.checkpoints() if epoch <= run.epoch]
    chosen = (
        {round(k * (len(kept) - 1) / max(1, count - 1)) for k in range(count)}
        if count > 1
        else {len(kept) - 1}
    )
    return sorted({kept[k] for k in chosen} | {run.epoch})


# -- runs ------------------------------------------------------------------------------------------


def measure_run(
    entry: RunStudy, data: Dataset, settings: StudySettings, store: Store, report: Report
) -> None:
    """Profiles of the chosen epochs, and distances to the boundary of the last."""
    if not entry.robust:
        return
    part, run = sampled(data, settings), entry.run
    for epoch in epochs_of(run, settings.epochs):
        report(f"{entry.name}: flatness, epoch {epoch}")
        question = {**about(run, epoch, settings), "what": "profile", "steps": settings.steps}
        found = store.answer(
            question,
            lambda epoch=epoch: profiles_of(run.model(epoch), part, run, settings),  # type: ignore[misc]
        )
        entry.profiles[epoch] = {split: read_profile(found[split]) for split in ("train", "test")}
        entry.gaps[epoch] = Measured.from_json(found["gap"])
    report(f"{entry.name}: distances to the boundary")
    question = {**about(run, run.epoch, settings), "what": "distances"}
    entry.distances.update(
        store.answer(question, lambda: distances_of(run.model(), part, run, settings))
    )


def about(run: Run, epoch: int, settings: StudySettings) -> Json:
    """What tells one measurement of a network from another."""
    ball = {"norm": str(run.config.norm), "radius": run.config.radius}
    return {
        "weights": run.epochs[epoch - 1]["weights"],
        "data": digest_of(run),
        **ball,
        "points": settings.points,
        "seed": settings.seed,
    }


def profiles_of(model: Any, part: Dataset, run: Run, settings: StudySettings) -> Json:
    """Profiles around training and test points, and the gap between the errors that their searches
    found.
    """
    ball = run.config.ball
    radii = [factor * ball.radius for factor in RADII]
    inside = RADII.index(1.0)
    answer: Json = {}
    wrong = {}
    for split in ("train", "test"):
        points, labels = getattr(part, f"{split}_points"), getattr(part, f"{split}_labels")
        found = flatness_profile(
            model, points, labels, ball, [0.0, *radii], steps=settings.steps, seed=settings.seed
        )
        wrong[split] = found.wrong[:, inside + 1]
        answer[split] = profile_json(found, inside + 1)
    gap = statistics.difference(wrong["test"].double(), wrong["train"].double())
    return {**answer, "gap": gap.to_json()}


def profile_json(found: FlatnessProfile, inside: int) -> Json:
    """A profile's means beyond radius 0, the error at radius 0, and the contrast."""
    outside = found.radii.index(found.radii[inside] * OUTSIDE)
    gradient = [m.to_json() for m in found.mean("gradient")]
    flat = gradient[inside]["value"] == 0
    return {
        "radii": found.radii[1:],
        **{
            curve: [m.to_json() for m in found.mean(curve)][1:]
            for curve in ("gradient", "change", "wrong")
        },
        "clean_error": statistics.share(found.wrong[:, 0]).to_json(),
        "contrast": None
        if flat
        else found.contrast(found.radii[inside], found.radii[outside]).to_json(),
    }


def read_profile(found: Json) -> Profile:
    """A profile as it is kept."""
    curves = {
        name: [Measured.from_json(m) for m in found[name]]
        for name in ("gradient", "change", "wrong")
    }
    contrast = None if found["contrast"] is None else Measured.from_json(found["contrast"])
    return Profile(
        found["radii"],
        **curves,
        clean_error=Measured.from_json(found["clean_error"]),
        contrast=contrast,
    )


def distances_of(
    model: Any, part: Dataset, run: Run, settings: StudySettings, certified: bool = True
) -> Json:
    """Distances to the boundary by part, up to four training radii, and mu."""
    ball = run.config.ball
    answer: Json = {}
    wrong = {}
    for split in ("train", "test"):
        points, labels = getattr(part, f"{split}_points"), getattr(part, f"{split}_labels")
        found = boundary_distances(
            model,
            points,
            labels,
            ball.p,
            radius=4 * ball.radius,
            seed=settings.seed,
            certified=certified,
        )
        answer[split] = distances_json(found, ball.radius)
        wrong[split] = (found.upper <= ball.radius).double()
    answer["gap"] = statistics.difference(wrong["test"], wrong["train"]).to_json()
    return answer


def distances_json(found: BoundaryDistances, radius: float) -> Json:
    """Distances as lists (None: none was found), and the share of points nearer than the radius."""
    least, most = small_margin(found, radius)
    return {
        "upper": [value if math.isfinite(value) else None for value in found.upper.tolist()],
        "kind": found.upper_kind,
        "lower": None if found.lower is None else found.lower.tolist(),
        "small": [least.to_json(), None if most is None else most.to_json()],
        "wrong": statistics.share(found.upper <= radius, least.kind).to_json(),
    }


# -- f_S beside them -------------------------------------------------------------------------------


def measure_constructed(
    entry: RunStudy,
    partner: RunStudy,
    data: Dataset,
    settings: StudySettings,
    store: Store,
    report: Report,
) -> Constructed:
    """Build f_S from the clean run's network, scaled to margins near 1, and put it beside the
    learned network.
    """
    run, clean_run = entry.run, partner.run
    part, memorized = sampled(data, settings), sampled(data, settings, memorized=True)
    shared = {
        **about(clean_run, clean_run.epoch, settings),
        **{k: about(run, run.epoch, settings)[k] for k in ("norm", "radius")},
    }
    shared |= {"memorized": len(memorized.train_points), "steps": settings.steps}
    held: dict[str, ReLUNetwork] = {}

    def networks() -> dict[str, ReLUNetwork]:
        if not held:
            report(f"{entry.name}: building f_S on {len(memorized.train_points):,} points")
            held.update(build(partner, memorized, run))
        return held

    def constructed() -> Json:
        pair = networks()
        points = memorized.flat()
        proof = certify_memorization(
            pair["f_S"], points.train_points, points.train_labels, run.config.ball
        )
        facts = {
            "memorized": len(points.train_points),
            "proof": proof.verdict,
            "separation": proof.separation,
            "outer": outer_radius(pair["f_S"], run.config.ball),
            "parameters": {name: int(network.size.parameters) for name, network in pair.items()},
        }
        profiles = {}
        for name, network in pair.items():
            report(f"{entry.name}: flatness of {name}")
            profiles[name] = profiles_of(near(network), part, run, settings)
        report(f"{entry.name}: distances of f_clean")
        small = as_network(partner)
        bounded = small is not None and is_small(small)
        return {
            "facts": facts,
            "profiles": profiles,
            "distances": distances_of(pair["f_clean"], part, run, settings, bounded),
        }

    first = store.answer({**shared, "what": "constructed"}, constructed)

    def compared() -> Json:
        report(f"{entry.name}: agreement with f_S")
        return beside(entry, networks(), part, memorized, settings)

    question = {**shared, "what": "compared", "learned": run.epochs[run.epoch - 1]["weights"]}
    second = store.answer(question, compared)
    tables = {
        name: {row: Measured.from_json(m) for row, m in table.items()}
        for name, table in second["agreement"].items()
    }
    profiles = {
        name: {split: read_profile(found[split]) for split in ("train", "test")}
        for name, found in first["profiles"].items()
    }
    return Constructed(
        entry.name,
        partner.name,
        first["facts"],
        profiles,
        {"f_clean": first["distances"]},
        tables,
        second["radial"],
        second["shares"],
    )


def build(partner: RunStudy, memorized: Dataset, run: Run) -> dict[str, ReLUNetwork]:
    """f_clean, times the power of two that brings its median margin nearest to 1 (labels stay), and
    f_S of it.
    """
    network = as_network(partner)
    assert network is not None
    flat = memorized.flat()
    outputs = network(flat.train_points[:1000].float()).double()
    margins = margin_sizes(outputs)
    scale = 2.0 ** -round(math.log2(margins)) if margins > 0 else 1.0
    clean = compose(affine(scale * torch.eye(network.outputs, dtype=torch.float64)), network)
    points, labels = memorized.train_points.flatten(1), flat.train_labels
    apart = separation(points.numpy(), labels.numpy(), norm=run.config.norm)
    built = f_S(  # l_inf: with indicators that are linear in the distance, as the papers'
        clean,
        flat.train_points,
        labels,
        run.config.ball,
        variant="gate" if run.config.norm == math.inf else "lean",
        separation=apart.lower,
    )
    return {"f_clean": clean, "f_S": built}


def near(network: ReLUNetwork) -> Callable[[torch.Tensor], torch.Tensor]:
    """The network at points of any shape; an f_S through the indicators that are not 0 there,
    whatever its size.
    """
    return lambda points: network(points.flatten(1), screened=network.screen is not None)


def margin_sizes(outputs: torch.Tensor) -> float:
    """The median over points of |f|, or of the largest output over the next."""
    if outputs.shape[1] == 1:
        return float(outputs.abs().median())
    top = outputs.topk(2, 1).values
    return float((top[:, 0] - top[:, 1]).median())


def beside(
    entry: RunStudy,
    pair: dict[str, ReLUNetwork],
    part: Dataset,
    memorized: Dataset,
    settings: StudySettings,
) -> Json:
    """Agreement tables, radial profiles and memorization shares of the learned network and f_S."""
    run, ball = entry.run, entry.config.ball
    learned, clean, built = run.model(), pair["f_clean"], near(pair["f_S"])
    exactly = run.model().double()  # attacked points lie next to the boundary, as float64 sees it
    attacked = boundary_distances(
        learned,
        part.train_points,
        part.train_labels,
        ball.p,
        radius=ball.radius,
        restarts=1,
        certified=False,
        seed=settings.seed,
    )
    outer = outer_radius(pair["f_S"], ball)
    groups: dict[str, dict[str, Measured]] = {}
    floats = replace(
        part,
        train_points=as_float(part.train_points, torch.float64),
        test_points=as_float(part.test_points, torch.float64),
    )
    centres = as_float(memorized.train_points, torch.float64)
    groups["by zone"] = agreement_table(
        exactly,
        built,
        centres,
        floats.test_points,
        attacked.nearest,
        ball,
        outer,
        settings.seed,
        settings.points,
    )
    classes = class_groups(part.test_labels, part.outputs)
    groups["clean test points, by class"] = agreement_by_group(
        learned, built, floats.test_points, classes
    )
    reach = boundary_distances(
        clean,
        floats.train_points,
        part.train_labels,
        ball.p,
        radius=3 * ball.radius,
        restarts=1,
        certified=False,
        seed=settings.seed,
    ).upper
    small = {
        "S_small, as far as an attack on f_clean sees": reach < ball.radius,
        "S_large, likewise": reach >= ball.radius,
    }
    groups["attacked training points"] = agreement_by_group(
        exactly, built, attacked.nearest, small, "estimate"
    )
    distance = quantile_groups(reach.clamp_max(3 * ball.radius))
    groups["attacked training points, by distance from f_clean's boundary"] = agreement_by_group(
        exactly, built, attacked.nearest, distance
    )
    groups["with f_clean"] = {"clean test points": agreement(learned, clean, floats.test_points)}
    radii = [k * outer / 12 for k in range(13)]
    part_alone = near(memorization_part(pair["f_S"]))
    radial: Json = {"radii": radii, "kind": "random directions"}
    for split in ("train", "test"):
        points, labels = getattr(floats, f"{split}_points"), getattr(part, f"{split}_labels")
        models = {"learned": learned, "f_clean": clean, "f_S": built, "indicators": part_alone}
        radial[split] = {
            name: [
                m.to_json()
                for m in radial_profile(
                    model, points, labels, ball, radii, directions=1, seed=settings.seed
                )
            ]
            for name, model in models.items()
        }
    shares = {}
    for split in ("train", "test"):
        points = getattr(floats, f"{split}_points")
        found = memorization_share(
            learned, clean, built, points, ball, radii=radii, directions=1, seed=settings.seed
        )
        numbers = {
            name: getattr(found, name)
            for name in ("share", "a", "b", "explained", "by_memorization")
        }
        shares[split] = {name: None if m is None else m.to_json() for name, m in numbers.items()}
        shares[split] |= {"identified": found.count, "points": len(points)}
        shares[split]["median"] = statistics.median(found.shares).to_json() if found.count else None
    tables = {
        name: {row: m.to_json() for row, m in table.items()} for name, table in groups.items()
    }
    return {"agreement": tables, "radial": radial, "shares": shares}
