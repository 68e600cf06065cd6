"""The staged memorizer of cells: points in stages, a fold's band shut by a gate in each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..basics.ball import Ball, check_ball
from ..basics.norms import norm_name
from ..classifiers.memorizer import fingerprint
from ..linear.affine import Affine
from ..nearness.separation import separation
from ..networks.calculus import affine
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record
from .bit_table import affine_of
from .folds import Stage, next_stage
from .grid import read_projection
from .planes import reach
from .reading import Data, read_data
from .stage import Built, Row, beside

PRICE = 0.0015
"""What a parameter may cost when folds are chosen, in shares of the points of a stage."""

STAGES = 64
"""Most stages."""


@implements(
    "this library; stages and cells as in Kim, Moon and Yun 2025, Theorem 4.2 (ii), where an error "
    "remains",
    "points are split into stages; each tells its own from all balls of other labels by folds and "
    "bit extraction, and a gate shuts it where a ball crosses a fold",
    depth="2*levels + table_depth + 2",
    parameters="first + 10*folds + bits + 4*inner + tables + carried + stages + rest",
)
def staged_grid_memorizer(
    points: Any, labels: Any, ball: Ball, *, projection: Any = None
) -> ReLUNetwork:
    """Build a network that has each point's label on its whole ball, by cells of several lattices.

    `grid_memorizer` needs planes that no ball meets, which larger balls do not leave. Here the
    points of all labels but the most frequent are split into stages of one label each. The folds of
    a stage, T -> q - |T - q| on some directions, miss its own balls only. Which side of each fold
    x is on is a row of bits, and `memorizer` has v = 1 for the rows of its own balls and 0 for all
    rows that a ball of another label meets.

    The folds of a direction are a lattice, and next to its planes bits are neither 0 nor 1. There
    a gate r(1 - distance / w) is 1 for each plane that is near, so o = r(v - sum of gates) is 0; a
    stage is thus in [0, 1] on balls of its label, 1 on its own, and 0 on all others, where none of
    it is left to chance. With u = r(1 - sum of o) of a label, f is *exactly* the label on every
    ball for labels -1 and +1, and the one-hot row for labels 0..K-1.

    Args:
        points: (N, D), real numbers; equal ones count once.
        labels: (N,), -1 and +1, or 0..K-1, each at least once.
        ball: norm and radius.
        projection: directions that may be used, integers (R, D); None: the coordinates, and random
            ones of small integers.

    Returns:
        A `ReLUNetwork` D -> 1 or D -> K. Its provenance has `rho`, the radius in units of half the
        separation, and `paper`, up to which the theorem goes.

    Raises:
        ValueError: for shapes that do not fit, a projection of other numbers, one label only, equal
            points of different labels, and a ball so large that a stage has no point, or that there
            would be more than 64 stages.

    Cost: a fold takes 10 parameters and one more for its bit, 4 where another one follows; stages
    have a `memorizer` each, and a parameter for each of its layers. The theorem's rate O~(N D^(1/4)
    rho^(1/2)) comes from stages of k = 1 / (5 rho sqrt D) points, of O~(sqrt k) parameters. Here
    folds are chosen one after another, so that few points are lost for many that are told apart: on
    random points a stage then has a large share of all, and the count was at most 8 N D^(1/4)
    rho^(1/2) log2 N. That this or the rate holds for all points is not proved. Building takes N^2
    operations a fold, and N^2 D for the separation.

    Source: this library. Kim, Moon and Yun 2025 (Theorem 4.2 (ii), Appendix B) take the floors of a
    projection in each stage, for rho from 1 / (5 N sqrt D) to 1 / (5 sqrt D) in l_2, and are right
    but for a share of each ball, beside the planes.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> x, y = generator.random((100, 20)), generator.choice([-1, 1], 100)
        >>> f = staged_grid_memorizer(x, y, Ball(2, 0.03))
        >>> facts = f.provenance.arguments
        >>> f.size.parameters < 1000, facts["stages"], facts["rho"] > facts["paper"]
        (True, 2, True)
        >>> bool((f.exact(x)[:, 0] == y).all())
        True
    """
    check_ball(ball)
    data = read_data(points, labels, None)
    count, dimension = data.points.shape
    rows = read_projection(projection, dimension)
    kinds = np.argsort(-np.bincount(data.classes, minlength=data.count), kind="stable").tolist()
    shifts, chosen = _stages(data, kinds, rows, ball)
    used = sorted({fold.row for _, stage in chosen for fold in stage.folds})
    first = affine_of(
        [({j: int(rows[r, j]) for j in np.flatnonzero(rows[r]).tolist()}, shifts[r]) for r in used],
        dimension,
    )
    index = {r: k for k, r in enumerate(used)}
    built = [Built.of(stage, index) for _, stage in chosen]
    deepest = max(built, key=lambda one: len(one.layers))
    depth = len(deepest.layers)
    network = ReLUNetwork(
        (first, *beside(built, depth, len(used)), *_read(data, kinds, [c for c, _ in chosen]))
    )
    half = separation(data.points, data.classes, norm=ball.p).lower / 2
    stored = len(kinds) - 1
    return record(
        network,
        N=count,
        stages=len(chosen),
        first=first.parameters,
        folds=sum(len(stage.folds) for _, stage in chosen),
        bits=sum(one.bits for one in built),
        inner=sum(one.inner for one in built),
        tables=sum(one.table for one in built),
        carried=sum(one.carried + depth - len(one.layers) for one in built),
        rest=3 if data.outputs == 1 else 4 * stored + (stored > 1),
        levels=deepest.levels,
        table_depth=depth - 2 * deepest.levels,
        rho=ball.radius / half,
        paper=1 / (5 * (math.sqrt(dimension) if ball.p == 2 else dimension)),
        norm=norm_name(ball.p),
        data=fingerprint(data.points, data.classes),
    )


def _stages(
    data: Data, kinds: Sequence[int], rows: np.ndarray, ball: Ball
) -> tuple[list[Fraction], list[tuple[int, Stage]]]:
    """What is added to directions so that they are >= 0 on balls, and stages with their classes."""
    reaches = np.array([float(reach(row, ball)) * (1 + 2.0**-50) for row in rows])
    images = affine(rows.tolist()).exact(data.points)
    least, most = images.min(0), images.max(0)
    shifts = []
    for low, high, far in zip(least.tolist(), most.tolist(), reaches.tolist(), strict=True):
        unit = Fraction(2) ** (math.frexp(float(high - low) + far or 1.0)[1] - 6)
        shifts.append(unit * (math.ceil((Fraction(far) - low) / unit) + 1))
        shifts[-1] += unit * (shifts[-1] == 0)
    places = (images + np.array(shifts, dtype=object)).astype(np.float64)
    prices = (rows != 0).sum(1) + 1.0
    generator = np.random.default_rng(0)
    found: list[tuple[int, Stage]] = []
    for kind in kinds[1:]:
        left, other = np.flatnonzero(data.classes == kind), places[data.classes != kind]
        while len(left):
            stage = next_stage(places[left], other, reaches, prices, generator, PRICE)
            if stage is None or len(found) + len(left) / len(stage.points) > STAGES:
                raise ValueError(
                    f"ball must be smaller: of {len(left)} points of one label, folds tell "
                    f"{len(stage.points) if stage else 0} from the balls of others, and there are "
                    f"at most {STAGES} stages, got {ball}"
                )
            prices[[fold.row for fold in stage.folds]] = 0
            found.append((kind, stage))
            left = np.delete(left, stage.points)
    return shifts, found


def _read(data: Data, kinds: Sequence[int], owners: Sequence[int]) -> tuple[Affine, Affine]:
    """From o of each stage, u = r(1 - sum of o) for each stored class, and the outputs."""
    stored = list(kinds[1:])
    sums = [({g: -1 for g, owner in enumerate(owners) if owner == kind}, 1) for kind in stored]
    if data.outputs == 1:
        sign = 1 if stored[0] else -1
        rows: list[Row] = [({0: -2 * sign}, sign)]
    else:
        wanted: dict[int, Row] = {kind: ({k: -1}, 1) for k, kind in enumerate(stored)}
        wanted[kinds[0]] = dict.fromkeys(range(len(stored)), 1), 1 - len(stored)
        rows = [wanted[kind] for kind in range(data.outputs)]
    return affine_of(sums, len(owners)), affine_of(rows, len(stored))
