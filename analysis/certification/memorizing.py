"""What is proved of balls of a memorizing network without a search."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from constructions import Ball, ReLUNetwork, localize
from constructions.internal import Flags, Labels, Points, RowNumbers

from ..proofs.memorization import certify_memorization
from .margins import certified_margins, is_small


def proved_at_once(network: ReLUNetwork, points: Points, labels: Labels, ball: Ball) -> Flags:
    """Around which points a network is proved right on the whole ball.

    Balls of points that it memorizes: all together, from its thresholds and their separation.
    Others: near them the network is f_clean, or a small one with the centres near them, of whose
    units there are linear bounds. Of a network without a screen nothing is proved.
    """
    proved = memorized(network, points, labels, ball)
    rest = (~proved).nonzero()[:, 0]
    if network.screen is None or not len(rest):
        return proved
    for rows, local in near(network, points[rest], ball):
        chosen = rest[rows]
        proved[chosen] = certified_margins(local, points[chosen], labels[chosen], ball) > 0
    return proved


def memorized(network: ReLUNetwork, points: Points, labels: Labels, ball: Ball) -> Flags:
    """Which points are centres of the network, with their labels, if it is proved right on the
    balls of all of these; none where f_clean was rounded when it was read.
    """
    found = torch.zeros(len(points), dtype=torch.bool)
    if network.screen is None or not (network.origin is None or network.origin.is_exact):
        return found
    parts = network.screen.parts()
    own = dict(zip(map(tuple, parts.centres.tolist()), parts.labels.tolist(), strict=True))
    rows = zip(map(tuple, points.tolist()), labels.tolist(), strict=True)
    found |= torch.tensor([own.get(point) == label for point, label in rows], dtype=torch.bool)
    if found.any() and (
        parts.facts["p"] != str(ball.p)
        or certify_memorization(network, parts.centres, parts.labels, ball).verdict != "proved"
    ):
        found[:] = False
    return found


def near(
    network: ReLUNetwork, points: Points, ball: Ball
) -> Iterator[tuple[RowNumbers, ReLUNetwork]]:
    """As `localize`: groups of points whose networks are small, single points where the group's is
    large, and none where that of a point is.
    """
    for rows, local in localize(network, points, ball):
        if is_small(local):
            yield rows, local
            continue
        for row in rows.split(1):
            ((_, alone),) = localize(network, points[row], ball)
            if is_small(alone):
                yield row, alone
