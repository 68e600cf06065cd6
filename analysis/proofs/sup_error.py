"""The largest difference of a network and a function over a box, as an exact rational number, and
where it is attained.

A network is affine on each cell of its arrangement. A quadratic minus an affine function is
extremal on a polytope at vertices, at stationary points inside edges, and, in the plane, inside a
cell if the quadratic is definite. So the supremum is a maximum over finitely many rational numbers.
Floats only sort out which of them cannot be the largest, with a bound of their own rounding; the
rest are compared in integers.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.sparse
import sympy
import torch
from scipy.sparse.csgraph import connected_components

from constructions import (
    Affine,
    Ball,
    LinearRegions,
    ReLUNetwork,
    Result,
    Said,
    Sparse,
    affine,
    check_network,
    compose,
    linear_regions,
    parallel,
    plain,
    said,
)

INPUTS = 8
"""Most inputs of a network, or of one of its separable parts, whose cells are listed with their
vertices.
"""

INTEGER_BITS = 62
"""Integers of at most so many bits are computed with in int64; larger ones in Python."""

SCALE_BITS = 4096
"""Numbers whose common denominator has at most so many bits are integers over it; others stay
Fractions.
"""

UNIT_ROUNDOFF = 2.0**-53

Point = tuple[Fraction, ...]


class SupError(Result, Fraction):
    """sup |f - g| over a box: a Fraction, with the exact range of f - g and the points at which its
    ends are attained.

    minimum, maximum: the least and the largest value of f - g; minimizer, maximizer: points (tuples
    of Fractions) with these values. The number itself is max(maximum, -minimum); `point` is where
    |f - g| has it. Arithmetic gives Fractions.

    >>> error = SupError(Fraction(-1, 4), (Fraction(0),), Fraction(1, 8), (Fraction(1, 3),))
    >>> error == Fraction(1, 4), error.point, error + 1
    (True, (Fraction(0, 1),), Fraction(5, 4))
    """

    minimum: Fraction
    minimizer: Point
    maximum: Fraction
    maximizer: Point

    def __new__(
        cls, minimum: Fraction, minimizer: Point, maximum: Fraction, maximizer: Point
    ) -> SupError:
        self = super().__new__(cls, max(maximum, -minimum))
        self.minimum, self.minimizer = minimum, minimizer
        self.maximum, self.maximizer = maximum, maximizer
        return self

    @property
    def value(self) -> Fraction:
        """The supremum as a plain Fraction."""
        return Fraction(self.numerator, self.denominator)

    @property
    def point(self) -> Point:
        """A point at which |f - g| is the supremum."""
        return self.maximizer if self.maximum >= -self.minimum else self.minimizer

    @classmethod
    def from_float(cls, f: Any) -> Fraction:  # type: ignore[override]
        """A plain Fraction: comparisons with floats build one."""
        return Fraction.from_float(f)

    @classmethod
    def from_decimal(cls, dec: Any) -> Fraction:  # type: ignore[override]
        """A plain Fraction."""
        return Fraction.from_decimal(dec)

    def __reduce__(self) -> Any:
        return SupError, (self.minimum, self.minimizer, self.maximum, self.maximizer)

    def __copy__(self) -> SupError:
        return self

    def __deepcopy__(self, memo: Any) -> SupError:
        return self

    def __str__(self) -> str:
        return str(self.value)

    def to_dict(self) -> dict[str, Any]:
        """The supremum, the ends of the range, and where they are, as text."""
        names = ("value", "minimum", "minimizer", "maximum", "maximizer")
        return {name: plain(getattr(self, name)) for name in names}

    def _says(self) -> tuple[str, dict[str, Said]]:
        at = ", ".join(map(str, self.point[:4])) + ", ..." * (len(self.point) > 4)
        numbers = {"sup |f - g|": self.value, "minimum": self.minimum, "maximum": self.maximum}
        return f"at ({at})", {name: said(value, "exact") for name, value in numbers.items()}


@dataclass(frozen=True)
class _Quadratic:
    """x -> sum_(i <= j) terms[i, j] x_i x_j + sum_i linear[i] x_i + constant, in Fractions; zero
    terms are left out.
    """

    terms: dict[tuple[int, int], Fraction]
    linear: tuple[Fraction, ...]
    constant: Fraction

    def __call__(self, point: Sequence[Fraction]) -> Fraction:
        value = self.constant + sum(
            (a * x for a, x in zip(self.linear, point, strict=True) if a), Fraction(0)
        )
        return value + sum(
            (a * point[i] * point[j] for (i, j), a in self.terms.items()), Fraction(0)
        )

    def part(self, inputs: list[int]) -> _Quadratic:
        """The terms in some of the variables, which no term mixes with others, without the
        constant.
        """
        place = {i: k for k, i in enumerate(inputs)}
        terms = {(place[i], place[j]): a for (i, j), a in self.terms.items() if i in place}
        return _Quadratic(terms, tuple(self.linear[i] for i in inputs), Fraction(0))

    @property
    def definite(self) -> int:
        """For two variables: 1 if positive, -1 if negative definite, else 0."""
        a, b, c = (self.terms.get(key, Fraction(0)) for key in ((0, 0), (0, 1), (1, 1)))
        return 0 if 4 * a * c <= b * b else 1 if a > 0 else -1


def sup_error(network: ReLUNetwork, reference: Any, box: tuple[Any, Any]) -> SupError:
    """sup |f(x) - g(x)| over the box [lower, upper]: an exact Fraction, with the range of f - g and
    where it is attained.

    network: one output; weights are taken exactly. reference: a polynomial g of degree <= 2 with
    rational coefficients, as a SymPy expression or text, in x (one input) or x1, x2, ... ("0.1" in
    a text is 1/10); another `ReLUNetwork`; or a number. box: (lower, upper), numbers or one for
    each input, exact in float64, in the domains of the networks.

    What is covered: one or two inputs with any such reference; up to `INPUTS` inputs where f - g is
    piecewise linear; and any number of inputs where f - g separates, as its weights show: f - g =
    sum over parts of functions that share no input, each covered by itself. Every linear piece
    takes part; nothing is sampled. The cells' signs are proved by `linear_regions`.

    Cost: about 10 microseconds a cell for dyadic networks (squaring(16) has 2^16 pieces), some 50
    for definite quadratics in two variables, 0.2 to 1 ms where vertices are not exact in float64; 5
    ms more for each separable part. Raises TypeError for a network or reference of another kind;
    ValueError for several outputs, a reference or box that does not fit, NaN, and what is not
    covered; RuntimeError where `linear_regions` ends early for want of memory. Source: that f_m
    interpolates x^2 with error 4^-(m+1) is Yarotsky 2017, Proposition 2.

    >>> from constructions import multiplication, squaring
    >>> sup_error(squaring(3), "x**2", (0, 1))
    SupError: at (11/16)
      sup |f - g| 1/256, minimum 0, maximum 1/256 (all exact)
    >>> sup_error(multiplication(3, 1), "x1*x2", (0, 1)) == Fraction(1, 256)
    True
    """
    lower, upper = _read(network, box)
    other = reference if isinstance(reference, ReLUNetwork) else None
    if other is None:
        return _separate(network, read_quadratic(reference, network.inputs), lower, upper)
    if other.inputs != network.inputs:
        raise ValueError(
            f"reference must have {network.inputs} inputs as network has, got {other.inputs}"
        )
    _read(other, box, "reference")
    if len(other.layers) == 1:
        slopes = tuple(Fraction(v) for v in other.layers[0].weight.to_dense()[0].tolist())
        return _separate(network, _Quadratic({}, slopes, _without_bias(other)[1]), lower, upper)
    plain, constants = zip(*(_without_bias(f) for f in (network, other)), strict=True)
    difference = compose(affine([[1.0, -1.0]]), parallel(*plain))
    return _separate(
        difference,
        replace(_zero(network.inputs), constant=constants[1] - constants[0]),
        lower,
        upper,
    )


def distance_error(
    network: ReLUNetwork, centre: Any, norm: Any, box: tuple[Any, Any] = (0.0, 1.0)
) -> SupError:
    """sup over the box of |f(x) - ||x - c||_inf| (norm inf) or |f(x) - ||x - c||_2^2| (norm 2), as
    `sup_error` gives it.

    centre: shape (D,), floats. norm 2 is `sup_error` with the polynomial sum_j (x_j - c_j)^2: any D
    where the weights show that f is a sum over coordinates (or D <= 2); distance(c, 2, m) attains D
    4^-(m+1) if it does in each coordinate. norm inf: any D if f is a tree of exact maxima of at
    most two values each, which is read off the weights (not the provenance) and proved level by
    level, cell by cell, on ranges that contain those of the values; then the result is 0. Otherwise
    D <= `INPUTS`, by all cells of f and of a network for max_j |x_j - c_j| (D >= 6: many). Cost: 5
    to 20 ms a coordinate where a closed form applies. Errors as for `sup_error`; ValueError also
    for a centre that does not fit.

    >>> from constructions import distance
    >>> distance_error(distance([0.25, 0.5, 0.0], 2, m=3), [0.25, 0.5, 0.0], 2) == Fraction(3, 4**4)
    True
    >>> c = [k / 32 for k in range(11)]
    >>> distance_error(distance(c, "inf"), c, "inf") == 0
    True
    """
    lower, upper = _read(network, box)
    p = Ball(norm, 0.0).p
    point = np.asarray(centre, dtype=np.float64)
    if point.shape != (network.inputs,):
        raise ValueError(
            f"centre must have shape ({network.inputs},) as network has inputs, got {point.shape}"
        )
    if not np.isfinite(point).all():
        raise ValueError("centre must be finite, got NaN or infinity")
    if p == 2:
        c = [Fraction(v) for v in point.tolist()]
        squares = {(j, j): Fraction(1) for j in range(len(c))}
        norms = sum((v * v for v in c), Fraction(0))
        return _separate(
            network, _Quadratic(squares, tuple(-2 * v for v in c), norms), lower, upper
        )
    if network.inputs > 2 and _is_maximum(network, point, lower, upper):
        corner = tuple(Fraction(v) for v in lower.tolist())
        return SupError(Fraction(0), corner, Fraction(0), corner)
    return _extremes(
        [(1, network), (-1, _maximum(network.inputs, point))], _zero(network.inputs), lower, upper
    )


# -- arguments -------------------------------------------------------------------------------------


def _read(network: Any, box: Any, name: str = "network") -> tuple[np.ndarray, np.ndarray]:
    """The corners of the box, for a network that has one output and is stated there."""
    check_network(network, name)
    if not isinstance(network.inputs, int):
        raise ValueError(f"{name} must have numbers as weights, got {network}")
    if network.outputs != 1:
        raise ValueError(
            f"{name} must have one output, got {network.outputs}; pick one by compose(affine(row), "
            f"network)"
        )
    corners = []
    try:
        lower, upper = box
    except (TypeError, ValueError) as error:
        raise ValueError(f"box must be a pair (lower, upper), got {box!r}") from error
    for side in (lower, upper):
        numbers = _numbers(side, box)
        if len(numbers) not in (1, network.inputs):
            raise ValueError(
                f"box must have one number or {network.inputs} a corner, as {name} has inputs, got "
                f"{len(numbers)}"
            )
        corners.append(np.array(numbers * (network.inputs // len(numbers))))
    if not (corners[0] < corners[1]).all():
        raise ValueError(f"box must have lower < upper in every coordinate, got {box!r}")
    domain = network.domain
    if domain and not (domain[0] <= corners[0].min() and corners[1].max() <= domain[1]):
        raise ValueError(f"box must lie in the domain {list(domain)} of {name}, got {box!r}")
    return corners[0], corners[1]


def _numbers(side: Any, box: Any) -> list[float]:
    """A corner's numbers as floats that equal them."""
    if hasattr(side, "detach"):
        side = side.detach().cpu().numpy()
    values = np.asarray(side, dtype=object).reshape(-1).tolist()
    try:
        floats = [float(v) for v in values]
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"box must be a pair (lower, upper) of numbers, got {box!r}") from error
    if not all(math.isfinite(v) for v in floats):
        raise ValueError("box must be finite, got NaN or infinity")
    for value, given in zip(floats, values, strict=True):
        exact = Fraction(int(given.p), int(given.q)) if isinstance(given, sympy.Rational) else given
        if Fraction(value) != exact:
            raise ValueError(f"box must have corners that float64 holds exactly, got {given}")
    return floats


