"""l_p balls, distance networks and the indicators of balls."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from sympy import Eq, Integer, Mod, Piecewise, Symbol

from .affine_map import Affine
from .approximation import UNIT, absolute, maximum, squaring
from .calculus import affine, compose, copies, delay, parallel
from .lemma import LEMMAS, Provenance, implements
from .matrix import Block, Constant, Dense, Identity, Matrix, Unknown, column, diagonal, from_shared, kron, sparse, zeros
from .network import ReLUNetwork

_N, _D, _m = Symbol("N"), Symbol("D"), Symbol("m")


# -- balls -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ball:
    """The closed l_p ball of a radius around a centre named later; p is 2 or infinity ("inf", "2" and floats are read).

    Tensors have shape (batch, ...): the norm runs over all axes but the first.
    Raises ValueError for another norm and a radius that is not finite and >= 0; TypeError for one that is no number.

    >>> ball = Ball("inf", 0.1)
    >>> ball.p, ball.dual
    (inf, 1.0)
    >>> ball.project(torch.tensor([[0.5, 0.9]]), torch.tensor([[0.45, 0.45]]))
    tensor([[0.5000, 0.5500]])
    """

    p: float
    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "p", read_norm(self.p))
        try:
            if isinstance(self.radius, (bool, np.bool_, str)):  # float() reads these
                raise TypeError
            radius = float(self.radius)
        except OverflowError:
            radius = math.inf
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(f"radius must be a number, got {self.radius!r}") from error
        if not (math.isfinite(radius) and radius >= 0):
            raise ValueError(f"radius must be finite and >= 0, got {self.radius}")
        object.__setattr__(self, "radius", radius)

    @property
    def dual(self) -> float:
        """The dual exponent q with 1/p + 1/q = 1."""
        return 2.0 if self.p == 2 else 1.0

    def norm(self, x: torch.Tensor) -> torch.Tensor:
        """||x_i||_p for each row, shape (batch,)."""
        return torch.linalg.vector_norm(x.flatten(1), ord=self.p, dim=1)

    def dual_norm(self, gradient: torch.Tensor) -> torch.Tensor:
        """||g_i||_q for each row, shape (batch,): the steepest rate of change per unit of radius."""
        return torch.linalg.vector_norm(gradient.flatten(1), ord=self.dual, dim=1)

    def project(self, x: torch.Tensor, centre: torch.Tensor) -> torch.Tensor:
        """The nearest point of the ball around `centre`, shrunk by rounding so that it never lies outside."""
        eps = torch.finfo(x.dtype).eps
        rounding = eps * (1.0 + self.radius + (float(centre.abs().max()) if centre.numel() else 0.0))
        if self.p == math.inf:
            radius = max(0.0, self.radius - rounding)
            return torch.clamp(x, centre - radius, centre + radius)
        offset = x - centre
        length = self.norm(offset).clamp_min(torch.finfo(x.dtype).tiny)
        allowed = max(0.0, self.radius * (1 - 8 * eps) - rounding * math.sqrt(centre[0].numel() if len(centre) else 1))
        factor = (allowed / length).clamp_max(1.0)
        return centre + offset * factor.reshape(-1, *[1] * (x.ndim - 1))

    def ascent(self, gradient: torch.Tensor) -> torch.Tensor:
        """The unit direction (in l_p) along which a linear function with this gradient grows fastest."""
        if self.p == math.inf:
            return gradient.sign()
        tiny = torch.finfo(gradient.dtype).tiny
        column = (-1, *[1] * (gradient.ndim - 1))
        scaled = gradient / gradient.abs().flatten(1).amax(1).clamp_min(tiny).reshape(column)  # squares must not underflow
        return scaled / torch.linalg.vector_norm(scaled.flatten(1), dim=1).clamp_min(tiny).reshape(column)

    def sample(self, centre: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """A uniformly distributed point of the ball around each row of `centre`."""

        def draw(sampler: Any, *shape: int) -> torch.Tensor:
            return sampler(*shape, generator=generator, dtype=centre.dtype, device=centre.device)

        if self.p == math.inf:
            offset = 2 * draw(torch.rand, *centre.shape) - 1
        else:
            dimension = centre[0].numel() if len(centre) else 1
            length = draw(torch.rand, len(centre)) ** (1 / dimension)
            offset = self.ascent(draw(torch.randn, *centre.shape)) * length.reshape(-1, *[1] * (centre.ndim - 1))
        return self.project(centre + self.radius * offset, centre)

    def __str__(self) -> str:
        return f"l_{'inf' if self.p == math.inf else '2'} ball of radius {self.radius:g}"


def read_norm(p: Any, name: str = "p") -> float:
    """2.0 or math.inf from 2, "2", "inf" or math.inf; anything else raises ValueError.

    >>> read_norm("inf"), read_norm(2)
    (inf, 2.0)
    """
    known = {"2": 2.0, "2.0": 2.0, "inf": math.inf}
    if str(p) not in known:
        raise ValueError(f"{name} must be 2 or 'inf', got {p!r}")
    return known[str(p)]


# -- distances ---------------------------------------------------------------------------------------------------------


@implements(
    "CGRM (anonymous 2023), Lemma A.4 (l_inf); CGRO (anonymous 2023), Appendix D (l_2)",
    "l_p distances to N points are O(D) (l_inf, exact) and O(D m) (l_2 squared, error D 4^-(m+1)) parameters each",
)
def distance(centre: Any, norm: Any, m: int | None = None, *, shared: bool = False) -> ReLUNetwork:
    """Distances of x in [0,1]^D to one centre, shape (D,), or to N, shape (N, D): a network D -> 1 or D -> N.

    norm inf: ||x - c||_inf, exact where sums of two coordinates are (else its weights are off by at most 2^-52), from
    max(|u|, |v|) = relu(u + v) + relu(u - v) - u on neighbours and a tree of maxima: at most 31/4 D + O(1) parameters
    and max(1, ceil(log2 D)) layers. It needs x >= 0.

    norm 2: the *squared* distance phi, 0 <= phi - ||x - c||^2 <= D 4^-(m+1), as sum_j f_m(|x_j - c_j|) with
    f_m = `squaring(m)`, 7m + 4 parameters a coordinate; or, with `shared`, as sum_j f_m(x_j) - 2 <c, x> + ||c||^2 from
    one set of squares for all centres, D + O(1) parameters a centre (there ||c||^2 is rounded up, which adds at most
    D (D + 1) 2^-51 to the error).

    Raises ValueError for centres outside [0,1] or not finite, a missing m (l_2), or m or shared given for l_inf.

    >>> distance([0.25, 0.5, 0.0], "inf")([[0.5, 0.5, 0.125]]).item()
    0.25
    >>> distance([0.25, 0.5], 2, m=8)([[0.5, 0.75]]).item()
    0.125
    """
    p = read_norm(norm)
    points = read_points(centre, "centre")
    if p == math.inf:
        if m is not None or shared:
            raise ValueError(f"m and shared apply to norm 2 only, got m={m}, shared={shared} with norm inf")
        return linf_distances(points)
    if m is None:
        raise ValueError("m (the depth of the squaring networks) must be given for norm 2")
    return shared_squared_distances(points, m) if shared else squared_distances(points, m)


def linf_distances(centres: Matrix) -> ReLUNetwork:
    """x -> (||x - c_i||_inf)_i for the rows c_i of `centres` (N x D; entries may be unknown, N symbolic, D an integer)."""
    count, dimension = centres.shape
    pairs, odd = divmod(dimension, 2)
    into = [kron(Identity(pairs), Dense(torch.tensor([[1.0, 1.0], [1.0, -1.0], [1.0, 0.0]])))] if pairs else []
    out = [kron(Identity(pairs), Dense(torch.tensor([[1.0, 1.0, -1.0]])))] if pairs else []
    if odd:
        into.append(Dense(torch.tensor([[1.0], [-1.0]])))
        out.append(Dense(torch.tensor([[1.0, 1.0]])))
    spread, gather = (blocks[0] if len(blocks) == 1 else sparse(diagonal(blocks)) for blocks in (into, out))
    if isinstance(centres, Dense):
        c = centres.entries
        a, b = c[:, 0 : 2 * pairs : 2], c[:, 1 : 2 * pairs : 2]
        last = c[:, 2 * pairs :]
        shifts = torch.zeros(count, spread.shape[0], dtype=torch.float64)  # filled in place: these are N D numbers
        shifts[:, 0 : 3 * pairs : 3] = -(a + b)
        shifts[:, 1 : 3 * pairs : 3] = b - a
        shifts[:, 3 * pairs :] = torch.cat([-last, last], dim=1)
        first_bias: Matrix = Dense(shifts.reshape(-1, 1), copy=False)
        second_bias: Matrix = Dense(torch.cat([a, torch.zeros_like(last)], dim=1).reshape(-1, 1), copy=False)
    else:  # generic numbers where a centre has them, so that the counts of later layers come out right
        one, generic = Unknown(count, 1), torch.arange(1, pairs + 1)
        first_bias = kron(one, column([b for k in range(pairs) for b in (1, 1, 0)] + [1, 1] * odd))
        second_bias = kron(one, column([*generic.tolist(), *[0] * odd]))
    first = Affine(kron(Constant(count, 1), spread), first_bias)
    neighbours = ReLUNetwork((first, Affine(kron(Identity(count), gather), second_bias)), (0.0, math.inf))
    return compose(copies(count, maximum(pairs + odd)), neighbours, exact=False)


def linf_distance_parameters(dimension: Any = _D) -> Any:
    """Parameters of the l_inf distance to one generic point, in closed form: 31/4 D up to a constant for D mod 4."""
    constant = {0: -4, 1: Integer(-11) / 4, 2: Integer(-9) / 2, 3: Integer(-9) / 4}
    cases = [(31 * _D / 4 + c, Eq(Mod(_D, 4), r)) for r, c in constant.items()]
    return Piecewise((6, Eq(_D, 1)), *cases).subs(_D, dimension)


def squared_distances(centres: Matrix, m: int) -> ReLUNetwork:
    """x -> (sum_j f_m(|x_j - c_ij|))_i for the rows of `centres` (N x D, entries may be unknown, sizes symbolic)."""
    count, dimension = centres.shape
    shift = (
        Unknown(count * dimension, 1) if not isinstance(centres, Dense) else Dense(-centres.entries.reshape(-1, 1), copy=False)
    )
    differences = affine(kron(Constant(count, 1), Identity(dimension)), shift, UNIT)
    squares = copies(count * dimension, compose(squaring(m), absolute()))
    return compose(affine(kron(Identity(count), Constant(1, dimension))), squares, differences)


def shared_squared_distances(centres: Matrix, m: int) -> ReLUNetwork:
    """x -> (sum_j f_m(x_j) - 2 <c_i, x> + ||c_i||^2)_i; ||c_i||^2 is rounded up, so that the values are >= 0."""
    count, dimension = centres.shape
    squares = compose(affine(Constant(1, dimension)), copies(dimension, squaring(m)))
    carried = delay(affine(Identity(dimension), domain=UNIT), m, nonnegative=True)
    both = delay(parallel(squares, carried), 1, nonnegative=True)
    if isinstance(centres, Dense):
        linear: Matrix = Dense(-2 * centres.entries, copy=False)
        norms: Matrix = Dense(squared_norms(centres.entries)[:, None] + shared_rounding(dimension))
    else:
        linear, norms = Unknown(count, dimension), Unknown(count, 1)
    return compose(affine(Block(((Constant(count, 1), linear),)), norms), both)


def squared_norms(points: torch.Tensor) -> torch.Tensor:
    """||c||^2 of rows, coordinate by coordinate: a row's value depends neither on the other rows nor on the machine."""
    total = points.new_zeros(len(points))
    for values in points.T:
        total += values * values
    return total


