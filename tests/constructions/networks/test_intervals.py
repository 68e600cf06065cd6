"""Interval bounds contain exact values; degenerate weights and boxes included."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import evaluate, random_network

from constructions import (
    Affine,
    Ball,
    Constant,
    Dense,
    Kron,
    ReLUNetwork,
    affine,
    distance,
    f_S,
    interval_bounds,
    magnitude_bound,
    multiplication,
    squaring,
)

SCALES = [1e-300, 1e-12, 1.0, 1e12]


@given(
    seed=st.integers(0, 10**6),
    widths=st.sampled_from([(1, 1), (2, 3, 1), (3, 6, 4, 2), (2, 2, 2, 2, 2)]),
    scale=st.sampled_from(SCALES),
    width=st.sampled_from([0.0, 1e-15, 0.5, 10.0]),
    degenerate=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_bounds_contain_exact_values(seed, widths, scale, width, degenerate):
    """Random float64 weights (a share of them 0) on random boxes: corners and inner points, in
    exact arithmetic.
    """
    generator = np.random.default_rng(seed)

    def draw(*shape):
        return generator.normal(size=shape) * (generator.random(shape) >= degenerate)

    layers = [
        (draw(b, a) * scale ** (1 / (len(widths) - 1)), draw(b))
        for a, b in itertools.pairwise(widths)
    ]
    network = ReLUNetwork.from_layers(layers)
    lower = generator.normal(size=widths[0])
    upper = lower + width * generator.random(widths[0])
    low, high = interval_bounds(network, (torch.from_numpy(lower), torch.from_numpy(upper)))
    for share in (0, 1, *generator.integers(0, 9, (4, widths[0]))):
        ends = zip(
            lower.tolist(), upper.tolist(), np.broadcast_to(share, widths[0]).tolist(), strict=True
        )
        point = [
            Fraction(a) + (Fraction(b) - Fraction(a)) * k / max(8, k) if k != 1 else Fraction(b)
            for a, b, k in ends
        ]
        for a, value, b in zip(low.tolist(), evaluate(network, point), high.tolist(), strict=True):
            assert Fraction(a) <= value <= Fraction(b)


@pytest.mark.parametrize(
    ("network", "lower", "upper"),
    [
        (squaring(8), 0.0, 1.0),
        (multiplication(6, 2.0), -2.0, 2.0),
        (distance([[0.25, 0.5, 1.0], [0.1, 0.2, 0.3]], "inf"), 0.0, 1.0),
        (distance([[0.25, 0.5, 1.0]] * 2, 2, 4, shared=True), 0.0, 1.0),
        (
            f_S(
                affine([[4.0, 0.0]], [-2.0]), [[0.25, 0.5], [0.75, 0.5]], [1, -1], Ball("inf", 0.1)
            ),
            0.0,
            1.0,
        ),
    ],
)
def test_bounds_of_constructions(network, lower, upper):
    generator = np.random.default_rng(0)
    low, high = interval_bounds(network, (lower, upper))
    bound = magnitude_bound(network, (lower, upper))
    for row in generator.integers(0, 33, (20, network.inputs)):
        point = [Fraction(lower) + (Fraction(upper) - Fraction(lower)) * int(k) / 32 for k in row]
        for a, value, b in zip(low.tolist(), evaluate(network, point), high.tolist(), strict=True):
            assert Fraction(a) <= value <= Fraction(b)
            assert abs(value) <= Fraction(bound)


def test_bounds_of_affine_maps_are_tight():
    """Without a hidden layer there is nothing to lose but rounding."""
    low, high = interval_bounds(
        affine([[1.0, -2.0]], [0.5]), (torch.tensor([0.0, 0.0]), torch.tensor([1.0, 3.0]))
    )
    assert low.item() == pytest.approx(-5.5, abs=1e-13)
    assert high.item() == pytest.approx(1.5, abs=1e-13)
    assert low.item() <= -5.5
    assert high.item() >= 1.5


def test_many_boxes_at_once(monkeypatch):
    network = random_network(np.random.default_rng(0), (3, 4, 2))
    lower = torch.rand(2, 5, 3, dtype=torch.float64)
    low, high = interval_bounds(network, (lower, lower + 0.25))
    assert low.shape == high.shape == (2, 5, 2)
    monkeypatch.setattr("constructions.networks.network.MEMORY_LIMIT", 100)  # in chunks
    again = interval_bounds(network, (lower, lower + 0.25))
    # processors sum batches of other sizes otherwise
    torch.testing.assert_close(tuple(again), (low, high), rtol=1e-14, atol=1e-14)
    one = interval_bounds(network, (lower[1, 2], lower[1, 2] + 0.25))
    assert torch.allclose(one[0], low[1, 2], rtol=0, atol=1e-13)
    assert repr(interval_bounds(network, [lower[0, :0]] * 2)) == "OutputBounds: no boxes"
    wide = interval_bounds(network, (0.0, lower + 1))
    assert wide[0].shape == (2, 5, 2)
    assert magnitude_bound(network, (lower, lower + 0.25)) == pytest.approx(
        max(-low.min().item(), high.max().item()), rel=1e-14
    )


def test_boxes_are_checked():
    network = random_network(np.random.default_rng(0), (2, 3, 1))
    for lower, upper, message in (
        (1.0, 0.0, "box must have lower <= upper"),
        (float("nan"), 1.0, "box must be finite"),
        (0.0, float("inf"), "box must be finite"),
        (torch.tensor([0.0, 2.0]), 1.0, "box must have lower <= upper"),
    ):
        with pytest.raises(ValueError, match=message):
            interval_bounds(network, (lower, upper))
    huge = ReLUNetwork.from_layers([([[1e200]], [0]), ([[1e200]], [0])])
    with pytest.raises(ValueError, match="bounds overflow float64"):
        interval_bounds(huge, (0.0, 1.0))
    with pytest.raises(ValueError, match=r"box must hold numbers or corners of shape \(..., 2\)"):
        interval_bounds(network, (torch.zeros(3), torch.ones(3)))


def test_bounds_hold_where_a_product_of_two_factors_underflows():
    """Kron(diag(2^500, 1), [[2^-500, 1], [0, 1]]) at 2^-600: 2^-1100 underflows before 2^500 would
    bring it back.
    """
    left, right = ([2.0**500, 0.0], [0.0, 1.0]), ([2.0**-500, 1.0], [0.0, 1.0])
    weight = Kron(*(Dense(torch.tensor(rows, dtype=torch.float64)) for rows in (left, right)))
    network = ReLUNetwork((Affine(weight, Constant(4, 1, 0.0)),))
    point = torch.tensor([2.0**-600, 0.0, 0.0, 0.0], dtype=torch.float64)
    low, high = interval_bounds(network, (point, point))
    assert low[0] <= 2.0**-600 <= high[0]
