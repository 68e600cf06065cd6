"""Maxima in depth 2, proved on all rays of all cones of linearity."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import layers_of

from constructions import maximum, shallow_maximum


def gaps(order):
    """Columns x of the gaps g >= 0 of an ordering: x[order[k]] = g_k + g_(k+1) + ... + g_(n-2)."""
    n = len(order)
    x = np.zeros((n, n - 1), dtype=int)
    for k, i in enumerate(order):
        x[i, k:] = 1
    return x


def null_vectors(rows):
    """Of integer matrices (m, k, k + 1): vectors orthogonal to all rows, by minors; 0 for rows that
    are dependent.
    """
    size = rows.shape[2]
    keep = [[j for j in range(size) if j != i] for i in range(size)]
    minors = [np.rint(np.linalg.det(rows[:, :, columns])) for columns in keep]
    return np.stack([(-1) ** i * minor for i, minor in enumerate(minors)], axis=1).astype(int)


def rays(network, order):
    """The rays of all cones, within one ordering, on which the network is linear.

    There the first layer is linear, and the network bends only where a unit of the second one
    does; the last two are a number's two parts, and add up to it.
    """
    (first, _), (second, _), _ = layers_of(network)
    x = gaps(order)
    hidden = first @ x
    assert ((hidden >= 0).all(axis=1) | (hidden <= 0).all(axis=1)).all()  # no unit bends inside
    forms = second[:-2] @ np.maximum(hidden, 0)
    forms = forms[(forms > 0).any(axis=1) & (forms < 0).any(axis=1)].astype(int)
    planes = np.unique(np.concatenate([np.eye(x.shape[1], dtype=int), forms]), axis=0)
    chosen = np.array(list(itertools.combinations(range(len(planes)), x.shape[1] - 1)))
    found = null_vectors(planes[chosen])
    found = np.concatenate([found, -found])
    found = found[(found >= 0).all(axis=1) & found.any(axis=1)]
    found //= np.gcd.reduce(found, axis=1)[:, None]
    return np.unique(found, axis=0) @ x.T


@pytest.mark.parametrize("n", [5, 6])
def test_it_is_the_maximum_on_all_rays_hence_everywhere(n):
    """Without biases the network is positively homogeneous; that it commutes with adding a number
    to all inputs is read off the weights. So it is enough to have the rays with least entry 0.
    """
    network, factor = shallow_maximum(n), {5: 1, 6: 12}[n]
    (first, b), (second, c), (out, d) = layers_of(network)
    assert not any(bias.any() for bias in (b, c, d))
    ones = np.ones(n)
    assert (first[:-2] @ ones == 0).all()  # differences; then +x_last and -x_last
    assert (first[-2] == -first[-1]).all()
    assert first[-2] @ ones == 1
    assert not second[:-2, -2:].any()
    assert (second[-2] == -second[-1]).all()
    assert second[-2, -2] == -second[-2, -1] == factor
    assert out[0, -2] == -out[0, -1] == 1
    points = [rays(network, order) for order in itertools.permutations(range(n))]
    assert min(map(len, points)) >= n - 1
    assert max(map(len, points)) > n - 1
    points = np.unique(np.concatenate(points), axis=0)
    assert (network.exact(points)[:, 0] == factor * points.max(axis=1)).all()


@given(st.lists(st.fractions(max_denominator=60), min_size=6, max_size=6))
def test_maxima_of_fractions(values):
    assert shallow_maximum(6).exact(values)[0] == 12 * max(values)
    assert maximum(5, depth=2).exact(values[:5])[0] == max(values[:5])


def test_the_depth_that_is_asked_for_or_a_reason():
    assert maximum(5, depth=3).provenance == maximum(5).provenance
    assert maximum(5, depth=2).provenance == shallow_maximum(5).provenance
    for n, depth in ((6, 2), (4, 1), (4, 3)):
        with pytest.raises(ValueError, match="depth must be that of the tree"):
            maximum(n, depth=depth)
    with pytest.raises(ValueError, match="n must be 5 or 6"):
        shallow_maximum(7)