def shared_rounding(dimension: int) -> float:
    """How much `shared_squared_distances` adds to ||c||^2 so that its rounding (centres in [0,1]^D) is on the safe side."""
    return dimension * (dimension + 1) * 2.0**-52


# -- indicators --------------------------------------------------------------------------------------------------------


@implements(
    "CGRM (anonymous 2023), proof of Theorem A.2; CGRO (anonymous 2023), proof of Theorem D.1",
    "two units make a soft indicator: 1 up to the inner threshold, 0 from the outer one, linear between",
    depth=1,
    units=2,
    parameters=6,
    pieces=3,
)
def soft_indicator(inner: float, outer: float) -> ReLUNetwork:
    """t -> [relu(outer - t) - relu(inner - t)] / (outer - inner): 1 for t <= inner, 0 for t >= outer, linear between.

    In real arithmetic exact if outer - inner is a power of two, as in `f_S`; otherwise 1 is off by up to 2^-52.
    Raises ValueError unless inner < outer are finite. (The papers print the outer threshold as R - delta eps; meant is
    R - delta - eps.)

    >>> soft_indicator(0.25, 0.75)([[0.0], [0.25], [0.5], [0.75], [9.0]]).flatten().tolist()
    [1.0, 1.0, 0.5, 0.0, 0.0]
    """
    _check_thresholds(inner, outer)
    slope = 1 / (outer - inner)
    return ReLUNetwork.from_layers([([[-1], [-1]], [outer, inner]), ([[slope, -slope]], [0])])


