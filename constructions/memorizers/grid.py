"""The memorizer of cells: planes between the balls, and the bits of few weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..basics.ball import Ball, check_ball
from ..basics.norms import norm_name
from ..capacity.interpolation import telling_coordinates
from ..classifiers.memorizer import fingerprint
from ..linear.affine import Affine
from ..nearness.separation import separation
from ..networks.calculus import affine, compose
from ..networks.network import ReLUNetwork
from ..networks.statements import implements, record
from .bit_table import affine_of
from .line import memorizer
from .planes import Plane, directions, reach, telling_planes
from .reading import read_data


@implements(
    "this library; cells and bit extraction as in Kim, Moon and Yun 2025, Theorem 4.2 (i)",
    "planes between all balls cut space into cells of one label; steps at the planes make a cell a "
    "row of bits, and the rows are memorized by bit extraction",
    depth="table_depth + 2",
    parameters="first + 5*planes + table",
)
def grid_memorizer(points: Any, labels: Any, ball: Ball, *, projection: Any = None) -> ReLUNetwork:
    """Build a network that has each point's label on its whole ball, by cells between planes.

    Planes <w, x> = t are chosen that no ball meets, until points on the same sides of all of them
    have the same label. Ramps beside the planes are 0 or 1 on each ball, *exactly*; these bits are
    points of {0,1}^planes, whose labels `memorizer` has. So f is exactly the label on every ball
    for labels -1 and +1, the one-hot row for two classes, and f_y >= f_k + 1/4 for K >= 3 classes.

    About 2 log2 N planes that halve the points tell N of them apart, as a random pair of them is on
    the same side of a plane with probability 1/2. In few dimensions near points need planes of
    their own. The radius that allows this falls as log N / N, as N points leave no wider gaps.

    Args:
        points: (N, D), real numbers; equal ones count once.
        labels: (N,), -1 and +1, or 0..K-1, each at least once.
        ball: norm and radius.
        projection: directions w that may be used, integers (R, D); None: the coordinates, and
            random ones of small integers.

    Returns:
        A `ReLUNetwork` D -> 1 or D -> K. Its provenance has `rho`, the radius in units of half the
        separation, and `paper`, up to which the paper's own grid goes.

    Raises:
        ValueError: for shapes that do not fit, a projection of other numbers, one label only, equal
            points of different labels, and a ball so large that there are too few planes.

    Cost: first + 5 planes + `memorizer` of the cells; first: the weights of the directions that are
    used. Building takes R (N log N + 2^15) operations for a plane, and N^2 D for the separation.

    Source: this library, which takes planes anywhere where Kim, Moon and Yun 2025 (Theorem 4.2,
    Appendix B) take the floor of a projection: they have O~(sqrt N) parameters for rho <= 1 / (5 N
    sqrt D) in l_2, and 1 / (5 N D) in l_inf.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> x, y = generator.random((300, 20)), generator.choice([-1, 1], 300)
        >>> f = grid_memorizer(x, y, Ball(2, 0.0005))
        >>> facts = f.provenance.arguments
        >>> f.size.parameters < 1000, facts["planes"] < 30, facts["rho"] > 4 * facts["paper"]
        (True, True, True)
        >>> bool((f.exact(x)[:, 0] == y).all())
        True
    """
    check_ball(ball)
    data = read_data(points, labels, None)
    count, dimension = data.points.shape
    rows = read_projection(projection, dimension)
    planes, sides = telling_planes(data.points, data.classes, rows, ball)
    chosen = sorted(telling_coordinates(sides))
    first, ramps = _layers(data.points, [planes[k] for k in chosen], rows, ball)
    given = 2 * data.classes - 1 if data.outputs == 1 else data.classes
    table = memorizer(sides[:, chosen], given)
    read = affine_of([({2 * k: 1, 2 * k + 1: -1}, 0) for k in range(len(chosen))], 2 * len(chosen))
    network = compose(table, ReLUNetwork((first, ramps, read)))
    half = separation(data.points, data.classes, norm=ball.p).lower / 2
    return record(
        network,
        N=count,
        planes=len(chosen),
        first=first.parameters,
        table=table.size.parameters,
        table_depth=table.size.depth,
        rho=ball.radius / half,
        paper=1 / (5 * count * (math.sqrt(dimension) if ball.p == 2 else dimension)),
        norm=norm_name(ball.p),
        data=fingerprint(data.points, data.classes),
    )


def read_projection(projection: Any, dimension: int) -> np.ndarray:
    """Directions as integers (R, D)."""
    if projection is None:
        return directions(dimension)
    rows = np.asarray(projection)
    if rows.ndim != 2 or rows.shape[1] != dimension or not len(rows):
        raise ValueError(
            f"projection must have shape (R, {dimension}) with R >= 1, got {rows.shape}"
        )
    whole = rows.astype(np.float64)
    if not (np.isfinite(whole).all() and (whole == np.rint(whole)).all()):
        raise ValueError("projection must be integers: multiply its rows by a power of ten")
    if not (np.abs(whole).max() < 2**20 and whole.any(1).all()):
        raise ValueError("projection must have integers below 2^20, and no row of zeros")
    return whole.astype(np.int64)


def _layers(
    points: np.ndarray, planes: list[Plane], rows: np.ndarray, ball: Ball
) -> tuple[Affine, Affine]:
    """Units of the directions, moved so that they are >= 0 on the balls, and two units a plane:
    their difference is the ramp.
    """
    used = sorted({plane.row for plane in planes})
    images = affine(rows[used].tolist()).exact(points)
    units, shifts = [], {}
    for k, r in enumerate(used):
        shifts[r] = max(0, math.ceil(reach(rows[r], ball) - min(images[:, k])))
        weights = {j: int(rows[r, j]) for j in np.flatnonzero(rows[r]).tolist()}
        units.append((weights, shifts[r]))
    ramps = []
    for plane in planes:
        knot = (plane.start + shifts[plane.row]) / plane.width
        form = {used.index(plane.row): 1 / plane.width}
        ramps += [(form, -knot), (form, -knot - 1)]
    return affine_of(units, points.shape[1]), affine_of(ramps, len(used))
