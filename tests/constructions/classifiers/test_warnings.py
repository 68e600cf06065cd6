"""What f_S and the functions beside it warn of: radii in grey levels, and very narrow shells."""

import warnings

import pytest

from analysis import certify, robust_error
from constructions import VARIANTS, Ball, affine, f_S
from training import TrainingConfig, pgd

CLEAN, POINTS, LABELS = affine([[4.0, 0.0]], [-2.0]), [[0.25, 0.5], [0.75, 0.5]], [1, -1]
GREY = r"divide it by 255: 8 / 255 = 0.0314"


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("norm", ["inf", 2])
def test_a_narrow_shell_is_named_with_its_pair(norm, variant):
    with pytest.warns(UserWarning, match=r"shell .* wide.*points 0 and 1.* radius of 0\.125"):
        f_S(CLEAN, POINTS, LABELS, Ball(norm, 0.2499), variant=variant)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f_S(CLEAN, POINTS, LABELS, Ball(norm, 0.24), variant=variant)


@pytest.mark.parametrize(
    "call",
    [
        lambda ball: f_S(CLEAN, POINTS, [1, 1], ball),
        lambda ball: robust_error(CLEAN, POINTS, LABELS, ball),
        lambda ball: certify(CLEAN, POINTS[0], ball, 1),
        lambda ball: pgd(CLEAN, POINTS, LABELS, ball, lambda f, y: -y * f[:, 0]),
        lambda ball: TrainingConfig(radius=ball.radius),
    ],
    ids=["f_S", "robust_error", "certify", "pgd", "config"],
)
def test_a_radius_in_grey_levels_is_named_with_its_remedy(call):
    with pytest.warns(UserWarning, match=GREY):
        call(Ball("inf", 8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(Ball("inf", 8 / 255))


def test_l_2_balls_may_be_larger_in_many_dimensions():
    with pytest.warns(UserWarning, match="holds all"):
        certify(CLEAN, POINTS[0], Ball(2, 1.5), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        certify(CLEAN, POINTS[0], Ball(2, 1.375), 1)  # below sqrt(2)
        certify(CLEAN, POINTS[0], Ball("inf", 8), 1, domain=(0, 255))