def read_quadratic(reference: Any, inputs: int) -> _Quadratic:
    """The polynomial of degree <= 2 that a number, a text or a SymPy expression in x or x1, x2, ...
    stands for.

    >>> read_quadratic("(x1 + x2)**2 / 3", 2)([Fraction(1), Fraction(2)])
    Fraction(3, 1)
    """
    if isinstance(reference, (bool, np.bool_)):
        raise TypeError(f"reference must be a polynomial, a network or a number, got {reference!r}")
    if isinstance(reference, (int, float, Fraction, np.integer, np.floating)):
        if not math.isfinite(reference):
            raise ValueError(f"reference must be finite, got {reference}")
        constant = Fraction(reference.item() if isinstance(reference, np.generic) else reference)
        return replace(_zero(inputs), constant=constant)
    if isinstance(reference, str):
        if not re.fullmatch(r"[0-9x+\-*/(). ]+", reference):  # SymPy evaluates what it reads
            hint = " (powers are written x**2, not x^2)" if "^" in reference else ""
            raise ValueError(
                f"reference must be a polynomial in {_names(inputs)}{hint}, got {reference!r}"
            )
        # x**9**9**9 would take for ever
        if re.search(r"\*\*(?!\s*[012]\s*([-+*/) ](?!\*)|$))", reference):
            raise ValueError(
                f"reference must be of degree at most 2, with exponents 0, 1 or 2, got "
                f"{reference!r}"
            )
        try:
            reference = sympy.sympify(reference, rational=True)
        except (sympy.SympifyError, TypeError, SyntaxError) as error:
            raise ValueError(
                f"reference must be a polynomial in {_names(inputs)}, got {reference!r}"
            ) from error
    if not isinstance(reference, sympy.Expr):
        hint = (
            " (ReLUNetwork.from_module reads modules)"
            if isinstance(reference, torch.nn.Module)
            else ""
        )
        raise TypeError(
            f"reference must be a polynomial, a network{hint} or a number, got "
            f"{type(reference).__name__}"
        )
    expression = reference.xreplace(
        {v: sympy.Rational(v) for v in reference.atoms(sympy.Float) if v.is_finite}
    )
    places = {f"x{i + 1}": i for i in range(inputs)} | ({"x": 0} if inputs == 1 else {})
    symbols = sorted(expression.free_symbols, key=str)
    for symbol in symbols:
        if str(symbol) not in places:
            raise ValueError(
                f"reference must be a polynomial in {_names(inputs)}, got the symbol {symbol}"
            )
    if not symbols:
        expression = expression + sympy.Symbol("x1") * 0
    try:
        poly = sympy.Poly(expression, *(symbols or [sympy.Symbol("x1")]))
    except sympy.PolynomialError as error:
        raise ValueError(
            f"reference must be a polynomial in {_names(inputs)}, got {reference}"
        ) from error
    terms: dict[tuple[int, int], Fraction] = {}
    linear, constant = [Fraction(0)] * inputs, Fraction(0)
    for powers, coefficient in poly.terms():
        if not isinstance(coefficient, sympy.Rational):
            raise ValueError(f"reference must have finite rational coefficients, got {coefficient}")
        value = Fraction(int(coefficient.p), int(coefficient.q))
        variables = [
            places[str(s)] for s, power in zip(symbols, powers, strict=False) for _ in range(power)
        ]
        if len(variables) > 2:
            raise ValueError(f"reference must be of degree at most 2, got {reference}")
        if len(variables) == 2:
            i, j = sorted(variables)
            terms[i, j] = terms.get((i, j), Fraction(0)) + value
        elif variables:
            linear[variables[0]] += value
        else:
            constant += value
    return _Quadratic({key: v for key, v in terms.items() if v}, tuple(linear), constant)