@implements(
    "this library",
    "1 - min(1, sum_j relu(|x_j - c_j| - inner) / (outer - inner)) indicates an l_inf ball without a maximum",
    depth=2,
)
def lean_indicator(centre: Any, inner: float, outer: float) -> ReLUNetwork:
    """1 where ||x - c||_inf <= inner, 0 where it is >= outer, between 0 and 1 elsewhere; two hidden layers.

    centre: shape (D,) or (N, D), giving D -> 1 or D -> N. 6D + 2 parameters a centre. Exact on both sets if
    outer - inner is a power of two and c_j +- inner is representable; c may lie anywhere.
    Raises ValueError unless 0 <= inner < outer are finite, and for centres that are not.

    >>> lean_indicator([0.5, 0.5], 0.125, 0.25)([[0.4, 0.6], [0.5, 0.25], [0.5, 0.3125]]).flatten().tolist()
    [1.0, 0.0, 0.5]
    """
    _check_thresholds(inner, outer)
    if inner < 0:
        raise ValueError(f"inner must be >= 0, got {inner}")
    return lean_indicators(read_points(centre, "centre", None), inner, outer)


def lean_indicators(centres: Matrix, inner: float, outer: float) -> ReLUNetwork:
    """`lean_indicator` for the rows of `centres` (N x D, entries may be unknown, sizes symbolic)."""
    count, dimension = centres.shape
    if isinstance(centres, Dense):
        c = centres.entries.reshape(-1)
        shifts = torch.empty(len(c), 2, dtype=torch.float64)  # filled in place: these are 2 N D numbers
        torch.sub(c, inner, out=shifts[:, 1])
        torch.add(c, inner, out=shifts[:, 0]).neg_()
        bias: Matrix = Dense(shifts.reshape(-1, 1), copy=False)
    else:
        bias = Unknown(2 * count * dimension, 1)
    sides = kron(Constant(count, 1), kron(Identity(dimension), Dense(torch.tensor([[1.0], [-1.0]]))))
    excess = kron(Identity(count), Constant(1, 2 * dimension, -1 / (outer - inner)))
    out = Affine(Identity(count), zeros(count, 1))
    one = Provenance(LEMMAS["lean_indicator"], {"inner": inner, "outer": outer, "D": dimension, "K": 1})
    origin = Provenance(None, {}, ((count, one),))
    return ReLUNetwork((Affine(sides, bias), Affine(excess, Constant(count, 1)), out), provenance=origin)


