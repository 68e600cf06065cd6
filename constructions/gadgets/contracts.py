"""What each gadget guarantees in real arithmetic with the float64 weights it really has: proved
once, then only looked up.

Proofs are on paper in the functions below (three lines each) and are repeated exactly by the tests:
on all breakpoints in one dimension, on all vertices of all linear regions in few dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..basics.floats import power_of_two
from ..basics.norms import read_norm
from ..basics.result import Result, Said, Unpacked, said
from ..networks.network import ReLUNetwork, check_network
from ..networks.provenance import Provenance
from .distances import shared_rounding

HALF_ULP = Fraction(1, 2**54)
"""The most by which a float64 sum in [-1, 1] is rounded (twice that in [-2, 2])."""


@dataclass(frozen=True, repr=False)
class Contract(Result):
    """How far a gadget's value may be from what it stands for: proved, in exact real arithmetic.

    lower <= value - reference <= upper on the domain, with the weights as built. The numbers are
    certified bounds.

    Attributes:
        domain: where it holds, as text.
        reference: the formula that the gadget approximates, as text.
        lower: the least that value - reference can be.
        upper: the most that it can be.
        exact: where value = reference whatever the bounds, as text.
        range: the least interval known to hold all values (None: not bounded).
        monotone: +1 nondecreasing, -1 nonincreasing on the domain, 0 not claimed.

    Example:
        >>> from constructions import squaring
        >>> contract(squaring(3)).upper, contract(squaring(3)).monotone
        (Fraction(1, 256), 1)
    """

    domain: str
    reference: str
    lower: Fraction = Fraction(0)
    upper: Fraction = Fraction(0)
    exact: str = ""
    range: tuple[Fraction, Fraction] | None = None
    monotone: int = 0

    def _says(self) -> tuple[str, dict[str, Said]]:
        words = {1: ", nondecreasing", -1: ", nonincreasing", 0: ""}[self.monotone]
        exact = f", equal where {self.exact}" if self.exact else ""
        bounds = {"value - reference": (self.lower, self.upper)}
        if self.range is not None:
            bounds["value"] = self.range
        numbers = {name: _between(*pair) for name, pair in bounds.items()}
        return f"reference {self.reference} on {self.domain}{exact}{words}", numbers


def _between(lower: Fraction, upper: Fraction) -> Said:
    ends = said(lower, "certified lower bound").text, said(upper, "certified upper bound").text
    return Said(", ".join(ends), "certified bounds")


def contract(network: ReLUNetwork | Provenance) -> Contract:
    """Look up what is proved of a network that a registered construction built.

    `CONTRACTS[lemma name]`, from the network's provenance. It speaks of the network as it was
    built: weights are not looked at (`analysis.certify_memorization` does that).

    Args:
        network: what a construction returned, or its `Provenance`.

    Returns:
        The `Contract`; its bounds are certified.

    Raises:
        TypeError: for another kind of network (a module has no provenance).
        ValueError: for a network without provenance, and for constructions without contract.

    Example:
        >>> from constructions import soft_indicator
        >>> (
        ...     contract(soft_indicator(0.25, 0.75)).upper,
        ...     float(contract(soft_indicator(0.0, 0.1)).upper) <= 2**-52,
        ... )
        (Fraction(0, 1), True)
    """
    if not isinstance(network, (ReLUNetwork, Provenance)):
        raise TypeError(
            f"network must be a ReLUNetwork that a construction built, got {type(network).__name__}"
        )
    origin = network.provenance if isinstance(network, ReLUNetwork) else network
    name = origin.lemma.name if origin and origin.lemma else None
    if origin is None or name not in CONTRACTS:
        raise ValueError(
            f"network must be built by one of {', '.join(CONTRACTS)} to have a contract, got {name}"
        )
    return CONTRACTS[name](origin.arguments)


@dataclass(frozen=True, eq=False, repr=False)
class PartContract(Unpacked):
    """What is proved of a part of a network; see `contracts`.

    Attributes:
        count: how often the part stands in the network.
        part: its call, as text.
        contract: what is proved of it.
    """

    count: Any
    part: str
    contract: Contract

    def _says(self) -> tuple[str, dict[str, Said]]:
        what, numbers = self.contract._says()
        return f"{self.part}: {what}", {"times": said(self.count, "exact"), **numbers}


def contracts(network: ReLUNetwork) -> list[PartContract]:
    """List what is proved of the parts of a network.

    Args:
        network: a `ReLUNetwork`; one without provenance has no parts.

    Returns:
        A `PartContract` for each part that has one, along its provenance.

    Raises:
        TypeError: for another kind of network.

    Example:
        >>> from constructions import absolute, compose, copies, squaring
        >>> [
        ...     (found.count, found.part, str(found.contract.upper))
        ...     for found in contracts(copies(5, compose(squaring(2), absolute())))
        ... ]
        [(5, 'squaring(m=2, D=1, K=1)', '1/64'), (5, 'absolute(D=1, K=1)', '0')]
    """
    check_network(network)
    found: list[PartContract] = []

    def visit(origin: Provenance, count: Any) -> None:
        if origin.lemma and origin.lemma.name in CONTRACTS:
            found.append(PartContract(count, origin.title, contract(origin)))
        for times, part in origin.parts:
            visit(part, count * times)

    visit(network.provenance or Provenance(None), 1)
    return found


def _squaring(given: Mapping[str, Any]) -> Contract:
    """f_m interpolates t^2 at k 2^-m; on a cell of length h the chord of t^2 exceeds it by at most
    h^2 / 4.
    """
    error = Fraction(1, 4 ** (int(given["m"]) + 1))
    unit = (Fraction(0), Fraction(1))
    return Contract("0 <= t <= 1", "t^2", Fraction(0), error, f"t = k / 2^{given['m']}", unit, 1)


def _scale(given: Mapping[str, Any]) -> Fraction:
    return Fraction(
        given["scale"] if "scale" in given else power_of_two(float(given["bound"]), "bound")
    )


def _multiplication(given: Mapping[str, Any]) -> Contract:
    """M^2 (f_m(p) - f_m(q)) with xy = M^2 (p^2 - q^2), and p = q when a factor is 0."""
    error = _scale(given) ** 2 * Fraction(1, 4 ** (int(given["m"]) + 1))
    return Contract(f"|x|, |y| <= {_scale(given)}", "x y", -error, error, "x y = 0")


def _yarotsky(given: Mapping[str, Any]) -> Contract:
    """2 M^2 (f_m(p) - f_m(q) - f_m(r)) with xy = 2 M^2 (p^2 - q^2 - r^2); if a factor is 0, p is q
    or r, the other is 0.
    """
    error = _scale(given) ** 2 * Fraction(1, 4 ** int(given["m"]))
    return Contract(f"|x|, |y| <= {_scale(given)}", "x y", -error, error / 2, "x y = 0")


def _absolute(given: Mapping[str, Any]) -> Contract:
    return Contract("all t", "|t|", exact="all t")


def _maximum(given: Mapping[str, Any]) -> Contract:
    """relu(a - b) + relu(b) = max(a, b) for b >= 0; weights are 1 and -1."""
    return Contract(
        "t_1, ..., t_n >= 0", "max(t_1, ..., t_n)", exact="t_1, ..., t_n >= 0", monotone=1
    )


def _gate(given: Mapping[str, Any]) -> Contract:
    """s = 1: relu(v) - relu(-v). s = 0: both arguments are at most |v| - B <= 0."""
    bound = Fraction(given["bound"])
    return Contract(
        f"|v| <= {bound}, s in {{0, 1}}", "v s", exact="the whole domain", range=(-bound, bound)
    )


def _soft_indicator(given: Mapping[str, Any]) -> Contract:
    """slope (outer - inner) = 1 + rho exactly, with the float64 slope: the plateau is 1 + rho, and
    the rest in proportion.
    """
    inner, outer = Fraction(given["inner"]), Fraction(given["outer"])
    top = Fraction(1 / (float(given["outer"]) - float(given["inner"]))) * (outer - inner)
    exact = "all t" if top == 1 else f"t >= {outer}"
    reference = f"1 for t <= {inner}, 0 for t >= {outer}, linear between"
    return Contract(
        "all t",
        reference,
        min(top - 1, Fraction(0)),
        max(top - 1, Fraction(0)),
        exact,
        (Fraction(0), top),
        -1,
    )


def _lean_indicator(given: Mapping[str, Any]) -> Contract:
    """relu(1 - w sum of excesses) with float64 w and biases: exact statements on both sides of
    slightly moved thresholds.

    Biases c_j +- inner are rounded by at most half an ulp e of the largest; at distance >= outer +
    e + outer' the sum of the excesses is at least outer - inner + outer', enough for a slope that
    was rounded down.
    """
    inner, outer = Fraction(given["inner"]), Fraction(given["outer"])
    slope = Fraction(1 / (float(given["outer"]) - float(given["inner"])))
    moved = Fraction(math.ulp(float(given["inner"]) + 1.0)) / 2  # |c_j| <= 1
    near, far = inner - moved, max(outer, inner + 1 / slope) + moved
    return Contract(
        "all x, for centres in [0,1]^D",
        f"1 for distances <= {near}, 0 for distances >= {far}",
        exact=f"distance <= {near} or >= {far}",
        range=(Fraction(0), Fraction(1)),
    )


def _distance(given: Mapping[str, Any]) -> Contract:
    """l_inf: pairs have three rounded biases, the first level of the tree one. l_2: squaring's
    error D times.

    A pair's maximum is off by at most e = 3 half ulps (a sum in [0, 2], a difference in [-1, 1]).
    The tree's first level rounds one difference in [-1, 1], and relu(a - b) + relu(b) >= max(a, b)
    with excess at most e where b >= -e.
    """
    dimension = int(given["D"])
    if read_norm(given["norm"]) == math.inf:
        pair = 3 * HALF_ULP
        low, high = {1: (Fraction(0), Fraction(0)), 2: (pair, pair)}.get(
            dimension, (pair + HALF_ULP, 2 * pair + HALF_ULP)
        )
        return Contract(
            "0 <= x_j <= 1",
            "max_j |x_j - c_j|",
            -low,
            high,
            "sums and differences of coordinates representable",
        )
    squares = dimension * CONTRACTS["squaring"]({"m": given["m"]}).upper
    shared = 2 * Fraction(shared_rounding(dimension)) if given.get("shared") else Fraction(0)
    return Contract("0 <= x_j <= 1", "sum_j (x_j - c_j)^2", Fraction(0), squares + shared)


CONTRACTS: dict[str, Callable[[Mapping[str, Any]], Contract]] = {
    "squaring": _squaring,
    "multiplication": _multiplication,
    "yarotsky_multiplication": _yarotsky,
    "absolute": _absolute,
    "maximum": _maximum,
    "gate": _gate,
    "soft_indicator": _soft_indicator,
    "lean_indicator": _lean_indicator,
    "distance": _distance,
}
"""From the name of a registered construction (`LEMMAS`) to its contract, given its arguments."""