def _without_bias(network: ReLUNetwork) -> tuple[ReLUNetwork, Fraction]:
    """A network without its last bias, and the latter: differences of networks then have no bias
    that rounds.
    """
    last = network.layers[-1]
    plain = Affine(last.weight, affine([[0.0]]).layers[0].bias)
    return ReLUNetwork((*network.layers[:-1], plain)), Fraction(last.bias.to_dense().item())


def _zero(inputs: int) -> _Quadratic:
    return _Quadratic({}, (Fraction(0),) * inputs, Fraction(0))


def _names(inputs: int) -> str:
    return "x" if inputs == 1 else "x1, x2" if inputs == 2 else f"x1, ..., x{inputs}"


# -- separable networks ----------------------------------------------------------------------------


def _separate(
    network: ReLUNetwork,
    quadratic: _Quadratic,
    lower: np.ndarray,
    upper: np.ndarray,
    shorten: bool = True,
) -> SupError:
    """Extremes part by part: with x_0 the lower corner, e(x) = e(x_0) + sum_C (e_C(x_C) - e_C(x_0))
    over the parts C.

    shorten: where parts have too many inputs, try without the last hidden layer, if its units are
    linear on the box.
    """
    parts = _parts(network, quadratic)
    if shorten and any(
        len(inputs) > (2 if quadratic.part(inputs).terms else INPUTS) for inputs, _ in parts
    ):
        shorter = _without_last_relu(network, lower, upper)
        if shorter is not None:
            return _separate(shorter, quadratic, lower, upper)
    if len(parts) == 1:
        return _extremes([(1, network)], quadratic, lower, upper)
    corner = [Fraction(v) for v in lower.tolist()]
    low = high = network.exact(lower).item() - quadratic(corner)
    minimizer, maximizer = list(corner), list(corner)
    known: dict[Any, tuple[SupError, Fraction]] = {}
    for inputs, part in parts:
        own = quadratic.part(inputs)
        sides = lower[inputs], upper[inputs]
        weights = tuple(
            a.weight.to_dense().numpy().tobytes() + a.bias.to_dense().numpy().tobytes()
            for a in part.layers
        )
        key = (
            part.hidden,
            weights,
            sides[0].tobytes(),
            sides[1].tobytes(),
            tuple(sorted(own.terms.items())),
            own.linear,
        )
        if key not in known:
            base = part.exact(sides[0]).item() - own([corner[i] for i in inputs])
            known[key] = _extremes([(1, part)], own, *sides), base
        found, base = known[key]
        low, high = low + found.minimum - base, high + found.maximum - base
        for k, i in enumerate(inputs):
            minimizer[i], maximizer[i] = found.minimizer[k], found.maximizer[k]
    return SupError(low, tuple(minimizer), high, tuple(maximizer))


