"""What is measured of one run's networks: profiles and class regions over epochs, distances of the
last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from constructions import Ball, ReLUNetwork
from training import Dataset, Run

from ..behaviour.boundary_distances import boundary_distances
from ..behaviour.errors import robust_error
from ..behaviour.flatness import flatness_profile
from ..behaviour.planes import PlaneRegions, plane_regions
from ..quantities import statistics
from ..quantities.measured import Measured, ShareBounds
from ..quantities.store import Store
from .answers import (
    PARTS,
    Distances,
    Json,
    PartDistances,
    Profile,
    Profiles,
    kept_optional,
    read_optional,
)
from .settings import StudySettings
from .study import RADII, RunStudy

Tell = Callable[[str], None]
"""Says what is measured next."""


def measure_run(
    entry: RunStudy, data: Dataset, settings: StudySettings, store: Store, tell: Tell
) -> RunStudy:
    """The run with profiles of the chosen epochs, and distances to the boundary of the last."""
    if not entry.robust:
        return entry
    part, run = sampled(data, settings), entry.run
    for epoch in epochs_of(run, settings.epochs):
        tell(f"{entry.name}: flatness, epoch {epoch}")
        question = {**about(entry, epoch, settings), "what": "profile", "steps": settings.steps}

        def profiles(epoch: int = epoch) -> Json:
            return profiles_of(run.model(epoch), part, run, settings).to_json()

        found = Profiles.from_json(store.answer(question, profiles))
        entry.profiles[epoch], entry.gaps[epoch] = found.parts, found.gap
    if settings.planes:
        measure_planes(entry, data, settings, store, tell)
    tell(f"{entry.name}: distances to the boundary")
    question = {**about(entry, run.epoch, settings), "what": "distances"}
    kept = store.answer(question, lambda: distances_of(run.model(), part, run, settings).to_json())
    entry = replace(entry, distances=Distances.from_json(kept))
    for split in PARTS if settings.certify_seconds else ():
        bounds = robust_errors_of(entry, part, split, settings, store, tell)
        if bounds is not None:
            entry.robust_errors[split] = bounds
    return entry


def measure_planes(
    entry: RunStudy, data: Dataset, settings: StudySettings, store: Store, tell: Tell
) -> None:
    """Class regions on planes in the chosen epochs; nothing where the network is not read as affine
    layers and ReLU, where points lie on a line, and where there are too many cells.
    """
    if as_network(entry) is None:
        return
    flat = data.flat()
    for epoch in epochs_of(entry.run, settings.epochs):
        tell(f"{entry.name}: class regions on planes, epoch {epoch}")
        question = {**about(entry, epoch, settings), "what": "planes", "planes": settings.planes}
        network = ReLUNetwork.from_module(entry.run.model(epoch), entry.recorded.data.shape)

        def count(network: ReLUNetwork = network) -> Json:
            try:
                points, labels = flat.train_points, flat.train_labels
                found = plane_regions(network, points, labels, settings.planes, settings.seed)
            except (ValueError, RuntimeError) as error:
                return {"not counted": str(error)}
            return found.to_json()

        kept = store.answer(question, count)
        if "not counted" in kept:
            return
        entry.planes[epoch] = PlaneRegions.from_json(kept)


def robust_errors_of(
    entry: RunStudy, part: Dataset, split: str, settings: StudySettings, store: Store, tell: Tell
) -> ShareBounds | None:
    """Between which bounds the robust error of a run's last network lies on training or test
    points; None if the network is not read as affine layers and ReLU.

    Proofs are kept in a certificate of their own, from which one with more time goes on.
    """
    network, ball = as_network(entry), entry.config.ball
    if network is None:
        return None
    question = {
        **about(entry, entry.run.epoch, settings),
        "what": "robust error",
        "part": split,
        "steps": settings.steps,
    }
    proofs = store.path(question, "-proofs.json")

    def decide() -> Json:
        flat = part.flat()
        found = robust_error(
            network,
            getattr(flat, f"{split}_points"),
            getattr(flat, f"{split}_labels"),
            ball,
            steps=settings.steps,
            seed=settings.seed,
            max_seconds=settings.certify_seconds,
            certificate=proofs,
            report=lambda told: tell(f"{entry.name}: {PARTS[split]} points, {told.stage}"),
        )
        return {"lower": found.lower.to_json(), "upper": kept_optional(found.upper)}

    found = store.answer({**question, "seconds": settings.certify_seconds}, decide)
    return ShareBounds(Measured.from_json(found["lower"]), read_optional(found["upper"]))


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


def about(entry: RunStudy, epoch: int, settings: StudySettings) -> Json:
    """What tells one measurement of a network from another."""
    ball = {"norm": str(entry.config.norm), "radius": entry.config.radius}
    return {
        "weights": entry.recorded.weights[epoch - 1],
        "data": digest_of(entry),
        **ball,
        "points": settings.points,
        "seed": settings.seed,
    }


def digest_of(entry: RunStudy) -> str:
    """What tells data sets apart: the digest of the points and the task."""
    return f"{entry.recorded.data.sha256} {entry.config.task}"


def as_network(entry: RunStudy) -> ReLUNetwork | None:
    """The run's network of affine layers and ReLU, if it is one."""
    try:
        return ReLUNetwork.from_module(entry.run.model(), entry.recorded.data.shape)
    except (TypeError, ValueError):
        return None


def profiles_of(model: Any, part: Dataset, run: Run, settings: StudySettings) -> Profiles:
    """Profiles around training and test points, and the gap between the errors that their searches
    found.
    """
    ball = run.config.ball
    radii = [0.0, *(factor * ball.radius for factor in RADII)]
    inside = RADII.index(1.0) + 1
    profiles, wrong = {}, {}
    for split in PARTS:
        points, labels = getattr(part, f"{split}_points"), getattr(part, f"{split}_labels")
        found = flatness_profile(
            model, points, labels, ball, radii, steps=settings.steps, seed=settings.seed
        )
        wrong[split] = found.wrong[:, inside].double()
        profiles[split] = Profile.of(found, inside)
    return Profiles(profiles, statistics.difference(wrong["test"], wrong["train"]))


def distances_of(
    model: Any, part: Dataset, run: Run, settings: StudySettings, certified: bool = True
) -> Distances:
    """Distances to the boundary by part, up to four training radii, and mu."""
    ball = run.config.ball
    distances, wrong = {}, {}
    for split in PARTS:
        points, labels = getattr(part, f"{split}_points"), getattr(part, f"{split}_labels")
        found = boundary_distances(
            model,
            points,
            labels,
            Ball(ball.p, 4 * ball.radius),
            seed=settings.seed,
            certified=certified,
        )
        distances[split] = PartDistances.of(found, ball.radius)
        wrong[split] = (found.upper <= ball.radius).double()
    return Distances(distances, statistics.difference(wrong["test"], wrong["train"]))
