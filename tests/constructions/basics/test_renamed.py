"""Former calls give what those of today give, and say how these read."""

import inspect
import re
from functools import partial

import numpy as np
import pytest
import torch

import analysis
from constructions import (
    Ball,
    Engine,
    affine,
    bit_budget,
    count_regions,
    interval_bounds,
    level_set,
    linear_regions,
    magnitude_bound,
    packing_number,
    pairs_within,
    rounding_error,
    separation,
    sharded_values,
    source_difference,
    squaring,
    write_vnnlib,
)
from constructions.internal import read_norm, renamed


@renamed("network low high by", box=lambda low=0, high=1: (low, high))
def middle(network, box=(0, 2), *, by=2):
    """The middle."""
    return network, sum(box) / by


class Walk:
    @renamed("self size", steps=lambda size: size)
    def __init__(self, steps, *, seed=0):
        self.steps = steps


def test_calls_of_today_pass_untouched():
    assert middle("f", (1, 2)) == ("f", 1.5)
    assert middle("f", by=1) == middle(network="f", box=(0, 2), by=1) == ("f", 2)
    assert middle.__name__ == "middle"
    assert list(inspect.signature(middle).parameters) == ["network", "box", "by"]
    assert Walk(3).steps == 3


@pytest.mark.parametrize(
    ("call", "result"),
    [
        (lambda: middle("f", 1, 2), ("f", 1.5)),
        (lambda: middle("f", 1, 2, 3), ("f", 1.0)),
        (lambda: middle("f", low=1, high=3), ("f", 2.0)),
        (lambda: middle("f", 1, high=3, by=1), ("f", 4.0)),
        (lambda: middle("f", high=5), ("f", 2.5)),
    ],
)
def test_former_calls_work_and_name_the_new_form(call, result):
    text = "middle is called as middle(network, box, *, by) now, with box for low, high"
    with pytest.warns(DeprecationWarning, match=re.escape(text)) as caught:
        assert call() == result
    (warning,) = caught
    assert warning.filename == __file__  # the caller's line, not ours


def test_a_former_call_of_a_class_names_the_class():
    with pytest.warns(DeprecationWarning, match=r"^Walk is called as Walk\(steps, \*, seed\) now"):
        assert Walk(size=3).steps == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: middle(), "missing a required argument: 'network'"),
        (lambda: middle("f", 1, 2, 3, 4), "too many positional arguments"),
        (lambda: middle("f", high=1, other=2), "got an unexpected keyword argument 'high'"),
        (lambda: middle("f", (1, 2), low=1, by=1), "got an unexpected keyword argument 'low'"),
        (lambda: middle("f", 1, low=1, by=1), "got an unexpected keyword argument 'low'"),
    ],
)
def test_other_calls_raise_and_name_the_form(call, message):
    text = re.escape("middle is called as middle(network, box, *, by): ") + message
    with pytest.raises(TypeError, match=text):  # and no warning: it would be raised
        call()


def test_several_former_names_at_once():
    @renamed("low high", box=lambda low, high: (low, high), steps=lambda count: count)
    def walk(box, *, steps=1):
        return box, steps

    both = re.escape("walk(box, *, steps) now, with box for low, high, with steps for count")
    with pytest.warns(DeprecationWarning, match=both):
        assert walk(0, 2, count=3) == ((0, 2), 3)
    with pytest.warns(
        DeprecationWarning, match=re.escape("walk(box, *, steps) now, with steps for")
    ):
        assert walk((0, 2), count=3) == ((0, 2), 3)  # today's order, a former name
    told = []
    with pytest.warns(DeprecationWarning, match="with report for progress"):
        before = analysis.boundary_distances(
            LINE, POINTS, LABELS, BALL, progress=lambda: told.append(1)
        )
    assert str(before) == str(analysis.boundary_distances(LINE, POINTS, LABELS, BALL))
    assert told
    text = "count_regions is called as count_regions(network, box, *, pieces, arithmetic, "
    with pytest.raises(TypeError, match=re.escape(text) + ".*: too many positional arguments"):
        count_regions(NETWORK, -1, 1, exact=True)


NETWORK = squaring(2)
ROUNDED = affine([[1.0]])


@pytest.mark.parametrize(
    ("former", "today"),
    [
        (
            lambda path: interval_bounds(NETWORK, 0.25, [0.5]),
            lambda path: interval_bounds(NETWORK, (0.25, [0.5])),
        ),
        (
            lambda path: magnitude_bound(NETWORK, lower=0.25, upper=0.5),
            lambda path: magnitude_bound(NETWORK, (0.25, 0.5)),
        ),
        (
            lambda path: source_difference(ROUNDED, 0.0, 1.0),
            lambda path: source_difference(ROUNDED, (0.0, 1.0)),
        ),
        (
            lambda path: rounding_error(NETWORK, 0.0, 0.5, torch.float32),
            lambda path: rounding_error(NETWORK, (0.0, 0.5)),
        ),
        (
            lambda path: bit_budget(NETWORK, 8, high=0.5),
            lambda path: bit_budget(NETWORK, 8, box=(0.0, 0.5)),
        ),
        (
            lambda path: analysis.certify_box(NETWORK, [0.25], [1.0], label=1),
            lambda path: analysis.certify_box(NETWORK, ([0.25], 1), 1),
        ),
        (
            lambda path: write_vnnlib(path, [0.25], [1.0], target=1) or path.read_text(),
            lambda path: write_vnnlib(path, (0.25, 1.0), 1) or path.read_text(),
        ),
    ],
)
def test_boxes_were_two_arguments(tmp_path, former, today):
    with pytest.warns(DeprecationWarning, match="with box for l"):
        before = former(tmp_path / "a.vnnlib")
    assert str(before) == str(today(tmp_path / "a.vnnlib"))


