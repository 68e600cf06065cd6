"""The search for a counterexample: projected gradient descent of the margin."""

from __future__ import annotations

import numpy as np

from .question import Question
from .sets import Point


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
    return question.replay(points[question.margins(points)[0].argmin()])
