"""Polynomials of degree at most 2 with rational coefficients, and reading them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
import torch


@dataclass(frozen=True)
class Quadratic:
    """x -> sum_(i <= j) terms[i, j] x_i x_j + sum_i linear[i] x_i + constant, in Fractions; zero
    terms are left out.
    """

    terms: dict[tuple[int, int], Fraction]
    linear: tuple[Fraction, ...]
    constant: Fraction

    @classmethod
    def of_constant(cls, inputs: int, constant: Fraction = Fraction(0)) -> Quadratic:
        """A constant, 0 unless it is given."""
        return cls({}, (Fraction(0),) * inputs, constant)

    def __call__(self, point: Sequence[Fraction]) -> Fraction:
        value = self.constant + sum(
            (a * x for a, x in zip(self.linear, point, strict=True) if a), Fraction(0)
        )
        return value + sum(
            (a * point[i] * point[j] for (i, j), a in self.terms.items()), Fraction(0)
        )

    def part(self, inputs: list[int]) -> Quadratic:
        """The terms in some of the variables, which no term mixes with others, without the
        constant.
        """
        place = {i: k for k, i in enumerate(inputs)}
        terms = {(place[i], place[j]): a for (i, j), a in self.terms.items() if i in place}
        return Quadratic(terms, tuple(self.linear[i] for i in inputs), Fraction(0))

    @property
    def definite(self) -> int:
        """For two variables: 1 if positive, -1 if negative definite, else 0."""
        a, b, c = (self.terms.get(key, Fraction(0)) for key in ((0, 0), (0, 1), (1, 1)))
        return 0 if 4 * a * c <= b * b else 1 if a > 0 else -1


def read_quadratic(reference: Any, inputs: int) -> Quadratic:
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
        return Quadratic.of_constant(inputs, constant)
    reference = _expression(reference, inputs)
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
    return Quadratic({key: v for key, v in terms.items() if v}, tuple(linear), constant)


def _expression(reference: Any, inputs: int) -> sympy.Expr:
    """A text or a SymPy expression, as the latter."""
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
    return reference


def _names(inputs: int) -> str:
    if inputs == 1:
        return 'x, such as "x**2"'
    return f'{"x1, x2" if inputs == 2 else f"x1, ..., x{inputs}"}, such as "x1*x2"'
