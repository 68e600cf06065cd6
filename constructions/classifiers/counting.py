"""Parameter counts of the classifiers: measured on built networks, and in closed form derived from
the building code.

Whole, because the two counts stand in one row, where they must agree.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import sympy
import torch

from ..basics.ball import Ball
from ..basics.norms import norm_name, read_norm
from ..basics.progress import Report, silent, stepped, stepping
from ..basics.renamed import renamed
from ..basics.result import Result, Said, said
from ..gadgets.indicators import Thresholds
from ..linear.affine import Affine
from ..linear.matrix import Count, Unknown
from ..networks.network import ReLUNetwork
from .memorization import f_adv, f_S
from .memorizer import assemble
from .variants import VARIANTS, Variant, check_counted, check_variant, least_dimension

N, D, M = sympy.symbols("N D m", integer=True, positive=True)

ENTRIES_BUILT = 2 * 10**7
"""Largest N D for which `count_table` measures a network with actual centres; beyond, the same code
runs on sizes.
"""


@dataclass(frozen=True, repr=False)
class CountRow(Result):
    """One line of a report of parameters: counted, and by formula.

    Attributes:
        network: "f_clean", "f_adv" or "f_S".
        norm: of the balls.
        variant: of f_S.
        points: N.
        dimension: D.
        m: depth of the squaring networks, 0 where the form has none.
        depth: hidden layers.
        measured: nonzero entries.
        closed_form: the derived formula's value.
        dense_parameters: all entries, zeros included.
        built: whether the count was taken from a network with actual entries (else from one with
            sizes only).
    """

    network: str
    norm: str
    variant: str
    points: int
    dimension: int
    m: int
    depth: int
    measured: int
    closed_form: int
    dense_parameters: int
    built: bool

    def _says(self) -> tuple[str, dict[str, Said]]:
        form = f", {self.variant}, m = {self.m}" if self.variant else ""
        of = f"{self.points:,} points in dimension {self.dimension:,}"
        how = "counted on the network" if self.built else "from the building code on sizes"
        names = ("parameters", "closed form", "dense", "depth")
        values = (self.measured, self.closed_form, self.dense_parameters, self.depth)
        return f"{self.network} of {of}, l_{self.norm}{form}, {how}", {
            name: said(value, "exact") for name, value in zip(names, values, strict=True)
        }


def symbolic_f_S(  # noqa: N802
    norm: Any,
    variant: Variant,
    points: Count,
    dimension: Count,
    m: int,
    hidden: Sequence[int] = (),
    outputs: int = 1,
) -> ReLUNetwork:
    """f_S with sizes but without entries: the building code of `f_S`, run on (SymPy or plain) N and
    D.

    hidden: widths of f_clean's hidden layers. A symbolic D needs a variant without maxima: lean, or
    norm 2.

    >>> symbolic_f_S("inf", "lean", N, D, 1).size.parameters.expand()
    6*D*N + 2*D + 2*N + 28
    """
    p = read_norm(norm)
    widths = [dimension, *hidden, outputs]
    clean = ReLUNetwork(
        tuple(Affine(Unknown(b, a), Unknown(b, 1)) for a, b in itertools.pairwise(widths))
    )
    classes = 2 if outputs == 1 else outputs
    targets = Unknown(points * outputs, 1, points if outputs > 1 else None)
    members = Unknown(classes, points, points)
    return assemble(
        clean,
        Unknown(points, dimension),
        p,
        Thresholds(0.25, 0.5),
        variant,
        m,
        1.0,
        targets,
        members,
    )


def closed_form(
    norm: Any, variant: Variant, hidden: tuple[int, ...] = (), outputs: int = 1
) -> sympy.Expr:
    """Derive the number of parameters of f_S as a formula in N, D and m, for generic centres.

    Derived, not typed: with symbolic N the building code is run at several (D, m); the coefficients
    of 1, D, m, Dm, ceiling(log2 D) and of the residues of D mod 4 (trees of maxima) are solved for
    exactly; the formula is then compared with further sizes. It holds for D >=
    `least_dimension(hidden)` and m >= len(hidden). f_adv has the same form with the number of
    points in S_small as N.

    Args:
        norm: inf or 2.
        variant: of f_S.
        hidden: hidden widths of f_clean; by default none: f_clean is linear (`count_table` and
            `cgro count` have one hidden layer of 64 units by default).
        outputs: 1 or K.

    Returns:
        A SymPy expression, exact, in plain symbols: `subs` takes their names.

    Raises:
        ValueError: for another norm or variant.
        RuntimeError: if the formula differs at a further size.

    Example:
        >>> closed_form("inf", "lean")
        6*D*N + 2*D + 2*N + 28
        >>> closed_form("inf", "lean").subs({"N": 1000, "D": 784})
        4707596
    """
    check_variant(variant)
    return derived_form(read_norm(norm), variant, tuple(hidden), outputs).subs(
        {symbol: sympy.Symbol(symbol.name) for symbol in (N, D, M)}
    )


@cache
def derived_form(
    norm: Any, variant: Variant, hidden: tuple[int, ...] = (), outputs: int = 1
) -> sympy.Expr:
    """As `closed_form`, in the symbols of `variants`, which are positive integers."""
    residues = list(sympy.symbols("r1:4"))  # 1 where D mod 4 is 1, 2 or 3, else 0
    basis = [sympy.Integer(1), D, M, D * M, sympy.ceiling(sympy.log(D, 2)), *residues]
    least = least_dimension(hidden)
    first = max(1, len(hidden))
    depths = (first + 1, first + 2)
    grid = [
        (least * k + r, m)
        for k, r in ((4, 0), (4, 1), (4, 2), (4, 3), (8, 0), (17, 5))
        for m in depths
    ]
    checks = [
        (least, first),
        (least + 1, first + 3),
        (least * 3 + 2, first + 1),
        (least * 12 + 7, first + 4),
    ]

    def values(d: int, m: int) -> list[sympy.Expr]:
        given = {D: d, M: m, **{r: int(d % 4 == k) for k, r in enumerate(residues, start=1)}}
        return [term.subs(given) for term in basis]

    def counted(d: int, m: int) -> sympy.Poly:
        return sympy.Poly(symbolic_f_S(norm, variant, N, d, m, hidden, outputs).size.parameters, N)

    unknowns = sympy.symbols(f"c:{len(basis)}")
    system = sympy.Matrix([values(d, m) for d, m in grid])
    result = sympy.Integer(0)
    counts = [counted(d, m) for d, m in grid]
    for power in (0, 1):
        solution = sympy.linsolve(
            (system, sympy.Matrix([c.coeff_monomial(N**power) for c in counts])), *unknowns
        )
        if not solution:
            raise RuntimeError(
                f"no closed form in the given terms for norm {norm}, variant {variant}"
            )
        coefficients = next(iter(solution)).subs(dict.fromkeys(unknowns, 0))
        result += N**power * sum(c * term for c, term in zip(coefficients, basis, strict=True))
    extra = [sympy.expand(result).coeff(r) for r in residues]
    result = result.subs(dict.fromkeys(residues, 0))
    for power in (1, 0):
        found = [sympy.expand(c).coeff(N, power) for c in extra]
        cases = [(c, sympy.Eq(sympy.Mod(D, 4), k)) for k, c in enumerate(found, start=1) if c != 0]
        if cases:
            result += N**power * sympy.Piecewise(*cases, (0, True))
    for d, m in checks:
        if sympy.expand(result.subs({D: d, M: m}) - counted(d, m).as_expr()) != 0:
            raise RuntimeError(
                f"closed form for norm {norm}, variant {variant} fails at D={d}, m={m}"
            )
    return sympy.expand(result)


def clean_closed_form(hidden: Sequence[int] = (), outputs: int = 1) -> sympy.Expr:
    """Parameters of a dense f_clean with the given hidden widths, in D.

    >>> clean_closed_form((64,))
    64*D + 129
    """
    widths = [D, *hidden, outputs]
    return sympy.expand(sum(a * b + b for a, b in itertools.pairwise(widths)))


@renamed(report=stepped)
def count_table(
    points: Iterable[int],
    dimensions: Iterable[int],
    *,
    norm: Any = math.inf,
    variants: Iterable[Variant] = VARIANTS,
    m: int = 8,
    hidden: tuple[int, ...] = (64,),
    mu: float = 0.1,
    seed: int = 0,
    report: Report = silent,
) -> list[CountRow]:
    """Count parameters of f_clean, f_adv (mu N points) and f_S over a grid of sizes.

    They are measured on networks built from random centres.

    Args:
        points: the grid's N.
        dimensions: the grid's D.
        norm: inf or 2.
        variants: of f_S.
        m: depth of the squaring networks.
        hidden: hidden widths of f_clean; by default one layer of 64 units, whose closed form is
            `closed_form(norm, variant, hidden=(64,))`; (): a linear f_clean.
        mu: share of training points in S_small.
        seed: of the centres.
        report: called with a `Progress` once a row of f_adv or f_S.

    Returns:
        A `CountRow` for each network; counts are exact.

    Raises:
        ValueError: for N or widths below 1, D below `least_dimension(hidden)` or mu outside (0, 1].

    Cost: O(N D) a row.

    Example:
        >>> row = count_table([100], [64], variants=["lean"])[-1]
        >>> row.network, row.measured, row.closed_form
        ('f_S', 42914, 42914)
    """
    # Whole, because it is one loop, which makes row after row.
    points, dimensions = list(points), list(dimensions)
    check_counted(points, dimensions, hidden, mu)
    grid = [(n, d) for d in dimensions for n in points]
    p = read_norm(norm)
    name = norm_name(p)
    rows, chosen = [], list(variants)
    step = stepping(report, "counting", 2 * len(grid) * len(chosen))
    for n, d in grid:
        clean_size = _random_clean(d, hidden, seed).size
        formula = int(clean_closed_form(hidden).subs(D, d))
        rows.append(
            CountRow(
                "f_clean",
                name,
                "",
                n,
                d,
                0,
                clean_size.depth,
                clean_size.parameters,
                formula,
                clean_size.dense_parameters,
                True,
            )
        )
        for variant in chosen:
            expression = derived_form(p, variant, hidden)
            used = m if p == 2 or variant == "paper" else 0
            for network, count in (("f_adv", math.ceil(mu * n)), ("f_S", n)):
                built = n * d <= ENTRIES_BUILT
                size = (
                    _measure(network, p, variant, n, count, d, m, hidden, seed) if built else None
                )
                size = size or symbolic_f_S(p, variant, count, d, m, hidden).size
                value = int(expression.subs({N: count, D: d, M: m}))
                row = CountRow(
                    network,
                    name,
                    variant,
                    n,
                    d,
                    used,
                    size.depth,
                    size.parameters,
                    value,
                    size.dense_parameters,
                    built,
                )
                rows.append(row)
                step()
    return rows


def fitted_exponent(sizes: Sequence[float], counts: Sequence[float]) -> float:
    """Fit the slope of log(count) against log(size): the measured order of growth.

    Args:
        sizes: two or more positive numbers.
        counts: as many.

    Returns:
        The slope, by least squares: an estimate.

    Raises:
        ValueError: for other numbers.

    Example:
        >>> round(fitted_exponent([1, 10, 100], [5, 500, 50_000]), 6)
        2.0
    """
    if len(sizes) < 2 or min(*sizes, *counts) <= 0:
        raise ValueError("sizes and counts must be at least two positive numbers each")
    return float(
        np.polyfit(
            np.log(np.asarray(sizes, dtype=float)), np.log(np.asarray(counts, dtype=float)), 1
        )[0]
    )


def _random_clean(dimension: int, hidden: Sequence[int], seed: int) -> ReLUNetwork:
    generator = torch.Generator().manual_seed(seed)
    widths = [dimension, *hidden, 1]
    pairs = itertools.pairwise(widths)
    layers = (
        (torch.rand(b, a, generator=generator) - 0.5, torch.rand(b, generator=generator) - 0.5)
        for a, b in pairs
    )
    return ReLUNetwork.from_layers(
        ((w + 1) / a, b + 1) for (w, b), a in zip(layers, widths, strict=False)
    )


def _measure(
    network: str,
    p: float,
    variant: Variant,
    n: int,
    small: int,
    d: int,
    m: int,
    hidden: Sequence[int],
    seed: int,
) -> Any:
    """Sizes of a network built from n random centres; separations are assumed, since only the count
    matters.
    """
    generator = torch.Generator().manual_seed(seed)
    centres = torch.rand(n, d, generator=generator, dtype=torch.float64)
    labels = 1 - 2 * torch.randint(0, 2, (n,), generator=generator)
    ball, assumed = (Ball(p, 0.1), 0.5) if p == math.inf else (Ball(p, 0.5), 2.0 * math.sqrt(d))
    clean = _random_clean(d, hidden, seed)
    if network == "f_S":
        return f_S(clean, centres, labels, ball, variant=variant, m=m, separation=assumed).size
    margins = torch.where(torch.arange(n) < small, -1.0, 1.0)
    values = clean(centres[small:]) if small < n else torch.empty(0, 1)
    labels[small:] = torch.sign(values[:, 0]).to(labels.dtype)
    return f_adv(
        clean, centres, labels, ball, margins=margins, variant=variant, m=m, separation=assumed
    ).size


__all__ = [
    "CountRow",
    "clean_closed_form",
    "closed_form",
    "count_table",
    "fitted_exponent",
    "symbolic_f_S",
]
