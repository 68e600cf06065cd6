"""What a constructed classifier guarantees on its training balls, from its thresholds and the measured separation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import torch

from constructions import Ball, ReLUNetwork, fingerprint, separation
from training import margin

from .reading import read_labelled, read_network


@dataclass(frozen=True)
class Guarantee:
    """A proof's inputs and result: on every ball around the `points` points the margin is at least `margin`.

    separation: the least distance between points of different labels, measured on all pairs. inner, outer: thresholds of
    the indicators (of the distance for l_inf, of its square for l_2).
    """

    points: int
    margin: float
    separation: float
    separation_exact: bool
    inner: float
    outer: float


def memorization_guarantee(network: ReLUNetwork, points: torch.Tensor, labels: torch.Tensor, ball: Ball) -> Guarantee:
    """Certify that f_S gives labels[i] on the whole ball B_p(points[i], radius), for all i; nothing is sampled.

    The indicator of a point is 1 up to `inner` >= radius (plus the distance network's error) and 0 from `outer` <=
    separation - radius on, so on a ball the own class is on and every other off. Thresholds come from the network's
    provenance and are compared in exact rationals with the separation, which is measured here again; the points and labels
    must be those that the network memorizes (bit for bit: provenance has their hash), and its value at every centre is
    checked too. Raises ValueError if the network is not an f_S or a condition fails, naming it.
    """
    network = read_network(network)
    points, labels = read_labelled(network, points, labels)
    origin = network.provenance
    if origin is None or origin.lemma is None or origin.lemma.name != "f_S":
        raise ValueError("network must be built by f_S: its provenance carries the thresholds")
    facts = origin.arguments
    if facts["N"] != len(points):
        raise ValueError(f"network memorizes {facts['N']} points, got {len(points)}")
    if Ball(facts["norm"], 0.0).p != ball.p:
        raise ValueError(f"network was built for l_{facts['norm']} balls, got an {ball}")
    power = 1 if ball.p == math.inf else 2
    found = separation(points.numpy(), labels.numpy(), norm=ball.p)
    inner, outer, radius = Fraction(facts["inner"]), Fraction(facts["outer"]), Fraction(ball.radius)
    if inner < radius**power + Fraction(facts["distance_error"]) + Fraction(1, 2**49):
        raise ValueError(f"inner threshold {float(inner)} is below what radius {ball.radius:g} needs")
    if math.isfinite(found.distance):
        far = Fraction(found.lower) - radius
        if far <= 0 or outer > far**power - Fraction(1, 2**49):
            raise ValueError(f"outer threshold {float(outer)} exceeds separation - radius for separation {found.distance:.6g}")
    least = 0.75 if facts["variant"] == "paper" else 1.0
    if fingerprint(points, labels) != facts["data"]:
        raise ValueError("network memorizes other points or labels than the given ones (their hash differs)")
    at_centres = margin(network(points), labels)
    if not (at_centres >= least - 1e-6).all():
        i = int(at_centres.argmin())
        raise ValueError(f"network does not give the label of point {i}: margin {float(at_centres[i]):.6g} at its centre")
    return Guarantee(len(points), least, found.distance, found.exact, float(inner), float(outer))