@dataclass(frozen=True)
class Thresholds:
    """Where an indicator of the distance (l_inf) or squared distance (l_2) is 1 (up to inner) and 0 (from outer)."""

    inner: float
    outer: float


def thresholds(ball: Ball, separated: float, error: Fraction, doubt: Fraction = Fraction(1, 2**48)) -> Thresholds:
    """Dyadic thresholds, a power of two apart, for balls around points of classes at least `separated` apart.

    error: how far the distance network may exceed the distance (l_inf) or its square (l_2); doubt: rounding in either
    direction. The indicator is 1 on the whole ball and 0 from half the separation on (so that shells of different
    classes are disjoint), or from separation - radius if half is too near. Exact rational arithmetic. Raises ValueError
    if the error leaves no room.

    >>> thresholds(Ball("inf", 0.125), 1.0, Fraction(0))
    Thresholds(inner=0.1250152587890625, outer=0.3750152587890625)
    """
    power = 1 if ball.p == math.inf else 2
    if ball.radius > 2.0**20:
        raise ValueError(f"radius must be at most 2^20 for indicators of balls, got {ball.radius:g}")
    radius = Fraction(ball.radius)
    separated = min(separated, 2.0**10 * max(1.0, ball.radius)) if math.isfinite(separated) else separated
    reach = 2 * max(radius, Fraction(1, 2**10)) if math.isinf(separated) else None
    inside = radius**power + error + doubt
    candidates = [reach] if reach is not None else [Fraction(separated) / 2, Fraction(separated) - radius]
    for far in candidates:
        outside = far**power - doubt
        if outside <= inside:
            continue
        grid = max(16, 4 - _floor_log2(outside - inside))
        inner = Fraction(math.ceil(inside * 2**grid + Fraction(1, 2)), 2**grid)
        width = Fraction(2) ** _floor_log2(outside - inner)
        if Fraction(float(inner)) == inner and Fraction(float(inner + width)) == inner + width:
            return Thresholds(float(inner), float(inner + width))
    raise ValueError(
        f"no room for thresholds: the indicator must be 1 up to {float(inside):.6g} (radius {ball.radius:g}, distance "
        f"error {float(error):.3g}) and 0 from {float(candidates[-1] ** power):.6g}; larger m makes the error smaller"
    )


