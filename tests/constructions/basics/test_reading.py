"""One reader each: what tensors, arrays and lists are read as, and in which words others are
refused.
"""

from fractions import Fraction

import numpy as np
import pytest
import torch

from constructions import (
    Ball,
    RangeSearch,
    affine,
    count_regions,
    f_S,
    interpolation,
    nearest_neighbour,
    on_segment,
    separation,
)
from constructions.internal import (
    as_coordinates,
    as_float,
    as_tensor,
    box_of,
    check_finite,
    check_interval,
    check_labels,
    exact_box,
    read_box,
    read_rows,
)

BYTES = np.array([[0, 51], [255, 102]], dtype=np.uint8)
POINTS = torch.from_numpy(BYTES).double() / 255
CLEAN = affine([[4.0, 0.0]], [-2.0])
KINDS = [
    lambda x: x,
    lambda x: x.numpy(),
    lambda x: x.tolist(),
    lambda x: x.clone().requires_grad_(True),
    lambda x: x.numpy().astype(">f8"),
    lambda x: np.repeat(x.numpy(), 2, axis=1)[:, ::2],
    lambda x: np.flip(np.flip(x.numpy(), 0).copy(), 0),
    lambda x: [[Fraction(v) for v in row] for row in x.tolist()],
]


@pytest.mark.parametrize("kind", KINDS)
def test_points_of_any_origin_are_the_same(kind):
    assert torch.equal(read_rows(kind(POINTS)), POINTS)
    assert not read_rows(kind(POINTS)).requires_grad
    built = f_S(CLEAN, kind(POINTS), [1, -1], Ball("inf", 0.125))
    assert built.provenance.arguments["data"] == "2b8cd2d567016f0c"


@pytest.mark.parametrize("kind", [lambda x: x, torch.from_numpy])
def test_bytes_are_k_over_255_everywhere(kind):
    given = kind(BYTES)
    assert torch.equal(read_rows(given), POINTS)
    assert torch.equal(as_coordinates(given), POINTS)
    assert torch.equal(as_float(given, torch.float64), POINTS)
    assert as_float(given, None).dtype == torch.float32
    labels = [1, -1]
    built, same = (f_S(CLEAN, x, labels, Ball("inf", 0.125)) for x in (given, POINTS))
    assert built.provenance.arguments["data"] == same.provenance.arguments["data"]
    assert built(POINTS).flatten().tolist() == [1, -1]
    assert separation(given, labels).distance == 1
    line = interpolation(given, [0.0, 1.0])
    assert torch.equal(line(POINTS), interpolation(POINTS, [0.0, 1.0])(POINTS))
    ends = on_segment(CLEAN, given[0], given[1])
    assert torch.equal(ends([[0.5]]), on_segment(CLEAN, POINTS[0], POINTS[1])([[0.5]]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_lower_precision_is_taken_as_it_is(dtype):
    x = POINTS.to(dtype)
    assert torch.equal(read_rows(x), x.double())
    assert as_coordinates(x).dtype == as_float(x, None).dtype == dtype
    assert separation(x, [0, 1]).distance == separation(x.double(), [0, 1]).distance


def test_gradients_pass_through_floats_only_where_they_may():
    x = torch.ones(1, 2, requires_grad=True)
    assert as_float(x) is x
    assert not as_tensor(x).requires_grad


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (["a"], TypeError, "points must be numbers of up to 64 bits, got <U1"),
        ([[0.5], [0.5, 0.5]], ValueError, "points must be numbers in rows of one length, got list"),
        ([[1j]], ValueError, "points must be real numbers, got torch.complex128"),
        ([[float("nan")]], ValueError, "points must be finite, got NaN or infinity in row 0"),
        (0.5, ValueError, r"points must have shape \(D,\) or \(N, D\) with N, D >= 1, got \(\)"),
    ],
)
def test_what_are_no_points_is_refused(values, error, message):
    with pytest.raises(error, match=message):
        read_rows(values)


