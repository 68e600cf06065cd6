"""Bounds on numbers of regions: small values by hand, orderings, brute force."""

import itertools
from math import comb

import numpy as np
import pytest

from constructions import (
    ReLUNetwork,
    count_regions,
    montufar_lower,
    montufar_upper,
    pattern_bound,
    serra_upper,
    zaslavsky,
)

WIDTHS = [widths for depth in (1, 2, 3) for widths in itertools.product((1, 2, 3, 5), repeat=depth)]


def serra_by_enumeration(widths, d):
    total = 0
    for j in itertools.product(*(range(n + 1) for n in widths)):
        limits = [
            min([d, *(n - i for n, i in zip(widths[:k], j[:k], strict=True)), widths[k]])
            for k in range(len(widths))
        ]
        if all(i <= limit for i, limit in zip(j, limits, strict=True)):
            product = 1
            for n, i in zip(widths, j, strict=True):
                product *= comb(n, i)
            total += product
    return total


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_serra_is_its_sum(d):
    assert all(serra_upper(widths, d) == serra_by_enumeration(widths, d) for widths in WIDTHS)


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_bounds_are_ordered(d):
    for widths in WIDTHS:
        assert serra_upper(widths, d) <= montufar_upper(widths, d) <= pattern_bound(widths)
        if min(widths) >= d:
            assert montufar_lower(widths, d) <= serra_upper(widths, d)


def test_values_by_hand():
    assert [zaslavsky(n, 2) for n in range(1, 5)] == [2, 4, 7, 11]  # lines in the plane
    assert [zaslavsky(n, 3) for n in range(1, 5)] == [2, 4, 8, 15]  # the cake numbers
    assert all(zaslavsky(n, d) == 2**n for n in range(1, 6) for d in range(n, 7))
    assert all(
        serra_upper([n], d) == montufar_upper([n], d) == zaslavsky(n, d)
        for n in range(1, 8)
        for d in range(1, 8)
    )
    assert montufar_lower([4], 2) == 11
    assert montufar_lower([6, 4], 2) == 3**2 * 11
    assert montufar_upper([1, 5], 3) == 2 * 6


@pytest.mark.parametrize("d", [1, 2, 3])
def test_networks_keep_to_the_bounds(d):
    generator = np.random.default_rng(d)
    for widths in ([4], [3, 4], [2, 3, 3], [1, 5]):
        for _ in range(5):
            sizes = [d, *widths, 1]
            layers = [
                (generator.normal(size=(n, m)), generator.normal(size=n))
                for m, n in itertools.pairwise(sizes)
            ]
            assert count_regions(ReLUNetwork.from_layers(layers), (-4, 4)).cells <= serra_upper(
                widths, d
            )


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (pattern_bound, ([],)),
        (pattern_bound, ([2, 0],)),
        (zaslavsky, (3, 0)),
        (zaslavsky, (-1, 2)),
        (montufar_upper, ([3, 2.5], 2)),
        (serra_upper, ([3], 1.5)),
        (montufar_lower, ([3, 1], 2)),
    ],
)
def test_bad_arguments(function, arguments):
    with pytest.raises(ValueError, match=r"d must|widths must|units must"):
        function(*arguments)


def test_the_argument_at_fault_is_named():
    for function, arguments, name in (
        (zaslavsky, (0, 2), "units"),
        (serra_upper, ([0], 2), "widths"),
        (zaslavsky, (2, 0), "d"),
    ):
        with pytest.raises(ValueError, match=rf"^{name} must"):
            function(*arguments)


@pytest.mark.parametrize("function", [montufar_lower, montufar_upper, serra_upper])
def test_arguments_in_the_other_order_are_named(function):
    with pytest.raises(
        ValueError, match=r"^d must be an integer >= 1, got \[10, 10\]: .* as in \(\[10, 10\], 2\)$"
    ):
        function(2, [10, 10])
    with pytest.raises(TypeError, match=r"^widths must be integers, one a hidden layer, got 2"):
        function(2, 10)
    assert function(np.array([4, 4]), 2) == function(iter([4, 4]), 2) == function([4, 4], 2)


def test_one_hyperplane_arrangement_attains_zaslavsky():
    generator = np.random.default_rng(0)
    weight, bias = generator.normal(size=(6, 2)), 0.1 * generator.normal(size=6)
    network = ReLUNetwork.from_layers([(weight, bias), (np.ones((1, 6)), np.zeros(1))])
    assert count_regions(network, (-100, 100)).cells == zaslavsky(6, 2) == 22
