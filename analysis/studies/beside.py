"""f_S, built on the data of a robust run, beside what that run learned."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

import torch

from constructions import Ball, ReLUNetwork, affine, compose, f_S, separation
from training import Dataset, Run
from training.internal import as_float

from ..behaviour.agreement import (
    agreement,
    agreement_by_group,
    class_groups,
    margin_sizes,
    quantile_groups,
)
from ..behaviour.boundary_distances import boundary_distances
from ..behaviour.memorization_share import memorization_part, memorization_share
from ..behaviour.rays import radial_profile
from ..behaviour.zones import agreement_table, outer_radius
from ..certification.margins import is_small
from ..proofs.memorization import certify_memorization
from ..quantities.measured import Measured
from ..quantities.store import Store
from .answers import PARTS, Distances, Facts, Json, Profiles, Radial, Share
from .profiles import Tell, about, as_network, distances_of, profiles_of, sampled
from .settings import StudySettings
from .study import Constructed, RunStudy


def measure_constructed(
    entry: RunStudy,
    partner: RunStudy,
    data: Dataset,
    settings: StudySettings,
    store: Store,
    tell: Tell,
) -> Constructed:
    """Build f_S from the clean run's network, scaled to margins near 1, and put it beside the
    learned network.
    """
    # Whole, because it is a list of measurements of one network.
    run = entry.run
    part, memorized = sampled(data, settings), sampled(data, settings, memorized=True)
    shared = {
        **about(partner, partner.run.epoch, settings),
        **{k: about(entry, run.epoch, settings)[k] for k in ("norm", "radius")},
    }
    shared |= {"memorized": len(memorized.train_points), "steps": settings.steps}
    held: dict[str, ReLUNetwork] = {}

    def networks() -> dict[str, ReLUNetwork]:
        if not held:
            tell(f"{entry.name}: building f_S on {len(memorized.train_points):,} points")
            held.update(build(partner, memorized, run))
        return held

    def constructed() -> Json:
        pair = networks()
        points = memorized.flat()
        proof = certify_memorization(
            pair["f_S"], points.train_points, points.train_labels, run.config.ball
        )
        facts = Facts(
            memorized=len(points.train_points),
            proof=proof.verdict,
            separation=proof.separation,
            outer=outer_radius(pair["f_S"], run.config.ball),
            parameters={name: int(network.size.parameters) for name, network in pair.items()},
        )
        profiles = {}
        for name, network in pair.items():
            tell(f"{entry.name}: flatness of {name}")
            profiles[name] = profiles_of(near(network), part, run, settings).to_json()
        tell(f"{entry.name}: distances of f_clean")
        small = as_network(partner)
        bounded = small is not None and is_small(small)
        return {
            "facts": asdict(facts),
            "profiles": profiles,
            "distances": distances_of(pair["f_clean"], part, run, settings, bounded).to_json(),
        }

    first = store.answer({**shared, "what": "constructed"}, constructed)

    def compared() -> Json:
        tell(f"{entry.name}: agreement with f_S")
        return beside(entry, networks(), part, memorized, settings)

    question = {**shared, "what": "compared", "learned": entry.recorded.weights[run.epoch - 1]}
    second = store.answer(question, compared)
    tables = {
        name: {row: Measured.from_json(m) for row, m in table.items()}
        for name, table in second["agreement"].items()
    }
    profiles = {name: Profiles.from_json(found).parts for name, found in first["profiles"].items()}
    return Constructed(
        entry.name,
        partner.name,
        Facts(**first["facts"]),
        profiles,
        {"f_clean": Distances.from_json(first["distances"])},
        tables,
        Radial.from_json(second["radial"]),
        {part: Share.from_json(second["shares"][part]) for part in PARTS},
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


def beside(
    entry: RunStudy,
    pair: dict[str, ReLUNetwork],
    part: Dataset,
    memorized: Dataset,
    settings: StudySettings,
) -> Json:
    """Agreement tables, radial profiles and memorization shares of the learned network and f_S."""
    # Whole, because it is a list of measurements of the same models.
    run, ball = entry.run, entry.config.ball
    learned, clean, built = run.model(), pair["f_clean"], near(pair["f_S"])
    exactly = run.model().double()  # attacked points lie next to the boundary, as float64 sees it
    attacked = boundary_distances(
        learned,
        part.train_points,
        part.train_labels,
        ball,
        restarts=1,
        certified=False,
        seed=settings.seed,
    )
    outer = outer_radius(pair["f_S"], ball)
    groups: dict[str, Mapping[str, Measured]] = {}
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
        seed=settings.seed,
        count=settings.points,
    )
    classes = class_groups(part.test_labels, part.outputs)
    groups["clean test points, by class"] = agreement_by_group(
        learned, built, floats.test_points, classes
    )
    reach = boundary_distances(
        clean,
        floats.train_points,
        part.train_labels,
        Ball(ball.p, 3 * ball.radius),
        restarts=1,
        certified=False,
        seed=settings.seed,
    ).upper
    small = {
        "S_small, as far as an attack on f_clean sees": reach < ball.radius,
        "S_large, likewise": reach >= ball.radius,
    }
    groups["attacked training points"] = agreement_by_group(
        exactly, built, attacked.nearest, small, kind="estimate"
    )
    distance = quantile_groups(reach.clamp_max(3 * ball.radius))
    groups["attacked training points, by distance from f_clean's boundary"] = agreement_by_group(
        exactly, built, attacked.nearest, distance
    )
    groups["with f_clean"] = {"clean test points": agreement(learned, clean, floats.test_points)}
    radii = [k * outer / 12 for k in range(13)]
    part_alone = near(memorization_part(pair["f_S"]))
    curves: dict[str, dict[str, list[Measured]]] = {}
    shares = {}
    for split in PARTS:
        points, labels = getattr(floats, f"{split}_points"), getattr(part, f"{split}_labels")
        models = {"learned": learned, "f_clean": clean, "f_S": built, "indicators": part_alone}
        curves[split] = {
            name: radial_profile(
                model, points, labels, ball, radii, directions=1, seed=settings.seed
            )
            for name, model in models.items()
        }
        found = memorization_share(
            learned, clean, built, points, ball, radii=radii, directions=1, seed=settings.seed
        )
        shares[split] = Share.of(found, len(points)).to_json()
    tables = {
        name: {row: m.to_json() for row, m in table.items()} for name, table in groups.items()
    }
    return {"agreement": tables, "radial": Radial(radii, curves).to_json(), "shares": shares}