def test_intervals_have_advice_for_bytes_in_other_types():
    check_interval(torch.zeros(0), "x")
    check_interval(torch.tensor([0.0, 1.0]), "x")
    with pytest.raises(ValueError, match=r"x must lie in \[0, 1\], got .* give them as uint8\)$"):
        check_interval(torch.tensor([0.0, 255.0]), "x")
    with pytest.raises(ValueError, match=r"x must lie in \[0, 1\], got values in \[-1, 2\]$"):
        check_interval(torch.tensor([-1.0, 2.0]), "x")
    with pytest.raises(ValueError, match="in row 1"):
        check_finite(torch.tensor([[0.0], [-torch.inf], [torch.nan]]), "x")


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint8, ">i4"])
def test_labels_of_any_integers_are_read(dtype):
    for labels in (np.array([0, 1], dtype=dtype), np.array([1, 0], dtype=dtype)[::-1]):
        found = check_labels(labels, 2, 2)
        assert found.dtype == torch.int64
        assert found.tolist() == [0, 1]


@pytest.mark.parametrize(
    "call",
    [
        lambda labels: check_labels(labels, 2, 1),
        lambda labels: f_S(CLEAN, POINTS, labels, Ball("inf", 0.125)),
        lambda labels: separation(POINTS, labels),
    ],
)
@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (
            [1.0, -1.0],
            ValueError,
            r"labels must be integers, got torch.float64: use labels.long\(\)",
        ),
        ([True, False], ValueError, r"labels must be integers, got torch.bool: use 2 \* labels"),
        ([1], ValueError, r"labels must have shape \(2,\), one for each point, got \(1,\)"),
        (["1", "2"], TypeError, "labels must be numbers of up to 64 bits"),
    ],
)
def test_labels_are_refused_in_the_same_words(call, labels, error, message):
    with pytest.raises(error, match=message):
        call(labels)


def test_numbers_without_an_axis_of_points_are_said_to_be_one_point():
    with pytest.raises(ValueError, match=r"got \(2,\) \(numbers without an axis .* have shape"):
        nearest_neighbour([0.25, 0.75], [1, -1], Ball(2, 0.1))
    with pytest.raises(ValueError, match=r"one for each point, got \(3,\)$"):
        nearest_neighbour([[0.25], [0.75]], [1, -1, 1], Ball(2, 0.1))


def test_boxes_broadcast_and_take_any_numbers():
    for box in ((0, 1), (np.zeros(2), torch.ones(2)), ([0, 0], Fraction(1)), (0.0, [[1], [1]])):
        lower, upper = box_of(box, 2)
        assert lower.tolist() == [0, 0]
        assert upper.tolist() == [1, 1]
    assert read_box((0, np.ones((2, 3))))[0].shape == (2, 3)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((0, 1, 2), r"box must be a pair \(lower, upper\)"),
        (None, r"box must be a pair \(lower, upper\)"),
        (("a", "b"), r"box must be a pair \(lower, upper\)"),
        (([0, 0], [1, 1, 1]), r"box must be a pair \(lower, upper\) .* of one shape"),
        ((0, float("inf")), "box must be finite"),
        ((1, 1), "box must have lower < upper in every coordinate"),
        (([0.0] * 3, 1), "box must have one number or 2 a corner, .* got 3"),
        ((0, np.full(2, 255, np.uint8)), "box must not be uint8, .* divide images by 255"),
        ((torch.zeros(2, dtype=torch.uint8), 1), "box must not be uint8"),
    ],
)
def test_what_is_no_box_is_refused(box, message):
    with pytest.raises(ValueError, match=message):
        box_of(box, 2)
    with pytest.raises(ValueError, match=message):
        count_regions(CLEAN, box)


def test_boxes_of_exact_numbers_are_no_images_either():
    with pytest.raises(ValueError, match="box must not be uint8"):
        exact_box((np.zeros(2, np.uint8), 255))


def test_norms_are_read_by_one_reader():
    with pytest.raises(ValueError, match="norm must be 2 or 'inf', got 3"):
        RangeSearch(POINTS, 3, 0.5)
    assert RangeSearch(POINTS, "2", 0.5).p == 2
