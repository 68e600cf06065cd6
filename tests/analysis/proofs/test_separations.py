"""Separations that are handed on: used for the points they were measured on, refused for others."""

import pytest
import torch

from analysis import certify_memorization
from analysis.proofs import memorization
from analysis.proofs.separations import KnownSeparation
from constructions import Ball, affine, f_S

POINTS = torch.tensor([[0.25, 0.5], [0.75, 0.5], [0.5, 0.0]], dtype=torch.float64)
LABELS = torch.tensor([1, -1, 1])
BALL = Ball("inf", 0.1)


def network():
    return f_S(affine([[4.0, 0.0]], [-2.0]), POINTS, LABELS, BALL)


def test_what_was_measured_is_not_measured_again(monkeypatch):
    known = KnownSeparation.of(POINTS, LABELS, "inf")
    whole = certify_memorization(network(), POINTS, LABELS, BALL)

    def never(*given):
        raise AssertionError("measured again")

    monkeypatch.setattr(memorization.KnownSeparation, "of", never)
    again = certify_memorization(network(), POINTS, LABELS, BALL, known=known)
    assert again.to_json() == whole.to_json()
    assert again.certificate == whole.certificate
    assert certify_memorization(network(), POINTS.tolist(), [1, -1, 1], BALL, known=known)


@pytest.mark.parametrize(
    "other",
    [
        (POINTS.flip(0), LABELS, "inf"),
        (POINTS, -LABELS, "inf"),
        (POINTS, LABELS, 2),
        (POINTS[:2], LABELS[:2], "inf"),
        (POINTS + 2.0**-52, LABELS, "inf"),
    ],
)
def test_separations_of_other_points_prove_nothing(other):
    known = KnownSeparation.of(*other)
    with pytest.raises(ValueError, match="known must be the separation of these points in l_inf"):
        certify_memorization(network(), POINTS, LABELS, BALL, known=known)
