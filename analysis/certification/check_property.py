"""Checking certificates of properties: each part by the standalone checker, and that the parts are
the property.

The parts rest on `check_certificate` alone. That their networks are margins of a network and a
property, and that their boxes leave no gap, is checked here, by building the margins again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from constructions import Property, ReLUNetwork

from ..checkers import check_certificate as checker
from ..search.prepared import prepare
from .certificate_files import Finding, checked
from .deciding import ALL, Group, check_fit, greatest_loss
from .decision import source_of

ROUNDING = Fraction(1, 2**30)
"""By how much, relatively, bounds may differ that were computed on other machines."""

Box = tuple[Sequence[Fraction], Sequence[Fraction]]


def check_property(
    content: dict[str, Any],
    network: ReLUNetwork,
    asked: Property,
    judge: Callable[[Any], Any] = checker.judge,
) -> list[Finding]:
    """What the checker, `judge`, says about each query of a certificate of a property; first of all
    whether the parts prove that the network fulfils the property, which is looked at where all
    queries are accepted.
    """
    found = [Finding(*pair) for pair in checked(judge, content)]
    reason = "a query is rejected"
    if not any(finding.reason for finding in found):
        reason = other_source(content, network) or _missing(content, network, asked)
    about = "" if reason else "about this network and this property, all of it"
    about += "" if reason else not_compared(content, network)
    return [Finding(reason, about), *found]


def other_source(content: dict[str, Any], network: ReLUNetwork) -> str:
    """Why a certificate's source is not what the network was read from, or "".

    Where the certificate names no source, or a module, there is no file to compare: layers are all
    that it is about. How far network and source differ is not compared here.
    """
    stated, own = content.get("source"), source_of(network) or {}
    if stated is None:
        return ""
    named = checker.origin(stated)
    if stated["kind"] == own.get("kind"):
        names = (name for name in stated if name != "difference")
        wrong = next((name for name in names if stated[name] != own[name]), None)
        text = f"{wrong} {own.get(wrong or '')!r}, not {stated.get(wrong)!r}"
        return f"what the network was read from has {text}" if wrong else ""
    if stated["kind"] == "module":
        return ""
    return f"this network was not read from {named[:-48]}, which the certificate names"


def not_compared(content: dict[str, Any], network: ReLUNetwork) -> str:
    """That a certificate's source is a module, which is no file to compare, in words; else ""."""
    stated, own = content.get("source"), source_of(network) or {}
    if stated is None or stated["kind"] == own.get("kind"):
        return ""
    read = checker.origin(stated)[:-48]
    return f"; the same layers; not compared: whether they are those of {read}"


def understated(stated: Any, loss: Fraction) -> str:
    """Why a stated bound of the difference from the source does not hold, or ""; sums in another
    order may give other last digits.
    """
    if checker.rational(stated) * (1 + ROUNDING) >= loss:
        return ""
    return f"the difference from the source is bounded by {float(loss):.3g}, not by what is stated"


