"""Labels of points, each at least once, and whether a memorizer has them."""

from fractions import Fraction

import numpy as np

from analysis import certify_memorizer
from constructions import Ball, separation


def labels_of(rng, count, outputs):
    """Labels -1 and +1 for one output, else 0, 1, ...; drawn after one of each."""
    classes = max(2, outputs)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, count - classes)])
    return 2 * labels - 1 if outputs == 1 else labels


def right(values, labels):
    """Exactly the label or the one-hot row; for more classes a margin of 1/4."""
    if values.shape[1] == 1:
        return values[:, 0].tolist() == labels.tolist()
    if values.shape[1] == 2:
        return values.tolist() == np.eye(2, dtype=int)[labels].tolist()
    rows = zip(values.tolist(), labels.tolist(), strict=True)
    return all(r[y] - max(v for k, v in enumerate(r) if k != y) >= Fraction(1, 4) for r, y in rows)


def refuses_what_is_false(network, points, labels, outputs, ball):
    """Balls beyond half the separation are not proved; wrong labels, moved points are refuted."""
    half = separation(points, labels, norm=ball.p).lower / 2
    beyond = Ball(ball.p, 1.01 * half)
    assert certify_memorizer(network, points, labels, beyond).verdict != "proved"
    for i in (0, len(points) // 2, len(points) - 1):
        other = labels.copy()
        other[i] = -other[i] if outputs == 1 else (other[i] + 1) % max(2, outputs)
        wrong = certify_memorizer(network, points, other, ball)
        assert (wrong.verdict, wrong.witness[0]) == ("refuted", i)
    moved = points.copy()
    moved[3] = points[np.flatnonzero(labels != labels[3])[0]] + ball.radius / 8
    assert certify_memorizer(network, np.clip(moved, 0, 1), labels, ball).verdict == "refuted"
