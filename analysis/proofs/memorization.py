"""Proof that a constructed classifier gives the label on every training ball, from the weights it
really has.

Provenance only says what to look for. The layers are compared with those that the theorem speaks
of, biases that float64 had to round are bounded, f_clean's rows are cut out and bounded again, and
the theorem's inequalities are checked in rational numbers. What cannot be proved is searched for a
point that refutes it, replayed exactly.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.sparse
import torch

from constructions import (
    CONTRACTS,
    HERE,
    VARIANTS,
    Affine,
    Ball,
    Block,
    Constant,
    Dense,
    Engine,
    Matrix,
    RangeSearch,
    ReLUNetwork,
    Result,
    Said,
    Separation,
    Sparse,
    affine,
    delay,
    magnitude_bound,
    memorizer,
    replacing,
    said,
    same,
    separation,
    structure_digest,
    write_file,
)
from training import differentiating, margin

from ..quantities.reading import check_cube, read_labelled, read_network

UNIT_ROUNDOFF = Fraction(1, 2**53)
"""A float64 sum differs from the sum by at most this part of the result."""

EMBEDDED = 500_000
"""Most nonzero weights that a certificate carries; beyond, it has digests of the network and of the
points.
"""

FORMAT, BALLS = "cgro memorization certificate 1", "cgro balls certificate 1"


@dataclass(frozen=True, eq=False, repr=False)
class MemorizationProof(Result):
    """The verdict on: margin > 0 on B_p(points[i], radius) intersected with [0,1]^D for every i, in
    real arithmetic.

    verdict "proved": the margin is at least `bound` > 0 on all balls. "refuted": `witness` = (i, x)
    with x exactly in ball i and margin `bound` <= 0 there. "unresolved": neither; `reason` says
    what is missing. points: how many balls. separation: least distance between labels as measured,
    separation_exact: without rounding. inner, outer: thresholds.

    >>> from constructions import affine, f_S
    >>> points, labels, ball = [[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball("inf", 0.125)
    >>> proof = certify_memorization(
    ...     f_S(affine([[4.0, 0.0]], [-2.0]), points, labels, ball), points, labels, ball
    ... )
    >>> proof.verdict, proof.bound, proof.certificate["checker"]
    ('proved', Fraction(1, 1), 'check_memorization.py')
    """

    verdict: Literal["proved", "refuted", "unresolved"]
    bound: Fraction | None
    points: int
    separation: float
    separation_exact: bool
    inner: float
    outer: float
    reason: str = ""
    witness: tuple[int, tuple[Fraction, ...]] | None = None
    _subject: tuple[Any, ...] = field(default=(), repr=False)

    def _says(self) -> tuple[str, dict[str, Said]]:
        if self.verdict == "unresolved":
            return f"unresolved for {self.points:,} balls: {self.reason}", {}
        proved = self.verdict == "proved"
        where = "on all" if proved else f"in ball {(self.witness or (0,))[0]} of"
        kind = "certified lower bound" if proved else "exact"
        return f"{self.verdict}: margin {where} {self.points:,} balls", {
            "margin": said(self.bound, kind),
            "separation": said(self.separation, "exact" if self.separation_exact else "rounded"),
            "thresholds": Said(f"{self.inner:.6g}, {self.outer:.6g}", "to six digits"),
        }

    @cached_property
    def certificate(self) -> dict[str, Any]:
        """The proof as JSON: see the head of its "checker", a program in this folder that needs
        nothing of this library.
        """
        return _certificate(self, *self._subject)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the certificate as JSON; an existing file is replaced only once the new one is
        complete.

        Of a network of more than `EMBEDDED` weights it holds f_clean, thresholds and digests:
        `check_balls.py` proves from them and from a file of the points (`save_points`) that the f_S
        which they define is right on all balls; that the network is this f_S is what
        `certify_memorization` compared. Variant paper, and refutations of such networks, have
        digests only ("checker": "library only"). Raises ValueError if unresolved.
        """
        if self.verdict == "unresolved":
            raise ValueError(f"there is no certificate: the verdict is unresolved ({self.reason})")
        write_file(path, json.dumps(self.certificate, separators=(",", ":")))

    def to_json(self) -> dict[str, Any]:
        """The verdict and its facts as plain JSON values, without the certificate."""
        names = ("verdict", "points", "separation", "separation_exact", "inner", "outer", "reason")
        facts = {name: getattr(self, name) for name in names} | {
            "margin": None if self.bound is None else float(self.bound)
        }
        if self.witness:
            facts["witness"] = {
                "index": self.witness[0],
                "point": [str(v) for v in self.witness[1]],
            }
        return facts


@differentiating
def certify_memorization(
    network: Any, points: Any, labels: Any, ball: Ball, engine: Engine = HERE
) -> MemorizationProof:
    """Prove, refute or leave open that the margin is positive on every ball B_p(points[i], radius)
    within [0,1]^D.

    network: built by `f_S` (any variant, norm, ±1 or K classes), or by `f_adv` with the points that
    it memorizes; its provenance is read as a hint (variant, thresholds, m, bound of |f_clean|) and
    nothing in it is believed. points: (N, D) in [0,1], labels (N,): -1 and +1, or 0..K-1. The
    radius may be smaller than the one it was built for.

    The margin is y f, or f_y - max over k != y of f_k. The certified bound is 1 for variants gate
    and lean (less by what float64 rounded in one or two dimensions, where indicators read
    coordinates directly); for paper, with M the bound of
    |y - f_clean|, 1 - 4^-m M^2, or 1 - 3/2 4^-m M^2 for K classes, from
    `CONTRACTS["yarotsky_multiplication"]`.

    Statement and bound hold in exact real arithmetic for the float64 weights of the network, not of
    an ideal one. Rounded biases (sums of coordinates, squared norms) may differ from what they
    should be, by an ulp or more, as long as the thresholds' slack covers the sum of the effects;
    any other changed weight leaves the claim unproved.

    Raises TypeError or ValueError for a network not built by f_S or f_adv, another number of
    points, another norm, points outside [0,1] and labels that do not fit. Time: that of
    `constructions.separation`, where the engine says, and N D for the weights; memory N D.

    >>> from constructions import affine, f_S
    >>> points, ball = [[0.25, 0.5], [0.75, 0.5]], Ball("inf", 0.125)
    >>> network = f_S(affine([[4.0, 0.0]], [-2.0]), points, [1, -1], ball)
    >>> certify_memorization(network, points, [1, -1], ball).verdict
    'proved'
    >>> wrong = certify_memorization(network, points, [1, 1], ball)
    >>> wrong.verdict, wrong.bound, wrong.witness[0]
    ('refuted', Fraction(-1, 1), 1)
    """
    network = read_network(network)
    x, y = read_labelled(network, points, labels)
    if not isinstance(ball, Ball):
        raise TypeError(f"ball must be a Ball, got {type(ball).__name__}")
    check_cube(x)
    hints = _hints(network, len(x), ball)
    found = separation(x.numpy(), y.numpy(), norm=ball.p, engine=engine)
    subject = (network, x, y, ball, hints)
    facts = (len(x), found.distance, found.exact, hints.inner, hints.outer)
    try:
        bound, clean = _prove(network, x, y, ball, hints, found)
        return MemorizationProof("proved", bound, *facts, _subject=(*subject, clean))
    except _OpenError as obstacle:
        reason = str(obstacle)
    witness = _refute(network, x, y, ball, found)
    if witness is None:
        return MemorizationProof(
            "unresolved", None, *facts, reason=reason, _subject=(*subject, None)
        )
    i, point, value = witness
    return MemorizationProof(
        "refuted", value, *facts, reason=reason, witness=(i, point), _subject=(*subject, None)
    )


class _OpenError(Exception):
    """The proof does not go through, for the reason given."""


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise _OpenError(reason)


# -- hints -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Hints:
    variant: Any
    inner: float
    outer: float
    bound: float
    m: int


def _hints(network: ReLUNetwork, count: int, ball: Ball) -> _Hints:
    """What the network's provenance says it is, as numbers of the right kind; their truth is not
    assumed.
    """
    origin = network.provenance
    if origin is None or origin.lemma is None or origin.lemma.name not in ("f_S", "f_adv"):
        raise ValueError(
            "network must be built by f_S or f_adv: its provenance says which weights to look for"
        )
    given = origin.arguments
    try:
        inner, outer, bound = (float(given[name]) for name in ("inner", "outer", "bound"))
        variant, norm, memorized, m = given["variant"], given["norm"], given["N"], given.get("m", 1)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"network's provenance must name N, variant, norm, inner, outer and bound: {error}"
        ) from error
    if memorized != count:
        which = (
            " (points with margin up to the radius only)" if origin.lemma.name == "f_adv" else ""
        )
        raise ValueError(
            f"network memorizes {memorized} points{which}, got {count}: the others are f_clean's"
        )
    if str(norm) != ("inf" if ball.p == math.inf else "2"):
        raise ValueError(f"network was built for l_{norm} balls, got an {ball}")
    if variant not in VARIANTS or not (isinstance(m, int) and 1 <= m <= 500):
        raise ValueError(
            f"network's provenance must name a known variant and 1 <= m <= 500, got {variant!r} "
            f"and m={m!r}"
        )
    if not (
        math.isfinite(inner)
        and math.isfinite(outer)
        and 0 <= inner < outer
        and 2.0**-100 <= bound <= 2.0**100
    ):
        raise ValueError(
            f"network's provenance must have 0 <= inner < outer and bound > 0, got {inner}, "
            f"{outer}, {bound}"
        )
    return _Hints(variant, inner, outer, bound, m)


# -- the proof -------------------------------------------------------------------------------------


def _prove(
    network: ReLUNetwork,
    x: torch.Tensor,
    y: torch.Tensor,
    ball: Ball,
    hints: _Hints,
    found: Separation,
) -> tuple[Fraction, ReLUNetwork]:
    """The certified margin, and f_clean as it stands in the network; raises _OpenError where the
    proof fails.

    Real arithmetic, actual weights. Let t_i be what the network computes for the distance (l_inf)
    or its square d_i, and d_i - lo <= t_i <= d_i + hi (`_deviations`). On ball i, d_i <=
    radius^power, and d_k >= (R - radius)^power for the others. inner >= d_i + hi gives Ind_i >= 1 -
    eps, outer <= d_k - lo gives Ind_k = 0 exactly. gate, lean: the capped sum of class y_i is then
    in [1 - eps, 1], those of other classes are 0, and each gate is at most max(0, |f_clean| - B (1
    - eps)).
    """
    width, bound = Fraction(hints.outer) - Fraction(hints.inner), Fraction(hints.bound)
    _require(
        _is_power_of_two(width) and 2**-100 <= width <= 2**100,
        "outer - inner is not a power of two: slopes are rounded",
    )
    _require(
        _is_power_of_two(bound),
        "the bound of |f_clean| is not a power of two: products with it are rounded",
    )
    clean, biases, reference = _match(network, x, y, ball, hints)
    low, high, eps = _deviations(x, ball, hints, biases, reference, width)
    power, radius = (1, Fraction(ball.radius)) if ball.p == math.inf else (2, Fraction(ball.radius))
    farthest = Fraction(1) if power == 1 else Fraction(x.shape[1])  # within [0,1]^D
    near = min(radius**power, farthest) + high
    _require(
        Fraction(hints.inner) >= near,
        f"the inner threshold {hints.inner} is below {float(near):.17g}",
    )
    apart = found
    # its indicators add up: those of the own class must vanish as well
    if hints.variant == "paper":
        apart = separation(x.numpy(), np.arange(len(x)), norm=ball.p)
    if math.isfinite(apart.lower):
        gap = Fraction(apart.lower) - radius
        far = gap**power - low if gap > 0 else Fraction(0)
        pair = f"points {apart.pair[0]} and {apart.pair[1]}" if apart.pair else ""
        _require(
            Fraction(hints.outer) <= far,
            f"the outer threshold {hints.outer} exceeds {float(far):.17g} ({pair})",
        )
    size = Fraction(magnitude_bound(clean, 0.0, 1.0))
    if hints.variant == "paper":
        _require(
            size + 1 <= bound and 1 + eps <= bound,
            f"|f_clean| + 1 may reach {float(size + 1):.6g} > {hints.bound}",
        )
        product = CONTRACTS["yarotsky_multiplication"]({"m": hints.m, "bound": hints.bound})
        if network.outputs > 1:
            least = 1 + product.lower - product.upper - 2 * eps * bound
        else:  # y (y + error): the error's lower end for y = 1, its upper for y = -1
            least = (
                1
                - eps * bound
                + min(
                    [product.lower] * bool((y > 0).any()) + [-product.upper] * bool((y < 0).any())
                )
            )
    else:
        leak = max(Fraction(0), size - bound * (1 - eps))
        least = 1 - eps - leak * (1 if network.outputs == 1 else 2)
    _require(least > 0, f"the margin that rounding and multiplication leave is {float(least):.6g}")
    return least, clean


def _is_power_of_two(value: Fraction) -> bool:
    return value > 0 and all(n & (n - 1) == 0 for n in (value.numerator, value.denominator))


def _rounded_levels(ball: Ball, hints: _Hints, dimension: int) -> tuple[int, ...]:
    """The layers whose biases float64 rounds (sums of coordinates and thresholds, norms); all
    others must be exact.
    """
    if ball.p == 2:
        return (hints.m + 1,) if hints.variant == "lean" else ()
    return (0,) if hints.variant == "lean" else (0, 1)


def _deviations(
    x: torch.Tensor,
    ball: Ball,
    hints: _Hints,
    biases: dict[int, np.ndarray],
    reference: dict[int, np.ndarray],
    width: Fraction,
) -> tuple[Fraction, Fraction, Fraction]:
    """(lo, hi, eps): how far distances fall short, exceed, and by how much an indicator on its ball
    differs from 1.
    """
    zero = Fraction(0)
    if ball.p == 2:
        error = CONTRACTS["squaring"]({"m": hints.m}).upper * x.shape[1]
        if hints.variant != "lean":
            return zero, error, zero
        least, most = _norm_errors(x, biases[hints.m + 1])
        return -least, error + most, zero
    e0 = _rounding(biases[0], reference[0])
    # a unit is off by e0 at most; one of them alone closes the indicator
    if hints.variant == "lean":
        return e0, e0, zero
    # pairs: three units, each off by e0; first level of the tree: two, by e1; no sums after that
    if x.shape[1] > 2:
        e1 = _rounding(biases[1], reference[1])
        return 3 * e0 + 2 * e1, 6 * e0 + 2 * e1, zero
    first = x[:, 0].tolist() if x.shape[1] == 2 else [0.0] * len(x)
    cuts = Fraction(hints.outer), Fraction(hints.inner)
    actual = biases[1].reshape(-1, 2).tolist()
    owned = [
        (b, t, c)
        for pair, c in zip(actual, first, strict=True)
        for b, t in zip(pair, cuts, strict=True)
    ]
    errors = [Fraction(b) - (t - Fraction(c)) for b, t, c in owned]
    e1, eps = (
        max(map(abs, errors)),
        max(abs(a - b) for a, b in zip(errors[::2], errors[1::2], strict=True)) / width,
    )
    return 3 * e0 + e1, 3 * e0 + e1, eps


def _rounding(actual: np.ndarray, rounded: np.ndarray) -> Fraction:
    """How far biases may be from exact sums of two numbers, whose float64 values are `rounded`."""
    parts = [slice(k, k + 2**20) for k in range(0, len(actual), 2**20)]
    drift = max(float(np.abs(actual[part] - rounded[part]).max()) for part in parts)
    largest = max(float(np.abs(rounded[part]).max()) for part in parts)
    return Fraction(drift) * (1 + 2 * UNIT_ROUNDOFF) + UNIT_ROUNDOFF * Fraction(largest)


def _norm_errors(x: torch.Tensor, biases: np.ndarray) -> tuple[Fraction, Fraction]:
    """The least and the greatest bias - ||x_i||^2; sums of D squares in [0, 1] are off by (D + 2)
    roundings at most.
    """
    lows, highs = [], []
    for total, bias in zip((x**2).sum(1).tolist(), biases.tolist(), strict=True):
        gap, error = (
            Fraction(bias) - Fraction(total),
            (x.shape[1] + 2) * UNIT_ROUNDOFF * Fraction(total) + Fraction(1, 2**1000),
        )
        lows.append(gap - error)
        highs.append(gap + error)
    return min(lows), max(highs)


# -- comparing layers ------------------------------------------------------------------------------


def _match(
    network: ReLUNetwork, x: torch.Tensor, y: torch.Tensor, ball: Ball, hints: _Hints
) -> tuple[ReLUNetwork, dict[int, np.ndarray], dict[int, np.ndarray]]:
    """f_clean as it stands in the network, and the rounded biases: as they are and as float64
    rounds them.

    The reference has a placeholder instead of f_clean, 2 K units a layer. Up to the layer `depth`
    that joins the two parts, the network's layers are block-diagonal, f_clean's units first; then
    they are the reference's.
    """
    outputs, tail = network.outputs, 2 if hints.variant != "paper" else hints.m + 4
    depth = len(network.layers) - tail
    _require(
        depth >= 1,
        f"the network has {len(network.layers)} layers, too few for variant {hints.variant}",
    )
    placeholder = delay(
        affine(Constant(outputs, network.inputs, 0.0)), depth - (hints.variant == "paper")
    )
    wanted = memorizer(
        placeholder,
        x,
        y,
        ball.p,
        hints.inner,
        hints.outer,
        variant=hints.variant,
        m=hints.m,
        bound=hints.bound,
    )
    _require(
        len(wanted.layers) == len(network.layers),
        f"the network has {len(network.layers)} layers, too few",
    )
    rounded = _rounded_levels(ball, hints, x.shape[1])
    biases, reference = {}, {}
    clean, edge = [], 0
    for level, (layer, other) in enumerate(zip(network.layers, wanted.layers, strict=True)):
        where = (
            f"layer {level + 1} is not that of a memorizer of these points and labels in this order"
        )
        (rows, columns), (m, n) = layer.weight.shape, other.weight.shape
        if level > depth:
            _require(
                (rows, columns) == (m, n) and same(layer.weight, other.weight), f"{where}: weights"
            )
            _require(same(layer.bias, other.bias), f"{where}: biases")
            continue
        if level == depth:
            _require(rows == m, f"{where}: units")
            _require(
                same(_cut(layer.weight, 0, edge), _cut(other.weight, 0, 2 * outputs)),
                f"{where}: weights",
            )
            given = (layer.weight, _numbers(layer.bias), other.weight, _numbers(other.bias))
            clean.append(_joined(*given, edge, outputs, hints.variant == "paper", where))
            continue
        split = rows - (m - 2 * outputs)
        _require(split >= 1, f"{where}: units")
        left, reach = (0, 0) if level == 0 else (edge, 2 * outputs)  # the input is shared
        _require(
            same(_cut(layer.weight, split, left), _cut(other.weight, 2 * outputs, reach)),
            f"{where}: weights",
        )
        if level:
            crossed = (
                _cut(layer.weight, 0, edge, split, columns),
                _cut(layer.weight, split, 0, rows, edge),
            )
            _require(
                all(part.nonzeros == 0 for part in crossed),
                f"{where}: f_clean and indicators are mixed",
            )
        clean.append(
            Affine(
                _cut(layer.weight, 0, 0, split, edge if level else columns),
                _cut(layer.bias, 0, 0, split),
            )
        )
        bias, right = _cut(layer.bias, split, 0), _cut(other.bias, 2 * outputs, 0)
        if level in rounded:
            biases[level], reference[level] = _numbers(bias), _numbers(right)
        else:
            _require(same(bias, right), f"{where}: biases")
        edge = split
    return ReLUNetwork(tuple(clean)), biases, reference


def _joined(
    weight: Matrix,
    bias: np.ndarray,
    other: Matrix,
    right: np.ndarray,
    edge: int,
    outputs: int,
    exact: bool,
    where: str,
) -> Affine:
    """f_clean's last affine map, read from the rows that carry f_clean, and compared with all rows
    that read it.

    The reference's columns are A (x) [1, -1] with one power of two a row of A; the network's must
    be A times that map.
    """
    columns, a = (
        _rows_of(_cut(weight, 0, 0, weight.shape[0], edge)),
        _rows_of(_cut(other, 0, 0, other.shape[0], 2 * outputs)),
    )
    a, last = a[:, 0::2], columns[0 : 2 * outputs : 2]
    tiny = last.nnz and np.abs(last.data).min() < 2.0**-600
    _require(not tiny, f"{where}: f_clean's weights are too small to be scaled exactly")
    offset = bias[0 : 2 * outputs : 2]
    _require((columns != a @ last).nnz == 0, f"{where}: f_clean is not read alike everywhere")
    _require(not (exact and offset.any()), f"{where}: f_clean's biases")
    _require(np.array_equal(bias, right + a @ offset), f"{where}: biases")
    return Affine(Dense(torch.from_numpy(last.toarray())), _vector(offset))


def _numbers(column: Matrix) -> np.ndarray:
    """The entries of a one-column matrix; not to be changed."""
    return (column.entries if isinstance(column, Dense) else column.to_dense())[:, 0].numpy()


def _vector(values: np.ndarray) -> Matrix:
    return Dense(torch.from_numpy(np.ascontiguousarray(values))[:, None])


def _rows_of(matrix: Matrix) -> scipy.sparse.csr_array:
    rows, columns, values = matrix.coordinates()
    return scipy.sparse.coo_array(
        (values.numpy(), (rows.numpy(), columns.numpy())), shape=matrix.shape
    ).tocsr()


def _cut(
    matrix: Matrix, top: int, left: int, bottom: int | None = None, right: int | None = None
) -> Matrix:
    """Rows top..bottom and columns left..right of a matrix; blocks are kept where the cuts run
    between them.
    """
    bottom, right = (
        matrix.shape[0] if bottom is None else bottom,
        matrix.shape[1] if right is None else right,
    )
    if (top, left, bottom, right) == (0, 0, *matrix.shape):
        return matrix
    if isinstance(matrix, Block):
        tops, lefts = (
            np.cumsum([0, *matrix.heights]).tolist(),
            np.cumsum([0, *matrix.widths]).tolist(),
        )
        if {top, bottom} <= set(tops) and {left, right} <= set(lefts):
            grid = [
                row[lefts.index(left) : lefts.index(right)]
                for row in matrix.grid[tops.index(top) : tops.index(bottom)]
            ]
            return grid[0][0] if len(grid) == len(grid[0]) == 1 else Block(tuple(grid))
    rows, columns, values = matrix.coordinates()
    kept = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    return Sparse(
        (bottom - top, right - left), rows[kept] - top, columns[kept] - left, values[kept]
    )


# -- refutation ------------------------------------------------------------------------------------


def _refute(
    network: ReLUNetwork, x: torch.Tensor, y: torch.Tensor, ball: Ball, found: Separation
) -> tuple[int, tuple[Fraction, ...], Fraction] | None:
    """A point of a ball with margin <= 0 in exact arithmetic, from candidates that float64
    evaluates; None if none is found.

    Candidates: centres; towards the other labels' nearest points and across; corners; descents of
    the margin; the middle of the nearest pair (which is in both balls if they meet).
    """
    generator = torch.Generator().manual_seed(0)
    values = margin(network(x), y)
    chosen = torch.argsort(values)[: 64 if network.size.parameters < 10**6 else 8]
    candidates: list[tuple[torch.Tensor, torch.Tensor]] = [(chosen, x[chosen])]
    if found.pair:
        pair = torch.tensor(found.pair)
        chosen = torch.cat([pair, chosen])
        candidates.append((pair, ((x[pair[0]] + x[pair[1]]) / 2).expand(2, -1)))
    centres = x[chosen]
    for step in range(8):
        if step == 0 and found.pair:
            direction = (
                x[
                    [
                        int((y != y[i]).nonzero()[(x[y != y[i]] - x[i]).abs().amax(1).argmin()])
                        for i in chosen
                    ]
                ]
                - centres
            )
        elif step % 2:
            direction = torch.randn(centres.shape, generator=generator, dtype=torch.float64)
        else:
            point = candidates[-1][1].clone().requires_grad_(True)
            (slope,) = torch.autograd.grad(
                margin(network(point), y[candidates[-1][0]]).sum(), point
            )
            direction = -slope + candidates[-1][1] - x[candidates[-1][0]]
        owners = chosen if len(direction) == len(chosen) else candidates[-1][0]
        moved = x[owners] + ball.radius * ball.ascent(direction)
        candidates.append((owners, moved.clamp(0, 1)))
    owners, moved = (torch.cat(part) for part in zip(*candidates, strict=True))
    values = margin(network(moved), y[owners])
    for k in torch.argsort(values)[:6].tolist():
        if values[k] > 0.5:
            break
        i = int(owners[k])
        witness = _inside(moved[k].tolist(), x[i].tolist(), ball)
        value = _margin(network.exact(witness).tolist(), int(y[i]))
        if value <= 0:
            return i, tuple(witness), value
    return None


def _inside(point: list[float], centre: list[float], ball: Ball) -> list[Fraction]:
    """The point, moved exactly into the ball around the centre (and [0, 1])."""
    x, c, radius = (
        [Fraction(v) for v in point],
        [Fraction(v) for v in centre],
        Fraction(ball.radius),
    )
    if ball.p == math.inf:
        return [
            min(max(v, a - radius, Fraction(0)), a + radius, Fraction(1))
            for v, a in zip(x, c, strict=True)
        ]
    squared = sum((v - a) ** 2 for v, a in zip(x, c, strict=True))
    if squared <= radius**2:
        return x
    scale = Fraction(ball.radius / math.sqrt(float(squared)) * (1 - 2.0**-40))
    return [
        a + Fraction(float((v - a) * scale)) * (1 - Fraction(1, 2**40))
        for v, a in zip(x, c, strict=True)
    ]


def _margin(values: list[Fraction], label: int) -> Fraction:
    if len(values) == 1:
        return label * values[0]
    return values[label] - max(v for k, v in enumerate(values) if k != label)


# -- certificates ----------------------------------------------------------------------------------


def _certificate(
    proof: MemorizationProof,
    network: ReLUNetwork,
    x: torch.Tensor,
    y: torch.Tensor,
    ball: Ball,
    hints: _Hints,
    clean: ReLUNetwork | None,
) -> dict[str, Any]:
    small = network.size.weights <= EMBEDDED
    if (
        not small
        and clean is not None
        and clean.size.dense_parameters <= EMBEDDED
        and hints.variant != "paper"
    ):
        return _balls_certificate(proof, network_digest(network), x, y, ball, hints, clean)
    checkable = small and (
        proof.verdict == "refuted" or (proof.verdict == "proved" and hints.variant != "paper")
    )
    certificate: dict[str, Any] = {
        "format": FORMAT,
        "kind": "memorization",
        "checker": "check_memorization.py" if checkable else "library only",
        "verdict": proof.verdict,
        "margin": None if proof.bound is None else str(proof.bound),
        "norm": "inf" if ball.p == math.inf else "2",
        "radius": ball.radius.hex(),
        "variant": hints.variant,
        "m": hints.m,
        "inner": hints.inner.hex(),
        "outer": hints.outer.hex(),
        "bound": hints.bound.hex(),
        "labels": y.tolist(),
        "reason": proof.reason,
    }
    if proof.witness:
        certificate["witness"] = {
            "index": proof.witness[0],
            "point": [str(v) for v in proof.witness[1]],
        }
    certificate["digest"] = network_digest(network)
    if small:
        certificate["points"] = [[v.hex() for v in row] for row in x.tolist()]
        certificate["network"] = _as_text(network)
    else:
        certificate["points_digest"] = hashlib.sha256(
            np.ascontiguousarray(x.numpy()).data
        ).hexdigest()
    return certificate


def _balls_certificate(
    proof: MemorizationProof,
    digest: str,
    x: torch.Tensor,
    y: torch.Tensor,
    ball: Ball,
    hints: _Hints,
    clean: ReLUNetwork,
) -> dict[str, Any]:
    """What `check_balls.py` reads: see its head. Hints are those of a search for points too near
    each other.
    """
    outer = hints.outer if ball.p == math.inf else math.sqrt(hints.outer)
    search = RangeSearch(x, ball.p, (outer + ball.radius) * (1 + 1e-8) + 1e-8)
    layers = [
        [layer.weight.to_dense().tolist(), layer.bias.to_dense()[:, 0].tolist()]
        for layer in clean.layers
    ]
    claim: dict[str, Any] = {
        "norm": "inf" if ball.p == math.inf else "2",
        "radius": ball.radius,
        "variant": hints.variant,
    }
    claim |= {"m": hints.m, "inner": hints.inner, "outer": hints.outer, "bound": hints.bound}
    text = x.numpy().tobytes() + y.numpy().tobytes() + json.dumps(list(claim.values())).encode()
    return {
        "format": BALLS,
        "checker": "check_balls.py",
        "verdict": proof.verdict,
        "margin": str(proof.bound),
        "points": len(x),
        **claim,
        "clean": layers,
        "digest": hashlib.sha256(text).hexdigest(),
        "network_digest": digest,
        "cuts": search.cuts,
        "projection": search.projection,
    }


def save_points(path: str | PathLike[str], points: Any, labels: Any) -> None:
    """Write x, (N, D), and y, (N,), to an .npz file, compressed: what `check_balls.py` and `cgro
    certify --memorized` read.

    Numbers are kept as they are (uint8, read as k/255, or floats). An existing file is replaced
    once the new one is complete. Raises ValueError for another suffix, shapes that do not fit,
    numbers outside [0,1], NaN and labels that are no integers.

    >>> save_points("points.npz", [[0.25, 0.5]], [1])
    >>> [array.tolist() for array in np.load("points.npz").values()]
    [[[0.25, 0.5]], [1]]
    """
    array, values = np.asarray(points), np.asarray(labels).reshape(-1)
    if Path(path).suffix != ".npz":
        raise ValueError(f"path must end in .npz, got {path}")
    if len(array) != len(values):
        raise ValueError(
            f"labels must have one entry for each of the {len(array)} points, got {len(values)}"
        )
    if array.dtype != np.uint8 and not (array.min() >= 0 and array.max() <= 1):
        raise ValueError(
            f"points must lie in [0, 1] (or be uint8), got values in [{array.min()}, {array.max()}]"
        )
    if values.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers, got {values.dtype}")
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, x=array.reshape(len(array), -1), y=values)


def network_digest(network: ReLUNetwork) -> str:
    """SHA-256 of a network as a certificate holds it; where it is too large to be held, of its
    structured form.

    >>> from constructions import absolute
    >>> network_digest(absolute()) == network_digest(absolute())
    True
    """
    if network.size.weights <= EMBEDDED:
        return hashlib.sha256(
            json.dumps(_as_text(network), sort_keys=True, separators=(",", ":")).encode()
        ).hexdigest()
    return structure_digest(network)


def _as_text(network: ReLUNetwork) -> dict[str, Any]:
    return {"inputs": network.inputs, "layers": [_rows_as_text(layer) for layer in network.layers]}


def _rows_as_text(layer: Affine) -> dict[str, Any]:
    rows = _rows_of(layer.weight)
    rows.sort_indices()
    texts = [v.hex() for v in rows.data.tolist()]
    indices, edges = rows.indices.tolist(), rows.indptr.tolist()
    bias = [v.hex() for v in layer.bias.to_dense()[:, 0].tolist()]
    return {"rows": [[indices[a:b], texts[a:b]] for a, b in pairwise(edges)], "bias": bias}
