"""The search for a counterexample: projected gradient descent of the margin, and the exact vertex
near a linear program's solution.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from .bounding import Array
from .question import Question
from .sets import ExactSet, Point


def attack(question: Question, steps: int = 16, restarts: int = 4) -> Point | None:
    """A point of the set with margin <= 0, if projected gradient descent finds one."""
    inputs, generator = question.inputs, np.random.default_rng(0)
    span = inputs.upper - inputs.lower
    points = inputs.lower + span * generator.random((restarts, len(span)))
    points[0] = (inputs.lower + inputs.upper) / 2 if inputs.centre is None else inputs.centre
    for step in range(steps):
        points = inputs.project(points)
        values, gradient = question.margins(points)
        best = int(values.argmin())
        if values[best] <= 0 and (witness := question.replay(points[best])):
            return witness
        direction = np.sign(gradient) * span
        if inputs.centre is not None:
            direction = (
                2
                * inputs.radius
                * gradient
                / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-300)
            )
        points = points - direction * max(0.02, 0.3 * (1 - step / steps))
    points = inputs.lowest(gradient)  # the end, if the network is affine there
    return question.replay(question.least(points))


def corner(question: Question, point: Array) -> Point | None:
    """The exact vertex near a program's solution, on the units and sides of the box that almost
    vanish, if it refutes.
    """
    d = len(question.inputs.lower)
    x = point[:d]
    forms = [
        [*(Fraction(int(j == k)) for k in range(d)), -end]
        for j in range(d)
        for end in ends_near(question.set, j, x[j])
    ]
    h, rows = x, np.concatenate([np.eye(d), np.zeros((d, 1))], axis=1).astype(object)
    rows = np.array([[Fraction(int(v)) for v in row] for row in rows], dtype=object)
    for weight, bias in question.network.arrays[:-1]:
        z = weight @ h + bias
        size = np.abs(weight) @ np.abs(h) + np.abs(bias)
        on, near = (
            np.flatnonzero(z > 1e-7 * size),
            np.flatnonzero((np.abs(z) <= 1e-7 * size) & (size > 0)),
        )
        exact = {int(k): combine(weight[k], bias[k], rows) for k in (*on, *near)}
        forms += [exact[int(k)] for k in near]
        rows = np.array(
            [
                exact[k] if k in exact and z[k] > 1e-7 * size[k] else [Fraction(0)] * (d + 1)
                for k in range(len(z))
            ]
        )
        h = np.maximum(z, 0)
    solution = solve(forms, d)
    if solution is None or max(abs(float(a) - b) for a, b in zip(solution, x, strict=True)) > 1e-3:
        return None
    inside = question.set.nearest(solution)
    return tuple(inside) if question.margin(inside) <= 0 else None


def ends_near(exact_set: ExactSet, j: int, x: float) -> list[Fraction]:
    """The ends of an input's interval that a float64 is at."""
    return [
        end
        for end in {exact_set.lower[j], exact_set.upper[j]}
        if abs(float(end) - x) <= 1e-9 * max(1.0, abs(x))
    ]


def combine(weight: Array, bias: float, rows: Array) -> list[Fraction]:
    """A unit's affine form (d + 1 rationals, constant last) from those of the layer below."""
    terms = [[Fraction(float(weight[j])) * v for v in rows[j]] for j in np.flatnonzero(weight)]
    total = (
        [sum(column, Fraction(0)) for column in zip(*terms, strict=True)]
        if terms
        else [Fraction(0)] * rows.shape[1]
    )
    return [*total[:-1], total[-1] + Fraction(float(bias))]


def solve(forms: list[list[Fraction]], unknowns: int) -> list[Fraction] | None:
    """The common zero of affine forms (unknowns + 1 rationals, constant last), the first ones
    preferred; None without one.
    """
    rows: list[list[Fraction]] = []
    for form in forms:
        for row in rows:
            pivot = next(j for j in range(unknowns) if row[j])
            form = (
                [a - form[pivot] * b for a, b in zip(form, row, strict=True)]
                if form[pivot]
                else form
            )
        pivot = next((j for j in range(unknowns) if form[j]), -1)
        if pivot < 0:
            continue
        form = [a / form[pivot] for a in form]
        rows = [[a - row[pivot] * b for a, b in zip(row, form, strict=True)] for row in rows] + [
            form
        ]
        if len(rows) == unknowns:
            by_pivot = {next(j for j in range(unknowns) if row[j]): -row[-1] for row in rows}
            return [by_pivot[j] for j in range(unknowns)]
    return None