def _parts(network: ReLUNetwork, quadratic: _Quadratic) -> list[tuple[list[int], ReLUNetwork]]:
    """Sets of inputs that no hidden unit and no term mixes, each with the network of what they add
    to the output.

    Two neighbouring units are in one set if the weight between them is not zero; the output only
    adds up.
    """
    starts = np.cumsum([0, network.inputs, *network.hidden])
    tables = []
    for layer in network.layers:
        rows, columns, values = (v.numpy() for v in layer.weight.coordinates())
        keep = values != 0
        tables.append((rows[keep], columns[keep], values[keep]))
    mixed = np.array(list(quadratic.terms), dtype=np.int64).reshape(-1, 2)
    first = [mixed[:, 0], *(columns + starts[k] for k, (_, columns, _) in enumerate(tables[:-1]))]
    second = [mixed[:, 1], *(rows + starts[k + 1] for k, (rows, _, _) in enumerate(tables[:-1]))]
    i, j, nodes = np.concatenate(first), np.concatenate(second), int(starts[-1])
    _, part = connected_components(
        scipy.sparse.coo_array((np.ones(len(i)), (i, j)), shape=(nodes, nodes)), directed=False
    )
    labels, inverse = np.unique(part[: network.inputs], return_inverse=True)
    if len(labels) == 1:
        return [(list(range(network.inputs)), network)]
    place = np.empty(nodes, dtype=np.int64)  # of a unit among those of its layer and part
    for k in range(len(starts) - 1):
        own = part[starts[k] : starts[k + 1]]
        order = np.argsort(own, kind="stable")
        heads = np.flatnonzero(np.diff(own[order], prepend=-1))
        place[starts[k] + order] = np.arange(len(own)) - np.repeat(
            heads, np.diff(np.append(heads, len(own)))
        )
    biases = [layer.bias.to_dense()[:, 0].numpy() for layer in network.layers]
    split = [
        _by_part(part[columns + starts[k]], labels) for k, (_, columns, _) in enumerate(tables)
    ]
    members = [_by_part(part[starts[k] : starts[k + 1]], labels) for k in range(len(starts) - 1)]
    result = []
    for number in range(len(labels)):
        inputs = np.flatnonzero(inverse == number).tolist()
        layers = []
        for k, (rows, columns, values) in enumerate(tables):
            chosen, last = split[k][number], k == len(tables) - 1
            height = 1 if last else len(members[k + 1][number])
            table = np.zeros((height, len(members[k][number])))
            here = (
                np.zeros(len(chosen), dtype=np.int64)
                if last
                else place[rows[chosen] + starts[k + 1]]
            )
            table[here, place[columns[chosen] + starts[k]]] = values[chosen]
            layers.append((table, np.zeros(1) if last else biases[k][members[k + 1][number]]))
        # such an input does nothing from some layer on
        if any(table.size == 0 for table, _ in layers):
            layers = [(np.zeros((1, len(inputs))), np.zeros(1))]
        result.append((inputs, ReLUNetwork.from_layers(layers)))
    return result


