"""Networks with known answers, written as plain matrices by hand: no code and no provenance of the
packages under test.
"""

import itertools

import numpy as np


def ladder(m, sign=1.0, threshold=0.0):
    """sign (f_m - f_(m+1) - threshold) on [0,1] for Yarotsky's x^2 networks; f_m - f_(m+1) has
    maximum 4^-(m+1), minimum 0.
    """

    def square(m):
        weights, biases = [np.ones((3, 1))], [np.array([0.0, -0.5, 0.0])]
        tooth, carry = np.array([2.0, -4.0, 0.0]), np.array([0.0, 0.0, 1.0])
        for s in range(1, m):
            weights.append(np.stack([tooth, tooth, carry - tooth / 4.0**s]))
            biases.append(np.array([0.0, -0.5, 0.0]))
        return [*weights, (carry - tooth / 4.0**m)[None]], [*biases, np.zeros(1)]

    (first, offsets), (second, others) = square(m), square(m + 1)
    first, offsets = [*first, np.eye(1)], [*offsets, np.zeros(1)]
    weights = [np.vstack([first[0], second[0]])]
    for a, b in zip(first[1:-1], second[1:-1], strict=True):
        weights.append(
            np.block([[a, np.zeros((len(a), b.shape[1]))], [np.zeros((len(b), a.shape[1])), b]])
        )
    biases = [np.concatenate(pair) for pair in zip(offsets[:-1], others[:-1], strict=True)]
    last = np.concatenate([first[-1], -second[-1]], axis=1)
    return list(zip([*weights, sign * last], [*biases, np.array([-sign * threshold])], strict=True))


def cgro(dimension, count, seed=0):
    """A CGRO classifier as the papers print it, with random f_clean D-32-32-1: |x_j - c_j|, trees
    of max(a, b) = relu(a - b) + relu(b), two-unit indicators and two-unit gates of y_i - f_clean;
    f_clean is carried by its positive and negative part.

    Returns layers, centres, labels, and the radius of the balls on which f = y_i.
    """
    rng = np.random.default_rng(seed)

    def single(values):
        return np.float32(values).astype(np.float64)

    centres, labels = (
        single(rng.random((count, dimension))),
        np.where(rng.random(count) < 0.5, 1, -1),
    )
    apart = np.abs(centres[:, None] - centres).max(-1)[~np.eye(count, dtype=bool)].min()
    radius = 0.15 * apart
    inner, outer = (float(single(v)) for v in (1.1 * radius, apart - 1.1 * radius))
    sizes = [dimension, 32, 32, 1]
    clean = []
    for before, after in itertools.pairwise(sizes):
        weight = single(rng.standard_normal((after, before)) * np.sqrt(2 / before))
        clean.append((weight, single(rng.standard_normal(after) / 8)))
    low, high = np.zeros(dimension), np.ones(dimension)
    for weight, bias in clean:
        plus, minus = np.maximum(weight, 0), np.minimum(weight, 0)
        low, high = plus @ low + minus @ high + bias, plus @ high + minus @ low + bias
        bound = 2.0 ** np.ceil(np.log2(1 + max(abs(low[0]), abs(high[0]))))
        low, high = np.maximum(low, 0), np.maximum(high, 0)

    layers, rows, width = [], [], dimension

    def unit(form, bias=0.0):
        rows.append((dict(form), bias))
        return len(rows) - 1

    def finish():
        nonlocal width
        weight = np.zeros((len(rows), width))
        for i, (form, _) in enumerate(rows):
            weight[i, list(form)] = list(form.values())
        layers.append((weight, np.array([b for _, b in rows])))
        width = len(rows)
        rows.clear()

    def minus(a, b):
        return {k: a.get(k, 0.0) - b.get(k, 0.0) for k in {**a, **b}}

    def dense(k):
        return [unit(dict(enumerate(row)), b) for row, b in zip(*clean[k], strict=True)]

    def carry(form, bias):
        return {unit(form, bias): 1.0, unit(minus({}, form), -bias): -1.0}, 0.0

    dense(0)
    values = [
        [{unit({j: 1.0}, -c): 1.0, unit({j: -1.0}, c): 1.0} for j, c in enumerate(centre)]
        for centre in centres
    ]
    finish()
    hidden = dense(1)
    f = dict(zip(hidden, clean[2][0][0], strict=True)), clean[2][1][0]
    while len(values[0]) > 1:
        if layers[1:]:
            f = carry(*f)
        levels = []
        for v in values:
            levels.append(
                [
                    {unit(minus(a, b)): 1.0, unit(b): 1.0}
                    for a, b in zip(v[::2], v[1::2], strict=False)
                ]
            )
            if len(v) % 2:
                levels[-1].append({unit(v[-1]): 1.0})
        values = levels
        finish()
    f = carry(*f)
    indicators = []
    for (t,) in values:
        steep = 1 / (outer - inner)
        indicators.append({unit(minus({}, t), outer): steep, unit(minus({}, t), inner): -steep})
    finish()
    out, _ = carry(*f)
    for y, s in zip(labels, indicators, strict=True):
        gap = minus({}, f[0])
        lifted = {k: bound * w for k, w in s.items()}
        out |= {unit({**gap, **lifted}, y - bound): 1.0, unit({**f[0], **lifted}, -y - bound): -1.0}
    finish()
    unit(out)
    finish()
    return layers, centres, labels, radius
