"""The smallest network that is known to have the labels on all balls."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..basics.ball import Ball, check_ball
from ..classifiers.memorization import f_S
from ..linear.matrix import zeros
from ..networks.calculus import affine
from ..networks.network import ReLUNetwork
from ..networks.provenance import Provenance
from ..networks.statements import implements
from .grid import grid_memorizer
from .line import memorizer
from .narrow import narrow_memorizer
from .nearest import nearest_neighbour
from .projected import projected_memorizer
from .reading import read_data
from .staged import staged_grid_memorizer

CANDIDATES: dict[str, Callable[[Any, Any, Ball], ReLUNetwork]] = {
    "memorizer": lambda points, labels, ball: memorizer(points, labels, ball=ball),
    "grid_memorizer": grid_memorizer,
    "staged_grid_memorizer": staged_grid_memorizer,
    "projected_memorizer": projected_memorizer,
    "nearest_neighbour": nearest_neighbour,
    "narrow_memorizer": narrow_memorizer,
    "f_S": lambda points, labels, ball: _f_S(points, labels, ball),
}
"""What is built and compared; each raises ValueError, with the reason, where it is not right."""


@implements(
    "this library",
    "of all constructions whose certificate accepts the balls, the one with the fewest parameters",
)
def robust_memorizer(points: Any, labels: Any, ball: Ball) -> ReLUNetwork:
    """Build the smallest known network that has the label of each point on its whole ball.

    All constructions of `CANDIDATES` are tried: `memorizer` on intervals of a line, for very small
    balls; `grid_memorizer` on cells between planes, for small ones; `staged_grid_memorizer`, on
    cells of several lattices, for larger ones; `nearest_neighbour`, with a projection or without;
    `narrow_memorizer`, box by box; and `f_S` of the clean classifier 0.
    Each checks, in exact arithmetic, that it is right on all balls, or says why it is not. The
    provenance names the one that was chosen, and the size of each of the others, or its reason
    ("why"). Never larger than f_S where that exists.

    Args:
        points: (N, D) in [0,1]; equal ones count once.
        labels: (N,), -1 and +1, or 0..K-1, each at least once.
        ball: norm and radius, below half the separation.

    Returns:
        A `ReLUNetwork` D -> 1 or D -> K: on all balls, within [0,1]^D, it has the label's sign, or
        its largest output is the label's.

    Raises:
        ValueError: where none is right, with the reasons; for shapes that do not fit, points
            outside [0,1], one label only, and equal points of different labels.

    Cost: that of building all of them: N^2 D operations.

    Source: this library. What is known of the least size: Kim, Moon and Yun 2025.

    Example:
        >>> points, labels = [[0.25, 0.5], [0.75, 0.5], [0.5, 1.0]], [1, -1, 1]
        >>> f = robust_memorizer(points, labels, Ball(2, 0.2))
        >>> f.provenance.arguments["chosen"]
        'narrow_memorizer'
        >>> print(f.provenance.arguments["why"])
        memorizer: ball must be smaller: the points are not told apart on a line, got l_2 ball of
        radius 0.2; grid_memorizer: 63 parameters; staged_grid_memorizer: 80 parameters;
        projected_memorizer: ball must be smaller: no projection to 1 dimensions that was drawn
        keeps balls of different labels apart, got l_2 ball of radius 0.2; nearest_neighbour: 18
        parameters; narrow_memorizer: 17 parameters; f_S: 110 parameters
    """
    check_ball(ball)
    data = read_data(points, labels)
    given = 2 * data.classes - 1 if data.outputs == 1 else data.classes
    built: dict[str, ReLUNetwork] = {}
    said: dict[str, str] = {}
    heard: dict[str, list[warnings.WarningMessage]] = {}
    for name, build in CANDIDATES.items():
        try:
            with warnings.catch_warnings(record=True) as heard[name]:
                warnings.simplefilter("always")  # of the chosen one, they are passed on
                built[name] = build(data.points, given, ball)
            said[name] = f"{built[name].size.parameters:,} parameters"
        except ValueError as error:
            said[name] = str(error)
    why = "; ".join(f"{name}: {text}" for name, text in said.items())
    if not built:
        first = f"f_S: {said.pop('f_S')}"  # which fails from half the separation on
        why = "; ".join([first, *(f"{name}: {text}" for name, text in said.items())])
        raise ValueError(f"ball must be smaller: no construction is right on all balls ({why})")
    chosen = min(built, key=lambda name: built[name].size.parameters)
    for warning in heard[chosen]:
        warnings.warn(warning.message, stacklevel=2)
    network, part = built[chosen], built[chosen].provenance
    facts = {"N": len(data.points), "chosen": chosen, "why": why}
    return replace(network, provenance=Provenance(None, facts, ((1, part),) if part else ()))


def _f_S(points: Any, labels: Any, ball: Ball) -> ReLUNetwork:  # noqa: N802 - the papers' name
    """f_S of the clean classifier 0."""
    outputs = 1 if min(labels) < 0 else int(max(labels)) + 1
    return f_S(affine(zeros(outputs, points.shape[1])), points, labels, ball)