def test_exact_arithmetic_was_a_flag():
    for call in (count_regions, linear_regions, level_set):
        with pytest.warns(DeprecationWarning, match="with arithmetic for exact"):
            before = call(NETWORK, (0, 1), exact=True)
        assert str(before) == str(call(NETWORK, (0, 1), arithmetic="integers"))
        with pytest.raises(ValueError, match="arithmetic must be 'floats' or 'integers', got 'exa"):
            call(NETWORK, (0, 1), arithmetic="exact")
    for found in (
        linear_regions(NETWORK, (0, 1), arithmetic="integers"),
        separation([[0.0], [1.0]], [0, 1]),
    ):
        kind = type(found).__name__
        with pytest.warns(DeprecationWarning, match=f"^{kind}.exact is {kind}.is_exact now"):
            assert found.exact is found.is_exact is True


POINTS, LABELS, BALL = torch.tensor([[0.25, 0.5], [0.75, 0.5]]), torch.tensor([1, -1]), Ball(2, 0.1)
LINE = affine([[-4.0, 0.0]], [2.0])


@pytest.mark.parametrize(
    ("former", "today"),
    [
        (
            lambda: analysis.boundary_distance(LINE, x=POINTS[0], p=2),
            lambda: analysis.boundary_distance(LINE, POINTS[0], 2),
        ),
        (
            lambda: analysis.boundary_distances(LINE, POINTS, LABELS, 2, radius=0.5),
            lambda: analysis.boundary_distances(LINE, POINTS, LABELS, Ball(2, 0.5)),
        ),
        (
            lambda: pairs_within(1.0, POINTS, [1, 1]),
            lambda: pairs_within(POINTS, [1, 1], Ball("inf", 1.0)),
        ),
        (
            lambda: pairs_within(1.0, POINTS, [1, 1], POINTS, [1, 1], norm=2),
            lambda: pairs_within(POINTS, [1, 1], Ball(2, 1.0), POINTS, [1, 1]),
        ),
        (
            lambda: pairs_within(1.0, POINTS, LABELS, same_label=False),
            lambda: pairs_within(POINTS, LABELS, Ball("inf", 1.0), same_label=False),
        ),
        (
            lambda: sharded_values(LINE, POINTS, Engine()),
            lambda: sharded_values(LINE, POINTS, engine=Engine()),
        ),
        (lambda: packing_number(3, 0.2, 2), lambda: packing_number(3, 0.2, norm=2)),
        (
            lambda: analysis.certified_margins(LINE, POINTS, LABELS, BALL, Engine()),
            lambda: analysis.certified_margins(LINE, POINTS, LABELS, BALL, engine=Engine()),
        ),
        (
            lambda: analysis.clean_bound(LINE, POINTS, LABELS, 0.1),
            lambda: analysis.clean_bound(LINE, POINTS, LABELS, failure=0.1),
        ),
        (
            lambda: analysis.agreement(LINE, LINE, POINTS, "estimate"),
            lambda: analysis.agreement(LINE, LINE, POINTS, kind="estimate"),
        ),
        (lambda: bit_budget(NETWORK, 8, 0.5), lambda: bit_budget(NETWORK, 8, box=(0.5, 1.0))),
        (lambda: read_norm(p="2"), lambda: read_norm("2")),
    ],
)
def test_order_and_names_were_others(former, today):
    with pytest.warns(DeprecationWarning, match="is called as"):
        before = former()
    assert str(before) == str(today())


def test_two_lower_ends_are_no_box():
    """f = x_0 + 2^-53 x_1 is rounded at (1, 1); formerly the third argument was `low` alone."""
    network = affine([[1.0, 2.0**-53]])
    with pytest.warns(DeprecationWarning, match="bit_budget is called as"):
        assert not bit_budget(network, 0, np.array([0.0, 0.0])).float64
    assert not bit_budget(network, 0, box=([0.0, 0.0], [1.0, 1.0])).float64


@pytest.mark.parametrize("wrong", [0.1, None, "inf"])
def test_what_is_no_ball_is_named(wrong):
    for call in (pairs_within, partial(analysis.boundary_distances, LINE)):
        with pytest.raises(TypeError, match="ball must be a Ball, got"):
            call(POINTS, LABELS, wrong)
