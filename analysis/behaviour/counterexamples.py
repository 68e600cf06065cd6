"""Errors found in balls by projected gradient descent, and checked again without rounding."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from constructions import Ball, Progress, ReLUNetwork, interval_bounds, localize
from constructions.internal import Flags, Labels, Points, Report
from training import output_margin, pgd, project

ATTACKED = 2**19
"""Numbers of the points that are attacked at once; of more, each step waits for memory."""


@dataclass(frozen=True)
class Search:
    """How an attack searches, and what it reports to."""

    steps: int
    restarts: int
    generator: torch.Generator
    report: Report

    def __call__(self, network: ReLUNetwork, points: Points, labels: Labels, ball: Ball) -> Points:
        """The strongest point that projected gradient descent finds in each ball, in float32."""

        def objective(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return -output_margin(outputs, target)

        return pgd(
            network,
            points.float(),
            labels,
            ball,
            objective,
            steps=self.steps,
            restarts=self.restarts,
            generator=self.generator,
            report=self.report,
        )


def attacked(
    network: ReLUNetwork,
    points: Points,
    labels: Labels,
    ball: Ball,
    starts: tuple[torch.Tensor, ...],
    chosen: Flags,
    search: Search,
) -> tuple[Points, Flags]:
    """The strongest point found in each ball, and which of them are re-checked errors; only those
    chosen are searched, elsewhere points and starts alone are tried. `ATTACKED` numbers at a time.
    """
    count = max(1, ATTACKED // points.shape[1])
    if len(points) > count:
        firsts, parts = range(0, len(points), count), []
        for k, first in enumerate(firsts):

            def report(told: Progress, k: int = k) -> None:
                total = told.total or 1
                search.report(Progress(told.stage, k * total + told.done, len(firsts) * total))

            rows = slice(first, first + count)
            here = tuple(start[rows] for start in starts)
            some = replace(search, report=report)
            parts.append(
                attacked(network, points[rows], labels[rows], ball, here, chosen[rows], some)
            )
        return torch.cat([found for found, _ in parts]), torch.cat([wrong for _, wrong in parts])
    adversarial = points.clone()
    if chosen.any():
        found = search(network, points[chosen], labels[chosen], ball)
        adversarial[chosen] = project(found.double(), points[chosen], ball)
    value = output_margin(network(adversarial), labels)
    for start in (points, *starts):
        candidate = project(start.double().cpu(), points, ball)
        candidate_value = output_margin(network(candidate), labels)
        better = candidate_value < value
        adversarial = torch.where(better[:, None], candidate, adversarial)
        value = torch.where(better, candidate_value, value)
    refuted = value <= 0
    if refuted.any():
        refuted[refuted.clone()] = certainly_wrong(network, adversarial[refuted], labels[refuted])
    return adversarial, refuted


def certainly_wrong(network: ReLUNetwork, points: Points, labels: Labels) -> Flags:
    """For which points the margin is <= 0 whatever the rounding: from enclosures of the outputs at
    each point.

    An output of exactly 0 counts as an error only if its enclosure is [0, 0], so ties may be
    missed, never invented.

    >>> from constructions import affine
    >>> certainly_wrong(affine([[1.0]]), torch.tensor([[0.5], [-0.5]]), torch.tensor([1, 1]))
    tensor([False,  True])
    """
    low, high = (torch.empty(len(points), network.outputs, dtype=torch.float64) for _ in range(2))
    for rows, local in localize(network, points):
        low[rows], high[rows] = interval_bounds(local, (points[rows], points[rows]))
    if network.outputs == 1:
        worst = torch.where(labels > 0, high[:, 0], -low[:, 0])
        return worst <= 0
    own = high.gather(1, labels[:, None])[:, 0]
    others = low.scatter(1, labels[:, None], -torch.inf).amax(1)
    return own <= others