def _missing(content: dict[str, Any], network: ReLUNetwork, asked: Property) -> str:
    """Why a certificate is not about a network and a property, or ""."""
    check_fit(network, asked)
    boxes: list[list[Box]] = [[] for _ in asked.conjuncts]
    loss = Fraction(0)
    if any(query["verdict"] == "refuted" for part in content["parts"] for query in part["queries"]):
        return _no_witness(content, network, asked)
    for part in content["parts"]:
        checker.entries(part, "conjuncts constraints format network digest queries")
        each = part["constraints"] == ALL
        numbers, choice = part["conjuncts"], [] if each else part["constraints"] or []
        if not (type(numbers) is type(choice) is list and _names(asked, numbers, tuple(choice))):
            return "a part names no conjuncts, or others' constraints"
        choice, group = tuple(choice), Group(network, asked, numbers, math.inf)
        loss = max(loss, greatest_loss([group]))
        if prepare(group.chosen(ALL if each else choice)).digest != part["digest"]:
            return "a part's network is not the margin of this network and property"
        groups = [[k + 1 for k in range(g.start, g.stop)] for g in group.groups] if each else None
        for query in part["queries"]:
            if query["verdict"] != "proved" or query["label"] != 0 or query.get("ball"):
                return "a part does not prove a box"
            if query.get("groups") != groups and (each or "groups" in query):
                return "a part's groups are not the conjuncts' constraints"
            box = tuple(
                [Fraction(v, 2 ** query["scale"]) for v in query[side]]
                for side in ("lower", "upper")
            )
            for i in numbers:
                boxes[i].append((box[0], box[1]))
    gaps = [
        i
        for i, part in enumerate(asked.conjuncts)
        if not covered((part.lower, part.upper), boxes[i])
    ]
    if gaps:
        return f"the boxes do not cover conjunct {gaps[0]}"
    stated = (content["source"] or {}).get("difference")
    return "" if stated is None else understated(stated, loss)


def _no_witness(content: dict[str, Any], network: ReLUNetwork, asked: Property) -> str:
    """Why a certificate does not hold an unsafe input of a network and a property, or ""; the
    constraints are evaluated again, on what the network was read from.
    """
    queries = [query for part in content["parts"] for query in part["queries"]]
    if len(content["parts"]) != 1 or len(queries) != 1:
        return "it holds more than one unsafe input"
    (part,), (query,) = content["parts"], queries
    numbers = part["conjuncts"]
    if part["constraints"] is not None or not _names(asked, numbers, ()):
        return "a part names no conjuncts, or others' constraints"
    group, point = Group(network, asked, numbers, math.inf), [Fraction(v) for v in query["witness"]]
    if prepare(group.whole).digest != part["digest"]:
        return "a part's network is not the margin of this network and property"
    if not asked.conjuncts[numbers[0]].contains(point) or not group.unsafe(point):
        return "the witness is not unsafe"
    stated = (content["source"] or {}).get("difference")
    return "" if stated is None else understated(stated, greatest_loss([group]))


def _names(asked: Property, numbers: Any, choice: tuple[Any, ...]) -> bool:
    """Whether numbers name conjuncts on one box, and choice, unless (), a constraint of each."""
    if not numbers or not all(type(i) is int and 0 <= i < len(asked.conjuncts) for i in numbers):
        return False
    named = [asked.conjuncts[i] for i in numbers]
    if len({(part.lower, part.upper) for part in named}) > 1 or (
        choice and len(choice) != len(named)
    ):
        return False
    pairs = zip(choice, named, strict=False)
    return all(type(i) is int and 0 <= i < len(part.constraints) for i, part in pairs)


def covered(box: Box, parts: Sequence[Box]) -> bool:
    """Whether every point of a box is in one of the parts, which are boxes, too.

    >>> covered(([0], [3]), [([0], [2]), ([2], [4])]), covered(([0], [3]), [([0], [1]), ([2], [3])])
    (True, False)
    """
    stack = [(box, list(parts))]
    while stack:
        (lower, upper), near = stack.pop()
        near = [
            p
            for p in near
            if all(a <= d and c <= b for a, b, c, d in zip(lower, upper, *p, strict=True))
        ]
        if any(
            all(c <= a and b <= d for a, b, c, d in zip(lower, upper, *p, strict=True))
            for p in near
        ):
            continue
        cuts = (
            (j, v)
            for p in near
            for side in p
            for j, v in enumerate(side)
            if lower[j] < v < upper[j]
        )
        place, cut = next(cuts, (-1, Fraction(0)))
        if place < 0:
            return False
        middle = lambda side, j=place, v=cut: [*side[:j], v, *side[j + 1 :]]  # noqa: E731
        stack += [((lower, middle(upper)), near), ((middle(lower), upper), near)]
    return True
