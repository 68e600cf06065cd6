"""The largest difference of a network and a function over a box, as an exact rational number, and
where it is attained.

A network is affine on each cell of its arrangement. A quadratic minus an affine function is
extremal on a polytope at vertices, at stationary points inside edges, and, in the plane, inside a
cell if the quadratic is definite. So the supremum is a maximum over finitely many rational numbers
(`extremes`), part by part where the network is a sum of functions that share no input
(`separable`); trees of maxima have a proof of their own (`maxima`).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from constructions import Affine, ReLUNetwork, affine, compose, parallel
from constructions.internal import (
    as_coordinates,
    check_finite,
    check_network,
    exact_box,
    from_shared,
    read_norm,
)

from ..quantities.reading import exact_floats
from .extremes import extremes
from .maxima import is_maximum, maximum_network
from .quadratic import Quadratic, read_quadratic
from .range import SupError
from .separable import separate


def sup_error(network: ReLUNetwork, reference: Any, box: tuple[Any, Any]) -> SupError:
    """Compute the largest distance of a network from a function on a box, exactly.

    sup |f(x) - g(x)| over the box. What is covered: one or two inputs with any such reference; up
    to `INPUTS` inputs where f - g is piecewise linear; and any number of inputs where f - g
    separates, as its weights show: f - g = sum over parts of functions that share no input, each
    covered by itself. Every linear piece takes part; nothing is sampled. The cells' signs are
    proved by `linear_regions`.

    Args:
        network: f, of one output; the layers' weights are taken exactly (`source_difference` bounds
            how far a network that was rounded on reading is from its source).
        reference: g, a polynomial of degree <= 2 with rational coefficients, as a SymPy expression
            or text, in x (one input) or x1, x2, ... ("0.1" in a text is 1/10); another
            `ReLUNetwork`; or a number.
        box: (lower, upper), numbers or one for each input, exact in float64, in the domains of the
            networks.

    Returns:
        A `SupError`, exact.

    Raises:
        TypeError: for a network or reference of another kind, and for a box of no numbers.
        ValueError: for several outputs, a reference or box that does not fit, NaN, and what is not
            covered.
        RuntimeError: where `linear_regions` ends early for want of memory.

    Cost: about 10 microseconds a cell for dyadic networks (squaring(16) has 2^16 pieces), some 50
    for definite quadratics in two variables, 0.2 to 1 ms where vertices are not exact in float64; 5
    ms more for each separable part.

    Source: that f_m interpolates x^2 with error 4^-(m+1) is Yarotsky 2017, Proposition 2.

    Example:
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
        return separate(network, read_quadratic(reference, network.inputs), lower, upper)
    if other.inputs != network.inputs:
        raise ValueError(
            f"reference must have {network.inputs} inputs as network has, got {other.inputs}"
        )
    _read(other, box, "reference")
    if len(other.layers) == 1:
        slopes = tuple(Fraction(v) for v in other.layers[0].weight.to_dense()[0].tolist())
        return separate(network, Quadratic({}, slopes, without_bias(other)[1]), lower, upper)
    plain, constants = zip(*(without_bias(f) for f in (network, other)), strict=True)
    difference = compose(affine([[1.0, -1.0]]), parallel(*plain))
    return separate(
        difference,
        Quadratic.of_constant(network.inputs, constants[1] - constants[0]),
        lower,
        upper,
    )


def distance_error(
    network: ReLUNetwork, centre: Any, norm: Any, box: tuple[Any, Any] = (0.0, 1.0)
) -> SupError:
    """Compute how far a network is from the distance to a point, exactly.

    sup over the box of |f(x) - ||x - c||_inf| (norm inf) or |f(x) - ||x - c||_2^2| (norm 2). norm 2
    is `sup_error` with the polynomial sum_j (x_j - c_j)^2: any D where the weights show that f is a
    sum over coordinates (or D <= 2); distance(c, 2, m) attains D 4^-(m+1) if it does in each
    coordinate. norm inf: any D if f is a tree of exact maxima of at most two values each, which is
    read off the weights (not the provenance) and proved level by level, cell by cell, on ranges
    that contain those of the values; then the result is 0. Otherwise D <= `INPUTS`, by all cells of
    f and of a network for max_j |x_j - c_j| (D >= 6: many).

    Args:
        network: f, of one output.
        centre: c, (D,), floats.
        norm: inf or 2.
        box: as for `sup_error`.

    Returns:
        A `SupError`, exact.

    Raises:
        TypeError: as `sup_error`.
        ValueError: for a centre that does not fit, and as `sup_error`.
        RuntimeError: as `sup_error`.

    Cost: 5 to 20 ms a coordinate where a closed form applies.

    Example:
        >>> from constructions import distance
        >>> distance_error(distance([0.25, 0.5, 0.0], 2, m=3), [0.25, 0.5, 0.0], 2) == Fraction(
        ...     3, 4**4
        ... )
        True
        >>> c = [k / 32 for k in range(11)]
        >>> distance_error(distance(c, "inf"), c, "inf") == 0
        True
    """
    lower, upper = _read(network, box)
    p = read_norm(norm)
    point = as_coordinates(centre, "centre").double().cpu().numpy()
    if point.shape != (network.inputs,):
        raise ValueError(
            f"centre must have shape ({network.inputs},) as network has inputs, got {point.shape}"
        )
    check_finite(from_shared(point), "centre")
    if p == 2:
        c = [Fraction(v) for v in point.tolist()]
        squares = {(j, j): Fraction(1) for j in range(len(c))}
        norms = sum((v * v for v in c), Fraction(0))
        return separate(network, Quadratic(squares, tuple(-2 * v for v in c), norms), lower, upper)
    if network.inputs > 2 and is_maximum(network, point, lower, upper):
        corner = tuple(Fraction(v) for v in lower.tolist())
        return SupError(Fraction(0), corner, Fraction(0), corner)
    return extremes(
        [(1, network), (-1, maximum_network(network.inputs, point))],
        Quadratic.of_constant(network.inputs),
        lower,
        upper,
    )


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
    sides = exact_box(box, network.inputs, thin=False)
    lower, upper = (np.array(exact_floats(side, "box")) for side in sides)
    domain = network.domain
    if domain and not (domain[0] <= lower.min() and upper.max() <= domain[1]):
        raise ValueError(f"box must lie in the domain {list(domain)} of {name}, got {box!r}")
    return lower, upper


def without_bias(network: ReLUNetwork) -> tuple[ReLUNetwork, Fraction]:
    """A network without its last bias, and the latter: differences of networks then have no bias
    that rounds.
    """
    last = network.layers[-1]
    plain = Affine(last.weight, affine([[0.0]]).layers[0].bias)
    return ReLUNetwork((*network.layers[:-1], plain)), Fraction(last.bias.to_dense().item())