def _without_last_relu(
    network: ReLUNetwork, lower: np.ndarray, upper: np.ndarray
) -> ReLUNetwork | None:
    """The same function on the box with one hidden layer less, or None if that is not proved or not
    exact in float64.

    Each unit of the last hidden layer must be >= 0 or <= 0 on the whole box, by its exact range.
    """
    if len(network.layers) == 1:
        return None
    *below, last = network.layers[:-1]
    rows, columns, values = (v.numpy() for v in last.weight.coordinates())
    bias, out = (
        last.bias.to_dense()[:, 0].tolist(),
        network.layers[-1].weight.to_dense()[0].tolist(),
    )
    shift = Fraction(network.layers[-1].bias.to_dense().item())
    merged: dict[int, Fraction] = {}
    for unit in np.flatnonzero(out).tolist():
        mine = rows == unit
        row = Sparse(
            (1, last.weight.shape[1]),
            *map(torch.from_numpy, (rows[mine] * 0, columns[mine], values[mine])),
        )
        part = ReLUNetwork((*below, Affine(row, affine([[1.0]], [bias[unit]]).layers[0].bias)))
        try:
            found = _separate(part, _zero(network.inputs), lower, upper, shorten=False)
        except ValueError:
            return None
        if found.minimum < 0 < found.maximum:
            return None
        if found.maximum > 0:
            weight = Fraction(out[unit])
            shift += weight * Fraction(bias[unit])
            for j, value in zip(columns[mine].tolist(), values[mine].tolist(), strict=True):
                merged[j] = merged.get(j, Fraction(0)) + weight * Fraction(value)
    if any(Fraction(float(v)) != v for v in (shift, *merged.values())):
        return None
    dense = np.zeros((1, last.weight.shape[1]))
    dense[0, list(merged)] = [float(v) for v in merged.values()]
    return ReLUNetwork((*below, *affine(dense, [float(shift)]).layers))


