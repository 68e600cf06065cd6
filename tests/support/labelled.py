"""Labels of points, each at least once, and whether a memorizer has them."""

from fractions import Fraction

import numpy as np


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
