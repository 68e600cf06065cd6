"""Published statements, the functions that implement them, and what they say of the networks they
build.

`@implements(source, statement, **claims)` registers a construction with its source and with claims
about the network it returns, as SymPy expressions in the construction's arguments. One record is
citation, closed form and test oracle.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ParamSpec

import networkx
import numpy as np
import sympy

from ..basics.engine import Engine
from ..linear.matrix import same
from .formal import proved
from .network import ReLUNetwork, check_network
from .owners import Share, inside, shares
from .provenance import LEMMAS, Lemma, Provenance, in_words, parts_of, register_all

P = ParamSpec("P")

BUILDERS: dict[str, Callable[..., ReLUNetwork]] = {}
"""The functions of `implements`, by the names of their lemmas."""


def implements(
    source: str, statement: str, *notes: str, name: str = "", **claims: sympy.Expr | int | str
) -> Callable[[Callable[P, ReLUNetwork]], Callable[P, ReLUNetwork]]:
    """Register a function as the implementation of a published statement, with its claims.

    One record (`Lemma`) is citation, closed form and test oracle.

    Args:
        source: author, year, number.
        statement: what it says, in one line.
        *notes: what a reader of the arguments may stumble over, a line each; `explain` prints them.
        name: of the public function, where it chooses between constructions of which this is one.
        **claims: SymPy expressions or strings of them, by quantity; their symbols are arguments of
            the construction, D (the network's input dimension) or K (its output dimension).

    Returns:
        A decorator; the networks that the function builds carry their `Provenance`.

    Example:
        >>> from constructions import affine
        >>> @implements("no paper", "n numbers are averaged by n weights", parameters="n", depth=0)
        ... def mean(n):
        ...     return affine([[1 / n] * n])
        >>> mean(4).size.parameters == mean(4).provenance.lemma.evaluate({"n": 4})["parameters"]
        True
        >>> _ = LEMMAS.pop("mean")
    """

    def register(build: Callable[P, ReLUNetwork]) -> Callable[P, ReLUNetwork]:
        parsed = {
            quantity: sympy.sympify(claim, locals={"N": sympy.Symbol("N")})
            for quantity, claim in claims.items()
        }
        called = name or build.__name__
        lemma = LEMMAS[called] = Lemma(called, source, statement, parsed, notes)
        signature = inspect.signature(build)

        @functools.wraps(build)
        def construct(*args: P.args, **kwargs: P.kwargs) -> ReLUNetwork:
            network = build(*args, **kwargs)
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            recorded = network.provenance.arguments if network.provenance else {}
            arguments = {**bound.arguments, "D": network.inputs, "K": network.outputs, **recorded}
            plain = {
                name: _plain(v)
                for name, v in arguments.items()
                if v is not None and not isinstance(v, Engine)
            }
            return replace(network, provenance=made_of(network, lemma, plain))

        BUILDERS[called] = construct
        return construct

    return register


def as_built(network: ReLUNetwork) -> bool | None:
    """Whether a network has the weights that the construction named by its provenance builds from
    the arguments there; None where these are not all numbers. An f_S, which is built from data,
    says itself whether some were rounded.

    >>> from constructions import squaring
    >>> network = squaring(2)
    >>> as_built(network), as_built(replace(network, layers=squaring(3).layers))
    (True, False)
    """
    origin = network.provenance
    if origin is None or origin.lemma is None:
        return None
    if origin.lemma.name == "f_S":  # a network with other layers has lost its screen
        return (network.screen.unrounded or None) if network.screen is not None else None
    if origin.lemma.name not in BUILDERS:  # its module may not have been used yet
        register_all()
    if (build := BUILDERS.get(origin.lemma.name)) is None:
        return None
    wanted = inspect.signature(build).parameters
    given = {name: value for name, value in origin.arguments.items() if name in wanted}
    missing = {name for name, one in wanted.items() if one.default is one.empty} - given.keys()
    if missing or not all(isinstance(value, (int, float)) for value in given.values()):
        return None
    try:
        layers = build(**given).layers
    except (ValueError, TypeError):  # no such arguments
        return False
    pairs = zip(layers, network.layers, strict=False)
    return len(layers) == len(network.layers) and all(
        same(a.weight, b.weight) and same(a.bias, b.bias) for a, b in pairs
    )


def record(network: ReLUNetwork, **arguments: Any) -> ReLUNetwork:
    """The network with further facts for its provenance (thresholds, computed sizes), to be kept by
    `implements`.
    """
    return replace(network, provenance=made_of(network, None, arguments))


def made_of(network: ReLUNetwork, lemma: Lemma | None, arguments: Mapping[str, Any]) -> Provenance:
    """Provenance of a network that was composed: its parts, and whose its rows are."""
    return Provenance(lemma, arguments, parts_of(network), inside(network))


def parts(network: ReLUNetwork) -> networkx.DiGraph:
    """Show a network's provenance as a tree.

    Args:
        network: a `ReLUNetwork`.

    Returns:
        A directed graph; nodes carry `provenance`, edges `count`. Node 0 is the network itself.

    Example:
        >>> from constructions import copies, compose, squaring, absolute
        >>> tree = parts(copies(5, compose(squaring(2), absolute())))
        >>> [
        ...     (tree.nodes[b]["provenance"].title, data["count"])
        ...     for _, b, data in tree.edges(data=True)
        ... ]
        [('squaring(m=2, D=1, K=1)', 5), ('absolute(D=1, K=1)', 5)]
    """
    graph = networkx.DiGraph()

    def visit(origin: Provenance) -> int:
        node = graph.number_of_nodes()
        graph.add_node(node, provenance=origin)
        for count, part in origin.parts:
            graph.add_edge(node, visit(part), count=count)
        return node

    visit(network.provenance or Provenance(None))
    return graph


def explain(network: ReLUNetwork) -> str:
    """Say which statements built a network, what they claim of it, and whose its parameters are.

    A row of a layer is one unit (or output): its weights and its bias. Each row belongs to one
    part, so the parameters of the parts, a line each, add up to those of the network. Where the
    last affine map of one part merges with the first of another, the row belongs to the latter.

    Args:
        network: a `ReLUNetwork`.

    Returns:
        A tree as text: what built the network, its parameters by part (exact counts) where it has
        several, and some lines for each part that has a statement: the construction's claims, and
        which of these are theorems (files of proofs/). Where its arguments are numbers the network
        is built again: if its weights are others, that is said, and no theorem is named.

    Example:
        >>> from constructions import squaring
        >>> print(explain(squaring(3)))
        squaring(m=3, D=1, K=1): depth 3, width 3, 8 units, 19 parameters (29 dense)
          Yarotsky 2017, Proposition 2: x^2 on [0,1] is approximated by sawtooth sums
          claims: depth = 3, parameters = 19, linear pieces = 8, sup_error = 1/256
          proved in Coq: sup_error (Squaring.v: squaring_error, sq_error_attained)
          proved in Coq: parameters (Counts.v: params_squaring)
    """
    check_network(network)
    lines: list[str] = []
    unchanged = as_built(network)

    def visit(origin: Provenance, indent: str, count: Any, network: ReLUNetwork | None) -> None:
        head = origin.title if count == 1 else f"{count} x {origin.title}"
        if network is not None:
            head = str(network).replace(f": R^{network.inputs} -> R^{network.outputs},", ":", 1)
        lines.append(indent + head)
        if origin.lemma:
            lines.append(f"{indent}  {origin.lemma.source}: {origin.lemma.statement}")
            lines.extend(f"{indent}  note: {note}" for note in origin.lemma.notes)
            claims = origin.lemma.evaluate(origin.arguments)
            if claims:
                lines.append(
                    f"{indent}  claims: "
                    + ", ".join(f"{in_words(name)} = {value}" for name, value in claims.items())
                )
            if network is not None and unchanged is False:
                lines.append(
                    f"{indent}  weights: not those that {origin.lemma.name} builds; what is said "
                    "here is about the construction, not about this network"
                )
            of = "proved in Coq" if unchanged else "proved in Coq, of the part as it is built"
            known = unchanged if network is not None else origin.lemma.name != "f_S"
            theorems = proved(origin.lemma.name, origin.arguments) if known else {}
            for name, theorem in theorems.items():
                lines.append(f"{indent}  {of}: {name} ({theorem})")
        if network is not None:
            lines.extend(_ledger(network))
        for times, part in origin.parts:
            visit(part, indent + "    ", times, None)

    visit(network.provenance or Provenance(None), "", 1, network)
    return "\n".join(lines)


def _ledger(network: ReLUNetwork) -> list[str]:
    """A line a part, and their sum; nothing for a network of one part."""
    found: dict[str, list[Share]] = {}
    for share in shares(network):
        found.setdefault(share.part, []).append(share)
    if len(found) < 2:
        return []
    sums = {part: sum(share.parameters for share in each) for part, each in found.items()}
    wide = len(f"{sum(sums.values()):,}")
    where = {part: dict.fromkeys(share.layer for share in each) for part, each in found.items()}
    rows = [
        f"{count:{wide},}  {part} (layer{'s' * (len(where[part]) > 1)} "
        f"{', '.join(map(str, where[part]))})"
        for part, count in sums.items()
    ]
    total = f"{sum(sums.values()):{wide},}  in all"
    return ["  parameters, by part (exact counts):", *(f"    {row}" for row in (*rows, total))]


def _plain(value: Any) -> Any:
    """What provenance keeps of an argument: numbers and text as they are, arrays by shape, objects
    by their text.
    """
    if isinstance(value, (bool, int, float, str, sympy.Basic)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    shape = getattr(value, "shape", None)
    if shape is None and isinstance(value, (list, tuple)):
        shape = np.shape(value)
    if shape is not None:
        return "array" + str(tuple(shape)).replace(",)", ")").replace(" ", "").replace(",", "x")
    return (
        str(value)
        if isinstance(value, ReLUNetwork) or not hasattr(value, "forward")
        else type(value).__name__
    )


def statements() -> str:
    """Write the registered statements as a Markdown table.

    Returns:
        Source, what implements it, and its claims (docs/statements.md).

    Example:
        >>> statements().splitlines()[0]
        '| function | source | statement | claims (checked on built networks) |'
    """
    register_all()
    lines = [
        "| function | source | statement | claims (checked on built networks) |",
        "|---|---|---|---|",
    ]
    for lemma in sorted(LEMMAS.values(), key=lambda lemma: lemma.name):
        claims = (
            "; ".join(f"{in_words(name)} = `{claim}`" for name, claim in lemma.claims.items())
            or "(in the docstring)"
        )
        cells = (f"`{lemma.name}`", lemma.source, lemma.statement, claims)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)
