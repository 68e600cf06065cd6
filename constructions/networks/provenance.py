"""Published statements and the provenance of networks: which of them built a network, with which
arguments and parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

import sympy

from ..basics.result import Result, Said

Owners = tuple[tuple[str, Any], ...]
"""Whose the rows of a layer are, from the first on: names of parts, each with how many rows."""


@dataclass(frozen=True, repr=False)
class Lemma(Result):
    """A published statement and what it claims of the networks that a construction builds.

    Attributes:
        name: of the function that builds them.
        source: author, year, number.
        statement: what it says, in one line.
        claims: from a quantity (depth, units, parameters, sup_error, pieces, ...) to an expression
            in the construction's arguments. Counts are equalities for generic arguments (no weight
            or bias vanishes by accident); errors are bounds.
        notes: what a reader of its arguments may stumble over, a line each.
    """

    name: str
    source: str
    statement: str
    claims: Mapping[str, sympy.Expr] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def _says(self) -> tuple[str, dict[str, Said]]:
        claims = {
            in_words(name): Said(str(claim), "claimed") for name, claim in self.claims.items()
        }
        return f"{self.name} ({self.source}): {self.statement}", claims

    def evaluate(self, arguments: Mapping[str, Any]) -> dict[str, sympy.Expr]:
        """Put arguments into the claims.

        Args:
            arguments: by name; those that are not numbers or expressions are ignored.

        Returns:
            The claims, each as far as its symbols were given.
        """
        values = {
            name: sympy.Rational(value) if isinstance(value, float) else value
            for name, value in arguments.items()
            if isinstance(value, (int, float, sympy.Basic)) and not isinstance(value, bool)
        }
        return {
            name: claim.subs(
                {
                    symbol: values[str(symbol)]
                    for symbol in claim.free_symbols
                    if str(symbol) in values
                }
            )
            for name, claim in self.claims.items()
        }


@dataclass(frozen=True, repr=False)
class Provenance(Result):
    """Where a network comes from: the construction that built it and the parts it was built from.

    Attributes:
        lemma: the statement; None for a plain composition.
        arguments: of the construction, with computed facts.
        parts: pairs of a count and the provenance of a part.
        rows: for each layer, whose its rows are: pairs of a part's name and a number of rows;
            empty where the network has no parts.
    """

    lemma: Lemma | None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[tuple[Any, Provenance], ...] = ()
    rows: tuple[Owners, ...] = ()

    def _says(self) -> tuple[str, dict[str, Said]]:
        parts = ", ".join(f"{count} {part.title}" for count, part in self.parts)
        claims = self.lemma.evaluate(self.arguments) if self.lemma else {}
        return f"{self.title}{' of ' if parts else ''}{parts}", {
            in_words(name): Said(str(claim), "claimed") for name, claim in claims.items()
        }

    @property
    def title(self) -> str:
        """The construction's call, with numbers in full and arrays by shape."""
        if self.lemma is None:
            return "composition"
        shown = ", ".join(f"{name}={_show(value)}" for name, value in self.arguments.items())
        return f"{self.lemma.name}({shown})"


def in_words(quantity: str) -> str:
    """A claim's quantity as it is printed: of the kinds of regions, it is linear pieces that lemmas
    count.

    >>> in_words("pieces"), in_words("depth")
    ('linear pieces', 'depth')
    """
    return {"pieces": "linear pieces"}.get(quantity, quantity)


LEMMAS: dict[str, Lemma] = {}
"""All registered statements by the name of the construction that implements them."""

HOMES = (
    "gadgets.approximation",
    "gadgets.distances",
    "gadgets.indicators",
    "gadgets.shallow_maximum",
    "classifiers.memorization",
    "capacity.interpolation",
    "functions.folding",
    "functions.taylor",
    "functions.interpolants",
    "functions.polynomials",
    "functions.digits",
    "functions.narrow",
    "functions.boolean",
    "functions.sorting",
    "functions.one_input",
    "functions.pieces",
    "memorizers.grid",
    "memorizers.line",
    "memorizers.narrow",
    "memorizers.nearest",
    "memorizers.projected",
    "memorizers.smallest",
    "memorizers.staged",
)
"""The modules above whose constructions register statements when they are imported."""


def register_all() -> None:
    """Import what registers statements: else a module does so when it is first used."""
    for home in HOMES:
        import_module(f"constructions.{home}")


class Built(Protocol):
    """What has a provenance: networks."""

    @property
    def provenance(self) -> Provenance | None:
        """Which statement built it, from which parts; None if nothing is known."""


def parts_of(*networks: Built, count: Any = 1) -> tuple[tuple[Any, Provenance], ...]:
    """The counted lemma-built parts of the given networks, equal ones joined; used when networks
    are composed.
    """
    joined: list[list[Any]] = []
    for network in networks:
        origin = network.provenance
        if origin is None:
            continue
        for times, part in ((1, origin),) if origin.lemma else origin.parts:
            for entry in joined:
                if entry[1] == part:
                    entry[0] += times * count
                    break
            else:
                joined.append([times * count, part])
    return tuple((times, part) for times, part in joined)


def _show(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