def _floor_log2(value: Fraction) -> int:
    """The greatest e with 2^e <= value, for value > 0."""
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    return exponent if Fraction(2) ** exponent <= value else exponent - 1


def read_points(points: Any, name: str, interval: tuple[float, float] | None = UNIT) -> Dense:
    """Points of shape (D,) or (N, D) as a Dense N x D matrix; raises ValueError outside the interval or if not finite."""
    array = points if isinstance(points, torch.Tensor) else from_shared(np.asarray(points, dtype=np.float64))
    array = array.detach().to(torch.float64).cpu()
    array = array[None] if array.ndim == 1 else array
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} must have shape (D,) or (N, D) with N, D >= 1, got {tuple(array.shape)}")
    if not torch.isfinite(array).all():
        raise ValueError(
            f"{name} must be finite, got NaN or infinity in row {int((~torch.isfinite(array)).any(1).nonzero()[0])}"
        )
    if interval and not (float(array.min()) >= interval[0] and float(array.max()) <= interval[1]):
        low, high = float(array.min()), float(array.max())
        hint = " (images: divide by 255)" if low >= 0 and 1 < high <= 255 else ""
        raise ValueError(f"{name} must lie in [{interval[0]:g}, {interval[1]:g}], got values in [{low:.6g}, {high:.6g}]{hint}")
    return Dense(array)


def _check_thresholds(inner: float, outer: float) -> None:
    if not (math.isfinite(inner) and math.isfinite(outer) and inner < outer):
        raise ValueError(f"thresholds must be finite with inner < outer, got inner={inner}, outer={outer}")