def _by_part(owner: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """The places of each label, in order."""
    order = np.argsort(owner, kind="stable")
    ends = (
        np.searchsorted(owner[order], labels, side="left"),
        np.searchsorted(owner[order], labels, side="right"),
    )
    return [order[a:b] for a, b in zip(*ends, strict=True)]


# -- trees of maxima -------------------------------------------------------------------------------


def _maximum(count: int, centre: np.ndarray | None = None) -> ReLUNetwork:
    """max_i |x_i - c_i|, or without centre max_i x_i for x >= 0, one value after another: max(p, q)
    = relu(p - q) + q.
    """
    values: np.ndarray = np.eye(count)
    layers = []
    if centre is not None:
        layers.append((np.kron(values, [[1.0], [-1.0]]), np.kron(-centre, [1.0, -1.0])))
        values = np.kron(values, [[1.0, 1.0]])
    while len(values) > 1:
        layers.append(
            (np.concatenate([values[:1] - values[1:2], values[1:]]), np.zeros(len(values)))
        )
        values = np.eye(len(values) - 1, len(values), 1)
        values[0, 0] = 1.0
    return ReLUNetwork.from_layers([*layers, (values, np.zeros(1))])


def _is_maximum(
    network: ReLUNetwork, centre: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> bool:
    """Whether f(x) = max_j |x_j - c_j| on the box is proved, level by level.

    The units of the first layer fall into sets C that share no input. If the second layer reads
    each set through one number g_C = r_C.h_C only, and g_C = factor max_(j in C) |x_j - c_j| +
    shift there, then f is a network of these maxima, one layer shorter, on the ranges that they
    have; and so on, until one number is left.
    """
    layers = [
        (a.weight.to_dense().numpy(), a.bias.to_dense()[:, 0].numpy()) for a in network.layers
    ]
    for k in range(len(layers) - 1, 0, -1):  # units that nothing reads
        read = (layers[k][0] != 0).any(axis=0)
        layers[k] = layers[k][0][:, read], layers[k][1]
        layers[k - 1] = layers[k - 1][0][read], layers[k - 1][1][read]
    points: np.ndarray | None = centre
    proved: dict[Any, tuple[Fraction, Fraction] | None] = {}
    while len(layers) > 1:
        (weight, bias), (following, constants) = layers[:2]
        units, inputs = weight.shape
        i, j = np.nonzero(weight)
        graph = scipy.sparse.coo_array(
            (np.ones(len(i)), (i + inputs, j)), shape=(units + inputs,) * 2
        )
        count, part = connected_components(graph, directed=False)
        columns, shifts, ranges = [], [Fraction(v) for v in constants.tolist()], []
        for label in range(count):
            own, mine = (
                np.flatnonzero(part[:inputs] == label),
                np.flatnonzero(part[inputs:] == label),
            )
            outer = _outer_product(following[:, mine])
            if not 1 <= len(own) <= 2 or outer is None:
                return False
            into, out = outer
            piece = ReLUNetwork.from_layers(
                [(weight[np.ix_(mine, own)], bias[mine]), (out[None], [0.0])]
            )
            known = None if points is None else points[own]
            key = tuple(
                v.tobytes()
                for a in piece.layers
                for v in (a.weight.to_dense().numpy(), a.bias.to_dense().numpy())
            )
            key = (
                *key,
                b"" if known is None else known.tobytes(),
                lower[own].tobytes(),
                upper[own].tobytes(),
            )
            if key not in proved:
                proved[key] = _multiple_of_maximum(piece, known, lower[own], upper[own])
            multiple = proved[key]
            if multiple is None:
                return False
            columns.append([v * multiple[0] for v in into])
            shifts = [s + v * multiple[1] for s, v in zip(shifts, into, strict=True)]
            reach = max(map(abs, [*lower[own].tolist(), *upper[own].tolist()]))
            ranges.append(
                reach if known is None else math.nextafter(reach + np.abs(known).max(), math.inf)
            )
        entries = [v for column in columns for v in column] + shifts
        if any(Fraction(float(v)) != v for v in entries):
            return False
        layers[:2] = [(np.array(columns, dtype=np.float64).T, np.array(shifts, dtype=np.float64))]
        lower, upper, points = np.zeros(count), np.full(count, max(ranges)), None
    weight, bias = layers[0]
    return points is None and weight.tolist() == [[1.0]] and bias.tolist() == [0.0]


def _outer_product(matrix: np.ndarray) -> tuple[list[Fraction], np.ndarray] | None:
    """(u, v) with matrix = u v^T exactly, for a matrix that is not zero, or None."""
    rows = np.flatnonzero((matrix != 0).any(axis=1))
    if len(rows) == 0:
        return None
    out = matrix[rows[0]]
    place = int(np.flatnonzero(out)[0])
    factors = [Fraction(0)] * len(matrix)
    exact = [Fraction(v) for v in out.tolist()]
    for row in rows.tolist():
        values = [Fraction(v) for v in matrix[row].tolist()]
        factors[row] = values[place] / exact[place]
        if values != [factors[row] * v for v in exact]:
            return None
    return factors, out


def _multiple_of_maximum(
    piece: ReLUNetwork, centre: np.ndarray | None, lower: np.ndarray, upper: np.ndarray
) -> tuple[Fraction, Fraction] | None:
    """(factor, shift) with piece = factor max + shift on the whole box, or None. max: `_maximum` of
    as many values.
    """
    target = _maximum(piece.inputs, centre)
    ends = [lower, upper, (lower + upper) / 2]
    values, wanted = ([net.exact(x).item() for x in ends] for net in (piece, target))
    other = next((k for k in (1, 2) if wanted[k] != wanted[0]), None)
    if other is None:
        return None
    factor = (values[other] - values[0]) / (wanted[other] - wanted[0])
    rest = _extremes([(1, piece), (-factor, target)], _zero(piece.inputs), lower, upper)
    return (factor, rest.minimum) if rest.minimum == rest.maximum else None


# -- one network -----------------------------------------------------------------------------------


def _extremes(
    networks: Sequence[tuple[int | Fraction, ReLUNetwork]],
    quadratic: _Quadratic,
    lower: np.ndarray,
    upper: np.ndarray,
) -> SupError:
    """The range over the box of a sum of networks, each times a number, minus a quadratic."""
    d = len(lower)
    if quadratic.terms and d > 2:
        raise ValueError(
            f"reference of degree 2 is for networks with 1 or 2 inputs, or whose parts have so "
            f"many; got a part with {d}"
        )
    if d > INPUTS:
        raise ValueError(
            f"network must have at most {INPUTS} inputs, or be a sum of such parts, got a part "
            f"with {d} inputs"
        )
    found = _cells(parallel(*(network for _, network in networks)).restrict(None), lower, upper)
    points = _vertices(found)
    values = None
    for factor, network in networks:
        term = network.exact(points)[:, 0]
        term = term if factor == 1 else factor * term
        values = term if values is None else values + term
    errors = _Errors(points, values, quadratic)
    if quadratic.terms:
        assert found.lattice is not None
        ends = found.lattice.edges.view
        polygons = found.polygons() if d == 2 and quadratic.definite else []
    else:
        ends, polygons = np.zeros((2, 0), dtype=np.int64), []
    low, minimizer = errors.largest(-1, ends, polygons if quadratic.definite < 0 else [])
    high, maximizer = errors.largest(1, ends, polygons if quadratic.definite > 0 else [])
    return SupError(-low, minimizer, high, maximizer)


def _cells(network: ReLUNetwork, lower: np.ndarray, upper: np.ndarray) -> LinearRegions:
    """All cells, proved to be all."""
    found = linear_regions(network, (lower, upper))
    if found.complete and not found.certified:
        found = linear_regions(network, (lower, upper), exact=True)
    if "interrupt" in found.method:  # Ctrl-C ends `linear_regions` with what it has
        raise KeyboardInterrupt
    if not found.complete or not found.certified:
        raise RuntimeError(f"the cells are not proved to be all: {found}")
    return found


def _vertices(found: LinearRegions) -> np.ndarray:
    """All vertices, exactly: (V, d) floats if these hold them all, else Fractions."""
    lattice = found.lattice
    assert lattice is not None
    points, known = lattice.points.view.copy(), lattice.known.view
    if known.all():
        return points
    rest = np.flatnonzero(~known)
    rows = lattice.exact_points.find(
        rest.tolist(), lattice.parents.view, lattice.signs.view
    ).tolist()
    exact = np.empty(points.shape, dtype=object)
    exact[known] = np.array(
        [Fraction(v) for v in points[known].reshape(-1).tolist()], dtype=object
    ).reshape(-1, lattice.d)
    exact[rest] = np.array([[Fraction(v, row[-1]) for v in row[:-1]] for row in rows], dtype=object)
    return exact


class _Errors:
    """e = f - q at the vertices of a subdivision on whose cells f is affine, times `scale`, in the
    cheapest exact numbers.

    x: coordinates (V, d) times x_scale; e: (V,). All are int64, Python integers, or Fractions (with
    scale 1).
    """

    def __init__(self, points: np.ndarray, values: Any, quadratic: _Quadratic) -> None:
        self.quadratic, self.d = quadratic, points.shape[1]
        flat, x_scale = _over_one_denominator(points.reshape(-1))
        self.x, self.x_scale = flat.reshape(points.shape), x_scale
        y, y_scale = _over_one_denominator(values)
        coefficients = [*quadratic.terms.values(), *quadratic.linear, quadratic.constant]
        factor = math.lcm(*(v.denominator for v in coefficients))
        common = math.lcm(x_scale * x_scale, y_scale)
        self.scale = factor * common
        per_y = self.scale // y_scale
        self.terms = {
            key: int(v * factor) * (common // x_scale**2) for key, v in quadratic.terms.items()
        }
        linear = [int(v * factor) * (common // x_scale) for v in quadratic.linear]
        constant = int(quadratic.constant * factor) * common
        x_size, y_size = (max(1, math.ceil(abs(v).max())) for v in (self.x, y))
        second = sum(map(abs, self.terms.values())) * x_size**2
        bound = per_y * y_size + second + sum(map(abs, linear)) * x_size + abs(constant)
        whole = all(isinstance(v, (int, np.int64)) for v in (self.x.flat[0], y[0]))
        if whole and max(4 * bound, 8 * second).bit_length() <= INTEGER_BITS:
            self.x, y = self.x.astype(np.int64), y.astype(np.int64)
        else:
            self.x = self.x.astype(object)
        self.e = per_y * y - self._second(self.x) - constant
        for i, slope in enumerate(linear):
            if slope:
                self.e = self.e - slope * self.x[:, i]

    def _second(self, x: np.ndarray) -> Any:
        """The terms of degree 2 at rows of numbers, times `scale`."""
        return sum(
            (a * x[:, i] * x[:, j] for (i, j), a in self.terms.items()),
            np.zeros(len(x), dtype=self.x.dtype),
        )

    def point(self, x: Iterable[Any]) -> Point:
        """A point from its coordinates times x_scale."""
        return tuple(Fraction(v) / self.x_scale for v in x)

    def largest(
        self, sign: int, ends: np.ndarray, polygons: Sequence[np.ndarray]
    ) -> tuple[Fraction, Point]:
        """The maximum of sign * e and a point where it is: at vertices, inside edges (2, E), inside
        polygons.
        """
        e = sign * self.e
        at = int(e.argmax())
        best, point = e[at : at + 1].tolist()[0], self.x[at].tolist()
        best, point = Fraction(best), self.point(point)
        inside = self._on_edges(sign, e, ends, best)
        if inside is not None:
            best, point = inside
        best /= self.scale
        x, values = self.x.tolist(), e.tolist()
        for polygon in polygons:
            if (
                self._bound(sign, [x[v] for v in polygon], [values[v] for v in polygon])
                <= best * self.scale
            ):
                continue
            inside = self._in_polygon(sign, polygon, best)
            if inside is not None:
                best, point = inside
        return best, point

    def _on_edges(
        self, sign: int, e: np.ndarray, ends: np.ndarray, best: Fraction
    ) -> tuple[Fraction, Point] | None:
        """The largest value, if more than `best`, at a stationary point inside an edge.

        On the edge from a to b, with c the terms of degree 2 at b - a, e(a + t (b - a)) = (1 - t)
        e(a) + t e(b) + c t (1 - t) is stationary at t = 1/2 + (e(b) - e(a)) / 2c, with the value
        e(a) + (c + e(b) - e(a))^2 / 4c.
        """
        if ends.shape[1] == 0:
            return None
        u, w = ends
        bend, rise = sign * self._second(self.x[w] - self.x[u]), e[w] - e[u]
        chosen = np.flatnonzero((bend > 0) & (abs(rise) < bend))
        if len(chosen) == 0:
            return None
        u, w, bend, rise = u[chosen], w[chosen], bend[chosen], rise[chosen]
        start = e[u]
        top, slack = _screen(start, rise, bend)
        chosen = np.flatnonzero(top + slack >= (top - slack).max())
        start, rise, bend = (v[chosen].tolist() for v in (start, rise, bend))
        first: dict[Any, int] = {}
        for k, key in enumerate(zip(start, rise, bend, strict=True)):
            first.setdefault(key, k)
        found = None
        for (a, r, c), k in first.items():
            value = Fraction(a) + Fraction(c + r) ** 2 / (4 * c)
            if value > best:
                best, found = value, k
        if found is None:
            return None
        t = Fraction(1, 2) + Fraction(rise[found]) / (2 * bend[found])
        a, b = (self.x[v[chosen[found]]].tolist() for v in (u, w))
        return best, self.point(p + t * (q - p) for p, q in zip(a, b, strict=True))

    def _bound(self, sign: int, corners: list[Any], values: list[Any]) -> Any:
        """An upper bound of sign * e in a polygon.

        With q the terms of degree 2, e is at most max_i e(v_i) + sum_(i < j) t_i t_j q(v_i - v_j)
        at sum_i t_i v_i, and the sum of all t_i t_j is at most 1/2.
        """
        terms = [(sign * self.terms.get(key, 0)) for key in ((0, 0), (0, 1), (1, 1))]
        bend = 0
        for (p, q), (r, s) in itertools.combinations(corners, 2):
            h, k = p - r, q - s
            bend = max(bend, terms[0] * h * h + terms[1] * h * k + terms[2] * k * k)
        return max(values) + Fraction(bend, 2)

    def _in_polygon(
        self, sign: int, polygon: np.ndarray, best: Fraction
    ) -> tuple[Fraction, Point] | None:
        """The value at the maximum of sign * e, where it is concave, if that lies in the polygon
        and is more than `best`.

        e(v + h) = e(v) + g.h - q(h) for one gradient g, which two more vertices give; stationary at
        g = grad q(h).
        """
        corners = [self.point(self.x[v].tolist()) for v in polygon]
        values = [Fraction(v) / self.scale * sign for v in self.e[polygon].tolist()]
        a, b, c = (
            sign * self.quadratic.terms.get(key, Fraction(0)) for key in ((0, 0), (0, 1), (1, 1))
        )
        x, y = corners[0]
        sides = []
        for (p, q), value in zip(corners[1:], values[1:], strict=True):
            h, k = p - x, q - y
            sides.append((h, k, value - values[0] + a * h * h + b * h * k + c * k * k))
        h, k, r = sides[0]
        s, t, w = next(other for other in sides[1:] if h * other[1] != k * other[0])
        area = h * t - k * s
        g0, g1 = (r * t - w * k) / area, (h * w - s * r) / area
        minor = 4 * a * c - b * b
        u, v = (2 * c * g0 - b * g1) / minor, (2 * a * g1 - b * g0) / minor
        value = values[0] + (g0 * u + g1 * v) / 2
        if value <= best:
            return None
        p, q = x + u, y + v
        turns = [
            (c1[0] - c0[0]) * (q - c0[1]) - (c1[1] - c0[1]) * (p - c0[0])
            for c0, c1 in itertools.pairwise([*corners, corners[0]])
        ]
        if min(turns) < 0 < max(turns):
            return None
        return value, (p, q)


def _over_one_denominator(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Numbers (n,) as integers over their common denominator, or as Fractions over 1 where that
    would be too long.
    """
    if values.dtype == np.float64:
        places = 53 - int(np.frexp(values)[1].max())
        with np.errstate(under="ignore"):
            scaled = np.ldexp(values, places)  # at most 2^53
        if 0 <= places <= 1000 and (scaled == np.rint(scaled)).all():
            whole = scaled.astype(np.int64)
            spare = min(
                places,
                int(np.bitwise_or.reduce(whole) & -np.bitwise_or.reduce(whole)).bit_length() - 1,
            )
            return whole >> max(spare, 0), 1 << (places - max(spare, 0))
    ratios = [v.as_integer_ratio() for v in values.tolist()]
    scale = 1
    out = np.empty(len(ratios), dtype=object)
    for denominator in {d for _, d in ratios}:
        scale = math.lcm(scale, denominator)
        if scale.bit_length() > SCALE_BITS:
            out[:] = [Fraction(*ratio) for ratio in ratios]
            return out, 1
    out[:] = [n * (scale // d) for n, d in ratios]
    return out, scale


def _screen(start: np.ndarray, rise: np.ndarray, bend: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """start + (bend + rise)^2 / (4 bend) in float64, times one power of two, and how far off that
    may be.

    For |rise| < bend. An input errs by half a unit in the last place, so the sum s = bend + rise by
    n = 4 u (bend + |rise|), and s^2 / (4 bend) by (2 |s| n + n^2) / (4 bend) <= n + n^2 / (4 bend),
    and by rounding.
    """
    a, r, c = _floats(start, rise, bend)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        top = a + (c + r) * (0.25 * (c + r) / c)
        noise = 8 * UNIT_ROUNDOFF * (c + np.abs(r)) + 2.0**-1060
        slack = 2 * (noise + noise * (noise / c)) + 8 * UNIT_ROUNDOFF * np.abs(a)
    bad = ~(np.isfinite(top) & np.isfinite(slack))
    return np.where(bad, 0.0, top), np.where(bad, np.inf, slack)


def _floats(*arrays: np.ndarray) -> list[np.ndarray]:
    """Integers or Fractions times one power of two as the nearest floats, of absolute values up to
    1 (int64: as they are).
    """
    if all(v.dtype == np.int64 for v in arrays):
        return [v.astype(np.float64) for v in arrays]
    ratios = [[v.as_integer_ratio() for v in array.tolist()] for array in arrays]
    shift = max(n.bit_length() - d.bit_length() + 1 for part in ratios for n, d in part)
    up, down = 1 << max(-shift, 0), 1 << max(shift, 0)
    return [np.array([n * up / (d * down) for n, d in part]) for part in ratios]
